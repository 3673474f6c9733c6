//! Rungs that two origins make, each for itself.

use super::*;

/// What `origin` says of the source's first segments, and of a rung: `x` for what it has, `-` for a gap.
fn with_rung(origin: &str, revision: u64, source: u64, rung: &str) -> ChannelState {
    with_rung_from(origin, revision, 0..source, rung)
}

/// The same of segments that begin later.
fn with_rung_from(origin: &str, revision: u64, source: core::ops::Range<u64>, rung: &str) -> ChannelState {
    let from = source.start;
    let mut state = said(origin, revision, &["a"], source);
    let segments = (from..).zip(rung.chars()).map(|(n, has)| Segment {
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

/// Of each segment that the rung lists, and the source: its start, number, discontinuity sequence and length.
fn told(rendition: &Rendition) -> BTreeMap<MediaTime, (u64, u64, MediaSpan)> {
    let mut sequence = rendition.discontinuity_sequence;
    let of = (rendition.first_msn..).zip(&rendition.segments).enumerate();
    let of = of.map(|(at, (msn, segment))| {
        sequence += u64::from(at > 0 && segment.discontinuity);
        (segment.start, (msn, sequence, segment.duration))
    });
    of.collect()
}

/// That the rung is the source, as far as it goes: the same segments under the same numbers.
fn is_the_source(merged: &Merged) {
    let [source, rung] = &merged.state.renditions[..] else { panic!("{:?}", merged.state.renditions) };
    let (of, all) = (told(rung), told(source));
    // What has left the source's list may leave this one a little later.
    let front = all.keys().next().copied().unwrap_or_default();
    let both = of.iter().filter(|(start, _)| **start >= front);
    let wrong: Vec<_> = both.filter(|(start, told)| all.get(start) != Some(*told)).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{all:?}");
    assert_eq!(rung.target_duration_s, source.target_duration_s);
    let (first, last) = (rung.segments.first().unwrap(), rung.segments.last().unwrap());
    let between = all.keys().filter(|at| (first.start..=last.start).contains(*at)).count();
    let older = of.range(..front).count();
    assert_eq!(between, rung.segments.len() - older, "it leaves something out");
}

#[test]
fn what_an_origin_that_came_later_was_not_there_for_is_waited_for_where_the_other_has_it() {
    // The rung comes late at north, which has all of it; south begins with the sixth segment.
    let north = |revision, source, rung| with_rung("north", revision, source, rung);
    let south = |revision, to, rung| with_rung_from("south", revision, 5..to, rung);
    let merged = pushed([north(1, 6, "xxxx"), south(1, 7, "xx")]);
    assert_eq!(listed(&merged), "xxxx");
    let all = [north(1, 6, "xxxx"), south(1, 7, "xx"), north(2, 7, "xxxxx"), south(2, 8, "xxx")];
    let merged = pushed(all);
    assert_eq!(listed(&merged), "xxxxxxxx");
    is_the_source(&merged);
    // North's encoder is too far behind to be waited for, or north says nothing more.
    let merged = pushed([north(1, 8, "xxxx"), south(1, 9, "xxxx")]);
    assert_eq!(listed(&merged), "xxxx-xxxx");
    let waiting = ChannelState { phase: Phase::Waiting, ..north(2, 6, "xxxx") };
    let merged = pushed([waiting, south(1, 7, "xx")]);
    assert_eq!(listed(&merged), "xxxx-xx");
    is_the_source(&merged);
}

#[test]
fn a_rung_that_one_origin_alone_makes_has_gaps_where_that_was_down() {
    let without = |revision, to| said("south", revision, &["a"], 0..to);
    let mut back = with_rung("north", 2, 8, "xxxxxxxx");
    for rendition in &mut back.renditions {
        rendition.segments.drain(3..5);
        rendition.segments[3].discontinuity = true;
    }
    let merged = pushed([with_rung("north", 1, 3, "xxx"), without(1, 3), without(2, 8), back]);
    assert_eq!(listed(&merged), "xxx--xxx");
    is_the_source(&merged);
    assert!(merged.state.renditions[1].segments.iter().all(|segment| !segment.discontinuity));
}

#[test]
fn a_rung_has_the_numbers_of_the_source_also_where_the_origin_that_makes_it_counts_higher() {
    let mut south = with_rung_from("south", 1, 2..8, "xxxx");
    for rendition in &mut south.renditions {
        (rendition.first_msn, rendition.discontinuity_sequence) = (70_000, 9);
        rendition.target_duration_s = 3;
    }
    let merged = pushed([said("north", 1, &["a"], 0..8), south.clone()]);
    is_the_source(&merged);
    assert_eq!(merged.state.renditions[1].first_msn, 1002);
    // Also where another recording begins before anything is known of the rung.
    let ended = ChannelState { phase: Phase::Ended, ..with_rung("north", 2, 8, "xxxxxxxx") };
    let of = |origin: &str, recording: &str, mut state: ChannelState| {
        (state.origin, state.recording) = (origin.parse().unwrap(), recording.parse().unwrap());
        state
    };
    let next = of("north", "north-2", said("north", 3, &["a"], 20..24));
    let mut other = of("south", "south-2", ChannelState { revision: 2, ..south });
    for rendition in &mut other.renditions {
        rendition.segments.iter_mut().zip(20..).for_each(|(of, n)| of.start = at(n).media());
    }
    let merged = pushed([with_rung("north", 1, 8, "xxxxxxxx"), ended, next, other]);
    is_the_source(&merged);
    assert_eq!(merged.state.renditions[1].segments.len(), 4);
}

#[test]
fn what_the_source_does_not_list_is_none_of_a_rung_and_what_it_lists_is() {
    // South begins amid the thirteenth segment: its first one is what north's ends with.
    let mut south = with_rung_from("south", 1, 12..15, "xxx");
    for rendition in &mut south.renditions {
        let first = &mut rendition.segments[0];
        (first.start, first.duration) = (first.start + MediaSpan::from_ms(1000), MediaSpan::from_ms(1000));
        first.discontinuity = true;
    }
    let north = |revision, source, rung| with_rung("north", revision, source, &"x".repeat(rung));
    let merged = pushed([north(1, 14, 12), south, north(2, 15, 15)]);
    assert_eq!(listed(&merged), "x".repeat(15));
    is_the_source(&merged);
}

#[test]
fn another_encoders_parameters_are_no_discontinuity_of_a_rung_alone() {
    let north = |revision, rung| with_rung("north", revision, 6, rung);
    let south = |revision, rung| {
        let mut state = with_rung("south", revision, 6, rung);
        state.renditions[1].inits = vec!["t/low/init-2.mp4".to_string()];
        state
    };
    // Each lacks what the other has.
    let both = [north(1, "xx"), south(1, "xx"), north(2, "xx-x"), south(2, "xxx-x")];
    let merged = pushed(both.into_iter().chain([north(3, "xx-x-x"), south(3, "xxx-x"), north(4, "xx-x-x")]));
    assert_eq!(listed(&merged), "xxxxxx");
    is_the_source(&merged);
    let inits: Vec<u16> = merged.state.renditions[1].segments.iter().map(|segment| segment.init).collect();
    assert_eq!(inits, [0, 0, 1, 0, 1, 0]);
}

#[test]
fn a_rung_that_was_left_behind_the_window_goes_on_where_that_begins() {
    let without = |revision, from| said("south", revision, &["a"], from..from + 3);
    let merged = pushed([
        with_rung("north", 1, 3, "xxx"),
        without(1, 3),
        without(2, 6),
        with_rung_from("north", 2, 6..9, "-xx"),
    ]);
    assert_eq!(listed(&merged), "-xx");
    is_the_source(&merged);
}

impl Origin {
    /// Takes what the rung has of the world's segment `n`, or that it has nothing. `acked` says which nodes acknowledge it.
    fn make_low(&mut self, world: &World, n: usize, has: bool, acked: u32, now: UtcMs) {
        let (start, duration, ..) = world.segments[n];
        let low = self.rung.clone().unwrap();
        if has {
            // Two encoders.
            let name = format!("t/low/init-{}.mp4", self.name);
            let (codecs, range) = ("avc1.64001f".to_string(), Default::default());
            let (width, height, frame_rate_milli, sound) = (8, 8, 0, None);
            let init = Init { name: name.clone(), codecs, width, height, frame_rate_milli, range, sound };
            self.book.rung_init(&low, init);
            self.book.rung_segment(&low, start, (duration, Default::default()), 500, now);
            for node in (0..self.nodes.len()).filter(|node| acked >> node & 1 == 1) {
                self.book.ack_rung_init(node, &low, &name, now);
                self.book.ack_rung(node, &low, start, now);
            }
        } else {
            self.book.rung_lost(&low, start, now);
        }
        self.snapshot(now);
    }
}

/// By each segment's name: its number, discontinuity sequence and length.
fn numbered(text: &str) -> BTreeMap<String, (u64, u64, String)> {
    let value = |tag: &str| text.lines().find_map(|line| line.strip_prefix(tag)).unwrap().to_string();
    let mut msn: u64 = value("#EXT-X-MEDIA-SEQUENCE:").parse().unwrap();
    let mut sequence: u64 = value("#EXT-X-DISCONTINUITY-SEQUENCE:").parse().unwrap();
    let (mut numbered, mut duration) = (BTreeMap::new(), String::new());
    for line in text.lines() {
        match line {
            // That of the first segment is counted already.
            "#EXT-X-DISCONTINUITY" => sequence += u64::from(!numbered.is_empty()),
            line if line.starts_with("#EXTINF:") => duration = line.to_string(),
            line if !line.starts_with('#') => {
                let name = line.rsplit('/').next().unwrap().to_string();
                numbered.insert(name, (msn, sequence, duration.clone()));
                msn += 1;
            }
            _ => {}
        }
    }
    numbered
}

proptest! {
    /// Two origins of one programme make a rung, each for itself: late, with holes, one dying and coming back without a memory,
    /// their pushes late, doubled and lost. Whatever a viewer reloads of either rendition follows from what it had, and a segment
    /// has the same number, discontinuity sequence and length in both.
    #[test]
    fn whatever_two_origins_say_of_a_rung_it_is_numbered_as_the_source(
        kinds in prop::collection::vec(0_u8..30, 20..70),
        steps in prop::collection::vec((0_u8..14, 0_u32..4, 0_usize..4), 60..400),
        begins in 0_usize..12,
        windows in (1_u32..4, 1_u32..4),
    ) {
        let (world, low_id) = (World::new(&kinds), "low".parse::<RenditionId>().unwrap());
        let mut origins = [
            Origin::with("north", &["a", "b"], windows.0 * 20, 1, Some(low_id.clone())),
            Origin::with("south", &["b", "a"], windows.1 * 20, 1, Some(low_id.clone())),
        ];
        let begins = begins.min(world.segments.len());
        let (mut made, mut low) = ([0, begins], [0, begins]);
        let (mut now, mut kept): (UtcMs, Option<Merged>) = (NOW, None);
        let mut viewers = [Viewer::default(), Viewer::default()];
        for (what, bits, which) in steps {
            now = now.plus_ms(400);
            let (o, late) = (which & 1, which >> 1);
            match what {
                0..=5 => {
                    if let Some(n) = Some(made[o]).filter(|n| *n < world.segments.len()) {
                        origins[o].make(&world, n, bits, now);
                        made[o] += 1;
                    }
                }
                6..=10 => {
                    if let Some(n) = Some(low[o]).filter(|n| *n < made[o]) {
                        origins[o].make_low(&world, n, what < 9, bits | 1, now);
                        low[o] += 1;
                    }
                }
                11 => {
                    origins[o].book.advance(now.plus_ms(6000));
                    origins[o].snapshot(now);
                }
                12 if bits == 0 => {
                    origins[o].restart();
                    made[o] = made[o].max(made[1 - o].saturating_sub(2));
                    low[o] = made[o];
                }
                _ => {}
            }
            let pushes = &origins[o].pushes;
            let push = pushes.len().checked_sub(1 + late).and_then(|at| pushes.get(at)).cloned();
            if let Some(push) = push.filter(|_| what % 3 != 2) {
                for _ in 0..1 + what % 2 {
                    kept = match merge(kept.clone(), push.clone(), now).unwrap() {
                        Outcome::New(merged) | Outcome::Again(merged, _) => Some(merged),
                        Outcome::Old(_) => kept,
                    };
                }
            }
            let Some(merged) = &kept else { continue };
            prop_assert!(merged.state.check().is_ok());
            let order: Vec<_> = merged.state.nodes.iter().map(|node| node.id.clone()).collect();
            let text = |id: &str| {
                playlist::media(&merged.state, &id.parse().unwrap(), &order, playlist::Wanted::default())
            };
            let texts = [text("source"), text("low")];
            for (viewer, text) in viewers.iter_mut().zip(&texts) {
                match text {
                    Some(text) => viewer.reads(text)?,
                    // Nobody was heard of late that makes it: who played it plays another one.
                    None => *viewer = Viewer::default(),
                }
            }
            let [Some(source), Some(rung)] = &texts else { continue };
            let (source, rung) = (numbered(source), numbered(rung));
            for (name, numbers) in &rung {
                // What has left the source's window may still be in the rung's.
                if let Some(of) = source.get(name) {
                    prop_assert_eq!(numbers, of, "{}", name);
                }
            }
            prop_assert!(rung.last_key_value() <= source.last_key_value(), "it is ahead of the source");
        }
    }
}
