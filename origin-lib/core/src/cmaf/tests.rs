use alloc::vec::Vec;
use std::format;
use std::string::String;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::flv::{self, Error, File};
use crate::media::{Captured, FeedEvent, Frame, Kind, Tracks};
use crate::programme::End;
use crate::time::{Moment, UtcMs};

mod boxed;
mod oracle;
mod order;
mod requests;
mod tracks;
mod written;

use boxed::{first_of, flat, full};

/// Two seconds of x264 and AAC: 128x72, 25 frames a second, a key frame a second, two B-frames; as ffmpeg muxes them.
const SMALL_FLV: &[u8] = include_bytes!("../../tests/golden/small.flv");
/// One file with both tracks, and an edit list that has it begin at 0.
const MUXED: &[u8] = include_bytes!("../../tests/golden/small.fmp4");
/// Smooth Streaming: offsets count from the file's begin, and times stand in boxes of their own.
const SMOOTH: &[u8] = include_bytes!("../../tests/golden/small.ismv");
/// DASH: the tracks apart, each with its header and one fragment a second, which `styp` and `sidx` precede.
const VIDEO: &[u8] = include_bytes!("../../tests/golden/small.cmfv");
const AUDIO: &[u8] = include_bytes!("../../tests/golden/small.cmfa");

const NOW: Moment = Moment { utc: UtcMs(1_795_171_920_000), up_ms: 1000 };

/// Something that a feed's encoder does.
enum Push<'a> {
    /// A request of this name with this body, which ends.
    Whole(&'a str, &'a [u8]),
    /// One that breaks off behind this body.
    Broken(&'a str, &'a [u8]),
    /// So many milliseconds pass.
    Pass(u64),
}

use Push::{Broken, Pass, Whole};

struct Bench {
    gather: Gather,
    now: Moment,
    told: Vec<Result<FeedEvent, Error>>,
}

impl Bench {
    fn new() -> Bench {
        Bench { gather: Gather::new(&Headers::default(), NOW), now: NOW, told: Vec::new() }
    }

    fn take(&mut self) {
        self.told.extend(core::iter::from_fn(|| self.gather.poll()));
    }

    fn push(&mut self, push: &Push<'_>, piece: usize) -> Result<(), Refusal> {
        let (name, body, whole) = match push {
            Whole(name, body) => (name, body, true),
            Broken(name, body) => (name, body, false),
            Pass(ms) => {
                self.now = self.now.plus_ms(*ms);
                self.gather.tick(self.now);
                self.take();
                return Ok(());
            }
        };
        let request = self.gather.open(name, self.now)?;
        let mut result = Ok(());
        for piece in body.chunks(piece) {
            result = result.and_then(|()| self.gather.handle(request, piece, self.now));
        }
        let closed = self.gather.close(request, whole, self.now);
        self.take();
        result.and(closed)
    }

    fn finish(mut self) -> Vec<Result<FeedEvent, Error>> {
        self.gather.finish(self.now);
        self.take();
        self.told
    }
}

/// What comes of these, cut into pieces of this length.
fn told(pushes: &[Push<'_>], piece: usize) -> Vec<Result<FeedEvent, Error>> {
    let mut bench = Bench::new();
    for push in pushes {
        bench.push(push, piece).unwrap();
    }
    bench.finish()
}

/// The same segment, so many ticks of its track later.
fn later(segment: &[u8], ticks: u64) -> Vec<u8> {
    let mut segment = segment.to_vec();
    let at = segment.windows(4).position(|name| name == b"tfdt").unwrap() + 4;
    assert_eq!(segment[at], 1, "its time has 64 bits");
    let time = &mut segment[at + 4..at + 12];
    let since = u64::from_be_bytes((&*time).try_into().unwrap());
    time.copy_from_slice(&(since + ticks).to_be_bytes());
    segment
}

fn frames(told: &[Result<FeedEvent, Error>], kind: Kind) -> Vec<Frame> {
    let frames = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Frame(frame)) if frame.kind == kind => Some(frame.clone()),
        _ => None,
    });
    frames.collect()
}

fn parameters(told: &[Result<FeedEvent, Error>]) -> Vec<FeedEvent> {
    let told = told.iter().filter_map(|one| one.clone().ok());
    told.filter(|event| matches!(event, FeedEvent::Video(_) | FeedEvent::Audio(_))).collect()
}

fn errors(told: &[Result<FeedEvent, Error>]) -> Vec<String> {
    told.iter().filter_map(|one| one.as_ref().err()).map(|error| format!("{error}")).collect()
}

fn captured(told: &[Result<FeedEvent, Error>]) -> Vec<Captured> {
    let captured = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Captured(captured)) => Some(*captured),
        _ => None,
    });
    captured.collect()
}

