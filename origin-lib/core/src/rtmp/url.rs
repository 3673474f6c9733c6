//! `rtmp://host[:port]/app/key`, and `rtmps://` for the same over TLS.

use alloc::format;
use alloc::string::String;

use super::{NAME_LEN_MAX, StreamKey};

/// The longest URL, in bytes.
pub const URL_LEN_MAX: usize = 2048;

/// Where a feed goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Over TLS.
    pub tls: bool,
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port; where the URL names none, 1935, or 443 over TLS.
    pub port: u16,
    /// The path up to the key.
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
    #[error("the URL must begin with rtmp:// or rtmps://")]
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
        let (tls, host, port, path) = split(text)?;
        let (app, key) = path.split_once('/').ok_or(UrlError::Path)?;
        if !fits(app) || !fits(key) {
            return Err(UrlError::Path);
        }
        Ok(Url { tls, host: host.into(), port, app: app.into(), key: key.into() })
    }

    /// From a URL without a key, whose whole path is the app, and the key.
    pub fn with_key(text: &str, key: StreamKey) -> Result<Url, UrlError> {
        if text.len() > URL_LEN_MAX {
            return Err(UrlError::TooLong);
        }
        let (tls, host, port, path) = split(text)?;
        let app = path.trim_end_matches('/');
        if !fits(app) || !fits(key.reveal()) {
            return Err(UrlError::Path);
        }
        Ok(Url { tls, host: host.into(), port, app: app.into(), key })
    }

    /// The URL without its key: what `connect` names.
    pub fn without_key(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let scheme = if self.tls { "rtmps" } else { "rtmp" };
        format!("{scheme}://{open}{}{close}:{}/{}", self.host, self.port, self.app)
    }
}

fn fits(name: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&name.len()) && !name.contains(|c: char| c.is_control() || c == ' ')
}

/// TLS, host, port and path.
fn split(text: &str) -> Result<(bool, &str, u16, &str), UrlError> {
    let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
    let tls = scheme.eq_ignore_ascii_case("rtmps");
    if !tls && !scheme.eq_ignore_ascii_case("rtmp") {
        return Err(UrlError::Scheme);
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = host_and_port(authority, if tls { 443 } else { 1935 }).ok_or(UrlError::Host)?;
    Ok((tls, host, port, path))
}

fn host_and_port(authority: &str, default: u16) -> Option<(&str, u16)> {
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
        None => default,
        // `parse` alone would take a sign.
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    (!host.is_empty() && port > 0).then_some((host, port))
}
