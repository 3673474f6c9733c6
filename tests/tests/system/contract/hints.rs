//! Parts that are hinted at before they are there.

use railbird_core::state::ChannelState;
use serde_json::{Value, json};

use super::Door;
use super::ask::{Edge, Session, now};
use super::fixture;
use super::live::playlist;
use super::low_latency;

const STATE: &str = "/origin/v1/channels/table-8/state";
const FOLDER: &str = "/live/table-8/a";

fn state(base: u64, revision: u64, parts: u64) -> Value {
    let mut state = low_latency::state(base, revision, parts);
    (state["channel"], state["preload_hints"]) = (json!("table-8"), json!(true));
    serde_json::from_value::<ChannelState>(state.clone()).unwrap().check().unwrap();
    state
}

/// The address at the edge of a part of the segment of this number, as playlists write it.
fn address(segment: u64, part: u64) -> String {
    format!("source/{}.m4s", fixture::start(segment).utc().0 + 500 * part)
}

/// A hint is answered with the way to the part once there is one, and the playlist lists it under the same address.
pub(crate) async fn lead_to_parts<D: Door>(edge: &Edge<'_, D>, session: &Session) {
    let base = now().0 / u64::from(fixture::SEGMENT_MS);
    let (revision, next) = (now().0, base + 1);
    edge.push(STATE, &state(base, revision, 1)).await.status(204);
    let media = format!("{FOLDER}/source.m3u8");
    let text = playlist(&edge.get(&media, session).await);
    let (first, second, third) = (address(next, 0), address(next, 1), address(next, 2));
    let end = format!(
        "#EXT-X-PART:DURATION=0.50000,URI=\"{first}\",INDEPENDENT=YES\n\
         #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{second}\"\n"
    );
    assert!(text.ends_with(&end), "{text}");

    let object = |node: &str, part: u64| format!("{node}/_parts/table-8/source/{next}-0-{}.m4s", 500 * part);
    let hinted = format!("{FOLDER}/{second}");
    let pushed = state(base, revision + 1, 2);
    let (answer, pushed) = tokio::join!(edge.get(&hinted, session), edge.push(STATE, &pushed));
    pushed.status(204);
    // The newest is at node b only: whoever is on another pathway is led there, too.
    answer.status(307).header("location", &object(fixture::NODE_B, 1));
    answer.header("cache-control", "private, no-cache");
    let listed = edge.get(&format!("{FOLDER}/{first}"), session).await;
    listed.status(307).header("location", &object(fixture::NODE_A, 0));
    // A player with its token in the path, on a page of whoever's.
    let by_token = edge.get_plain(&session.path(&hinted)).await;
    by_token.status(307).header("location", &object(fixture::NODE_B, 1));
    by_token.header("access-control-allow-origin", "*");
    let text = playlist(&edge.get(&media, session).await);
    assert!(
        text.contains(&format!("URI=\"{second}\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{third}\"\n")),
        "{text}"
    );
    // Our own player goes to nodes by itself.
    let direct = playlist(&edge.get(&format!("{media}?parts=nodes"), session).await);
    assert!(direct.ends_with(&format!("URI=\"{}\"\n", object(fixture::NODE_B, 1))), "{direct}");

    // What never comes, what cannot be hinted at, and what nobody may ask for.
    edge.get(&format!("{FOLDER}/{third}"), session).await.error(404, "no-such-part");
    for made_up in
        [address(next + 3, 0), address(next - 40, 0), address(next, 0).replace("source/", "other/")]
    {
        edge.get(&format!("{FOLDER}/{made_up}"), session).await.error(404, "no-such-part");
    }
    for no_name in ["source/1.m4s.m4s", "source/01.m4s", "source/1.mp4", "source/https:.m4s"] {
        edge.get(&format!("{FOLDER}/{no_name}"), session).await.error(404, "not-found");
    }
    edge.get_plain(&hinted).await.error(401, "no-session");
}
