//! Whatever comes, in whatever order, the playlists that are made of it are as RFC 8216bis wants them.

use super::*;
use crate::package;
use crate::playlist::tests::linted::Linter;
use crate::playlist::{self, Wanted};

/// Two players of one channel: one loads whole playlists, and one asks for delta updates.
pub(super) struct Loads {
    rendition: RenditionId,
    whole: Linter,
    delta: Option<Linter>,
    /// Where the media ended that was listed last.
    end: Option<MediaTime>,
}

/// A player does not ask for a delta update where it lacks more than half of the skip boundary (RFC 8216bis, 6.3.7).
const LACKS_MAX: MediaSpan = MediaSpan::from_ms(6000);

impl Default for Loads {
    fn default() -> Loads {
        Loads::of("source")
    }
}

impl Loads {
    pub(super) fn of(rendition: &str) -> Loads {
        Loads { rendition: rendition.parse().unwrap(), whole: Linter::default(), delta: None, end: None }
    }

    pub(super) fn load(&mut self, state: &ChannelState) {
        let order: Vec<_> = state.nodes.iter().map(|node| node.id.clone()).collect();
        let text = |delta| {
            let wanted = Wanted { delta, ..Wanted::default() };
            playlist::media(state, &self.rendition, &order, wanted)
        };
        let (Some(whole), Some(update)) = (text(false), text(true)) else { return };
        self.whole.load(&whole);
        let of = state.renditions.iter().find(|of| of.id == self.rendition);
        let end = of.and_then(|of| of.segments.last()).map(Segment::end);
        let lacks = self.end.zip(end).map(|(was, is)| is - was);
        match &mut self.delta {
            Some(player) if lacks.is_some_and(|lacks| lacks <= LACKS_MAX) => player.load(&update),
            player => player.get_or_insert_default().load(&whole),
        }
        self.end = end;
        if let Some(player) = &self.delta {
            player.is_the_whole(&self.whole);
        }
    }
}

/// What happens to a channel of low latency.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next part is made, and its segment behind its last part; the encoder may have been away before that segment.
    Made {
        away: bool,
    },
    /// A node has the part so many before the last one.
    Part {
        node: usize,
        back: u64,
    },
    /// A node has the segment so many before the last one.
    Segment {
        node: usize,
        back: u64,
    },
    Time {
        ms: u64,
    },
    Ended,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::bool::weighted(0.05).prop_map(|away| Step::Made { away }),
        6 => (0_usize..2, 0_u64..6).prop_map(|(node, back)| Step::Part { node, back }),
        4 => (0_usize..2, 0_u64..3).prop_map(|(node, back)| Step::Segment { node, back }),
        2 => (100_u64..3000).prop_map(|ms| Step::Time { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Parts and segments are acknowledged early, late, or never; the encoder goes away and comes back; the channel ends.
    #[test]
    fn a_channel_of_low_latency_is_sound_at_every_step(
        steps in prop::collection::vec(any_step(), 1..200),
        hints in any::<bool>(),
    ) {
        const PARTS: u64 = 4;
        const PART_MS: u64 = 500;
        let mut book = book(20);
        (book.channel.part_ms, book.channel.preload_hints) = (Some(PART_MS as u32), hints);
        for node in 0..2 {
            book.ack_init(node, "init-1", NOW);
        }
        // Each part's and segment's start, as they were made.
        let (mut parts, mut segments): (Vec<MediaTime>, Vec<MediaTime>) = (Vec::new(), Vec::new());
        let (mut now, mut from, mut made, mut jump) = (NOW, NOW, 0, false);
        let mut player = Loads::default();
        for step in steps.into_iter().chain([Step::Ended]) {
            match step {
                Step::Made { away } => {
                    if made == 0 && away {
                        from = from.plus_ms(60_000);
                        jump = true;
                    }
                    let start = from.plus_ms(PART_MS * made).media();
                    now = UtcMs(now.0.max(from.0 + PART_MS * (made + 1)));
                    let part = package::Part {
                        of: from.media(),
                        start,
                        duration: MediaSpan::from_ms(PART_MS as i64),
                        discontinuity: jump && made == 0,
                        independent: made == 0,
                        init: "init-1".to_string(),
                    };
                    book.part(&part, now);
                    parts.push(start);
                    made += 1;
                    if made == PARTS {
                        book.segment(from.media(), MediaSpan::from_ms(2000), jump, 250_000, now);
                        segments.push(from.media());
                        (from, made, jump) = (from.plus_ms(2000), 0, false);
                    }
                }
                Step::Part { node, back } => {
                    if let Some(start) = parts.iter().rev().nth(back as usize) {
                        book.ack_part(node, *start, now);
                    }
                }
                Step::Segment { node, back } => {
                    if let Some(start) = segments.iter().rev().nth(back as usize) {
                        book.ack(node, *start, now);
                    }
                }
                Step::Time { ms } => {
                    now = now.plus_ms(ms);
                    book.advance(now);
                }
                Step::Ended => book.set_phase(Phase::Ended),
            }
            let state = book.snapshot(now);
            prop_assert!(state.check().is_ok());
            player.load(&state);
        }
    }
}
