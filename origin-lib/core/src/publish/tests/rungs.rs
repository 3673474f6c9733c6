use super::linted::Loads;
use super::*;
use crate::recording::{Head, Record, Reel, View};
use crate::state::Rendition;

const SEGMENT: MediaSpan = MediaSpan::from_ms(2000);

fn low() -> RenditionId {
    "low".parse().unwrap()
}

fn with_low() -> Book {
    let mut book = book(20);
    book.rungs.push(Rung::new(low()));
    book.ack_init(0, "init-1", NOW);
    book.rung_init(&low(), init("init-low"));
    book.ack_rung_init(0, &low(), "init-low", NOW);
    book
}

fn at(n: u64) -> MediaTime {
    NOW.plus_ms(2000 * n).media()
}

fn source(book: &mut Book, n: u64, now: UtcMs) {
    book.segment(at(n), SEGMENT, n == 0, 100_000, now);
    book.ack(0, at(n), now);
}

fn rung(book: &mut Book, n: u64, now: UtcMs) {
    book.rung_segment(&low(), at(n), (SEGMENT, Captions::default()), 10_000, now);
}

/// Of each rendition the number of the first segment, and which ones are gaps.
fn told(book: &Book) -> Vec<(u64, String)> {
    let state = book.snapshot(NOW);
    assert!(state.check().is_ok());
    let shown = |segment: &Segment| if segment.gap { '-' } else { 'x' };
    let of = |rendition: &Rendition| (rendition.first_msn, rendition.segments.iter().map(shown).collect());
    state.renditions.iter().map(of).collect()
}

#[test]
fn a_rung_has_the_numbers_of_the_source_and_is_listed_behind_it() {
    let mut book = with_low();
    source(&mut book, 0, NOW);
    let (first, _) = told(&book)[0];
    assert_eq!(told(&book), [(first, "x".into())], "there is nothing to see of the rung yet");
    rung(&mut book, 0, NOW);
    rung(&mut book, 1, NOW);
    book.ack_rung(0, &low(), at(1), NOW);
    assert_eq!(told(&book).len(), 1, "its first one is not there yet, and the source's second is not listed");
    book.ack_rung(0, &low(), at(0), NOW);
    assert_eq!(told(&book), [(first, "x".into()), (first, "x".into())]);
    source(&mut book, 1, NOW);
    assert_eq!(told(&book), [(first, "xx".into()), (first, "xx".into())]);
    // The window moves on, and the rung with it.
    for n in 2..15 {
        source(&mut book, n, NOW);
        rung(&mut book, n, NOW);
        book.ack_rung(0, &low(), at(n), NOW);
    }
    let state = book.snapshot(NOW);
    let [of, rung] = &*state.renditions else { panic!("two renditions") };
    assert!(of.first_msn > first);
    assert_eq!((rung.first_msn, rung.segments.len()), (of.first_msn, of.segments.len()));
    assert_eq!(rung.discontinuity_sequence, of.discontinuity_sequence);
    assert!(
        rung.segments.iter().zip(&of.segments).all(|(a, b)| a.start == b.start && a.duration == b.duration)
    );
}

#[test]
fn what_a_rung_will_not_have_is_a_gap_at_once_and_what_it_does_not_make_one_after_a_while() {
    let mut book = with_low();
    for n in 0..2 {
        source(&mut book, n, NOW);
    }
    book.rung_lost(&low(), at(0), NOW);
    rung(&mut book, 1, NOW);
    book.ack_rung(0, &low(), at(1), NOW);
    assert_eq!(told(&book)[1].1, "-x");
    // Nothing is said of what follows.
    for n in 2..9 {
        source(&mut book, n, NOW);
    }
    assert_eq!(told(&book)[1].1, "-x-", "the source is six segments ahead");
    // What comes after it was given up is no use.
    rung(&mut book, 2, NOW);
    book.ack_rung(0, &low(), at(2), NOW);
    assert_eq!(told(&book)[1].1, "-x-");
}

#[test]
fn what_a_target_does_not_take_of_a_rung_is_a_gap_once_later_ones_are_there() {
    let mut book = with_low();
    for n in 0..3 {
        source(&mut book, n, NOW);
        rung(&mut book, n, NOW);
    }
    book.ack_rung(0, &low(), at(0), NOW);
    book.ack_rung(0, &low(), at(2), NOW);
    assert_eq!(told(&book)[1].1, "x");
    book.advance(NOW.plus_ms(5_999));
    assert_eq!(told(&book)[1].1, "x");
    book.advance(NOW.plus_ms(6_000));
    assert_eq!(told(&book)[1].1, "x-x");
}

