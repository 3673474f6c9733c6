//! A match as its file says, for a command that runs beside the origin: nothing is locked, cut off or written.

use std::io;
use std::path::Path;

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{Document, Offsets, WHOLE_ENTRIES_MAX};
use railbird_core::time::{MediaTime, UtcMs};

use super::{ReadError, disk, read_log, timing};

/// The document of a whole match below `dir` (`data_dir/score`), with the delays that were told of its table; `None` where
/// there is no such match, or it was not started. A last line that is being written does not count.
pub fn on_disk(
    dir: &Path,
    channel: &ChannelId,
    match_id: &MatchId,
    configured: Offsets,
) -> Result<Option<Document>, ReadError> {
    let kept = match read_log(&disk::path(dir, channel, match_id), None) {
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        kept => kept?,
    };
    let timing = timing::Timing::read(dir, channel, configured)?;
    let (revision, accepted) = (kept.accepted.max(timing.changed()), UtcMs(kept.accepted));
    let (of, match_id) = (channel.clone(), match_id.clone());
    Ok(kept.log.document(of, match_id, revision, accepted, WHOLE_ENTRIES_MAX, timing.offsets()))
}

/// The documents of what viewers of a channel see between two moments: the match that goes on at `from`, if there is one, and
/// those that begin by `to`; the newest first.
pub fn shown_on_disk(
    dir: &Path,
    channel: &ChannelId,
    configured: &Offsets,
    (from, to): (MediaTime, MediaTime),
) -> Result<Vec<Document>, ReadError> {
    let listed = |source| ReadError::Io { path: dir.join(channel.as_str()), source };
    let mut shown: Vec<(MediaTime, Document)> = Vec::new();
    for match_id in disk::matches(dir, channel).map_err(listed)? {
        let Some(document) = on_disk(dir, channel, &match_id, configured.clone())? else { continue };
        let Some(begins) = document.entries.first().map(|entry| entry.at).filter(|begins| *begins < to)
        else {
            continue;
        };
        // Of those that began before, only the newest is seen.
        if begins <= from {
            let newer = shown.iter().any(|(other, _)| *other <= from && *other > begins);
            if newer {
                continue;
            }
            shown.retain(|(other, _)| *other > from);
        }
        shown.push((begins, document));
    }
    shown.sort_by_key(|(begins, _)| std::cmp::Reverse(*begins));
    Ok(shown.into_iter().map(|(_, document)| document).collect())
}
