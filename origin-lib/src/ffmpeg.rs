//! ffmpeg as a supervised child process: fragmented MP4 into one pipe, what it makes of it out of others.
//!
//! It is never linked and never required, and nothing waits for it but its own task: what goes into it is bounded in bytes, and
//! whoever does not end by itself is made to.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use command_fds::{CommandFdExt, FdMapping, FdMappingCollision};
use railbird_core::flv::{self, Demux};
use railbird_core::fmp4;
use railbird_core::media::{Cut, FeedEvent, Kind, Sample, Tracks};
use railbird_core::time::{MediaSpan, MediaTime};
use rustix::process::{Pid, setpriority_process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::push::jittered;

/// How x264 trades time for quality; the quickest first.
pub(crate) const PRESETS: [&str; 9] =
    ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"];

/// The first pipe beside the standard ones.
pub(crate) const FURTHER_FD: i32 = 3;

/// The time of the first frame on ffmpeg's clock, in milliseconds: sound may begin before it, and B-frames are decoded before.
pub(crate) const BEGIN_MS: i64 = 10_000;

/// FLV's times have 32 bits of milliseconds: a stream is begun anew before they are used up.
pub(crate) const END_MS: u64 = 0xf000_0000;

/// While frames go in, some come out within this time.
pub(crate) const STUCK: Duration = Duration::from_secs(20);

/// Once nothing more goes in, all that there will be has come out within this time.
const FINISH: Duration = Duration::from_secs(60);

/// Once its outputs are at their ends, it ends within this time.
const END: Duration = Duration::from_secs(5);

/// How far it stands back where the processor is short: from 0, as the origin itself, to 19. What it makes is never worth a frame
/// of the source. What is started for it inherits it.
const NICE: i32 = 10;

/// The largest picture, in pixels: width and height.
pub(crate) const PICTURE_MAX: u16 = 8192;

/// Where the tracks change again within this time, there is a pause too.
const SHORT_MS: u64 = 2_000;

/// Waits between starts of an ffmpeg that fails: doubled each time.
const PAUSE_MS: (u64, u64) = (250, 10_000);

/// An ffmpeg that ran for so long makes the next pause the first one again.
const GOOD_MS: u64 = 30_000;

/// What a sample is said to last: where it lies is said of each by itself.
const NOMINAL: MediaSpan = MediaSpan::from_ms(20);

/// The most media that waits for ffmpeg, in KiB: while it looks at boards it takes none, and boards would wait for ever behind
/// media that it does not take.
const WAITING_KIB_MAX: u32 = 64 << 10;

/// The same in messages.
const WAITING_MAX: usize = 4096;

/// The most threads of one encoder.
const THREADS_MAX: usize = 4;

/// How much of what ffmpeg says is repeated, in bytes: its last words say why.
const SAID_MAX: usize = 2000;

/// Why it makes nothing, in a sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no ffmpeg.
    #[error("{0} can't be run: {1}. Install ffmpeg, or say where it is, as ffmpeg of [origin]")]
    Spawn(String, io::Error),
    /// No pipe.
    #[error("there is no pipe to ffmpeg: {0}")]
    Pipe(io::Error),
    /// It ended by itself.
    #[error("ffmpeg ended ({0}){1}")]
    Ended(ExitStatus, String),
    /// It gives nothing.
    #[error("ffmpeg gave nothing for {0} s: is this machine fast enough to encode? Try a quicker preset")]
    Stuck(u64),
    /// It is too far behind, or gives what is no use.
    #[error(
        "ffmpeg was left behind by the source, and is begun anew with what is newest: is this machine fast enough to encode? Try a quicker preset, or fewer renditions"
    )]
    Behind,
    /// What would be made is larger than what there is.
    #[error(
        "the feed's picture has {0} lines, and every rendition of the ladder more: none is made. Choose lower ones, or send a larger picture"
    )]
    Low(u16),
    /// The picture's colours would be wrong.
    #[error(
        "the feed is of a high dynamic range, and x264 would make pictures of wrong colours of it: send a standard range, or take the ladder out of the channel"
    )]
    Hdr,
    /// There is nothing to encode.
    #[error(
        "the channel has no picture: take burn_in out of [[push]] to push its sound, and the ladder out of a channel without"
    )]
    NoPicture,
    /// The picture is too large.
    #[error(
        "the picture has {width} by {height} pixels, and at most {most} a side are encoded: send a smaller one"
    )]
    Large {
        /// In pixels.
        width: u16,
        /// In pixels.
        height: u16,
        /// The most of each.
        most: u16,
    },
    /// What it gives can't be read.
    #[error("what ffmpeg gives can't be read: {0}")]
    Output(String),
}

