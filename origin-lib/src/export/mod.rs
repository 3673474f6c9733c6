//! `railbird export`: a recording, or a part of it, as one MP4 without re-encoding.
//!
//! Two passes over the segments, each of which reads, checks and decrypts one at a time: the first makes the tables, the
//! second writes the media behind them. A segment that can't be used is a gap, as one that was never recorded.

pub mod command;
mod sound;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use railbird_core::fmp4::movie::{self, Movie, MovieError};
use railbird_core::fmp4::read::{self, Fragment, Track};
use railbird_core::keys::{self, MasterSecret};
use railbird_core::media::Kind;
use railbird_core::recording::{self, Reel, Segment};
use railbird_core::time::{MEDIA_HZ, MediaTime};

use crate::recorded::{self, Gap};

pub use sound::SoundError;

/// What a gap of the sound begins with, before the reason.
const ITS_SOUND: &str = "its sound";

/// The most init segments of one export that are kept at a time.
const INITS_MAX: usize = 64;

/// Nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No segment that can be used.
    #[error("there is no segment to export in this time{}", first.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Nothing {
        /// Why the first one can't be used, if there is one.
        first: Option<String>,
    },
    /// What one file can't hold.
    #[error(transparent)]
    Movie(#[from] MovieError),
    /// An object was there in the first pass and is not the same in the second.
    #[error("{name} changed while it was exported ({why}): export again")]
    Changed {
        /// The object.
        name: String,
        /// What happened to it.
        why: String,
    },
    /// The file can't be written.
    #[error("can't be written: {0}")]
    Io(#[from] io::Error),
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many segments.
    pub segments: usize,
    /// How large the file is, in bytes.
    pub len: u64,
    /// Where the first segment starts.
    pub from: MediaTime,
    /// Where the last one ends.
    pub to: MediaTime,
    /// What is missing between them.
    pub gaps: Vec<Gap>,
}

/// A segment in clear, with what is needed to play it.
#[derive(Clone, Debug)]
pub(crate) struct Clear {
    /// Its init segment.
    pub(crate) init: Vec<u8>,
    /// The segment.
    pub(crate) segment: Vec<u8>,
    /// Width and height of its pictures, in pixels; none where it has no picture.
    pub(crate) size: Option<(u32, u32)>,
    /// When each of its pictures is shown, in that order.
    pub(crate) pictures: Vec<MediaTime>,
    /// Whether there is sound with them.
    pub(crate) has_audio: bool,
}

/// The sound of a segment, where it is beside the pictures, in clear.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    /// Its init segment.
    pub(crate) init: Vec<u8>,
    /// The segment.
    pub(crate) segment: Vec<u8>,
}

/// An object of media: its number, that of its init segment, and where it starts.
#[derive(Clone, Copy, Debug)]
struct Media {
    n: u32,
    init: u32,
    start: MediaTime,
}

/// An object in clear, and where its samples lie in it.
type InClear = (Vec<u8>, Vec<Fragment>);

/// Reads a recording's segments.
pub(crate) struct Reader<'a> {
    reel: &'a Reel,
    objects: &'a Path,
    secret: &'a MasterSecret,
    /// The recording has sound beside its pictures.
    sounds: bool,
    /// Which one is taken; without, the one that is played by default.
    wanted: Option<sound::Wanted>,
    /// Tracks by the number of their init segment.
    inits: BTreeMap<u32, Vec<Track>>,
    key: Option<(u64, [u8; 16])>,
}

/// Writes the segments that touch `from` to `to` as one MP4, with the sound that the reader takes.
pub(crate) fn export(
    mut reader: Reader<'_>,
    from: Option<MediaTime>,
    to: Option<MediaTime>,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    let reel = reader.reel;
    let (mut movie, mut used, mut unusable) = (Movie::default(), Vec::new(), Vec::new());
    let mut span: Option<(MediaTime, MediaTime)> = None;
    for (n, segment) in touching(reel, from, to) {
        let end = segment.start + segment.duration;
        match reader.segment(n) {
            Ok((_, fragments)) => {
                movie.add(reader.tracks(n), &fragments)?;
                let mut heard = None;
                match reader.sound(n).and_then(|sound| Ok(sound.zip(reader.read_any(sound)?))) {
                    Ok(Some((sound, (_, fragments)))) => {
                        movie.add(reader.tracks_of(Some(sound.init)), &fragments)?;
                        heard = Some(sound);
                    }
                    Ok(None) => {}
                    Err(why) => {
                        let why = format!("{ITS_SOUND}: {why}");
                        recorded::add(&mut unusable, Gap { from: segment.start, to: end, why });
                    }
                }
                used.push((n, heard));
                span = Some((span.map_or(segment.start, |(start, _)| start), end));
            }
            Err(why) => recorded::add(&mut unusable, Gap { from: segment.start, to: end, why }),
        }
    }
    let Some((start, end)) = span else {
        return Err(ExportError::Nothing { first: unusable.into_iter().next().map(|gap| gap.why) });
    };
    let head = movie.head();
    out.write_all(&head)?;
    for (n, sound) in &used {
        // What passed its hash before and passes it again has the same samples.
        let (bytes, fragments) = reader.segment(*n).map_err(|why| reader.changed(*n, why))?;
        for media in movie::media(&bytes, &fragments) {
            out.write_all(media)?;
        }
        let Some(sound) = sound else { continue };
        let (bytes, fragments) = reader.read(*sound).map_err(|why| reader.changed(sound.n, why))?;
        for media in movie::media(&bytes, &fragments) {
            out.write_all(media)?;
        }
    }
    out.flush()?;
    let mut gaps: Vec<Gap> = recorded::gaps(reel).into_iter().chain(unusable).collect();
    gaps.retain(|gap| gap.to > start && gap.from < end);
    gaps.sort_by_key(|gap| gap.from);
    let len = head.len() as u64 + movie.media_len();
    Ok(Exported { segments: used.len(), len, from: start, to: end, gaps })
}

