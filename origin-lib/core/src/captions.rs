//! Closed captions in the pictures: CEA-608 and CEA-708 in the SEI messages of H.264 and H.265 (ATSC A/53 part 4, 6.2.3), and in the metadata
//! of AV1 (AV1, 5.8.2), where the same messages of ITU-T T.35 are.
//!
//! They are media, which nobody changes here: this only looks for what a playlist must announce (RFC 8216bis, 4.4.6.1).
//! What a segment shows follows from the segment alone, so that every origin of a channel sees the same.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{av1, avc, hevc, nal};
use crate::media::{Cut, Sample, VideoCoding, VideoConfig};

#[cfg(test)]
pub(crate) mod tests;

/// The most bytes of an SEI NAL unit that are looked at. Captions take about a hundred.
const SEI_LEN_MAX: usize = 4096;

/// The most messages with captions of one access unit: one for each of its fields, and as many again.
const MESSAGES_MAX: usize = 4;

/// The most bytes of caption data of a message: 31 of three (A/53 part 4, table 6.8).
const DATA_LEN_MAX: usize = 31 * 3;

/// Which captions were seen. It only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Captions {
    /// Of CEA-608: bit 0 for CC1, up to bit 3 for CC4.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lines: u8,
    /// Of CEA-708: bit n for service n, 1 to 63.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub services: u64,
}

fn is_zero<T: Default + PartialEq>(bits: &T) -> bool {
    *bits == T::default()
}

/// One of them: its text is its `INSTREAM-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instream {
    /// CEA-608, 1 to 4.
    Line(u8),
    /// CEA-708, 1 to 63.
    Service(u8),
}

impl fmt::Display for Instream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instream::Line(n) => write!(f, "CC{n}"),
            Instream::Service(n) => write!(f, "SERVICE{n}"),
        }
    }
}

impl Captions {
    /// Whether none were seen.
    pub fn is_none(&self) -> bool {
        *self == Captions::default()
    }

    /// These and those; says whether any of those is news.
    pub fn add(&mut self, other: Captions) -> bool {
        let before = *self;
        self.lines |= other.lines;
        self.services |= other.services;
        *self != before
    }

    /// Those that were seen.
    pub fn seen(self) -> impl Iterator<Item = Instream> {
        let lines =
            (0..4_u8).filter(move |bit| self.lines >> bit & 1 == 1).map(|bit| Instream::Line(bit + 1));
        let services = (1..64_u8).filter(move |n| self.services >> n & 1 == 1).map(Instream::Service);
        lines.chain(services)
    }

    /// What a segment shows. What makes no sense is passed over.
    pub fn of(cut: &Cut) -> Captions {
        let Some(video) = &cut.tracks.video else { return Captions::default() };
        // They are meant in the order in which the pictures are shown (A/53 part 4, 6.2.3).
        let mut data: Vec<_> = cut.video.iter().flat_map(|sample| data_of(sample, video)).collect();
        data.sort_by_key(|(pts, _)| *pts);
        let mut decoder = Decoder::default();
        for (_, data) in &data {
            data.chunks_exact(3).for_each(|construct| decoder.take(construct));
        }
        decoder.captions
    }
}

/// The caption data of an access unit: three bytes for each construct.
fn data_of(sample: &Sample, video: &VideoConfig) -> Vec<(crate::time::MediaTime, Vec<u8>)> {
    if video.coding == VideoCoding::Av1 {
        let data = av1::registered(&sample.data).filter_map(captions_of);
        return data.take(MESSAGES_MAX).map(|data| (sample.pts(), data)).collect();
    }
    let avc = video.coding == VideoCoding::Avc;
    let length_size =
        if avc { avc::length_size(&video.record) } else { hevc::length_size(&video.record) }.unwrap_or(4);
    let units = nal::units(&sample.data, length_size).map_while(|unit| unit);
    let messages = units.filter_map(|unit| if avc { avc::sei(unit) } else { hevc::sei(unit) });
    let data = messages.flat_map(|sei| messages_of(sei.get(..SEI_LEN_MAX).unwrap_or(sei)));
    data.take(MESSAGES_MAX).map(|data| (sample.pts(), data)).collect()
}

