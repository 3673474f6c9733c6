//! A pass holder and the score: the board, the sheet of innings, clips, spoiler-free, and the score without a picture.

use std::process::Stdio;

use anyhow::{Context, ensure};
use railbird_origin::{clock, when};

use crate::demo::client;
use crate::origin::{Origin, Plan, Source, Store, until};
use crate::play::ffmpeg;
use crate::viewers::{Edge, Person};

const KEY: &str = "the-score-key-of-t";

/// A channel with a scorer, whose encoder has sent some seconds as fast as they were taken, and has gone.
struct Table {
    edge: Edge,
    origin: Origin,
    token: String,
    /// When its picture begins, in UTC milliseconds.
    start_ms: u64,
    _store: Store,
}

impl Table {
    async fn start(seconds: u32) -> anyhow::Result<Table> {
        let source = Source::new(seconds).await?;
        let (store, edge) = (Store::start().await?, Edge::start().await?);
        let (targets, edges) = ([store.target("a")], edge.told());
        let files = [("score-key", KEY)];
        let plan =
            Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: "", files: &files };
        let origin = Origin::start_with(&plan, "score_key = { file = \"score-key\" }\n").await?;
        let mut encoder = ffmpeg();
        encoder.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "flv", &origin.primary()]);
        ensure!(encoder.stdin(Stdio::null()).status().await?.success(), "the encoder failed");
        let token = edge.token().await?;
        let listed = edge.playlist(&token, "a", f64::from(seconds) - 4.0).await;
        let text = listed.with_context(|| origin.log())?;
        let date = text.lines().find_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:"));
        let start_ms = when::time(date.context("no date")?, clock::now())?.0;
        Ok(Table { edge, origin, token, start_ms, _store: store })
    }

    /// A person with a browser who is its scorer, too.
    fn person(&self, script: &str) -> anyhow::Result<Person> {
        let shots = self.edge.shots().to_string_lossy().into_owned();
        self.edge.browser(script, &[&self.origin.api, KEY, &self.start_ms.to_string(), &shots])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_speaks_the_viewers_language_and_shows_sets_and_a_shot_clock() -> anyhow::Result<()> {
    let table = Table::start(8).await?;
    let said = table.person("board.mjs")?.content().await.with_context(|| table.origin.log())?;
    println!("{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_score_sheet_leads_through_a_recording_and_tells_nothing_too_early() -> anyhow::Result<()> {
    let table = Table::start(26).await?;
    let Table { edge, origin, token, .. } = &table;
    let mut viewer = table.person("innings.mjs")?;
    viewer.says("live done").await.with_context(|| origin.log())?;
    origin.crew(&["channel", "end", "t"]).await?;
    until("the recording has ended at the edge", async || {
        let url = format!("{}/api/channels", edge.url);
        let answer = client()?.get(&url).header("cookie", format!("__Host-railbird={token}")).send().await?;
        let list: serde_json::Value = answer.json().await?;
        Ok((list["channels"][0]["replays"][0]["live"] == false).then_some(()))
    })
    .await?;
    viewer.tell("ended").await?;
    let said = viewer.content().await.with_context(|| origin.log())?;
    println!("{said}");
    Ok(())
}
