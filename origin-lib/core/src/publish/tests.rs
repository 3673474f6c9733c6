use super::*;
use crate::recording::{Head, Record, Reel};
use crate::state::Phase;
use proptest::prelude::*;
use std::string::ToString;
use std::vec;

mod frames;
mod linted;
mod parts;
mod rungs;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn book(window_s: u32) -> Book {
    let node = |id: &str| Node::new(id.parse().unwrap(), std::format!("http://{id}"), true);
    let channel = Channel {
        id: "t".parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        title: "T".to_string(),
        segment_ms: 2000,
        key_period_s: 60,
        part_ms: None,
        preload_hints: false,
        window_s,
        msn_min: 0,
        nodes: vec![node("a"), node("b")],
        rungs: Vec::new(),
    };
    let mut book = Book::new(channel, "source".parse().unwrap());
    book.init(init("init-1"));
    book
}

fn init(name: &str) -> Init {
    Init {
        name: name.to_string(),
        codecs: "avc1.64001f".to_string(),
        width: 16,
        height: 16,
        frame_rate_milli: 0,
        range: Default::default(),
        sound: None,
    }
}

fn make(book: &mut Book, n: u64) {
    let now = NOW.plus_ms(2000 * n);
    book.segment(now.media(), MediaSpan::from_ms(2000), false, 250_000, now);
}

fn start(n: u64) -> MediaTime {
    NOW.plus_ms(2000 * n).media()
}

fn listed(book: &Book) -> Vec<(u64, bool, u32)> {
    let state = book.snapshot(NOW);
    state.check().unwrap();
    let Some(rendition) = state.renditions.first() else { return Vec::new() };
    let number = |segment: &Segment| segment.start.utc().ms_since(NOW) / 2000;
    rendition.segments.iter().map(|s| (number(s), s.gap, s.on)).collect()
}

#[test]
fn invariant_2_a_segment_is_listed_only_where_it_and_its_init_are_acknowledged() {
    let mut book = book(120);
    make(&mut book, 0);
    book.ack(0, start(0), NOW);
    assert_eq!(listed(&book), [], "its init segment is nowhere");
    book.ack_init(1, "init-1", NOW);
    assert_eq!(listed(&book), [], "its init segment is at the other node");
    book.ack_init(0, "init-1", NOW);
    assert_eq!(listed(&book), [(0, false, 1)]);
    book.ack(1, start(0), NOW);
    assert_eq!(listed(&book), [(0, false, 3)]);
}

#[test]
fn segments_are_listed_in_order_and_an_overtaken_one_becomes_a_gap_for_good() {
    let mut book = book(120);
    book.ack_init(0, "init-1", NOW);
    for n in 0..3 {
        make(&mut book, n);
    }
    book.ack(0, start(0), NOW);
    book.ack(0, start(2), NOW);
    assert_eq!(listed(&book), [(0, false, 1)]);
    book.advance(NOW.plus_ms(5_999));
    assert_eq!(listed(&book), [(0, false, 1)]);
    book.advance(NOW.plus_ms(6_000));
    assert_eq!(listed(&book), [(0, false, 1), (1, true, 0), (2, false, 1)]);
    book.ack(0, start(1), NOW.plus_ms(7_000));
    assert_eq!(listed(&book)[1], (1, true, 1), "a gap stays a gap");
}

#[test]
fn a_late_acknowledgement_within_the_wait_is_no_gap() {
    let mut book = book(120);
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 0);
    make(&mut book, 1);
    book.ack(0, start(1), NOW);
    book.ack(0, start(0), NOW.plus_ms(5_999));
    assert_eq!(listed(&book), [(0, false, 1), (1, false, 1)]);
}

#[test]
fn the_end_is_told_once_the_last_segment_is_listed_or_was_waited_for() {
    let told = |book: &mut Book, ms: u64| {
        let state = book.poll(NOW.plus_ms(ms))?;
        Some((state.phase, state.renditions.first().map_or(0, |source| source.segments.len())))
    };
    let ending = || {
        let mut book = book(120);
        book.ack_init(0, "init-1", NOW);
        book.set_phase(Phase::Live);
        (0..3).for_each(|n| make(&mut book, n));
        (0..2).for_each(|n| book.ack(0, start(n), NOW));
        book.set_phase(Phase::Ended);
        assert_eq!(told(&mut book, 0), Some((Phase::Live, 2)));
        book
    };
    let mut book = ending();
    assert_eq!(told(&mut book, 100), None);
    book.ack(0, start(2), NOW.plus_ms(200));
    assert_eq!(told(&mut book, 200), Some((Phase::Ended, 3)));
    let mut book = ending();
    assert_eq!(told(&mut book, 5_999), None);
    assert_eq!(told(&mut book, 6_000), Some((Phase::Ended, 2)), "no target takes it");
    // Nobody would be left to tell it.
    let mut book = ending();
    book.stop(NOW.plus_ms(100));
    assert_eq!(told(&mut book, 100), Some((Phase::Ended, 2)));
    // The feed goes on.
    let mut book = ending();
    book.set_phase(Phase::Live);
    assert_eq!(told(&mut book, 7_000), Some((Phase::Live, 2)));
}

