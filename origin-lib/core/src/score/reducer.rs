//! Three-cushion: what an event does to a match.

use super::model::{Action, Phase, Side, SideState, Start, State};

/// Why an event has no place in the match as it stands. The texts tell the scorer what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// `epoch` or `seq` out of bounds.
    #[error("epoch and seq start at 1 and stay below 2^53")]
    Position,
    /// The body's own bounds.
    #[error(transparent)]
    Event(#[from] super::EventError),
    /// `occurred` lies ahead of the origin's clock.
    #[error("occurred lies more than a minute ahead of the origin's clock: check the scorer's clock")]
    Clock,
    /// The log is full.
    #[error("a match has at most {max} events: go on as a new match", max = super::EVENTS_MAX)]
    Full,
    /// No start yet.
    #[error("the match has not started: send start first")]
    NotStarted,
    /// A second start.
    #[error("the match has started: undo that start first, or use a new match id")]
    Started,
    /// The other side is at the table.
    #[error("side {0} is not at the table; an inning ends with end_inning, or by itself at the target")]
    NotAtTable(Side),
    /// The run would be negative.
    #[error("the present run is {run}: only that many points can be taken back; undo earlier events instead")]
    BelowZero {
        /// Points of the present run.
        run: u32,
    },
    /// The points would pass the target.
    #[error("only {left} points are left to the target")]
    BeyondTarget {
        /// Points that the side still needs.
        left: u32,
    },
    /// A shootout is being played.
    #[error("both sides reached the target: send shootout")]
    Shootout,
    /// No shootout is being played.
    #[error("a shootout needs a tie at the target")]
    NoShootout,
    /// The side had its turn.
    #[error("side {0} had its turn of the shootout: the other side is next")]
    ShootoutTurn(Side),
    /// It is over.
    #[error("the match is finished: undo what finished it to go on")]
    Finished,
    /// The result is another one.
    #[error("by the score the winner is another: undo what is wrong first")]
    Winner,
    /// The undo names no event that stands.
    #[error("undo names no event that stands: give epoch and seq of one that was not undone")]
    UndoOfNothing,
    /// Later events rest on the one to undo.
    #[error("event {epoch}/{seq} rests on what would be undone: undo that first")]
    UndoBreaks {
        /// Its epoch.
        epoch: u64,
        /// Its number.
        seq: u64,
    },
}

/// A match under way.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) start: Start,
    phase: Phase,
    at_table: Option<Side>,
    winner: Option<Side>,
    /// An `end` was taken.
    ended: bool,
    tallies: [Tally; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    points: u32,
    run: u32,
    /// The best of the innings before the present one: a run that shrinks again takes the high run with it.
    high_before: u32,
    innings: u32,
    shootout: u32,
    /// Turns of the shootout.
    turns: u32,
}

/// What `action` makes of `of`. An undo is the log's to resolve: here it changes nothing.
pub(super) fn apply(of: Option<Match>, action: &Action) -> Result<Option<Match>, Invalid> {
    match (of, action) {
        (of, Action::Undo { .. }) => Ok(of),
        (None, Action::Start(start)) => Ok(Some(Match::new(start.clone()))),
        (None, _) => Err(Invalid::NotStarted),
        (Some(mut game), action) => {
            game.apply(action)?;
            Ok(Some(game))
        }
    }
}

impl Match {
    fn new(start: Start) -> Match {
        let mut game = Match {
            phase: Phase::Playing,
            at_table: None,
            winner: None,
            ended: false,
            tallies: [Tally::default(); 2],
            start,
        };
        game.begin_inning(game.start.breaks);
        game
    }

    fn apply(&mut self, action: &Action) -> Result<(), Invalid> {
        match *action {
            Action::Start(_) => Err(Invalid::Started),
            Action::Points { side, points, .. } => self.points(side, points),
            Action::EndInning { side } => {
                self.check_at_table(side)?;
                self.end_inning(side);
                Ok(())
            }
            Action::Shootout { side, points } => self.shootout(side, points),
            Action::End { winner, .. } => self.end(winner),
            Action::Undo { .. } => Ok(()),
        }
    }

