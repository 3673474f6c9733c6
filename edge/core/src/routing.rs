//! Which node first: pure functions from what the origins say of the nodes.
//!
//! Viewers are spread over the nodes by weight: each begins with a node of its own, found by weighted rendezvous hashing
//! of its session. So a viewer's order stays the same from one answer to the next, a node that goes down moves its own
//! viewers only, and those spread over the others by weight.

use alloc::vec::Vec;

use railbird_core::id::NodeId;
use railbird_core::state::{Node, NodeProbe};
use sha2::{Digest, Sha256};

/// Whose order it is: a session's token id.
pub type Viewer = [u8; 16];

/// A node behind by more than this, as the origin reads it back, comes after others, in milliseconds: players keep
/// about three segments in hand.
pub const STALENESS_MS_MAX: u32 = 6_000;

/// And so does one whose first byte takes longer than this, in milliseconds: our player gives up a little later.
pub const TTFB_MS_MAX: u32 = 2_000;

/// How good a node is at the moment, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Well,
    /// It answers late, or is behind.
    Slow,
    /// It is being drained: up, with a weight of 0.
    Drained,
    Down,
}

fn rank(node: &Node) -> Rank {
    let late = |probe: NodeProbe| probe.staleness_ms > STALENESS_MS_MAX || probe.ttfb_ms > TTFB_MS_MAX;
    match node {
        Node { up: false, .. } => Rank::Down,
        Node { weight: 0, .. } => Rank::Drained,
        Node { probe, .. } if probe.is_some_and(late) => Rank::Slow,
        _ => Rank::Well,
    }
}

/// The order of nodes for a viewer: the best rank first, each rank by the viewer's draw. No node is left out.
pub fn order(nodes: &[Node], viewer: &Viewer) -> Vec<NodeId> {
    let mut order: Vec<(Rank, u128, &NodeId)> =
        nodes.iter().map(|node| (rank(node), draw(node, viewer), &node.id)).collect();
    order.sort();
    order.into_iter().map(|(_, _, id)| id.clone()).collect()
}

/// The order of nodes for a pathway, the same for all viewers: its own node first unless others are better; then by rank,
/// each in the origin's order. A node that is down is left for segments that no other has. `None` where there is no such
/// node.
pub fn pathway_order(nodes: &[Node], own: &NodeId) -> Option<Vec<NodeId>> {
    let own = nodes.iter().find(|node| node.id == *own)?;
    let own_first = |node: &Node| node.id != own.id && rank(own) != Rank::Down;
    let mut order: Vec<&Node> = nodes.iter().collect();
    order.sort_by_key(|node| (rank(node), own_first(node)));
    Some(order.into_iter().map(|node| node.id.clone()).collect())
}

/// Exponentially distributed with the weight as its rate, so that the least draw falls on each node in proportion to its
/// weight: -log2(hash) / weight. In integers, since all hosts must agree.
fn draw(node: &Node, viewer: &Viewer) -> u128 {
    let mut hash = Sha256::new();
    hash.update(viewer);
    hash.update(node.id.as_str().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let hash = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    (minus_log2(hash) << 32) / u128::from(node.weight.max(1))
}

/// -log2((hash + 1) / 2^64), in 2^-32.
fn minus_log2(hash: u64) -> u128 {
    let number = u128::from(hash) + 1;
    let whole = number.ilog2();
    // The mantissa, between 1 and 2, in 2^-63: squared once for each bit of the logarithm's fraction.
    let mut mantissa = number << (64 - whole) >> 1;
    let mut log2 = u128::from(whole) << 32;
    for bit in (0..32).rev() {
        mantissa = (mantissa * mantissa) >> 63;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            log2 |= 1 << bit;
        }
    }
    (64_u128 << 32).saturating_sub(log2)
}

#[cfg(test)]
mod tests {
    use super::*;
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
            assert_eq!(text(pathway_order(&nodes(list), &own).unwrap()), expected, "{list}, {own}");
        }
        assert_eq!(pathway_order(&nodes("a b"), &"x".parse().unwrap()), None);
    }

    #[test]
    fn no_node_is_left_out_and_the_worse_come_last() {
        let list = nodes("A b0 c~ d e");
        for n in 0..100 {
            let order = text(order(&list, &viewer(n)));
            assert!(order == "d e c b a" || order == "e d c b a", "{order}");
        }
        assert_eq!(order(&[], &viewer(0)), []);
    }

    #[test]
    fn viewers_are_spread_by_weight_and_only_those_of_a_lost_node_move() {
        let mut list = nodes("a b c");
        list[0].weight = 100;
        list[1].weight = 300;
        list[2].weight = 600;
        let first = |list: &[Node], n| order(list, &viewer(n))[0].clone();
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
}
