//! Tokens: which are let in, and as what.

use railbird_core::keys;
use serde_json::json;

use super::Door;
use super::ask::{Edge, Session, json_type, mint, now, session};
use super::fixture::KEY_PERIOD_S;

/// What a session is needed for; the last of each is what is most worth stealing.
pub(crate) fn guarded(channel: &str) -> Vec<String> {
    let period = keys::period(now().media(), KEY_PERIOD_S);
    vec![
        format!("/live/{channel}/main.m3u8"),
        format!("/live/{channel}/a/source.m3u8"),
        format!("/live/{channel}/score.json"),
        format!("/live/{channel}/score.events"),
        format!("/live/{channel}/score.m3u8"),
        format!("/live/{channel}/score/9-9.vtt"),
        format!("/live/{channel}/nodes.json"),
        format!("/steer/{channel}"),
        format!("/replay/{channel}/r-1/main.m3u8"),
        format!("/replay/{channel}/r-1/a/source.m3u8"),
        format!("/replay/{channel}/r-1/score.json"),
        format!("/replay/{channel}/r-1/score.m3u8"),
        format!("/replay/{channel}/r-1/score/9-9.vtt"),
        format!("/key/{channel}/{period}"),
    ]
}

/// A token is as good in the path as in a cookie, and the path wins.
pub(crate) async fn cookie_or_path<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let now = now().seconds();
    let expired = mint(&["*"], now - 7200, now - 3600);
    let playable = |path: &&String| !path.contains("score") && !path.contains("replay");
    for path in guarded("table-1").iter().filter(playable) {
        let by_cookie = edge.get(path, session).await;
        let by_path = edge.get_plain(&session.path(path)).await;
        by_cookie.status(200);
        by_path.status(200).header("access-control-allow-origin", "*");
        assert_eq!(by_cookie.text(), by_path.text(), "{path}: the same for every viewer");
        assert!(
            by_cookie.headers("access-control-allow-origin").is_empty(),
            "{path}: cookies are for one site"
        );
        assert!(!by_path.text().contains(&session.token), "{path}: no token in a body");
        let wins = edge.ask("GET", &expired.path(path), vec![session.cookie()], "").await;
        wins.error(401, "session-expired").header("access-control-allow-origin", "*");
        edge.ask("GET", &session.path(path), vec![expired.cookie()], "").await.status(200);
    }
    // Only what players need is reached by path.
    edge.get_plain(&session.path("/api/channels")).await.error(404, "not-found");
    edge.get_plain(&session.path("/watch/table-1")).await.error(404, "not-found");
}

/// Everyone else gets nothing, and never a key.
pub(crate) async fn refused<D: Door>(edge: &Edge<'_, D>) {
    let now = now().seconds();
    let good = session(&["*"]);
    let tampered = |at: usize| {
        let mut token = good.token.clone().into_bytes();
        let at = at % token.len();
        token[at] = if token[at] == b'A' { b'B' } else { b'A' };
        Session { token: String::from_utf8(token).unwrap() }
    };
    let of = |token: &str| Session { token: token.to_string() };
    let mut cases = vec![
        ("expired", mint(&["*"], now - 7200, now - 3600), 401, "session-expired"),
        ("expired, other channel", mint(&["table-2"], now - 7200, now - 60), 401, "session-expired"),
        ("of another channel", session(&["table-2", "table-3"]), 403, "not-covered"),
        ("cut", of(&good.token[..good.token.len() - 1]), 401, "no-session"),
        ("doubled", of(&format!("{0}{0}", good.token)), 401, "no-session"),
        ("not a token", of("x"), 401, "no-session"),
        ("too long", of(&"A".repeat(2049)), 401, "no-session"),
    ];
    for at in [0, 12, 40, 100, good.token.len() / 2, good.token.len() - 20] {
        cases.push(("tampered", tampered(at), 401, "no-session"));
    }
    for path in guarded("table-1") {
        edge.get_plain(&path).await.error(401, "no-session");
        edge.get(&path, &of("")).await.error(401, "no-session");
        for (_, session, status, code) in &cases {
            edge.get(&path, session).await.error(*status, code);
            edge.get_plain(&session.path(&path)).await.error(*status, code);
        }
    }
    edge.get_plain("/api/channels").await.error(401, "no-session");
    edge.get("/api/channels", &cases[0].1).await.error(401, "session-expired");
    // A session learns of a channel that is not there; a stranger does not.
    for path in guarded("table-9") {
        edge.get_plain(&path).await.error(401, "no-session");
        edge.get(&path, &good).await.error(404, "no-such-channel");
        edge.get(&path, &session(&["table-1"])).await.error(403, "not-covered");
    }
}

/// A logout ends the session everywhere, for whoever copied the token, too; and no other session.
pub(crate) async fn logout<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let other = super::ask::session(&["*"]);
    edge.ask("POST", "/api/logout", vec![session.cookie()], "").await.error(415, "wrong-content-type");
    edge.get("/api/channels", session).await.status(200);
    for _ in 0..2 {
        let answer = edge.ask("POST", "/api/logout", vec![session.cookie(), json_type()], "{}").await;
        answer.status(204);
        let cookies = answer.headers("set-cookie");
        let [cookie, screen] = cookies.as_slice() else { panic!("two cookies, not {cookies:?}") };
        assert!(cookie.starts_with("__Host-railbird=;") && cookie.ends_with("Max-Age=0"), "{cookie}");
        assert!(screen.starts_with("__Host-railbird-screen=;") && screen.ends_with("Max-Age=0"), "{screen}");
        edge.get("/api/channels", session).await.error(401, "session-ended");
    }
    for path in guarded("table-1") {
        edge.get(&path, session).await.error(401, "session-ended");
        edge.get_plain(&session.path(&path)).await.error(401, "session-ended");
    }
    edge.get("/watch/table-1", session).await.status(303).header("location", "/login?next=/watch/table-1");
    edge.get("/api/channels", &other).await.status(200);
    // Nobody's logout is fine, and changes nothing.
    edge.post("/api/logout", &json!({}).to_string()).await.status(204);
}
