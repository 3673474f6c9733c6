//! The desk between the feeds and the world: which objects exist, which target has them, and what the edge is told.
//!
//! Feeds hand finished objects to the [`crate::spool`]; from the disk they come here, go to every target's queue, and
//! their acknowledgements come back. One task owns every channel's book; nothing here waits for anything downstream.

mod desk;
mod made;

pub use desk::{Desk, Message, Sender};
pub use made::Made;
