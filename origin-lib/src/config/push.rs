//! `[[push]]` and `[pair]`.

use std::path::Path;

use railbird_core::id::{ChannelId, TargetId};
use railbird_core::rtmp::{StreamKey, Url};

use super::read::{At, Reader, Table};
use super::tables::{Unique, id};
use super::{Channel, PUSHES_MAX, Place, Push, Target};
use crate::burn::{self, Theme};
use crate::ffmpeg::PRESETS;

const KEY_LEN_MIN: usize = 1;

/// All pushes of the file.
pub(super) fn pushes(
    reader: &Reader<'_>,
    root: &Table<'_, '_>,
    channels: &[Channel],
    ffmpeg: &Path,
) -> Vec<Push> {
    let (mut ids, mut places) = (Unique::default(), Unique::default());
    let tables = root.tables("push", PUSHES_MAX).into_iter();
    tables.filter_map(|table| push(reader, table, channels, ffmpeg, &mut ids, &mut places)).collect()
}

fn push(
    reader: &Reader<'_>,
    table: Table<'_, '_>,
    channels: &[Channel],
    ffmpeg: &Path,
    ids: &mut Unique,
    places: &mut Unique,
) -> Option<Push> {
    let id = id(&table);
    if let Some(id) = &id {
        ids.check(reader, id);
    }
    let known = |text: &str| {
        let channel = text.parse::<ChannelId>().ok();
        let channel = channel.filter(|id| channels.iter().any(|channel| channel.id == *id));
        channel.ok_or("is the id of no [[channel]]")
    };
    let channel = table.text_needed("channel", "the id of the channel that is pushed");
    let channel = channel.and_then(|text| table.parsed(text, known));
    let url = table
        .text_needed("url", "rtmp://HOST/APP or rtmps://HOST/APP, as the platform tells it, without the key");
    let key = table.secret_needed("stream_key", KEY_LEN_MIN);
    let optional = table.flag("optional", false);
    let url = match (url, key) {
        (Some(url), Some(key)) => whole_url(reader, &table, url, key.value.expose(), places),
        _ => None,
    };
    let burning = table.table("burn_in");
    let wanted = burning.is_there();
    let scored =
        |id: &ChannelId| channels.iter().any(|channel| channel.id == *id && channel.score_key.is_some());
    if wanted && channel.as_ref().is_some_and(|id| !scored(&id.value)) {
        burning.problem("has a channel without score_key: without a scorer there is nothing to burn in");
    }
    let burn_in = burn_in(reader, burning, ffmpeg);
    table.end();
    let burn_in = if wanted { Some(burn_in?) } else { None };
    Some(Push { id: id?.value, channel: channel?.value, url: url?, optional, burn_in })
}

/// `[push.burn_in]`.
fn burn_in(reader: &Reader<'_>, table: Table<'_, '_>, ffmpeg: &Path) -> Option<burn::Settings> {
    let theme = table.text("theme").unwrap_or_else(|| table.here("light".into()));
    let theme =
        if table.is_there() { table.parsed(theme, |name| Theme::load(name, &reader.path(""))) } else { None };
    let delay_ms = table.number("delay_ms", 3_000, 0..=30_000, "milliseconds").value;
    let bitrate_kbps = table.number("bitrate_kbps", 6_000, 200..=50_000, "kilobits a second").value;
    let known = |text: &str| {
        let known = PRESETS.into_iter().find(|preset| *preset == text);
        known.ok_or_else(|| format!("is none of x264's presets: {}", PRESETS.join(", ")))
    };
    let preset = table.text("preset").unwrap_or_else(|| table.here("veryfast".into()));
    let preset = table.parsed(preset, known);
    table.end();
    Some(burn::Settings {
        theme: theme?.value,
        delay_ms: u32::try_from(delay_ms).unwrap_or_default(),
        bitrate_kbps: u32::try_from(bitrate_kbps).unwrap_or_default(),
        preset: preset?.value,
        ffmpeg: ffmpeg.into(),
    })
}

fn whole_url(
    reader: &Reader<'_>,
    table: &Table<'_, '_>,
    url: At<String>,
    key: &str,
    places: &mut Unique,
) -> Option<Url> {
    let at = table.parsed(url, |text| Url::with_key(text, StreamKey::from(key)))?;
    let place = format!("{}/{key}", at.value.without_key());
    places.insert(reader, place, &at.key, at.span.clone(), "this url with this stream key");
    Some(at.value)
}

/// The target at which two origins meet.
pub(super) fn anchors_at(root: &Table<'_, '_>, targets: &[Target]) -> Option<TargetId> {
    let table = root.table("pair");
    let known = |text: &str| {
        let target = targets.iter().find(|target| target.id.as_str() == text);
        match target {
            Some(Target { id, place: Place::S3(_), .. }) => Ok(id.clone()),
            Some(_) => Err("is a target of kind \"http\", which has no list: use one of kind \"s3\""),
            None => Err("is the id of no [[target]]"),
        }
    };
    let at = if table.is_there() {
        table.text_needed("anchors_at", "the id of a [[target]] that both origins write to")
    } else {
        None
    };
    let at = at.and_then(|text| table.parsed(text, known));
    table.end();
    at.map(|at| at.value)
}
