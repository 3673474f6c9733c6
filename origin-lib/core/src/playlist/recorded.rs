//! Playlists of a recording: all of it, as far as somebody has come in it, or a clip.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Head, REPLAY_ROOT, Run, VERSION, delta, frames, ranges, splices, subtitles, write_multivariant};
use crate::id::{NodeId, RenditionId};
use crate::score::Range;
use crate::state::merge::joins;
use crate::state::{ChannelState, Segment};
use crate::time::{MediaSpan, MediaTime, UtcMs};

/// Which stretch of a recording is listed; all of it by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Nothing that starts at this moment or later. Where more follows, the playlist goes on, as if it were being made.
    pub until: Option<UtcMs>,
    /// A clip: only what lies, at least in part, between the one moment and the other. It ends once all of that is recorded.
    pub clip: Option<(UtcMs, UtcMs)>,
}

impl Stretch {
    /// As the query of a request, with its question mark; empty for all of a recording.
    pub fn query(&self) -> String {
        match (self.until, self.clip) {
            (None, None) => String::new(),
            (Some(until), None) => format!("?until={}", until.0),
            (None, Some((from, to))) => format!("?from={}&to={}", from.0, to.0),
            (Some(until), Some((from, to))) => format!("?from={}&to={}&until={}", from.0, to.0, until.0),
        }
    }

    /// Those of the segments, which are a playlist's in a row, that are listed.
    fn cut<'a>(&self, mut segments: &'a [Segment]) -> &'a [Segment] {
        if let Some(until) = self.until {
            let end = segments.iter().position(|segment| segment.start >= until.media());
            segments = segments.get(..end.unwrap_or(segments.len())).unwrap_or_default();
        }
        if let Some((from, to)) = self.clip {
            let begin = segments.iter().position(|segment| segment.end() > from.media());
            // Or earlier, where nobody can begin with it.
            let before = begin.and_then(|begin| segments.get(..=begin));
            let begin = before.and_then(|before| before.iter().rposition(|of| !of.dependent)).or(begin);
            segments = segments.get(begin.unwrap_or(segments.len())..).unwrap_or_default();
            let end = segments.iter().position(|segment| segment.start >= to.media());
            segments = segments.get(..end.unwrap_or(segments.len())).unwrap_or_default();
        }
        segments
    }
}

/// A recording, of which playlists are made.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// Its chapters in order.
    pub chapters: &'a [ChannelState],
    /// The channel's state where the recording is still being made: what it has behind the last chapter is listed, if it
    /// follows without a hole.
    pub live: Option<&'a ChannelState>,
    /// Nothing will follow.
    pub ended: bool,
    /// What the score says of stretches of it, by where they begin.
    pub ranges: &'a [Range],
    /// What of it is listed.
    pub stretch: Stretch,
}

impl<'a> Recorded<'a> {
    /// The multivariant playlist, made of `state`, which is any chapter, or what is live; `score` says whether there are
    /// subtitles.
    ///
    /// For a request to `/replay/{channel}/{recording}/main.m3u8`, whose stretch it hands on.
    pub fn multivariant(state: &ChannelState, order: &[NodeId], score: bool, stretch: &Stretch) -> String {
        let (mut text, query) = (String::new(), stretch.query());
        // Writing to a String can't fail.
        let _ = write_multivariant(&mut text, state, order, REPLAY_ROOT, score.then_some(&*query), &query);
        text
    }

    /// The media playlist of a rendition, as [`super::media`] would list each chapter. It is a `VOD` playlist with its end
    /// where nothing will follow, else an `EVENT` playlist to which segments are only ever appended, and of which `skip` asks
    /// for a delta update.
    ///
    /// For a request to `/replay/{channel}/{recording}/{node}/{rendition}.m3u8`. `None` where there is no segment.
    pub fn media(&self, rendition: &RenditionId, order: &[NodeId], skip: bool) -> Option<String> {
        self.media_of(rendition, order, skip, false)
    }

    /// The playlist of the key frames of a rendition's segments, of the same stretch.
    ///
    /// For a request to `/replay/{channel}/{recording}/{node}/{rendition}.frames.m3u8`. `None` where there is none.
    pub fn frames(&self, rendition: &RenditionId, order: &[NodeId], skip: bool) -> Option<String> {
        self.media_of(rendition, order, skip, true)
    }

    fn media_of(
        &self,
        rendition: &RenditionId,
        order: &[NodeId],
        skip: bool,
        frames: bool,
    ) -> Option<String> {
        let mut listed = self.listed(Some(rendition), order, frames)?;
        let head = listed.head(skip, frames);
        let mut writer = head.writer(REPLAY_ROOT, listed.segments - head.left_out);
        let until = self.stretch.until.map(UtcMs::media);
        let _ = ranges::write(&mut writer.text, self.ranges, listed.from, listed.to, until);
        let states = self.chapters.iter().chain(self.live);
        let splices = states.flat_map(|state| &state.splices);
        let to = until.map_or(listed.to, |until| until.min(listed.to));
        let _ = splices::write(&mut writer.text, splices, (listed.from, to), to);
        listed.walk(head.left_out, |run, hole| _ = writer.run(run, hole));
        Some(writer.end(listed.ended))
    }

