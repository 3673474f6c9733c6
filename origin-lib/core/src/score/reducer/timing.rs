//! Pauses, time-outs and the shot clock.

use alloc::string::String;

use super::Match;
use super::invalid::{Invalid, TimingError};
use crate::score::clock::Clock;
use crate::score::model::{ClockOrder, Pause, Phase, Side};
use crate::score::rules::{Per, ShotClockRules};

fn full(rules: &ShotClockRules) -> Clock {
    Clock::Stands(u64::from(rules.seconds) * 1000)
}

impl Match {
    pub(super) fn pause(&mut self, code: Option<String>) -> Result<(), Invalid> {
        self.rest(Pause { since: self.now, until: None, side: None, code })
    }

    pub(super) fn resume(&mut self) -> Result<(), Invalid> {
        self.paused.take().map(drop).ok_or(Invalid::Timing(TimingError::NotPaused))
    }

    pub(super) fn time_out(&mut self, side: Side) -> Result<(), Invalid> {
        let rules = self.rules.time_outs.ok_or(TimingError::NoTimeOut(side))?;
        let sum = side.of_mut(&mut self.sums);
        if sum.time_outs_used >= rules.count {
            return Err(TimingError::NoTimeOut(side).into());
        }
        sum.time_outs_used += 1;
        let until = self.now.plus_ms(u64::from(rules.seconds) * 1000);
        self.rest(Pause { since: self.now, until: Some(until), side: Some(side), code: None })
    }

    fn rest(&mut self, pause: Pause) -> Result<(), Invalid> {
        if self.phase == Phase::Finished {
            return Err(Invalid::Finished);
        }
        if self.paused.is_some() {
            return Err(TimingError::Paused.into());
        }
        if let Some(clock) = &mut self.clock {
            clock.stop(self.now);
        }
        self.break_due = false;
        self.paused = Some(pause);
        Ok(())
    }

    pub(super) fn shot_clock(&mut self, order: ClockOrder, side: Option<Side>) -> Result<(), Invalid> {
        let rules = self.rules.shot_clock.ok_or(TimingError::NoShotClock)?;
        match self.phase {
            Phase::Finished => return Err(Invalid::Finished),
            Phase::Shootout => {}
            _ if order == ClockOrder::Start => self.play()?,
            _ => {}
        }
        let now = self.now;
        let clock = self.clock.get_or_insert(full(&rules));
        match order {
            ClockOrder::Start => {
                *clock = full(&rules);
                clock.run(now);
                self.paused = None;
            }
            ClockOrder::Stop if !clock.is_running() => return Err(TimingError::Stands.into()),
            ClockOrder::Stop => clock.stop(now),
            ClockOrder::Resume if clock.is_running() => return Err(TimingError::Runs.into()),
            ClockOrder::Resume => {
                clock.run(now);
                self.paused = None;
            }
            ClockOrder::Extend => {
                let side = side.or(self.at_table).ok_or(TimingError::WhoseExtension)?;
                if self.at_table == Some(side.other()) {
                    return Err(Invalid::NotAtTable(side));
                }
                let sum = side.of_mut(&mut self.sums);
                if sum.extensions_used >= rules.extensions {
                    return Err(TimingError::NoExtension(side).into());
                }
                sum.extensions_used += 1;
                clock.extend(u64::from(rules.extension_seconds) * 1000, now);
            }
        }
        Ok(())
    }

    /// The clock stands, full, for the next shot.
    pub(super) fn reset_clock(&mut self) {
        self.clock = self.rules.shot_clock.as_ref().map(full);
    }

    /// A set, rack or frame begins: what is counted for each is there again.
    pub(super) fn renew_allowances(&mut self) {
        let extensions = self.rules.shot_clock.is_some_and(|rules| rules.per == Per::Unit);
        let time_outs = self.rules.time_outs.is_some_and(|rules| rules.per == Per::Unit);
        for sum in &mut self.sums {
            if extensions {
                sum.extensions_used = 0;
            }
            if time_outs {
                sum.time_outs_used = 0;
            }
        }
    }
}
