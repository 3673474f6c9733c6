//! Who follows one media playlist from load to load, as a player does.

use alloc::vec::Vec;

use super::media::Media;
use super::rule::Finding;
use super::{Place, Playlist, delta, read, transition};

/// What is known of one media playlist.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    last: Option<Media>,
}

impl Follower {
    /// The playlist as it was loaded last, with delta updates in place.
    pub fn last(&self) -> Option<&Media> {
        self.last.as_ref()
    }

    /// Takes a load, whole or a delta update, and says what is wrong with it and with the step to it.
    pub fn load(&mut self, bytes: &[u8], place: &Place<'_>) -> Vec<Finding> {
        let reading = read(bytes, place);
        let mut findings = reading.findings;
        let Some(media) = reading.playlist.and_then(Playlist::media) else { return findings };
        let whole = match &self.last {
            Some(last) => delta::apply(last, &media),
            None => delta::apply(&Media::default(), &media),
        };
        match whole {
            Ok(whole) => {
                if let Some(last) = &self.last {
                    findings.extend(transition::check(last, &whole));
                }
                self.last = Some(whole);
            }
            // Nothing can be put together any more: the next load has to be whole.
            Err(finding) => {
                self.last = None;
                findings.push(finding);
            }
        }
        findings
    }
}
