//! Whole-system tests.
//!
//! The library part holds what more than one kind of test uses: today the [`fuzz`] targets, which run under libFuzzer
//! (`cargo xtask fuzz`) and, over the seeds that are kept in the repository, as ordinary tests.

pub mod fuzz;
