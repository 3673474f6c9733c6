//! Passes: what the operator does with them, and who gets in with one.

use railbird_core::pass::code::Code;

use super::*;

const PATH: &str = "/admin/v1/passes";

impl Fixture<'_> {
    /// Asks as the operator; the target may have a query, which is signed as well.
    fn admin(&self, method: &str, target: &str, body: &str) -> Response {
        let header =
            sign::sign(b"admin_secret of the test", method, target, body.as_bytes(), self.now, [1; 16]);
        self.ask(method, target, &[(sign::HEADER, &header)], body.as_bytes())
    }

    fn revoke(&self, which: Value) -> Response {
        self.admin("POST", "/admin/v1/passes/revoke", &which.to_string())
    }

    fn post(&self, path: &str, cookie: &str, said: &Value) -> Response {
        let headers = [("content-type", "application/json"), ("cookie", cookie)];
        self.ask("POST", path, &headers, said.to_string().as_bytes())
    }
}

/// The cookies that an answer sets, as a browser sends them back.
pub(super) fn cookies(response: &Response) -> String {
    let set = response.headers.iter().filter(|(name, _)| name == "set-cookie");
    set.filter_map(|(_, value)| value.split(';').next()).collect::<Vec<_>>().join("; ")
}

fn of(email: &str) -> Value {
    let mut pass = pass("right", NOW.plus_ms(86_400_000));
    pass["email"] = json!(email);
    pass
}

#[test]
fn passes_are_listed_page_by_page_and_hashes_only_when_asked_for() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    for n in 0..7 {
        let mut pass = of(&format!("Viewer-{n}@Railbird.test"));
        pass["screens"] = json!(n + 1);
        pass["locale"] = json!("nl-BE");
        pass["note"] = json!(format!("=order {n}"));
        assert_eq!(edge.admin("PUT", PATH, &pass.to_string()).status, 204);
    }
    let code = Code::new([5; 12]).pass_id();
    let ticket = json!({"code_hash": code, "channels": ["a"], "valid_from": 0, "valid_until": NOW.0 + 1});
    assert_eq!(edge.admin("PUT", PATH, &ticket.to_string()).status, 204);
    let mut seen = Vec::new();
    let mut after = String::new();
    let mut sizes = Vec::new();
    loop {
        let page = edge.admin("GET", &format!("{PATH}?max=3&after={after}"), "");
        assert_eq!(page.status, 200);
        assert!(page.headers.contains(&("cache-control".into(), "no-store".into())));
        assert!(!String::from_utf8(page.body.clone()).unwrap().contains("argon2id"));
        let page = body(&page);
        let passes = page["passes"].as_array().unwrap();
        sizes.push(passes.len());
        seen.extend(passes.iter().map(|listed| (listed["id"].clone(), listed["pass"].clone())));
        match page["next"].as_str() {
            Some(next) => after = next.to_string(),
            None => break,
        }
    }
    assert_eq!(sizes, [3, 3, 2]);
    assert!(seen.is_sorted_by(|a, b| a.0.as_str() < b.0.as_str()), "each once, in order");
    let id = PassId::of_email("viewer-4@railbird.test").unwrap();
    let (_, found) = seen.iter().find(|(found, _)| *found == id.as_str()).unwrap();
    let expected = json!({
        "email": "viewer-4@railbird.test", "channels": ["*"], "valid_from": 0, "valid_until": NOW.plus_ms(86_400_000),
        "screens": 5, "locale": "nl-BE", "note": "=order 4",
    });
    assert_eq!(*found, expected);
    let (_, found) = seen.iter().find(|(found, _)| *found == code.as_str()).unwrap();
    assert_eq!((&found["code_hash"], &found["email"]), (&json!(code), &Value::Null));
    // What was exported with its hash is taken by another edge as it is.
    let one = edge.admin("GET", &format!("{PATH}?id={}&hashes=1", id.as_str()), "");
    let exported = body(&one)["passes"][0]["pass"].clone();
    assert!(exported["password_hash"].as_str().unwrap().starts_with("$argon2id$"));
    let other = Probe::default();
    let other = Fixture::new(&other);
    assert_eq!(other.admin("PUT", PATH, &exported.to_string()).status, 204);
    assert_eq!(body(&other.admin("GET", &format!("{PATH}?hashes=1"), ""))["passes"][0]["pass"], exported);
}

