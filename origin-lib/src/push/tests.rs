use std::sync::Mutex;

use bytes::Bytes;
use railbird_core::flv::{Demux, TagKind};
use railbird_core::media::{
    AudioCoding, AudioConfig, FeedEvent, Kind, Sample, Tracks, VideoCoding, VideoConfig,
};
use railbird_core::programme::Passed;
use railbird_core::rtmp::{Output, Server, Url};
use railbird_core::time::MediaTime;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;

const AVCC: &str =
    "0164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800";
const BASE: u64 = 1_795_171_920_000 * 90;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn tracks() -> Arc<Tracks> {
    let video = VideoConfig {
        coding: VideoCoding::Avc,
        record: railbird_core::hex::decode(AVCC).unwrap().into(),
        codec: "avc1.64000c".into(),
        width: 320,
        height: 180,
        frame_rate_milli: None,
        colour: None,
    };
    let audio = AudioConfig {
        coding: AudioCoding::Aac,
        record: Bytes::from_static(b"\x11\x90"),
        codec: "mp4a.40.2".into(),
        sample_rate: 48_000,
        channels: 2,
        frame_len: 1024,
    };
    Arc::new(Tracks { video: Some(video), audio: Some(audio) })
}

/// Frame `n` of 25 a second, a key frame every second, of `len` bytes.
fn frame(tracks: &Arc<Tracks>, n: u64, len: usize) -> Passed {
    let key = n.is_multiple_of(25);
    let mut data = vec![0; len.max(8)];
    let unit = (data.len() as u32 - 4).to_be_bytes();
    data[..4].copy_from_slice(&unit);
    data[4] = if key { 0x65 } else { 0x41 };
    let dts = MediaTime(BASE + n * 3600);
    Passed {
        tracks: tracks.clone(),
        sample: Sample { kind: Kind::Video, dts, cts: 0, key, leading: false, data: data.into() },
    }
}

/// What a destination saw.
#[derive(Debug, PartialEq)]
enum Seen {
    Publish(String),
    Event(FeedEvent),
    End,
}

/// Serves one connection as a destination does, telling what it sees.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    refuse: Option<&str>,
    seen: &mpsc::UnboundedSender<Seen>,
    stop: &tokio_util::sync::CancellationToken,
) {
    let (mut server, mut demux) = (Server::new([3; 32]), Demux::new());
    server.handle(&[], clock::now());
    let mut buffer = vec![0; 64 << 10];
    loop {
        while let Some(output) = server.poll() {
            match output {
                Output::Send(bytes) => drop(stream.write_all(&bytes).await),
                Output::Publish { app, key } => {
                    seen.send(Seen::Publish(format!("{app} {}", key.reveal()))).unwrap();
                    match refuse {
                        Some(reason) => server.refuse(reason),
                        None => server.accept(),
                    }
                }
                Output::Media { kind, timestamp_ms, payload } => {
                    if kind != TagKind::Data {
                        demux.handle(kind, timestamp_ms, payload).unwrap();
                    }
                    while let Some(event) = demux.poll() {
                        seen.send(Seen::Event(event)).unwrap();
                    }
                }
                Output::Unpublish => drop(seen.send(Seen::End)),
                Output::Close { .. } => return,
            }
        }
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(len) if len > 0 => server.handle(&buffer[..len], clock::now()),
                _ => return,
            },
            () = stop.cancelled() => return,
        }
    }
}

struct Bench {
    pushes: Pushes,
    dir: tempfile::TempDir,
    metrics: telemetry::Metrics,
    tap: Tap,
    tracks: Arc<Tracks>,
    next: Mutex<u64>,
}

