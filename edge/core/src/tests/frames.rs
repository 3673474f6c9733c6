//! Playlists of key frames.

use super::*;

const LIVE: &str = "/live/table-1/a/source.frames.m3u8";

/// The same with each segment's key frame on these nodes.
fn framed(mut state: Value, on: &[u32]) -> Value {
    let rendition = &mut state["renditions"][0];
    rendition["frames_bandwidth"] = json!(200_000);
    for (segment, on) in rendition["segments"].as_array_mut().unwrap().iter_mut().zip(on) {
        segment["frame"] = json!(on);
    }
    state
}

fn text(response: Response) -> String {
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    String::from_utf8(response.body).unwrap()
}

#[test]
fn a_key_frame_is_read_where_it_is_and_a_channel_without_them_has_no_such_playlist() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let path = "/origin/v1/channels/table-1/state";
    assert_eq!(edge.push(path, &state("live", &[])).status, 204);
    assert_eq!(code(&edge.get(LIVE)), "no-such-playlist");
    let mut state = chapter(0, 4);
    state["revision"] = json!(NOW.0 + 1);
    state["nodes"] = json!([
        {"id": "a", "url": "https://a.test", "up": true}, {"id": "b", "url": "https://b.test", "up": true},
    ]);
    assert_eq!(edge.push(path, &framed(state, &[3, 2, 0])).status, 204);
    let main = text(edge.get("/live/table-1/main.m3u8"));
    for node in ["a", "b"] {
        let line = format!(",PATHWAY-ID=\"{node}\",URI=\"{node}/source.frames.m3u8\"\n");
        assert!(main.contains(&line), "{main}");
    }
    let listed = text(edge.get(LIVE));
    let uris: Vec<&str> = listed.lines().filter(|line| line.ends_with("-frame.m4s")).collect();
    assert_eq!(uris.len(), 3, "the last one is on its way: {listed}");
    assert!(uris[0].starts_with("https://a.test/") && uris[1].starts_with("https://b.test/"), "{listed}");
    assert_eq!(listed.matches("#EXT-X-GAP").count(), 1);
    for missing in ["/live/table-1/c/source.frames.m3u8", "/live/table-1/a/other.frames.m3u8"] {
        assert_eq!(code(&edge.get(missing)), "no-such-playlist");
    }
    assert_eq!(edge.ask("GET", LIVE, &[], b"").status, 401);
}

#[test]
fn key_frames_of_a_replay_tell_no_more_than_its_media() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let list = "/origin/v1/channels/table-1/replays";
    edge.push("/origin/v1/channels/table-1/state", &state("live", &[1]));
    edge.push(list, &replays(1, 2));
    for n in 0..2 {
        edge.push(&format!("{list}/r-1/{n}"), &framed(chapter(n * 30, 30), &[1; 30]));
    }
    let of = |file: &str, until: Option<u64>| {
        let query = until.map_or(String::new(), |ms| format!("?until={}", NOW.0 + ms));
        text(edge.get(&format!("/replay/table-1/r-1/{file}{query}")))
    };
    for until in [Some(1), Some(59_000), Some(61_000), None] {
        let (media, frames) = (of("a/source.m3u8", until), of("a/source.frames.m3u8", until));
        assert_eq!(frames.matches("-frame.m4s").count(), media.matches(".m4s").count());
        assert_eq!(frames.contains("ENDLIST"), media.contains("ENDLIST"));
        assert!(frames.contains("#EXT-X-I-FRAMES-ONLY\n"));
        let query = until.map_or(String::new(), |ms| format!("?until={}", NOW.0 + ms));
        assert!(of("main.m3u8", until).contains(&format!("URI=\"a/source.frames.m3u8{query}\"")));
    }
}
