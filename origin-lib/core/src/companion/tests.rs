use std::vec;
use std::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::ladder::tests::pictures::{BEGIN, FRAMES, Pictures, settings, video};
use crate::media::{Frame, Kind, VideoConfig};
use crate::package::{Kind as Of, Rung, Settings};
use crate::time::UtcMs;

/// Thirty pictures a second.
const FRAME: u64 = 3_000;
const SOURCE: Pictures = Pictures(FRAME);
const UP_MS: u64 = 5_000;

fn companion() -> Companion {
    Companion::new(settings(), 1_000)
}

/// An encoder beside the source's.
#[derive(Clone, Copy, Debug)]
struct Encoder {
    role: Role,
    /// What its clock says of its first picture.
    clock_ms: i64,
    /// It captures its pictures so much later than the source does.
    phase_ms: i64,
    /// Up to when its pictures come.
    lag_ms: u64,
    /// Its key frames are so many pictures apart.
    gop: u64,
    /// The pictures that it sends.
    from: u64,
    to: u64,
    /// Only one of so many.
    every: u64,
    /// By so much its pictures last longer than the source's, in millionths.
    longer: u64,
    /// It says when it captured what it sends.
    tells: bool,
}

const ALIKE: Encoder = Encoder {
    role: Role::Primary,
    clock_ms: 0,
    phase_ms: 0,
    lag_ms: 100,
    gop: FRAMES,
    from: 0,
    to: u64::MAX,
    every: 1,
    longer: 0,
    tells: false,
};

impl Encoder {
    /// When it captures its `n`th picture, in milliseconds since its first one.
    fn ms(&self, n: u64) -> u64 {
        n * FRAME * (1_000_000 + self.longer) / 90_000_000
    }
}

#[derive(Clone, Debug, Default)]
struct Told {
    /// Which segments come, by their places, and which are lost.
    segments: Vec<(u64, bool)>,
    stands: Vec<Standing>,
    objects: Vec<Object>,
}

/// What happens when, in milliseconds since the first picture is captured.
enum Step {
    Source(u64),
    Encoder(usize, u64),
}

const SOURCE_LAG_MS: u64 = 150;

/// Has so many of the source's segments come, whose clock says `source_ms` of its first picture, and what these encoders send.
fn play(source_ms: i64, segments: u64, encoders: &[Encoder]) -> Told {
    let ms = |n: u64| n * FRAME / 90;
    let mut steps: Vec<(u64, Step)> =
        (0..=segments * FRAMES).map(|n| (ms(n) + SOURCE_LAG_MS, Step::Source(n))).collect();
    for (which, encoder) in encoders.iter().enumerate() {
        let pictures =
            (encoder.from..encoder.to.min((segments + 4) * FRAMES)).filter(|n| n % encoder.every == 0);
        let come = |n: u64| encoder.ms(n).saturating_add_signed(encoder.phase_ms) + encoder.lag_ms;
        steps.extend(pictures.map(|n| (come(n), Step::Encoder(which, n))));
    }
    steps.sort_by_key(|(at, _)| *at);
    let mut companion = companion();
    companion.source_anchored(Role::Primary, Anchor { feed_ms: source_ms, utc: BEGIN });
    if encoders.iter().any(|encoder| encoder.tells) {
        let captured = Captured { feed_ms: source_ms, utc: UtcMs(BEGIN.0 - 7_000), by_encoder: true };
        companion.source_captured(Role::Primary, captured);
    }
    let (mut publishes, mut told) = (vec![None; encoders.len()], Told::default());
    for (at_ms, step) in steps {
        let now = Moment { utc: BEGIN.plus_ms(at_ms), up_ms: UP_MS + at_ms };
        match step {
            Step::Source(n) => {
                companion.source_arrived(Role::Primary, source_ms + ms(n) as i64, now);
                if n > 0 && n.is_multiple_of(FRAMES) {
                    companion.source_cut(&SOURCE.cut(n / FRAMES - 1), Some(Role::Primary), now);
                }
            }
            Step::Encoder(which, n) => {
                let encoder = encoders[which];
                let publish = *publishes[which].get_or_insert_with(|| {
                    let publish = companion.begin(encoder.role, now);
                    companion.handle(publish, FeedEvent::Video(video(640)), now);
                    publish
                });
                let dts_ms = encoder.clock_ms + (encoder.ms(n) - encoder.ms(encoder.from)) as i64;
                if encoder.tells && n == encoder.from {
                    let utc = UtcMs((BEGIN.0 - 7_000 + ms(n)).saturating_add_signed(encoder.phase_ms));
                    let captured = Captured { feed_ms: dts_ms, utc, by_encoder: true };
                    companion.handle(publish, FeedEvent::Captured(captured), now);
                }
                let key = (n - encoder.from).is_multiple_of(encoder.gop);
                let data = Bytes::from(vec![slot(encoder.role) as u8, n as u8]);
                let frame = Frame { kind: Kind::Video, dts_ms, cts: 0, key, leading: false, data };
                companion.handle(publish, FeedEvent::Frame(frame), now);
                if n + 1 == encoder.to {
                    companion.end(publish, End::Lost, now);
                }
            }
        }
        while let Some(output) = companion.poll() {
            match output {
                Output::Lost(start) => told.segments.push((SOURCE.place(start), false)),
                Output::Stands(_, standing) => told.stands.push(standing),
                Output::Object(object) => {
                    if let Of::Rung(_, Rung::Segment { start, duration, .. }) = &object.kind {
                        assert_eq!(*duration, SOURCE.duration());
                        told.segments.push((SOURCE.place(*start), true));
                    }
                    told.objects.push(object);
                }
            }
        }
    }
    told
}

