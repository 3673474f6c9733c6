//! What playlists say of a match.

use std::collections::BTreeMap;

use super::*;
use crate::id::MatchId;

fn shown(document: &Document) -> Vec<(Class, Option<u32>, Option<i32>, bool)> {
    let ranges = document.ranges();
    assert!(ranges.is_sorted_by_key(|range| range.start));
    assert!(ranges.iter().all(|range| range.end.is_none_or(|end| range.start <= end)));
    ranges.iter().map(|range| (range.class, range.number, range.points, range.end.is_some())).collect()
}

#[test]
fn a_match_its_innings_and_its_runs() {
    let mut scorer = Scorer::new(10, true);
    scorer.innings(&both(&[(1, 2), (6, 0)]));
    let of = |number, points| (Class::Inning, Some(number), Some(points), true);
    let innings = [of(1, 1), of(1, 2), of(2, 6)];
    let expected = [
        (Class::Match, None, None, false),
        innings[0],
        innings[1],
        innings[2],
        (Class::Run, None, Some(6), true),
        of(2, 0),
    ];
    assert_eq!(shown(&document(&scorer.0)), expected);
    assert_eq!(document(&scorer.0).ranges()[1].title, "Torbjörn Blomdahl");
    scorer.innings(&both(&[(3, 0)]));
    assert_eq!(shown(&document(&scorer.0))[0], (Class::Match, None, None, true), "it is over");
}

#[test]
fn sets_follow_one_another() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion-sets","target":3}));
    scorer.take_at(10_000, points(Side::First, 3));
    let units = |scorer: &Scorer| -> Vec<(Option<u32>, u64, Option<u64>)> {
        let ranges = document(&scorer.0).ranges();
        let units = ranges.iter().filter(|range| range.class == Class::Unit);
        // Shown a second earlier than they occurred.
        let ms = |at: MediaTime| at.0 / 90 + 1000 - T0;
        units.map(|range| (range.number, ms(range.start), range.end.map(ms))).collect()
    };
    assert_eq!(units(&scorer), [(Some(1), 1000, Some(10_000))], "the next one has not begun");
    scorer.take_at(20_000, end_inning(Side::Second));
    assert_eq!(units(&scorer), [(Some(1), 1000, Some(10_000)), (Some(2), 20_000, None)]);
}

#[test]
fn a_name_keeps_what_it_says() {
    // Every prefix of a log with mistakes in it: whatever a name said once, it says for ever, but for an end.
    let mut scorer = Scorer::new(6, true);
    let actions = [
        points(Side::First, 3),
        end_inning(Side::First),
        points(Side::Second, 5),
        correct(4, points(Side::Second, 4)),
        end_inning(Side::Second),
        undo(6),
        end_inning(Side::Second),
        points(Side::First, 3),
        end_inning(Side::Second),
        undo(10),
        points(Side::Second, 1),
        end_inning(Side::Second),
    ];
    let mut said = Said::default();
    for action in actions {
        scorer.take(action);
        said.hear(&document(&scorer.0));
    }
    assert!(said.0.len() > 8, "{}", said.0.len());
}

/// What each name said.
#[derive(Default)]
struct Said(BTreeMap<String, Range>);

impl Said {
    /// A document as it was when the last of its entries was shown.
    #[track_caller]
    fn hear(&mut self, document: &Document) {
        let now = document.entries.last().unwrap().at;
        for range in document.ranges().iter().filter_map(|range| range.before(now)) {
            assert!((20..=40).contains(&range.id.len()) && range.id.bytes().all(|b| b.is_ascii_hexdigit()));
            let before = self.0.insert(range.id.clone(), range.clone()).unwrap_or_else(|| range.clone());
            assert!(before.end.is_none() || before.end == range.end, "{before:?} {range:?}");
            assert_eq!(Range { end: None, ..before }, Range { end: None, ..range });
        }
    }
}

