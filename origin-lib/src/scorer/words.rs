//! What a scorer types: one line, one thing.

use railbird_core::score::{Action, ClockOrder, Log, Phase, Position, Side};

/// What the lines are, for a person.
pub const HELP: &str = "\
  3                points of the side at the table (-1 takes back, `3 B07` with a code; `a 3`, `b 3` for a side)
  m                miss, or a safety: the inning is over
  foul [a|b] [N] [CODE]   a foul of the side at the table, or of that one
  u                undo the newest event; `undo 1/17` or `undo 17` that one
  correct 17 LINE  puts another line in the place of event 17: `correct 17 2`
  so N             a turn of the shootout (`so a 3`)
  turn a|b         who plays; `begin a|b` who begins the next set, rack or frame
  unit [a|b] [CODE]   the set, rack or frame is over, and who won it
  rerack           14.1: all balls are racked anew
  pause [CODE], resume, timeout a|b
  clock start|stop|resume|extend [a|b]
  end [a|b|none] [CODE]   the match is over
  score, log, help, new, take, drop, quit";

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Something happened.
    Act(Action),
    /// Show the score.
    Score,
    /// Show the newest events.
    Log,
    /// Show the lines that there are.
    Help,
    /// Begin another match.
    New,
    /// Take the match over.
    Take,
    /// Give up the event that the origin refuses.
    Drop,
    /// What was asked.
    Yes,
    /// Leave; what waits stays in the outbox.
    Quit,
}

/// Reads a line about a match; an error says what to type.
pub fn read(line: &str, log: &Log) -> Result<Word, String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let Some((first, rest)) = words.split_first() else { return Ok(Word::Score) };
    Ok(match (first.to_ascii_lowercase().as_str(), rest) {
        ("score" | "s", []) => Word::Score,
        ("log", []) => Word::Log,
        ("help" | "h" | "?", _) => Word::Help,
        ("new", []) => Word::New,
        ("take", []) => Word::Take,
        ("drop", []) => Word::Drop,
        ("yes" | "y", []) => Word::Yes,
        ("quit" | "q" | "exit", []) => Word::Quit,
        _ => Word::Act(action(first, rest, log)?),
    })
}

fn action(first: &str, rest: &[&str], log: &Log) -> Result<Action, String> {
    let word = first.to_ascii_lowercase();
    let mut rest = Rest(rest);
    let action = match word.as_str() {
        "u" | "undo" => undo(&mut rest, log)?,
        "correct" | "c" => correct(&mut rest, log)?,
        "m" | "miss" => Action::EndInning { side: rest.side_or(log)? },
        "foul" | "f" => {
            let side = rest.side_or(log)?;
            let points = rest.number()?.unwrap_or(0);
            Action::Foul { side, points, code: rest.code() }
        }
        "so" | "shootout" => {
            let side = match rest.side() {
                Some(side) => side,
                None => at_table(log)?,
            };
            let points = rest.number()?.ok_or("say how many points: `so 3`, or `so a 3`")?;
            Action::Shootout { side, points }
        }
        "turn" => Action::Turn { side: rest.side_named("turn")? },
        "begin" => Action::BeginUnit { breaks: rest.side_named("begin")? },
        "unit" => Action::EndUnit { winner: rest.side(), code: rest.code() },
        "rerack" => Action::Rerack {},
        "pause" => Action::Pause { code: rest.code() },
        "resume" => Action::Resume {},
        "timeout" | "time-out" => Action::TimeOut { side: rest.side_named("timeout")? },
        "clock" => clock(&mut rest)?,
        "end" => end(&mut rest, log)?,
        _ => {
            let side = side(&word);
            let points = if side.is_some() { rest.take() } else { Some(first) };
            let points = points.and_then(|text| text.parse().ok());
            let points =
                points.ok_or_else(|| format!("`{first}` is no line that there is: `help` shows them"))?;
            let side = side.map_or_else(|| at_table(log), Ok)?;
            Action::Points { side, points, code: rest.code() }
        }
    };
    match rest.0 {
        [] => Ok(action),
        [more, ..] => Err(format!("`{more}` is too much here: `help` shows what there is")),
    }
}

fn undo(rest: &mut Rest<'_>, log: &Log) -> Result<Action, String> {
    let Position { epoch, seq } = match rest.take() {
        Some(text) => position(text, log)?,
        None => log.undoable().ok_or("there is nothing to undo")?.0,
    };
    Ok(Action::Undo { epoch: Some(epoch), seq })
}

fn correct(rest: &mut Rest<'_>, log: &Log) -> Result<Action, String> {
    let usage = "say which event and what it should have been: `correct 17 2`; `log` shows the numbers";
    let Position { epoch, seq } = position(rest.take().ok_or(usage)?, log)?;
    let (first, line) = rest.0.split_first().ok_or(usage)?;
    rest.0 = &[];
    // Who it was of is the event's own, not who is at the table now.
    let was = log.events().iter().find(|(at, _)| *at == Position { epoch, seq });
    let was = was.and_then(|(_, event)| whose(&event.action));
    let with_side: Vec<_> = match (first.parse::<i32>(), was) {
        (Ok(_), Some(was)) => [if was == Side::First { "a" } else { "b" }, first]
            .into_iter()
            .chain(line.iter().copied())
            .collect(),
        _ => [*first].into_iter().chain(line.iter().copied()).collect(),
    };
    let (first, line) = with_side.split_first().ok_or(usage)?;
    let action = Box::new(action(first, line, log)?);
    Ok(Action::Correct { epoch: Some(epoch), seq, action })
}

