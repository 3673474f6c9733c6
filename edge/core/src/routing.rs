//! Which node first: pure functions from what the origins say of the nodes, and what a region's viewers find.
//!
//! Viewers are spread over the nodes by weight: each begins with a node of its own, found by weighted rendezvous hashing
//! of its session. So a viewer's order stays the same from one answer to the next, a node that goes down moves its own
//! viewers only, and those spread over the others by weight. A node that comes back gets its own viewers back, first few,
//! then all: no viewer is sent to it that would not be its own if all were well.

use alloc::vec::Vec;
use core::cmp::Reverse;

use railbird_core::id::NodeId;
use railbird_core::state::Node;
use railbird_core::time::UtcMs;
use sha2::{Digest, Sha256};

use crate::health::breaker::WHOLE;
use crate::health::{Region, Standing};

/// Whose order it is: a session's token id.
pub type Viewer = [u8; 16];

/// So many viewers in a hundred use a node as if others did not serve their region better, so that it is known when they no
/// longer do.
const EXPLORERS_PERCENT: u8 = 1;

/// How good a node is at the moment, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Well,
    /// It answers late, or is behind.
    Slow,
    /// It is being drained: up, with a weight of 0.
    Drained,
    /// It may be well again, and has not shown it yet: for others than those who try it, the more of them the better.
    Unproven(Reverse<u8>),
    /// Viewers failed there: the one that did not fail for longest is the least bad.
    Open(u64),
    Down,
}

/// The nodes of a channel as the viewers of one region may use them at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    nodes: Vec<(&'a Node, Standing)>,
}

/// A node for somebody: what orders it before others.
struct Seat<'a> {
    node: &'a Node,
    rank: Rank,
    /// Others serve the region better.
    worse: bool,
}

impl<'a> Choice<'a> {
    /// From what the origins say of the nodes and what the viewers of a region find.
    pub fn new(nodes: &'a [Node], region: &Region, now: UtcMs) -> Choice<'a> {
        Choice { nodes: nodes.iter().map(|node| (node, region.standing(node, now))).collect() }
    }

    /// The order of nodes for a viewer: the best rank first; of those that serve the region well, the cheapest; each by
    /// the viewer's draw. No node is left out.
    pub fn order(&self, viewer: &Viewer) -> Vec<NodeId> {
        let tries = |node: &Node, standing| is_tried_by(node, standing, viewer);
        let explores = |node: &Node| is_among(node, viewer, u64::MAX, EXPLORERS_PERCENT);
        let mut seats = self.seats(tries, explores);
        seats.sort_by_cached_key(|seat| {
            let price = seat.node.price_micros_per_gb;
            (seat.rank, seat.worse, price, draw(seat.node, viewer), seat.node.id.clone())
        });
        seats.into_iter().map(|seat| seat.node.id.clone()).collect()
    }

    /// The order of nodes for a viewer's pathway, the same for all viewers of the region, but for those who try its own
    /// node: its own node first unless others are better; then by rank, each in the origin's order. A node that is down is
    /// left for segments that no other has. `None` where there is no such node.
    pub fn pathway(&self, own: &NodeId, viewer: &Viewer) -> Option<Vec<NodeId>> {
        let is_own = |node: &Node| node.id == *own;
        let tries = |node: &Node, standing| is_own(node) && is_tried_by(node, standing, viewer);
        let mut seats = self.seats(tries, |_| false);
        let is_down = seats.iter().find(|seat| is_own(seat.node))?.rank == Rank::Down;
        // Whoever is on a pathway is there by an order of its own: what is dearer or further off is no reason to leave it.
        seats.sort_by_key(|seat| {
            let other = is_down || !is_own(seat.node);
            (seat.rank, other, seat.worse, seat.node.price_micros_per_gb)
        });
        Some(seats.into_iter().map(|seat| seat.node.id.clone()).collect())
    }

    /// Whether a node is believed in: it is up, and its viewers are not kept from it, unless they are from all.
    pub fn is_up(&self, node: &NodeId) -> bool {
        let serves = |(node, standing): &(&Node, Standing)| node.up && standing.share > 0;
        let any = self.nodes.iter().any(serves);
        let known = self.nodes.iter().find(|(known, _)| known.id == *node);
        known.is_some_and(|known| if any { serves(known) } else { known.0.up })
    }

    /// The nodes with their ranks, in their own order. `explores` says whether somebody uses a node in spite of better
    /// ones.
    fn seats(
        &self,
        tries: impl Fn(&Node, Standing) -> bool,
        explores: impl Fn(&Node) -> bool,
    ) -> Vec<Seat<'a>> {
        let seat = |(node, standing): &(&'a Node, Standing)| {
            let rank = rank(node, *standing, tries(node, *standing));
            Seat { node, rank, worse: standing.worse && !explores(node) }
        };
        self.nodes.iter().map(seat).collect()
    }
}

/// A node's rank for somebody who is, or is not, among those who try it.
fn rank(node: &Node, standing: Standing, tries: bool) -> Rank {
    match standing {
        _ if !node.up => Rank::Down,
        Standing { share: 0, blamed, .. } => Rank::Open(blamed),
        Standing { share, .. } if share < WHOLE && !tries => Rank::Unproven(Reverse(share)),
        _ if node.weight == 0 => Rank::Drained,
        _ if !node.is_well() => Rank::Slow,
        _ => Rank::Well,
    }
}

/// Whether a viewer is among those who try a node that is coming back. In good standing, all do.
fn is_tried_by(node: &Node, standing: Standing, viewer: &Viewer) -> bool {
    standing.share == WHOLE || is_among(node, viewer, standing.salt, standing.share)
}

/// Whether a viewer is in a share of a node's viewers. A larger share has all of a smaller one.
fn is_among(node: &Node, viewer: &Viewer, salt: u64, percent: u8) -> bool {
    hash(&[b"share", &salt.to_be_bytes(), viewer, node.id.as_str().as_bytes()]) % 100 < u64::from(percent)
}

/// Exponentially distributed with the weight as its rate, so that the least draw falls on each node in proportion to its
/// weight: -log2(hash) / weight. In integers, since all hosts must agree.
fn draw(node: &Node, viewer: &Viewer) -> u128 {
    let hash = hash(&[viewer, node.id.as_str().as_bytes()]);
    (minus_log2(hash) << 32) / u128::from(node.weight.max(1))
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
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
mod tests;
