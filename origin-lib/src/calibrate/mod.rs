//! `railbird calibrate`: how late a table's picture is, read from the recording of a code that its camera films.

pub mod command;
mod decode;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use railbird_core::calibration::{Delay, Picture, SIDE_MAX, Unmeasured, delay, find};
use railbird_core::keys::MasterSecret;
use railbird_core::recording::Reel;
use railbird_core::time::MediaTime;

use crate::export::{Clear, Reader};

/// The most segments that are looked at, the newest ones.
pub const SEGMENTS_MAX: usize = 30;

/// The longest side of a picture that is looked at, in pixels: larger ones are made smaller.
const LOOKED_AT: u32 = 1920;

/// The recording does not say how late the picture is.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// There is nothing to look at.
    #[error(
        "the recording has no segment with a picture yet: begin when the encoder has sent for a few seconds"
    )]
    Nothing,
    /// A segment can't be used.
    #[error("a segment can't be used: {0}")]
    Segment(String),
    /// ffmpeg did not do it.
    #[error("{0}")]
    Decode(String),
    /// What is seen does not tell.
    #[error(transparent)]
    Unmeasured(#[from] Unmeasured),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// How late the picture is.
    pub delay: Delay,
    /// How many pictures were looked at.
    pub pictures: usize,
    /// Where the last one lies on media time.
    pub last: MediaTime,
}

/// Looks at the newest so many segments of a recording. `objects` is the directory of all objects, `ffmpeg` the program.
///
/// # Errors
/// A segment or ffmpeg fails, or the code can't be read well enough.
pub async fn measure(
    reel: &Reel,
    objects: &Path,
    secret: &MasterSecret,
    segments: usize,
    ffmpeg: &Path,
) -> Result<Found, CalibrateError> {
    let mut reader = Reader::new(reel, objects, secret);
    let order = reel.order();
    let newest = order.get(order.len().saturating_sub(segments.min(SEGMENTS_MAX))..).unwrap_or_default();
    let (mut filmed, mut pictures, mut last) = (Vec::new(), 0, None);
    for n in newest {
        // What the disk lost is a gap, and with a picture that refers to others nobody can begin.
        let lost = reel.objects().get(*n as usize).is_none_or(|object| object.sha256.is_none());
        if lost || reel.segment(*n).is_some_and(|segment| segment.dependent) {
            continue;
        }
        let clear = reader.clear(*n).map_err(CalibrateError::Segment)?;
        let Some(size) = size(&clear) else { continue };
        let mut ticks = Vec::new();
        decode::pictures(ffmpeg, &clear, size, |levels| {
            ticks.push(Picture::new(size.0 as usize, levels).as_ref().and_then(find));
        })
        .await
        .map_err(CalibrateError::Decode)?;
        if ticks.len() != clear.pictures.len() {
            let (found, there) = (ticks.len(), clear.pictures.len());
            let text = format!("ffmpeg decoded {found} pictures of a segment that has {there}");
            return Err(CalibrateError::Decode(text));
        }
        pictures += ticks.len();
        last = clear.pictures.last().copied().or(last);
        filmed.extend(clear.pictures.iter().zip(ticks).filter_map(|(at, tick)| Some((*at, tick?))));
    }
    let last = last.ok_or(CalibrateError::Nothing)?;
    Ok(Found { delay: delay(filmed, pictures)?, pictures, last })
}

/// The size in which a segment's pictures are looked at: their own, or a smaller one of the same shape.
fn size(clear: &Clear) -> Option<(u32, u32)> {
    let (width, height) = clear.size?;
    let longest = width.max(height);
    debug_assert!(LOOKED_AT as usize <= SIDE_MAX);
    let fit = |side: u32| match longest > LOOKED_AT {
        true => (u64::from(side) * u64::from(LOOKED_AT) / u64::from(longest)).max(1) as u32,
        false => side.max(1),
    };
    Some((fit(width), fit(height)))
}

/// Where ffmpeg is, unless somebody says so.
pub fn ffmpeg() -> PathBuf {
    PathBuf::from("ffmpeg")
}
