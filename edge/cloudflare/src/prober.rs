//! The Durable Object that looks at nodes from a region ([`railbird_edge::Edge::probe`]).
//!
//! A cron trigger wakes one for each region once a minute. As long as there is something to look at, its alarm goes on by itself, as
//! soon as the edge says; else it sleeps until it is woken again.

#![expect(missing_docs, reason = "the attribute of a Durable Object writes public methods without")]

use std::time::Duration;

use futures::future;
use railbird_edge::health::region;
use worker::{DurableObject, Env, Method, Request, Response, State, durable_object};

use crate::objects::{self, REGION};
use crate::{clock, edge};

/// Wakes the object of each region, near it.
pub(crate) async fn wake(env: &Env) {
    let each = region::NAMES.iter().map(|region| async move {
        if let Err(error) = wake_in(env, region).await {
            worker::console_error!("nobody looks at nodes from {region}: {error}");
        }
    });
    future::join_all(each).await;
}

async fn wake_in(env: &Env, region: &str) -> worker::Result<()> {
    let request = objects::ask(Method::Post, [(REGION, region.to_owned())], None)?;
    let object = objects::prober(env, region, crate::region::hint_of(region, 0.0))?;
    objects::done(&object.fetch_with_request(request).await?)
}

/// What looks at nodes from a region.
#[durable_object]
pub struct Prober {
    state: State,
    env: Env,
}

impl DurableObject for Prober {
    fn new(state: State, env: Env) -> Prober {
        Prober { state, env }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        let Some(region) = request.headers().get(REGION)? else {
            return Response::error("from which region?", 400);
        };
        self.state.storage().put(REGION, region).await?;
        self.state.storage().set_alarm(Duration::ZERO).await?;
        Ok(Response::empty()?.with_status(204))
    }

    async fn alarm(&self) -> worker::Result<Response> {
        let region: Option<String> = self.state.storage().get(REGION).await?;
        let (Some(region), Ok(moment)) = (region, clock::moment()) else { return Response::empty() };
        let edge = edge(self.env.clone(), moment.now, crate::region::hint_of(&region, 0.0));
        if let Some(after_ms) = edge.probe(&region, &moment).await {
            self.state.storage().set_alarm(Duration::from_millis(after_ms)).await?;
        }
        Response::empty()
    }
}
