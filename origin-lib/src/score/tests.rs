use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};

use railbird_core::score::ENTRIES_MAX;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::disk::{Disk, Files};
use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn table() -> ChannelId {
    id("table-1")
}

fn offsets() -> [(ChannelId, i64); 2] {
    [(table(), -1000), (id("table-2"), 0)]
}

fn open(dir: &TempDir) -> Scores {
    Scores::open(dir.path(), offsets()).unwrap()
}

/// The event with this number of a match in which side 0 makes a point with each event.
fn event(seq: u64) -> Event {
    let action = match seq {
        1 => json!({"type":"start","title":"Final","discipline":"three-cushion","target":1000,
            "equalising_inning":true,"breaks":0,"sides":[{"name":"A"},{"name":"B"}]}),
        _ => json!({"type":"points","side":0,"points":1}),
    };
    let json = json!({"occurred":NOW.0 + seq * 50,"action":action});
    Event::from_json(json.to_string().as_bytes()).unwrap()
}

fn at(seq: u64) -> Position {
    Position { epoch: 1, seq }
}

async fn put(scores: &Scores, match_id: &str, seq: u64) -> Result<Put, PutError> {
    scores.put(&table(), &id(match_id), at(seq), event(seq), NOW).await
}

#[track_caller]
fn taken(put: &Result<Put, PutError>, seq: u64) {
    let Ok(Put::Accepted(standing)) = put else { panic!("{put:?}") };
    assert_eq!(standing.last, Some(at(seq)));
    assert_eq!(i64::from(standing.state.as_ref().unwrap().sides[0].points), seq as i64 - 1);
}

async fn last(scores: &Scores, match_id: &str) -> Option<u64> {
    scores.log(&table(), &id(match_id)).await.unwrap().map(|log| log.last().unwrap().seq)
}

#[tokio::test]
async fn what_was_taken_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    for seq in 1..=4 {
        taken(&put(&scores, "final", seq).await, seq);
    }
    assert!(matches!(put(&scores, "final", 4).await, Ok(Put::Same(_))));
    let other = scores.put(&table(), &id("final"), at(4), event(5), NOW).await;
    assert_eq!(other, Ok(Put::Conflict));
    assert_eq!(put(&scores, "final", 6).await, Ok(Put::Gap { expected: at(5) }));
    assert_eq!(
        scores.put(&table(), &id("final"), at(5), event(1), NOW).await,
        Ok(Put::Invalid(Invalid::Started))
    );
    let unknown = scores.put(&id("table-9"), &id("final"), at(1), event(1), NOW).await;
    assert_eq!(unknown, Err(PutError::NoChannel));
    let before = scores.subscribe(&table()).unwrap().borrow().clone().unwrap();
    drop(scores);

    let scores = open(&dir);
    assert_eq!(last(&scores, "final").await, Some(4));
    assert_eq!(last(&scores, "other").await, None);
    assert_eq!(*scores.subscribe(&table()).unwrap().borrow().as_deref().unwrap(), *before);
    assert_eq!(scores.subscribe(&id("table-2")).unwrap().borrow().as_deref(), None);
    assert!(matches!(put(&scores, "final", 4).await, Ok(Put::Same(_))));
    taken(&put(&scores, "final", 5).await, 5);
}

#[tokio::test]
async fn a_second_origin_is_kept_out() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    assert!(matches!(Scores::open(dir.path(), offsets()).err(), Some(ReadError::InUse(_))));
    drop(scores);
    open(&dir);
}

#[tokio::test]
async fn the_document_follows_the_match_that_is_played() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    let mut documents = scores.subscribe(&table()).unwrap();
    let mut revision = 0;
    // The same clock for all: revisions go up all the same.
    for (match_id, seq) in [("semi", 1), ("final", 1), ("semi", 2), ("semi", 3)] {
        taken(&put(&scores, match_id, seq).await, seq);
        let document = documents.borrow_and_update().clone().unwrap();
        assert_eq!((document.match_id.as_str(), document.entries.len() as u64), (match_id, seq));
        assert!(document.revision > revision && document.revision >= NOW.0);
        assert_eq!(document.check(), Ok(()));
        let entry = document.entries.last().unwrap();
        assert_eq!(entry.at, UtcMs(NOW.0 + seq * 50 - 1000).media());
        revision = document.revision;
    }
    // What was not taken changes nothing.
    assert!(matches!(put(&scores, "semi", 3).await, Ok(Put::Same(_))));
    assert!(!documents.has_changed().unwrap());
    drop(scores);
    assert!(documents.has_changed().is_err(), "the sender has gone");

    // A clock that went back does not take revisions with it.
    let scores = open(&dir);
    let mut documents = scores.subscribe(&table()).unwrap();
    assert_eq!(documents.borrow_and_update().as_ref().unwrap().revision, revision);
    let behind = UtcMs(NOW.0 - 50_000);
    let put = scores.put(&table(), &id("final"), at(2), event(4), behind).await;
    taken(&put, 2);
    let document = documents.borrow_and_update().clone().unwrap();
    assert_eq!((document.match_id.as_str(), document.revision), ("final", revision + 1));
}

