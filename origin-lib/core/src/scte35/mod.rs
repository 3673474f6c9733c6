//! Splice information (ANSI/SCTE 35): where a programme is left for something else, such as commercials, and where it goes on.
//!
//! Nothing is spliced here. What the encoder says is kept with the media and told in playlists, as RFC 8216bis (4.4.5.1) has
//! it. It comes in the feed, on the feed's clock, so that two origins that take the same feed tell the same.

mod section;
#[cfg(test)]
pub(crate) mod tests;

use alloc::collections::BTreeMap;
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

/// The longest that is told as planned: a day.
pub const PLANNED_MAX: MediaSpan = MediaSpan::from_ms(24 * 3_600_000);

/// The furthest ahead of its time that something is announced: four hours. And the latest after it: ten minutes.
pub const AHEAD_MAX: MediaSpan = MediaSpan::from_ms(4 * 3_600_000);
/// See [`AHEAD_MAX`].
pub const BEHIND_MAX: MediaSpan = MediaSpan::from_ms(600_000);

/// What happens at once, and is said again within this, is the same where it has no event that would tell.
const AGAIN_MAX: MediaSpan = MediaSpan::from_ms(30_000);

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
    /// Whether it is about something near enough to what it was said in to be meant: encoders announce minutes ahead, and a
    /// time from elsewhere would be listed for as long as that takes.
    pub fn is_near(&self) -> bool {
        self.at <= self.said + AHEAD_MAX && self.said <= self.at + BEHIND_MAX
    }

    /// Whether this one says nothing new beside one that is known: the same of the same instant; another length of what had
    /// begun by then, which is told already; or once more "at once".
    pub fn is_again(&self, known: &Splice) -> bool {
        let (Some(own), Some(other)) = (self.section.command(), known.section.command()) else {
            return self == known;
        };
        if (own.what, own.event) != (other.what, other.event) {
            return false;
        }
        if self.at == known.at {
            return own.planned == other.planned || self.said.max(known.said) >= self.at;
        }
        if own.at.is_some() || other.at.is_some() {
            return false;
        }
        let is_open = match own.what {
            What::Out => other.planned().unwrap_or(OPEN_MAX),
            What::In | What::Cancel => OPEN_MAX,
            What::Other => AGAIN_MAX,
        };
        let lasts = if own.event.is_some() { is_open } else { AGAIN_MAX };
        let (earlier, later) = (self.at.min(known.at), self.at.max(known.at));
        later <= earlier + lasts
    }

    /// Whether something else was said of its event between it and one that is known.
    fn is_parted(&self, known: &Splice, splices: &[Splice]) -> bool {
        let Some(own) = self.section.command() else { return false };
        let (from, to) = (self.said.min(known.said), self.said.max(known.said));
        splices.iter().filter(|between| (from..=to).contains(&between.said)).any(|between| {
            between.section.command().is_some_and(|command| {
                own.event.is_some() && command.event == own.event && command.what != own.what
            })
        })
    }
}

/// Whether one says something that is not known yet.
pub fn is_new<'a>(splices: impl IntoIterator<Item = &'a Splice>, splice: &Splice) -> bool {
    let splices: Vec<Splice> = splices.into_iter().cloned().collect();
    again(&splices, splice).is_none()
}

/// Which of those that are known says the same.
fn again(splices: &[Splice], splice: &Splice) -> Option<usize> {
    splices.iter().position(|known| {
        splice.is_again(known) && (known.at == splice.at || !splice.is_parted(known, splices))
    })
}

/// Adds one that is not known; says whether it was. They stay in the order of what they are about.
pub fn add(splices: &mut Vec<Splice>, splice: Splice) -> bool {
    if let Some(at) = again(splices, &splice) {
        // Whoever came late heard of it late.
        if splices.get(at).is_none_or(|known| (known.at, known.said) <= (splice.at, splice.said)) {
            return false;
        }
        splices.remove(at);
    }
    let place = splices.partition_point(|known| known.at <= splice.at);
    splices.insert(place, splice);
    true
}

/// One and what it says.
type Read<'a> = (Command, &'a Splice);

