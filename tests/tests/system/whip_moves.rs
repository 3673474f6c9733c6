//! An encoder by WHIP whose address and SSRC change while it sends: `str0m` with a socket and a stream of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use railbird_core::rtp::stun;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use str0m::change::SdpAnswer;
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;

use crate::demo::{PATIENCE, client, finish};
use crate::origin::frames;
use crate::play::ffmpeg;
use crate::whip::{decoded, played};

/// Pictures a second, and from one key frame to the next.
const FPS: u64 = 25;
const GOP: usize = 12;

/// One access unit of H.264 for each picture, of which the last one is followed by the first; and what each looks like.
async fn pictures() -> anyhow::Result<(Vec<Vec<u8>>, Vec<String>)> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("pictures.h264");
    let mut encode = ffmpeg();
    encode.args(["-f", "lavfi", "-i", &format!("testsrc2=size=320x180:rate={FPS}")]);
    encode.args(["-frames:v", &(GOP * 4).to_string(), "-c:v", "libx264", "-preset", "ultrafast"]);
    encode.args(["-profile:v", "baseline", "-pix_fmt", "yuv420p", "-g", &GOP.to_string(), "-bf", "0"]);
    encode.args(["-x264-params", "aud=1:scenecut=0:repeat-headers=1:level=3.1"]).arg(&file);
    finish(encode).await?;
    let bytes = std::fs::read(&file)?;
    // Each begins with a delimiter.
    const DELIMITER: [u8; 5] = [0, 0, 0, 1, 9];
    let begins: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&DELIMITER)).collect();
    let ends = begins.iter().skip(1).copied().chain([bytes.len()]);
    let units: Vec<_> = begins.iter().zip(ends).map(|(from, to)| bytes[*from..to].to_vec()).collect();
    let looks = frames(&file).await?;
    ensure!(units.len() == GOP * 4 && looks.len() == units.len(), "{} pictures", units.len());
    Ok((units, looks))
}

async fn socket() -> anyhow::Result<UdpSocket> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?)
}

struct Encoder {
    rtc: Rtc,
    /// Where it believes to be, whatever it sends from.
    local: SocketAddr,
    socket: UdpSocket,
    to: SocketAddr,
    video: Mid,
    payload_type: Pt,
    connected: bool,
    pictures: Vec<Vec<u8>>,
    looks: Vec<String>,
    sent: usize,
    /// The next picture's timestamp, and when it is due.
    time: u64,
    due: Instant,
    /// The last request of its that says that its way is the one to use.
    nomination: Option<Vec<u8>>,
}

