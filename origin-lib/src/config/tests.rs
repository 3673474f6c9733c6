use railbird_core::srt::KeyBits;

use super::*;
use crate::burn::Theme;
use crate::ladder::Rung;

fn env(name: &str) -> Option<String> {
    Some(match name {
        "EMPTY" => String::new(),
        "SHORT" => "short".into(),
        "UNSET" => return None,
        "SAME_A" | "SAME_B" => "the same stream key".replace(' ', "-"),
        "SPACED" => "a key with spaces".into(),
        _ => format!("secret-of-{name}-0123456789"),
    })
}

fn parse(text: &str) -> Result<Config, Vec<String>> {
    Config::parse(text, Path::new("/etc/railbird.toml"), &env).map_err(|error| match error {
        ConfigError::Invalid { problems, .. } => problems.iter().map(Problem::to_string).collect(),
        other => panic!("{other}"),
    })
}

const EXAMPLE: &str = include_str!("../../../infra/railbird.example.toml");

/// The least that is valid.
const SMALL: &str = r#"
[origin]
data_dir = "data"
[event]
id = "cup"
title = "Cup"
[[channel]]
id = "table-1"
title = "Table 1"
[[channel.feed]]
stream_key = { env = "STREAM" }
[[target]]
id = "a"
kind = "s3"
endpoint = "http://127.0.0.1:9001"
bucket = "live"
access_key = { env = "AK" }
secret_key = { env = "SK" }
node = { id = "a", url = "http://127.0.0.1:9001/live" }
[[edge]]
url = "http://127.0.0.1:8787"
[secrets]
master = { env = "MASTER" }
origin = { env = "ORIGIN" }
"#;

/// The least that is valid, in a file in `dir`, with each of these replaced.
pub(crate) fn small(dir: &Path, replaced: &[(&str, &str)]) -> Config {
    let text = replaced.iter().fold(SMALL.to_string(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    Config::parse(&text, &dir.join("railbird.toml"), &env).unwrap()
}

fn bucket(target: &Target) -> &Bucket {
    match &target.place {
        Place::S3(bucket) => bucket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_is_valid_and_has_every_key() {
    let config = parse(EXAMPLE).unwrap();
    assert_eq!((config.channels[0].picture_delay_ms, config.channels[0].score_offset_ms), (800, -1500));
    assert_eq!(config.score_offsets_ms.get("ann"), Some(&-1200));
    let roles: Vec<Role> = config.channels[0].feeds.iter().map(|feed| feed.role).collect();
    assert_eq!(roles, Role::ALL);
    assert_eq!(config.anchors_at, Some(config.targets[0].id.clone()));
    assert_eq!(config.http_ingest.map(|addr| addr.port()), Some(8082));
    let srt = config.srt.unwrap();
    assert_eq!((srt.listen.port(), srt.latency_ms, srt.passphrase.is_some()), (8890, 120, true));
    let whip = config.whip.unwrap();
    assert_eq!((whip.listen.port(), whip.udp.port(), whip.sessions_max), (8083, 8189, 64));
    assert_eq!(whip.addresses, ["203.0.113.7:0".parse().unwrap(), "[2001:db8::7]:8189".parse().unwrap()]);
    assert!(whip.certificate.is_some());
    let call = config.channels[0].feeds[1].call.as_ref().unwrap();
    assert_eq!((call.address.as_str(), call.stream_id.as_str()), ("encoder.venue.example:9000", "table-1"));
    assert_eq!((call.key_bits, call.latency_ms), (KeyBits::B128, 120));
    let push = &config.pushes[0];
    assert_eq!((push.url.without_key().as_str(), push.optional), ("rtmps://live.example.com:443/app", true));
    assert_eq!(push.url.key.reveal(), "secret-of-RAILBIRD_PUSH_SOCIAL_KEY-0123456789");
    assert!(!format!("{push:?}").contains("secret-of"));
    assert_eq!(bucket(&config.targets[0]).prefix, "2026");
    assert_eq!(bucket(&config.targets[1]).endpoint, None);
    assert!(!bucket(&config.targets[1]).path_style);
    let Place::Http(entry) = &config.targets[2].place else { panic!("{:?}", config.targets[2]) };
    assert!(matches!(&entry.login, Login::Basic { user, .. } if user == "railbird"));
    assert_eq!(entry.headers[0].0, "x-storage-zone");
    assert_eq!(config.pad, Some("/usr/share/railbird/pad".into()));
    let edge = config.embedded_edge.unwrap();
    assert_eq!(edge.public_url, "https://railbird.example.org");
    assert_eq!(edge.cors_origins, ["https://www.example.org"]);
    assert_eq!(edge.origin_urls, ["https://south.example.org:8443"]);
    // Each key that a table knows is written in the example: the lists of known keys say so themselves.
    for header in [
        "[origin]",
        "[rtmp]",
        "[rtmps]",
        "[http_ingest]",
        "[srt]",
        "[whip]",
        "[channel.feed.call]",
        "[[channel]]",
        "[[channel.feed]]",
        "[[target]]",
        "[[target]]\nid = \"c\"",
        "[pair]",
        "[[push]]",
        "[push.burn_in]",
        "[[edge]]",
        "[embedded_edge]",
        "[score]",
        "[spool]",
        "[recording]",
        "[evidence]",
    ] {
        let broken = EXAMPLE.replacen(&format!("\n{header}\n"), &format!("\n{header}\nstrange = 1\n"), 1);
        let problems = parse(&broken).unwrap_err();
        let problem = problems.iter().find(|text| text.contains("strange: is not a key here")).unwrap();
        let known = problem.split("one of ").nth(1).unwrap();
        for key in known
            .split(", ")
            .filter(|key| !["feed", "system", "burn_in", "call", "ladder", "audio", "video"].contains(key))
        {
            assert!(EXAMPLE.contains(&format!("{key} = ")), "{header} {key}");
        }
    }
}

#[test]
fn a_call_and_a_listener_for_srt_say_what_is_wrong_with_them() {
    let with = |call: &str, srt: &str| {
        let small = SMALL.replacen("[[target]]", &format!("{call}\n[[target]]"), 1);
        parse(&small.replacen("[[edge]]", &format!("{srt}\n[[edge]]"), 1))
    };
    let config =
        with("[channel.feed.call]\naddress = \"[2001:db8::1]:9000\"\nkey_bits = 256", "[srt]").unwrap();
    let call = config.channels[0].feeds[0].call.as_ref().unwrap();
    assert_eq!((call.key_bits, call.passphrase.as_ref()), (KeyBits::B256, None));
    assert_eq!(config.srt.map(|srt| (srt.latency_ms, srt.passphrase)), Some((120, None)));
    for (call, srt, text) in [
        ("[channel.feed.call]", "", "call.address: is missing"),
        ("[channel.feed.call]\naddress = \"srt://h:1\"", "", "must be a host and a port"),
        ("[channel.feed.call]\naddress = \"2001:db8::1:9000\"", "", "must be a host and a port"),
        ("[channel.feed.call]\naddress = \"h:0\"", "", "must be a host and a port"),
        ("[channel.feed.call]\naddress = \"h:1\"\nkey_bits = 160", "", "must be 128, 192 or 256"),
        ("", "[srt]\nlatency_ms = 8001", "8001 milliseconds is out of range: use 20 to 8000"),
        ("", "[srt]\npassphrase = \"in clear, in the file\"", "a secret must not stand in this file"),
    ] {
        let problems = with(call, srt).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(text)), "{call}{srt}: {problems:?}");
    }
}

#[test]
fn whip_announces_where_it_is_reached_and_says_what_is_wrong_with_it() {
    let with = |whip: &str| parse(&SMALL.replacen("[[edge]]", &format!("[whip]\n{whip}\n[[edge]]"), 1));
    let whip = with("").unwrap().whip.unwrap();
    assert_eq!(
        whip.addresses,
        [whip.udp],
        "where it listens is where it is reached, unless it listens everywhere"
    );
    assert_eq!((whip.certificate, whip.sessions_max), (None, 64));
    let everywhere = with("udp_listen = \"0.0.0.0:8189\"\naddresses = [\"203.0.113.7:9000\"]").unwrap();
    assert_eq!(everywhere.whip.unwrap().addresses, ["203.0.113.7:9000".parse().unwrap()]);
    assert_eq!(parse(SMALL).unwrap().whip, None);
    for (whip, text) in [
        ("udp_listen = \"0.0.0.0:8189\"", "addresses is missing"),
        ("addresses = [\"0.0.0.0\"]", "must be an IP address that encoders reach"),
        ("addresses = [\"origin.example\"]", "must be an IP address that encoders reach"),
        ("certificate = \"/a.pem\"", "certificate and key go together"),
        ("key = \"/a.pem\"", "certificate and key go together"),
        ("sessions_max = 0", "0 sessions is out of range: use 1 to 1024"),
    ] {
        let problems = with(whip).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(text)), "{whip}: {problems:?}");
    }
}

