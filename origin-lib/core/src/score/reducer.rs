//! What an event does to a match. Which game it is, only its rules say.

mod invalid;
mod tally;
mod timing;
mod units;

pub use self::invalid::{Invalid, TimingError, UnitError};
use self::tally::{Sum, Tally};
use super::clock::Clock;
use super::model::{Action, Ball, Pause, Phase, Side, SideState, Start, State, UnitResult};
use super::rules::{FoulPoints, Rules, Tie, Turns, Unit};
use crate::time::UtcMs;

/// A match under way.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) start: Start,
    rules: Rules,
    /// The latest `occurred`: a scorer's clock may step back, a match never does.
    now: UtcMs,
    phase: Phase,
    at_table: Option<Side>,
    winner: Option<Side>,
    /// An `end` was taken.
    ended: bool,
    /// Sets, racks or frames begun; 1 in a match to points.
    units: u32,
    /// Who began the present one.
    breaks: Side,
    /// Whoever wins it has won the match.
    is_last: bool,
    /// It was tied, and goes on until one side leads after an inning of both: its target means nothing any more.
    is_prolonged: bool,
    /// What the event ended.
    over: Option<UnitResult>,
    tallies: [Tally; 2],
    sums: [Sum; 2],
    /// Nothing was played in the present turn.
    untouched: bool,
    /// The present rack of a match to points, and the balls that were made before it.
    racks: u32,
    racked: i32,
    is_past_half: bool,
    break_due: bool,
    white: Option<Side>,
    paused: Option<Pause>,
    clock: Option<Clock>,
}

/// What `action` makes of a match. Undos and corrections are the log's to resolve: here they change nothing. After an
/// error the match may be half changed.
pub(super) fn apply(to: &mut Option<Match>, action: &Action, occurred: UtcMs) -> Result<(), Invalid> {
    match (to, action) {
        (_, Action::Undo { .. } | Action::Correct { .. }) => Ok(()),
        (Some(game), action) => {
            game.now = game.now.max(occurred);
            game.over = None;
            game.apply(action)
        }
        (to, Action::Start(start)) => {
            *to = Some(Match::new(start.clone(), occurred)?);
            Ok(())
        }
        (None, _) => Err(Invalid::NotStarted),
    }
}

impl Match {
    fn new(start: Start, occurred: UtcMs) -> Result<Match, Invalid> {
        let mut game = Match {
            rules: start.rules(),
            now: occurred,
            phase: Phase::Playing,
            at_table: None,
            winner: None,
            ended: false,
            units: 0,
            breaks: start.breaks,
            is_last: false,
            is_prolonged: false,
            over: None,
            tallies: [Tally::default(); 2],
            sums: [Sum::default(); 2],
            untouched: true,
            racks: 1,
            racked: 0,
            is_past_half: false,
            break_due: false,
            white: start.white,
            paused: None,
            clock: None,
            start,
        };
        game.begin(game.start.breaks)?;
        Ok(game)
    }

    /// The rules that the match is played by.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The set, rack or frame that the last event ended.
    pub(super) fn over(&self) -> Option<UnitResult> {
        self.over
    }

    fn apply(&mut self, action: &Action) -> Result<(), Invalid> {
        match *action {
            Action::Start(_) => Err(Invalid::Started),
            Action::Points { side, points, ref code } => self.points(side, points, code.as_deref()),
            Action::EndInning { side } => self.end_inning(side),
            Action::Foul { side, points, .. } => self.foul(side, points_of(points)),
            Action::Turn { side } => self.turn(side),
            Action::BeginUnit { breaks } => self.begin_unit(breaks),
            Action::EndUnit { winner, .. } => self.end_unit(winner),
            Action::Rerack {} => self.rerack(),
            Action::Shootout { side, points } => self.shootout(side, points),
            Action::Pause { ref code } => self.pause(code.clone()),
            Action::Resume {} => self.resume(),
            Action::TimeOut { side } => self.time_out(side),
            Action::ShotClock { order, side } => self.shot_clock(order, side),
            Action::End { winner, .. } => self.end(winner),
            Action::Undo { .. } | Action::Correct { .. } => Ok(()),
        }
    }