/// The first `count` segments, all there.
fn all(count: u64) -> Vec<(u64, bool)> {
    (0..count).map(|n| (n, true)).collect()
}

#[test]
fn a_feed_on_the_sources_clock_has_all_of_its_segments() {
    let told = play(0, 6, &[ALIKE]);
    assert_eq!(told.segments, all(6));
    assert_eq!(told.stands, [Standing::Aligned(By::Clock)]);
}

#[test]
fn a_feed_on_a_clock_that_tells_the_time_is_where_its_timestamps_say_however_late_it_comes() {
    let utc_ms = BEGIN.0 as i64;
    // As it is, and as a transport stream and FLV have it.
    for clock_ms in [utc_ms, ((utc_ms * 90) & 0x1_ffff_ffff) / 90, utc_ms & 0xffff_ffff, utc_ms + 37_000] {
        let late = Encoder { clock_ms, lag_ms: 1_400, ..ALIKE };
        let told = play(clock_ms, 6, &[late]);
        assert_eq!(told.segments[1..], all(6)[1..], "the first cut may come before there is enough of it");
        assert_eq!(told.stands, [Standing::Aligned(By::Clock)], "{clock_ms}");
    }
}

#[test]
fn two_encoders_that_started_at_different_times_say_nothing_by_their_clocks_however_long_they_run() {
    // The second one's pictures are numbered as the first one's are two seconds later, where that has key frames, too.
    let started_later = Encoder { clock_ms: 61_990, lag_ms: SOURCE_LAG_MS, ..ALIKE };
    let told = play(60_000, 6, &[started_later]);
    assert_eq!(told.stands, [Standing::Aligned(By::Arrival)]);
    assert_eq!(told.segments, all(6));
}

#[test]
fn a_feed_with_a_clock_of_its_own_is_where_it_arrives_and_then_exactly_on_the_sources_cuts() {
    for (lag_ms, clock_ms) in [(150, 77_000), (20, 0x7fff_ffff), (330, 40_000)] {
        let told = play(0, 6, &[Encoder { clock_ms, lag_ms, ..ALIKE }]);
        assert_eq!(told.segments, all(6), "{lag_ms}");
        assert_eq!(told.stands, [Standing::Aligned(By::Arrival)], "{lag_ms}");
    }
}

