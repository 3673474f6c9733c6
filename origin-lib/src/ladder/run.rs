//! Keeps the ffmpeg of a ladder running.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use futures::future::try_join_all;
use railbird_core::fmp4;
use railbird_core::media::{Tracks, VideoConfig};
use railbird_core::programme::Passed;
use railbird_core::time::{MediaSpan, MediaTime};
use tokio::time::{sleep, timeout};

use super::{Ladder, Rung, State};
use crate::clock;
use crate::ffmpeg::{
    BEGIN_MS, END_MS, FURTHER_FD, Failure, Further, MediaSender, Over, PICTURE_MAX, Pause, Running, fragment,
    media, read_flv, supervise, threads, write_media,
};

/// A channel that brings nothing for this long is idle: as long as what is open waits for its feed.
const IDLE: Duration = Duration::from_millis(railbird_core::programme::OPEN_MS_MAX);

/// An ffmpeg that ran for so long, in milliseconds, failed for a reason that is told again.
const TOLD_MS: u64 = 60_000;

/// Until the origin ends.
pub(super) async fn run(ladder: Arc<Ladder>) {
    ladder.queue.open();
    let (mut pause, mut first, mut told) = (Pause::default(), None, String::new());
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
        let ended = session(&ladder, passed, &mut first).await;
        ladder.figure.up.set(0);
        (0..ladder.makers.len()).for_each(|place| _ = ladder.with(place, |maker| maker.end()));
        let ran_ms = clock::moment().ms_since(began.up_ms);
        match &ended {
            Ok(Over::Closed) => return,
            Ok(Over::Changed) => {}
            Ok(Over::Idle) => _ = ladder.state.send_replace(State::Idle),
            Err(failure) => {
                let (channel, reason) = (&ladder.channel, failure.to_string());
                if reason != told || ran_ms >= TOLD_MS {
                    tracing::warn!(%channel, reason, "the ladder has gaps; ffmpeg is started again by itself");
                    told.clone_from(&reason);
                }
                if matches!(failure, Failure::Behind) {
                    ladder.figure.behind.inc();
                }
                ladder.state.send_replace(State::Failing(reason));
            }
        }
        if let Some(wait) = pause.after(&ended, ran_ms) {
            tokio::select! {
                () = sleep(wait) => {}
                () = ladder.queue.closed() => return,
            }
            // What came meanwhile is lost already.
            first = None;
            ladder.queue.rest();
            ladder.queue.open();
        }
    }
}

/// Which rungs are made of such a picture, by their places: none is larger than the source.
fn made(rungs: &[Rung], video: &VideoConfig) -> Result<Vec<usize>, Failure> {
    if video.width.max(video.height) > PICTURE_MAX {
        return Err(Failure::Large { width: video.width, height: video.height, most: PICTURE_MAX });
    }
    if video.colour.is_some_and(|colour| !colour.range().is_sdr()) {
        return Err(Failure::Hdr);
    }
    let made = |(_, rung): &(usize, &Rung)| rung.height <= video.height;
    let made: Vec<usize> = rungs.iter().enumerate().filter(made).map(|(place, _)| place).collect();
    if made.is_empty() { Err(Failure::Low(video.height)) } else { Ok(made) }
}

impl Ladder {
    /// Says which rungs are left out, where that is news: nothing is wrong with them.
    fn leave_out(&self, made: &[usize], height: u16) {
        for (place, (rung, figures)) in self.rungs.iter().zip(&self.figures).enumerate() {
            let out = !made.contains(&place);
            if figures.left_out.swap(out, Ordering::Relaxed) != out && out {
                let (channel, rendition, lines) = (&self.channel, &rung.name, rung.height);
                tracing::warn!(%channel, %rendition, lines, source = height, "the rendition is larger than what the encoder sends: it is not made");
            }
        }
    }
}

/// One ffmpeg, from a key frame on. What comes behind its end is left in `next`.
async fn session(ladder: &Ladder, first: Passed, next: &mut Option<Passed>) -> Result<Over, Failure> {
    let Some(video) = first.tracks.video.clone() else { return Err(Failure::NoPicture) };
    let made = made(&ladder.rungs, &video)?;
    ladder.leave_out(&made, video.height);
    let rungs: Vec<&Rung> = made.iter().filter_map(|place| ladder.rungs.get(*place)).collect();
    let running = Running::start(&ladder.ffmpeg, Further::Outputs(rungs.len()), arguments(&rungs))?;
    ladder.figure.starts.inc();
    ladder.figure.up.set(1);
    ladder.state.send_replace(State::Running);
    for place in 0..ladder.makers.len() {
        // Of one that is left out nothing comes.
        let is_made = made.contains(&place);
        ladder.with(place, |maker| if is_made { maker.begin() } else { maker.end() });
    }
    // What was wanted of one before.
    ladder.flush.notified().now_or_never();
    ladder.behind.notified().now_or_never();
    let Running { child, media: media_pipe, outputs, said, .. } = running;
    let began = first.sample.dts + MediaSpan::from_ms(-BEGIN_MS);
    let (sender, receiver) = media();
    let feed = async {
        let fed = feed(ladder, first, sender, began, next);
        tokio::join!(fed, write_media(media_pipe, receiver)).0
    };
    let takes = made.into_iter().zip(outputs);
    let takes = takes.map(|(place, output)| read_flv(output, move |event| ladder.take(place, event, began)));
    let take = async { try_join_all(takes).await.map(|_| ()) };
    let useless = async {
        ladder.behind.notified().await;
        Failure::Behind
    };
    supervise((child, said), feed, take, useless).await
}

