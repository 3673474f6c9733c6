//! `cargo xtask test`: everything that lands a change has to pass, fast stages first.

use std::cell::Cell;

use anyhow::{Context, Result, bail};

use crate::ahead::Ahead;
use crate::place::Place;
use crate::run::Run;
use crate::setup::{self, Need};
use crate::stages::Stages;
use crate::{edge, fuzz, pad, wasm_check};

/// The two adapters are Wasm only: native commands leave them out, and each is checked for its own target.
const NATIVE: [&str; 5] =
    ["--workspace", "--exclude", "railbird-edge-spin", "--exclude", "railbird-edge-cloudflare"];
const SPIN: [&str; 4] = ["--package", "railbird-edge-spin", "--target", "wasm32-wasip2"];
const WORKER: [&str; 4] = ["--package", "railbird-edge-cloudflare", "--target", "wasm32-unknown-unknown"];

const WASM_TARGETS: [Need; 2] = [Need::Target("wasm32-unknown-unknown"), Need::Target("wasm32-wasip2")];

/// One stage of the test command.
struct Stage {
    name: &'static str,
    what: &'static str,
    needs: &'static [&'static [Need]],
    run: fn(&Test) -> Result<()>,
}

/// In the order in which they run: what fails fast comes first.
const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        what: "rustfmt would change nothing, and neither would cargo in Cargo.lock",
        needs: &[&[Need::Component("rustfmt", "fmt")]],
        run: Test::fmt,
    },
    Stage {
        name: "player",
        what: "the player's types, build and unit tests, and the types of the scorer's pad",
        needs: &[edge::PLAYER_NEEDS],
        run: Test::player,
    },
    Stage {
        name: "cores",
        what: "the no_std cores build for both Wasm targets",
        needs: &[&WASM_TARGETS],
        run: Test::cores,
    },
    Stage {
        name: "clippy",
        what: "no warning, natively and for each adapter's target",
        needs: &[&[Need::Component("clippy", "clippy")], &WASM_TARGETS],
        run: Test::clippy,
    },
    Stage {
        name: "doc",
        what: "the documentation builds without a warning",
        needs: &[&WASM_TARGETS],
        run: Test::doc,
    },
    Stage {
        name: "edge",
        what: "the edge's Wasm and the pad's, their imports and their size",
        needs: &[edge::SPIN_NEEDS, edge::WORKER_NEEDS],
        run: |test| test.edges().and_then(|()| test.build_pad()).and_then(|()| wasm_check::run(&test.place)),
    },
    Stage {
        name: "tests",
        what: "unit, property, golden, contract, browser and fault tests",
        needs: &[
            edge::SPIN_NEEDS,
            edge::WORKER_NEEDS,
            edge::PLAYER_NEEDS,
            &[
                Need::Nextest,
                Need::Npm("tests/browser"),
                Need::Ffmpeg,
                Need::Chromium,
                Need::Garage,
                Need::FakeTime,
                Need::SrtTools,
                Need::NginxRtmp,
            ],
        ],
        run: Test::tests,
    },
    Stage {
        name: "doctests",
        what: "the examples in the documentation",
        needs: &[],
        run: |test| test.cargo(&[&["test", "--doc", "--quiet"], &NATIVE[..]].concat()),
    },
    Stage {
        name: "fuzz",
        what: "every fuzz target, briefly",
        needs: &[fuzz::NEEDS],
        run: |test| fuzz::test(&test.place),
    },
];

/// The stages and what they are, a line each.
pub(crate) fn stage_list() -> String {
    let lines: Vec<String> =
        STAGES.iter().map(|stage| format!("  {:10} {}", stage.name, stage.what)).collect();
    lines.join("\n")
}

/// Everything that any stage needs.
pub(crate) fn all_needs() -> Vec<Need> {
    STAGES.iter().flat_map(|stage| stage.needs.concat()).collect()
}

/// A run of the test command.
struct Test {
    place: Place,
    /// For cargo nextest: which tests, where not all.
    nextest: Vec<String>,
    edges_built: Cell<bool>,
    /// The build of both edges, where it began before its stage.
    edges_ahead: Cell<Option<Ahead>>,
    player_built: Cell<bool>,
    pad_built: Cell<bool>,
    /// nextest's last line of counts.
    summary: Cell<Option<String>>,
}

/// Runs the stages that `args` name, or all.
pub(crate) fn run(place: &Place, args: &[&str]) -> Result<()> {
    let (names, nextest) = match args.iter().position(|arg| *arg == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[][..]),
    };
    let chosen = choose(names)?;
    if !nextest.is_empty() && !chosen.iter().any(|stage| stage.name == "tests") {
        bail!("what follows -- is for the stage `tests`, which is not among those chosen");
    }
    let test = Test {
        place: place.clone(),
        nextest: nextest.iter().map(ToString::to_string).collect(),
        edges_built: Cell::new(false),
        edges_ahead: Cell::new(None),
        player_built: Cell::new(false),
        pad_built: Cell::new(false),
        summary: Cell::new(None),
    };
    let mut stages = Stages::default();
    let needs: Vec<Need> = chosen.iter().flat_map(|stage| stage.needs.concat()).collect();
    stages.stage("setup", || setup::needs(place, &needs));
    let edge_follows = chosen.iter().any(|stage| stage.name == "edge");
    for stage in chosen {
        stages.stage(stage.name, || {
            if stage.name == "clippy" && edge_follows {
                test.edges_ahead.set(Some(Ahead::start(&test.place, "build-edge")?));
            }
            (stage.run)(&test)
        });
    }
    drop(test.edges_ahead.take());

    eprintln!("\n{}", stages.table());
    if let Some((name, error)) = stages.failure() {
        let again = if name == "setup" { "setup".to_owned() } else { format!("test {name}") };
        eprintln!("stage {name} failed: {error:#}\n\nTo repeat it: cargo xtask {again}\n");
    }
    if let Some(summary) = test.summary.take() {
        eprintln!("{}", summary.trim());
    }
    // The last line, on standard output.
    println!("{}", stages.counts());
    if stages.failure().is_some() {
        // The error was told above.
        std::process::exit(1);
    }
    Ok(())
}

