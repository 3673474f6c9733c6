//! Feeds that come by SRT, from programs that are not ours, called and calling.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use railbird_tests::rig::Random;
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;
use tokio::process::{ChildStdin, Command};
use tokio::task::JoinHandle;

use crate::codecs::{h265, made};
use crate::demo::{client, finish, outcome};
use crate::origin::{Origin, Plan, Source, Store, configuration, until};
use crate::play::ffmpeg;
use crate::viewers::Edge;

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
async fn origin(more: &str, feed: &str) -> anyhow::Result<(Origin, Option<SocketAddr>, Store, Edge)> {
    let (store, edge) = (Store::start().await?, Edge::start().await?);
    let (targets, edges) = ([store.target("a")], [edge.url.clone()]);
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
    Ok((origin, address, store, edge))
}

/// The part of a crew's work after a feed: what is played and was recorded is the source.
async fn arrived(origin: &Origin, edge: &Edge, source: &Source) -> anyhow::Result<()> {
    origin.logged("reason=\"the encoder ended the feed\"").await?;
    edge.shows(origin, source).await
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

/// One datagram of so many is lost.
const LOST_ONE_IN: u64 = 20;

/// The last so many bytes of a stream come through, and what is said meanwhile: nobody asks for what nothing follows, and a sender says
/// once that it goes.
const TAIL_LEN: usize = 24 * CHUNK_LEN as usize;

/// A way between encoder and origin on which one datagram of twenty is lost, both ways, up to the last few.
///
/// Which ones are lost depends on nothing but their places: of a data packet, on which it is of the stream and how often it was sent; of
/// what else is said, on how many such datagrams came before it in its direction.
struct Lossy {
    address: SocketAddr,
    so_far: Arc<Mutex<SoFar>>,
    task: JoinHandle<std::io::Result<()>>,
}

/// What came by it so far.
struct SoFar {
    /// How long the stream will be.
    whole_len: usize,
    len: usize,
    /// The sequence number of the first data packet.
    first: Option<u32>,
    /// How often each data packet was sent, by its place in the stream.
    sent: BTreeMap<u32, u64>,
    /// Which data packets were lost, some of them more than once.
    lost: Vec<u32>,
    /// What decides on all else, there and back.
    said: [Random; 2],
}

impl SoFar {
    fn loses(&mut self, direction: usize, datagram: &[u8]) -> bool {
        // The header of a data packet begins with a zero bit and its sequence number (draft-sharabayko-srt-01, 3.1).
        const HEADER_LEN: usize = 16;
        let word = datagram.first_chunk().map_or(u32::MAX, |word| u32::from_be_bytes(*word));
        let is_lost = if direction == THERE && word >> 31 == 0 {
            let nth = word.wrapping_sub(*self.first.get_or_insert(word)) & 0x7fff_ffff;
            let times = self.sent.entry(nth).or_default();
            self.len += if *times == 0 { datagram.len().saturating_sub(HEADER_LEN) } else { 0 };
            *times += 1;
            let is_lost = Random::new((u64::from(nth) << 8) | *times).within(0, LOST_ONE_IN) == 0;
            self.lost.extend(Some(nth).filter(|_| is_lost && !self.is_near_end()));
            is_lost
        } else {
            self.said[direction].within(0, LOST_ONE_IN) == 0
        };
        is_lost && !self.is_near_end()
    }

    fn is_near_end(&self) -> bool {
        self.len + TAIL_LEN > self.whole_len
    }
}

/// From the encoder, and from the origin.
const THERE: usize = 0;
const BACK: usize = 1;

impl Drop for Lossy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lossy {
    /// One for a stream of this length.
    async fn start(to: SocketAddr, whole_len: usize) -> anyhow::Result<Lossy> {
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = near.local_addr()?;
        let said = [THERE, BACK].map(|direction| Random::new(20_261_127 + direction as u64));
        let so_far = SoFar { whole_len, len: 0, first: None, sent: BTreeMap::new(), lost: Vec::new(), said };
        let so_far = Arc::new(Mutex::new(so_far));
        let ours = so_far.clone();
        let task = tokio::spawn(async move {
            let loses = |direction, datagram: &[u8]| {
                ours.lock().unwrap_or_else(PoisonError::into_inner).loses(direction, datagram)
            };
            let mut encoder = None;
            let (mut there, mut back) = ([0; 2048], [0; 2048]);
            loop {
                tokio::select! {
                    read = near.recv_from(&mut there) => {
                        let (len, from) = read?;
                        encoder = Some(from);
                        if !loses(THERE, &there[..len]) {
                            far.send_to(&there[..len], to).await?;
                        }
                    }
                    read = far.recv_from(&mut back) => {
                        let (len, _) = read?;
                        if let Some(encoder) = encoder
                            && !loses(BACK, &back[..len])
                        {
                            near.send_to(&back[..len], encoder).await?;
                        }
                    }
                }
            }
        });
        Ok(Lossy { address, so_far, task })
    }

    /// That it lost packets all along, each third of the stream, and saw as much of it as it was told.
    fn was_tried(&self) -> anyhow::Result<()> {
        let SoFar { whole_len, len, sent, lost, .. } =
            &*self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(len == whole_len, "the stream is {len} bytes long, and not {whole_len}");
        let in_third = |third| lost.iter().filter(|nth| **nth as usize * 3 / sent.len() == third).count();
        let lost_in = [0, 1, 2].map(in_third);
        ensure!(lost_in.iter().all(|lost| *lost > 0), "{lost_in:?} were lost of {} packets", sent.len());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_ffmpeg_sends_is_missing_where_one_datagram_of_twenty_is_lost() -> anyhow::Result<()> {
    let (origin, address, _store, edge) = origin("[srt]\nlisten = \"127.0.0.1:0\"\n", "").await?;
    let source = Source::new(8).await?;
    let file = source.file.with_extension("ts");
    let mut mux = ffmpeg();
    mux.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "mpegts"]).arg(&file);
    finish(mux).await?;
    let len = usize::try_from(std::fs::metadata(file)?.len())?;
    let way = Lossy::start(address.context("it does not listen for SRT")?, len).await?;
    let mut encoder = encoder(&source);
    // Four seconds, in microseconds: time to ask often, also for a machine that has much else to do.
    encoder.arg(format!("srt://{}?streamid=publish:live/primary-key&latency=4000000&linger=60", way.address));
    finish(encoder).await?;
    arrived(&origin, &edge, &source).await?;
    way.was_tried()?;
    let lost = figure(&origin, "railbird_srt_lost_total").await?;
    let again = figure(&origin, "railbird_srt_retransmitted_total").await?;
    ensure!(lost > 0.0 && again > 0.0, "{lost} lost, {again} sent again: the way loses nothing");
    ensure!(figure(&origin, "railbird_srt_dropped_total").await? == 0.0);
    ensure!(figure(&origin, "railbird_srt_latency_seconds").await? == 4.0);
    ensure!(!origin.log().contains("primary-key"), "a stream key in the log:\n{}", origin.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_and_opus_are_played_and_recorded_as_ffmpeg_sent_them() -> anyhow::Result<()> {
    let (origin, address, _store, edge) = origin("[srt]\nlisten = \"127.0.0.1:0\"\n", "").await?;
    let dir = tempfile::tempdir()?;
    let source = h265(dir.path(), &made("hevc.mp4")).await?;
    let mut encoder = encoder(&source);
    let address = address.context("it does not listen for SRT")?;
    encoder.arg(format!("srt://{address}?streamid=primary-key&latency=4000000&linger=60"));
    finish(encoder).await?;
    arrived(&origin, &edge, &source).await
}

/// Packets that carry nothing, without end.
async fn nothing_follows(mut input: ChildStdin) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let chunk = NULL_PACKET.repeat(7);
    while input.write_all(&chunk).await.is_ok() && input.flush().await.is_ok() {
        ticks.tick().await;
    }
}

/// An origin with a passphrase.
const SECRET_SRT: &str = "[srt]\nlisten = \"127.0.0.1:0\"\npassphrase = { file = \"passphrase\" }\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_srt_live_transmit_encrypts_is_recorded_and_whoever_has_no_right_is_told_why()
-> anyhow::Result<()> {
    let (origin, address, _store, edge) = origin(SECRET_SRT, "").await?;
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
    encrypted(&origin, address, &edge, &source, 24).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_srt_live_transmit_encrypts_by_aes_128_is_played_and_recorded() -> anyhow::Result<()> {
    let (origin, address, _store, edge) = origin(SECRET_SRT, "").await?;
    let address = address.context("it does not listen for SRT")?;
    encrypted(&origin, address, &edge, &Source::new(4).await?, 16).await
}

/// srt-live-transmit sends what ffmpeg makes of the source, encrypted by keys of so many bytes, and all of it arrives.
async fn encrypted(
    origin: &Origin,
    address: SocketAddr,
    edge: &Edge,
    source: &Source,
    key_len: usize,
) -> anyhow::Result<()> {
    let id = "#!::r=channel/t,m=publish,u=primary-key";
    let url =
        format!("srt://{address}?streamid={id}&passphrase={PASSPHRASE}&pbkeylen={key_len}&latency=4000");
    let mut transmit = Command::new("srt-live-transmit");
    transmit.args(["-q", "-a:no", "-chunk:1316", "file://con", &url]);
    let mut transmit = transmit.stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
    // What it reads before it is connected, it throws away.
    origin.logged("feed began").await?;
    let mut encode = encoder(source).arg("-").stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut stream = encode.stdout.take().context("no output")?;
    let mut input = transmit.stdin.take().context("no input")?;
    let len = tokio::io::copy(&mut stream, &mut input).await?;
    // It only sends whole chunks, and what it has read it may send only when something follows: something does, as in any stream
    // that goes on.
    let follows = tokio::spawn(nothing_follows(input));
    // It does not always end with its input: it is ended once all of the stream is there.
    let packets = (len / CHUNK_LEN + 1) as f64;
    until("the whole stream is there", async || {
        let came = figure(origin, "railbird_srt_packets_total").await?;
        let useless = figure(origin, "railbird_srt_useless_total").await?;
        Ok((came - useless >= packets).then_some(()))
    })
    .await?;
    follows.abort();
    let id = transmit.id().context("it ended before its input did")?;
    ensure!(Command::new("kill").args(["-TERM", &id.to_string()]).status().await?.success());
    arrived(origin, edge, source).await?;
    ensure!(figure(origin, "railbird_srt_unreadable_total").await? == 0.0);
    ensure!(!origin.log().contains(PASSPHRASE), "a passphrase in the log:\n{}", origin.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_listens_is_called_until_it_is_there() -> anyhow::Result<()> {
    // A port that nobody has: whoever was given it a moment ago is gone.
    let encoder_at = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
    let feed = format!(
        "call = {{ address = \"{encoder_at}\", passphrase = {{ file = \"passphrase\" }}, key_bits = 256, latency_ms = 4000 }}"
    );
    let (origin, none, _store, edge) = origin("", &feed).await?;
    ensure!(none.is_none(), "it listens at {none:?}");
    let source = Source::new(4).await?;
    origin.logged("does the encoder listen at this address").await?;
    let mut encoder = encoder(&source);
    encoder.arg(format!("srt://{encoder_at}?mode=listener&passphrase={PASSPHRASE}&pbkeylen=32&linger=5"));
    finish(encoder).await?;
    arrived(&origin, &edge, &source).await
}
