//! What a caller says of itself in its stream id (draft-sharabayko-srt-01, appendix B, and libsrt's Access Control).

use core::str;

/// What the standard form begins with.
const STANDARD: &str = "#!::";

/// What a stream id must be for a feed.
const SET: &str = "set it to the stream key, or to #!::r=CHANNEL,m=publish,u=STREAM_KEY";

/// Why a stream id opens no feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is none, or it has no key in it.
    #[error("the stream id has no stream key: {SET}")]
    NoKey,
    /// It is not UTF-8, or of a form that nobody writes.
    #[error("the stream id can't be read: {SET}")]
    Form,
    /// The caller wants to receive.
    #[error("the stream id asks to receive (m=request), and feeds are only sent here: set m=publish")]
    Receives,
    /// The caller sends a file, or something else that is no stream.
    #[error("the stream id says that no live stream comes (t): set t=stream, or leave it out")]
    NoStream,
}

/// The stream key in a stream id.
///
/// In the standard form, `#!::r=table-1,m=publish,u=KEY`, it is the user name `u`, or where there is none what comes last in the
/// resource's path `r`. Any other text is the key itself, or ends in it after a `/`, with `publish:` before it or not, since
/// encoders have but one field for it.
pub fn stream_key(id: &[u8]) -> Result<&str, Unfit> {
    let id = str::from_utf8(id).map_err(|_| Unfit::Form)?;
    let key = match id.strip_prefix(STANDARD) {
        Some(pairs) => standard(pairs)?,
        None if id.starts_with("#!") => return Err(Unfit::Form),
        None => last_of(id.strip_prefix("publish:").unwrap_or(id)),
    };
    if key.is_empty() { Err(Unfit::NoKey) } else { Ok(key) }
}

fn standard(pairs: &str) -> Result<&str, Unfit> {
    let (mut user, mut resource) = (None, None);
    for pair in pairs.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(Unfit::Form)?;
        match (name, value) {
            ("u", user_name) => user = Some(user_name),
            ("r", path) => resource = Some(path),
            ("m", "request") => return Err(Unfit::Receives),
            ("t", kind) if kind != "stream" => return Err(Unfit::NoStream),
            _ => {}
        }
    }
    Ok(user.unwrap_or_else(|| last_of(resource.unwrap_or_default())))
}

fn last_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoders_have_one_field_for_who_they_are() {
        for (id, key) in [
            ("abc", Ok("abc")),
            ("live/abc", Ok("abc")),
            ("publish:abc", Ok("abc")),
            ("publish:live/abc", Ok("abc")),
            ("#!::r=channel/table-1,m=publish,u=abc", Ok("abc")),
            ("#!::u=abc", Ok("abc")),
            ("#!::r=live/abc,m=publish,h=host.example,t=stream,x=1", Ok("abc")),
            ("#!::m=bidirectional,u=a=b", Ok("a=b")),
            ("", Err(Unfit::NoKey)),
            ("live/", Err(Unfit::NoKey)),
            ("#!::", Err(Unfit::NoKey)),
            ("#!::m=publish", Err(Unfit::NoKey)),
            ("#!::u=,r=abc", Err(Unfit::NoKey)),
            ("#!::u=abc,m=request", Err(Unfit::Receives)),
            ("#!::u=abc,t=file", Err(Unfit::NoStream)),
            ("#!::abc", Err(Unfit::Form)),
            ("#!:{u: abc}", Err(Unfit::Form)),
        ] {
            assert_eq!(stream_key(id.as_bytes()), key, "{id}");
        }
        assert_eq!(stream_key(&[0xff]), Err(Unfit::Form));
    }
}
