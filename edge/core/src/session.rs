//! Sessions: one login's token, in a cookie or in the path, until it expires or is ended.

use alloc::string::String;

use railbird_core::id::ChannelId;

use crate::cells;
use crate::edge::Call;
use crate::errors::Problem;
use crate::holder::{self, Holder};
use crate::http::{self, Request};
use crate::port::Store;
use crate::token::{self, Claims};

/// The cookie that carries the token. The prefix makes browsers keep it to this very host (RFC 6265bis, 4.1.3.2).
pub const COOKIE: &str = "__Host-railbird";

const NO_SESSION: Problem = Problem::new(401, "no-session", "log in with POST /api/login and send its token");
const EXPIRED: Problem = Problem::new(401, "session-expired", "the session has expired: log in again");
const ENDED: Problem = Problem::new(401, "session-ended", "the session was ended by a logout: log in again");
const NOT_COVERED: Problem = Problem::new(403, "not-covered", "this pass does not cover this channel");

/// A session that lives, and what is known of whose it is.
pub(crate) struct Session {
    pub(crate) claims: Claims,
    pub(crate) holder: Holder,
}

/// The live session of a request. A token in the path counts before a cookie.
pub(crate) async fn of<S: Store>(call: &Call<'_, S>, path_token: Option<&str>) -> Result<Session, Problem> {
    let text = path_token.or_else(|| cookie(call.request, COOKIE)).ok_or(NO_SESSION)?;
    let claims = token::open(&call.settings.session, text).map_err(|_| NO_SESSION)?;
    if claims.expires_s <= call.moment.now.seconds() {
        return Err(EXPIRED);
    }
    let mut holder = cells::holder(call.store, &claims.pass).await?.unwrap_or_default();
    holder.prune(call.moment.now);
    if holder.has_ended(&claims) { Err(ENDED) } else { Ok(Session { claims, holder }) }
}

/// The same, for something of a channel.
pub(crate) async fn covering<S: Store>(
    call: &Call<'_, S>,
    path_token: Option<&str>,
    channel: &ChannelId,
) -> Result<Session, Problem> {
    let session = of(call, path_token).await?;
    if session.claims.channels.covers(channel) { Ok(session) } else { Err(NOT_COVERED) }
}

/// Ends the session of a request's cookie, if there is one that lives.
pub(crate) async fn end<S: Store>(call: &Call<'_, S>) -> Result<(), Problem> {
    let claims = cookie(call.request, COOKIE).and_then(|text| token::open(&call.settings.session, text).ok());
    if let Some(claims) = claims.filter(|claims| claims.expires_s > call.moment.now.seconds()) {
        holder::end(call.store, &claims, call.moment.now).await?;
    }
    Ok(())
}

/// The value of a cookie. HTTP/2 may send them in several headers.
pub(crate) fn cookie<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let headers = request.headers.iter().filter(|(name, _)| name == "cookie");
    headers
        .flat_map(|(_, value)| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The `set-cookie` that gives a browser the token.
pub(crate) fn set_cookie(token: &str, ttl_s: u64) -> String {
    http::set_cookie(COOKIE, token, ttl_s)
}

/// The `set-cookie` that takes it away.
pub(crate) fn clear_cookie() -> String {
    set_cookie("", 0)
}
