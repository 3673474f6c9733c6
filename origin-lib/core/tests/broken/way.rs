//! The whole way of a channel's feeds: programme, segments, boxes, encryption, book, playlists; and a player behind it.

use std::collections::BTreeMap;
use std::io::Cursor;

use mp4_atom::{Any, Decode, Moov};
use railbird_core::fmp4::read;
use railbird_core::keys::{self, MasterSecret};
use railbird_core::lint::{Follower, Place, ours};
use railbird_core::media::{FeedEvent, Kind, Role};
use railbird_core::package::{self, Object};
use railbird_core::playlist::{self, Wanted};
use railbird_core::programme::{End, Note, Output, Programme, Publish, Resume, Settings};
use railbird_core::publish::{Book, Channel};
use railbird_core::state::{ChannelState, Node};
use railbird_core::time::{MediaSpan, MediaTime, Moment, UtcMs};
use railbird_core::timeline::Anchor;

use super::parts::Parts;

/// When everything begins: an instant at which segments of any length begin.
pub(crate) const START: Moment = Moment { utc: UtcMs(1_795_171_920_000), up_ms: 50_000 };

const KEY_PERIOD_S: u32 = 60;

/// How much is listed live.
const WINDOW_S: u32 = 12;

/// How much is listed of a recording.
const RECORDING_S: u32 = 3_600;

/// Where its only node is.
pub(crate) const NODE: &str = "http://a";

/// The content key of a period.
pub(crate) fn key(period: u64) -> [u8; 16] {
    secret().content_key(&"t".parse().unwrap(), period)
}

/// A sample as a player finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Decoding and presentation, in 1/90000 s after [`START`].
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) key: bool,
    pub(crate) data: Vec<u8>,
}

/// Samples of pictures and of sound, in the order of their decoding.
pub(crate) type Samples = [Vec<Seen>; 2];

/// A segment as a player finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// When it was made, in milliseconds after [`START`].
    pub(crate) made_ms: u64,
    /// Where it begins, in milliseconds after [`START`], and how long it is.
    pub(crate) start_ms: i64,
    pub(crate) duration_ms: i64,
    pub(crate) discontinuity: bool,
    pub(crate) init: String,
    pub(crate) video: Vec<Seen>,
    pub(crate) audio: Vec<Seen>,
    /// As it lies at targets.
    pub(crate) object: Object,
    /// Its boxes.
    pub(crate) clear: Vec<u8>,
}

/// A channel from its feeds' events to who plays it.
pub(crate) struct Way {
    programme: Programme,
    publish: Option<Publish>,
    book: Book,
    player: Follower,
    now_ms: u64,
    /// Where the feed's clock is tied to the world's.
    pub(crate) anchor: Option<Anchor>,
    /// The init segment in force.
    init: (String, Vec<read::Track>, Option<Moov>),
    /// The last decoding time of each track and where the last segment ended.
    tips: BTreeMap<u32, i64>,
    end: MediaTime,
    part_ms: Option<u32>,
    /// Those of the segment that comes next.
    parts: Parts,
    pub(crate) segments: Vec<Segment>,
    pub(crate) inits: Vec<package::Kind>,
    /// By their names.
    pub(crate) init_bytes: BTreeMap<String, Vec<u8>>,
    pub(crate) notes: Vec<Note>,
    /// A segment was longer than the playlist had promised.
    pub(crate) too_long: bool,
    /// A part was longer than one may be: nothing of any track begins for as long, and none can be empty.
    pub(crate) long_part: bool,
    /// The playlist as it was loaded last.
    pub(crate) playlist: String,
}

fn secret() -> MasterSecret {
    MasterSecret::new(b"a secret of some length").unwrap()
}

fn book(segment_ms: u32, part_ms: Option<u32>, window_s: u32) -> Book {
    let channel = Channel {
        id: "t".parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        title: "T".into(),
        segment_ms,
        key_period_s: KEY_PERIOD_S,
        part_ms,
        preload_hints: false,
        window_s,
        msn_min: 0,
        nodes: vec![Node::new("a".parse().unwrap(), NODE.into(), true)],
        rungs: Vec::new(),
    };
    Book::new(channel, "source".parse().unwrap())
}