#[test]
fn a_clock_that_began_anew_between_the_two_feeds_is_still_the_sources() {
    // The feed's first picture comes four seconds after the source's, and between them 33 bits, or 32, are full.
    for (source_ms, clock_ms) in [(95_440_000, 282), (0xffff_ffff - 1_999, 2_000), (-2_000, 95_445_717)] {
        let told = play(source_ms, 6, &[Encoder { clock_ms, from: 2 * FRAMES, ..ALIKE }]);
        assert_eq!(told.stands, [Standing::Aligned(By::Clock)], "{source_ms}");
        assert_eq!(told.segments[2..], all(6)[2..], "{source_ms}");
    }
}

#[test]
fn two_clocks_that_both_began_at_zero_say_nothing_of_when() {
    // The second one began 400 ms later, and its key frames are that much later, too.
    let told = play(0, 8, &[Encoder { phase_ms: 400, ..ALIKE }]);
    assert!(told.segments.iter().all(|(_, there)| !there), "{told:?}");
    assert_eq!(told.stands, [Standing::Apart]);
}

#[test]
fn a_feed_whose_groups_of_pictures_are_a_little_longer_does_not_creep_away_from_the_source() {
    let told = play(0, 110, &[Encoder { longer: 1_000, lag_ms: SOURCE_LAG_MS, ..ALIKE }]);
    // Two milliseconds a segment: after 100 ms its place is looked for anew, and after 200 ms there is none.
    assert_eq!(
        told.stands,
        [Standing::Aligned(By::Clock), Standing::Aligned(By::Arrival), Standing::Apart],
        "{:?}",
        told.segments
    );
    assert!(told.segments.ends_with(&[(108, false), (109, false)]), "{:?}", told.segments);
    let near = play(0, 40, &[Encoder { longer: 1_000, ..ALIKE }]);
    assert_eq!(near.segments, all(40), "a little is followed");
}

#[test]
fn a_key_frame_that_is_a_picture_off_is_on_no_cut() {
    // Fifty pictures a second, of which the third key frame is one too late.
    let mut feed = feed::Feed::new(Publish(1), Moment::default());
    let mut source = Source::default();
    source.anchored(Role::Primary, Anchor { feed_ms: 0, utc: BEGIN });
    let mut aligned = Vec::new();
    for n in 0..400_u64 {
        let now = Moment { utc: BEGIN.plus_ms(n * 20), up_ms: UP_MS + n * 20 };
        source.arrived(Role::Primary, n as i64 * 20, now);
        if n % 100 == 1 && n > 1 {
            let end = |n: u64| BEGIN.plus_ms(n / 100 * 2_000).media();
            source.cut(end(n - 100), end(n));
        }
        let key = [0, 100, 201, 300].contains(&n);
        let data = Bytes::from_static(b"low");
        let frame = Frame { kind: Kind::Video, dts_ms: n as i64 * 20 - 7, cts: 0, key, leading: false, data };
        feed.handle(FeedEvent::Frame(frame), now);
        feed.settle(&source, Role::Primary, now);
        aligned.extend(feed.items.drain(..).filter_map(|item| match item {
            Item::Picture(sample) if sample.key => Some((sample.dts.0 - BEGIN.media().0) / 90),
            _ => None,
        }));
    }
    assert_eq!(aligned, [0, 2_000, 4_020, 6_000]);
}

#[test]
fn capture_times_count_more_than_arrival() {
    let late = Encoder { clock_ms: 500_000, lag_ms: 1_900, tells: true, ..ALIKE };
    let told = play(0, 6, &[late]);
    assert_eq!(told.segments[1..], all(6)[1..], "the first cut may come before its pictures do");
    assert_eq!(told.stands, [Standing::Aligned(By::Capture)]);
    let silent = Encoder { tells: false, ..late };
    assert_eq!(play(0, 6, &[silent]).stands, [Standing::Apart], "by arrival it would be elsewhere");
}

#[test]
fn pictures_are_shown_when_the_sources_are() {
    let told = play(0, 3, &[Encoder { clock_ms: 77_001, lag_ms: 200, every: 2, gop: FRAMES, ..ALIKE }]);
    assert_eq!(told.segments, all(3), "half as many pictures a second are fine");
    let other = play(0, 3, &[Encoder { clock_ms: 123_456, lag_ms: 180, every: 2, gop: FRAMES, ..ALIKE }]);
    assert_eq!(told.objects, other.objects, "byte by byte, whatever the feed's clock is");
}

