//! Playlists of I-frames, live and of recordings.

use super::delta::long;
use super::stretches::{chapters, recorded};
use super::*;

/// The state of the other tests, whose key frames are objects: those of the first three segments at both nodes, at one, and
/// nowhere, and the last one's still on its way.
fn framed() -> ChannelState {
    let mut state = state();
    state.renditions[0].frames_bandwidth = 300_000;
    for (segment, frame) in state.renditions[0].segments.iter_mut().zip([Some(3), Some(2), Some(0), None]) {
        segment.frame = frame;
    }
    state
}

fn text_of(state: &ChannelState, order: &[&str]) -> String {
    linted::sound(frames(state, &"source".parse().unwrap(), &ids(order), false).unwrap())
}

#[test]
fn frames_golden() {
    assert_eq!(
        text_of(&framed(), &["a", "b"]),
        "#EXTM3U\n\
         #EXT-X-VERSION:7\n\
         #EXT-X-TARGETDURATION:2\n\
         #EXT-X-I-FRAMES-ONLY\n\
         #EXT-X-MEDIA-SEQUENCE:897585960\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:3\n\
         #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0\n\
         #EXT-X-MAP:URI=\"https://b.example/media/table-1/source/frames-00.mp4\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"../../../key/table-1/498658\",IV=0x7462B46359038C455C5E2BFB4540BA2A\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.040Z\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585960-40-frame.m4s\n\
         #EXTINF:2.00000,\n\
         https://b.example/media/table-1/source/897585961-40-frame.m4s\n\
         #EXT-X-GAP\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585962-40-frame.m4s\n"
    );
}

#[test]
fn variants_of_key_frames_are_where_these_are_objects() {
    let text = linted::sound(multivariant(&framed(), &ids(&["b", "a"])));
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("I-FRAME")).collect();
    assert_eq!(
        lines,
        ["b", "a"].map(|node| std::format!(
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=300000,CODECS=\"avc1.64001f\",RESOLUTION=1280x720,\
             PATHWAY-ID=\"{node}\",URI=\"{node}/source.frames.m3u8\""
        ))
    );
    assert!(!multivariant(&state(), &ids(&["a"])).contains("I-FRAME"));
    let stretch = Stretch { until: Some(UtcMs(7)), clip: None };
    let replayed = linted::sound(Recorded::multivariant(&framed(), &ids(&["a"]), false, &stretch));
    assert!(replayed.contains("URI=\"a/source.frames.m3u8?until=7\""), "{replayed}");
}

#[test]
fn the_end_comes_when_every_key_frame_is_there_or_given_up() {
    let mut state = framed();
    state.phase = Phase::Ended;
    assert!(!text_of(&state, &["a"]).contains("ENDLIST"));
    state.renditions[0].segments[3].frame = Some(0);
    let text = text_of(&state, &["a"]);
    assert!(text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    assert_eq!(uris(&text).len(), 4);
    for segment in &mut state.renditions[0].segments {
        segment.frame = None;
    }
    assert_eq!(frames(&state, &"source".parse().unwrap(), &ids(&["a"]), false), None);
}

#[test]
fn a_player_of_delta_updates_knows_all_key_frames() {
    let mut state = long(12);
    state.renditions[0].frames_bandwidth = 1;
    state.renditions[0].segments.iter_mut().for_each(|segment| segment.frame = Some(1));
    let (mut whole, mut player) = (linted::Linter::default(), linted::Linter::default());
    let text =
        |state: &ChannelState, skip| frames(state, &"source".parse().unwrap(), &ids(&["a"]), skip).unwrap();
    player.load(&text(&state, false));
    for _ in 0..4 {
        let last = *state.renditions[0].segments.last().unwrap();
        state.renditions[0].segments.push(Segment { start: last.end(), ..last });
        state.renditions[0].segments.remove(0);
        state.renditions[0].first_msn += 1;
        let update = text(&state, true);
        assert!(update.contains("#EXT-X-SKIP"), "{update}");
        player.load(&update);
        whole.load(&text(&state, false));
        player.is_the_whole(&whole);
    }
}

#[test]
fn key_frames_of_a_recording_end_where_the_viewer_may_look() {
    let mut chapters = chapters();
    for chapter in &mut chapters {
        chapter.renditions[0].segments.iter_mut().for_each(|segment| segment.frame = Some(1));
    }
    let source = "source".parse().unwrap();
    for ms in [1, 19_999, 20_001, 58_000, 58_001] {
        let stretch = Stretch { until: Some(START.plus_ms(ms)), clip: None };
        let recorded = Recorded { stretch, ..recorded(&chapters, true) };
        let media = linted::sound(recorded.media(&source, &ids(&["a"]), false).unwrap());
        let frames = linted::sound(recorded.frames(&source, &ids(&["a"]), false).unwrap());
        assert!(
            frames.contains("/../../../../key/") || frames.contains("URI=\"../../../../key/"),
            "{frames}"
        );
        let names: Vec<String> = uris(&media).iter().map(|uri| uri.replace(".m4s", "-frame.m4s")).collect();
        assert_eq!(uris(&frames), names);
        assert_eq!(frames.contains("ENDLIST"), media.contains("ENDLIST"));
    }
    // One that is still on its way ends the list.
    chapters[1].renditions[0].segments[2].frame = None;
    let text = linted::sound(recorded(&chapters, true).frames(&source, &ids(&["a"]), false).unwrap());
    assert_eq!(uris(&text).len(), 12);
    assert!(text.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n") && !text.contains("ENDLIST"));
}
