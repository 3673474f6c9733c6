//! Other scoring systems: their whole state, read from JSON of theirs, and the events that lead to it from our log.
//!
//! | room | decides |
//! | --- | --- |
//! | `mapping` | where their JSON has what we ask of it |
//! | `difference` | which events lead from our score to theirs |

mod difference;
mod mapping;

pub use self::difference::{EPOCH, EVENTS_MAX, Unreached, events};
pub use self::mapping::{LEN_MAX, Mapping, NoPointer, POINTER_LEN_MAX, Pointer, Seen, Unread};
