//! What comes of broken streams, in the hands of a player that is not ours: ffmpeg decodes every picture that is listed.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use railbird_core::flv::{File, Tag, TagKind};
use railbird_core::programme::End;

use super::flv::{publish, publish_at, send, tags};
use super::way::{Segment, Way};

pub(super) const SEGMENT_MS: u32 = 1_000;

/// The tags of another encoder's three seconds: twice as large, and without reordered pictures.
fn larger() -> Vec<Tag> {
    encoded("-f lavfi -i testsrc2=s=192x128:r=25:d=3 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p")
}

/// The tags of what ffmpeg makes.
pub(super) fn encoded(arguments: &str) -> Vec<Tag> {
    let mut made = Command::new("ffmpeg");
    made.args(["-v", "error"]).args(arguments.split(' ')).args(["-f", "flv", "-"]);
    let output = made.output().expect("ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    File::new(Bytes::from(output.stdout)).unwrap().map(Result::unwrap).collect()
}

/// Plays a run of segments by ffmpeg: how many pictures it decodes, and what it complains of.
pub(super) fn decoded(way: &Way, run: &[Segment]) -> (usize, String) {
    static PLAYED: AtomicU32 = AtomicU32::new(0);
    let nth = PLAYED.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("railbird-broken-{}-{nth}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("list.m3u8"), in_clear(way, run, &dir)).unwrap();
    let played = by_ffmpeg(&dir.join("list.m3u8"));
    std::fs::remove_dir_all(&dir).unwrap();
    played
}

/// Plays a playlist by ffmpeg, with keys and all renditions that it has: how many pictures it decodes, and what it complains of.
pub(super) fn by_ffmpeg(playlist: &Path) -> (usize, String) {
    let mut player = Command::new("ffmpeg");
    player.args(["-v", "warning", "-allowed_extensions", "ALL", "-protocol_whitelist", "file,crypto", "-i"]);
    player.arg(playlist).args(["-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let output = player.output().expect("ffmpeg");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let frames =
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.starts_with('#')).count();
    (frames, said)
}

/// The playlist of a run with its objects in a folder, without encryption: its keys are at an edge, which is not here.
fn in_clear(way: &Way, run: &[Segment], dir: &Path) -> String {
    let mut text =
        String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    let mut init = "";
    for (n, segment) in run.iter().enumerate() {
        if n > 0 && segment.discontinuity {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if init != segment.init {
            init = &segment.init;
            let name = init.replace('/', "-");
            std::fs::write(dir.join(&name), &way.init_bytes[init]).unwrap();
            text.push_str(&format!("#EXT-X-MAP:URI=\"{name}\"\n"));
        }
        let name = segment.object.name.replace('/', "-");
        std::fs::write(dir.join(&name), &segment.clear).unwrap();
        text.push_str(&format!("#EXTINF:{:.3},\n{name}\n", segment.duration_ms as f64 / 1000.0));
    }
    text + "#EXT-X-ENDLIST\n"
}

/// That ffmpeg decodes each picture of the segments, and says nothing. It takes one init segment for a whole playlist, so that it
/// plays what lies between two by itself.
fn plays(name: &str, way: &Way) -> usize {
    let runs = way.segments.chunk_by(|one, next| one.init == next.init);
    let played = runs.map(|run| {
        let listed: usize = run.iter().map(|segment| segment.video.len()).sum();
        let (frames, said) = decoded(way, run);
        assert_eq!((frames, &*said), (listed, ""), "{name}");
        frames
    });
    played.sum()
}

fn later(tags: &[Tag], ms: u32) -> Vec<Tag> {
    tags.iter().map(|tag| Tag { timestamp_ms: tag.timestamp_ms.wrapping_add(ms), ..tag.clone() }).collect()
}

/// The clock jumps by an hour in the middle.
pub(super) fn jump(good: &[Tag]) -> Vec<Tag> {
    let (first, rest) = good.split_at(good.len() / 2);
    [first, &later(rest, 3_600_000)].concat()
}

/// Key frames a second apart, and then none for four.
pub(super) fn rare() -> Vec<Tag> {
    encoded(
        "-f lavfi -i testsrc2=s=96x64:r=25:d=6 -f lavfi -i sine=d=6 -c:v libx264 -g 1000 -keyint_min 1 -sc_threshold 0 -bf 2 \
         -force_key_frames 0,1,5 -pix_fmt yuv420p -c:a aac -ac 2",
    )
}

/// Broken streams, and how many pictures at least are to come of each.
pub(super) fn cases() -> [(&'static str, Vec<Tag>, usize); 6] {
    let good = tags();
    let is_sound = |tag: &&Tag| tag.kind == TagKind::Audio;
    [
        ("a jump by an hour", jump(&good), 120),
        ("another size of picture", [good.clone(), later(&larger(), 6_120)].concat(), 225),
        (
            "no sound for two seconds",
            good.iter()
                .filter(|tag| !is_sound(tag) || !(2_000..4_000).contains(&tag.timestamp_ms))
                .cloned()
                .collect(),
            150,
        ),
        (
            "sound that begins late",
            good.iter()
                .filter(|tag| !is_sound(tag) || tag.timestamp_ms == 0 || tag.timestamp_ms > 2_000)
                .cloned()
                .collect(),
            125,
        ),
        ("key frames become rare", rare(), 150),
        (
            "timestamps that are wrong, one in fifty",
            good.iter()
                .enumerate()
                .map(|(n, tag)| match n % 50 {
                    49 => Tag { timestamp_ms: tag.timestamp_ms ^ 0x5_5550, ..tag.clone() },
                    _ => tag.clone(),
                })
                .collect(),
            150,
        ),
    ]
}

/// What comes of a stream whose tags come when they were made, by a clock that is by so many per mille as fast as the encoder's.
pub(super) fn as_made(segment_ms: u32, tags: &[Tag], per_mille: u64) -> Way {
    let mut way = Way::new(segment_ms);
    publish_at(&mut way, tags, 0, |n| u64::from(tags[n].timestamp_ms) * per_mille / 1000);
    way.finish();
    way
}

/// What comes of such a stream.
pub(super) fn way_of(tags: &[Tag]) -> Way {
    let mut way = Way::new(SEGMENT_MS);
    send(&mut way, tags, self::tags().len(), 6_000);
    way
}

#[test]
fn ffmpeg_decodes_each_picture_of_what_comes_of_broken_streams() {
    for (name, tags, at_least) in cases() {
        let way = way_of(&tags);
        let frames = plays(name, &way);
        assert!(frames >= at_least, "{name}: {frames} pictures");
    }
}

/// It breaks off in the middle of a group of pictures, and is started again two seconds later.
pub(super) fn reconnect() -> Way {
    let good = tags();
    let mut way = Way::new(SEGMENT_MS);
    publish(&mut way, &good[..good.len() * 3 / 5], 0, good.len(), 6_000);
    way.end(End::Lost);
    publish(&mut way, &good, 6_000, good.len(), 6_000);
    way.finish();
    way
}

#[test]
fn ffmpeg_plays_on_over_a_reconnect() {
    let way = reconnect();
    assert_eq!(way.segments.iter().filter(|segment| segment.discontinuity).count(), 2);
    assert!(plays("a reconnect", &way) >= 90 + 150 - 1);
}