/// What the same frames are as FLV.
fn expected() -> Vec<Result<FeedEvent, Error>> {
    let mut demux = flv::Demux::new();
    let mut told = Vec::new();
    for tag in File::new(Bytes::from_static(SMALL_FLV)).unwrap() {
        let tag = tag.unwrap();
        demux.handle(tag.kind, tag.timestamp_ms, tag.payload).unwrap();
        told.extend(core::iter::from_fn(|| demux.poll()).map(Ok));
    }
    told
}

#[test]
fn what_ffmpeg_pushes_as_fragmented_mp4_is_what_it_pushes_as_flv() {
    let theirs = expected();
    for (what, pushes) in [
        ("muxed", &[Whole("", MUXED)][..]),
        ("smooth", &[Whole("", SMOOTH)]),
        ("tracks apart", &[Whole("video.cmfv", VIDEO), Whole("audio.cmfa", AUDIO)]),
        ("sound first", &[Whole("audio.cmfa", AUDIO), Whole("video.cmfv", VIDEO)]),
    ] {
        let ours = told(pushes, 1000);
        assert_eq!(errors(&ours), Vec::<String>::new(), "{what}");
        let said = parameters(&ours);
        assert!(said.len() == 2 && parameters(&theirs).iter().all(|one| said.contains(one)), "{what}");
        for kind in [Kind::Video, Kind::Audio] {
            let (ours, theirs) = (frames(&ours, kind), frames(&theirs, kind));
            assert_eq!(ours.len(), theirs.len(), "{what}");
            let later = ours[0].dts_ms - theirs[0].dts_ms;
            let shown = |frame: &Frame| frame.dts_ms * 90 + i64::from(frame.cts);
            // Smooth Streaming's pictures are shown earlier than they were: ffmpeg writes them so.
            let shown_later = shown(&ours[0]) - shown(&theirs[0]);
            assert!(what == "smooth" || (shown_later - later * 90).abs() <= 180);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert_eq!((&ours.data, ours.key), (&theirs.data, theirs.key), "{what}");
                // Milliseconds there, a finer clock here.
                assert!((ours.dts_ms - theirs.dts_ms - later).abs() <= 1, "{what}: {ours:?} {theirs:?}");
                assert!((shown(ours) - shown(theirs) - shown_later).abs() <= 180, "{what}");
            }
        }
        let order = ours.iter().filter_map(|one| match one {
            Ok(FeedEvent::Frame(frame)) => Some(frame.dts_ms),
            _ => None,
        });
        assert!(order.is_sorted(), "{what}: both kinds in the order of their times");
    }
}

#[test]
fn whole_and_one_byte_at_a_time_it_is_the_same() {
    for body in [MUXED, SMOOTH, VIDEO, AUDIO] {
        let whole = told(&[Whole("a", body)], body.len());
        assert!(whole.len() > 40);
        assert_eq!(told(&[Whole("a", body)], 1), whole);
    }
}

#[test]
fn what_is_said_of_a_request_that_is_refused_does_not_depend_on_its_pieces() {
    let mut body = MUXED[..1363].to_vec();
    body[144] = 1;
    for piece in [1, 227, 1363] {
        let mut bench = Bench::new();
        assert_eq!(bench.push(&Whole("a", &body), piece), Err(Refusal::Malformed("a box is cut off")));
        assert_eq!(bench.finish(), [], "{piece}");
    }
}

proptest! {
    #[test]
    fn damaged_or_not_the_cuts_between_pieces_change_nothing(
        at in 0..MUXED.len(), value: u8, piece in 1_usize..3000, cut in 0..MUXED.len(),
    ) {
        let mut body = MUXED.to_vec();
        body[at] = value;
        body.truncate(cut.max(at + 1));
        let ends = |piece| {
            let mut bench = Bench::new();
            let result = bench.push(&Whole("a", &body), piece);
            (result, bench.finish())
        };
        let (result, told) = ends(body.len());
        let len: usize = [Kind::Video, Kind::Audio].iter().flat_map(|k| frames(&told, *k)).map(|f| f.data.len()).sum();
        prop_assert!(len <= body.len());
        prop_assert_eq!(ends(piece), (result, told));
    }
}

#[test]
fn the_sound_of_an_init_segment_that_was_written_here_is_read_back() {
    let aac = crate::codec::aac::config(&Bytes::from_static(&[0x12, 0x08])).unwrap();
    let opus = crate::codec::opus::config(&[1, 2, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0]).unwrap();
    for config in [aac, opus, crate::codec::silence::usual()] {
        let tracks = Tracks { video: None, audio: Some(config.clone()) };
        assert_eq!(super::sound(&crate::fmp4::init(&tracks)), Some(config));
    }
    assert_eq!(super::sound(&crate::fmp4::init(&Tracks::default())), None);
    assert_eq!(super::sound(b"no init segment"), None);
}
