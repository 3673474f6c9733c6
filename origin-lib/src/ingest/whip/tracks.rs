//! Which track a session's packets are of.
//!
//! `str0m` is told of an SSRC when its first packet comes, by the packet's payload type: encoders need not say which SSRCs they use, nor
//! in each packet which section it belongs to (RFC 9143, 9.2), and there is one track of a kind at most.

use railbird_core::media::Kind;
use railbird_core::rtp::{Head, Sources, Way};
use railbird_core::time::UtcMs;
use str0m::Rtc;
use str0m::media::Mid;
use str0m::rtp::RtpHeader;

/// By this SSRC browsers try how much the way can carry, with nothing in the packets.
const PROBE: u32 = 0;

/// The tracks of a session: one of a kind.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    all: Vec<Track>,
    /// What is missing of pictures may be asked for.
    sends_again: bool,
}

#[derive(Debug)]
struct Track {
    mid: Mid,
    kind: Kind,
    sources: Sources,
    /// The SSRC by which lost packets come again (RFC 4588): one of its packets was the encoder's.
    again: Option<u32>,
    /// The one that `rtc` takes for it, which need not be the encoder's.
    told: Option<u32>,
    /// An SSRC of which nothing has proved yet to be the encoder's.
    trial: Option<u32>,
    /// The SSRC of packets before its first one, or while nothing came of it, that only filled the way, and whose numbers were taken
    /// for its own.
    filled: Option<u32>,
}

impl Tracks {
    pub(super) fn new(sends_again: bool) -> Tracks {
        Tracks { all: Vec::new(), sends_again }
    }

    /// There is such a track, maybe since long.
    pub(super) fn add(&mut self, mid: Mid, kind: Kind) {
        if !self.all.iter().any(|track| track.mid == mid) {
            let sources = Sources::default();
            self.all.push(Track { mid, kind, sources, again: None, told: None, trial: None, filled: None });
        }
    }

    /// Tells `rtc` which track a packet with this head is of. Whether it is to be handed over.
    pub(super) fn lead(&mut self, rtc: &mut Rtc, head: Head, now: UtcMs) -> bool {
        // What else there may be, `rtc` knows or throws away.
        let Some((at, again)) = self.place(rtc, head.payload_type) else { return true };
        if head.source == PROBE {
            return true;
        }
        let is_anothers = |track: &Track| track.sources.current() == Some(head.source);
        if self.all.iter().enumerate().any(|(other, track)| other != at && is_anothers(track)) {
            return false;
        }
        let sends_again = self.sends_again;
        let Some(track) = self.all.get_mut(at) else { return true };
        let mut streams = rtc.direct_api();
        // One that proved nothing with its packet is forgotten: questions for key frames could go there, and it may be what comes again.
        if let Some(trial) = track.trial.take_if(|trial| again == (*trial == head.source)) {
            streams.remove_stream_rx(trial.into());
        }
        // What only fills the way up may come by the SSRC of what comes again, whatever its type.
        if again || track.again == Some(head.source) {
            if track.sources.current() == Some(head.source) || track.sources.is_settling(now) {
                return false;
            }
            if let Some(current) = track.sources.current().filter(|_| track.told != Some(head.source)) {
                track.told = Some(head.source);
                streams.expect_stream_rx(current.into(), Some(head.source.into()), track.mid, None);
            }
            return true;
        }
        match track.sources.way(head.source, now) {
            Way::Known => true,
            Way::Left => false,
            // What only fills the way begins nothing: its numbers would be taken for the pictures' own. There are encoders that fill up
            // each packet, too: they are told from it at the beginning, and where nothing else comes.
            Way::New if head.is_padded && track.sources.is_live(now) => false,
            Way::New => {
                if track.trial.replace(head.source).is_none() {
                    let stream = streams.expect_stream_rx(head.source.into(), None, track.mid, None);
                    stream.suppress_nack(track.kind == Kind::Audio || !sends_again);
                }
                true
            }
        }
    }

    /// A packet with nothing in it proved to be the encoder's.
    pub(super) fn filled(&mut self, header: &RtpHeader, now: UtcMs) {
        for track in &mut self.all {
            if !track.sources.is_live(now) && track.trial == Some(*header.ssrc) {
                track.filled = track.trial;
            }
        }
    }

    /// A packet with something in it proved to be the encoder's. Which track begins anew with it, if one does: [`Tracks::begin_anew`]
    /// must follow.
    pub(super) fn proved(&mut self, rtc: &Rtc, header: &RtpHeader, now: UtcMs) -> Option<(Mid, Kind)> {
        let (at, again) = self.place(rtc, *header.payload_type)?;
        let (track, source) = (self.all.get_mut(at)?, *header.ssrc);
        if again && source != PROBE && track.sources.current() != Some(source) {
            track.again = Some(source);
        }
        if again || source == PROBE || track.again == Some(source) {
            return None;
        }
        if track.trial == Some(source) {
            track.trial = None;
        }
        let is_mixed = track.filled.take().is_some_and(|filled| filled != source);
        (track.sources.took(source, now) || is_mixed).then_some((track.mid, track.kind))
    }

