//! What a session sees of a channel.

use railbird_core::id::ChannelId;
use railbird_core::keys::{self, MasterSecret};
use railbird_core::object;
use serde_json::{Value, json};

use super::Door;
use super::ask::{Answer, Edge, Session, now, variable};
use super::fixture::{self, KEY_PERIOD_S, NODE_A, NODE_B, SEGMENT_MS};

const HLS: &str = "application/vnd.apple.mpegurl";

/// The list has what the pass covers, in the event's order.
pub(crate) async fn channels<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let answer = edge.get("/api/channels", session).await;
    answer.status(200).header("content-type", "application/json").header("cache-control", "no-store");
    let nodes = json!([{"id": "a", "url": NODE_A, "up": true}, {"id": "b", "url": NODE_B, "up": true}]);
    let channel = |id: &str, title: &str, phase: &str, nodes: &Value| json!({"id": id, "title": title, "phase": phase, "nodes": nodes, "replays": []});
    let sorted = |mut list: Value| {
        for channel in list["channels"].as_array_mut().unwrap() {
            // Each viewer has its own order.
            channel["nodes"].as_array_mut().unwrap().sort_by_key(|node| node["id"].to_string());
        }
        list
    };
    let all = [
        channel("table-1", "Table 1", "live", &nodes),
        channel("table-2", "Table \"2\" & <more>", "live", &nodes),
        channel("table-3", "Table 3", "waiting", &json!([])),
    ];
    let event = json!({"id": "open-2026", "title": "Railbird Open <2026>"});
    assert_eq!(sorted(answer.json()), json!({"event": event, "channels": all}));
    let narrow = edge.get("/api/channels", &super::ask::session(&["table-2", "table-9"])).await;
    assert_eq!(sorted(narrow.json()), json!({"event": event, "channels": [all[1]]}));
}

/// The value of a quoted attribute in a playlist.
pub(super) fn attribute<'a>(text: &'a str, name: &str) -> &'a str {
    let start = format!("{name}=\"");
    let rest = text.split_once(&start).unwrap_or_else(|| panic!("no {name} in:\n{text}")).1;
    rest.split_once('"').unwrap().0
}

