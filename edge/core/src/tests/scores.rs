//! The score of recordings, and news of it, in virtual time.

use railbird_core::score::{Document, Event, Log, Offer, Offsets, Position};
use railbird_core::time::MediaTime;

use super::*;
use crate::change::Kind;

const SCORE: &str = "/origin/v1/channels/table-1/score";
const LIST: &str = "/origin/v1/channels/table-1/replays";
const EVENTS: &str = "/live/table-1/score.events";

/// The document of a match as it is after so many seconds: it starts with the recordings of the other tests, and side 0 makes
/// points of which each is a second after the one before, until it misses after ten and wins after twenty.
fn document(match_id: &str, seconds: u64, entries_max: usize) -> Document {
    let mut log = Log::new();
    for second in 0..=seconds {
        let action = match second {
            0 => json!({"type": "start", "title": "Final", "discipline": "points", "breaks": 0,
                "sides": [{"name": "Nelin"}, {"name": "Cho"}]}),
            1..20 => json!({"type": "points", "side": u8::from(second % 10 == 9), "points": 1}),
            _ => json!({"type": "end", "winner": 0}),
        };
        let occurred = NOW.plus_ms(1000 * second);
        let body = json!({"occurred": occurred, "action": action}).to_string();
        let event = Event::from_json(body.as_bytes()).unwrap();
        assert_eq!(log.offer(Position { epoch: 1, seq: second + 1 }, event, None), Offer::Accept);
    }
    let revision = NOW.0 + seconds;
    let ids = ("table-1".parse().unwrap(), match_id.parse().unwrap());
    log.document(ids.0, ids.1, revision, NOW, entries_max, &Offsets::default()).unwrap()
}

/// The same so many seconds later.
fn later(mut document: Document, seconds: u64) -> Document {
    for entry in &mut document.entries {
        entry.at = MediaTime(entry.at.0 + seconds * 90_000);
        entry.pdt = entry.at.iso8601();
    }
    document.highlights.clear();
    document
}

/// A match that has just begun.
pub(super) fn some_match(match_id: &str) -> Value {
    json_of(&document(match_id, 3, 500))
}

fn json_of(document: &Document) -> Value {
    serde_json::to_value(document).unwrap()
}

/// The score as a push of it changes it.
fn told(document: &Document) -> (Cell, Change) {
    let said = serde_json::to_vec(document).unwrap();
    let cell = Cell { table: Table::Score, key: "table-1".into() };
    (cell, Change { kind: Kind::Snapshot, said })
}

/// An event, as its ID and what it tells; or the comment in place of one.
fn read(response: &Response) -> Result<(u64, Document), String> {
    assert_eq!(response.status, 200);
    for header in [("content-type", "text/event-stream"), ("cache-control", "no-store")] {
        assert!(response.headers.contains(&(header.0.into(), header.1.into())), "{:?}", response.headers);
    }
    let text = String::from_utf8(response.body.clone()).unwrap();
    assert!(text.starts_with("retry: ") && text.ends_with("\n\n"), "{text}");
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    match field("data: ") {
        Some(data) => {
            let document: Document = serde_json::from_str(data).unwrap();
            let (seq, of) = field("id: ").unwrap().split_once('-').unwrap();
            assert_eq!(of, document.match_id.as_str());
            Ok((seq.parse().unwrap(), document))
        }
        None => Err(text),
    }
}

fn seqs(document: &Document) -> Vec<u64> {
    document.entries.iter().map(|entry| entry.seq).collect()
}

/// A channel with a score after so many seconds.
fn scored(probe: &Probe, seconds: u64) -> Fixture<'_> {
    let edge = Fixture::new(probe);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state("live", &[1])).status, 204);
    assert_eq!(edge.push(SCORE, &json_of(&document("final", seconds, 500))).status, 204);
    edge
}

