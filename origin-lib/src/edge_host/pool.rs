//! Dispatch: which instance answers a request, and for how long.
//!
//! An instance answers one request at a time, so that a trap or an endless loop costs that request only. After a clean
//! answer it is kept for the next one.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime::Trap;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::Service;

use super::engine::{Factory, Instance};
use super::guest::Guest;
use super::metrics::EdgeMetrics;

/// How long a request may wait for its turn.
const TURN_TIME_MAX: Duration = Duration::from_secs(5);

/// How much later than that a guest that hangs in a host call is dropped.
const GRACE: Duration = Duration::from_secs(1);

/// The largest body of an answer, in bytes: as on the platforms where the component is deployed.
const ANSWER_LEN_MAX: usize = 10 << 20;

/// After so many answers an instance is replaced, so that nothing can pile up in one.
const SERVED_MAX: u32 = 10_000;

/// An instance that has grown larger is not kept. Checking a password takes more than this, once.
const KEPT_MEMORY_LEN_MAX: usize = 12 << 20;

/// Why there is no answer from the component.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// All instances are busy, and stayed so.
    #[error("all instances are busy")]
    Busy,
    /// The answer took too long.
    #[error("no answer in time")]
    Late,
    /// The component failed.
    #[error("the component failed")]
    Broken(#[source] wasmtime::Error),
}

impl From<wasmtime::Error> for Failure {
    /// A guest that is interrupted was over its deadline.
    fn from(error: wasmtime::Error) -> Failure {
        let interrupted = error.downcast_ref::<Trap>() == Some(&Trap::Interrupt);
        if interrupted { Failure::Late } else { Failure::Broken(error) }
    }
}

/// The instances.
pub(super) struct Pool {
    factory: Factory,
    idle: Mutex<Vec<Instance>>,
    turns: Semaphore,
    answer_time: Duration,
    metrics: EdgeMetrics,
}

impl Pool {
    pub(super) fn new(
        factory: Factory,
        instances_max: usize,
        answer_time: Duration,
        metrics: EdgeMetrics,
    ) -> Pool {
        let (idle, turns) = (Mutex::new(Vec::new()), Semaphore::new(instances_max));
        Pool { factory, idle, turns, answer_time, metrics }
    }

    /// Has the component answer. The request's URI needs scheme and authority.
    pub(super) async fn answer(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Failure> {
        let turn = timeout(TURN_TIME_MAX, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Failure::Busy) };
        let deadline = Instant::now() + self.answer_time;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.instantiate(deadline).await?,
        };
        let Instance { store, service, served } = &mut instance;
        store.data_mut().begin(deadline);
        store.set_epoch_deadline(1);
        let run = store.run_concurrent(async |accessor| answer(accessor, service, request).await);
        let response = match timeout(self.answer_time + GRACE, run).await {
            Err(_) => return Err(Failure::Late),
            Ok(Err(error) | Ok(Err(error))) => return Err(error.into()),
            Ok(Ok(Ok(response))) => response,
        };
        *served += 1;
        if *served < SERVED_MAX && instance.store.data().memory_len <= KEPT_MEMORY_LEN_MAX {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        }
        Ok(response)
    }

    async fn instantiate(&self, deadline: Instant) -> Result<Instance, Failure> {
        let began = Instant::now();
        let instance = self.factory.instantiate(deadline).await?;
        self.metrics.instantiated(began.elapsed());
        Ok(instance)
    }
}

/// Ends when the request's body has been taken over.
type Sent = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

/// Calls the component and reads its whole answer; returns when the instance has nothing left to do.
async fn answer(
    accessor: &Accessor<Guest>,
    service: &Service,
    request: http::Request<Bytes>,
) -> wasmtime::Result<http::Response<Bytes>> {
    let (request, sent) = accessor.with(|mut access| {
        let view = access.data_mut().http();
        let (request, sent) = Request::from_http(view.hooks, request.map(Full::new));
        let sent: Sent = Box::pin(sent);
        (request, sent)
    });
    let response = service.handle(accessor, request).await??;
    let response = accessor.with(|mut access| response.into_http(&mut access, sent))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_LEN_MAX).collect().await;
    let body = body.map_err(|error| wasmtime::format_err!("reading the answer: {error}"))?.to_bytes();
    poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
    Ok(http::Response::from_parts(head, body))
}

/// A pool that connections share.
pub(super) type SharedPool = Arc<Pool>;
