//! What the edge needs of its host: a store, and for each request the time and some randomness.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::pin;

use futures::future::{Either, select};
use hmac::Mac;
use railbird_core::time::UtcMs;

use crate::change::Change;
use crate::token;

/// The time and the randomness of one request, read by the adapter.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Wall clock.
    pub now: UtcMs,
    /// Fresh from the host's cryptographic generator.
    pub entropy: [u8; 32],
}

impl Moment {
    /// Randomness for one purpose, and of no use for anything else that is made of the same moment.
    pub(crate) fn draw(&self, purpose: &str) -> [u8; 32] {
        token::hmac(&self.entropy).chain_update(purpose).finalize().into_bytes().into()
    }
}

/// What kind of thing a [`Cell`] holds. A host may keep each kind where it serves it best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The event, as each origin announced it: key `event`. Which channels origins spoke of besides: key `told`.
    Event,
    /// A channel's state, merged of what its origins say, by channel.
    Channel,
    /// A channel's recordings, as each origin lists them, by channel.
    Replays,
    /// A chapter of a recording, by the hexadecimal SHA-256 of channel, origin, recording and number.
    Chapter,
    /// A channel's score, by channel.
    Score,
    /// The score of a match, by the hexadecimal SHA-256 of channel and match, and what playlists say of it, by that of both and
    /// `outline`.
    Match,
    /// A pass, by its id.
    Pass,
    /// How many tries are left, by the hexadecimal SHA-256 of whose they are. Written with an expiry.
    Limit,
    /// What a pass's holder does, by the pass's key. Written with an expiry.
    Holder,
    /// What the viewers of a region find of the nodes, by region. Written with an expiry.
    Health,
    /// When something may be done again that the edge does now and then, by the hexadecimal SHA-256 of what it is. Written
    /// with an expiry.
    Turn,
}

impl Table {
    /// Those whose values are written with an expiry.
    pub const EXPIRING: [Table; 4] = [Table::Limit, Table::Holder, Table::Health, Table::Turn];

    /// The table's name in a host's key space.
    pub fn name(self) -> &'static str {
        match self {
            Table::Event => "event",
            Table::Channel => "channel",
            Table::Replays => "replays",
            Table::Chapter => "chapter",
            Table::Score => "score",
            Table::Match => "match",
            Table::Pass => "pass",
            Table::Limit => "limit",
            Table::Holder => "holder",
            Table::Health => "health",
            Table::Turn => "turn",
        }
    }

    /// How old a value may be with which a host answers a read, in milliseconds; 0: it must be the newest. What many viewers
    /// ask for can so be read near them. A change is always of the newest value.
    pub fn age_ms_max(self) -> u32 {
        match self {
            Table::Channel | Table::Score | Table::Health | Table::Turn => 1_000,
            Table::Event | Table::Replays => 2_000,
            Table::Chapter | Table::Match => 10_000,
            Table::Pass | Table::Holder | Table::Limit => 0,
        }
    }

    /// Whether its keys can be listed: a host may have to keep a list for that.
    pub fn is_listed(self) -> bool {
        matches!(self, Table::Pass)
    }
}

/// The address of one stored value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// What it holds.
    pub table: Table,
    /// Which one: characters of identifiers only (`a`–`z`, `0`–`9`, `-`), at most 64.
    pub key: String,
}

/// The store did not answer. The edge answers 503 and drops the text, which viewers must not see: an adapter logs it
/// where it makes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("store: {0}")]
pub struct StoreError(pub String);

/// What came back of a [`Courier::fetch`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Status code.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// As much of the body as was asked for at most.
    pub body: Vec<u8>,
    /// Whether there was more of it.
    pub is_cut: bool,
}

impl Fetched {
    /// Takes a piece of the body, as far as there is room; says whether another one is wanted.
    pub fn take(&mut self, piece: &[u8], len_max: usize) -> bool {
        let room = len_max.saturating_sub(self.body.len());
        self.body.extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.is_cut = piece.len() > room;
        !self.is_cut
    }
}

/// The bounds of a [`Courier::fetch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchBounds {
    /// So many bytes of the answer's body are read.
    pub len_max: usize,
    /// How long all of it may take, in milliseconds.
    pub within_ms: u64,
}

/// Nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The host does not let the edge ask there: that says nothing of who was asked.
    #[error("the host does not let the edge ask there")]
    NotAllowed,
    /// There was no answer, none in time, or it broke off. The text is for the operator.
    #[error("{0}")]
    NoAnswer(String),
}

