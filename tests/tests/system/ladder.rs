//! A channel's further renditions: those that a supervised ffmpeg makes, and the sound alone; to players that are not ours.

use anyhow::{Context, ensure};

use crate::demo::finish;
use crate::origin::{Origin, Source, until};
use crate::play::{decoded, ffmpeg};
use crate::viewers::{Stage, duration};

/// So much is published, as fast as it is played.
const SECONDS: u32 = 24;

/// Two rungs, and the sound alone.
pub(crate) const LADDER: &str = "audio_only = true\n\
    [[channel.ladder]]\nname = \"low\"\nheight = 90\nvideo_kbps = 151\npreset = \"ultrafast\"\n\
    [[channel.ladder]]\nname = \"mid\"\nheight = 120\nvideo_kbps = 317\npreset = \"ultrafast\"\n";

/// The process of the ffmpeg that makes the origin's ladder.
pub(crate) fn encoder(origin: &Origin) -> anyhow::Result<Option<String>> {
    encoder_of(origin.process()?)
}

/// The same, of the origin that is this process.
pub(crate) fn encoder_of(origin: u32) -> anyhow::Result<Option<String>> {
    let parent = origin.to_string();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        // What ended meanwhile is none of ours. Its name may have spaces; then come its state and its parent.
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.rsplit_once(')') else { continue };
        let [state, of] = [1, 2].map(|at| rest.split(' ').nth(at));
        if name.ends_with("(ffmpeg") && of == Some(&parent) && state != Some("Z") {
            return Ok(Some(entry.file_name().to_string_lossy().into()));
        }
    }
    Ok(None)
}

/// Waits until another ffmpeg than this one makes the origin's ladder.
async fn another_encoder(origin: &Origin, than: &str) -> anyhow::Result<()> {
    let another =
        until("another ffmpeg makes the ladder", async || Ok(encoder(origin)?.filter(|id| id != than)));
    another.await.map(drop).with_context(|| origin.log())
}

pub(crate) async fn signal(name: &str, pid: &str) -> anyhow::Result<()> {
    let mut kill = tokio::process::Command::new("kill");
    kill.args([name, pid]);
    finish(kill).await.map(drop)
}

/// What a media playlist lists.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) head: Vec<String>,
    /// Of each segment its file's name, which tells where it starts, its length and discontinuity, and whether it is a gap.
    pub(crate) segments: Vec<(String, Vec<String>, bool)>,
}

impl Listed {
    pub(crate) fn of(text: &str) -> Listed {
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

    pub(crate) fn gaps(&self) -> usize {
        self.segments.iter().filter(|(_, _, gap)| *gap).count()
    }

    /// Whether anything is listed that is there.
    pub(crate) fn has_begun(&self) -> bool {
        self.segments.len() > self.gaps()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renditions_are_the_source_segment_by_segment_and_a_dead_ffmpeg_is_a_gap_in_its_own_alone()
-> anyhow::Result<()> {
    let stage = Stage::set(LADDER, "").await?;
    let Stage { edge, origin, live, .. } = &stage;
    let source = Source::new(SECONDS).await?;
    let published = source.publish(&[origin.primary()]);

    // Something of the ladder is there; then its ffmpeg dies, and another one begins.
    let begun = live.text_once(["a", "mid"], "something is listed", |text| Listed::of(text).has_begun());
    begun.await.with_context(|| origin.log())?;
    let first = encoder(origin)?.context("no ffmpeg makes the ladder")?;
    signal("-KILL", &first).await?;
    another_encoder(origin, &first).await?;
    published.await??;
    origin.logged("feed ended").await?;
    // What ffmpeg still had comes with the feed's end.
    let played = f64::from(SECONDS) - 0.1;
    for rendition in ["source", "mid", "low", "audio"] {
        let listed = live.text_once(["a", rendition], "all is listed", |text| duration(text) > played);
        listed.await.with_context(|| origin.log())?;
    }
    origin.crew(&["channel", "end", "t"]).await?;

    let ended = async |rendition: &str| {
        let text = live.text_once(["a", rendition], "its end", |text| text.ends_with("#EXT-X-ENDLIST\n"));
        anyhow::Ok(Listed::of(&text.await.with_context(|| origin.log())?))
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
        // How many segments another ffmpeg takes to begin, this machine says.
        let mut rows = listed.segments.chunk_by(|one, next| one.2 == next.2).filter(|row| row[0].2);
        let in_a_row = rows.next().map_or(0, <[_]>::len);
        let goes_on = listed.segments.last().is_some_and(|last| !last.2);
        ensure!(
            lost == (in_a_row > 0) && listed.gaps() == in_a_row && goes_on,
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
    let url = |rendition: &str| live.media("a", rendition);
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

    live.is_clean().await?;

    let seconds = format!("{}", behind_gap + 0.5);
    // All of them are one screen of the pass.
    let main = live.main();
    let looks = ["hls", "shaka"].map(|player| edge.browser("ladder.mjs", &[player, "0", &seconds, &main]));
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
    let Stage { origin, live, .. } = &Stage::set(LADDER, "").await?;
    let source = Source::new(SECONDS).await?;
    let published = source.publish(&[origin.primary()]);
    let begun = live.text_once(["a", "mid"], "something is listed", |text| Listed::of(text).has_begun());
    begun.await.with_context(|| origin.log())?;

    let first = encoder(origin)?.context("no ffmpeg makes the ladder")?;
    signal("-STOP", &first).await?;
    another_encoder(origin, &first).await?;
    origin.logged("left behind").await?;
    let begun = live.text("a", "source").await?;
    let newest = Listed::of(&begun).segments.last().map(|(name, ..)| name.clone());
    let newest = newest.context("nothing is listed of the source")?;
    let made = live.text_once(["a", "mid"], "what the new one makes", |text| {
        let listed = Listed::of(text);
        let behind = listed.segments.iter().skip_while(|(name, ..)| *name != newest);
        behind.skip(1).any(|(_, _, gap)| !gap)
    });
    made.await.with_context(|| origin.log())?;
    published.await??;
    origin.logged("feed ended").await?;
    let whole =
        live.text_once(["a", "source"], "all is listed", |text| duration(text) > f64::from(SECONDS) - 0.1);
    let whole = Listed::of(&whole.await.with_context(|| origin.log())?);
    ensure!(whole.gaps() == 0, "{whole:?}");
    Ok(())
}
