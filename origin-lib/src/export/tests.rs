use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use railbird_core::captions::Captions;
use railbird_core::flv::{Demux, File};
use railbird_core::hash::Hash;
use railbird_core::id::RecordingId;
use railbird_core::media::{self, FeedEvent, Frame, Role};
use railbird_core::package::{self, Kind};
use railbird_core::programme::{End, Output, Programme, Resume, Settings};
use railbird_core::publish::Init;
use railbird_core::recording::{Head, Record};
use railbird_core::sound::Voice;
use railbird_core::time::{MediaSpan, Moment, UtcMs};

use super::*;

const CLIP: &[u8] = include_bytes!("../../clip/table.flv");
const ROUND_MS: u32 = 8000;
const NOW: UtcMs = UtcMs(1_795_171_920_040);

/// A recording of the bundled clip on a disk of its own.
pub(crate) struct Recorded {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) reel: Reel,
    pub(crate) secret: MasterSecret,
    /// What its journal says of the objects.
    pub(crate) records: Vec<Record>,
}

impl Recorded {
    /// So many rounds of the clip; `key_period_s` is short enough that keys change.
    pub(crate) fn new(rounds: u32) -> Recorded {
        Recorded::of(rounds, Vec::new(), |_| true)
    }

    /// The same of a channel with two sound tracks: the second one is a commentary in Korean, that says nothing.
    pub(crate) fn spoken(rounds: u32) -> Recorded {
        let voice = |track, rendition: &str, name: &str, language: &str| {
            let (rendition, language) = (rendition.parse().unwrap(), language.parse().ok());
            Voice { track, rendition, name: Some(name.into()), language, alone: false }
        };
        let voices = vec![voice(0, "audio", "Hall", ""), voice(1, "audio-1", "Commentary", "ko-KR")];
        Recorded::of(rounds, voices, |_| true)
    }

    /// The same of an origin that got only some of the frames.
    fn of(rounds: u32, voices: Vec<Voice>, got: impl Fn(&Frame) -> bool) -> Recorded {
        let settings = package::Settings {
            channel: "table-1".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms: 2000,
            part_ms: None,
            frames: false,
            key_period_s: 7,
            secret: MasterSecret::new(b"0123456789abcdef").unwrap(),
        };
        let reel = Reel::new(Head {
            channel: settings.channel.clone(),
            recording: RecordingId::beginning(NOW),
            rendition: settings.rendition.clone(),
            segment_ms: settings.segment_ms,
            key_period_s: settings.key_period_s,
            msn_min: 0,
        });
        let (dir, secret) = (tempfile::tempdir().unwrap(), settings.secret.clone());
        let mut recorded = Recorded { dir, reel, secret, records: Vec::new() };
        let silent = voices.len() > 1;
        let mut programme = Programme::new(Settings { voices, ..Settings::new(settings) }, Resume::default());
        let moment = |ms: u32| Moment { utc: NOW.plus_ms(u64::from(ms)), up_ms: u64::from(ms) };
        let publish = programme.begin(Role::Primary, moment(0));
        let mut demux = Demux::new();
        for round in 0..rounds {
            for tag in File::new(Bytes::from_static(CLIP)).unwrap() {
                let tag = tag.unwrap();
                let ms = tag.timestamp_ms + round * ROUND_MS;
                demux.handle(tag.kind, ms, tag.payload).unwrap();
                while let Some(event) = demux.poll() {
                    if matches!(&event, FeedEvent::Frame(frame) if !got(frame)) {
                        continue;
                    }
                    if let Some(event) = silenced(&event).filter(|_| silent) {
                        let event = FeedEvent::Further { track: 1, event: Box::new(event) };
                        programme.handle(publish, event, moment(ms));
                    }
                    programme.handle(publish, event, moment(ms));
                }
            }
        }
        programme.end(publish, End::InOrder, moment(rounds * ROUND_MS));
        while let Some(output) = programme.poll() {
            if let Output::Object(object) = output {
                recorded.keep(object);
            }
        }
        recorded
    }

