//! The webhook of other scoring systems: their state, as they have it, whenever it changes.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Json;
use axum::routing::post;
use railbird_core::score::foreign::LEN_MAX;
use serde_json::{Value, json};

use super::{Api, Followers, Keys, Refusal, SYSTEM, read};
use crate::clock;
use crate::score::Scores;
use crate::systems::{Systems, TakeError, Taken};

/// The route of the webhook.
pub fn router(systems: Systems, scores: Scores, keys: Keys) -> Router {
    let api = Api { followers: Followers::new(scores.channels()), scores, keys };
    Router::new().route(SYSTEM, post(take)).with_state((api, systems))
}

async fn take(
    State((api, systems)): State<(Api, Systems)>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let channel = api.admit_to(&channel, &headers)?;
    let body = read(body, LEN_MAX).await?;
    let Taken { r#match, events, last, state } = systems.take(&channel, &body, clock::now()).await?;
    Ok(Json(json!({"match": r#match, "events": events, "last": last, "state": state})))
}

impl From<TakeError> for Refusal {
    fn from(error: TakeError) -> Refusal {
        let refusal = |status, code| Refusal::new(status, code, &error);
        match error {
            TakeError::Put(error) => error.into(),
            TakeError::NoSystem => refusal(StatusCode::NOT_FOUND, "no-system"),
            TakeError::Unread(_) => refusal(StatusCode::BAD_REQUEST, "invalid"),
            TakeError::Unreached(_) => refusal(StatusCode::CONFLICT, "unreached"),
            TakeError::Raced => refusal(StatusCode::CONFLICT, "conflict"),
            TakeError::Late => refusal(StatusCode::SERVICE_UNAVAILABLE, "not-confirmed"),
            TakeError::Read(ref cause) => {
                tracing::error!(error = %cause, "a score log can't be read");
                refusal(StatusCode::SERVICE_UNAVAILABLE, "not-readable")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use railbird_core::id::ChannelId;
    use railbird_core::score::foreign::Mapping;
    use reqwest::Client;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;
    use crate::api::score::tests::described;
    use crate::systems::pull::Pull;

    const KEY: &str = "a-score-key-of-table-1";

    fn channel() -> ChannelId {
        "table-1".parse().unwrap()
    }

    fn mapping() -> Mapping {
        let pointer = |text: &str| text.parse().unwrap();
        Mapping {
            discipline: railbird_core::score::Discipline::ThreeCushion,
            r#match: pointer("/id"),
            names: ["/a/name", "/b/name"].map(pointer),
            countries: None,
            points: Some(["/a/points", "/b/points"].map(pointer)),
            units: None,
            best_of: None,
            race_to: None,
            shootout: Some(["/a/extra", "/b/extra"].map(pointer)),
            inning: Some(pointer("/inning")),
            at_table: Some(pointer("/plays")),
            at_table_is: ["a", "b"].map(String::from),
            target: Some(pointer("/target")),
            finished: None,
        }
    }

    fn state(points: [i32; 2], inning: u32, plays: &str) -> Value {
        json!({"id":"WC 2026/7","a":{"name":"Nelin","points":points[0]},"b":{"name":"Cho","points":points[1].to_string()},
            "inning":inning,"plays":plays,"target":40})
    }

    struct Server {
        base: String,
        systems: Systems,
        scores: Scores,
        _dir: TempDir,
    }

    async fn listen(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        base
    }

    async fn serve() -> Server {
        let dir = TempDir::new().unwrap();
        let other: ChannelId = "table-2".parse().unwrap();
        let scores = Scores::open(dir.path(), [(channel(), 0), (other.clone(), 0)]).unwrap();
        let systems = Systems::new(scores.clone(), [(channel(), mapping())]);
        let keys = Keys::new([channel(), other].map(|channel| (channel, KEY.into())));
        let base = listen(router(systems.clone(), scores.clone(), keys)).await;
        Server { base, systems, scores, _dir: dir }
    }

    impl Server {
        async fn post(&self, channel: &str, key: &str, body: impl ToString) -> (u16, Value) {
            let path = format!("/v1/channels/{channel}/system");
            let body = body.to_string();
            let client = Client::builder().no_proxy().build().unwrap();
            let request = client.post(format!("{}{path}", self.base)).bearer_auth(key).body(body.clone());
            let answer = request.send().await.unwrap();
            let (status, said) = (answer.status().as_u16(), answer.json().await.unwrap());
            described::check(&reqwest::Method::POST, &path, Some(body.as_bytes()), (status, &said));
            (status, said)
        }
    }

    #[tokio::test]
    async fn states_of_another_system_become_events_and_the_same_state_twice_none() {
        let server = serve().await;
        let steps = [
            (state([0, 0], 1, "a"), 1),
            (state([2, 0], 1, "a"), 1),
            (state([2, 0], 1, "a"), 0),
            (state([2, 3], 1, "b"), 2),
            (state([2, 2], 1, "b"), 1),
            (state([2, 2], 2, "a"), 1),
        ];
        for (state, events) in steps {
            let (status, said) = server.post("table-1", KEY, &state).await;
            assert_eq!((status, &said["events"]), (200, &json!(events)), "{state}: {said}");
        }
        let name = server.scores.matches(&channel(), 1).remove(0).0;
        let log = server.scores.log(&channel(), &name).await.unwrap().unwrap();
        let score = log.state().unwrap();
        assert_eq!((score.sides.map(|side| side.points), score.inning), ([2, 2], 2));
        assert!(name.as_str().starts_with("wc-2026-7-"), "{name}");
    }

    #[tokio::test]
    async fn what_can_not_be_is_refused_and_says_why() {
        let server = serve().await;
        server.post("table-1", KEY, state([2, 0], 1, "a")).await;
        for (channel, key, body, status, code) in [
            ("table-1", "wrong", state([2, 0], 1, "a").to_string(), 401, "bad-key"),
            ("table-2", KEY, state([2, 0], 1, "a").to_string(), 404, "no-system"),
            ("table-3", KEY, String::new(), 404, "no-such-channel"),
            ("table-1", KEY, "{".into(), 400, "invalid"),
            ("table-1", KEY, "{}".into(), 400, "invalid"),
            ("table-1", KEY, state([41, 0], 1, "a").to_string(), 409, "unreached"),
            ("table-1", KEY, " ".repeat(LEN_MAX + 1), 413, "too-large"),
        ] {
            let (was, said) = server.post(channel, key, &body).await;
            assert_eq!((was, said["error"]["code"].as_str()), (status, Some(code)), "{said}");
        }
        let (_, said) = server.post("table-1", KEY, state([2, 0], 1, "a")).await;
        assert_eq!(said["events"], 0, "nothing of that was taken");
    }

    #[tokio::test]
    async fn an_address_is_asked_and_what_has_not_changed_is_not_sent_again() {
        let server = serve().await;
        let asked = Arc::new(AtomicU64::new(0));
        let answers = asked.clone();
        let theirs = get(move |headers: HeaderMap| {
            let asked = asked.fetch_add(1, Ordering::Relaxed);
            async move {
                match headers.get("if-none-match") {
                    Some(etag) if etag == "\"1\"" && asked == 1 => Err(StatusCode::NOT_MODIFIED),
                    _ if asked == 2 => Err(StatusCode::INTERNAL_SERVER_ERROR),
                    _ => Ok(([("etag", "\"1\"")], state([3, 0], 1, "a").to_string())),
                }
            }
        });
        let url = format!("{}/match", listen(Router::new().route("/match", theirs)).await);
        let mut pull = Pull::new(server.systems.clone(), channel(), url).unwrap();
        assert_eq!(pull.ask().await, Ok(2));
        assert_eq!(pull.ask().await, Ok(0));
        assert!(pull.ask().await.unwrap_err().contains("500"));
        assert_eq!(pull.ask().await, Ok(0));
        assert_eq!(answers.load(Ordering::Relaxed), 4);
    }
}
