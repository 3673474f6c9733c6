//! The streams of sound: the first one, and further ones that are wanted.

use alloc::boxed::Box;

use super::super::Error;
use super::super::ahead::Ahead;
use super::super::audio::Audio;
use super::super::packets::{Continuity, Follows, Packet};
use super::super::pes::{self, Pes};
use super::super::streams::{Carried, Sound};
use super::super::tables::Stream;
use super::{Demux, Track};
use crate::media::{FeedEvent, Kind};
use crate::sound::Language;

/// A sound track.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Its place among the streams of sound that can be used, in the order of the PMT.
    pub(super) number: u8,
    pub(super) track: Track<Audio>,
    /// How the sound is framed that is read.
    sound: Option<Sound>,
    language: Option<Language>,
    /// What came before the first picture.
    ahead: Ahead,
}

/// Which sound track: the first, or the place of a further one.
pub(super) type Which = Option<usize>;

impl Demux {
    /// The same, which takes these sound tracks as well ([`FeedEvent::Further`]): their places, from 1 on, among the streams
    /// of sound that can be used, in the order of the PMT.
    pub fn with_sounds(mut self, tracks: &[u8]) -> Demux {
        self.further = tracks.iter().map(|number| Heard { number: *number, ..Heard::default() }).collect();
        self
    }

    /// The same, where sound waits for no picture: the feed named one before, and it never came
    /// ([`Demux::lacked_picture`]).
    pub fn without_waiting(mut self, in_vain: bool) -> Demux {
        if in_vain {
            self.audio.ahead.give_up();
            self.further.iter_mut().for_each(|heard| heard.ahead.give_up());
        }
        self
    }

    /// Whether sound waited for a picture that the tables name: `Some(true)` where it did as long as it may and none has come
    /// since, `Some(false)` where one came; `None` as long as nothing tells.
    pub fn lacked_picture(&self) -> Option<bool> {
        let in_vain = self.lacks_picture() && self.audio.ahead.was_in_vain();
        in_vain.then_some(true).or_else(|| self.video.reader.has_begun().then_some(false))
    }

    pub(super) fn heard(&mut self, which: Which) -> Option<&mut Heard> {
        match which {
            None => Some(&mut self.audio),
            Some(at) => self.further.get_mut(at),
        }
    }

    /// All sound tracks.
    pub(super) fn all_heard(&self) -> impl Iterator<Item = Which> + use<> {
        core::iter::once(None).chain((0..self.further.len()).map(Some))
    }

    pub(super) fn end_audio(&mut self, which: Which) {
        let Some(heard) = self.heard(which) else { return };
        let pes = heard.track.assembly.end();
        self.audio_pes(which, pes);
    }

    /// A sound track is this stream from now on.
    pub(super) fn tune_sound(&mut self, which: Which, stream: Option<Stream>) {
        let Some(heard) = self.heard(which) else { return };
        let sound = match &stream {
            Some(Stream { carried: Carried::Audio(sound), .. }) => Some(*sound),
            _ => heard.sound,
        };
        let pid = stream.as_ref().map(|stream| stream.pid);
        if heard.track.pid != pid || heard.sound != sound {
            self.end_audio(which);
            let Some(heard) = self.heard(which) else { return };
            if let Some(sound) = sound {
                heard.track.reader.turn_to(sound);
            }
            (heard.track.pid, heard.track.continuity, heard.sound) = (pid, Continuity::default(), sound);
        }
        let language = stream.and_then(|stream| stream.language);
        if let Some(heard) = self.heard(which)
            && heard.language != language
        {
            heard.language.clone_from(&language);
            let track = heard.number;
            self.outputs.extend(language.map(|language| Ok(FeedEvent::Language { track, language })));
        }
    }

    pub(super) fn audio_packet(&mut self, which: Which, packet: &Packet<'_>) {
        let Some(heard) = self.heard(which) else { return };
        let (follows, begun) = (heard.track.continuity.next(packet), heard.track.reader.has_begun());
        let number = heard.number;
        if !self.follows(follows) {
            return;
        }
        if follows == Follows::Gap {
            self.audio_gap(which);
        }
        if packet.scrambled && number > 0 {
            // No reason to refuse the feed.
            return self.damaged("a further track of sound that is scrambled");
        }
        let Some(payload) = self.readable(packet, begun) else { return };
        if packet.starts
            && let Some(heard) = self.heard(which)
        {
            let pes = heard.track.assembly.start();
            self.audio_pes(which, pes);
        }
        let Some(heard) = self.heard(which) else { return };
        let pes = heard.track.assembly.handle(payload, pes::SOUND_LEN_MAX);
        self.audio_pes(which, pes);
    }

    pub(super) fn audio_gap(&mut self, which: Which) {
        let Some(Heard { track, .. }) = self.heard(which) else { return };
        let open = track.assembly.drop_open() | track.reader.drop_open();
        if open {
            self.damaged("a PES packet of sound of which packets are missing");
        }
    }

    pub(super) fn audio_pes(&mut self, which: Which, pes: Result<Option<Pes>, &'static str>) {
        // Tracks begin together, and none of a feed that sounds is held back.
        let lacks_picture = self.lacks_picture() && !self.sounds();
        let Some(heard) = self.heard(which) else { return };
        match pes {
            Ok(None) => {}
            Ok(Some(pes)) => {
                let read = heard.track.reader.handle(pes);
                read.units.into_iter().for_each(|frame| heard.ahead.push(frame));
                let (number, waits) = (heard.number, lacks_picture && heard.ahead.waits());
                if !waits {
                    self.tell_sound(which);
                }
                match read.error {
                    // A further track that is no use is no reason to refuse the feed.
                    Some(Error::Refuse { .. }) if number > 0 => {
                        self.damaged("a further track of sound that viewers can't play");
                    }
                    Some(error) => self.error(error),
                    None => {}
                }
            }
            Err(what) => {
                heard.track.reader.drop_open();
                self.damaged(what);
            }
        }
    }

    /// Whether sound is told.
    fn sounds(&self) -> bool {
        core::iter::once(&self.audio).chain(&self.further).any(|heard| heard.ahead.is_over())
    }

    /// Whether the tables name video of which no picture has come.
    fn lacks_picture(&self) -> bool {
        self.video.pid.is_some() && !self.video.reader.has_begun()
    }

    /// This sound waits for nothing any more.
    pub(super) fn tell_sound(&mut self, which: Which) {
        let Some(heard) = self.heard(which) else { return };
        let (number, frames) = (heard.number, heard.ahead.take());
        let of_track = |event| match number {
            0 => event,
            track => FeedEvent::Further { track, event: Box::new(event) },
        };
        for (config, unit) in frames {
            self.outputs.extend(config.map(|config| Ok(of_track(FeedEvent::Audio(config)))));
            let frame = self.frame(Kind::Audio, number, unit);
            self.outputs.push_back(Ok(of_track(FeedEvent::Frame(frame))));
        }
    }
}
