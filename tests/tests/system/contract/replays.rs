//! Recordings: as a list, as playlists, and while they are being made.

use serde_json::json;

use super::Door;
use super::ask::{Edge, Session, now};
use super::fixture::{self, SEGMENT_MS};
use super::live::{attribute, content_key, playlist, resolve, uris};

const LIST: &str = "/origin/v1/channels/table-1/replays";

/// Lists and chapters that can't be used, and recordings that are not there.
pub(crate) async fn refused<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let replay = fixture::replay("r-1", 1000, 1, true);
    let mut titled = replay.clone();
    titled["title"] = json!("x".repeat(401));
    let mut long = replay.clone();
    long["chapters"] = json!(2001);
    for list in [
        fixture::replays("table-2", "north", 1, &[]),
        fixture::replays("table-1", "north", 1, &vec![replay.clone(); 65]),
        fixture::replays("table-1", "north", 1, &[titled]),
        fixture::replays("table-1", "north", 1, &[long]),
        fixture::replays("table-1", "../north", 1, &[]),
    ] {
        edge.push(LIST, &list).await.error(400, "bad-request");
    }
    edge.push_as("admin_secret", LIST, &fixture::replays("table-1", "north", 1, &[]))
        .await
        .error(401, "bad-signature");
    for chapter in [
        fixture::chapter("table-2", "r-1", 1, 1000..1010),
        fixture::chapter("table-1", "r-2", 1, 1000..1010),
        fixture::chapter("table-1", "r-1", 1, 1000..2001),
        json!({}),
    ] {
        edge.push(&format!("{LIST}/r-1/0"), &chapter).await.error(400, "bad-request");
    }
    edge.push(&format!("{LIST}/r-1/2000"), &json!({})).await.error(404, "not-found");
    for path in ["/replay/table-1/r-1/main.m3u8", "/replay/table-1/r-1/a/source.m3u8"] {
        edge.get(path, session).await.error(404, "no-such-replay");
        edge.get_plain(path).await.error(401, "no-session");
        edge.get(path, &super::ask::session(&["table-2"])).await.error(403, "not-covered");
    }
    edge.get("/replay/table-9/r-1/main.m3u8", session).await.error(404, "no-such-channel");
}

/// A recording that is over plays from its chapters, with its keys, by cookie or by token.
pub(crate) async fn one_that_is_over<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    // In February 2026, with one segment in twenty at node b only and one nowhere.
    let first = 885_000_000;
    let ours = fixture::replay("r-2026", first, 3, true);
    // Another origin recorded the same, and began later.
    let theirs = fixture::replay("r-2026-south", first + 5, 2, true);
    edge.push(LIST, &fixture::replays("table-1", "north", 5, &[ours])).await.status(204);
    edge.push(LIST, &fixture::replays("table-1", "south", 9, &[theirs])).await.status(204);
    let old = edge.push(LIST, &fixture::replays("table-1", "north", 4, &[])).await;
    assert_eq!(old.status(200).json(), json!({"kept": 5}));
    let main = session.path("/replay/table-1/r-2026/main.m3u8");
    edge.get_plain(&main).await.error(404, "not-started");
    for n in 0..3 {
        let numbers = first + 10 * n..first + 10 * (n + 1);
        let chapter = fixture::chapter("table-1", "r-2026", 3, numbers);
        edge.push(&format!("{LIST}/r-2026/{n}"), &chapter).await.status(204);
        edge.push(&format!("{LIST}/r-2026/{n}"), &chapter).await.status(200);
    }
    let list = edge.get("/api/channels", session).await.json();
    let start = fixture::start(first).iso8601();
    let shown =
        json!([{"id": "r-2026", "title": "Final <r-2026>", "start": start, "duration": 60, "live": false}]);
    assert_eq!(list["channels"][0]["replays"], shown, "of two recordings of one match, the longer");

    let text = playlist(&edge.get_plain(&main).await);
    let steer = resolve(&main, attribute(&text, "SERVER-URI"));
    edge.get_plain(&steer).await.status(200);
    for variant in uris(&text) {
        let path = resolve(&main, variant);
        let text = playlist(&edge.get_plain(&path).await);
        assert!(text.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
        assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:0\n"), "{text}");
        assert_eq!((uris(&text).len(), text.matches("#EXT-X-GAP\n").count()), (30, 2), "{text}");
        assert_eq!(text.matches("#EXT-X-MAP").count(), 1, "{text}");
        assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
        let key_path = resolve(&path, attribute(&text, "METHOD=AES-128,URI"));
        let period = key_path.rsplit_once('/').unwrap().1.parse().unwrap();
        assert_eq!(edge.get_plain(&key_path).await.status(200).response.body, content_key("table-1", period));
        assert!(m3u8_rs::parse_media_playlist_res(text.as_bytes()).is_ok(), "m3u8-rs reads it:\n{text}");
    }
    edge.get("/replay/table-1/r-2026/x/source.m3u8", session).await.error(404, "no-such-playlist");
    edge.get("/replay/table-1/r-2026/a/other.m3u8", session).await.error(404, "no-such-playlist");
}

