//! Splice information (SCTE 35) beside the media of a transport stream, up to the playlists of its channel.

use anyhow::{Context, ensure};
use railbird_core::playlist::{self, Wanted};
use railbird_core::state::ChannelState;
use railbird_core::time::MediaSpan;
use railbird_origin::journal;

use crate::demo::{client, finish};
use crate::http_ingest::address;
use crate::origin::{Origin, Plan, Source, Store};
use crate::play::ffmpeg;
use crate::sink::{Sink, listed};

const PACKET: usize = 188;
const SPLICE_PID: u16 = 0x1f0;

/// The CRC of MPEG tables.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 }
        })
    })
}

fn checked(mut section: Vec<u8>) -> Vec<u8> {
    let check = crc(&section);
    section.extend(check.to_be_bytes());
    section
}

/// `splice_insert` of event 9: out of the programme for four seconds, or back to it.
fn splice_insert(out: bool, pts: u64) -> Vec<u8> {
    let time = |at: u64| {
        let [a, b, c, d] = (at as u32).to_be_bytes();
        [0xfe | (at >> 32) as u8 & 1, a, b, c, d]
    };
    let lasts = if out { time(360_000).to_vec() } else { Vec::new() };
    let flags = if out { 0xef } else { 0x4f };
    let command = [&[0, 0, 0, 9, 0x7f, flags][..], &time(pts), &lasts, &[0, 1, 0, 0]].concat();
    let len = (17 + command.len()) as u8;
    let head = [0xfc, 0x30, len, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xf0, command.len() as u8, 5];
    checked([&head[..], &command, &[0, 0]].concat())
}

fn packet(pid: u16, counter: u8, section: &[u8]) -> Vec<u8> {
    let [high, low] = pid.to_be_bytes();
    let mut packet = [&[0x47, 0x40 | high, low, 0x10 | counter, 0][..], section].concat();
    packet.resize(PACKET, 0xff);
    packet
}

/// A PMT packet that names a stream of splice information, too.
fn with_splices(pmt: &[u8]) -> anyhow::Result<Vec<u8>> {
    let begin = 5 + usize::from(pmt[4]);
    let len = usize::from(pmt[begin + 1] & 0x0f) << 8 | usize::from(pmt[begin + 2]);
    let mut section = pmt.get(begin..begin + 3 + len - 4).context("a long PMT")?.to_vec();
    section.extend([0x86, 0xe0 | (SPLICE_PID >> 8) as u8, SPLICE_PID as u8, 0xf0, 0]);
    section[2] = u8::try_from(section.len() + 4 - 3)?;
    let [high, low] = [pmt[1] & 0x1f, pmt[2]];
    Ok(packet(u16::from_be_bytes([high, low]), pmt[3] & 0x0f, &checked(section)))
}

/// The presentation time of a packet that begins a PES packet.
fn pts(packet: &[u8]) -> Option<u64> {
    let stuffing = if packet[3] & 0x20 != 0 { 1 + usize::from(packet[4]) } else { 0 };
    let pes = packet.get(4 + stuffing..).filter(|pes| pes.starts_with(&[0, 0, 1]))?;
    let [a, b, c, d, e] = pes.get(9..14)?.try_into().ok().map(|bytes: [u8; 5]| bytes.map(u64::from))?;
    (pes[7] & 0x80 != 0).then_some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

/// ffmpeg's transport stream of the source with a way out three seconds after its begin, said a second before and twice, and the
/// way back two seconds later.
async fn spliced(source: &Source) -> anyhow::Result<Vec<u8>> {
    const PMT: u16 = 0x1000;
    const VIDEO: u16 = 0x100;
    let file = source.file.with_extension("ts");
    let mut mux = ffmpeg();
    mux.arg("-i").arg(&source.file).args(["-c", "copy", "-f", "mpegts"]).arg(&file);
    finish(mux).await?;
    let (mut bytes, mut first, mut said) = (Vec::new(), None, 0_u8);
    for packet_of in std::fs::read(&file)?.chunks(PACKET) {
        let pid = u16::from_be_bytes([packet_of[1] & 0x1f, packet_of[2]]);
        match pid {
            PMT => bytes.extend(with_splices(packet_of)?),
            _ => bytes.extend(packet_of),
        }
        let Some(shown) = pts(packet_of).filter(|_| pid == VIDEO) else { continue };
        let first = *first.get_or_insert(shown);
        let sections = [(2_000, true, 3_000), (2_500, true, 3_000), (4_500, false, 5_000)];
        if let Some((after, out, at)) = sections.get(usize::from(said))
            && shown >= first + after * 90
        {
            bytes.extend(packet(SPLICE_PID, said, &splice_insert(*out, first + at * 90)));
            said += 1;
        }
    }
    ensure!(said == 3, "only {said} sections");
    Ok(bytes)
}

/// The date ranges of splices.
fn tags(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains("SCTE35")).collect()
}

/// The live playlist that an edge makes of a state.
fn live(state: &ChannelState) -> anyhow::Result<String> {
    let text = playlist::media(state, &"source".parse()?, &["a".parse()?], Wanted::default());
    text.context("no playlist")
}

#[tokio::test(flavor = "multi_thread")]
async fn splice_information_of_a_feed_is_in_the_playlists_and_the_same_at_both_origins() -> anyhow::Result<()>
{
    let (store, source) = (Store::start().await?, Source::new(8).await?);
    let body = spliced(&source).await?;
    let more = "[http_ingest]\nlisten = \"127.0.0.1:0\"\n[pair]\nanchors_at = \"a\"\n";
    let mut told = Vec::new();
    for id in ["north", "south"] {
        let sink = Sink::start(vec![("a", store.dir())]).await?;
        let (targets, edges) = ([store.target("a")], [sink.url.clone()]);
        let plan = Plan { id, title: "T", targets: &targets, edges: &edges, more, files: &[] };
        let origin = Origin::start(&plan).await?;
        let put =
            client()?.put(format!("http://{}/ingest/primary-key", address(&origin)?)).body(body.clone());
        let answer = put.send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        let said =
            |state: &ChannelState| state.splices.len() == 2 && listed(state) >= MediaSpan::from_ms(5_900);
        let state = sink.state("both are told", said).await.with_context(|| origin.log())?;
        let text = live(&state)?;
        told.push(tags(&text).join("\n"));
        // The recording is made of the journal, which a restart reads.
        origin.crew(&["channel", "end", "t"]).await?;
        source.equals(&origin.export().await?).await?;
        let (data, channel) = (origin.file("data"), "t".parse()?);
        let recording = journal::recordings(&data, &channel)?.pop().context("no recording")?;
        let kept = journal::read(&journal::path(&data, &channel, &recording))?;
        ensure!(kept.reel.splices() == state.splices, "{:?}", kept.reel.splices());
    }
    let [north, south] = [&told[0], &told[1]];
    ensure!(north == south, "{north}\n{south}");
    ensure!(
        north.lines().count() == 1 && north.contains(",DURATION=2.000,PLANNED-DURATION=4.000,"),
        "{north}"
    );
    let sections = [splice_insert(true, 0), splice_insert(false, 0)].map(|section| section.len() * 2 + 2);
    for (name, len) in ["SCTE35-OUT=", "SCTE35-IN="].into_iter().zip(sections) {
        let value = north.split(name).nth(1).and_then(|rest| rest.split(',').next()).context("no section")?;
        ensure!(value.starts_with("0xFC30") && value.len() == len, "{north}");
    }
    Ok(())
}
