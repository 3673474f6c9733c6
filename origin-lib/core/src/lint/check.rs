//! What has to hold within one media playlist.

mod head;
mod metadata;
mod parts;
mod segments;

pub(super) use self::head::version;
use super::media::Media;
use super::rule::Findings;

pub(super) fn media(media: &Media, found: &mut Findings) {
    head::check(media, found);
    segments::check(media, found);
    parts::check(media, found);
    metadata::check(media, found);
}
