//! Limits of logins: what a guesser gets, and what the holder gets meanwhile.

use super::passes::cookies;
use super::*;

/// A login of an address and a password from a client, with cookies.
fn login(edge: &Fixture<'_>, client: Option<&str>, cookie: &str, email: &str, password: &str) -> Response {
    let request = Request {
        method: "POST".into(),
        path: "/api/login".into(),
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("cookie".into(), cookie.into()),
            ("x-forwarded-for".into(), "192.0.2.99".into()),
        ],
        body: json!({"email": email, "password": password}).to_string().into_bytes(),
        client: client.map(ToString::to_string),
        ..Request::default()
    };
    ready(edge.edge.handle(request, &Moment { now: edge.now, entropy: [8; 32] }))
}

const HOLDER: &str = "viewer@railbird.test";

fn with_pass(probe: &Probe) -> Fixture<'_> {
    let edge = Fixture::new(probe);
    let until = NOW.plus_ms(365 * 86_400_000);
    assert_eq!(edge.push("/admin/v1/passes", &pass("right", until)).status, 204);
    edge
}

#[test]
fn a_guesser_learns_nothing_of_an_account_not_even_that_it_is_locked() {
    let probe = Probe::default();
    let mut edge = with_pass(&probe);
    let mut answers = Vec::new();
    for n in 0..30 {
        // From another address each time, so that only the account's limit counts.
        let from = format!("203.0.113.{n}");
        let known = login(&edge, Some(&from), "", HOLDER, "wrong");
        let unknown = login(&edge, Some(&from), "", "nobody@railbird.test", "wrong");
        assert_eq!(known, unknown, "{n}");
        answers.push(known);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!((answers[0].status, &*code(&answers[0])), (401, "bad-login"));
    // The right password is not told from a wrong one as long as the account has no tries.
    assert_eq!(login(&edge, Some("203.0.113.99"), "", HOLDER, "right"), answers[0]);
    // After a tenth of the window there is one try again.
    edge.now = edge.now.plus_ms(90_000);
    assert_eq!(login(&edge, Some("203.0.113.99"), "", HOLDER, "right").status, 200);
    // A good login is no try: the account is as open as before.
    for _ in 0..20 {
        assert_eq!(login(&edge, None, "", HOLDER, "right").status, 200);
    }
}

#[test]
fn what_is_asked_of_the_store_is_the_same_for_nobody_and_for_somebody() {
    let probe = Probe::default();
    let edge = with_pass(&probe);
    let asked = |email: &str| {
        probe.cells.borrow_mut().clear();
        login(&edge, Some("203.0.113.1"), "", email, "wrong");
        probe.cells.borrow().iter().map(|cell| cell.table).collect::<Vec<_>>()
    };
    for _ in 0..15 {
        assert_eq!(asked(HOLDER), asked("nobody@railbird.test"));
        assert_eq!(asked(HOLDER), [Table::Limit, Table::Limit, Table::Pass]);
    }
}

#[test]
fn a_device_that_the_holder_has_used_has_its_own_tries_and_is_told() {
    let probe = Probe::default();
    let mut edge = with_pass(&probe);
    let device = cookies(&login(&edge, None, "", HOLDER, "right"));
    let device = device.split("; ").find(|cookie| cookie.starts_with("__Host-railbird-device=")).unwrap();
    for _ in 0..10 {
        login(&edge, None, "", HOLDER, "wrong");
    }
    assert_eq!(login(&edge, None, "", HOLDER, "right").status, 401, "locked for strangers");
    let again = login(&edge, None, device, HOLDER, "right");
    assert_eq!(again.status, 200);
    // It keeps its name, so that new cookies are no new tries.
    let renewed = cookies(&again);
    for n in 0..10 {
        let cookie = if n % 2 == 0 { device } else { &renewed };
        assert_eq!(code(&login(&edge, None, cookie, HOLDER, "wrong")), "bad-login");
    }
    let locked = login(&edge, None, &renewed, HOLDER, "right");
    assert_eq!((locked.status, &*code(&locked)), (429, "too-many-tries"));
    assert!(locked.headers.contains(&("retry-after".into(), "90".into())), "{:?}", locked.headers);
    let text = body(&locked)["error"]["message"].as_str().unwrap().to_string();
    assert_eq!(text, "too many tries: wait 2 minutes or reset your password");
    assert_eq!(login(&edge, None, device, HOLDER, "wrong"), locked, "whatever the password");
    // The cookie says nothing of another account, and nothing of its own when it was changed or has expired.
    let elsewhere = login(&edge, None, device, "nobody@railbird.test", "wrong");
    assert_eq!(code(&elsewhere), "bad-login");
    let mut forged = device.to_string().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    assert_eq!(code(&login(&edge, None, &forged, HOLDER, "right")), "bad-login");
    edge.now = edge.now.plus_ms(200 * 86_400_000);
    for _ in 0..10 {
        login(&edge, None, "", HOLDER, "wrong");
    }
    assert_eq!(code(&login(&edge, None, device, HOLDER, "right")), "bad-login", "a season later");
}

#[test]
fn an_address_may_fail_so_often_and_others_go_on() {
    let probe = Probe::default();
    let edge = with_pass(&probe);
    // Whoever is unknown costs as much work as a real pass does; those of these holders cost little.
    let from = |client: &str, n: usize| login(&edge, Some(client), "", &format!("{n}@b.test"), "wrong");
    let unknown = [0, 30, 59, 69];
    for n in (0..70).filter(|n| !unknown.contains(n)) {
        let pass = pass_of(&format!("{n}@b.test"), "right", NOW.plus_ms(86_400_000));
        assert_eq!(edge.push("/admin/v1/passes", &pass).status, 204);
    }
    for n in 0..60 {
        assert_eq!(from("[2001:db8:1:2::1]:4711", n).status, 401, "{n}");
    }
    // Another address of the same network, whatever it asks and whatever headers it makes up.
    let refused = from("2001:db8:1:2:ffff::9", 60);
    assert_eq!((refused.status, &*code(&refused)), (429, "too-many-tries"));
    assert!(refused.headers.contains(&("retry-after".into(), "15".into())));
    assert_eq!(
        login(&edge, Some("2001:db8:1:2::1"), "", HOLDER, "right"),
        refused,
        "for somebody as for nobody"
    );
    assert_eq!(login(&edge, Some("2001:db8:1:3::1"), "", HOLDER, "right").status, 200);
    // Behind a proxy or in the venue all have one address: accounts have limits there, the address has none.
    for n in 0..70 {
        assert_eq!(from("127.0.0.1:80", n).status, 401);
    }
    // A hall full of people who log in rightly locks nobody out.
    for _ in 0..70 {
        assert_eq!(login(&edge, Some("198.51.100.1"), "", HOLDER, "right").status, 200);
    }
}

#[test]
fn tries_that_are_back_leave_the_store() {
    let probe = Probe::default();
    let edge = with_pass(&probe);
    for n in 0..5 {
        login(&edge, Some("203.0.113.1"), "", &format!("{n}@b.test"), "wrong");
    }
    assert_eq!(probe.inner.len(), 1 + 5 + 1);
    probe.inner.expire(NOW.plus_ms(90_000));
    assert_eq!(probe.inner.len(), 1);
}
