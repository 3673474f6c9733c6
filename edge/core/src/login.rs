//! Login and logout.

use alloc::string::String;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::cells;
use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::http::Response;
use crate::passes::PassId;
use crate::port::Store;
use crate::token::{self, Claims};
use crate::{guard, lease, password, session};

/// One answer for an unknown e-mail address and for a wrong password.
const BAD_LOGIN: Problem = Problem::new(401, "bad-login", "no pass has this e-mail address and password");
const NOT_VALID: Problem =
    Problem::new(403, "pass-not-valid", "this pass is not valid at this time: ask who sold it");

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

#[derive(Serialize)]
struct Granted {
    token: String,
    /// Seconds since 1970.
    expires: u64,
    channels: crate::passes::Coverage,
}

/// `POST /api/login`.
pub(crate) async fn login<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    let sent: Credentials = serde_json::from_slice(&call.request.body)
        .map_err(|_| Problem::bad_request("send {\"email\":\"…\",\"password\":\"…\"}"))?;
    let id = PassId::of_email(&sent.email);
    let pass = match &id {
        Some(id) => cells::pass(call.store, id).await?,
        None => None,
    };
    let right = password::verify(sent.password.as_bytes(), pass.as_ref().map(|pass| &*pass.password_hash));
    let (Some(pass), Some(id), true) = (pass, id, right) else { return Err(BAD_LOGIN) };
    let now = call.moment.now;
    if !pass.holds(now) {
        return Err(NOT_VALID);
    }
    let expires_s = now.seconds().saturating_add(call.settings.session_ttl_s).min(pass.valid_until.seconds());
    let claims = Claims {
        pass: id,
        channels: pass.channels,
        issued_s: now.seconds(),
        expires_s,
        id: token_id(&call.moment.entropy),
    };
    let token = token::mint(&call.settings.session, &claims);
    let cookie = session::set_cookie(&token, expires_s.saturating_sub(now.seconds()));
    let granted = Granted { token, expires: expires_s, channels: claims.channels };
    Ok(errors::json(200, &granted).with("set-cookie", &cookie).with("cache-control", "no-store"))
}

/// `POST /api/logout`.
pub(crate) async fn logout<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    session::end(call).await?;
    let gone = Response::new(204).with("set-cookie", &session::clear_cookie());
    Ok(gone.with("set-cookie", &lease::clear_cookie()).with("cache-control", "no-store"))
}

/// A token's id out of a request's randomness, and of no use for anything else that is made of it.
fn token_id(entropy: &[u8; 32]) -> [u8; 16] {
    let mut id = [0; 16];
    // HMAC takes a key of any length.
    if let Ok(mac) = Hmac::<Sha256>::new_from_slice(entropy) {
        let digest = mac.chain_update(b"railbird token id v1").finalize().into_bytes();
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    }
    id
}
