//! One session, and the feed that comes by it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use railbird_core::media::{FeedEvent, Kind};
use railbird_core::programme;
use railbird_core::rtp::sdp::{self, Credentials, Offer};
use railbird_core::rtp::{Codec, Demux, Error, HELD_LEN_MAX, Held, Keys, Report, Unit};
use railbird_core::time::{MediaSpan, MediaTime};
use str0m::media::{KeyframeRequestKind, MediaData, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RawPacket, RtpHeader};
use str0m::stats::MediaIngressStats;
use str0m::{Event, Input, Output, Rtc, RtcError, format};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Around;
use super::answer::{self, Agreed};
use super::table::{Datagram, Ended, Order, Restarted, Seat};
use crate::clock;
use crate::ingest::door::Slot;
use crate::ingest::feed::Feed;
use crate::telemetry::{self, SessionMetrics};

/// How long it may take from the answer to the first media, and from there to what follows.
const BEGIN_DEADLINE: Duration = Duration::from_secs(20);

/// How long nothing may come. An encoder whose network changed restarts ICE meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// A session whose encoder can't be told that it ends ends all the same.
const CLOSE_STEPS_MAX: usize = 64;

/// From so many addresses a session may be looked for before ICE is restarted.
const SOURCES_MAX: usize = 64;

/// So many parameters are kept before the first frame.
const TOLD_MAX: usize = 4;

/// So many outputs are handled before others have their turn.
const OUTPUTS_MAX: usize = 256;

pub(super) struct Session {
    rtc: Rtc,
    offer: Offer,
    key: String,
    peer: String,
    seat: Seat,
    around: Around,
    slot: Slot,
    demux: Demux,
    publishing: Option<Publishing>,
    video: Option<Mid>,
    /// A packet of pictures made no sense: what comes next does not follow.
    missing: bool,
    /// What is kept of pictures that never end.
    held: Held,
    /// What was told before there was something to publish: parameters.
    told: Vec<FeedEvent>,
    /// Addresses from which the session was looked for, since ICE began.
    sources: HashSet<SocketAddr>,
    keys: Keys,
    /// Where the newest picture lies, and when it arrived.
    newest: Option<(MediaTime, Instant)>,
    heard: Instant,
    /// When media came last.
    fed: Instant,
    figures: telemetry::Session,
    /// Packets, bytes and NACKs of each track.
    ingress: Vec<(Mid, [u64; 3])>,
}

/// The feed, once media has come.
struct Publishing {
    feed: Feed,
    ended: CancellationToken,
    metrics: SessionMetrics,
    told: telemetry::Session,
}

/// How a session is over.
struct Over {
    end: programme::End,
    reason: String,
    /// Another encoder has its place.
    replaced: bool,
    /// Whoever waits to hear that it is.
    waits: Option<oneshot::Sender<()>>,
}

fn lost(reason: impl Into<String>) -> Over {
    Over { end: programme::End::Lost, reason: reason.into(), replaced: false, waits: None }
}

fn replaced(reason: &str) -> Over {
    Over { replaced: true, ..lost(reason) }
}

fn in_order(reason: &str, waits: Option<oneshot::Sender<()>>) -> Over {
    Over { end: programme::End::InOrder, waits, ..lost(reason) }
}

impl From<RtcError> for Over {
    fn from(error: RtcError) -> Over {
        lost(format!("the session broke off: {error}"))
    }
}

impl Session {
    pub(super) fn new(agreed: Agreed, key: &str, peer: &str, seat: Seat, around: Around) -> Session {
        let Agreed { rtc, offer, .. } = agreed;
        Session {
            rtc,
            offer,
            key: key.to_string(),
            peer: peer.to_string(),
            seat,
            around,
            slot: Slot::default(),
            demux: Demux::new(),
            publishing: None,
            video: None,
            missing: false,
            held: Held::default(),
            told: Vec::new(),
            sources: HashSet::new(),
            // Until the channel is known, only what is lost is asked for.
            keys: Keys::new(u32::MAX),
            newest: None,
            heard: Instant::now(),
            fed: Instant::now(),
            figures: telemetry::Session::default(),
            ingress: Vec::new(),
        }
    }

