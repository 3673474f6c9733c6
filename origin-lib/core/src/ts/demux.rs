//! From bytes to frames.

mod pictures;
mod sounds;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pictures::Seen;
use sounds::Heard;

use super::packets::{Continuity, Follows, Packet, Packets, Piece};
use super::pes::{self, Assembly, Clock};
use super::streams::Carried;
use super::tables::{PROGRAMMES_MAX, Sections, Stream, Table, Version};
use super::video::Video;
use super::{Error, Unit};
use crate::codec::Picture;
use crate::media::{FeedEvent, FeedSplice, Frame, Kind};
use crate::scte35::{Section, Unusable};

/// So many packets may come before the tables have told what is in the stream: 3.7 MB.
pub const WITHOUT_TABLES_MAX: u64 = 20_000;

const PAT_PID: u16 = 0;
const PAT: u8 = 0;
const PMT: u8 = 2;
const NULL_PID: u16 = 0x1fff;

const SET_VIDEO: &str = "H.264 or HEVC";
const SET_AUDIO: &str = "AAC-LC or Opus";

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes that were in no packet.
    pub lost_bytes: u64,
    /// Places where packets were missing from a stream or table that is used.
    pub gaps: u64,
    /// Packets, sections and access units that were damaged, or cut short by a gap.
    pub damaged: u64,
    /// Packets that came a second time.
    pub twice: u64,
    /// Packets of streams that are not used: teletext, metadata, other programmes.
    pub ignored: u64,
}

/// Turns the bytes of an MPEG transport stream into frames and parameters.
///
/// `handle` what has come, then `poll` until `None`; `end` where the encoder ended the stream, and `poll` again. An
/// [`Error::Skip`] says that something was no use, and nothing else is lost. A codec that can't be used, or bytes that are no
/// transport stream, give [`Error::Refuse`]; nothing comes after it.
///
/// What is put together is bounded by [`PES_LEN_MAX`](super::PES_LEN_MAX) a track and
/// [`SECTION_LEN_MAX`](super::SECTION_LEN_MAX) a table.
#[derive(Debug, Default)]
pub struct Demux {
    packets: Packets,
    clock: Clock,
    tables: Vec<TablePid>,
    /// Of its first section.
    pat_version: Option<Version>,
    programmes: Vec<Programme>,
    /// The number of the one that is used.
    chosen: Option<u16>,
    video: Track<Video>,
    audio: Heard,
    /// Further sound tracks that are wanted.
    further: Vec<Heard>,
    /// Further tracks of pictures that are wanted.
    views: Vec<Seen>,
    /// Where splice information comes.
    splices: Option<TablePid>,
    outputs: VecDeque<Result<FeedEvent, Error>>,
    refused: bool,
    /// Why, until that is told.
    refusal: Option<Error>,
    /// Packets before the first programme was chosen.
    before_tables: u64,
    counts: Counts,
}

/// A PID that brings tables.
#[derive(Debug)]
struct TablePid {
    pid: u16,
    continuity: Continuity,
    sections: Sections,
}

impl TablePid {
    fn new(pid: u16) -> TablePid {
        TablePid { pid, continuity: Continuity::default(), sections: Sections::default() }
    }

    /// The sections that are whole with this packet; and whether none was damaged.
    fn sections(&mut self, packet: &Packet<'_>, counts: &mut Counts) -> (Vec<Vec<u8>>, bool) {
        let mut sections: Vec<Vec<u8>> = Vec::new();
        let Some(payload) = packet.payload else { return (sections, true) };
        match self.continuity.next(packet) {
            Follows::On => {}
            Follows::Gap => {
                counts.gaps += 1;
                self.sections.drop_open();
            }
            Follows::Twice => {
                counts.twice += 1;
                return (sections, true);
            }
        }
        let whole = self.sections.handle(payload, packet.starts, |section| sections.push(section.into()));
        (sections, whole)
    }
}

#[derive(Debug)]
struct Programme {
    number: u16,
    pid: u16,
    /// Which section of its table names it.
    section: u8,
    version: Option<Version>,
    streams: Vec<Stream>,
    /// How often its table came, up to [`ROUNDS`].
    rounds: u8,
}

/// A programme is used once its table came so often, even if that of one before it did not.
const ROUNDS: u8 = 3;

#[derive(Debug, Default)]
struct Track<R> {
    pid: Option<u16>,
    continuity: Continuity,
    assembly: Assembly,
    reader: R,
}

impl Demux {
    /// A demultiplexer at the start of a stream.
    pub fn new() -> Demux {
        Demux::default()
    }

    /// Takes the next bytes.
    pub fn handle(&mut self, bytes: &[u8]) {
        if !self.refused {
            self.packets.handle(bytes);
        }
    }

