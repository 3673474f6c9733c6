//! The encoder of `encoder` with pictures and sound that can be played: each of its frames, which say of which millisecond they
//! are, is exchanged for the frame of a real encoder that belongs there.

use bytes::Bytes;
use railbird_core::flv::{Demux, File};
use railbird_core::media::{FeedEvent, Frame, Kind};

use super::encoder::{AVC_FLV, At};

/// How long the real encoder's stream is, which is repeated: whole groups of pictures of a second.
const LOOP_MS: u64 = 6_000;
const GOP_MS: u64 = 1_000;
/// How long a picture is.
const PICTURE_MS: u64 = 40;

/// A real encoder's frames, in the order of their decoding.
pub(crate) struct Real {
    video: Vec<Frame>,
    audio: Vec<Frame>,
}

impl Real {
    pub(crate) fn new() -> Real {
        Real::of(AVC_FLV)
    }

    /// Of another stream with as many pictures, and as many in a group.
    pub(crate) fn of(flv: &[u8]) -> Real {
        let (mut demux, mut real) = (Demux::new(), Real { video: Vec::new(), audio: Vec::new() });
        for tag in File::new(Bytes::copy_from_slice(flv)).unwrap() {
            let tag = tag.unwrap();
            demux.handle(tag.kind, tag.timestamp_ms, tag.payload).unwrap();
            while let Some(event) = demux.poll() {
                match event {
                    FeedEvent::Frame(frame) if frame.kind == Kind::Video => real.video.push(frame),
                    FeedEvent::Frame(frame) => real.audio.push(frame),
                    _ => {}
                }
            }
        }
        assert_eq!(real.video.len() as u64, LOOP_MS / PICTURE_MS);
        real
    }

    /// Makes what the encoder sends playable, whatever was done to it. What was done to composition is done to the real one.
    pub(crate) fn dress(&self, sent: &mut [At]) {
        // Where a group begins that begins nowhere in the real stream: what follows there is of a group of its own.
        let mut begun = None;
        for frame in sent.iter_mut().filter_map(At::frame_mut) {
            let Some(ms) = said(frame) else { continue };
            let real = match frame.kind {
                Kind::Audio => &self.audio[usize::try_from(ms * 3 / 64).unwrap() % self.audio.len()],
                Kind::Video => {
                    if frame.key {
                        begun = Some(ms).filter(|ms| ms % GOP_MS != 0);
                    }
                    let of_loop = begun.map_or(ms, |begun| ms - begun) % LOOP_MS;
                    &self.video[usize::try_from(of_loop / PICTURE_MS).unwrap()]
                }
            };
            if frame.kind == Kind::Video {
                frame.cts = frame.cts.saturating_add(real.cts);
            }
            frame.data = real.data.clone();
        }
    }
}

/// The millisecond of which a frame is; `None` of one that holds nothing.
fn said(frame: &Frame) -> Option<u64> {
    let text = match frame.kind {
        Kind::Video => frame.data.get(5..)?,
        Kind::Audio => &frame.data,
    };
    std::str::from_utf8(text).ok()?.split(' ').nth(1)?.parse().ok()
}
