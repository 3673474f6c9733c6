//! The scorer's seat: lines come in, the score goes out, and everything entered goes to the disk and then to the origin.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use railbird_core::id::MatchId;
use railbird_core::score::{Item, Start};
use railbird_core::time::UtcMs;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::desk::{Change, Denied, Desk, Mode, Problem, Waiting};
use super::origin::{Beat, Held, Origin, OriginError};
use super::outbox::Outbox;
use super::show;
use super::words::{self, Word};
use crate::clock;

/// How often the origin hears that the scorer is there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long to wait before an event is sent again: at first, and at most.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(8)];

/// An answer that took longer says too little about the origin's clock, in milliseconds.
const CLOCK_MS_MAX: u64 = 2_000;

/// What came back from the origin.
enum Answer {
    Put(Box<Waiting>, Result<bool, OriginError>),
    Held(Want, MatchId, Result<Held, OriginError>),
    Beat(MatchId, UtcMs, Result<Beat, OriginError>),
    /// The origin's clock, asked for at that time of this machine's.
    Clock(UtcMs, Result<Option<UtcMs>, OriginError>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Resync,
    TakeOver,
}

/// A scorer at work.
pub(super) struct Seat<W> {
    pub(super) desk: Desk,
    pub(super) outbox: Outbox,
    pub(super) origin: Origin,
    pub(super) out: W,
    /// What `new` begins with.
    pub(super) start: Option<Start>,
    asked: JoinSet<Answer>,
    /// A put or its resync is under way.
    sending: bool,
    again: Duration,
    again_at: Option<Instant>,
    away: bool,
    problem: Option<Problem>,
    /// What `yes` does.
    offered: Option<(Desk, Change)>,
    /// Added to this machine's clock to get the origin's, in milliseconds.
    offset_ms: i64,
}

impl<W: Write> Seat<W> {
    pub(super) fn new(desk: Desk, outbox: Outbox, origin: Origin, out: W, start: Option<Start>) -> Seat<W> {
        Seat {
            desk,
            outbox,
            origin,
            out,
            start,
            asked: JoinSet::new(),
            sending: false,
            again: AGAIN[0],
            again_at: None,
            away: false,
            problem: None,
            offered: None,
            offset_ms: 0,
        }
    }

    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        writeln!(self.out, "{text}").and_then(|()| self.out.flush()).context("the terminal has gone")
    }

    /// Works until the lines end and everything is sent, but then no longer than `linger`. An error where something waits.
    pub(super) async fn work(
        &mut self,
        lines: &mut mpsc::Receiver<String>,
        linger: Duration,
    ) -> anyhow::Result<()> {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut until: Option<Instant> = None;
        loop {
            self.send();
            if until.is_some() && (self.problem.is_some() || self.desk.due().is_none()) {
                break;
            }
            let far = Instant::now() + HEARTBEAT;
            tokio::select! {
                line = lines.recv(), if until.is_none() => match line {
                    Some(line) => if !self.read(&line)? { until = Some(Instant::now() + linger) },
                    None => until = Some(Instant::now() + linger),
                },
                Some(answer) = self.asked.join_next() => {
                    let answer = answer.context("a request was broken off")?;
                    self.hear(answer)?;
                }
                _ = heartbeat.tick() => self.beat(),
                () = sleep_until(self.again_at.unwrap_or(far)), if self.again_at.is_some() => self.again_at = None,
                () = sleep_until(until.unwrap_or(far)), if until.is_some() => break,
            }
        }
        let pending = self.desk.pending();
        anyhow::ensure!(
            pending == 0,
            "{pending} event(s) wait in the outbox: `railbird score` with the same --origin and --channel sends them"
        );
        Ok(())
    }

    fn now(&self) -> UtcMs {
        UtcMs(clock::now().0.saturating_add_signed(self.offset_ms))
    }

    /// Keeps first, shows then.
    pub(super) fn keep(&mut self, (desk, change): (Desk, Change)) -> anyhow::Result<()> {
        self.outbox.write(&change).context("nothing can be kept: what was typed last is not entered")?;
        self.desk = desk;
        self.offered = None;
        Ok(())
    }

