use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::keys::MasterSecret;
use crate::media::{AudioCoding, AudioConfig, Frame, Sample, VideoCoding, VideoConfig};
use crate::package::Kind as Made;
use crate::time::UtcMs;

mod further;

const START: Moment = Moment { utc: UtcMs(1_795_171_920_000), up_ms: 50_000 };
const FRAME_MS: i64 = 40;
const GOP_MS: i64 = 2000;
const SOUND_MS: i64 = 20;

fn settings() -> Settings {
    let package = package::Settings {
        channel: "t".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        part_ms: None,
        frames: false,
        key_period_s: 3600,
        secret: MasterSecret::new(b"a secret of some length").unwrap(),
    };
    Settings { tap: true, ..Settings::new(package) }
}

fn video(width: u16) -> FeedEvent {
    FeedEvent::Video(VideoConfig {
        coding: VideoCoding::Avc,
        record: Bytes::copy_from_slice(&[1, 0x64, 0, 0x1f, 0xff, width as u8]),
        codec: "avc1.64001f".into(),
        width,
        height: 720,
        frame_rate_milli: Some(25_000),
        colour: None,
    })
}

fn audio() -> FeedEvent {
    FeedEvent::Audio(AudioConfig {
        coding: AudioCoding::Aac,
        record: Bytes::from_static(b"\x11\x90"),
        codec: "mp4a.40.2".into(),
        sample_rate: 48_000,
        channels: 2,
        frame_len: 960,
    })
}

/// An encoder: its clock shows `clock_ms` at `START`, and its key frames lie `phase_ms` behind whole intervals.
#[derive(Clone, Copy, Debug)]
struct Encoder {
    role: Role,
    clock_ms: i64,
    phase_ms: i64,
    /// How long a frame is on its way.
    lag_ms: i64,
    width: u16,
    /// Pictures are sent in another order than they are shown, as most encoders do.
    reorders: bool,
    /// Its groups of pictures are open: two pictures lead each key frame.
    open: bool,
}

impl Encoder {
    fn new(role: Role) -> Encoder {
        Encoder { role, clock_ms: 0, phase_ms: 0, lag_ms: 0, width: 1280, reorders: false, open: false }
    }

    /// The frames that arrive in the millisecond `at_ms` after `START`, of those sent from `from_ms` on.
    fn frames(&self, at_ms: i64) -> Vec<FeedEvent> {
        let sent = at_ms - self.lag_ms;
        let mut frames = Vec::new();
        let (name, shifted) = (self.role.as_str(), sent - self.phase_ms);
        let frame = |kind, key| {
            let data = format!("{name} {kind:?} {sent} {key}").into_bytes().into();
            let cts_ms = if kind == Kind::Video && self.reorders { reordered(shifted) } else { 0 };
            FeedEvent::Frame(Frame {
                kind,
                dts_ms: self.clock_ms + sent,
                cts: cts_ms * 90,
                key,
                leading: self.open
                    && kind == Kind::Video
                    && (1..=2).contains(&(shifted.rem_euclid(GOP_MS) / FRAME_MS)),
                data,
            })
        };
        if shifted.rem_euclid(FRAME_MS) == 0 {
            frames.push(frame(Kind::Video, shifted.rem_euclid(GOP_MS) == 0));
        }
        if shifted.rem_euclid(SOUND_MS) == 0 {
            frames.push(frame(Kind::Audio, true));
        }
        frames
    }
}

/// How long after it is decoded a picture is shown, with two pictures that may be left out between two that may not.
fn reordered(sent_ms: i64) -> i32 {
    let last = GOP_MS / FRAME_MS - 1;
    match sent_ms.rem_euclid(GOP_MS) / FRAME_MS {
        n if n == 0 || n == last => 80,
        n if n % 3 == 1 => 160,
        _ => 40,
    }
}

/// What came out, with the time at which it did, in milliseconds after `START`.
struct Bench {
    programme: Programme,
    now: i64,
    passed: Vec<(i64, Passed)>,
    notes: Vec<(i64, Note)>,
    anchored: Vec<(Role, Anchor, AnchorFrom)>,
    asked: Vec<(Publish, i64, UtcMs)>,
    segments: Vec<(String, MediaTime, i64, bool)>,
    /// When each came out.
    out: BTreeMap<String, i64>,
    /// What was used last, by the notes.
    used: Option<Role>,
}

fn role_of(passed: &Passed) -> Role {
    if passed.sample.data.starts_with(b"primary") { Role::Primary } else { Role::Backup }
}

impl Bench {
    fn new(settings: Settings, resume: Resume) -> Bench {
        Bench {
            programme: Programme::new(settings, resume),
            now: 0,
            passed: Vec::new(),
            notes: Vec::new(),
            anchored: Vec::new(),
            asked: Vec::new(),
            segments: Vec::new(),
            out: BTreeMap::new(),
            used: None,
        }
    }

    fn moment(&self) -> Moment {
        START.plus_ms(self.now.unsigned_abs())
    }

    fn begin(&mut self, encoder: &Encoder) -> Publish {
        let publish = self.programme.begin(encoder.role, self.moment());
        self.programme.handle(publish, video(encoder.width), self.moment());
        self.programme.handle(publish, audio(), self.moment());
        self.collect();
        publish
    }

    fn feed(&mut self, publish: Publish, events: Vec<FeedEvent>) {
        for event in events {
            self.programme.handle(publish, event, self.moment());
        }
        self.collect();
    }

    fn end(&mut self, publish: Publish) {
        self.programme.end(publish, End::InOrder, self.moment());
        // With the last one, the crew ends the channel.
        if !self.programme.is_live() {
            self.programme.give_up_waiting();
        }
        self.collect();
    }

    fn lose(&mut self, publish: Publish) {
        self.programme.end(publish, End::Lost, self.moment());
        self.collect();
    }

    /// Time passes, as far as the programme wants to know.
    fn tick(&mut self) {
        if self.programme.deadline().is_some_and(|due| due <= self.moment().up_ms) {
            self.programme.tick(self.moment());
            self.collect();
        }
    }

    /// Takes what came out, and checks what must always hold.
    fn collect(&mut self) {
        while let Some(output) = self.programme.poll() {
            match output {
                Output::Passed(passed) => {
                    let role = role_of(&passed);
                    assert_eq!(*self.used.get_or_insert(role), role, "only the feed in use");
                    self.passed.push((self.now, passed));
                }
                Output::Note(note) => {
                    if let Note::Switched { from, to, .. } = note {
                        assert_eq!(self.used.replace(to), Some(from));
                    }
                    self.notes.push((self.now, note));
                }
                Output::Anchored { role, anchor, from } => self.anchored.push((role, anchor, from)),
                Output::Cut(_) | Output::Lost(..) => panic!("nobody asked for these"),
                Output::Ask { publish, feed_ms, arrived, .. } => self.asked.push((publish, feed_ms, arrived)),
                Output::Object(object) => {
                    if let Made::Segment { start, duration, discontinuity, .. } = object.kind {
                        self.out.insert(object.name.clone(), self.now);
                        self.segments.push((object.name, start, duration.ms(), discontinuity));
                    }
                }
            }
        }
    }

    fn switches(&self) -> Vec<(i64, Role, Reason, bool)> {
        let switches = self.notes.iter().filter_map(|(at, note)| match *note {
            Note::Switched { to, reason, seamless, .. } => Some((*at, to, reason, seamless)),
            _ => None,
        });
        switches.collect()
    }

    fn samples(&self, kind: Kind) -> Vec<&Sample> {
        let samples = self.passed.iter().map(|(_, passed)| &passed.sample);
        samples.filter(|sample| sample.kind == kind).collect()
    }

