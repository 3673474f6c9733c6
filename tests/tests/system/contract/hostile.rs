//! What nobody should send.

use serde_json::{Value, json};

use super::Door;
use super::ask::{Edge, Session, json_type, now, session, signature};
use super::fixture::{self, PASSWORD};
use super::sessions::guarded;

/// Only the exact paths are paths. A client or a host may resolve dot segments or turn backslashes round on the way,
/// so such paths are asked without a session, which none of their readings may do without.
pub(crate) async fn paths<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let prefix = format!("/t/{}", session.token);
    for path in [
        "/live",
        "/live/",
        "/live/table-1",
        "/live/table-1/",
        "/live/table-1/main.m3u8/",
        "/live/table-1/main.m3u8.",
        "/live/table-1/MAIN.m3u8",
        "/live/Table-1/main.m3u8",
        "/live/-/main.m3u8",
        "/live//main.m3u8",
        "//live/table-1/main.m3u8",
        "/live/table-1//main.m3u8",
        "/live/table-1/a/b/source.m3u8",
        "/live/table-1/a/.m3u8",
        "/live/table%2d1/main.m3u8",
        "/live/table-1%2Fmain.m3u8",
        "/%6cive/table-1/main.m3u8",
        "/live/table-1%00/main.m3u8",
        "/live/table-1/main.m3u8%0d%0ax:y",
        "/live/table-1/main.m3u8;x=y",
        "/live/caf%C3%A9/main.m3u8",
        "/key/table-1",
        "/key/table-1/",
        "/key/table-1/%31",
        "/steer",
        "/steer/",
        "/steer/%2a",
        "/x",
        "/assets",
        "/healthz/",
        "/admin",
        "/origin/v1",
    ] {
        edge.get(path, session).await.error(404, "not-found");
        edge.get_plain(&format!("{prefix}{path}")).await.error(404, "not-found");
    }
    for path in [
        "/t",
        "/t/",
        "/t/x",
        "/t//live/table-1/main.m3u8",
        &prefix,
        &format!("{prefix}/"),
        &"/x".repeat(1400),
    ] {
        edge.get(path, session).await.error(404, "not-found");
    }
    for path in [
        "/live/../key/table-1/1",
        "/live/%2e%2e/key/table-1/1",
        "/live/./table-1/main.m3u8",
        "/live/table-1/a/../main.m3u8",
        "\\live\\table-1\\main.m3u8",
        "/live/table-1\\main.m3u8",
        "/t/x/../../live/table-1/main.m3u8",
        "/api/../api/channels",
    ] {
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        let answer = edge.get_plain(&path).await;
        let status = answer.response.status;
        assert!([400, 401, 404].contains(&status), "{}: {status}", answer.asked());
    }
}

/// A name that somebody made up is no channel's, wherever it stands: before it was asked for, and after.
pub(crate) async fn made_up_channels<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let missing = edge.get("/live/table-9/main.m3u8", session).await.text();
    for name in ["table-9", "a", "0", "made-up", "event", "eu", "any", &"x".repeat(64)] {
        for _ in 0..2 {
            for path in guarded(name) {
                let answer = edge.get(&path, session).await;
                answer.error(404, "no-such-channel");
                assert_eq!(answer.text(), missing, "{path}");
            }
            let headers =
                vec![session.cookie(), ("content-type".to_string(), "application/cmcd".to_string())];
            let told = edge.ask("POST", &format!("/live/{name}/beacons"), headers, "e=rr,rc=0").await;
            told.error(404, "no-such-channel");
            for page in [format!("/watch/{name}"), format!("/watch/{name}/r-1")] {
                edge.get(&page, session).await.status(404);
            }
        }
    }
    edge.get("/live/table-1/main.m3u8", session).await.status(200);
}

