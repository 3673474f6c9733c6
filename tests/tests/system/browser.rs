//! A person with a browser: headless Chromium, driven by the scripts of `tests/browser`.

use anyhow::{Context, ensure};
use railbird_core::time::UtcMs;
use railbird_origin::clock;
use railbird_tests::fault::{Fault, Plan as Failing, Proxy};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::contract::fixture;
use crate::demo::{Demo, outcome, railbird, workspace};
use crate::origin::{Origin, Plan, Store, target};
use crate::viewers::{Edge, On, Person};

/// Seconds of media that a viewer watches after a node began to fail: well beyond what can be buffered.
const WATCHED_S: &str = "14";

/// Logs in, plays, sees a score change; then the node in use is unplugged and nothing stalls for 20 s of media.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_does_not_notice_that_a_node_died() -> anyhow::Result<()> {
    let demo = Demo::start(&[]).await?;
    let scripts = workspace().join("tests/browser");
    ensure!(scripts.join("node_modules").exists(), "run `npm ci --ignore-scripts` in tests/browser");
    let mut watch = Command::new("node");
    watch.arg(scripts.join("watch.mjs")).arg(&demo.ready_file);
    let (ok, text) = outcome(watch).await.context("tests/browser/watch.mjs")?;
    ensure!(ok, "{text}\n--- the demo's log ---\n{}", demo.log());
    Ok(())
}

/// Two nodes that can fail in any way between them and a viewer, while the origin goes on writing to both.
struct Nodes {
    edge: Edge,
    stores: [Store; 2],
    doors: [Proxy; 2],
    origin: Origin,
    _encoder: Child,
}

impl Nodes {
    async fn start(edge: Edge) -> anyhow::Result<Nodes> {
        Nodes::start_called(edge, "T").await
    }

    /// Of an event and a channel of this title.
    async fn start_called(edge: Edge, title: &str) -> anyhow::Result<Nodes> {
        let stores = [Store::start().await?, Store::start().await?];
        // Each is a host of its own, as CDNs are: Shaka Player bans a host that failed, with all that is there.
        let doors = [
            Proxy::start_at([127, 0, 0, 2].into(), stores[0].server.addr(), 1).await?,
            Proxy::start_at([127, 0, 0, 3].into(), stores[1].server.addr(), 2).await?,
        ];
        let targets = [0, 1].map(|n| target(["a", "b"][n], &stores[n].url(), &doors[n].url(), ""));
        let edges = edge.told();
        let plan = Plan { id: "north", title, targets: &targets, edges: &edges, more: "", files: &[] };
        let origin = Origin::start(&plan).await?;
        let encoder = railbird()?.args(["publish", "clip", &origin.primary()]).spawn()?;
        let token = edge.token().await?;
        edge.playlist(&token, "a", 8.0).await.with_context(|| origin.log())?;
        Ok(Nodes { edge, stores, doors, origin, _encoder: encoder })
    }

    /// A tenth of the rate at which a node's segments of two seconds must come.
    fn tenth(&self) -> anyhow::Result<u32> {
        let mut sizes = Vec::new();
        for entry in std::fs::read_dir(self.stores[0].dir().join("t/source"))? {
            sizes.push(entry?.metadata()?.len());
        }
        let mean = sizes.iter().sum::<u64>() / (sizes.len() as u64).max(1);
        Ok(u32::try_from(mean / 20)?)
    }

    /// A viewer watches while the node in use fails so; prints what that cost.
    async fn outlasted(&self, name: &str, fault: Fault) -> anyhow::Result<()> {
        let mut viewer = self.edge.browser("outlast.mjs", &[WATCHED_S])?;
        viewer.says("playing").await?;
        let door = self.door(&viewer.word().await?)?;
        door.set(Some(Failing::always(fault))).await?;
        let said = viewer.content().await.with_context(|| format!("{name}: {}", self.origin.log()))?;
        door.set(None).await?;
        let saw: Value = serde_json::from_str(&said).context(said)?;
        println!(
            "a node {name}: the picture stood {} ms ({} ms of waiting); {} % extra bytes over {} segments",
            saw["stood_ms"], saw["waiting_ms"], saw["extra_percent"], saw["segments"]
        );
        Ok(())
    }

    /// What stands between viewers and this node.
    fn door(&self, node: &str) -> anyhow::Result<&Proxy> {
        match node {
            "a" => Ok(&self.doors[0]),
            "b" => Ok(&self.doors[1]),
            other => anyhow::bail!("the picture comes from {other:?}"),
        }
    }

    /// The session is gone from one moment to the next: the login comes over the picture, and the picture goes on.
    async fn logged_in_again(&self) -> anyhow::Result<()> {
        let shot = self.edge.shots().join("relogin.png");
        self.edge.browser("relogin.mjs", &[&shot.to_string_lossy()])?.content().await?;
        Ok(())
    }

