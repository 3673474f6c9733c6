use super::*;
use crate::state::ChannelBrief;
use crate::time::MediaSpan;
use alloc::vec;
use std::format;
use std::string::ToString;

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn event(origin: &str, revision: u64, event: &str, channels: &[&str]) -> EventState {
    let brief = |id: &&str| ChannelBrief { id: id.parse().unwrap(), title: format!("{id} of {origin}") };
    EventState {
        event: event.parse().unwrap(),
        origin: Some(origin.parse().unwrap()),
        title: format!("{event} of {origin}"),
        revision,
        channels: channels.iter().map(brief).collect(),
    }
}

fn names(events: &Events) -> Vec<std::string::String> {
    events.event().unwrap().channels.iter().map(|brief| brief.id.to_string()).collect()
}

#[test]
fn channels_of_several_origins_are_united_whoever_spoke_last() {
    let (north, south) = (event("north", 5, "cup", &["t1", "t2"]), event("south", 9, "cup", &["t2", "t3"]));
    for order in [[&north, &south], [&south, &north]] {
        let mut events = Events::default();
        assert_eq!(order.map(|said| events.take(said.clone())), [Taken::New, Taken::New]);
        assert_eq!(names(&events), ["t1", "t2", "t3"]);
        assert_eq!(events.event().unwrap().title, "cup of south", "the newest word");
        assert_eq!(events.take(event("south", 9, "cup", &[])), Taken::Old(9));
        // An origin's own channels are what it lists now.
        assert_eq!(events.take(event("north", 10, "cup", &["t2"])), Taken::New);
        assert_eq!(names(&events), ["t2", "t3"]);
    }
}

#[test]
fn another_event_has_its_own_channels() {
    let mut events = Events::default();
    events.take(event("north", 5, "cup", &["t1"]));
    events.take(event("south", 9, "open", &["t9"]));
    assert_eq!(names(&events), ["t9"]);
    for n in 0..20 {
        events.take(event(&format!("o{n}"), 100 + n, "open", &[]));
    }
    assert!(events.voices.len() <= VOICES_MAX);
}

#[test]
fn a_channel_of_which_an_origin_ever_spoke_is_known() {
    let id = |text: &str| -> ChannelId { text.parse().unwrap() };
    let mut events = Events::default();
    assert!(!events.knows(&id("t1")));
    events.take(event("north", 5, "cup", &["t1", "t2"]));
    assert!(events.tell(id("t9")) && !events.tell(id("t9")) && !events.tell(id("t1")));
    // Of another event, or of none any more.
    events.take(event("north", 6, "open", &["t2"]));
    events.take(event("south", 7, "cup", &["t3"]));
    events.take(event("south", 8, "open", &[]));
    for known in ["t1", "t2", "t3", "t9"] {
        assert!(events.knows(&id(known)), "{known}");
    }
    assert!(!events.knows(&id("t4")));
    assert_eq!(names(&events), ["t2"], "what is known need not be on");
    // An earlier version's value has no such list.
    let earlier: Events = serde_json::from_str("{\"voices\":[]}").unwrap();
    assert_eq!(earlier, Events::default());
}

#[test]
fn of_too_many_channels_those_are_known_that_were_told_last_or_are_on() {
    let id = |n: usize| -> ChannelId { format!("t{n}").parse().unwrap() };
    let mut events = Events::default();
    events.take(event("north", 5, "cup", &["t0"]));
    assert!((1..=TOLD_MAX + 2).all(|n| events.tell(id(n))));
    assert_eq!(events.known().count(), TOLD_MAX + 1);
    let known: std::vec::Vec<bool> = (0..5).map(|n| events.knows(&id(n))).collect();
    assert_eq!(known, [true, false, false, true, true]);
}

fn replay(recording: &str, start_s: u64, duration_s: i64, ended: bool) -> Replay {
    Replay {
        recording: recording.parse().unwrap(),
        title: recording.to_string(),
        start: NOW.plus_ms(start_s * 1000).media(),
        duration: MediaSpan::from_ms(duration_s * 1000),
        chapters: 1,
        ended,
        matches: Vec::new(),
    }
}

fn list(origin: &str, revision: u64, replays: Vec<Replay>) -> ReplayList {
    ReplayList { channel: "t".parse().unwrap(), origin: origin.parse().unwrap(), revision, replays }
}

fn shown(replays: &Replays, now: UtcMs) -> Vec<(&str, bool)> {
    replays.shown(now).iter().map(|found| (found.replay.recording.as_str(), found.live)).collect()
}

#[test]
fn of_two_recordings_of_one_match_the_longer_is_shown() {
    let mut replays = Replays::default();
    replays.take(list("north", 1, vec![replay("n1", 0, 100, true), replay("n2", 200, 50, true)]), NOW);
    replays.take(list("south", 1, vec![replay("s1", 40, 90, true), replay("s2", 190, 60, true)]), NOW);
    assert_eq!(shown(&replays, NOW), [("n1", false), ("s2", false)]);
    // Less than half of the shorter: two recordings.
    replays.take(list("south", 2, vec![replay("s1", 60, 90, true)]), NOW);
    assert_eq!(shown(&replays, NOW), [("n1", false), ("s1", false), ("n2", false)]);
    assert_eq!(replays.find(&"n2".parse().unwrap(), NOW).unwrap().origin.as_str(), "north");
    assert_eq!(replays.find(&"s2".parse().unwrap(), NOW), None);
}

#[test]
fn of_two_that_are_being_made_the_earlier_counts_until_its_origin_is_silent() {
    let mut replays = Replays::default();
    let north = |revision, duration| list("north", revision, vec![replay("n1", 0, duration, false)]);
    let south = |revision, duration| list("south", revision, vec![replay("s1", 30, duration, false)]);
    replays.take(north(1, 400), NOW);
    replays.take(south(1, 500), NOW);
    assert_eq!(shown(&replays, NOW), [("n1", true)], "however much of each has arrived");
    let later = NOW.plus_ms(FRESH_MS);
    assert_eq!(replays.take(south(1, 500), later).0, Taken::Again(1));
    assert_eq!(shown(&replays, later.plus_ms(1)), [("s1", true)]);
    assert_eq!(replays.take(north(2, 700), later.plus_ms(2)).0, Taken::New);
    assert_eq!(shown(&replays, later.plus_ms(3)), [("n1", true)]);
}

#[test]
fn what_an_origin_no_longer_lists_is_told() {
    let mut replays = Replays::default();
    let both = vec![replay("n1", 0, 10, true), replay("n2", 20, 10, true)];
    assert_eq!(replays.take(list("north", 2, both), NOW), (Taken::New, vec![]));
    assert_eq!(replays.take(list("north", 1, vec![]), NOW), (Taken::Old(2), vec![]));
    let (taken, gone) = replays.take(list("north", 3, vec![replay("n2", 20, 10, true)]), NOW);
    assert_eq!((taken, gone), (Taken::New, vec![replay("n1", 0, 10, true)]));
}
