//! An encoder: a clip over and over, at real speed, on a clock of its own that goes on whatever happens to the origin.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use railbird_core::flv::{File, Tag, TagKind};
use railbird_core::rtmp::{Client, ClientOutput, Url};
use railbird_core::time::UtcMs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::PATIENCE;

/// How soon an encoder tries again: at once, but for a breath.
const PAUSE: Duration = Duration::from_millis(20);

/// How long connecting may take, and each write.
const DEADLINE: Duration = Duration::from_secs(5);

/// How far apart the clip's key frames are, in milliseconds.
pub const KEY_INTERVAL_MS: u64 = 500;

/// A clip's tags.
#[derive(Debug)]
pub struct Clip {
    /// What each connection begins with: metadata and parameters.
    heads: Vec<Tag>,
    tags: Vec<Tag>,
    round_ms: u64,
}

impl Clip {
    /// Has ffmpeg draw 8 s with a key frame every half second, and reads them.
    pub async fn make(dir: &Path) -> anyhow::Result<Arc<Clip>> {
        let path = dir.join("rig.flv");
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=24"])
            .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "8"])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0"])
            .args(["-g", "12", "-keyint_min", "12", "-sc_threshold", "0", "-b:v", "400k"])
            .args(["-c:a", "aac", "-b:a", "64k", "-f", "flv"])
            .arg(&path)
            .kill_on_drop(true);
        let ended =
            tokio::time::timeout(PATIENCE, ffmpeg.status()).await.context("ffmpeg does not end")??;
        ensure!(ended.success(), "ffmpeg can't make the clip: {ended}");
        Ok(Arc::new(Clip::read(tokio::fs::read(&path).await?.into(), 8_000)?))
    }

    fn read(file: bytes::Bytes, round_ms: u64) -> anyhow::Result<Clip> {
        let (mut heads, mut tags) = (Vec::new(), Vec::new());
        for tag in File::new(file)? {
            let tag = tag?;
            match (tag.kind, tag.payload.get(1)) {
                (TagKind::Data, _) | (_, Some(0)) => heads.push(tag),
                (TagKind::Audio | TagKind::Video, Some(1)) if u64::from(tag.timestamp_ms) < round_ms => {
                    tags.push(tag);
                }
                _ => {}
            }
        }
        tags.sort_by_key(|tag| tag.timestamp_ms);
        ensure!(tags.iter().any(is_key), "the clip has no key frame");
        Ok(Clip { heads, tags, round_ms })
    }

    /// Tag number `n` of the endless clip, and its time.
    fn tag(&self, n: u64) -> Option<(&Tag, u64)> {
        let count = self.tags.len() as u64;
        let tag = self.tags.get(usize::try_from(n % count).ok()?)?;
        Some((tag, n / count * self.round_ms + u64::from(tag.timestamp_ms)))
    }

    /// The first key frame at or after this time.
    fn key_from(&self, ms: u64) -> u64 {
        let first = ms / self.round_ms * self.tags.len() as u64;
        let wanted = |n: &u64| self.tag(*n).is_some_and(|(tag, at)| at >= ms && is_key(tag));
        (first..).find(wanted).unwrap_or(first)
    }
}

/// An encoder that goes on sends nothing from the first moments of its run again, in milliseconds.
const AFTER_BEGIN_MS: u64 = 1_100;

/// An access unit that a decoder can begin with: frame type 1, AVC.
fn is_key(tag: &Tag) -> bool {
    tag.kind == TagKind::Video && tag.payload.first() == Some(&0x17) && tag.payload.get(1) == Some(&1)
}

