//! Screens: a pass plays on so many devices at a time, and only those get keys.

use railbird_core::keys;
use serde_json::{Value, json};

use super::Door;
use super::ask::{Answer, Edge, Session, json_type, now, session_of};
use super::fixture::{self, KEY_PERIOD_S};

const CLAIM: &str = "/api/screens";
const STOP: &str = "/api/screens/stop";
const RELEASE: &str = "/api/screens/release";
const LEASE: &str = "__Host-railbird-screen";

/// A player: a session, a screen, and the cookie that it got.
struct Player {
    session: Session,
    screen: String,
    lease: Option<String>,
}

impl Player {
    fn new(email: &str, screen: char) -> Player {
        Player {
            session: session_of(email, &["*"]),
            screen: format!("{}A", screen.to_string().repeat(21)),
            lease: None,
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        let (name, mut cookies) = self.session.cookie();
        if let Some(lease) = &self.lease {
            cookies.push_str(&format!("; {LEASE}={lease}"));
        }
        vec![(name, cookies), json_type()]
    }

    async fn post<D: Door>(&self, edge: &Edge<'_, D>, path: &str, body: Value) -> Answer {
        edge.ask("POST", path, self.headers(), body.to_string()).await
    }

    async fn claim<D: Door>(&mut self, edge: &Edge<'_, D>, name: &str) -> Answer {
        let answer = self.post(edge, CLAIM, json!({"screen": self.screen, "name": name})).await;
        if answer.response.status == 200 {
            self.lease = Some(answer.cookie(LEASE));
        }
        answer
    }

    async fn key<D: Door>(&self, edge: &Edge<'_, D>) -> Answer {
        edge.ask("GET", &live_key(), self.headers(), "").await
    }
}

fn live_key() -> String {
    format!("/key/table-1/{}", keys::period(now().media(), KEY_PERIOD_S))
}

/// The third of two screens is told which two play, may stop one of them, and plays in its place.
pub(crate) async fn as_many_as_may<D: Door>(edge: &Edge<'_, D>) {
    let of = |screen| Player::new("screens@railbird.test", screen);
    let (mut phone, mut sofa, mut kitchen) = (of('p'), of('s'), of('k'));
    let claimed = phone.claim(edge, "Chrome on <b>Linux</b>\r\n\u{1b}[31m").await;
    claimed.status(200).header("content-type", "application/json").header("cache-control", "no-store");
    assert_eq!(claimed.json(), json!({"screen": phone.screen, "renew_s": 20}));
    let cookies = claimed.headers("set-cookie");
    let [cookie] = cookies.as_slice() else { panic!("one cookie, not {cookies:?}") };
    for attribute in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(cookie.contains(&format!("; {attribute}")), "{attribute} is missing in {cookie}");
    }
    let max_age: u64 = cookie.rsplit_once("Max-Age=").unwrap().1.parse().unwrap();
    assert!((45..=75).contains(&max_age), "about three renewals: {cookie}");
    phone.claim(edge, "").await.status(200);
    phone.key(edge).await.status(200).header("cache-control", "no-store");
    sofa.claim(edge, &"x".repeat(1000)).await.status(200);
    sofa.key(edge).await.status(200);