/// Each address has its methods and names them.
pub(crate) async fn methods<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    for (path, allow) in [
        ("/", "GET, HEAD"),
        ("/login", "GET, HEAD"),
        ("/watch/table-1", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/api/channels", "GET, HEAD"),
        ("/live/table-1/main.m3u8", "GET, HEAD"),
        ("/live/table-1/a/source.m3u8", "GET, HEAD"),
        ("/live/table-1/score.json", "GET, HEAD"),
        ("/live/table-1/score.events", "GET, HEAD"),
        ("/live/table-1/score.m3u8", "GET, HEAD"),
        ("/live/table-1/score/9-9.vtt", "GET, HEAD"),
        ("/replay/table-1/r-1/score.json", "GET, HEAD"),
        ("/origin/v1/channels/table-1/matches/final", "PUT"),
        ("/live/table-1/nodes.json", "GET, HEAD"),
        ("/live/table-1/beacons", "POST"),
        ("/key/table-1/1", "GET, HEAD"),
        ("/steer/table-1", "GET, HEAD"),
        ("/api/login", "POST"),
        ("/api/logout", "POST"),
        ("/api/screens", "POST"),
        ("/api/screens/stop", "POST"),
        ("/api/screens/release", "POST"),
        ("/origin/v1/event", "PUT"),
        ("/origin/v1/channels/table-1/state", "PUT"),
        ("/origin/v1/channels/table-1/score", "PUT"),
        ("/origin/v1/channels/table-1/replays", "PUT"),
        ("/origin/v1/channels/table-1/replays/r-1/0", "PUT"),
        ("/replay/table-1/r-1/main.m3u8", "GET, HEAD"),
        ("/watch/table-1/r-1", "GET, HEAD"),
        ("/admin/v1/passes", "GET, HEAD, PUT"),
        ("/admin/v1/passes/revoke", "POST"),
        ("/api/session/renew", "POST"),
        ("/api/password/forgot", "POST"),
        ("/api/password/reset", "POST"),
        ("/api/password/change", "POST"),
        ("/forgot", "GET, HEAD"),
        ("/reset", "GET, HEAD"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            if !allow.split(", ").any(|allowed| allowed == method) {
                let answer = edge.ask(method, path, vec![session.cookie(), json_type()], "").await;
                answer.error(405, "wrong-method").header("allow", allow);
            }
        }
    }
}

/// Bytes without sense get an answer of the 4xx kind, and the edge goes on.
pub(crate) async fn garbage<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise.to_le_bytes()[3]
    };
    for len in 0..40 {
        let body: Vec<u8> = (0..len * 7).map(|_| byte()).collect();
        let token: String = (0..len * 11).map(|_| char::from(b'0' + byte() % 10)).collect();
        let header = |name: &str, value: &str| (name.to_string(), value.to_string());
        for (method, path) in [
            ("POST", "/api/login"),
            ("POST", "/api/screens"),
            ("PUT", "/origin/v1/event"),
            ("PUT", "/admin/v1/passes"),
            ("GET", "/api/channels"),
        ] {
            let headers = vec![
                json_type(),
                header("cookie", &format!("__Host-railbird={token}; ==;;")),
                header("railbird-signature", &format!("t={token},n={token},s={token}")),
            ];
            let body = if method == "GET" { Vec::new() } else { body.clone() };
            let answer = edge.ask(method, path, headers, body).await;
            assert!(
                (400..500).contains(&answer.response.status),
                "{}: {}",
                answer.asked(),
                answer.response.status
            );
        }
        let answer = edge.get_plain(&format!("/t/{token}/live/table-1/main.m3u8")).await;
        assert!([401, 404].contains(&answer.response.status), "{}", answer.asked());
    }
    // Nesting deeper than any parser's stack.
    let deep = "[".repeat(4000);
    edge.post("/api/login", &deep).await.error(400, "bad-request");
    edge.get("/api/channels", session).await.status(200);
}

