//! What a board says at a moment of media time.

use railbird_core::score::{Ball, Document, Phase, Side, Unit, Words};
use railbird_core::time::MediaTime;

/// So many seconds before its end the shot clock warns.
const CLOCK_LOW_S: u64 = 10;

/// What a board says. Two that are equal look the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(super) title: String,
    /// Set and inning, or why nobody plays.
    pub(super) place: String,
    /// The points to reach.
    pub(super) target: Option<String>,
    pub(in crate::burn) clock: Option<Clock>,
    pub(in crate::burn) rows: [Row; 2],
}

/// What is left of the shot clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::burn) struct Clock {
    pub(in crate::burn) seconds: u64,
    pub(in crate::burn) low: bool,
}

/// A side's row. What is `None` is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::burn) struct Row {
    pub(super) at_table: bool,
    pub(super) winner: bool,
    pub(super) ball: Option<Ball>,
    pub(super) country: Option<String>,
    pub(super) name: String,
    pub(super) won: Option<String>,
    pub(super) average: Option<String>,
    pub(super) high_run: Option<String>,
    pub(super) run: Option<String>,
    pub(in crate::burn) points: Option<String>,
    pub(super) shootout: Option<String>,
}

impl View {
    /// The score that is shown at `at`; `None` where the match has not begun.
    pub(crate) fn of(document: &Document, at: MediaTime, words: &Words) -> Option<View> {
        let entry = document.at(at)?;
        let state = &entry.state;
        let finished = state.phase == Phase::Finished;
        let playing = matches!(state.phase, Phase::Playing | Phase::Extension);
        let counted = state.inning > 0 || state.sides.iter().any(|side| side.innings > 0);
        let row = |side: Side| {
            let (figures, player) = (side.of(&state.sides), side.of(&document.sides));
            let at_table = !finished && state.at_table == Some(side);
            // Racks may be all that is counted.
            let points = figures.won.is_none() || figures.points != 0 || counted || document.target.is_some();
            Row {
                at_table,
                winner: finished && state.winner == Some(side),
                ball: figures.ball,
                country: player.country.clone(),
                name: player.name.clone(),
                won: figures.won.filter(|_| document.unit != Unit::Match).map(|won| won.to_string()),
                average: (counted && document.average).then(|| thousandths(figures.average_milli)),
                high_run: counted.then(|| figures.high_run.to_string()),
                run: (at_table && playing && figures.run > 0).then(|| format!("+{}", figures.run)),
                points: points.then(|| {
                    (i64::from(figures.points) + i64::from(figures.extension.unwrap_or(0))).to_string()
                }),
                shootout: figures.shootout.map(|points| points.to_string()),
            }
        };
        let after_ms = at.utc().ms_since(entry.at.utc());
        let clock = state.shot_clock.filter(|_| !finished).map(|clock| {
            let left_ms = clock.remaining_ms.saturating_sub(if clock.running { after_ms } else { 0 });
            let seconds = left_ms.div_ceil(1000);
            Clock { seconds, low: clock.running && seconds <= CLOCK_LOW_S }
        });
        let target = document.target.map(|target| match target.common() {
            Some(points) => format!("{} {points}", words.to),
            None => {
                format!("{} {}", words.to, Side::BOTH.map(|side| target.of(side).to_string()).join(" / "))
            }
        });
        Some(View {
            title: document.title.clone(),
            place: words.place(document, state),
            target,
            clock,
            rows: Side::BOTH.map(row),
        })
    }
}

/// A number of thousandths as result lists have it: `1.666`.
fn thousandths(milli: i32) -> String {
    let (sign, milli) = (if milli < 0 { "-" } else { "" }, milli.unsigned_abs());
    format!("{sign}{}.{:03}", milli / 1000, milli % 1000)
}
