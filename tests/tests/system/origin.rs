//! An origin that runs beside a test: `railbird serve` as it is deployed, the buckets that it writes to, and a source to
//! publish.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use railbird_core::hash::Hash;
use railbird_origin::config::Secret;
use railbird_origin::store::server::{Credentials, NodeServer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::demo::{PATIENCE, client, finish, outcome, railbird};
use crate::play::{ffmpeg, hashes};
use crate::wall_clock::WallClock;

/// Every secret here, and both keys of every bucket.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The bucket at every node server.
pub(crate) const BUCKET: &str = "live";

/// Between two looks at what has no way to tell by itself: other processes shall have the processor meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until there is something, with a bound far above what it takes.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let found = async {
        loop {
            if let Some(found) = look().await? {
                return anyhow::Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.with_context(|| format!("it never happened: {what}"))?
}

/// A bucket, and where its objects lie.
pub(crate) struct Store {
    pub(crate) server: NodeServer,
    dir: TempDir,
}

impl Store {
    pub(crate) async fn start() -> anyhow::Result<Store> {
        let dir = tempfile::tempdir()?;
        let server = NodeServer::start(([127, 0, 0, 1], 0).into(), dir.path(), &[BUCKET], &keys()).await?;
        Ok(Store { server, dir })
    }

    /// A store that does not honour conditional create.
    pub(crate) async fn start_without_conditions() -> anyhow::Result<Store> {
        let (dir, listen) = (tempfile::tempdir()?, ([127, 0, 0, 1], 0).into());
        let server = NodeServer::start_without_conditions(listen, dir.path(), &[BUCKET], &keys()).await?;
        Ok(Store { server, dir })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().join(BUCKET)
    }

    /// The inside of a `[[target]]` that is this store, without its header.
    pub(crate) fn target(&self, id: &str) -> String {
        target(id, &self.url(), &self.url(), "")
    }
}

fn keys() -> Credentials {
    Credentials { access_key: Secret::new(SECRET), secret_key: Secret::new(SECRET) }
}

/// The inside of a `[[target]]`: a bucket at `endpoint` that viewers read at `node`.
pub(crate) fn target(id: &str, endpoint: &str, node: &str, more: &str) -> String {
    format!(
        "id = \"{id}\"\nkind = \"s3\"\nendpoint = \"{endpoint}\"\nbucket = \"{BUCKET}\"\n\
         access_key = {{ file = \"secret\" }}\nsecret_key = {{ file = \"secret\" }}\n\
         backfill_mbps = 0\n{more}\nnode = {{ id = \"{id}\", url = \"{node}/{BUCKET}\" }}\n"
    )
}

/// The media objects below a directory: the hash of each by its name.
pub(crate) fn objects(dir: &Path) -> anyhow::Result<BTreeMap<String, Hash>> {
    fn walk(dir: &Path, prefix: &str, found: &mut BTreeMap<String, Hash>) -> anyhow::Result<()> {
        let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                walk(&entry.path(), &format!("{name}/"), found)?;
            } else if name.ends_with(".m4s") || name.ends_with(".mp4") {
                found.insert(name, Hash::of(&fs::read(entry.path())?));
            }
        }
        Ok(())
    }
    let mut found = BTreeMap::new();
    walk(dir, "", &mut found)?;
    Ok(found)
}

/// `railbird serve`, killed when dropped.
pub(crate) struct Origin {
    pub(crate) rtmp: String,
    pub(crate) api: String,
    dir: TempDir,
    child: Child,
}

/// What differs between the origins of these tests.
pub(crate) struct Plan<'a> {
    pub(crate) id: &'a str,
    /// What its event and its channel are called.
    pub(crate) title: &'a str,
    /// The insides of its `[[target]]`s.
    pub(crate) targets: &'a [String],
    pub(crate) edges: &'a [String],
    /// Further tables of the configuration.
    pub(crate) more: &'a str,
    /// Further files beside it, by name.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

impl Origin {
    pub(crate) async fn start(plan: &Plan<'_>) -> anyhow::Result<Origin> {
        Origin::start_with(plan, "").await
    }

