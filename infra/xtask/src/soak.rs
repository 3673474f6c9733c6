//! `cargo xtask soak`: builds what the soak needs, and runs it.

use anyhow::Result;

use crate::place::Place;
use crate::run::Run;
use crate::setup::{self, Need};

/// `cargo xtask soak [--minutes N] [--seed S]`.
pub(crate) fn run(place: &Place, args: &[&str]) -> Result<()> {
    setup::needs(place, &[Need::Ffmpeg, Need::Garage])?;
    // The development profile, as the tests: what leaks in one leaks in the other.
    let packages = ["--package", "railbird-origin", "--package", "railbird-tests"];
    Run::cargo(place).args(["build", "--bins"]).args(packages).go()?;
    let built = place.target.join("debug");
    Run::new(built.join("soak"))
        .env("GARAGE", setup::garage(place)?)
        .arg("--railbird")
        .arg(built.join("railbird"))
        .args(args)
        .go()
}
