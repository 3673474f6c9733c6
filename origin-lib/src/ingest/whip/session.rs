//! One session, and the feed that comes by it.

mod media;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use railbird_core::media::{FeedEvent, Kind};
use railbird_core::programme;
use railbird_core::rtp::sdp::{self, Credentials, Offer};
use railbird_core::rtp::stun::{self, Transaction};
use railbird_core::rtp::{self, Demux, Held, Keys};
use railbird_core::time::MediaTime;
use str0m::media::Mid;
use str0m::net::{Protocol, Receive};
use str0m::rtp::RawPacket;
use str0m::stats::MediaIngressStats;
use str0m::{Event, Input, Output, Rtc, RtcError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Around;
use super::answer::{self, Agreed};
use super::places::{PLACES_MAX, Places};
use super::table::{Datagram, Ended, Order, Restarted, Seat};
use super::tracks::Tracks;
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

/// An encoder that was not heard from where it was for so long, and is heard from elsewhere, has moved.
const LEFT_AFTER: Duration = Duration::from_millis(500);

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
    tracks: Tracks,
    video: Option<Mid>,
    /// A packet of pictures made no sense: what comes next does not follow.
    missing: bool,
    /// What is kept of pictures that never end.
    held: Held,
    /// What was told before there was something to publish: parameters.
    told: Vec<FeedEvent>,
    /// Addresses from which the session was looked for, since ICE began.
    places: Places,
    /// Where the encoder is: whatever is no answer goes there. `rtc` knows that it moved only once nothing has come from where it was
    /// for a while.
    live: Option<SocketAddr>,
    /// When something came from there last.
    live_heard: Instant,
    /// A request from there says that this is the way to use, and was not answered yet.
    nominated: Option<(SocketAddr, Transaction)>,
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
            tracks: Tracks::new(offer.sends_again),
            demux: Demux::new().with_parameter_sets(&offer.parameter_sets),
            offer,
            key: key.to_string(),
            peer: peer.to_string(),
            seat,
            around,
            slot: Slot::default(),
            publishing: None,
            video: None,
            missing: false,
            held: Held::default(),
            told: Vec::new(),
            places: Places::default(),
            live: None,
            live_heard: Instant::now(),
            nominated: None,
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
                        None if self.demux.counts().undecodable > 0 => {
                            "pictures came for 20 s and no key frame with its parameter sets: have the encoder send SPS and PPS with \
                             each key frame"
                        }
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
                Output::Transmit(sent) => self.send(&sent.contents, sent.destination),
                Output::Event(event) => self.event(event)?,
            }
        }
        Ok(Instant::now())
    }

    /// Sends a datagram of `rtc`'s.
    fn send(&mut self, bytes: &[u8], to: SocketAddr) {
        if let Some(transaction) = stun::answered(bytes) {
            // Only those who know the password are answered so.
            self.seat.claim(to);
            let is_named = self.nominated.take_if(|nominated| *nominated == (to, transaction)).is_some();
            // Some name their way once, and then only ask whether it is still there.
            let is_left = self.live.is_some() && self.live_heard.elapsed() >= LEFT_AFTER;
            if (is_named || is_left)
                && let Some(before) = self.live.replace(to).filter(|before| *before != to)
            {
                tracing::debug!(peer = self.peer, %before, now = %to, "a WHIP encoder is elsewhere");
            }
        }
        let to = if stun::is_message(bytes) { to } else { self.live.unwrap_or(to) };
        self.around.send(bytes, to);
    }

    fn datagram(&mut self, (from, bytes): &Datagram) -> Result<(), Over> {
        let Some(destination) = self.destination(*from) else { return Ok(()) };
        let Ok(receive) = Receive::new(Protocol::Udp, *from, destination, bytes) else { return Ok(()) };
        let now = Instant::now();
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return Ok(());
        }
        if stun::is_message(bytes) {
            if !self.places.takes(*from, now) {
                // One that is nowhere else is lost.
                if self.live.is_some() && self.live_heard.elapsed() >= LEFT_AFTER {
                    return Err(lost(format!(
                        "the encoder came from more than {PLACES_MAX} addresses within an hour"
                    )));
                }
                return Ok(());
            }
            self.nominated = stun::nomination(bytes).map(|transaction| (*from, transaction));
        }
        if let Some(head) = rtp::head(bytes)
            && !self.tracks.lead(&mut self.rtc, head, clock::now())
        {
            return Ok(());
        }
        self.heard = now;
        if self.live == Some(*from) {
            self.live_heard = now;
        }
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
            Event::MediaAdded(added) if added.direction.is_receiving() => {
                let kind = if added.kind.is_video() { Kind::Video } else { Kind::Audio };
                self.video = self.video.or((kind == Kind::Video).then_some(added.mid));
                self.tracks.add(added.mid, kind);
            }
            Event::MediaData(data) => self.media(data)?,
            Event::RawPacket(packet) => {
                if let RawPacket::RtpRx(header, media) = *packet {
                    // One with nothing in it may be there only to fill the way, by whichever SSRC.
                    if media.is_empty() {
                        self.tracks.filled(&header, clock::now());
                    } else if let Some((mid, kind)) = self.tracks.proved(&self.rtc, &header, clock::now()) {
                        self.begin_anew(mid, kind)?;
                    }
                    self.packet(&header, &media);
                }
            }
            Event::MediaIngressStats(figures) => self.figures(&figures),
            Event::Closed => return Err(in_order("the encoder closed the connection", None)),
            _ => {}
        }
        Ok(())
    }

    /// The encoder began a track anew, with another SSRC: its numbers and times are others.
    fn begin_anew(&mut self, mid: Mid, kind: Kind) -> Result<(), Over> {
        // What puts packets together would take the new ones for old.
        self.rtc.direct_api().remove_media(mid);
        answer::accept(&mut self.rtc, &self.offer).map_err(|error| lost(error.to_string()))?;
        self.tracks.begin_anew(&mut self.rtc, mid);
        self.demux.begins_anew(kind);
        if kind == Kind::Video {
            self.held = Held::default();
        }
        tracing::info!(peer = self.peer, ?kind, "an encoder begins a track anew, with another SSRC");
        Ok(())
    }

    /// ICE begins anew: the encoder is at another address, or was not heard.
    fn restart(&mut self, credentials: Credentials) -> Result<Restarted, String> {
        let mut offer = self.offer.clone();
        offer.restart(credentials);
        let answer = answer::accept(&mut self.rtc, &offer).map_err(|error| error.to_string())?;
        self.offer = offer;
        self.places.clear();
        // What the way of before carries still goes there until another one is named.
        self.nominated = None;
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
                Ok(Output::Transmit(sent)) => self.send(&sent.contents, sent.destination),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return,
            }
        }
    }
}
