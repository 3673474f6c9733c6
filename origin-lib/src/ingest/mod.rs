//! Sockets of venue encoders. Bytes go to a sans-IO demultiplexer, frames to the packager, objects to the spool.
//!
//! Nothing here waits for anything downstream of the local disk (DESIGN.md, invariant 1).

mod feed;
mod registry;
mod rtmp;

pub use feed::{Feed, Output};
pub use registry::{Lease, Refusal, Registry};
pub use rtmp::{FEEDS_MAX, Listener};
