//! A movie fragment: which samples its media holds (ISO/IEC 14496-12, 8.8.4 to 8.8.12), and these, as the media comes.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::{Bytes, BytesMut};

use super::header::Header;
use crate::fmp4::read::{self, Base, ReadError, SAMPLES_MAX, boxes, run, skip, u32, u64, version};

/// The longest sample that is taken.
pub const SAMPLE_LEN_MAX: usize = 8 << 20;

/// Smooth Streaming's decoding time of a fragment, in a `uuid` box of this name (MS-SSTR, 2.2.4.4).
const TFXD: [u8; 16] =
    [0x6d, 0x1d, 0x9b, 0x05, 0x42, 0xd5, 0x44, 0xe6, 0x80, 0xe2, 0x14, 0x1d, 0xaf, 0xf7, 0x57, 0xb2];

/// The samples of one track of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// `track_ID`.
    pub(super) track: u32,
    /// Decoding time of the first sample in the track's timescale, where it says one.
    pub(super) start: Option<u64>,
    pub(super) samples: Vec<Place>,
}

/// A sample whose media is still to come. Times are in its track's timescale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its decoding time, from the first sample's.
    pub(super) since: u64,
    /// Presentation minus decoding time.
    pub(super) cts: i32,
    /// Where its bytes lie, counted from the first byte of all.
    pub(super) data: Range<u64>,
}

impl Run {
    /// How long it is, in its track's timescale, and in bytes.
    pub(super) fn len(&self) -> u64 {
        self.samples.iter().map(|sample| sample.data.end - sample.data.start).sum()
    }
}

/// The track IDs of a `moof`, for finding its header.
pub(super) fn tracks(moof: &[u8]) -> Result<Vec<u32>, ReadError> {
    let mut ids = Vec::new();
    for found in boxes(moof) {
        let (name, traf, _) = found?;
        if name == b"traf" && ids.len() < read::TRACKS_MAX {
            ids.push(read::header(traf)?.id);
        }
    }
    Ok(ids)
}

/// Reads the content of a `moof` that begins `at` so many bytes from the first of all. Tracks that the header does not have are
/// left out. Beside each run stands how long it is in time.
pub(super) fn fragment(moof: &[u8], at: u64, header: &Header) -> Result<Vec<(Run, u64)>, ReadError> {
    const OUTSIDE: ReadError = ReadError("a sample lies before its fragment");
    let (mut runs, mut room, mut before) = (Vec::new(), SAMPLES_MAX, 0_usize);
    for found in boxes(moof) {
        let (name, traf, _) = found?;
        if name != b"traf" {
            continue;
        }
        let head = read::header(traf)?;
        let track = header.track(head.id);
        let defaults = head.over(track.map(|track| track.defaults).unwrap_or_default());
        // All counts from the moof, before which no media of it may lie.
        let base = match head.base {
            Base::Fragment => 0,
            Base::Before => before,
            Base::File(base) => {
                base.checked_sub(at).and_then(|base| usize::try_from(base).ok()).ok_or(OUTSIDE)?
            }
        };
        let (mut samples, mut next) = (Vec::new(), Some(base));
        for found in boxes(traf) {
            let (name, trun, _) = found?;
            if name == b"trun" {
                let end = usize::MAX / 2;
                next = Some(run(trun, defaults, (base, end), next, &mut room, &mut samples)?);
            }
        }
        before = next.unwrap_or(base);
        if track.is_none() || samples.is_empty() {
            continue;
        }
        let (mut since, mut places) = (0_u64, Vec::with_capacity(samples.len()));
        for sample in samples {
            if sample.data.len() > SAMPLE_LEN_MAX {
                return Err(ReadError("a sample is longer than 8 MiB"));
            }
            let place = |offset: usize| at.saturating_add(offset as u64);
            let data = place(sample.data.start)..place(sample.data.end);
            places.push(Place { since, cts: sample.cts, data });
            since += u64::from(sample.duration);
        }
        let start = match read::start(traf)? {
            Some(start) => Some(start),
            None => tfxd(traf)?,
        };
        runs.push((Run { track: head.id, start, samples: places }, since));
    }
    Ok(runs)
}

fn tfxd(traf: &[u8]) -> Result<Option<u64>, ReadError> {
    for found in boxes(traf) {
        let (name, content, _) = found?;
        if name == b"uuid"
            && let Some(mut tfxd) = content.strip_prefix(&TFXD)
        {
            let wide = version(&mut tfxd)?.0 == 1;
            return Ok(Some(if wide { u64(&mut tfxd)? } else { u64::from(u32(&mut tfxd)?) }));
        }
    }
    Ok(None)
}

/// What a `prft` says (8.16.5): which instant a media time of a track is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Produced {
    pub(super) track: u32,
    /// 64-bit NTP time: seconds since 1900 and a fraction.
    pub(super) ntp: u64,
    /// In the track's timescale.
    pub(super) media: u64,
    /// The instant says nothing of the world's clock.
    pub(super) arbitrary: bool,
}

