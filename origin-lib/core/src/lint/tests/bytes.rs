use ::bytes::Bytes;

use super::super::bytes::{self, Known, Said};
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
    let (before, bandwidth, target) = (None, None, Nanos::seconds(3));
    Known { segment, tracks, independent: true, frame: false, last: false, before, bandwidth, target, len: 0 }
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
    let short = segment_of(30, 2000, true);
    assert_eq!(found("#EXTINF:1.2,", &short, 1), none, "less than half a target duration");
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

/// What Railbird writes for H.264 with AAC, HEVC with Opus, and AV1 with Opus, and what CODECS says of each.
const INITS: [(&[u8], &str, (u64, u64)); 3] = [
    (include_bytes!("../../../tests/golden/init.mp4"), "avc1.64001f,mp4a.40.2", (1280, 720)),
    (include_bytes!("../../../tests/golden/init-hevc.mp4"), "hvc1.2.4.L123.90,opus", (1920, 1080)),
    (include_bytes!("../../../tests/golden/init-av1.mp4"), "av01.0.08M.10,Opus", (1280, 720)),
];

#[test]
fn what_is_said_of_a_variant_is_what_its_tracks_are() {
    let said = |init: &[u8], codecs: &str, resolution, alone| {
        let tracks = bytes::init(init).unwrap();
        ids(&bytes::described(&tracks, &Said { codecs: Some(codecs), resolution: Some(resolution), alone }))
    };
    let (none, differ) = (BTreeSet::new(), BTreeSet::from([CODECS_DIFFER.id]));
    for (init, codecs, size) in INITS {
        assert_eq!(said(init, codecs, size, true), none, "{codecs}");
        assert_eq!(said(init, codecs, (640, 360), true), BTreeSet::from([RESOLUTION_DIFFERS.id]), "{codecs}");
        let (picture, sound) = codecs.split_once(',').unwrap();
        assert_eq!(said(init, picture, size, true), differ, "a track that is not named: {sound}");
        assert_eq!(said(init, sound, size, true), differ, "a track that is not named: {picture}");
        let more = format!("{codecs},ec-3");
        assert_eq!(said(init, &more, size, true), differ, "a format that no track has");
        assert_eq!(said(init, &more, size, false), none, "a rendition of sound may have it");
        assert_eq!(said(init, &format!("{codecs},wvtt"), size, true), none, "so may subtitles");
        assert_eq!(
            said(init, &codecs.replace(picture, &picture[..4]), size, true),
            none,
            "no profile is told"
        );
    }
}

#[test]
fn profile_and_level_are_those_of_the_sample_entry() {
    // What is sound, and what is not: another profile, a lower level, a lower tier, another sample entry.
    let [(avc, ..), (hevc, ..), (av1, ..)] = INITS;
    for (init, sound, wrong) in [
        (
            avc,
            &["avc1.64001f,mp4a.40.2", "avc1.640028,mp4a.40.2", "avc1.640c1f,mp4a.40.5"][..],
            &["avc1.4d001f,mp4a.40.2", "avc1.64001e,mp4a.40.2", "avc3.64001f,mp4a.40.2", "avc1.64001f,ac-3"]
                [..],
        ),
        (
            hevc,
            &[
                "hvc1.2.4.L123.90,Opus",
                "hvc1.2.4.L150.90,Opus",
                "hvc1.2.4.H123.B0,opus",
                "hvc1.A2.4.L93,Opus",
            ],
            &[
                "hvc1.1.4.L123.90,Opus",
                "hvc1.2.4.L120.90,Opus",
                "hev1.2.4.L123.90,Opus",
                "hvc1.2.4.L123.90,fLaC",
            ],
        ),
        (
            av1,
            &["av01.0.08M.10,Opus", "av01.0.12M.10,Opus", "av01.0.08H.10.0.110.09.16.09.0,Opus"],
            &["av01.1.08M.10,Opus", "av01.0.05M.10,Opus", "vp09.00.10.08,Opus", "av01.0.08M.10,mp4a.40.2"],
        ),
    ] {
        let tracks = bytes::init(init).unwrap();
        let found =
            |codecs| ids(&bytes::described(&tracks, &Said { codecs: Some(codecs), ..Said::default() }));
        for codecs in sound {
            assert_eq!(found(codecs), BTreeSet::new(), "{codecs}");
        }
        for codecs in wrong {
            assert_eq!(found(codecs), BTreeSet::from([CODECS_DIFFER.id]), "{codecs}");
        }
    }
}

/// A track with this sample entry, which is cut off or written at random: nothing is known of its profile then.
#[test]
fn a_sample_entry_that_is_cut_off_ends_nothing() {
    for (init, codecs, _) in INITS {
        for track in bytes::init(init).unwrap() {
            for len in 0..track.entry.len() {
                let cut = fmp4::read::Track { entry: track.entry[..len].to_vec(), ..track.clone() };
                let said = Said { codecs: Some(codecs), resolution: Some((1, 1)), alone: false };
                let found = ids(&bytes::described(&[cut], &said));
                assert!(!found.contains(CODECS_DIFFER.id) || len < 8, "{len} bytes of {codecs}");
            }
        }
    }
}

#[test]
fn what_is_said_of_encrypted_samples_is_left() {
    let (init, ..) = INITS[0];
    let mut tracks = bytes::init(init).unwrap();
    tracks[0].entry[4..8].copy_from_slice(b"encv");
    assert_eq!(bytes::described(&tracks, &Said { codecs: Some("ec-3"), ..Said::default() }), []);
}
