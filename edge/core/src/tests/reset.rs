//! A new password: what the webhook is told, what a link is good for, and what whoever asks can see.

use super::passes::cookies;
use super::*;

const HOLDER: &str = "viewer@railbird.test";
const SECRET: &str = "webhook_secret of the test";
const GOOD: &str = "another password";

fn with_pass(probe: &Probe) -> Fixture<'_> {
    let variable = |name: &str| match name {
        "webhook_url" => Some("https://hooks.example.org/railbird?to=mail".to_string()),
        "public_url" => Some("https://live.example.org".to_string()),
        name => name.ends_with("_secret").then(|| format!("{name} of the test")),
    };
    let edge = Fixture { edge: Edge::new(Settings::read(variable), probe), now: NOW };
    let mut issued = pass("right", NOW.plus_ms(365 * 86_400_000));
    issued["locale"] = json!("nl-BE");
    assert_eq!(edge.push("/admin/v1/passes", &issued).status, 204);
    edge
}

fn post(edge: &Fixture<'_>, path: &str, headers: &[(&str, &str)], said: &Value) -> Response {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    edge.ask("POST", path, &all, said.to_string().as_bytes())
}

fn forgot(edge: &Fixture<'_>, email: &str) -> Response {
    post(edge, "/api/password/forgot", &[("host", "evil.test")], &json!({"email": email}))
}

fn reset(edge: &Fixture<'_>, token: &str, password: &str) -> Response {
    post(edge, "/api/password/reset", &[], &json!({"token": token, "password": password}))
}

/// The token of the only link that was sent.
fn token(probe: &Probe) -> String {
    let letters = probe.inner.letters();
    let [letter] = letters.as_slice() else { panic!("one letter, not {letters:?}") };
    let said: Value = serde_json::from_slice(&letter.body).unwrap();
    let link = said["link"].as_str().unwrap();
    link.strip_prefix("https://live.example.org/reset#").unwrap().to_string()
}

#[test]
fn the_webhook_is_told_signed_and_by_no_name_that_a_client_chose() {
    let probe = Probe::default();
    let edge = with_pass(&probe);
    assert_eq!(forgot(&edge, " Viewer@Railbird.test ").status, 202);
    let letters = probe.inner.letters();
    let [letter] = letters.as_slice() else { panic!("one letter, not {letters:?}") };
    assert_eq!(letter.url, "https://hooks.example.org/railbird?to=mail");
    let header = letter.headers.iter().find(|(name, _)| *name == sign::HEADER).unwrap();
    let signed = sign::verify(SECRET.as_bytes(), "POST", "/railbird?to=mail", &letter.body, NOW, &header.1);
    assert!(signed.is_ok());
    let mut said: Value = serde_json::from_slice(&letter.body).unwrap();
    let link = said.as_object_mut().unwrap().remove("link").unwrap();
    assert!(link.as_str().unwrap().starts_with("https://live.example.org/reset#"), "{link}");
    let expected = json!({"kind": "password-reset", "email": HOLDER, "locale": "nl-BE", "expires": NOW.seconds() + 1800});
    assert_eq!(said, expected);
}

#[test]
fn whoever_asks_sees_the_same_for_nobody_as_for_somebody() {
    let probe = Probe::default();
    let mut edge = with_pass(&probe);
    let asked = |edge: &Fixture<'_>, email: &str| {
        probe.cells.borrow_mut().clear();
        probe.paused.borrow_mut().clear();
        let answer = forgot(edge, email);
        let tables: Vec<Table> = probe.cells.borrow().iter().map(|cell| cell.table).collect();
        (answer, tables, probe.paused.borrow().iter().sum::<u64>(), probe.inner.letters().len())
    };
    let mut sent = Vec::new();
    for _ in 0..5 {
        let (somebody, nobody, none) =
            (asked(&edge, HOLDER), asked(&edge, "nobody@railbird.test"), asked(&edge, "no address"));
        for other in [&nobody, &none] {
            assert_eq!((&somebody.0, &somebody.1, somebody.2), (&other.0, &other.1, other.2));
            assert_eq!(other.3, 0);
        }
        assert_eq!((somebody.0.status, somebody.2), (202, 2000));
        sent.push(somebody.3);
    }
    assert_eq!(sent, [1, 1, 1, 0, 0], "nobody's mailbox is filled");
    edge.now = edge.now.plus_ms(3_600_000);
    // A webhook that is away is no business of whoever asks; nor is a pass that was taken back.
    let path = "/admin/v1/passes";
    let mut revoked = pass("right", NOW.plus_ms(365 * 86_400_000));
    revoked["revoked"] = json!(true);
    assert_eq!(edge.push(path, &revoked).status, 204);
    let (answer, _, paused_ms, letters) = asked(&edge, HOLDER);
    assert_eq!((answer.status, paused_ms, letters), (202, 2000, 0));
    for bad in [json!({}), json!([]), json!({"email": 1})] {
        assert_eq!(post(&edge, "/api/password/forgot", &[], &bad).status, 400);
    }
    let plain = edge.ask("POST", "/api/password/forgot", &[], b"{\"email\":\"a@b.test\"}");
    assert_eq!(code(&plain), "wrong-content-type");
    let large = json!({"email": "x".repeat(5000)});
    assert_eq!(post(&edge, "/api/password/forgot", &[], &large).status, 413);
}