    fn points(&mut self, side: Side, points: i32) -> Result<(), Invalid> {
        self.check_at_table(side)?;
        let target = self.start.target;
        let tally = side.of_mut(&mut self.tallies);
        let run = tally.run.checked_add_signed(points).ok_or(Invalid::BelowZero { run: tally.run })?;
        // The points of earlier innings are part of the total, so what is left of it is never negative.
        let total = tally.points.saturating_sub(tally.run).saturating_add(run);
        if total > target {
            return Err(Invalid::BeyondTarget { left: target.saturating_sub(tally.points) });
        }
        (tally.run, tally.points) = (run, total);
        if total == target {
            self.end_inning(side);
        }
        Ok(())
    }

    fn shootout(&mut self, side: Side, points: u32) -> Result<(), Invalid> {
        match self.phase {
            Phase::Playing => return Err(Invalid::NoShootout),
            Phase::Finished => return Err(Invalid::Finished),
            Phase::Shootout => {}
        }
        let other = side.other().of(&self.tallies).turns;
        let tally = side.of_mut(&mut self.tallies);
        if tally.turns > other {
            return Err(Invalid::ShootoutTurn(side));
        }
        tally.turns += 1;
        tally.shootout = tally.shootout.saturating_add(points);
        let [first, second] = &self.tallies;
        if first.turns != second.turns {
            self.at_table = Some(side.other());
        } else if first.shootout == second.shootout {
            // Another round; who begins it is the referee's to say.
            self.at_table = None;
        } else {
            let first_won = first.shootout > second.shootout;
            self.finish(Some(if first_won { Side::First } else { Side::Second }));
        }
        Ok(())
    }

    fn end(&mut self, winner: Option<Side>) -> Result<(), Invalid> {
        if self.ended {
            return Err(Invalid::Finished);
        }
        if self.phase == Phase::Finished && self.winner != winner {
            return Err(Invalid::Winner);
        }
        self.finish(winner);
        self.ended = true;
        Ok(())
    }

    fn check_at_table(&self, side: Side) -> Result<(), Invalid> {
        match self.phase {
            Phase::Playing if self.at_table == Some(side) => Ok(()),
            Phase::Playing => Err(Invalid::NotAtTable(side)),
            Phase::Shootout => Err(Invalid::Shootout),
            Phase::Finished => Err(Invalid::Finished),
        }
    }

    fn begin_inning(&mut self, side: Side) {
        self.at_table = Some(side);
        let tally = side.of_mut(&mut self.tallies);
        tally.high_before = tally.high_before.max(tally.run);
        tally.run = 0;
        tally.innings += 1;
    }

    /// An inning of `side` is over: who is next, or how has the match ended?
    fn end_inning(&mut self, side: Side) {
        let reached = |side: Side| side.of(&self.tallies).points >= self.start.target;
        let both_played = side != self.start.breaks;
        let (mine, theirs) = (reached(side), reached(side.other()));
        if both_played && mine && theirs {
            self.phase = Phase::Shootout;
            self.at_table = None;
        } else if both_played && (mine || theirs) {
            self.finish(Some(if mine { side } else { side.other() }));
        } else if mine && !self.start.equalising_inning {
            self.finish(Some(side));
        } else {
            self.begin_inning(side.other());
        }
    }

    fn finish(&mut self, winner: Option<Side>) {
        self.phase = Phase::Finished;
        self.at_table = None;
        self.winner = winner;
    }

    pub(super) fn state(&self) -> State {
        State {
            phase: self.phase,
            inning: self.start.breaks.of(&self.tallies).innings,
            at_table: self.at_table,
            winner: self.winner,
            sides: self.tallies.map(|tally| SideState {
                points: tally.points,
                run: tally.run,
                high_run: tally.high_before.max(tally.run),
                innings: tally.innings,
                average_milli: tally.points.saturating_mul(1000).checked_div(tally.innings).unwrap_or(0),
                shootout: (tally.turns > 0).then_some(tally.shootout),
            }),
        }
    }
}
