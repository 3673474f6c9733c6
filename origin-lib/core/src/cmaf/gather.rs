//! From the requests of a feed to its frames.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::boxes::{Boxes, Piece};
use super::fragment::{self, Filling, Message, Produced, Run};
use super::header::{Coding, Header};
use super::lane::{Coming, Lane, Source};
use super::{Refusal, names};
use crate::flv::Error;
use crate::media::{Captured, FeedEvent, FeedSplice, Kind};
use crate::programme::End;
use crate::scte35::{Section, Unusable};
use crate::time::{Moment, UtcMs};
use crate::timeline::{EARLY_MS_MAX, LATE_MS_MAX};

/// The most requests of a feed at a time.
pub const REQUESTS_MAX: usize = 32;

/// The most headers of a feed that are known at a time.
pub const HEADERS_MAX: usize = 16;

/// The longest name of a request that counts.
pub const NAME_LEN_MAX: usize = 256;

/// A feed without a request for this long is lost, in milliseconds.
pub const IDLE_MS_MAX: u64 = 20_000;

/// How long, after the encoder has said that it is over, what it still sends is taken for a part of it, in milliseconds.
pub const ORDER_MS: u64 = 1_000;

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
    headers: Vec<Known>,
    requests: BTreeMap<Request, Reader>,
    video: Lane,
    audio: Lane,
    /// Numbers of requests and headers.
    last: u64,
    /// When something came last.
    heard: u64,
    /// The encoder's playlist says that it is over.
    over: bool,
    outputs: VecDeque<Result<FeedEvent, Error>>,
    others: Vec<Source>,
    untold_others: VecDeque<String>,
}

/// The headers that a feed brought, for one that goes on without sending them again.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub(super) Vec<(String, Arc<Header>)>);

/// A header that is known, and of which name.
#[derive(Debug)]
struct Known {
    number: u64,
    /// Another one, once it says something else.
    version: u64,
    name: String,
    header: Arc<Header>,
    /// It came in this feed.
    fresh: bool,
}

