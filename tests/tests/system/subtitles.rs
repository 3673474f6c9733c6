//! The score as subtitles and as tags, for players that know nothing of us: hls.js and Shaka Player in Chromium, and ffmpeg.

use anyhow::{Context, ensure};
use railbird_origin::clock;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::demo::{client, finish, railbird};
use crate::origin::{Origin, Plan, Store, target, until};
use crate::viewers::Edge;

const KEY: &str = "the-score-key-of-t";

/// One a second.
const EVENTS: u64 = 55;

/// A scorer enters a match ahead of time: a point a second.
async fn score(origin: &Origin, edge: &Edge, token: &str) -> anyhow::Result<()> {
    let now = clock::now();
    let start = json!({"type": "start", "title": "Final", "discipline": "three-cushion", "target": 60, "breaks": 0,
        "sides": [{"name": "Nelin & <Co>"}, {"name": "Cho --> Ho"}]});
    for second in 0..EVENTS {
        let point = json!({"type": "points", "side": 0, "points": 1});
        let action = if second == 0 { start.clone() } else { point };
        let event = json!({"occurred": now.plus_ms(1000 * second), "action": action});
        let url = format!("{}/v1/channels/t/matches/final/events/1/{}", origin.api, second + 1);
        let put = client()?.put(url).bearer_auth(KEY).json(&event).send().await?;
        ensure!(put.status() == 200, "{}", put.text().await?);
    }
    let url = format!("{}/t/{token}/live/t/score.json", edge.url);
    until("the edge has them all", async || {
        let document: Value = serde_json::from_str(&client()?.get(&url).send().await?.text().await?)?;
        Ok(document["entries"].as_array().filter(|entries| entries.len() as u64 == EVENTS).map(drop))
    })
    .await
}

/// What ffmpeg reads of a segment must be when the score document says that it was.
async fn ffmpeg_reads(edge: &Edge, token: &str) -> anyhow::Result<()> {
    let live = format!("{}/t/{token}/live/t", edge.url);
    let text =
        async |file: &str| anyhow::Ok(client()?.get(format!("{live}/{file}")).send().await?.text().await?);
    let document: Value = serde_json::from_str(&text("score.json").await?)?;
    let entries = document["entries"].as_array().context("no entries")?;
    let segment = until("a segment of subtitles has a change of the score", async || {
        let playlist = text("score.m3u8").await?;
        for uri in playlist.lines().filter(|line| !line.starts_with('#')).rev() {
            let segment = text(uri).await?;
            if segment.matches("-->").count() > 1 {
                return Ok(Some(segment));
            }
        }
        Ok(None)
    })
    .await?;
    let file = edge.shots().join("segment.vtt");
    std::fs::write(&file, &segment)?;
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-show_packets", "-show_data", "-of", "json"]).arg(&file);
    let said: Value = serde_json::from_str(&finish(probe).await?)?;
    let packets = said["packets"].as_array().context("no packets")?;
    ensure!(packets.len() == segment.matches("-->").count(), "{said}");
    let (local, mpegts) =
        segment.split_once("LOCAL:").and_then(|(_, rest)| rest.split_once(",MPEGTS:")).context("no map")?;
    let local: Vec<f64> = local.split(':').map(str::parse).collect::<Result<_, _>>()?;
    let local_s = local[0] * 3600.0 + local[1] * 60.0 + local[2];
    let mpegts: u64 = mpegts.lines().next().context("no map")?.parse()?;
    for packet in packets.iter().skip(1) {
        let pts_s: f64 = packet["pts_time"].as_str().context("no time")?.parse()?;
        let ticks = mpegts + ((pts_s - local_s) * 90_000.0).round() as u64;
        let is_entry = |entry: &Value| {
            entry["at"].as_u64().is_some_and(|at| (at % (1 << 33)).abs_diff(ticks % (1 << 33)) <= 90)
        };
        ensure!(entries.iter().any(is_entry), "at {pts_s} s nothing happened: {segment}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_others_show_the_score_at_its_frame() -> anyhow::Result<()> {
    let (edge, stores) = (Edge::start().await?, [Store::start().await?, Store::start().await?]);
    let targets = [0, 1].map(|n| target(["a", "b"][n], &stores[n].url(), &stores[n].url(), ""));
    let (edges, files) = (edge.told(), [("score-key", KEY)]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &files };
    let origin =
        Origin::start_with(&plan, "score_key = { file = \"score-key\" }\nscore_emsg = true\n").await?;
    let _encoder = railbird()?.args(["publish", "clip", &origin.primary()]).spawn()?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 8.0).await.with_context(|| origin.log())?;
    // A match that is on while both play.
    score(&origin, &edge, &token).await?;
    let plays = async |player: &str| {
        let said = edge.browser("subtitles.mjs", &[player])?.content().await.with_context(|| origin.log())?;
        let saw: Value = serde_json::from_str(&said).context(said)?;
        println!(
            "{player}: {} cues, {} of which begin with their score, in {} segments; tags: {}",
            saw["cues"], saw["on_time"], saw["segments"], saw["tags"]
        );
        anyhow::Ok(())
    };
    tokio::try_join!(plays("hls"), plays("shaka"))?;
    ffmpeg_reads(&edge, &token).await
}
