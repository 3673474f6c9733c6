use super::*;
use railbird_core::hash::Hash;
use railbird_core::id::TargetId;
use railbird_core::recording::Head;
use railbird_core::time::{MediaSpan, MediaTime, UtcMs};
use std::io::Write;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn head() -> Head {
    Head {
        channel: "t".parse().unwrap(),
        recording: "x".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        key_period_s: 3600,
        msn_min: 0,
    }
}

fn segment(n: u32) -> Record {
    Record::Segment {
        n,
        start: segment_start(n),
        duration: MediaSpan::from_ms(2000),
        discontinuity: false,
        dependent: false,
        captions: Default::default(),
        len: 5,
        sha256: Hash::of(&n.to_be_bytes()),
    }
}

fn segment_start(n: u32) -> MediaTime {
    NOW.plus_ms(2000 * u64::from(n)).media()
}

fn written(dir: &Path, records: u32) -> PathBuf {
    let (mut open, head) = Open::create(dir, head(), NOW).unwrap();
    for n in 0..records {
        open.append(&[segment(n)]).unwrap();
    }
    open.sync().unwrap();
    path(dir, &head.channel, &head.recording)
}

#[test]
fn a_journal_cut_at_any_byte_gives_its_whole_lines_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 4);
    let bytes = fs::read(&path).unwrap();
    let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1).collect();
    for cut in ends[0]..=bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let journal = read(&path).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(journal.reel.objects().len(), whole - 1, "cut at {cut}");
        assert_eq!((journal.len, journal.damaged), (ends[whole - 1] as u64, false));
        let mut open = Open::resume(path.clone(), journal.len).unwrap();
        open.append(&[segment(u32::try_from(whole).unwrap() - 1)]).unwrap();
        let journal = read(&path).unwrap();
        assert_eq!((journal.reel.objects().len(), journal.damaged), (whole, false));
    }
    for cut in 0..ends[0] {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert!(matches!(read(&path), Err(ReadError::Head { .. })), "cut at {cut}");
    }
}

#[test]
fn damage_in_the_middle_is_seen_and_what_is_before_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 4);
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes.iter().position(|b| *b == b'\n').unwrap() + 40;
    bytes[second] ^= 1;
    File::create(&path).unwrap().write_all(&bytes).unwrap();
    let journal = read(&path).unwrap();
    assert!(journal.damaged);
    assert_eq!(journal.reel.objects().len(), 0);
}

#[test]
fn two_recordings_of_a_second_have_two_names() {
    let dir = tempfile::tempdir().unwrap();
    let (_, first) = Open::create(dir.path(), head(), NOW).unwrap();
    let (_, second) = Open::create(dir.path(), head(), NOW).unwrap();
    assert_ne!(first.recording, second.recording);
    let channel = head().channel;
    assert_eq!(recordings(dir.path(), &channel).unwrap(), [first.recording, second.recording]);
    assert_eq!(recordings(dir.path(), &"none".parse().unwrap()).unwrap(), []);
}

#[test]
fn a_summary_is_read_back_and_a_bad_one_counts_as_missing() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 2);
    let mut reel = read(&path).unwrap().reel;
    assert_eq!(Summary::of(&reel, 7, &Takers::new()), None, "it has not ended");
    reel.apply(Record::End { at: NOW, next_msn: 9 }).unwrap();
    let takers = Takers::from([("a".parse().unwrap(), MediaTime(0))]);
    let summary = Summary::of(&reel, 7, &takers).unwrap();
    assert_eq!((summary.segments, summary.bytes, summary.complete_at.len()), (2, 10, 0));
    let channel = head().channel;
    summary.write(dir.path(), &channel).unwrap();
    assert_eq!(Summary::read(dir.path(), &channel, &summary.recording), Some(summary.clone()));
    fs::write(Summary::path(dir.path(), &channel, &summary.recording), b"{").unwrap();
    assert_eq!(Summary::read(dir.path(), &channel, &summary.recording), None);
}