/// What is read of a request.
#[derive(Debug)]
struct Reader {
    name: String,
    boxes: Boxes,
    /// The number of its header.
    header: Option<u64>,
    produced: Option<Produced>,
    /// Those before the next fragment.
    messages: Vec<Message>,
    filling: Filling<Wanted>,
    /// The header of what fills, and its version.
    of: Option<(Arc<Header>, u64)>,
    /// The encoder says that it is the last one of its tracks.
    last: bool,
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
        let mut gather = Gather {
            headers: Vec::new(),
            requests: BTreeMap::new(),
            video: Lane::default(),
            audio: Lane::default(),
            last: 0,
            heard: now.up_ms,
            over: false,
            outputs: VecDeque::new(),
            others: Vec::new(),
            untold_others: VecDeque::new(),
        };
        for (name, header) in kept.0.iter().take(HEADERS_MAX) {
            gather.last += 1;
            let (number, name, header) = (gather.last, name.clone(), header.clone());
            gather.headers.push(Known { number, version: number, name, header, fresh: false });
            gather.choose(number, None, now);
        }
        gather
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
            produced: None,
            messages: Vec::new(),
            filling: Filling::default(),
            of: None,
            last: false,
        };
        self.requests.insert(Request(self.last), reader);
        Ok(Request(self.last))
    }

    /// The headers that are known, at most [`HEADERS_MAX`].
    pub fn headers(&self) -> Headers {
        Headers(self.headers.iter().map(|known| (known.name.clone(), known.header.clone())).collect())
    }

    /// Whether a header is known.
    pub fn has_headers(&self) -> bool {
        !self.headers.is_empty()
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
        self.requests.insert(request, reader);
        result
    }

    /// A request has ended; `whole`: its encoder said so.
    pub fn close(&mut self, request: Request, whole: bool, now: Moment) -> Result<(), Refusal> {
        let Some(reader) = self.requests.remove(&request) else { return Ok(()) };
        self.heard = now.up_ms;
        if reader.last && whole {
            for lane in [&mut self.video, &mut self.audio] {
                lane.ended |= lane.source.is_some_and(|source| Some(source.header) == reader.header);
            }
            self.settle(now);
        }
        if whole && !(reader.boxes.is_whole() && reader.filling.is_full()) {
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
        self.settle(now);
    }

    /// When to `tick` at the latest, on [`Moment::up_ms`], and to ask whether it has ended.
    pub fn deadline(&self) -> Option<u64> {
        let waits = [&self.video, &self.audio].into_iter().filter_map(Lane::due);
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
        for track in &header.tracks {
            match &track.coding {
                Coding::Unusable(_, Error::Refuse { sent, set }) => {
                    return Err(Refusal::Codec { sent: sent.clone(), set });
                }
                Coding::Unusable(_, Error::Skip(what)) => return Err(Refusal::Malformed(what)),
                _ => {}
            }
        }
        self.last += 1;
        let number = match self.headers.iter_mut().find(|known| known.name == reader.name) {
            Some(known) => {
                known.fresh = true;
                if *known.header != header {
                    (known.header, known.version) = (Arc::new(header), self.last);
                }
                known.number
            }
            None => {
                self.make_room();
                let (number, name) = (self.last, reader.name.clone());
                let header = Arc::new(header);
                self.headers.push(Known { number, version: number, name, header, fresh: true });
                number
            }
        };
        reader.header = Some(number);
        self.choose(number, None, now);
        Ok(())
    }

    /// Forgets the oldest header of which no track is used, where there are many.
    fn make_room(&mut self) {
        let used = [&self.video, &self.audio].map(|lane| lane.source.map(|source| source.header));
        if self.headers.len() >= HEADERS_MAX
            && let Some(at) = self.headers.iter().position(|known| !used.contains(&Some(known.number)))
        {
            self.headers.remove(at);
        }
    }

    /// Takes the tracks of a header for the kinds of which there are none. Before anything has come of a kind, the largest
    /// picture is taken: an encoder sends the headers of all it has first. Where one of their fragments comes, it lasts `span_ms`:
    /// it may take the place of what comes no longer, or never came.
    fn choose(&mut self, number: u64, span_ms: Option<u64>, now: Moment) {
        let Some(known) = self.headers.iter().find(|known| known.number == number) else { return };
        let header = known.header.clone();
        for track in &header.tracks {
            let source = Source { header: number, track: track.id };
            let before = self.lane(track.kind()).source;
            let size = |source| self.coding(source).map_or(0, area);
            let larger = before.is_some_and(|before| size(source) > size(before));
            let lane = self.lane(track.kind());
            let is_stale = span_ms.is_some_and(|span_ms| {
                let after = if lane.has_begun() { IDLE_MS_MAX } else { ABSENT_MS };
                now.ms_since(lane.heard) >= after.max(span_ms.saturating_mul(3))
            });
            if before.is_none() || (larger && !lane.has_begun()) || (before != Some(source) && is_stale) {
                lane.follow(source, now);
            }
        }
    }

    fn coding(&self, source: Source) -> Option<&Coding> {
        let known = self.headers.iter().find(|known| known.number == source.header)?;
        known.header.track(source.track).map(|track| &track.coding)
    }

    /// The number of the header of what comes in this request.
    fn header_of(&self, reader: &Reader, ids: &[u32]) -> Option<u64> {
        let has = |known: &&Known| ids.iter().any(|id| known.header.track(*id).is_some());
        if let Some(number) = reader.header {
            return Some(number);
        }
        let like = |known: &Known| (names::likeness(&known.name, &reader.name), known.fresh);
        let best = self.headers.iter().filter(has).max_by_key(|known| like(known))?;
        let mut rivals = self.headers.iter().filter(has).filter(|known| like(known) == like(best));
        (rivals.next().is_some() && rivals.next().is_none()).then_some(best.number)
    }

    fn fragment(&mut self, reader: &mut Reader, moof: &[u8], at: u64, now: Moment) -> Result<(), Refusal> {
        let (produced, messages) = (reader.produced.take(), core::mem::take(&mut reader.messages));
        if !reader.filling.is_full() {
            self.skip("a fragment whose media did not come");
        }
        reader.filling = Filling::default();
        let Ok(ids) = fragment::tracks(moof) else {
            self.skip("a fragment that makes no sense");
            return Ok(());
        };
        let number = self.header_of(reader, &ids).ok_or(Refusal::NoHeader)?;
        reader.header = Some(number);
        let Some(known) = self.headers.iter().find(|known| known.number == number) else {
            return Err(Refusal::NoHeader);
        };
        let (header, version) = (known.header.clone(), known.version);
        let runs = match fragment::fragment(moof, at, &header) {
            Ok(runs) => runs,
            Err(error) => {
                self.skip(error.0);
                return Ok(());
            }
        };
        let span_ms = |(run, span): &(Run, u64)| {
            let timescale = header.track(run.track).map_or(1, |track| track.timescale);
            super::ms(i128::from(*span), timescale).unsigned_abs()
        };
        self.choose(number, runs.iter().map(span_ms).max(), now);
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
        if self.lane(kind).source != Some(source) {
            self.other(source, kind);
            return None;
        }
        let is_first = !self.video.has_begun() && !self.audio.has_begun();
        let lane = self.lane(kind);
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
        if let Some(captured) = captured.or(arrived).filter(|_| from.is_none()) {
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
        Some((kind, feed_ms, super::ms(i128::from(track.shift), track.timescale)))
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

    /// A track that is left out.
    fn other(&mut self, source: Source, kind: Kind) {
        if self.others.len() < OTHERS_MAX && !self.others.contains(&source) {
            self.others.push(source);
            let of = self.headers.iter().find(|known| known.number == source.header);
            let of = of.map_or("", |known| &known.name);
            let kind = if kind == Kind::Video { "video" } else { "audio" };
            self.untold_others.push_back(alloc::format!("{kind} track {} of {of}", source.track));
        }
    }

    fn media(&mut self, reader: &mut Reader, at: u64, bytes: &Bytes, now: Moment) {
        let Some((header, version)) = reader.of.clone() else { return };
        while let Some(taken) = reader.filling.take(at, bytes) {
            let Ok((Wanted { kind, source, coming }, data)) = taken else {
                self.skip("a sample whose media lies in no media box, or in another sample's");
                continue;
            };
            let lane = self.lane(kind);
            let Some(track) = header.track(source.track).filter(|_| lane.source == Some(source)) else {
                continue;
            };
            if let Err(error) = lane.sample(coming, data, track, version, now) {
                self.outputs.push_back(Err(error));
            }
            // One by one, so that the order is the same in whichever pieces they come.
            self.settle(now);
        }
    }

    /// Gives out what need not wait: both kinds in the order of their decoding times, and what is no frame before them.
    fn settle(&mut self, now: Moment) {
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
            let Some(event) = event else { return };
            self.outputs.push_back(Ok(event));
        }
    }
}

/// How large a picture is.
fn area(coding: &Coding) -> u32 {
    match coding {
        Coding::Video { config, .. } => u32::from(config.width) * u32::from(config.height),
        _ => 0,
    }
}

/// A clock that counts from 1970, as far as anybody can tell who knows what time it is.
fn epoch(feed_ms: i64, now: UtcMs) -> Option<Captured> {
    let utc = UtcMs(u64::try_from(feed_ms).ok()?);
    let near = now.ms_since(utc) <= LATE_MS_MAX && utc.ms_since(now) <= EARLY_MS_MAX;
    near.then_some(Captured { feed_ms, utc, by_encoder: true })
}