    /// One whose channel has these further settings.
    pub(crate) async fn start_with(plan: &Plan<'_>, channel: &str) -> anyhow::Result<Origin> {
        Origin::start_at(plan, channel, None).await
    }

    /// One that goes by this clock.
    pub(crate) async fn start_at(
        plan: &Plan<'_>,
        channel: &str,
        clock: Option<&WallClock>,
    ) -> anyhow::Result<Origin> {
        let configured = configuration(plan, channel, plan.targets, ANY);
        let origin = Origin::start_as(&configured, plan.files, clock).await?;
        origin.tell_crew(plan, channel)?;
        Ok(origin)
    }

    /// The crew's commands find the API by this file, the origin reads another one.
    pub(crate) fn tell_crew(&self, plan: &Plan<'_>, channel: &str) -> anyhow::Result<()> {
        let (rtmp, api) = (self.rtmp_address(), self.api.trim_start_matches("http://"));
        Ok(fs::write(self.file("crew.toml"), configuration(plan, channel, plan.targets, [rtmp, api]))?)
    }

    /// One of this configuration, with the files that it names.
    pub(crate) async fn start_by(configuration: &str, files: &[(&str, &str)]) -> anyhow::Result<Origin> {
        Origin::start_as(configuration, files, None).await
    }

    async fn start_as(
        configuration: &str,
        files: &[(&str, &str)],
        clock: Option<&WallClock>,
    ) -> anyhow::Result<Origin> {
        let dir = tempfile::tempdir()?;
        let usual = [("secret", SECRET), ("primary", "primary-key"), ("backup", "backup-key")];
        for (name, text) in files.iter().chain(&usual) {
            fs::write(dir.path().join(name), text)?;
        }
        Origin::serve(dir, configuration, clock).await
    }

    /// Stops it in order, and starts it again over the same data by another configuration.
    pub(crate) async fn restart_by(mut self, configuration: &str) -> anyhow::Result<Origin> {
        self.stop().await?;
        Origin::serve(self.dir, configuration, None).await
    }

    /// Starts one that was killed again, over the same data and by the same configuration; at other addresses, which the crew has to be
    /// told.
    pub(crate) async fn again(self) -> anyhow::Result<Origin> {
        let configuration = fs::read_to_string(self.file("railbird.toml"))?;
        Origin::serve(self.dir, &configuration, None).await
    }

