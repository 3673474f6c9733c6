use bytes::Bytes;
use railbird_core::media::{Kind, Sample, Tracks};
use railbird_core::programme::Passed;
use railbird_core::score::{
    Action, Discipline, Document, ENTRIES_MAX, Event, Log, Offer, Offsets, Player, Position, Side, Start,
    Words,
};
use railbird_core::time::{MediaSpan, MediaTime};

use super::line::{Line, Step};
use super::*;

/// When the matches of these tests begin.
const BEGIN: UtcMs = UtcMs(1_795_171_920_000);

/// Milliseconds since then.
pub(super) fn at(ms: u64) -> MediaTime {
    BEGIN.plus_ms(ms).media()
}

/// A match in which the side that breaks has its points at these times, one each.
pub(super) fn document(match_id: &str, begins_ms: u64, points_ms: &[u64]) -> Document {
    let player = |name: &str, country: &str| Player { name: name.into(), country: Some(country.into()) };
    let sides = [player("Torbjörn Blomdahl", "SE"), player("Dick <Jaspers>", "NL")];
    let start = Start::new("Final & more".into(), Discipline::ThreeCushion, sides, Side::First);
    let points =
        points_ms.iter().map(|ms| (*ms, Action::Points { side: Side::First, points: 1, code: None }));
    let mut log = Log::new();
    for (seq, (ms, action)) in (1..).zip([(begins_ms, Action::Start(start))].into_iter().chain(points)) {
        let event = Event { occurred: BEGIN.plus_ms(ms), entered: None, scorer: None, action, state: None };
        assert_eq!(log.offer(Position { epoch: 1, seq }, event, None), Offer::Accept);
    }
    let ids = ("t".parse().unwrap(), match_id.parse().unwrap());
    log.document(ids.0, ids.1, 1, BEGIN, ENTRIES_MAX, &Offsets::default()).unwrap()
}

fn passed(kind: Kind, ms: u64) -> Passed {
    let sample =
        Sample { kind, dts: at(ms), cts: 0, key: true, leading: false, data: Bytes::from_static(b"frame") };
    Passed { tracks: Arc::new(Tracks::default()), sample }
}

/// What a line gives: `ms=points` of a board, `ms` of a picture, `(ms)` of sound.
fn steps(line: &mut Line) -> String {
    let ms = |time: MediaTime| (time.0 - at(0).0) / 90;
    let mut said = Vec::new();
    while let Some(step) = line.poll() {
        said.push(match step {
            Step::Board(at, None) => format!("{}=-", ms(at)),
            Step::Board(at, Some(view)) => {
                format!("{}={}", ms(at), view.rows[0].points.as_deref().unwrap_or("none"))
            }
            Step::Sample(passed) if passed.sample.kind == Kind::Video => ms(passed.sample.dts).to_string(),
            Step::Sample(passed) => format!("({})", ms(passed.sample.dts)),
        });
    }
    said.join(" ")
}

#[test]
fn a_frame_has_the_score_of_its_moment_and_not_that_of_now() {
    let mut line = Line::new(1_000, Words::ENGLISH);
    line.score(Arc::new(document("final", 500, &[])));
    for ms in [0, 400, 800, 1200] {
        line.sample(passed(Kind::Video, ms), ms);
    }
    line.sample(passed(Kind::Audio, 410), 410);
    assert_eq!(line.due_ms(), Some(1_000));
    line.run(999);
    assert_eq!(steps(&mut line), "");
    line.run(1_400);
    assert_eq!(steps(&mut line), "0=- 0 400=- 400");
    // What was scored at 900 comes at 1500, in time for the frame of 1200: there it shows, and not before.
    line.score(Arc::new(document("final", 500, &[900])));
    line.run(1_800);
    assert_eq!(steps(&mut line), "500=0 800=0 800");
    line.run(2_200);
    assert_eq!(steps(&mut line), "900=1 1200=1 1200 (410)");
    assert_eq!(line.due_ms(), None);
}

#[test]
fn a_score_that_comes_late_shows_at_once_and_a_correction_from_the_next_frame_on() {
    let mut line = Line::new(0, Words::ENGLISH);
    line.score(Arc::new(document("final", 0, &[100])));
    let frame = |line: &mut Line, ms| {
        line.sample(passed(Kind::Video, ms), ms);
        line.run(ms);
    };
    frame(&mut line, 200);
    line.score(Arc::new(document("final", 0, &[100, 150])));
    frame(&mut line, 240);
    line.score(Arc::new(document("final", 0, &[])));
    frame(&mut line, 280);
    assert_eq!(steps(&mut line), "200=1 200 240=2 240 280=0 280");
}

