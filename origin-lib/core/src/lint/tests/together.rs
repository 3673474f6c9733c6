use super::presentation::{self, Member, check};
use super::*;
use crate::lint::rules::*;

const MULTIVARIANT: &str = "#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"key\"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"mp4a.40.2\"
a/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000000,CODECS=\"mp4a.40.2\"
a/high.m3u8
";

const LOW: &str = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:70
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.0
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-DATERANGE:ID=\"m\",CLASS=\"org.example.match\",START-DATE=\"2026-11-20T10:52:03.000Z\"
#EXT-X-MAP:URI=\"init.mp4\"
#EXT-X-KEY:METHOD=AES-128,URI=\"key\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.000Z
#EXTINF:2.00000,
low-70.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:53:00.000Z
#EXTINF:2.00000,
low-71.m4s
#EXT-X-PART:DURATION=1.00000,URI=\"low-72-0.m4s\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"low-72-1.m4s\"
#EXT-X-RENDITION-REPORT:URI=\"./high.m3u8\",LAST-MSN=72,LAST-PART=0
";

/// Replacements in the other rendition.
const CASES: &[Case] = &[
    case(&RENDITION_TARGET, "TARGETDURATION:2", "TARGETDURATION:3"),
    case(&RENDITION_TYPE, "#EXT-X-TARGET", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGET"),
    case(&RENDITION_CONTROL, "PART-HOLD-BACK=3.0", "PART-HOLD-BACK=4.0"),
    case(
        &RENDITION_DISCONTINUITY,
        "#EXT-X-MEDIA-SEQUENCE:70",
        "#EXT-X-MEDIA-SEQUENCE:70\n#EXT-X-DISCONTINUITY-SEQUENCE:1",
    ),
    case(&RENDITION_RANGES, "ID=\"m\"", "ID=\"n\""),
    case(&RENDITION_RANGES, "org.example.match", "org.example.set"),
    case(&RENDITION_UNREPORTED, "./low.m3u8", "./other.m3u8"),
    case(&RENDITION_REPORT, "LAST-PART=0", "LAST-PART=1"),
    case(&RENDITION_REPORT, "LAST-MSN=72", "LAST-MSN=71"),
    case(&TAG_IN_BOTH, "#EXT-X-TARGET", "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGET"),
    case(&SESSION_KEY_DIFFERS, "METHOD=AES-128", "METHOD=SAMPLE-AES"),
    case(&RENDITION_KIND, "#EXT-X-TARGET", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-TARGET"),
];

/// Rules that the tests below break.
pub(super) const RULES: &[&Rule] = &[
    &RENDITION_TARGET,
    &RENDITION_TYPE,
    &RENDITION_CONTROL,
    &RENDITION_DATES,
    &RENDITION_DISCONTINUITY,
    &RENDITION_RANGES,
    &RENDITION_SEQUENCE,
    &RENDITION_REPORT,
    &RENDITION_UNREPORTED,
    &RENDITION_KIND,
    &TAG_IN_BOTH,
    &SESSION_KEY_DIFFERS,
];

fn high() -> String {
    LOW.replace("high.m3u8", "LOW.m3u8").replace("low-", "high-").replace("LOW", "low")
}

fn together(low: &str, high: &str, at_once: bool) -> Vec<Finding> {
    let (low, high) = (media(low), media(high));
    let member = |uri, media| Member { uri, pathway: ".", is_subtitles: false, is_frames: false, media };
    let members = [member("a/low.m3u8", &low), member("a/high.m3u8", &high)];
    check(Some(&multivariant(MULTIVARIANT)), &members, at_once)
}

#[test]
fn each_case_of_a_presentation_breaks_one_rule() {
    assert_eq!(together(LOW, &high(), true), []);
    let mut wrong = Vec::new();
    for Case { rule, from, to } in CASES {
        assert!(high().contains(from), "{} has nothing to replace: {from}", rule.id);
        let findings = together(LOW, &high().replacen(from, to, 1), true);
        if ids(&findings) != BTreeSet::from([rule.id]) {
            let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
            wrong.push(format!("{} by {to}: {found:#?}", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn renditions_that_are_not_of_one_moment_may_end_elsewhere() {
    let later = high()
        .replace("LAST-PART=0", "LAST-PART=1")
        .replace("#EXT-X-PRELOAD-HINT", "#EXT-X-PART:DURATION=1,URI=\"high-72-1.m4s\"\n#EXT-X-PRELOAD-HINT")
        .replace("ID=\"m\"", "ID=\"n\"");
    assert_eq!(together(LOW, &later, false), []);
    assert_ne!(together(LOW, &later, true), []);
}

#[test]
fn a_variant_and_its_loudest_sound_stay_within_its_bandwidth() {
    let playlist = multivariant(
        "#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"s\",NAME=\"A\",CHANNELS=\"2\",URI=\"a.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"s\",NAME=\"B\",CHANNELS=\"2\",URI=\"b.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"s\"
v.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300,CODECS=\"mp4a.40.2\",AUDIO=\"s\"
a.m3u8
",
    );
    let peaks = |v: u64, a: u64, b: Option<u64>| {
        let of = |uri: &str| match uri {
            "v.m3u8" => Some(v),
            "a.m3u8" => Some(a),
            _ => b,
        };
        presentation::peaks(&playlist, of).len()
    };
    assert_eq!(peaks(700, 100, Some(300)), 0);
    assert_eq!(peaks(700, 100, Some(301)), 1);
    assert_eq!(peaks(701, 300, None), 1);
    assert_eq!(peaks(700, 300, Some(10)), 0);
}

#[test]
fn all_have_dates_or_none_and_numbers_are_aligned() {
    let undated = high()
        .lines()
        .filter(|line| !line.contains("DATE"))
        .fold(String::new(), |text, line| text + line + "\n");
    assert_eq!(ids(&together(LOW, &undated, false)), BTreeSet::from([RENDITION_DATES.id]));
    let shifted = high().replace("MEDIA-SEQUENCE:70", "MEDIA-SEQUENCE:71");
    assert_eq!(ids(&together(LOW, &shifted, false)), BTreeSet::from([RENDITION_SEQUENCE.id]));
}
