//! `[[channel.ladder]]`: the further renditions of a channel.

use railbird_core::id::RenditionId;

use super::read::{Reader, Table};
use super::tables::Unique;
use crate::ffmpeg::PRESETS;
use crate::ladder::Rung;

/// The rendition that every feed becomes: what the encoder sent, unchanged.
pub const SOURCE: &str = "source";

/// The rendition of the sound alone.
pub const SOUND: &str = "audio";

/// What stands behind the name of each rendition of pictures where sound is beside them: without sound in them they have other
/// bytes, which must have other names.
const PICTURES: &str = "-pictures";

/// The most renditions that one ffmpeg makes.
const RUNGS_MAX: usize = 6;

/// All rungs of a channel, the highest first.
pub(super) fn rungs(reader: &Reader<'_>, channel: &Table<'_, '_>, names: &mut Unique) -> Vec<Rung> {
    let tables = channel.tables("ladder", RUNGS_MAX).into_iter();
    let mut rungs: Vec<Rung> = tables.filter_map(|table| rung(reader, table, names)).collect();
    rungs.sort_by_key(|rung| std::cmp::Reverse((rung.height, rung.video_kbps)));
    rungs
}

fn rung(reader: &Reader<'_>, table: Table<'_, '_>, names: &mut Unique) -> Option<Rung> {
    let name = table.text_needed("name", "its name in playlists and object names, as \"540p\"");
    let name = name.and_then(|text| table.parsed(text, free_name));
    if let Some(name) = &name {
        names.check(reader, name);
    }
    let height = table.number("height", 540, 90..=4320, "pixels");
    if height.value % 2 != 0 {
        reader.problem(&height.key, height.span.clone(), "must be even: x264 encodes two lines at a time");
    }
    let video_kbps = table.number("video_kbps", 1_500, 50..=50_000, "kilobits a second").value;
    let known = |text: &str| {
        let known = PRESETS.into_iter().find(|preset| *preset == text);
        known.ok_or_else(|| format!("is none of x264's presets: {}", PRESETS.join(", ")))
    };
    let preset = table.text("preset").unwrap_or_else(|| table.here("veryfast".into()));
    let preset = table.parsed(preset, known);
    table.end();
    Some(Rung {
        name: name?.value,
        height: u16::try_from(height.value).ok()?,
        video_kbps: u32::try_from(video_kbps).ok()?,
        preset: preset?.value,
    })
}

/// A rendition's name that is none of those which a channel has by itself.
pub(super) fn free_name(text: &str) -> Result<RenditionId, String> {
    match text {
        SOURCE => Err("is the name of what the encoder sends: choose another one".to_string()),
        SOUND => Err("is the name of the sound alone: choose another one".to_string()),
        text if text.ends_with(PICTURES) => {
            Err(format!("ends as the names of pictures without sound do ({PICTURES}): choose another one"))
        }
        text => text.parse::<RenditionId>().map_err(|error| error.to_string()),
    }
}

/// The name of a rendition of pictures; `beside`: of ones that have no sound in them.
pub(super) fn picture_name(channel: &Table<'_, '_>, name: &str, beside: bool) -> Option<RenditionId> {
    let name = format!("{name}{}", if beside { PICTURES } else { "" });
    let parsed = name.parse::<RenditionId>();
    parsed
        .inspect_err(|error| channel.problem(format!("has a rendition whose name can't be used: {error}")))
        .ok()
}
