//! `railbird score`: a scorer's program for a terminal, and the import of matches that were kept elsewhere.
//!
//! | room | decides |
//! | --- | --- |
//! | `desk` | what is entered, waits, was lost to another scorer or has to move; no I/O |
//! | `words` | what a typed line says; no I/O |
//! | `show` | how the score looks on a line |
//! | `outbox` | the file that keeps what was entered |
//! | `origin` | requests to the score API |
//! | `seat` | all of these at work |
//! | `terms` | the rules of a match, as flags |
//! | `import` | a CSV or JSON file's events (`railbird_core::score::table`), brought to the origin |
//! | `command` | the command line |

pub mod command;
pub mod desk;
pub mod import;
pub mod origin;
pub mod outbox;
mod seat;
pub mod show;
pub mod terms;
pub mod words;

#[cfg(test)]
mod tests;
