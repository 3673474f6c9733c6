//! Segments of a track that are on their way at once, and that nothing brings in their order.

use super::tracks::numbers;
use super::*;

/// Ticks a second of the tracks that are apart.
const HZ: [u64; 2] = [12_800, 48_000];

/// So many samples a segment has, of a second each: of sound, a little less than that.
const COUNT: [usize; 2] = [25, 47];

fn name(track: usize, segment: u64) -> String {
    format!("chunk-stream{track}-{segment}.m4s")
}

/// So many segments of a track, a second each; and its header.
fn track(track: usize, segments: u64) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (header, of) = first_of([VIDEO, AUDIO][track]);
    let step = if track == 0 { HZ[0] } else { sound_span(&of[0]) };
    (header, (0..segments).map(|segment| later(&of[0], segment * step)).collect())
}

/// How long the first segment of sound is, in its ticks: a frame has 1,024.
fn sound_span(segment: &[u8]) -> u64 {
    let at = segment.windows(4).position(|name| name == b"trun").unwrap() + 8;
    u64::from(u32::from_be_bytes(segment[at..at + 4].try_into().unwrap())) * 1024
}

/// A feed that has gone on for its first second, with the headers and the first segments of both tracks.
fn going(tracks: &[(Vec<u8>, Vec<Vec<u8>>); 2]) -> Bench {
    let mut bench = Bench::new();
    for (at, (header, segments)) in tracks.iter().enumerate() {
        bench.push(&Whole(&format!("init-stream{at}.m4s"), header), 1000).unwrap();
        bench.push(&Whole(&name(at, 0), &segments[0]), 1000).unwrap();
    }
    bench.push(&Pass(CHOICE_MS), 1).unwrap();
    bench
}

fn put(bench: &mut Bench, tracks: &[(Vec<u8>, Vec<Vec<u8>>); 2], track: usize, segment: u64) {
    let body = &tracks[track].1[usize::try_from(segment).unwrap()];
    bench.push(&Whole(&name(track, segment), body), 700).unwrap();
}

/// How many pictures and frames of sound.
fn counts(told: &[Result<FeedEvent, Error>]) -> [usize; 2] {
    [Kind::Video, Kind::Audio].map(|kind| frames(told, kind).len())
}

#[test]
fn segments_that_are_read_in_any_order_and_beside_each_other_give_the_same_frames() {
    const SEGMENTS: u64 = 12;
    let tracks = [track(0, SEGMENTS), track(1, SEGMENTS)];
    let mut in_order = going(&tracks);
    for segment in 1..SEGMENTS {
        put(&mut in_order, &tracks, 0, segment);
        put(&mut in_order, &tracks, 1, segment);
    }
    let expected = in_order.finish();
    assert_eq!(errors(&expected), Vec::<String>::new());
    assert_eq!(counts(&expected)[0], COUNT[0] * usize::try_from(SEGMENTS).unwrap());
    for seed in 0..200 {
        let mut number = numbers(seed);
        let mut bench = going(&tracks);
        // Of each track, its next segment; and the requests that are open with what is left of them.
        let (mut next, mut open) = ([1_u64; 2], Vec::new());
        while next != [SEGMENTS; 2] || !open.is_empty() {
            let track = number(2);
            let lead = next[track].saturating_sub(next[1 - track]);
            if next[track] < SEGMENTS && lead < 3 && open.len() < 4 {
                let segment = usize::try_from(next[track]).unwrap();
                open.push((name(track, next[track]), &tracks[track].1[segment][..], None));
                next[track] += 1;
            }
            if open.is_empty() {
                continue;
            }
            // One that is accepted and not read yet is no request yet.
            let at = number(open.len());
            let (name, body, request) = &mut open[at];
            let request = *request.get_or_insert_with(|| bench.gather.open(name, bench.now).unwrap());
            let (piece, rest) = body.split_at((1 + number(6000)).min(body.len()));
            bench.gather.handle(request, piece, bench.now).unwrap();
            *body = rest;
            if rest.is_empty() {
                bench.gather.close(request, true, bench.now).unwrap();
                open.remove(at);
            }
            bench.push(&Pass(number(100) as u64), 1).unwrap();
        }
        let told = bench.finish();
        assert_eq!(errors(&told), Vec::<String>::new(), "{seed}");
        let of = |told: &[Result<FeedEvent, Error>]| {
            told.iter().filter_map(|one| one.clone().ok()).collect::<Vec<FeedEvent>>()
        };
        assert!(of(&told) == of(&expected), "{seed}: {:?}", counts(&told));
    }
}

