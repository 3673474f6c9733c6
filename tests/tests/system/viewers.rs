//! An edge that outlives origins, and who watches through it: ffmpeg, a person with a browser, and `railbird lint`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_core::lint::{Finding, ours, rules};
use railbird_core::sign;
use railbird_origin::clock;
use railbird_origin::config::Secret;
use railbird_origin::demo::control::{Ready, ReadyChannel};
use railbird_origin::edge_host::{EdgeHost, EdgeHostConfig, Running};
use railbird_origin::lint;
use railbird_origin::pass::order::Key;
use railbird_origin::pass::{Door, Order};
use reqwest::header::HeaderMap;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::demo::{PATIENCE, assets, client, component, finish, workspace};
use crate::hosts::Wrangler;
use crate::origin::{Origin, Plan, SECRET, Source, Store, until};
use crate::play::{ffmpeg, hashes};
use crate::sink::Sink;

pub(crate) const EMAIL: &str = "viewer@example.org";
pub(crate) const PASSWORD: &str = "the password of a test";

/// An edge with one pass.
pub(crate) struct Edge {
    pub(crate) url: String,
    /// Hears what the edge is told, and looks at every playlist that comes of it.
    linter: Sink,
    dir: TempDir,
    _host: Host,
}

/// What runs it, for as long as it is kept.
#[expect(dead_code, reason = "nothing is asked of it but to be there")]
enum Host {
    Wasmtime(Running),
    Workerd(Wrangler),
}

/// Which host an edge runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Wasmtime,
    Workerd,
}

/// The variables that an edge needs.
const VARIABLES: [(&str, &str); 4] = [
    ("master_secret", SECRET),
    ("origin_secret", SECRET),
    ("session_secret", SECRET),
    ("admin_secret", SECRET),
];

impl Edge {
    /// One in this process.
    pub(crate) async fn start() -> anyhow::Result<Edge> {
        Edge::start_on(On::Wasmtime, &[]).await
    }

    /// One on this host, with these further variables.
    pub(crate) async fn start_on(host: On, more: &[(&str, &str)]) -> anyhow::Result<Edge> {
        let variables = [&VARIABLES, more].concat();
        match host {
            On::Wasmtime => Edge::start_in_wasmtime(&variables).await,
            On::Workerd => {
                let running = Wrangler::start(&variables, &assets()?).await;
                Edge::at(running.addr, tempfile::tempdir()?, Host::Workerd(running)).await
            }
        }
    }

    async fn start_in_wasmtime(variables: &[(&str, &str)]) -> anyhow::Result<Edge> {
        let dir = tempfile::tempdir()?;
        let mut config = EdgeHostConfig::new(([127, 0, 0, 1], 0).into(), component()?);
        config.assets = Some(assets()?);
        config.store_dir = Some(dir.path().join("store"));
        for (name, value) in variables {
            if *name == "webhook_url" {
                config.outbound.push(value.parse()?);
            }
            config.variables.insert(name.to_string(), value.to_string());
        }
        let running = EdgeHost::start(config).await?;
        Edge::at(running.addr(), dir, Host::Wasmtime(running)).await
    }

    async fn at(addr: SocketAddr, dir: TempDir, host: Host) -> anyhow::Result<Edge> {
        let url = format!("http://{addr}");
        issue_at(&url).await?;
        let ready = Ready {
            edge: url.clone(),
            origin: String::new(),
            rtmp: String::new(),
            nodes: BTreeMap::new(),
            channels: Vec::<ReadyChannel>::new(),
            email: EMAIL.into(),
            password: PASSWORD.into(),
        };
        std::fs::write(dir.path().join("ready.json"), serde_json::to_vec(&ready)?)?;
        Ok(Edge { url, linter: Sink::of_playlists().await?, dir, _host: host })
    }

    /// Whom origins tell what there is: the edge, and who looks at its playlists.
    pub(crate) fn told(&self) -> [String; 2] {
        [self.url.clone(), self.linter.url.clone()]
    }

    /// Pushes as an origin does.
    pub(crate) async fn push(&self, path: &str, said: &serde_json::Value) -> anyhow::Result<()> {
        let (body, mut nonce) = (said.to_string(), [0; 16]);
        getrandom::fill(&mut nonce)?;
        let signature = sign::sign(SECRET.as_bytes(), "PUT", path, body.as_bytes(), clock::now(), nonce);
        let put = client()?.put(format!("{}{path}", self.url)).header(sign::HEADER, signature);
        let answer = put.header("content-type", "application/json").body(body).send().await?;
        let status = answer.status();
        ensure!(status == 204, "{path}: {status} {}", answer.text().await?);
        Ok(())
    }