impl Encoder {
    /// Begins a session with the origin that takes offers there. The session's address, too.
    async fn begin(whip: &str, to: SocketAddr) -> anyhow::Result<(Encoder, String)> {
        let (pictures, looks) = pictures().await?;
        let socket = socket().await?;
        let local = socket.local_addr()?;
        let provider = std::sync::Arc::new(str0m::crypto::from_feature_flags());
        let config = Rtc::builder().set_crypto_provider(provider).clear_codecs().enable_h264(true);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let mut changes = rtc.sdp_api();
        let video = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, pending) = changes.apply().context("nothing to offer")?;
        let request = client()?.post(format!("{whip}/whip")).bearer_auth("primary-key");
        let request = request.header(CONTENT_TYPE, "application/sdp").body(offer.to_sdp_string());
        let answer = request.send().await?.error_for_status()?;
        let session = answer.headers().get(LOCATION).context("no session")?.to_str()?.to_string();
        let answer = SdpAnswer::from_sdp_string(&answer.text().await?)?;
        rtc.sdp_api().accept_answer(pending, answer)?;
        let writer = rtc.writer(video).context("nothing is to be sent")?;
        let known = writer
            .payload_params()
            .find(|params| params.spec().codec == Codec::H264)
            .map(|params| params.pt());
        drop(writer);
        let payload_type = known.context("H.264 was not agreed on")?;
        let (time, due) = (4_000_000_000, Instant::now());
        let encoder = Encoder {
            rtc,
            local,
            socket,
            to,
            video,
            payload_type,
            connected: false,
            pictures,
            looks,
            sent: 0,
            time,
            due,
            nomination: None,
        };
        Ok((encoder, format!("{whip}{session}")))
    }

    /// Sends until this is so of it and the datagram that came last.
    async fn until(&mut self, mut is: impl FnMut(&Encoder, &[u8]) -> bool) -> anyhow::Result<()> {
        let done = async {
            loop {
                let came = self.step().await?;
                if is(self, &came) {
                    return anyhow::Ok(());
                }
            }
        };
        tokio::time::timeout(PATIENCE, done).await.context("what was waited for does not come")?
    }

    /// Does what there is to do, and gives what came.
    async fn step(&mut self) -> anyhow::Result<Vec<u8>> {
        let due = loop {
            match self.rtc.poll_output()? {
                Output::Timeout(due) => break due,
                Output::Transmit(sent) => {
                    if stun::nomination(&sent.contents).is_some() {
                        self.nomination = Some(sent.contents.to_vec());
                    }
                    self.socket.send_to(&sent.contents, sent.destination).await?;
                }
                Output::Event(Event::Connected) => (self.connected, self.due) = (true, Instant::now()),
                Output::Event(_) => {}
            }
        };
        if self.connected && Instant::now() >= self.due {
            self.picture()?;
            return Ok(Vec::new());
        }
        let due = if self.connected { due.min(self.due) } else { due };
        let mut buffer = [0; 2048];
        tokio::select! {
            read = self.socket.recv_from(&mut buffer) => {
                let (len, from) = read?;
                let receive = Receive::new(Protocol::Udp, from, self.local, &buffer[..len])?;
                let input = Input::Receive(Instant::now(), receive);
                if self.rtc.accepts(&input) {
                    self.rtc.handle_input(input)?;
                }
                Ok(buffer[..len].to_vec())
            }
            () = tokio::time::sleep_until(due.into()) => {
                self.rtc.handle_input(Input::Timeout(Instant::now()))?;
                Ok(Vec::new())
            }
        }
    }

    fn picture(&mut self) -> anyhow::Result<()> {
        let data = self.pictures[self.sent % self.pictures.len()].clone();
        let (now, time) = (Instant::now(), MediaTime::new(self.time, Frequency::NINETY_KHZ));
        let writer = self.rtc.writer(self.video).context("nothing is to be sent any more")?;
        writer.write(self.payload_type, now, time, data)?;
        self.sent += 1;
        self.time += 90_000 / FPS;
        self.due += Duration::from_millis(1000 / FPS);
        Ok(())
    }

    /// Sends so many pictures, and on until so many datagrams with something in them came.
    async fn sends(&mut self, pictures: usize, datagrams: usize) -> anyhow::Result<()> {
        let (until, mut came) = (self.sent + pictures, 0);
        self.until(|encoder, datagram| {
            came += usize::from(!datagram.is_empty() && !stun::is_message(datagram));
            encoder.sent >= until && came >= datagrams
        })
        .await
    }
}

/// What a socket has, and that is no STUN.
fn waiting(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 2048];
    let came =
        std::iter::from_fn(|| socket.try_recv(&mut buffer).ok().map(|len| stun::is_message(&buffer[..len])));
    came.filter(|is_stun| !is_stun).count()
}

