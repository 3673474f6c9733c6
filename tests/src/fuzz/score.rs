//! What comes from a scorekeeper.

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{self, Claim, Document, ENTRIES_MAX, Event, Log, Offer, Offsets, Position};
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
