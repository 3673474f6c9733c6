//! A rendition that is chosen before it begins, or while it has gaps, in our own page: live, and in a recording.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::demo::client;
use crate::feeds::{FEEDS, encoder, relay};
use crate::ladder::{Listed, signal};
use crate::origin::{Origin, Plan, Store, target, until};
use crate::viewers::Edge;

/// A live picture begins some segments behind the newest.
const GAPS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn who_chose_a_rendition_that_has_gaps_sees_another_one_until_it_goes_on() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], [edge.url.clone()]);
    let (more, files) =
        ("[http_ingest]\nlisten = \"127.0.0.1:0\"\n", [("mid", "mid-key-1"), ("low", "low-key-1")]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more, files: &files };
    let origin = Origin::start_with(&plan, FEEDS).await?;
    let port = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut encoder = encoder(&origin, port)?;
    let token = edge.token().await?;
    let listed = async |rendition: &str| {
        let url = format!("{}/t/{token}/live/t/a/{rendition}.m3u8", edge.url);
        anyhow::Ok(Listed::of(&client()?.get(url).send().await?.text().await?))
    };
    // How many segments of the lowest rendition in a row are the newest and such, or are not.
    let newest = async |gaps: bool, least: usize| {
        let what = format!("the newest {least} of low are {}", if gaps { "gaps" } else { "there" });
        let such = until(&what, async || {
            let listed = listed("low").await?;
            let row = listed.segments.iter().rev().take_while(|(_, _, gap)| *gap == gaps).count();
            Ok((row >= least).then_some(()))
        });
        such.await.with_context(|| origin.log())
    };

    // The recording begins without it.
    edge.playlist(&token, "a", 6.5).await.with_context(|| origin.log())?;
    let mut sent = relay(&origin, port)?;
    newest(false, 2).await?;
    sent.kill().await?;
    newest(true, GAPS).await?;

    let mut viewer = edge.browser("gaps.mjs", &["live", "90"])?;
    viewer.says("watching").await.with_context(|| origin.log())?;
    let mut sent = relay(&origin, port)?;
    viewer.says("chosen").await.with_context(|| origin.log())?;
    sent.kill().await?;
    viewer.says("other").await.with_context(|| origin.log())?;
    let _sent = relay(&origin, port)?;
    println!("{}", viewer.content().await.with_context(|| origin.log())?);
    newest(false, 2).await?;

    signal("-INT", &encoder.id().context("the encoder has ended")?.to_string()).await?;
    encoder.wait().await?;
    origin.logged("feed ended").await?;
    let length = listed("source").await?.segments.len();
    let whole = until("the rendition is as long as the source", async || {
        Ok((listed("low").await?.segments.len() >= length).then_some(()))
    });
    whole.await.with_context(|| origin.log())?;
    origin.crew(&["channel", "end", "t"]).await?;

    let recorded = until("the recording has ended", async || {
        let request = client()?.get(format!("{}/api/channels", edge.url));
        let request = request.header("cookie", format!("__Host-railbird={token}"));
        let told: Value = request.send().await?.json().await?;
        let Some(id) = told["channels"][0]["replays"][0]["id"].as_str() else { return Ok(None) };
        let url = format!("{}/t/{token}/replay/t/{id}/a/low.m3u8", edge.url);
        let text = client()?.get(url).send().await?.text().await?;
        Ok(text.ends_with("#EXT-X-ENDLIST\n").then(|| Listed::of(&text)))
    });
    let recorded = recorded.await.with_context(|| origin.log())?;
    let mut segments: Vec<(f64, bool, &str)> = Vec::new();
    for (name, tags, gap) in &recorded.segments {
        let length = tags.iter().find_map(|tag| tag.strip_prefix("#EXTINF:")?.split(',').next());
        segments.push((length.context("no length")?.parse()?, *gap, name));
    }
    let begins = segments.iter().take_while(|(_, gap, _)| *gap).count();
    ensure!(begins > 1 && segments.iter().skip(begins).any(|(_, gap, _)| *gap), "{segments:?}");
    let segments = serde_json::to_string(&segments)?;
    for everywhere in ["0", "1"] {
        let viewer = edge.browser("gaps.mjs", &["replay", "90", &segments, everywhere])?;
        println!("{}", viewer.content().await.with_context(|| origin.log())?);
    }
    Ok(())
}
