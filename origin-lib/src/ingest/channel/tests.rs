use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;

/// Longer than anything here takes; a test that waits this long has failed.
pub(in crate::ingest) const PATIENCE: Duration = Duration::from_secs(60);

fn config(id: &str, key: &str) -> config::Channel {
    config::Channel {
        id: id.parse().unwrap(),
        title: "T".into(),
        segment_ms: 2000,
        target_s: None,
        part_ms: None,
        preload_hints: false,
        iframes: false,
        silence: false,
        source: "source".parse().unwrap(),
        audio_only: false,
        voices: Vec::new(),
        views: Vec::new(),
        companions: Vec::new(),
        ladder: Vec::new(),
        key_period_s: 60,
        dvr_s: 60,
        picture_delay_ms: 0,
        score_offset_ms: 0,
        score_key: None,
        score_emsg: false,
        system: None,
        feeds: vec![config::Feed { stream_key: config::Secret::new(key), role: Role::Primary, call: None }],
        stall_ms: 1000,
        steady_ms: 10_000,
    }
}

fn output(dir: &std::path::Path, desk: Sender) -> Output {
    Output {
        spool: Spool::start(dir, BTreeMap::new(), |_| {}).unwrap(),
        desk,
        secret: MasterSecret::new(b"0123456789abcdef").unwrap(),
        metrics: Metrics::new(),
        pair: None,
        ladders: Ladders::default(),
        promises: BTreeMap::new(),
        sounds: BTreeMap::new(),
        anchored: Arc::new(|_, _, _| {}),
    }
}

fn channel(dir: &std::path::Path, desk: Sender) -> Arc<Channel> {
    let (config, output) = (config("t", "key"), output(dir, desk));
    Arc::new(Channel::new(&config, output, Resume::default(), Vec::new(), None))
}

/// Lets in those who know one of these stream keys, each of which is also its channel's name.
pub(in crate::ingest) fn door(dir: &std::path::Path, keys: &[&str]) -> super::super::Door {
    let configs: Vec<_> = keys.iter().map(|key| config(key, key)).collect();
    let output = output(dir, driver::channel().0);
    let channels = Channels::new(&configs, &output, |_| Resume::default(), |_| Vec::new(), |_| None);
    super::super::Door::new(super::super::Registry::new(&configs), channels)
}

/// The next phase that the desk is told.
async fn phase(messages: &mut mpsc::Receiver<Message>) -> Phase {
    loop {
        match timeout(PATIENCE, messages.recv()).await.unwrap().unwrap() {
            Message::Phase { phase, .. } => return phase,
            _ => continue,
        }
    }
}

#[tokio::test]
async fn a_phase_that_the_desk_has_no_room_for_is_told_once_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let (desk, mut messages) = driver::channel();
    let fill = || while desk.try_send(Message::Removed("a".parse().unwrap())).is_ok() {};
    let channel = channel(dir.path(), desk.clone());
    fill();
    let publish = channel.begin(Role::Primary);
    assert_eq!(phase(&mut messages).await, Phase::Live);
    // Nothing more happens on the channel once its feed has ended.
    fill();
    channel.end(publish, End::InOrder);
    assert_eq!(phase(&mut messages).await, Phase::Waiting);
    // What changes and changes back before there is room is nothing to tell.
    fill();
    let publish = channel.begin(Role::Primary);
    channel.end(publish, End::InOrder);
    let publish = channel.begin(Role::Primary);
    assert_eq!(phase(&mut messages).await, Phase::Live);
    channel.end(publish, End::InOrder);
    assert_eq!(phase(&mut messages).await, Phase::Waiting);
}