#[test]
fn only_the_operator_lists_and_what_is_signed_is_the_whole_question() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(edge.admin("PUT", PATH, &of("a@b.test").to_string()).status, 204);
    let header = |secret: &[u8], target: &str| sign::sign(secret, "GET", target, b"", NOW, [1; 16]);
    let admin = b"admin_secret of the test";
    let hashes = format!("{PATH}?hashes=1");
    for (header, target) in [
        (header(b"origin_secret of the test", PATH), PATH),
        // Without the query that makes it give the hashes, and with one that was not signed.
        (header(admin, PATH), &*hashes),
        (header(admin, &hashes), PATH),
        (header(admin, "/admin/v1/passes?"), &*hashes),
        (String::new(), PATH),
    ] {
        let answer = edge.ask("GET", target, &[(sign::HEADER, &header)], b"");
        assert_eq!((answer.status, &*code(&answer)), (401, "bad-signature"), "{target}");
    }
    for bad in ["max=0", "max=101", "max=x", "after=x", "id=a@b.test", "hashes=yes", "hashes="] {
        let answer = edge.admin("GET", &format!("{PATH}?{bad}"), "");
        assert_eq!((answer.status, &*code(&answer)), (400, "bad-request"), "{bad}");
    }
    let nobody = PassId::of_email("x@y.test").unwrap();
    let answer = edge.admin("GET", &format!("{PATH}?id={}", nobody.as_str()), "");
    assert_eq!((answer.status, &*code(&answer)), (404, "no-such-pass"));
}

#[test]
fn a_pass_of_an_earlier_version_still_opens_and_is_listed() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let mut old = pass("right", NOW.plus_ms(1000));
    old["signed"] = json!(1);
    old.as_object_mut().unwrap().remove("email");
    let id = PassId::of_email("viewer@railbird.test").unwrap();
    let cell = Cell { table: Table::Pass, key: id.as_str().to_string() };
    ready(probe.inner.put(&cell, old.to_string().into_bytes(), None)).unwrap();
    assert_eq!(edge.login("right").status, 200);
    let listed = &body(&edge.admin("GET", PATH, ""))["passes"][0];
    assert_eq!((&listed["id"], &listed["pass"]["screens"]), (&json!(id), &json!(2)));
}

#[test]
fn a_pass_that_was_taken_back_stays_away_until_it_is_issued_again() {
    let probe = Probe::default();
    let mut edge = Fixture::new(&probe);
    let mail = || json!({"email": " Viewer@Railbird.test"});
    assert_eq!(code(&edge.revoke(mail())), "no-such-pass");
    assert!(probe.inner.is_empty());
    let issued = pass("right", NOW.plus_ms(86_400_000)).to_string();
    assert_eq!(edge.admin("PUT", PATH, &issued).status, 204);
    let (old_issue, old_revocation) = (edge.now, edge.now.plus_ms(1));
    edge.now = old_revocation;
    let cookie = cookies(&edge.login("right"));
    let get = |edge: &Fixture<'_>, cookie: &str| {
        code(&edge.ask("GET", "/steer/table-1", &[("cookie", cookie)], b""))
    };
    assert_eq!(get(&edge, &cookie), "no-such-channel");
    assert_eq!(edge.revoke(mail()).status, 204);
    assert_eq!(get(&edge, &cookie), "session-ended");
    assert_eq!(code(&edge.login("right")), "pass-not-valid");
    assert_eq!(code(&edge.login("wrong")), "bad-login");
    assert_eq!(body(&edge.admin("GET", PATH, ""))["passes"][0]["pass"]["revoked"], json!(true));
    // What was overheard and is sent again brings nothing back.
    edge.now = edge.now.plus_ms(1);
    assert_eq!(edge.push_bytes(PATH, issued.as_bytes(), old_issue).status, 200);
    assert_eq!(code(&edge.login("right")), "pass-not-valid");
    // Issued again, it holds; and the old revocation does not take it back.
    assert_eq!(edge.admin("PUT", PATH, &issued).status, 204);
    assert_eq!(get(&edge, &cookies(&edge.login("right"))), "no-such-channel", "in the very second");
    assert_eq!(get(&edge, &cookie), "session-ended");
    let path = "/admin/v1/passes/revoke";
    let said = mail().to_string();
    let header =
        sign::sign(b"admin_secret of the test", "POST", path, said.as_bytes(), old_revocation, [1; 16]);
    let again = edge.ask("POST", path, &[(sign::HEADER, &header)], said.as_bytes());
    assert_eq!((again.status, body(&again)), (200, json!({"kept": edge.now})));
    assert_eq!(edge.login("right").status, 200);
    // By its id, as it is listed.
    let id = PassId::of_email("viewer@railbird.test").unwrap();
    assert_eq!(edge.revoke(json!({"id": id})).status, 204);
    assert_eq!(code(&edge.login("right")), "pass-not-valid");
    for bad in
        [json!({}), json!({"email": "x"}), json!({"id": "x"}), json!({"email": "a@b", "id": id}), json!([])]
    {
        assert_eq!(edge.revoke(bad.clone()).status, 400, "{bad}");
    }
}

