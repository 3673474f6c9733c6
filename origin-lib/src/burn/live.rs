//! Burns the score into what a channel pushes, while it is played.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use railbird_core::fmp4;
use railbird_core::media::{AudioCoding, FeedEvent, Frame, Kind, Sample, Tracks};
use railbird_core::programme::Passed;
use railbird_core::score::Document;
use railbird_core::time::{MediaSpan, MediaTime};
use tokio::process::ChildStdout;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::board::View;
use super::ffmpeg::{self, Shown};
use super::line::{Line, Step};
use super::{Figures, Labels, Metrics, Painter, Settings, State};
use crate::clock;
use crate::ffmpeg::{
    BEGIN_MS, END_MS, Failure, Further, MediaSender, Over, PICTURE_MAX, Pause, Running, read_flv, supervise,
};
use crate::push::Queue;

/// A channel that brings nothing for this long has nothing to push.
const IDLE: Duration = Duration::from_secs(10);

/// Where scores come from.
pub type Scores = watch::Receiver<Option<Arc<Document>>>;

/// Takes what has the score in it.
pub(crate) type Sink = Arc<dyn Fn(&Passed) + Send + Sync>;

/// What goes into one burn-in.
struct Source {
    queue: Arc<Queue>,
    scores: Scores,
    line: Line,
    figures: Figures,
    /// Given out by [`Source::next`] again.
    back: Option<Step>,
}

/// One burn-in.
pub(crate) struct Burner {
    settings: Settings,
    source: Source,
    state: watch::Sender<State>,
    sink: Sink,
    /// Decoding times of what was given out: what comes after lies behind them.
    last: [Option<MediaTime>; 2],
}

/// What a burn-in begins with.
enum First {
    /// A key frame of the picture.
    Key(Passed),
    /// Something that has no picture with it.
    NoPicture,
    /// Nothing comes any more, or for a while.
    None,
}

impl Burner {
    /// Samples come out of `queue` and go to `sink`.
    pub(crate) fn new(
        settings: &Settings,
        queue: Arc<Queue>,
        scores: Scores,
        metrics: &Metrics,
        labels: &Labels,
        sink: Sink,
    ) -> (Burner, watch::Receiver<State>) {
        queue.open();
        let (state, seen) = watch::channel(State::Idle);
        let line = Line::new(settings.delay_ms.into(), settings.theme.words().clone());
        let source = Source { queue, scores, line, figures: metrics.of(labels), back: None };
        (Burner { settings: settings.clone(), source, state, sink, last: [None; 2] }, seen)
    }

    /// Until the queue is closed and all that was in it has come out.
    pub(crate) async fn run(mut self) {
        self.source.score();
        let mut pause = Pause::default();
        loop {
            // Only from a key frame on can anything be made of it.
            let first = match self.source.first().await {
                First::Key(first) => first,
                First::NoPicture => {
                    self.failed(&Failure::NoPicture);
                    continue;
                }
                First::None if self.source.queue.is_closed() => return,
                First::None => {
                    self.state.send_replace(State::Idle);
                    continue;
                }
            };
            let began = clock::moment();
            let ended = self.session(first).await;
            self.source.figures.up.set(0);
            let ran_ms = clock::moment().ms_since(began.up_ms);
            match &ended {
                Ok(Over::Closed) => return,
                Ok(Over::Changed) => {}
                Ok(Over::Idle) => _ = self.state.send_replace(State::Idle),
                Err(failure) => self.failed(failure),
            }
            let Some(wait) = pause.after(&ended, ran_ms) else { continue };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.source.queue.closed() => return,
            }
        }
    }

    fn failed(&self, failure: &Failure) {
        let reason = failure.to_string();
        if matches!((&*self.state.borrow(), failure), (State::Failing { reason: told, .. }, Failure::NoPicture) if *told == reason)
        {
            return;
        }
        tracing::warn!(reason, "the score can't be burnt in; it is tried again by itself");
        let since = match &*self.state.borrow() {
            State::Failing { since, .. } => *since,
            _ => clock::now(),
        };
        self.state.send_replace(State::Failing { since, reason });
    }

    /// One ffmpeg, from a key frame on.
    async fn session(&mut self, first: Passed) -> Result<Over, Failure> {
        let Some(video) = first.tracks.video.clone() else { return Ok(Over::Changed) };
        if video.width.max(video.height) > PICTURE_MAX {
            return Err(Failure::Large { width: video.width, height: video.height, most: PICTURE_MAX });
        }
        let (theme, picture) = (self.settings.theme.clone(), (video.width.into(), video.height.into()));
        let painter = tokio::task::spawn_blocking(move || Painter::new(&theme, picture)).await;
        let painter = painter.map_err(|error| Failure::Output(error.to_string()))?;
        let frame = painter.board.frame();
        let sound = first.tracks.audio.as_ref().map(|audio| audio.coding);
        let arguments = arguments(&self.settings, &format!("{}[v]", ffmpeg::overlay(frame, picture)), sound);
        let running = Running::start(&self.settings.ffmpeg, Further::Input, arguments)?;
        self.source.figures.starts.inc();
        let Running { child, output, media: media_pipe, input, said, .. } = running;
        let began = first.sample.dts + MediaSpan::from_ms(-BEGIN_MS);
        let taker = Taker {
            began,
            sink: Arc::clone(&self.sink),
            figures: self.source.figures.clone(),
            state: &self.state,
            last: &mut self.last,
            tracks: Tracks::default(),
        };
        let (media, media_of) = crate::ffmpeg::media();
        let (boards, boards_of) = mpsc::channel(ffmpeg::BOARDS_MAX);
        let drawn = self.source.figures.drawn.clone();
        let tracks = Arc::clone(&first.tracks);
        let feeder = Feeder { began, painter: Some(painter), tracks, media, boards, told_ms: None, drawn };
        let write = ffmpeg::write((media_pipe, input), media_of, boards_of, (frame.width, frame.height));
        let feed = async { tokio::join!(self.source.feed(first, feeder), write).0 };
        // A push has no clock that it must keep up with: what is late is dropped before it is encoded.
        supervise((child, said), feed, taker.take(output), pending()).await
    }
}

