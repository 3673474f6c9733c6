//! Whole-system tests.
//!
//! The library part holds what more than one kind of test uses: the [`fuzz`] targets, which run under libFuzzer
//! (`cargo xtask fuzz`) and, over the seeds that are kept in the repository, as ordinary tests; and the [`fault`] proxy,
//! behind which a target fails as CDNs do; the [`rig`], an origin that is
//! killed and starved under load; and the [`linter`], who reads every playlist that is made of what origins tell.

pub mod fault;
pub mod fuzz;
pub mod linter;
pub mod rig;
