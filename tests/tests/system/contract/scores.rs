//! The score as viewers of every kind get it: news as it comes, in playlists, as subtitles, and of a recording no more than
//! somebody has come to.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use railbird_core::score::{Document, Event, Log, Offer, Offsets, Position};
use railbird_core::session::FOLLOWS_MAX;
use railbird_core::time::{MediaTime, UtcMs};
use serde_json::{Value, json};

use super::Door;
use super::ask::{Answer, Edge, Session, now, session};
use super::fixture::{self, SEGMENT_MS};
use super::live::{playlist, resolve, uris};

/// A match that begins at a moment: a second a point and a second a miss, side 0 first, a run after the other.
fn played(channel: &str, match_id: &str, begin: UtcMs, runs: &[u32]) -> Document {
    let mut log = Log::new();
    let mut take = |action: Value| {
        let seq = log.events().len() as u64 + 1;
        let occurred = begin.plus_ms(1000 * (seq - 1));
        let event = Event::from_json(json!({"occurred": occurred, "action": action}).to_string().as_bytes());
        assert_eq!(log.offer(Position { epoch: 1, seq }, event.unwrap(), None), Offer::Accept);
    };
    take(
        json!({"type": "start", "title": "World Cup final", "discipline": "three-cushion", "target": 40, "breaks": 0,
        "sides": [{"name": "Torbjörn Blomdahl"}, {"name": "Dick \"J\" Jaspers"}]}),
    );
    let mut totals = [0, 0];
    for (side, run) in (0..).zip(runs).map(|(n, run)| (n % 2, *run)) {
        (0..run).for_each(|_| take(json!({"type": "points", "side": side, "points": 1})));
        totals[side] += run;
        if totals[side] < 40 {
            take(json!({"type": "end_inning", "side": side}));
        }
    }
    let (updated, revision) =
        (UtcMs(begin.0 + 1000 * log.events().len() as u64), begin.0 + u64::from(runs.iter().sum::<u32>()));
    log.document(
        channel.parse().unwrap(),
        match_id.parse().unwrap(),
        revision,
        updated,
        500,
        &Offsets::default(),
    )
    .unwrap()
}

fn json_of(document: &Document) -> Value {
    serde_json::to_value(document).unwrap()
}

/// The event of an answer: its number, and what it tells. `None` where there was only a comment.
fn event(answer: &Answer) -> Option<(u64, Value)> {
    answer.status(200).header("content-type", "text/event-stream").header("cache-control", "no-store");
    let text = answer.text();
    assert!(text.starts_with("retry: ") && text.ends_with("\n\n"), "{}: {text}", answer.asked());
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let (seq, _) = field("id: ")?.split_once('-')?;
    Some((seq.parse().unwrap(), serde_json::from_str(field("data: ")?).unwrap()))
}

/// News of the score comes when there is some; few of a session wait for it.
pub(crate) async fn events<D: Door>(edge: &Edge<'_, D>) {
    const SCORE: &str = "/origin/v1/channels/table-11/score";
    let (now, [one, other]) = (now(), [session(&["table-11"]), session(&["*"])]);
    edge.push("/origin/v1/channels/table-11/state", &fixture::state("table-11", now.0, now, [true, true]))
        .await
        .status(204);
    let push = async |seqs: &[u64]| {
        let revision = now.0 + seqs.last().unwrap();
        edge.push(SCORE, &fixture::score("table-11", revision, now, seqs)).await.status(204);
    };
    push(&[1, 2]).await;
    let (id, told) = event(&edge.get("/live/table-11/score.events", &one).await).unwrap();
    let whole = edge.get("/live/table-11/score.json", &one).await.json();
    assert_eq!((id, told), (2, whole));
    let (id, told) = event(&edge.get("/live/table-11/score.events?after=1", &one).await).unwrap();
    let rest = edge.get("/live/table-11/score.json?after=1", &one).await.json();
    assert_eq!((id, told), (2, rest));
    edge.get("/live/table-11/score.events?after=x", &one).await.error(400, "bad-request");
    edge.get_plain("/live/table-11/score.events").await.error(401, "no-session");

    // What browsers tell of what they heard counts before the query that they began with.
    let asked = async |by: &Session| {
        let headers = vec![by.cookie(), ("last-event-id".to_string(), "2".to_string())];
        event(&edge.ask("GET", "/live/table-11/score.events?after=0", headers, "").await)
    };
    let mut own: FuturesUnordered<_> = (0..FOLLOWS_MAX + 2).map(|_| asked(&one)).collect();
    for _ in 0..2 {
        assert_eq!(own.next().await.unwrap(), None, "it does not wait");
    }
    let then_push = async {
        // Sent behind the other's: an answer says that it has come in.
        super::pages::health(edge).await;
        push(&[1, 2, 3]).await;
    };
    let (others, ()) = futures::future::join(asked(&other), then_push).await;
    let expected = edge.get("/live/table-11/score.json?after=2", &one).await.json();
    assert_eq!(others, Some((3, expected.clone())));
    let waited: Vec<_> = own.collect().await;
    assert_eq!(waited, vec![Some((3, expected)); FOLLOWS_MAX]);
}

