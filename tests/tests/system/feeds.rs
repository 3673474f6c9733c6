//! A channel whose encoder sends each quality as a publish of its own: ffmpeg at both ends, and players that are not ours.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_origin::lint;
use reqwest::header::HeaderMap;
use tokio::process::{Child, Command};

use crate::demo::{client, finish};
use crate::http_ingest::address;
use crate::ladder::{Listed, signal};
use crate::origin::{Origin, Plan, Store, target, until};
use crate::play::ffmpeg;
use crate::viewers::{Edge, duration, wrong};

pub(crate) const FEEDS: &str = "[[channel.video]]\nname = \"mid\"\n[[channel.video.feed]]\nstream_key = { file = \"mid\" }\n\
    [[channel.video]]\nname = \"low\"\n[[channel.video.feed]]\nstream_key = { file = \"low\" }\n";

/// Each picture has colours of its own, which tell its number, up to 25 s.
const PICTURES: &str = "color=size=16x16:rate=25,geq=lum='20+8*mod(N,25)':cb='20+8*mod(floor(N/25),25)':cr=128,\
    scale=640:360:flags=neighbor,format=yuv420p";

/// How a picture is told by them.
const TELL: &str = "scale=2:2:flags=neighbor,lutyuv=y='floor(val/8)*8':u='floor(val/8)*8':v=0";

/// One encoder with three outputs: the source by RTMP, a transport stream in a PUT, and another one as datagrams.
pub(crate) fn encoder(origin: &Origin, port: u16) -> anyhow::Result<Child> {
    let mut encode = ffmpeg();
    encode.args(["-re", "-f", "lavfi", "-i", PICTURES, "-re", "-f", "lavfi", "-i", "sine=frequency=440"]);
    let split = "[0:v]split=3[high][b][c];[b]scale=320:180[mid];[c]scale=160:90[low]";
    encode.args(["-filter_complex", split]);
    let output = |encode: &mut Command, of: &[&str], to: &[&str]| {
        encode.args(of).args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-sc_threshold", "0"]);
        encode.args(["-c:a", "aac"]).args(to);
    };
    output(&mut encode, &["-map", "[high]", "-map", "1:a"], &["-f", "flv", &origin.primary()]);
    let put = format!("http://{}/ingest/mid-key-1", address(origin)?);
    output(&mut encode, &["-map", "[mid]"], &["-f", "mpegts", "-method", "PUT", &put]);
    let datagrams = format!("udp://127.0.0.1:{port}?pkt_size=1316");
    output(&mut encode, &["-map", "[low]"], &["-f", "mpegts", &datagrams]);
    Ok(encode.kill_on_drop(true).spawn()?)
}

/// A relay, which publishes the datagrams with timestamps of its own.
pub(crate) fn relay(origin: &Origin, port: u16) -> anyhow::Result<Child> {
    let mut relay = ffmpeg();
    // It joins in mid-stream, and complains of that at length.
    relay.args([
        "-loglevel",
        "fatal",
        "-fflags",
        "nobuffer",
        "-analyzeduration",
        "5000000",
        "-probesize",
        "1000000",
        "-i",
    ]);
    relay.arg(format!("udp://127.0.0.1:{port}?fifo_size=100000"));
    relay.args(["-c", "copy", "-f", "flv"]).arg(format!("{}/low-key-1", origin.rtmp));
    Ok(relay.kill_on_drop(true).spawn()?)
}

/// When each picture of a playlist is shown, and which it is.
async fn pictures(url: &str) -> anyhow::Result<BTreeMap<i64, String>> {
    let mut player = ffmpeg();
    player.args(["-loglevel", "fatal", "-copyts", "-live_start_index", "0", "-i", url, "-map", "0:v:0"]);
    player.args(["-vf", TELL, "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = finish(player).await?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let told = lines.map(|line| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [_, _, pts, .., hash] = fields[..] else { anyhow::bail!("{line}") };
        Ok((pts.parse()?, hash.to_string()))
    });
    told.collect()
}

