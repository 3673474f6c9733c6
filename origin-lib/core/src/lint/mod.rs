//! A linter of playlists: RFC 8216bis rule by rule, for one playlist, for two loads of it, and for the playlists of a
//! presentation.
//!
//! It shares no code with [`crate::playlist`], which writes playlists: what it reads are texts, of ours or of anybody.
//! Section numbers are those of draft-pantos-hls-rfc8216bis-22.
//!
//! | room | decides |
//! | --- | --- |
//! | [`rules`] | every rule, as data |
//! | `grammar`, `attributes`, `lines`, `variables` | what a tag may say |
//! | [`media`], `check` | a media playlist, and what has to hold in it |
//! | [`multivariant`] | a multivariant playlist, and what has to hold in it |
//! | [`transition`], [`delta`] | two loads of a media playlist |
//! | [`follow`] | loads one after the other, delta updates among them |
//! | [`presentation`] | the playlists of a presentation |
//! | [`bytes`], `formats` | segments and their init segments, beside what is said of them |
//! | [`ours`] | where our own playlists do otherwise |

mod attributes;
pub mod bytes;
mod check;
pub mod delta;
pub mod follow;
mod formats;
mod grammar;
mod lines;
pub mod media;
pub mod multivariant;
pub mod ours;
pub mod presentation;
mod rule;
pub mod rules;
pub mod transition;
mod variables;

use alloc::string::String;
use alloc::vec::Vec;

pub use self::attributes::Nanos;
pub use self::follow::Follower;
pub use self::lines::LEN_MAX;
pub use self::media::Media;
pub use self::multivariant::Multivariant;
use self::rule::Findings;
pub use self::rule::{FINDINGS_MAX, Finding, Rule, Severity};
pub use self::variables::Variables;

/// Where a playlist is from, as far as its meaning depends on that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// The query of its URI, without the question mark.
    pub query: &'a str,
    /// What its multivariant playlist defines; `None` where that is not known.
    pub imports: Option<&'a Variables>,
}

impl Place<'_> {
    /// The value of a query parameter, percent-decoded. `None` where there is no such parameter, or it has no value.
    fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next()?;
        let mut bytes = Vec::with_capacity(value.len());
        let mut rest = value.as_bytes();
        while let [first, behind @ ..] = rest {
            let digit = |at: usize| behind.get(at).and_then(|byte| char::from(*byte).to_digit(16));
            match (first, digit(0), digit(1)) {
                (b'%', Some(high), Some(low)) => {
                    bytes.extend(u8::try_from(high * 16 + low).ok());
                    rest = behind.get(2..).unwrap_or_default();
                }
                _ => {
                    bytes.push(*first);
                    rest = behind;
                }
            }
        }
        String::from_utf8(bytes).ok()
    }
}

/// A playlist as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Playlist {
    /// It lists segments.
    Media(Media),
    /// It lists media playlists.
    Multivariant(Multivariant),
}

impl Playlist {
    /// The media playlist, if it is one.
    pub fn media(self) -> Option<Media> {
        match self {
            Playlist::Media(media) => Some(media),
            Playlist::Multivariant(_) => None,
        }
    }

    /// The multivariant playlist, if it is one.
    pub fn multivariant(self) -> Option<Multivariant> {
        match self {
            Playlist::Media(_) => None,
            Playlist::Multivariant(multivariant) => Some(multivariant),
        }
    }
}

/// A playlist, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What could be read; `None` where it is no text, or nothing tells of which kind it is.
    pub playlist: Option<Playlist>,
    /// What was found, in the order of the checks.
    pub findings: Vec<Finding>,
}

/// Reads a playlist and checks it by itself.
pub fn read(bytes: &[u8], place: &Place<'_>) -> Reading {
    let mut found = Findings::default();
    let playlist = lines::read(bytes, &mut found).and_then(|lines| {
        Some(match lines::kind(&lines, &mut found)? {
            grammar::Kind::Multivariant => {
                let playlist = multivariant::read(&lines, place, &mut found);
                multivariant::check(&playlist, &mut found);
                Playlist::Multivariant(playlist)
            }
            grammar::Kind::Media | grammar::Kind::Any => {
                let playlist = media::read(&lines, place, &mut found);
                check::media(&playlist, &mut found);
                Playlist::Media(playlist)
            }
        })
    });
    Reading { playlist, findings: found.0 }
}

#[cfg(test)]
mod tests;