#[test]
fn a_burn_in_has_its_defaults_and_says_what_is_wrong_with_it() {
    let push = "id = \"p\"\nchannel = \"table-1\"\nurl = \"rtmp://h/a\"\nstream_key = { env = \"STREAM_B\" }";
    let with = |burn_in: &str| {
        parse(&SMALL.replacen("[[edge]]", &format!("[[push]]\n{push}\n{burn_in}\n[[edge]]"), 1))
    };
    assert_eq!(with("").unwrap().pushes[0].burn_in, None);
    let unscored = with("[push.burn_in]").unwrap_err();
    let said =
        "push[0].burn_in: has a channel without score_key: without a scorer there is nothing to burn in";
    assert!(unscored.len() == 1 && unscored[0].ends_with(said), "{unscored:?}");
    let with = |burn_in: &str| {
        let scored =
            SMALL.replacen("title = \"Table 1\"", "title = \"T\"\nscore_key = { env = \"SCORE\" }", 1);
        parse(&scored.replacen("[[edge]]", &format!("[[push]]\n{push}\n{burn_in}\n[[edge]]"), 1))
    };
    let config = with("[push.burn_in]").unwrap();
    let burn_in = config.pushes[0].burn_in.as_ref().unwrap();
    assert_eq!(burn_in.theme, Theme::load("light", Path::new("")).unwrap());
    assert_eq!((burn_in.delay_ms, burn_in.bitrate_kbps, burn_in.preset), (3_000, 6_000, "veryfast"));
    assert_eq!(burn_in.ffmpeg, Path::new("ffmpeg"));
    for (burn_in, text) in [
        ("burn_in = { theme = \"green.toml\" }", "push[0].burn_in.theme: /etc/green.toml: No such file"),
        (
            "burn_in = { preset = \"quick\" }",
            "push[0].burn_in.preset: is none of x264's presets: ultrafast, ",
        ),
        ("burn_in = { delay_ms = 30001 }", "30001 milliseconds is out of range: use 0 to 30000"),
        ("burn_in = \"light\"", "push[0].burn_in: must be a table"),
    ] {
        let problems = with(burn_in).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(text)), "{burn_in}: {problems:?}");
    }
}

