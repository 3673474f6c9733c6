use super::*;
use std::fs;
use std::sync::mpsc::{Receiver, channel};

use crate::journal::read;
use railbird_core::package::Object;
use railbird_core::publish::Init;

fn init(name: &str) -> Made {
    let init = Init {
        name: name.to_string(),
        codecs: "avc1.64001f".to_string(),
        width: 16,
        height: 16,
        frame_rate_milli: 0,
        range: Default::default(),
        sound: None,
    };
    let object =
        Object { name: name.to_string(), bytes: Bytes::from_static(b"init"), kind: Kind::Init(init) };
    Made { channel: "t".parse().unwrap(), object }
}

fn segment(n: u64) -> Made {
    let start = MediaTime(n * 180_000);
    let (duration, captions) = (MediaSpan::from_ms(2000), Default::default());
    let kind = Kind::Segment {
        start,
        duration,
        discontinuity: false,
        dependent: false,
        captions,
        splices: Vec::new(),
    };
    let name = format!("t/source/{n}-0.m4s");
    let object = Object { name, bytes: Bytes::from(vec![u8::try_from(n % 256).unwrap(); 1000]), kind };
    Made { channel: "t".parse().unwrap(), object }
}

fn line(found: Option<Found>) -> BTreeMap<ChannelId, Line> {
    let head = Head {
        channel: "t".parse().unwrap(),
        recording: "later".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        key_period_s: 3600,
        msn_min: 0,
    };
    BTreeMap::from([(head.channel.clone(), Line { head, found })])
}

fn start(dir: &Path, found: Option<Found>) -> (Spool, Receiver<Told>) {
    let (tell, told) = channel();
    let tell = move |one| drop(tell.send(one));
    (Spool::start(dir, line(found), tell).unwrap(), told)
}

/// What is told of so many objects: the stored ones' names, the lost ones' numbers.
fn next(told: &Receiver<Told>, count: usize) -> Vec<String> {
    let one = |told: Told| match told {
        Told::Stored(stored) => {
            assert_eq!(fs::read(&stored.path).unwrap().len() as u64, stored.len);
            format!("{} {}", stored.n, stored.made.object.name)
        }
        Told::Lost { n, .. } => format!("{n} lost"),
    };
    (0..count).map(|_| one(told.recv().unwrap())).collect()
}

/// The journals of the channel, oldest first.
fn journals(dir: &Path) -> Vec<journal::Journal> {
    let channel = "t".parse().unwrap();
    let names = journal::recordings(dir, &channel).unwrap();
    names.iter().map(|name| read(&journal::path(dir, &channel, name)).unwrap()).collect()
}

#[tokio::test]
async fn objects_reach_the_disk_in_order_and_each_has_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, told) = start(dir.path(), None);
    spool.write(init("t/source/init-00.mp4")).unwrap();
    for n in 1..20 {
        spool.write(segment(n)).unwrap();
    }
    spool.settled().await;
    let names = next(&told, 20);
    assert_eq!((names[0].as_str(), names[19].as_str()), ("0 t/source/init-00.mp4", "19 t/source/19-0.m4s"));
    let [journal] = &journals(dir.path())[..] else { panic!() };
    assert_eq!(journal.reel.objects().len(), 20);
    for object in journal.reel.objects() {
        let bytes = fs::read(spool.path(&journal.reel.name(object))).unwrap();
        assert_eq!((Some(Hash::of(&bytes)), bytes.len() as u64), (object.sha256, object.len));
    }
}