impl Bench {
    fn new(url: &str, tls: Arc<rustls::ClientConfig>) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let (evidence, metrics) = (Evidence::start(dir.path()).unwrap(), telemetry::Metrics::new());
        let url = Url::with_key(url, "the-stream-key".into()).unwrap();
        let (id, channel) = ("social".parse().unwrap(), "t".parse().unwrap());
        let config = config::Push { id, channel, url, optional: false, burn_in: None };
        let pushes = Pushes::start(&[config], &tls, |_| None, &evidence, &metrics);
        let tap = pushes.taps(&"t".parse().unwrap()).remove(0);
        assert!(pushes.taps(&"other".parse().unwrap()).is_empty());
        Bench { pushes, dir, metrics, tap, tracks: tracks(), next: Mutex::new(0) }
    }

    /// The channel brings its next frames.
    fn bring(&self, frames: u64, len: usize) {
        let mut next = self.next.lock().unwrap();
        for _ in 0..frames {
            (self.tap)(&frame(&self.tracks, *next, len));
            *next += 1;
        }
    }

    fn state(&self) -> State {
        self.pushes.state(&"social".parse().unwrap()).unwrap().borrow().clone()
    }

    async fn until(&self, is: impl Fn(&State) -> bool) -> State {
        let mut state = self.pushes.all[0].state.clone();
        timeout(PATIENCE, state.wait_for(is)).await.unwrap().unwrap().clone()
    }

    /// Brings frames until the push has taken one: it begins at a key frame that comes after it opened its queue.
    async fn bring_until_pushed(&self, seen: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
        self.until(|state| matches!(state, State::Pushing { .. })).await;
        timeout(PATIENCE, async {
            loop {
                self.bring(1, 100);
                tokio::task::yield_now().await;
                match seen.try_recv() {
                    Ok(Seen::Publish(_)) | Err(_) => {}
                    Ok(seen) => return seen,
                }
            }
        })
        .await
        .unwrap()
    }
}

fn is_pushing(state: &State) -> bool {
    matches!(state, State::Pushing { .. })
}

fn is_failing(state: &State) -> bool {
    matches!(state, State::Failing { .. })
}

async fn next_frame(seen: &mut mpsc::UnboundedReceiver<Seen>) -> railbird_core::media::Frame {
    loop {
        match timeout(PATIENCE, seen.recv()).await.unwrap().unwrap() {
            Seen::Event(FeedEvent::Frame(frame)) => return frame,
            Seen::End => panic!("the stream ended"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_push_begins_at_a_key_frame_and_comes_back_with_timestamps_that_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let bench = Bench::new(&format!("rtmp://{}/live", listener.local_addr().unwrap()), roots().unwrap());
    assert_eq!(bench.state(), State::Idle);
    bench.bring(3, 100);

    let stop = tokio_util::sync::CancellationToken::new();
    let (first, sent) = (stop.clone(), sender.clone());
    let destination = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, None, &sent, &first).await;
        listener
    });
    let begun = bench.bring_until_pushed(&mut seen).await;
    assert!(matches!(begun, Seen::Event(FeedEvent::Video(_))), "{begun:?}");
    let frame = next_frame(&mut seen).await;
    assert!(frame.key && frame.dts_ms == 0, "{frame:?}");
    let mut last = next_frame(&mut seen).await.dts_ms;
    assert_eq!(last % 40, 0);

    // The destination goes away: the push says so, and comes back by itself.
    stop.cancel();
    let listener = destination.await.unwrap();
    bench.until(is_failing).await;
    while let Ok(left) = seen.try_recv() {
        if let Seen::Event(FeedEvent::Frame(frame)) = left {
            last = frame.dts_ms;
        }
    }
    bench.bring(1, 100);
    let stop = tokio_util::sync::CancellationToken::new();
    let second = stop.clone();
    let destination = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, None, &sender, &second).await;
    });
    bench.bring_until_pushed(&mut seen).await;
    let frame = next_frame(&mut seen).await;
    assert!(frame.key && frame.dts_ms > last, "{} after {last}", frame.dts_ms);

    // An origin that stops ends the stream in order.
    let Bench { mut pushes, dir, metrics, .. } = bench;
    assert!(metrics.text().contains("railbird_push_up{push=\"social\",channel=\"t\"} 1"));
    pushes.stop().await;
    timeout(PATIENCE, destination).await.unwrap().unwrap();
    let mut ended = false;
    while let Ok(left) = seen.try_recv() {
        ended |= left == Seen::End;
    }
    assert!(ended);
    drop((pushes, dir));
}

