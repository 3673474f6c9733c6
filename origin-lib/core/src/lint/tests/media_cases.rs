use super::*;
use crate::lint::rules::*;

/// Segments with everything that a segment may have.
const PLAIN: &str = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=24.0,HOLD-BACK=12.0,CAN-SKIP-DATERANGES=YES
#EXT-X-START:TIME-OFFSET=-14.0
#EXT-X-MAP:URI=\"init.mp4\"
#EXT-X-KEY:METHOD=AES-128,URI=\"key\",IV=0x0123456789ABCDEF0123456789ABCDEF,KEYFORMATVERSIONS=\"1/2\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.000Z
#EXTINF:4.00000,
7.m4s
#EXTINF:4.00000,a title
8.m4s
#EXT-X-GAP
#EXTINF:3.96000,
9.m4s
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=NONE
#EXT-X-MAP:URI=\"init-1.mp4\",BYTERANGE=\"700@0\"
#EXT-X-BITRATE:1000
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T11:53:00.000+01:00
#EXTINF:4.00000,
10.m4s
# A comment.
#EXT-X-BYTERANGE:1008@0
#EXTINF:4.00000,
whole.m4s
#EXT-X-BYTERANGE:1008
#EXTINF:4.00000,
whole.m4s
";

const PLAIN_CASES: &[Case] = &[
    case(&BYTE_ORDER_MARK, "#EXTM3U", "\u{feff}#EXTM3U"),
    case(&CONTROL_CHARACTER, "a title", "a\u{7}title"),
    case(&WHITESPACE, "8.m4s", "8 .m4s"),
    case(&EXTM3U_FIRST, "#EXTM3U\n", "\n#EXTM3U\n"),
    case(&UNKNOWN_TAG, "# A comment.", "#EXT-X-INF:4"),
    case(&TAG_REPEATED, "#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n"),
    case(&TAG_VALUE, "#EXT-X-GAP", "#EXT-X-GAP:YES"),
    case(&TAG_VALUE, "#EXTINF:3.96000,", "#EXTINF:3.96000"),
    case(&TAG_VALUE, "#EXT-X-BITRATE:1000", "#EXT-X-BITRATE:1e3"),
    case(&TAG_VALUE, "10:52:00.000Z", "25:52:00.000Z"),
    case(&ATTRIBUTE_SYNTAX, "CAN-SKIP-UNTIL=24.0,", "CAN-SKIP-UNTIL=24.0, "),
    case(&ATTRIBUTE_SYNTAX, "CAN-SKIP-DATERANGES=YES", "CAN-SKIP-DATERANGES=YES,"),
    case(&ATTRIBUTE_REPEATED, "HOLD-BACK=12.0", "HOLD-BACK=12.0,HOLD-BACK=12.0"),
    case(&ATTRIBUTE_TYPE, "HOLD-BACK=12.0", "HOLD-BACK=\"12.0\""),
    case(&ATTRIBUTE_TYPE, "IV=0x0123456789ABCDEF", "IV=0x0123456789abcdef"),
    case(&ATTRIBUTE_TYPE, "URI=\"key\"", "URI=key"),
    case(&ATTRIBUTE_VALUE, "METHOD=AES-128", "METHOD=AES-129"),
    case(&ATTRIBUTE_VALUE, "CAN-SKIP-DATERANGES=YES", "CAN-SKIP-DATERANGES=NO"),
    case(&ATTRIBUTE_MISSING, "BYTERANGE=\"700@0\"", "BYTERANGE=\"700@0\"\n#EXT-X-MAP:BYTERANGE=\"700@0\""),
    case(&ATTRIBUTE_UNKNOWN, "HOLD-BACK=12.0", "HOLD-BACK=12.0,HOLD-FRONT=1"),
    case(&VERSION_LOW, "#EXT-X-VERSION:6", "#EXT-X-VERSION:5"),
    case(&VERSION_LOW, "#EXT-X-VERSION:6\n", ""),
    case(&VERSION_HIGH, "#EXT-X-VERSION:6", "#EXT-X-VERSION:7"),
    case(&START_BEYOND, "TIME-OFFSET=-14.0", "TIME-OFFSET=24.0"),
    case(&START_NEAR_EDGE, "TIME-OFFSET=-14.0", "TIME-OFFSET=-11.9"),
    case(&START_NEAR_EDGE, "TIME-OFFSET=-14.0", "TIME-OFFSET=20"),
    case(&TARGET_MISSING, "#EXT-X-TARGETDURATION:4\n", ""),
    case(&SEGMENT_OVER_TARGET, "#EXTINF:4.00000,\n10", "#EXTINF:4.50000,\n10"),
    case(
        &SEQUENCE_LATE,
        "#EXT-X-DISCONTINUITY-SEQUENCE:2\n",
        "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n",
    ),
    case(&SKIP_UNTIL_SHORT, "CAN-SKIP-UNTIL=24.0", "CAN-SKIP-UNTIL=23.9"),
    case(&SKIP_RANGES_ALONE, "CAN-SKIP-UNTIL=24.0,", ""),
    case(&HOLD_BACK_SHORT, "HOLD-BACK=12.0", "HOLD-BACK=11.9"),
    case(&PART_HOLD_BACK_MISSING, "#EXT-X-START", "#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-START"),
    case(&EXTINF_MISSING, "#EXTINF:4.00000,a title\n", ""),
    case(
        &SEGMENT_WITHOUT_URI,
        "#EXTINF:4.00000,\nwhole.m4s\n#EXT-X-BYTERANGE:1008\n#EXTINF:4.00000,\nwhole.m4s\n",
        "#EXTINF:4.00000,\n",
    ),
    case(&BYTERANGE_BASE, "#EXT-X-BYTERANGE:1008@0", "#EXT-X-BYTERANGE:1008"),
    case(&RANGE_OF_BLOCKS, "#EXTINF:4.00000,a title", "#EXT-X-BYTERANGE:1000@0\n#EXTINF:4.00000,a title"),
    case(&KEY_NONE, "METHOD=NONE", "METHOD=NONE,URI=\"key\""),
    case(&KEY_URI, "URI=\"key\",", ""),
    case(&KEY_IV, "0x0123456789ABCDEF0123456789ABCDEF", "0x01"),
    case(&KEY_IV, "METHOD=AES-128", "METHOD=AES-256-GCM"),
    case(&KEY_VERSIONS, "\"1/2\"", "\"1/x\""),
    case(&MAP_IV, "#EXT-X-KEY:METHOD=NONE", "#EXT-X-KEY:METHOD=AES-128,URI=\"key\""),
    case(&MAP_RANGE, "BYTERANGE=\"700@0\"", "BYTERANGE=\"700\""),
    case(&MAP_MISSING, "#EXT-X-MAP:URI=\"init.mp4\"\n", ""),
    case(&MAP_CHANGE, "#EXTINF:4.00000,a title", "#EXT-X-MAP:URI=\"init-2.mp4\"\n#EXTINF:4.00000,a title"),
    case(&DATE_ZONE, "10:52:00.000Z", "10:52:00Z"),
    case(&DATE_OVERLAP, "11:53:00.000+01:00", "10:52:10.000Z"),
    case(&DATE_DRIFT, "#EXT-X-GAP", "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:08.500Z\n#EXT-X-GAP"),
    case(&DATE_MISSING, "#EXT-X-GAP", "#EXT-X-DISCONTINUITY\n#EXT-X-GAP"),
];

