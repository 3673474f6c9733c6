//! What the score says of stretches of time, read as a player does.

use alloc::collections::BTreeMap;

use proptest::prelude::*;

use super::delta::long;
use super::stretches::recorded;
use super::*;
use crate::score::{Class, Range, Side, Unit};
use crate::state::Shown;

fn range(id: &str, class: Class, from_ms: u64, to_ms: Option<u64>) -> Range {
    let is_side = matches!(class, Class::Inning | Class::Run);
    Range {
        id: id.into(),
        class,
        start: START.plus_ms(from_ms).media(),
        known: None,
        again: None,
        left_for: None,
        end: to_ms.map(|ms| START.plus_ms(ms).media()),
        title: if is_side { "Blomdahl" } else { "World Cup final" }.into(),
        number: matches!(class, Class::Inning | Class::Unit).then_some(3),
        unit: (class == Class::Unit).then_some(Unit::Set),
        side: is_side.then_some(Side::Second),
        points: is_side.then_some(-2),
    }
}

fn shown(mut state: ChannelState, ranges: &[Range]) -> ChannelState {
    state.score = Some(Shown { revision: 1, ranges: ranges.to_vec() });
    state
}

fn tags(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("#EXT-X-DATERANGE:")).collect()
}

#[test]
fn golden() {
    let ranges = [
        range("0a", Class::Match, 0, None),
        range("0b", Class::Unit, 1_000, Some(7_000)),
        range("0c", Class::Inning, 2_000, Some(3_500)),
        range("0d", Class::Run, 2_000, Some(3_500)),
    ];
    let text = media_text(&shown(state(), &ranges), &["a"]);
    let (_, rest) = text.split_once("#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0\n").unwrap();
    let (before, _) = rest.split_once("#EXT-X-MAP").unwrap();
    assert_eq!(
        before,
        "#EXT-X-DATERANGE:ID=\"0a\",CLASS=\"org.railbird.score.match\",START-DATE=\"2026-11-20T10:52:00.040Z\",\
         X-ORG-RAILBIRD-TITLE=\"World Cup final\"\n\
         #EXT-X-DATERANGE:ID=\"0b\",CLASS=\"org.railbird.score.unit\",START-DATE=\"2026-11-20T10:52:01.040Z\",\
         END-DATE=\"2026-11-20T10:52:07.040Z\",X-ORG-RAILBIRD-TITLE=\"World Cup final\",\
         X-ORG-RAILBIRD-UNIT=\"set\",X-ORG-RAILBIRD-NUMBER=3\n\
         #EXT-X-DATERANGE:ID=\"0c\",CLASS=\"org.railbird.score.inning\",START-DATE=\"2026-11-20T10:52:02.040Z\",\
         END-DATE=\"2026-11-20T10:52:03.540Z\",X-ORG-RAILBIRD-TITLE=\"Blomdahl\",X-ORG-RAILBIRD-NUMBER=3,\
         X-ORG-RAILBIRD-SIDE=1,X-ORG-RAILBIRD-POINTS=\"-2\"\n\
         #EXT-X-DATERANGE:ID=\"0d\",CLASS=\"org.railbird.score.run\",START-DATE=\"2026-11-20T10:52:02.040Z\",\
         END-DATE=\"2026-11-20T10:52:03.540Z\",X-ORG-RAILBIRD-TITLE=\"Blomdahl\",X-ORG-RAILBIRD-SIDE=1,\
         X-ORG-RAILBIRD-POINTS=\"-2\"\n"
    );
    assert!(m3u8_rs::parse_media_playlist_res(text.as_bytes()).is_ok());
    // The media is the same.
    assert_eq!(uris(&text), uris(&media_text(&state(), &["a"])));
    let alike: String =
        text.lines().filter(|line| !line.contains("DATERANGE")).map(|line| line.to_string() + "\n").collect();
    assert_eq!(alike, media_text(&state(), &["a"]));
}

#[test]
fn what_is_over_before_the_window_or_tells_of_what_follows_is_not_listed() {
    let listed = |class, from_ms, to_ms| {
        // Four segments of 2 s, the first at 10 s.
        let mut state = long(9);
        state.renditions[0].segments.drain(..5);
        let text = media_text(&shown(state, &[range("0a", class, from_ms, to_ms)]), &["a"]);
        tags(&text).first().map(|tag| tag.contains("END-DATE"))
    };
    assert_eq!(listed(Class::Match, 0, Some(10_000)), None, "it is over");
    assert_eq!(listed(Class::Match, 0, Some(10_001)), Some(true));
    assert_eq!(listed(Class::Match, 0, Some(18_000)), Some(true));
    assert_eq!(listed(Class::Match, 0, Some(18_001)), Some(false), "its end is still to come");
    assert_eq!(listed(Class::Match, 17_999, None), Some(false));
    assert_eq!(listed(Class::Match, 18_000, None), None, "its start is still to come");
    assert_eq!(listed(Class::Inning, 12_000, Some(18_000)), Some(true));
    assert_eq!(listed(Class::Inning, 12_000, Some(18_001)), None, "its points are still to come");
    assert_eq!(listed(Class::Run, 12_000, Some(18_001)), None);
}

