//! Feeds that come as an MPEG transport stream in the body of a PUT or a POST.

use anyhow::{Context, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::codecs::h265;
use crate::demo::{client, finish};
use crate::origin::{Origin, Plan, Source, Store};
use crate::play::ffmpeg;
use crate::sink::Sink;
use crate::viewers::Edge;

/// An origin that takes feeds over HTTP, and where.
pub(crate) async fn origin() -> anyhow::Result<(Origin, String, Store, Sink)> {
    let store = Store::start().await?;
    let sink = Sink::start(vec![("a", store.dir())]).await?;
    let (origin, address) = before(&store, &sink.url).await?;
    Ok((origin, address, store, sink))
}

/// The same, before an edge by which its channel is played.
pub(crate) async fn played() -> anyhow::Result<(Origin, String, Store, Edge)> {
    let (store, edge) = (Store::start().await?, Edge::start().await?);
    let (origin, address) = before(&store, &edge.url).await?;
    Ok((origin, address, store, edge))
}

async fn before(store: &Store, edge: &str) -> anyhow::Result<(Origin, String)> {
    let (targets, edges) = ([store.target("a")], [edge.to_string()]);
    let more = "[http_ingest]\nlisten = \"127.0.0.1:0\"\n";
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more, files: &[] };
    let origin = Origin::start(&plan).await?;
    let address = address(&origin)?;
    Ok((origin, address))
}

/// Where an origin takes feeds over HTTP.
pub(crate) fn address(origin: &Origin) -> anyhow::Result<String> {
    let log = origin.log();
    let address = log.split("http_ingest=").nth(1).and_then(|rest| rest.split(' ').next());
    Ok(address.context("it listens nowhere for feeds over HTTP")?.trim_matches('"').to_string())
}

/// ffmpeg sends the source as a transport stream by this method, and with these options: it is what is played and recorded.
async fn arrives(source: &Source, method: &str, options: &[&str]) -> anyhow::Result<()> {
    let (origin, address, _store, edge) = played().await?;
    let mut encoder = ffmpeg();
    encoder.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "mpegts", "-method", method]);
    encoder.args(options).arg(format!("http://{address}/ingest/primary-key"));
    finish(encoder).await?;
    origin.logged("reason=\"the encoder ended the feed\"").await?;
    edge.shows(&origin, source).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_packet_that_ffmpeg_puts_is_played_and_recorded_once() -> anyhow::Result<()> {
    arrives(&Source::new(4).await?, "PUT", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_packet_that_ffmpeg_posts_is_played_and_recorded_once() -> anyhow::Result<()> {
    arrives(&Source::new(4).await?, "POST", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_and_aac_in_latm_are_played_and_recorded_as_they_were_put() -> anyhow::Result<()> {
    let (dir, sound) = (tempfile::tempdir()?, Source::new(4).await?);
    arrives(&h265(dir.path(), &sound.file).await?, "PUT", &["-mpegts_flags", "latm"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_feed_is_told_why_and_a_connection_that_breaks_off_is_no_end() -> anyhow::Result<()> {
    let (origin, address, _store, _sink) = origin().await?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("mpeg2.ts");
    let mut encode = ffmpeg();
    encode.args([
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=64x64:rate=25",
        "-t",
        "0.4",
        "-c:v",
        "mpeg2video",
        "-f",
        "mpegts",
    ]);
    encode.arg(&file);
    finish(encode).await?;
    let mpeg2 = std::fs::read(file)?;
    for (path, key, body, status, text) in [
        ("ingest/other-key", None, mpeg2.clone(), 401, "unknown stream key"),
        ("ingest", Some("other-key"), mpeg2.clone(), 401, "unknown stream key"),
        ("ingest", None, mpeg2.clone(), 401, "the stream key is missing"),
        ("v1/channels", Some("primary-key"), mpeg2.clone(), 404, "/ingest/STREAM_KEY"),
        ("ingest", Some("primary-key"), b"no stream at all".to_vec(), 415, "no MPEG transport stream"),
        ("ingest", Some("primary-key"), mpeg2, 422, "the encoder sends MPEG-2 video: set H.264"),
    ] {
        let mut put = client()?.put(format!("http://{address}/{path}")).body(body);
        if let Some(key) = key {
            put = put.bearer_auth(key);
        }
        let answer = put.send().await?;
        let (is, said) = (answer.status().as_u16(), answer.text().await?);
        ensure!(is == status && said.contains(text), "{path}: {is} {said}");
    }
    let mut connection = TcpStream::connect(&address).await?;
    let head =
        format!("PUT /ingest/primary-key HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(b"bc\r\n").await?;
    drop(connection);
    origin.logged("the connection broke off").await?;
    ensure!(!origin.log().contains("primary-key"), "a stream key in the log:\n{}", origin.log());
    Ok(())
}
