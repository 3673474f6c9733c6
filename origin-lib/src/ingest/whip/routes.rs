//! What is asked by HTTP, and what is answered.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /whip`, or `/whip/STREAM_KEY` | 201 with the answer to the offer, `Location`, `ETag` |
//! | `PATCH /session/{name}` | 204 for candidates, which are not needed; 200 with a fragment where ICE is restarted |
//! | `DELETE /session/{name}` | 200 once the feed has ended in order |
//! | `OPTIONS` of these | 204: pages elsewhere may publish |
//! | `GET /camera/{channel}` | the page with which a phone is an encoder ([`super::page`]) |

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::request::Parts;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE,
    ETAG, HeaderName, IF_MATCH, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use railbird_core::rtp::sdp::{self, FRAGMENT_LEN_MAX, SDP_LEN_MAX};
use tokio::sync::oneshot;

use super::answer::{self, Unfit};
use super::session::Session;
use super::table::{Missing, Order};
use super::{Around, page};
use crate::ingest::Refusal;

/// How long a request's body may take, and a session's task to act.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const ORDER_DEADLINE: Duration = Duration::from_secs(5);

/// After so many seconds there may be room again.
const FULL_AFTER_S: &str = "5";

const OFFER: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

pub(super) type Body = Full<Bytes>;

/// What stands in the way of a request: a status, and a sentence for whoever reads it.
type Said = (StatusCode, String);

fn said(status: StatusCode, text: impl Into<String>) -> Said {
    (status, text.into())
}

/// An answer on its way.
type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The service of all requests.
pub(super) fn service(
    around: Around,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = Answering>
+ Clone
+ Send
+ 'static {
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let around = around.clone();
        let answered = async move { Ok(answer(request, &around).await) };
        Box::pin(answered) as Pin<Box<dyn Future<Output = _> + Send>>
    })
}

