//! What is read of a request: its headers, its fragments, and the samples of those that are used.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::{ABSENT_MS, Gather, Request};
use crate::cmaf::boxes::{Boxes, Piece};
use crate::cmaf::came::{Coming, Place, Sample, What};
use crate::cmaf::fragment::{self, Filling, Message, Produced, Run};
use crate::cmaf::header::{Coding, Header};
use crate::cmaf::lane::Source;
use crate::cmaf::{self, Refusal};
use crate::media::{Captured, FeedEvent, FeedSplice, Kind};
use crate::scte35::{Section, Unusable};
use crate::time::{Moment, UtcMs};
use crate::timeline::{EARLY_MS_MAX, LATE_MS_MAX};

/// How many messages before a fragment are read.
const MESSAGES_MAX: usize = 16;

/// What is read of a request.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) request: Request,
    pub(super) name: String,
    pub(super) boxes: Boxes,
    /// The number of its header, and the version that it goes by.
    pub(super) header: Option<(u64, u64)>,
    /// A header of its own that may be that of a track that is known: its first fragment tells.
    pub(super) doubted: Option<Arc<Header>>,
    produced: Option<Produced>,
    /// Those before the next fragment.
    messages: Vec<Message>,
    filling: Filling<Wanted>,
    /// The header of what fills, and its version.
    of: Option<(Arc<Header>, u64)>,
    /// The encoder says that it is the last one of its tracks.
    pub(super) last: bool,
    /// It is of no use: nothing more is said of it.
    pub(super) refused: bool,
}

/// Where a fragment begins that is used.
#[derive(Clone, Copy, Debug)]
struct Begins {
    kind: Kind,
    /// Its number, if anything of it is awaited.
    fragment: Option<u64>,
    first_ms: i64,
    /// What the track's edit list adds to its times.
    shift_ms: i64,
}

/// A sample whose media is awaited, and of which track.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    kind: Kind,
    source: Source,
    /// The number of its fragment, and its own in that.
    fragment: u64,
    sample: usize,
    coming: Coming,
}

impl Reader {
    /// Of a request of which nothing has come.
    pub(super) fn new(request: Request, name: String) -> Reader {
        Reader {
            request,
            name,
            boxes: Boxes::default(),
            header: None,
            doubted: None,
            produced: None,
            messages: Vec::new(),
            filling: Filling::default(),
            of: None,
            last: false,
            refused: false,
        }
    }
    /// Whether no box and no sample of it has come in part.
    pub(super) fn is_whole(&self) -> bool {
        self.boxes.is_whole() && self.filling.is_full()
    }
}

impl Gather {
    pub(super) fn piece(&mut self, reader: &mut Reader, piece: Piece, now: Moment) -> Result<(), Refusal> {
        match piece {
            Piece::Whole { name, at, content } => match &name {
                b"moov" => self.header(reader, &content, now)?,
                b"moof" => self.fragment(reader, &content, at, now)?,
                b"prft" => reader.produced = Produced::read(&content).ok(),
                b"emsg" => self.message(reader, &content),
                b"styp" => reader.last |= fragment::has_brand(&content, b"lmsg"),
                b"mfra" => reader.last = true,
                _ => {}
            },
            Piece::Media { at, bytes } => self.media(reader, at, &bytes, now),
            Piece::MediaEnd => {}
            Piece::TooLong => self.skip("a box that is too long to be read"),
            Piece::Broken if reader.boxes.have_begun() => {
                return Err(Refusal::Malformed("what follows one of its boxes is no box"));
            }
            Piece::Broken => return Err(Refusal::Malformed("it does not begin with a box of it")),
        }
        Ok(())
    }

    fn message(&mut self, reader: &mut Reader, emsg: &Bytes) {
        match Message::read(emsg) {
            Ok(Some(message)) if reader.messages.len() < MESSAGES_MAX => reader.messages.push(message),
            Ok(_) => {}
            Err(error) => self.skip(error.0),
        }
    }

    fn header(&mut self, reader: &mut Reader, moov: &[u8], now: Moment) -> Result<(), Refusal> {
        let header = Header::read(moov).map_err(|error| Refusal::Malformed(error.0))?;
        for (track, error) in header.usable()? {
            self.leave_out(format!("{track} of {} ({error})", reader.name));
        }
        let header = Arc::new(header);
        reader.header = None;
        if self.known.may_go_on(&reader.name, &header) {
            reader.doubted = Some(header);
            return Ok(());
        }
        let (number, version) = self.known.add(&reader.name, header.clone(), &self.used());
        reader.header = Some((number, version));
        for track in header.tracks.iter().filter(|track| !matches!(track.coding, Coding::Unusable(..))) {
            let source = Source { header: number, track: track.id };
            if !self.offer(source, track.kind(), now) {
                self.beside(source, track.kind(), now);
            }
        }
        Ok(())
    }

