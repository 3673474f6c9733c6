//! Addresses of the web in the form in which browsers write them, so that they can be compared as texts.

use alloc::string::{String, ToString};

/// The most origins whose pages an edge lets read its answers.
pub const ORIGINS_MAX: usize = 16;

/// The most origins of media whose APIs an edge asks for what it does not hear.
pub const ORIGIN_APIS_MAX: usize = 4;

/// The longest origin, in bytes.
const ORIGIN_LEN_MAX: usize = 256;

/// The port of a scheme that need not be written.
fn default_port(scheme: &str) -> &'static str {
    match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    }
}

/// An absolute URL with scheme and host in lower case and without the scheme's own port (RFC 3986, 6.2.2.1 and 6.2.3). What
/// is none, or has a user in it, stays as it is.
pub fn normal(url: String) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (scheme, host) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let host = host.strip_suffix(default_port(&scheme)).unwrap_or(&host);
    if host.is_empty() || host.contains('@') {
        return url;
    }
    [&scheme, "://", host, path].concat()
}

/// Whether it is an origin as browsers send it: `scheme://host` or `scheme://host:port` of the web, normal and in ASCII (RFC
/// 6454, 6.2).
pub fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let plain =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
    matches!(scheme, "https" | "http")
        && text.len() <= ORIGIN_LEN_MAX
        && !authority.is_empty()
        && authority.bytes().all(plain)
        && normal(text.to_string()) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_the_same_place_reads_the_same() {
        for (url, expected) in [
            ("https://A.Example.org/Bucket/x", "https://a.example.org/Bucket/x"),
            ("HTTPS://a.test:443", "https://a.test"),
            ("https://a.test:443/B", "https://a.test/B"),
            ("http://a.test:80?X", "http://a.test?X"),
            ("http://[2001:DB8::1]:80/x", "http://[2001:db8::1]/x"),
        ] {
            assert_eq!(normal(url.to_string()), expected);
            assert_eq!(normal(expected.to_string()), expected, "once is enough");
        }
    }

    #[test]
    fn what_leads_elsewhere_or_nowhere_stays() {
        for url in [
            "",
            "a.test:443",
            "https://a.test:8443/x",
            "http://a.test:443",
            "https://a.test:80",
            "https://a.test/B:443",
            "https://:443/x",
            "https://User:Word@a.test/x",
        ] {
            assert_eq!(normal(url.to_string()), url);
        }
    }
}
