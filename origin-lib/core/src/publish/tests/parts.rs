use super::*;
use crate::package;
use crate::recording::{Head, Record, Reel};
use crate::state::{PARTS_IDLE_MS, PARTS_SPAN_MS_MAX, Part};

const PART_MS: u64 = 500;

fn low_latency() -> Book {
    let mut book = book(120);
    book.channel.part_ms = Some(PART_MS as u32);
    book.ack_init(0, "init-1", NOW);
    book.ack_init(1, "init-1", NOW);
    make(&mut book, 0);
    book.ack(0, start(0), NOW);
    book
}

fn at(segment: u64, part: u64) -> MediaTime {
    NOW.plus_ms(2000 * segment + PART_MS * part).media()
}

fn make_part(book: &mut Book, segment: u64, part: u64, now: UtcMs) {
    is_of_use(book, segment, part, now);
}

/// Makes a part, and says whether it is to be sent.
fn is_of_use(book: &mut Book, segment: u64, part: u64, now: UtcMs) -> bool {
    let made = package::Part {
        of: start(segment),
        start: at(segment, part),
        duration: MediaSpan::from_ms(PART_MS as i64),
        discontinuity: false,
        independent: part == 0,
        init: "init-1".to_string(),
    };
    book.part(&made, now)
}

/// What is listed of parts: segment and part, and where it is.
fn parts(book: &Book) -> Vec<(u64, u64, u32)> {
    let state = book.snapshot(NOW);
    state.check().unwrap();
    let short = |part: &Part| {
        let of = part.of.utc().ms_since(NOW) / 2000;
        let n = part.start.utc().ms_since(part.of.utc()) / PART_MS;
        (of, n, part.on)
    };
    state.renditions[0].parts.iter().map(short).collect()
}

#[test]
fn invariant_2_a_part_is_listed_only_where_it_and_its_init_are_acknowledged() {
    let mut book = low_latency();
    make_part(&mut book, 1, 0, NOW);
    assert_eq!(parts(&book), []);
    book.ack_part(1, at(1, 0), NOW);
    assert_eq!(parts(&book), [(1, 0, 2)]);
    book.ack_part(0, at(1, 0), NOW);
    assert_eq!(parts(&book), [(1, 0, 3)]);
    // One whose init segment is nowhere is not listed, wherever it is itself.
    let part = package::Part {
        of: start(1),
        start: at(1, 1),
        duration: MediaSpan::from_ms(500),
        discontinuity: false,
        independent: false,
        init: "init-2".to_string(),
    };
    book.part(&part, NOW);
    book.ack_part(0, at(1, 1), NOW);
    assert_eq!(parts(&book).len(), 1);
    book.init(init("init-2"));
    book.ack_init(1, "init-2", NOW);
    assert_eq!(parts(&book).len(), 1, "its init segment is at the other node");
    book.ack_init(0, "init-2", NOW);
    assert_eq!(parts(&book), [(1, 0, 3), (1, 1, 1)]);
    assert_eq!(book.snapshot(NOW).renditions[0].parts[1].init, 1);
}

fn of_init(name: &str, segment: u64, part: u64) -> package::Part {
    package::Part {
        of: start(segment),
        start: at(segment, part),
        duration: MediaSpan::from_ms(PART_MS as i64),
        discontinuity: false,
        independent: part == 0,
        init: name.to_string(),
    }
}

/// It was listed by what the targets have since the encoder had these parameters before.
#[test]
fn a_part_stays_where_it_is_when_its_init_segment_is_made_again() {
    let mut book = low_latency();
    book.init(init("init-2"));
    book.part(&of_init("init-1", 1, 0), NOW);
    book.ack_part(0, at(1, 0), NOW);
    assert_eq!(parts(&book), [(1, 0, 1)]);
    book.init(init("init-1"));
    assert_eq!(parts(&book), [(1, 0, 1)]);
}

