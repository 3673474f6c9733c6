//! Delta updates, read by an independent reader as RFC 8216bis, 6.2.5.1 says.

use m3u8_rs::{Key, Map};
use proptest::prelude::*;

use super::*;
use crate::state::Part;

/// What a player knows of a segment.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    uri: String,
    duration: f32,
    discontinuity: bool,
    gap: bool,
    key: Option<Key>,
    map: Option<Map>,
}

/// A player that has read a playlist before.
#[derive(Default)]
struct Player {
    first_msn: u64,
    segments: Vec<Known>,
    linter: linted::Linter,
}

impl Player {
    /// Reads a playlist; what a delta update leaves out, the player must have. Gives how many segments those are.
    fn read(&mut self, text: &str) -> usize {
        self.linter.load(text);
        let (_, playlist) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
        let skipped = text.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=").map_or(0, |(before, rest)| {
            assert!(!before.contains("#EXTINF") && before.contains("#EXT-X-VERSION:9\n"), "{text}");
            rest.lines().next().unwrap().parse().unwrap()
        });
        let missed = usize::try_from(playlist.media_sequence - self.first_msn).unwrap();
        let mut segments: Vec<Known> = self.segments.iter().skip(missed).take(skipped).cloned().collect();
        assert_eq!(segments.len(), skipped, "the player has not seen what is left out");
        let (mut key, mut map) = (None, None);
        for segment in playlist.segments {
            key = segment.key.or(key);
            map = segment.map.or(map);
            segments.push(Known {
                uri: segment.uri,
                duration: segment.duration,
                discontinuity: segment.discontinuity,
                gap: segment.unknown_tags.iter().any(|tag| tag.tag == "X-GAP"),
                key: key.clone(),
                map: map.clone(),
            });
        }
        (self.first_msn, self.segments) = (playlist.media_sequence, segments);
        skipped
    }
}

pub(super) fn segment_at(ms: u64) -> Segment {
    Segment { start: START.plus_ms(ms).media(), ..state().renditions[0].segments[0] }
}

/// The state of the other tests with so many segments of 2 s in a row.
pub(super) fn long(segments: u64) -> ChannelState {
    let mut state = state();
    state.renditions[0].segments = (0..segments).map(|n| segment_at(2000 * n)).collect();
    state
}

fn text_of(state: &ChannelState, delta: bool) -> String {
    let wanted = Wanted { delta, ..Wanted::default() };
    linted::sound(media(state, &"source".parse().unwrap(), &ids(&["a"]), wanted).unwrap())
}

#[test]
fn delta_golden() {
    assert_eq!(
        text_of(&long(8), true),
        "#EXTM3U\n\
         #EXT-X-VERSION:9\n\
         #EXT-X-TARGETDURATION:2\n\
         #EXT-X-MEDIA-SEQUENCE:897585960\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:3\n\
         #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0\n\
         #EXT-X-SKIP:SKIPPED-SEGMENTS=2\n\
         #EXT-X-MAP:URI=\"https://a.example/media/table-1/source/init-00.mp4\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"../../../key/table-1/498658\",IV=0x7462B46359038C455C5E2BFB4540BA2A\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:04.040Z\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585962-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585963-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585964-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585965-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585966-40.m4s\n\
         #EXTINF:2.00000,\n\
         https://a.example/media/table-1/source/897585967-40.m4s\n"
    );
}

#[test]
fn a_list_that_ends_before_the_boundary_is_whole() {
    for segments in 1..7 {
        assert_eq!(text_of(&long(segments), true), text_of(&long(segments), false), "{segments}");
    }
    let mut ended = long(20);
    ended.phase = Phase::Ended;
    let text = text_of(&ended, true);
    assert_eq!(text, text_of(&ended, false));
    assert!(!text.contains("SKIP"), "{text}");
}

