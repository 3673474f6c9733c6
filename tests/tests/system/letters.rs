//! A forgotten password, from the form to the new one: the edge tells a webhook, whose link a person follows.

use std::convert::Infallible;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use railbird_core::sign;
use railbird_origin::clock;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::demo::PATIENCE;
use crate::origin::SECRET;
use crate::viewers::{EMAIL, Edge, On};

/// What holders would type: links begin with it, whatever name the edge was asked by.
const PUBLIC: &str = "https://live.example.org";

/// Where the webhook is, at its server.
const TARGET: &str = "/letters?from=railbird";

/// What came to the webhook.
struct Letter {
    method: String,
    target: String,
    signature: Option<String>,
    content_type: Option<String>,
    body: Bytes,
}

/// An operator's webhook.
struct Hook {
    url: String,
    letters: mpsc::UnboundedReceiver<Letter>,
    _tasks: JoinSet<()>,
}

impl Hook {
    async fn start() -> anyhow::Result<Hook> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}{TARGET}", listener.local_addr()?);
        let (sender, letters) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request| take(request, sender.clone()));
                connections.spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Hook { url, letters, _tasks: tasks })
    }
}

async fn take(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Letter>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_string);
    let (signature, content_type) = (header(sign::HEADER), header("content-type"));
    let (method, target) = (request.method().to_string(), request.uri().to_string());
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    // The test may have ended.
    let _ = sender.send(Letter { method, target, signature, content_type, body });
    Ok(Response::new(Empty::new()))
}

async fn a_holder_gets_in_again(host: On) -> anyhow::Result<()> {
    let mut hook = Hook::start().await?;
    let more = [("webhook_url", &*hook.url), ("webhook_secret", SECRET), ("public_url", PUBLIC)];
    let edge = Edge::start_on(host, &more).await?;
    let shots = edge.shots();
    let mut holder = edge.browser("forgotten.mjs", &["quite another password", &shots.to_string_lossy()])?;
    holder.says("asked").await?;

    let letter = timeout(PATIENCE, hook.letters.recv()).await?.context("the webhook has ended")?;
    ensure!(letter.method == "POST" && letter.target == TARGET, "{} {}", letter.method, letter.target);
    ensure!(letter.content_type.as_deref() == Some("application/json"), "{:?}", letter.content_type);
    let signature = letter.signature.context("it is not signed")?;
    sign::verify(SECRET.as_bytes(), "POST", TARGET, &letter.body, clock::now(), &signature)
        .context("its signature")?;
    let mut said: Value = serde_json::from_slice(&letter.body)?;
    let link = said["link"].take().as_str().context("no link")?.to_string();
    let expires = said["expires"].take().as_u64().context("no end")?;
    let left = expires.saturating_sub(clock::now().seconds());
    ensure!((1..=1800).contains(&left), "the link is good for {left} s");
    let expected =
        json!({"kind": "password-reset", "email": EMAIL, "locale": null, "link": null, "expires": null});
    ensure!(said == expected, "{said}");
    ensure!(link.starts_with(&format!("{PUBLIC}/reset#")), "{link}");

    holder.tell(&link).await?;
    holder.content().await?;
    ensure!(hook.letters.try_recv().is_err(), "somebody without a pass was sent a link, or somebody two");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_forgotten_the_password_gets_in_by_a_link_that_the_webhook_sends() -> anyhow::Result<()> {
    a_holder_gets_in_again(On::Wasmtime).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_workerd_whoever_has_forgotten_the_password_gets_in_by_a_link() -> anyhow::Result<()> {
    a_holder_gets_in_again(On::Workerd).await
}
