//! A second look at texts before they leave the house: no secret of the configuration, no credentials in a URL.
//!
//! Whoever records an entry keeps secrets out of it. But a provider's own error text may quote what it was sent.

use super::{Entry, What};
use crate::config::Secret;

/// What stands for something that was taken out.
const OUT: &str = "[removed]";

/// The shortest secret that is looked for: shorter ones would take ordinary words out.
const SECRET_LEN_MIN: usize = 6;

/// Takes secrets out of texts.
#[derive(Clone, Debug)]
pub(super) struct Redact {
    /// Longest first, so that no secret hides a part of a longer one.
    secrets: Vec<Secret>,
}

impl Redact {
    pub(super) fn new(secrets: &[Secret]) -> Redact {
        let long = secrets.iter().filter(|secret| secret.expose().len() >= SECRET_LEN_MIN);
        let mut secrets: Vec<Secret> = long.cloned().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Redact { secrets }
    }

    /// The entry with its texts from outside made so.
    pub(super) fn entry(&self, entry: &mut Entry) {
        match &mut entry.what {
            What::Down { reason: text } | What::Failed { text, .. } | What::Changed { text } => {
                *text = self.text(text);
            }
            What::Up | What::Done | What::Slow => {}
        }
        if let Some(id) = entry.trace.as_mut().and_then(|trace| trace.request_id.as_mut()) {
            *id = self.text(id);
        }
    }

    /// The text without secrets, and without what a person should not see of a URL: its user, password and query.
    pub(super) fn text(&self, text: &str) -> String {
        let mut out = text.to_string();
        for secret in &self.secrets {
            if out.contains(secret.expose()) {
                out = out.replace(secret.expose(), OUT);
            }
        }
        let mut urls = String::with_capacity(out.len());
        let mut rest = out.as_str();
        while let Some(at) = rest.find("://") {
            let (before, after) = rest.split_at(at + 3);
            urls.push_str(before);
            let end =
                after.find(|c: char| c.is_whitespace() || "\"'`<>()".contains(c)).unwrap_or(after.len());
            let (url, after) = after.split_at(end);
            urls.push_str(&plain(url));
            rest = after;
        }
        urls + rest
    }
}

/// What follows `scheme://`, without user and query.
fn plain(url: &str) -> String {
    let (host, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    match path.split_once('?') {
        Some((path, _)) => format!("{host}{path}?{OUT}"),
        None => format!("{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_credentials_are_removed() {
        let redact = Redact::new(&[Secret::new("hunter2"), Secret::new("hunter2-long"), Secret::new("abc")]);
        for (text, out) in [
            ("nothing to see", "nothing to see"),
            ("key hunter2 and hunter2-long, abc", "key [removed] and [removed], abc"),
            (
                "GET https://user:pass@cdn.example/a/b?sig=x&y=z: 403",
                "GET https://cdn.example/a/b?[removed] 403",
            ),
            (
                "at \"http://a.example?t=1\" and rtmp://b.example/live",
                "at \"http://a.example?[removed]\" and rtmp://b.example/live",
            ),
            ("://", "://"),
        ] {
            assert_eq!(redact.text(text), out);
        }
    }
}