    /// The largest step of video, in milliseconds, and when it came.
    fn largest_step(&self) -> i64 {
        let video = self.samples(Kind::Video);
        video.windows(2).map(|pair| (pair[1].dts - pair[0].dts).ms()).max().unwrap_or(0)
    }

    /// Media time increases, no sample comes twice, no name does.
    fn check(&self) {
        for kind in [Kind::Video, Kind::Audio] {
            let samples = self.samples(kind);
            for pair in samples.windows(2) {
                assert!(pair[1].dts > pair[0].dts, "{pair:?}");
            }
            let all: BTreeSet<_> = samples.iter().map(|sample| &sample.data).collect();
            assert_eq!(all.len(), samples.len(), "no sample twice");
        }
        let names: BTreeSet<_> = self.segments.iter().map(|(name, ..)| name).collect();
        assert_eq!(names.len(), self.segments.len());
        for pair in self.segments.windows(2) {
            assert!(pair[1].1 > pair[0].1, "{pair:?}");
            // Segments follow each other, or say that they do not.
            let end = pair[0].1.0 + pair[0].2.unsigned_abs() * 90;
            assert!(pair[1].3 || pair[1].1.0.abs_diff(end) <= 90, "{pair:?}");
        }
    }
}

/// Two encoders for `for_ms`; the primary's frames do not arrive where `lost` says so.
fn two(primary: Encoder, backup: Encoder, for_ms: i64, lost: impl Fn(i64) -> bool) -> Bench {
    let mut bench = Bench::new(settings(), Resume::default());
    let (p, b) = (bench.begin(&primary), bench.begin(&backup));
    for at in 0..for_ms {
        bench.now = at;
        if !lost(at) {
            bench.feed(p, primary.frames(at));
        }
        bench.feed(b, backup.frames(at));
    }
    bench.end(p);
    bench.end(b);
    bench.check();
    bench
}

#[test]
fn one_feed_goes_through_as_it_is() {
    let mut bench = Bench::new(settings(), Resume::default());
    let encoder = Encoder::new(Role::Primary);
    let publish = bench.begin(&encoder);
    for at in 0..10_000 {
        bench.now = at;
        bench.feed(publish, encoder.frames(at));
    }
    assert!(bench.programme.is_live() && bench.programme.is_current(publish));
    bench.end(publish);
    bench.check();
    assert_eq!((bench.samples(Kind::Video).len(), bench.samples(Kind::Audio).len()), (250, 500));
    assert_eq!(bench.segments.len(), 5);
    assert!(bench.notes.is_empty() && !bench.programme.is_live());
    assert_eq!(bench.anchored, [(Role::Primary, Anchor { feed_ms: 0, utc: START.utc }, AnchorFrom::Arrival)]);
    assert_eq!(bench.segments.iter().filter(|segment| segment.3).count(), 1);
}

#[test]
fn the_backup_takes_over_and_the_primary_comes_back_without_a_seam() {
    // The primary brings nothing from 7.0 s to 12.0 s. Both encoders are alike and in step.
    let bench = two(Encoder::new(Role::Primary), Encoder::new(Role::Backup), 40_000, |at| {
        (7_000..12_000).contains(&at)
    });
    let switches = bench.switches();
    let [(out, Role::Backup, Reason::Stalled(_), _), (back, Role::Primary, Reason::Steady(_), true)] =
        switches[..]
    else {
        panic!("{switches:?}");
    };
    // At 8 s: the stall is seen at 7.96 s, and the next key frame of the backup comes at 8 s.
    assert_eq!(out, 8_000);
    // Steady from 12.0 s, so from 22.0 s on, at a key frame.
    assert!((22_000..=24_000 + 40).contains(&back), "{back}");
    // What was lost is what lies between the last frame of the one and the first key frame of the other.
    assert_eq!(bench.largest_step(), 1_040);
    assert_eq!(bench.samples(Kind::Video).len(), 1000 - 25);
    assert_eq!(bench.segments.iter().filter(|segment| segment.3).count(), 2);
}

#[test]
fn pictures_that_lead_the_key_frame_of_a_switch_are_left_out() {
    let encoder = |role, phase_ms| Encoder { phase_ms, open: true, ..Encoder::new(role) };
    let lost = |at| (10_000..20_000).contains(&at);
    let bench = two(encoder(Role::Primary, 0), encoder(Role::Backup, 400), 60_000, lost);
    bench.check();
    assert!(bench.switches().len() >= 2, "{:?}", bench.switches());
    let (mut last, mut keys, mut led) = (None, 0, 0);
    for (_, passed) in bench.passed.iter().filter(|(_, passed)| passed.sample.kind == Kind::Video) {
        let role = role_of(passed);
        if last.replace(role).is_some_and(|last| last != role) {
            keys = 0;
        }
        keys += usize::from(passed.sample.key);
        assert!(!passed.sample.leading || keys >= 2 || led < 2, "after a switch: {passed:?}");
        led += usize::from(passed.sample.leading);
    }
    assert!(led > 20, "{led} were used: nothing was tried");
}

#[test]
fn a_key_frame_that_waits_already_is_where_the_backup_begins() {
    // The stall begins at 7.0 s; the backup's key frame at 7.2 s waits when it is seen, one second after the last frame.
    let backup = Encoder { phase_ms: 1_200, ..Encoder::new(Role::Backup) };
    let bench = two(Encoder::new(Role::Primary), backup, 12_000, |at| at >= 7_000);
    assert_eq!(bench.switches()[0].0, 7_960);
    let after: Vec<_> = bench.passed.iter().filter(|(_, passed)| role_of(passed) == Role::Backup).collect();
    assert_eq!(after[0].1.sample.dts, START.utc.plus_ms(7_200).media());
    assert_eq!(bench.largest_step(), 7_200 - 6_960);
}

#[test]
fn a_feed_that_ends_is_followed_at_once() {
    let (primary, backup) =
        (Encoder::new(Role::Primary), Encoder { phase_ms: 40, ..Encoder::new(Role::Backup) });
    let mut bench = Bench::new(settings(), Resume::default());
    let (p, b) = (bench.begin(&primary), bench.begin(&backup));
    for at in 0..8_000 {
        bench.now = at;
        if at < 4_001 {
            bench.feed(p, primary.frames(at));
        } else if at == 4_001 {
            bench.end(p);
        }
        bench.feed(b, backup.frames(at));
    }
    bench.end(b);
    bench.check();
    // The backup's key frame comes one frame after the primary's last: no discontinuity.
    assert_eq!(bench.switches(), [(4_040, Role::Backup, Reason::Ended, true)]);
    assert_eq!(bench.samples(Kind::Video).len(), 200);
    assert_eq!(bench.segments.iter().filter(|segment| segment.3).count(), 1);
}

#[test]
fn other_parameters_are_a_discontinuity() {
    let backup = Encoder { width: 640, ..Encoder::new(Role::Backup) };
    let bench = two(Encoder::new(Role::Primary), backup, 30_000, |at| (7_000..8_500).contains(&at));
    let seamless: Vec<_> = bench.switches().iter().map(|switch| switch.3).collect();
    assert_eq!(seamless, [false, false]);
    for (_, passed) in &bench.passed {
        let width = if role_of(passed) == Role::Primary { 1280 } else { 640 };
        assert_eq!(passed.tracks.video.as_ref().unwrap().width, width);
    }
    assert_eq!(bench.segments.iter().filter(|segment| segment.3).count(), 3);
}

