use railbird_core::time::UtcMs;
use reqwest::{Client, Method, RequestBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

pub(super) mod described;

const KEY: &str = "a-score-key-of-table-1";

struct Server {
    base: String,
    scores: Scores,
    client: Client,
    dir: TempDir,
}

async fn serve() -> Server {
    let dir = TempDir::new().unwrap();
    let channels = ["table-1", "table-2"].map(|id| (id.parse().unwrap(), 0));
    let scores = Scores::open(dir.path(), channels).unwrap();
    // table-2 takes no score: it has no key.
    let keys = Keys::new([("table-1".parse().unwrap(), KEY.into())]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = router(scores.clone(), keys);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { base, scores, client: Client::builder().no_proxy().build().unwrap(), dir }
}

impl Server {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/v1/channels/{path}", self.base)).bearer_auth(KEY)
    }

    async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.request(Method::PUT, path).json(body)).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let sent = request.body().and_then(reqwest::Body::as_bytes).map(<[u8]>::to_vec);
    let answer = client.execute(request).await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body = answer.json().await.unwrap();
    described::check(&method, &path, sent.as_deref(), (status, &body));
    (status, body)
}

fn start() -> Value {
    json!({"occurred":1000,"action":{"type":"start","title":"Final","discipline":"three-cushion","target":40,
        "equalising_inning":true,"breaks":0,"sides":[{"name":"A","country":"SE"},{"name":"B"}]}})
}

fn point(occurred: u64) -> Value {
    json!({"occurred":occurred,"action":{"type":"points","side":0,"points":1}})
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    let (status, body) = answer;
    assert!(!body["error"]["message"].as_str().unwrap().is_empty(), "{body}");
    (*status, body["error"]["code"].as_str().unwrap())
}

const EVENTS: &str = "table-1/matches/final/events";

#[tokio::test]
async fn an_event_is_taken_once_and_repeated_at_will() {
    let server = serve().await;
    let (status, body) = server.put(&format!("{EVENTS}/1/1"), &start()).await;
    let side = |n: u32| json!({"points":n,"run":n,"high_run":n,"innings":1,"average_milli":n * 1000,"shootout":null});
    let none = json!({"points":0,"run":0,"high_run":0,"innings":0,"average_milli":0,"shootout":null});
    let state =
        |n: u32| json!({"phase":"playing","inning":1,"at_table":0,"winner":null,"sides":[side(n), none]});
    let taken = |seq: u64, same: bool, n: u32| json!({"last":{"epoch":1,"seq":seq},"same":same,"diverged":false,"state":state(n)});
    assert_eq!((status, body), (200, taken(1, false, 0)));
    assert_eq!(server.put(&format!("{EVENTS}/1/2"), &point(2000)).await, (200, taken(2, false, 1)));
    // The same event in another spelling.
    let spelled = r#" {"action":{"points":1, "side":0, "type":"points"}, "occurred":2000} "#;
    let again = server.request(Method::PUT, &format!("{EVENTS}/1/2")).body(spelled);
    assert_eq!(answer(again).await, (200, taken(2, true, 1)));

    let other = server.put(&format!("{EVENTS}/1/2"), &point(2001)).await;
    assert_eq!(code(&other), (409, "conflict"));
    let gap = server.put(&format!("{EVENTS}/1/4"), &point(2000)).await;
    assert_eq!(code(&gap), (409, "gap"));
    assert_eq!(gap.1["error"]["expected"], json!({"epoch":1,"seq":3}));
    // Another scorer takes over, and the first one learns it.
    assert_eq!(server.put(&format!("{EVENTS}/2/1"), &point(3000)).await.0, 200);
    let late = server.put(&format!("{EVENTS}/1/3"), &point(3000)).await;
    assert_eq!((code(&late), &late.1["error"]["expected"]), ((409, "gap"), &json!({"epoch":2,"seq":2})));
    assert!(late.1["error"]["message"].as_str().unwrap().contains("taken over"));

    let mut claimed = point(4000);
    claimed["state"] = json!({"sides":[{"points":4},{"points":0}]});
    let (status, body) = server.put(&format!("{EVENTS}/2/2"), &claimed).await;
    assert_eq!((status, &body["diverged"], &body["state"]), (200, &json!(true), &state(3)));
}

