//! A low-latency channel from ffmpeg to whoever plays it: each part is listed before its segment, is a message of its own,
//! and all of them together are the segment.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_core::{fmp4, hex, keys};
use railbird_origin::lint;
use reqwest::header::HeaderMap;

use crate::demo::{client, finish};
use crate::gate::Gate;
use crate::origin::{Origin, Plan, Store, target, until};
use crate::play::{COMPARED, decoded, ffmpeg, source};
use crate::viewers::{Edge, wrong};

/// How many segments are followed part by part.
const FOLLOWED: u64 = 6;

/// How long each of them is.
const SEGMENT_S: f64 = 2.0;

/// How long the channel is linted, beside what else goes on.
const LINTED: Duration = Duration::from_secs(3);

/// What a media playlist lists, in order.
#[derive(Default)]
struct Listed {
    /// The number of the first segment.
    first: u64,
    segments: Vec<String>,
    /// For each segment by its number: URL and duration of its parts.
    parts: BTreeMap<u64, Vec<(String, f64)>>,
    key: String,
    iv: String,
    init: String,
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}="))?;
    Some(match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => rest.split(',').next().unwrap_or_default(),
    })
}

fn read(text: &str) -> anyhow::Result<Listed> {
    let mut listed = Listed::default();
    for line in text.lines() {
        let number = listed.first + listed.segments.len() as u64;
        if let Some(first) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
            listed.first = first.parse()?;
        } else if line.starts_with("#EXT-X-PART:") {
            let (url, duration) =
                attribute(line, "URI").zip(attribute(line, "DURATION")).context("a part")?;
            ensure!(!line.contains("GAP=YES"), "a part is nowhere: {line}");
            listed.parts.entry(number).or_default().push((url.to_string(), duration.parse()?));
        } else if line.starts_with("#EXT-X-KEY:METHOD=AES-128") {
            listed.key = attribute(line, "URI").context("a key")?.to_string();
            listed.iv = attribute(line, "IV").context("an IV")?.trim_start_matches("0x").to_string();
        } else if line.starts_with("#EXT-X-MAP") {
            listed.init = attribute(line, "URI").context("an init segment")?.to_string();
        } else if !line.starts_with('#') {
            listed.segments.push(line.to_string());
        }
    }
    Ok(listed)
}

async fn get(url: &str) -> anyhow::Result<Vec<u8>> {
    let response = client()?.get(url).send().await?;
    ensure!(response.status().is_success(), "{url}: {}", response.status());
    Ok(response.bytes().await?.into())
}

/// The samples of an encrypted object, by track.
fn samples(
    mut bytes: Vec<u8>,
    key: &[u8; 16],
    iv: &[u8; 16],
    tracks: &[fmp4::read::Track],
) -> anyhow::Result<BTreeMap<u32, Vec<Vec<u8>>>> {
    keys::decrypt(key, iv, &mut bytes)?;
    let fragments = fmp4::read::segment(&bytes, tracks)?;
    let of = |fragment: fmp4::read::Fragment| {
        let media = fragment.samples.iter().map(|sample| bytes[sample.data.clone()].to_vec()).collect();
        (fragment.id, media)
    };
    Ok(fragments.into_iter().map(of).collect())
}

/// The name of the segment that a part is of, by the part's URL.
fn segment_of(part: &str) -> Option<String> {
    let (_, name) = part.split_once("/_parts/")?;
    Some(format!("{}.m4s", name.rsplit_once('-')?.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_before_their_segment_and_are_what_it_holds() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let gate = Gate::start(store.server.addr()).await?;
    let targets = [target("a", &gate.url, &store.url(), "")];
    let edges = edge.told();
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start_with(&plan, "low_latency = true\n").await?;
    let file = origin.file("source.flv");
    source(&file, 28).await?;
    let mut encoder = ffmpeg();
    encoder.args(["-re", "-i"]).arg(&file).args(["-c", "copy", "-f", "flv"]).arg(origin.primary());
    let encoder = tokio::spawn(finish(encoder));
    let live = format!("{}/t/{}/live/t", edge.url, edge.token().await?);
    let media = format!("{live}/a/source.m3u8");
    let begun = until("the channel begins", async || Ok(get(&media).await.ok())).await?;
    let mut listed = read(&String::from_utf8(begun)?)?;

    // As a player does: always the next part, which comes as soon as it is there. A segment gets to the bucket when all its
    // parts are listed; the next one may be on its way already.
    gate.close();
    let mut parts = BTreeMap::new();
    let first = listed.first + listed.segments.len() as u64 + 1;
    while listed.first + (listed.segments.len() as u64) < first + FOLLOWED {
        let next = listed.first + listed.segments.len() as u64;
        let of_next = listed.parts.get(&next).map(Vec::as_slice).unwrap_or_default();
        if of_next.iter().map(|(_, duration)| duration).sum::<f64>() > SEGMENT_S - 0.001 {
            let name = of_next.first().and_then(|(url, _)| segment_of(url));
            gate.let_in(&name.context("a part has a segment")?);
        }
        let asked = format!("{media}?_HLS_msn={next}&_HLS_part={}", of_next.len());
        listed = read(&String::from_utf8(get(&asked).await?)?)?;
        parts.extend(listed.parts.clone());
    }
    gate.open();
    // While the encoder goes on, all of it is as RFC 8216bis wants it: playlists, steps between them, and what they name.
    let settings = lint::Settings {
        url: format!("{live}/main.m3u8").parse()?,
        duration: LINTED,
        headers: HeaderMap::new(),
    };
    let linted = tokio::spawn(async move { lint::run(&settings).await });
    let key: [u8; 16] = get(&format!("{live}/a/{}", listed.key)).await?.try_into().ok().context("a key")?;
    let iv: [u8; 16] = hex::decode(&listed.iv).context("an IV")?.try_into().ok().context("an IV")?;
    let tracks = fmp4::read::init(&get(&listed.init).await?)?;
    for number in first..first + FOLLOWED {
        let own = parts.get(&number).with_context(|| format!("segment {number} has no part"))?;
        let mut joined: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
        for (url, duration) in own {
            ensure!(url.contains("/_parts/") && *duration <= 0.334, "{url}: {duration}");
            for (track, media) in samples(get(url).await?, &key, &iv, &tracks)? {
                joined.entry(track).or_default().extend(media);
            }
        }
        let url = listed.segments.get((number - listed.first) as usize).context("a segment")?;
        let segment = samples(get(url).await?, &key, &iv, &tracks)?;
        ensure!(segment == joined && (5..=7).contains(&own.len()), "{url}: {} parts", own.len());
    }

    let report = linted.await??;
    let left = wrong(&report);
    ensure!(left.is_empty() && report.segments > 0, "{report}");

    // What does not know of parts plays segments: every frame, once.
    encoder.await??;
    let mut from_file = ffmpeg();
    from_file.arg("-i").arg(&file);
    let expected = decoded(from_file, "0:v:0", None).await?;
    let mut player = ffmpeg();
    player.args(["-live_start_index", "0", "-i", &format!("{live}/main.m3u8")]);
    let played = decoded(player, "0:v:0", Some(COMPARED)).await?;
    let differs = expected.iter().zip(&played).position(|(a, b)| a != b);
    ensure!(differs.is_none() && played.len() == COMPARED, "frame {differs:?} of {} differs", played.len());
    Ok(())
}