#[test]
fn a_rung_that_never_had_anything_is_not_shown_and_neither_is_one_that_is_not_the_channels() {
    let mut book = with_low();
    let other: RenditionId = "other".parse().unwrap();
    book.rung_init(&other, init("init-other"));
    for n in 0..9 {
        source(&mut book, n, NOW);
        book.rung_segment(&other, at(n), (SEGMENT, Captions::default()), 1, NOW);
        book.ack_rung(0, &other, at(n), NOW);
    }
    assert_eq!(told(&book).len(), 1);
}

#[test]
fn a_node_that_goes_takes_with_it_what_only_it_has() {
    let mut book = with_low();
    source(&mut book, 0, NOW);
    rung(&mut book, 0, NOW);
    book.ack_rung(0, &low(), at(0), NOW);
    book.set_node(0, None);
    let state = book.snapshot(NOW);
    assert_eq!(state.renditions[1].segments[0].on, 0);
}

#[test]
fn a_restart_lists_the_same_of_a_rung_and_a_replay_has_gaps_where_it_lacks_something() {
    let (target, origin) = ("a".parse().unwrap(), "north".parse().unwrap());
    let mut reel = Reel::new(Head {
        channel: "t".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        key_period_s: 60,
        msn_min: 0,
    });
    let hash = crate::hash::Hash::of(b"");
    let mut n = 0;
    let mut put = |record: &dyn Fn(u32) -> Record| {
        reel.apply(record(n)).unwrap();
        reel.apply(Record::Ack { n, target: "a".parse().unwrap(), less: false }).unwrap();
        n += 1;
    };
    let captions = Captions::default();
    put(&|n| Record::Init { n, init: init("init-1"), len: 1, sha256: hash });
    put(&|n| Record::RungInit { n, rendition: low(), init: init("init-low"), len: 1, sha256: hash });
    for of in 0..4 {
        let (start, duration, discontinuity) = (at(of), SEGMENT, of == 0);
        put(&|n| Record::Segment {
            n,
            start,
            duration,
            discontinuity,
            dependent: false,
            captions,
            len: 9,
            sha256: hash,
        });
        if of != 1 {
            put(&|n| Record::RungSegment {
                n,
                rendition: low(),
                start,
                duration,
                captions,
                len: 3,
                sha256: hash,
            });
        }
    }
    assert_eq!(reel.order().len(), 4, "the source's alone");
    assert_eq!(reel.bit(&target).unwrap(), 0);
    let mut book = book(20);
    book.rungs.push(Rung::new(low()));
    book.restore(&reel, NOW);
    book.rung_lost(&low(), at(1), NOW);
    let (first, _) = told(&book)[0];
    assert_eq!(told(&book), [(first, "xxxx".into()), (first, "x-xx".into())]);
    let slots = book.slots().clone();
    let listed: Vec<MediaTime> = book.rungs_listed().map(|(_, up_to)| up_to).collect();
    assert_eq!(listed, [MediaTime(at(3).0 + 1)]);
    let view = View { listed: 4, first_msn: 7, title: "T", origin: &origin, slots: &slots, rungs: &[at(3)] };
    let chapter = reel.chapter(0, &view, NOW);
    assert!(chapter.check().is_ok());
    let gaps = |at: usize| chapter.renditions[at].segments.iter().map(|of| of.gap).collect::<Vec<_>>();
    assert_eq!(gaps(0), [false; 4]);
    assert_eq!(gaps(1), [false, true, false], "the last one is not listed live");
    assert_eq!(chapter.renditions[1].first_msn, 7);
    let name = reel.name(&reel.objects()[3]);
    assert!(name.starts_with("t/low/"), "{name}");
}