#[test]
fn a_delta_update_leaves_none_out() {
    let ranges: Vec<Range> = (0..10)
        .map(|n| range(&std::format!("{n}"), Class::Inning, 4_000 * n, Some(4_000 * n + 3_000)))
        .collect();
    let state = shown(long(20), &ranges);
    let of = |delta| {
        media(&state, &"source".parse().unwrap(), &ids(&["a"]), Wanted { delta, ..Wanted::default() })
            .unwrap()
    };
    let (whole, delta) = (of(false), of(true));
    assert!(delta.contains("#EXT-X-SKIP:"));
    assert_eq!(tags(&delta), tags(&whole));
    assert_eq!(tags(&whole).len(), 10);
}

#[test]
fn a_name_can_not_end_its_quotes_or_its_line() {
    let mut range = range("0a", Class::Match, 0, None);
    range.title = "\"\r\n#EXT-X-ENDLIST\u{85}".into();
    range.title.extend(core::iter::repeat_n('é', 200));
    let text = media_text(&shown(state(), &[range]), &["a"]);
    let title = std::format!("-TITLE=\"'#EXT-X-ENDLIST{}\"\n", "é".repeat(100 - 18));
    assert!(text.contains(&title), "{text}");
    assert_eq!(text.lines().filter(|line| *line == "#EXT-X-ENDLIST").count(), 0);
}

/// The attributes of a tag.
fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut rest = tag;
    let mut attributes = BTreeMap::new();
    while let Some((name, value)) = rest.split_once('=') {
        let end = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').unwrap() + 2,
            None => value.find(',').unwrap_or(value.len()),
        };
        attributes.insert(name.to_string(), value[..end].to_string());
        rest = value[end..].trim_start_matches(',');
    }
    attributes
}

/// A player: what it knows of each ID must stay what it is, but for an end that was not known (RFC 8216bis, 4.4.5.1).
#[derive(Default)]
struct Player {
    known: BTreeMap<String, BTreeMap<String, String>>,
    linter: linted::Linter,
}

impl Player {
    fn read(&mut self, text: &str) {
        self.linter.load(text);
        for tag in tags(text) {
            let attributes = attributes(tag);
            if let Some(end) = attributes.get("END-DATE") {
                assert!(attributes["START-DATE"] <= *end, "{tag}");
            }
            let known = self.known.entry(attributes["ID"].clone()).or_default();
            for (name, value) in attributes {
                let before = known.entry(name.clone()).or_insert_with(|| value.clone());
                assert_eq!(*before, value, "{name} of {tag}");
            }
        }
    }
}

/// Any ranges, none of which ends before it begins; their IDs are distinct.
fn any_ranges() -> impl Strategy<Value = Vec<Range>> {
    let class = prop::sample::select(vec![Class::Match, Class::Unit, Class::Inning, Class::Run]);
    let one = (class, 0_u64..70_000, prop::option::of(0_u64..30_000));
    prop::collection::vec(one, 0..20).prop_map(|ranges| {
        let one = |(n, (class, from, long)): (usize, (Class, u64, Option<u64>))| {
            range(&std::format!("{n:x}"), class, from, long.map(|ms| from + ms))
        };
        ranges.into_iter().enumerate().map(one).collect()
    })
}

proptest! {
    /// However the window goes on, and however far somebody has come, an ID stays what it is.
    #[test]
    fn an_id_keeps_what_it_says(ranges in any_ranges(), window in 3_u64..20) {
        let mut player = Player::default();
        for end in 1..30 {
            let mut state = long(end);
            let gone = end.saturating_sub(window);
            state.renditions[0].segments.drain(..gone as usize);
            state.renditions[0].first_msn += gone;
            player.read(&media_text(&shown(state, &ranges), &["a"]));
        }
        // Another playlist, of the same ranges.
        player.linter = linted::Linter::default();
        let chapters = [long(30)];
        for until in 1..61_u64 {
            let stretch = Stretch { until: Some(START.plus_ms(1000 * until)), clip: None };
            let recorded = Recorded { stretch, ranges: &ranges, ..recorded(&chapters, true) };
            let text = recorded.media(&"source".parse().unwrap(), &ids(&["a"]), false).unwrap();
            if text.contains("PLAYLIST-TYPE:VOD") {
                // Who is in the last segment does not load it again.
                player.linter = linted::Linter::default();
            }
            player.read(&text);
            let horizon = START.plus_ms(1000 * until).iso8601();
            for tag in tags(&text) {
                let attributes = attributes(tag);
                let told = ["START-DATE", "END-DATE"].into_iter().filter_map(|name| attributes.get(name));
                for date in told {
                    prop_assert!(date.trim_matches('"') <= &*horizon, "{} until {}", tag, horizon);
                }
            }
        }
    }
}
