//! Two origins that take the same three feeds of a channel, each a rendition: what both have is the same, what the one lacks the other
//! has, and the numbers in all playlists agree, whatever dies and comes back at one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_core::hash::Hash;
use railbird_core::state::ChannelState;
use railbird_origin::lint;
use reqwest::header::HeaderMap;
use tokio::task::JoinHandle;

use crate::demo::finish;
use crate::ladder::Listed;
use crate::origin::{Encoder, Origin, Plan, Store, objects, until};
use crate::pair::PAIR;
use crate::pair_ladder::pictures;
use crate::play::ffmpeg;
use crate::sink::Sink;
use crate::viewers::{Edge, Live, duration, wrong};

/// The feeds by the names of their renditions, and how large their pictures are.
const FEEDS: [(&str, &str); 3] = [("low", "96x54"), ("mid", "160x90"), ("source", "320x180")];

/// Where these are among them.
const LOW: usize = 0;
const SOURCE: usize = 2;

/// A busy machine holds up what this test sends: that is no stall.
const CHANNEL: &str = "stall_ms = 8000\n\
    [[channel.video]]\nname = \"mid\"\n[[channel.video.feed]]\nstream_key = { file = \"mid\" }\n\
    [[channel.video]]\nname = \"low\"\n[[channel.video.feed]]\nstream_key = { file = \"low\" }\n";

const FILES: [(&str, &str); 2] = [("mid", "mid-key-1"), ("low", "low-key-1")];

/// How long a segment is, with its one key frame; and so much is sent at a time, when its time has come.
const SEGMENT_MS: usize = 2_000;
const PIECE_MS: usize = 500;

/// So many pieces are there, and so many come after all changes, at the least.
const PIECES: usize = 180;
const AFTER: usize = 24;

/// How long the second one of the two is dead, in pieces.
const DEAD: usize = 12;

/// One message of an FLV file, as it is in there.
struct Tag {
    ms: usize,
    /// It is of the picture.
    picture: bool,
    bytes: Vec<u8>,
}

/// A feed, message by message.
struct Reel {
    /// What comes before all others: the header, and what decoders need.
    head: Vec<u8>,
    tags: Vec<Tag>,
}

impl Reel {
    /// What ffmpeg makes: pictures that move, a key frame every two seconds, and a tone where `sound` says so.
    async fn new(dir: &Path, name: &str, size: &str, sound: bool) -> anyhow::Result<Reel> {
        let file = dir.join(name);
        let mut encode = ffmpeg();
        encode.args(["-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=25")]);
        encode.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-map", "0:v"]);
        encode.args(if sound { &["-map", "1:a", "-c:a", "aac"][..] } else { &[] });
        let seconds = (PIECES * PIECE_MS / 1000).to_string();
        encode.args(["-t", &seconds, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]);
        encode.args(["-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-bf", "2", "-f", "flv"]);
        encode.arg(&file);
        finish(encode).await?;
        Reel::of(&std::fs::read(file)?)
    }

    /// Adobe Flash Video File Format 10.1, E.3 and E.4.
    fn of(file: &[u8]) -> anyhow::Result<Reel> {
        let (mut head, mut tags, mut at) = (file.get(..13).context("no header")?.to_vec(), Vec::new(), 13);
        while let Some(tag) = file.get(at..at + 11) {
            let number = |of: &[u8]| of.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let len = 11 + number(&tag[1..4]) + 4;
            let bytes = file.get(at..at + len).context("a message is cut off")?.to_vec();
            let ms = number(&tag[4..7]) | usize::from(tag[7]) << 24;
            let (kind, body) = (tag[0] & 0x1f, &bytes[11..len - 4]);
            at += len;
            // Parameters come first of each, and at the end that there are no more pictures.
            match (kind, body) {
                (9, [_, 2, ..]) => {}
                (9, [_, 1, ..]) => tags.push(Tag { ms, picture: true, bytes }),
                (8, [_, 1, ..]) => tags.push(Tag { ms, picture: false, bytes }),
                _ => head.extend(bytes),
            }
        }
        Ok(Reel { head, tags })
    }

    /// What has its time between two.
    fn between(&self, from: usize, to: usize) -> Vec<u8> {
        let tags = self.tags.iter().filter(|tag| (from..to).contains(&tag.ms));
        tags.flat_map(|tag| &tag.bytes).copied().collect()
    }
}

/// Who sends the feeds to one origin, each with an encoder of its own.
struct Uplink([Option<Encoder>; 3]);

impl Uplink {
    async fn start(origin: &Origin, reels: &[Reel; 3]) -> anyhow::Result<Uplink> {
        let mut uplink = Uplink([const { None }; 3]);
        for feed in 0..3 {
            uplink.begin(origin, reels, feed, true).await?;
        }
        Ok(uplink)
    }

