//! What comes of broken streams, in the hands of three players that are not ours: hls.js and Shaka Player in Chromium, and ffmpeg.
//!
//! Each case is the recording that an origin would have made of it: its objects, encrypted, and the playlists that an edge makes.
//! A player in the browser must come to its end by itself: over every discontinuity and every switch between renditions, without
//! an error that it gives up on, moved by nobody but itself, and with pictures behind each discontinuity. What it has then of the
//! whole has no hole that is longer than a picture, and begins at the beginning.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use railbird_core::flv::{File, Tag};
use railbird_core::keys;
use railbird_core::playlist::{Recorded, Stretch};
use railbird_core::state::ChannelState;
use serde_json::{Value, json};

use super::cases::{self, CASES, LOST_MS, RETURNS};
use super::encoder::Encoder;
use super::flv;
use super::play;
use super::real::Real;
use super::way::{self, NODE, Segment, Way};

/// The length of a segment of most cases, in milliseconds.
const SEGMENT_MS: u32 = 2_000;

/// A player does not play a case as it should, and is not asked to.
struct Other {
    player: &'static str,
    case: &'static str,
    why: &'static str,
}

/// ffmpeg says so, and decodes all that there is; Chromium's decoder gives up at some of them.
const NEEDED: &str = "pictures refer to what the encoder did not send";

/// Another codec than the media source had at its beginning.
const CODEC: &str = "Shaka Player 5.2 takes no Opus where there was AAC in the same buffer";

const OTHERS: &[Other] = &[
    Other { player: "Shaka", case: "the sound begins after three seconds, as Opus", why: CODEC },
    Other { player: "ffmpeg", case: "a key frame is missing", why: NEEDED },
    Other { player: "ffmpeg", case: "empty frames", why: NEEDED },
    Other { player: "hls.js", case: "empty frames", why: NEEDED },
    Other { player: "Shaka", case: "empty frames", why: NEEDED },
];

/// A case as it is served.
struct Served {
    name: String,
    segment_ms: u32,
    /// Its renditions; those of a ladder are of the same segments.
    ways: Vec<Way>,
    /// Where players begin, in seconds.
    from_s: u32,
}

/// All of them.
fn all() -> Vec<Served> {
    let (real, mut served) = (Real::new(), Vec::new());
    for case in CASES {
        let mut sent = Encoder::default().sends(0, 12_000);
        (case.harm)(&mut sent);
        real.dress(&mut sent);
        let ways = vec![cases::way_of(SEGMENT_MS, &sent)];
        served.push(Served { name: case.name.into(), segment_ms: SEGMENT_MS, ways, from_s: 0 });
    }
    for case in RETURNS {
        let mut way = Way::new(SEGMENT_MS);
        let (mut first, mut again) = (Encoder::default().sends(0, LOST_MS), (case.sends)());
        real.dress(&mut first);
        real.dress(&mut again);
        cases::publish(&mut way, 0, &first);
        way.at(LOST_MS);
        if let Some(end) = case.end {
            way.end(end);
        }
        cases::publish(&mut way, LOST_MS + case.away_ms, &again);
        way.finish();
        served.push(Served { name: case.name.into(), segment_ms: SEGMENT_MS, ways: vec![way], from_s: 0 });
    }
    for (name, tags, _) in play::cases() {
        served.push(Served {
            name: name.into(),
            segment_ms: play::SEGMENT_MS,
            ways: vec![play::way_of(&tags)],
            from_s: 0,
        });
    }
    // It begins where the next key frame is far away.
    let (name, segment_ms) = ("key frames are rare, and who comes then".into(), play::SEGMENT_MS);
    served.push(Served { name, segment_ms, ways: vec![play::way_of(&play::rare())], from_s: 3 });
    served.push(Served {
        name: "a reconnect".into(),
        segment_ms: play::SEGMENT_MS,
        ways: vec![play::reconnect()],
        from_s: 0,
    });
    served.extend(regular());
    // The same jump in each rendition of a ladder.
    let ways = [flv::tags(), smaller()].map(|tags| play::way_of(&play::jump(&tags)));
    let name = "a ladder, and a jump by an hour".into();
    served.push(Served { name, segment_ms: play::SEGMENT_MS, ways: ways.into(), from_s: 0 });
    served
}

