use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use railbird_core::recording::{Kind, Record};

use super::*;
use crate::export::tests::Recorded;
use crate::store::{Answer, Created, Memory, Object, Pending, Trace};

/// A store that answers the first deletes with these errors.
struct Stubborn {
    errors: Vec<PutError>,
    asked: AtomicU64,
    memory: Memory,
}

impl Store for Stubborn {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        self.memory.put(object)
    }
    fn create(&self, object: Object) -> Pending<'_, Created> {
        self.memory.create(object)
    }
    fn get<'a>(&'a self, name: &'a str, len_max: usize) -> Pending<'a, Option<Bytes>> {
        self.memory.get(name, len_max)
    }
    fn list<'a>(&'a self, prefix: &'a str, max: usize) -> Pending<'a, Vec<String>> {
        self.memory.list(prefix, max)
    }
    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        match self.errors.get(usize::try_from(asked).unwrap()).cloned() {
            Some(error) => Box::pin(async { Answer { result: Err(error), trace: Trace::default() } }),
            None => self.memory.delete(name),
        }
    }
    fn place(&self) -> String {
        "memory".into()
    }
}

fn stubborn(errors: Vec<PutError>) -> Arc<Stubborn> {
    Arc::new(Stubborn { errors, asked: AtomicU64::new(0), memory: Memory::default() })
}

async fn names(store: &Stubborn) -> Vec<String> {
    store.memory.list("", 1000).await.result.unwrap()
}

const NOW: UtcMs = UtcMs(1_795_171_920_000);

#[tokio::test]
async fn what_is_too_old_is_deleted_at_every_target_that_has_it_and_lets_us() {
    let recorded = Recorded::new(2);
    let ids = ["good", "late", "refuses", "away"].map(|id| id.parse::<TargetId>().unwrap());
    let late = stubborn(vec![PutError::SlowDown { after: None, text: "slow down".into() }]);
    let refuses = stubborn(vec![PutError::Misconfigured("no right".into()); 99]);
    let stores = [stubborn(vec![]), late, refuses, stubborn(vec![])];
    let mut lines = vec![Record::Begin(recorded.reel.head().clone())];
    for (n, object) in (0..).zip(recorded.reel.objects().to_vec()) {
        let name = recorded.reel.name(&object);
        lines.push(match object.kind.clone() {
            Kind::Init(init) => Record::Init { n, init, len: 1, sha256: object.sha256.unwrap() },
            kind @ (Kind::FramesInit(_)
            | Kind::Frame(_)
            | Kind::RungInit(..)
            | Kind::RungSegment { .. }
            | Kind::Foreign) => panic!("{kind:?} of a channel with nothing but its source"),
            Kind::Segment(segment) => {
                let (start, duration, discontinuity) =
                    (segment.start, segment.duration, segment.discontinuity);
                Record::Segment {
                    n,
                    start,
                    duration,
                    discontinuity,
                    dependent: false,
                    captions: Default::default(),
                    len: 1,
                    sha256: object.sha256.unwrap(),
                }
            }
        });
        for store in &stores {
            store.put(Object::media(name.clone(), Bytes::from_static(b"x"))).await.result.unwrap();
        }
        lines.extend(ids[..3].iter().map(|target| Record::Ack { n, target: target.clone(), less: false }));
    }
    let dir = tempfile::tempdir().unwrap();
    let (channel, recording) = (recorded.reel.head().channel.clone(), recorded.reel.head().recording.clone());
    let path = journal::path(dir.path(), &channel, &recording);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = Vec::new();
    lines.iter().for_each(|line| crate::lines::write(line, &mut bytes).unwrap());
    fs::write(&path, bytes).unwrap();
    leave(dir.path(), &channel, &recording, NOW).unwrap();
    assert!(!path.exists());

    let all: Stores =
        ids.iter().cloned().zip(stores.iter().map(|store| store.clone() as Arc<dyn Store>)).collect();
    let mut sweep = Sweep::new(dir.path());
    sweep.look(NOW.plus_ms(GRACE_MS - 1), &all).await;
    for store in &stores {
        assert_eq!(names(store).await.len(), 9, "somebody may still be watching it");
    }
    sweep.look(NOW.plus_ms(GRACE_MS), &all).await;
    let left = || async {
        let mut left = Vec::new();
        for store in &stores {
            left.push(names(store).await.len());
        }
        left
    };
    // The init segment stays; some of the first few may have been deleted before one said to slow down.
    assert!(matches!(left().await[..], [1, 2..=9, 9, 9]), "{:?}", left().await);
    sweep.look(NOW.plus_ms(GRACE_MS), &all).await;
    assert_eq!(left().await, [1, 1, 9, 9], "it is tried again where it may work, and only there");
    assert_eq!(fs::read_dir(super::dir(dir.path())).unwrap().count(), 0, "it is done");
}
