//! Where a match stands, in words.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write};

use serde::Deserialize;

use super::document::Document;
use super::model::{Phase, State};
use super::rules::Unit;

type Word = Cow<'static, str>;

/// The words, each as it stands before a number or alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// Of an inning: `Inning 12`.
    pub inning: Word,
    /// Of a set: `Set 2`.
    pub set: Word,
    /// Of a rack.
    pub rack: Word,
    /// Of a frame.
    pub frame: Word,
    /// A set, rack or frame is over: `Set 2 · over`.
    pub over: Word,
    /// The extension.
    pub extension: Word,
    /// The shootout.
    pub shootout: Word,
    /// The match is over.
    pub done: Word,
    /// Of the points to reach: `to 50`.
    pub to: Word,
}

impl Default for Words {
    fn default() -> Words {
        Words::ENGLISH
    }
}

impl Words {
    /// In English.
    pub const ENGLISH: Words = Words {
        inning: Cow::Borrowed("Inning"),
        set: Cow::Borrowed("Set"),
        rack: Cow::Borrowed("Rack"),
        frame: Cow::Borrowed("Frame"),
        over: Cow::Borrowed("over"),
        extension: Cow::Borrowed("Extension"),
        shootout: Cow::Borrowed("Shootout"),
        done: Cow::Borrowed("Final"),
        to: Cow::Borrowed("to"),
    };

    /// Which set and inning it is; empty where neither counts.
    pub fn place(&self, document: &Document, state: &State) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = self.write_place(&mut text, document, state);
        text
    }

    pub(super) fn write_place(&self, text: &mut String, document: &Document, state: &State) -> fmt::Result {
        let unit = match document.unit {
            Unit::Match => None,
            Unit::Set => Some(&self.set),
            Unit::Rack => Some(&self.rack),
            Unit::Frame => Some(&self.frame),
        };
        let phase = match state.phase {
            Phase::Playing => None,
            Phase::Between => Some(&self.over),
            Phase::Extension => Some(&self.extension),
            Phase::Shootout => Some(&self.shootout),
            Phase::Finished => Some(&self.done),
        };
        let mut between = "";
        if let Some((unit, number)) = unit.zip(state.unit) {
            write!(text, "{unit} {number}")?;
            between = " · ";
        }
        match phase {
            Some(phase) => write!(text, "{between}{phase}"),
            None if state.inning > 0 => write!(text, "{between}{} {}", self.inning, state.inning),
            None => Ok(()),
        }
    }
}
