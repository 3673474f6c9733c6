//! Feeds that come by SRT, from programs that are not ours, called and calling.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::process::{ChildStdin, Command};
use tokio::task::JoinHandle;

use crate::demo::{client, finish, outcome};
use crate::origin::{Origin, Plan, Source, Store, configuration, until};
use crate::play::ffmpeg;
use crate::sink::Sink;

const PASSPHRASE: &str = "a-passphrase-of-the-venue";

/// What srt-live-transmit sends at once.
const CHUNK_LEN: u64 = 1316;

/// What a packet of a transport stream is that says nothing.
const NULL_PACKET: [u8; 188] = {
    let mut packet = [0xff; 188];
    [packet[0], packet[1], packet[2], packet[3]] = [0x47, 0x1f, 0xff, 0x10];
    packet
};

/// An origin with these tables, whose primary feed has this setting, and where it listens for SRT.
async fn origin(more: &str, feed: &str) -> anyhow::Result<(Origin, Option<SocketAddr>, Store, Sink)> {
    let store = Store::start().await?;
    let sink = Sink::start(vec![("a", store.dir())]).await?;
    let (targets, edges) = ([store.target("a")], [sink.url.clone()]);
    let files = [("passphrase", PASSPHRASE)];
    let plan = Plan { id: "north", title: "T", targets: &targets, edges: &edges, more, files: &files };
    let primary = "{ file = \"primary\" }\n";
    let any = ["127.0.0.1:0"; 2];
    let configured =
        configuration(&plan, "", &targets, any).replacen(primary, &format!("{primary}{feed}\n"), 1);
    let origin = Origin::start_by(&configured, &files).await?;
    let api = origin.api.trim_start_matches("http://");
    std::fs::write(origin.file("crew.toml"), configuration(&plan, "", &targets, [any[0], api]))?;
    let log = origin.log();
    let address = log.split("srt=").nth(1).and_then(|rest| rest.split(' ').next());
    let address = address.context("it says nothing of SRT")?.trim_matches('"').parse().ok();
    Ok((origin, address, store, sink))
}

/// The part of a crew's work after a feed: what was recorded is the source.
async fn recorded(origin: &Origin, source: &Source) -> anyhow::Result<()> {
    origin.logged("reason=\"the encoder ended the feed\"").await?;
    origin.crew(&["channel", "end", "t"]).await?;
    source.equals(&origin.export().await?).await
}

/// The sum of a figure over all feeds.
pub(crate) async fn figure(origin: &Origin, name: &str) -> anyhow::Result<f64> {
    let text = client()?.get(format!("{}/metrics", origin.api)).send().await?.text().await?;
    let values = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let values: Vec<f64> = values.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    ensure!(!values.is_empty(), "no {name} in\n{text}");
    Ok(values.iter().sum())
}

/// ffmpeg, which sends the source as it would live.
fn encoder(source: &Source) -> Command {
    let mut encoder = ffmpeg();
    encoder.arg("-re").arg("-i").arg(&source.file).args(["-c", "copy", "-f", "mpegts"]);
    encoder
}

/// So many data packets meet losses.
const LOSSY: u32 = 100;