#[test]
fn a_link_is_good_once_and_ends_every_session() {
    let probe = Probe::default();
    let mut edge = with_pass(&probe);
    let before = cookies(&edge.login("right"));
    let get = |edge: &Fixture<'_>, cookie: &str| {
        code(&edge.ask("GET", "/steer/table-1", &[("cookie", cookie)], b""))
    };
    forgot(&edge, HOLDER);
    let first = token(&probe);
    edge.now = edge.now.plus_ms(1000);
    forgot(&edge, HOLDER);
    let second = token(&probe);
    for (password, refused) in [("1234567", 400), ("", 400), (&*"x".repeat(1025), 400)] {
        let answer = reset(&edge, &first, password);
        assert_eq!((answer.status, &*code(&answer)), (refused, "bad-password"));
    }
    assert_eq!(get(&edge, &before), "no-such-channel");
    let done = reset(&edge, &first, GOOD);
    assert_eq!(done.status, 204);
    assert!(cookies(&done).starts_with("__Host-railbird=;"), "{}", cookies(&done));
    assert_eq!(get(&edge, &before), "session-ended");
    assert_eq!((code(&edge.login("right")), edge.login(GOOD).status), ("bad-login".into(), 200));
    let after = cookies(&edge.login(GOOD));
    assert_eq!(get(&edge, &after), "no-such-channel", "in the very second");
    // Neither it nor another one of the password before is good any more.
    for used in [&first, &second] {
        let answer = reset(&edge, used, "yet another one");
        assert_eq!((answer.status, &*code(&answer)), (401, "bad-link"));
    }
    // What the operator signed before the change does not bring the old password back.
    let path = "/admin/v1/passes";
    let old = pass("right", NOW.plus_ms(365 * 86_400_000)).to_string();
    assert_eq!(edge.push_bytes(path, old.as_bytes(), NOW).status, 200);
    assert_eq!(edge.login(GOOD).status, 200);
}

#[test]
fn a_link_that_is_old_forged_or_something_else_changes_nothing() {
    let probe = Probe::default();
    let mut edge = with_pass(&probe);
    forgot(&edge, HOLDER);
    let good = token(&probe);
    let device = cookies(&edge.login("right"));
    let value = |name: &str| {
        let cookie = device.split("; ").find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='));
        cookie.unwrap().to_string()
    };
    let mut others = vec![
        String::new(),
        "x".to_string(),
        good[1..].to_string(),
        format!("{good}A"),
        "A".repeat(3000),
        value("__Host-railbird-device"),
        value("__Host-railbird"),
    ];
    for at in (0..good.len()).step_by(7) {
        let mut forged = good.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        others.push(String::from_utf8(forged).unwrap());
    }
    for bad in &others {
        let answer = reset(&edge, bad, GOOD);
        assert_eq!((answer.status, &*code(&answer)), (401, "bad-link"), "{bad}");
    }
    edge.now = edge.now.plus_ms(30 * 60_000);
    assert_eq!(code(&reset(&edge, &good, GOOD)), "bad-link");
    assert_eq!(edge.login("right").status, 200);
    edge.now = UtcMs(edge.now.0 - 1000);
    assert_eq!(reset(&edge, &good, GOOD).status, 204, "to the second");
}

#[test]
fn whoever_knows_the_present_password_changes_it_and_stays_in_and_nobody_else_does() {
    let probe = Probe::default();
    let edge = with_pass(&probe);
    let (mine, other) = (cookies(&edge.login("right")), cookies(&edge.login("right")));
    let change = |cookie: &str, present: &str, password: &str| {
        let said = json!({"present": present, "password": password});
        post(&edge, "/api/password/change", &[("cookie", cookie)], &said)
    };
    assert_eq!(code(&change("", "right", GOOD)), "no-session");
    assert_eq!(code(&change(&mine, "wrong", GOOD)), "wrong-password");
    assert_eq!(code(&change(&mine, "right", "short")), "bad-password");
    let done = change(&mine, "right", GOOD);
    assert_eq!(done.status, 204);
    let get = |cookie: &str| code(&edge.ask("GET", "/steer/table-1", &[("cookie", cookie)], b""));
    assert_eq!(get(&cookies(&done)), "no-such-channel");
    assert_eq!(get(&other), "session-ended");
    assert_eq!((code(&edge.login("right")), edge.login(GOOD).status), ("bad-login".into(), 200));
    // Who has found an open browser can't try passwords for long.
    let left: Vec<String> = (0..12).map(|_| code(&change(&cookies(&done), "guess", GOOD))).collect();
    assert_eq!((&*left[0], &*left[11]), ("wrong-password", "too-many-tries"));
}

#[test]
fn an_edge_without_a_webhook_says_so() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let answer = forgot(&edge, HOLDER);
    assert_eq!((answer.status, &*code(&answer)), (404, "no-reset"));
    let offers = |edge: &Fixture<'_>| {
        let page = |path| edge.ask("GET", path, &[], b"");
        let login = String::from_utf8(page("/login").body).unwrap();
        (login.contains("<body data-page=\"login\" data-links>"), page("/forgot").status)
    };
    assert_eq!(offers(&edge), (false, 404));
    assert_eq!(offers(&with_pass(&probe)), (true, 200));
}
