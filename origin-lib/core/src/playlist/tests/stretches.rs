//! A recording as far as somebody has come in it, and clips.

use super::delta::{long, segment_at};
use super::*;

/// A recording of these chapters, of which nothing is live and all is listed.
pub(super) fn recorded(chapters: &[ChannelState], ended: bool) -> Recorded<'_> {
    Recorded { chapters, live: None, ended, ranges: &[], stretch: Stretch::default() }
}

/// Three chapters of ten segments of 2 s.
pub(super) fn chapters() -> Vec<ChannelState> {
    let all = long(30);
    let mut chapters: Vec<ChannelState> = vec![long(0); 3];
    for (n, segment) in all.renditions[0].segments.iter().enumerate() {
        chapters[n / 10].renditions[0].segments.push(*segment);
    }
    chapters
}

fn text(recorded: &Recorded<'_>) -> String {
    linted::sound(recorded.media(&"source".parse().unwrap(), &ids(&["a"]), false).unwrap())
}

fn until(ms: u64) -> Stretch {
    Stretch { until: Some(START.plus_ms(ms)), clip: None }
}

fn clip(from_ms: u64, to_ms: u64) -> Stretch {
    Stretch { until: None, clip: Some((START.plus_ms(from_ms), START.plus_ms(to_ms))) }
}

#[test]
fn until_some_moment_a_recording_seems_to_be_made() {
    let chapters = chapters();
    let whole = recorded(&chapters, true);
    let at = |ms: u64| text(&Recorded { stretch: until(ms), ..whole });
    for (ms, listed) in
        [(1, 1), (2_000, 1), (2_001, 2), (19_999, 10), (20_000, 10), (20_001, 11), (58_000, 29)]
    {
        let text = at(ms);
        assert_eq!(uris(&text).len(), listed, "{ms}");
        assert!(text.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !text.contains("ENDLIST"), "{text}");
        // What is listed stays as it is while somebody goes on.
        assert!(text_of_segments(&at(60_000)).starts_with(&text_of_segments(&text)));
    }
    let all = at(58_001);
    assert!(all.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && all.ends_with("#EXT-X-ENDLIST\n"), "{all}");
    assert_eq!(all, text(&whole));
    let before = Recorded { stretch: until(0), ..whole };
    assert_eq!(before.media(&"source".parse().unwrap(), &ids(&["a"]), false), None);
}

fn text_of_segments(text: &str) -> String {
    text.split_once("#EXT-X-MAP").unwrap().1.trim_end_matches("#EXT-X-ENDLIST\n").to_string()
}

#[test]
fn how_long_it_is_shows_nowhere() {
    let chapters = chapters();
    let shorter = &chapters[..2];
    for ms in [1, 9_000, 38_000] {
        let of = |chapters, ended| text(&Recorded { stretch: until(ms), ..recorded(chapters, ended) });
        assert_eq!(of(&chapters, true), of(shorter, true));
        assert_eq!(of(&chapters, true), of(&chapters, false));
    }
}