#[test]
fn what_is_missing_is_waited_for_as_long_as_it_may_come() {
    let tracks = [track(0, 6), track(1, 6)];
    let mut bench = going(&tracks);
    let before = counts(&bench.told);
    // Nothing may bring it that is known of.
    for sound in 1..4 {
        put(&mut bench, &tracks, 1, sound);
    }
    put(&mut bench, &tracks, 0, 2);
    assert_eq!(bench.gather.deadline(), Some(bench.now.up_ms + ORDER_MS));
    bench.push(&Pass(ORDER_MS - 1), 1).unwrap();
    assert_eq!(counts(&bench.told)[0], before[0]);
    bench.push(&Pass(1), 1).unwrap();
    assert_eq!(counts(&bench.told)[0], before[0] + COUNT[0]);
    put(&mut bench, &tracks, 0, 1);
    assert_eq!(errors(&bench.told), ["skipped: a fragment that comes after later ones of its track"]);

    // A request is open that may.
    let mut bench = going(&tracks);
    put(&mut bench, &tracks, 1, 1);
    let open = bench.gather.open(&name(0, 1), bench.now).unwrap();
    put(&mut bench, &tracks, 0, 2);
    bench.push(&Pass(WAIT_MS_MAX - 1), 1).unwrap();
    assert_eq!(counts(&bench.told)[0], before[0]);
    bench.gather.handle(open, &tracks[0].1[1], bench.now).unwrap();
    bench.gather.close(open, true, bench.now).unwrap();
    put(&mut bench, &tracks, 1, 2);
    put(&mut bench, &tracks, 1, 3);
    bench.take();
    assert_eq!((counts(&bench.told)[0], errors(&bench.told)), (before[0] + 2 * COUNT[0], Vec::new()));

    // One brings it, and stops in the middle.
    let mut bench = going(&tracks);
    let open = bench.gather.open(&name(0, 1), bench.now).unwrap();
    let body = &tracks[0].1[1];
    bench.gather.handle(open, &body[..body.len() - 100], bench.now).unwrap();
    put(&mut bench, &tracks, 0, 2);
    put(&mut bench, &tracks, 1, 1);
    put(&mut bench, &tracks, 1, 2);
    bench.push(&Pass(WAIT_MS_MAX), 1).unwrap();
    assert_eq!(errors(&bench.told).len(), 1, "{:?}", errors(&bench.told));
    let given = counts(&bench.told)[0];
    assert!((before[0] + COUNT[0] + 1..before[0] + 2 * COUNT[0]).contains(&given), "{given}");
    bench.gather.handle(open, &body[body.len() - 100..], bench.now).unwrap();
    bench.take();
    assert_eq!(counts(&bench.told)[0], given, "nothing is given out behind what follows it");
}

#[test]
fn one_that_is_given_up_costs_no_other_one_that_is_still_coming() {
    let tracks = [track(0, 8), track(1, 8)];
    let half = |segment: usize| tracks[0].1[segment].split_at(tracks[0].1[segment].len() - 300);
    for stalls in [false, true] {
        let mut bench = going(&tracks);
        for sound in 1..8 {
            put(&mut bench, &tracks, 1, sound);
        }
        let open = |bench: &mut Bench, segment: u64| {
            let request = bench.gather.open(&name(0, segment), bench.now).unwrap();
            bench.gather.handle(request, half(usize::try_from(segment).unwrap()).0, bench.now).unwrap();
            (request, half(usize::try_from(segment).unwrap()).1)
        };
        // The first does not come at all, or stalls.
        let first = stalls.then(|| open(&mut bench, 1));
        let others = [2, 3, 4].map(|segment| open(&mut bench, segment));
        bench.push(&Pass(if stalls { WAIT_MS_MAX } else { ORDER_MS }), 1).unwrap();
        assert_eq!(errors(&bench.told).len(), usize::from(stalls), "{stalls}: {:?}", errors(&bench.told));
        for (request, rest) in others {
            for piece in rest.chunks(100) {
                bench.push(&Pass(500), 1).unwrap();
                bench.gather.handle(request, piece, bench.now).unwrap();
            }
            bench.gather.close(request, true, bench.now).unwrap();
        }
        if let Some((request, _)) = first {
            bench.gather.close(request, false, bench.now).unwrap();
        }
        let told = bench.finish();
        let given = counts(&told)[0] - COUNT[0];
        assert!(given >= 3 * COUNT[0] && errors(&told).len() == usize::from(stalls), "{stalls}: {given}");
    }
}

