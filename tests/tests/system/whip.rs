//! Feeds that come by WHIP: from Chromium, and requests that no browser makes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, ensure};
use railbird_tests::rig::Random;
use reqwest::header::{ETAG, IF_MATCH, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::demo::{client, finish, outcome, workspace};
use crate::origin::{Origin, Plan, Store};
use crate::play::ffmpeg;
use crate::sink::Sink;
use crate::srt::figure;
use crate::viewers::Edge;

/// An origin that takes WHIP sessions, where its HTTP is and where media comes. Encoders are told to send it to `media`, or there.
async fn origin(media: Option<SocketAddr>) -> anyhow::Result<(Origin, String, SocketAddr, Store, Sink)> {
    let store = Store::start().await?;
    let sink = Sink::start(vec![("a", store.dir())]).await?;
    let (origin, whip, udp) = before(&store, &sink.url, media).await?;
    Ok((origin, whip, udp, store, sink))
}

/// The same, before an edge by which its channel is played.
pub(crate) async fn played() -> anyhow::Result<(Origin, String, SocketAddr, Store, Edge)> {
    let (store, edge) = (Store::start().await?, Edge::start().await?);
    let (origin, whip, udp) = before(&store, &edge.url, None).await?;
    Ok((origin, whip, udp, store, edge))
}

async fn before(
    store: &Store,
    edge: &str,
    media: Option<SocketAddr>,
) -> anyhow::Result<(Origin, String, SocketAddr)> {
    let media = media.map_or_else(|| "127.0.0.1:0".to_string(), |media| media.to_string());
    let (targets, edges) = ([store.target("a")], [edge.to_string()]);
    let more = format!(
        "[whip]\nlisten = \"127.0.0.1:0\"\nudp_listen = \"127.0.0.1:0\"\naddresses = [\"{media}\"]\nsessions_max = 1\n"
    );
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more: &more, files: &[] };
    let origin = Origin::start(&plan).await?;
    let log = origin.log();
    let told = |name: &str| {
        let address = log.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
        anyhow::Ok(address.context("it listens nowhere for WHIP")?.trim_matches('"').to_string())
    };
    let (address, udp) = (told("whip=")?, told("whip_udp=")?.parse()?);
    Ok((origin, format!("http://{address}"), udp))
}

/// So many packets come through at first: nobody can ask for one before the first that comes.
const WHOLE: u32 = 100;

/// A way between encoders and origin on which one packet of media of twenty is lost. Each address of an encoder's is another one to the
/// origin, too.
struct Lossy {
    lost: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Lossy {
    /// Where it begins; it leads nowhere yet.
    async fn begin() -> anyhow::Result<UdpSocket> {
        Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?)
    }

