use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use railbird_core::hash::Hash;
use railbird_core::id::TargetId;
use railbird_core::recording::Head;
use railbird_core::time::{MediaSpan, MediaTime};

use super::*;
use crate::journal::Open;

const NOW: UtcMs = UtcMs(1_795_171_920_000);
const HOUR: Duration = Duration::from_secs(3_600);

/// The length of each segment, and how many a recording has.
const LEN: u64 = 100;
const SEGMENTS: u32 = 2;

/// A disk with recordings of a channel, and what a keeper does there.
struct Bench {
    dir: tempfile::TempDir,
    spool: Spool,
    bounds: Bounds,
    /// How many bytes the disk has, all of them for segments.
    room: Cell<u64>,
    gone: RefCell<Vec<(RecordingId, Gone)>>,
    /// What the recordings are called, each by what it is called here.
    ids: RefCell<BTreeMap<&'static str, RecordingId>>,
}

fn channel() -> ChannelId {
    "t".parse().unwrap()
}

fn target() -> TargetId {
    "a".parse().unwrap()
}

fn takers() -> Takers {
    Takers::from([(target(), MediaTime::default())])
}

impl Bench {
    fn new(bounds: Bounds) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::start(dir.path(), BTreeMap::new(), drop).unwrap();
        Bench {
            dir,
            spool,
            bounds,
            room: Cell::new(u64::MAX),
            gone: RefCell::default(),
            ids: RefCell::default(),
        }
    }

    /// Puts a recording there; `ended`: how many hours ago, if it has; `has`: the target has all of it.
    fn record(&self, name: &'static str, ended: Option<u64>, has: bool) {
        self.record_with(name, ended, has, false);
    }

    /// `less`: what the target has is the other origin's, with fewer frames.
    fn record_with(&self, name: &'static str, ended: Option<u64>, has: bool, less: bool) {
        let head = Head {
            channel: channel(),
            recording: RecordingId::beginning(NOW),
            rendition: "source".parse().unwrap(),
            segment_ms: 2000,
            key_period_s: 3600,
            msn_min: 0,
        };
        let (mut journal, head) = Open::create(self.dir.path(), head, NOW).unwrap();
        self.ids.borrow_mut().insert(name, head.recording.clone());
        let number = self.files().len() as u64;
        for n in 0..SEGMENTS {
            let start = MediaTime((number + u64::from(n)) * 180_000);
            let duration = MediaSpan::from_ms(2000);
            let (len, sha256) = (LEN, Hash::of(b"segment"));
            journal
                .append(&[Record::Segment {
                    n,
                    start,
                    duration,
                    discontinuity: false,
                    dependent: false,
                    captions: Default::default(),
                    len,
                    sha256,
                }])
                .unwrap();
            if has {
                journal.append(&[Record::Ack { n, target: target(), less }]).unwrap();
            }
        }
        if let Some(hours) = ended {
            let at = UtcMs(NOW.0 - hours * 3_600_000);
            journal.append(&[Record::End { at, next_msn: 9 }]).unwrap();
        }
        journal.sync().unwrap();
        let reel = journal::read(&journal::path(self.dir.path(), &channel(), &head.recording)).unwrap().reel;
        for object in reel.objects() {
            let path = self.spool.path(&reel.name(object));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, [0; LEN as usize]).unwrap();
        }
        if let Some(summary) = Summary::of(&reel, 0, &takers()) {
            summary.write(self.dir.path(), &channel()).unwrap();
        }
    }

    /// The segments on the disk.
    fn files(&self) -> Vec<PathBuf> {
        let dir = self.spool.path("t/source");
        fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// Lets a keeper look once; what it deleted, in its order.
    fn look(&self) -> Vec<(&'static str, Gone)> {
        let room = Room {
            data_dir: self.dir.path().into(),
            channels: vec![channel()],
            bounds: self.bounds,
            spool: self.spool.clone(),
            takers,
            gone: |_: &ChannelId, name: &RecordingId, gone| {
                self.gone.borrow_mut().push((name.clone(), gone));
            },
            free: |_: &Path| Ok(self.room.get().saturating_sub(self.files().len() as u64 * LEN)),
        };
        room.look(NOW);
        let ids = self.ids.borrow();
        let name = |id: &RecordingId| ids.iter().find_map(|(name, of)| (of == id).then_some(*name)).unwrap();
        self.gone.take().iter().map(|(id, gone)| (name(id), *gone)).collect()
    }

    fn knows(&self, name: &str) -> bool {
        journal::path(self.dir.path(), &channel(), &self.ids.borrow()[name]).exists()
    }

    fn alarm(&self) -> Option<String> {
        alarm(&self.spool.disk())
    }

    /// How many recordings are to be deleted at the targets.
    fn leaving(&self) -> usize {
        fs::read_dir(self.dir.path().join("leaving")).into_iter().flatten().count()
    }
}

fn bounds() -> Bounds {
    Bounds { keep: None, keep_bytes: None, reserve_bytes: 0, at_targets: AtTargets::Stays }
}