#[test]
fn one_that_broke_off_is_sent_again_before_what_follows_it_is_given_out() {
    let tracks = [track(0, 4), track(1, 4)];
    let len = tracks[0].1[1].len();
    for (follows_first, upto) in [(false, len / 2), (true, len / 2), (false, len - 60), (true, len - 60)] {
        let mut bench = going(&tracks);
        let body = &tracks[0].1[1];
        if follows_first {
            put(&mut bench, &tracks, 0, 2);
        }
        bench.push(&Broken(&name(0, 1), &body[..upto]), 500).unwrap();
        if !follows_first {
            put(&mut bench, &tracks, 0, 2);
        }
        bench.push(&Pass(ORDER_MS / 2), 1).unwrap();
        put(&mut bench, &tracks, 0, 1);
        let told = bench.finish();
        assert_eq!((counts(&told)[0], errors(&told)), (3 * COUNT[0], Vec::new()));
        assert!(frames(&told, Kind::Video).iter().map(|frame| frame.dts_ms).is_sorted());
    }
}

#[test]
fn nothing_waits_where_a_track_has_holes_of_its_own() {
    let tracks = [track(0, 40), track(1, 44)];
    // In one request, what is not there does not come.
    let mut bench = going(&tracks);
    let before = counts(&bench.told)[0];
    let body = [1, 2, 5, 6].map(|segment| tracks[0].1[segment].clone()).concat();
    bench.push(&Whole(&name(0, 1), &body), 900).unwrap();
    let sound = (1..8).map(|segment| tracks[1].1[segment].clone()).collect::<Vec<_>>().concat();
    bench.push(&Whole(&name(1, 1), &sound), 900).unwrap();
    assert_eq!(counts(&bench.told)[0], before + 4 * COUNT[0]);

    // Every second segment: after three times nobody waits for the others.
    let mut bench = going(&tracks);
    let (mut waits, mut sound) = (Vec::new(), 1);
    for segment in (2..40).step_by(2) {
        // A segment of sound is shorter.
        while sound * 24 / 25 <= segment + 1 {
            put(&mut bench, &tracks, 1, sound);
            sound += 1;
        }
        let before = counts(&bench.told)[0];
        put(&mut bench, &tracks, 0, segment);
        waits.push(counts(&bench.told)[0] == before);
        bench.push(&Pass(2000), 1).unwrap();
        assert_eq!(counts(&bench.told)[0], before + COUNT[0], "{segment}");
        if segment == 20 {
            // And here one was only late.
            put(&mut bench, &tracks, 0, segment - 1);
        }
    }
    let waited = |wait: bool, count: usize| core::iter::repeat_n(wait, count);
    let expected = waited(true, 3).chain(waited(false, 7)).chain(waited(true, 3)).chain(waited(false, 6));
    assert_eq!(waits, expected.collect::<Vec<_>>());
}

