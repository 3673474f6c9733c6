//! The thread that writes: batches of files, then the journals' lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use railbird_core::hash::Hash;
use railbird_core::id::{ChannelId, RecordingId, RenditionId};
use railbird_core::package::{Kind, Object, Rung};
use railbird_core::recording::{Head, Record};
use railbird_core::time::UtcMs;
use tokio::sync::watch;

use super::{Cut, Disk, Job, Line, Stored, Told, Waiting};
use crate::clock;
use crate::driver::Made;
use crate::journal::{self, Open, sync_dir};

/// The most jobs of a batch.
const BATCH_MAX: usize = 256;

/// The most files that are written at the same time: the file system joins their flushes.
const PARALLEL_MAX: usize = 8;

/// The most lines that wait for a journal that can't be written. Beyond them, losses are no longer entered.
const OWED_MAX: usize = 8_192;

/// The most recordings of a channel that have ended and wait for the disk.
const CLOSING_MAX: usize = 8;

/// The most journals of recordings that have ended which are held open.
const ENDED_OPEN_MAX: usize = 64;

pub(super) struct Writer<T> {
    data_dir: PathBuf,
    objects: PathBuf,
    parts: PathBuf,
    lines: BTreeMap<ChannelId, Current>,
    ended: Vec<(PathBuf, Open)>,
    waiting: Arc<Waiting>,
    disk: Arc<watch::Sender<Disk>>,
    tell: T,
    part: u64,
}

/// A channel's line of recordings.
struct Current {
    begins: Head,
    open: Option<Recording>,
    /// Those that have ended and whose last lines the disk has not taken yet.
    closing: Vec<Recording>,
    /// The feed's newest init segment, and behind it that of its key frames: a new recording begins with them, and one that the
    /// disk refused is tried again.
    inits: Vec<Object>,
    /// The newest init segment of each rung.
    rung_inits: BTreeMap<RenditionId, Object>,
    /// What waits for its line: as many at most as there may be lines.
    held: Vec<Told>,
}

struct Recording {
    head: Arc<Head>,
    journal: Open,
    next_n: u32,
    /// Its journal has the newest init segment.
    has_init: bool,
    /// The rungs whose newest init segment its journal has.
    rung_inits: BTreeSet<RenditionId>,
    /// Lines that come before any other.
    owed: Vec<Record>,
}

/// An object of a batch on its way.
struct Part {
    object: Object,
    channel: ChannelId,
    /// What the ingest handed over, not the writer's own repetition.
    counted: bool,
    part: PathBuf,
    sha256: Hash,
    written: io::Result<()>,
}

