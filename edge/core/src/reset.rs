//! A new password: by a link that the holder gets by mail, or by whoever knows the present one.
//!
//! The edge sends no mail. It tells the operator's webhook, which does; whether there was anything to tell is not to be seen
//! from outside, neither in the answer nor in its time. A link is good for half an hour and for one change: it is bound to the
//! password that it replaces, so that any change of that password ends it. Its secret is behind a `#`, which no browser sends.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::pass::{normal_email, password};
use railbird_core::{hex, sign};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::change::{Kind, json};
use crate::edge::Call;
use crate::errors::Problem;
use crate::http::Response;
use crate::limits::{Limit, Rule};
use crate::passes::{NewPassword, Pass, PassId};
use crate::port::{Courier, Store};
use crate::settings::Webhook;
use crate::{cells, guard, holder, intake, lease, login, session};

/// How long a link is good, in seconds.
pub(crate) const LINK_TTL_S: u64 = 30 * 60;

/// How long it takes to answer who has forgotten a password, in milliseconds, whatever is done meanwhile; and how long the
/// webhook may take.
const FORGOT_MS: u64 = 2_000;

/// Links that are sent for an account: nobody's mailbox is filled by somebody else.
const LINKS: Rule = Rule { tries: 3, window_ms: 60 * 60_000 };

/// And present passwords that are tried by whoever has a session.
const PRESENT: Rule = Rule { tries: 10, window_ms: 15 * 60_000 };

const PURPOSE: &str = "password reset v1";
const PASS_LEN: usize = 32;
const BINDING_LEN: usize = 16;

pub(crate) const NO_WEBHOOK: Problem = Problem::new(
    404,
    "no-reset",
    "no links are sent from here: ask whoever sold the pass for another password",
);
const BAD_LINK: Problem =
    Problem::new(401, "bad-link", "this link was used already, or is older than 30 minutes: ask for another");
const BAD_PASSWORD: Problem = Problem::new(400, "bad-password", "choose a password of 8 to 1024 bytes");
const WRONG_PASSWORD: Problem = Problem::new(403, "wrong-password", "the present password is another one");

#[derive(Deserialize)]
struct Forgot {
    email: String,
}

#[derive(Deserialize)]
struct Reset {
    token: String,
    password: String,
}

#[derive(Deserialize)]
struct Change {
    present: String,
    password: String,
}

/// What the webhook is told.
#[derive(Serialize)]
struct Letter<'a> {
    kind: &'static str,
    email: &'a str,
    locale: Option<&'a str>,
    link: &'a str,
    /// Seconds since 1970.
    expires: u64,
}

/// Whether holders who have forgotten their password can have a link.
pub(crate) fn sends_links<S>(call: &Call<'_, S>) -> bool {
    call.settings.webhook.is_some()
}

/// `POST /api/password/forgot`.
pub(crate) async fn forgot<S: Store + Courier>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    let webhook = call.settings.webhook.as_ref().ok_or(NO_WEBHOOK)?;
    let Forgot { email } = read(call, "send {\"email\":\"…\"}")?;
    login::count_address(call, "forgot address").await?;
    let email = normal_email(&email).unwrap_or_default();
    // What can't be an address costs the same as one that nobody has.
    let id = PassId::of_email(&email).or_else(|| PassId::of_email("nobody@invalid")).ok_or(BAD_LINK)?;
    let limit = Limit::new("forgot account", id.as_str(), LINKS);
    let (counted, pass) = future::try_join(limit.take(call), cells::pass(call.store, &id)).await?;
    let open = |pass: &Pass| !pass.revoked && call.moment.now < pass.valid_until && counted.is_ok();
    let letter = pass.filter(open).and_then(|pass| letter(call, webhook, &id, &email, &pass));
    let send = async {
        if let Some((headers, body)) = letter {
            // Whoever asked learns nothing of it.
            call.store.post(&webhook.url, &headers, &body, FORGOT_MS).await;
        }
    };
    future::join(send, call.store.pause(FORGOT_MS)).await;
    Ok(Response::new(202).with("cache-control", "no-store"))
}

