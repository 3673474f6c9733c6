//! A wall clock that a test sets for an origin, in a file that libfaketime reads.

use std::path::{Path, PathBuf};

use anyhow::Context;

pub(crate) struct WallClock {
    file: PathBuf,
    library: String,
}

impl WallClock {
    /// One that is right at first, with its file in this directory.
    pub(crate) fn at(dir: &Path) -> anyhow::Result<WallClock> {
        let library = std::env::var("FAKETIME_LIBRARY");
        let library =
            library.context("FAKETIME_LIBRARY is not set: `cargo xtask` installs libfaketime and sets it")?;
        let clock = WallClock { file: dir.join("wall-clock"), library };
        clock.set_off_by("+0")?;
        Ok(clock)
    }

    /// The file, which holds how far the clock is off the true one.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The variables by which a program goes by it.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }

    /// How far it is off the true one, such as `+1h`.
    pub(crate) fn set_off_by(&self, offset: &str) -> anyhow::Result<()> {
        // By a rename: a half-written file would be another step.
        let next = self.file.with_extension("next");
        std::fs::write(&next, offset)?;
        Ok(std::fs::rename(next, &self.file)?)
    }
}
