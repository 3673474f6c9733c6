//! The score burnt into a push, by a real ffmpeg, to a server that is not ours.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_core::calibration::{Picture, code, find};
use railbird_core::media::{Kind, Tracks};
use railbird_core::programme::Passed;
use railbird_core::rtmp::Url;
use railbird_core::score::{
    Action, Discipline, Document, ENTRIES_MAX, Event, Log, Offsets, Player, Position, Side, Start,
};
use railbird_core::time::{MediaSpan, MediaTime, UtcMs};
use railbird_origin::burn::{self, Theme};
use railbird_origin::config;
use railbird_origin::evidence::Evidence;
use railbird_origin::ingest::Tap;
use railbird_origin::push::{self, Pushes, State};
use railbird_origin::telemetry::Metrics;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::backup::times;
use crate::demo::{PATIENCE, finish, workspace};
use crate::play::ffmpeg;
use crate::push::{Server, passed};
use crate::score_clock::{PICTURE_MS, SIZE, picture};

/// By which the processes of this test are told from others'.
const BITRATE_KBPS: u32 = 1_931;

/// Where the board is in the camera's picture, beside the code, in pixels: left, top, width, height.
const BOARD: [usize; 4] = [16, 274, 144, 70];

/// How many pictures are filmed, each with its own code.
const FILMED: u64 = 150;

/// From sample to sample, four times as fast as they were filmed.
const PACE: Duration = Duration::from_millis(10);

/// A match whose first side has a point at each of these moments.
fn document(begins: MediaTime, points: &[MediaTime]) -> anyhow::Result<Arc<Document>> {
    let player = |name: &str| Player { name: name.into(), country: None };
    let start = Start::new("T".into(), Discipline::ThreeCushion, [player("A"), player("B")], Side::First);
    let points = points.iter().map(|at| (*at, Action::Points { side: Side::First, points: 7, code: None }));
    let mut log = Log::new();
    for (seq, (at, action)) in (1..).zip([(begins, Action::Start(start))].into_iter().chain(points)) {
        let event = Event { occurred: at.utc(), entered: None, scorer: None, action, state: None };
        log.offer(Position { epoch: 1, seq }, event, None);
    }
    let document = log.document("t".parse()?, "m".parse()?, 1, UtcMs(1), ENTRIES_MAX, &Offsets::default());
    document.map(Arc::new).context("no document")
}

struct Bench {
    pushes: Pushes,
    tap: Tap,
    state: watch::Receiver<State>,
    burn_in: watch::Receiver<burn::State>,
    _dir: tempfile::TempDir,
    server: Server,
}

impl Bench {
    /// A push to a server that is there already.
    async fn start(scores: watch::Receiver<Option<Arc<Document>>>, program: &str) -> anyhow::Result<Bench> {
        let dir = tempfile::tempdir()?;
        let server = Server::start(dir.path())?;
        let light = std::fs::read_to_string(workspace().join("origin-lib/themes/light.toml"))?;
        std::fs::write(dir.path().join("narrow.toml"), light.replace("width = 780", "width = 430"))?;
        let settings = burn::Settings {
            theme: Theme::load("narrow.toml", dir.path())?,
            delay_ms: 0,
            bitrate_kbps: BITRATE_KBPS,
            preset: "ultrafast",
            ffmpeg: program.into(),
        };
        let url = Url::with_key(&format!("rtmp://127.0.0.1:{}/live", server.port), "key".into())?;
        let (id, channel) = ("p".parse()?, "t".parse()?);
        let config = config::Push { id, channel, url, optional: false, burn_in: Some(settings) };
        let (evidence, metrics) = (Evidence::start(&dir.path().join("evidence"))?, Metrics::new());
        let pushes = Pushes::start(
            std::slice::from_ref(&config),
            &push::roots()?,
            |_| Some(scores.clone()),
            &evidence,
            &metrics,
        );
        let tap = pushes.taps(&config.channel).pop().context("no tap")?;
        let state = pushes.state(&config.id).context("no state")?;
        let burn_in = pushes.burn_in(&config.id).context("no burn-in")?;
        Ok(Bench { pushes, tap, state, burn_in, _dir: dir, server })
    }

    /// Waits until the destination takes what comes out.
    async fn pushing(&mut self) -> anyhow::Result<()> {
        let pushing = self.state.wait_for(|state| matches!(state, State::Pushing { .. }));
        let pushing = timeout(PATIENCE, pushing).await.map(|state| state.is_ok());
        ensure!(
            pushing == Ok(true),
            "nothing is pushed: {:?}, {:?}",
            *self.state.borrow(),
            *self.burn_in.borrow()
        );
        Ok(())
    }

