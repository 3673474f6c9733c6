//! Two origins that take one encoder's output by the ways that carry its timestamps: MPEG-TS by SRT and in the body of a PUT, and
//! fragmented MP4. RTMP is in `pair`.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures::channel::mpsc;
use http_body_util::StreamBody;
use hyper::body::Frame;
use railbird_core::hash::Hash;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::cmaf_ingest::{FRAGMENTED, boxes};
use crate::demo::{client, finish};
use crate::http_ingest::address;
use crate::origin::{Origin, Plan, Source, Store, until};
use crate::play::ffmpeg;
use crate::sink::Sink;

/// How long the encoder sends, in seconds, of which each is a segment.
const SECONDS: usize = 12;

/// It is sent in so many pieces a second.
const PIECES: usize = 10;

/// Up to which second the second origin is not there, and when the first one's uplink is lost and is back.
const JOINS: usize = 3;
const LOST: usize = 5;
const BACK: usize = 8;

/// The channels, by the way that their feed comes.
const CHANNELS: [&str; 3] = ["t", "put", "cmaf"];

/// So many objects both make: an init segment, one segment before the loss and two behind it, at the least.
const SAME_MIN: usize = 4;

/// What srt-live-transmit sends at once.
const CHUNK_LEN: usize = 1316;

/// Three channels at each, and how they agree on anchors.
fn more() -> String {
    let channel = |id: &str| {
        format!(
            "[[channel]]\nid = \"{id}\"\ntitle = \"T\"\nsegment_ms = 1000\n[[channel.feed]]\n\
             stream_key = {{ file = \"{id}-key\" }}\n"
        )
    };
    format!(
        "[pair]\nanchors_at = \"a\"\n[http_ingest]\nlisten = \"127.0.0.1:0\"\n[srt]\nlisten = \"127.0.0.1:0\"\n{}{}",
        channel("put"),
        channel("cmaf")
    )
}

/// One way to one origin, while it is there.
enum Way {
    Put(mpsc::UnboundedSender<std::io::Result<Frame<Bytes>>>),
    Srt(Child),
}

impl Way {
    fn put(url: String) -> anyhow::Result<Way> {
        let (sender, body) = mpsc::unbounded();
        let request = client()?.put(url).timeout(Duration::from_secs(300));
        // What comes of it, the objects tell.
        tokio::spawn(request.body(reqwest::Body::wrap(StreamBody::new(body))).send());
        Ok(Way::Put(sender))
    }

    fn srt(url: &str) -> anyhow::Result<Way> {
        let mut transmit = Command::new("srt-live-transmit");
        transmit.args(["-q", "-a:no", "-chunk:1316", "file://con", url]).stdin(Stdio::piped());
        Ok(Way::Srt(transmit.kill_on_drop(true).spawn()?))
    }

    async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            _ if bytes.is_empty() => Ok(()),
            Way::Put(body) => Ok(body.unbounded_send(Ok(Frame::data(Bytes::copy_from_slice(bytes))))?),
            Way::Srt(transmit) => {
                let input = transmit.stdin.as_mut().context("its input is closed")?;
                input.write_all(bytes).await?;
                Ok(input.flush().await?)
            }
        }
    }

    /// It is gone without a word.
    async fn lose(self) -> anyhow::Result<()> {
        match self {
            Way::Put(body) => Ok(body.unbounded_send(Err(std::io::Error::other("the uplink is lost")))?),
            Way::Srt(mut transmit) => Ok(transmit.kill().await?),
        }
    }
}

/// What one encoder sends, in pieces, and what comes before the first of them on a new connection.
struct Sent {
    head: Vec<u8>,
    pieces: Vec<Vec<u8>>,
}

/// A transport stream in pieces of whole chunks.
async fn stream(source: &Source) -> anyhow::Result<Sent> {
    let file = source.file.with_extension("ts");
    let mut mux = ffmpeg();
    mux.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "mpegts"]).arg(&file);
    finish(mux).await?;
    let chunks: Vec<Vec<u8>> = std::fs::read(file)?.chunks(CHUNK_LEN).map(<[u8]>::to_vec).collect();
    Ok(Sent { head: Vec::new(), pieces: pieces(&chunks) })
}

/// Fragmented MP4 in pieces of whole fragments.
async fn fragments(source: &Source) -> anyhow::Result<Sent> {
    let file = source.file.with_extension("fragments.mp4");
    let mut mux = ffmpeg();
    mux.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "mp4", "-frag_duration", "200000"]);
    mux.args(["-movflags", FRAGMENTED]).arg(&file);
    finish(mux).await?;
    let (bytes, mut head, mut chunks) = (std::fs::read(file)?, Vec::new(), Vec::<Vec<u8>>::new());
    for (name, whole) in boxes(&bytes)? {
        match name {
            b"ftyp" | b"moov" => head.extend_from_slice(whole),
            b"moof" => chunks.push(whole.to_vec()),
            b"mdat" => chunks.last_mut().context("media without a fragment")?.extend_from_slice(whole),
            _ => {}
        }
    }
    ensure!(chunks.len() >= SECONDS, "only {} fragments", chunks.len());
    Ok(Sent { head, pieces: pieces(&chunks) })
}

