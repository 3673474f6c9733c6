use std::collections::BTreeMap;
use std::sync::Mutex;

use railbird_core::time::UtcMs;

use super::*;
use crate::store::{Answer, Memory, Pending, Trace};

const NOW: UtcMs = UtcMs(1_795_171_920_000);

fn pair(store: &Arc<impl Store + 'static>, origin: &str) -> Pair {
    Pair::new(store.clone(), origin.parse().unwrap())
}

fn id() -> ChannelId {
    "t".parse().unwrap()
}

/// Random numbers of a seed (splitmix64).
struct Seed(u64);

impl Seed {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// A store in virtual time: each request takes effect somewhere between its begin and its answer.
struct Slow {
    objects: Mutex<BTreeMap<String, Object>>,
    seed: Mutex<Seed>,
    /// The longest way there, and back, in milliseconds.
    ms: u64,
    honours: bool,
}

impl Slow {
    fn new(seed: u64, ms: u64, honours: bool) -> Slow {
        Slow { objects: Mutex::default(), seed: Mutex::new(Seed(seed)), ms, honours }
    }

    fn act<'a, T: Send + 'a>(
        self: &'a Slow,
        act: impl FnOnce(&mut BTreeMap<String, Object>) -> T + Send + 'a,
    ) -> Pending<'a, T> {
        let way = |seed: &mut Seed| Duration::from_millis(seed.below(self.ms + 1));
        let mut seed = self.seed.lock().unwrap();
        let (there, back) = (way(&mut seed), way(&mut seed));
        Box::pin(async move {
            sleep(there).await;
            let result = Ok(act(&mut self.objects.lock().unwrap()));
            sleep(back).await;
            Answer { result, trace: Trace::default() }
        })
    }
}

impl Store for Slow {
    fn put(&self, object: Object) -> Pending<'_, ()> {
        self.act(|objects| drop(objects.insert(object.name.clone(), object)))
    }

    fn create(&self, object: Object) -> Pending<'_, Created> {
        self.act(|objects| {
            if self.honours && objects.contains_key(&object.name) {
                return Created::Exists;
            }
            objects.insert(object.name.clone(), object);
            Created::Written
        })
    }

    fn get<'a>(&'a self, name: &'a str, _: usize) -> Pending<'a, Option<Bytes>> {
        self.act(|objects| objects.get(name).map(|object| object.body.clone()))
    }

    fn list<'a>(&'a self, prefix: &'a str, max: usize) -> Pending<'a, Vec<String>> {
        self.act(move |objects| {
            objects.keys().filter(|name| name.starts_with(prefix)).take(max).cloned().collect()
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        self.act(|objects| drop(objects.remove(name)))
    }

    fn place(&self) -> String {
        "a slow store".into()
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_origin_adopts_what_the_first_wrote() {
    let store = Arc::new(Memory::default());
    let (north, south) = (pair(&store, "north"), pair(&store, "south"));
    let first = Anchor { feed_ms: 1000, utc: NOW };
    assert_eq!(north.anchor(&id(), Role::Primary, first).await, Some(first));
    // It joins an hour later, and its clock is a second behind.
    let later = Anchor { feed_ms: 3_601_000, utc: NOW.plus_ms(3_599_000) };
    assert_eq!(south.anchor(&id(), Role::Primary, later).await, Some(first));
    // The backup's feed is another one, and so is the primary's after its encoder's clock began again.
    assert_eq!(south.anchor(&id(), Role::Backup, later).await, Some(later));
    let again = Anchor { feed_ms: 0, utc: NOW.plus_ms(3_700_000) };
    assert_eq!(south.anchor(&id(), Role::Primary, again).await, Some(again));
    let seen = Anchor { feed_ms: 40, utc: NOW.plus_ms(3_700_100) };
    assert_eq!(north.anchor(&id(), Role::Primary, seen).await, Some(again));
    // Both still know the first.
    assert_eq!(north.anchor(&id(), Role::Primary, later).await, Some(first));
    let names = store.names();
    let names: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix("t/anchors/primary/")).collect();
    assert_eq!(names, ["9999999998.json", "9999999999.json"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_anchor_is_passed_over() {
    let store = Arc::new(Memory::default());
    let strange = |n: u32| Object {
        name: format!("t/anchors/primary/{n:010}.json"),
        body: Bytes::from_static(b"{}"),
        content_type: "application/json",
        cache_control: "no-store",
    };
    assert!(store.put(strange(5)).await.result.is_ok());
    let mine = Anchor { feed_ms: 0, utc: NOW };
    assert_eq!(pair(&store, "north").anchor(&id(), Role::Primary, mine).await, Some(mine));
    assert!(store.names().iter().any(|name| name == "t/anchors/primary/0000000004.json"));
}

/// Two origins that see a feed within a second and a half of each other, at a store that takes up to `ms` each way.
async fn race(seed: u64, ms: u64, honours: bool) -> [(Anchor, Option<Anchor>); 2] {
    let mut random = Seed(seed);
    let starts = [random.below(1500), random.below(1500)];
    let store = Arc::new(Slow::new(random.0, ms, honours));
    let ask = async |name: &str, start: u64| {
        let pair = pair(&store, name);
        pair.prepare().await;
        sleep(Duration::from_millis(start)).await;
        let mine = Anchor { feed_ms: start.cast_signed(), utc: NOW.plus_ms(start + name.len() as u64) };
        (mine, pair.anchor(&id(), Role::Primary, mine).await)
    };
    let (north, south) = tokio::join!(ask("north", starts[0]), ask("the-south", starts[1]));
    [north, south]
}

#[tokio::test(start_paused = true)]
async fn invariant_3_two_origins_agree_or_the_slower_one_says_so() {
    for honours in [true, false] {
        for ms in [5, 50, 120, 300, 500, 1000] {
            let mut agreed = 0;
            for seed in 0..400 {
                let [north, south] = race(seed, ms, honours).await;
                match (north.1, south.1) {
                    (Some(one), Some(other)) => {
                        assert_eq!(one, other, "seed {seed}, up to {ms} ms, honours: {honours}");
                        agreed += 1;
                    }
                    // At least one gave up and said so.
                    _ => assert!(ms >= 120, "seed {seed}, up to {ms} ms, honours: {honours}"),
                }
            }
            assert!(agreed > 0 || ms >= 500, "up to {ms} ms, honours: {honours}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_dead_holds_nobody_up() {
    let store = Arc::new(Slow::new(1, 1 << 40, true));
    let began = Instant::now();
    let mine = Anchor { feed_ms: 0, utc: NOW };
    assert_eq!(pair(&store, "north").anchor(&id(), Role::Primary, mine).await, None);
    assert!(began.elapsed() <= Duration::from_millis(ANCHOR_MS_MAX));
}
