//! A push to a server that is not ours: ffmpeg.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, ensure};
use bytes::Bytes;
use railbird_core::flv::{Demux, File};
use railbird_core::keys::MasterSecret;
use railbird_core::media::Role;
use railbird_core::package;
use railbird_core::programme::{End, Output, Passed, Programme, Resume, Settings};
use railbird_core::rtmp::Url;
use railbird_core::time::{Moment, UtcMs};
use railbird_origin::config;
use railbird_origin::evidence::Evidence;
use railbird_origin::ingest::Tap;
use railbird_origin::push::{self, Pushes, State};
use railbird_origin::telemetry::Metrics;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::demo::{PATIENCE, finish, workspace};
use crate::play::{ffmpeg, hashes};

/// What a channel's programme makes of the bundled clip; `tap` gets what it passes on.
fn objects(clip: &Path, tap: Option<&Tap>) -> anyhow::Result<Vec<package::Object>> {
    let package = package::Settings {
        channel: "t".parse()?,
        rendition: "source".parse()?,
        segment_ms: 2000,
        part_ms: None,
        frames: false,
        key_period_s: 3600,
        secret: MasterSecret::new(b"0123456789abcdef")?,
    };
    let settings = Settings { tap: tap.is_some(), ..Settings::new(package) };
    let (mut programme, mut demux) = (Programme::new(settings, Resume::default()), Demux::new());
    let now = Moment { utc: UtcMs(1_795_171_920_000), up_ms: 0 };
    let publish = programme.begin(Role::Primary, now);
    for tag in File::new(Bytes::from(std::fs::read(clip)?))? {
        let tag = tag?;
        demux.handle(tag.kind, tag.timestamp_ms, tag.payload)?;
        while let Some(event) = demux.poll() {
            programme.handle(publish, event, now.plus_ms(u64::from(tag.timestamp_ms)));
        }
    }
    programme.end(publish, End::InOrder, now.plus_ms(8_000));
    let mut objects = Vec::new();
    while let Some(output) = programme.poll() {
        match (output, tap) {
            (Output::Object(object), _) => objects.push(object),
            (Output::Passed(passed), Some(tap)) => tap(&passed),
            _ => {}
        }
    }
    Ok(objects)
}

fn clip() -> PathBuf {
    workspace().join("origin-lib/clip/table.flv")
}

/// What a channel's programme passes on of a clip.
pub(crate) fn passed(clip: &Path) -> anyhow::Result<Vec<Passed>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let sink = all.clone();
    let tap: Tap = Arc::new(move |passed: &Passed| sink.lock().unwrap().push(passed.clone()));
    objects(clip, Some(&tap))?;
    let passed = std::mem::take(&mut *all.lock().unwrap());
    Ok(passed)
}

fn start(dir: &Path, port: u16) -> anyhow::Result<(Pushes, Tap, watch::Receiver<State>)> {
    let url = Url::with_key(&format!("rtmp://127.0.0.1:{port}/live"), "key".into())?;
    let (id, channel) = ("p".parse()?, "t".parse()?);
    let config = config::Push { id, channel, url, optional: false, burn_in: None };
    let (evidence, metrics) = (Evidence::start(&dir.join("evidence"))?, Metrics::new());
    let pushes = Pushes::start(std::slice::from_ref(&config), &push::roots()?, |_| None, &evidence, &metrics);
    let tap = pushes.taps(&config.channel).pop().context("no tap")?;
    let state = pushes.state(&config.id).context("no state")?;
    Ok((pushes, tap, state))
}

#[tokio::test]
async fn invariant_1_a_black_hole_changes_no_byte_and_is_never_called_pushing() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    // The system takes the connection; nobody ever answers.
    let hole = std::net::TcpListener::bind("127.0.0.1:0")?;
    let (_pushes, tap, mut state) = start(dir.path(), hole.local_addr()?.port())?;
    let alone = objects(&clip(), None)?;
    ensure!(alone.len() == 5, "{} objects", alone.len());
    let mut seen = vec![state.borrow_and_update().clone()];
    while !matches!(seen.last(), Some(State::Failing { .. })) {
        ensure!(objects(&clip(), Some(&tap))? == alone, "a push changed what is made");
        timeout(PATIENCE, state.changed()).await??;
        seen.push(state.borrow_and_update().clone());
    }
    ensure!(!seen.iter().any(|state| matches!(state, State::Pushing { .. })), "{seen:?}");
    Ok(())
}

async fn decoded(file: &Path) -> anyhow::Result<Vec<String>> {
    let mut decode = ffmpeg();
    decode.arg("-i").arg(file).args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    Ok(hashes(&finish(decode).await?))
}

/// A server that is not ours, which writes down the first stream that it is sent.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) taken: PathBuf,
    pub(crate) end: JoinHandle<anyhow::Result<String>>,
}

impl Server {
    pub(crate) fn start(dir: &Path) -> anyhow::Result<Server> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let taken = dir.join("taken.flv");
        let mut server = ffmpeg();
        let url = format!("rtmp://127.0.0.1:{port}/live/key");
        server.args(["-listen", "1", "-i", &url, "-c", "copy"]).arg(&taken);
        Ok(Server { port, taken, end: tokio::spawn(finish(server)) })
    }
}

#[tokio::test]
async fn ffmpeg_takes_a_push_and_decodes_every_frame() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Server { port, taken, end } = Server::start(dir.path())?;
    let (mut pushes, tap, mut state) = start(dir.path(), port)?;
    let samples = passed(&clip())?;
    let first = samples.first().context("nothing is passed on")?;
    // Until ffmpeg listens, the push fails and comes back by itself, as long as there is something to push.
    let pushing = async {
        while !matches!(*state.borrow_and_update(), State::Pushing { .. }) {
            tap(first);
            state.changed().await?;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, pushing).await??;
    samples.iter().for_each(|passed| tap(passed));
    pushes.stop().await;
    end.await??;

    let (expected, got) = (decoded(&clip()).await?, decoded(&taken).await?);
    ensure!(got.len() == 240 && got == expected, "{} frames of {}", got.len(), expected.len());
    Ok(())
}