#[test]
fn news_is_told_at_once_where_there_is_any() {
    let probe = Probe::default();
    let edge = scored(&probe, 4);
    for (query, expected) in [
        ("", &[1, 2, 3, 4, 5][..]),
        ("?after=0", &[1, 2, 3, 4, 5]),
        ("?after=3", &[4, 5]),
        // Of another match.
        ("?after=99", &[1, 2, 3, 4, 5]),
    ] {
        let (id, document) = read(&edge.get(&format!("{EVENTS}{query}"))).unwrap();
        assert_eq!((id, &*seqs(&document)), (5, expected), "{query}");
    }
    // Browsers repeat their query and tell what they heard last.
    let cookie = format!("__Host-railbird={}", session(NOW.seconds() + 3600));
    let heard = |id: &str| {
        let headers = [("cookie", &*cookie), ("last-event-id", id)];
        edge.ask("GET", &format!("{EVENTS}?after=1"), &headers, b"")
    };
    assert_eq!(seqs(&read(&heard("4")).unwrap().1), [5]);
    assert_eq!(seqs(&read(&heard("4-final")).unwrap().1), [5]);
    assert_eq!(seqs(&read(&heard("")).unwrap().1), [2, 3, 4, 5]);
    // A copy that is older than what was heard is no news.
    assert_eq!(read(&heard("6-final")).unwrap_err(), "retry: 250\n: nothing new\n\n");
    probe.paused.borrow_mut().clear();
    // Of another match, which had as many events, nothing of this one is known.
    assert_eq!(seqs(&read(&heard("5-semi-final")).unwrap().1), [1, 2, 3, 4, 5]);
    assert_eq!(seqs(&read(&heard("2-semi-final")).unwrap().1), [1, 2, 3, 4, 5]);
    assert_eq!(code(&heard("x")), "bad-request");
    assert_eq!(code(&edge.get(&format!("{EVENTS}?after=-1"))), "bad-request");
    assert!(probe.paused.borrow().is_empty());
}

#[test]
fn news_is_waited_for_and_told_when_it_comes() {
    let probe = Probe::default();
    let edge = scored(&probe, 4);
    let again = Document { revision: NOW.0 + 5, ..document("final", 4, 500) };
    // The same again tells nothing.
    *probe.meanwhile.borrow_mut() =
        vec![told(&document("final", 7, 500)), told(&document("final", 6, 500)), told(&again)];
    let (id, document) = read(&edge.get(&format!("{EVENTS}?after=5"))).unwrap();
    assert_eq!((id, seqs(&document)), (7, vec![6, 7]));
    assert_eq!(probe.paused.borrow().as_slice(), [500; 2]);
}

/// What takes a match away whose start was undone.
fn withdrawn(match_id: &str) -> Document {
    let mut document = document(match_id, 0, 500);
    document.entries.clear();
    Document { revision: NOW.0 + 100, rewritten: 2, turns: Vec::new(), highlights: Vec::new(), ..document }
}

#[test]
fn an_undone_start_is_told_and_leaves_nothing() {
    let probe = Probe::default();
    let edge = scored(&probe, 0);
    assert_eq!(edge.push(SCORE, &json_of(&withdrawn("final"))).status, 204);
    let (id, nothing) = read(&edge.get(&format!("{EVENTS}?after=1"))).unwrap();
    assert_eq!((id, &nothing), (2, &withdrawn("final")));
    let asked = edge.get("/live/table-1/score.json?after=1");
    assert_eq!(serde_json::from_value::<Document>(body(&asked)).unwrap(), nothing);
    // Who has heard that is told no more of it.
    let cookie = format!("__Host-railbird={}", session(NOW.seconds() + 3600));
    let headers = [("cookie", &*cookie), ("last-event-id", "2-final")];
    assert!(read(&edge.ask("GET", EVENTS, &headers, b"")).unwrap_err().contains(": nothing new"));
    let start = NOW.media().0;
    let cues = edge.text(&format!("/live/table-1/score/{start}-180000.vtt"));
    assert!(!cues.contains("Nelin"), "{cues}");
    // Nor does a running recording get it.
    let probe = Probe::default();
    let kept = document("final", 14, 500);
    let edge = recorded(&probe, &[&kept], false);
    let mistaken = Document { revision: NOW.0 + 90, ..later(document("mistaken", 0, 500), 30) };
    for (document, count) in [(mistaken, 2), (withdrawn("mistaken"), 1)] {
        assert_eq!(edge.push(SCORE, &json_of(&document)).status, 204);
        assert_eq!(edge.matches("").len(), count);
    }
    assert_eq!(edge.text("/replay/table-1/r-1/a/source.m3u8").matches("#EXT-X-DATERANGE").count(), 1);
}