    /// The header of what comes in this request, and which version of it.
    fn header_of(&mut self, reader: &mut Reader, moof: &[u8], at: u64, now: Moment) -> Option<(u64, u64)> {
        if let Some(header) = reader.doubted.take() {
            let runs = fragment::fragment(moof, at, &header).unwrap_or_default();
            let begins = runs
                .iter()
                .find_map(|(run, span)| Some((run.track, run.start?, run.start?.saturating_add(*span))));
            let used = self.used();
            reader.header = Some(match begins {
                Some(begins) => {
                    let missed = self.missed(&reader.name, &header, begins);
                    let begins = (begins.0, begins.1);
                    self.known.go_on(&reader.name, header, begins, &missed, (&used, ABSENT_MS, now))
                }
                None => self.known.add(&reader.name, header, &used),
            });
        }
        if reader.header.is_none() {
            let ids = fragment::tracks(moof).unwrap_or_default();
            // Whoever sends headers apart sends none with its segments.
            let used = self.used();
            for other in self.requests.values_mut() {
                if let Some(header) = other.doubted.take() {
                    other.header = Some(self.known.add(&other.name, header, &used));
                }
            }
            let known = self.known.of(&reader.name, &ids)?;
            reader.header = Some((known.number, known.version));
        }
        reader.header
    }

    fn fragment(&mut self, reader: &mut Reader, moof: &[u8], at: u64, now: Moment) -> Result<(), Refusal> {
        let (produced, messages) = (reader.produced.take(), core::mem::take(&mut reader.messages));
        if !reader.filling.is_full() {
            self.skip("a fragment whose media did not come");
        }
        self.brings_no_more(reader.request);
        reader.filling = Filling::default();
        if fragment::tracks(moof).is_err() {
            self.skip("a fragment that makes no sense");
            return Ok(());
        }
        let (number, version) = self.header_of(reader, moof, at, now).ok_or(Refusal::NoHeader)?;
        let Some(known) = self.known.get(number) else { return Err(Refusal::NoHeader) };
        if known.version != version {
            // It would be read as what it is not.
            self.skip("a fragment whose header another request of its name has replaced");
            return Ok(());
        }
        let header = known.header.clone();
        let runs = match fragment::fragment(moof, at, &header) {
            Ok(runs) => runs,
            Err(error) => {
                self.skip(error.0);
                return Ok(());
            }
        };
        let (mut wanted, mut begins) = (Vec::new(), None);
        for (run, span) in runs {
            let begun = self.run(reader.request, &header, number, &run, span, produced, &mut wanted, now);
            begins = begins.or(begun);
        }
        // Both tracks' requests may bring it: it is one, whatever brings it.
        if let Some(begins) = begins {
            for message in messages {
                self.splice(&message, begins, now);
            }
        }
        reader.filling = Filling::new(wanted);
        reader.of = Some((header, version));
        Ok(())
    }

