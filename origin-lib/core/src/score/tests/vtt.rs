//! Subtitles of the score, as players read them.

use proptest::prelude::*;

use super::*;
use crate::time::MediaSpan;

/// The document of a log whose events occurred a second apart, shown when they occurred.
fn document(scorer: &Scorer) -> Document {
    let ids = ("table-1".parse().unwrap(), "final".parse().unwrap());
    scorer.0.document(ids.0, ids.1, 1, UtcMs(T0), WHOLE_ENTRIES_MAX, &Offsets::default()).unwrap()
}

fn cues_of(document: &Document, from_ms: u64, span_ms: i64) -> String {
    cues([document], UtcMs(T0 + from_ms).media(), MediaSpan::from_ms(span_ms))
}

/// 40 points, innings of both, side 0 first: after 1 s it begins, at 2 s there is a point, at 3 s one more, and so on.
fn begun() -> Scorer {
    let mut scorer = Scorer::new(40, true);
    scorer.take(points(Side::First, 1));
    scorer.take(points(Side::First, 1));
    scorer.take(end_inning(Side::First));
    scorer
}

#[test]
fn golden() {
    assert_eq!(
        cues_of(&document(&begun()), 1_500, 2_000),
        "WEBVTT\n\
         X-TIMESTAMP-MAP=LOCAL:10:52:01.500,MPEGTS:5983128664\n\
         \n\
         10:52:01.500 --> 10:52:02.000\n\
         • Torbjörn Blomdahl 0\n\
         Dick Jaspers 0\n\
         Inning 1\n\
         \n\
         10:52:02.000 --> 10:52:03.000\n\
         • Torbjörn Blomdahl 1 (+1)\n\
         Dick Jaspers 0\n\
         Inning 1\n\
         \n\
         10:52:03.000 --> 10:52:03.500\n\
         • Torbjörn Blomdahl 2 (+2)\n\
         Dick Jaspers 0\n\
         Inning 1\n"
    );
    assert_eq!(
        cues_of(&document(&begun()), 4_000, 2_000),
        "WEBVTT\n\
         X-TIMESTAMP-MAP=LOCAL:10:52:04.000,MPEGTS:5983353664\n\
         \n\
         10:52:04.000 --> 10:52:06.000\n\
         Torbjörn Blomdahl 2\n\
         • Dick Jaspers 0\n\
         Inning 1\n"
    );
}

