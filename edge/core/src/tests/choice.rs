//! What playlists say of what there is to choose from.

use super::*;

/// The word that a playlist came with.
fn word(edge: &Fixture<'_>, path: &str) -> String {
    let Response { status, headers, .. } = edge.get(path);
    assert_eq!(status, 200, "{path}");
    let word = headers.into_iter().find(|(name, _)| name == "railbird-choice");
    word.map(|(_, word)| word).unwrap()
}

/// A state with a second rendition, or without.
fn with(revision: u64, low: bool) -> Value {
    let mut state = state("live", &[1, 2]);
    state["revision"] = json!(NOW.plus_ms(revision));
    if low {
        let mut low = state["renditions"][0].clone();
        (low["id"], low["bandwidth"]) = (json!("low"), json!(7));
        low["inits"] = json!(["table-1/low/init-0.mp4"]);
        state["renditions"].as_array_mut().unwrap().push(low);
    }
    state
}

#[test]
fn each_playlist_says_the_same_word_until_another_rendition_is_there() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let push = |state: &Value| edge.push("/origin/v1/channels/table-1/state", state);
    let all = ["/live/table-1/main.m3u8", "/live/table-1/a/source.m3u8"];
    assert_eq!(push(&with(0, false)).status, 204);
    let [before, same] = all.map(|path| word(&edge, path));
    assert_eq!(before, same);

    let mut busier = with(1, false);
    busier["renditions"][0]["bandwidth"] = json!(2_000_000);
    assert_eq!(push(&busier).status, 204);
    assert_eq!(all.map(|path| word(&edge, path)), [&*before, &*before]);

    assert_eq!(push(&with(2, true)).status, 204);
    let [after, same] = all.map(|path| word(&edge, path));
    assert_eq!(after, same);
    assert_ne!(after, before);
    assert_eq!(word(&edge, "/live/table-1/a/low.m3u8"), after);

    assert_eq!(push(&with(3, false)).status, 204);
    assert_eq!(all.map(|path| word(&edge, path)), [&*before, &*before]);
    assert_eq!(code(&edge.get("/live/table-1/a/low.m3u8")), "no-such-playlist");
}

#[test]
fn a_page_of_another_site_may_read_the_word() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &with(0, false)).status, 204);
    let path = format!("/t/{}/live/table-1/main.m3u8", session(u64::MAX));
    let Response { status, headers, .. } = edge.ask("GET", &path, &[], &[]);
    let is = |name: &str, value: &str| headers.contains(&(name.into(), value.into()));
    assert_eq!(status, 200);
    assert!(is("access-control-allow-origin", "*") && is("access-control-expose-headers", "railbird-choice"));
}

#[test]
fn a_recording_says_one_word_in_all_its_playlists() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let list = "/origin/v1/channels/table-1/replays";
    assert_eq!(edge.push(list, &replays(1, 1)).status, 204);
    assert_eq!(edge.push(&format!("{list}/r-1/0"), &chapter(0, 30)).status, 204);
    let of = |path: &str| word(&edge, &format!("/replay/table-1/r-1/{path}"));
    assert_eq!(of("main.m3u8"), of("a/source.m3u8"));
}
