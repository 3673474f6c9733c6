use std::fs;
use std::process::Command;

use super::*;
use crate::export::tests::Recorded;

const EVERY: MediaSpan = MediaSpan::from_ms(3000);

fn layout(columns: u32, rows: u32) -> Layout {
    Layout { every: EVERY, columns, rows, width: 64 }
}

async fn of(recorded: &Recorded, layout: Layout, dir: &Path) -> Result<Thumbnails, ThumbnailsError> {
    let reel = (&recorded.reel, recorded.dir.path(), &recorded.secret);
    make(Path::new("ffmpeg"), reel, (None, None), layout, (dir, "a match")).await
}

/// The first picture of a file behind this filter.
fn pixels(file: &Path, filter: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-i"]).arg(file).args(["-frames:v", "1", "-vf", filter]);
    let output = command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

#[tokio::test]
async fn each_moment_has_the_key_frame_of_its_segment_on_the_sheet_that_the_index_names() {
    let (recorded, dir) = (Recorded::new(2), tempfile::tempdir().unwrap());
    let made = of(&recorded, layout(2, 2), dir.path()).await.unwrap();
    assert_eq!(made.sheets, ["a match-001.jpg", "a match-002.jpg"]);
    assert!(made.unusable.is_empty() && made.pictures == 6, "{made:?}");
    let index: Vec<&str> = made.index.lines().filter(|line| !line.is_empty()).collect();
    let height = made.index.lines().nth(3).unwrap().rsplit(',').next().unwrap();
    let place = |sheet, x, y: u32| {
        let y = y * height.parse::<u32>().unwrap();
        format!("a%20match-00{sheet}.jpg#xywh={x},{y},64,{height}")
    };
    assert_eq!(index[0], "WEBVTT");
    assert_eq!(
        index[1..5],
        ["00:00:00.000 --> 00:00:03.000", &place(1, 0, 0), "00:00:03.000 --> 00:00:06.000", &place(1, 64, 0)]
    );
    assert_eq!(index[6], place(1, 0, 1));
    assert_eq!(index[11].split(' ').next(), Some("00:00:15.000"));
    assert_eq!(index[12], place(2, 64, 0));

    // Each is nearer to the first picture of the segment in which its moment lies than to any other of them.
    let slots = slots(&recorded.reel, None, None, EVERY).unwrap();
    let mut reader = Reader::new(&recorded.reel, recorded.dir.path(), &recorded.secret);
    let mut firsts = Vec::new();
    for slot in &slots {
        let (clear, file) = (reader.clear(slot.segment).unwrap(), dir.path().join("segment.mp4"));
        fs::write(&file, [clear.init, clear.segment].concat()).unwrap();
        firsts.push(pixels(&file, &format!("scale=64:{height}")));
    }
    for nth in 0..slots.len() {
        let (sheet, x, y) = (nth / 4 + 1, nth % 2 * 64, nth % 4 / 2);
        let crop = format!("crop=64:{height}:{x}:{y}*{height}");
        let tile = pixels(&dir.path().join(format!("a match-00{sheet}.jpg")), &crop);
        let order = |n: &usize| difference(&tile, &firsts[*n]);
        let nearest = (0..slots.len()).min_by(|a, b| order(a).total_cmp(&order(b)));
        let same = nearest.is_some_and(|nearest| firsts[nearest] == firsts[nth]);
        assert!(same, "picture {nth} is that of {nearest:?}");
    }
    firsts.sort();
    firsts.dedup();
    assert!(firsts.len() > 3, "all of them look alike");
}

#[tokio::test]
async fn what_can_t_be_read_has_no_picture_and_is_told() {
    let (recorded, dir) = (Recorded::new(2), tempfile::tempdir().unwrap());
    let shown = slots(&recorded.reel, None, None, EVERY).unwrap()[1].segment;
    fs::remove_file(recorded.path(shown)).unwrap();
    let made = of(&recorded, layout(6, 6), dir.path()).await.unwrap();
    assert_eq!((made.pictures, made.sheets.len(), made.unusable.len()), (5, 1, 1));
    assert!(!made.index.contains("00:00:03.000 -->"), "{}", made.index);
    // Nothing that is there is written over.
    let again = of(&recorded, layout(6, 6), dir.path()).await.unwrap_err().to_string();
    assert!(again.contains("it exists: remove it"), "{again}");
}

#[tokio::test]
async fn a_recording_without_a_picture_to_show_says_why() {
    let (mut recorded, dir) = (Recorded::new(1), tempfile::tempdir().unwrap());
    recorded.secret = MasterSecret::new(b"another one of 16 bytes").unwrap();
    let error = of(&recorded, layout(6, 6), dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("secrets.master"), "{error}");
    let often = slots(&recorded.reel, None, None, MediaSpan::from_ms(0)).err();
    assert!(often.is_none() || matches!(often, Some(ThumbnailsError::TooMany(_))));
    let reel = (&recorded.reel, recorded.dir.path(), &recorded.secret);
    let nowhere =
        make(Path::new("/nowhere/ffmpeg"), reel, (None, None), layout(1, 1), (dir.path(), "m")).await;
    assert!(nowhere.is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn small_pictures_keep_their_shape() {
    for (shape, size) in [
        ((1920, 1080), (160, 90)),
        ((1440, 1080), (160, 120)),
        ((1080, 1920), (160, 284)),
        ((3, 100_000), (160, 320)),
        ((0, 0), (160, 2)),
        ((100_000, 1), (160, 2)),
    ] {
        assert_eq!(tile(160, shape), size, "{shape:?}");
    }
    assert_eq!(stamp(3_723_004), "01:02:03.004");
    assert_eq!(escaped("a/b ü.jpg"), "a%2Fb%20%C3%BC.jpg");
}
