use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use clap::Parser;
use railbird_core::score::{Event, Position};
use railbird_core::time::UtcMs;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::config::{self, Config, Secret};
use crate::export::Reader;
use crate::export::tests::{Recorded, packets};
use crate::journal::Open;
use crate::score::{Put, Scores};

/// When recordings and matches of these tests begin.
const NOW: UtcMs = UtcMs(1_795_171_920_040);

#[derive(Parser, Debug)]
struct Line {
    #[command(flatten)]
    options: command::Options,
}

fn options(line: &str) -> Result<command::Options, clap::Error> {
    let words = "clip --channel table-1 -o x.mp4".split(' ').chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.options)
}

fn table() -> ChannelId {
    "table-1".parse().unwrap()
}

/// Milliseconds since [`NOW`].
fn at(ms: u64) -> MediaTime {
    NOW.plus_ms(ms).media()
}

fn span(from: u64, to: u64) -> Span {
    Span { from: at(from), to: Some(at(to)) }
}

/// A configuration with the channel's picture half a second late, and its scorers a whole one.
fn config(dir: &TempDir) -> Config {
    let title = "title = \"Table 1\"";
    let timed = format!("{title}\npicture_delay_ms = 500\nscore_offset_ms = -1000");
    let mut config = config::tests::small(dir.path(), &[(title, &timed)]);
    config.secrets.master = Secret::new("0123456789abcdef");
    config
}

/// What the origin has on its disk of a recording that is still being made: the last line is half written.
fn kept(config: &Config, recorded: &Recorded) -> RecordingId {
    fs::create_dir_all(&config.data_dir).unwrap();
    fs::rename(recorded.dir.path(), journal::objects_dir(&config.data_dir)).unwrap();
    let (mut open, head) = Open::create(&config.data_dir, recorded.reel.head().clone(), NOW).unwrap();
    open.append(&recorded.records).unwrap();
    open.sync().unwrap();
    let path = journal::path(&config.data_dir, &head.channel, &head.recording);
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(b"{\"segment\":").unwrap();
    head.recording
}

/// Two innings, the second one still played, and a point that was undone: the last events at 0, 5, 8, 10, 14, 16 and 17 s.
async fn play(scores: &Scores, match_id: &MatchId) {
    let events = [
        (
            0,
            json!({"type":"start","title":"Final","discipline":"three-cushion","breaks":0,
            "sides":[{"name":"A"},{"name":"B"}]}),
        ),
        (5, json!({"type":"points","side":0,"points":2})),
        (8, json!({"type":"end_inning","side":0})),
        (10, json!({"type":"points","side":1,"points":1})),
        (14, json!({"type":"end_inning","side":1})),
        (16, json!({"type":"points","side":0,"points":1})),
        (17, json!({"type":"undo","epoch":1,"seq":6})),
    ];
    for ((s, action), seq) in events.into_iter().zip(1..) {
        let occurred = NOW.plus_ms(s * 1000);
        let event = Event::from_json(json!({"occurred":occurred.0,"action":action}).to_string().as_bytes());
        let put = scores.put(&table(), match_id, Position { epoch: 1, seq }, event.unwrap(), occurred).await;
        assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
    }
}

#[tokio::test]
async fn a_part_of_a_match_lies_where_viewers_see_it_while_the_origin_writes_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(&dir);
    let (logs, offsets) = (dir.path().join("score"), config.score_offsets(&config.channels[0]));
    let scores = Scores::open(&logs, [(table(), offsets.clone())]).unwrap();
    let of =
        |match_id: &str, part| of_match(&logs, &table(), &match_id.parse().unwrap(), offsets.clone(), part);
    let events = |from, to| of("final", Part::Events { from, to });
    let inning = |number, unit| of("final", Part::Inning { number, unit });
    let refused = |span: Result<Span, MatchError>| span.unwrap_err().to_string();
    assert_eq!(refused(events(1, 2)), "table-1: there is no match final that was started");
    play(&scores, &"final".parse().unwrap()).await;

    assert_eq!(events(2, 4).unwrap(), span(4500, 9500));
    assert_eq!(events(5, 5).unwrap(), span(13_500, 13_500));
    let wide = events(2, 4).unwrap().widened(MediaSpan::from_ms(3000), MediaSpan::from_ms(4000));
    assert_eq!(wide, span(1500, 13_500));
    let first = inning(1, None).unwrap();
    assert_eq!((first.to, at(0) - first.from), (Some(at(13_500)), MediaSpan::from_ms(500)));
    assert_eq!(inning(2, None).unwrap(), Span { from: at(13_500), to: None });

    assert_eq!(refused(events(4, 2)), "match final: --from-event (4) must not be after --to-event (2)");
    for missing in [0, 6, 8] {
        let said = refused(if missing == 0 { events(0, 2) } else { events(2, missing) });
        assert!(said.contains(&format!("no event {missing} that counts: name one of 1 to 7")), "{said}");
    }
    assert_eq!(refused(inning(3, None)), "match final: the match has no inning 3");
    assert_eq!(refused(inning(1, Some(2))), "match final: the match has no inning 1 in set, rack or frame 2");
}

