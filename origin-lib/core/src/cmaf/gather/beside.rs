//! The tracks beside the best one of each kind, where they are wanted.
//!
//! They are numbered from 1 on, from the better to the worse: pictures by their size, sounds by their names. What there is by the
//! end of the choice is numbered then; what comes later gets a number that is free.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::super::lane::{Lane, Rest, Source};
use super::{Gather, IDLE_MS_MAX};
use crate::media::{FeedEvent, Kind};
use crate::time::Moment;

/// The most tracks beside the best ones that are looked at.
const BESIDE_MAX: usize = 16;

/// So far ahead of the best ones they may be given out, in milliseconds of their time.
const AHEAD_MS_MAX: i64 = 5_000;

/// One of them.
#[derive(Debug)]
pub(super) struct Beside {
    kind: Kind,
    /// Its number, once that is known.
    number: Option<u8>,
    pub(super) lane: Lane,
}

impl Gather {
    /// The same, which gives out these sound tracks as well ([`FeedEvent::Further`]): numbers from 1 on, in the order of their
    /// names and track numbers.
    pub fn with_sounds(mut self, tracks: &[u8]) -> Gather {
        self.sounds = tracks.into();
        self
    }

    /// The same, which gives out these tracks of pictures as well ([`FeedEvent::Further`]): numbers from 1 on, from the larger
    /// to the smaller.
    pub fn with_pictures(mut self, tracks: &[u8]) -> Gather {
        self.pictures = tracks.into();
        self
    }

    pub(super) fn wanted_beside(&self, kind: Kind) -> &[u8] {
        match kind {
            Kind::Video => &self.pictures,
            Kind::Audio => &self.sounds,
        }
    }

    /// Where a track is that is not the best of its kind; `None` where it is not wanted.
    pub(super) fn beside(&mut self, source: Source, kind: Kind, now: Moment) -> Option<usize> {
        if let Some(at) = self.beside.iter().position(|beside| beside.lane.source == Some(source)) {
            return Some(at);
        }
        let mut lane = Lane::default();
        lane.follow(source, now);
        self.put_beside(lane, kind, now)
    }

    /// Another track than the best one, as far as it has come.
    pub(super) fn put_beside(&mut self, lane: Lane, kind: Kind, now: Moment) -> Option<usize> {
        if self.wanted_beside(kind).is_empty() {
            return None;
        }
        let is_choosing = self.choosing.is_none_or(|until| until > 0);
        let number = if is_choosing { None } else { Some(self.free_number(kind, now)?) };
        if self.beside.len() >= BESIDE_MAX {
            return None;
        }
        self.beside.push(Beside { kind, number, lane });
        Some(self.beside.len() - 1)
    }

    /// A track has taken the place of the best one, of which this is what there was: it gets the number of the other, if that has
    /// one.
    pub(super) fn put_aside(&mut self, best: Source, lane: Lane, kind: Kind, now: Moment) {
        match self.beside.iter_mut().find(|beside| beside.lane.source == Some(best)) {
            Some(beside) => beside.lane = lane,
            None => {
                self.put_beside(lane, kind, now);
            }
        }
    }

    /// The same, where nothing is there of the one that was the best. What there still is of the other one comes under its number.
    pub(super) fn swap_beside(&mut self, best: Source, before: Source, rest: Rest, now: Moment) {
        if let Some(beside) = self.beside.iter_mut().find(|beside| beside.lane.source == Some(best)) {
            beside.lane.go_on(before, rest, now);
        }
    }

    /// A number that is wanted and that nothing has, or only what came no more for long.
    fn free_number(&mut self, kind: Kind, now: Moment) -> Option<u8> {
        let has = |beside: &Beside, number: u8| beside.kind == kind && beside.number == Some(number);
        let wanted = self.wanted_beside(kind);
        let free = wanted.iter().find(|number| !self.beside.iter().any(|beside| has(beside, **number)));
        if let Some(free) = free {
            return Some(*free);
        }
        let quiet = |beside: &Beside| beside.kind == kind && now.ms_since(beside.lane.heard) >= IDLE_MS_MAX;
        let at = self.beside.iter().position(quiet)?;
        self.beside.remove(at).number
    }

