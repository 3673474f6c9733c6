use super::*;
use crate::media::VideoRange;
use crate::state::Node;
use crate::time::{MediaSpan, UtcMs};
use alloc::vec;
use alloc::vec::Vec;
use std::string::ToString;

mod delta;
mod frames;
pub(crate) mod linted;
mod low_latency;
mod ranges;
mod sounds;
mod splices;
mod stretches;
mod subtitles;

const START: UtcMs = UtcMs(1_795_171_920_040);

fn node(id: &str) -> Node {
    Node::new(id.parse().unwrap(), std::format!("https://{id}.example/media"), true)
}

fn ids(ids: &[&str]) -> Vec<NodeId> {
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

/// Four segments of 2 s on both nodes, then two that only `b` has.
pub(crate) fn state() -> ChannelState {
    let segment = |n: u64, on| {
        let start = START.plus_ms(2000 * n).media();
        Segment { on, ..Segment::new(start, MediaSpan::from_ms(2000), 0, false) }
    };
    ChannelState {
        channel: "table-1".parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        title: "Table 1".to_string(),
        revision: 1,
        updated: START,
        phase: Phase::Live,
        segment_ms: 2000,
        key_period_s: 3600,
        part_ms: None,
        preload_hints: false,
        score: None,
        splices: Vec::new(),
        nodes: vec![node("a"), node("b")],
        renditions: vec![Rendition {
            id: "source".parse().unwrap(),
            codecs: "avc1.64001f,mp4a.40.2".to_string(),
            bandwidth: 1_200_000,
            average_bandwidth: 1_000_000,
            width: 1280,
            height: 720,
            frame_rate_milli: 29_970,
            range: Default::default(),
            sound: None,
            captions: Default::default(),
            dependent: false,
            frames_bandwidth: 0,
            target_duration_s: 2,
            first_msn: 897_585_960,
            discontinuity_sequence: 3,
            inits: vec!["table-1/source/init-00.mp4".to_string()],
            segments: vec![segment(0, 3), segment(1, 3), segment(2, 2), segment(3, 2)],
            parts: vec![],
        }],
    }
}

fn media_text(state: &ChannelState, order: &[&str]) -> String {
    linted::sound(media(state, &"source".parse().unwrap(), &ids(order), Wanted::default()).unwrap())
}

/// A delta update.
const DELTA: Wanted = Wanted { delta: true, parts_at_nodes: false };

/// What our reader and an independent one agree on.
fn uris(text: &str) -> Vec<String> {
    let (_, playlist) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
    playlist.segments.iter().map(|segment| segment.uri.clone()).collect()
}

#[test]
fn multivariant_golden() {
    let text = linted::sound(multivariant(&state(), &ids(&["b", "a"])));
    assert_eq!(
        text,
        "#EXTM3U\n\
         #EXT-X-VERSION:7\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-CONTENT-STEERING:SERVER-URI=\"../../steer/table-1\",PATHWAY-ID=\"b\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1200000,AVERAGE-BANDWIDTH=1000000,CODECS=\"avc1.64001f,mp4a.40.2\",\
         RESOLUTION=1280x720,FRAME-RATE=29.970,PATHWAY-ID=\"b\"\n\
         b/source.m3u8\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1200000,AVERAGE-BANDWIDTH=1000000,CODECS=\"avc1.64001f,mp4a.40.2\",\
         RESOLUTION=1280x720,FRAME-RATE=29.970,PATHWAY-ID=\"a\"\n\
         a/source.m3u8\n"
    );
    let (_, parsed) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();
    assert_eq!(parsed.variants.len(), 2);
}

#[test]
fn where_a_segment_depends_on_the_one_before_nothing_else_is_promised() {
    let mut state = state();
    state.renditions[0].dependent = true;
    let text = linted::sound(multivariant(&state, &ids(&["a"])));
    assert!(!text.contains("INDEPENDENT"), "{text}");
    let json = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<ChannelState>(&json).unwrap(), state);
}

