//! The rules of a match on the command line: what is not as the discipline has it.

use clap::Args;
use railbird_core::score::{
    Begins, Discipline, Figure, Length, Level, Overrides, Per, PerSide, ShotClockRules, Side, Start,
    SwapBalls, Tie, TimeOutRules, Unit,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::words;

/// Innings of an extension where nobody says.
const EXTENSION_INNINGS: u32 = 3;

/// The rules of a match, where they differ from the discipline's (infra/SCORE.md has those).
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Rules of the match (without one, as the discipline has it)")]
pub struct Terms {
    /// Points to reach, in each set where there are sets: `40`, or `40,30` with a handicap.
    #[arg(long, value_name = "POINTS", value_parser = per_side)]
    pub target: Option<PerSide>,
    /// Whether whoever did not begin has a last inning after the other reached the target.
    #[arg(long, value_name = "true|false")]
    pub equalising_inning: Option<bool>,
    /// At most so many sets, racks or frames: `5`. Makes sets of a game that is one match otherwise.
    #[arg(long, value_name = "N", conflicts_with = "race_to")]
    pub best_of: Option<u32>,
    /// Sets, racks or frames to win: `7`, or `7,5` with a handicap.
    #[arg(long, value_name = "N", value_parser = per_side)]
    pub race_to: Option<PerSide>,
    /// Points to reach in the set that decides.
    #[arg(long, value_name = "POINTS")]
    pub last_target: Option<u32>,
    /// Who begins the next set, rack or frame: alternate, winner, loser, called.
    #[arg(long, value_name = "WHO", value_parser = word::<Begins>)]
    pub begins: Option<Begins>,
    /// Both have won as many of all of them: draw, extra-unit.
    #[arg(long, value_name = "WHAT", value_parser = word::<Level>)]
    pub level: Option<Level>,
    /// After so many innings of both, whoever leads has won.
    #[arg(long, value_name = "N")]
    pub innings_max: Option<u32>,
    /// Both are level at the end: shootout, draw, play-on, extension, or extension:5 for so many innings.
    #[arg(long, value_name = "WHAT", value_parser = tie)]
    pub tie: Option<Tie>,
    /// Points with which the sides begin: `0,20`.
    #[arg(long, value_name = "A,B", value_parser = head_start, allow_hyphen_values = true)]
    pub head_start: Option<[i32; 2]>,
    /// Who has the white ball at first: a or b. Without it, no ball is shown.
    #[arg(long, value_name = "SIDE", value_parser = side)]
    pub white: Option<Side>,
    /// When the sides change balls: never, half, unit.
    #[arg(long, value_name = "WHEN", value_parser = word::<SwapBalls>)]
    pub swap_balls: Option<SwapBalls>,
    /// There is a break once a side has passed half of its target.
    #[arg(long)]
    pub break_at_half: bool,
    /// Seconds for a shot.
    #[arg(long, value_name = "SECONDS")]
    pub shot_clock: Option<u32>,
    /// Extensions of the shot clock that each side has.
    #[arg(long, value_name = "N", requires = "shot_clock")]
    pub extensions: Option<u32>,
    /// What one extension adds [default: as long as a shot].
    #[arg(long, value_name = "SECONDS", requires = "extensions")]
    pub extension_seconds: Option<u32>,
    /// Time-outs that each side has.
    #[arg(long, value_name = "N")]
    pub time_outs: Option<u32>,
    /// How long one is.
    #[arg(long, value_name = "SECONDS", requires = "time_outs", default_value_t = 120)]
    pub time_out_seconds: u32,
    /// Which form of the game, for viewers: `47/2` of balkline.
    #[arg(long, value_name = "TEXT")]
    pub variant: Option<String>,
    /// A figure of artistique, once for each: `--figure A01:4 --figure B07:8`.
    #[arg(long, value_name = "CODE:POINTS", value_parser = figure)]
    pub figure: Vec<Figure>,
}

impl Terms {
    /// A match by these rules.
    pub fn of(&self, start: Start) -> Start {
        let rules = start.discipline.rules();
        let length = self.best_of.map(Length::BestOf).or(self.race_to.map(Length::RaceTo));
        let unit = length.filter(|_| rules.unit == Unit::Match).map(|_| Unit::Set);
        let per = if unit.unwrap_or(rules.unit) == Unit::Match { Per::Match } else { Per::Unit };
        let own = Overrides {
            unit,
            length,
            begins: self.begins,
            level: self.level,
            last_target: self.last_target,
            innings_max: self.innings_max,
            tie: self.tie,
            head_start: self.head_start,
            swap_balls: self.swap_balls,
            break_at_half: self.break_at_half.then_some(true),
            shot_clock: self.shot_clock.map(|seconds| ShotClockRules {
                seconds,
                extensions: self.extensions.unwrap_or(0),
                extension_seconds: self.extension_seconds.unwrap_or(seconds),
                per,
            }),
            time_outs: self.time_outs.map(|count| TimeOutRules {
                count,
                seconds: self.time_out_seconds,
                per,
            }),
            ..Overrides::default()
        };
        Start {
            target: self.target,
            equalising_inning: self.equalising_inning,
            white: self.white,
            variant: self.variant.clone(),
            figures: self.figure.clone(),
            rules: (own != Overrides::default()).then(|| Box::new(own)),
            ..start
        }
    }
}

/// A word of the feed, with hyphens as the command line has them.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(text.replace('-', "_"))).map_err(|error| error.to_string())
}

/// The game of this name.
pub(super) fn discipline(text: &str) -> Result<Discipline, String> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|error| error.to_string())
}

/// A side of the match.
pub(super) fn side(text: &str) -> Result<Side, String> {
    words::side(text).ok_or_else(|| "a side is a or b".into())
}

/// `40`, or `40,30`.
pub(super) fn per_side(text: &str) -> Result<PerSide, String> {
    let number =
        |text: &str| text.trim().parse().map_err(|_| "a number, or one for each side: 40,30".to_owned());
    Ok(match text.split_once(',') {
        None => PerSide::Both(number(text)?),
        Some((first, second)) => PerSide::Each([number(first)?, number(second)?]),
    })
}

fn head_start(text: &str) -> Result<[i32; 2], String> {
    let pair = text.split_once(',').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
    pair.ok_or_else(|| "a number for each side: 0,20".into())
}

fn tie(text: &str) -> Result<Tie, String> {
    match text.split_once(':').unwrap_or((text, "")) {
        ("extension", "") => Ok(Tie::Extension { innings: EXTENSION_INNINGS }),
        ("extension", innings) => match innings.parse() {
            Ok(innings) => Ok(Tie::Extension { innings }),
            Err(_) => Err("extension:5 is one of five innings".into()),
        },
        _ => word(text),
    }
}

fn figure(text: &str) -> Result<Figure, String> {
    let figure = text.split_once(':').and_then(|(code, points)| {
        Some(Figure { code: code.trim().to_owned(), points: points.trim().parse().ok()? })
    });
    figure.ok_or_else(|| "a code and its points: B07:8".into())
}
