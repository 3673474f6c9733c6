//! Where Railbird's own playlists do not keep to a rule, and why. Everything else that is found in them is a fault.

use alloc::vec::Vec;

use super::rule::{Finding, Rule};
use super::rules;

/// Each rule with the reason; the table of them in `infra/LINT.md` is made of this.
pub static OURS: &[(&Rule, &str)] = &[
    (
        &rules::VERSION_HIGH,
        "A playlist says 7 where 6 would do, which players of fMP4 expect, and 9 in low latency, where delta updates have it.",
    ),
    (
        &rules::SEGMENT_MOVED,
        "When a node fails, the next load has the same objects, byte for byte, at another one: any player goes on, also one that knows no content steering.",
    ),
    (
        &rules::TYPE_CHANGED,
        "A recording is of type EVENT while it is made, and of type VOD when it has ended and nothing of it can change any more.",
    ),
    (
        &rules::PARTS_UNHINTED,
        "A channel without `preload_hints` does not hint: its parts lie at object stores, which answer at once that they are not there.",
    ),
    (
        &rules::PART_REMOVED,
        "Where a segment overtakes a part of its own, all of its parts go, and where no part comes for half a minute, all of them: who has not played the segment takes it whole.",
    ),
    (
        &rules::PART_OLD,
        "Parts go when a segment is added, and not with each part: behind a short segment, those of one more stay until then.",
    ),
    (
        &rules::HINT_BROKEN,
        "Where an encoder breaks off, the part that was hinted at never comes: what follows is another one, behind a discontinuity.",
    ),
    (
        &rules::OVER_BANDWIDTH,
        "BANDWIDTH is the most that was measured until somebody asked: an encoder may send more afterwards.",
    ),
    (&rules::FRAME_RATE_MISSING, "A frame rate that the encoder's parameters do not tell is not made up."),
    (
        &rules::RENDITION_CONTROL,
        "The score's subtitles have no parts, and their playlist is not held for the next segment; in low latency its EXT-X-SERVER-CONTROL is another one.",
    ),
    (
        &rules::RENDITION_UNREPORTED,
        "There are reports of renditions with parts only, not of the score's subtitles.",
    ),
];

/// Whether a finding is among [`OURS`].
pub fn is_known(finding: &Finding) -> bool {
    OURS.iter().any(|(rule, _)| *rule == finding.rule)
}

/// What of the findings is not among [`OURS`].
pub fn unexpected(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().filter(|finding| !is_known(finding)).collect()
}
