//! The edge's courier over the runtime's `fetch`.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use railbird_edge::{Courier, CourierError};
use worker::js_sys::Uint8Array;
use worker::{AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect};

use crate::store::Cells;

impl Courier for Cells {
    async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        within_ms: u64,
    ) -> Result<u16, CourierError> {
        let status = post(url, headers, &body, within_ms).await.map_err(|error| failed(error.to_string()))?;
        if !(200..300).contains(&status) {
            // Whoever asked must not hear of it: the operator does.
            worker::console_error!("courier: the webhook answers {status}");
        }
        Ok(status)
    }

    async fn pause(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms)).await;
    }
}

async fn post(
    url: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
    within_ms: u64,
) -> worker::Result<u16> {
    let sent = Headers::new();
    for (name, value) in headers {
        sent.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(sent).with_redirect(RequestRedirect::Manual);
    init.with_body(Some(Uint8Array::from(body).into()));
    let controller = AbortController::default();
    let signal = controller.signal();
    let fetch = Fetch::Request(Request::new_with_init(url, &init)?);
    match select(pin!(fetch.send_with_signal(&signal)), Delay::from(Duration::from_millis(within_ms))).await {
        Either::Left((answer, _)) => Ok(answer?.status_code()),
        Either::Right(_) => {
            controller.abort();
            Err("the webhook does not answer in time".into())
        }
    }
}

fn failed(text: String) -> CourierError {
    worker::console_error!("courier: {text}");
    CourierError(text)
}