    /// An encoder begins to send a feed: with the timestamps that it has, or with others, which begin at zero.
    async fn begin(
        &mut self,
        origin: &Origin,
        reels: &[Reel; 3],
        feed: usize,
        on_time: bool,
    ) -> anyhow::Result<()> {
        let url = format!("{}/{}", origin.rtmp, ["low-key-1", "mid-key-1", "primary-key"][feed]);
        let mut encoder = if on_time { Encoder::on_time(&url)? } else { Encoder::start(&[&url])? };
        encoder.send(&reels[feed].head).await?;
        self.0[feed] = Some(encoder);
        Ok(())
    }

    /// The source comes last: what is cut of it finds the others there.
    async fn send(&mut self, reels: &[Reel; 3], from: usize, to: usize) -> anyhow::Result<()> {
        for (encoder, reel) in self.0.iter_mut().zip(reels) {
            if let Some(encoder) = encoder {
                encoder.send(&reel.between(from, to)).await?;
            }
        }
        Ok(())
    }

    async fn lose(&mut self, feed: usize) -> anyhow::Result<()> {
        match self.0[feed].take() {
            Some(encoder) => encoder.lose().await,
            None => Ok(()),
        }
    }
}

/// How many of the rendition's segments an origin has made, and how many it has lost.
async fn figures(origin: &Origin, rendition: &str) -> anyhow::Result<[usize; 2]> {
    let label = format!("rendition=\"{rendition}\"");
    let made = origin.figure("railbird_rendition_segments_total", &[&label]).await?;
    Ok([made, origin.figure("railbird_rendition_lost_total", &[&label]).await?])
}

/// How much an origin that tells this sink has of a rendition.
fn has(state: Option<&ChannelState>, rendition: &str) -> usize {
    let renditions = state.iter().flat_map(|state| &state.renditions);
    let of = renditions.filter(|of| of.id.as_str() == rendition).flat_map(|of| &of.segments);
    of.filter(|segment| !segment.gap).count()
}

/// Of each segment that a playlist lists: its number, its discontinuity sequence, and its length.
fn numbered(text: &str) -> anyhow::Result<BTreeMap<String, (u64, u64, String)>> {
    let listed = Listed::of(text);
    let value = |tag: &str| -> anyhow::Result<u64> {
        let value = listed.head.iter().find_map(|line| line.strip_prefix(tag));
        Ok(value.with_context(|| format!("no {tag} in {text}"))?.parse()?)
    };
    if listed.segments.is_empty() {
        return Ok(BTreeMap::new());
    }
    let msn = value("#EXT-X-MEDIA-SEQUENCE:")?;
    let (mut sequence, mut numbered) = (value("#EXT-X-DISCONTINUITY-SEQUENCE:")?, BTreeMap::new());
    for (nth, (name, tags, _)) in listed.segments.iter().enumerate() {
        let breaks = nth > 0 && tags.iter().any(|tag| tag == "#EXT-X-DISCONTINUITY");
        sequence += u64::from(breaks);
        let length = tags.iter().find(|tag| tag.starts_with("#EXTINF:")).cloned().unwrap_or_default();
        numbered.insert(name.clone(), (msn + nth as u64, sequence, length));
    }
    Ok(numbered)
}

/// Numbers are the same in all three playlists (RFC 8216bis, 6.2.4), at whatever moment these are looked at.
async fn numbers_agree(live: &Live) -> anyhow::Result<()> {
    let renditions = [live.text("a", "low").await?, live.text("a", "mid").await?];
    // It is never behind another one, and looked at last.
    let source = live.text("a", "source").await?;
    let all = numbered(&source)?;
    for text in renditions {
        let of = numbered(&text)?;
        let differs = of.iter().find(|(name, said)| all.get(*name) != Some(*said));
        ensure!(differs.is_none(), "{differs:?}\n{text}\n{source}");
    }
    Ok(())
}

/// `railbird lint` looks at the channel until it ends.
fn lint(live: &Live) -> anyhow::Result<JoinHandle<Result<lint::Report, lint::Unable>>> {
    let (url, duration) = (live.main().parse()?, Duration::from_secs(600));
    Ok(tokio::spawn(
        async move { lint::run(&lint::Settings { url, duration, headers: HeaderMap::new() }).await },
    ))
}

