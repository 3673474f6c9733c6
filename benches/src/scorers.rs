//! How many score events a second are durably accepted: the real origin on the real disk, each scorer on its own channel, one event
//! at a time, as scorers send them. And how long it takes from there to a viewer, by server-sent events of the edge in the same
//! process: what comes on top, before the board is drawn with the next frame, is the network's.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use railbird_core::time::UtcMs;

use crate::client::Client;
use crate::origin::{self, Origin, Plan, SECRET};
use crate::store::Store;
use crate::{Place, clock, figure, session};

/// How many score at once.
const SCORERS: [usize; 3] = [1, 8, 64];

/// How long each of these stages takes.
const STAGE: Duration = Duration::from_secs(5);

/// How many events are followed to a viewer, and how far apart they are.
const FOLLOWED: u64 = 200;
const BETWEEN: Duration = Duration::from_millis(50);

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
    let component = Some(place.component.as_path());
    let plan = Plan { component, channel_lines, ..Plan::new(1, &stores) };
    let origin = Origin::start(&place.railbird, &dir, &plan)?;
    followed(&origin)?;
    drop(origin);
    let _ = fs::remove_dir_all(&dir);
    Ok(())
}

/// From a scorer's put to the news at a viewer.
fn followed(origin: &Origin) -> Result<()> {
    let (edge, channel) = (origin.edge.to_string(), origin::channel(0));
    let mut client = Client::connect(&edge)?;
    session::issue(&mut client)?;
    let cookie = format!("__Host-railbird={}", session::login(&mut client)?);
    let mut scorer = Scorer::new(&origin.api.to_string(), &channel, "followed")?;
    scorer.put()?;
    let path = format!("/live/{channel}/score.events");
    let viewer = thread::spawn(move || -> Result<Vec<(u64, Instant)>> {
        let (mut heard, mut at) = (0, Vec::new());
        while heard < FOLLOWED {
            let asked = format!("{path}?after={heard}");
            let answer = client.ask("GET", &asked, &[("cookie", &cookie)], b"")?;
            ensure!(answer.status == 200 || answer.status == 404, "{asked}: {}", answer.status);
            let text = String::from_utf8_lossy(&answer.body);
            let id = text.lines().find_map(|line| line.strip_prefix("id: ")?.split('-').next());
            if let Some(seq) = id.and_then(|seq| seq.parse().ok()) {
                at.extend((heard + 1..=seq).map(|seq| (seq, Instant::now())));
                heard = seq;
            }
        }
        Ok(at)
    });
    let mut sent = vec![Instant::now()];
    while sent.len() < FOLLOWED as usize {
        thread::sleep(BETWEEN);
        sent.push(Instant::now());
        scorer.put()?;
    }
    let heard = viewer.join().map_err(|_| anyhow::anyhow!("the viewer has ended early"))??;
    let of = |(seq, at): (u64, Instant)| Some(at.duration_since(*sent.get(usize::try_from(seq).ok()? - 1)?));
    let mut took: Vec<Duration> = heard.into_iter().skip(1).filter_map(of).collect();
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
    figure("from a put to a viewer's news", &ms(at(50)), &format!("p50; p99 {}", ms(at(99))));
    Ok(())
}

/// Somebody who scores one match.
pub(crate) struct Scorer {
    client: Client,
    matches: String,
    seq: u64,
}

impl Scorer {
    pub(crate) fn new(api: &str, channel: &str, match_id: &str) -> Result<Scorer> {
        let matches = format!("/v1/channels/{channel}/matches/{match_id}");
        Ok(Scorer { client: Client::connect(api)?, matches, seq: 0 })
    }

    /// Puts the next event: the start, then a point.
    pub(crate) fn put(&mut self) -> Result<()> {
        self.seq += 1;
        let UtcMs(now) = clock::now();
        let action = if self.seq == 1 {
            r#"{"type":"start","title":"Bench","discipline":"points","breaks":0,"sides":[{"name":"A"},{"name":"B"}]}"#
                .to_owned()
        } else {
            format!(r#"{{"type":"points","side":{},"points":1}}"#, self.seq % 2)
        };
        let body = format!(r#"{{"occurred":{now},"action":{action}}}"#);
        let path = format!("{}/events/1/{}", self.matches, self.seq);
        let key = format!("Bearer {SECRET}");
        let answer = self.client.ask("PUT", &path, &[("authorization", &key)], body.as_bytes())?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(())
    }
}

/// Scores one match, and gives how long each put took.
fn score(api: &str, channel: &str, stage: usize, began: Instant) -> Result<Vec<Duration>> {
    let mut scorer = Scorer::new(api, channel, &format!("bench-{stage}"))?;
    let mut took = Vec::new();
    while scorer.seq < EVENTS_MAX && began.elapsed() <= STAGE {
        let sent = Instant::now();
        scorer.put()?;
        took.push(sent.elapsed());
    }
    Ok(took)
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
