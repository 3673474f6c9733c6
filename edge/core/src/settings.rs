//! What a host tells the edge by name: secrets and a few figures.

use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::keys::{MasterSecret, SECRET_LEN_MIN};

use crate::{cors, lease, origins, sealed, token};

/// The names of all settings. Spin's variables bear them as they are, a Worker's in upper case.
pub const NAMES: [&str; 12] = [
    "master_secret",
    "session_secret",
    "session_secret_previous",
    "origin_secret",
    "admin_secret",
    "session_ttl_s",
    "cors_origins",
    "webhook_url",
    "webhook_secret",
    "public_url",
    "origin_urls",
    "probe_every_s",
];

/// How long a session lasts where nothing else is set, in seconds: a long day of play.
pub const SESSION_TTL_S_DEFAULT: u64 = 43_200;

/// The longest session, in seconds: 31 days.
pub const SESSION_TTL_S_MAX: u64 = 31 * 86_400;

/// How often the edge may look at nodes, in seconds: what it finds is good for half a minute.
pub const PROBE_EVERY_S: core::ops::RangeInclusive<u64> = 2..=15;

/// The longest secret, in bytes.
pub const SECRET_LEN_MAX: usize = 1024;

/// The checked settings.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) master: MasterSecret,
    pub(crate) session: token::Key,
    pub(crate) sealing: sealed::Key,
    pub(crate) origin: Secret,
    pub(crate) admin: Secret,
    pub(crate) session_ttl_s: u64,
    /// Who sends links to holders who have forgotten their password.
    pub(crate) webhook: Option<Webhook>,
    pub(crate) lease: lease::Key,
    /// Which pages of other origins may ask, as browsers write an origin.
    pub(crate) cors_origins: Vec<String>,
    /// Origins' APIs, without a slash at their end: they are asked where their pushes are not heard.
    pub(crate) origin_urls: Vec<String>,
    /// How often the edge looks itself whether nodes serve, in milliseconds; `None`: it does not.
    pub(crate) probe_every_ms: Option<u64>,
}

/// The operator's webhook.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) secret: Secret,
    /// What holders type to reach the edge, without a slash at its end: a link begins with it.
    pub(crate) public_url: String,
}

impl Webhook {
    /// The path of its URL, with a query where there is one: what is signed.
    pub(crate) fn target(&self) -> &str {
        let host = self.url.split_once("://").map_or("", |(_, rest)| rest);
        host.find('/').and_then(|at| host.get(at..)).unwrap_or("/")
    }
}

/// The longest URL, in bytes.
const URL_LEN_MAX: usize = 1024;

/// Whether it is a URL of the web, without a name, a password or a fragment.
fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'@' | b'#' | b'"' | b'<' | b'>' | b'\\');
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    host.is_some_and(|host| !host.is_empty()) && url.len() <= URL_LEN_MAX && url.bytes().all(plain)
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
    /// A URL is none, or not one to build on.
    #[error(
        "the variable {0} must be a URL such as https://www.example.org/path, of at most 1024 characters"
    )]
    Url(&'static str),
    /// The list of origins has something else in it, or too many of them.
    #[error(
        "the variable cors_origins must list at most 16 origins such as https://www.example.org, with spaces between"
    )]
    CorsOrigins,
    /// The list of origins' APIs has something else in it, or too many of them.
    #[error(
        "the variable origin_urls must list at most 4 URLs such as https://origin.example.org:8080, without a path, with spaces between"
    )]
    OriginUrls,
    /// How often nodes are looked at is not a number in its range.
    #[error("the variable probe_every_s must be a number of seconds from 2 to 15, or 0 for never")]
    ProbeEvery,
}