/// What has happened to the one origin.
enum Stage {
    Both,
    /// Its low feed is gone, and it had lost so many segments of that rendition before.
    Without(usize),
    /// That feed is back, and it had made so many before.
    With(usize),
    /// It is dead since this piece.
    Dead(usize),
    /// It begins again.
    Begins(JoinHandle<anyhow::Result<Origin>>),
    /// It runs again.
    Again,
    /// It has made something of each rendition since, at this piece.
    Whole(usize),
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_two_origins_make_the_same_of_three_feeds_while_one_loses_a_feed_and_then_dies_and_comes_back()
-> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let [low, mid, source] = FEEDS;
    let reels = [
        Reel::new(dir.path(), "low.flv", low.1, false).await?,
        Reel::new(dir.path(), "mid.flv", mid.1, false).await?,
        Reel::new(dir.path(), "source.flv", source.1, true).await?,
    ];
    let (a, edge) = (Store::start().await?, Edge::start().await?);
    let sinks = [Sink::start(vec![("a", a.dir())]).await?, Sink::start(vec![("a", a.dir())]).await?];
    let edges = sinks.each_ref().map(|sink| [edge.url.clone(), sink.url.clone()]);
    let targets = [a.target("a")];
    let plan = |id, edges| Plan { id, title: "T", targets: &targets, edges, more: PAIR, files: &FILES };
    let plans = [plan("north", &edges[0]), plan("south", &edges[1])];
    let mut north = Some(Origin::start_with(&plans[0], CHANNEL).await?);
    let south = Origin::start_with(&plans[1], CHANNEL).await?;
    for origin in north.iter().chain([&south]) {
        origin.logged("honours conditional create").await?;
    }
    let live = edge.live().await?;
    let mut uplinks = [
        Uplink::start(north.as_ref().context("it runs")?, &reels).await?,
        Uplink::start(&south, &reels).await?,
    ];

    let (mut stage, mut looks, mut sent) = (Stage::Both, None, 0);
    let mut pace = tokio::time::interval(Duration::from_millis(PIECE_MS as u64));
    for n in 0..PIECES {
        pace.tick().await;
        let (from, to) = (n * PIECE_MS, (n + 1) * PIECE_MS);
        for uplink in &mut uplinks {
            uplink.send(&reels, from, to).await.with_context(|| format!("piece {n}\n{}", south.log()))?;
        }
        sent = to;
        numbers_agree(&live).await.with_context(|| south.log())?;
        // A key frame comes next; or none for a while, where whatever is open can't be taken for whole.
        let (is_at_cut, is_amid) = (to % SEGMENT_MS == 0, to % SEGMENT_MS == SEGMENT_MS / 2);
        stage = match stage {
            Stage::Both if is_amid => {
                let all = FEEDS
                    .iter()
                    .all(|(of, _)| sinks.iter().all(|sink| has(sink.kept().state.as_ref(), of) >= 2));
                match north.as_ref().filter(|_| all) {
                    None => Stage::Both,
                    Some(origin) => {
                        looks = Some(lint(&live)?);
                        let [_, lost] = figures(origin, "low").await?;
                        uplinks[0].lose(LOW).await?;
                        Stage::Without(lost)
                    }
                }
            }
            Stage::Without(before) if is_at_cut => {
                let origin = north.as_ref().context("it runs")?;
                let [made, lost] = figures(origin, "low").await?;
                if lost >= before + 2 {
                    uplinks[0].begin(origin, &reels, LOW, false).await?;
                    Stage::With(made)
                } else {
                    Stage::Without(before)
                }
            }
            Stage::With(before) if is_amid => {
                let origin = north.as_mut().context("it runs")?;
                let [made, _] = figures(origin, "low").await?;
                if made >= before + 2 {
                    for feed in 0..3 {
                        uplinks[0].lose(feed).await?;
                    }
                    origin.kill().await?;
                    Stage::Dead(n)
                } else {
                    Stage::With(before)
                }
            }
            Stage::Dead(since) if n >= since + DEAD => {
                let origin = north.take().context("it is dead")?;
                // What is sent to the other one does not wait for it.
                let runtime = tokio::runtime::Handle::current();
                Stage::Begins(tokio::task::spawn_blocking(move || runtime.block_on(origin.again())))
            }
            Stage::Begins(begins) if is_at_cut && begins.is_finished() => {
                let origin = begins.await??;
                origin.tell_crew(&plans[0], CHANNEL)?;
                uplinks[0] = Uplink::start(&origin, &reels).await?;
                north = Some(origin);
                Stage::Again
            }
            Stage::Again => {
                let origin = north.as_ref().context("it runs")?;
                let [low, mid] = [figures(origin, "low").await?, figures(origin, "mid").await?];
                if low[0] >= 2 && mid[0] >= 2 { Stage::Whole(n) } else { Stage::Again }
            }
            Stage::Whole(since) if n >= since + AFTER => {
                stage = Stage::Whole(since);
                break;
            }
            stage => stage,
        };
    }
    let north = north.with_context(|| south.log())?;
    ensure!(matches!(stage, Stage::Whole(_)), "not all was tried\n{}\n{}", north.log(), south.log());