    async fn lead(near: UdpSocket, to: SocketAddr) -> anyhow::Result<Lossy> {
        let near = Arc::new(near);
        let lost = Arc::new(AtomicU64::new(0));
        let (mut tasks, count) = (JoinSet::new(), lost.clone());
        tasks.spawn(async move {
            // Dropped with this task: what comes back by each way.
            let mut ways = JoinSet::new();
            let (mut known, mut random) = (HashMap::new(), Random::new(20_261_127));
            let (mut media, mut buffer) = (0, [0; 2048]);
            while let Ok((len, from)) = near.recv_from(&mut buffer).await {
                let datagram = &buffer[..len];
                // RTP, not what says something about it (RFC 5761, 4).
                let is_media = (128..192).contains(&datagram[0]) && !(192..224).contains(&datagram[1]);
                media += u32::from(is_media);
                if is_media && media > WHOLE && random.within(0, 20) == 0 {
                    count.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let far = match known.entry(from) {
                    Entry::Occupied(way) => way.into_mut(),
                    Entry::Vacant(way) => {
                        let Ok(far) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { return };
                        let far = Arc::new(far);
                        ways.spawn(back(far.clone(), near.clone(), from));
                        way.insert(far)
                    }
                };
                let _ = far.send_to(datagram, to).await;
            }
        });
        Ok(Lossy { lost, _tasks: tasks })
    }
}

async fn back(far: Arc<UdpSocket>, near: Arc<UdpSocket>, to: SocketAddr) {
    let mut buffer = [0; 2048];
    while let Ok((len, _)) = far.recv_from(&mut buffer).await {
        let _ = near.send_to(&buffer[..len], to).await;
    }
}

/// One track of a file as ffmpeg decodes it, which has nothing to say against it: times in the track's own unit, and hashes.
pub(crate) async fn decoded(file: &std::path::Path, stream: &str) -> anyhow::Result<Vec<(i64, String)>> {
    let mut decode = ffmpeg();
    decode.arg("-i").arg(file).args(["-map", stream, "-fps_mode", "passthrough"]);
    // The file's own unit: one of the mean frame rate would have two frames at one time.
    decode.args(["-enc_time_base", "-1", "-f", "framemd5", "-"]);
    // Both outputs: what it says would be a line that is none of a frame's.
    let text = finish(decode).await?;
    let frame = |line: &str| {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [_, _, time, _, _, hash] = fields[..] else { return None };
        Some((time.parse().ok()?, hash.to_string()))
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let told = lines.map(|line| frame(line).with_context(|| format!("of {stream}, ffmpeg says: {line}")));
    told.collect()
}

/// What Chromium sends in this codec over a way that loses packets is recorded, whole.
async fn a_browser_sends(codec: &str, named: &str) -> anyhow::Result<()> {
    let begin = Lossy::begin().await?;
    let (origin, whip, udp, _store, _sink) = origin(Some(begin.local_addr()?)).await?;
    let way = Lossy::lead(begin, udp).await?;
    let scripts = workspace().join("tests/browser");
    ensure!(scripts.join("node_modules").exists(), "run `npm ci --ignore-scripts` in tests/browser");
    let mut holder = Command::new("node");
    holder.arg(scripts.join("camera.mjs")).args([&whip, "t", "primary-key", codec]);
    let (ok, text) = outcome(holder).await.context("tests/browser/camera.mjs")?;
    ensure!(ok, "{text}\n--- the origin's log ---\n{}", origin.log());
    let report: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
    // By DELETE, or by the end of DTLS, whichever comes first: either ends it in order.
    origin.logged("feed ended").await?;

    let lost = way.lost.load(Ordering::Relaxed);
    ensure!(lost > 0, "the way lost nothing");
    let again = report["sent"]["retransmittedPacketsSent"].as_f64().unwrap_or_default();
    ensure!(again > 0.0 && figure(&origin, "railbird_whip_nacks_total").await? > 0.0, "{lost} lost: {text}");
    ensure!(figure(&origin, "railbird_whip_ice_restarts_total").await? == 1.0);
    ensure!(figure(&origin, "railbird_whip_key_frames_asked_total").await? > 0.0);
    // Each would be missing for good, were it not sent again in time; a machine that is busy may once be too late.
    let gaps = figure(&origin, "railbird_whip_gaps_total").await?;
    ensure!(gaps * 4.0 < lost as f64, "{gaps} gaps of {lost} lost: {text}\n{}", origin.log());

    origin.crew(&["channel", "end", "t"]).await?;
    let file = origin.export().await?;
    let pictures = decoded(&file, "0:v:0").await?;
    let encoded = report["sent"]["framesSent"].as_u64().context("it counted nothing")? as usize;
    // Those since it counted last are there as well.
    ensure!(pictures.len() >= encoded || gaps > 0.0, "{} pictures of {encoded}", pictures.len());
    let back = pictures.windows(2).position(|pair| pair[0].0 >= pair[1].0);
    ensure!(back.is_none(), "the time does not increase after picture {back:?} of {}", pictures.len());
    let moved = pictures.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    ensure!(moved * 2 > pictures.len(), "the picture stands: {moved} changes in {}", pictures.len());
    let sound = decoded(&file, "0:a:0").await?;
    ensure!(
        sound.len() > 100 && sound.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "{} sounds",
        sound.len()
    );
    ensure!(sound.iter().any(|(_, hash)| *hash != sound[0].1), "it is silent");

    let log = origin.log();
    ensure!(log.contains(named) && log.contains("codec=\"Opus\""), "not {named} and Opus:\n{log}");
    ensure!(log.contains("video 320x180"), "the smaller picture was not told:\n{log}");
    // Without being asked, the browser would send one key frame for each size.
    let objects = origin.objects()?;
    let segments = objects.keys().filter(|name| name.ends_with(".m4s")).count();
    ensure!(segments >= 4, "{segments} segments: {objects:?}");
    ensure!(!log.contains("primary-key"), "a stream key in the log:\n{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phones_browser_sends_in_h264_is_recorded_whole_where_packets_are_lost() -> anyhow::Result<()>
{
    a_browser_sends("H264", "avc1.").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phones_page_wakes_its_camera_goes_on_after_it_was_frozen_or_left_and_says_what_is()
-> anyhow::Result<()> {
    let (origin, whip, _, _store, _sink) = origin(None).await?;
    let mut holder = Command::new("node");
    holder.arg(workspace().join("tests/browser/asleep.mjs")).args([&whip, "t", "primary-key"]);
    let (ok, text) = outcome(holder).await.context("tests/browser/asleep.mjs")?;
    ensure!(ok, "{text}\n--- the origin's log ---\n{}", origin.log());
    origin.crew(&["channel", "end", "t"]).await?;
    let file = origin.export().await?;
    for (stream, least) in [("0:v:0", 90), ("0:a:0", 100)] {
        let frames = decoded(&file, stream).await?;
        ensure!(frames.len() >= least, "{} of {stream}", frames.len());
        let back = frames.windows(2).position(|pair| pair[0].0 >= pair[1].0);
        let around = back.map(|at| {
            frames[at.saturating_sub(2)..].iter().take(6).map(|(time, _)| *time).collect::<Vec<_>>()
        });
        ensure!(
            back.is_none(),
            "the time of {stream} goes back at frame {back:?}, {around:?}:\n{}",
            origin.log()
        );
    }
    ensure!(!origin.log().contains("primary-key"), "a stream key in the log:\n{}", origin.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_sends_in_av1_is_recorded_whole_where_packets_are_lost() -> anyhow::Result<()> {
    a_browser_sends("AV1", "av01.").await
}

/// An offer as a browser makes it, of this codec.
fn offer(codec: &str, fragment: &str) -> String {
    let section = |kind: &str, mid: u8, codec: &str, more: &str| {
        let number = 96 + mid;
        format!(
            "m={kind} 9 UDP/TLS/RTP/SAVPF {number}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{fragment}\r\n\
             a=ice-pwd:0123456789abcdefghijklmn\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {}\r\n\
             a=setup:actpass\r\na=mid:{mid}\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:{number} {codec}\r\n{more}",
            ["AB"; 32].join(":")
        )
    };
    let head = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n";
    let h264 = "a=fmtp:97 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";
    let more = if codec == "H264" { h264 } else { "" };
    let (sound, pictures) = ("opus/48000/2", format!("{codec}/90000"));
    format!("{head}{}{}", section("audio", 0, sound, ""), section("video", 1, &pictures, more))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_session_is_told_why_and_one_is_changed_and_ended() -> anyhow::Result<()> {
    let (origin, whip, udp, _store, _sink) = origin(None).await?;
    let send = async |method: Method, path: &str, headers: &[(&str, &str)], body: String| {
        let mut request = client()?.request(method, format!("{whip}{path}")).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        anyhow::Ok((status, headers, answer.text().await?))
    };
    let (sdp, primary) = (("content-type", "application/sdp"), ("authorization", "Bearer primary-key"));
    let fine = || offer("H264", "abcd");
    // 200 kB.
    let large = "a=x\r\n".repeat(40_000);
    let silent = fine().replace("sendonly", "recvonly");
    let data = fine() + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
    let video = fine();
    let twice =
        format!("{video}{}", &video[video.find("m=video").context("no video")?..].replace("mid:1", "mid:2"));
    for (path, headers, body, status, text) in [
        ("/whip", &[sdp, ("authorization", "Bearer other")][..], fine(), 401, "unknown stream key"),
        ("/whip/other", &[sdp], fine(), 401, "unknown stream key"),
        ("/whip", &[sdp], fine(), 401, "the stream key is missing"),
        ("/whip", &[primary], fine(), 415, "application/sdp"),
        ("/whip", &[sdp, primary], "hello".into(), 400, "it does not begin with v=0"),
        ("/whip", &[sdp, primary], large, 413, "more than 64 KiB"),
        ("/whip", &[sdp, primary], fine().replace("rtpmap:97", "rtpmap:96"), 400, "stands for two codecs"),
        (
            "/whip",
            &[sdp, primary],
            offer("VP8", "abcd"),
            406,
            "the encoder offers VP8 only: set H.264 or AV1",
        ),
        ("/whip", &[sdp, primary], silent, 406, "tracks that it does not send"),
        ("/whip", &[sdp, primary], data, 406, "no data channel"),
        ("/whip", &[sdp, primary], twice, 406, "one video and one audio track"),
        ("/somewhere", &[sdp, primary], fine(), 404, "/whip"),
    ] {
        let (is, _, said) = send(Method::POST, path, headers, body).await?;
        ensure!(is == status && said.contains(text), "{path}: {is} {said}");
    }
    // Encoders keep it to themselves: the origin's log says it, too.
    origin.logged("reason=\"the encoder offers VP8 only").await?;
    let (status, headers, _) = send(Method::GET, "/whip", &[], String::new()).await?;
    ensure!(status == 405 && headers["allow"] == "POST, OPTIONS", "{status} {headers:?}");
    let (status, headers, _) =
        send(Method::OPTIONS, "/whip", &[("origin", "https://a.example")], String::new()).await?;
    ensure!(
        status == 204 && headers["access-control-allow-origin"] == "*" && headers["accept-post"] == sdp.1
    );
    let (status, _, page) = send(Method::GET, "/camera/t", &[], String::new()).await?;
    ensure!(status == 200 && page.contains("/camera/main.js"), "{status} {page}");
    ensure!(send(Method::GET, "/camera/other", &[], String::new()).await?.0 == 404);

    // One track is enough, and one that is not used stays in its place; each takes the place of the one before.
    let section = |text: &str, kind: &str| {
        let rest = text.split("m=").find(|part| part.starts_with(kind));
        anyhow::Ok(format!("m={}", rest.context("no such section")?))
    };
    let (sound, pictures) = (section(&video, "audio")?, section(&video, "video")?);
    let without = |part: &str, group: &str| video.replace(part, "").replace("BUNDLE 0 1", group);
    for (body, directions) in [
        (without(&sound, "BUNDLE 1"), &["a=recvonly"][..]),
        (without(&pictures, "BUNDLE 0"), &["a=recvonly"]),
        (video.replace(&sound, &sound.replace("sendonly", "inactive")), &["a=inactive", "a=recvonly"]),
        (video.replace(&pictures, &pictures.replace("sendonly", "recvonly")), &["a=recvonly", "a=inactive"]),
    ] {
        let (status, _, answer) = send(Method::POST, "/whip", &[sdp, primary], body).await?;
        let told = |line: &&str| ["a=recvonly", "a=inactive", "a=sendonly", "a=sendrecv"].contains(line);
        let told: Vec<&str> = answer.lines().filter(told).collect();
        ensure!(status == StatusCode::CREATED && told == directions, "{status} {directions:?}:\n{answer}");
    }

    let (status, headers, answer) = send(Method::POST, "/whip/primary-key", &[sdp], fine()).await?;
    ensure!(status == StatusCode::CREATED, "{status} {answer}");
    ensure!(answer.contains("a=ice-lite") && answer.contains(&udp.port().to_string()), "{answer}");
    let of = |headers: &reqwest::header::HeaderMap, name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_string).context("a header is missing")
    };
    let (session, tag) = (of(&headers, LOCATION)?, of(&headers, ETAG)?);

    // Whoever has another key finds no room; whoever has the same begins anew in its place.
    let backup = ("authorization", "Bearer backup-key");
    let (status, headers, said) = send(Method::POST, "/whip", &[sdp, backup], fine()).await?;
    ensure!(
        status == 503 && headers.contains_key("retry-after") && said.contains("sessions_max"),
        "{status} {said}"
    );
    let (status, headers, _) = send(Method::POST, "/whip", &[sdp, primary], fine()).await?;
    ensure!(status == StatusCode::CREATED, "{status}");
    let (old, session, before) = (session, of(&headers, LOCATION)?, tag);
    let tag = of(&headers, ETAG)?;
    ensure!(old != session && before != tag);
    let (status, _, said) = send(Method::DELETE, &old, &[], String::new()).await?;
    ensure!(status == 409 && said.contains("another session"), "{status} {said}");

    let fragment = ("content-type", "application/trickle-ice-sdpfrag");
    let candidate = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\nm=audio 9 X 0\r\na=mid:0\r\n\
        a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n";
    let with = |tag: &'static str| ("if-match", tag);
    let matching: &'static str = tag.clone().leak();
    let listed: &'static str = format!("\"another\", {tag}").leak();
    for (headers, body, status) in [
        (&[fragment, primary][..], candidate, 428),
        (&[fragment, primary, with("\"another\"")], candidate, 412),
        (&[sdp, primary, with(matching)], candidate, 415),
        (&[fragment, backup, with(matching)], candidate, 401),
        (&[fragment, primary, with(matching)], "nothing", 400),
        (&[fragment, primary, with(matching)], candidate, 204),
        (&[fragment, primary, with(listed)], candidate, 204),
    ] {
        let (is, _, said) = send(Method::PATCH, &session, headers, body.to_string()).await?;
        ensure!(is == status, "{is} instead of {status}: {said}");
    }
    let other = candidate.replace("abcd", "wxyz");
    let (status, headers, said) =
        send(Method::PATCH, &session, &[fragment, primary, with("*")], other.clone()).await?;
    ensure!(
        status == 200 && said.contains("a=ice-ufrag:") && said.contains("a=candidate:"),
        "{status} {said}"
    );
    ensure!(of(&headers, ETAG)? != tag);
    let (status, ..) =
        send(Method::PATCH, &session, &[fragment, primary, (IF_MATCH.as_str(), matching)], other).await?;
    ensure!(status == StatusCode::PRECONDITION_FAILED, "{status}");
    for method in [Method::POST, Method::GET, Method::PUT, Method::HEAD] {
        let (status, headers, _) = send(method.clone(), &session, &[primary], String::new()).await?;
        ensure!(
            status == 405 && headers["allow"] == "PATCH, DELETE, OPTIONS",
            "{method}: {status} {headers:?}"
        );
    }
    let (status, headers, _) =
        send(Method::OPTIONS, &session, &[("origin", "https://a.example")], String::new()).await?;
    ensure!(
        status == 204
            && headers["access-control-allow-origin"] == "*"
            && headers["access-control-allow-methods"] == "PATCH, DELETE, OPTIONS"
            && headers["access-control-allow-headers"].to_str()?.contains("if-match")
            && headers["accept-patch"] == fragment.1,
        "{status} {headers:?}"
    );
    ensure!(send(Method::DELETE, &session, &[primary], String::new()).await?.0 == 200);
    let (status, _, said) = send(Method::DELETE, &session, &[primary], String::new()).await?;
    ensure!(status == 404 && said.contains("the encoder ended the feed"), "{status} {said}");
    ensure!(!origin.log().contains("primary-key"), "a stream key in the log:\n{}", origin.log());
    Ok(())
}