    /// The encoder ended the stream: what is open is whole.
    pub fn end(&mut self) {
        self.packets.end();
        self.drain();
        if self.refused {
            return;
        }
        self.all_seen().for_each(|which| self.end_video(which));
        self.all_heard().for_each(|which| {
            self.end_audio(which);
            self.tell_sound(which);
        });
    }

    /// The next event, or why there is none.
    pub fn poll(&mut self) -> Option<Result<FeedEvent, Error>> {
        if self.outputs.is_empty() {
            self.drain();
        }
        // What came before it is used.
        self.outputs.pop_front().or_else(|| self.refusal.take().map(Err))
    }

    /// Whether the bytes were a transport stream so far.
    pub fn has_packets(&self) -> bool {
        self.packets.have_begun()
    }

    /// What was left out so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Goes on until something comes of it.
    fn drain(&mut self) {
        while !self.refused
            && let Some(piece) = self.packets.poll()
        {
            match piece {
                Piece::Packet(bytes) => match Packet::read(&bytes) {
                    Some(packet) => self.packet(&packet),
                    None => self.damaged("a packet that is marked as damaged"),
                },
                Piece::Lost(len) => self.lost(len),
                Piece::Foreign(sent) => self.error(super::refuse(
                    false,
                    sent,
                    "an MPEG transport stream in packets of 188 bytes (as ffmpeg -f mpegts sends it)",
                )),
            }
        }
    }

    fn error(&mut self, error: Error) {
        match &error {
            Error::Skip(_) => {
                self.counts.damaged += 1;
                self.outputs.push_back(Err(error));
            }
            Error::Refuse { .. } if self.refused => {}
            Error::Refuse { .. } => (self.refused, self.refusal) = (true, Some(error)),
        }
    }

    fn damaged(&mut self, what: &'static str) {
        self.error(Error::Skip(what));
    }

    fn lost(&mut self, len: usize) {
        self.counts.lost_bytes += len as u64;
        self.tables.iter_mut().chain(&mut self.splices).for_each(|table| table.sections.drop_open());
        self.all_seen().for_each(|which| self.video_gap(which));
        self.all_heard().for_each(|which| self.audio_gap(which));
        self.outputs.push_back(Err(Error::Skip("bytes between packets: some were lost or damaged")));
    }

    fn packet(&mut self, packet: &Packet<'_>) {
        if self.chosen.is_none() {
            self.before_tables += 1;
            if self.before_tables > WITHOUT_TABLES_MAX {
                let sent = "an MPEG transport stream whose tables (PAT, PMT) name no video and no sound";
                self.error(super::refuse(
                    false,
                    sent,
                    "a programme with H.264 or HEVC and AAC or Opus, and tables twice a second",
                ));
                return;
            }
        }
        let pid = Some(packet.pid);
        if packet.pid == PAT_PID || self.programmes.iter().any(|programme| Some(programme.pid) == pid) {
            self.table(packet);
        } else if self.video.pid == pid {
            self.video_packet(None, packet);
        } else if self.audio.track.pid == pid {
            self.audio_packet(None, packet);
        } else if let Some(at) = self.further.iter().position(|heard| heard.track.pid == pid) {
            self.audio_packet(Some(at), packet);
        } else if let Some(at) = self.views.iter().position(|seen| seen.track.pid == pid) {
            self.video_packet(Some(at), packet);
        } else if self.splices.as_ref().is_some_and(|splices| splices.pid == packet.pid) {
            self.splice_packet(packet);
        } else if packet.pid != NULL_PID {
            self.counts.ignored += 1;
        }
    }

    fn table(&mut self, packet: &Packet<'_>) {
        let at = match self.tables.iter().position(|table| table.pid == packet.pid) {
            Some(at) => at,
            None => {
                self.tables.push(TablePid::new(packet.pid));
                self.tables.len() - 1
            }
        };
        let Some(table) = self.tables.get_mut(at) else { return };
        let (sections, whole) = table.sections(packet, &mut self.counts);
        if !whole {
            self.damaged("a table that is damaged");
        }
        for section in sections {
            match packet.pid {
                PAT_PID => self.pat(&section),
                pid => self.pmt(pid, &section),
            }
        }
    }

    fn splice_packet(&mut self, packet: &Packet<'_>) {
        let Some(splices) = &mut self.splices else { return };
        let (sections, whole) = splices.sections(packet, &mut self.counts);
        if !whole {
            self.damaged("splice information that is damaged");
        }
        for bytes in sections {
            let section = match Section::new(&bytes) {
                Ok(section) => section,
                Err(Unusable::Nothing) => continue,
                Err(Unusable::Encrypted) => {
                    self.damaged("splice information that is encrypted");
                    continue;
                }
                Err(Unusable::Malformed) => {
                    self.damaged("splice information that makes no sense");
                    continue;
                }
            };
            let at = section.command().and_then(|command| command.at);
            // At once: that is after what came last. Before anything came, it is about nothing.
            let at = at.map_or_else(|| self.clock.last(), |at| self.clock.near(at));
            if let Some(at) = at {
                let splice = FeedSplice { at_ms: at.div_euclid(90), section };
                self.outputs.push_back(Ok(FeedEvent::Splice(splice)));
            }
        }
    }

