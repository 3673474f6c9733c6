//! Turns and highlights, with their times.

use super::*;

/// Side, inning, points, total of each turn.
fn turns(document: &Document) -> Vec<(u8, u32, i32, i32)> {
    let side = |side: Side| if side == Side::First { 0 } else { 1 };
    document.turns.iter().map(|turn| (side(turn.side), turn.inning, turn.points, turn.total)).collect()
}

fn highlights(document: &Document) -> Vec<(Kind, Option<Side>, Option<i32>)> {
    document.highlights.iter().map(|highlight| (highlight.kind, highlight.side, highlight.points)).collect()
}

#[test]
fn a_match_is_a_list_of_turns() {
    let mut scorer = Scorer::new(10, true);
    scorer.innings(&both(&[(1, 2), (6, 0)]));
    scorer.take(points(Side::First, 2)); // played at the moment
    let document = document(&scorer.0);
    assert_eq!(document.check(), Ok(()));
    assert_eq!(turns(&document), [(0, 1, 1, 1), (1, 1, 2, 2), (0, 2, 6, 7), (1, 2, 0, 2), (0, 3, 2, 9)]);
    let last = document.turns.last().unwrap();
    assert_eq!((last.end, last.last), (None, document.entries.last().unwrap().seq));
    // Each begins where the one before ended, and is called by the event after which it begins.
    for pair in document.turns.windows(2) {
        assert_eq!((pair[0].end, pair[0].last), (Some(pair[1].at), pair[1].seq));
    }
    let kinds = [
        (Kind::Lead, Some(Side::Second), None),
        (Kind::Run, Some(Side::First), Some(6)),
        (Kind::Lead, Some(Side::First), None),
    ];
    assert_eq!(highlights(&document), kinds);
    let run = document.highlights[1];
    assert_eq!((run.at, Some(run.end)), (document.turns[2].at, document.turns[2].end));
}

#[test]
fn whoever_catches_up_is_level_and_leads_when_ahead() {
    let mut scorer = Scorer::new(40, true);
    scorer.innings(&both(&[(2, 2), (1, 1), (0, 1)]));
    let (level, lead) = (Kind::Level, Kind::Lead);
    let second = Some(Side::Second);
    assert_eq!(
        highlights(&document(&scorer.0)),
        [(level, second, None), (level, second, None), (lead, second, None)]
    );
}

#[test]
fn a_shootout_and_the_win_are_highlights() {
    let mut scorer = Scorer::new(4, true);
    scorer.innings(&both(&[(4, 4)]));
    scorer.take(shootout(Side::First, 2));
    scorer.take(shootout(Side::Second, 1));
    let document = document(&scorer.0);
    assert_eq!(turns(&document), [(0, 1, 4, 4), (1, 1, 4, 4), (0, 0, 2, 2), (1, 0, 1, 1)]);
    let kinds: Vec<_> = document.highlights.iter().map(|highlight| highlight.kind).collect();
    assert_eq!(kinds, [Kind::Level, Kind::Shootout, Kind::Win]);
    assert_eq!(document.highlights[1].end, document.entries.last().unwrap().at);
    assert_eq!(document.check(), Ok(()));
}

#[test]
fn sets_begin_anew_and_fouls_count_for_the_opponent() {
    let mut scorer =
        Scorer::of(json!({"discipline":"five-pins","target":8,"rules":{"length":{"race_to":2}}}));
    scorer.take(points(Side::First, 4));
    scorer.take(foul(Side::Second, 2));
    scorer.take(points(Side::First, 6)); // the set
    scorer.take(points(Side::Second, 3)); // the next one, begun by the other side
    let document = document(&scorer.0);
    assert_eq!(document.check(), Ok(()));
    assert_eq!(turns(&document), [(0, 1, 4, 4), (1, 1, 0, 0), (0, 2, 6, 12), (1, 1, 3, 3), (0, 1, 0, 0)]);
    assert_eq!(document.turns.iter().map(|turn| turn.given).collect::<Vec<_>>(), [0, 2, 0, 0, 0]);
    assert_eq!(document.turns.iter().map(|turn| turn.unit.unwrap()).collect::<Vec<_>>(), [1, 1, 1, 2, 2]);
    assert_eq!(highlights(&document), [(Kind::Set, Some(Side::First), None)]);
}