#[test]
fn a_wait_for_the_first_score_ends_with_it() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state("live", &[1])).status, 204);
    *probe.meanwhile.borrow_mut() = vec![told(&document("final", 0, 500))];
    assert_eq!(read(&edge.get(EVENTS)).unwrap().0, 1);
}

#[test]
fn a_wait_for_nothing_ends_with_a_comment() {
    let probe = Probe::default();
    let edge = scored(&probe, 4);
    assert_eq!(read(&edge.get(&format!("{EVENTS}?after=5"))).unwrap_err(), "retry: 250\n: nothing new\n\n");
    assert_eq!(probe.paused.borrow().iter().sum::<u64>(), 25_000);
    // A host that has no room asks for an answer at once.
    probe.paused.borrow_mut().clear();
    let at_once = read(&edge.get(&format!("{EVENTS}?after=5&wait=no"))).unwrap_err();
    assert_eq!(at_once, "retry: 2000\n: too many wait\n\n");
    assert_eq!(read(&edge.get(&format!("{EVENTS}?after=4&wait=no"))).unwrap().0, 5);
    assert!(probe.paused.borrow().is_empty());
    // The store fails meanwhile.
    probe.fails_after_pause.set(true);
    assert!(read(&edge.get(&format!("{EVENTS}?after=5"))).unwrap_err().starts_with("retry: 2000\n"));
}

/// A match as a list has it.
fn listed(document: &Document) -> Value {
    json!({"id": document.match_id, "from": document.entries[0].at})
}

/// A recording of a minute with these matches, which goes on where it has not `ended`.
fn recorded<'a>(probe: &'a Probe, matches: &[&Document], ended: bool) -> Fixture<'a> {
    let edge = Fixture::new(probe);
    let mut live = chapter(25, 5);
    live["revision"] = json!(NOW);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &live).status, 204);
    let mut list = replays(1, 1);
    list["replays"][0]["ended"] = json!(ended);
    list["replays"][0]["matches"] = matches.iter().map(|document| listed(document)).collect();
    assert_eq!(edge.push(LIST, &list).status, 204);
    assert_eq!(edge.push(&format!("{LIST}/r-1/0"), &chapter(0, 30)).status, 204);
    for document in matches {
        let path = format!("/origin/v1/channels/table-1/matches/{}", document.match_id);
        assert_eq!(edge.push(&path, &json_of(document)).status, 204);
    }
    edge
}

impl Fixture<'_> {
    fn matches(&self, query: &str) -> Vec<Document> {
        let response = self.get(&format!("/replay/table-1/r-1/score.json{query}"));
        assert_eq!(response.status, 200);
        serde_json::from_value(body(&response)["matches"].clone()).unwrap()
    }

    fn text(&self, path: &str) -> String {
        let response = self.get(path);
        assert_eq!(response.status, 200, "{path}: {}", String::from_utf8_lossy(&response.body));
        String::from_utf8(response.body).unwrap()
    }
}

/// What is looked for in texts: the last second of which anything tells.
fn until(second: u64) -> String {
    format!("?until={}", NOW.plus_ms(1000 * second).0)
}

#[test]
fn a_match_is_known_as_far_as_somebody_has_come() {
    let probe = Probe::default();
    let (first, second) = (document("final", 20, 500), later(document("later", 20, 500), 40));
    let edge = recorded(&probe, &[&first, &second], true);
    assert_eq!(edge.matches(""), [first.clone(), second.clone()]);
    assert_eq!(edge.matches(&until(60)).len(), 2);
    let early = edge.matches(&until(12));
    assert_eq!(early, [first.before(NOW.plus_ms(12_000).media()).unwrap()]);
    assert_eq!(seqs(&early[0]).last(), Some(&13));
    let before = format!("?until={}", NOW.0 - 1);
    assert!(edge.matches(&before).is_empty());
    for bad in ["?until=x", "?from=1", "?from=2&to=1"] {
        for file in
            ["main.m3u8", "score.json", "score.m3u8", "a/source.m3u8", "score/9-9.vtt", "score/9-9.json"]
        {
            assert_eq!(code(&edge.get(&format!("/replay/table-1/r-1/{file}{bad}"))), "bad-request");
        }
    }
}

