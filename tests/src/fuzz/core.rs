//! The words that origin and edge share: identifiers, hexadecimal, signatures, snapshots.

use std::str;

use railbird_core::id::{ChannelId, LEN_MAX, NodeId};
use railbird_core::lint::{self, FINDINGS_MAX, Follower, Place, delta, presentation, transition};
use railbird_core::state::{ChannelState, EventState};
use railbird_core::time::UtcMs;
use railbird_core::{hex, playlist, sign};

use super::halves;

/// An accepted identifier needs no escaping anywhere, and comes back as it was.
pub(super) fn id(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match text.parse::<ChannelId>() {
        Ok(id) => {
            assert_eq!(id.as_str(), text);
            assert!((1..=LEN_MAX).contains(&text.len()));
            assert!(text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')));
        }
        // A refusal quotes a bounded part of the text, four bytes a character at the most, escaped.
        Err(error) => assert!(error.to_string().len() < 1024),
    }
}

/// What decodes encodes to the same digits.
pub(super) fn hex(input: &[u8]) {
    if let Some(bytes) = str::from_utf8(input).ok().and_then(hex::decode) {
        assert_eq!(hex::encode(&bytes).as_bytes(), input.to_ascii_lowercase());
    }
    assert_eq!(hex::decode(&hex::encode(input)).as_deref(), Some(input));
}

/// No header that we did not sign is taken; the one that we signed is, for its own request only.
pub(super) fn sign(input: &[u8]) {
    const NOW: UtcMs = UtcMs(1_795_171_920_040);
    let (head, body) = halves(input);
    let Ok(text) = str::from_utf8(head) else { return };
    let check = |header, body| sign::verify(b"a secret of 16 +", "PUT", text, body, NOW, header).is_ok();

    assert!(!check(text, body));
    let mut nonce = [0; 16];
    nonce.iter_mut().zip(body).for_each(|(to, from)| *to = *from);
    let header = sign::sign(b"a secret of 16 +", "PUT", text, body, NOW, nonce);
    assert!(check(&header, body));
    assert!(!check(&header, &[body, b"x"].concat()));
}

/// An accepted event survives a trip through JSON.
pub(super) fn event_state(input: &[u8]) {
    let Ok(event) = serde_json::from_slice::<EventState>(input) else { return };
    let again = serde_json::to_vec(&event).and_then(|json| serde_json::from_slice(&json));
    assert_eq!(again.ok(), Some(event));
}

/// An accepted snapshot survives a trip through JSON, with its checks; and what passes those makes playlists without a line
/// that is neither a tag nor a URL.
pub(super) fn channel_state(input: &[u8]) {
    let Ok(state) = serde_json::from_slice::<ChannelState>(input) else { return };
    let checked = state.check();
    let again = serde_json::to_vec(&state).and_then(|json| serde_json::from_slice::<ChannelState>(&json));
    assert_eq!(again.as_ref().ok().map(ChannelState::check), Some(checked));
    assert_eq!(again.as_ref().ok(), Some(&state));
    if checked.is_ok() {
        let order: Vec<NodeId> = state.nodes.iter().map(|node| node.id.clone()).collect();
        let media = state.renditions.iter().filter_map(|rendition| {
            playlist::media(&state, &rendition.id, &order, playlist::Wanted::default())
        });
        let subtitles = playlist::subtitles(&state, false);
        for text in media.chain([playlist::multivariant(&state, &order)]).chain(subtitles) {
            assert!(text.starts_with("#EXTM3U\n") && text.ends_with('\n'));
            let sound =
                |line: &str| line.starts_with("#EXT") || !(line.is_empty() || line.contains([' ', '"']));
            assert!(text.lines().all(|line| sound(line) && !line.contains(char::is_control)), "{text}");
        }
    }
}

/// Any two loads of what may be a playlist are read; whatever is found is said in a line. A playlist is no step from itself.
pub(super) fn lint(input: &[u8]) {
    let (before, after) = halves(input);
    let place = Place { query: "a=b", imports: None };
    let mut follower = Follower::default();
    for text in [before, after] {
        let findings = follower.load(text, &place);
        assert!(findings.len() <= 3 * FINDINGS_MAX);
        assert!(findings.iter().all(|finding| !finding.to_string().contains(char::is_control)));
    }
    let media = |text| lint::read(text, &place).playlist.and_then(lint::Playlist::media);
    if let (Some(before), Some(after)) = (media(before), media(after)) {
        let _ = delta::apply(&before, &after).map(|whole| delta::compare(&whole, &after));
        let member = |uri, media| presentation::Member {
            uri,
            pathway: ".",
            is_subtitles: false,
            is_frames: false,
            media,
        };
        let _ = presentation::check(None, &[member("a/b.m3u8", &before), member("c.m3u8", &after)], true);
        if before.skip.is_none() {
            assert_eq!(transition::check(&before, &before), []);
        }
    }
}
