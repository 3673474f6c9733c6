//! Names that viewers send: what is looked for by them, and what a host remembers of those that are good.

use alloc::rc::Rc;

use super::*;

const EVENT: &str = "/origin/v1/event";
const STATE: &str = "/origin/v1/channels/table-1/state";

/// Everything of a channel that has an address.
fn all_of(channel: &str) -> Vec<(&'static str, String)> {
    let mut all: Vec<_> = [
        format!("/live/{channel}/main.m3u8"),
        format!("/live/{channel}/a/source.m3u8"),
        format!("/live/{channel}/a/source.m3u8?_HLS_msn=1"),
        format!("/live/{channel}/score.json"),
        format!("/live/{channel}/score.m3u8"),
        format!("/replay/{channel}/r-1/score.json"),
        format!("/replay/{channel}/r-1/score.m3u8"),
        format!("/replay/{channel}/r-1/score/9-9.vtt"),
        format!("/live/{channel}/nodes.json"),
        format!("/replay/{channel}/r-1/main.m3u8"),
        format!("/replay/{channel}/r-1/a/source.m3u8"),
        format!("/key/{channel}/1"),
        format!("/steer/{channel}"),
        format!("/watch/{channel}"),
        format!("/watch/{channel}/r-1"),
    ]
    .map(|path| ("GET", path))
    .into();
    all.push(("POST", format!("/live/{channel}/beacons")));
    all
}

fn event(channels: &[&str]) -> Value {
    let channels: Vec<Value> = channels.iter().map(|id| json!({"id": id, "title": "T"})).collect();
    json!({"event": "open", "title": "Open", "revision": channels.len(), "channels": channels})
}

impl Fixture<'_> {
    fn ask_all(&self, channel: &str, status: u16) {
        let cookie = format!("__Host-railbird={}", session(NOW.seconds() + 3600));
        let headers = [("cookie", &*cookie), ("content-type", "application/cmcd")];
        for (method, path) in all_of(channel) {
            assert_eq!(self.ask(method, &path, &headers, b"e=rr").status, status, "{path}");
        }
    }
}

#[test]
fn by_a_name_that_no_origin_ever_said_nothing_is_looked_for() {
    let north = ("origin_urls", "https://north.test");
    for more in [&[][..], &[north], &[north, ("probe_every_s", "10")]] {
        let probe = Probe::default();
        let edge = Fixture::with(&probe, more);
        for known in [&[][..], &["table-1"]] {
            if !known.is_empty() {
                edge.push(EVENT, &event(known));
            }
            probe.cells.borrow_mut().clear();
            for n in 0..3 {
                edge.ask_all(&format!("made-up-{n}"), 404);
                let request = Request {
                    method: "GET".into(),
                    path: format!("/t/{}/live/made-up-{n}/nodes.json", session(u64::MAX)),
                    ..Request::default()
                };
                let line = ready(edge.edge.admit(&request, &Moment { now: NOW, entropy: [7; 32] }));
                assert_eq!(code(&line.unwrap_err()), "no-such-channel");
            }
            let cells = probe.cells.borrow();
            let own = cells.iter().filter(|cell| cell.table == Table::Holder).map(|cell| &cell.key);
            assert_eq!(own.collect::<std::collections::BTreeSet<_>>().len(), 1, "of the session");
            let others = cells.iter().filter(|cell| cell.table != Table::Holder);
            // Where no event is known, origins are asked for it, in turns.
            let of_all = |cell: &Cell| matches!(cell.table, Table::Event | Table::Turn);
            assert!(others.clone().all(of_all), "{cells:?}");
            let names: std::collections::BTreeSet<_> = others.map(|cell| &cell.key).collect();
            // The event, what was told beside it, the turn to ask for it, and the clock of the origin that is asked.
            assert!(names.len() <= 4, "{names:?}");
            assert!(probe.inner.asked().iter().all(|(url, _)| url == "https://north.test/origin/v1/event"));
        }
    }
}

#[test]
fn a_stranger_and_a_pass_without_the_channel_ask_for_nothing_by_its_name() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    edge.push(EVENT, &event(&["table-1"]));
    probe.cells.borrow_mut().clear();
    let mut claims = token::open(&settings().session, &session(u64::MAX)).unwrap();
    claims.channels = Coverage::try_from(vec!["table-2".to_string()]).unwrap();
    let narrow = format!("__Host-railbird={}", token::mint(&settings().session, &claims));
    for (method, path) in all_of("table-1") {
        assert!([401, 303].contains(&edge.ask(method, &path, &[], b"").status), "{path}");
        assert_eq!(edge.ask(method, &path, &[("cookie", &narrow)], b"").status, 403, "{path}");
    }
    assert!(probe.cells.borrow().iter().all(|cell| cell.table == Table::Holder));
}

