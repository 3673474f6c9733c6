//! Two origins that take the same feed and make the same ladder of it, each with an ffmpeg of its own: what the one lacks the
//! other has, and whoever plays a rung notices neither that an ffmpeg died nor that a whole origin did.

use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::demo::finish;
use crate::ladder::{LADDER, Listed, encoder, signal};
use crate::origin::{Encoder, Origin, Source, Store, objects, until};
use crate::pair::two_with;
use crate::play::{ffmpeg, hashes};
use crate::sink::Sink;
use crate::viewers::{Edge, duration};

/// How long the feed is, in pieces of so many seconds. A piece is sent no sooner than its time, and no sooner than both ladders are
/// so near: how fast they are does not matter here.
const PIECES: usize = 26;
const PIECE_S: usize = 2;
const NEAR: usize = 1;

/// So many pieces come after both changes, at the least: what the dead origin said counts for a while.
const AFTER: usize = 8;

/// The rungs that ffmpegs make.
const RUNGS: [&str; 2] = ["mid", "low"];

/// How many pictures an ffmpeg decodes that has nothing to complain of.
pub(crate) async fn pictures(mut player: Command) -> anyhow::Result<usize> {
    player.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = finish(player).await?;
    // Stream, two times, duration, size and hash of each.
    let complaint = text.lines().find(|line| !line.starts_with('#') && line.split(',').count() != 6);
    ensure!(complaint.is_none(), "{complaint:?}");
    Ok(hashes(&text).len())
}

/// How much of the rung the origin's ffmpegs have made, and how much of it they have lost.
async fn figures(origin: &Origin) -> anyhow::Result<[usize; 2]> {
    let rung = ["rendition=\"mid\""];
    let made = origin.figure("railbird_ladder_segments_total", &rung).await?;
    Ok([made, origin.figure("railbird_ladder_lost_total", &rung).await?])
}

/// Whether the origin that tells this sink has something of the rung.
fn says_of_mid(sink: &Sink) -> bool {
    let state = sink.kept().state;
    let renditions = state.iter().flat_map(|state| &state.renditions);
    renditions
        .filter(|rendition| rendition.id.as_str() == "mid")
        .any(|mid| mid.segments.iter().any(|segment| !segment.gap))
}