#[test]
fn parts_say_of_a_discontinuity_what_their_segment_will() {
    let mut book = low_latency();
    // The disk loses the segment with which another init segment would have begun.
    book.segment(start(1), MediaSpan::from_ms(2000), true, 0, NOW);
    book.init(init("init-2"));
    book.ack_init(0, "init-2", NOW);
    make(&mut book, 2);
    book.ack(0, start(2), NOW);
    book.was_gap(start(1), NOW);
    let mut told = Vec::new();
    for (segment, part) in [(3, 0), (3, 1), (4, 0)] {
        book.part(&of_init(if segment == 3 { "init-2" } else { "init-1" }, segment, part), NOW);
        book.ack_part(0, at(segment, part), NOW);
        let rendition = book.snapshot(NOW).renditions.remove(0);
        told.push(rendition.parts.iter().map(|part| part.discontinuity).collect::<Vec<_>>());
    }
    assert_eq!(told, [vec![false], vec![false; 2], vec![false, false, true]]);
    let mut book = low_latency();
    book.segment(start(1), MediaSpan::from_ms(2000), true, 0, NOW);
    book.was_gap(start(1), NOW);
    book.init(init("init-2"));
    book.ack_init(0, "init-2", NOW);
    for (segment, part) in [(2, 0), (2, 1), (3, 0)] {
        book.part(&of_init("init-2", segment, part), NOW);
        book.ack_part(0, at(segment, part), NOW);
    }
    let rendition = book.snapshot(NOW).renditions.remove(0);
    let told: Vec<bool> = rendition.parts.iter().map(|part| part.discontinuity).collect();
    assert_eq!(told, [true, true, false]);
}

#[test]
fn a_part_that_is_late_holds_back_those_behind_it_and_is_never_a_gap() {
    let mut book = low_latency();
    (0..3).for_each(|part| make_part(&mut book, 1, part, NOW));
    book.ack_part(0, at(1, 1), NOW);
    book.advance(NOW.plus_ms(60_000));
    assert_eq!(parts(&book), []);
    book.ack_part(0, at(1, 0), NOW.plus_ms(60_000));
    assert_eq!(parts(&book), [(1, 0, 1), (1, 1, 1)]);
}

#[test]
fn parts_of_a_segment_that_began_unseen_are_not_listed() {
    let mut book = low_latency();
    for (segment, part) in [(1, 1), (1, 2), (2, 0), (2, 1)] {
        make_part(&mut book, segment, part, NOW);
        book.ack_part(0, at(segment, part), NOW);
    }
    assert_eq!(parts(&book), [(2, 0, 1), (2, 1, 1)]);
}

#[test]
fn a_segment_that_overtakes_one_of_its_parts_waits_for_it() {
    let mut book = low_latency();
    (0..4).for_each(|part| make_part(&mut book, 1, part, NOW));
    (0..3).for_each(|part| book.ack_part(0, at(1, part), NOW));
    make(&mut book, 1);
    book.ack(0, start(1), NOW);
    make_part(&mut book, 2, 0, NOW);
    book.ack_part(0, at(2, 0), NOW);
    assert_eq!(parts(&book), [(1, 0, 1), (1, 1, 1), (1, 2, 1)], "who plays them goes on");
    assert_eq!(listed(&book).len(), 1);
    book.ack_part(0, at(1, 3), NOW.plus_ms(1_999));
    assert_eq!(parts(&book), [(1, 0, 1), (1, 1, 1), (1, 2, 1), (1, 3, 1), (2, 0, 1)]);
    assert_eq!(listed(&book).len(), 2);
}

#[test]
fn a_segment_that_has_waited_for_its_own_duration_takes_the_place_of_all_its_parts() {
    let mut book = low_latency();
    (0..4).for_each(|part| make_part(&mut book, 1, part, NOW));
    book.ack_part(0, at(1, 0), NOW);
    assert_eq!(parts(&book), [(1, 0, 1)]);
    make(&mut book, 1);
    make_part(&mut book, 2, 0, NOW);
    book.ack_part(0, at(2, 0), NOW);
    book.ack(0, start(1), NOW);
    book.ack(1, start(1), NOW.plus_ms(1_000));
    book.advance(NOW.plus_ms(1_999));
    assert_eq!(parts(&book), [(1, 0, 1)]);
    book.advance(NOW.plus_ms(2_000));
    assert_eq!(parts(&book), [(2, 0, 1)]);
    // It comes too late.
    (1..4).for_each(|part| book.ack_part(0, at(1, part), NOW.plus_ms(2_000)));
    assert_eq!(parts(&book), [(2, 0, 1)]);
}

