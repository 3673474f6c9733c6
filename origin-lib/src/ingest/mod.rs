//! Sockets of venue encoders. Bytes go to a sans-IO demultiplexer, frames to the channel's programme, objects to the spool.
//!
//! Nothing here waits for anything downstream of the local disk (DESIGN.md, invariant 1).

pub mod anchor;
pub mod certificate;
mod channel;
mod companion;
mod door;
mod feed;
mod gather;
mod http;
mod refused;
mod registry;
mod rtmp;
mod sink;
mod srt;
mod whip;

pub use channel::{Anchored, Channel, Channels, Output, Tap};
pub use door::Door;
pub use feed::Feed;
pub use http::HttpListener;
pub use registry::{FeedId, Lease, Refusal, Registry};
pub use rtmp::{FEEDS_MAX, Listener};
pub use srt::SrtListener;
pub use srt::call::Calls;
pub use whip::WhipListener;