    /// Tells `rtc`, which has forgotten all of a track, whose packets are its.
    pub(super) fn begin_anew(&mut self, rtc: &mut Rtc, mid: Mid) {
        let sends_again = self.sends_again;
        let Some(track) = self.all.iter_mut().find(|track| track.mid == mid) else { return };
        (track.again, track.told, track.trial) = (None, None, None);
        if let Some(source) = track.sources.current().filter(|_| rtc.media(mid).is_some()) {
            let mut streams = rtc.direct_api();
            let stream = streams.expect_stream_rx(source.into(), None, mid, None);
            stream.suppress_nack(track.kind == Kind::Audio || !sends_again);
        }
    }

    /// Which track packets of this type are of, and whether they are some that come again.
    fn place(&self, rtc: &Rtc, payload_type: u8) -> Option<(usize, bool)> {
        self.all.iter().enumerate().find_map(|(at, track)| {
            let agreed = rtc.media(track.mid)?.remote_pts();
            let known = rtc.codec_config().params().iter().filter(|params| agreed.contains(&params.pt()));
            let mut again = known.filter_map(|params| {
                let again = params.resend().is_some_and(|resend| *resend == payload_type);
                (again || *params.pt() == payload_type).then_some(again)
            });
            again.next().map(|again| (at, again))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use railbird_core::rtp::GONE_MS_MIN;
    use str0m::media::{Direction, MediaKind};

    use super::super::answer;
    use super::*;

    /// A session with one track of pictures, and the type of their packets.
    fn session() -> (Rtc, Tracks, Mid, u8) {
        let provider = std::sync::Arc::new(str0m::crypto::from_feature_flags());
        let mut encoder = Rtc::builder()
            .set_crypto_provider(provider)
            .clear_codecs()
            .enable_h264(true)
            .build(Instant::now());
        let mut changes = encoder.sdp_api();
        let mid = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, _) = changes.apply().unwrap();
        let agreed = answer::agree(&offer.to_sdp_string(), &["192.0.2.1:4000".parse().unwrap()]);
        let rtc = agreed.unwrap().rtc;
        let payload_type = *rtc.media(mid).unwrap().remote_pts()[0];
        let mut tracks = Tracks::new(true);
        tracks.add(mid, Kind::Video);
        (rtc, tracks, mid, payload_type)
    }

    fn at(ms: u64) -> UtcMs {
        UtcMs(1_795_171_920_000 + ms)
    }

    fn header(source: u32, payload_type: u8) -> RtpHeader {
        RtpHeader { ssrc: source.into(), payload_type: payload_type.into(), ..Default::default() }
    }

    #[test]
    fn an_encoder_that_fills_up_each_packet_may_begin_its_track_anew() {
        let (mut rtc, mut tracks, mid, payload_type) = session();
        let padded = |source| Head { source, payload_type, is_padded: true };
        assert!(tracks.lead(&mut rtc, padded(1), at(0)));
        assert_eq!(tracks.proved(&rtc, &header(1, payload_type), at(0)), None);
        assert!(!tracks.lead(&mut rtc, padded(2), at(GONE_MS_MIN - 1)), "it may only fill the way");
        assert!(tracks.lead(&mut rtc, padded(2), at(GONE_MS_MIN)));
        let anew = tracks.proved(&rtc, &header(2, payload_type), at(GONE_MS_MIN));
        assert_eq!(anew, Some((mid, Kind::Video)));
        assert!(tracks.lead(&mut rtc, padded(2), at(GONE_MS_MIN + 20)));
    }

    #[test]
    fn pictures_that_go_on_after_something_that_only_filled_the_way_begin_anew() {
        let (mut rtc, mut tracks, mid, payload_type) = session();
        let head = |source, is_padded| Head { source, payload_type, is_padded };
        assert!(tracks.lead(&mut rtc, head(1, false), at(0)));
        assert_eq!(tracks.proved(&rtc, &header(1, payload_type), at(0)), None);
        // While its camera is off.
        for n in 0..3 {
            assert!(tracks.lead(&mut rtc, head(2, true), at(GONE_MS_MIN + n)));
            tracks.filled(&header(2, payload_type), at(GONE_MS_MIN + n));
        }
        for (n, anew) in [(1, Some((mid, Kind::Video))), (2, None)] {
            let now = at(2 * GONE_MS_MIN + n);
            assert!(tracks.lead(&mut rtc, head(1, false), now));
            assert_eq!(tracks.proved(&rtc, &header(1, payload_type), now), anew);
        }
        assert!(!tracks.lead(&mut rtc, head(2, true), at(2 * GONE_MS_MIN + 3)));
    }
}
