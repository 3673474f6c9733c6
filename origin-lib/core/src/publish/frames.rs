//! Key frames in the book: who has that of each listed segment.
//!
//! Players of them wait for nothing, and those of the media wait for no key frame. So a segment is listed without its key
//! frame, and that one's playlist ends before the first segment whose key frame may still come. After [`GAP_WAIT_SEGMENTS`]
//! segment durations it is a gap for good.

use super::{Book, GAP_WAIT_SEGMENTS, bit};
use crate::recording::rate;
use crate::state::Segment;
use crate::time::{MediaTime, UtcMs};

/// What is known of a channel's key frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The most bits a second of any; 0 where the channel has none.
    pub(super) bandwidth_max: u32,
    /// Of the listed segments before here nothing is awaited.
    known_to: MediaTime,
    /// Since when that of the first other one is awaited, and where that starts.
    awaited: Option<(MediaTime, UtcMs)>,
}

impl Book {
    /// The key frame of the segment that starts here was made; it waits for its acknowledgement. `len` is its size in bytes.
    pub fn frame(&mut self, start: MediaTime, len: usize, now: UtcMs) {
        let segment_ms = u64::from(self.channel.segment_ms);
        let Some(segment) = self.segment_at(start) else { return };
        let ticks = u64::try_from(segment.duration.0).unwrap_or(0).max(1);
        let usual = segment_ms * 90;
        // As of segments (RFC 8216bis, 4.4.6.2). The first one says that there are any.
        let peak = rate(len as u64 * 8, if ticks * 2 >= usual { ticks } else { usual });
        self.changed |= peak > self.frames.bandwidth_max;
        self.frames.bandwidth_max = self.frames.bandwidth_max.max(peak);
        self.advance(now);
    }

    /// The target of slot `slot` has acknowledged the init segment of the key frames of segments that need the init segment of
    /// this name.
    pub fn ack_frames_init(&mut self, slot: usize, of: &str, now: UtcMs) {
        let Some(bit) = bit(slot) else { return };
        for (.., on) in self.inits.iter_mut().filter(|(init, ..)| init.name == of) {
            *on |= bit;
            self.changed = true;
        }
        self.advance(now);
    }

    /// The target of slot `slot` has acknowledged the key frame of the segment that starts here. One that left the window, or
    /// became a gap, is ignored.
    pub fn ack_frame(&mut self, slot: usize, start: MediaTime, now: UtcMs) {
        let Some(bit) = bit(slot) else { return };
        if let Some(segment) = self.segment_at(start)
            && segment.frame != Some(0)
        {
            segment.frame = Some(segment.frame.unwrap_or(0) | bit);
            self.changed = true;
        }
        self.advance(now);
    }

    /// The segment that starts here, listed or not.
    pub(super) fn segment_at(&mut self, start: MediaTime) -> Option<&mut Segment> {
        if let Ok(at) = self.waiting.binary_search_by_key(&start, |waiting| waiting.segment.start) {
            return self.waiting.get_mut(at).map(|waiting| &mut waiting.segment);
        }
        let at = self.listed.binary_search_by_key(&start, |segment| segment.start).ok()?;
        self.listed.get_mut(at)
    }

    /// Gives up what was awaited for too long.
    pub(super) fn advance_frames(&mut self, now: UtcMs) {
        if self.frames.bandwidth_max == 0 {
            return;
        }
        let wait_ms = GAP_WAIT_SEGMENTS * u64::from(self.channel.segment_ms);
        let newest = self.listed.len().saturating_sub(GAP_WAIT_SEGMENTS as usize);
        let mut at = self.listed.partition_point(|segment| segment.start < self.frames.known_to);
        let mut gave_up = false;
        while let Some(segment) = self.listed.get_mut(at) {
            self.frames.known_to = segment.start;
            if segment.frame.is_none() && !segment.gap {
                let since = match self.frames.awaited {
                    // Where the clock was set back, it counts from now on.
                    Some((start, since)) if start == segment.start => since.min(now),
                    _ => now,
                };
                self.frames.awaited = Some((segment.start, since));
                // With the first one goes all that is older than it need be.
                if now.ms_since(since) < wait_ms && !(gave_up && at < newest) {
                    return;
                }
                gave_up = true;
            }
            if segment.frame.is_none() {
                segment.frame = Some(0);
                self.changed = true;
            }
            at += 1;
        }
    }
}
