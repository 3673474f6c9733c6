use railbird_core::score::{Event, Position};
use serde_json::json;
use tempfile::TempDir;

use super::super::Put;
use super::super::tests::{Plan, Planned};
use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn table() -> ChannelId {
    "table-1".parse().unwrap()
}

fn open(dir: &TempDir) -> Scores {
    let scorers = [("ann".to_string(), -1200)].into();
    Scores::open(dir.path(), [(table(), Offsets::new(500, -1000, scorers))]).unwrap()
}

/// The same on a disk that is told what to do.
fn open_planned(dir: &TempDir) -> (Scores, Planned) {
    let disk = Planned::default();
    (Scores::open_on(dir.path(), [(table(), 0)], disk.clone()).unwrap(), disk)
}

fn event(seq: u64, scorer: Option<&str>) -> Event {
    let action = match seq {
        1 => json!({"type":"start","title":"Final","discipline":"points","breaks":0,
            "sides":[{"name":"A"},{"name":"B"}]}),
        _ => json!({"type":"points","side":0,"points":1}),
    };
    let mut json = json!({"occurred":NOW.0 + seq * 1000,"action":action});
    if let Some(scorer) = scorer {
        json["scorer"] = json!(scorer);
    }
    Event::from_json(json.to_string().as_bytes()).unwrap()
}

async fn put(scores: &Scores, seq: u64, scorer: Option<&str>) {
    let (match_id, at, now) = ("final".parse().unwrap(), Position { epoch: 1, seq }, NOW.plus_ms(seq * 1000));
    let put = scores.put(&table(), &match_id, at, event(seq, scorer), now).await;
    assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
}

/// What viewers get: the revision, what is rewritten, and by how much each entry is later than its event.
fn shown(scores: &Scores) -> (u64, u64, Vec<i64>) {
    let document = scores.subscribe(&table()).unwrap().borrow().clone().unwrap();
    assert_eq!(document.check(), Ok(()));
    let late = document.entries.iter().map(|entry| (entry.at - NOW.plus_ms(entry.seq * 1000).media()).ms());
    (document.revision, document.rewritten, late.collect())
}

fn set(from: UtcMs, delay_ms: i64) -> Told {
    Told { measured: None, set: Some(Setting { from, delay_ms }) }
}

#[tokio::test]
async fn a_new_delay_repairs_what_is_shown_and_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let scores = open(&dir);
    put(&scores, 1, None).await;
    put(&scores, 2, Some("ann")).await;
    put(&scores, 3, Some("eve")).await;
    let (before, _, late) = shown(&scores);
    assert_eq!(late, [-500, -700, -500]);

    let mut changes = scores.changes(&table()).unwrap();
    changes.mark_unchanged();
    scores.tell_delay(&table(), set(NOW, 800), NOW.plus_ms(3500)).await.unwrap();
    assert!(changes.has_changed().unwrap(), "whoever makes replays of it is told");
    // What was entered at the first second had happened before.
    let (after, rewritten, late) = shown(&scores);
    assert_eq!((late, rewritten), (vec![-200, -400, -200], 0));
    assert!(after > before, "an edge takes it");
    // Who has three entries has them with other times, and gets all of them with the next.
    put(&scores, 4, None).await;
    let (next, rewritten, late) = shown(&scores);
    assert_eq!((late, rewritten), (vec![-200, -400, -200, -200], 4));
    assert!(next > after);

    drop(scores);
    let scores = open(&dir);
    assert_eq!(shown(&scores).2, [-200, -400, -200, -200]);
    // The wall clock was set back: what is made now is newer all the same.
    scores.tell_delay(&table(), set(NOW.plus_ms(3000), 900), NOW).await.unwrap();
    let (last, _, late) = shown(&scores);
    assert_eq!(late, [-200, -400, -200, -100]);
    assert!(last > next, "{last} after {next}");
}

