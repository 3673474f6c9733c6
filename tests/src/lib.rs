//! Whole-system tests.
//!
//! The library part holds what more than one kind of test uses: the [`fuzz`] targets, which run under libFuzzer
//! (`cargo xtask fuzz`) and, over the seeds that are kept in the repository, as ordinary tests; and the [`fault`] proxy,
//! behind which a target fails as CDNs do.

pub mod fault;
pub mod fuzz;