impl Produced {
    pub(super) fn read(mut prft: &[u8]) -> Result<Produced, ReadError> {
        const ARBITRARY: u32 = 8;
        let (wide, flags) = version(&mut prft)?;
        let (track, ntp) = (u32(&mut prft)?, u64(&mut prft)?);
        let media = if wide == 0 { u64::from(u32(&mut prft)?) } else { u64(&mut prft)? };
        // 24 has this bit, and is the capture time.
        Ok(Produced { track, ntp, media, arbitrary: flags == ARBITRARY })
    }

    /// In milliseconds since 1970; none before.
    pub(super) fn utc_ms(&self) -> Option<u64> {
        const SINCE_1900: u64 = 2_208_988_800;
        let seconds = (self.ntp >> 32).checked_sub(SINCE_1900)?;
        Some(seconds * 1000 + (((self.ntp & 0xffff_ffff) * 1000) >> 32))
    }
}

/// Splice information in an `emsg` (ISO/IEC 23009-1, 5.10.3.3; SCTE 214-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// When, in ticks of which `timescale` are a second: of the track, or with version 0 since the begin of what follows.
    pub(super) time: u64,
    pub(super) timescale: u32,
    pub(super) since_next: bool,
    /// A whole `splice_info_section`.
    pub(super) section: Bytes,
}

impl Message {
    /// `None` of a message about something else.
    pub(super) fn read(emsg: &Bytes) -> Result<Option<Message>, ReadError> {
        const SCHEME: &[u8] = b"urn:scte:scte35:2013:bin";
        const TIMELESS: ReadError = ReadError("a message with a timescale of 0");
        let mut rest: &[u8] = emsg;
        let since_next = version(&mut rest)?.0 == 0;
        let mut times = (0, 0);
        if !since_next {
            times = (u32(&mut rest)?, u64(&mut rest)?);
            skip(&mut rest, 8)?;
        }
        let is_ours = text(&mut rest)? == SCHEME;
        text(&mut rest)?;
        if since_next {
            times = (u32(&mut rest)?, u64::from(u32(&mut rest)?));
            skip(&mut rest, 8)?;
        }
        let (timescale, time) = times;
        match (is_ours, timescale) {
            (false, _) => Ok(None),
            (true, 0) => Err(TIMELESS),
            (true, _) => Ok(Some(Message { time, timescale, since_next, section: emsg.slice_ref(rest) })),
        }
    }
}

/// A text that ends with a zero.
fn text<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], ReadError> {
    let len = bytes.iter().position(|byte| *byte == 0).ok_or(ReadError("a text without an end"))?;
    let text = bytes.get(..len).unwrap_or_default();
    skip(bytes, len + 1)?;
    Ok(text)
}

/// Whether a file type box names this brand.
pub(super) fn has_brand(mut brands: &[u8], wanted: &[u8; 4]) -> bool {
    let major = brands.first_chunk::<4>() == Some(wanted);
    let _ = skip(&mut brands, 8);
    major || brands.chunks_exact(4).any(|brand| brand == wanted)
}

/// Samples of a fragment, whose media comes.
#[derive(Debug)]
pub(super) struct Filling<T> {
    /// In the order in which their media lies.
    waiting: VecDeque<(Range<u64>, T)>,
    /// The begin of the first one's.
    open: BytesMut,
    /// Where the media of the last one ended.
    reached: u64,
}

impl<T> Default for Filling<T> {
    fn default() -> Filling<T> {
        Filling::new(Vec::new())
    }
}

impl<T> Filling<T> {
    pub(super) fn new(mut samples: Vec<(Range<u64>, T)>) -> Filling<T> {
        samples.sort_by_key(|(data, _)| data.start);
        Filling { waiting: samples.into(), open: BytesMut::new(), reached: 0 }
    }

    /// Whether nothing is awaited.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next sample that is complete with these bytes of media, which begin `at`, or `Err` for one whose bytes have been
    /// missed; to be called with the same bytes until `None`. No more is kept than what a sample has.
    pub(super) fn take(&mut self, at: u64, bytes: &Bytes) -> Option<Result<(T, Bytes), ()>> {
        let (data, _) = self.waiting.front()?;
        let has = data.start.saturating_add(self.open.len() as u64);
        let end = at.saturating_add(bytes.len() as u64);
        if has < at || data.start < self.reached {
            // Media lies in media boxes, and that of two samples is not the same.
            self.open.clear();
            self.waiting.pop_front();
            return Some(Err(()));
        }
        let from = usize::try_from(has - at).ok().filter(|from| *from <= bytes.len())?;
        let to = usize::try_from(data.end.min(end).saturating_sub(at)).unwrap_or(0).max(from);
        let (is_whole, data_end) = (data.end <= end, data.end);
        // A copy: a sample must not keep alive what came with it.
        self.open.extend_from_slice(bytes.get(from..to).unwrap_or_default());
        if !is_whole {
            return None;
        }
        self.reached = data_end;
        let media = core::mem::take(&mut self.open).freeze();
        self.waiting.pop_front().map(|(_, sample)| Ok((sample, media)))
    }
}
