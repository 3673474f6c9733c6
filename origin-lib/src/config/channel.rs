//! `[[channel]]`: a channel's table, and those of its feeds.

use railbird_core::state::{PART_MS, RENDITIONS_MAX, SEGMENTS_MAX, STATE_LEN_MAX};

use super::read::{At, Reader, Table};
use super::tables::{OFFSET_MS, Unique, id, title};
use super::{Channel, Feed, Role, audio, ladder, srt, system, video};

/// The fewest bytes of a stream key, and of a scorer's.
const KEY_LEN_MIN: usize = 8;

/// The most feeds of a channel: one of each role.
pub(super) const FEEDS_MAX: usize = Role::ALL.len();

/// The fewest segments that a live playlist may list.
const LISTED_MIN: i64 = 4;

/// So many segments of all of a channel's renditions, at 64 bytes each, an edge takes at once.
const SEGMENTS_PUSHED_MAX: usize = STATE_LEN_MAX / 64;

/// What a channel has where its table does not say.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub(super) segment_ms: i64,
    pub(super) key_period_s: i64,
    pub(super) dvr_s: i64,
}

impl Defaults {
    pub(super) fn read(self, table: &Table<'_, '_>) -> (At<i64>, At<i64>, At<i64>) {
        (
            table.number("segment_ms", self.segment_ms, 500..=20_000, "milliseconds"),
            table.number("key_period_s", self.key_period_s, 60..=86_400, "seconds"),
            table.number("dvr_s", self.dvr_s, 10..=86_400, "seconds"),
        )
    }
}

pub(super) fn read(
    reader: &Reader<'_>,
    table: Table<'_, '_>,
    defaults: Defaults,
    ids: &mut Unique,
    keys: &mut Unique,
) -> Option<Channel> {
    let (id, title) = (id(&table), title(&table));
    if let Some(id) = &id {
        ids.check(reader, id);
    }
    let (segment_ms, key_period_s, dvr_s) = defaults.read(&table);
    let listed = dvr_s.value * 1000 / segment_ms.value.max(1);
    if !(LISTED_MIN..=SEGMENTS_MAX as i64).contains(&listed) {
        let text = format!(
            "{} s list {listed} segments of {} ms: it must be {LISTED_MIN} to {SEGMENTS_MAX} segments",
            dvr_s.value, segment_ms.value
        );
        reader.problem(&dvr_s.key, dvr_s.span.clone(), text);
    }
    let target_s = target_s(reader, &table, segment_ms.value);
    let part_ms = part_ms(reader, &table, segment_ms.value);
    let preload_hints = table.flag("preload_hints", false) && part_ms.is_some();
    let iframes = table.flag("iframes", false);
    let silence = table.flag("silence", true);
    let audio_only = table.flag("audio_only", false);
    let voices = audio::voices(reader, &table, audio_only);
    let mut names = Unique::default();
    let mut views = video::views(reader, &table, &mut names, keys);
    let mut rungs = ladder::rungs(reader, &table, &mut names);
    let further = voices.len() + views.len() + rungs.len();
    if part_ms.is_some() && (audio_only || further > 0) {
        table.problem("has low_latency and further renditions, which have no parts: take out low_latency, or audio_only, the ladder and the further tracks");
    }
    let named = || rungs.iter().map(|rung| &rung.name).chain(views.names());
    if let Some(name) = named().find(|name| voices.iter().any(|voice| voice.rendition == **name)) {
        let name = name.as_str();
        table.problem(format!(
            "has a rendition {name:?}, which is the name of a sound track: choose another one"
        ));
    }
    let pictures = |name: &str| ladder::picture_name(&table, name, !voices.is_empty());
    let source = pictures(ladder::SOURCE);
    let made = rungs.iter_mut().map(|rung| &mut rung.name);
    for name in made.chain(views.names_mut()) {
        if let Some(pictures) = pictures(name.as_str()) {
            *name = pictures;
        }
    }
    if 1 + further > RENDITIONS_MAX {
        table.problem(format!(
            "has too many renditions: {RENDITIONS_MAX} are the most, the source among them"
        ));
    }
    let far = railbird_core::calibration::DELAY_MS_MAX;
    // The sound alone is one, too, where it is not the first of several.
    let renditions = 1 + further + usize::from(audio_only && voices.is_empty());
    let each_max = SEGMENTS_PUSHED_MAX / renditions;
    if usize::try_from(listed).is_ok_and(|listed| (each_max + 1..=SEGMENTS_MAX).contains(&listed)) {
        let text = format!(
            "{listed} segments of each of {renditions} renditions are more than an edge takes, {each_max} of each: lower dvr_s, or have fewer renditions (ladder, audio, video)"
        );
        reader.problem(&dvr_s.key, dvr_s.span.clone(), text);
    }
    let picture_delay_ms = table.number("picture_delay_ms", 0, -far..=far, "milliseconds").value;
    let score_offset_ms = table.number("score_offset_ms", 0, OFFSET_MS, "milliseconds").value;
    let score_key = table.secret("score_key", KEY_LEN_MIN).map(|at| at.value);
    let score_emsg = table.flag("score_emsg", false);
    if score_emsg && score_key.is_none() {
        table.problem("has score_emsg and no score_key: without a scorer there is nothing to carry");
    }
    let system = system::read(reader, &table.table("system"));
    if system.is_some() && score_key.is_none() {
        table.problem("has a system and no score_key: what it sends has to carry that key");
    }

    let tables = table.tables("feed", FEEDS_MAX);
    if tables.is_empty() {
        table.problem("has no feed: add a [[channel.feed]] with the stream_key of its encoder");
    }
    let mut roles = Unique::default();
    let feeds = tables.into_iter().filter_map(|table| feed(reader, table, keys, &mut roles)).collect();
    let stall_ms = table.number("stall_ms", 1000, 200..=30_000, "milliseconds").value;
    let steady_ms = table.number("steady_ms", 10_000, 1_000..=600_000, "milliseconds").value;
    table.end();
    Some(Channel {
        id: id?.value,
        title: title?,
        segment_ms: u32::try_from(segment_ms.value).ok()?,
        target_s: target_s.and_then(|target_s| u32::try_from(target_s).ok()),
        part_ms: part_ms.and_then(|part_ms| u32::try_from(part_ms).ok()),
        preload_hints,
        iframes,
        silence,
        source: source?,
        audio_only,
        voices,
        views: views.tracks,
        companions: views.companions,
        ladder: rungs,
        key_period_s: u32::try_from(key_period_s.value).ok()?,
        dvr_s: u32::try_from(dvr_s.value).ok()?,
        picture_delay_ms: i32::try_from(picture_delay_ms).ok()?,
        score_offset_ms: i32::try_from(score_offset_ms).ok()?,
        score_key,
        score_emsg,
        system,
        feeds,
        stall_ms: u32::try_from(stall_ms).ok()?,
        steady_ms: u32::try_from(steady_ms).ok()?,
    })
}

