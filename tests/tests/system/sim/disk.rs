//! A disk and the journal on it: what is handed over becomes durable together, later, or not at all.

use std::sync::Arc;

use railbird_core::hash::Hash;
use railbird_core::id::RecordingId;
use railbird_core::package::{Kind, Object};
use railbird_core::recording::{Head, Record, Reel};
use railbird_origin::driver::Made;
use railbird_origin::spool::{Cut, Stored, Told};

use super::origin::{Around, utc};
use super::rng::Rng;
use super::world::{Event, SEGMENT_MS};

/// How many objects may wait for it.
const WAITING_MAX: usize = 16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Well,
    /// Each commit takes long.
    Slow,
    /// It takes lines of the journal and no objects.
    Full,
    /// It takes nothing.
    Stuck,
}

impl Mood {
    pub(super) const BAD: [Mood; 3] = [Mood::Slow, Mood::Full, Mood::Stuck];
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) mood: Mood,
    /// It takes whatever comes at once.
    pub(super) roomy: bool,
    journal: Vec<Record>,
    /// So many of its lines survive a crash for sure.
    synced: usize,
    jobs: Vec<Job>,
    committing: bool,
    head: Option<Arc<Head>>,
    inits: Vec<Object>,
    has_init: bool,
    next_n: u32,
}

#[derive(Debug)]
enum Job {
    Write(Object),
    Lost(Cut),
    Note(Record),
}

impl Disk {
    /// Whether something was handed over that is not entered yet.
    pub(super) fn is_busy(&self) -> bool {
        self.jobs.iter().any(|job| !matches!(job, Job::Note(_)))
    }

    /// Never waits.
    pub(super) fn write(&mut self, object: Object, at: usize, life: u64, around: &mut Around<'_>) {
        let waiting = self.jobs.iter().filter(|job| matches!(job, Job::Write(_))).count();
        let job = match cut(&object.kind) {
            Some(cut) if waiting >= WAITING_MAX && !self.roomy => Job::Lost(cut),
            _ => Job::Write(object),
        };
        self.push(job, at, life, around);
    }

    pub(super) fn note(&mut self, record: Record, at: usize, life: u64, around: &mut Around<'_>) {
        self.push(Job::Note(record), at, life, around);
    }

    fn push(&mut self, job: Job, at: usize, life: u64, around: &mut Around<'_>) {
        self.jobs.push(job);
        if !std::mem::replace(&mut self.committing, true) {
            let after = match self.mood {
                Mood::Slow => around.rng.range(500, 8_000),
                _ => around.rng.range(1, 100),
            };
            around.soon.after(after, Event::Commit { origin: at, life });
        }
    }

    /// What has come together is entered together.
    pub(super) fn commit(&mut self, at: usize, life: u64, around: &mut Around<'_>) {
        if self.mood == Mood::Stuck {
            around.soon.after(500, Event::Commit { origin: at, life });
            return;
        }
        self.committing = false;
        let (mut told, mut sync) = (Vec::new(), false);
        for job in std::mem::take(&mut self.jobs) {
            match job {
                Job::Note(record) => self.journal.push(record),
                Job::Lost(cut) => self.lose(cut, &mut told, around.now),
                Job::Write(object) => {
                    match (&object.kind, self.has_init) {
                        (Kind::Init(_), _) => self.inits = vec![object.clone()],
                        (Kind::FramesInit(_), _) => self.inits.push(object.clone()),
                        (_, true) => {}
                        (_, false) => {
                            for init in self.inits.clone() {
                                self.enter(init, &mut told, around.now);
                            }
                        }
                    }
                    self.enter(object, &mut told, around.now);
                }
            }
            sync |= !told.is_empty();
        }
        if sync {
            self.synced = self.journal.len();
            // A crash may come between.
            around.soon.after(around.rng.range(0, 5), Event::Told { origin: at, life, told });
        }
    }

    fn head(&mut self, now: u64) -> Arc<Head> {
        if let Some(head) = &self.head {
            return head.clone();
        }
        let head = Head {
            channel: "table-1".parse().unwrap(),
            recording: RecordingId::beginning(utc(now)),
            rendition: "source".parse().unwrap(),
            segment_ms: SEGMENT_MS,
            key_period_s: 600,
            msn_min: 0,
        };
        self.journal.push(Record::Begin(head.clone()));
        self.head.insert(Arc::new(head)).clone()
    }

    fn enter(&mut self, object: Object, told: &mut Vec<Told>, now: u64) {
        let (head, n, sha256) = (self.head(now), self.next_n, Hash::of(&object.bytes));
        let len = object.bytes.len() as u64;
        let taken = self.mood != Mood::Full;
        match &object.kind {
            Kind::Init(init) if taken => {
                self.journal.push(Record::Init { n, init: init.clone(), len, sha256 });
                self.has_init = true;
            }
            Kind::Init(_) => {
                self.has_init = false;
                return;
            }
            Kind::Segment { start, duration, discontinuity, dependent, captions, .. }
                if taken && self.has_init =>
            {
                let (start, duration, discontinuity) = (*start, *duration, *discontinuity);
                let (dependent, captions) = (*dependent, *captions);
                self.journal.push(Record::Segment {
                    n,
                    start,
                    duration,
                    discontinuity,
                    dependent,
                    captions,
                    len,
                    sha256,
                });
            }
            Kind::FramesInit(_) if taken && self.has_init => {
                self.journal.push(Record::FramesInit { n, len, sha256 });
            }
            Kind::Frame(start) if taken && self.has_init => {
                self.journal.push(Record::Frame { n, start: *start, len, sha256 });
            }
            kind => {
                if let Some(cut) = cut(kind) {
                    self.lose(cut, told, now);
                }
                return;
            }
        }
        self.next_n += 1;
        let made = Made { channel: head.channel.clone(), object };
        let path = made.object.name.clone().into();
        told.push(Told::Stored(Box::new(Stored { made, path, head, n, len, sha256 })));
    }

    fn lose(&mut self, cut: Cut, told: &mut Vec<Told>, now: u64) {
        let (head, n) = (self.head(now), self.next_n);
        let Cut { start, duration, discontinuity } = cut;
        self.journal.push(Record::Lost { n, start, duration, discontinuity });
        self.next_n += 1;
        told.push(Told::Lost { head, n, cut });
    }

    pub(super) fn crash(&mut self, rng: &mut Rng) {
        let kept = rng.range(self.synced as u64, self.journal.len() as u64 + 1);
        self.journal.truncate(kept as usize);
        self.synced = self.journal.len();
        self.jobs.clear();
        self.committing = false;
        (self.inits, self.has_init) = (Vec::new(), false);
    }

    /// What the journal says after a start.
    pub(super) fn open(&mut self) -> Result<Option<Reel>, String> {
        let mut records = self.journal.iter().cloned();
        let Some(Record::Begin(head)) = records.next() else {
            (self.head, self.next_n) = (None, 0);
            return Ok(None);
        };
        let mut reel = Reel::new(head.clone());
        for record in records {
            let text = format!("{record:?}");
            reel.apply(record).map_err(|error| format!("the journal is damaged: {error}: {text}"))?;
        }
        (self.head, self.next_n) = (Some(Arc::new(head)), reel.objects().len() as u32);
        Ok(Some(reel))
    }
}

fn cut(kind: &Kind) -> Option<Cut> {
    match *kind {
        Kind::Segment { start, duration, discontinuity, .. } => Some(Cut { start, duration, discontinuity }),
        Kind::Init(_) | Kind::FramesInit(_) | Kind::Frame(_) | Kind::Part(_) | Kind::Rung(..) => None,
    }
}
