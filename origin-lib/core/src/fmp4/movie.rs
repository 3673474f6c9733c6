//! One MP4 of many segments, without touching a sample (ISO/IEC 14496-12): the tables that say where each sample is and
//! when it is shown.
//!
//! Memory holds the tables only. The caller adds every segment once, writes [`Movie::head`], and then each segment's media
//! again in the same order ([`media`]): a file whose `moov` comes first, so that it plays while it is loaded.
//!
//! Where segments do not meet, the last sample before lasts until the next one: a gap is silence and a standing picture, and
//! all that follows keeps its time. Where the parameters change, the track gets one more sample entry.

use alloc::vec::Vec;

use super::boxes::Boxes;
use super::read::{Fragment, Track};
use super::{MATRIX, UNDETERMINED, data_here, entry, handler};
use crate::codec::opus;
use crate::media::Kind;
use crate::time::MEDIA_HZ;

/// The most samples of a track: twelve days at 50 a second.
pub const SAMPLES_MAX: usize = 50_000_000;

/// A movie can't hold this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MovieError {
    /// One sample would last longer than 32 bits can say.
    #[error(
        "it has a gap of more than ten hours: export what is before it and what is after it, with --from and --to"
    )]
    Gap,
    /// More samples than there may be.
    #[error("it has more than {SAMPLES_MAX} samples: export it in parts, with --from and --to")]
    Samples,
    /// A fragment's track is not in its init segment.
    #[error("a segment has a track that its init segment does not have")]
    Track,
}

/// Values that come in runs.
#[derive(Clone, Debug, Default)]
struct Runs<T>(Vec<(u32, T)>);

impl<T: PartialEq> Runs<T> {
    fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => self.0.push((1, value)),
        }
    }
}

/// One track of the movie.
#[derive(Clone, Debug)]
struct Lane {
    kind: Kind,
    timescale: u32,
    size: (u32, u32),
    entries: Vec<Vec<u8>>,
    /// Decoding time of the first sample, and the earliest presentation of the first fragment.
    first: u64,
    shown: u64,
    /// The newest sample's decoding time and its own duration.
    last: (u64, u32),
    /// Where the last sample in presentation order ends. Pictures are shown later than they are decoded.
    end: u64,
    durations: Runs<u32>,
    offsets: Runs<i32>,
    sizes: Vec<u32>,
    /// Numbers of the sync samples, from 1.
    keys: Vec<u32>,
    /// Offset from the media's begin, samples, sample entry from 1.
    chunks: Vec<(u64, u32, u32)>,
}

/// The tables of a movie.
#[derive(Clone, Debug, Default)]
pub struct Movie {
    lanes: Vec<Lane>,
    media_len: u64,
}

/// The bytes of a segment's samples in the order in which [`Movie::add`] placed them.
pub fn media<'a>(segment: &'a [u8], fragments: &'a [Fragment]) -> impl Iterator<Item = &'a [u8]> {
    let samples = fragments.iter().flat_map(|fragment| &fragment.samples);
    samples.map(|sample| segment.get(sample.data.clone()).unwrap_or_default())
}

impl Movie {
    /// Adds what was read of the next segment.
    pub fn add(&mut self, tracks: &[Track], fragments: &[Fragment]) -> Result<(), MovieError> {
        for fragment in fragments {
            let track = tracks.iter().find(|track| track.id == fragment.id).ok_or(MovieError::Track)?;
            let place = match self.lanes.iter().position(|lane| lane.kind == track.kind) {
                Some(place) => place,
                None => {
                    self.lanes.push(Lane::new(track, fragment));
                    self.lanes.len() - 1
                }
            };
            if let Some(lane) = self.lanes.get_mut(place) {
                self.media_len += lane.add(track, fragment, self.media_len)?;
            }
        }
        Ok(())
    }

    /// Bytes of media.
    pub fn media_len(&self) -> u64 {
        self.media_len
    }

    /// What stands before the media: `ftyp`, `moov` and the header of `mdat`.
    pub fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // How long the head is follows from the tables alone, and with it where the media begins.
        self.write(&mut out, 0, false);
        let mut at = out.len() as u64;
        let large = at + self.media_len > u64::from(u32::MAX);
        if large {
            out.clear();
            self.write(&mut out, 0, true);
            at = out.len() as u64;
        }
        out.clear();
        self.write(&mut out, at, large);
        out
    }

    /// `at` is where the media begins in the file; `large` says whether that takes 64 bits.
    fn write(&self, out: &mut Vec<u8>, at: u64, large: bool) {
        let zero = self.zero();
        let mut b = Boxes::new(out);
        b.boxed(b"ftyp", |b| {
            b.bytes(b"isom");
            b.u32(0x200);
            b.bytes(b"isomiso2avc1mp41");
        });
        b.boxed(b"moov", |b| {
            b.full(b"mvhd", 1, 0, |b| {
                b.zeros(16);
                b.u32(MEDIA_HZ);
                b.u64(self.lanes.iter().map(|lane| lane.edit(zero).end()).max().unwrap_or(0));
                b.u32(0x1_0000); // rate 1.0
                b.u16(0x100); // volume 1.0
                b.zeros(10);
                MATRIX.iter().for_each(|value| b.u32(*value));
                b.zeros(24);
                b.u32(self.lanes.len() as u32 + 1); // next_track_ID
            });
            for (lane, id) in self.lanes.iter().zip(1..) {
                lane.write(b, id, zero, at, large);
            }
        });
        if large {
            b.u32(1);
            b.bytes(b"mdat");
            b.u64(self.media_len.saturating_add(16));
        } else {
            b.u32((self.media_len + 8) as u32);
            b.bytes(b"mdat");
        }
    }

    /// Where the movie's time begins, in 1/90000 s: with the picture, or with the sound where there is no picture.
    fn zero(&self) -> u64 {
        let lane = self.lanes.iter().min_by_key(|lane| lane.kind);
        lane.map_or(0, |lane| scaled(lane.shown, lane.timescale, MEDIA_HZ))
    }
}

