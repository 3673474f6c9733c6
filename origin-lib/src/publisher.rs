//! `railbird publish`: an FLV file, over and over, at real speed, to an RTMP server; comes back by itself.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use railbird_core::flv::{self, File, Part, Tag, TagKind};
use railbird_core::rtmp::{Client, ClientOutput, Url};
use railbird_core::time::UtcMs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::clock;

/// The name that stands for the bundled clip.
pub const CLIP: &str = "clip";

/// The bundled clip: 8 s of an animated carom table with a running clock.
static CLIP_BYTES: &[u8] = include_bytes!("../clip/table.flv");

/// The largest file.
const FILE_LEN_MAX: u64 = 2 << 30;

/// How long connecting may take, and each write.
const DEADLINE: Duration = Duration::from_secs(10);

/// Waits between attempts: doubled each time, from the first to the last.
const PAUSE_MS: (u64, u64) = (500, 8_000);

/// Publishes until it is refused; every other end is followed by another attempt.
pub async fn run(file: &Path, url: &str) -> anyhow::Result<()> {
    let url = Url::parse(url)?;
    ensure!(!url.tls, "this program publishes by rtmp:// only: ffmpeg does so by rtmps://, too");
    let reel = Reel::load(file).await.with_context(|| format!("{}", file.display()))?;
    let mut pause_ms = PAUSE_MS.0;
    loop {
        let mut taken = false;
        match publish(&reel, &url, &mut taken).await {
            Ok(Ended::Refused(reason)) => bail!("{} refuses the feed: {reason}", url.without_key()),
            Ok(Ended::Lost(reason)) => {
                tracing::warn!(url = url.without_key(), reason, "publisher: connection lost")
            }
            Err(error) => tracing::warn!(url = url.without_key(), "publisher: {error:#}"),
        }
        pause_ms = if taken { PAUSE_MS.0 } else { (pause_ms * 2).min(PAUSE_MS.1) };
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// A file's tags, and how long one round of them is.
struct Reel {
    tags: Vec<Tag>,
    round_ms: u64,
}

impl Reel {
    async fn load(file: &Path) -> anyhow::Result<Reel> {
        let bytes = if file.as_os_str() == CLIP {
            Bytes::from_static(CLIP_BYTES)
        } else {
            let len = tokio::fs::metadata(file).await?.len();
            ensure!(len <= FILE_LEN_MAX, "the file has {len} bytes; at most {FILE_LEN_MAX} can be published");
            tokio::fs::read(file).await?.into()
        };
        let mut tags: Vec<Tag> = File::new(bytes)?.collect::<Result<_, _>>()?;
        // The end of a round is not the end of the stream.
        tags.retain(|tag| flv::part(tag.kind, &tag.payload) != Part::End);
        let round_ms = [TagKind::Video, TagKind::Audio].map(|kind| length_ms(&tags, kind)).into_iter().max();
        let round_ms = round_ms.unwrap_or(0);
        ensure!(round_ms > 0, "the file holds no second of video or audio");
        Ok(Reel { tags, round_ms })
    }
}

/// From the first to the last access unit of a kind, and one step more: the average one, since times are rounded.
fn length_ms(tags: &[Tag], kind: TagKind) -> u64 {
    let mut times: Vec<u32> = tags
        .iter()
        .filter(|tag| tag.kind == kind && flv::part(kind, &tag.payload) == Part::Frames)
        .map(|tag| tag.timestamp_ms)
        .collect();
    times.sort_unstable();
    times.dedup();
    let (Some(first), Some(last), steps) =
        (times.first(), times.last(), times.len().saturating_sub(1) as u64)
    else {
        return 0;
    };
    let span = u64::from(last - first);
    (span + steps / 2).checked_div(steps).map_or(0, |step| span + step)
}

enum Ended {
    Refused(String),
    Lost(String),
}

async fn publish(reel: &Reel, url: &Url, taken: &mut bool) -> anyhow::Result<Ended> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).context("no randomness")?;
    let mut client = Client::new(url.clone(), entropy);
    let connect = tokio::time::timeout(DEADLINE, TcpStream::connect((url.host.as_str(), url.port))).await;
    let mut stream = connect.context("connecting took too long")?.context("the server does not answer")?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    client.handle(&[], clock::now());

    let (mut started, mut next): (Option<Instant>, u64) = (None, 0);
    loop {
        let mut out = Vec::new();
        while let Some(output) = client.poll() {
            match output {
                ClientOutput::Send(bytes) => out.extend_from_slice(&bytes),
                ClientOutput::Ready => {
                    *taken = true;
                    started = Some(Instant::now());
                    tracing::info!(url = url.without_key(), "publisher: the feed is taken");
                }
                ClientOutput::Refused { reason } => return Ok(Ended::Refused(reason)),
                ClientOutput::Closed { reason } => return Ok(Ended::Lost(reason.to_string())),
            }
        }
        if !out.is_empty() {
            let write = tokio::time::timeout(DEADLINE, stream.write_all(&out)).await;
            write.context("the server does not read")??;
        }
        let due = started.and_then(|started| reel.due(next).map(|ms| started + Duration::from_millis(ms)));
        tokio::select! {
            biased;
            read = stream.read(&mut buffer) => match read? {
                0 => return Ok(Ended::Lost("the server closed the connection".to_string())),
                len => client.handle(&buffer[..len], clock::now()),
            },
            () = until(due) => {
                reel.send(next, &mut client)?;
                next += 1;
            }
            () = deadline(client.deadline()) => client.handle(&[], clock::now()),
        }
    }
}

impl Reel {
    /// The tag that is sent as number `n`, and its time since the start in milliseconds.
    fn tag(&self, n: u64) -> Option<(&Tag, u64)> {
        let count = self.tags.len() as u64;
        let tag = self.tags.get(usize::try_from(n % count).ok()?)?;
        let first = self.tags.iter().find(|tag| tag.kind != TagKind::Data).map_or(0, |tag| tag.timestamp_ms);
        Some((tag, n / count * self.round_ms + u64::from(tag.timestamp_ms.saturating_sub(first))))
    }

    fn due(&self, n: u64) -> Option<u64> {
        self.tag(n).map(|(_, ms)| ms)
    }

    fn send(&self, n: u64, client: &mut Client) -> anyhow::Result<()> {
        let (tag, ms) = self.tag(n).context("no such tag")?;
        // RTMP's timestamps wrap around at 32 bits.
        client.send(tag.kind, ms as u32, &tag.payload)?;
        Ok(())
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn deadline(at: Option<UtcMs>) {
    match at {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.ms_since(clock::now()).max(1))).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bundled_clip_goes_round_evenly() {
        let reel = Reel::load(Path::new(CLIP)).await.unwrap();
        assert_eq!(reel.round_ms, 8000);
        assert!(CLIP_BYTES.len() < 1_500_000);
        // Through three rounds: each track's steps stay what they are within a round.
        for (kind, step) in [(TagKind::Video, 33..=34), (TagKind::Audio, 21..=22)] {
            let times: Vec<u64> = (0..reel.tags.len() as u64 * 3)
                .filter_map(|n| reel.tag(n))
                .filter(|(tag, _)| tag.kind == kind && flv::part(kind, &tag.payload) == Part::Frames)
                .map(|(_, ms)| ms)
                .collect();
            for pair in times.windows(2) {
                assert!(step.contains(&(pair[1] - pair[0])), "{kind:?} {pair:?}");
            }
        }
    }
}
