//! The edge's courier over the runtime's `fetch`.

use std::time::Duration;

use futures::StreamExt;
use railbird_edge::{Courier, Errand, FetchError, Fetched};
use worker::js_sys::Uint8Array;
use worker::{
    AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, ResponseBody,
};

use crate::store::Cells;

impl Courier for Cells {
    async fn send(&self, errand: Errand<'_>) -> Result<Fetched, FetchError> {
        send(errand).await.map_err(|error| FetchError::NoAnswer(error.to_string()))
    }

    async fn pause(&self, ms: u64) {
        Delay::from(Duration::from_millis(ms)).await;
    }

    fn log(&self, text: &str) {
        worker::console_error!("{text}");
    }
}

/// Ends a request when it is dropped: nobody wants the rest.
#[derive(Default)]
struct Wanted(AbortController);

impl Drop for Wanted {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).abort();
    }
}

async fn send(Errand { url, headers, body, len_max }: Errand<'_>) -> worker::Result<Fetched> {
    let sent = Headers::new();
    for (name, value) in headers {
        sent.set(name, value)?;
    }
    let method = if body.is_some() { Method::Post } else { Method::Get };
    let mut init = RequestInit::new();
    init.with_method(method).with_headers(sent).with_redirect(RequestRedirect::Manual);
    init.with_body(body.map(|bytes| Uint8Array::from(bytes).into()));
    let wanted = Wanted::default();
    let request = Fetch::Request(Request::new_with_init(url, &init)?);
    let mut answer = request.send_with_signal(&wanted.0.signal()).await?;
    let (status, headers) = (answer.status_code(), answer.headers().entries().collect());
    let mut fetched = Fetched { status, headers, ..Fetched::default() };
    if len_max > 0 && !matches!(answer.body(), ResponseBody::Empty) {
        let mut rest = answer.stream()?;
        while let Some(piece) = rest.next().await {
            if !fetched.take(&piece?, len_max) {
                break;
            }
        }
    }
    Ok(fetched)
}
