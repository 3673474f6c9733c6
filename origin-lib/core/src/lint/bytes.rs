//! What is fetched, beside what a media playlist says of it (RFC 8216bis, 3.1.2 and 4.4.4).

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::attributes::Nanos;
use super::formats::Format;
use super::media::Segment;
use super::rule::{Finding, Findings, quoted};
use super::rules;
use crate::fmp4::read::{self, Fragment, Track};
use crate::media::Kind;

/// What rounding leaves of a time, beside a frame.
const ROUNDING: Nanos = Nanos::ms(2);

/// Where the media of a segment ended, on its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    track: u32,
    at: Nanos,
}

/// What is known of the segment that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// As the playlist lists it.
    pub segment: &'a Segment,
    /// The tracks of its media initialization section.
    pub tracks: &'a [Track],
    /// EXT-X-INDEPENDENT-SEGMENTS is in force.
    pub independent: bool,
    /// Its playlist is one of I-frames.
    pub frame: bool,
    /// Its playlist ends with it.
    pub last: bool,
    /// Where the segment before it ended, if that was looked at.
    pub before: Option<End>,
    /// BANDWIDTH of its variant, in bits a second.
    pub bandwidth: Option<u64>,
    /// The target duration of its playlist.
    pub target: Nanos,
    /// How many bytes were fetched.
    pub len: usize,
}

/// The tracks of a media initialization section.
///
/// # Errors
///
/// It has none that can be read.
pub fn init(bytes: &[u8]) -> Result<Vec<Track>, Finding> {
    let seen = match read::init(bytes) {
        Ok(tracks) if !tracks.is_empty() => return Ok(tracks),
        Ok(_) => "it has no track".to_string(),
        Err(error) => error.to_string(),
    };
    Err(unreadable(&rules::INIT_UNREADABLE, 0, seen))
}

/// What a multivariant playlist says of what is in a media playlist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// CODECS of its variant.
    pub codecs: Option<&'a str>,
    /// RESOLUTION of its variant; `None` also where it is another rendition of that.
    pub resolution: Option<(u64, u64)>,
    /// Nothing else belongs to the variant: all that CODECS names is in it.
    pub alone: bool,
}

/// What is wrong with what is said of a media playlist whose media initialization section has these tracks.
pub fn described(tracks: &[Track], said: &Said<'_>) -> Vec<Finding> {
    let mut found = Findings::default();
    let formats: Option<Vec<Format>> = tracks.iter().map(Format::of).collect();
    if let Some((codecs, formats)) = said.codecs.zip(formats) {
        let named: Vec<Format> = codecs.split(',').map(Format::read).filter(Format::is_media).collect();
        for format in formats.iter().filter(|format| !named.iter().any(|named| named.covers(format))) {
            let seen = format!("CODECS is {}, and a track is {format}", quoted(codecs));
            found.add(&rules::CODECS_DIFFER, 0, seen);
        }
        let is_there = |named: &&Format| formats.iter().any(|format| format.is_of(named));
        for named in named.iter().filter(|named| said.alone && !is_there(named)) {
            let seen = format!("CODECS is {}, and no track is {named}", quoted(codecs));
            found.add(&rules::CODECS_DIFFER, 0, seen);
        }
    }
    let picture = tracks.iter().find(|track| track.kind == Kind::Video);
    if let Some(((width, height), track)) = said.resolution.zip(picture) {
        let (shown, coded) = sizes(track);
        if ![Some(shown), coded].contains(&Some((width, height))) {
            let seen = format!("RESOLUTION is {width}x{height}, and the picture {}x{}", shown.0, shown.1);
            found.add(&rules::RESOLUTION_DIFFERS, 0, seen);
        }
    }
    found.0
}

/// How large a picture is shown (ISO/IEC 14496-12, 8.3.2), and how large it is in its sample entry (12.1.3).
fn sizes(track: &Track) -> ((u64, u64), Option<(u64, u64)>) {
    const SIDES_AT: usize = 32;
    let whole = |fixed: u32| u64::from(fixed >> 16);
    let sides = track.entry.get(SIDES_AT..).and_then(|entry| entry.first_chunk::<4>());
    let coded = sides.map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
    let (width, height) = track.size;
    ((whole(width), whole(height)), coded.map(|(width, height)| (width.into(), height.into())))
}

/// The finding that a segment can't be read, or not be decrypted.
pub fn unreadable(rule: &'static super::Rule, line: u32, seen: impl Into<alloc::string::String>) -> Finding {
    Finding { rule, section: rule.section, line, seen: seen.into() }
}

