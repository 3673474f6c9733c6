//! A cut of a recording that is encoded anew: exact to the frame, and with the score in the picture where that is wanted.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use railbird_core::score::Document;
use railbird_core::time::{MEDIA_HZ, MediaSpan, MediaTime};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::board::View;
use super::ffmpeg::{self, Shown};
use super::{Painter, Theme};
use crate::export::Clear;
use crate::ffmpeg::{Failure, Further, Running, ended, media as media_way};

/// x264's constant rate factor: platforms encode once more, so that there must be something left.
const QUALITY: &str = "18";

/// Where sound is missing there is silence, at the beginning too: not every player waits by the times that samples have.
const SILENCE: &str = "aresample=async=1:first_pts=0";

/// Once everything is written, ffmpeg ends within this time.
const END: Duration = Duration::from_secs(600);

/// What is to be made.
pub(crate) struct Cut<'a> {
    /// The program.
    pub(crate) ffmpeg: &'a Path,
    /// Up to the first frame that is not before it.
    pub(crate) from: MediaTime,
    /// Up to the first frame that is not before this, which is no part of it.
    pub(crate) to: MediaTime,
    /// What boards look like, and the matches, the newest first; without, the picture stays as it was.
    pub(crate) score: Option<(&'a Theme, &'a [Document])>,
    /// The MP4 to write.
    pub(crate) out: &'a Path,
}

/// There is no cut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutError {
    /// ffmpeg does not do it.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// One file can't have both.
    #[error("the encoder's parameters change at {0}: cut before it and after it")]
    Changed(MediaTime),
    /// There is no picture.
    #[error("there is no picture in it: cut it without --exact and --burn-in")]
    NoPicture,
}

/// Makes it of these segments, which follow one another; each that can't be used is left out. Gives how many were used.
pub(crate) async fn cut(
    order: Cut<'_>,
    mut segments: impl Iterator<Item = (MediaTime, Clear)>,
) -> Result<usize, CutError> {
    let (first_at, first) = segments.next().ok_or(CutError::NoPicture)?;
    let picture = first.size.ok_or(CutError::NoPicture)?;
    let painter = order.score.map(|(theme, _)| Painter::new(theme, picture));
    let frame = painter.as_ref().map(|painter| painter.board.frame());
    let further = if painter.is_some() { Further::Input } else { Further::Outputs(0) };
    let running = Running::start(order.ffmpeg, further, arguments(&order, &first, frame))?;
    let Running { mut child, mut output, media: media_pipe, input, said, .. } = running;
    let (media, media_of) = media_way();
    let (boards, boards_of) = mpsc::channel(ffmpeg::BOARDS_MAX);
    let size = frame.map_or((0, 0), |frame| (frame.width, frame.height));
    let write = ffmpeg::write((media_pipe, input), media_of, boards_of, size);
    let init = first.init.clone();
    let feed = async {
        let mut feeder = Feeder { painter, boards, matches: order.score.map_or(&[], |(_, matches)| matches) };
        if media.send(init.clone().into()).await.is_none() {
            return Ok(0);
        }
        let mut used = 0;
        for (at, clear) in std::iter::once((first_at, first)).chain(segments) {
            if clear.init != init {
                return Err(CutError::Changed(at));
            }
            // Each is read when it is needed; whichever is not read on has ended, and its end says why.
            let sent = tokio::join!(media.send(clear.segment.into()), feeder.boards(&clear.pictures));
            if sent.0.is_none() || sent.1.is_none() {
                break;
            }
            used += 1;
        }
        drop((media, feeder));
        Ok(used)
    };
    let mut nothing = Vec::new();
    let (used, (), _) = tokio::join!(feed, write, output.read_to_end(&mut nothing));
    let used = used?;
    match timeout(END, ended(&mut child, said)).await {
        Ok(ended) => ended?,
        Err(_) => return Err(Failure::Stuck(END.as_secs()).into()),
    }
    Ok(used)
}

/// Gives each picture its board.
struct Feeder<'a> {
    painter: Option<Painter>,
    boards: mpsc::Sender<Shown>,
    matches: &'a [Document],
}

impl Feeder<'_> {
    /// `None`: no more are taken.
    async fn boards(&mut self, pictures: &[MediaTime]) -> Option<()> {
        let Some(mut painter) = self.painter.take() else { return Some(()) };
        let words = painter.words.clone();
        for at in pictures {
            let view = self.matches.iter().find_map(|document| View::of(document, *at, &words));
            painter = painter.shows(view.map(Arc::new));
            self.boards.send(Shown { at_ms: at.0 / 90, pixels: painter.pixels() }).await.ok()?;
        }
        self.painter = Some(painter);
        Some(())
    }
}

/// What ffmpeg is to make of it.
fn arguments(order: &Cut<'_>, first: &Clear, frame: Option<super::board::Frame>) -> Vec<OsString> {
    let seconds = |at: MediaTime| MediaSpan(i64::try_from(at.0).unwrap_or(i64::MAX)).decimal_seconds(6);
    let (from, to) = (seconds(order.from), seconds(order.to));
    let picture = first.size.unwrap_or((2, 2));
    let laid = match frame {
        Some(frame) => ffmpeg::overlay(frame, picture),
        None => format!("[0:v]format=yuv420p{}", ffmpeg::even(picture)),
    };
    let mut filter = format!("{laid},trim=start={from}:end={to},setpts=PTS-{from}/TB[v]");
    let mut maps = vec!["-map", "[v]"];
    if first.has_audio {
        filter += &format!(";[0:a]atrim=start={from}:end={to},asetpts=PTS-{from}/TB,{SILENCE}[a]");
        maps.extend(["-map", "[a]", "-c:a", "aac", "-b:a", "160k"]);
    }
    let mut arguments: Vec<OsString> = vec!["-filter_complex".into(), filter.into()];
    arguments.extend(maps.into_iter().map(OsString::from));
    let video = ["-c:v", "libx264", "-preset", "medium", "-crf", QUALITY, "-fps_mode", "passthrough"];
    arguments.extend(video.map(OsString::from));
    arguments.extend(ffmpeg::keys().map(OsString::from));
    let hz = MEDIA_HZ.to_string();
    arguments.extend(
        ["-video_track_timescale", &hz, "-movflags", "+faststart", "-y", "-f", "mp4"].map(OsString::from),
    );
    let mut out = OsString::from("file:");
    out.push(order.out);
    arguments.push(out);
    arguments
}