#[tokio::test]
async fn an_inning_that_several_sets_have_needs_the_set() {
    let dir = tempfile::tempdir().unwrap();
    let scores = Scores::open(dir.path(), [(table(), 0)]).unwrap();
    let match_id: MatchId = "final".parse().unwrap();
    play(&scores, &match_id).await;
    let mut document = scores.whole(&table(), &match_id).await.unwrap().unwrap();
    // The turns as those of two sets.
    for (turn, unit) in document.turns.iter_mut().zip([1, 1, 2]) {
        (turn.unit, turn.inning) = (Some(unit), 1);
    }
    let inning = |unit| Part::Inning { number: 1, unit }.span(&document);
    assert_eq!(inning(None), Err(PartError::Unit(1)));
    assert_eq!(inning(Some(1)), Ok(span(0, 14_000)));
    assert_eq!(inning(Some(2)), Ok(Span { from: at(14_000), to: None }));
}

#[tokio::test]
async fn a_clip_has_exactly_the_frames_of_the_segments_that_overlap_it() {
    let (dir, recorded) = (tempfile::tempdir().unwrap(), Recorded::new(2));
    let config = config(&dir);
    let recording = kept(&config, &recorded);
    let objects = journal::objects_dir(&config.data_dir);
    let out = dir.path().join("rally.mp4");
    let mut options = options("--from 2026-11-20T10:52:03Z --to 2026-11-20T10:52:06Z").unwrap();
    options.out = out.clone();
    command::run(&config, &options, NOW).await.unwrap();

    let reel = &recorded.reel;
    let numbers: Vec<u32> = export::touching(reel, Some(at(2960)), Some(at(5960))).map(|(n, _)| n).collect();
    // Segments begin at 67, 2067, 4067 and 6067 ms.
    assert_eq!(numbers, reel.order()[1..3]);
    let mut reader = Reader::new(reel, &objects, &recorded.secret);
    let mut expected = Vec::new();
    for n in numbers {
        let clear = reader.clear(n).unwrap();
        expected.extend(packets("segment.mp4", &[clear.init, clear.segment].concat(), dir.path()));
    }
    let found = packets("cut.mp4", &fs::read(&out).unwrap(), dir.path());
    for track in [0, 1] {
        let of = |packets: &[(u32, i64, String)]| -> Vec<String> {
            packets.iter().filter(|row| row.0 == track).map(|row| row.2.clone()).collect()
        };
        let (found, expected) = (of(&found), of(&expected));
        // The file begins with the first picture: sound from before it is skipped.
        let skipped = expected.len() - found.len();
        assert!(skipped <= if track == 0 { 0 } else { 4 }, "{skipped} packets of track {track} are missing");
        assert_eq!(found, expected[skipped..]);
    }

    let again = command::run(&config, &options, NOW).await.unwrap_err().to_string();
    assert!(again.contains("exists"), "{again}");
    // What is not recorded yet is no clip: nothing is written.
    let come = reel.end().unwrap();
    options.out = dir.path().join("early.mp4");
    options.to = Some((come + MediaSpan::from_ms(1)).iso8601());
    let early = command::run(&config, &options, NOW).await.unwrap_err().to_string();
    assert!(early.contains("is still being made and has come to") && !options.out.exists(), "{early}");
    assert!(early.contains(&format!("{}: cut again", come.iso8601())), "{early}");
    options.to = Some(come.iso8601());
    command::run(&config, &options, NOW).await.unwrap();
    let journal = journal::read(&journal::path(&config.data_dir, &table(), &recording)).unwrap();
    let open = Span { from: at(3000), to: None };
    assert_eq!(super::is_recorded(&journal, &recording, open), Err(AheadError::Played));
    for named in [None, Some(&recording)] {
        let nothing = super::recording(&config.data_dir, &table(), named, span(60_000, 61_000));
        let said = nothing.unwrap_err().to_string();
        assert!(said.contains("nothing of") && said.contains("between 2026-11-20T10:53:00.040Z"), "{said}");
    }
}

