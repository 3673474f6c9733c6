use bytes::Bytes;
use railbird_core::captions::Captions;
use railbird_core::package::Object;
use railbird_core::publish::Init;
use railbird_core::recording::CHAPTER_SEGMENTS;

use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_000);
const SEGMENT: MediaSpan = MediaSpan::from_ms(2000);

fn at(n: usize) -> MediaTime {
    NOW.plus_ms(2000 * n as u64).media()
}

fn low() -> RenditionId {
    "low".parse().unwrap()
}

/// A shelf, and how many objects it has.
struct House(Shelf, u32);

impl House {
    fn new() -> House {
        House::making(vec![low()])
    }

    fn making(rungs: Vec<RenditionId>) -> House {
        let head = Head {
            channel: "t".parse().unwrap(),
            recording: "20261120t105200z".parse().unwrap(),
            rendition: "source".parse().unwrap(),
            segment_ms: 2000,
            key_period_s: 60,
            msn_min: 0,
        };
        let plan = Plan {
            origin: "north".parse().unwrap(),
            title: "T".into(),
            part_ms: None,
            preload_hints: false,
            window_s: 20,
            end_after_ms: 0,
            rungs,
            rotate_at: u32::MAX,
            promise: Promise::default(),
        };
        let node = Node::new("a".parse().unwrap(), "http://a".to_string(), true);
        let nodes = Nodes::from([("a".parse().unwrap(), node)]);
        House(Shelf::new(Arc::new(plan), Reel::new(head), &nodes, NOW, &mut Vec::new()), 0)
    }

    /// Made, stored, and at the target.
    fn put(&mut self, kind: package::Kind) {
        let n = self.store(kind);
        self.ack(n, NOW);
    }

    fn ack(&mut self, n: u32, now: UtcMs) {
        self.0.acked(&"a".parse().unwrap(), n, Has::All, now).unwrap();
    }

    /// Made and stored. Gives its number.
    fn store(&mut self, kind: package::Kind) -> u32 {
        let House(shelf, n) = self;
        let bytes = Bytes::from_static(b"media");
        let (len, sha256) = (bytes.len() as u64, Hash::of(&bytes));
        let object = Object { name: format!("t/{n}"), bytes, kind };
        let made = Made { channel: "t".parse().unwrap(), object };
        let head = Arc::new(shelf.reel.head().clone());
        shelf.stored(&Stored { made, path: PathBuf::new(), head, n: *n, len, sha256 }, NOW).unwrap();
        *n += 1;
        *n - 1
    }

    fn init(name: &str) -> Init {
        Init {
            name: name.into(),
            codecs: "avc1.64001f".into(),
            width: 16,
            height: 16,
            frame_rate_milli: 0,
            range: Default::default(),
            sound: None,
        }
    }

    fn begin_source(&mut self) {
        self.put(package::Kind::Init(House::init("init-1")));
    }

    fn begin_rung(&mut self) {
        self.put(package::Kind::Rung(low(), package::Rung::Init(House::init("init-low"))));
    }

    fn begin(&mut self) {
        self.begin_source();
        self.begin_rung();
    }

    fn source(&mut self, n: usize) {
        self.put(House::segment(n));
    }

    fn segment(n: usize) -> package::Kind {
        let (captions, splices) = Default::default();
        let discontinuity = n == 0;
        package::Kind::Segment {
            start: at(n),
            duration: SEGMENT,
            discontinuity,
            dependent: false,
            captions,
            splices,
        }
    }

    fn rung(&mut self, n: usize) {
        let captions = Captions::default();
        self.put(package::Kind::Rung(
            low(),
            package::Rung::Segment { start: at(n), duration: SEGMENT, captions },
        ));
    }

    /// Looks, and says which chapters have changed since.
    fn changed(&mut self) -> Vec<usize> {
        self.0.look(NOW);
        std::mem::take(&mut self.0.changed).into_iter().collect()
    }

    fn lengths(&self, chapter: usize) -> Vec<usize> {
        let chapter = self.0.chapter(chapter, NOW).unwrap();
        chapter.renditions.iter().map(|rendition| rendition.segments.len()).collect()
    }
}