/// Gives pictures to ffmpeg until no more come. `None`: it takes no more.
async fn feed(
    ladder: &Ladder,
    first: Passed,
    media: MediaSender,
    began: MediaTime,
    next: &mut Option<Passed>,
) -> Option<Over> {
    let tracks = Tracks { video: first.tracks.video.clone(), audio: None };
    media.send(fmp4::init(&tracks).into()).await?;
    let mut passed = first;
    loop {
        let at_ms = passed.sample.dts.0.saturating_sub(began.0) / 90;
        if passed.tracks.video != tracks.video || at_ms > END_MS {
            *next = Some(passed);
            return Some(Over::Changed);
        }
        // What is from before the beginning is left out.
        if let Some(fragment) = fragment(&passed.sample, &tracks, began) {
            media.send(fragment).await?;
        }
        let next = tokio::select! {
            biased;
            next = timeout(IDLE, ladder.queue.next()) => next,
            () = ladder.flush.notified() => return Some(Over::Idle),
        };
        passed = match next {
            Ok(Some(next)) => next,
            Ok(None) => return Some(Over::Closed),
            Err(_) => return Some(Over::Idle),
        };
    }
}

/// What ffmpeg is to make of it: one decoder, and an encoder for each rung, each with a pipe of its own.
fn arguments(rungs: &[&Rung]) -> Vec<String> {
    let copies: String = (0..rungs.len()).map(|place| format!("[s{place}]")).collect();
    let mut filter = format!("[0:v]split={}{copies}", rungs.len());
    for (place, rung) in rungs.iter().enumerate() {
        filter += &format!(";[s{place}]scale=-2:{},format=yuv420p[v{place}]", rung.height);
    }
    let mut arguments = vec!["-filter_complex".to_string(), filter];
    let threads = threads().to_string();
    for ((place, rung), fd) in rungs.iter().enumerate().zip(FURTHER_FD..) {
        let mut add = |more: &[&str]| arguments.extend(more.iter().map(ToString::to_string));
        add(&["-map", &format!("[v{place}]"), "-c:v", "libx264", "-preset", rung.preset]);
        add(&["-threads", &threads]);
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use railbird_core::media::{Colour, VideoCoding};

    use super::*;

    fn rung(height: u16) -> Rung {
        let name = format!("{height}p").parse().unwrap();
        Rung { name, height, video_kbps: 700, preset: "veryfast" }
    }

    fn video(height: u16, colour: Option<Colour>) -> VideoConfig {
        VideoConfig {
            coding: VideoCoding::Avc,
            record: Bytes::new(),
            codec: "avc1.64001f".into(),
            width: height / 9 * 16,
            height,
            frame_rate_milli: None,
            colour,
        }
    }

    #[test]
    fn no_rung_is_larger_than_the_source_and_none_is_made_of_a_high_dynamic_range() {
        let rungs = [rung(1080), rung(720), rung(360)];
        assert_eq!(made(&rungs, &video(1080, None)).unwrap(), [0, 1, 2]);
        assert_eq!(made(&rungs, &video(720, None)).unwrap(), [1, 2]);
        assert_eq!(made(&rungs, &video(540, None)).unwrap(), [2]);
        assert!(matches!(made(&rungs, &video(288, None)), Err(Failure::Low(288))));
        let colour = |transfer| Colour { primaries: 9, transfer, matrix: 9, full_range: false };
        // SMPTE ST 2084, ARIB STD-B67; and BT.2020 of a standard range.
        for high in [16, 18] {
            assert!(matches!(made(&rungs, &video(1080, Some(colour(high)))), Err(Failure::Hdr)));
        }
        assert_eq!(made(&rungs, &video(1080, Some(colour(14)))).unwrap().len(), 3);
    }

    #[test]
    fn each_encoder_and_the_decoder_has_a_bound_to_its_threads() {
        let (low, mid) = (rung(360), rung(720));
        let arguments = arguments(&[&mid, &low]);
        let bounded = arguments.windows(2).filter(|pair| pair[0] == "-threads");
        assert!(bounded.clone().all(|pair| pair[1].parse::<usize>().is_ok_and(|threads| threads <= 4)));
        assert_eq!(bounded.count(), 2);
    }
}
