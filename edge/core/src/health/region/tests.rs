use std::collections::BTreeSet;
use std::format;

use std::vec::Vec;

use proptest::prelude::*;

use super::super::breaker::{FORGIVEN, STEPS, WINDOW_MS};
use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn node(id: &str) -> Node {
    Node::new(id.parse().unwrap(), format!("https://{id}.test"), true)
}

fn pass(n: u64) -> PassId {
    PassId::of_email(&format!("viewer{n}@railbird.test")).unwrap()
}

fn at(window: u64) -> UtcMs {
    NOW.plus_ms(window * WINDOW_MS)
}

fn vote(id: &str, failed: bool) -> Vote {
    Vote { place: Place::of(&node(id)), failed, ttfb_ms: None, doubted: false }
}

/// Viewers of these numbers say of node `a` that it failed, and others that it served.
fn window(region: &mut Region, n: u64, failed: core::ops::Range<u64>, served: core::ops::Range<u64>) {
    for viewer in failed {
        region.handle(&pass(viewer), &[vote("a", true)], at(n));
    }
    for viewer in served {
        region.handle(&pass(viewer), &[vote("a", false)], at(n));
    }
}

fn share(region: &Region, n: u64) -> u8 {
    region.standing(&node("a"), at(n)).share
}

#[test]
fn enough_voters_in_two_windows_open_a_node_at_once() {
    for (failed, served, opens) in [
        (0..3, 100..108, true),
        (0..3, 100..160, false),
        (0..2, 100..100, false),
        (0..200, 300..300, true),
        (0..200, 300..500, true),
        (0..20, 300..700, false),
    ] {
        let mut region = Region::default();
        window(&mut region, 0, failed.clone(), served.clone());
        assert_eq!(share(&region, 0), WHOLE, "one window is none too many");
        // Who was served tells it first, so that the failures decide.
        window(&mut region, 1, 0..0, served.clone());
        window(&mut region, 1, failed.clone(), 0..0);
        assert_eq!(share(&region, 1) == 0, opens, "{failed:?} of {served:?}");
        assert_eq!(share(&region, 2) == 0, opens, "{failed:?} of {served:?}");
    }
}

#[test]
fn a_pass_has_one_vote_however_much_it_sends() {
    let mut region = Region::default();
    let votes = [vote("a", true)];
    assert!(region.handle(&pass(1), &votes, at(0)));
    for again in [vote("a", true), vote("a", false)] {
        assert!(!region.handle(&pass(1), &[again], at(0)), "it has voted");
    }
    assert!(region.handle(&pass(2), &[vote("a", false)], at(0)));
    assert!(region.handle(&pass(2), &votes, at(0)), "a failure counts before a success");
    assert!(!region.handle(&pass(3), &[], at(0)));
    assert!(region.handle(&pass(1), &votes, at(1)), "another window, another vote");
}

#[test]
fn one_that_the_origins_doubt_needs_one_voter() {
    let mut region = Region::default();
    let doubted = Vote { doubted: true, ..vote("a", true) };
    region.handle(&pass(1), std::slice::from_ref(&doubted), at(0));
    region.handle(&pass(1), &[doubted], at(1));
    assert_eq!(share(&region, 1), 0);
}

fn hear(region: &mut Region, now: UtcMs, a: bool, b: bool) {
    let found = [("a", a), ("b", b)].map(|(id, served)| Found { place: Place::of(&node(id)), served });
    region.hear(&found, now);
}

/// The edge looks at nodes `a` and `b` in a window, and finds of each whether it serves.
fn look(region: &mut Region, n: u64, a: bool, b: bool) {
    hear(region, at(n), a, b);
}

#[test]
fn what_the_edge_finds_twice_decides_where_no_viewer_was_served() {
    let mut region = Region::default();
    look(&mut region, 0, false, true);
    assert!((1..40).all(|n| share(&region, n) == WHOLE), "once is a mishap");
    look(&mut region, 1, false, true);
    assert_eq!([1, 2, 3].map(|n| share(&region, n)), [WHOLE, WHOLE, 0]);
    // Nobody is sent there as long as it is found to fail, and viewers come back by and by when it is not.
    for n in 2..60 {
        look(&mut region, n, false, true);
        assert!(n < 3 || share(&region, n) == 0, "{n}");
    }
    look(&mut region, 60, true, true);
    let back: Vec<u8> = (60..360).map(|n| share(&region, n)).collect();
    assert!(back.is_sorted() && STEPS.iter().all(|step| back.contains(step)));
    assert_eq!(back.last(), Some(&WHOLE));
}