    fn pat(&mut self, section: &[u8]) {
        let Some(table) = Table::read(section, PAT) else { return };
        let is_first = table.section == 0;
        let mut changed = match self.pat_version {
            Some(known) if is_first => known != table.version,
            Some(known) => !known.is_of(table.version),
            None => true,
        };
        let mut before = Vec::new();
        if changed && is_first {
            self.pat_version = Some(table.version);
            before = core::mem::take(&mut self.programmes);
        }
        let others = self.programmes.len();
        for (number, pid) in table.programmes() {
            let known = self.programmes.iter().position(|programme| programme.number == number);
            let section = table.section;
            let new = Programme { number, pid, section, version: None, streams: Vec::new(), rounds: 0 };
            let is_full = self.programmes.len() == PROGRAMMES_MAX;
            match known.filter(|at| *at < others).and_then(|at| self.programmes.get_mut(at)) {
                // A section of several has changed, and nothing else of the table.
                Some(programme) if programme.pid != pid && programme.section == section => {
                    (*programme, changed) = (new, true);
                }
                Some(_) => {}
                None if known.is_some() || is_full => {}
                None => {
                    // What is known of a programme that stays is still so.
                    let kept = before.iter().position(|old| (old.number, old.pid) == (number, pid));
                    self.programmes.push(kept.map_or(new, |at| before.swap_remove(at)));
                }
            }
        }
        let pids: Vec<u16> = self.programmes.iter().map(|programme| programme.pid).collect();
        self.tables.retain(|table| table.pid == PAT_PID || pids.contains(&table.pid));
        if changed {
            self.choose();
        }
    }

    fn pmt(&mut self, pid: u16, section: &[u8]) {
        let Some(table) = Table::read(section, PMT) else { return };
        let known = |programme: &&mut Programme| (programme.number, programme.pid) == (table.number, pid);
        let Some(programme) = self.programmes.iter_mut().find(known) else { return };
        programme.rounds = (programme.rounds + 1).min(ROUNDS);
        let changed = programme.version != Some(table.version);
        if changed {
            let Some(streams) = table.streams() else {
                self.damaged("a programme map whose lengths do not add up");
                return;
            };
            (programme.version, programme.streams) = (Some(table.version), streams);
        }
        if changed || self.chosen.is_none() {
            self.choose();
        }
    }

    /// Which programme is used: of those in the order of the PAT, the first one with video; where none has any, the first one
    /// with sound. One that is used stays it.
    fn choose(&mut self) {
        let has = |programme: &Programme, kind| {
            programme.streams.iter().any(|stream| stream.carried.kind() == Some(kind))
        };
        let used = |programme: &Programme| has(programme, Kind::Video) || has(programme, Kind::Audio);
        let stays = self.programmes.iter().find(|one| Some(one.number) == self.chosen && used(one));
        let all_known = self.programmes.iter().all(|programme| programme.version.is_some());
        let first = self.programmes.iter().enumerate().find(|(at, programme)| {
            let before = self.programmes.iter().take(*at);
            let ready = programme.rounds == ROUNDS || before.clone().all(|one| one.version.is_some());
            ready && has(programme, Kind::Video)
        });
        let sound =
            self.programmes.iter().find(|one| (all_known || one.rounds == ROUNDS) && has(one, Kind::Audio));
        let Some(programme) = stays.or(first.map(|(_, programme)| programme)).or(sound) else { return };
        self.chosen = Some(programme.number);
        let splices = programme.streams.iter().find(|stream| stream.carried == Carried::Splices);
        if splices.map(|stream| stream.pid) != self.splices.as_ref().map(|splices| splices.pid) {
            self.splices = splices.map(|stream| TablePid::new(stream.pid));
        }
        let of = |kind, pid: Option<u16>| {
            let streams =
                || programme.streams.iter().filter(move |stream| stream.carried.kind() == Some(kind));
            let usable = || streams().filter(|stream| stream.carried.is_supported());
            let stays = usable().find(|stream| Some(stream.pid) == pid);
            stays.or_else(|| usable().next()).or_else(|| streams().next()).cloned()
        };
        let video = of(Kind::Video, self.video.pid);
        let audio = of(Kind::Audio, self.audio.track.pid);
        let beside = |kind, first: &Option<Stream>, tracks: &[(u8, Option<u16>)]| {
            let first = first.as_ref().map(|stream| stream.pid);
            let usable = programme.streams.iter().filter(|stream| {
                let is_of_kind = stream.carried.kind() == Some(kind) && stream.carried.is_supported();
                is_of_kind && Some(stream.pid) != first
            });
            beside(&usable.collect::<Vec<_>>(), tracks)
        };
        let further: Vec<_> = self.further.iter().map(|heard| (heard.number, heard.track.pid)).collect();
        let further = beside(Kind::Audio, &audio, &further);
        let views: Vec<_> = self.views.iter().map(|seen| (seen.number, seen.track.pid)).collect();
        let views = beside(Kind::Video, &video, &views);
        self.tune(video, audio);
        for (at, stream) in further.into_iter().enumerate() {
            self.tune_sound(Some(at), stream);
        }
        for (at, stream) in views.into_iter().enumerate() {
            self.tune_pictures(Some(at), stream);
        }
    }

