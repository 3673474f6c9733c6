//! What the body of a request is, by its first bytes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use railbird_core::cmaf;

use super::{IDLE_DEADLINE, Said, broken_off, content_type, silent};

/// So many bytes tell what comes.
const ENOUGH: usize = 8;

/// With which each packet of a transport stream begins (ISO/IEC 13818-1, 2.4.3.3).
const SYNC: u8 = 0x47;

/// The longest playlist that is read, in bytes.
const PLAYLIST_LEN_MAX: usize = 4 << 20;

/// How long a playlist may take.
const PLAYLIST_DEADLINE: Duration = Duration::from_secs(10);

/// What comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing: an encoder tries whether it is let in.
    Nothing,
    /// Fragmented MP4.
    Boxes,
    /// A playlist or manifest of it.
    Playlist,
    /// A transport stream.
    Stream,
    /// None of these.
    Other,
}

/// What comes, and its first bytes.
#[derive(Debug)]
pub(super) struct First {
    pub(super) content: Content,
    pub(super) bytes: Bytes,
}

pub(super) async fn read(head: &http::request::Parts, body: &mut Incoming) -> Result<First, Said> {
    let mut bytes = BytesMut::new();
    while bytes.len() < ENOUGH {
        let next = tokio::time::timeout(IDLE_DEADLINE, body.frame()).await;
        match next.map_err(|_| silent(IDLE_DEADLINE))? {
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Some(Err(error)) => return Err(broken_off(&error)),
            None => break,
        }
    }
    let says_mp4 = content_type(head).is_some_and(|sent| sent.to_ascii_lowercase().ends_with("/mp4"));
    Ok(First { content: content(&bytes, says_mp4), bytes: bytes.freeze() })
}

fn content(bytes: &[u8], says_mp4: bool) -> Content {
    const LISTS: [&[u8]; 3] = [b"#EXTM3U", b"<?xml", b"<MPD"];
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.is_empty() {
        Content::Nothing
    } else if LISTS
        .iter()
        .any(|list| text.starts_with(list.get(..text.len().min(list.len())).unwrap_or(list)))
    {
        Content::Playlist
    } else if says_mp4 || (bytes.len() >= ENOUGH && cmaf::may_begin(bytes)) {
        Content::Boxes
    } else if bytes.first() == Some(&SYNC) {
        Content::Stream
    } else {
        Content::Other
    }
}

/// Reads a playlist to its end: whether it says that its presentation is over.
pub(super) async fn is_over(first: Bytes, body: &mut Incoming) -> Result<bool, Said> {
    let mut text = BytesMut::from(&first[..]);
    let read = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken_off(&error))?;
            text.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
            if text.len() > PLAYLIST_LEN_MAX {
                return Err((StatusCode::PAYLOAD_TOO_LARGE, "a playlist of more than 4 MiB".to_string()));
            }
        }
        Ok(())
    };
    tokio::time::timeout(PLAYLIST_DEADLINE, read).await.map_err(|_| silent(PLAYLIST_DEADLINE))??;
    Ok(ends(&text))
}

/// `EXT-X-ENDLIST` (RFC 8216bis, 4.4.3.4), or an MPD that is no longer dynamic (ISO/IEC 23009-1, 5.3.1.2).
fn ends(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let of_hls = text.lines().any(|line| line.trim_end() == "#EXT-X-ENDLIST");
    let mpd = text.split_once("<MPD").and_then(|(_, rest)| rest.split_once('>')).map_or("", |(tag, _)| tag);
    of_hls || mpd.contains("type=\"static\"") || mpd.contains("type='static'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_comes() {
        for (bytes, says_mp4, expected) in [
            (&b""[..], false, Content::Nothing),
            (b"\0\0\0\x18ftypiso6", false, Content::Boxes),
            (b"\0\0\0\x18styp", false, Content::Boxes),
            (b"\0\0\0\x18prft\0", false, Content::Boxes),
            (b"rubbish!", true, Content::Boxes),
            (b"rubbish!", false, Content::Other),
            (b"G\x40\0\x10\0\0\0\0", false, Content::Stream),
            (b"\0\0", false, Content::Other),
            (b"G", false, Content::Stream),
            (b"#EXTM3U\n", false, Content::Playlist),
            (b"\xef\xbb\xbf<?xml", false, Content::Playlist),
            (b"<MPD xmlns", false, Content::Playlist),
        ] {
            assert_eq!(content(bytes, says_mp4), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_playlist_says_that_it_is_over() {
        for (text, over) in [
            ("#EXTM3U\n#EXTINF:2,\n1.m4s\n#EXT-X-ENDLIST\n", true),
            ("#EXTM3U\n#EXTINF:2,\n1.m4s\n", false),
            ("<?xml version=\"1.0\"?>\n<MPD type=\"static\" x=\"y\"><Period/></MPD>", true),
            ("<MPD type=\"dynamic\"><Event type=\"static\"/></MPD>", false),
        ] {
            assert_eq!(ends(text.as_bytes()), over, "{text}");
        }
    }
}
