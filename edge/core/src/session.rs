//! Sessions: one login's token, in a cookie or in the path, until it expires or is ended.

use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::hex;
use railbird_core::id::ChannelId;
use railbird_core::time::UtcMs;

use crate::edge::Call;
use crate::errors::Problem;
use crate::http;
use crate::port::{Cell, Store, Table};
use crate::token::{self, Claims};

/// The cookie that carries the token. The prefix makes browsers keep it to this very host (RFC 6265bis, 4.1.3.2).
pub const COOKIE: &str = "__Host-railbird";

const NO_SESSION: Problem = Problem::new(401, "no-session", "log in with POST /api/login and send its token");
const EXPIRED: Problem = Problem::new(401, "session-expired", "the session has expired: log in again");
const ENDED: Problem = Problem::new(401, "session-ended", "the session was ended by a logout: log in again");
const NOT_COVERED: Problem = Problem::new(403, "not-covered", "this pass does not cover this channel");

/// The live session of a request. A token in the path counts before a cookie.
pub(crate) async fn of<S: Store>(call: &Call<'_, S>, path_token: Option<&str>) -> Result<Claims, Problem> {
    let text = path_token.or_else(|| call.request.cookie(COOKIE)).ok_or(NO_SESSION)?;
    let claims = token::open(&call.settings.session, text).map_err(|_| NO_SESSION)?;
    if claims.expires_s <= call.moment.now.seconds() {
        return Err(EXPIRED);
    }
    match call.store.get(&revoked(&claims)).await? {
        Some(_) => Err(ENDED),
        None => Ok(claims),
    }
}

/// The same, for something of a channel.
pub(crate) async fn covering<S: Store>(
    call: &Call<'_, S>,
    path_token: Option<&str>,
    channel: &ChannelId,
) -> Result<Claims, Problem> {
    let claims = of(call, path_token).await?;
    if claims.channels.covers(channel) { Ok(claims) } else { Err(NOT_COVERED) }
}

/// Ends the session of a request's cookie, if there is one that lives.
pub(crate) async fn end<S: Store>(call: &Call<'_, S>) -> Result<(), Problem> {
    let claims = call.request.cookie(COOKIE).and_then(|text| token::open(&call.settings.session, text).ok());
    if let Some(claims) = claims.filter(|claims| claims.expires_s > call.moment.now.seconds()) {
        let expires = UtcMs(claims.expires_s.saturating_mul(1000));
        call.store.put(&revoked(&claims), Vec::from(*b"1"), Some(expires)).await?;
    }
    Ok(())
}

fn revoked(claims: &Claims) -> Cell {
    Cell { table: Table::Revoked, key: hex::encode(&claims.id) }
}

/// The `set-cookie` that gives a browser the token.
pub(crate) fn set_cookie(token: &str, ttl_s: u64) -> String {
    http::set_cookie(COOKIE, token, ttl_s)
}

/// The `set-cookie` that takes it away.
pub(crate) fn clear_cookie() -> String {
    set_cookie("", 0)
}
