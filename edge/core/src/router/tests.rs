use std::format;
use std::vec;

use proptest::prelude::*;

use railbird_core::object::Form;
use railbird_core::time::{MediaSpan, MediaTime};

use super::*;

fn name(window: &Window) -> String {
    let suffix = if window.form == Form::Cues { "vtt" } else { "json" };
    format!("{}-{}.{suffix}", window.start.0, window.span.0)
}

/// The path of a route: the other way round.
fn path(route: &Route) -> String {
    match route {
        Route::Health => "/healthz".to_string(),
        Route::Page(Page::Home) => "/".to_string(),
        Route::Page(Page::Login) => "/login".to_string(),
        Route::Page(Page::Forgot) => "/forgot".to_string(),
        Route::Page(Page::Reset) => "/reset".to_string(),
        Route::Page(Page::Watch(channel)) => format!("/watch/{channel}"),
        Route::Page(Page::Replay(channel, recording)) => format!("/watch/{channel}/{recording}"),
        Route::Login => "/api/login".to_string(),
        Route::Logout => "/api/logout".to_string(),
        Route::Screens => "/api/screens".to_string(),
        Route::StopScreen => "/api/screens/stop".to_string(),
        Route::ReleaseScreen => "/api/screens/release".to_string(),
        Route::Channels => "/api/channels".to_string(),
        Route::View { token, channel, view } => {
            let prefix = token.as_ref().map(|token| format!("/t/{token}")).unwrap_or_default();
            let rest = match view {
                View::Multivariant => format!("live/{channel}/main.m3u8"),
                View::Media { node, rendition, lists } => {
                    format!("live/{channel}/{node}/{rendition}{}", suffix(*lists))
                }
                View::Part { node, rendition, start } => {
                    format!("live/{channel}/{node}/{rendition}/{}.m4s", start.0)
                }
                View::Replay { recording } => format!("replay/{channel}/{recording}/main.m3u8"),
                View::ReplayMedia { recording, node, rendition, lists } => {
                    format!("replay/{channel}/{recording}/{node}/{rendition}{}", suffix(*lists))
                }
                View::Score => format!("live/{channel}/score.json"),
                View::ScoreEvents => format!("live/{channel}/score.events"),
                View::Subtitles => format!("live/{channel}/score.m3u8"),
                View::ScoreWindow(window) => format!("live/{channel}/score/{}", name(window)),
                View::ReplayScore { recording } => format!("replay/{channel}/{recording}/score.json"),
                View::ReplaySubtitles { recording } => format!("replay/{channel}/{recording}/score.m3u8"),
                View::ReplayScoreWindow { recording, window } => {
                    format!("replay/{channel}/{recording}/score/{}", name(window))
                }
                View::Nodes => format!("live/{channel}/nodes.json"),
                View::Beacons => format!("live/{channel}/beacons"),
                View::Key { period } => format!("key/{channel}/{period}"),
                View::Steer => format!("steer/{channel}"),
            };
            format!("{prefix}/{rest}")
        }
        Route::PushEvent => "/origin/v1/event".to_string(),
        Route::PushState(channel) => format!("/origin/v1/channels/{channel}/state"),
        Route::PushReplays(channel) => format!("/origin/v1/channels/{channel}/replays"),
        Route::PushChapter { channel, recording, chapter } => {
            format!("/origin/v1/channels/{channel}/replays/{recording}/{chapter}")
        }
        Route::PushScore(channel) => format!("/origin/v1/channels/{channel}/score"),
        Route::PushMatch { channel, match_id } => format!("/origin/v1/channels/{channel}/matches/{match_id}"),
        Route::Passes => "/admin/v1/passes".to_string(),
        Route::RevokePass => "/admin/v1/passes/revoke".to_string(),
        Route::Renew => "/api/session/renew".to_string(),
        Route::ForgotPassword => "/api/password/forgot".to_string(),
        Route::ResetPassword => "/api/password/reset".to_string(),
        Route::ChangePassword => "/api/password/change".to_string(),
    }
}

fn suffix(lists: Lists) -> &'static str {
    match lists {
        Lists::Segments => ".m3u8",
        Lists::Frames => ".frames.m3u8",
    }
}