#[test]
fn what_an_old_connection_still_brings_is_not_used() {
    let encoder = Encoder::new(Role::Primary);
    let mut bench = Bench::new(settings(), Resume::default());
    let old = bench.begin(&encoder);
    for at in 0..2_500 {
        bench.now = at;
        bench.feed(old, encoder.frames(at));
    }
    let new = bench.begin(&encoder);
    assert!(!bench.programme.is_current(old) && bench.programme.is_current(new));
    let passed = bench.passed.len();
    bench.now = 4_000;
    bench.feed(old, encoder.frames(4_000));
    bench.end(old);
    assert_eq!(bench.passed.len(), passed);
    bench.feed(new, encoder.frames(4_000));
    bench.end(new);
    bench.check();
    assert_eq!(bench.passed.len(), passed + 2);
    // The same clock: the anchor of the first publish goes on.
    assert_eq!(bench.anchored[1], (Role::Primary, Anchor { feed_ms: 0, utc: START.utc }, AnchorFrom::Known));
}

#[test]
fn numbering_and_timeline_go_on_after_a_restart() {
    let encoder = Encoder { clock_ms: 77_000, ..Encoder::new(Role::Primary) };
    let run = |resume: Resume, from: i64, to: i64| {
        let mut bench = Bench::new(settings(), resume);
        bench.now = from;
        let publish = bench.begin(&encoder);
        for at in from..to {
            // The encoder sends what it has not sent: all from a second before its connection on, a little late.
            bench.now = at + 300;
            bench.feed(publish, encoder.frames(at));
        }
        bench.end(publish);
        bench.check();
        bench
    };
    let whole = run(Resume::default(), 0, 12_000);
    let before = run(Resume::default(), 0, 5_000);
    let (_, start, duration, _) = before.segments.last().unwrap();
    let anchors = before.anchored.iter().map(|(role, anchor, _)| (*role, *anchor)).collect();
    let not_before = MediaTime(start.0 + duration.unsigned_abs() * 90);
    let after = run(Resume { not_before, anchors }, 4_500, 12_000);
    // Nothing from before the end is cut again, and what follows has the names that it would have had.
    assert!(after.segments[0].1 >= not_before);
    assert_eq!(
        after.segments[..],
        whole.segments[whole.segments.len() - after.segments.len()..]
            .iter()
            .map(|segment| {
                let mut segment = segment.clone();
                segment.3 = segment.0 == after.segments[0].0;
                segment
            })
            .collect::<Vec<_>>()[..]
    );
}

#[test]
fn invariant_3_an_origin_that_stops_beside_another_one_cuts_nothing_short() {
    let (primary, backup) = (Encoder::new(Role::Primary), Encoder::new(Role::Backup));
    // Up to `to`; then the origin is stopped, as one of a pair is, or not.
    let run = |resume: Resume, from: i64, to: i64, stop: bool| {
        let mut bench = Bench::new(settings(), resume);
        bench.now = from;
        let publishes = [(bench.begin(&primary), primary), (bench.begin(&backup), backup)];
        let feed = |bench: &mut Bench, from: i64, to: i64| {
            for at in from..to {
                bench.now = at;
                publishes.iter().for_each(|(publish, of)| bench.feed(*publish, of.frames(at)));
            }
        };
        feed(&mut bench, from, to);
        if stop {
            bench.programme.stop();
            assert!(!bench.programme.is_live());
            // What still comes, and who comes back while the origin goes, makes nothing.
            feed(&mut bench, to, to + 3_000);
            let late = bench.begin(&primary);
            bench.feed(late, primary.frames(to + 4_000));
            bench.end(late);
        }
        publishes.iter().for_each(|(publish, _)| bench.end(*publish));
        bench.check();
        bench
    };
    let other = run(Resume::default(), 0, 20_000, false);
    for to in [3_000, 4_000, 4_040, 5_000, 5_999] {
        let stopped = run(Resume::default(), 0, to, true);
        let made = stopped.segments.len();
        assert_eq!(stopped.segments[..], other.segments[..made], "{to}");
        assert_eq!(made as i64, to / 2_000 - i64::from(to == 4_000), "only what is open is missing");
        // Started again, it goes on with the next key frame, and makes what the other one makes.
        let (_, start, duration, _) = stopped.segments.last().unwrap();
        let not_before = MediaTime(start.0 + duration.unsigned_abs() * 90);
        let anchors = stopped.anchored.iter().map(|(role, anchor, _)| (*role, *anchor)).collect();
        let again = run(Resume { not_before, anchors }, 8_000, 20_000, false);
        let names =
            |bench: &Bench| bench.segments.iter().map(|one| (one.0.clone(), one.2)).collect::<Vec<_>>();
        assert_eq!(names(&again)[..], names(&other)[4..]);
    }
}

#[test]
fn invariant_3_what_is_open_when_a_connection_breaks_off_waits_for_what_comes_again() {
    let encoder = Encoder::new(Role::Primary);
    let anchors = vec![(Role::Primary, Anchor { feed_ms: 0, utc: START.utc })];
    // The connection breaks off at 5 s; the encoder comes back at 5.5 s and sends again what it kept, from 4 s on, or nothing.
    let run = |ask: bool, kept: bool, notices: bool| {
        let resume = Resume { not_before: MediaTime::default(), anchors: anchors.clone() };
        let mut bench = Bench::new(Settings { ask, ..settings() }, resume);
        let first = bench.begin(&encoder);
        for at in 0..5_000 {
            bench.now = at;
            bench.feed(first, encoder.frames(at));
        }
        if notices {
            bench.lose(first);
        }
        bench.now = 5_500;
        let second = bench.begin(&encoder);
        for at in if kept { 4_000 } else { 5_500 }..12_000 {
            bench.now = at.max(5_500);
            bench.feed(second, encoder.frames(at));
        }
        bench.end(second);
        // Whoever taps gets nothing twice.
        bench.check();
        bench
            .segments
            .iter()
            .map(|one| (one.1.0.abs_diff(START.utc.media().0) / 90, one.2))
            .collect::<Vec<_>>()
    };
    for notices in [true, false] {
        let whole = [(0, 2000), (2000, 2000), (4000, 2000), (6000, 2000), (8000, 2000), (10_000, 2000)];
        assert_eq!([run(true, true, notices), run(false, true, notices)], [whole, whole]);
        let kept = [&whole[..2], &[(4000, 1000)], &whole[3..]].concat();
        assert_eq!(run(true, false, notices), kept, "nothing that came is lost");
        assert_eq!(run(false, false, notices), kept);
    }
}

/// An origin of a pair, or one alone, and two feeds of which the primary breaks off here at 5 s, and the backup `then_ms`
/// later, if it does. Both come again at `back_ms`.
fn broken_off(ask: bool, phase_ms: i64, then_ms: Option<i64>, back_ms: i64) -> Bench {
    let encoders = [Encoder::new(Role::Primary), Encoder { phase_ms, ..Encoder::new(Role::Backup) }];
    let anchor = Anchor { feed_ms: 0, utc: START.utc };
    let anchors = Role::ALL.map(|role| (role, anchor)).to_vec();
    let resume = Resume { not_before: MediaTime::default(), anchors };
    let mut bench = Bench::new(Settings { ask, ..settings() }, resume);
    let mut publishes = encoders.map(|encoder| Some(bench.begin(&encoder)));
    for at in 0..40_000 {
        bench.now = at;
        for (which, lost) in [Some(5_000), then_ms.map(|ms| 5_000 + ms)].into_iter().enumerate() {
            if lost == Some(at)
                && let Some(publish) = publishes[which].take()
            {
                bench.lose(publish);
            }
            if at == back_ms && publishes[which].is_none() {
                publishes[which] = Some(bench.begin(&encoders[which]));
            }
            if let Some(publish) = publishes[which] {
                bench.feed(publish, encoders[which].frames(at));
            }
        }
        bench.tick();
    }
    publishes.iter().flatten().for_each(|publish| bench.lose(*publish));
    bench.programme.give_up_waiting();
    bench.collect();
    bench.check();
    bench
}