#[test]
fn what_is_played_stands_in_for_its_match_where_it_is_newer() {
    let probe = Probe::default();
    // Kept after ten seconds; what is live has the first entry and the newest three.
    let (kept, live, whole) =
        (document("final", 14, 500), document("final", 17, 5), document("final", 17, 500));
    let edge = recorded(&probe, &[&kept], false);
    assert_eq!(edge.push(SCORE, &json_of(&live)).status, 204);
    assert_eq!(edge.matches(""), std::slice::from_ref(&whole), "the entries between come from what is kept");
    // What was rewritten since is told by what is live alone.
    let undone = Document { rewritten: 18, revision: live.revision + 1, ..live.clone() };
    assert_eq!(edge.push(SCORE, &json_of(&undone)).status, 204);
    assert_eq!(edge.matches(""), [undone]);
    // One that the list does not have yet.
    let next = Document { revision: live.revision + 2, ..document("next", 3, 500) };
    assert_eq!(edge.push(SCORE, &json_of(&next)).status, 204);
    assert_eq!(edge.matches(""), [kept.clone(), next]);
    // Of a recording that is over, it is none.
    let probe = Probe::default();
    let edge = recorded(&probe, &[&kept], true);
    assert_eq!(edge.push(SCORE, &json_of(&whole)).status, 204);
    assert_eq!(edge.matches(""), [kept]);
}

#[test]
fn subtitles_of_a_recording_are_of_the_match_that_was_on() {
    let probe = Probe::default();
    let first = document("final", 20, 500);
    let mut second = later(document("later", 3, 500), 40);
    second.sides[0].name = "Merckx".into();
    let edge = recorded(&probe, &[&first, &second], true);
    let cues = |second: u64, query: &str| {
        let start = NOW.plus_ms(1000 * second).media().0;
        edge.text(&format!("/replay/table-1/r-1/score/{start}-180000.vtt{query}"))
    };
    assert!(cues(4, "").contains("Nelin 4\nCho 0\n"), "{}", cues(4, ""));
    assert!(cues(38, "").contains("Nelin 17\nCho 2\nFinal\n") && !cues(38, "").contains("Merckx"));
    assert!(cues(39, "").contains("Nelin") && cues(39, "").contains("Merckx 0\n"));
    assert!(cues(42, "").contains("Merckx 2\n") && !cues(42, "").contains("Nelin"));
    // Whatever is asked for, what happened later is not told.
    assert!(cues(50, &until(4)).contains("Nelin 4\n") && !cues(50, &until(4)).contains("Merckx"));
    // The same as documents: what is shown in a window, of as many matches as that is.
    let sidecar = |second: u64, query: &str| -> Vec<(String, Vec<u64>)> {
        let start = NOW.plus_ms(1000 * second).media().0;
        let text = edge.text(&format!("/replay/table-1/r-1/score/{start}-180000.json{query}"));
        let mut said: Value = serde_json::from_str(&text).unwrap();
        let matches: Vec<Document> = serde_json::from_value(said["matches"].take()).unwrap();
        matches.iter().map(|document| (document.match_id.to_string(), seqs(document))).collect()
    };
    let of = |match_id: &str, seqs: &[u64]| (match_id.to_string(), seqs.to_vec());
    assert_eq!(sidecar(4, ""), [of("final", &[5, 6])]);
    assert_eq!(sidecar(39, ""), [of("final", &[21]), of("later", &[1])]);
    assert_eq!(sidecar(50, &until(4)), [of("final", &[5])]);
    // And the playlist leads to them.
    let playlist = edge.text(&format!("/replay/table-1/r-1/score.m3u8{}", until(41)));
    let segments: Vec<&str> = playlist.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(segments.len(), 21);
    for (n, segment) in (0..).zip(&segments) {
        assert_eq!(edge.text(&format!("/replay/table-1/r-1/{segment}")), cues(2 * n, &until(41)));
    }
    assert!(edge.text("/replay/table-1/r-1/main.m3u8").contains("URI=\"score.m3u8\""));
    let probe = Probe::default();
    assert!(!recorded(&probe, &[], true).text("/replay/table-1/r-1/main.m3u8").contains("SUBTITLES"));
}