/// A live channel with a scorer has subtitles, and its playlists say what is played.
pub(crate) async fn live<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let now = now();
    let mut state = fixture::state("table-11", now.0 + 1, now, [true, true]);
    let first: MediaTime =
        serde_json::from_value(state["renditions"][0]["segments"][0]["start"].clone()).unwrap();
    let score = played("table-11", "final", UtcMs(first.utc().0 + 5_000), &[3, 2]);
    state["score"] = json!({"revision": score.revision, "ranges": score.ranges()});
    edge.push("/origin/v1/channels/table-11/state", &state).await.status(204);
    let mut document = json_of(&score);
    document["revision"] = json!(now.0 + 1000);
    edge.push("/origin/v1/channels/table-11/score", &document).await.status(204);

    let main = session.path("/live/table-11/main.m3u8");
    let text = playlist(&edge.get_plain(&main).await);
    let media = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"score\",NAME=\"Score\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO,\
        FORCED=NO,URI=\"score.m3u8\"\n";
    assert!(text.contains(media) && text.matches(",SUBTITLES=\"score\"").count() == 2, "{text}");
    let own = resolve(&main, "score.m3u8");
    let subtitles = playlist(&edge.get_plain(&own).await);
    let source = playlist(&edge.get_plain(&resolve(&main, "a/source.m3u8")).await);
    assert_eq!(uris(&subtitles).len(), uris(&source).len());
    let cues = async |n: usize| {
        let answer = edge.get_plain(&resolve(&own, uris(&subtitles)[n])).await;
        answer.status(200).header("content-type", "text/vtt").header("cache-control", "private, no-cache");
        answer.text()
    };
    assert_eq!(cues(0).await.matches("-->").count(), 0, "nothing is played yet");
    assert!(
        cues(4).await.contains("\nTorbjörn Blomdahl 3\n• Dick \"J\" Jaspers 0\nInning 1\n"),
        "{}",
        cues(4).await
    );
    assert!(source.contains("CLASS=\"org.railbird.score.inning\""), "{source}");
    assert!(source.contains("X-ORG-RAILBIRD-TITLE=\"Dick 'J' Jaspers\""), "{source}");
    assert!(m3u8_rs::parse_media_playlist_res(source.as_bytes()).is_ok(), "m3u8-rs reads it:\n{source}");
    for bad in ["score/1-0.vtt", "score/01-9.vtt", "score/9.vtt", "score/9-9.vtt/"] {
        edge.get(&format!("/live/table-11/{bad}"), session).await.error(404, "not-found");
    }
    // A channel without a scorer is as it was.
    edge.get("/live/table-1/score.m3u8", session).await.error(404, "no-such-playlist");
    assert!(!edge.get("/live/table-1/main.m3u8", session).await.text().contains("SUBTITLES"));
}