/// The origin's health comes to say this: it is looked at now and then.
async fn healthz(origin: &Origin, says: &str) -> anyhow::Result<()> {
    let told = until(says, async || {
        let health = client()?.get(format!("{}/healthz", origin.api)).send().await?.text().await?;
        Ok(health.contains(says).then_some(()))
    });
    told.await.with_context(|| origin.log())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_feeds_of_an_encoder_are_one_channels_renditions() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], edge.told());
    let (more, files) =
        ("[http_ingest]\nlisten = \"127.0.0.1:0\"\n", [("mid", "mid-key-1"), ("low", "low-key-1")]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more, files: &files };
    let origin = Origin::start_with(&plan, FEEDS).await?;
    // Nobody else gets it before the relay binds it: it was free, and such numbers go round.
    let port = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut sent = relay(&origin, port)?;
    let mut encoder = encoder(&origin, port)?;
    let token = edge.token().await?;
    let live = format!("{}/t/{token}/live/t", edge.url);
    let text =
        async |path: &str| anyhow::Ok(client()?.get(format!("{live}/{path}")).send().await?.text().await?);
    let listed = async |rendition: &str| anyhow::Ok(Listed::of(&text(&format!("a/{rendition}.m3u8")).await?));

    for rendition in ["mid", "low"] {
        let what = format!("some of {rendition} is listed");
        let some = until(&what, async || {
            let listed = listed(rendition).await?;
            Ok(Some(()).filter(|()| listed.segments.len() > listed.gaps() + 2))
        });
        some.await.with_context(|| origin.log())?;
    }

    // One feed dies: it has gaps, and nothing else does.
    sent.kill().await?;
    let gone = until("the feed that died has a gap", async || {
        let listed = listed("low").await?;
        Ok(listed.segments.last().filter(|(_, _, gap)| *gap).map(|(name, ..)| name.clone()))
    });
    let gone = gone.await.with_context(|| origin.log())?;
    healthz(&origin, "its rendition low has gaps: no encoder sends it").await?;
    // One that sends what nobody can play is refused, and it costs nobody anything.
    let mut other = ffmpeg();
    other.args([
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x90:rate=25",
        "-t",
        "2",
        "-c:v",
        "mpeg2video",
        "-f",
        "mpegts",
    ]);
    other.args(["-method", "PUT"]).arg(format!("http://{}/ingest/low-key-1", address(&origin)?));
    other.stderr(std::process::Stdio::null()).status().await?;
    origin.logged("feed refused").await?;
    healthz(&origin, "its primary feed of low is refused: ").await?;
    let _sent = relay(&origin, port)?;
    let back = until("the feed is back", async || {
        let listed = listed("low").await?;
        let behind = listed.segments.iter().skip_while(|(name, ..)| *name != gone);
        // Shaka Player takes some segments to change to another one.
        Ok(Some(()).filter(|()| behind.filter(|(_, _, gap)| !gap).count() > 8))
    });
    back.await.with_context(|| origin.log())?;

    signal("-INT", &encoder.id().context("the encoder has ended")?.to_string()).await?;
    encoder.wait().await?;
    origin.logged("feed ended").await?;
    // Either may come a moment later.
    let whole = until("the renditions are as long as the source", async || {
        let source = duration(&text("a/source.m3u8").await?);
        let long =
            [text("a/mid.m3u8").await?, text("a/low.m3u8").await?].iter().all(|one| duration(one) >= source);
        Ok(Some(()).filter(|()| long))
    });
    whole.await.with_context(|| origin.log())?;
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
    let shown = pictures(&format!("{live}/a/source.m3u8")).await?;
    ensure!(shown.len() > 350, "{} pictures", shown.len());
    let (mut begins, mut behind_gap, mut end) = (0.0_f64, 0.0_f64, 0.0);
    for rendition in ["mid", "low"] {
        let listed = ended(rendition).await?;
        ensure!(listed.head == of_source.head, "{listed:?}\n{of_source:?}");
        let mut both = listed.segments.iter().zip(&of_source.segments);
        let same = both.all(|(one, of)| (&one.0, &one.1) == (&of.0, &of.1) || one.2);
        ensure!(same && listed.segments.len() == of_source.segments.len(), "{listed:?}\n{of_source:?}");
        // At the beginning there may be nothing of it yet, and the last one may break off.
        let gaps: Vec<bool> = listed.segments.iter().map(|(_, _, gap)| *gap).collect();
        let inside = gaps.iter().take(gaps.len() - 1).skip_while(|gap| **gap);
        let holes = inside.filter(|gap| **gap).count();
        ensure!((holes > 0) == (rendition == "low"), "{rendition}: {listed:?}\n{}", origin.log());
        let of = pictures(&format!("{live}/a/{rendition}.m3u8")).await?;
        ensure!(of.len() > 200, "{} pictures of {rendition}", of.len());
        let other = of.iter().find(|(at, picture)| shown.get(at) != Some(picture));
        ensure!(other.is_none(), "at the same time {rendition} shows another picture: {other:?}");
        (begins, end) = (0.0, 0.0);
        let mut has_begun = false;
        for (_, tags, gap) in &listed.segments {
            let length = tags.iter().find_map(|tag| tag.strip_prefix("#EXTINF:")?.split(',').next());
            end += length.context("no length")?.parse::<f64>()?;
            has_begun |= !gap;
            begins = if has_begun { begins } else { end };
            // The last one is behind what is looked at.
            behind_gap = if *gap && end < duration(&text("a/source.m3u8").await?) - 0.1 {
                behind_gap.max(end)
            } else {
                behind_gap
            };
        }
    }
    ensure!(behind_gap < end - 2.0, "nothing follows the gap");
    let main = text("main.m3u8").await?;
    for (size, rendition) in [("640x360", "source"), ("320x180", "mid"), ("160x90", "low")] {
        ensure!(main.contains(&format!("RESOLUTION={size}")), "no {rendition} in:\n{main}");
    }

    let settings = lint::Settings {
        url: format!("{live}/main.m3u8").parse()?,
        duration: Duration::from_secs(3),
        headers: HeaderMap::new(),
    };
    let report = lint::run(&settings).await?;
    let mut left = wrong(&report);
    // Pictures that were on their way through the relay when the encoder ended: its last segment is up to a tenth of a second shorter.
    left.retain(|finding| !finding.to_string().contains("media-duration"));
    ensure!(left.is_empty() && report.segments > 0, "{report}");

    let (from, seconds) = (format!("{}", begins + 0.1), format!("{}", behind_gap + 0.5));
    let main = format!("{live}/main.m3u8");
    for player in ["hls", "shaka"] {
        let person = edge.browser("ladder.mjs", &[player, &from, &seconds, &main])?;
        println!("{player} from {from}: {}", person.content().await.with_context(|| origin.log())?);
    }
    origin.verified("a").await?;
    Ok(())
}