/// A running encoder. Dropping it cuts its connection.
pub struct Encoder {
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Encoder {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct Life {
    clip: Arc<Clip>,
    key: String,
    origin: watch::Receiver<Option<SocketAddr>>,
    stop: watch::Receiver<bool>,
    /// How much it keeps and sends again after an interruption.
    kept_ms: u64,
    began: Instant,
    /// What was sent last.
    sent_ms: u64,
}

impl Encoder {
    /// Publishes with this stream key to wherever the origin is. After an interruption it sends what it kept again, from a key
    /// frame `kept_ms` before it on; with 0, it goes on with the next key frame that it makes.
    pub fn start(
        clip: &Arc<Clip>,
        key: &str,
        origin: watch::Receiver<Option<SocketAddr>>,
        kept_ms: u64,
    ) -> Encoder {
        let (stop, stopped) = watch::channel(false);
        let (clip, key, began) = (clip.clone(), key.to_string(), Instant::now());
        let mut life = Life { clip, key, origin, stop: stopped, kept_ms, began, sent_ms: 0 };
        let task = tokio::spawn(async move {
            while !*life.stop.borrow() {
                // Every end but the one that was asked for is followed by another attempt.
                let _ = life.publish().await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        Encoder { stop, task: Some(task) }
    }

    /// Ends the feed in order.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        let Some(task) = self.task.take() else { return Ok(()) };
        tokio::time::timeout(PATIENCE, task).await.context("an encoder does not end")??;
        Ok(())
    }
}

impl Life {
    async fn publish(&mut self) -> anyhow::Result<()> {
        let mut stop = self.stop.clone();
        let address = tokio::select! {
            address = self.origin.wait_for(Option::is_some) => address?.context("no address")?,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let url = Url::parse(&format!("rtmp://{address}/live/{}", self.key))?;
        // The handshake's random bytes are only echoed.
        let mut client = Client::new(url, [7; 32]);
        let mut stream = tokio::time::timeout(DEADLINE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let mut buffer = [0; 4096];
        let mut next: Option<u64> = None;
        client.handle(&[], self.now());
        loop {
            let mut out = Vec::new();
            while let Some(output) = client.poll() {
                match output {
                    ClientOutput::Send(bytes) => out.extend_from_slice(&bytes),
                    ClientOutput::Ready => {}
                    ClientOutput::Refused { reason } => bail!("{reason}"),
                    ClientOutput::Closed { reason } => {
                        let _ = tokio::time::timeout(DEADLINE, stream.write_all(&out)).await?;
                        bail!("{reason}");
                    }
                }
                if next.is_none() && client.deadline().is_none() {
                    next = Some(self.begin(&mut client)?);
                }
            }
            if !out.is_empty() {
                tokio::time::timeout(DEADLINE, stream.write_all(&out)).await??;
            }
            let due =
                next.and_then(|n| self.clip.tag(n)).map(|(_, ms)| self.began + Duration::from_millis(ms));
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => client.close(),
                read = stream.read(&mut buffer) => match read? {
                    0 => bail!("the origin closed the connection"),
                    len => client.handle(&buffer[..len], self.now()),
                },
                () = sleep_until(due) => {
                    let n = next.context("nothing is due")?;
                    let (tag, ms) = self.clip.tag(n).context("no such tag")?;
                    client.send(tag.kind, ms as u32, &tag.payload)?;
                    self.sent_ms = self.sent_ms.max(ms);
                    next = Some(n + 1);
                }
                () = tokio::time::sleep(DEADLINE), if client.deadline().is_some() => {
                    bail!("the origin does not answer");
                }
            }
        }
    }

    /// Sends what each connection begins with; gives the number of the tag that follows.
    fn begin(&self, client: &mut Client) -> anyhow::Result<u64> {
        let live_ms = u64::try_from(self.began.elapsed().as_millis())?;
        let from_ms = match self.kept_ms {
            0 => live_ms,
            // One that begins where its clock began is taken for one that was started again.
            kept_ms => self.sent_ms.min(live_ms).saturating_sub(kept_ms).max(AFTER_BEGIN_MS),
        };
        let n = self.clip.key_from(from_ms);
        let at = self.clip.tag(n).map_or(0, |(_, ms)| ms);
        for head in &self.clip.heads {
            client.send(head.kind, at as u32, &head.payload)?;
        }
        Ok(n)
    }

    /// For the client's deadlines only.
    fn now(&self) -> UtcMs {
        UtcMs(1).plus_ms(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