    /// Prepares for the samples of a run. Of one that is used, where it begins.
    #[expect(clippy::too_many_arguments, reason = "what is known of a run where it is read")]
    fn run(
        &mut self,
        request: Request,
        header: &Header,
        number: u64,
        run: &Run,
        span: u64,
        produced: Option<Produced>,
        wanted: &mut Vec<(Range<u64>, Wanted)>,
        now: Moment,
    ) -> Option<Begins> {
        let track = header.track(run.track)?;
        let (source, kind) = (Source { header: number, track: track.id }, track.kind());
        if let Coding::Unusable(..) = track.coding {
            return None;
        }
        let ends = run.start.map(|start| start.saturating_add(span));
        let ms = |ticks: u64| cmaf::ms(i128::from(ticks) + i128::from(track.shift), track.timescale);
        let span_ms = cmaf::ms(i128::from(span), track.timescale).unsigned_abs();
        self.known.came(source, ends, span_ms, now);
        let is_best = self.choose(source, kind, (run.start.map(ms), ends.map_or(0, ms)), now);
        if !is_best && self.beside(source, kind, now).is_none() {
            self.other(source, kind);
            return None;
        }
        let is_first = !self.video.has_begun() && !self.audio.has_begun();
        self.last_fragment += 1;
        let fragment = self.last_fragment;
        let lane = self.lane_of(source, kind)?;
        let Place { id, start, from } = lane.begin(fragment, run, span, track, request, now);
        let at = |time: u64| i128::from(time) + i128::from(track.shift);
        let feed_ms = cmaf::ms(at(start), track.timescale);
        let produced = produced.filter(|produced| produced.track == track.id && !produced.arbitrary);
        let captured = epoch(feed_ms, now.utc).or_else(|| {
            let produced = produced?;
            let feed_ms = cmaf::ms(at(produced.media), track.timescale);
            Some(Captured { feed_ms, utc: UtcMs(produced.utc_ms()?), by_encoder: true })
        });
        let arrived = is_first.then_some(Captured { feed_ms, utc: now.utc, by_encoder: false });
        if let Some(captured) = captured.or(arrived).filter(|_| from.is_none() && is_best) {
            lane.put(id, None, What::Event(feed_ms, FeedEvent::Captured(captured)), now);
        }
        let ends = run.samples.iter().skip(1).map(|sample| sample.since).chain([span]);
        for ((number, sample), end) in run.samples.iter().enumerate().zip(ends) {
            let time = |since: u64| at(start.saturating_add(since));
            let coming = Coming { dts: time(sample.since), cts: sample.cts, end: time(end) };
            // Which of them had come already, the lane knows.
            if let Some(fragment) = id.filter(|_| !sample.data.is_empty()) {
                let here = Wanted { kind, source, fragment, sample: number, coming };
                wanted.push((sample.data.clone(), here));
            }
        }
        if from.is_some_and(|from| cmaf::ticks(at(start.saturating_add(span)), track.timescale) <= from) {
            self.skip("a fragment that comes after later ones of its track");
        }
        let shift_ms = cmaf::ms(i128::from(track.shift), track.timescale);
        is_best.then_some(Begins { kind, fragment: id, first_ms: feed_ms, shift_ms })
    }

    /// A message of splice information before a fragment.
    fn splice(&mut self, message: &Message, begins: Begins, now: Moment) {
        let Begins { kind, fragment, first_ms, shift_ms } = begins;
        let section = match Section::new(&message.section) {
            Ok(section) => section,
            Err(Unusable::Nothing) => return,
            Err(Unusable::Encrypted) => return self.skip("splice information that is encrypted"),
            Err(Unusable::Malformed) => return self.skip("splice information that makes no sense"),
        };
        let from = if message.since_next { first_ms } else { shift_ms };
        let at_ms = cmaf::ms(i128::from(message.time), message.timescale).saturating_add(from);
        let splice = FeedEvent::Splice(FeedSplice { at_ms, section });
        self.lane(kind).put(fragment, None, What::Event(first_ms, splice), now);
    }

    fn media(&mut self, reader: &mut Reader, at: u64, bytes: &Bytes, now: Moment) {
        let Some((header, version)) = reader.of.clone() else { return };
        while let Some(taken) = reader.filling.take(at, bytes) {
            let Ok((Wanted { kind, source, fragment, sample, coming }, data)) = taken else {
                self.skip("a sample whose media lies in no media box, or in another sample's");
                continue;
            };
            let is_replaced = self.known.get(source.header).is_none_or(|known| known.version != version);
            let Some(track) = header.track(source.track).filter(|_| !is_replaced) else { continue };
            let span = (cmaf::ticks(coming.dts, track.timescale), cmaf::ticks(coming.end, track.timescale));
            let Some(lane) = self.lane_of(source, kind) else { continue };
            let what =
                What::Sample { span, sample: Sample { coming, data, header: header.clone(), version } };
            lane.put(Some(fragment), Some(sample), what, now);
            // One by one, so that the order is the same in whichever pieces they come.
            self.settle(false, now);
        }
    }
}

/// A clock that counts from 1970, as far as anybody can tell who knows what time it is.
fn epoch(feed_ms: i64, now: UtcMs) -> Option<Captured> {
    let utc = UtcMs(u64::try_from(feed_ms).ok()?);
    let near = now.ms_since(utc) <= LATE_MS_MAX && utc.ms_since(now) <= EARLY_MS_MAX;
    near.then_some(Captured { feed_ms, utc, by_encoder: true })
}