#[tokio::test]
async fn a_recording_goes_on_after_a_restart_and_another_begins_after_its_end() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (spool, _told) = start(dir.path(), None);
        spool.write(init("t/source/init-00.mp4")).unwrap();
        spool.write(segment(1)).unwrap();
        spool.settled().await;
    }
    let journal = journals(dir.path()).pop().unwrap();
    let found = Found { head: Arc::new(journal.reel.head().clone()), next_n: 2, len: journal.len };
    let (spool, told) = start(dir.path(), Some(found));
    spool.write(init("t/source/init-00.mp4")).unwrap();
    spool.write(segment(2)).unwrap();
    let channel = "t".parse().unwrap();
    let recording = journal.reel.head().recording.clone();
    spool
        .note(&channel, &recording, Record::Ack { n: 3, target: "a".parse().unwrap(), less: false })
        .unwrap();
    spool.end(&channel, UtcMs(9), 77).unwrap();
    // The feed goes on without saying its parameters again.
    spool.write(segment(3)).unwrap();
    // An acknowledgement of the recording that has ended.
    spool
        .note(&channel, &recording, Record::Ack { n: 1, target: "a".parse().unwrap(), less: false })
        .unwrap();
    spool.settled().await;
    assert_eq!(next(&told, 2), ["2 t/source/init-00.mp4", "3 t/source/2-0.m4s"]);
    assert_eq!(next(&told, 2), ["0 t/source/init-00.mp4", "1 t/source/3-0.m4s"]);
    let [first, second] = &journals(dir.path())[..] else { panic!() };
    assert_eq!(
        (first.reel.objects().len(), first.reel.ended(), first.reel.next_msn()),
        (4, Some(UtcMs(9)), 77)
    );
    assert_eq!(first.reel.objects().iter().map(|object| object.on).collect::<Vec<_>>(), [0, 1, 0, 1]);
    assert_eq!((second.reel.objects().len(), second.reel.head().msn_min), (2, 77));
}

#[tokio::test]
async fn what_the_disk_refuses_is_lost_and_what_follows_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, told) = start(dir.path(), None);
    spool.write(init("t/source/init-00.mp4")).unwrap();
    spool.write(segment(1)).unwrap();
    spool.settled().await;
    next(&told, 2);
    // A file where the next segment's directory must be, as a disk would be that refuses all.
    let objects = journal::objects_dir(dir.path()).join("t");
    fs::rename(&objects, dir.path().join("aside")).unwrap();
    fs::write(&objects, b"").unwrap();
    spool.write(segment(2)).unwrap();
    spool.settled().await;
    assert_eq!(next(&told, 1), ["2 lost"]);
    assert!(spool.disk().borrow().alarm().unwrap().contains("free space or mend the disk"));
    fs::remove_file(&objects).unwrap();
    fs::rename(dir.path().join("aside"), &objects).unwrap();
    spool.write(segment(3)).unwrap();
    spool.settled().await;
    assert_eq!(next(&told, 1), ["3 t/source/3-0.m4s"]);
    assert_eq!(spool.disk().borrow().alarm(), None);
}

#[tokio::test]
async fn an_init_segment_that_the_disk_refused_is_written_again_before_the_next_segment() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, told) = start(dir.path(), None);
    let objects = journal::objects_dir(dir.path()).join("t");
    fs::write(&objects, b"").unwrap();
    spool.write(init("t/source/init-00.mp4")).unwrap();
    spool.write(segment(1)).unwrap();
    spool.settled().await;
    assert_eq!(next(&told, 1), ["0 lost"]);
    fs::remove_file(&objects).unwrap();
    spool.write(segment(2)).unwrap();
    spool.settled().await;
    assert_eq!(next(&told, 2), ["1 t/source/init-00.mp4", "2 t/source/2-0.m4s"]);
}

#[test]
fn invariant_1_a_disk_that_hangs_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (hang, hold) = channel::<()>();
    let tell = move |_| {
        let _ = hold.recv();
    };
    let spool = Spool::start(dir.path(), line(None), tell).unwrap();
    let results: Vec<_> = (0..OBJECTS_MAX as u64 * 3).map(|n| spool.write(segment(n + 1))).collect();
    assert_eq!(results.last(), Some(&Err(SpoolError::Behind)));
    assert_eq!(spool.write(init("t/source/init-00.mp4")), Ok(()), "what all segments hang on is taken");
    drop(hang);
}
