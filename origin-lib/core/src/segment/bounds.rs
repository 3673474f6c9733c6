//! How much may wait for a cut.

use super::{Segmenter, UNPROMISED_S_MAX};
use crate::media::Sample;
use crate::time::MEDIA_HZ;

/// The longest time that may pass without a cut, in milliseconds of media time.
pub const OPEN_MS_MAX: u64 = 60_000;

/// The most bytes of media that wait for a cut: 64 MiB.
pub const OPEN_LEN_MAX: usize = 64 << 20;

/// The most samples that wait for a cut.
pub const OPEN_SAMPLES_MAX: usize = 32_768;

/// The bound that forced a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    /// [`OPEN_MS_MAX`], as long as pictures came.
    #[error("no key frame in 60 s: set the encoder's key frame interval to 2 s")]
    Time,
    /// [`OPEN_MS_MAX`], with no picture in the last [`UNPROMISED_S_MAX`] seconds: where they come evenly, segments are cut by then.
    #[error(
        "no picture in 60 s, though sound goes on: sound is left out until there is a picture again: look at the camera"
    )]
    Pictures,
    /// [`OPEN_LEN_MAX`].
    #[error("no key frame in 64 MiB: set the encoder's key frame interval to 2 s, or lower its bit rate")]
    Bytes,
    /// [`OPEN_SAMPLES_MAX`].
    #[error("no key frame in 32,768 frames: set the encoder's key frame interval to 2 s")]
    Samples,
}

impl Segmenter {
    /// The bound that what is open would exceed with this sample.
    pub(super) fn bound_reached(&self, sample: &Sample) -> Option<Bound> {
        let oldest = self.open.front()?;
        if sample.dts.0.saturating_sub(oldest.start.0) > OPEN_MS_MAX * u64::from(MEDIA_HZ / 1000) {
            let since = self.video_last.map(|last| sample.dts.0.saturating_sub(last.0));
            let have_ended = since.is_some_and(|since| since > u64::from(UNPROMISED_S_MAX * MEDIA_HZ));
            Some(if have_ended { Bound::Pictures } else { Bound::Time })
        } else if self.open_len.saturating_add(sample.data.len()) > OPEN_LEN_MAX {
            Some(Bound::Bytes)
        } else if self.open_samples >= OPEN_SAMPLES_MAX {
            Some(Bound::Samples)
        } else {
            None
        }
    }
}