#[test]
fn a_live_channel_has_subtitles_and_ranges_where_it_has_a_scorer() {
    let probe = Probe::default();
    let edge = scored(&probe, 4);
    let without = [edge.get("/live/table-1/score.m3u8"), edge.get("/live/table-1/main.m3u8")];
    assert_eq!(code(&without[0]), "no-such-playlist");
    assert!(!String::from_utf8_lossy(&without[1].body).contains("SUBTITLES"));
    let mut state = chapter(0, 5);
    (state["recording"], state["revision"]) = (json!("20261120t105200z"), json!(NOW.0 + 1));
    state["score"] = json!({"revision": 1, "ranges": document("final", 4, 500).ranges()});
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &state).status, 204);
    assert!(edge.text("/live/table-1/main.m3u8").contains(",URI=\"score.m3u8\"\n"));
    let playlist = edge.text("/live/table-1/score.m3u8");
    let last = playlist.lines().last().unwrap();
    assert!(edge.text(&format!("/live/table-1/{last}")).contains("Nelin 4\n"), "{playlist}");
    assert_eq!(edge.text("/live/table-1/a/source.m3u8").matches("#EXT-X-DATERANGE:").count(), 1);
}

/// Matches that begin a thousand seconds after one another, and the recording of them.
fn day<'a>(probe: &'a Probe, count: u64, ended: bool) -> (Fixture<'a>, Vec<Document>) {
    let of = |n| later(document(&format!("m-{n}"), 20, 500), n * 1_000);
    let matches: Vec<Document> = (0..count).map(of).collect();
    let edge = recorded(probe, &matches.iter().collect::<Vec<_>>(), ended);
    probe.cells.borrow_mut().clear();
    (edge, matches)
}

impl Probe {
    /// The documents of matches that were read since this was asked before, and what else there is of matches.
    fn reads(&self, matches: &[Document]) -> (Vec<String>, usize) {
        let cells = self.cells.take();
        let of = |document: &&Document| {
            cells.contains(&crate::cells::match_cell(&document.channel, &document.match_id))
        };
        let documents =
            matches.iter().filter(of).map(|document| document.match_id.to_string()).collect::<Vec<_>>();
        let all = cells.iter().filter(|cell| cell.table == Table::Match).count();
        let others = all - documents.len();
        (documents, others)
    }
}

#[test]
fn a_window_reads_the_matches_that_may_be_shown_in_it() {
    let probe = Probe::default();
    let (edge, matches) = day(&probe, 20, true);
    for (second, query, expected) in [
        (10, "", &["m-0"][..]),
        (3_010, "", &["m-2", "m-3"]),
        (3_700, "", &["m-3"]),
        (3_990, "", &["m-3", "m-4"]),
        (50_000, "", &["m-19"]),
        (50_000, "?until=1795172520040", &["m-0"]),
    ] {
        let start = NOW.plus_ms(1000 * second).media().0;
        let text = edge.text(&format!("/replay/table-1/r-1/score/{start}-900000.json{query}"));
        let (read, others) = probe.reads(&matches);
        assert_eq!(
            (read, others),
            (expected.iter().map(ToString::to_string).collect(), 0),
            "{second}{query}"
        );
        let said: Value = serde_json::from_str(&text).unwrap();
        let mut shown = said["matches"].as_array().unwrap().iter().map(|shown| &shown["match"]);
        let on = second / 1_000;
        assert_eq!(
            shown.next_back(),
            Some(&json!(format!("m-{}", if query.is_empty() { on.min(19) } else { 0 })))
        );
    }
    // As far as somebody has come.
    assert_eq!(edge.matches(&until(1_100)).len(), 2);
    assert_eq!(probe.reads(&matches).0, ["m-0", "m-1"]);
}

