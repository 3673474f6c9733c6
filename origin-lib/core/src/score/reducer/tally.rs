//! One side's figures as the reducer counts them.

/// Figures of the present set, rack or frame, or of a whole match to points.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// What it began with.
    pub(super) head_start: i32,
    /// Points of all its runs.
    pub(super) made: i32,
    /// Points that it got from fouls, or lost by them.
    pub(super) from_fouls: i32,
    pub(super) run: u32,
    /// The best of the innings before the present one: a run that shrinks again takes the high run with it.
    pub(super) high_before: u32,
    pub(super) innings: u32,
    pub(super) shootout: u32,
    /// Turns of the shootout.
    pub(super) turns: u32,
    pub(super) extension: u32,
    /// Innings of the extension that are over.
    pub(super) extension_innings: u32,
    pub(super) fouls: u32,
    pub(super) fouls_in_row: u32,
}

impl Tally {
    pub(super) fn points(&self) -> i32 {
        self.head_start.saturating_add(self.made).saturating_add(self.from_fouls)
    }

    pub(super) fn high_run(&self) -> u32 {
        self.high_before.max(self.run)
    }

    pub(super) fn begin_inning(&mut self) {
        self.high_before = self.high_run();
        self.run = 0;
        self.innings += 1;
    }

    /// The inning that was begun last was none: somebody else plays.
    pub(super) fn forget_inning(&mut self) {
        self.innings = self.innings.saturating_sub(1);
    }
}

/// What a side has of the whole match, the present set, rack or frame not included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) points: i32,
    pub(super) innings: u32,
    pub(super) high_run: u32,
    /// Sets, racks or frames won: the one that is over, but still in sight, included.
    pub(super) won: u32,
    pub(super) extensions_used: u32,
    pub(super) time_outs_used: u32,
}

impl Sum {
    /// Takes the figures of a set, rack or frame in, so that the next one can begin.
    pub(super) fn add(&mut self, tally: &Tally) {
        self.points = self.points.saturating_add(tally.points());
        self.innings = self.innings.saturating_add(tally.innings);
        self.high_run = self.high_run.max(tally.high_run());
    }
}