#[tokio::test]
async fn invariant_8_what_the_destination_says_is_shown_and_the_key_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let bench = Bench::new(&format!("rtmp://{}/live", listener.local_addr().unwrap()), roots().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, Some("this key has expired: live/the-stream-key"), &sender, &Default::default())
                .await;
        }
    });
    let health = Health::default();
    bench.pushes.watch(&health);
    bench.bring(1, 100);
    let state = bench.until(is_failing).await;
    assert_eq!(seen.recv().await, Some(Seen::Publish("live the-stream-key".into())));
    let shown = format!("{state:?} {}", serde_json::to_string(&bench.pushes.all[0].shown()).unwrap());
    assert!(shown.contains("this key has expired") && !shown.contains("the-stream-key"), "{shown}");
    assert!(shown.contains("\"state\":\"failing\""), "{shown}");
    // Since the first failure, whatever the later ones say.
    let State::Failing { since, .. } = state else { unreachable!() };
    bench.bring(1, 100);
    timeout(PATIENCE, seen.recv()).await.unwrap().unwrap();
    assert!(matches!(bench.state(), State::Failing { since: still, .. } if still == since));
}

#[tokio::test]
async fn invariant_1_a_destination_that_reads_nothing_holds_nobody_up_and_is_not_called_pushing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let bench = Bench::new(&format!("rtmp://{}/live", listener.local_addr().unwrap()), roots().unwrap());
    let stop = tokio_util::sync::CancellationToken::new();
    let stopped = stop.clone();
    // It takes the stream, and then reads nothing more, with its connection open.
    let destination = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        serve(&mut stream, None, &sender, &stopped).await;
        std::future::pending::<TcpStream>().await
    });
    bench.bring(1, 100);
    bench.bring_until_pushed(&mut seen).await;
    stop.cancel();
    // Each call returns at once, whatever is behind it: a thousand times what the queue has room for.
    let (before, frames) = (bench.pushes.all[0].queue.dropped(), 5_000);
    bench.bring(frames, 256 << 10);
    assert!(bench.pushes.all[0].queue.dropped() > before);
    let State::Failing { reason, .. } = bench.until(is_failing).await else { unreachable!() };
    assert!(reason.contains("read nothing for 5 s"), "{reason}");
    assert!(bench.metrics.text().contains("railbird_push_up{push=\"social\",channel=\"t\"} 0"));
    destination.abort();
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let bench = Bench::new(&format!("rtmp://{address}/live"), roots().unwrap());
    bench.bring(1, 100);
    let State::Failing { reason, .. } = bench.until(is_failing).await else { unreachable!() };
    assert!(reason.starts_with("the destination can't be reached"), "{reason}");
    assert!(!is_pushing(&bench.state()));
}

/// A certificate for 127.0.0.1, and what trusts it.
fn certified() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let der = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let server = server.unwrap().with_no_client_auth().with_single_cert(vec![der.clone()], key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der).unwrap();
    (Arc::new(server), link::client(roots).unwrap())
}

#[tokio::test]
async fn over_tls_to_whom_the_certificate_names() {
    let (server, client) = certified();
    for (tls, taken) in [(client, true), (roots().unwrap(), false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (sender, mut seen) = mpsc::unbounded_channel();
        let bench = Bench::new(&format!("rtmps://{}/live", listener.local_addr().unwrap()), tls);
        let acceptor = tokio_rustls::TlsAcceptor::from(server.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, None, &sender, &Default::default()).await;
                }
            }
        });
        bench.bring(1, 100);
        if taken {
            bench.bring_until_pushed(&mut seen).await;
            assert!(next_frame(&mut seen).await.key);
        } else {
            let State::Failing { reason, .. } = bench.until(is_failing).await else { unreachable!() };
            assert!(reason.starts_with("TLS with the destination fails"), "{reason}");
            assert!(seen.try_recv().is_err());
        }
    }
}

#[test]
fn timestamps_wrap_around_and_never_go_back() {
    let mut timestamps = session::Timestamps::default();
    let of = |ms: i64| {
        let dts = MediaTime(BASE.saturating_add_signed(ms * 90));
        Sample { kind: Kind::Audio, dts, cts: 0, key: true, leading: false, data: Bytes::new() }
    };
    for (ms, timestamp) in
        [(0, Some(0)), (-1, None), (40, Some(40)), ((1 << 32) - 1, Some(u32::MAX)), (1 << 32, Some(0))]
    {
        assert_eq!(timestamps.of(&of(ms)), timestamp, "{ms}");
    }
}
