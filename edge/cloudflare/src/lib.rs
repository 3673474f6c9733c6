//! Railbird's edge as a Cloudflare Worker: converts, calls the edge, converts back. It has no opinion.

mod cell;
mod clock;
mod convert;
mod courier;
mod front;
mod index;
mod lines;
mod objects;
mod prober;
mod region;
mod relay;
mod settings;
mod sql;
mod store;

use std::rc::Rc;

use railbird_core::time::UtcMs;
use railbird_edge::line::Seat;
use railbird_edge::{Edge, Instance, Request, Response};
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event};

pub use cell::Cell;
pub use index::Index;
pub use lines::Lines;
pub use prober::Prober;
pub use relay::Relay;

thread_local! {
    /// What the isolate remembers.
    static INSTANCE: Rc<Instance> = Rc::default();
}

/// Answers one request.
///
/// # Errors
/// The runtime does not take the edge's answer.
#[event(fetch)]
async fn fetch(request: worker::Request, env: Env, _context: Context) -> worker::Result<worker::Response> {
    let head = request.inner().method() == "HEAD";
    let hint = region::hint(&request);
    let response = match convert::request(request).await {
        Ok(request) if request.is_for_line() => match admit(&request, env.clone(), hint).await {
            Ok(seat) => return lines::open(&env, &seat, hint).await,
            Err(refused) => refused,
        },
        Ok(request) => answer(request, env, hint).await,
        Err(refused) => refused,
    };
    convert::response(response, head)
}

/// Once a minute.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    prober::wake(&env).await;
}

async fn answer(request: Request, env: Env, hint: Option<&'static str>) -> Response {
    match clock::moment() {
        Ok(moment) => edge(env, moment.now, hint).handle(request, &moment).await,
        Err(_) => no_entropy(),
    }
}

async fn admit(request: &Request, env: Env, hint: Option<&'static str>) -> Result<Seat, Response> {
    let moment = clock::moment().map_err(|_| no_entropy())?;
    edge(env, moment.now, hint).admit(request, &moment).await
}

/// The edge as it is at this moment, for whoever comes in near the place that the hint names.
fn edge(env: Env, now: UtcMs, hint: Option<&'static str>) -> Edge<store::Cells> {
    let edge = Edge::new(settings::settings(&env), store::Cells::new(env, now, hint));
    edge.of_instance(INSTANCE.with(Rc::clone)).with_lines().with_alarms()
}

fn no_entropy() -> Response {
    convert::refusal(503, "no-entropy", "the host gives the edge no randomness")
}
