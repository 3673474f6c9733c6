//! From the requests of a feed to its frames.

mod beside;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use beside::Beside;
use bytes::Bytes;

use super::Refusal;
use super::boxes::{Boxes, Piece};
use super::fragment::{self, Filling, Message, Produced, Run};
use super::header::{Coding, Header};
use super::known::{Catalogue, Headers};
use super::lane::{Coming, Lane, Source};
use crate::flv::Error;
use crate::media::{Captured, FeedEvent, FeedSplice, Kind};
use crate::programme::End;
use crate::scte35::{Section, Unusable};
use crate::time::{Moment, UtcMs};
use crate::timeline::{EARLY_MS_MAX, LATE_MS_MAX};

/// The most requests of a feed at a time.
pub const REQUESTS_MAX: usize = 32;

/// The longest name of a request that counts.
pub const NAME_LEN_MAX: usize = 256;

/// A feed without a request for this long is lost, in milliseconds.
pub const IDLE_MS_MAX: u64 = 20_000;

/// How long, after the encoder has said that it is over, what it still sends is taken for a part of it, in milliseconds.
pub const ORDER_MS: u64 = 1_000;

/// So long, since the first header or fragment, nothing is given out, in milliseconds: which of the tracks are used, what they are
/// decides and not which request comes first.
pub const CHOICE_MS: u64 = 1_000;

/// A track that was chosen and of which nothing ever came makes room for one that comes after this long, in milliseconds, or
/// three of the other one's fragments where that is longer.
const ABSENT_MS: u64 = 5_000;

/// How many messages before a fragment are read.
const MESSAGES_MAX: usize = 16;

/// How many tracks that are left out are told of.
const OTHERS_MAX: usize = 16;

/// One request of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request(u64);

/// Makes one feed of the requests in which an encoder pushes it. See the [module](super).
///
/// `open` a request, `handle` its bytes, `close` it; after each of these and after `tick`, `poll` until `None`. An
/// [`Error::Skip`] says that something was no use, and nothing else is lost. Where `deadline` has come, `tick`; once `ended`
/// says how, the feed is over.
#[derive(Debug)]
pub struct Gather {
    known: Catalogue,
    requests: BTreeMap<Request, Reader>,
    video: Lane,
    audio: Lane,
    /// The further tracks that are wanted, by their numbers.
    sounds: Vec<u8>,
    pictures: Vec<u8>,
    beside: Vec<Beside>,
    /// Up to where frames of the best tracks were given out.
    given_ms: Option<i64>,
    /// Until when a better track takes the place of one that was chosen as if it had come first; `None` before the first one, and 0
    /// once that is over.
    choosing: Option<u64>,
    /// The number of the last request.
    last: u64,
    /// When something came last.
    heard: u64,
    /// The encoder's playlist says that it is over.
    over: bool,
    outputs: VecDeque<Result<FeedEvent, Error>>,
    others: Vec<Source>,
    untold_others: VecDeque<String>,
}

/// What is read of a request.
#[derive(Debug)]
struct Reader {
    name: String,
    boxes: Boxes,
    /// The number of its header, and the version that it goes by.
    header: Option<(u64, u64)>,
    /// A header of its own that may be that of a track that is known: its first fragment tells.
    doubted: Option<Arc<Header>>,
    produced: Option<Produced>,
    /// Those before the next fragment.
    messages: Vec<Message>,
    filling: Filling<Wanted>,
    /// The header of what fills, and its version.
    of: Option<(Arc<Header>, u64)>,
    /// The encoder says that it is the last one of its tracks.
    last: bool,
    /// It is of no use: nothing more is said of it.
    refused: bool,
}

/// A sample whose media is awaited, and of which track.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    kind: Kind,
    source: Source,
    coming: Coming,
}