    fn keep(&mut self, object: railbird_core::package::Object) {
        let path = self.dir.path().join(&object.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &object.bytes).unwrap();
        let n = self.reel.objects().len() as u32;
        let (len, sha256) = (object.bytes.len() as u64, Hash::of(&object.bytes));
        let record = match object.kind {
            Kind::Init(init) => Record::Init { n, init, len, sha256 },
            Kind::Segment { start, duration, discontinuity, dependent, captions, .. } => {
                Record::Segment { n, start, duration, discontinuity, dependent, captions, len, sha256 }
            }
            Kind::FramesInit(_) => Record::FramesInit { n, len, sha256 },
            Kind::Frame(start) => Record::Frame { n, start, len, sha256 },
            Kind::Rung(rendition, package::Rung::Init(init)) => {
                Record::RungInit { n, rendition, init, len, sha256 }
            }
            Kind::Rung(rendition, package::Rung::Segment { start, duration, captions }) => {
                Record::RungSegment { n, rendition, start, duration, captions, len, sha256 }
            }
            Kind::Part(_) => return,
        };
        self.records.push(record.clone());
        self.reel.apply(record).unwrap();
    }

    /// What it would be if its two sounds had swapped their names and languages before the segment in this place.
    fn renamed(&self, place: usize) -> Reel {
        let from = self.reel.segment(self.reel.order()[place]).unwrap().start;
        let is_later =
            |record: &Record| matches!(record, Record::RungSegment { start, .. } if *start >= from);
        let (later, before): (Vec<Record>, Vec<Record>) = self.records.iter().cloned().partition(is_later);
        let inits = before.iter().filter(|record| matches!(record, Record::RungInit { .. }));
        let mut inits: Vec<Record> = inits.cloned().collect();
        let [Record::RungInit { init: one, .. }, Record::RungInit { init: other, .. }] = &mut inits[..]
        else {
            panic!("it has not two sounds");
        };
        let (one, other) = (one.sound.as_mut().unwrap(), other.sound.as_mut().unwrap());
        std::mem::swap(&mut one.name, &mut other.name);
        std::mem::swap(&mut one.language, &mut other.language);
        let mut reel = Reel::new(self.reel.head().clone());
        for mut record in before.into_iter().chain(inits).chain(later) {
            match &mut record {
                Record::Init { n, .. }
                | Record::Segment { n, .. }
                | Record::FramesInit { n, .. }
                | Record::Frame { n, .. }
                | Record::RungInit { n, .. }
                | Record::RungSegment { n, .. } => *n = reel.objects().len() as u32,
                _ => {}
            }
            reel.apply(record).unwrap();
        }
        reel
    }

    /// A sound's segment in the place of this segment.
    pub(crate) fn sound_of(&self, n: u32, rendition: &str) -> u32 {
        let rung = self.reel.rungs().iter().find(|rung| rung.id().as_str() == rendition);
        rung.unwrap().at(self.reel.segment(n).unwrap().start).unwrap()
    }

    pub(crate) fn path(&self, n: u32) -> PathBuf {
        let object = &self.reel.objects()[n as usize];
        self.dir.path().join(self.reel.name(object))
    }

    /// A segment as another origin made it that lost some of the sound.
    pub(crate) fn retold(&self, n: u32) -> Bytes {
        let rounds = self.reel.segment(n).unwrap().start.utc().ms_since(NOW) / u64::from(ROUND_MS) + 1;
        let lost = |frame: &Frame| frame.kind == media::Kind::Audio && frame.dts_ms.rem_euclid(400) < 40;
        let other = Recorded::of(u32::try_from(rounds).unwrap(), Vec::new(), |frame| !lost(frame));
        let name = self.reel.name(&self.reel.objects()[n as usize]);
        let bytes = fs::read(other.dir.path().join(name)).unwrap();
        assert_ne!(bytes, fs::read(self.path(n)).unwrap());
        bytes.into()
    }

    /// A segment of which one bit of ciphertext was flipped, in the middle of the media: everything else of it decrypts.
    pub(crate) fn damaged(&self, n: u32) -> Bytes {
        let mut bytes = fs::read(self.path(n)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes.into()
    }

    fn reader(&self) -> Reader<'_> {
        Reader::new(&self.reel, self.dir.path(), &self.secret)
    }

    fn export(&self, from: Option<u64>, to: Option<u64>) -> Result<(Vec<u8>, Exported), ExportError> {
        let at = |ms: Option<u64>| ms.map(|ms| NOW.plus_ms(ms).media());
        exported(self.reader(), at(from), at(to))
    }
}

