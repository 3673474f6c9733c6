use super::*;
use crate::id::{RecordingId, RenditionId};
use crate::publish::{Book, Channel, Init};
use crate::state::{self, ChannelState, Node, Phase};
use crate::time::MediaSpan;
use proptest::prelude::*;
use std::string::ToString;
use std::vec;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn head() -> Head {
    Head {
        channel: "t".parse().unwrap(),
        recording: RecordingId::beginning(NOW),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        key_period_s: 3600,
        msn_min: 7,
    }
}

fn init(n: u32, name: &str) -> Record {
    let init = Init {
        name: name.to_string(),
        codecs: "avc1.64001f".to_string(),
        width: 16,
        height: 16,
        frame_rate_milli: 25_000,
        range: Default::default(),
        sound: None,
    };
    Record::Init { n, init, len: 700, sha256: Hash::of(name.as_bytes()) }
}

fn start(at: u64) -> MediaTime {
    NOW.plus_ms(2000 * at).media()
}

fn segment(n: u32, at: u64) -> Record {
    let (duration, sha256) = (MediaSpan::from_ms(2000), Hash::of(&n.to_be_bytes()));
    Record::Segment {
        n,
        start: start(at),
        duration,
        discontinuity: at.is_multiple_of(10),
        dependent: false,
        captions: Default::default(),
        len: 500_000,
        sha256,
    }
}

fn frame(n: u32, at: u64) -> Record {
    Record::Frame { n, start: start(at), len: 40_000, sha256: Hash::of(&n.to_be_bytes()) }
}

fn lost(n: u32, at: u64) -> Record {
    Record::Lost { n, start: start(at), duration: MediaSpan::from_ms(2000), discontinuity: false }
}

fn ack(n: u32, target: &str) -> Record {
    Record::Ack { n, target: target.parse().unwrap(), less: false }
}

fn reel(records: impl IntoIterator<Item = Record>) -> Reel {
    let mut reel = Reel::new(head());
    for record in records {
        reel.apply(record).unwrap();
    }
    reel
}

fn slots() -> Slots {
    let mut slots = [const { None }; NODES_MAX];
    for (slot, id) in slots.iter_mut().zip(["a", "b"]) {
        *slot = Some(Node::new(id.parse().unwrap(), std::format!("https://{id}.example"), true));
    }
    slots
}

#[test]
fn every_record_is_a_line_that_can_be_read_back() {
    let records = [
        Record::Begin(head()),
        init(0, "t/source/init-00.mp4"),
        segment(1, 10),
        Record::FramesInit { n: 2, len: 700, sha256: Hash::of(b"frames") },
        frame(3, 10),
        lost(2, 2),
        ack(1, "a"),
        Record::Others { n: 3, target: "a".parse().unwrap() },
        Record::Gap { n: 2 },
        Record::Promise { target_s: 2 },
        Record::Removed { target: "a".parse().unwrap() },
        Record::Anchor { feed: "primary".to_string(), feed_ms: -5, utc: NOW },
        Record::Splice(crate::scte35::tests::splice(1_000, crate::scte35::tests::OUT, 1, None)),
        Record::Evicted,
        Record::End { at: NOW, next_msn: 8 },
    ];
    for record in records {
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record, "{line}");
        assert!(line.len() < 300, "{line}");
    }
}

#[test]
fn a_reel_knows_who_has_what() {
    let mut reel = reel([init(0, "i"), segment(1, 0), segment(2, 1), ack(0, "a"), ack(1, "a"), ack(1, "b")]);
    let targets: Vec<TargetId> = ["a", "b"].map(|id| id.parse().unwrap()).to_vec();
    assert_eq!(reel.objects().iter().map(|object| object.on).collect::<Vec<_>>(), [1, 3, 0]);
    assert!(!reel.complete_at(&targets[0], MediaTime(0)));
    reel.apply(ack(2, "a")).unwrap();
    assert!(reel.complete_at(&targets[0], MediaTime(0)) && !reel.complete_at(&targets[1], MediaTime(0)));
    let new: TargetId = "new".parse().unwrap();
    assert!(!reel.complete_at(&new, MediaTime(0)));
    assert!(!reel.complete_at(&new, start(1)), "an init segment goes to every target");
    reel.apply(ack(0, "b")).unwrap();
    assert!(reel.complete_at(&targets[1], start(2)) && !reel.complete_at(&targets[1], start(1)));

    reel.apply(Record::Removed { target: targets[0].clone() }).unwrap();
    assert_eq!(reel.objects().iter().map(|object| object.on).collect::<Vec<_>>(), [2, 2, 0]);
    let new: TargetId = "c".parse().unwrap();
    assert_eq!(reel.bit(&new), Ok(0), "a bit that is free again is used again");
    assert_eq!(reel.at(start(1)), Some(2));
    assert_eq!(reel.at(start(2)), None);
}

