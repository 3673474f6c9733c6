//! `railbird clip`: a cut of a recording, between two times, between two events of the score, or an inning.
//!
//! It is cut at segments' boundaries ([`crate::export`]), so that no picture is encoded again, unless it is to be exact to
//! the frame or to have the score in its picture.

pub mod command;
mod encode;
#[cfg(test)]
mod tests;

use std::path::Path;

use railbird_core::id::{ChannelId, MatchId, RecordingId};
use railbird_core::score::{Document, Offsets, Phase};
use railbird_core::time::{MediaSpan, MediaTime};

use crate::export;
use crate::journal::{self, Journal};
use crate::score::{self, ReadError};

/// A stretch of media time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub from: MediaTime,
    /// Its end; none where it goes on.
    pub to: Option<MediaTime>,
}

/// A part of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From one event to another, by their places in the log.
    Events {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Both sides' turns of an inning.
    Inning {
        /// Its number.
        number: u32,
        /// Its set, rack or frame; needed where several have such an inning.
        unit: Option<u32>,
    },
}

/// A match has no such part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// No such event.
    #[error("the match has no event {seq} that counts: name one of {first} to {last} that was not undone")]
    Event {
        /// Which.
        seq: u64,
        /// The first event.
        first: u64,
        /// The last one.
        last: u64,
    },
    /// The first event is not before the last one.
    #[error("--from-event ({from}) must not be after --to-event ({to})")]
    Backwards {
        /// The first event.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// No such inning.
    #[error("the match has no inning {0}{unit}", unit = .1.map(|unit| format!(" in set, rack or frame {unit}")).unwrap_or_default())]
    Inning(u32, Option<u32>),
    /// Several sets have such an inning.
    #[error("several sets, racks or frames have an inning {0}: choose one with --unit")]
    Unit(u32),
}

/// No match can be looked at.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// Its log can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is none, or nobody started it.
    #[error("{channel}: there is no match {match_id} that was started")]
    Unknown {
        /// The channel.
        channel: ChannelId,
        /// The match.
        match_id: MatchId,
    },
    /// It has no such part.
    #[error("match {match_id}: {error}")]
    Part {
        /// The match.
        match_id: MatchId,
        /// Why.
        error: PartError,
    },
}

/// No recording can be cut.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The directory can't be read.
    #[error("{channel}: recordings can't be listed: {error}")]
    List {
        /// The channel.
        channel: ChannelId,
        /// Why.
        error: std::io::Error,
    },
    /// A journal can't be read.
    #[error(transparent)]
    Journal(#[from] journal::ReadError),
    /// Nothing lies there.
    #[error("{channel}: nothing of {which} lies {span}", which = Self::which(recording))]
    Nothing {
        /// The channel.
        channel: ChannelId,
        /// The one that was asked for; none: any.
        recording: Option<RecordingId>,
        /// Where.
        span: Span,
    },
}

/// A clip would end early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AheadError {
    /// Its end is not recorded yet.
    #[error(
        "{recording} is still being made and has come to {come}: cut again when it has come to {to}, or less of it (--to, --lead-out)",
        come = .come.iso8601(), to = .to.iso8601()
    )]
    Recording {
        /// The recording.
        recording: RecordingId,
        /// Where its last segment ends.
        come: MediaTime,
        /// Where the clip does.
        to: MediaTime,
    },
    /// Nobody knows its end yet.
    #[error(
        "this is still being played: cut again when it is over, or up to an event (--from-event, --to-event)"
    )]
    Played,
}

impl RecordingError {
    fn which(recording: &Option<RecordingId>) -> String {
        recording.as_ref().map_or("its recordings on this disk".into(), |of| format!("recording {of}"))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.to {
            Some(to) => write!(f, "between {} and {}", self.from.iso8601(), to.iso8601()),
            None => write!(f, "after {}", self.from.iso8601()),
        }
    }
}

impl Span {
    /// With something before it and behind it.
    pub fn widened(self, lead_in: MediaSpan, lead_out: MediaSpan) -> Span {
        let before = MediaSpan::from_ms(lead_in.ms().saturating_neg());
        Span { from: self.from + before, to: self.to.map(|to| to + lead_out) }
    }
}

impl Part {
    /// Where it lies, by the times of a match's document.
    pub fn span(&self, document: &Document) -> Result<Span, PartError> {
        match *self {
            Part::Events { from, to } if from > to => Err(PartError::Backwards { from, to }),
            Part::Events { from, to } => {
                Ok(Span { from: event(document, from)?, to: Some(event(document, to)?) })
            }
            Part::Inning { number, unit } => inning(document, number, unit),
        }
    }
}

fn event(document: &Document, seq: u64) -> Result<MediaTime, PartError> {
    let entries = &document.entries;
    let [first, last] = [entries.first(), entries.last()].map(|entry| entry.map_or(0, |entry| entry.seq));
    let found = entries.iter().find(|entry| entry.seq == seq);
    found.map(|entry| entry.at).ok_or(PartError::Event { seq, first, last })
}

fn inning(document: &Document, number: u32, unit: Option<u32>) -> Result<Span, PartError> {
    let mut turns = document.turns.iter().filter(|turn| {
        turn.phase == Phase::Playing && turn.inning == number && (unit.is_none() || turn.unit == unit)
    });
    let first = turns.next().ok_or(PartError::Inning(number, unit))?;
    let mut span = Span { from: first.at, to: first.end };
    for turn in turns {
        if turn.unit != first.unit {
            return Err(PartError::Unit(number));
        }
        span.to = span.to.zip(turn.end).map(|(to, end)| to.max(end));
    }
    Ok(span)
}

/// Where a part of a match lies, by its log below `dir` (`data_dir/score`), which an origin may be writing.
pub fn of_match(
    dir: &Path,
    channel: &ChannelId,
    match_id: &MatchId,
    offsets: Offsets,
    part: Part,
) -> Result<Span, MatchError> {
    let document = score::on_disk(dir, channel, match_id, offsets)?;
    let unknown = || MatchError::Unknown { channel: channel.clone(), match_id: match_id.clone() };
    let span = part.span(&document.ok_or_else(unknown)?);
    span.map_err(|error| MatchError::Part { match_id: match_id.clone(), error })
}

/// Whether all of a clip is there: of a recording that has ended, whatever there is of it.
pub fn is_recorded(journal: &Journal, recording: &RecordingId, span: Span) -> Result<(), AheadError> {
    if journal.reel.ended().is_some() {
        return Ok(());
    }
    let to = span.to.ok_or(AheadError::Played)?;
    let come = journal.reel.end().unwrap_or_default();
    if to <= come { Ok(()) } else { Err(AheadError::Recording { recording: recording.clone(), come, to }) }
}

/// The recording of which something lies in `span`: the one that is named, or the newest one.
pub fn recording(
    data_dir: &Path,
    channel: &ChannelId,
    named: Option<&RecordingId>,
    span: Span,
) -> Result<(RecordingId, Journal), RecordingError> {
    let candidates = match named {
        Some(named) => vec![named.clone()],
        None => journal::recordings(data_dir, channel)
            .map_err(|error| RecordingError::List { channel: channel.clone(), error })?,
    };
    for recording in candidates.into_iter().rev() {
        let journal = journal::read(&journal::path(data_dir, channel, &recording))?;
        if export::touching(&journal.reel, Some(span.from), span.to).next().is_some() {
            return Ok((recording, journal));
        }
    }
    Err(RecordingError::Nothing { channel: channel.clone(), recording: named.cloned(), span })
}
