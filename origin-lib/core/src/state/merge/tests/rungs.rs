//! Rungs that two origins make, each for itself.

use super::*;

/// What `origin` says of the source's first segments, and of a rung: `x` for what it has, `-` for a gap.
fn with_rung(origin: &str, revision: u64, source: u64, rung: &str) -> ChannelState {
    let mut state = said(origin, revision, &["a"], 0..source);
    let segments = (0..).zip(rung.chars()).map(|(n, has)| Segment {
        gap: has == '-',
        on: u32::from(has == 'x'),
        ..segment(n, 0)
    });
    let of = state.renditions[0].clone();
    state.renditions.push(Rendition {
        id: "low".parse().unwrap(),
        inits: vec!["t/low/init-1.mp4".to_string()],
        segments: segments.collect(),
        ..of
    });
    state
}

fn listed(merged: &Merged) -> String {
    let rung = &merged.state.renditions[1];
    assert_eq!(rung.first_msn, merged.state.renditions[0].first_msn);
    rung.segments.iter().map(|segment| if segment.gap { '-' } else { 'x' }).collect()
}

#[test]
fn what_one_origin_lacks_of_a_rung_and_the_other_has_is_listed_whoever_speaks_first() {
    // The ffmpeg of north has died: each of its segments is a gap as soon as the source has it.
    let north = |revision, rung| with_rung("north", revision, 6, rung);
    let south = |revision, rung| with_rung("south", revision, 6, rung);
    let merged =
        pushed([south(1, "xx"), north(1, "xx"), north(2, "xx--"), south(2, "xxx"), north(3, "xx---")]);
    assert_eq!(listed(&merged), "xxx", "south may have the fourth soon");
    let merged = pushed([
        south(1, "xx"),
        north(1, "xx"),
        north(2, "xx--"),
        south(2, "xxxx"),
        north(3, "xx----"),
        south(3, "xxxxxx"),
    ]);
    assert_eq!(listed(&merged), "xxxxxx");
    // Each lacks what the other has, and both lack one.
    let merged = pushed([
        north(1, "x"),
        south(1, "x"),
        north(2, "x-x-"),
        south(2, "xx--"),
        north(3, "x-x-x"),
        south(3, "xx--x"),
    ]);
    assert_eq!(listed(&merged), "xxx-x");
}

#[test]
fn a_gap_of_a_rung_waits_for_no_origin_that_makes_none_has_no_feed_or_is_far_behind() {
    let dead = with_rung("north", 2, 5, "xx---");
    assert_eq!(listed(&pushed([with_rung("north", 1, 2, "xx"), dead.clone()])), "xx---", "it is alone");
    let without = said("south", 1, &["a"], 0..5);
    assert_eq!(listed(&pushed([without, dead.clone()])), "xx---");
    let waiting = ChannelState { phase: Phase::Waiting, ..with_rung("south", 1, 2, "xx") };
    assert_eq!(listed(&pushed([waiting, dead.clone()])), "xx---");
    let live = with_rung("south", 1, 2, "xx");
    assert_eq!(listed(&pushed([live.clone(), dead])), "xx");
    let far = with_rung("north", 2, 9, "xx-------");
    assert_eq!(listed(&pushed([live.clone(), far])), "xx---", "four segments are waited for");
    let ended = ChannelState { phase: Phase::Ended, ..with_rung("north", 2, 5, "xx---") };
    assert_eq!(listed(&pushed([live, ended])), "xx---", "nothing more comes");
}

#[test]
fn an_end_that_an_origin_tells_without_the_rung_does_not_cut_it_short_and_it_ends_where_the_source_does() {
    let south = |revision, source, rung| with_rung("south", revision, source, rung);
    // The ffmpeg of north never ran.
    let north = |revision, phase| ChannelState { phase, ..said("north", revision, &["a"], 0..5) };
    let live = [south(1, 5, "xxx"), north(1, Phase::Live), north(2, Phase::Ended)];
    let merged = pushed(live.clone());
    assert_eq!((merged.state.phase, &*listed(&merged)), (Phase::Ended, "xxx"));
    let merged = pushed(live.clone().into_iter().chain([south(2, 7, "xxx-")]));
    assert_eq!(listed(&merged), "xxx-");
    let late = [south(2, 7, "xxx-"), south(3, 7, "xxx-xxx"), south(4, 8, "xxx-xxxx")];
    let merged = pushed(live.into_iter().chain(late));
    assert_eq!((merged.state.phase, &*listed(&merged)), (Phase::Ended, "xxx-x"), "nothing behind the end");
    assert_eq!(numbers(&merged), [0, 1, 2, 3, 4]);
}

#[test]
fn what_comes_behind_a_gap_that_is_listed_does_not_wait_for_it() {
    let far = with_rung("north", 2, 7, "x------");
    let late = with_rung("south", 2, 7, "xxxx");
    let merged = pushed([with_rung("south", 1, 1, "x"), far, late, with_rung("north", 3, 8, "x------x")]);
    assert_eq!(listed(&merged), "x--x", "what was listed stays, and south may have what follows");
    let merged = pushed([
        with_rung("south", 1, 1, "x"),
        with_rung("north", 2, 6, "x-----"),
        with_rung("south", 2, 4, "xx"),
        with_rung("north", 3, 6, "x-xxxx"),
    ]);
    assert_eq!(listed(&merged), "x-xxxx");
}