#[test]
fn a_feed_that_ends_leaves_holes_and_comes_back() {
    let first = Encoder { to: 5 * FRAMES / 2, ..ALIKE };
    let again = Encoder { from: 4 * FRAMES, clock_ms: 900_000, ..ALIKE };
    let told = play(0, 8, &[first, again]);
    let expected: Vec<_> = (0..8).map(|n| (n, !(2..4).contains(&n))).collect();
    assert_eq!(told.segments, expected);
    assert_eq!(told.stands, [Standing::Aligned(By::Clock), Standing::Aligned(By::Arrival)]);
}

/// Two origins get the same source, and the feed as their networks let them.
#[test]
fn invariant_3_what_an_origin_has_of_a_feed_is_what_the_other_has_however_and_whenever_it_comes() {
    let whole = play(0, 12, &[ALIKE]);
    assert_eq!(whole.segments, all(12));
    let (lost, back) = (Encoder { to: 5 * FRAMES / 2, ..ALIKE }, Encoder { from: 5 * FRAMES, ..ALIKE });
    let late = Encoder { clock_ms: 70_000, lag_ms: 320, ..ALIKE };
    for (what, encoders) in [
        ("it comes later", &[late][..]),
        ("it begins later", &[Encoder { from: 3 * FRAMES, ..late }]),
        ("it breaks off, and comes back on its clock", &[lost, back]),
        ("and on another one", &[lost, Encoder { clock_ms: 0, lag_ms: 10, ..back }]),
        ("and says now when it was captured", &[lost, Encoder { tells: true, clock_ms: 9_000, ..back }]),
        ("a backup is there meanwhile", &[lost, back, Encoder { role: Role::Backup, ..late }]),
    ] {
        let told = play(0, 12, encoders);
        let places: Vec<u64> = told.segments.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, (0..12).collect::<Vec<_>>(), "{what}");
        let there = told.segments.iter().filter(|(_, there)| *there).count();
        assert!(there >= 7, "{what}: {:?}", told.segments);
        let by_backup = |object: &Object| {
            let after = |of: &Of| {
                matches!(of, Of::Rung(_, Rung::Segment { start, .. })
                if (2..5).contains(&SOURCE.place(*start)))
            };
            encoders.len() == 3 && after(&object.kind)
        };
        let other = told.objects.iter().find(|of| !whole.objects.contains(of) && !by_backup(of));
        assert!(other.is_none(), "{what}: {}", other.map_or("", |of| &of.name));
    }
}

#[test]
fn a_feed_that_stands_still_is_waited_for_no_longer_than_a_cut() {
    let mut rest = ALIKE;
    rest.to = 90;
    // As one that ends, but nobody says so.
    let mut companion = companion();
    let now = |n: u64| Moment { utc: BEGIN.plus_ms(n * 100 / 3), up_ms: UP_MS + n * 100 / 3 };
    companion.source_anchored(Role::Primary, Anchor { feed_ms: 0, utc: BEGIN });
    let publish = companion.begin(Role::Primary, now(0));
    companion.handle(publish, FeedEvent::Video(video(640)), now(0));
    let mut lost = Vec::new();
    for n in 0..=3 * FRAMES {
        let dts_ms = (n * 100 / 3) as i64;
        companion.source_arrived(Role::Primary, dts_ms, now(n));
        if n < rest.to {
            let data = Bytes::from_static(b"low");
            let frame =
                Frame { kind: Kind::Video, dts_ms, cts: 0, key: n % FRAMES == 0, leading: false, data };
            companion.handle(publish, FeedEvent::Frame(frame), now(n));
        }
        if n > 0 && n % FRAMES == 0 {
            companion.source_cut(&SOURCE.cut(n / FRAMES - 1), Some(Role::Primary), now(n));
        }
        lost.extend(core::iter::from_fn(|| companion.poll()).filter_map(|output| match output {
            Output::Lost(start) => Some((start, n)),
            _ => None,
        }));
    }
    assert_eq!(lost, [(SOURCE.at(FRAMES), 2 * FRAMES), (SOURCE.at(2 * FRAMES), 3 * FRAMES)]);
    assert_eq!(companion.standing(Role::Primary, now(3 * FRAMES)), Standing::Silent);
}

