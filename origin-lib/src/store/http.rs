//! A server that takes objects by `PUT`: the entry point of a CDN. An object is at `{url}/{name}`.

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};

use super::wire::{self, ANSWER_LEN_MAX, OpenError, Outgoing, Whom, Wire};
use super::{Answer, Created, Object, Pending, PutError, Store, Trace};
use crate::config::{Connection, EntryPoint, Login, basic};
use crate::redact::Redact;

/// A CDN's entry point. Connections are kept and reused; nothing is retried here. It has no list.
#[derive(Debug)]
pub struct Http {
    wire: Wire,
    url: String,
    /// What every request carries; no value of it is ever shown.
    headers: HeaderMap,
    /// The keys of `railbird.toml` that let us in.
    login_keys: &'static str,
}

impl Http {
    /// Opens nothing yet: the first request connects.
    pub fn new(entry: &EntryPoint, connection: &Connection) -> Result<Http, OpenError> {
        let whom =
            Whom { place: entry.url.clone(), address_key: "url", redact: Redact::new(&entry.secrets()) };
        let wire = Wire::new(whom, connection, entry.url.starts_with("https:"))?;
        let login_keys = match (&entry.login, entry.headers.is_empty()) {
            (Login::Basic { .. }, _) => "user and password",
            (Login::Bearer(_), _) => "bearer",
            (Login::None, false) => "headers",
            (Login::None, true) => "user and password, bearer or headers (none is set)",
        };
        Ok(Http { wire, url: entry.url.clone(), headers: headers(entry)?, login_keys })
    }

    async fn send(
        &self,
        method: Method,
        name: &str,
        object: Option<(Object, bool)>,
        len_max: usize,
    ) -> Answer<Response<Bytes>> {
        let mut request = Request::builder().method(method).uri(format!("{}/{name}", self.url));
        let mut body = Bytes::new();
        if let Some((object, only_new)) = object {
            request =
                request.header(CONTENT_TYPE, object.content_type).header(CACHE_CONTROL, object.cache_control);
            if only_new {
                request = request.header(IF_NONE_MATCH, "*");
            }
            body = object.body;
        }
        let Ok(mut request) = request.body(Outgoing::new(Full::new(body).map_err(|never| match never {})))
        else {
            let text = format!("the request for {name:?} to {} could not be made", self.url);
            return Answer { result: Err(PutError::GiveUp(text)), trace: Trace::default() };
        };
        request.headers_mut().extend(self.headers.clone());
        self.wire.exchange(request, len_max).await
    }

    /// What an answer that is no success means.
    fn refused(&self, method: &Method, answer: &Response<Bytes>) -> PutError {
        let status = answer.status().as_u16();
        let said = format!("{} answered {status} to a {method}", self.url);
        let fix = |what: &str| PutError::Misconfigured(format!("{said}: {what}"));
        match status {
            401 | 403 => fix(&format!("it does not let us in: check {}", self.login_keys)),
            407 => fix("there is a proxy in between that wants a login: check url"),
            404 | 410 => fix("there is nothing at this address: check url"),
            405 | 501 => {
                fix(&format!("it takes no {method}: is url the entry point, not where viewers read?"))
            }
            300..=399 => fix("it sends us elsewhere: check url"),
            507 => fix("it has no room left: remove something there, or enlarge it"),
            408 | 409 | 425 | 500 | 502 | 504..=599 => PutError::Retry(said),
            429 | 503 => PutError::SlowDown { after: wire::retry_after_of(answer.headers()), text: said },
            // 202 and its like promise, but do not say that the object is there.
            200..=299 => PutError::Retry(format!("{said}, which does not say that it was done")),
            _ => PutError::GiveUp(said),
        }
    }
}

fn headers(entry: &EntryPoint) -> Result<HeaderMap, OpenError> {
    let secret = |key: &str, text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| OpenError::Credential { key: key.into() })?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &entry.headers {
        let key = format!("headers.{name}");
        let value = secret(&key, value.expose())?;
        let name = HeaderName::try_from(name).map_err(|_| OpenError::Credential { key })?;
        headers.insert(name, value);
    }
    let login = match &entry.login {
        Login::None => None,
        Login::Basic { user, password } => {
            let pair = basic(user, password);
            Some(secret("password", &format!("Basic {}", pair.expose()))?)
        }
        Login::Bearer(token) => Some(secret("bearer", &format!("Bearer {}", token.expose()))?),
    };
    if let Some(login) = login {
        headers.insert(AUTHORIZATION, login);
    }
    Ok(headers)
}

impl Store for Http {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        Box::pin(async move {
            let name = object.name.clone();
            let Answer { result, trace } =
                self.send(Method::PUT, &name, Some((object, false)), ANSWER_LEN_MAX).await;
            let result = result.and_then(|answer| match answer.status().as_u16() {
                200 | 201 | 204 => Ok(()),
                _ => Err(self.refused(&Method::PUT, &answer)),
            });
            Answer { result, trace }
        })
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        Box::pin(async move {
            let name = object.name.clone();
            let Answer { result, trace } =
                self.send(Method::PUT, &name, Some((object, true)), ANSWER_LEN_MAX).await;
            let result = result.and_then(|answer| match answer.status().as_u16() {
                200 | 201 | 204 => Ok(Created::Written),
                412 => Ok(Created::Exists),
                // What a server says that knows PUT but not the condition. A wrong address says the same to a put.
                400 | 501 => Ok(Created::NotOffered),
                _ => Err(self.refused(&Method::PUT, &answer)),
            });
            Answer { result, trace }
        })
    }

    fn get<'a>(&'a self, name: &'a str, len_max: usize) -> Pending<'a, Option<Bytes>> {
        Box::pin(async move {
            let Answer { result, trace } = self.send(Method::GET, name, None, len_max).await;
            let result = result.and_then(|answer| match answer.status().as_u16() {
                200 => Ok(Some(answer.into_body())),
                404 | 410 => Ok(None),
                _ => Err(self.refused(&Method::GET, &answer)),
            });
            Answer { result, trace }
        })
    }

    fn list<'a>(&'a self, _: &'a str, _: usize) -> Pending<'a, Vec<String>> {
        let text = format!("{} has no list: HTTP has none", self.url);
        Box::pin(std::future::ready(Answer { result: Err(PutError::GiveUp(text)), trace: Trace::default() }))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            let Answer { result, trace } = self.send(Method::DELETE, name, None, ANSWER_LEN_MAX).await;
            let result = result.and_then(|answer| match answer.status().as_u16() {
                // A delete that is only accepted leaves an object a while longer, and harms nobody.
                200 | 202 | 204 | 404 | 410 => Ok(()),
                _ => Err(self.refused(&Method::DELETE, &answer)),
            });
            Answer { result, trace }
        })
    }

    fn is_cached(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        self.url.clone()
    }
}