/// Parts.
const PARTS: &str = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:70
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.0
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-MAP:URI=\"init.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.000Z
#EXTINF:2.00000,
70.m4s
#EXTINF:2.00000,
71.m4s
#EXTINF:2.00000,
72.m4s
#EXT-X-PART:DURATION=1.00000,URI=\"73-0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.00000,URI=\"73-1.m4s\"
#EXTINF:2.00000,
73.m4s
#EXT-X-PART:DURATION=0.90000,URI=\"74.m4s\",INDEPENDENT=YES,BYTERANGE=\"1000@0\"
#EXT-X-PART:DURATION=0.90000,URI=\"74.m4s\",BYTERANGE=\"1000\"
#EXT-X-PART:DURATION=0.20000,URI=\"74.m4s\",BYTERANGE=\"1000\"
#EXTINF:2.00000,
74.m4s
#EXT-X-PART:DURATION=1.00000,URI=\"75-0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.10000,URI=\"75-1.m4s\"
#EXT-X-PART:DURATION=1.00000,URI=\"75-2.m4s\",GAP=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"75-3.m4s\"
#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"init-1.mp4\"
#EXT-X-RENDITION-REPORT:URI=\"../b.m3u8\",LAST-MSN=75,LAST-PART=2
";

const PARTS_CASES: &[Case] = &[
    case(&PART_HOLD_BACK_SHORT, "PART-HOLD-BACK=3.0", "PART-HOLD-BACK=1.9"),
    case(&PART_HOLD_BACK_LEAN, "PART-HOLD-BACK=3.0", "PART-HOLD-BACK=2.9"),
    case(&PART_HOLD_BACK_MISSING, ",PART-HOLD-BACK=3.0", ""),
    case(&PART_INF_MISSING, "#EXT-X-PART-INF:PART-TARGET=1.0\n", ""),
    case(&PARTS_UNBLOCKED, "CAN-BLOCK-RELOAD=YES,", ""),
    case(&PARTS_UNDATED, "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.000Z\n", ""),
    case(&PARTS_UNHINTED, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"75-3.m4s\"\n", ""),
    case(&FRAMES_WITH_PARTS, "#EXT-X-VERSION:6", "#EXT-X-VERSION:5\n#EXT-X-I-FRAMES-ONLY"),
    case(&PART_LONG, "DURATION=0.10000,URI=\"75-1", "DURATION=1.00200,URI=\"75-1"),
    case(
        &PART_SHORT,
        "DURATION=0.90000,URI=\"74.m4s\",BYTERANGE",
        "DURATION=0.84000,URI=\"74.m4s\",BYTERANGE",
    ),
    case(&TAGS_BEHIND_PART, "#EXTINF:2.00000,\n73", "#EXT-X-KEY:METHOD=NONE\n#EXTINF:2.00000,\n73"),
    case(&PART_RANGE_BASE, "BYTERANGE=\"1000@0\"", "BYTERANGE=\"1000\""),
    case(&PARTS_SUM, "#EXTINF:2.00000,\n73", "#EXTINF:1.90000,\n73"),
    case(&PART_OLD, "#EXTINF:2.00000,\n71", "#EXT-X-PART:DURATION=1,URI=\"71-1.m4s\"\n#EXTINF:2.00000,\n71"),
    case(&PART_DEPENDENT, "URI=\"73-0.m4s\",INDEPENDENT=YES", "URI=\"73-0.m4s\""),
    case(&PART_DEPENDENT, "URI=\"75-0.m4s\",INDEPENDENT=YES", "URI=\"75-0.m4s\""),
    case(&HINT_TWICE, "TYPE=MAP", "TYPE=PART"),
    case(&HINT_LISTED, "URI=\"75-3.m4s\"", "URI=\"75-2.m4s\""),
    case(&HINT_ENDED, "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-ENDLIST"),
    case(&REPORT_ABSOLUTE, "URI=\"../b.m3u8\"", "URI=\"https://a.example/b.m3u8\""),
];