    async fn serve(dir: TempDir, configuration: &str, clock: Option<&WallClock>) -> anyhow::Result<Origin> {
        let at = |name: &str| dir.path().join(name);
        fs::write(at("railbird.toml"), configuration)?;
        let log = fs::File::create(at("log"))?;
        let mut serve = railbird()?;
        serve.args(["serve", "--config"]).arg(at("railbird.toml")).env("RUST_LOG", "info");
        serve.envs(clock.map(WallClock::variables).into_iter().flatten());
        let mut child = serve.stdout(Stdio::null()).stderr(log).spawn()?;
        let started = until("the origin starts", async || {
            let text = fs::read_to_string(at("log"))?;
            ensure!(child.try_wait()?.is_none(), "the origin ended:\n{text}");
            let Some(line) = text.lines().find(|line| line.contains("the origin runs")) else {
                return Ok(None);
            };
            let word =
                |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)).map(str::to_string);
            Ok(word("rtmp=").zip(word("api=")))
        });
        let (rtmp, api) = started.await?;
        Ok(Origin { rtmp: format!("rtmp://{rtmp}/live"), api: format!("http://{api}"), dir, child })
    }

    fn rtmp_address(&self) -> &str {
        self.rtmp.trim_start_matches("rtmp://").trim_end_matches("/live")
    }

    /// Where its embedded edge listens.
    pub(crate) fn edge(&self) -> anyhow::Result<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("edge listens")).context("it has no edge")?;
        let addr = line.split(' ').find_map(|word| word.strip_prefix("addr=")).context("no address")?;
        Ok(format!("http://{addr}"))
    }

    pub(crate) fn primary(&self) -> String {
        format!("{}/primary-key", self.rtmp)
    }

    pub(crate) fn backup(&self) -> String {
        format!("{}/backup-key", self.rtmp)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    pub(crate) async fn logged(&self, text: &str) -> anyhow::Result<()> {
        let what = format!("the origin logs {text:?}");
        let logged = until(&what, async || Ok(self.log().contains(text).then_some(()))).await;
        logged.with_context(|| self.log())
    }

    /// The objects on its disk.
    pub(crate) fn objects(&self) -> anyhow::Result<BTreeMap<String, Hash>> {
        objects(&self.file("data/objects"))
    }

    /// Its process.
    pub(crate) fn process(&self) -> anyhow::Result<u32> {
        self.child.id().context("it has ended already")
    }

    /// SIGKILL, and wait until it is gone.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// SIGTERM, and wait until it has ended in order.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let id = self.process()?;
        let signal = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        ensure!(signal.success(), "kill: {signal}");
        let ended =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.context("SIGTERM ends nothing")??;
        ensure!(ended.success(), "it ended with {ended}:\n{}", self.log());
        Ok(())
    }

    /// Runs one of the crew's commands.
    pub(crate) async fn crew(&self, arguments: &[&str]) -> anyhow::Result<String> {
        finish(self.command(arguments)?).await.with_context(|| self.log())
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = railbird()?;
        command.args(arguments).arg("--config").arg(self.file("crew.toml"));
        Ok(command)
    }

    /// Writes the file that a reload reads, with these targets.
    pub(crate) fn configure(&self, plan: &Plan<'_>, targets: &[String]) -> anyhow::Result<()> {
        fs::write(self.file("railbird.toml"), configuration(plan, "", targets, ANY))?;
        let (rtmp, api) = (self.rtmp_address(), self.api.trim_start_matches("http://"));
        Ok(fs::write(self.file("crew.toml"), configuration(plan, "", targets, [rtmp, api]))?)
    }

    /// How many pictures of the primary feed have arrived.
    pub(crate) async fn pictures(&self) -> anyhow::Result<usize> {
        self.figure("railbird_feed_frames_total", &["feed=\"primary\"", "kind=\"video\""]).await
    }

    /// A figure of its metrics, with these labels among others.
    pub(crate) async fn figure(&self, name: &str, labels: &[&str]) -> anyhow::Result<usize> {
        let text = client()?.get(format!("{}/metrics", self.api)).send().await?.text().await?;
        let is = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
                && labels.iter().all(|label| line.contains(label))
        };
        let line = text.lines().find(is).and_then(|line| line.rsplit(' ').next());
        Ok(line.with_context(|| format!("no {name}"))?.parse()?)
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(client()?.get(format!("{}{path}", self.api)).send().await?.json().await?)
    }

    /// What `/healthz` says of this part: its sentence.
    pub(crate) async fn unwell(&self, id: &str) -> anyhow::Result<Option<String>> {
        let health = self.get("/healthz").await?;
        let mut reasons = health["reasons"].as_array().into_iter().flatten();
        let of = reasons.find(|reason| reason["id"] == id && reason["part"] != "edge");
        Ok(of.and_then(|reason| reason["reason"].as_str().map(str::to_string)))
    }

    /// What `/v1/targets` says of this target.
    pub(crate) async fn target(&self, id: &str) -> anyhow::Result<Value> {
        let list = self.get("/v1/targets").await?;
        let mut targets = list["targets"].as_array().into_iter().flatten();
        Ok(targets.find(|target| target["id"] == id).cloned().unwrap_or_default())
    }

    /// Waits until `railbird verify` finds every object of the one recording at this place, and nothing wrong anywhere.
    pub(crate) async fn verified(&self, place: &str) -> anyhow::Result<()> {
        self.verified_with(place, false).await
    }

    /// The same, where some of them may be what the other origin wrote.
    pub(crate) async fn verified_beside(&self, place: &str) -> anyhow::Result<()> {
        self.verified_with(place, true).await
    }

    async fn verified_with(&self, place: &str, beside: bool) -> anyhow::Result<()> {
        let mut last = String::new();
        let sound = until("verify finds everything", async || {
            let (ok, text) = outcome(self.command(&["verify", "--json"])?).await?;
            last.clone_from(&text);
            if !ok {
                return Ok(None);
            }
            let reports: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
            let report = &reports[0];
            let places = report["places"].as_array().context("no places")?;
            let tally = places.iter().find(|tally| tally["place"] == place).context("no such place")?;
            let others = if beside { tally["other"]["count"].as_u64() } else { Some(0) };
            let there = tally["good"].as_u64().zip(others).map(|(good, others)| good + others);
            let complete = there == report["objects"].as_u64() && tally["pending"] == 0;
            Ok((complete && reports.as_array().is_some_and(|all| all.len() == 1)).then_some(()))
        });
        sound.await.with_context(|| format!("{last}\n{}", self.log()))
    }

    /// The recording as one MP4.
    pub(crate) async fn export(&self) -> anyhow::Result<PathBuf> {
        let out = self.file("export.mp4");
        let path = out.to_string_lossy().into_owned();
        self.crew(&["export", "--channel", "t", "--out", &path]).await?;
        Ok(out)
    }

    /// Everything that it kept as evidence.
    pub(crate) fn evidence(&self) -> anyhow::Result<Vec<Value>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(self.file("data/evidence"))? {
            let text = fs::read_to_string(file?.path())?;
            entries.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
        }
        Ok(entries)
    }
}

