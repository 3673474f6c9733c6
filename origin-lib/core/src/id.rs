//! Identifiers that people choose and that become parts of paths.
//!
//! One rule for all: 1 to 64 characters of `a`–`z`, `0`–`9` and `-`, the first and the last not `-`. So an
//! identifier needs no escaping in a URL, an object name, a playlist attribute, a metric label or a file name.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::UtcMs;

/// The longest identifier, in characters.
pub const LEN_MAX: usize = 64;

/// The text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: use 1 to 64 characters of a-z, 0-9 and '-', not '-' first or last")]
pub struct IdError {
    what: &'static str,
    text: String,
}

fn is_id(text: &str) -> bool {
    (1..=LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                // An outside text may be long: the error quotes a bounded part of it.
                let quoted = || text.chars().take(LEN_MAX + 1).collect();
                if is_id(text) { Ok($name(text.into())) } else { Err(IdError { what: $what, text: quoted() }) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// Names a channel: the live programme of one table.
    ChannelId,
    "a channel id"
);
id!(
    /// Names a rendition of a channel.
    RenditionId,
    "a rendition id"
);
id!(
    /// Names a node, and the pathway that stands for it (`PATHWAY-ID`).
    NodeId,
    "a node id"
);
id!(
    /// Names a target.
    TargetId,
    "a target id"
);
id!(
    /// Names a match.
    MatchId,
    "a match id"
);
id!(
    /// Names an event: a tournament.
    EventId,
    "an event id"
);
id!(
    /// Names an origin: one of those that write the same channels.
    OriginId,
    "an origin id"
);
id!(
    /// Names a recording of a channel: the UTC second in which it began, `20261121t184500z`.
    RecordingId,
    "a recording id"
);

impl RecordingId {
    /// The name of a recording that begins at this instant.
    pub fn beginning(at: UtcMs) -> RecordingId {
        // 2026-11-21T18:45:00.000Z, to the second, without what separates and in lower case.
        let plain = at.iso8601().chars().take(19).filter(char::is_ascii_alphanumeric).collect::<String>();
        RecordingId(plain.to_ascii_lowercase() + "z")
    }
}

id!(
    /// Names a push: a destination that gets a channel by RTMP.
    PushId,
    "a push id"
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_recording_is_named_after_its_second() {
        assert_eq!(RecordingId::beginning(UtcMs(1_795_171_920_040)).as_str(), "20261120t105200z");
    }

    #[test]
    fn only_path_safe_texts_are_identifiers() {
        for good in ["a", "table-1", "0", &"x".repeat(64)] {
            assert_eq!(good.parse::<ChannelId>().unwrap().to_string(), good);
        }
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a b", "é", &"x".repeat(65)] {
            assert!(bad.parse::<ChannelId>().is_err(), "{bad}");
            assert!(serde_json::from_value::<ChannelId>(serde_json::json!(bad)).is_err(), "{bad}");
        }
    }
}
