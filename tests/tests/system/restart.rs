//! Restarts and starvation other than by SIGKILL: what a disk, a descriptor table or a dead target do to an origin, and
//! that it needs nobody to recover.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use railbird_core::lint::rules;
use railbird_core::state::Phase;
use railbird_tests::fault::{Fault, Plan as Failing, Proxy};
use railbird_tests::rig::{Clip, Encoder, Origin, Plan, Sink, until};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::watch;

use crate::crash::{channel, listed_is_kept, node, program};
use crate::demo::{client, finish};
use crate::wall_clock::WallClock;

/// A channel with an encoder that loses nothing, and two targets, the second behind a proxy.
struct Rig {
    dir: TempDir,
    sink: Sink,
    plan: Plan,
    proxy: Proxy,
    encoder: Encoder,
    address: watch::Sender<Option<SocketAddr>>,
    _nodes: [railbird_origin::store::server::NodeServer; 2],
}

impl Rig {
    async fn new() -> anyhow::Result<Rig> {
        let dir = tempfile::tempdir()?;
        let (one, a) = node("a", &dir.path().join("a")).await?;
        let (two, mut b) = node("b", &dir.path().join("b")).await?;
        let proxy = Proxy::start(two.addr(), 1).await?;
        b.endpoint = proxy.url();
        let sink = Sink::start().await?;
        let plan = Plan::write(&program()?, dir.path(), 1, &[a, b], sink.address)?;
        let clip = Clip::make(dir.path()).await?;
        let (address, origin_at) = watch::channel(None);
        let encoder = Encoder::start(&clip, &Plan::key(0), origin_at, 10_000);
        Ok(Rig { dir, sink, plan, proxy, encoder, address, _nodes: [one, two] })
    }

    /// Waits until so many further segments are listed that are no gaps.
    async fn lists(&self, origin: &Origin, more: usize) -> anyhow::Result<()> {
        let id = channel(0)?;
        let count = || self.sink.look(|ledger| ledger.listed(&id).values().filter(|one| !one.gap).count());
        let wanted = count() + more;
        let listed =
            until("further segments are listed", async || Ok((count() >= wanted).then_some(()))).await;
        listed.with_context(|| origin.log())
    }

    fn sound(&self) -> anyhow::Result<()> {
        let complaints = self.sink.look(|ledger| ledger.complaints().to_vec());
        ensure!(complaints.is_empty(), "{complaints:#?}");
        Ok(())
    }
}

/// What `/healthz` says of a kind of part.
async fn unwell(api: SocketAddr, part: &str) -> anyhow::Result<Vec<String>> {
    let body: Value = client()?.get(format!("http://{api}/healthz")).send().await?.json().await?;
    let reasons = body["reasons"].as_array().cloned().unwrap_or_default();
    let of_part = reasons.iter().filter(|reason| reason["part"] == part);
    Ok(of_part.map(|reason| reason["reason"].to_string()).collect())
}

/// Whether the metrics say that there is an alarm of the disk.
async fn alarmed(api: SocketAddr) -> anyhow::Result<bool> {
    let text = client()?.get(format!("http://{api}/metrics")).send().await?.text().await?;
    let line = text.lines().find_map(|line| line.strip_prefix("railbird_disk_alarm "));
    Ok(line.context("no such figure")?.trim() == "1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_dead_target() {
    let rig = Rig::new().await.unwrap();
    let origin = rig.plan.start().unwrap();
    origin.announce(&rig.address);
    rig.lists(&origin, 2).await.unwrap();
    rig.proxy.set(Some(Failing::always(Fault::BlackHole))).await.unwrap();
    rig.lists(&origin, 4).await.unwrap();
    rig.address.send_replace(None);
    // It ends, although the target never answers, and says what it leaves.
    let (ended, log) = origin.terminate().await.unwrap();
    assert!(ended.success(), "{ended}:\n{log}");
    assert!(log.contains("they get them at the next start"), "{log}");
    let verified = rig.plan.verify_disk().await.unwrap();
    assert!(verified > 6, "{verified}");

    rig.proxy.set(None).await.unwrap();
    let origin = rig.plan.start().unwrap();
    let recordings = rig.plan.verify_complete().await.unwrap();
    assert!(recordings[0].objects >= 6, "{recordings:?}");
    let (ended, log) = origin.terminate().await.unwrap();
    assert!(ended.success() && !log.contains("next start"), "{ended}:\n{log}");
    listed_is_kept(&rig.plan, &rig.sink, &channel(0).unwrap()).unwrap();
    rig.sound().unwrap();
}

/// A log that nobody reads is the world, too: standard error is a full pipe, and every stranger at the door is a line of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_1_a_feed_goes_on_while_nobody_reads_the_log() {
    let rig = Rig::new().await.unwrap();
    let origin = rig.plan.start().unwrap();
    origin.announce(&rig.address);
    let (rtmp, api) = origin.ready().await.unwrap();
    rig.lists(&origin, 2).await.unwrap();
    origin.leave_log();
    // Far more lines than a pipe holds.
    for _ in 0..3_000 {
        drop(TcpStream::connect(rtmp).await.unwrap());
    }
    rig.lists(&origin, 6).await.unwrap();
    assert!(unwell(api, "disk").await.unwrap().is_empty());
    // Nor does the end wait for somebody who reads.
    let (ended, _) = origin.terminate().await.unwrap();
    assert!(ended.success(), "{ended}");
    rig.sound().unwrap();
}