async fn answer(request: Request<Incoming>, around: &Around) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_string();
    let peer = head.extensions.get::<SocketAddr>().map_or_else(|| "http".to_string(), SocketAddr::to_string);
    let offers = head.method == Method::POST && below(&path, "/whip").is_some();
    let (result, allowed) = if let Some(rest) = below(&path, "/whip") {
        let result = match head.method {
            Method::POST => publish(&head, body, rest, &peer, around).await,
            Method::OPTIONS => Ok(preflight("POST, OPTIONS")),
            // RFC 9725, 4: kept for what may come.
            _ => Err(said(StatusCode::METHOD_NOT_ALLOWED, "offers are sent with POST")),
        };
        (result, "POST, OPTIONS")
    } else if let Some(name) = below(&path, "/session") {
        let name = name.trim_start_matches('/');
        let result = match head.method {
            Method::PATCH => change(&head, body, name, around).await,
            Method::DELETE => end(&head, name, around).await,
            Method::OPTIONS => Ok(preflight("PATCH, DELETE, OPTIONS")),
            _ => Err(said(
                StatusCode::METHOD_NOT_ALLOWED,
                "a session is changed with PATCH and ended with DELETE",
            )),
        };
        (result, "PATCH, DELETE, OPTIONS")
    } else if let Some(name) = below(&path, "/camera") {
        return page::answer(&head.method, name.trim_start_matches('/'), &around.channels);
    } else {
        let text = "offers go to /whip, and /camera/CHANNEL is a page that makes them";
        (Err(said(StatusCode::NOT_FOUND, text)), "")
    };
    let mut response = result.unwrap_or_else(|(status, text)| {
        if offers {
            // OBS shows nothing of the sentence.
            tracing::warn!(peer, reason = text, "feed refused");
        } else {
            tracing::debug!(peer, reason = text, "WHIP request refused");
        }
        let mut response = Response::new(Full::from(format!("{text}\n")));
        *response.status_mut() = status;
        set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
        match status {
            StatusCode::METHOD_NOT_ALLOWED => set(&mut response, ALLOW, allowed),
            StatusCode::UNAUTHORIZED => set(&mut response, WWW_AUTHENTICATE, "Bearer"),
            StatusCode::SERVICE_UNAVAILABLE => set(&mut response, RETRY_AFTER, FULL_AFTER_S),
            _ => {}
        }
        response
    });
    set(&mut response, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(&mut response, ACCESS_CONTROL_EXPOSE_HEADERS, "location, etag, accept-patch");
    set(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// What of the path lies below this one; empty for itself.
fn below<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    path.strip_prefix(base).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn preflight(methods: &str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    set(&mut response, ACCESS_CONTROL_ALLOW_METHODS, methods);
    set(&mut response, ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match");
    set(&mut response, ACCESS_CONTROL_MAX_AGE, "86400");
    set(&mut response, HeaderName::from_static("accept-post"), OFFER);
    set(&mut response, HeaderName::from_static("accept-patch"), FRAGMENT);
    response
}

/// The bearer token of a request, if it has one.
fn bearer(head: &Parts) -> Result<Option<&str>, Said> {
    let Some(value) = head.headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let wanted = "the stream key is sent as Authorization: Bearer KEY";
    token.map(Some).ok_or_else(|| said(StatusCode::UNAUTHORIZED, wanted))
}

fn is_typed(head: &Parts, wanted: &str) -> Result<(), Said> {
    let sent = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(said(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the request's Content-Type must be {wanted}")))
}

async fn text(body: Incoming, max: usize) -> Result<String, Said> {
    let read = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, max).collect()).await;
    let bytes = match read {
        Ok(Ok(read)) => read.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let text = format!("the request's body has more than {} KiB", max >> 10);
            return Err(said(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        Ok(Err(_)) => return Err(said(StatusCode::BAD_REQUEST, "the request's body broke off")),
        Err(_) => return Err(said(StatusCode::REQUEST_TIMEOUT, "the request's body took more than 10 s")),
    };
    String::from_utf8(bytes.into())
        .map_err(|_| said(StatusCode::BAD_REQUEST, "the request's body is not UTF-8"))
}

async fn publish(
    head: &Parts,
    body: Incoming,
    rest: &str,
    peer: &str,
    around: &Around,
) -> Result<Response<Body>, Said> {
    let key = bearer(head)?.or_else(|| rest.rsplit('/').next()).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| {
        let text = "the stream key is missing: send Authorization: Bearer KEY, or POST /whip/KEY";
        said(StatusCode::UNAUTHORIZED, text)
    })?;
    around.door.knows(key).map_err(|refusal| said(StatusCode::UNAUTHORIZED, refusal.to_string()))?;
    is_typed(head, OFFER)?;
    let full =
        || said(StatusCode::SERVICE_UNAVAILABLE, "there are as many sessions as whip.sessions_max allows");
    if !around.table.has_room(key) {
        return Err(full());
    }
    let offer = text(body, SDP_LEN_MAX).await?;
    let addresses = around.addresses.clone();
    // Keys and certificates are made for it.
    let agreed = tokio::task::spawn_blocking(move || answer::agree(&offer, &addresses)).await;
    let agreed =
        agreed.map_err(|_| said(StatusCode::INTERNAL_SERVER_ERROR, "the offer could not be read"))?;
    let agreed = agreed.map_err(|unfit| {
        let status = match &unfit {
            Unfit::Offer(sdp::Refusal::Malformed(_)) => StatusCode::BAD_REQUEST,
            // RFC 9725, 4.2.
            Unfit::Offer(sdp::Refusal::Unsupported { .. }) | Unfit::Form => StatusCode::NOT_ACCEPTABLE,
            Unfit::Inconsistent(_) => StatusCode::BAD_REQUEST,
        };
        said(status, unfit.to_string())
    })?;
    let (seat, tag) = around.table.seat(key, &agreed.fragment).ok_or_else(full)?;
    let mut response = Response::new(Full::from(agreed.answer.clone()));
    *response.status_mut() = StatusCode::CREATED;
    set(&mut response, CONTENT_TYPE, OFFER);
    set(&mut response, LOCATION, &format!("/session/{}", seat.name));
    set(&mut response, ETAG, &tag);
    set(&mut response, HeaderName::from_static("accept-patch"), FRAGMENT);
    around.tasks.spawn(Session::new(agreed, key, peer, seat, around.clone()).run());
    Ok(response)
}

fn found(
    head: &Parts,
    name: &str,
    around: &Around,
) -> Result<(tokio::sync::mpsc::Sender<Order>, String), Said> {
    around.table.find(name, bearer(head)?).map_err(|missing| match missing {
        Missing::Unknown => said(StatusCode::NOT_FOUND, "there is no such session"),
        Missing::Over(ended) => {
            let status = if ended.replaced { StatusCode::CONFLICT } else { StatusCode::NOT_FOUND };
            said(status, format!("the session is over: {}", ended.reason))
        }
        Missing::OtherKey => said(StatusCode::UNAUTHORIZED, Refusal::UnknownKey.to_string()),
    })
}

/// Trickle ICE and ICE restarts (RFC 9725, 4.3).
async fn change(head: &Parts, body: Incoming, name: &str, around: &Around) -> Result<Response<Body>, Said> {
    let (orders, tag) = found(head, name, around)?;
    is_typed(head, FRAGMENT)?;
    let Some(wanted) = head.headers.get(IF_MATCH).map(|value| value.to_str().unwrap_or_default().trim())
    else {
        let text = "the request must have If-Match: the ETag of the session, or * to restart ICE";
        return Err(said(StatusCode::PRECONDITION_REQUIRED, text));
    };
    // RFC 9110, 13.1.1: one of several is enough.
    if wanted != "*" && !wanted.split(',').any(|one| one.trim() == tag) {
        let text = "If-Match is not the ETag of the session: ICE was restarted meanwhile";
        return Err(said(StatusCode::PRECONDITION_FAILED, text));
    }
    let fragment = text(body, FRAGMENT_LEN_MAX).await?;
    let credentials =
        sdp::fragment(&fragment).map_err(|error| said(StatusCode::BAD_REQUEST, error.to_string()))?;
    let mut response = Response::new(Body::default());
    if wanted == "*" {
        let (answered, answer) = oneshot::channel();
        let restarted = order(orders, Order::Restart(credentials, answered), answer).await?;
        let restarted = restarted.map_err(|error| said(StatusCode::BAD_REQUEST, error))?;
        *response.body_mut() = Full::from(restarted.fragment);
        set(&mut response, CONTENT_TYPE, FRAGMENT);
        set(&mut response, ETAG, &restarted.tag);
    } else {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    Ok(response)
}

async fn end(head: &Parts, name: &str, around: &Around) -> Result<Response<Body>, Said> {
    let (orders, _) = found(head, name, around)?;
    let (waits, ended) = oneshot::channel();
    order(orders, Order::End(waits), ended).await?;
    Ok(Response::new(Body::default()))
}

async fn order<T>(
    orders: tokio::sync::mpsc::Sender<Order>,
    order: Order,
    answer: oneshot::Receiver<T>,
) -> Result<T, Said> {
    let over = || said(StatusCode::NOT_FOUND, "the session is over");
    let done = async {
        orders.send(order).await.map_err(|_| over())?;
        answer.await.map_err(|_| over())
    };
    let late = || said(StatusCode::SERVICE_UNAVAILABLE, "the session does not answer: try again");
    tokio::time::timeout(ORDER_DEADLINE, done).await.map_err(|_| late())?
}
