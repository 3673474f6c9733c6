use std::collections::BTreeMap;
use std::fs;

use railbird_core::recording::Record;

use super::*;
use crate::export::tests::Recorded;

/// Objects in memory, and one that can't be read.
struct Kept(BTreeMap<String, Bytes>);

impl Place for Kept {
    fn read<'a>(&'a self, name: &'a str, len_max: usize) -> Answer<'a> {
        let answer = match self.0.get(name) {
            Some(bytes) if bytes.is_empty() => Err("503 Slow Down".to_string()),
            found => Ok(found.map(|bytes| bytes.slice(..bytes.len().min(len_max)))),
        };
        Box::pin(async move { answer })
    }
}

/// A target with everything, acknowledged.
fn mirrored(recorded: &mut Recorded) -> (TargetId, BTreeMap<String, Bytes>) {
    let target: TargetId = "a".parse().unwrap();
    let mut kept = BTreeMap::new();
    for n in 0..recorded.reel.objects().len() as u32 {
        let name = recorded.reel.name(&recorded.reel.objects()[n as usize]);
        kept.insert(name, fs::read(recorded.path(n)).unwrap().into());
        recorded.reel.apply(Record::Ack { n, target: target.clone() }).unwrap();
    }
    (target, kept)
}

async fn run(recorded: &Recorded, targets: &[(TargetId, Arc<dyn Place>)]) -> Report {
    verify(&recorded.reel, false, Some(recorded.dir.path().to_path_buf()), targets).await
}

#[tokio::test]
async fn a_whole_recording_is_sound() {
    let mut recorded = Recorded::new(2);
    let (target, kept) = mirrored(&mut recorded);
    let other: TargetId = "other".parse().unwrap();
    let nothing = (other.clone(), Arc::new(Kept(BTreeMap::new())) as Arc<dyn Place>);
    let report = run(&recorded, &[(target, Arc::new(Kept(kept))), nothing]).await;
    assert!(report.sound() && report.live && report.gaps.is_empty(), "{report}");
    let counts: Vec<_> = report.places.iter().map(|tally| (tally.good, tally.pending)).collect();
    // Eight segments and an init segment; what was not acknowledged is on its way.
    assert_eq!(counts, [(9, 0), (9, 0), (0, 9)]);
    assert_eq!(report.objects, 9);
}

#[tokio::test]
async fn what_is_missing_wrong_or_not_to_be_read_is_named() {
    let mut recorded = Recorded::new(2);
    let (target, mut kept) = mirrored(&mut recorded);
    let names: Vec<String> =
        recorded.reel.objects().iter().map(|object| recorded.reel.name(object)).collect();
    fs::remove_file(recorded.path(3)).unwrap();
    fs::write(recorded.path(4), b"short").unwrap();
    kept.remove(&names[5]);
    kept.insert(names[6].clone(), [&kept[&names[6]][..], b"longer"].concat().into());
    kept.insert(names[7].clone(), Bytes::new());
    let report = run(&recorded, &[(target, Arc::new(Kept(kept)))]).await;
    assert!(!report.sound());
    let [disk, a] = &report.places[..] else { panic!("two places") };
    assert_eq!((&disk.missing.first, &disk.wrong.first), (&vec![names[3].clone()], &vec![names[4].clone()]));
    assert_eq!((&a.missing.first, &a.wrong.first), (&vec![names[5].clone()], &vec![names[6].clone()]));
    assert_eq!(a.unknown.first, [format!("{}: 503 Slow Down", names[7])]);
    let text = report.to_string();
    for line in [
        "\n  place      good   missing     wrong   unknown   pending\n",
        "\n  disk          7         1         1         0         0\n",
        "\n  a             6         1         1         1         0\n",
        &format!("\n  missing at a: {}\n", names[5]),
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["places"][1]["missing"]["count"], 1);
}

#[tokio::test]
async fn an_evicted_recording_is_checked_at_targets_only_and_a_damaged_journal_is_not_sound() {
    let mut recorded = Recorded::new(1);
    let (target, kept) = mirrored(&mut recorded);
    recorded.reel.apply(Record::Evicted).unwrap();
    let targets: [(TargetId, Arc<dyn Place>); 1] = [(target, Arc::new(Kept(kept)))];
    let report = run(&recorded, &targets).await;
    assert!(report.sound() && report.places.len() == 1, "{report}");
    let report = verify(&recorded.reel, true, None, &targets).await;
    assert!(!report.sound());
}
