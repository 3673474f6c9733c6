//! `rtmp://host[:port]/app/key`.

use alloc::format;
use alloc::string::String;

use super::{NAME_LEN_MAX, StreamKey};

/// The longest URL, in bytes.
pub const URL_LEN_MAX: usize = 2048;

/// Where a feed goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port; 1935 where the URL names none.
    pub port: u16,
    /// The first part of the path.
    pub app: String,
    /// The rest of the path, with its query.
    pub key: StreamKey,
}

/// Why a text is no such URL. The texts do not repeat the URL: it holds a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Too long.
    #[error("the URL is longer than 2048 bytes")]
    TooLong,
    /// Another scheme.
    #[error("the URL must begin with rtmp://; rtmps:// is not supported")]
    Scheme,
    /// The host or the port is no such thing.
    #[error("the URL needs a host and, after ':', a port from 1 to 65535: rtmp://HOST:PORT/APP/KEY")]
    Host,
    /// The path is not an app and a key.
    #[error("the URL needs an app and a stream key, each at most 512 bytes: rtmp://HOST:PORT/APP/KEY")]
    Path,
}

impl Url {
    /// Parses a URL. Nothing is decoded: percent signs reach the server as they are.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        if text.len() > URL_LEN_MAX {
            return Err(UrlError::TooLong);
        }
        let (scheme, rest) = text.split_at_checked(7).ok_or(UrlError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("rtmp://") {
            return Err(UrlError::Scheme);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = host_and_port(authority).ok_or(UrlError::Host)?;
        let (app, key) = path.split_once('/').ok_or(UrlError::Path)?;
        let fits = |name: &str| {
            (1..=NAME_LEN_MAX).contains(&name.len()) && !name.contains(|c: char| c.is_control() || c == ' ')
        };
        if !fits(app) || !fits(key) {
            return Err(UrlError::Path);
        }
        Ok(Url { host: host.into(), port, app: app.into(), key: key.into() })
    }

    /// The URL without its key: what `connect` names.
    pub fn without_key(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("rtmp://{open}{}{close}:{}/{}", self.host, self.port, self.app)
    }
}

fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    const PORT: u16 = 1935;
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let v6 = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
        if !host.contains(':') || !host.chars().all(v6) {
            return None;
        }
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
            return None;
        }
        (host, port)
    };
    let port = match port {
        None => PORT,
        // `parse` alone would take a sign.
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    (!host.is_empty() && port > 0).then_some((host, port))
}
