//! Everything that is made here is linted, and every step from one load to the next.

use super::*;
use crate::lint::presentation::{self, Member};
use crate::lint::{self, Finding, Follower, Place, delta, ours};
use crate::state::Part;

fn expect_none(findings: Vec<Finding>, text: &str) {
    let left: Vec<String> = ours::unexpected(findings).iter().map(ToString::to_string).collect();
    assert!(left.is_empty(), "{left:#?}\n{text}");
}

/// The text, which is as RFC 8216bis wants it.
pub(crate) fn sound(text: String) -> String {
    expect_none(lint::read(text.as_bytes(), &Place::default()).findings, &text);
    text
}

/// Who loads a playlist again and again.
#[derive(Default)]
pub(crate) struct Linter(Follower);

impl Linter {
    pub(crate) fn load(&mut self, text: &str) {
        let findings = self.0.load(text.as_bytes(), &Place::default());
        expect_none(findings, text);
    }

    /// Whether what was put together of delta updates is what another one has as a whole.
    pub(crate) fn is_the_whole(&self, whole: &Linter) {
        let (Some(ours), Some(whole)) = (self.0.last(), whole.0.last()) else { return };
        expect_none(delta::compare(ours, whole).into_iter().collect(), "");
    }
}

/// Two renditions and the score's subtitles, in low latency or not.
fn presentation_of(low_latency: bool) -> ChannelState {
    let mut state = super::delta::long(8);
    state.score = Some(crate::state::Shown::default());
    state.renditions[0].segments[3].discontinuity = true;
    state.renditions[0].frames_bandwidth = 300_000;
    state.renditions[0].segments.iter_mut().for_each(|segment| segment.frame = Some(1));
    if low_latency {
        state.part_ms = Some(1000);
        state.preload_hints = true;
        let of = START.plus_ms(16_000).media();
        let duration = MediaSpan::from_ms(1000);
        state.renditions[0].parts =
            vec![Part { of, start: of, duration, init: 0, discontinuity: false, independent: true, on: 3 }];
    }
    let mut other = state.renditions[0].clone();
    (other.id, other.bandwidth, other.average_bandwidth) = ("low".parse().unwrap(), 600_000, 500_000);
    state.renditions.push(other);
    state
}

#[test]
fn the_playlists_of_a_presentation_agree() {
    for low_latency in [false, true] {
        let state = presentation_of(low_latency);
        let text = sound(multivariant(&state, &ids(&["a", "b"])));
        let read = lint::read(text.as_bytes(), &Place::default());
        let multivariant = read.playlist.and_then(lint::Playlist::multivariant).unwrap();
        let loads = multivariant.variants.iter().map(|variant| {
            let (node, file) = variant.uri.split_once('/').unwrap();
            let name = file.trim_end_matches(".m3u8");
            let text = match name.strip_suffix(".frames") {
                Some(name) => frames(&state, &name.parse().unwrap(), &ids(&[node]), false),
                None => media(&state, &name.parse().unwrap(), &ids(&[node]), Wanted::default()),
            };
            (&*variant.uri, &*variant.pathway, false, sound(text.unwrap()))
        });
        let score = sound(subtitles(&state, false).unwrap());
        let loads: Vec<_> = loads.chain([("score.m3u8", "a", true, score)]).collect();
        let read = |text: &str| lint::read(text.as_bytes(), &Place::default()).playlist;
        let medias: Vec<_> =
            loads.iter().map(|(.., text)| read(text).and_then(lint::Playlist::media).unwrap()).collect();
        let members: Vec<Member<'_>> = loads
            .iter()
            .zip(&medias)
            .map(|((uri, pathway, is_subtitles, _), media)| Member {
                uri,
                pathway,
                is_subtitles: *is_subtitles,
                is_frames: uri.ends_with(".frames.m3u8"),
                media,
            })
            .collect();
        let findings = presentation::check(Some(&multivariant), &members, true);
        assert_eq!(findings.is_empty(), !low_latency, "{findings:?}");
        expect_none(findings, &text);
    }
}