#[test]
fn of_too_much_the_oldest_that_have_ended_go() {
    let bench = Bench::new(Bounds { keep_bytes: Some(3 * 200 - 1), ..bounds() });
    // By their end, not by when they began; what goes on does not count.
    for (name, ended) in [("a", Some(1)), ("b", Some(4)), ("c", Some(3)), ("d", Some(2)), ("e", None)] {
        bench.record(name, ended, false);
    }
    assert_eq!(bench.look(), [("b", Gone::Forgotten), ("c", Gone::Forgotten)]);
    assert_eq!(bench.files().len(), 3 * SEGMENTS as usize);
    assert!(!bench.knows("b") && !bench.knows("c") && bench.knows("a") && bench.knows("e"));
    assert_eq!(bench.look(), [], "once is enough");
}

#[test]
fn what_is_too_old_goes_at_the_targets_as_well_and_what_is_too_much_only_where_nobody_counts_otherwise() {
    for (at_targets, old, much) in
        [(AtTargets::Stays, 0, 0), (AtTargets::GoesWhenOld, 1, 0), (AtTargets::Goes, 1, 1)]
    {
        let bench = Bench::new(Bounds { keep: Some(HOUR * 24), at_targets, ..bounds() });
        bench.record("old", Some(25), true);
        bench.record("young", Some(23), true);
        bench.record("on", None, true);
        assert_eq!(bench.look(), [("old", Gone::Forgotten)]);
        assert_eq!(bench.leaving(), old, "{at_targets:?}");

        let bench = Bench::new(Bounds { keep_bytes: Some(0), at_targets, ..bounds() });
        bench.record("young", Some(23), true);
        bench.record("on", None, true);
        assert_eq!(bench.look(), [("young", Gone::Forgotten)]);
        assert_eq!(bench.leaving(), much, "{at_targets:?}");
        assert!(bench.knows("on") && bench.files().len() == SEGMENTS as usize);
    }
}

#[test]
fn a_disk_that_runs_short_loses_what_every_target_has_oldest_first_and_no_more_than_it_must() {
    let bench = Bench::new(Bounds { reserve_bytes: 500, ..bounds() });
    for (name, ended, has) in [
        ("young", Some(1), true),
        ("on", None, true),
        ("lacked", Some(9), false),
        ("oldest", Some(8), true),
        ("older", Some(7), true),
    ] {
        bench.record(name, ended, has);
    }
    // All five, and the reserve: nothing need go.
    bench.room.set(5 * 200 + 500);
    assert_eq!((bench.look(), bench.alarm()), (vec![], None));
    // One recording less, and a byte.
    bench.room.set(4 * 200 + 500 - 1);
    assert_eq!(bench.look(), [("oldest", Gone::Evicted), ("older", Gone::Evicted)]);
    assert_eq!((bench.files().len(), bench.alarm()), (3 * SEGMENTS as usize, None));
    assert!(bench.knows("oldest") && bench.knows("older"), "targets have them");
    let summary = Summary::read(bench.dir.path(), &channel(), &bench.ids.borrow()["older"]).unwrap();
    assert!(summary.evicted);
    // What goes on, and what a target lacks, stays whatever happens: a person hears of it.
    bench.room.set(500);
    assert_eq!(bench.look(), [("young", Gone::Evicted)]);
    assert_eq!(bench.files().len(), 2 * SEGMENTS as usize);
    let alarm = bench.alarm().unwrap();
    assert!(alarm.contains("nothing that every target has already") && !alarm.contains("frames"), "{alarm}");
    assert_eq!(bench.look(), []);
    bench.room.set(2 * 200 + 500);
    assert_eq!((bench.look(), bench.alarm()), (vec![], None));
}

#[test]
fn a_disk_whose_room_cannot_be_read_is_told_and_nothing_goes() {
    let bench = Bench::new(Bounds { reserve_bytes: u64::MAX, ..bounds() });
    bench.record("old", Some(9), true);
    let room = Room {
        data_dir: bench.dir.path().into(),
        channels: vec![channel()],
        bounds: bench.bounds,
        spool: bench.spool.clone(),
        takers,
        gone: |_: &ChannelId, _: &RecordingId, _| panic!("nothing may go"),
        free: |_: &Path| Err(io::Error::other("away")),
    };
    room.look(NOW);
    assert!(bench.alarm().unwrap().contains("can't be read: away"));
}

#[test]
fn a_recording_of_which_targets_have_fewer_frames_goes_last_and_one_that_a_target_lacks_never() {
    let bench = Bench::new(Bounds { reserve_bytes: 500, ..bounds() });
    bench.record("lacked", Some(9), false);
    bench.record_with("less", Some(8), true, true);
    bench.record_with("less too", Some(7), true, true);
    bench.record("whole", Some(1), true);
    bench.room.set(4 * 200 + 500 - 1);
    assert_eq!((bench.look(), bench.alarm()), (vec![("whole", Gone::Evicted)], None));
    bench.room.set(3 * 200 + 500 - 1);
    assert_eq!((bench.look(), bench.alarm()), (vec![("less", Gone::Evicted)], None));
    bench.room.set(500);
    assert_eq!(bench.look(), [("less too", Gone::Evicted)]);
    assert!(bench.knows("less") && bench.files().len() == SEGMENTS as usize);
    // A person hears of it, now and at every look that follows.
    for _ in 0..2 {
        let alarm = bench.alarm().unwrap();
        assert!(alarm.contains("nothing that every target has already"), "{alarm}");
        assert!(alarm.contains("with fewer frames: 2. The other frames are lost"), "{alarm}");
        assert_eq!(bench.look(), []);
    }
}
