//! What is too old goes, here and at the targets; what a channel that is live needs stays.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, ensure};
use railbird_core::id::RecordingId;
use railbird_core::recording::Kind;
use railbird_origin::journal::{self, Summary};
use railbird_tests::rig::{Clip, Encoder, Origin, Plan, Sink, until};
use tokio::sync::watch;

use crate::crash::{channel, node, program};
use crate::origin::objects;

const DAY_MS: u64 = 86_400_000;

/// The names of a recording's segments, and of the init segments that they need.
fn names(plan: &Plan, recording: &RecordingId) -> anyhow::Result<[BTreeSet<String>; 2]> {
    let reel = journal::read(&journal::path(&plan.data_dir, &channel(0)?, recording))?.reel;
    let is_init = |object: &&railbird_core::recording::Object| matches!(object.kind, Kind::Init(_));
    let (inits, segments): (Vec<_>, Vec<_>) = reel.objects().iter().partition(is_init);
    Ok([segments, inits].map(|some| some.into_iter().map(|object| reel.name(object)).collect()))
}

fn recordings(plan: &Plan) -> anyhow::Result<Vec<RecordingId>> {
    Ok(journal::recordings(&plan.data_dir, &channel(0)?)?)
}

async fn lists(sink: &Sink, origin: &Origin, more: usize) -> anyhow::Result<()> {
    let id = channel(0)?;
    let count = || sink.look(|ledger| ledger.listed(&id).values().filter(|one| !one.gap).count());
    let wanted = count() + more;
    let listed = until("further segments are listed", async || Ok((count() >= wanted).then_some(()))).await;
    listed.with_context(|| origin.log())
}

async fn stop(origin: Origin) -> anyhow::Result<()> {
    let (ended, log) = origin.terminate().await?;
    ensure!(ended.success(), "{ended}:\n{log}");
    Ok(())
}

/// Another start of the origin, with these settings of recordings.
fn configure(plan: &Plan, text: &str, recording: &str) -> anyhow::Result<()> {
    Ok(fs::write(plan.dir.join("railbird.toml"), format!("{text}\n[recording]\n{recording}\n"))?)
}

/// The one file below `leaving/`, which is named by when its recording was deleted here.
fn leaving(plan: &Plan) -> anyhow::Result<Vec<String>> {
    let Ok(files) = fs::read_dir(plan.data_dir.join("leaving")) else { return Ok(Vec::new()) };
    files.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect()
}

/// What the origin keeps is made as old as it would be: its end by more than `recording.keep_days`, then its deletion by a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_deleted_at_the_target_a_day_later_and_what_is_live_stays() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (_server, target) = node("a", &dir.path().join("a")).await?;
    let bucket = dir.path().join("a/live");
    let at_target = || -> anyhow::Result<BTreeSet<String>> { Ok(objects(&bucket)?.into_keys().collect()) };
    let sink = Sink::start().await?;
    let plan = Plan::write(&program()?, dir.path(), 1, &[target], sink.address)?;
    let text = fs::read_to_string(plan.dir.join("railbird.toml"))?;
    let (clip, id) = (Clip::make(dir.path()).await?, channel(0)?);
    let (address, origin_at) = watch::channel(None);

    // A recording that ends.
    configure(&plan, &text, "end_after_s = 1\nkeep_days = 30")?;
    let origin = plan.start()?;
    origin.announce(&address);
    let encoder = Encoder::start(&clip, &Plan::key(0), origin_at.clone(), 0);
    lists(&sink, &origin, 4).await?;
    encoder.stop().await?;
    origin.logged("the recording has ended").await?;
    let old = recordings(&plan)?.pop().context("there is a recording")?;
    plan.verify_complete().await?;
    address.send_replace(None);
    stop(origin).await?;
    let [segments, inits] = names(&plan, &old)?;
    ensure!(segments.len() >= 4 && inits.len() == 1, "{segments:?} {inits:?}");
    let mut summary = Summary::read(&plan.data_dir, &id, &old).context("it has a summary")?;
    summary.ended.0 -= 31 * DAY_MS;
    summary.write(&plan.data_dir, &id)?;

    // Another one is live when the first is deleted here.
    configure(&plan, &text, "end_after_s = 0\nkeep_days = 30")?;
    let origin = plan.start()?;
    origin.announce(&address);
    let encoder = Encoder::start(&clip, &Plan::key(0), origin_at, 0);
    origin.logged("a recording is deleted: it is older than recording.keep_days").await?;
    lists(&sink, &origin, 4).await?;
    let live = recordings(&plan)?;
    ensure!(live.len() == 1 && live[0] != old, "{live:?}");
    let here: BTreeSet<String> = objects(&plan.data_dir.join("objects"))?.into_keys().collect();
    ensure!(here.is_disjoint(&segments) && here.is_superset(&inits), "{here:?}");
    ensure!(at_target()?.is_superset(&segments), "somebody may still be watching it");
    address.send_replace(None);
    stop(origin).await?;
    let [kept, needed] = names(&plan, &live[0])?;
    ensure!(needed == inits, "both need the same init segment");
    let left = leaving(&plan)?;
    let [file] = &left[..] else { anyhow::bail!("{left:?}") };
    let (since, rest) = file.split_once('.').context("when, and what")?;
    let earlier = format!("{:013}.{rest}", since.parse::<u64>()? - DAY_MS);
    let path = |name: &str| plan.data_dir.join("leaving").join(name);
    fs::rename(path(file), path(&earlier))?;

    let origin = plan.start()?;
    origin.announce(&address);
    origin.logged("a recording that is too old is deleted at this target").await?;
    until("its journal goes, too", async || Ok(leaving(&plan)?.is_empty().then_some(()))).await?;
    lists(&sink, &origin, 4).await?;
    address.send_replace(None);
    encoder.stop().await?;
    let there = at_target()?;
    ensure!(there.is_disjoint(&segments), "{there:?}");
    ensure!(there.is_superset(&kept) && there.is_superset(&inits), "{there:?}");
    let verified = plan.verify_complete().await?;
    ensure!(verified.len() == 1 && verified[0].objects > kept.len() as u64, "{verified:?}");
    let complaints = sink.look(|ledger| ledger.complaints().to_vec());
    ensure!(complaints.is_empty(), "{complaints:#?}");
    stop(origin).await
}