/// A header that must be there once says nothing when it is there twice, whatever a host makes of the two.
pub(crate) async fn doubled_headers<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let header = |name: &str, value: &str| (name.to_string(), value.to_string());
    let bad_first = vec![header("cookie", "__Host-railbird=x"), session.cookie()];
    edge.ask("GET", "/api/channels", bad_first, "").await.error(401, "no-session");
    for other in ["text/plain", "application/json"] {
        let types = vec![session.cookie(), json_type(), header("content-type", other)];
        edge.ask("POST", "/api/logout", types, "{}").await.error(415, "wrong-content-type");
    }
    let body = fixture::event(now().0).to_string();
    let sign = || signature("origin_secret", "PUT", "/origin/v1/event", &body, now().0);
    for (first, second) in [(sign(), sign()), (sign(), header("railbird-signature", "t=1,n=1,s=1"))] {
        let signed = vec![json_type(), first, second];
        let twice = edge.ask("PUT", "/origin/v1/event", signed, body.as_str()).await;
        twice.error(401, "bad-signature");
    }
    edge.get("/api/channels", session).await.status(200);
}

/// Whoever recorded a signed push and sends it again within the minute in which its signature holds changes nothing: a
/// push is ordered by its revision, a pass by when it was signed.
pub(crate) async fn replayed_pushes<D: Door>(edge: &Edge<'_, D>) {
    const CHANNEL: &str = "/origin/v1/channels/table-8";
    let sent = |secret: &str, path: &str, body: &Value, at_ms: u64| {
        let body = body.to_string();
        (path.to_string(), vec![json_type(), signature(secret, "PUT", path, &body, at_ms)], body)
    };
    let send = async |(path, headers, body): &(String, Vec<(String, String)>, String)| {
        edge.ask("PUT", path, headers.clone(), body.as_str()).await
    };
    let now = now();
    let titled = |revision: u64, title: &str| {
        let mut state = fixture::state("table-8", revision, now, [true, true]);
        state["title"] = json!(title);
        state
    };
    let replay = |recording: &str| [fixture::replay(recording, 885_000_000, 1, true)];
    let list =
        |revision: u64, recording: &str| fixture::replays("table-8", "north", revision, &replay(recording));
    let chapter = |revision: u64, end| fixture::chapter("table-8", "r-8", revision, 1000..end);
    for (path, older, newer) in [
        (format!("{CHANNEL}/state"), titled(now.0, "Older"), titled(now.0 + 1, "Newer")),
        (format!("{CHANNEL}/replays"), list(now.0, "r-7"), list(now.0 + 1, "r-8")),
        (format!("{CHANNEL}/replays/r-8/0"), chapter(now.0, 1005), chapter(now.0 + 1, 1010)),
        (
            format!("{CHANNEL}/score"),
            fixture::score("table-8", now.0, now, &[0]),
            fixture::score("table-8", now.0 + 1, now, &[0, 1]),
        ),
    ] {
        let [older, newer] = [older, newer].map(|body| sent("origin_secret", &path, &body, now.0));
        send(&older).await.status(204);
        send(&newer).await.status(204);
        for replayed in [&older, &newer] {
            let kept = send(replayed).await;
            assert_eq!(kept.status(200).json(), json!({"kept": now.0 + 1}), "{path}");
        }
    }
    let session = session(&["*"]);
    assert_eq!(edge.get("/live/table-8/score.json", &session).await.json()["revision"], now.0 + 1);
    let html = edge.get("/watch/table-8", &session).await.text();
    assert!(html.contains("Newer") && !html.contains("Older"), "{html}");
    edge.get("/watch/table-8/r-7", &session).await.status(404);

    // A pass that was made narrower stays so.
    let email = "replayed@railbird.test";
    let of = |channels: &[&str], at_ms| {
        sent("admin_secret", "/admin/v1/passes", &fixture::pass(email, channels, now), at_ms)
    };
    let (wide, narrow) = (of(&["*"], now.0 - 1), of(&["table-1"], now.0));
    send(&wide).await.status(204);
    send(&narrow).await.status(204);
    send(&wide).await.status(200);
    let granted = edge.post("/api/login", &json!({"email": email, "password": PASSWORD}).to_string()).await;
    assert_eq!(granted.status(200).json()["channels"], json!(["table-1"]));
}
