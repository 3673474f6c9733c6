//! Two origins that take the same feed and make the same ladder of it, each with an ffmpeg of its own: what the one lacks the
//! other has, and whoever plays a rung notices neither that an ffmpeg died nor that a whole origin did.

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::demo::finish;
use crate::ladder::{LADDER, Listed, another_encoder, encoder, signal};
use crate::origin::{Source, Store, objects, until};
use crate::pair::two_with;
use crate::play::{ffmpeg, hashes};
use crate::viewers::{Edge, duration};

/// How long the feed is, and how many pictures of a rung are played while it comes: over both changes, whenever they are.
const FEED_S: u32 = 44;
const PLAYED: usize = 42 * 25;

/// The rungs that ffmpegs make.
const RUNGS: [&str; 2] = ["mid", "low"];

/// How many pictures an ffmpeg decodes that has nothing to complain of.
async fn pictures(mut player: Command) -> anyhow::Result<usize> {
    player.args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = finish(player).await?;
    // Stream, two times, duration, size and hash of each.
    let complaint = text.lines().find(|line| !line.starts_with('#') && line.split(',').count() != 6);
    ensure!(complaint.is_none(), "{complaint:?}");
    Ok(hashes(&text).len())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_ladders_one_loses_its_ffmpeg_and_then_its_origin_and_nobody_who_plays_a_rung_notices()
-> anyhow::Result<()> {
    let source = Source::new(FEED_S).await?;
    let (a, b, edge) = (Store::start().await?, Store::start().await?, Edge::start().await?);
    let edges = [edge.url.clone()];
    let [mut north, south] = two_with(LADDER, &[a.target("a"), b.target("b")], [&edges, &edges]).await?;
    for origin in [&north, &south] {
        origin.logged("honours conditional create").await?;
    }
    let published = source.publish(&[north.primary(), south.primary()]);
    let live = edge.live().await?;
    let begun = live.text_once(["a", "mid"], "something is listed", |text| Listed::of(text).has_begun());
    begun.await.with_context(|| format!("{}\n{}", north.log(), south.log()))?;
    let mut player = ffmpeg();
    player.args(["-live_start_index", "0", "-i", &live.media("a", "mid"), "-frames:v", &PLAYED.to_string()]);
    let played = tokio::spawn(pictures(player));

    // The one origin's ffmpeg dies. Of what it had in hand that origin has nothing; then another one goes on.
    let rung = ["rendition=\"mid\""];
    let first = encoder(&north)?.context("no ffmpeg makes the ladder")?;
    signal("-KILL", &first).await?;
    another_encoder(&north, &first).await?;
    let lost = until("the one origin has a gap", async || {
        let lost = north.figure("railbird_ladder_lost_total", &rung).await?;
        Ok((lost > 0).then_some(()))
    });
    lost.await.with_context(|| north.log())?;
    let before = north.figure("railbird_ladder_segments_total", &rung).await?;
    let more = until("its other ffmpeg makes something", async || {
        let made = north.figure("railbird_ladder_segments_total", &rung).await?;
        Ok((made > before + 1).then_some(()))
    });
    more.await.with_context(|| north.log())?;
    // Then all of it dies.
    north.kill().await?;

    published.await??;
    south.logged("feed ended").await?;
    let whole = f64::from(FEED_S) - 0.1;
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
        ensure!(
            listed.head == of_source.head && listed.segments == of_source.segments,
            "{rendition}: {text}"
        );
        ensure!(listed.gaps() == 0 && !text.contains("#EXT-X-DISCONTINUITY\n"), "{rendition}: {text}");
        ensure!(text.matches("#EXT-X-MAP:").count() == 1, "{rendition}: {text}");
    }

    // Who played all the while, and who begins from the start, both see every picture.
    let played = played.await?.with_context(|| south.log())?;
    ensure!(played == PLAYED, "{played} pictures were played of {PLAYED}");
    for rung in RUNGS {
        for node in ["a", "b"] {
            let mut player = ffmpeg();
            player.args(["-live_start_index", "0", "-i", &live.media(node, rung)]);
            let all = pictures(player).await?;
            ensure!(all == source.frames.len(), "{all} pictures of {rung} on {node}");
        }
    }
    live.is_clean().await?;

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
