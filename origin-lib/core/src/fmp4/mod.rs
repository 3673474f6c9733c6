//! The boxes of an init segment and of a segment (ISO/IEC 14496-12; RFC 8216bis, 3.1.2). Decides nothing. [`read`] reads them
//! back, and [`movie`] makes one file of many segments.
//!
//! Both are pure functions: the same tracks or the same cut give the same bytes, anywhere, and a segment's bytes depend
//! on no other segment. Video is track 1 in 1/90000 s; audio is track 2 in samples a second. Decoding times count from
//! 1970, in 64 bits; those of video as if decoding began when the first picture of a segment is shown.

mod boxes;
mod entry;
mod event;
mod join;
mod layout;
pub mod movie;
pub mod read;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

pub use event::Event;
pub use join::join;

use boxes::Boxes;
use layout::{KEY, NOT_KEY, Run};

use crate::media::{AudioCoding, AudioConfig, Cut, Tracks, VideoConfig};
use crate::time::{MEDIA_HZ, MediaTime};

/// `track_ID` of video.
pub const VIDEO_TRACK: u32 = 1;

/// `track_ID` of audio.
pub const AUDIO_TRACK: u32 = 2;

/// The unity matrix of `mvhd` and `tkhd`, in 16.16 and 2.30 fixed point.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// "und" in three times five bits.
const UNDETERMINED: u16 = 0x55c4;

/// `mfhd` sequence number of a segment or a part that starts at `start`: the low 32 bits of its milliseconds.
///
/// So every origin writes the same, and the numbers of what follows one another increase (ISO/IEC 14496-12, 8.8.5), also of several
/// segments of one epoch-aligned index, as names tell these apart by their milliseconds. Every 49.7 days they begin
/// again at 0, between two segments.
pub fn sequence(start: MediaTime) -> u32 {
    start.utc().0 as u32
}

/// The init segment of these tracks: `ftyp` and `moov` with `mvex` (ISO/IEC 14496-12, 8.8.1).
pub fn init(tracks: &Tracks) -> Vec<u8> {
    let mut out = Vec::with_capacity(1536);
    let mut b = Boxes::new(&mut out);
    b.boxed(b"ftyp", |b| {
        b.bytes(b"iso6");
        b.u32(0);
        b.bytes(b"iso6mp41");
    });
    b.boxed(b"moov", |b| {
        b.full(b"mvhd", 0, 0, |b| {
            b.zeros(8); // created, modified: never, so that the bytes are the same at every origin
            b.u32(MEDIA_HZ);
            b.u32(0); // duration: in the segments
            b.u32(0x1_0000); // rate 1.0
            b.u16(0x100); // volume 1.0
            b.zeros(10);
            MATRIX.iter().for_each(|value| b.u32(*value));
            b.zeros(24);
            b.u32(AUDIO_TRACK + 1); // next_track_ID
        });
        if let Some(video) = &tracks.video {
            video_track(b, video);
        }
        if let Some(audio) = &tracks.audio {
            audio_track(b, audio);
        }
        b.boxed(b"mvex", |b| {
            if tracks.video.is_some() {
                trex(b, VIDEO_TRACK, 0, NOT_KEY);
            }
            if let Some(audio) = &tracks.audio {
                trex(b, AUDIO_TRACK, audio.frame_len, KEY);
            }
        });
    });
    out
}

/// Appends a segment to `out`: `styp`, one `moof` with a `traf` for each track that has samples, and `mdat`.
///
/// `sequence` goes into `mfhd`; see [`sequence()`]. The buffer grows once, by exactly the segment's length, and each
/// sample is copied once. A cut holds less than 2 GiB of media ([`crate::segment::OPEN_LEN_MAX`] sees to that).
pub fn segment(cut: &Cut, sequence: u32, out: &mut Vec<u8>) {
    segment_with(cut, sequence, &[], out);
}

