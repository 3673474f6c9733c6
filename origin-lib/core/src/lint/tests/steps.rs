use super::*;
use crate::lint::rules::*;

/// A live window.
const LIVE: &str = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:70
#EXT-X-DISCONTINUITY-SEQUENCE:4
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=3.0
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-DATERANGE:ID=\"m\",CLASS=\"org.example.match\",START-DATE=\"2026-11-20T10:52:03.000Z\"
#EXT-X-MAP:URI=\"https://a.example/init.mp4\"
#EXT-X-KEY:METHOD=AES-128,URI=\"key\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.000Z
#EXTINF:2.00000,
https://a.example/70.m4s
#EXTINF:2.00000,
https://a.example/71.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:53:00.000Z
#EXTINF:2.00000,
https://a.example/72.m4s
#EXT-X-GAP
#EXTINF:2.00000,
https://a.example/73.m4s
#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-1.m4s\"
#EXTINF:2.00000,
https://a.example/74.m4s
#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/75-0.m4s\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"https://a.example/75-1.m4s\"
";

/// The window a segment later: the first one is gone, and the part that was hinted at has come.
const LATER: &str = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:71
#EXT-X-DISCONTINUITY-SEQUENCE:4
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12,PART-HOLD-BACK=3.0
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-DATERANGE:ID=\"m\",CLASS=\"org.example.match\",START-DATE=\"2026-11-20T10:52:03.000Z\",DURATION=3
#EXT-X-DATERANGE:ID=\"n\",CLASS=\"org.example.match\",START-DATE=\"2026-11-20T10:53:03.000Z\"
#EXT-X-MAP:URI=\"https://a.example/init.mp4\"
#EXT-X-KEY:METHOD=AES-128,URI=\"key\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:02.000Z
#EXTINF:2.00000,
https://a.example/71.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:53:00.000Z
#EXTINF:2.00000,
https://a.example/72.m4s
#EXT-X-GAP
#EXTINF:2.00000,
https://a.example/73.m4s
#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-1.m4s\"
#EXTINF:2.00000,
https://a.example/74.m4s
#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/75-0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/75-1.m4s\"
#EXTINF:2.00000,
https://a.example/75.m4s
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"https://a.example/76-0.m4s\"
";

/// Replacements in the later one of two loads, or in the earlier one where it says so.
const LIVE_CASES: &[Case] = &[
    case(&SEQUENCE_BACK, "MEDIA-SEQUENCE:71", "MEDIA-SEQUENCE:69"),
    case(&SEQUENCE_BACK, "DISCONTINUITY-SEQUENCE:4", "DISCONTINUITY-SEQUENCE:3"),
    case(&NUMBER_OF_OTHER, "MEDIA-SEQUENCE:71", "MEDIA-SEQUENCE:70"),
    case(&NUMBER_OF_OTHER, "https://a.example/72.m4s", "https://a.example/72-b.m4s"),
    case(&SEGMENT_MOVED, "https://a.example/72.m4s", "https://b.example/72.m4s"),
    case(&SEGMENT_MOVED, "https://a.example/init.mp4", "https://b.example/init.mp4"),
    case(&SEGMENT_MOVED, "https://a.example/75-0.m4s", "https://b.example/75-0.m4s"),
    case(
        &SEGMENT_DURATION,
        "#EXTINF:2.00000,\nhttps://a.example/74",
        "#EXTINF:1.99000,\nhttps://a.example/74",
    ),
    case(&SEGMENT_DATE, "10:53:00.000Z", "10:53:00.200Z"),
    case(&SEGMENT_DATE, "10:52:02.000Z", "10:52:02.200Z"),
    case(&SEGMENT_KEY, "METHOD=AES-128,URI=\"key\"", "METHOD=AES-128,URI=\"key-2\""),
    case(&SEGMENT_KEY, "#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n", ""),
    case(&SEGMENT_MAP, "https://a.example/init.mp4", "https://a.example/init-2.mp4"),
    case(&SEGMENT_GAP, "#EXT-X-GAP\n", ""),
    case(&DISCONTINUITY_COUNT, "DISCONTINUITY-SEQUENCE:4", "DISCONTINUITY-SEQUENCE:5"),
    case(&TARGET_CHANGED, "TARGETDURATION:2", "TARGETDURATION:3"),
    case(&TYPE_CHANGED, "#EXT-X-TARGET", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-TARGET"),
    case(&PART_TARGET_CHANGED, "PART-TARGET=1.0", "PART-TARGET=1.1"),
    case(&CONTROL_CHANGED, "PART-HOLD-BACK=3.0", "PART-HOLD-BACK=4.0"),
    case(
        &PART_CHANGED,
        "DURATION=1.00000,URI=\"https://a.example/75-0",
        "DURATION=0.90000,URI=\"https://a.example/75-0",
    ),
    case(&PART_CHANGED, "75-0.m4s\",INDEPENDENT=YES", "75-0.m4s\",INDEPENDENT=YES,GAP=YES"),
    case(
        &PART_REMOVED,
        "#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-0.m4s\",INDEPENDENT=YES\n",
        "",
    ),
    case(&PART_REMOVED, "#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-1.m4s\"\n", ""),
    case(&RANGE_CHANGED, "10:52:03.000Z", "10:52:03.500Z"),
    case(
        &RANGE_CHANGED,
        "CLASS=\"org.example.match\",START-DATE=\"2026-11-20T10:52:03",
        "START-DATE=\"2026-11-20T10:52:03",
    ),
    case(&RANGE_REMOVED, "ID=\"m\"", "ID=\"o\""),
    case(&HINT_BROKEN, "https://a.example/75-1.m4s", "https://b.example/75-1.m4s"),
];

/// Rules that the tests below break.
pub(super) const RULES: &[&Rule] = &[
    &SEQUENCE_BACK,
    &PLAYLIST_SHRANK,
    &NUMBER_OF_OTHER,
    &SEGMENT_MOVED,
    &SEGMENT_DURATION,
    &SEGMENT_DATE,
    &SEGMENT_KEY,
    &SEGMENT_MAP,
    &SEGMENT_GAP,
    &DISCONTINUITY_COUNT,
    &REMOVED_TOO_MUCH,
    &TYPED_REMOVED,
    &VOD_CHANGED,
    &ENDED_CHANGED,
    &TYPE_CHANGED,
    &TARGET_CHANGED,
    &PART_TARGET_CHANGED,
    &CONTROL_CHANGED,
    &PART_CHANGED,
    &PART_REMOVED,
    &RANGE_CHANGED,
    &RANGE_REMOVED,
    &UPDATE_LATE,
    &HINT_BROKEN,
    &DELTA_BEYOND,
    &DELTA_DIFFERS,
];

fn step(before: &str, after: &str) -> BTreeSet<&'static str> {
    ids(&transition::check(&media(before), &media(after)))
}

