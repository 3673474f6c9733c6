//! What is made of requests, in which order and state ever they come.

use super::*;

/// The tracks apart, each as a header and its segments.
fn apart() -> [(Vec<u8>, Vec<Vec<u8>>); 2] {
    [first_of(VIDEO), first_of(AUDIO)]
}

fn times(told: &[Result<FeedEvent, Error>], kind: Kind) -> Vec<i64> {
    frames(told, kind).into_iter().map(|frame| frame.dts_ms).collect()
}

#[test]
fn a_request_for_each_segment_is_as_good_as_one_for_all_of_a_track() {
    let whole = told(&[Whole("v", VIDEO), Whole("a", AUDIO)], 4000);
    let [(video, pictures), (audio, sounds)] = apart();
    assert_eq!((pictures.len(), sounds.len()), (2, 3));
    for names in [
        ["Streams(video.cmfv)", "Streams(audio.cmfa)", "Streams(video.cmfv)", "Streams(audio.cmfa)"],
        ["init-stream0.m4s", "init-stream1.m4s", "chunk-stream0-00001.m4s", "chunk-stream1-00001.m4s"],
        ["video/init.mp4", "audio/init.mp4", "video/1.m4s", "audio/1.m4s"],
    ] {
        let mut pushes = Vec::from([Whole(names[0], &video), Whole(names[1], &audio)]);
        for (n, sound) in sounds.iter().enumerate() {
            pushes.extend(pictures.get(n).map(|picture| Whole(names[2], picture)));
            pushes.push(Whole(names[3], sound));
            pushes.push(Pass(1000));
        }
        let ours = told(&pushes, 500);
        assert_eq!(errors(&ours), Vec::<String>::new());
        for kind in [Kind::Video, Kind::Audio] {
            assert_eq!(frames(&ours, kind), frames(&whole, kind), "{names:?}");
        }
        assert_eq!(parameters(&ours).len(), 2);
    }
}

#[test]
fn a_fragment_whose_header_nobody_knows_is_refused_and_the_feed_goes_on() {
    let [(header, segments), (audio, _)] = apart();
    let mut bench = Bench::new();
    assert_eq!(bench.push(&Whole("v-1.m4s", &segments[0]), 100), Err(Refusal::NoHeader));
    bench.push(&Whole("v.mp4", &header), 100).unwrap();
    bench.push(&Whole("v-1.m4s", &segments[0]), 100).unwrap();
    // Where there is one header, it is that.
    bench.push(&Whole("unlike", &segments[1]), 100).unwrap();
    // Their tracks have the same number: it may be either's.
    bench.push(&Whole("a.mp4", &audio), 100).unwrap();
    assert_eq!(bench.push(&Whole("unlike", &segments[0]), 100), Err(Refusal::NoHeader));
    assert_eq!(frames(&bench.finish(), Kind::Video).len(), 50);
}

#[test]
fn a_feed_that_goes_on_needs_its_headers_no_more() {
    let [(video, pictures), (audio, sounds)] = apart();
    let mut before = Bench::new();
    for header in [Whole("init-stream0.m4s", &video), Whole("init-stream1.m4s", &audio)] {
        before.push(&header, 100).unwrap();
    }
    let kept = before.gather.headers();
    let mut bench = Bench::new();
    bench.gather = Gather::new(&kept, NOW);
    bench.push(&Whole("chunk-stream1-00002.m4s", &sounds[1]), 100).unwrap();
    bench.push(&Whole("chunk-stream0-00002.m4s", &pictures[1]), 100).unwrap();
    assert_eq!(bench.gather.headers().0.len(), 2);
    let told = bench.finish();
    assert_eq!(frames(&told, Kind::Video).len(), 25);
    assert!(!frames(&told, Kind::Audio).is_empty());
    assert_eq!(parameters(&told).len(), 2);

    // Where two names are as like, it is the header that this feed brought.
    let mut bench = Bench::new();
    bench.gather = Gather::new(&kept, NOW);
    bench.push(&Whole("other", &video), 100).unwrap();
    bench.push(&Whole("unlike", &pictures[1]), 100).unwrap();
}

