//! What a viewer of our own page chooses from: the sound without the picture, and renditions that begin or vanish while somebody
//! watches.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_origin::clock;
use serde_json::json;
use tokio::process::Child;

use crate::demo::client;
use crate::ladder::{encoder_of, signal};
use crate::origin::{ANY, Origin, Plan, Source, Store, configuration, target, until};
use crate::play::{ffmpeg, source_of};
use crate::viewers::Edge;

const KEY: &str = "the-score-key-of-t";
const SCORED: &str = "score_key = { file = \"score-key\" }\n";

/// An encoder that sends this file round and round, as long as it is kept.
fn endless(file: &Path, origin: &Origin) -> anyhow::Result<Child> {
    let mut publish = ffmpeg();
    publish.args(["-re", "-stream_loop", "-1", "-i"]).arg(file).args(["-c", "copy", "-f", "flv"]);
    Ok(publish.arg(origin.primary()).kill_on_drop(true).spawn()?)
}

/// A scorer enters a match that begins before anybody watches: seven points.
async fn score(origin: &Origin) -> anyhow::Result<()> {
    let start = json!({"type": "start", "title": "Final", "discipline": "three-cushion", "target": 40, "breaks": 0,
        "sides": [{"name": "Nelin"}, {"name": "Cho"}]});
    let points = json!({"type": "points", "side": 0, "points": 7});
    for (seq, action) in [(1, start), (2, points)] {
        let event = json!({"occurred": clock::now(), "action": action});
        let url = format!("{}/v1/channels/t/matches/final/events/1/{seq}", origin.api);
        let put = client()?.put(url).bearer_auth(KEY).json(&event).send().await?;
        ensure!(put.status() == 200, "{}", put.text().await?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_chooses_sound_only_loads_no_picture_and_gets_it_back() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], edge.told());
    let files = [("score-key", KEY)];
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &files };
    let origin = Origin::start_with(&plan, &format!("audio_only = true\n{SCORED}")).await?;
    let source = Source::new(20).await?;
    let encoder = endless(&source.file, &origin)?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 9.5).await.with_context(|| origin.log())?;
    score(&origin).await?;
    let shot = |name: &str| edge.shots().join(name).to_string_lossy().into_owned();
    let live = edge.browser("soundonly.mjs", &["live", &shot("sound-only.png")])?;
    println!("{}", live.content().await.with_context(|| origin.log())?);

    drop(encoder);
    origin.logged("feed ended").await?;
    origin.crew(&["channel", "end", "t"]).await?;
    let replay = edge.browser("soundonly.mjs", &["replay", &shot("sound-only-replay.png")])?;
    println!("{}", replay.content().await.with_context(|| origin.log())?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_only_is_offered_where_the_line_is_too_thin_for_the_picture() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], edge.told());
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start_with(&plan, "audio_only = true\n").await?;
    let (dir, seconds) = (tempfile::tempdir()?, 20);
    let file = dir.path().join("source.flv");
    source_of(&file, seconds, "1280x720").await?;
    // Half of what the picture takes, and some times as much as the sound.
    let rate = std::fs::metadata(&file)?.len() / u64::from(seconds) / 2;
    ensure!(rate > 40_000, "the picture takes only {rate} bytes a second");
    let _encoder = endless(&file, &origin)?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 9.5).await.with_context(|| origin.log())?;
    let shot = edge.shots().join("too-slow.png").to_string_lossy().into_owned();
    let slow = edge.browser("soundonly.mjs", &["slow", &shot, &rate.to_string()])?;
    println!("{}", slow.content().await.with_context(|| origin.log())?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_takes_renditions_that_begin_late_and_does_without_those_that_vanish() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], edge.told());
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let ladder =
        "[[channel.ladder]]\nname = \"low\"\nheight = 90\nvideo_kbps = 323\npreset = \"ultrafast\"\n";
    let origin = Origin::start_with(&plan, ladder).await?;
    let source = Source::new(20).await?;
    // As long as nobody watches, each ffmpeg of the ladder stands still from its start on.
    let process = origin.process()?;
    let hung = tokio::spawn(async move {
        loop {
            if let Some(id) = encoder_of(process).unwrap_or_default() {
                let _ = signal("-STOP", &id).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let sending = endless(&source.file, &origin)?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 7.5).await.with_context(|| origin.log())?;
    let mut viewer = edge.browser("late.mjs", &[])?;
    viewer.says("watching").await.with_context(|| origin.log())?;
    hung.abort();
    viewer.says("chosen").await.with_context(|| origin.log())?;

    drop(sending);
    origin.logged("feed ended").await?;
    let origin = origin.restart_by(&configuration(&plan, "", &targets, ANY)).await?;
    let _sending = endless(&source.file, &origin)?;
    until("the rendition of the ladder is gone", async || {
        let url = format!("{}/t/{token}/live/t/a/low.m3u8", edge.url);
        Ok((client()?.get(url).send().await?.status() == 404).then_some(()))
    })
    .await
    .with_context(|| origin.log())?;
    println!("{}", viewer.content().await.with_context(|| origin.log())?);
    Ok(())
}