impl<T: FnMut(Told)> Writer<T> {
    pub(super) fn open(
        data_dir: &Path,
        lines: BTreeMap<ChannelId, Line>,
        waiting: Arc<Waiting>,
        disk: Arc<watch::Sender<Disk>>,
        tell: T,
    ) -> io::Result<Writer<T>> {
        let objects = journal::objects_dir(data_dir);
        // What a crash left half written.
        let parts = objects.join(".parts");
        match fs::remove_dir_all(&parts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&parts)?,
        }
        fs::create_dir_all(journal::dir(data_dir))?;
        let mut current = BTreeMap::new();
        for (channel, line) in lines {
            let open = match line.found {
                None => None,
                Some(found) => {
                    let path = journal::path(data_dir, &channel, &found.head.recording);
                    let journal = Open::resume(path, found.len)?;
                    let (head, next_n, owed) = (found.head, found.next_n, Vec::new());
                    Some(Recording::new(head, journal, next_n, owed))
                }
            };
            current.insert(
                channel,
                Current {
                    begins: line.head,
                    open,
                    closing: Vec::new(),
                    inits: Vec::new(),
                    rung_inits: BTreeMap::new(),
                    held: Vec::new(),
                },
            );
        }
        let (data_dir, lines) = (data_dir.to_path_buf(), current);
        Ok(Writer { data_dir, objects, parts, lines, ended: Vec::new(), waiting, disk, tell, part: 0 })
    }

    /// Serves jobs until every sender has gone.
    pub(super) fn run(&mut self, receiver: &Receiver<Job>) {
        while let Ok(first) = receiver.recv() {
            let jobs = std::iter::once(first).chain(receiver.try_iter().take(BATCH_MAX - 1)).collect();
            self.batch(jobs);
        }
    }

    fn batch(&mut self, jobs: Vec<Job>) {
        let mut error = None;
        // Asking alone says nothing of the disk.
        let wrote = jobs.iter().any(|job| !matches!(job, Job::Settled(_)));
        let mut parts = self.parts(&jobs);
        write_parts(&mut parts);
        // The files get their names, each where it has a record to go with it.
        let (mut dirs, mut told, mut touched, mut answers) =
            (BTreeSet::new(), Vec::new(), BTreeSet::new(), Vec::new());
        let mut parts = parts.into_iter().peekable();
        for job in jobs {
            match job {
                Job::Write(Made { channel, .. }) => {
                    while let Some(part) = parts.next_if(|part| part.channel == channel) {
                        let last = part.counted;
                        let len = part.object.bytes.len();
                        let result = self.enter(part, &mut dirs, &mut told);
                        if let Err(failed) = result {
                            error.get_or_insert(failed);
                        }
                        if last {
                            self.waiting.done(len);
                            break;
                        }
                    }
                    touched.insert(channel);
                }
                Job::Lost(channel, cut) => {
                    self.lose(&channel, cut, &mut told);
                    touched.insert(channel);
                }
                Job::Note(channel, recording, record) => {
                    if let Err(failed) = self.note(&channel, &recording, record) {
                        error.get_or_insert(failed);
                    }
                }
                Job::End { channel, at, next_msn } => self.end(&channel, at, next_msn),
                Job::Settled(answer) => answers.push(answer),
            }
        }
        for dir in dirs {
            if let Err(failed) = sync_dir(&dir) {
                error.get_or_insert(failed);
            }
        }
        let failed = self.flush(&touched, &mut error);
        for (channel, line) in &mut self.lines {
            if !failed.contains(channel) {
                line.held.drain(..).for_each(&mut self.tell);
            }
        }
        for one in told {
            // Nobody may count on what has no line on the disk: it is told when it has one.
            match self.lines.get_mut(one.channel()).filter(|_| failed.contains(one.channel())) {
                Some(line) => line.held.push(one.without_bytes()),
                None => (self.tell)(one),
            }
        }
        let failing = error.map(|error| {
            format!("data_dir can't be written, viewers get gaps: {error}: free space or mend the disk")
        });
        self.disk.send_if_modified(|disk| {
            if !wrote && failing.is_none() {
                return false;
            }
            match (&disk.failing, &failing) {
                (None, Some(text)) => tracing::error!(dir = %self.data_dir.display(), "{text}"),
                (Some(_), None) => {
                    tracing::info!(dir = %self.data_dir.display(), "data_dir can be written again")
                }
                _ => {}
            }
            std::mem::replace(&mut disk.failing, failing.clone()) != failing
        });
        for answer in answers {
            // Whoever asked may have given up.
            let _ = answer.send(());
        }
    }

    /// The files that this batch writes: the objects', and before a segment the init segments that its journal lacks.
    fn parts(&mut self, jobs: &[Job]) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut wanted: BTreeMap<(&ChannelId, Option<&RenditionId>), bool> = BTreeMap::new();
        let mut ended: BTreeSet<&ChannelId> = BTreeSet::new();
        for job in jobs {
            let (Job::Write(Made { channel, .. }) | Job::End { channel, .. }) = job else { continue };
            let Some(current) = self.lines.get_mut(channel) else { continue };
            let Job::Write(made) = job else {
                // What follows begins another recording.
                wanted.retain(|(of, _), _| *of != channel);
                ended.insert(channel);
                continue;
            };
            let rung = match &made.object.kind {
                Kind::Rung(rendition, _) => Some(rendition),
                _ => None,
            };
            let lacks = wanted.entry((channel, rung)).or_insert_with(|| {
                ended.contains(channel)
                    || current.open.as_ref().is_none_or(|recording| !recording.has_init_of(rung))
            });
            let again = match &made.object.kind {
                Kind::Rung(rendition, Rung::Init(_)) => {
                    current.rung_inits.insert(rendition.clone(), made.object.clone());
                    Vec::new()
                }
                Kind::Rung(rendition, Rung::Segment { .. }) if *lacks => {
                    current.rung_inits.get(rendition).cloned().into_iter().collect()
                }
                Kind::Rung(..) => Vec::new(),
                Kind::Init(_) => {
                    current.inits = vec![made.object.clone()];
                    Vec::new()
                }
                Kind::FramesInit(_) => {
                    current.inits.push(made.object.clone());
                    Vec::new()
                }
                _ if *lacks => current.inits.clone(),
                _ => Vec::new(),
            };
            let objects = again.into_iter().map(|init| (init, false)).chain([(made.object.clone(), true)]);
            for (object, counted) in objects {
                self.part += 1;
                let part = self.parts.join(self.part.to_string());
                let (channel, sha256) = (channel.clone(), Hash::of(&object.bytes));
                parts.push(Part { object, channel, counted, part, sha256, written: Ok(()) });
            }
            *lacks = false;
        }
        parts
    }

    /// Gives a written file its name and its record a place. The error is the disk's.
    fn enter(&mut self, part: Part, dirs: &mut BTreeSet<PathBuf>, told: &mut Vec<Told>) -> io::Result<()> {
        let Part { object, channel, part, sha256, written, .. } = part;
        // What comes late of a recording that is over must not begin another one.
        let is_open = self.lines.get(&channel).is_some_and(|line| line.open.is_some());
        if matches!(object.kind, Kind::Rung(..)) && !is_open {
            return written.and_then(|()| fs::remove_file(&part));
        }
        let path = self.objects.join(&object.name);
        let named = written.and_then(|()| name(&part, &path, dirs));
        if named.is_err() {
            // What there is of it would only take room.
            let _ = fs::remove_file(&part);
        }
        let data_dir = self.data_dir.clone();
        let Some(current) = self.lines.get_mut(&channel) else { return named };
        let recording = match current.recording(&data_dir) {
            Ok(recording) => recording,
            Err(error) => return named.and(Err(error)),
        };
        if recording.owed.len() >= OWED_MAX {
            // The file stays without a line: when the journal can be written again, there are worse troubles.
            return named;
        }
        let n = recording.next_n;
        match (&object.kind, &named) {
            (Kind::Init(init), Ok(())) => {
                let (init, len) = (init.clone(), object.bytes.len() as u64);
                recording.owed.push(Record::Init { n, init, len, sha256 });
                recording.has_init = true;
            }
            // It is tried again before the next segment.
            (Kind::Init(_), Err(_)) => {
                recording.has_init = false;
                return named;
            }
            (Kind::Segment { start, duration, discontinuity, dependent, captions, splices }, Ok(()))
                if recording.has_init =>
            {
                let len = object.bytes.len() as u64;
                let (start, duration, discontinuity) = (*start, *duration, *discontinuity);
                let (dependent, captions) = (*dependent, *captions);
                recording.owed.push(Record::Segment {
                    n,
                    start,
                    duration,
                    discontinuity,
                    dependent,
                    captions,
                    len,
                    sha256,
                });
                recording.owed.extend(splices.iter().cloned().map(Record::Splice));
            }
            (Kind::FramesInit(_), Ok(())) if recording.has_init => {
                recording.owed.push(Record::FramesInit { n, len: object.bytes.len() as u64, sha256 });
            }
            (Kind::Frame(start), Ok(())) if recording.has_init => {
                let (start, len) = (*start, object.bytes.len() as u64);
                recording.owed.push(Record::Frame { n, start, len, sha256 });
            }
            (Kind::Rung(rendition, Rung::Init(init)), Ok(())) => {
                let (rendition, init, len) = (rendition.clone(), init.clone(), object.bytes.len() as u64);
                recording.rung_inits.insert(rendition.clone());
                recording.owed.push(Record::RungInit { n, rendition, init, len, sha256 });
            }
            // As with the source's.
            (Kind::Rung(rendition, Rung::Init(_)), Err(_)) => {
                recording.rung_inits.remove(rendition);
                return named;
            }
            (Kind::Rung(rendition, Rung::Segment { start, duration, captions }), Ok(()))
                if recording.has_init_of(Some(rendition)) =>
            {
                let (start, duration, captions) = (*start, *duration, *captions);
                let (rendition, len) = (rendition.clone(), object.bytes.len() as u64);
                recording.owed.push(Record::RungSegment {
                    n,
                    rendition,
                    start,
                    duration,
                    captions,
                    len,
                    sha256,
                });
            }
            (kind, _) => {
                if let Some(cut) = Cut::of(kind) {
                    recording.lose(cut, told);
                }
                return named;
            }
        }
        recording.next_n += 1;
        let (head, len) = (recording.head.clone(), object.bytes.len() as u64);
        let made = Made { channel, object };
        told.push(Told::Stored(Box::new(Stored { made, path, head, n, len, sha256 })));
        Ok(())
    }

    fn lose(&mut self, channel: &ChannelId, cut: Cut, told: &mut Vec<Told>) {
        let data_dir = self.data_dir.clone();
        // Where no recording can be begun there is nothing to have a gap in.
        if let Some(Ok(recording)) = self.lines.get_mut(channel).map(|line| line.recording(&data_dir)) {
            recording.lose(cut, told);
        }
    }

    fn note(&mut self, channel: &ChannelId, recording: &RecordingId, record: Record) -> io::Result<()> {
        let line = self.lines.get_mut(channel);
        let mut known = line.into_iter().flat_map(|line| line.closing.iter_mut().chain(line.open.as_mut()));
        if let Some(open) = known.find(|open| open.head.recording == *recording) {
            if open.owed.len() < OWED_MAX {
                open.owed.push(record);
            }
            return Ok(());
        }
        let path = journal::path(&self.data_dir, channel, recording);
        let place = match self.ended.iter().position(|(known, _)| *known == path) {
            Some(place) => place,
            None => {
                let open = match Open::reopen(path.clone()) {
                    // The recording was deleted meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                    open => open?,
                };
                if self.ended.len() >= ENDED_OPEN_MAX {
                    self.ended.remove(0);
                }
                self.ended.push((path, open));
                self.ended.len() - 1
            }
        };
        self.ended.get_mut(place).map_or(Ok(()), |(_, journal)| journal.append(&[record]))
    }

    fn end(&mut self, channel: &ChannelId, at: UtcMs, next_msn: u64) {
        let Some(line) = self.lines.get_mut(channel) else { return };
        line.begins.msn_min = line.begins.msn_min.max(next_msn);
        let Some(mut recording) = line.open.take() else { return };
        recording.owed.push(Record::End { at, next_msn });
        if line.closing.len() >= CLOSING_MAX {
            // Without its last lines it counts as one that a crash ended.
            line.closing.remove(0);
        }
        line.closing.push(recording);
    }

    /// Appends what the journals are owed. Gives the channels whose journal did not take it.
    fn flush(&mut self, touched: &BTreeSet<ChannelId>, error: &mut Option<io::Error>) -> BTreeSet<ChannelId> {
        let mut failed = BTreeSet::new();
        for (channel, line) in &mut self.lines {
            while let Some(recording) = line.closing.first_mut() {
                if let Err(reason) = recording.flush() {
                    error.get_or_insert(reason);
                    failed.insert(channel.clone());
                    break;
                }
                line.closing.remove(0);
            }
            let Some(recording) = &mut line.open else { continue };
            // Acknowledgements alone need not wait for the disk: without them an object is sent again.
            let result = if touched.contains(channel) { recording.flush() } else { recording.append() };
            if let Err(reason) = result {
                error.get_or_insert(reason);
                failed.insert(channel.clone());
            }
        }
        failed
    }
}