/// Date ranges.
const RANGES: &str = "#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:4
#EXT-X-DATERANGE:ID=\"a\",CLASS=\"org.example.ad\",START-DATE=\"2026-11-20T10:52:00.000Z\",END-DATE=\"2026-11-20T10:52:04.000Z\",DURATION=4
#EXT-X-DATERANGE:ID=\"b\",CLASS=\"org.example.scene\",START-DATE=\"2026-11-20T10:52:00.000Z\",END-ON-NEXT=YES,CUE=\"PRE,ONCE\"
#EXT-X-DATERANGE:ID=\"c\",CLASS=\"org.example.scene\",START-DATE=\"2026-11-20T10:52:02.000Z\",DURATION=2,PLANNED-DURATION=3
#EXT-X-DATERANGE:ID=\"d\",CLASS=\"org.example.scene\",START-DATE=\"2026-11-20T10:52:04.000Z\",X-ORG-EXAMPLE-N=-4.5
#EXT-X-DATERANGE:ID=\"d\",X-ORG-EXAMPLE-N=-4.5,SCTE35-OUT=0xFC30
#EXT-X-DATERANGE:ID=\"e\",CLASS=\"com.apple.hls.interstitial\",START-DATE=\"2026-11-20T10:52:06.000Z\",X-SNAP=\"OUT\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.000Z
#EXTINF:4.0,
0.ts
#EXTINF:4.0,
1.ts
#EXT-X-ENDLIST
";

