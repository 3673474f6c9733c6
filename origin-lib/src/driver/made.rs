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
