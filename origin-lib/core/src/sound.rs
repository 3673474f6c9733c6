//! Several sound tracks of one channel: their languages, and what players are told of them (RFC 8216bis, 4.4.6.1).
//!
//! One sound track is muxed with the picture, since it is requests that an edge bills. Where there are several, each is a
//! rendition of its own, beside pictures without sound: of a muxed track beside others, neither hls.js 1.7 nor Shaka
//! Player 5.2 can make anything.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::RenditionId;

/// The most sound tracks of a channel that are renditions: the first one and eight more.
pub const VOICES_MAX: usize = 9;

/// The highest number of a track.
pub const TRACK_MAX: u8 = 63;

/// The longest language tag, in bytes.
pub const LANGUAGE_LEN_MAX: usize = 35;

/// The longest name of a sound track, in characters.
pub const NAME_CHARS_MAX: usize = 64;

/// A language as RFC 5646 (BCP 47) writes it: `ko`, `pt-BR`, `zh-Hant`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(String);

/// The text is no language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no language tag of BCP 47: write it as \"ko\", \"en-GB\" or \"zh-Hant\"")]
pub struct LanguageError;

impl Language {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A language by its code in ISO 639-2, as transport streams and MP4 have it; `None` where nothing is said ("und").
    /// BCP 47 wants the shortest code of a language.
    pub fn of_iso639(code: &str) -> Option<Language> {
        if code.len() != 3 {
            return None;
        }
        let code = code.to_ascii_lowercase();
        if ["und", "mis", "mul", "zxx", "qaa"].contains(&&*code) {
            return None;
        }
        let short = SHORT.iter().find(|(long, _)| *long == code).map(|(_, short)| *short);
        short.unwrap_or(&code).parse().ok()
    }
}

/// Codes of ISO 639-2, in both its forms, of languages that have one of two letters as well. Of others, the code stays as it is.
const SHORT: &[(&str, &str)] = &[
    ("alb", "sq"),
    ("ara", "ar"),
    ("arm", "hy"),
    ("aze", "az"),
    ("baq", "eu"),
    ("bel", "be"),
    ("ben", "bn"),
    ("bos", "bs"),
    ("bul", "bg"),
    ("cat", "ca"),
    ("ces", "cs"),
    ("chi", "zh"),
    ("cze", "cs"),
    ("dan", "da"),
    ("deu", "de"),
    ("dut", "nl"),
    ("ell", "el"),
    ("eng", "en"),
    ("est", "et"),
    ("eus", "eu"),
    ("fas", "fa"),
    ("fin", "fi"),
    ("fra", "fr"),
    ("fre", "fr"),
    ("geo", "ka"),
    ("ger", "de"),
    ("gle", "ga"),
    ("glg", "gl"),
    ("gre", "el"),
    ("heb", "he"),
    ("hin", "hi"),
    ("hrv", "hr"),
    ("hun", "hu"),
    ("hye", "hy"),
    ("ice", "is"),
    ("ind", "id"),
    ("isl", "is"),
    ("ita", "it"),
    ("jpn", "ja"),
    ("kat", "ka"),
    ("kaz", "kk"),
    ("khm", "km"),
    ("kor", "ko"),
    ("lav", "lv"),
    ("lit", "lt"),
    ("mac", "mk"),
    ("may", "ms"),
    ("mkd", "mk"),
    ("mon", "mn"),
    ("msa", "ms"),
    ("nld", "nl"),
    ("nno", "nn"),
    ("nob", "nb"),
    ("nor", "no"),
    ("per", "fa"),
    ("pol", "pl"),
    ("por", "pt"),
    ("ron", "ro"),
    ("rum", "ro"),
    ("rus", "ru"),
    ("slk", "sk"),
    ("slo", "sk"),
    ("slv", "sl"),
    ("spa", "es"),
    ("sqi", "sq"),
    ("srp", "sr"),
    ("swe", "sv"),
    ("tam", "ta"),
    ("tha", "th"),
    ("tur", "tr"),
    ("ukr", "uk"),
    ("urd", "ur"),
    ("uzb", "uz"),
    ("vie", "vi"),
    ("zho", "zh"),
];

impl FromStr for Language {
    type Err = LanguageError;

    /// Well-formed in the sense of RFC 5646, 2.2.9, without the tags that were grandfathered, and with a language of two or three
    /// letters: there is no longer one. Brought into its usual case (2.1.1).
    fn from_str(text: &str) -> Result<Language, LanguageError> {
        if text.len() > LANGUAGE_LEN_MAX {
            return Err(LanguageError);
        }
        let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let mut written = String::with_capacity(text.len());
        // What may follow: an extended language, a script, a region, variants; behind a single letter, anything.
        let (mut place, mut open) = (Place::Language, false);
        for part in text.split('-') {
            let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !plain || !(1..=8).contains(&part.len()) {
                return Err(LanguageError);
            }
            let lower = part.to_ascii_lowercase();
            let starts_with_digit = part.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
            let (next, part) = match part.len() {
                2..=3 if place == Place::Language && letters(part) => (Place::Extended, lower),
                1 if lower == "x" => (Place::Private, lower),
                _ if place == Place::Language => return Err(LanguageError),
                _ if place == Place::Private => (Place::Private, lower),
                1 if open => return Err(LanguageError),
                1 => (Place::Extension, lower),
                2..=8 if place == Place::Extension => (Place::Extension, lower),
                3 if place <= Place::Extended && letters(part) => (Place::Extended, lower),
                4 if place < Place::Script && letters(part) => {
                    (Place::Script, format!("{}{}", lower[..1].to_ascii_uppercase(), &lower[1..]))
                }
                2 if place < Place::Region && letters(part) => (Place::Region, part.to_ascii_uppercase()),
                3 if place < Place::Region && part.bytes().all(|byte| byte.is_ascii_digit()) => {
                    (Place::Region, lower)
                }
                5..=8 => (Place::Variant, lower),
                4 if starts_with_digit => (Place::Variant, lower),
                _ => return Err(LanguageError),
            };
            open = part.len() == 1 && (next != Place::Private || place != Place::Private);
            place = next;
            if !written.is_empty() {
                written.push('-');
            }
            written.push_str(&part);
        }
        // A single letter is followed by something.
        if open { Err(LanguageError) } else { Ok(Language(written)) }
    }
}

