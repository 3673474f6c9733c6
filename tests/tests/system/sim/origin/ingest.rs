//! What its feeds bring, and what its programme makes of it.

use railbird_core::media::{FeedEvent, Role};
use railbird_core::package::Kind;
use railbird_core::programme::{AnchorFrom, End, Output, Publish};
use railbird_core::recording::Record;
use railbird_core::state::Phase;
use railbird_core::timeline::Anchor;

use super::{Around, Event, Origin};

impl Origin {
    /// Whether something is open that a feed may go on with that was lost, or is about to be.
    pub(in crate::sim) fn may_go_on(&self, now: u64) -> bool {
        self.run.as_ref().filter(|_| self.stopping.is_none()).is_some_and(|run| {
            match run.programme.deadline() {
                Some(due) => due > now,
                None => run.programme.used().is_some(),
            }
        })
    }

    pub(in crate::sim) fn begin(
        &mut self,
        role: Role,
        events: [FeedEvent; 2],
        around: &mut Around<'_>,
    ) -> Option<Publish> {
        let moment = self.moment(around.now);
        let run = self.run.as_mut().filter(|_| self.stopping.is_none())?;
        let publish = run.programme.begin(role, moment);
        run.publishes.push(publish);
        for event in events {
            run.programme.handle(publish, event, moment);
        }
        self.collect(around);
        Some(publish)
    }

    pub(in crate::sim) fn feed(&mut self, publish: Publish, event: FeedEvent, around: &mut Around<'_>) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        // The other origin of a pair may have promised something else, and must cut the same.
        let promised = self.plan.promise.target_s().filter(|_| !self.settings.ask);
        run.programme.set_target(promised.or(self.plan.target_s));
        run.programme.handle(publish, event, moment);
        self.collect(around);
    }

    pub(in crate::sim) fn end(&mut self, publish: Publish, end: End, around: &mut Around<'_>) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        run.programme.end(publish, end, moment);
        self.collect(around);
    }

    pub(in crate::sim) fn answer(
        &mut self,
        publish: Publish,
        anchor: Option<Anchor>,
        around: &mut Around<'_>,
    ) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        let anchor = anchor.map(|anchor| (anchor, AnchorFrom::Others));
        run.programme.answer(publish, anchor, moment);
        self.collect(around);
    }

    /// Time passes.
    pub(in crate::sim) fn tick(&mut self, around: &mut Around<'_>) {
        let moment = self.moment(around.now);
        let Some(run) = &mut self.run else { return };
        run.ticks = false;
        run.programme.tick(moment);
        self.collect(around);
    }

    /// Takes over what the programme made.
    pub(in crate::sim) fn collect(&mut self, around: &mut Around<'_>) {
        let (at, life) = (self.at, self.life);
        let (mut parts, mut whole) = (Vec::new(), Vec::new());
        let Some(run) = &mut self.run else { return };
        while let Some(output) = run.programme.poll() {
            match output {
                Output::Object(object) => match &object.kind {
                    Kind::Part(part) => {
                        run.pieces.entry(part.of).or_default().push(object.bytes.clone());
                        parts.push(object);
                    }
                    Kind::Segment { start, .. } => {
                        if let Some(pieces) = run.pieces.remove(start) {
                            whole.push((*start, object.bytes.clone(), pieces));
                        } else if self.settings.package.part_ms.is_some() {
                            self.wrong = Some(format!("{} has no parts", object.name));
                        }
                        self.disk.write(object, at, life, around);
                    }
                    Kind::Init(_) | Kind::FramesInit(_) | Kind::Frame(_) | Kind::Rung(..) => {
                        self.disk.write(object, at, life, around)
                    }
                },
                Output::Passed(passed) => self.used.push(passed),
                Output::Anchored { role, anchor, .. } => {
                    if run.shelf.is_some() {
                        let (feed, Anchor { feed_ms, utc }) = (role.as_str().to_string(), anchor);
                        self.disk.note(Record::Anchor { feed, feed_ms, utc }, at, life, around);
                    }
                }
                Output::Cut(_) | Output::Lost(..) => {}
                Output::Ask { publish, role, feed_ms, arrived } => {
                    let mine = Anchor { feed_ms, utc: arrived };
                    around.soon.ask(at, life, publish, role, mine, around.rng);
                }
                Output::Note(_) => {}
            }
        }
        if let Some(due) = run.programme.deadline().filter(|_| !run.ticks) {
            run.ticks = true;
            around.soon.after(due.saturating_sub(around.now), Event::Tick { origin: at, life });
        }
        let phase = if run.programme.is_live() { Phase::Live } else { Phase::Waiting };
        if let Some(shelf) = &mut run.shelf {
            shelf.book.set_phase(phase);
        }
        for (start, segment, pieces) in whole {
            self.wrong = self.wrong.take().or(self.is_made_up(start, &segment, &pieces).err());
        }
        parts.into_iter().for_each(|part| self.part(part, around));
    }
}