    /// Something is played: what rested goes on, and the next set, rack or frame begins.
    fn play(&mut self) -> Result<(), Invalid> {
        match self.phase {
            Phase::Finished => return Err(Invalid::Finished),
            Phase::Shootout => return Err(Invalid::Shootout),
            Phase::Between => self.begin(self.at_table.ok_or(UnitError::WhoBegins)?)?,
            Phase::Playing | Phase::Extension => {}
        }
        self.go_on();
        Ok(())
    }

    fn go_on(&mut self) {
        self.paused = None;
        self.break_due = false;
    }

    fn points(&mut self, side: Side, points: i32, code: Option<&str>) -> Result<(), Invalid> {
        self.play()?;
        if !self.rules.points {
            return Err(Invalid::Unpointed);
        }
        self.check_figure(points, code)?;
        let has_turns = self.rules.turns != Turns::Free;
        if has_turns {
            self.check_at_table(side)?;
        }
        if self.phase == Phase::Extension {
            let tally = side.of_mut(&mut self.tallies);
            let run = tally.extension;
            tally.extension = run.checked_add_signed(points).ok_or(Invalid::BelowZero { run })?;
        } else {
            let tally = side.of_mut(&mut self.tallies);
            if has_turns {
                let run = tally.run;
                tally.run = run.checked_add_signed(points).ok_or(Invalid::BelowZero { run })?;
            }
            tally.made = tally.made.saturating_add(points);
            self.check_total(side, points)?;
        }
        let tally = side.of_mut(&mut self.tallies);
        tally.fouls_in_row = 0;
        self.untouched = false;
        self.reset_clock();
        if self.rules.turns == Turns::Shot || self.is_won_by(side) {
            self.end_turn(side);
        }
        Ok(())
    }

    fn end_inning(&mut self, side: Side) -> Result<(), Invalid> {
        self.play()?;
        if self.rules.turns == Turns::Free {
            return Err(Invalid::Uncounted);
        }
        self.check_at_table(side)?;
        side.of_mut(&mut self.tallies).fouls_in_row = 0;
        self.end_turn(side);
        Ok(())
    }

    fn foul(&mut self, side: Side, points: i32) -> Result<(), Invalid> {
        self.play()?;
        let (whose, points) = match self.rules.foul {
            FoulPoints::None if points != 0 => return Err(Invalid::FoulPoints),
            FoulPoints::None | FoulPoints::Opponent => (side.other(), points),
            FoulPoints::Deduct => (side, -points),
        };
        let was_won = self.has_reached(whose);
        let tally = whose.of_mut(&mut self.tallies);
        if self.phase == Phase::Extension {
            tally.extension =
                tally.extension.checked_add_signed(points).ok_or(Invalid::BelowNothing(whose))?;
        } else {
            tally.from_fouls = tally.from_fouls.saturating_add(points);
            self.check_total(whose, points)?;
        }
        let tally = side.of_mut(&mut self.tallies);
        tally.fouls += 1;
        tally.fouls_in_row += 1;
        self.untouched = false;
        self.reset_clock();
        // Whoever did not play may foul as well: that is no turn of its own.
        let ends_turn = self.rules.foul_ends_turn && self.at_table == Some(side);
        if ends_turn || (self.is_won_by(whose) && !was_won) {
            self.end_turn(self.at_table.unwrap_or(side));
        }
        Ok(())
    }

    fn turn(&mut self, side: Side) -> Result<(), Invalid> {
        self.play()?;
        match self.rules.turns {
            Turns::Miss | Turns::Shot => return Err(Invalid::Strict),
            _ if self.at_table == Some(side) => return Err(Invalid::AtTable(side)),
            Turns::Free => self.at_table = Some(side),
            Turns::Open => {
                if self.untouched {
                    side.other().of_mut(&mut self.tallies).forget_inning();
                }
                self.begin_inning(side);
            }
        }
        self.reset_clock();
        Ok(())
    }