/// That each segment which is another one here than at an origin that lost nothing came out after that one's had: who writes a
/// name first has it.
fn comes_second(bench: &Bench, whole: &Bench, case: &str) {
    for (name, _, ms, _) in &bench.segments {
        let Some((_, _, other, _)) = whole.segments.iter().find(|segment| segment.0 == *name) else {
            continue;
        };
        let late = bench.out[name] > whole.out[name];
        assert!(ms == other || late, "{case}: {name}: {ms} ms instead of {other}, at {}", bench.out[name]);
    }
}

/// That every sample that was used is in a segment.
fn keeps_all(bench: &Bench, case: &str) {
    for sample in bench.samples(Kind::Video) {
        let within = |(_, start, ms, _): &(String, MediaTime, i64, bool)| {
            *start <= sample.dts && sample.dts.0 < start.0 + ms.unsigned_abs() * 90
        };
        assert!(bench.segments.iter().any(within), "{case}: {sample:?} is lost");
    }
}

#[test]
fn invariant_3_what_is_cut_short_comes_after_the_whole_where_both_feeds_break_off_or_the_other_goes_on_elsewhere()
 {
    // The other origin of the pair lost nothing, and uses the primary all the time.
    let whole = two(Encoder::new(Role::Primary), Encoder::new(Role::Backup), 40_000, |_| false);
    for phase_ms in [0, 40, 700, 1_300] {
        for then_ms in [None, Some(0), Some(400), Some(1_000), Some(4_000)] {
            for back_ms in [10_000, 12_300, 30_000] {
                let case = format!("{phase_ms} {then_ms:?} {back_ms}");
                let bench = broken_off(true, phase_ms, then_ms, back_ms);
                assert!(bench.segments.len() >= 6, "{case}: {:?}", bench.segments);
                comes_second(&bench, &whole, &case);
                keeps_all(&bench, &case);
                let alone = broken_off(false, phase_ms, then_ms, back_ms);
                assert!(alone.segments.len() >= 6, "{case}: {:?}", alone.segments);
                keeps_all(&alone, &case);
            }
        }
    }
}

#[test]
fn invariant_3_what_a_stall_that_one_of_two_origins_sees_cuts_short_comes_after_the_whole() {
    let whole = two(Encoder::new(Role::Primary), Encoder::new(Role::Backup), 40_000, |_| false);
    for (phase_ms, stall) in
        [0, 40, 700, 1_300].into_iter().flat_map(|phase| [(phase, 4_600), (phase, 5_300)])
    {
        let primary = Encoder::new(Role::Primary);
        let backup = Encoder { phase_ms, ..Encoder::new(Role::Backup) };
        let anchors = Role::ALL.map(|role| (role, Anchor { feed_ms: 0, utc: START.utc })).to_vec();
        let resume = Resume { not_before: MediaTime::default(), anchors };
        let mut bench = Bench::new(Settings { ask: true, ..settings() }, resume);
        let (p, b) = (bench.begin(&primary), bench.begin(&backup));
        for at in 0..40_000 {
            bench.now = at;
            if !(stall..stall + 4_000).contains(&at) {
                bench.feed(p, primary.frames(at));
            }
            bench.feed(b, backup.frames(at));
            bench.tick();
        }
        bench.end(p);
        bench.end(b);
        bench.check();
        let case = format!("{phase_ms} {stall}");
        assert_eq!(bench.switches().first().map(|switch| switch.1), Some(Role::Backup), "{case}");
        comes_second(&bench, &whole, &case);
        keeps_all(&bench, &case);
    }
}

#[test]
fn what_nobody_goes_on_with_comes_out_after_a_while_and_before_an_origin_stops() {
    let encoder = Encoder::new(Role::Primary);
    let anchors = vec![(Role::Primary, Anchor { feed_ms: 0, utc: START.utc })];
    for stop in [None, Some(7_000)] {
        let resume = Resume { not_before: MediaTime::default(), anchors: anchors.clone() };
        let mut bench = Bench::new(Settings { ask: true, ..settings() }, resume);
        let publish = bench.begin(&encoder);
        for at in 0..5_000 {
            bench.now = at;
            bench.feed(publish, encoder.frames(at));
        }
        bench.lose(publish);
        assert!(!bench.programme.is_live());
        assert_eq!(bench.programme.deadline(), Some(bench.moment().up_ms + OPEN_MS_MAX));
        let lost = bench.now;
        for at in lost..20_000 {
            bench.now = at;
            bench.tick();
            if stop == Some(at) {
                bench.programme.stop();
                bench.collect();
            }
        }
        let (name, _, ms, _) = bench.segments.last().unwrap();
        assert_eq!((*ms, bench.out[name]), (1_000, stop.unwrap_or(lost + OPEN_MS_MAX as i64)));
        assert_eq!((bench.segments.len(), bench.programme.deadline()), (3, None));
        keeps_all(&bench, "");
    }
}

#[test]
fn what_is_sent_again_goes_on_where_it_broke_off_however_often_it_does() {
    let whole = two(Encoder::new(Role::Primary), Encoder::new(Role::Backup), 12_000, |_| false);
    let encoders = [(false, 0), (true, 0), (false, 700), (true, 700)];
    for ((reorders, phase_ms), ask) in encoders.into_iter().flat_map(|of| [(of, true), (of, false)]) {
        let encoder = Encoder { reorders, phase_ms, ..Encoder::new(Role::Primary) };
        let run = |breaks: &[(i64, i64)]| {
            let anchors = vec![(Role::Primary, Anchor { feed_ms: 0, utc: START.utc })];
            let resume = Resume { not_before: MediaTime::default(), anchors };
            let mut bench = Bench::new(Settings { ask, ..settings() }, resume);
            let (mut publish, mut from) = (bench.begin(&encoder), 0);
            // Lost at the one time; sent again from the other.
            for (lost, again) in breaks.iter().copied().chain([(12_000, 0)]) {
                for at in from..lost {
                    bench.now = bench.now.max(at);
                    bench.feed(publish, encoder.frames(at));
                }
                if lost < 12_000 {
                    bench.lose(publish);
                    bench.now += 300;
                    publish = bench.begin(&encoder);
                    from = again;
                }
            }
            bench.end(publish);
            bench.check();
            bench.segments
        };
        let all = run(&[]);
        assert!(phase_ms != 0 || reorders || all == whole.segments);
        for breaks in
            [&[(5_000, 4_000)][..], &[(5_000, 1_000)], &[(5_000, 2_700), (4_500, 3_000), (5_200, 2_700)]]
        {
            assert_eq!(run(breaks), all, "{ask} {reorders} {phase_ms} {breaks:?}");
        }
    }
}

/// What comes of the publish that is open at 5 s, of an origin alone whose journal knows its anchor.
struct Alone {
    bench: Bench,
    encoder: Encoder,
    publish: Publish,
}

impl Alone {
    fn new() -> Alone {
        let encoder = Encoder::new(Role::Primary);
        let anchors = vec![(Role::Primary, Anchor { feed_ms: 0, utc: START.utc })];
        let mut bench = Bench::new(settings(), Resume { not_before: MediaTime::default(), anchors });
        let publish = bench.begin(&encoder);
        let mut alone = Alone { bench, encoder, publish };
        alone.feed(0, 5_000);
        alone
    }

    /// What is sent from the one time on arrives up to the other, what is older all at once.
    fn feed(&mut self, from: i64, to: i64) {
        for at in from..to {
            self.bench.now = self.bench.now.max(at);
            self.bench.feed(self.publish, self.encoder.frames(at));
            self.bench.tick();
        }
    }

    fn wait(&mut self, to: i64) {
        for at in self.bench.now..to {
            self.bench.now = at;
            self.bench.tick();
        }
    }

    /// When what was open came out, and how long it is.
    fn short(&self) -> Option<(i64, i64)> {
        let is =
            |(_, start, ..): &&(String, MediaTime, i64, bool)| *start == START.plus_ms(4_000).utc.media();
        self.bench.segments.iter().find(is).map(|(name, _, ms, _)| (self.bench.out[name], *ms))
    }
}