    fn tune(&mut self, video: Option<Stream>, audio: Option<Stream>) {
        let (video_begun, audio_begun) = (self.video.reader.has_begun(), self.audio.track.reader.has_begun());
        let video = self.usable(video, video_begun, SET_VIDEO);
        self.tune_pictures(None, video);
        let audio = self.usable(audio, audio_begun, SET_AUDIO);
        self.tune_sound(None, audio);
    }

    /// A stream, where it can be used. A codec that becomes known is told apart here.
    fn usable(&mut self, stream: Option<Stream>, begun: bool, set: &'static str) -> Option<Stream> {
        let stream = stream?;
        match &stream.carried {
            Carried::Video(_) | Carried::Audio(_) => return Some(stream),
            Carried::Unsupported(_, name) => self.error(super::refuse(begun, name, set)),
            Carried::Splices | Carried::Other => {}
        }
        None
    }

    /// Whether a packet of a track is to be read.
    fn follows(&mut self, follows: Follows) -> bool {
        match follows {
            Follows::Twice => self.counts.twice += 1,
            Follows::Gap => self.counts.gaps += 1,
            Follows::On => {}
        }
        follows != Follows::Twice
    }

    fn readable<'a>(&mut self, packet: &Packet<'a>, begun: bool) -> Option<&'a [u8]> {
        if packet.scrambled {
            self.error(super::refuse(
                begun,
                "a scrambled transport stream",
                "no scrambling (conditional access)",
            ));
            return None;
        }
        packet.payload
    }

    /// Whether the times of a track tell where the feed's clock is. What others say, be it nonsense, moves nothing of the first
    /// picture's.
    fn leads(&self, kind: Kind, number: u8) -> bool {
        let has_pictures = self.video.pid.is_some() && self.video.reader.has_begun();
        number == 0 && (kind == Kind::Video || !has_pictures)
    }

    /// A frame that is decoded at a whole millisecond, not later than is said, and shown exactly when it is said. None is shown
    /// before it is decoded.
    fn frame(&mut self, kind: Kind, number: u8, unit: Unit) -> Frame {
        let dts = if self.leads(kind, number) {
            self.clock.unwrap(unit.times.dts)
        } else {
            self.clock.read(unit.times.dts)
        };
        let (dts_ms, since) = (dts.div_euclid(90), dts.rem_euclid(90));
        let later = pes::distance(unit.times.dts, unit.times.pts).max(0);
        // A time has 33 bits, half of which are in the past.
        let cts = match kind {
            Kind::Video => i32::try_from(since.saturating_add(later)).unwrap_or(i32::MAX),
            Kind::Audio => 0,
        };
        let Unit { picture: Picture { key, leading }, data, .. } = unit;
        Frame { kind, dts_ms, cts, key, leading, data }
    }
}

/// Which of the streams beside the first one each further track is, by its number and the PID that it has: that one as long
/// as it is there, else the one in its number's place, or the first that no track has where that one is taken.
fn beside(streams: &[&Stream], tracks: &[(u8, Option<u16>)]) -> Vec<Option<Stream>> {
    let listed = |pid: Option<u16>| streams.iter().copied().find(|stream| Some(stream.pid) == pid);
    let mut found: Vec<Option<&Stream>> = tracks.iter().map(|(_, pid)| listed(*pid)).collect();
    let mut taken: Vec<u16> = found.iter().flatten().map(|stream| stream.pid).collect();
    for (found, (number, _)) in found.iter_mut().zip(tracks).filter(|(found, _)| found.is_none()) {
        let place = usize::from(*number).saturating_sub(1);
        let is_free = |stream: &&&Stream| !taken.contains(&stream.pid);
        let free = || streams.iter().find(is_free);
        *found = streams.get(place).and_then(|stream| Some(stream).filter(is_free).or_else(free)).copied();
        taken.extend(found.map(|stream| stream.pid));
    }
    found.into_iter().map(Option::<&Stream>::cloned).collect()
}
