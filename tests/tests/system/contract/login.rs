//! Login.

use serde_json::json;

use super::Door;
use super::ask::{Edge, Session, json_type, now};
use super::fixture::{EMAIL, PASSWORD};

fn credentials(email: &str, password: &str) -> String {
    json!({"email": email, "password": password}).to_string()
}

/// Who is unknown and who is wrong get one answer; what is no login gets its own.
pub(crate) async fn refused<D: Door>(edge: &Edge<'_, D>) {
    let wrong = edge.post("/api/login", &credentials(EMAIL, "hang on a wall")).await;
    let unknown = edge.post("/api/login", &credentials("nobody@railbird.test", PASSWORD)).await;
    wrong.error(401, "bad-login");
    unknown.error(401, "bad-login");
    assert_eq!(wrong.text(), unknown.text(), "an unknown address must not differ from a wrong password");
    for answer in [&wrong, &unknown] {
        assert!(answer.headers("set-cookie").is_empty(), "a refused login sets no cookie");
    }
    edge.post("/api/login", &credentials("", "")).await.error(401, "bad-login");
    edge.post("/api/login", &credentials(EMAIL, "")).await.error(401, "bad-login");
    for malformed in
        ["", "{", "null", "[]", "{}", r#"{"email":1,"password":2}"#, r#"{"email":"a@b"}"#, "\u{0}"]
    {
        edge.post("/api/login", malformed).await.error(400, "bad-request");
    }
    let large = credentials(EMAIL, &"x".repeat(4096));
    edge.post("/api/login", &large).await.error(413, "too-large");
    let good = credentials(EMAIL, PASSWORD);
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let header = ("content-type".to_string(), content_type.to_string());
        edge.ask("POST", "/api/login", vec![header], good.as_str()).await.error(415, "wrong-content-type");
    }
    edge.ask("POST", "/api/login", Vec::new(), good.as_str()).await.error(415, "wrong-content-type");
}

/// A login gives a token, and the same as a cookie that no script and no other host sees.
pub(crate) async fn granted<D: Door>(edge: &Edge<'_, D>) -> Session {
    let header = ("content-type".to_string(), "Application/JSON; charset=utf-8".to_string());
    let body = credentials(" Viewer@Railbird.TEST ", PASSWORD);
    let before = now().seconds();
    let answer = edge.ask("POST", "/api/login", vec![header], body).await;
    answer.status(200).header("content-type", "application/json").header("cache-control", "no-store");
    let granted = answer.json();
    let token = granted["token"].as_str().unwrap().to_string();
    assert_eq!(granted["channels"], json!(["*"]));
    let expires = granted["expires"].as_u64().unwrap();
    // The edge's clock may differ from ours a little.
    assert!((before + 3600 - 60..=now().seconds() + 3600 + 60).contains(&expires), "expires {expires}");
    let cookies = answer.headers("set-cookie");
    let [cookie, device] = cookies.as_slice() else { panic!("two cookies, not {cookies:?}") };
    assert!(device.starts_with("__Host-railbird-device="), "{device}");
    for attribute in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
        assert!(device.contains(attribute), "{attribute} is missing in {device}");
    }
    let cookie: Vec<&str> = cookie.split("; ").collect();
    assert_eq!(cookie[0], format!("__Host-railbird={token}"));
    for attribute in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=3600"] {
        assert!(cookie.contains(&attribute), "{attribute} is missing in {cookie:?}");
    }
    assert_eq!(cookie.len(), 6, "{cookie:?}");
    assert!(token.len() <= 2048 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    // Two logins are two sessions.
    let again = edge.ask("POST", "/api/login", vec![json_type()], credentials(EMAIL, PASSWORD)).await;
    assert_ne!(again.json()["token"].as_str().unwrap(), token);
    Session { token }
}

/// A pass for one channel says so; one of another day does not let in.
pub(crate) async fn narrow<D: Door>(edge: &Edge<'_, D>) {
    let answer = edge.post("/api/login", &credentials("narrow@railbird.test", PASSWORD)).await;
    assert_eq!(answer.status(200).json()["channels"], json!(["table-1"]));
    let past = edge.post("/api/login", &credentials("past@railbird.test", PASSWORD)).await;
    past.error(403, "pass-not-valid");
    assert!(past.headers("set-cookie").is_empty());
    let wrong = edge.post("/api/login", &credentials("past@railbird.test", "wrong")).await;
    wrong.error(401, "bad-login");
}
