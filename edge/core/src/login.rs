//! Login and logout, and a session that goes on.
//!
//! A password is tried against two limits: of the address from which it comes, and of the account. An account without
//! tries is not told from a wrong password, so that a guesser learns nothing; but a device that the holder has used
//! before (`device`) has tries of its own, and is told.

use alloc::format;
use alloc::string::String;

use futures::future;
use railbird_core::pass::code::Code;
use railbird_core::pass::password;
use serde::{Deserialize, Serialize};

use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::guard;
use crate::http::Response;
use crate::limits::{self, Limit, Rule, Wait};
use crate::passes::{Coverage, Pass, PassId};
use crate::port::{Store, StoreError};
use crate::token::{self, Claims};
use crate::{cells, device, holder, lease, session};

/// Wrong passwords of an account, and of a device of its holder.
const ACCOUNT: Rule = Rule { tries: 10, window_ms: 15 * 60_000 };

/// Logins that fail, of an address: many people may be behind one.
const ADDRESS: Rule = Rule { tries: 60, window_ms: 15 * 60_000 };

/// One answer for an unknown e-mail address, for a wrong password, and for an account that has no tries left.
const BAD_LOGIN: Problem = Problem::new(
    401,
    "bad-login",
    "no pass has this e-mail address and password, or there were too many tries: wait 15 minutes then",
);
const BAD_CODE: Problem = Problem::new(401, "bad-login", "no pass has this code: compare it with the ticket");
const NOT_VALID: Problem =
    Problem::new(403, "pass-not-valid", "this pass is not valid at this time: ask who sold it");
const NO_LONGER: Problem =
    Problem::new(401, "session-ended", "the pass of this session is not valid any more: log in again");

#[derive(Deserialize)]
struct Credentials {
    email: Option<String>,
    password: Option<String>,
    code: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Granted {
    token: String,
    /// Seconds since 1970.
    expires: u64,
    channels: Coverage,
}

/// `POST /api/login`.
pub(crate) async fn login<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    let sent = serde_json::from_slice(&call.request.body).ok();
    let (id, pass) = match sent {
        Some(Credentials { email: Some(email), password: Some(password), code: None }) => {
            by_password(call, &email, &password).await?
        }
        Some(Credentials { email: None, password: None, code: Some(code) }) => by_code(call, &code).await?,
        _ => {
            let form = "send {\"email\":\"…\",\"password\":\"…\"} or {\"code\":\"…\"}";
            return Err(Problem::bad_request(form));
        }
    };
    if !pass.holds(call.moment.now) {
        return Err(NOT_VALID);
    }
    let known = device::set_cookie(call, &id);
    let (granted, cookie) = grant(call, id, &pass).await?;
    let response = errors::json(200, &granted).with("set-cookie", &cookie).with("set-cookie", &known);
    Ok(response.with("cache-control", "no-store"))
}

/// The pass of an address and its password. What is asked of the store and the work on the password are the same whether
/// there is such a pass or not.
async fn by_password<S: Store>(
    call: &Call<'_, S>,
    email: &str,
    password: &str,
) -> Result<(PassId, Pass), Problem> {
    let address = count_address(call, "login address").await?;
    let id = PassId::of_email(email);
    let device = id.as_ref().and_then(|id| device::of(call, id));
    let account = match &device {
        Some(device) => Limit::new("login device", device, ACCOUNT),
        None => Limit::new("login account", id.as_ref().map_or("nobody", PassId::as_str), ACCOUNT),
    };
    let pass = async {
        match &id {
            Some(id) => cells::pass(call.store, id).await,
            None => Ok(None),
        }
    };
    let (counted, pass) = future::try_join(account.take(call), pass).await?;
    let hash = pass.as_ref().and_then(|pass| pass.password_hash.as_deref());
    let right = password::verify(password.as_bytes(), hash);
    match counted {
        Ok(()) => {}
        Err(wait) if device.is_some() => return Err(too_many(wait, "or reset your password")),
        Err(_) => return Err(BAD_LOGIN),
    }
    let (Some(id), Some(pass), true) = (id, pass, right) else { return Err(BAD_LOGIN) };
    account.give_back(call).await?;
    give_back(call, address).await?;
    Ok((id, pass))
}

