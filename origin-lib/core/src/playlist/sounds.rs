//! Several sound tracks, announced (RFC 8216bis, 4.4.6.1 and 4.4.6.2.1).
//!
//! Each pathway has a group of its own, since a group's playlists lie at one node. Pictures have no sound in them then.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use crate::id::NodeId;
use crate::sound::Sound;
use crate::state::{ChannelState, Rendition};

/// What is told of a channel's.
pub(super) struct Told<'a> {
    /// Each with the name that it goes by.
    sounds: Vec<(&'a Rendition, &'a Sound, String)>,
}

impl<'a> Told<'a> {
    pub(super) fn of(state: &'a ChannelState) -> Told<'a> {
        let pictures = state.renditions.iter().any(is_picture);
        let sounds =
            state.renditions.iter().filter_map(|rendition| Some((rendition, rendition.sound.as_ref()?)));
        let sounds: Vec<(&Rendition, &Sound)> = sounds.filter(|_| pictures).collect();
        let mut told: Vec<(&Rendition, &Sound, String)> = Vec::new();
        for (rendition, sound) in &sounds {
            // A group has no two of one name: players would leave one of them out.
            let free = |name: &String| told.iter().all(|(_, _, other)| other != name);
            let others = || sounds.iter().map(|(_, other)| &other.name);
            let numbered = (2..=sounds.len() * 2).map(|n| format!("{} {n}", sound.name));
            let numbered = numbered.filter(|name| others().all(|other| other != name));
            if let Some(name) = core::iter::once(sound.name.clone()).chain(numbered).find(free) {
                told.push((rendition, sound, name));
            }
        }
        Told { sounds: told }
    }

    /// `EXT-X-MEDIA`, one for each sound track on each pathway.
    pub(super) fn write_media(&self, text: &mut String, order: &[NodeId], query: &str) -> fmt::Result {
        for node in order {
            for (at, (rendition, sound, name)) in self.sounds.iter().enumerate() {
                let Sound { language, channels, default, .. } = sound;
                write!(text, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{}\",NAME=\"{name}\"", group(node))?;
                if let Some(language) = language {
                    write!(text, ",LANGUAGE=\"{language}\"")?;
                }
                // Who selects by language can't tell two of the same apart: the first one is that.
                let before =
                    || self.sounds.iter().take(at).filter(|(_, before, _)| before.language == *language);
                let selected = *default || before().next().is_none();
                write!(text, ",DEFAULT={},AUTOSELECT={}", yes(*default), yes(selected))?;
                write!(text, ",CHANNELS=\"{}\"", (*channels).max(1))?;
                writeln!(text, ",URI=\"{node}/{}.m3u8{query}\"", rendition.id)?;
            }
        }
        Ok(())
    }

    /// Whether a rendition is a variant: one of sound that goes with pictures is none, unless it is offered alone as well.
    pub(super) fn is_variant(&self, rendition: &Rendition) -> bool {
        rendition.sound.as_ref().is_none_or(|sound| sound.alone || self.sounds.is_empty())
    }

    /// The group that goes with a variant on this pathway, if any.
    pub(super) fn group_of(&self, rendition: &Rendition, node: &NodeId) -> Option<String> {
        let has = !self.sounds.is_empty() && (is_picture(rendition) || rendition.sound.is_some());
        has.then(|| group(node))
    }

    /// What a variant needs at most, in bits a second: its pictures and the one of its sound tracks that needs most.
    pub(super) fn bandwidth(&self, rendition: &Rendition, of: impl Fn(&Rendition) -> u32) -> u32 {
        let own = of(rendition);
        if !is_picture(rendition) {
            return own;
        }
        own.saturating_add(self.sounds.iter().map(|(sound, ..)| of(sound)).max().unwrap_or(0))
    }

    /// All codecs that a variant may need.
    pub(super) fn codecs(&self, rendition: &Rendition) -> String {
        let mut all = rendition.codecs.clone();
        for codec in self.sounds.iter().flat_map(|(sound, ..)| sound.codecs.split(',')) {
            if !all.split(',').any(|known| known == codec) {
                all = format!("{all},{codec}");
            }
        }
        all
    }
}

fn is_picture(rendition: &Rendition) -> bool {
    rendition.width > 0
}

fn group(node: &NodeId) -> String {
    format!("sound-{node}")
}

fn yes(is: bool) -> &'static str {
    if is { "YES" } else { "NO" }
}
