//! A pass holder and the score sheet: the score without a picture, replay by innings, clips, and spoiler-free.

use std::process::Stdio;

use anyhow::{Context, ensure};
use railbird_origin::{clock, when};

use crate::demo::client;
use crate::origin::{Origin, Plan, Source, Store, until};
use crate::play::ffmpeg;
use crate::viewers::Edge;

const KEY: &str = "the-score-key-of-t";
const FEED_S: u32 = 26;

#[tokio::test(flavor = "multi_thread")]
async fn the_score_sheet_leads_through_a_recording_and_tells_nothing_too_early() -> anyhow::Result<()> {
    let source = Source::new(FEED_S).await?;
    let (store, edge) = (Store::start().await?, Edge::start().await?);
    let (targets, edges) = ([store.target("a")], [edge.url.clone()]);
    let files = [("score-key", KEY)];
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &files };
    let origin = Origin::start_with(&plan, "score_key = { file = \"score-key\" }\n").await?;
    // As fast as it is taken: the picture is there at once, and its time is what it says.
    let mut encoder = ffmpeg();
    encoder.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "flv", &origin.primary()]);
    ensure!(encoder.stdin(Stdio::null()).status().await?.success(), "the encoder failed");
    let token = edge.token().await?;
    let text = edge.playlist(&token, "a", f64::from(FEED_S) - 4.0).await.with_context(|| origin.log())?;
    let start =
        text.lines().find_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:")).context(text.clone())?;
    let start_ms = when::time(start, clock::now())?.0;
    let shots = edge.shots().to_string_lossy().into_owned();
    let mut viewer = edge.browser("innings.mjs", &[&origin.api, KEY, &start_ms.to_string(), &shots])?;
    viewer.says("live done").await.with_context(|| origin.log())?;
    origin.crew(&["channel", "end", "t"]).await?;
    until("the recording has ended at the edge", async || {
        let url = format!("{}/api/channels", edge.url);
        let answer = client()?.get(&url).header("cookie", format!("__Host-railbird={token}")).send().await?;
        let list: serde_json::Value = answer.json().await?;
        Ok((list["channels"][0]["replays"][0]["live"] == false).then_some(()))
    })
    .await?;
    viewer.tell("ended").await?;
    let said = viewer.content().await.with_context(|| origin.log())?;
    println!("{said}");
    Ok(())
}