#[test]
fn an_origin_alone_lets_out_what_is_open_as_soon_as_nothing_of_it_can_come_again() {
    let lost = || {
        let mut alone = Alone::new();
        alone.bench.lose(alone.publish);
        assert_eq!((alone.short(), alone.bench.programme.is_live()), (None, false));
        alone
    };
    // Its encoder ended it.
    let mut alone = Alone::new();
    alone.bench.programme.end(alone.publish, End::InOrder, alone.bench.moment());
    alone.bench.collect();
    assert_eq!((alone.short(), alone.bench.programme.deadline()), (Some((4_999, 1_000)), None));
    // Nobody comes back.
    let mut alone = lost();
    alone.wait(20_000);
    assert_eq!(alone.short(), Some((4_999 + OPEN_MS_MAX as i64, 1_000)));
    // It stops.
    let mut alone = lost();
    alone.wait(7_001);
    alone.bench.programme.give_up_waiting();
    alone.bench.collect();
    assert_eq!(alone.short(), Some((7_000, 1_000)));
    // The encoder comes back and goes on: with the key frame from which on it plays.
    let mut alone = lost();
    alone.wait(7_001);
    alone.publish = alone.bench.begin(&alone.encoder);
    alone.feed(7_000, 14_000);
    assert_eq!(alone.short(), Some((8_000, 1_000)));
    // It was started again, and its clock with it.
    let mut alone = lost();
    alone.wait(7_301);
    alone.encoder = Encoder { clock_ms: 3_600_000 - 7_300, phase_ms: 1_300, ..alone.encoder };
    alone.publish = alone.bench.begin(&alone.encoder);
    alone.feed(7_300, 14_000);
    assert_eq!(alone.short(), Some((7_300, 1_000)));
    // It sends again what it had sent, in another encoding: with its first key frame.
    let mut alone = lost();
    alone.wait(7_001);
    alone.publish = alone.bench.begin(&alone.encoder);
    for at in 4_000..14_000 {
        alone.bench.now = alone.bench.now.max(at);
        let mut events = alone.encoder.frames(at);
        for event in &mut events {
            let FeedEvent::Frame(frame) = event else { continue };
            frame.data = [&frame.data[..], b" otherwise"].concat().into();
        }
        alone.bench.feed(alone.publish, events);
    }
    assert_eq!(alone.short(), Some((7_000, 1_000)));
    // It says of its sound a moment late that it is the same.
    let mut alone = lost();
    alone.wait(7_001);
    alone.publish = alone.bench.programme.begin(Role::Primary, alone.bench.moment());
    alone.bench.feed(alone.publish, vec![video(1280)]);
    alone.bench.feed(alone.publish, alone.encoder.frames(4_000).drain(..1).collect());
    alone.bench.feed(alone.publish, vec![audio()]);
    alone.feed(4_001, 14_000);
    assert_eq!(alone.short(), Some((7_000, 2_000)));
}

#[test]
fn an_origin_alone_that_is_killed_while_it_waits_has_all_that_the_encoder_sends_again() {
    let mut whole = Alone::new();
    whole.feed(5_000, 12_000);
    for waited in [false, true] {
        let mut alone = Alone::new();
        if waited {
            alone.bench.lose(alone.publish);
            alone.wait(6_001);
        }
        let mut made = core::mem::take(&mut alone.bench.segments);
        let (_, start, ms, _) = made.last().unwrap();
        let not_before = MediaTime(start.0 + ms.unsigned_abs() * 90);
        let anchors = vec![(Role::Primary, Anchor { feed_ms: 0, utc: START.utc })];
        alone.bench = Bench { now: 6_000, ..Bench::new(settings(), Resume { not_before, anchors }) };
        alone.publish = alone.bench.begin(&alone.encoder);
        alone.feed(3_000, 12_000);
        made.extend(
            alone.bench.segments.iter().map(|(name, start, ms, _)| (name.clone(), *start, *ms, false)),
        );
        let first = |made: &[(String, MediaTime, i64, bool)]| {
            made.iter().map(|(name, start, ms, _)| (name.clone(), *start, *ms)).collect::<Vec<_>>()
        };
        assert_eq!(first(&made), first(&whole.bench.segments));
    }
}

#[test]
fn a_backup_that_ends_takes_nothing_from_a_primary_that_was_lost() {
    let (primary, backup) = (Encoder::new(Role::Primary), Encoder::new(Role::Backup));
    let anchors = vec![(Role::Primary, Anchor { feed_ms: 0, utc: START.utc })];
    let mut bench = Bench::new(settings(), Resume { not_before: MediaTime::default(), anchors });
    let (p, b) = (bench.begin(&primary), bench.begin(&backup));
    for at in 0..5_000 {
        bench.now = at;
        bench.feed(p, primary.frames(at));
    }
    bench.lose(p);
    bench.programme.end(b, End::InOrder, bench.moment());
    bench.collect();
    assert!(bench.programme.deadline().is_some());
    let p = bench.begin(&primary);
    for at in 4_000..9_000 {
        bench.now = bench.now.max(at);
        bench.feed(p, primary.frames(at));
    }
    bench.end(p);
    bench.check();
    let lengths: Vec<_> = bench.segments.iter().map(|segment| segment.2).collect();
    assert_eq!(lengths, [2_000, 2_000, 2_000, 2_000, 1_000]);
}

#[test]
fn who_begins_again_where_it_began_is_told_from_who_starts_again_by_how_fast_it_comes() {
    let encoder = Encoder { clock_ms: 77_000, ..Encoder::new(Role::Primary) };
    for ask in [false, true] {
        let settings = || Settings { ask, ..settings() };
        let first = |to: i64| {
            let mut bench = Bench::new(Settings { ask: false, ..settings() }, Resume::default());
            let publish = bench.begin(&encoder);
            for at in 0..to {
                bench.now = at;
                bench.feed(publish, encoder.frames(at));
            }
            bench.end(publish);
            bench
        };
        let before = first(5_000);
        let (_, start, duration, _) = before.segments.last().unwrap();
        let not_before = MediaTime(start.0 + duration.unsigned_abs() * 90);
        let anchors: Vec<_> = before.anchored.iter().map(|(role, anchor, _)| (*role, *anchor)).collect();
        let resume = || Resume { not_before, anchors: anchors.clone() };

        // All that it had kept comes at once, from its very first frame on.
        let mut again = Bench::new(settings(), resume());
        again.now = 6_000;
        let publish = again.begin(&encoder);
        (0..6_000).for_each(|at| again.feed(publish, encoder.frames(at)));
        for at in 6_000..12_000 {
            again.now = at;
            again.feed(publish, encoder.frames(at));
        }
        again.end(publish);
        assert_eq!(again.anchored[0].1, anchors[0].1, "its place is known");
        let whole = first(12_000);
        let names = |bench: &Bench| bench.segments.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
        assert!(names(&whole).ends_with(&names(&again)), "nothing is missing, and nothing has another name");
        assert!(again.segments.first().is_some_and(|first| first.1 >= not_before));

        // Another run: the same timestamps as time passes.
        let restarted = Encoder { clock_ms: 77_000 - 6_000, ..Encoder::new(Role::Primary) };
        let mut other = Bench::new(settings(), resume());
        other.now = 6_000;
        let publish = other.begin(&restarted);
        for at in 6_000..12_000 {
            other.now = at;
            other.feed(publish, restarted.frames(at));
        }
        if ask {
            let (asked, feed_ms, arrived) = other.asked[0];
            assert_eq!((asked, feed_ms, arrived), (publish, 77_000, START.utc.plus_ms(6_000)));
            continue;
        }
        other.end(publish);
        assert_eq!(other.anchored[0].1, Anchor { feed_ms: 77_000, utc: START.utc.plus_ms(6_000) });
        let first = other.segments.first().unwrap().1;
        assert_eq!(first.utc(), START.utc.plus_ms(6_000), "not a frame of it is left out");
    }
}

