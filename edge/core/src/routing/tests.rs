use railbird_core::state::{NodeProbe, Outage, STALENESS_MS_MAX};

use super::*;
use crate::health::Vote;
use crate::health::region::Place;
use crate::passes::PassId;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::format;
use std::string::{String, ToString};

/// Upper case is down, `0` behind a name is drained, `~` is slow.
fn nodes(text: &str) -> Vec<Node> {
    let node = |word: &str| {
        let name = word.trim_end_matches(['0', '~']);
        let id = name.to_lowercase();
        let mut node = Node::new(id.parse().unwrap(), format!("https://{name}.test"), id == name);
        if word.ends_with('0') {
            node.weight = 0;
        }
        if word.ends_with('~') {
            node.probe = Some(NodeProbe { ttfb_ms: 50, staleness_ms: STALENESS_MS_MAX + 1 });
        }
        node
    };
    text.split_whitespace().map(node).collect()
}

fn text(order: Vec<NodeId>) -> String {
    order.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn viewer(n: u32) -> Viewer {
    let mut viewer = [7; 16];
    viewer[..4].copy_from_slice(&n.to_be_bytes());
    viewer
}

const NOW: UtcMs = UtcMs(1_795_171_920_040);

fn order(nodes: &[Node], n: u32) -> Vec<NodeId> {
    Choice::new(nodes, &Region::default(), NOW).order(&viewer(n))
}

fn pathway(nodes: &[Node], own: &NodeId, n: u32) -> Option<Vec<NodeId>> {
    Choice::new(nodes, &Region::default(), NOW).pathway(own, &viewer(n))
}

/// A node that was well again so many milliseconds ago.
fn back(nodes: &mut [Node], id: &str, ms: u64) {
    let node = nodes.iter_mut().find(|node| node.id.as_str() == id).unwrap();
    node.outage = Some(Outage { ended: Some(UtcMs(NOW.0 - ms)), times: 1 });
}

#[test]
fn a_pathway_begins_with_its_own_node_unless_others_are_better() {
    for (list, own, expected) in [
        ("a b c", "a", "a b c"),
        ("a b c", "c", "c a b"),
        ("A b c", "a", "b c a"),
        ("A b c", "c", "c b a"),
        ("a B C", "b", "a b c"),
        ("A B", "b", "a b"),
        ("a", "a", "a"),
        ("a0 b c", "a", "b c a"),
        ("a0 b c", "c", "c b a"),
        ("a0 B", "a", "a b"),
        ("a0 b0", "b", "b a"),
        ("a~ b c0 D", "a", "b a c d"),
        ("a~ c0 D", "a", "a c d"),
    ] {
        let own = own.parse().unwrap();
        assert_eq!(text(pathway(&nodes(list), &own, 1).unwrap()), expected, "{list}, {own}");
    }
    assert_eq!(pathway(&nodes("a b"), &"x".parse().unwrap(), 1), None);
}

#[test]
fn no_node_is_left_out_and_the_worse_come_last() {
    let list = nodes("A b0 c~ d e");
    for n in 0..100 {
        let order = text(order(&list, n));
        assert!(order == "d e c b a" || order == "e d c b a", "{order}");
    }
    assert_eq!(order(&[], 0), []);
}

#[test]
fn viewers_are_spread_by_weight_and_only_those_of_a_lost_node_move() {
    let mut list = nodes("a b c");
    list[0].weight = 100;
    list[1].weight = 300;
    list[2].weight = 600;
    let first = |list: &[Node], n| order(list, n)[0].clone();
    let before: Vec<NodeId> = (0..10_000).map(|n| first(&list, n)).collect();
    let share = |of: &[NodeId], id: &str| of.iter().filter(|first| first.as_str() == id).count();
    for (id, expected) in [("a", 1000), ("b", 3000), ("c", 6000)] {
        assert!(share(&before, id).abs_diff(expected) < 200, "{id}: {}", share(&before, id));
    }
    list[2].up = false;
    let after: Vec<NodeId> = (0..10_000).map(|n| first(&list, n)).collect();
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || before.as_str() == "c");
    }
    assert!(share(&after, "a").abs_diff(2500) < 200, "{}", share(&after, "a"));
}

#[test]
fn logarithms_of_known_numbers() {
    let unit = 1_u128 << 32;
    for (hash, expected) in
        [(u64::MAX, 0), (u64::MAX >> 1, unit), (0, 64 * unit), ((3 << 62) - 1, 1_782_572_487)]
    {
        assert!(minus_log2(hash).abs_diff(expected) <= 2, "{hash}: {}", minus_log2(hash));
    }
}

#[test]
fn a_node_that_comes_back_gets_its_own_viewers_back_step_by_step() {
    let well = nodes("a b c");
    let mut list = well.clone();
    back(&mut list, "a", 0);
    let first = |list: &[Node], n, now| {
        Choice::new(list, &Region::default(), now).order(&viewer(n)).into_iter().next().unwrap()
    };
    let at_a = |ms| {
        let now = NOW.plus_ms(ms);
        let mut at_a = Vec::new();
        for n in 0..10_000 {
            match (first(&list, n, now).as_str(), first(&well, n, now).as_str()) {
                ("a", "a") => at_a.push(n),
                ("a", other) => panic!("viewer {n} belongs to {other}"),
                (_, "a") => {}
                (now, all_well) => assert_eq!(now, all_well, "viewer {n} has no reason to move"),
            }
        }
        at_a
    };
    let mut before = Vec::new();
    for (ms, expected) in [(5_000, 0), (12_000, 33), (18_000, 167), (24_000, 833), (30_000, 3333)] {
        let now = at_a(ms);
        assert!(now.len().abs_diff(expected) <= 10 + expected / 8, "{ms}: {} of {expected}", now.len());
        assert!(before.iter().all(|n| now.contains(n)), "who came back stays");
        before = now;
    }
}

