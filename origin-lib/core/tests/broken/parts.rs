//! The parts of a segment, as a player of low latency finds them before it.

use railbird_core::package::Part;
use railbird_core::time::{MediaSpan, MediaTime};

use super::way::{Samples, Seen, Segment};

/// Frames of sound lie on a grid that begins with what they are in, this far from their own times at most: 3 ms, and what rounding
/// leaves.
const GRID_TICKS: u64 = 360;

/// Those of the segment that comes next, with their samples.
#[derive(Default)]
pub(crate) struct Parts {
    made: Vec<(Part, Samples)>,
    /// The last decoding time of each track.
    tips: [Option<i64>; 2],
}

impl Parts {
    /// The next one.
    pub(crate) fn take(&mut self, part: Part, samples: Samples) {
        assert!(part.duration.0 > 0, "it lasts no time");
        if let Some((before, _)) = self.made.last() {
            assert_eq!(part.of, before.of, "the segment of the part before never came");
            // What is between two is listed as if it were not there, and players of parts count their durations.
            assert_eq!(part.start, before.start + before.duration, "it does not follow the one before");
        } else {
            assert_eq!(part.start, part.of, "the first part begins with its segment");
        }
        for (tip, samples) in self.tips.iter_mut().zip(&samples) {
            for Seen { dts, .. } in samples {
                assert!(tip.is_none_or(|tip| *dts >= tip - 90), "decoding goes back from {tip:?} to {dts}");
                *tip = Some(*dts);
            }
        }
        let [video, audio] = &samples;
        assert!(!video.is_empty() || !audio.is_empty(), "it holds nothing");
        self.made.push((part, samples));
    }

    /// That they are this segment. How long each may be, the linter knows.
    pub(crate) fn are(&mut self, start: MediaTime, duration: MediaSpan, part_ms: u32, segment: &Segment) {
        let made = std::mem::take(&mut self.made);
        let Some((last, _)) = made.last() else { panic!("a segment without a part at {start}") };
        // How long its last pictures are shown may be more than a part may say; and where composition makes no sense, less than what
        // was given out.
        let (limit, end) = (MediaSpan::from_ms(part_ms.into()), start + duration);
        let listed = last.start + last.duration;
        let is_shorter = listed < end && last.duration == limit;
        assert!(listed == end || is_shorter || last.duration.0 == 1, "they end at {listed}, it at {end}");
        let pictures = !segment.video.is_empty();
        for (part, [video, audio]) in &made {
            assert_eq!((part.of, part.discontinuity), (start, segment.discontinuity));
            let first = if pictures { video.first() } else { audio.first() };
            assert_eq!(
                part.independent,
                first.is_some_and(|first| first.key),
                "whether one can begin with it"
            );
        }
        for (track, whole) in [&segment.video, &segment.audio].into_iter().enumerate() {
            let joined: Vec<&Seen> = made.iter().flat_map(|(_, samples)| &samples[track]).collect();
            assert_eq!(joined.len(), whole.len(), "the parts and the segment at {start} hold other frames");
            for (of_part, of_whole) in joined.into_iter().zip(whole) {
                let is_there = of_part.pts.abs_diff(of_whole.pts) <= GRID_TICKS;
                let is_same = (of_part.key, &of_part.data) == (of_whole.key, &of_whole.data);
                assert!(is_there && is_same, "{of_part:?} in a part is {of_whole:?} in the segment");
            }
        }
    }

    /// That there is none whose segment never came.
    pub(crate) fn are_over(&self) {
        assert!(
            self.made.is_empty(),
            "the segment of {:?} never came",
            self.made.last().map(|(part, _)| part)
        );
    }
}
