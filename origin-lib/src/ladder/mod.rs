//! A channel's quality ladder: further renditions that a supervised ffmpeg makes of the source, each cut where the source is.
//!
//! One ffmpeg makes all rungs of a channel, so that the source is decoded once. It gets the pictures as they are used, through a
//! queue of its own that drops whole groups of pictures once that is full; the sound of the rungs is the source's. What ffmpeg
//! gives is put onto the source's cuts by [`railbird_core::ladder`]. The source waits for none of it: where ffmpeg is slow,
//! missing or dead, rungs have gaps, and it is started again. One that has been left behind is begun anew with what is newest, and
//! so is one that hangs or gives what is no use. It stands back where the processor is short, and leaves one to the source.
//!
//! A rung larger than the source is not made, and none is of a high dynamic range.

mod run;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use railbird_core::id::{ChannelId, RenditionId};
use railbird_core::keys::MasterSecret;
use railbird_core::ladder::{Assembler, Output};
use railbird_core::media::{Cut, FeedEvent, Frame, Kind, Sample};
use railbird_core::package;
use railbird_core::programme::Passed;
use railbird_core::time::{MediaSpan, MediaTime};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::clock;
use crate::config;
use crate::driver::{Made, Message, Sender};
use crate::ingest::Tap;
use crate::push::Queue;
use crate::spool::Spool;
use crate::telemetry;

/// After a loss, `/healthz` names it for so long, in milliseconds.
const LOSS_SHOWN_MS: u64 = 30_000;

/// How long the end of a channel waits for what ffmpeg still has.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// One rung: `[[channel.ladder]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The rendition's name, in playlists and in object names.
    pub name: RenditionId,
    /// How high its picture is, in pixels; how wide, follows.
    pub height: u16,
    /// Of its picture, in kilobits a second.
    pub video_kbps: u32,
    /// One of x264's presets: how it trades time for quality.
    pub preset: &'static str,
}

/// How a ladder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No feed comes.
    Idle,
    /// ffmpeg encodes.
    Running,
    /// It does not; it is started again and again. Why, in a sentence.
    Failing(String),
}

/// The ladders of all channels that have one. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ladders(Arc<BTreeMap<ChannelId, Arc<Ladder>>>);

/// Where what they make goes.
#[derive(Clone, Debug)]
pub struct Way {
    /// The disk.
    pub spool: Spool,
    /// The desk.
    pub desk: Sender,
}

