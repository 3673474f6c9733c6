//! The system tests: one binary, a module for each subject.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod browser_innings;
mod browser_pad;
#[cfg(test)]
mod burn_in;
mod change;
#[cfg(test)]
mod choices;
mod cmaf_ingest;
#[cfg(test)]
mod codecs;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod embedded;
#[cfg(test)]
mod entry;
#[cfg(test)]
mod feeds;
#[cfg(test)]
mod gaps;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod hosts;
mod http_ingest;
mod identity;
#[cfg(test)]
mod iframes;
#[cfg(test)]
mod ladder;
mod letters;
#[cfg(test)]
mod load;
#[cfg(test)]
mod low_latency;
#[cfg(test)]
mod low_latency_browser;
#[cfg(test)]
mod origin;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod pair_feeds;
#[cfg(test)]
mod pair_ladder;
#[cfg(test)]
mod pair_parts;
#[cfg(test)]
mod passes;
#[cfg(test)]
mod play;
#[cfg(test)]
mod promise;
#[cfg(test)]
mod push;
mod relay;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod score_clock;
#[cfg(test)]
mod seek_pictures;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod sink;
mod sounds;
mod splices;
mod srt;
mod subtitles;
#[cfg(test)]
mod threats;
#[cfg(test)]
mod tracks;
#[cfg(test)]
mod uplink;
#[cfg(test)]
mod viewers;
#[cfg(test)]
mod wall_clock;
mod whip;
mod whip_moves;
