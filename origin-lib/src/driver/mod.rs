//! The desk between the feeds and the world: which objects exist, which target has them, and what the edges are told.
//!
//! Feeds hand finished objects to the [`crate::spool`]; from the disk they come here, go to every target's queue, and
//! their acknowledgements come back. One task owns every channel's book and reel; nothing here waits for anything
//! downstream.

mod backlog;
mod desk;
mod ended;
mod made;
mod port;
mod promise;
mod replays;
pub mod shelf;
#[cfg(test)]
mod tests;

pub use desk::{Desk, ROTATE_AT, channel};
pub use made::Made;
pub use port::{Begin, Message, NoEnd, Sender, World};
pub use promise::Promise;
pub use shelf::{Nodes, Plan};