/// The caption data of each message of an SEI NAL unit's payload (H.264 and H.265, 7.3.2.3 and 7.3.5).
fn messages_of(sei: &[u8]) -> Vec<Vec<u8>> {
    const REGISTERED: usize = 4;
    let mut found = Vec::new();
    let bytes = nal::without_emulation_prevention(sei);
    let mut rest = &*bytes;
    // The last byte only ends the NAL unit.
    while rest.len() > 2 {
        let Some((kind, after)) = number(rest) else { break };
        let Some((size, after)) = number(after) else { break };
        let Some((payload, after)) = after.split_at_checked(size) else { break };
        rest = after;
        if kind == REGISTERED {
            found.extend(captions_of(payload));
        }
    }
    found
}

/// A number of an SEI message's head: 255 for each byte that is all ones, and the byte behind them.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let ones = bytes.iter().take_while(|byte| **byte == 0xff).count();
    let (last, rest) = bytes.get(ones..)?.split_first()?;
    Some((255 * ones + usize::from(*last), rest))
}

/// `cc_data()` of a registered user data message, where it is ATSC's.
fn captions_of(payload: &[u8]) -> Option<Vec<u8>> {
    /// The country, the provider, `GA94`, and the type of captions.
    const HEAD: [u8; 8] = [0xb5, 0x00, 0x31, b'G', b'A', b'9', b'4', 0x03];
    const PROCESS: u8 = 0x40;
    let (&[flags, _], data) = payload.strip_prefix(&HEAD)?.split_first_chunk::<2>()?;
    let len = 3 * usize::from(flags & 0x1f);
    (flags & PROCESS != 0).then(|| data.get(..len.min(DATA_LEN_MAX)).unwrap_or_default().to_vec())
}

/// Follows the constructs of a segment.
#[derive(Default)]
struct Decoder {
    captions: Captions,
    /// The bytes so far of a caption channel packet of CEA-708.
    packet: Vec<u8>,
}

impl Decoder {
    fn take(&mut self, construct: &[u8]) {
        let &[head, first, second] = construct else { return };
        let is_valid = head & 4 != 0;
        match head & 3 {
            _ if !is_valid => {}
            field @ (0 | 1) => self.line_21(field, first, second),
            start => {
                if start == 3 {
                    self.packet.clear();
                } else if self.packet.is_empty() {
                    return;
                }
                self.packet.extend([first, second]);
                self.packet();
            }
        }
    }

    /// A pair of bytes of CEA-608. Only the commands with which captions, of whatever style, begin tell that there are some:
    /// encoders erase and pad also where there are none.
    fn line_21(&mut self, field: u8, first: u8, second: u8) {
        const CAPTIONS: [u8; 5] = [0x20, 0x25, 0x26, 0x27, 0x29];
        let is_whole = |byte: u8| byte.count_ones() % 2 == 1;
        if !is_whole(first) || !is_whole(second) {
            return;
        }
        let (first, second) = (first & 0x7f, second & 0x7f);
        // 0x14 and 0x1c; in the second field, 0x15 and 0x1d as well.
        if first & 0x76 == 0x14 && CAPTIONS.contains(&second) {
            self.captions.lines |= 1 << (2 * field + (first >> 3 & 1));
        }
    }

    /// Reads a caption channel packet once it is whole (CEA-708, 5 and 6.2).
    fn packet(&mut self) {
        let code = self.packet.first().map_or(0, |head| usize::from(head & 0x3f));
        let len = if code == 0 { 128 } else { 2 * code };
        if self.packet.len() < len {
            return;
        }
        let mut rest = self.packet.get(1..len).unwrap_or_default();
        while let Some((head, after)) = rest.split_first() {
            let (mut service, size) = (head >> 5, usize::from(head & 0x1f));
            rest = after;
            if service == 7 && size > 0 {
                let Some((extended, after)) = rest.split_first() else { break };
                (service, rest) = (extended & 0x3f, after);
            }
            let Some((_, after)) = rest.split_at_checked(size).filter(|_| service > 0) else { break };
            rest = after;
            if size > 0 {
                self.captions.services |= 1 << service;
            }
        }
        self.packet.clear();
    }
}
