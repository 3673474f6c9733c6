//! Railbird's edge as a Cloudflare Worker: converts, calls the edge, converts back. It has no opinion.

mod cell;
mod clock;
mod convert;
mod courier;
mod front;
mod index;
mod objects;
mod region;
mod relay;
mod settings;
mod sql;
mod store;

use railbird_edge::{Edge, Request, Response, Settings};
use worker::{Context, Env, event};

pub use cell::Cell;
pub use index::Index;
pub use relay::Relay;

/// Answers one request.
///
/// # Errors
/// The runtime does not take the edge's answer.
#[event(fetch)]
async fn fetch(request: worker::Request, env: Env, _context: Context) -> worker::Result<worker::Response> {
    let head = request.inner().method() == "HEAD";
    let hint = region::hint(&request);
    let response = match convert::request(request).await {
        Ok(request) => answer(request, env, hint).await,
        Err(refused) => refused,
    };
    convert::response(response, head)
}

async fn answer(request: Request, env: Env, hint: Option<&'static str>) -> Response {
    let Ok(moment) = clock::moment() else {
        return convert::refusal(503, "no-entropy", "the host gives the edge no randomness");
    };
    let settings = Settings::read(|name| settings::read(&env, name));
    Edge::new(settings, store::Cells::new(env, moment.now, hint)).handle(request, &moment).await
}
