//! Broken streams, all the way from bytes to playlists.
//!
//! `cases` has each kind of bad input by name, with what has to come of it. `mutants` breaks good streams in ways that a seed
//! decides, thousands of times, and asks of each only what must hold whatever comes. Both go through `way`, which checks every
//! segment and every playlist with our own readers and with other people's, and in low latency (`parts`) every part. `play` has ffmpeg decode what comes out, `players` has it
//! and two players in a browser play every case from end to end, `silence` has it decode the silence that we make, and `pairs`
//! compares two origins.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

mod cases;
mod cmaf;
mod encoder;
mod flv;
mod mutants;
mod pairs;
mod parts;
mod play;
mod players;
mod real;
mod seed;
mod silence;
mod ts;
mod way;