#[tokio::test]
async fn what_is_no_event_is_refused_with_the_reason() {
    let server = serve().await;
    let first = format!("{EVENTS}/1/1");
    for (path, body, reason) in [
        (&*first, json!({}), "occurred"),
        (&first, json!({"occurred":1,"action":{"type":"points","side":0,"points":1},"by":"me"}), "by"),
        (&first, json!({"occurred":1,"action":{"type":"points","side":3,"points":1}}), "0 or 1"),
        (&first, point(1), "send start first"),
        (&first, point(u64::MAX / 2), "clock"),
        (
            &first,
            {
                let mut start = start();
                start["occurred"] = json!(u64::MAX);
                start
            },
            "clock",
        ),
        (&format!("{EVENTS}/0/1"), start(), "start at 1"),
        (&format!("{EVENTS}/1/0"), start(), "start at 1"),
        (&format!("{EVENTS}/1/x"), start(), "start at 1"),
        (&format!("{EVENTS}/1/+1"), start(), "start at 1"),
        (&format!("{EVENTS}/99999999999999999999/1"), start(), "start at 1"),
        ("table-1/matches/FINAL/events/1/1", start(), "a-z"),
    ] {
        let refused = server.put(path, &body).await;
        assert_eq!(code(&refused), (400, "invalid"), "{path} {body}");
        let message = refused.1["error"]["message"].as_str().unwrap();
        assert!(message.contains(reason), "{path} {body}: {message}");
    }
    let long = format!("{}{}", " ".repeat(BODY_LEN_MAX), start());
    let refused = answer(server.request(Method::PUT, &first).body(long)).await;
    assert_eq!(code(&refused), (413, "too-large"));
    let full = format!("{}{}", " ".repeat(BODY_LEN_MAX - start().to_string().len()), start());
    assert_eq!(answer(server.request(Method::PUT, &first).body(full)).await.0, 200);
}

#[tokio::test]
async fn only_the_channels_key_is_admitted() {
    let server = serve().await;
    let paths = [
        (Method::PUT, format!("{EVENTS}/1/1")),
        (Method::GET, EVENTS.into()),
        (Method::GET, "table-1/matches".into()),
        (Method::GET, "table-1/matches/final".into()),
        (Method::GET, STREAM.into()),
        (Method::PUT, "table-1/matches/final/scorer".into()),
    ];
    for (method, path) in &paths {
        let url = format!("{}/v1/channels/{path}", server.base);
        let bare = || server.client.request(method.clone(), &url).json(&start());
        let long = format!("{KEY}x");
        for key in [None, Some(""), Some("x"), Some(&KEY[1..]), Some(&*long)] {
            let request = if let Some(key) = key { bare().bearer_auth(key) } else { bare() };
            assert_eq!(code(&answer(request).await), (401, "bad-key"), "{path} {key:?}");
        }
        let basic = bare().header("authorization", format!("Basic {KEY}"));
        assert_eq!(code(&answer(basic).await), (401, "bad-key"));
        let response = bare().send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert!(!response.text().await.unwrap().contains(KEY));
        let without_key = path.replace("table-1", "table-2");
        let refused = answer(server.request(method.clone(), &without_key).json(&start())).await;
        assert_eq!(code(&refused), (401, "bad-key"), "a channel without a key takes no score");
        for unknown in ["table-9", "TABLE-1", "table-1%2Fx", "%00"] {
            let refused =
                answer(server.request(method.clone(), &path.replace("table-1", unknown)).json(&start()))
                    .await;
            assert_eq!(code(&refused), (404, "no-such-channel"), "{unknown}");
        }
    }
    let lower = server.client.put(format!("{}/v1/channels/{}", server.base, paths[0].1));
    let lower = lower.header("authorization", format!("bearer {KEY}")).json(&start());
    assert_eq!(answer(lower).await.0, 200, "a scheme has no case");
    assert!(!format!("{:?}", Keys::new([("a".parse().unwrap(), KEY.into())])).contains("score-key"));
}