/// Where RTMP and the API listen, if it does not matter.
pub(crate) const ANY: [&str; 2] = ["127.0.0.1:0"; 2];

pub(crate) fn configuration(plan: &Plan<'_>, channel: &str, targets: &[String], listen: [&str; 2]) -> String {
    let ([rtmp, api], title) = (listen, plan.title);
    let targets: String = targets.iter().map(|target| format!("[[target]]\n{target}\n")).collect();
    let edges: String = plan.edges.iter().map(|edge| format!("[[edge]]\nurl = \"{edge}\"\n")).collect();
    format!(
        "[origin]\nid = \"{}\"\ndata_dir = \"data\"\n[rtmp]\nlisten = \"{rtmp}\"\n[api]\nlisten = \"{api}\"\n\
         [event]\nid = \"e\"\ntitle = {title:?}\n[spool]\nreserve_mb = 64\n\
         [[channel]]\nid = \"t\"\ntitle = {title:?}\n{channel}\
         [[channel.feed]]\nstream_key = {{ file = \"primary\" }}\n\
         [[channel.feed]]\nstream_key = {{ file = \"backup\" }}\nrole = \"backup\"\n\
         {targets}{edges}{}\n\
         [secrets]\nmaster = {{ file = \"secret\" }}\norigin = {{ file = \"secret\" }}\n\
         admin = {{ file = \"secret\" }}\n",
        plan.id, plan.more
    )
}

/// A file to publish, and what is in it.
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    pub(crate) frames: Vec<String>,
    pub(crate) packets: [Vec<String>; 2],
    _dir: Option<TempDir>,
}

impl Source {
    /// So many seconds with B-frames, a key frame each second, and a tone.
    pub(crate) async fn new(seconds: u32) -> anyhow::Result<Source> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("source.flv");
        crate::play::source_of(&file, seconds, "320x180").await?;
        let source = Source { _dir: Some(dir), ..Source::of(file).await? };
        let count = source.frames.len();
        ensure!(count == seconds as usize * 25, "the source has {count} frames");
        Ok(source)
    }

    /// What is in a file that is there already.
    pub(crate) async fn of(file: PathBuf) -> anyhow::Result<Source> {
        let (frames, packets) = (frames(&file).await?, packets(&file).await?);
        Ok(Source { file, frames, packets, _dir: None })
    }

    /// An encoder sends it to these addresses, as fast as it is played. One that is lost costs the others nothing.
    pub(crate) fn publish(&self, urls: &[String]) -> JoinHandle<anyhow::Result<String>> {
        let outputs: Vec<String> = urls.iter().map(|url| format!("[f=flv:onfail=ignore]{url}")).collect();
        let mut encoder = ffmpeg();
        encoder.arg("-re").arg("-i").arg(&self.file);
        encoder.args(["-c", "copy", "-map", "0", "-f", "tee", &outputs.join("|")]);
        tokio::spawn(finish(encoder))
    }

    /// That a file, or what is played from a URL, has the same: each compressed packet of both tracks in its place, and each decoded
    /// picture.
    pub(crate) async fn equals(&self, file: &Path) -> anyhow::Result<()> {
        let frames = frames(file).await?;
        let differs = self.frames.iter().zip(&frames).position(|(a, b)| a != b);
        let (is, was) = (frames.len(), self.frames.len());
        ensure!(differs.is_none() && is == was, "{is} frames of {was}, the first that differs: {differs:?}");
        let [video, audio] = packets(file).await?;
        ensure!(video == self.packets[0], "{} video packets of {}", video.len(), self.packets[0].len());
        sounds_as(&self.packets[1], &audio)
    }

    /// That a file has the first pictures of it, packet by packet, up to one of them. How many there are.
    pub(crate) async fn begins_with(&self, file: &Path) -> anyhow::Result<usize> {
        let [video, _] = packets(file).await?;
        ensure!(self.packets[0].starts_with(&video), "{} video packets are not the first ones", video.len());
        Ok(video.len())
    }
}