#[test]
fn before_the_match_there_is_nothing() {
    let text = cues_of(&document(&begun()), 0, 900);
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn sets_racks_shootouts_and_the_end_are_told() {
    let last = |scorer: &Scorer| {
        let text = cues_of(&document(scorer), 3_600_000, 2_000);
        text.split_once(" --> ").unwrap().1.split_once('\n').unwrap().1.to_string()
    };
    let mut scorer =
        Scorer::of(json!({"discipline":"three-cushion-sets","target":2,"rules":{"last_target":2}}));
    scorer.take(points(Side::First, 2));
    assert_eq!(last(&scorer), "A [1] 2\nB [0] 0\nSet 1 · over\n");
    let mut scorer = Scorer::of(json!({"discipline":"nine-ball"}));
    scorer.take(end_unit(Some(Side::Second)));
    assert!(last(&scorer).contains("A [0]\nB [1]\nRack 1"), "{}", last(&scorer));
    let mut scorer = Scorer::new(2, true);
    for side in Side::BOTH {
        scorer.take(points(side, 2));
    }
    scorer.take(shootout(Side::First, 3));
    assert_eq!(last(&scorer), "Torbjörn Blomdahl 2 · shootout 3\n• Dick Jaspers 2\nShootout\n");
    scorer.take(shootout(Side::Second, 5));
    assert_eq!(last(&scorer), "Torbjörn Blomdahl 2 · shootout 3\nDick Jaspers 2 · shootout 5\nFinal\n");
}

#[test]
fn a_match_takes_the_place_of_the_one_before_it() {
    let first = document(&begun());
    let mut second = first.clone();
    second.sides[0].name = "Merckx".into();
    for entry in &mut second.entries {
        entry.at = entry.at + MediaSpan::from_ms(60_000);
    }
    let of = |from_ms: u64| {
        let text = cues([&first, &second], UtcMs(T0 + from_ms).media(), MediaSpan::from_ms(2_000));
        text.lines().filter(|line| line.contains("Blomdahl") || line.contains("Merckx")).count().to_string()
            + &text
    };
    assert!(of(58_000).starts_with('1') && of(58_000).contains("Blomdahl"));
    assert!(of(60_000).starts_with('2') && of(60_000).contains("10:53:00.000 --> 10:53:01.000\nTorbjörn"));
    assert!(!of(61_000).contains("Blomdahl"), "{}", of(61_000));
}

#[test]
fn a_day_has_as_many_hours_as_a_segment_needs() {
    let midnight = UtcMs(1_795_219_200_000);
    let mut document = document(&begun());
    document.entries.truncate(1);
    document.entries[0].at = MediaTime(0);
    let text = cues([&document], UtcMs(midnight.0 - 500).media(), MediaSpan::from_ms(2_000));
    assert!(text.contains("\n23:59:59.500 --> 24:00:01.500\n"), "{text}");
    let text = cues([&document], midnight.media(), MediaSpan::from_ms(2_000));
    assert!(
        text.contains("LOCAL:00:00:00.000") && text.contains("\n00:00:00.000 --> 00:00:02.000\n"),
        "{text}"
    );
}

#[test]
fn a_name_is_text() {
    let mut document = document(&begun());
    document.sides[0].name = "<b>A</b> & --> B\u{2028}\nC".into();
    let text = cues_of(&document, 1_000, 500);
    assert!(text.contains("• &lt;b&gt;A&lt;/b&gt; &amp; --&gt; B C 0\n"), "{text}");
    assert_eq!(text.matches("-->").count(), 1);
}

#[test]
fn a_score_without_an_inning_has_no_empty_line_which_would_end_its_cue() {
    let mut document = document(&begun());
    for entry in &mut document.entries {
        entry.state.inning = 0;
    }
    let text = cues_of(&document, 1_000, 500);
    assert!(text.ends_with(" 0\n") && !text.ends_with("\n\n"), "{text}");
}

/// Cues as a reader finds them, in milliseconds of media time modulo 2^33 ticks.
fn read(text: &str) -> Vec<(u64, u64)> {
    let ms = |time: &str| {
        let parts: Vec<u64> = time.split([':', '.']).map(|part| part.parse().unwrap()).collect();
        ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000 + parts[3]
    };
    let (local, mpegts) = text.split_once("LOCAL:").unwrap().1.split_once(",MPEGTS:").unwrap();
    let (local, mpegts) = (ms(local), mpegts.lines().next().unwrap().parse::<u64>().unwrap());
    assert_eq!(mpegts % 90, mpegts % (1 << 33) % 90);
    let times = text.lines().filter_map(|line| line.split_once(" --> "));
    times.map(|(from, to)| (ms(from) - local + mpegts / 90, ms(to) - local + mpegts / 90)).collect()
}

proptest! {
    /// Whatever was played: cues lie in their segment, one behind the other without a hole, and neighbours meet.
    #[test]
    fn cues_fill_their_segment(
        times in prop::collection::vec(0_u64..100_000, 1..200),
        start in 0_u64..10_000_000,
        span in 1_i64..1_000_000,
    ) {
        let begun = document(&begun());
        let mut times: Vec<u64> = times;
        times.sort_unstable();
        let entry = |(n, at): (usize, u64)| {
            let mut entry = begun.entries[n % begun.entries.len()].clone();
            entry.at = MediaTime(UtcMs(T0).media().0 + at * 90);
            entry.state.sides[0].points = n as i32;
            entry
        };
        let entries = times.into_iter().enumerate().map(entry).collect();
        let document = Document { entries, ..begun };
        let start = MediaTime(UtcMs(T0).media().0 + start);
        let (first, span) = (document.entries[0].at.utc(), MediaSpan(span));
        let text = cues([&document], start, span);
        let cues = read(&text);
        let wrapped = |at: UtcMs| (start.utc().0 * 90 % (1 << 33)) / 90 + at.0 - start.utc().0;
        prop_assert!(cues.len() <= CUES_MAX);
        prop_assert!(cues.iter().all(|(from, to)| from < to));
        prop_assert!(cues.windows(2).all(|pair| pair[0].1 == pair[1].0));
        let (from, to) = (start.utc(), (start + span).utc());
        if from < to && first < to {
            prop_assert_eq!(cues.last().unwrap().1, wrapped(to));
            if cues.len() < CUES_MAX {
                prop_assert_eq!(cues.first().unwrap().0, wrapped(from.max(first)));
            }
        }
    }
}