#[tokio::test]
async fn every_cut_of_the_file_gives_the_lines_before_it() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    let file = disk::path(dir.path(), &table(), &id("final"));
    let mut ends = vec![0];
    for seq in 1..=4 {
        taken(&put(&scores, "final", seq).await, seq);
        ends.push(fs::read(&file).unwrap().len());
    }
    drop(scores);
    let bytes = fs::read(&file).unwrap();
    for len in 0..=bytes.len() {
        fs::write(&file, &bytes[..len]).unwrap();
        let kept = read_log(&file, None).unwrap();
        let whole = ends.iter().filter(|end| **end > 0 && **end <= len).count();
        assert_eq!(kept.log.events().len(), whole, "cut at {len}");
        assert_eq!((kept.len, kept.torn), (ends[whole] as u64, !ends.contains(&len)));
    }
    // Opened with its torn end, the log goes on behind what was acknowledged.
    for (len, seq) in [(ends[3] + 1, 4), (bytes.len() - 1, 4), (ends[1] - 1, 1), (3, 1)] {
        fs::write(&file, &bytes[..len]).unwrap();
        let scores = open(&dir);
        assert_eq!(last(&scores, "final").await.unwrap_or(0), seq - 1);
        taken(&put(&scores, "final", seq).await, seq);
        drop(scores);
        assert_eq!(last(&open(&dir), "final").await, Some(seq));
    }
    // So does one whose last block the disk never wrote.
    let mut zeroed = bytes.clone();
    zeroed[ends[3] + 5..].fill(0);
    fs::write(&file, &zeroed).unwrap();
    assert_eq!(last(&open(&dir), "final").await, Some(3));
    assert_eq!(fs::read(&file).unwrap(), &bytes[..ends[3]]);
}

#[tokio::test]
async fn damage_in_the_middle_is_an_error_that_says_where() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    for seq in 1..=4 {
        taken(&put(&scores, "final", seq).await, seq);
    }
    drop(scores);
    let file = disk::path(dir.path(), &table(), &id("final"));
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let changed = text.replacen("\"points\":1", "\"points\":9", 1);
    let missing = format!("{}\n{}\n{}\n", lines[0], lines[2], lines[3]);
    let (first, last) = (format!("{}\n", lines[1]), text.lines().count());
    for (content, line) in [(changed, 2), (missing, 2), (first, 1), (text.replacen("{\"crc", "{\"crx", 1), 1)]
    {
        fs::write(&file, content).unwrap();
        let error = Scores::open(dir.path(), offsets()).err().unwrap();
        assert!(matches!(error, ReadError::Damaged { line: at, .. } if at == line), "{error}");
        let message = error.to_string();
        assert!(message.contains("final.jsonl") && message.contains(&format!("line {line}")), "{message}");
    }
    fs::write(&file, &text).unwrap();
    assert_eq!(self::last(&open(&dir), "final").await, Some(last as u64));
}

/// What the disk does with its next write; without a plan it writes.
pub(super) enum Plan {
    /// Writes so many bytes of it and fails, and leaves them there.
    Fail(usize),
    /// Says that a write has begun, and goes on when told to.
    Wait(Sender<()>, Receiver<()>),
}

/// Real files, with plans.
#[derive(Clone, Default)]
pub(super) struct Planned {
    plans: Arc<Mutex<std::collections::VecDeque<Plan>>>,
    writes: Arc<Mutex<Vec<usize>>>,
}

impl Planned {
    pub(super) fn plan(&self, plan: Plan) {
        self.plans.lock().unwrap().push_back(plan);
    }
}