    /// The playlist of the score as subtitles, with the boundaries of the media.
    ///
    /// For a request to `/replay/{channel}/{recording}/score.m3u8`. `None` where there is no segment.
    pub fn subtitles(&self, skip: bool) -> Option<String> {
        let mut listed = self.listed(None, &[], false)?;
        let head = listed.head(skip, false);
        let mut writer = subtitles::Writer::new(&head, listed.segments - head.left_out, self.stretch.query());
        listed.walk(head.left_out, |run, hole| _ = writer.run(run, hole));
        Some(writer.end(listed.ended))
    }

    /// What is listed of a rendition, or of the first one.
    fn listed(&self, rendition: Option<&RenditionId>, order: &[NodeId], frames: bool) -> Option<Listed<'a>> {
        let of = |state: &'a ChannelState| {
            let rendition = rendition.or(state.renditions.first().map(|first| &first.id))?;
            Run::of(state, rendition, order)
        };
        let mut runs: Vec<Run<'a>> = self.chapters.iter().filter_map(of).collect();
        let live = self.live.and_then(of);
        // It must not change while segments are appended: what is live keeps its own for the whole recording.
        let target = |run: &Run<'_>| run.rendition.target_duration_s;
        let steady = live.as_ref().filter(|_| !self.ended).map(target);
        let target_s = steady.or(runs.iter().chain(&live).map(target).max())?;
        if let Some(mut tail) = live {
            let last = runs.last().and_then(|run| run.segments.last());
            tail.segments = behind(last, tail.segments);
            runs.extend(Some(tail).filter(|tail| !tail.segments.is_empty()));
        }
        let lacks_frames = frames && frames::keep(&mut runs);
        let mut until_more = false;
        let mut known_to = MediaTime(0);
        let (mut last, mut stretches): (Option<&Segment>, Vec<(Run<'a>, bool)>) = (None, Vec::new());
        for mut run in runs {
            let all = run.segments;
            let hole = last.zip(all.first()).is_some_and(|(last, first)| !joins(last, first));
            last = all.last();
            run.segments = if until_more { &[] } else { self.stretch.cut(all) };
            let is_beyond =
                |segment: &&Segment| self.stretch.until.is_some_and(|until| segment.start >= until.media());
            known_to = all.iter().rev().find(|segment| !is_beyond(segment)).map_or(known_to, Segment::end);
            until_more |= all.iter().any(|segment| is_beyond(&segment));
            if !run.segments.is_empty() {
                stretches.push((run, hole));
            }
        }
        let from = stretches.first()?.0.segments.first()?.start;
        let to = stretches.last()?.0.segments.last()?.end();
        let segments = stretches.iter().map(|(run, _)| run.segments.len()).sum();
        let is_whole = self.stretch.clip.is_some_and(|(_, to)| known_to >= to.media());
        let ended = !lacks_frames && (is_whole || (self.ended && !until_more));
        Some(Listed { runs: stretches, segments, target_s, from, to, ended })
    }
}

/// What a playlist lists.
struct Listed<'a> {
    /// Each with whether it does not follow from the one before.
    runs: Vec<(Run<'a>, bool)>,
    segments: usize,
    target_s: u32,
    /// Where the first segment starts, and the last one ends.
    from: MediaTime,
    to: MediaTime,
    ended: bool,
}

impl<'a> Listed<'a> {
    fn head(&self, skip: bool, frames: bool) -> Head {
        let mut left_out = 0;
        if skip && !self.ended {
            let newest_first = self.runs.iter().rev().flat_map(|(run, _)| run.segments.iter().rev());
            left_out = self.segments
                - delta::kept(newest_first, MediaSpan::default(), delta::boundary(self.target_s));
        }
        Head {
            version: if left_out > 0 { delta::VERSION } else { VERSION },
            target_s: self.target_s,
            kind: if self.ended { "#EXT-X-PLAYLIST-TYPE:VOD\n" } else { "#EXT-X-PLAYLIST-TYPE:EVENT\n" },
            first_msn: 0,
            discontinuity_sequence: 0,
            frames,
            part_ms: None,
            grows: !self.ended,
            left_out,
        }
    }

    /// Each run without the first `left_out` segments, and whether there is a hole before it.
    fn walk(&mut self, mut left_out: usize, mut take: impl FnMut(&Run<'a>, bool)) {
        for (run, hole) in &mut self.runs {
            let before = left_out.min(run.segments.len());
            left_out -= before;
            run.segments = run.segments.get(before..).unwrap_or_default();
            take(run, *hole && before == 0);
        }
    }
}

/// What of a live window follows `last`; nothing where there is a hole between, since a later chapter will fill it.
fn behind<'a>(last: Option<&Segment>, window: &'a [Segment]) -> &'a [Segment] {
    let Some(last) = last else { return window };
    let next = window.partition_point(|segment| segment.start.utc() <= last.start.utc());
    let rest = window.get(next..).unwrap_or_default();
    let known = next > 0;
    if known || rest.first().is_some_and(|first| joins(last, first)) { rest } else { &[] }
}
