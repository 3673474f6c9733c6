//! A feed all the way from messages to the boxes of its segments.

use railbird_core::calibration::{Picture, code, find};
use railbird_core::fmp4;
use railbird_core::fmp4::movie::Movie;
use railbird_core::fmp4::read;
use railbird_core::media::{FeedEvent, Tracks};
use railbird_core::segment::{self, Input, Segmenter};
use railbird_core::time::{MediaTime, UtcMs};
use railbird_core::timeline::{self, Anchor, Timeline};

use super::{halves, rtmp};

const NOW: UtcMs = UtcMs(1_795_171_920_040);
const SEGMENT_MS: u32 = 2000;

/// Messages as in `flv-demux`. Segments must have something in them and follow one another, whatever the encoder's clock does.
pub(super) fn feed(input: &[u8]) {
    let (mut segmenter, mut timeline, mut last) = (Segmenter::new(SEGMENT_MS), None, MediaTime(0));
    rtmp::messages(input, |event| {
        match event {
            FeedEvent::Video(config) => segmenter.handle(Input::Video(config)),
            FeedEvent::Audio(config) => segmenter.handle(Input::Audio(config)),
            FeedEvent::Captured(_)
            | FeedEvent::Splice(_)
            | FeedEvent::Further { .. }
            | FeedEvent::Language { .. } => {}
            FeedEvent::Frame(frame) => {
                let timeline = timeline.get_or_insert_with(|| {
                    Timeline::new(Anchor::from_arrival(&frame, NOW), MediaTime::default())
                });
                timeline.handle(frame, NOW);
                while let Some(event) = timeline.poll() {
                    segmenter.handle(match event {
                        timeline::Event::Sample(sample) => Input::Sample(sample),
                        timeline::Event::Jumped(_) => Input::Discontinuity,
                    });
                }
            }
        }
        write(&mut segmenter, &mut last);
    });
    segmenter.finish();
    write(&mut segmenter, &mut last);
}

/// An init segment and a segment. What is accepted points into the segment, and a movie can be made of it.
pub(super) fn read(input: &[u8]) {
    let (head, body) = halves(input);
    if let Ok(outline) = read::outline(body) {
        assert!(outline.moof.len() < body.len());
    }
    let Ok(tracks) = read::init(head) else { return };
    let Ok(fragments) = read::segment(body, &tracks) else { return };
    let samples: usize = fragments.iter().map(|fragment| fragment.samples.len()).sum();
    assert!(samples <= read::SAMPLES_MAX);
    for fragment in &fragments {
        assert!(!fragment.samples.is_empty());
        assert!(fragment.samples.iter().all(|sample| body.get(sample.data.clone()).is_some()));
    }
    let mut movie = Movie::default();
    // Twice: a second time each sample comes too early, and is moved.
    for _ in 0..2 {
        if movie.add(&tracks, &fragments).is_err() {
            return;
        }
    }
    let media =
        fragments.iter().flat_map(|fragment| &fragment.samples).map(|sample| sample.data.len() as u64);
    assert_eq!(movie.media_len(), 2 * media.sum::<u64>());
    assert!(!movie.head().is_empty());
}

fn write(segmenter: &mut Segmenter, last: &mut MediaTime) {
    while let Some(event) = segmenter.poll() {
        let segment::Event::Cut(cut) = event else { continue };
        assert!(cut.duration > 0 && !(cut.video.is_empty() && cut.audio.is_empty()), "an empty segment");
        assert!(cut.start > *last, "{} after {last}", cut.start);
        assert_ne!(cut.tracks, Tracks::default());
        *last = cut.start;
        let media: usize = cut.video.iter().chain(&cut.audio).map(|sample| sample.data.len()).sum();
        let mut bytes = fmp4::init(&cut.tracks);
        let init = bytes.len();
        fmp4::segment(&cut, fmp4::sequence(cut.start), &mut bytes);
        assert!(bytes.len() >= init + media);
    }
}

/// A picture, whose width the first byte gives: what is read in it is a tick.
pub(super) fn picture(input: &[u8]) {
    let Some((width, levels)) = input.split_first() else { return };
    let Some(picture) = Picture::new(usize::from(*width), levels) else { return };
    assert!(find(&picture).is_none_or(|tick| tick < 1 << code::BITS));
}
