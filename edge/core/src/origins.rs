//! Origins that are not heard: the edge asks them itself for what they would have pushed.
//!
//! A push may be lost on the way, or in a store that takes a while to carry it everywhere. Where the operator lists
//! `origin_urls`, whoever reads a channel of which nothing was heard for a while ([`silence_ms_max`]) asks each of them for the
//! event, its state and its score, once in [`EVERY_MS`] for all readers together ([`Turn`]); the others get what there is. Whoever
//! lists channels, and finds that nothing was heard of any of them for [`SILENCE_MS_WAITING`], asks for the event: there may be
//! others by now. An answer is the very document that the origin would have pushed, signed as a push by the origin's clock
//! ([`clock`]), and it is taken as one: [`intake`] checks and merges it. Origins that do not answer are asked ever more rarely, and
//! cost one reader [`WITHIN_MS`] each time.
//!
//! Chapters of recordings come by pushes alone: an origin keeps each until it is taken.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use futures::future;
use railbird_core::id::ChannelId;
use railbird_core::sign;
use railbird_core::state::{Phase, STATE_LEN_MAX};
use railbird_core::time::UtcMs;
use railbird_core::web;

use self::clock::Ahead;
use crate::edge::Call;
use crate::errors::Problem;
use crate::http::{Request, Response};
use crate::port::{Courier, FetchBounds, Store};
use crate::turn::Turn;
use crate::{cells, cors, intake};

pub(crate) mod clock;

/// How often origins that are not heard are asked, in milliseconds: about as often as a playlist changes.
pub(crate) const EVERY_MS: u64 = 2_000;

/// The longest pause between two such times, in milliseconds: each failure doubles it.
pub(crate) const EVERY_MS_MAX: u64 = 32_000;

/// How long a reader waits for the origins, all of them together, in milliseconds.
pub(crate) const WITHIN_MS: u64 = 1_000;

/// So many segments without a word are no chance any more…
const SILENT_SEGMENTS: u64 = 3;
/// …but at least and at most so many milliseconds: an origin repeats itself every ten seconds.
const SILENCE_MS: core::ops::RangeInclusive<u64> = 6_000..=15_000;
/// The same for a channel that has no feed, and for the event.
const SILENCE_MS_WAITING: u64 = 30_000;

/// What is known of a channel's origins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    pub(crate) phase: Phase,
    pub(crate) segment_ms: u32,
    /// When one of them was heard last.
    pub(crate) heard: UtcMs,
}

impl Pulse {
    /// From when on its silence is too long.
    fn due(self) -> Option<UtcMs> {
        silence_ms_max(self.phase, self.segment_ms).map(|most| self.heard.plus_ms(most))
    }
}

/// How long a channel's origins may be silent before they are asked; `None` where nothing more is to be said.
fn silence_ms_max(phase: Phase, segment_ms: u32) -> Option<u64> {
    match phase {
        Phase::Live => {
            Some((u64::from(segment_ms) * SILENT_SEGMENTS).clamp(*SILENCE_MS.start(), *SILENCE_MS.end()))
        }
        Phase::Waiting => Some(SILENCE_MS_WAITING),
        Phase::Ended => None,
    }
}

/// Asks for a channel of which nothing was heard for a while, or nothing ever. Says whether something may have changed: it is
/// to be read again then.
pub(crate) async fn follow<S: Store + Courier>(
    call: &Call<'_, S>,
    channel: &ChannelId,
    pulse: Option<Pulse>,
) -> Result<bool, Problem> {
    if call.settings.origin_urls.is_empty() {
        return Ok(false);
    }
    let due = match pulse.map(Pulse::due) {
        Some(due) => match due.filter(|due| *due < call.moment.now) {
            Some(due) => due,
            None => return Ok(false),
        },
        None => UtcMs(0),
    };
    // One that was on once is not asked for any more.
    if pulse.is_none() {
        let event = cells::event(call.store).await?;
        if !event.is_some_and(|event| event.channels.iter().any(|brief| brief.id == *channel)) {
            return Ok(false);
        }
    }
    let documents = [Document::Event, Document::State(channel), Document::Score(channel)];
    Ok(ask(call, &Turn::new("channel", channel.as_str()), due, EVERY_MS, &documents).await)
}

/// Asks again for an event that is known, where nothing was heard of any of its channels for a while; `heard` is when that was last.
/// Says whether something may have changed.
pub(crate) async fn more<S: Store + Courier>(call: &Call<'_, S>, heard: Option<UtcMs>) -> bool {
    let due = heard.map_or(UtcMs(0), |heard| heard.plus_ms(SILENCE_MS_WAITING));
    if call.settings.origin_urls.is_empty() || call.moment.now <= due {
        return false;
    }
    ask(call, &Turn::new("event", ""), due, SILENCE_MS_WAITING, &[Document::Event]).await
}

/// Asks for the event, if none is known. Says whether something may have changed.
pub(crate) async fn event<S: Store + Courier>(call: &Call<'_, S>) -> Result<bool, Problem> {
    if call.settings.origin_urls.is_empty() || cells::event(call.store).await?.is_some() {
        return Ok(false);
    }
    Ok(ask(call, &Turn::new("event", ""), UtcMs(0), EVERY_MS, &[Document::Event]).await)
}