#[test]
fn an_anchor_of_others_is_adopted_and_the_frames_waited_for_it() {
    let encoder = Encoder { clock_ms: 5_000, ..Encoder::new(Role::Primary) };
    for (answer, from) in [
        (
            Some((Anchor { feed_ms: 0, utc: UtcMs(START.utc.0 - 4_000) }, AnchorFrom::Others)),
            AnchorFrom::Others,
        ),
        (None, AnchorFrom::ArrivalAlone),
    ] {
        let mut bench = Bench::new(Settings { ask: true, ..settings() }, Resume::default());
        let publish = bench.begin(&encoder);
        for at in 0..500 {
            bench.now = at;
            bench.feed(publish, encoder.frames(at));
        }
        assert!(bench.passed.is_empty());
        assert_eq!(bench.asked, [(publish, 5_000, START.utc)]);
        bench.programme.answer(publish, answer, bench.moment());
        bench.collect();
        assert_eq!(bench.anchored[0].2, from);
        assert_eq!(bench.passed.len(), 13 + 25);
        let lag = answer.map_or(0, |_| 1_000);
        assert_eq!(bench.passed[0].1.sample.dts, START.utc.plus_ms(lag).media());
        // A second answer comes too late.
        bench.programme.answer(publish, answer, bench.moment());
        bench.collect();
        assert_eq!(bench.anchored.len(), 1);
        bench.end(publish);
    }
}

#[test]
fn invariant_3_two_origins_go_on_alike_behind_a_pause_of_the_encoder() {
    let anchor = Anchor { feed_ms: 0, utc: START.utc };
    let origin = |lag_ms: i64| {
        let encoder = Encoder { lag_ms, ..Encoder::new(Role::Primary) };
        let resume = Resume { anchors: vec![(Role::Primary, anchor)], ..Resume::default() };
        let mut bench = Bench::new(Settings { ask: true, ..settings() }, resume);
        let publish = bench.begin(&encoder);
        for at in lag_ms..30_000 + lag_ms {
            bench.now = at;
            // It brings nothing for 16 s, and its clock goes on.
            if !(5_000..21_300).contains(&(at - lag_ms)) {
                bench.feed(publish, encoder.frames(at));
            }
        }
        bench.end(publish);
        bench.check();
        assert_eq!(bench.anchored, [(Role::Primary, anchor, AnchorFrom::Known)]);
        assert!(bench.notes.iter().any(|(_, note)| *note == Note::Paused(Role::Primary)));
        let at = |start: MediaTime| (start - START.utc.media()).ms();
        let segments = bench.segments.iter();
        segments.map(|(name, start, ms, apart)| (name.clone(), at(*start), *ms, *apart)).collect::<Vec<_>>()
    };
    let (first, second) = (origin(0), origin(700));
    assert_eq!(first, second);
    let places: Vec<_> = first.iter().map(|(_, start, _, apart)| (*start, *apart)).collect();
    assert_eq!(places[..5], [(0, true), (2_000, false), (4_000, false), (22_000, true), (24_000, false)]);
}

#[test]
fn nobody_waits_for_an_anchor_for_long() {
    let encoder = Encoder::new(Role::Primary);
    let mut bench = Bench::new(Settings { ask: true, ..settings() }, Resume::default());
    let publish = bench.begin(&encoder);
    for at in 0..2_500 {
        bench.now = at;
        bench.feed(publish, encoder.frames(at));
        assert_eq!(bench.passed.is_empty(), at < 2_000);
    }
    assert_eq!(
        bench.anchored,
        [(Role::Primary, Anchor { feed_ms: 0, utc: START.utc }, AnchorFrom::ArrivalAlone)]
    );
    assert_eq!(bench.passed.len(), 63 + 125);
    // Nor are more frames kept than there is room for.
    let mut bench = Bench::new(Settings { ask: true, ..settings() }, Resume::default());
    let publish = bench.begin(&encoder);
    for n in 0..20 {
        let data = Bytes::from(std::vec![0; 1 << 20]);
        let frame = Frame { kind: Kind::Video, dts_ms: n, cts: 0, key: true, leading: false, data };
        bench.programme.handle(publish, FeedEvent::Frame(frame), bench.moment());
        assert_eq!(bench.programme.poll().is_some(), n == 0 || n >= 15, "{n}");
    }
    // A publish that ends while it waits is not lost.
    let mut bench = Bench::new(Settings { ask: true, ..settings() }, Resume::default());
    let publish = bench.begin(&encoder);
    bench.feed(publish, encoder.frames(0));
    bench.end(publish);
    assert_eq!(bench.segments.len(), 1);
}

#[test]
fn whoever_sets_the_clock_switches_nothing() {
    let (primary, backup) = (Encoder::new(Role::Primary), Encoder::new(Role::Backup));
    let mut bench = Bench::new(settings(), Resume::default());
    let (p, b) = (bench.begin(&primary), bench.begin(&backup));
    for at in 0..30_000 {
        bench.now = at;
        let mut moment = bench.moment();
        match at {
            5_000..10_000 => moment.utc.0 += 3_600_000,
            10_000..20_000 => moment.utc.0 -= 3_600_000,
            _ => {}
        }
        for (publish, encoder) in [(p, primary), (b, backup)] {
            for event in encoder.frames(at) {
                bench.programme.handle(publish, event, moment);
            }
        }
        bench.collect();
    }
    bench.end(p);
    bench.end(b);
    bench.check();
    assert!(bench.notes.is_empty() || bench.notes.iter().all(|(at, _)| *at >= 29_999), "{:?}", bench.notes);
    assert_eq!(bench.samples(Kind::Video).len(), 750);
}

#[test]
fn a_clock_that_was_set_while_the_encoder_or_the_origin_was_away_takes_nothing_back() {
    const HOUR: i64 = 3_600_000;
    // Set back or forward; put right again 10 s later or never; the encoder alone was away, as it says or not, or the origin was
    // restarted.
    let ways = [(End::InOrder, false), (End::Lost, false), (End::InOrder, true)];
    for (step, right, (end, restart)) in [-HOUR, HOUR, -1_000, 1_000]
        .into_iter()
        .flat_map(|step| [(step, false), (step, true)])
        .flat_map(|(step, right)| ways.map(|way| (step, right, way)))
    {
        let encoder = Encoder::new(Role::Primary);
        let mut bench = Bench::new(settings(), Resume::default());
        let mut publish = bench.begin(&encoder);
        for at in 0..30_000 {
            bench.now = at;
            let by = match at {
                ..7_000 => 0,
                17_000.. if right => 0,
                _ => step,
            };
            let mut moment = bench.moment();
            moment.utc = UtcMs(moment.utc.0.saturating_add_signed(by));
            // Three connections: before the clock is set, after it was, and after it was put right.
            if [7_000, 17_000].contains(&at) {
                bench.programme.end(publish, end, moment);
                bench.collect();
                if restart {
                    let anchors = bench.anchored.iter().map(|(role, anchor, _)| (*role, *anchor)).collect();
                    let (_, start, ms, _) = bench.segments.last().unwrap();
                    let not_before = MediaTime(start.0 + ms.unsigned_abs() * 90);
                    bench.programme = Programme::new(settings(), Resume { not_before, anchors });
                }
                publish = bench.programme.begin(Role::Primary, moment);
                bench.programme.handle(publish, video(encoder.width), moment);
                bench.programme.handle(publish, audio(), moment);
            }
            // After each of them the encoder is away for a moment.
            if !(7_000..8_000).contains(&at) && !(17_000..18_000).contains(&at) {
                for event in encoder.frames(at) {
                    bench.programme.handle(publish, event, moment);
                }
            }
            bench.collect();
        }
        bench.end(publish);
        bench.check();
        // What arrived is there: nothing was taken for the past.
        let lost = bench.samples(Kind::Video).len().abs_diff(30 * 25 - 2 * 25);
        assert!(lost <= 2 * 50, "{step} {right} {end:?} {restart}: {lost} frames are missing");
    }
}