#[test]
fn scorers_have_names_and_offsets_within_bounds() {
    let with = |offsets: &str| {
        parse(&SMALL.replacen("\n[secrets]", &format!("\n[score]\noffsets_ms = {offsets}\n[secrets]"), 1))
    };
    assert_eq!(with("{ ann = -1200, pad-2 = 0 }").unwrap().score_offsets_ms.len(), 2);
    for (offsets, text) in [
        (
            "{ ann = -10001 }",
            "score.offsets_ms.ann: -10001 milliseconds is out of range: use -10000 to 10000",
        ),
        ("{ ann = \"late\" }", "score.offsets_ms.ann: must be a whole number of milliseconds"),
        ("{ \"a b\" = 1 }", "a scorer's name needs 1 to 32 printable ASCII characters"),
        ("-1000", "score.offsets_ms: must be a table"),
    ] {
        let problems = with(offsets).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(text)), "{offsets}: {problems:?}");
    }
}

#[test]
fn what_is_left_out_has_defaults() {
    let config = parse(SMALL).unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/data"));
    assert_eq!(config.rtmp.to_string(), "127.0.0.1:1935");
    assert_eq!(config.rtmps, None);
    assert_eq!(config.http_ingest, None);
    assert_eq!(config.api.to_string(), "127.0.0.1:8080");
    let channel = &config.channels[0];
    assert_eq!((channel.segment_ms, channel.key_period_s, channel.dvr_s), (2000, 3600, 120));
    assert_eq!((channel.part_ms, channel.score_offset_ms, &channel.score_key), (None, 0, &None));
    assert_eq!(channel.feeds[0].role, Role::Primary);
    assert_eq!((channel.stall_ms, channel.steady_ms), (1000, 10_000));
    assert_eq!((&config.anchors_at, config.pushes.len()), (&None, 0));
    let target = &config.targets[0];
    let place = bucket(target);
    assert_eq!((place.region.as_str(), place.path_style, place.prefix.as_str()), ("us-east-1", true, ""));
    let Deadlines { dns, connect, tls, first_byte, total } = target.connection.deadlines;
    let ms = [dns, connect, tls, first_byte, total].map(|deadline| deadline.as_millis());
    assert_eq!(ms, [2000, 2000, 3000, 5000, 10_000]);
    assert_eq!((&target.connection.authority, target.weight, target.backfill_mbps), (&None, 100, 100));
    assert_eq!(config.spool, Spool::default());
    assert_eq!(config.recording, Recording::default());
    assert_eq!((config.embedded_edge, config.pad), (None, None));
}

#[test]
fn parts_of_a_low_latency_channel_divide_its_segments() {
    for (keys, part_ms) in [
        ("", None),
        ("part_ms = 500", None),
        ("low_latency = false", None),
        ("low_latency = true", Some(334)),
        ("low_latency = true\nsegment_ms = 1920", Some(320)),
        ("low_latency = true\nsegment_ms = 500", Some(250)),
        ("low_latency = true\nsegment_ms = 4000", Some(334)),
        ("low_latency = true\npart_ms = 500", Some(500)),
        ("low_latency = true\npart_ms = 1000", Some(1000)),
    ] {
        let text = SMALL.replace("id = \"table-1\"", &format!("id = \"table-1\"\n{keys}"));
        let channel = &parse(&text).unwrap().channels[0];
        assert_eq!((channel.part_ms, channel.preload_hints), (part_ms, false), "{keys}");
    }
}

#[test]
fn how_long_segments_may_be_is_what_the_first_ones_are_or_configured() {
    for (keys, target_s) in
        [("", None), ("target_s = 0", None), ("target_s = 2", Some(2)), ("target_s = 10", Some(10))]
    {
        let text = SMALL.replace("id = \"table-1\"", &format!("id = \"table-1\"\n{keys}"));
        assert_eq!(parse(&text).unwrap().channels[0].target_s, target_s, "{keys}");
    }
}

#[test]
fn only_what_has_parts_hints_at_them() {
    for (keys, preload_hints) in
        [("preload_hints = true", false), ("low_latency = true\npreload_hints = true", true)]
    {
        let text = SMALL.replace("id = \"table-1\"", &format!("id = \"table-1\"\n{keys}"));
        assert_eq!(parse(&text).unwrap().channels[0].preload_hints, preload_hints, "{keys}");
    }
}

