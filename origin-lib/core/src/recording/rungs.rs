//! Rungs of a recording: further renditions, each cut where the source is.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use super::{Kind, Misfit, Object, Reel, rate};
use crate::captions::Captions;
use crate::hash::Hash;
use crate::id::RenditionId;
use crate::object;
use crate::publish::Init;
use crate::state::RENDITIONS_MAX;
use crate::time::{MediaSpan, MediaTime};

/// What a journal says of a rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    id: RenditionId,
    /// The numbers of its first init segment and of its newest.
    inits: (u32, u32),
    /// The numbers of what it has, by where the source's segments start.
    segments: BTreeMap<MediaTime, u32>,
    captions: Captions,
    load: Load,
    /// Of these, which were listed as gaps.
    gaps: BTreeSet<MediaTime>,
}

/// How many bits a rung has a second, over the whole recording: a replay is told of it by its first chapter, which may have nothing
/// of the rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    bits: u64,
    ticks: u64,
    peak: u32,
}

impl Load {
    fn add(&mut self, len: u64, duration: MediaSpan, segment_ms: u32) {
        let (bits, ticks) = (len.saturating_mul(8), u64::try_from(duration.0).unwrap_or(0).max(1));
        self.bits = self.bits.saturating_add(bits);
        self.ticks = self.ticks.saturating_add(ticks);
        // A very short one says little.
        if ticks.saturating_mul(2) >= u64::from(segment_ms) * 90 {
            self.peak = self.peak.max(rate(bits, ticks));
        }
    }
}

impl Rung {
    /// Its highest bit rate so far, in bits a second.
    pub fn peak(&self) -> u32 {
        self.load.peak
    }

    /// Its bit rate on the average so far, in bits a second.
    pub(super) fn average(&self) -> u32 {
        rate(self.load.bits, self.load.ticks)
    }

    /// Its rendition's name.
    pub fn id(&self) -> &RenditionId {
        &self.id
    }

    /// The number of its first init segment.
    pub(super) fn first_init(&self) -> u32 {
        self.inits.0
    }

    /// The number of what it has in the place of the segment that starts here.
    pub fn at(&self, start: MediaTime) -> Option<u32> {
        self.segments.get(&start).copied()
    }

    /// Whether what it has in the place of the segment that starts here was listed as a gap, and stays one in live playlists.
    pub fn was_gap(&self, start: MediaTime) -> bool {
        self.gaps.contains(&start)
    }

    /// The closed captions of all its segments so far.
    pub fn captions(&self) -> Captions {
        self.captions
    }
}

impl Reel {
    /// The rungs, in the order in which they came.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// The rendition that an object is of.
    pub fn rendition(&self, object: &Object) -> &RenditionId {
        let rung = match &object.kind {
            Kind::RungInit(rung, _) | Kind::RungSegment { rung, .. } => self.rungs.get(usize::from(*rung)),
            Kind::Init(_) | Kind::Segment(_) | Kind::FramesInit(_) | Kind::Frame(_) | Kind::Foreign => None,
        };
        rung.map_or(&self.head.rendition, Rung::id)
    }

    pub(super) fn push_rung_init(
        &mut self,
        n: u32,
        rendition: RenditionId,
        init: Init,
        (len, sha256): (u64, Hash),
    ) -> Result<(), Misfit> {
        let known = self.rungs.iter().position(|rung| rung.id == rendition);
        let at = known.unwrap_or(self.rungs.len());
        // The source is one, too.
        if at + 1 >= RENDITIONS_MAX {
            return Err(Misfit::Renditions);
        }
        let place = u8::try_from(at).map_err(|_| Misfit::Renditions)?;
        let kind = Kind::RungInit(place, init);
        self.push(n, Object::new(kind, len, Some(sha256)))?;
        match self.rungs.get_mut(at) {
            Some(rung) => rung.inits.1 = n,
            None => {
                let (segments, captions, load, gaps) = Default::default();
                self.rungs.push(Rung { id: rendition, inits: (n, n), segments, captions, load, gaps });
            }
        }
        Ok(())
    }

    pub(super) fn push_rung_segment(
        &mut self,
        n: u32,
        rendition: &RenditionId,
        (start, duration): (MediaTime, MediaSpan),
        (len, sha256): (u64, Hash),
    ) -> Result<(), Misfit> {
        let at = self.rungs.iter().position(|rung| rung.id == *rendition).ok_or(Misfit::Unknown)?;
        let place = u8::try_from(at).map_err(|_| Misfit::Unknown)?;
        let init = self.rungs.get(at).ok_or(Misfit::Unknown)?.inits.1;
        let kind = Kind::RungSegment { rung: place, start, duration, init };
        self.push(n, Object::new(kind, len, Some(sha256)))?;
        if let Some(rung) = self.rungs.get_mut(at) {
            rung.segments.insert(start, n);
            rung.load.add(len, duration, self.head.segment_ms);
        }
        Ok(())
    }

    pub(super) fn push_rung_gap(&mut self, rung: u8, start: MediaTime) {
        let rung = self.rungs.get_mut(usize::from(rung));
        rung.into_iter().for_each(|rung| _ = rung.gaps.insert(start));
    }

    pub(super) fn add_rung_captions(&mut self, rendition: &RenditionId, captions: Captions) {
        if let Some(rung) = self.rungs.iter_mut().find(|rung| rung.id == *rendition) {
            rung.captions.add(captions);
        }
    }

    pub(super) fn rung_segment_name(&self, rung: u8, start: MediaTime) -> String {
        let rendition = self.rungs.get(usize::from(rung)).map_or(&self.head.rendition, Rung::id);
        object::segment_name(&self.head.channel, rendition, start, self.head.segment_ms)
    }
}
