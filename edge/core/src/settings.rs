//! What a host tells the edge by name: secrets and a few figures.

use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::keys::{MasterSecret, SECRET_LEN_MIN};

use crate::{cors, lease, token};

/// The names of all settings. Spin's variables bear them as they are, a Worker's in upper case.
pub const NAMES: [&str; 6] =
    ["master_secret", "session_secret", "origin_secret", "admin_secret", "session_ttl_s", "cors_origins"];

/// How long a session lasts where nothing else is set, in seconds: a long day of play.
pub const SESSION_TTL_S_DEFAULT: u64 = 43_200;

/// The longest session, in seconds: 31 days.
pub const SESSION_TTL_S_MAX: u64 = 31 * 86_400;

/// The longest secret, in bytes.
pub const SECRET_LEN_MAX: usize = 1024;

/// The checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) master: MasterSecret,
    pub(crate) session: token::Key,
    pub(crate) origin: Secret,
    pub(crate) admin: Secret,
    pub(crate) session_ttl_s: u64,
    pub(crate) lease: lease::Key,
    /// Which pages of other origins may ask, as browsers write an origin.
    pub(crate) cors_origins: Vec<String>,
}

/// A shared secret that never shows in a debug text.
#[derive(Clone)]
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is wrong with a setting. The texts name the setting and never show its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A secret is not set.
    #[error("set the variable {0}: a secret of at least 16 bytes")]
    Missing(&'static str),
    /// A secret is too short or too long.
    #[error("the variable {0} must be a secret of 16 to 1024 bytes")]
    Length(&'static str),
    /// The length of a session is not a number in its range.
    #[error("the variable session_ttl_s must be a number of seconds from 1 to 2678400")]
    SessionTtl,
    /// The list of origins has something else in it, or too many of them.
    #[error(
        "the variable cors_origins must list at most 16 origins such as https://www.example.org, with spaces between"
    )]
    CorsOrigins,
}

impl Settings {
    /// Reads the settings through a closure that gives the value of a name out of [`NAMES`], or `None` where it is
    /// not set. An empty value counts as not set.
    pub fn read(mut variable: impl FnMut(&'static str) -> Option<String>) -> Result<Settings, SettingsError> {
        let mut secret = |name: &'static str| {
            let value =
                variable(name).filter(|value| !value.is_empty()).ok_or(SettingsError::Missing(name))?;
            if (SECRET_LEN_MIN..=SECRET_LEN_MAX).contains(&value.len()) {
                Ok(value.into_bytes())
            } else {
                Err(SettingsError::Length(name))
            }
        };
        let master = secret("master_secret")?;
        let lease = lease::Key::derive(&master);
        let master = MasterSecret::new(&master);
        let master = master.map_err(|_| SettingsError::Length("master_secret"))?;
        let session = token::Key::derive(&secret("session_secret")?);
        let origin = Secret(secret("origin_secret")?);
        let admin = Secret(secret("admin_secret")?);
        let session_ttl_s = match variable("session_ttl_s").filter(|value| !value.is_empty()) {
            None => SESSION_TTL_S_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|ttl| (1..=SESSION_TTL_S_MAX).contains(ttl))
                .ok_or(SettingsError::SessionTtl)?,
        };
        let cors_origins = cors::read(&variable("cors_origins").unwrap_or_default());
        let cors_origins = cors_origins.ok_or(SettingsError::CorsOrigins)?;
        Ok(Settings { master, session, origin, admin, session_ttl_s, lease, cors_origins })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    fn read(changed: &str, to: Option<&str>) -> Result<Settings, SettingsError> {
        Settings::read(|name| match name {
            name if name == changed => to.map(ToString::to_string),
            "session_ttl_s" | "cors_origins" => None,
            name => Some(format!("{name} 0123456789")),
        })
    }

    #[test]
    fn a_missing_or_short_one_is_named() {
        assert_eq!(read("", None).unwrap().session_ttl_s, SESSION_TTL_S_DEFAULT);
        assert_eq!(read("session_ttl_s", Some("60")).unwrap().session_ttl_s, 60);
        for name in ["master_secret", "session_secret", "origin_secret", "admin_secret"] {
            assert_eq!(read(name, None).unwrap_err(), SettingsError::Missing(name));
            assert_eq!(read(name, Some("")).unwrap_err(), SettingsError::Missing(name));
            assert_eq!(read(name, Some("0123456789abcde")).unwrap_err(), SettingsError::Length(name));
            assert_eq!(read(name, Some(&"x".repeat(1025))).unwrap_err(), SettingsError::Length(name));
            assert!(read(name, None).unwrap_err().to_string().contains(name));
        }
        for bad in ["0", "-1", "x", "2678401"] {
            assert_eq!(read("session_ttl_s", Some(bad)).unwrap_err(), SettingsError::SessionTtl);
        }
        for bad in ["*", "www.railbird.test"] {
            assert_eq!(read("cors_origins", Some(bad)).unwrap_err(), SettingsError::CorsOrigins);
        }
    }

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        assert!(!format!("{:?}", read("", None).unwrap()).contains("0123456789"));
    }
}