#[test]
fn what_comes_again_is_taken_once_and_what_broke_off_is_completed() {
    let [(header, segments), _] = apart();
    let whole = told(&[Whole("v", VIDEO)], 4000);
    let half = &segments[0][..segments[0].len() - 300];
    for pushes in [
        &[Whole("v", &header), Whole("v", &segments[0]), Whole("v", &segments[0]), Whole("v", &segments[1])]
            [..],
        &[Whole("v", &header), Broken("v", half), Whole("v", &segments[0]), Whole("v", &segments[1])],
        &[Broken("v", &[&header, half].concat()), Whole("v", VIDEO)],
        &[Whole("v", VIDEO), Pass(2000), Whole("v", &header), Whole("v", &segments[1])],
    ] {
        let ours = told(pushes, 333);
        assert_eq!(frames(&ours, Kind::Video), frames(&whole, Kind::Video));
        assert_eq!(parameters(&ours).len(), 1, "a header that says the same says nothing new");
    }
    let later = told(&[Whole("v", VIDEO), Pass(20_000), Whole("v", VIDEO)], 4000);
    assert_eq!(frames(&later, Kind::Video).len(), 100, "much later, it is an encoder that begins anew");
}

#[test]
fn a_fragment_that_comes_late_is_left_out_and_no_jump_of_the_clock() {
    let [(header, segments), _] = apart();
    let pushes =
        [Whole("v", &header), Whole("v-2", &segments[1]), Pass(CHOICE_MS), Whole("v-1", &segments[0])];
    let ours = told(&pushes, 333);
    let second = told(&[Whole("v", &header), Whole("v-2", &segments[1])], 333);
    assert_eq!(frames(&ours, Kind::Video), frames(&second, Kind::Video));
    assert_eq!(errors(&ours).len(), 1, "{:?}", errors(&ours));

    // An encoder that begins anew sends more than a few.
    let at = |seconds: u64| {
        let mut segment = segments[0].clone();
        let tfdt = segment.windows(4).position(|name| name == b"tfdt").unwrap() + 4;
        match segment[tfdt] {
            0 => segment[tfdt + 4..tfdt + 8].copy_from_slice(&(seconds as u32 * 12_800).to_be_bytes()),
            _ => segment[tfdt + 4..tfdt + 12].copy_from_slice(&(seconds * 12_800).to_be_bytes()),
        }
        segment
    };
    let body = [30, 0, 1, 2, 3, 4].map(at).concat();
    let ours = told(&[Whole("v", &header), Whole("v", &body)], 333);
    let first = times(&ours, Kind::Video)[0];
    let starts: Vec<_> = times(&ours, Kind::Video).iter().step_by(25).map(|time| time - first).collect();
    assert_eq!(starts, [0, -27_000, -26_000]);
    assert_eq!(errors(&ours).len(), 3);
}

#[test]
fn what_is_missing_is_a_gap_and_a_fragment_that_makes_no_sense_is_left_out() {
    let [(header, segments), _] = apart();
    let second = told(&[Whole("v", &header), Whole("v", &segments[1])], 4000);
    assert_eq!(
        times(&second, Kind::Video)[0] - times(&told(&[Whole("v", VIDEO)], 4000), Kind::Video)[0],
        1000
    );
    let mut damaged = segments[0].clone();
    let trun = damaged.windows(4).position(|name| name == b"trun").unwrap();
    damaged[trun + 9] = 0xff;
    for damaged in [damaged, full(b"moof", 0, 0, &[]), flat(b"moof", &[b"\0\0\0\x08traf"])] {
        let ours = told(&[Whole("v", &[&header, &damaged[..], &segments[1]].concat())], 50);
        assert_eq!(frames(&ours, Kind::Video), frames(&second, Kind::Video));
        assert!(!errors(&ours).is_empty());
    }
}