/// A recording that is being made plays from its start: chapters, then what is live. Segments are only ever appended.
pub(crate) async fn start_over<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const STATE: &str = "/origin/v1/channels/table-5/state";
    const REPLAYS: &str = "/origin/v1/channels/table-5/replays";
    let first = now().0 / u64::from(SEGMENT_MS) - 200;
    let revision = now().0;
    let mut seen: Vec<String> = Vec::new();
    // The window is of twenty segments; chapters come some time after their last segment.
    for step in 0..6 {
        let end = first + 15 + step * 7;
        let window = end.saturating_sub(20).max(first)..end;
        let mut live = fixture::chapter("table-5", "live-1", revision + step, window);
        live["updated"] = json!(now());
        edge.push(STATE, &live).await.status(204);
        let chapters = (end - first) / 10;
        for n in 0..chapters {
            let numbers = first + 10 * n..first + 10 * (n + 1);
            let chapter = fixture::chapter("table-5", "live-1", 1, numbers);
            edge.push(&format!("{REPLAYS}/live-1/{n}"), &chapter).await;
        }
        let replay = fixture::replay("live-1", first, chapters, false);
        edge.push(REPLAYS, &fixture::replays("table-5", "north", step + 1, &[replay])).await.status(204);

        let main = playlist(&edge.get("/replay/table-5/live-1/main.m3u8", session).await);
        assert_eq!(uris(&main).len(), 2);
        let text = playlist(&edge.get("/replay/table-5/live-1/a/source.m3u8", session).await);
        assert!(text.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !text.contains("ENDLIST"), "{text}");
        let now: Vec<String> = uris(&text).iter().map(ToString::to_string).collect();
        assert_eq!(now.len() as u64, end - first, "from its start to the newest: {text}");
        assert_eq!(now[..seen.len()], seen, "what was listed stays");
        seen = now;
    }
    // The channel ends.
    let end = first + 60;
    let mut live = fixture::chapter("table-5", "live-1", revision + 9, end - 20..end);
    (live["updated"], live["phase"]) = (json!(now()), json!("ended"));
    edge.push(STATE, &live).await.status(204);
    for n in 5..6 {
        let chapter = fixture::chapter("table-5", "live-1", 1, first + 10 * n..first + 10 * (n + 1));
        edge.push(&format!("{REPLAYS}/live-1/{n}"), &chapter).await;
    }
    let replay = fixture::replay("live-1", first, 6, true);
    edge.push(REPLAYS, &fixture::replays("table-5", "north", 9, &[replay])).await.status(204);
    let text = playlist(&edge.get("/replay/table-5/live-1/a/source.m3u8", session).await);
    assert!(text.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    assert_eq!(uris(&text).len(), 60);
}

/// A day of play in one playlist.
pub(crate) async fn twelve_hours<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const CHAPTERS: u64 = 72;
    const SEGMENTS: u64 = 300;
    let first = 880_000_000;
    let mut replay = fixture::replay("day", first, CHAPTERS, true);
    replay["duration"] = json!(CHAPTERS * SEGMENTS * u64::from(SEGMENT_MS) * 90);
    let list = "/origin/v1/channels/table-3/replays";
    edge.push(list, &fixture::replays("table-3", "north", 1, &[replay])).await.status(204);
    for n in 0..CHAPTERS {
        let numbers = first + SEGMENTS * n..first + SEGMENTS * (n + 1);
        let chapter = fixture::chapter("table-3", "day", 1, numbers);
        edge.push(&format!("{list}/day/{n}"), &chapter).await.status(204);
    }
    let text = playlist(&edge.get("/replay/table-3/day/b/source.m3u8", session).await);
    assert_eq!(uris(&text).len() as u64, CHAPTERS * SEGMENTS);
    assert!(text.ends_with("#EXT-X-ENDLIST\n") && !text.contains("#EXT-X-DISCONTINUITY\n"));
    assert!(text.len() < 4 << 20, "{} bytes", text.len());
}