/// That these are the packets of a sound. Those from before the first picture are left out by design: here that is less than three
/// frames of it.
pub(crate) fn sounds_as(sent: &[String], heard: &[String]) -> anyhow::Result<()> {
    let (is, was) = (heard.len(), sent.len());
    // Which of those that were sent each is: silence is none.
    let which = || heard.iter().map(|packet| sent.iter().position(|sent| sent == packet)).collect::<Vec<_>>();
    ensure!(is + 4 >= was && sent.ends_with(heard), "{is} audio packets of {was}: {:?}", which());
    Ok(())
}

pub(crate) async fn frames(file: &Path) -> anyhow::Result<Vec<String>> {
    let mut decode = ffmpeg();
    decode.arg("-i").arg(file).args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    Ok(hashes(&finish(decode).await?))
}

pub(crate) async fn packets(file: &Path) -> anyhow::Result<[Vec<String>; 2]> {
    Ok([copied(file, "0:v:0").await?, copied(file, "0:a:0").await?])
}

/// The hash of each packet of one stream.
pub(crate) async fn copied(file: &Path, stream: &str) -> anyhow::Result<Vec<String>> {
    let mut copy = ffmpeg();
    copy.arg("-i").arg(file).args(["-map", stream, "-c", "copy", "-f", "framemd5", "-"]);
    Ok(hashes(&finish(copy).await?))
}

/// An encoder that sends what it is given, as fast as it is taken.
pub(crate) struct Encoder {
    child: Child,
}

impl Encoder {
    pub(crate) fn start(outputs: &[&str]) -> anyhow::Result<Encoder> {
        Encoder::start_with(&[], outputs)
    }

    /// One whose timestamps are those of what it is given, wherever that begins.
    pub(crate) fn on_time(output: &str) -> anyhow::Result<Encoder> {
        Encoder::start_with(&["-copyts"], &[output])
    }

    fn start_with(options: &[&str], outputs: &[&str]) -> anyhow::Result<Encoder> {
        let mut encoder = ffmpeg();
        encoder.args(options);
        encoder.args(["-analyzeduration", "1M", "-f", "flv", "-i", "pipe:0", "-c", "copy"]);
        match outputs {
            [url] => encoder.args(["-f", "flv", url]),
            urls => {
                let tee: Vec<String> = urls.iter().map(|url| format!("[f=flv:onfail=ignore]{url}")).collect();
                encoder.args(["-map", "0", "-f", "tee", &tee.join("|")])
            }
        };
        let child = encoder.kill_on_drop(true).stdin(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        Ok(Encoder { child })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let input = self.child.stdin.as_mut().context("the encoder's input is closed")?;
        tokio::io::AsyncWriteExt::write_all(input, bytes).await.context("the encoder takes nothing")
    }

    /// The uplink breaks off: the encoder is gone without a word.
    pub(crate) async fn lose(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Ends the stream and waits until everything is sent.
    pub(crate) async fn finish(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let ended =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.context("ffmpeg does not end")??;
        if !ended.success() {
            bail!("the encoder ended with {ended}");
        }
        Ok(())
    }
}