#[test]
fn sound_tracks_are_named_and_the_first_one_is_the_default() {
    let with = |keys: &str, audio: &str| {
        let small = SMALL.replacen("id = \"table-1\"", &format!("id = \"table-1\"\n{keys}"), 1);
        parse(&small.replacen("[[target]]", &format!("{audio}\n[[target]]"), 1))
    };
    let korean = "[[channel.audio]]\nlanguage = \"ko\"\nname = \"Korean commentary\"\n";
    let config = with("audio_only = true", &format!("{korean}[[channel.audio]]\ntrack = 4")).unwrap();
    let told: Vec<_> = config.channels[0]
        .voices
        .iter()
        .map(|voice| (voice.track, voice.rendition.as_str(), voice.name.as_deref(), voice.alone))
        .collect();
    let named = Some("Korean commentary");
    assert_eq!(told, [(0, "audio", None, true), (1, "audio-1", named, false), (4, "audio-4", None, false)]);
    assert_eq!(config.channels[0].voices[1].language.as_ref().unwrap().as_str(), "ko");
    assert!(with("", "").unwrap().channels[0].voices.is_empty());
    // Pictures have other names without sound in them.
    let rungs = "[[channel.video]]\nname = \"low\"\n[[channel.ladder]]\nname = \"540p\"\n";
    for (audio, names) in
        [("", ["source", "low", "540p"]), (korean, ["source-pictures", "low-pictures", "540p-pictures"])]
    {
        let channel = &with("", &format!("{rungs}{audio}")).unwrap().channels[0];
        let named = [&channel.source, &channel.views[0].1, &channel.ladder[0].name];
        assert_eq!(named.map(|name| name.as_str()), names);
    }
    for (keys, audio, text) in [
        ("", "[[channel.audio]]\ntrack = 0", "has one sound track, which is muxed"),
        ("", "[[channel.audio]]\n[[channel.audio]]", "is already used by"),
        ("", "[[channel.audio]]\ntrack = 64", "is out of range"),
        ("", "[[channel.audio]]\nlanguage = \"korean_\"", "is no language tag"),
        ("", "[[channel.audio]]\nname = \"a\\\"b\"", "needs 1 to 64 characters"),
        (
            "",
            "[[channel.audio]]\nname = \"a\"\n[[channel.audio]]\ntrack = 2\nname = \"a\"",
            "is already used by",
        ),
        (
            "",
            "[[channel.audio]]\nlanguage = \"en\"\n[[channel.audio]]\ntrack = 2\nlanguage = \"en\"",
            "\"en\" is already used by",
        ),
        ("", "[[channel.audio]]\n[[channel.ladder]]\nname = \"audio-1\"", "is the name of a sound track"),
        ("", "[[channel.video]]", "video[0].name: is missing"),
        ("", "[[channel.video]]\nname = \"a\"\n[[channel.ladder]]\nname = \"a\"", "is already used by"),
        ("", "[[channel.video]]\ntrack = 0\nname = \"a\"", "is out of range"),
        ("", "[[channel.video]]\nname = \"source\"", "is the name of what the encoder sends"),
        ("", "[[channel.video]]\nname = \"low-pictures\"", "ends as the names of pictures without sound do"),
        ("low_latency = true", "[[channel.audio]]", "has low_latency and further renditions"),
    ] {
        let problems = with(keys, audio).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(text)), "{keys}{audio}: {problems:?}");
    }
}

#[test]
fn a_rendition_is_a_track_or_has_feeds_of_its_own() {
    let with = |video: &str| parse(&SMALL.replacen("[[target]]", &format!("{video}\n[[target]]"), 1));
    let feed = |role: &str, key: &str| {
        format!("[[channel.video.feed]]\nstream_key = {{ env = \"{key}\" }}\nrole = \"{role}\"\n")
    };
    let low = format!(
        "[[channel.video]]\nname = \"low\"\n{}{}",
        feed("primary", "MASTER"),
        feed("backup", "ORIGIN")
    );
    let channel = with(&format!("[[channel.video]]\nname = \"mid\"\n{low}")).unwrap().channels.remove(0);
    assert_eq!(
        channel.views.iter().map(|(track, name)| (*track, name.as_str())).collect::<Vec<_>>(),
        [(1, "mid")]
    );
    let feeds: Vec<_> = channel
        .all_feeds()
        .map(|(rendition, feed)| (rendition.map(RenditionId::as_str), feed.role))
        .collect();
    let of_low = [(Some("low"), Role::Primary), (Some("low"), Role::Backup)];
    assert_eq!(feeds, [&[(None, Role::Primary)][..], &of_low].concat());
    for (video, text) in [
        (low.replace("name = \"low\"", "name = \"low\"\ntrack = 1"), "has a track and feeds"),
        (low.replace("MASTER", "STREAM"), "is already used by"),
        (low.replace("backup", "primary"), "is already used by"),
        (low.replace("name = \"low\"\n", ""), "video[0].name: is missing"),
        (format!("{low}{}", low.replace("MASTER", "AK").replace("ORIGIN", "SK")), "is already used by"),
    ] {
        let problems = with(&video).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(text)), "{video}: {problems:?}");
    }
}

