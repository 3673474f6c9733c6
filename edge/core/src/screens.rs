//! Screens: a pass plays on so many devices at a time.
//!
//! A player claims a screen by an id that it made, and renews the claim while it plays: `POST /api/screens`. What it gets is
//! a [lease](crate::lease) in a cookie, without which no key is given to it. A player that keeps no cookies, or has no script,
//! is a screen by its session: its first key claims one, for as long as that key is of use.
//!
//! Who plays is kept with the [holder](crate::holder), and changes there: where a host makes changes one after another, no
//! more screens play than may. Where it reads, applies and writes (Spin), two claims at the same moment may both get the
//! last place, until one of the two is to be renewed.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use railbird_core::time::UtcMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::edge::Call;
use crate::errors::{self, Problem};
use crate::guard;
use crate::holder::{self, Holder, Said, SessionId};
use crate::http::Response;
use crate::pace::Allowance;
use crate::passes::PassId;
use crate::port::Store;
use crate::session::Session;
use crate::token::Claims;
use crate::{cells, lease, session};

/// How many screens a pass has that says nothing else.
pub(crate) const SCREENS_DEFAULT: usize = 2;

/// The most screens that a pass can have at a time.
pub(crate) const SCREENS_MAX: usize = 32;

/// When a player renews its claim, in seconds.
pub(crate) const RENEW_S: u64 = 20;

/// How long a claim lasts: of three renewals, one may get lost. It is written again when less than half of it is left, so
/// that a store that writes slowly does so at every second renewal.
pub(crate) const LEASE_MS: u64 = 75_000;

/// How much longer than a key period a screen without a lease has its place: the key is asked for a little ahead.
const SLACK_MS: u64 = 30_000;

/// How long a screen that was stopped is told so.
const STOPPED_MS: u64 = 300_000;

/// The most screens that are remembered as stopped or released.
const MARKS_MAX: usize = 96;

/// How fast the screens of a pass may begin: well above what people do, and too slow for a crowd that takes turns.
const CLAIMS: Allowance = Allowance { burst: 12, every_ms: 5_000 };

/// How many keys a pass may draw at once beyond those of what is live: somebody seeks through a replay.
const KEYS_BURST: u32 = 60;

/// After those, one more per screen in this part of the time that a key plays, or in [`KEY_EVERY_MS_MAX`].
const KEY_PACE: u64 = 4;
const KEY_EVERY_MS_MAX: u64 = 60_000;

/// The longest name of a screen, in characters.
pub(crate) const NAME_LEN_MAX: usize = 64;

const TOO_MANY: Problem = Problem::new(
    403,
    "too-many-screens",
    "this pass plays on as many screens as it may: stop one of them, or wait until one has ended",
);
const STOPPED: Problem = Problem::new(
    409,
    "screen-stopped",
    "another device has stopped this screen: claim it with \"again\": true",
);
const KEY_STOPPED: Problem = Problem::new(
    403,
    "screen-stopped",
    "another device has stopped this screen: it gets no more keys for now",
);
const TOO_FAST: Problem =
    Problem::new(429, "too-many-claims", "this pass begins to play too often: try again in a moment");
const TOO_MANY_KEYS: Problem =
    Problem::new(429, "too-many-keys", "this pass asks for keys faster than anyone can watch: slow down");
const UNREADABLE: Problem =
    Problem::new(503, "store", "two versions of the edge are at work: send it again in a moment")
        .with("retry-after", "1");

/// A screen's id: 22 characters of base64url, of 16 random bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ScreenId(pub(crate) [u8; 16]);

/// The text is not 22 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a screen's id is 22 characters of base64url")]
pub(crate) struct ScreenIdError;

impl FromStr for ScreenId {
    type Err = ScreenIdError;
    fn from_str(text: &str) -> Result<ScreenId, ScreenIdError> {
        if text.len() != 22 {
            return Err(ScreenIdError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ScreenIdError)?;
        bytes.try_into().map(ScreenId).map_err(|_| ScreenIdError)
    }
}

impl TryFrom<String> for ScreenId {
    type Error = ScreenIdError;
    fn try_from(text: String) -> Result<ScreenId, ScreenIdError> {
        text.parse()
    }
}

impl From<ScreenId> for String {
    fn from(id: ScreenId) -> String {
        URL_SAFE_NO_PAD.encode(id.0)
    }
}

impl ScreenId {
    /// The screen of a session whose player claims none.
    fn of_session(claims: &Claims) -> ScreenId {
        let digest = Sha256::new().chain_update(b"railbird screen of a session v1").chain_update(claims.id);
        let mut id = [0; 16];
        id.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        ScreenId(id)
    }
}

/// A screen that plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Screen {
    pub(crate) id: ScreenId,
    name: String,
    /// Whose it is.
    pub(crate) session: SessionId,
    since: UtcMs,
    pub(crate) until: UtcMs,
    /// It was never claimed: its session draws keys.
    bare: bool,
}

