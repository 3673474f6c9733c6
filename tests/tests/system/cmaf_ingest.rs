//! Feeds that come as fragmented MP4: in one long request, or in one for every segment of every track.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};

use crate::demo::{client, finish};
use crate::http_ingest::{origin, played};
use crate::origin::{Origin, Source};
use crate::play::ffmpeg;

pub(crate) const FRAGMENTED: &str = "empty_moov+frag_keyframe+default_base_moof";

/// ffmpeg puts a file in this way, and what is played and recorded is the file.
async fn arrives(arguments: &[&str], path: &str) -> anyhow::Result<()> {
    let (origin, address, _store, edge) = played().await?;
    let source = Source::new(4).await?;
    let mut encoder = ffmpeg();
    // As it comes: ffmpeg does not wait for one segment's answer before it sends the next one beside it.
    encoder
        .arg("-re")
        .arg("-i")
        .arg(&source.file)
        .args(["-c", "copy"])
        .args(arguments)
        .args(["-method", "PUT"]);
    encoder.arg(format!("http://{address}/ingest/{path}"));
    finish(encoder).await?;
    origin.logged("reason=\"the encoder ended the feed\"").await.context(format!("{arguments:?}"))?;
    edge.shows(&origin, &source).await.context(format!("{arguments:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_that_ffmpeg_pushes_in_one_request_is_played_and_recorded_once() -> anyhow::Result<()> {
    arrives(&["-f", "mp4", "-movflags", FRAGMENTED], "primary-key").await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_tracks_that_ffmpeg_pushes_apart_is_played_and_recorded_once() -> anyhow::Result<()> {
    arrives(&["-f", "dash", "-seg_duration", "1"], "primary-key/live.mpd").await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_segments_that_ffmpeg_pushes_for_hls_is_played_and_recorded_once() -> anyhow::Result<()>
{
    let arguments = ["-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "1", "-hls_list_size", "0"];
    arrives(&arguments, "primary-key/live.m3u8").await
}

/// A body, and each of its boxes.
pub(crate) fn boxes(body: &[u8]) -> anyhow::Result<Vec<(&[u8], &[u8])>> {
    let (mut found, mut rest) = (Vec::new(), body);
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let size = u32::from_be_bytes(*size) as usize;
        ensure!(size >= 8 && size <= rest.len(), "no box");
        let (whole, after) = rest.split_at(size);
        found.push((&whole[4..8], whole));
        rest = after;
    }
    Ok(found)
}

/// Fragmented MP4 whose times count from 1970, as those of encoders do that are locked to it.
async fn since_1970(source: &Source) -> anyhow::Result<Vec<u8>> {
    let file = source.file.with_extension("since.mp4");
    let mut mux = ffmpeg();
    mux.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "mp4", "-use_editlist", "0"]);
    mux.args(["-movflags", FRAGMENTED]).arg(&file);
    finish(mux).await?;
    // A little ahead, for a machine that has much to do.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 2;
    let mut bytes = std::fs::read(file)?;
    let all = |of: &[u8], name: &[u8; 4]| -> Vec<usize> {
        (0..of.len().saturating_sub(24)).filter(|at| of[*at..].starts_with(name)).collect()
    };
    let word = |of: &[u8], at: usize| of[at..].first_chunk().map(|word| u32::from_be_bytes(*word));
    let (mut hz, mut at) = (Vec::new(), 0);
    let ends: Vec<(bool, usize)> =
        boxes(&bytes)?.iter().map(|(name, whole)| (*name == b"moof", whole.len())).collect();
    for (is_fragment, len) in ends {
        let whole = &mut bytes[at..at + len];
        hz.extend(
            all(whole, b"mdhd").into_iter().filter_map(|mdhd| word(whole, mdhd + 16)).take(2 - hz.len()),
        );
        if is_fragment {
            for (tfhd, tfdt) in all(whole, b"tfhd").into_iter().zip(all(whole, b"tfdt")) {
                let track = word(whole, tfhd + 8).context("no track")? as usize;
                let hz = u64::from(*hz.get(track - 1).context("no timescale")?);
                ensure!(whole[tfdt + 4] == 1, "a time of 32 bits");
                let time = u64::from_be_bytes(*whole[tfdt + 8..].first_chunk().context("no time")?);
                whole[tfdt + 8..tfdt + 16].copy_from_slice(&(time + now * hz).to_be_bytes());
            }
        }
        at += len;
    }
    Ok(bytes)
}

/// Puts a body, and what is answered.
async fn put(address: &str, path: &str, body: &[u8]) -> anyhow::Result<(u16, String)> {
    let put = client()?.put(format!("http://{address}/ingest/{path}")).body(body.to_vec());
    let answer = put.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

async fn ended(origin: &Origin) -> anyhow::Result<()> {
    origin.logged("reason=\"the encoder ended the feed\"").await?;
    origin.crew(&["channel", "end", "t"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_two_origins_that_know_nothing_of_each_other_make_the_same_of_times_since_1970()
-> anyhow::Result<()> {
    let source = Source::new(6).await?;
    let ((north, at_north, _a, _b), (south, at_south, _c, _d)) = (origin().await?, origin().await?);
    let body = since_1970(&source).await?;
    // The other one gets a request for each fragment, and one of them twice.
    let found = boxes(&body)?;
    let header: Vec<u8> = found
        .iter()
        .filter(|(name, _)| matches!(*name, b"ftyp" | b"moov"))
        .flat_map(|(_, whole)| *whole)
        .copied()
        .collect();
    let fragments: Vec<Vec<u8>> = found
        .windows(2)
        .filter(|pair| pair[0].0 == b"moof")
        .map(|pair| [pair[0].1, pair[1].1].concat())
        .collect();
    ensure!(fragments.len() >= 4, "only {} fragments", fragments.len());
    let again = &fragments[1];
    let last = [&b"\0\0\0\x18stypmsdh\0\0\0\0msdhlmsg"[..], fragments.last().context("none")?].concat();
    let to_south = async |part: &[u8]| {
        let (status, said) = put(&at_south, "primary-key/Streams(all.cmfv)", part).await?;
        ensure!(status == 200, "{status} {said}");
        anyhow::Ok(())
    };
    // What begins long after its own times gets another anchor: both see the first of it before either sees the rest.
    to_south(&header).await?;
    to_south(&fragments[0]).await?;
    let (status, said) = put(&at_north, "primary-key/all.mp4", &body).await?;
    ensure!(status == 200, "{status} {said}");
    to_south(again).await?;
    for part in fragments[1..fragments.len() - 1].iter().chain([&last]) {
        to_south(part).await?;
    }
    for origin in [&north, &south] {
        origin.logged("timeline anchored at the capture time that the encoder tells").await?;
        ended(origin).await?;
        source.equals(&origin.export().await?).await.with_context(|| origin.log())?;
    }
    let (north, south) = (north.objects()?, south.objects()?);
    ensure!(north.len() >= 4, "only {} objects", north.len());
    ensure!(north == south, "they differ:\n{north:#?}\n{south:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_t_be_used_is_told_why_and_costs_the_feed_nothing() -> anyhow::Result<()> {
    let source = Source::new(4).await?;
    let (origin, address, _store, _sink) = origin().await?;
    let body = since_1970(&source).await?;
    let found = boxes(&body)?;
    let fragment = found.iter().position(|(name, _)| *name == b"moof").context("no fragment")?;
    let (header, second) = (found[..fragment].to_vec(), fragment + 2);
    let join =
        |boxes: &[(&[u8], &[u8])]| boxes.iter().flat_map(|(_, whole)| *whole).copied().collect::<Vec<u8>>();
    let (header, first, rest) = (join(&header), join(&found[fragment..second]), join(&found[second..]));
    let of_mpeg4 = {
        let at = header.windows(8).position(|name| name == b"avc1\0\0\0\0").context("no avc1")?;
        [&header[..at], b"mp4v", &header[at + 4..]].concat()
    };
    let mut bad = first.clone();
    bad[12..16].copy_from_slice(b"junk");
    bad[8..12].copy_from_slice(&[0xff; 4]);
    for (path, body, status, text) in [
        ("other-key/a.mp4", header.clone(), 401, "unknown stream key"),
        ("primary-key/a.mp4", Vec::new(), 200, "nothing was sent"),
        ("primary-key/a.mp4", first.clone(), 412, "the init segment is missing"),
        ("primary-key/b.mp4", of_mpeg4, 415, "the encoder sends MPEG-4 part 2 or MPEG-2 video: set H.264"),
        ("primary-key/a.mp4", [&header[..], b"\0\0\0\x02no box"].concat(), 400, "is no box"),
        ("primary-key/a.mp4", bad, 200, "taken"),
        ("primary-key/a.mp4", first, 200, "taken"),
        ("primary-key/live.mpd", b"<MPD type=\"dynamic\"></MPD>".to_vec(), 200, "playlists of its own"),
        ("primary-key/a.mp4", rest, 200, "taken"),
    ] {
        let (is, said) = put(&address, path, &body).await?;
        ensure!(is == status && said.contains(text), "{path}: {is} {said}\n{}", origin.log());
    }
    ended(&origin).await?;
    ensure!(!origin.log().contains("primary-key"), "a stream key in the log:\n{}", origin.log());
    source.equals(&origin.export().await?).await.with_context(|| origin.log())
}