/// What ffmpeg is to make of it.
fn arguments(settings: &Settings, filter: &str, sound: Option<AudioCoding>) -> Vec<String> {
    let mut arguments = vec!["-filter_complex".to_string(), filter.to_string()];
    let mut add = |more: &[&str]| arguments.extend(more.iter().map(ToString::to_string));
    add(&["-map", "[v]", "-map", "0:a?", "-c:v", "libx264", "-preset", settings.preset]);
    add(match sound {
        // What goes out is FLV, which not every ffmpeg can put Opus into.
        Some(AudioCoding::Opus) => &["-c:a", "aac", "-b:a", "160k"],
        _ => &["-c:a", "copy"],
    });
    let (bitrate, buffer) =
        (format!("{}k", settings.bitrate_kbps), format!("{}k", u64::from(settings.bitrate_kbps) * 2));
    add(&["-b:v", &bitrate, "-maxrate", &bitrate, "-bufsize", &buffer, "-fps_mode", "passthrough"]);
    add(&ffmpeg::keys().each_ref().map(String::as_str));
    add(&["-flush_packets", "1", "-flvflags", "no_duration_filesize"]);
    add(&["-f", "flv", "pipe:1"]);
    arguments
}

impl Source {
    fn score(&mut self) {
        let document = self.scores.borrow_and_update().clone();
        if let Some(document) = document {
            self.line.score(document);
        }
    }

    /// What is next; `None` where nothing comes any more, or for a while.
    async fn next(&mut self) -> Option<Step> {
        if let Some(step) = self.back.take() {
            return Some(step);
        }
        loop {
            let up_ms = clock::moment().up_ms;
            self.line.run(up_ms);
            if let Some(step) = self.line.poll() {
                return Some(step);
            }
            let wait =
                self.line.due_ms().map_or(IDLE, |due| Duration::from_millis(due.saturating_sub(up_ms)));
            tokio::select! {
                biased;
                passed = self.queue.next() => match passed {
                    Some(passed) => self.line.sample(passed, clock::moment().up_ms),
                    None => {
                        self.line.end();
                        return self.line.poll();
                    }
                },
                changed = self.scores.changed() => match changed {
                    Ok(()) => self.score(),
                    // No score comes any more: the origin ends.
                    Err(_) => self.queue.close(),
                },
                () = sleep(wait) => {
                    self.line.due_ms()?;
                }
            }
            let early = self.line.early();
            self.figures.early.inc_by(early.saturating_sub(self.figures.early.get()));
        }
    }

    /// The next key frame of the picture.
    async fn first(&mut self) -> First {
        loop {
            match self.next().await {
                Some(Step::Sample(passed)) if passed.sample.kind == Kind::Video && passed.sample.key => {
                    return First::Key(passed);
                }
                Some(Step::Sample(passed)) if passed.tracks.video.is_none() => return First::NoPicture,
                Some(_) => {}
                None => return First::None,
            }
        }
    }