/// Matches of recordings: pushed, kept by revision, told whole.
pub(crate) async fn of_a_recording<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const LIST: &str = "/origin/v1/channels/table-12/replays";
    const PUSH: &str = "/origin/v1/channels/table-12/matches/m-1";
    let first = 885_300_000;
    let begin = UtcMs(first * u64::from(SEGMENT_MS) + 2_000);
    let (early, whole) =
        (played("table-12", "m-1", begin, &[3, 1]), played("table-12", "m-1", begin, &[3, 2]));
    for (path, body) in [
        (PUSH, json!({})),
        ("/origin/v1/channels/table-13/matches/m-1", json_of(&early)),
        ("/origin/v1/channels/table-12/matches/m-2", json_of(&early)),
    ] {
        edge.push(path, &body).await.error(400, "bad-request");
    }
    edge.push_as("admin_secret", PUSH, &json_of(&early)).await.error(401, "bad-signature");
    edge.push(PUSH, &json_of(&early)).await.status(204);
    edge.push(PUSH, &json_of(&whole)).await.status(204);
    assert_eq!(edge.push(PUSH, &json_of(&early)).await.status(200).json(), json!({"kept": whole.revision}));
    let mut replay = fixture::replay("r-1", first, 1, true);
    replay["matches"] = json!([{"id": "m-0", "from": early.entries[0].at}, listed(&early)]);
    edge.push(LIST, &fixture::replays("table-12", "north", 1, &[replay])).await.status(204);
    edge.push(&format!("{LIST}/r-1/0"), &fixture::chapter("table-12", "r-1", 1, first..first + 10))
        .await
        .status(204);
    let path = "/replay/table-12/r-1/score.json";
    let answer = edge.get(path, session).await;
    answer
        .status(200)
        .header("content-type", "application/json")
        .header("cache-control", "private, no-cache");
    assert_eq!(answer.json(), json!({"matches": [json_of(&whole)]}), "of m-0 nothing has arrived");
    edge.get_plain(path).await.error(401, "no-session");
    edge.get("/replay/table-12/r-9/score.json", session).await.error(404, "no-such-replay");
    let media = playlist(&edge.get("/replay/table-12/r-1/a/source.m3u8", session).await);
    assert_eq!(media.matches("#EXT-X-DATERANGE:").count(), 3, "the match and two innings: {media}");
    // Of a clip, only what lies in it is listed.
    let clip = format!("?from={}&to={}", begin.0 + 1, begin.0 + 3_000);
    let text = playlist(&edge.get(&format!("/replay/table-12/r-1/a/source.m3u8{clip}"), session).await);
    assert_eq!(uris(&text), uris(&media)[1..3], "{text}");
    assert!(text.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    let main = playlist(&edge.get(&format!("/replay/table-12/r-1/main.m3u8{clip}"), session).await);
    assert!(uris(&main).iter().all(|uri| uri.ends_with(&clip)), "{main}");
    edge.get("/replay/table-12/r-1/a/source.m3u8?from=1&to=2", session).await.error(404, "no-such-stretch");
    edge.get("/replay/table-12/r-1/a/source.m3u8?from=2&to=1", session).await.error(400, "bad-request");
}

/// A match as a list has it.
fn listed(document: &Document) -> Value {
    json!({"id": document.match_id, "from": document.entries[0].at})
}

/// Everything that the edge tells a viewer who has come so far in the recording: each text by its address.
async fn traffic<D: Door>(edge: &Edge<'_, D>, session: &Session, until: UtcMs) -> Vec<(String, String)> {
    let root = "/replay/table-13/r-1";
    let mut open = vec![
        "/api/channels?spoilers=no".to_string(),
        "/watch/table-13/r-1".to_string(),
        format!("{root}/score.json?until={}", until.0),
        format!("{root}/main.m3u8?until={}", until.0),
    ];
    let (mut seen, mut texts) = (BTreeSet::new(), Vec::new());
    while let Some(path) = open.pop() {
        let (base, _) = path.split_once('?').unwrap_or((&path, ""));
        // Which nodes there are is nobody's score.
        if base.starts_with("/steer/") || !seen.insert(path.clone()) {
            continue;
        }
        let answer = edge.get(&path, session).await;
        let text = answer.status(200).text();
        if base.ends_with(".m3u8") {
            let attributes = text.split("URI=\"").skip(1).filter_map(|rest| rest.split('"').next());
            let all = uris(&text).into_iter().chain(attributes);
            open.extend(all.filter(|uri| !uri.starts_with("http")).map(|uri| resolve(base, uri)));
        }
        let of_the_edge = |name: &str| !["date", "set-cookie"].contains(&name) && !name.starts_with("cf-");
        let headers = answer.response.headers.iter().filter(|(name, _)| of_the_edge(name));
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\n")).collect();
        texts.push((path, format!("{headers}\n{text}")));
    }
    texts.sort();
    texts
}

