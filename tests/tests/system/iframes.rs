//! Key frames as objects of their own, to players that are not ours: ffmpeg, live and from the recording, and hls.js in Chromium.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::demo::{client, finish};
use crate::origin::{Origin, Plan, Source, Store, target, until};
use crate::play::{decoded, ffmpeg};
use crate::viewers::Edge;

const FRAMES_A_SECOND: f64 = 25.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_of_i_frames_is_the_key_frame_of_each_segment_and_nothing_else() -> anyhow::Result<()> {
    let (edge, stores) = (Edge::start().await?, [Store::start().await?, Store::start().await?]);
    let targets = [0, 1].map(|n| target(["a", "b"][n], &stores[n].url(), &stores[n].url(), ""));
    let edges = edge.told();
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start_with(&plan, "iframes = true\n").await?;
    let source = Source::new(9).await?;
    let mut encoder = ffmpeg();
    encoder.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "flv"]).arg(origin.primary());
    finish(encoder).await?;
    origin.logged("feed ended").await?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 8.9).await.with_context(|| origin.log())?;
    origin.crew(&["channel", "end", "t"]).await?;
    let channels = until("the recording is listed", async || {
        let request = client()?.get(format!("{}/api/channels", edge.url));
        let request = request.header("cookie", format!("__Host-railbird={token}"));
        let listed: Value = request.send().await?.json().await?;
        Ok(listed["channels"][0]["replays"][0]["id"].as_str().map(str::to_string))
    });
    let recording = channels.await.with_context(|| origin.log())?;
    let at = |path: &str| format!("{}/t/{token}/{path}", edge.url);
    let ended = async |url: &str| {
        until(&format!("{url} ends"), async || {
            let text = client()?.get(url).send().await?.text().await?;
            Ok(Some(text).filter(|text| text.ends_with("#EXT-X-ENDLIST\n") && !text.contains("#EXT-X-GAP")))
        })
        .await
        .with_context(|| origin.log())
    };
    for path in ["live/t".to_string(), format!("replay/t/{recording}")] {
        let main = client()?.get(at(&format!("{path}/main.m3u8"))).send().await?.text().await?;
        for node in ["a", "b"] {
            let uri = format!("PATHWAY-ID=\"{node}\",URI=\"{node}/source.frames.m3u8\"");
            ensure!(main.contains(&uri), "{main}");
            let url = at(&format!("{path}/{node}/source.frames.m3u8"));
            let listed = ended(&url).await?;
            let media = ended(&at(&format!("{path}/{node}/source.m3u8"))).await?;
            let names = |text: &str| -> Vec<String> {
                let uris = text.lines().filter(|line| line.ends_with(".m4s"));
                uris.filter_map(|uri| uri.rsplit('/').next()).map(str::to_string).collect()
            };
            let expected: Vec<_> =
                names(&media).iter().map(|name| name.replace(".m4s", "-frame.m4s")).collect();
            ensure!(names(&listed) == expected && expected.len() > 3, "{listed}\n{media}");
            let lengths = listed.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next());
            let mut from = 0.0;
            let mut keys = Vec::new();
            for length in lengths {
                let frame = (from * FRAMES_A_SECOND).round() as usize;
                keys.push(source.frames.get(frame).with_context(|| format!("no frame {frame}"))?.clone());
                from += length.parse::<f64>()?;
            }
            let mut player = ffmpeg();
            player.args(["-i", &url]);
            let played = decoded(player, "0:v:0", None).await?;
            ensure!(played == keys, "{} of {} key frames of {url}", played.len(), keys.len());
        }
    }
    let looks = edge.browser("iframes.mjs", &[&recording])?;
    println!("{}", looks.content().await.with_context(|| origin.log())?);
    // Each of them is at both targets, byte for byte.
    for place in ["a", "b"] {
        origin.verified(place).await?;
    }
    Ok(())
}