/// A small disk of its own for the data; unmounted when dropped. Where this process may not mount, there is none.
struct SmallDisk(PathBuf);

impl SmallDisk {
    async fn mount(at: &Path, size: &str) -> anyhow::Result<Option<SmallDisk>> {
        std::fs::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o"]).arg(format!("size={size}")).arg("tmpfs").arg(at);
        let mounted = mount.output().await.is_ok_and(|output| output.status.success());
        Ok(mounted.then(|| SmallDisk(at.to_path_buf())))
    }

    async fn remount(&self, mode: &str) -> anyhow::Result<()> {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{mode}")]).arg(&self.0);
        finish(mount).await.map(drop)
    }

    /// Writes until there is no room left; the file that did it.
    fn fill(&self) -> anyhow::Result<PathBuf> {
        let path = self.0.join("something else");
        let mut file = File::create(&path)?;
        for len in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; len]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: it is gone once nobody has a file open there.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_makes_gaps_and_one_alarm_and_needs_nobody() {
    let rig = Rig::new().await.unwrap();
    let Some(disk) = SmallDisk::mount(&rig.plan.data_dir, "64m").await.unwrap() else {
        println!("not tested: this process may not mount a small disk");
        return;
    };
    let origin = rig.plan.start().unwrap();
    origin.announce(&rig.address);
    rig.lists(&origin, 4).await.unwrap();
    let (_, api) = origin.ready().await.unwrap();
    assert_eq!(unwell(api, "disk").await.unwrap(), [""; 0]);
    assert!(!alarmed(api).await.unwrap());

    let filler = disk.fill().unwrap();
    let id = channel(0).unwrap();
    let alarm = until("there is an alarm", async || Ok(unwell(api, "disk").await?.pop())).await.unwrap();
    assert!(alarm.contains("data_dir"), "{alarm}");
    let gaps = || rig.sink.look(|ledger| ledger.listed(&id).values().filter(|one| one.gap).count());
    until("gaps are listed, or nothing is", async || {
        Ok(origin.log().contains("data_dir can't be written").then_some(()))
    })
    .await
    .unwrap();
    // The encoder stays: the venue never waits for the disk.
    assert_eq!(rig.sink.look(|ledger| ledger.phase(&id)), Some(Phase::Live));
    assert_eq!(unwell(api, "disk").await.unwrap().len(), 1);
    until("the metrics say so", async || Ok(alarmed(api).await?.then_some(()))).await.unwrap();

    std::fs::remove_file(filler).unwrap();
    rig.lists(&origin, 4).await.unwrap();
    until("the alarm ends", async || Ok(unwell(api, "disk").await?.is_empty().then_some(()))).await.unwrap();
    until("the metrics say so", async || Ok((!alarmed(api).await?).then_some(()))).await.unwrap();
    let failures = origin.log().matches("data_dir can't be written").count();
    println!("{} gaps, {failures} alarm(s)", gaps());
    assert_eq!(failures, 1, "{}", origin.log());
    rig.address.send_replace(None);
    rig.encoder.stop().await.unwrap();
    rig.plan.verify_complete().await.unwrap();
    let (ended, log) = origin.terminate().await.unwrap();
    assert!(ended.success(), "{ended}:\n{log}");
    let complaints = rig.sink.look(|ledger| ledger.complaints().to_vec());
    assert_eq!(complaints, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_disk_is_said_and_recovered_from() {
    let rig = Rig::new().await.unwrap();
    let Some(disk) = SmallDisk::mount(&rig.plan.data_dir, "64m").await.unwrap() else {
        println!("not tested: this process may not mount a small disk");
        return;
    };
    disk.remount("ro").await.unwrap();
    let mut origin = rig.plan.start().unwrap();
    let (ended, log) = origin.ended().await.unwrap();
    assert!(!ended.success(), "{log}");
    assert!(log.contains("origin.data_dir") && log.contains("can't be used"), "{log}");
    assert!(log.contains("Read-only file system"), "{log}");

    disk.remount("rw").await.unwrap();
    let origin = rig.plan.start().unwrap();
    origin.announce(&rig.address);
    rig.lists(&origin, 4).await.unwrap();
    let (_, api) = origin.ready().await.unwrap();
    // What is open for writing keeps a file system from becoming read-only, as long as it is not forced: the objects'
    // directory is made unwritable instead.
    let objects = rig.plan.data_dir.join("objects");
    let mut bind = Command::new("mount");
    bind.arg("--bind").arg(&objects).arg(&objects);
    finish(bind).await.unwrap();
    let bound = SmallDisk(objects);
    bound.remount("bind,ro").await.unwrap();
    let alarm = until("there is an alarm", async || Ok(unwell(api, "disk").await?.pop())).await.unwrap();
    assert!(alarm.contains("data_dir can't be written"), "{alarm}");
    bound.remount("bind,rw").await.unwrap();
    rig.lists(&origin, 4).await.unwrap();
    until("the alarm ends", async || Ok(unwell(api, "disk").await?.is_empty().then_some(()))).await.unwrap();
    drop(bound);
    rig.encoder.stop().await.unwrap();
    rig.plan.verify_complete().await.unwrap();
    let (ended, log) = origin.terminate().await.unwrap();
    assert!(ended.success(), "{ended}:\n{log}");
    assert_eq!(log.matches("data_dir can't be written, ").count(), 1, "{log}");
    assert!(rig.dir.path().exists());
    let complaints = rig.sink.look(|ledger| ledger.complaints().to_vec());
    assert_eq!(complaints, [""; 0]);
}

/// The clock of all lives that this plan starts.
fn clock_of(plan: &mut Plan) -> anyhow::Result<WallClock> {
    let clock = WallClock::at(&plan.dir)?;
    let set = clock.variables().map(|(name, value)| format!(" {name}='{value}'")).concat();
    plan.before = Some(format!("export{set}"));
    Ok(clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_by_an_hour_stops_nothing() {
    let mut rig = Rig::new().await.unwrap();
    let clock = clock_of(&mut rig.plan).unwrap();
    let origin = rig.plan.start().unwrap();
    origin.announce(&rig.address);
    rig.lists(&origin, 4).await.unwrap();
    let id = channel(0).unwrap();
    // A time of day that comes twice says nothing of where two playlists are alike.
    rig.sink.look(|ledger| ledger.expect(&[&rules::RENDITION_DISCONTINUITY]));
    for offset in ["+1h", "-1h", "+0"] {
        clock.set_off_by(offset).unwrap();
        rig.lists(&origin, 6).await.unwrap();
        assert_eq!(rig.sink.look(|ledger| ledger.phase(&id)), Some(Phase::Live), "{offset}");
    }
    let listed = rig.sink.look(|ledger| ledger.listed(&id));
    let torn = listed.values().skip(1).filter(|segment| segment.discontinuity || segment.gap).count();
    assert_eq!(torn, 0, "media time is the feed's: {listed:?}");
    assert_eq!(origin.log().matches("feed began").count(), 1, "{}", origin.log());

    // A machine that comes up with a wrong clock; and one whose clock was set right, or wrong, while nothing ran.
    let (ended, log) = origin.terminate().await.unwrap();
    assert!(ended.success(), "{ended}:\n{log}");
    for offset in ["-1h", "+1h", "+0"] {
        clock.set_off_by(offset).unwrap();
        let origin = rig.plan.start().unwrap();
        origin.announce(&rig.address);
        rig.lists(&origin, 6).await.unwrap();
        rig.address.send_replace(None);
        origin.kill().await.unwrap();
        rig.sound().unwrap();
    }
    let origin = rig.plan.start().unwrap();
    rig.encoder.stop().await.unwrap();
    let recordings = rig.plan.verify_complete().await.unwrap();
    assert_eq!(recordings.len(), 1, "{recordings:?}");
    let (ended, log) = origin.terminate().await.unwrap();
    assert!(ended.success(), "{ended}:\n{log}");
    listed_is_kept(&rig.plan, &rig.sink, &id).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_file_descriptors_it_goes_on() {
    let mut rig = Rig::new().await.unwrap();
    rig.plan.before = Some("ulimit -n 96".to_string());
    let origin = rig.plan.start().unwrap();
    origin.announce(&rig.address);
    rig.lists(&origin, 4).await.unwrap();
    let (rtmp, _) = origin.ready().await.unwrap();

    let mut strangers = Vec::new();
    until("the origin is out of file descriptors", async || {
        strangers.push(TcpStream::connect(rtmp).await?);
        Ok(origin.log().contains("raise the limit of open files").then_some(()))
    })
    .await
    .unwrap();
    until("the disk refuses", async || Ok(origin.log().contains("data_dir can't be written").then_some(())))
        .await
        .unwrap();
    drop(strangers);
    // The feed goes on, and so does everything else.
    rig.lists(&origin, 6).await.unwrap();
    rig.address.send_replace(None);
    rig.encoder.stop().await.unwrap();
    rig.plan.verify_complete().await.unwrap();
    let (ended, log) = origin.terminate().await.unwrap();
    assert!(ended.success(), "{ended}:\n{log}");
    assert_eq!(log.matches("raise the limit of open files").count(), 1, "{log}");
    let complaints = rig.sink.look(|ledger| ledger.complaints().to_vec());
    assert_eq!(complaints, [""; 0]);
}