impl Disk for Planned {
    fn append(&self, path: &Path, durable: u64, lines: &[u8]) -> io::Result<()> {
        let plan = self.plans.lock().unwrap().pop_front();
        self.writes.lock().unwrap().push(lines.iter().filter(|b| **b == b'\n').count());
        match plan {
            None => {}
            Some(Plan::Fail(len)) => {
                if durable > 0 || len > 0 {
                    Files.append(path, durable, &lines[..len.min(lines.len())])?;
                }
                return Err(io::ErrorKind::StorageFull.into());
            }
            Some(Plan::Wait(begun, go)) => {
                begun.send(()).unwrap();
                go.recv().unwrap();
            }
        }
        Files.append(path, durable, lines)
    }
}

fn open_planned(dir: &TempDir) -> (Scores, Planned) {
    let disk = Planned::default();
    (Scores::open_on(dir.path(), offsets(), disk.clone()).unwrap(), disk)
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_leaves_nothing() {
    for written in [0, 1, 40, usize::MAX] {
        let dir = TempDir::new().unwrap();
        let (scores, disk) = open_planned(&dir);
        let mut documents = scores.subscribe(&table()).unwrap();
        for seq in 1..=3 {
            // Twice it fails, whatever of the line has reached the file; then there is space again.
            for _ in 0..2 {
                disk.plan(Plan::Fail(written));
                let error = put(&scores, "final", seq).await.unwrap_err();
                assert!(matches!(&error, PutError::NotStored(_)), "{error}");
                assert_eq!(
                    last(&scores, "final").await.unwrap_or(0),
                    seq - 1,
                    "memory is not ahead of the disk"
                );
                assert!(!documents.has_changed().unwrap());
            }
            taken(&put(&scores, "final", seq).await, seq);
            assert!(documents.has_changed().unwrap());
            documents.mark_unchanged();
        }
        disk.plan(Plan::Fail(written));
        assert!(put(&scores, "final", 4).await.is_err());
        drop((scores, documents));
        // What the failed write left behind is whole where all of it was written: a 503 leaves that open.
        let scores = open(&dir);
        let expected = if written == usize::MAX { 4 } else { 3 };
        assert_eq!(last(&scores, "final").await, Some(expected), "{written} bytes of a failed write");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_that_is_full_says_so() {
    let error = Files.append(Path::new("/dev/full"), 0, b"line\n").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn a_lost_file_is_not_begun_again() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    taken(&put(&scores, "final", 1).await, 1);
    taken(&put(&scores, "final", 2).await, 2);
    let file = disk::path(dir.path(), &table(), &id("final"));
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(matches!(put(&scores, "final", 3).await, Err(PutError::NotStored(_))));
    assert!(!file.exists());
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(put(&scores, "final", 3).await, Err(PutError::NotStored(_))));
    fs::write(&file, &bytes).unwrap();
    taken(&put(&scores, "final", 3).await, 3);
}

/// Begins a write of match `first` that waits; when the returned sender is used, it goes on.
async fn hold(
    scores: &Scores,
    disk: &Planned,
) -> (Sender<()>, tokio::task::JoinHandle<Result<Put, PutError>>) {
    let (begun, has_begun) = channel();
    let (go, may_go) = channel();
    disk.plan(Plan::Wait(begun, may_go));
    let scores = scores.clone();
    let first = tokio::spawn(async move { put(&scores, "first", 1).await });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    (go, first)
}

/// Puts the events in order without waiting for answers.
fn put_all(
    scores: &Scores,
    seqs: impl Iterator<Item = u64>,
) -> Vec<(u64, oneshot::Receiver<Result<Put, PutError>>)> {
    let queue = scores.0.queue.as_ref().unwrap();
    seqs.map(|seq| {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            channel: table(),
            match_id: id("final"),
            position: at(seq),
            event: event(seq),
            now: NOW,
            reply,
        };
        assert!(queue.try_send(request).is_ok());
        (seq, answer)
    })
    .collect()
}

#[tokio::test]
async fn many_events_share_one_wait_for_the_disk() {
    let dir = TempDir::new().unwrap();
    let (scores, disk) = open_planned(&dir);
    let (go, first) = hold(&scores, &disk).await;
    let answers = put_all(&scores, 1..=50);
    // A repeat in the same batch is no acknowledgement before the disk has the original.
    let repeats = put_all(&scores, 50..=50);
    go.send(()).unwrap();
    taken(&first.await.unwrap(), 1);
    for (seq, answer) in answers {
        taken(&answer.await.unwrap(), seq);
    }
    for (_, answer) in repeats {
        assert!(matches!(answer.await.unwrap(), Ok(Put::Same(_))));
    }
    assert_eq!(*disk.writes.lock().unwrap(), [1, 50]);
    drop(scores);
    assert_eq!(last(&open(&dir), "final").await, Some(50));
}

#[tokio::test]
async fn a_batch_that_fails_is_not_taken_at_all() {
    let dir = TempDir::new().unwrap();
    let (scores, disk) = open_planned(&dir);
    let (go, first) = hold(&scores, &disk).await;
    disk.plan(Plan::Fail(700));
    let answers = put_all(&scores, (1..=5).chain([5, 9]));
    go.send(()).unwrap();
    taken(&first.await.unwrap(), 1);
    for (seq, answer) in answers {
        // Same and gap, too, were said of a log that never came to be.
        assert!(matches!(answer.await.unwrap(), Err(PutError::NotStored(_))), "{seq}");
    }
    assert_eq!(last(&scores, "final").await, None);
    assert_eq!(put(&scores, "final", 2).await, Ok(Put::Gap { expected: at(1) }));
    for seq in 1..=2 {
        taken(&put(&scores, "final", seq).await, seq);
    }
    drop(scores);
    assert_eq!(last(&open(&dir), "final").await, Some(2));
}

#[tokio::test]
async fn files_of_a_batch_fail_and_succeed_apart() {
    let dir = TempDir::new().unwrap();
    let (scores, disk) = open_planned(&dir);
    let (go, first) = hold(&scores, &disk).await;
    let put_in = |channel: &str| {
        let (scores, channel) = (scores.clone(), id(channel));
        tokio::spawn(async move { scores.put(&channel, &id("final"), at(1), event(1), NOW).await })
    };
    // The lost directory of one channel: a file in its place.
    fs::write(dir.path().join("table-2"), b"").unwrap();
    let (good, bad) = (put_in("table-1"), put_in("table-2"));
    while scores.0.queue.as_ref().unwrap().capacity() > QUEUE_MAX - 2 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    taken(&first.await.unwrap(), 1);
    taken(&good.await.unwrap(), 1);
    assert!(matches!(bad.await.unwrap(), Err(PutError::NotStored(_))));
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let dir = TempDir::new().unwrap();
    let (scores, disk) = open_planned(&dir);
    let (go, first) = hold(&scores, &disk).await;
    let answers = put_all(&scores, 1..=QUEUE_MAX as u64 - 100);
    let more = put_all(&scores, 1..=100);
    assert_eq!(put(&scores, "final", 1).await, Err(PutError::Busy));
    go.send(()).unwrap();
    taken(&first.await.unwrap(), 1);
    for (seq, answer) in answers {
        taken(&answer.await.unwrap(), seq);
    }
    for (_, answer) in more {
        assert!(matches!(answer.await.unwrap(), Ok(Put::Same(_))));
    }
    let document = scores.subscribe(&table()).unwrap().borrow().clone().unwrap();
    assert_eq!((document.entries.len(), document.check()), (ENTRIES_MAX, Ok(())));
}

#[tokio::test]
async fn matches_that_rest_are_read_from_the_disk() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    let name = |n: usize| format!("match-{n}");
    for n in 0..LOADED_MAX + 4 {
        taken(&put(&scores, &name(n), 1).await, 1);
    }
    let loaded = |scores: &Scores| {
        let slots = scores.0.shared.channels[&table()].slots();
        slots.values().filter(|slot| slot.log.is_some()).count()
    };
    assert_eq!(loaded(&scores), LOADED_MAX);
    assert_eq!(last(&scores, &name(0)).await, Some(1));
    assert!(matches!(put(&scores, &name(0), 1).await, Ok(Put::Same(_))));
    assert_eq!(loaded(&scores), LOADED_MAX);
    taken(&put(&scores, &name(1), 2).await, 2);
    assert_eq!(last(&scores, &name(1)).await, Some(2));
    let shown = scores.subscribe(&table()).unwrap().borrow().clone().unwrap();
    assert_eq!(shown.match_id.as_str(), name(1));
    drop(scores);
    let scores = open(&dir);
    assert_eq!(loaded(&scores), LOADED_MAX);
    let shown = scores.subscribe(&table()).unwrap().borrow().clone().unwrap();
    assert_eq!(shown.match_id.as_str(), name(1));
}

