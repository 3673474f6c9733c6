//! The score as an ID3 tag, for players that know nothing else (ID3v2.4.0, 3.1 and 4.2.6).

use alloc::vec::Vec;

use serde::Serialize;

use super::document::{Document, Entry};
use super::model::State;
use crate::id::MatchId;

/// The longest tag, in bytes: some players drop longer ones.
pub const TAG_LEN_MAX: usize = 1_000;

/// What the tag's text is called. It is the JSON of a match, an event's number, and the score after it.
pub const DESCRIPTION: &str = "railbird.score";

#[derive(Serialize)]
struct Snapshot<'a> {
    #[serde(rename = "match")]
    match_id: &'a MatchId,
    seq: u64,
    state: &'a State,
}

impl Document {
    /// The score of one of its entries as a tag; `None` where it is longer than [`TAG_LEN_MAX`].
    pub fn tag(&self, entry: &Entry) -> Option<Vec<u8>> {
        let snapshot = Snapshot { match_id: &self.match_id, seq: entry.seq, state: &entry.state };
        let json = serde_json::to_vec(&snapshot).ok()?;
        // Encoding 3 is UTF-8.
        let mut text = Vec::from([3]);
        text.extend_from_slice(DESCRIPTION.as_bytes());
        text.push(0);
        text.extend_from_slice(&json);
        let mut frame = Vec::from(*b"TXXX");
        frame.extend_from_slice(&synchsafe(text.len())?);
        frame.extend_from_slice(&[0, 0]);
        frame.extend_from_slice(&text);
        let mut tag = Vec::from(*b"ID3\x04\x00\x00");
        tag.extend_from_slice(&synchsafe(frame.len())?);
        tag.extend_from_slice(&frame);
        (tag.len() <= TAG_LEN_MAX).then_some(tag)
    }
}

/// A size in four bytes of seven bits (ID3v2.4.0, 6.2).
fn synchsafe(len: usize) -> Option<[u8; 4]> {
    let len = u32::try_from(len).ok().filter(|len| *len < 1 << 28)?;
    Some([21, 14, 7, 0].map(|shift| (len >> shift & 0x7f) as u8))
}