#[test]
fn what_was_not_made_of_a_rung_before_a_restart_is_a_gap_at_once_and_a_gap_stays_one() {
    let mut reel = Reel::new(Head {
        channel: "t".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        key_period_s: 60,
        msn_min: 0,
    });
    let (hash, captions) = (crate::hash::Hash::of(b""), Captions::default());
    let mut book = book(20);
    book.rungs.push(Rung::new(low()));
    let mut n = 0;
    let mut put = |reel: &mut Reel, acked: bool, record: &dyn Fn(u32) -> Record| {
        reel.apply(record(n)).unwrap();
        if acked {
            reel.apply(Record::Ack { n, target: "a".parse().unwrap(), less: false }).unwrap();
        }
        n += 1;
    };
    put(&mut reel, true, &|n| Record::Init { n, init: init("init-1"), len: 1, sha256: hash });
    put(&mut reel, true, &|n| Record::RungInit {
        n,
        rendition: low(),
        init: init("init-low"),
        len: 1,
        sha256: hash,
    });
    book.ack_init(0, "init-1", NOW);
    book.rung_init(&low(), init("init-low"));
    book.ack_rung_init(0, &low(), "init-low", NOW);
    // The second comes to no target in time, and the last two are being made when the origin dies.
    for of in 0..6 {
        let (start, duration, discontinuity) = (at(of), SEGMENT, of == 0);
        put(&mut reel, true, &|n| Record::Segment {
            n,
            start,
            duration,
            discontinuity,
            dependent: false,
            captions,
            len: 9,
            sha256: hash,
        });
        source(&mut book, of, NOW);
        if of < 4 {
            let rendition = low();
            put(&mut reel, of != 1, &|n| {
                let rendition = rendition.clone();
                Record::RungSegment { n, rendition, start, duration, captions, len: 3, sha256: hash }
            });
            rung(&mut book, of, NOW);
        }
    }
    [0, 2, 3].into_iter().for_each(|of| book.ack_rung(0, &low(), at(of), NOW));
    assert_eq!(told(&book)[1].1, "x");
    book.advance(NOW.plus_ms(6_000));
    assert_eq!(told(&book)[1].1, "x-xx");
    assert_eq!(book.take_rung_gaps(), [(low(), at(1))]);
    assert_eq!(book.take_rung_gaps(), []);
    let number = reel.rungs()[0].at(at(1)).unwrap();
    reel.apply(Record::RungGap { n: number }).unwrap();

    let mut again = self::book(20);
    again.rungs.push(Rung::new(low()));
    again.restore(&reel, NOW);
    assert_eq!(told(&again)[1].1, "x-xx--");
    // A target that takes it at last changes nothing of that.
    again.ack_rung(0, &low(), at(1), NOW);
    assert_eq!(told(&again)[1].1, "x-xx--");
    assert_eq!(again.take_rung_gaps(), [], "it is known");
    // What comes too late is remembered as a gap, too.
    rung(&mut again, 4, NOW);
    assert_eq!(again.take_rung_gaps(), [(low(), at(4))]);
    source(&mut again, 6, NOW);
    rung(&mut again, 6, NOW);
    again.ack_rung(0, &low(), at(6), NOW);
    assert_eq!(told(&again)[1].1, "x-xx--x");
}

#[test]
fn the_first_snapshot_waits_a_while_for_rungs_of_which_there_may_be_something_to_see() {
    let renditions = |state: Option<ChannelState>| state.map(|state| state.renditions.len());
    // It comes.
    let mut book = with_low();
    source(&mut book, 0, NOW);
    assert_eq!(renditions(book.poll(NOW)), None);
    rung(&mut book, 0, NOW);
    assert_eq!(renditions(book.poll(NOW)), None);
    book.ack_rung(0, &low(), at(0), NOW);
    assert_eq!(renditions(book.poll(NOW)), Some(2));
    // Its first segment is lost: the second may come.
    let mut book = with_low();
    source(&mut book, 0, NOW);
    book.rung_lost(&low(), at(0), NOW);
    assert_eq!(renditions(book.poll(NOW)), None);
    source(&mut book, 1, NOW);
    rung(&mut book, 1, NOW);
    book.ack_rung(0, &low(), at(1), NOW);
    assert_eq!(renditions(book.poll(NOW)), Some(2));
    // No longer than that, nor again, nor once nothing more comes.
    let mut book = with_low();
    source(&mut book, 0, NOW);
    book.rung_lost(&low(), at(0), NOW);
    assert_eq!(renditions(book.poll(NOW.plus_ms(3_999))), None);
    assert_eq!(renditions(book.poll(NOW.plus_ms(4_000))), Some(1));
    source(&mut book, 1, NOW.plus_ms(4_000));
    assert_eq!(renditions(book.poll(NOW.plus_ms(4_000))), Some(1), "only the first one waits");
    let mut book = with_low();
    source(&mut book, 0, NOW);
    book.rung_lost(&low(), at(0), NOW);
    book.set_phase(Phase::Ended);
    assert_eq!(renditions(book.poll(NOW)), Some(1));
    // Nothing is said.
    let mut book = with_low();
    source(&mut book, 0, NOW);
    assert_eq!(renditions(book.poll(NOW.plus_ms(3_999))), None);
    assert_eq!(renditions(book.poll(NOW.plus_ms(4_000))), Some(1));
}

