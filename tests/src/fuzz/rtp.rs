//! What comes from a browser or encoder by WHIP: what it offers, whom its datagrams are for, its access units.

use railbird_core::media::{FeedEvent, Kind};
use railbird_core::rtp::sdp::{self, Offer};
use railbird_core::rtp::{Codec, Demux, Report, Unit, stun};
use railbird_core::time::UtcMs;

/// A datagram, an offer, a fragment, an answer.
pub(super) fn request(input: &[u8]) {
    if let Some(fragment) = stun::addressee(input) {
        assert!(fragment.len() < input.len());
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(mut offer) = Offer::read(text) {
        assert!(offer.has_video || offer.has_audio);
        assert_eq!(Offer::read(&offer.text()).as_ref(), Ok(&offer), "what is left of an offer is one");
        if let Ok(credentials) = sdp::fragment(text) {
            offer.restart(credentials);
            assert_eq!(Offer::read(&offer.text()).as_ref(), Ok(&offer));
        }
    }
    assert!(sdp::restarted(text).len() <= text.len() * 2 + 2);
    assert!(sdp::in_good_sound(text).len() <= text.len() * 64 + 64);
}

/// Units, each behind what it is, how much later, and its length.
pub(super) fn units(input: &[u8]) {
    let (mut demux, mut rest) = (Demux::new(), input);
    let (mut now, mut time, mut last, mut whole) = (1_795_171_920_000, 0_u64, [i64::MIN; 2], false);
    while let Some((&[what, later, len], after)) = rest.split_first_chunk::<3>() {
        let (data, after) = after.split_at(usize::from(len).min(after.len()));
        rest = after;
        let codec = [Codec::H264, Codec::Av1, Codec::Opus][usize::from(what % 3)];
        let step = u64::from(later);
        now += step;
        // Some of them jump.
        time = if what & 0x40 == 0 { time + step * 90 } else { time.rotate_left(u32::from(later)) ^ step };
        let report = (what & 0x20 != 0).then_some(Report { wall_us: now * 1000 + step, time });
        let unit = Unit { codec, time, follows: what & 0x80 == 0, report, data: data.to_vec().into() };
        whole &= unit.follows || codec.kind() == Kind::Audio;
        demux.handle(unit, UtcMs(now));
        while let Some(told) = demux.poll() {
            match told {
                Ok(FeedEvent::Frame(frame)) => {
                    let last = &mut last[usize::from(frame.kind == Kind::Audio)];
                    assert!(frame.dts_ms > *last, "time goes back");
                    *last = frame.dts_ms;
                    if frame.kind == Kind::Video {
                        assert!(frame.key || whole, "a picture behind a gap");
                        whole = true;
                    }
                }
                Ok(FeedEvent::Video(config)) => assert!(config.width > 0 && config.height > 0),
                Ok(FeedEvent::Audio(config)) => assert!(config.sample_rate > 0 && config.channels > 0),
                Ok(
                    FeedEvent::Captured(_)
                    | FeedEvent::Splice(_)
                    | FeedEvent::Further { .. }
                    | FeedEvent::Language { .. },
                )
                | Err(_) => {}
            }
        }
    }
}