/// A feed on the source's clock: what comes when each of its pictures does, by that; and what becomes of so many segments, with how
/// many objects tell of parameters.
fn fed(segments: u64, mut before: impl FnMut(&mut Companion, Publish, u64, Moment)) -> (Vec<bool>, usize) {
    let mut companion = companion();
    let begin = Moment { utc: BEGIN, up_ms: UP_MS };
    companion.source_anchored(Role::Primary, Anchor { feed_ms: 0, utc: BEGIN });
    let publish = companion.begin(Role::Primary, begin);
    companion.handle(publish, FeedEvent::Video(video(640)), begin);
    let (mut there, mut inits) = (Vec::new(), 0);
    for n in 0..=segments * FRAMES {
        let dts_ms = (n * 100 / 3) as i64;
        let now = begin.plus_ms(n * 100 / 3);
        companion.source_arrived(Role::Primary, dts_ms, now);
        before(&mut companion, publish, n, now);
        let data = Bytes::from_static(b"low");
        let frame = Frame { kind: Kind::Video, dts_ms, cts: 0, key: n % FRAMES == 0, leading: false, data };
        companion.handle(publish, FeedEvent::Frame(frame), now);
        if n > 0 && n % FRAMES == 0 {
            companion.source_cut(&SOURCE.cut(n / FRAMES - 1), Some(Role::Primary), now);
        }
        for output in core::iter::from_fn(|| companion.poll()) {
            match output {
                Output::Object(Object { kind: Of::Rung(_, Rung::Segment { .. }), .. }) => there.push(true),
                Output::Object(Object { kind: Of::Rung(_, Rung::Init(_)), .. }) => inits += 1,
                Output::Object(_) | Output::Stands(..) => {}
                Output::Lost(_) => there.push(false),
            }
        }
    }
    (there, inits)
}

#[test]
fn parameters_that_change_at_a_key_frame_cost_no_segment() {
    let (there, inits) = fed(5, |companion, publish, n, now| {
        if n == 2 * FRAMES {
            companion.handle(publish, FeedEvent::Video(video(320)), now);
        }
    });
    assert_eq!((&there[..], inits), (&[true; 5][..], 2));
}

#[test]
fn parameters_without_pictures_do_not_pile_up() {
    let mut feed = feed::Feed::new(Publish(1), Moment::default());
    for n in 0..10_000 {
        let record = Bytes::from(vec![n as u8; 16 << 10]);
        feed.handle(FeedEvent::Video(VideoConfig { record, ..video(640) }), Moment::default());
    }
    assert_eq!(feed.held(), (1, 16 << 10));
    // One before each picture.
    for n in 0..10_000_i64 {
        let record = Bytes::from(vec![n as u8; 16 << 10]);
        feed.handle(FeedEvent::Video(VideoConfig { record, ..video(640) }), Moment::default());
        let data = Bytes::from_static(b"low");
        let frame = Frame { kind: Kind::Video, dts_ms: n, cts: 0, key: false, leading: false, data };
        feed.handle(FeedEvent::Frame(frame), Moment::default());
        let (count, len) = feed.held();
        assert!(count <= HELD_SAMPLES_MAX && len <= HELD_LEN_MAX, "{count} {len}");
    }
    assert!(feed.held().1 > HELD_LEN_MAX / 2);
}

#[test]
fn the_backup_fills_what_the_primary_lacks() {
    let primary = Encoder { to: 5 * FRAMES / 2, ..ALIKE };
    let backup = Encoder { role: Role::Backup, clock_ms: 40_000, ..ALIKE };
    let told = play(0, 6, &[primary, backup]);
    assert_eq!(told.segments, all(6));
    let alone = play(0, 6, &[ALIKE]);
    let same = |n: usize| told.objects.iter().filter(|object| alone.objects.contains(object)).count() >= n;
    assert!(same(3), "as long as both are there, it is the one of the source's role");
}

