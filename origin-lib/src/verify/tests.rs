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
        recorded.reel.apply(Record::Ack { n, target: target.clone(), less: false }).unwrap();
    }
    (target, kept)
}

async fn run(recorded: &Recorded, targets: &[(TargetId, Arc<dyn Place>)]) -> Report {
    verify(&recorded.reel, false, Some(recorded.dir.path().to_path_buf()), targets, None).await
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
        "\n  place      good   missing     wrong     other   unknown   pending\n",
        "\n  disk          7         1         1         0         0         0\n",
        "\n  a             6         1         1         0         1         0\n",
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
    let report = verify(&recorded.reel, true, None, &targets, None).await;
    assert!(!report.sound());
}

#[tokio::test]
async fn what_the_other_origin_of_a_pair_wrote_is_told_from_damage() {
    let mut recorded = Recorded::new(2);
    let (target, mut kept) = mirrored(&mut recorded);
    let object = |n: usize| &recorded.reel.objects()[n];
    let names: Vec<String> = (0..9).map(|n| recorded.reel.name(object(n))).collect();
    kept.insert(names[3].clone(), recorded.retold(3));
    // Another cut under this name, and damage.
    kept.insert(names[4].clone(), kept[&names[8]].clone());
    let mut damaged = kept[&names[5]].to_vec();
    damaged[40] ^= 1;
    kept.insert(names[5].clone(), damaged.into());
    kept.insert(names[6].clone(), recorded.damaged(6));
    kept.insert(names[0].clone(), Bytes::from_static(b"no init segment"));
    let place = Arc::new(Kept(kept)) as Arc<dyn Place>;
    let (dir, targets) = (Some(recorded.dir.path().to_path_buf()), [(target, place)]);

    let other = Other { secret: recorded.secret.clone() };
    let report = verify(&recorded.reel, false, dir.clone(), &targets, Some(&other)).await;
    let a = &report.places[1];
    assert_eq!(a.other.first, [names[3].clone()], "{report}");
    assert_eq!(a.wrong.count, 4, "{report}");
    assert!(!report.sound());
    // Where ours are no longer on the disk, the length of damage is theirs.
    let report = verify(&recorded.reel, false, None, &targets, Some(&other)).await;
    assert_eq!((report.places[0].other.count, report.places[0].wrong.count), (1, 4), "{report}");
    let alone = verify(&recorded.reel, false, dir, &targets, None).await;
    assert_eq!(
        (alone.places[1].other.count, alone.places[1].wrong.count),
        (0, 5),
        "nobody else writes there"
    );
}