#[test]
fn what_was_said_of_splices_is_in_the_chapter_during_which_it_was_said_and_in_the_book_after_a_restart() {
    use crate::scte35::{Splice, tests};
    let splice = |at: u64, event| Splice {
        said: start(at) + MediaSpan::from_ms(500),
        ..tests::splice(start(at).0, tests::OUT, event, Some(90_000))
    };
    let total = CHAPTER_SEGMENTS as u32 + 20;
    let mut records = vec![init(0, "i"), ack(0, "a")];
    for n in 0..total {
        records.extend([segment(n + 1, u64::from(n)), ack(n + 1, "a")]);
        records.extend([5, total - 2].contains(&n).then(|| Record::Splice(splice(u64::from(n), n))));
    }
    let reel = reel(records);
    let origin = "north".parse().unwrap();
    let slots = slots();
    let view =
        View { listed: total as usize, first_msn: 7, title: "T", origin: &origin, slots: &slots, rungs: &[] };
    let events = |state: &ChannelState| -> Vec<u32> {
        state.splices.iter().filter_map(|splice| splice.section.command()?.event).collect()
    };
    assert_eq!(events(&reel.chapter(0, &view, NOW)), [5]);
    assert_eq!(events(&reel.chapter(1, &view, NOW)), [total - 2]);
    let mut book = book(7);
    book.restore(&reel, NOW);
    assert_eq!(events(&book.poll(NOW).unwrap()), [total - 2]);
}

#[test]
fn a_segment_with_which_nobody_can_begin_is_known_after_a_restart_and_told_of_in_every_chapter() {
    let dependent = match segment(4, 3) {
        Record::Segment { n, start, duration, discontinuity, captions, len, sha256, .. } => {
            Record::Segment { n, start, duration, discontinuity, dependent: true, captions, len, sha256 }
        }
        other => panic!("{other:?}"),
    };
    let line = serde_json::to_string(&dependent).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), dependent);
    let records = [init(0, "init-1"), segment(1, 0), segment(2, 1), segment(3, 2), dependent, ack(0, "a")];
    let acks = (1..5).map(|n| ack(n, "a"));
    let reel = reel(records.into_iter().chain(acks));
    assert_eq!((1..5).filter(|n| reel.segment(*n).unwrap().dependent).collect::<Vec<_>>(), [4]);
    let (slots, origin) = (slots(), "north".parse().unwrap());
    let view = View { listed: 3, first_msn: 7, title: "T", origin: &origin, slots: &slots, rungs: &[] };
    assert!(reel.chapter(0, &view, NOW).renditions[0].dependent, "though it is not listed yet");
    let mut book = book(0);
    book.restore(&reel, NOW);
    assert!(book.poll(NOW).unwrap().renditions[0].dependent);
    assert_eq!(book.target_s(), Some(2));
}

#[test]
fn what_does_not_follow_is_refused() {
    let mut reel = reel([init(0, "i")]);
    assert_eq!(reel.apply(segment(0, 0)), Err(Misfit::Number));
    assert_eq!(reel.apply(segment(2, 0)), Err(Misfit::Number));
    assert_eq!(reel.apply(ack(1, "a")), Err(Misfit::Unknown));
    assert_eq!(reel.apply(Record::Gap { n: 0 }), Err(Misfit::Unknown));
    assert_eq!(reel.apply(Record::Begin(head())), Err(Misfit::Begun));
    for n in 0..NODES_MAX {
        reel.apply(ack(0, &std::format!("t{n}"))).unwrap();
    }
    assert_eq!(reel.apply(ack(0, "one-more")), Err(Misfit::Targets));
}

