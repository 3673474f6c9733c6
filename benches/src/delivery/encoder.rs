//! An encoder that knows when it sent what: a clip over and over, at any speed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use railbird_core::flv::{File, Tag, TagKind};
use railbird_core::rtmp::{Client, ClientOutput, Url};

use super::latency::Unit;
use crate::clock;
use crate::origin::stream_key;

/// How long the origin may take to answer, or to read.
const PATIENCE: Duration = Duration::from_secs(20);

/// A clip's tags.
pub(super) struct Clip {
    /// What a feed begins with: metadata and parameters.
    heads: Vec<Tag>,
    tags: Vec<Tag>,
    round_ms: u64,
}

impl Clip {
    /// Reads a file that is this long, in milliseconds: a whole number of groups of pictures.
    pub(super) fn read(file: &Path, round_ms: u64) -> Result<Clip> {
        let (mut heads, mut tags) = (Vec::new(), Vec::new());
        for tag in File::new(std::fs::read(file)?.into())? {
            let tag = tag?;
            match (tag.kind, tag.payload.get(1)) {
                (TagKind::Data, _) | (_, Some(0)) => heads.push(tag),
                (_, Some(1)) if u64::from(tag.timestamp_ms) < round_ms => tags.push(tag),
                _ => {}
            }
        }
        tags.sort_by_key(|tag| tag.timestamp_ms);
        ensure!(tags.iter().any(is_key), "{} has no key frame", file.display());
        Ok(Clip { heads, tags, round_ms })
    }
}

/// Frame type 1, AVC, an access unit.
fn is_key(tag: &Tag) -> bool {
    tag.kind == TagKind::Video && tag.payload.starts_with(&[0x17, 1])
}

/// What an encoder tells while it runs.
#[derive(Default)]
struct Told {
    /// Media time sent.
    ms: AtomicU64,
    /// Bytes sent, RTMP's own included.
    bytes: AtomicU64,
    /// How much faster than real time it is.
    speed: AtomicU32,
    stop: AtomicBool,
    /// The pictures that have been sent.
    pictures: Mutex<Vec<Sent>>,
    /// When each sound had been sent, by its media time in milliseconds.
    sounds: Mutex<BTreeMap<u64, Instant>>,
}

/// A picture that has been sent.
#[derive(Clone, Copy)]
struct Sent {
    at: Instant,
    /// Its media time, in milliseconds.
    ms: u64,
    key: bool,
}

/// Where an object ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// When its last picture had been sent.
    pub(super) picture: Instant,
    /// When all had been sent that tells its end: the next picture, and the first sound that is not before that.
    pub(super) told: Option<Instant>,
}

/// A running encoder. Dropping it ends it.
pub(super) struct Encoder {
    told: Arc<Told>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Encoder {
    /// Publishes on a channel at real speed, from `after` on.
    pub(super) fn start(clip: &Arc<Clip>, rtmp: SocketAddr, channel: usize, after: Duration) -> Encoder {
        let told = Arc::new(Told { speed: AtomicU32::new(1), ..Told::default() });
        let (clip, theirs) = (clip.clone(), told.clone());
        let thread = thread::spawn(move || {
            thread::sleep(after);
            publish(&clip, rtmp, channel, &theirs)
        });
        Encoder { told, thread: Some(thread) }
    }

    pub(super) fn speed(&self, times: u32) {
        self.told.speed.store(times, Ordering::Relaxed);
    }

    /// Media time sent, in milliseconds.
    pub(super) fn sent_ms(&self) -> u64 {
        self.told.ms.load(Ordering::Relaxed)
    }

    pub(super) fn sent_bytes(&self) -> u64 {
        self.told.bytes.load(Ordering::Relaxed)
    }

    /// Where each such object ends.
    pub(super) fn ends(&self, unit: Unit) -> Vec<End> {
        let pictures = self.told.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        let sounds = self.told.sounds.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut ends, mut in_group) = (Vec::new(), 0_usize);
        for pair in pictures.windows(2) {
            let [last, next] = *pair else { continue };
            in_group += 1;
            let is_full = matches!(unit, Unit::Part { pictures } if in_group.is_multiple_of(pictures));
            if next.key || is_full {
                let sound = sounds.range(next.ms..).next();
                ends.push(End { picture: last.at, told: sound.map(|(_, at)| next.at.max(*at)) });
            }
            if next.key {
                in_group = 0;
            }
        }
        ends
    }

    /// That it still runs.
    pub(super) fn check(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) else { return Ok(()) };
        match thread.join() {
            Ok(Ok(())) => bail!("an encoder has ended"),
            Ok(Err(error)) => Err(error.context("an encoder")),
            Err(_) => bail!("an encoder panicked"),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.told.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn publish(clip: &Clip, rtmp: SocketAddr, channel: usize, told: &Told) -> Result<()> {
    let mut client =
        Client::new(Url::parse(&format!("rtmp://{rtmp}/live/{}", stream_key(channel)))?, [7; 32]);
    let mut stream = TcpStream::connect(rtmp)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    client.handle(&[], clock::now());
    let mut buffer = [0; 4096];
    while !write(&mut client, &mut stream, told)? {
        let len = stream.read(&mut buffer)?;
        ensure!(len > 0, "the origin closed the connection");
        client.handle(&buffer[..len], clock::now());
    }
    for head in &clip.heads {
        client.send(head.kind, 0, &head.payload)?;
    }
    let (mut due, mut sent_ms) = (Instant::now(), 0);
    for round in 0.. {
        for tag in &clip.tags {
            if told.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let ms = round * clip.round_ms + u64::from(tag.timestamp_ms);
            due += Duration::from_millis(ms - sent_ms) / told.speed.load(Ordering::Relaxed).max(1);
            sent_ms = ms;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // RTMP's timestamps wrap around at 32 bits.
            client.send(tag.kind, ms as u32, &tag.payload)?;
            write(&mut client, &mut stream, told)?;
            told.ms.store(ms, Ordering::Relaxed);
            let at = Instant::now();
            match tag.kind {
                TagKind::Video => {
                    let picture = Sent { at, ms, key: is_key(tag) };
                    told.pictures.lock().unwrap_or_else(PoisonError::into_inner).push(picture);
                }
                TagKind::Audio => {
                    told.sounds.lock().unwrap_or_else(PoisonError::into_inner).insert(ms, at);
                }
                TagKind::Data => {}
            }
        }
    }
    Ok(())
}

/// Writes what the client wants written; whether the feed has been taken.
fn write(client: &mut Client, stream: &mut TcpStream, told: &Told) -> Result<bool> {
    let mut ready = false;
    while let Some(output) = client.poll() {
        match output {
            ClientOutput::Send(bytes) => {
                stream.write_all(&bytes)?;
                told.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            ClientOutput::Ready => ready = true,
            ClientOutput::Refused { reason } => bail!("refused: {reason}"),
            ClientOutput::Closed { reason } => bail!("closed: {reason}"),
        }
    }
    Ok(ready)
}
