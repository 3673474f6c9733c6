//! Key frames in the book.

use super::*;
use crate::playlist;
use crate::playlist::tests::linted::Linter;

/// Which slots have the key frame of each listed segment, with its init segment.
fn frames(book: &Book) -> Vec<Option<u32>> {
    let state = book.snapshot(NOW);
    state.renditions.iter().flat_map(|rendition| &rendition.segments).map(|segment| segment.frame).collect()
}

fn made(book: &mut Book, n: u64) {
    make(book, n);
    book.frame(start(n), 50_000, NOW.plus_ms(2000 * n));
}

#[test]
fn a_key_frame_is_listed_where_it_and_its_init_segment_are_acknowledged() {
    let mut book = book(120);
    book.ack_init(0, "init-1", NOW);
    book.ack_init(1, "init-1", NOW);
    made(&mut book, 0);
    book.ack_frame(1, start(0), NOW);
    book.ack(0, start(0), NOW);
    assert_eq!(frames(&book), [Some(0)], "its init segment is nowhere");
    book.ack_frames_init(0, "init-1", NOW);
    book.ack_frames_init(1, "init-1", NOW);
    assert_eq!(frames(&book), [Some(2)]);
    book.ack_frame(0, start(0), NOW);
    assert_eq!(frames(&book), [Some(3)]);
    book.set_node(1, None);
    assert_eq!(frames(&book), [Some(1)]);
    assert_eq!(book.snapshot(NOW).renditions[0].frames_bandwidth, 200_000);
}

#[test]
fn segments_wait_for_no_key_frame_and_one_that_does_not_come_is_a_gap_for_good() {
    let mut book = book(120);
    book.ack_init(0, "init-1", NOW);
    book.ack_frames_init(0, "init-1", NOW);
    for n in 0..3 {
        made(&mut book, n);
        book.ack(0, start(n), NOW);
    }
    book.ack_frame(0, start(1), NOW);
    assert_eq!(frames(&book), [None, Some(1), None]);
    let late = NOW.plus_ms(2000 * GAP_WAIT_SEGMENTS - 1);
    book.advance(late);
    assert_eq!(frames(&book), [None, Some(1), None]);
    book.advance(late.plus_ms(1));
    assert_eq!(frames(&book), [Some(0), Some(1), None]);
    book.ack_frame(0, start(0), late);
    book.ack_frame(0, start(2), late);
    assert_eq!(frames(&book), [Some(0), Some(1), Some(1)]);
    // A segment that is a gap has none to wait for.
    for n in 3..5 {
        made(&mut book, n);
    }
    book.ack(0, start(4), late);
    book.advance(late.plus_ms(2000 * GAP_WAIT_SEGMENTS));
    assert_eq!(frames(&book)[3..], [Some(0), None]);
}

#[test]
fn a_channel_that_begins_to_have_key_frames_has_gaps_before() {
    let mut book = book(120);
    book.ack_init(0, "init-1", NOW);
    for n in 0..20 {
        make(&mut book, n);
        book.ack(0, start(n), NOW);
    }
    assert_eq!(book.snapshot(NOW).renditions[0].frames_bandwidth, 0);
    assert_eq!(frames(&book), [None; 20]);
    book.ack_frames_init(0, "init-1", NOW);
    made(&mut book, 20);
    book.ack(0, start(20), NOW);
    book.ack_frame(0, start(20), NOW);
    let later = NOW.plus_ms(2000 * (20 + 2 * GAP_WAIT_SEGMENTS));
    // Those of the last few could still come.
    for _ in 0..=GAP_WAIT_SEGMENTS {
        book.advance(later);
    }
    assert_eq!(frames(&book)[..18], [Some(0); 18]);
}

/// What happens to a channel with key frames.
#[derive(Clone, Copy, Debug)]
enum Step {
    Made,
    Acked { node: usize, back: u64, frame: bool },
    Time { ms: u64 },
    Ended,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Made),
        6 => (0_usize..2, 0_u64..5, any::<bool>())
            .prop_map(|(node, back, frame)| Step::Acked { node, back, frame }),
        2 => (100_u64..3000).prop_map(|ms| Step::Time { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is acknowledged when, a player of key frames sees a list that only grows, and never another one in its place.
    #[test]
    fn key_frames_are_sound_at_every_step(steps in prop::collection::vec(any_step(), 1..150)) {
        let mut book = book(20);
        for node in 0..2 {
            book.ack_init(node, "init-1", NOW);
            book.ack_frames_init(node, "init-1", NOW);
        }
        let (mut now, mut count) = (NOW, 0);
        let mut player = Linter::default();
        for step in steps.into_iter().chain([Step::Ended]) {
            match step {
                Step::Made => {
                    made(&mut book, count);
                    count += 1;
                    now = UtcMs(now.0.max(NOW.0 + 2000 * count));
                }
                Step::Acked { node, back, frame } => {
                    let Some(n) = count.checked_sub(back + 1) else { continue };
                    if frame { book.ack_frame(node, start(n), now) } else { book.ack(node, start(n), now) }
                }
                Step::Time { ms } => {
                    now = now.plus_ms(ms);
                    book.advance(now);
                }
                Step::Ended => book.set_phase(Phase::Ended),
            }
            let state = book.snapshot(now);
            prop_assert!(state.check().is_ok());
            let order: Vec<_> = state.nodes.iter().map(|node| node.id.clone()).collect();
            let text = playlist::frames(&state, &"source".parse().unwrap(), &order, false);
            text.iter().for_each(|text| player.load(text));
        }
    }
}
