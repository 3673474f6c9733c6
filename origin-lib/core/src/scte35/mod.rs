//! Splice information (ANSI/SCTE 35): where a programme is left for something else, such as commercials, and where it goes on.
//!
//! Nothing is spliced here. What the encoder says is kept with the media and told in playlists, as RFC 8216bis (4.4.5.1) has
//! it. It comes in the feed, on the feed's clock, so that two origins that take the same feed tell the same.

mod section;
#[cfg(test)]
pub(crate) mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use section::{Command, Unusable, What};

use crate::hex;
use crate::time::{MediaSpan, MediaTime};

/// The longest section that is kept, in bytes. Real ones have tens to hundreds.
pub const SECTION_LEN_MAX: usize = 1024;

/// The most splices of a snapshot, the newest ones.
pub const SPLICES_MAX: usize = 128;

/// How long the programme is left at the most where nothing says when it goes on.
pub const OPEN_MAX: MediaSpan = MediaSpan::from_ms(4 * 3_600_000);

/// A `splice_info_section`, whole, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Section(Bytes);

impl Section {
    /// These bytes, if something can be read in them: see [`Command`].
    pub fn new(bytes: &[u8]) -> Result<Section, Unusable> {
        Command::read(bytes).map(|_| Section(Bytes::copy_from_slice(bytes)))
    }

    /// What it says.
    pub fn command(&self) -> Option<Command> {
        Command::read(&self.0).ok()
    }

    /// As playlists have it: `0xFC30…`.
    pub fn hexadecimal(&self) -> String {
        format!("0x{}", hex::encode(&self.0).to_ascii_uppercase())
    }
}

impl TryFrom<String> for Section {
    type Error = Unusable;
    fn try_from(text: String) -> Result<Section, Unusable> {
        Section::new(&hex::decode(&text).ok_or(Unusable::Malformed)?)
    }
}

impl From<Section> for String {
    fn from(section: Section) -> String {
        hex::encode(&section.0)
    }
}

/// A section of a channel's feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splice {
    /// Up to where the media had come that was before it.
    pub said: MediaTime,
    /// What it is about.
    pub at: MediaTime,
    /// The section itself.
    pub section: Section,
}

impl Splice {
    /// Whether both say the same of the same instant.
    pub fn is_same(&self, other: &Splice) -> bool {
        self.key() == other.key()
    }

    /// What tells it from others, however often it is said.
    fn key(&self) -> (MediaTime, Option<(What, Option<u32>)>) {
        (self.at, self.section.command().map(|command| (command.what, command.event)))
    }
}

/// Adds one that is not known; says whether it was. They stay in the order of what they are about.
pub fn add(splices: &mut Vec<Splice>, splice: Splice) -> bool {
    let key = splice.key();
    if splices.iter().any(|known| known.key() == key) {
        return false;
    }
    let place = splices.partition_point(|known| known.at <= splice.at);
    splices.insert(place, splice);
    true
}

/// Drops those that have nothing to say of the media from `from` on; and the oldest of more than [`SPLICES_MAX`].
pub fn keep_from(splices: &mut Vec<Splice>, from: MediaTime) {
    let over = splices.len().saturating_sub(SPLICES_MAX);
    splices.drain(..over);
    let kept: Vec<bool> = {
        let ranges = ranges(splices.iter());
        let needed = |splice: &Splice| {
            let of =
                |range: &&Range<'_>| range.sections().any(|section| core::ptr::eq(section, &splice.section));
            ranges.iter().find(of).is_none_or(|range| range.end() >= from)
        };
        splices.iter().map(needed).collect()
    };
    let mut kept = kept.into_iter();
    splices.retain(|_| kept.next().unwrap_or(true));
}

/// What playlists say of one or two sections that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range<'a> {
    /// Its name, made of when it begins and which event it is.
    pub id: String,
    /// Where it begins.
    pub start: MediaTime,
    /// How long it is meant to be.
    pub planned: Option<MediaSpan>,
    /// Where the programme is left.
    pub out: Option<&'a Section>,
    /// Where it goes on, and when.
    pub back: Option<(MediaTime, &'a Section)>,
    /// Something else.
    pub other: Option<&'a Section>,
}

impl Range<'_> {
    /// Where it ends, as far as is known: a way out that nothing ends is open for [`OPEN_MAX`].
    pub fn end(&self) -> MediaTime {
        let open = if self.out.is_some() { OPEN_MAX } else { MediaSpan::default() };
        let planned = self.start + self.planned.unwrap_or(open);
        self.back.map_or(planned, |(at, _)| at)
    }

    fn sections(&self) -> impl Iterator<Item = &Section> {
        [self.out, self.back.map(|(_, section)| section), self.other].into_iter().flatten()
    }
}

/// What is to be said of these, which are in the order of what they are about: a way out and the way in that follows it of the
/// same event are one.
pub fn ranges<'a>(splices: impl IntoIterator<Item = &'a Splice>) -> Vec<Range<'a>> {
    let mut ranges: Vec<(Option<u32>, Range<'a>)> = Vec::new();
    for splice in splices {
        let Some(Command { what, event, planned, .. }) = splice.section.command() else { continue };
        let section = Some(&splice.section);
        if what == What::In && event.is_some() {
            let opened = |(of, range): &&mut (Option<u32>, Range<'_>)| {
                *of == event && range.out.is_some() && range.start < splice.at
            };
            if let Some((_, range)) =
                ranges.iter_mut().rev().find(opened).filter(|(_, range)| range.back.is_none())
            {
                range.back = Some((splice.at, &splice.section));
                continue;
            }
        }
        let is_out = what == What::Out;
        let mut hash = Sha256::new();
        hash.update(splice.at.0.to_be_bytes());
        hash.update([u8::from(is_out), u8::from(what == What::In)]);
        hash.update(event.map(u32::to_be_bytes).unwrap_or_default());
        let digest: [u8; 32] = hash.finalize().into();
        let range = Range {
            id: hex::encode(digest.get(..10).unwrap_or_default()),
            start: splice.at,
            planned: planned.filter(|_| is_out).and_then(|ticks| i64::try_from(ticks).ok()).map(MediaSpan),
            out: section.filter(|_| is_out),
            back: None,
            // A way in without its way out is none that a playlist can name as one.
            other: section.filter(|_| !is_out),
        };
        ranges.push((event, range));
    }
    ranges.into_iter().map(|(_, range)| range).collect()
}