    async fn burn_in(&mut self, is: impl Fn(&burn::State) -> bool) -> anyhow::Result<burn::State> {
        Ok(timeout(PATIENCE, self.burn_in.wait_for(is))
            .await
            .context("the burn-in does not get there")??
            .clone())
    }
}

/// When the film's first picture is shown.
const BEGIN: UtcMs = UtcMs(1_795_171_920_000);

/// What a channel brings of a camera that films the time, with sound, over and over on one line of media time: what goes on.
async fn film(dir: &Path) -> anyhow::Result<impl Iterator<Item = Passed> + use<>> {
    let file = dir.join("film.flv");
    let size = format!("{}x{}", SIZE[0], SIZE[1]);
    let mut encode = ffmpeg();
    encode.args([
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-video_size",
        &size,
        "-framerate",
        "25",
        "-i",
        "pipe:0",
    ]);
    encode.args(["-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100", "-shortest"]);
    encode.args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "2"]);
    encode.args(["-c:a", "aac"]).arg(&file);
    let mut encoder = encode.stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut input = encoder.stdin.take().context("stdin")?;
    for n in 0..FILMED {
        input.write_all(&picture(code::tick(UtcMs(n * PICTURE_MS)))).await?;
    }
    drop(input);
    ensure!(timeout(PATIENCE, encoder.wait()).await??.success());
    let mut filmed = passed(&file)?;
    let of = |kind| move |passed: &&Passed| passed.sample.kind == kind;
    ensure!(filmed.iter().filter(of(Kind::Video)).count() as u64 == FILMED);
    ensure!(
        filmed.iter().filter(of(Kind::Video)).any(|passed| passed.sample.cts > 0),
        "no picture is reordered"
    );
    let first =
        filmed.iter().filter(of(Kind::Video)).map(|passed| passed.sample.pts()).min().context("none")?;
    let round = FILMED * PICTURE_MS * 90;
    // The sound ends before its next round begins.
    let begin = BEGIN.media();
    let end = first.0 + round - 4_000;
    filmed.retain(|passed| passed.sample.kind == Kind::Video || passed.sample.dts.0 < end);
    Ok((0..).map(move |n| n * round).flat_map(move |later| {
        filmed.clone().into_iter().map(move |mut passed| {
            passed.sample.dts = MediaTime(passed.sample.dts.0 + begin.0 + later - first.0);
            passed
        })
    }))
}

/// The pictures that a server took: when each was filmed, and its board.
async fn shown(taken: &Path) -> anyhow::Result<Vec<(u32, Vec<u8>)>> {
    let grey = taken.with_extension("grey");
    let mut decode = ffmpeg();
    decode
        .arg("-i")
        .arg(taken)
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray"])
        .arg(&grey);
    finish(decode).await?;
    let [left, top, width, height] = BOARD;
    let mut shown = Vec::new();
    for levels in std::fs::read(grey)?.chunks_exact(SIZE[0] * SIZE[1]) {
        let tick = find(&Picture::new(SIZE[0], levels).context("no picture")?).context("no code")?;
        let lines = levels.chunks_exact(SIZE[0]).skip(top).take(height);
        shown.push((tick, lines.flat_map(|line| &line[left..left + width]).copied().collect()));
    }
    Ok(shown)
}

/// Sound goes with the picture all along, but where ffmpeg was killed.
async fn heard(taken: &Path) -> anyhow::Result<()> {
    let (sound, picture) = (times(taken, "a:0").await?, times(taken, "v:0").await?);
    let holes = sound.windows(2).filter(|pair| pair[1] - pair[0] > 2.0 * PICTURE_MS as f64).count();
    let [Some(begin), Some(end)] = [sound.first().zip(picture.first()), sound.last().zip(picture.last())]
    else {
        anyhow::bail!("no sound, or no picture")
    };
    let apart = [begin, end].map(|(sound, picture)| (sound - picture).abs());
    ensure!(holes <= 1 && apart.iter().all(|ms| *ms < 500.0), "{holes} holes; apart by {apart:?} ms");
    Ok(())
}

/// How much two boards differ, as a mean of levels.
fn difference(one: &[u8], other: &[u8]) -> f64 {
    let sum: u64 = one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / one.len() as f64
}