#[test]
fn another_header_of_the_same_name_tells_new_parameters() {
    let [_, (header, segments)] = apart();
    let mut other = header.clone();
    // 48 kHz, mono: now stereo.
    let specific = other.windows(4).position(|bytes| bytes == [0x05, 0x80, 0x80, 0x80]).unwrap() + 5;
    assert_eq!(other[specific + 1] & 0x78, 0x08);
    other[specific + 1] = other[specific + 1] & 0x87 | 0x10;
    let pushes =
        [Whole("a", &header), Whole("a", &segments[0]), Whole("a", &other), Whole("a", &segments[1])];
    let ours = told(&pushes, 100);
    let channels = parameters(&ours).into_iter().map(|event| match event {
        FeedEvent::Audio(config) => config.channels,
        other => panic!("{other:?}"),
    });
    assert_eq!(channels.collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        times(&ours, Kind::Audio),
        times(&told(&[Whole("a", AUDIO)], 100), Kind::Audio)[..frames(&ours, Kind::Audio).len()]
    );
}

#[test]
fn what_can_t_be_used_is_named() {
    let [(video, _), (audio, _)] = apart();
    let replaced = |body: &[u8], old: &[u8], new: &[u8]| {
        let at = body.windows(old.len()).position(|bytes| bytes == old).unwrap();
        [&body[..at], new, &body[at + old.len()..]].concat()
    };
    for (body, says) in [
        (
            replaced(&video, b"avc1\0", b"mp4v\0"),
            "the encoder sends MPEG-4 part 2 or MPEG-2 video: set H.264, HEVC or AV1",
        ),
        (replaced(&video, b"avc1\0", b"vp09\0"), "the encoder sends VP9: set"),
        (replaced(&video, b"avc1\0", b"encv\0"), "the encoder sends encrypted media: set no encryption"),
        (replaced(&video, b"avc1\0", b"x\"y\x07\0"), "media with the sample entry xy: set"),
        (replaced(&audio, b"mp4a\0", b"ec-3\0"), "the encoder sends E-AC-3: set AAC-LC or Opus"),
        (replaced(&audio, b"\x40\x15", b"\x6b\x15"), "the encoder sends MP3: set AAC-LC or Opus"),
        (replaced(&video, b"avcC", b"free"), "without its configuration"),
        (replaced(&video, b"mvex", b"free"), "it is not fragmented"),
        (replaced(&video, b"moov", b"\xff\xff\xff\xff"), "what follows one of its boxes is no box"),
        (b"GET / HTTP/1.1".to_vec(), "it does not begin with a box"),
        (b"\0\0\0\x07ftyp".to_vec(), "it does not begin with a box"),
        (b"\0\0".to_vec(), "it ended in its first box"),
    ] {
        let mut bench = Bench::new();
        let refusal = bench.push(&Whole("v", &body), 64).unwrap_err();
        assert!(format!("{refusal}").contains(says), "{refusal}");
        bench.push(&Whole("a", AUDIO), 64).unwrap();
        assert!(frames(&bench.finish(), Kind::Audio).len() > 90, "the other track goes on");
    }
}

