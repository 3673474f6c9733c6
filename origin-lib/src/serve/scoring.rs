//! What the edges are told of the score, beside the document of what is played: what playlists say of it, which matches a
//! recording has, and the document of each of those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use railbird_core::id::{ChannelId, MatchId};
use railbird_core::score::{Document, Range};
use railbird_core::state::{ChannelState, MATCHES_MAX, Match, RANGES_MAX, ReplayList, Shown};
use railbird_core::time::MediaTime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock;
use crate::config::{self, Config};
use crate::edge_push::EdgePush;
use crate::score::{Played, Scores};
use crate::systems::Systems;
use crate::systems::pull::Pull;

/// How often a match that is being played is told as a whole: those who watch it live have the document of what is played.
const WHOLE_EVERY: Duration = Duration::from_secs(30);

/// How long to wait where an edge still has other matches to take.
const PAUSE: Duration = Duration::from_millis(200);

/// Opens the logs, and has the document of what is played pushed whenever it changes.
pub(super) fn open(config: &Config, push: &Arc<EdgePush>, tasks: &mut JoinSet<()>) -> anyhow::Result<Scores> {
    let dir = config.data_dir.join("score");
    let offsets = config.channels.iter().map(|channel| (channel.id.clone(), config.score_offsets(channel)));
    let scores = Scores::open(&dir, offsets)?;
    for channel in &config.channels {
        let Some(mut documents) = scores.subscribe(&channel.id) else { continue };
        let (push, channel) = (push.clone(), channel.id.clone());
        tasks.spawn(async move {
            loop {
                let document = documents.borrow_and_update().clone();
                if let Some(document) = document {
                    match serde_json::to_vec(&*document) {
                        Ok(json) => push.publish_score(&channel, json.into()),
                        Err(error) => tracing::error!(%channel, %error, "the score can't be written as JSON"),
                    }
                }
                if documents.changed().await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(scores)
}

/// The systems that write channels' scores. Those that have an address are asked.
pub(super) fn systems(config: &Config, scores: &Scores, tasks: &mut JoinSet<()>) -> anyhow::Result<Systems> {
    let of = |channel: &config::Channel| Some((channel.id.clone(), channel.system.clone()?));
    let configured: Vec<_> = config.channels.iter().filter_map(of).collect();
    let mappings = configured.iter().map(|(channel, system)| (channel.clone(), system.mapping.clone()));
    let systems = Systems::new(scores.clone(), mappings);
    for (channel, system) in configured {
        let Some(url) = system.url else { continue };
        let pull = Pull::new(systems.clone(), channel, url)?;
        tasks.spawn(pull.run(Duration::from_millis(u64::from(system.every_ms))));
    }
    Ok(systems)
}

/// The channels that have a scorer.
pub(super) struct Scoring {
    scores: Scores,
    channels: BTreeMap<ChannelId, Arc<Channel>>,
}

struct Channel {
    documents: watch::Receiver<Option<Arc<Document>>>,
    said: Mutex<Said>,
    /// The matches of the recordings that are kept.
    wanted: watch::Sender<BTreeSet<MatchId>>,
    /// The list of recordings that was told last.
    told: Mutex<Option<ReplayList>>,
}

/// What playlists say, as it was made last.
#[derive(Default)]
struct Said {
    document: Option<(MatchId, u64)>,
    /// Where its match begins.
    begins: Option<MediaTime>,
    ranges: Vec<Range>,
    /// Of matches before, as long as they lie in the window.
    past: Vec<Past>,
}

/// What is said of a match that was left.
struct Past {
    match_id: MatchId,
    begins: Option<MediaTime>,
    ranges: Vec<Range>,
}

impl Scoring {
    /// Has the documents of recordings' matches pushed from now on.
    pub(super) fn start(
        config: &Config,
        scores: &Scores,
        push: &Arc<EdgePush>,
        tasks: &mut JoinSet<()>,
    ) -> Scoring {
        let mut channels = BTreeMap::new();
        for channel in config.channels.iter().filter(|channel| channel.score_key.is_some()) {
            let Some(documents) = scores.subscribe(&channel.id) else { continue };
            let of = Arc::new(Channel {
                documents,
                said: Mutex::default(),
                wanted: watch::Sender::default(),
                told: Mutex::default(),
            });
            let lane = Lane {
                scores: scores.clone(),
                push: push.clone(),
                channel: channel.id.clone(),
                of: of.clone(),
                pushed: BTreeMap::new(),
            };
            tasks.spawn(lane.run());
            channels.insert(channel.id.clone(), of);
        }
        Scoring { scores: scores.clone(), channels }
    }

    /// What the playlists of this state are to say of the score; `None` where the channel has no scorer.
    pub(super) fn shown(&self, state: &ChannelState) -> Option<Shown> {
        let channel = self.channels.get(&state.channel)?;
        let segments = state.renditions.iter().flat_map(|rendition| &rendition.segments);
        let from = segments.clone().map(|segment| segment.start).min();
        let to = segments.map(|segment| segment.start + segment.duration).max();
        let document = channel.documents.borrow().clone();
        Some(channel.said().shown(document.as_deref(), from.zip(to)))
    }

    /// Puts into a list of recordings which matches each has.
    pub(super) fn name_matches(&self, list: &mut ReplayList) {
        let Some(channel) = self.channels.get(&list.channel) else { return };
        let mut told = channel.told();
        channel.want(name_matches(list, &self.scores.played(&list.channel)));
        *told = Some(list.clone());
    }
}

/// Puts into a list of recordings which of the channel's matches each has; gives all that it names.
fn name_matches(list: &mut ReplayList, played: &[Played]) -> BTreeSet<MatchId> {
    let mut all = BTreeSet::new();
    for replay in &mut list.replays {
        let end = if replay.ended { replay.start + replay.duration } else { MediaTime(u64::MAX) };
        let within = |played: &&Played| played.from < end && played.to >= replay.start;
        let listed = |played: &Played| Match { id: played.match_id.clone(), from: played.from };
        replay.matches = played.iter().filter(within).map(listed).take(MATCHES_MAX).collect();
        all.extend(replay.matches.iter().map(|listed| listed.id.clone()));
    }
    all
}

impl Channel {
    fn told(&self) -> MutexGuard<'_, Option<ReplayList>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want(&self, all: BTreeSet<MatchId>) {
        self.wanted.send_if_modified(|wanted| {
            let changed = *wanted != all;
            *wanted = all;
            changed
        });
    }

    /// The list that was told last, where it names other matches by now: a score may come long after its picture.
    fn renamed(&self, played: &[Played]) -> Option<ReplayList> {
        let mut told = self.told();
        let list = told.as_mut()?;
        let before = list.clone();
        let all = name_matches(list, played);
        if *list == before {
            return None;
        }
        list.revision = clock::steady().0.max(list.revision.saturating_add(1));
        self.want(all);
        Some(list.clone())
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn shown(&mut self, document: Option<&Document>, window: Option<(MediaTime, MediaTime)>) -> Shown {
        let Some(document) = document else { return Shown::default() };
        let now = (document.match_id.clone(), document.revision);
        if self.document.as_ref() != Some(&now) {
            let begins = document.begins();
            if let Some((match_id, _)) = self.document.take().filter(|(match_id, _)| *match_id != now.0) {
                // Whoever begins the next match has left the one before, finished or not.
                let left = |range: Range| match begins {
                    Some(begins) => range.left(&document.match_id, begins),
                    None => range,
                };
                let ranges = self.ranges.drain(..).map(left).collect();
                self.past.push(Past { match_id, begins: self.begins, ranges });
            }
            // The start of what began later was undone.
            self.past.retain(|past| past.match_id != now.0 && past.begins <= begins);
            (self.ranges, self.begins, self.document) = (document.ranges(), begins, Some(now));
        }
        let revision = document.revision;
        let Some((from, to)) = window else { return Shown { revision, ranges: Vec::new() } };
        for past in &mut self.past {
            past.ranges.retain(|range| range.overlaps(from, to));
        }
        self.past.retain(|past| !past.ranges.is_empty());
        let all = self.past.iter().flat_map(|past| &past.ranges).chain(&self.ranges);
        let mut ranges: Vec<Range> = all.filter(|range| range.overlaps(from, to)).cloned().collect();
        ranges.sort_by_key(|range| range.start);
        ranges.drain(..ranges.len().saturating_sub(RANGES_MAX));
        Shown { revision, ranges }
    }
}

/// Takes the matches of a channel's recordings to the edges.
struct Lane {
    scores: Scores,
    push: Arc<EdgePush>,
    channel: ChannelId,
    of: Arc<Channel>,
    /// Which revision of each was told, and when.
    pushed: BTreeMap<MatchId, (u64, Instant)>,
}

impl Lane {
    async fn run(mut self) {
        let Some(mut changes) = self.scores.changes(&self.channel) else { return };
        let mut wanted = self.of.wanted.subscribe();
        let mut forgot = self.push.forgot();
        loop {
            let matches = wanted.borrow_and_update().clone();
            let due = self.tell(&matches).await;
            let due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let goes_on = tokio::select! {
                changed = wanted.changed() => changed.is_ok(),
                changed = changes.changed() => {
                    if let Some(list) = self.of.renamed(&self.scores.played(&self.channel)) {
                        self.push.publish_replays(&list);
                    }
                    changed.is_ok()
                }
                changed = forgot.changed() => {
                    self.pushed.clear();
                    changed.is_ok()
                }
                () = due => true,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Tells what is new of these matches. Returns when to look again, where something waits for its time.
    async fn tell(&mut self, matches: &BTreeSet<MatchId>) -> Option<Instant> {
        self.pushed.retain(|match_id, _| matches.contains(match_id));
        let mut next: Option<Instant> = None;
        for played in self.scores.played(&self.channel) {
            if !matches.contains(&played.match_id) {
                continue;
            }
            if let Some((revision, at)) = self.pushed.get(&played.match_id) {
                let due = *at + WHOLE_EVERY;
                if *revision == played.revision {
                    continue;
                }
                if !played.finished && due > Instant::now() {
                    next = Some(next.map_or(due, |next| next.min(due)));
                    continue;
                }
            }
            self.tell_match(&played).await;
        }
        next
    }

    async fn tell_match(&mut self, played: &Played) {
        match self.scores.whole(&self.channel, &played.match_id).await {
            Ok(Some(document)) => {
                while !self.push.publish_match(&document) {
                    sleep(PAUSE).await;
                }
                self.pushed.insert(played.match_id.clone(), (document.revision, Instant::now()));
            }
            // Its start was undone.
            Ok(None) => {}
            Err(error) => {
                tracing::error!(channel = %self.channel, %error, "replays lack the score of a match");
                self.pushed.insert(played.match_id.clone(), (played.revision, Instant::now()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use railbird_core::score::{Class, ENTRIES_MAX, Event, Log, Offer, Offsets, Position};
    use railbird_core::time::UtcMs;

    use super::*;

    const NOW: u64 = 1_795_171_920_000;

    /// A match that begins so many seconds after [`NOW`], with a turn of five seconds.
    fn document(match_id: &str, begins_s: u64) -> Document {
        let start = r#"{"type":"start","title":"Final","discipline":"three-cushion","breaks":0,"sides":[{"name":"A"},{"name":"B"}]}"#;
        let actions = [start, r#"{"type":"end_inning","side":0}"#];
        let mut log = Log::new();
        for (seq, action) in (1..).zip(actions) {
            let occurred = NOW + begins_s * 1000 + (seq - 1) * 5000;
            let event =
                Event::from_json(format!(r#"{{"occurred":{occurred},"action":{action}}}"#).as_bytes());
            assert_eq!(log.offer(Position { epoch: 1, seq }, event.unwrap(), None), Offer::Accept);
        }
        let channel = "table-1".parse().unwrap();
        let revision = NOW + begins_s;
        let of = match_id.parse().unwrap();
        log.document(channel, of, revision, UtcMs(revision), ENTRIES_MAX, &Offsets::default()).unwrap()
    }

    #[test]
    fn playlists_tell_of_what_lies_in_their_window_the_match_before_included() {
        let at = |s: u64| UtcMs(NOW + s * 1000).media();
        let told = |shown: Shown| -> Vec<(Class, u64)> {
            let since = |range: &Range| (range.start.utc().0 - NOW) / 1000;
            shown.ranges.iter().map(|range| (range.class, since(range))).collect()
        };
        let mut said = Said::default();
        assert_eq!(said.shown(None, Some((at(0), at(60)))), Shown::default());
        let (first, second) = (document("first", 10), document("second", 100));
        let whole = [(Class::Match, 10), (Class::Inning, 10)];
        assert_eq!(told(said.shown(Some(&first), Some((at(0), at(60))))), whole);
        assert_eq!(told(said.shown(Some(&first), Some((at(0), at(10))))), [], "it has not begun there");
        assert_eq!(told(said.shown(Some(&first), Some((at(15), at(60))))), whole[..1]);
        assert_eq!(told(said.shown(Some(&first), None)), []);
        let both = said.shown(Some(&second), Some((at(0), at(200))));
        assert_eq!(both.revision, second.revision);
        assert_eq!(told(both.clone()), [whole[0], whole[1], (Class::Match, 100), (Class::Inning, 100)]);
        // The second one's start is undone: the first one goes on under the name that it had, and nothing is said of the other.
        let again = Document { revision: second.revision + 1, ..first.clone() };
        let alone = said.shown(Some(&again), Some((at(0), at(200))));
        assert_eq!(told(alone.clone()), whole);
        let names = |shown: &Shown, until| -> Vec<String> {
            shown.ranges.iter().filter_map(|range| range.before(until)).map(|range| range.id).collect()
        };
        assert_eq!(names(&alone, at(200)), names(&both, at(99))[..2]);
        assert!(!names(&both, at(200)).contains(&names(&alone, at(200))[0]), "it was told with an end");
        let nothing = Document { entries: Vec::new(), turns: Vec::new(), ..again.clone() };
        let nothing = Document { match_id: second.match_id.clone(), revision: again.revision + 1, ..nothing };
        assert_eq!(told(said.shown(Some(&nothing), Some((at(0), at(200))))), []);
        let third = Document { revision: nothing.revision + 1, ..second.clone() };
        assert_eq!(told(said.shown(Some(&third), Some((at(0), at(200))))), told(both)[2..]);
        let second = third;
        // What has left the window does not come back with it.
        assert_eq!(told(said.shown(Some(&second), Some((at(300), at(400))))), [(Class::Match, 100)]);
    }
}
