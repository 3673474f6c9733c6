//! Which of several tracks are used, and which header each fragment is read with.

use super::*;

/// The same track with other media: the last byte of each media box differs.
pub(super) fn marked(body: &[u8]) -> Vec<u8> {
    marked_with(0xff, body)
}

fn marked_with(mark: u8, body: &[u8]) -> Vec<u8> {
    let boxes = boxed::all(body).into_iter().map(|(name, whole)| {
        let mut whole = whole.to_vec();
        if name == b"mdat"
            && let Some(last) = whole.last_mut()
        {
            *last ^= mark;
        }
        whole
    });
    boxes.collect::<Vec<_>>().concat()
}

/// Some numbers, from a seed.
pub(super) fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below.max(1)
    }
}

fn all_frames(told: &[Result<FeedEvent, Error>]) -> Vec<Frame> {
    let frames = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Frame(frame)) => Some(frame.clone()),
        _ => None,
    });
    frames.collect()
}

#[test]
fn long_requests_in_any_order_and_in_any_pieces_give_the_same_frames() {
    let (other_video, other_audio) = (marked(VIDEO), marked(AUDIO));
    let requests =
        [("v1.cmfv", VIDEO), ("v2.cmfv", &other_video), ("de.cmfa", AUDIO), ("en.cmfa", &other_audio)];
    let expected = all_frames(&told(&[Whole("v", VIDEO), Whole("a", AUDIO)], 4000));
    assert!(expected.len() > 140);
    for seed in 0..40 {
        let mut number = numbers(seed);
        let mut bench = Bench::new();
        let mut left: Vec<_> = requests.iter().map(|(name, body)| (*name, *body, None)).collect();
        while !left.is_empty() {
            let at = number(left.len());
            let (name, body, request) = &mut left[at];
            let request = *request.get_or_insert_with(|| bench.gather.open(name, bench.now).unwrap());
            let (piece, rest) = body.split_at((1 + number(3000)).min(body.len()));
            bench.gather.handle(request, piece, bench.now).unwrap();
            *body = rest;
            if rest.is_empty() {
                bench.gather.close(request, true, bench.now).unwrap();
                left.remove(at);
            }
            // Far less than the choice takes.
            bench.push(&Pass(number(2) as u64), 1).unwrap();
        }
        assert_eq!(all_frames(&bench.finish()), expected, "{seed}");
    }
}

/// The frames of a further track.
pub(super) fn further(told: &[Result<FeedEvent, Error>], of: u8, kind: Kind) -> Vec<Frame> {
    let frames = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Further { track, event }) if *track == of => match &**event {
            FeedEvent::Frame(frame) if frame.kind == kind => Some(frame.clone()),
            _ => None,
        },
        _ => None,
    });
    frames.collect()
}

#[test]
fn further_tracks_are_numbered_by_their_names_whichever_request_comes_first() {
    let bodies = [(0, VIDEO), (1, VIDEO), (2, VIDEO), (0, AUDIO), (1, AUDIO)];
    let bodies = bodies.map(|(mark, body)| marked_with(mark, body));
    let names = ["v1.cmfv", "v2.cmfv", "v3.cmfv", "de.cmfa", "en.cmfa"];
    let alone = |at: usize, kind| frames(&told(&[Whole("x", &bodies[at])], 4000), kind);
    for seed in 0..20 {
        let mut number = numbers(seed);
        let mut bench = Bench::new();
        bench.gather = Gather::new(&Headers::default(), NOW).with_pictures(&[1, 2]).with_sounds(&[1]);
        let mut left: Vec<_> =
            names.iter().zip(&bodies).map(|(name, body)| (*name, &body[..], None)).collect();
        while !left.is_empty() {
            let at = number(left.len());
            let (name, body, request) = &mut left[at];
            let request = *request.get_or_insert_with(|| bench.gather.open(name, bench.now).unwrap());
            let (piece, rest) = body.split_at((1 + number(3000)).min(body.len()));
            bench.gather.handle(request, piece, bench.now).unwrap();
            *body = rest;
            if rest.is_empty() {
                bench.gather.close(request, true, bench.now).unwrap();
                left.remove(at);
            }
            bench.push(&Pass(number(2) as u64), 1).unwrap();
        }
        assert_eq!(bench.gather.poll_other(), None, "{seed}");
        let told = bench.finish();
        let first = |event: &FeedEvent| matches!(event, FeedEvent::Frame(_) | FeedEvent::Further { .. });
        let first = told.iter().flatten().find(|event| first(event));
        assert!(
            matches!(first, Some(FeedEvent::Frame(_))),
            "{seed}: the best tracks tell where the clock stands"
        );
        assert_eq!(frames(&told, Kind::Video), alone(0, Kind::Video), "{seed}");
        assert_eq!(frames(&told, Kind::Audio), alone(3, Kind::Audio), "{seed}");
        assert_eq!(further(&told, 1, Kind::Video), alone(1, Kind::Video), "{seed}");
        assert_eq!(further(&told, 2, Kind::Video), alone(2, Kind::Video), "{seed}");
        assert_eq!(further(&told, 1, Kind::Audio), alone(4, Kind::Audio), "{seed}");
    }
}