#[test]
fn what_the_disk_lost_takes_its_place_in_time() {
    let reel = reel([init(0, "i"), segment(1, 0), lost(2, 2), segment(3, 1), segment(4, 3)]);
    assert_eq!(reel.order(), [1, 3, 2, 4]);
    assert_eq!((reel.start(), reel.end()), (Some(start(0)), Some(start(4))));
}

#[test]
fn chapters_are_numbered_as_live_playlists_are() {
    let mut records = vec![init(0, "i"), ack(0, "a"), ack(0, "b")];
    let total = CHAPTER_SEGMENTS as u32 + 20;
    for n in 1..=total {
        records.push(segment(n, u64::from(n)));
        records.push(ack(n, if n.is_multiple_of(2) { "a" } else { "b" }));
    }
    records.push(lost(total + 1, u64::from(total) + 1));
    let mut reel = reel(records);
    let listed = total as usize + 1;
    let (origin, slots) = ("north".parse().unwrap(), slots());
    let view =
        |listed| View { listed, first_msn: 100, title: "T", origin: &origin, slots: &slots, rungs: &[] };
    assert_eq!((reel.chapters(0), reel.chapters(1), reel.chapters(listed)), (0, 1, 2));
    let partial = reel.chapter(0, &view(7), NOW);
    assert_eq!(partial.renditions[0].segments.len(), 7);
    let first = reel.chapter(0, &view(listed), NOW);
    first.check().unwrap();
    assert_eq!((first.phase, first.renditions[0].segments.len()), (Phase::Live, CHAPTER_SEGMENTS));
    assert_eq!((first.renditions[0].first_msn, first.renditions[0].discontinuity_sequence), (100, 0));
    assert_eq!(first.renditions[0].segments[0].on, 2);

    reel.apply(Record::End { at: NOW, next_msn: 8 }).unwrap();
    let second = reel.chapter(1, &view(listed), NOW);
    second.check().unwrap();
    let rendition = &second.renditions[0];
    assert_eq!((second.phase, rendition.segments.len(), rendition.inits.len()), (Phase::Ended, 21, 1));
    assert_eq!((rendition.first_msn, rendition.discontinuity_sequence), (400, 30));
    assert!(rendition.segments[20].gap && !rendition.segments[19].gap);
    assert_eq!(reel.chapter_of(total), Some(1));
    assert_eq!(reel.chapter_of(1), Some(0));
}

/// The disk took neither the init segment nor the first segment that needs it: that is where the discontinuity was.
#[test]
fn a_chapter_has_a_discontinuity_where_another_init_segment_begins_behind_a_lost_segment() {
    let mut records = vec![init(0, "i"), segment(1, 1)];
    records.push(Record::Lost {
        n: 2,
        start: start(2),
        duration: MediaSpan::from_ms(2000),
        discontinuity: true,
    });
    records.push(init(3, "j"));
    // In turn with those of ten, which are of the encoder.
    records.extend((4..=CHAPTER_SEGMENTS as u32 + 9).map(|n| segment(n, u64::from(n) - 1)));
    let reel = reel(records);
    let (origin, slots) = ("north".parse().unwrap(), slots());
    let listed = reel.order().len();
    let view = View { listed, first_msn: 100, title: "T", origin: &origin, slots: &slots, rungs: &[] };
    let [first, second] = [0, 1].map(|chapter| reel.chapter(chapter, &view, NOW).renditions.remove(0));
    let told = |of: &[state::Segment]| of.iter().map(|segment| segment.discontinuity).collect::<Vec<_>>();
    assert_eq!(told(&first.segments[..5]), [false, true, true, false, false]);
    let broken = told(&first.segments[1..]).into_iter().chain([second.segments[0].discontinuity]);
    assert_eq!(second.discontinuity_sequence, broken.filter(|broken| *broken).count() as u64);
}