#[test]
fn a_known_anchor_is_used_where_the_feed_soon_gets_past_what_was_cut() {
    let anchor = Anchor { feed_ms: 1_000, utc: START.utc };
    // From which timestamp on the feed comes, and up to how long after the anchor's instant may have been cut.
    for (feed_ms, cut_ms) in [
        // It begins where the anchor's feed began: its encoder was started again.
        (1_000, 1_000),
        (1_999, 1_999),
        (1, 1),
        // It goes on, or sends again what it had kept.
        (2_000, 16_000),
        (0, 14_000),
        (3_601_000, 3_615_000),
    ] {
        let cut = |ms: i64| MediaTime(START.utc.media().0.saturating_add_signed(ms * 90));
        assert!(feed::reaches(anchor, feed_ms, MediaTime::default()), "{feed_ms}");
        assert!(feed::reaches(anchor, feed_ms, cut(cut_ms)), "{feed_ms}");
        assert!(!feed::reaches(anchor, feed_ms, cut(cut_ms + 1)), "{feed_ms}");
    }
    for feed_ms in [i64::MIN, i64::MAX] {
        assert!(!feed::reaches(anchor, feed_ms, MediaTime::default()), "a time beyond all reason");
    }
}

#[test]
fn a_feed_that_lies_far_behind_gets_a_new_anchor() {
    // The backup joins while the wall's clock is an hour ahead; once it is used, the primary lies an hour behind.
    let (primary, backup) =
        (Encoder::new(Role::Primary), Encoder { phase_ms: 40, ..Encoder::new(Role::Backup) });
    let mut bench = Bench::new(settings(), Resume::default());
    let (p, b) = (bench.begin(&primary), bench.begin(&backup));
    for at in 0..40_000 {
        bench.now = at;
        let mut moment = bench.moment();
        moment.utc.0 += 3_600_000;
        if !(5_000..8_000).contains(&at) {
            bench.feed(p, primary.frames(at));
        }
        for event in backup.frames(at) {
            bench.programme.handle(b, event, moment);
        }
        bench.collect();
    }
    bench.end(p);
    bench.end(b);
    bench.check();
    assert!(
        bench
            .notes
            .iter()
            .any(|(_, note)| matches!(note, Note::Behind { role: Role::Primary, ms } if *ms > 3_590_000))
    );
    let switches = bench.switches();
    assert_eq!(switches.iter().map(|switch| switch.1).collect::<Vec<_>>(), [Role::Backup, Role::Primary]);
}

/// What the primary sends from 7 s to 12 s comes at 12 s, all at once. And from its third second on, the backup is ahead of
/// what the arrival of its first frame said: many an encoder begins with a burst.
fn hung(primary: Encoder, mut backup: Encoder, lead_ms: i64) -> Bench {
    let mut bench = Bench::new(settings(), Resume::default());
    let (p, b) = (bench.begin(&primary), bench.begin(&backup));
    let mut waiting = Vec::new();
    for at in 0..30_000 {
        bench.now = at;
        waiting.extend(primary.frames(at));
        if !(7_000..12_000).contains(&at) {
            bench.feed(p, std::mem::take(&mut waiting));
        }
        bench.feed(b, backup.frames(at));
        if at == 2_000 {
            backup.clock_ms += lead_ms;
            backup.phase_ms -= lead_ms;
        }
    }
    bench.check();
    bench
}

#[test]
fn an_encoder_that_hung_is_replaced_within_one_interval_and_used_again_as_soon_as_it_is_steady() {
    for (reorders, phase_ms, lead_ms) in [false, true].into_iter().flat_map(|reorders| {
        let phases = (0..GOP_MS).step_by(130);
        phases.flat_map(move |phase_ms| [0, 200, 640, 1_400, 2_600].map(|lead| (reorders, phase_ms, lead)))
    }) {
        let primary = Encoder { reorders, ..Encoder::new(Role::Primary) };
        let backup = Encoder { phase_ms, reorders, ..Encoder::new(Role::Backup) };
        let bench = hung(primary, backup, lead_ms);
        let (case, switches) = ((reorders, phase_ms, lead_ms), bench.switches());
        let [(_, Role::Backup, Reason::Stalled(_), _), (back, Role::Primary, Reason::Steady(_), true)] =
            switches[..]
        else {
            panic!("{case:?}: {switches:?}");
        };
        // Steady from 12 s to 22 s; a key frame of it that the backup has not gone past is at most an interval away.
        assert!(back <= 22_000 + GOP_MS + lead_ms + FRAME_MS, "{case:?}: {switches:?}");
        // However far ahead the backup is: it begins at its first key frame behind what was used.
        let late = if reorders { 2 * FRAME_MS } else { 0 };
        let step = bench.largest_step();
        assert!(step <= GOP_MS + FRAME_MS + late, "{case:?}: {step} ms between two pictures");
        // Nobody gets a picture without the one that it was made from: each use of a feed has what it sent, in order.
        for pair in bench
            .passed
            .iter()
            .filter(|(_, one)| one.sample.kind == Kind::Video)
            .collect::<Vec<_>>()
            .windows(2)
        {
            let [(_, before), (_, after)] = pair else { continue };
            let same = role_of(before) == role_of(after);
            let step = (after.sample.dts - before.sample.dts).ms();
            assert!(!same || step == FRAME_MS || step == FRAME_MS + lead_ms, "{case:?}: {step} {after:?}");
        }
    }
}

