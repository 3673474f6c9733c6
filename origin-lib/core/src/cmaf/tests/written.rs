//! What this crate writes, pushed to it.

use super::*;
use crate::fmp4;
use crate::segment::{self, Input, Segmenter};
use crate::time::MediaTime;
use crate::timeline::{self, Anchor, Timeline};

/// The segments of these frames as they are written, behind their init segment, with times since 1970.
fn written(told: &[Result<FeedEvent, Error>]) -> Vec<u8> {
    let anchor = Anchor { feed_ms: 0, utc: NOW.utc };
    let mut timeline = Timeline::new(anchor, MediaTime::default());
    let mut segmenter = Segmenter::new(1000);
    for event in told.iter().flatten() {
        match event.clone() {
            FeedEvent::Video(config) => segmenter.handle(Input::Video(config)),
            FeedEvent::Audio(config) => segmenter.handle(Input::Audio(config)),
            FeedEvent::Frame(frame) => timeline.handle(frame, NOW.utc),
            _ => {}
        }
        while let Some(timeline::Event::Sample(sample)) = timeline.poll() {
            segmenter.handle(Input::Sample(sample));
        }
    }
    segmenter.finish();
    let mut bytes = fmp4::init(segmenter.tracks());
    while let Some(segment::Event::Cut(cut)) = segmenter.poll() {
        fmp4::segment(&cut, fmp4::sequence(cut.start), &mut bytes);
    }
    bytes
}

#[test]
fn what_is_written_here_is_read_as_it_was_and_tells_its_time() {
    let theirs = expected();
    let bytes = written(&theirs);
    let ours = told(&[Whole("a", &bytes)], 999);
    assert_eq!(errors(&ours), Vec::<String>::new());
    assert_eq!(parameters(&ours), parameters(&theirs));
    let first = NOW.utc.0 as i64;
    // Decoding is told as if it began when the first picture is shown.
    let video = frames(&theirs, Kind::Video);
    let ahead = video[0].cts;
    let moved = |frame: Frame| Frame {
        dts_ms: frame.dts_ms + first + i64::from(ahead / 90),
        cts: frame.cts - ahead,
        ..frame
    };
    let video: Vec<Frame> = video.into_iter().map(moved).collect();
    assert_eq!(frames(&ours, Kind::Video), video);
    // Sound is written on the grid of its samples, and what came before the first picture is not written.
    let (audio, sent) = (frames(&ours, Kind::Audio), frames(&theirs, Kind::Audio));
    let sent = &sent[sent.len() - audio.len()..];
    assert!(audio.len() > 80 && audio.iter().zip(sent).all(|(ours, sent)| ours.data == sent.data));
    assert!(audio.iter().zip(sent).all(|(ours, sent)| (ours.dts_ms - first - sent.dts_ms).abs() <= 2));
    assert!(captured(&ours).iter().all(|one| one.by_encoder && one.utc.0 as i64 == one.feed_ms));
    let (feed_ms, utc) =
        (first + i64::from(ahead / 90), NOW.utc.plus_ms(u64::from(ahead.unsigned_abs() / 90)));
    assert_eq!(captured(&ours)[0], Captured { feed_ms, utc, by_encoder: true });
}
