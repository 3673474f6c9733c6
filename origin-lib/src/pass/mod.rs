//! Passes, as the operator's command line sees them: made here, kept at the edges.
//!
//! [`order`] is what somebody asked for, and makes a pass of it; [`table`] reads orders from a CSV file and writes passes
//! into one; [`door`] speaks with an edge; [`command`] is `railbird pass …`.

pub mod command;
pub mod door;
pub mod order;
pub mod table;

pub use door::Door;
pub use order::Order;