#[test]
fn the_boundary_is_counted_in_media_not_on_the_clock() {
    let mut state = long(20);
    // The encoder was away for an hour: who watches is still nearer to what came before than the boundary is.
    let segments = &mut state.renditions[0].segments;
    segments.push(Segment { discontinuity: true, ..segment_at(3_600_000) });
    let text = text_of(&state, true);
    assert!(text.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=15\n"), "{text}");
    // The clock was set back.
    let segments = &mut state.renditions[0].segments;
    *segments.last_mut().unwrap() = Segment { discontinuity: true, ..segment_at(0) };
    let text = media(&state, &"source".parse().unwrap(), &ids(&["a"]), DELTA).unwrap();
    assert!(text.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=15\n"));
    // Dates that go back are the one thing that can't be right then.
    let found = crate::lint::read(text.as_bytes(), &crate::lint::Place::default()).findings;
    assert!(found.iter().any(|finding| *finding.rule == crate::lint::rules::DATE_OVERLAP), "{found:?}");
}

#[test]
fn a_discontinuity_stays_with_its_segment() {
    let mut state = long(10);
    state.renditions[0].segments[2].discontinuity = true;
    state.renditions[0].segments[4].discontinuity = true;
    let (whole, delta) = (text_of(&state, false), text_of(&state, true));
    let (_, rest) = delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n").unwrap();
    assert!(rest.starts_with("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:"), "{rest}");
    let behind = |text: &str| text.split_once("897585964-40.m4s\n").unwrap().1.to_string();
    assert_eq!(behind(&delta), behind(&whole));
}

#[test]
fn the_parts_of_a_low_latency_channel_count_to_its_end() {
    let mut state = long(10);
    state.part_ms = Some(1000);
    let part = |n: u64| Part {
        of: START.plus_ms(20_000).media(),
        start: START.plus_ms(20_000 + 1000 * n).media(),
        duration: MediaSpan::from_ms(1000),
        init: 0,
        discontinuity: false,
        independent: n == 0,
        on: 3,
    };
    state.renditions[0].parts = vec![part(0)];
    assert!(text_of(&state, true).contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n"));
    state.renditions[0].parts = vec![part(0), part(1)];
    let delta = text_of(&state, true);
    assert!(delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n"), "{delta}");
    assert!(delta.ends_with(text_of(&state, false).rsplit_once("#EXTINF").unwrap().1));
}

#[test]
fn a_recording_that_goes_on_has_delta_updates_over_its_chapters() {
    let all = long(30);
    let mut chapters: Vec<ChannelState> = vec![long(0); 3];
    for (n, segment) in all.renditions[0].segments.iter().enumerate() {
        // A hole in the clock between the second chapter and the third one.
        let start = if n < 20 { segment.start } else { segment_at(2000 * n as u64 + 60_000).start };
        chapters[n / 10].renditions[0].segments.push(Segment { start, ..*segment });
    }
    let text = |segments: usize, skip| {
        let mut chapters = chapters.clone();
        chapters[2].renditions[0].segments.truncate(segments);
        stretches::recorded(&chapters, false).media(&"source".parse().unwrap(), &ids(&["a"]), skip).unwrap()
    };
    let mut player = Player::default();
    player.read(&text(1, false));
    for segments in [1, 2, 5, 6, 7, 10] {
        let (mut whole, delta) = (Player::default(), text(segments, true));
        whole.read(&text(segments, false));
        assert_eq!(player.read(&delta), 20 + segments - 6, "{delta}");
        assert_eq!(player.segments, whole.segments);
        assert!(delta.contains("#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA-SEQUENCE:0\n"));
        assert_eq!(delta.contains("#EXT-X-DISCONTINUITY\n"), segments < 7, "the hole is at segment 20");
    }
    let over =
        stretches::recorded(&chapters, true).media(&"source".parse().unwrap(), &ids(&["a"]), true).unwrap();
    assert!(over.contains("PLAYLIST-TYPE:VOD\n") && !over.contains("SKIP"), "{over}");
}

proptest! {
    /// However a channel goes on, a player that reads nothing but delta updates knows what one knows that reads it all.
    #[test]
    fn a_player_of_delta_updates_knows_the_whole_playlist(
        steps in prop::collection::vec((0_u64..4, 500_i64..2000, any::<bool>(), 0_u8..10), 1..120),
        window in 13_usize..40,
        key_period_s in 4_u32..30,
    ) {
        let mut state = long(3);
        state.key_period_s = key_period_s;
        let rendition = |state: &mut ChannelState, text: &str| {
            let name = std::format!("table-1/source/init-{text}.mp4");
            state.renditions[0].inits.push(name);
        };
        let mut player = Player::default();
        player.read(&text_of(&state, false));
        let mut since = 0;
        for (n, (hole, duration_ms, discontinuity, what)) in steps.into_iter().enumerate() {
            if what == 0 {
                rendition(&mut state, &n.to_string());
            }
            let inits = state.renditions[0].inits.len();
            let last = *state.renditions[0].segments.last().unwrap();
            let far = [0, 700, 20_000, 3_600_000][hole as usize];
            state.renditions[0].segments.push(Segment {
                start: last.end() + MediaSpan::from_ms(far),
                duration: MediaSpan::from_ms(duration_ms),
                init: u16::try_from(inits - 1).unwrap(),
                discontinuity: discontinuity || what == 0 || hole > 0,
                dependent: false,
                gap: what == 1,
                on: 3,
                frame: (what != 1).then_some(3).or(Some(0)),
            });
            let segments = &mut state.renditions[0].segments;
            if segments.len() > window {
                segments.remove(0);
                // What is first has no discontinuity before it any more.
                let counts = segments[0].discontinuity;
                state.renditions[0].first_msn += 1;
                state.renditions[0].discontinuity_sequence += u64::from(counts);
            }
            // A few segments may come between two reads: never more than half of the boundary.
            since += duration_ms;
            if since < 4_000 && what % 2 == 0 {
                continue;
            }
            since = 0;
            let mut whole = Player::default();
            whole.read(&text_of(&state, false));
            player.read(&text_of(&state, true));
            player.linter.is_the_whole(&whole.linter);
            prop_assert_eq!(player.first_msn, whole.first_msn);
            prop_assert_eq!(player.segments.len(), whole.segments.len());
            // What comes first in a playlist has no discontinuity before it.
            for (one, other) in player.segments.iter().zip(&whole.segments).skip(1) {
                prop_assert_eq!(one, other);
            }
        }
    }
}