/// What a channel lists, from the first segment on: start, whether it is a gap, and its number.
fn told(book: &mut Book, all: &mut Vec<(MediaTime, bool, u64)>) {
    for listed in book.take_listed() {
        let number = book.first_msn().unwrap() + all.len() as u64;
        all.push((listed.start, listed.gap, number));
    }
}

fn book(msn_min: u64) -> Book {
    let channel = Channel {
        id: "t".parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: RecordingId::beginning(NOW),
        title: "T".to_string(),
        segment_ms: 2000,
        key_period_s: 3600,
        part_ms: None,
        preload_hints: false,
        window_s: 20,
        msn_min,
        nodes: slots().into_iter().flatten().collect(),
        rungs: Vec::new(),
    };
    Book::new(channel, "source".parse().unwrap())
}

proptest! {
    /// Killed at any record: what was listed before is listed again, in the same order, with the same numbers, and
    /// what follows goes on from there. Gaps are recorded when they are listed, before anybody is told.
    #[test]
    fn a_restart_lists_what_was_listed_and_goes_on(
        steps in prop::collection::vec((0_u8..5, 0_u32..30, 0_usize..2), 1..150),
        kills in prop::collection::vec(0_usize..150, 0..4),
    ) {
        let mut journal = Vec::new();
        let mut live = (reel([]), book(7));
        let (mut all, mut now, mut made) = (Vec::new(), NOW, 0_u32);
        let feed = |journal: &mut Vec<Record>, (reel, book): &mut (Reel, Book), record: Record, now| {
            reel.apply(record.clone()).unwrap();
            match &record {
                Record::Init { init, .. } => book.init(init.clone()),
                Record::Segment { start, duration, discontinuity, dependent: false, len, .. } =>
                    book.segment(*start, *duration, *discontinuity, *len as usize, now),
                Record::Ack { n, target, .. } => {
                    let slot = reel.known_bit(target).unwrap();
                    match reel.segment(*n) {
                        Some(segment) => book.ack(slot, segment.start, now),
                        None => book.ack_init(slot, "i", now),
                    }
                }
                _ => {}
            }
            journal.push(record);
        };
        for record in [init(0, "i"), ack(0, "a"), ack(0, "b")] {
            feed(&mut journal, &mut live, record, now);
        }
        for (at, (what, n, target)) in steps.into_iter().enumerate() {
            now = now.plus_ms(400);
            match what {
                0 | 1 => {
                    made += 1;
                    feed(&mut journal, &mut live, segment(made, u64::from(made)), now);
                }
                2 | 3 if n >= 1 && n <= made => {
                    feed(&mut journal, &mut live, ack(n, ["a", "b"][target]), now);
                }
                _ => now = now.plus_ms(3000),
            }
            live.1.advance(now);
            let before = all.len();
            told(&mut live.1, &mut all);
            for (start, gap, _) in all.iter().skip(before) {
                if *gap {
                    let n = live.0.at(*start).unwrap();
                    live.0.apply(Record::Gap { n }).unwrap();
                    journal.push(Record::Gap { n });
                }
            }
            if kills.contains(&at) {
                let kept = reel(journal.clone());
                prop_assert_eq!(&kept, &live.0);
                let mut again = book(7);
                again.restore(&kept, now);
                let mut relisted = Vec::new();
                told(&mut again, &mut relisted);
                prop_assert_eq!(&relisted[..all.len().min(relisted.len())], &all[..]);
                all = relisted;
                live = (kept, again);
            }
        }
    }
}