/// The revision of the match, as those who make replays of it know it.
fn revision(scores: &Scores) -> u64 {
    scores.played(&table()).first().unwrap().revision
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_taken_while_a_delay_is_told_makes_a_newer_document() {
    let dir = tempfile::tempdir().unwrap();
    let (scores, disk) = open_planned(&dir);
    put(&scores, 1, None).await;
    let ((begun, has_begun), (go, may_go)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    disk.plan(Plan::Wait(begun, may_go));
    let late = scores.clone();
    let second = tokio::spawn(async move { put(&late, 2, None).await });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    // It waits for the disk.
    scores.tell_delay(&table(), set(NOW, 800), NOW.plus_ms(3_600_000)).await.unwrap();
    let told = revision(&scores);
    go.send(()).unwrap();
    second.await.unwrap();
    assert!(revision(&scores) > told, "{} after {told}", revision(&scores));
    // And so does the next one.
    let before = revision(&scores);
    put(&scores, 3, None).await;
    assert!(revision(&scores) > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_scores_waits_until_a_delay_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let scores = open(&dir);
    put(&scores, 1, None).await;
    // A disk that does not go on: whoever opens this waits for a reader.
    let part = dir.path().join("table-1.delay.part");
    nix::unistd::mkfifo(&part, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (telling, at) = (scores.clone(), NOW.plus_ms(3500));
    let told = tokio::spawn(async move { telling.tell_delay(&table(), set(NOW, 800), at).await });
    let channel = scores.0.shared.channel(&table()).unwrap();
    while channel.telling.try_lock().is_ok() {
        tokio::task::yield_now().await;
    }
    put(&scores, 2, None).await;
    assert_eq!(shown(&scores).2, [-500, -500], "with what was told before");
    assert!(!told.is_finished());
    let read = tokio::task::spawn_blocking(move || fs::read(part).unwrap());
    assert!(!read.await.unwrap().is_empty());
    // What was no file is not kept.
    assert!(matches!(told.await.unwrap(), Err(TellError::NotStored(_))));
    assert_eq!(shown(&scores).2, [-500, -500]);
}

#[tokio::test]
async fn what_replays_and_live_viewers_get_goes_together_after_a_calibration() {
    let dir = tempfile::tempdir().unwrap();
    let scores = open(&dir);
    put(&scores, 1, None).await;
    put(&scores, 2, None).await;
    scores.tell_delay(&table(), set(NOW, 800), NOW.plus_ms(2500)).await.unwrap();
    put(&scores, 3, None).await;
    let live = scores.subscribe(&table()).unwrap().borrow().clone().unwrap();
    let whole = scores.whole(&table(), &"final".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((live.ranges(), live.timing), (whole.ranges(), whole.timing));
    assert_ne!(live.rewritten, whole.rewritten, "who has entries already gets all of them");
    drop(scores);
    let again = open(&dir).whole(&table(), &"final".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(again.ranges(), whole.ranges());
}

#[tokio::test]
async fn what_a_calibration_leaves_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let scores = open(&dir);
    let measured = Measured { delay_ms: 640, spread_ms: 20, pictures: 250, at: NOW };
    let told = Told { measured: Some(measured), set: None };
    let standing = scores.tell_delay(&table(), told, NOW).await.unwrap();
    assert_eq!((standing.delay_ms, standing.skew_ms, standing.delays.len()), (500, Some(140), 0));
    let standing = scores.tell_delay(&table(), set(NOW, 640), NOW).await.unwrap();
    assert_eq!((standing.delay_ms, standing.configured_ms, standing.skew_ms), (640, 500, Some(0)));
    assert_eq!(standing.measured, Some(measured));
    let mut registry = prometheus_client::registry::Registry::default();
    scores.metrics().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "score_picture_delay_seconds{channel=\"table-1\"} 0.64",
        "score_skew_seconds{channel=\"table-1\"} 0.0",
        "score_skew_spread_seconds{channel=\"table-1\"} 0.02",
        "score_skew_measured_timestamp_seconds{channel=\"table-1\"} 1795171920",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    // Kept as well.
    drop(scores);
    assert_eq!(open(&dir).delay(&table(), NOW), Some(standing));
}

#[tokio::test]
async fn what_can_not_be_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let scores = open(&dir);
    let before = scores.delay(&table(), NOW).unwrap();
    for told in [set(NOW, 60_001), set(NOW, i64::MIN), set(NOW.plus_ms(60_001), 5)] {
        let refused = scores.tell_delay(&table(), told, NOW).await;
        assert!(matches!(refused, Err(TellError::Bounds)), "{told:?}: {refused:?}");
    }
    let nowhere = scores.tell_delay(&"table-2".parse().unwrap(), set(NOW, 5), NOW).await;
    assert!(matches!(nowhere, Err(TellError::NoChannel)));
    assert_eq!(scores.delay(&table(), NOW), Some(before));
    // Delays are bounded.
    for n in 0..150 {
        scores.tell_delay(&table(), set(NOW.plus_ms(n), 5), NOW.plus_ms(n)).await.unwrap();
    }
    let delays = scores.delay(&table(), NOW.plus_ms(150)).unwrap().delays;
    assert_eq!((delays.len(), delays[0].from), (DELAYS_MAX - 1, NOW.plus_ms(51)));
}

#[test]
fn a_file_that_is_damaged_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["", "{", "{\"changed\":1,\"delays\":[],\"measured\":null,\"more\":1}"] {
        fs::write(dir.path().join("table-1.delay.json"), text).unwrap();
        let error = Scores::open(dir.path(), [(table(), 0)]).err().unwrap().to_string();
        assert!(error.contains("table-1.delay.json") && error.contains("calibrate again"), "{error}");
    }
}