#[test]
fn a_code_opens_its_pass_and_a_slip_is_told_from_a_code_that_nobody_has() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let ticket = Code::new([5; 12]);
    let issue = json!({"code_hash": ticket.pass_id(), "channels": ["table-1"], "valid_from": 0, "valid_until": NOW.0 + 90_000});
    assert_eq!(edge.admin("PUT", PATH, &issue.to_string()).status, 204);
    let login = |code: &str| edge.post("/api/login", "", &json!({"code": code}));
    let typed = ticket.to_string().to_lowercase().replace('-', " ");
    let granted = login(&typed);
    assert_eq!((granted.status, &body(&granted)["channels"]), (200, &json!(["table-1"])));
    let token = body(&granted)["token"].as_str().unwrap().to_string();
    assert_eq!(token::open(&settings().session, &token).unwrap().pass, ticket.pass_id());
    let other = login(&Code::new([6; 12]).to_string());
    assert_eq!((other.status, &*code(&other)), (401, "bad-login"));
    let mut slip = ticket.to_string();
    slip.replace_range(..1, if slip.starts_with('7') { "8" } else { "7" });
    for bad in [&*slip, "", "x", &"7".repeat(4000)] {
        let answer = login(bad);
        assert_eq!((answer.status, &*code(&answer)), (400, "bad-code"), "{bad}");
    }
    // A hash that was seen in a list opens nothing.
    assert_eq!(code(&login(ticket.pass_id().as_str())), "bad-code");
    for mixed in
        [json!({"code": typed, "email": "a@b.test"}), json!({"email": "a@b.test"}), json!({"code": 1})]
    {
        assert_eq!(edge.post("/api/login", "", &mixed).status, 400, "{mixed}");
    }
}

#[test]
fn a_session_goes_on_as_its_pass_is_now() {
    let probe = Probe::default();
    let mut edge = Fixture::new(&probe);
    let mut issued = pass("right", NOW.plus_ms(86_400_000));
    assert_eq!(edge.admin("PUT", PATH, &issued.to_string()).status, 204);
    let first = cookies(&edge.login("right"));
    edge.now = edge.now.plus_ms(3_600_000);
    issued["channels"] = json!(["table-1"]);
    assert_eq!(edge.admin("PUT", PATH, &issued.to_string()).status, 204);
    let renewed = edge.post("/api/session/renew", &first, &json!({}));
    assert_eq!((renewed.status, renewed.body.len()), (204, 0));
    let second = cookies(&renewed);
    let claims = |cookie: &str| {
        let token = cookie.split("; ").find_map(|pair| pair.strip_prefix("__Host-railbird=")).unwrap();
        token::open(&settings().session, token).unwrap()
    };
    assert_eq!(claims(&second).expires_s, claims(&first).expires_s + 3600);
    assert_eq!(claims(&second).channels.names(), ["table-1"]);
    assert_eq!(claims(&second).id, claims(&first).id, "with more tokens nobody has more sessions");
    let get = |cookie: &str| code(&edge.ask("GET", "/steer/table-1", &[("cookie", cookie)], b""));
    assert_eq!((get(&first), get(&second)), ("no-such-channel".into(), "no-such-channel".into()));
    assert_eq!(code(&edge.post("/api/session/renew", "", &json!({}))), "no-session");
    let plain = edge.ask("POST", "/api/session/renew", &[("cookie", &first)], b"{}");
    assert_eq!(code(&plain), "wrong-content-type");
    issued["revoked"] = json!(true);
    assert_eq!(edge.admin("PUT", PATH, &issued.to_string()).status, 204);
    let refused = edge.post("/api/session/renew", &second, &json!({}));
    assert_eq!((refused.status, &*code(&refused)), (401, "session-ended"));
    assert!(cookies(&refused).is_empty());
}

#[test]
fn while_keys_change_sessions_under_the_previous_one_live_and_new_ones_are_under_the_present() {
    let with = |present: &'static str, previous: Option<&'static str>| {
        let variable = move |name: &str| match name {
            "session_secret" => Some(present.to_string()),
            "session_secret_previous" => previous.map(ToString::to_string),
            name => name.ends_with("_secret").then(|| format!("{name} of the test")),
        };
        Settings::read(variable).unwrap()
    };
    let (old, new) = ("the old session secret", "the new session secret");
    // In the order in which the edges of an event get them: accept the new one, sign with it, forget the old one.
    let steps = [with(old, None), with(old, Some(new)), with(new, Some(old)), with(new, None)];
    for pair in steps.windows(2) {
        let probe = Probe::default();
        let [before, after] = pair else { unreachable!() };
        let edges: Vec<Fixture<'_>> = [before, after]
            .map(|settings| Fixture { edge: Edge::new(Ok(settings.clone()), &probe), now: NOW })
            .into();
        assert_eq!(
            edges[0].admin("PUT", PATH, &pass("right", NOW.plus_ms(86_400_000)).to_string()).status,
            204
        );
        let get =
            |edge: &Fixture<'_>, cookie: &str| code(&edge.ask("GET", "/steer/a", &[("cookie", cookie)], b""));
        for from in &edges {
            let cookie = cookies(&from.login("right"));
            for to in &edges {
                // At no step is there an edge that refuses what another one has signed.
                assert_eq!(get(to, &cookie), "no-such-channel");
            }
        }
    }
}