impl Way {
    pub(crate) fn new(segment_ms: u32) -> Way {
        Way::with(segment_ms, None, None)
    }

    /// One of low latency: segments are given out in parts of at most this length before.
    pub(crate) fn in_parts(segment_ms: u32, part_ms: u32) -> Way {
        Way::with(segment_ms, Some(part_ms), None)
    }

    /// One that knows where another origin tied the feed's clock to the world's.
    pub(crate) fn knowing(segment_ms: u32, anchor: Option<Anchor>) -> Way {
        Way::with(segment_ms, None, anchor)
    }

    fn with(segment_ms: u32, part_ms: Option<u32>, anchor: Option<Anchor>) -> Way {
        let package = package::Settings {
            channel: "t".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms,
            part_ms,
            frames: false,
            key_period_s: KEY_PERIOD_S,
            secret: secret(),
        };
        Way {
            programme: Programme::new(
                Settings { silence: true, ..Settings::new(package) },
                Resume {
                    anchors: anchor.map(|anchor| (Role::Primary, anchor)).into_iter().collect(),
                    ..Resume::default()
                },
            ),
            anchor,
            publish: None,
            book: book(segment_ms, part_ms, WINDOW_S),
            player: Follower::default(),
            now_ms: 0,
            init: Default::default(),
            tips: BTreeMap::new(),
            end: MediaTime::default(),
            part_ms,
            parts: Parts::default(),
            segments: Vec::new(),
            inits: Vec::new(),
            init_bytes: BTreeMap::new(),
            notes: Vec::new(),
            too_long: false,
            long_part: false,
            playlist: String::new(),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        START.plus_ms(self.now_ms)
    }

    /// It is so many milliseconds after [`START`].
    pub(crate) fn at(&mut self, ms: u64) {
        self.now_ms = self.now_ms.max(ms);
        if self.programme.deadline().is_some_and(|due| due <= self.now().up_ms) {
            self.programme.tick(self.now());
            self.collect();
        }
    }

    pub(crate) fn begin(&mut self) {
        self.publish = Some(self.programme.begin(Role::Primary, self.now()));
        self.collect();
    }

    pub(crate) fn take(&mut self, event: FeedEvent) {
        let publish = self.publish.expect("a publish");
        self.programme.set_target(self.book.target_s());
        self.programme.handle(publish, event, self.now());
        self.collect();
    }

    pub(crate) fn end(&mut self, end: End) {
        if let Some(publish) = self.publish.take() {
            self.programme.end(publish, end, self.now());
            self.collect();
        }
    }

    /// The crew ends the channel.
    pub(crate) fn finish(&mut self) {
        self.end(End::InOrder);
        self.programme.give_up_waiting();
        self.collect();
        self.parts.are_over();
    }

    /// The recording that was made of it, as an edge knows it.
    pub(crate) fn recording(&self, segment_ms: u32) -> ChannelState {
        let (mut book, now) = (book(segment_ms, None, RECORDING_S), self.now().utc);
        for run in self.segments.chunk_by(|one, next| one.init == next.init) {
            let mut inits = self.inits.iter().filter_map(|kind| match kind {
                package::Kind::Init(init) => Some(init),
                _ => None,
            });
            let init = inits.find(|init| init.name == run[0].init).expect("its init segment");
            book.init(init.clone());
            book.ack_init(0, &init.name, now);
            for Segment { object, .. } in run {
                let package::Kind::Segment { start, duration, discontinuity, dependent, .. } = object.kind
                else {
                    panic!("nobody asked for {:?}", object.kind)
                };
                book.segment(start, duration, discontinuity, object.bytes.len(), now);
                if dependent {
                    book.depends(start);
                }
                book.ack(0, start, now);
            }
        }
        book.poll(now).expect("a channel")
    }

    fn collect(&mut self) {
        while let Some(output) = self.programme.poll() {
            match output {
                Output::Object(object) => self.object(object),
                Output::Note(note) => self.notes.push(note),
                Output::Anchored { anchor, .. } => self.anchor = Some(anchor),
                Output::Ask { .. } | Output::Passed(_) | Output::Cut(_) | Output::Lost(..) => {
                    panic!("nobody asked for {output:?}")
                }
            }
        }
    }

    fn object(&mut self, object: Object) {
        let now = self.now().utc;
        match object.kind.clone() {
            package::Kind::Init(init) => {
                let moov = others(&object.bytes).into_iter().find_map(|(_, found)| match found {
                    Any::Moov(moov) => Some(moov),
                    _ => None,
                });
                self.init = (init.name.clone(), read::init(&object.bytes).expect("our own reading"), moov);
                self.init_bytes.insert(init.name.clone(), object.bytes.to_vec());
                self.inits.push(object.kind);
                self.book.init(init.clone());
                self.book.ack_init(0, &init.name, now);
            }
            package::Kind::Segment { start, duration, discontinuity, dependent, captions, splices: _ } => {
                let len = object.bytes.len();
                self.segment(object, start, duration, discontinuity);
                let first = self.segments.last().and_then(|last| last.video.first().or(last.audio.first()));
                assert_eq!(first.map(|first| first.key), Some(!dependent), "whether one can begin with it");
                assert!(!(dependent && discontinuity), "nobody can begin with it");
                self.book.segment(start, duration, discontinuity, len, now);
                if dependent {
                    self.book.depends(start);
                }
                self.book.captions(captions);
                self.book.ack(0, start, now);
                self.play();
            }
            package::Kind::Part(part) => {
                assert_eq!(part.init, self.init.0, "it needs another init segment than the last");
                let samples = self.samples_of(&object.bytes, part.of).1;
                self.parts.take(part.clone(), samples);
                self.book.part(&part, now);
                self.book.ack_part(0, part.start, now);
                self.play();
            }
            other => panic!("nobody asked for {other:?}"),
        }
    }

    /// Takes a segment apart, twice, and looks whether it goes on with what came before.
    fn segment(&mut self, object: Object, start: MediaTime, duration: MediaSpan, discontinuity: bool) {
        let (clear, [video, audio]) = self.samples_of(&object.bytes, start);
        assert!(duration.0 > 0, "it lasts no time");
        // Where a run ends, nothing tells how long its last picture lasts; no other picture is shown meanwhile.
        let last = self.segments.last().and_then(|last| last.video.iter().map(|sample| sample.pts).max());
        let last = last.map(|pts| START.utc.media() + MediaSpan(pts));
        let after = last.filter(|_| discontinuity).unwrap_or(self.end);
        assert!(start >= after, "it begins at {start}, before the end of the one before, {after}");
        self.end = start + duration;
        for (track, samples) in [&video, &audio].into_iter().enumerate() {
            let tip = self.tips.entry(track as u32).or_insert(i64::MIN);
            for sample in samples {
                // Where times stood still, frames of sound are a tick of their own track apart: less than a millisecond in all.
                assert!(
                    sample.dts >= tip.saturating_sub(90),
                    "decoding goes back from {tip} to {}",
                    sample.dts
                );
                *tip = sample.dts;
            }
        }
        self.segments.push(Segment {
            made_ms: self.now_ms,
            start_ms: (start - START.utc.media()).ms(),
            duration_ms: duration.ms(),
            discontinuity,
            init: self.init.0.clone(),
            video,
            audio,
            object,
            clear,
        });
        if let (Some(part_ms), Some(segment)) = (self.part_ms, self.segments.last()) {
            self.parts.are(start, duration, part_ms, segment);
        }
    }

    /// The boxes of a segment, or of a part of one, which two libraries read alike, and its samples.
    fn samples_of(&self, bytes: &[u8], of: MediaTime) -> (Vec<u8>, Samples) {
        let period = keys::period(of, KEY_PERIOD_S);
        let mut clear = bytes.to_vec();
        keys::decrypt(&key(period), &keys::iv(&"t".parse().unwrap(), period), &mut clear).unwrap();
        let (_, tracks, moov) = &self.init;
        let fragments = read::segment(&clear, tracks).expect("our own reading");
        same_to_others(&clear, &fragments, moov.as_ref().expect("an init segment with a movie"));
        let mut seen = Samples::default();
        for fragment in &fragments {
            let track = tracks.iter().find(|track| track.id == fragment.id).unwrap();
            // Where the track counts something else than 1/90000 s, this is as near as that allows.
            let scale = |ticks: i64| i128::from(ticks) * 90_000 / i128::from(track.timescale);
            let after = |ticks| (scale(ticks) - i128::from(START.utc.media().0)) as i64;
            let mut dts = i64::try_from(fragment.start).unwrap();
            for sample in &fragment.samples {
                seen[usize::from(track.kind == Kind::Audio)].push(Seen {
                    dts: after(dts),
                    pts: after(dts + i64::from(sample.cts)),
                    key: sample.key,
                    data: clear[sample.data.clone()].to_vec(),
                });
                dts += i64::from(sample.duration);
            }
        }
        (clear, seen)
    }

    /// A player loads the playlist.
    fn play(&mut self) {
        let Some(state) = self.book.poll(self.now().utc) else { return };
        state.check().expect("an edge takes it");
        let order = ["a".parse().unwrap()];
        let text = playlist::media(&state, &"source".parse().unwrap(), &order, Wanted::default()).unwrap();
        let findings = ours::unexpected(self.player.load(text.as_bytes(), &Place::default()));
        for finding in findings {
            match finding.rule.id {
                // The encoder's key frames are further apart than they were: that is told in the log, and can't be helped any more.
                "segment-over-target" => self.too_long = true,
                "part-over-target" => self.long_part = true,
                _ => panic!("{finding:#?}\n{text}"),
            }
        }
        let theirs = m3u8_rs::parse_media_playlist_res(text.as_bytes()).expect("other people's reading");
        let listed = &state.renditions[0].segments;
        assert_eq!(theirs.media_sequence, state.renditions[0].first_msn);
        assert_eq!(theirs.segments.len(), listed.len());
        for (theirs, ours) in theirs.segments.iter().zip(listed) {
            // They keep seconds in 32 bits.
            assert!((f64::from(theirs.duration) * 1000.0 - ours.duration.ms() as f64).abs() < 1.5);
        }
        self.playlist = text;
    }
}

/// What another library finds, and where.
fn others(bytes: &[u8]) -> Vec<(usize, Any)> {
    let mut rest = Cursor::new(bytes);
    let mut found = Vec::new();
    while rest.position() < bytes.len() as u64 {
        let at = rest.position() as usize;
        found.push((at, Any::decode(&mut rest).expect("other people's reading")));
    }
    found
}

/// Another library finds the same samples, with the same times and the same bytes.
fn same_to_others(segment: &[u8], ours: &[read::Fragment], moov: &Moov) {
    let moof = others(segment).into_iter().find_map(|(at, found)| match found {
        Any::Moof(moof) => Some((at, moof)),
        _ => None,
    });
    let (moof_at, moof) = moof.expect("a moof");
    assert_eq!(moof.traf.len(), ours.len());
    for (traf, ours) in moof.traf.iter().zip(ours) {
        assert_eq!(traf.tfhd.track_id, ours.id);
        assert_eq!(traf.tfdt.as_ref().map(|tfdt| tfdt.base_media_decode_time), Some(ours.start));
        let trex = moov.mvex.as_ref().unwrap().trex.iter().find(|trex| trex.track_id == ours.id).unwrap();
        let [trun] = &traf.trun[..] else { panic!("{} runs", traf.trun.len()) };
        assert_eq!(trun.samples.len(), ours.samples.len());
        let mut at = moof_at + usize::try_from(trun.data_offset.unwrap()).unwrap();
        for (entry, ours) in trun.samples.iter().zip(&ours.samples) {
            let size =
                entry.size.or(traf.tfhd.default_sample_size).unwrap_or(trex.default_sample_size) as usize;
            let duration =
                entry.duration.or(traf.tfhd.default_sample_duration).unwrap_or(trex.default_sample_duration);
            assert_eq!((at..at + size, duration), (ours.data.clone(), ours.duration));
            assert_eq!(entry.cts.unwrap_or_default(), i64::from(ours.cts));
            at += size;
        }
    }
}