/// A request as this one, from somebody who does not know the password.
fn forged(request: &[u8]) -> Vec<u8> {
    // FINGERPRINT is last, with four bytes of value, and before it is what the password is needed for (RFC 8489, 14.5 and 14.7).
    let mut forged = request.to_vec();
    let end = forged.len() - 8;
    forged[end - 1] ^= 1;
    let mut crc = u32::MAX;
    for byte in &forged[..end] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let value = !crc ^ 0x5354_554e;
    forged[end + 4..].copy_from_slice(&value.to_be_bytes());
    forged
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_whose_address_and_ssrc_change_goes_on_and_nobody_else_can_take_its_place()
-> anyhow::Result<()> {
    let (origin, whip, udp, _store, edge) = played().await?;
    let (mut encoder, session) = Encoder::begin(&whip, udp).await?;
    encoder.sends(50, 5).await?;

    // Somebody who has seen its requests and has no password: the origin has nothing for them.
    let stranger = socket().await?;
    let request = encoder.nomination.clone().context("it named no way")?;
    stranger.send_to(&forged(&request), encoder.to).await?;
    encoder.sends(25, 5).await?;
    let mut buffer = [0; 2048];
    ensure!(stranger.try_recv(&mut buffer).is_err(), "the origin answers a stranger");

    // Nor does a packet of another SSRC that is not the encoder's change anything, even one that claims its address.
    let (pt, mut packet) = (*encoder.payload_type, [0; 64]);
    (packet[0], packet[1], packet[11]) = (0x80, pt, 61);
    for number in 0..20 {
        packet[3] = number;
        encoder.socket.send_to(&packet, encoder.to).await?;
    }
    encoder.sends(25, 5).await?;

    // The way between them gives it another address. The origin hears of it with the next request, and then sends nothing more there.
    let before = std::mem::replace(&mut encoder.socket, socket().await?);
    let moved = encoder.sent;
    encoder.until(|_, datagram| stun::answered(datagram).is_some()).await?;
    let found = encoder.sent;
    waiting(&before);
    encoder.sends(50, 5).await?;
    ensure!(waiting(&before) == 0, "the origin still sends where the encoder was");
    ensure!(stranger.try_recv(&mut buffer).is_err(), "the origin sends a stranger something");

    // Its track begins anew: another SSRC, and timestamps of two seconds ago. And so once more.
    for (source, again) in [(71, 72), (81, 82)] {
        encoder.time -= 180_000;
        let mut streams = encoder.rtc.direct_api();
        let changed = streams.reset_stream_tx(encoder.video, None, source.into(), Some(again.into()));
        ensure!(changed.is_some(), "the SSRC stays");
        encoder.sends(50, 5).await?;
    }
    client()?.delete(&session).bearer_auth("primary-key").send().await?.error_for_status()?;
    origin.logged("feed ended").await?;

    let log = origin.log();
    ensure!(log.matches("with another SSRC").count() == 2, "{log}");
    ensure!(log.matches("feed began").count() == 1, "{log}");
    let live = edge.ended(&origin, &["source"]).await?;
    let shown = decoded(&origin.export().await?, "0:v:0").await?;
    let back = shown.windows(2).position(|pair| pair[0].0 >= pair[1].0);
    ensure!(back.is_none(), "the time goes back after {back:?}: {shown:?}\n{log}");
    // What was sent before the origin knew the new address is lost, and what depends on it or on what a change cut off, up to the next
    // key frame.
    let most = encoder.sent - (found - moved) - 4 * GOP;
    ensure!(shown.len() >= most, "{} pictures of {}, {most} at least:\n{log}", shown.len(), encoder.sent);

    // Each of them is what was sent, and follows on the one before it; but for a key frame behind what was lost at the three changes.
    let looks: Vec<String> = shown.into_iter().map(|(_, hash)| hash).collect();
    let places = looks.iter().map(|hash| encoder.looks.iter().position(|of| of == hash));
    let places: Vec<usize> = places.collect::<Option<_>>().context("a picture that was not sent")?;
    let follows = |pair: &&[usize]| pair[1] == (pair[0] + 1) % encoder.looks.len();
    let jumps: Vec<_> = places.windows(2).filter(|pair| !follows(pair)).collect();
    ensure!(jumps.len() <= 3 && jumps.iter().all(|jump| jump[1] % GOP == 0), "{jumps:?}: {places:?}\n{log}");
    let played = frames(Path::new(&live.main())).await?;
    ensure!(played == looks, "{} pictures are played of {}\n{log}", played.len(), looks.len());
    Ok(())
}
