//! What viewers are shown when.

use super::*;

#[test]
fn the_document_has_the_agreed_shape() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 3));
    let document = document(&scorer.0);
    assert_eq!(document.check(), Ok(()));
    let none = json!({"points":0,"run":0,"high_run":0,"innings":0,"average_milli":0,"shootout":null});
    let first = |points: u32| json!({"points":points,"run":points,"high_run":points,"innings":1,"average_milli":points * 1000,"shootout":null});
    let state = |side: serde_json::Value| json!({"phase":"playing","inning":1,"at_table":0,"winner":null,"sides":[side, none]});
    let json = json!({
        "channel":"table-1", "match":"final", "revision":7, "updated":T0, "title":"World Cup final",
        "discipline":"three-cushion", "target":40,
        "timing":Offsets::from(-1000).number(), "sides":[{"name":"Torbjörn Blomdahl","country":"SE"},{"name":"Dick Jaspers","country":"NL"}],
        "entries":[
            {"seq":1, "at":T0 * 90, "pdt":"2026-11-20T10:52:00.000Z", "state":state(first(0))},
            {"seq":2, "at":(T0 + 1000) * 90, "pdt":"2026-11-20T10:52:01.000Z", "state":state(first(3))},
        ],
        "turns":[{"seq":1, "last":2, "at":T0 * 90, "inning":1, "side":0, "points":3, "total":3}],
    });
    assert_eq!(serde_json::to_value(&document).unwrap(), json);
    assert_eq!(serde_json::from_value::<Document>(json).unwrap(), document);
}

#[test]
fn the_document_forgets_what_was_undone() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 2)); // 2
    scorer.take(points(Side::First, 5)); // 3
    scorer.take(end_inning(Side::First)); // 4
    scorer.take(undo(3)); // 5
    let shown = |log: &Log| {
        document(log).entries.iter().map(|e| (e.seq, e.state.sides[0].points)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&scorer.0), [(1, 0), (2, 2), (4, 2), (5, 2)]);
    assert_eq!(document(&scorer.0).rewritten, 5);
    scorer.take(undo(5)); // 6: an undone undo is forgotten too
    assert_eq!(shown(&scorer.0), [(1, 0), (2, 2), (3, 7), (4, 7), (6, 7)]);
    assert_eq!(document(&scorer.0).rewritten, 6);
    let ids = || ("table-1".parse().unwrap(), "final".parse().unwrap());
    assert_eq!(Log::new().document(ids().0, ids().1, 1, UtcMs(1), ENTRIES_MAX, &Offsets::from(0)), None);
}

#[test]
fn the_document_is_as_if_a_correction_had_been_sent_at_first() {
    let mut scorer = Scorer::new(40, true);
    scorer.take_all([points(Side::First, 2), end_inning(Side::First)]);
    scorer.take(correct(2, points(Side::First, 3)));
    let document = document(&scorer.0);
    let shown: Vec<_> = document.entries.iter().map(|e| (e.seq, e.state.sides[0].points)).collect();
    assert_eq!((shown, document.rewritten), (vec![(1, 0), (2, 3), (3, 3), (4, 3)], 4));
}

#[test]
fn sets_that_are_over_are_listed_with_their_times() {
    let mut scorer = Scorer::of(json!({"discipline":"three-cushion-sets","target":3}));
    scorer.take_at(10_000, points(Side::First, 3)); // 2
    scorer.take_at(20_000, end_inning(Side::Second)); // 3
    scorer.take_at(30_000, points(Side::First, 3)); // 4
    scorer.take_at(40_000, points(Side::First, 1)); // 5
    let expected = json!([
        {"at":(T0 + 9_000) * 90,"winner":0,"points":[3, 0],"innings":[1, 0]},
        {"at":(T0 + 29_000) * 90,"winner":0,"points":[3, 0],"innings":[1, 1]},
    ]);
    let json = serde_json::to_value(document(&scorer.0)).unwrap();
    assert_eq!(json["units"], expected);
    assert_eq!((&json["unit"], &json["length"]), (&json!("set"), &json!({"best_of":7})));
    assert_eq!(serde_json::from_value::<Document>(json).unwrap(), document(&scorer.0));
    // A set that was ended wrongly never was.
    scorer.take(undo(5));
    scorer.take(correct(4, points(Side::First, 1)));
    assert_eq!(document(&scorer.0).units.len(), 1);
}

#[test]
fn what_is_shown_never_goes_back_in_time() {
    let mut log = Log::new();
    for (seq, occurred) in [(1, 5000), (2, 3000), (3, 6000), (4, 5999)] {
        let action = if seq == 1 { start_of(40, true, Side::First) } else { points(Side::First, 1) };
        let event = Event { occurred: UtcMs(occurred), entered: None, scorer: None, action, state: None };
        assert_eq!(log.offer(Position { epoch: 1, seq }, event, None), Offer::Accept);
    }
    let at: Vec<u64> = document(&log).entries.iter().map(|e| e.at.0 / 90).collect();
    assert_eq!(at, [4000, 4000, 5000, 5000]);
    assert_eq!(document(&log).check(), Ok(()));
}

