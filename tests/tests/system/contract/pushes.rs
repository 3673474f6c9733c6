//! Pushes of the origin and of the operator.

use serde_json::{Value, json};

use super::Door;
use super::ask::{Edge, json_type, now, session, signature};
use super::fixture::{self, EMAIL};

const STATE: &str = "/origin/v1/channels/table-1/state";
const SCORE: &str = "/origin/v1/channels/table-1/score";
const EVENT: &str = "/origin/v1/event";
const PASSES: &str = "/admin/v1/passes";

/// An edge that the origin has not reached yet says so, and says nothing to strangers.
pub(crate) async fn before_the_first<D: Door>(edge: &Edge<'_, D>) {
    let session = session(&["*"]);
    edge.get("/api/channels", &session).await.error(404, "no-event").header("retry-after", "2");
    edge.get("/live/table-1/main.m3u8", &session).await.error(404, "no-such-channel");
    edge.get_plain("/live/table-1/main.m3u8").await.error(401, "no-session");
}

/// Nothing is taken without the right signature.
pub(crate) async fn signatures<D: Door>(edge: &Edge<'_, D>) {
    let now = now();
    let event = fixture::event(now.0).to_string();
    let pass = fixture::pass(EMAIL, &["*"], now).to_string();
    for (path, body, secret, other) in
        [(EVENT, &event, "origin_secret", "admin_secret"), (PASSES, &pass, "admin_secret", "origin_secret")]
    {
        let good = signature(secret, "PUT", path, body, now.0).1;
        let of = |secret, method, path, body: &str, at| signature(secret, method, path, body, at).1;
        for bad in [
            of(other, "PUT", path, body, now.0),
            of("master_secret", "PUT", path, body, now.0),
            of(secret, "POST", path, body, now.0),
            of(secret, "PUT", "/origin/v1/channels/table-1/state", body, now.0),
            of(secret, "PUT", path, "{}", now.0),
            of(secret, "PUT", path, body, now.0 - 3_600_000),
            of(secret, "PUT", path, body, now.0 + 3_600_000),
            String::new(),
            "t=1".to_string(),
            good.replace("s=", "s=0"),
            good.replacen("t=", "t=1", 1),
        ] {
            let headers = vec![json_type(), ("railbird-signature".to_string(), bad)];
            edge.ask("PUT", path, headers, body.as_str()).await.error(401, "bad-signature");
        }
        edge.ask("PUT", path, vec![json_type()], body.as_str()).await.error(401, "bad-signature");
        let mut signed = body.clone();
        signed.push(' ');
        let headers = vec![json_type(), ("railbird-signature".to_string(), good)];
        edge.ask("PUT", path, headers, signed).await.error(401, "bad-signature");
    }
    // Nothing of it was kept.
    edge.get("/api/channels", &session(&["*"])).await.error(404, "no-event");
}

/// A right signature on a body that can't be used.
pub(crate) async fn refused_bodies<D: Door>(edge: &Edge<'_, D>) {
    let now = now();
    let with = |mut value: Value, key: &str, other: Value| {
        value[key] = other;
        value
    };
    let state = || fixture::state("table-1", now.0, now, [true, true]);
    let pass = || fixture::pass(EMAIL, &["*"], now);
    for (path, body) in [
        (EVENT, json!({})),
        (EVENT, json!([])),
        (EVENT, with(fixture::event(now.0), "title", json!("x".repeat(401)))),
        (EVENT, with(fixture::event(now.0), "event", json!("../event"))),
        (STATE, fixture::state("table-2", now.0, now, [true, true])),
        (STATE, with(state(), "segment_ms", json!(0))),
        (STATE, with(state(), "revision", json!(-1))),
        (STATE, with(state(), "nodes", json!([{"id": "a", "url": "javascript:alert(1)", "up": true}]))),
        (STATE, with(state(), "nodes", json!([{"id": "a", "url": "https://a\n#EXTM3U", "up": true}]))),
        (SCORE, fixture::score("table-2", now.0, now, &[1])),
        (SCORE, fixture::score("table-1", now.0, now, &(0..501).collect::<Vec<_>>())),
        (SCORE, fixture::score("table-1", now.0, now, &[])),
        (SCORE, fixture::score("table-1", now.0, now, &[2, 1])),
        (SCORE, with(fixture::score("table-1", now.0, now, &[1]), "entries", json!([{"at": 1}]))),
    ] {
        edge.push(path, &body).await.error(400, "bad-request");
    }
    for body in [
        with(pass(), "email", json!("nobody")),
        with(pass(), "password_hash", json!("railbird")),
        with(
            pass(),
            "password_hash",
            json!("$argon2id$v=19$m=1048576,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"),
        ),
        with(pass(), "channels", json!([])),
        with(pass(), "channels", json!(["*", "table-1"])),
        with(pass(), "valid_until", json!(0)),
        with(pass(), "password", json!("in clear")),
    ] {
        edge.push_as("admin_secret", PASSES, &body).await.error(400, "bad-request");
    }
    edge.get("/api/channels", &session(&["*"])).await.error(404, "no-event");
}

/// Snapshots are taken in the order of their revisions; passes are taken.
pub(crate) async fn taken_once<D: Door>(edge: &Edge<'_, D>) {
    let now = now();
    let revision = now.0;
    for (path, body) in [
        (EVENT, fixture::event(revision)),
        (STATE, fixture::state("table-1", revision, now, [true, true])),
        ("/origin/v1/channels/table-2/state", fixture::state("table-2", revision, now, [true, true])),
    ] {
        edge.push(path, &body).await.status(204);
        let again = edge.push(path, &body).await;
        assert_eq!(again.status(200).json(), json!({ "kept": revision }));
        let mut older = body.clone();
        older["revision"] = json!(revision - 1);
        older["title"] = json!("An older title");
        let stale = edge.push(path, &older).await;
        assert_eq!(stale.status(200).json(), json!({ "kept": revision }));
    }
    let text = edge.get("/api/channels", &session(&["*"])).await.status(200).text();
    assert!(!text.contains("older"), "a stale snapshot must not be seen: {text}");
    let mut past = fixture::pass("past@railbird.test", &["*"], now);
    past["valid_until"] = json!(now.0 - 60_000);
    for pass in
        [fixture::pass(EMAIL, &["*"], now), fixture::pass("narrow@railbird.test", &["table-1"], now), past]
    {
        edge.push_as("admin_secret", PASSES, &pass).await.status(204);
        edge.push_as("admin_secret", PASSES, &pass).await.status(204);
    }
}