#[test]
fn an_old_finding_and_one_between_two_good_ones_are_none() {
    let mut region = Region::default();
    for n in 0..20 {
        look(&mut region, n * 5, n % 2 == 0, true);
        look(&mut region, n * 5 + 1, true, true);
    }
    assert!((0..140).all(|n| share(&region, n) == WHOLE));
    // Half a minute without another look, and it is forgotten.
    look(&mut region, 200, false, true);
    look(&mut region, 200 + KEPT_WINDOWS, false, true);
    assert!((200..240).all(|n| share(&region, n) == WHOLE));
}

#[test]
fn who_finds_no_node_that_serves_says_nothing_and_one_that_is_well_is_not_kept() {
    let mut region = Region::default();
    for n in 0..20 {
        look(&mut region, n, false, false);
        assert!(!region.hear(&[Found { place: Place::of(&node("a")), served: false }], at(n)));
        look(&mut region, n, true, true);
    }
    assert_eq!(region, Region::default());
}

#[test]
fn viewers_who_are_served_know_better_than_the_edge() {
    let mut region = Region::default();
    for n in 0..100 {
        look(&mut region, n, false, true);
        // One of them now and then is enough.
        if n % 10 == 0 {
            window(&mut region, n, 0..0, 0..1);
        }
        assert_eq!(share(&region, n), WHOLE, "{n}");
    }
    // One who is not is enough, too, where the edge finds the same.
    window(&mut region, 101, 0..1, 0..0);
    window(&mut region, 102, 0..1, 0..0);
    assert_eq!(share(&region, 102), 0);
    let mut alone = Region::default();
    window(&mut alone, 101, 0..1, 0..0);
    window(&mut alone, 102, 0..1, 0..0);
    assert_eq!(share(&alone, 103), WHOLE);
}

#[test]
fn one_that_the_edge_finds_failing_comes_back_where_viewers_are_served_after_it_was_left() {
    let mut region = Region::default();
    for n in 0..10 {
        look(&mut region, n, false, true);
    }
    assert_eq!(share(&region, 10), 0);
    let mut unheard = region.clone();
    let mut shares = Vec::new();
    for n in 10..60 {
        look(&mut region, n, false, true);
        look(&mut unheard, n, false, true);
        // Those who keep to it.
        window(&mut region, n, 0..0, 0..1);
        window(&mut unheard, n, 0..1, 0..0);
        shares.push(share(&region, n));
        assert_eq!(share(&unheard, n), 0, "{n}: who fails there brings nothing back");
    }
    assert!(shares.is_sorted() && STEPS.iter().all(|step| shares.contains(step)), "{shares:?}");
    assert_eq!(shares.last(), Some(&WHOLE));
}

#[test]
fn the_way_back_needs_viewers_or_time_and_ends_where_two_fail() {
    let mut region = Region::default();
    window(&mut region, 0, 0..9, 0..0);
    window(&mut region, 1, 0..9, 0..0);
    let opened = (2..).find(|n| share(&region, *n) > 0).unwrap();
    assert!((7..=8).contains(&opened));
    assert_eq!((share(&region, opened - 1), share(&region, opened)), (0, STEPS[0]));
    // Nothing is heard: three windows a step.
    let quiet: Vec<u8> = [3, 6, 9].map(|n| share(&region, opened + n)).to_vec();
    assert_eq!(quiet, [5, 25, WHOLE]);
    // Good windows: two a step.
    let mut well = region.clone();
    let good = |n| {
        window(&mut well, opened + n, 0..0, 50..60);
        share(&well, opened + n)
    };
    assert_eq!((0..7).map(good).collect::<Vec<_>>(), [1, 1, 5, 5, 25, 25, WHOLE]);
    // One failure among the few is a mishap, two are not.
    let mut bad = region.clone();
    window(&mut bad, opened, 0..1, 0..0);
    assert_eq!(share(&bad, opened + 1), STEPS[0]);
    window(&mut bad, opened + 1, 0..2, 50..52);
    assert_eq!(share(&bad, opened + 1), 0);
    assert_eq!(share(&bad, opened + 2 + 9), 0, "and twice as long");
}

