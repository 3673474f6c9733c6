//! Pages of other sites: what they can't do with a viewer's cookies, and what those may that the operator lists.

use super::Door;
use super::ask::{Edge, Session, json_type, session};

const LISTED: &str = "https://www.railbird.test";
const ELSEWHERE: &str = "https://elsewhere.test";

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_string(), value.to_string())
}

/// Everything that changes something.
const CHANGING: [&str; 5] =
    ["/api/login", "/api/logout", "/api/screens", "/api/screens/stop", "/api/screens/release"];

/// However another site's page has a browser send it.
pub(crate) async fn may_not_act_for_a_viewer<D: Door>(edge: &Edge<'_, D>) {
    let session = session(&["*"]);
    let body = r#"{"screen":"AAECAwQFBgcICQoLDA0ODw","email":"viewer@railbird.test","password":"wrong"}"#;
    for path in CHANGING {
        for from in [
            vec![header("sec-fetch-site", "cross-site")],
            vec![header("sec-fetch-site", "same-site")],
            vec![header("sec-fetch-site", "")],
            vec![header("sec-fetch-site", "same-origin"), header("sec-fetch-site", "cross-site")],
            vec![header("sec-fetch-site", "cross-site"), header("origin", ELSEWHERE)],
            vec![header("origin", ELSEWHERE)],
            vec![header("origin", "null")],
            vec![header("origin", "https://www.railbird.test.elsewhere.test")],
            vec![header("origin", "http://www.railbird.test")],
            vec![header("origin", LISTED), header("origin", ELSEWHERE)],
        ] {
            let mut headers = vec![session.cookie(), json_type()];
            headers.extend(from);
            edge.ask("POST", path, headers, body).await.error(403, "cross-site");
        }
        // As a form or a beacon can be sent without asking first.
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let headers = vec![session.cookie(), header("content-type", kind)];
            edge.ask("POST", path, headers, body).await.error(415, "wrong-content-type");
        }
    }
    edge.get("/api/channels", &session).await.status(200);
    // Our own pages, programs, and sites that the operator lists.
    for from in [
        vec![header("sec-fetch-site", "same-origin")],
        vec![header("sec-fetch-site", "none")],
        vec![],
        vec![header("sec-fetch-site", "same-site"), header("origin", LISTED)],
    ] {
        let mut headers = vec![session.cookie(), json_type()];
        headers.extend(from);
        edge.ask("POST", "/api/screens", headers, body).await.status(200);
    }
}

/// Answers are for pages of listed origins, with cookies; for nobody else's, and never for all with cookies.
pub(crate) async fn that_are_listed_may_ask<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    const SHARED: [&str; 5] = [
        "/api/channels",
        "/live/table-1/main.m3u8",
        "/live/table-1/a/source.m3u8",
        "/steer/table-1",
        "/replay/table-1/r-2026/main.m3u8",
    ];
    for path in SHARED {
        for origin in [LISTED, "http://127.0.0.1:8080"] {
            let answer = edge.ask("GET", path, vec![session.cookie(), header("origin", origin)], "").await;
            answer.status(200).header("access-control-allow-origin", origin).header("vary", "origin");
            answer.header("access-control-allow-credentials", "true");
        }
        for origin in [ELSEWHERE, "null", "http://www.railbird.test", "https://www.railbird.test:444"] {
            let answer = edge.ask("GET", path, vec![session.cookie(), header("origin", origin)], "").await;
            answer.status(200).header("vary", "origin");
            assert!(answer.headers("access-control-allow-origin").is_empty(), "{path} for {origin}");
            assert!(answer.headers("access-control-allow-credentials").is_empty(), "{path} for {origin}");
        }
    }
    // A refusal can be read, too.
    let refused = edge.ask("GET", SHARED[0], vec![header("origin", LISTED)], "").await;
    refused.error(401, "no-session").header("access-control-allow-origin", LISTED);

    let ask_first = |origin: &str| {
        let mut headers = vec![header("origin", origin), header("access-control-request-method", "POST")];
        headers.push(header("access-control-request-headers", "content-type"));
        headers
    };
    for path in CHANGING.iter().chain(&SHARED) {
        let may = edge.ask("OPTIONS", path, ask_first(LISTED), "").await;
        may.status(204).header("access-control-allow-origin", LISTED);
        may.header("access-control-allow-credentials", "true").header("vary", "origin");
        may.header("access-control-allow-headers", "content-type");
        let may_not = edge.ask("OPTIONS", path, ask_first(ELSEWHERE), "").await;
        may_not.error(405, "wrong-method");
        assert!(may_not.headers("access-control-allow-origin").is_empty(), "{path}");
    }
    // Pages, pushes and the operator's calls are for no other site at all.
    for path in ["/", "/login", "/watch/table-1", "/origin/v1/event", "/admin/v1/passes"] {
        for method in ["GET", "OPTIONS"] {
            let answer = edge.ask(method, path, ask_first(LISTED), "").await;
            assert!(answer.headers("access-control-allow-origin").is_empty(), "{method} {path}");
        }
    }
    // With the token in the path, cookies are of no matter: for everybody, without them.
    let path = session.path("/live/table-1/main.m3u8");
    for origin in [LISTED, ELSEWHERE] {
        let answer = edge.ask("GET", &path, vec![header("origin", origin)], "").await;
        answer.status(200).header("access-control-allow-origin", "*");
        assert!(answer.headers("access-control-allow-credentials").is_empty());
    }
}