/// Streams that nobody damaged: their pictures come seldom, or often, or their key frames do, or their clock is not the world's; and
/// other codecs.
fn regular() -> Vec<Served> {
    let encoded = |rate: u32, seconds: u32, keys: &str| {
        play::encoded(&format!(
            "-f lavfi -i testsrc2=s=96x64:r={rate}:d={seconds} -f lavfi -i sine=d={seconds} -c:v libx264 -preset veryfast {keys} \
             -sc_threshold 0 -bf 2 -pix_fmt yuv420p -c:a aac -ac 2"
        ))
    };
    let every = |pictures: u32| format!("-g {pictures} -keyint_min {pictures}");
    let mut served = Vec::new();
    let mut add = |name: String, way: Way| {
        served.push(Served { name, segment_ms: SEGMENT_MS, ways: vec![way], from_s: 0 });
    };
    for rate in [10, 50, 60, 120] {
        let tags = encoded(rate, 8, &every(rate * 2));
        add(format!("{rate} pictures a second"), play::as_made(SEGMENT_MS, &tags, 1000));
    }
    let tags = encoded(25, 24, &every(250));
    add("key frames are ten seconds apart".into(), play::as_made(SEGMENT_MS, &tags, 1000));
    let tags = encoded(25, 68, "-g 10000 -keyint_min 1 -force_key_frames 0,2,4,64");
    let way = play::as_made(SEGMENT_MS, &tags, 1000);
    assert!(way.segments.iter().filter(|segment| !segment.video[0].key).count() >= 20);
    add("no key frame for a minute".into(), way);
    // Far more than any encoder's.
    for per_mille in [980, 1020] {
        let tags = encoded(25, 24, &every(50));
        add(
            format!("a clock that goes at {per_mille} per mille"),
            play::as_made(SEGMENT_MS, &tags, per_mille),
        );
    }
    let av1 = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/enhanced/av1.flv"));
    let tags: Vec<Tag> = File::new(Bytes::from_static(av1)).unwrap().map(Result::unwrap).collect();
    add("AV1 and Opus, and a jump by an hour".into(), play::as_made(SEGMENT_MS, &play::jump(&tags), 1000));
    served
}

/// The good stream's tags, its pictures half as large.
fn smaller() -> Vec<Tag> {
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broken/streams/avc.flv");
    play::encoded(&format!(
        "-i {good} -vf scale=48:32 -c:v libx264 -g 25 -keyint_min 25 -sc_threshold 0 -bf 2 -c:a copy"
    ))
}