#[test]
fn every_route_has_one_path() {
    let view = |token: Option<&str>, view| Route::View {
        token: token.map(ToString::to_string),
        channel: "table-1".parse().unwrap(),
        view,
    };
    let of = |lists| View::Media { node: "a".parse().unwrap(), rendition: "source".parse().unwrap(), lists };
    let (media, frames) = (of(Lists::Segments), of(Lists::Frames));
    let part = View::Part {
        node: "a".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        start: UtcMs(1_795_171_921_040),
    };
    let recording = || "r-1".parse().unwrap();
    let window = |form| Window { start: MediaTime(9), span: MediaSpan(180_000), form };
    let replayed = View::ReplayMedia {
        recording: recording(),
        node: "a".parse().unwrap(),
        rendition: "source".parse().unwrap(),
        lists: Lists::Segments,
    };
    for (text, route) in [
        ("/", Route::Page(Page::Home)),
        ("/login", Route::Page(Page::Login)),
        ("/forgot", Route::Page(Page::Forgot)),
        ("/reset", Route::Page(Page::Reset)),
        ("/watch/table-1", Route::Page(Page::Watch("table-1".parse().unwrap()))),
        ("/healthz", Route::Health),
        ("/api/login", Route::Login),
        ("/api/logout", Route::Logout),
        ("/api/screens", Route::Screens),
        ("/api/screens/stop", Route::StopScreen),
        ("/api/screens/release", Route::ReleaseScreen),
        ("/api/channels", Route::Channels),
        ("/live/table-1/main.m3u8", view(None, View::Multivariant)),
        ("/live/table-1/a/source.frames.m3u8", view(None, frames)),
        ("/live/table-1/score.json", view(None, View::Score)),
        ("/live/table-1/nodes.json", view(None, View::Nodes)),
        ("/live/table-1/score.events", view(None, View::ScoreEvents)),
        ("/t/x/live/table-1/score.m3u8", view(Some("x"), View::Subtitles)),
        ("/t/x/live/table-1/score/9-180000.vtt", view(Some("x"), View::ScoreWindow(window(Form::Cues)))),
        ("/live/table-1/score/9-180000.json", view(None, View::ScoreWindow(window(Form::Sidecar)))),
        ("/replay/table-1/r-1/score.json", view(None, View::ReplayScore { recording: recording() })),
        ("/replay/table-1/r-1/score.m3u8", view(None, View::ReplaySubtitles { recording: recording() })),
        (
            "/replay/table-1/r-1/score/9-180000.vtt",
            view(None, View::ReplayScoreWindow { recording: recording(), window: window(Form::Cues) }),
        ),
        (
            "/origin/v1/channels/table-1/matches/final",
            Route::PushMatch { channel: "table-1".parse().unwrap(), match_id: "final".parse().unwrap() },
        ),
        ("/t/x/live/table-1/nodes.json", view(Some("x"), View::Nodes)),
        ("/live/table-1/beacons", view(None, View::Beacons)),
        ("/t/x/live/table-1/beacons", view(Some("x"), View::Beacons)),
        ("/live/table-1/a/source.m3u8", view(None, media.clone())),
        ("/live/table-1/a/source/1795171921040.m4s", view(None, part.clone())),
        ("/t/x/live/table-1/a/source/1795171921040.m4s", view(Some("x"), part)),
        ("/key/table-1/18446744073709551615", view(None, View::Key { period: u64::MAX })),
        ("/watch/table-1/r-1", Route::Page(Page::Replay("table-1".parse().unwrap(), recording()))),
        ("/replay/table-1/r-1/main.m3u8", view(None, View::Replay { recording: recording() })),
        ("/t/x/replay/table-1/r-1/main.m3u8", view(Some("x"), View::Replay { recording: recording() })),
        ("/replay/table-1/r-1/a/source.m3u8", view(None, replayed.clone())),
        ("/t/x/replay/table-1/r-1/a/source.m3u8", view(Some("x"), replayed)),
        ("/origin/v1/channels/table-1/replays", Route::PushReplays("table-1".parse().unwrap())),
        (
            "/origin/v1/channels/table-1/replays/r-1/1999",
            Route::PushChapter { channel: "table-1".parse().unwrap(), recording: recording(), chapter: 1999 },
        ),
        ("/steer/table-1", view(None, View::Steer)),
        ("/t/x_Y-9/live/table-1/main.m3u8", view(Some("x_Y-9"), View::Multivariant)),
        ("/t/x/live/table-1/score.json", view(Some("x"), View::Score)),
        ("/t/x/live/table-1/a/source.m3u8", view(Some("x"), media)),
        ("/t/x/key/table-1/0", view(Some("x"), View::Key { period: 0 })),
        ("/t/x/steer/table-1", view(Some("x"), View::Steer)),
        ("/origin/v1/event", Route::PushEvent),
        ("/origin/v1/channels/table-1/state", Route::PushState("table-1".parse().unwrap())),
        ("/origin/v1/channels/table-1/score", Route::PushScore("table-1".parse().unwrap())),
        ("/admin/v1/passes", Route::Passes),
        ("/admin/v1/passes/revoke", Route::RevokePass),
        ("/api/session/renew", Route::Renew),
        ("/api/password/forgot", Route::ForgotPassword),
        ("/api/password/reset", Route::ResetPassword),
        ("/api/password/change", Route::ChangePassword),
    ] {
        assert_eq!(parse(text), Some(route.clone()), "{text}");
        assert_eq!(path(&route), text);
        for other in [
            format!("{text}/"),
            format!("/{text}"),
            format!("{text}%00"),
            format!("{text}?"),
            text[1..].into(),
        ] {
            assert_eq!(parse(&other), None, "{other}");
        }
    }
}