    /// Takes the session to its end.
    pub(super) async fn run(mut self) {
        let begun = Instant::now();
        let Over { end, reason, replaced, waits } = loop {
            if let Err(over) = self.step(begun).await {
                break over;
            }
        };
        self.close();
        self.seat.ended = Ended { reason: reason.clone(), replaced };
        match self.publishing.take() {
            Some(mut publishing) => {
                publishing.metrics.session(&self.figures, &mut publishing.told);
                publishing.feed.end(end, &reason);
            }
            None => tracing::info!(peer = self.peer, reason, "a WHIP session ended before media came"),
        }
        drop(self.seat);
        if let Some(waits) = waits {
            let _ = waits.send(());
        }
    }

    /// Does what there is to do, and waits for something to happen.
    async fn step(&mut self, begun: Instant) -> Result<(), Over> {
        self.ask();
        let due = self.outputs()?;
        let silent = match &self.publishing {
            Some(_) => (self.heard + SILENCE_MAX).min(self.fed + BEGIN_DEADLINE),
            None => begun + BEGIN_DEADLINE,
        };
        let ended = self.publishing.as_ref().map(|publishing| publishing.ended.clone());
        let taken_over = async {
            match &ended {
                Some(ended) => ended.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let stop = self.around.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => return Err(lost("the origin is stopping: come back")),
            () = taken_over => {
                return Err(replaced("the feed was taken over by a newer connection with the same stream key"));
            }
            order = self.seat.orders.recv() => match order {
                Some(Order::Restart(credentials, answered)) => {
                    // Whoever asked may be gone.
                    let _ = answered.send(self.restart(credentials));
                }
                Some(Order::End(waits)) => {
                    return Err(in_order("the encoder ended the feed", Some(waits)));
                }
                None => return Err(replaced("the encoder began another session")),
            },
            Some(datagram) = self.seat.inbox.recv() => self.datagram(&datagram)?,
            () = tokio::time::sleep_until(due.min(silent).into()) => {
                let now = Instant::now();
                if now >= silent {
                    return Err(lost(match self.publishing {
                        Some(_) if now >= self.heard + SILENCE_MAX => "nothing came for 15 s",
                        Some(_) => "no media came for 20 s: is the camera still on?",
                        None => "no media came within 20 s: the encoder must reach whip.addresses by UDP",
                    }));
                }
                self.rtc.handle_input(Input::Timeout(now))?;
            }
        }
        Ok(())
    }

    /// Handles what comes of the last input, and says when there is something to do again.
    fn outputs(&mut self) -> Result<Instant, Over> {
        for _ in 0..OUTPUTS_MAX {
            let output = match self.rtc.poll_output() {
                Ok(output) => output,
                // A packet that made no sense costs what it was a part of, and no more.
                Err(RtcError::Packet(mid, _, error)) => {
                    if Some(mid) == self.video {
                        self.missing = true;
                        self.held.failed();
                        self.is_bounded()?;
                    }
                    tracing::debug!(peer = self.peer, %error, "a packet makes no sense");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match output {
                Output::Timeout(due) => return Ok(due),
                Output::Transmit(sent) => self.around.send(&sent.contents, sent.destination),
                Output::Event(event) => self.event(event)?,
            }
        }
        Ok(Instant::now())
    }

    fn datagram(&mut self, (from, bytes): &Datagram) -> Result<(), Over> {
        let Some(destination) = self.destination(*from) else { return Ok(()) };
        let Ok(receive) = Receive::new(Protocol::Udp, *from, destination, bytes) else { return Ok(()) };
        let now = Instant::now();
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return Ok(());
        }
        if bytes.first().is_some_and(|first| *first < 4) {
            // Each is one more candidate to ICE, which forgets none.
            if !self.sources.contains(from) && self.sources.len() >= SOURCES_MAX {
                return Ok(());
            }
            self.sources.insert(*from);
            self.seat.claim(*from);
        }
        self.heard = now;
        self.rtc.handle_input(input)?;
        Ok(())
    }

    /// Which of our addresses a datagram from there came to, as far as ICE needs to know.
    fn destination(&self, from: SocketAddr) -> Option<SocketAddr> {
        self.around.addresses.iter().find(|address| address.is_ipv4() == from.is_ipv4()).copied()
    }

    fn event(&mut self, event: Event) -> Result<(), Over> {
        match event {
            Event::Connected => tracing::debug!(peer = self.peer, "a WHIP session is connected"),
            Event::MediaAdded(added) if added.kind.is_video() => self.video = Some(added.mid),
            Event::MediaData(data) => self.media(data)?,
            Event::RawPacket(packet) => {
                if let RawPacket::RtpRx(header, media) = *packet {
                    self.packet(&header, &media);
                }
            }
            Event::MediaIngressStats(figures) => self.figures(&figures),
            Event::Closed => return Err(in_order("the encoder closed the connection", None)),
            _ => {}
        }
        Ok(())
    }

    /// A packet of media came, decrypted.
    fn packet(&mut self, header: &RtpHeader, media: &[u8]) {
        let of = self.rtc.codec_config().params().iter().find_map(|params| {
            let again = params.resend() == Some(header.payload_type);
            let is_ours = again || params.pt() == header.payload_type;
            (is_ours && params.spec().codec == format::Codec::H264).then_some(again)
        });
        match (of, media) {
            // RFC 4588, 4: what is sent again says which one it was.
            (Some(true), [high, low, media @ ..]) => {
                self.held.packet(u16::from_be_bytes([*high, *low]), media.len());
            }
            (Some(false), media) => self.held.packet(header.sequence_number, media.len()),
            _ => {}
        }
    }

    /// Whether no more is held than may be.
    fn is_bounded(&self) -> Result<(), Over> {
        if self.held.len() <= HELD_LEN_MAX {
            return Ok(());
        }
        let most = HELD_LEN_MAX >> 20;
        Err(lost(format!(
            "the encoder begins fragments of pictures (FU-A) and ends none: {most} MiB are held"
        )))
    }

    fn media(&mut self, data: MediaData) -> Result<(), Over> {
        let codec = match data.params.spec().codec {
            format::Codec::H264 => Codec::H264,
            format::Codec::Av1 => Codec::Av1,
            format::Codec::Opus => Codec::Opus,
            // Nothing else was agreed on.
            _ => return Ok(()),
        };
        if codec == Codec::H264 {
            // Only their last 16 bits were sent.
            let [first, last] = [data.seq_range.start(), data.seq_range.end()].map(|number| **number as u16);
            self.held.unit((first, last), data.data.len());
            self.is_bounded()?;
        }
        let report = data.last_sender_info.and_then(|info| {
            let wall = info.ntp_time.duration_since(std::time::UNIX_EPOCH).ok()?;
            let wall_us = u64::try_from(wall.as_micros()).ok()?;
            Some(Report { wall_us, time: info.rtp_time.numer() })
        });
        let unit = Unit {
            codec,
            time: data.time.numer(),
            follows: data.contiguous && !(codec.kind() == Kind::Video && std::mem::take(&mut self.missing)),
            report,
            data: Bytes::from_owner(data.data),
        };
        self.fed = Instant::now();
        self.demux.handle(unit, clock::now());
        while let Some(told) = self.demux.poll() {
            self.told(told)?;
        }
        let counts = self.demux.counts();
        (self.figures.gaps, self.figures.undecodable) = (counts.gaps, counts.undecodable);
        Ok(())
    }

    /// Hands on what the media became. The feed begins with the first frame: a session that brings none takes nothing over.
    fn told(&mut self, told: Result<FeedEvent, Error>) -> Result<(), Over> {
        if self.publishing.is_none() {
            match &told {
                Ok(FeedEvent::Frame(_)) => {}
                Ok(event) => {
                    if self.told.len() < TOLD_MAX {
                        self.told.push(event.clone());
                    }
                    return Ok(());
                }
                Err(Error::Skip(_)) => return Ok(()),
                Err(refused) => return Err(lost(refused.to_string())),
            }
            let let_in = self.around.door.let_in(&mut self.slot, &self.key, &self.peer);
            let feed = let_in.map_err(|refusal| lost(refusal.to_string()))?;
            self.seat.publishes();
            self.keys = Keys::new(feed.segment_ms());
            self.publishing = Some(Publishing {
                ended: feed.ended(),
                metrics: feed.session_metrics(),
                told: telemetry::Session::default(),
                feed,
            });
            for before in std::mem::take(&mut self.told) {
                self.told(Ok(before))?;
            }
        }
        let Some(publishing) = self.publishing.as_mut() else { return Ok(()) };
        let picture = match &told {
            Ok(FeedEvent::Frame(frame)) if frame.kind == Kind::Video => {
                Some((frame.dts_ms, frame.cts, frame.key))
            }
            _ => None,
        };
        publishing.feed.take(told).map_err(|error| lost(error.to_string()))?;
        if let Some((dts_ms, cts, key)) = picture
            && let Some(at) = publishing.feed.place(dts_ms)
        {
            let at = MediaTime(at.0.saturating_add_signed(i64::from(cts)));
            self.newest = Some((at, Instant::now()));
            if key {
                self.keys.key(at);
            }
        }
        Ok(())
    }

    /// Asks for a key frame, where it is time.
    fn ask(&mut self) {
        let Some(video) = self.video else { return };
        if self.demux.awaits_key() {
            self.keys.lost();
        } else if self.newest.is_none() {
            return;
        }
        let now = match self.newest {
            Some((at, arrived)) => {
                let since = i64::try_from(arrived.elapsed().as_millis()).unwrap_or(i64::MAX);
                at + MediaSpan::from_ms(since)
            }
            None => clock::now().media(),
        };
        if !self.keys.ask(now) {
            return;
        }
        self.figures.asked += 1;
        let Some(mut writer) = self.rtc.writer(video) else { return };
        let pli = writer.is_request_keyframe_possible(KeyframeRequestKind::Pli);
        let kind = if pli { KeyframeRequestKind::Pli } else { KeyframeRequestKind::Fir };
        // An encoder that agreed on neither keeps its own rhythm.
        let _ = writer.request_keyframe(None, kind);
    }

    /// ICE begins anew: the encoder is at another address, or was not heard.
    fn restart(&mut self, credentials: Credentials) -> Result<Restarted, String> {
        let mut offer = self.offer.clone();
        offer.restart(credentials);
        let answer = answer::accept(&mut self.rtc, &offer).map_err(|error| error.to_string())?;
        self.offer = offer;
        self.sources.clear();
        let fragment = answer::fragment(&mut self.rtc);
        let tag = self.seat.restart(&fragment);
        self.figures.restarts += 1;
        self.heard = Instant::now();
        self.fed = Instant::now();
        tracing::info!(peer = self.peer, "an encoder restarts ICE");
        Ok(Restarted { fragment: sdp::restarted(&answer), tag })
    }

    fn figures(&mut self, of_track: &MediaIngressStats) {
        let now = [of_track.packets, of_track.bytes, of_track.nacks];
        match self.ingress.iter_mut().find(|(mid, _)| *mid == of_track.mid) {
            Some((_, known)) => *known = now,
            None => self.ingress.push((of_track.mid, now)),
        }
        let sum = |at: usize| self.ingress.iter().filter_map(|(_, known)| known.get(at)).sum();
        self.figures.dropped = self.seat.dropped.load(Ordering::Relaxed);
        (self.figures.packets, self.figures.bytes, self.figures.nacks) = (sum(0), sum(1), sum(2));
        let Some(publishing) = self.publishing.as_mut() else { return };
        publishing.metrics.session(&self.figures, &mut publishing.told);
        if let Some(loss) = of_track.loss.filter(|_| Some(of_track.mid) == self.video || self.video.is_none())
        {
            publishing.metrics.loss(loss);
        }
        if let Some(rtt) = of_track.rtt {
            publishing.metrics.rtt(rtt);
        }
    }

    /// Tells the encoder that it is over, as far as it can be told.
    fn close(&mut self) {
        if self.rtc.close().is_err() {
            return;
        }
        for _ in 0..CLOSE_STEPS_MAX {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(sent)) => self.around.send(&sent.contents, sent.destination),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }
}
