//! `[[channel.video]]`: further pictures that a channel's encoders send, each a rendition: tracks of its feeds, or feeds of their own.

use railbird_core::id::RenditionId;
use railbird_core::sound::TRACK_MAX;

use super::Companion;
use super::channel::{FEEDS_MAX, feed};
use super::ladder::free_name;
use super::read::{Reader, Table};
use super::tables::Unique;

/// The most further renditions that a channel's encoders send.
const VIEWS_MAX: usize = 4;

/// In the order of the file.
#[derive(Debug, Default)]
pub(super) struct Views {
    /// Of tracks: their numbers and their renditions' names.
    pub(super) tracks: Vec<(u8, RenditionId)>,
    /// Of feeds.
    pub(super) companions: Vec<Companion>,
}

impl Views {
    pub(super) fn len(&self) -> usize {
        self.tracks.len() + self.companions.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &RenditionId> {
        let companions = self.companions.iter().map(|companion| &companion.name);
        self.tracks.iter().map(|(_, name)| name).chain(companions)
    }

    pub(super) fn names_mut(&mut self) -> impl Iterator<Item = &mut RenditionId> {
        let companions = self.companions.iter_mut().map(|companion| &mut companion.name);
        self.tracks.iter_mut().map(|(_, name)| name).chain(companions)
    }
}

/// All of a channel. `keys` are the stream keys that are taken.
pub(super) fn views(
    reader: &Reader<'_>,
    channel: &Table<'_, '_>,
    names: &mut Unique,
    keys: &mut Unique,
) -> Views {
    let (mut tracks, mut views) = (Unique::default(), Views::default());
    for table in channel.tables("video", VIEWS_MAX) {
        let feeds = table.tables("feed", FEEDS_MAX);
        // Without feeds, it is a track.
        let default = i64::from(feeds.is_empty());
        let track =
            table.number("track", default, 1..=i64::from(TRACK_MAX), "(the number of a track of pictures)");
        if feeds.is_empty() {
            tracks.check(reader, &track);
        } else if track.value > 0 {
            table.problem("has a track and feeds: it is one of the tracks of the channel's feeds, or has feeds of its own");
        }
        let name = table.text_needed("name", "its name in playlists and object names, as \"540p\"");
        let name = name.and_then(|text| table.parsed(text, free_name));
        if let Some(name) = &name {
            names.check(reader, name);
        }
        let (mut roles, is_track) = (Unique::default(), feeds.is_empty());
        let feeds: Vec<_> =
            feeds.into_iter().filter_map(|table| feed(reader, table, keys, &mut roles)).collect();
        table.end();
        let Some(name) = name.map(|name| name.value) else { continue };
        if !is_track {
            views.companions.push(Companion { name, feeds });
        } else if let Ok(track) = u8::try_from(track.value) {
            views.tracks.push((track, name));
        }
    }
    views
}
