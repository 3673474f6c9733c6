//! Segments read back, and many of them made one file.

use std::string::ToString;

use mp4_atom::{Moov, Trak};

use super::super::movie::{Movie, MovieError, media};
use super::super::read::{self, Fragment, FragmentSample};
use super::*;

/// A cut like [`cut()`], so many milliseconds later.
fn later(ms: u64) -> Cut {
    let mut cut = cut();
    let after = |time: &mut MediaTime| *time = time.utc().plus_ms(ms).media();
    after(&mut cut.start);
    after(&mut cut.video_end);
    after(&mut cut.audio_end);
    cut.video.iter_mut().chain(&mut cut.audio).for_each(|sample| after(&mut sample.dts));
    cut
}

/// The movie of these cuts, as an exporter writes it.
fn movie(cuts: &[Cut]) -> Vec<u8> {
    let mut movie = Movie::default();
    let mut bytes = Vec::new();
    for cut in cuts {
        let tracks = read::init(&init(&cut.tracks)).unwrap();
        let segment = segment_bytes(cut);
        let fragments = read::segment(&segment, &tracks).unwrap();
        movie.add(&tracks, &fragments).unwrap();
        media(&segment, &fragments).for_each(|media| bytes.extend_from_slice(media));
    }
    assert_eq!(bytes.len() as u64, movie.media_len());
    [movie.head(), bytes].concat()
}

/// Another program's reading of it.
fn parsed(bytes: &[u8]) -> Moov {
    let mut rest = Cursor::new(bytes);
    assert!(matches!(Any::decode(&mut rest).unwrap(), Any::Ftyp(_)));
    let Any::Moov(moov) = Any::decode(&mut rest).unwrap() else { panic!("no moov") };
    assert!(matches!(Any::decode(&mut rest).unwrap(), Any::Mdat(_)));
    assert_eq!(rest.position(), bytes.len() as u64);
    moov
}

/// A sample as a player finds it through the tables.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    dts: u64,
    cts: i64,
    key: bool,
    entry: u32,
    data: Vec<u8>,
}

fn found(bytes: &[u8], trak: &Trak) -> Vec<Found> {
    let stbl = &trak.mdia.minf.stbl;
    let offsets: Vec<u64> = match (&stbl.stco, &stbl.co64) {
        (Some(stco), None) => stco.entries.iter().map(|offset| u64::from(*offset)).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        _ => panic!("one table of offsets"),
    };
    let mp4_atom::StszSamples::Different { sizes } = &stbl.stsz.samples else { panic!("each has its size") };
    let durations =
        stbl.stts.entries.iter().flat_map(|run| vec![run.sample_delta; run.sample_count as usize]);
    let durations: Vec<u32> = durations.collect();
    let offsets_of_time: Vec<i64> = match &stbl.ctts {
        Some(ctts) => {
            let runs = ctts.entries.iter();
            runs.flat_map(|run| vec![run.sample_offset; run.sample_count as usize]).collect()
        }
        None => vec![0; sizes.len()],
    };
    assert_eq!((durations.len(), offsets_of_time.len()), (sizes.len(), sizes.len()));
    let (mut out, mut n, mut dts) = (Vec::new(), 0, 0);
    for (chunk, offset) in offsets.iter().enumerate() {
        let run = stbl.stsc.entries.iter().rev().find(|run| run.first_chunk as usize <= chunk + 1).unwrap();
        let mut at = *offset as usize;
        for _ in 0..run.samples_per_chunk {
            let to = at + sizes[n] as usize;
            let key = stbl.stss.as_ref().is_none_or(|stss| stss.entries.contains(&(n as u32 + 1)));
            let entry = run.sample_description_index;
            out.push(Found { dts, cts: offsets_of_time[n], key, entry, data: bytes[at..to].to_vec() });
            dts += u64::from(durations[n]);
            (at, n) = (to, n + 1);
        }
    }
    assert_eq!(n, sizes.len());
    out
}

#[test]
fn what_is_written_is_read_back() {
    let (cut, moov) = (cut(), moov(&tracks()));
    let tracks = read::init(&init(&tracks())).unwrap();
    let shape: Vec<_> = tracks.iter().map(|track| (track.id, track.kind, track.timescale)).collect();
    assert_eq!(shape, [(VIDEO_TRACK, Kind::Video, 90_000), (AUDIO_TRACK, Kind::Audio, 48_000)]);
    assert_eq!(tracks[0].size, (1280 << 16, 720 << 16));
    let bytes = segment_bytes(&cut);
    let fragments = read::segment(&bytes, &tracks).unwrap();
    assert_eq!(fragments.len(), 2);
    for fragment in fragments {
        let samples = fragment.samples.iter().map(|sample| {
            (sample.duration, sample.key, i64::from(sample.cts), bytes[sample.data.clone()].to_vec())
        });
        assert_eq!(Some((fragment.start, samples.collect())), seen(&bytes, &moov, fragment.id));
    }
}