#[test]
fn what_waits_for_a_request_that_comes_on_waits_as_long_as_that_does_up_to_a_bound() {
    let tracks = [track(0, 4), track(1, 4)];
    let mut bench = going(&tracks);
    let open = bench.gather.open(&name(0, 1), bench.now).unwrap();
    let body = tracks[0].1[1].clone();
    let media = body.windows(4).position(|name| name == b"mdat").unwrap() + 4;
    bench.gather.handle(open, &body[..media], bench.now).unwrap();
    put(&mut bench, &tracks, 0, 2);
    let mut pieces = body[media..].chunks(700);
    let mut waited = 0;
    while errors(&bench.told).is_empty()
        && let Some(piece) = pieces.next()
    {
        bench.push(&Pass(900), 1).unwrap();
        waited += 900;
        bench.gather.handle(open, piece, bench.now).unwrap();
        bench.take();
    }
    assert!(waited > WAIT_MS_MAX, "{waited}");
    assert_eq!(errors(&bench.told), Vec::<String>::new(), "it has come to its end");
    assert_eq!(counts(&bench.finish())[0], 3 * COUNT[0]);

    // A frame at a time takes longer than anybody waits.
    let mut bench = going(&tracks);
    let open = bench.gather.open(&name(0, 1), bench.now).unwrap();
    let key = media + 1800;
    bench.gather.handle(open, &body[..key], bench.now).unwrap();
    put(&mut bench, &tracks, 0, 2);
    let since = bench.now;
    for piece in body[key..].chunks(40) {
        bench.gather.handle(open, piece, bench.now).unwrap();
        bench.push(&Pass(1000), 1).unwrap();
        if !errors(&bench.told).is_empty() {
            break;
        }
    }
    assert_eq!(bench.now.ms_since(since.up_ms), WAIT_LATE_MS_MAX);
    assert_eq!(
        errors(&bench.told),
        ["skipped: a fragment whose media came too slowly: later ones of its track were there"]
    );
}

#[test]
fn the_last_segment_ends_nothing_that_it_has_overtaken() {
    let last = |body: &[u8]| [&flat(b"styp", &[b"msdh\0\0\0\0msdhlmsg"])[..], body].concat();
    let tracks = [track(0, 3), track(1, 3)];
    let mut bench = going(&tracks);
    put(&mut bench, &tracks, 1, 1);
    bench.push(&Whole(&name(1, 2), &last(&tracks[1].1[2])), 900).unwrap();
    bench.push(&Whole(&name(0, 2), &last(&tracks[0].1[2])), 900).unwrap();
    assert_eq!(bench.gather.ended(bench.now), None);
    put(&mut bench, &tracks, 0, 1);
    assert_eq!(bench.gather.ended(bench.now), Some(End::InOrder));
    assert_eq!(counts(&bench.finish())[0], 3 * COUNT[0]);

    // Two of them.
    let tracks = [track(0, 4), track(1, 4)];
    let mut bench = going(&tracks);
    bench.push(&Whole(&name(0, 3), &last(&tracks[0].1[3])), 900).unwrap();
    for segment in 1..3 {
        put(&mut bench, &tracks, 0, segment);
        put(&mut bench, &tracks, 1, segment);
    }
    bench.push(&Whole(&name(1, 3), &last(&tracks[1].1[3])), 900).unwrap();
    assert_eq!(bench.gather.ended(bench.now), Some(End::InOrder));
}

#[test]
fn segments_with_headers_of_their_own_may_be_read_in_the_wrong_order() {
    let (header, segments) = track(0, 8);
    let body = |segment: usize| [&header[..], &segments[segment]].concat();
    for orders in [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [1, 0, 2, 3, 5, 4, 6, 7],
        [0, 1, 3, 4, 2, 5, 7, 6],
        [2, 1, 0, 4, 3, 6, 7, 5],
    ] {
        let mut bench = Bench::new();
        for (at, segment) in orders.into_iter().enumerate() {
            bench.push(&Whole(&format!("video-{segment}.mp4"), &body(segment)), 900).unwrap();
            if at == 2 {
                bench.push(&Pass(CHOICE_MS), 1).unwrap();
            }
        }
        assert_eq!(bench.gather.poll_other(), None, "{orders:?}");
        let told = bench.finish();
        assert_eq!((counts(&told)[0], errors(&told)), (8 * COUNT[0], Vec::new()), "{orders:?}");
        assert!(frames(&told, Kind::Video).iter().map(|frame| frame.dts_ms).is_sorted(), "{orders:?}");
    }
}

