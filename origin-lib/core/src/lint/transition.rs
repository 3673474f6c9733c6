//! Two loads of one media playlist, one after the other (RFC 8216bis, 6.2.1 and 6.2.2).
//!
//! Both are whole: a delta update is put in place first ([`super::delta::apply`]).

mod parts;
mod ranges;
mod segments;

use alloc::format;
use alloc::vec::Vec;

use super::attributes::Nanos;
use super::media::{Control, Media, Mutability};
use super::rule::{Finding, Findings};
use super::rules;

pub(super) use self::ranges::consolidated;
pub(super) use self::segments::dated;

/// What is wrong with the step from one load to the next.
pub fn check(before: &Media, after: &Media) -> Vec<Finding> {
    let mut found = Findings::default();
    let is_vod = before.mutability == Some(Mutability::Vod);
    if is_vod && differs(before, after) {
        found.add(&rules::VOD_CHANGED, 0, "a playlist of type VOD has changed");
        return found.0;
    }
    head(before, after, &mut found);
    if goes_back(before, after, &mut found) {
        return found.0;
    }
    removed(before, after, &mut found);
    if segments::check(before, after, &mut found) {
        parts::check(before, after, &mut found);
    }
    ranges::check(before, after, &mut found);
    found.0
}

/// What is wrong where a live playlist has been without a new segment for so long. `slack` is what asking takes.
pub fn overdue(media: &Media, waited: Nanos, slack: Nanos) -> Option<Finding> {
    let most = Nanos(media.target().0 / 2 * 3);
    let mut found = Findings::default();
    if !media.ended && media.target_s.is_some() && waited > most.plus(slack) {
        found.add(&rules::UPDATE_LATE, 0, format!("there is no new segment since {waited}"));
    }
    found.0.pop()
}

fn differs(before: &Media, after: &Media) -> bool {
    let ids = |media: &Media| media.ranges.iter().map(|range| range.id.clone()).collect::<Vec<_>>();
    let shape = |media: &Media| (media.msn(), media.segments.len(), media.mutability, media.ended);
    shape(before) != shape(after) || ids(before) != ids(after)
}

fn head(before: &Media, after: &Media, found: &mut Findings) {
    if before.target_s != after.target_s {
        let seen = format!("the target duration was {} and is {}", before.target(), after.target());
        found.add(&rules::TARGET_CHANGED, 0, seen);
    }
    if before.mutability != after.mutability {
        let seen = format!("EXT-X-PLAYLIST-TYPE was {:?} and is {:?}", before.mutability, after.mutability);
        found.add(&rules::TYPE_CHANGED, 0, seen);
    }
    if after.ended {
        return;
    }
    if before.part_target != after.part_target {
        found.add(&rules::PART_TARGET_CHANGED, 0, "PART-TARGET is not what it was");
    }
    if !same_control(before.control.as_ref(), after.control.as_ref()) {
        found.add(&rules::CONTROL_CHANGED, 0, "EXT-X-SERVER-CONTROL is not what it was");
    }
}

pub(super) fn same_control(one: Option<&Control>, other: Option<&Control>) -> bool {
    let bare = |control: Option<&Control>| Control { line: 0, ..control.cloned().unwrap_or_default() };
    bare(one) == bare(other)
}

fn goes_back(before: &Media, after: &Media, found: &mut Findings) -> bool {
    let (was, is) = (before.msn(), after.msn());
    let discontinuity = |media: &Media| media.first_discontinuity.unwrap_or(0);
    if is < was {
        found.add(&rules::SEQUENCE_BACK, 0, format!("EXT-X-MEDIA-SEQUENCE was {was} and is {is}"));
        return true;
    }
    if discontinuity(after) < discontinuity(before) {
        found.add(&rules::SEQUENCE_BACK, 0, "EXT-X-DISCONTINUITY-SEQUENCE is less than it was");
        return true;
    }
    if after.next_msn() < before.next_msn() {
        let seen = format!("the last segment was {} and is {}", before.next_msn(), after.next_msn());
        found.add(&rules::PLAYLIST_SHRANK, 0, seen);
        return true;
    }
    let grew = after.next_msn() > before.next_msn();
    if before.ended && (grew || !after.ended) {
        found.add(&rules::ENDED_CHANGED, 0, "the playlist had ended, and goes on");
    }
    false
}

fn removed(before: &Media, after: &Media, found: &mut Findings) {
    let count = after.msn() - before.msn();
    if count == 0 || after.segments.is_empty() {
        return;
    }
    if before.mutability.is_some() {
        found.add(&rules::TYPED_REMOVED, 0, format!("{count} segments are removed"));
    }
    let left = after.duration();
    if !after.ended && left < after.target().times(3) {
        found.add(&rules::REMOVED_TOO_MUCH, 0, format!("{count} segments are removed, and {left} are left"));
    }
}

/// The last piece of a URI's path: what a resource is called, wherever it is.
pub(super) fn name(uri: &str) -> &str {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}
