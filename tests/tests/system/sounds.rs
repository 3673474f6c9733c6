//! Several sound tracks of a feed, as renditions in their languages: to players that are not ours, and to our own.

use anyhow::{Context, ensure};

use crate::demo::{client, finish};
use crate::http_ingest::address;
use crate::play::ffmpeg;
use crate::viewers::{Stage, duration};

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
async fn a_commentary_is_a_rendition_that_players_change_to_while_it_is_live() -> anyhow::Result<()> {
    let stage = Stage::set(SOUNDS, "[http_ingest]\nlisten = \"127.0.0.1:0\"\n").await?;
    let Stage { edge, origin, live, .. } = &stage;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("two.ts");
    made(&file, 20).await?;
    let mut publish = ffmpeg();
    // Round and round, as long as anybody watches.
    publish.args(["-re", "-stream_loop", "-1", "-i"]).arg(&file).args(["-map", "0", "-c", "copy"]);
    publish.args(["-f", "mpegts", "-method", "PUT"]);
    publish.arg(format!("http://{}/ingest/primary-key", address(origin)?));
    let encoder = publish.kill_on_drop(true).spawn()?;

    for rendition in ["source-pictures", "audio", "audio-1"] {
        let some = live.text_once(["a", rendition], "some is listed", |text| duration(text) > 7.0);
        some.await.with_context(|| origin.log())?;
    }
    let main = client()?.get(live.main()).send().await?.text().await?;
    for line in [
        "TYPE=AUDIO,GROUP-ID=\"sound-a\",NAME=\"Hall\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"a/audio.m3u8\"",
        "NAME=\"Commentary\",LANGUAGE=\"ko\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"a/audio-1.m3u8\"",
        ",AUDIO=\"sound-a\"",
    ] {
        ensure!(main.contains(line), "no {line} in:\n{main}");
    }
    for (rendition, hz) in [("audio", 440.0), ("audio-1", 1000.0)] {
        let heard = tone(&live.media("a", rendition)).await?;
        ensure!((heard - hz).abs() < 5.0, "{rendition} is a tone of {heard} Hz");
    }
    live.is_clean().await?;

    let main = live.main();
    for player in ["hls", "shaka", "ours"] {
        let person = edge.browser("sounds.mjs", &[player, &main, TONES[0], TONES[1]])?;
        println!("{player}: {}", person.content().await.with_context(|| origin.log())?);
    }
    drop(encoder);
    origin.crew(&["channel", "end", "t"]).await?;
    origin.verified("a").await?;
    let exported = crate::origin::packets(&origin.export().await?).await?;
    ensure!(exported.iter().all(|packets| packets.len() > 100), "an export without a sound or a picture");
    Ok(())
}
