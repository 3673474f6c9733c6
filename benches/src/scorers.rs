//! How many score events a second are durably accepted: the real origin on the real disk, each scorer on its own channel, one event
//! at a time, as scorers send them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use railbird_core::time::UtcMs;

use crate::client::Client;
use crate::origin::{self, Origin, Plan, SECRET};
use crate::store::Store;
use crate::{Place, clock, figure};

/// How many score at once.
const SCORERS: [usize; 3] = [1, 8, 64];

/// How long each of these stages takes.
const STAGE: Duration = Duration::from_secs(5);

/// A match has no more events.
const EVENTS_MAX: u64 = 9_000;

pub(crate) fn run(place: &Place) -> Result<()> {
    let dir = place.work.join("scorers");
    let stores = [Store::start()?];
    let channels = SCORERS.into_iter().max().unwrap_or(1);
    let channel_lines = "score_key = { env = \"BENCH_SECRET\" }";
    let plan = Plan { channel_lines, ..Plan::new(channels, &stores) };
    let origin = Origin::start(&place.railbird, &dir, &plan)?;
    println!("scorers: events on the disk before each answer; a scorer sends its next one then");
    for scorers in SCORERS {
        let began = Instant::now();
        let work: Vec<_> = (0..scorers)
            .map(|n| {
                let (api, channel) = (origin.api.to_string(), origin::channel(n));
                thread::spawn(move || score(&api, &channel, scorers, began))
            })
            .collect();
        let mut took = Vec::new();
        for scorer in work {
            let times = scorer.join().map_err(|_| anyhow::anyhow!("a scorer has ended early"))?;
            took.extend(times?);
        }
        let rate = took.len() as f64 / began.elapsed().as_secs_f64();
        took.sort_unstable();
        let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
        let text = format!("a put: p50 {}, p99 {}", ms(at(50)), ms(at(99)));
        figure(&format!("{scorers} at once"), &format!("{rate:.0} events/s"), &text);
    }
    drop(origin);
    let _ = fs::remove_dir_all(&dir);
    Ok(())
}

/// Scores one match, and gives how long each put took.
fn score(api: &str, channel: &str, stage: usize, began: Instant) -> Result<Vec<Duration>> {
    let mut client = Client::connect(api)?;
    let key = format!("Bearer {SECRET}");
    let mut took = Vec::new();
    for seq in 1..=EVENTS_MAX {
        if began.elapsed() > STAGE {
            break;
        }
        let UtcMs(now) = clock::now();
        let action = if seq == 1 {
            r#"{"type":"start","title":"Bench","discipline":"points","breaks":0,"sides":[{"name":"A"},{"name":"B"}]}"#
                .to_owned()
        } else {
            format!(r#"{{"type":"points","side":{},"points":1}}"#, seq % 2)
        };
        let body = format!(r#"{{"occurred":{now},"action":{action}}}"#);
        let path = format!("/v1/channels/{channel}/matches/bench-{stage}/events/1/{seq}");
        let sent = Instant::now();
        let answer = client.ask("PUT", &path, &[("authorization", &key)], body.as_bytes())?;
        took.push(sent.elapsed());
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    Ok(took)
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
