//! Codecs beyond H.264 and AAC, and encoders that speak Enhanced RTMP: streams that another program made, in `tests/enhanced`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use railbird_core::flv::File;
use railbird_core::rtmp::{Client, ClientOutput, Url, amf0::Value};
use railbird_core::time::UtcMs;
use railbird_tests::rig::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::demo::{Demo, PATIENCE, client, finish, outcome, railbird, workspace};
use crate::origin::{Origin, Plan, Source, Store, packets};
use crate::play::{decoded, ffmpeg, hashes, lists};
use crate::viewers::Edge;

/// How many of a stream's hundred frames are compared where a player has no end of it.
const COMPARED: usize = 75;

pub(crate) fn made(name: &str) -> PathBuf {
    workspace().join("tests/enhanced").join(name)
}

/// The stream of H.265, with its parameter sets beside its pictures alone, as a recording has them, and this file's sound; in this
/// directory.
pub(crate) async fn h265(dir: &Path, sound: &Path) -> anyhow::Result<Source> {
    let file = dir.join("h265.mp4");
    let mut mux = ffmpeg();
    mux.arg("-i").arg(made("hevc.mp4")).arg("-i").arg(sound).args(["-map", "0:v", "-map", "1:a"]);
    finish({
        mux.args(["-c", "copy", "-bsf:v", "filter_units=remove_types=32-34"]).arg(&file);
        mux
    })
    .await?;
    Source::of(file).await
}

/// Only the client's deadlines need the time, and none of them is near.
const NOW: UtcMs = UtcMs(1);

/// Publishes an FLV file, as fast as it is taken, and ends in order.
pub(crate) async fn send(file: &Path, url: &str) -> anyhow::Result<()> {
    let url = Url::parse(url)?;
    let mut client = Client::new(url.clone(), [7; 32]);
    let mut stream = TcpStream::connect(url.address()).await?;
    let mut buffer = [0; 4096];
    client.handle(&[], NOW);
    loop {
        let mut ready = false;
        while let Some(output) = client.poll() {
            match output {
                ClientOutput::Send(bytes) => stream.write_all(&bytes).await?,
                ClientOutput::Ready => ready = true,
                ClientOutput::Refused { reason } => bail!("refused: {reason}"),
                ClientOutput::Closed { reason } => bail!("closed: {reason}"),
            }
        }
        if ready {
            break;
        }
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await??;
        ensure!(read > 0, "the origin closed the connection");
        client.handle(&buffer[..read], NOW);
    }
    for tag in File::new(std::fs::read(file)?.into())? {
        let tag = tag?;
        client.send(tag.kind, tag.timestamp_ms, &tag.payload)?;
    }
    client.close();
    while let Some(output) = client.poll() {
        if let ClientOutput::Send(bytes) = output {
            stream.write_all(&bytes).await?;
        }
    }
    stream.shutdown().await?;
    // Until the origin closes: it has read all of it by then.
    while timeout(PATIENCE, stream.read(&mut buffer)).await?? > 0 {}
    Ok(())
}

/// Two streams that other players get as another encoder made them, each picture and each packet of sound, and whose multivariant
/// playlists say what they are.
#[tokio::test(flavor = "multi_thread")]
async fn h265_av1_and_opus_come_through_enhanced_rtmp_to_a_player_of_others() -> anyhow::Result<()> {
    let demo = Demo::start(&["--no-clip", "--no-score"]).await?;
    for (channel, name, codecs) in [
        (0, "hevc", "CODECS=\"hvc1.2.4.L30.90,Opus\",RESOLUTION=160x90,FRAME-RATE=25.000,VIDEO-RANGE=HLG"),
        (1, "av1", "CODECS=\"av01.0.00M.08,Opus\",RESOLUTION=160x90,SUBTITLES"),
    ] {
        send(&made(&format!("{name}.flv")), &demo.publish_url(channel)).await?;
        let id = &demo.ready.channels[channel].id;
        let live = format!("{}/t/{}/live/{id}", demo.ready.edge, demo.token().await?);
        lists(&format!("{live}/a/source.m3u8"), 3.9).await.with_context(|| demo.log())?;
        let main = client()?.get(format!("{live}/main.m3u8")).send().await?.text().await?;
        ensure!(main.contains(codecs), "{main}");

        let mut from_file = ffmpeg();
        from_file.arg("-i").arg(made(&format!("{name}.mp4")));
        let expected = decoded(from_file, "0:v:0", Some(COMPARED)).await?;
        let player = || {
            let mut player = ffmpeg();
            player.args(["-live_start_index", "0", "-i", &format!("{live}/main.m3u8")]);
            player
        };
        let played = decoded(player(), "0:v:0", Some(COMPARED)).await?;
        ensure!(played.len() == COMPARED && played == expected, "{name}: {} frames", played.len());

        let [_, sent] = packets(&made(&format!("{name}.mp4"))).await?;
        let mut copy = player();
        copy.args(["-map", "0:a:0", "-frames", &COMPARED.to_string(), "-c", "copy", "-f", "framemd5", "-"]);
        let heard = hashes(&finish(copy).await?);
        // Sound from before the first picture is left out by design.
        let first = sent.iter().position(|packet| Some(packet) == heard.first()).context("other sound")?;
        ensure!(first < 4 && sent[first..].starts_with(&heard), "{name}: {} packets", heard.len());
    }
    Ok(())
}

