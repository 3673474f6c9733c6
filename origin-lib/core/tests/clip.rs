//! The bundled clip from FLV tags to the boxes of its segments, two rounds of it, as an encoder would send it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers")]

use bytes::Bytes;
use railbird_core::flv::{Demux, File};
use railbird_core::fmp4;
use railbird_core::keys::{self, MasterSecret};
use railbird_core::media::{Cut, FeedEvent, Frame, Kind};
use railbird_core::object;
use railbird_core::package::{self, Object, Packager};
use railbird_core::segment::{Counts, Event, Input, Segmenter};
use railbird_core::time::{MediaTime, UtcMs};
use railbird_core::timeline::{self, Anchor, Timeline};

const CLIP: &[u8] = include_bytes!("../../clip/table.flv");
const LOOP_MS: u32 = 8000;
const SEGMENT_MS: u32 = 2000;

/// What the clip's feed tells, that many rounds of it.
fn feed(rounds: u32) -> Vec<FeedEvent> {
    let mut demux = Demux::new();
    let mut events = Vec::new();
    for round in 0..rounds {
        for tag in File::new(Bytes::from_static(CLIP)).unwrap() {
            let tag = tag.unwrap();
            demux.handle(tag.kind, tag.timestamp_ms + round * LOOP_MS, tag.payload).unwrap();
            events.extend(std::iter::from_fn(|| demux.poll()));
        }
    }
    events
}

/// The cuts of a feed on this anchor.
fn cuts(events: &[FeedEvent], anchor: Anchor) -> (Vec<Cut>, Counts) {
    let mut timeline = Timeline::new(anchor, MediaTime::default());
    let mut segmenter = Segmenter::new(SEGMENT_MS);
    for event in events {
        match event.clone() {
            FeedEvent::Video(config) => segmenter.handle(Input::Video(config)),
            FeedEvent::Audio(config) => segmenter.handle(Input::Audio(config)),
            FeedEvent::Frame(frame) => timeline.handle(frame, anchor.utc),
        }
        while let Some(event) = timeline.poll() {
            segmenter.handle(match event {
                timeline::Event::Sample(sample) => Input::Sample(sample),
                timeline::Event::Jumped(_) => Input::Discontinuity,
            });
        }
    }
    segmenter.finish();
    let cuts = std::iter::from_fn(|| segmenter.poll()).map(|event| match event {
        Event::Cut(cut) => *cut,
        Event::Part(part) => panic!("nobody asked for {part:?}"),
        Event::Forced(bound) => panic!("{bound}"),
    });
    (cuts.collect(), segmenter.counts())
}

fn frames(events: &[FeedEvent], kind: Kind) -> Vec<&Frame> {
    let frames = events.iter().filter_map(|event| match event {
        FeedEvent::Frame(frame) if frame.kind == kind => Some(frame),
        _ => None,
    });
    frames.collect()
}

/// The clip's first frame is decoded half a second into an interval.
const ANCHOR: Anchor = Anchor { feed_ms: 0, utc: UtcMs(1_795_171_920_500) };

#[test]
fn every_frame_of_the_clip_is_in_a_segment_once_and_in_its_place() {
    let events = feed(2);
    let (cuts, counts) = cuts(&events, ANCHOR);
    assert_eq!((frames(&events, Kind::Video).len(), frames(&events, Kind::Audio).len()), (480, 750));
    assert_eq!(counts, Counts::default());

    for (kind, samples) in [
        (Kind::Video, cuts.iter().flat_map(|cut| &cut.video).collect::<Vec<_>>()),
        (Kind::Audio, cuts.iter().flat_map(|cut| &cut.audio).collect::<Vec<_>>()),
    ] {
        let sent = frames(&events, kind);
        assert_eq!(samples.len(), sent.len());
        for (sample, frame) in samples.iter().zip(sent) {
            assert_eq!(Some(sample.dts), ANCHOR.media(frame.dts_ms));
            assert_eq!((sample.cts, sample.key, &sample.data), (frame.cts_ms * 90, frame.key, &frame.data));
        }
    }

    // A key frame every two seconds, first shown 67 ms after it is decoded.
    assert_eq!(cuts.len(), 8);
    for (n, cut) in cuts.iter().enumerate() {
        assert_eq!(cut.start, ANCHOR.utc.plus_ms(67 + 2000 * n as u64).media());
        assert_eq!(cut.discontinuity, n == 0);
        assert_eq!(cut.video.len(), 60);
        assert!((93..=94).contains(&cut.audio.len()), "{}", cut.audio.len());
        if n < 7 {
            assert_eq!(cut.duration, 180_000);
        }
    }
}

#[test]
fn an_origin_that_joins_later_and_adopts_the_anchor_writes_the_same_bytes() {
    let events = feed(2);
    let bytes = |cut: &Cut| {
        let mut out = fmp4::init(&cut.tracks);
        fmp4::segment(cut, fmp4::sequence(cut.start, SEGMENT_MS), &mut out);
        out
    };
    let (all, _) = cuts(&events, ANCHOR);
    // It is sent the parameters, and then frames from the middle of a segment on.
    let params = events.iter().filter(|event| !matches!(event, FeedEvent::Frame(_)));
    let joined: Vec<_> = params.chain(&events[500..]).cloned().collect();
    let (joined, _) = cuts(&joined, ANCHOR);
    assert!(joined.len() >= 4);
    let same = &all[all.len() - joined.len()..];
    for (cut, other) in joined.iter().zip(same) {
        assert_eq!(cut.start, other.start);
        assert_eq!(bytes(cut), bytes(other));
    }
}

