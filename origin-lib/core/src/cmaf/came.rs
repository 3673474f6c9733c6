//! What comes of a track, on its way to its place.

use alloc::sync::Arc;

use bytes::Bytes;

use super::header::Header;
use super::order::Ordered;
use crate::media::FeedEvent;

/// What has no data takes room, too, in bytes.
pub(super) const ROOM: usize = 128;

/// A sample whose media is on its way. Times are in its track's timescale, its edit list applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coming {
    pub(super) dts: i128,
    pub(super) cts: i32,
    /// Where it ends, in decoding time.
    pub(super) end: i128,
}

/// What comes of a track, and since when it waits.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) since: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Before the samples of its fragment; at this decoding time in milliseconds.
    Event(i64, FeedEvent),
    Sample {
        /// When it is decoded and where that ends, in 1/90000 s.
        span: (i64, i64),
        sample: Sample,
    },
}

impl Ordered for Came {
    fn span(&self) -> Option<(i64, i64)> {
        match &self.what {
            What::Event(..) => None,
            What::Sample { span, .. } => Some(*span),
        }
    }

    fn len(&self) -> usize {
        match &self.what {
            What::Event(..) => ROOM,
            What::Sample { sample, .. } => sample.data.len() + ROOM,
        }
    }
}

/// A sample whose media has come.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) coming: Coming,
    pub(super) data: Bytes,
    /// What it is read with, and which version of that it is.
    pub(super) header: Arc<Header>,
    pub(super) version: u64,
}

/// A fragment has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The number under which the lane knows it; `None` if nothing of it is awaited.
    pub(super) id: Option<u64>,
    /// Its first decoding time.
    pub(super) start: u64,
    /// Up to where its samples are not wanted.
    pub(super) from: Option<i64>,
}
