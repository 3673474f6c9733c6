//! A door before a bucket at which segments wait until they are let in. All else passes, and which parts passed is noted.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use railbird_core::hash::Hash;
use railbird_core::object::PARTS;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::origin::BUCKET;

/// The parts that were put, whether the bucket took them or not: the hash of each by its name.
type Parts = BTreeMap<String, Hash>;

/// Who may pass.
enum Rule {
    All,
    /// Segments whose paths end so.
    Only(BTreeSet<String>),
}

pub(crate) struct Gate {
    pub(crate) url: String,
    rule: Arc<watch::Sender<Rule>>,
    parts: Arc<Mutex<Parts>>,
    _tasks: JoinSet<()>,
}

impl Gate {
    /// An open one, before this address.
    pub(crate) async fn start(upstream: SocketAddr) -> anyhow::Result<Gate> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let rule = Arc::new(watch::Sender::new(Rule::All));
        let parts = Arc::new(Mutex::new(Parts::new()));
        let (mut tasks, rules, put) = (JoinSet::new(), Arc::clone(&rule), Arc::clone(&parts));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (rules, put) = (Arc::clone(&rules), Arc::clone(&put));
                let service =
                    service_fn(move |request| pass(request, upstream, rules.subscribe(), Arc::clone(&put)));
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Gate { url, rule, parts, _tasks: tasks })
    }

    /// The parts that were put so far.
    pub(crate) fn parts(&self) -> Parts {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Segments wait from now on.
    pub(crate) fn close(&self) {
        self.rule.send_replace(Rule::Only(BTreeSet::new()));
    }

    /// Lets in the segment of this name.
    pub(crate) fn let_in(&self, name: &str) {
        self.rule.send_modify(|rule| {
            if let Rule::Only(names) = rule {
                names.insert(name.to_string());
            }
        });
    }

    /// Lets in whatever comes.
    pub(crate) fn open(&self) {
        self.rule.send_replace(Rule::All);
    }
}

async fn pass(
    request: Request<Incoming>,
    upstream: SocketAddr,
    mut rule: watch::Receiver<Rule>,
    parts: Arc<Mutex<Parts>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_string();
    if request.method() == Method::PUT && path.ends_with(".m4s") && !path.contains("/_parts/") {
        let may = |rule: &Rule| match rule {
            Rule::All => true,
            Rule::Only(names) => names.iter().any(|name| path.ends_with(&format!("/{name}"))),
        };
        // A gate that goes lets in what waits.
        drop(rule.wait_for(may).await);
    }
    Ok(forward(request, upstream, &parts).await.unwrap_or_else(|_| {
        let mut refused = Response::new(Full::default());
        *refused.status_mut() = StatusCode::BAD_GATEWAY;
        refused
    }))
}

async fn forward(
    request: Request<Incoming>,
    upstream: SocketAddr,
    parts: &Mutex<Parts>,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(TcpStream::connect(upstream).await?)).await?;
    let connection = tokio::spawn(connection);
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let name = head.uri.path().strip_prefix(&format!("/{BUCKET}/")).filter(|name| name.starts_with(PARTS));
    if let Some(name) = name.filter(|_| head.method == Method::PUT) {
        parts.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_string(), Hash::of(&body));
    }
    let body = Full::new(body);
    let (head, body) = sender.send_request(Request::from_parts(head, body)).await?.into_parts();
    let body = Full::new(body.collect().await?.to_bytes());
    connection.abort();
    Ok(Response::from_parts(head, body))
}