    /// Gives what is next to ffmpeg, from `first` on, until nothing more comes.
    /// `None`: it takes no more.
    async fn feed(&mut self, first: Passed, mut feeder: Feeder) -> Option<Over> {
        // The board that is there before the first frame.
        feeder.head().await?;
        feeder.board(feeder.began, self.line.view()).await?;
        let mut step = Some(Step::Sample(first));
        loop {
            match step {
                None if self.queue.is_closed() => return Some(Over::Closed),
                None => return Some(Over::Idle),
                Some(Step::Board(at, view)) => feeder.board(at, view).await?,
                Some(Step::Sample(passed)) => {
                    if *passed.tracks != *feeder.tracks || feeder.at_ms(passed.sample.dts) > END_MS {
                        self.back = Some(Step::Sample(passed));
                        return Some(Over::Changed);
                    }
                    feeder.sample(&passed.sample).await?;
                }
            }
            step = self.next().await;
        }
    }
}

/// What goes to one ffmpeg. `None`: it takes no more.
struct Feeder {
    /// Where its clock begins.
    began: MediaTime,
    /// None: it could not draw.
    painter: Option<Painter>,
    tracks: Arc<Tracks>,
    media: MediaSender,
    boards: mpsc::Sender<Shown>,
    /// From when on the last board is shown.
    told_ms: Option<u64>,
    drawn: Counter,
}

impl Feeder {
    fn at_ms(&self, at: MediaTime) -> u64 {
        at.0.saturating_sub(self.began.0) / 90
    }

    async fn head(&mut self) -> Option<()> {
        self.media.send(fmp4::init(&self.tracks).into()).await
    }

    async fn board(&mut self, at: MediaTime, view: Option<Arc<View>>) -> Option<()> {
        let pixels = self.pixels(view).await?;
        let at_ms = self.at_ms(at);
        // Two changes within a millisecond are one.
        if self.told_ms.is_some_and(|told| told >= at_ms) {
            return Some(());
        }
        self.told_ms = Some(at_ms);
        self.boards.send(Shown { at_ms, pixels }).await.ok()
    }

    /// Drawing takes its time, and is done where it holds nobody up.
    async fn pixels(&mut self, view: Option<Arc<View>>) -> Option<Arc<Vec<u8>>> {
        let mut painter = self.painter.take()?;
        if !painter.is_shown(view.as_ref()) {
            self.drawn.inc();
            painter = tokio::task::spawn_blocking(move || painter.shows(view)).await.ok()?;
        }
        let pixels = painter.pixels();
        self.painter = Some(painter);
        Some(pixels)
    }

    async fn sample(&mut self, sample: &Sample) -> Option<()> {
        // What is from before the beginning is left out.
        let Some(fragment) = crate::ffmpeg::fragment(sample, &self.tracks, self.began) else {
            return Some(());
        };
        self.media.send(fragment).await
    }
}

/// Takes what ffmpeg gives.
struct Taker<'a> {
    began: MediaTime,
    sink: Sink,
    figures: Figures,
    state: &'a watch::Sender<State>,
    last: &'a mut [Option<MediaTime>; 2],
    tracks: Tracks,
}

impl Taker<'_> {
    async fn take(mut self, output: ChildStdout) -> Result<(), Failure> {
        let mut tracks = Arc::new(Tracks::default());
        let take = |event| match event {
            FeedEvent::Video(video) => self.tracks.video = Some(video),
            FeedEvent::Audio(audio) => self.tracks.audio = Some(audio),
            FeedEvent::Frame(frame) => {
                if *tracks != self.tracks {
                    tracks = Arc::new(self.tracks.clone());
                }
                self.give(frame, &tracks);
            }
            FeedEvent::Captured(_)
            | FeedEvent::Splice(_)
            | FeedEvent::Further { .. }
            | FeedEvent::Language { .. } => {}
        };
        read_flv(output, take).await
    }

    fn give(&mut self, frame: Frame, tracks: &Arc<Tracks>) {
        let dts = self.began + MediaSpan::from_ms(frame.dts_ms);
        let last = &mut self.last[usize::from(frame.kind == Kind::Audio)];
        if last.is_some_and(|last| dts <= last) {
            return;
        }
        *last = Some(dts);
        if frame.kind == Kind::Video {
            self.figures.frames.inc();
            self.figures.up.set(1);
            if !matches!(*self.state.borrow(), State::Running { .. }) {
                self.state.send_replace(State::Running { since: clock::now() });
            }
        }
        let Frame { kind, cts, key, leading, data, .. } = frame;
        let sample = Sample { kind, dts, cts, key, leading, data };
        (self.sink)(&Passed { tracks: Arc::clone(tracks), sample });
    }
}