#[test]
fn shorter_groups_of_pictures_are_fine_and_longer_ones_leave_holes() {
    for gop in [15, 20, 30] {
        let told = play(0, 6, &[Encoder { gop, clock_ms: 50_000, ..ALIKE }]);
        assert_eq!(told.segments, all(6), "{gop}");
    }
    let told = play(0, 6, &[Encoder { gop: 2 * FRAMES, ..ALIKE }]);
    let expected: Vec<_> = (0..6).map(|n| (n, n % 2 == 0)).collect();
    assert_eq!(told.segments, expected);
}

#[test]
fn a_clock_that_jumps_is_looked_for_anew() {
    let before = Encoder { to: 3 * FRAMES, ..ALIKE };
    let mut companion = companion();
    let publish = companion.begin(Role::Primary, Moment::default());
    companion.source_anchored(Role::Primary, Anchor { feed_ms: 0, utc: BEGIN });
    companion.handle(publish, FeedEvent::Video(video(640)), Moment::default());
    let (mut there, ms) = (Vec::new(), |n: u64| n * 100 / 3);
    for n in 0..=9 * FRAMES {
        let now = Moment { utc: BEGIN.plus_ms(ms(n)), up_ms: UP_MS + ms(n) };
        companion.source_arrived(Role::Primary, ms(n) as i64, now);
        let jumped = if n < before.to { 0 } else { 5_000_000 };
        let data = Bytes::from_static(b"low");
        let dts_ms = ms(n) as i64 + jumped;
        let frame = Frame { kind: Kind::Video, dts_ms, cts: 0, key: n % FRAMES == 0, leading: false, data };
        companion.handle(publish, FeedEvent::Frame(frame), now);
        if n > 0 && n % FRAMES == 0 {
            companion.source_cut(&SOURCE.cut(n / FRAMES - 1), Some(Role::Primary), now);
        }
        there.extend(core::iter::from_fn(|| companion.poll()).filter_map(|output| match output {
            Output::Object(Object { kind: Of::Rung(_, Rung::Segment { start, .. }), .. }) => Some(start),
            _ => None,
        }));
    }
    assert!(
        there.starts_with(&[SOURCE.at(0), SOURCE.at(FRAMES)]) && there.contains(&SOURCE.at(8 * FRAMES)),
        "{there:?}"
    );
}

/// A feed beside a source whose backup is in use from its third segment on, with key frames that lie so much later then: what becomes
/// of seven segments. `before` each picture something else may happen.
fn switched(later_ms: u64, mut before: impl FnMut(&mut Companion, u64)) -> Vec<bool> {
    let mut companion = companion();
    let begin = Moment { utc: BEGIN, up_ms: UP_MS };
    for role in Role::ALL {
        companion.source_anchored(role, Anchor { feed_ms: 0, utc: BEGIN });
    }
    let publish = companion.begin(Role::Primary, begin);
    companion.handle(publish, FeedEvent::Video(video(360)), begin);
    let mut there = Vec::new();
    for n in 0..=7 * FRAMES + 3 {
        let (dts_ms, now) = ((n * 100 / 3) as i64, begin.plus_ms(n * 100 / 3));
        Role::ALL.into_iter().for_each(|role| companion.source_arrived(role, dts_ms, now));
        before(&mut companion, n);
        let data = Bytes::from_static(b"low");
        let frame = Frame { kind: Kind::Video, dts_ms, cts: 0, key: n % FRAMES == 0, leading: false, data };
        companion.handle(publish, FeedEvent::Frame(frame), now);
        if n == 2 * FRAMES + 1 {
            companion.source_switched(Role::Backup);
        }
        // A cut comes three pictures late.
        let of = (n / FRAMES).checked_sub(1).filter(|_| n % FRAMES == 3);
        if let Some(mut cut) = of.map(|of| SOURCE.cut(of)) {
            let moved = |of: MediaTime| {
                let later = if of < SOURCE.at(2 * FRAMES) { 0 } else { later_ms * 90 };
                MediaTime(of.0 + later)
            };
            let end = moved(cut.video_end);
            cut.video.iter_mut().for_each(|sample| sample.dts = moved(sample.dts));
            (cut.start, cut.video_end) = (moved(cut.start), end);
            cut.duration = (end.0 - cut.start.0) as u32;
            let used = if of < Some(2) { Role::Primary } else { Role::Backup };
            companion.source_cut(&cut, Some(used), now);
        }
        there.extend(core::iter::from_fn(|| companion.poll()).filter_map(|output| match output {
            Output::Object(Object { kind: Of::Rung(_, Rung::Segment { .. }), .. }) => Some(true),
            Output::Lost(_) => Some(false),
            Output::Object(_) | Output::Stands(..) => None,
        }));
    }
    there
}