#[test]
fn a_playlist_reads_no_document_of_a_match_but_what_is_said_of_it() {
    let probe = Probe::default();
    let (edge, matches) = day(&probe, 20, false);
    let ids = |query: &str| -> Vec<String> {
        let text = edge.text(&format!("/replay/table-1/r-1/a/source.m3u8{query}"));
        let tags = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-DATERANGE:ID=\""));
        tags.filter_map(|tag| tag.split_once('"')).map(|(id, _)| id.to_string()).collect()
    };
    let listed = ids("");
    assert_eq!(listed, [matches[0].ranges()[0].id.clone()]);
    assert_eq!(probe.reads(&matches), (vec![], 20));
    // No more of them than a clip, or who has come so far, may be told of.
    assert_eq!(ids(&until(30)), listed);
    assert_eq!(probe.reads(&matches), (vec![], 1));
    assert_eq!(ids(&format!("?from={}&to={}", NOW.0 + 4_000, NOW.0 + 9_000)), listed);
    assert_eq!(probe.reads(&matches), (vec![], 1));
    // Of a match that another version of the edge took, the document says the same.
    let of = |document: &Document| crate::cells::outline_cell(&document.channel, &document.match_id);
    ready(probe.inner.put(&of(&matches[0]), Vec::new(), Some(NOW))).unwrap();
    probe.inner.expire(NOW);
    assert_eq!(ids(""), listed);
    assert_eq!(probe.reads(&matches), (vec!["m-0".to_string()], 20));
    // Sent again, it is kept anew.
    let path = format!("/origin/v1/channels/table-1/matches/{}", matches[0].match_id);
    assert_eq!(edge.push(&path, &json_of(&matches[0])).status, 200);
    assert!(ready(probe.inner.get(&of(&matches[0]))).unwrap().is_some());
}

#[test]
fn what_is_played_is_told_in_a_growing_playlist_before_its_match_is_kept() {
    let probe = Probe::default();
    let (kept, live) = (document("final", 2, 500), document("final", 20, 3));
    let edge = recorded(&probe, &[&kept], false);
    let tag = |edge: &Fixture<'_>| -> String {
        let text = edge.text("/replay/table-1/r-1/a/source.m3u8");
        text.lines().find(|line| line.starts_with("#EXT-X-DATERANGE")).unwrap_or_default().into()
    };
    let open = tag(&edge);
    assert!(!open.contains("END-DATE"), "{open}");
    assert_eq!(edge.push(SCORE, &json_of(&live)).status, 204);
    let id = |tag: &str| tag.split('"').nth(1).unwrap().to_string();
    assert!(tag(&edge).contains("END-DATE") && id(&tag(&edge)) == id(&open), "{}", tag(&edge));
    let next = Document { revision: NOW.0 + 60, ..later(document("next", 3, 500), 30) };
    assert_eq!(edge.push(SCORE, &json_of(&next)).status, 204);
    assert_eq!(edge.text("/replay/table-1/r-1/a/source.m3u8").matches("#EXT-X-DATERANGE").count(), 2);
}

#[test]
fn a_match_is_forgotten_when_no_list_names_it() {
    let probe = Probe::default();
    let (first, second) = (document("first", 3, 500), document("second", 3, 500));
    let edge = recorded(&probe, &[&first, &second], false);
    let kept = |document: &Document| {
        probe.inner.expire(NOW);
        let cells = crate::cells::of_match(&document.channel, &document.match_id);
        cells.map(|cell| ready(probe.inner.get(&cell)).unwrap().is_some())
    };
    assert_eq!([kept(&first), kept(&second)], [[true; 2]; 2]);
    // The recording stays, and one of its matches does not.
    let mut list = replays(2, 1);
    list["replays"][0]["matches"] = json!([listed(&second)]);
    assert_eq!(edge.push(LIST, &list).status, 204);
    assert_eq!([kept(&first), kept(&second)], [[false; 2], [true; 2]]);
}

#[test]
fn a_match_is_forgotten_with_the_last_recording_of_it() {
    let probe = Probe::default();
    let (only, shared) = (document("only", 3, 500), document("shared", 3, 500));
    let edge = recorded(&probe, &[&only, &shared], true);
    let kept = |document: &Document| {
        probe.inner.expire(NOW);
        let cells = crate::cells::of_match(&document.channel, &document.match_id);
        cells.iter().all(|cell| ready(probe.inner.get(cell)).unwrap().is_some())
    };
    let mut theirs = replays(1, 1);
    theirs["origin"] = json!("south");
    (theirs["replays"][0]["recording"], theirs["replays"][0]["matches"]) =
        (json!("r-2"), json!([listed(&shared)]));
    assert_eq!(edge.push(LIST, &theirs).status, 204);
    let none = |origin: &str| {
        let mut none = replays(2, 0);
        (none["origin"], none["replays"]) = (json!(origin), json!([]));
        assert_eq!(edge.push(LIST, &none).status, 204);
    };
    assert!(kept(&only) && kept(&shared));
    none("north");
    assert!(!kept(&only) && kept(&shared), "the other origin's recording shows it");
    none("south");
    assert!(!kept(&shared));
}

