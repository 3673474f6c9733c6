//! Which of a track's sender reports tells best when its timestamps are.

use alloc::collections::VecDeque;

use super::Report;

/// So long a report counts beside those that come after it, by the sender's clock: a minute. The clocks of two tracks part by less
/// than can be heard in that time.
const REPORT_US_MAX: u64 = 60_000_000;

/// So many reports of a track are compared: two a second. Encoders send one.
const REPORTS_MAX: usize = 128;

/// The latest reports of a track.
///
/// What a report pairs with a timestamp should be the moment of its capture. Encoders that do not know it any more (OBS,
/// ffmpeg) write when they send it: later by what the encoder and its queues take, now more, now less, and sound that was moved
/// by each of them would have a hole a second. The report that is late by the least is the one to go by; of an encoder
/// that says the moment of capture, any is.
#[derive(Debug, Default)]
pub(super) struct Reports(VecDeque<Report>);

impl Reports {
    /// Takes the last report that came, which may have been taken before.
    pub(super) fn take(&mut self, report: Report) {
        if self.0.back() == Some(&report) {
            return;
        }
        // One that was set back is another clock.
        let newest = report.wall_us;
        self.0.retain(|kept| newest.checked_sub(kept.wall_us).is_some_and(|age| age <= REPORT_US_MAX));
        if self.0.len() == REPORTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(report);
    }

    /// The one to go by, of timestamps of so many a second.
    pub(super) fn best(&self, hz: u32) -> Option<Report> {
        let late = |report: &Report| {
            i128::from(report.wall_us) * i128::from(hz) - i128::from(report.time) * 1_000_000
        };
        self.0.iter().min_by_key(|report| late(report)).copied()
    }

    /// Forgets all, as they are of other timestamps.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
