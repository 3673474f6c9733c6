//! What the page shows.

use railbird_core::score::{Action, Discipline, Log, Rules};
use serde_json::{Value, json};

/// How many events the history has, from the newest on.
const HISTORY_MAX: usize = 60;

/// A log as the page shows it.
pub(crate) fn of(log: &Log) -> Value {
    let standing = log.standing();
    let undo = log.undoable();
    let undo = undo.map(|(at, action)| json!({ "epoch": at.epoch, "seq": at.seq, "action": action }));
    let history = log.events().iter().zip(&standing).rev().take(HISTORY_MAX).map(|((at, event), stands)| {
        let change = matches!(event.action, Action::Undo { .. } | Action::Correct { .. });
        json!({
            "epoch": at.epoch,
            "seq": at.seq,
            "occurred": event.occurred,
            "action": stands.unwrap_or(&event.action),
            "stands": stands.is_some(),
            "correctable": stands.is_some() && !change,
        })
    });
    json!({
        "last": log.last(),
        "start": log.start(),
        "rules": log.rules().map(rules),
        "state": log.state(),
        "undo": undo,
        "history": history.collect::<Vec<_>>(),
    })
}

/// A discipline and what it begins with.
pub(crate) fn discipline(discipline: Discipline) -> Value {
    json!({ "id": discipline, "rules": rules(&discipline.rules()) })
}

/// What the page asks of rules: which buttons there are, and what a form begins with.
fn rules(rules: &Rules) -> Value {
    json!({
        "unit": rules.unit,
        "length": rules.length,
        "points": rules.points,
        "target": rules.target,
        "last_target": rules.last_target,
        "innings_max": rules.innings_max,
        "begins": rules.begins,
        "level": rules.level,
        "turns": rules.turns,
        "equalising_inning": rules.equalising_inning,
        "tie": rules.tie,
        "head_start": rules.head_start,
        "foul": rules.foul,
        "rack_balls": rules.rack_balls,
        "average": rules.average,
        "swap_balls": rules.swap_balls,
        "break_at_half": rules.break_at_half,
        "shot_clock": rules.shot_clock,
        "time_outs": rules.time_outs,
    })
}
