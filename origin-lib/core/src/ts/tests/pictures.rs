use super::*;

const SECOND_PID: u16 = 0x113;
const THIRD_PID: u16 = 0x114;

/// A programme with three streams of pictures and one that can't be used.
fn begun() -> Writer {
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    let streams = [
        (0x1b, VIDEO_PID, ""),
        (0x02, 0x110, ""),
        (0x1b, SECOND_PID, ""),
        (0x0f, AUDIO_PID, ""),
        (0x1b, THIRD_PID, ""),
    ];
    writer.pmt(PMT_PID, 1, 0, &streams);
    writer
}

fn small_key(writer: &mut Writer, pid: u16, at: u64) {
    let nals = [write::SPS_SMALL, write::PPS_SMALL, "65888040"];
    writer.pes(pid, &[at], false, &annex_b(&nals));
}

/// Number, time and key of frames; numbers and heights of parameters; and how many frames the first track has.
type Seen = (Vec<(u8, i64, bool)>, Vec<(u8, u16)>, usize);

/// What comes of the tracks that are wanted.
fn further(stream: &[u8], piece: usize, wanted: &[u8]) -> Seen {
    let mut demux = Demux::new().with_pictures(wanted);
    let (mut pictures, mut heights, mut first) = (Vec::new(), Vec::new(), 0);
    let mut take = |demux: &mut Demux| {
        while let Some(told) = demux.poll() {
            match told {
                Ok(FeedEvent::Frame(frame)) if frame.kind == Kind::Video => first += 1,
                Ok(FeedEvent::Further { track, event }) => match *event {
                    FeedEvent::Video(config) => heights.push((track, config.height)),
                    FeedEvent::Frame(frame) => pictures.push((track, frame.dts_ms, frame.key)),
                    other => panic!("{other:?}"),
                },
                _ => {}
            }
        }
    };
    for piece in stream.chunks(piece) {
        demux.handle(piece);
        take(&mut demux);
    }
    demux.end();
    take(&mut demux);
    (pictures, heights, first)
}

#[test]
fn further_streams_of_pictures_are_numbered_as_the_tables_have_them() {
    let mut writer = begun();
    for n in 0..3 {
        let at = 90_000 + n * 3_600;
        if n == 0 {
            writer.key(at, at);
            small_key(&mut writer, SECOND_PID, at);
            small_key(&mut writer, THIRD_PID, at);
        } else {
            writer.picture(at, at);
            writer.pes(SECOND_PID, &[at], false, &annex_b(&["419a2040"]));
            writer.pes(THIRD_PID, &[at], false, &annex_b(&["419a2040"]));
        }
    }
    let all = further(&writer.bytes, writer.bytes.len(), &[1, 2]);
    assert_eq!(all, further(&writer.bytes, 1, &[1, 2]), "one byte at a time");
    let (mut pictures, heights, first) = all;
    pictures.sort_unstable();
    let of = |track| [(track, 1_000, true), (track, 1_040, false), (track, 1_080, false)];
    assert_eq!(pictures, [of(1), of(2)].concat());
    assert_eq!(first, 3);
    assert_eq!(heights.iter().map(|(track, _)| *track).collect::<Vec<_>>(), [1, 2]);
    let (pictures, ..) = further(&writer.bytes, 188, &[2, 9]);
    assert_eq!(pictures, of(2), "what nobody wants is left out, and what is not there does not come");
    assert_eq!(further(&writer.bytes, 188, &[]), (Vec::new(), Vec::new(), 3));
}

#[test]
fn a_further_stream_of_pictures_that_is_no_use_is_left_out_and_the_feed_goes_on() {
    let mut writer = begun();
    writer.key(90_000, 90_000);
    let from = writer.bytes.len();
    small_key(&mut writer, SECOND_PID, 90_000);
    writer.bytes[from + 3] |= 0x80;
    // Several pictures where one is allowed.
    let nals = [write::SPS_SMALL, write::PPS_SMALL, "65888040", "65888040", "65888040"];
    writer.pes(THIRD_PID, &[90_000], false, &annex_b(&nals));
    small_key(&mut writer, THIRD_PID, 93_600);
    writer.picture(93_600, 93_600);
    let (pictures, _, first) = further(&writer.bytes, 188, &[1, 2]);
    assert_eq!((pictures, first), (vec![(2, 1_040, true)], 2));
}

