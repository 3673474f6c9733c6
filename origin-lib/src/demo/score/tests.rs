use railbird_core::score::{Document, Phase};
use railbird_core::score::{Log, Offer, Position};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::api::score::{Keys, router};
use crate::score::Scores;

const KEY: &str = "a-score-key-of-table-1";

#[test]
fn the_match_is_the_published_one() {
    let mut log = Log::new();
    for (seq, action) in (1..).zip(actions()) {
        let event = Event { occurred: clock::now(), entered: None, scorer: None, action, state: None };
        assert_eq!(log.offer(Position { epoch: 1, seq }, event, None), Offer::Accept, "{seq}");
    }
    let state = log.state().unwrap();
    assert_eq!((state.phase, state.winner), (Phase::Finished, Some(Side::First)));
    assert_eq!(
        state.sides.map(|s| (s.points, s.innings, s.high_run, s.shootout)),
        [(40, 11, 16, Some(5)), (40, 11, 14, Some(2))]
    );
}

async fn serve(scores: Scores, channel: &ChannelId) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let router = router(scores, Keys::new([(channel.clone(), KEY.into())]));
    tokio::spawn(async move { axum::serve(listener, router).await });
    base_url
}

#[tokio::test]
async fn the_match_is_played_again_and_again() {
    let dir = TempDir::new().unwrap();
    let channel: ChannelId = "table-1".parse().unwrap();
    let scores = Scores::open(dir.path(), [(channel.clone(), 0)]).unwrap();
    let replay = Replay {
        base_url: serve(scores.clone(), &channel).await,
        channel: channel.clone(),
        key: KEY.into(),
        step: Duration::ZERO,
    };
    let mut documents = scores.subscribe(&channel).unwrap();
    // A second run finds the matches of the first and goes on with the next number.
    for played in [1, 2] {
        let (stop, stopped) = oneshot::channel::<()>();
        let replay = replay.clone();
        let run = tokio::spawn(super::replay(replay, async move {
            let _ = stopped.await;
        }));
        let name = format!("nelin-cho-{}", played * 2);
        let finished = |document: &Document| {
            let state = document.entries.last().map(|entry| entry.state.phase);
            document.match_id.as_str() == name && state == Some(Phase::Finished)
        };
        let is = |document: &Option<_>| document.as_deref().is_some_and(finished);
        documents.wait_for(is).await.unwrap();
        stop.send(()).unwrap();
        run.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_refused_replay_ends_with_the_reason() {
    let dir = TempDir::new().unwrap();
    let channel: ChannelId = "table-1".parse().unwrap();
    let scores = Scores::open(dir.path(), [(channel.clone(), 0)]).unwrap();
    let base_url = serve(scores, &channel).await;
    let replay = Replay { base_url, channel, key: "another key".into(), step: Duration::ZERO };
    let error = super::replay(replay, std::future::pending()).await.unwrap_err().to_string();
    assert!(error.contains("401") && !error.contains("another key"), "{error}");
}
