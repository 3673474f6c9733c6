use railbird_core::time::UtcMs;
use reqwest::{Client, Method, RequestBuilder};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

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
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/json");
    (status, answer.json().await.unwrap())
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
        (Method::GET, "table-1/matches/final".into()),
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