#[test]
fn origins_count_before_viewers() {
    let mut region = Region::default();
    window(&mut region, 0, 0..0, 0..20);
    let mut a = node("a");
    a.outage = Some(railbird_core::state::Outage { ended: Some(at(0)), times: 1 });
    assert_eq!(region.standing(&a, at(1)).share, 0);
    assert_eq!(region.standing(&a, at(6)).share, STEPS[0]);
    assert_eq!(region.standing(&a, at(30)), Standing::GOOD);
    assert_eq!(region.standing(&node("b"), at(1)), Standing::GOOD);
    // Where both are on their way, the one that is less far.
    window(&mut region, 1, 0..9, 0..0);
    window(&mut region, 2, 0..9, 0..0);
    assert_eq!(region.standing(&a, at(6)).share, 0);
    a.outage = Some(railbird_core::state::Outage { ended: None, times: 1 });
    assert_eq!(region.standing(&a, at(30)).blamed, u64::MAX);
}

#[test]
fn nodes_that_serve_a_region_worse_come_later_and_differences_that_are_small_do_not_count() {
    let mut region = Region::default();
    let mut n = 0;
    let mut measured = |region: &mut Region, a: u32, b: u32| {
        for _ in 0..60 {
            n += 1;
            for viewer in 0..4 {
                let said = |id, ms| Vote { ttfb_ms: Some(ms), ..vote(id, false) };
                region.handle(&pass(viewer), &[said("a", a), said("b", b)], at(n));
            }
        }
        ["a", "b"].map(|id| region.standing(&node(id), at(n)).worse)
    };
    assert_eq!(measured(&mut region, 40, 150), [false, false]);
    assert_eq!(measured(&mut region, 40, 300), [false, true]);
    assert_eq!(measured(&mut region, 40, 150), [false, true], "between the bounds nothing changes");
    assert_eq!(measured(&mut region, 40, 90), [false, false]);
    assert_eq!(measured(&mut region, 900, 90), [true, false]);
}

#[test]
fn a_measurement_moves_the_median_by_one_step() {
    let mut heard = Heard::new(0);
    heard.measure(u32::MAX);
    assert_eq!(heard.ttfb_ms, TTFB_MS_FIRST + TTFB_MS_FIRST / 16);
    for _ in 0..1000 {
        heard.measure(u32::MAX);
    }
    assert_eq!(heard.ttfb_ms, TTFB_MS_LAST);
    for _ in 0..1000 {
        heard.measure(0);
    }
    assert_eq!(heard.ttfb_ms, 0);
}

#[test]
fn regions_have_names_of_a_fixed_set() {
    for (said, expected) in [
        (None, "all"),
        (Some(""), "all"),
        (Some("EU"), "eu"),
        (Some("as"), "as"),
        (Some("AN"), "all"),
        (Some("T1"), "all"),
        (Some("../../pass"), "all"),
        (Some("ALL"), "all"),
    ] {
        assert_eq!(name(said), expected, "{said:?}");
    }
}

#[test]
fn what_is_kept_is_small_and_forgets_what_was_not_heard_of() {
    let mut region = Region::default();
    for n in 0..200 {
        for viewer in 0..100_u64 {
            let id = format!("n{n}");
            let votes = [vote(&id, viewer.is_multiple_of(3))];
            region.handle(&pass(viewer), &votes, at(n));
        }
    }
    assert_eq!(region.nodes.len(), NODES_KEPT_MAX);
    assert!(region.nodes.contains_key(&Place::of(&node("n199"))));
    assert!(!region.nodes.contains_key(&Place::of(&node("n0"))));
    let kept = serde_json::to_vec(&region).unwrap();
    assert!(kept.len() < NODES_KEPT_MAX * 700, "{} bytes", kept.len());
    assert_eq!(serde_json::from_slice::<Region>(&kept).unwrap(), region);
}

/// What happens so many milliseconds after what was before.
#[derive(Clone, Debug)]
enum Act {
    Tell {
        apart_ms: u64,
        failed: bool,
        ttfb_ms: u32,
    },
    /// The edge looks at `a`, and finds whether it serves.
    Look {
        apart_ms: u64,
        served: bool,
    },
}

