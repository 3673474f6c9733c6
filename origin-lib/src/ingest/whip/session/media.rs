//! What is made of a session's media: frames, and questions for key frames.

use std::time::Instant;

use bytes::Bytes;
use railbird_core::media::{FeedEvent, Kind};
use railbird_core::rtp::{Codec, Error, HELD_LEN_MAX, Keys, Report, Unit};
use railbird_core::time::{MediaSpan, MediaTime};
use str0m::format;
use str0m::media::{KeyframeRequestKind, MediaData};
use str0m::rtp::RtpHeader;

use super::{Over, Publishing, Session, TOLD_MAX, lost};
use crate::clock;
use crate::telemetry;

impl Session {
    /// A packet of media came, decrypted.
    pub(super) fn packet(&mut self, header: &RtpHeader, media: &[u8]) {
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
    pub(super) fn is_bounded(&self) -> Result<(), Over> {
        if self.held.len() <= HELD_LEN_MAX {
            return Ok(());
        }
        let most = HELD_LEN_MAX >> 20;
        Err(lost(format!(
            "the encoder begins fragments of pictures (FU-A) and ends none: {most} MiB are held"
        )))
    }

    pub(super) fn media(&mut self, data: MediaData) -> Result<(), Over> {
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
    pub(super) fn ask(&mut self) {
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
}
