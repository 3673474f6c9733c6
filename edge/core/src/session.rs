//! Sessions: one login's token, in a cookie or in the path, until it expires or is ended.

use alloc::string::String;

use futures::future;
use railbird_core::id::ChannelId;

use crate::channels::NO_SUCH_CHANNEL;
use crate::edge::Call;
use crate::errors::Problem;
use crate::holder::{self, Holder};
use crate::http::{self, Request};
use crate::port::{Courier, Store};
use crate::token::{self, Claims};
use crate::{cells, channels};

pub use railbird_core::session::COOKIE;

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
    living(call, claims(call, path_token)?).await
}

/// What a request's token says, if it is ours and has not expired.
fn claims<S>(call: &Call<'_, S>, path_token: Option<&str>) -> Result<Claims, Problem> {
    let text = path_token.or_else(|| cookie(call.request, COOKIE)).ok_or(NO_SESSION)?;
    let claims = token::open(&call.settings.session, text).map_err(|_| NO_SESSION)?;
    if claims.expires_s <= call.moment.now.seconds() { Err(EXPIRED) } else { Ok(claims) }
}

/// The session of a token, if it was not ended.
async fn living<S: Store>(call: &Call<'_, S>, claims: Claims) -> Result<Session, Problem> {
    let mut holder = cells::holder(call.store, &claims.pass).await?.unwrap_or_default();
    holder.prune(call.moment.now);
    if holder.has_ended(&claims) { Err(ENDED) } else { Ok(Session { claims, holder }) }
}

/// The same, for something of a channel, of which an origin has spoken: nothing is looked for by a name that a viewer made up.
pub(crate) async fn covering<S: Store + Courier>(
    call: &Call<'_, S>,
    path_token: Option<&str>,
    channel: &ChannelId,
) -> Result<Session, Problem> {
    let claims = claims(call, path_token)?;
    if !claims.channels.covers(channel) {
        return living(call, claims).await.and(Err(NOT_COVERED));
    }
    let (session, known) = future::join(living(call, claims), channels::is_known(call, channel)).await;
    let session = session?;
    if known { Ok(session) } else { Err(NO_SUCH_CHANNEL) }
}

/// Ends the session of a request's cookie, if there is one that lives.
pub(crate) async fn end<S: Store>(call: &Call<'_, S>) -> Result<(), Problem> {
    let claims = cookie(call.request, COOKIE).and_then(|text| token::open(&call.settings.session, text).ok());
    if let Some(claims) = claims.filter(|claims| claims.expires_s > call.moment.now.seconds()) {
        holder::end(call.store, &claims, call.moment.now).await?;
    }
    Ok(())
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let headers = request.headers.iter().filter(|(name, _)| name == "cookie");
    railbird_core::session::cookie(headers.map(|(_, value)| &**value), name)
}

/// The `set-cookie` that gives a browser the token.
pub(crate) fn set_cookie(token: &str, ttl_s: u64) -> String {
    http::set_cookie(COOKIE, token, ttl_s)
}

/// The `set-cookie` that takes it away.
pub(crate) fn clear_cookie() -> String {
    set_cookie("", 0)
}
