//! ffmpeg as a child process: a segment in, its pictures in grey out.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::export::Clear;

/// How long ffmpeg may take for a segment.
const DEADLINE: Duration = Duration::from_secs(60);

/// How much of what ffmpeg says is repeated, in bytes.
const SAID_MAX: u64 = 2000;

/// Gives each picture of a segment to `each`, in the order in which they are shown and of this size, a byte a pixel. The
/// error is a sentence.
pub(super) async fn pictures(
    ffmpeg: &Path,
    clear: &Clear,
    (width, height): (u32, u32),
    mut each: impl FnMut(&[u8]),
) -> Result<(), String> {
    let mut command = Command::new(ffmpeg);
    command.args([
        "-hide_banner",
        "-loglevel",
        "error",
        "-protocol_whitelist",
        "pipe",
        "-f",
        "mp4",
        "-i",
        "pipe:0",
    ]);
    command.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", &format!("scale={width}:{height}")]);
    command.args(["-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let shown = ffmpeg.display();
    let mut child = command.spawn().map_err(|error| {
        format!("{shown} can't be run: {error}. Install ffmpeg, or say where it is with --ffmpeg")
    })?;
    let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
    let ((mut input, mut output), errors) = pipes.ok_or("ffmpeg has no pipes")?;
    let write = async {
        // Whoever does not read on says why.
        let _ = input.write_all(&clear.init).await;
        let _ = input.write_all(&clear.segment).await;
        drop(input);
    };
    let read = async {
        let mut picture = vec![0; width as usize * height as usize];
        while output.read_exact(&mut picture).await.is_ok() {
            each(&picture);
        }
    };
    let listen = async {
        let mut said = Vec::new();
        // What can't be read is not said.
        let _ = errors.take(SAID_MAX).read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).trim().to_string()
    };
    let work = async {
        let ((), (), said) = tokio::join!(write, read, listen);
        (child.wait().await, said)
    };
    match timeout(DEADLINE, work).await {
        Ok((Ok(status), _)) if status.success() => Ok(()),
        Ok((Ok(status), said)) => Err(format!("ffmpeg ended with {status}: {said}")),
        Ok((Err(error), _)) => Err(format!("ffmpeg's end is unknown: {error}")),
        Err(_) => Err(format!("ffmpeg took longer than {} s for a segment", DEADLINE.as_secs())),
    }
}