#[test]
fn where_the_sources_other_feed_is_cut_elsewhere_one_segment_is_lost_and_no_more() {
    assert_eq!(switched(0, |_, _| ()), [true; 7], "the same place costs none");
    let there = switched(60, |_, _| ());
    assert_eq!(there.iter().filter(|there| !**there).count(), 1, "{there:?}");
    assert!(there.ends_with(&[true; 3]), "{there:?}");
}

#[test]
fn a_feed_of_the_source_that_is_not_in_use_may_begin_anew() {
    let there = switched(0, |companion, n| {
        if n == 7 * FRAMES / 2 {
            companion.source_anchored(Role::Primary, Anchor { feed_ms: 5_000, utc: BEGIN });
        }
    });
    assert_eq!(there, [true; 7]);
}

#[test]
fn what_a_feed_left_that_has_ended_without_a_place_is_let_go() {
    let mut companion = companion();
    let begin = Moment { utc: BEGIN, up_ms: UP_MS };
    let publish = companion.begin(Role::Primary, begin);
    companion.handle(publish, FeedEvent::Video(video(360)), begin);
    for n in 0..2 * FRAMES {
        let (data, dts_ms) = (Bytes::from_static(b"low"), (n * 100 / 3) as i64);
        let frame = Frame { kind: Kind::Video, dts_ms, cts: 0, key: n % FRAMES == 0, leading: false, data };
        companion.handle(publish, FeedEvent::Frame(frame), begin.plus_ms(n * 100 / 3));
    }
    companion.end(publish, End::Lost, begin.plus_ms(4_000));
    let held = |companion: &Companion| companion.feeds[0].as_ref().map(|feed| feed.held().0 > 0);
    assert_eq!(held(&companion), Some(true), "the source may still be cut there");
    // The source begins much later.
    companion.source_anchored(Role::Primary, Anchor { feed_ms: 0, utc: BEGIN });
    companion.source_cut(&SOURCE.cut(30), Some(Role::Primary), begin.plus_ms(62_000));
    assert_eq!(held(&companion), None);
}