#[test]
fn a_ladder_has_its_defaults_the_highest_first_and_says_what_is_wrong_with_it() {
    let with = |keys: &str, ladder: &str| {
        let small = SMALL.replacen("id = \"table-1\"", &format!("id = \"table-1\"\n{keys}"), 1);
        parse(&small.replacen("[[target]]", &format!("{ladder}\n[[target]]"), 1))
    };
    let rungs = "[[channel.ladder]]\nname = \"360p\"\nheight = 360\nvideo_kbps = 700\npreset = \"fast\"\n\
                 [[channel.ladder]]\nname = \"540p\"";
    let channel = &with("audio_only = true", rungs).unwrap().channels[0];
    let of = |name: &str, height, video_kbps, preset| Rung {
        name: name.parse().unwrap(),
        height,
        video_kbps,
        preset,
    };
    assert_eq!(channel.ladder, [of("540p", 540, 1500, "veryfast"), of("360p", 360, 700, "fast")]);
    assert!(channel.audio_only);
    let plain = &parse(SMALL).unwrap().channels[0];
    assert!(plain.ladder.is_empty() && !plain.audio_only);
    for (keys, ladder, text) in [
        ("", "[[channel.ladder]]", "ladder[0].name: is missing"),
        ("", "[[channel.ladder]]\nname = \"source\"", "is the name of what the encoder sends"),
        ("", "[[channel.ladder]]\nname = \"audio\"", "is the name of the sound alone"),
        ("", "[[channel.ladder]]\nname = \"a\"\n[[channel.ladder]]\nname = \"a\"", "is already used by"),
        ("", "[[channel.ladder]]\nname = \"a\"\nheight = 361", "must be even"),
        ("", "[[channel.ladder]]\nname = \"a\"\npreset = \"slowest\"", "is none of x264's presets"),
        ("low_latency = true", rungs, "has low_latency and further renditions"),
        ("low_latency = true\naudio_only = true", "", "has low_latency and further renditions"),
    ] {
        let problems = with(keys, ladder).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(text)), "{keys}{ladder}: {problems:?}");
    }
}

#[test]
fn all_that_is_listed_of_all_renditions_fits_into_what_an_edge_takes() {
    let with = |dvr_s: u32, rungs: usize| {
        let keys = format!("id = \"table-1\"\naudio_only = true\ndvr_s = {dvr_s}");
        let ladder: String =
            (0..rungs).map(|n| format!("[[channel.ladder]]\nname = \"low-{n}\"\n")).collect();
        let small = SMALL.replacen("id = \"table-1\"", &keys, 1);
        parse(&small.replacen("[[target]]", &format!("{ladder}[[target]]"), 1))
    };
    // 4 MiB, of 64 bytes each, are 65536 segments.
    assert!(with(26_214, 3).is_ok());
    let problems = with(26_216, 3).unwrap_err();
    let text = "channel[0].dvr_s: 13108 segments of each of 5 renditions are more than an edge takes, 13107 of each: lower dvr_s, or have fewer renditions";
    assert!(problems.iter().any(|problem| problem.contains(text)), "{problems:?}");
    assert_eq!(problems.len(), 1);
    assert!(with(40_000, 1).is_ok(), "20000 segments of three");
}

