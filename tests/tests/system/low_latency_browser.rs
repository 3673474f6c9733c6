//! A person with a browser watches a low-latency channel: hls.js plays it part by part, also when the encoder breaks off and
//! another one comes, and when a node becomes a black hole. Who is made late comes back. How far the picture is behind the clock is
//! printed; no figure of time decides.

use std::path::Path;

use anyhow::{Context, ensure};
use railbird_tests::fault::{Fault, Plan as Failing, Proxy};
use serde_json::Value;

use crate::demo::railbird;
use crate::origin::{Origin, Plan, Store, target};
use crate::play::source_of;
use crate::viewers::{Edge, On};

/// Seconds of media that are played in one stretch: six segments.
const STRETCH_S: u64 = 12;

/// The channel's keys.
const LOW_LATENCY: &str = "low_latency = true\n";
const HINTING: &str = "low_latency = true\npreload_hints = true\n";

/// Parts that a segment of two seconds has.
const PARTS: u64 = 6;

async fn plays_of_parts(edge: Edge, channel: &str) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let other = dir.path().join("other.flv");
    source_of(&other, 8, "320x180").await?;
    let stores = [Store::start().await?, Store::start().await?];
    let doors =
        [Proxy::start(stores[0].server.addr(), 1).await?, Proxy::start(stores[1].server.addr(), 2).await?];
    let targets = [0, 1].map(|n| target(["a", "b"][n], &stores[n].url(), &doors[n].url(), ""));
    let edges = edge.told();
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start_with(&plan, channel).await?;
    let encoder = |file: &Path| {
        railbird()?.arg("publish").arg(file).arg(origin.primary()).spawn().context("an encoder")
    };
    let mut first = encoder(Path::new("clip"))?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 8.0).await.with_context(|| origin.log())?;

    let mut viewer = edge.browser("lowlatency.mjs", &[&STRETCH_S.to_string()])?;
    let steady = viewer.says("steady").await;
    steady.with_context(|| origin.log())?;
    first.kill().await?;
    // Its picture has another size: however soon it comes, it does not go on where the first one ended.
    let _second = encoder(&other)?;
    let door = match viewer.word().await.with_context(|| origin.log())?.as_str() {
        "a" => &doors[0],
        "b" => &doors[1],
        other => anyhow::bail!("the picture comes from {other:?}"),
    };
    door.set(Some(Failing::always(Fault::BlackHole))).await?;
    viewer.says("late").await.with_context(|| origin.log())?;
    let said = viewer.content().await.with_context(|| origin.log())?;
    let saw: Value = serde_json::from_str(&said).context(said)?;
    for (stretch, when) in [
        ("first", "at first"),
        ("second", "behind a discontinuity"),
        ("third", "while a node is a black hole"),
    ] {
        let saw = &saw[stretch];
        println!(
            "low latency, {when}: {} ms behind the clock; {} parts and {} segments asked for in {STRETCH_S} s; stalls so far: {}",
            saw["behind_ms"], saw["parts"], saw["segments"], saw["waiting"]
        );
        if stretch == "third" && saw["far"] == true {
            // On a machine so slow, no parts are listed of what is played.
            continue;
        }
        // Else it is segments that are played.
        let (parts, segments) = (saw["parts"].as_u64(), saw["segments"].as_u64());
        let (parts, segments) = parts.zip(segments).with_context(|| saw.to_string())?;
        ensure!(parts > segments * PARTS, "{parts} parts and {segments} segments {when}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_latency_channel_is_played_part_by_part() -> anyhow::Result<()> {
    plays_of_parts(Edge::start().await?, LOW_LATENCY).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_workerd_a_low_latency_channel_is_played_part_by_part() -> anyhow::Result<()> {
    // Our player goes to nodes by itself where playlists hint at parts, too.
    plays_of_parts(Edge::start_on(On::Workerd, &[]).await?, HINTING).await
}

/// The player is hls.js as it is: it takes parts by way of the edge.
async fn plays_what_the_edge_leads_to(edge: Edge) -> anyhow::Result<()> {
    let stores = [Store::start().await?, Store::start().await?];
    let targets = [0, 1].map(|n| target(["a", "b"][n], &stores[n].url(), &stores[n].url(), ""));
    let edges = edge.told();
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start_with(&plan, HINTING).await?;
    let _encoder = railbird()?.args(["publish", "clip", &origin.primary()]).spawn().context("an encoder")?;
    edge.playlist(&edge.token().await?, "a", 8.0).await.with_context(|| origin.log())?;
    let viewer = edge.browser("hinted.mjs", &[&STRETCH_S.to_string()])?;
    println!("{}", viewer.content().await.with_context(|| origin.log())?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_played_by_way_of_the_edge_where_playlists_hint_at_them() -> anyhow::Result<()> {
    plays_what_the_edge_leads_to(Edge::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_workerd_parts_are_played_by_way_of_the_edge() -> anyhow::Result<()> {
    plays_what_the_edge_leads_to(Edge::start_on(On::Workerd, &[]).await?).await
}
