//! Lines: connections that viewers hold open to be told of nodes at once, on hosts that have such (WebSocket, RFC 6455).
//!
//! A line is asked for at the address of `nodes.json` and tells what that would answer, whenever it has changed. The host
//! admits a line ([`Edge::admit`]), keeps it with its [`Seat`], and asks now and then what to tell ([`Edge::tell`]). Hosts
//! without lines answer such a request as any other: the player polls there. A session that opens many ends its oldest
//! ([`outdone`]).

use alloc::vec::Vec;

use railbird_core::id::ChannelId;
use railbird_core::time::UtcMs;

use crate::edge::Edge;
use crate::errors::Problem;
use crate::health::region;
use crate::http::{Request, Response};
use crate::port::{Courier, Moment, Store};
use crate::router::{self, Route, View};
use crate::routing::Viewer;
use crate::{channels, guard, session};

/// The longest life of a line, in seconds: whoever goes on asks for another one, and is checked again.
pub const LIFE_S_MAX: u64 = 900;

/// How often a host looks for something to tell, in milliseconds.
pub const LOOK_MS: u64 = 1_000;

/// How many lines a session has at one place of the host's: a tab each. The newest are held.
pub const LINES_OF_SESSION_MAX: usize = 4;

/// How many more connections a session may have there, of lines that were ended and that the other side has not closed: whoever
/// leaves more of them gets no line.
pub const CLOSING_OF_SESSION_MAX: usize = 4;

/// The code with which the others are closed (RFC 6455, 7.4.2): their players go on without.
pub const OUTDONE: u16 = 4001;
/// What is said with it.
pub const OUTDONE_REASON: &str = "this session has other lines: ask for nodes.json";

const NO_LINE: Problem = Problem::new(400, "no-line", "only nodes.json of a channel can be held open");

/// Whose line it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The channel that it tells of.
    pub channel: ChannelId,
    /// The viewer's region, out of [`region::NAMES`].
    pub region: &'static str,
    /// Whose order of nodes it tells.
    pub viewer: Viewer,
    /// When it ends, in seconds since 1970.
    pub until_s: u64,
}

/// Which of a session's lines end where it opens one more, by when they were opened: the oldest.
pub fn outdone(opened: &[UtcMs]) -> Vec<usize> {
    let mut oldest: Vec<usize> = (0..opened.len()).collect();
    oldest.sort_by_key(|at| opened.get(*at));
    oldest.truncate((opened.len() + 1).saturating_sub(LINES_OF_SESSION_MAX));
    oldest
}

impl Request {
    /// Whether it asks for a connection that is held open (RFC 6455, 4.1).
    pub fn is_for_line(&self) -> bool {
        self.method == "GET" && self.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
    }
}

impl<S: Store + Courier> Edge<S> {
    /// The seat of a request for a line; else what it is answered with, as one without a line would be. A page of another
    /// site may hold none: browsers say nothing of a cookie's site there (RFC 6455, 10.2).
    ///
    /// # Errors
    /// The answer.
    pub async fn admit(&self, request: &Request, moment: &Moment) -> Result<Seat, Response> {
        let seat = self.seat(request, moment).await;
        seat.map_err(|problem| self.finished(request, problem.response()))
    }

    async fn seat(&self, request: &Request, moment: &Moment) -> Result<Seat, Problem> {
        let call = self.call(request, moment)?;
        let Some(Route::View { token, channel, view: View::Nodes }) = router::parse(&request.path) else {
            return Err(NO_LINE);
        };
        if token.is_none() {
            guard::check_site(&call)?;
        }
        let claims = session::covering(&call, token.as_deref(), &channel).await?.claims;
        let until_s = claims.expires_s.min(moment.now.seconds().saturating_add(LIFE_S_MAX));
        let region = region::name(request.region.as_deref());
        Ok(Seat { channel, region, viewer: claims.id, until_s })
    }

    /// What `nodes.json` answers these viewers of a channel and region, in their order; `None` while nobody knows: there is
    /// nothing to tell then.
    pub async fn tell(
        &self,
        channel: &ChannelId,
        region: &str,
        viewers: &[Viewer],
        moment: &Moment,
    ) -> Option<Vec<Vec<u8>>> {
        let request = Request { region: Some(region.into()), ..Request::default() };
        let call = self.call(&request, moment).ok()?;
        channels::nodes_of(&call, channel, viewers).await.ok()
    }
}
