//! CPU per gigabyte, from RTMP bytes to encrypted objects on the disk, beside ffmpeg on the same media.
//!
//! Ours does what the origin does with a feed, in one thread and without sockets: RTMP, FLV, timeline, segments, boxes,
//! AES-128, files. ffmpeg reads the same tags from a file, so that it is spared RTMP. It has no encrypted fMP4 ("not yet
//! supported" as of 5.1), so that it is measured twice: MPEG-TS under the same encryption, and fMP4 in clear, beside ours in clear.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use railbird_core::flv::{self, Demux};
use railbird_core::fmp4;
use railbird_core::keys::MasterSecret;
use railbird_core::media::{FeedEvent, Role};
use railbird_core::package;
use railbird_core::programme::{End, Output as Made, Programme, Resume, Settings};
use railbird_core::rtmp::{Output, Server};
use railbird_core::segment::{self, Input, Segmenter};
use railbird_core::time::{MediaTime, Moment};
use railbird_core::timeline::{self, Anchor, Timeline};

use crate::process::{self, Used, median};
use crate::{Place, clock, figure, input, stream};

/// How often each program runs, in turns.
const ROUNDS: usize = 7;

/// How much is read at once: as the origin reads sockets.
const READ_LEN: usize = 64 << 10;

const SEGMENT_MS: u32 = 2000;

pub(crate) fn run(place: &Place) -> Result<()> {
    let flv = input::long(&place.work)?;
    let recorded = recorded(&place.work, &flv)?;
    let gigabytes = fs::metadata(&flv)?.len() as f64 / 1e9;
    let dir = place.work.join("packaged");
    let key_info = input::key_info(&place.work)?;
    let mut runs: [Vec<Used>; 4] = Default::default();
    for _ in 0..ROUNDS {
        let ours = |kind| -> Result<Command> {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["package", kind]).arg(&recorded).arg(&dir);
            Ok(command)
        };
        let mut fmp4 = hls(&flv);
        fmp4.args(["-hls_segment_type", "fmp4", "-hls_segment_filename"]).arg(dir.join("%05d.m4s"));
        fmp4.arg(dir.join("media.m3u8"));
        let mut ts = hls(&flv);
        ts.arg("-hls_key_info_file").arg(&key_info);
        ts.arg("-hls_segment_filename").arg(dir.join("%05d.ts")).arg(dir.join("media.m3u8"));
        let commands = [ours("encrypted")?, ts, ours("clear")?, fmp4];
        for (mut command, runs) in commands.into_iter().zip(&mut runs) {
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir)?;
            runs.push(process::run(&mut command)?);
            let written = size_of(&dir)?;
            ensure!(written as f64 > gigabytes * 0.95e9, "{command:?} wrote only {written} bytes");
        }
    }
    let _ = fs::remove_dir_all(&dir);

    println!("packaging: {gigabytes:.3} GB of 1080p at 8 Mb/s, {ROUNDS} runs each in turns, medians of CPU");
    let per_gb = |runs: &[Used], part: fn(&Used) -> f64| {
        median(runs.iter().map(|used| part(used) / gigabytes).collect())
    };
    let names = [
        "railbird: RTMP to AES-128 fMP4",
        "ffmpeg -c copy: FLV to AES-128 MPEG-TS",
        "railbird: RTMP to clear fMP4",
        "ffmpeg -c copy: FLV to clear fMP4",
    ];
    for (name, runs) in names.iter().zip(&runs) {
        let user = per_gb(runs, |used| used.user.as_secs_f64());
        let system = per_gb(runs, |used| used.system.as_secs_f64());
        let wall = per_gb(runs, |used| used.wall.as_secs_f64());
        let text = format!("user {user:.2}, system {system:.2}; wall {wall:.2}");
        figure(name, &format!("{:.2} s/GB", per_gb(runs, Used::cpu_s)), &text);
    }
    let [encrypted, ts, clear, fmp4] = runs.each_ref().map(|runs| per_gb(runs, Used::cpu_s));
    let ratio = |what, ratio: f64, aim| figure(what, &format!("{ratio:.2}"), aim);
    ratio("railbird / ffmpeg, both AES-128", encrypted / ts, "aim: 0.33 or less");
    ratio("railbird / ffmpeg, both in clear", clear / fmp4, "");
    ratio("railbird with AES-128 / ffmpeg in clear", encrypted / fmp4, "");
    Ok(())
}

fn hls(flv: &Path) -> Command {
    let mut command = input::ffmpeg();
    command.arg("-i").arg(flv);
    command.args(["-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0"]);
    command
}