    for feed in 0..3 {
        for uplink in &mut uplinks {
            uplink.0[feed].take().context("it sends")?.finish().await?;
        }
    }
    let whole = sent as f64 / 1000.0 - 0.1;
    for (rendition, _) in FEEDS {
        let listed = live.text_once(["a", rendition], "all is listed", |text| duration(text) > whole);
        listed.await.with_context(|| format!("{}\n{}", north.log(), south.log()))?;
    }
    numbers_agree(&live).await?;
    let origins = [&north, &south];
    for origin in origins {
        origin.crew(&["channel", "end", "t"]).await?;
    }
    let mut ended = Vec::new();
    for (rendition, _) in FEEDS {
        let text = live.text_once(["a", rendition], "its end", |text| text.ends_with("#EXT-X-ENDLIST\n"));
        ended.push(text.await.with_context(|| south.log())?);
    }

    // Same names, same bytes; and the bucket has each of them.
    let made = [north.objects()?, south.objects()?];
    let differ: Vec<_> = made[0]
        .iter()
        .filter(|(name, hash)| made[1].get(*name).is_some_and(|other| other != *hash))
        .collect();
    ensure!(differ.is_empty(), "they differ: {differ:#?}\n{}\n{}", north.log(), south.log());
    let all: BTreeMap<&String, &Hash> = made.iter().flatten().collect();
    until("the bucket has all", async || Ok((objects(&a.dir())?.len() == all.len()).then_some(()))).await?;
    ensure!(objects(&a.dir())?.iter().eq(all.iter().map(|(name, hash)| (*name, *hash))), "other bytes");
    for (rendition, _) in FEEDS {
        let of = |made: &BTreeMap<String, Hash>| -> BTreeSet<String> {
            let is = |name: &&String| name.starts_with(&format!("t/{rendition}/")) && name.ends_with(".m4s");
            made.keys().filter(is).cloned().collect()
        };
        let [north_has, south_has] = [of(&made[0]), of(&made[1])];
        let tried = south_has.difference(&north_has).count() >= DEAD * PIECE_MS / SEGMENT_MS;
        ensure!(tried && north_has.len() > 6, "{rendition}: {north_has:#?}\n{south_has:#?}");
        ensure!(rendition != "source" || north_has.is_subset(&south_has), "{north_has:#?}\n{south_has:#?}");
    }

    // There is a hole only where neither has anything: where a feed begins, before it is known where it belongs.
    let of_source = Listed::of(&ended[SOURCE]);
    for ((rendition, _), (text, reel)) in FEEDS.iter().zip(ended.iter().zip(&reels)) {
        let listed = Listed::of(text);
        let said = |listed: &Listed| -> Vec<(String, Vec<String>)> {
            listed.segments.iter().map(|(name, tags, _)| (name.clone(), tags.clone())).collect()
        };
        ensure!(listed.head == of_source.head && said(&listed) == said(&of_source), "{text}\n{of_source:?}");
        let is_made = |name: &str| all.contains_key(&format!("t/{rendition}/{name}"));
        let hole = listed.segments.iter().find(|(name, _, gap)| *gap && is_made(name));
        ensure!(hole.is_none(), "{rendition}: {hole:?}\n{text}\n{}\n{}", north.log(), south.log());
        let begins = listed.segments.iter().take_while(|(_, _, gap)| *gap).count();
        ensure!(
            listed.gaps() == begins && begins < 3,
            "{rendition}: {text}\n{}\n{}",
            north.log(),
            south.log()
        );
        ensure!(!text.contains("#EXT-X-DISCONTINUITY\n"), "{rendition}: {text}");
        ensure!(text.matches("#EXT-X-MAP:").count() == 1, "{rendition}: {text}");
        let mut player = ffmpeg();
        // ffmpeg 5.1 knows no gaps: it says that it can't open them, and goes on behind.
        if begins > 0 {
            player.args(["-loglevel", "fatal"]);
        }
        player.args(["-i", &live.media("a", rendition)]);
        let (played, lacks) = (pictures(player).await?, begins * SEGMENT_MS / 40);
        let of = reel.tags.iter().filter(|tag| tag.picture && tag.ms < sent).count();
        ensure!(played == of - lacks, "{rendition}: {played} pictures of {of}, {begins} gaps");
    }

    let report = looks.context("nobody looked")?.await??;
    let left = wrong(&report);
    ensure!(left.is_empty() && report.segments > 0, "{report}");
    for (origin, sink) in origins.iter().zip(&sinks) {
        ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
        origin.verified("a").await?;
    }
    Ok(())
}
