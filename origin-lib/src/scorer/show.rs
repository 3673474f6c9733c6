//! The score, as a line of a terminal.

use railbird_core::score::{Action, Log, Phase, Side};

/// How many events `log` shows.
const HISTORY_MAX: usize = 20;

/// The score: `Nelin 12* (3) - 9 Cho, inning 8`; the star is at the table, its run behind it.
pub fn score(log: &Log) -> String {
    let (Some(state), Some(start)) = (log.state(), log.start()) else { return "no match has begun".into() };
    let of = |side: Side| {
        let figures = side.of(&state.sides);
        let won = figures.won.map_or_else(String::new, |won| format!("[{won}] "));
        let star = if state.at_table == Some(side) { "*" } else { "" };
        let run =
            if figures.run > 0 && !star.is_empty() { format!(" ({})", figures.run) } else { String::new() };
        format!("{won}{}{star}{run}", figures.points)
    };
    let [first, second] = &start.sides;
    let mut line = format!("{} {} - {} {}", first.name, of(Side::First), of(Side::Second), second.name);
    if state.inning > 0 {
        line += &format!(", inning {}", state.inning);
    }
    if let Some(unit) = state.unit {
        line += &format!(", no. {unit}");
    }
    match state.phase {
        Phase::Playing => {}
        Phase::Between => line += ", between",
        Phase::Extension => line += ", extension",
        Phase::Shootout => line += ", shootout",
        Phase::Finished => {
            let winner = state.winner.map(|side| side.of(&start.sides).name.as_str());
            line += &winner.map_or_else(|| ", finished".into(), |name| format!(", {name} has won"));
        }
    }
    if state.paused.is_some() {
        line += ", paused";
    }
    if let Some(clock) = &state.shot_clock {
        let way = if clock.running { "runs" } else { "stands" };
        line += &format!(", clock {way} at {} s", clock.remaining_ms.div_ceil(1000));
    }
    line
}

/// The newest events, the newest last.
pub fn history(log: &Log) -> Vec<String> {
    let standing = log.standing();
    let from = log.events().len().saturating_sub(HISTORY_MAX);
    let events = log.events().iter().zip(standing).skip(from);
    events
        .map(|((at, event), stands)| match stands {
            None => format!("{at} {} (undone)", action(&event.action)),
            Some(stands) if *stands == event.action => format!("{at} {}", action(stands)),
            Some(stands) => format!("{at} {}, not {}", action(stands), action(&event.action)),
        })
        .collect()
}

/// What happened, in the words of the feed.
pub fn action(action: &Action) -> String {
    let side = |side: &Side| if *side == Side::First { "a" } else { "b" };
    match action {
        Action::Start(start) => format!("start of {}", start.title),
        Action::Points { side: of, points, .. } => format!("points {} {points}", side(of)),
        Action::EndInning { side: of } => format!("miss {}", side(of)),
        Action::Foul { side: of, points, .. } => format!("foul {} {points}", side(of)),
        Action::Shootout { side: of, points } => format!("shootout {} {points}", side(of)),
        Action::Undo { epoch, seq } => match epoch {
            Some(epoch) => format!("undo {epoch}/{seq}"),
            None => format!("undo {seq}"),
        },
        Action::Correct { seq, action: becomes, .. } => format!("correct {seq}: {}", self::action(becomes)),
        other => serde_json::to_value(other)
            .ok()
            .and_then(|value| Some(value.get("type")?.as_str()?.replace('_', " ")))
            .unwrap_or_default(),
    }
}