fn exported(
    reader: Reader<'_>,
    from: Option<MediaTime>,
    to: Option<MediaTime>,
) -> Result<(Vec<u8>, Exported), ExportError> {
    let mut out = Vec::new();
    let exported = export(reader, from, to, &mut out)?;
    assert_eq!(out.len() as u64, exported.len);
    Ok((out, exported))
}

/// A stereo frame of AAC in which nothing is to be heard.
const SILENCE: [u8; 9] = [33, 0, 73, 144, 2, 25, 0, 35, 128];

/// What the feed brings of sound, without any in it.
fn silenced(event: &FeedEvent) -> Option<FeedEvent> {
    match event {
        FeedEvent::Audio(_) => Some(event.clone()),
        FeedEvent::Frame(frame) if frame.kind == media::Kind::Audio => {
            Some(FeedEvent::Frame(Frame { data: Bytes::from_static(&SILENCE), ..frame.clone() }))
        }
        _ => None,
    }
}

/// What ffmpeg says of a file: of each packet its track, its presentation time in milliseconds and its hash.
pub(crate) fn packets(name: &str, bytes: &[u8], dir: &Path) -> Vec<(u32, i64, String)> {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&path)
        .args(["-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.is_empty(), "{said}");
    let text = String::from_utf8(out.stdout).unwrap();
    let bases: Vec<i64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#tb ")?.split_once(": 1/")?.1.parse().ok())
        .collect();
    let rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let track: u32 = cells[0].parse().unwrap();
        let pts: i64 = cells[2].parse().unwrap();
        (track, pts * 1000 / bases[track as usize], cells[5].to_string())
    });
    rows.collect()
}

#[test]
fn ffmpeg_finds_every_packet_of_the_clip_in_its_place() {
    let recorded = Recorded::new(3);
    let (bytes, exported) = recorded.export(None, None).unwrap();
    assert_eq!((exported.segments, &exported.gaps[..]), (12, &[][..]));
    let found = packets("out.mp4", &bytes, recorded.dir.path());
    let sent = packets("clip.flv", CLIP, recorded.dir.path());
    for track in [0, 1] {
        let of = |packets: &[(u32, i64, String)]| -> Vec<(i64, String)> {
            let rows = packets.iter().filter(|row| row.0 == track);
            rows.map(|(_, pts, hash)| (*pts, hash.clone())).collect()
        };
        let (found, sent) = (of(&found), of(&sent));
        let sent_three = (0..3).flat_map(|round| {
            sent.iter().map(move |(pts, hash)| (pts + round * i64::from(ROUND_MS), hash.clone()))
        });
        let sent: Vec<_> = sent_three.collect();
        // The file begins with the first picture: the sound that the encoder sent before it is skipped or not.
        let skipped = sent.len() - found.len();
        assert!(skipped <= if track == 0 { 0 } else { 4 }, "{skipped} packets of track {track} are missing");
        let zero = packets_begin(&sent_video(recorded.dir.path()));
        for ((pts, hash), (sent_pts, sent_hash)) in found.iter().zip(&sent[skipped..]) {
            assert_eq!(hash, sent_hash);
            assert!((pts - (sent_pts - zero)).abs() <= 4, "{pts} ms is not {} ms", sent_pts - zero);
        }
    }
}

#[test]
fn sound_that_is_beside_the_pictures_is_in_the_file_as_sound_that_is_muxed_with_them() {
    let (muxed, spoken) = (Recorded::new(2), Recorded::spoken(2));
    let of = |recorded: &Recorded| {
        let (bytes, exported) = recorded.export(None, None).unwrap();
        assert_eq!((exported.segments, &exported.gaps[..]), (8, &[][..]));
        packets("out.mp4", &bytes, recorded.dir.path())
    };
    assert_eq!(of(&muxed), of(&spoken));
    let sound = spoken.sound_of(spoken.reel.order()[2], "audio");
    fs::remove_file(spoken.path(sound)).unwrap();
    let (_, exported) = spoken.export(None, None).unwrap();
    assert_eq!(exported.segments, 8);
    assert!(exported.gaps[0].why.contains("its sound"), "{:?}", exported.gaps);
}