impl Settings {
    /// Reads the settings through a closure that gives the value of a name out of [`NAMES`], or `None` where it is
    /// not set. An empty value counts as not set.
    pub fn read(mut variable: impl FnMut(&'static str) -> Option<String>) -> Result<Settings, SettingsError> {
        let mut optional = |name: &'static str| match variable(name).filter(|value| !value.is_empty()) {
            Some(value) if !(SECRET_LEN_MIN..=SECRET_LEN_MAX).contains(&value.len()) => {
                Err(SettingsError::Length(name))
            }
            value => Ok(value.map(String::into_bytes)),
        };
        let previous = optional("session_secret_previous")?;
        let mut secret = |name| optional(name)?.ok_or(SettingsError::Missing(name));
        let master = secret("master_secret")?;
        let lease = lease::Key::derive(&master);
        let master = MasterSecret::new(&master);
        let master = master.map_err(|_| SettingsError::Length("master_secret"))?;
        let session_secret = secret("session_secret")?;
        let mut session = token::Key::derive(&session_secret);
        let mut sealing = sealed::Key::derive(&session_secret);
        if let Some(previous) = previous {
            session = session.accepting(token::Key::derive(&previous));
            sealing = sealing.accepting(sealed::Key::derive(&previous));
        }
        let origin = Secret(secret("origin_secret")?);
        let admin = Secret(secret("admin_secret")?);
        let webhook_secret = optional("webhook_secret")?;
        let mut url = |name: &'static str| match variable(name).filter(|value| !value.is_empty()) {
            Some(url) if !is_url(&url) => Err(SettingsError::Url(name)),
            url => Ok(url),
        };
        let (webhook_url, public_url) = (url("webhook_url")?, url("public_url")?);
        let webhook = match webhook_url {
            None => None,
            Some(url) => Some(Webhook {
                url,
                secret: Secret(webhook_secret.ok_or(SettingsError::Missing("webhook_secret"))?),
                public_url: public_url
                    .map(|url| String::from(url.trim_end_matches('/')))
                    .filter(|url| !url.contains('?'))
                    .ok_or(SettingsError::Url("public_url"))?,
            }),
        };
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
        let origin_urls = origins::read(&variable("origin_urls").unwrap_or_default());
        let origin_urls = origin_urls.ok_or(SettingsError::OriginUrls)?;
        let probe_every_s = variable("probe_every_s").filter(|value| !value.is_empty());
        let probe_every_s = probe_every_s.map_or(Ok(0), |text| text.parse::<u64>());
        let probe_every_ms = match probe_every_s {
            Ok(0) => None,
            Ok(every_s) if PROBE_EVERY_S.contains(&every_s) => Some(every_s * 1000),
            _ => return Err(SettingsError::ProbeEvery),
        };
        Ok(Settings {
            master,
            session,
            sealing,
            origin,
            admin,
            session_ttl_s,
            webhook,
            lease,
            cors_origins,
            origin_urls,
            probe_every_ms,
        })
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
            name if name.ends_with("_secret") && name != "session_secret_previous" => {
                Some(format!("{name} 0123456789"))
            }
            _ => None,
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
        for (previous, wrong) in [("", None), ("0123456789abcde", Some(())), ("0123456789abcdef", None)] {
            let wrong = wrong.map(|()| SettingsError::Length("session_secret_previous"));
            assert_eq!(read("session_secret_previous", Some(previous)).err(), wrong);
        }
        for bad in ["0", "-1", "x", "2678401"] {
            assert_eq!(read("session_ttl_s", Some(bad)).unwrap_err(), SettingsError::SessionTtl);
        }
        for bad in ["1", "16", "x", "-2"] {
            assert_eq!(read("probe_every_s", Some(bad)).unwrap_err(), SettingsError::ProbeEvery);
        }
        assert_eq!(read("probe_every_s", Some("0")).unwrap().probe_every_ms, None);
        assert_eq!(read("probe_every_s", Some("10")).unwrap().probe_every_ms, Some(10_000));
        let urls = "https://north.test http://127.0.0.1:8080";
        let urls: Vec<_> = urls.split(' ').map(String::from).collect();
        assert_eq!(read("origin_urls", Some(&urls.join(" "))).unwrap().origin_urls, urls);
        for bad in ["north.test", "https://north.test/", "ftp://north.test", "https://u:p@north.test"] {
            assert_eq!(read("origin_urls", Some(bad)).unwrap_err(), SettingsError::OriginUrls);
        }
        assert_eq!(
            read("origin_urls", Some(&"https://north.test ".repeat(5))).unwrap_err(),
            SettingsError::OriginUrls
        );
        for bad in ["*", "www.railbird.test"] {
            assert_eq!(read("cors_origins", Some(bad)).unwrap_err(), SettingsError::CorsOrigins);
        }
    }

    #[test]
    fn a_webhook_needs_a_secret_and_the_address_that_links_begin_with() {
        let read = |url: &str, secret: &str, public: &str| {
            Settings::read(|name| match name {
                "webhook_url" => Some(url.to_string()),
                "webhook_secret" => Some(secret.to_string()),
                "public_url" => Some(public.to_string()),
                name => name.ends_with("_secret").then(|| format!("{name} 0123456789")),
            })
            .map(|settings| {
                settings.webhook.map(|webhook| (webhook.target().to_string(), webhook.public_url))
            })
        };
        let (secret, public) = ("0123456789abcdef", "https://live.example.org/");
        let good = |target: &str| Ok(Some((target.to_string(), "https://live.example.org".to_string())));
        assert_eq!(read("https://hooks.example.org/mail?x=1", secret, public), good("/mail?x=1"));
        assert_eq!(read("http://127.0.0.1:9", secret, public), good("/"));
        assert_eq!(read("", secret, ""), Ok(None));
        assert_eq!(read("https://a.test", "", public), Err(SettingsError::Missing("webhook_secret")));
        for bad in [
            "x",
            "https://",
            "https:///x",
            "ftp://a.test",
            "https://u:p@a.test",
            "https://a.test/#x",
            "https://a test",
        ] {
            assert_eq!(read(bad, secret, public), Err(SettingsError::Url("webhook_url")), "{bad}");
            assert_eq!(read("https://a.test", secret, bad), Err(SettingsError::Url("public_url")), "{bad}");
        }
        for bad in ["", "https://a.test/?x=1", "https://a.test\r\nx"] {
            assert_eq!(read("https://a.test", secret, bad), Err(SettingsError::Url("public_url")), "{bad}");
        }
    }

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        assert!(!format!("{:?}", read("", None).unwrap()).contains("0123456789"));
    }
}