#[test]
fn a_pathway_has_one_text_for_all_and_one_for_those_who_try_it() {
    let mut list = nodes("a b c");
    for (ms, tried) in [(5_000, 0), (12_000, 10), (18_000, 50), (24_000, 250), (30_000, 1000)] {
        back(&mut list, "a", ms);
        let texts = |own: &str| {
            (0..1000).map(|n| text(pathway(&list, &own.parse().unwrap(), n).unwrap())).collect::<Vec<_>>()
        };
        let at_a = texts("a");
        let first = at_a.iter().filter(|text| *text == "a b c").count();
        assert!(first.abs_diff(tried) <= tried / 3, "{ms}: {first}");
        assert!(at_a.iter().all(|text| text == "a b c" || text == "b c a"), "{ms}: {at_a:?}");
        let others = ["b", "c"].map(texts).concat();
        let whole = tried == 1000;
        assert!(others.iter().all(|text| text
            == if text.starts_with('b') {
                if whole { "b a c" } else { "b c a" }
            } else if whole {
                "c a b"
            } else {
                "c b a"
            }));
    }
}

#[test]
fn there_is_always_a_node_and_never_all_at_an_unproven_one() {
    let mut list = nodes("a b");
    back(&mut list, "a", 12_000);
    // The other one is slow, drained, or gone.
    for (other, first) in [("a b~", "b"), ("a b0", "b"), ("a B", "a")] {
        let mut list = nodes(other);
        back(&mut list, "a", 12_000);
        let most = (0..1000).filter(|n| order(&list, *n)[0].as_str() == first).count();
        assert!(most > 950, "{other}: {most}");
        assert_eq!(text(pathway(&list, &first.parse().unwrap(), 1).unwrap())[..1], *first);
    }
    // Both are coming back: the one that is further.
    back(&mut list, "b", 18_000);
    assert!((0..1000).filter(|n| order(&list, *n)[0].as_str() == "b").count() > 950);
}

#[test]
fn of_nodes_that_are_as_good_the_cheapest_serve() {
    let mut list = nodes("a b c d");
    for (node, price) in list.iter_mut().zip([5_000, 3_000, 3_000, 9_000]) {
        node.price_micros_per_gb = price;
    }
    let mut firsts = BTreeSet::new();
    for n in 0..100 {
        let order = text(order(&list, n));
        assert!(order.ends_with("a d"), "{order}");
        firsts.insert(order[..1].to_string());
    }
    assert_eq!(firsts.into_iter().collect::<String>(), "bc");
    // Whoever is on a pathway stays there; whoever has to leave goes where it is cheap.
    assert_eq!(text(pathway(&list, &"d".parse().unwrap(), 1).unwrap()), "d b c a");
    list[1].up = false;
    list[2].up = false;
    assert!((0..100).all(|n| text(order(&list, n)).starts_with("a d")));
}

/// Nodes and a region in whatever state, and so many milliseconds.
fn anything() -> impl Strategy<Value = (Vec<Node>, Region, UtcMs)> {
    let node = (
        any::<bool>(),
        prop_oneof![Just(0_u16), Just(100)],
        proptest::option::of((0_u64..60_000, 0_u8..4)),
        0_u32..3,
    );
    let vote = (0_u8..6, 0_usize..4, any::<bool>(), 0_u64..4_000);
    let votes = proptest::collection::vec(vote, 0..200);
    (proptest::collection::vec(node, 1..5), votes, 0_u64..60_000).prop_map(|(said, votes, later)| {
        let mut nodes = nodes("a b c d");
        nodes.truncate(said.len());
        for (node, (up, weight, ended, price)) in nodes.iter_mut().zip(said) {
            (node.up, node.weight, node.price_micros_per_gb) = (up, weight, price);
            node.outage = ended.map(|(ago, times)| Outage { ended: Some(UtcMs(NOW.0 - ago)), times });
        }
        let (mut region, mut now) = (Region::default(), NOW);
        for (voter, at, failed, apart) in votes {
            now = now.plus_ms(apart);
            let Some(node) = nodes.get(at) else { continue };
            let voter = PassId::of_email(&format!("{voter}@railbird.test")).unwrap();
            region.handle(
                &voter,
                &[Vote { place: Place::of(node), failed, ttfb_ms: None, doubted: !node.up }],
                now,
            );
        }
        (nodes, region, now.plus_ms(later))
    })
}

proptest! {
    #[test]
    fn whatever_the_state_there_is_an_order_of_all_nodes_and_two_texts_of_a_pathway((nodes, region, now) in anything()) {
        let choice = Choice::new(&nodes, &region, now);
        let all: BTreeSet<NodeId> = nodes.iter().map(|node| node.id.clone()).collect();
        let whole = |order: &[NodeId]| order.len() == all.len() && order.iter().all(|id| all.contains(id));
        for n in 0..20 {
            let order = choice.order(&viewer(n));
            prop_assert!(whole(&order));
            prop_assert_eq!(&Choice::new(&nodes, &region, now).order(&viewer(n)), &order, "asked again");
            let first = nodes.iter().find(|node| node.id == order[0]).unwrap();
            prop_assert!(first.up || nodes.iter().all(|node| !node.up), "one that is down comes first");
            prop_assert!(choice.is_up(&first.id) || !first.up);
        }
        for own in &nodes {
            let texts: BTreeSet<String> = (0..50).map(|n| text(choice.pathway(&own.id, &viewer(n)).unwrap())).collect();
            prop_assert!(texts.len() <= 2);
            prop_assert!((0..50).all(|n| whole(&choice.pathway(&own.id, &viewer(n)).unwrap())));
        }
    }
}
