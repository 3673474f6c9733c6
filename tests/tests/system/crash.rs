//! An origin that is killed at any instant, under load, with a real S3 server behind it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_core::id::ChannelId;
use railbird_core::recording::Kind;
use railbird_core::state::Phase;
use railbird_origin::config::Secret;
use railbird_origin::journal;
use railbird_origin::store::server::{Credentials, NodeServer};
use railbird_tests::rig::{Clip, Encoder, Garage, Listed, Plan, Random, Sink, Target, until};
use tokio::sync::watch;

use crate::demo::railbird;

/// How often the origin is killed.
const KILLS: u32 = 50;

/// From the start of a life to its end, in milliseconds: from before anything listens to well within the work. In every second life
/// it is from when it runs on.
const LIFE_MS: (u64, u64) = (20, 1_800);

/// What each channel's encoder sends again after an interruption, in milliseconds: more than any interruption lasts, a
/// part, nothing.
const KEPT_MS: [u64; 3] = [10_000, 1_000, 0];

/// An S3 server of ours, and its bucket as a target.
pub(crate) async fn node(id: &str, dir: &Path) -> anyhow::Result<(NodeServer, Target)> {
    let (access, secret) = ("node-access-key", "node-secret-key");
    let credentials = Credentials { access_key: Secret::new(access), secret_key: Secret::new(secret) };
    let listen: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let server = NodeServer::start(listen, dir, &["live"], &credentials).await?;
    let target = Target {
        id: id.into(),
        endpoint: format!("http://{}", server.addr()),
        region: "us-east-1".into(),
        bucket: "live".into(),
        access_key: access.into(),
        secret_key: secret.into(),
    };
    Ok((server, target))
}

/// The seed of a test: `RAILBIRD_SEED`, else another one each time.
pub(crate) fn seed() -> anyhow::Result<u64> {
    match std::env::var("RAILBIRD_SEED") {
        Ok(text) => Ok(text.parse().context("RAILBIRD_SEED")?),
        Err(_) => {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok(u64::from_le_bytes(bytes))
        }
    }
}

pub(crate) fn channel(n: usize) -> anyhow::Result<ChannelId> {
    Ok(format!("t{n}").parse()?)
}

/// The program that `cargo xtask` or cargo built.
pub(crate) fn program() -> anyhow::Result<std::path::PathBuf> {
    Ok(railbird()?.as_std().get_program().into())
}

/// Everything that was ever listed is in the journal and on the disk; gives how much that is.
pub(crate) fn listed_is_kept(plan: &Plan, sink: &Sink, channel: &ChannelId) -> anyhow::Result<usize> {
    let recording = sink.look(|ledger| ledger.recording(channel)).context("no recording was told")?;
    let names = journal::recordings(&plan.data_dir, channel)?;
    ensure!(names == [recording.clone()], "{channel}: one recording goes on: {names:?}");
    let journal = journal::read(&journal::path(&plan.data_dir, channel, &recording))?;
    ensure!(!journal.damaged, "{channel}: the journal is damaged");
    let objects = journal.reel.objects().iter().filter(|object| object.sha256.is_some());
    let kept: BTreeSet<String> = objects.map(|object| journal.reel.name(object)).collect();
    let segments: Vec<String> = journal
        .reel
        .objects()
        .iter()
        .filter(|object| matches!(object.kind, Kind::Segment(_)))
        .map(|object| journal.reel.name(object))
        .collect();
    let different: BTreeSet<&String> = segments.iter().collect();
    ensure!(different.len() == segments.len(), "{channel}: a segment is recorded twice");
    let listed = sink.look(|ledger| ledger.listed(channel));
    for (msn, Listed { name, init, gap, .. }) in &listed {
        ensure!(!gap, "{channel}: {msn} is a gap, and nothing failed");
        for name in [name, init] {
            ensure!(kept.contains(name), "{channel}: {name} was listed at {msn} and is not in the journal");
            let file = journal::objects_dir(&plan.data_dir).join(name);
            ensure!(file.exists(), "{channel}: {name} was listed at {msn} and is not on the disk");
        }
    }
    Ok(listed.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_instant_it_goes_on() {
    let seed = seed().unwrap();
    if let Err(error) = killed(seed).await {
        panic!("RAILBIRD_SEED={seed}: {error:?}");
    }
}

async fn killed(seed: u64) -> anyhow::Result<()> {
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir()?;
    let garage = Garage::start(&Garage::program()?, &dir.path().join("garage")).await?;
    let (_server, node) = node("n", &dir.path().join("node")).await?;
    let targets = [garage.target("g", &format!("http://{}", garage.address)), node];
    let sink = Sink::start().await?;
    let plan = Plan::write(&program()?, dir.path(), KEPT_MS.len(), &targets, sink.address)?;
    let clip = Clip::make(dir.path()).await?;
    let (address, origin_at) = watch::channel(None);
    let encoder =
        |(n, kept_ms): (usize, &u64)| Encoder::start(&clip, &Plan::key(n), origin_at.clone(), *kept_ms);
    let encoders: Vec<Encoder> = KEPT_MS.iter().enumerate().map(encoder).collect();

    for kill in 0..KILLS {
        let origin = plan.start()?;
        origin.announce(&address);
        // However slow this machine is, some lives get to the work.
        if kill % 2 == 1 {
            origin.ready().await.with_context(|| format!("life {kill}"))?;
        }
        // Not a wait for anything: the instant of the kill.
        tokio::time::sleep(Duration::from_millis(random.within(LIFE_MS.0, LIFE_MS.1))).await;
        address.send_replace(None);
        origin.kill().await.with_context(|| format!("life {kill}"))?;
        let complaints = sink.look(|ledger| ledger.complaints().to_vec());
        ensure!(complaints.is_empty(), "after kill {kill}: {complaints:#?}");
    }

    let origin = plan.start()?;
    origin.announce(&address);
    for n in 0..KEPT_MS.len() {
        let (id, before) = (channel(n)?, sink.look(|ledger| ledger.listed(&channel(n).unwrap()).len()));
        until("the last life lists further segments", async || {
            let (phase, listed) = sink.look(|ledger| (ledger.phase(&id), ledger.listed(&id).len()));
            Ok((phase == Some(Phase::Live) && listed >= before + 4).then_some(()))
        })
        .await
        .with_context(|| origin.log())?;
    }
    for encoder in encoders {
        encoder.stop().await?;
    }
    plan.verify_complete().await.with_context(|| origin.log())?;
    let (ended, log) = origin.terminate().await?;
    ensure!(ended.success(), "{ended}:\n{log}");

    let recordings = plan.verify().await?;
    ensure!(recordings.len() == KEPT_MS.len(), "{recordings:?}");
    ensure!(recordings.iter().all(|recording| recording.is_everywhere()), "{recordings:?}");
    // What the encoder sends again is recorded: over all kills, not a frame is missing.
    let whole = recordings.first().context("no recording")?;
    ensure!(whole.channel == "t0" && whole.gaps.is_empty(), "{whole:?}");
    let complaints = sink.look(|ledger| ledger.complaints().to_vec());
    ensure!(complaints.is_empty(), "{complaints:#?}");
    for n in 0..KEPT_MS.len() {
        let listed = listed_is_kept(&plan, &sink, &channel(n)?)?;
        println!("{}: {listed} segments over {KILLS} kills", channel(n)?);
    }
    Ok(())
}