#[test]
fn an_instance_reads_once_which_channels_there_are() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    edge.push(EVENT, &event(&["table-1", "table-2"]));
    edge.push(STATE, &state("live", &[1]));
    let instance: Rc<Instance> = Rc::default();
    let asked = |instance: Rc<Instance>, path: &str| {
        probe.cells.borrow_mut().clear();
        let edge = Edge::new(Ok(settings()), &probe).of_instance(instance);
        Fixture { edge, now: NOW }.get(path);
        probe.cells.borrow().iter().map(|cell| cell.table).collect::<Vec<_>>()
    };
    let playlist = "/live/table-1/a/source.m3u8";
    let before = [Table::Holder, Table::Channel, Table::Health];
    assert_eq!(
        asked(instance.clone(), playlist),
        [Table::Holder, Table::Event, Table::Channel, Table::Health]
    );
    assert_eq!(asked(instance.clone(), playlist), before);
    assert_eq!(asked(instance.clone(), "/key/table-2/1")[..2], [Table::Holder, Table::Channel]);
    // A name that is not known yet may be by now.
    assert_eq!(asked(instance.clone(), "/steer/table-3"), [Table::Holder, Table::Event, Table::Event]);
    edge.push(EVENT, &event(&["table-1", "table-2", "table-3"]));
    assert_eq!(asked(instance, "/steer/table-3")[..3], [Table::Holder, Table::Event, Table::Channel]);
}

#[test]
fn a_channel_stays_known_once_an_origin_spoke_of_it() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let code_of = |path: &str| {
        let edge = Fixture { edge: Edge::new(Ok(settings()), &probe), now: NOW };
        let answer = edge.get(path);
        if answer.status == 200 { "ok".to_string() } else { code(&answer) }
    };
    const SCORE: &str = "/live/table-1/score.json";
    assert_eq!(code_of(SCORE), "no-such-channel");
    // By whatever it says first, in whatever order that comes.
    assert_eq!(edge.push("/origin/v1/channels/table-1/replays", &replays(1, 1)).status, 204);
    assert_eq!(code_of(SCORE), "no-score");
    assert_eq!(code_of("/live/table-1/main.m3u8"), "not-started");
    edge.push("/origin/v1/channels/table-1/replays/r-1/0", &chapter(0, 30));
    assert_eq!(code_of("/replay/table-1/r-1/main.m3u8"), "ok");
    // What is announced, and what no longer is.
    edge.push(EVENT, &event(&["table-2"]));
    assert_eq!([code_of("/steer/table-1"), code_of("/steer/table-2")], ["not-started"; 2]);
    edge.push(EVENT, &event(&["table-3", "table-4"]));
    assert_eq!([code_of("/steer/table-2"), code_of("/steer/table-3")], ["not-started"; 2]);
    assert_eq!(code_of("/replay/table-1/r-1/main.m3u8"), "ok");
    assert_eq!(code_of("/steer/table-5"), "no-such-channel");
}

#[test]
fn where_nobody_can_say_which_channels_there_are_viewers_play_on() {
    let probe = Probe::default();
    Fixture::new(&probe).push(STATE, &state("live", &[1]));
    probe.failing_table.set(Some(Table::Event));
    let edge = Fixture::new(&probe);
    for path in ["/live/table-1/main.m3u8", "/live/table-1/a/source.m3u8", "/steer/table-1", "/key/table-1/1"]
    {
        assert_eq!(edge.get(path).status, 200, "{path}");
    }
    assert_eq!(code(&edge.get("/live/made-up/main.m3u8")), "not-started");
}

#[test]
fn of_two_that_were_told_at_the_same_moment_the_one_that_was_lost_is_told_again() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    edge.push(STATE, &state("live", &[1]));
    // As if another channel's had been written over it.
    let told = Cell { table: Table::Event, key: "told".into() };
    ready(probe.inner.put(&told, b"{\"voices\":[],\"told\":[\"table-2\"]}".to_vec(), None)).unwrap();
    let get = || Fixture::new(&probe).get("/live/table-1/main.m3u8").status;
    assert_eq!(get(), 404);
    edge.push(STATE, &state("live", &[1]));
    assert_eq!(get(), 200);
}

#[test]
fn what_was_refused_makes_no_channel_known() {
    let probe = Probe::default();
    let edge = Fixture::new(&probe);
    let refused = edge.ask("PUT", STATE, &[], state("live", &[1]).to_string().as_bytes());
    assert_eq!(refused.status, 401);
    let other = "/origin/v1/channels/table-2/state";
    assert_eq!(edge.push(other, &state("live", &[1])).status, 400);
    edge.ask_all("table-1", 404);
    edge.ask_all("table-2", 404);
    assert!(probe.inner.is_empty());
}
