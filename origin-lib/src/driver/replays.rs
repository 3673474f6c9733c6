//! The list of a channel's recordings, as the edges get it.

use railbird_core::recording::CHAPTER_SEGMENTS;
use railbird_core::state::{REPLAYS_MAX, Replay};

use super::shelf::{Plan, Shelf};
use crate::journal::Summary;

/// The newest recordings: those that have ended, oldest first, then the one that is being made.
pub(super) fn list<'a>(
    plan: &Plan,
    ended: impl Iterator<Item = &'a Summary>,
    current: Option<&Shelf>,
) -> Vec<Replay> {
    let mut replays: Vec<Replay> = ended.map(|summary| replay(plan, summary)).collect();
    let open = current.filter(|shelf| shelf.reel.ended().is_none());
    replays.extend(open.and_then(open_replay));
    replays.drain(..replays.len().saturating_sub(REPLAYS_MAX));
    replays
}

fn replay(plan: &Plan, summary: &Summary) -> Replay {
    let chapters = (summary.segments as usize).div_ceil(CHAPTER_SEGMENTS);
    Replay {
        recording: summary.recording.clone(),
        title: plan.title.clone(),
        start: summary.start,
        duration: summary.end - summary.start,
        chapters: u32::try_from(chapters).unwrap_or(u32::MAX),
        ended: true,
        matches: Vec::new(),
    }
}

fn open_replay(shelf: &Shelf) -> Option<Replay> {
    let (start, end) = (shelf.reel.start()?, shelf.reel.end()?);
    Some(Replay {
        recording: shelf.recording().clone(),
        title: shelf.plan().title.clone(),
        start,
        duration: end - start,
        chapters: u32::try_from(shelf.chapters()).unwrap_or(u32::MAX),
        ended: false,
        matches: Vec::new(),
    })
}
