//! ffmpeg as a child process that lays one stream of pictures over another: media on one pipe, boards on a second one, what
//! it makes of them on a third.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use command_fds::{CommandFdExt, FdMapping, FdMappingCollision};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::board::Frame;
use super::{KEY_EVERY_S, matroska};

/// The pipe by which ffmpeg gets boards.
const BOARDS_FD: i32 = 3;

/// The most boards that wait for ffmpeg. It looks at seconds of media before it looks at the first board, and would wait for
/// ever for media that waits for boards. Most of them share their pixels.
pub(super) const BOARDS_MAX: usize = 1024;

/// The most media that waits for ffmpeg, in KiB: while it looks at boards it takes none, and boards would wait for ever behind
/// media that it does not take.
const WAITING_KIB_MAX: u32 = 64 << 10;

/// The same in messages.
const WAITING_MAX: usize = 4096;

/// How much of what ffmpeg says is repeated, in bytes: its last words say why.
const SAID_MAX: usize = 2000;

/// Why nothing is drawn, in a sentence.
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
    /// There is nothing to burn it into.
    #[error(
        "the channel has no picture, and nothing is pushed: take burn_in out of [[push]] to push its sound"
    )]
    NoPicture,
    /// The picture is too large.
    #[error(
        "the picture has {width} by {height} pixels, and a board is for up to {most} a side: send a smaller one"
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

/// Says to ffmpeg how often there is a key frame.
pub(super) fn keys() -> [String; 2] {
    let keys = format!("expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+{KEY_EVERY_S}))");
    ["-force_key_frames".into(), keys]
}

/// A board from a moment on.
pub(super) struct Shown {
    /// When, in milliseconds of the media's own time.
    pub(super) at_ms: u64,
    pub(super) pixels: Arc<Vec<u8>>,
}

/// Media for ffmpeg.
pub(super) struct MediaSender {
    sender: mpsc::Sender<(Bytes, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// Where the writer takes it.
pub(super) type MediaReceiver = mpsc::Receiver<(Bytes, OwnedSemaphorePermit)>;

/// A bounded way for media.
pub(super) fn media() -> (MediaSender, MediaReceiver) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    (MediaSender { sender, room: Arc::new(Semaphore::new(WAITING_KIB_MAX as usize)) }, receiver)
}

impl MediaSender {
    /// Waits until there is room. `None`: no more is taken.
    pub(super) async fn send(&self, bytes: Bytes) -> Option<()> {
        let kib = u32::try_from(bytes.len().div_ceil(1024)).unwrap_or(u32::MAX).min(WAITING_KIB_MAX);
        let permit = Arc::clone(&self.room).acquire_many_owned(kib).await.ok()?;
        self.sender.send((bytes, permit)).await.ok()
    }
}

/// A running ffmpeg. Dropped, it is killed.
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) output: ChildStdout,
    media: ChildStdin,
    boards: Option<pipe::Sender>,
    said: JoinHandle<String>,
}

/// What ffmpeg is told before it is told what to make.
fn inputs(command: &mut Command, with_boards: bool) {
    command.args([
        "-hide_banner",
        "-loglevel",
        "error",
        "-nostats",
        "-copyts",
        "-protocol_whitelist",
        "pipe",
    ]);
    // Nothing is looked at before the first frame comes out: parameters stand at the beginning.
    command.args(["-fpsprobesize", "0", "-analyzeduration", "0", "-f", "mp4", "-i", "pipe:0"]);
    if with_boards {
        command.args(["-protocol_whitelist", "pipe", "-fpsprobesize", "0", "-analyzeduration", "0"]);
        command.args(["-f", "matroska", "-i", &format!("pipe:{BOARDS_FD}")]);
    }
}

/// The filter that lays boards over pictures of that size, which comes before others.
pub(super) fn overlay(Frame { left, top, .. }: Frame, picture: (u32, u32)) -> String {
    format!("[0:v][1:v]overlay=x={left}:y={top}:eof_action=repeat:format=yuv420{}", even(picture))
}

/// The filter for pictures that x264 would refuse, as the colours of two by two pixels are one: a line is added.
pub(super) fn even((width, height): (u32, u32)) -> &'static str {
    if width % 2 == 0 && height % 2 == 0 { "" } else { ",pad=ceil(iw/2)*2:ceil(ih/2)*2" }
}

impl Running {
    /// Starts it: fragmented MP4, boards where there are any, and the arguments that say what to make of them.
    pub(super) fn start(
        program: &Path,
        with_boards: bool,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Running, Failure> {
        let mut command = Command::new(program);
        inputs(&mut command, with_boards);
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut boards = None;
        if with_boards {
            let (ours, theirs) = pipe::pipe().map_err(Failure::Pipe)?;
            let parent_fd = theirs.into_blocking_fd().map_err(Failure::Pipe)?;
            let collides = |error: FdMappingCollision| Failure::Pipe(io::Error::other(error));
            command.fd_mappings(vec![FdMapping { parent_fd, child_fd: BOARDS_FD }]).map_err(collides)?;
            boards = Some(ours);
        }
        let shown = || program.display().to_string();
        let mut child = command.spawn().map_err(|error| Failure::Spawn(shown(), error))?;
        // The child has its end of the pipe: ours must go, or it would never see it closed.
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
        Ok(Running { child, output, media, boards, said })
    }

    /// Takes it apart into what is written to it and what is read.
    pub(super) fn split(self) -> (Child, ChildStdout, Writers, JoinHandle<String>) {
        let writers = Writers { media: self.media, boards: self.boards };
        (self.child, self.output, writers, self.said)
    }
}

/// Both of ffmpeg's inputs. Each is written by itself: it reads whichever it needs.
pub(super) struct Writers {
    media: ChildStdin,
    boards: Option<pipe::Sender>,
}

impl Writers {
    /// Writes what comes until nothing more does, or ffmpeg takes no more: then its end says why.
    pub(super) async fn write(
        self,
        mut media: MediaReceiver,
        mut boards: mpsc::Receiver<Shown>,
        size: (u32, u32),
    ) {
        let Writers { media: mut media_pipe, boards: boards_pipe } = self;
        // Whoever still sends to one that has ended is told, and what waits in it is no longer in the way.
        let write_media = async move {
            while let Some((bytes, _room)) = media.recv().await {
                if media_pipe.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        };
        let write_boards = async move {
            let Some(mut boards_pipe) = boards_pipe else { return };
            let mut good = boards_pipe.write_all(&matroska::head(size)).await.is_ok();
            while let Some(Shown { at_ms, pixels }) = boards.recv().await {
                let before = matroska::before_picture(at_ms, pixels.len());
                good = good
                    && boards_pipe.write_all(&before).await.is_ok()
                    && boards_pipe.write_all(&pixels).await.is_ok();
                if !good {
                    break;
                }
            }
        };
        tokio::join!(write_media, write_boards);
    }
}

/// What ffmpeg's end says.
pub(super) async fn ended(child: &mut Child, said: JoinHandle<String>) -> Result<(), Failure> {
    let status = child.wait().await.map_err(Failure::Pipe)?;
    if status.success() {
        return Ok(());
    }
    let said = said.await.unwrap_or_default();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    Err(Failure::Ended(status, said))
}
