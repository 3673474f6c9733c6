//! A recording in chapters: what the edge makes replays from.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Kind, Object, Reel, Rung, Segment as Recorded};
use crate::id::OriginId;
use crate::scte35::{self, Splice};
use crate::state::{ChannelState, NODES_MAX, Node, Phase, Rendition, Segment};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// How many segments a chapter lists: ten minutes of 2 s segments.
pub const CHAPTER_SEGMENTS: usize = 300;

/// Which node stands over the target of each bit of [`Object::on`].
pub type Slots = [Option<Node>; NODES_MAX];

/// What chapters tell besides what the recording itself knows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// How many segments were listed.
    pub listed: usize,
    /// The media sequence number of the recording's first segment.
    pub first_msn: u64,
    /// What people call the channel.
    pub title: &'a str,
    /// Which origin says so.
    pub origin: &'a OriginId,
    /// The nodes.
    pub slots: &'a Slots,
    /// Up to where each rung is listed, by its place in [`Reel::rungs`]; those that are missing here, whole.
    pub rungs: &'a [MediaTime],
}

/// The nodes in the order of their bits, and a mask over them for a mask over bits: what a snapshot names.
pub(crate) fn compact(slots: &Slots) -> (Vec<Node>, impl Fn(u32) -> u32 + use<>) {
    let bits: Vec<usize> =
        slots.iter().enumerate().filter(|(_, slot)| slot.is_some()).map(|(b, _)| b).collect();
    let nodes = slots.iter().flatten().cloned().collect();
    let mask = move |on: u32| {
        let has = |(place, bit): (usize, &usize)| ((on >> bit) & 1) << place;
        bits.iter().enumerate().map(has).fold(0, |mask, bit| mask | bit)
    };
    (nodes, mask)
}

impl Reel {
    /// How many chapters the first `listed` segments make; the last one may not be full.
    pub fn chapters(&self, listed: usize) -> usize {
        listed.min(self.order().len()).div_ceil(CHAPTER_SEGMENTS)
    }

    /// The chapter of the segment that has this number, or whose key frame does; none of init segments.
    pub fn chapter_of(&self, n: u32) -> Option<usize> {
        Some(self.chapter_at(self.objects().get(n as usize)?.start()?))
    }

    /// The chapter of the segment that starts here.
    pub fn chapter_at(&self, start: MediaTime) -> usize {
        let place =
            self.order().partition_point(|other| self.segment(*other).is_some_and(|s| s.start < start));
        place / CHAPTER_SEGMENTS
    }

    /// A chapter as the edge gets it.
    ///
    /// A segment that no node has is a gap, one that was a gap in live playlists and came later is none: a replay shows
    /// all there is.
    pub fn chapter(&self, chapter: usize, view: &View<'_>, now: UtcMs) -> ChannelState {
        let View { listed, first_msn, title, origin, slots, rungs } = *view;
        let head = self.head();
        let from = chapter.saturating_mul(CHAPTER_SEGMENTS).min(self.order().len());
        let numbers = self.order().iter().enumerate().take(listed).skip(from).take(CHAPTER_SEGMENTS);
        let (nodes, mask) = compact(slots);
        let mut inits: Vec<u32> = Vec::new();
        let mut segments = Vec::new();
        let (mut sum_bits, mut sum_ticks, mut peak, mut frames_peak) = (0_u64, 0_u64, 0_u32, 0_u32);
        for (at, n) in numbers {
            let Some(Object { kind: Kind::Segment(segment), len, on, .. }) = self.objects().get(*n as usize)
            else {
                continue;
            };
            let Some(init) = segment.init else { continue };
            let place = inits.iter().position(|known| *known == init).unwrap_or_else(|| {
                inits.push(init);
                inits.len() - 1
            });
            let init_on = self.objects().get(init as usize).map_or(0, |object| object.on);
            let on = mask(*on & init_on);
            let frame = self.frame(segment.start);
            let frame_on = frame.zip(self.frames_init(init)).map_or(0, |(frame, init)| frame.on & init.on);
            let ticks = u64::try_from(segment.duration.0).unwrap_or(0).max(1);
            (sum_bits, sum_ticks) = (sum_bits + len * 8, sum_ticks + ticks);
            if ticks * 2 >= u64::from(head.segment_ms) * 90 {
                peak = peak.max(rate(len * 8, ticks));
                frames_peak = frames_peak.max(frame.map_or(0, |frame| rate(frame.len * 8, ticks)));
            }
            segments.push(Segment {
                start: segment.start,
                duration: segment.duration,
                // At most one for each segment of a chapter.
                init: u16::try_from(place).unwrap_or(u16::MAX),
                discontinuity: self.breaks_off(at),
                dependent: segment.dependent,
                gap: on == 0,
                on,
                frame: self.has_frames().then(|| mask(frame_on)),
            });
        }
        let newest = inits.last().and_then(|n| self.init(*n));
        let discontinuities = (1..=from).filter(|at| self.breaks_off(*at));
        let longest = segments.iter().map(|segment| segment.duration).max().unwrap_or_default();
        let average = rate(sum_bits, sum_ticks.max(1));
        let rendition = newest.map(|init| Rendition {
            id: head.rendition.clone(),
            codecs: init.codecs.clone(),
            bandwidth: peak.max(average),
            average_bandwidth: average,
            width: init.width,
            height: init.height,
            frame_rate_milli: init.frame_rate_milli,
            range: init.range,
            sound: init.sound.clone(),
            captions: self.captions(),
            dependent: self.is_dependent(),
            frames_bandwidth: frames_peak,
            target_duration_s: rounded_s(longest).max(head.segment_ms.div_ceil(1000)).max(1),
            first_msn: first_msn + from as u64,
            discontinuity_sequence: discontinuities.count() as u64,
            inits: inits.iter().filter_map(|n| self.init(*n)).map(|init| init.name.clone()).collect(),
            segments,
            parts: Vec::new(),
        });
        let rungs = rendition.iter().flat_map(|source| {
            let up_to = |place: usize| rungs.get(place).copied().unwrap_or(MediaTime(u64::MAX));
            let rungs = self.rungs().iter().enumerate();
            rungs
                .filter_map(|(place, rung)| self.rung_chapter(source, rung, up_to(place), &mask))
                .collect::<Vec<_>>()
        });
        let rungs: Vec<Rendition> = rungs.collect();
        ChannelState {
            channel: head.channel.clone(),
            origin: origin.clone(),
            recording: head.recording.clone(),
            title: String::from(title),
            revision: now.0,
            updated: now,
            phase: if self.ended().is_some() { Phase::Ended } else { Phase::Live },
            segment_ms: head.segment_ms,
            key_period_s: head.key_period_s,
            part_ms: None,
            preload_hints: false,
            score: None,
            splices: self.splices_of(from, chapter),
            nodes,
            renditions: rendition.into_iter().chain(rungs).collect(),
        }
    }
}

