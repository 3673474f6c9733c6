//! What the other origin of a pair wrote, told from damage.
//!
//! Two origins that get the same frames write the same bytes (DESIGN.md, invariant 3). Where one of them lost frames, it
//! gives the same name to other bytes. Those play in place of ours: they decrypt with the same key, are a whole segment of
//! other frames, and start where ours does. Whoever reads back what was written ([`crate::delivery`], [`crate::verify`]) must not call
//! them damage, nor damage them.

use std::collections::BTreeMap;

use bytes::Bytes;
use railbird_core::fmp4;
use railbird_core::fmp4::read::Outline;
use railbird_core::hash::Hash;
use railbird_core::id::ChannelId;
use railbird_core::keys::{self, MasterSecret};
use railbird_core::object;
use railbird_core::segment;
use railbird_core::time::MediaTime;

/// The longest segment of another origin that is read, in bytes, whatever ours has: ours may be what is left of one of which
/// this origin lost nearly all, and theirs the whole. The longest that is made, with room for its boxes and padding.
pub const LEN_MAX: usize = segment::OPEN_LEN_MAX + (16 << 20);

/// The other origin of a pair, as far as what it wrote can be known by it.
#[derive(Clone, Debug)]
pub struct Other {
    /// The secret of both.
    pub secret: MasterSecret,
}

/// Where a segment belongs. Both origins say so of it.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// The channel.
    pub channel: &'a ChannelId,
    /// Where it starts.
    pub start: MediaTime,
    /// The channel's segment duration, in milliseconds.
    pub segment_ms: u32,
    /// The length of its key periods, in seconds.
    pub key_period_s: u32,
}

impl Slot<'_> {
    /// Whether a segment of this `mfhd` sequence number belongs here. Earlier versions numbered by the epoch-aligned index.
    fn has(&self, sequence: u32) -> bool {
        let before = object::index(self.start, self.segment_ms).0 as u32;
        [fmp4::sequence(self.start), before].contains(&sequence)
    }
}

/// Whose bytes stand under an object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those that were made here.
    Ours,
    /// Those of the other origin: another whole segment of the same slot.
    Others {
        /// It lacks frames of ours, or ours were not at hand to tell.
        less: bool,
    },
    /// Nobody's: they are damaged, or something else.
    Nobodys,
}

/// What was made here under a name.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Its hash.
    pub sha256: &'a Hash,
    /// Its length, in bytes.
    pub len: u64,
    /// Where it belongs, of a segment.
    pub slot: Option<Slot<'a>>,
}

/// What stands in the place of what a rung has of a segment. Two encoders make different bytes of the same pictures, so that it
/// counts whether they play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// What plays with the init segment that ours needs, or does not say which one it needs.
    Plays,
    /// A whole segment that needs another init segment: the other origin's encoder is another one, or set otherwise.
    Other,
    /// It is damaged, or something else.
    Nobodys,
}

impl Other {
    /// What these bytes are, in the place of what a rung has of a segment: `init` is the object name of the init segment that ours
    /// needs. It reads every byte: off the runtime's threads, please.
    pub fn stands(&self, sha256: &Hash, slot: Slot<'_>, init: &str, bytes: &[u8]) -> Stands {
        if Hash::of(bytes) == *sha256 {
            return Stands::Plays;
        }
        let Some(clear) = self.clear(slot, bytes) else { return Stands::Nobodys };
        match fmp4::read::outline(&clear) {
            Ok(outline) if slot.has(outline.sequence) => {}
            _ => return Stands::Nobodys,
        }
        // One that says nothing was made by a version that did not: it was taken for one that plays.
        let needs = fmp4::read::init_named(&clear);
        if needs.is_none() || needs == init.rsplit('/').next() { Stands::Plays } else { Stands::Other }
    }

    /// Whether these bytes are a whole segment of this slot, made of other frames than `ours`, and then whether they lack any of
    /// those. Nothing in them proves that
    /// they are not damaged: a flipped bit of ciphertext spoils some of the media, and the rest decrypts. But damage leaves
    /// the sample tables as they were, and other frames don't. Where ours are not at hand, the length tells.
    fn wrote(&self, made: Made<'_>, slot: Slot<'_>, ours: Option<Bytes>, bytes: &[u8]) -> Option<bool> {
        let clear = self.clear(slot, bytes)?;
        let theirs = fmp4::read::outline(&clear).ok()?;
        if !slot.has(theirs.sequence) {
            return None;
        }
        let ours = ours.filter(|ours| Hash::of(ours) == *made.sha256);
        match ours.and_then(|ours| self.clear(slot, &ours)) {
            Some(clear_ours) => {
                let ours = fmp4::read::outline(&clear_ours).ok()?;
                let less = || {
                    let there = frames(&theirs, &clear);
                    let lacks = |(frame, count)| there.get(&frame).is_none_or(|there| *there < count);
                    frames(&ours, &clear_ours).into_iter().any(lacks)
                };
                (ours.moof != theirs.moof).then(less)
            }
            None => (bytes.len() as u64 != made.len).then_some(true),
        }
    }