#[test]
fn another_anchor_of_the_source_is_followed() {
    let mut source = Source::default();
    let anchor = Anchor { feed_ms: 1_000, utc: BEGIN };
    assert!(!source.anchored(Role::Primary, anchor), "the first one changes nothing");
    let same = Anchor { feed_ms: 3_000, utc: BEGIN.plus_ms(2_000) };
    assert!(!source.anchored(Role::Primary, same));
    assert!(source.anchored(Role::Primary, Anchor { feed_ms: 3_000, ..anchor }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever its clock is, and however late it comes, each of the source's segments is told once, in order: there, with the
    /// same pictures, or lost.
    #[test]
    fn each_segment_is_told_once_and_what_is_there_is_the_same(
        clock_ms in -100_000_i64..10_000_000_000,
        lag_ms in 0_u64..1_500,
        phase_ms in -300_i64..300,
        from in 0_u64..200,
    ) {
        let from = from / FRAMES * FRAMES;
        let told = play(0, 8, &[Encoder { clock_ms, lag_ms, phase_ms, from, ..ALIKE }]);
        let places: Vec<u64> = told.segments.iter().map(|(place, _)| *place).collect();
        let in_order: Vec<u64> = (0..places.len() as u64).collect();
        prop_assert_eq!(&places, &in_order);
        let alone = play(0, 8, &[Encoder { from, ..ALIKE }]);
        for object in &told.objects {
            prop_assert!(alone.objects.contains(object), "{}", object.name);
        }
    }
}

/// Two seconds of x264 in ffmpeg's hands, a key frame a second.
const SMALL_TS: &[u8] = include_bytes!("../../tests/golden/small.ts");

/// What the source makes of [`SMALL_TS`] while a feed beside it brings these bytes; and how many of its cuts the other
/// rendition was told of, and told what became of them.
fn beside(bytes: &[u8]) -> (Vec<Object>, usize, usize) {
    use crate::programme::{Output as Made, Programme, Resume, Settings as Ours};
    let package = Settings { segment_ms: 1000, rendition: "source".parse().unwrap(), ..settings() };
    let mut programme = Programme::new(Ours { cuts: true, ..Ours::new(package) }, Resume::default());
    let (mut companion, mut stream, mut theirs) =
        (companion(), crate::ts::Demux::new(), crate::ts::Demux::new());
    let (mut objects, mut cuts, mut told) = (Vec::new(), 0, 0);
    let mut now = Moment { utc: BEGIN, up_ms: UP_MS };
    let (source, feed) = (programme.begin(Role::Primary, now), companion.begin(Role::Primary, now));
    let mut chunks = bytes.chunks(bytes.len().div_ceil(SMALL_TS.len() / 188).max(1));
    let mut step = |programme: &mut Programme, companion: &mut Companion, now: Moment| {
        while let Some(made) = programme.poll() {
            match made {
                Made::Object(object) => objects.push(object),
                Made::Cut(cut) => {
                    cuts += 1;
                    companion.source_cut(&cut, programme.used(), now);
                }
                Made::Anchored { role, anchor, .. } => companion.source_anchored(role, anchor),
                _ => {}
            }
        }
        while let Some(output) = companion.poll() {
            let is_segment = matches!(&output, Output::Object(object)
                if matches!(object.kind, Of::Rung(_, Rung::Segment { .. })));
            told += usize::from(is_segment || matches!(output, Output::Lost(_)));
        }
    };
    for packet in SMALL_TS.chunks(188) {
        now = now.plus_ms(5);
        stream.handle(packet);
        while let Some(event) = stream.poll() {
            let event = event.unwrap();
            if let FeedEvent::Frame(frame) = &event {
                companion.source_arrived(Role::Primary, frame.dts_ms, now);
            }
            programme.handle(source, event, now);
        }
        theirs.handle(chunks.next().unwrap_or_default());
        while let Some(event) = theirs.poll() {
            let Ok(event) = event else { continue };
            companion.handle(feed, event, now);
        }
        step(&mut programme, &mut companion, now);
    }
    companion.end(feed, End::Lost, now);
    programme.end(source, End::InOrder, now);
    step(&mut programme, &mut companion, now);
    companion.give_up();
    step(&mut programme, &mut companion, now);
    (objects, cuts, told)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Nothing that a feed beside it brings changes a byte of the source's; and of each of its cuts it is told what became of it.
    #[test]
    fn garbage_in_a_feed_beside_it_changes_nothing_of_the_source(
        wrong in proptest::collection::vec((0.0_f64..1.0, any::<u8>()), 0..60),
        missing in proptest::collection::vec((0.0_f64..1.0, 1_usize..2_000), 0..4),
        foreign in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = SMALL_TS.to_vec();
        for (at, byte) in wrong {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        for (at, len) in missing {
            let at = (at * bytes.len() as f64) as usize;
            bytes.drain(at..(at + len).min(bytes.len()));
        }
        let middle = bytes.len() / 2;
        bytes.splice(middle..middle, foreign);
        let (objects, cuts, told) = beside(&bytes);
        let (alone, ..) = beside(&[]);
        prop_assert!(objects == alone && cuts > 1, "{} {}", objects.len(), alone.len());
        prop_assert_eq!(cuts, told);
    }
}