/// How a track lies in the movie, in 1/90000 s but for `from`.
struct Edit {
    /// Nothing is shown this long.
    empty: u64,
    /// Then the track from here on, in its own timescale.
    from: u64,
    /// This long.
    len: u64,
}

impl Edit {
    fn end(&self) -> u64 {
        self.empty.saturating_add(self.len)
    }
}

impl Lane {
    fn new(track: &Track, fragment: &Fragment) -> Lane {
        let mut at = fragment.start;
        let shown = fragment.samples.iter().map(|sample| {
            let shown = at.saturating_add_signed(i64::from(sample.cts));
            at = at.saturating_add(u64::from(sample.duration));
            shown
        });
        Lane {
            kind: track.kind,
            timescale: track.timescale,
            size: track.size,
            entries: Vec::new(),
            first: fragment.start,
            shown: shown.min().unwrap_or(fragment.start),
            last: (fragment.start, 0),
            end: fragment.start,
            durations: Runs(Vec::new()),
            offsets: Runs(Vec::new()),
            sizes: Vec::new(),
            keys: Vec::new(),
            chunks: Vec::new(),
        }
    }

    /// Adds a fragment whose media lies at `offset` of all media, and returns how long that is.
    fn add(&mut self, track: &Track, fragment: &Fragment, offset: u64) -> Result<u64, MovieError> {
        if self.sizes.len() + fragment.samples.len() > SAMPLES_MAX {
            return Err(MovieError::Samples);
        }
        let (mut at, mut len) = (fragment.start, 0);
        // Another sample rate than before: its times are said in the one that the track has.
        let time = |at: u64| scaled(at, track.timescale, self.timescale);
        let mut times = Vec::with_capacity(fragment.samples.len());
        for sample in &fragment.samples {
            let next = at.saturating_add(u64::from(sample.duration));
            let shown = time(at.saturating_add_signed(i64::from(sample.cts)));
            times.push((time(at), time(next) - time(at), shown));
            at = next;
        }
        for (sample, (at, duration, shown)) in fragment.samples.iter().zip(times) {
            let at = if self.sizes.is_empty() { at } else { self.follow(at)? };
            self.last = (at, u32::try_from(duration).map_err(|_| MovieError::Gap)?);
            self.end = self.end.max(shown.saturating_add(duration));
            let cts = i128::from(shown) - i128::from(at);
            self.offsets.push(cts.clamp(i128::from(i32::MIN), i128::from(i32::MAX)) as i32);
            let size = u32::try_from(sample.data.len()).unwrap_or(u32::MAX);
            self.sizes.push(size);
            if sample.key {
                self.keys.push(self.sizes.len() as u32);
            }
            len += u64::from(size);
        }
        let entry = self.entries.iter().position(|entry| *entry == track.entry);
        let entry = entry.unwrap_or_else(|| {
            self.entries.push(track.entry.clone());
            self.entries.len() - 1
        });
        self.chunks.push((offset, fragment.samples.len() as u32, entry as u32 + 1));
        Ok(len)
    }

    /// A sample follows that should be decoded at `at`: the newest one lasts until then. What lies too early is moved behind
    /// it. Returns when it is decoded.
    fn follow(&mut self, at: u64) -> Result<u64, MovieError> {
        let at = at.max(self.last.0.saturating_add(1));
        self.durations.push(u32::try_from(at - self.last.0).map_err(|_| MovieError::Gap)?);
        Ok(at)
    }

    /// The track's length, in its timescale.
    fn len(&self) -> u64 {
        self.last.0 - self.first + u64::from(self.last.1)
    }

    /// What is added to each composition offset, and left out of what is shown: readers that are older than signed offsets take
    /// no other.
    fn ahead(&self) -> u32 {
        self.offsets.0.iter().map(|(_, offset)| *offset).min().unwrap_or(0).min(0).unsigned_abs()
    }

