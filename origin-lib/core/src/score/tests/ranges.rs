//! What playlists say of a match.

use std::collections::BTreeMap;

use super::*;

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
    let mut said: BTreeMap<String, Range> = BTreeMap::new();
    for action in actions {
        scorer.take(action);
        for range in document(&scorer.0).ranges() {
            assert!(range.id.len() == 20 && range.id.bytes().all(|b| b.is_ascii_hexdigit()));
            let before = said.insert(range.id.clone(), range.clone()).unwrap_or_else(|| range.clone());
            assert!(before.end.is_none() || before.end == range.end, "{before:?} {range:?}");
            assert_eq!(Range { end: None, ..before }, Range { end: None, ..range });
        }
    }
    assert!(said.len() > 8, "{}", said.len());
}