/// A screen whose lease no longer holds, until it would have ended by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    id: ScreenId,
    pub(crate) until: UtcMs,
    /// Somebody stopped it: it must ask for its place again.
    stopped: bool,
}

/// A player claims a screen.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    id: ScreenId,
    name: String,
    session: SessionId,
    /// The screen that its session is where it claims none: it is this one now.
    bare: ScreenId,
    again: bool,
    screens_max: usize,
}

/// A player has ended.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    id: ScreenId,
    session: SessionId,
}

/// The holder wants a screen to stop.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stop {
    id: ScreenId,
}

/// A session draws a key that counts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    /// The screen that it is, where it has no lease.
    bare: Option<Bare>,
    screens_max: usize,
    period_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bare {
    id: ScreenId,
    name: String,
    session: SessionId,
}

/// Until when a screen has its place.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) until: UtcMs,
}

/// Why not.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    TooMany(Vec<Shown>),
    Stopped,
    /// Too many screens begin; in milliseconds, when another may.
    TooFast(u64),
    /// Too many keys are drawn; the same.
    TooManyKeys(u64),
    /// Only another version of the edge says something that this one can't read.
    Unreadable,
}

/// A screen as its holder sees it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    id: ScreenId,
    name: String,
    /// ISO 8601.
    since: String,
}

pub(crate) fn claim(holder: &mut Holder, said: Claim, now: UtcMs) -> holder::Answer {
    let Claim { id, name, session, bare, again, screens_max } = said;
    if !again && holder.marks.iter().any(|mark| mark.stopped && mark.id == id) {
        return Err(Refusal::Stopped);
    }
    let until = now.plus_ms(LEASE_MS);
    match holder
        .screens
        .iter_mut()
        .find(|screen| screen.id == id && screen.session == session && !screen.bare)
    {
        Some(own) if is_fresh(own.until, now) => return Ok(Held { until: own.until }),
        Some(own) => own.until = until,
        None => {
            // What is taken over from an earlier session of the same player is not another screen.
            holder.screens.retain(|screen| screen.id != id && screen.id != bare);
            begin(
                holder,
                Screen { id: id.clone(), name, session, since: now, until, bare: false },
                screens_max,
            )?;
        }
    }
    holder.marks.retain(|mark| mark.id != id);
    Ok(Held { until })
}

/// Whether a lease need not be written again yet.
fn is_fresh(until: UtcMs, now: UtcMs) -> bool {
    until.ms_since(now) >= LEASE_MS / 2
}

fn begin(holder: &mut Holder, screen: Screen, screens_max: usize) -> Result<(), Refusal> {
    if holder.screens.len() >= screens_max.min(SCREENS_MAX) {
        let shown = |screen: &Screen| Shown {
            id: screen.id.clone(),
            name: screen.name.clone(),
            since: screen.since.iso8601(),
        };
        return Err(Refusal::TooMany(holder.screens.iter().map(shown).collect()));
    }
    holder.claims.take(CLAIMS, screen.since).map_err(Refusal::TooFast)?;
    holder.screens.push(screen);
    Ok(())
}

pub(crate) fn release(holder: &mut Holder, said: &Release) -> holder::Answer {
    drop_where(holder, |screen| screen.id == said.id && screen.session == said.session);
    Ok(Held::default())
}

pub(crate) fn stop(holder: &mut Holder, said: &Stop, now: UtcMs) -> holder::Answer {
    if let Some(screen) = holder.screens.iter().find(|screen| screen.id == said.id) {
        // One that can't ask for its place again has it back once there is room.
        let until = if screen.bare { now.plus_ms(LEASE_MS) } else { now.plus_ms(STOPPED_MS) };
        mark(holder, Mark { id: said.id.clone(), until, stopped: true });
        holder.screens.retain(|screen| screen.id != said.id);
    }
    Ok(Held::default())
}

/// A session has ended, and its screens with it.
pub(crate) fn drop_of_session(holder: &mut Holder, session: &SessionId) {
    drop_where(holder, |screen| screen.session == *session);
}

