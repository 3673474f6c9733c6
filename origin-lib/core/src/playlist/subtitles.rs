//! The score as a subtitles rendition (RFC 8216bis, 3.1.4 and 4.4.6.1), for players that show no score by themselves.
//!
//! Its segments are made at the edge of the score as it is known then ([`crate::score::cues`]); they have the boundaries,
//! numbers and discontinuities of the media. Nobody gets it without asking: a request for each segment costs.

use alloc::string::String;
use core::fmt::{self, Write as _};

use super::{Head, Run, delta};
use crate::object::{Form, Window};
use crate::state::{ChannelState, Phase};
use crate::time::MediaSpan;

/// `GROUP-ID` of the rendition.
pub(super) const GROUP: &str = "score";

/// About how long the lines of one segment are, in bytes.
const SEGMENT_LEN: usize = 64;

/// `EXT-X-MEDIA`, which belongs to every variant.
pub(super) fn write_media(text: &mut String, query: &str) -> fmt::Result {
    write!(text, "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"{GROUP}\",NAME=\"Score\",LANGUAGE=\"en\"")?;
    writeln!(text, ",DEFAULT=NO,AUTOSELECT=NO,FORCED=NO,URI=\"score.m3u8{query}\"")
}

/// The playlist of a live channel's score as subtitles; `skip` asks for a delta update.
///
/// For a request to `/live/{channel}/score.m3u8`. `None` where the channel has no scorer, or no segment.
pub fn subtitles(state: &ChannelState, skip: bool) -> Option<String> {
    state.score.as_ref()?;
    let rendition = state.renditions.first()?;
    let mut run = Run::of(state, &rendition.id, &[])?;
    let (all, ended) = (run.segments, state.phase == Phase::Ended);
    let boundary = delta::boundary(rendition.target_duration_s);
    let kept = delta::kept(all.iter().rev(), MediaSpan::default(), boundary);
    let left_out = if skip && !ended { all.len() - kept } else { 0 };
    run.segments = all.get(left_out..).unwrap_or_default();
    let head = Head::live(rendition, ended, left_out);
    let mut writer = Writer::new(&head, run.segments.len(), String::new());
    let _ = writer.run(&run, false);
    Some(writer.end(ended))
}

/// Writes runs behind one another.
pub(super) struct Writer {
    text: String,
    query: String,
    begun: bool,
    behind_others: bool,
}

impl Writer {
    /// What writes so many segments behind a head; `query` is what each of them is asked with.
    pub(super) fn new(head: &Head, segments: usize, query: String) -> Writer {
        let mut text = String::with_capacity(SEGMENT_LEN * (segments + 4));
        let _ = head.write(&mut text);
        Writer { text, query, begun: false, behind_others: head.left_out > 0 }
    }

    /// A run; `hole` says that it does not follow from the one before.
    pub(super) fn run(&mut self, run: &Run<'_>, hole: bool) -> fmt::Result {
        for (at, segment) in run.segments.iter().enumerate() {
            let discontinuity = segment.discontinuity || (hole && at == 0);
            if discontinuity && (self.begun || self.behind_others) {
                writeln!(self.text, "#EXT-X-DISCONTINUITY")?;
            }
            if discontinuity || !self.begun {
                writeln!(self.text, "#EXT-X-PROGRAM-DATE-TIME:{}", segment.start)?;
            }
            self.begun = true;
            write!(self.text, "#EXTINF:{},\nscore/", segment.duration.decimal_seconds(5))?;
            let (start, span) = (segment.start, segment.duration);
            Window { start, span, form: Form::Cues }.write(&mut self.text)?;
            writeln!(self.text, "{}", self.query)?;
        }
        Ok(())
    }

    pub(super) fn end(mut self, ended: bool) -> String {
        if ended {
            self.text.push_str("#EXT-X-ENDLIST\n");
        }
        self.text
    }
}