#[tokio::test]
async fn a_disk_that_fails_is_the_scorers_to_know() {
    let server = serve().await;
    assert_eq!(server.put(&format!("{EVENTS}/1/1"), &start()).await.0, 200);
    let file = server.dir.path().join("table-1/final.jsonl");
    let away = server.dir.path().join("away");
    std::fs::rename(&file, &away).unwrap();
    let path = format!("{EVENTS}/1/2");
    let failed = server.request(Method::PUT, &path).json(&point(2000)).send().await.unwrap();
    assert_eq!(failed.headers()["retry-after"], "1");
    let failed = (failed.status().as_u16(), failed.json().await.unwrap());
    assert_eq!(code(&failed), (503, "not-stored"));
    assert!(failed.1["error"]["message"].as_str().unwrap().contains("send the same event again"));
    assert_eq!(server.get("table-1/matches/final").await.1["last"], json!({"epoch":1,"seq":1}));
    std::fs::rename(&away, &file).unwrap();
    let (status, body) = server.put(&path, &point(2000)).await;
    assert_eq!((status, &body["same"]), (200, &json!(false)));
}

#[tokio::test]
async fn who_comes_later_can_catch_up() {
    let server = serve().await;
    let missing = server.get("table-1/matches/final").await;
    assert_eq!(code(&missing), (404, "no-such-match"));
    assert_eq!(code(&server.get(EVENTS).await), (404, "no-such-match"));
    server.put(&format!("{EVENTS}/1/1"), &start()).await;
    for seq in 2..=5 {
        server.put(&format!("{EVENTS}/1/{seq}"), &point(seq * 1000)).await;
    }
    server.put(&format!("{EVENTS}/3/1"), &point(9000)).await;
    let (status, body) = server.get("table-1/matches/final").await;
    assert_eq!((status, &body["last"]), (200, &json!({"epoch":3,"seq":1})));
    assert_eq!((&body["channel"], &body["match"]), (&json!("table-1"), &json!("final")));
    assert_eq!((&body["start"]["title"], &body["state"]["sides"][0]["points"]), (&json!("Final"), &json!(5)));

    for (query, expected) in [
        ("", &[(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (3, 1)][..]),
        ("?after_epoch=1&after_seq=4", &[(1, 5), (3, 1)]),
        ("?after_seq=4&after_epoch=1", &[(1, 5), (3, 1)]),
        ("?after_epoch=2", &[(3, 1)]),
        ("?after_epoch=3&after_seq=1", &[]),
    ] {
        let (status, body) = server.get(&format!("{EVENTS}{query}")).await;
        assert_eq!((status, &body["more"]), (200, &json!(false)), "{query}");
        assert_eq!(body["last"], json!({"epoch":3,"seq":1}));
        let events = body["events"].as_array().unwrap();
        let at: Vec<_> =
            events.iter().map(|e| (e["epoch"].as_u64().unwrap(), e["seq"].as_u64().unwrap())).collect();
        assert_eq!(at, expected, "{query}");
    }
    let (_, body) = server.get(&format!("{EVENTS}?after_epoch=1&after_seq=4")).await;
    assert_eq!(body["events"][0]["event"], point(5000));
    for query in ["?after_seq=x", "?after_seq", "?since=4", "?after_seq=-1"] {
        assert_eq!(code(&server.get(&format!("{EVENTS}{query}")).await), (400, "invalid"), "{query}");
    }
}

#[tokio::test]
async fn long_logs_come_in_pages() {
    let server = serve().await;
    let (channel, match_id) = ("table-1".parse().unwrap(), "final".parse().unwrap());
    let puts = (1..=EVENTS_PAGE_MAX as u64 + 1).map(|seq| {
        let body = if seq == 1 {
            start()
        } else {
            json!({"occurred":1,"action":{"type":"points","side":0,"points":0}})
        };
        let event = Event::from_json(body.to_string().as_bytes()).unwrap();
        (Position { epoch: 1, seq }, event)
    });
    for (position, event) in puts {
        let put = server.scores.put(&channel, &match_id, position, event, UtcMs(5000)).await;
        assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
    }
    let (_, body) = server.get(EVENTS).await;
    assert_eq!((body["events"].as_array().unwrap().len(), &body["more"]), (EVENTS_PAGE_MAX, &json!(true)));
    let (_, body) = server.get(&format!("{EVENTS}?after_epoch=1&after_seq={EVENTS_PAGE_MAX}")).await;
    assert_eq!((body["events"].as_array().unwrap().len(), &body["more"]), (1, &json!(false)));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_event() {
    let server = serve().await;
    let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "PUT /v1/channels/{EVENTS}/1/1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: 500\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(start().to_string().as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(server.get("table-1/matches/final").await.0, 404);
}

/// Reads events of a stream, as a browser would.
struct Reader {
    response: reqwest::Response,
    text: String,
}

impl Reader {
    async fn open(request: RequestBuilder) -> Reader {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Reader { response, text: String::new() }
    }

    /// The next event's type, id and data; `None` at the end.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
                };
                let found = (field("event: "), field("id: "), field("data: ").parse().unwrap());
                self.text = rest.to_owned();
                return Some(found);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The next one that is no heartbeat.
    async fn news(&mut self) -> Option<(String, String, Value)> {
        loop {
            let next = self.next().await?;
            if next.0 != "heartbeat" {
                return Some(next);
            }
        }
    }
}

const STREAM: &str = "table-1/matches/final/stream";

#[tokio::test]
async fn whoever_follows_a_match_is_told_each_event_once_and_the_score_behind_it() {
    let server = serve().await;
    assert_eq!(code(&server.get(STREAM).await), (404, "no-such-match"));
    server.put(&format!("{EVENTS}/1/1"), &start()).await;
    server.put(&format!("{EVENTS}/1/2"), &point(2000)).await;
    let mut all = Reader::open(server.request(Method::GET, STREAM)).await;
    for seq in [1, 2] {
        let (event, id, data) = all.news().await.unwrap();
        assert_eq!((event, id), ("event".into(), format!("1/{seq}")));
        assert_eq!((&data["epoch"], &data["seq"]), (&json!(1), &json!(seq)));
    }
    let (event, id, data) = all.news().await.unwrap();
    assert_eq!((&*event, &*id), ("state", ""));
    assert_eq!((&data["last"]["seq"], &data["state"]["sides"][0]["points"]), (&json!(2), &json!(1)));

    // What comes while it follows, an event of another match not.
    server.put("table-1/matches/other/events/1/1", &start()).await;
    server.put(&format!("{EVENTS}/1/3"), &point(3000)).await;
    let (event, id, data) = all.news().await.unwrap();
    assert_eq!((&*event, &*id, &data["event"]), ("event", "1/3", &point(3000)));
    assert_eq!(all.news().await.unwrap().2["last"]["seq"], 3);

    // From where it was, however that is said.
    for request in [
        server.request(Method::GET, &format!("{STREAM}?after_epoch=1&after_seq=2")),
        server.request(Method::GET, STREAM).header("last-event-id", "1/2"),
        server.request(Method::GET, &format!("{STREAM}?after_epoch=1")).header("last-event-id", "1/2"),
    ] {
        let mut rest = Reader::open(request).await;
        assert_eq!(rest.news().await.unwrap().1, "1/3");
        assert_eq!(rest.news().await.unwrap().0, "state");
    }
    let mut nothing = Reader::open(server.request(Method::GET, STREAM).header("last-event-id", "1/3")).await;
    assert_eq!(nothing.news().await.unwrap().0, "state", "the score is told also where no event is new");

    for bad in ["1", "x/1", "1/2/3", ""] {
        let refused = server.request(Method::GET, STREAM).header("last-event-id", bad);
        assert_eq!(code(&answer(refused).await), (400, "invalid"), "{bad:?}");
    }
    let bare = server.client.get(format!("{}/v1/channels/{STREAM}", server.base));
    assert_eq!(code(&answer(bare).await), (401, "bad-key"));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_happens_whoever_follows_hears_that_the_origin_is_there() {
    let scores = Scores::open(TempDir::new().unwrap().path(), [("table-1".parse().unwrap(), 0)]).unwrap();
    let (channel, match_id) = ("table-1".parse().unwrap(), "final".parse().unwrap());
    let event = Event::from_json(start().to_string().as_bytes()).unwrap();
    let first = Position { epoch: 1, seq: 1 };
    scores.put(&channel, &match_id, first, event, UtcMs(5000)).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let followers = Followers::new([&channel]);
    let followed = follow::follow((scores, &followers), (channel, match_id), first, Closing::new(stopped));
    let mut chunks = followed.unwrap().into_body().into_data_stream();
    let mut next = async || {
        use futures::StreamExt as _;
        chunks.next().await.map(|chunk| String::from_utf8(chunk.unwrap().into()).unwrap())
    };
    assert!(next().await.unwrap().starts_with("event: state\n"));
    for _ in 0..3 {
        assert!(next().await.unwrap().starts_with("event: heartbeat\n"));
    }
    // The origin stops: a stream doesn't hold it up.
    stop.send_replace(true);
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn only_so_many_follow() {
    let server = serve().await;
    server.put(&format!("{EVENTS}/1/1"), &start()).await;
    let mut readers = Vec::new();
    for _ in 0..follow::FOLLOWERS_MAX {
        readers.push(Reader::open(server.request(Method::GET, STREAM)).await);
    }
    assert_eq!(code(&server.get(STREAM).await), (503, "busy"));
    // Another channel has room of its own, and one who goes makes some, once the server has noticed.
    readers.pop();
    while server.request(Method::GET, STREAM).send().await.unwrap().status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_scorer_who_falls_silent_in_a_match_is_told_of() {
    let server = serve().await;
    const SCORER: &str = "table-1/matches/final/scorer";
    let beat = |epoch: u64, pending: u32| json!({"epoch": epoch, "pending": pending});
    // Before its first event there is no match.
    let (status, body) = server.put(SCORER, &beat(1, 0)).await;
    assert_eq!((status, &body["last"]), (200, &Value::Null));
    server.put(&format!("{EVENTS}/1/1"), &start()).await;
    let (status, body) = server.put(SCORER, &beat(2, 3)).await;
    assert_eq!((status, &body["last"], &body["epoch"]), (200, &json!({"epoch":1,"seq":1}), &json!(2)));
    let now = UtcMs(body["now"].as_u64().unwrap());
    // Another match's tablet, or one that prepares the next match, hides nothing.
    assert_eq!(server.put("table-1/matches/next/scorer", &beat(1, 0)).await.0, 200);
    let scorer = server.get("table-1/matches/final").await.1["scorer"].clone();
    assert_eq!((&scorer["epoch"], &scorer["pending"]), (&json!(2), &json!(3)));

    // An event of the present scorer counts, and one who was replaced changes nothing.
    assert_eq!(server.put(&format!("{EVENTS}/2/1"), &point(2000)).await.0, 200);
    assert_eq!(server.put(SCORER, &beat(1, 0)).await.0, 200);
    let again = server.get("table-1/matches/final").await.1["scorer"].clone();
    assert_eq!((&again["epoch"], &again["pending"]), (&json!(2), &json!(3)));
    assert!(again["at"].as_u64() >= scorer["at"].as_u64());

    let unwell = |ms: u64| server.scores.unwell(now.plus_ms(ms));
    assert!(unwell(50_000).is_empty());
    let [(part, channel, text)] = &unwell(75_000)[..] else { panic!() };
    assert_eq!((*part, &**channel), ("score", "table-1"));
    assert!(text.contains("3 events waited in it") && text.contains("final"), "{text}");
    assert!(unwell(2 * 3_600_000).is_empty(), "whoever is gone for hours has gone home");
    let end = json!({"occurred":3000,"action":{"type":"end","winner":0}});
    assert_eq!(server.put(&format!("{EVENTS}/2/2"), &end).await.0, 200);
    assert!(unwell(75_000).is_empty(), "a match that is over needs no scorer");

    for bad in [json!({}), json!({"epoch":0}), json!({"epoch":1,"name":"x"}), json!({"epoch":-1}), json!([])]
    {
        assert_eq!(code(&server.put(SCORER, &bad).await), (400, "invalid"), "{bad}");
    }
}

#[tokio::test]
async fn a_take_over_is_told_before_the_first_event_of_it() {
    let server = serve().await;
    const SCORER: &str = "table-1/matches/final/scorer";
    let beat = async |epoch: u64| server.put(SCORER, &json!({"epoch":epoch,"pending":0})).await.1;
    server.put(&format!("{EVENTS}/1/1"), &start()).await;
    let mut first =
        Reader::open(server.request(Method::GET, &format!("{STREAM}?after_epoch=1&after_seq=1"))).await;
    assert_eq!(first.news().await.unwrap().0, "state");
    assert_eq!(beat(1).await["epoch"], 1);
    assert_eq!(beat(2).await["epoch"], 2);
    let (event, id, data) = first.news().await.unwrap();
    assert_eq!((&*event, &*id, data), ("scorer", "", json!({"epoch":2})));
    // Whoever was replaced hears it as well, and takes nothing back by being there. What it has sent meanwhile counts.
    assert_eq!(beat(1).await["epoch"], 2);
    assert_eq!(server.put(&format!("{EVENTS}/1/2"), &point(2000)).await.0, 200);
    assert_eq!(first.news().await.unwrap().1, "1/2");
    assert_eq!(server.get("table-1/matches/final").await.1["scorer"]["epoch"], 2);
    // Who comes later is told; an event of the new scorer says it by itself.
    let mut second =
        Reader::open(server.request(Method::GET, &format!("{STREAM}?after_epoch=1&after_seq=2"))).await;
    assert_eq!(second.news().await.unwrap().0, "state");
    assert_eq!(second.news().await.unwrap().2, json!({"epoch":2}));
    assert_eq!(server.put(&format!("{EVENTS}/2/1"), &point(3000)).await.0, 200);
    assert_eq!(second.news().await.unwrap().1, "2/1");
    let state = second.news().await.unwrap();
    assert_eq!((&*state.0, &state.2["last"]["epoch"]), ("state", &json!(2)));
}

#[tokio::test]
async fn the_newest_match_of_a_channel_is_named_first() {
    let server = serve().await;
    let before = clock::now();
    let (status, mut body) = server.get("table-1/matches").await;
    let now = UtcMs(body["now"].take().as_u64().unwrap());
    assert!(before <= now && now <= clock::now(), "its clock is told where there is no match yet");
    assert_eq!((status, body), (200, json!({"matches":[],"more":false,"now":null})));
    for n in 0..=MATCHES_PAGE_MAX {
        let path = format!("table-1/matches/m{n}/events/1/1");
        assert_eq!(server.put(&path, &start()).await.0, 200);
    }
    server.put("table-1/matches/m7/events/1/2", &point(2000)).await;
    let (status, body) = server.get("table-1/matches").await;
    let matches = body["matches"].as_array().unwrap();
    assert_eq!((status, matches.len(), &body["more"]), (200, MATCHES_PAGE_MAX, &json!(true)));
    let names: Vec<_> = matches.iter().take(3).map(|item| item["match"].as_str().unwrap()).collect();
    let last = MATCHES_PAGE_MAX;
    assert_eq!(names, ["m7".to_string(), format!("m{last}"), format!("m{}", last - 1)]);
    let accepted = |n: usize| matches[n]["accepted"].as_u64().unwrap();
    assert!(accepted(0) > accepted(1) && accepted(1) > accepted(2));
}
