//! Passes: who may watch what, and when. What the operator says of one, as the edge takes and lists it.

pub mod code;
pub mod password;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::id::ChannelId;
use crate::time::UtcMs;

/// The most channels that a pass can name. One that covers more covers all of them: `*`.
pub const CHANNELS_MAX: usize = 16;

/// The longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3, without the brackets).
pub const EMAIL_LEN_MAX: usize = 254;

/// On how many screens a pass plays at a time, unless it says otherwise.
pub const SCREENS_DEFAULT: u8 = 2;

/// The most screens of a pass.
pub const SCREENS_MAX: u8 = 16;

/// The longest language tag (RFC 5646, 4.4.1), in bytes.
pub const LOCALE_LEN_MAX: usize = 35;

/// The longest note, in bytes.
pub const NOTE_LEN_MAX: usize = 200;

/// What stands for all channels.
const ALL: &str = "*";

/// Names a pass without naming its holder: the hexadecimal SHA-256 of the normalised e-mail address, or of the pass code
/// ([`code::Code::pass_id`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PassId(String);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pass id is 64 lower-case hexadecimal digits")]
pub struct PassIdError;

impl PassId {
    /// The id of an e-mail address, trimmed and in lower case; `None` where the text can't be an address.
    pub fn of_email(email: &str) -> Option<PassId> {
        normal_email(email).map(|email| PassId::of_digest(&Sha256::digest(email.as_bytes()).into()))
    }

    pub(crate) fn of_digest(digest: &[u8; 32]) -> PassId {
        PassId(hex::encode(digest))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PassId {
    type Err = PassIdError;
    fn from_str(text: &str) -> Result<PassId, PassIdError> {
        let hexadecimal = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 64 && hexadecimal { Ok(PassId(text.to_string())) } else { Err(PassIdError) }
    }
}

impl TryFrom<String> for PassId {
    type Error = PassIdError;
    fn try_from(text: String) -> Result<PassId, PassIdError> {
        text.parse()
    }
}

impl From<PassId> for String {
    fn from(id: PassId) -> String {
        id.0
    }
}

/// The one form of an address that may be typed in several: trimmed, in lower case. `None` where the text can't be an
/// address.
pub fn normal_email(email: &str) -> Option<String> {
    let email = email.trim();
    if email.len() > EMAIL_LEN_MAX || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let email = email.to_lowercase();
    let (local, domain) = email.rsplit_once('@')?;
    let named = !local.is_empty() && !domain.is_empty();
    named.then_some(email)
}

/// Which channels a pass covers. As a list of texts: `["*"]`, or up to [`CHANNELS_MAX`] channel ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub enum Coverage {
    /// All channels of the event, later ones too.
    All,
    /// These channels.
    Only(Vec<ChannelId>),
}

/// The list covers nothing, too much, or something that is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("channels must be [\"*\"] or a list of 1 to 16 channel ids")]
pub struct CoverageError;

impl Coverage {
    /// Whether it covers the channel.
    pub fn covers(&self, channel: &ChannelId) -> bool {
        match self {
            Coverage::All => true,
            Coverage::Only(channels) => channels.contains(channel),
        }
    }

    /// As a list of texts.
    pub fn names(&self) -> Vec<String> {
        match self {
            Coverage::All => Vec::from([ALL.to_string()]),
            Coverage::Only(channels) => channels.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<Vec<String>> for Coverage {
    type Error = CoverageError;
    fn try_from(names: Vec<String>) -> Result<Coverage, CoverageError> {
        if matches!(names.as_slice(), [one] if one == ALL) {
            return Ok(Coverage::All);
        }
        if !(1..=CHANNELS_MAX).contains(&names.len()) {
            return Err(CoverageError);
        }
        let channels = names.iter().map(|name| name.parse()).collect::<Result<_, _>>();
        channels.map(Coverage::Only).map_err(|_| CoverageError)
    }
}

impl From<Coverage> for Vec<String> {
    fn from(coverage: Coverage) -> Vec<String> {
        coverage.names()
    }
}

/// A pass as the operator gives it to an edge, and as an edge lists it: of an e-mail address with a password, or of a
/// code. `Debug` shows nothing of its holder.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// The holder's e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// PHC string of the password ([`password::check`]); left out where a pass is listed without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    /// In place of both: the hash of the code ([`code::Code::pass_id`]). The code itself is known to its holder only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_hash: Option<PassId>,
    /// What it covers.
    pub channels: Coverage,
    /// From when on it is valid.
    pub valid_from: UtcMs,
    /// Until when.
    pub valid_until: UtcMs,
    /// On how many screens it plays at a time: 1 to [`SCREENS_MAX`].
    #[serde(default = "screens_default")]
    pub screens: u8,
    /// The holder's language, as a tag of BCP 47: `nl-BE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// For the operator: an order number, say. Viewers never see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// It was taken back.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub revoked: bool,
}

/// How a pass comes without a number of screens.
pub fn screens_default() -> u8 {
    SCREENS_DEFAULT
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("channels", &self.channels).finish_non_exhaustive()
    }
}

/// What is wrong with a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// It opens to nobody, or in two ways.
    #[error("a pass has an email and a password_hash, or a code_hash alone")]
    Holder,
    /// The address can't be one.
    #[error("email must be an address of at most 254 bytes")]
    Email,
    /// The hash can't be used.
    #[error(transparent)]
    Hash(#[from] password::HashError),
    /// It ends before it begins.
    #[error("valid_from must be before valid_until")]
    Validity,
    /// Too many screens, or none.
    #[error("screens must be from 1 to 16")]
    Screens,
    /// The language is no tag.
    #[error("locale must be a language tag of at most 35 characters, such as nl-BE")]
    Locale,
    /// The note is too long, or not one line.
    #[error("note must be one line of at most 200 bytes")]
    Note,
}

impl Pass {
    /// Checks it, and puts its address into the one form.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(mut self) -> Result<(PassId, Pass), PassError> {
        let id = match (&self.email, &self.password_hash, &self.code_hash) {
            (Some(email), Some(hash), None) => {
                let email = normal_email(email).ok_or(PassError::Email)?;
                password::check(hash)?;
                let id = PassId::of_email(&email).ok_or(PassError::Email)?;
                self.email = Some(email);
                id
            }
            (None, None, Some(id)) => id.clone(),
            _ => return Err(PassError::Holder),
        };
        if self.valid_from >= self.valid_until {
            return Err(PassError::Validity);
        }
        if !(1..=SCREENS_MAX).contains(&self.screens) {
            return Err(PassError::Screens);
        }
        if self.locale.as_deref().is_some_and(|locale| !is_language_tag(locale)) {
            return Err(PassError::Locale);
        }
        if self.note.as_deref().is_some_and(|note| !is_note(note)) {
            return Err(PassError::Note);
        }
        Ok((id, self))
    }
}

/// Whether it has the form of RFC 5646, 2.1: subtags of 1 to 8 letters and digits, the first one a language.
fn is_language_tag(text: &str) -> bool {
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    let named = (2..=8).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic());
    let subtag = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    named && text.len() <= LOCALE_LEN_MAX && subtags.all(subtag)
}

fn is_note(text: &str) -> bool {
    text.len() <= NOTE_LEN_MAX && !text.chars().any(char::is_control)
}

/// What an edge answers who asks for its passes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// In the order of their ids.
    pub passes: Vec<Listed>,
    /// Where to go on (`after`); `None` where there are no more.
    pub next: Option<PassId>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its id.
    pub id: PassId,
    /// What it says. One that an earlier version kept has no address.
    pub pass: Pass,
}

#[cfg(test)]
mod tests;