#[test]
fn of_several_sounds_a_file_gets_the_one_that_is_named() {
    let spoken = Recorded::spoken(1);
    let plain = packets("plain.bin", &spoken.export(None, None).unwrap().0, spoken.dir.path());
    let heard = |wanted| {
        let (bytes, exported) = exported(spoken.reader().with_sound(wanted).unwrap(), None, None).unwrap();
        assert_eq!(exported.gaps, []);
        packets("out.mp4", &bytes, spoken.dir.path())
    };
    let sound = |packets: Vec<(u32, i64, String)>| {
        let of: Vec<String> = packets.into_iter().filter(|row| row.0 == 1).map(|row| row.2).collect();
        of
    };
    let hall = sound(heard(None));
    assert_eq!(hall, sound(plain));
    assert_eq!(hall, sound(heard(Some("hall"))));
    let commentary = sound(heard(Some("Commentary")));
    assert_eq!(commentary.len(), hall.len());
    assert!(commentary.iter().all(|hash| *hash == commentary[0]) && hall != commentary);
    for wanted in ["commentary", "ko-kr", "ko"] {
        assert_eq!(commentary, sound(heard(Some(wanted))), "{wanted}");
    }

    let reel = spoken.renamed(2);
    for wanted in ["Commentary", "ko"] {
        let reader = Reader::new(&reel, spoken.dir.path(), &spoken.secret).with_sound(Some(wanted)).unwrap();
        let (bytes, exported) = exported(reader, None, None).unwrap();
        assert_eq!(exported.gaps, []);
        let renamed = sound(packets("renamed.mp4", &bytes, spoken.dir.path()));
        let changes = (0..renamed.len()).find(|n| renamed[*n] != commentary[*n]).unwrap();
        assert!(changes > 0 && renamed[changes..] == hall[changes..], "{wanted} changes at {changes}");
    }

    let refused = |recorded: &Recorded, wanted| recorded.reader().with_sound(Some(wanted)).err().unwrap();
    let said = refused(&spoken, "French").to_string();
    assert!(said.ends_with("one of Hall, Commentary (ko-KR)"), "{said}");
    assert_eq!(refused(&Recorded::new(1), "Hall"), SoundError::NoChoice);
}

fn sent_video(dir: &Path) -> Vec<(u32, i64, String)> {
    packets("clip.flv", CLIP, dir).into_iter().filter(|row| row.0 == 0).collect()
}

fn packets_begin(packets: &[(u32, i64, String)]) -> i64 {
    packets.iter().map(|row| row.1).min().unwrap()
}

#[test]
fn a_part_is_whole_segments_and_begins_at_zero() {
    let recorded = Recorded::new(2);
    let (bytes, exported) = recorded.export(Some(4500), Some(6000)).unwrap();
    assert_eq!(exported.segments, 1);
    assert_eq!(exported.from, NOW.plus_ms(4067).media());
    let packets = packets("part.mp4", &bytes, recorded.dir.path());
    assert_eq!(packets_begin(&packets.iter().filter(|row| row.0 == 0).cloned().collect::<Vec<_>>()), 0);
    assert_eq!(packets.iter().filter(|row| row.0 == 0).count(), 60);
    assert!(matches!(recorded.export(Some(60_000), None), Err(ExportError::Nothing { first: None })));
}

#[test]
fn what_can_t_be_used_is_a_gap_and_what_follows_keeps_its_time() {
    let recorded = Recorded::new(3);
    let order = recorded.reel.order();
    fs::remove_file(recorded.path(order[2])).unwrap();
    let mut bytes = fs::read(recorded.path(order[3])).unwrap();
    bytes[1000] ^= 1;
    fs::write(recorded.path(order[3]), bytes).unwrap();
    let (bytes, exported) = recorded.export(None, None).unwrap();
    let ms = |gap: &Gap| (gap.from.utc().0 - NOW.0, gap.to.utc().0 - NOW.0);
    assert_eq!(exported.gaps.iter().map(ms).collect::<Vec<_>>(), [(4067, 6067), (6067, 8067)]);
    assert!(exported.gaps[0].why.contains("missing") && exported.gaps[1].why.contains("not those"));
    let packets = packets("gap.mp4", &bytes, recorded.dir.path());
    for track in [0, 1] {
        let times: Vec<i64> = packets.iter().filter(|row| row.0 == track).map(|row| row.1).collect();
        assert!(times.iter().any(|ms| (3900..4000).contains(ms)));
        assert!(!times.iter().any(|ms| (4050..7950).contains(ms)));
        assert!(times.iter().any(|ms| (7990..8100).contains(ms)));
    }
}