#[test]
fn racks_have_no_turns_and_are_highlights() {
    let mut scorer = Scorer::of(json!({"discipline":"nine-ball","rules":{"length":{"race_to":2}}}));
    for winner in [Side::First, Side::Second, Side::First] {
        scorer.take(end_unit(Some(winner)));
    }
    let document = document(&scorer.0);
    assert_eq!(document.turns, []);
    let (first, second) = (Some(Side::First), Some(Side::Second));
    let kinds = [(Kind::Set, first), (Kind::Set, second), (Kind::Set, first), (Kind::Win, first)];
    assert_eq!(highlights(&document), kinds.map(|(kind, side)| (kind, side, None)));
}

#[test]
fn what_was_known_tells_nothing_of_later() {
    let mut scorer = Scorer::new(10, true);
    scorer.innings(&both(&[(1, 2), (6, 0), (3, 1)]));
    let whole = document(&scorer.0);
    assert_eq!(whole.highlights.last().unwrap().kind, Kind::Win);
    let third = whole.turns[2];
    // The third point of the run of six has been made.
    let until = whole.entries.iter().find(|entry| entry.state.sides[0].points == 4).unwrap();
    let known = whole.before(until.at).unwrap();
    assert_eq!(known.check(), Ok(()));
    let now = *known.turns.last().unwrap();
    assert_eq!((now.seq, now.points, now.total, now.end), (third.seq, 3, 4, None));
    assert_eq!((known.turns.len(), known.entries.last().unwrap()), (3, until));
    assert!(known.highlights.iter().all(|highlight| highlight.end <= until.at));
    assert_eq!((known.revision, known.rewritten), (until.seq, 0));
    assert_eq!(whole.before(MediaTime(1)), None, "the match had not begun");
    // As the document was then, but for its revision.
    let mut then = Scorer::default();
    for (position, event) in scorer.0.events() {
        if position.seq <= until.seq {
            assert_eq!(then.0.offer(*position, event.clone(), None), Offer::Accept);
        }
    }
    let then = document(&then.0);
    assert_eq!((known.entries, known.turns, known.highlights), (then.entries, then.turns, then.highlights));
}

#[test]
fn a_window_has_what_is_shown_in_it() {
    let mut scorer = Scorer::new(10, true);
    // An event a second: the first three are over at the fourth.
    scorer.innings(&both(&[(1, 2), (3, 0)]));
    let whole = document(&scorer.0);
    let at = |seq: usize| whole.entries[seq - 1].at;
    let within = whole.within(at(4), at(6)).unwrap();
    assert_eq!(within.check(), Ok(()));
    assert_eq!(within.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(within.turns.iter().map(|turn| turn.seq).collect::<Vec<_>>(), [3]);
    let later = whole.within(MediaTime(at(8).0 + 90), MediaTime(at(8).0 + 180)).unwrap();
    assert_eq!(later.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [8]);
    assert_eq!(whole.within(MediaTime(1), MediaTime(2)), None);
}

#[test]
fn who_asks_for_what_is_new_gets_what_has_changed() {
    let mut scorer = Scorer::new(40, true);
    scorer.innings(&both(&[(1, 2)])); // 6 events with the start
    scorer.take(points(Side::First, 6)); // 7
    let mut new = document(&scorer.0);
    new.keep_after(6);
    assert_eq!((new.entries.len(), new.turns.len(), new.turns[0].seq), (1, 1, 6));
    scorer.take(end_inning(Side::First)); // 8
    let mut new = document(&scorer.0);
    new.keep_after(7);
    assert_eq!(new.turns.iter().map(|turn| (turn.seq, turn.last)).collect::<Vec<_>>(), [(6, 8), (8, 8)]);
    assert_eq!(new.highlights.iter().map(|h| h.kind).collect::<Vec<_>>(), [Kind::Run, Kind::Lead]);
    scorer.take(undo(8)); // 9
    let mut new = document(&scorer.0);
    new.keep_after(8);
    assert_eq!(new, document(&scorer.0), "an undo reaches back");
}
