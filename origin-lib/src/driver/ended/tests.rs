use std::sync::Arc;

use railbird_core::hash::Hash;
use railbird_core::publish::Init;
use railbird_core::recording::Head;
use railbird_core::time::{MediaSpan, MediaTime, UtcMs};

use super::*;
use crate::driver::tests::Heard;
use crate::spool::Spool;

const SEGMENTS: u32 = 3;

fn channel() -> ChannelId {
    "table-1".parse().unwrap()
}

fn target(id: &str) -> TargetId {
    id.parse().unwrap()
}

fn takers(list: &[(&str, u64)]) -> Takers {
    list.iter().map(|(id, since)| (target(id), MediaTime(*since))).collect()
}

/// A recording of an init segment and three segments of a second each, as it ended, the `day`th.
fn reel(day: u64) -> Reel {
    let begin = MediaTime(day * 86_400 * 90_000);
    let head = Head {
        channel: channel(),
        recording: RecordingId::beginning(begin.utc()),
        rendition: "source".parse().unwrap(),
        segment_ms: 1000,
        key_period_s: 60,
        msn_min: 0,
    };
    let mut reel = Reel::new(head);
    let sha256 = Hash::of(b"");
    let (width, height, frame_rate_milli) = (1920, 1080, 25_000);
    let init = Init {
        name: "i".into(),
        codecs: "avc1".into(),
        width,
        height,
        frame_rate_milli,
        range: Default::default(),
        sound: None,
    };
    reel.apply(Record::Init { n: 0, init, len: 1, sha256 }).unwrap();
    for n in 1..=SEGMENTS {
        let start = begin + MediaSpan::from_ms(i64::from(n) * 1000);
        let duration = MediaSpan::from_ms(1000);
        reel.apply(Record::Segment {
            n,
            start,
            duration,
            discontinuity: false,
            dependent: false,
            captions: Default::default(),
            len: 1,
            sha256,
        })
        .unwrap();
    }
    reel.apply(Record::End { at: UtcMs(0), next_msn: 0 }).unwrap();
    reel
}

fn ended(reels: &[Reel], takers: &Takers) -> Ended {
    Ended::new(reels.iter().map(|reel| Summary::of(reel, 0, takers).unwrap()).collect())
}

fn name(reel: &Reel) -> RecordingId {
    reel.head().recording.clone()
}

/// Fills queues, and has the targets of which `acks` says so acknowledge.
fn round(ended: &mut Ended, takers: &Takers, backlog: &mut Backlog, acks: &[&str]) -> usize {
    let heard = Arc::new(Heard::default());
    let spool = Spool::start(tempfile::tempdir().unwrap().path(), BTreeMap::new(), |_| {}).unwrap();
    for (target, since) in takers {
        backlog.refill(target, *since, ended.reels(), &spool, &heard);
    }
    let queued = std::mem::take(&mut *heard.queued.lock().unwrap());
    for (target, object) in &queued {
        if acks.contains(&target.as_str()) {
            ended.acked(&object.recording, object.n, target, Has::All).unwrap().unwrap();
        }
    }
    queued.len()
}

#[test]
fn a_new_target_gets_what_has_ended_oldest_first_a_few_recordings_at_a_time() {
    let reels: Vec<Reel> = (1..=5).map(reel).collect();
    let takers = takers(&[("new", 0)]);
    let (mut ended, mut backlog) = (ended(&reels, &takers), Backlog::default());
    let mut order = Vec::new();
    loop {
        let wanted = ended.wanted(&channel(), None, &takers, &backlog);
        assert!(wanted.len() <= OPEN_PER_TARGET);
        assert_eq!(ended.wanted(&channel(), None, &takers, &backlog), [], "each is asked for once");
        if wanted.is_empty() {
            break;
        }
        for recording in wanted {
            ended.take(reels.iter().find(|reel| name(reel) == recording).unwrap().clone());
            order.push(recording);
        }
        round(&mut ended, &takers, &mut backlog, &["new"]);
        assert_eq!(ended.settle(None, &takers).len(), OPEN_PER_TARGET.min(5 - (order.len() - 1) / 2 * 2));
    }
    assert_eq!(order, reels.iter().map(name).collect::<Vec<_>>());
    assert_eq!(ended.reels().count(), 0, "nobody needs a journal any more");
    assert!(ended.summaries().all(|summary| summary.is_safe(&takers)));
}