impl Gather {
    /// Of a feed of which nothing has come. `kept` are the [`headers`](Self::headers) of the one before it: packagers send them
    /// once, and not again where a feed goes on.
    pub fn new(kept: &Headers, now: Moment) -> Gather {
        Gather {
            known: Catalogue::new(kept),
            requests: BTreeMap::new(),
            video: Lane::default(),
            audio: Lane::default(),
            sounds: Vec::new(),
            pictures: Vec::new(),
            beside: Vec::new(),
            given_ms: None,
            choosing: None,
            last: 0,
            heard: now.up_ms,
            over: false,
            outputs: VecDeque::new(),
            others: Vec::new(),
            untold_others: VecDeque::new(),
        }
    }

    /// A request begins. Of its name, [`NAME_LEN_MAX`] bytes count.
    pub fn open(&mut self, name: &str, now: Moment) -> Result<Request, Refusal> {
        if self.requests.len() >= REQUESTS_MAX {
            return Err(Refusal::TooMany);
        }
        self.heard = now.up_ms;
        self.last += 1;
        let name = name.get(..name.floor_char_boundary(NAME_LEN_MAX)).unwrap_or_default().into();
        let reader = Reader {
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
        };
        self.requests.insert(Request(self.last), reader);
        Ok(Request(self.last))
    }

    /// The headers that are known, at most [`HEADERS_MAX`](super::HEADERS_MAX).
    pub fn headers(&self) -> Headers {
        self.known.headers()
    }

    /// Whether a header is known.
    pub fn has_headers(&self) -> bool {
        !self.known.is_empty()
    }

    /// Takes the next bytes of a request. After an error the request must be closed.
    pub fn handle(&mut self, request: Request, bytes: &[u8], now: Moment) -> Result<(), Refusal> {
        let Some(mut reader) = self.requests.remove(&request) else { return Ok(()) };
        self.heard = now.up_ms;
        reader.boxes.handle(bytes);
        let mut result = Ok(());
        while result.is_ok()
            && let Some(piece) = reader.boxes.poll()
        {
            result = self.piece(&mut reader, piece, now);
            self.settle(now);
        }
        reader.refused |= result.is_err();
        self.requests.insert(request, reader);
        result
    }

    /// A request has ended; `whole`: its encoder said so.
    pub fn close(&mut self, request: Request, whole: bool, now: Moment) -> Result<(), Refusal> {
        let Some(mut reader) = self.requests.remove(&request) else { return Ok(()) };
        self.heard = now.up_ms;
        if let Some(header) = reader.doubted.take() {
            self.known.add(&reader.name, header, &self.used());
        }
        if reader.last && whole {
            let number = reader.header.map(|(number, _)| number);
            for lane in [&mut self.video, &mut self.audio] {
                lane.ended |= lane.source.is_some_and(|source| Some(source.header) == number);
            }
            self.settle(now);
        }
        if whole && !reader.refused && !(reader.boxes.is_whole() && reader.filling.is_full()) {
            if !reader.boxes.have_begun() {
                return Err(Refusal::Malformed("it ended in its first box"));
            }
            self.skip("a request that ended within a box or a sample");
        }
        Ok(())
    }

    /// The encoder put a playlist or manifest, which says that it is over or that it goes on.
    pub fn listed(&mut self, over: bool, now: Moment) {
        (self.over, self.heard) = (over, now.up_ms);
    }

    /// The next event, or what was no use.
    pub fn poll(&mut self) -> Option<Result<FeedEvent, Error>> {
        self.outputs.pop_front()
    }

    /// The next track that the encoder sends and that is left out, each once: "video track 2 of high.cmfv".
    pub fn poll_other(&mut self) -> Option<String> {
        self.untold_others.pop_front()
    }

    /// Lets go of what has waited long enough.
    pub fn tick(&mut self, now: Moment) {
        self.settle(now);
    }

    /// Nothing more comes: what waits is let go.
    pub fn finish(&mut self, now: Moment) {
        self.video.give_up();
        self.audio.give_up();
        self.end_choice();
        self.settle(now);
        self.settle_beside(true);
    }

