//! An object on its way from a feed to the targets.

use railbird_core::id::ChannelId;
use railbird_core::package::Object;

/// An object that a feed made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The channel it belongs to.
    pub channel: ChannelId,
    /// The object.
    pub object: Object,
}

#[cfg(test)]
impl Made {
    pub(crate) fn segment_for_test(name: &str, bytes: Vec<u8>) -> Made {
        use railbird_core::package::Kind;
        use railbird_core::time::{MediaSpan, MediaTime};
        let (start, duration) = (MediaTime(0), MediaSpan::from_ms(2000));
        let kind = Kind::Segment { start, duration, discontinuity: false };
        let object = Object { name: name.to_string(), bytes: bytes.into(), kind };
        Made { channel: "t".parse().unwrap(), object }
    }
}