/// About how long a part is by default, in milliseconds.
const PART_ABOUT_MS: u32 = 333;

/// How long parts of a segment are by default, in milliseconds: all alike, and about a third of a second.
pub(crate) fn part_ms_default(segment_ms: u32) -> u32 {
    let parts = ((segment_ms + PART_ABOUT_MS / 2) / PART_ABOUT_MS).max(2);
    segment_ms.div_ceil(parts)
}

/// How long segments may be at most, where that is configured.
fn target_s(reader: &Reader<'_>, table: &Table<'_, '_>, segment_ms: i64) -> Option<i64> {
    let target_s = table.number("target_s", 0, 0..=20, "seconds");
    if target_s.value > 0 && target_s.value * 1000 < segment_ms {
        let text = format!(
            "{} s are shorter than a segment of {segment_ms} ms: use what key frames are apart, or leave it out",
            target_s.value
        );
        reader.problem(&target_s.key, target_s.span.clone(), text);
    }
    Some(target_s.value).filter(|target_s| *target_s > 0)
}

/// How long parts are where the channel is one of low latency: about a third of a second, unless configured otherwise.
fn part_ms(reader: &Reader<'_>, table: &Table<'_, '_>, segment_ms: i64) -> Option<i64> {
    let low_latency = table.flag("low_latency", false);
    let default = i64::from(part_ms_default(u32::try_from(segment_ms).unwrap_or_default()));
    let range = i64::from(*PART_MS.start())..=i64::from(*PART_MS.end());
    let part_ms = table.number("part_ms", default, range, "milliseconds");
    // The last part may be a little shorter: a third of two seconds is no whole number.
    let rest = segment_ms % part_ms.value.max(1);
    if low_latency && (part_ms.value * 2 > segment_ms || (rest > 0 && rest * 100 < part_ms.value * 85)) {
        let text = format!(
            "{} ms do not divide a segment of {segment_ms} ms into two or more equal parts: use for example {default}",
            part_ms.value
        );
        reader.problem(&part_ms.key, part_ms.span.clone(), text);
    }
    low_latency.then_some(part_ms.value)
}

pub(super) fn feed(
    reader: &Reader<'_>,
    table: Table<'_, '_>,
    keys: &mut Unique,
    roles: &mut Unique,
) -> Option<Feed> {
    let stream_key = table.secret_needed("stream_key", KEY_LEN_MIN);
    if let Some(at) = &stream_key {
        let text = at.value.expose();
        if text.bytes().all(|b| b.is_ascii_graphic() && !b"/?&#%".contains(&b)) {
            keys.insert(reader, text.into(), &at.key, at.span.clone(), "this stream key");
        } else {
            let text = "its secret must be ASCII without spaces and without / ? & # %, as encoders put it into a URL";
            reader.problem(&at.key, at.span.clone(), text);
        }
    }
    let role = |text: &str| match text {
        "primary" => Ok(Role::Primary),
        "backup" => Ok(Role::Backup),
        _ => Err("must be \"primary\" or \"backup\""),
    };
    let role = match table.text("role") {
        Some(text) => table.parsed(text, role),
        None => Some(table.here(Role::Primary)),
    };
    if let Some(at) = &role {
        roles.insert(reader, at.value.as_str().into(), &at.key, at.span.clone(), "this role");
    }
    let call = srt::call(reader, table.table("call"));
    table.end();
    Some(Feed { stream_key: stream_key?.value, role: role?.value, call })
}
