//! What the other origin of a pair wrote, told from damage.
//!
//! Two origins that get the same frames write the same bytes (DESIGN.md, invariant 3). Where one of them lost frames, it
//! gives the same name to other bytes. Those play in place of ours: they decrypt with the same key, are a whole segment,
//! and start where ours does. Whoever reads back what was written ([`crate::delivery`], [`crate::verify`]) must not call
//! them damage, nor damage them.

use railbird_core::fmp4;
use railbird_core::hash::Hash;
use railbird_core::id::ChannelId;
use railbird_core::keys::{self, MasterSecret};
use railbird_core::time::MediaTime;

/// The longest segment of another origin that is read, in bytes.
pub const LEN_MAX: usize = 64 << 20;

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

/// Whose bytes stand under an object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those that were made here.
    Ours,
    /// Those of the other origin: another whole segment of the same slot.
    Others,
    /// Nobody's: they are damaged, or something else.
    Nobodys,
}

impl Other {
    /// Whether these bytes are a whole segment of this slot.
    fn wrote(&self, slot: Slot<'_>, bytes: &[u8]) -> bool {
        let Slot { channel, start, segment_ms, key_period_s } = slot;
        let period = keys::period(start, key_period_s);
        let mut clear = bytes.to_vec();
        let key = self.secret.content_key(channel, period);
        keys::decrypt(&key, &keys::iv(channel, period), &mut clear).is_ok()
            && fmp4::read::sequence_of(&clear) == Ok(fmp4::sequence(start, segment_ms))
    }
}

/// Whose these bytes are, under a name to which `sha256` was given here. `slot`: of a segment. `other`: of an origin of a
/// pair. It reads every byte: off the runtime's threads, please.
pub fn whose(sha256: &Hash, slot: Option<Slot<'_>>, other: Option<&Other>, bytes: &[u8]) -> Whose {
    if Hash::of(bytes) == *sha256 {
        return Whose::Ours;
    }
    match other.zip(slot) {
        Some((other, slot)) if other.wrote(slot, bytes) => Whose::Others,
        _ => Whose::Nobodys,
    }
}
