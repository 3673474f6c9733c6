//! An origin alone whose venue loses its uplink in the middle of a segment.

use anyhow::{Context, ensure};
use railbird_core::time::MediaSpan;

use crate::origin::{Encoder, Origin, Plan, Source, Store, objects};
use crate::sink::{Sink, all_on, listed};

struct LostUplink {
    source: Source,
    a: Store,
    sink: Sink,
    origin: Origin,
    /// The objects on its disk when it knew of the loss.
    before: usize,
}

async fn lost_uplink() -> anyhow::Result<LostUplink> {
    let (source, a) = (Source::new(16).await?, Store::start().await?);
    let sink = Sink::start(vec![("a", a.dir())]).await?;
    let (targets, edges) = ([a.target("a")], [sink.url.clone()]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start(&plan).await?;
    let mut encoder = Encoder::start(&[&origin.primary()])?;
    let bytes = std::fs::read(&source.file)?;
    encoder.send(&bytes[..bytes.len() / 2]).await?;
    sink.state("something is listed", |state| listed(state) > MediaSpan::from_ms(4_000)).await?;
    encoder.lose().await?;
    origin.logged("feed ended").await?;
    let before = origin.objects()?.len();
    Ok(LostUplink { source, a, sink, origin, before })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_after_a_lost_uplink_goes_on_where_it_broke_off() -> anyhow::Result<()> {
    let LostUplink { source, a, sink, origin, .. } = lost_uplink().await?;
    let mut encoder = Encoder::start(&[&origin.primary()])?;
    encoder.send(&std::fs::read(&source.file)?).await?;
    encoder.finish().await?;
    let whole = MediaSpan::from_ms(15_950);
    let all = sink.state("all is listed", |state| listed(state) >= whole && all_on(state, "a")).await;
    let state = all.with_context(|| origin.log())?;
    let broken = state.renditions.iter().flat_map(|rendition| rendition.segments.iter().skip(1));
    ensure!(broken.clone().all(|segment| !segment.gap && !segment.discontinuity), "{state:#?}");
    origin.crew(&["channel", "end", "t"]).await?;
    source.equals(&origin.export().await?).await?;
    origin.verified("a").await?;
    ensure!(objects(&a.dir())? == origin.objects()?, "the bucket has something else");
    ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
    Ok(())
}

/// Nobody has waited for the encoder when the origin is stopped, or its channel ended.
async fn nothing_that_arrived_is_lost(
    end: impl AsyncFnOnce(&mut Origin) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let LostUplink { source, a: _bucket, sink, mut origin, before } = lost_uplink().await?;
    let arrived = origin.pictures().await?;
    end(&mut origin).await?;
    let kept = source.begins_with(&origin.export().await?).await?;
    ensure!(kept == arrived, "{arrived} pictures arrived, and {kept} are recorded:\n{}", origin.log());
    ensure!(kept > 4 * 25 && kept < 16 * 25, "{kept} pictures: nothing was tried");
    ensure!(origin.objects()?.len() == before + 1, "what was open did not wait");
    ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_lost_uplink_is_recorded_when_the_origin_is_stopped() -> anyhow::Result<()> {
    nothing_that_arrived_is_lost(async |origin| origin.stop().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_lost_uplink_is_recorded_when_the_channel_is_ended() -> anyhow::Result<()> {
    nothing_that_arrived_is_lost(async |origin| origin.crew(&["channel", "end", "t"]).await.map(drop)).await
}
