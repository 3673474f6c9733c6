use std::string::String;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::id::NodeId;
use crate::keys::{self, MasterSecret};
use crate::media::Kind;
use crate::package::{self, Output, Packager};
use crate::playlist::{self, tests::linted::sound};
use crate::publish::{Book, Channel};
use crate::segment::Input;
use crate::state::Node;
use crate::time::{MediaTime, UtcMs};

const NOW: UtcMs = UtcMs(1_795_171_920_000);

/// A construct of `cc_data()`.
type Construct = [u8; 3];

/// A pair of CEA-608 in the first or the second field.
fn pair(field: u8, first: u8, second: u8) -> Construct {
    let odd = |byte: u8| if byte.count_ones() % 2 == 1 { byte } else { byte | 0x80 };
    [0xfc | field, odd(first), odd(second)]
}

/// A caption channel packet of CEA-708 with these service blocks.
fn packet(blocks: &[u8]) -> Vec<Construct> {
    let len = (blocks.len() + 2) & !1;
    let mut bytes = vec![u8::try_from(len / 2).unwrap()];
    bytes.extend(blocks);
    bytes.resize(len, 0);
    let kind = |at| if at == 0 { 0xff } else { 0xfe };
    bytes.chunks(2).enumerate().map(|(at, two)| [kind(at), two[0], two[1]]).collect()
}

/// A message of ITU-T T.35 with captions.
fn registered(constructs: &[Construct]) -> Vec<u8> {
    let mut data = b"\xb5\x00\x31GA94\x03".to_vec();
    data.extend([0x40 | u8::try_from(constructs.len()).unwrap(), 0xff]);
    data.extend(constructs.as_flattened());
    data.push(0xff);
    data
}

/// A temporal unit of AV1: metadata that is not ours, captions, and a frame.
fn temporal_unit(key: bool, constructs: &[Construct]) -> Vec<u8> {
    let captions = [&[4], &*registered(constructs), &[0x80]].concat();
    let obus: [(u8, &[u8]); 3] =
        [(5, &[1, 0, 0, 0, 0, 0x80]), (5, &captions), (6, if key { &[0x10, 0] } else { &[0x30, 0] })];
    let obu = |(kind, payload): (u8, &[u8])| {
        // Lengths are of one byte up to 127, and may be of two.
        let len = payload.len();
        [&[kind << 3 | 2, 0x80 | (len & 0x7f) as u8, (len >> 7) as u8], payload].concat()
    };
    obus.into_iter().flat_map(obu).collect()
}

