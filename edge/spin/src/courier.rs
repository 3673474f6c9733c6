//! The edge's courier over `wasi:http/client`. The manifest must allow the hosts (`allowed_outbound_hosts`).

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::{BodyExt, Empty, Full};
use railbird_edge::{Courier, CourierError, FetchBounds, FetchError, Fetched, Watch};
use spin_sdk::time::sleep;
use spin_sdk::wasip3::http::types::ErrorCode;

use crate::store::KeyValue;

impl Watch for KeyValue {}

impl Courier for KeyValue {
    async fn fetch(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        bounds: FetchBounds,
    ) -> Result<Fetched, FetchError> {
        let late = sleep(Duration::from_millis(bounds.within_ms));
        let fetched = match select(pin!(fetch(url, headers, bounds.len_max)), pin!(late)).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Err(FetchError::NoAnswer("there is no answer in time".to_owned())),
        };
        fetched.inspect_err(|error| eprintln!("{url}: {error}"))
    }

    async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        within_ms: u64,
    ) -> Result<u16, CourierError> {
        let mut request = http::Request::builder().method(http::Method::POST).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| failed(&error))?;
        let sent = pin!(spin_sdk::http::send(request));
        match select(sent, pin!(sleep(Duration::from_millis(within_ms)))).await {
            Either::Left((Ok(answer), _)) if answer.status().is_success() => Ok(answer.status().as_u16()),
            Either::Left((Ok(answer), _)) => {
                // Whoever asked must not hear of it: the operator does.
                eprintln!("courier: the webhook answers {}", answer.status());
                Ok(answer.status().as_u16())
            }
            Either::Left((Err(error), _)) => Err(failed(&error)),
            Either::Right(_) => Err(failed(&"the webhook does not answer in time")),
        }
    }

    async fn pause(&self, ms: u64) {
        sleep(Duration::from_millis(ms)).await;
    }
}

async fn fetch(url: &str, headers: &[(&'static str, String)], len_max: usize) -> Result<Fetched, FetchError> {
    let no_answer = |error: &dyn ToString| FetchError::NoAnswer(error.to_string());
    let mut request = http::Request::builder().method(http::Method::GET).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| no_answer(&error))?;
    let answer = spin_sdk::http::send(request).await.map_err(|error| match error {
        ErrorCode::HttpRequestDenied => FetchError::NotAllowed,
        error => no_answer(&error),
    })?;
    let (head, mut rest) = answer.into_parts();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers = head.headers.iter().map(header).collect();
    let (mut body, mut is_cut) = (Vec::new(), false);
    while let Some(frame) = rest.frame().await {
        let frame = frame.map_err(|error| no_answer(&error))?;
        let Ok(piece) = frame.into_data() else { continue };
        let room = len_max - body.len();
        body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if piece.len() > room {
            is_cut = true;
            break;
        }
    }
    Ok(Fetched { status: head.status.as_u16(), headers, body, is_cut })
}

fn failed(error: &impl ToString) -> CourierError {
    let text = error.to_string();
    eprintln!("courier: {text}");
    CourierError(text)
}
