//! What the operator does with passes, each request signed with the admin secret: issue and replace, list, take back.

use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::pass::{self, Page};
use serde::Deserialize;

use super::{Pass, PassId, Revocation};
use crate::change::{Kind, json};
use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::http::Response;
use crate::intake::{self, Verdict};
use crate::port::{Store, Table};
use crate::{cells, holder, router};

/// How many passes are listed at once, unless asked otherwise.
const PAGE_DEFAULT: usize = 50;

/// And at most: each is a read of its own.
const PAGE_MAX: usize = 100;

const NO_SUCH_PASS: Problem =
    Problem::new(404, "no-such-pass", "there is no such pass at this edge: GET /admin/v1/passes lists them");

/// `PUT /admin/v1/passes`.
pub(crate) async fn issue<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let signed = intake::verify(call, &call.settings.admin)?;
    let said: pass::Pass = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    let (id, said) = said.check().map_err(Problem::bad_request)?;
    let pass = Pass::new(said, signed);
    let verdict = intake::changed(call, &cells::pass_cell(&id), Kind::Pass, &json(&pass)).await?;
    verdict.unwrap_or(Verdict::Unreadable).response()
}

/// `GET /admin/v1/passes?after=&max=&hashes=`, or `?id=` for one of them. Ids and no addresses, so that no log of a URL
/// has one.
pub(crate) async fn list<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    intake::verify(call, &call.settings.admin)?;
    let query = |name| router::query(&call.request.query, name);
    let id = |name| match query(name).filter(|text| !text.is_empty()) {
        Some(text) => text.parse::<PassId>().map(Some).map_err(Problem::bad_request),
        None => Ok(None),
    };
    let hashes = match query("hashes") {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return Err(Problem::bad_request("hashes must be 0 or 1")),
    };
    let (keys, more) = match id("id")? {
        Some(id) => (Vec::from([String::from(id)]), false),
        None => {
            let max = match query("max") {
                None => PAGE_DEFAULT,
                Some(text) => router::number(text)
                    .and_then(|max| usize::try_from(max).ok())
                    .filter(|max| (1..=PAGE_MAX).contains(max))
                    .ok_or_else(|| Problem::bad_request("max must be from 1 to 100"))?,
            };
            let after = id("after")?.map(String::from).unwrap_or_default();
            let keys = call.store.list(Table::Pass, &after, max).await?;
            let more = keys.len() == max;
            (keys, more)
        }
    };
    let ids: Vec<PassId> = keys.iter().filter_map(|key| key.parse().ok()).collect();
    let next = ids.last().cloned().filter(|_| more);
    let mut passes = Vec::with_capacity(ids.len());
    for some in ids.chunks(cells::TOGETHER_MAX) {
        let found = future::try_join_all(some.iter().map(|id| cells::pass(call.store, id))).await?;
        let listed = some.iter().zip(found);
        passes.extend(listed.filter_map(|(id, pass)| Some(pass?.listed(id.clone(), hashes))));
    }
    if query("id").is_some() && passes.is_empty() {
        return Err(NO_SUCH_PASS);
    }
    Ok(errors::json(200, &Page { passes, next }).with("cache-control", "no-store"))
}

/// Which pass is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    email: Option<String>,
    id: Option<PassId>,
}

/// `POST /admin/v1/passes/revoke`.
pub(crate) async fn revoke<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let signed = intake::verify(call, &call.settings.admin)?;
    let which: Which = serde_json::from_slice(&call.request.body).map_err(errors::bad_json)?;
    let id = match which {
        Which { email: Some(email), id: None } => PassId::of_email(&email),
        Which { email: None, id } => id,
        Which { .. } => None,
    };
    let id = id.ok_or_else(|| Problem::bad_request("send {\"email\":\"…\"} or {\"id\":\"…\"}"))?;
    // Asked first, so that no host notes the key of a pass that there never was.
    if cells::pass(call.store, &id).await?.is_none() {
        return Err(NO_SUCH_PASS);
    }
    let said = json(&Revocation { signed });
    let answer = intake::changed(call, &cells::pass_cell(&id), Kind::PassRevoked, &said).await?;
    match answer.unwrap_or(Some(Verdict::Unreadable)) {
        Some(verdict @ Verdict::New) => {
            // Those of this very second, too.
            let now = call.moment.now;
            holder::revoke_before(call.store, &id, now.seconds().saturating_add(1), now).await?;
            verdict.response()
        }
        Some(verdict) => verdict.response(),
        None => Err(NO_SUCH_PASS),
    }
}
