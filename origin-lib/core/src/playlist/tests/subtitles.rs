//! The score's subtitles: a playlist with the boundaries of the media.

use super::delta::long;
use super::stretches::{chapters, recorded};
use super::*;
use crate::state::Shown;

fn scored(segments: u64) -> ChannelState {
    let mut state = long(segments);
    state.score = Some(Shown::default());
    state
}

#[test]
fn live_golden() {
    let mut state = scored(3);
    state.renditions[0].segments[1].discontinuity = true;
    state.renditions[0].segments[2].gap = true;
    assert_eq!(
        linted::sound(subtitles(&state, false).unwrap()),
        "#EXTM3U\n\
         #EXT-X-VERSION:7\n\
         #EXT-X-TARGETDURATION:2\n\
         #EXT-X-MEDIA-SEQUENCE:897585960\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:3\n\
         #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.040Z\n\
         #EXTINF:2.00000,\n\
         score/161565472803600-180000.vtt\n\
         #EXT-X-DISCONTINUITY\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:02.040Z\n\
         #EXTINF:2.00000,\n\
         score/161565472983600-180000.vtt\n\
         #EXTINF:2.00000,\n\
         score/161565473163600-180000.vtt\n"
    );
    state.score = None;
    assert_eq!(subtitles(&state, false), None, "who has no scorer has none");
}

/// Where segments begin and how long they are, and what stands between them.
fn boundaries(text: &str) -> Vec<String> {
    let tags = [
        "#EXT-X-MEDIA-SEQUENCE",
        "#EXT-X-DISC",
        "#EXT-X-PROGRAM",
        "#EXTINF",
        "#EXT-X-ENDLIST",
        "#EXT-X-PLAY",
    ];
    let known = |line: &&str| tags.iter().any(|tag| line.starts_with(tag));
    text.lines().filter(known).map(ToString::to_string).collect()
}

#[test]
fn its_boundaries_are_those_of_the_media() {
    let mut state = scored(20);
    for n in [3, 4, 17] {
        state.renditions[0].segments[n].discontinuity = true;
    }
    let source = "source".parse().unwrap();
    for (phase, delta) in [(Phase::Live, false), (Phase::Live, true), (Phase::Ended, true)] {
        state.phase = phase;
        let media = media(&state, &source, &ids(&["a"]), Wanted { delta, ..Wanted::default() }).unwrap();
        let subtitles = linted::sound(subtitles(&state, delta).unwrap());
        assert_eq!(boundaries(&subtitles), boundaries(&media));
        assert_eq!(subtitles.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=14\n"), media.contains("SKIP:"));
    }
    let chapters = chapters();
    let (from, to) = (START.plus_ms(19_000), START.plus_ms(31_000));
    for stretch in [
        Stretch::default(),
        Stretch { until: Some(to), clip: None },
        Stretch { until: None, clip: Some((from, to)) },
    ] {
        for ended in [false, true] {
            let recorded = Recorded { stretch, ..recorded(&chapters, ended) };
            let subtitles = linted::sound(recorded.subtitles(true).unwrap());
            let media = recorded.media(&source, &ids(&["a"]), true).unwrap();
            assert_eq!(boundaries(&subtitles), boundaries(&media), "{stretch:?}");
            assert!(
                uris(&subtitles).iter().all(|uri| uri.ends_with(&std::format!(".vtt{}", stretch.query())))
            );
        }
    }
}

#[test]
fn each_segment_is_known_by_its_name() {
    let text = subtitles(&scored(4), false).unwrap();
    for (n, uri) in (0..).zip(uris(&text)) {
        let window = crate::object::Window::at_edge(uri.strip_prefix("score/").unwrap()).unwrap();
        assert_eq!((window.start, window.span), (START.plus_ms(2000 * n).media(), MediaSpan::from_ms(2000)));
    }
}