#[test]
fn a_channel_that_begins_with_a_short_segment_says_what_that_needs() {
    let mut book = book(10);
    book.ack_init(0, "init-1", NOW);
    book.segment(NOW.media(), MediaSpan::from_ms(500), true, 62_500, NOW);
    book.ack(0, start(0), NOW);
    let rendition = book.poll(NOW).unwrap().renditions.remove(0);
    assert_eq!((rendition.bandwidth, rendition.average_bandwidth), (1_000_000, 1_000_000));
}

#[test]
fn what_has_changed_is_told_with_its_first_segment() {
    let told = |book: &Book| {
        let rendition = book.snapshot(NOW).renditions.remove(0);
        (rendition.width, rendition.codecs)
    };
    let (before, after) = ((16, "avc1.64001f".to_string()), (32, "avc1.640020".to_string()));
    let mut book = book(120);
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 0);
    book.ack(0, start(0), NOW);
    book.init(Init { width: after.0, codecs: after.1.clone(), ..init("init-2") });
    make(&mut book, 1);
    assert_eq!(told(&book), before, "it is made");
    book.ack(0, start(1), NOW);
    assert_eq!(told(&book), before, "its init segment is nowhere");
    book.ack_init(0, "init-2", NOW);
    assert_eq!(told(&book), after);
    // A gap says nothing of what it would have been.
    book.init(init("init-3"));
    make(&mut book, 2);
    book.was_gap(start(2), NOW);
    assert_eq!(listed(&book).last(), Some(&(2, true, 0)));
    assert_eq!(told(&book), after);
}

#[test]
fn the_window_slides_and_counts() {
    let mut book = book(10);
    book.ack_init(0, "init-1", NOW);
    for n in 0..20 {
        if n == 12 {
            book.init(init("init-2"));
            book.ack_init(0, "init-2", NOW);
            let now = NOW.plus_ms(2000 * n);
            book.segment(now.media(), MediaSpan::from_ms(2000), true, 250_000, now);
        } else {
            make(&mut book, n);
        }
        book.ack(0, start(n), NOW);
    }
    let state = book.poll(NOW).unwrap();
    let rendition = &state.renditions[0];
    assert_eq!(rendition.segments.len(), 5);
    assert_eq!(rendition.first_msn, NOW.0 / 2000 + 15);
    assert_eq!(rendition.discontinuity_sequence, 1);
    assert_eq!(rendition.inits, ["init-2"]);
    assert_eq!(rendition.bandwidth, 1_000_000);
    assert_eq!(rendition.target_duration_s, 2);
    assert_eq!(book.poll(NOW), None, "nothing changed");
}

#[test]
fn an_encoder_may_change_its_parameters_for_ever() {
    let mut book = book(10);
    for n in 0..500 {
        // Two sets of parameters in turn, and a new one now and then.
        let parameters = if n % 7 == 0 { std::format!("init-{n}") } else { std::format!("init-{}", n % 2) };
        book.init(init(&parameters));
        make(&mut book, n);
        book.ack_init(0, &parameters, NOW);
        book.ack(0, start(n), NOW);
        let state = book.snapshot(NOW);
        state.check().unwrap();
        let rendition = &state.renditions[0];
        let last = rendition.segments.last().unwrap();
        assert_eq!(rendition.inits[usize::from(last.init)], parameters);
        assert_eq!(last.on, 1, "segment {n} is listed");
    }
    assert!(book.inits.len() <= INITS_KEPT + 6, "{}", book.inits.len());
}

#[test]
fn the_target_duration_never_changes() {
    let mut book = book(60);
    book.ack_init(0, "init-1", NOW);
    let long = MediaSpan::from_ms(5000);
    for n in 0..10 {
        let now = NOW.plus_ms(6000 * n);
        let duration = if n == 5 { MediaSpan::from_ms(8000) } else { long };
        assert_eq!(book.is_too_long(duration), n == 5);
        book.segment(now.media(), duration, false, 1000, now);
        book.ack(0, now.media(), now);
        assert_eq!(book.snapshot(now).renditions[0].target_duration_s, 5);
    }
}