#[test]
fn the_end_is_told_once_a_rung_is_listed_as_far_as_the_source_or_was_waited_for() {
    let phase = |book: &mut Book, ms: u64| {
        let (mut phase, now) = (None, NOW.plus_ms(ms));
        while let Some(state) = book.poll(now) {
            let [source, rung] = &*state.renditions else { panic!("two renditions") };
            assert!(state.phase != Phase::Ended || rung.segments.len() == source.segments.len());
            phase = Some(state.phase);
        }
        phase
    };
    let begun = || {
        let mut book = with_low();
        book.set_phase(Phase::Live);
        (0..3).for_each(|n| source(&mut book, n, NOW));
        (0..2).for_each(|n| rung(&mut book, n, NOW));
        (0..2).for_each(|n| book.ack_rung(0, &low(), at(n), NOW));
        book.set_phase(Phase::Ended);
        assert_eq!(phase(&mut book, 0), Some(Phase::Live));
        book
    };
    let mut book = begun();
    rung(&mut book, 2, NOW);
    assert_eq!(phase(&mut book, 100), None);
    book.ack_rung(0, &low(), at(2), NOW);
    assert_eq!(phase(&mut book, 100), Some(Phase::Ended));
    assert_eq!(told(&book)[1].1, "xxx");
    let mut book = begun();
    assert_eq!(phase(&mut book, 5_999), None);
    assert_eq!(phase(&mut book, 6_000), Some(Phase::Ended));
    assert_eq!(told(&book)[1].1, "xx-");
    // Nobody can wait for it.
    let mut book = begun();
    book.stop(NOW.plus_ms(100));
    assert_eq!(phase(&mut book, 100), Some(Phase::Ended));
    assert_eq!(told(&book)[1].1, "xx-");
}

#[test]
fn an_origin_that_stops_gives_up_nothing_of_a_rung_whose_channel_goes_on() {
    let mut book = with_low();
    book.set_phase(Phase::Live);
    (0..3).for_each(|n| source(&mut book, n, NOW));
    rung(&mut book, 0, NOW);
    book.ack_rung(0, &low(), at(0), NOW);
    book.stop(NOW);
    assert_eq!(told(&book)[1].1, "x");
}

#[derive(Clone, Copy, Debug)]
enum Happens {
    Made { away: bool },
    Rung { back: u64, lost: bool },
    Acked { back: u64, rung: bool },
    Time { ms: u64 },
}