/// Each replacement in [`SMALL`] gives exactly this problem.
#[test]
fn every_problem_names_its_key_and_its_place() {
    for (from, to, problem) in [
        (
            "id = \"cup\"",
            "id = \"Cup\"",
            "5:6: event.id: \"Cup\" is not an event id: use 1 to 64 characters of a-z",
        ),
        (
            "title = \"Cup\"",
            "titel = \"Cup\"",
            "6:1: event.titel: is not a key here: remove it, or use one of id, title",
        ),
        ("id = \"table-1\"", "id = 1", "8:6: channel[0].id: must be a text in quotes, not a whole number"),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nsegment_ms = 100",
            "9:14: channel[0].segment_ms: 100 milliseconds is out of range: use 500 to 20000 (default 2000)",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nsegment_ms = 2.5",
            "9:14: channel[0].segment_ms: must be a whole number of milliseconds, not a number with a fraction",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nsegment_ms = 99999999999999999999",
            "9:14: channel[0].segment_ms: 99999999999999999999 milliseconds is out of range",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nsegment_ms = 20000\ndvr_s = 60",
            "10:9: channel[0].dvr_s: 60 s list 3 segments of 20000 ms: it must be 4 to 20000 segments",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nlow_latency = true\npart_ms = 300",
            "10:11: channel[0].part_ms: 300 ms do not divide a segment of 2000 ms into two or more equal parts: use for example 334",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nlow_latency = true\nsegment_ms = 4000\npart_ms = 4000",
            "11:11: channel[0].part_ms: 4000 ms do not divide a segment of 4000 ms into two or more equal parts: use for example 334",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\ntarget_s = 1",
            "9:12: channel[0].target_s: 1 s are shorter than a segment of 2000 ms: use what key frames are apart, or leave it out",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nscore_emsg = true",
            "7:1: channel[0]: has score_emsg and no score_key: without a scorer there is nothing to carry",
        ),
        (
            "id = \"table-1\"",
            "id = \"table-1\"\nscore_key = \"inline\"",
            "9:13: channel[0].score_key: a secret must not stand in this file: put it into an environment variable",
        ),
        (
            "stream_key = { env = \"STREAM\" }",
            "",
            "10:1: channel[0].feed[0].stream_key: is missing: write { env = \"NAME\" } or { file = \"path\" }",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ env = \"SHORT\" }",
            "11:14: channel[0].feed[0].stream_key: its secret has 5 bytes and needs at least 8",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ env = \"SPACED\" }",
            "11:14: channel[0].feed[0].stream_key: its secret must be ASCII without spaces",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ env = \"UNSET\" }",
            "11:14: channel[0].feed[0].stream_key: the environment variable UNSET is not set: set it to the secret",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ env = \"EMPTY\" }",
            "11:14: channel[0].feed[0].stream_key: the environment variable EMPTY is empty",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ file = \"nowhere\" }",
            "11:14: channel[0].feed[0].stream_key: the file /etc/nowhere can't be read: ",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ env = \"A\", file = \"b\" }",
            "11:14: channel[0].feed[0].stream_key: needs exactly one of",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ env = \"STREAM\" }\nrole = \"spare\"",
            "12:8: channel[0].feed[0].role: must be \"primary\" or \"backup\"",
        ),
        (
            "{ env = \"STREAM\" }",
            "{ env = \"STREAM\" }\n[[channel.feed]]\nstream_key = { env = \"OTHER\" }",
            "12:1: channel[0].feed[1]: this role is already used by channel[0].feed[0]: each needs its own",
        ),
        (
            "[[edge]]",
            "[pair]\nanchors_at = \"b\"\n[[edge]]",
            "21:14: pair.anchors_at: is the id of no [[target]]",
        ),
        ("[[edge]]", "[pair]\n[[edge]]", "20:1: pair.anchors_at: is missing: the id of a [[target]]"),
        (
            "[[edge]]",
            "[[push]]\nid = \"p\"\nchannel = \"table-2\"\nurl = \"rtmp://h/a\"\nstream_key = { env = \"P\" }\n[[edge]]",
            "22:11: push[0].channel: is the id of no [[channel]]",
        ),
        (
            "[[edge]]",
            "[[push]]\nid = \"p\"\nchannel = \"table-1\"\nurl = \"http://h/a\"\nstream_key = { env = \"P\" }\n[[edge]]",
            "23:7: push[0].url: the URL must begin with rtmp:// or rtmps://",
        ),
        (
            "[[channel.feed]]\nstream_key = { env = \"STREAM\" }",
            "",
            "7:1: channel[0]: has no feed: add a [[channel.feed]]",
        ),
        ("kind = \"s3\"", "kind = \"ftp\"", "14:8: target[0].kind: must be \"s3\" or \"http\""),
        (
            "endpoint = \"http://127.0.0.1:9001\"\n",
            "",
            "12:1: target[0].region: is missing: AWS needs its region",
        ),
        (
            "endpoint = \"http://127.0.0.1:9001\"",
            "endpoint = \"127.0.0.1:9001\"",
            "15:12: target[0].endpoint: must be a URL that begins with http:// or https://",
        ),
        (
            "endpoint = \"http://127.0.0.1:9001\"",
            "endpoint = \"http://me:pw@x\"",
            "15:12: target[0].endpoint: must not hold a user or password",
        ),
        ("bucket = \"live\"", "bucket = \"L\"", "16:10: target[0].bucket: must be a bucket's name"),
        (
            "bucket = \"live\"",
            "bucket = \"live\"\nprefix = \"/a/\"",
            "17:10: target[0].prefix: must be words",
        ),
        (
            "bucket = \"live\"",
            "bucket = \"live\"\nput_ms = 4000\nconnect_ms = 2000",
            "12:1: target[0]: first_byte_ms is above put_ms",
        ),
        (
            "bucket = \"live\"",
            "bucket = \"live\"\nweight = 1001",
            "17:10: target[0].weight: 1001 shares is out of range: use 0 to 1000 (default 100)",
        ),
        (
            "bucket = \"live\"",
            "bucket = \"live\"\nca_file = \"none.pem\"",
            "17:11: target[0].ca_file: the file /etc/none.pem can't be read: ",
        ),
        (
            "bucket = \"live\"",
            "bucket = \"live\"\nbearer = { env = \"B\" }",
            "17:1: target[0].bearer: is not a key here: remove it, or use one of access_key, backfill_mbps, bucket",
        ),
        ("9001/live\" }", "9001/live/\" }", "19:26: target[0].node.url: must not end with '/'"),
        (
            "node = { id = \"a\", url = \"http://127.0.0.1:9001/live\" }",
            "",
            "12:1: target[0]: has no node: add node = {",
        ),
        (
            "[[edge]]\nurl = \"http://127.0.0.1:8787\"",
            "",
            "1:1: edge: there is none: add an [[edge]] to push to, or [embedded_edge]",
        ),
        (
            "[[edge]]",
            "[rtmp]\nlisten = \"1935\"\n[[edge]]",
            "21:10: rtmp.listen: must be an address and a port",
        ),
        (
            "[[edge]]",
            "[rtmp]\nlisten = \"127.0.0.1:8080\"\n[api]\nlisten = \"127.0.0.1:8080\"\n[[edge]]",
            "23:10: api.listen: \"127.0.0.1:8080\" is already used by rtmp.listen: each needs its own",
        ),
        (
            "[[edge]]",
            "[rtmps]\nlisten = \"127.0.0.1:1935\"\nkey = \"k\"\n[[edge]]",
            "20:1: rtmps.certificate: is missing: the file of the certificate chain, in PEM",
        ),
        (
            "[[edge]]",
            "[embedded_edge]\ncomponent = \"e.wasm\"\nassets = \"a\"\n[[edge]]",
            "25:1: secrets.session: is missing",
        ),
        (
            "[[edge]]",
            "[embedded_edge]\ncors_origins = [\"https://a.test\", \"https://a.test/\"]\n[[edge]]",
            "21:35: embedded_edge.cors_origins[1]: must be an origin such as https://www.example.org",
        ),
        (
            "[[edge]]",
            "[embedded_edge]\ncors_origins = \"*\"\n[[edge]]",
            "21:16: embedded_edge.cors_origins: must be a list of texts: [\"…\", \"…\"], not a text",
        ),
        (
            "master = { env = \"MASTER\" }",
            "master = { env = \"SHORT\" }",
            "23:10: secrets.master: its secret has 5 bytes and needs at least 16",
        ),
        (
            "master = { env = \"MASTER\" }",
            "master = 7",
            "23:10: secrets.master: must be { env = \"NAME\" } or { file = \"path\" }, not a whole number",
        ),
        ("[secrets]", "[secrets]\n[secrets]", "is not TOML: "),
        ("[event]", "events = [", "is not TOML: "),
    ] {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL, "{from}");
        let problems = parse(&text).unwrap_err();
        assert!(
            problems.iter().any(|text| text.starts_with(problem)
                || text.contains(problem) && problem.starts_with("is not TOML")),
            "{to}: {problem}\n{problems:#?}"
        );
    }
}

