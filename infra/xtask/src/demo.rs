//! `cargo xtask demo`: builds what the demo is made of and becomes `railbird demo`.

use anyhow::Result;

use crate::edge;
use crate::pad;
use crate::place::Place;
use crate::run::Run;
use crate::setup;

/// Sets up, builds, runs; `args` go to `railbird demo`.
pub(crate) fn run(place: &Place, args: &[&str]) -> Result<()> {
    setup::needs(place, &[edge::SPIN_NEEDS, edge::PLAYER_NEEDS, pad::NEEDS].concat())?;
    edge::build_player(place)?;
    edge::build_spin(place)?;
    pad::build(place)?;
    Run::cargo(place).args(["build", "--package", "railbird-origin", "--bin", "railbird"]).go()?;
    Run::new(place.railbird())
        .arg("demo")
        .arg("--component")
        .arg(edge::component(place))
        .arg("--assets")
        .arg(edge::player_dir(place))
        .arg("--pad")
        .arg(pad::dir(place))
        .args(args)
        .exec()
}