/// A relative reference against a path, as far as playlists use it (RFC 3986, 5.2).
pub(super) fn resolve(base: &str, reference: &str) -> String {
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in reference.split('/') {
        match part {
            ".." => assert!(parts.pop().is_some_and(|part| !part.is_empty()), "{reference} leaves {base}"),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The lines that are URIs.
pub(super) fn uris(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
}

pub(super) fn playlist(answer: &Answer) -> String {
    answer.status(200).header("content-type", HLS).header("cache-control", "private, no-cache");
    let text = answer.text();
    assert!(text.starts_with("#EXTM3U\n"), "{}: {text}", answer.asked());
    text
}

/// Playlists lead to each other, to the keys and to the nodes, by token alone.
pub(crate) async fn playlists<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let main = session.path("/live/table-1/main.m3u8");
    let text = playlist(&edge.get_plain(&main).await);
    let order = steering(edge, &session.path("/steer/table-1")).await;
    let variants: Vec<String> = order.iter().map(|node| format!("{node}/source.m3u8")).collect();
    assert_eq!(uris(&text), variants, "this viewer's order");
    for node in ["a", "b"] {
        assert!(text.contains(&format!("PATHWAY-ID=\"{node}\"")), "{text}");
    }
    let steer = resolve(&main, attribute(&text, "SERVER-URI"));
    assert_eq!(steering(edge, &steer).await, order);

    for (variant, own) in [("a/source.m3u8", NODE_A), ("b/source.m3u8", NODE_B)] {
        let path = resolve(&main, variant);
        let text = playlist(&edge.get_plain(&path).await);
        segments(&text, &[own], own);
        // It is the origin's as long as nothing was left out.
        let first = fixture::number(first_start(&text));
        assert!(text.contains(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n")), "{text}");
        // The key that the playlist names is the one that the origin encrypts with.
        let key_path = resolve(&path, attribute(&text, "METHOD=AES-128,URI"));
        let period = key_path.rsplit_once('/').unwrap().1.parse().unwrap();
        let key = edge.get_plain(&key_path).await;
        assert_eq!(key.status(200).response.body, content_key("table-1", period));
        assert!(m3u8_rs::parse_media_playlist_res(text.as_bytes()).is_ok(), "m3u8-rs reads it:\n{text}");
    }
    let playlists = [main, session.path("/live/table-1/a/source.m3u8")];
    for path in playlists {
        let head = edge.ask("HEAD", &path, Vec::new(), "").await;
        head.status(200).header("content-type", HLS);
    }
    for path in ["/live/table-1/x/source.m3u8", "/live/table-1/a/other.m3u8"] {
        edge.get(path, session).await.error(404, "no-such-playlist");
    }
}

/// The segment URLs are those of the fixture: at the first of `nodes`, but one at b, which alone has it.
fn segments(text: &str, nodes: &[&str], gap_at: &str) {
    let (channel, rendition) = ("table-1".parse().unwrap(), "source".parse().unwrap());
    let uris = uris(text);
    assert_eq!(uris.len(), 20, "{text}");
    let first = object::segment_name(&channel, &rendition, first_start(text), SEGMENT_MS);
    assert!(uris[0].ends_with(&first), "{first} is not first in:\n{text}");
    let first = fixture::number(first_start(text));
    for (n, uri) in (first..).zip(&uris) {
        let expected = match n {
            n if fixture::only_b(n) => NODE_B,
            n if fixture::nowhere(n) => gap_at,
            _ => nodes[0],
        };
        // Where a gap's URL leads is of no matter.
        let right = uri.starts_with(&format!("{expected}/table-1/source/"));
        assert!(right || fixture::nowhere(n), "{n}: {uri} in:\n{text}");
    }
    assert_eq!(text.matches("#EXT-X-GAP").count(), 1, "{text}");
}

/// The first program date-time of a playlist, by searching the fixture's grid for it.
fn first_start(text: &str) -> railbird_core::time::MediaTime {
    let (_, rest) = text.split_once("#EXT-X-PROGRAM-DATE-TIME:").unwrap();
    let stamp = rest.lines().next().unwrap();
    let newest = now().0 / u64::from(SEGMENT_MS);
    let mut grid = (0..600).map(|n| fixture::start(newest - n));
    grid.find(|time| time.iso8601() == stamp).unwrap_or_else(|| panic!("{stamp} is not on the grid"))
}

async fn steering<D: Door>(edge: &Edge<'_, D>, path: &str) -> Vec<String> {
    let answer = edge.get_plain(&format!("{path}?_HLS_pathway=%22a%22&_HLS_throughput=5140000")).await;
    answer
        .status(200)
        .header("content-type", "application/json")
        .header("cache-control", "private, no-cache");
    let manifest = answer.json();
    assert_eq!((&manifest["VERSION"], &manifest["TTL"]), (&json!(1), &json!(10)));
    serde_json::from_value(manifest["PATHWAY-PRIORITY"].clone()).unwrap()
}

pub(super) fn content_key(channel: &str, period: u64) -> [u8; 16] {
    let secret = MasterSecret::new(variable("master_secret").as_bytes()).unwrap();
    secret.content_key(&channel.parse::<ChannelId>().unwrap(), period)
}

/// Keys of what can be played now, and of nothing else.
pub(crate) async fn keys<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let present = keys::period(now().media(), KEY_PERIOD_S);
    for channel in ["table-1", "table-2"] {
        for period in [present - 1, present] {
            let answer = edge.get(&format!("/key/{channel}/{period}"), session).await;
            answer
                .status(200)
                .header("content-type", "application/octet-stream")
                .header("cache-control", "no-store");
            assert_eq!(answer.response.body, content_key(channel, period), "{channel}, {period}");
        }
        for period in [0, 1, present - 100, present + 100, u64::MAX - 1, u64::MAX] {
            edge.get(&format!("/key/{channel}/{period}"), session).await.error(403, "no-such-period");
            edge.get_plain(&format!("/key/{channel}/{period}")).await.error(401, "no-session");
        }
    }
    for period in ["-1", "+1", "01", "x", "1.0", "18446744073709551616"] {
        edge.get(&format!("/key/table-1/{period}"), session).await.error(404, "not-found");
    }
}

/// The score is kept by revision and served whole or from a number on.
pub(crate) async fn score<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const PUSH: &str = "/origin/v1/channels/table-1/score";
    const GET: &str = "/live/table-1/score.json";
    edge.get(GET, session).await.error(404, "no-score").header("retry-after", "2");
    let now = now();
    let document = fixture::score("table-1", now.0, now, &[0, 3, 4, 9]);
    edge.push(PUSH, &document).await.status(204);
    let kept = edge.push(PUSH, &fixture::score("table-1", now.0 - 1, now, &[0])).await;
    assert_eq!(kept.status(200).json(), json!({ "kept": now.0 }));
    let whole = edge.get(GET, session).await;
    whole.status(200).header("content-type", "application/json").header("cache-control", "private, no-cache");
    assert_eq!(whole.json(), document);
    assert_eq!(edge.get_plain(&session.path(GET)).await.json(), document);
    for (after, rest) in [("0", &[3, 4, 9][..]), ("3", &[4, 9]), ("5", &[9]), ("9", &[]), ("99", &[])] {
        let answer = edge.get(&format!("{GET}?after={after}"), session).await;
        answer.status(200).header("content-type", "application/json");
        assert_eq!(answer.json(), fixture::score("table-1", now.0, now, rest), "after {after}");
    }
    // After an undo, whoever has entries from before it gets all.
    let mut undone = fixture::score("table-1", now.0 + 1, now, &[0, 3, 9]);
    undone["rewritten"] = json!(9);
    edge.push(PUSH, &undone).await.status(204);
    assert_eq!(edge.get(&format!("{GET}?after=4"), session).await.json(), undone);
    let mut rest = fixture::score("table-1", now.0 + 1, now, &[]);
    rest["rewritten"] = json!(9);
    assert_eq!(edge.get(&format!("{GET}?after=9"), session).await.json(), rest);
    for bad in ["", "x", "-1", "1e3", "99999999999999999999"] {
        edge.get(&format!("{GET}?after={bad}"), session).await.error(400, "bad-request");
    }
    edge.get("/live/table-2/score.json", session).await.error(404, "no-score");
}

/// A newer state moves every URL that can move, and an older one does not move it back.
pub(crate) async fn a_node_goes_down<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const PUSH: &str = "/origin/v1/channels/table-1/state";
    let now = now();
    // Newer than any revision that was pushed before, by the same clock.
    let revision = now.0 + 1;
    // Where both are the same, this viewer's own order.
    let own = steering(edge, &session.path("/steer/table-1")).await;
    let own = [own[0].as_str(), own[1].as_str()];
    for (later, up, order) in [
        (0, [false, true], ["b", "a"]),
        (1, [false, false], own),
        (2, [true, false], ["a", "b"]),
        (3, [true, true], own),
    ] {
        let state = fixture::state("table-1", revision + later, now, up);
        edge.push(PUSH, &state).await.status(204);
        let stale = fixture::state("table-1", revision + later - 1, now, [!up[0], !up[1]]);
        edge.push(PUSH, &stale).await.status(200);
        assert_eq!(steering(edge, &session.path("/steer/table-1")).await, order, "{up:?}");
        let main = playlist(&edge.get("/live/table-1/main.m3u8", session).await);
        assert!(attribute(&main, "SERVER-URI").ends_with("steer/table-1"));
        assert_eq!(uris(&main)[0], format!("{}/source.m3u8", order[0]), "{up:?}");
        for (own, bit) in [("a", 0), ("b", 1)] {
            let text = playlist(&edge.get(&format!("/live/table-1/{own}/source.m3u8"), session).await);
            // The own node if it is up, else the first of those that are, else the first.
            let other = if up == [false, true] { "b" } else { "a" };
            let first = if up[bit] { own } else { other };
            let first = if first == "a" { NODE_A } else { NODE_B };
            segments(&text, &[first], first);
        }
        let list = edge.get("/api/channels", session).await.json();
        let nodes = list["channels"][0]["nodes"].as_array().unwrap();
        let is_up = |id| nodes.iter().find(|node| node["id"] == id).unwrap()["up"].as_bool().unwrap();
        assert_eq!(["a", "b"].map(is_up), up);
        assert_eq!([0, 1].map(|n| nodes[n]["id"].as_str().unwrap()), order);
    }
}

/// A channel that was announced and has nothing yet.
pub(crate) async fn not_started<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const PUSH: &str = "/origin/v1/channels/table-3/state";
    let paths =
        ["/live/table-3/main.m3u8", "/live/table-3/a/source.m3u8", "/steer/table-3", "/key/table-3/1"];
    for path in paths {
        edge.get(path, session).await.error(404, "not-started").header("retry-after", "2");
    }
    // The origin is there, the feed is not.
    let now = now();
    let mut state = fixture::state("table-3", now.0, now, [true, true]);
    state["phase"] = json!("waiting");
    state["renditions"] = json!([]);
    edge.push(PUSH, &state).await.status(204);
    for path in &paths[..2] {
        edge.get(path, session).await.error(404, "not-started").header("retry-after", "2");
    }
    let present = keys::period(now.media(), KEY_PERIOD_S);
    edge.get(&format!("/key/table-3/{present}"), session).await.status(200);
    edge.get("/key/table-3/1", session).await.error(403, "no-such-period");
    edge.get("/live/table-3/score.json", session).await.error(404, "no-score");
}
