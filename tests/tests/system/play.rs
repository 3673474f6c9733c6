//! An encoder and a player that are not ours: ffmpeg at both ends.

use std::path::Path;

use anyhow::ensure;
use railbird_core::lint::{Follower, Place, ours};
use tokio::process::Command;

use crate::demo::{Demo, client, finish, outcome};
use crate::viewers::duration;

pub(crate) fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
    command
}

/// An encoder's stream of `seconds`, with B-frames, a key frame each second, and a tone.
pub(crate) async fn source(file: &Path, seconds: u32) -> anyhow::Result<()> {
    source_of(file, seconds, "640x360").await
}

/// The same, in another size.
pub(crate) async fn source_of(file: &Path, seconds: u32, size: &str) -> anyhow::Result<()> {
    let mut encode = ffmpeg();
    encode
        .args(["-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=25"), "-f", "lavfi", "-i"])
        .arg("sine=frequency=440:sample_rate=44100")
        .args(["-t", &seconds.to_string(), "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"])
        .args([
            "-g",
            "25",
            "-keyint_min",
            "25",
            "-sc_threshold",
            "0",
            "-bf",
            "2",
            "-c:a",
            "aac",
            "-b:a",
            "96k",
        ])
        .args(["-f", "flv"])
        .arg(file);
    finish(encode).await.map(drop)
}

/// The hash of each decoded frame, in order of presentation.
pub(crate) fn hashes(framemd5: &str) -> Vec<String> {
    let lines = framemd5.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(',').next()).map(|hash| hash.trim().to_string()).collect()
}

pub(crate) async fn decoded(
    mut input: Command,
    stream: &str,
    frames: Option<usize>,
) -> anyhow::Result<Vec<String>> {
    input.args(["-map", stream]);
    if let Some(frames) = frames {
        input.args(["-frames", &frames.to_string()]);
    }
    // Timestamps are passed on as they are, so that nothing is dropped or doubled to make an even rate.
    input.args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    Ok(hashes(&finish(input).await?))
}

/// How much of the source is compared, in frames. The rest is there since a decoder gives its last frames only at the
/// end of a stream, and a channel does not end when its encoder does.
pub(crate) const COMPARED: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_ffmpeg_reaches_ffmpeg_once() -> anyhow::Result<()> {
    let demo = Demo::start(&["--no-clip", "--no-score"]).await?;
    let file = demo.dir.path().join("source.flv");
    source(&file, 15).await?;
    let mut encoder = ffmpeg();
    encoder.args(["-re", "-i"]).arg(&file).args(["-c", "copy", "-f", "flv"]).arg(demo.publish_url(0));
    finish(encoder).await?;
    demo.logged("feed ended").await?;

    let mut from_file = ffmpeg();
    from_file.arg("-i").arg(&file);
    let expected = decoded(from_file, "0:v:0", None).await?;
    ensure!(expected.len() == 375, "the source has {} frames", expected.len());

    // Nothing at the end is lost either: all 15 s are listed.
    wait_for_segments(&demo, 15.0).await?;
    let url =
        format!("{}/t/{}/live/{}/main.m3u8", demo.ready.edge, demo.token().await?, demo.ready.channels[0].id);
    let mut player = ffmpeg();
    player.args(["-live_start_index", "0", "-i", &url]);
    let played = decoded(player, "0:v:0", Some(COMPARED)).await?;
    let differs = expected.iter().zip(&played).position(|(a, b)| a != b);
    ensure!(differs.is_none(), "frame {differs:?} differs");
    ensure!(played.len() == COMPARED, "{} of {COMPARED} frames were played", played.len());
    Ok(())
}

/// Waits until the playlist lists this much media.
async fn wait_for_segments(demo: &Demo, seconds: f64) -> anyhow::Result<()> {
    let url = format!(
        "{}/t/{}/live/{}/a/source.m3u8",
        demo.ready.edge,
        demo.token().await?,
        demo.ready.channels[0].id
    );
    lists(&url, seconds - 0.1).await
}

