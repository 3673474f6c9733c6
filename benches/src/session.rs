//! A pass at the edge, and logins with it.

use anyhow::{Context, Result, ensure};
use railbird_core::sign;
use serde_json::{Value, json};

use crate::client::Client;
use crate::clock;
use crate::origin::SECRET;

const EMAIL: &str = "bench@railbird.test";
const PASSWORD: &str = "hang on a ball";
/// argon2id of [`PASSWORD`]: 19 MiB, two passes.
const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y29udHJhY3Qgc3VpdGUgc2FsdA\
    $igq3VUgxKHh8M5Qt7+9ngjxqYnmj+2u7DGqTF+wc09w";

/// Issues the pass, as the operator does.
pub(crate) fn issue(client: &mut Client) -> Result<()> {
    let now = clock::now();
    let pass = json!({
        "email": EMAIL,
        "password_hash": PASSWORD_HASH,
        "channels": ["*"],
        "valid_from": now.0 - 60_000,
        "valid_until": now.plus_ms(86_400_000),
    });
    put(client, "/admin/v1/passes", &pass)
}

/// Logs in; gives the session's token.
pub(crate) fn login(client: &mut Client) -> Result<String> {
    let body = serde_json::to_vec(&json!({"email": EMAIL, "password": PASSWORD}))?;
    let answer = client.ask("POST", "/api/login", &[], &body)?;
    ensure!(answer.status == 200, "login: {}", answer.status);
    let login: Value = serde_json::from_slice(&answer.body)?;
    Ok(login["token"].as_str().context("no token")?.to_owned())
}

/// Claims a screen, or renews the claim; gives the cookie of its lease.
pub(crate) fn claim(client: &mut Client, session: &str) -> Result<String> {
    let body = br#"{"screen":"AAECAwQFBgcICQoLDA0ODw","name":"Bench"}"#;
    let answer = client.ask("POST", "/api/screens", &[("cookie", session)], body)?;
    ensure!(answer.status == 200, "screen: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer.cookie.context("no lease")
}

/// Puts a signed document, as the origin and the operator do.
pub(crate) fn put(client: &mut Client, path: &str, body: &Value) -> Result<()> {
    let body = serde_json::to_vec(body)?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)?;
    let signature = sign::sign(SECRET.as_bytes(), "PUT", path, &body, clock::now(), nonce);
    let answer = client.ask("PUT", path, &[(sign::HEADER, &signature)], &body)?;
    ensure!(answer.status == 204, "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(())
}
