//! From a path to a route. What does not match exactly, character by character, is no route.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use railbird_core::id::{ChannelId, MatchId, NodeId, RecordingId, RenditionId};
use railbird_core::object::{self, Window};
use railbird_core::state::{CHAPTERS_MAX, Rendition};
use railbird_core::time::UtcMs;

/// The longest path that is looked at, in bytes: a token and room for three identifiers.
pub(crate) const PATH_LEN_MAX: usize = crate::token::TEXT_LEN_MAX + 512;

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Health,
    Page(Page),
    Login,
    Logout,
    Renew,
    ForgotPassword,
    ResetPassword,
    ChangePassword,
    Screens,
    StopScreen,
    ReleaseScreen,
    Channels,
    /// Something of a channel that only a session may see; the token where the path carries one.
    View {
        token: Option<String>,
        channel: ChannelId,
        view: View,
    },
    PushEvent,
    PushState(ChannelId),
    PushReplays(ChannelId),
    PushChapter {
        channel: ChannelId,
        recording: RecordingId,
        chapter: u32,
    },
    PushScore(ChannelId),
    PushMatch {
        channel: ChannelId,
        match_id: MatchId,
    },
    Passes,
    RevokePass,
}

/// A page for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Home,
    Login,
    /// A link to another password is asked for.
    Forgot,
    /// Where such a link leads.
    Reset,
    Watch(ChannelId),
    /// A recording of a channel.
    Replay(ChannelId, RecordingId),
}

/// A part of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Multivariant,
    Media {
        node: NodeId,
        rendition: RenditionId,
        lists: Lists,
    },
    /// The part of a rendition that starts then.
    Part {
        node: NodeId,
        rendition: RenditionId,
        start: UtcMs,
    },
    Replay {
        recording: RecordingId,
    },
    ReplayMedia {
        recording: RecordingId,
        node: NodeId,
        rendition: RenditionId,
        lists: Lists,
    },
    Score,
    /// What becomes of the score, as it happens.
    ScoreEvents,
    /// The playlist of the score as subtitles.
    Subtitles,
    /// The score of a segment, as subtitles or as documents.
    ScoreWindow(Window),
    /// The same three of a recording.
    ReplayScore {
        recording: RecordingId,
    },
    ReplaySubtitles {
        recording: RecordingId,
    },
    ReplayScoreWindow {
        recording: RecordingId,
        window: Window,
    },
    /// Which nodes to try, in which order.
    Nodes,
    /// What a player found of nodes.
    Beacons,
    Key {
        period: u64,
    },
    Steer,
}

/// What a media playlist lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lists {
    Segments,
    /// Their key frames.
    Frames,
}

impl Lists {
    /// Whether there is such a list of a rendition.
    pub(crate) fn has(self, rendition: &Rendition) -> bool {
        self == Lists::Segments || rendition.frames_bandwidth > 0
    }
}

impl Route {
    /// The methods that it takes, as the `allow` header says them. `HEAD` goes with `GET`.
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Route::View { view: View::Beacons, .. } => "POST",
            Route::Health | Route::Page(_) | Route::Channels | Route::View { .. } => "GET, HEAD",
            Route::Login
            | Route::Logout
            | Route::Renew
            | Route::ForgotPassword
            | Route::ResetPassword
            | Route::ChangePassword
            | Route::RevokePass
            | Route::Screens
            | Route::StopScreen
            | Route::ReleaseScreen => "POST",
            Route::Passes => "GET, HEAD, PUT",
            Route::PushEvent
            | Route::PushState(_)
            | Route::PushReplays(_)
            | Route::PushChapter { .. }
            | Route::PushScore(_)
            | Route::PushMatch { .. } => "PUT",
        }
    }

    /// Whether it takes this method.
    pub(crate) fn takes(&self, method: &str) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method)
    }
}

