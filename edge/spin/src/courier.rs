//! The edge's courier over `wasi:http/client`. The manifest must allow the host (`allowed_outbound_hosts`).

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::Full;
use railbird_edge::{Courier, CourierError, Watch};
use spin_sdk::time::sleep;

use crate::store::KeyValue;

impl Watch for KeyValue {}

impl Courier for KeyValue {
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

fn failed(error: &impl ToString) -> CourierError {
    let text = error.to_string();
    eprintln!("courier: {text}");
    CourierError(text)
}