/// The process of ffmpeg that burns in.
fn encoder() -> anyhow::Result<String> {
    let bitrate = format!("{BITRATE_KBPS}k");
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let mut words = line.split(|byte| *byte == 0);
        if words.next() == Some(b"ffmpeg") && words.any(|word| word == bitrate.as_bytes()) {
            return Ok(entry.file_name().to_string_lossy().into());
        }
    }
    anyhow::bail!("no ffmpeg burns in")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_frame_has_the_score_of_its_own_moment_also_after_ffmpeg_was_killed() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let film = film(dir.path()).await?;
    let (scores, of_channel) = watch::channel(None);
    let mut bench = Bench::start(of_channel, "ffmpeg").await?;
    // The channel goes on for as long as it is not stopped; it says up to where it has come.
    let (come, mut comes) = watch::channel(MediaTime(0));
    let (tap, mut ticks) = (bench.tap.clone(), tokio::time::interval(PACE));
    let channel = tokio::spawn(async move {
        for passed in film {
            ticks.tick().await;
            tap(&passed);
            come.send_replace(passed.sample.dts);
        }
    });
    bench.pushing().await?;
    let State::Pushing { since } = bench.state.borrow().clone() else { anyhow::bail!("nothing is pushed") };
    let burn::State::Running { since: first } =
        bench.burn_in(|state| matches!(state, burn::State::Running { .. })).await?
    else {
        anyhow::bail!("nothing is burnt in")
    };

    let mut kill = tokio::process::Command::new("kill");
    kill.args(["-KILL", &encoder()?]);
    finish(kill).await?;
    bench.burn_in(|state| matches!(state, burn::State::Running { since } if *since > first)).await?;

    // The score of what is yet to come, as of a channel whose pictures wait for it: at a frame, before one, and behind one.
    let now = *comes.borrow_and_update();
    let [begins, one, two] = [10_000, 10_990, 12_010].map(|ms| now + MediaSpan::from_ms(ms));
    scores.send_replace(Some(document(begins, &[one, two])?));
    let end = now + MediaSpan::from_ms(13_000);
    timeout(PATIENCE, comes.wait_for(|come| *come > end)).await??;
    channel.abort();
    let state = bench.state.borrow().clone();
    ensure!(matches!(state, State::Pushing { since: still } if still == since), "it was cut off: {state:?}");
    bench.pushes.stop().await;
    timeout(PATIENCE, bench.server.end).await???;

    heard(&bench.server.taken).await?;
    let shown = shown(&bench.server.taken).await?;
    let changes = shown.windows(2).filter(|pair| difference(&pair[0].1, &pair[1].1) > 0.5);
    let changed: Vec<u32> = changes.map(|pair| pair[1].0).collect();
    // The first frame that is not before the score, by its place among the filmed.
    let first_frame = |at: MediaTime| {
        let frame = at.0.saturating_sub(BEGIN.media().0).div_ceil(PICTURE_MS * 90);
        code::tick(UtcMs(frame % FILMED * PICTURE_MS))
    };
    let expected = [begins, one, two].map(first_frame);
    ensure!(
        changed == expected,
        "boards change at {changed:?}, scores at {expected:?}, in {} pictures",
        shown.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ffmpeg_it_is_said_what_to_do() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut film = film(dir.path()).await?;
    let (_scores, of_channel) = watch::channel(None);
    let mut bench = Bench::start(of_channel, "no-such-ffmpeg").await?;
    let picture = film.find(|passed| passed.sample.kind == Kind::Video);
    (bench.tap)(&picture.context("no picture")?);
    let state = bench.burn_in(|state| matches!(state, burn::State::Failing { .. })).await?;
    let burn::State::Failing { reason, .. } = state else { anyhow::bail!("{state:?}") };
    let said = "no-such-ffmpeg can't be run: No such file or directory (os error 2). Install ffmpeg, or say where it is";
    ensure!(reason.starts_with(said), "{reason}");
    bench.server.end.abort();
    bench.pushes.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_picture_it_is_said_what_to_do() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut film = film(dir.path()).await?;
    let (_scores, of_channel) = watch::channel(None);
    let mut bench = Bench::start(of_channel, "ffmpeg").await?;
    let mut sound = film.find(|passed| passed.sample.kind == Kind::Audio).context("no sound")?;
    let audio = sound.tracks.audio.clone();
    sound.tracks = Arc::new(Tracks { video: None, audio });
    (bench.tap)(&sound);
    let state = bench.burn_in(|state| matches!(state, burn::State::Failing { .. })).await?;
    let burn::State::Failing { reason, .. } = state else { anyhow::bail!("{state:?}") };
    ensure!(reason.contains("has no picture") && reason.contains("take burn_in out of [[push]]"), "{reason}");
    bench.server.end.abort();
    bench.pushes.stop().await;
    Ok(())
}