/// Where in a tag its last part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Language,
    Extended,
    Script,
    Region,
    Variant,
    Extension,
    Private,
}

impl TryFrom<String> for Language {
    type Error = LanguageError;
    fn try_from(text: String) -> Result<Language, LanguageError> {
        text.parse()
    }
}

impl From<Language> for String {
    fn from(language: Language) -> String {
        language.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sound track of a feed that becomes a rendition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Its number among the feed's sound tracks, as the encoder counts them; 0: the first one, which is played by default.
    pub track: u8,
    /// The rendition's name.
    pub rendition: RenditionId,
    /// What people call it; without one, what is known of its language.
    pub name: Option<String>,
    /// Its language; without one, what the stream says.
    pub language: Option<Language>,
    /// It is offered without a picture as well.
    pub alone: bool,
}

impl Voice {
    /// What playlists say of it, where the stream says that it is in this language.
    pub fn told(&self, said: Option<&Language>, channels: u8) -> Sound {
        let language = self.language.as_ref().or(said).cloned();
        let by_language = || language.as_ref().map(Language::to_string);
        let name = self.name.clone().or_else(by_language).unwrap_or_else(|| format!("{}", self.track + 1));
        Sound { name, language, channels, default: self.track == 0, alone: self.alone }
    }
}

/// What playlists say of a rendition of sound that goes with pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sound {
    /// What people call it. Each has another one.
    pub name: String,
    /// Its language, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// How many channels it has.
    pub channels: u8,
    /// It is played unless another one is chosen.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub default: bool,
    /// It is offered without a picture as well.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub alone: bool,
}

impl Sound {
    /// Whether it can stand in a playlist.
    pub fn is_within_bounds(&self) -> bool {
        is_name(&self.name)
    }
}

/// Whether this can be the name of a sound track: in a quoted string, and shown by players.
pub fn is_name(text: &str) -> bool {
    let count = text.chars().count();
    (1..=NAME_CHARS_MAX).contains(&count) && !text.chars().any(|c| c == '"' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_are_well_formed_and_written_in_their_usual_case() {
        for (text, written) in [
            ("ko", "ko"),
            ("KOR", "kor"),
            ("en-gb", "en-GB"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("de-CH-1996", "de-CH-1996"),
            ("sl-nedis", "sl-nedis"),
            ("zh-yue", "zh-yue"),
            ("en-a-bbb-x-a", "en-a-bbb-x-a"),
            ("x-venue", "x-venue"),
        ] {
            assert_eq!(text.parse::<Language>().unwrap().as_str(), written, "{text}");
        }
        let long = "a-".repeat(20);
        for text in [
            "",
            "k",
            "korean-language",
            "en_GB",
            "en--GB",
            "-en",
            "en-",
            "en-x",
            "e1",
            "é",
            "en-GB-US",
            &long,
        ] {
            assert!(text.parse::<Language>().is_err(), "{text}");
        }
    }

    #[test]
    fn codes_of_three_letters_become_the_shortest_and_nothing_said_is_none() {
        let of = |code| Language::of_iso639(code).map(String::from);
        assert_eq!(of("kor").as_deref(), Some("ko"));
        assert_eq!(of("FRE").as_deref(), Some("fr"));
        assert_eq!(of("gsw").as_deref(), Some("gsw"));
        for nothing in ["und", "", "\0\0\0", "ko", "12a"] {
            assert_eq!(of(nothing), None, "{nothing:?}");
        }
        assert!(SHORT.is_sorted_by_key(|(long, _)| *long));
    }

    #[test]
    fn what_is_configured_counts_before_what_the_stream_says() {
        let voice = Voice {
            track: 1,
            rendition: "audio-1".parse().unwrap(),
            name: None,
            language: None,
            alone: false,
        };
        let korean: Language = "ko".parse().unwrap();
        assert_eq!(voice.told(None, 2).name, "2");
        let told = voice.told(Some(&korean), 1);
        assert_eq!((&*told.name, told.language.as_ref(), told.default), ("ko", Some(&korean), false));
        let configured =
            Voice { language: Some("en".parse().unwrap()), name: Some("English".into()), ..voice };
        let told = configured.told(Some(&korean), 1);
        assert_eq!((&*told.name, told.language.unwrap().as_str()), ("English", "en"));
    }
}