#[test]
fn the_first_two_segments_with_headers_of_their_own_may_be_on_their_way_at_once() {
    let (header, segments) = track(0, 4);
    let body = |segment: usize| [&header[..], &segments[segment]].concat();
    let mut bench = Bench::new();
    let [first, second] = [0, 1].map(|segment| {
        (bench.gather.open(&format!("video-{segment}.mp4"), bench.now).unwrap(), body(segment))
    });
    for (request, body) in [&second, &first] {
        bench.gather.handle(*request, &body[..body.len() - 100], bench.now).unwrap();
    }
    for (request, body) in [&second, &first] {
        bench.gather.handle(*request, &body[body.len() - 100..], bench.now).unwrap();
        bench.gather.close(*request, true, bench.now).unwrap();
    }
    for segment in 2..4 {
        bench.push(&Whole(&format!("video-{segment}.mp4"), &body(segment)), 900).unwrap();
        bench.push(&Pass(ORDER_MS), 1).unwrap();
    }
    assert_eq!(bench.gather.poll_other(), None);
    assert_eq!(counts(&bench.finish())[0], 4 * COUNT[0]);
}

#[test]
fn two_tracks_with_one_header_that_took_one_another_for_themselves_part_again() {
    let (header, segments) = track(1, 8);
    let mut bench = Bench::new();
    bench.gather = Gather::new(&Headers::default(), NOW).with_sounds(&[1]);
    for (at, segment) in segments.iter().enumerate() {
        let body = [&header[..], segment].concat();
        // The other one begins later.
        bench.push(&Whole("audio-1.mp4", &body), 900).unwrap();
        if at > 0 {
            bench.push(&Whole("audio-2.mp4", &body), 900).unwrap();
        }
        bench.push(&Pass(900), 1).unwrap();
    }
    let told = bench.finish();
    let further = super::tracks::further(&told, 1, Kind::Audio).len();
    assert!(counts(&told)[1] >= 7 * 45 && further >= 5 * 45, "{:?}, {further}", counts(&told));
}

#[test]
fn a_late_segment_of_several_fragments_is_late_as_a_whole() {
    // Eight fragments a segment, of an eighth of a second each by their times.
    let (header, of) = first_of(VIDEO);
    let eighth = HZ[0];
    let chunk = |chunk: u64| later(&of[0], chunk * eighth);
    let segment = |segment: u64| (segment * 8..segment * 8 + 8).map(chunk).collect::<Vec<_>>().concat();
    let mut bench = Bench::new();
    bench.push(&Whole("v", &header), 1000).unwrap();
    for at in [0, 1, 3] {
        bench.push(&Whole(&format!("v-{at}"), &segment(at)), 4000).unwrap();
        bench.push(&Pass(ORDER_MS + WAIT_MS_MAX), 1).unwrap();
    }
    // Nobody waited so long for it; and one that came already comes again, with more fragments than are known again.
    bench.push(&Whole("v-2", &segment(2)), 4000).unwrap();
    bench.push(&Whole("v-1", &segment(1)), 4000).unwrap();
    bench.push(&Whole("v-4", &segment(4)), 4000).unwrap();
    let told = bench.finish();
    let times: Vec<_> = frames(&told, Kind::Video).iter().map(|frame| frame.dts_ms).collect();
    assert_eq!(times.len(), 4 * 8 * COUNT[0]);
    assert!(times.is_sorted());
}

#[test]
fn a_segment_with_its_own_header_that_comes_too_late_is_late_and_no_other_track() {
    let (header, segments) = track(0, 9);
    let body = |segment: usize| [&header[..], &segments[segment]].concat();
    for late in [Some(3), Some(4), None] {
        let mut bench = Bench::new();
        let push = |bench: &mut Bench, segment: usize| {
            bench.push(&Whole(&format!("video-{segment}.mp4"), &body(segment)), 900).unwrap();
        };
        for segment in [0, 1, 2, 4] {
            push(&mut bench, segment);
            bench.push(&Pass(ORDER_MS), 1).unwrap();
        }
        // One that was missing, or one once more.
        late.into_iter().for_each(|late| push(&mut bench, late));
        for segment in 5..9 {
            bench.push(&Pass(ORDER_MS), 1).unwrap();
            push(&mut bench, segment);
        }
        assert_eq!(bench.gather.poll_other(), None, "{late:?}");
        let told = bench.finish();
        assert_eq!(counts(&told)[0], 8 * COUNT[0], "{late:?}");
        assert_eq!(errors(&told).len(), usize::from(late == Some(3)), "{late:?}: {:?}", errors(&told));
    }
}