#[test]
fn what_the_next_match_ends_has_another_name_from_there_on() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion-sets","target":3}));
    scorer.take_at(10_000, points(Side::First, 3));
    scorer.take_at(20_000, end_inning(Side::Second));
    scorer.take_at(30_000, points(Side::First, 1));
    scorer.take(undo(4));
    let at = |ms: u64| UtcMs(T0 + ms - 1000).media();
    let next = |name: &str| name.parse::<MatchId>().unwrap();
    let open = document(&scorer.0).ranges();
    scorer.take_at(45_000, end(Some(Side::First)));
    let over = document(&scorer.0).ranges();
    let left = |ranges: &[Range], name: &str, ms| -> Vec<Range> {
        ranges.iter().map(|range| range.clone().left(&next(name), at(ms))).collect()
    };
    let mut told: BTreeMap<String, Option<MediaTime>> = BTreeMap::new();
    // The next match begins, its start is undone, another one begins at the same moment, and later; then the first one's own end
    // comes, and a next one that began before it.
    let all = [
        open.clone(),
        left(&open, "second", 40_000),
        open.clone(),
        left(&open, "third", 40_000),
        left(&open, "third", 42_000),
        over.clone(),
        left(&over, "third", 42_000),
        left(&over, "fourth", 50_000),
    ];
    for ranges in &all {
        for horizon in [35_000, 60_000] {
            for range in ranges.iter().filter_map(|range| range.before(at(horizon))) {
                assert!((20..=40).contains(&range.id.len()), "{}", range.id);
                let kept = told.entry(range.id.clone()).or_default();
                assert!(kept.is_none_or(|kept| horizon == 35_000 || Some(kept) == range.end), "{range:?}");
                *kept = kept.or(range.end);
            }
        }
    }
    let names = |ranges: &[Range], ms| -> Vec<String> {
        ranges.iter().filter_map(|range| range.before(at(ms))).map(|range| range.id).collect()
    };
    assert_eq!(names(&all[0], 39_999), names(&all[1], 39_999), "nothing is told of it before");
    assert_eq!(names(&all[5], 60_000), names(&all[7], 60_000), "who is over was not left");
    assert_eq!(all[1].iter().filter(|range| range.left_for.is_some()).count(), 2, "the match and its set");
}

#[test]
fn a_calibration_gives_other_names_to_what_it_moves_and_once() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion-sets","target":3}));
    scorer.take_at(10_000, points(Side::First, 3));
    scorer.take_at(20_000, end_inning(Side::Second));
    let of = |log: &Log, offsets: &Offsets| {
        let ids = ("table-1".parse().unwrap(), "final".parse().unwrap());
        log.document(ids.0, ids.1, 7, UtcMs(T0), ENTRIES_MAX, offsets).unwrap()
    };
    let names = |document: &Document| document.ranges().into_iter().map(|range| range.id).collect::<Vec<_>>();
    let mut said = Said::default();
    let mut offsets = Offsets::from(-1000);
    said.hear(&of(&scorer.0, &offsets));
    // From a moment within the first set on: where the set and the match begin stays, and where the set ended does not.
    offsets.delay_from(UtcMs(T0 + 5_000), 700);
    let calibrated = of(&scorer.0, &offsets);
    said.hear(&calibrated);
    // Who has entries already is to get them anew with the next event: that changes no name.
    let again = Document { rewritten: 3, ..calibrated.clone() };
    assert_eq!(names(&again), names(&calibrated));
    scorer.take_at(30_000, points(Side::First, 1));
    let next = of(&scorer.0, &offsets);
    said.hear(&next);
    assert!(names(&calibrated).iter().all(|name| names(&next).contains(name)));
}

#[test]
fn however_long_a_match_gets_no_name_is_lost() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion","target":40}));
    let mut names: Vec<String> = Vec::new();
    for n in 1..=TURNS_MAX as u64 + 20 {
        scorer.take_at(1_000 * n, end_inning(if n % 2 == 1 { Side::First } else { Side::Second }));
        if ![TURNS_MAX as u64 - 1, TURNS_MAX as u64, TURNS_MAX as u64 + 20].contains(&n) {
            continue;
        }
        let now = document(&scorer.0).ranges().into_iter().map(|range| range.id).collect::<Vec<_>>();
        assert!(now.len() <= TURNS_MAX + 1 && names.iter().all(|name| now.contains(name)), "{n}");
        names = now;
    }
    assert_eq!(names.len(), TURNS_MAX + 1);
}

#[test]
fn a_set_is_known_when_it_has_begun() {
    let mut scorer = Scorer::of(json!({"discipline":"nine-ball","rules":{"length":{"race_to":2}}}));
    scorer.take_at(10_000, end_unit(Some(Side::First)));
    scorer.take_at(20_000, end_unit(Some(Side::Second)));
    let document = document(&scorer.0);
    let units = |ms: u64| {
        let horizon = UtcMs(T0 + ms - 1000).media();
        let told =
            document.ranges().into_iter().filter_map(|range| range.before(horizon)).collect::<Vec<_>>();
        told.iter()
            .filter(|range| range.class == Class::Unit)
            .map(|range| range.end.is_some())
            .collect::<Vec<_>>()
    };
    // Nobody who has seen the first rack only is told that there was another one.
    assert_eq!([9_999, 10_000, 19_999].map(units), [vec![false], vec![true], vec![true]]);
    assert_eq!(units(20_000), [true, true]);
}