/// Media for ffmpeg.
pub(crate) struct MediaSender {
    sender: mpsc::Sender<(Bytes, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// Where the writer takes it.
pub(crate) type MediaReceiver = mpsc::Receiver<(Bytes, OwnedSemaphorePermit)>;

/// A bounded way for media.
pub(crate) fn media() -> (MediaSender, MediaReceiver) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (MediaSender { sender, room: Arc::new(Semaphore::new(WAITING_KIB_MAX as usize)) }, receiver)
}

impl MediaSender {
    /// Waits until there is room. `None`: no more is taken.
    pub(crate) async fn send(&self, bytes: Bytes) -> Option<()> {
        let kib = u32::try_from(bytes.len().div_ceil(1024)).unwrap_or(u32::MAX).min(WAITING_KIB_MAX);
        let permit = Arc::clone(&self.room).acquire_many_owned(kib).await.ok()?;
        self.sender.send((bytes, permit)).await.ok()
    }
}

/// A running ffmpeg. Dropped, it is killed.
pub(crate) struct Running {
    /// The process.
    pub(crate) child: Child,
    /// What it writes to `pipe:1`.
    pub(crate) output: ChildStdout,
    /// Where media goes in.
    pub(crate) media: ChildStdin,
    /// The further input, where there is one.
    pub(crate) input: Option<pipe::Sender>,
    /// The further outputs.
    pub(crate) outputs: Vec<pipe::Receiver>,
    /// Its last words, once it has ended.
    pub(crate) said: JoinHandle<String>,
}

/// Which pipes there are beside the standard ones, from [`FURTHER_FD`] on: an input, or outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Further {
    /// An input of Matroska.
    Input,
    /// So many outputs.
    Outputs(usize),
}

/// What ffmpeg is told before it is told what to make.
fn inputs(command: &mut Command, further: Further) {
    command.args([
        "-hide_banner",
        "-loglevel",
        "error",
        "-nostats",
        "-copyts",
        "-protocol_whitelist",
        "pipe",
    ]);
    if let Further::Outputs(_) = further {
        command.args(["-filter_complex_threads", "1", "-threads", &threads().to_string()]);
    }
    // Nothing is looked at before the first frame comes out: parameters stand at the beginning.
    command.args(["-fpsprobesize", "0", "-analyzeduration", "0", "-f", "mp4", "-i", "pipe:0"]);
    if further == Further::Input {
        command.args(["-protocol_whitelist", "pipe", "-fpsprobesize", "0", "-analyzeduration", "0"]);
        command.args(["-f", "matroska", "-i", &format!("pipe:{FURTHER_FD}")]);
    }
}

/// How many threads each encoder and the decoder has: one processor is left to the source.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |all| (all.get() - 1).clamp(1, THREADS_MAX))
}