/// What happens to the one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Both,
    /// The other one has said what it has of the rung: before that, nobody knows that it makes it.
    Told,
    /// Its ffmpeg was killed, when so much of the rung was made.
    Killed(usize),
    /// All of it was, with the piece of this number.
    Dead(usize),
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_ladders_one_loses_its_ffmpeg_and_then_its_origin_and_nobody_who_plays_a_rung_notices()
-> anyhow::Result<()> {
    let feed_s = (PIECES * PIECE_S) as u32;
    let source = Source::new(feed_s).await?;
    let (a, b, edge) = (Store::start().await?, Store::start().await?, Edge::start().await?);
    // What the one says is told by this, too.
    let sink = Sink::start(vec![("a", a.dir()), ("b", b.dir())]).await?;
    let edges = [edge.url.clone(), sink.url.clone()];
    let [mut north, south] = two_with(LADDER, &[a.target("a"), b.target("b")], [&edges[..1], &edges]).await?;
    for origin in [&north, &south] {
        origin.logged("honours conditional create").await?;
    }
    let live = edge.live().await?;
    let mut publish = Encoder::start(&[&north.primary(), &south.primary()])?;
    let bytes = std::fs::read(&source.file)?;
    let (mut stage, mut killed, mut played) = (Stage::Both, String::new(), None);
    let mut pace = tokio::time::interval(Duration::from_secs(PIECE_S as u64));
    for (n, piece) in bytes.chunks(bytes.len().div_ceil(PIECES)).enumerate() {
        pace.tick().await;
        publish.send(piece).await?;
        let living: &[&Origin] = if matches!(stage, Stage::Dead(_)) { &[&south] } else { &[&north, &south] };
        for origin in living {
            let near = until("the ladder is near", async || {
                let known: usize = figures(origin).await?.iter().sum();
                Ok((known + NEAR >= n).then_some(()))
            });
            near.await.with_context(|| format!("piece {n}, {stage:?}\n{}", origin.log()))?;
        }
        match stage {
            Stage::Both if says_of_mid(&sink) => stage = Stage::Told,
            Stage::Told if Listed::of(&live.text("a", "mid").await?).has_begun() => {
                let mut player = ffmpeg();
                player.args(["-live_start_index", "0", "-i", &live.media("a", "mid")]);
                played = Some(tokio::spawn(pictures(player)));
                killed = encoder(&north)?.context("no ffmpeg makes the ladder")?;
                let [made, _] = figures(&north).await?;
                signal("-KILL", &killed).await?;
                stage = Stage::Killed(made);
            }
            // Of what it had in hand that origin has nothing; another ffmpeg goes on, and then it dies with it.
            Stage::Killed(before) => {
                let ([made, lost], another) = (figures(&north).await?, encoder(&north)?);
                if lost > 0 && made > before + 1 && another.is_some_and(|another| another != killed) {
                    north.kill().await?;
                    stage = Stage::Dead(n);
                }
            }
            Stage::Both | Stage::Told | Stage::Dead(_) => {}
        }
    }
    let Stage::Dead(at) = stage else { anyhow::bail!("{stage:?}\n{}", north.log()) };
    ensure!(PIECES - at > AFTER, "too little came after the piece {at}");
    // It tells of the origin that is gone.
    publish.finish().await?;
    south.logged("feed ended").await?;
    let whole = f64::from(feed_s) - 0.1;
    for node in ["a", "b"] {
        for rendition in ["source", "mid", "low", "audio"] {
            let listed = live.text_once([node, rendition], "all is listed", |text| duration(text) > whole);
            listed.await.with_context(|| format!("{}\n{}", north.log(), south.log()))?;
        }
    }
    south.crew(&["channel", "end", "t"]).await?;
    let ended = async |rendition: &str| {
        let text = live.text_once(["a", rendition], "its end", |text| text.ends_with("#EXT-X-ENDLIST\n"));
        text.await.with_context(|| south.log())
    };
    let of_source = Listed::of(&ended("source").await?);
    for rendition in ["source", "mid", "low", "audio"] {
        let text = ended(rendition).await?;
        let listed = Listed::of(&text);
        let same = listed.head == of_source.head && listed.segments == of_source.segments;
        let hole = listed.gaps() > 0 || text.contains("#EXT-X-DISCONTINUITY\n");
        ensure!(same && !hole, "{rendition}: {text}\n{}\n{}", north.log(), south.log());
        ensure!(text.matches("#EXT-X-MAP:").count() == 1, "{rendition}: {text}");
    }

    // Who played all the while, and who begins from the start, both see every picture.
    let all = source.frames.len();
    let played = played.context("nobody played")?.await?.with_context(|| south.log())?;
    ensure!(played == all, "{played} pictures were played of {all}");
    for rung in RUNGS {
        for node in ["a", "b"] {
            let mut player = ffmpeg();
            player.args(["-live_start_index", "0", "-i", &live.media(node, rung)]);
            let played = pictures(player).await?;
            ensure!(played == all, "{played} pictures of {rung} on {node}");
        }
    }
    live.is_clean().await?;
    ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
    source.equals(&south.export().await?).await?;

    // Whatever is there was made by one of the two, whole; they made different bytes, so that it was tried.
    let made = [north.objects()?, south.objects()?];
    let differ = made[0].iter().filter(|(name, hash)| made[1].get(*name).is_some_and(|other| other != *hash));
    let rungs_only = |name: &str| RUNGS.iter().any(|rung| name.starts_with(&format!("t/{rung}/")));
    let differ: Vec<_> = differ.map(|(name, _)| name).collect();
    ensure!(!differ.is_empty() && differ.iter().all(|name| rungs_only(name)), "{differ:#?}");
    for (node, store) in [("a", &a), ("b", &b)] {
        for (name, hash) in objects(&store.dir())? {
            ensure!(made.iter().any(|made| made.get(&name) == Some(&hash)), "nobody made {name} on {node}");
        }
        south.verified_beside(node).await?;
    }
    Ok(())
}
