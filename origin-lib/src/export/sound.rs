//! Which sound a file gets of a recording that has several beside its pictures.

use railbird_core::id::RenditionId;
use railbird_core::recording::Reel;
use railbird_core::sound::Sound;

/// The sound that was asked for is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SoundError {
    /// There is no choice.
    #[error("the recording has no sounds to choose from: leave out --sound, and the file has what there is")]
    NoChoice,
    /// None of this name or language.
    #[error(
        "the recording has no sound \"{wanted}\": --sound takes the name or the language of one of {there}"
    )]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        there: String,
    },
}

/// The sounds that a recording has beside its pictures, by their renditions, as they were called at any time.
fn sounds(reel: &Reel) -> impl Iterator<Item = (&RenditionId, &Sound)> {
    (0..).zip(reel.objects()).filter_map(|(n, object)| {
        let sound = reel.init(n)?.sound.as_ref()?;
        Some((reel.rendition(object), sound))
    })
}

/// Whether a recording has sound beside its pictures.
pub(super) fn any(reel: &Reel) -> bool {
    sounds(reel).next().is_some()
}

/// The rendition of the sound that somebody calls so: by its name, or else by its language.
pub(super) fn find<'a>(reel: &'a Reel, wanted: &str) -> Result<&'a RenditionId, SoundError> {
    let language = |sound: &Sound| sound.language.as_ref().map(ToString::to_string);
    let starts = |tag: &str| tag.split('-').next().is_some_and(|first| first.eq_ignore_ascii_case(wanted));
    let ways: [&dyn Fn(&Sound) -> bool; 4] = [
        &|sound| sound.name == wanted,
        &|sound| sound.name.to_lowercase() == wanted.to_lowercase(),
        &|sound| language(sound).is_some_and(|tag| tag.eq_ignore_ascii_case(wanted)),
        &|sound| language(sound).is_some_and(|tag| starts(&tag)),
    ];
    if let Some((rendition, _)) = ways.iter().find_map(|is| sounds(reel).find(|(_, sound)| is(sound))) {
        return Ok(rendition);
    }
    let mut there: Vec<String> = Vec::new();
    for (_, sound) in sounds(reel) {
        let told = match language(sound).filter(|tag| *tag != sound.name) {
            Some(tag) => format!("{} ({tag})", sound.name),
            None => sound.name.clone(),
        };
        if !there.contains(&told) {
            there.push(told);
        }
    }
    match there.is_empty() {
        true => Err(SoundError::NoChoice),
        false => Err(SoundError::Unknown { wanted: wanted.to_string(), there: there.join(", ") }),
    }
}
