//! Fuzz targets: one for each parser of bytes from outside.
//!
//! A target takes any bytes and must return. It may assert what has to hold for whatever it accepted: a panic, a
//! failed assertion, an arithmetic overflow, ten seconds for one input or a gigabyte of memory is a finding. A finding
//! becomes a file in `tests/fuzz-seeds/<target>/`, which the ordinary tests replay from then on.

mod cmaf;
mod codec;
mod core;
mod edge;
mod media;
mod rtmp;
mod rtp;
mod score;
mod splices;
mod srt;
#[cfg(test)]
mod tests;
mod ts;

/// One entry of the table that `cargo xtask fuzz` walks through.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: `cargo xtask fuzz <name>`, and the folder of its seeds.
    pub name: &'static str,
    /// The longest input that libFuzzer makes, in bytes.
    pub len_max: usize,
    /// Feeds an input.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "core-id", len_max: 128, run: core::id },
    Target { name: "core-hex", len_max: 256, run: core::hex },
    Target { name: "core-sign", len_max: 512, run: core::sign },
    Target { name: "core-event-state", len_max: 4096, run: core::event_state },
    Target { name: "core-channel-state", len_max: 8192, run: core::channel_state },
    Target { name: "core-lint", len_max: 16384, run: core::lint },
    Target { name: "rtmp-server", len_max: 8192, run: rtmp::server },
    Target { name: "rtmp-server-session", len_max: 4096, run: rtmp::server_session },
    Target { name: "rtmp-client-session", len_max: 4096, run: rtmp::client_session },
    Target { name: "rtmp-url", len_max: 512, run: rtmp::url },
    Target { name: "rtmp-amf0", len_max: 4096, run: rtmp::amf0 },
    Target { name: "flv-demux", len_max: 4096, run: rtmp::demux },
    Target { name: "flv-file", len_max: 16384, run: rtmp::file },
    Target { name: "srt-packet", len_max: 4096, run: srt::packet },
    Target { name: "rtp-units", len_max: 4096, run: rtp::units },
    Target { name: "whip-request", len_max: 16384, run: rtp::request },
    Target { name: "ts-demux", len_max: 8192, run: ts::demux },
    Target { name: "scte35", len_max: 2048, run: splices::sections },
    Target { name: "cmaf-gather", len_max: 8192, run: cmaf::gather },
    Target { name: "codec-avc", len_max: 1024, run: codec::avc },
    Target { name: "codec-hevc", len_max: 1024, run: codec::hevc },
    Target { name: "codec-av1", len_max: 512, run: codec::av1 },
    Target { name: "codec-aac", len_max: 64, run: codec::aac },
    Target { name: "codec-opus", len_max: 64, run: codec::opus },
    Target { name: "feed", len_max: 8192, run: media::feed },
    Target { name: "fmp4-read", len_max: 8192, run: media::read },
    Target { name: "calibration-picture", len_max: 4096, run: media::picture },
    Target { name: "score-event", len_max: 4096, run: score::event },
    Target { name: "score-log", len_max: 8192, run: score::log },
    Target { name: "score-document", len_max: 8192, run: score::document },
    Target { name: "score-table", len_max: 4096, run: score::table },
    Target { name: "score-foreign", len_max: 2048, run: score::foreign },
    Target { name: "edge-request", len_max: 4096, run: edge::request },
    Target { name: "edge-token", len_max: 1200, run: edge::token },
    Target { name: "edge-beacon", len_max: 4096, run: edge::beacon },
    Target { name: "edge-password-hash", len_max: 300, run: edge::password_hash },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Cuts an input in two at the position that its first byte gives, for targets that take two texts. The byte
/// counts in steps of the input's length, so that short and long inputs are cut everywhere.
fn halves(input: &[u8]) -> (&[u8], &[u8]) {
    match input {
        [] => (&[], &[]),
        [at, rest @ ..] => rest.split_at(usize::from(*at) * (rest.len() + 1) / 256),
    }
}