#[test]
fn a_segment_of_which_no_part_is_listed_waits_for_none() {
    let mut book = low_latency();
    (0..4).for_each(|part| make_part(&mut book, 1, part, NOW));
    (1..4).for_each(|part| book.ack_part(0, at(1, part), NOW));
    make(&mut book, 1);
    book.ack(0, start(1), NOW);
    assert_eq!((listed(&book).len(), parts(&book)), (2, vec![]));
}

#[test]
fn parts_of_the_newest_segments_stay_and_older_ones_go() {
    let mut book = low_latency();
    for segment in 1..8 {
        for part in 0..4 {
            make_part(&mut book, segment, part, NOW);
            book.ack_part(0, at(segment, part), NOW);
        }
        make(&mut book, segment);
        book.ack(0, start(segment), NOW);
        make_part(&mut book, segment + 1, 0, NOW);
        book.ack_part(0, at(segment + 1, 0), NOW);
    }
    let segments: Vec<u64> = parts(&book).iter().map(|(segment, ..)| *segment).collect();
    assert_eq!(segments, [5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8]);
    // Those of a segment that never came go with the next one that does.
    make(&mut book, 9);
    book.ack(0, start(9), NOW);
    assert!(parts(&book).iter().all(|(segment, ..)| [6, 7].contains(segment)), "{:?}", parts(&book));
}

#[test]
fn a_node_that_goes_takes_its_parts_along_and_bounds_hold() {
    let mut book = low_latency();
    make_part(&mut book, 1, 0, NOW);
    book.ack_part(0, at(1, 0), NOW);
    book.set_node(0, None);
    assert_eq!(parts(&book), [(1, 0, 0)]);
    for part in 1..2000 {
        make_part(&mut book, 1, part, NOW);
        book.ack_part(1, at(1, part), NOW);
    }
    for segment in 1000..2000 {
        make_part(&mut book, segment, 0, NOW);
        book.ack_part(1, at(segment, 0), NOW);
    }
    assert!(parts(&book).len() <= crate::state::PARTS_MAX);
    book.ack_part(1, at(1, 0), NOW);
    book.ack_part(40, at(1, 5), NOW);
}

#[test]
fn a_channel_without_low_latency_says_nothing_of_parts() {
    let mut book = book(120);
    book.ack_init(0, "init-1", NOW);
    make(&mut book, 0);
    book.ack(0, start(0), NOW);
    let json = serde_json::to_string(&book.snapshot(NOW)).unwrap();
    assert!(!json.contains("part"), "{json}");
}

#[test]
fn invariant_2_no_part_is_listed_that_nobody_followed_for_long() {
    let mut book = low_latency();
    for part in 0..4 {
        make_part(&mut book, 1, part, NOW);
        book.ack_part(0, at(1, part), NOW);
    }
    make(&mut book, 1);
    book.ack(0, start(1), NOW);
    make_part(&mut book, 2, 0, NOW.plus_ms(500));
    book.ack_part(0, at(2, 0), NOW.plus_ms(500));
    let idle = NOW.plus_ms(500 + PARTS_IDLE_MS);
    assert!(book.poll(NOW.plus_ms(500)).is_some());
    assert!(book.poll(UtcMs(idle.0 - 1)).is_none());
    // That further ones are made, which no target takes, brings none of these back to where it was deleted.
    make_part(&mut book, 2, 1, UtcMs(idle.0 - 1));
    assert_eq!(parts(&book).len(), 5);
    assert!(
        book.poll(idle).is_some_and(|state| state.renditions[0].parts.is_empty()),
        "edges must hear of it"
    );
    assert!(book.poll(idle).is_none());
    // What is left of the segment comes as a whole; the next one has parts again.
    make_part(&mut book, 2, 2, idle);
    book.ack_part(0, at(2, 2), idle);
    make(&mut book, 2);
    book.ack(0, start(2), idle);
    make_part(&mut book, 3, 0, idle);
    book.ack_part(0, at(3, 0), idle);
    assert_eq!(parts(&book), [(3, 0, 1)]);
}

