//! The headers of a feed, and which of their tracks is better than another.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString as _};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::header::{Coding, Header};
use super::lane::Source;
use super::names;
use crate::media::Kind;
use crate::time::Moment;

/// The most headers of a feed that are known at a time.
pub const HEADERS_MAX: usize = 16;

/// The most tracks of a feed of which it is known when they came last.
const TRACKS_MAX: usize = 64;

/// A fragment counts as no longer than this, in milliseconds: durations come from outside, and how long a track that brings nothing keeps
/// its place goes by them.
const SPAN_MS_MAX: u64 = 20_000;

/// A header that came so many times in a row under another name, each with a greater number, does so with each segment.
const REPEATED_MIN: u8 = 2;

/// A fragment may begin by so many milliseconds before the one before it ends, and follow it: durations are rounded.
const OVERLAP_MS: u64 = 50;

/// The headers that a feed brought, for one that goes on without sending them again.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub(super) Vec<(String, Arc<Header>)>);

/// A header that is known, and of which name.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) number: u64,
    /// Another one, once it says something else.
    pub(super) version: u64,
    name: String,
    pub(super) header: Arc<Header>,
    /// It came in this feed.
    fresh: bool,
    /// So many times in a row it came under another name whose number was greater.
    repeated: u8,
    /// A track of it, where that has come to, and when it did.
    reached: Option<(u32, u64, u64)>,
}

impl Known {
    /// Whether each segment of its tracks begins with it: the last number of its name is a segment's.
    fn is_repeated(&self) -> bool {
        self.repeated >= REPEATED_MIN
    }
}

/// When a track came last.
#[derive(Clone, Copy, Debug)]
struct Heard {
    source: Source,
    at: u64,
    span_ms: u64,
}

/// The headers of a feed.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    headers: Vec<Known>,
    heard: VecDeque<Heard>,
    /// The number that was given last.
    last: u64,
}