impl Running {
    /// Starts it: fragmented MP4, pictures where there is a further input, and the arguments that say what to make of them.
    pub(crate) fn start(
        program: &Path,
        further: Further,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Running, Failure> {
        let mut command = Command::new(program);
        inputs(&mut command, further);
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let (mut input, mut outputs, mut mappings) = (None, Vec::new(), Vec::new());
        match further {
            Further::Input => {
                let (ours, theirs) = pipe::pipe().map_err(Failure::Pipe)?;
                mappings.push(theirs.into_blocking_fd().map_err(Failure::Pipe)?);
                input = Some(ours);
            }
            Further::Outputs(count) => {
                for _ in 0..count {
                    let (theirs, ours) = pipe::pipe().map_err(Failure::Pipe)?;
                    mappings.push(theirs.into_blocking_fd().map_err(Failure::Pipe)?);
                    outputs.push(ours);
                }
            }
        }
        let collides = |error: FdMappingCollision| Failure::Pipe(io::Error::other(error));
        let mappings =
            (FURTHER_FD..).zip(mappings).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(collides)?;
        let shown = || program.display().to_string();
        let mut child = command.spawn().map_err(|error| Failure::Spawn(shown(), error))?;
        // It has nothing to do yet, and so no other threads.
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(Err(error)) = pid.map(|pid| setpriority_process(Some(pid), NICE)) {
            tracing::warn!(%error, "ffmpeg can't be made to stand back: where the processor is short, the source may suffer");
        }
        // The child has its ends of the pipes: ours must go, or they would never be seen closed.
        drop(command);
        let no_pipe = || Failure::Pipe(io::Error::other("ffmpeg was started without"));
        let media = child.stdin.take().ok_or_else(no_pipe)?;
        let output = child.stdout.take().ok_or_else(no_pipe)?;
        let mut errors = child.stderr.take().ok_or_else(no_pipe)?;
        let said = tokio::spawn(async move {
            let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
            while let Ok(len @ 1..) = errors.read(&mut buffer).await {
                said.extend_from_slice(buffer.get(..len).unwrap_or_default());
                said.drain(..said.len().saturating_sub(SAID_MAX));
            }
            String::from_utf8_lossy(&said).trim().to_string()
        });
        Ok(Running { child, output, media, input, outputs, said })
    }
}

/// Writes what comes until nothing more does, or ffmpeg takes no more: then its end says why. Whoever still sends to one that has
/// ended is told, and what waits in it is no longer in the way.
pub(crate) async fn write_media(mut pipe: ChildStdin, mut media: MediaReceiver) {
    while let Some((bytes, _room)) = media.recv().await {
        if pipe.write_all(&bytes).await.is_err() {
            break;
        }
    }
}

/// Reads FLV to its end: each event on the stream's own clock. An ffmpeg that gives nothing for [`STUCK`] has failed.
pub(crate) async fn read_flv(
    mut output: impl AsyncRead + Unpin,
    mut take: impl FnMut(FeedEvent),
) -> Result<(), Failure> {
    let wrong = |error: &dyn ToString| Failure::Output(error.to_string());
    let (mut stream, mut demux) = (flv::Stream::default(), Demux::new());
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = timeout(STUCK, output.read(&mut buffer)).await;
        let len = match read.map_err(|_| Failure::Stuck(STUCK.as_secs()))? {
            Ok(0) => return Ok(()),
            Ok(len) => len,
            Err(error) => return Err(Failure::Pipe(error)),
        };
        stream.handle(buffer.get(..len).unwrap_or_default());
        while let Some(tag) = stream.poll().map_err(|error| wrong(&error))? {
            // A message that is no use is left out, as it would be of an encoder.
            let _ = demux.handle(tag.kind, tag.timestamp_ms, tag.payload);
            while let Some(event) = demux.poll() {
                take(event);
            }
        }
    }
}

