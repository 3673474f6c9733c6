//! `railbird thumbnails`: sheets of small pictures of a recording, and a WebVTT index that says which of them lies where, for
//! seek bars of pages that show an exported file ([`crate::export`], whose times these are).
//!
//! The picture of a moment is the key frame with which its segment begins. ffmpeg decodes each, and makes the sheets.

pub mod command;
mod ffmpeg;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::Path;

use railbird_core::keys::MasterSecret;
use railbird_core::recording::Reel;
use railbird_core::time::{MediaSpan, MediaTime};

pub use self::ffmpeg::Failure;
use self::ffmpeg::Picture;
use crate::export::{self, Reader};
use crate::recorded::Gap;

/// The most pictures of an index: a day, one each ten seconds.
pub const TILES_MAX: usize = 8640;

/// How sheets are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Between two pictures.
    pub every: MediaSpan,
    /// Pictures beside each other.
    pub columns: u32,
    /// And below each other.
    pub rows: u32,
    /// Width of one, in pixels; its height follows from the picture's shape.
    pub width: u32,
}

/// There are no thumbnails.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailsError {
    /// No segment with a picture.
    #[error("there is no picture in this time{}", first.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Nothing {
        /// Why the first one can't be used, if there is one.
        first: Option<String>,
    },
    /// There would be too many.
    #[error(
        "that makes {0} pictures, and an index has up to {TILES_MAX}: choose a longer --every, or --from and --to"
    )]
    TooMany(u64),
    /// ffmpeg does not do it.
    #[error(transparent)]
    Ffmpeg(#[from] Failure),
    /// A file can't be written.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnails {
    /// How many pictures.
    pub pictures: usize,
    /// The sheets' files' names, in order.
    pub sheets: Vec<String>,
    /// The index, as WebVTT.
    pub index: String,
    /// What no picture could be made of.
    pub unusable: Vec<Gap>,
}

/// A picture's place in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    /// The segment whose key frame is shown.
    segment: u32,
    /// In milliseconds from the first segment.
    from_ms: u64,
    to_ms: u64,
}

/// Makes sheets of the segments that touch `from` to `to`, below `dir`, under names that begin with `stem`. `objects` is the
/// directory of all objects.
pub async fn make(
    program: &Path,
    (reel, objects, secret): (&Reel, &Path, &MasterSecret),
    (from, to): (Option<MediaTime>, Option<MediaTime>),
    layout: Layout,
    (dir, stem): (&Path, &str),
) -> Result<Thumbnails, ThumbnailsError> {
    let mut reader = Reader::new(reel, objects, secret);
    let slots = slots(reel, from, to, layout.every)?;
    let mut sheets = Sheets { program, layout, dir, stem, names: Vec::new(), tiles: Vec::new() };
    let (mut index, mut unusable, mut pictures) = (String::from("WEBVTT\n"), Vec::new(), 0);
    let mut size: Option<(u32, u32)> = None;
    for slot in slots {
        let made = match reader.clear(slot.segment) {
            Ok(clear) => match clear.size {
                Some(shape) => {
                    let size = *size.get_or_insert_with(|| tile(layout.width, shape));
                    ffmpeg::decode(program, &clear, size).await?.map(|pixels| Picture { size, pixels })
                }
                None => Err("it has no picture".into()),
            },
            Err(why) => Err(why),
        };
        match made {
            Ok(picture) => {
                let (name, x, y) = sheets.place(&picture);
                let (width, height) = picture.size;
                // Writing to a string does not fail.
                let _ = write!(index, "\n{} --> {}\n", stamp(slot.from_ms), stamp(slot.to_ms));
                let _ = writeln!(index, "{}#xywh={x},{y},{width},{height}", escaped(&name));
                sheets.add(picture).await?;
                pictures += 1;
            }
            Err(why) => {
                let Some(segment) = reel.segment(slot.segment) else { continue };
                let to = segment.start + segment.duration;
                crate::recorded::add(&mut unusable, Gap { from: segment.start, to, why });
            }
        }
    }
    sheets.finish().await?;
    if pictures == 0 {
        return Err(ThumbnailsError::Nothing { first: unusable.into_iter().next().map(|gap| gap.why) });
    }
    Ok(Thumbnails { pictures, sheets: sheets.names, index, unusable })
}

