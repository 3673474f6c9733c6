//! A feed that comes through nginx-rtmp: from ffmpeg to a relay at the venue, which pushes it on to the origin.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::origin::{Encoder, Origin, Plan, Source, Store, frames, until};
use crate::viewers::Edge;

/// What Debian's libnginx-mod-rtmp brings.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// nginx, which pushes on what it gets.
struct Relay {
    url: String,
    _nginx: Child,
    _dir: TempDir,
}

impl Relay {
    async fn start(to: &str) -> anyhow::Result<Relay> {
        // It can't be told to choose a port: one that was free a moment ago.
        let address = TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?;
        let dir = tempfile::tempdir()?;
        let text = format!(
            "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\n\
             rtmp {{ access_log off; server {{ listen {address}; application venue {{ live on; push {to}; }} }} }}\n"
        );
        std::fs::write(dir.path().join("nginx.conf"), text)?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(dir.path()).arg("-c").arg(dir.path().join("nginx.conf")).args(["-e", "stderr"]);
        let nginx =
            nginx.kill_on_drop(true).stdin(Stdio::null()).spawn().context("nginx can't be started")?;
        until("nginx listens", async || Ok(TcpStream::connect(address).await.ok())).await?;
        Ok(Relay { url: format!("rtmp://{address}/venue/table"), _nginx: nginx, _dir: dir })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nginx_relays_is_what_the_encoder_sent() -> anyhow::Result<()> {
    let (store, edge) = (Store::start().await?, Edge::start().await?);
    let (targets, edges) = ([store.target("a")], [edge.url.clone()]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start(&plan).await?;
    let relay = Relay::start(&origin.primary()).await?;
    let source = Source::new(6).await?;
    let bytes = std::fs::read(&source.file)?;
    // What comes before nginx has reached the origin, nginx drops: up to the next key frame.
    let (first, rest) = bytes.split_at(bytes.len() / 3);
    let mut encoder = Encoder::start(&[&relay.url])?;
    encoder.send(first).await?;
    origin.logged("feed began").await?;
    encoder.send(rest).await?;
    encoder.finish().await?;
    origin.logged("feed ended").await?;
    let live = edge.ended(&origin, &["source"]).await?;
    let relayed = frames(&origin.export().await?).await?;
    let (is, was) = (relayed.len(), source.frames.len());
    ensure!(
        source.frames.ends_with(&relayed) && is >= was / 2,
        "{is} of the last {was} frames: {}",
        origin.log()
    );
    let played = frames(Path::new(&live.main())).await;
    let main = crate::demo::client()?.get(live.main()).send().await?.text().await?;
    let played = played.with_context(|| format!("{main}\n{}", origin.log()))?;
    ensure!(played == relayed, "{} frames of {is} are played: {}", played.len(), origin.log());
    Ok(())
}