#[test]
fn two_tracks_with_one_header_stay_two_where_one_begins_behind_the_other() {
    let (header, segments) = track(1, 6);
    let other = track(1, 6).1;
    let mut bench = Bench::new();
    bench.gather = Gather::new(&Headers::default(), NOW).with_sounds(&[1]);
    let [first, second] =
        ["audio1.mp4", "audio2.mp4"].map(|name| bench.gather.open(name, bench.now).unwrap());
    let handle = |bench: &mut Bench, request, body: &[u8]| {
        bench.gather.handle(request, body, bench.now).unwrap();
    };
    handle(&mut bench, first, &[&header[..], &segments[2]].concat());
    handle(&mut bench, second, &[&header[..], &other[1]].concat());
    for segment in 3..6 {
        handle(&mut bench, first, &segments[segment]);
        handle(&mut bench, second, &other[segment - 1]);
    }
    bench.gather.close(first, true, bench.now).unwrap();
    bench.gather.close(second, true, bench.now).unwrap();
    let told = bench.finish();
    let further = told.iter().filter(|one| matches!(one, Ok(FeedEvent::Further { .. }))).count();
    assert!(counts(&told)[1] == 4 * 45 && further > 4 * 45, "{:?} {further}", counts(&told));
}

#[test]
fn requests_beside_each_other_of_a_track_that_takes_over_are_not_mixed_up() {
    let (header, sounds) = first_of(AUDIO);
    let other = super::tracks::marked(AUDIO);
    let (_, others) = first_of(&other);
    let whole = frames(&told(&[Whole("a", AUDIO)], 4000), Kind::Audio);
    let others_frames = frames(&told(&[Whole("a", &other)], 4000), Kind::Audio);
    let first = frames(&told(&[Whole("a", &[&header[..], &sounds[0]].concat())], 4000), Kind::Audio).len();
    let mut bench = Bench::new();
    bench.gather = Gather::new(&Headers::default(), NOW).with_sounds(&[1]);
    bench.push(&Whole("b", &[&header[..], &others[0]].concat()), 100).unwrap();
    bench.push(&Pass(CHOICE_MS), 1).unwrap();
    // The better one's first segment is still coming while its second one takes over, and so is the other one's second.
    let halves = |body: &[u8]| (body[..body.len() / 2].to_vec(), body[body.len() / 2..].to_vec());
    let ((a, a_rest), (b, b_rest)) = (halves(&[&header[..], &sounds[0]].concat()), halves(&others[1]));
    let a_first = bench.gather.open("a", bench.now).unwrap();
    bench.gather.handle(a_first, &a, bench.now).unwrap();
    let b_second = bench.gather.open("b", bench.now).unwrap();
    bench.gather.handle(b_second, &b, bench.now).unwrap();
    let (begin, rest) = halves(&sounds[1]);
    let a_second = bench.gather.open("a", bench.now).unwrap();
    bench.gather.handle(a_second, &begin, bench.now).unwrap();
    for (request, body) in [(a_first, a_rest), (b_second, b_rest), (a_second, rest)] {
        bench.gather.handle(request, &body, bench.now).unwrap();
        bench.gather.close(request, true, bench.now).unwrap();
    }
    bench.push(&Whole("a", &sounds[2]), 100).unwrap();
    let told = bench.finish();
    assert_eq!(errors(&told), Vec::<String>::new());
    assert!(frames(&told, Kind::Audio) == [&others_frames[..first], &whole[first..]].concat());
    let further = super::tracks::further(&told, 1, Kind::Audio);
    let of_second: Vec<_> = others_frames[first..].iter().filter(|frame| further.contains(frame)).collect();
    assert!(of_second.len() > 20, "what was still coming of the other one: {}", of_second.len());
}

#[test]
fn no_more_waits_behind_a_hole_than_may() {
    let (header, segments) = first_of(VIDEO);
    let mut bench = Bench::new();
    bench.push(&Whole("v", &header), 1000).unwrap();
    bench.push(&Whole("v-0", &segments[0]), 1000).unwrap();
    bench.push(&Pass(CHOICE_MS + WAIT_MS_MAX), 1).unwrap();
    let before = counts(&bench.told)[0];
    for segment in 0..4_200 {
        bench
            .push(&Whole(&format!("v-{segment}"), &later(&segments[0], (segment + 2) * HZ[0] / 8)), 1000)
            .unwrap();
    }
    assert!(counts(&bench.told)[0] > before, "many fragments end the waiting");
}