#[test]
fn a_recording_is_safe_once_nobody_lacks_it_and_somebody_has_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut reel = read(&written(dir.path(), 2)).unwrap().reel;
    reel.apply(Record::End { at: NOW, next_msn: 9 }).unwrap();
    let [a, new]: [TargetId; 2] = ["a", "new"].map(|id| id.parse().unwrap());
    let later = reel.end().unwrap();
    let all = Takers::from([(a.clone(), MediaTime(0))]);
    let only_new = Takers::from([(new.clone(), later)]);
    let both: Takers = all.clone().into_iter().chain(only_new.clone()).collect();
    let summary = Summary::of(&reel, 7, &both).unwrap();
    assert!(summary.lacks(&a, MediaTime(0)) && !summary.lacks(&new, later));
    assert!(!summary.is_safe(&both) && !summary.is_safe(&only_new), "nobody has it");
    for n in 0..u32::try_from(reel.objects().len()).unwrap() {
        reel.apply(Record::Ack { n, target: a.clone(), less: false }).unwrap();
    }
    let summary = Summary::of(&reel, 7, &both).unwrap();
    assert!(summary.is_safe(&both) && summary.is_safe(&all));
    assert!(!summary.is_safe(&only_new), "who gets only what is new has not got this");
    // The other origin's bytes of a name, without some of our frames: ours are nowhere else.
    reel.apply(Record::Ack { n: 1, target: a.clone(), less: true }).unwrap();
    let less = Summary::of(&reel, 7, &both).unwrap();
    assert_eq!((&less.complete_at, &less.less_at), (&summary.complete_at, &vec![a.clone()]));
    assert!(!less.is_safe(&both) && !less.lacks(&a, MediaTime(0)), "nothing waits, and it stays on the disk");
    // Another target has ours; or this one gets them after all.
    let b: TargetId = "b".parse().unwrap();
    let three: Takers = both.clone().into_iter().chain([(b.clone(), MediaTime(0))]).collect();
    let mut more = reel.clone();
    for n in 0..u32::try_from(more.objects().len()).unwrap() {
        more.apply(Record::Ack { n, target: b.clone(), less: false }).unwrap();
    }
    let mut more = Summary::of(&more, 7, &three).unwrap();
    assert!(more.is_safe(&three));
    assert!(more.forget_target(&b) && !more.is_safe(&three) && !more.is_safe(&both));
    reel.apply(Record::Ack { n: 1, target: a.clone(), less: false }).unwrap();
    assert_eq!(Summary::of(&reel, 7, &both).unwrap(), summary);
    assert!(!summary.is_safe(&Takers::new()));
}

#[test]
fn a_journal_is_gone_on_with_where_its_whole_lines_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 2);
    let whole = read(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"is\":\"ack\"");
    fs::write(&path, bytes).unwrap();
    let mut open = Open::reopen(path.clone()).unwrap();
    open.append(&[Record::Evicted]).unwrap();
    let journal = read(&path).unwrap();
    assert!(journal.reel.evicted() && !journal.damaged);
    assert_eq!(journal.reel.objects(), whole.reel.objects());
    assert_eq!(Open::reopen(path.with_extension("gone")).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_target_that_moved_has_nothing_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 2);
    let target: TargetId = "a".parse().unwrap();
    let acks: Vec<Record> = (0..2).map(|n| Record::Ack { n, target: target.clone(), less: false }).collect();
    let mut open = Open::reopen(path.clone()).unwrap();
    open.append(&acks).unwrap();
    open.append(&[Record::End { at: NOW, next_msn: 9 }]).unwrap();
    let takers = Takers::from([(target.clone(), MediaTime(0))]);
    let summary = Summary::of(&read(&path).unwrap().reel, 7, &takers).unwrap();
    assert!(summary.is_safe(&takers));
    let channel = head().channel;
    summary.write(dir.path(), &channel).unwrap();
    forget_target(dir.path(), &channel, &"other".parse().unwrap()).unwrap();
    assert!(read(&path).unwrap().reel.complete_at(&target, MediaTime(0)));
    forget_target(dir.path(), &channel, &target).unwrap();
    assert!(!read(&path).unwrap().reel.complete_at(&target, MediaTime(0)));
    assert!(!Summary::read(dir.path(), &channel, &summary.recording).unwrap().is_safe(&takers));
}

