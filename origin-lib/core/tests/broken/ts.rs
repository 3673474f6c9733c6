//! Transport streams: through the demultiplexer, and what can be done to them.

use std::ops::Range;

use railbird_core::programme::End;
use railbird_core::ts::{Demux, Error};

use super::seed::{Seed, harm_bytes};
use super::way::Way;

/// Six seconds of x264 and AAC in ffmpeg's hands: 96x64, 25 frames a second, a key frame a second, two B-frames.
pub(crate) const AVC: &[u8] = include_bytes!("streams/avc.ts");

/// Five seconds of x265 and AAC: 12 frames a second, a key frame a second.
pub(crate) const HEVC: &[u8] = include_bytes!("streams/hevc.ts");

const PACKET_LEN: usize = 188;

/// How much comes at once: a datagram of SRT.
pub(crate) const DATAGRAM_LEN: usize = 7 * PACKET_LEN;

/// A stream whose bytes come as fast as they were made: `len` of them in `ms`. An encoder that is refused connects again.
pub(crate) fn send(way: &mut Way, stream: &[u8], len: usize, ms: u64) {
    send_pieces(way, stream, DATAGRAM_LEN, |at| at as u64 * ms / len as u64);
}

/// A stream in pieces of this length; each comes when `at` says by where it begins.
pub(crate) fn send_pieces(way: &mut Way, stream: &[u8], piece_len: usize, at: impl Fn(usize) -> u64) {
    let mut demux = Demux::new();
    way.begin();
    for (n, piece) in stream.chunks(piece_len).enumerate() {
        way.at(at(n * piece_len));
        demux.handle(piece);
        if drain(&mut demux, way) {
            way.end(End::Lost);
            demux = Demux::new();
            way.begin();
        }
    }
    demux.end();
    drain(&mut demux, way);
    way.finish();
}

/// Whether the stream is refused.
fn drain(demux: &mut Demux, way: &mut Way) -> bool {
    while let Some(told) = demux.poll() {
        match told {
            Ok(event) => way.take(event),
            Err(Error::Skip(_)) => {}
            Err(Error::Refuse { .. }) => return true,
        }
    }
    false
}

/// Breaks a stream at a few places within a range of its packets.
pub(crate) fn harm(stream: &mut Vec<u8>, within: Range<usize>, seed: &mut Seed) {
    for _ in 0..seed.within(1..6) {
        match seed.within(0..4) {
            0 => harm_bytes(stream, within.start * PACKET_LEN..within.end * PACKET_LEN, seed),
            1 => harm_packets(stream, within.clone(), seed),
            2 => harm_times(stream, within.clone(), seed),
            _ => harm_units(stream, within.clone(), seed),
        }
    }
}

/// Packets are missing, come twice, in another order, damaged, scrambled, with another number or for somebody else.
fn harm_packets(stream: &mut Vec<u8>, within: Range<usize>, seed: &mut Seed) {
    let piece = seed.piece(within, 12);
    let bytes = piece.start * PACKET_LEN..(piece.end * PACKET_LEN).min(stream.len());
    if bytes.is_empty() {
        return;
    }
    match seed.within(0..7) {
        0 => drop(stream.drain(bytes)),
        1 => {
            let again = stream[bytes.clone()].to_vec();
            stream.splice(bytes.end..bytes.end, again);
        }
        2 => {
            let reversed: Vec<u8> = stream[bytes.clone()].rchunks(PACKET_LEN).flatten().copied().collect();
            stream.splice(bytes, reversed);
        }
        3 => stream[bytes.start + 1] |= 0x80,
        4 => stream[bytes.start + 3] |= 0xc0,
        5 => stream[bytes.start + 3] ^= seed.byte() & 0x3f,
        _ => stream[bytes.start + 2] = seed.byte(),
    }
}

/// Timestamps of PES packets are set, moved, or exchanged.
fn harm_times(stream: &mut [u8], within: Range<usize>, seed: &mut Seed) {
    const SECOND: u64 = 90_000;
    let packets = seed.piece(within, 200);
    let by =
        seed.one_of(&[1, 3_600, SECOND / 2, 3 * SECOND, 8 * SECOND, 100 * SECOND, 1 << 31, (1 << 33) - 7]);
    let (what, only) = (seed.within(0..4), seed.within(0..3));
    for (n, packet) in stream.chunks_mut(PACKET_LEN).skip(packets.start).take(packets.len()).enumerate() {
        // One of them, some of them, or all.
        if only == 0 && n > 8 || only == 1 && n % 3 != 0 {
            continue;
        }
        for time in times(packet) {
            let told = read_time(time);
            let now = match what {
                0 => told + by,
                1 => told.wrapping_sub(by),
                2 => 0,
                _ => seed.next(),
            };
            write_time(time, now & 0x1_ffff_ffff);
        }
    }
}

/// Moves all timestamps of a stream.
pub(crate) fn moved(stream: &[u8], by: u64) -> Vec<u8> {
    let mut stream = stream.to_vec();
    for packet in stream.chunks_mut(PACKET_LEN) {
        for time in times(packet) {
            write_time(time, read_time(time).wrapping_add(by) & 0x1_ffff_ffff);
        }
    }
    stream
}

/// The presentation and the decoding time of the PES packet that begins in this packet.
fn times(packet: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    let extra = if packet.get(3).is_some_and(|flags| flags & 0x20 != 0) {
        1 + usize::from(packet.get(4).copied().unwrap_or_default())
    } else {
        0
    };
    let starts = packet.get(1).is_some_and(|flags| flags & 0x40 != 0);
    let pes =
        packet.get_mut(4 + extra..).filter(|pes| starts && pes.starts_with(&[0, 0, 1])).unwrap_or_default();
    let count = pes.get(7).map_or(0, |flags| usize::from((flags >> 6).saturating_sub(1)));
    pes.get_mut(9..9 + 5 * count).unwrap_or_default().chunks_exact_mut(5)
}

fn read_time(time: &[u8]) -> u64 {
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|at| u64::from(time[at]));
    (a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1
}

fn write_time(time: &mut [u8], to: u64) {
    time[0] = time[0] & 0xf0 | (to >> 29) as u8 & 0x0e | 1;
    time[1] = (to >> 22) as u8;
    time[2] = (to >> 14) as u8 | 1;
    time[3] = (to >> 7) as u8;
    time[4] = (to << 1) as u8 | 1;
}

/// NAL units become others, end at once, or have other heads: parameter sets and slices alike.
fn harm_units(stream: &mut [u8], within: Range<usize>, seed: &mut Seed) {
    let bytes = within.start * PACKET_LEN..(within.end * PACKET_LEN).min(stream.len());
    let starts: Vec<usize> =
        bytes.filter(|at| stream.get(*at..at + 3).is_some_and(|start| start == [0, 0, 1])).collect();
    if starts.is_empty() {
        return;
    }
    let what = seed.within(0..4);
    for _ in 0..seed.within(1..8) {
        let at = seed.one_of(&starts) + 3;
        let Some(head) = stream.get_mut(at..at + 12) else { continue };
        match what {
            0 => head[0] = seed.byte(),
            1 => head[1..].iter_mut().for_each(|byte| *byte = seed.byte()),
            2 => head.fill(0),
            _ => head[seed.within(0..12)] ^= 1 << seed.within(0..8),
        }
    }
}