/// Headers and body of a request to the webhook.
type Sealed = (Vec<(&'static str, String)>, Vec<u8>);

/// The webhook's request of a pass that has a password.
fn letter<S>(call: &Call<'_, S>, webhook: &Webhook, id: &PassId, email: &str, pass: &Pass) -> Option<Sealed> {
    let now = call.moment.now;
    let expires_s = now.seconds().saturating_add(LINK_TTL_S);
    let mut payload = hex::decode(id.as_str())?;
    payload.extend_from_slice(&expires_s.to_be_bytes());
    payload.extend_from_slice(&binding(pass.password_hash.as_deref()?));
    let token = call.settings.sealing.seal(PURPOSE, &payload);
    let link = format!("{}/reset#{token}", webhook.public_url);
    let locale = pass.locale.as_deref();
    let body = json(&Letter { kind: "password-reset", email, locale, link: &link, expires: expires_s });
    let mut nonce = [0; 16];
    nonce.iter_mut().zip(call.moment.draw("railbird nonce v1")).for_each(|(to, from)| *to = from);
    let signature = sign::sign(webhook.secret.bytes(), "POST", webhook.target(), &body, now, nonce);
    let headers = Vec::from([("content-type", String::from("application/json")), (sign::HEADER, signature)]);
    Some((headers, body))
}

/// `POST /api/password/reset`.
pub(crate) async fn reset<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    let Reset { token, password } = read(call, "send {\"token\":\"…\",\"password\":\"…\"}")?;
    login::count_address(call, "reset address").await?;
    let (id, was) = open(call, &token).ok_or(BAD_LINK)?;
    let pass = cells::pass(call.store, &id).await?.ok_or(BAD_LINK)?;
    // Asked before the work, and again where the value lives, in case of two at the same moment.
    if pass.password_hash.as_deref().map(binding) != Some(was) {
        return Err(BAD_LINK);
    }
    set(call, &id, was, &password).await?;
    let gone = Response::new(204).with("set-cookie", &session::clear_cookie());
    Ok(gone.with("set-cookie", &lease::clear_cookie()).with("cache-control", "no-store"))
}

/// Whose password a link changes, and which.
fn open<S>(call: &Call<'_, S>, token: &str) -> Option<(PassId, [u8; BINDING_LEN])> {
    let payload = call.settings.sealing.open(PURPOSE, token)?;
    let (id, rest) = payload.split_at_checked(PASS_LEN)?;
    let (expires_s, was) = rest.split_first_chunk()?;
    let lives = call.moment.now.seconds() < u64::from_be_bytes(*expires_s);
    lives.then_some((hex::encode(id).parse().ok()?, was.try_into().ok()?))
}

/// `POST /api/password/change`.
pub(crate) async fn change<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    let Change { present, password } = read(call, "send {\"present\":\"…\",\"password\":\"…\"}")?;
    let id = session::of(call, None).await?.claims.pass;
    let pass = login::holding(call, &id).await?;
    let limit = Limit::new("present password", id.as_str(), PRESENT);
    if let Err(wait) = limit.take(call).await? {
        return Err(login::too_many(wait, "or reset your password"));
    }
    let hash = pass.password_hash.as_deref();
    let (true, Some(hash)) = (password::verify(present.as_bytes(), hash), hash) else {
        return Err(WRONG_PASSWORD);
    };
    set(call, &id, binding(hash), &password).await?;
    limit.give_back(call).await?;
    let (_, cookie) = login::grant(call, id, &pass).await?;
    Ok(Response::new(204).with("set-cookie", &cookie).with("cache-control", "no-store"))
}

/// Sets a password in place of the one that `was` binds to, and ends every session.
async fn set<S: Store>(
    call: &Call<'_, S>,
    id: &PassId,
    was: [u8; BINDING_LEN],
    password: &str,
) -> Result<(), Problem> {
    if password.len() < password::LEN_MIN {
        return Err(BAD_PASSWORD);
    }
    let mut salt = [0; 16];
    salt.iter_mut().zip(call.moment.draw("railbird salt v1")).for_each(|(to, from)| *to = from);
    let password_hash = password::hash(password.as_bytes(), salt).map_err(|_| BAD_PASSWORD)?;
    let now = call.moment.now;
    let said = json(&NewPassword { was: hex::encode(&was), password_hash, at: now });
    let changed = intake::changed(call, &cells::pass_cell(id), Kind::PassPassword, &said).await?;
    if changed != Some(true) {
        return Err(BAD_LINK);
    }
    // Those of this very second, too.
    Ok(holder::revoke_before(call.store, id, now.seconds().saturating_add(1), now).await?)
}

/// What stands for a password's hash in a link.
pub(crate) fn binding(password_hash: &str) -> [u8; BINDING_LEN] {
    let mut binding = [0; BINDING_LEN];
    let digest = Sha256::digest(format!("railbird password binding v1\n{password_hash}").as_bytes());
    binding.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    binding
}

fn read<S, T: DeserializeOwned>(call: &Call<'_, S>, form: &'static str) -> Result<T, Problem> {
    serde_json::from_slice(&call.request.body).map_err(|_| Problem::bad_request(form))
}
