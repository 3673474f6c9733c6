//! What another library finds in the same streams.

use mpeg2ts::pes::{PesPacketReader, ReadPesPacket};
use mpeg2ts::ts::TsPacketReader;

use super::*;

/// The same two seconds at a constant rate, with empty packets between, lengths on PES packets of video, each frame of sound in a
/// PES packet of its own, and other PIDs.
const CONSTANT: &[u8] = include_bytes!("../../../tests/golden/constant.ts");

/// A PES packet of each track: its times in 1/90000 s, and what it carries.
type Found = Vec<(u64, u64, Vec<u8>)>;

fn found(stream: &[u8]) -> (Found, Found) {
    let mut reader = PesPacketReader::new(TsPacketReader::new(stream));
    let (mut video, mut audio) = (Found::new(), Found::new());
    while let Some(packet) = reader.read_pes_packet().unwrap() {
        let pts = packet.header.pts.unwrap().as_u64();
        let dts = packet.header.dts.map_or(pts, |dts| dts.as_u64());
        let track = if packet.header.stream_id.is_video() { &mut video } else { &mut audio };
        track.push((pts, dts, packet.data));
    }
    (video, audio)
}

#[test]
fn another_library_finds_the_same_pictures_and_the_same_sound_at_the_same_times() {
    for stream in [SMALL, CONSTANT, hevc::HEVC] {
        let (told, counts) = told(stream, 1 << 16);
        assert_eq!((counts.gaps, counts.damaged, counts.lost_bytes), (0, 0, 0));
        let (video, audio) = found(stream);
        let ours = frames(&told, Kind::Video);
        assert_eq!(ours.len(), video.len());
        for (ours, (pts, dts, data)) in ours.iter().zip(&video) {
            assert_eq!(ours.dts_ms, (dts / 90) as i64);
            assert_eq!(ours.dts_ms * 90 + i64::from(ours.cts), *pts as i64);
            // Each slice is in there as it is.
            for nal in nal_units(&ours.data) {
                assert!(data.windows(nal.len()).any(|window| window == nal));
            }
        }
        let ours = frames(&told, Kind::Audio);
        let theirs: Vec<u8> = audio.iter().flat_map(|(_, _, data)| data.iter().copied()).collect();
        let len: usize = ours.iter().map(|frame| frame.data.len() + 7).sum();
        assert_eq!(len, theirs.len());
        let times: Vec<i64> = ours.iter().map(|frame| frame.dts_ms).collect();
        assert!(audio.iter().all(|(pts, ..)| times.contains(&((pts / 90) as i64))), "{times:?}");
    }
    let data =
        |stream| frames(&told(stream, 1000).0, Kind::Video).into_iter().map(|f| f.data).collect::<Vec<_>>();
    assert_eq!(data(SMALL), data(CONSTANT));
}

fn nal_units(mut unit: &[u8]) -> Vec<&[u8]> {
    let mut nals = Vec::new();
    while let Some((len, rest)) = unit.split_first_chunk::<4>() {
        let (nal, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        nals.push(nal);
        unit = rest;
    }
    nals
}