#[test]
fn the_times_of_further_tracks_and_of_the_sound_move_nothing_of_the_first_pictures() {
    const THIRD: u64 = (1 << 33) / 3;
    const SPLICE_PID: u16 = 0x1f0;
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    let pictures = [VIDEO_PID, SECOND_PID, THIRD_PID].map(|pid| (0x1b, pid, ""));
    let others = [(0x0f, AUDIO_PID, ""), (0x86, SPLICE_PID, "")];
    writer.pmt(PMT_PID, 1, 0, &[&pictures[..], &others[..]].concat());
    writer.key(90_000, 90_000);
    writer.picture(93_600, 93_600);
    // Each of these is the nearest to the one before, and by then 33 bits are once around.
    for (pid, since) in [(SECOND_PID, THIRD), (THIRD_PID, 2 * THIRD)] {
        small_key(&mut writer, pid, 90_000 + since);
        small_key(&mut writer, pid, 93_600 + since);
    }
    writer.pes(AUDIO_PID, &[90_000 + 5 * THIRD / 2], true, &adts(b"sound"));
    writer.whole_section(SPLICE_PID, &crate::scte35::tests::insert(3, crate::scte35::tests::OUT, &[]));
    writer.picture(97_200, 97_200);
    let mut demux = Demux::new().with_pictures(&[1, 2]);
    demux.handle(&writer.bytes);
    demux.end();
    let told: Vec<_> = core::iter::from_fn(|| demux.poll()).collect();
    let times: Vec<i64> = frames(&told, Kind::Video).iter().map(|frame| frame.dts_ms).collect();
    assert_eq!(times, [1_000, 1_040, 1_080]);
    let splice = told.iter().find_map(|one| match one {
        Ok(FeedEvent::Splice(splice)) => Some(splice.at_ms),
        _ => None,
    });
    assert_eq!(splice, Some(1_000), "at once is when the last of the first pictures came");
}

#[test]
fn streams_that_a_table_lists_in_another_order_stay_the_tracks_they_were() {
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    let list = |pids: &[u16]| pids.iter().map(|pid| (0x1b, *pid, "")).collect::<Vec<_>>();
    let mut send = |version: u8, pids: &[u16], at: u64| {
        writer.pmt(PMT_PID, 1, version, &list(pids));
        writer.key(at, at);
        for (pid, later) in [(SECOND_PID, 900), (THIRD_PID, 1_800)] {
            if pids.contains(&pid) {
                small_key(&mut writer, pid, at + later);
            }
        }
    };
    send(0, &[VIDEO_PID, SECOND_PID], 90_000);
    send(1, &[THIRD_PID, SECOND_PID, VIDEO_PID], 93_600);
    send(2, &[SECOND_PID, VIDEO_PID, THIRD_PID], 97_200);
    // Where the second one is gone, its number is free; it comes back to the one that is left.
    send(3, &[THIRD_PID, VIDEO_PID], 100_800);
    send(4, &[SECOND_PID, THIRD_PID, VIDEO_PID], 104_400);
    let (mut pictures, _, first) = further(&writer.bytes, 188, &[1, 2]);
    pictures.sort_unstable();
    let times = |track| {
        let of = pictures.iter().filter(move |(of, ..)| *of == track);
        of.map(|(_, ms, _)| *ms).collect::<Vec<_>>()
    };
    assert_eq!(times(1), [1_010, 1_050, 1_090, 1_170]);
    assert_eq!(times(2), [1_060, 1_100, 1_140, 1_180]);
    assert_eq!(first, 5);
}
