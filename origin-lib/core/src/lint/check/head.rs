//! What describes the playlist as a whole (RFC 8216bis, 4.4.1 to 4.4.3, and 8).

use alloc::format;

use super::super::attributes::Nanos;
use super::super::media::{Control, Media};
use super::super::rule::Findings;
use super::super::rules;

pub(super) fn check(media: &Media, found: &mut Findings) {
    match media.target_s {
        None => found.add(&rules::TARGET_MISSING, 0, "there is no EXT-X-TARGETDURATION"),
        Some(0) => found.add_of(&rules::TAG_VALUE, "4.4.3.1", 0, "EXT-X-TARGETDURATION is 0"),
        Some(_) => {}
    }
    if let Some((line, name)) = media.late_sequence {
        found.add(&rules::SEQUENCE_LATE, line, format!("{name} stands behind what it is about"));
    }
    version(media.version, needed(media), found);
    start(media, found);
    if let Some(control) = &media.control {
        skip(media, control, found);
        hold_back(media, control, found);
    }
}

/// EXT-X-MAP needs less where there are only I-frames.
fn needed(media: &Media) -> (u64, &'static str) {
    match media.needs {
        (6, what) if media.frames_only => (5, what),
        needs => needs,
    }
}

/// `needs` is the least version and what needs it.
pub(in crate::lint) fn version(version: Option<u64>, needs: (u64, &str), found: &mut Findings) {
    let has = version.unwrap_or(1);
    let (least, what) = needs;
    if has < least {
        found.add(&rules::VERSION_LOW, 0, format!("the version is {has}, and {what} needs {least}"));
    } else if has > least {
        found.add(&rules::VERSION_HIGH, 0, format!("the version is {has}, and {least} would do"));
    }
}

fn start(media: &Media, found: &mut Findings) {
    let Some((from_end, offset)) = media.start else { return };
    let duration = media.duration();
    if media.skip.is_some() {
        return;
    }
    if offset > duration {
        found.add(&rules::START_BEYOND, 0, format!("it starts at {offset} of {duration}"));
    } else if !media.ended {
        let to_end = if from_end { offset } else { Nanos(duration.0 - offset.0) };
        if to_end < media.target().times(3) {
            found.add(&rules::START_NEAR_EDGE, 0, format!("it starts {to_end} before the end"));
        }
    }
}

fn skip(media: &Media, control: &Control, found: &mut Findings) {
    match control.skip_until {
        Some(until) if until < media.target().times(6) => {
            let seen = format!("CAN-SKIP-UNTIL is {until}, of a target duration of {}", media.target());
            found.add(&rules::SKIP_UNTIL_SHORT, control.line, seen);
        }
        None if control.skip_ranges => {
            found.add(&rules::SKIP_RANGES_ALONE, control.line, "CAN-SKIP-DATERANGES is there without it");
        }
        _ => {}
    }
}

fn hold_back(media: &Media, control: &Control, found: &mut Findings) {
    if let Some(back) = control.hold_back.filter(|back| *back < media.target().times(3)) {
        found.add(&rules::HOLD_BACK_SHORT, control.line, format!("HOLD-BACK is {back}"));
    }
    if let (Some(back), Some(target)) = (control.part_hold_back, media.part_target) {
        let seen = || format!("PART-HOLD-BACK is {back}, of a part target duration of {target}");
        if back < target.times(2) {
            found.add(&rules::PART_HOLD_BACK_SHORT, control.line, seen());
        } else if back < target.times(3) {
            found.add(&rules::PART_HOLD_BACK_LEAN, control.line, seen());
        }
    }
}
