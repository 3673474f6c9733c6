//! What another library finds in the same bytes.

use std::io::Cursor;

use mp4_atom::{Any, DecodeMaybe, Moof, Moov};

use super::*;

/// Decoding and presentation time in 1/90000 s, before any edit list, and the bytes of each sample of a track.
type Found = Vec<(i64, i64, Vec<u8>)>;

fn found(body: &[u8], track: u32) -> (Found, u32) {
    let (mut at, mut moov, mut moof) = (0, None::<Moov>, None::<(usize, Moof)>);
    let mut samples = Found::new();
    while at < body.len() {
        let mut rest = Cursor::new(&body[at..]);
        match Any::decode_maybe(&mut rest).unwrap() {
            Some(Any::Moov(found)) => moov = Some(found),
            Some(Any::Moof(found)) => moof = Some((at, found)),
            Some(Any::Mdat(_)) => {
                let (began, moof) = moof.take().unwrap();
                samples.extend(fragment(body, began, &moof, moov.as_ref().unwrap(), track));
            }
            _ => {}
        }
        let size = u32::from_be_bytes(*body[at..].first_chunk::<4>().unwrap());
        at += size as usize;
    }
    let trak = moov.unwrap().trak.into_iter().find(|trak| trak.tkhd.track_id == track).unwrap();
    (samples, trak.mdia.mdhd.timescale)
}

fn fragment(body: &[u8], began: usize, moof: &Moof, moov: &Moov, track: u32) -> Found {
    let trex = moov.mvex.as_ref().unwrap().trex.iter().find(|trex| trex.track_id == track).unwrap();
    let mut samples = Found::new();
    for traf in moof.traf.iter().filter(|traf| traf.tfhd.track_id == track) {
        let mut time = traf.tfdt.as_ref().unwrap().base_media_decode_time as i64;
        for trun in &traf.trun {
            let mut from = began + trun.data_offset.unwrap() as usize;
            for entry in trun.samples.iter() {
                let size = entry.size.or(traf.tfhd.default_sample_size).unwrap_or(trex.default_sample_size);
                let duration = entry.duration.or(traf.tfhd.default_sample_duration);
                let data = body[from..from + size as usize].to_vec();
                samples.push((time, time + entry.cts.unwrap_or(0), data));
                from += size as usize;
                time += i64::from(duration.unwrap_or(trex.default_sample_duration));
            }
        }
    }
    samples
}

#[test]
fn another_library_finds_the_same_samples_at_the_same_times() {
    for (body, track, kind) in
        [(MUXED, 1, Kind::Video), (MUXED, 2, Kind::Audio), (VIDEO, 1, Kind::Video), (AUDIO, 1, Kind::Audio)]
    {
        let ours = frames(&told(&[Whole("a", body)], 777), kind);
        let (theirs, timescale) = found(body, track);
        assert_eq!(ours.len(), theirs.len());
        let to_90 = |time: i64| (time * 90_000).div_euclid(i64::from(timescale));
        // An edit list moves all alike.
        let moved = ours[0].dts_ms * 90 + i64::from(ours[0].cts) - to_90(theirs[0].1);
        for (ours, (dts, pts, data)) in ours.iter().zip(&theirs) {
            assert_eq!(&ours.data, data);
            assert!((ours.dts_ms * 90 - to_90(*dts) - moved).abs() <= 91, "{ours:?} {dts}");
            if kind == Kind::Video {
                assert!((ours.dts_ms * 90 + i64::from(ours.cts) - to_90(*pts) - moved).abs() <= 1);
            }
        }
    }
}
