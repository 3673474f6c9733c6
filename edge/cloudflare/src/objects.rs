//! How Durable Objects are asked: their bindings, and the headers that they and whoever asks them agree on.

use worker::js_sys::Uint8Array;
use worker::{Env, Headers, Method, Request, RequestInit, Response, Stub};

/// The bindings: of the objects that hold values, that relay them to a region, that list keys, that hold viewers' lines, that
/// look at nodes.
const CELLS: &str = "CELLS";
const RELAYS: &str = "RELAYS";
const INDEXES: &str = "INDEXES";
const LINES: &str = "LINES";
const PROBERS: &str = "PROBERS";

/// How long a copy is given out while whoever has a newer one does not answer, in milliseconds.
pub(crate) const STALE_MS_MAX: u64 = 60_000;

/// Where a request to an object goes: only its path could matter, and does not.
const ADDRESS: &str = "https://object/";

/// A value's expiry, in Unix milliseconds.
pub(crate) const EXPIRES: &str = "railbird-expires";
/// The kind of a change.
pub(crate) const CHANGE: &str = "railbird-change";
/// The request's time, in Unix milliseconds.
pub(crate) const NOW: &str = "railbird-now";
/// The key behind which a list goes on.
pub(crate) const AFTER: &str = "railbird-after";
/// How many keys a list has at most.
pub(crate) const MAX: &str = "railbird-max";
/// The name of the value's object, for a relay.
pub(crate) const CELL: &str = "railbird-cell";
/// The name of the relay: the value's object sends it what is written.
pub(crate) const RELAY: &str = "railbird-relay";
/// How old a relay's copy may be, in milliseconds.
pub(crate) const AGE: &str = "railbird-age";
/// The version that whoever asks a relay has: the answer waits for a newer one.
pub(crate) const NEWER: &str = "railbird-newer";
/// How long it waits, in milliseconds.
pub(crate) const WITHIN: &str = "railbird-within";
/// A viewer's line, as JSON.
pub(crate) const LINE: &str = "railbird-line";
/// The region from which nodes are looked at.
pub(crate) const REGION: &str = "railbird-region";
/// The value after a change, where it is a short text: whoever made the change need not read it.
pub(crate) const KEPT: &str = "railbird-kept";
/// The longest such text, in bytes.
pub(crate) const KEPT_LEN_MAX: usize = 256;
/// Goes up with each write of a value.
pub(crate) const VERSION: &str = "railbird-version";

/// The object that holds the value of this name.
pub(crate) fn cell(env: &Env, name: &str) -> worker::Result<Stub> {
    env.durable_object(CELLS)?.get_by_name(name)
}

/// The object of this name that relays a value; it is made near the place that the hint names.
pub(crate) fn relay(env: &Env, name: &str, hint: Option<&str>) -> worker::Result<Stub> {
    near(env, RELAYS, name, hint)
}

/// The object that lists a table's keys.
pub(crate) fn index(env: &Env, table: &str) -> worker::Result<Stub> {
    env.durable_object(INDEXES)?.get_by_name(table)
}

/// The object of this name that holds viewers' lines, made near the place that the hint names.
pub(crate) fn lines(env: &Env, name: &str, hint: Option<&str>) -> worker::Result<Stub> {
    near(env, LINES, name, hint)
}

/// The object that looks at nodes from the region of this name, made near the place that the hint names.
pub(crate) fn prober(env: &Env, name: &str, hint: Option<&str>) -> worker::Result<Stub> {
    near(env, PROBERS, name, hint)
}

fn near(env: &Env, binding: &str, name: &str, hint: Option<&str>) -> worker::Result<Stub> {
    let objects = env.durable_object(binding)?;
    match hint {
        Some(hint) => objects.get_by_name_with_location_hint(name, hint),
        None => objects.get_by_name(name),
    }
}

/// A request to an object.
pub(crate) fn ask(
    method: Method,
    headers: impl IntoIterator<Item = (&'static str, String)>,
    body: Option<&[u8]>,
) -> worker::Result<Request> {
    let sent = Headers::new();
    for (name, value) in headers {
        sent.set(name, &value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(method).with_headers(sent);
    init.with_body(body.map(|bytes| Uint8Array::from(bytes).into()));
    Request::new_with_init(ADDRESS, &init)
}

/// A number in a header.
pub(crate) fn number(headers: &Headers, name: &str) -> worker::Result<Option<u64>> {
    Ok(headers.get(name)?.and_then(|text| text.parse().ok()))
}

/// A value that an object gives, or none.
pub(crate) async fn value(mut response: Response) -> worker::Result<Option<Vec<u8>>> {
    match response.status_code() {
        200 => response.bytes().await.map(Some),
        404 => Ok(None),
        status => Err(refused(status)),
    }
}

/// Nothing but that it is done.
pub(crate) fn done(response: &Response) -> worker::Result<()> {
    match response.status_code() {
        204 => Ok(()),
        status => Err(refused(status)),
    }
}

/// The object did not do what was asked.
pub(crate) fn refused(status: u16) -> worker::Error {
    format!("the object answered {status}").into()
}

/// A value and its version, for a relay that the value's object shall know.
pub(crate) async fn pull(env: &Env, name: &str, relay: &str) -> worker::Result<(u64, Option<Vec<u8>>)> {
    let request = ask(Method::Get, [(RELAY, relay.to_owned())], None)?;
    let response = cell(env, name)?.fetch_with_request(request).await?;
    let version = number(response.headers(), VERSION)?.unwrap_or_default();
    Ok((version, value(response).await?))
}

/// Gives a relay what was written.
pub(crate) async fn push(env: &Env, relay_name: &str, version: u64, value: &[u8]) -> worker::Result<()> {
    let request = ask(Method::Put, [(VERSION, version.to_string())], Some(value))?;
    // It was made when it was asked first: a hint would say nothing any more.
    done(&relay(env, relay_name, None)?.fetch_with_request(request).await?)
}