#[test]
fn a_range_of_light_beyond_the_standard_one_is_told() {
    let mut state = state();
    for (range, told) in
        [(VideoRange::Sdr, ""), (VideoRange::Hlg, ",VIDEO-RANGE=HLG"), (VideoRange::Pq, ",VIDEO-RANGE=PQ")]
    {
        state.renditions[0].range = range;
        let text = multivariant(&state, &ids(&["a"]));
        let line = std::format!("FRAME-RATE=29.970{told},PATHWAY-ID=\"a\"");
        assert!(text.contains(&line), "{text}");
        // An edge of before learns nothing new of a state that has nothing new.
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(json.contains("range"), range != VideoRange::Sdr);
        assert_eq!(serde_json::from_str::<ChannelState>(&json).unwrap(), state);
    }
}

#[test]
fn media_golden() {
    let text = media_text(&state(), &["a", "b"]);
    assert_eq!(
        text,
        "#EXTM3U\n\
         #EXT-X-VERSION:7\n\
         #EXT-X-TARGETDURATION:2\n\
         #EXT-X-MEDIA-SEQUENCE:897585960\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:3\n\
         #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0\n\
         #EXT-X-MAP:URI=\"https://b.example/media/table-1/source/init-00.mp4\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"../../../key/table-1/498658\",IV=0x7462B46359038C455C5E2BFB4540BA2A\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.040Z\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585960-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585961-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://b.example/media/table-1/source/897585962-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://b.example/media/table-1/source/897585963-40.m4s\n"
    );
}

#[test]
fn a_hole_at_one_node_is_filled_and_a_hole_everywhere_is_a_gap() {
    let mut state = state();
    state.renditions[0].segments[1].on = 0;
    state.renditions[0].segments[3].gap = true;
    for order in [&["a"][..], &["a", "b"], &["b"], &["b", "a"], &[]] {
        let text = media_text(&state, order);
        let gaps: Vec<bool> = text
            .split_inclusive("#EXTINF")
            .filter(|part| part.ends_with("#EXTINF"))
            .map(|before| before.contains("#EXT-X-GAP"))
            .collect();
        assert_eq!(gaps, [false, true, false, true], "{order:?}");
        // Only b has it: named for b whatever was asked.
        assert!(uris(&text)[2].starts_with("https://b.example/"), "{order:?}");
    }
}

#[test]
fn a_new_init_segment_stands_outside_the_key() {
    let mut state = state();
    let rendition = &mut state.renditions[0];
    rendition.inits.push("table-1/source/init-01.mp4".to_string());
    for segment in &mut rendition.segments[2..] {
        segment.init = 1;
    }
    rendition.segments[2].discontinuity = true;
    state.phase = Phase::Ended;
    let text = media_text(&state, &["b"]);
    let tags: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("#EXTINF"))
        .skip(5)
        .map(|line| line.split_once(':').map_or(line, |(tag, _)| tag))
        .collect();
    assert_eq!(
        tags,
        [
            "#EXT-X-MAP",
            "#EXT-X-KEY",
            "#EXT-X-PROGRAM-DATE-TIME",
            "https",
            "https",
            "#EXT-X-DISCONTINUITY",
            "#EXT-X-KEY",
            "#EXT-X-MAP",
            "#EXT-X-KEY",
            "#EXT-X-PROGRAM-DATE-TIME",
            "https",
            "https",
            "#EXT-X-ENDLIST"
        ]
    );
    assert!(text.contains("#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP"));
}

#[test]
fn a_key_period_begins_with_its_own_key() {
    let mut state = state();
    state.key_period_s = 4;
    let text = media_text(&state, &["b"]);
    let keys: Vec<&str> = text.lines().filter(|line| line.starts_with("#EXT-X-KEY")).collect();
    assert_eq!(keys.len(), 2, "{text}");
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn nothing_to_list_is_no_playlist() {
    let mut state = state();
    assert_eq!(media(&state, &"other".parse().unwrap(), &ids(&["a"]), Wanted::default()), None);
    state.renditions[0].segments.clear();
    assert_eq!(media(&state, &"source".parse().unwrap(), &ids(&["a"]), Wanted::default()), None);
}
