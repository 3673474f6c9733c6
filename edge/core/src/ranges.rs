//! What playlists of a recording say of its matches, at each reload: so that it is kept beside the document of each match, as
//! its [`Outline`], which is a small part of it.

use alloc::vec::Vec;

use futures::future;
use railbird_core::id::{ChannelId, MatchId};
use railbird_core::playlist::Stretch;
use railbird_core::score::{Class, Document, Range};
use railbird_core::state::Match;
use railbird_core::time::{MediaTime, UtcMs};
use serde::{Deserialize, Serialize};

use crate::edge::Call;
use crate::errors::Problem;
use crate::matches::Matches;
use crate::port::Store;
use crate::replay::Recording;
use crate::{cells, change};

/// The most sets, racks and frames of a playlist, and the most innings and runs. The first ones, since what was listed stays in
/// a playlist that grows; matches are listed all.
const UNITS_MAX: usize = 1_000;
const DETAILS_MAX: usize = 2_000;

/// What playlists say of a match.
#[derive(Serialize, Deserialize)]
pub(crate) struct Outline {
    /// That of the document.
    revision: u64,
    /// Where the match begins.
    from: MediaTime,
    /// Where its last event is shown.
    last: MediaTime,
    ranges: Vec<Range>,
}

impl Outline {
    /// `None` of a match without an entry, of which nothing is known.
    pub(crate) fn of(document: &Document) -> Option<Outline> {
        let (first, last) = (document.entries.first()?, document.entries.last()?);
        let (revision, ranges) = (document.revision, document.ranges());
        Some(Outline { revision, from: first.at, last: last.at, ranges })
    }
}

/// What the score says of stretches of a recording, as far as that may be listed.
pub(crate) async fn of<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    found: &Recording,
    stretch: &Stretch,
) -> Result<Vec<Range>, Problem> {
    let matches = Matches::of(call, channel, found).await?;
    let (from, to) = stretch.clip.map_or((UtcMs(0), UtcMs(u64::MAX)), |clip| clip);
    let to = stretch.until.map_or(to, |until| until.min(to));
    let mut outlines: Vec<(&MatchId, Outline)> = Vec::new();
    for some in matches.between(from.media(), to.media()).chunks(cells::TOGETHER_MAX) {
        let read = future::try_join_all(some.iter().map(|of| outline(call, channel, &matches, of))).await?;
        let known = some.iter().zip(read).filter_map(|(of, outline)| Some((&of.id, outline?)));
        outlines.extend(known.filter(|(_, outline)| outline.last >= matches.start));
    }
    Ok(joined(outlines))
}

async fn outline<S: Store>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    matches: &Matches<'_>,
    Match { id, .. }: &Match,
) -> Result<Option<Outline>, Problem> {
    let kept = call.store.get(&cells::outline_cell(channel, id)).await?;
    let mut kept: Option<Outline> = change::read(kept.as_deref());
    if kept.is_none() {
        // Another version of the edge took the document.
        let document = call.store.get(&cells::match_cell(channel, id)).await?;
        kept = change::read(document.as_deref()).and_then(|document| Outline::of(&document));
    }
    let live = matches.live.as_ref().filter(|live| live.match_id == *id);
    match (kept, live) {
        (Some(kept), Some(live)) if live.revision > kept.revision => Ok(Outline::of(live)),
        (None, Some(live)) => Ok(Outline::of(live)),
        (kept, _) => Ok(kept),
    }
}

