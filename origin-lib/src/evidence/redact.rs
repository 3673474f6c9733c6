//! A second look at texts before they are kept, and again before they leave the house: no secret of the configuration, no
//! credentials in a URL, no signature.
//!
//! Whoever records an entry keeps secrets out of it. But a provider's own error text may quote what it was sent, and so may
//! the header by which it names a request.

use super::{Entry, What};
use crate::config::Secret;

/// What stands for something that was taken out.
const OUT: &str = "[removed]";

/// The shortest secret that is looked for: shorter ones would take ordinary words out.
const SECRET_LEN_MIN: usize = 6;

/// Before a credential, in lower case, where somebody quotes a request: the rest of the quotation goes, or the next word.
const QUOTED: [(&str, Ends); 5] = [
    ("authorization:", Ends::Quotation),
    ("x-amz-security-token:", Ends::Quotation),
    ("signature=", Ends::Word),
    ("credential=", Ends::Word),
    ("token=", Ends::Word),
];

/// Where a credential ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// With its line or quotation marks.
    Quotation,
    /// With its word.
    Word,
}

/// Takes secrets out of texts.
#[derive(Clone, Debug, Default)]
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

    /// One that takes these out as well.
    pub(super) fn and(&self, secrets: &[Secret]) -> Redact {
        Redact::new(&[&self.secrets, secrets].concat())
    }

    /// The entry with its texts from outside made so.
    pub(super) fn entry(&self, entry: &mut Entry) {
        match &mut entry.what {
            What::Down { reason: text } | What::Failed { text, .. } | What::Changed { text } => {
                *text = self.text(text);
            }
            What::Up | What::Done | What::Slow | What::Others => {}
        }
        if let Some(id) = entry.trace.as_mut().and_then(|trace| trace.request_id.as_mut()) {
            *id = self.text(id);
        }
    }

    /// The text without secrets, without what a person should not see of a URL (its user, password and query), and without
    /// the credentials of a request that it quotes.
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
        quoted(&(urls + rest))
    }
}

/// The text without the credentials of a request that it quotes.
fn quoted(text: &str) -> String {
    // As long as the text, byte for byte.
    let lower = text.to_ascii_lowercase();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    let next = |at: usize| {
        let found = QUOTED
            .iter()
            .filter_map(|(before, ends)| Some((lower.get(at..)?.find(before)? + at + before.len(), *ends)));
        found.min_by_key(|(begin, _)| *begin)
    };
    while let Some((begin, ends)) = next(at) {
        let begin = text.len() - text[begin..].trim_start_matches(' ').len();
        let is_end = |c: char| match ends {
            Ends::Quotation => c.is_control() || "\"'`<>()".contains(c),
            Ends::Word => c.is_whitespace() || "\"'`<>(),;&".contains(c),
        };
        let end = text[begin..].find(is_end).map_or(text.len(), |len| begin + len);
        out.push_str(&text[at..begin]);
        out.push_str(if end > begin { OUT } else { "" });
        at = end;
    }
    out + &text[at..]
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
            (
                "it was sent (authorization: AWS4-HMAC-SHA256 Credential=AK/2026, Signature=00ff) and refused",
                "it was sent (authorization: [removed]) and refused",
            ),
            (
                "Signature=00ff; X-Amz-Security-Token: a b",
                "Signature=[removed]; X-Amz-Security-Token: [removed]",
            ),
            ("é token=é&x=1, Authorization:", "é token=[removed]&x=1, Authorization:"),
        ] {
            assert_eq!(redact.text(text), out);
        }
    }
}
