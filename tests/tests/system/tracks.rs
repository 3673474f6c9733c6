//! Further tracks of one publish, each a rendition: to a player that is not ours, sound by Enhanced RTMP and pictures in a transport
//! stream.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::codecs::{made, send};
use crate::demo::finish;
use crate::http_ingest::address;
use crate::origin::{Source, copied, sounds_as};
use crate::play::{decoded, ffmpeg};
use crate::viewers::{Live, Stage};

/// The hash of each picture of a stream, as it is played from a file or a URL.
async fn pictures(of: &str, stream: &str) -> anyhow::Result<Vec<String>> {
    let mut player = ffmpeg();
    player.args(["-i", of]);
    decoded(player, stream, None).await
}

/// The hash of each packet of sound of a rendition.
async fn heard(live: &Live, rendition: &str) -> anyhow::Result<Vec<String>> {
    copied(Path::new(&live.media("a", rendition)), "0:a:0").await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sound_of_a_multitrack_publish_is_a_rendition_packet_by_packet() -> anyhow::Result<()> {
    let commentary = "[[channel.audio]]\ntrack = 1\nname = \"Commentary\"\n";
    let Stage { edge, origin, .. } = &Stage::set(commentary, "").await?;
    let sent = made("tracks.mp4");
    let (source, second) = (Source::of(sent.clone()).await?, copied(&sent, "0:a:1").await?);
    ensure!(source.packets[1] != second, "two tracks that are one");
    send(&made("tracks.flv"), &origin.primary()).await?;
    origin.logged("feed ended").await?;
    let live = edge.ended(origin, &["source-pictures", "audio", "audio-1"]).await?;
    let played = pictures(&live.media("a", "source-pictures"), "0:v:0").await?;
    ensure!(played == source.frames, "{} pictures of {}", played.len(), source.frames.len());
    for (rendition, sent) in [("audio", &source.packets[1]), ("audio-1", &second)] {
        let heard = heard(&live, rendition).await?;
        sounds_as(sent, &heard).with_context(|| format!("{rendition}\n{}", origin.log()))?;
    }
    live.is_clean().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_picture_track_of_a_transport_stream_is_a_rendition_frame_by_frame() -> anyhow::Result<()> {
    let low = "[[channel.video]]\nname = \"low\"\ntrack = 1\n";
    let stage = Stage::set(low, "[http_ingest]\nlisten = \"127.0.0.1:0\"\n").await?;
    let Stage { edge, origin, .. } = &stage;
    let file = origin.file("two.mp4");
    let mut encode = ffmpeg();
    encode.args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine"]);
    encode.args(["-filter_complex", "[0:v]split[high][b];[b]scale=160:90[low]", "-t", "6"]);
    encode.args(["-map", "[high]", "-map", "[low]", "-map", "1:a", "-c:v", "libx264", "-preset", "veryfast"]);
    encode.args(["-pix_fmt", "yuv420p", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0", "-bf", "2"]);
    encode.args(["-c:a", "aac"]).arg(&file);
    finish(encode).await?;
    let mut put = ffmpeg();
    put.arg("-i").arg(&file).args(["-map", "0", "-c", "copy", "-f", "mpegts", "-method", "PUT"]);
    put.arg(format!("http://{}/ingest/primary-key", address(origin)?));
    finish(put).await?;
    origin.logged("feed ended").await?;
    let live = edge.ended(origin, &["source", "low"]).await?;
    let (file, sound) = (file.to_string_lossy(), copied(&file, "0:a:0").await?);
    for (rendition, stream) in [("source", "0:v:0"), ("low", "0:v:1")] {
        let sent = pictures(&file, stream).await?;
        let played = pictures(&live.media("a", rendition), "0:v:0").await?;
        let (is, was) = (played.len(), sent.len());
        ensure!(played == sent && was == 150, "{rendition}: {is} of {was}\n{}", origin.log());
        let heard = heard(&live, rendition).await?;
        sounds_as(&sound, &heard).with_context(|| format!("{rendition}\n{}", origin.log()))?;
    }
    live.is_clean().await
}
