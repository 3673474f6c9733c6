//! `[[push]]` and `[pair]`.

use railbird_core::id::{ChannelId, TargetId};
use railbird_core::rtmp::{StreamKey, Url};

use super::read::{At, Reader, Table};
use super::tables::{Unique, id};
use super::{Channel, PUSHES_MAX, Place, Push, Target};

const KEY_LEN_MIN: usize = 1;

/// All pushes of the file.
pub(super) fn pushes(reader: &Reader<'_>, root: &Table<'_, '_>, channels: &[Channel]) -> Vec<Push> {
    let (mut ids, mut places) = (Unique::default(), Unique::default());
    let tables = root.tables("push", PUSHES_MAX).into_iter();
    tables.filter_map(|table| push(reader, table, channels, &mut ids, &mut places)).collect()
}

fn push(
    reader: &Reader<'_>,
    table: Table<'_, '_>,
    channels: &[Channel],
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
    table.end();
    Some(Push { id: id?.value, channel: channel?.value, url: url?, optional })
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