/// One channel's ladder.
#[derive(Debug)]
pub struct Ladder {
    channel: ChannelId,
    rungs: Vec<Rung>,
    ffmpeg: PathBuf,
    queue: Arc<Queue>,
    makers: Vec<Mutex<Assembler>>,
    way: Way,
    figures: Vec<RungFigures>,
    figure: Figures,
    state: watch::Sender<State>,
    /// When something was lost last though ffmpeg ran, on the clock of [`railbird_core::time::Moment::up_ms`]; 0: never.
    lost_at: AtomicU64,
    /// What ffmpeg has is wanted now.
    flush: Notify,
    /// What ffmpeg gives comes too late to be of use.
    behind: Notify,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
struct Figures {
    up: Gauge,
    starts: Counter,
    behind: Counter,
}

#[derive(Debug)]
struct RungFigures {
    made: Counter,
    lost: Counter,
    /// It would be larger than the source, and is not made.
    left_out: AtomicBool,
}

impl Ladders {
    /// Starts a task for each channel that has a ladder.
    pub fn start(
        config: &config::Config,
        secret: &MasterSecret,
        way: &Way,
        metrics: &telemetry::Metrics,
        tasks: &mut JoinSet<()>,
    ) -> Ladders {
        let wanted = || config.channels.iter().filter(|channel| !channel.ladder.is_empty());
        if wanted().next().is_none() {
            return Ladders::default();
        }
        let (up, starts) = (Family::<Labels, Gauge>::default(), Family::<Labels, Counter>::default());
        let (dropped, behind) = (Family::<Labels, Counter>::default(), Family::<Labels, Counter>::default());
        let (made, lost) = (Family::<Labels, Counter>::default(), Family::<Labels, Counter>::default());
        metrics.register(|r| {
            r.register("ladder_up", "1 while ffmpeg makes the channel's ladder", up.clone());
            r.register("ladder_starts", "How often ffmpeg was started for it", starts.clone());
            r.register("ladder_behind", "How often it was left behind, and begun anew", behind.clone());
            r.register("ladder_dropped", "Pictures that ffmpeg was too slow for", dropped.clone());
            r.register("ladder_segments", "Segments of the rendition that were made", made.clone());
            r.register("ladder_lost", "Segments of the rendition that are gaps", lost.clone());
        });
        let ladders = wanted().map(|channel| {
            let labels = vec![("channel", channel.id.to_string())];
            let of = |rung: &Rung| [labels.clone(), vec![("rendition", rung.name.to_string())]].concat();
            let package = |rung: &Rung| package::Settings {
                channel: channel.id.clone(),
                rendition: rung.name.clone(),
                segment_ms: channel.segment_ms,
                part_ms: None,
                frames: false,
                key_period_s: channel.key_period_s,
                secret: secret.clone(),
            };
            let rungs = &channel.ladder;
            let ladder = Arc::new(Ladder {
                channel: channel.id.clone(),
                rungs: rungs.clone(),
                ffmpeg: config.ffmpeg.clone(),
                queue: Arc::new(Queue::new(dropped.get_or_create_owned(&labels))),
                makers: rungs.iter().map(|rung| Mutex::new(Assembler::new(package(rung)))).collect(),
                way: way.clone(),
                figures: rungs
                    .iter()
                    .map(|rung| RungFigures {
                        made: made.get_or_create_owned(&of(rung)),
                        lost: lost.get_or_create_owned(&of(rung)),
                        left_out: AtomicBool::new(false),
                    })
                    .collect(),
                figure: Figures {
                    up: up.get_or_create_owned(&labels),
                    starts: starts.get_or_create_owned(&labels),
                    behind: behind.get_or_create_owned(&labels),
                },
                state: watch::Sender::new(State::Idle),
                lost_at: AtomicU64::new(0),
                flush: Notify::new(),
                behind: Notify::new(),
            });
            tasks.spawn(run::run(Arc::clone(&ladder)));
            (channel.id.clone(), ladder)
        });
        Ladders(Arc::new(ladders.collect()))
    }

    /// The ladder of a channel that has one.
    pub fn get(&self, channel: &ChannelId) -> Option<Arc<Ladder>> {
        self.0.get(channel).cloned()
    }

    /// What is wrong with them, for `/healthz`: what, of which channel, and a sentence.
    pub fn unwell(&self) -> Vec<(&'static str, String, String)> {
        let of = |ladder: &Arc<Ladder>| Some(("ladder", ladder.channel.to_string(), ladder.complaint()?));
        self.0.values().filter_map(of).collect()
    }

    /// What ffmpeg still has comes out now, or not at all: the origin is about to stop.
    pub async fn flush(&self) {
        for ladder in self.0.values() {
            ladder.flush().await;
        }
    }
}

impl Ladder {
    /// Takes the channel's samples as they are used.
    pub(crate) fn tap(self: &Arc<Self>) -> Tap {
        let ladder = Arc::clone(self);
        Arc::new(move |passed: &Passed| {
            if passed.sample.kind != Kind::Video {
                return;
            }
            // ffmpeg begins with it, a moment later. A feed that waited for its anchor comes all at once: what is cut of it meanwhile
            // waits for ffmpeg, too.
            if passed.sample.key && *ladder.state.borrow() == State::Idle {
                for place in 0..ladder.makers.len() {
                    // Looked at once more, where ffmpeg's session comes after this or before: it may leave the rung out.
                    let begin = |maker: &mut Assembler| {
                        if *ladder.state.borrow() == State::Idle {
                            maker.begin();
                        }
                    };
                    ladder.with(place, begin);
                }
            }
            ladder.queue.push(passed);
        })
    }

