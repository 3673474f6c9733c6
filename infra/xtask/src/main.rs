//! Railbird's developer commands. `cargo xtask help` lists them.

mod ahead;
mod bench;
mod demo;
mod edge;
mod fuzz;
mod lock;
mod pad;
mod place;
mod run;
mod setup;
mod soak;
mod stages;
mod test;
mod wasm_check;
mod wasm_imports;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::place::Place;

const USAGE: &str = "\
cargo xtask <command>

  demo [args…]              set up what is missing, build, run the demo (`demo --help` lists its flags)
  test [stage…] [-- args…]  set up what is missing, run every stage, or those named; args go to cargo nextest
  setup                     only set up what `test` needs
  build-edge [spin|worker]  build the edge's Wasm; both without a name
  build-pad                 build the scorer's pad, and print the directory to serve
  fuzz [target] [--runs N | --seconds N] [--input FILE]
                            fuzz every target, or one; with --input, feed that one file to the target
  bench [name]              print the figures, all or one: wasm, packaging, edge, memory, delivery, micro (args go
                            to criterion)
  soak [--minutes N] [--seed S]
                            channels under faults, kills and restarts; prints what was lost and memory over time
  help                      this text";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match command(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command(args: &[&str]) -> Result<()> {
    let Some((command, rest)) = args.split_first() else { bail!("which command?\n\n{USAGE}") };
    match *command {
        "help" | "--help" | "-h" => {
            println!("{USAGE}\n\nStages of `test`, in order:\n{}", test::stage_list());
            Ok(())
        }
        "demo" => demo::run(&Place::find()?, rest),
        "test" => test::run(&Place::find()?, rest),
        "setup" => setup::all(&Place::find()?),
        "build-edge" => edge::run(&Place::find()?, rest),
        "build-pad" => {
            let place = Place::find()?;
            setup::needs(&place, pad::NEEDS)?;
            pad::build(&place)?;
            println!("{}", pad::dir(&place).display());
            Ok(())
        }
        "fuzz" => fuzz::run(&Place::find()?, rest),
        "bench" => bench::run(&Place::find()?, rest),
        "soak" => soak::run(&Place::find()?, rest),
        other => bail!("there is no command {other:?}\n\n{USAGE}"),
    }
}