#[test]
fn one_kind_waits_for_the_other_for_a_while() {
    let [(video, pictures), (audio, sounds)] = apart();
    let mut bench = Bench::new();
    bench.push(&Whole("v", &[&video[..], &pictures[0]].concat()), 100).unwrap();
    assert_eq!(frames(&bench.told, Kind::Video).len(), 0);
    assert_eq!(bench.gather.deadline(), Some(bench.now.up_ms + CHOICE_MS));
    bench.push(&Pass(CHOICE_MS), 1).unwrap();
    assert_eq!(frames(&bench.told, Kind::Video).len(), 0);
    assert_eq!(bench.gather.deadline(), Some(bench.now.up_ms + WAIT_MS_MAX - CHOICE_MS));
    bench.push(&Pass(WAIT_MS_MAX), 1).unwrap();
    assert_eq!(frames(&bench.told, Kind::Video).len(), 25);
    bench.push(&Whole("v", &pictures[1]), 100).unwrap();
    assert_eq!(frames(&bench.told, Kind::Video).len(), 50, "nobody waits for sound that was given up");
    bench.push(&Whole("a", &[&audio[..], &sounds[0]].concat()), 100).unwrap();
    assert!(frames(&bench.told, Kind::Audio).is_empty(), "it waits for pictures again");
    let first = captured(&bench.told)[0];
    assert_eq!((first.utc, first.by_encoder), (NOW.utc, false), "what waited came when it came");
    assert!(!frames(&bench.finish(), Kind::Audio).is_empty());
}

/// Ticks a second of the tracks that are apart.
const VIDEO_HZ: u64 = 12_800;
const AUDIO_HZ: u64 = 48_000;

#[test]
fn sound_that_comes_in_whole_pieces_is_waited_for_as_long_as_they_are() {
    let [(video, pictures), (audio, sounds)] = apart();
    for piece in [6, 10] {
        let mut bench = Bench::new();
        bench.push(&Whole("v", &video), 100).unwrap();
        bench.push(&Whole("a", &audio), 100).unwrap();
        for second in 0..5 * piece {
            bench.push(&Pass(1000), 1).unwrap();
            bench.push(&Whole("v", &later(&pictures[0], second * VIDEO_HZ)), 4000).unwrap();
            if (second + 1) % piece == 0 {
                let seconds = second + 1 - piece..=second;
                let body = seconds.map(|second| later(&sounds[0], second * AUDIO_HZ)).collect::<Vec<_>>();
                bench.push(&Whole("a", &body.concat()), 4000).unwrap();
            }
            assert!(
                bench.gather.deadline().is_some_and(|due| due > bench.now.up_ms),
                "it is ticked for nothing"
            );
        }
        let told = bench.finish();
        assert_eq!(errors(&told), Vec::<String>::new());
        let told = told.iter().filter_map(|one| match one {
            Ok(FeedEvent::Frame(frame)) => Some((frame.kind, frame.dts_ms)),
            _ => None,
        });
        // Nobody knows it before the first piece has come.
        let told: Vec<_> = told.skip_while(|(kind, _)| *kind == Kind::Video).collect();
        assert_eq!(told.iter().filter(|(kind, _)| *kind == Kind::Audio).count() as u64, 5 * piece * 45);
        assert!(told.iter().map(|(_, time)| *time).is_sorted(), "{piece}: {told:?}");
    }
}

#[test]
fn sound_that_was_late_once_is_waited_for_as_others_are_after_a_minute_in_time() {
    let [(video, pictures), (audio, sounds)] = apart();
    let mut bench = Bench::new();
    bench.push(&Whole("v", &video), 100).unwrap();
    bench.push(&Whole("a", &audio), 100).unwrap();
    // How long the pictures of each second wait for their sound.
    let mut waits = Vec::new();
    for second in 0..70 {
        bench.push(&Pass(1000), 1).unwrap();
        bench.push(&Whole("v", &later(&pictures[0], second * VIDEO_HZ)), 4000).unwrap();
        waits.push(bench.gather.deadline().unwrap() - bench.now.up_ms);
        let seconds = if second < 5 {
            continue;
        } else if second == 5 {
            0..=5
        } else {
            second..=second
        };
        for second in seconds {
            bench.push(&Whole("a", &later(&sounds[0], second * AUDIO_HZ)), 4000).unwrap();
        }
    }
    assert_eq!(waits[0], WAIT_MS_MAX);
    assert!((6_000..=WAIT_LATE_MS_MAX).contains(&waits[6]) && waits[60] == waits[6], "{waits:?}");
    assert_eq!(waits[69], WAIT_MS_MAX);
}