    let full = kitchen.claim(edge, "Kitchen").await;
    full.error(409, "too-many-screens");
    assert!(full.headers("set-cookie").is_empty());
    let screens = full.json()["screens"].clone();
    let names: Vec<&str> =
        screens.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    // A name is text, on one line, and not too long: whoever shows it need not know.
    assert_eq!(names, ["Chrome on <b>Linux</b>[31m", &"x".repeat(64)]);
    assert_eq!((&screens[0]["id"], &screens[1]["id"]), (&json!(phone.screen), &json!(sofa.screen)));
    assert!(screens[0]["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{screens}");
    kitchen.key(edge).await.error(403, "too-many-screens");

    // Only a session of this pass can stop its screens, or see them.
    let stranger = Player::new("stranger@railbird.test", 'p');
    stranger.post(edge, STOP, json!({"screen": phone.screen})).await.status(204);
    phone.key(edge).await.status(200);
    kitchen
        .post(edge, STOP, json!({"screen": phone.screen}))
        .await
        .status(204)
        .header("cache-control", "no-store");
    kitchen.claim(edge, "Kitchen").await.status(200);
    kitchen.key(edge).await.status(200);
    phone.key(edge).await.error(403, "screen-stopped");
    phone.claim(edge, "").await.error(409, "screen-stopped");
    let again = phone.post(edge, CLAIM, json!({"screen": phone.screen, "again": true})).await;
    again.error(409, "too-many-screens");

    // Nobody else's page gives a screen back.
    kitchen.post(edge, RELEASE, json!({"screen": sofa.screen})).await.status(204);
    sofa.key(edge).await.status(200);
    let released = sofa.post(edge, RELEASE, json!({"screen": sofa.screen})).await;
    assert_eq!(released.status(204).cookie(LEASE), "");
    let again = phone.post(edge, CLAIM, json!({"screen": phone.screen, "again": true})).await;
    phone.lease = Some(again.status(200).cookie(LEASE));
    phone.key(edge).await.status(200);
    // A lease that was given back is no good any more, although it would still hold.
    sofa.key(edge).await.error(403, "too-many-screens");
    // Nor is one that was made up, or that another pass has.
    let good = phone.lease.clone().unwrap();
    let mut thief = Player::new("screens@railbird.test", 't');
    for lease in [good.replace(&good[..8], "AAAAAAAA"), good[1..].to_string(), "x".repeat(96)] {
        thief.lease = Some(lease);
        thief.key(edge).await.error(403, "too-many-screens");
    }
}

/// A session whose player claims nothing is a screen itself.
pub(crate) async fn without_cookies<D: Door>(edge: &Edge<'_, D>) {
    let [one, two, three] = [(); 3].map(|()| session_of("bare@railbird.test", &["*"]));
    for session in [&one, &two, &one] {
        edge.get_plain(&session.path(&live_key())).await.status(200);
    }
    let full = edge.get_plain(&three.path(&live_key())).await;
    full.error(403, "too-many-screens").header("access-control-allow-origin", "*");
    edge.get(&live_key(), &three).await.error(403, "too-many-screens");
    // Playlists and steering are not what counts.
    edge.get_plain(&three.path("/live/table-1/main.m3u8")).await.status(200);
    edge.get_plain(&three.path("/steer/table-1")).await.status(200);
    // Whoever claims sees them by what they call themselves, and takes over its own.
    let mut player = Player { session: three, ..Player::new("bare@railbird.test", 'b') };
    let full = player.claim(edge, "Browser").await;
    let screens = full.error(409, "too-many-screens").json()["screens"].clone();
    assert_eq!((screens.as_array().unwrap().len(), &screens[0]["name"]), (2, &json!("Another device")));
    player.post(edge, STOP, json!({"screen": screens[0]["id"]})).await.status(204);
    edge.get_plain(&one.path(&live_key())).await.error(403, "screen-stopped");
    player.claim(edge, "Browser").await.status(200);
    let mut taken_over = Player { session: two, ..Player::new("bare@railbird.test", 'o') };
    taken_over.claim(edge, "Browser").await.status(200);
    taken_over.key(edge).await.status(200);
}

/// A logout frees the screens of its session.
pub(crate) async fn end_with_their_session<D: Door>(edge: &Edge<'_, D>) {
    let of = |screen| Player::new("leaver@railbird.test", screen);
    let (mut one, mut two, mut three) = (of('1'), of('2'), of('3'));
    for player in [&mut one, &mut two] {
        player.claim(edge, "").await.status(200);
    }
    three.claim(edge, "").await.error(409, "too-many-screens");
    one.post(edge, "/api/logout", json!({})).await.status(204);
    three.claim(edge, "").await.status(200);
    one.key(edge).await.error(401, "session-ended");
    one.claim(edge, "").await.error(401, "session-ended");
    // Its lease is of no use with another session either.
    one.session = session_of("leaver@railbird.test", &["*"]);
    one.key(edge).await.error(403, "too-many-screens");
    two.key(edge).await.status(200);
}

/// What is not a claim.
pub(crate) async fn malformed<D: Door>(edge: &Edge<'_, D>) {
    let player = Player::new("malformed@railbird.test", 'm');
    for path in [CLAIM, STOP, RELEASE] {
        for body in [
            json!(null),
            json!({}),
            json!([]),
            json!({"screen": 1}),
            json!({"screen": ""}),
            json!({"screen": "x".repeat(21)}),
            json!({"screen": "x".repeat(23)}),
            json!({"screen": "x".repeat(22)}),
            json!({"screen": format!("{}/", "A".repeat(21))}),
            json!({"screen": player.screen, "name": 1}),
            json!({"screen": player.screen, "again": "yes"}),
        ] {
            player.post(edge, path, body).await.error(400, "bad-request");
        }
        let body = json!({"screen": player.screen});
        let long = json!({"screen": player.screen, "name": "x".repeat(5000)});
        player.post(edge, path, long).await.error(413, "too-large");
        edge.ask("POST", path, vec![json_type()], body.to_string()).await.error(401, "no-session");
        let text = vec![player.session.cookie(), ("content-type".to_string(), "text/plain".to_string())];
        edge.ask("POST", path, text, body.to_string()).await.error(415, "wrong-content-type");
        edge.get_plain(&player.session.path(path)).await.error(404, "not-found");
    }
}

/// Whoever seeks in a replay is not held up; whoever walks through all keys is, and steering never is.
pub(crate) async fn keys_have_a_pace<D: Door>(edge: &Edge<'_, D>) {
    let mut player = Player::new("walker@railbird.test", 'w');
    player.claim(edge, "").await.status(200);
    // Of a recording in February.
    let period = keys::period(fixture::start(885_000_000), KEY_PERIOD_S);
    let mut given = 0;
    let refused = loop {
        let answer = edge.ask("GET", &format!("/key/table-1/{period}"), player.headers(), "").await;
        if answer.response.status != 200 {
            break answer;
        }
        given += 1;
        assert!(given < 200, "there is no end to keys");
    };
    assert!(given >= 60, "{given}: too few for somebody who looks for a moment");
    refused.error(429, "too-many-keys");
    let [wait] = refused.headers("retry-after")[..] else { panic!("no retry-after") };
    assert!((1..=60).contains(&wait.parse::<u64>().unwrap()), "retry-after: {wait}");
    // What is live goes on, and so does everything else.
    player.key(edge).await.status(200);
    for path in ["/steer/table-1", "/live/table-1/main.m3u8", "/replay/table-1/r-2026/main.m3u8"] {
        edge.get(path, &player.session).await.status(200);
    }
    // Another login is no way round it.
    let mut other = Player::new("walker@railbird.test", 'v');
    other.claim(edge, "").await.status(200);
    edge.ask("GET", &format!("/key/table-1/{period}"), other.headers(), "").await.error(429, "too-many-keys");
}