impl Current {
    /// The open recording; a new one where there is none.
    fn recording(&mut self, data_dir: &Path) -> io::Result<&mut Recording> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let (journal, head) = Open::create(data_dir, self.begins.clone(), clock::now())?;
                Recording::new(Arc::new(head), journal, 0, Vec::new())
            }
        };
        Ok(self.open.insert(open))
    }
}

impl Recording {
    fn new(head: Arc<Head>, journal: Open, next_n: u32, owed: Vec<Record>) -> Recording {
        Recording { head, journal, next_n, has_init: false, rung_inits: BTreeSet::new(), owed }
    }

    fn lose(&mut self, cut: Cut, told: &mut Vec<Told>) {
        if self.owed.len() >= OWED_MAX {
            return;
        }
        let n = self.next_n;
        self.next_n += 1;
        self.owed.push(lost(n, cut));
        told.push(Told::Lost { head: self.head.clone(), n, cut });
    }

    /// Whether its journal has the newest init segment of a rung, or of the source.
    fn has_init_of(&self, rung: Option<&RenditionId>) -> bool {
        rung.map_or(self.has_init, |rung| self.rung_inits.contains(rung))
    }

    fn append(&mut self) -> io::Result<()> {
        if !self.owed.is_empty() {
            self.journal.append(&self.owed)?;
            self.owed.clear();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.append()?;
        self.journal.sync()
    }
}

fn lost(n: u32, cut: Cut) -> Record {
    let Cut { start, duration, discontinuity } = cut;
    Record::Lost { n, start, duration, discontinuity }
}

/// Writes the files of a batch, some at a time, each onto the disk.
fn write_parts(parts: &mut [Part]) {
    let write = |part: &Part| {
        let mut file = File::create(&part.part)?;
        file.write_all(&part.object.bytes)?;
        file.sync_data()
    };
    for together in parts.chunks_mut(PARALLEL_MAX) {
        if let [part] = together {
            part.written = write(part);
            continue;
        }
        std::thread::scope(|scope| {
            for part in together {
                // A write that can't be begun has failed.
                part.written = Err(io::Error::other("no thread for the write"));
                let _ = std::thread::Builder::new().spawn_scoped(scope, move || part.written = write(part));
            }
        });
    }
}

fn name(part: &Path, path: &Path, dirs: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        if !dir.is_dir() {
            fs::create_dir_all(dir)?;
            dirs.extend(dir.parent().map(Path::to_path_buf));
        }
        dirs.insert(dir.to_path_buf());
    }
    fs::rename(part, path)
}