#[test]
fn of_two_scorers_each_is_late_in_its_own_way() {
    let mut log = Log::new();
    for (seq, occurred, scorer) in [(1, 5000, None), (2, 7200, Some("ann")), (3, 6500, Some("eve"))] {
        let action = if seq == 1 { start_of(40, true, Side::First) } else { points(Side::First, 1) };
        let scorer = scorer.map(Into::into);
        let event = Event { occurred: UtcMs(occurred), entered: None, scorer, action, state: None };
        assert_eq!(log.offer(Position { epoch: 1, seq }, event, None), Offer::Accept);
    }
    let offsets = Offsets::new(300, -100, [("ann".into(), -1200)].into());
    let ids = ("table-1".parse().unwrap(), "final".parse().unwrap());
    let document = log.document(ids.0, ids.1, 7, UtcMs(T0), ENTRIES_MAX, &offsets).unwrap();
    let at: Vec<u64> = document.entries.iter().map(|e| e.at.0 / 90).collect();
    assert_eq!(at, [5200, 6300, 6700]);
}

#[test]
fn a_start_that_is_undone_is_taken_away_from_whoever_was_shown_it() {
    let mut scorer = Scorer::new(40, true);
    let withdrawn = |log: &Log| {
        let ids = ("table-1".parse().unwrap(), "final".parse().unwrap());
        log.withdrawn(ids.0, ids.1, 7, UtcMs(T0), &Offsets::default())
    };
    assert_eq!(withdrawn(&Log::new()), None);
    scorer.take(points(Side::First, 3));
    scorer.take(undo(2));
    assert_eq!(scorer.offer(undo(1)), Offer::Accept);
    assert_eq!((scorer.0.last_played(), scorer.0.state()), (None, None));
    let mut nothing = withdrawn(&scorer.0).unwrap();
    assert_eq!((nothing.check(), nothing.begins(), nothing.last()), (Ok(()), None, 4));
    assert_eq!(nothing.ranges(), []);
    assert_eq!(nothing.within(MediaTime(0), MediaTime(u64::MAX)), None);
    // Whoever has heard of both events, of a score that is no more, gets the word that it is not.
    nothing.keep_after(3);
    assert_eq!((nothing.rewritten, nothing.entries.len()), (4, 0));
    // What is started anew does not go together with what was there before.
    let again = event(5, start_of(30, true, Side::Second));
    assert_eq!(scorer.offer_event(again.clone()), Offer::Accept);
    let anew = document(&scorer.0);
    assert_eq!((anew.rewritten, anew.entries.len(), anew.check()), (4, 1, Ok(())));
    assert_eq!(scorer.0.last_played(), Some(again.occurred));
}

#[test]
fn a_receiver_refuses_documents_out_of_bounds() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 3));
    let good = document(&scorer.0);
    fn unit(at: u64) -> PastUnit {
        let result = UnitResult { winner: None, points: [0; 2], innings: [0; 2] };
        PastUnit { at: MediaTime(at), result }
    }
    type Edit = fn(&mut Document);
    let edits: [(Edit, DocumentError); 16] = [
        (|d| d.title = "a\tb".into(), DocumentError::Text),
        (|d| d.sides[1].name = "x".repeat(101), DocumentError::Text),
        (|d| d.sides[0].country = Some("<b>".into()), DocumentError::Text),
        (|d| d.target = Some(PerSide::Each([40, 0])), DocumentError::Target),
        (|d| d.variant = Some(String::new()), DocumentError::Text),
        (|d| d.length = Some(Length::BestOf(0)), DocumentError::Units),
        (|d| d.units = vec![unit(1); 100], DocumentError::Units),
        (|d| d.units = vec![unit(2), unit(1)], DocumentError::Order),
        (|d| d.entries.clear(), DocumentError::Entries),
        (
            |d| {
                d.rewritten = 3;
                d.units = vec![unit(1)];
                d.entries.clear();
            },
            DocumentError::Entries,
        ),
        (|d| d.entries = vec![d.entries[0].clone(); 5_001], DocumentError::Entries),
        (|d| d.entries.reverse(), DocumentError::Order),
        (|d| d.entries[1].seq = 1, DocumentError::Order),
        (|d| d.entries[0].pdt.push(' '), DocumentError::Order),
        (|d| d.entries[1].at.0 += 90, DocumentError::Order),
        (
            |d| {
                d.entries[1].at = MediaTime(1);
                d.entries[1].pdt = d.entries[1].at.iso8601();
            },
            DocumentError::Order,
        ),
    ];
    for (n, (edit, error)) in edits.into_iter().enumerate() {
        let mut document = good.clone();
        edit(&mut document);
        assert_eq!(document.check(), Err(error), "{n}");
    }
}

#[test]
fn a_score_is_an_id3_tag() {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 3));
    let document = document(&scorer.0);
    let entry = &document.entries[1];
    let tag = document.tag(entry).unwrap();
    assert!(tag.len() <= TAG_LEN_MAX);
    let size = |bytes: &[u8]| bytes.iter().fold(0, |size, byte| size << 7 | usize::from(*byte));
    assert_eq!((&tag[..6], size(&tag[6..10])), (&b"ID3\x04\0\0"[..], tag.len() - 10));
    assert_eq!(
        (&tag[10..14], size(&tag[14..18]), &tag[18..20]),
        (&b"TXXX"[..], tag.len() - 20, &b"\0\0"[..])
    );
    let text = tag[20..].strip_prefix(b"\x03railbird.score\0").unwrap();
    let json: Value = serde_json::from_slice(text).unwrap();
    assert_eq!(json, json!({"match":"final","seq":2,"state":entry.state}));
    // Nothing that anybody can enter makes a longer one than players take.
    let mut long = document.clone();
    long.entries[1].state.paused =
        Some(Pause { since: UtcMs(1), until: None, side: None, code: Some("x".repeat(900)) });
    assert_eq!(long.tag(&long.entries[1]), None);
}
