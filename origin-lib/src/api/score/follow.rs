//! A match as server-sent events: each event when it is on the disk, the score behind it, and a heartbeat.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{Log, Position};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Refusal;
use crate::api::Closing;
use crate::clock;
use crate::score::Scores;

/// The most that follow matches of a channel at a time.
pub(super) const FOLLOWERS_MAX: usize = 64;

/// How often one who follows hears something where nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// After so long the stream ends; whoever still follows asks again from where it was.
const STREAM_MAX: Duration = Duration::from_secs(3600);

/// How long one who follows may take to read what there is.
const READ_MAX: Duration = Duration::from_secs(30);

/// The most events that are written at once.
const BATCH_MAX: usize = 50;

/// How many more may follow, of each channel.
#[derive(Clone)]
pub(super) struct Followers(Arc<HashMap<ChannelId, Arc<Semaphore>>>);

impl Followers {
    pub(super) fn new<'a>(channels: impl IntoIterator<Item = &'a ChannelId>) -> Followers {
        let places = |id: &ChannelId| (id.clone(), Arc::new(Semaphore::new(FOLLOWERS_MAX)));
        Followers(Arc::new(channels.into_iter().map(places).collect()))
    }

    fn join(&self, channel: &ChannelId) -> Result<OwnedSemaphorePermit, Refusal> {
        let places = self.0.get(channel).ok_or_else(Refusal::no_channel)?;
        places.clone().try_acquire_owned().map_err(|_| {
            let message = format!(
                "{FOLLOWERS_MAX} already follow matches of this channel: close some, or ask for events"
            );
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
        })
    }
}

/// Who follows, and how far.
struct Following {
    scores: Scores,
    channel: ChannelId,
    match_id: MatchId,
    after: Position,
    /// The log as it was read last, and how long its file was.
    known: Option<(u64, Arc<Log>)>,
    /// The score behind `after` has been told.
    told: bool,
    /// The epoch of whoever took over, as it was told last.
    scorer: u64,
    changed: watch::Receiver<()>,
    closing: Closing,
    /// When the next heartbeat is due.
    beat_at: Instant,
}

/// Follows a match that exists, from behind `after`. Ends when the origin stops, and when nobody reads it.
pub(super) fn follow(
    (scores, followers): (Scores, &Followers),
    (channel, match_id): (ChannelId, MatchId),
    after: Position,
    closing: Closing,
) -> Result<Response, Refusal> {
    let place = followers.join(&channel)?;
    let changed = scores.changes(&channel).ok_or_else(Refusal::no_channel)?;
    let beat_at = Instant::now() + HEARTBEAT;
    let following = Following {
        scores,
        channel,
        match_id,
        after,
        known: None,
        told: false,
        scorer: 0,
        changed,
        closing,
        beat_at,
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(following.run(sender, place));
    let chunks = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<String>| {
        let text = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy before the origin would otherwise collect before it passes anything on.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

impl Following {
    /// Tells all there is, for as long as it is read; then the place is another's.
    async fn run(mut self, to: mpsc::Sender<String>, _place: OwnedSemaphorePermit) {
        let ends = Instant::now() + STREAM_MAX;
        loop {
            let text = tokio::select! {
                text = self.next() => text,
                () = to.closed() => return,
                () = sleep_until(ends) => return,
            };
            let Some(text) = text else { return };
            if to.send_timeout(text, READ_MAX).await.is_err() {
                return;
            }
        }
    }

    /// The log as the disk has it: read again only where it has grown.
    async fn log(&mut self) -> Option<Arc<Log>> {
        let len = self.scores.len_of(&self.channel, &self.match_id)?;
        if let Some((known, log)) = &self.known
            && *known == len
        {
            return Some(log.clone());
        }
        let log = self.scores.log(&self.channel, &self.match_id).await.ok()??;
        self.known = Some((len, log.clone()));
        Some(log)
    }

    /// What is told next; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            self.changed.borrow_and_update();
            // A log that can't be read any more ends the stream, and who asks again is told why.
            let log = self.log().await?;
            let events = log.after(self.after);
            if !events.is_empty() || !self.told {
                let mut text = String::new();
                for (at, event) in events.iter().take(BATCH_MAX) {
                    let item = json!({"epoch": at.epoch, "seq": at.seq, "event": event});
                    write(&mut text, "event", Some(*at), &item);
                    self.after = *at;
                }
                self.told = events.len() <= BATCH_MAX;
                if self.told {
                    write(&mut text, "state", None, &json!({"last": log.last(), "state": log.state()}));
                }
                self.beat_at = Instant::now() + HEARTBEAT;
                return Some(text);
            }
            let scorer = self.scores.epoch(&self.channel, &self.match_id, clock::now());
            if scorer > self.scorer.max(log.last().map_or(0, |last| last.epoch)) {
                self.scorer = scorer;
                let mut text = String::new();
                write(&mut text, "scorer", None, &json!({"epoch": scorer}));
                return Some(text);
            }
            tokio::select! {
                // A score that is dropped tells nothing more.
                changed = self.changed.changed() => changed.ok()?,
                () = sleep_until(self.beat_at) => {
                    self.beat_at = Instant::now() + HEARTBEAT;
                    let mut text = String::new();
                    write(&mut text, "heartbeat", None, &json!({"now": clock::now(), "last": log.last()}));
                    return Some(text);
                }
                () = self.closing.wait() => return None,
            }
        }
    }
}

/// Appends an event as the HTML standard's section 9.2 has it. JSON has no line breaks.
fn write(text: &mut String, event: &str, id: Option<Position>, data: &Value) {
    // Writing to a String can't fail.
    if let Some(at) = id {
        let _ = writeln!(text, "id: {at}");
    }
    let _ = write!(text, "event: {event}\ndata: {data}\n\n");
}

/// The position that `Last-Event-ID` names: `1/7`.
pub(super) fn position(id: &str) -> Option<Position> {
    let (epoch, seq) = id.split_once('/')?;
    Some(Position { epoch: super::number(epoch)?, seq: super::number(seq)? })
}