#[test]
fn a_flipped_bit_costs_no_more_than_its_line_and_is_never_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 4);
    let target: TargetId = "a".parse().unwrap();
    let mut open = Open::reopen(path.clone()).unwrap();
    open.append(&[0, 1].map(|n| Record::Ack { n, target: target.clone(), less: false })).unwrap();
    let whole = fs::read(&path).unwrap();
    for line in 1..whole.iter().filter(|byte| **byte == b'\n').count() - 1 {
        let mut bytes = whole.clone();
        let at = bytes.split_inclusive(|byte| *byte == b'\n').take(line).map(<[u8]>::len).sum::<usize>();
        bytes[at + 5] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let journal = read(&path).unwrap();
        assert!(journal.damaged, "line {line}");
        // Without an object's line, those after it have no number; without an acknowledgement, nothing else is lost.
        assert_eq!(journal.reel.objects().len(), 4.min(line - 1), "line {line}");
        let len = fs::metadata(&path).unwrap().len();
        Open::reopen(path.clone()).unwrap().append(&[Record::Evicted]).unwrap();
        assert!(fs::metadata(&path).unwrap().len() > len, "what follows the damage stays");
    }
}

#[test]
fn a_recording_of_another_rendition_ends_and_is_not_gone_on_with() {
    let read = |rendition: &str, now: UtcMs| {
        let dir = tempfile::tempdir().unwrap();
        let (mut open, head) = Open::create(dir.path(), head(), NOW).unwrap();
        open.append(&[segment(0)]).unwrap();
        open.sync().unwrap();
        let (origin, rendition) = ("north".parse().unwrap(), rendition.parse().unwrap());
        let goes_on = GoesOn { rendition: &rendition, end_after_ms: 60_000 };
        let history = History::read(dir.path(), &origin, &head.channel, &goes_on, now);
        let journal = super::read(&path(dir.path(), &head.channel, &head.recording)).unwrap();
        assert_eq!(journal.reel.ended().is_none(), history.open.is_some());
        history.open.is_some()
    };
    assert!(read("source", NOW));
    assert!(!read("source-pictures", NOW));
    assert!(!read("source", NOW.plus_ms(3_600_000)), "it was too long ago");
}

#[test]
fn what_a_later_version_wrote_is_passed_over_and_counted_and_its_objects_keep_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), 2);
    let later = |is: &str, n: Option<u32>| {
        let mut line = Vec::new();
        let record =
            serde_json::json!({ "is": is, "n": n, "len": 7, "of": { "what": ["is", "not", "known"] } });
        lines::write(&record, &mut line).unwrap();
        line
    };
    let known = |records: &[Record]| Open::reopen(path.clone()).unwrap().append(records).unwrap();
    let foreign = |lines: &[u8]| File::options().append(true).open(&path).unwrap().write_all(lines).unwrap();
    let target: TargetId = "a".parse().unwrap();
    // One that speaks of an object, one of the whole, and one that is an object itself, as is what follows.
    foreign(&[later("seen", Some(1)), later("weather", None), later("hologram", Some(2))].concat());
    known(&[segment(3), Record::Ack { n: 3, target: target.clone(), less: false }]);
    let journal = read(&path).unwrap();
    assert_eq!((journal.damaged, journal.foreign), (false, 3));
    assert_eq!(journal.len, fs::metadata(&path).unwrap().len(), "they stay, and what comes goes behind them");
    assert_eq!((journal.reel.order(), journal.reel.objects().len()), (&[0, 1, 3][..], 4));
    assert!(journal.reel.complete_at(&target, segment_start(3)), "nothing is owed of what is not known");
    assert!(!journal.reel.complete_at(&target, MediaTime(0)));
    // An object that does not follow is damage as ever, and so is a line that is not whole.
    foreign(&later("hologram", Some(9)));
    assert!(read(&path).unwrap().damaged);
    let whole = fs::read(&path).unwrap();
    let spoilt = String::from_utf8(whole).unwrap().replace("weather", "whether");
    fs::write(&path, spoilt).unwrap();
    let journal = read(&path).unwrap();
    assert!(journal.damaged && journal.foreign == 3, "{} lines", journal.foreign);
}