/// Nobody is told what it has not come to: what a spoiler-free viewer gets is the same whatever happened later.
pub(crate) async fn without_spoilers<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const LIST: &str = "/origin/v1/channels/table-13/replays";
    let first = 885_400_000;
    let begin = UtcMs(first * u64::from(SEGMENT_MS) + 2_000);
    // In its third run, of which three points are made.
    let until = begin.plus_ms(10_500);
    let mut event = fixture::event(now().0);
    event["channels"] = json!([{"id": "table-13", "title": "Table 13"}]);
    let mut worlds = Vec::new();
    for (revision, runs, chapters, more) in [(1, &[3, 2, 5, 1][..], 3, false), (2, &[3, 2, 37, 0], 6, true)] {
        let mut matches = vec![played("table-13", "m-1", begin, runs)];
        if more {
            matches.push(played("table-13", "m-2", begin.plus_ms(60_000), &[1, 2]));
        }
        let ids: Vec<_> = matches.iter().map(listed).collect();
        let mut replay = fixture::replay("r-1", first, chapters, true);
        replay["matches"] = json!(ids);
        edge.push(LIST, &fixture::replays("table-13", "north", revision, &[replay])).await.status(204);
        for n in 0..chapters {
            let chapter = fixture::chapter("table-13", "r-1", revision, first + 10 * n..first + 10 * (n + 1));
            edge.push(&format!("{LIST}/r-1/{n}"), &chapter).await.status(204);
        }
        for document in &matches {
            let path = format!("/origin/v1/channels/table-13/matches/{}", document.match_id);
            edge.push(&path, &json_of(document)).await.status(204);
        }
        event["revision"] = json!(now().0 + revision);
        edge.push("/origin/v1/event", &event).await.status(204);
        worlds.push((
            traffic(edge, session, until).await,
            traffic(edge, session, begin.plus_ms(600_000)).await,
        ));
    }
    let [(early, first_whole), (late, second_whole)] = worlds.try_into().unwrap();
    let paths: Vec<&str> = early.iter().map(|(path, _)| path.as_str()).collect();
    let count = |end: &str| paths.iter().filter(|path| path.contains(end)).count();
    // Two pathways, subtitles of seven segments.
    assert_eq!(
        (count("source.m3u8?until="), count(".vtt?until="), count("score.json")),
        (2, 7, 1),
        "{paths:?}"
    );
    assert_eq!(early, late, "it does not depend on what happened later");
    let told = |texts: &[(String, String)], what: &str| texts.iter().any(|(_, text)| text.contains(what));
    // It is told once somebody has come to it.
    for (what, is_early) in
        [("\"winner\":0", false), ("ENDLIST", false), ("Blomdahl 6 (+3)", true), ("Blomdahl 8", false)]
    {
        assert_eq!(told(&early, what), is_early, "{what}");
    }
    assert_ne!(first_whole, second_whole);
    assert!(
        told(&second_whole, "ENDLIST")
            && told(&second_whole, "\"m-2\"")
            && told(&second_whole, "\"phase\":\"finished\"")
    );
    // No instant later than that is named, in whichever form.
    for (path, text) in &early {
        assert_eq!(later_instants(text, begin, until), [""; 0], "{path} tells of them:\n{text}");
    }
}

/// Instants of the hour after `begin` in a text that lie after `until`: milliseconds, ticks, or dates. A segment that has begun
/// may end up to its length later.
fn later_instants(text: &str, begin: UtcMs, until: UtcMs) -> Vec<String> {
    let hour = begin.plus_ms(3_600_000);
    let is_late = |at: UtcMs| at > until && at < hour;
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<u64>().ok());
    let late = numbers.filter(|n| {
        is_late(UtcMs(*n))
            || is_late(MediaTime(*n).utc())
            || is_late(UtcMs(n.saturating_mul(SEGMENT_MS.into())))
    });
    let dates = (until.0 + 1..hour.0).step_by(500).map(|ms| UtcMs(ms / 500 * 500).iso8601());
    let dates = dates.filter(|date| *date > until.iso8601() && text.contains(&**date));
    late.map(|n| n.to_string()).chain(dates).collect()
}