/// Waits until the live media playlist there lists more than so many seconds. Each load is as RFC 8216bis wants it, and each step
/// to the next.
pub(crate) async fn lists(url: &str, seconds: f64) -> anyhow::Result<()> {
    let listed = async {
        let (mut follower, mut before) = (Follower::default(), String::new());
        loop {
            let text = client()?.get(url).send().await?.text().await?;
            if text.starts_with("#EXTM3U") && text != before {
                let left = ours::unexpected(follower.load(text.as_bytes(), &Place::default()));
                ensure!(left.is_empty(), "{left:#?} in\n{text}\nbehind\n{before}");
                before.clone_from(&text);
            }
            if duration(&text) > seconds {
                return anyhow::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::demo::PATIENCE, listed).await?
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_publish_is_told_why_and_nobody_else_notices() -> anyhow::Result<()> {
    let demo = Demo::start(&["--no-score"]).await?;
    let file = demo.dir.path().join("source.flv");
    source(&file, 2).await?;

    let mut wrong_key = ffmpeg();
    wrong_key
        .arg("-i")
        .arg(&file)
        .args(["-c", "copy", "-f", "flv"])
        .arg(format!("{}/nobody", demo.ready.rtmp));
    let (ok, said) = outcome(wrong_key).await?;
    ensure!(!ok && said.contains("unknown stream key"), "ffmpeg was told: {said}");

    let mut wrong_codec = ffmpeg();
    wrong_codec
        .args(["-re", "-i"])
        .arg(&file)
        .args(["-c:v", "flv1", "-an", "-f", "flv"])
        .arg(demo.publish_url(0));
    // The clip's publisher holds this channel; the same key takes over, and then the codec is refused.
    let (ok, said) = outcome(wrong_codec).await?;
    ensure!(!ok && said.contains("set H.264"), "ffmpeg was told: {said}");
    for once in ["set H.264", "unknown stream key"] {
        demo.logged(once).await?;
        let lines = demo.log().lines().filter(|line| line.contains(once)).count();
        ensure!(lines == 1, "{once:?} is logged {lines} times:\n{}", demo.log());
    }

    let address = demo.ready.rtmp.trim_start_matches("rtmp://").trim_end_matches("/live");
    let mut garbage = tokio::net::TcpStream::connect(address).await?;
    tokio::io::AsyncWriteExt::write_all(&mut garbage, &[0x47; 65_536]).await.ok();
    demo.logged("RTMP").await?;

    // The other channel went on through all of it, without a discontinuity.
    let url = format!(
        "{}/t/{}/live/{}/a/source.m3u8",
        demo.ready.edge,
        demo.token().await?,
        demo.ready.channels[1].id
    );
    let text = client()?.get(&url).send().await?.error_for_status()?.text().await?;
    ensure!(!text.contains("#EXT-X-DISCONTINUITY\n") && !text.contains("#EXT-X-GAP"), "{text}");
    Ok(())
}

/// The same table, another encoder, and the first one back again: each time with other parameters. And an origin that
/// restarts does not wipe what viewers have.
#[tokio::test(flavor = "multi_thread")]
async fn encoders_and_the_origin_may_come_and_go() -> anyhow::Result<()> {
    let demo = Demo::start(&["--no-clip", "--no-score"]).await?;
    let (large, small) = (demo.dir.path().join("large.flv"), demo.dir.path().join("small.flv"));
    source(&large, 3).await?;
    let mut shrink = ffmpeg();
    shrink
        .arg("-i")
        .arg(&large)
        .args(["-s", "320x180", "-c:v", "libx264", "-g", "25", "-c:a", "copy", "-f", "flv"])
        .arg(&small);
    finish(shrink).await?;
    for (nth, file) in [&large, &small, &large].into_iter().enumerate() {
        let mut encoder = ffmpeg();
        encoder.args(["-re", "-i"]).arg(file).args(["-c", "copy", "-f", "flv"]).arg(demo.publish_url(0));
        finish(encoder).await?;
        wait_for_segments(&demo, 3.0 * (nth as f64 + 1.0)).await?;
    }
    let path = format!("/t/{}/live/{}/a/source.m3u8", demo.token().await?, demo.ready.channels[0].id);
    let text = client()?.get(format!("{}{path}", demo.ready.edge)).send().await?.text().await?;
    ensure!(!text.contains("#EXT-X-GAP"), "{text}");
    let maps: Vec<&str> = text.lines().filter(|line| line.starts_with("#EXT-X-MAP")).collect();
    ensure!(maps.len() == 3 && maps[0] == maps[2] && maps[0] != maps[1], "{text}");
    ensure!(text.matches("#EXT-X-DISCONTINUITY\n").count() == 2, "{text}");

    let demo = demo.restart(&["--no-clip", "--no-score"]).await?;
    let path = format!("/t/{}/live/{}/a/source.m3u8", demo.token().await?, demo.ready.channels[0].id);
    let answer = client()?.get(format!("{}{path}", demo.ready.edge)).send().await?;
    ensure!(answer.status() == 200, "after a restart the playlist is gone: {}", answer.text().await?);
    Ok(())
}