/// Drops screens. A lease of one would go on without a mark.
fn drop_where(holder: &mut Holder, gone: impl Fn(&Screen) -> bool) {
    let marks: Vec<Mark> = holder
        .screens
        .iter()
        .filter(|screen| gone(screen) && !screen.bare)
        .map(|screen| Mark { id: screen.id.clone(), until: screen.until, stopped: false })
        .collect();
    holder.screens.retain(|screen| !gone(screen));
    marks.into_iter().for_each(|marked| mark(holder, marked));
}

fn mark(holder: &mut Holder, mark: Mark) {
    holder.marks.retain(|known| known.id != mark.id);
    holder.marks.push(mark);
    if holder.marks.len() > MARKS_MAX
        && let Some((first, _)) = holder.marks.iter().enumerate().min_by_key(|(_, mark)| mark.until)
    {
        holder.marks.swap_remove(first);
    }
}

pub(crate) fn draw(holder: &mut Holder, said: Draw, now: UtcMs) -> holder::Answer {
    let screens_max = said.screens_max.clamp(1, SCREENS_MAX);
    let mut until = UtcMs::default();
    if let Some(Bare { id, name, session }) = said.bare {
        if holder.marks.iter().any(|mark| mark.stopped && mark.id == id) {
            return Err(Refusal::Stopped);
        }
        until = now.plus_ms(said.period_ms.saturating_add(SLACK_MS));
        match holder.screens.iter_mut().find(|screen| screen.id == id) {
            Some(screen) if screen.bare => screen.until = screen.until.max(until),
            // Another player of the pass claimed it by this very id.
            Some(_) => return Err(Refusal::Stopped),
            None => begin(holder, Screen { id, name, session, since: now, until, bare: true }, screens_max)?,
        }
    }
    let every_ms = (said.period_ms / KEY_PACE).min(KEY_EVERY_MS_MAX) / screens_max as u64;
    holder.keys.take(Allowance { burst: KEYS_BURST, every_ms }, now).map_err(Refusal::TooManyKeys)?;
    Ok(Held { until })
}

#[derive(Deserialize)]
struct Asked {
    screen: ScreenId,
    #[serde(default)]
    name: String,
    #[serde(default)]
    again: bool,
}

/// `POST /api/screens`.
pub(crate) async fn post<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let (session, asked) = asked(call).await?;
    let Asked { screen, name, again } = asked;
    let (claims, now) = (&session.claims, call.moment.now);
    let held = session.holder.screens.iter().find(|known| {
        known.id == screen
            && known.session == SessionId::of(claims)
            && !known.bare
            && is_fresh(known.until, now)
    });
    let answer = match held {
        Some(known) => Ok(Held { until: known.until }),
        None => {
            let said = Said::Claim(Claim {
                id: screen.clone(),
                name: named(&name),
                session: SessionId::of(claims),
                bare: ScreenId::of_session(claims),
                again,
                screens_max: screens_max(call, &claims.pass).await?,
            });
            say(call, &claims.pass, &said).await?
        }
    };
    match answer {
        Ok(Held { until }) => {
            #[derive(Serialize)]
            struct Granted {
                screen: ScreenId,
                renew_s: u64,
            }
            let cookie = granted(call, &session, &screen, until);
            let granted = errors::json(200, &Granted { screen, renew_s: RENEW_S });
            Ok(granted.with("set-cookie", &cookie).with("cache-control", "no-store"))
        }
        Err(Refusal::TooMany(screens)) => Ok(full(screens)),
        Err(refusal) => Err(problem(refusal)),
    }
}

/// `POST /api/screens/stop`.
pub(crate) async fn post_stop<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let (session, Asked { screen, .. }) = asked(call).await?;
    say(call, &session.claims.pass, &Said::Stop(Stop { id: screen })).await?.map_err(problem)?;
    Ok(Response::new(204).with("cache-control", "no-store"))
}

/// `POST /api/screens/release`.
pub(crate) async fn post_release<S: Store>(call: &Call<'_, S>) -> Result<Response, Problem> {
    let (session, Asked { screen, .. }) = asked(call).await?;
    let own = SessionId::of(&session.claims);
    let said = Said::Release(Release { id: screen.clone(), session: own.clone() });
    say(call, &session.claims.pass, &said).await?.map_err(problem)?;
    // A browser has one cookie for all its tabs: what another one still plays with.
    let is_other = |other: &&Screen| other.session == own && other.id != screen && !other.bare;
    let cookie = match session.holder.screens.iter().find(is_other) {
        Some(other) => granted(call, &session, &other.id, other.until),
        None => lease::clear_cookie(),
    };
    Ok(Response::new(204).with("set-cookie", &cookie).with("cache-control", "no-store"))
}

