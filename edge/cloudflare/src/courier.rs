//! The edge's courier over the runtime's `fetch`.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use railbird_edge::{Courier, CourierError, FetchBounds, FetchError, Fetched};
use worker::js_sys::Uint8Array;
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    ResponseBody,
};

use crate::store::Cells;

impl Courier for Cells {
    async fn fetch(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        bounds: FetchBounds,
    ) -> Result<Fetched, FetchError> {
        let controller = AbortController::default();
        let signal = controller.signal();
        let fetched = pin!(fetch(url, headers, bounds.len_max, &signal));
        let late = Delay::from(Duration::from_millis(bounds.within_ms));
        let fetched = match select(fetched, late).await {
            Either::Left((Ok(fetched), _)) if !fetched.is_cut => return Ok(fetched),
            Either::Left((fetched, _)) => fetched.map_err(|error| error.to_string()),
            Either::Right(_) => Err("there is no answer in time".to_owned()),
        };
        // Nobody wants the rest.
        controller.abort();
        fetched.map_err(|text| {
            worker::console_error!("courier: {url}: {text}");
            FetchError::NoAnswer(text)
        })
    }

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

async fn fetch(
    url: &str,
    headers: &[(&'static str, String)],
    len_max: usize,
    signal: &AbortSignal,
) -> worker::Result<Fetched> {
    let request = Fetch::Request(Request::new_with_init(url, &init(Method::Get, headers)?)?);
    let mut answer = request.send_with_signal(signal).await?;
    let (status, headers) = (answer.status_code(), answer.headers().entries().collect());
    let (mut body, mut is_cut) = (Vec::new(), false);
    if !matches!(answer.body(), ResponseBody::Empty) {
        let mut rest = answer.stream()?;
        while let Some(piece) = rest.next().await {
            let piece = piece?;
            let room = len_max - body.len();
            body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if piece.len() > room {
                is_cut = true;
                break;
            }
        }
    }
    Ok(Fetched { status, headers, body, is_cut })
}

/// What both kinds of requests have.
fn init(method: Method, headers: &[(&'static str, String)]) -> worker::Result<RequestInit> {
    let sent = Headers::new();
    for (name, value) in headers {
        sent.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(method).with_headers(sent).with_redirect(RequestRedirect::Manual);
    Ok(init)
}

async fn post(
    url: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
    within_ms: u64,
) -> worker::Result<u16> {
    let mut init = init(Method::Post, headers)?;
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
