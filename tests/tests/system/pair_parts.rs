//! Two origins of a low-latency channel that take the same feed: the same parts, whoever puts them first, and the same segments.

use anyhow::{Context, ensure};
use railbird_core::object::PARTS;
use railbird_core::state::ChannelState;
use railbird_core::time::MediaSpan;

use crate::gate::Gate;
use crate::origin::{Encoder, Origin, Plan, Source, Store, objects, target};
use crate::sink::{Sink, all_on, listed};

/// How long the feed is, and in how many pieces it is sent.
const SECONDS: u32 = 16;
const PIECES: usize = 8;

/// By how much what is listed may be behind what was sent, when the next piece is sent: an origin that is further ahead of its target
/// leaves out parts that are of no use any more.
const BEHIND: MediaSpan = MediaSpan::from_ms(3_000);

/// So many parts are put by both, at the least: one a second. A part whose segment is there already is put no more.
const PARTS_MIN: usize = SECONDS as usize;

/// How far a state goes, with its parts.
fn reaches(state: &ChannelState) -> MediaSpan {
    let Some(rendition) = state.renditions.first() else { return MediaSpan::default() };
    let ends = rendition.segments.last().map(|last| last.start + last.duration);
    let end = ends.into_iter().chain(rendition.parts.last().map(|last| last.start + last.duration)).max();
    let begin = rendition.segments.first().map(|first| first.start);
    begin.zip(end).map_or_else(MediaSpan::default, |(begin, end)| end - begin)
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_two_origins_make_the_same_parts() -> anyhow::Result<()> {
    let (source, a) = (Source::new(SECONDS).await?, Store::start().await?);
    let (mut origins, mut sinks, mut gates) = (Vec::new(), Vec::new(), Vec::new());
    for id in ["north", "south"] {
        let (gate, sink) = (Gate::start(a.server.addr()).await?, Sink::start(vec![("a", a.dir())]).await?);
        let (targets, edges) = ([target("a", &gate.url, &a.url(), "")], [sink.url.clone()]);
        let more = "[pair]\nanchors_at = \"a\"\n";
        let plan = Plan { id, title: "T", targets: &targets, edges: &edges, more, files: &[] };
        let origin = Origin::start_with(&plan, "low_latency = true\n").await?;
        origin.logged("honours conditional create").await?;
        origins.push(origin);
        sinks.push(sink);
        gates.push(gate);
    }
    let mut encoder = Encoder::start(&[&origins[0].primary(), &origins[1].primary()])?;
    let bytes = std::fs::read(&source.file)?;
    for (nth, piece) in bytes.chunks(bytes.len().div_ceil(PIECES)).enumerate() {
        encoder.send(piece).await?;
        let sent = MediaSpan::from_ms((nth as i64 + 1) * i64::from(SECONDS) * 1000 / PIECES as i64);
        if sent <= BEHIND {
            continue;
        }
        for (origin, sink) in origins.iter().zip(&sinks) {
            let near = sink.state("what was sent is listed", |state| reaches(state) + BEHIND >= sent).await;
            near.with_context(|| format!("piece {nth}\n{}", origin.log()))?;
        }
    }
    encoder.finish().await?;
    let whole = MediaSpan::from_ms(i64::from(SECONDS) * 1000 - 50);
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
    ensure!(north == south, "they differ:\n{north:#?}\n{south:#?}");
    let [parts, other] = [gates[0].parts(), gates[1].parts()];
    let both = parts.iter().filter_map(|(name, hash)| Some((name, hash, other.get(name)?)));
    let both: Vec<_> = both.collect();
    ensure!(both.len() >= PARTS_MIN, "only {} parts:\n{parts:#?}\n{other:#?}", both.len());
    let differ: Vec<_> = both.iter().filter(|(_, hash, other)| hash != other).collect();
    ensure!(differ.is_empty(), "they differ: {differ:#?}");
    let mut there = objects(&a.dir())?;
    let segments = there.split_off("t/");
    ensure!(there.keys().all(|name| name.starts_with(PARTS)), "{there:#?}");
    let made = |(name, hash): (&String, _)| [&parts, &other].iter().any(|of| of.get(name) == Some(hash));
    ensure!(there.iter().all(made) && segments == north, "the bucket has something else:\n{there:#?}");
    Ok(())
}