/// Whether nothing comes of what the other one says, of the same event, which had not begun when this was said: it is cancelled,
/// or comes at another time, or lasts otherwise.
fn voids((own, one): &Read<'_>, (of, other): &Read<'_>) -> bool {
    if one.said >= other.at || of.what == What::Cancel {
        return false;
    }
    let (mine, theirs) = ((one.said, one.at, own.planned), (other.said, other.at, of.planned));
    match own.what {
        What::Cancel => other.said <= one.said,
        what => what == of.what && (mine.1, mine.2) != (theirs.1, theirs.2) && theirs < mine,
    }
}

/// Of each of these which one voids it.
fn voided(splices: &[Read<'_>]) -> Vec<Option<usize>> {
    let mut of_event: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, (command, _)) in splices.iter().enumerate() {
        if let Some(event) = command.event {
            of_event.entry(event).or_default().push(at);
        }
    }
    let mut by = alloc::vec![None; splices.len()];
    for mut places in of_event.into_values() {
        let read = |at: &usize| splices.get(*at);
        places.sort_by_key(|at| read(at).map(|(_, splice)| splice.said));
        for (n, at) in places.iter().enumerate() {
            let Some(splice) = read(at) else { continue };
            // Others that were said at the same time stand on either side.
            let from = places.get(..n).unwrap_or_default();
            let from =
                from.partition_point(|at| read(at).is_some_and(|(_, other)| other.said < splice.1.said));
            let later = places.get(from..).unwrap_or_default().iter();
            let mut in_time =
                later.take_while(|at| read(at).is_some_and(|(_, other)| other.said < splice.1.at));
            let found = in_time.find(|at| read(at).is_some_and(|other| voids(other, splice)));
            if let (Some(by), Some(found)) = (by.get_mut(*at), found) {
                *by = Some(*found);
            }
        }
    }
    by
}

fn read<'a>(splices: impl IntoIterator<Item = &'a Splice>) -> Vec<Read<'a>> {
    let read = splices.into_iter().filter_map(|splice| Some((splice.section.command()?, splice)));
    read.collect()
}

/// Drops those that have nothing to say of the media from `from` on; and the oldest of more than [`SPLICES_MAX`].
pub fn keep_from(splices: &mut Vec<Splice>, from: MediaTime) {
    let over = splices.len().saturating_sub(SPLICES_MAX);
    splices.drain(..over);
    let kept: Vec<bool> = {
        let (ranges, read) = (ranges(splices.iter()), read(splices.iter()));
        let voided = voided(&read);
        // What was changed before it began must not come to life again.
        let mut changed: Vec<&Splice> = Vec::new();
        for ((_, splice), by) in read.iter().zip(&voided) {
            if let Some((_, by)) = by.and_then(|by| read.get(by)).filter(|_| splice.at >= from) {
                changed.extend([*splice, *by]);
            }
        }
        let needed = |splice: &Splice| {
            let of =
                |range: &&Range<'_>| range.sections().any(|section| core::ptr::eq(section, &splice.section));
            ranges.iter().find(of).is_some_and(|range| range.end() >= from)
                || changed.iter().any(|changed| core::ptr::eq(*changed, splice))
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
/// same event are one. Nothing is said of what was cancelled, or put off, before it began.
pub fn ranges<'a>(splices: impl IntoIterator<Item = &'a Splice>) -> Vec<Range<'a>> {
    let mut ranges: Vec<(Option<u32>, Range<'a>)> = Vec::new();
    let splices = read(splices);
    for ((command, splice), void) in splices.iter().zip(voided(&splices)) {
        let Command { what, event, .. } = *command;
        if what == What::Cancel || void.is_some() {
            continue;
        }
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
        // Event 0 is an event.
        if let Some(event) = event {
            hash.update(event.to_be_bytes());
        }
        // Another length that was told in time is another range: one that is told keeps what was told of it.
        if let Some(planned) = command.planned {
            hash.update(planned.to_be_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let range = Range {
            id: hex::encode(digest.get(..10).unwrap_or_default()),
            start: splice.at,
            planned: command.planned().filter(|_| is_out),
            out: section.filter(|_| is_out),
            back: None,
            // A way in without its way out is none that a playlist can name as one.
            other: section.filter(|_| !is_out),
        };
        ranges.push((event, range));
    }
    ranges.into_iter().map(|(_, range)| range).collect()
}
