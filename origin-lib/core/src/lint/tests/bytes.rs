use ::bytes::Bytes;

use super::super::bytes::{self, Known};
use super::super::media::Segment as Listed;
use super::*;
use crate::fmp4;
use crate::lint::rules::*;
use crate::media::{Cut, Kind, Sample, Tracks, VideoCoding, VideoConfig};
use crate::time::UtcMs;

const START: UtcMs = UtcMs(1_795_171_920_000);

fn tracks() -> Tracks {
    let video = VideoConfig {
        coding: VideoCoding::Avc,
        record: Bytes::from_static(&[
            1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x1f, 1, 0, 4, 0x68, 0xee, 0x3c, 0xb0, 0xfd,
            0xf8, 0xf8, 0,
        ]),
        codec: "avc1.64001f".into(),
        width: 1280,
        height: 720,
        frame_rate_milli: Some(25_000),
        colour: None,
    };
    Tracks { video: Some(video), audio: None }
}

/// A segment of 2 s with 50 frames, the first a key frame or not, so many milliseconds behind the start.
fn segment(ms: u64, key: bool) -> Vec<u8> {
    segment_of(50, ms, key)
}

/// The same of so many frames.
fn segment_of(frames: u64, ms: u64, key: bool) -> Vec<u8> {
    let sample = |n: u64| Sample {
        kind: Kind::Video,
        dts: START.plus_ms(ms + 40 * n).media(),
        cts: 0,
        key: key && n == 0,
        leading: false,
        data: Bytes::from_static(&[0; 1000]),
    };
    let cut = Cut {
        start: START.plus_ms(ms).media(),
        duration: 180_000,
        discontinuity: false,
        tracks: tracks(),
        video: (0..frames).map(sample).collect(),
        audio: Vec::new(),
        video_end: START.plus_ms(ms + 2000).media(),
        audio_end: START.plus_ms(ms + 2000).media(),
    };
    let mut out = Vec::new();
    fmp4::segment(&cut, 1, &mut out);
    out
}

fn listed(text: &str) -> Listed {
    let text =
        format!("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:3\n#EXT-X-MAP:URI=\"i\"\n{text}\ns.m4s\n");
    media(&text).segments.remove(0)
}

fn found(text: &str, bytes: &[u8], bandwidth: u64) -> BTreeSet<&'static str> {
    let init = bytes::init(&fmp4::init(&tracks())).unwrap();
    let (before, _) = bytes::segment(&segment(0, true), &known(&listed("#EXTINF:2.0,"), &init));
    let listed = listed(text);
    let known = Known { before, bandwidth: Some(bandwidth), len: bytes.len(), ..known(&listed, &init) };
    ids(&bytes::segment(bytes, &known).1)
}

fn known<'a>(segment: &'a Listed, tracks: &'a [fmp4::read::Track]) -> Known<'a> {
    let (before, bandwidth) = (None, None);
    Known { segment, tracks, independent: true, frame: false, last: false, before, bandwidth, len: 0 }
}

#[test]
fn what_a_segment_holds_is_what_is_said_of_it() {
    let good = segment(2000, true);
    let rate = good.len() as u64 * 8 / 2;
    let bitrate = |rate: u64| format!("#EXT-X-BITRATE:{}\n#EXTINF:2.0,", rate.div_ceil(1000));
    let only = |rule: &Rule| BTreeSet::from([rule.id]);
    let none = BTreeSet::new();
    assert_eq!(found("#EXTINF:2.0,", &good, rate), none);
    assert_eq!(found("#EXTINF:2.04,", &good, rate), none, "to a frame");
    assert_eq!(found("#EXTINF:2.1,", &good, rate), only(&MEDIA_DURATION));
    assert_eq!(found("#EXTINF:2.0,", &good, rate - 1), only(&OVER_BANDWIDTH));
    assert_eq!(found(&bitrate(rate), &good, rate), none);
    assert_eq!(found(&bitrate(rate * 2), &good, rate), only(&BITRATE_OFF));
    assert_eq!(found("#EXTINF:2.0,", &segment(2000, false), rate), only(&MEDIA_DEPENDENT));
    assert_eq!(found("#EXTINF:2.0,", &segment(2040, true), rate), none);
    assert_eq!(found("#EXTINF:2.0,", &segment(2100, true), rate), only(&MEDIA_START));
    assert_eq!(found("#EXT-X-DISCONTINUITY\n#EXTINF:2.0,", &segment(9000, true), rate), none);
    assert_eq!(found("#EXTINF:2.0,", b"junk", rate), only(&MEDIA_UNREADABLE));
    assert_eq!(found("#EXTINF:2.0,", b"", rate), only(&MEDIA_UNREADABLE));
    let init = bytes::init(&fmp4::init(&tracks())).unwrap();
    let listed = listed("#EXTINF:2.0,");
    let (longer, longest) = (self::listed("#EXTINF:2.08,"), self::listed("#EXTINF:2.1,"));
    let last =
        |segment: &Listed, last| ids(&bytes::segment(&good, &Known { last, ..known(segment, &init) }).1);
    assert_eq!(last(&longer, true), none, "of the last one, to two");
    assert_eq!((last(&longer, false), last(&longest, true)), (only(&MEDIA_DURATION), only(&MEDIA_DURATION)));
    let alone = |bytes: &[u8]| {
        ids(&bytes::segment(bytes, &Known { frame: true, independent: false, ..known(&listed, &init) }).1)
    };
    assert_eq!(alone(&segment_of(1, 0, true)), none);
    assert_eq!(alone(&segment_of(1, 0, false)), only(&FRAME_ALONE));
    assert_eq!(alone(&good), only(&FRAME_ALONE));
    for junk in [&b"junk"[..], b"", &good] {
        assert_eq!(bytes::init(junk).unwrap_err().rule.id, INIT_UNREADABLE.id);
    }
}