#[test]
fn the_largest_of_several_pictures_whose_headers_come_first_is_taken() {
    let large = crate::fmp4::init(&crate::media::Tracks {
        video: Some(crate::media::VideoConfig {
            coding: crate::media::VideoCoding::Avc,
            record: Bytes::from_static(b"\x01\x64\0\x1f\xff\xe1\0\x13\x67\x64\0\x1f\xac\xb2\0\xa0\x0b\x76\x02\x20\0\0\x03\0\x20\0\0\x01\0\x04\x68\xee\x3c\xb0"),
            codec: "avc1.64001f".into(),
            width: 1280,
            height: 720,
            frame_rate_milli: None,
            colour: None,
        }),
        audio: None,
    });
    let (small, segments) = first_of(VIDEO);
    let mut bench = Bench::new();
    bench.push(&Whole("low", &small), 100).unwrap();
    let large = bench.push(&Whole("high", &large), 100);
    bench.push(&Whole("low", &segments[0]), 100).unwrap();
    assert_eq!(large, Ok(()));
    assert_eq!(bench.gather.poll_other().as_deref(), Some("video track 1 of low"));
    assert_eq!(bench.gather.poll_other(), None);
    // Nothing comes of it: after a while the other one is used.
    bench.push(&Pass(6000), 1).unwrap();
    bench.push(&Whole("low", &segments[1]), 100).unwrap();
    assert_eq!(frames(&bench.told, Kind::Video).len(), 0);
    bench.push(&Pass(WAIT_MS_MAX), 1).unwrap();
    assert_eq!(frames(&bench.finish(), Kind::Video).len(), 25);
}

#[test]
fn a_track_that_comes_seldom_is_not_left_for_another_one() {
    let (header, segments) = first_of(VIDEO);
    let mut bench = Bench::new();
    for (name, body) in [("a", &header), ("b", &header), ("a", &segments[0])] {
        bench.push(&Whole(name, body), 100).unwrap();
    }
    bench.push(&Pass(IDLE_MS_MAX - 1), 1).unwrap();
    bench.push(&Whole("b", &segments[1]), 100).unwrap();
    assert_eq!(frames(&bench.told, Kind::Video).len(), 25);
    bench.push(&Pass(1), 1).unwrap();
    bench.push(&Whole("b", &segments[1]), 100).unwrap();
    assert_eq!(frames(&bench.finish(), Kind::Video).len(), 50);
}

#[test]
fn it_ends_as_the_encoder_says_or_when_nothing_comes() {
    let last = |body: &[u8]| [&flat(b"styp", &[b"msdh\0\0\0\0msdhlmsg"])[..], body].concat();
    let (video, audio) = (last(VIDEO), [AUDIO, &flat(b"mfra", &[])].concat());
    let mut bench = Bench::new();
    bench.push(&Whole("v", &video), 1000).unwrap();
    assert_eq!(bench.gather.ended(bench.now), None, "there may be sound");
    bench.push(&Whole("a", &audio), 1000).unwrap();
    assert_eq!(bench.gather.ended(bench.now), Some(End::InOrder));

    let mut bench = Bench::new();
    bench.push(&Whole("v", &video), 1000).unwrap();
    bench.now = bench.now.plus_ms(ORDER_MS);
    assert_eq!(bench.gather.ended(bench.now), Some(End::InOrder));

    let mut bench = Bench::new();
    bench.push(&Whole("v", VIDEO), 1000).unwrap();
    for (over, after, end) in [
        (false, ORDER_MS, None),
        (true, 0, None),
        (true, ORDER_MS, Some(End::InOrder)),
        (false, IDLE_MS_MAX - 1, None),
        (false, IDLE_MS_MAX, Some(End::Lost)),
    ] {
        bench.gather.listed(over, bench.now);
        assert_eq!(bench.gather.ended(bench.now.plus_ms(after)), end, "{over} {after}");
    }
    let request = bench.gather.open("v", bench.now).unwrap();
    assert_eq!(bench.gather.ended(bench.now.plus_ms(IDLE_MS_MAX)), None, "a request is open");
    bench.gather.close(request, true, bench.now).unwrap();
}