/// Which segment is shown when: each moment has the one that it lies in, or where there is none, the one before.
fn slots(
    reel: &Reel,
    from: Option<MediaTime>,
    to: Option<MediaTime>,
    every: MediaSpan,
) -> Result<Vec<Slot>, ThumbnailsError> {
    let segments: Vec<_> = export::touching(reel, from, to).collect();
    let Some((_, first)) = segments.first() else { return Err(ThumbnailsError::Nothing { first: None }) };
    let ms = |at: MediaTime| u64::try_from((at - first.start).ms()).unwrap_or(0);
    let end_ms = segments.iter().map(|(_, segment)| ms(segment.start + segment.duration)).max().unwrap_or(0);
    let every_ms = u64::try_from(every.ms()).unwrap_or(0).max(1);
    let count = end_ms.div_ceil(every_ms);
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= TILES_MAX) else {
        return Err(ThumbnailsError::TooMany(count));
    };
    // Without a key frame there is nothing to show of it.
    let mut next = segments.iter().filter(|(_, segment)| !segment.dependent).peekable();
    let mut shown = None;
    let mut slots = Vec::with_capacity(count);
    for from_ms in (0..end_ms).step_by(usize::try_from(every_ms).unwrap_or(usize::MAX)) {
        while let Some((n, _)) = next.next_if(|(_, segment)| ms(segment.start) <= from_ms) {
            shown = Some(*n);
        }
        let to_ms = from_ms.saturating_add(every_ms).min(end_ms);
        slots.extend(shown.map(|segment| Slot { segment, from_ms, to_ms }));
    }
    Ok(slots)
}

/// Width and height of a small picture of this shape: even, and at least two pixels.
fn tile(width: u32, (shape_width, shape_height): (u32, u32)) -> (u32, u32) {
    let even = |value: u64| u32::try_from(value / 2 * 2).unwrap_or(u32::MAX).max(2);
    let height = u64::from(width) * u64::from(shape_height) / u64::from(shape_width.max(1));
    // A picture that is much taller than wide gets bars at its sides.
    (even(width.into()), even(height.min(u64::from(width) * 2)))
}

/// `hh:mm:ss.ttt` (WebVTT, 3.3).
fn stamp(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000)
}

/// A file's name as a reference (RFC 3986, 2.3).
fn escaped(name: &str) -> String {
    let mut text = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Sheets as they are filled.
struct Sheets<'a> {
    program: &'a Path,
    layout: Layout,
    dir: &'a Path,
    stem: &'a str,
    names: Vec<String>,
    tiles: Vec<Picture>,
}

impl Sheets<'_> {
    fn name(&self) -> String {
        format!("{}-{:03}.jpg", self.stem, self.names.len() + 1)
    }

    /// Where the next picture comes: the sheet's name, and the place on it in pixels.
    fn place(&self, picture: &Picture) -> (String, u32, u32) {
        let nth = u32::try_from(self.tiles.len()).unwrap_or(0);
        let (column, row) = (nth % self.layout.columns, nth / self.layout.columns);
        (self.name(), column * picture.size.0, row * picture.size.1)
    }

    async fn add(&mut self, picture: Picture) -> Result<(), ThumbnailsError> {
        self.tiles.push(picture);
        if self.tiles.len() as u64 >= u64::from(self.layout.columns) * u64::from(self.layout.rows) {
            self.finish().await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), ThumbnailsError> {
        if self.tiles.is_empty() {
            return Ok(());
        }
        let tiles = std::mem::take(&mut self.tiles);
        let bytes = ffmpeg::sheet(self.program, &tiles, self.layout).await?;
        let name = self.name();
        command::write(&self.dir.join(&name), &bytes)?;
        self.names.push(name);
        Ok(())
    }
}
