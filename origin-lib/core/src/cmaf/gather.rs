//! From the requests of a feed to its frames.

mod beside;
mod reader;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use beside::Beside;
use reader::Reader;

use super::Refusal;
use super::header::Header;
use super::known::{Catalogue, Headers};
use super::lane::{Lane, Source, Standing};
use super::names;
use crate::flv::Error;
use crate::media::{FeedEvent, Kind};
use crate::programme::End;
use crate::time::Moment;

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
    /// The one that is being read, and the number of its header before that.
    reading: Option<(Request, Option<u64>)>,
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
    /// The number of the last request, and that of the last fragment.
    last: u64,
    last_fragment: u64,
    /// When something came last.
    heard: u64,
    /// The encoder's playlist says that it is over.
    over: bool,
    outputs: VecDeque<Result<FeedEvent, Error>>,
    others: Vec<Source>,
    untold_others: VecDeque<String>,
}

impl Gather {
    /// Of a feed of which nothing has come. `kept` are the [`headers`](Self::headers) of the one before it: packagers send them
    /// once, and not again where a feed goes on.
    pub fn new(kept: &Headers, now: Moment) -> Gather {
        Gather {
            known: Catalogue::new(kept),
            requests: BTreeMap::new(),
            reading: None,
            video: Lane::default(),
            audio: Lane::default(),
            sounds: Vec::new(),
            pictures: Vec::new(),
            beside: Vec::new(),
            given_ms: None,
            choosing: None,
            last: 0,
            last_fragment: 0,
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
        let request = Request(self.last);
        self.requests.insert(request, Reader::new(request, name));
        Ok(request)
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
        self.reading = Some((request, reader.header.map(|(number, _)| number)));
        reader.boxes.handle(bytes);
        let mut result = Ok(());
        while result.is_ok()
            && let Some(piece) = reader.boxes.poll()
        {
            result = self.piece(&mut reader, piece, now);
            self.settle(false, now);
        }
        self.reading = None;
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
        self.brings_no_more(request);
        if reader.last && whole {
            let number = reader.header.map(|(number, _)| number);
            for lane in [&mut self.video, &mut self.audio] {
                lane.ended |= lane.source.is_some_and(|source| Some(source.header) == number);
            }
        }
        self.settle(false, now);
        if whole && !reader.refused && !reader.is_whole() {
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
        self.settle(false, now);
    }

    /// Nothing more comes: what waits is let go.
    pub fn finish(&mut self, now: Moment) {
        self.end_choice();
        self.settle(true, now);
    }

    /// When to `tick` at the latest, on [`Moment::up_ms`], and to ask whether it has ended.
    pub fn deadline(&self) -> Option<u64> {
        let waiting = |lane: &Lane| lane.front_ms().is_some() || lane.is_waiting();
        let waiting = [&self.video, &self.audio].into_iter().any(waiting);
        let chosen = self.choosing.filter(|until| waiting && *until > 0);
        let waits = [self.audio.due(&self.video), self.video.due(&self.audio)];
        let placed =
            self.lanes().filter_map(|lane| lane.placed_by(self.may_come(lane))).filter(|_| chosen.is_none());
        let waits = waits.into_iter().flatten().chain(chosen).chain(placed);
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
        let lanes = [&self.video, &self.audio];
        let all = self.is_said() && lanes.iter().all(|lane| lane.ended && !lane.waits());
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

    fn lane_ref(&self, kind: Kind) -> &Lane {
        match kind {
            Kind::Video => &self.video,
            Kind::Audio => &self.audio,
        }
    }

    /// Of all tracks that are used.
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        [&self.video, &self.audio].into_iter().chain(self.beside.iter().map(|beside| &beside.lane))
    }

    /// Whether a request is open that may bring what a track waits for.
    fn may_come(&self, lane: &Lane) -> bool {
        let open =
            self.requests.iter().map(|(request, reader)| (*request, reader.header.map(|(number, _)| number)));
        let may = |header: Option<u64>| header.is_none() || header == lane.source.map(|source| source.header);
        open.chain(self.reading).any(|(request, header)| may(header) && lane.waits_for(request))
    }

    /// A request brings nothing more of the fragments that it has begun.
    fn brings_no_more(&mut self, request: Request) {
        self.video.over(request);
        self.audio.over(request);
        for beside in &mut self.beside {
            beside.lane.over(request);
        }
    }

    /// Which headers' tracks miss this fragment of a request of this name: the track it is of, where it begins and where it ends. Beside a
    /// request that is open, it is one of theirs only where its name has a lower number, as its time is earlier.
    fn missed(&self, name: &str, header: &Header, (track, start, end): (u32, u64, u64)) -> Vec<u64> {
        let Some(track) = header.track(track) else { return Vec::new() };
        let missing =
            self.lanes().filter(|lane| lane.misses((start, end), track)).filter_map(|lane| lane.source);
        let missing = missing.filter(|source| source.track == track.id).map(|source| source.header);
        let is_open = |header: u64| {
            self.requests.values().any(|reader| reader.header.is_some_and(|(number, _)| number == header))
        };
        let is_before = |header: u64| names::is_after(self.known.name(header), name);
        missing.filter(|header| is_before(*header) || !is_open(*header)).collect()
    }

    /// How the other kind than this one stands.
    fn standing_beside(&self, kind: Kind) -> Standing {
        match kind {
            Kind::Video => self.audio.standing(),
            Kind::Audio => self.video.standing(),
        }
    }

    /// The headers of which a track is used.
    fn used(&self) -> Vec<u64> {
        self.lanes().filter_map(|lane| lane.source).map(|source| source.header).collect()
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
        let mut rest = None;
        // Either may come seldom.
        let span_ms = self.known.span_ms(source).max(self.known.span_ms(before)).saturating_mul(3);
        if quiet >= after.max(span_ms) {
            if self.known.best(kind, ABSENT_MS, now) == Some(source) {
                rest = Some(self.lane(kind).follow_anew(source, now));
            }
        } else if self.known.is_better(source, before)
            && let Some(start) = start
        {
            let rival = self.lane(kind).rival(now);
            if rival.is_none_or(|rival| rival == source || self.known.is_better(source, rival)) {
                rest = self.lane(kind).lead_to(source, (start, end), ABSENT_MS.max(span_ms), now);
            }
        }
        if let Some(rest) = rest {
            self.swap_beside(source, before, rest, now);
        }
        self.lane(kind).source == Some(source)
    }

    fn leave_out(&mut self, track: String) {
        if self.untold_others.len() < OTHERS_MAX {
            self.untold_others.push_back(track);
        }
    }

    /// Gives out what need not wait: both kinds in the order of their decoding times, and what is no frame before them.
    /// `all`: nothing more comes.
    fn settle(&mut self, all: bool, now: Moment) {
        let full = self.video.is_full() || self.audio.is_full();
        match self.choosing {
            Some(until) if full || now.up_ms >= until => self.end_choice(),
            _ => return,
        }
        for kind in [Kind::Video, Kind::Audio] {
            let (other, may_come) = (self.standing_beside(kind), self.may_come(self.lane_ref(kind)));
            let lane = self.lane(kind);
            lane.release(may_come, all, other, now);
            if all {
                lane.give_up();
            }
            let errors = lane.take_errors();
            self.outputs.extend(errors.into_iter().map(Err));
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
        self.settle_beside(all, now);
    }

    /// Which of the tracks is which is decided.
    fn end_choice(&mut self) {
        if self.choosing.replace(0) != Some(0) {
            self.number_beside();
        }
    }
}