/// The segments that the disk took and that lie, at least in part, between `from` and `to`, each with its number. Where nobody can
/// begin with the first of them, also those before it, from the one on with which one can; where what is between was lost, only
/// those from the next one on with which one can.
pub(crate) fn touching(
    reel: &Reel,
    from: Option<MediaTime>,
    to: Option<MediaTime>,
) -> impl Iterator<Item = (u32, &Segment)> {
    let taken = |n: u32| reel.objects().get(n as usize).is_some_and(|object| object.sha256.is_some());
    let segments = || reel.order().iter().filter_map(|n| Some((*n, reel.segment(*n)?)));
    let ends_behind =
        move |segment: &Segment| from.is_none_or(|from| segment.start + segment.duration > from);
    let begins_before = move |segment: &Segment| to.is_none_or(|to| segment.start < to);
    let touched = segments().find(|(_, segment)| ends_behind(segment)).map(|(_, segment)| segment.start);
    let up_to = segments().take_while(|(_, segment)| touched.is_some_and(|first| segment.start <= first));
    // Pictures that refer to some that are lost can't be decoded.
    let before = up_to.fold(None, |first, (n, segment)| match (taken(n), segment.dependent) {
        (false, _) => None,
        (true, true) => first,
        (true, false) => Some(segment.start),
    });
    let next = || {
        let touched = touched?;
        let mut behind = segments().skip_while(|(_, segment)| segment.start <= touched);
        let next = behind.find(|(n, segment)| taken(*n) && !segment.dependent)?.1;
        begins_before(next).then_some(next.start)
    };
    // Where there is none at all, broken pictures are more than nothing.
    let first = before.or_else(next).or(touched);
    segments().filter(move |(n, segment)| {
        taken(*n) && first.is_some_and(|first| segment.start >= first) && begins_before(segment)
    })
}

impl<'a> Reader<'a> {
    /// Of this recording. `objects` is the directory of all objects.
    pub(crate) fn new(reel: &'a Reel, objects: &'a Path, secret: &'a MasterSecret) -> Reader<'a> {
        let (sounds, inits) = (sound::any(reel), BTreeMap::new());
        Reader { reel, objects, secret, sounds, wanted: None, inits, key: None }
    }

    /// What it reads.
    pub(crate) fn reel(&self) -> &'a Reel {
        self.reel
    }