fn whose(action: &Action) -> Option<Side> {
    match action {
        Action::Points { side, .. } | Action::EndInning { side } | Action::Foul { side, .. } => Some(*side),
        Action::Correct { action, .. } => whose(action),
        _ => None,
    }
}

fn clock(rest: &mut Rest<'_>) -> Result<Action, String> {
    let order = match rest.take() {
        Some("start") | None => ClockOrder::Start,
        Some("stop") => ClockOrder::Stop,
        Some("resume") => ClockOrder::Resume,
        Some("extend") => ClockOrder::Extend,
        Some(other) => return Err(format!("the clock knows start, stop, resume and extend, not `{other}`")),
    };
    Ok(Action::ShotClock { order, side: rest.side() })
}

fn end(rest: &mut Rest<'_>, log: &Log) -> Result<Action, String> {
    let winner = match (rest.side(), rest.0.first()) {
        (Some(side), _) => Some(side),
        (None, Some(&"none")) => {
            rest.take();
            None
        }
        (None, _) => {
            let state = log.state().filter(|state| state.phase == Phase::Finished);
            let state = state.ok_or("the match is not decided: say `end a`, `end b` or `end none`")?;
            state.winner
        }
    };
    Ok(Action::End { winner, code: rest.code() })
}

/// `1/17`, or the number alone for the newest epoch.
fn position(text: &str, log: &Log) -> Result<Position, String> {
    let bad = || format!("`{text}` is no event's number: `log` shows them");
    let number = |text: &str| text.parse().map_err(|_| bad());
    match text.split_once('/') {
        Some((epoch, seq)) => Ok(Position { epoch: number(epoch)?, seq: number(seq)? }),
        None => Ok(Position { epoch: log.last().map_or(1, |last| last.epoch), seq: number(text)? }),
    }
}

fn at_table(log: &Log) -> Result<Side, String> {
    let side = log.state().and_then(|state| state.at_table);
    side.ok_or_else(|| "nobody is at the table: say whose it is, `a 3` or `b 3`".into())
}

/// A side as it is typed.
pub fn side(word: &str) -> Option<Side> {
    match word.to_ascii_lowercase().as_str() {
        "a" => Some(Side::First),
        "b" => Some(Side::Second),
        _ => None,
    }
}

/// The words that are left of a line.
struct Rest<'a>(&'a [&'a str]);

impl<'a> Rest<'a> {
    fn take(&mut self) -> Option<&'a str> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn side(&mut self) -> Option<Side> {
        let side = side(self.0.first()?)?;
        self.take();
        Some(side)
    }

    fn side_or(&mut self, log: &Log) -> Result<Side, String> {
        self.side().map_or_else(|| at_table(log), Ok)
    }

    fn side_named(&mut self, word: &str) -> Result<Side, String> {
        self.side().ok_or_else(|| format!("say which side: `{word} a` or `{word} b`"))
    }

    fn number(&mut self) -> Result<Option<u32>, String> {
        let Some(text) = self.0.first() else { return Ok(None) };
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return Ok(None);
        }
        let number = text.parse().map_err(|_| format!("`{text}` is no number of points"))?;
        self.take();
        Ok(Some(number))
    }

    fn code(&mut self) -> Option<String> {
        self.take().map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use railbird_core::score::{Discipline, Event, Player, Start};
    use railbird_core::time::UtcMs;

    use super::*;

    fn play(lines: &[&str]) -> Log {
        let player = |name: &str| Player { name: name.into(), country: None };
        let sides = [player("Nelin"), player("Cho")];
        let start = Start::new("Final".into(), Discipline::ThreeCushion, sides, Side::First);
        let event = |action| Event { occurred: UtcMs(1), entered: None, scorer: None, action, state: None };
        let (mut log, _) = Log::new().entered(1, event(Action::Start(start))).unwrap();
        for line in lines {
            let Word::Act(action) = read(line, &log).unwrap() else { panic!("{line}") };
            log = log.entered(1, event(action)).unwrap().0;
        }
        log
    }

    fn points(log: &Log) -> [i32; 2] {
        log.state().unwrap().sides.map(|side| side.points)
    }

    #[test]
    fn lines_are_of_the_side_at_the_table() {
        assert_eq!(points(&play(&["3", "m", "2", "m", "a 1"])), [4, 2]);
        assert_eq!(points(&play(&["3", "-1", "MISS", "1 run"])), [2, 1]);
    }

    #[test]
    fn an_undo_names_the_newest_that_stands_or_what_it_is_told() {
        assert_eq!(points(&play(&["3", "m", "u", "u", "1"])), [1, 0]);
        assert_eq!(points(&play(&["3", "m", "2", "undo 1/4"])), [3, 0]);
    }

    #[test]
    fn a_correction_is_of_the_side_that_the_event_was_of() {
        assert_eq!(points(&play(&["3", "m", "2", "correct 2 5"])), [5, 2]);
        assert_eq!(points(&play(&["3", "m", "2", "correct 1/4 b 1"])), [3, 1]);
    }

    #[test]
    fn what_is_no_line_says_what_to_type() {
        let log = play(&[]);
        for (line, said) in [
            ("hello", "`help` shows"),
            ("m a b", "too much"),
            ("turn", "which side"),
            ("so", "how many points"),
            ("end", "not decided"),
            ("undo x", "`log` shows"),
            ("correct 2", "what it should have been"),
            ("clock faster", "not `faster`"),
            ("99999999999", "`help` shows"),
        ] {
            let why = read(line, &log).unwrap_err();
            assert!(why.contains(said), "{line}: {why}");
        }
        assert!(read("3", &Log::new()).unwrap_err().contains("nobody is at the table"));
    }
}