/// A request of the edge's to somebody else.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// Where to.
    pub url: &'a str,
    /// Its headers.
    pub headers: &'a [(&'static str, String)],
    /// What is POSTed; without it, the URL is GETted.
    pub body: Option<&'a [u8]>,
    /// So many bytes of the answer's body are read; 0: its status is all that is wanted.
    pub len_max: usize,
}

/// Takes to others what the edge has to tell them, and asks them.
pub trait Courier {
    /// Sends a request, redirects not followed, and reads as much of the answer as is wanted. Where this is dropped before it is
    /// done, the request is given up.
    fn send(&self, errand: Errand<'_>) -> impl Future<Output = Result<Fetched, FetchError>>;

    /// Lets so many milliseconds go by.
    fn pause(&self, ms: u64) -> impl Future<Output = ()>;

    /// Tells the operator what went wrong, and nobody else.
    fn log(&self, text: &str);

    /// GETs a URL. What is over the bounds of an answer is not read.
    fn fetch(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        bounds: FetchBounds,
    ) -> impl Future<Output = Result<Fetched, FetchError>> {
        async move {
            let errand = Errand { url, headers, body: None, len_max: bounds.len_max };
            let fetched = in_time(self, errand, bounds.within_ms).await;
            fetched.inspect_err(|error| self.log(&format!("courier: {url}: {error}")))
        }
    }

    /// POSTs a body to a URL that the operator has set, within so many milliseconds. How that went, only the operator learns;
    /// neither the URL nor the body is told, which may have a secret in them.
    fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: &[u8],
        within_ms: u64,
    ) -> impl Future<Output = ()> {
        async move {
            let errand = Errand { url, headers, body: Some(body), len_max: 0 };
            match in_time(self, errand, within_ms).await {
                Ok(answer) if (200..300).contains(&answer.status) => {}
                Ok(answer) => self.log(&format!("courier: the webhook answers {}", answer.status)),
                Err(error) => self.log(&format!("courier: the webhook: {error}")),
            }
        }
    }
}

/// Sends a request that is given up after so many milliseconds.
async fn in_time<C: Courier + ?Sized>(
    courier: &C,
    errand: Errand<'_>,
    within_ms: u64,
) -> Result<Fetched, FetchError> {
    match select(pin!(courier.send(errand)), pin!(courier.pause(within_ms))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(FetchError::NoAnswer(String::from("there is no answer in time"))),
    }
}

/// How to wait for another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// At most so many milliseconds.
    pub within_ms: u64,
    /// How often a host looks that is not told by itself, in milliseconds.
    pub every_ms: u64,
}

/// What came of waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// The value as it is now.
    pub value: Option<Vec<u8>>,
    /// How many milliseconds went by.
    pub ms: u64,
}

/// Waiting for a value to change.
pub trait Watch: Store + Courier {
    /// The value of the cell as soon as it is another one than `seen`, or as it is when the time is over.
    ///
    /// Here the cell is read again and again, for each who waits. A host on which many wait for one cell does that in one
    /// place for all of them.
    fn changed(
        &self,
        cell: &Cell,
        seen: Option<&[u8]>,
        wait: Wait,
    ) -> impl Future<Output = Result<Waited, StoreError>> {
        async move {
            let (pause_ms, mut ms) = (wait.every_ms.max(1), 0_u64);
            loop {
                self.pause(pause_ms).await;
                ms = ms.saturating_add(pause_ms);
                let value = self.get(cell).await?;
                if value.as_deref() != seen || ms.saturating_add(pause_ms) > wait.within_ms {
                    return Ok(Waited { value, ms });
                }
            }
        }
    }
}

/// Values by cell. A read after a write to the same cell, anywhere, should see it; a host that can't promise that says
/// so in its documentation.
pub trait Store {
    /// The value, or `None` where there is none or it has expired.
    fn get(&self, cell: &Cell) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>>;

    /// Writes the value; with `expires`, it need not be kept any longer than that.
    fn put(
        &self,
        cell: &Cell,
        value: Vec<u8>,
        expires: Option<UtcMs>,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Applies a change ([`crate::change::apply`]) to the value and returns its answer: where the host can, so that no
    /// other change or write comes between. `now` is the request's.
    fn change(
        &self,
        cell: &Cell,
        change: &Change,
        now: UtcMs,
    ) -> impl Future<Output = Result<Vec<u8>, StoreError>>;

    /// The keys of a table that can be listed ([`Table::is_listed`]), in their order, from the one behind `after`, at most
    /// `max` of them. A key whose value has gone may still be there.
    fn list(
        &self,
        table: Table,
        after: &str,
        max: usize,
    ) -> impl Future<Output = Result<Vec<String>, StoreError>>;
}