impl Catalogue {
    /// With the headers of the feed before this one.
    pub(super) fn new(kept: &Headers) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (name, header) in kept.0.iter().take(HEADERS_MAX) {
            catalogue.push(name, header.clone(), false);
        }
        catalogue
    }

    pub(super) fn headers(&self) -> Headers {
        Headers(self.headers.iter().map(|known| (known.name.clone(), known.header.clone())).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Known> {
        self.headers.iter().find(|known| known.number == number)
    }

    /// The name under which a header came.
    pub(super) fn name(&self, number: u64) -> &str {
        self.get(number).map_or("", |known| &known.name)
    }

    /// Takes a header. `used` are those of which a track is used: they are not forgotten. Its number, and its version.
    pub(super) fn add(&mut self, name: &str, header: Arc<Header>, used: &[u64]) -> (u64, u64) {
        if let Some(known) = self.headers.iter_mut().find(|known| known.name == name) {
            known.fresh = true;
            if known.header != header {
                self.last += 1;
                (known.header, known.version) = (header, self.last);
            }
            return (known.number, known.version);
        }
        if self.headers.len() >= HEADERS_MAX
            && let Some(at) = self.headers.iter().position(|known| !used.contains(&known.number))
        {
            let gone = self.headers.remove(at).number;
            self.heard.retain(|heard| heard.source.header != gone);
        }
        self.push(name, header, true)
    }

    fn push(&mut self, name: &str, header: Arc<Header>, fresh: bool) -> (u64, u64) {
        self.last += 1;
        let (number, name) = (self.last, name.to_string());
        self.headers.push(Known { number, version: number, name, header, fresh, repeated: 0, reached: None });
        (number, number)
    }

    /// The header of what comes in a request of this name, with tracks of these numbers: the one whose name is most like its own.
    pub(super) fn of(&self, name: &str, ids: &[u32]) -> Option<&Known> {
        let has = |known: &&Known| ids.iter().any(|id| known.header.track(*id).is_some());
        let like = |known: &Known| (names::likeness(&known.name, name), known.fresh);
        let best = self.headers.iter().filter(has).max_by_key(|known| like(known))?;
        let mut rivals = self.headers.iter().filter(has).filter(|known| like(known) == like(best));
        (rivals.next().is_some() && rivals.next().is_none()).then_some(best)
    }

    /// Whether a header may be the one of a track that is known, in a request of its own: some packagers have each segment
    /// begin with it.
    pub(super) fn may_go_on(&self, name: &str, header: &Header) -> bool {
        self.headers.iter().all(|known| known.name != name) && self.series(name, header).next().is_some()
    }

    fn series<'a>(&'a self, name: &str, header: &Header) -> impl Iterator<Item = &'a Known> {
        self.headers.iter().filter(move |known| {
            known.reached.is_some() && names::in_series(&known.name, name) && *known.header == *header
        })
    }

    /// Such a request's first fragment begins there. It is of one of its series each of whose segments begins with that header; or it
    /// goes on where one has come to, is one that is `missed` there, or begins anew once that has been quiet for `quiet_ms`. Then
    /// that one has its name from now on. Otherwise it is another track.
    pub(super) fn go_on(
        &mut self,
        name: &str,
        header: Arc<Header>,
        (track, start): (u32, u64),
        missed: &[u64],
        (used, quiet_ms, now): (&[u64], u64, Moment),
    ) -> (u64, u64) {
        let timescale = header.track(track).map_or(1, |track| track.timescale);
        let overlap = u64::from(timescale).saturating_mul(OVERLAP_MS) / 1000;
        let before = self.series(name, &header).filter(|known| {
            known.reached.is_some_and(|(of, end, at)| {
                let goes_on = start.saturating_add(overlap) >= end || missed.contains(&known.number);
                of == track && (goes_on || known.is_repeated() || now.ms_since(at) >= quiet_ms)
            })
        });
        let before =
            before.max_by_key(|known| known.reached.map(|(_, end, _)| end)).map(|known| known.number);
        match self.headers.iter_mut().find(|known| Some(known.number) == before) {
            Some(known) => {
                known.fresh = true;
                let goes_on = known.reached.is_none_or(|(_, end, _)| start.saturating_add(overlap) >= end);
                if names::is_after(name, &known.name) {
                    (known.name, known.repeated) = (name.to_string(), known.repeated.saturating_add(1));
                } else if goes_on || !known.is_repeated() {
                    (known.name, known.repeated) = (name.to_string(), 0);
                }
                (known.number, known.version)
            }
            None => self.add(name, header, used),
        }
    }

    /// A fragment of a track came, which ends there and lasts `span_ms`.
    pub(super) fn came(&mut self, source: Source, end: Option<u64>, span_ms: u64, now: Moment) {
        if let Some(known) = self.headers.iter_mut().find(|known| known.number == source.header)
            && let Some(end) = end
            && known.reached.is_none_or(|(of, ..)| of == source.track)
        {
            known.reached = Some((source.track, end, now.up_ms));
        }
        self.heard.retain(|heard| heard.source != source);
        if self.heard.len() >= TRACKS_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back(Heard { source, at: now.up_ms, span_ms: span_ms.min(SPAN_MS_MAX) });
    }

    /// How long the last fragment of a track was, in milliseconds, up to [`SPAN_MS_MAX`].
    pub(super) fn span_ms(&self, of: Source) -> u64 {
        self.heard.iter().find(|heard| heard.source == of).map_or(0, |heard| heard.span_ms)
    }

    fn coding(&self, source: Source) -> Option<&Coding> {
        self.get(source.header)?.header.track(source.track).map(|track| &track.coding)
    }

    /// Where a track stands among those of its kind, the least being the best: the largest picture, then the first by its name
    /// and number. Nothing of it depends on when what came: two origins that get the same choose the same.
    fn rank(&self, source: Source) -> impl Ord + use<'_> {
        let area = self.coding(source).map_or(0, area);
        (Reverse(area), self.name(source.header), source.track)
    }

    pub(super) fn is_better(&self, source: Source, than: Source) -> bool {
        self.rank(source) < self.rank(than)
    }

    /// The best track of this kind of those of which something came within `quiet_ms`, or three times their last fragment.
    pub(super) fn best(&self, kind: Kind, quiet_ms: u64, now: Moment) -> Option<Source> {
        let track = |source: Source| self.get(source.header)?.header.track(source.track);
        let of_kind = |source| track(source).is_some_and(|track| track.kind() == kind);
        let comes = |heard: &&Heard| {
            of_kind(heard.source) && now.ms_since(heard.at) < quiet_ms.max(heard.span_ms.saturating_mul(3))
        };
        let sources = self.heard.iter().filter(comes).map(|heard| heard.source);
        sources.min_by(|a, b| self.rank(*a).cmp(&self.rank(*b)))
    }
}

/// How large a picture is.
fn area(coding: &Coding) -> u32 {
    match coding {
        Coding::Video { config, .. } => u32::from(config.width) * u32::from(config.height),
        _ => 0,
    }
}