#[test]
fn what_is_cut_off_or_points_outside_is_refused() {
    let (head, bytes) = (init(&tracks()), segment_bytes(&cut()));
    let tracks = read::init(&head).unwrap();
    for len in 0..head.len() {
        assert!(read::init(&head[..len]).is_err(), "{len}");
    }
    let whole = read::segment(&bytes, &tracks).unwrap();
    for len in 0..bytes.len() {
        // A cut between two boxes leaves something whole.
        assert!(
            read::segment(&bytes[..len], &tracks).is_ok_and(|found| found != whole && len <= 24) || {
                read::segment(&bytes[..len], &tracks).is_err()
            }
        );
    }
    let trun = bytes.windows(4).position(|name| name == b"trun").unwrap();
    for offset in [0x8000_0000, 0x7fff_ffff, bytes.len() as u32] {
        let mut bytes = bytes.clone();
        bytes[trun + 12..trun + 16].copy_from_slice(&offset.to_be_bytes());
        assert!(read::segment(&bytes, &tracks).is_err(), "{offset}");
    }
    let mut many = bytes.clone();
    many[trun + 8..trun + 12].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(read::segment(&many, &tracks).unwrap_err().to_string().contains("more than 100,000"));
    assert!(read::segment(&bytes, &tracks[..1]).is_err());
}

#[test]
fn golden_movie() {
    // The second follows the first, the third comes 3 s late and in another size.
    let mut third = later(3160);
    let video = third.tracks.video.as_mut().unwrap();
    (video.width, video.height) = (640, 360);
    golden("movie.mp4", &movie(&[cut(), later(160), third]));
}