/// What is wrong with a decrypted fMP4 segment, and where its media ends.
pub fn segment(bytes: &[u8], known: &Known<'_>) -> (Option<End>, Vec<Finding>) {
    let mut found = Findings::default();
    let line = known.segment.line;
    rates(known, &mut found);
    let fragments = match read::segment(bytes, known.tracks) {
        Ok(fragments) if !fragments.is_empty() => fragments,
        Ok(_) => {
            found.add(&rules::MEDIA_UNREADABLE, line, "it has no movie fragment with samples");
            return (None, found.0);
        }
        Err(error) => {
            found.add(&rules::MEDIA_UNREADABLE, line, error.to_string());
            return (None, found.0);
        }
    };
    let of_kind = |kind: Kind| known.tracks.iter().find(|track| track.kind == kind);
    let has = |track: &&Track| fragments.iter().any(|fragment| fragment.id == track.id);
    let Some(track) = of_kind(Kind::Video).filter(has).or_else(|| of_kind(Kind::Audio).filter(has)) else {
        found.add(&rules::MEDIA_UNREADABLE, line, "it has no sample of a track that EXT-X-MAP has");
        return (None, found.0);
    };
    let own: Vec<&Fragment> = fragments.iter().filter(|fragment| fragment.id == track.id).collect();
    let end = times(track, &own, known, &mut found);
    let samples = fragments.iter().map(|fragment| fragment.samples.len()).sum::<usize>();
    let key = own.first().and_then(|fragment| fragment.samples.first()).is_some_and(|sample| sample.key);
    if known.independent && track.kind == Kind::Video && !key {
        found.add(&rules::MEDIA_DEPENDENT, line, "its first frame is no key frame");
    }
    if known.frame && (samples != 1 || track.kind != Kind::Video || !key) {
        let what = if key { "the first of which is a key frame" } else { "and it begins with no key frame" };
        found.add(&rules::FRAME_ALONE, line, format!("it has {samples} samples, {what}"));
    }
    (end, found.0)
}

/// The bit rate of a segment that has so many bytes, in bits a second.
fn rate(segment: &Segment, len: usize) -> Option<u128> {
    let duration = segment.duration.filter(|duration| duration.0 > 0)?;
    Some(u128::from(len as u64) * 8 * 1_000_000_000 / u128::from(duration.0))
}

/// The same of one that is long enough to count for a peak (RFC 8216bis, 4.1): what is shorter does so together with others.
pub fn peak(segment: &Segment, len: usize, target: Nanos) -> Option<u64> {
    let counts = segment.duration.is_some_and(|duration| duration.times(2) >= target);
    rate(segment, len).filter(|_| counts).map(|rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

fn rates(known: &Known<'_>, found: &mut Findings) {
    let Some(rate) = rate(known.segment, known.len) else { return };
    let line = known.segment.line;
    let said = known.segment.bitrate.map(|said| u128::from(said) * 1000);
    if let Some(said) = said.filter(|said| said * 10 < rate * 9 || said * 10 > rate * 11) {
        found.add(&rules::BITRATE_OFF, line, format!("it has {rate} bits a second, and {said} are said"));
    }
    let peak = peak(known.segment, known.len, known.target);
    if let Some((bandwidth, rate)) = known.bandwidth.zip(peak).filter(|(bandwidth, rate)| rate > bandwidth) {
        found.add(
            &rules::OVER_BANDWIDTH,
            line,
            format!("it has {rate} bits a second, and BANDWIDTH is {bandwidth}"),
        );
    }
}

/// Where the media of one track ends, having looked where it starts and how long it is.
fn times(track: &Track, own: &[&Fragment], known: &Known<'_>, found: &mut Findings) -> Option<End> {
    let nanos = |ticks: u128| {
        let nanos = ticks * 1_000_000_000 / u128::from(track.timescale.max(1));
        Nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    let samples = || own.iter().flat_map(|fragment| &fragment.samples);
    let length = nanos(samples().map(|sample| u128::from(sample.duration)).sum());
    let frame = nanos(samples().map(|sample| u128::from(sample.duration)).max().unwrap_or_default());
    let start = nanos(u128::from(own.first()?.start));
    let slack = frame.plus(ROUNDING);
    let line = known.segment.line;
    // Where a presentation ends, each track does with its own last frame; and its first one here may begin a frame late, as anywhere.
    let shorter = if known.last { slack.plus(frame) } else { slack };
    let off = |said: &Nanos| *said > length.plus(shorter) || length > said.plus(slack);
    if let Some(said) = known.segment.duration.filter(off) {
        found.add(&rules::MEDIA_DURATION, line, format!("EXTINF is {said}, and the media is {length} long"));
    }
    let before =
        known.before.filter(|before| before.track == track.id && !known.segment.applied.discontinuity);
    if let Some(before) = before.filter(|before| before.at.0.abs_diff(start.0) > slack.0) {
        let seen = format!("its media begins at {start}, and the one before ends at {}", before.at);
        found.add(&rules::MEDIA_START, line, seen);
    }
    Some(End { track: track.id, at: start.plus(length) })
}