/// An action that occurs so many milliseconds after [`NOW`].
fn happened(ms: u64, action: Value) -> Event {
    Event::from_json(json!({"occurred": NOW.0 + ms, "action": action}).to_string().as_bytes()).unwrap()
}

fn start_at(ms: u64) -> Event {
    Event { occurred: UtcMs(NOW.0 + ms), ..event(1) }
}

#[tokio::test]
async fn viewers_see_the_match_that_began_last_whichever_takes_an_event() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    let mut documents = scores.subscribe(&table()).unwrap();
    let offer = async |match_id: &str, seq, event: Event| {
        let later = NOW.plus_ms(50_000);
        let put = scores.put(&table(), &id(match_id), at(seq), event, later).await;
        assert!(matches!(put, Ok(Put::Accepted(_))), "{match_id} {seq}: {put:?}");
    };
    offer("first", 1, start_at(0)).await;
    offer("first", 2, happened(10, json!({"type": "points", "side": 0, "points": 2}))).await;
    offer("second", 1, start_at(20_000)).await;
    documents.mark_unchanged();
    // Its last points come late, and a correction.
    offer("first", 3, happened(15_000, json!({"type": "points", "side": 0, "points": 1}))).await;
    let action = json!({"type": "points", "side": 0, "points": 4});
    offer("first", 4, happened(40_000, json!({"type": "correct", "epoch": 1, "seq": 2, "action": action})))
        .await;
    assert!(!documents.has_changed().unwrap());
    offer("second", 2, happened(21_000, json!({"type": "points", "side": 0, "points": 1}))).await;
    let shown = |documents: &mut tokio::sync::watch::Receiver<Option<Arc<Document>>>| {
        let document = documents.borrow_and_update().clone().unwrap();
        assert_eq!(document.check(), Ok(()));
        (document.match_id.to_string(), document.entries.len(), document.revision)
    };
    let second = shown(&mut documents);
    assert_eq!((&*second.0, second.1), ("second", 2));
    // One that was started by mistake, by which the one before is shown again; and it, too, has rested since.
    offer("mistaken", 1, start_at(30_000)).await;
    for n in 0..LOADED_MAX as u64 {
        offer(&format!("older-{n}"), 1, start_at(1 + n)).await;
    }
    let mistaken = shown(&mut documents);
    assert_eq!((&*mistaken.0, mistaken.1), ("mistaken", 1));
    offer("mistaken", 2, happened(31_000, json!({"type": "undo", "seq": 1}))).await;
    let again = shown(&mut documents);
    assert_eq!((&*again.0, again.1), ("second", 2));
    assert!(again.2 > mistaken.2 && mistaken.2 > second.2);
    drop(scores);
    // So it is after a restart.
    let scores = open(&dir);
    assert_eq!(shown(&mut scores.subscribe(&table()).unwrap()), again);
}