impl Act {
    fn apart_ms(&self) -> u64 {
        match self {
            Act::Tell { apart_ms, .. } | Act::Look { apart_ms, .. } => *apart_ms,
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let tell = (0_u64..5_000, any::<bool>(), any::<u32>())
        .prop_map(|(apart_ms, failed, ttfb_ms)| Act::Tell { apart_ms, failed, ttfb_ms });
    let look = (0_u64..5_000, any::<bool>()).prop_map(|(apart_ms, served)| Act::Look { apart_ms, served });
    proptest::collection::vec(prop_oneof![3 => tell, 1 => look], 0..300)
}

/// What the edge finds of node `a` at a moment, where `b` serves.
fn look_at(region: &mut Region, now: UtcMs, served: bool) {
    hear(region, now, served, true);
}

proptest! {
    /// Whatever one pass says, and whoever else is there or not: it opens nothing, where the edge finds that the node serves.
    #[test]
    fn a_single_liar_never_opens_a_node(acts in acts(), others in 0_u64..4) {
        let mut region = Region::default();
        let mut now = NOW;
        for act in acts {
            now = now.plus_ms(act.apart_ms());
            for other in 0..others {
                region.handle(&pass(other), &[vote("a", false)], now);
            }
            match act {
                Act::Tell { failed, ttfb_ms, .. } => {
                    let said = Vote { ttfb_ms: Some(ttfb_ms), ..vote("a", failed) };
                    region.handle(&pass(99), &[said], now);
                }
                Act::Look { .. } => look_at(&mut region, now, true),
            }
            let standing = region.standing(&node("a"), now);
            prop_assert_eq!((standing.share, standing.blamed), (WHOLE, 0));
        }
    }

    /// Nor does it keep one away that is coming back.
    #[test]
    fn a_single_liar_never_stops_a_return(acts in acts()) {
        let mut region = Region::default();
        for n in 0..2 {
            window(&mut region, n, 0..9, 0..0);
        }
        let mut now = at(2);
        for act in acts {
            now = now.plus_ms(act.apart_ms());
            match act {
                Act::Tell { failed, .. } => drop(region.handle(&pass(99), &[vote("a", failed)], now)),
                Act::Look { .. } => look_at(&mut region, now, true),
            }
        }
        let due = at(2 + 7 + 3 * 3);
        let now = UtcMs(now.0.max(due.0));
        prop_assert_eq!(region.standing(&node("a"), now).share, WHOLE);
    }

    /// Whatever the edge finds: a node that serves somebody in each window is not left for it.
    #[test]
    fn the_edge_alone_takes_no_node_from_those_whom_it_serves(looks in proptest::collection::vec(any::<bool>(), 0..100)) {
        let mut region = Region::default();
        for (n, served) in (0..).zip(looks) {
            window(&mut region, n, 0..0, 0..1);
            look_at(&mut region, at(n), served);
            prop_assert_eq!(share(&region, n), WHOLE);
        }
    }

    /// The order in which votes of a window come does not count, as long as none of them opens the node.
    #[test]
    fn the_order_of_votes_does_not_count(
        mut votes in proptest::collection::vec((0_u64..8, any::<bool>()), 0..60),
    ) {
        let judged = |votes: &[(u64, bool)]| {
            let mut region = Region::default();
            for (viewer, failed) in votes {
                region.handle(&pass(*viewer), &[vote("a", *failed)], at(0));
            }
            (share(&region, 1), {
                window(&mut region, 1, 50..53, 0..0);
                share(&region, 2)
            })
        };
        let forward = judged(&votes);
        votes.reverse();
        prop_assert_eq!(judged(&votes), forward);
    }

    /// Reading it at whatever moments changes nothing: edges that look often and edges that look rarely agree.
    #[test]
    fn all_readers_agree(acts in acts(), reads in proptest::collection::vec(0_u64..1_000_000, 1..20)) {
        let mut region = Region::default();
        let mut now = NOW;
        for (n, act) in acts.into_iter().enumerate() {
            now = now.plus_ms(act.apart_ms());
            match act {
                Act::Tell { failed, .. } => drop(region.handle(&pass(n as u64 % 5), &[vote("a", failed)], now)),
                Act::Look { served, .. } => look_at(&mut region, now, served),
            }
        }
        let before = region.clone();
        let mut moments: BTreeSet<u64> = reads.into_iter().collect();
        moments.insert(FORGIVEN * WINDOW_MS);
        for ms in moments {
            let one = region.standing(&node("a"), now.plus_ms(ms));
            let copy: Region = serde_json::from_slice(&serde_json::to_vec(&region).unwrap()).unwrap();
            prop_assert_eq!(copy.standing(&node("a"), now.plus_ms(ms)), one);
        }
        prop_assert_eq!(region, before);
    }
}
