//! The score: events, the reducer, the log's rules, and what viewers are shown when.
//!
//! A scorer numbers its events `epoch/seq`. `seq` starts at 1 and goes up by one within an epoch; an epoch is one
//! scorer's turn at the job: whoever takes over begins a higher epoch, again at `seq` 1, and goes on with the same
//! match. The log only grows: an undo is an event that names the event it takes back, a correction one that says what
//! should have been sent in its place. Both give the score as if it had been right from the start.
//!
//! | room | decides |
//! | --- | --- |
//! | `model` | which events there are, their JSON, their bounds |
//! | `rules` | which rules there are, and which a discipline begins with |
//! | `reducer` | what an event does to a match, by its rules |
//! | `clock` | what a shot clock shows |
//! | `log` | whether an event is taken, and what undos and corrections make of it |
//! | `offsets` | where an event's time lies on media time |
//! | `next` | what a scorer's next event is, and where events go that have lost their place |
//! | `document` | which score is shown from which media time on |
//! | `foreign` | what another system's state says, and which events lead to it |
//! | `table` | a match as a CSV or JSON file |
//! | `sheet` | which turns there were, and what is worth seeing again |
//! | `id3` | the score as a tag inside of segments |
//! | `ranges` | what playlists say of a match |
//! | `vtt` | what subtitles say of it |
//!
//! ```
//! use railbird_core::score::{Event, Log, Offer, Position};
//! use railbird_core::time::UtcMs;
//!
//! let mut log = Log::new();
//! let start = br#"{"occurred":1795171920000,"action":{"type":"start","title":"World Cup final",
//!     "discipline":"three-cushion","target":40,"equalising_inning":true,"breaks":0,
//!     "sides":[{"name":"Nelin","country":"SE"},{"name":"Cho","country":"KR"}]}}"#;
//! let event = Event::from_json(start).unwrap();
//! let now = UtcMs(1795171920500);
//! assert_eq!(log.offer(Position { epoch: 1, seq: 1 }, event, Some(now)), Offer::Accept);
//! assert_eq!(log.state().unwrap().inning, 1);
//! ```

mod clock;
mod document;
pub mod foreign;
mod id3;
mod log;
mod model;
mod next;
mod offsets;
mod ranges;
mod reducer;
mod rules;
mod sheet;
pub mod table;
mod vtt;
mod words;

#[cfg(test)]
mod tests;

pub use document::{Document, DocumentError, ENTRIES_MAX, Entry, PastUnit, WHOLE_ENTRIES_MAX};
pub use id3::{DESCRIPTION, TAG_LEN_MAX};
pub use log::{EVENTS_MAX, Log, Misfit, Offer, POSITION_MAX, Position};
pub use model::{
    Action, BODY_LEN_MAX, Ball, CODE_LEN_MAX, Claim, ClaimSide, ClockOrder, Event, EventError, FIGURES_MAX,
    Figure, NAME_CHARS_MAX, OCCURRED_AHEAD_MS_MAX, POINTS_MAX, Pause, PerSide, Phase, Player, ShotClock,
    Side, SideState, Start, State, TARGET_MAX, UnitResult, is_code,
};
pub use next::{Item, Requeued};
pub use offsets::{DELAYS_MAX, Offsets};
pub use ranges::{Class, Range};
pub use reducer::{Invalid, TimingError, UnitError};
pub use rules::{
    Begins, Discipline, FoulPoints, Length, Level, Overrides, Per, Rules, ShotClockRules, SwapBalls, Tie,
    TimeOutRules, Turns, UNITS_MAX, Unit,
};
pub use sheet::{HIGHLIGHTS_MAX, Highlight, Kind, TURNS_MAX, Turn};
pub use vtt::{CUES_MAX, cues};
pub use words::Words;
