//! Rungs of several origins: each makes them for itself, and the one's gap may be what the other has.
//!
//! A gap that is listed stays one, so it is listed once no other origin that makes the rung may still have something in its
//! place: once each of them has said what it has there, or is too far behind to be waited for.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::line::{append, key, take_figures, take_masks};
use crate::id::RenditionId;
use crate::ladder::BEHIND_MAX;
use crate::state::{Rendition, SEGMENTS_MAX, Segment};
use crate::time::UtcMs;

/// So many of the newest segments of a rung are remembered of each origin: more than any is waited for.
const TOLD_MAX: usize = 4 * GAP_HELD_MAX;

/// So many segments behind a gap may be listed by the one origin before the gap is, whatever the other one has: an encoder that is
/// further behind loses them.
const GAP_HELD_MAX: usize = BEHIND_MAX;

/// What an origin said last of a rung.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) id: RenditionId,
    /// Where the newest segment starts, gap or not.
    up_to: UtcMs,
    /// Where those start that it has, of the newest ones.
    made: Vec<UtcMs>,
}

impl Told {
    pub(super) fn of(rendition: &Rendition) -> Told {
        let segments = &rendition.segments;
        let newest = segments.get(segments.len().saturating_sub(TOLD_MAX)..).unwrap_or_default();
        Told {
            id: rendition.id.clone(),
            up_to: newest.last().map(key).unwrap_or_default(),
            made: newest.iter().filter(|segment| !segment.gap).map(key).collect(),
        }
    }

    /// Whether this origin has something in the place of a gap that starts here, or may have it soon.
    fn may_have(&self, start: UtcMs) -> bool {
        self.up_to < start || self.made.contains(&start)
    }
}

/// What an origin says of a rung that is listed up to the segment that starts at `listed`: up to the first of its newest gaps that
/// must wait for what others, who said this, may have.
pub(super) fn without_gaps<'a>(
    said: &'a Rendition,
    listed: Option<UtcMs>,
    others: &[Told],
) -> Cow<'a, Rendition> {
    let may_come = |segment: &Segment| {
        let start = key(segment);
        segment.gap && Some(start) > listed && others.iter().any(|told| told.may_have(start))
    };
    let from = said.segments.len().saturating_sub(GAP_HELD_MAX);
    let newest = said.segments.get(from..).unwrap_or_default();
    match newest.iter().position(may_come) {
        Some(at) => {
            let mut shorter = said.clone();
            shorter.segments.truncate(from + at);
            Cow::Owned(shorter)
        }
        None => Cow::Borrowed(said),
    }
}

/// Takes over what an origin says of a rung of a channel that has ended: no further than the segment that starts at `last`, the
/// source's last one. An origin that ends the channel without the rung does not wait for it, and the other one still has it.
pub(super) fn close(kept: &mut Rendition, said: &Rendition, bits: &[u32], last: UtcMs) {
    take_masks(kept, said, bits);
    let len = said.segments.partition_point(|segment| key(segment) <= last);
    let some = said.segments.get(..len).unwrap_or_default();
    let newer = kept.segments.last().map(key);
    let more = some.iter().filter(|segment| Some(key(segment)) > newer).count();
    if more == 0 || kept.segments.len() + more > SEGMENTS_MAX {
        return;
    }
    kept.captions.add(said.captions);
    append(kept, some, &said.inits, bits);
    take_figures(kept, said);
}
