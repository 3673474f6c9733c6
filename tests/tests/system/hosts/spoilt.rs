//! Objects of the Worker's that fail or fall silent, under workerd: what readers get meanwhile, and what it costs the others.

use std::time::{Duration, Instant};

use railbird_edge::Response;
use railbird_edge::copies::FAILED_MS;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::door::Http;
use super::{PLACE, PLACES, World, get};
use crate::contract::ask::{Edge, Session, now, session_of};
use crate::contract::{Door, VARIABLES, fixture};

const STATE: &str = "/origin/v1/channels/table-1/state";
const MEDIA: &str = "/live/table-1/a/source.m3u8";

/// The place whose relays are at `weur`.
const EUROPE: u64 = 2;

/// How many read at a time in each place.
const READERS: u64 = 4;

/// A failure of the test, not a figure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pushes the state of now, whose list goes on by so many segments; gives what its playlist begins with.
async fn push(world: &World, later: u64) -> String {
    let (door, now) = (Http(world.addr), now());
    let at = now.plus_ms(later * u64::from(fixture::SEGMENT_MS));
    let state = fixture::state("table-1", now.0, at, [true, true]);
    Edge::new(&door).push(STATE, &state).await.status(204);
    format!("#EXT-X-MEDIA-SEQUENCE:{}\n", state["renditions"][0]["first_msn"])
}

fn viewer(place: u64) -> Session {
    session_of(&format!("viewer-{place}@railbird.test"), &["*"])
}

async fn read(world: &World, place: u64) -> Response {
    let mut request = get(MEDIA);
    request.headers = vec![viewer(place).cookie(), (PLACE.to_string(), place.to_string())];
    Http(world.addr).call(request).await.unwrap()
}

/// The playlists that readers in every place get, all at the same time.
async fn read_everywhere(world: &World) -> Vec<String> {
    let mut reading = JoinSet::new();
    for n in 0..PLACES * READERS {
        let addr = world.addr;
        reading.spawn(async move {
            let mut request = get(MEDIA);
            let place = n % PLACES;
            request.headers = vec![viewer(place).cookie(), (PLACE.to_string(), place.to_string())];
            Http(addr).call(request).await.unwrap()
        });
    }
    let playlist = |answer: Response| {
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{text}");
        text
    };
    reading.join_all().await.into_iter().map(playlist).collect()
}

/// Reads everywhere until all get a playlist that begins so.
async fn all_have(world: &World, beginning: &str) {
    let begun = Instant::now();
    while !read_everywhere(world).await.iter().all(|playlist| playlist.contains(beginning)) {
        assert!(begun.elapsed() < PATIENCE, "not all have the playlist with {beginning}");
    }
}

async fn begun() -> (World, String) {
    let world = World::start().await;
    let door = Http(world.addr);
    Edge::new(&door).push("/origin/v1/event", &fixture::event(now().0)).await.status(204);
    let pushed = push(&world, 0).await;
    all_have(&world, &pushed).await;
    (world, pushed)
}

/// Each relay gives its last copy, asks again once in a while, and makes no reader wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_one_object_does_not_answer_every_region_has_its_last_copy() {
    let (world, mut pushed) = begun().await;
    for (later, how) in [(2, "fails"), (4, "silent")] {
        let cell = "cell channel/table-1";
        world.spoil(cell, how).await;
        let (before, begun) = (world.counted(cell).await, Instant::now());
        let (mut reads, mut asked) = (0, 0);
        // Until each relay has asked in vain and has asked again.
        while asked < 3 * PLACES {
            let playlists = read_everywhere(&world).await;
            assert!(playlists.iter().all(|playlist| playlist.contains(&pushed)), "{how}");
            reads += playlists.len() as u64;
            asked = world.counted(cell).await - before;
            assert!(begun.elapsed() < PATIENCE, "{how}: {asked} requests reached the object");
        }
        let most = PLACES * (u64::try_from(begun.elapsed().as_millis()).unwrap() / FAILED_MS + 2);
        println!("{how}: {reads} reads, {asked} requests reached the object, at most {most}");
        assert!(asked <= most, "{how}: {asked} requests reached the object, more than {most}");
        world.spoil(cell, "well").await;
        pushed = push(&world, later).await;
        all_have(&world, &pushed).await;
    }
    world.stop().await;
}

/// A region whose relay is gone hears of what is new all the same, and no other region asks the one object for it.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_relay_is_gone_readers_come_past_it() {
    let (world, _) = begun().await;
    world.spoil("relay weur/channel/", "fails").await;
    for later in [2, 4] {
        let pushed = push(&world, later).await;
        all_have(&world, &pushed).await;
    }
    // What the other regions ask of their own relays goes on beside it.
    let (relay, cell) = ("relay weur/channel/table-1", "cell channel/table-1");
    let (tried, before, begun) = (world.counted(relay).await, world.counted(cell).await, Instant::now());
    let mut reads = 0;
    while world.counted(relay).await - tried < 3 {
        assert_eq!(read(&world, EUROPE).await.status, 200);
        reads += 1;
        assert!(begun.elapsed() < PATIENCE, "the relay is tried again");
    }
    let asked = world.counted(cell).await - before;
    println!("{reads} reads past the relay: {asked} requests reached the object");
    assert!(asked > 0 && asked < reads / 2 + 4, "{asked} requests reached the object for {reads} reads");
    world.stop().await;
}

/// Who asked for a turn and was refused knows that from then on, whatever its relay says.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_was_refused_is_not_asked_for_again() {
    // An origin that is not there.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let variables: Vec<_> = VARIABLES.iter().copied().chain([("origin_urls", &*origin)]).collect();
    let world = World::start_with(&variables).await;
    let door = Http(world.addr);
    Edge::new(&door).push("/origin/v1/event", &fixture::event(now().0)).await.status(204);
    // Of turns, the region of this place hears nothing.
    world.spoil("relay weur/turn/", "absent").await;
    assert_eq!(read(&world, EUROPE + 1).await.status, 404, "the channel has not begun");
    let turns = "cell turn/";
    let had = world.counted(turns).await;
    assert!(had > 0, "the first reader has its turn");
    const READS: u64 = 40;
    for _ in 0..READS {
        assert_eq!(read(&world, EUROPE).await.status, 404);
    }
    let asked = world.counted(turns).await - had;
    println!("{READS} reads: {asked} requests for a turn");
    assert!((1..READS / 4).contains(&asked), "{asked} requests for a turn in {READS} reads");
    world.stop().await;
}