    /// The choice is over: who is there gets a number, or is left out.
    pub(super) fn number_beside(&mut self) {
        for kind in [Kind::Video, Kind::Audio] {
            let best = self.lane(kind).source;
            let here = self.beside.iter().filter(|beside| beside.kind == kind);
            let mut ranked: Vec<Source> = here.filter_map(|beside| beside.lane.source).collect();
            ranked.retain(|source| Some(*source) != best);
            ranked.sort_unstable_by(|a, b| match (self.known.is_better(*a, *b), a == b) {
                (true, _) => Ordering::Less,
                (_, true) => Ordering::Equal,
                _ => Ordering::Greater,
            });
            for beside in self.beside.iter_mut().filter(|beside| beside.kind == kind) {
                let place = ranked.iter().position(|source| beside.lane.source == Some(*source));
                beside.number = place.and_then(|place| u8::try_from(place + 1).ok());
            }
        }
        let all = core::mem::take(&mut self.beside);
        for beside in all {
            if beside.number.is_some_and(|number| self.wanted_beside(beside.kind).contains(&number)) {
                self.beside.push(beside);
            } else if let Some(source) = beside.lane.source {
                self.other(source, beside.kind);
            }
        }
    }

    /// Gives out what need not wait: what lies far ahead of the best tracks does. `over`: nothing more comes.
    pub(super) fn settle_beside(&mut self, over: bool, now: Moment) {
        for at in 0..self.beside.len() {
            self.release_beside(at, over, now);
            while let Some(beside) = self.beside.get_mut(at)
                && let Some(front) = beside.lane.front_ms()
            {
                let near = self.given_ms.is_some_and(|given| front <= given.saturating_add(AHEAD_MS_MAX));
                let Some(track) = beside.number.filter(|_| near || over || beside.lane.is_full()) else {
                    if beside.lane.is_full() {
                        beside.lane.clear();
                    }
                    break;
                };
                let Some(event) = beside.lane.pop(false) else { break };
                let source = beside.lane.source;
                if let FeedEvent::Audio(_) = event {
                    self.language(source, track);
                }
                self.outputs.push_back(Ok(FeedEvent::Further { track, event: Box::new(event) }));
            }
        }
    }

    fn release_beside(&mut self, at: usize, over: bool, now: Moment) {
        let Some(beside) = self.beside.get(at) else { return };
        let (other, may_come) = (self.standing_beside(beside.kind), self.may_come(&beside.lane));
        let Some(Beside { lane, .. }) = self.beside.get_mut(at) else { return };
        lane.release(may_come, over, other, now);
        let errors = lane.take_errors();
        self.outputs.extend(errors.into_iter().map(Err));
    }

    /// Tells in which language a sound track is, where its header says so.
    pub(super) fn language(&mut self, source: Option<Source>, track: u8) {
        let of = |source: Source| self.known.get(source.header)?.header.track(source.track)?.language.clone();
        if let Some(language) = source.and_then(of) {
            self.outputs.push_back(Ok(FeedEvent::Language { track, language }));
        }
    }

    /// The lane that a track goes through, if it is used.
    pub(super) fn lane_of(&mut self, source: Source, kind: Kind) -> Option<&mut Lane> {
        if self.lane(kind).source == Some(source) {
            return Some(self.lane(kind));
        }
        let beside = self.beside.iter_mut().find(|beside| beside.lane.source == Some(source));
        beside.map(|beside| &mut beside.lane)
    }

    /// A track that is left out.
    pub(super) fn other(&mut self, source: Source, kind: Kind) {
        if self.others.len() < super::OTHERS_MAX && !self.others.contains(&source) {
            self.others.push(source);
            let track = super::super::header::title(kind, source.track);
            self.leave_out(format!("{track} of {}", self.known.name(source.header)));
        }
    }
}
