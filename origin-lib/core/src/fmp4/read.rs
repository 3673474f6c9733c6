//! Reads what this module writes: an init segment's tracks, and where the samples of a segment lie.
//!
//! It takes any bytes and looks at no more than it was given. What it accepts is wider than what is written here, as far as
//! that costs nothing: any order of boxes, any of the columns of a `trun`. Media stays where it is; the reader gives ranges.

use alloc::vec::Vec;
use core::ops::Range;

use crate::media::Kind;

/// The most tracks of an init segment that are read.
pub const TRACKS_MAX: usize = 8;

/// The most samples of a segment that are read, all tracks together.
pub const SAMPLES_MAX: usize = 100_000;

/// The bytes are no init segment or no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not fragmented MP4 as Railbird writes it: {0}")]
pub struct ReadError(pub(crate) &'static str);

/// One track of an init segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// `track_ID`.
    pub id: u32,
    /// Video or audio.
    pub kind: Kind,
    /// Ticks a second; not 0.
    pub timescale: u32,
    /// Width and height of `tkhd`, in 16.16 fixed point.
    pub size: (u32, u32),
    /// The sample entry with its box header: `avc1`, `hvc1`, `av01`, `mp4a` or `Opus`.
    pub entry: Vec<u8>,
    pub(crate) defaults: Defaults,
}

/// What `trex` and then `tfhd` say for samples that say nothing themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    duration: u32,
    size: u32,
    flags: u32,
}

/// One sample of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentSample {
    /// In its track's timescale.
    pub duration: u32,
    /// Presentation minus decoding time, in its track's timescale.
    pub cts: i32,
    /// A sync sample.
    pub key: bool,
    /// Where its bytes lie in the segment.
    pub data: Range<usize>,
}

/// One track of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// `track_ID`.
    pub id: u32,
    /// Decoding time of the first sample, in its track's timescale since 1970.
    pub start: u64,
    /// At least one.
    pub samples: Vec<FragmentSample>,
}

/// The tracks of an init segment.
pub fn init(bytes: &[u8]) -> Result<Vec<Track>, ReadError> {
    let moov = child(bytes, b"moov")?.ok_or(ReadError("there is no moov box"))?;
    let mut tracks = Vec::new();
    for found in boxes(moov) {
        let (name, trak, _) = found?;
        if name == b"trak" {
            if tracks.len() >= TRACKS_MAX {
                return Err(ReadError("it has more than eight tracks"));
            }
            const NEITHER: ReadError = ReadError("a track is neither video nor audio");
            tracks.push(track(trak)?.ok_or(NEITHER)?);
        }
    }
    defaults(moov, &mut tracks)?;
    Ok(tracks)
}

/// Gives the tracks of a `moov` what its `trex` boxes say for their samples.
pub(crate) fn defaults(moov: &[u8], tracks: &mut [Track]) -> Result<(), ReadError> {
    let mvex = child(moov, b"mvex")?.unwrap_or_default();
    for found in boxes(mvex) {
        let (name, mut trex, _) = found?;
        if name == b"trex" {
            skip(&mut trex, 4)?;
            let id = u32(&mut trex)?;
            skip(&mut trex, 4)?;
            let defaults =
                Defaults { duration: u32(&mut trex)?, size: u32(&mut trex)?, flags: u32(&mut trex)? };
            tracks.iter_mut().filter(|track| track.id == id).for_each(|track| track.defaults = defaults);
        }
    }
    Ok(())
}

