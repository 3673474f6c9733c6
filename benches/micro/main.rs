//! Parts by themselves: `cargo xtask bench micro`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that can't be set up ends")]
#![allow(missing_docs, reason = "criterion's macros make a public function")]

#[path = "../src/stream.rs"]
mod stream;

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use railbird_core::flv::{self, Demux};
use railbird_core::keys;
use railbird_core::media::Cut;
use railbird_core::playlist::Wanted;
use railbird_core::rtmp::{Output, Server};
use railbird_core::segment::{self, Input, Segmenter};
use railbird_core::state::{ChannelState, Node, Phase, Rendition, Segment};
use railbird_core::time::{MEDIA_HZ, MediaSpan, MediaTime, UtcMs};
use railbird_core::timeline::{self, Anchor, Timeline};
use railbird_core::{fmp4, playlist, sign};
use railbird_edge::memory::MemoryStore;
use railbird_edge::{Edge, Moment, Request, Response, Settings};

const CLIP: &[u8] = include_bytes!("../../origin-lib/clip/table.flv");
const NOW: UtcMs = UtcMs(1_795_171_920_000);
const SEGMENT_MS: u32 = 2000;
const READ_LEN: usize = 64 << 10;

/// A channel that has been live for so many segments, at two nodes.
fn state(segments: u64) -> ChannelState {
    let first = NOW.0 / u64::from(SEGMENT_MS) - segments;
    let segment = |n| {
        let start = UtcMs((first + n) * u64::from(SEGMENT_MS)).media();
        Segment { on: 3, ..Segment::new(start, MediaSpan::from_ms(SEGMENT_MS.into()), 0, false) }
    };
    let node = |id: &str| Node::new(id.parse().unwrap(), format!("https://{id}.cdn.example/railbird"), true);
    ChannelState {
        channel: "table-1".parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: "20261120t105200z".parse().unwrap(),
        title: "Table 1".into(),
        revision: 1,
        updated: NOW,
        phase: Phase::Live,
        segment_ms: SEGMENT_MS,
        key_period_s: 3600,
        part_ms: None,
        preload_hints: false,
        score: None,
        splices: Vec::new(),
        nodes: vec![node("a"), node("b")],
        renditions: vec![Rendition {
            id: "source".parse().unwrap(),
            codecs: "avc1.640028,mp4a.40.2".into(),
            bandwidth: 8_500_000,
            average_bandwidth: 8_200_000,
            width: 1920,
            height: 1080,
            frame_rate_milli: 30_000,
            range: Default::default(),
            sound: None,
            captions: Default::default(),
            dependent: false,
            frames_bandwidth: 0,
            target_duration_s: 2,
            first_msn: 1000,
            discontinuity_sequence: 0,
            inits: vec!["table-1/source/init-0011223344556677.mp4".into()],
            segments: (0..segments).map(segment).collect(),
            parts: Vec::new(),
        }],
    }
}

fn playlists(criterion: &mut Criterion) {
    let rendition = "source".parse().unwrap();
    let order = ["a".parse().unwrap(), "b".parse().unwrap()];
    for segments in [60, 5400] {
        let state = state(segments);
        criterion.bench_function(&format!("playlist::media, {segments} segments"), |bencher| {
            bencher.iter(|| playlist::media(black_box(&state), &rendition, &order, Wanted::default()));
        });
    }
}

fn encryption(criterion: &mut Criterion) {
    const LEN: usize = 2_000_000;
    let mut group = criterion.benchmark_group("keys");
    group.throughput(Throughput::Bytes(LEN as u64));
    let mut segment = Vec::with_capacity(LEN + 16);
    group.bench_function("encrypt 2 MB", |bencher| {
        bencher.iter(|| {
            segment.resize(LEN, 0);
            keys::encrypt(&[7; 16], &[9; 16], black_box(&mut segment));
        });
    });
    group.finish();
}

/// The bundled clip's first whole segment.
fn cut() -> Cut {
    let (mut demux, mut segmenter) = (Demux::new(), Segmenter::new(SEGMENT_MS));
    let mut timeline: Option<Timeline> = None;
    for tag in flv::File::new(Bytes::from_static(CLIP)).unwrap() {
        let tag = tag.unwrap();
        demux.handle(tag.kind, tag.timestamp_ms, tag.payload).unwrap();
        while let Some(event) = demux.poll() {
            match event {
                railbird_core::media::FeedEvent::Video(video) => segmenter.handle(Input::Video(video)),
                railbird_core::media::FeedEvent::Audio(audio) => segmenter.handle(Input::Audio(audio)),
                railbird_core::media::FeedEvent::Frame(frame) => {
                    let anchor = || Timeline::new(Anchor::from_arrival(&frame, NOW), MediaTime::default());
                    let timeline = timeline.get_or_insert_with(anchor);
                    timeline.handle(frame.clone(), NOW);
                    while let Some(timeline::Event::Sample(sample)) = timeline.poll() {
                        segmenter.handle(Input::Sample(sample));
                    }
                }
                _ => {}
            }
        }
    }
    while let Some(event) = segmenter.poll() {
        if let segment::Event::Cut(cut) = event {
            assert!(cut.duration > MEDIA_HZ);
            return *cut;
        }
    }
    panic!("the clip has no segment")
}

