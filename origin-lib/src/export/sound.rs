//! Which sound a file gets of a recording that has several beside its pictures.

use railbird_core::recording::Reel;
use railbird_core::sound::{Language, Sound};

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

/// The sounds that a recording has beside its pictures, as they were called at any time.
fn sounds(reel: &Reel) -> impl Iterator<Item = &Sound> {
    (0..).zip(reel.objects()).filter_map(|(n, _)| reel.init(n)?.sound.as_ref())
}

/// Whether a recording has sound beside its pictures.
pub(super) fn any(reel: &Reel) -> bool {
    sounds(reel).next().is_some()
}

/// Whether a sound is what somebody calls so.
type Way = fn(&Sound, &str) -> bool;

/// By its name, or else by its language.
const WAYS: [Way; 4] = [
    |sound, wanted| sound.name == wanted,
    |sound, wanted| sound.name.to_lowercase() == wanted.to_lowercase(),
    |sound, wanted| tag(sound).is_some_and(|tag| tag.eq_ignore_ascii_case(wanted)),
    |sound, wanted| {
        let first = tag(sound).and_then(|tag| tag.split('-').next());
        first.is_some_and(|first| first.eq_ignore_ascii_case(wanted))
    },
];

fn tag(sound: &Sound) -> Option<&str> {
    sound.language.as_ref().map(Language::as_str)
}

/// The sound that somebody wants, as he calls it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    called: String,
    way: Way,
}

impl Wanted {
    /// Of this recording, if it has such a sound at any time.
    pub(super) fn find(reel: &Reel, called: &str) -> Result<Wanted, SoundError> {
        let found = |way: &&Way| sounds(reel).any(|sound| way(sound, called));
        match WAYS.iter().find(found) {
            Some(way) => Ok(Wanted { called: called.to_string(), way: *way }),
            None => Err(unknown(reel, called)),
        }
    }

    /// Whether it is this one. A rendition may have another name from some segment on, and another one its name.
    pub(super) fn is(&self, sound: &Sound) -> bool {
        (self.way)(sound, &self.called)
    }
}

fn unknown(reel: &Reel, wanted: &str) -> SoundError {
    let mut there: Vec<String> = Vec::new();
    for sound in sounds(reel) {
        let told = match tag(sound).filter(|tag| *tag != sound.name) {
            Some(tag) => format!("{} ({tag})", sound.name),
            None => sound.name.clone(),
        };
        if !there.contains(&told) {
            there.push(told);
        }
    }
    match there.is_empty() {
        true => SoundError::NoChoice,
        false => SoundError::Unknown { wanted: wanted.to_string(), there: there.join(", ") },
    }
}