#[test]
fn a_gap_lasts_and_new_parameters_are_a_new_entry() {
    let mut third = later(3160);
    third.tracks.video.as_mut().unwrap().width = 640;
    let cuts = [cut(), later(160), third];
    let bytes = movie(&cuts);
    let moov = parsed(&bytes);
    let [video, audio] = &moov.trak[..] else { panic!("two tracks") };
    let seen = found(&bytes, video);
    let samples: Vec<_> = cuts.iter().flat_map(|cut| &cut.video).collect();
    for (found, sample) in seen.iter().zip(&samples) {
        assert_eq!(found.dts, sample.dts.0 - cuts[0].video[0].dts.0);
        // The offset that is the most negative, beside 80 ms that decoding is told later, is none.
        let cts = i64::from(sample.cts) + 90;
        assert_eq!((found.cts, found.key, &found.data[..]), (cts, sample.key, &sample.data[..]));
    }
    assert_eq!(
        seen.iter().map(|found| found.entry).collect::<Vec<_>>(),
        [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    );
    assert_eq!((video.mdia.minf.stbl.stsd.codecs.len(), audio.mdia.minf.stbl.stsd.codecs.len()), (2, 1));
    let seen = found(&bytes, audio);
    assert_eq!((seen.len(), seen[16].dts), (24, 3160 * 48));
    assert!(seen.iter().all(|found| found.key && found.cts == 0));
}

#[test]
fn the_first_picture_is_at_zero_and_the_sound_beside_it() {
    let moov = parsed(&movie(&[cut()]));
    let edits = |trak: &Trak| -> Vec<(u64, Option<u64>)> {
        let elst = trak.edts.as_ref().unwrap().elst.as_ref().unwrap();
        elst.entries.iter().map(|edit| (edit.segment_duration, edit.media_time)).collect()
    };
    // One picture is shown 81 ms before the first one would be if it was decoded so late; the last one is shown to its end. The
    // sound begins 5 ms before the first picture.
    assert_eq!(edits(&moov.trak[0]), [(120 * 90, Some(81 * 90))]);
    let sound = edits(&moov.trak[1]);
    assert_eq!(sound, [((171 - 5) * 90, Some(5 * 48))]);

    let mut late = cut();
    late.audio.iter_mut().for_each(|sample| sample.dts = sample.dts + MediaSpan::from_ms(200));
    late.audio_end = late.audio_end + MediaSpan::from_ms(200);
    let sound = edits(&parsed(&movie(&[late])).trak[1]);
    assert_eq!(sound, [(195 * 90, None), (171 * 90, Some(0))]);
}

#[test]
fn another_sample_rate_keeps_its_time() {
    let mut next = later(160);
    next.tracks.audio.as_mut().unwrap().sample_rate = 44_100;
    let bytes = movie(&[cut(), next]);
    let seen = found(&bytes, &parsed(&bytes).trak[1]);
    assert!(seen[8].dts.abs_diff(160 * 48) <= 1);
    // The last frame was given 149 ms after the first.
    assert!(seen[15].dts.abs_diff((160 + 149) * 48) <= layout::GRID_MS_MAX * 48);
    assert_eq!(seen[8].entry, 2);
}

fn plain(id: u32, start: u64, sizes: &[usize]) -> Fragment {
    let samples =
        sizes.iter().map(|size| FragmentSample { duration: 1024, cts: 0, key: true, data: 0..*size });
    Fragment { id, start, samples: samples.collect() }
}

#[test]
fn beyond_four_gigabytes_offsets_have_64_bits() {
    let tracks = read::init(&init(&tracks())).unwrap();
    let mut movie = Movie::default();
    movie.add(&tracks, &[plain(AUDIO_TRACK, 5, &[3_000_000_000])]).unwrap();
    assert_eq!(movie.head()[movie.head().len() - 8..][..4], 3_000_000_008_u32.to_be_bytes());
    movie.add(&tracks, &[plain(AUDIO_TRACK, 1029, &[3_000_000_000])]).unwrap();
    let head = movie.head();
    assert_eq!(head[head.len() - 16..][..8], *b"\0\0\0\x01mdat");
    assert_eq!(head[head.len() - 8..], 6_000_000_016_u64.to_be_bytes());
    let mut rest = Cursor::new(&head[..]);
    Any::decode(&mut rest).unwrap();
    let Any::Moov(moov) = Any::decode(&mut rest).unwrap() else { panic!("no moov") };
    let co64 = moov.trak[0].mdia.minf.stbl.co64.as_ref().unwrap();
    assert_eq!(co64.entries, [head.len() as u64, head.len() as u64 + 3_000_000_000]);
}

#[test]
fn what_a_movie_can_t_hold_is_said() {
    let tracks = read::init(&init(&tracks())).unwrap();
    let mut movie = Movie::default();
    movie.add(&tracks, &[plain(AUDIO_TRACK, 0, &[1])]).unwrap();
    let late = plain(AUDIO_TRACK, u64::from(u32::MAX) + 2, &[1]);
    assert_eq!(movie.add(&tracks, &[late]), Err(MovieError::Gap));
    assert_eq!(movie.add(&tracks[..1], &[plain(AUDIO_TRACK, 0, &[1])]), Err(MovieError::Track));
    // Nothing at all is a file all the same.
    assert!(!Movie::default().head().is_empty());
}

proptest! {
    #[test]
    fn every_sample_is_in_the_movie_once_and_in_its_time(
        gaps in prop::collection::vec(0..5000_u64, 1..6),
        keys in any::<u32>(),
        sizes in prop::collection::vec(0..40_usize, 1..8),
    ) {
        let mut at = 0;
        let mut cuts = Vec::new();
        for (n, gap) in gaps.iter().enumerate() {
            let mut cut = later(at);
            for (i, sample) in cut.video.iter_mut().chain(&mut cut.audio).enumerate() {
                sample.data = vec![(n * 16 + i) as u8; sizes[(n + i) % sizes.len()]].into();
                sample.key = sample.kind == Kind::Audio || keys >> ((n * 4 + i) % 32) & 1 == 1;
            }
            cuts.push(cut);
            // Audio of one cut ends 246 ms after its begin.
            at += 171 + gap;
        }
        let bytes = movie(&cuts);
        let moov = parsed(&bytes);
        for (kind, trak) in [Kind::Video, Kind::Audio].into_iter().zip(&moov.trak) {
            let of = |cut: &Cut| if kind == Kind::Video { cut.video.clone() } else { cut.audio.clone() };
            let sent: Vec<Sample> = cuts.iter().flat_map(of).collect();
            let seen = found(&bytes, trak);
            prop_assert_eq!(seen.len(), sent.len());
            let hz = trak.mdia.mdhd.timescale;
            for (seen, sent) in seen.iter().zip(&sent) {
                prop_assert_eq!(&seen.data[..], &sent.data[..]);
                prop_assert_eq!(seen.key, sent.key);
                let real = sent.dts.rescale(hz) - cuts[0].video[0].dts.rescale(hz);
                let first = of(&cuts[0])[0].dts.rescale(hz) - cuts[0].video[0].dts.rescale(hz);
                prop_assert!((seen.dts + first).abs_diff(real) <= layout::GRID_MS_MAX * u64::from(hz) / 1000);
            }
        }
    }
}