    /// Gives whether to go on.
    fn read(&mut self, line: &str) -> anyhow::Result<bool> {
        let word = match words::read(line, self.desk.log()) {
            Ok(word) => word,
            Err(why) => return self.say(&why).map(|()| true),
        };
        let offered = self.offered.take();
        match word {
            Word::Act(action) => match self.desk.enter(action, self.now()) {
                Ok(next) => {
                    self.keep(next)?;
                    self.show()?;
                }
                Err(why) => self.say(&format!("not entered: {why}"))?,
            },
            Word::Score => self.show()?,
            Word::Log => {
                for line in show::history(self.desk.log()) {
                    self.say(&line)?;
                }
            }
            Word::Help => self.say(words::HELP)?,
            Word::New => self.begin()?,
            Word::Take => match self.desk.current().cloned() {
                Some(r#match) if self.desk.mode() == Mode::Lost => self.fetch(Want::TakeOver, r#match),
                _ => self.say("you score already: there is nothing to take over")?,
            },
            Word::Drop => self.offer_drop()?,
            Word::Yes => match offered {
                Some(next) => self.resume(next)?,
                None => self.say("nothing was asked")?,
            },
            Word::Quit => return Ok(false),
        }
        Ok(true)
    }

    /// Begins the match that the options describe.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        let Some(start) = self.start.clone() else {
            return self.say("begin it with `railbird score --new` and the names: `railbird score --help`");
        };
        let now = self.now();
        let next = match self.desk.begin(name(now)?, start, now) {
            Ok(next) => next,
            Err(why) => return self.say(&format!("the match can't begin: {why}")),
        };
        self.resume(next)?;
        self.show()
    }

    fn resume(&mut self, next: (Desk, Change)) -> anyhow::Result<()> {
        self.keep(next)?;
        self.problem = None;
        self.beat();
        Ok(())
    }

    fn show(&mut self) -> anyhow::Result<()> {
        let score = show::score(self.desk.log());
        let last = self.desk.log().last().map_or_else(String::new, |last| format!("{last}  "));
        let waits = match self.desk.pending() {
            0 | 1 => String::new(),
            pending => format!("  ({pending} wait)"),
        };
        self.say(&format!("{last}{score}{waits}"))
    }

    fn offer_drop(&mut self) -> anyhow::Result<()> {
        let Some(Problem::Invalid(refused, _)) = self.problem.clone() else {
            return self.say("the origin refuses nothing: there is nothing to drop");
        };
        match self.desk.without(&refused) {
            Ok((desk, change, lost)) => self.offer(desk, change, &lost, "`yes` gives it up"),
            Err(why) => self.say(&why),
        }
    }

    fn offer(
        &mut self,
        desk: Desk,
        change: Change,
        lost: &[(Item, String)],
        ask: &str,
    ) -> anyhow::Result<()> {
        for (item, why) in lost {
            self.say(&format!("{} has no place then: {why}", show::action(&item.event.action)))?;
        }
        self.offered = Some((desk, change));
        self.say(&format!("{} event(s) would go along: {ask}, any other line does not", lost.len()))
    }

    fn send(&mut self) {
        let stopped = self.sending || self.again_at.is_some() || self.problem.is_some();
        let Some(first) = self.desk.due().filter(|_| !stopped) else { return };
        let (origin, first) = (self.origin.clone(), first.clone());
        self.sending = true;
        if !self.desk.is_timed() {
            self.asked.spawn(async move {
                let asked = clock::now();
                Answer::Clock(asked, origin.newest().await.map(|(_, now)| now))
            });
            return;
        }
        self.asked.spawn(async move {
            let answer = origin.put(&first).await;
            Answer::Put(Box::new(first), answer)
        });
    }

    fn fetch(&mut self, want: Want, r#match: MatchId) {
        let origin = self.origin.clone();
        self.asked.spawn(async move {
            let held = origin.held(&r#match).await;
            Answer::Held(want, r#match, held)
        });
    }

    fn beat(&mut self) {
        let Some(r#match) = self.desk.current().filter(|_| self.desk.mode() == Mode::Scoring) else { return };
        let (origin, r#match) = (self.origin.clone(), r#match.clone());
        let (epoch, pending) = (self.desk.epoch(), self.desk.pending());
        self.asked.spawn(async move {
            let asked = clock::now();
            let beat = origin.beat(&r#match, epoch, pending).await;
            Answer::Beat(r#match, asked, beat)
        });
    }

    fn hear(&mut self, answer: Answer) -> anyhow::Result<()> {
        match answer {
            Answer::Put(sent, answer) => {
                self.sending = false;
                let is_first = self.desk.first() == Some(&*sent);
                match answer {
                    Ok(agrees) => {
                        self.reached(true, "")?;
                        self.again = AGAIN[0];
                        if let Some(next) = self.desk.accepted().filter(|_| is_first) {
                            self.keep(next)?;
                        }
                        if self.desk.pending() == 0 && agrees && self.away {
                            self.away = false;
                            self.say("the origin has everything")?;
                        }
                        if !agrees {
                            self.resync(&sent)?;
                        }
                    }
                    Err(OriginError::Denied(refusal))
                        if is_first && [400, 401, 409, 413].contains(&refusal.status) =>
                    {
                        self.refused(&sent, &refusal)?;
                    }
                    Err(error) => {
                        self.reached(false, &error.to_string())?;
                        self.rest();
                    }
                }
            }
            Answer::Held(want, r#match, held) => self.have(want, r#match, held)?,
            Answer::Clock(asked, now) => {
                self.sending = false;
                match now {
                    Ok(now) => self.time(asked, now)?,
                    Err(OriginError::Denied(refusal)) if refusal.status == 401 => {
                        self.stop(Problem::Key(refusal.message))?;
                    }
                    Err(error) => {
                        self.reached(false, &error.to_string())?;
                        self.rest();
                    }
                }
            }
            Answer::Beat(r#match, asked, Ok(beat)) => {
                self.time(asked, Some(beat.now))?;
                let ours = self.desk.current() == Some(&r#match) && self.desk.mode() == Mode::Scoring;
                let last = beat.last.map_or(0, |last| last.epoch);
                if ours && last.max(beat.epoch) > self.desk.epoch() {
                    self.lose(self.desk.lost())?;
                }
                if self.away {
                    self.again_at = None;
                    if self.desk.pending() == 0 {
                        self.away = false;
                        self.say("the origin answers again")?;
                    }
                }
            }
            Answer::Beat(_, _, Err(OriginError::Denied(refusal))) if refusal.status == 401 => {
                self.stop(Problem::Key(refusal.message))?;
            }
            Answer::Beat(_, _, Err(error)) => self.reached(false, &error.to_string())?,
        }
        Ok(())
    }

    /// The origin answers, with its clock where it tells that, what was asked at that time of this machine's.
    pub(super) fn time(&mut self, asked: UtcMs, now: Option<UtcMs>) -> anyhow::Result<()> {
        let answered = clock::now();
        let took = answered.ms_since(asked);
        // The first one is better than none.
        let says_enough = answered >= asked && (took <= CLOCK_MS_MAX || !self.desk.is_timed());
        if let Some(now) = now.filter(|_| says_enough) {
            let middle = asked.plus_ms(took / 2);
            let ahead_ms = now.0.cast_signed().saturating_sub(middle.0.cast_signed());
            // What a slow answer can't tell from a right clock is taken for one.
            if took <= CLOCK_MS_MAX || ahead_ms.unsigned_abs() > took / 2 {
                self.offset_ms = ahead_ms;
            }
        }
        if self.desk.is_timed() {
            return Ok(());
        }
        match self.desk.timed(self.offset_ms) {
            Ok(next) => self.keep(next),
            Err(why) => self.stop(Problem::Log(why)),
        }
    }

    fn refused(&mut self, sent: &Waiting, refusal: &super::desk::Refusal) -> anyhow::Result<()> {
        match self.desk.denied(refusal) {
            // That is known already, and what was asked since stands.
            Some(Denied::Lost(_)) if self.desk.mode() == Mode::Lost => Ok(()),
            Some(Denied::Stop(problem)) => self.stop(problem),
            Some(Denied::Lost(next)) => self.lose(*next),
            Some(Denied::Resync) => self.resync(sent),
            None => Ok(()),
        }
    }

    fn resync(&mut self, sent: &Waiting) -> anyhow::Result<()> {
        if Some(&sent.r#match) == self.desk.current() {
            self.sending = true;
            self.fetch(Want::Resync, sent.r#match.clone());
        }
        Ok(())
    }

    fn have(&mut self, want: Want, r#match: MatchId, held: Result<Held, OriginError>) -> anyhow::Result<()> {
        if want == Want::Resync {
            self.sending = false;
        }
        let held = match held {
            Ok(held) => held,
            Err(error) => {
                self.rest();
                return self.say(&error.to_string());
            }
        };
        match want {
            Want::Resync if self.desk.current() != Some(&r#match) || self.desk.mode() == Mode::Lost => Ok(()),
            Want::Resync => match self.desk.resync(held.events) {
                Ok(next) if next.0.mode() == Mode::Lost => self.lose(next),
                Ok(next) => {
                    self.keep(next)?;
                    self.rest();
                    self.show()
                }
                Err(problem) => self.stop(problem),
            },
            Want::TakeOver => self.take_over(r#match, held),
        }
    }

    /// Takes a match over, at once where nothing of what waits here is lost by it.
    pub(super) fn take_over(&mut self, r#match: MatchId, held: Held) -> anyhow::Result<()> {
        match self.desk.take_over(r#match, held) {
            Ok((desk, change, lost)) if lost.is_empty() => {
                self.resume((desk, change))?;
                self.say(&format!("you score now, with epoch {}", self.desk.epoch()))?;
                self.show()
            }
            Ok((desk, change, lost)) => self.offer(desk, change, &lost, "`yes` takes over without them"),
            Err(why) => self.say(&format!("the match can't be taken over: {why}")),
        }
    }

    fn lose(&mut self, next: (Desk, Change)) -> anyhow::Result<()> {
        self.keep(next)?;
        let held = self.desk.held();
        self.say(&format!(
            "another scorer has taken over; {held} event(s) of yours wait: `take` takes the match back with them, `new` begins another without"
        ))
    }

    fn stop(&mut self, problem: Problem) -> anyhow::Result<()> {
        if self.problem.as_ref() == Some(&problem) {
            return Ok(());
        }
        let text = match &problem {
            Problem::Key(why) => format!(
                "nothing is sent: {why}; everything entered stays in the outbox: begin again with the right key"
            ),
            Problem::Log(why) => {
                format!(
                    "nothing is sent: the origin's log can't be played: {why}; is this program older than the origin?"
                )
            }
            Problem::Invalid(waiting, why) => format!(
                "nothing is sent: {} ({}) is refused: {why}; `drop` gives it up",
                waiting.item.position(),
                show::action(&waiting.item.event.action)
            ),
        };
        self.problem = Some(problem);
        self.say(&text)
    }

    fn reached(&mut self, now: bool, why: &str) -> anyhow::Result<()> {
        if now || self.away {
            return Ok(());
        }
        self.away = true;
        self.say(&format!("{why}; everything entered is kept, and goes when it does"))
    }

    fn rest(&mut self) {
        // Between three quarters and five quarters of it.
        let mut random = [0; 2];
        let share = match getrandom::fill(&mut random) {
            Ok(()) => u32::from(u16::from_le_bytes(random)),
            Err(_) => u32::from(u16::MAX) / 2,
        };
        let wait = self.again * 3 / 4 + self.again / 2 * (share >> 8) / 256;
        self.again_at = Some(Instant::now() + wait);
        self.again = (self.again * 2).min(AGAIN[1]);
    }
}

/// A new match's id: when it began, and something that no other has.
fn name(now: UtcMs) -> anyhow::Result<MatchId> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("the system has no random numbers: {error}"))?;
    let stamp: String =
        now.iso8601().chars().take_while(|c| *c != '.').filter(char::is_ascii_alphanumeric).collect();
    let name = format!("{}-{:08x}", stamp.to_lowercase().trim_end_matches('z'), u32::from_le_bytes(random));
    Ok(name.parse()?)
}
