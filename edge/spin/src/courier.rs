//! The edge's courier over `wasi:http/client`. The manifest must allow the hosts (`allowed_outbound_hosts`).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use railbird_edge::{Courier, Errand, FetchError, Fetched, Watch};
use spin_sdk::time::sleep;
use spin_sdk::wasip3::http::types::ErrorCode;

use crate::store::KeyValue;

impl Watch for KeyValue {}

impl Courier for KeyValue {
    async fn send(&self, Errand { url, headers, body, len_max }: Errand<'_>) -> Result<Fetched, FetchError> {
        let no_answer = |error: &dyn ToString| FetchError::NoAnswer(error.to_string());
        let method = if body.is_some() { http::Method::POST } else { http::Method::GET };
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let body = Full::new(Bytes::copy_from_slice(body.unwrap_or_default()));
        let request = request.body(body).map_err(|error| no_answer(&error))?;
        let answer = spin_sdk::http::send(request).await.map_err(|error| match error {
            ErrorCode::HttpRequestDenied => FetchError::NotAllowed,
            error => no_answer(&error),
        })?;
        let (head, mut rest) = answer.into_parts();
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (status, headers) = (head.status.as_u16(), head.headers.iter().map(header).collect());
        let mut fetched = Fetched { status, headers, ..Fetched::default() };
        while len_max > 0
            && let Some(frame) = rest.frame().await
        {
            let Ok(piece) = frame.map_err(|error| no_answer(&error))?.into_data() else { continue };
            if !fetched.take(&piece, len_max) {
                break;
            }
        }
        Ok(fetched)
    }

    async fn pause(&self, ms: u64) {
        sleep(Duration::from_millis(ms)).await;
    }

    fn log(&self, text: &str) {
        eprintln!("{text}");
    }
}