    fn clear(&self, slot: Slot<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
        let Slot { channel, start, key_period_s, .. } = slot;
        let period = keys::period(start, key_period_s);
        let mut clear = bytes.to_vec();
        let key = self.secret.content_key(channel, period);
        keys::decrypt(&key, &keys::iv(channel, period), &mut clear).ok()?;
        Some(clear)
    }
}

/// A segment's frames, and how often each is there: a frame of silence is like another.
fn frames<'a>(outline: &Outline<'_>, bytes: &'a [u8]) -> BTreeMap<(u32, &'a [u8]), usize> {
    let mut frames = BTreeMap::new();
    for fragment in &outline.fragments {
        for sample in &fragment.samples {
            let frame = bytes.get(sample.data.clone()).unwrap_or_default();
            *frames.entry((fragment.id, frame)).or_default() += 1;
        }
    }
    frames
}

/// Whose these bytes are, under a name that something `made` here has. `other`: of an origin of a pair. `ours`: gives the
/// bytes that were made here, where they are at hand. It reads every byte: off the runtime's threads, please.
pub fn whose(
    made: Made<'_>,
    other: Option<&Other>,
    ours: impl FnOnce() -> Option<Bytes>,
    bytes: &[u8],
) -> Whose {
    if Hash::of(bytes) == *made.sha256 {
        return Whose::Ours;
    }
    match other.zip(made.slot) {
        Some((other, slot)) => match other.wrote(made, slot, ours(), bytes) {
            Some(less) => Whose::Others { less },
            None => Whose::Nobodys,
        },
        None => Whose::Nobodys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::Recorded;

    #[test]
    fn what_the_other_origin_wrote_is_told_from_ours_and_whether_it_lacks_any_of_it() {
        let recorded = Recorded::new(1);
        let other = Other { secret: recorded.secret.clone() };
        let n = 2;
        let ours = Bytes::from(std::fs::read(recorded.path(n)).unwrap());
        // It lost some of the sound.
        let theirs = recorded.retold(n);
        let head = recorded.reel.head();
        let (segment_ms, key_period_s) = (head.segment_ms, head.key_period_s);
        let start = recorded.reel.segment(n).unwrap().start;
        let slot = Slot { channel: &head.channel, start, segment_ms, key_period_s };
        let of = |made: &Bytes, at_hand: bool, found: &[u8]| {
            let (sha256, len) = (Hash::of(made), made.len() as u64);
            let made_here = Made { sha256: &sha256, len, slot: Some(slot) };
            whose(made_here, Some(&other), || at_hand.then(|| made.clone()), found)
        };
        assert_eq!(of(&ours, true, &ours), Whose::Ours);
        assert_eq!(of(&ours, true, &theirs), Whose::Others { less: true });
        assert_eq!(
            of(&theirs, true, &ours),
            Whose::Others { less: false },
            "all that was made here, and more"
        );
        assert_eq!(of(&theirs, false, &ours), Whose::Others { less: true }, "who can tell?");
        assert_eq!(of(&ours, true, &recorded.damaged(n)), Whose::Nobodys);
    }

    #[test]
    fn in_a_rungs_place_only_what_plays_with_the_same_init_segment_is_as_good_as_ours() {
        let recorded = Recorded::new(1);
        let other = Other { secret: recorded.secret.clone() };
        let head = recorded.reel.head();
        let (segment_ms, key_period_s) = (head.segment_ms, head.key_period_s);
        let n = 2;
        let start = recorded.reel.segment(n).unwrap().start;
        let slot = Slot { channel: &head.channel, start, segment_ms, key_period_s };
        // What another encoder made of it.
        let theirs = recorded.retold(n);
        let with = |init: &str| {
            let mut clear = other.clear(slot, &theirs).unwrap();
            fmp4::name_init(init, &mut clear);
            let period = keys::period(start, key_period_s);
            let key = other.secret.content_key(&head.channel, period);
            keys::encrypt(&key, &keys::iv(&head.channel, period), &mut clear);
            clear
        };
        let ours = Hash::of(b"ours");
        let of = |found: &[u8]| other.stands(&ours, slot, "t/low/init-1.mp4", found);
        assert_eq!(of(&with("t/low/init-1.mp4")), Stands::Plays);
        assert_eq!(of(b"ours"), Stands::Plays);
        assert_eq!(of(&with("t/low/init-2.mp4")), Stands::Other);
        assert_eq!(of(&theirs), Stands::Plays, "it says nothing: an earlier version made it");
        let mut cut_off = with("t/low/init-1.mp4");
        cut_off.truncate(cut_off.len() / 32 * 16);
        assert_eq!(of(&cut_off), Stands::Nobodys);
        assert_eq!(of(b"garbage"), Stands::Nobodys);
        let later = Slot { start: start + railbird_core::time::MediaSpan::from_ms(2000), ..slot };
        let elsewhere = other.stands(&ours, later, "t/low/init-1.mp4", &with("t/low/init-1.mp4"));
        assert_eq!(elsewhere, Stands::Nobodys, "it is another segment's");
    }
}
