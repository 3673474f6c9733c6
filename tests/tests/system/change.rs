//! The crew changes things while a feed runs: CDNs come and go, and channels end.

use anyhow::{Context, ensure};
use railbird_core::time::MediaSpan;
use tokio::process::Command;

use crate::origin::{Encoder, Origin, Plan, Source, Store, objects, until};
use crate::play::ffmpeg;
use crate::sink::{Sink, all_on, listed};
use crate::viewers::Edge;

fn named(text: &str, store: &Store) -> bool {
    text.contains(&store.url())
}

/// Playlists of every pathway of the live channel, once none of them names this store, or each does.
async fn led(edge: &Edge, token: &str, node: &str, store: &Store, there: bool) -> anyhow::Result<String> {
    until("the playlists follow", async || {
        let text = edge.playlist(token, node, 1.0).await?;
        Ok((named(&text, store) == there).then_some(text))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_come_and_go_while_a_feed_runs() -> anyhow::Result<()> {
    let source = Source::new(36).await?;
    let (a, b, c) = (Store::start().await?, Store::start().await?, Store::start().await?);
    let nodes = vec![("a", a.dir()), ("b", b.dir()), ("c", c.dir())];
    let (sink, edge) = (Sink::start(nodes).await?, Edge::start().await?);
    let targets = [a.target("a"), b.target("b")];
    let edges = [sink.url.clone(), edge.url.clone()];
    let third = c.target("c");
    let plan = Plan {
        id: "north",
        title: "T",
        targets: &targets,
        edges: &edges,
        more: "",
        files: &[("c.toml", &third)],
    };
    let origin = Origin::start(&plan).await?;
    // In quarters, each sent when the crew has done the next thing.
    let bytes = std::fs::read(&source.file)?;
    let quarters: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(4)).collect();
    let mut encoder = Encoder::start(&[&origin.primary()])?;
    let run = async {
        encoder.send(quarters[0]).await?;
        let token = edge.token().await?;
        led(&edge, &token, "a", &a, true).await?;

        let file = origin.file("c.toml").to_string_lossy().into_owned();
        origin.crew(&["target", "add", &file, "--backfill"]).await?;
        encoder.send(quarters[1]).await?;
        // Everything from before it was added as well.
        sink.state("C has all", |state| listed(state) > MediaSpan::from_ms(10_000) && all_on(state, "c"))
            .await?;
        led(&edge, &token, "c", &c, true).await?;

        origin.crew(&["target", "drain", "a"]).await?;
        let drained = sink.state("A is drained", |state| {
            state.nodes.iter().any(|node| node.id.as_str() == "a" && node.weight == 0)
        });
        drained.await?;
        let had = objects(&a.dir())?.len();
        encoder.send(quarters[2]).await?;
        sink.state("it goes on", |state| listed(state) > MediaSpan::from_ms(18_000) && all_on(state, "c"))
            .await?;
        ensure!(objects(&a.dir())?.len() == had, "a drained target got something new");
        origin.crew(&["target", "remove", "a"]).await?;
        sink.state("A is gone", |state| state.nodes.iter().all(|node| node.id.as_str() != "a")).await?;
        for node in ["b", "c"] {
            let text = led(&edge, &token, node, &a, false).await?;
            ensure!(!text.contains("#EXT-X-GAP") && !text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
        }

        // The file says the same now, but for B: it leaves by a reload.
        origin.configure(&plan, std::slice::from_ref(&third))?;
        origin.crew(&["reload"]).await?;
        sink.state("B is gone", |state| state.nodes.iter().all(|node| node.id.as_str() == "c")).await?;
        encoder.send(quarters[3]).await?;
        encoder.finish().await?;
        let whole = MediaSpan::from_ms(35_950);
        let last = sink.state("all is listed", |state| listed(state) >= whole && all_on(state, "c")).await?;
        let broken = last.renditions.iter().flat_map(|rendition| &rendition.segments);
        ensure!(broken.clone().all(|segment| !segment.gap), "there is a gap");
        // The first segment of a feed is marked, and nothing stands before it.
        ensure!(!broken.skip(1).any(|segment| segment.discontinuity), "there is a discontinuity");
        let text = led(&edge, &token, "c", &b, false).await?;
        ensure!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
        origin.crew(&["channel", "end", "t"]).await?;
        origin.verified("c").await?;
        ensure!(objects(&c.dir())? == origin.objects()?, "C does not have what is recorded");
        source.equals(&origin.export().await?).await?;
        ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
        anyhow::Ok(())
    };
    run.await.with_context(|| origin.log())
}

/// "Start over" while it is live, and the replay once it has ended, from the list of channels.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_watches_from_the_start_live_and_afterwards() -> anyhow::Result<()> {
    const FEED_S: u32 = 36;
    let source = Source::new(FEED_S).await?;
    let (a, b, edge) = (Store::start().await?, Store::start().await?, Edge::start().await?);
    let (targets, edges) = ([a.target("a"), b.target("b")], edge.told());
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start(&plan).await?;
    let mut encoder: Command = ffmpeg();
    encoder.args(["-re", "-i"]).arg(&source.file).args(["-c", "copy", "-f", "flv", &origin.primary()]);
    let mut encoder = encoder.kill_on_drop(true).spawn()?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 15.5).await.with_context(|| origin.log())?;
    let shot = |name: &str| edge.shots().join(name).to_string_lossy().into_owned();
    edge.browser("replay.mjs", &["over", "8", &shot("over.png")])?.content().await?;
    ensure!(encoder.wait().await?.success(), "the encoder failed");
    edge.playlist(&token, "a", f64::from(FEED_S) - 0.1).await?;
    origin.crew(&["channel", "end", "t"]).await?;
    let length = FEED_S.to_string();
    edge.browser("replay.mjs", &["replay", &length, &shot("replay.png")])?.content().await?;
    source.equals(&origin.export().await?).await
}