/// A `trak`; `None` where it is neither video nor audio.
pub(crate) fn track(trak: &[u8]) -> Result<Option<Track>, ReadError> {
    const INCOMPLETE: ReadError = ReadError("a track lacks one of its boxes");
    let need = |found: Option<_>| found.ok_or(INCOMPLETE);
    let mut tkhd = need(child(trak, b"tkhd")?)?;
    let wide = version(&mut tkhd)?.0 == 1;
    skip(&mut tkhd, if wide { 16 } else { 8 })?;
    let id = u32(&mut tkhd)?;
    skip(&mut tkhd, if wide { 12 } else { 8 })?;
    skip(&mut tkhd, 8 + 8 + 36)?;
    let size = (u32(&mut tkhd)?, u32(&mut tkhd)?);

    let mdia = need(child(trak, b"mdia")?)?;
    let mut mdhd = need(child(mdia, b"mdhd")?)?;
    let wide = version(&mut mdhd)?.0 == 1;
    skip(&mut mdhd, if wide { 16 } else { 8 })?;
    let timescale = u32(&mut mdhd)?;
    if timescale == 0 {
        return Err(ReadError("a track has a timescale of 0"));
    }
    let mut hdlr = need(child(mdia, b"hdlr")?)?;
    skip(&mut hdlr, 8)?;
    let kind = match hdlr.get(..4) {
        Some(b"vide") => Kind::Video,
        Some(b"soun") => Kind::Audio,
        _ => return Ok(None),
    };
    let minf = need(child(mdia, b"minf")?)?;
    let stbl = need(child(minf, b"stbl")?)?;
    let mut stsd = need(child(stbl, b"stsd")?)?;
    skip(&mut stsd, 8)?;
    let (_, _, entry) = boxes(stsd).next().ok_or(ReadError("a track has no sample entry"))??;
    Ok(Some(Track { id, kind, timescale, size, entry: entry.into(), defaults: Defaults::default() }))
}

/// The tracks of a segment, in the order in which they stand there, that have samples. `tracks` are those of its init
/// segment.
pub fn segment(bytes: &[u8], tracks: &[Track]) -> Result<Vec<Fragment>, ReadError> {
    let (mut fragments, mut room) = (Vec::new(), SAMPLES_MAX);
    let mut at = 0_usize;
    for found in boxes(bytes) {
        let (name, moof, whole) = found?;
        if name == b"moof" {
            for found in boxes(moof) {
                let (name, traf, _) = found?;
                if name == b"traf" {
                    fragments.extend(fragment(traf, Some(tracks), (at, bytes.len()), &mut room)?);
                }
            }
        }
        at += whole.len();
    }
    Ok(fragments)
}

/// The file name of the init segment that a segment says it needs ([`super::name_init`]); `None` where it says nothing.
pub fn init_named(segment: &[u8]) -> Option<&str> {
    let last = boxes(segment).filter_map(Result::ok).last();
    let (_, file, _) = last.filter(|(name, ..)| *name == b"free")?;
    core::str::from_utf8(file).ok().filter(|file| !file.is_empty())
}

/// What a segment says of itself, for whoever has no init segment of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The `mfhd` sequence number.
    pub sequence: u32,
    /// The content of its `moof`: which samples it has, of which lengths and times. Two segments of the same samples say the
    /// same.
    pub moof: &'a [u8],
    /// Where its samples lie.
    pub fragments: Vec<Fragment>,
}

/// Reads the outline of a segment, which must be whole boxes with one movie fragment whose samples, one behind the other,
/// are all of its media.
pub fn outline(bytes: &[u8]) -> Result<Outline<'_>, ReadError> {
    const INCOMPLETE: ReadError = ReadError("it is no segment");
    const UNFILLED: ReadError = ReadError("its samples are not all of its media");
    let (mut found_moof, mut media, mut at) = (None, None, 0_usize);
    for found in boxes(bytes) {
        let (name, content, whole) = found?;
        let next = at + whole.len();
        let twice = match name {
            b"moof" => found_moof.replace((content, at)).is_some(),
            b"mdat" => media.replace(next - content.len()..next).is_some(),
            _ => false,
        };
        if twice {
            return Err(INCOMPLETE);
        }
        at = next;
    }
    let ((moof, moof_at), media) = found_moof.zip(media).ok_or(INCOMPLETE)?;
    let mut mfhd = child(moof, b"mfhd")?.ok_or(INCOMPLETE)?;
    version(&mut mfhd)?;
    let sequence = u32(&mut mfhd)?;
    let (mut filled, mut room, mut fragments) = (media.start, SAMPLES_MAX, Vec::new());
    for found in boxes(moof) {
        let (name, traf, _) = found?;
        if name == b"traf" {
            let fragment = fragment(traf, None, (moof_at, bytes.len()), &mut room)?;
            for sample in fragment.iter().flat_map(|fragment| &fragment.samples) {
                if sample.data.start != filled {
                    return Err(UNFILLED);
                }
                filled = sample.data.end;
            }
            fragments.extend(fragment);
        }
    }
    if filled == media.end { Ok(Outline { sequence, moof, fragments }) } else { Err(UNFILLED) }
}