/// Writes what a player asks for below `dir`, where `root` is: objects as they lie at a node, and what an edge gives.
fn serve(Served { segment_ms, ways, .. }: &Served, dir: &Path, root: &str) {
    let write = |name: &str, bytes: &[u8]| {
        let file = dir.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    let mut recording: Option<ChannelState> = None;
    for (n, way) in ways.iter().enumerate() {
        let id = ["source", "low"][n];
        let name = |name: &str| name.replace("/source/", &format!("/{id}/"));
        let mut state = way.recording(*segment_ms);
        for rendition in &mut state.renditions {
            rendition.id = id.parse().unwrap();
            rendition.inits.iter_mut().for_each(|init| *init = name(init));
        }
        for segment in &way.segments {
            write(&name(&segment.object.name), &segment.object.bytes);
        }
        for (init, bytes) in &way.init_bytes {
            write(&name(init), bytes);
        }
        match &mut recording {
            None => recording = Some(state),
            Some(recording) => recording.renditions.append(&mut state.renditions),
        }
    }
    let state = recording.unwrap();
    let order = ["a".parse().unwrap()];
    let main = Recorded::multivariant(&state, &order, false, &Stretch::default());
    write("main.m3u8", main.as_bytes());
    for rendition in &state.renditions {
        let chapters = std::slice::from_ref(&state);
        let recorded =
            Recorded { chapters, live: None, ended: true, ranges: &[], stretch: Stretch::default() };
        let media = recorded.media(&rendition.id, &order, false).unwrap();
        // The edge's own addresses are relative to a route of it.
        let media = media.replace(NODE, root).replace("../../../../key/", &format!("{root}/key/"));
        assert!(!media.contains("../"), "{media}");
        write(&format!("a/{}.m3u8", rendition.id), media.as_bytes());
        for segment in &rendition.segments {
            let period = keys::period(segment.start, state.key_period_s);
            write(&format!("key/t/{period}"), &way::key(period));
        }
    }
}

/// Where each discontinuity lies, in seconds of what is listed.
fn breaks_s(way: &Way) -> Vec<f64> {
    let (mut at_ms, mut breaks) = (0, Vec::new());
    for (n, segment) in way.segments.iter().enumerate() {
        if n > 0 && segment.discontinuity {
            breaks.push(at_ms as f64 / 1000.0);
        }
        at_ms += segment.duration_ms;
    }
    breaks
}

/// What ffmpeg makes of a case: how many of its pictures, and what it says. It takes one init segment for a whole playlist: where there
/// is no other, it plays what is served below `dir`, each rendition of it; else what lies between two by itself.
fn by_ffmpeg(served: &Served, dir: &Path) -> Value {
    let ways = &served.ways;
    let pictures = |run: &[Segment]| run.iter().map(|segment| segment.video.len()).sum::<usize>();
    let (mut listed, mut decoded, mut said) = (0, 0, String::new());
    let mut add = |of: usize, (frames, words): (usize, String)| {
        (listed, decoded) = (listed + of, decoded + frames);
        // What it says of the list that it writes is none of ours: there, times are as coarse as frames are long.
        for words in words.lines().filter(|words| !words.starts_with("[framemd5 @")) {
            said.push_str(words);
            said.push('\n');
        }
    };
    if ways.iter().all(|way| way.segments.iter().all(|segment| segment.init == way.segments[0].init)) {
        serve(served, dir, dir.to_str().unwrap());
        let of_all = ways.iter().map(|way| pictures(&way.segments)).sum();
        add(of_all, play::by_ffmpeg(&dir.join("main.m3u8")));
    } else {
        for run in ways[0].segments.chunk_by(|one, next| one.init == next.init) {
            add(pictures(run), play::decoded(&ways[0], run));
        }
    }
    json!({ "listed": listed, "decoded": decoded, "said": said })
}

#[test]
fn three_players_play_what_comes_of_broken_streams_from_end_to_end() {
    let scripts = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/browser"));
    assert!(scripts.join("node_modules").exists(), "run `npm ci --ignore-scripts` in tests/browser");
    let dir = std::env::temp_dir().join(format!("railbird-players-{}", std::process::id()));
    let mut list = Vec::new();
    for (n, served) in all().iter().enumerate() {
        let root = format!("/{n}");
        serve(served, &dir.join(n.to_string()), &root);
        let excused: Vec<&str> =
            OTHERS.iter().filter(|other| other.case == served.name).map(|other| other.player).collect();
        list.push(json!({
            "name": served.name,
            "url": format!("{root}/main.m3u8"),
            "breaks_s": breaks_s(&served.ways[0]),
            "renditions": served.ways.len(),
            "from_s": served.from_s,
            "excused": excused,
            "ffmpeg": by_ffmpeg(served, &dir.join(format!("ffmpeg/{n}"))),
        }));
    }
    for Other { case, player, why } in OTHERS {
        assert!(
            list.iter().any(|served| served["name"] == *case),
            "there is no case {case:?}, for {player}: {why}"
        );
    }
    std::fs::write(dir.join("cases.json"), json!(list).to_string()).unwrap();
    let played = Command::new("node").arg(scripts.join("broken.mjs")).arg(&dir).output().expect("node");
    let said =
        String::from_utf8_lossy(&played.stdout).into_owned() + &String::from_utf8_lossy(&played.stderr);
    std::fs::remove_dir_all(&dir).unwrap();
    assert!(played.status.success(), "{said}");
    println!("{said}");
}
