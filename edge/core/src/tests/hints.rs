//! Parts by when they start, for players that were hinted at them, in virtual time.

use super::low_latency::{PLAYLIST, later, reads, state_with};
use super::*;

/// The state of the other tests with so many parts, on a channel that hints at them.
fn hinting(parts: u64, revision: u64) -> Value {
    let mut state = state_with(parts, revision);
    state["preload_hints"] = json!(true);
    let node = |id: &str| json!({"id": id, "url": format!("https://{id}.test/media"), "up": true});
    state["nodes"] = json!([node("a"), node("b")]);
    state
}

/// Where the edge knows the part of this number of the segment that is being made.
fn at(node: &str, part: u64) -> String {
    format!("/live/table-1/{node}/source/{}.m4s", NOW.plus_ms(4000 + 500 * part).0)
}

/// An edge that has this state.
fn with_state<'a>(probe: &'a Probe, state: &Value) -> Fixture<'a> {
    let edge = Fixture::new(probe);
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", state).status, 204);
    probe.cells.borrow_mut().clear();
    edge
}

/// Where an answer leads.
fn led_to(response: &Response) -> &str {
    assert_eq!(response.status, 307, "{}", String::from_utf8_lossy(&response.body));
    assert!(response.headers.contains(&("cache-control".into(), "private, no-cache".into())));
    response.headers.iter().find(|(name, _)| name == "location").map(|(_, to)| &**to).unwrap()
}

fn object(node: &str, part: u64) -> String {
    format!("https://{node}.test/media/_parts/table-1/source/{}-40-{}.m4s", NOW.0 / 2000 + 2, 500 * part)
}

#[test]
fn what_is_there_is_led_to_at_once() {
    let probe = Probe::default();
    let mut state = hinting(3, 0);
    for (part, on) in [(0, 3), (1, 2), (2, 0)] {
        state["renditions"][0]["parts"][part]["on"] = json!(on);
    }
    let edge = with_state(&probe, &state);
    assert_eq!(led_to(&edge.get(&at("a", 0))), object("a", 0));
    assert_eq!(led_to(&edge.get(&at("b", 0))), object("b", 0));
    assert_eq!(led_to(&edge.get(&at("a", 1))), object("b", 1), "only this node has it");
    let nowhere = edge.get(&at("a", 2));
    assert_eq!((nowhere.status, &*code(&nowhere)), (404, "no-such-part"));
    // A node that is down leads nobody to itself while another one has it.
    let mut down = state.clone();
    (down["revision"], down["nodes"][0]["up"]) = (json!(NOW.0 + 1), json!(false));
    assert_eq!(edge.push("/origin/v1/channels/table-1/state", &down).status, 204);
    assert_eq!(led_to(&edge.get(&at("a", 0))), object("b", 0));
    // A query is none of its business.
    assert_eq!(
        led_to(&edge.get(&format!("{}?_HLS_msn=99&to=https://evil.test", at("b", 0)))),
        object("b", 0)
    );
    assert!(probe.paused.borrow().is_empty());
}

