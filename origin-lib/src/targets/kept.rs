//! `targets.json`: what a person changed at run time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use railbird_core::id::TargetId;
use railbird_core::time::MediaTime;
use serde::{Deserialize, Serialize};

/// The longest file that is read, in bytes.
const LEN_MAX: u64 = 1 << 20;

/// What a person changed at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Targets that were added, each as the text of one `[[target]]`. Secrets are named there, not written.
    pub(super) added: BTreeMap<TargetId, String>,
    /// Targets that were added and don't get what is older.
    #[serde(default)]
    pub(super) since: BTreeMap<TargetId, MediaTime>,
    /// Targets that get nothing new.
    pub(super) draining: BTreeSet<TargetId>,
    /// Targets of the configuration that are not used any more.
    pub(super) removed: BTreeSet<TargetId>,
    /// Where each target was when it was last used: what it acknowledged is there.
    #[serde(default)]
    pub(super) places: BTreeMap<TargetId, String>,
}

impl Kept {
    /// The media time before which a target gets nothing.
    pub(super) fn since_of(&self, id: &TargetId) -> MediaTime {
        self.since.get(id).copied().unwrap_or_default()
    }

    pub(super) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("targets.json")
    }

    pub(super) fn read(data_dir: &Path) -> io::Result<Kept> {
        let path = Kept::path(data_dir);
        let text = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Ok(meta) if meta.len() > LEN_MAX => {
                return Err(io::Error::other("targets.json has more than 1 MiB"));
            }
            _ => fs::read(&path)?,
        };
        let wrong =
            |error| io::Error::other(format!("{}: {error}: mend it, or move it away", path.display()));
        serde_json::from_slice(&text).map_err(wrong)
    }

    pub(super) fn write(&self, data_dir: &Path) -> io::Result<()> {
        let path = Kept::path(data_dir);
        let part = path.with_extension("part");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_data()?;
        fs::rename(part, path)
    }
}
