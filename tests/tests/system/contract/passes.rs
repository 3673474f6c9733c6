//! What the operator does with passes, and who gets in with a code.

use railbird_core::pass::PassId;
use railbird_core::pass::code::Code;
use serde_json::{Value, json};

use super::Door;
use super::ask::{Answer, Edge, Session, json_type, now, signature};
use super::fixture::{self, PASSWORD};

const PASSES: &str = "/admin/v1/passes";
const REVOKE: &str = "/admin/v1/passes/revoke";

/// Asks as the operator; the query is signed, too.
async fn admin<D: Door>(edge: &Edge<'_, D>, method: &str, target: &str, body: &str) -> Answer {
    let header = signature("admin_secret", method, target, body, now().0);
    edge.ask(method, target, vec![json_type(), header], body).await
}

async fn issue<D: Door>(edge: &Edge<'_, D>, pass: &Value) {
    admin(edge, "PUT", PASSES, &pass.to_string()).await.status(204);
}

async fn login<D: Door>(edge: &Edge<'_, D>, email: &str) -> Answer {
    edge.post("/api/login", &json!({"email": email, "password": PASSWORD}).to_string()).await
}

/// All pages put together are all passes, each once; no hash is in them unless asked for.
pub(crate) async fn listed<D: Door>(edge: &Edge<'_, D>) {
    let now = now();
    let mut expected = Vec::new();
    for n in 0..5 {
        let email = format!("listed-{n}@railbird.test");
        let mut pass = fixture::pass(&email, &["table-1"], now);
        pass["screens"] = json!(n + 1);
        pass["note"] = json!(format!("=order {n}, \"box\""));
        issue(edge, &pass).await;
        expected.push(PassId::of_email(&email).unwrap().as_str().to_string());
    }
    let (mut ids, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin(edge, "GET", &format!("{PASSES}?max=2&after={after}"), "").await;
        page.status(200).header("cache-control", "no-store");
        assert!(!page.text().contains("argon2"), "{}", page.text());
        let page = page.json();
        let passes = page["passes"].as_array().unwrap();
        assert!(passes.len() <= 2);
        ids.extend(passes.iter().map(|listed| listed["id"].as_str().unwrap().to_string()));
        match page["next"].as_str() {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    assert!(expected.iter().all(|id| ids.contains(id)), "{ids:?}");
    let one = admin(edge, "GET", &format!("{PASSES}?id={}&hashes=1", expected[3]), "").await;
    let one = one.status(200).json();
    let pass = &one["passes"][0]["pass"];
    assert_eq!((&pass["email"], &pass["screens"]), (&json!("listed-3@railbird.test"), &json!(4)));
    assert_eq!(pass["note"], "=order 3, \"box\"");
    assert!(pass["password_hash"].as_str().unwrap().starts_with("$argon2id$"));
    // What was listed with its hash is what an edge takes.
    issue(edge, pass).await;
}

/// A list is for the operator, and the question is signed as it is asked.
pub(crate) async fn refused<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let now = now().0;
    let hashes = format!("{PASSES}?hashes=1");
    for (header, target) in [
        (signature("origin_secret", "GET", PASSES, "", now), PASSES),
        (signature("admin_secret", "GET", PASSES, "", now), &*hashes),
        (signature("admin_secret", "PUT", PASSES, "", now), PASSES),
        (signature("admin_secret", "GET", PASSES, "", now - 3_600_000), PASSES),
        (session.cookie(), PASSES),
    ] {
        edge.ask("GET", target, vec![header], "").await.error(401, "bad-signature");
    }
    for bad in ["max=0", "max=101", "max=-1", "after=a@b.test", "hashes=x"] {
        admin(edge, "GET", &format!("{PASSES}?{bad}"), "").await.error(400, "bad-request");
    }
    let nobody = PassId::of_email("nobody@railbird.test").unwrap();
    admin(edge, "GET", &format!("{PASSES}?id={}", nobody.as_str()), "").await.error(404, "no-such-pass");
    admin(edge, "POST", REVOKE, &json!({"id": nobody}).to_string()).await.error(404, "no-such-pass");
    for bad in ["", "{}", "null", r#"{"email":"x"}"#, r#"{"id":"x"}"#, r#"{"email":"a@b.c","x":1}"#] {
        admin(edge, "POST", REVOKE, bad).await.error(400, "bad-request");
    }
    for (key, value) in [
        ("screens", json!(0)),
        ("screens", json!(17)),
        ("locale", json!("nl_BE")),
        ("note", json!("a\r\nset-cookie: b")),
        ("note", json!("x".repeat(201))),
        ("code_hash", json!("0".repeat(64))),
        ("email", json!("a@b.test\r\nbcc: c@d.test")),
    ] {
        let mut pass = fixture::pass("refused@railbird.test", &["*"], super::ask::now());
        pass[key] = value;
        admin(edge, "PUT", PASSES, &pass.to_string()).await.error(400, "bad-request");
    }
}

/// A pass that is taken back is no longer let in, nor is whoever was in already; issued again, it is.
pub(crate) async fn taken_back<D: Door>(edge: &Edge<'_, D>) {
    let email = "taken-back@railbird.test";
    issue(edge, &fixture::pass(email, &["*"], now())).await;
    let token = login(edge, email).await.status(200).json()["token"].as_str().unwrap().to_string();
    let before = Session { token };
    edge.get("/api/channels", &before).await.status(200);
    let which = json!({"email": email}).to_string();
    admin(edge, "POST", REVOKE, &which).await.status(204);
    edge.get("/api/channels", &before).await.error(401, "session-ended");
    edge.get_plain(&before.path("/steer/table-1")).await.error(401, "session-ended");
    login(edge, email).await.error(403, "pass-not-valid");
    let renewed = edge.ask("POST", "/api/session/renew", vec![before.cookie(), json_type()], "{}").await;
    renewed.error(401, "session-ended");
    issue(edge, &fixture::pass(email, &["*"], now())).await;
    let token = login(edge, email).await.status(200).json()["token"].as_str().unwrap().to_string();
    edge.get("/api/channels", &Session { token }).await.status(200);
    edge.get("/api/channels", &before).await.error(401, "session-ended");
}

/// A code opens its pass, as it is typed; a slip is told from a code that nobody has.
pub(crate) async fn codes<D: Door>(edge: &Edge<'_, D>) {
    let mut entropy = [0; 12];
    getrandom::fill(&mut entropy).unwrap();
    let code = Code::new(entropy);
    let login = async |code: &str| edge.post("/api/login", &json!({"code": code}).to_string()).await;
    login(&code.to_string()).await.error(401, "bad-login");
    let now = now();
    let pass = json!({
        "code_hash": code.pass_id(), "channels": ["table-2"], "valid_from": 0, "valid_until": now.0 + 3_600_000,
    });
    issue(edge, &pass).await;
    let typed = code.to_string().to_lowercase().replace('-', " ");
    let granted = login(&typed).await;
    assert_eq!(granted.status(200).json()["channels"], json!(["table-2"]));
    let mut slip = code.to_string();
    slip.replace_range(..1, if slip.starts_with('7') { "8" } else { "7" });
    for bad in [&*slip, "", code.pass_id().as_str()] {
        login(bad).await.error(400, "bad-code");
    }
    admin(edge, "POST", REVOKE, &json!({"id": code.pass_id()}).to_string()).await.status(204);
    login(&typed).await.error(403, "pass-not-valid");
}

/// A session goes on as another one; the old one stays what it is.
pub(crate) async fn renewed<D: Door>(edge: &Edge<'_, D>) {
    let email = "renewed@railbird.test";
    issue(edge, &fixture::pass(email, &["*"], now())).await;
    let token = login(edge, email).await.status(200).json()["token"].as_str().unwrap().to_string();
    let old = Session { token };
    let renew = async |headers| edge.ask("POST", "/api/session/renew", headers, "{}").await;
    renew(vec![old.cookie()]).await.error(415, "wrong-content-type");
    renew(vec![json_type()]).await.error(401, "no-session");
    issue(edge, &fixture::pass(email, &["table-1"], now())).await;
    let answer = renew(vec![old.cookie(), json_type()]).await;
    answer.status(204);
    let cookies = answer.headers("set-cookie");
    let [cookie] = cookies.as_slice() else { panic!("one cookie, not {cookies:?}") };
    let token = cookie.strip_prefix("__Host-railbird=").and_then(|rest| rest.split(';').next()).unwrap();
    let new = Session { token: token.to_string() };
    assert_ne!(new.token, old.token);
    edge.get("/steer/table-1", &new).await.status(200);
    edge.get("/steer/table-2", &new).await.error(403, "not-covered");
    edge.get("/steer/table-2", &old).await.status(200);
    // One that was made up by somebody who knows no pass goes on nowhere.
    let minted = super::ask::session(&["*"]);
    renew(vec![minted.cookie(), json_type()]).await.error(401, "session-ended");
}

/// An account that is out of tries is not told from a wrong password; where the holder was before, they get in and are told.
pub(crate) async fn locked<D: Door>(edge: &Edge<'_, D>) {
    let email = "locked@railbird.test";
    issue(edge, &fixture::pass(email, &["*"], now())).await;
    let first = login(edge, email).await;
    let cookies = first.status(200).headers("set-cookie");
    let device = cookies.iter().find(|cookie| cookie.starts_with("__Host-railbird-device=")).unwrap();
    let device = ("cookie".to_string(), device.split(';').next().unwrap().to_string());
    let wrong = json!({"email": email, "password": "wrong"}).to_string();
    // A header that a client makes up changes nothing.
    let forwarded = |n: u32| ("x-forwarded-for".to_string(), format!("203.0.113.{n}"));
    let mut answers = Vec::new();
    for n in 0..11 {
        let answer = edge.ask("POST", "/api/login", vec![json_type(), forwarded(n)], wrong.as_str()).await;
        answers.push(answer.error(401, "bad-login").text());
    }
    let right = login(edge, email).await;
    assert_eq!(right.error(401, "bad-login").text(), answers[0]);
    assert!(answers.iter().all(|text| *text == answers[0]) && right.headers("set-cookie").is_empty());
    let good = json!({"email": email, "password": PASSWORD}).to_string();
    edge.ask("POST", "/api/login", vec![json_type(), device.clone()], good.as_str()).await.status(200);
    for _ in 0..10 {
        let headers = vec![json_type(), device.clone()];
        edge.ask("POST", "/api/login", headers, wrong.as_str()).await.error(401, "bad-login");
    }
    let told = edge.ask("POST", "/api/login", vec![json_type(), device], good).await;
    told.error(429, "too-many-tries");
    assert_eq!(told.headers("retry-after").len(), 1);
}

/// Whoever knows the password changes it and stays in; a link that this edge never made changes nothing.
pub(crate) async fn passwords<D: Door>(edge: &Edge<'_, D>) {
    let email = "changed@railbird.test";
    issue(edge, &fixture::pass(email, &["*"], now())).await;
    let begin = async || {
        let token = login(edge, email).await.status(200).json()["token"].as_str().unwrap().to_string();
        Session { token }
    };
    let (mine, other) = (begin().await, begin().await);
    let change = async |headers, present: &str, password: &str| {
        let said = json!({"present": present, "password": password}).to_string();
        edge.ask("POST", "/api/password/change", headers, said).await
    };
    let headers = || vec![mine.cookie(), json_type()];
    change(vec![json_type()], PASSWORD, "another password").await.error(401, "no-session");
    change(vec![mine.cookie()], PASSWORD, "another password").await.error(415, "wrong-content-type");
    change(headers(), "wrong", "another password").await.error(403, "wrong-password");
    change(headers(), PASSWORD, "short").await.error(400, "bad-password");
    edge.get("/api/channels", &other).await.status(200);
    let changed = change(headers(), PASSWORD, "another password").await;
    changed.status(204);
    let cookies = changed.headers("set-cookie");
    let [cookie] = cookies.as_slice() else { panic!("one cookie, not {cookies:?}") };
    let token = cookie.strip_prefix("__Host-railbird=").and_then(|rest| rest.split(';').next()).unwrap();
    edge.get("/api/channels", &Session { token: token.to_string() }).await.status(200);
    for ended in [&mine, &other] {
        edge.get("/api/channels", ended).await.error(401, "session-ended");
    }
    login(edge, email).await.error(401, "bad-login");
    let again = json!({"email": email, "password": "another password"}).to_string();
    let device = edge.post("/api/login", &again).await;
    let device = device.status(200).headers("set-cookie")[1].split(['=', ';']).nth(1).unwrap().to_string();
    // This edge has no webhook.
    edge.post("/api/password/forgot", &json!({"email": email}).to_string()).await.error(404, "no-reset");
    for token in ["", "x", token, &device, &"A".repeat(2000)] {
        let said = json!({"token": token, "password": "yet another one"}).to_string();
        edge.post("/api/password/reset", &said).await.error(401, "bad-link");
    }
    for malformed in ["", "{", "null", "{}", r#"{"token":1,"password":"x"}"#] {
        edge.post("/api/password/reset", malformed).await.error(400, "bad-request");
    }
}