    fn rerack(&mut self) -> Result<(), Invalid> {
        self.play()?;
        if self.rules.rack_balls.is_none() {
            return Err(Invalid::NoRack);
        }
        (self.racks, self.racked) = (self.rack() + 1, self.balls());
        Ok(())
    }

    fn shootout(&mut self, side: Side, points: u32) -> Result<(), Invalid> {
        match self.phase {
            Phase::Playing | Phase::Between | Phase::Extension => return Err(Invalid::NoShootout),
            Phase::Finished => return Err(Invalid::Finished),
            Phase::Shootout => self.go_on(),
        }
        let other = side.other().of(&self.tallies).turns;
        let tally = side.of_mut(&mut self.tallies);
        if tally.turns > other {
            return Err(Invalid::ShootoutTurn(side));
        }
        tally.turns += 1;
        tally.shootout = tally.shootout.saturating_add(points);
        self.reset_clock();
        let [first, second] = &self.tallies;
        if first.turns != second.turns {
            self.at_table = Some(side.other());
        } else if first.shootout == second.shootout {
            // Another round; who begins it is the referee's to say.
            self.at_table = None;
        } else {
            let first_won = first.shootout > second.shootout;
            self.unit_over(Some(if first_won { Side::First } else { Side::Second }));
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
        if self.at_table == Some(side) { Ok(()) } else { Err(Invalid::NotAtTable(side)) }
    }

    /// In artistique, points are those of a figure.
    fn check_figure(&self, points: i32, code: Option<&str>) -> Result<(), Invalid> {
        if self.start.figures.is_empty() {
            return Ok(());
        }
        let figure = self.start.figures.iter().find(|figure| Some(&*figure.code) == code);
        match figure.ok_or(Invalid::NoFigure)?.points {
            gives if points == 0 || points == points_of(gives) => Ok(()),
            points => Err(Invalid::FigurePoints { points }),
        }
    }

    /// Whether `side` may have the points that it has, of which `points` are new.
    fn check_total(&self, side: Side, points: i32) -> Result<(), Invalid> {
        let total = side.of(&self.tallies).points();
        if points < 0 && total < 0 && !self.rules.below_zero {
            return Err(Invalid::BelowNothing(side));
        }
        match self.limit(side) {
            Some(target) if !self.rules.overshoot && total > points_of(target) => {
                let left = points_of(target).saturating_sub(total.saturating_sub(points));
                Err(Invalid::BeyondTarget { left: u32::try_from(left).unwrap_or(0) })
            }
            _ => Ok(()),
        }
    }

    /// The points that `side` is to make.
    pub(super) fn target(&self, side: Side) -> Option<u32> {
        let last = self.rules.last_target.filter(|_| self.is_last);
        last.or(self.rules.target.map(|target| target.of(side)))
    }

    /// The points that end it, and that can't be passed.
    fn limit(&self, side: Side) -> Option<u32> {
        self.target(side).filter(|_| !self.is_prolonged)
    }

    fn has_reached(&self, side: Side) -> bool {
        self.limit(side).is_some_and(|target| side.of(&self.tallies).points() >= points_of(target))
    }

    /// Whether points that `side` got end the present turn.
    fn is_won_by(&self, side: Side) -> bool {
        self.phase == Phase::Playing && self.has_reached(side)
    }

    fn begin_inning(&mut self, side: Side) {
        self.at_table = Some(side);
        self.untouched = true;
        side.of_mut(&mut self.tallies).begin_inning();
    }

    /// A turn of `side` is over: who is next, or how has it ended?
    fn end_turn(&mut self, side: Side) {
        self.reset_clock();
        if let (Phase::Extension, Tie::Extension { innings }) = (self.phase, self.rules.tie) {
            self.end_extension_inning(side, innings);
            return;
        }
        let is_whole = side != self.breaks;
        let (mine, theirs) = (self.has_reached(side), self.has_reached(side.other()));
        let is_owed = self.rules.equalising_inning && !is_whole && mine && !theirs;
        let most = self.rules.innings_max.filter(|_| is_whole);
        let is_last = most.is_some_and(|most| self.tallies.iter().all(|tally| tally.innings >= most));
        if (mine || theirs) && !is_owed || is_last || (self.is_prolonged && is_whole) {
            self.settle();
            return;
        }
        if is_whole {
            self.pass_half();
        }
        if self.rules.turns != Turns::Free {
            self.begin_inning(side.other());
        }
    }

    /// Balls made in a match to points, at a point each.
    fn balls(&self) -> i32 {
        self.tallies.iter().fold(0, |balls, tally| tally.made.saturating_add(balls))
    }

    fn rack(&self) -> u32 {
        let made = u32::try_from(self.balls().saturating_sub(self.racked)).unwrap_or(0);
        let full = self.rules.rack_balls.and_then(|balls| made.checked_div(balls));
        self.racks.saturating_add(full.unwrap_or(0))
    }

    pub(super) fn state(&self) -> State {
        self.state_at(self.now)
    }

    /// The score as it is shown from `now` on.
    pub(super) fn state_at(&self, now: UtcMs) -> State {
        let has_units = self.rules.unit != Unit::Match;
        State {
            phase: self.phase,
            inning: self.breaks.of(&self.tallies).innings,
            at_table: self.at_table,
            winner: self.winner,
            unit: has_units.then_some(self.units),
            breaks: has_units.then_some(self.breaks),
            rack: self.rules.rack_balls.map(|_| self.rack()),
            break_due: self.break_due,
            paused: self.paused.clone(),
            shot_clock: self.clock.map(|clock| clock.at(now)),
            sides: Side::BOTH.map(|side| self.side(side)),
        }
    }

    fn side(&self, side: Side) -> SideState {
        let (tally, sum) = (side.of(&self.tallies), side.of(&self.sums));
        let has_units = self.rules.unit != Unit::Match;
        let points = sum.points.saturating_add(tally.points());
        let innings = sum.innings.saturating_add(tally.innings);
        let extension = matches!(self.rules.tie, Tie::Extension { .. });
        let is_extended =
            self.phase == Phase::Extension || self.tallies.iter().any(|t| t.extension_innings > 0);
        let left = |count: u32, used: u32| count.saturating_sub(used);
        SideState {
            points: tally.points(),
            run: tally.run,
            high_run: sum.high_run.max(tally.high_run()),
            innings: tally.innings,
            average_milli: average_milli(points, innings),
            shootout: (tally.turns > 0).then_some(tally.shootout),
            extension: (extension && is_extended).then_some(tally.extension),
            won: has_units.then_some(sum.won),
            total_points: (has_units && self.rules.points).then_some(points),
            total_innings: (has_units && self.rules.turns != Turns::Free).then_some(innings),
            ball: self.white.map(|white| if white == side { Ball::White } else { Ball::Yellow }),
            fouls: tally.fouls,
            fouls_in_row: tally.fouls_in_row,
            extensions_left: self.rules.shot_clock.map(|rules| left(rules.extensions, sum.extensions_used)),
            time_outs_left: self.rules.time_outs.map(|rules| left(rules.count, sum.time_outs_used)),
        }
    }
}

/// Points that were bounded where they came in.
fn points_of(points: u32) -> i32 {
    i32::try_from(points).unwrap_or(i32::MAX)
}

/// Points per inning × 1000, cut towards zero; 0 without an inning.
fn average_milli(points: i32, innings: u32) -> i32 {
    let milli = (i64::from(points) * 1000).checked_div(i64::from(innings)).unwrap_or(0);
    i32::try_from(milli).unwrap_or(if milli < 0 { i32::MIN } else { i32::MAX })
}
