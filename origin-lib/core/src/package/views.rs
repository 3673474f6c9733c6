//! Tracks of pictures that an encoder sends beside the first one: rungs with its own pictures ([`crate::ladder`]).
//!
//! Each is cut where the source is, so it needs a key frame wherever a segment of the source begins; where it has none there, or
//! lacks pictures, it has a gap. So it has where the feed changes amid its pictures: those of one feed refer to none of the other's.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Settings;
use super::voices::Made;
use crate::id::RenditionId;
use crate::ladder::{Assembler, Output};
use crate::media::{Cut, Sample, VideoConfig};
use crate::time::MediaTime;

#[derive(Debug)]
struct View {
    track: u8,
    rendition: RenditionId,
    assembler: Assembler,
    config: Option<VideoConfig>,
    last: Option<MediaTime>,
    joins: Joins,
}

/// Which pictures of a feed that has just come into use are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joins {
    /// None.
    No,
    /// All up to a key frame.
    Waits,
    /// Those that lead the first key frame.
    Begun,
}

/// A channel's further tracks of pictures.
#[derive(Debug, Default)]
pub(super) struct Views {
    views: Vec<View>,
    outputs: VecDeque<Made>,
}

impl Views {
    pub(super) fn new(settings: &Settings, views: Vec<(u8, RenditionId)>) -> Views {
        let view = |(track, rendition): (u8, RenditionId)| {
            let settings = Settings { rendition: rendition.clone(), ..settings.clone() };
            let mut assembler = Assembler::new(settings);
            assembler.begin();
            View { track, rendition, assembler, config: None, last: None, joins: Joins::No }
        };
        Views { views: views.into_iter().map(view).collect(), outputs: VecDeque::new() }
    }

    fn view(&mut self, track: u8) -> Option<&mut View> {
        self.views.iter_mut().find(|view| view.track == track)
    }

    pub(super) fn config(&mut self, track: u8, config: VideoConfig) {
        let Some(view) = self.view(track).filter(|view| view.config.as_ref() != Some(&config)) else {
            return;
        };
        view.config = Some(config.clone());
        view.assembler.video(config);
    }

    pub(super) fn sample(&mut self, track: u8, sample: Sample) {
        let Some(view) = self.view(track).filter(|view| view.config.is_some()) else { return };
        if view.last.is_some_and(|last| sample.dts <= last) {
            return;
        }
        let joins = match view.joins {
            Joins::Waits if sample.key => Joins::Begun,
            Joins::Begun if sample.key => Joins::No,
            joins => joins,
        };
        let is_of_use = joins == Joins::No || (joins == Joins::Begun && !sample.leading);
        view.joins = joins;
        if !is_of_use {
            return;
        }
        view.last = Some(sample.dts);
        view.assembler.picture(sample);
        self.collect();
    }

    /// Pictures are another feed's from here on.
    pub(super) fn feed(&mut self) {
        self.views.iter_mut().for_each(|view| view.joins = Joins::Waits);
    }

    pub(super) fn cut(&mut self, cut: &Cut) {
        self.views.iter_mut().for_each(|view| view.assembler.cut(cut));
        self.collect();
    }

    /// Media has ended, for now or for good.
    pub(super) fn finish(&mut self) {
        self.views.iter_mut().for_each(View::restart);
        self.collect();
    }

    /// The same, but what waits becomes nothing.
    pub(super) fn abandon(&mut self) {
        self.finish();
        self.outputs.clear();
    }

    fn collect(&mut self) {
        for view in &mut self.views {
            while let Some(output) = view.assembler.poll() {
                self.outputs.push_back(match output {
                    Output::Object(object) => Made::Object(object),
                    Output::Lost(start) => Made::Lost(view.rendition.clone(), start),
                });
            }
        }
    }

    pub(super) fn poll(&mut self) -> Option<Made> {
        self.outputs.pop_front()
    }
}

impl View {
    fn restart(&mut self) {
        self.assembler.end();
        self.assembler.begin();
    }
}