    pub(crate) async fn token(&self) -> anyhow::Result<String> {
        token_at(&self.url).await
    }

    /// The live channel, in a session of the pass.
    pub(crate) async fn live(&self) -> anyhow::Result<Live> {
        Ok(Live { url: format!("{}/t/{}/live/t", self.url, self.token().await?) })
    }

    /// The text of the live media playlist that pathway `node` has, once it lists so many seconds.
    pub(crate) async fn playlist(&self, token: &str, node: &str, seconds: f64) -> anyhow::Result<String> {
        let url = format!("{}/t/{token}/live/t/{node}/source.m3u8", self.url);
        until("the playlist is long enough", async || {
            let text = client()?.get(&url).send().await?.text().await?;
            Ok((duration(&text) >= seconds).then_some(text))
        })
        .await
    }

    /// ffmpeg plays the live channel from its first listed segment on: the hashes of so many frames.
    pub(crate) async fn play(&self, token: &str, frames: usize) -> anyhow::Result<Vec<String>> {
        let mut player = ffmpeg();
        player.args(["-live_start_index", "0", "-i", &format!("{}/t/{token}/live/t/main.m3u8", self.url)]);
        player.args(["-map", "0:v:0", "-frames", &frames.to_string(), "-fps_mode", "passthrough"]);
        player.args(["-f", "framemd5", "-"]);
        Ok(hashes(&finish(player).await?))
    }

    /// The crew ends the channel, whose feed is over: where it is played from then on, once all of these renditions is listed.
    pub(crate) async fn ended(&self, origin: &Origin, renditions: &[&str]) -> anyhow::Result<Live> {
        origin.crew(&["channel", "end", "t"]).await?;
        let live = self.live().await?;
        for rendition in renditions {
            let ended =
                live.text_once(["a", rendition], "its end", |text| text.ends_with("#EXT-X-ENDLIST\n"));
            let text = ended.await.with_context(|| origin.log())?;
            ensure!(!text.contains("#EXT-X-GAP"), "{text}\n{}", origin.log());
        }
        Ok(live)
    }

    /// The crew ends the channel, whose feed is over: whoever plays it from its beginning gets each picture and each packet of sound that
    /// the source has, and so does who takes the recording.
    pub(crate) async fn shows(&self, origin: &Origin, source: &Source) -> anyhow::Result<()> {
        let live = self.ended(origin, &["source"]).await?;
        let context = |what: &str| format!("{what}\n{}", origin.log());
        source.equals(Path::new(&live.main())).await.with_context(|| context("to a player"))?;
        source.equals(&origin.export().await?).await.with_context(|| context("in the recording"))
    }

    /// A person with a browser, by one of the scripts of `tests/browser`.
    pub(crate) fn browser(&self, script: &str, arguments: &[&str]) -> anyhow::Result<Person> {
        let scripts = workspace().join("tests/browser");
        ensure!(scripts.join("node_modules").exists(), "run `npm ci --ignore-scripts` in tests/browser");
        let mut command = Command::new("node");
        command.arg(scripts.join(script)).arg(self.dir.path().join("ready.json")).args(arguments);
        command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = BufReader::new(child.stdout.take().context("stdout")?).lines();
        Ok(Person { child, lines })
    }

    /// Where pictures of what a person sees go, with `RAILBIRD_SHOTS`.
    pub(crate) fn shots(&self) -> PathBuf {
        std::env::var_os("RAILBIRD_SHOTS").map_or_else(|| self.dir.path().to_path_buf(), PathBuf::from)
    }
}

/// An origin with one bucket before an edge, and its channel there.
pub(crate) struct Stage {
    pub(crate) edge: Edge,
    pub(crate) origin: Origin,
    pub(crate) live: Live,
    _store: Store,
}

impl Stage {
    /// One whose channel has these further settings, and its origin these further tables.
    pub(crate) async fn set(channel: &str, more: &str) -> anyhow::Result<Stage> {
        let (edge, store) = (Edge::start().await?, Store::start().await?);
        let (targets, edges) = ([store.target("a")], edge.told());
        let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more, files: &[] };
        let origin = Origin::start_with(&plan, channel).await?;
        Ok(Stage { live: edge.live().await?, edge, origin, _store: store })
    }
}

