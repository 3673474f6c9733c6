//! One connection to a destination, from the RTMP handshake to its end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use railbird_core::flv::{self, TagKind};
use railbird_core::media::{Sample, Tracks};
use railbird_core::programme::Passed;
use railbird_core::rtmp::{Client, ClientOutput, SendError, Url};
use railbird_core::time::MediaTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::link::Stream;
use super::queue::Queue;
use crate::clock;

/// How long a write may make no progress.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);

/// A channel that brings nothing for this long has nothing to push.
const IDLE: Duration = Duration::from_secs(10);

/// Why a push failed, in a sentence that holds no stream key.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The name does not resolve.
    #[error("the destination's name does not resolve ({0}): check url of the push")]
    Name(io::Error),
    /// Nobody listens.
    #[error("the destination can't be reached: {0}")]
    Connect(io::Error),
    /// No TLS.
    #[error("TLS with the destination fails: {0}")]
    Tls(io::Error),
    /// The connection broke.
    #[error("the connection to the destination broke: {0}")]
    Broken(io::Error),
    /// A deadline passed.
    #[error("the destination is too slow: {0}")]
    Late(&'static str),
    /// The destination closed the connection.
    #[error("the destination closed the connection")]
    Closed,
    /// The destination says no.
    #[error("the destination refuses the stream: {0}: check stream_key of the push")]
    Refused(String),
    /// RTMP went wrong.
    #[error("the destination can't be pushed to: {0}")]
    Rtmp(#[from] railbird_core::rtmp::Error),
    /// A message can't be sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Timestamps of a push, continuous over its connections: media time since the first sample that was ever pushed.
#[derive(Debug, Default)]
pub(super) struct Timestamps {
    first: Option<MediaTime>,
}

impl Timestamps {
    /// The timestamp of a sample; `None` for one from before the first. RTMP's timestamps wrap around at 32 bits.
    pub(super) fn of(&mut self, sample: &Sample) -> Option<u32> {
        let first = *self.first.get_or_insert(sample.dts);
        let ticks = sample.dts.0.checked_sub(first.0)?;
        Some((ticks / 90) as u32)
    }
}

pub(super) struct Session<'a> {
    stream: Box<dyn Stream>,
    client: Client,
    bytes: &'a Counter,
    /// The parameters that the destination was told.
    told: Option<Arc<Tracks>>,
    ready: bool,
}

impl Session<'_> {
    pub(super) fn new<'a>(stream: Box<dyn Stream>, url: &Url, bytes: &'a Counter) -> Session<'a> {
        let mut entropy = [0; 32];
        // The handshake's random bytes are only echoed.
        let _ = getrandom::fill(&mut entropy);
        Session { stream, client: Client::new(url.clone(), entropy), bytes, told: None, ready: false }
    }

    /// Up to where the destination has taken the stream. The client's own deadlines bound it.
    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        self.client.handle(&[], clock::now());
        let mut buffer = [0; 4096];
        loop {
            self.flush().await?;
            if self.ready {
                return Ok(());
            }
            let left = self.client.deadline().map_or(1, |at| at.ms_since(clock::now()).max(1));
            match timeout(Duration::from_millis(left), self.stream.read(&mut buffer)).await {
                Ok(read) => self.take(&buffer, read)?,
                Err(_) => self.client.handle(&[], clock::now()),
            }
        }
    }

    /// Sends what waits, from a key frame on, until the channel has nothing more (`Ok`) or the destination fails.
    pub(super) async fn send_all(
        &mut self,
        queue: &Queue,
        timestamps: &mut Timestamps,
    ) -> Result<(), Failure> {
        let mut buffer = [0; 4096];
        queue.open();
        loop {
            tokio::select! {
                biased;
                read = self.stream.read(&mut buffer) => {
                    self.take(&buffer, read)?;
                    self.flush().await?;
                }
                next = queue.next() => match next {
                    Some(passed) => self.send(&passed, timestamps).await?,
                    None => return self.close().await,
                },
                () = sleep(IDLE) => return self.close().await,
            }
        }
    }

    fn take(&mut self, buffer: &[u8], read: io::Result<usize>) -> Result<(), Failure> {
        match read.map_err(Failure::Broken)? {
            0 => Err(Failure::Closed),
            len => {
                self.client.handle(buffer.get(..len).unwrap_or_default(), clock::now());
                Ok(())
            }
        }
    }

    async fn send(&mut self, passed: &Passed, timestamps: &mut Timestamps) -> Result<(), Failure> {
        let Some(timestamp_ms) = timestamps.of(&passed.sample) else { return Ok(()) };
        if self.told.as_ref().is_none_or(|told| **told != *passed.tracks) {
            let Tracks { video, audio } = &*passed.tracks;
            if let Some(video) = video {
                self.client.send(TagKind::Video, timestamp_ms, &flv::video_header(video))?;
            }
            if let Some(audio) = audio {
                self.client.send(TagKind::Audio, timestamp_ms, &flv::audio_header(audio))?;
            }
            self.told = Some(passed.tracks.clone());
        }
        let (kind, body) = flv::body(&passed.sample, &passed.tracks);
        self.client.send(kind, timestamp_ms, &body)?;
        self.bytes.inc_by(body.len() as u64);
        self.flush().await
    }

    /// Writes what the client has to say.
    async fn flush(&mut self) -> Result<(), Failure> {
        while let Some(output) = self.client.poll() {
            match output {
                ClientOutput::Send(bytes) => self.write(&bytes).await?,
                ClientOutput::Ready => self.ready = true,
                ClientOutput::Refused { reason } => return Err(Failure::Refused(reason)),
                ClientOutput::Closed { reason } => return Err(reason.into()),
            }
        }
        match timeout(WRITE_DEADLINE, self.stream.flush()).await {
            Ok(flushed) => flushed.map_err(Failure::Broken),
            Err(_) => Err(Failure::Late("it read nothing for 5 s")),
        }
    }

    /// A slow destination is one thing, a dead one another: each piece has the deadline, not the whole.
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            match timeout(WRITE_DEADLINE, self.stream.write(bytes)).await {
                Ok(Ok(0)) => return Err(Failure::Closed),
                Ok(Ok(written)) => bytes = bytes.get(written..).unwrap_or_default(),
                Ok(Err(error)) => return Err(Failure::Broken(error)),
                Err(_) => return Err(Failure::Late("it read nothing for 5 s")),
            }
        }
        Ok(())
    }

    /// Says to the destination that the stream has ended.
    async fn close(&mut self) -> Result<(), Failure> {
        self.client.close();
        // The last output says that we closed.
        let _ = self.flush().await;
        let _ = timeout(WRITE_DEADLINE, self.stream.shutdown()).await;
        Ok(())
    }
}
