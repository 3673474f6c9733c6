//! The names of objects on a target: made here and nowhere else.
//!
//! A name follows from the media timeline alone (DESIGN.md, invariant 3), is valid as an S3 key, a URL path and a
//! relative file path, and never needs escaping:
//!
//! - `{channel}/{rendition}/{number}-{offset}.m4s`: a segment. `number` is the epoch-aligned index of its first
//!   frame's presentation time (time divided by the channel's segment duration), `offset` how many milliseconds after
//!   that index began the segment starts. The offset tells two segments of one index apart, which happen where an
//!   encoder reconnects, or where its key frames are uneven.
//! - `_parts/{channel}/{rendition}/{number}-{offset}-{part}.m4s`: a part of that segment, `part` milliseconds behind the
//!   segment's start. Parts are short-lived: their prefix, which no channel can have, is for a bucket's own rule that
//!   deletes what an origin left behind.
//! - `{channel}/{rendition}/{number}-{offset}-frame.m4s`: that segment's key frame, alone, for a playlist of I-frames.
//! - `{channel}/{rendition}/init-{hash}.mp4`: an init segment, by the first eight bytes of its SHA-256.
//! - `{channel}/{rendition}/frames-{hash}.mp4`: the init segment of the key frames of segments that need the one of that hash.
//!
//! One name is no object's: `{rendition}/{start}.m4s`, beside a media playlist at the edge, stands for the part that starts so
//! many milliseconds after 1970, at whichever node it is. It can be told before the part is made: when a part starts is
//! when the one before it ends, and which segment it will be of does not matter.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use crate::hex;
use crate::id::{ChannelId, RenditionId};
use crate::time::{MEDIA_HZ, MediaSpan, MediaTime, UtcMs};

/// Epoch-aligned index of `time` for segments of `segment_ms` milliseconds, and how many milliseconds of it had passed.
///
/// A `segment_ms` of 0 counts as 1.
pub fn index(time: MediaTime, segment_ms: u32) -> (u64, u32) {
    let ticks = u64::from(segment_ms.max(1)) * u64::from(MEDIA_HZ / 1000);
    (time.0 / ticks, (time.0 % ticks / u64::from(MEDIA_HZ / 1000)) as u32)
}

/// The name of a segment that starts at `start`.
pub fn segment_name(
    channel: &ChannelId,
    rendition: &RenditionId,
    start: MediaTime,
    segment_ms: u32,
) -> String {
    let mut name = String::new();
    // Writing to a String can't fail.
    let _ = write_segment_name(&mut name, channel, rendition, start, segment_ms);
    name
}

/// Appends [`segment_name`] to a text: playlists are made of them.
pub(crate) fn write_segment_name(
    text: &mut String,
    channel: &ChannelId,
    rendition: &RenditionId,
    start: MediaTime,
    segment_ms: u32,
) -> fmt::Result {
    let (number, offset) = index(start, segment_ms);
    write!(text, "{channel}/{rendition}/{number}-{offset}.m4s")
}

/// The name of the key frame of the segment of this name.
pub fn frame_name(segment: &str) -> String {
    format!("{}-frame.m4s", segment.strip_suffix(".m4s").unwrap_or(segment))
}

/// The name of the init segment of the key frames of segments that need the init segment of this name.
pub fn frames_init_name(init: &str) -> String {
    match init.rsplit_once("/init-") {
        Some((folder, file)) => format!("{folder}/frames-{file}"),
        None => format!("{init}-frames"),
    }
}

/// The prefix of all parts' names.
pub const PARTS: &str = "_parts/";

/// The name of the part that starts at `start` of the segment that starts at `of`.
pub fn part_name(
    channel: &ChannelId,
    rendition: &RenditionId,
    of: MediaTime,
    start: MediaTime,
    segment_ms: u32,
) -> String {
    let mut name = String::new();
    // Writing to a String can't fail.
    let _ = write_part_name(&mut name, channel, rendition, of, start, segment_ms);
    name
}

/// Appends [`part_name`] to a text.
pub(crate) fn write_part_name(
    text: &mut String,
    channel: &ChannelId,
    rendition: &RenditionId,
    of: MediaTime,
    start: MediaTime,
    segment_ms: u32,
) -> fmt::Result {
    let (number, offset) = index(of, segment_ms);
    let part = start.utc().ms_since(of.utc());
    write!(text, "{PARTS}{channel}/{rendition}/{number}-{offset}-{part}.m4s")
}

/// Appends the name by which the edge knows the part that starts at `start`, from beside the rendition's playlist.
pub(crate) fn write_part_at_edge(text: &mut String, rendition: &RenditionId, start: UtcMs) -> fmt::Result {
    write!(text, "{rendition}/{}", part_file_at_edge(start))
}

fn part_file_at_edge(start: UtcMs) -> String {
    format!("{}.m4s", start.0)
}

/// When the part starts that the edge knows by this file name; `None` for what is no such name, letter by letter.
pub fn part_start_at_edge(file: &str) -> Option<UtcMs> {
    let start = UtcMs(file.strip_suffix(".m4s")?.parse().ok()?);
    (part_file_at_edge(start) == file).then_some(start)
}

