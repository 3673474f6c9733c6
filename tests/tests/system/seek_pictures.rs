//! What is to be seen over the seek bar of our player: the picture of the moment that is pointed at, live and in a recording, also
//! from another node when one is dead, and only for whom the edge gives the key.

use std::path::Path;

use anyhow::Context;
use railbird_tests::fault::{Fault, Plan as Failing, Proxy};
use serde_json::{Value, json};

use crate::demo::{client, finish};
use crate::origin::{Origin, Plan, Store, target, until};
use crate::play::ffmpeg;
use crate::viewers::Edge;

/// What is to be seen for two seconds each, and what it is in red, green and blue.
const COLOURS: [(&str, [u8; 3]); 12] = [
    ("red", [255, 0, 0]),
    ("lime", [0, 255, 0]),
    ("blue", [0, 0, 255]),
    ("yellow", [255, 255, 0]),
    ("aqua", [0, 255, 255]),
    ("fuchsia", [255, 0, 255]),
    ("white", [255, 255, 255]),
    ("black", [0, 0, 0]),
    ("orange", [255, 165, 0]),
    ("green", [0, 128, 0]),
    ("navy", [0, 0, 128]),
    ("silver", [192, 192, 192]),
];

/// A file in which each colour is a segment.
async fn coloured(file: &Path) -> anyhow::Result<()> {
    let mut graph = String::new();
    for (n, (name, _)) in COLOURS.iter().enumerate() {
        graph.push_str(&format!("color=c={name}:s=640x360:r=25:d=2[c{n}];"));
    }
    (0..COLOURS.len()).for_each(|n| graph.push_str(&format!("[c{n}]")));
    graph.push_str(&format!("concat=n={}", COLOURS.len()));
    let mut encode = ffmpeg();
    encode.args(["-f", "lavfi", "-i", &graph, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]);
    encode.args(["-shortest", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]);
    encode.args(["-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-c:a", "aac", "-f", "flv"]);
    encode.arg(file);
    finish(encode).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seek_bar_shows_the_picture_of_the_moment_that_is_pointed_at() -> anyhow::Result<()> {
    let (edge, stores) = (Edge::start().await?, [Store::start().await?, Store::start().await?]);
    let doors = [
        Proxy::start_at([127, 0, 0, 2].into(), stores[0].server.addr(), 1).await?,
        Proxy::start_at([127, 0, 0, 3].into(), stores[1].server.addr(), 2).await?,
    ];
    let targets = [0, 1].map(|n| target(["a", "b"][n], &stores[n].url(), &doors[n].url(), ""));
    let edges = edge.told();
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &[] };
    let origin = Origin::start(&plan).await?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("colours.flv");
    coloured(&file).await?;
    let mut encoder = ffmpeg();
    encoder.arg("-i").arg(&file).args(["-c", "copy", "-f", "flv"]).arg(origin.primary());
    finish(encoder).await?;
    origin.logged("feed ended").await?;
    let token = edge.token().await?;
    edge.playlist(&token, "a", 23.9).await.with_context(|| origin.log())?;

    let colours = json!(COLOURS.map(|(_, colour)| colour)).to_string();
    let looked = async |what: &str| {
        let shot = edge.shots().join(format!("peek-{}.png", if what == "live" { what } else { "replay" }));
        let mut viewer = edge.browser("peek.mjs", &[what, &colours, &shot.to_string_lossy()])?;
        viewer.says("looked").await?;
        let node = viewer.word().await?;
        let door = &doors[usize::from(node == "b")];
        door.set(Some(Failing::always(Fault::Refuse))).await?;
        viewer.tell("it is dead").await?;
        let said = viewer.content().await.with_context(|| origin.log())?;
        door.set(None).await?;
        println!("{what}, without {node}: {said}");
        anyhow::Ok(())
    };
    looked("live").await?;
    origin.crew(&["channel", "end", "t"]).await?;
    let recording = until("the recording is listed", async || {
        let request = client()?.get(format!("{}/api/channels", edge.url));
        let request = request.header("cookie", format!("__Host-railbird={token}"));
        let listed: Value = request.send().await?.json().await?;
        let first = &listed["channels"][0]["replays"][0];
        Ok(first["id"].as_str().filter(|_| first["live"] != json!(true)).map(str::to_string))
    });
    looked(&recording.await.with_context(|| origin.log())?).await
}
