//! Two origins that take the same feed: the same objects, and viewers who do not notice that one of them died.

use anyhow::{Context, ensure};
use railbird_core::time::MediaSpan;
use tokio::process::Command;

use crate::origin::{Encoder, Origin, Plan, Source, Store, objects, until};
use crate::play::ffmpeg;
use crate::sink::{Sink, all_on, listed};
use crate::viewers::Edge;

/// Both meet at the first target.
pub(crate) const PAIR: &str = "[pair]\nanchors_at = \"a\"\n";

async fn two(targets: &[String], edges: [&[String]; 2]) -> anyhow::Result<[Origin; 2]> {
    two_with("", targets, edges).await
}

/// The same, whose channel has these further settings.
pub(crate) async fn two_with(
    channel: &str,
    targets: &[String],
    edges: [&[String]; 2],
) -> anyhow::Result<[Origin; 2]> {
    let plan = |id, edges| Plan { id, title: "T", targets, edges, more: PAIR, files: &[] };
    let (north, south) = (plan("north", edges[0]), plan("south", edges[1]));
    Ok([Origin::start_with(&north, channel).await?, Origin::start_with(&south, channel).await?])
}

/// One ffmpeg, two origins, one bucket: each object that either makes has the name and the bytes that the other gives it.
///
/// Both saw the whole publish here, so nothing may differ, not even the first segment, which begins where the feed does,
/// or the last, which ends where it does.
async fn same_objects(a: Store, said: &str) -> anyhow::Result<()> {
    let source = Source::new(16).await?;
    let sinks = [Sink::start(vec![("a", a.dir())]).await?, Sink::start(vec![("a", a.dir())]).await?];
    let edges = sinks.each_ref().map(|sink| [sink.url.clone()]);
    let origins = two(&[a.target("a")], [&edges[0], &edges[1]]).await?;
    for origin in &origins {
        origin.logged(said).await?;
    }
    let mut encoder =
        Encoder::start(&origins.each_ref().map(|origin| origin.primary()).each_ref().map(|url| &url[..]))?;
    // A feed that ends before its origins could agree on an anchor goes on alone: the second half waits for that.
    let bytes = std::fs::read(&source.file)?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    encoder.send(first).await?;
    for sink in &sinks {
        sink.state("something is listed", |state| listed(state) > MediaSpan::from_ms(1_000)).await?;
    }
    encoder.send(second).await?;
    encoder.finish().await?;
    let whole = MediaSpan::from_ms(15_950);
    for (origin, sink) in origins.iter().zip(&sinks) {
        let all =
            sink.state("everything is listed", |state| listed(state) >= whole && all_on(state, "a")).await;
        all.with_context(|| origin.log())?;
        origin.crew(&["channel", "end", "t"]).await?;
        source.equals(&origin.export().await?).await?;
        origin.verified("a").await?;
        ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
    }
    let [north, south] = [origins[0].objects()?, origins[1].objects()?];
    ensure!(north.len() >= 9, "only {} objects", north.len());
    ensure!(north == south, "they differ:\n{north:#?}\n{south:#?}");
    ensure!(objects(&a.dir())? == north, "the bucket has something else");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_two_origins_make_the_same_objects() -> anyhow::Result<()> {
    same_objects(Store::start().await?, "honours conditional create").await
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_also_where_the_store_ignores_conditions() -> anyhow::Result<()> {
    same_objects(Store::start_without_conditions().await?, "ignores conditional create").await
}

/// What is open when an origin is stopped is made whole by the other one: cut short, it would have its name.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_an_origin_that_is_stopped_leaves_what_is_open_to_the_other() -> anyhow::Result<()> {
    let (source, a) = (Source::new(16).await?, Store::start().await?);
    let sinks = [Sink::start(vec![("a", a.dir())]).await?, Sink::start(vec![("a", a.dir())]).await?];
    let edges = sinks.each_ref().map(|sink| [sink.url.clone()]);
    let [mut north, south] = two(&[a.target("a")], [&edges[0], &edges[1]]).await?;
    let mut encoder = Encoder::start(&[&north.primary(), &south.primary()])?;
    let bytes = std::fs::read(&source.file)?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    encoder.send(first).await?;
    for sink in &sinks {
        sink.state("something is listed", |state| listed(state) > MediaSpan::from_ms(4_000)).await?;
    }
    north.stop().await?;
    north.logged("the segment that is open is left to the other origin").await?;
    encoder.send(second).await?;
    encoder.finish().await?;
    let whole = MediaSpan::from_ms(15_950);
    let all = sinks[1].state("all is listed", |state| listed(state) >= whole && all_on(state, "a")).await;
    all.with_context(|| south.log())?;
    let (stopped, made) = (north.objects()?, south.objects()?);
    let others: Vec<_> = stopped.iter().filter(|(name, hash)| made.get(*name) != Some(hash)).collect();
    ensure!(stopped.len() >= 3 && stopped.len() < made.len() && others.is_empty(), "{others:#?}");
    ensure!(objects(&a.dir())? == made, "the bucket has something else");
    south.crew(&["channel", "end", "t"]).await?;
    south.verified("a").await?;
    source.equals(&south.export().await?).await
}

/// Both origins lose the uplink at once, in the middle of a segment.
struct LostUplink {
    source: Source,
    a: Store,
    origins: [Origin; 2],
    sinks: [Sink; 2],
}

async fn lost_uplink(a: Store) -> anyhow::Result<LostUplink> {
    let source = Source::new(16).await?;
    let sinks = [Sink::start(vec![("a", a.dir())]).await?, Sink::start(vec![("a", a.dir())]).await?];
    let edges = sinks.each_ref().map(|sink| [sink.url.clone()]);
    let origins = two(&[a.target("a")], [&edges[0], &edges[1]]).await?;
    let mut encoder = Encoder::start(&[&origins[0].primary(), &origins[1].primary()])?;
    let bytes = std::fs::read(&source.file)?;
    encoder.send(&bytes[..bytes.len() / 2]).await?;
    for sink in &sinks {
        sink.state("something is listed", |state| listed(state) > MediaSpan::from_ms(4_000)).await?;
    }
    encoder.lose().await?;
    for origin in &origins {
        origin.logged("feed ended").await?;
    }
    Ok(LostUplink { source, a, origins, sinks })
}

async fn nothing_that_arrived_is_lost(a: Store) -> anyhow::Result<()> {
    let LostUplink { source, a, origins, sinks } = lost_uplink(a).await?;
    let mut most = 0;
    for (origin, sink) in origins.iter().zip(&sinks) {
        let arrived = origin.pictures().await?;
        // The encoder does not come back, and the crew ends the channel before anybody has waited for it.
        origin.crew(&["channel", "end", "t"]).await?;
        let kept = source.begins_with(&origin.export().await?).await?;
        ensure!(kept == arrived, "{arrived} pictures arrived, and {kept} are recorded:\n{}", origin.log());
        ensure!(kept > 4 * 25 && kept < 16 * 25, "{kept} pictures: nothing was tried");
        origin.verified_beside("a").await?;
        ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
        most = most.max(kept);
    }
    // What both made is there, whoever wrote it first.
    let made = [origins[0].objects()?, origins[1].objects()?];
    let there = objects(&a.dir())?;
    for (name, hash) in &there {
        ensure!(made.iter().any(|made| made.get(name) == Some(hash)), "nobody made {name} as it is there");
    }
    ensure!(made.iter().flatten().all(|(name, _)| there.contains_key(name)), "{there:#?}\n{made:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_arrived_is_lost_where_both_origins_lose_the_uplink() -> anyhow::Result<()> {
    nothing_that_arrived_is_lost(Store::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_arrived_is_lost_also_where_the_store_ignores_conditions() -> anyhow::Result<()> {
    nothing_that_arrived_is_lost(Store::start_without_conditions().await?).await
}

/// An encoder that comes back and sends all of it again: both origins go on where it broke off, as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_what_is_sent_again_after_a_lost_uplink_is_whole_at_both_origins() -> anyhow::Result<()> {
    let LostUplink { source, a, origins, sinks } = lost_uplink(Store::start().await?).await?;
    let mut encoder = Encoder::start(&[&origins[0].primary(), &origins[1].primary()])?;
    encoder.send(&std::fs::read(&source.file)?).await?;
    encoder.finish().await?;
    let whole = MediaSpan::from_ms(15_950);
    for (origin, sink) in origins.iter().zip(&sinks) {
        let all = sink.state("all is listed", |state| listed(state) >= whole && all_on(state, "a")).await;
        all.with_context(|| origin.log())?;
        origin.crew(&["channel", "end", "t"]).await?;
        source.equals(&origin.export().await?).await?;
        origin.verified("a").await?;
        ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
    }
    let [north, south] = [origins[0].objects()?, origins[1].objects()?];
    ensure!(north == south, "they differ:\n{north:#?}\n{south:#?}");
    ensure!(objects(&a.dir())? == north, "the bucket has something else");
    Ok(())
}

/// Two origins of which one loses frames: they give the same names to other bytes.
///
/// What was written first stays, whoever reads it finds a whole segment, and neither takes the other's for damage.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_what_one_origin_wrote_stays_where_the_other_lost_frames() -> anyhow::Result<()> {
    let (source, a) = (Source::new(16).await?, Store::start().await?);
    let sinks = [Sink::start(vec![("a", a.dir())]).await?, Sink::start(vec![("a", a.dir())]).await?];
    let edges = sinks.each_ref().map(|sink| [sink.url.clone()]);
    let origins = two(&[a.target("a")], [&edges[0], &edges[1]]).await?;
    for origin in &origins {
        origin.logged("honours conditional create").await?;
    }
    // One picture in five is lost on the way to the second.
    let lossy = origins[1].file("lossy.flv");
    let mut lose: Command = ffmpeg();
    lose.arg("-i").arg(&source.file).args(["-c", "copy", "-bsf:v", "noise=drop=not(key)*not(mod(n\\,5))"]);
    let ended = lose.args(["-f", "flv"]).arg(&lossy).status().await?;
    ensure!(ended.success(), "ffmpeg ended with {ended}");
    let [whole, lossy] = [std::fs::read(&source.file)?, std::fs::read(&lossy)?];
    let [(one, rest), (other, other_rest)] = [&whole, &lossy].map(|bytes| bytes.split_at(bytes.len() / 2));
    let mut encoders = [Encoder::start(&[&origins[0].primary()])?, Encoder::start(&[&origins[1].primary()])?];
    encoders[0].send(one).await?;
    encoders[1].send(other).await?;
    for sink in &sinks {
        sink.state("something is listed", |state| listed(state) > MediaSpan::from_ms(1_000)).await?;
    }
    let early = objects(&a.dir())?;
    let [mut north, mut south] = encoders;
    north.send(rest).await?;
    south.send(other_rest).await?;
    north.finish().await?;
    south.finish().await?;
    for (origin, sink) in origins.iter().zip(&sinks) {
        let long = |state: &_| listed(state) >= MediaSpan::from_ms(15_500) && all_on(state, "a");
        sink.state("everything is listed", long).await.with_context(|| origin.log())?;
        ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
    }
    let [north, south] = [origins[0].objects()?, origins[1].objects()?];
    ensure!(north.keys().eq(south.keys()), "other names:\n{north:#?}\n{south:#?}");
    ensure!(north != south, "they got the same frames: nothing was tried");
    let there = objects(&a.dir())?;
    ensure!(there.keys().eq(north.keys()));
    let made = |(name, hash): &(&String, _)| [&north, &south].iter().any(|of| of.get(*name) == Some(*hash));
    ensure!(there.iter().all(|object| made(&object)), "the bucket has something else");
    ensure!(early.iter().all(|(name, hash)| there.get(name) == Some(hash)), "something was written over");

    for origin in &origins {
        origin.crew(&["channel", "end", "t"]).await?;
        // It fails where it finds damage.
        origin.crew(&["verify"]).await?;
        ensure!(origin.unwell("a").await?.is_none(), "{}", origin.log());
        let wrong = origin.evidence()?.into_iter().find(|entry| entry["class"] == "wrong-bytes");
        ensure!(wrong.is_none(), "{wrong:#?}");
    }
    let differ = north.iter().filter(|(name, hash)| south.get(*name) != Some(hash)).count();
    until("who came second says so of each object that differs", async || {
        let evidence = [origins[0].evidence()?, origins[1].evidence()?].concat();
        Ok((evidence.iter().filter(|entry| entry["what"] == "others").count() == differ).then_some(()))
    })
    .await?;
    Ok(())
}

/// How long the feed is, and how much of it ffmpeg plays: a decoder gives its last frames only at the end of a stream.
const FEED_S: u32 = 50;
const PLAYED: usize = 40 * 25;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_one_of_two_origins_was_killed() -> anyhow::Result<()> {
    let source = Source::new(FEED_S).await?;
    let (a, b, edge) = (Store::start().await?, Store::start().await?, Edge::start().await?);
    let edges = edge.told();
    let [mut north, south] = two(&[a.target("a"), b.target("b")], [&edges, &edges]).await?;
    let published = source.publish(&[north.primary(), south.primary()]);

    let token = edge.token().await?;
    edge.playlist(&token, "a", 5.9).await.with_context(|| format!("{}\n{}", north.log(), south.log()))?;
    let mut person = edge.browser("steady.mjs", &["20"])?;
    let played = edge.play(&token, PLAYED);
    let killed = async {
        person.says("playing").await?;
        // Up to here both made the same.
        let made = north.objects()?;
        north.kill().await?;
        person.content().await?;
        anyhow::Ok(made)
    };
    let (played, made) = tokio::try_join!(played, killed).with_context(|| south.log())?;

    let differs = source.frames.iter().zip(&played).position(|(a, b)| a != b);
    ensure!(differs.is_none() && played.len() == PLAYED, "{} frames, differs: {differs:?}", played.len());
    // It tells of the origin that is gone, and goes on.
    published.await??;
    let whole = f64::from(FEED_S) - 0.1;
    let text = edge.playlist(&token, "a", whole).await?;
    ensure!(!text.contains("#EXT-X-DISCONTINUITY\n") && !text.contains("#EXT-X-GAP"), "{text}");

    // What the dead one had made is what the other made; its very last may be a segment that it was still writing.
    let survivor = south.objects()?;
    let other = |(name, hash): &(&String, &railbird_core::hash::Hash)| survivor.get(*name) != Some(*hash);
    let others: Vec<_> = made.iter().filter(other).collect();
    ensure!(made.len() >= 3 && others.is_empty(), "made by the dead one only: {others:?}");
    south.crew(&["channel", "end", "t"]).await?;
    for place in ["a", "b"] {
        south.verified(place).await?;
    }
    source.equals(&south.export().await?).await?;
    until("the dead one's name is told", async || Ok(south.unwell("a").await?.is_none().then_some(()))).await
}
