//! Which header a segment belongs to that comes in a request of its own: that of the same name, or the one whose name is most
//! like its own.
//!
//! Interface 1 of DASH-IF's live media ingest has all of a track go to one path (`Streams(video.cmfv)`). Packagers that write
//! files name them by a template: `init-stream0.m4s` and `chunk-stream0-00001.m4s`, `video/init.mp4` and `video/7.m4s`.

use core::cmp::Reverse;

/// How like a header's name is a segment's: the more the greater. Names are paths below the channel's.
pub(super) fn likeness(header: &str, segment: &str) -> impl Ord + use<> {
    let shared = |word: &str| words(header).any(|of| of == word);
    let count = words(segment).filter(|word| shared(word)).count();
    // A number that comes first is a track's, one that comes later a segment's.
    let first = words(segment).position(shared);
    (header == segment, count, Reverse(first))
}

/// Whether two names are the same but for their last number, the extension aside: those of two segments of a track.
pub(super) fn in_series(one: &str, other: &str) -> bool {
    let (one, other) = (around_number(one), around_number(other));
    one.is_some() && one == other
}

/// Whether a name's last number is greater than another's.
pub(super) fn is_after(name: &str, other: &str) -> bool {
    let number = |name| {
        let (_, number, _) = split_number(name)?;
        let digits = number.trim_start_matches('0');
        Some((digits.len(), digits))
    };
    number(name) > number(other)
}

/// What stands before and behind the last number of a name.
fn around_number(name: &str) -> Option<(&str, &str)> {
    split_number(name).map(|(before, _, behind)| (before, behind))
}

/// The last number of a name, the extension aside, between what stands before and behind it.
fn split_number(name: &str) -> Option<(&str, &str, &str)> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let begin = stem.get(..end)?.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    Some((name.get(..begin)?, name.get(begin..end)?, name.get(end..)?))
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_their_last_number_are_a_series() {
        for (one, other, expected) in [
            ("seg-1.mp4", "seg-20.mp4", true),
            ("a0-1.m4s", "a0-2.m4s", true),
            ("a0-1.m4s", "a1-1.m4s", false),
            ("7", "8", true),
            ("video.mp4", "video.mp4", false),
            ("v1/x.mp4", "v2/x.mp4", true),
            ("1.m4s", "1.mp4", false),
        ] {
            assert_eq!(in_series(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_last_number_of_a_name_tells_what_is_after_what() {
        for (name, other, expected) in [
            ("seg-10.mp4", "seg-9.mp4", true),
            ("seg-010.mp4", "seg-9.mp4", true),
            ("seg-9.mp4", "seg-9.mp4", false),
            ("seg-9.mp4", "seg-0010.mp4", false),
            ("99999999999999999999999.mp4", "99999999999999999999998.mp4", true),
            ("1", "init", true),
            ("init", "init", false),
        ] {
            assert_eq!(is_after(name, other), expected, "{name} {other}");
        }
    }

    #[test]
    fn a_segment_goes_with_the_header_whose_name_is_most_like_its_own() {
        for (segment, header, other) in [
            ("Streams(video.cmfv)", "Streams(video.cmfv)", "Streams(audio.cmfa)"),
            ("chunk-stream0-00001.m4s", "init-stream0.m4s", "init-stream1.m4s"),
            ("chunk-stream1-00000.m4s", "init-stream1.m4s", "init-stream0.m4s"),
            ("video/7.m4s", "video/init.mp4", "audio/init.mp4"),
            ("out_0_1.m4s", "init_0.mp4", "init_1.mp4"),
            ("out_1_0.m4s", "init_1.mp4", "init_0.mp4"),
            ("7.m4s", "init.m4s", "init.mp4"),
        ] {
            assert!(likeness(header, segment) > likeness(other, segment), "{segment}");
        }
        for (segment, header, other) in [("7.m4s", "a.mp4", "b.mp4"), ("x/7.mp4", "a/init.mp4", "b/init.mp4")]
        {
            assert!(likeness(header, segment) == likeness(other, segment), "{segment}");
        }
    }
}
