//! The closed captions of the pictures, announced (RFC 8216bis, 4.4.6.1 and 4.4.6.2).

use alloc::string::String;
use core::fmt::{self, Write as _};

use crate::captions::{Captions, Instream};
use crate::state::{ChannelState, Rendition};

/// `GROUP-ID` of all of them.
const GROUP: &str = "captions";

/// What is told of a channel's.
pub(super) struct Told {
    all: Captions,
}

impl Told {
    pub(super) fn of(state: &ChannelState) -> Told {
        let mut all = Captions::default();
        for rendition in &state.renditions {
            all.add(rendition.captions);
        }
        Told { all }
    }

    /// `EXT-X-MEDIA`, one for each that was seen. Their languages are not in the pictures, so that only one, which is by custom
    /// in that of the programme, can be selected by itself: who selects could not tell them apart.
    pub(super) fn write_media(&self, text: &mut String) -> fmt::Result {
        for id in self.all.seen() {
            write!(text, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"{GROUP}\",NAME=\"{id}\"")?;
            let selected = if id == Instream::Line(1) { "YES" } else { "NO" };
            writeln!(text, ",DEFAULT=NO,AUTOSELECT={selected},INSTREAM-ID=\"{id}\"")?;
        }
        Ok(())
    }

    /// What a variant says. Never `NONE`: players read this once, and captions may still come; of an old recording nobody knows.
    pub(super) fn write_of(&self, text: &mut String, rendition: &Rendition) -> fmt::Result {
        if rendition.captions.seen().next().is_some() {
            write!(text, ",CLOSED-CAPTIONS=\"{GROUP}\"")
        } else {
            Ok(())
        }
    }
}