#[test]
fn invariant_2_parts_whose_segments_never_come_are_not_listed_for_longer_than_targets_keep_them() {
    // The disk takes nothing, and so no segment goes out; parts do.
    let mut book = low_latency();
    let mut listed_ms = 0;
    for segment in 1..200 {
        for part in 0..4 {
            make_part(&mut book, segment, part, at(segment, part).utc());
            book.ack_part(0, at(segment, part), at(segment, part).utc());
            let Some((of, n, _)) = parts(&book).first().copied() else { continue };
            let age_ms = (at(segment, part) - at(of, n)).ms() as u64;
            assert_eq!(
                (of, n),
                (1, 0),
                "no other segment's parts come first where players wait for this one's"
            );
            listed_ms = listed_ms.max(age_ms);
        }
    }
    assert_eq!(listed_ms, PARTS_SPAN_MS_MAX);
    assert_eq!(parts(&book), []);
    // Parts come again with the segments.
    let now = at(200, 0).utc();
    for segment in 1..200 {
        make(&mut book, segment);
        book.ack(0, start(segment), now);
    }
    make_part(&mut book, 200, 0, now);
    book.ack_part(0, at(200, 0), now);
    assert_eq!(parts(&book).last(), Some(&(200, 0, 1)));
}

#[test]
fn parts_that_were_given_up_leave_their_place_to_their_segment() {
    let mut book = low_latency();
    make_part(&mut book, 1, 0, NOW);
    book.ack_part(0, at(1, 0), NOW);
    let idle = NOW.plus_ms(PARTS_IDLE_MS);
    book.advance(idle);
    assert_eq!(parts(&book), []);
    // The feed is back: the segment is whole, and not at any target yet.
    make_part(&mut book, 1, 1, idle);
    make_part(&mut book, 2, 0, idle);
    book.ack_part(0, at(2, 0), idle);
    assert_eq!(parts(&book), [], "players would take it for a part of the one before");
    make(&mut book, 1);
    book.ack(0, start(1), idle);
    assert_eq!(parts(&book), [(2, 0, 1)]);
}

#[test]
fn parts_after_a_restart_wait_for_what_was_made_before_it() {
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
    for n in 1..3 {
        let (start, duration) = (start(u64::from(n) - 1), MediaSpan::from_ms(2000));
        let (discontinuity, dependent) = (n == 1, false);
        let segment = Record::Segment { n, start, duration, discontinuity, dependent, captions, len, sha256 };
        reel.apply(segment).unwrap();
    }
    for n in 0..2 {
        reel.apply(Record::Ack { n, target: "a".parse().unwrap(), less: false }).unwrap();
    }
    let mut book = book(120);
    book.channel.part_ms = Some(PART_MS as u32);
    book.restore(&reel, NOW);
    make_part(&mut book, 2, 0, NOW);
    book.ack_part(0, at(2, 0), NOW);
    assert_eq!((listed(&book).len(), parts(&book)), (1, vec![]), "it would seem to be of the second segment");
    book.ack(0, start(1), NOW);
    assert_eq!((listed(&book).len(), parts(&book)), (2, vec![(2, 0, 1)]));
}

#[test]
fn invariant_2_a_part_that_comes_long_after_its_time_is_not_listed() {
    for (segment, part) in [(1, 2), (2, 0)] {
        let mut book = low_latency();
        for n in 0..4 {
            let first = segment > 1 || n < part;
            if first && is_of_use(&mut book, 1, n, at(1, n + 1).utc()) {
                book.ack_part(0, at(1, n), at(1, n + 1).utc());
            }
        }
        if segment > 1 {
            make(&mut book, 1);
            book.ack(0, start(1), at(2, 0).utc());
        }
        assert!(!parts(&book).is_empty());
        // The feed stands still, and is given up. The other origin, to which its encoder had ended it, made the rest at once.
        let late = at(segment, part + 1).utc().plus_ms(PARTS_IDLE_MS + 1);
        assert!(!is_of_use(&mut book, segment, part, late), "it is sent nowhere");
        book.ack_part(0, at(segment, part), late);
        // The next one has the same lag, and no part before it.
        make_part(&mut book, segment, part + 1, late);
        book.ack_part(0, at(segment, part + 1), late);
        assert_eq!(parts(&book), []);
        make(&mut book, segment);
        book.ack(0, start(segment), late);
        assert_eq!(parts(&book), [], "it comes as a whole");
        // The feed is back.
        assert!(is_of_use(&mut book, 50, 0, at(50, 1).utc()));
        book.ack_part(0, at(50, 0), at(50, 1).utc());
        assert_eq!(parts(&book), [(50, 0, 1)]);
    }
}