/// The objects of a feed, with parts of a third of a second or without.
fn objects(events: &[FeedEvent], part_ms: Option<u32>) -> Vec<Object> {
    let settings = package::Settings {
        channel: "t".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: SEGMENT_MS,
        part_ms,
        key_period_s: 3600,
        secret: secret(),
    };
    let mut packager = Packager::new(settings, MediaTime::default());
    let mut timeline = Timeline::new(ANCHOR, MediaTime::default());
    for event in events {
        match event.clone() {
            FeedEvent::Video(config) => packager.handle(Input::Video(config)),
            FeedEvent::Audio(config) => packager.handle(Input::Audio(config)),
            FeedEvent::Frame(frame) => timeline.handle(frame, ANCHOR.utc),
        }
        while let Some(event) = timeline.poll() {
            packager.handle(match event {
                timeline::Event::Sample(sample) => Input::Sample(sample),
                timeline::Event::Jumped(_) => Input::Discontinuity,
            });
        }
    }
    packager.finish();
    let objects = std::iter::from_fn(|| packager.poll()).map(|output| match output {
        package::Output::Object(object) => object,
        package::Output::Forced(bound) => panic!("{bound}"),
    });
    objects.collect()
}

fn secret() -> MasterSecret {
    MasterSecret::new(b"a secret of some length").unwrap()
}

/// The media of an object that belongs to the segment that starts at `of`, by track.
fn media(object: &Object, of: MediaTime, tracks: &[fmp4::read::Track]) -> [Vec<(i32, bool, Vec<u8>)>; 2] {
    let channel = "t".parse().unwrap();
    let period = keys::period(of, 3600);
    let mut clear = object.bytes.to_vec();
    keys::decrypt(&secret().content_key(&channel, period), &keys::iv(&channel, period), &mut clear).unwrap();
    let mut media = [Vec::new(), Vec::new()];
    for fragment in fmp4::read::segment(&clear, tracks).unwrap() {
        let samples = &mut media[fragment.id as usize - 1];
        let cts = |cts: i32| if fragment.id == fmp4::VIDEO_TRACK { cts } else { 0 };
        samples.extend(fragment.samples.iter().map(|s| (cts(s.cts), s.key, clear[s.data.clone()].to_vec())));
    }
    media
}

#[test]
fn each_part_is_a_message_of_its_own_and_together_they_are_their_segment() {
    let events = feed(2);
    let all = objects(&events, Some(334));
    // With parts or without, segments have the same bytes.
    let is_part = |object: &&Object| matches!(object.kind, package::Kind::Part(_));
    let whole: Vec<&Object> = all.iter().filter(|object| !is_part(object)).collect();
    assert_eq!(whole, objects(&events, None).iter().collect::<Vec<_>>());
    let tracks = fmp4::read::init(&all[0].bytes).unwrap();
    let (mut parts, mut counts) = (Vec::new(), Vec::new());
    for object in &all[1..] {
        match &object.kind {
            package::Kind::Part(part) => parts.push((part, object)),
            package::Kind::Segment { start, duration, .. } => {
                let mut joined = [Vec::new(), Vec::new()];
                let mut at = *start;
                for (part, object) in &parts {
                    assert_eq!((part.of, part.start, &part.init), (*start, at, &all[0].name));
                    let name = object::part_name(
                        &"t".parse().unwrap(),
                        &"source".parse().unwrap(),
                        *start,
                        at,
                        SEGMENT_MS,
                    );
                    assert_eq!(object.name, name);
                    assert!(part.duration.ms() <= 334);
                    at = at + part.duration;
                    for (all, own) in joined.iter_mut().zip(media(object, *start, &tracks)) {
                        all.extend(own);
                    }
                }
                assert_eq!(at, *start + *duration);
                assert_eq!(joined, media(object, *start, &tracks));
                counts.push(parts.iter().map(|(part, _)| part.independent).collect::<Vec<_>>());
                parts.clear();
            }
            package::Kind::Init(_) => panic!("one init segment is enough"),
        }
    }
    assert!(parts.is_empty());
    assert_eq!(counts, vec![[true, false, false, false, false, false]; 8]);
}

#[test]
fn an_origin_that_joins_later_writes_the_same_parts() {
    let events = feed(2);
    let params = events.iter().filter(|event| !matches!(event, FeedEvent::Frame(_)));
    let joined: Vec<_> = params.chain(&events[500..]).cloned().collect();
    let (all, joined) = (objects(&events, Some(334)), objects(&joined, Some(334)));
    assert!(joined.len() > 20);
    // Its first segment may lack audio from before it joined.
    let later =
        joined.iter().skip_while(|object| !matches!(object.kind, package::Kind::Segment { .. })).skip(1);
    for object in later {
        assert_eq!(all.iter().find(|other| other.name == object.name), Some(object));
    }
}