    /// When to `tick` at the latest, on [`Moment::up_ms`], and to ask whether it has ended.
    pub fn deadline(&self) -> Option<u64> {
        let waiting = [&self.video, &self.audio].into_iter().any(|lane| lane.front_ms().is_some());
        let chosen = self.choosing.filter(|until| waiting && *until > 0);
        let waits = [&self.video, &self.audio].into_iter().filter_map(Lane::due).chain(chosen);
        let over = self
            .requests
            .is_empty()
            .then(|| self.heard + if self.is_said() { ORDER_MS } else { IDLE_MS_MAX });
        waits.chain(over).min()
    }

    /// Whether the feed has ended, and how.
    pub fn ended(&self, now: Moment) -> Option<End> {
        if !self.requests.is_empty() {
            return None;
        }
        let silent = now.ms_since(self.heard);
        let all = self.is_said() && [&self.video, &self.audio].iter().all(|lane| lane.ended);
        if all || (self.is_said() && silent >= ORDER_MS) {
            Some(End::InOrder)
        } else {
            (silent >= IDLE_MS_MAX).then_some(End::Lost)
        }
    }

    /// Whether the encoder has said that it is over, as far as is known.
    fn is_said(&self) -> bool {
        let known = || [&self.video, &self.audio].into_iter().filter(|lane| lane.source.is_some());
        self.over || (known().count() > 0 && known().all(|lane| lane.ended))
    }

    fn skip(&mut self, what: &'static str) {
        self.outputs.push_back(Err(Error::Skip(what)));
    }