#[test]
fn what_playlists_promised_is_promised_again_after_a_restart() {
    let head = Head {
        channel: "t".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        key_period_s: 60,
        msn_min: 0,
    };
    let (len, sha256, captions) = (9, crate::hash::Hash::of(b""), Captions::default());
    let mut reel = Reel::new(head);
    reel.apply(Record::Init { n: 0, init: init("init-1"), len, sha256 }).unwrap();
    // Both were made before the first one was listed, and a later one broke the promise.
    let mut before = book(60);
    for (n, seconds) in [(1, 2), (2, 4), (3, 8)] {
        let (at, duration) = (start(u64::from(n) * 4), MediaSpan::from_ms(seconds * 1000));
        let (discontinuity, dependent) = (n == 1, false);
        if n == 3 {
            assert_eq!(before.promise(), None, "it may still be raised");
            before.ack_init(0, "init-1", NOW);
            before.ack(0, start(4), NOW);
            reel.apply(Record::Promise { target_s: before.promise().unwrap() }).unwrap();
        }
        before.segment(at, duration, discontinuity, 9, NOW);
        let segment =
            Record::Segment { n, start: at, duration, discontinuity, dependent, captions, len, sha256 };
        reel.apply(segment).unwrap();
    }
    assert_eq!(before.snapshot(NOW).renditions[0].target_duration_s, 4);
    for acked in [false, true] {
        for n in (0..4).filter(|_| acked) {
            reel.apply(Record::Ack { n, target: "a".parse().unwrap(), less: false }).unwrap();
        }
        let mut again = book(60);
        again.restore(&reel, NOW);
        again.ack_init(0, "init-1", NOW);
        again.ack(0, start(4), NOW);
        assert_eq!(again.snapshot(NOW).renditions[0].target_duration_s, 4);
    }
}

#[test]
fn a_segment_with_which_nobody_can_begin_is_told_of_for_good_and_has_no_key_frame() {
    let mut book = book(8);
    book.ack_init(0, "init-1", NOW);
    assert_eq!(book.target_s(), None);
    for n in 0..9 {
        make(&mut book, n);
        if n == 2 || n == 3 {
            assert_eq!(book.depends(start(n)), n == 2, "said once");
        }
        book.ack(0, start(n), NOW);
        book.frame(start(n), 1000, NOW);
        book.ack_frames_init(0, "init-1", NOW);
        book.ack_frame(0, start(n), NOW);
        let rendition = book.snapshot(NOW).renditions.remove(0);
        assert_eq!(rendition.dependent, n >= 2);
        for segment in rendition.segments {
            let has = segment.start != start(2) && segment.start != start(3);
            assert_eq!(segment.frame, Some(u32::from(has)));
        }
    }
    assert_eq!(book.target_s(), Some(2));
    assert_eq!(listed(&book).first(), Some(&(5, false, 1)), "it has left the window");
}

#[test]
fn a_lost_segment_takes_its_place_in_time() {
    let mut book = book(60);
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 1);
    make(&mut book, 0);
    book.ack(0, start(1), NOW);
    book.advance(NOW.plus_ms(6_000));
    assert_eq!(listed(&book), [(0, true, 0), (1, false, 1)]);
}

/// The disk took neither the init segment nor the first segment that needs it: that is where the discontinuity was.
#[test]
fn another_init_segment_behind_a_lost_segment_begins_with_a_discontinuity() {
    let mut book = book(6);
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 0);
    let now = NOW.plus_ms(2000);
    book.segment(now.media(), MediaSpan::from_ms(2000), true, 0, now);
    book.init(init("init-2"));
    book.ack_init(0, "init-2", NOW);
    (2..4).for_each(|n| make(&mut book, n));
    [0, 2, 3].into_iter().for_each(|n| book.ack(0, start(n), NOW));
    book.advance(NOW.plus_ms(6_000));
    let told = |book: &Book| {
        let rendition = book.snapshot(NOW).renditions.remove(0);
        let segments = rendition.segments.iter().map(|segment| (segment.gap, segment.discontinuity));
        (rendition.discontinuity_sequence, segments.collect::<Vec<_>>())
    };
    assert_eq!(told(&book), (1, vec![(true, true), (false, true), (false, false)]));
    make(&mut book, 4);
    book.ack(0, start(4), NOW);
    assert_eq!(told(&book), (2, vec![(false, true), (false, false), (false, false)]));
}