    fn edit(&self, zero: u64) -> Edit {
        let zero = scaled(zero, MEDIA_HZ, self.timescale);
        let from = zero.saturating_sub(self.first);
        let to_movie = |ticks: u64| scaled(ticks, self.timescale, MEDIA_HZ);
        Edit {
            empty: to_movie(self.first.saturating_sub(zero)),
            from: from.saturating_add(self.ahead().into()),
            len: to_movie(self.end.saturating_sub(self.first).saturating_sub(from)),
        }
    }

    fn write(&self, b: &mut Boxes<'_>, id: u32, zero: u64, at: u64, large: bool) {
        let (edit, video) = (self.edit(zero), self.kind == Kind::Video);
        b.boxed(b"trak", |b| {
            b.full(b"tkhd", 1, 7, |b| {
                b.zeros(16);
                b.u32(id);
                b.zeros(4);
                b.u64(edit.end());
                b.zeros(12);
                b.u16(if video { 0 } else { 0x100 });
                b.zeros(2);
                MATRIX.iter().for_each(|value| b.u32(*value));
                b.u32(self.size.0);
                b.u32(self.size.1);
            });
            b.boxed(b"edts", |b| {
                b.full(b"elst", 1, 0, |b| {
                    b.u32(if edit.empty > 0 { 2 } else { 1 });
                    if edit.empty > 0 {
                        b.u64(edit.empty);
                        b.u64(u64::MAX); // -1: nothing
                        b.u32(0x1_0000);
                    }
                    b.u64(edit.len);
                    b.u64(edit.from);
                    b.u32(0x1_0000);
                });
            });
            b.boxed(b"mdia", |b| {
                b.full(b"mdhd", 1, 0, |b| {
                    b.zeros(16);
                    b.u32(self.timescale);
                    b.u64(self.len());
                    b.u16(UNDETERMINED);
                    b.zeros(2);
                });
                match video {
                    true => handler(b, b"vide", b"video\0"),
                    false => handler(b, b"soun", b"audio\0"),
                }
                b.boxed(b"minf", |b| {
                    match video {
                        true => b.full(b"vmhd", 0, 1, |b| b.zeros(8)),
                        false => b.full(b"smhd", 0, 0, |b| b.zeros(4)),
                    }
                    data_here(b);
                    b.boxed(b"stbl", |b| self.tables(b, at, large));
                });
            });
        });
    }

    fn tables(&self, b: &mut Boxes<'_>, at: u64, large: bool) {
        b.full(b"stsd", 0, 0, |b| {
            b.u32(self.entries.len() as u32);
            self.entries.iter().for_each(|entry| b.bytes(entry));
        });
        let mut durations = self.durations.clone();
        if !self.sizes.is_empty() {
            durations.push(self.last.1);
        }
        b.full(b"stts", 0, 0, |b| {
            b.u32(durations.0.len() as u32);
            for (count, duration) in &durations.0 {
                b.u32(*count);
                b.u32(*duration);
            }
        });
        if self.offsets.0.iter().any(|(_, offset)| *offset != 0) {
            let ahead = self.ahead();
            b.full(b"ctts", 0, 0, |b| {
                b.u32(self.offsets.0.len() as u32);
                for (count, offset) in &self.offsets.0 {
                    b.u32(*count);
                    b.u32(ahead.saturating_add_signed(*offset));
                }
            });
        }
        if self.keys.len() < self.sizes.len() {
            b.full(b"stss", 0, 0, |b| {
                b.u32(self.keys.len() as u32);
                self.keys.iter().for_each(|key| b.u32(*key));
            });
        }
        let mut runs: Vec<(u32, u32, u32)> = Vec::new();
        for ((_, samples, entry), chunk) in self.chunks.iter().zip(1..) {
            if runs.last().is_none_or(|(_, of, with)| (of, with) != (samples, entry)) {
                runs.push((chunk, *samples, *entry));
            }
        }
        b.full(b"stsc", 0, 0, |b| {
            b.u32(runs.len() as u32);
            for (chunk, samples, entry) in runs {
                b.u32(chunk);
                b.u32(samples);
                b.u32(entry);
            }
        });
        b.full(b"stsz", 0, 0, |b| {
            b.u32(0); // each has its own
            b.u32(self.sizes.len() as u32);
            self.sizes.iter().for_each(|size| b.u32(*size));
        });
        if self.entries.iter().any(|entry| entry.get(4..8) == Some(b"Opus")) {
            entry::roll(b, durations.0.first().map_or(opus::FRAME_LEN, |(_, len)| *len));
            entry::rolling(b, self.sizes.len() as u32);
        }
        b.full(if large { b"co64" } else { b"stco" }, 0, 0, |b| {
            b.u32(self.chunks.len() as u32);
            for (offset, _, _) in &self.chunks {
                match large {
                    true => b.u64(offset + at),
                    false => b.u32((offset + at) as u32),
                }
            }
        });
    }
}

/// A time in another timescale, rounded to the nearest tick.
fn scaled(ticks: u64, from: u32, to: u32) -> u64 {
    if from == to {
        return ticks;
    }
    let scaled = (u128::from(ticks) * u128::from(to) + u128::from(from / 2)) / u128::from(from);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