/// The bytes that an encoder would send of this file, in a file.
fn recorded(work: &Path, flv: &Path) -> Result<PathBuf> {
    let file = work.join("long.rtmp");
    if !file.exists() {
        let partial = work.join("part-long.rtmp");
        let mut out = BufWriter::new(File::create(&partial)?);
        let tags = flv::File::new(Bytes::from(fs::read(flv)?))?;
        stream::record(tags.map(|tag| Ok(tag?)), &mut out)?;
        out.flush()?;
        fs::rename(partial, &file)?;
    }
    Ok(file)
}

fn size_of(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let meta = entry.as_ref().map(fs::DirEntry::metadata);
        let Ok(meta) = meta else { continue };
        let meta = meta?;
        sum += if meta.is_dir() { size_of(&entry?.path())? } else { meta.len() };
    }
    Ok(sum)
}

/// The process that is measured: what the origin does with a feed; with `clear`, without encryption.
pub(crate) fn package(kind: &str, stream: &Path, dir: &Path) -> Result<()> {
    let dir = dir.join("table-1/source");
    fs::create_dir_all(&dir)?;
    match kind {
        "encrypted" => encrypted(stream, &dir),
        "clear" => clear(stream, &dir),
        other => bail!("encrypted or clear, not {other:?}"),
    }
}

/// Reads the stream as the origin reads a socket, and hands over each event of the feed; `None` at its end.
fn read(stream: &Path, mut take: impl FnMut(Option<FeedEvent>) -> Result<()>) -> Result<()> {
    let mut input = File::open(stream).with_context(|| format!("{}", stream.display()))?;
    let mut buffer = vec![0; READ_LEN];
    let (mut server, mut demux) = (Server::new(stream::ENTROPY), Demux::new());
    server.handle(&[], clock::now());
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            return take(None);
        }
        server.handle(&buffer[..length], clock::now());
        while let Some(output) = server.poll() {
            match output {
                Output::Send(_) => {}
                Output::Publish { .. } => server.accept(),
                Output::Media { kind, timestamp_ms, payload } => {
                    demux.handle(kind, timestamp_ms, payload)?;
                    while let Some(event) = demux.poll() {
                        take(Some(event))?;
                    }
                }
                other => bail!("the feed ended: {other:?}"),
            }
        }
    }
}

fn encrypted(stream: &Path, dir: &Path) -> Result<()> {
    let package = package::Settings {
        channel: "table-1".parse()?,
        rendition: "source".parse()?,
        segment_ms: SEGMENT_MS,
        part_ms: None,
        frames: false,
        key_period_s: 3600,
        secret: MasterSecret::new(b"0123456789abcdef")?,
    };
    let now = || {
        let utc = clock::now();
        Moment { utc, up_ms: utc.0 }
    };
    let mut programme = Programme::new(Settings::new(package), Resume::default());
    let publish = programme.begin(Role::Primary, now());
    read(stream, |event| {
        match event {
            Some(event) => programme.handle(publish, event, now()),
            None => programme.end(publish, End::InOrder, now()),
        }
        while let Some(output) = programme.poll() {
            let Made::Object(object) = output else { continue };
            let name = object.name.rsplit('/').next().unwrap_or(&object.name);
            write(&dir.join(name), &object.bytes)?;
        }
        Ok(())
    })
}

/// The same walk without [`package::Packager`], which always encrypts.
fn clear(stream: &Path, dir: &Path) -> Result<()> {
    let mut segmenter = Segmenter::new(SEGMENT_MS);
    let mut timeline: Option<Timeline> = None;
    read(stream, |event| {
        match event {
            Some(FeedEvent::Video(video)) => segmenter.handle(Input::Video(video)),
            Some(FeedEvent::Audio(audio)) => segmenter.handle(Input::Audio(audio)),
            Some(FeedEvent::Frame(frame)) => {
                let now = clock::now();
                let anchor = || Timeline::new(Anchor::from_arrival(&frame, now), MediaTime::default());
                let timeline = match &mut timeline {
                    Some(timeline) => timeline,
                    none => none.insert(anchor()),
                };
                timeline.handle(frame, now);
                while let Some(timeline::Event::Sample(sample)) = timeline.poll() {
                    segmenter.handle(Input::Sample(sample));
                }
            }
            Some(
                FeedEvent::Captured(_)
                | FeedEvent::Splice(_)
                | FeedEvent::Further { .. }
                | FeedEvent::Language { .. },
            ) => {}
            None => segmenter.finish(),
        }
        while let Some(event) = segmenter.poll() {
            let segment::Event::Cut(cut) = event else { continue };
            let mut bytes = Vec::new();
            fmp4::segment(&cut, fmp4::sequence(cut.start), &mut bytes);
            write(&dir.join(format!("{}.m4s", cut.start.0)), &bytes)?;
        }
        Ok(())
    })
}

/// As the origin's spool: a file appears under its name when it is whole.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("part");
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    Ok(fs::rename(&partial, path)?)
}