/// `tracks`: those of the init segment; without them, there are no defaults but those of `tfhd`. `place` is where the `moof`
/// begins and where the segment ends; `room` how many samples may still come.
fn fragment(
    traf: &[u8],
    tracks: Option<&[Track]>,
    place: (usize, usize),
    room: &mut usize,
) -> Result<Option<Fragment>, ReadError> {
    let head = header(traf)?;
    const UNKNOWN: ReadError = ReadError("a track is not in the init segment");
    let track = tracks.map(|tracks| tracks.iter().find(|track| track.id == head.id).ok_or(UNKNOWN));
    let defaults = head.over(track.transpose()?.map(|track| track.defaults).unwrap_or_default());
    if head.base != Base::Fragment {
        return Err(ReadError("offsets do not count from the moof box"));
    }
    let (id, start) = (head.id, start(traf)?.ok_or(ReadError("a track fragment has no decoding time"))?);
    let mut samples = Vec::new();
    let mut next = None;
    for found in boxes(traf) {
        let (name, trun, _) = found?;
        if name == b"trun" {
            next = Some(run(trun, defaults, place, next, room, &mut samples)?);
        }
    }
    Ok((!samples.is_empty()).then_some(Fragment { id, start, samples }))
}

/// What `tfhd` says (ISO/IEC 14496-12, 8.8.7).
pub(crate) struct FragmentHeader {
    /// `track_ID`.
    pub(crate) id: u32,
    /// Where the offsets of its runs count from.
    pub(crate) base: Base,
    duration: Option<u32>,
    size: Option<u32>,
    flags: Option<u32>,
}

/// Where offsets count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// From the `moof`.
    Fragment,
    /// From the first byte of all, this far from it.
    File(u64),
    /// From where the media of the track before ends; of the first one, from the `moof`.
    Before,
}

impl FragmentHeader {
    /// What counts for a sample that says nothing itself, over what `trex` says.
    pub(crate) fn over(&self, trex: Defaults) -> Defaults {
        Defaults {
            duration: self.duration.unwrap_or(trex.duration),
            size: self.size.unwrap_or(trex.size),
            flags: self.flags.unwrap_or(trex.flags),
        }
    }
}

/// The header of a track fragment.
pub(crate) fn header(traf: &[u8]) -> Result<FragmentHeader, ReadError> {
    let mut tfhd = child(traf, b"tfhd")?.ok_or(ReadError("a track fragment has no header"))?;
    let (_, said) = version(&mut tfhd)?;
    let id = u32(&mut tfhd)?;
    let base = if said & 1 != 0 {
        Base::File(u64(&mut tfhd)?)
    } else if said & 0x2_0000 != 0 {
        Base::Fragment
    } else {
        Base::Before
    };
    if said & 0x2 != 0 {
        skip(&mut tfhd, 4)?;
    }
    let mut value = |flag| (said & flag != 0).then(|| u32(&mut tfhd)).transpose();
    let (duration, size, flags) = (value(0x8)?, value(0x10)?, value(0x20)?);
    Ok(FragmentHeader { id, base, duration, size, flags })
}

/// The decoding time of a track fragment's first sample, where it says one (`tfdt`).
pub(crate) fn start(traf: &[u8]) -> Result<Option<u64>, ReadError> {
    let Some(mut tfdt) = child(traf, b"tfdt")? else { return Ok(None) };
    match version(&mut tfdt)?.0 {
        0 => Ok(Some(u64::from(u32(&mut tfdt)?))),
        _ => Ok(Some(u64(&mut tfdt)?)),
    }
}

