//! A channel's further renditions: those that a supervised ffmpeg makes, and the sound alone; to players that are not ours.

use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_core::lint::ours;
use railbird_origin::lint;
use reqwest::header::HeaderMap;

use crate::demo::{client, finish};
use crate::origin::{Origin, Plan, Source, Store, target, until};
use crate::play::{decoded, ffmpeg};
use crate::viewers::{Edge, duration};

/// So much is published, as fast as it is played.
const SECONDS: u32 = 18;

/// By their bit rates the ladders' ffmpegs are told from others.
const KBPS: u32 = 317;
const HUNG_KBPS: u32 = 319;

const LADDER: &str = "audio_only = true\n\
    [[channel.ladder]]\nname = \"low\"\nheight = 90\nvideo_kbps = 151\npreset = \"ultrafast\"\n\
    [[channel.ladder]]\nname = \"mid\"\nheight = 120\nvideo_kbps = 317\npreset = \"ultrafast\"\n";

/// The process of the ffmpeg of a ladder that has this bit rate.
fn encoder(kbps: u32) -> anyhow::Result<Option<String>> {
    let rate = format!("{kbps}k");
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let mut words = line.split(|byte| *byte == 0);
        if words.next() == Some(b"ffmpeg") && words.any(|word| word == rate.as_bytes()) {
            return Ok(Some(entry.file_name().to_string_lossy().into()));
        }
    }
    Ok(None)
}

async fn signal(name: &str, pid: &str) -> anyhow::Result<()> {
    let mut kill = tokio::process::Command::new("kill");
    kill.args([name, pid]);
    finish(kill).await.map(drop)
}

/// What a media playlist lists.
#[derive(Debug, Default)]
struct Listed {
    head: Vec<String>,
    /// Of each segment its file's name, which tells where it starts, its length and discontinuity, and whether it is a gap.
    segments: Vec<(String, Vec<String>, bool)>,
}

impl Listed {
    fn of(text: &str) -> Listed {
        let (mut listed, mut tags) = (Listed::default(), Vec::new());
        // What is not there yet is answered with a reason.
        for line in text.lines().filter(|_| text.starts_with("#EXTM3U")) {
            let is = |names: &[&str]| names.iter().any(|name| line.starts_with(name));
            if is(&["#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE", "#EXT-X-TARGETDURATION"]) {
                listed.head.push(line.to_string());
            } else if is(&["#EXTINF", "#EXT-X-GAP"]) || line == "#EXT-X-DISCONTINUITY" {
                tags.push(line.to_string());
            } else if !line.starts_with('#') {
                let gap = tags.iter().any(|tag| tag == "#EXT-X-GAP");
                tags.retain(|tag| tag != "#EXT-X-GAP");
                let name = line.rsplit('/').next().unwrap_or_default().to_string();
                listed.segments.push((name, std::mem::take(&mut tags), gap));
            }
        }
        listed
    }

    fn gaps(&self) -> usize {
        self.segments.iter().filter(|(_, _, gap)| *gap).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renditions_are_the_source_segment_by_segment_and_a_dead_ffmpeg_is_a_gap_in_its_own_alone()
-> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], [edge.url.clone()]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start_with(&plan, LADDER).await?;
    let source = Source::new(SECONDS).await?;
    let mut publish = ffmpeg();
    publish.arg("-re").arg("-i").arg(&source.file).args(["-c", "copy", "-f", "flv"]).arg(origin.primary());
    let published = tokio::spawn(finish(publish));
    let token = edge.token().await?;
    let live = format!("{}/t/{token}/live/t", edge.url);
    let text =
        async |path: &str| anyhow::Ok(client()?.get(format!("{live}/{path}")).send().await?.text().await?);

    // Something of the ladder is there; then its ffmpeg dies, and another one begins.
    until("a rendition of the ladder is listed", async || {
        let listed = Listed::of(&text("a/mid.m3u8").await?);
        Ok(Some(()).filter(|()| listed.segments.len() > listed.gaps()))
    })
    .await
    .with_context(|| origin.log())?;
    let first = encoder(KBPS)?.context("no ffmpeg makes the ladder")?;
    signal("-KILL", &first).await?;
    until("another ffmpeg makes the ladder", async || Ok(encoder(KBPS)?.filter(|id| *id != first))).await?;
    published.await??;
    origin.logged("feed ended").await?;
    // What ffmpeg still had comes with the feed's end.
    let played = f64::from(SECONDS) - 0.1;
    for rendition in ["source", "mid", "low", "audio"] {
        let what = format!("all of {rendition} is listed");
        let listed = until(&what, async || {
            let text = text(&format!("a/{rendition}.m3u8")).await?;
            Ok(Some(()).filter(|()| duration(&text) > played))
        });
        listed.await.with_context(|| origin.log())?;
    }
    origin.crew(&["channel", "end", "t"]).await?;

