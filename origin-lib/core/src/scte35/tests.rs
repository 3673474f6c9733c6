use alloc::vec::Vec;
use std::format;
use std::string::String;
use std::vec;

use super::*;

/// A section of this command and these descriptors.
pub(crate) fn section(kind: u8, command: &[u8], descriptors: &[u8], adjustment: u64) -> Vec<u8> {
    let len = 17 + command.len() + descriptors.len();
    let mut bytes = Vec::from([0xfc, 0x30 | (len >> 8) as u8, len as u8, 0]);
    bytes.push((adjustment >> 32) as u8);
    bytes.extend_from_slice(&(adjustment as u32).to_be_bytes());
    bytes.extend_from_slice(&[0xff, 0xff, 0xf0 | (command.len() >> 8) as u8, command.len() as u8, kind]);
    bytes.extend_from_slice(command);
    bytes.extend_from_slice(&(descriptors.len() as u16).to_be_bytes());
    bytes.extend_from_slice(descriptors);
    let crc = crate::ts::crc(&bytes);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

pub(crate) fn time(at: u64, first: u8) -> Vec<u8> {
    let mut bytes = Vec::from([first | (at >> 32) as u8]);
    bytes.extend_from_slice(&(at as u32).to_be_bytes());
    bytes
}

pub(crate) fn insert(event: u32, flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    let after = [0, 1, 0, 0];
    let body = [&event.to_be_bytes()[..], &[0x7f, flags], &rest.concat(), &after].concat();
    section(5, &body, &[], 0)
}

fn segmentation(event: u32, kind: u8, duration: Option<u64>) -> Vec<u8> {
    let mut body =
        [&b"CUEI"[..], &event.to_be_bytes(), &[0x7f, if duration.is_some() { 0xff } else { 0xbf }]].concat();
    body.extend(duration.map(|ticks| ticks.to_be_bytes()[3..].to_vec()).unwrap_or_default());
    body.extend_from_slice(&[9, 3, b'a', b'd', b's', kind, 1, 1]);
    [&[2, body.len() as u8][..], &body].concat()
}

#[test]
fn what_sections_say() {
    let command = |what, at, event, planned| Ok(Command { what, at, event, planned });
    let two = [segmentation(7, 0x30, None), segmentation(8, 0x34, None)].concat();
    for (bytes, expected) in [
        (
            insert(9, 0xef, &[&time(900_000, 0xfe), &time(5_400_000, 0xfe)]),
            command(What::Out, Some(900_000), Some(9), Some(5_400_000)),
        ),
        (insert(9, 0x4f, &[&time(6_300_000, 0xfe)]), command(What::In, Some(6_300_000), Some(9), None)),
        (insert(9, 0xdf, &[]), command(What::Out, None, Some(9), None)),
        (insert(9, 0x8f, &[&[1, 3], &time(1, 0xfe)]), command(What::Out, Some(1), Some(9), None)),
        (section(5, &[0, 0, 0, 9, 0xff], &[], 0), command(What::Cancel, None, Some(9), None)),
        (
            section(6, &time(5, 0xfe), b"\x02\x09CUEI\0\0\0\x07\xff", 0),
            command(What::Cancel, None, Some(7), None),
        ),
        (
            section(6, &time(0x1_ffff_ffff, 0xfe), &segmentation(7, 0x34, Some(90_000)), 91),
            command(What::Out, Some(90), Some(7), Some(90_000)),
        ),
        (
            section(6, &time(5, 0xfe), &segmentation(7, 0x35, None), 0),
            command(What::In, Some(5), Some(7), None),
        ),
        (
            section(6, &time(5, 0xfe), &segmentation(7, 0x10, None), 0),
            command(What::Other, Some(5), Some(7), None),
        ),
        (section(6, &time(5, 0xfe), &two, 0), command(What::Out, Some(5), Some(7), None)),
        (section(6, &[0x7f], &[], 0), command(What::Other, None, None, None)),
        (section(0, &[], &[], 0), Err(Unusable::Nothing)),
        (section(6, &[0x80], &[], 0), Err(Unusable::Malformed)),
    ] {
        assert_eq!(Command::read(&bytes), expected, "{bytes:02x?}");
        for at in 0..bytes.len() {
            assert!(Command::read(&bytes[..at]).is_err());
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(Command::read(&damaged), Err(Unusable::Malformed), "every bit counts: {at}");
        }
    }
    let mut encrypted = insert(9, 0xdf, &[]);
    encrypted[4] |= 0x80;
    let len = encrypted.len() - 4;
    let crc = crate::ts::crc(&encrypted[..len]);
    encrypted[len..].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(Command::read(&encrypted), Err(Unusable::Encrypted));
}

#[test]
fn descriptors_that_agree_are_one_and_one_that_is_broken_costs_no_other() {
    let read = |descriptors: &[Vec<u8>]| Command::read(&section(6, &time(5, 0xfe), &descriptors.concat(), 0));
    let command = |what, event, planned| Ok(Command { what, at: Some(5), event, planned });
    let (opens, offers) = (segmentation(7, 0x22, None), segmentation(8, 0x34, Some(5_400_000)));
    let (closes, ends) = (segmentation(7, 0x23, None), segmentation(8, 0x35, None));
    let starts = segmentation(3, 0x10, None);
    // A descriptor whose own content is too short, and one that goes on beyond the others.
    let short = Vec::from(*b"\x02\x06CUEI\0\0");
    let long = Vec::from(*b"\x02\x50CUEI\0\0");
    let out = command(What::Out, Some(7), Some(5_400_000));
    let back = command(What::In, Some(7), None);
    for (descriptors, expected) in [
        (vec![opens.clone(), offers.clone()], out),
        (vec![offers.clone(), opens.clone()], out),
        (vec![starts.clone(), offers.clone(), opens.clone()], out),
        (vec![closes.clone(), ends.clone()], back),
        (vec![ends.clone(), closes.clone()], back),
        (vec![ends, opens.clone()], command(What::Other, None, None)),
        (vec![starts.clone(), starts], command(What::Other, None, None)),
        (vec![short.clone(), opens.clone(), offers.clone()], out),
        (vec![opens, offers, long], out),
        (vec![short], command(What::Other, None, None)),
    ] {
        assert_eq!(read(&descriptors), expected, "{descriptors:02x?}");
    }
}

/// The example of SCTE 35, 14.1: a time signal with a placement opportunity.
#[test]
fn the_standards_own_example() {
    let text = "FC3034000000000000FFFFF00506FE72BD0050001E021C435545494800008E7FCF0001A599B00808000000002CA0A18A3402009AC9D17E";
    let section = Section::new(&hex::decode(text).unwrap()).unwrap();
    let command = section.command().unwrap();
    assert_eq!(
        command,
        Command {
            what: What::Out,
            at: Some(0x0_72bd_0050),
            event: Some(0x4800_008e),
            planned: Some(0x01a5_99b0)
        }
    );
    assert_eq!(section.hexadecimal(), format!("0x{text}"));
}

#[test]
fn what_has_no_event_and_what_has_event_zero_are_two_ranges() {
    let of = |descriptors: &[u8]| {
        let section = Section::new(&section(6, &time(5, 0xfe), descriptors, 0)).unwrap();
        Splice { said: MediaTime(90), at: MediaTime(900_000), section }
    };
    let both = [of(&[]), of(&segmentation(0, 0x10, None))];
    assert!(is_new(&both[..1], &both[1]));
    let ranges = ranges(&both);
    assert_eq!(ranges.len(), 2);
    assert_ne!(ranges[0].id, ranges[1].id);
}

pub(crate) fn splice(at: u64, flags: u8, event: u32, planned: Option<u64>) -> Splice {
    let planned = planned.map(|ticks| time(ticks, 0xfe)).unwrap_or_default();
    let bytes = insert(event, flags | if planned.is_empty() { 0 } else { 0x20 }, &[&planned]);
    Splice { said: MediaTime(at - 90), at: MediaTime(at), section: Section::new(&bytes).unwrap() }
}

pub(crate) const OUT: u8 = 0xdf;
pub(crate) const IN: u8 = 0x5f;

fn all(of: &[Splice]) -> Vec<Splice> {
    let mut splices = Vec::new();
    of.iter().for_each(|one| _ = add(&mut splices, one.clone()));
    splices
}

#[test]
fn a_way_out_and_the_way_in_of_its_event_are_one_range() {
    let splices = all(&[
        splice(9_000, IN, 1, None),
        splice(1_000, OUT, 1, Some(7_000)),
        splice(5_000, OUT, 2, None),
        splice(20_000, OUT, 1, None),
        splice(30_000, IN, 3, None),
        splice(1_000, OUT, 1, Some(7_000)),
    ]);
    assert_eq!(splices.len(), 5, "what is said again is one");
    let ranges = ranges(&splices);
    let told = ranges.iter().map(|range| {
        let back = range.back.map(|(at, _)| at.0);
        (range.start.0, range.planned.map(|span| span.0), range.out.is_some(), back, range.end().0)
    });
    let (told, open): (Vec<_>, _) = (told.collect(), OPEN_MAX.0 as u64);
    assert_eq!(
        told,
        [
            (1_000, Some(7_000), true, Some(9_000), 9_000),
            (5_000, None, true, None, 5_000 + open),
            (20_000, None, true, None, 20_000 + open),
            (30_000, None, false, None, 30_000),
        ]
    );
    let mut ids: Vec<&String> = ranges.iter().map(|range| &range.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let before = splices[..1].to_vec();
    assert_eq!(super::ranges(&before)[0].id, ranges[0].id, "its name stays when its end becomes known");
}

#[test]
fn what_has_nothing_to_say_of_what_comes_is_dropped_and_a_pair_stays_together() {
    let pair = [splice(1_000, OUT, 1, None), splice(9_000, IN, 1, None)];
    for (from, left) in [(0, 3), (5_000, 3), (9_000, 3), (9_001, 1), (12_000, 1), (12_001, 0)] {
        let mut splices = all(&[&pair[..], &[splice(10_000, OUT, 2, Some(2_000))]].concat());
        keep_from(&mut splices, MediaTime(from));
        assert_eq!(splices.len(), left, "{from}");
    }
    let mut many = all(&(0..300).map(|n| splice(1_000 + n, OUT, n as u32, None)).collect::<Vec<_>>());
    keep_from(&mut many, MediaTime(0));
    assert_eq!((many.len(), many[0].at), (SPLICES_MAX, MediaTime(1_172)));
}

#[test]
fn a_splice_is_kept_as_json() {
    let splice = splice(1_000, OUT, 1, None);
    let json = serde_json::to_string(&splice).unwrap();
    assert_eq!(serde_json::from_str::<Splice>(&json).unwrap(), splice);
    for bad in [
        json.replace("fc30", "fc31"),
        json.replace("fc30", "\\\""),
        json.replace("\"section\":\"", "\"section\":\"fc"),
    ] {
        assert!(serde_json::from_str::<Splice>(&bad).is_err(), "{bad}");
    }
}

/// Sound alone, in segments of two seconds.
#[test]
fn what_is_said_goes_with_the_segment_during_which_it_is_said_once() {
    use crate::keys::MasterSecret;
    use crate::media::{AudioCoding, AudioConfig, Kind, Sample};
    use crate::package::{self, Output, Packager};
    use crate::segment::Input;

    let settings = package::Settings {
        channel: "t".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        segment_ms: 2000,
        part_ms: None,
        frames: false,
        key_period_s: 3600,
        secret: MasterSecret::new(b"a secret of some length").unwrap(),
    };
    let mut packager = Packager::new(settings, MediaTime::default());
    packager.handle(Input::Audio(AudioConfig {
        coding: AudioCoding::Aac,
        record: Bytes::from_static(b"\x11\x90"),
        codec: "mp4a.40.2".into(),
        sample_rate: 48_000,
        channels: 2,
        frame_len: 1024,
    }));
    let begin = 180_000_000_u64;
    for n in 0..400 {
        let dts = MediaTime(begin + n * 1920);
        packager.handle(Input::Sample(Sample {
            kind: Kind::Audio,
            dts,
            cts: 0,
            key: true,
            leading: false,
            data: Bytes::from_static(b"x"),
        }));
        // Said at 1.066 s and again at 3.2 s; another one at 3.2 s.
        for (at, event) in [(50, 1), (150, 1), (150, 2)] {
            if n == at {
                let of = splice(begin + 400_000, OUT, event, None);
                packager.splice(Splice { said: dts, ..of });
            }
        }
    }
    packager.finish();
    let mut events = Vec::new();
    while let Some(Output::Object(object)) = packager.poll() {
        if let package::Kind::Segment { splices, .. } = object.kind {
            events.push(
                splices.iter().filter_map(|splice| splice.section.command()?.event).collect::<Vec<_>>(),
            );
        }
    }
    assert_eq!(events, [vec![1], vec![2], vec![], vec![], vec![]]);
}

/// Said at `said`, of what is to happen at `at`.
fn timed(said: u64, at: u64, flags: u8, event: u32, planned: Option<u64>) -> Splice {
    let planned = planned.map(|ticks| time(ticks, 0xfe)).unwrap_or_default();
    let flags = (flags & !0x10) | if planned.is_empty() { 0 } else { 0x20 };
    let bytes = insert(event, flags, &[&time(at, 0xfe), &planned]);
    Splice { said: MediaTime(said), at: MediaTime(at), section: Section::new(&bytes).unwrap() }
}

fn cancel(said: u64, event: u32) -> Splice {
    let bytes = section(5, &[&event.to_be_bytes()[..], &[0xff]].concat(), &[], 0);
    Splice { said: MediaTime(said), at: MediaTime(said), section: Section::new(&bytes).unwrap() }
}

/// The begin and the end of each range, and what is planned.
fn told(of: &[Splice]) -> Vec<(u64, Option<u64>, Option<i64>)> {
    let splices = all(of);
    let ranges = ranges(&splices);
    let told = ranges
        .iter()
        .map(|range| (range.start.0, range.back.map(|(at, _)| at.0), range.planned.map(|span| span.0)));
    told.collect()
}

#[test]
fn what_is_said_again_to_happen_at_once_is_one_range_until_something_else_is_said() {
    const MINUTE: u64 = 60 * 90_000;
    for planned in [None, Some(3 * MINUTE)] {
        let again = [
            splice(10_000, OUT, 1, planned),
            splice(10_000 + MINUTE, OUT, 1, planned),
            splice(10_000 + 2 * MINUTE, OUT, 1, planned),
        ];
        let ticks = planned.map(|ticks| ticks as i64);
        assert_eq!(told(&again), [(10_000, None, ticks)]);
        let mut late = again.clone();
        late.reverse();
        assert_eq!(told(&late), told(&again), "whoever came late tells the same");
    }
    let pair = [
        splice(10_000, OUT, 1, None),
        splice(20_000, IN, 1, None),
        splice(21_000, IN, 1, None),
        splice(30_000, OUT, 1, None),
        splice(31_000, OUT, 2, None),
    ];
    assert_eq!(told(&pair), [(10_000, Some(20_000), None), (30_000, None, None), (31_000, None, None)]);
    let later = [splice(10_000, OUT, 1, Some(1_000)), splice(20_000, OUT, 1, Some(1_000))];
    assert_eq!(told(&later).len(), 2, "what is over may begin once more");
}

#[test]
fn what_is_put_off_or_cancelled_before_it_begins_is_told_as_it_will_be_and_what_was_told_keeps_its_name() {
    let out = timed(1_000, 9_000, 0xcf, 1, Some(500));
    let id = |of: &[Splice]| ranges(&all(of)).last().map(|range| range.id.clone());
    for (name, change, expected) in [
        ("put off", timed(2_000, 12_000, 0xcf, 1, Some(500)), &[(12_000, None, Some(500))][..]),
        ("sooner", timed(2_000, 4_000, 0xcf, 1, Some(500)), &[(4_000, None, Some(500))]),
        ("longer", timed(2_000, 9_000, 0xcf, 1, Some(700)), &[(9_000, None, Some(700))]),
        ("cancelled", cancel(2_000, 1), &[]),
        ("cancelled too late", cancel(9_000, 1), &[(9_000, None, Some(500))]),
        ("longer too late", timed(9_000, 9_000, 0xcf, 1, Some(700)), &[(9_000, None, Some(500))]),
        ("another event", cancel(2_000, 2), &[(9_000, None, Some(500))]),
    ] {
        assert_eq!(told(&[out.clone(), change.clone()]), expected, "{name}");
        assert_eq!(told(&[change.clone(), out.clone()]), expected, "{name}, the other way about");
        let (before, after) = (id(core::slice::from_ref(&out)), id(&[out.clone(), change.clone()]));
        let same = expected == [(9_000, None, Some(500))];
        assert!(expected.is_empty() || (before == after) == same, "{name}");
        // It does not come to life again while the list grows short.
        let mut splices = all(&[out.clone(), change]);
        for from in (0..9_000).step_by(500) {
            keep_from(&mut splices, MediaTime(from));
            assert!(
                same || ranges(&splices).iter().all(|range| range.id != *before.as_ref().unwrap()),
                "{name} {from}"
            );
        }
        keep_from(&mut splices, MediaTime(20_000));
        assert_eq!(splices, [], "{name}");
    }
    let again = [out, cancel(2_000, 1), timed(3_000, 9_500, 0xcf, 1, None), cancel(4_000, 1)];
    assert_eq!(told(&again[..3]), [(9_500, None, None)]);
    assert_eq!(told(&again), [], "it is cancelled twice");
}

#[test]
fn what_lies_far_from_where_it_is_said_and_lengths_that_nobody_means_are_not_told() {
    let (hour, now) = (3_600 * 90_000, 1_000 * 3_600 * 90_000_u64);
    for (at, near) in [
        (now, true),
        (now + 4 * hour, true),
        (now + 4 * hour + 1, false),
        (now - hour / 6, true),
        (now - hour / 6 - 1, false),
        (u64::MAX, false),
        (0, false),
    ] {
        let splice = Splice { said: MediaTime(now), at: MediaTime(at), ..splice(1_000, OUT, 1, None) };
        assert_eq!(splice.is_near(), near, "{at}");
    }
    let long =
        Section::new(&section(6, &time(5, 0xfe), &segmentation(7, 0x34, Some(0xff_ffff_ffff)), 0)).unwrap();
    let splices = [Splice { said: MediaTime(1), at: MediaTime(u64::MAX - 1), section: long }];
    assert_eq!(ranges(&splices)[0].planned, None);
    assert_eq!(ranges(&splices)[0].end(), MediaTime(u64::MAX));
}
