//! Running other programs: shown before they start, and again, with what became of them, when they fail.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::place::Place;

/// What `cargo run` sets for us and must not reach what we start: a build would see values that are not its own.
const OURS: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// A program about to run.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
}

impl Run {
    /// Any program, in the folder where we were started.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Run {
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            if OURS.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        Run { command }
    }

    /// The cargo that started us, in the clone.
    pub(crate) fn cargo(place: &Place) -> Run {
        Run::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).dir(&place.root)
    }

    /// npm, in a folder of the clone.
    pub(crate) fn npm(place: &Place, dir: &str) -> Run {
        Run::new("npm").dir(place.join(dir))
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Run {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Run {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Run {
        self.command.current_dir(dir);
        self
    }

    /// Runs it with our standard streams.
    pub(crate) fn go(mut self) -> Result<()> {
        self.announce();
        let status = self.command.status().with_context(|| self.cannot())?;
        self.check(status)
    }

    /// Runs it with our standard streams, its standard error line by line, and returns the last line of that which
    /// `wanted` picks.
    pub(crate) fn go_finding(mut self, wanted: fn(&str) -> bool) -> Result<Option<String>> {
        self.announce();
        let mut child = self.command.stderr(Stdio::piped()).spawn().with_context(|| self.cannot())?;
        let mut found = None;
        if let Some(stderr) = child.stderr.take() {
            for line in BufReader::new(stderr).split(b'\n') {
                let line = line?;
                io::stderr().write_all(&line)?;
                io::stderr().write_all(b"\n")?;
                found =
                    Some(String::from_utf8_lossy(&line).into_owned()).filter(|line| wanted(line)).or(found);
            }
        }
        let status = child.wait()?;
        self.check(status).map(|()| found)
    }

    /// Runs it with both outputs going to a file.
    pub(crate) fn logged(mut self, log: File) -> Result<()> {
        let streams = log.try_clone()?;
        self.command.stdin(Stdio::null()).stdout(streams).stderr(log);
        let status = self.command.status().with_context(|| self.cannot())?;
        self.check(status)
    }

    /// Starts it, with both outputs going to a file.
    pub(crate) fn beside(mut self, log: File) -> Result<Child> {
        let streams = log.try_clone()?;
        self.command.stdin(Stdio::null()).stdout(streams).stderr(log);
        self.command.spawn().with_context(|| self.cannot())
    }

    /// Runs it silently and returns its standard output; on failure, the error has both outputs.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.stdin(Stdio::null()).output().with_context(|| self.cannot())?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        if let Err(error) = self.check(output.status) {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("{error}\n{}\n{}", stdout.trim_end(), stderr.trim_end());
        }
        Ok(stdout.trim().to_owned())
    }

    /// Becomes it; returns only when that fails.
    pub(crate) fn exec(mut self) -> Result<()> {
        let error = self.command.exec();
        Err(error).with_context(|| self.cannot())
    }

    fn announce(&self) {
        eprintln!("$ {}", self.shown());
    }

    fn cannot(&self) -> String {
        format!("can't start: {}", self.shown())
    }

    fn check(&self, status: ExitStatus) -> Result<()> {
        if status.success() { Ok(()) } else { bail!("{status} of: {}", self.shown()) }
    }

    /// The command as one would type it, with its folder and what it adds to the environment.
    fn shown(&self) -> String {
        let mut text = String::new();
        let here = env::current_dir().ok();
        if let Some(dir) = self.command.get_current_dir().filter(|dir| Some(*dir) != here.as_deref()) {
            text = format!("cd {} && ", quoted(dir.as_os_str()));
        }
        for (name, value) in self.command.get_envs() {
            let Some(value) = value else { continue };
            // Whoever repeats the command has a PATH.
            let own = env::var(name).ok().filter(|own| name == "PATH" && !own.is_empty());
            let front = own.and_then(|own| value.to_str()?.strip_suffix(&own).map(str::to_owned));
            text += &match front {
                Some(front) => format!("PATH={}$PATH ", quoted(front.as_ref())),
                None => format!("{}={} ", name.to_string_lossy(), quoted(value)),
            };
        }
        let program = Path::new(self.command.get_program());
        // The toolchain's own path says nothing to whoever would type `cargo`.
        let cargo = program.file_name().filter(|name| *name == "cargo");
        text += &quoted(cargo.unwrap_or(program.as_os_str()));
        for arg in self.command.get_args() {
            text += " ";
            text += &quoted(arg);
        }
        text
    }
}

/// A word for a POSIX shell.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The first executable of this name in `PATH`.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runs =
        |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let run = Run::new("cc").args(["-o", "a b", "it's", ""]).env("X", "1 2").dir("/tmp").env_remove("Y");
        assert_eq!(run.shown(), r"cd /tmp && X='1 2' cc -o 'a b' 'it'\''s' ''");
    }

    #[test]
    fn a_failure_names_the_command_and_has_its_output() {
        let error = Run::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]).output().unwrap_err();
        let text = format!("{error:#}");
        for part in ["exit status: 3", "sh -c", "\nout\n", "err"] {
            assert!(text.contains(part), "{text}");
        }
        let error = Run::new("no-such-program-here").output().unwrap_err();
        assert!(format!("{error:#}").starts_with("can't start: no-such-program-here"), "{error:#}");
    }

    #[test]
    fn a_wanted_line_of_standard_error_is_kept() {
        let script = "echo 'Summary 1' >&2; echo 'Summary 2' >&2; echo end >&2";
        let found = Run::new("sh").args(["-c", script]).go_finding(|line| line.contains("Summary")).unwrap();
        assert_eq!(found.as_deref(), Some("Summary 2"));
    }
}