#[test]
fn a_match_is_taken_at_its_own_address_only() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let document = json_of(&document("final", 3, 500));
    for path in ["table-1/matches/other", "table-2/matches/final"] {
        let refused = edge.push(&format!("/origin/v1/channels/{path}"), &document);
        assert_eq!((refused.status, &*code(&refused)), (400, "bad-request"), "{path}");
    }
    let mut list = replays(1, 1);
    list["replays"][0]["matches"] = (0..257).map(|n| json!({"id": format!("m-{n}"), "from": 0})).collect();
    assert_eq!(code(&edge.push(LIST, &list)), "bad-request");
}

#[test]
fn a_list_without_spoilers_does_not_say_how_long_a_recording_is() {
    let probe = Probe::default();
    let edge = recorded(&probe, &[], true);
    edge.push(
        "/origin/v1/event",
        &json!({"event": "e", "title": "", "revision": 1, "channels": [{"id": "table-1", "title": ""}]}),
    );
    let list =
        |query: &str| body(&edge.get(&format!("/api/channels{query}")))["channels"][0]["replays"][0].clone();
    assert_eq!(list("?spoilers=yes")["duration"], 60);
    let without = list("?spoilers=no");
    assert_eq!(without, json!({"id": "r-1", "title": "Final", "start": NOW.iso8601(), "live": false}));
}

#[test]
fn a_clip_waits_for_what_is_not_recorded_yet() {
    let (probe, over) = (Probe::default(), Probe::default());
    let (grows, ended) = (recorded(&probe, &[], false), recorded(&over, &[], true));
    let get = |edge: &Fixture<'_>, file: &str, from: u64, to: u64| {
        let (from, to) = (NOW.plus_ms(1000 * from).0, NOW.plus_ms(1000 * to).0);
        edge.get(&format!("/replay/table-1/r-1/{file}?from={from}&to={to}"))
    };
    let ends = |edge: &Fixture<'_>, from, to| {
        let answer = get(edge, "a/source.m3u8", from, to);
        String::from_utf8(answer.body).unwrap().ends_with("#EXT-X-ENDLIST\n")
    };
    // A minute is recorded.
    assert_eq!([(50, 60), (50, 61), (59, 90)].map(|(from, to)| ends(&grows, from, to)), [true, false, false]);
    assert!(ends(&ended, 50, 61));
    for file in ["main.m3u8", "a/source.m3u8", "score.m3u8"] {
        let ahead = get(&grows, file, 60, 90);
        assert_eq!((ahead.status, &*code(&ahead)), (404, "not-recorded"), "{file}");
        assert!(ahead.headers.contains(&("retry-after".into(), "2".into())));
        assert_eq!(code(&get(&ended, file, 60, 90)), "no-such-stretch");
        let before = grows.get(&format!("/replay/table-1/r-1/{file}?from=1&to=2"));
        assert_eq!(code(&before), "no-such-stretch");
    }
}

#[test]
fn a_shared_clip_outlasts_a_login() {
    let probe = Probe::default();
    let edge = recorded(&probe, &[], true);
    let location = |path: &str| {
        let answer = edge.ask("GET", path, &[], b"");
        let header = answer.headers.into_iter().find(|(name, _)| name == "location");
        (answer.status, header.map(|(_, to)| to).unwrap_or_default())
    };
    let (status, login) = location("/watch/table-1/r-1?x=1&from=10&to=20");
    assert_eq!((status, &*login), (303, "/login?next=/watch/table-1/r-1%3Ffrom=10%26to=20"));
    let page = |path: &str| String::from_utf8(edge.ask("GET", path, &[], b"").body).unwrap();
    assert!(page(&login).contains("data-next=\"/watch/table-1/r-1?from=10&amp;to=20\""), "{}", page(&login));
    assert_eq!(location("/watch/table-1/r-1?from=20&to=10").1, "/login?next=/watch/table-1/r-1");
    for bad in [
        "/watch/table-1%3Ffrom=1%26to=2",
        "/watch/table-1/r-1%3Ffrom=x%26to=2",
        "/%3Fx=1",
        "/watch/table-1/r-1%26x",
    ] {
        assert!(!page(&format!("/login?next={bad}")).contains("data-next"), "{bad}");
    }
}