/// The pass of a code. A code can't be guessed: what is limited is the work that an address makes.
async fn by_code<S: Store>(call: &Call<'_, S>, text: &str) -> Result<(PassId, Pass), Problem> {
    let code: Code = text.parse().map_err(|wrong| Problem::saying(400, "bad-code", wrong))?;
    let address = count_address(call, "login address").await?;
    let id = code.pass_id();
    let pass = cells::pass(call.store, &id).await?.filter(|pass| pass.by_code).ok_or(BAD_CODE)?;
    give_back(call, address).await?;
    Ok((id, pass))
}

/// Counts a try of this kind of the address from which a request comes; `None` where it is not known.
pub(crate) async fn count_address<S: Store>(
    call: &Call<'_, S>,
    kind: &str,
) -> Result<Option<Limit>, Problem> {
    let Some(client) = call.request.client.as_deref().and_then(limits::client) else { return Ok(None) };
    let limit = Limit::new(kind, &client, ADDRESS);
    match limit.take(call).await? {
        Ok(()) => Ok(Some(limit)),
        Err(wait) => Err(too_many(wait, "or use another network")),
    }
}

async fn give_back<S: Store>(call: &Call<'_, S>, limit: Option<Limit>) -> Result<(), Problem> {
    match limit {
        Some(limit) => Ok(limit.give_back(call).await?),
        None => Ok(()),
    }
}

pub(crate) fn too_many(wait: Wait, or_else: &str) -> Problem {
    let minutes = wait.minutes();
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    let text = format!("too many tries: wait {minutes} {unit} {or_else}");
    Problem::saying(429, "too-many-tries", text).after_ms(wait.0)
}

/// A new session of a pass that holds, and its cookie.
pub(crate) async fn grant<S: Store>(
    call: &Call<'_, S>,
    id: PassId,
    pass: &Pass,
) -> Result<(Granted, String), StoreError> {
    grant_as(call, id, pass, token_id(call)).await
}

async fn grant_as<S: Store>(
    call: &Call<'_, S>,
    id: PassId,
    pass: &Pass,
    session: [u8; 16],
) -> Result<(Granted, String), StoreError> {
    let now = call.moment.now;
    let expires_s = now.seconds().saturating_add(call.settings.session_ttl_s).min(pass.valid_until.seconds());
    let issued_s = holder::first_issue_s(call.store, &id, now).await?;
    let channels = pass.channels.clone();
    let claims = Claims { pass: id, channels, issued_s, expires_s, id: session };
    let token = token::mint(&call.settings.session, &claims);
    let cookie = session::set_cookie(&token, expires_s.saturating_sub(now.seconds()));
    Ok((Granted { token, expires: expires_s, channels: claims.channels }, cookie))
}

/// `POST /api/session/renew`: another token of a session that lives, as the pass is now. The old one stays what it is, since a
/// player may hold a playlist under it. They are one session: what a session may have at a time does not grow with its tokens.
pub(crate) async fn renew<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    let claims = session::of(call, None).await?.claims;
    let pass = holding(call, &claims.pass).await?;
    let (_, cookie) = grant_as(call, claims.pass, &pass, claims.id).await?;
    Ok(Response::new(204).with("set-cookie", &cookie).with("cache-control", "no-store"))
}

/// The pass of a session, if it still holds.
pub(crate) async fn holding<S: Store>(call: &Call<'_, S>, id: &PassId) -> Result<Pass, Problem> {
    let holds = |pass: &Pass| pass.holds(call.moment.now);
    cells::pass(call.store, id).await?.filter(holds).ok_or(NO_LONGER)
}

/// `POST /api/logout`.
pub(crate) async fn logout<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    guard::check(call)?;
    session::end(call).await?;
    let gone = Response::new(204).with("set-cookie", &session::clear_cookie());
    Ok(gone.with("set-cookie", &lease::clear_cookie()).with("cache-control", "no-store"))
}

/// A token's id.
fn token_id<S>(call: &Call<'_, S>) -> [u8; 16] {
    let mut id = [0; 16];
    id.iter_mut().zip(call.moment.draw("railbird token id v1")).for_each(|(to, from)| *to = from);
    id
}