fn anything() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => prop::bool::weighted(0.05).prop_map(|away| Happens::Made { away }),
        4 => (0_u64..4, prop::bool::weighted(0.1)).prop_map(|(back, lost)| Happens::Rung { back, lost }),
        8 => (0_u64..4, any::<bool>()).prop_map(|(back, rung)| Happens::Acked { back, rung }),
        2 => (100_u64..3000).prop_map(|ms| Happens::Time { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever comes late or never, the playlists of both go on as they must, and have the same segments under the same numbers.
    #[test]
    fn the_playlists_of_a_rung_are_sound_at_every_step(
        steps in prop::collection::vec(anything(), 1..200),
    ) {
        let mut book = with_low();
        let (mut starts, mut from, mut now): (Vec<MediaTime>, UtcMs, UtcMs) = (Vec::new(), NOW, NOW);
        let mut players = [Loads::default(), Loads::of("low")];
        for step in steps {
            let nth = |back: u64| starts.iter().rev().nth(back as usize).copied();
            match step {
                Happens::Made { away } => {
                    from = from.plus_ms(if away { 60_000 } else { 2_000 });
                    now = UtcMs(now.0.max(from.0));
                    book.segment(from.media(), SEGMENT, away, 100_000, now);
                    starts.push(from.media());
                }
                Happens::Rung { back, lost } => match nth(back) {
                    Some(start) if lost => book.rung_lost(&low(), start, now),
                    Some(start) => {
                        book.rung_segment(&low(), start, (SEGMENT, Captions::default()), 10_000, now);
                    }
                    None => {}
                },
                Happens::Acked { back, rung } => match nth(back) {
                    Some(start) if rung => book.ack_rung(0, &low(), start, now),
                    Some(start) => book.ack(0, start, now),
                    None => {}
                },
                Happens::Time { ms } => {
                    now = now.plus_ms(ms);
                    book.advance(now);
                }
            }
            let state = book.snapshot(now);
            prop_assert!(state.check().is_ok());
            players.iter_mut().for_each(|player| player.load(&state));
            if let [source, rung] = &*state.renditions {
                prop_assert_eq!(source.first_msn, rung.first_msn);
                prop_assert!(rung.segments.len() <= source.segments.len());
                for (of, has) in source.segments.iter().zip(&rung.segments) {
                    prop_assert_eq!(
                        (of.start, of.duration, of.discontinuity),
                        (has.start, has.duration, has.discontinuity)
                    );
                }
            }
        }
    }
}

fn init_audio() -> Init {
    let name = "English".to_string();
    let sound = Some(Sound { name, language: None, channels: 2, default: true, alone: false });
    Init { width: 0, height: 0, sound, ..init("init-audio") }
}

/// A rung of the sound that goes with the source's pictures, of which something is made.
fn with_sound(segments: u64) -> Book {
    let mut book = book(20);
    let audio: RenditionId = "audio".parse().unwrap();
    book.rungs.push(Rung::new(audio.clone()));
    book.ack_init(0, "init-1", NOW);
    for n in 0..segments {
        source(&mut book, n, NOW);
        book.rung_init(&audio, init_audio());
        book.rung_segment(&audio, at(n), (SEGMENT, Captions::default()), 10_000, NOW);
    }
    book
}

#[test]
fn nothing_is_told_of_pictures_before_their_sound_is_there_as_long_as_it_may_soon_be() {
    let audio: RenditionId = "audio".parse().unwrap();
    let mut book = with_sound(1);
    assert_eq!(book.poll(NOW), None);
    book.ack_rung_init(0, &audio, "init-audio", NOW);
    book.ack_rung(0, &audio, at(0), NOW);
    let state = book.poll(NOW).unwrap();
    assert_eq!(state.renditions.len(), 2);
    assert_eq!(state.renditions[1].sound.as_ref().unwrap().name, "English");

    // Its first segment is lost, and the second is on its way.
    let mut book = with_sound(0);
    source(&mut book, 0, NOW);
    book.rung_lost(&audio, at(0), NOW);
    book.rung_init(&audio, init_audio());
    source(&mut book, 1, NOW);
    book.rung_segment(&audio, at(1), (SEGMENT, Captions::default()), 10_000, NOW);
    let later = NOW.plus_ms(START_WAIT_SEGMENTS * 2_000);
    assert_eq!(book.poll(later), None);
    book.ack_rung_init(0, &audio, "init-audio", later);
    book.ack_rung(0, &audio, at(1), later);
    assert_eq!(book.poll(later).unwrap().renditions.len(), 2);

    // Longer than for other rungs.
    let later = NOW.plus_ms(START_WAIT_SEGMENTS * 2_000);
    let mut late = with_sound(RUNG_BEHIND_MAX as u64);
    assert_eq!(late.poll(later), None);
    source(&mut late, RUNG_BEHIND_MAX as u64, later);
    assert_eq!(late.poll(later).unwrap().renditions.len(), 1, "pictures do not wait for it for ever");
    let mut ended = with_sound(1);
    ended.set_phase(Phase::Ended);
    assert!(ended.poll(later).is_some());
}

#[test]
fn what_has_changed_of_a_rung_is_told_with_its_first_segment() {
    let mut book = with_low();
    let width = |book: &Book| book.snapshot(NOW).renditions[1].width;
    source(&mut book, 0, NOW);
    rung(&mut book, 0, NOW);
    book.ack_rung(0, &low(), at(0), NOW);
    book.rung_init(&low(), Init { width: 8, ..init("init-small") });
    book.ack_rung_init(0, &low(), "init-small", NOW);
    source(&mut book, 1, NOW);
    rung(&mut book, 1, NOW);
    assert_eq!(width(&book), 16);
    book.ack_rung(0, &low(), at(1), NOW);
    assert_eq!(width(&book), 8);
}
