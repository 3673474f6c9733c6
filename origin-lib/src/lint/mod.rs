//! Follows a presentation for a while, as a player does, and says where it is not as RFC 8216bis wants it.
//!
//! The rules are in [`railbird_core::lint`]; here is the asking: which playlist when, and which segments to look into.

pub mod command;
mod fetch;
mod report;
mod watch;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use railbird_core::lint::multivariant::Kind;
use railbird_core::lint::presentation::{self, Member};
use railbird_core::lint::{self, Finding, Multivariant, Place, Playlist, rules};
use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::time::Instant;

use self::fetch::{Fetched, Fetcher};
pub use self::report::{Entry, Report};
use self::watch::Watched;
use crate::web;

/// The most media playlists of a presentation that are followed.
pub const PLAYLISTS_MAX: usize = 32;

/// The longest a presentation is followed.
pub const DURATION_MAX: Duration = Duration::from_secs(3600);

/// What a playlist is served as (RFC 8216bis, 4).
const KINDS: [&str; 2] = ["application/vnd.apple.mpegurl", "audio/mpegurl"];

/// What to look at.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A multivariant playlist, or a media playlist.
    pub url: Url,
    /// How long to follow what is live.
    pub duration: Duration,
    /// What to say to the presentation's own host, such as a cookie.
    pub headers: HeaderMap,
}

/// Nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Unable {
    /// The playlist was not fetched.
    #[error("{url} can't be fetched: {why}")]
    Fetch {
        /// Without its query, which may be secret.
        url: String,
        /// In a clause.
        why: String,
    },
    /// No client.
    #[error(transparent)]
    Client(#[from] web::ClientError),
    /// `--duration` is out of bounds.
    #[error("--duration is at most {} s", DURATION_MAX.as_secs())]
    Duration,
}

/// A media playlist to follow.
#[derive(Debug)]
struct Wanted {
    /// As the multivariant playlist has it.
    uri: String,
    url: Url,
    pathway: String,
    is_subtitles: bool,
    is_frames: bool,
    bandwidth: Option<u64>,
    independent: bool,
    /// CODECS and RESOLUTION of its variant; the latter only where it is the variant's own.
    codecs: Option<String>,
    resolution: Option<(u64, u64)>,
    /// No sound and no pictures but its own belong to the variant.
    alone: bool,
}

/// Follows a presentation, and says what is wrong with it.
///
/// # Errors
///
/// The first playlist is not to be had.
pub async fn run(settings: &Settings) -> Result<Report, Unable> {
    if settings.duration > DURATION_MAX {
        return Err(Unable::Duration);
    }
    let until = Instant::now() + settings.duration;
    let fetcher = Fetcher::new(&settings.url, settings.headers.clone())?;
    let root = fetcher
        .get(&settings.url, lint::LEN_MAX, None, Duration::ZERO)
        .await
        .map_err(|error| Unable::Fetch { url: named(&settings.url), why: error.to_string() })?;
    let mut report = Report { loads: 1, ..Report::default() };
    let reading = lint::read(&root.body, &place(&root.url, None));
    let name = named(&root.url);
    report.add(&name, identified(&root));
    let multivariant = match reading.playlist {
        Some(Playlist::Multivariant(multivariant)) => {
            report.add(&name, reading.findings);
            Some(multivariant)
        }
        Some(Playlist::Media(_)) => None,
        None => {
            report.add(&name, reading.findings);
            return Ok(report);
        }
    };
    let wanted = match &multivariant {
        Some(multivariant) => wanted(multivariant, &root.url, &mut report),
        None => vec![Wanted {
            uri: name,
            url: root.url.clone(),
            pathway: ".".into(),
            is_subtitles: false,
            is_frames: false,
            bandwidth: None,
            independent: false,
            codecs: None,
            resolution: None,
            alone: false,
        }],
    };
    let imports = multivariant.as_ref().map(|multivariant| &multivariant.variables);
    let all = join_all(wanted.iter().map(|wanted| watch::watch(&fetcher, wanted, imports, until))).await;
    for (wanted, watched) in wanted.iter().zip(&all) {
        report.loads += watched.report.loads;
        report.segments += watched.report.segments;
        let findings = watched.report.findings().cloned();
        report.add(&wanted.uri, findings);
        watched.report.skipped.iter().for_each(|what| report.skip(what.clone()));
    }
    report.add("presentation", together(multivariant.as_ref(), &wanted, &all));
    Ok(report)
}