/// Reads a `trun` and returns where its media ends. Without an offset of its own it begins at `next`.
pub(crate) fn run(
    mut trun: &[u8],
    defaults: Defaults,
    (moof_at, end): (usize, usize),
    next: Option<usize>,
    room: &mut usize,
    samples: &mut Vec<FragmentSample>,
) -> Result<usize, ReadError> {
    const OUTSIDE: ReadError = ReadError("a sample lies outside the segment");
    let (_, flags) = version(&mut trun)?;
    let count = u32(&mut trun)? as usize;
    *room = room.checked_sub(count).ok_or(ReadError("it has more than 100,000 samples"))?;
    let mut at = match flags & 1 {
        0 => next.ok_or(ReadError("a track run does not say where its media is"))?,
        _ => moof_at.checked_add_signed(u32(&mut trun)?.cast_signed() as isize).ok_or(OUTSIDE)?,
    };
    let first = if flags & 4 != 0 { Some(u32(&mut trun)?) } else { None };
    // A row may have no column at all: what says how many rows there are has been checked above.
    for n in 0..count {
        let mut column =
            |flag: u32, default: u32| if flags & flag != 0 { u32(&mut trun) } else { Ok(default) };
        let duration = column(0x100, defaults.duration)?;
        let size = column(0x200, defaults.size)? as usize;
        let default = first.filter(|_| n == 0).unwrap_or(defaults.flags);
        let flags = column(0x400, default)?;
        let cts = column(0x800, 0)?.cast_signed();
        let to = at.checked_add(size).filter(|to| *to <= end).ok_or(OUTSIDE)?;
        samples.push(FragmentSample { duration, cts, key: flags & 0x1_0000 == 0, data: at..to });
        at = to;
    }
    Ok(at)
}

/// A box: its name, its content, and the whole of it.
pub(crate) type Found<'a> = (&'a [u8; 4], &'a [u8], &'a [u8]);

/// The boxes of a container, one after the other; after an error, none.
pub(crate) fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = Result<Found<'_>, ReadError>> {
    core::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let found = first_box(bytes);
        bytes = match found {
            Some((_, _, whole)) => bytes.get(whole.len()..).unwrap_or_default(),
            None => &[],
        };
        Some(found.ok_or(ReadError("a box is cut off")))
    })
}

fn first_box(bytes: &[u8]) -> Option<Found<'_>> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let name = rest.first_chunk::<4>()?;
    // Neither 64-bit sizes nor "to the end": nothing here is that large.
    let size = u32::from_be_bytes(*size) as usize;
    let whole = bytes.get(..size)?;
    Some((name, whole.get(8..)?, whole))
}

/// The content of the first box of this name.
pub(crate) fn child<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Result<Option<&'a [u8]>, ReadError> {
    for found in boxes(bytes) {
        let (name, content, _) = found?;
        if name == wanted {
            return Ok(Some(content));
        }
    }
    Ok(None)
}

pub(crate) fn u32(bytes: &mut &[u8]) -> Result<u32, ReadError> {
    let (value, rest) = bytes.split_first_chunk::<4>().ok_or(ReadError("a box is too short"))?;
    *bytes = rest;
    Ok(u32::from_be_bytes(*value))
}

pub(crate) fn u64(bytes: &mut &[u8]) -> Result<u64, ReadError> {
    Ok(u64::from(u32(bytes)?) << 32 | u64::from(u32(bytes)?))
}

pub(crate) fn skip(bytes: &mut &[u8], count: usize) -> Result<(), ReadError> {
    *bytes = bytes.get(count..).ok_or(ReadError("a box is too short"))?;
    Ok(())
}

/// The version and the flags of a full box.
pub(crate) fn version(bytes: &mut &[u8]) -> Result<(u8, u32), ReadError> {
    let word = u32(bytes)?;
    Ok(((word >> 24) as u8, word & 0xff_ffff))
}
