//! Railbird's edge as a Spin component: converts, calls the edge, converts back. It has no opinion.

mod clock;
mod convert;
mod courier;
mod settings;
mod store;

use std::rc::Rc;

use railbird_edge::{Edge, Instance, Request, Response};
use spin_sdk::http_service;

use crate::convert::{Outgoing, refusal};

thread_local! {
    /// What this instance remembers, for as long as its host keeps it.
    static INSTANCE: Rc<Instance> = Rc::default();
}

/// Answers one request.
#[http_service]
async fn handle(request: spin_sdk::http::Request) -> Outgoing {
    let head = request.method() == http::Method::HEAD;
    let response = match convert::request(request).await {
        Ok(request) => answer(request).await,
        Err(refused) => refused,
    };
    convert::response(response, head)
}

async fn answer(request: Request) -> Response {
    let Ok(moment) = clock::moment() else {
        return refusal(503, "no-entropy", "the host gives the edge no randomness");
    };
    let edge = Edge::new(settings::settings().await, store::KeyValue::new(&moment));
    edge.of_instance(INSTANCE.with(Rc::clone)).handle(request, &moment).await
}