/// A sample as a fragment on ffmpeg's clock; `None` for one from before its beginning.
pub(crate) fn fragment(sample: &Sample, tracks: &Tracks, began: MediaTime) -> Option<Bytes> {
    let sample = Sample { dts: MediaTime(sample.dts.0.checked_sub(began.0)?), ..sample.clone() };
    // On the line of decoding: where it is shown, its offset says.
    let (start, end, tracks) = (sample.dts, sample.dts + NOMINAL, tracks.clone());
    let duration = u32::try_from(NOMINAL.0).unwrap_or(u32::MAX);
    let mut cut = Cut { start, duration, tracks, video_end: end, audio_end: end, ..Cut::default() };
    match sample.kind {
        Kind::Video => cut.video.push(sample),
        Kind::Audio => cut.audio.push(sample),
    }
    let mut fragment = Vec::new();
    fmp4::segment(&cut, 0, &mut fragment);
    Some(fragment.into())
}

/// Why nothing more goes into one that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The channel brings nothing.
    Idle,
    /// Other tracks follow, or another stretch of time.
    Changed,
    /// The origin ends.
    Closed,
}

/// One run, to its end. `feed` gives media until there is no more, or none is taken (`None`); `take` reads all outputs to their
/// ends; `useless` says, as long as it runs, that it is no use. Whoever does not end by itself is made to: one that is
/// stopped, too, and one that lives on without its outputs.
pub(crate) async fn supervise(
    (mut child, said): (Child, JoinHandle<String>),
    feed: impl Future<Output = Option<Over>>,
    take: impl Future<Output = Result<(), Failure>>,
    useless: impl Future<Output = Failure>,
) -> Result<Over, Failure> {
    let run = async {
        tokio::pin!(take);
        tokio::select! {
            // What is on its way comes out.
            over = feed => {
                let taken = timeout(FINISH, take).await;
                (over, taken.unwrap_or(Err(Failure::Stuck(FINISH.as_secs()))))
            }
            taken = &mut take => (None, taken),
        }
    };
    let (over, taken) = tokio::select! {
        over = run => over,
        failure = useless => (None, Err(failure)),
    };
    if taken.is_err() || timeout(END, child.wait()).await.is_err() {
        let _ = child.start_kill();
    }
    let ended = ended(&mut child, said).await;
    match (over, taken, ended) {
        (_, Err(failure), _) | (_, Ok(()), Err(failure)) => Err(failure),
        (None, Ok(()), Ok(())) => Err(Failure::Output("it ended before its input did".into())),
        (Some(over), Ok(()), Ok(())) => Ok(over),
    }
}

/// How long to wait before the next start.
pub(crate) struct Pause(u64);

impl Default for Pause {
    fn default() -> Pause {
        Pause(PAUSE_MS.0)
    }
}

impl Pause {
    /// It ended so, after so long. `None`: there is nothing to wait for.
    pub(crate) fn after(&mut self, ended: &Result<Over, Failure>, ran_ms: u64) -> Option<Duration> {
        match ended {
            Ok(Over::Changed) => self.after_change(ran_ms),
            Ok(Over::Idle | Over::Closed) => {
                *self = Pause::default();
                None
            }
            Err(_) => Some(self.after_failure(ran_ms)),
        }
    }

    /// It ran for so long, and its end was none of its own, as other tracks follow: an encoder that changes its mind all the time
    /// is not followed each time.
    fn after_change(&mut self, ran_ms: u64) -> Option<Duration> {
        if ran_ms < SHORT_MS {
            return Some(self.after_failure(ran_ms));
        }
        *self = Pause::default();
        None
    }

    /// It failed after so long.
    fn after_failure(&mut self, ran_ms: u64) -> Duration {
        if ran_ms >= GOOD_MS {
            *self = Pause::default();
        }
        let pause = jittered(self.0);
        self.0 = (self.0 * 2).min(PAUSE_MS.1);
        pause
    }
}

/// What ffmpeg's end says.
pub(crate) async fn ended(child: &mut Child, said: JoinHandle<String>) -> Result<(), Failure> {
    let status = child.wait().await.map_err(Failure::Pipe)?;
    if status.success() {
        return Ok(());
    }
    let said = said.await.unwrap_or_default();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    Err(Failure::Ended(status, said))
}

#[cfg(test)]
mod tests;