#[test]
fn what_must_differ_must_differ() {
    let second = |channel: &str, target: &str| {
        let channel = format!(
            "[[channel]]\n{channel}\ntitle = \"2\"\n[[channel.feed]]\nstream_key = {{ env = \"SAME_B\" }}\n"
        );
        let target = format!(
            "[[target]]\nkind = \"s3\"\n{target}\naccess_key = {{ env = \"AK\" }}\nsecret_key = {{ env = \"SK\" }}\n"
        );
        format!("{}\n{channel}{target}", SMALL.replace("\"STREAM\"", "\"SAME_A\""))
    };
    let problems = parse(&second(
        "id = \"table-1\"",
        "id = \"a\"\nendpoint = \"http://127.0.0.1:9001\"\nbucket = \"live\"\nnode = { id = \"a\", url = \"http://x\" }",
    ));
    assert_eq!(
        problems.unwrap_err(),
        [
            "27:6: channel[1].id: \"table-1\" is already used by channel[0].id: each needs its own",
            "30:14: channel[1].feed[0].stream_key: this stream key is already used by channel[0].feed[0].stream_key: each needs its own",
            "33:6: target[1].id: \"a\" is already used by target[0].id: each needs its own",
            "35:10: target[1].bucket: this bucket and prefix is already used by target[0].bucket: each needs its own",
            "36:15: target[1].node.id: \"a\" is already used by target[0].node.id: each needs its own",
        ]
    );
}

#[test]
fn several_problems_are_told_at_once() {
    let error = Config::parse("strange = 1\n", Path::new("x.toml"), &env).unwrap_err().to_string();
    for problem in [
        "x.toml:1:1: strange: is not a key here",
        "x.toml:1:1: origin.data_dir: is missing",
        "x.toml:1:1: event.id: is missing",
        "x.toml:1:1: channel: there is none",
        "x.toml:1:1: target: there is none",
        "x.toml:1:1: secrets.master: is missing",
    ] {
        assert!(error.lines().any(|line| line.starts_with(problem)), "{problem}\n{error}");
    }
}

#[test]
fn secrets_come_from_files_and_show_themselves_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "from-a-file-0123456789\n").unwrap();
    let path = dir.path().join("railbird.toml");
    let text = SMALL.replace("{ env = \"MASTER\" }", "{ file = \"key\" }");
    let config = Config::parse(&text, &path, &env).unwrap();
    assert_eq!(config.secrets.master.expose(), "from-a-file-0123456789");
    let shown = format!("{config:?}");
    assert!(shown.contains("Secret(…)") && !shown.contains("0123456789"), "{shown}");

    std::fs::write(dir.path().join("key"), "x".repeat(5000)).unwrap();
    let error = Config::parse(&text, &path, &env).unwrap_err().to_string();
    assert!(error.contains("has more than 4096 bytes"), "{error}");
    assert!(matches!(Config::load(&dir.path().join("none")), Err(ConfigError::Unreadable { .. })));
}