impl Reel {
    /// Whether the segment at this place of the order does not go on from the one before it. One that was lost may have been the first
    /// of what follows it: then another init segment begins behind it.
    fn breaks_off(&self, at: usize) -> bool {
        let of = |at: usize| self.order().get(at).and_then(|n| self.segment(*n));
        let init = |segment: &Recorded| segment.init.and_then(|n| self.init(n)).map(|init| &init.name);
        let Some(segment) = of(at) else { return false };
        let before = at.checked_sub(1).and_then(of).and_then(init);
        segment.discontinuity || before.zip(init(segment)).is_some_and(|(before, own)| before != own)
    }

    /// What was said of splices in the chapter of this number, which begins with segment `from`; before the first chapter, too.
    fn splices_of(&self, from: usize, chapter: usize) -> Vec<Splice> {
        let start = |place: usize| self.order().get(place).and_then(|n| self.segment(*n)).map(|s| s.start);
        let begin = start(from).filter(|_| chapter > 0).unwrap_or_default();
        let end = start(from.saturating_add(CHAPTER_SEGMENTS)).unwrap_or(MediaTime(u64::MAX));
        let of = self.splices().iter().filter(|splice| (begin..end).contains(&splice.said));
        let mut splices: Vec<Splice> = of.take(scte35::SPLICES_MAX).cloned().collect();
        splices.sort_by_key(|splice| splice.at);
        splices
    }

    /// What a rung has of a chapter of the source, up to this time: the same segments, or gaps. `None` where that is none at all.
    fn rung_chapter(
        &self,
        source: &Rendition,
        rung: &Rung,
        up_to: MediaTime,
        mask: &impl Fn(u32) -> u32,
    ) -> Option<Rendition> {
        let object = |n: u32| self.objects().get(n as usize);
        let mut inits = Vec::from([rung.first_init()]);
        let mut segments = Vec::new();
        for of in source.segments.iter().take_while(|segment| segment.start < up_to) {
            let last = segments.last().map_or(0, |last: &Segment| last.init);
            let mut segment = Segment { init: last, gap: true, on: 0, frame: None, ..*of };
            if let Some(Object { kind: Kind::RungSegment { init, .. }, on, .. }) =
                rung.at(of.start).and_then(object)
            {
                let place = inits.iter().position(|known| known == init).unwrap_or_else(|| {
                    inits.push(*init);
                    inits.len() - 1
                });
                segment.init = u16::try_from(place).unwrap_or(u16::MAX);
                segment.on = mask(on & object(*init).map_or(0, |init| init.on));
                segment.gap = segment.on == 0;
            }
            segments.push(segment);
        }
        let init = inits.last().and_then(|n| self.init(*n)).filter(|_| !segments.is_empty())?;
        Some(Rendition {
            id: rung.id().clone(),
            codecs: init.codecs.clone(),
            bandwidth: rung.peak().max(rung.average()).max(1),
            average_bandwidth: rung.average(),
            width: init.width,
            height: init.height,
            frame_rate_milli: init.frame_rate_milli,
            range: init.range,
            sound: init.sound.clone(),
            captions: rung.captions(),
            dependent: source.dependent,
            frames_bandwidth: 0,
            target_duration_s: source.target_duration_s,
            first_msn: source.first_msn,
            discontinuity_sequence: source.discontinuity_sequence,
            inits: inits.iter().filter_map(|n| self.init(*n)).map(|init| init.name.clone()).collect(),
            segments,
            parts: Vec::new(),
        })
    }
}

/// Rounded to the nearest second, as `EXTINF` is compared with the target duration (RFC 8216bis, 4.4.3.1).
pub(crate) fn rounded_s(duration: MediaSpan) -> u32 {
    u32::try_from((duration.0.max(0) + 45_000) / 90_000).unwrap_or(u32::MAX)
}

/// Bits a second of so many bits in so many ticks of media time.
pub(crate) fn rate(bits: u64, ticks: u64) -> u32 {
    u32::try_from(u128::from(bits) * u128::from(crate::time::MEDIA_HZ) / u128::from(ticks.max(1)))
        .unwrap_or(u32::MAX)
}
