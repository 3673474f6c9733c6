//! An access unit in which nothing is to be heard, for each kind of sound that is taken.
//!
//! AAC: a `raw_data_block` of the elements that the parameters tell, none of which has a spectral line (ISO/IEC 14496-3,
//! 4.4.2.1). With SBR, the core is silent, and a decoder without SBR data makes twice as many samples of it. Opus: in each stream a
//! frame of CELT that says that it is silent (RFC 6716, 4.3: the first symbol).

use alloc::vec::Vec;

use bytes::Bytes;

use super::aac::{self, Element};
use crate::media::{AudioCoding, AudioConfig};

/// `ID_END` (table 4.85).
const END: u32 = 7;

/// CELT, full band; for two channels with the bit that says so (RFC 6716, 3.1).
const CELT: u8 = 28;
const STEREO: u8 = 4;

/// A packet of any number of frames (RFC 6716, 3.2.5), and the most of those of 20 ms.
const SEVERAL: u8 = 3;
const FRAMES_MAX: u32 = 6;

/// What an arithmetic coder writes for "silence" (RFC 6716, 4.3), as all encoders do.
const SILENT: [u8; 2] = [0xff, 0xfe];

/// One access unit of silence, as long as [`AudioConfig::frame_len`] says. `None` where the parameters tell no elements, or no frame is
/// as long.
pub fn frame(config: &AudioConfig) -> Option<Bytes> {
    match config.coding {
        AudioCoding::Aac => Some(raw_data_block(&aac::elements(&config.record)?)),
        AudioCoding::Opus => opus(&config.record, config.frame_len),
    }
}

/// The parameters of sound that nobody sends: AAC-LC, 48 kHz, stereo.
pub fn usual() -> AudioConfig {
    AudioConfig {
        coding: AudioCoding::Aac,
        record: Bytes::from_static(&[0x11, 0x90]),
        codec: "mp4a.40.2".into(),
        sample_rate: 48_000,
        channels: 2,
        frame_len: 1024,
    }
}

fn raw_data_block(elements: &[Element]) -> Bytes {
    let mut bits = Written::default();
    for element in elements {
        let (id, tag, pair) = match *element {
            Element::Single(tag) => (0, tag, false),
            Element::Pair(tag) => (1, tag, true),
            Element::Low(tag) => (3, tag, false),
        };
        bits.put(id, 3);
        bits.put(u32::from(tag), 4);
        if pair {
            bits.put(1, 1); // common_window
            ics_info(&mut bits);
            bits.put(0, 2); // ms_mask_present
        }
        for _ in 0..if pair { 2 } else { 1 } {
            bits.put(0, 8); // global_gain
            if !pair {
                ics_info(&mut bits);
            }
            // No sections, since no scale factor band has anything. Then: no pulses, no noise shaping, no gain control.
            bits.put(0, 3);
        }
    }
    bits.put(END, 3);
    bits.bytes.into()
}

/// `ics_info` (4.4.2.1): one long window, of which no scale factor band has anything.
fn ics_info(bits: &mut Written) {
    bits.put(0, 1 + 2 + 1); // reserved, ONLY_LONG_SEQUENCE, a sine window
    bits.put(0, 6); // max_sfb
    bits.put(0, 1); // predictor_data_present
}

/// The configuration number of a frame of CELT, and how many of them last so many samples of 48 kHz.
fn frames(frame_len: u32) -> Option<(u8, u8)> {
    match frame_len {
        120 => Some((CELT, 1)),
        240 => Some((CELT + 1, 1)),
        480 => Some((CELT + 2, 1)),
        _ => {
            let count = frame_len.is_multiple_of(960).then_some(frame_len / 960);
            let count = count.filter(|count| (1..=FRAMES_MAX).contains(count))?;
            Some((CELT + 3, u8::try_from(count).ok()?))
        }
    }
}

/// `record` is the content of a `dOps`: with more than two channels it says how many streams there are, and how many of them are
/// of two channels. All but the last are delimited (RFC 6716, appendix B).
fn opus(record: &[u8], frame_len: u32) -> Option<Bytes> {
    let (celt, count) = frames(frame_len)?;
    let (streams, coupled) = match *record.get(10)? {
        0 => (1, record.get(1)?.saturating_sub(1)),
        _ => (*record.get(11)?, *record.get(12)?),
    };
    if streams == 0 || coupled > streams {
        return None;
    }
    let mut packet = Vec::with_capacity(usize::from(streams) * 4);
    for n in 0..streams {
        let stereo = if n < coupled { STEREO } else { 0 };
        match count {
            1 => packet.push(celt << 3 | stereo),
            _ => packet.extend([celt << 3 | stereo | SEVERAL, count]),
        }
        if n + 1 < streams {
            packet.push(SILENT.len() as u8);
        }
        (0..count).for_each(|_| packet.extend_from_slice(&SILENT));
    }
    Some(packet.into())
}

/// Bits, the most significant first.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    len: usize,
}

impl Written {
    fn put(&mut self, value: u32, count: u32) {
        for n in (0..count).rev() {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> n & 1) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= bit << (7 - self.len % 8);
            }
            self.len += 1;
        }
    }
}
