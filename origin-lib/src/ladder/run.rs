//! Keeps the ffmpeg of a ladder running.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::try_join_all;
use railbird_core::fmp4;
use railbird_core::media::Tracks;
use railbird_core::programme::Passed;
use railbird_core::time::{MediaSpan, MediaTime};
use tokio::time::{sleep, timeout};

use super::{Ladder, State};
use crate::clock;
use crate::ffmpeg::{
    BEGIN_MS, END_MS, FURTHER_FD, Failure, Further, MediaSender, PICTURE_MAX, Pause, Running, STUCK, ended,
    fragment, media, read_flv, write_media,
};

/// A channel that brings nothing for this long is idle: as long as what is open waits for its feed.
const IDLE: Duration = Duration::from_millis(railbird_core::programme::OPEN_MS_MAX);

/// Why no more pictures come.
enum Over {
    /// The channel brings none.
    Idle,
    /// Other parameters follow, or another stretch of time: from this picture on.
    Changed(Passed),
    /// The origin ends.
    Closed,
    /// ffmpeg takes no more.
    Refused,
}

/// Until the origin ends.
pub(super) async fn run(ladder: Arc<Ladder>) {
    ladder.queue.open();
    let (mut pause, mut first) = (Pause::default(), None);
    loop {
        let passed = match first.take() {
            Some(passed) => passed,
            None => match ladder.queue.next().await {
                Some(passed) => passed,
                None => return,
            },
        };
        // Only from a key frame on can anything be made of it.
        if !passed.sample.key {
            continue;
        }
        let began = clock::moment();
        let over = session(&ladder, passed).await;
        ladder.figure.up.set(0);
        (0..ladder.makers.len()).for_each(|place| _ = ladder.with(place, |maker| maker.end()));
        let ran_ms = clock::moment().ms_since(began.up_ms);
        let wait = match over {
            Ok(Over::Closed) => return,
            Ok(Over::Changed(passed)) => {
                first = Some(passed);
                pause.after_change(ran_ms)
            }
            Ok(Over::Idle | Over::Refused) => {
                pause = Pause::default();
                ladder.state.send_replace(State::Idle);
                None
            }
            Err(failure) => {
                let (channel, reason) = (&ladder.channel, failure.to_string());
                tracing::warn!(%channel, reason, "the ladder has gaps; ffmpeg is started again by itself");
                ladder.state.send_replace(State::Failing(reason));
                Some(pause.after_failure(ran_ms))
            }
        };
        if let Some(wait) = wait {
            tokio::select! {
                () = sleep(wait) => {}
                () = ladder.queue.closed() => return,
            }
            // What came meanwhile is lost already.
            ladder.queue.rest();
            ladder.queue.open();
        }
    }
}

/// One ffmpeg, from a key frame on.
async fn session(ladder: &Ladder, first: Passed) -> Result<Over, Failure> {
    let Some(video) = first.tracks.video.clone() else { return Err(Failure::NoPicture) };
    if video.width.max(video.height) > PICTURE_MAX {
        return Err(Failure::Large { width: video.width, height: video.height, most: PICTURE_MAX });
    }
    let running = Running::start(&ladder.ffmpeg, Further::Outputs(ladder.rungs.len()), arguments(ladder))?;
    ladder.figure.starts.inc();
    ladder.figure.up.set(1);
    ladder.state.send_replace(State::Running);
    (0..ladder.makers.len()).for_each(|place| _ = ladder.with(place, |maker| maker.begin()));
    let Running { mut child, media: media_pipe, outputs, said, .. } = running;
    let began = first.sample.dts + MediaSpan::from_ms(-BEGIN_MS);
    let (sender, receiver) = media();
    let feed =
        async { tokio::join!(feed(ladder, first, sender, began), write_media(media_pipe, receiver)).0 };
    let takes = outputs.into_iter().enumerate();
    let takes = takes.map(|(place, output)| read_flv(output, move |event| ladder.take(place, event, began)));
    let take = try_join_all(takes);
    tokio::pin!(take);
    let (over, taken) = tokio::select! {
        // What is on its way comes out.
        over = feed => (over, take.await),
        taken = &mut take => (Over::Refused, taken),
    };
    // Its outputs are at their ends, or no use: whoever does not end by itself is made to.
    if taken.is_err() || timeout(STUCK, child.wait()).await.is_err() {
        let _ = child.start_kill();
    }
    let ended = ended(&mut child, said).await;
    match (over, taken, ended) {
        (_, Err(failure), _) | (_, Ok(_), Err(failure)) => Err(failure),
        (Over::Refused, Ok(_), Ok(())) => Err(Failure::Output("it ended before its input did".into())),
        (over, Ok(_), Ok(())) => Ok(over),
    }
}

/// Gives pictures to ffmpeg until no more come.
async fn feed(ladder: &Ladder, first: Passed, media: MediaSender, began: MediaTime) -> Over {
    let tracks = Tracks { video: first.tracks.video.clone(), audio: None };
    if media.send(fmp4::init(&tracks).into()).await.is_none() {
        return Over::Refused;
    }
    // What was wanted of one before.
    ladder.flush.notified().now_or_never();
    let mut passed = first;
    loop {
        let at_ms = passed.sample.dts.0.saturating_sub(began.0) / 90;
        if passed.tracks.video != tracks.video || at_ms > END_MS {
            return Over::Changed(passed);
        }
        // What is from before the beginning is left out.
        if let Some(fragment) = fragment(&passed.sample, &tracks, began)
            && media.send(fragment).await.is_none()
        {
            return Over::Refused;
        }
        let next = tokio::select! {
            biased;
            next = timeout(IDLE, ladder.queue.next()) => next,
            () = ladder.flush.notified() => return Over::Idle,
        };
        passed = match next {
            Ok(Some(next)) => next,
            Ok(None) => return Over::Closed,
            Err(_) => return Over::Idle,
        };
    }
}

/// What ffmpeg is to make of it: one decoder, and an encoder for each rung, each with a pipe of its own.
fn arguments(ladder: &Ladder) -> Vec<String> {
    let rungs = &ladder.rungs;
    let copies: String = (0..rungs.len()).map(|place| format!("[s{place}]")).collect();
    let mut filter = format!("[0:v]split={}{copies}", rungs.len());
    for (place, rung) in rungs.iter().enumerate() {
        filter += &format!(";[s{place}]scale=-2:{},format=yuv420p[v{place}]", rung.height);
    }
    let mut arguments = vec!["-filter_complex".to_string(), filter];
    for ((place, rung), fd) in rungs.iter().enumerate().zip(FURTHER_FD..) {
        let mut add = |more: &[&str]| arguments.extend(more.iter().map(ToString::to_string));
        add(&["-map", &format!("[v{place}]"), "-c:v", "libx264", "-preset", rung.preset]);
        let (rate, buffer) =
            (format!("{}k", rung.video_kbps), format!("{}k", u64::from(rung.video_kbps) * 2));
        add(&["-b:v", &rate, "-maxrate", &rate, "-bufsize", &buffer]);
        // Pictures keep their times, and key frames lie where the source's do: decoding can begin at each.
        add(&["-fps_mode", "passthrough", "-enc_time_base", "1:90000"]);
        add(&["-force_key_frames", "source", "-forced-idr", "1"]);
        add(&[
            "-flush_packets",
            "1",
            "-flvflags",
            "no_duration_filesize",
            "-f",
            "flv",
            &format!("pipe:{fd}"),
        ]);
    }
    arguments
}
