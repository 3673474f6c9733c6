//! Several sound tracks of a feed, as renditions in their languages: to players that are not ours, and to our own.

use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_origin::lint;
use reqwest::header::HeaderMap;

use crate::demo::{client, finish};
use crate::http_ingest::address;
use crate::origin::{Origin, Plan, Store, target, until};
use crate::play::ffmpeg;
use crate::viewers::{Edge, duration, wrong};

/// The first track and the second one are tones, in hertz.
const TONES: [&str; 2] = ["440", "1000"];

const SOUNDS: &str = "[[channel.audio]]\ntrack = 0\nlanguage = \"en\"\nname = \"Hall\"\n\
    [[channel.audio]]\ntrack = 1\nname = \"Commentary\"\n";

/// A transport stream of so many seconds: pictures and two tones, of which the second says its language.
async fn made(file: &std::path::Path, seconds: u32) -> anyhow::Result<()> {
    let mut encode = ffmpeg();
    encode.args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]);
    for tone in TONES {
        encode.args(["-f", "lavfi", "-i", &format!("sine=frequency={tone}:sample_rate=48000")]);
    }
    encode.args(["-t", &seconds.to_string(), "-map", "0:v", "-map", "1:a", "-map", "2:a"]);
    encode.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p"]);
    encode.args(["-c:a", "aac", "-b:a", "64k", "-metadata:s:a:1", "language=kor", "-f", "mpegts"]).arg(file);
    finish(encode).await.map(drop)
}

/// The loudest tone of a playlist, in hertz: how often its samples change their sign.
async fn tone(url: &str) -> anyhow::Result<f64> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("sound.raw");
    let mut decode = ffmpeg();
    decode.args([
        "-live_start_index",
        "0",
        "-i",
        url,
        "-map",
        "0:a:0",
        "-t",
        "2",
        "-ac",
        "1",
        "-ar",
        "48000",
    ]);
    decode.args(["-f", "s16le"]).arg(&file);
    finish(decode).await?;
    let bytes = std::fs::read(file)?;
    let samples: Vec<i16> = bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    ensure!(samples.len() > 48_000, "{} samples", samples.len());
    let changes = samples.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
    Ok(changes as f64 * 24_000.0 / samples.len() as f64)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commentary_of_a_pair_is_a_rendition_on_each_pathway_that_players_change_to_live_and_in_a_replay()
-> anyhow::Result<()> {
    let (edge, stores) = (Edge::start().await?, [Store::start().await?, Store::start().await?]);
    let [a, b] = ["a", "b"].map(|id| (id, &stores[usize::from(id == "b")]));
    let targets = [a, b].map(|(id, store)| target(id, &store.url(), &store.url(), ""));
    let edges = edge.told();
    let more = "[pair]\nanchors_at = \"a\"\n[http_ingest]\nlisten = \"127.0.0.1:0\"\n";
    let plan = |id| Plan { id, title: "T", targets: &targets, edges: &edges, more, files: &[] };
    let origin = Origin::start_with(&plan("north"), SOUNDS).await?;
    let second = Origin::start_with(&plan("south"), SOUNDS).await?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("two.ts");
    made(&file, 20).await?;
    let mut publish = ffmpeg();
    // Round and round, as long as anybody watches; the same to both origins.
    publish.args(["-re", "-stream_loop", "-1", "-i"]).arg(&file).args(["-map", "0", "-c", "copy"]);
    let ingest = |at: String| format!("[f=mpegts:method=PUT]http://{at}/ingest/primary-key");
    publish.args(["-f", "tee", &format!("{}|{}", ingest(address(&origin)?), ingest(address(&second)?))]);
    let encoder = publish.kill_on_drop(true).spawn()?;

    let token = edge.token().await?;
    let live = format!("{}/t/{token}/live/t", edge.url);
    let text =
        async |path: &str| anyhow::Ok(client()?.get(format!("{live}/{path}")).send().await?.text().await?);
    for rendition in ["a/source-pictures", "a/audio", "a/audio-1", "b/audio-1"] {
        until(&format!("some of {rendition} is listed"), async || {
            let text = text(&format!("{rendition}.m3u8")).await?;
            Ok(Some(()).filter(|()| text.starts_with("#EXTM3U") && duration(&text) > 7.0))
        })
        .await
        .with_context(|| format!("{}\n{}", origin.log(), second.log()))?;
    }
    let main = text("main.m3u8").await?;
    for line in [
        "TYPE=AUDIO,GROUP-ID=\"sound-a\",NAME=\"Hall\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"a/audio.m3u8\"",
        "NAME=\"Commentary\",LANGUAGE=\"ko\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"a/audio-1.m3u8\"",
        ",AUDIO=\"sound-a\"",
        "GROUP-ID=\"sound-b\",NAME=\"Commentary\"",
        ",AUDIO=\"sound-b\"",
    ] {
        ensure!(main.contains(line), "no {line} in:\n{main}");
    }
    for (rendition, hz) in [("audio", 440.0), ("audio-1", 1000.0)] {
        let heard = tone(&format!("{live}/a/{rendition}.m3u8")).await?;
        ensure!((heard - hz).abs() < 5.0, "{rendition} is a tone of {heard} Hz");
    }
    let settings = lint::Settings {
        url: format!("{live}/main.m3u8").parse()?,
        duration: Duration::from_secs(3),
        headers: HeaderMap::new(),
    };
    let report = lint::run(&settings).await?;
    let left = wrong(&report);
    ensure!(left.is_empty() && report.segments > 0, "{report}");

    let main = format!("{live}/main.m3u8");
    for player in ["hls", "shaka", "ours"] {
        let person = edge.browser("sounds.mjs", &[player, &main, TONES[0], TONES[1]])?;
        println!("{player}: {}", person.content().await.with_context(|| origin.log())?);
    }
    drop(encoder);
    for origin in [&origin, &second] {
        origin.logged("feed ended").await?;
        origin.crew(&["channel", "end", "t"]).await?;
    }
    let person = edge.browser("sounds.mjs", &["replay", &main, TONES[0], TONES[1]])?;
    println!("replay: {}", person.content().await.with_context(|| origin.log())?);
    origin.verified_beside("a").await?;
    origin.verified_beside("b").await?;
    let exported = crate::origin::packets(&origin.export().await?).await?;
    ensure!(exported.iter().all(|packets| packets.len() > 100), "an export without a sound or a picture");
    Ok(())
}
