//! Enhanced RTMP's headers (Veovera, Enhanced RTMP v2: Enhanced Audio, Enhanced Video): what a message says of each of its tracks.

use alloc::vec::Vec;

use bytes::{Buf, Bytes};

use super::{Error, TagKind};

/// `VideoPacketType` and `AudioPacketType`, as far as both have them.
pub(super) const SEQUENCE_START: u8 = 0;
pub(super) const CODED_FRAMES: u8 = 1;
/// Video only.
pub(super) const CODED_FRAMES_X: u8 = 3;
pub(super) const METADATA: u8 = 4;
pub(super) const MPEG2TS_SEQUENCE_START: u8 = 5;
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
const MOD_EX: u8 = 7;

/// `AvMultitrackType`.
const ONE_TRACK: u8 = 0;
const MANY_TRACKS_MANY_CODECS: u8 = 2;

/// `ModExType`: nanoseconds by which it is presented later.
const TIMESTAMP_OFFSET_NANO: u8 = 0;

/// The most nanoseconds of such an offset: less than a millisecond.
const NANO_MAX: u32 = 999_999;

/// What a message has of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// Its packet type.
    pub(super) kind: u8,
    pub(super) four_cc: [u8; 4],
    /// 0 where the message does not speak of tracks.
    pub(super) track: u8,
    /// Nanoseconds after the message's time at which it is presented.
    pub(super) nano: u32,
    pub(super) body: Bytes,
}

const SHORT: Error = Error::Skip("a message in Enhanced RTMP's form that is cut off");

/// The tracks of a message whose first byte, which is in `payload`, says that it has this form.
///
/// Each track takes at least one byte, so that there are no more than the message is long.
pub(super) fn packets(kind: TagKind, payload: &Bytes) -> Result<Vec<Packet>, Error> {
    let mut rest = payload.clone();
    let mut packet_type = byte(&mut rest)? & 0x0f;
    let mut nano = 0;
    while packet_type == MOD_EX {
        let data = modifier(&mut rest)?;
        let next = byte(&mut rest)?;
        packet_type = next & 0x0f;
        if next >> 4 == TIMESTAMP_OFFSET_NANO
            && let Some(&[high, middle, low]) = data.first_chunk::<3>()
        {
            nano = u32::from_be_bytes([0, high, middle, low]).min(NANO_MAX);
        }
    }
    let multitrack = if kind == TagKind::Audio { AUDIO_MULTITRACK } else { VIDEO_MULTITRACK };
    if packet_type != multitrack {
        let four_cc = take(&mut rest)?;
        return Ok(Vec::from([Packet { kind: packet_type, four_cc, track: 0, nano, body: rest }]));
    }
    let next = byte(&mut rest)?;
    let (form, packet_type) = (next >> 4, next & 0x0f);
    if form > MANY_TRACKS_MANY_CODECS || packet_type == multitrack || packet_type == MOD_EX {
        return Err(Error::Skip("a message of several tracks in an unknown form"));
    }
    let shared = if form == MANY_TRACKS_MANY_CODECS { None } else { Some(take(&mut rest)?) };
    let mut packets = Vec::new();
    loop {
        let four_cc = shared.map_or_else(|| take(&mut rest), Ok)?;
        let track = byte(&mut rest)?;
        let len = if form == ONE_TRACK {
            rest.len()
        } else {
            let [high, middle, low] = take(&mut rest)?;
            u32::from_be_bytes([0, high, middle, low]) as usize
        };
        if len > rest.len() {
            return Err(SHORT);
        }
        let body = rest.split_to(len);
        packets.push(Packet { kind: packet_type, four_cc, track, nano, body });
        if rest.is_empty() {
            return Ok(packets);
        }
    }
}

/// The data of a `ModEx`: 1 to 256 bytes, or up to 65,536.
fn modifier(rest: &mut Bytes) -> Result<Bytes, Error> {
    let mut len = usize::from(byte(rest)?) + 1;
    if len == 256 {
        len = usize::from(u16::from_be_bytes(take(rest)?)) + 1;
    }
    if len > rest.len() {
        return Err(SHORT);
    }
    Ok(rest.split_to(len))
}

fn byte(rest: &mut Bytes) -> Result<u8, Error> {
    take::<1>(rest).map(|[byte]| byte)
}

fn take<const N: usize>(rest: &mut Bytes) -> Result<[u8; N], Error> {
    let taken = *rest.first_chunk().ok_or(SHORT)?;
    rest.advance(N);
    Ok(taken)
}