#[test]
fn further_tracks_that_nobody_wants_are_named_and_one_that_comes_late_takes_a_free_number() {
    let (second, third) = (marked_with(1, AUDIO), marked_with(2, AUDIO));
    let (header, segments) = first_of(&third);
    let mut bench = Bench::new();
    bench.gather = Gather::new(&Headers::default(), NOW).with_sounds(&[1]);
    bench.push(&Whole("v.cmfv", VIDEO), 4000).unwrap();
    bench.push(&Whole("v2.cmfv", VIDEO), 4000).unwrap();
    bench.push(&Whole("a.cmfa", AUDIO), 4000).unwrap();
    bench.push(&Pass(CHOICE_MS), 1).unwrap();
    assert_eq!(bench.gather.poll_other().as_deref(), Some("video track 1 of v2.cmfv"));
    bench.push(&Whole("c.cmfa", &[&header[..], &segments[0]].concat()), 4000).unwrap();
    bench.push(&Whole("b.cmfa", &second), 4000).unwrap();
    assert_eq!(bench.gather.poll_other().as_deref(), Some("audio track 1 of b.cmfa"), "none is free");
    let told = bench.finish();
    let expected = frames(&super::told(&[Whole("x", &third)], 4000), Kind::Audio);
    let found = further(&told, 1, Kind::Audio);
    assert!(!found.is_empty() && expected.starts_with(&found), "{}", found.len());
}

/// The same header, whose media header says this language.
fn spoken(body: &[u8], code: &[u8; 3]) -> Vec<u8> {
    let mut body = body.to_vec();
    let at = body.windows(4).position(|name| name == b"mdhd").unwrap() + 4;
    let packed = code.iter().fold(0_u16, |packed, letter| packed << 5 | u16::from(letter - 0x60));
    body[at + 20..at + 22].copy_from_slice(&packed.to_be_bytes());
    body
}

#[test]
fn the_languages_of_headers_are_told_with_the_tracks() {
    let (korean, turkish) = (spoken(AUDIO, b"kor"), spoken(&marked(AUDIO), b"tur"));
    let mut bench = Bench::new();
    bench.gather = Gather::new(&Headers::default(), NOW).with_sounds(&[1]);
    bench.push(&Whole("a.cmfa", &korean), 4000).unwrap();
    bench.push(&Whole("b.cmfa", &turkish), 4000).unwrap();
    let told = bench.finish();
    let languages = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Language { track, language }) => Some((*track, language.as_str())),
        _ => None,
    });
    assert_eq!(languages.collect::<Vec<_>>(), [(0, "ko"), (1, "tr")]);
}

