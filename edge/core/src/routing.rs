//! Which node first: pure functions from what the origin says of its nodes.

use alloc::vec::Vec;

use railbird_core::id::NodeId;
use railbird_core::state::Node;

/// The order of nodes for everyone: those that are up, then those that are down, each in the origin's order.
pub fn order(nodes: &[Node]) -> Vec<NodeId> {
    let (up, down): (Vec<&Node>, Vec<&Node>) = nodes.iter().partition(|node| node.up);
    up.into_iter().chain(down).map(|node| node.id.clone()).collect()
}

/// The order of nodes for a pathway: its own node first if that is up; then as in [`order`]. A node that is down is
/// left for segments that no other has. `None` where there is no such node.
pub fn pathway_order(nodes: &[Node], own: &NodeId) -> Option<Vec<NodeId>> {
    let own = nodes.iter().find(|node| node.id == *own)?;
    let mut order = order(nodes);
    if own.up {
        order.retain(|id| *id != own.id);
        order.insert(0, own.id.clone());
    }
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::{String, ToString};

    fn nodes(text: &str) -> Vec<Node> {
        let node = |name: &str| {
            let id = name.to_lowercase();
            Node::new(id.parse().unwrap(), format!("https://{name}.test"), id == name)
        };
        text.split_whitespace().map(node).collect()
    }

    fn text(order: Vec<NodeId>) -> String {
        order.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Upper case is down.
    #[test]
    fn up_before_down_and_the_own_node_first_if_up() {
        for (list, for_all, own, for_own) in [
            ("a b c", "a b c", "a", "a b c"),
            ("a b c", "a b c", "c", "c a b"),
            ("A b c", "b c a", "a", "b c a"),
            ("A b c", "b c a", "c", "c b a"),
            ("a B C", "a b c", "b", "a b c"),
            ("A B", "a b", "b", "a b"),
            ("a", "a", "a", "a"),
        ] {
            assert_eq!(text(order(&nodes(list))), for_all, "{list}");
            let own = own.parse().unwrap();
            assert_eq!(text(pathway_order(&nodes(list), &own).unwrap()), for_own, "{list}, {own}");
        }
        assert_eq!(pathway_order(&nodes("a b"), &"x".parse().unwrap()), None);
        assert_eq!(order(&[]), []);
    }
}