/// The `set-cookie` that gives a player the lease of its screen.
fn granted<S>(call: &Call<'_, S>, session: &Session, screen: &ScreenId, until: UtcMs) -> String {
    let claims = &session.claims;
    let lease = lease::Lease { screen: screen.0, session: claims.id, until_s: until.seconds() };
    let text = lease::seal(&call.settings.lease, &claims.pass, &lease);
    lease::set_cookie(&text, until.ms_since(call.moment.now) / 1000)
}

async fn say<S: Store>(call: &Call<'_, S>, pass: &PassId, said: &Said) -> Result<holder::Answer, Problem> {
    let answer = holder::say(call.store, pass, said, call.moment.now).await?;
    Ok(answer.unwrap_or(Err(Refusal::Unreadable)))
}

async fn asked<S: Store>(call: &Call<'_, S>) -> Result<(Session, Asked), Problem> {
    guard::check(call)?;
    let session = session::of(call, None).await?;
    let asked = serde_json::from_slice(&call.request.body).map_err(|_| {
        Problem::bad_request("send {\"screen\":\"…\"}, with an id of 22 characters of base64url")
    })?;
    Ok((session, asked))
}

/// A place among the screens of a pass, and room for another key.
///
/// `counts` says whether the key is of something that is not live: keys of what is live come by themselves with time.
pub(crate) async fn admit<S: Store>(
    call: &Call<'_, S>,
    session: &Session,
    period_s: u32,
    counts: bool,
) -> Result<(), Problem> {
    let Session { claims, holder } = session;
    let lease = lease::of(call, &claims.pass);
    let bare = match lease {
        Some(lease) if holds(holder, &lease)? => None,
        _ => Some(Bare {
            id: ScreenId::of_session(claims),
            name: named(call.request.header("user-agent").unwrap_or_default()),
            session: SessionId::of(claims),
        }),
    };
    if bare.is_none() && !counts {
        return Ok(());
    }
    let said = Said::Draw(Draw {
        bare,
        screens_max: screens_max(call, &claims.pass).await?,
        period_ms: u64::from(period_s) * 1000,
    });
    match say(call, &claims.pass, &said).await? {
        Ok(_) => Ok(()),
        Err(Refusal::Stopped) => Err(KEY_STOPPED),
        Err(refusal) => Err(problem(refusal)),
    }
}

/// Whether a lease that we signed still holds. What is kept may lag behind it, but never takes back what it says of the
/// screen: that it was stopped or released, or is another session's.
fn holds(holder: &Holder, lease: &lease::Lease) -> Result<bool, Problem> {
    let id = ScreenId(lease.screen);
    match holder.marks.iter().find(|mark| mark.id == id) {
        Some(mark) if mark.stopped => return Err(KEY_STOPPED),
        Some(_) => return Ok(false),
        None => {}
    }
    let kept = holder.screens.iter().find(|screen| screen.id == id);
    Ok(kept.is_none_or(|screen| screen.session == SessionId::new(&lease.session)))
}

/// How many screens a pass has at a time.
async fn screens_max<S: Store>(call: &Call<'_, S>, pass: &PassId) -> Result<usize, Problem> {
    let pass = cells::pass(call.store, pass).await?;
    Ok(pass.map_or(SCREENS_DEFAULT, |pass| usize::from(pass.screens)))
}

/// A name as it is kept: bounded, on one line.
fn named(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control()).take(NAME_LEN_MAX).collect();
    let plain = plain.trim();
    if plain.is_empty() { "Another device".to_string() } else { plain.to_string() }
}

fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::TooMany(_) => TOO_MANY,
        Refusal::Stopped => STOPPED,
        Refusal::TooFast(wait_ms) => TOO_FAST.after_ms(wait_ms),
        Refusal::TooManyKeys(wait_ms) => TOO_MANY_KEYS.after_ms(wait_ms),
        Refusal::Unreadable => UNREADABLE,
    }
}

/// The clear choice: which screens there are, one of which may be stopped.
fn full(screens: Vec<Shown>) -> Response {
    #[derive(Serialize)]
    struct Screens {
        screens: Vec<Shown>,
    }
    let mut conflict = TOO_MANY;
    conflict.status = 409;
    conflict.response_with(Some(&Screens { screens }))
}

#[cfg(test)]
mod tests;
