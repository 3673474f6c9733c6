//! A feed's tracks beside the first ones, kept while the feed is not in use.

use alloc::collections::{BTreeMap, VecDeque};

use super::{HELD_LEN_MAX, HELD_SAMPLES_MAX};
use crate::media::{AudioConfig, Kind, Sample, VideoConfig};
use crate::package::Packager;
use crate::sound::Language;

/// Something of a track that is not the first of its kind.
#[derive(Debug)]
pub(super) enum Further {
    /// Parameters of sound.
    Audio(AudioConfig),
    /// Parameters of pictures.
    Video(VideoConfig),
    /// A sample, on the feed's timeline.
    Sample(Sample),
}

/// What is known of a feed's further tracks.
#[derive(Debug, Default)]
pub(super) struct Beside {
    languages: BTreeMap<u8, Language>,
    sounds: BTreeMap<u8, AudioConfig>,
    pictures: BTreeMap<u8, VideoConfig>,
    samples: VecDeque<(u8, Sample)>,
    len: usize,
}

impl Beside {
    /// The stream says a language.
    pub(super) fn language(&mut self, track: u8, language: Language) {
        self.languages.insert(track, language);
    }

    /// Takes something of a track; `used`: for the packager. Of a feed that is not in use, the newest samples are kept.
    pub(super) fn take(&mut self, track: u8, further: Further, used: Option<&mut Packager>) {
        match further {
            Further::Audio(config) => {
                if self.sounds.get(&track) != Some(&config) {
                    self.forget(track, Kind::Audio);
                    self.sounds.insert(track, config.clone());
                }
                if let Some(packager) = used {
                    packager.further_audio(track, config);
                }
            }
            Further::Video(config) => {
                if self.pictures.get(&track) != Some(&config) {
                    self.forget(track, Kind::Video);
                    self.pictures.insert(track, config.clone());
                }
                if let Some(packager) = used {
                    packager.further_video(track, config);
                }
            }
            Further::Sample(sample) => match used {
                Some(packager) => packager.further_sample(track, sample),
                None => self.hold(track, sample),
            },
        }
    }

    /// What waits has other parameters.
    fn forget(&mut self, track: u8, kind: Kind) {
        self.samples.retain(|(of, sample)| *of != track || sample.kind != kind);
        self.len = self.samples.iter().map(|(_, sample)| sample.data.len()).sum();
    }

    fn hold(&mut self, track: u8, sample: Sample) {
        self.len += sample.data.len();
        self.samples.push_back((track, sample));
        while self.len > HELD_LEN_MAX || self.samples.len() > HELD_SAMPLES_MAX {
            let Some((_, oldest)) = self.samples.pop_front() else { return };
            self.len -= oldest.data.len();
        }
    }

    /// The feed is used from now on: what is known goes to the packager, which leaves out what it had from the other feed.
    /// `again`: it is the feed in use before, and sends again what it had sent.
    pub(super) fn pass(&mut self, packager: &mut Packager, again: bool) {
        packager.further_feed(again, |track| self.sounds.contains_key(&track));
        for (track, language) in &self.languages {
            packager.language(*track, language.clone());
        }
        for (track, config) in &self.sounds {
            packager.further_audio(*track, config.clone());
        }
        for (track, config) in &self.pictures {
            packager.further_video(*track, config.clone());
        }
        self.len = 0;
        for (track, sample) in self.samples.drain(..) {
            packager.further_sample(track, sample);
        }
    }
}
