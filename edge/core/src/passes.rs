//! Passes: who may watch what, and when.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use railbird_core::hex;
use railbird_core::id::ChannelId;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most channels that a pass can name. One that covers more covers all of them: `*`.
pub const CHANNELS_MAX: usize = 16;

/// The longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3, without the brackets).
pub const EMAIL_LEN_MAX: usize = 254;

/// What stands for all channels.
const ALL: &str = "*";

/// Names a pass without naming its holder: the hexadecimal SHA-256 of the normalised e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassId(String);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pass id is 64 lower-case hexadecimal digits")]
pub struct PassIdError;

impl PassId {
    /// The id of an e-mail address, trimmed and in lower case; `None` where the text can't be an address.
    pub fn of_email(email: &str) -> Option<PassId> {
        let email = email.trim();
        if email.len() > EMAIL_LEN_MAX || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let email = email.to_lowercase();
        let (local, domain) = email.rsplit_once('@')?;
        let named = !local.is_empty() && !domain.is_empty();
        named.then(|| PassId(hex::encode(&Sha256::digest(email.as_bytes()))))
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

/// A pass as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// PHC string of the password; see [`crate::password`].
    pub(crate) password_hash: String,
    pub(crate) channels: Coverage,
    pub(crate) valid_from: UtcMs,
    pub(crate) valid_until: UtcMs,
    /// When the operator signed it: an older push, sent again, does not bring an older pass back.
    pub(crate) signed: UtcMs,
}

impl Pass {
    /// Whether it holds at this moment.
    pub(crate) fn holds(&self, now: UtcMs) -> bool {
        self.valid_from <= now && now < self.valid_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn an_address_has_one_id_however_it_is_typed() {
        let id = PassId::of_email("demo@railbird.test").unwrap();
        assert_eq!(id.as_str(), "f38e3f962fec0fe8710fe2eca065da2244bcab5e4b3ab81dbb52c74c0eb53106");
        assert_eq!(PassId::of_email(" Demo@Railbird.TEST\t").unwrap(), id);
        assert_eq!(id.as_str().parse(), Ok(id));
        for bad in ["", "@", "a@", "@b", "a b@c", "a@b\0c", &std::format!("{}@b", "a".repeat(253))] {
            assert_eq!(PassId::of_email(bad), None, "{bad:?}");
        }
        for bad in ["", "0", &"g".repeat(64), &"A".repeat(64)] {
            assert_eq!(bad.parse::<PassId>(), Err(PassIdError));
        }
    }

    #[test]
    fn coverage_is_all_or_a_bounded_list() {
        let table_1: ChannelId = "table-1".parse().unwrap();
        let read = |value| serde_json::from_value::<Coverage>(value);
        assert_eq!(read(serde_json::json!(["*"])).unwrap(), Coverage::All);
        let only = read(serde_json::json!(["table-1"])).unwrap();
        assert_eq!(only, Coverage::Only(vec![table_1.clone()]));
        assert!(only.covers(&table_1) && !only.covers(&"table-2".parse().unwrap()));
        assert!(Coverage::All.covers(&table_1));
        assert_eq!(serde_json::to_value(&only).unwrap(), serde_json::json!(["table-1"]));
        for bad in [serde_json::json!([]), serde_json::json!(["*", "a"]), serde_json::json!(["A"])] {
            assert!(read(bad).is_err());
        }
        assert!(read(serde_json::json!(vec!["a"; 17])).is_err());
    }
}