#[test]
fn hostile_paths_are_no_routes() {
    for path in [
        "",
        "x",
        "*",
        ".",
        "//",
        "/.",
        "/..",
        "/LOGIN",
        "/login ",
        "/ login",
        "/login\0",
        "/login\r\n",
        "/log\u{131}n",
        "/%6cogin",
        "/watch/",
        "/watch/.",
        "/watch/..",
        "/watch/table_1",
        "/watch/table-1/r_1",
        "/watch/table-1/r-1/x",
        "/replay/table-1/main.m3u8",
        "/replay/table-1/r-1/a/b/source.m3u8",
        "/replay/table-1/../main.m3u8",
        "/origin/v1/channels/table-1/replays/r-1/2000",
        "/origin/v1/channels/table-1/replays/r-1/01",
        "/origin/v1/channels/table-1/replays/r-1/-1",
        "/origin/v1/channels/table-1/replays/r-1",
        "/watch/%74able-1",
        "/live/../key/table-1/1",
        "/live/%2e%2e/main.m3u8",
        "/live/./main.m3u8",
        "/live/table-1/../main.m3u8",
        "/live/table-1/a/..m3u8",
        "/live/table-1/a/source.m3u8.m3u8",
        "/live/table-1/a/source.m4s",
        "/live/table-1/a/source/1.m3u8",
        "/live/table-1/a/source/01.m4s",
        "/live/table-1/a/source/+1.m4s",
        "/live/table-1/a/source/897585960-40-0.m4s",
        "/live/table-1/a/source/18446744073709551616.m4s",
        "/live/table-1/a/../source/1.m4s",
        "/live/table-1/a/source/x/1.m4s",
        "/t/x/live/table-1/a//1.m4s",
        "/live/table-1/a\\source.m3u8",
        "/live/table-1\\main.m3u8",
        "/live/table-1/main.m3u8#x",
        "/live/table-1/main%2em3u8",
        "/live/tabl\u{e9}/main.m3u8",
        "/live/t\u{430}ble-1/main.m3u8",
        "/key/table-1/",
        "/key/table-1/00",
        "/key/table-1/-0",
        "/key/table-1/+1",
        "/key/table-1/1_0",
        "/key/table-1/0x1",
        "/key/table-1/18446744073709551616",
        "/key/table-1/\u{661}",
        "/t//live/table-1/main.m3u8",
        "/t/live/table-1/main.m3u8",
        "/t/x/t/x/live/table-1/main.m3u8",
        "/t/x/login",
        "/t/x/api/channels",
        "/t/x/watch/table-1",
        "/t/x/origin/v1/event",
        "/t/x%2F..%2Fy/live/table-1/main.m3u8",
        "http://edge/live/table-1/main.m3u8",
        "/assets/app.js",
    ] {
        assert_eq!(parse(path), None, "{path:?}");
    }
    let token = |len: usize| format!("/t/{}/steer/a", "x".repeat(len));
    assert!(parse(&token(PATH_LEN_MAX - 11)).is_some());
    assert_eq!(parse(&token(PATH_LEN_MAX - 10)), None);
}

#[test]
fn queries_are_read_without_decoding() {
    for (text, value) in [
        ("", None),
        ("after", None),
        ("after=", Some("")),
        ("after=5", Some("5")),
        ("x=1&after=5&after=6", Some("5")),
        ("before=1&xafter=2", None),
        ("%61fter=5", None),
        ("after=%35", Some("%35")),
    ] {
        assert_eq!(query(text, "after"), value, "{text}");
    }
}

#[test]
fn methods() {
    let route = parse("/live/table-1/main.m3u8").unwrap();
    assert!(route.takes("GET") && route.takes("HEAD"));
    let route = parse("/live/table-1/beacons").unwrap();
    assert!(route.takes("POST") && !route.takes("GET"));
    let route = parse("/live/table-1/nodes.json").unwrap();
    for method in ["", "get", "GET,", "GET, HEAD", "POST"] {
        assert!(!route.takes(method), "{method}");
    }
}

proptest! {
    /// Paths put together of pieces that matter: what is a route has that path and no other.
    #[test]
    fn a_route_has_the_path_it_was_read_from(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "", ".", "..", "t", "live", "key", "steer", "watch", "login", "api", "screens", "stop", "release", "channels", "origin", "v1",
                "state", "admin", "passes", "revoke", "session", "renew", "password", "forgot", "reset", "change", "replay", "replays", "score", "event", "table-1", "a", "main.m3u8", "score.json", "nodes.json", "beacons",
                "source.m3u8", "source", "7.m4s", "7", "%2e", "A",
            ]),
            0..8,
        )
    ) {
        let text = format!("/{}", parts.join("/"));
        if let Some(route) = parse(&text) {
            prop_assert_eq!(path(&route), text);
        }
    }

    #[test]
    fn no_path_makes_it_panic(text in ".{0,100}") {
        if let Some(route) = parse(&text) {
            prop_assert_eq!(path(&route), text);
        }
    }
}
