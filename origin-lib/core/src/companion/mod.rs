//! A rendition whose pictures come by feeds of their own, beside those of the source: an encoder that sends each quality as a
//! publish of its own.
//!
//! It is a rung ([`crate::ladder`]): cut where the source is, with the source's sound, under the same numbers. Its feed has a
//! clock of its own, and a key frame of it belongs to the cut of the source next to which it lies: where both encoders say
//! when they captured what they send, by that; else by their timestamps, where both count on one clock: where that says about
//! the same as when they arrive, or both clocks tell the time; else by when they arrive, up to [`NEAR_MS`] away. From there on
//! its pictures are on the source's timeline, and each further key frame has to be on a cut again. Where none is, the rung has
//! a hole, and after [`UNMATCHED_MAX`] of them its place is looked for anew; so it is where key frames creep away from the cuts,
//! and after one hole where the source's own feed was replaced.
//!
//! Like the source, it may have a primary and a backup feed: a segment is of the one of the same role as the source's, where it
//! has it whole, else of the other one. Nothing of all this touches the source, which is only looked at: whatever such a
//! feed brings, or does not bring, costs nothing but this rendition.

mod feed;
mod lag;
mod source;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;

use feed::{Feed, Item};
use source::Source;

use crate::ladder::{self, Assembler};
use crate::media::{Captured, Cut, FeedEvent, Role};
use crate::package::{self, Object};
use crate::programme::{End, Publish};
use crate::time::{MediaTime, Moment};
use crate::timeline::{self, Anchor};

/// So far from a cut of the source a key frame may lie by its arrival and belong there, in milliseconds. So much its picture
/// may be early or late, at the most, where nothing else tells: about as much as sound may be beside a picture before people mind.
pub const NEAR_MS: u64 = 200;

/// After so many cuts in a row without a key frame, a feed's place is looked for anew.
pub const UNMATCHED_MAX: usize = 3;

/// The most bytes of a feed that wait for the source's cuts.
pub const HELD_LEN_MAX: usize = 32 << 20;

/// The most pictures of a feed that wait for the source's cuts.
pub const HELD_SAMPLES_MAX: usize = 8192;

/// The longest that pictures wait for the source's cuts, in milliseconds of their own time.
pub const HELD_MS_MAX: u64 = 60_000;

/// From what a feed's place on media time was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// From when the encoders say that they captured it.
    Capture,
    /// From its timestamps, which are on the source's clock.
    Clock,
    /// From when it arrives.
    Arrival,
}

/// How a feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not published.
    Away,
    /// Nothing is known of it yet.
    New,
    /// It is published, and no picture comes.
    Silent,
    /// Its pictures are used where the source is cut.
    Aligned(By),
    /// Its key frames are not where the source's are.
    Apart,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An object.
    Object(Object),
    /// There will be nothing in the place of the source's segment that starts here.
    Lost(MediaTime),
    /// Something that the crew should read in the log: how a feed stands from now on.
    Stands(Role, Standing),
}

/// One such rendition.
#[derive(Debug)]
pub struct Companion {
    assembler: Assembler,
    source: Source,
    feeds: [Option<Feed>; 2],
    /// Of these, the publish has ended.
    ended: [bool; 2],
    /// The source's feed that is in use, or was last.
    used: Option<Role>,
    stall_ms: u64,
    publishes: u64,
    outputs: VecDeque<Output>,
}

/// The place of what belongs to a role.
fn slot(role: Role) -> usize {
    match role {
        Role::Primary => 0,
        Role::Backup => 1,
    }
}

impl Companion {
    /// The rendition that `settings` name. A feed without a picture for `stall_ms` is not waited for.
    pub fn new(settings: package::Settings, stall_ms: u64) -> Companion {
        Companion {
            assembler: Assembler::new(settings).with_encoders(Role::ALL.len()),
            source: Source::default(),
            feeds: [None, None],
            ended: [true; 2],
            used: None,
            stall_ms,
            publishes: 0,
            outputs: VecDeque::new(),
        }
    }

    /// A feed of the source has this anchor from now on.
    pub fn source_anchored(&mut self, role: Role, anchor: Anchor) {
        // Where one that is not in use has its key frames, nothing is cut.
        if self.source.anchored(role, anchor) && self.used.is_none_or(|used| used == role) {
            self.doubt();
        }
    }

    /// The source's feed of this role is in use from now on, in the place of another one.
    pub fn source_switched(&mut self, to: Role) {
        self.used = Some(to);
        self.doubt();
    }

    /// The source may be cut elsewhere from now on.
    fn doubt(&mut self) {
        let reached = self.source.reached().unwrap_or_default();
        self.feeds.iter_mut().flatten().for_each(|feed| feed.doubt(reached));
    }

    /// A picture of a feed of the source came, which is shown at this timestamp of it.
    pub fn source_arrived(&mut self, role: Role, feed_ms: i64, now: Moment) {
        self.source.arrived(role, feed_ms, now);
    }