/// Of each time, the role that is used.
fn used_at(bench: &Bench) -> BTreeMap<i64, Role> {
    bench.passed.iter().map(|(at, passed)| (*at, role_of(passed))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// However the two lie to each other: out within one key frame interval, back without losing a frame.
    #[test]
    fn a_switch_takes_one_key_frame_interval(
        phase_ms in 0..GOP_MS,
        lags in (0..2_500_i64, 0..2_500_i64),
        clocks in (-100_000..100_000_i64, -100_000..100_000_i64),
        stall in 6_000..8_000_i64,
        length in 1_100..6_000_i64,
    ) {
        let primary = Encoder { lag_ms: lags.0, clock_ms: clocks.0, ..Encoder::new(Role::Primary) };
        let backup = Encoder { phase_ms, lag_ms: lags.1, clock_ms: clocks.1, ..Encoder::new(Role::Backup) };
        let bench = two(primary, backup, 40_000, |at| (stall..stall + length).contains(&at));
        let switches = bench.switches();
        // The backup may have been there first, and be used until the primary is steady.
        let mut used = Role::Primary;
        for (at, to, reason, _) in &switches {
            prop_assert!(*to != used || *at == switches[0].0);
            used = *to;
            // Out: one interval after the stall is seen, and what the two lie apart.
            if let Reason::Stalled(ms) = reason {
                prop_assert!(*ms <= STALL_MS + GOP_MS as u64 + 2_500 + 40, "{:?}", switches);
            }
        }
        // At the very end, the backup may follow the primary's.
        let used = used_at(&bench).range(..39_900).next_back().map(|(_, role)| *role);
        prop_assert_eq!(used, Some(Role::Primary), "{:?}", switches);
        // Between two samples that go out there is no more than a stall, an interval, and what the primary is behind.
        let times: Vec<i64> = bench.passed.iter().map(|(at, _)| *at).collect();
        for pair in times.windows(2) {
            prop_assert!(pair[1] - pair[0] <= 1_000 + GOP_MS + 2_500 + 80, "{:?} {:?}", pair, switches);
        }
        // The way back loses nothing that is not shorter than the bound of a seam.
        for (at, to, reason, _) in switches {
            if matches!(reason, Reason::Steady(_)) && to == Role::Primary {
                let video: Vec<_> = bench.passed.iter().filter(|(_, passed)| passed.sample.kind == Kind::Video).collect();
                let first = video.iter().position(|(when, passed)| *when >= at && role_of(passed) == Role::Primary).unwrap();
                let step = (video[first].1.sample.dts - video[first - 1].1.sample.dts).ms();
                prop_assert!(step <= 80, "{step}");
            }
        }
    }

    /// Stalls, late bursts, reconnects, jumps and joins of both feeds, for a minute.
    #[test]
    fn whatever_two_feeds_do_media_time_increases_and_one_is_used(
        phase_ms in 0..GOP_MS,
        width in prop_oneof![Just(1280_u16), Just(640)],
        acts in prop::collection::vec((0..60_000_i64, any::<bool>(), 0..6_u8, 0..6_000_i64), 0..24),
    ) {
        let encoders = [Encoder::new(Role::Primary), Encoder { phase_ms, width, ..Encoder::new(Role::Backup) }];
        let mut bench = Bench::new(settings(), Resume::default());
        let mut acts = acts;
        acts.sort_by_key(|act| act.0);
        let mut acts = acts.into_iter().peekable();
        let mut feeds = encoders.map(|encoder| (encoder, None::<Publish>, 0_i64, Vec::<FeedEvent>::new()));
        feeds[0].1 = Some(bench.begin(&encoders[0]));
        for at in 0..60_000 {
            bench.now = at;
            while let Some((_, backup, act, ms)) = acts.next_if(|act| act.0 <= at) {
                let (encoder, publish, silent_until, waiting) = &mut feeds[usize::from(backup)];
                match (act, *publish) {
                    (0, _) => *publish = Some(bench.begin(encoder)),
                    (1, Some(ended)) => {
                        bench.end(ended);
                        (*publish, *silent_until) = (None, 0);
                        waiting.clear();
                    }
                    (2, _) => *silent_until = at + ms,
                    (3, _) => encoder.clock_ms += ms - 3_000,
                    (4, _) => encoder.clock_ms += 50 * ms,
                    (5, Some(_)) => *publish = Some(bench.begin(encoder)),
                    _ => {}
                }
            }
            for (encoder, publish, silent_until, waiting) in &mut feeds {
                // What was held up comes all at once.
                waiting.extend(encoder.frames(at));
                let Some(publish) = *publish else {
                    waiting.clear();
                    continue;
                };
                if at >= *silent_until {
                    let events = std::mem::take(waiting);
                    bench.feed(publish, events);
                }
            }
        }
        for (_, publish, ..) in feeds {
            if let Some(publish) = publish {
                bench.end(publish);
            }
        }
        bench.check();
        // Each use of a feed begins with a key frame.
        let mut last = None;
        for (_, passed) in bench.passed.iter().filter(|(_, passed)| passed.sample.kind == Kind::Video) {
            let role = role_of(passed);
            prop_assert!(last == Some(role) || passed.sample.key);
            last = Some(role);
        }
    }
}

#[test]
fn the_sound_alone_is_a_rung_and_cuts_are_given_out_and_the_sources_objects_stay_the_same() {
    let objects = |sound: bool| {
        let mut settings = settings();
        if sound {
            (settings.sound, settings.cuts) = (Some("audio".parse().unwrap()), true);
        }
        let mut programme = Programme::new(settings, Resume::default());
        let encoder = Encoder { reorders: true, ..Encoder::new(Role::Primary) };
        let publish = programme.begin(Role::Primary, START);
        programme.handle(publish, video(1280), START);
        programme.handle(publish, audio(), START);
        for ms in 0..9_000 {
            let now = Moment { utc: START.utc.plus_ms(ms as u64), up_ms: START.up_ms + ms as u64 };
            for frame in encoder.frames(ms) {
                programme.handle(publish, frame, now);
            }
        }
        let mut objects = (Vec::new(), Vec::new(), Vec::new());
        while let Some(output) = programme.poll() {
            match output {
                Output::Object(package::Object { kind: Made::Rung(id, rung), name, .. }) => {
                    assert_eq!(id.as_str(), "audio");
                    assert!(name.contains("/audio/"), "{name}");
                    objects.1.push(rung);
                }
                Output::Object(object) => objects.0.push(object),
                Output::Cut(cut) => objects.2.push(cut),
                _ => {}
            }
        }
        objects
    };
    let (plain, none, no_cuts) = objects(false);
    assert!(none.is_empty() && no_cuts.is_empty());
    let (source, sound, cuts) = objects(true);
    assert_eq!(source, plain);
    let of_source = source.iter().filter_map(|object| match object.kind {
        Made::Segment { start, duration, .. } => Some((start, duration)),
        _ => None,
    });
    let of_source: Vec<_> = of_source.collect();
    assert!(of_source.len() >= 3);
    let Some(package::Rung::Init(init)) = sound.first() else { panic!("an init segment comes first") };
    assert_eq!((&*init.codecs, init.width), ("mp4a.40.2", 0));
    let of_sound = sound.iter().filter_map(|rung| match rung {
        package::Rung::Segment { start, duration, .. } => Some((*start, *duration)),
        package::Rung::Init(_) => None,
    });
    assert_eq!(of_sound.collect::<Vec<_>>(), of_source);
    assert_eq!(
        cuts.iter().map(|cut| cut.start).collect::<Vec<_>>(),
        of_source.iter().map(|of| of.0).collect::<Vec<_>>()
    );
}

#[test]
fn a_backup_without_sound_takes_over_and_gives_back_without_a_seam_and_with_silence() {
    let mut programme = Programme::new(Settings { cuts: true, ..settings() }, Resume::default());
    let encoders = Role::ALL.map(Encoder::new);
    let publishes = Role::ALL.map(|role| programme.begin(role, START));
    for publish in publishes {
        programme.handle(publish, video(1280), START);
    }
    programme.handle(publishes[0], audio(), START);
    let (mut cuts, mut notes) = (Vec::new(), Vec::new());
    for at in 0..32_000 {
        let now = START.plus_ms(at);
        let primary = encoders[0].frames(at as i64).into_iter().filter(|_| !(8_000..14_000).contains(&at));
        let backup = encoders[1].frames(at as i64).into_iter();
        let is_picture =
            |event: &FeedEvent| matches!(event, FeedEvent::Frame(frame) if frame.kind == Kind::Video);
        primary.for_each(|event| programme.handle(publishes[0], event, now));
        backup.filter(is_picture).for_each(|event| programme.handle(publishes[1], event, now));
        while let Some(output) = programme.poll() {
            match output {
                Output::Cut(cut) => cuts.push(cut),
                Output::Note(note) => notes.push(note),
                _ => {}
            }
        }
    }
    let brief: Vec<_> = notes
        .iter()
        .map(|note| match note {
            Note::Switched { to, seamless, .. } => format!("{} {seamless}", to.as_str()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(brief, ["backup true", "Silent(true)", "primary true", "Silent(false)"]);
    assert!(cuts.len() >= 14);
    for (n, cut) in cuts.iter().enumerate() {
        assert_eq!((cut.discontinuity, cut.tracks.audio.is_some()), (n == 0, true));
    }
    let times: Vec<i64> =
        cuts.iter().flat_map(|cut| &cut.audio).map(|sample| sample.dts.utc().0 as i64).collect();
    assert!(times.windows(2).all(|pair| (1..2 * SOUND_MS).contains(&(pair[1] - pair[0]))), "{times:?}");
}