#[test]
fn a_shelf_waits_as_long_as_anything_made_is_not_listed() {
    let mut house = House::making(Vec::new());
    house.begin_source();
    assert!(!house.0.waits(), "for nothing");
    let n = house.store(House::segment(0));
    assert!(house.0.waits());
    house.ack(n, NOW);
    assert!(!house.0.waits());
    // No target takes the next one; the one after it comes through.
    house.store(House::segment(1));
    let n = house.store(House::segment(2));
    house.ack(n, NOW);
    house.0.look(NOW);
    assert!(house.0.waits(), "only time makes a gap of it");
    house.0.look(NOW.plus_ms(6_000));
    assert!(!house.0.waits());
    assert!(House::new().0.waits(), "and rungs, for which the source waits, and it for them");
}

#[test]
fn a_chapter_that_is_full_is_told_again_when_its_last_segment_is_a_gap_of_a_rung() {
    let mut house = House::new();
    house.begin();
    let last = CHAPTER_SEGMENTS - 1;
    for n in 0..=CHAPTER_SEGMENTS {
        house.source(n);
        if n < last {
            house.rung(n);
        }
    }
    house.changed();
    assert_eq!(house.lengths(0), [CHAPTER_SEGMENTS, last]);
    assert_eq!(house.changed(), [0; 0], "nothing happens");
    house.0.rung_lost(&low(), at(last), NOW);
    assert!(house.changed().contains(&0));
    assert_eq!(house.lengths(0), [CHAPTER_SEGMENTS, CHAPTER_SEGMENTS]);
}

#[test]
fn a_rung_that_begins_late_is_in_every_chapter_of_the_replay_and_the_first_one_tells_its_bit_rate() {
    let mut house = House::new();
    house.begin_source();
    let late = 2 * CHAPTER_SEGMENTS;
    (0..=late).for_each(|n| house.source(n));
    house.changed();
    assert_eq!(house.lengths(0), [CHAPTER_SEGMENTS]);
    house.begin_rung();
    assert_eq!(house.changed(), [0, 1, 2]);
    house.source(late + 1);
    house.rung(late + 1);
    assert!(house.changed().contains(&0));
    // As large again says nothing new of it.
    house.source(late + 2);
    house.rung(late + 2);
    assert!(!house.changed().contains(&0));
    house.0.end(NOW);
    for chapter in 0..2 {
        assert_eq!(house.lengths(chapter), [CHAPTER_SEGMENTS, CHAPTER_SEGMENTS]);
    }
    let rung = house.0.chapter(0, NOW).unwrap().renditions.remove(1);
    assert!(rung.segments.iter().all(|segment| segment.gap));
    assert_eq!((rung.bandwidth, rung.average_bandwidth), (20, 20), "five bytes in two seconds");
}

#[test]
fn what_a_rung_has_and_was_a_gap_is_noted_once() {
    let mut house = House::new();
    house.begin();
    (0..2).for_each(|n| house.source(n));
    house.rung(0);
    house.0.rung_lost(&low(), at(1), NOW);
    assert_eq!(house.0.look(NOW).1, [Record::Promise { target_s: 2 }]);
    // It comes all the same.
    house.rung(1);
    let n = house.1 - 1;
    assert_eq!(house.0.look(NOW).1, [Record::RungGap { n }]);
    assert_eq!(house.0.look(NOW).1, []);
    let reel = house.0.reel.clone();
    let mut notes = Vec::new();
    let again = Shelf::new(house.0.plan.clone(), reel, &Nodes::new(), NOW, &mut notes);
    let state = again.reel.rungs()[0].was_gap(at(1));
    assert!(state, "a restart knows it");
}

#[test]
fn what_is_promised_is_noted_once_and_a_shelf_that_is_put_up_again_keeps_to_it() {
    let mut house = House::making(Vec::new());
    house.begin_source();
    let long = |n: usize| match House::segment(n) {
        package::Kind::Segment { start, discontinuity, dependent, captions, splices, .. } => {
            let duration = MediaSpan::from_ms(4000);
            package::Kind::Segment { start, duration, discontinuity, dependent, captions, splices }
        }
        other => other,
    };
    let first = house.store(House::segment(0));
    house.store(long(1));
    assert_eq!(house.0.look(NOW).1, [], "it may still be raised");
    house.ack(first, NOW);
    assert_eq!(house.0.look(NOW).1, [Record::Promise { target_s: 4 }]);
    house.source(3);
    assert_eq!(house.0.look(NOW).1, []);
    let House(Shelf { plan, reel, .. }, _) = house;
    let again = Shelf::new(plan, reel, &Nodes::new(), NOW, &mut Vec::new());
    assert_eq!(again.plan.promise.target_s(), Some(4));
}
