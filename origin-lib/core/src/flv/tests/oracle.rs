//! What another library finds in the same files.

use std::io::Cursor;

use scuffle_flv::audio::body::AudioTagBody;
use scuffle_flv::audio::body::enhanced::{AudioPacket, ExAudioTagBody};
use scuffle_flv::audio::body::legacy::LegacyAudioTagBody;
use scuffle_flv::audio::body::legacy::aac::AacAudioData;
use scuffle_flv::header::FlvHeader;
use scuffle_flv::tag::{FlvTag, FlvTagData};
use scuffle_flv::video::VideoData;
use scuffle_flv::video::body::VideoTagBody;
use scuffle_flv::video::body::enhanced::{ExVideoTagBody, VideoPacket, VideoPacketCodedFrames};
use scuffle_flv::video::body::legacy::LegacyVideoTagBody;
use scuffle_flv::video::header::legacy::{LegacyVideoTagHeader, LegacyVideoTagHeaderAvcPacket};
use scuffle_flv::video::header::{VideoFrameType, VideoTagHeaderData};

use super::*;

/// A frame: milliseconds, milliseconds until it is shown, whether decoding can begin there, and its data.
type Found = Vec<(i64, i32, bool, Bytes)>;

/// Theirs: the pictures and the sound of a file of one track each.
fn theirs(file: &'static [u8]) -> [Found; 2] {
    let (mut video, mut audio) = (Found::new(), Found::new());
    let mut file = Cursor::new(Bytes::from_static(file));
    FlvHeader::demux(&mut file).unwrap();
    let mut unread = 0;
    loop {
        // The length of the tag before.
        file.set_position(file.position() + 4);
        if file.position() >= file.get_ref().len() as u64 {
            break;
        }
        // What it can't read is left behind; that these are no frames, their numbers show.
        let Ok(tag) = FlvTag::demux(&mut file) else {
            unread += 1;
            continue;
        };
        let at = i64::from(tag.timestamp_ms);
        match tag.data {
            FlvTagData::Video(found) => {
                let key = found.header.frame_type == VideoFrameType::KeyFrame;
                video.extend(picture(found).map(|(cts, data)| (at, cts, key, data)));
            }
            FlvTagData::Audio(found) => {
                let data = match found.body {
                    AudioTagBody::Legacy(LegacyAudioTagBody::Aac(AacAudioData::Raw(data))) => data,
                    AudioTagBody::Enhanced(ExAudioTagBody::NoMultitrack {
                        packet: AudioPacket::CodedFrames { data },
                        ..
                    }) => data,
                    _ => continue,
                };
                audio.push((at, 0, true, data));
            }
            _ => {}
        }
    }
    assert!(unread <= 2, "{unread} tags can't be read");
    // An empty message tells of silence.
    audio.retain(|(.., data)| !data.is_empty());
    [video, audio]
}

fn picture(found: VideoData<'_>) -> Option<(i32, Bytes)> {
    match (found.header.data, found.body) {
        (
            VideoTagHeaderData::Legacy(LegacyVideoTagHeader::AvcPacket(
                LegacyVideoTagHeaderAvcPacket::Nalu { composition_time_offset },
            )),
            VideoTagBody::Legacy(LegacyVideoTagBody::Other { data }),
        ) => Some((composition_time_offset as i32, data)),
        (_, VideoTagBody::Enhanced(ExVideoTagBody::NoMultitrack { packet, .. })) => match packet {
            VideoPacket::CodedFrames(VideoPacketCodedFrames::Hevc { composition_time_offset, data }) => {
                Some((composition_time_offset, data))
            }
            VideoPacket::CodedFrames(VideoPacketCodedFrames::Other(data))
            | VideoPacket::CodedFramesX { data } => Some((0, data)),
            _ => None,
        },
        _ => None,
    }
}

fn ours(file: &'static [u8]) -> [Found; 2] {
    let mut demux = Demux::new();
    let (mut video, mut audio) = (Found::new(), Found::new());
    for tag in File::new(Bytes::from_static(file)).unwrap() {
        let tag = tag.unwrap();
        demux.handle(tag.kind, tag.timestamp_ms, tag.payload).unwrap();
        while let Some(event) = demux.poll() {
            let FeedEvent::Frame(frame) = event else { continue };
            let track = if frame.kind == Kind::Video { &mut video } else { &mut audio };
            track.push((frame.dts_ms, frame.cts / 90, frame.key, frame.data));
        }
    }
    [video, audio]
}

#[test]
fn another_library_finds_the_same_pictures_and_the_same_sound_at_the_same_times() {
    for (name, file) in [
        ("small", &include_bytes!("../../../tests/golden/small.flv")[..]),
        ("the clip", include_bytes!("../../../../clip/table.flv")),
        ("hevc", include_bytes!("../../../../../tests/enhanced/hevc.flv")),
        ("av1", include_bytes!("../../../../../tests/enhanced/av1.flv")),
    ] {
        let ([video, audio], [their_video, their_audio]) = (ours(file), theirs(file));
        assert!(video.len() > 40 && audio.len() > 80, "{name}: {} and {}", video.len(), audio.len());
        assert_eq!((video.len(), audio.len()), (their_video.len(), their_audio.len()), "{name}");
        for (ours, theirs) in video.iter().zip(&their_video) {
            assert_eq!((ours.0, ours.1, ours.2), (theirs.0, theirs.1, theirs.2), "{name}");
            // Temporal units of AV1 lose their delimiters.
            assert!(theirs.3.ends_with(&ours.3), "{name}");
        }
        assert_eq!(audio, their_audio, "{name}");
    }
}
