//! Devices that a pass holder has logged in on before, known again by a cookie.
//!
//! Whoever guesses passwords uses up the tries of an account. A device that the holder has used has tries of its own, so
//! that the guesser can't lock the holder out there, and may be told what a stranger must not learn.

use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::hex;

use crate::edge::Call;
use crate::passes::PassId;
use crate::{http, session};

/// The cookie that a device is known by.
pub(crate) const COOKIE: &str = "__Host-railbird-device";

/// How long a device is remembered, in seconds: a season.
pub(crate) const TTL_S: u64 = 180 * 86_400;

const PURPOSE: &str = "device v1";
const PASS_LEN: usize = 32;
const NAME_LEN: usize = 16;

/// The name of the device that a request comes from, if this pass's holder has logged in on it.
pub(crate) fn of<S>(call: &Call<'_, S>, pass: &PassId) -> Option<String> {
    let text = session::cookie(call.request, COOKIE)?;
    let payload = call.settings.sealing.open(PURPOSE, text)?;
    let (of, rest) = payload.split_at_checked(PASS_LEN)?;
    let (name, expires_s) = rest.split_at_checked(NAME_LEN)?;
    let expires_s = u64::from_be_bytes(expires_s.try_into().ok()?);
    let known = hex::encode(of) == pass.as_str() && call.moment.now.seconds() < expires_s;
    known.then(|| hex::encode(name))
}

/// The `set-cookie` by which the device is known from now on. A name that it has it keeps, and its tries with it.
pub(crate) fn set_cookie<S>(call: &Call<'_, S>, pass: &PassId) -> String {
    let mut payload: Vec<u8> = hex::decode(pass.as_str()).unwrap_or_default();
    let known = of(call, pass).and_then(|name| hex::decode(&name));
    let name = known.unwrap_or_else(|| call.moment.draw("railbird device v1").into());
    payload.extend(name.iter().take(NAME_LEN));
    payload.extend_from_slice(&call.moment.now.seconds().saturating_add(TTL_S).to_be_bytes());
    http::set_cookie(COOKIE, &call.settings.sealing.seal(PURPOSE, &payload), TTL_S)
}