fn boxes(criterion: &mut Criterion) {
    let cut = cut();
    let mut out = Vec::new();
    fmp4::segment(&cut, 1, &mut out);
    let mut group = criterion.benchmark_group("fmp4");
    group.throughput(Throughput::Bytes(out.len() as u64));
    group.bench_function(format!("segment of {} kB", out.len() / 1000), |bencher| {
        bencher.iter(|| {
            out.clear();
            fmp4::segment(black_box(&cut), 1, &mut out);
        });
    });
    group.finish();
}

fn parsing(criterion: &mut Criterion) {
    let mut bytes = Vec::new();
    let tags = flv::File::new(Bytes::from_static(CLIP)).unwrap();
    stream::record(tags.map(|tag| Ok(tag?)), &mut bytes).unwrap();
    let mut group = criterion.benchmark_group("rtmp");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("server, the clip in pieces of 64 KiB", |bencher| {
        bencher.iter_batched(
            || Server::new(stream::ENTROPY),
            |mut server| {
                server.handle(&[], NOW);
                for piece in bytes.chunks(READ_LEN) {
                    server.handle(piece, NOW);
                    while let Some(output) = server.poll() {
                        match output {
                            Output::Publish { .. } => server.accept(),
                            output => drop(black_box(output)),
                        }
                    }
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// A future of the store in memory is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store in memory waits for nothing"),
    }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
    Request {
        method: method.into(),
        path: path.into(),
        query: String::new(),
        headers: headers.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
        body: body.into(),
        ..Request::default()
    }
}

fn edge(criterion: &mut Criterion) {
    const SECRET: &str = "0123456789abcdef";
    const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y29udHJhY3Qgc3VpdGUgc2FsdA\
        $igq3VUgxKHh8M5Qt7+9ngjxqYnmj+2u7DGqTF+wc09w";
    let settings = Settings::read(|name| name.ends_with("_secret").then(|| SECRET.into()));
    let edge = Edge::new(settings, MemoryStore::default());
    let moment = Moment { now: NOW, entropy: [7; 32] };
    let ask = |request| -> Response { ready(edge.handle(request, &moment)) };
    let put = |path: &str, body: &[u8]| {
        let signature = sign::sign(SECRET.as_bytes(), "PUT", path, body, NOW, [1; 16]);
        let headers = [("content-type", "application/json"), (sign::HEADER, signature.as_str())];
        let answer = ask(request("PUT", path, &headers, body));
        assert_eq!(answer.status, 204, "{path}: {}", String::from_utf8_lossy(&answer.body));
    };
    let pass = format!(
        r#"{{"email":"a@b.test","password_hash":"{PASSWORD_HASH}","channels":["*"],"valid_from":0,"valid_until":{}}}"#,
        NOW.0 * 2
    );
    put("/admin/v1/passes", pass.as_bytes());
    put(
        "/origin/v1/event",
        br#"{"event":"bench","title":"Bench","revision":1,"channels":[{"id":"table-1","title":"Table 1"}]}"#,
    );
    put("/origin/v1/channels/table-1/state", &serde_json::to_vec(&state(60)).unwrap());
    let login = request(
        "POST",
        "/api/login",
        &[("content-type", "application/json")],
        br#"{"email":"a@b.test","password":"hang on a ball"}"#,
    );
    let body: serde_json::Value = serde_json::from_slice(&ask(login).body).unwrap();
    let token = body["token"].as_str().unwrap();

    let session = format!("__Host-railbird={token}");
    let claim = [("cookie", session.as_str()), ("content-type", "application/json")];
    let claim = request("POST", "/api/screens", &claim, br#"{"screen":"AAECAwQFBgcICQoLDA0ODw"}"#);
    let answer = ask(claim);
    let lease = answer.headers.iter().find(|(name, _)| name == "set-cookie").unwrap();
    let cookies = format!("{session}; {}", lease.1);

    let key = format!("/key/table-1/{}", keys::period(NOW.media(), 3600));
    let playlist = "/live/table-1/a/source.m3u8".to_owned();
    for (what, path) in [("playlist of 60 segments", playlist), ("key", key)] {
        let asked = request("GET", &path, &[("cookie", cookies.as_str())], b"");
        assert_eq!(ask(asked.clone()).status, 200, "{path}");
        criterion.bench_function(&format!("Edge::handle, {what}"), |bencher| {
            bencher.iter_batched(|| asked.clone(), ask, BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, playlists, encryption, boxes, parsing, edge);
criterion_main!(benches);
