//! What every request that changes something for a session must be: JSON, small, and not sent by another site's page.
//!
//! A page of another site can make a browser send a request with our cookies only where `SameSite=Lax` lets it, which a POST
//! is not; a form can't send JSON (Fetch, CORS-preflight); and a browser says where a request comes from. Each of the three
//! would do alone.

use crate::cors;
use crate::edge::Call;
use crate::errors::Problem;

/// The largest body, in bytes.
pub(crate) const BODY_LEN_MAX: usize = 4096;

const TOO_LARGE: Problem = Problem::new(413, "too-large", "send at most 4096 bytes");
const WRONG_TYPE: Problem =
    Problem::new(415, "wrong-content-type", "send JSON, with the header content-type: application/json");
const CROSS_SITE: Problem = Problem::new(
    403,
    "cross-site",
    "a page of another site may not do this: the operator lists those that may in cors_origins",
);

/// Checks a request that changes something.
pub(crate) fn check<S>(call: &Call<'_, S>) -> Result<(), Problem> {
    let request = call.request;
    let content_type = request.header("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(WRONG_TYPE);
    }
    if request.body.len() > BODY_LEN_MAX {
        return Err(TOO_LARGE);
    }
    check_site(call)
}

/// Checks that no page of another site sent the request.
pub(crate) fn check_site<S>(call: &Call<'_, S>) -> Result<(), Problem> {
    if is_of_another_site(call) { Err(CROSS_SITE) } else { Ok(()) }
}

/// Whether a browser says that a page of another site sent it. What no browser sent says nothing (Fetch Metadata, 2.4;
/// RFC 6454, 7.3).
fn is_of_another_site<S>(call: &Call<'_, S>) -> bool {
    let request = call.request;
    let sent = |name: &str| request.headers.iter().any(|(known, _)| known == name);
    if cors::allowed(call.settings, request).is_some() {
        return false;
    }
    if sent("sec-fetch-site") {
        return !matches!(request.header("sec-fetch-site"), Some("same-origin" | "none"));
    }
    if !sent("origin") {
        return false;
    }
    // Without TLS a browser says no more than this.
    let own = request.header("origin").and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    own.is_none() || own != request.header("host")
}
