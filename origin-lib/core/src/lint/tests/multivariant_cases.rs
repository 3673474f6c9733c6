use super::*;
use crate::lint::rules::*;

const FULL: &str = "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-CONTENT-STEERING:SERVER-URI=\"../steer\",PATHWAY-ID=\"a\"
#EXT-X-SESSION-DATA:DATA-ID=\"com.example.title\",VALUE=\"Final\",LANGUAGE=\"en\"
#EXT-X-SESSION-DATA:DATA-ID=\"com.example.title\",VALUE=\"Finale\",LANGUAGE=\"fr\"
#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key\",IV=0x0123456789ABCDEF0123456789ABCDEF
#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key-2\",KEYFORMAT=\"identity\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"low\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"en.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"low\",NAME=\"Français\",LANGUAGE=\"fr\",AUTOSELECT=YES,CHANNELS=\"2\",URI=\"fr.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"high\",NAME=\"Français\",LANGUAGE=\"fr\",AUTOSELECT=YES,CHANNELS=\"6/JOC\",URI=\"fr-high.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"high\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"6\",SAMPLE-RATE=48000,URI=\"en-high.m3u8\"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"score\",NAME=\"Score\",LANGUAGE=\"en\",FORCED=NO,URI=\"score.m3u8\"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"Captions\",INSTREAM-ID=\"SERVICE3\"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1800000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"low\",SUBTITLES=\"score\",CLOSED-CAPTIONS=\"cc\",PATHWAY-ID=\"a\",SCORE=2.5
a/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000000,CODECS=\"hvc1.1.6.L93.B0,ec-3\",RESOLUTION=1920x1080,FRAME-RATE=60,AUDIO=\"high\",SUBTITLES=\"score\",CLOSED-CAPTIONS=\"cc\",PATHWAY-ID=\"a\",SCORE=3,VIDEO-RANGE=HLG,HDCP-LEVEL=TYPE-0
a/high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO=\"low\",CLOSED-CAPTIONS=\"cc\",PATHWAY-ID=\"b\",SCORE=2.5
b/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000000,CODECS=\"hvc1.1.6.L93.B0,ec-3\",RESOLUTION=1920x1080,FRAME-RATE=60,AUDIO=\"high\",CLOSED-CAPTIONS=\"cc\",PATHWAY-ID=\"b\",SCORE=3
b/high.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,CODECS=\"avc1.64001f\",RESOLUTION=1280x720,URI=\"a/frames.m3u8\",PATHWAY-ID=\"a\",SCORE=1
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,CODECS=\"avc1.64001f\",RESOLUTION=1280x720,URI=\"b/frames.m3u8\",PATHWAY-ID=\"b\",SCORE=1
";