    fn lane(&mut self, kind: Kind) -> &mut Lane {
        match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        }
    }

    fn piece(&mut self, reader: &mut Reader, piece: Piece, now: Moment) -> Result<(), Refusal> {
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

    /// The headers of which a track is used.
    fn used(&self) -> Vec<u64> {
        let beside = self.beside.iter().map(|beside| &beside.lane);
        let lanes = [&self.video, &self.audio].into_iter().chain(beside);
        lanes.filter_map(|lane| lane.source).map(|source| source.header).collect()
    }

    /// There is this track. It is used where there is none of its kind; or none of which anything was given out, and it is better.
    /// Whether it is.
    fn offer(&mut self, source: Source, kind: Kind, now: Moment) -> bool {
        let until = *self.choosing.get_or_insert(now.up_ms.saturating_add(CHOICE_MS));
        let before = self.lane(kind).source;
        let is_better = before.is_some_and(|before| self.known.is_better(source, before));
        let is_choosing = now.up_ms < until;
        let lane = self.lane(kind);
        if before.is_none() || (is_better && (is_choosing || !lane.has_begun())) {
            let worse = lane.follow(source, now);
            if before.is_some() {
                self.put_aside(source, worse, kind, now);
            }
        }
        self.lane(kind).source == Some(source)
    }

    /// A fragment of a track comes, from `start` to `end` in milliseconds. It may take the place of one that comes no longer or
    /// never came; and of one that it is better than, from its own next fragment on. Whether this one is used.
    fn choose(&mut self, source: Source, kind: Kind, (start, end): (Option<i64>, i64), now: Moment) -> bool {
        if self.offer(source, kind, now) {
            return true;
        }
        let lane = self.lane(kind);
        let after = if lane.has_begun() { IDLE_MS_MAX } else { ABSENT_MS };
        let quiet = now.ms_since(lane.heard);
        let Some(before) = lane.source else { return false };
        // Either may come seldom.
        let span_ms = self.known.span_ms(source).max(self.known.span_ms(before)).saturating_mul(3);
        if quiet >= after.max(span_ms) {
            if self.known.best(kind, ABSENT_MS, now) == Some(source) {
                self.lane(kind).follow_anew(source, now);
            }
        } else if self.known.is_better(source, before)
            && let Some(start) = start
        {
            let rival = self.lane(kind).rival(now);
            if rival.is_none_or(|rival| rival == source || self.known.is_better(source, rival)) {
                self.lane(kind).lead_to(source, (start, end), ABSENT_MS.max(span_ms), now);
            }
        }
        let is_best = self.lane(kind).source == Some(source);
        if is_best {
            self.swap_beside(source, before, now);
        }
        is_best
    }

    /// The header of what comes in this request, and which version of it.
    fn header_of(&mut self, reader: &mut Reader, moof: &[u8], at: u64, now: Moment) -> Option<(u64, u64)> {
        if let Some(header) = reader.doubted.take() {
            let runs = fragment::fragment(moof, at, &header).unwrap_or_default();
            let begins = runs.iter().find_map(|(run, _)| Some((run.track, run.start?)));
            let used = self.used();
            reader.header = Some(match begins {
                Some(begins) => self.known.go_on(&reader.name, header, begins, (&used, ABSENT_MS, now)),
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
            let begun = self.run(&header, number, &run, span, produced, &mut wanted, now);
            begins = begins.or(begun);
        }
        // Both tracks' requests may bring it: it is one, whatever brings it.
        if let Some((kind, first_ms, shift_ms)) = begins {
            for message in messages {
                self.splice(kind, &message, first_ms, shift_ms, now);
            }
        }
        reader.filling = Filling::new(wanted);
        reader.of = Some((header, version));
        Ok(())
    }

    /// Prepares for the samples of a run. Of one that is used: its kind, where it begins, and what its edit list adds, in
    /// milliseconds.
    #[expect(clippy::too_many_arguments, reason = "what is known of a run where it is read")]
    fn run(
        &mut self,
        header: &Header,
        number: u64,
        run: &Run,
        span: u64,
        produced: Option<Produced>,
        wanted: &mut Vec<(Range<u64>, Wanted)>,
        now: Moment,
    ) -> Option<(Kind, i64, i64)> {
        let track = header.track(run.track)?;
        let (source, kind) = (Source { header: number, track: track.id }, track.kind());
        if let Coding::Unusable(..) = track.coding {
            return None;
        }
        let ends = run.start.map(|start| start.saturating_add(span));
        let ms = |ticks: u64| super::ms(i128::from(ticks) + i128::from(track.shift), track.timescale);
        let span_ms = super::ms(i128::from(span), track.timescale).unsigned_abs();
        self.known.came(source, ends, span_ms, now);
        let is_best = self.choose(source, kind, (run.start.map(ms), ends.map_or(0, ms)), now);
        if !is_best && self.beside(source, kind, now).is_none() {
            self.other(source, kind);
            return None;
        }
        let is_first = !self.video.has_begun() && !self.audio.has_begun();
        let lane = self.lane_of(source, kind)?;
        let (start, from) = lane.begin(run.start, run.samples.len(), run.len(), span, track, now);
        let at = |time: u64| i128::from(time) + i128::from(track.shift);
        let feed_ms = super::ms(at(start), track.timescale);
        let produced = produced.filter(|produced| produced.track == track.id && !produced.arbitrary);
        let captured = epoch(feed_ms, now.utc).or_else(|| {
            let produced = produced?;
            let feed_ms = super::ms(at(produced.media), track.timescale);
            Some(Captured { feed_ms, utc: UtcMs(produced.utc_ms()?), by_encoder: true })
        });
        let arrived = is_first.then_some(Captured { feed_ms, utc: now.utc, by_encoder: false });
        if let Some(captured) = captured.or(arrived).filter(|_| from.is_none() && is_best) {
            lane.push(feed_ms, FeedEvent::Captured(captured), now);
        }
        let is_new = from.is_none_or(|from| at(start.saturating_add(span)) > from);
        for sample in &run.samples {
            let coming = Coming { dts: at(start) + i128::from(sample.since), cts: sample.cts };
            if !sample.data.is_empty() && from.is_none_or(|from| coming.dts > from) {
                wanted.push((sample.data.clone(), Wanted { kind, source, coming }));
            }
        }
        if !is_new {
            self.skip("a fragment that comes after later ones of its track");
        }
        is_best.then(|| (kind, feed_ms, super::ms(i128::from(track.shift), track.timescale)))
    }

    /// A message of splice information before a fragment that begins at `first_ms`.
    fn splice(&mut self, kind: Kind, message: &Message, first_ms: i64, shift_ms: i64, now: Moment) {
        let section = match Section::new(&message.section) {
            Ok(section) => section,
            Err(Unusable::Nothing) => return,
            Err(Unusable::Encrypted) => return self.skip("splice information that is encrypted"),
            Err(Unusable::Malformed) => return self.skip("splice information that makes no sense"),
        };
        let from = if message.since_next { first_ms } else { shift_ms };
        let at_ms = super::ms(i128::from(message.time), message.timescale).saturating_add(from);
        self.lane(kind).push(first_ms, FeedEvent::Splice(FeedSplice { at_ms, section }), now);
    }

    fn leave_out(&mut self, track: String) {
        if self.untold_others.len() < OTHERS_MAX {
            self.untold_others.push_back(track);
        }
    }

    fn media(&mut self, reader: &mut Reader, at: u64, bytes: &Bytes, now: Moment) {
        let Some((header, version)) = reader.of.clone() else { return };
        while let Some(taken) = reader.filling.take(at, bytes) {
            let Ok((Wanted { kind, source, coming }, data)) = taken else {
                self.skip("a sample whose media lies in no media box, or in another sample's");
                continue;
            };
            let is_replaced = self.known.get(source.header).is_none_or(|known| known.version != version);
            let Some(track) = header.track(source.track).filter(|_| !is_replaced) else { continue };
            let Some(lane) = self.lane_of(source, kind) else { continue };
            if let Err(error) = lane.sample(coming, data, track, version, now) {
                self.outputs.push_back(Err(error));
            }
            // One by one, so that the order is the same in whichever pieces they come.
            self.settle(now);
        }
    }

    /// Gives out what need not wait: both kinds in the order of their decoding times, and what is no frame before them.
    fn settle(&mut self, now: Moment) {
        let full = self.video.is_full() || self.audio.is_full();
        match self.choosing {
            Some(until) if full || now.up_ms >= until => self.end_choice(),
            _ => return,
        }
        loop {
            let event = self.video.pop(true).or_else(|| self.audio.pop(true)).or_else(|| {
                match (self.video.front_ms(), self.audio.front_ms()) {
                    (None, None) => None,
                    (Some(video), Some(audio)) if video <= audio => self.video.pop(false),
                    (Some(_), Some(_)) => self.audio.pop(false),
                    (Some(_), None) if self.audio.holds_up(&self.video, now) => None,
                    (Some(_), None) => self.video.pop(false),
                    (None, Some(_)) if self.video.holds_up(&self.audio, now) => None,
                    (None, Some(_)) => self.audio.pop(false),
                }
            });
            let Some(event) = event else { break };
            match &event {
                FeedEvent::Frame(frame) => self.given_ms = self.given_ms.max(Some(frame.dts_ms)),
                FeedEvent::Audio(_) => self.language(self.audio.source, 0),
                _ => {}
            }
            self.outputs.push_back(Ok(event));
        }
        self.settle_beside(false);
    }

    /// Which of the tracks is which is decided.
    fn end_choice(&mut self) {
        if self.choosing.replace(0) != Some(0) {
            self.number_beside();
        }
    }
}

/// A clock that counts from 1970, as far as anybody can tell who knows what time it is.
fn epoch(feed_ms: i64, now: UtcMs) -> Option<Captured> {
    let utc = UtcMs(u64::try_from(feed_ms).ok()?);
    let near = now.ms_since(utc) <= LATE_MS_MAX && utc.ms_since(now) <= EARLY_MS_MAX;
    near.then_some(Captured { feed_ms, utc, by_encoder: true })
}
