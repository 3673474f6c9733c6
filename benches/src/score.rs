//! What the score costs a viewer, by what carries it: bytes of bodies in an hour of a match, without headers and as they are
//! before a host compresses them.
//!
//! The match is Nelin–Cho 2019, 40–40 in 11 innings, with its shootout: its shots are spread evenly over an hour.

use anyhow::{Context, Result, ensure};
use railbird_core::playlist::{self, Wanted};
use railbird_core::score::{Document, ENTRIES_MAX, Event, Log, Offer, Offsets, Position, Range, cues};
use railbird_core::state::{ChannelState, Shown};
use railbird_core::time::{MediaSpan, UtcMs};
use serde_json::{Value, json};

use crate::figure;

/// Each side's runs, of which the first five are made up.
const INNINGS: [(u32, u32); 11] =
    [(1, 2), (0, 3), (2, 0), (3, 1), (0, 3), (16, 2), (3, 14), (3, 3), (7, 1), (0, 6), (5, 5)];

const BEGIN: UtcMs = UtcMs(1_795_171_920_000);
const HOUR_MS: u64 = 3_600_000;
const SEGMENT_MS: u64 = 2_000;
/// How often our player asks, where it is not told.
const POLL_MS: u64 = 2_000;
/// How long an answer waits for news.
const WAIT_MS: u64 = 25_000;
/// Seconds that a playlist lists where nothing is configured.
const WINDOW_MS: u64 = 120_000;

/// The match after each of its events, in order.
fn documents() -> Result<Vec<Document>> {
    let start = json!({"type": "start", "title": "World Cup final", "discipline": "three-cushion", "target": 40,
        "equalising_inning": true, "breaks": 0,
        "sides": [{"name": "Nelin", "country": "SE"}, {"name": "Cho", "country": "KR"}]});
    let (mut actions, mut totals) = (vec![start], [0, 0]);
    for (first, second) in INNINGS {
        for (side, run) in [(0, first), (1, second)] {
            actions.extend((0..run).map(|_| json!({"type": "points", "side": side, "points": 1})));
            totals[side] += run;
            if totals[side] < 40 {
                actions.push(json!({"type": "end_inning", "side": side}));
            }
        }
    }
    actions.push(json!({"type": "shootout", "side": 0, "points": 5}));
    actions.push(json!({"type": "shootout", "side": 1, "points": 2}));
    let every_ms = HOUR_MS / actions.len() as u64;
    let (mut log, mut documents) = (Log::new(), Vec::new());
    for (n, action) in (0..).zip(actions) {
        let occurred = BEGIN.plus_ms(n * every_ms);
        let event = Event::from_json(json!({"occurred": occurred, "action": action}).to_string().as_bytes())?;
        ensure!(
            log.offer(Position { epoch: 1, seq: n + 1 }, event, None) == Offer::Accept,
            "event {}",
            n + 1
        );
        let ids = ("table-1".parse()?, "final".parse()?);
        let document = log.document(ids.0, ids.1, n + 1, occurred, ENTRIES_MAX, &Offsets::default());
        documents.push(document.context("the match has not started")?);
    }
    Ok(documents)
}

/// What the match was at a moment.
fn at(documents: &[Document], now: UtcMs) -> &Document {
    let known = documents.partition_point(|document| document.updated <= now).saturating_sub(1);
    &documents[known]
}

fn after(document: &Document, seq: u64) -> Result<u64> {
    let mut rest = document.clone();
    rest.keep_after(seq);
    Ok(serde_json::to_vec(&rest)?.len() as u64)
}

/// A channel's state as it was at a moment.
fn state(document: &Document, now: UtcMs) -> Result<ChannelState> {
    let newest = now.0 / SEGMENT_MS;
    let first = newest - WINDOW_MS / SEGMENT_MS;
    let segment =
        |n: u64| json!({"start": UtcMs(n * SEGMENT_MS).media(), "duration": SEGMENT_MS * 90, "on": 1});
    let segments: Vec<Value> = (first..newest).map(segment).collect();
    let mut state: ChannelState = serde_json::from_value(json!({
        "channel": "table-1", "origin": "north", "recording": "r-1", "title": "Table 1", "revision": 1,
        "updated": now, "phase": "live", "segment_ms": SEGMENT_MS, "key_period_s": 3600,
        "nodes": [{"id": "a", "url": "https://a.example.org", "up": true}],
        "renditions": [{"id": "source", "codecs": "avc1.64001f", "bandwidth": 1, "average_bandwidth": 1, "width": 1,
            "height": 1, "frame_rate_milli": 0, "target_duration_s": 2, "first_msn": first,
            "discontinuity_sequence": 0, "inits": ["table-1/source/init.mp4"], "segments": segments}],
    }))?;
    let (from, to) = (UtcMs(first * SEGMENT_MS).media(), UtcMs(newest * SEGMENT_MS).media());
    let ranges: Vec<Range> = document.ranges().into_iter().filter(|range| range.overlaps(from, to)).collect();
    state.score = Some(Shown { revision: 1, ranges });
    Ok(state)
}

pub(crate) fn run() -> Result<()> {
    println!("score: bytes a viewer and hour, {} events", documents()?.len());
    let documents = documents()?;
    let times = |every_ms: u64| (0..HOUR_MS / every_ms).map(move |n| BEGIN.plus_ms(n * every_ms));

    let (mut polled, mut heard) = (0, 0);
    for now in times(POLL_MS) {
        let document = at(&documents, now);
        polled += after(document, heard)?;
        heard = document.revision;
    }
    show("sidecar, asked for every 2 s", polled, HOUR_MS / POLL_MS);

    let (mut told, mut waits) = (0, 0);
    for (document, heard) in documents.iter().zip(0..) {
        told += after(document, heard)? + "retry: 250\nid: 100\ndata: \n\n".len() as u64;
    }
    for pair in documents.windows(2) {
        waits += pair[1].updated.ms_since(pair[0].updated) / WAIT_MS;
    }
    told += waits * "retry: 250\n: nothing new\n\n".len() as u64;
    show("server-sent events", told, documents.len() as u64 + waits);

    let (mut ranges, mut lists, mut texts) = (0, 0, 0);
    for now in times(SEGMENT_MS) {
        let document = at(&documents, now);
        let mut state = state(document, now)?;
        let (source, order) = ("source".parse()?, ["a".parse()?]);
        let len = |state: &ChannelState| {
            let wanted = Wanted { delta: true, ..Wanted::default() };
            playlist::media(state, &source, &order, wanted).map_or(0, |text| text.len() as u64)
        };
        let with = len(&state);
        lists += playlist::subtitles(&state, true).map_or(0, |text| text.len() as u64);
        state.score = None;
        ranges += with - len(&state);
        texts += cues([document], now.media(), MediaSpan::from_ms(SEGMENT_MS as i64)).len() as u64;
    }
    show("EXT-X-DATERANGE, in delta updates of the media's playlist", ranges, 0);
    show("WebVTT, its segments", texts, HOUR_MS / SEGMENT_MS);
    show("WebVTT, delta updates of its playlist", lists, HOUR_MS / SEGMENT_MS);
    Ok(())
}

fn show(what: &str, bytes: u64, requests: u64) {
    figure(what, &format!("{} kB", bytes.div_ceil(1000)), &format!("{requests} requests more"));
}