#[test]
fn revisions_rise_even_when_the_clock_does_not() {
    let mut book = book(10);
    assert_eq!(book.poll(NOW), None, "a book without segments must not wipe what the edge knows");
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 0);
    book.ack(0, start(0), NOW);
    let first = book.poll(NOW).unwrap().revision;
    let node = Node { up: false, ..book.slots()[0].clone().unwrap() };
    book.set_node(0, Some(node));
    let second = book.poll(UtcMs(NOW.0 - 3_600_000)).unwrap();
    assert!(second.revision > first);
    assert!(!second.nodes[0].up);
}

#[test]
fn what_a_receiver_kept_from_a_faster_clock_is_outbid() {
    let mut book = book(10);
    book.outbid(NOW.0 + 1);
    assert_eq!(book.poll(NOW), None, "nothing is told before something is listed");
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 0);
    book.ack(0, start(0), NOW);
    let first = book.poll(NOW).unwrap();
    assert_eq!(first.revision, NOW.0 + 2);
    assert_eq!(book.poll(NOW), None);
    // An hour ahead: the same is told again, above that, and from there on.
    let kept = NOW.0 + 3_600_000;
    book.outbid(kept);
    let again = book.poll(NOW.plus_ms(10)).unwrap();
    assert_eq!(again.revision, kept + 1);
    assert_eq!(again.renditions, first.renditions);
    make(&mut book, 1);
    book.ack(0, start(1), NOW.plus_ms(20));
    assert_eq!(book.poll(NOW.plus_ms(20)).unwrap().revision, kept + 2);
    // One that is no higher than what was told says nothing new.
    for kept in [0, kept, kept + 2] {
        book.outbid(kept);
        assert_eq!(book.poll(NOW.plus_ms(30)), None);
    }
}

#[test]
fn a_receivers_revision_is_outbid_unless_it_is_nonsense() {
    let mut book = book(10);
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 0);
    book.ack(0, start(0), NOW);
    assert_eq!(book.poll(NOW).unwrap().revision, NOW.0);
    // An earlier run's, on a clock that was ahead by a year.
    let ahead = NOW.plus_ms(366 * 86_400_000).0;
    book.outbid(ahead);
    assert_eq!(book.poll(NOW).unwrap().revision, ahead + 1);
    // No run ever made these: who takes them would take nothing after them.
    for nonsense in [NOW.plus_ms(OUTBID_MS_MAX + 1).0, u64::MAX] {
        book.outbid(nonsense);
        assert_eq!(book.poll(NOW).map(|state| state.revision <= ahead + 3), Some(true));
        book.outbid(nonsense);
        assert_eq!(book.poll(NOW), None, "the same once more is nothing new");
    }
}

proptest! {
    /// Whatever the order of acknowledgements: the list is contiguous, numbers never go back, nothing is listed twice,
    /// and what is listed is acknowledged or a gap.
    #[test]
    fn invariant_2_whatever_the_order_of_acknowledgements(
        steps in prop::collection::vec((0_u8..3, 0_u64..40, 0_usize..2), 1..200)
    ) {
        let mut book = book(30);
        book.ack_init(0, "init-1", NOW);
        book.ack_init(1, "init-1", NOW);
        let (mut made, mut now, mut acked) = (0, NOW, std::collections::BTreeSet::new());
        let mut last_end = 0;
        let mut player = linted::Loads::default();
        for (what, n, node) in steps {
            match what {
                0 => { make(&mut book, made); made += 1; now = now.plus_ms(2000) }
                1 if n < made => { book.ack(node, start(n), now); acked.insert((n, node)); }
                _ => { now = now.plus_ms(500); book.advance(now) }
            }
            let state = book.snapshot(now);
            prop_assert!(state.check().is_ok());
            let Some(rendition) = state.renditions.first() else { continue };
            player.load(&state);
            let listed = listed(&book);
            for pair in listed.windows(2) {
                prop_assert_eq!(pair[1].0, pair[0].0 + 1);
            }
            prop_assert_eq!(rendition.first_msn, NOW.0 / 2000 + listed[0].0, "no segment is skipped here");
            let end = rendition.first_msn + listed.len() as u64;
            prop_assert!(end >= last_end);
            last_end = end;
            for (n, gap, on) in listed {
                prop_assert!(gap || on != 0);
                for node in 0..2 {
                    prop_assert!(on >> node & 1 == 0 || acked.contains(&(n, node)));
                }
            }
        }
    }
}
