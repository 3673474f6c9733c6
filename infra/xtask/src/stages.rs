//! Stages: timed, in order, up to the first that fails; then a table of what became of each.

use std::time::{Duration, Instant};

use anyhow::Result;

/// What became of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

/// Runs named stages one after another.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    done: Vec<(&'static str, Outcome)>,
    error: Option<anyhow::Error>,
}

impl Stages {
    /// Runs a stage, unless one before it failed.
    pub(crate) fn stage(&mut self, name: &'static str, run: impl FnOnce() -> Result<()>) {
        if self.error.is_some() {
            self.done.push((name, Outcome::NotRun));
            return;
        }
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = run();
        let took = start.elapsed();
        match result {
            Ok(()) => {
                eprintln!("== {name}: passed in {}", seconds(took));
                self.done.push((name, Outcome::Passed(took)));
            }
            Err(error) => {
                eprintln!("== {name}: FAILED after {}", seconds(took));
                self.done.push((name, Outcome::Failed(took)));
                self.error = Some(error);
            }
        }
    }

    /// The name and the error of the stage that failed.
    pub(crate) fn failure(&self) -> Option<(&'static str, &anyhow::Error)> {
        let failed = self.done.iter().find(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))?;
        Some((failed.0, self.error.as_ref()?))
    }

    /// A line for each stage.
    pub(crate) fn table(&self) -> String {
        let width = self.done.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let line = |(name, outcome): &(&str, Outcome)| match outcome {
            Outcome::Passed(took) => format!("  {name:width$}  passed   {:>8}\n", seconds(*took)),
            Outcome::Failed(took) => format!("  {name:width$}  FAILED   {:>8}\n", seconds(*took)),
            Outcome::NotRun => format!("  {name:width$}  not run\n"),
        };
        self.done.iter().map(line).collect()
    }

    /// `12 passed, 0 failed`, and how many did not run where that is not none.
    pub(crate) fn counts(&self) -> String {
        let count = |is: fn(&Outcome) -> bool| self.done.iter().filter(|(_, outcome)| is(outcome)).count();
        let passed = count(|outcome| matches!(outcome, Outcome::Passed(_)));
        let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
        format!("{passed} passed, {failed} failed")
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_after_a_failure_do_not_run_and_are_named() {
        let mut stages = Stages::default();
        stages.stage("one", || Ok(()));
        stages.stage("two", || anyhow::bail!("no"));
        stages.stage("three", || unreachable!());
        let (name, error) = stages.failure().unwrap();
        assert_eq!((name, error.to_string().as_str()), ("two", "no"));
        assert_eq!(stages.counts(), "1 passed, 1 failed");
        let table = stages.table();
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0][..2], ["one", "passed"]);
        assert_eq!(words[1][..2], ["two", "FAILED"]);
        assert_eq!(words[2], ["three", "not", "run"]);
    }
}