#[test]
fn a_better_track_that_comes_later_takes_over_between_two_fragments() {
    let (header, sounds) = first_of(AUDIO);
    let other = marked(AUDIO);
    let (_, others) = first_of(&other);
    let whole = frames(&told(&[Whole("a", AUDIO)], 4000), Kind::Audio);
    let others_frames = frames(&told(&[Whole("a", &other)], 4000), Kind::Audio);
    let count = |segment: usize| {
        frames(&told(&[Whole("a", &[&header[..], &sounds[segment]].concat())], 4000), Kind::Audio).len()
    };
    let first = count(0);
    assert_ne!(whole[first - 1].data, others_frames[first - 1].data);
    let begin = || {
        let mut bench = Bench::new();
        bench.push(&Whole("b", &[&header[..], &others[0]].concat()), 100).unwrap();
        bench.push(&Pass(CHOICE_MS), 1).unwrap();
        // Its header alone changes nothing, nor does what the other one has given already.
        bench.push(&Whole("a", &[&header[..], &sounds[0]].concat()), 100).unwrap();
        bench
    };
    let expected = [&others_frames[..first], &whole[first..]].concat();
    for turn in [[0, 1], [1, 0]] {
        let mut bench = begin();
        for segment in 1..sounds.len() {
            for which in turn {
                let (name, segments) = [("a", &sounds), ("b", &others)][which];
                bench.push(&Whole(name, &segments[segment]), 100).unwrap();
            }
        }
        assert_eq!(frames(&bench.finish(), Kind::Audio), expected, "{turn:?}");
    }
    // One that comes no more leaves it as it is.
    let mut bench = begin();
    bench.push(&Pass(10_000), 1).unwrap();
    (1..others.len()).for_each(|n| bench.push(&Whole("b", &others[n]), 100).unwrap());
    assert_eq!(frames(&bench.finish(), Kind::Audio), others_frames);
}