    /// Takes the sound of this name or language, where one is named, and else the one that is played by default.
    pub(crate) fn with_sound(self, wanted: Option<&str>) -> Result<Reader<'a>, SoundError> {
        let wanted = wanted.map(|called| sound::Wanted::find(self.reel, called)).transpose()?;
        Ok(Reader { wanted, ..self })
    }

    /// The segment in clear, and its pictures. The error is a sentence.
    pub(crate) fn clear(&mut self, n: u32) -> Result<Clear, String> {
        let (segment, fragments) = self.segment(n)?;
        let init = self.reel.segment(n).and_then(|segment| segment.init).ok_or("it has no init segment")?;
        let init = self.object(init)?;
        let video = self.tracks(n).iter().find(|track| track.kind == Kind::Video);
        let size = video.map(|track| (track.size.0 >> 16, track.size.1 >> 16));
        let mut pictures = Vec::new();
        for fragment in &fragments {
            let Some(track) = video.filter(|track| track.id == fragment.id) else { continue };
            let mut at = fragment.start;
            for sample in &fragment.samples {
                let shown = u128::from(at.saturating_add_signed(sample.cts.into())) * u128::from(MEDIA_HZ);
                pictures
                    .push(MediaTime(u64::try_from(shown / u128::from(track.timescale)).unwrap_or(u64::MAX)));
                at = at.saturating_add(sample.duration.into());
            }
        }
        pictures.sort_unstable();
        let has_audio = self.tracks(n).iter().any(|track| track.kind == Kind::Audio);
        Ok(Clear { init, segment, size, pictures, has_audio })
    }

    fn name(&self, n: u32) -> Option<String> {
        self.reel.objects().get(n as usize).map(|object| self.reel.name(object))
    }

    /// The tracks of a segment that was read.
    fn tracks(&self, n: u32) -> &[Track] {
        self.tracks_of(self.reel.segment(n).and_then(|segment| segment.init))
    }

    fn tracks_of(&self, init: Option<u32>) -> &[Track] {
        init.and_then(|init| self.inits.get(&init)).map_or(&[], Vec::as_slice)
    }

    fn changed(&self, n: u32, why: String) -> ExportError {
        ExportError::Changed { name: self.name(n).unwrap_or_default(), why }
    }

    /// The sound that goes with a segment that was read, in clear. `None` where it has its own, or the recording has none.
    /// The error is a sentence.
    pub(crate) fn beside(&mut self, n: u32) -> Result<Option<Beside>, String> {
        let read = |reader: &mut Self| {
            let Some(sound) = reader.sound(n)? else { return Ok(None) };
            let (segment, _) = reader.read(sound)?;
            Ok(Some(Beside { init: reader.object(sound.init)?, segment }))
        };
        read(self).map_err(|why: String| format!("{ITS_SOUND}: {why}"))
    }

    /// The same, where it lies. A segment without any, in a recording that has sound beside its pictures, lacks it.
    fn sound(&self, n: u32) -> Result<Option<Media>, String> {
        let muxed = self.tracks(n).iter().any(|track| track.kind == Kind::Audio);
        let Some(start) = self.reel.segment(n).map(|segment| segment.start) else { return Ok(None) };
        if muxed || !self.sounds {
            return Ok(None);
        }
        let found = self.reel.rungs().iter().filter_map(|rung| rung.at(start)).find_map(|n| {
            let object = self.reel.objects().get(n as usize).filter(|object| object.sha256.is_some())?;
            let recording::Kind::RungSegment { init, start, .. } = object.kind else { return None };
            let sound = self.reel.init(init)?.sound.as_ref()?;
            let taken = self.wanted.as_ref().map_or(sound.default, |wanted| wanted.is(sound));
            taken.then_some(Media { n, init, start })
        });
        found.map(Some).ok_or_else(|| "none was recorded".into())
    }

    fn read_any(&mut self, media: Option<Media>) -> Result<Option<InClear>, String> {
        media.map(|media| self.read(media)).transpose()
    }

    /// The segment in clear, and where its samples lie in it.
    fn segment(&mut self, n: u32) -> Result<InClear, String> {
        let segment = self.reel.segment(n).ok_or("it is not in the journal")?;
        let init = segment.init.ok_or("its init segment is not in the journal")?;
        self.read(Media { n, init, start: segment.start })
    }

    fn read(&mut self, Media { n, init, start }: Media) -> Result<InClear, String> {
        self.load(init)?;
        let mut bytes = self.object(n)?;
        let head = self.reel.head();
        let period = keys::period(start, head.key_period_s);
        let key = match self.key {
            Some((of, key)) if of == period => key,
            _ => self.secret.content_key(&head.channel, period),
        };
        self.key = Some((period, key));
        keys::decrypt(&key, &keys::iv(&head.channel, period), &mut bytes)
            .map_err(|_| "it does not decrypt: is secrets.master the one that it was recorded with?")?;
        let fragments =
            read::segment(&bytes, self.tracks_of(Some(init))).map_err(|error| error.to_string())?;
        Ok((bytes, fragments))
    }

    /// Reads an init segment, unless it was read already.
    fn load(&mut self, init: u32) -> Result<(), String> {
        if !self.inits.contains_key(&init) {
            let bytes = self.object(init).map_err(|why| format!("its init segment can't be used: {why}"))?;
            let tracks =
                read::init(&bytes).map_err(|error| format!("its init segment can't be used: {error}"))?;
            if self.inits.len() >= INITS_MAX {
                self.inits.clear();
            }
            self.inits.insert(init, tracks);
        }
        Ok(())
    }

    fn object(&self, n: u32) -> Result<Vec<u8>, String> {
        let object = self.reel.objects().get(n as usize).ok_or("it is not in the journal")?;
        let sha256 = object.sha256.as_ref().ok_or("the disk did not take it")?;
        let name = self.reel.name(object);
        recorded::object(self.objects, &name, object.len, sha256).map_err(|error| error.to_string())
    }
}