/// The same with events before the `moof`.
pub fn segment_with(cut: &Cut, sequence: u32, events: &[Event], out: &mut Vec<u8>) {
    let video = Run::video(cut).map(|run| Fragment::new(VIDEO_TRACK, run, None, false));
    let audio = cut.tracks.audio.as_ref().and_then(|config| {
        let run = Run::audio(&cut.audio, cut.audio_end, config)?;
        let rolling = config.coding == AudioCoding::Opus;
        Some(Fragment::new(AUDIO_TRACK, run, Some(config.frame_len), rolling))
    });
    let fragments = [video, audio];
    let fragments = || fragments.iter().flatten();

    let moof_len = 8 + MFHD_LEN + fragments().map(Fragment::len).sum::<usize>();
    let media_len = fragments().map(|fragment| fragment.run.media_len()).sum::<usize>();
    let events_len = events.iter().map(event::len).sum::<usize>();
    out.reserve_exact(STYP_LEN + events_len + moof_len + 8 + media_len);

    let mut b = Boxes::new(out);
    b.boxed(b"styp", |b| {
        b.bytes(b"msdh");
        b.u32(0);
        b.bytes(b"msdhiso6");
    });
    events.iter().for_each(|event| event::write(&mut b, event));
    b.boxed(b"moof", |b| {
        b.full(b"mfhd", 0, 0, |b| b.u32(sequence));
        let mut offset = moof_len + 8;
        for fragment in fragments() {
            fragment.write(b, i32::try_from(offset).unwrap_or(i32::MAX));
            offset += fragment.run.media_len();
        }
    });
    b.boxed(b"mdat", |b| {
        let audio: &[_] = if cut.tracks.audio.is_some() { &cut.audio } else { &[] };
        for sample in cut.video.iter().chain(audio) {
            b.bytes(&sample.data);
        }
    });
}

/// How long what [`name_init`] appends is at most, in bytes.
pub(crate) const INIT_NAMED_LEN_MAX: usize = 8 + INIT_FILE_LEN_MAX;

/// The longest file name of an init segment.
const INIT_FILE_LEN_MAX: usize = 56;

/// Appends to a segment which init segment it needs, by its file's name, in a box that players skip: whoever finds the segment can
/// tell whether it plays with that one ([`read::init_named`]).
pub fn name_init(init: &str, out: &mut Vec<u8>) {
    let file = init.rsplit('/').next().filter(|file| file.len() <= INIT_FILE_LEN_MAX);
    let mut b = Boxes::new(out);
    b.boxed(b"free", |b| b.bytes(file.unwrap_or_default().as_bytes()));
}

const STYP_LEN: usize = 24;
const MFHD_LEN: usize = 16;

/// A track run and which of its values are said once for all samples.
struct Fragment {
    track: u32,
    run: Run,
    /// Said in `tfhd` where all samples have it and `trex` says otherwise.
    duration: Option<u32>,
    size: Option<u32>,
    /// Columns of the `trun`.
    durations: bool,
    sizes: bool,
    flags: bool,
    offsets: bool,
    /// The first sample is a sync sample and the others are not.
    first_key: bool,
    /// Each sample needs others before it.
    rolling: bool,
}

impl Fragment {
    /// `usual` is the duration that `trex` names.
    fn new(track: u32, run: Run, usual: Option<u32>, rolling: bool) -> Fragment {
        let duration = run.same(|entry| entry.duration);
        let size = run.same(|entry| entry.size);
        let trex_flags = if track == VIDEO_TRACK { NOT_KEY } else { KEY };
        let as_trex = run.same(|entry| entry.flags) == Some(trex_flags);
        let mut flags = run.entries.iter().map(|entry| entry.flags);
        let first_key = !as_trex && flags.next() == Some(KEY) && flags.all(|flags| flags == NOT_KEY);
        Fragment {
            track,
            duration: duration.filter(|_| duration != usual),
            size,
            durations: duration.is_none(),
            sizes: size.is_none(),
            flags: !as_trex && !first_key,
            offsets: run.same(|entry| entry.cts.cast_unsigned()) != Some(0),
            first_key,
            rolling,
            run,
        }
    }

    /// Length of the `traf`.
    fn len(&self) -> usize {
        let optional = |present: bool| if present { 4 } else { 0 };
        let tfhd = 16 + optional(self.duration.is_some()) + optional(self.size.is_some());
        let row =
            optional(self.durations) + optional(self.sizes) + optional(self.flags) + optional(self.offsets);
        let trun = 20 + optional(self.first_key) + row * self.run.entries.len();
        8 + tfhd + 20 + trun + if self.rolling { entry::ROLLING_LEN } else { 0 }
    }

    /// `traf` (ISO/IEC 14496-12, 8.8.6); `offset` is that of the track's media from the start of the `moof`.
    fn write(&self, b: &mut Boxes<'_>, offset: i32) {
        let flag = |present: bool, flag: u32| if present { flag } else { 0 };
        b.boxed(b"traf", |b| {
            // default-base-is-moof, and the defaults that differ from those of trex
            let flags = 0x2_0000 | flag(self.duration.is_some(), 0x8) | flag(self.size.is_some(), 0x10);
            b.full(b"tfhd", 0, flags, |b| {
                b.u32(self.track);
                self.duration.iter().chain(&self.size).for_each(|value| b.u32(*value));
            });
            b.full(b"tfdt", 1, 0, |b| b.u64(self.run.start));
            let flags = 0x1 // data-offset
                | flag(self.first_key, 0x4)
                | flag(self.durations, 0x100)
                | flag(self.sizes, 0x200)
                | flag(self.flags, 0x400)
                | flag(self.offsets, 0x800);
            b.full(b"trun", 1, flags, |b| {
                b.u32(u32::try_from(self.run.entries.len()).unwrap_or(u32::MAX));
                b.u32(offset.cast_unsigned());
                if self.first_key {
                    b.u32(KEY);
                }
                for entry in &self.run.entries {
                    for (present, value) in [
                        (self.durations, entry.duration),
                        (self.sizes, entry.size),
                        (self.flags, entry.flags),
                        (self.offsets, entry.cts.cast_unsigned()),
                    ] {
                        if present {
                            b.u32(value);
                        }
                    }
                }
            });
            if self.rolling {
                entry::rolling(b, u32::try_from(self.run.entries.len()).unwrap_or(u32::MAX));
            }
        });
    }
}

