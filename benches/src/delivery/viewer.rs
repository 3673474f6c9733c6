//! Viewers as plain HLS players: each reads its playlist again and again, and fetches what is new in it from where it says.
//!
//! They ask no other node by themselves, as our own player does: how soon they leave a dead node is the origin's and the
//! edge's doing alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::client::Client;

/// How long a node may send no byte before a viewer gives a request up: as long as our player.
const SILENCE_MAX: Duration = Duration::from_millis(2_500);

/// How soon a segment that failed is asked for again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How far behind the newest segment a viewer begins.
const BEHIND: usize = 3;

/// The most requests that are remembered of each viewer.
const ASKED_MAX: usize = 10_000;

/// A request for an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// When it began: connecting counts.
    pub(super) at: Instant,
    /// The port of the node.
    pub(super) port: u16,
    /// Whether it was answered well.
    pub(super) good: bool,
}

/// A running viewer. Dropping it ends it.
pub(super) struct Viewer {
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

struct Player {
    edge: String,
    token: String,
    nodes: BTreeMap<String, Client>,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

impl Viewer {
    /// Watches a channel with this session.
    pub(super) fn start(edge: &str, token: String, channel: &str) -> Viewer {
        let (asked, stop) = (Arc::default(), Arc::<AtomicBool>::default());
        let mut player = Player {
            edge: edge.to_owned(),
            token,
            nodes: BTreeMap::new(),
            asked: Arc::clone(&asked),
            stop: stop.clone(),
        };
        let channel = channel.to_owned();
        let thread = thread::spawn(move || player.watch(&channel));
        Viewer { asked, stop, thread: Some(thread) }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// That it has not failed.
    pub(super) fn check(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) else { return Ok(()) };
        match thread.join() {
            Ok(result) => result.context("a viewer"),
            Err(_) => bail!("a viewer panicked"),
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Player {
    fn watch(&mut self, channel: &str) -> Result<()> {
        let mut edge = Client::connect(&self.edge)?;
        let base = format!("/t/{}/live/{channel}", self.token);
        let main = text(&mut edge, &format!("{base}/main.m3u8"))?;
        let first = main.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
        let path = format!("{base}/{}", first.context("no rendition")?);
        let (mut next, mut newest) = (None, 0);
        while !self.stop.load(Ordering::Relaxed) {
            let loaded = Instant::now();
            let playlist = Playlist::read(&text(&mut edge, &path)?)?;
            let end = playlist.first + playlist.segments.len() as u64;
            let mut wanted = next.unwrap_or(end.saturating_sub(BEHIND as u64)).max(playlist.first);
            let mut pause = playlist.target;
            if end == newest {
                // RFC 8216bis, 6.3.4: half a target duration where nothing was new.
                pause /= 2;
            }
            for url in playlist.segments.iter().skip(usize::try_from(wanted - playlist.first)?) {
                if !self.fetch(url)? {
                    pause = AGAIN_AFTER;
                    break;
                }
                wanted += 1;
            }
            (next, newest) = (Some(wanted), end);
            thread::sleep((loaded + pause).saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    /// Fetches an object; false where the node fails.
    fn fetch(&mut self, url: &str) -> Result<bool> {
        let (host, path) =
            url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).context("no URL")?;
        let at = Instant::now();
        let (_, port) = host.rsplit_once(':').context("no port")?;
        let answer = (|| {
            let mut client = match self.nodes.remove(host) {
                Some(client) => client,
                None => Client::patient(host, SILENCE_MAX)?,
            };
            let answer = client.ask("GET", &format!("/{path}"), &[], b"")?;
            ensure!(answer.status == 200, "{}", answer.status);
            self.nodes.insert(host.to_owned(), client);
            anyhow::Ok(())
        })();
        let asked = Asked { at, port: port.parse()?, good: answer.is_ok() };
        let mut log = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(log.len() < ASKED_MAX, "a viewer asked too often");
        log.push(asked);
        Ok(asked.good)
    }
}

fn text(edge: &mut Client, path: &str) -> Result<String> {
    let answer = edge.ask("GET", path, &[], b"")?;
    ensure!(answer.status == 200, "the edge answers {}", answer.status);
    Ok(String::from_utf8(answer.body)?)
}

/// What a viewer needs of a media playlist.
struct Playlist {
    target: Duration,
    first: u64,
    segments: Vec<String>,
}

impl Playlist {
    fn read(text: &str) -> Result<Playlist> {
        let tag = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let target = tag("#EXT-X-TARGETDURATION:").context("no target duration")?.parse()?;
        let first = tag("#EXT-X-MEDIA-SEQUENCE:").context("no media sequence")?.parse()?;
        let uris = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let segments = uris.map(str::to_owned).collect();
        Ok(Playlist { target: Duration::from_secs(target), first, segments })
    }
}
