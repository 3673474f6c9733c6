//! What strangers and viewers send to the edge.

use std::pin::pin;
use std::str;
use std::task::{Context, Poll, Waker};

use hmac::{Hmac, KeyInit, Mac};
use railbird_core::pass::password;
use railbird_core::sign;
use railbird_core::state::Node;
use railbird_core::time::UtcMs;
use railbird_edge::health::region::Place;
use railbird_edge::health::{Region, beacon};
use railbird_edge::memory::MemoryStore;
use railbird_edge::passes::{Coverage, PassId};
use railbird_edge::token::{self, Claims, Key};
use railbird_edge::{Edge, Moment, Request, Response, Settings};
use sha2::Sha256;

/// Within the window of [`STATE`].
const NOW: UtcMs = UtcMs(1_795_171_925_000);
const MOMENT: Moment = Moment { now: NOW, entropy: [9; 32] };
const EMAIL: &str = "demo@railbird.test";

const EVENT: &str = include_str!("../../fuzz-seeds/core-event-state/two-channels");
const STATE: &str = include_str!("../../fuzz-seeds/core-channel-state/live");
const SCORE: &str = include_str!("../../fuzz-seeds/score-document/two-entries");
/// The smallest parameters that argon2 has: a login costs microseconds.
const PASS: &str = r#"{"email":"demo@railbird.test","password_hash":"$argon2id$v=19$m=8,t=1,p=1$YSBzYWx0IGZvciBmdXp6aW5n$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","channels":["*"],"valid_from":0,"valid_until":4102444800000}"#;

/// What was recorded of the channel: what is on the air, and one that is over.
const REPLAYS: &str = r#"{"channel":"table-1","origin":"north","revision":3,"replays":[{"recording":"20261120t105200z","title":"Table 1","start":161565472800000,"duration":450000,"chapters":1,"ended":false},{"recording":"final-1","title":"Final","start":161565472800000,"duration":450000,"chapters":1,"ended":true,"matches":[{"id":"final","from":161565472800000}]}]}"#;

/// A secret of this name, for this target only.
fn secret(name: &str) -> String {
    format!("{name} for fuzzing")
}

/// An edge that has everything, in the state in which every input finds it.
fn edge() -> Edge<MemoryStore> {
    let settings = Settings::read(|name| name.ends_with("_secret").then(|| secret(name)));
    let edge = Edge::new(settings, MemoryStore::default());
    // A chapter looks like a state.
    let over = STATE.replace("20261120t105200z", "final-1");
    let pushes = [
        ("origin_secret", "/origin/v1/event", EVENT),
        ("origin_secret", "/origin/v1/channels/table-1/state", STATE),
        ("origin_secret", "/origin/v1/channels/table-1/score", SCORE),
        ("origin_secret", "/origin/v1/channels/table-1/matches/final", SCORE),
        ("origin_secret", "/origin/v1/channels/table-1/replays", REPLAYS),
        ("origin_secret", "/origin/v1/channels/table-1/replays/20261120t105200z/0", STATE),
        ("origin_secret", "/origin/v1/channels/table-1/replays/final-1/0", &over),
        ("admin_secret", "/admin/v1/passes", PASS),
    ];
    for (by, path, body) in pushes {
        let mut request = Request { method: "PUT".into(), path: path.into(), ..Request::default() };
        request.body = body.into();
        request.headers.push(signature(by, &request));
        let response = answer(&edge, request);
        assert_eq!(response.status, 204, "{path}: {}", String::from_utf8_lossy(&response.body));
    }
    edge
}

fn signature(by: &str, request: &Request) -> (String, String) {
    let secret = secret(by);
    let value = sign::sign(secret.as_bytes(), &request.method, &request.path, &request.body, NOW, [1; 16]);
    (sign::HEADER.to_owned(), value)
}

fn session() -> String {
    let (Some(pass), now) = (PassId::of_email(EMAIL), NOW.seconds()) else { return String::new() };
    let claims = Claims { pass, channels: Coverage::All, issued_s: now, expires_s: now + 60, id: [5; 16] };
    token::mint(&Key::derive(secret("session_secret").as_bytes()), &claims)
}

/// The time of the store in memory is virtual: a wait is over as soon as it is looked at again.
fn answer(edge: &Edge<MemoryStore>, request: Request) -> Response {
    let mut answer = pin!(edge.handle(request, &MOMENT));
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(response) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return response;
        }
    }
    Response::new(0)
}

/// More than any answer may take.
const POLLS_MAX: usize = 1_000;