/// The route of a path as it was sent; `None` where there is none. Percent-encoding, backslashes, empty and dot
/// segments never match: nothing is decoded or resolved, so that no other party can read a path in another way.
pub(crate) fn parse(path: &str) -> Option<Route> {
    if path.len() > PATH_LEN_MAX || !path.bytes().all(is_plain) {
        return None;
    }
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    Some(match parts.as_slice() {
        [""] => Route::Page(Page::Home),
        ["login"] => Route::Page(Page::Login),
        ["forgot"] => Route::Page(Page::Forgot),
        ["reset"] => Route::Page(Page::Reset),
        ["watch", channel] => Route::Page(Page::Watch(channel.parse().ok()?)),
        ["watch", channel, recording] => {
            Route::Page(Page::Replay(channel.parse().ok()?, recording.parse().ok()?))
        }
        ["healthz"] => Route::Health,
        ["api", "login"] => Route::Login,
        ["api", "logout"] => Route::Logout,
        ["api", "password", "forgot"] => Route::ForgotPassword,
        ["api", "password", "reset"] => Route::ResetPassword,
        ["api", "password", "change"] => Route::ChangePassword,
        ["api", "session", "renew"] => Route::Renew,
        ["api", "screens"] => Route::Screens,
        ["api", "screens", "stop"] => Route::StopScreen,
        ["api", "screens", "release"] => Route::ReleaseScreen,
        ["api", "channels"] => Route::Channels,
        ["origin", "v1", "event"] => Route::PushEvent,
        ["origin", "v1", "channels", channel, "state"] => Route::PushState(channel.parse().ok()?),
        ["origin", "v1", "channels", channel, "replays"] => Route::PushReplays(channel.parse().ok()?),
        ["origin", "v1", "channels", channel, "replays", recording, chapter] => {
            let chapter = number(chapter)?.try_into().ok().filter(|chapter| *chapter < CHAPTERS_MAX)?;
            Route::PushChapter { channel: channel.parse().ok()?, recording: recording.parse().ok()?, chapter }
        }
        ["origin", "v1", "channels", channel, "score"] => Route::PushScore(channel.parse().ok()?),
        ["origin", "v1", "channels", channel, "matches", id] => {
            Route::PushMatch { channel: channel.parse().ok()?, match_id: id.parse().ok()? }
        }
        ["admin", "v1", "passes"] => Route::Passes,
        ["admin", "v1", "passes", "revoke"] => Route::RevokePass,
        ["t", token, rest @ ..] if !token.is_empty() => {
            let (channel, view) = view(rest)?;
            Route::View { token: Some((*token).to_string()), channel, view }
        }
        rest => {
            let (channel, view) = view(rest)?;
            Route::View { token: None, channel, view }
        }
    })
}

fn view(parts: &[&str]) -> Option<(ChannelId, View)> {
    let (channel, view) = match parts {
        ["live", channel, "main.m3u8"] => (channel, View::Multivariant),
        ["live", channel, "score.json"] => (channel, View::Score),
        ["live", channel, "score.events"] => (channel, View::ScoreEvents),
        ["live", channel, "score.m3u8"] => (channel, View::Subtitles),
        ["live", channel, "score", file] if !file.ends_with(".m3u8") => {
            (channel, View::ScoreWindow(Window::at_edge(file)?))
        }
        ["live", channel, "nodes.json"] => (channel, View::Nodes),
        ["live", channel, "beacons"] => (channel, View::Beacons),
        ["live", channel, node, file] => {
            let (rendition, lists) = playlist_of(file)?;
            (channel, View::Media { node: node.parse().ok()?, rendition, lists })
        }
        ["live", channel, node, rendition, file] => {
            let (node, rendition) = (node.parse().ok()?, rendition.parse().ok()?);
            (channel, View::Part { node, rendition, start: object::part_start_at_edge(file)? })
        }
        ["replay", channel, recording, "main.m3u8"] => {
            (channel, View::Replay { recording: recording.parse().ok()? })
        }
        ["replay", channel, recording, "score.json"] => {
            (channel, View::ReplayScore { recording: recording.parse().ok()? })
        }
        ["replay", channel, recording, "score.m3u8"] => {
            (channel, View::ReplaySubtitles { recording: recording.parse().ok()? })
        }
        ["replay", channel, recording, "score", file] if !file.ends_with(".m3u8") => {
            let window = Window::at_edge(file)?;
            (channel, View::ReplayScoreWindow { recording: recording.parse().ok()?, window })
        }
        ["replay", channel, recording, node, file] => {
            let (recording, node) = (recording.parse().ok()?, node.parse().ok()?);
            let (rendition, lists) = playlist_of(file)?;
            (channel, View::ReplayMedia { recording, node, rendition, lists })
        }
        ["key", channel, period] => (channel, View::Key { period: number(period)? }),
        ["steer", channel] => (channel, View::Steer),
        _ => return None,
    };
    Some((channel.parse().ok()?, view))
}

fn playlist_of(file: &str) -> Option<(RenditionId, Lists)> {
    let name = file.strip_suffix(".m3u8")?;
    // No rendition has a dot in its name.
    let (name, lists) = match name.strip_suffix(".frames") {
        Some(name) => (name, Lists::Frames),
        None => (name, Lists::Segments),
    };
    Some((name.parse().ok()?, lists))
}

/// A decimal number in its only form: digits without a sign or leading zeros.
pub(crate) fn number(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The value of a name in a query; nothing is decoded. The first one counts.
pub(crate) fn query<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests;