#[test]
fn a_wrong_master_secret_is_said() {
    let mut recorded = Recorded::new(1);
    recorded.secret = MasterSecret::new(b"another one of 16 bytes").unwrap();
    let error = recorded.export(None, None).unwrap_err();
    assert!(error.to_string().contains("secrets.master"), "{error}");
}

#[test]
fn gaps_of_the_journal_are_reported() {
    let mut recorded = Recorded::new(1);
    let end = recorded.reel.end().unwrap();
    let n = recorded.reel.objects().len() as u32;
    let two = MediaSpan::from_ms(2000);
    let lost = |n, start| Record::Lost { n, start, duration: two, discontinuity: false };
    recorded.reel.apply(lost(n, end)).unwrap();
    recorded.reel.apply(lost(n + 1, end + two)).unwrap();
    recorded.reel.apply(lost(n + 2, end + two + two + two)).unwrap();
    let gaps = recorded::gaps(&recorded.reel);
    let whole: Vec<_> =
        gaps.iter().map(|gap| ((gap.from - end).ms(), (gap.to - end).ms(), gap.why.as_str())).collect();
    assert_eq!(
        whole,
        [
            (0, 4000, "the disk did not take it"),
            (4000, 6000, "no feed came"),
            (6000, 8000, "the disk did not take it")
        ]
    );
}

/// A journal of segments of 2 s in which this is so of each: whether the disk took it, and whether nobody can begin with it.
fn journal(segments: &[(bool, bool)]) -> Reel {
    let mut reel = Recorded::new(0).reel;
    let init = Init {
        name: "t/source/init-0.mp4".into(),
        codecs: "avc1.64001f".into(),
        width: 1280,
        height: 720,
        frame_rate_milli: 25_000,
        range: Default::default(),
        sound: None,
    };
    let sha256 = Hash::of(b"bytes");
    reel.apply(Record::Init { n: 0, init, len: 5, sha256 }).unwrap();
    for (n, (taken, dependent)) in (1..).zip(segments.iter().copied()) {
        let (start, duration) = (NOW.plus_ms(u64::from(n) * 2000).media(), MediaSpan::from_ms(2000));
        let (discontinuity, captions) = (false, Captions::default());
        let segment =
            Record::Segment { n, start, duration, discontinuity, dependent, captions, len: 5, sha256 };
        let lost = Record::Lost { n, start, duration, discontinuity };
        reel.apply(if taken { segment } else { lost }).unwrap();
    }
    reel
}

/// The numbers of the segments in it that touch what lies between these two times.
fn touched(reel: &Reel, from_ms: Option<u64>, to_ms: Option<u64>) -> Vec<u32> {
    let at = |ms: Option<u64>| ms.map(|ms| NOW.plus_ms(ms).media());
    touching(reel, at(from_ms), at(to_ms)).map(|(n, _)| n).collect()
}

#[test]
fn what_begins_where_nobody_can_begin_begins_earlier() {
    let reel =
        journal(&[(true, false), (true, true), (true, true), (true, false), (true, false), (true, true)]);
    let of = |from, to| touched(&reel, from, to);
    assert_eq!(
        of(Some(7_000), Some(8_500)),
        [1, 2, 3, 4],
        "the one before that can be begun with, and all between"
    );
    assert_eq!(of(Some(5_000), Some(5_500)), [1, 2]);
    assert_eq!(of(Some(8_500), Some(12_500)), [4, 5, 6]);
    assert_eq!(of(None, Some(3_000)), [1]);
    assert_eq!(of(Some(14_000), None), [0_u32; 0]);
}

#[test]
fn what_begins_behind_something_lost_begins_with_the_next_picture_that_needs_none_of_it() {
    let (whole, dependent, lost) = ((true, false), (true, true), (false, false));
    let reel = journal(&[lost, dependent, whole, lost, dependent, dependent, whole, dependent]);
    let of = |from, to| touched(&reel, from, to);
    assert_eq!(of(None, None), [3, 5, 6, 7, 8]);
    assert_eq!(of(Some(10_500), None), [7, 8], "neither what is lost nor what lies before it helps");
    assert_eq!(of(Some(8_500), None), [7, 8]);
    assert_eq!(of(Some(16_500), None), [7, 8]);
    assert_eq!(of(Some(10_500), Some(13_000)), [5, 6], "there is nothing else");
}
