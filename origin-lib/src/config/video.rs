//! `[[channel.video]]`: the further tracks of pictures that a channel's encoder sends, each a rendition.

use railbird_core::id::RenditionId;
use railbird_core::sound::TRACK_MAX;

use super::ladder::free_name;
use super::read::{Reader, Table};
use super::tables::Unique;

/// The most further tracks of pictures of a channel.
const VIEWS_MAX: usize = 4;

/// Their numbers and their renditions' names, in the order of the file.
pub(super) fn views(
    reader: &Reader<'_>,
    channel: &Table<'_, '_>,
    names: &mut Unique,
) -> Vec<(u8, RenditionId)> {
    let mut tracks = Unique::default();
    let tables = channel.tables("video", VIEWS_MAX).into_iter();
    let view = |table: Table<'_, '_>| {
        let track = table.number("track", 1, 1..=i64::from(TRACK_MAX), "(the number of a track of pictures)");
        tracks.check(reader, &track);
        let name = table.text_needed("name", "its name in playlists and object names, as \"540p\"");
        let name = name.and_then(|text| table.parsed(text, free_name));
        if let Some(name) = &name {
            names.check(reader, name);
        }
        table.end();
        Some((u8::try_from(track.value).ok()?, name?.value))
    };
    tables.filter_map(view).collect()
}