/// What differs between the two `trak` boxes.
struct Track<'a> {
    id: u32,
    timescale: u32,
    handler: &'a [u8; 4],
    /// Null-terminated, for people who look into the file.
    name: &'a [u8],
    volume: u16,
    width: u16,
    height: u16,
}

fn video_track(b: &mut Boxes<'_>, config: &VideoConfig) {
    let track = Track {
        id: VIDEO_TRACK,
        timescale: MEDIA_HZ,
        handler: b"vide",
        name: b"video\0",
        volume: 0,
        width: config.width,
        height: config.height,
    };
    trak(b, &track, |b| b.full(b"vmhd", 0, 1, |b| b.zeros(8)), |b| entry::video(b, config), |_| {});
}

fn audio_track(b: &mut Boxes<'_>, config: &AudioConfig) {
    let track = Track {
        id: AUDIO_TRACK,
        timescale: config.sample_rate,
        handler: b"soun",
        name: b"audio\0",
        volume: 0x100,
        width: 0,
        height: 0,
    };
    trak(
        b,
        &track,
        |b| b.full(b"smhd", 0, 0, |b| b.zeros(4)),
        |b| entry::audio(b, config),
        |b| {
            if config.coding == AudioCoding::Opus {
                entry::roll(b, config.frame_len);
            }
        },
    );
}

fn trak(
    b: &mut Boxes<'_>,
    track: &Track<'_>,
    media_header: impl FnOnce(&mut Boxes<'_>),
    sample_entry: impl FnOnce(&mut Boxes<'_>),
    groups: impl FnOnce(&mut Boxes<'_>),
) {
    b.boxed(b"trak", |b| {
        // enabled, in movie, in preview
        b.full(b"tkhd", 0, 7, |b| {
            b.zeros(8);
            b.u32(track.id);
            b.zeros(8);
            b.zeros(8);
            b.zeros(4);
            b.u16(track.volume);
            b.zeros(2);
            MATRIX.iter().for_each(|value| b.u32(*value));
            b.u32(u32::from(track.width) << 16);
            b.u32(u32::from(track.height) << 16);
        });
        b.boxed(b"mdia", |b| {
            b.full(b"mdhd", 0, 0, |b| {
                b.zeros(8);
                b.u32(track.timescale);
                b.u32(0);
                b.u16(UNDETERMINED);
                b.zeros(2);
            });
            handler(b, track.handler, track.name);
            b.boxed(b"minf", |b| {
                media_header(b);
                data_here(b);
                b.boxed(b"stbl", |b| {
                    b.full(b"stsd", 0, 0, |b| {
                        b.u32(1);
                        sample_entry(b);
                    });
                    b.full(b"stts", 0, 0, |b| b.u32(0));
                    b.full(b"stsc", 0, 0, |b| b.u32(0));
                    b.full(b"stsz", 0, 0, |b| b.zeros(8));
                    b.full(b"stco", 0, 0, |b| b.u32(0));
                    groups(b);
                });
            });
        });
    });
}

fn handler(b: &mut Boxes<'_>, handler: &[u8; 4], name: &[u8]) {
    b.full(b"hdlr", 0, 0, |b| {
        b.zeros(4);
        b.bytes(handler);
        b.zeros(12);
        b.bytes(name);
    });
}

/// `dinf`: the media is in this file.
fn data_here(b: &mut Boxes<'_>) {
    b.boxed(b"dinf", |b| {
        b.full(b"dref", 0, 0, |b| {
            b.u32(1);
            b.full(b"url ", 0, 1, |_| {});
        });
    });
}

/// `trex` (ISO/IEC 14496-12, 8.8.3): what a fragment needn't say.
fn trex(b: &mut Boxes<'_>, track: u32, duration: u32, flags: u32) {
    b.full(b"trex", 0, 0, |b| {
        b.u32(track);
        b.u32(1); // sample description
        b.u32(duration);
        b.u32(0); // size: always in the fragment
        b.u32(flags);
    });
}
