//! One request over HTTP/1.1 to a store, with a deadline for each of its steps and a [`Trace`] of how it went.
//!
//! Both kinds of store go through here: connections are kept and reused, TLS knows the public authorities and one of
//! the operator's own, and whatever fails becomes a [`PutError`] with a sentence that names the step. Nothing is
//! retried, but for a request that a kept connection dropped before a byte of it was sent.

mod connect;
mod heard;
#[cfg(test)]
mod tests;
mod tls;

use std::error::Error;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

pub use tls::OpenError;

use self::connect::{Lookup, Stream};
use self::heard::Heard;
use super::{Answer, PutError, Trace};
use crate::clock;
use crate::config::{Connection, Deadlines};
use crate::redact::Redact;
use crate::web::causes;

/// Connections that are kept while nobody uses them.
const IDLE_MAX: usize = 8;

/// How long a connection is kept while nobody uses it: less than the 5 seconds that impatient servers keep theirs.
const IDLE_AGE_MAX: Duration = Duration::from_secs(4);

/// How long a kept connection may take to say that it can be used.
const READY_DEADLINE: Duration = Duration::from_millis(100);

/// The largest frame of a body that a connection gets at a time, in bytes.
const FRAME_LEN_MAX: usize = 16 << 10;

/// The longest answer that is read where nobody asked for an object, in bytes.
pub(super) const ANSWER_LEN_MAX: usize = 64 << 10;

/// The most characters of a stranger's words that are repeated in an error.
const WORDS_LEN_MAX: usize = 200;

/// By what providers call a request.
const REQUEST_IDS: [&str; 5] = ["x-amz-request-id", "x-amz-id-2", "cf-ray", "x-request-id", "x-cache-id"];

/// What is sent.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Who is talked to, in the words of errors.
#[derive(Clone, Debug)]
pub(super) struct Whom {
    /// What the store is called.
    pub(super) place: String,
    /// The key of `railbird.toml` that holds its address.
    pub(super) address_key: &'static str,
    /// Takes out of its words what lets us in.
    pub(super) redact: Redact,
}

/// The connections of one store.
pub(super) struct Wire {
    whom: Whom,
    deadlines: Deadlines,
    tls: Option<tokio_rustls::TlsConnector>,
    lookup: Lookup,
    idle: Mutex<Vec<Kept>>,
}

/// An open connection.
struct Kept {
    to: (Scheme, Authority),
    sender: SendRequest<Watched>,
    peer: Option<SocketAddr>,
    since: Instant,
    task: JoinHandle<()>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A body whose end can be waited for: the sender goes when the connection has taken all of it. It is handed over in small
/// frames, since a connection takes a frame of any size at once, long before it is sent.
struct Watched {
    body: Outgoing,
    rest: Bytes,
    _taken: oneshot::Sender<()>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context))
                .map(|frame| frame.map(Frame::into_data))
            {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let len = self.rest.len().min(FRAME_LEN_MAX);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        // The upper bound first: the lower one must never be above it.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("whom", &self.whom).finish_non_exhaustive()
    }
}

impl Wire {
    /// Opens nothing yet. `secure`: there will be TLS.
    pub(super) fn new(whom: Whom, connection: &Connection, secure: bool) -> Result<Wire, OpenError> {
        let tls = if secure { Some(tls::connector(connection.authority.as_ref())?) } else { None };
        Ok(Wire {
            whom,
            deadlines: connection.deadlines,
            tls,
            lookup: Lookup::default(),
            idle: Mutex::default(),
        })
    }

    /// Sends a request to its absolute URI and reads the answer whole. An answer of 200 and the like may have `len_max`
    /// bytes; any other is taken without its words where it has more than [`ANSWER_LEN_MAX`].
    pub(super) async fn exchange(
        &self,
        request: Request<Outgoing>,
        len_max: usize,
    ) -> Answer<Response<Bytes>> {
        let began = Instant::now();
        let mut trace = Trace::default();
        let total = self.deadlines.total;
        let result = match timeout(total, self.run(request, len_max, began, &mut trace)).await {
            Ok(result) => result,
            Err(_) => Err(PutError::Retry(format!(
                "total: {} was not done with a request within {} ms (put_ms)",
                self.whom.place,
                total.as_millis()
            ))),
        };
        trace.total = began.elapsed();
        Answer { result, trace }
    }

    async fn run(
        &self,
        request: Request<Outgoing>,
        len_max: usize,
        began: Instant,
        trace: &mut Trace,
    ) -> Result<Response<Bytes>, PutError> {
        let (to, mut request) = self.prepare(request)?;
        let (taken_sender, mut taken) = oneshot::channel();
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        let mut request = request.map(|body| Watched { body, rest: Bytes::new(), _taken: taken_sender });
        loop {
            let kept = self.reuse(&to).await;
            let reused = kept.is_some();
            let mut kept = match kept {
                Some(kept) => kept,
                None => self.open(&to, trace).await?,
            };
            trace.peer = kept.peer;
            let mut sent = pin!(kept.sender.try_send_request(request));
            let head = tokio::select! {
                biased;
                head = &mut sent => head,
                _ = &mut taken => match timeout(self.deadlines.first_byte, &mut sent).await {
                    Ok(head) => head,
                    Err(_) => return Err(self.late_answer()),
                },
            };
            match head {
                Ok(head) => {
                    trace.first_byte = Some(began.elapsed());
                    trace.status = Some(head.status().as_u16());
                    trace.request_id = request_id(head.headers(), &self.whom.redact);
                    let whole = self.read(head, len_max).await?;
                    // Where the answer came before the whole request was taken, the connection is of no more use.
                    if taken.try_recv() != Err(oneshot::error::TryRecvError::Empty) {
                        self.keep(kept);
                    }
                    return Ok(whole);
                }
                Err(mut error) => match error.take_message() {
                    // It had been closed while nobody used it: not a byte went out. Another one will do.
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(self.lost(error.error())),
                },
            }
        }
    }

