//! Sample entries: what a decoder must know before its first sample.

use super::boxes::{Boxes, descriptor_len};
use crate::codec::opus;
use crate::media::{AudioCoding, AudioConfig, Colour, VideoCoding, VideoConfig};

/// How long before a sample an Opus decoder must begin to come to the same sound: 80 ms (Opus in ISOBMFF, 4.3.6.2).
const OPUS_ROLL: u32 = 3840;

/// ISO/IEC 14496-15, 5.4.2 and 8.4.1; AV1 in ISOBMFF, 2.2. The parameter sets are in the entry.
pub(super) fn video(b: &mut Boxes<'_>, config: &VideoConfig) {
    let (name, record) = match config.coding {
        VideoCoding::Avc => (b"avc1", b"avcC"),
        VideoCoding::Hevc => (b"hvc1", b"hvcC"),
        VideoCoding::Av1 => (b"av01", b"av1C"),
    };
    b.boxed(name, |b| {
        b.zeros(6);
        b.u16(1); // data_reference_index
        b.zeros(16);
        b.u16(config.width);
        b.u16(config.height);
        b.u32(0x48_0000); // 72 dpi, both ways
        b.u32(0x48_0000);
        b.zeros(4);
        b.u16(1); // frames in a sample
        b.zeros(32); // compressorname
        b.u16(0x18); // depth
        b.u16(0xffff); // pre_defined
        b.boxed(record, |b| b.bytes(&config.record));
        if let Some(colour) = config.colour {
            self::colour(b, colour);
        }
    });
}

/// `colr` (ISO/IEC 14496-12, 12.1.5).
fn colour(b: &mut Boxes<'_>, colour: Colour) {
    b.boxed(b"colr", |b| {
        b.bytes(b"nclx");
        b.u16(u16::from(colour.primaries));
        b.u16(u16::from(colour.transfer));
        b.u16(u16::from(colour.matrix));
        b.u8(u8::from(colour.full_range) << 7);
    });
}

/// ISO/IEC 14496-14, 5.6; Opus in ISOBMFF, 4.3.1.
pub(super) fn audio(b: &mut Boxes<'_>, config: &AudioConfig) {
    let name = match config.coding {
        AudioCoding::Aac => b"mp4a",
        AudioCoding::Opus => b"Opus",
    };
    b.boxed(name, |b| {
        b.zeros(6);
        b.u16(1); // data_reference_index
        b.zeros(8);
        b.u16(u16::from(config.channels));
        b.u16(16); // samplesize
        b.zeros(4);
        b.u16(u16::try_from(config.sample_rate).unwrap_or(0)); // 16.16; 0 above what fits
        b.u16(0);
        match config.coding {
            AudioCoding::Aac => b.full(b"esds", 0, 0, |b| esds(b, &config.record)),
            AudioCoding::Opus => b.boxed(b"dOps", |b| b.bytes(&config.record)),
        }
    });
}

/// The descriptors of an AAC track (ISO/IEC 14496-14, 5.6; 14496-1, 7.2.6.5).
fn esds(b: &mut Boxes<'_>, asc: &[u8]) {
    let decoder_config = 13 + descriptor_len(asc.len());
    b.descriptor(3, 3 + descriptor_len(decoder_config) + descriptor_len(1));
    b.u16(0); // ES_ID: by the track
    b.u8(0);
    b.descriptor(4, decoder_config);
    b.u8(0x40); // MPEG-4 audio
    b.u8(0x15); // audio stream
    b.zeros(11); // buffer size and bit rates: not known ahead
    b.descriptor(5, asc.len());
    b.bytes(asc);
    b.descriptor(6, 1);
    b.u8(2); // as MP4 files have it
}

/// `sgpd` with the one group of samples that need others before them to be heard right (ISO/IEC 14496-12, 8.9.3 and 10.1):
/// `frame_len` samples are in a frame.
pub(super) fn roll(b: &mut Boxes<'_>, frame_len: u32) {
    let frames = OPUS_ROLL.div_ceil(frame_len.clamp(1, opus::FRAME_LEN_MAX));
    b.full(b"sgpd", 1, 0, |b| {
        b.bytes(b"roll");
        b.u32(2); // length of an entry
        b.u32(1); // entries
        b.u16((frames as u16).wrapping_neg());
    });
}

/// Length of what [`rolling`] writes.
pub(super) const ROLLING_LEN: usize = 28;

/// `sbgp` that puts so many samples, which are all of a track or a fragment, into the group of [`roll`] (8.9.2).
pub(super) fn rolling(b: &mut Boxes<'_>, samples: u32) {
    b.full(b"sbgp", 0, 0, |b| {
        b.bytes(b"roll");
        b.u32(1);
        b.u32(samples);
        b.u32(1);
    });
}