/// The messages of an SEI NAL unit: one that is not ours, and the captions.
fn messages(constructs: &[Construct]) -> Vec<u8> {
    let data = registered(constructs);
    let mut bytes = vec![5, 0xff, 1];
    bytes.extend([0; 256]);
    bytes.extend([4, u8::try_from(data.len()).unwrap()]);
    bytes.extend(data);
    bytes.push(0x80);
    // What would look like a start code gets a 3 (H.264, 7.4.1.1).
    let (mut out, mut zeros) = (Vec::new(), 0);
    for byte in bytes {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

fn video(coding: VideoCoding) -> VideoConfig {
    let mut record = vec![1, 0x64, 0, 0x1f, 0xff];
    record.resize(23, 0xff);
    let codec = if coding == VideoCoding::Avc { "avc1.64001f" } else { "hvc1.1.6.L93.B0" }.into();
    let (record, frame_rate_milli) = (record.into(), Some(25_000));
    VideoConfig { coding, record, codec, width: 1280, height: 720, frame_rate_milli, colour: None }
}

/// The frame that is sent so many frames after the first one, and shown `cts` frames later than it is decoded.
fn frame(coding: VideoCoding, n: u64, cts: i32, constructs: &[Construct]) -> Sample {
    let key = n.is_multiple_of(50);
    let dts = MediaTime(NOW.media().0 + 3600 * n);
    if coding == VideoCoding::Av1 {
        let data = temporal_unit(key, constructs).into();
        return Sample { kind: Kind::Video, dts, cts: 3600 * cts, key, leading: false, data };
    }
    let (sei, slice): (&[u8], u8) = match coding {
        VideoCoding::Avc => (&[6], if key { 0x65 } else { 0x41 }),
        _ => (&[39 << 1, 1], if key { 19 << 1 } else { 1 << 1 }),
    };
    let sei = [sei, &messages(constructs)].concat();
    let mut data = Vec::new();
    for unit in [&*sei, &[slice, 1, 2, 3, 4]] {
        data.extend(u32::try_from(unit.len()).unwrap().to_be_bytes());
        data.extend(unit);
    }
    Sample { kind: Kind::Video, dts, cts: 3600 * cts, key, leading: false, data: data.into() }
}

fn cut(coding: VideoCoding, video_samples: Vec<Sample>) -> Cut {
    let mut cut = Cut { video: video_samples, ..Cut::default() };
    cut.tracks.video = Some(video(coding));
    cut
}

fn seen(captions: Captions) -> Vec<String> {
    captions.seen().map(|id| id.to_string()).collect()
}

/// What one frame of these constructs shows.
fn of(constructs: &[Construct]) -> Vec<String> {
    let [avc, hevc, av1] = [VideoCoding::Avc, VideoCoding::Hevc, VideoCoding::Av1]
        .map(|coding| Captions::of(&cut(coding, vec![frame(coding, 0, 0, constructs)])));
    assert_eq!([avc, hevc], [av1; 2]);
    seen(avc)
}

#[test]
fn captions_are_known_by_the_commands_with_which_they_begin() {
    for (first, field, name) in [(0x14, 0, "CC1"), (0x1c, 0, "CC2"), (0x14, 1, "CC3"), (0x1d, 1, "CC4")] {
        for begin in [0x20, 0x25, 0x26, 0x27, 0x29] {
            assert_eq!(of(&[pair(field, first, begin)]), [name]);
        }
        // Erasing, text mode, letters, padding.
        for other in [(first, 0x2c), (first, 0x2b), (0x41, 0x42), (0, 0)] {
            assert!(of(&[pair(field, other.0, other.1)]).is_empty(), "{other:?}");
        }
    }
    let [head, first, second] = pair(0, 0x14, 0x25);
    assert!(of(&[[head, first ^ 0x80, second]]).is_empty(), "a byte of the wrong parity");
    assert!(of(&[[head & !4, first, second]]).is_empty(), "not valid");
}

#[test]
fn services_are_known_by_blocks_that_have_something() {
    assert_eq!(of(&packet(&[1 << 5 | 2, b'h', b'i'])), ["SERVICE1"]);
    assert_eq!(of(&packet(&[1 << 5 | 1, b'a', 6 << 5 | 1, b'b', 0])), ["SERVICE1", "SERVICE6"]);
    assert_eq!(of(&packet(&[7 << 5 | 1, 63, b'c'])), ["SERVICE63"]);
    for nothing in [&[][..], &[0], &[2 << 5], &[2 << 5 | 31, b'x'], &[7 << 5 | 1]] {
        assert!(of(&packet(nothing)).is_empty(), "{nothing:?}");
    }
    // A packet goes over pictures, in the order in which they are shown.
    let whole = packet(&[3 << 5 | 3, b'a', b'b', b'c', 4 << 5 | 1, b'd']);
    let [start, then, last] = [0, 1, 2].map(|at| &whole[at..at + 1]);
    let avc = VideoCoding::Avc;
    let shown =
        [frame(avc, 0, 1, start), frame(avc, 1, 2, &[last, &whole[3..]].concat()), frame(avc, 2, 0, then)];
    assert_eq!(seen(Captions::of(&cut(avc, shown.to_vec()))), ["SERVICE3", "SERVICE4"]);
    assert!(of(&whole[1..]).is_empty(), "without its beginning");
}

#[test]
fn what_has_no_room_for_captions_has_none() {
    let mut plain = frame(VideoCoding::Avc, 0, 0, &[]);
    plain.data = b"\0\0\0\x04\x65abc"[..].into();
    assert!(Captions::of(&cut(VideoCoding::Avc, vec![plain.clone()])).is_none());
    assert!(Captions::of(&Cut::default()).is_none());
    // Nobody looks into these.
    assert!(Captions::of(&cut(VideoCoding::Av1, vec![plain])).is_none());
}

fn book() -> Book {
    let node = Node::new("a".parse().unwrap(), "https://a.example".into(), true);
    let channel = Channel {
        id: "t".parse().unwrap(),
        origin: "north".parse().unwrap(),
        recording: "r".parse().unwrap(),
        title: "Table".to_string(),
        segment_ms: 2000,
        key_period_s: 3600,
        part_ms: None,
        preload_hints: false,
        window_s: 60,
        msn_min: 0,
        nodes: vec![node],
        rungs: Vec::new(),
    };
    Book::new(channel, "source".parse().unwrap())
}

/// Ten seconds of pictures: room for captions from the second segment on, CC1 from the third, a service from the fourth.
fn feed(coding: VideoCoding) -> impl Iterator<Item = Input> {
    let of = move |n: u64| {
        let constructs = match n / 50 {
            0 => None,
            1 => Some(vec![pair(0, 0, 0)]),
            2 => Some(vec![pair(0, 0x14, 0x25), pair(0, b'h', b'i')]),
            _ => Some([vec![pair(0, 0x14, 0x2f)], packet(&[1 << 5 | 1, b'!'])].concat()),
        };
        let mut sample = frame(coding, n, 0, constructs.as_deref().unwrap_or_default());
        if constructs.is_none() {
            sample.data = sample.data.slice(sample.data.len() - 9..);
        }
        Input::Sample(sample)
    };
    [Input::Video(video(coding))].into_iter().chain((0..251).map(of))
}

#[test]
fn a_feeds_captions_stay_in_its_media_and_are_announced_once_they_were_seen() {
    let secret = MasterSecret::new(b"a secret of some length").unwrap();
    for coding in [VideoCoding::Avc, VideoCoding::Hevc] {
        let settings = package::Settings {
            channel: "t".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms: 2000,
            part_ms: None,
            frames: false,
            key_period_s: 3600,
            secret: secret.clone(),
        };
        let (mut packager, mut book) = (Packager::new(settings, MediaTime::default()), book());
        let order: [NodeId; 1] = ["a".parse().unwrap()];
        let (mut told, mut clear): (Vec<String>, Vec<u8>) = (Vec::new(), Vec::new());
        let mut sent: Vec<Sample> = Vec::new();
        for input in feed(coding) {
            if let Input::Sample(sample) = &input {
                sent.push(sample.clone());
            }
            packager.handle(input);
            while let Some(Output::Object(object)) = packager.poll() {
                match object.kind {
                    package::Kind::Init(init) => {
                        let name = init.name.clone();
                        book.init(init);
                        book.ack_init(0, &name, NOW);
                    }
                    package::Kind::Segment { start, duration, discontinuity, captions, .. } => {
                        book.captions(captions);
                        book.segment(start, duration, discontinuity, object.bytes.len(), NOW);
                        book.ack(0, start, NOW);
                        let period = keys::period(start, 3600);
                        let channel = "t".parse().unwrap();
                        let mut bytes = object.bytes.to_vec();
                        keys::decrypt(
                            &secret.content_key(&channel, period),
                            &keys::iv(&channel, period),
                            &mut bytes,
                        )
                        .unwrap();
                        clear.extend(bytes);
                        let state = book.poll(NOW).unwrap();
                        let text = sound(playlist::multivariant(&state, &order));
                        let of_captions = |line: &&str| line.contains("CAPTIONS");
                        let lines =
                            text.lines().filter(of_captions).map(|line| match line.split_once(",CLOSED-") {
                                Some((_, attribute)) => attribute.to_string(),
                                None => line.to_string(),
                            });
                        told.push(lines.collect::<Vec<_>>().join("\n"));
                    }
                    _ => unreachable!(),
                }
            }
        }
        let cc1 = "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"captions\",NAME=\"CC1\",DEFAULT=NO,AUTOSELECT=YES,\
                   INSTREAM-ID=\"CC1\"\n";
        let service = "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"captions\",NAME=\"SERVICE1\",DEFAULT=NO,\
                       AUTOSELECT=NO,INSTREAM-ID=\"SERVICE1\"\n";
        let of = "CAPTIONS=\"captions\",PATHWAY-ID=\"a\"";
        let expected = [
            String::new(),
            String::new(),
            [cc1, of].concat(),
            [cc1, service, of].concat(),
            [cc1, service, of].concat(),
        ];
        assert_eq!(told, expected);
        let whole = sent.iter().take(250).map(|sample| &*sample.data);
        let mut rest = &*clear;
        for data in whole {
            let at = rest.windows(data.len()).position(|bytes| bytes == data).expect("every byte of a frame");
            rest = &rest[at + data.len()..];
        }
    }
}

#[test]
fn one_variants_captions_keep_the_others_from_denying_them() {
    let mut state = playlist::tests::state();
    let mut low = state.renditions[0].clone();
    low.id = "low".parse().unwrap();
    state.renditions.push(low);
    state.renditions[1].captions = Captions { lines: 1, services: 0 };
    let text = sound(playlist::multivariant(&state, &["a".parse().unwrap()]));
    let told: Vec<bool> = text
        .lines()
        .filter(|line| line.starts_with("#EXT-X-STREAM-INF"))
        .map(|line| line.contains("CLOSED-CAPTIONS=\"captions\""))
        .collect();
    assert_eq!(told, [false, true]);
    assert!(!text.contains("NONE"));
}

proptest! {
    /// Bytes that anybody may send.
    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..300, byte: u8) {
        for coding in [VideoCoding::Avc, VideoCoding::Hevc] {
            let mut sample = frame(coding, 0, 0, &packet(&[1 << 5 | 2, b'h', b'i']));
            let mut broken = sample.data.to_vec();
            let at = at % broken.len();
            broken[at] = byte;
            let mut made: Vec<Sample> = Vec::new();
            for data in [broken, bytes.clone(), [&[6_u8, 4, 0xff][..], &bytes].concat()] {
                sample.data = data.into();
                made.push(sample.clone());
            }
            let captions = Captions::of(&cut(coding, made));
            prop_assert!(captions.lines < 16 && captions.services & 1 == 0);
        }
    }
}
