//! Pictures of H.265.

use super::*;
use crate::media::VideoCoding;

/// Two seconds of x265 and AAC in ffmpeg's hands: 128x72, 25 frames a second, a key frame a second, two B-frames, of which those
/// around the second key frame lead it.
pub(super) const HEVC: &[u8] = include_bytes!("../../../tests/golden/hevc.ts");

const VPS: &str = "40010c01ffff01600000030090000003000003003c959809";
const SPS: &str = "42010101600000030090000003000003003ca00a080b9f796566924caf016808000003000800000300c840";
const PPS: &str = "4401c172b46240";
/// Slices: of an IDR picture, of one that goes on from it, of a CRA picture, and of one that leads that.
const IDR: &str = "2601af0840";
const TRAIL: &str = "0201d00940";
const CRA: &str = "2a01af0840";
const RASL: &str = "1201d00940";

fn begun() -> Writer {
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &[(0x24, VIDEO_PID, "0504 48455643"), (0x0f, AUDIO_PID, "")]);
    writer
}

#[test]
fn what_ffmpeg_muxes_of_x265_has_its_parameters_its_keys_and_its_leading_pictures() {
    const KEYS: [usize; 2] = [0, 23];
    const LEADING: [usize; 2] = [24, 25];
    let (told, counts) = told(HEVC, 1000);
    assert_eq!(counts, Counts { ignored: counts.ignored, ..Counts::default() });
    let Some(Ok(FeedEvent::Video(config))) = told.first() else { panic!("{told:?}") };
    assert_eq!((config.coding, config.width, config.height), (VideoCoding::Hevc, 128, 72));
    assert_eq!((config.codec.as_str(), config.frame_rate_milli), ("hvc1.1.6.L30.90", Some(25_000)));
    let frames = frames(&told, Kind::Video);
    assert_eq!(frames.len(), 50);
    let at = |wanted: fn(&Frame) -> bool| -> Vec<usize> {
        (0..frames.len()).filter(|at| wanted(&frames[*at])).collect()
    };
    assert_eq!((at(|frame| frame.key), at(|frame| frame.leading)), (KEYS.to_vec(), LEADING.to_vec()));
    // What leads a key frame is shown before it.
    for leading in LEADING {
        let shown = |at: usize| frames[at].dts_ms * 90 + i64::from(frames[at].cts);
        assert!(shown(leading) < shown(KEYS[1]));
    }
}

#[test]
fn an_access_unit_has_neither_sets_nor_delimiters_nor_other_layers() {
    let mut writer = begun();
    let supplement = "4e01891833";
    writer.pes(
        VIDEO_PID,
        &[7_200, 3_600],
        false,
        &annex_b(&["460110", VPS, SPS, PPS, supplement, IDR, "0209d0"]),
    );
    writer.pes(VIDEO_PID, &[7_200], false, &annex_b(&["460150", TRAIL, "020150", "4801"]));
    writer.pes(VIDEO_PID, &[18_000, 10_800], false, &annex_b(&[VPS, SPS, PPS, CRA]));
    writer.pes(VIDEO_PID, &[14_400, 14_400], false, &annex_b(&[RASL]));
    let (told, _) = told(&writer.bytes, 188);
    let units = [
        "00000005 4e01891833 00000005 2601af0840",
        "00000005 0201d00940 00000003 020150 00000002 4801",
        "00000005 2a01af0840",
        "00000005 1201d00940",
    ];
    let frames = frames(&told, Kind::Video);
    assert_eq!(frames.iter().map(|frame| frame.data.to_vec()).collect::<Vec<_>>(), units.map(bytes));
    let pictures: Vec<_> = frames.iter().map(|frame| (frame.key, frame.leading)).collect();
    assert_eq!(pictures, [(true, false), (false, false), (true, false), (false, true)]);
    assert_eq!(told.len(), 1 + 4, "the parameters are told once");
}

#[test]
fn a_stream_may_turn_to_another_codec_where_it_was() {
    let mut writer = Writer::begun();
    writer.key(0, 0);
    writer.pmt(PMT_PID, 1, 1, &[(0x24, VIDEO_PID, ""), (0x0f, AUDIO_PID, "")]);
    writer.pes(VIDEO_PID, &[3_600], false, &annex_b(&[TRAIL]));
    writer.pes(VIDEO_PID, &[7_200], false, &annex_b(&[VPS, SPS, PPS, IDR]));
    let (told, _) = told(&writer.bytes, 188);
    let codings: Vec<_> = told
        .iter()
        .filter_map(|one| match one {
            Ok(FeedEvent::Video(config)) => Some(config.coding),
            _ => None,
        })
        .collect();
    assert_eq!(codings, [VideoCoding::Avc, VideoCoding::Hevc]);
    assert_eq!(errors(&told), ["skipped: a picture before the first parameter sets"]);
    let times: Vec<_> = frames(&told, Kind::Video).iter().map(|frame| frame.dts_ms).collect();
    assert_eq!(times, [0, 80]);
}