#[test]
fn an_absurd_duration_keeps_no_track_in_its_place_that_comes_no_more() {
    let (header, sounds) = first_of(AUDIO);
    let other = marked(AUDIO);
    let (_, others) = first_of(&other);
    let mut absurd = sounds[0].clone();
    // The last sample's duration stands before its size, which ends the box before the media (ISO/IEC 14496-12, 8.8.8).
    let at = absurd.windows(4).position(|name| name == b"mdat").unwrap() - 4 - 8;
    assert!(u32::from_be_bytes(absurd[at..at + 4].try_into().unwrap()) <= 1024);
    absurd[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut bench = Bench::new();
    bench.push(&Whole("a", &[&header[..], &absurd].concat()), 4000).unwrap();
    bench.push(&Whole("b", &header), 4000).unwrap();
    for second in 1..=62 {
        bench.push(&Pass(1000), 1).unwrap();
        bench.push(&Whole("b", &later(&others[0], second * 48_000)), 4000).unwrap();
    }
    let taken = frames(&bench.finish(), Kind::Audio);
    assert!(
        taken[45..].first().is_some_and(|first| (50_000..=60_000).contains(&first.dts_ms)),
        "{:?}",
        taken.len()
    );
}

#[test]
fn the_number_of_a_further_track_that_becomes_the_best_one_is_that_of_the_one_before_it() {
    let (header, sounds) = first_of(AUDIO);
    let other = marked(AUDIO);
    let (_, others) = first_of(&other);
    let whole = frames(&told(&[Whole("a", AUDIO)], 4000), Kind::Audio);
    let others_frames = frames(&told(&[Whole("a", &other)], 4000), Kind::Audio);
    let mut bench = Bench::new();
    bench.gather = Gather::new(&Headers::default(), NOW).with_sounds(&[1]);
    bench.push(&Whole("b", &[&header[..], &others[0]].concat()), 100).unwrap();
    bench.push(&Pass(CHOICE_MS), 1).unwrap();
    // The better one comes later, and has a number until it takes over.
    for segment in 0..sounds.len() {
        let head = if segment == 0 { &header[..] } else { &[] };
        bench.push(&Whole("a", &[head, &sounds[segment]].concat()), 100).unwrap();
        if segment > 0 {
            bench.push(&Whole("b", &others[segment]), 100).unwrap();
        }
    }
    assert_eq!(bench.gather.poll_other(), None);
    let told = bench.finish();
    let (first, second) = (frames(&told, Kind::Audio), further(&told, 1, Kind::Audio));
    assert_eq!(first.last(), whole.last());
    assert_eq!(second.last(), others_frames.last(), "at once, under the number that is free by that");
}

#[test]
fn headers_of_further_tracks_are_not_forgotten() {
    let (header, sounds) = first_of(AUDIO);
    let mut bench = Bench::new();
    bench.gather = Gather::new(&Headers::default(), NOW).with_sounds(&[1]);
    bench.push(&Whole("a", &[&header[..], &sounds[0]].concat()), 100).unwrap();
    bench.push(&Whole("b", &[&header[..], &sounds[0]].concat()), 100).unwrap();
    bench.push(&Pass(CHOICE_MS), 1).unwrap();
    // Others come, more than are known at a time, each of another kind.
    for n in 0..2 * super::super::HEADERS_MAX {
        let code = [b'a' + (n % 26) as u8, b'a' + (n / 26) as u8, b'x'];
        bench.push(&Whole(&format!("z{n}"), &spoken(&header, &code)), 4000).unwrap();
    }
    for sound in sounds.iter().skip(1) {
        bench.push(&Whole("a", sound), 100).unwrap();
        bench.push(&Whole("b", sound), 100).unwrap();
    }
    let told = bench.finish();
    assert_eq!(further(&told, 1, Kind::Audio), frames(&told, Kind::Audio));
}

#[test]
fn a_fragment_is_never_read_with_the_header_of_another_request_of_its_name() {
    let ((video, pictures), (audio, sounds)) = (first_of(VIDEO), first_of(AUDIO));
    let mut bench = Bench::new();
    let one = bench.gather.open("live", bench.now).unwrap();
    bench.gather.handle(one, &[&video[..], &pictures[0]].concat(), bench.now).unwrap();
    let (begun, rest) = pictures[1].split_at(pictures[1].len() - 500);
    bench.gather.handle(one, begun, bench.now).unwrap();
    let other = bench.gather.open("live", bench.now).unwrap();
    bench.gather.handle(other, &audio, bench.now).unwrap();
    // The track's number is the same in both.
    bench.gather.handle(one, rest, bench.now).unwrap();
    bench.gather.handle(one, &pictures[0], bench.now).unwrap();
    sounds.iter().for_each(|sound| bench.gather.handle(other, sound, bench.now).unwrap());
    let told = bench.finish();
    assert_eq!(frames(&told, Kind::Audio), frames(&super::told(&[Whole("a", AUDIO)], 4000), Kind::Audio));
    let before = frames(&super::told(&[Whole("v", VIDEO)], 4000), Kind::Video);
    let pictures = frames(&told, Kind::Video);
    assert!(pictures.len() >= 25 && pictures[..] == before[..pictures.len()]);
    assert_eq!(errors(&told).len(), 1, "{:?}", errors(&told));
}

#[test]
fn a_header_in_each_segments_request_is_no_other_track_and_nothing_grows() {
    let ((video, _), (audio, _)) = (first_of(VIDEO), first_of(AUDIO));
    let expected = told(&[Whole("v", VIDEO), Whole("a", AUDIO)], 4000);
    let other = marked(AUDIO);
    // Their clocks go on, for many segments.
    let segments = |body: &[u8]| first_of(body).1;
    for names in [["v-", "a-", "b-"], ["0/", "1/", "2/"], ["x0_", "x1_", "x2_"]] {
        let mut bench = Bench::new();
        for n in 0..3 {
            for (prefix, header, body) in
                [(names[1], &audio, AUDIO), (names[2], &audio, &other), (names[0], &video, VIDEO)]
            {
                let Some(segment) = segments(body).get(n).cloned() else { continue };
                let name = format!("{prefix}{}.mp4", n + 9);
                bench.push(&Whole(&name, &[&header[..], &segment].concat()), 300).unwrap();
            }
            bench.push(&Pass(900), 1).unwrap();
        }
        assert_eq!(bench.gather.headers().0.len(), 3, "{names:?}");
        assert_eq!(bench.gather.poll_other(), Some(format!("audio track 1 of {}9.mp4", names[2])));
        assert_eq!(bench.gather.poll_other(), None);
        let told = bench.finish();
        assert_eq!(parameters(&told).len(), 2);
        assert_eq!(errors(&told), Vec::<String>::new());
        for kind in [Kind::Video, Kind::Audio] {
            assert_eq!(frames(&told, kind), frames(&expected, kind), "{names:?}");
        }
    }
}

#[test]
fn a_header_that_comes_beside_its_first_segment_is_that_ones_also_where_it_is_like_anothers() {
    let ((header, sounds), other) = (first_of(AUDIO), marked(AUDIO));
    let mut bench = Bench::new();
    bench.push(&Whole("init-stream1.m4s", &header), 100).unwrap();
    bench.push(&Whole("chunk-stream1-0.m4s", &sounds[0]), 100).unwrap();
    // Its request is not over when the segment comes.
    let late = bench.gather.open("init-stream2.m4s", bench.now).unwrap();
    bench.gather.handle(late, &header, bench.now).unwrap();
    bench.push(&Whole("chunk-stream2-1.m4s", &first_of(&other).1[1]), 100).unwrap();
    bench.gather.close(late, true, bench.now).unwrap();
    for (n, sound) in sounds.iter().enumerate().skip(1) {
        bench.push(&Whole(&format!("chunk-stream1-{n}.m4s"), sound), 100).unwrap();
    }
    assert_eq!(bench.gather.poll_other().as_deref(), Some("audio track 1 of init-stream2.m4s"));
    let whole = told(&[Whole("a", AUDIO)], 4000);
    assert_eq!(frames(&bench.finish(), Kind::Audio), frames(&whole, Kind::Audio));
}

/// The children of a box of these bytes' first level, by name: where they begin and end.
fn boxes(bytes: &[u8], mut at: usize, end: usize) -> Vec<([u8; 4], usize, usize)> {
    let mut found = Vec::new();
    while at < end {
        let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        found.push((bytes[at + 4..at + 8].try_into().unwrap(), at, at + len));
        at += len;
    }
    found
}

/// The muxed fixture with its sound's track once more, as number 3, in a form that nobody takes.
fn with_a_second_sound() -> Vec<u8> {
    let mut bytes = MUXED.to_vec();
    let (_, moov, end) =
        boxes(&bytes, 0, bytes.len()).into_iter().find(|(name, ..)| name == b"moov").unwrap();
    let sound = boxes(&bytes, moov + 8, end).into_iter().rfind(|(name, ..)| name == b"trak").unwrap();
    let mut track = bytes[sound.1..sound.2].to_vec();
    // The number stands behind two times in the header, which is the first box (ISO/IEC 14496-12, 8.3.2).
    assert_eq!(track[12..16], *b"tkhd");
    track[28..32].copy_from_slice(&3_u32.to_be_bytes());
    let entry = track.windows(4).position(|bytes| bytes == b"mp4a").unwrap();
    track[entry..entry + 4].copy_from_slice(b"ec-3");
    let len = (end - moov + track.len()) as u32;
    bytes[moov..moov + 4].copy_from_slice(&len.to_be_bytes());
    bytes.splice(sound.2..sound.2, track);
    bytes
}

#[test]
fn one_track_that_can_t_be_used_is_named_and_the_others_are_used() {
    let mut bench = Bench::new();
    bench.push(&Whole("m", &with_a_second_sound()), 100).unwrap();
    let says = "audio track 3 of m (the encoder sends E-AC-3: set AAC-LC or Opus)";
    assert_eq!(bench.gather.poll_other().as_deref(), Some(says));
    let (expected, told) = (told(&[Whole("m", MUXED)], 4000), bench.finish());
    for kind in [Kind::Video, Kind::Audio] {
        assert_eq!(frames(&told, kind), frames(&expected, kind));
    }
    // A picture without its sound, or the sound alone, is not what the encoder means.
    let refusal = |old: &[u8], new: &[u8]| {
        let at = MUXED.windows(old.len()).position(|bytes| bytes == old).unwrap();
        let bytes = [&MUXED[..at], new, &MUXED[at + old.len()..]].concat();
        format!("{}", Bench::new().push(&Whole("m", &bytes), 100).unwrap_err())
    };
    for (old, new, says) in [
        (b"avc1\0", b"vp09\0", "VP9"),
        (b"mp4a\0", b"ec-3\0", "E-AC-3"),
        (b"esds\0", b"free\0", "a sample entry without its configuration"),
    ] {
        let told = refusal(old, new);
        assert!(told.contains(says), "{told}");
    }
}