    /// Where the request goes, and the request in the form that goes over the wire.
    fn prepare(
        &self,
        mut request: Request<Outgoing>,
    ) -> Result<((Scheme, Authority), Request<Outgoing>), PutError> {
        let unfit = || PutError::GiveUp(format!("the request to {} could not be made", self.whom.place));
        let parts = std::mem::take(request.uri_mut()).into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(unfit()) };
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| unfit())?;
        request.headers_mut().entry(HOST).or_insert(host);
        *request.uri_mut() =
            Uri::from(parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/")));
        Ok(((scheme, authority), request))
    }

    /// A kept connection that can be used at once.
    async fn reuse(&self, to: &(Scheme, Authority)) -> Option<Kept> {
        loop {
            let mut kept = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < IDLE_AGE_MAX);
                let newest = idle.iter().rposition(|kept| kept.to == *to)?;
                idle.remove(newest)
            };
            if let Ok(Ok(())) = timeout(READY_DEADLINE, kept.sender.ready()).await {
                return Some(kept);
            }
        }
    }

    fn keep(&self, mut kept: Kept) {
        kept.since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= IDLE_MAX {
            idle.remove(0);
        }
        idle.push(kept);
    }

    async fn open(&self, to: &(Scheme, Authority), trace: &mut Trace) -> Result<Kept, PutError> {
        match self.connect(to, trace).await? {
            Stream::Plain(stream) => self.talk(to, stream, trace).await,
            Stream::Tls(stream) => self.talk(to, *stream, trace).await,
        }
    }

    async fn talk<S>(&self, to: &(Scheme, Authority), stream: S, trace: &Trace) -> Result<Kept, PutError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) =
            handshake(TokioIo::new(Heard::new(stream))).await.map_err(|error| self.lost(&error))?;
        // How it ended is told by the request that it carried.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Kept { to: to.clone(), sender, peer: trace.peer, since: Instant::now(), task })
    }

    async fn read(&self, head: Response<Incoming>, len_max: usize) -> Result<Response<Bytes>, PutError> {
        let (parts, body) = head.into_parts();
        let good = parts.status.is_success();
        let bound = if good { len_max } else { ANSWER_LEN_MAX };
        match Limited::new(body, bound).collect().await {
            Ok(whole) => Ok(Response::from_parts(parts, whole.to_bytes())),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                // Of what is no success, the status says what it means.
                if !good {
                    return Ok(Response::from_parts(parts, Bytes::new()));
                }
                let place = &self.whom.place;
                Err(PutError::TooLong(format!("{place} answered with more than {bound} bytes")))
            }
            Err(error) => Err(PutError::Retry(format!(
                "the answer of {} broke off: {}",
                self.whom.place,
                root_words(&*error)
            ))),
        }
    }

    fn late_answer(&self) -> PutError {
        PutError::Retry(format!(
            "first byte: {} did not begin to answer within {} ms (first_byte_ms)",
            self.whom.place,
            self.deadlines.first_byte.as_millis()
        ))
    }

    fn lost(&self, error: &hyper::Error) -> PutError {
        let place = &self.whom.place;
        PutError::Retry(if error.is_parse() {
            format!("{place} answered something that is not HTTP: {}", root_words(error))
        } else {
            format!("the connection to {place} was lost: {}", root_words(error))
        })
    }
}

/// How we call ourselves.
const AGENT: &str = concat!("railbird-origin/", env!("CARGO_PKG_VERSION"));

/// How long a store wants us to wait: what `Retry-After` says, in seconds or as a date.
pub(super) fn retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(then.saturating_sub(Duration::from_millis(clock::now().0)))
}

/// The same, of these headers.
pub(super) fn retry_after_of(headers: &HeaderMap) -> Option<Duration> {
    retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

/// A stranger's words on one line, cut. What may quote a secret is redacted before: of half a secret nobody knows what it is.
pub(super) fn short(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(WORDS_LEN_MAX).collect()
}

/// What the provider calls the request, with the headers' names: a support desk asks for it by them.
pub(crate) fn request_id(headers: &HeaderMap, redact: &Redact) -> Option<String> {
    let known = REQUEST_IDS.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(format!("{name}: {}", short(&redact.text(value))))
    });
    Some(known.collect::<Vec<_>>().join("; ")).filter(|ids| !ids.is_empty())
}

/// The words of the first cause, which are the ones that say something.
fn root_words(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(|cause| short(&cause.to_string())).unwrap_or_default()
}
