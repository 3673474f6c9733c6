//! What is remembered of a pass's holder: the sessions that were ended, the screens that play, how fast keys are drawn.
//!
//! All of it is one cell, by pass: one read with each request tells whether its session lives, whatever happened to it.
//! Where a host's reads see every earlier write (Cloudflare), a session that was ended has ended at once, everywhere. Where
//! the store takes a while to replicate (Spin), it has ended when the cell arrives, and at the latest it gets no keys of a
//! period that begins after that. The cell is bounded, and goes when nothing in it matters any more.

use alloc::string::String;
use alloc::vec::Vec;

use railbird_core::hex;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};

use crate::cells;
use crate::change::{self, Applied, Change, Keep, Kind};
use crate::pace::Pace;
use crate::passes::PassId;
use crate::port::{Store, StoreError};
use crate::screens::{self, Mark, Screen};
use crate::settings::SESSION_TTL_S_MAX;
use crate::token::Claims;

/// The most sessions of a pass that are remembered one by one as ended. Beyond, the one that was made first goes, and every
/// session that was made before it is ended with it.
pub(crate) const ENDED_MAX: usize = 64;

/// What is kept of a holder. A value that another version wrote is read as far as it is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Holder {
    /// Sessions that were issued before this second have ended.
    revoked_before_s: u64,
    /// When the last of those would have expired.
    revoked_until_s: u64,
    ended: Vec<Ended>,
    /// Who plays.
    pub(crate) screens: Vec<Screen>,
    /// Who no longer does, although a lease may say otherwise.
    pub(crate) marks: Vec<Mark>,
    /// How fast screens begin.
    pub(crate) claims: Pace,
    /// How fast keys are drawn.
    pub(crate) keys: Pace,
}

/// A session that was ended before it expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ended {
    session: SessionId,
    issued_s: u64,
    expires_s: u64,
}

/// A token's id as text: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SessionId(String);

impl SessionId {
    pub(crate) fn of(claims: &Claims) -> SessionId {
        SessionId::new(&claims.id)
    }

    pub(crate) fn new(id: &[u8; 16]) -> SessionId {
        SessionId(hex::encode(id))
    }
}

/// What is said of a holder.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Said {
    /// A session has ended.
    End { session: SessionId, issued_s: u64, expires_s: u64 },
    /// All sessions that were issued before this second have.
    Revoke { before_s: u64 },
    /// A screen begins to play, or goes on.
    Claim(screens::Claim),
    /// It has done so.
    Release(screens::Release),
    /// It shall stop.
    Stop(screens::Stop),
    /// It draws a key.
    Draw(screens::Draw),
}

/// A holder and what is answered to whoever said something.
pub(crate) type Answer = Result<screens::Held, screens::Refusal>;

impl Holder {
    /// Whether this session of the holder's has ended before its time.
    pub(crate) fn has_ended(&self, claims: &Claims) -> bool {
        let id = SessionId::of(claims);
        claims.issued_s < self.revoked_before_s || self.ended.iter().any(|ended| ended.session == id)
    }

    /// Drops what no longer matters.
    pub(crate) fn prune(&mut self, now: UtcMs) {
        if self.revoked_until_s <= now.seconds() {
            (self.revoked_before_s, self.revoked_until_s) = (0, 0);
        }
        self.ended.retain(|ended| ended.expires_s > now.seconds());
        self.screens.retain(|screen| screen.until > now);
        self.marks.retain(|mark| mark.until > now);
    }

    /// From when on nothing in it matters.
    fn expires(&self) -> UtcMs {
        let sessions = self.ended.iter().map(|ended| ended.expires_s).chain([self.revoked_until_s]);
        let sessions = sessions.map(|second| UtcMs(second.saturating_mul(1000)));
        let screens = self.screens.iter().map(|screen| screen.until);
        let marks = self.marks.iter().map(|mark| mark.until);
        let paces = [self.claims.full_at(), self.keys.full_at()];
        sessions.chain(screens).chain(marks).chain(paces).max().unwrap_or_default()
    }

