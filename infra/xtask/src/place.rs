//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::Run;

/// The folders that commands work in.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The clone.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
    /// What outlives a clone: tools that are slow to build.
    pub(crate) cache: PathBuf,
}

impl Place {
    /// Finds the folders: the clone from this package's manifest, the target directory by asking cargo, the cache from
    /// `RAILBIRD_CACHE`, `XDG_CACHE_HOME` or `HOME`.
    pub(crate) fn find() -> Result<Place> {
        // Cargo sets it for `cargo run`; what was known at build time would be another clone's with a shared target directory.
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).ancestors().nth(2).context("xtask is not in infra/xtask")?.to_owned();
        let cache = cache_dir(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
            .context("no place for tools: set RAILBIRD_CACHE or HOME")?;
        let mut place = Place { root, target: PathBuf::new(), cache };
        let metadata =
            Run::cargo(&place).args(["metadata", "--no-deps", "--format-version", "1"]).output()?;
        place.target =
            target_directory(&metadata).context("cargo metadata names no target_directory")?.into();
        Ok(place)
    }

    /// A path in the clone.
    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The text of `Cargo.lock`.
    pub(crate) fn lock(&self) -> Result<String> {
        let path = self.join("Cargo.lock");
        std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
    }

    /// The `railbird` binary that `cargo build` makes.
    pub(crate) fn railbird(&self) -> PathBuf {
        self.target.join("debug").join("railbird")
    }
}

fn cache_dir(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    var("RAILBIRD_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|dir| dir.join("railbird")))
        .or_else(|| var("HOME").map(|dir| dir.join(".cache").join("railbird")))
}

/// The value of `"target_directory"` in `cargo metadata`'s JSON.
fn target_directory(metadata: &str) -> Option<String> {
    let (_, rest) = metadata.split_once("\"target_directory\":\"")?;
    let (mut text, mut chars) = (String::new(), rest.chars());
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_the_first_that_is_set() {
        let set = |names: &'static [&str]| {
            cache_dir(move |name| names.contains(&name).then(|| PathBuf::from(format!("/{name}"))))
        };
        assert_eq!(set(&["RAILBIRD_CACHE", "XDG_CACHE_HOME", "HOME"]), Some("/RAILBIRD_CACHE".into()));
        assert_eq!(set(&["XDG_CACHE_HOME", "HOME"]), Some("/XDG_CACHE_HOME/railbird".into()));
        assert_eq!(set(&["HOME"]), Some("/HOME/.cache/railbird".into()));
        assert_eq!(set(&[]), None);
    }

    #[test]
    fn the_target_directory_is_read_from_metadata() {
        let json = r#"{"packages":[],"target_directory":"/a \"b\"\\c","version":1}"#;
        assert_eq!(target_directory(json).as_deref(), Some(r#"/a "b"\c"#));
        assert_eq!(target_directory(r#"{"target_directory":"/a"#), None);
        assert_eq!(target_directory("{}"), None);
    }
}