/// So that one piece follows another at an even pace.
fn pieces(chunks: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let count = SECONDS * PIECES;
    let at = |n: usize| n * chunks.len() / count;
    (0..count).map(|n| chunks[at(n)..at(n + 1)].concat()).collect()
}

/// A channel's segments at an origin, by their names.
fn made(origin: &Origin, channel: &str) -> anyhow::Result<BTreeMap<String, Hash>> {
    let prefix = format!("{channel}/");
    Ok(origin.objects()?.into_iter().filter(|(name, _)| name.starts_with(&prefix)).collect())
}

/// The one origin joins late, the other loses its uplink for a while; all that they both made whole is the same, by name and by byte.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_two_origins_make_the_same_of_srt_of_a_put_and_of_fragments() -> anyhow::Result<()> {
    let (source, a, more) = (Source::new(SECONDS as u32).await?, Store::start().await?, more());
    let sink = Sink::start(vec![("a", a.dir())]).await?;
    let (targets, edges) = ([a.target("a")], [sink.url.clone()]);
    let files = [("put-key", "the-put-key"), ("cmaf-key", "the-cmaf-key")];
    let mut origins = Vec::new();
    for id in ["north", "south"] {
        let plan = Plan { id, title: "T", targets: &targets, edges: &edges, more: &more, files: &files };
        origins.push(Origin::start_with(&plan, "segment_ms = 1000\n").await?);
    }
    let mut urls = Vec::new();
    for origin in &origins {
        origin.logged("honours conditional create").await?;
        let (log, http) = (origin.log(), address(origin)?);
        let srt = log.split("srt=").nth(1).and_then(|rest| rest.split(' ').next()).context("no SRT")?;
        let srt = format!("srt://{}?streamid=primary-key&latency=2000", srt.trim_matches('"'));
        urls.push([
            srt,
            format!("http://{http}/ingest/the-put-key"),
            format!("http://{http}/ingest/the-cmaf-key/v.mp4"),
        ]);
    }
    let open = |origin: usize, channel: usize| match &urls[origin][channel] {
        url if channel == 0 => Way::srt(url),
        url => Way::put(url.clone()),
    };
    let stream = stream(&source).await?;
    let sent = [&stream, &stream, &fragments(&source).await?];
    let mut ways: [[Option<Way>; 3]; 2] = Default::default();
    let mut pace = tokio::time::interval(Duration::from_millis(1000 / PIECES as u64));
    for piece in 0..SECONDS * PIECES {
        pace.tick().await;
        for (origin, ways) in ways.iter_mut().enumerate() {
            let second = piece / PIECES;
            let there = if origin == 0 { !(LOST..BACK).contains(&second) } else { second >= JOINS };
            for (channel, way) in ways.iter_mut().enumerate() {
                match way.take() {
                    Some(way) if !there => way.lose().await?,
                    kept => *way = kept,
                }
                if way.is_none() && there {
                    way.insert(open(origin, channel)?).send(&sent[channel].head).await?;
                }
                if let Some(way) = way {
                    way.send(&sent[channel].pieces[piece]).await?;
                }
            }
        }
    }
    for (channel, id) in CHANNELS.iter().enumerate() {
        let both = until("both have what they need to be compared", async || {
            let [north, south] = [made(&origins[0], id)?, made(&origins[1], id)?];
            let same = north.iter().filter(|(name, hash)| south.get(*name) == Some(*hash)).count();
            Ok((same >= SAME_MIN).then_some((north, south)))
        });
        let (north, south) = both.await.with_context(|| {
            let made = [made(&origins[0], id), made(&origins[1], id)];
            format!("{id}: {made:#?}\n{}\n{}", origins[0].log(), origins[1].log())
        })?;
        ensure!(channel > 0 || origins[0].log().contains("its anchor, too"), "{}", origins[0].log());
        let inits = |made: &BTreeMap<String, Hash>| -> Vec<String> {
            made.keys().filter(|name| name.contains("/init-")).cloned().collect()
        };
        // Whoever joins late may see pictures before it sees sound.
        let (ours, theirs) = (inits(&north), inits(&south));
        ensure!(ours.len() == 1 && theirs.contains(&ours[0]), "{north:#?}\n{south:#?}");
        // What was open when the uplink was lost is as long at the one as it came.
        let differ: Vec<_> = north
            .iter()
            .filter(|(name, hash)| south.get(*name).is_some_and(|other| other != *hash))
            .collect();
        ensure!(differ.len() <= 1, "{id}: they differ: {differ:#?}\n{south:#?}");
    }
    ensure!(sink.kept().lies.is_empty(), "{:#?}", sink.kept().lies);
    Ok(())
}