const RANGES_CASES: &[Case] = &[
    case(&RANGES_UNDATED, "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.000Z\n", ""),
    case(&RANGE_START, "ID=\"d\",X-ORG", "ID=\"f\",X-ORG"),
    case(
        &RANGE_BACKWARDS,
        "END-DATE=\"2026-11-20T10:52:04.000Z\",DURATION=4",
        "END-DATE=\"2026-11-20T10:51:59.000Z\"",
    ),
    case(&RANGE_LENGTH, "DURATION=4", "DURATION=5"),
    case(
        &RANGE_NEXT,
        "CLASS=\"org.example.scene\",START-DATE=\"2026-11-20T10:52:00",
        "START-DATE=\"2026-11-20T10:52:00",
    ),
    case(&RANGE_NEXT, "END-ON-NEXT=YES", "END-ON-NEXT=YES,DURATION=1"),
    case(&RANGE_OVERLAP, "DURATION=2,", "DURATION=2.5,"),
    case(&RANGE_CONFLICT, "ID=\"d\",X-ORG-EXAMPLE-N=-4.5", "ID=\"d\",X-ORG-EXAMPLE-N=4.5"),
    case(&RANGE_CUE, "\"PRE,ONCE\"", "\"PRE,POST\""),
    case(&RANGE_NAME, "DURATION=2,", "DURATION=2,X-N=1,"),
    case(&DATE_ZONE, "START-DATE=\"2026-11-20T10:52:06.000Z\"", "START-DATE=\"2026-11-20T10:52:06.000\""),
    case(&ATTRIBUTE_TYPE, "X-SNAP=\"OUT\"", "X-SNAP=OUT"),
    case(&ATTRIBUTE_VALUE, "\"PRE,ONCE\"", "\"PRE,TWICE\""),
];

/// A delta update.
const DELTA: &str = "#EXTM3U
#EXT-X-VERSION:10
#EXT-X-TARGETDURATION:1
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=6.0,CAN-SKIP-DATERANGES=YES
#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES=\"a\tb\"
#EXTINF:1,
10.ts
#EXTINF:1,
11.ts
#EXTINF:1,
12.ts
#EXTINF:1,
13.ts
#EXTINF:1,
14.ts
#EXTINF:1,
15.ts
";

const DELTA_CASES: &[Case] = &[
    case(&SKIP_UNOFFERED, "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=6.0,CAN-SKIP-DATERANGES=YES\n", ""),
    case(&SKIP_ENDED, "#EXT-X-VERSION:10", "#EXT-X-VERSION:10\n#EXT-X-ENDLIST"),
    case(
        &SKIP_LATE,
        "#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES=\"a\tb\"\n#EXTINF:1,\n10.ts\n",
        "#EXTINF:1,\n10.ts\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES=\"a\tb\"\n",
    ),
    case(&SKIP_NEAR, "#EXTINF:1,\n15.ts\n", ""),
    case(&ATTRIBUTE_MISSING, "SKIPPED-SEGMENTS=3,", ""),
];

/// Variables.
const VARIABLES: &str = "#EXTM3U
#EXT-X-VERSION:8
#EXT-X-DEFINE:NAME=\"host\",VALUE=\"https://a.example\"
#EXT-X-DEFINE:NAME=\"path\",VALUE=\"{$host}/table-1\"
#EXT-X-TARGETDURATION:4
#EXTINF:4,
{$path}/0.ts
#EXT-X-ENDLIST
";

const VARIABLES_CASES: &[Case] = &[
    case(&VARIABLE_UNKNOWN, "{$path}", "{$Path}"),
    case(&DEFINE_FORM, ",VALUE=\"https://a.example\"", ""),
    case(&DEFINE_FORM, "#EXT-X-TARGET", "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"a\",IMPORT=\"a\"\n#EXT-X-TARGET"),
    case(&DEFINE_REPEATED, "#EXT-X-TARGET", "#EXT-X-DEFINE:NAME=\"host\",VALUE=\"\"\n#EXT-X-TARGET"),
    case(&ATTRIBUTE_TYPE, "#EXT-X-TARGET", "#EXT-X-DEFINE:NAME=\"a b\",VALUE=\"a\"\n#EXT-X-TARGET"),
];

