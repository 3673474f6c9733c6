//! The media that everything is measured with: made once by ffmpeg, and kept.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// How often the short file is in the long one.
const ROUNDS: u32 = 25;

/// 20 s of 1080p30 H.264 at 8 Mb/s, key frames every 2 s, and AAC at 128 kb/s.
pub(crate) fn short(work: &Path) -> Result<PathBuf> {
    make(work, "short.flv", |file| {
        let mut command = ffmpeg();
        command.args(["-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30,noise=alls=20:allf=t"]);
        command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "20"]);
        command.args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
        command.args(["-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "8M"]);
        command.args(["-x264-params", "nal-hrd=cbr", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0"]);
        command.args(["-c:a", "aac", "-b:a", "128k", "-f", "flv"]).arg(file);
        Ok(command)
    })
}

/// 20 s of 360p30 at 2 Mb/s, key frames every second, and AAC at 64 kb/s: what many channels at once are fed with.
pub(crate) fn small(work: &Path) -> Result<PathBuf> {
    make(work, "small.flv", |file| {
        let mut command = ffmpeg();
        command.args(["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30,noise=alls=20:allf=t"]);
        command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "20"]);
        command.args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0"]);
        command.args(["-b:v", "2M", "-minrate", "2M", "-maxrate", "2M", "-bufsize", "2M"]);
        command.args(["-x264-params", "nal-hrd=cbr", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0"]);
        command.args(["-c:a", "aac", "-b:a", "64k", "-f", "flv"]).arg(file);
        Ok(command)
    })
}

/// The short file over and over: half a gigabyte.
pub(crate) fn long(work: &Path) -> Result<PathBuf> {
    let short = short(work)?;
    make(work, "long.flv", |file| {
        let mut command = ffmpeg();
        command.args(["-stream_loop", &(ROUNDS - 1).to_string(), "-i"]).arg(short);
        command.args(["-c", "copy", "-f", "flv"]).arg(file);
        Ok(command)
    })
}

/// ffmpeg, saying nothing but what went wrong.
pub(crate) fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]).stdin(Stdio::null());
    command
}

/// What ffmpeg wants to know of a key: its address, its file, and an initialization vector.
pub(crate) fn key_info(work: &Path) -> Result<PathBuf> {
    let (key, info) = (work.join("bench.key"), work.join("bench.keyinfo"));
    std::fs::write(&key, [7; 16])?;
    std::fs::write(&info, format!("key\n{}\n{}\n", key.display(), "09".repeat(16)))?;
    Ok(info)
}

fn make(work: &Path, name: &str, command: impl FnOnce(&Path) -> Result<Command>) -> Result<PathBuf> {
    let file = work.join(name);
    if !file.exists() {
        let partial = work.join(format!("part-{name}"));
        eprintln!("making {}", file.display());
        let status = command(&partial)?.status().context("ffmpeg can't be started: is it installed?")?;
        ensure!(status.success(), "ffmpeg failed: {status}");
        std::fs::rename(partial, &file)?;
    }
    Ok(file)
}