#[test]
fn requests_at_once_are_bounded() {
    let mut gather = Gather::new(&Headers::default(), NOW);
    for n in 0..REQUESTS_MAX {
        gather.open(&format!("{n}"), NOW).unwrap();
    }
    assert_eq!(gather.open("one more", NOW), Err(Refusal::TooMany));
}

#[test]
fn a_capture_time_beside_the_media_is_told() {
    let (header, segments) = first_of(VIDEO);
    let ntp = |utc_ms: u64| {
        (((utc_ms / 1000 + 2_208_988_800) << 32) | (((utc_ms % 1000) << 32) / 1000 + 1)).to_be_bytes()
    };
    let at = NOW.utc.0 - 700;
    for (flags, version, expected) in [(24, 1, Some(at)), (0, 0, Some(at)), (8, 1, None)] {
        let media: &[u8] = if version == 1 { &12_800_u64.to_be_bytes() } else { &12_800_u32.to_be_bytes() };
        let prft = full(b"prft", version, flags, &[&1_u32.to_be_bytes(), &ntp(at), media]);
        let ours = told(&[Whole("v", &[&header, &prft[..], &segments[0]].concat())], 100);
        let by_encoder = captured(&ours).into_iter().find(|one| one.by_encoder);
        let expected = expected.map(|utc| Captured { feed_ms: 1000 - 80, utc: UtcMs(utc), by_encoder: true });
        // The edit list has the pictures begin 80 ms earlier.
        assert_eq!(by_encoder.map(|one| (one.utc, one.by_encoder)), expected.map(|one| (one.utc, true)));
    }
}

#[test]
fn splice_information_in_messages_is_told_before_the_fragment_at_its_time() {
    use crate::scte35::tests::{OUT, insert};
    const SCHEME: &[u8] = b"urn:scte:scte35:2013:bin\0";
    let [(header, segments), _] = apart();
    let section = insert(7, OUT, &[]);
    let word = |value: u32| value.to_be_bytes();
    // The track's first time is 0; its edit list moves it so that the first picture is shown with the sound.
    let absolute =
        [&word(1000)[..], &3_080_u64.to_be_bytes(), &word(0), &word(1), SCHEME, b"\0", &section].concat();
    let since = [SCHEME, b"\0", &word(90_000), &word(90_000), &word(0), &word(1), &section].concat();
    let other = [b"urn:other\0\0", &word(1)[..], &word(0), &word(0), &word(1), &section].concat();
    let first_ms = times(&told(&[Whole("v", VIDEO)], 4000), Kind::Video)[0];
    let whole = told(&[Whole("v", &[&header, &segments[0][..]].concat())], 4000);
    for (version, content, expected) in [
        (1, absolute, Some(3_080 + first_ms)),
        (0, since, Some(first_ms + 1_000)),
        (0, other, None),
        (1, b"cut".to_vec(), None),
    ] {
        let emsg = full(b"emsg", version, 0, &[&content]);
        for piece in [1, 4000] {
            let ours = told(&[Whole("v", &[&header, &emsg[..], &segments[0]].concat())], piece);
            let splices = ours.iter().filter_map(|one| match one {
                Ok(FeedEvent::Splice(splice)) => Some((splice.at_ms, splice.section.hexadecimal())),
                _ => None,
            });
            let expected =
                expected.map(|at| (at, format!("0x{}", crate::hex::encode(&section).to_uppercase())));
            assert_eq!(splices.collect::<Vec<_>>(), Vec::from_iter(expected), "{first_ms}");
            assert_eq!(frames(&ours, Kind::Video), frames(&whole, Kind::Video));
        }
    }
}