#[test]
fn what_the_other_origins_encoder_made_in_a_rungs_place_settles_it_there_and_nobody_is_sent_there_for_ours() {
    let low: RenditionId = "low".parse().unwrap();
    let of_low = match init(1, "t/low/init-00.mp4") {
        Record::Init { n, init, len, sha256 } => {
            Record::RungInit { n, rendition: low.clone(), init, len, sha256 }
        }
        other => other,
    };
    let rung = Record::RungSegment {
        n: 3,
        rendition: low,
        start: start(0),
        duration: MediaSpan::from_ms(2000),
        captions: Default::default(),
        len: 9,
        sha256: Hash::of(b"rung"),
    };
    let others = |target: &str| Record::Others { n: 3, target: target.parse().unwrap() };
    let all = ["a", "b"].into_iter().flat_map(|target| (0..3).map(move |n| ack(n, target)));
    let records = [init(0, "t/source/init-00.mp4"), of_low, segment(2, 0), rung].into_iter().chain(all);
    let mut reel = reel(records);
    let a: TargetId = "a".parse().unwrap();
    assert!(!reel.complete_at(&a, MediaTime(0)));
    reel.apply(others("a")).unwrap();
    assert!(reel.complete_at(&a, MediaTime(0)) && !reel.lacks_frames(&a), "the source is whole there");
    assert!(reel.objects()[3].is_settled_at(0) && !reel.objects()[3].is_settled_at(1));
    assert!(!reel.complete_at(&"b".parse().unwrap(), MediaTime(0)));
    let (origin, slots) = ("north".parse().unwrap(), slots());
    let view = View { listed: 1, first_msn: 0, title: "T", origin: &origin, slots: &slots, rungs: &[] };
    let told = |reel: &Reel| {
        let of = reel.chapter(0, &view, NOW).renditions[1].segments[0];
        (of.gap, of.on)
    };
    assert_eq!(told(&reel), (true, 0), "what it needs is not what we would list");
    reel.apply(ack(3, "b")).unwrap();
    assert_eq!(told(&reel), (false, 2));
    // A target that begins anew gets it after all.
    reel.apply(Record::Removed { target: a.clone() }).unwrap();
    assert!(!reel.complete_at(&a, MediaTime(0)) && !reel.objects()[3].is_settled_at(0));
    for n in 0..4 {
        reel.apply(ack(n, "a")).unwrap();
    }
    assert!(reel.complete_at(&a, MediaTime(0)));
    assert_eq!(told(&reel), (false, 3));
    assert_eq!(reel.apply(Record::Others { n: 9, target: a }), Err(Misfit::Unknown));
}

#[test]
fn a_chapter_tells_who_has_each_segments_key_frame() {
    let frames_init = |n| Record::FramesInit { n, len: 600, sha256: Hash::of(b"frames") };
    let some = [init(0, "t/source/init-00.mp4"), frames_init(1), segment(2, 0), frame(3, 0), segment(4, 1)];
    let more = [frame(5, 1), segment(6, 2)];
    let acks = [ack(0, "a"), ack(2, "a"), ack(3, "a"), ack(4, "a"), ack(5, "a"), ack(6, "a"), ack(3, "b")];
    let mut reel = reel(some.into_iter().chain(more).chain(acks));
    let origin = "north".parse().unwrap();
    let slots = slots();
    let view = View { listed: 3, first_msn: 0, title: "T", origin: &origin, slots: &slots, rungs: &[] };
    let told = |reel: &Reel| {
        let chapter = reel.chapter(0, &view, NOW);
        let rendition = &chapter.renditions[0];
        let frames: Vec<_> = rendition.segments.iter().map(|segment| segment.frame).collect();
        (frames, rendition.frames_bandwidth)
    };
    assert_eq!(told(&reel), (vec![Some(0); 3], 160_000), "their init segment is nowhere");
    reel.apply(ack(1, "a")).unwrap();
    assert_eq!(told(&reel), (vec![Some(1), Some(1), Some(0)], 160_000));
    let names: Vec<String> = reel.objects().iter().map(|object| reel.name(object)).collect();
    let index = object::index(start(0), 2000).0;
    assert_eq!(names[1], "t/source/frames-00.mp4");
    assert_eq!(names[3], std::format!("t/source/{index}-0-frame.m4s"));
    // A key frame belongs to its segment's chapter, and to what a target shall have.
    assert_eq!((reel.chapter_of(3), reel.chapter_of(1)), (Some(0), None));
    let a = "a".parse().unwrap();
    assert!(reel.complete_at(&a, MediaTime(0)));
    reel.apply(frame(7, 2)).unwrap();
    assert!(!reel.complete_at(&a, MediaTime(0)) && reel.complete_at(&a, start(3)));
}