    /// A pass has two screens; whoever comes third chooses which of them to stop.
    async fn asked_which_to_stop(&self) -> anyhow::Result<()> {
        let shot = self.edge.shots().join("screens.png");
        self.edge.browser("screens.mjs", &[&shot.to_string_lossy()])?.content().await?;
        Ok(())
    }

    /// Somebody watches with a player that is not ours, and its node is gone.
    async fn led(&self) -> anyhow::Result<()> {
        let (viewer, node) = self.shaka("led").await?;
        let door = self.door(&node)?;
        door.set(Some(Failing::always(Fault::Refuse))).await?;
        self.saw(viewer, &format!("led away from {node}, which is dead,")).await?;
        Ok(door.set(None).await?)
    }

    /// The same, and the crew drains its node.
    async fn steered(&self) -> anyhow::Result<()> {
        let (viewer, node) = self.shaka("steered").await?;
        self.origin.crew(&["target", "drain", &node]).await?;
        self.saw(viewer, &format!("steered away from {node}, which is drained,")).await
    }

    async fn shaka(&self, way: &str) -> anyhow::Result<(Person, String)> {
        let mut viewer = self.edge.browser("steering.mjs", &["10", way])?;
        viewer.says("playing").await?;
        let node = viewer.word().await?;
        Ok((viewer, node))
    }

    async fn saw(&self, viewer: Person, what: &str) -> anyhow::Result<()> {
        let said = viewer.content().await.with_context(|| self.origin.log())?;
        let saw: Value = serde_json::from_str(&said).context(said)?;
        println!(
            "Shaka was {what} to {}: {} objects asked of the first before, {} afterwards of others; the picture stood {} ms",
            saw["then"], saw["asked_in_vain"], saw["asked_afterwards"], saw["stood_ms"]
        );
        Ok(())
    }
}

/// Whatever the node in use does, the picture goes on from the other one.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_outlasts_every_way_in_which_a_node_can_fail() -> anyhow::Result<()> {
    let nodes = Nodes::start(Edge::start().await?).await?;
    nodes.outlasted("refuses", Fault::Refuse).await?;
    nodes.outlasted("is a black hole", Fault::BlackHole).await?;
    nodes.outlasted("is slowed to 10 %", Fault::Drip(nodes.tenth()?)).await?;
    nodes.outlasted("serves errors", Fault::Busy { status: 503, retry_after: None }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_does_not_take_the_picture_away() -> anyhow::Result<()> {
    Nodes::start(Edge::start().await?).await?.logged_in_again().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_device_asks_which_of_two_to_stop() -> anyhow::Result<()> {
    Nodes::start(Edge::start().await?).await?.asked_which_to_stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_workerd_a_viewer_outlasts_a_node_and_a_session() -> anyhow::Result<()> {
    let nodes = Nodes::start(Edge::start_on(On::Workerd, &[]).await?).await?;
    nodes.outlasted("is a black hole", Fault::BlackHole).await?;
    nodes.logged_in_again().await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_workerd_a_third_device_asks_and_other_players_are_steered() -> anyhow::Result<()> {
    let nodes = Nodes::start(Edge::start_on(On::Workerd, &[]).await?).await?;
    nodes.asked_which_to_stop().await?;
    nodes.steered().await
}

#[tokio::test(flavor = "multi_thread")]
async fn other_players_leave_a_node_that_died_or_is_drained() -> anyhow::Result<()> {
    let nodes = Nodes::start(Edge::start().await?).await?;
    nodes.led().await?;
    nodes.steered().await
}

/// A name that acts where it is taken for markup, in as many ways as fit into a player's name.
const ACTING: &str = r#"</title><script>ran=1</script><img src=x onerror="window.ran=2">'"javascript:ran=3"#;

/// Whatever people call events, channels, recordings, matches, players and devices.
async fn names_are_texts(edge: Edge) -> anyhow::Result<()> {
    let nodes = Nodes::start_called(edge, ACTING).await?;
    let (edge, now) = (&nodes.edge, clock::now());
    // What nobody has played here: another origin says that it was.
    let mut replay = fixture::replay("over", fixture::number(now.media()) - 100, 1, true);
    replay["title"] = json!(ACTING);
    let replays = fixture::replays("t", "south", now.0, &[replay]);
    edge.push("/origin/v1/channels/t/replays", &replays).await?;
    let mut score = fixture::score("t", now.0, UtcMs(now.0 - 120_000), &[1]);
    score["title"] = json!(ACTING);
    score["sides"] = json!([{"name": ACTING}, {"name": ACTING}]);
    edge.push("/origin/v1/channels/t/score", &score).await?;
    let shot = edge.shots().join("names.png");
    edge.browser("names.mjs", &[ACTING, &shot.to_string_lossy()])?.content().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_a_text_whatever_it_says() -> anyhow::Result<()> {
    names_are_texts(Edge::start().await?).await
}
