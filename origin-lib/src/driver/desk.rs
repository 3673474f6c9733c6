//! One task that owns every channel's book.

use std::collections::BTreeMap;
use std::time::Duration;

use railbird_core::id::ChannelId;
use railbird_core::package::Kind;
use railbird_core::publish::Book;
use railbird_core::state::{ChannelState, Phase};
use tokio::sync::mpsc;

use super::Made;
use crate::clock;
use crate::spool::Stored;

/// How many messages may wait for the desk. Senders that must not wait (ingests) send few and small ones.
const WAITING_MAX: usize = 4096;

/// How often the desk makes snapshots of what changed: many acknowledgements then cost one, and a viewer waits for it
/// no longer than this.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Something that the desk must know.
#[derive(Debug)]
pub enum Message {
    /// An object is on the disk.
    Stored(Stored),
    /// An object could not be written to the disk, so no target will get it.
    Lost(Made),
    /// The target of node `node` has acknowledged an object.
    Acked {
        /// The object's channel.
        channel: ChannelId,
        /// The target's position, which is its node's.
        node: usize,
        /// The object's name.
        name: String,
    },
    /// Whether the origin can write to, and read from, a node.
    NodeUp {
        /// The node's position.
        node: usize,
        /// Whether it can.
        up: bool,
    },
    /// Answers once everything before it has been handled and published.
    Settled(tokio::sync::oneshot::Sender<()>),
    /// A channel's feed began or ended.
    Phase {
        /// The channel.
        channel: ChannelId,
        /// Where it stands now.
        phase: Phase,
    },
}

/// Where messages for the desk go.
pub type Sender = mpsc::Sender<Message>;

/// The books, and where what follows from them goes.
pub struct Desk<E, P> {
    books: BTreeMap<ChannelId, Book>,
    receiver: mpsc::Receiver<Message>,
    enqueue: E,
    publish: P,
}

impl<E: FnMut(&Stored), P: Fn(ChannelState)> Desk<E, P> {
    /// A desk for these channels. `enqueue` hands an object to every target and must not wait; `publish` takes each new
    /// snapshot and must not wait either.
    pub fn new(books: BTreeMap<ChannelId, Book>, enqueue: E, publish: P) -> (Desk<E, P>, Sender) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Desk { books, receiver, enqueue, publish }, sender)
    }

    /// Works until every sender is gone.
    pub async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = self.receiver.recv() => match message {
                    Some(message) => self.handle(message),
                    None => return,
                },
                _ = look.tick() => self.look(),
            }
        }
    }

    fn look(&mut self) {
        let now = clock::now();
        for book in self.books.values_mut() {
            if let Some(state) = book.poll(now) {
                (self.publish)(state);
            }
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Stored(stored) => {
                // First the book, so that an acknowledgement finds its object there.
                self.enter(&stored.made);
                (self.enqueue)(&stored);
            }
            Message::Lost(made) => self.enter(&made),
            Message::Acked { channel, node, name } => {
                if let Some(book) = self.books.get_mut(&channel) {
                    book.ack(node, &name, clock::now());
                }
            }
            Message::NodeUp { node, up } => self.books.values_mut().for_each(|book| book.set_up(node, up)),
            Message::Settled(answer) => {
                self.look();
                // Whoever asked may have given up.
                let _ = answer.send(());
            }
            Message::Phase { channel, phase } => {
                if let Some(book) = self.books.get_mut(&channel) {
                    book.set_phase(phase);
                }
            }
        }
    }

    fn enter(&mut self, made: &Made) {
        let Some(book) = self.books.get_mut(&made.channel) else { return };
        match &made.object.kind {
            Kind::Init(init) => book.init(init.clone()),
            Kind::Segment { start, duration, discontinuity } => {
                if book.is_too_long(*duration) {
                    let (channel, ms) = (&made.channel, duration.ms());
                    tracing::warn!(%channel, ms, "a segment is longer than EXT-X-TARGETDURATION promises, and some players stop at that: set the encoder's key frame interval as it was");
                }
                let len = made.object.bytes.len();
                book.segment(*start, *duration, *discontinuity, len, clock::now());
            }
        }
    }
}
