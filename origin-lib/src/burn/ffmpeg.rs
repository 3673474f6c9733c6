//! How boards get into ffmpeg: media on one pipe, boards on a second one, what it makes of them on a third.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;

use super::board::Frame;
use super::{KEY_EVERY_S, matroska};
use crate::ffmpeg::{MediaReceiver, write_media};

/// The most boards that wait for ffmpeg. It looks at seconds of media before it looks at the first board, and would wait for
/// ever for media that waits for boards. Most of them share their pixels.
pub(super) const BOARDS_MAX: usize = 1024;

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

/// The filter that lays boards over pictures of that size, which comes before others.
pub(super) fn overlay(Frame { left, top, .. }: Frame, picture: (u32, u32)) -> String {
    format!("[0:v][1:v]overlay=x={left}:y={top}:eof_action=repeat:format=yuv420{}", even(picture))
}

/// The filter for pictures that x264 would refuse, as the colours of two by two pixels are one: a line is added.
pub(super) fn even((width, height): (u32, u32)) -> &'static str {
    if width % 2 == 0 && height % 2 == 0 { "" } else { ",pad=ceil(iw/2)*2:ceil(ih/2)*2" }
}

/// Writes both of ffmpeg's inputs until nothing more comes, or it takes no more: then its end says why. Each is written by itself:
/// it reads whichever it needs.
pub(super) async fn write(
    (media_pipe, boards_pipe): (ChildStdin, Option<pipe::Sender>),
    media: MediaReceiver,
    mut boards: mpsc::Receiver<Shown>,
    size: (u32, u32),
) {
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
    tokio::join!(write_media(media_pipe, media), write_boards);
}