#[test]
fn what_is_hinted_at_is_waited_for() {
    let probe = Probe::default();
    let edge = with_state(&probe, &hinting(1, 0));
    let text = String::from_utf8(edge.get(PLAYLIST).body).unwrap();
    let (_, hint) = text.split_once("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"").unwrap();
    let hint = format!("/live/table-1/a/{}", hint.trim_end_matches("\"\n"));
    assert_eq!(hint, at("a", 1));
    *probe.meanwhile.borrow_mut() = vec![later(&hinting(3, 3)), later(&hinting(2, 2)), later(&hinting(1, 1))];
    assert_eq!(led_to(&edge.get(&hint)), object("a", 1));
    assert_eq!(probe.paused.borrow().len(), 2, "it is not kept waiting any longer");
    let text = String::from_utf8(edge.get(PLAYLIST).body).unwrap();
    let listed = hint.strip_prefix("/live/table-1/a/").unwrap();
    assert!(text.contains(&format!("#EXT-X-PART:DURATION=0.50000,URI=\"{listed}\"\n")), "{text}");
}

#[test]
fn what_never_comes_is_not_found_in_the_end() {
    let probe = Probe::default();
    let edge = with_state(&probe, &hinting(1, 0));
    let never = edge.get(&at("a", 1));
    assert_eq!((never.status, &*code(&never)), (404, "no-such-part"));
    // As long as a playlist is waited for.
    assert_eq!(probe.paused.borrow().iter().sum::<u64>(), 3984);
    assert_eq!(reads(&probe), 25);

    // Nor does a host wait that has no room for it.
    probe.paused.borrow_mut().clear();
    assert_eq!(edge.get(&format!("{}?wait=no", at("a", 1))).status, 404);
    assert_eq!(led_to(&edge.get(&format!("{}?wait=no", at("a", 0)))), object("a", 0));
    assert!(probe.paused.borrow().is_empty());

    // The programme went on elsewhere: what starts later shows that nothing will start then.
    probe.paused.borrow_mut().clear();
    let mut apart = hinting(2, 1);
    apart["renditions"][0]["parts"][1]["start"] = json!(NOW.plus_ms(4600).media());
    *probe.meanwhile.borrow_mut() = vec![later(&apart)];
    assert_eq!(edge.get(&at("a", 1)).status, 404);
    assert_eq!(probe.paused.borrow().len(), 1);

    probe.paused.borrow_mut().clear();
    let mut ended = hinting(2, 2);
    ended["phase"] = json!("ended");
    *probe.meanwhile.borrow_mut() = vec![later(&ended)];
    assert_eq!(edge.get(&at("a", 3)).status, 404);
    assert_eq!(probe.paused.borrow().len(), 1);
}

#[test]
fn a_made_up_name_is_refused_at_once() {
    let probe = Probe::default();
    let edge = with_state(&probe, &hinting(2, 0));
    for path in [
        // Between two parts, before all of them, and further ahead than any hint.
        format!("/live/table-1/a/source/{}.m4s", NOW.plus_ms(4001).0),
        "/live/table-1/a/source/0.m4s".to_string(),
        at("a", 7),
        format!("/live/table-1/a/source/{}.m4s", u64::MAX),
        // Of no node, no rendition.
        at("nobody", 2),
        at("a", 2).replace("source", "other"),
        // Not as the playlist writes it.
        at("a", 2).replace(".m4s", ".mp4"),
        at("a", 2).replace("/1", "/01"),
        object("a", 0).replace("https://a.test/media", "/live"),
    ] {
        assert_eq!(edge.get(&path).status, 404, "{path}");
    }
    assert!(probe.paused.borrow().is_empty());
}

#[test]
fn parts_are_for_a_session_that_covers_the_channel() {
    let probe = Probe::default();
    let edge = with_state(&probe, &hinting(1, 0));
    for part in [0, 1] {
        let stranger = edge.ask("GET", &at("a", part), &[], b"");
        assert_eq!((stranger.status, &*code(&stranger)), (401, "no-session"));
        let claims = Claims {
            pass: PassId::of_email("viewer@railbird.test").unwrap(),
            channels: Coverage::Only(vec!["table-2".parse().unwrap()]),
            issued_s: NOW.seconds(),
            expires_s: u64::MAX,
            id: [9; 16],
        };
        let token = token::mint(&settings().session, &claims);
        let other = edge.ask("GET", &format!("/t/{token}{}", at("a", part)), &[], b"");
        assert_eq!((other.status, &*code(&other)), (403, "not-covered"));
    }
    assert!(probe.paused.borrow().is_empty(), "nobody else gets to wait");
    let by_token = format!("/t/{}{}", session(NOW.seconds() + 60), at("a", 0));
    assert_eq!(led_to(&edge.ask("GET", &by_token, &[], b"")), object("a", 0));
}

#[test]
fn a_channel_without_hints_has_no_such_address() {
    for state in [state_with(2, 0), state("live", &[1])] {
        let probe = Probe::default();
        let edge = with_state(&probe, &state);
        for part in [0, 1, 2] {
            let answer = edge.get(&at("a", part));
            assert_eq!((answer.status, &*code(&answer)), (404, "no-such-part"));
        }
        assert!(probe.paused.borrow().is_empty());
    }
}

#[test]
fn who_asks_nodes_by_itself_is_told_where_parts_are() {
    let probe = Probe::default();
    let edge = with_state(&probe, &hinting(2, 0));
    let direct = edge.get(&format!("{PLAYLIST}?parts=nodes"));
    let mut plain = hinting(2, 1);
    plain["preload_hints"] = json!(false);
    let other = Probe::default();
    assert_eq!(direct, with_state(&other, &plain).get(PLAYLIST));
    for query in ["?parts=", "?parts=edge", "?nodes=parts", "?_HLS_msn=0"] {
        assert_eq!(edge.get(&format!("{PLAYLIST}{query}")), edge.get(PLAYLIST), "{query}");
    }
}