fn choose(names: &[&str]) -> Result<Vec<&'static Stage>> {
    for name in names {
        if !STAGES.iter().any(|stage| stage.name == *name) {
            bail!("there is no stage {name:?}; there are:\n{}", stage_list());
        }
    }
    Ok(STAGES.iter().filter(|stage| names.is_empty() || names.contains(&stage.name)).collect())
}

impl Test {
    fn cargo(&self, args: &[&str]) -> Result<()> {
        Run::cargo(&self.place).args(args).go()
    }

    fn fmt(&self) -> Result<()> {
        self.cargo(&["fmt", "--all", "--check"])?;
        Run::cargo(&self.place).args(["metadata", "--locked", "--format-version", "1"]).output().map(drop)
    }

    fn player(&self) -> Result<()> {
        Run::npm(&self.place, "edge/player").args(["run", "--silent", "check"]).go()?;
        pad::check_types(&self.place)?;
        self.build_player()?;
        Run::npm(&self.place, "edge/player").args(["run", "--silent", "test"]).go()
    }

    fn cores(&self) -> Result<()> {
        for target in ["wasm32-unknown-unknown", "wasm32-wasip2"] {
            self.cargo(&[
                "check",
                "--package",
                "railbird-core",
                "--package",
                "railbird-pad",
                "--package",
                "railbird-edge",
                "--target",
                target,
            ])?;
        }
        Ok(())
    }

    fn clippy(&self) -> Result<()> {
        let warnings = ["--", "-D", "warnings"];
        self.cargo(&[&["clippy", "--all-targets"], &NATIVE[..], &warnings].concat())?;
        self.cargo(&[&["clippy", "--lib", "--examples"], &SPIN[..], &warnings].concat())?;
        self.cargo(&[&["clippy", "--lib"], &pad::PACKAGE[..], &warnings].concat())?;
        self.cargo(&[&["clippy"], &WORKER[..], &warnings].concat())
    }

    fn doc(&self) -> Result<()> {
        for packages in [&NATIVE[..], &SPIN, &WORKER, &pad::PACKAGE] {
            let doc = Run::cargo(&self.place).env("RUSTDOCFLAGS", "-D warnings");
            doc.args(["doc", "--no-deps", "--quiet"]).args(packages).go()?;
        }
        Ok(())
    }

    /// Builds both edges, once a run.
    fn edges(&self) -> Result<()> {
        if let Some(ahead) = self.edges_ahead.take() {
            ahead.join()?;
            self.edges_built.set(true);
        }
        if !self.edges_built.replace(true) {
            edge::build_spin_and_faults(&self.place)?;
            edge::build_worker(&self.place)?;
        }
        Ok(())
    }

    /// Builds the player, once a run.
    fn build_player(&self) -> Result<()> {
        if !self.player_built.replace(true) {
            edge::build_player(&self.place)?;
        }
        Ok(())
    }

    /// Builds the scorer's pad, once a run.
    fn build_pad(&self) -> Result<()> {
        if !self.pad_built.replace(true) {
            pad::build(&self.place)?;
        }
        Ok(())
    }

    /// Builds what system tests run, tells them where it is, and runs nextest.
    fn tests(&self) -> Result<()> {
        self.edges()?;
        self.build_player()?;
        self.build_pad()?;
        // With the tests' own selection of features, so that nothing is built twice.
        self.cargo(&[&["build", "--bins", "--lib", "--tests"], &NATIVE[..]].concat())?;
        let chromium = setup::chromium().context("Chromium was there a moment ago")?;
        let nextest = Run::cargo(&self.place)
            .env("RAILBIRD_EDGE_COMPONENT", edge::component(&self.place))
            .env("RAILBIRD_PAD", pad::dir(&self.place))
            .env("RAILBIRD_FAULTS_COMPONENT", edge::faults_component(&self.place))
            .env("CHROMIUM", chromium)
            .env("GARAGE", setup::garage(&self.place)?)
            .env("FAKETIME_LIBRARY", setup::fake_time()?)
            // An error says where it comes from by its words; stacks would only hide them.
            .env("RUST_LIB_BACKTRACE", "0")
            .args(["nextest", "run", "--profile", "ci"])
            .args(NATIVE)
            .args(&self.nextest);
        let summary = nextest.go_finding(|line| line.contains("Summary ["))?;
        self.summary.set(summary);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_run_in_their_own_order_and_unknown_ones_are_errors() {
        let names =
            |asked: &[&str]| -> Vec<&str> { choose(asked).unwrap().iter().map(|stage| stage.name).collect() };
        assert_eq!(names(&["fuzz", "fmt"]), ["fmt", "fuzz"]);
        assert_eq!(names(&[]).len(), STAGES.len());
        assert!(choose(&["no"]).is_err());
    }
}