/// The media playlists of a presentation, each once.
fn wanted(multivariant: &Multivariant, base: &Url, report: &mut Report) -> Vec<Wanted> {
    let variants = multivariant.variants.iter().map(|variant| (&*variant.uri, variant, None));
    let renditions = multivariant.renditions.iter().filter_map(|rendition| {
        let group = |(kind, group): &(Kind, String)| *kind == rendition.kind && *group == rendition.group;
        let variant = multivariant.variants.iter().find(|variant| variant.groups.iter().any(group))?;
        Some((rendition.uri.as_deref()?, variant, Some(rendition.kind)))
    });
    let (mut seen, mut out) = (BTreeSet::new(), Vec::new());
    for (uri, variant, kind) in variants.chain(renditions) {
        let Ok(url) = base.join(uri) else {
            report.skip(format!("{uri:?}, which is no URI"));
            continue;
        };
        if uri.is_empty() || !seen.insert(url.clone()) {
            continue;
        }
        if out.len() == PLAYLISTS_MAX {
            report.skip(format!("more than {PLAYLISTS_MAX} media playlists"));
            break;
        }
        let own = kind.is_none();
        out.push(Wanted {
            uri: uri.to_string(),
            url,
            pathway: variant.pathway.clone(),
            is_subtitles: kind == Some(Kind::Subtitles),
            is_frames: own && variant.frames_only,
            bandwidth: variant.bandwidth.filter(|_| own),
            independent: multivariant.independent,
            codecs: variant.codecs.clone(),
            resolution: variant.resolution.filter(|_| own),
            alone: own && !variant.groups.iter().any(|(kind, _)| matches!(kind, Kind::Audio | Kind::Video)),
        });
    }
    out
}

fn together(multivariant: Option<&Multivariant>, wanted: &[Wanted], all: &[Watched]) -> Vec<Finding> {
    let members: Vec<Member<'_>> = wanted
        .iter()
        .zip(all)
        .filter_map(|(wanted, watched)| {
            Some(Member {
                uri: &wanted.uri,
                pathway: &wanted.pathway,
                is_subtitles: wanted.is_subtitles,
                is_frames: wanted.is_frames,
                media: watched.follower.last()?,
            })
        })
        .collect();
    let mut found = presentation::check(multivariant, &members, false);
    let peak = |uri: &str| {
        let at = wanted.iter().position(|wanted| wanted.uri == uri)?;
        all.get(at)?.peak
    };
    found.extend(multivariant.into_iter().flat_map(|multivariant| presentation::peaks(multivariant, peak)));
    found
}

/// Whether a playlist is said to be one.
fn identified(fetched: &Fetched) -> Option<Finding> {
    let path = fetched.url.path();
    let sound = path.ends_with(".m3u8") || path.ends_with(".m3u") || KINDS.contains(&&*fetched.kind);
    let seen = format!("its path and its type {:?} do not tell", fetched.kind);
    (!sound).then(|| lint::bytes::unreadable(&rules::CONTENT_TYPE, 0, seen))
}

fn place<'a>(url: &'a Url, imports: Option<&'a lint::Variables>) -> Place<'a> {
    Place { query: url.query().unwrap_or_default(), imports }
}

/// A URL without what may be secret: its user, its query, and a session's token in its path.
fn named(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    let text = url.to_string();
    match text.split_once("/t/").and_then(|(before, rest)| Some((before, rest.split_once('/')?.1))) {
        Some((before, rest)) => format!("{before}/t/…/{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests;
