use super::*;
use crate::export::tests::Recorded;

#[tokio::test]
async fn every_picture_of_a_segment_is_looked_at_in_its_place() {
    let recorded = Recorded::new(1);
    let clear = Reader::new(&recorded.reel, recorded.dir.path(), &recorded.secret)
        .clear(*recorded.reel.order().first().unwrap())
        .unwrap();
    assert_eq!((clear.size, clear.pictures.len()), (Some((1280, 720)), 60));
    let step = clear.pictures.windows(2).map(|pair| (pair[1] - pair[0]).ms());
    assert!(step.into_iter().all(|ms| (32..=34).contains(&ms)));
    // Each has its number in it.
    let mut numbers = Vec::new();
    decode::pictures(&ffmpeg(), &clear, size(&clear).unwrap(), |levels| {
        let bit = |n: usize| usize::from(levels[48 * 1280 + 824 + 40 * n] > 128);
        numbers.push((0..10).fold(0, |number, n| number << 1 | bit(n)));
    })
    .await
    .unwrap();
    assert_eq!(numbers, (numbers[0]..numbers[0] + 60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_recording_without_the_code_says_what_to_do() {
    let recorded = Recorded::new(1);
    let (reel, secret) = (&recorded.reel, &recorded.secret);
    let unread = measure(reel, recorded.dir.path(), secret, 1, &ffmpeg()).await.unwrap_err().to_string();
    assert!(unread.contains("0 of 60 pictures"), "{unread}");
    let other = MasterSecret::new(b"another secret that is long enough").unwrap();
    let wrong = measure(reel, recorded.dir.path(), &other, 1, &ffmpeg()).await.unwrap_err().to_string();
    assert!(wrong.contains("secrets.master"), "{wrong}");
    let absent = measure(reel, recorded.dir.path(), secret, 1, Path::new("/nowhere/ffmpeg")).await;
    let absent = absent.unwrap_err().to_string();
    assert!(absent.contains("--ffmpeg"), "{absent}");
}

#[test]
fn large_pictures_are_looked_at_smaller() {
    let of = |width, height| Clear {
        init: Vec::new(),
        segment: Vec::new(),
        size: Some((width, height)),
        pictures: Vec::new(),
        has_audio: true,
    };
    assert_eq!(size(&of(3840, 2160)), Some((1920, 1080)));
    assert_eq!(size(&of(1280, 720)), Some((1280, 720)));
    assert_eq!(size(&of(1080, 3840)), Some((540, 1920)));
}