#[derive(Clone, Copy)]
enum Document<'a> {
    Event,
    State(&'a ChannelId),
    Score(&'a ChannelId),
}

/// What became of a question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Something that was taken, or was known already.
    Word,
    /// There is no such document yet.
    Nothing,
    /// What its clock reads, by which it is asked the next time.
    Clock(Ahead),
    /// No answer, or none that is an origin's.
    Silence,
}

impl Document<'_> {
    /// Where it is pushed to, and where it is to be had.
    fn path(self) -> String {
        match self {
            Document::Event => "/origin/v1/event".into(),
            Document::State(channel) => format!("/origin/v1/channels/{channel}/state"),
            Document::Score(channel) => format!("/origin/v1/channels/{channel}/score"),
        }
    }
}

/// Asks every origin for every document, all at the same time, if it is this request's turn, which comes every so many
/// milliseconds. Where nobody can say whose turn it is, it is nobody's: readers get what there is.
async fn ask<S: Store + Courier>(
    call: &Call<'_, S>,
    turn: &Turn,
    due: UtcMs,
    every_ms: u64,
    documents: &[Document<'_>],
) -> bool {
    let Ok(Some(failures)) = turn.take(call, due, every_ms).await else { return false };
    let each = call.settings.origin_urls.iter().map(|base| ask_one(call, base, documents));
    let heard: Vec<Heard> = future::join_all(each).await.into_iter().flatten().collect();
    if heard.iter().all(|heard| *heard == Heard::Silence) {
        let failures = failures.saturating_add(1);
        let later_ms = EVERY_MS.checked_shl(failures.into()).unwrap_or(EVERY_MS_MAX).min(EVERY_MS_MAX);
        // Not kept, they are asked again sooner.
        let _ = turn.set(call, failures, later_ms.max(every_ms)).await;
    } else if failures > 0 {
        let _ = turn.set(call, 0, every_ms).await;
    }
    heard.contains(&Heard::Word)
}

/// Asks one origin, by its clock as far as it is known.
async fn ask_one<S: Store + Courier>(
    call: &Call<'_, S>,
    base: &str,
    documents: &[Document<'_>],
) -> Vec<Heard> {
    let ahead = Ahead::of(call, base).await;
    let each = documents.iter().map(|document| fetch(call, base, ahead, *document));
    let heard = future::join_all(each).await;
    let told = heard.iter().find_map(|heard| match heard {
        Heard::Clock(told) => Some(*told),
        _ => None,
    });
    if let Some(told) = told {
        told.keep(call, base).await;
    }
    heard
}

/// Asks one origin for one document, and takes it as if it had been pushed now.
async fn fetch<S: Store + Courier>(
    call: &Call<'_, S>,
    base: &str,
    ahead: Ahead,
    document: Document<'_>,
) -> Heard {
    let path = document.path();
    let mut nonce = [0; 16];
    let drawn = call.moment.draw(&format!("railbird ask v1 {base}{path}"));
    nonce.iter_mut().zip(drawn).for_each(|(to, from)| *to = from);
    let (secret, theirs) = (call.settings.origin.bytes(), ahead.now(call));
    let signature = sign::sign(secret, "GET", &path, b"", theirs, nonce);
    let bounds = FetchBounds { len_max: STATE_LEN_MAX, within_ms: WITHIN_MS };
    let headers = [(sign::HEADER, signature.clone())];
    let Ok(answer) = call.store.fetch(&format!("{base}{path}"), &headers, bounds).await else {
        return Heard::Silence;
    };
    match answer.status {
        200 if !answer.is_cut => {}
        401 => return Ahead::told(call, &signature, &answer.headers).map_or(Heard::Silence, Heard::Clock),
        404 => return Heard::Nothing,
        _ => return Heard::Silence,
    }
    let signed = answer.headers.iter().find(|(name, _)| name == sign::HEADER);
    let signed = signed.map_or("", |(_, value)| value);
    if sign::verify(secret, "PUT", &path, &answer.body, theirs, signed).is_err() {
        return Heard::Silence;
    }
    let now = sign::sign(secret, "PUT", &path, &answer.body, call.moment.now, nonce);
    let request = Request {
        method: "PUT".into(),
        path,
        headers: [(sign::HEADER.into(), now)].into(),
        body: answer.body,
        ..Request::default()
    };
    let call = Call { request: &request, ..*call };
    let taken: Result<Response, Problem> = match document {
        Document::Event => intake::event(&call).await,
        Document::State(channel) => intake::state(&call, channel).await,
        Document::Score(channel) => intake::score(&call, channel).await,
    };
    match taken {
        Ok(_) => Heard::Word,
        Err(_) => Heard::Silence,
    }
}

/// Reads the setting: at most [`web::ORIGIN_APIS_MAX`] origins' APIs, `https://host` or `https://host:port` each. `None` where one is
/// none.
pub(crate) fn read(text: &str) -> Option<Vec<String>> {
    cors::read(text).filter(|urls| urls.len() <= web::ORIGIN_APIS_MAX)
}
