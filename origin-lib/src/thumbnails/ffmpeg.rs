//! ffmpeg as a child process: a picture of a segment, and a sheet of pictures.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::Layout;
use crate::export::Clear;

/// How long ffmpeg may take for a picture or a sheet.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest sheet, in bytes.
const SHEET_LEN_MAX: u64 = 64 << 20;

/// How much of what ffmpeg says is repeated, in bytes.
const SAID_MAX: u64 = 2000;

/// JPEG's quality as ffmpeg counts it, from 2 to 31; less is better.
const QUALITY: &str = "4";

/// ffmpeg does not do it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no ffmpeg.
    #[error("{0} can't be run: {1}. Install ffmpeg, or say where it is, as ffmpeg of [origin]")]
    Spawn(String, io::Error),
    /// It does not end.
    #[error("ffmpeg was not done with a picture within {} s", PATIENCE.as_secs())]
    Stuck,
    /// It makes no sheet.
    #[error("ffmpeg made no sheet: {0}")]
    Sheet(String),
}

/// A small picture: its size in pixels, three bytes each.
pub(super) struct Picture {
    pub(super) size: (u32, u32),
    pub(super) pixels: Vec<u8>,
}

/// The key frame of a segment, in this size. The inner error is a sentence.
pub(super) async fn decode(
    program: &Path,
    clear: &Clear,
    (width, height): (u32, u32),
) -> Result<Result<Vec<u8>, String>, Failure> {
    let mut command = Command::new(program);
    command.args(["-skip_frame", "nokey", "-fpsprobesize", "0", "-analyzeduration", "0"]);
    command.args(["-f", "mp4", "-i", "pipe:0", "-map", "0:v:0", "-frames:v", "1", "-vf"]);
    command.arg(format!(
        "scale=iw*sar:ih,setsar=1,scale={width}:{height}:force_original_aspect_ratio=decrease,\
         pad={width}:{height}:(ow-iw)/2:(oh-ih)/2"
    ));
    command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
    let len = u64::from(width) * u64::from(height) * 3;
    let (pixels, said) = run(command, &[&clear.init, &clear.segment], len).await?;
    Ok(if pixels.len() as u64 == len {
        Ok(pixels)
    } else {
        Err(format!("its picture does not decode{said}"))
    })
}

/// A sheet of these pictures, which have one size, as a JPEG. Where there are fewer than it has room for, the rest is black.
pub(super) async fn sheet(program: &Path, tiles: &[Picture], layout: Layout) -> Result<Vec<u8>, Failure> {
    let Some(Picture { size: (width, height), .. }) = tiles.first() else { return Ok(Vec::new()) };
    let mut command = Command::new(program);
    command.args(["-f", "rawvideo", "-pixel_format", "rgb24", "-framerate", "1", "-video_size"]);
    command.arg(format!("{width}x{height}")).args(["-i", "pipe:0", "-vf"]);
    command.arg(format!("tile={}x{}", layout.columns, layout.rows));
    command.args(["-frames:v", "1", "-pix_fmt", "yuvj420p", "-q:v", QUALITY, "-f", "mjpeg", "pipe:1"]);
    let pixels: Vec<&[u8]> = tiles.iter().map(|tile| &*tile.pixels).collect();
    let (bytes, said) = run(command, &pixels, SHEET_LEN_MAX).await?;
    let is_jpeg = bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]);
    if is_jpeg { Ok(bytes) } else { Err(Failure::Sheet(format!("{} bytes{said}", bytes.len()))) }
}

/// Gives it this and takes what comes, up to so many bytes and one; and what it says, behind a colon.
async fn run(mut command: Command, input: &[&[u8]], len_max: u64) -> Result<(Vec<u8>, String), Failure> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let mut front = Command::new(command.as_std().get_program());
    front.args(["-hide_banner", "-loglevel", "error", "-nostats", "-protocol_whitelist", "pipe"]);
    front.args(command.as_std().get_args());
    command = front;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let spawn = |error| Failure::Spawn(program.clone(), error);
    let mut child = command.spawn().map_err(spawn)?;
    let no_pipe = || spawn(io::Error::other("it has no pipe"));
    let mut to = child.stdin.take().ok_or_else(no_pipe)?;
    let from = child.stdout.take().ok_or_else(no_pipe)?;
    let said = child.stderr.take().ok_or_else(no_pipe)?;
    let work = async {
        let write = async {
            for bytes in input {
                // It has what it needs: its end says whether that was enough.
                if to.write_all(bytes).await.is_err() {
                    break;
                }
            }
            drop(to);
        };
        let read = async {
            let (mut bytes, mut words) = (Vec::new(), Vec::new());
            let (mut from, mut said) = (from.take(len_max + 1), said.take(SAID_MAX));
            // What breaks off is too short, which is told.
            let _ = tokio::join!(from.read_to_end(&mut bytes), said.read_to_end(&mut words));
            (bytes, words)
        };
        let ((), (bytes, words)) = tokio::join!(write, read);
        (bytes, String::from_utf8_lossy(&words).trim().to_string())
    };
    let (bytes, words) = timeout(PATIENCE, work).await.map_err(|_| Failure::Stuck)?;
    // It has closed its pipes, or says too much: nothing more is wanted of it.
    let _ = child.kill().await;
    Ok((bytes, if words.is_empty() { words } else { format!(": {words}") }))
}
