//! The figures of WebRTC sessions: one session by feed.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Labels, Number};

#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    packets: Family<Labels, Counter>,
    bytes: Family<Labels, Counter>,
    nacks: Family<Labels, Counter>,
    asked: Family<Labels, Counter>,
    gaps: Family<Labels, Counter>,
    undecodable: Family<Labels, Counter>,
    restarts: Family<Labels, Counter>,
    dropped: Family<Labels, Counter>,
    loss: Family<Labels, Number>,
    rtt: Family<Labels, Number>,
}

/// What a session had so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Packets that came, those sent again included.
    pub packets: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Messages that asked for packets again.
    pub nacks: u64,
    /// Times that a key frame was asked for.
    pub asked: u64,
    /// Places where a picture is missing for good.
    pub gaps: u64,
    /// Pictures that were left out behind them.
    pub undecodable: u64,
    /// Times that ICE was restarted.
    pub restarts: u64,
    /// Datagrams that came faster than they were taken.
    pub dropped: u64,
}

impl Sessions {
    pub(super) fn register(&self, r: &mut Registry) {
        let f = self.clone();
        r.register("whip_packets", "RTP packets that came by WHIP, those sent again included", f.packets);
        r.register("whip_bytes", "Bytes in the RTP packets that came by WHIP", f.bytes);
        r.register("whip_nacks", "Messages that asked for missing packets again (NACK)", f.nacks);
        r.register(
            "whip_key_frames_asked",
            "Times that the encoder was asked for a key frame (PLI)",
            f.asked,
        );
        r.register("whip_gaps", "Places where a picture is missing for good", f.gaps);
        r.register(
            "whip_undecodable",
            "Pictures behind a gap, left out up to the next key frame",
            f.undecodable,
        );
        r.register(
            "whip_ice_restarts",
            "Times that the encoder came back from another address (ICE restart)",
            f.restarts,
        );
        r.register(
            "whip_dropped",
            "Datagrams that came faster than the origin took them, and were asked for again",
            f.dropped,
        );
        r.register(
            "whip_loss_ratio",
            "The share of packets that were lost on the way, as last reported",
            f.loss,
        );
        r.register("whip_rtt_seconds", "How long there and back takes, where the encoder tells", f.rtt);
    }

    pub(super) fn of(&self, labels: &Labels) -> SessionMetrics {
        SessionMetrics {
            packets: self.packets.get_or_create_owned(labels),
            bytes: self.bytes.get_or_create_owned(labels),
            nacks: self.nacks.get_or_create_owned(labels),
            asked: self.asked.get_or_create_owned(labels),
            gaps: self.gaps.get_or_create_owned(labels),
            undecodable: self.undecodable.get_or_create_owned(labels),
            restarts: self.restarts.get_or_create_owned(labels),
            dropped: self.dropped.get_or_create_owned(labels),
            loss: self.loss.get_or_create_owned(labels),
            rtt: self.rtt.get_or_create_owned(labels),
        }
    }
}

/// The figures of the session by which a feed comes.
#[derive(Clone, Debug)]
pub struct SessionMetrics {
    packets: Counter,
    bytes: Counter,
    nacks: Counter,
    asked: Counter,
    gaps: Counter,
    undecodable: Counter,
    restarts: Counter,
    dropped: Counter,
    loss: Number,
    rtt: Number,
}

impl SessionMetrics {
    /// How the session is now. `told` is what was told of it before.
    pub fn session(&self, now: &Session, told: &mut Session) {
        for (counter, now, told) in [
            (&self.packets, now.packets, told.packets),
            (&self.bytes, now.bytes, told.bytes),
            (&self.nacks, now.nacks, told.nacks),
            (&self.asked, now.asked, told.asked),
            (&self.gaps, now.gaps, told.gaps),
            (&self.undecodable, now.undecodable, told.undecodable),
            (&self.restarts, now.restarts, told.restarts),
            (&self.dropped, now.dropped, told.dropped),
        ] {
            counter.inc_by(now.saturating_sub(told));
        }
        *told = *now;
    }

    /// This share of the packets was lost.
    pub fn loss(&self, share: f32) {
        self.loss.set(f64::from(share));
    }

    /// There and back takes so long.
    pub fn rtt(&self, rtt: Duration) {
        self.rtt.set(rtt.as_secs_f64());
    }
}
