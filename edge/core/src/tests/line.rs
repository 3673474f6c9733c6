//! Lines: who may hold one, and what is told on it.

use super::*;
use crate::line::{LIFE_S_MAX, Seat, outdone};

fn asks(path: &str, headers: &[(&str, String)]) -> Request {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    Request {
        method: "GET".into(),
        path: path.into(),
        headers,
        region: Some("EU".into()),
        ..Request::default()
    }
}

impl Fixture<'_> {
    fn admit(&self, path: &str, headers: &[(&str, String)]) -> Result<Seat, Response> {
        ready(self.edge.admit(&asks(path, headers), &Moment { now: self.now, entropy: [7; 32] }))
    }
}

#[test]
fn a_line_is_asked_for_as_a_websocket_is() {
    let with = |headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.to_string())).collect();
        asks("/live/table-1/nodes.json", &headers)
    };
    assert!(
        with(&[("upgrade", "websocket")]).is_for_line() && with(&[("upgrade", "WebSocket")]).is_for_line()
    );
    assert!(!with(&[]).is_for_line() && !with(&[("upgrade", "h2c")]).is_for_line());
    assert!(!Request { method: "POST".into(), ..with(&[("upgrade", "websocket")]) }.is_for_line());
}

#[test]
fn only_a_session_that_covers_the_channel_holds_a_line_and_not_for_ever() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    let cookie = |expires_s| ("cookie", format!("__Host-railbird={}", session(expires_s)));
    let long = cookie(NOW.seconds() + 3600);
    let also = |more: &[(&'static str, String)]| [std::slice::from_ref(&long), more].concat();
    const NODES: &str = "/live/table-1/nodes.json";

    let seat = edge.admit(NODES, &also(&[])).unwrap();
    let channel = "table-1".parse().unwrap();
    assert_eq!(seat, Seat { channel, region: "eu", viewer: [9; 16], until_s: NOW.seconds() + LIFE_S_MAX });
    let brief = edge.admit(NODES, &[cookie(NOW.seconds() + 10)]).unwrap();
    assert_eq!(brief.until_s, NOW.seconds() + 10);

    let refused = |path: &str, headers: &[(&str, String)]| {
        let response = edge.admit(path, headers).unwrap_err();
        (response.status, code(&response))
    };
    assert_eq!(refused(NODES, &[]), (401, "no-session".to_string()));
    assert_eq!(refused(NODES, &[cookie(NOW.seconds())]), (401, "session-expired".to_string()));
    for path in ["/live/table-1/main.m3u8", "/live/table-1/beacons", "/", "/live/table-1/nodes.json/"] {
        assert_eq!(refused(path, &also(&[])), (400, "no-line".to_string()), "{path}");
    }
    // A page of another site has our cookie where a browser is old, and says where it is from.
    for foreign in [
        vec![("origin", "https://evil.test".to_string()), ("host", "live.test".to_string())],
        vec![("sec-fetch-site", "cross-site".to_string())],
    ] {
        assert_eq!(refused(NODES, &also(&foreign)), (403, "cross-site".to_string()));
    }
    let own = [("origin", "https://live.test".to_string()), ("host", "live.test".to_string())];
    assert!(edge.admit(NODES, &also(&own)).is_ok());
    probe.failing.set(true);
    assert_eq!(refused(NODES, &also(&[])), (503, "store".to_string()));
}

#[test]
fn who_opens_one_more_line_than_it_may_loses_the_oldest() {
    let of = |opened: &[u64]| outdone(&opened.iter().map(|ms| NOW.plus_ms(*ms)).collect::<Vec<_>>());
    assert!([of(&[]), of(&[5]), of(&[3, 2, 1])].iter().all(Vec::is_empty));
    assert_eq!(of(&[3, 1, 2, 4]), [1]);
    assert_eq!(of(&[3, 1, 2, 4, 0]), [4, 1], "however it came to more");
}

#[test]
fn what_is_told_is_what_nodes_json_answers_each_viewer() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let moment = Moment { now: NOW, entropy: [7; 32] };
    let channel = "table-1".parse().unwrap();
    let tell = |viewers: &[[u8; 16]]| ready(edge.edge.tell(&channel, "eu", viewers, &moment));
    assert_eq!(tell(&[[1; 16]]), None, "nobody knows the channel");
    let mut state = state("live", &[1]);
    state["nodes"] = json!([
        {"id": "a", "url": "https://a.test", "up": true}, {"id": "b", "url": "https://b.test", "up": true},
    ]);
    edge.push("/origin/v1/channels/table-1/state", &state);
    let viewers: Vec<[u8; 16]> = (1..=20).map(|n| [n; 16]).collect();
    let told = tell(&viewers).unwrap();
    for (n, text) in (1..=20).zip(&told) {
        assert_eq!(*text, edge.ask_from(n, "eu", "GET", "/live/table-1/nodes.json", "").body);
    }
    assert!(!String::from_utf8_lossy(&told[0]).contains("line"), "this host has no lines");
    let with_lines = Edge::new(Ok(settings()), &probe).with_lines();
    let told_there = ready(with_lines.tell(&channel, "eu", &viewers[..1], &moment)).unwrap();
    let told_there: Value = serde_json::from_slice(&told_there[0]).unwrap();
    assert_eq!(told_there["line"], json!(true));
    let orders: std::collections::BTreeSet<&Vec<u8>> = told.iter().collect();
    assert_eq!(orders.len(), 2, "each viewer is told its own order");
    probe.failing.set(true);
    assert_eq!(tell(&viewers), None);
}