#[test]
fn a_clip_is_what_lies_in_it_and_no_more() {
    let chapters = chapters();
    let whole = recorded(&chapters, false);
    let of = |stretch| text(&Recorded { stretch, ..whole });
    for (from, to, first, listed) in [
        (0, 1, 0, 1),
        (3_000, 5_000, 1, 2),
        (4_000, 6_000, 2, 1),
        (18_000, 22_000, 9, 2),
        (58_000, 60_000, 29, 1),
    ] {
        let text = of(clip(from, to));
        let names = uris(&text);
        assert_eq!(names.len(), listed, "{from} to {to}");
        assert!(names[0].ends_with(&std::format!("{}-40.m4s", 897_585_960 + first)), "{text}");
        assert!(text.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
        assert!(text.contains(&std::format!("TIME:{}\n", START.plus_ms(2000 * first))), "{text}");
        assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    }
    let nothing = Recorded { stretch: clip(60_000, 70_000), ..whole };
    assert_eq!(nothing.media(&"source".parse().unwrap(), &ids(&["a"]), false), None);
    // And of a clip no more than somebody has come to.
    let both = Stretch { until: Some(START.plus_ms(5_000)), ..clip(3_000, 20_000) };
    assert_eq!(uris(&of(both)).len(), 2);
}

#[test]
fn a_clip_begins_earlier_where_nobody_can_begin_with_its_first_segment() {
    let mut chapters = chapters();
    for n in [3, 4] {
        chapters[0].renditions[0].segments[n].dependent = true;
    }
    let whole = recorded(&chapters, false);
    for (from, first, listed) in [(9_000, 2, 4), (7_000, 2, 4), (10_000, 5, 1)] {
        let text = text(&Recorded { stretch: clip(from, 12_000), ..whole });
        assert!(text.contains(&std::format!("TIME:{}\n", START.plus_ms(2000 * first))), "{text}");
        assert_eq!(uris(&text).len(), listed, "{text}");
    }
}

#[test]
fn a_clip_goes_on_until_its_end_is_recorded() {
    let chapters = chapters();
    let of = |count: usize, ended| {
        let recorded = recorded(&chapters[..count], ended);
        text(&Recorded { stretch: clip(15_000, 30_000), ..recorded })
    };
    let grows = of(1, false);
    assert!(grows.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !grows.contains("ENDLIST"), "{grows}");
    let whole = of(2, false);
    assert!(whole.contains("#EXT-X-PLAYLIST-TYPE:VOD\n") && whole.ends_with("#EXT-X-ENDLIST\n"), "{whole}");
    assert!(text_of_segments(&whole).starts_with(&text_of_segments(&grows)));
    assert_eq!((uris(&grows).len(), uris(&whole).len()), (3, 8));
    assert_eq!(of(3, false), whole);
    // Nothing will follow.
    assert!(of(1, true).ends_with("#EXT-X-ENDLIST\n"));
    // Who has not come so far is told neither that there is more nor that there is not.
    let until = |count, ended| {
        let stretch = Stretch { until: Some(START.plus_ms(18_000)), ..clip(15_000, 30_000) };
        text(&Recorded { stretch, ..recorded(&chapters[..count], ended) })
    };
    assert!(until(3, true).contains("#EXT-X-PLAYLIST-TYPE:EVENT\n"));
    assert_eq!(until(3, true), until(1, false));
}

#[test]
fn a_clip_over_a_hole_has_its_discontinuity() {
    let mut chapters = chapters();
    for (n, segment) in chapters[1].renditions[0].segments.iter_mut().enumerate() {
        *segment = segment_at(80_000 + 2000 * n as u64);
    }
    chapters.truncate(2);
    let whole = recorded(&chapters, true);
    let over = text(&Recorded { stretch: clip(18_000, 84_000), ..whole });
    assert_eq!((uris(&over).len(), over.matches("#EXT-X-DISCONTINUITY\n").count()), (3, 1), "{over}");
    let behind = text(&Recorded { stretch: clip(79_000, 84_000), ..whole });
    assert_eq!((uris(&behind).len(), behind.matches("#EXT-X-DISCONTINUITY\n").count()), (2, 0), "{behind}");
}

#[test]
fn a_multivariant_playlist_hands_its_stretch_on() {
    let (state, order) = (state(), ids(&["b"]));
    for (stretch, query) in [
        (Stretch::default(), String::new()),
        (until(40), std::format!("?until={}", START.0 + 40)),
        (clip(0, 40), std::format!("?from={}&to={}", START.0, START.0 + 40)),
        (
            Stretch { until: Some(START.plus_ms(20)), ..clip(0, 40) },
            std::format!("?from={}&to={}&until={}", START.0, START.0 + 40, START.0 + 20),
        ),
    ] {
        let text = linted::sound(Recorded::multivariant(&state, &order, true, &stretch));
        let lines: Vec<&str> = text.lines().skip(3).collect();
        assert_eq!(
            lines,
            [
                "#EXT-X-CONTENT-STEERING:SERVER-URI=\"../../../steer/table-1\",PATHWAY-ID=\"b\"",
                &*std::format!(
                    "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"score\",NAME=\"Score\",LANGUAGE=\"en\",DEFAULT=NO,\
                     AUTOSELECT=NO,FORCED=NO,URI=\"score.m3u8{query}\""
                ),
                "#EXT-X-STREAM-INF:BANDWIDTH=1200000,AVERAGE-BANDWIDTH=1000000,CODECS=\"avc1.64001f,mp4a.40.2\",\
                 RESOLUTION=1280x720,FRAME-RATE=29.970,SUBTITLES=\"score\",PATHWAY-ID=\"b\"",
                &*std::format!("b/source.m3u8{query}"),
            ]
        );
        let without = linted::sound(Recorded::multivariant(&state, &order, false, &stretch));
        assert!(!without.contains("SUBTITLES") && without.ends_with(&std::format!("b/source.m3u8{query}\n")));
    }
}
