//! The streams of pictures: the first one, and further ones that are wanted.

use alloc::boxed::Box;

use super::super::Error;
use super::super::packets::{Continuity, Follows, Packet};
use super::super::pes::{self, Pes};
use super::super::streams::Carried;
use super::super::tables::Stream;
use super::super::video::{Read, Video};
use super::{Demux, Track};
use crate::media::{FeedEvent, Kind};

/// A further track of pictures.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its place among the streams of pictures that can be used, in the order of the PMT.
    pub(super) number: u8,
    pub(super) track: Track<Video>,
}

/// Which track of pictures: the first, or the place of a further one.
pub(super) type Which = Option<usize>;

impl Demux {
    /// The same, which takes these tracks of pictures as well ([`FeedEvent::Further`]): their places, from 1 on, among the
    /// streams of pictures that can be used, in the order of the PMT.
    pub fn with_pictures(mut self, tracks: &[u8]) -> Demux {
        self.views = tracks.iter().map(|number| Seen { number: *number, ..Seen::default() }).collect();
        self
    }

    /// The track, and its number.
    fn seen(&mut self, which: Which) -> Option<(&mut Track<Video>, u8)> {
        match which {
            None => Some((&mut self.video, 0)),
            Some(at) => self.views.get_mut(at).map(|seen| (&mut seen.track, seen.number)),
        }
    }

    /// All tracks of pictures.
    pub(super) fn all_seen(&self) -> impl Iterator<Item = Which> + use<> {
        core::iter::once(None).chain((0..self.views.len()).map(Some))
    }

    /// A track of pictures is this stream from now on.
    pub(super) fn tune_pictures(&mut self, which: Which, stream: Option<Stream>) {
        let Some((track, _)) = self.seen(which) else { return };
        let coding = match &stream {
            Some(Stream { carried: Carried::Video(coding), .. }) => *coding,
            _ => track.reader.coding(),
        };
        let pid = stream.map(|stream| stream.pid);
        if track.pid != pid || track.reader.coding() != coding {
            self.end_video(which);
            let Some((track, _)) = self.seen(which) else { return };
            track.reader.turn_to(coding);
            (track.pid, track.continuity) = (pid, Continuity::default());
        }
    }

    /// What is open is whole.
    pub(super) fn end_video(&mut self, which: Which) {
        let Some((track, _)) = self.seen(which) else { return };
        let pes = track.assembly.end();
        self.video_pes(which, pes);
        self.end_picture(which);
    }

    fn end_picture(&mut self, which: Which) {
        let Some((track, _)) = self.seen(which) else { return };
        let whole = track.reader.end();
        self.picture(which, whole);
    }

    pub(super) fn video_packet(&mut self, which: Which, packet: &Packet<'_>) {
        let Some((track, number)) = self.seen(which) else { return };
        let (follows, begun) = (track.continuity.next(packet), track.reader.has_begun());
        if !self.follows(follows) {
            return;
        }
        if follows == Follows::Gap {
            self.video_gap(which);
        }
        if packet.scrambled && number > 0 {
            // No reason to refuse the feed.
            return self.damaged("a further track of pictures that is scrambled");
        }
        let Some(payload) = self.readable(packet, begun) else { return };
        if packet.starts
            && let Some((track, _)) = self.seen(which)
        {
            let pes = track.assembly.start();
            self.video_pes(which, pes);
            if pes::begins_something(payload) {
                self.end_picture(which);
            }
        }
        let Some((track, _)) = self.seen(which) else { return };
        let pes = track.assembly.handle(payload, pes::PES_LEN_MAX);
        self.video_pes(which, pes);
    }

    pub(super) fn video_gap(&mut self, which: Which) {
        let Some((track, _)) = self.seen(which) else { return };
        let open = track.assembly.drop_open() | track.reader.drop_open();
        if open {
            self.damaged("an access unit of video of which packets are missing");
        }
    }

    fn video_pes(&mut self, which: Which, pes: Result<Option<Pes>, &'static str>) {
        let Some((track, _)) = self.seen(which) else { return };
        match pes {
            Ok(None) => {}
            Ok(Some(pes)) => {
                let read = track.reader.handle(pes);
                self.picture(which, read);
            }
            Err(what) => {
                track.reader.drop_open();
                self.damaged(what);
            }
        }
    }

    fn picture(&mut self, which: Which, read: Result<Read, Error>) {
        let Some((track, number)) = self.seen(which) else { return };
        let begun = track.reader.has_begun();
        let of_track = |event| match number {
            0 => event,
            track => FeedEvent::Further { track, event: Box::new(event) },
        };
        match read {
            Ok(read) => {
                self.outputs.extend(read.config.map(|config| Ok(of_track(FeedEvent::Video(config)))));
                if let Some(unit) = read.unit {
                    let frame = self.frame(Kind::Video, number, unit);
                    self.outputs.push_back(Ok(of_track(FeedEvent::Frame(frame))));
                    if number == 0 {
                        self.all_heard().for_each(|which| self.tell_sound(which));
                    }
                }
            }
            // One that is no use is no reason to refuse the feed.
            Err(Error::Refuse { .. }) if number > 0 => {
                self.damaged("a further track of pictures that viewers can't play");
            }
            Err(error) => self.error(super::super::only_at_first(error, begun)),
        }
    }
}