/// A request as text, much like HTTP: `METHOD path?query`, headers, an empty line, the body. A `@` in the path or in a
/// header stands for a valid session, and the header `sign: origin_secret` for a valid signature.
///
/// Without either of them nobody gets a key or a playlist, and nothing is taken.
pub(super) fn request(input: &[u8]) {
    let Some((request, trusted)) = parse(input) else { return };
    if is_slow_login(&request) {
        return;
    }
    // libFuzzer reads our secrets out of comparisons, and an answer may quote what was sent.
    let told = |name: &&str| String::from_utf8_lossy(input).contains(&secret(name));
    let secrets = ["master_secret", "session_secret", "origin_secret", "admin_secret"];
    let untold: Vec<&str> = secrets.into_iter().filter(|name| !told(name)).collect();
    let (path, method) = (request.path.clone(), request.method.clone());
    let response = answer(&edge(), request);

    assert!((200..=599).contains(&response.status), "{}", response.status);
    for (name, value) in &response.headers {
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(!name.is_empty() && name.bytes().all(token), "header name {name:?}");
        assert!(!value.bytes().any(|b| b.is_ascii_control()), "header {name} has a control character");
    }
    if !trusted {
        let guarded = ["/live/", "/replay/", "/key/", "/steer/", "/t/", "/api/channels"];
        let asks = guarded.iter().any(|start| path.starts_with(start));
        assert!(!(asks && response.status < 400), "{path} without a session: {}", response.status);
        assert!(
            !(method == "PUT" && response.status < 400),
            "{path} without a signature: {}",
            response.status
        );
    }
    let body = String::from_utf8_lossy(&response.body);
    assert!(untold.iter().all(|name| !body.contains(&secret(name))), "{path} shows a secret");
}

/// How the edge answers this request.
#[cfg(test)]
pub(super) fn status(input: &[u8]) -> Option<u16> {
    parse(input).map(|(request, _)| answer(&edge(), request).status)
}

/// The request, and whether it has something that a stranger can't make.
fn parse(input: &[u8]) -> Option<(Request, bool)> {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let head = str::from_utf8(&input[..end]).ok()?;
    let mut trusted = head.contains('@');
    let head = head.replace('@', &session());
    let mut lines = head.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request =
        Request { method: method.into(), path: path.into(), query: query.into(), ..Request::default() };
    request.body = input.get(end + 2..).unwrap_or_default().to_vec();
    let mut signed_by = None;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name == "sign" && ["origin_secret", "admin_secret"].contains(&value) {
            signed_by = Some(value.to_owned());
        } else {
            request.headers.push((name.into(), value.into()));
        }
    }
    if let Some(by) = signed_by {
        trusted = true;
        request.headers.push(signature(&by, &request));
    }
    Some((request, trusted))
}

/// A login of somebody unknown takes as long as any other: too long to be repeated many thousand times.
fn is_slow_login(request: &Request) -> bool {
    let email = |body: &[u8]| -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        Some(body.get("email")?.as_str()?.to_owned())
    };
    let known = |email: String| PassId::of_email(&email) == PassId::of_email(EMAIL);
    request.path == "/api/login" && email(&request.body).is_some_and(|email| !known(email))
}

/// A token's text, which nobody can guess; and a payload under a valid MAC, which shows what lies behind it.
pub(super) fn token(input: &[u8]) {
    const SECRET: &[u8] = b"session secret for fuzzing";
    let key = Key::derive(SECRET);
    if let Ok(text) = str::from_utf8(input) {
        assert!(token::open(&key, text).is_err());
    }
    let mac = |key: &[u8], parts: &[&[u8]]| -> Vec<u8> {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().to_vec()
    };
    // COSE_Mac0 as the module's documentation has it.
    let [l1, l0] = u16::try_from(input.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = match input.len() {
        0..24 => vec![0x40 | l0],
        24..256 => vec![0x58, l0],
        _ => vec![0x59, l1, l0],
    };
    let tag = mac(
        &mac(SECRET, &[b"railbird session key v1"]),
        &[b"\x84\x64MAC0\x43\xa1\x01\x05\x40", &head, input],
    );
    let bytes = [b"\xd8\x3d\xd1\x84\x43\xa1\x01\x05\xa0", &*head, input, b"\x58\x20", &tag].concat();
    if let Ok(claims) = token::open(&key, &base64url(&bytes)) {
        assert_eq!(token::open(&key, &token::mint(&key, &claims)), Ok(claims));
    }
}

/// What a player tells of nodes: at most one vote for each of them, of which the edge keeps what it can read again.
pub(super) fn beacon(input: &[u8]) {
    let (Ok(channel), Ok(a), Ok(b)) = ("table-1".parse(), "a".parse(), "b".parse()) else { return };
    let nodes = [
        Node::new(a, "https://a.test".to_owned(), true),
        Node::new(b, "https://b.test/bucket".to_owned(), true),
    ];
    let reports = beacon::read(input);
    assert!(reports.len() <= beacon::LINES_MAX);
    let votes = beacon::votes(&reports, &channel, &nodes, 2000);
    let mut places: Vec<&Place> = votes.iter().map(|vote| &vote.place).collect();
    places.dedup();
    assert_eq!(places.len(), votes.len());
    assert!(places.iter().all(|place| nodes.iter().any(|node| Place::of(node) == **place)));
    let Some(pass) = PassId::of_email(EMAIL) else { return };
    let mut region = Region::default();
    assert_eq!(region.handle(&pass, &votes, NOW), !votes.is_empty());
    assert!(!region.handle(&pass, &votes, NOW), "one vote for each node and window");
    let kept = serde_json::to_vec(&region).unwrap_or_default();
    assert_eq!(serde_json::from_slice::<Region>(&kept).ok().as_ref(), Some(&region));
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

/// A password hash that an operator pushes: bounded work, or refused.
pub(super) fn password_hash(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if password::check(text).is_ok() {
        assert!(text.starts_with("$argon2id$") && text.len() <= password::PHC_LEN_MAX);
    }
}