pub(super) fn tables() -> Vec<(&'static str, &'static [Case])> {
    Vec::from([
        (PLAIN, PLAIN_CASES),
        (PARTS, PARTS_CASES),
        (RANGES, RANGES_CASES),
        (DELTA, DELTA_CASES),
        (VARIABLES, VARIABLES_CASES),
    ])
}

/// Rules that the tests below break.
pub(super) const OTHERS: &[&Rule] = &[&TOO_LARGE, &NOT_UTF8, &NO_PLAYLIST_TAGS, &DEFINE_IMPORT];

#[test]
fn each_case_of_a_media_playlist_breaks_one_rule() {
    for (base, cases) in tables() {
        each_breaks_one_rule(base, cases);
    }
}

#[test]
fn what_is_no_playlist_is_said_to_be_none() {
    let found = |bytes: &[u8]| ids(&read(bytes, &Place::default()).findings);
    assert_eq!(found(b"#EXTM3U\n\xff"), BTreeSet::from([NOT_UTF8.id]));
    assert_eq!(found(b"#EXTM3U\n#EXT-X-VERSION:1\n"), BTreeSet::from([NO_PLAYLIST_TAGS.id]));
    assert_eq!(found(&std::vec![b'#'; LEN_MAX + 1]), BTreeSet::from([TOO_LARGE.id]));
}

#[test]
fn a_variable_comes_from_the_multivariant_playlist_or_from_the_query() {
    let text = VARIABLES
        .replace("VERSION:8", "VERSION:11")
        .replace("NAME=\"host\",VALUE=\"https://a.example\"", "IMPORT=\"host\"")
        .replace("NAME=\"path\",VALUE=\"{$host}/table-1\"", "QUERYPARAM=\"path\"")
        .replace("{$path}", "{$host}/{$path}");
    let imports = multivariant("#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-DEFINE:NAME=\"host\",VALUE=\"h\"\n#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"a\",NAME=\"a\"\n").variables;
    let place = Place { query: "a=b&path=a%2Fb%2", imports: Some(&imports) };
    let reading = read(text.as_bytes(), &place);
    assert_eq!(reading.findings, []);
    assert_eq!(reading.playlist.and_then(Playlist::media).unwrap().segments[0].uri, "h/a/b%2/0.ts");

    for place in [Place { query: "path", ..place }, Place { imports: Some(&Variables::default()), ..place }] {
        let findings = read(text.as_bytes(), &place).findings;
        assert_eq!(ids(&findings), BTreeSet::from([DEFINE_IMPORT.id]), "{findings:?}");
    }
}

#[test]
fn variables_that_refer_to_each_other_stay_short() {
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:NAME=\"a0\",VALUE=\"0123456789\"\n",
    );
    for n in 1..60 {
        let before = format!("{{$a{}}}", n - 1);
        text.push_str(&format!("#EXT-X-DEFINE:NAME=\"a{n}\",VALUE=\"{before}{before}\"\n"));
    }
    text.push_str("#EXTINF:4,\n{$a59}\n");
    assert!(media(&text).segments[0].uri.len() <= 16_384);
}

#[test]
fn findings_say_the_section_the_line_and_what_to_do() {
    let text = PLAIN.replace("#EXTINF:3.96000,", "#EXTINF:5.00000,");
    let findings = read(text.as_bytes(), &Place::default()).findings;
    assert_eq!(
        findings[0].to_string(),
        "must segment-over-target (RFC 8216bis, 4.4.3.1), line 18: a segment of 5.000 s is over the target duration of 4 s; \
         cut shorter segments, or give the playlist a longer target duration from its start"
    );
}

#[test]
fn a_playlist_that_is_all_wrong_has_bounded_findings() {
    let text = format!("#EXTM3U\n{}", "#EXT-X-NOTHING\n".repeat(10_000));
    assert_eq!(read(text.as_bytes(), &Place::default()).findings.len(), FINDINGS_MAX);
}