/// A way between encoder and origin on which one datagram of twenty is lost, both ways, as long as the stream begins. The last ones
/// come through: nobody asks for what nothing follows, and a sender says once that it goes.
struct Lossy {
    address: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lossy {
    async fn start(to: SocketAddr) -> anyhow::Result<Lossy> {
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = near.local_addr()?;
        let task = tokio::spawn(async move {
            let (mut encoder, mut data, mut state) = (None, 0, 20_261_127_u64);
            let mut lost = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % 20 == 0
            };
            let (mut there, mut back) = ([0; 2048], [0; 2048]);
            loop {
                tokio::select! {
                    read = near.recv_from(&mut there) => {
                        let (len, from) = read?;
                        encoder = Some(from);
                        data += u32::from(there[0] & 0x80 == 0);
                        if data > LOSSY || !lost() {
                            far.send_to(&there[..len], to).await?;
                        }
                    }
                    read = far.recv_from(&mut back) => {
                        let (len, _) = read?;
                        if let Some(encoder) = encoder
                            && (data > LOSSY || !lost())
                        {
                            near.send_to(&back[..len], encoder).await?;
                        }
                    }
                }
            }
        });
        Ok(Lossy { address, task })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_ffmpeg_sends_is_missing_where_one_datagram_of_twenty_is_lost() -> anyhow::Result<()> {
    let (origin, address, _store, _sink) = origin("[srt]\nlisten = \"127.0.0.1:0\"\n", "").await?;
    let way = Lossy::start(address.context("it does not listen for SRT")?).await?;
    let source = Source::new(4).await?;
    let mut encoder = encoder(&source);
    // A second and a half, in microseconds: time to ask often.
    encoder.arg(format!("srt://{}?streamid=publish:live/primary-key&latency=1500000&linger=5", way.address));
    finish(encoder).await?;
    recorded(&origin, &source).await?;
    let lost = figure(&origin, "railbird_srt_lost_total").await?;
    let again = figure(&origin, "railbird_srt_retransmitted_total").await?;
    ensure!(lost > 0.0 && again > 0.0, "{lost} lost, {again} sent again: the way loses nothing");
    ensure!(figure(&origin, "railbird_srt_dropped_total").await? == 0.0);
    ensure!(figure(&origin, "railbird_srt_latency_seconds").await? == 1.5);
    ensure!(!origin.log().contains("primary-key"), "a stream key in the log:\n{}", origin.log());
    Ok(())
}

/// Packets that carry nothing, without end.
async fn nothing_follows(mut input: ChildStdin) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let chunk = NULL_PACKET.repeat(7);
    while input.write_all(&chunk).await.is_ok() && input.flush().await.is_ok() {
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_srt_live_transmit_encrypts_is_recorded_and_whoever_has_no_right_is_told_why()
-> anyhow::Result<()> {
    let srt = "[srt]\nlisten = \"127.0.0.1:0\"\npassphrase = { file = \"passphrase\" }\n";
    let (origin, address, _store, _sink) = origin(srt, "").await?;
    let address = address.context("it does not listen for SRT")?;
    let source = Source::new(4).await?;
    for (query, reason) in [
        (
            "streamid=primary-key&passphrase=another-passphrase",
            "the encoder's passphrase is not the one of [srt]",
        ),
        ("streamid=primary-key", "the encoder sends without a passphrase"),
        ("streamid=other-key&passphrase=another-passphrase", "unknown stream key"),
        ("passphrase=another-passphrase", "the stream id has no stream key"),
    ] {
        let mut refused = encoder(&source);
        refused.arg(format!("srt://{address}?{query}"));
        let (ok, text) = outcome(refused).await?;
        ensure!(!ok, "{query} was let in: {text}");
        origin.logged(reason).await?;
    }
    let mut encode = encoder(&source).arg("-").stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let id = "#!::r=channel/t,m=publish,u=primary-key";
    let url = format!("srt://{address}?streamid={id}&passphrase={PASSPHRASE}&pbkeylen=24&latency=1000");
    let mut transmit = Command::new("srt-live-transmit");
    transmit.args(["-q", "-a:no", "-chunk:1316", "file://con", &url]);
    let mut transmit = transmit.stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut stream = encode.stdout.take().context("no output")?;
    let mut input = transmit.stdin.take().context("no input")?;
    let len = tokio::io::copy(&mut stream, &mut input).await?;
    // It only sends whole chunks, and what it has read it may send only when something follows: something does, as in any stream
    // that goes on.
    let follows = tokio::spawn(nothing_follows(input));
    // It does not always end with its input: it is ended once all of the stream is there.
    let packets = (len / CHUNK_LEN + 1) as f64;
    until("the whole stream is there", async || {
        let came = figure(&origin, "railbird_srt_packets_total").await?;
        let useless = figure(&origin, "railbird_srt_useless_total").await?;
        Ok((came - useless >= packets).then_some(()))
    })
    .await?;
    follows.abort();
    let id = transmit.id().context("it ended before its input did")?;
    ensure!(Command::new("kill").args(["-TERM", &id.to_string()]).status().await?.success());
    recorded(&origin, &source).await?;
    ensure!(figure(&origin, "railbird_srt_unreadable_total").await? == 0.0);
    ensure!(!origin.log().contains(PASSPHRASE), "a passphrase in the log:\n{}", origin.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_listens_is_called_until_it_is_there() -> anyhow::Result<()> {
    // A port that nobody has: whoever was given it a moment ago is gone.
    let encoder_at = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
    let feed = format!(
        "call = {{ address = \"{encoder_at}\", passphrase = {{ file = \"passphrase\" }}, key_bits = 256, latency_ms = 1000 }}"
    );
    let (origin, none, _store, _sink) = origin("", &feed).await?;
    ensure!(none.is_none(), "it listens at {none:?}");
    let source = Source::new(4).await?;
    origin.logged("does the encoder listen at this address").await?;
    let mut encoder = encoder(&source);
    encoder.arg(format!("srt://{encoder_at}?mode=listener&passphrase={PASSPHRASE}&pbkeylen=32&linger=5"));
    finish(encoder).await?;
    recorded(&origin, &source).await
}