    let ended = async |rendition: &str| {
        let what = format!("{rendition} ends");
        let listed = until(&what, async || {
            let text = text(&format!("a/{rendition}.m3u8")).await?;
            Ok(Some(text).filter(|text| text.ends_with("#EXT-X-ENDLIST\n")))
        });
        anyhow::Ok(Listed::of(&listed.await.with_context(|| origin.log())?))
    };
    let of_source = ended("source").await?;
    ensure!(of_source.gaps() == 0 && of_source.segments.len() > 7, "{of_source:?}");
    let mut behind_gap = 0.0_f64;
    for (rendition, lost) in [("mid", true), ("low", true), ("audio", false)] {
        let listed = ended(rendition).await?;
        ensure!(listed.head == of_source.head, "{listed:?}\n{of_source:?}");
        let same = listed
            .segments
            .iter()
            .zip(&of_source.segments)
            .all(|(one, of)| (&one.0, &one.1) == (&of.0, &of.1) || one.2);
        ensure!(same, "{listed:?}\n{of_source:?}");
        ensure!(
            listed.segments.len() == of_source.segments.len(),
            "{rendition}: {listed:?}\n{}",
            origin.log()
        );
        ensure!(
            if lost { (1..=3).contains(&listed.gaps()) } else { listed.gaps() == 0 },
            "{listed:?}\n{}",
            origin.log()
        );
        let mut end = 0.0;
        for (_, tags, gap) in &listed.segments {
            let length = tags.iter().find_map(|tag| tag.strip_prefix("#EXTINF:")?.split(',').next());
            end += length.context("no length")?.parse::<f64>()?;
            behind_gap = if *gap { behind_gap.max(end) } else { behind_gap };
        }
    }

    // Every picture of the source and, but for gaps, of each rung; and the sound alone.
    let url = |rendition: &str| format!("{live}/a/{rendition}.m3u8");
    let pictures = async |rendition: &str| {
        let mut player = ffmpeg();
        player.args(["-live_start_index", "0", "-i", &url(rendition)]);
        decoded(player, "0:v:0", None).await
    };
    ensure!(pictures("source").await? == source.frames, "the source is another one");
    let mut sound = ffmpeg();
    sound.args(["-i", &url("audio")]);
    let heard = decoded(sound, "0:a:0", None).await?;
    let mut sound = ffmpeg();
    sound.args(["-i", &url("source")]);
    ensure!(heard == decoded(sound, "0:a:0", None).await? && heard.len() > 600, "{} frames", heard.len());

    let settings = lint::Settings {
        url: format!("{live}/main.m3u8").parse()?,
        duration: Duration::from_secs(3),
        headers: HeaderMap::new(),
    };
    let report = lint::run(&settings).await?;
    let left = ours::unexpected(report.findings().cloned().collect());
    ensure!(left.is_empty() && report.segments > 0, "{report}");

    let seconds = format!("{}", behind_gap + 0.5);
    // All of them are one screen of the pass.
    let main = format!("{live}/main.m3u8");
    let looks = ["hls", "shaka"].map(|player| edge.browser("ladder.mjs", &[player, &seconds, &main]));
    for person in looks {
        println!("{}", person?.content().await.with_context(|| origin.log())?);
    }
    origin.verified("a").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ffmpeg_that_hangs_is_replaced_and_costs_the_source_nothing() -> anyhow::Result<()> {
    // A hung one is known by segments that it does not give.
    const SECONDS: u32 = 40;
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], [edge.url.clone()]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let ladder = LADDER.replace(&KBPS.to_string(), &HUNG_KBPS.to_string());
    let origin = Origin::start_with(&plan, &ladder).await?;
    let source = Source::new(SECONDS).await?;
    let mut publish = ffmpeg();
    publish.arg("-re").arg("-i").arg(&source.file).args(["-c", "copy", "-f", "flv"]).arg(origin.primary());
    let published = tokio::spawn(finish(publish));
    let token = edge.token().await?;
    let live = format!("{}/t/{token}/live/t", edge.url);
    let text =
        async |path: &str| anyhow::Ok(client()?.get(format!("{live}/{path}")).send().await?.text().await?);
    let begun = until("a rendition of the ladder is listed", async || {
        let listed = Listed::of(&text("a/mid.m3u8").await?);
        Ok(Some(()).filter(|()| listed.segments.len() > listed.gaps()))
    });
    begun.await.with_context(|| origin.log())?;

    let first = encoder(HUNG_KBPS)?.context("no ffmpeg makes the ladder")?;
    signal("-STOP", &first).await?;
    let another =
        until("another ffmpeg makes the ladder", async || Ok(encoder(HUNG_KBPS)?.filter(|id| *id != first)));
    another.await.with_context(|| origin.log())?;
    origin.logged("left behind").await?;
    let begun = text("a/source.m3u8").await?;
    let newest = Listed::of(&begun).segments.last().map(|(name, ..)| name.clone());
    let newest = newest.context("nothing is listed of the source")?;
    let made = until("what the new one makes is listed", async || {
        let listed = Listed::of(&text("a/mid.m3u8").await?);
        let behind = listed.segments.iter().skip_while(|(name, ..)| *name != newest);
        Ok(behind.skip(1).any(|(_, _, gap)| !gap).then_some(()))
    });
    made.await.with_context(|| origin.log())?;
    published.await??;
    origin.logged("feed ended").await?;
    let whole = until("all of the source is listed", async || {
        let text = text("a/source.m3u8").await?;
        Ok(Some(text.clone()).filter(|text| duration(text) > f64::from(SECONDS) - 0.1))
    });
    let whole = Listed::of(&whole.await.with_context(|| origin.log())?);
    ensure!(whole.gaps() == 0, "{whole:?}");
    Ok(())
}