    fn end(&mut self, ended: Ended) {
        screens::drop_of_session(self, &ended.session);
        if self.ended.iter().any(|known| known.session == ended.session) {
            return;
        }
        self.ended.push(ended);
        if self.ended.len() > ENDED_MAX
            && let Some((first, _)) = self.ended.iter().enumerate().min_by_key(|(_, ended)| ended.issued_s)
        {
            let first = self.ended.swap_remove(first);
            self.revoke(first.issued_s.saturating_add(1), first.expires_s);
        }
    }

    fn revoke(&mut self, before_s: u64, until_s: u64) {
        self.revoked_before_s = self.revoked_before_s.max(before_s);
        self.revoked_until_s = self.revoked_until_s.max(until_s);
    }
}

/// Ends a session before its time.
pub(crate) async fn end<S: Store>(store: &S, claims: &Claims, now: UtcMs) -> Result<(), StoreError> {
    let said =
        Said::End { session: SessionId::of(claims), issued_s: claims.issued_s, expires_s: claims.expires_s };
    say(store, &claims.pass, &said, now).await.map(|_| ())
}

/// Ends every session of a pass that was issued before this second, and frees its screens. To end those of the present
/// second too, say the next one: [`first_issue_s`] is then when a new session may say that it was issued.
pub(crate) async fn revoke_before<S: Store>(
    store: &S,
    pass: &PassId,
    before_s: u64,
    now: UtcMs,
) -> Result<(), StoreError> {
    say(store, pass, &Said::Revoke { before_s }, now).await.map(|_| ())
}

/// The earliest second at which a session that is made now may say that it was issued, for it to live: now, or right after
/// the sessions that were ended a moment ago.
pub(crate) async fn first_issue_s<S: Store>(store: &S, pass: &PassId, now: UtcMs) -> Result<u64, StoreError> {
    let holder = cells::holder(store, pass).await?;
    Ok(holder.map_or(0, |holder| holder.revoked_before_s).max(now.seconds()))
}

/// Has something said of a holder change what is kept of it. `None` where the answer is not one of ours, which only another
/// version's can be.
pub(crate) async fn say<S: Store>(
    store: &S,
    pass: &PassId,
    said: &Said,
    now: UtcMs,
) -> Result<Option<Answer>, StoreError> {
    let change = Change { kind: Kind::Holder, said: change::json(said) };
    let answer = store.change(&cells::holder_cell(pass), &change, now).await?;
    Ok(change::read(Some(&answer)))
}

/// What becomes of a holder when something is said of it.
pub(crate) fn change(kept: Option<Holder>, said: &[u8], now: UtcMs) -> Applied {
    let Some(said) = change::read(Some(said)) else {
        return Applied::new(Keep::AsIs, &Answer::Err(screens::Refusal::Unreadable));
    };
    let before = kept.unwrap_or_default();
    let mut holder = before.clone();
    holder.prune(now);
    let answer = match said {
        Said::End { session, issued_s, expires_s } => {
            holder.end(Ended { session, issued_s, expires_s });
            Ok(screens::Held::default())
        }
        Said::Revoke { before_s } => {
            holder.screens.clear();
            holder.revoke(before_s, now.seconds().saturating_add(SESSION_TTL_S_MAX));
            Ok(screens::Held::default())
        }
        Said::Claim(claim) => screens::claim(&mut holder, claim, now),
        Said::Release(release) => screens::release(&mut holder, &release),
        Said::Stop(stop) => screens::stop(&mut holder, &stop, now),
        Said::Draw(draw) => screens::draw(&mut holder, draw, now),
    };
    let changed = answer.is_ok() && holder != before;
    let keep = if changed { Keep::Value(change::json(&holder), Some(holder.expires())) } else { Keep::AsIs };
    Applied::new(keep, &answer)
}

#[cfg(test)]
mod tests;
