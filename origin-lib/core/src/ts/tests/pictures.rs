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

/// What comes of the tracks that are wanted: number, time, key; and their parameters' heights.
fn further(stream: &[u8], piece: usize, wanted: &[u8]) -> (Vec<(u8, i64, bool)>, Vec<(u8, u16)>, usize) {
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
