//! The score burnt into the picture: for what is pushed to platforms that show nothing but a picture, and for clips.
//!
//! The media of channels is never touched. A push with `burn_in` gets its samples through a supervised ffmpeg, which lays a
//! board over each frame: the one that was so at the frame's media time, whenever it was drawn. `line` chooses, and
//! holds samples back for that until the score of their moment has come. Boards are drawn anew only when they say something
//! else.

mod board;
mod ffmpeg;
mod line;
mod live;
mod matroska;
mod past;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use railbird_core::score::Words;
use railbird_core::time::UtcMs;
use serde::Serialize;

use crate::telemetry;

pub use board::{Theme, ThemeError};
pub use live::Scores;
pub(crate) use live::{Burner, Sink};
pub(crate) use past::{Cut, cut};

/// From key frame to key frame, in seconds: what platforms ask for.
const KEY_EVERY_S: u32 = 2;

/// `[push.burn_in]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What boards look like.
    pub theme: Theme,
    /// For how long a frame waits for the score of its moment, in milliseconds.
    pub delay_ms: u32,
    /// Of the picture, in kilobits a second.
    pub bitrate_kbps: u32,
    /// One of x264's presets: how it trades time for quality.
    pub preset: &'static str,
    /// The program.
    pub ffmpeg: PathBuf,
}

/// How a burn-in is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// The channel has nothing to push.
    Idle,
    /// ffmpeg encodes.
    Running {
        /// Since when.
        since: UtcMs,
    },
    /// It does not; it is started again and again.
    Failing {
        /// Since when.
        since: UtcMs,
        /// Why.
        reason: String,
    },
}

/// The figures of all burn-ins.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    up: Family<Labels, Gauge>,
    starts: Family<Labels, Counter>,
    drawn: Family<Labels, Counter>,
    frames: Family<Labels, Counter>,
    early: Family<Labels, Counter>,
}

type Labels = Vec<(&'static str, String)>;

/// The figures of one burn-in.
#[derive(Clone, Debug)]
struct Figures {
    up: Gauge,
    starts: Counter,
    drawn: Counter,
    frames: Counter,
    early: Counter,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(metrics: &telemetry::Metrics) -> Metrics {
        let all = Metrics::default();
        metrics.register(|r| {
            r.register("burn_in_up", "1 while ffmpeg burns the score in", all.up.clone());
            r.register("burn_in_starts", "How often ffmpeg was started for it", all.starts.clone());
            r.register(
                "burn_in_boards",
                "Boards that were drawn, because they said something else",
                all.drawn.clone(),
            );
            r.register("burn_in_frames", "Pictures with the score that ffmpeg gave", all.frames.clone());
            let early = "Samples that could not wait for the score of their moment, because too much is held";
            r.register("burn_in_early", early, all.early.clone());
        });
        all
    }

    fn of(&self, labels: &Labels) -> Figures {
        Figures {
            up: self.up.get_or_create_owned(labels),
            starts: self.starts.get_or_create_owned(labels),
            drawn: self.drawn.get_or_create_owned(labels),
            frames: self.frames.get_or_create_owned(labels),
            early: self.early.get_or_create_owned(labels),
        }
    }
}

/// A board that draws only what is new.
struct Painter {
    board: board::Board,
    words: Words,
    shown: Option<Arc<board::View>>,
    pixels: Arc<Vec<u8>>,
}

impl Painter {
    fn new(theme: &Theme, picture: (u32, u32)) -> Painter {
        let board = board::Board::new(theme, picture);
        let pixels = Arc::new(board.pixels(None));
        Painter { board, words: theme.words().clone(), shown: None, pixels }
    }

    /// Whether its pixels say that.
    fn is_shown(&self, view: Option<&Arc<board::View>>) -> bool {
        self.shown.as_ref() == view
    }

    /// Draws what is to be said.
    fn shows(mut self, view: Option<Arc<board::View>>) -> Painter {
        if !self.is_shown(view.as_ref()) {
            self.pixels = Arc::new(self.board.pixels(view.as_deref()));
            self.shown = view;
        }
        self
    }

    /// The pixels of what was to be said last.
    fn pixels(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.pixels)
    }
}