/// The longest window of which the edge tells the score, in 1/90000 s.
pub const WINDOW_SPAN_MAX: MediaSpan = MediaSpan::from_ms(600_000);

/// The score of a stretch of media, such as a segment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it starts.
    pub start: MediaTime,
    /// How long it is; at most [`WINDOW_SPAN_MAX`].
    pub span: MediaSpan,
    /// How it is told.
    pub form: Form,
}

/// How the score of a window is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As subtitles: WebVTT.
    Cues,
    /// As score documents: JSON.
    Sidecar,
}

impl Form {
    fn suffix(self) -> &'static str {
        match self {
            Form::Cues => ".vtt",
            Form::Sidecar => ".json",
        }
    }
}

impl Window {
    /// Appends the file name by which the edge knows it.
    pub(crate) fn write(self, text: &mut String) -> fmt::Result {
        write!(text, "{}-{}{}", self.start.0, self.span.0, self.form.suffix())
    }

    /// The window that the edge knows by this file name; `None` for what is no such name, letter by letter, and for one that
    /// is too long.
    pub fn at_edge(file: &str) -> Option<Window> {
        let forms = [Form::Cues, Form::Sidecar];
        let (form, stem) =
            forms.into_iter().find_map(|form| Some((form, file.strip_suffix(form.suffix())?)))?;
        let (start, span) = stem.split_once('-')?;
        let (start, span) = (MediaTime(start.parse().ok()?), MediaSpan(span.parse().ok()?));
        let window = Window { start, span, form };
        let mut name = String::new();
        window.write(&mut name).ok()?;
        (name == file && span.0 > 0 && span <= WINDOW_SPAN_MAX).then_some(window)
    }

    /// Where it ends.
    pub fn end(self) -> MediaTime {
        self.start + self.span
    }
}

/// The name of an init segment with these bytes.
pub fn init_name(channel: &ChannelId, rendition: &RenditionId, bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!("{channel}/{rendition}/init-{}.mp4", hex::encode(&digest[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_timeline() {
        let (channel, rendition) = ("table-1".parse().unwrap(), "source".parse().unwrap());
        let start = UtcMs(1_795_171_921_040).media();
        assert_eq!(segment_name(&channel, &rendition, start, 2000), "table-1/source/897585960-1040.m4s");
        let part = part_name(&channel, &rendition, start, start + MediaSpan::from_ms(334), 2000);
        assert_eq!(part, "_parts/table-1/source/897585960-1040-334.m4s");
        let segment = segment_name(&channel, &rendition, start, 2000);
        assert_eq!(frame_name(&segment), "table-1/source/897585960-1040-frame.m4s");
        let init = init_name(&channel, &rendition, b"abc");
        assert_eq!(init, "table-1/source/init-ba7816bf8f01cfea.mp4");
        assert_eq!(frames_init_name(&init), "table-1/source/frames-ba7816bf8f01cfea.mp4");
        assert_eq!(index(MediaTime(u64::MAX), 0).0, u64::MAX / 90);
    }

    #[test]
    fn the_edge_knows_a_window_by_its_stretch_and_form_and_by_nothing_else() {
        let (start, span) = (MediaTime(161_565_472_803_600), MediaSpan(180_000));
        for (form, suffix) in [(Form::Cues, "vtt"), (Form::Sidecar, "json")] {
            let window = Window { start, span, form };
            let mut name = String::new();
            window.write(&mut name).unwrap();
            assert_eq!(name, format!("161565472803600-180000.{suffix}"));
            assert_eq!(Window::at_edge(&name), Some(window));
            let longest = Window { start: MediaTime(0), span: WINDOW_SPAN_MAX, form };
            assert_eq!(Window::at_edge(&format!("0-54000000.{suffix}")), Some(longest));
            for bad in ["0-0", "0--1", "0-54000001", "00-1", "0-01", "+0-1", "0", "-1-1", "0-1.vtt"] {
                assert_eq!(Window::at_edge(&format!("{bad}.{suffix}")), None, "{bad}");
            }
        }
        assert_eq!(Window::at_edge("0-1"), None);
    }

    #[test]
    fn the_edge_knows_a_part_by_its_start_and_by_nothing_else() {
        let start = UtcMs(1_795_171_921_040);
        let mut name = String::new();
        write_part_at_edge(&mut name, &"source".parse().unwrap(), start).unwrap();
        assert_eq!(name, "source/1795171921040.m4s");
        assert_eq!(part_start_at_edge("1795171921040.m4s"), Some(start));
        assert_eq!(part_start_at_edge("0.m4s"), Some(UtcMs(0)));
        for bad in [
            "",
            ".m4s",
            "1.mp4",
            "1",
            "01.m4s",
            "00.m4s",
            "+1.m4s",
            "-1.m4s",
            "1 .m4s",
            "1.m4s.m4s",
            "897585960-1040.m4s",
            "18446744073709551616.m4s",
            "x.m4s",
        ] {
            assert_eq!(part_start_at_edge(bad), None, "{bad}");
        }
    }
}
