//! Which nodes a player shall try, and what it tells of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Door;
use super::ask::{self, Answer, Edge, Session, now};
use super::fixture;

const NODES: &str = "/live/table-1/nodes.json";
const BEACONS: &str = "/live/table-1/beacons";

/// A failure of the test, not a figure: votes count after two windows, and copies of a second on the way, in the worst case.
const PATIENCE: Duration = Duration::from_secs(60);

async fn tell<D: Door>(edge: &Edge<'_, D>, path: &str, content_type: &str, body: &str) -> Answer {
    let header = ("content-type".to_string(), content_type.to_string());
    edge.ask("POST", path, vec![header], body).await
}

/// A line of a beacon about an object of a channel.
fn report(channel: &str, node: &str, status: u16) -> String {
    format!("e=rr,rc={status},ts=1795171920040,ttfb=31,url=\"{node}/{channel}/source/1.m4s\",v=2\n")
}

/// The list is the one of `/api/channels`, by cookie and by path.
pub(crate) async fn listed<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let answer = edge.get(NODES, session).await;
    answer
        .status(200)
        .header("content-type", "application/json")
        .header("cache-control", "private, no-cache");
    let programme = edge.get("/api/channels", session).await.json();
    let mut expected = json!({"nodes": programme["channels"][0]["nodes"], "ttl_ms": 10_000});
    // Where the host has lines, it is said.
    if let Some(line) = answer.json().get("line") {
        expected["line"] = line.clone();
    }
    assert_eq!(answer.json(), expected);
    assert_eq!(edge.get_plain(&session.path(NODES)).await.json(), expected);
    edge.get_plain(NODES).await.error(401, "no-session");
    edge.get(NODES, &ask::session(&["table-2"])).await.error(403, "not-covered");
    edge.get("/live/table-3/nodes.json", session).await.error(404, "not-started");
    edge.get("/live/table-9/nodes.json", session).await.error(404, "no-such-channel");
    edge.ask("POST", NODES, vec![session.cookie()], "").await.error(405, "wrong-method");
}

/// What is a beacon is answered 204, whatever it says.
pub(crate) async fn beacons<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const CMCD: &str = "application/cmcd";
    let path = session.path(BEACONS);
    let good = report("table-1", fixture::NODE_A, 200);
    for body in ["", "\n", "garbage", "e=rr,rc=0,url=\"https://a.railbird.test.evil/table-1/x\"", &good] {
        for content_type in [CMCD, "Application/CMCD; charset=utf-8"] {
            let answer = tell(edge, &path, content_type, body).await;
            assert_eq!(answer.status(204).text(), "");
        }
    }
    tell(edge, &path, CMCD, &"x\n".repeat(8_192)).await.status(204);
    tell(edge, &path, CMCD, &"x".repeat(16_385)).await.error(413, "too-large");
    for content_type in ["", "text/plain", "application/json", "application/cmcdx"] {
        tell(edge, &path, content_type, &good).await.error(415, "wrong-content-type");
    }
    tell(edge, BEACONS, CMCD, &good).await.error(401, "no-session");
    let other = ask::session(&["table-2"]);
    tell(edge, &other.path(BEACONS), CMCD, &good).await.error(403, "not-covered");
    tell(edge, &session.path("/live/table-9/beacons"), CMCD, &good).await.error(404, "no-such-channel");
    edge.get(BEACONS, session).await.error(405, "wrong-method").header("allow", "POST");
}

/// Four passes that fail at a node, again and again, move everybody to another one; one that lies moves nobody.
pub(crate) async fn votes_count<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    // Nodes of its own: what is known of a node is known to all channels that have it.
    const PUSH: &str = "/origin/v1/channels/table-5/state";
    let (a, b) = ("https://a.votes.test", "https://b.votes.test");
    let base = now().0 / u64::from(fixture::SEGMENT_MS) - 100;
    let mut state = fixture::chapter("table-5", "votes-1", now().0, base..base + 10);
    state["nodes"] = json!([{"id": "a", "url": a, "up": true}, {"id": "b", "url": b, "up": true}]);
    edge.push(PUSH, &state).await.status(204);
    let viewer = |name: &str| ask::session_of(name, &["table-5"]);
    let up = async |session: &Session| {
        let nodes = edge.get_plain(&session.path("/live/table-5/nodes.json")).await.json();
        let list = nodes["nodes"].as_array().unwrap().clone();
        let up = |id: &str| list.iter().find(|node| node["id"] == id).unwrap()["up"] == Value::Bool(true);
        (up("a"), up("b"), list[0]["id"].as_str().unwrap().to_string())
    };
    let failed_at_a = report("table-5", a, 0) + &report("table-5", b, 200);
    let failed_at_b = report("table-5", b, 503) + &report("table-5", a, 200);
    let (liar, honest) = (viewer("liar@railbird.test"), ["1", "2", "3", "4"]);
    let honest = honest.map(|n| viewer(&format!("{n}@railbird.test")));
    let begun = Instant::now();
    while up(&honest[0]).await.0 {
        assert!(begun.elapsed() < PATIENCE, "four passes say for {PATIENCE:?} that node a fails");
        for session in &honest {
            let path = session.path("/live/table-5/beacons");
            tell(edge, &path, "application/cmcd", &failed_at_a).await.status(204);
        }
        tell(edge, &liar.path("/live/table-5/beacons"), "application/cmcd", &failed_at_b).await.status(204);
    }
    for session in [session, &liar, &honest[3]] {
        assert_eq!(up(session).await, (false, true, "b".to_string()));
        let text = edge.get_plain(&session.path("/live/table-5/a/source.m3u8")).await.status(200).text();
        assert!(text.contains(&format!("\n{b}/table-5/")), "pathway a leads to b:\n{text}");
    }
}