fn only(rule: &Rule) -> BTreeSet<&'static str> {
    BTreeSet::from([rule.id])
}

#[test]
fn each_case_of_a_step_breaks_one_rule() {
    assert_eq!(transition::check(&media(LIVE), &media(LATER)), []);
    assert_eq!(transition::check(&media(LIVE), &media(LIVE)), []);
    let mut wrong = Vec::new();
    for Case { rule, from, to } in LIVE_CASES {
        assert!(LATER.contains(from), "{} has nothing to replace: {from}", rule.id);
        let findings = transition::check(&media(LIVE), &media(&LATER.replacen(from, to, 1)));
        if ids(&findings) != only(rule) {
            let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
            wrong.push(format!("{} by {to}: {found:#?}", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first segments of a playlist without parts, from a number on.
fn plain(head: &str, numbers: core::ops::Range<u64>, end: &str) -> String {
    let segments = numbers.clone().map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect::<String>();
    let first = numbers.start;
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{head}#EXT-X-MEDIA-SEQUENCE:{first}\n{segments}{end}")
}

#[test]
fn a_playlist_ends_grows_and_is_cut_by_its_type() {
    const EVENT: &str = "#EXT-X-PLAYLIST-TYPE:EVENT\n";
    const VOD: &str = "#EXT-X-PLAYLIST-TYPE:VOD\n";
    const END: &str = "#EXT-X-ENDLIST\n";
    let none = BTreeSet::new();
    for (before, after, expected) in [
        (plain("", 0..6, ""), plain("", 3..7, ""), none.clone()),
        (plain("", 0..6, ""), plain("", 3..7, END), none.clone()),
        (plain("", 0..6, ""), plain("", 0..5, ""), only(&PLAYLIST_SHRANK)),
        (plain("", 0..6, ""), plain("", 4..6, ""), only(&REMOVED_TOO_MUCH)),
        (plain("", 0..6, END), plain("", 4..6, END), none.clone()),
        (plain("", 0..6, END), plain("", 0..7, END), only(&ENDED_CHANGED)),
        (plain("", 0..6, END), plain("", 0..6, ""), only(&ENDED_CHANGED)),
        (plain(EVENT, 0..6, ""), plain(EVENT, 0..9, END), none.clone()),
        (plain(EVENT, 0..6, ""), plain(EVENT, 1..9, ""), only(&TYPED_REMOVED)),
        (plain(EVENT, 0..6, ""), plain(VOD, 0..6, END), only(&TYPE_CHANGED)),
        (plain(VOD, 0..6, END), plain(VOD, 0..6, END), none.clone()),
        (plain(VOD, 0..6, END), plain(VOD, 0..7, END), only(&VOD_CHANGED)),
    ] {
        assert_eq!(step(&before, &after), expected, "{before}\n{after}");
    }
}

#[test]
fn a_live_playlist_is_late_after_one_and_a_half_targets() {
    let live = media(&plain("", 0..6, ""));
    let late = |waited| transition::overdue(&live, Nanos::ms(waited), Nanos::ms(100));
    assert_eq!(late(3100), None);
    assert_eq!(late(3101).map(|finding| finding.rule.id), Some(UPDATE_LATE.id));
    let ended = media(&plain("", 0..6, "#EXT-X-ENDLIST\n"));
    assert_eq!(transition::overdue(&ended, Nanos::seconds(60), Nanos::ms(0)), None);
}

#[test]
fn a_delta_update_is_put_in_place() {
    let skip = "#EXT-X-SKIP:SKIPPED-SEGMENTS=";
    let head = "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12\n";
    let (before, whole) = (media(&plain(head, 10..20, "")), media(&plain(head, 12..22, "")));
    let update = |skipped: u64| {
        let text = plain(head, 12 + skipped..22, "");
        let first = format!("#EXT-X-MEDIA-SEQUENCE:{}\n", 12 + skipped);
        media(&text.replace(&first, &format!("#EXT-X-MEDIA-SEQUENCE:12\n{skip}{skipped}\n")))
    };
    let applied = delta::apply(&before, &update(4)).unwrap();
    assert_eq!(delta::compare(&applied, &whole), None);
    assert_eq!(applied.segments.len(), 10);
    assert_eq!(delta::apply(&before, &whole).unwrap(), whole);

    let beyond = delta::apply(&before, &update(9)).unwrap_err();
    assert_eq!(beyond.rule.id, DELTA_BEYOND.id);
    let other = media(&plain(head, 12..22, "").replace("20.ts", "20-b.ts"));
    for whole in [media(&plain(head, 12..23, "")), other] {
        let differs = delta::compare(&applied, &whole).unwrap();
        assert_eq!(differs.rule.id, DELTA_DIFFERS.id);
    }
}

#[test]
fn who_follows_begins_anew_behind_a_delta_update_that_it_can_not_use() {
    let mut follower = Follower::default();
    let mut load = |text: &str| ids(&follower.load(text.as_bytes(), &Place::default()));
    let update = LIVE
        .replace("#EXT-X-MAP", "#EXT-X-SKIP:SKIPPED-SEGMENTS=9\n#EXT-X-MAP")
        .replace("VERSION:6", "VERSION:9");
    let beyond = BTreeSet::from([DELTA_BEYOND.id, SKIP_NEAR.id]);
    assert_eq!(load(LIVE), BTreeSet::new());
    assert_eq!(load(&update), beyond);
    assert_eq!(load(LATER), BTreeSet::new());
    let changed = LATER.replace("org.example.match", "org.example.set");
    assert_eq!(load(&changed), only(&RANGE_CHANGED), "it follows again");
}

#[test]
fn a_delta_update_keeps_the_key_and_the_ranges_of_what_it_skips() {
    let whole = LIVE.replace("VERSION:6", "VERSION:10");
    let at = whole.find("#EXT-X-DISCONTINUITY\n").unwrap();
    let (head, rest) = whole.split_at(at);
    let ranges = head.find("#EXT-X-DATERANGE").unwrap();
    let skip = "#EXT-X-SKIP:SKIPPED-SEGMENTS=2,RECENTLY-REMOVED-DATERANGES=\"\"\n";
    let update = media(&format!("{}{skip}{rest}", &head[..ranges]));
    let applied = delta::apply(&media(LIVE), &update).unwrap();
    assert_eq!(delta::compare(&applied, &media(LIVE)), None);
    assert_eq!(applied.segments[3].applied.keys().len(), 1);

    let gone = media(&format!("{}{}{rest}", &head[..ranges], skip.replace("\"\"", "\"m\"")));
    let applied = delta::apply(&media(LIVE), &gone).unwrap();
    assert_eq!(delta::compare(&applied, &media(LIVE)).map(|finding| finding.rule.id), Some(DELTA_DIFFERS.id));
}

#[test]
fn parts_go_when_they_are_old_and_fill_up_while_they_are_new() {
    let old = LATER.replace(
        "#EXT-X-PRELOAD-HINT",
        "#EXTINF:2.00000,\n76.m4s\n#EXTINF:2.00000,\n77.m4s\n#EXT-X-PRELOAD-HINT",
    );
    let without = old
        .replace("#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-0.m4s\",INDEPENDENT=YES\n", "")
        .replace("#EXT-X-PART:DURATION=1.00000,URI=\"https://a.example/74-1.m4s\"\n", "");
    assert_eq!(step(LIVE, &without), BTreeSet::new());
}
