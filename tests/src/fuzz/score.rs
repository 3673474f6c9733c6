//! What comes from a scorekeeper.

use std::str;

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::foreign::{self, Mapping, Pointer};
use railbird_core::score::{
    self, Claim, Discipline, Document, ENTRIES_MAX, Event, Log, Offer, Offsets, Position,
};
use railbird_core::time::{MediaSpan, UtcMs};

/// An accepted event survives a trip through JSON.
pub(super) fn event(input: &[u8]) {
    let Ok(event) = Event::from_json(input) else { return };
    let again = serde_json::to_vec(&event).ok().and_then(|json| Event::from_json(&json).ok());
    assert_eq!(again, Some(event));
}

/// A match: an event in each line, offered where the log expects the next one. Whatever is taken leads to a document that
/// its readers take.
pub(super) fn log(input: &[u8]) {
    let (mut log, mut seq) = (Log::new(), 1);
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(event) = Event::from_json(line) else { continue };
        let (position, before) = (Position { epoch: 1, seq }, log.state());
        match log.offer(position, event.clone(), None) {
            Offer::Accept => {
                assert_eq!(log.offer(position, event, None), Offer::Same);
                seq += 1;
            }
            Offer::Invalid(_) => assert_eq!(log.state(), before, "a refused event changed the score"),
            other => assert!(matches!(other, Offer::Accept), "{other:?} at the expected position"),
        }
    }
    // What is read from the disk is what was taken.
    let restored = Log::restore(log.events().iter().cloned());
    assert_eq!(restored.map(|restored| restored.state()), Ok(log.state()));
    if let Some(state) = log.state() {
        let claim = serde_json::to_vec(&state).and_then(|json| serde_json::from_slice::<Claim>(&json));
        assert!(claim.is_ok_and(|claim| claim.agrees(&state)), "a state is not its own claim");
    }
    let (Ok(channel), Ok(match_id)) = ("table-1".parse::<ChannelId>(), "final".parse::<MatchId>()) else {
        return;
    };
    if let Some(document) = log.document(channel, match_id, seq, UtcMs(1), ENTRIES_MAX, &Offsets::from(-1500))
    {
        assert!(document.entries.len() <= ENTRIES_MAX);
        assert_eq!(document.check(), Ok(()));
        assert!(document.ranges().is_sorted_by_key(|range| range.start));
        let middle = document.entries.get(document.entries.len() / 2).map(|entry| entry.at);
        let known = middle.and_then(|at| document.before(at));
        assert_eq!(known.map(|known| known.check()), Some(Ok(())));
    }
}

/// An accepted document survives a trip through JSON, with its checks; and what passes those makes subtitles in which every cue
/// has its times and its lines, whatever anybody is called.
pub(super) fn document(input: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Document>(input) else { return };
    let checked = document.check();
    let again = serde_json::to_vec(&document).and_then(|json| serde_json::from_slice::<Document>(&json));
    assert_eq!(again.as_ref().ok().map(Document::check), Some(checked));
    assert_eq!(again.as_ref().ok(), Some(&document));
    if checked.is_ok()
        && let Some(entry) = document.entries.last()
    {
        let text = score::cues([&document], entry.at, MediaSpan::from_ms(2_000));
        let cues: Vec<&str> = text.split("\n\n").skip(1).collect();
        assert!(
            text.starts_with("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:") && cues.len() <= score::CUES_MAX,
            "{text}"
        );
        assert!(
            cues.iter().all(|cue| cue.lines().filter(|line| line.contains("-->")).count() == 1),
            "{text}"
        );
        assert!(cues.iter().all(|cue| (3..=4).contains(&cue.lines().count())), "{text}");
    }
}

/// A file that is taken is a match, and the same one as JSON.
pub(super) fn table(input: &[u8]) {
    let Ok(items) = score::table::read(input) else { return };
    assert!(Log::new().with(items.iter().cloned()).is_ok(), "its events are no match");
    let events: Vec<_> = items.iter().map(|item| &item.event).collect();
    let again = serde_json::to_vec(&events).ok().and_then(|json| score::table::read(&json).ok());
    assert_eq!(again, Some(items));
}

/// Where the fuzzed documents have things, where the first line says nothing else.
const PLACES: [&str; 17] = [
    "/id", "/a/n", "/b/n", "/a/c", "/b/c", "/a/p", "/b/p", "/a/u", "/b/u", "/a/s", "/b/s", "/best", "/race",
    "/i", "/at", "/t", "/f",
];

/// The most states of one input: each may be two hundred events, and every event copies the log.
const STATES_MAX: usize = 6;

/// Another system's states, one in each line: what is read of each leads to events that the log takes. The first line has the
/// discipline's number and, between spaces, the pointers.
pub(super) fn foreign(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let head = str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let mut words = head.split(' ');
    let discipline = words.next().and_then(|number| number.parse().ok()).unwrap_or(0);
    let Some(discipline) = Discipline::ALL.get::<usize>(discipline).copied() else { return };
    let mut places = PLACES.into_iter();
    let mut next = || -> Option<Pointer> {
        let place = places.next()?;
        words.next().unwrap_or(place).parse().or_else(|_| place.parse()).ok()
    };
    let (Some(id), Some(first), Some(second)) = (next(), next(), next()) else { return };
    let mut pair = || Some([next()?, next()?]);
    let has_units = discipline.rules().unit != score::Unit::Match;
    let (countries, points, units, shootout) = (pair(), pair(), pair(), pair());
    let mapping = Mapping {
        discipline,
        r#match: id,
        names: [first, second],
        countries,
        points,
        units: units.filter(|_| has_units),
        best_of: None,
        race_to: next().and_then(|_| next()).filter(|_| has_units),
        shootout,
        inning: next(),
        at_table: next(),
        at_table_is: ["a", "b"].map(String::from),
        target: next(),
        finished: next(),
    };
    let mut log = Log::new();
    for line in lines.take(STATES_MAX) {
        let Ok(seen) = mapping.read(line) else { continue };
        // Told twice: what it came to is where the second one begins.
        for _ in 0..2 {
            let Ok(found) = foreign::events(&mapping, &log, &seen, UtcMs(1)) else { break };
            assert!(found.len() <= foreign::EVENTS_MAX);
            let with = log.with(found);
            assert!(with.is_ok(), "{with:?}");
            log = with.unwrap_or_default();
        }
    }
}