/// What is said of all of them, in a playlist's order.
fn joined(mut outlines: Vec<(&MatchId, Outline)>) -> Vec<Range> {
    outlines.sort_by_key(|(_, outline)| outline.from);
    // Whoever begins the next match has left the one before, finished or not.
    let next: Vec<Option<(&MatchId, MediaTime)>> =
        outlines.iter().skip(1).map(|(id, next)| Some((*id, next.from))).chain([None]).collect();
    let ranges = outlines.into_iter().zip(next).flat_map(|((_, outline), next)| {
        let left = move |range: Range| match next {
            Some((id, begins)) => range.left(id, begins),
            None => range,
        };
        outline.ranges.into_iter().map(left)
    });
    let (mut units, mut details) = (0, 0);
    let fits = |range: &Range| {
        let (count, max) = match range.class {
            Class::Match => return true,
            Class::Unit => (&mut units, UNITS_MAX),
            Class::Inning | Class::Run => (&mut details, DETAILS_MAX),
        };
        *count += 1;
        *count <= max
    };
    ranges.filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    fn range(class: Class, id: String, start: u64, end: Option<u64>) -> Range {
        let (start, end) = (MediaTime(start), end.map(MediaTime));
        Range {
            id,
            class,
            start,
            known: None,
            end,
            again: None,
            left_for: None,
            title: String::new(),
            number: None,
            unit: None,
            side: None,
            points: None,
        }
    }

    fn outline(from: u64, ranges: Vec<Range>) -> Outline {
        Outline { revision: 1, from: MediaTime(from), last: MediaTime(from + 900), ranges }
    }

    /// A match of forty sets and ninety innings, the `n`th of its recording.
    fn long(n: u64) -> Outline {
        let from = 1_000 * n;
        let of = |class, count| {
            (0..count).map(move |k| range(class, format!("{n} {class:?} {k}"), from + k, Some(from + k + 1)))
        };
        let all = of(Class::Match, 1).chain(of(Class::Unit, 40)).chain(of(Class::Inning, 90));
        outline(from, all.collect())
    }

    #[test]
    fn nothing_that_is_listed_leaves_with_further_matches_and_every_match_is_listed() {
        let some: MatchId = "some".parse().unwrap();
        let ids = |matches| {
            let outlines = (0..matches).map(|n| (&some, long(n)));
            joined(outlines.collect()).into_iter().map(|range| range.id)
        };
        let mut before: Vec<String> = Vec::new();
        for matches in 0..64 {
            let now: Vec<String> = ids(matches).collect();
            assert!(now.starts_with(&before) || before.iter().all(|id| now.contains(id)), "{matches}");
            assert!((0..matches).all(|n| now.contains(&format!("{n} Match 0"))), "{matches}");
            before = now;
        }
        assert_eq!(before.len(), 63 + UNITS_MAX + DETAILS_MAX);
    }

    #[test]
    fn a_match_that_is_left_ends_with_the_next_one_whatever_comes_of_it() {
        let ids: [MatchId; 2] = ["a", "b"].map(|id| id.parse().unwrap());
        let told = |end, next: Option<u64>| {
            let first = range(Class::Match, "first".into(), 0, end);
            let second = next.map(|begins| range(Class::Match, "second".into(), begins, None));
            let second = second.map(|second| (&ids[1], outline(second.start.0, [second].into())));
            let outlines = second.into_iter().chain([(&ids[0], outline(0, [first].into()))]);
            let ranges = joined(outlines.collect()).into_iter();
            let mut told: Vec<_> = ranges.filter_map(|range| range.before(MediaTime(u64::MAX))).collect();
            assert_eq!(told.len(), 1 + usize::from(next.is_some()));
            assert!(told.iter().skip(1).all(|range| (&*range.id, range.end) == ("second", None)));
            let first = told.swap_remove(0);
            (first.id, first.end.map(|end| end.0))
        };
        assert_eq!(told(None, None), ("first".into(), None));
        assert_eq!(told(Some(400), Some(500)), ("first".into(), Some(400)));
        let (left, end) = told(None, Some(500));
        // Its own end may come later, and lie earlier; the next start be undone, and another one follow.
        assert!(left != "first" && end == Some(500), "{left} {end:?}");
        let (later, end) = told(None, Some(600));
        assert!(later != left && later != "first" && end == Some(600), "{later} {end:?}");
        // It is taken up again.
        assert_eq!(told(Some(700), Some(500)), (left, Some(500)));
    }
}
