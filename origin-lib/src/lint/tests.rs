//! Presentations from a server of this test, sound ones and others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;

use super::*;

/// What is answered at each path, one answer after the other; the last one stays. With queries, as they were asked.
#[derive(Clone, Default)]
struct Shelf {
    answers: Arc<Mutex<BTreeMap<String, Vec<Vec<u8>>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// How many requests came with a cookie.
    cookies: Arc<Mutex<usize>>,
}

impl Shelf {
    fn put(&self, path: &str, answers: &[&[u8]]) {
        let mut all: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
        all.reverse();
        self.answers.lock().unwrap().insert(path.into(), all);
    }

    fn get(&self, uri: &Uri) -> Option<Vec<u8>> {
        self.asked.lock().unwrap().push(uri.to_string());
        let mut shelf = self.answers.lock().unwrap();
        let answers = shelf.get_mut(uri.path())?;
        if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }
    }
}

async fn answer(State(shelf): State<Shelf>, said: HeaderMap, uri: Uri) -> impl IntoResponse {
    *shelf.cookies.lock().unwrap() += usize::from(said.contains_key(header::COOKIE));
    match shelf.get(&uri) {
        Some(to) if to.starts_with(b"-> ") => {
            let to = String::from_utf8_lossy(&to[3..]).into_owned();
            (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
        }
        Some(body) => body.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn serve(shelf: &Shelf) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let app = Router::new().fallback(answer).with_state(shelf.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn lint(shelf: &Shelf, path: &str) -> Report {
    let url = serve(shelf).await.join(path).unwrap();
    let settings = Settings { url, duration: Duration::from_secs(60), headers: HeaderMap::new() };
    run(&settings).await.unwrap()
}

fn rules_of(report: &Report) -> BTreeSet<&'static str> {
    report.findings.iter().map(|entry| entry.rule).collect()
}

const INIT: &[u8] = include_bytes!("../../core/tests/golden/init.mp4");
const SEGMENT: &[u8] = include_bytes!("../../core/tests/golden/segment.m4s");
const KEY: [u8; 16] = *b"0123456789abcdef";

const MULTIVARIANT: &str = "#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=25
a/media.m3u8
";

const VOD: &str = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:1
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI=\"init.mp4\"
#EXT-X-KEY:METHOD=AES-128,URI=\"/key\"
#EXTINF:0.16000,
0.m4s
#EXT-X-ENDLIST
";

/// A recording of one segment, encrypted with its number.
fn recording() -> Shelf {
    let shelf = Shelf::default();
    let mut segment = SEGMENT.to_vec();
    railbird_core::keys::encrypt(&KEY, &[0; 16], &mut segment);
    shelf.put("/main.m3u8", &[MULTIVARIANT.as_bytes()]);
    shelf.put("/a/media.m3u8", &[VOD.as_bytes()]);
    shelf.put("/a/init.mp4", &[INIT]);
    shelf.put("/a/0.m4s", &[&segment]);
    shelf.put("/key", &[&KEY]);
    shelf
}

#[tokio::test]
async fn a_sound_recording_is_looked_into_and_nothing_is_found() {
    let report = lint(&recording(), "main.m3u8").await;
    assert_eq!(rules_of(&report), BTreeSet::new(), "{report}");
    assert_eq!((report.loads, report.segments, report.skipped.len()), (2, 1, 0), "{report}");
}

#[tokio::test]
async fn what_is_not_there_or_not_what_it_should_be_is_found() {
    for (path, answer, rule) in [
        ("/a/0.m4s", None, rules::UNAVAILABLE.id),
        ("/a/init.mp4", None, rules::UNAVAILABLE.id),
        ("/a/media.m3u8", None, rules::UNAVAILABLE.id),
        ("/a/0.m4s", Some(SEGMENT), rules::MEDIA_UNREADABLE.id),
        ("/key", Some(&b"0123"[..]), rules::KEY_FILE.id),
        ("/key", Some(b"fedcba9876543210"), rules::MEDIA_UNREADABLE.id),
        ("/a/media.m3u8", Some(MULTIVARIANT.as_bytes()), rules::RENDITION_KIND.id),
    ] {
        let shelf = recording();
        match answer {
            Some(answer) => shelf.put(path, &[answer]),
            None => _ = shelf.answers.lock().unwrap().remove(path),
        }
        let report = lint(&shelf, "main.m3u8").await;
        assert_eq!(rules_of(&report), BTreeSet::from([rule]), "{path}: {report}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_variant_is_compared_with_its_init_segment() {
    for (from, to, rule) in [
        ("avc1.64001f", "avc1.42c01f", rules::CODECS_DIFFER.id),
        (",mp4a.40.2", "", rules::CODECS_DIFFER.id),
        ("1280x720", "1920x1080", rules::RESOLUTION_DIFFERS.id),
    ] {
        let shelf = recording();
        shelf.put("/main.m3u8", &[MULTIVARIANT.replace(from, to).as_bytes()]);
        let report = lint(&shelf, "main.m3u8").await;
        assert_eq!(rules_of(&report), BTreeSet::from([rule]), "{to}: {report}");
    }
}

#[tokio::test]
async fn who_may_not_have_the_key_still_looks_at_playlists() {
    let shelf = recording();
    shelf.answers.lock().unwrap().remove("/key");
    let report = lint(&shelf, "main.m3u8").await;
    assert_eq!((rules_of(&report), report.segments), (BTreeSet::new(), 0), "{report}");
    assert!(report.to_string().contains("not looked at: segments of a/media.m3u8: their key"), "{report}");
}

/// Ten segments of 1 s from a number on, which hold nothing that is looked into.
fn live(first: u64, end: &str) -> String {
    let segments: String = (first..first + 10).map(|n| format!("#EXTINF:1,\n{n}.ts\n")).collect();
    format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=6\n{segments}{end}"
    )
}

#[tokio::test]
async fn a_live_playlist_is_asked_as_a_player_asks_it() {
    let shelf = Shelf::default();
    let update =
        live(1, "").replace("#EXTINF:1,\n1.ts\n#EXTINF:1,\n2.ts\n", "#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n");
    let update = update.replace("#EXT-X-TARGET", "#EXT-X-VERSION:9\n#EXT-X-TARGET");
    let (begin, end) = (live(0, ""), live(2, "#EXT-X-ENDLIST\n"));
    shelf.put("/live", &[b"-> /live.m3u8?a=b"]);
    shelf.put("/live.m3u8", &[begin.as_bytes(), begin.as_bytes(), update.as_bytes(), end.as_bytes()]);
    let report = lint(&shelf, "live").await;
    assert_eq!(rules_of(&report), BTreeSet::new(), "{report}");
    let asked = shelf.asked.lock().unwrap().clone();
    let expected = [
        "/live",
        "/live.m3u8?a=b",
        "/live.m3u8?a=b&_HLS_msn=10&_HLS_skip=YES",
        "/live.m3u8?a=b&_HLS_msn=11&_HLS_skip=YES",
    ];
    assert!(
        asked.iter().rev().zip(expected[2..].iter().rev()).all(|(asked, last)| asked == last),
        "{asked:?}"
    );
    assert!(expected.iter().all(|asked_for| asked.iter().any(|asked| asked == asked_for)), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_does_not_do_what_it_offers_is_found() {
    let shelf = Shelf::default();
    let end = live(1, "#EXT-X-ENDLIST\n");
    let same = live(0, "");
    shelf.put("/live.m3u8", &[same.as_bytes(), same.as_bytes(), same.as_bytes(), end.as_bytes()]);
    let report = lint(&shelf, "live.m3u8").await;
    let expected = BTreeSet::from([rules::RELOAD_IGNORED.id, rules::SKIP_IGNORED.id]);
    assert_eq!(rules_of(&report), expected, "{report}");
}

#[tokio::test]
async fn a_playlist_that_nothing_tells_to_be_one_is_found() {
    let shelf = Shelf::default();
    shelf.put("/live", &[VOD.replace("#EXT-X-KEY:METHOD=AES-128,URI=\"/key\"\n", "").as_bytes()]);
    shelf.put("/init.mp4", &[INIT]);
    shelf.put("/0.m4s", &[SEGMENT]);
    let report = lint(&shelf, "live").await;
    assert_eq!(rules_of(&report), BTreeSet::from([rules::CONTENT_TYPE.id]), "{report}");
}

#[tokio::test]
async fn what_is_said_to_one_host_is_not_said_to_another() {
    let (home, other) = (Shelf::default(), Shelf::default());
    let elsewhere = serve(&other).await;
    home.put("/main.m3u8", &[format!("-> {elsewhere}main.m3u8").as_bytes()]);
    let url = serve(&home).await.join("main.m3u8").unwrap();
    let headers = HeaderMap::from_iter([(header::COOKIE, "secret".parse().unwrap())]);
    let fetcher = Fetcher::new(&url, headers).unwrap();
    let error = fetcher.get(&url, 100, None, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "it is answered 404 Not Found");
    let cookies = |shelf: &Shelf| *shelf.cookies.lock().unwrap();
    assert_eq!((cookies(&home), cookies(&other), other.asked.lock().unwrap().len()), (1, 0, 1));

    other.put("/main.m3u8", &[b"-> /main.m3u8"]);
    let error = fetcher.get(&url, 100, None, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "it leads on more than 5 times");
    other.put("/main.m3u8", &[&[0; 200]]);
    let error = fetcher.get(&url, 100, None, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "it has more than 0 MiB");
}

#[test]
fn a_session_shows_in_no_report() {
    for (url, expected) in [
        ("https://edge.example/t/TOKEN/live/t/main.m3u8?q=1", "https://edge.example/t/…/live/t/main.m3u8"),
        ("https://a:b@edge.example/live/t/main.m3u8#f", "https://edge.example/live/t/main.m3u8"),
    ] {
        assert_eq!(named(&Url::parse(url).unwrap()), expected);
    }
}
