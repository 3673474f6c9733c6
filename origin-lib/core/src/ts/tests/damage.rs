//! Streams that were cut, garbled, or never were any.

use super::*;

#[test]
fn a_missing_packet_costs_its_access_unit_and_no_other() {
    let mut writer = Writer::begun();
    writer.key(0, 0);
    let long = annex_b(&[&std::format!("41{}", "9a".repeat(600))]);
    for n in 1..4 {
        writer.pes(VIDEO_PID, &[3_600 * n], false, &long);
    }
    let packets: Vec<&[u8]> = writer.bytes.chunks(188).collect();
    // PAT, PMT, the key frame, and three pictures of four packets each; one of the second picture is missing.
    let kept = packets.iter().enumerate().filter(|(at, _)| *at != 3 + 4 + 1);
    let (told, counts) = told(&kept.flat_map(|(_, packet)| packet.iter().copied()).collect::<Vec<u8>>(), 188);
    let times: Vec<i64> = frames(&told, Kind::Video).iter().map(|frame| frame.dts_ms).collect();
    assert_eq!((times, counts.gaps, counts.damaged), (vec![0, 40, 120], 1, 1));
    assert_eq!(errors(&told), ["skipped: an access unit of video of which packets are missing"]);
}

#[test]
fn a_counter_that_is_said_to_jump_is_no_gap_and_a_packet_sent_twice_is_none_either() {
    let mut writer = Writer::begun();
    writer.key(0, 0);
    writer.lose(VIDEO_PID);
    let at = writer.bytes.len();
    writer.picture(3_600, 3_600);
    // Its adaptation field, which fills the packet up, has flags.
    writer.bytes[at + 5] |= 0x80;
    let again = writer.bytes[at..].to_vec();
    writer.bytes.extend_from_slice(&again);
    let (told, counts) = told(&writer.bytes, 188);
    assert_eq!((frames(&told, Kind::Video).len(), counts.twice, counts.gaps), (2, 1, 0));
}

#[test]
fn a_damaged_packet_or_table_is_told_and_the_rest_is_read() {
    for (at, what) in [
        (1, "a packet that is marked as damaged"),
        (188 + 30, "a table that is damaged"),
        (188 * 2 + 190, "bytes between packets: some were lost or damaged"),
    ] {
        let mut writer = Writer::begun();
        writer.bytes.extend_from_within(..376); // the tables again
        for at in [376 + 3, 376 + 188 + 3] {
            writer.bytes[at] += 1;
        }
        let mut stream = writer.bytes.clone();
        let mut rest = Writer::default();
        rest.key(0, 0);
        for n in 1..6 {
            rest.picture(3_600 * n, 3_600 * n);
        }
        stream.extend_from_slice(&rest.bytes);
        if at > 376 {
            stream.splice(at..at + 30, []);
        } else {
            stream[at] ^= 0x80;
        }
        let (told, _) = told(&stream, 188);
        assert_eq!(errors(&told)[0], std::format!("skipped: {what}"));
        assert!(frames(&told, Kind::Video).len() >= 4, "{what}");
    }
}

#[test]
fn bytes_before_a_stream_and_one_that_begins_in_the_middle_cost_nothing_else() {
    let mut stream = b"HTTP noise G G G\r\n".to_vec();
    stream.extend_from_slice(SMALL);
    let (whole, _) = told(SMALL, SMALL.len());
    let (noisy, counts) = told(&stream, 100);
    assert_eq!(counts.lost_bytes, 18);
    assert_eq!(frames(&noisy, Kind::Video), frames(&whole, Kind::Video));
}

/// Whether each of `frames` is one of `all`, in order.
fn are_among(frames: &[Frame], all: &[Frame]) -> bool {
    let mut all = all.iter();
    frames.iter().all(|frame| all.any(|one| (one.dts_ms, &one.data) == (frame.dts_ms, &frame.data)))
}

proptest! {
    #[test]
    fn wherever_bytes_are_missing_what_is_told_was_sent_and_what_comes_later_is_all_there(
        from in 0..SMALL.len(),
        len in 1..4_000_usize,
    ) {
        // Where whole packets' lengths are missing from within one on, it ends with another one's bytes, and nothing can tell.
        prop_assume!(len % 188 != 0 || from % 188 == 0);
        let cut = [&SMALL[..from], SMALL.get(from + len..).unwrap_or_default()].concat();
        let (whole, cut) = (told(SMALL, SMALL.len()).0, told(&cut, 1000).0);
        for kind in [Kind::Video, Kind::Audio] {
            let (all, left) = (frames(&whole, kind), frames(&cut, kind));
            prop_assert!(are_among(&left, &all), "{kind:?} {from} {len}");
            // Ten seconds later nobody knows of it: what comes after the next tables and the next key frame is there.
            if from + len < SMALL.len() / 3 && from > 1_000 {
                let late = all.len() * 2 / 3;
                prop_assert!(are_among(&all[late..], &left), "{kind:?} {from} {len}");
            }
        }
    }

    #[test]
    fn no_bytes_can_trip_it(noise in prop::collection::vec(any::<u8>(), 0..2_000), changes in prop::collection::vec((0..SMALL.len(), any::<u8>()), 0..40)) {
        let mut stream = SMALL.to_vec();
        for (at, byte) in changes {
            stream[at] = byte;
        }
        let _ = told(&stream, 777);
        let at = noise.len() * 7 % stream.len();
        stream.splice(at..at, noise.iter().copied());
        let piecewise = told(&stream, 313);
        prop_assert_eq!(told(&stream, stream.len()), piecewise);
        let _ = told(&noise, 100);
    }
}
