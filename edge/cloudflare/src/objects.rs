//! How Durable Objects are asked: their bindings, and the headers that they and whoever asks them agree on.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{self, Either};
use railbird_edge::copies::{ASK_MS_MAX, Copy};
use worker::js_sys::Uint8Array;
use worker::{Delay, Env, Headers, Method, Request, RequestInit, Response, Stub};

use crate::clock;

/// The bindings: of the objects that hold values, that relay them to a region, that list keys, that hold viewers' lines, that
/// look at nodes.
const CELLS: &str = "CELLS";
const RELAYS: &str = "RELAYS";
const INDEXES: &str = "INDEXES";
const LINES: &str = "LINES";
const PROBERS: &str = "PROBERS";

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
/// How old a relay's copy may be, and in its answer how old it is, in milliseconds.
pub(crate) const AGE: &str = "railbird-age";
/// Says that a relay gives its last copy, since there is no better one to be had.
pub(crate) const LAST: &str = "railbird-last";
/// The version that whoever asks a relay has: the answer waits for a newer one.
pub(crate) const NEWER: &str = "railbird-newer";
/// How long it waits, in milliseconds.
pub(crate) const WITHIN: &str = "railbird-within";
/// A viewer's line, as JSON.
pub(crate) const LINE: &str = "railbird-line";
/// The region from which nodes are looked at.
pub(crate) const REGION: &str = "railbird-region";
/// The value after a change, where it is brief ([`railbird_edge::change::brief`]).
pub(crate) const KEPT: &str = "railbird-kept";
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

/// What comes of a request to objects, if it comes in time.
pub(crate) async fn within<T>(ms: u64, asked: impl Future<Output = worker::Result<T>>) -> worker::Result<T> {
    match future::select(pin!(asked), Delay::from(Duration::from_millis(ms))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err("there is no answer in time".into()),
    }
}

/// A copy of a value from its own object, in bounded time; a relay that asks is known there from then on.
pub(crate) async fn pull(env: &Env, name: &str, relay: Option<&str>) -> worker::Result<Copy> {
    let request = ask(Method::Get, relay.map(|relay| (RELAY, relay.to_owned())), None)?;
    let taken = clock::now();
    within(ASK_MS_MAX, async {
        let response = cell(env, name)?.fetch_with_request(request).await?;
        let version = number(response.headers(), VERSION)?.unwrap_or_default();
        Ok(Copy { value: value(response).await?.map(Rc::new), version, taken })
    })
    .await
}

/// Gives a relay what was written.
pub(crate) async fn push(env: &Env, relay_name: &str, version: u64, value: &[u8]) -> worker::Result<()> {
    let request = ask(Method::Put, [(VERSION, version.to_string())], Some(value))?;
    // It was made when it was asked first: a hint would say nothing any more.
    done(&relay(env, relay_name, None)?.fetch_with_request(request).await?)
}