/// A target of kind `http`, with these keys besides.
fn entry(keys: &str) -> Result<Target, Vec<String>> {
    let text = format!(
        "id = \"cdn\"\nkind = \"http\"\nurl = \"https://push.example/live\"\n\
         node = {{ id = \"cdn\", url = \"https://cdn.example\" }}\n{keys}\n"
    );
    target_from_toml(&text, Path::new("/etc"), &env)
        .map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

#[test]
fn a_target_alone_is_read_as_one_in_the_file() {
    let keys = "weight = 0\nprice_micros_per_gb = 8500\nbackfill_mbps = 0\ndns_ms = 500\nput_ms = 20000";
    let target = entry(keys).unwrap();
    assert_eq!(target.price_micros_per_gb, 8500);
    assert_eq!((target.id.as_str(), target.weight, target.backfill_mbps), ("cdn", 0, 0));
    let deadlines = target.connection.deadlines;
    assert_eq!((deadlines.dns, deadlines.total), (Duration::from_millis(500), Duration::from_secs(20)));
    let Place::Http(place) = &target.place else { panic!("{target:?}") };
    let none =
        EntryPoint { url: "https://push.example/live".into(), login: Login::None, headers: Vec::new() };
    assert_eq!(*place, none);

    let login = |keys: &str| match entry(keys).unwrap().place {
        Place::Http(entry) => (entry.login, entry.headers),
        other => panic!("{other:?}"),
    };
    let secret = |name: &str| Secret::new(&env(name).unwrap());
    let basic = Login::Basic { user: "me".into(), password: secret("PW") };
    assert_eq!(login("user = \"me\"\npassword = { env = \"PW\" }"), (basic, Vec::new()));
    assert_eq!(login("bearer = { env = \"T\" }"), (Login::Bearer(secret("T")), Vec::new()));
    let headers = vec![("x-key".to_string(), secret("K")), ("x-zone".to_string(), secret("Z"))];
    let keys = "headers = { X-Key = { env = \"K\" }, x-zone = { env = \"Z\" } }";
    assert_eq!(login(keys), (Login::None, headers));
}

#[test]
fn what_is_wrong_with_an_entry_point_is_said() {
    for (keys, problem) in [
        ("user = \"me\"", "needs user and password, or bearer, or neither"),
        ("password = { env = \"PW\" }", "needs user and password, or bearer, or neither"),
        (
            "user = \"me\"\npassword = { env = \"PW\" }\nbearer = { env = \"T\" }",
            "needs user and password, or bearer, or neither",
        ),
        ("user = \"a:b\"\npassword = { env = \"PW\" }", "5:8: user: must be one line"),
        ("bearer = \"inline\"", "5:10: bearer: a secret must not stand in this file"),
        ("headers = { X-Key = \"inline\" }", "5:21: headers.X-Key: a secret must not stand in this file"),
        (
            "headers = { Host = { env = \"K\" } }",
            "5:13: headers.Host: can't be host, which Railbird sets itself",
        ),
        ("headers = { \"a b\" = { env = \"K\" } }", "headers.a b: must be a header's name"),
        ("headers = 1", "5:11: headers: must be a table, not a whole number"),
        (
            "bucket = \"live\"",
            "5:1: bucket: is not a key here: remove it, or use one of backfill_mbps, bearer",
        ),
        ("[[target]]", "target: is not a key here"),
        ("x = = 1", "is not TOML: "),
    ] {
        let problems = entry(keys).unwrap_err();
        assert!(problems.iter().any(|text| text.contains(problem)), "{keys}: {problem}\n{problems:#?}");
    }
}

#[test]
fn the_certificates_of_an_authority_are_read_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::generate_simple_self_signed(["x".to_string()]).unwrap();
    let read = |pem: &str| {
        std::fs::write(dir.path().join("ca.pem"), pem).unwrap();
        let text = "id = \"a\"\nkind = \"http\"\nurl = \"https://x\"\nnode = { id = \"a\", url = \"https://y\" }\nca_file = \"ca.pem\"\n";
        target_from_toml(text, dir.path(), &env)
    };
    let pem = key.cert.pem();
    assert_eq!(&*read(&pem).unwrap().connection.authority.unwrap().pem, pem);
    for useless in
        ["", "no PEM at all", "-----BEGIN CERTIFICATE-----\nhalf", &key.signing_key.serialize_pem()]
    {
        let problems = read(useless).unwrap_err();
        let said = problems[0].to_string();
        assert!(
            said.starts_with("5:11: ca_file: ") && said.contains("ca.pem is not a list of cert"),
            "{said}"
        );
    }
}

const SYSTEM: &str = "[channel.system]
discipline = \"three-cushion\"
match = \"/match/id\"
names = [\"/a/name\", \"/b/name\"]
points = [\"/a/points\", \"/b/points\"]
url = \"https://scores.example/1.json\"
[[target]]
id = \"a\"";

#[test]
fn a_channel_names_the_scoring_system_that_knows_its_score() {
    let key = ("title = \"Table 1\"", "title = \"Table 1\"\nscore_key = { env = \"STREAM\" }");
    let dir = Path::new("/etc/railbird");
    let config = small(dir, &[key, ("[[target]]\nid = \"a\"", SYSTEM)]);
    let system = config.channels[0].system.as_ref().unwrap();
    assert_eq!((system.url.as_deref(), system.every_ms), (Some("https://scores.example/1.json"), 2000));
    assert_eq!(system.mapping.at_table_is, ["0", "1"]);
    let text = SMALL.replace("[[target]]\nid = \"a\"", SYSTEM);
    for (from, to, said) in [
        ("", "", "channel[0]: has a system and no score_key"),
        ("/match/id", "match.id", "channel[0].system.match: is a JSON Pointer (RFC 6901)"),
        ("/match/id", "/match~2", "channel[0].system.match: is a JSON Pointer (RFC 6901)"),
        ("\"/a/name\", ", "", "channel[0].system: needs names: two JSON Pointers"),
        ("three-cushion", "chess", "channel[0].system.discipline: is no discipline"),
        ("https://", "ftp://", "channel[0].system.url: is no address"),
        ("three-cushion", "three-cushion-sets", "channel[0].system: needs units: two JSON Pointers"),
        (
            "url =",
            "best_of = \"/n\"\nurl =",
            "channel[0].system: has units, best_of or race_to, and the discipline",
        ),
        ("url =", "countries = [\"/a\"]\nurl =", "channel[0].system: needs countries: two JSON Pointers"),
        ("url =", "best_of = \"/n\"\nrace_to = \"/n\"\nurl =", "channel[0].system: has best_of and race_to"),
    ] {
        let problems = parse(&text.replacen(from, to, 1)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(said)), "{said}: {problems:?}");
    }
    // Racks have no points.
    let racks = SYSTEM
        .replace("three-cushion", "nine-ball")
        .replace("points = [\"/a/points\", \"/b/points\"]", "units = [\"/a\", \"/b\"]");
    let config = small(dir, &[key, ("[[target]]\nid = \"a\"", &racks)]);
    let mapping = &config.channels[0].system.as_ref().unwrap().mapping;
    assert_eq!((mapping.points.is_some(), mapping.units.is_some()), (false, true));
}