    /// A feed of the source says when it captured something.
    pub fn source_captured(&mut self, role: Role, captured: Captured) {
        if captured.by_encoder {
            self.source.captured(role, captured);
        }
    }

    /// The source was cut, while its feed of this role was in use; `None`: the one before, which has ended.
    pub fn source_cut(&mut self, cut: &Cut, used: Option<Role>, now: Moment) {
        let end = MediaTime(cut.start.0.saturating_add(u64::from(cut.duration)));
        self.source.cut(cut.start, end);
        if let Some(used) = used {
            self.used = Some(used);
            self.assembler.prefer(slot(used));
        }
        for role in Role::ALL {
            self.pump(role, now);
            let silent =
                self.feeds[slot(role)].as_ref().is_some_and(|feed| feed.silent_ms(now) >= self.stall_ms);
            if silent || self.ended[slot(role)] {
                self.assembler.pause_of(slot(role));
            }
            if self.ended[slot(role)] {
                self.feeds[slot(role)].take_if(|feed| !feed.is_of_use(now));
            }
        }
        self.assembler.cut(cut);
        self.collect();
    }

    /// A feed of this role is published from now on, in the place of one that may still be.
    pub fn begin(&mut self, role: Role, now: Moment) -> Publish {
        self.publishes += 1;
        let publish = Publish(self.publishes);
        self.assembler.pause_of(slot(role));
        (self.feeds[slot(role)], self.ended[slot(role)]) = (Some(Feed::new(publish, now)), false);
        self.collect();
        publish
    }

    /// Takes what a demultiplexer told of a publish, at the time when it arrived.
    pub fn handle(&mut self, publish: Publish, event: FeedEvent, now: Moment) {
        let Some(role) = self.role_of(publish) else { return };
        if let Some(feed) = &mut self.feeds[slot(role)] {
            feed.handle(event, now);
        }
        self.pump(role, now);
        self.collect();
    }

    /// A publish is over, in this way.
    pub fn end(&mut self, publish: Publish, end: End, now: Moment) {
        let Some(role) = self.role_of(publish) else { return };
        if let Some(feed) = self.feeds[slot(role)].as_mut().filter(|_| end == End::InOrder) {
            feed.finish(now);
        }
        self.pump(role, now);
        self.ended[slot(role)] = true;
        self.assembler.pause_of(slot(role));
        self.collect();
    }

    /// What was cut is waited for no longer: the source ends.
    pub fn give_up(&mut self) {
        self.assembler.give_up();
        self.collect();
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How a feed is.
    pub fn standing(&self, role: Role, now: Moment) -> Standing {
        let feed = self.feeds[slot(role)].as_ref().filter(|_| !self.ended[slot(role)]);
        match feed {
            None => Standing::Away,
            Some(feed) if feed.silent_ms(now) >= self.stall_ms => Standing::Silent,
            Some(feed) if feed.is_apart => Standing::Apart,
            Some(feed) => feed.by().map_or(Standing::New, Standing::Aligned),
        }
    }

    /// Where this timestamp of a feed lies, as far as is known.
    pub fn media(&self, publish: Publish, feed_ms: i64, now: Moment) -> Option<MediaTime> {
        let role = self.role_of(publish)?;
        self.feeds[slot(role)].as_ref()?.media(feed_ms, &self.source, role, now)
    }

    /// What a publish that goes on left out so far.
    pub fn counts(&self, publish: Publish) -> timeline::Counts {
        let feed = self.role_of(publish).and_then(|role| self.feeds[slot(role)].as_ref());
        feed.map(Feed::counts).unwrap_or_default()
    }

    fn role_of(&self, publish: Publish) -> Option<Role> {
        Role::ALL.into_iter().find(|role| {
            let feed = self.feeds[slot(*role)].as_ref().filter(|_| !self.ended[slot(*role)]);
            feed.is_some_and(|feed| feed.publish == publish)
        })
    }

    /// Takes on what is known of a feed by now.
    fn pump(&mut self, role: Role, now: Moment) {
        let encoder = slot(role);
        let Some(feed) = &mut self.feeds[encoder] else { return };
        feed.settle(&self.source, role, now);
        while let Some(item) = feed.items.pop_front() {
            match item {
                Item::Video(config) => self.assembler.video_of(encoder, config),
                Item::Picture(sample) => {
                    if !self.assembler.runs_of(encoder) {
                        self.assembler.begin_of(encoder);
                    }
                    self.assembler.picture_of(encoder, sample);
                }
                Item::Aligned(by) => {
                    self.outputs.push_back(Output::Stands(role, Standing::Aligned(by)));
                }
                Item::Loose => self.assembler.pause_of(encoder),
                Item::Apart => {
                    self.outputs.push_back(Output::Stands(role, Standing::Apart));
                }
            }
        }
    }

    fn collect(&mut self) {
        while let Some(output) = self.assembler.poll() {
            self.outputs.push_back(match output {
                ladder::Output::Object(object) => Output::Object(object),
                ladder::Output::Lost(start) => Output::Lost(start),
            });
        }
    }
}