#[test]
fn viewers_see_the_match_before_until_the_next_one_begins() {
    let mut line = Line::new(0, Words::ENGLISH);
    line.score(Arc::new(document("first", 0, &[10, 20])));
    line.score(Arc::new(document("second", 300, &[])));
    for ms in [200, 400] {
        line.sample(passed(Kind::Video, ms), ms);
        line.run(ms);
    }
    assert_eq!(steps(&mut line), "200=2 200 300=0 400=0 400");
}

#[test]
fn what_is_held_has_a_bound_and_the_end_lets_everything_go() {
    let mut line = Line::new(30_000, Words::ENGLISH);
    for ms in 0..20_000 {
        line.sample(passed(Kind::Audio, ms), 0);
    }
    assert_eq!(line.early(), 20_000 - 16_384);
    line.end();
    assert_eq!((steps(&mut line).split(' ').count(), line.due_ms()), (20_000, None));
}

#[test]
fn equal_boards_are_drawn_once() {
    let mut painter = Some(Painter::new(&Theme::load("dark", std::path::Path::new("")).unwrap(), (320, 180)));
    let view = |points: &[u64]| {
        board::View::of(&document("final", 0, points), at(5_000), &Words::ENGLISH).map(Arc::new)
    };
    let drawn = [view(&[]), view(&[]), view(&[1_000]), None, None].map(|view| {
        let before = painter.take().unwrap();
        let shown = before.pixels();
        let after = painter.insert(before.shows(view));
        (after.pixels(), !Arc::ptr_eq(&shown, &after.pixels()))
    });
    assert_eq!(drawn.each_ref().map(|(_, drawn)| *drawn), [true, false, true, true, false]);
    assert!(drawn[0].0 == drawn[1].0 && drawn[1].0 != drawn[2].0);
    assert!(drawn[3].0.iter().all(|byte| *byte == 0));
}

#[test]
fn a_picture_is_a_cluster_of_its_own() {
    // The lengths that stand in it lead to its end.
    let head = matroska::head((16, 2));
    assert!(head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3, 0x01, 0, 0, 0, 0, 0, 0]));
    assert!(head.windows(4).any(|bytes| bytes == b"RGBA"));
    let before = matroska::before_picture(1_795_171_920_000, 128);
    let len = |at: usize| u64::from_be_bytes(before[at..at + 8].try_into().unwrap()) & 0x00ff_ffff_ffff_ffff;
    assert_eq!(before[..4], [0x1f, 0x43, 0xb6, 0x75]);
    assert_eq!(len(4), before.len() as u64 - 12 + 128);
    assert_eq!(len(before.len() - 12), 4 + 128);
    assert_eq!(before[before.len() - 4..], [0x81, 0, 0, 0x80]);
    let time: [u8; 8] = 1_795_171_920_000_u64.to_be_bytes();
    assert!(before.windows(8).any(|bytes| bytes == time));
}

#[test]
fn a_shot_clock_runs_on_media_time() {
    let mut document = document("final", 0, &[]);
    let clock = railbird_core::score::ShotClock { running: true, deadline: None, remaining_ms: 12_000 };
    document.entries[0].state.shot_clock = Some(clock);
    let left = |ms| {
        let view = board::View::of(&document, at(0) + MediaSpan::from_ms(ms), &Words::ENGLISH).unwrap();
        view.clock.map(|clock| (clock.seconds, clock.low))
    };
    assert_eq!(
        [0, 999, 1_000, 2_000, 12_000, 99_000].map(left),
        [
            Some((12, false)),
            Some((12, false)),
            Some((11, false)),
            Some((10, true)),
            Some((0, true)),
            Some((0, true))
        ]
    );
}

#[test]
fn pictures_of_odd_sizes_are_made_even() {
    let frame = board::Frame { left: 2, top: 4, width: 8, height: 8 };
    assert!(ffmpeg::overlay(frame, (640, 360)).ends_with(":format=yuv420"));
    for odd in [(641, 360), (640, 361)] {
        assert!(ffmpeg::overlay(frame, odd).ends_with(",pad=ceil(iw/2)*2:ceil(ih/2)*2"), "{odd:?}");
    }
}
