//! `[[channel.audio]]`: the sound tracks of a channel that are renditions of their own.

use railbird_core::sound::{Language, TRACK_MAX, VOICES_MAX, Voice, is_name};

use super::ladder::SOUND;
use super::read::{At, Reader, Table};
use super::tables::Unique;

/// All sound tracks, the first one first; none where one is muxed with the picture.
pub(super) fn voices(reader: &Reader<'_>, channel: &Table<'_, '_>, audio_only: bool) -> Vec<Voice> {
    let (mut tracks, mut names) = (Unique::default(), Unique::default());
    let tables = channel.tables("audio", VOICES_MAX);
    if tables.is_empty() {
        return Vec::new();
    }
    let read = tables.into_iter().filter_map(|table| voice(reader, table, &mut tracks, &mut names));
    let mut voices: Vec<Voice> = read.collect();
    // What is the default need not be named.
    if voices.iter().all(|voice| voice.track != 0) {
        voices.extend(of(0, None, None));
    }
    if voices.len() < 2 {
        channel.problem("has one sound track, which is muxed with the picture: name further ones ([[channel.audio]] track = 1), or none");
    }
    if voices.len() > VOICES_MAX {
        channel.problem(format!(
            "has too many sound tracks: {VOICES_MAX} are the most, the first one among them"
        ));
    }
    voices.sort_by_key(|voice| voice.track);
    voices.iter_mut().filter(|voice| voice.track == 0).for_each(|voice| voice.alone = audio_only);
    voices
}

fn voice(
    reader: &Reader<'_>,
    table: Table<'_, '_>,
    tracks: &mut Unique,
    names: &mut Unique,
) -> Option<Voice> {
    let track = table.number("track", 1, 0..=i64::from(TRACK_MAX), "(the number of a sound track)");
    tracks.check(reader, &track);
    let language = table.text("language").and_then(|text| table.parsed(text, str::parse::<Language>));
    let plain = |text: &str| {
        let why = "needs 1 to 64 characters, without quotes and control characters";
        if is_name(text) { Ok(text.to_string()) } else { Err(why) }
    };
    let name = table.text("name").and_then(|text| table.parsed(text, plain));
    // One without a name is called after its language.
    match (&name, &language) {
        (Some(name), _) => names.check(reader, name),
        (None, Some(language)) => names.check(reader, language),
        (None, None) => {}
    }
    table.end();
    let value = |at: At<String>| at.value;
    of(u8::try_from(track.value).ok()?, name.map(value), language.map(|at| at.value))
}

/// The track of this number, whose rendition is named after it.
fn of(track: u8, name: Option<String>, language: Option<Language>) -> Option<Voice> {
    let rendition = if track == 0 { SOUND.to_string() } else { format!("{SOUND}-{track}") };
    Some(Voice { track, rendition: rendition.parse().ok()?, name, language, alone: false })
}