/// A live channel, as the players of a pass holder find it.
pub(crate) struct Live {
    url: String,
}

impl Live {
    /// Where the multivariant playlist is.
    pub(crate) fn main(&self) -> String {
        format!("{}/main.m3u8", self.url)
    }

    /// Where the media playlist of a rendition is that pathway `node` has.
    pub(crate) fn media(&self, node: &str, rendition: &str) -> String {
        format!("{}/{node}/{rendition}.m3u8", self.url)
    }

    /// The text of that playlist, or the reason why there is none.
    pub(crate) async fn text(&self, node: &str, rendition: &str) -> anyhow::Result<String> {
        Ok(client()?.get(self.media(node, rendition)).send().await?.text().await?)
    }

    /// The text of that playlist, once it is so.
    pub(crate) async fn text_once(
        &self,
        [node, rendition]: [&str; 2],
        what: &str,
        so: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        until(&format!("{what}, of {rendition}"), async || {
            Ok(Some(self.text(node, rendition).await?).filter(|text| text.starts_with("#EXTM3U") && so(text)))
        })
        .await
    }

    /// `railbird lint` looks at it for some seconds, and finds nothing.
    pub(crate) async fn is_clean(&self) -> anyhow::Result<()> {
        let (url, duration) = (self.main().parse()?, Duration::from_secs(3));
        let report = lint::run(&lint::Settings { url, duration, headers: HeaderMap::new() }).await?;
        let left = wrong(&report);
        ensure!(left.is_empty() && report.segments > 0, "{report}");
        Ok(())
    }
}

/// What a linter found that is wrong: how late this machine is says nothing.
pub(crate) fn wrong(report: &lint::Report) -> Vec<Finding> {
    let found = report.findings().filter(|finding| finding.rule != &rules::UPDATE_LATE);
    ours::unexpected(found.cloned().collect())
}

/// Gives the edge the pass.
pub(crate) async fn issue_at(edge: &str) -> anyhow::Result<()> {
    let key = Key::Password(EMAIL.to_string(), Secret::new(PASSWORD));
    let (_, pass) = Order::new(key, clock::now(), 1).make()?;
    Door::new(edge, &Secret::new(SECRET))?.put(&pass).await?;
    Ok(())
}

/// A session of the pass at this edge.
pub(crate) async fn token_at(edge: &str) -> anyhow::Result<String> {
    let login = serde_json::json!({ "email": EMAIL, "password": PASSWORD });
    let answer = client()?.post(format!("{edge}/api/login")).json(&login).send().await?;
    let body: serde_json::Value = answer.error_for_status()?.json().await?;
    Ok(body["token"].as_str().context("no token")?.to_string())
}

/// How many seconds a playlist lists.
pub(crate) fn duration(playlist: &str) -> f64 {
    let lines = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next());
    lines.filter_map(|duration| duration.parse::<f64>().ok()).sum()
}

pub(crate) struct Person {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Person {
    /// Waits until the script says this.
    pub(crate) async fn says(&mut self, word: &str) -> anyhow::Result<()> {
        let said = timeout(PATIENCE, async {
            let mut before = String::new();
            while let Some(line) = self.lines.next_line().await? {
                if line == word {
                    return anyhow::Ok(());
                }
                before.push_str(&line);
                before.push('\n');
            }
            anyhow::bail!("it ended without {word:?}:\n{before}")
        });
        said.await.with_context(|| format!("it never said {word:?}"))?
    }

    /// Tells the script something: one line.
    pub(crate) async fn tell(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.child.stdin.as_mut().context("its input is closed")?;
        Ok(input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// What the script says next.
    pub(crate) async fn word(&mut self) -> anyhow::Result<String> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.context("it says nothing more")??;
        line.context("it ended instead of saying more")
    }

    /// Waits for the end and gives what the script said meanwhile; an exit code other than 0 is an error.
    pub(crate) async fn content(mut self) -> anyhow::Result<String> {
        let mut rest = String::new();
        let read = async {
            self.lines.get_mut().read_to_string(&mut rest).await?;
            self.child.wait().await
        };
        let status = timeout(PATIENCE, read).await.context("the script does not end")??;
        ensure!(status.success(), "{rest}");
        Ok(rest)
    }
}
