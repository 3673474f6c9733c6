//! What playlists promise of how long segments are, where an encoder's key frames come later than they did.

use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_origin::lint;
use reqwest::header::HeaderMap;

use crate::demo::{client, finish};
use crate::origin::{Origin, Plan, Source, Store, target};
use crate::play::ffmpeg;
use crate::viewers::{Edge, wrong};

/// Key frames every two seconds, and then none for five.
const KEYS: &str = "0,2,4,9";

#[tokio::test(flavor = "multi_thread")]
async fn key_frames_that_come_late_break_no_promise_and_cost_no_picture() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], edge.told());
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start_with(&plan, "iframes = true\n").await?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("source.flv");
    let mut encode = ffmpeg();
    encode.args(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine"]);
    encode.args(["-t", "10", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "2"]);
    encode.args(["-g", "1000", "-keyint_min", "1", "-sc_threshold", "0", "-force_key_frames", KEYS]);
    encode.args(["-c:a", "aac", "-f", "flv"]).arg(&file);
    finish(encode).await?;
    let source = Source::of(file).await?;

    let mut encoder = ffmpeg();
    encoder.args(["-re", "-i"]).arg(&source.file).args(["-c", "copy", "-f", "flv"]).arg(origin.primary());
    finish(encoder).await?;
    origin.logged("feed ended").await?;
    let token = edge.token().await?;
    let media = edge.playlist(&token, "a", 9.9).await.with_context(|| origin.log())?;
    ensure!(media.contains("#EXT-X-TARGETDURATION:2\n"), "{media}");
    let live = format!("{}/t/{token}/live/t", edge.url);
    let main = client()?.get(format!("{live}/main.m3u8")).send().await?.text().await?;
    ensure!(!main.contains("#EXT-X-INDEPENDENT-SEGMENTS"), "{main}");
    ensure!(origin.log().contains("key frames come later than playlists promise"), "{}", origin.log());
    let settings = lint::Settings {
        url: format!("{live}/main.m3u8").parse()?,
        duration: Duration::from_secs(1),
        headers: HeaderMap::new(),
    };
    let report = lint::run(&settings).await?;
    let left = wrong(&report);
    ensure!(left.is_empty() && report.segments > 0, "{report}");

    let played = edge.play(&token, source.frames.len() - 10).await?;
    ensure!(source.frames.starts_with(&played), "{} frames, and not those that were sent", played.len());
    origin.crew(&["channel", "end", "t"]).await?;
    source.equals(&origin.export().await?).await?;
    origin.verified("a").await
}