    /// The source was cut. Nothing here waits.
    pub(crate) fn cut(&self, cut: &Cut) {
        for place in 0..self.makers.len() {
            let cut = |maker: &mut Assembler| {
                maker.cut(cut);
                maker.is_left_behind()
            };
            if self.with(place, cut) == Some(true) {
                self.behind.notify_one();
            }
        }
    }

    /// What ffmpeg still has is wanted now: the feed has ended.
    pub(crate) fn hurry(&self) {
        if *self.state.borrow() == State::Running {
            self.flush.notify_one();
        }
    }

    /// What ffmpeg still has comes out now, or not at all: the channel is about to end.
    pub(crate) async fn flush(&self) {
        let mut state = self.state.subscribe();
        self.hurry();
        // One that takes longer is not waited for: it leaves a gap, and the end is told without it.
        let over = state.wait_for(|state| *state != State::Running);
        if tokio::time::timeout(FLUSH_MAX, over).await.is_err() {
            (0..self.makers.len()).for_each(|place| _ = self.with(place, Assembler::give_up));
        }
    }

    fn with<T>(&self, place: usize, act: impl FnOnce(&mut Assembler) -> T) -> Option<T> {
        // Nothing panics while it holds the lock.
        let mut maker = self.makers.get(place)?.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = act(&mut maker);
        // In order, because the lock is held.
        while let Some(output) = maker.poll() {
            self.give(place, output);
        }
        Some(answer)
    }

    fn give(&self, place: usize, output: Output) {
        let (Some(rung), Some(figures)) = (self.rungs.get(place), self.figures.get(place)) else { return };
        match output {
            Output::Object(object) => {
                if matches!(object.kind, package::Kind::Rung(_, package::Rung::Segment { .. })) {
                    figures.made.inc();
                }
                // A disk that is behind is told of with the source's.
                let _ = self.way.spool.write(Made { channel: self.channel.clone(), object });
            }
            Output::Lost(start) => {
                let left_out = figures.left_out.load(Ordering::Relaxed);
                figures.lost.inc_by(u64::from(!left_out));
                if !left_out && *self.state.borrow() == State::Running {
                    self.lost_at.store(clock::moment().up_ms.max(1), Ordering::Relaxed);
                }
                let (channel, rung) = (self.channel.clone(), rung.name.clone());
                // Where there is no room, the gap is listed somewhat later.
                let _ = self.way.desk.try_send(Message::RungLost { channel, rung, start });
            }
        }
    }

    /// Takes what ffmpeg gives of one rung, whose clock begins there.
    fn take(&self, place: usize, event: FeedEvent, began: MediaTime) {
        match event {
            FeedEvent::Video(video) => _ = self.with(place, |maker| maker.video(video)),
            FeedEvent::Frame(Frame { kind: kind @ Kind::Video, dts_ms, cts, key, leading, data }) => {
                let dts = began + MediaSpan::from_ms(dts_ms);
                let sample = Sample { kind, dts, cts, key, leading, data };
                self.with(place, |maker| maker.picture(sample));
            }
            FeedEvent::Audio(_)
            | FeedEvent::Frame(_)
            | FeedEvent::Captured(_)
            | FeedEvent::Splice(_)
            | FeedEvent::Further { .. }
            | FeedEvent::Language { .. } => {}
        }
    }

    fn complaint(&self) -> Option<String> {
        if let State::Failing(reason) = &*self.state.borrow() {
            return Some(format!("its further renditions have gaps: {reason}"));
        }
        let lost_at = self.lost_at.load(Ordering::Relaxed);
        let recent = lost_at > 0 && clock::moment().ms_since(lost_at) < LOSS_SHOWN_MS;
        recent.then(|| {
            "its further renditions have gaps: this machine is too slow for them, or they have just begun; try a quicker preset, or fewer of them".to_string()
        })
    }
}
