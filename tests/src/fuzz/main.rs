//! The libFuzzer binary: runs the one of [`railbird_tests::fuzz::TARGETS`] that `RAILBIRD_FUZZ_TARGET` names.
//!
//! `cargo xtask fuzz` builds it with coverage instrumentation, asks it for the `list` of targets, and gives it seeds and
//! bounds.

#![no_main]

use std::sync::OnceLock;

use railbird_tests::fuzz::{self, Target};

/// The environment variable that names the target.
const TARGET_VAR: &str = "RAILBIRD_FUZZ_TARGET";

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn chosen() -> &'static Target {
    let name = std::env::var(TARGET_VAR).unwrap_or_default();
    if name == "list" {
        for target in fuzz::TARGETS {
            println!("{} {}", target.name, target.len_max);
        }
        std::process::exit(0);
    }
    fuzz::target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = fuzz::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("{TARGET_VAR}={name:?} is no fuzz target; there are: {}", names.join(", "));
        std::process::exit(2);
    })
}

libfuzzer_sys::fuzz_target!(
    init: {
        TARGET.get_or_init(chosen);
    },
    |input: &[u8]| (TARGET.get_or_init(chosen).run)(input)
);