/// The levels of grey of each picture of an MP4, in this rectangle of it: left, top, width and height in pixels.
fn greys(file: &Path, [left, top, width, height]: [usize; 4]) -> Vec<Vec<u8>> {
    let filter = format!("crop={width}:{height}:{left}:{top}");
    let decoded = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-vf", &filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output()
        .unwrap();
    assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
    decoded.stdout.chunks_exact(width * height).map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn an_exact_clip_begins_and_ends_at_its_frames_and_each_has_the_score_of_its_moment() {
    /// The points of the first side in the light theme, in the clip's pictures.
    const POINTS: [usize; 4] = [496, 584, 48, 30];

    let (dir, recorded) = (tempfile::tempdir().unwrap(), Recorded::new(2));
    let config = config(&dir);
    kept(&config, &recorded);
    let scores =
        Scores::open(&config.data_dir.join("score"), [(table(), config.score_offsets(&config.channels[0]))]);
    play(&scores.unwrap(), &"final".parse().unwrap()).await;
    let mut options =
        options("--match final --from-event 2 --to-event 4 --lead-in 1 --lead-out 0 --exact").unwrap();
    let mut made = Vec::new();
    for (name, theme) in [("plain.mp4", None), ("score.mp4", Some("light"))] {
        options.out = dir.path().join(name);
        options.burn_in = theme.map(String::from);
        command::run(&config, &options, NOW).await.unwrap();
        made.push(greys(&options.out, POINTS));
    }

    // Both events are shown half a second before they were entered, at 4.5 and 9.5 s, and there is a second before them.
    let (objects, mut reader) = (journal::objects_dir(&config.data_dir), None);
    let reader = reader.get_or_insert(Reader::new(&recorded.reel, &objects, &recorded.secret));
    let numbers = export::touching(&recorded.reel, Some(at(3_500)), Some(at(9_500)));
    let pictures = numbers.flat_map(|(n, _)| reader.clear(n).unwrap().pictures);
    let pictures: Vec<_> = pictures.filter(|shown| (at(3_500)..at(9_500)).contains(shown)).collect();
    assert_eq!([made[0].len(), made[1].len()], [pictures.len(); 2]);

    let levels = |pair: &[Vec<u8>]| -> u64 {
        pair[0].iter().zip(&pair[1]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    let changes = |made: &[Vec<u8>]| -> Vec<usize> {
        let of = made.windows(2).map(levels).enumerate();
        of.filter(|(_, sum)| *sum > 5 * (POINTS[2] * POINTS[3]) as u64).map(|(n, _)| n + 1).collect()
    };
    let first = pictures.iter().position(|shown| *shown >= at(4_500)).unwrap();
    assert_eq!(changes(&made[1]), [first]);
    assert_ne!(changes(&made[0]), [first]);

    options.out = dir.path().join("never.mp4");
    options.burn_in = Some("none.toml".into());
    let said = format!("{:#}", command::run(&config, &options, NOW).await.unwrap_err());
    assert_eq!(said, "--burn-in: none.toml: No such file or directory (os error 2)");
    assert!(!options.out.exists());
}

/// How loud a stretch of an MP4's sound is at most, in decibels below the loudest there could be: from and to in seconds.
fn loudest(file: &Path, from: f64, to: f64) -> f64 {
    let measured = std::process::Command::new("ffmpeg")
        .args(["-v", "info", "-i"])
        .arg(file)
        .args(["-vn", "-af", &format!("atrim={from}:{to},volumedetect"), "-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&measured.stderr).into_owned();
    assert!(measured.status.success(), "{said}");
    let (_, level) = said.split_once("max_volume: ").unwrap_or_else(|| panic!("there is no sound: {said}"));
    level.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_exact_clip_has_the_sound_that_is_beside_the_pictures_and_is_silent_where_that_is_missing() {
    const QUIET_DB: f64 = -80.0;

    let (dir, recorded) = (tempfile::tempdir().unwrap(), Recorded::spoken(2));
    let config = config(&dir);
    kept(&config, &recorded);
    let scores =
        Scores::open(&config.data_dir.join("score"), [(table(), config.score_offsets(&config.channels[0]))]);
    play(&scores.unwrap(), &"final".parse().unwrap()).await;
    let mut options = options("--from 2026-11-20T10:52:05Z --to 2026-11-20T10:52:07Z --exact").unwrap();
    for (name, theme, sound, is_heard) in [
        ("plain.mp4", None, None, true),
        ("score.mp4", Some("light"), None, true),
        ("commentary.mp4", None, Some("ko"), false),
    ] {
        options.out = dir.path().join(name);
        (options.burn_in, options.sound) = (theme.map(String::from), sound.map(String::from));
        command::run(&config, &options, NOW).await.unwrap();
        let level = loudest(&options.out, 0.0, 2.0);
        assert_eq!(level > QUIET_DB, is_heard, "{name}: {level} dB");
    }
    options.sound = Some("French".into());
    options.out = dir.path().join("never.mp4");
    let said = format!("{:#}", command::run(&config, &options, NOW).await.unwrap_err());
    assert!(said.starts_with("--sound: the recording has no sound \"French\""), "{said}");

    // Of its first segment, from 3.5 s to 4067 ms, and of the next, up to 6067 ms, the sound is lost.
    let journal = super::recording(&config.data_dir, &table(), None, span(3_500, 7_500)).unwrap().1;
    let cut: Vec<u32> =
        export::touching(&journal.reel, Some(at(3_500)), Some(at(7_500))).map(|(n, _)| n).collect();
    let objects = journal::objects_dir(&config.data_dir);
    for n in &cut[..2] {
        let name = journal.reel.name(&journal.reel.objects()[recorded.sound_of(*n, "audio") as usize]);
        fs::remove_file(objects.join(name)).unwrap();
    }
    let out = dir.path().join("holes.mp4");
    let like = encode::Like { theme: None, sound: None };
    let made = encode::encode(&config, &table(), &journal, span(3_500, 7_500), like, &out).await.unwrap();
    let told: Vec<_> = made.gaps.iter().map(|gap| (gap.from, gap.to, gap.why.as_str())).collect();
    assert_eq!(told, [(at(2067), at(6067), "its sound: it is missing on the disk")]);
    let (hole, behind) = (loudest(&out, 0.0, 2.4), loudest(&out, 2.7, 4.0));
    assert!(hole < QUIET_DB && behind > QUIET_DB, "{hole} and {behind} dB");
}

#[test]
fn a_time_in_an_older_recording_is_cut_from_that_one() {
    let (dir, recorded) = (tempfile::tempdir().unwrap(), Recorded::new(1));
    let config = config(&dir);
    let older = kept(&config, &recorded);
    let (_, newer) =
        Open::create(&config.data_dir, recorded.reel.head().clone(), NOW.plus_ms(60_000)).unwrap();
    let found = |named| {
        super::recording(&config.data_dir, &table(), named, span(1000, 3000)).map(|(recording, _)| recording)
    };
    assert_eq!(found(None).unwrap(), older);
    assert!(matches!(found(Some(&newer.recording)), Err(RecordingError::Nothing { .. })));
}

#[test]
fn the_link_names_what_is_in_the_file() {
    let exported = export::Exported { segments: 2, len: 1, from: at(2000), to: at(6000), gaps: Vec::new() };
    let recording = RecordingId::beginning(NOW);
    let link = |span| command::link("https://edge.example.org", &table(), &recording, span, &exported);
    let page = |from: u64, to: u64| {
        let (from, to) = (NOW.0 + from, NOW.0 + to);
        format!("https://edge.example.org/watch/table-1/20261120t105200z?from={from}&to={to}")
    };
    assert_eq!(link(span(2500, 5000)), page(2500, 5000));
    assert_eq!(link(span(500, 9000)), page(2000, 6000));
    assert_eq!(link(Span { from: at(3000), to: None }), page(3000, 6000));
}

#[tokio::test]
async fn a_clip_is_cut_by_times_or_by_the_score() {
    for good in [
        "--from 2h --to 1h",
        "--match final --from-event 3 --to-event 9 --lead-in 0",
        "--match final --inning 4 --unit 2 --edge https://edge.example.org",
    ] {
        assert!(options(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "--from 2h",
        "--from 2h --to 1h --match final",
        "--match final --from-event 3",
        "--match final --from-event 3 --to-event 9 --inning 4",
        "--inning 4",
        "--from 2h --to 1h --inning 4",
        "--match final --inning 4 --lead-in 601",
        "--match final --inning 4 --edge ftp://edge.example.org",
    ] {
        assert!(options(bad).is_err(), "{bad}");
    }
    let dir = tempfile::tempdir().unwrap();
    let error = command::run(&config(&dir), &options("--match final").unwrap(), NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "--match needs --from-event and --to-event, or --inning");
}
