//! Whose packets a track's are, where its encoder changes that (RFC 3550, 8): SSRCs are not agreed on but seen.
//!
//! An encoder that begins its track anew may do so with another SSRC. Then the track goes on with the new one, and what is still on its
//! way of the old one is left out: its numbers and times are others. Nothing changes before a packet has proved to be the encoder's.

use alloc::collections::VecDeque;

use crate::time::UtcMs;

/// Packets of an SSRC that was left may come for so long after the last of the one that is in use: 1 s.
pub const STRAY_MS_MAX: u64 = 1_000;

/// A track's SSRC changes no more often than this: 1 s.
pub const CHANGE_MS_MIN: u64 = 1_000;

/// An SSRC of which nothing came for so long is used no more, or its track sends nothing: 3 s.
pub const GONE_MS_MIN: u64 = 3_000;

/// So many SSRCs that were left are known.
const LEFT_MAX: usize = 8;

/// What a packet's head says without being decrypted (RFC 3550, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its SSRC.
    pub source: u32,
    /// Its payload type.
    pub payload_type: u8,
    /// Something is filled up: all of it, where only the way is to be filled.
    pub is_padded: bool,
}

/// The head of a packet of media; `None` for any other datagram (RFC 5761, 4; RFC 7983, 7).
pub fn head(datagram: &[u8]) -> Option<Head> {
    const RTP: core::ops::RangeInclusive<u8> = 128..=191;
    const RTCP: core::ops::RangeInclusive<u8> = 192..=223;
    let [first, second, _, _, _, _, _, _, s0, s1, s2, s3, ..] = *datagram else { return None };
    let is_media = RTP.contains(&first) && !RTCP.contains(&second);
    let source = u32::from_be_bytes([s0, s1, s2, s3]);
    is_media.then_some(Head { source, payload_type: second & 0x7f, is_padded: first & 0x20 != 0 })
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is the track's.
    Known,
    /// It may be the track's: if it proves to be the encoder's, [`Sources::took`] is to hear of it.
    New,
    /// It is of an SSRC that was left, or comes too soon after a change.
    Left,
}

/// The SSRCs of one track.
#[derive(Debug, Default)]
pub struct Sources {
    current: Option<u32>,
    /// When the last packet of it came, and when it became the current one.
    heard: UtcMs,
    changed: Option<UtcMs>,
    left: VecDeque<u32>,
}

impl Sources {
    /// The SSRC in use.
    pub fn current(&self) -> Option<u32> {
        self.current
    }

    /// Whether the SSRC changed so short ago that what comes again may still be of the one before.
    pub fn is_settling(&self, now: UtcMs) -> bool {
        self.changed.is_some_and(|changed| within(changed, now, STRAY_MS_MAX))
    }

    /// Whether there is an SSRC in use, and something came of it lately.
    pub fn is_live(&self, now: UtcMs) -> bool {
        self.current.is_some() && within(self.heard, now, GONE_MS_MIN)
    }

    /// What to do with a packet of this SSRC that arrives now.
    pub fn way(&self, source: u32, now: UtcMs) -> Way {
        if self.current == Some(source) {
            Way::Known
        } else if self.changed.is_some_and(|changed| within(changed, now, CHANGE_MS_MIN))
            || (self.left.contains(&source) && within(self.heard, now, STRAY_MS_MAX))
        {
            Way::Left
        } else {
            Way::New
        }
    }

    /// A packet that proved to be the encoder's came, with something in it. Whether the track begins anew with it.
    pub fn took(&mut self, source: u32, now: UtcMs) -> bool {
        if self.current == Some(source) {
            self.heard = now;
            return false;
        }
        if self.way(source, now) == Way::Left {
            return false;
        }
        self.left.retain(|left| *left != source);
        let before = self.current.replace(source);
        self.heard = now;
        let Some(before) = before else { return false };
        self.left.truncate(LEFT_MAX - 1);
        self.left.push_front(before);
        self.changed = Some(now);
        true
    }
}

/// Whether less than so much lies between two times. A clock that was set is no reason to wait for it.
fn within(since: UtcMs, now: UtcMs, ms: u64) -> bool {
    now.0.abs_diff(since.0) < ms
}
