//! Playlists of I-frames (RFC 8216bis, 4.4.3.6 and 4.4.6.3): the key frame with which each segment begins, for players that
//! show pictures while somebody looks for a place.
//!
//! A byte range of an encrypted segment can be decrypted by who widens it to whole blocks and one before (6.3.6), which neither
//! ffmpeg nor Shaka Player does: to both it is a broken message. So each key frame is an object, and the same keys open it.

use alloc::string::String;
use core::fmt::{self, Write as _};

use super::{Head, LIVE_ROOT, Run, delta};
use crate::id::{NodeId, RenditionId};
use crate::state::{ChannelState, Phase, Rendition};
use crate::time::MediaSpan;

/// `EXT-X-I-FRAME-STREAM-INF` of a rendition on a pathway, where its key frames are objects.
pub(super) fn write_variant(
    text: &mut String,
    rendition: &Rendition,
    node: &NodeId,
    query: &str,
) -> fmt::Result {
    if rendition.frames_bandwidth == 0 {
        return Ok(());
    }
    write!(text, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={}", rendition.frames_bandwidth)?;
    // That of the pictures comes first.
    write!(text, ",CODECS=\"{}\"", rendition.codecs.split(',').next().unwrap_or_default())?;
    if rendition.width > 0 && rendition.height > 0 {
        write!(text, ",RESOLUTION={}x{}", rendition.width, rendition.height)?;
    }
    if !rendition.range.is_sdr() {
        write!(text, ",VIDEO-RANGE={}", rendition.range.as_str())?;
    }
    writeln!(text, ",PATHWAY-ID=\"{node}\",URI=\"{node}/{}.frames.m3u8{query}\"", rendition.id)
}

/// The playlist of a rendition's key frames, each at the first node of `order` that has it; `skip` asks for a delta update. It
/// lists what the media playlist does, up to the first segment whose key frame may still come.
///
/// For a request to `/live/{channel}/{node}/{rendition}.frames.m3u8`. `None` where there is nothing to list.
pub fn frames(state: &ChannelState, rendition: &RenditionId, order: &[NodeId], skip: bool) -> Option<String> {
    let mut runs = [Run::of(state, rendition, order)?];
    let lacks_more = keep(&mut runs);
    let [mut run] = runs;
    let rendition = run.rendition;
    let all = run.segments;
    all.first()?;
    let ended = state.phase == Phase::Ended && !lacks_more;
    let mut left_out = 0;
    if skip && !ended {
        let boundary = delta::boundary(rendition.target_duration_s);
        left_out = all.len() - delta::kept(all.iter().rev(), MediaSpan::default(), boundary);
    }
    run.segments = all.get(left_out..).unwrap_or_default();
    let head = Head { frames: true, ..Head::live(rendition, ended, left_out) };
    let mut writer = head.writer(LIVE_ROOT, run.segments.len());
    let _ = writer.run(&run, false);
    Some(writer.end(ended))
}

/// Keeps of the runs what comes before the first segment whose key frame may still come; says whether there is one.
pub(super) fn keep(runs: &mut [Run<'_>]) -> bool {
    let mut lacks = false;
    for run in runs {
        run.frames = true;
        let known = run.segments.iter().take_while(|segment| !lacks && segment.frame.is_some()).count();
        lacks |= known < run.segments.len();
        run.segments = run.segments.get(..known).unwrap_or_default();
    }
    lacks
}