#[tokio::test]
async fn a_start_that_is_undone_leaves_nothing_to_see() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    taken(&put(&scores, "mistaken", 1).await, 1);
    let mut documents = scores.subscribe(&table()).unwrap();
    let before = documents.borrow_and_update().clone().unwrap();
    let undo = happened(100, json!({"type": "undo", "seq": 1}));
    let put = scores.put(&table(), &id("mistaken"), at(2), undo, NOW).await;
    assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
    let nothing = documents.borrow_and_update().clone().unwrap();
    assert_eq!((nothing.entries.len(), nothing.check()), (0, Ok(())));
    assert!(nothing.revision > before.revision && nothing.last() > before.last());
    drop(scores);
    let scores = open(&dir);
    assert_eq!(*scores.subscribe(&table()).unwrap().borrow(), Some(nothing));
}

#[tokio::test]
async fn what_happened_is_counted() {
    let dir = TempDir::new().unwrap();
    let scores = open(&dir);
    taken(&put(&scores, "final", 1).await, 1);
    let mut wrong = event(2);
    wrong.state = serde_json::from_value(json!({"sides":[{"points":7},{}]})).unwrap();
    let Ok(Put::Accepted(standing)) = scores.put(&table(), &id("final"), at(2), wrong, NOW).await else {
        panic!("a scorer's own state does not decide")
    };
    assert!(standing.diverged);
    put(&scores, "final", 9).await.unwrap();
    let mut registry = prometheus_client::registry::Registry::with_prefix("railbird");
    scores.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "railbird_score_events_total{channel=\"table-1\",outcome=\"accepted\"} 2",
        "railbird_score_events_total{channel=\"table-1\",outcome=\"gap\"} 1",
        "railbird_score_diverged_total{channel=\"table-1\"} 1",
        "railbird_score_writes_total{result=\"ok\"} 2",
        "railbird_score_write_seconds_count 2",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
}
