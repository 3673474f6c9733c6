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
use railbird_core::time::{MediaSpan, MediaTime, UtcMs};
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
            other => panic!("{other:?}"),
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
            assert_eq!((sample.cts, sample.key, &sample.data), (frame.cts, frame.key, &frame.data));
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
        fmp4::segment(cut, fmp4::sequence(cut.start), &mut out);
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
    objects_with(events, part_ms, Vec::new())
}

/// The same with events beside the media.
fn objects_with(events: &[FeedEvent], part_ms: Option<u32>, carried: Vec<fmp4::Event>) -> Vec<Object> {
    let settings = package::Settings {
        channel: "t".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: SEGMENT_MS,
        part_ms,
        frames: true,
        key_period_s: 3600,
        secret: secret(),
    };
    let mut packager = Packager::new(settings, MediaTime::default());
    packager.set_events(carried);
    let mut timeline = Timeline::new(ANCHOR, MediaTime::default());
    for event in events {
        match event.clone() {
            FeedEvent::Video(config) => packager.handle(Input::Video(config)),
            FeedEvent::Audio(config) => packager.handle(Input::Audio(config)),
            FeedEvent::Frame(frame) => timeline.handle(frame, ANCHOR.utc),
            other => panic!("{other:?}"),
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
        package::Output::Cut(_) | package::Output::Lost(..) => panic!("nobody asked for it"),
    });
    objects.collect()
}

fn secret() -> MasterSecret {
    MasterSecret::new(b"a secret of some length").unwrap()
}

/// The boxes of an object that belongs to the segment that starts at `of`.
fn clear(object: &Object, of: MediaTime) -> Vec<u8> {
    let channel = "t".parse().unwrap();
    let period = keys::period(of, 3600);
    let mut clear = object.bytes.to_vec();
    keys::decrypt(&secret().content_key(&channel, period), &keys::iv(&channel, period), &mut clear).unwrap();
    clear
}

/// The media of an object that belongs to the segment that starts at `of`, by track.
fn media(object: &Object, of: MediaTime, tracks: &[fmp4::read::Track]) -> [Vec<(i32, bool, Vec<u8>)>; 2] {
    let clear = clear(object, of);
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
            package::Kind::FramesInit(_) | package::Kind::Frame(_) | package::Kind::Rung(..) => {}
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
    // Its first segment may lack audio from before it joined. Its key frame does not.
    let later =
        joined.iter().skip_while(|object| !matches!(object.kind, package::Kind::Segment { .. })).skip(1);
    for object in later {
        assert_eq!(all.iter().find(|other| other.name == object.name), Some(object));
    }
}

#[test]
fn a_segment_carries_what_is_in_force_at_its_start_and_what_comes_in_it() {
    let events = feed(1);
    let plain = objects(&events, Some(334));
    let starts: Vec<MediaTime> = plain
        .iter()
        .filter_map(|object| match object.kind {
            package::Kind::Segment { start, .. } => Some(start),
            _ => None,
        })
        .collect();
    // One before everything, two in the second segment.
    let times = [MediaTime(1), starts[1] + MediaSpan::from_ms(100), starts[1] + MediaSpan::from_ms(1_900)];
    let event = |(id, at)| fmp4::Event { at, id, message: format!("message {id}").into() };
    let carried: Vec<_> = (1..).zip(times).map(event).collect();
    let objects = objects_with(&events, Some(334), carried);
    let told = |object: &Object, of: MediaTime| -> Vec<(String, u64)> {
        let clear = clear(object, of);
        let has = |text: &String| clear.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        let emsg = clear.windows(5).enumerate().filter(|(_, bytes)| *bytes == b"emsg\x01").map(|(at, _)| at);
        // Version 1: flags, timescale, and then the time.
        let at = |at: usize| u64::from_be_bytes(clear[at + 12..at + 20].try_into().unwrap());
        let texts = (1..=3).map(|id| format!("message {id}")).filter(has);
        texts.zip(emsg.map(at)).collect()
    };
    let named = |of: &[(u32, MediaTime)]| -> Vec<(String, u64)> {
        of.iter().map(|(id, at)| (format!("message {id}"), at.0)).collect()
    };
    let mut segments = Vec::new();
    for object in &objects {
        match &object.kind {
            package::Kind::Segment { start, .. } => segments.push(told(object, *start)),
            package::Kind::Part(part) if part.start == part.of && part.of == starts[1] => {
                // The first part of it: no later one is in it yet.
                assert_eq!(told(object, part.of), named(&[(1, starts[1]), (2, times[1])]));
            }
            _ => {}
        }
    }
    assert_eq!(segments[0], named(&[(1, starts[0])]));
    assert_eq!(segments[1], named(&[(1, starts[1]), (2, times[1]), (3, times[2])]));
    assert_eq!(segments[2], named(&[(3, starts[2])]));
    // The media is the same.
    let tracks = fmp4::read::init(&plain[0].bytes).unwrap();
    for (object, other) in objects.iter().zip(&plain) {
        if let package::Kind::Segment { start, .. } = object.kind {
            assert_eq!(media(object, start, &tracks), media(other, start, &tracks));
        }
    }
}

#[test]
fn each_segments_key_frame_is_a_message_of_its_own() {
    let events = feed(2);
    let all = objects(&events, None);
    let [init, frames_init] = [&all[0], &all[1]];
    assert_eq!(frames_init.kind, package::Kind::FramesInit(init.name.clone()));
    assert_eq!(frames_init.name, object::frames_init_name(&init.name));
    let (tracks, only_video) =
        (fmp4::read::init(&init.bytes).unwrap(), fmp4::read::init(&frames_init.bytes).unwrap());
    assert_eq!(only_video, tracks[..1]);
    let pairs: Vec<&[Object]> = all[2..].chunks(2).collect();
    assert_eq!(pairs.len(), 8);
    for pair in pairs {
        let [segment, frame] = pair else { panic!("a segment and its key frame") };
        let package::Kind::Segment { start, .. } = segment.kind else { panic!("{:?}", segment.kind) };
        assert_eq!(frame.kind, package::Kind::Frame(start));
        assert_eq!(frame.name, object::frame_name(&segment.name));
        let ([video, _], [alone, silence]) =
            (media(segment, start, &tracks), media(frame, start, &only_video));
        assert_eq!((alone, silence.len()), (video[..1].to_vec(), 0));
    }
    // Cut short, a segment has another end, and the same key frame.
    let some = events.iter().filter(|event| matches!(event, FeedEvent::Frame(_))).count() - 100;
    let mut left = some;
    let is_early = |event: &&FeedEvent| {
        left -= usize::from(matches!(event, FeedEvent::Frame(_)) && left > 0);
        left > 0
    };
    let short = objects(&events.iter().take_while(is_early).cloned().collect::<Vec<_>>(), None);
    let [.., cut, frame] = &*short else { panic!("a segment and its key frame") };
    let whole = |of: &Object| all.iter().find(|object| object.name == of.name).unwrap();
    assert_ne!(whole(cut).bytes, cut.bytes);
    assert_eq!(whole(frame), frame);
}
