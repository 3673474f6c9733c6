//! A score event shows at its picture: a camera films the time as a code, the table is calibrated by it, and viewers' browsers
//! say what the picture shows when the score changes.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use railbird_core::calibration::{Picture, code, find};
use railbird_core::time::UtcMs;
use railbird_origin::clock;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::demo::finish;
use crate::origin::{Origin, Plan, Store, target};
use crate::play::ffmpeg;
use crate::viewers::Edge;

const KEY: &str = "the-score-key-of-t";

/// The camera's picture, and where in it the code's white sheet begins; in pixels.
pub(crate) const SIZE: [usize; 2] = [640, 360];
const SHEET: [usize; 2] = [176, 48];
const CELL: usize = 24;

/// From picture to picture, in milliseconds.
pub(crate) const PICTURE_MS: u64 = 40;

/// By how much the camera is late before it sends anything, in milliseconds.
const LATE_MS: u64 = 480;

/// A camera at a table, and its encoder: each picture shows the time at which it was taken.
struct Camera {
    _encoder: Child,
    _films: JoinSet<()>,
}

impl Camera {
    fn start(url: &str) -> anyhow::Result<Camera> {
        let size = format!("{}x{}", SIZE[0], SIZE[1]);
        let mut encode = ffmpeg();
        encode.args(["-re", "-f", "rawvideo", "-pix_fmt", "gray", "-video_size", &size, "-framerate", "25"]);
        encode.args(["-i", "pipe:0", "-f", "lavfi", "-i", "anullsrc=sample_rate=44100:channel_layout=mono"]);
        encode.args(["-c:v", "libx264", "-preset", "veryfast", "-rc-lookahead", "5", "-pix_fmt", "yuv420p"]);
        encode.args(["-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-bf", "2"]);
        encode.args(["-c:a", "aac", "-b:a", "64k", "-f", "flv", url]);
        let mut encoder = encode.stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut input = encoder.stdin.take().context("stdin")?;
        let began = UtcMs((clock::now().0 - LATE_MS) / PICTURE_MS * PICTURE_MS);
        let mut films = JoinSet::new();
        // The encoder takes the pictures at their pace.
        films.spawn(async move {
            for n in 0.. {
                let picture = picture(code::tick(began.plus_ms(n * PICTURE_MS)));
                if input.write_all(&picture).await.is_err() {
                    return;
                }
            }
        });
        Ok(Camera { _encoder: encoder, _films: films })
    }
}

/// The camera's picture while that is shown; a byte of grey a pixel.
pub(crate) fn picture(tick: u32) -> Vec<u8> {
    let [width, height] = SIZE;
    let mut levels = vec![90; width * height];
    let mut fill = |[left, top]: [usize; 2], cells: [usize; 2], level: u8| {
        for line in levels.chunks_exact_mut(width).skip(top).take(cells[1] * CELL) {
            line[left..left + cells[0] * CELL].fill(level);
        }
    };
    fill(SHEET, [code::COLUMNS, code::ROWS].map(|cells| cells + 2 * code::QUIET), 235);
    for (y, row) in code::cells(tick).iter().enumerate() {
        for (x, _) in row.iter().enumerate().filter(|(_, dark)| **dark) {
            let [left, top] = SHEET;
            fill([left + (x + code::QUIET) * CELL, top + (y + code::QUIET) * CELL], [1, 1], 16);
        }
    }
    levels
}

/// The tick that is shown in a picture of the calibration's page.
async fn read(shot: &Path) -> anyhow::Result<Option<u32>> {
    let mut probe = tokio::process::Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "stream=width", "-of", "csv=p=0"]).arg(shot);
    let width: usize = finish(probe).await?.trim().parse()?;
    let grey = shot.with_extension("grey");
    let mut decode = ffmpeg();
    decode.arg("-y").arg("-i").arg(shot).args(["-f", "rawvideo", "-pix_fmt", "gray"]).arg(&grey);
    finish(decode).await?;
    let levels = std::fs::read(grey)?;
    Ok(find(&Picture::new(width, &levels).context("no picture")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_event_shows_at_its_picture_once_the_table_is_calibrated() -> anyhow::Result<()> {
    let (edge, store) = (Edge::start().await?, Store::start().await?);
    let (targets, edges) = ([target("a", &store.url(), &store.url(), "")], edge.told());
    let (more, files) = ("[score]\noffsets_ms = { ann = -1200 }\n", [("score-key", KEY)]);
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more, files: &files };
    let origin = Origin::start_with(&plan, "score_key = { file = \"score-key\" }\n").await?;
    let _camera = Camera::start(&origin.primary())?;
    edge.playlist(&edge.token().await?, "a", 8.0).await.with_context(|| origin.log())?;

    let measured = origin.crew(&["calibrate", "--channel", "t"]).await?;
    let standing = origin.get("/v1/channels/t/delay").await?;
    let late_ms = standing["measured"]["delay_ms"].as_i64().with_context(|| measured.clone())?;
    ensure!(late_ms >= LATE_MS.cast_signed() - 20, "{standing}");
    ensure!(standing["delay_ms"] == 0 && standing["skew_ms"] == late_ms, "nothing is applied: {standing}");
    let applied = origin.crew(&["calibrate", "--channel", "t", "--apply"]).await?;
    let standing = origin.get("/v1/channels/t/delay").await?;
    ensure!(standing["delay_ms"] == standing["measured"]["delay_ms"], "{applied}{standing}");
    let again = origin.crew(&["calibrate", "--channel", "t"]).await?;
    ensure!(again.contains("nothing needs to be done"), "{again}");

    let shot = edge.shots().join("calibrate.png");
    let viewers = edge.browser("frames.mjs", &[&origin.api, KEY, &shot.to_string_lossy()])?;
    let said = viewers.content().await.with_context(|| origin.log())?;
    let saw: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    println!("{measured}{saw}");

    // The page shows the origin's time, as cameras are read.
    let tick = read(&shot).await?.context("the page's code can't be read")?;
    let [from, to] = ["from", "to"].map(|key| saw["page"][key].as_u64());
    let (from, to) = from.zip(to).with_context(|| said.clone())?;
    let shown = code::shown(tick, UtcMs(from).media()).0;
    let off = code::TICK_MS + saw["page"]["off_ms"].as_u64().with_context(|| said.clone())?;
    ensure!((from - off..=to + off).contains(&shown), "{shown} is shown between {from} and {to}, ± {off}");
    Ok(())
}