#[test]
fn a_target_that_takes_nothing_keeps_nobody_else_waiting_and_memory_bounded() {
    let reels: Vec<Reel> = (1..=30).map(reel).collect();
    let takers = takers(&[("a", 0), ("dead", 0)]);
    let (mut ended, mut backlog) = (ended(&reels, &takers), Backlog::default());
    for _ in 0..30 {
        for recording in ended.wanted(&channel(), None, &takers, &backlog) {
            ended.take(reels.iter().find(|reel| name(reel) == recording).unwrap().clone());
        }
        round(&mut ended, &takers, &mut backlog, &["a"]);
        ended.settle(None, &takers);
        assert!(ended.reels().count() <= OPEN_MAX + 2 * OPEN_PER_TARGET);
    }
    assert!(ended.summaries().all(|summary| summary.complete_at == [target("a")]));
}

#[test]
fn what_a_removed_target_had_is_of_no_use_even_where_the_journal_was_being_read() {
    let mut whole = reel(1);
    for n in 0..=SEGMENTS {
        whole.apply(Record::Ack { n, target: target("a"), less: false }).unwrap();
    }
    let takers = takers(&[("a", 0), ("b", 0)]);
    let mut ended = ended(std::slice::from_ref(&whole), &takers);
    let mut backlog = Backlog::default();
    assert_eq!(ended.wanted(&channel(), None, &takers, &backlog), [name(&whole)]);
    let removed = ended.removed(&target("a"));
    assert!(matches!(&removed[..], [(_, Some(summary))] if summary.complete_at.is_empty()));
    // The name comes again, for another bucket, and the journal as it was read before the removal.
    ended.take(whole);
    assert_eq!(round(&mut ended, &takers, &mut backlog, &[]), 2 * (SEGMENTS as usize + 1));
}

#[test]
fn what_stays_the_other_origins_is_not_sent_again_and_keeps_no_recording_from_being_complete() {
    let mut one = reel(1);
    for n in 0..SEGMENTS {
        one.apply(Has::All.record(n, target("a"))).unwrap();
    }
    let takers = takers(&[("a", 0)]);
    let mut ended = ended(std::slice::from_ref(&one), &takers);
    ended.take(one);
    let named = ended.acked(&name(&reel(1)), SEGMENTS, &target("a"), Has::Others);
    assert_eq!(named, Some(Ok(Record::Others { n: SEGMENTS, target: target("a") })));
    assert_eq!(round(&mut ended, &takers, &mut Backlog::default(), &[]), 0);
    ended.settle(None, &takers);
    assert!(ended.summaries().all(|summary| summary.is_safe(&takers)));
}

#[test]
fn nothing_is_sent_of_what_is_older_than_a_target_wants_or_not_on_the_disk_any_more() {
    let reels = [reel(1), reel(2)];
    let new = takers(&[("new", reels[1].start().unwrap().0 + 1)]);
    let mut ended = ended(&reels, &new);
    let backlog = Backlog::default();
    assert_eq!(ended.wanted(&channel(), None, &new, &backlog), [name(&reels[1])]);
    ended.take(reels[1].clone());
    assert_eq!(round(&mut ended, &new, &mut Backlog::default(), &["new"]), SEGMENTS as usize);
    assert_eq!(ended.settle(None, &new).len(), 1, "the init segment, and all but the first one");
    ended.evicted(&name(&reels[0]));
    ended.evicted(&name(&reels[1]));
    assert_eq!(ended.reels().count(), 0);
    assert_eq!(ended.wanted(&channel(), None, &takers(&[("late", 0)]), &backlog), []);
}