const FULL_CASES: &[Case] = &[
    case(&MIXED_PLAYLIST, "#EXT-X-CONTENT", "#EXT-X-TARGETDURATION:4\n#EXT-X-CONTENT"),
    case(
        &TAG_REPEATED,
        "#EXT-X-SESSION-DATA",
        "#EXT-X-CONTENT-STEERING:SERVER-URI=\"s\",PATHWAY-ID=\"b\"\n#EXT-X-SESSION-DATA",
    ),
    case(&ATTRIBUTE_TYPE, "RESOLUTION=1280x720", "RESOLUTION=1280*720"),
    case(&ATTRIBUTE_VALUE, "VIDEO-RANGE=HLG", "VIDEO-RANGE=HDR"),
    case(&ATTRIBUTE_VALUE, "CHANNELS=\"6/JOC\"", "CHANNELS=\"six\""),
    case(&ATTRIBUTE_VALUE, "SCORE=3,", "SCORE=0,"),
    case(&DEFINE_IMPORT, "VERSION:7\n", "VERSION:8\n#EXT-X-DEFINE:IMPORT=\"a\"\n"),
    case(&VERSION_LOW, "VERSION:7", "VERSION:6"),
    case(&VARIANT_WITHOUT_URI, "\na/low.m3u8\n", "\n"),
    case(&URI_WITHOUT_VARIANT, "a/low.m3u8\n", "a/low.m3u8\na/low.m3u8\n"),
    case(&AVERAGE_OVER_PEAK, "AVERAGE-BANDWIDTH=1800000", "AVERAGE-BANDWIDTH=2800000"),
    case(&RESOLUTION_MISSING, "RESOLUTION=1280x720,", ""),
    case(&FRAME_RATE_MISSING, "FRAME-RATE=60,", ""),
    case(&SCORE_PARTIAL, ",SCORE=2.5", ""),
    case(
        &GROUP_UNKNOWN,
        "SUBTITLES=\"score\",CLOSED-CAPTIONS=\"cc\",PATHWAY-ID=\"a\",SCORE=2.5",
        "SUBTITLES=\"scores\",CLOSED-CAPTIONS=\"cc\",PATHWAY-ID=\"a\",SCORE=2.5",
    ),
    case(
        &GROUP_UNUSED,
        "TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\"",
        "TYPE=VIDEO,GROUP-ID=\"v\",NAME=\"Angle\"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\"",
    ),
    case(
        &CAPTIONS_NONE,
        "CLOSED-CAPTIONS=\"cc\",PATHWAY-ID=\"a\",SCORE=2.5",
        "CLOSED-CAPTIONS=NONE,PATHWAY-ID=\"a\",SCORE=2.5",
    ),
    case(&MEDIA_URI, ",URI=\"score.m3u8\"", ""),
    case(&MEDIA_URI, "INSTREAM-ID=\"SERVICE3\"", "INSTREAM-ID=\"SERVICE3\",URI=\"cc.m3u8\""),
    case(&MEDIA_OF_OTHER_TYPE, "INSTREAM-ID=\"SERVICE3\"", "INSTREAM-ID=\"SERVICE3\",FORCED=NO"),
    case(&INSTREAM_ID, "INSTREAM-ID=\"SERVICE3\"", "INSTREAM-ID=\"SERVICE64\""),
    case(
        &NAME_REPEATED,
        "NAME=\"Captions\",INSTREAM-ID=\"SERVICE3\"",
        "NAME=\"Captions\",INSTREAM-ID=\"SERVICE3\"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"Captions\",INSTREAM-ID=\"CC1\"",
    ),
    case(
        &DEFAULT_REPEATED,
        "NAME=\"Captions\",INSTREAM-ID=\"SERVICE3\"",
        "NAME=\"Captions\",INSTREAM-ID=\"SERVICE3\",DEFAULT=YES\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"Others\",INSTREAM-ID=\"CC1\",DEFAULT=YES",
    ),
    case(&DEFAULT_UNSELECTED, "FORCED=NO,", "FORCED=NO,DEFAULT=YES,AUTOSELECT=NO,"),
    case(
        &AUTOSELECT_ALIKE,
        "NAME=\"Captions\",INSTREAM-ID=\"SERVICE3\"",
        "NAME=\"Captions\",INSTREAM-ID=\"SERVICE3\",AUTOSELECT=YES\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"Others\",INSTREAM-ID=\"CC1\",AUTOSELECT=YES",
    ),
    case(&GROUPS_DIFFER, "GROUP-ID=\"high\",NAME=\"Français\"", "GROUP-ID=\"high\",NAME=\"Francais\""),
    case(&CHANNELS_MISSING, "CHANNELS=\"6/JOC\",", ""),
    case(&SESSION_DATA_FORM, "VALUE=\"Final\"", "VALUE=\"Final\",URI=\"title.json\""),
    case(&SESSION_DATA_REPEATED, "LANGUAGE=\"fr\"\n", "LANGUAGE=\"en\"\n"),
    case(&SESSION_KEY_NONE, "#EXT-X-MEDIA", "#EXT-X-SESSION-KEY:METHOD=NONE\n#EXT-X-MEDIA"),
    case(
        &SESSION_KEY_REPEATED,
        "#EXT-X-MEDIA",
        "#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key-2\"\n#EXT-X-MEDIA",
    ),
    case(
        &PATHWAY_UNKNOWN,
        "SERVER-URI=\"../steer\",PATHWAY-ID=\"a\"",
        "SERVER-URI=\"../steer\",PATHWAY-ID=\"c\"",
    ),
    case(
        &PATHWAYS_DIFFER,
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000",
        "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300000",
    ),
];

/// One variant, without pathways.
const ONE: &str = "#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"mp4a.40.2\",STABLE-VARIANT-ID=\"a/b=\"
a.m3u8
";

const ONE_CASES: &[Case] = &[
    case(&ATTRIBUTE_MISSING, "BANDWIDTH=2000000,", ""),
    case(&CODECS_FORM, "\"mp4a.40.2\"", "\"mp4a.40.2, ec-3\""),
    case(&CODECS_MISSING, ",CODECS=\"mp4a.40.2\"", ""),
    case(&PATHWAY_FORM, ",STABLE", ",PATHWAY-ID=\"a/b\",STABLE"),
    case(&VERSION_HIGH, "#EXTM3U\n", "#EXTM3U\n#EXT-X-VERSION:2\n"),
    case(&VERSION_LOW, "STABLE-VARIANT-ID=\"a/b=\"", "REQ-VIDEO-LAYOUT=\"CH-STEREO\""),
    case(&ATTRIBUTE_TYPE, "\"a/b=\"", "\"a b\""),
];

pub(super) fn tables() -> Vec<(&'static str, &'static [Case])> {
    Vec::from([(FULL, FULL_CASES), (ONE, ONE_CASES)])
}

#[test]
fn each_case_of_a_multivariant_playlist_breaks_one_rule() {
    for (base, cases) in tables() {
        each_breaks_one_rule(base, cases);
    }
}