/// Our player, hls.js below it, in Chromium, which decodes both by itself.
#[tokio::test(flavor = "multi_thread")]
async fn av1_and_opus_play_in_a_browser() -> anyhow::Result<()> {
    let demo = Demo::start(&["--no-clip", "--no-score"]).await?;
    let _encoder = railbird()?.arg("publish").arg(made("av1.flv")).arg(demo.publish_url(0)).spawn()?;
    // Who comes with the first segment alone waits for the second.
    let metrics = format!("{}/metrics", demo.ready.origin);
    until("two segments are cut", async || {
        let text = client()?.get(&metrics).send().await?.text().await?;
        let count = text.lines().find_map(|line| {
            line.strip_prefix("railbird_feed_segments_total{channel=\"table-1\",feed=\"primary\"} ")
        });
        Ok(count.filter(|count| !["0", "1"].contains(count)).map(|_| ()))
    })
    .await?;
    let mut watch = Command::new("node");
    watch.arg(workspace().join("tests/browser/steady.mjs")).arg(&demo.ready_file).arg("4");
    let (ok, text) = outcome(watch).await.context("tests/browser/steady.mjs")?;
    ensure!(ok, "{text}\n--- the demo's log ---\n{}", demo.log());
    Ok(())
}

/// Everything of an origin that a test here needs: `more` of its configuration, and files beside it.
async fn origin(more: &str, files: &[(&str, &str)]) -> anyhow::Result<(Origin, Store, Edge)> {
    let (store, edge) = (Store::start().await?, Edge::start().await?);
    let (targets, edges) = ([store.target("a")], [edge.url.clone()]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more, files };
    Ok((Origin::start(&plan).await?, store, edge))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_tracks_the_first_ones_are_played_and_the_others_named() -> anyhow::Result<()> {
    let (origin, _store, edge) = origin("", &[]).await?;
    send(&made("tracks.flv"), &origin.primary()).await?;
    origin.logged("audio track 1 (Opus)").await?;
    origin.logged("feed ended").await?;
    edge.shows(&origin, &Source::of(made("tracks.mp4")).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_publishes_over_tls_and_who_speaks_none_is_told_so_in_the_log() -> anyhow::Result<()> {
    let shown = rcgen::generate_simple_self_signed(["localhost".to_string(), "127.0.0.1".to_string()])?;
    let files = [("chain.pem", &*shown.cert.pem()), ("key.pem", &*shown.signing_key.serialize_pem())];
    let table = "[rtmps]\nlisten = \"127.0.0.1:0\"\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
    let (origin, _store, edge) = origin(table, &files).await?;
    let log = origin.log();
    let address = log.split("rtmps=").nth(1).and_then(|rest| rest.split(' ').next()).context("no address")?;
    let source = Source::new(4).await?;
    let mut encoder = ffmpeg();
    encoder.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "flv"]);
    finish({
        encoder.arg(format!("rtmps://{}/live/primary-key", address.trim_matches('"')));
        encoder
    })
    .await?;
    origin.logged("feed ended").await?;
    let mut plain = ffmpeg();
    plain.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "flv"]);
    plain.arg(format!("rtmp://{}/live/primary-key", address.trim_matches('"')));
    ensure!(!outcome(plain).await?.0, "it was taken without TLS");
    origin.logged("must begin with rtmps://").await?;
    edge.shows(&origin, &source).await
}

/// A command in one chunk of at most 128 bytes.
fn command(chunk_stream: u8, stream: u8, values: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    values.iter().for_each(|value| value.encode(&mut body));
    let mut chunk = vec![chunk_stream, 0, 0, 0, 0, 0, body.len() as u8, 20, stream, 0, 0, 0];
    chunk.extend(body);
    chunk
}

async fn read_until(stream: &mut TcpStream, text: &str) -> anyhow::Result<()> {
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    while !heard.windows(text.len()).any(|window| window == text.as_bytes()) {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await??;
        ensure!(read > 0, "the origin closed the connection, and never said {text}");
        heard.extend_from_slice(&buffer[..read]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_can_is_asked_to_reconnect_when_the_origin_stops() -> anyhow::Result<()> {
    let (mut origin, _store, _edge) = origin("", &[]).await?;
    let address = Url::parse(&origin.primary())?.address();
    let mut stream = TcpStream::connect(&address).await?;
    let mut hello = vec![3];
    hello.resize(1 + 2 * 1536, 0);
    stream.write_all(&hello).await?;
    let connect = Value::Object([("app".into(), "live".into()), ("capsEx".into(), 1.0.into())].into());
    stream.write_all(&command(3, 0, &["connect".into(), 1.0.into(), connect])).await?;
    read_until(&mut stream, "videoFourCcInfoMap").await?;
    let publish = ["publish".into(), 0.0.into(), Value::Null, "primary-key".into()];
    stream.write_all(&command(3, 1, &publish)).await?;
    read_until(&mut stream, "NetStream.Publish.Start").await?;
    let stopping = async {
        read_until(&mut stream, "NetConnection.Connect.ReconnectRequest").await?;
        drop(stream);
        anyhow::Ok(())
    };
    tokio::try_join!(stopping, origin.stop())?;
    ensure!(origin.log().contains("the encoder closed the connection"), "{}", origin.log());
    Ok(())
}
