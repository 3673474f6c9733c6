//! One media playlist, from load to load.

use std::collections::BTreeMap;
use std::time::Duration;

use railbird_core::fmp4::read::Track;
use railbird_core::keys;
use railbird_core::lint::bytes::{self, End, Known, Said};
use railbird_core::lint::media::{Key, Map, Media, Segment};
use railbird_core::lint::{self, Follower, Nanos, Variables, rules, transition};
use reqwest::Url;
use tokio::time::Instant;

use super::fetch::{FetchError, Fetcher};
use super::report::Report;
use super::{Wanted, identified, named, place};

/// The longest segment that is looked into, in bytes.
const SEGMENT_LEN_MAX: usize = 64 << 20;

/// The longest media initialization section, and the longest key file, in bytes.
const SMALL_LEN_MAX: usize = 1 << 20;

/// How many segments of a playlist are looked into.
const SEGMENTS_MAX: u64 = 6;

/// The newest ones that are looked into at first.
const NEWEST: usize = 2;

/// What asking takes beside the time that a server has for an update.
const SLACK: Nanos = Nanos::ms(1500);

/// A playlist that fails so often in a row is left.
const FAILURES_MAX: u32 = 3;

/// The shortest and the longest that is waited between loads.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What became of following a playlist.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) report: Report,
    pub(super) follower: Follower,
    /// The highest bit rate of a segment that was looked into, in bits a second.
    pub(super) peak: Option<u64>,
}

/// What is at an address, or a stretch of it: where that begins, and how long it is.
type Bytes = (String, Option<(u64, u64)>);

struct Watch<'a> {
    fetcher: &'a Fetcher,
    wanted: &'a Wanted,
    imports: Option<&'a Variables>,
    out: Watched,
    /// Where the playlist is, behind redirects.
    url: Url,
    /// When it had a new segment last.
    grown: Instant,
    loaded: Instant,
    /// The next number to look into.
    next: u64,
    end: Option<(u64, End)>,
    maps: BTreeMap<Bytes, Option<Vec<Track>>>,
    /// What the multivariant playlist says was compared with the tracks that there were when it was loaded.
    compared: bool,
    keys: BTreeMap<String, Option<[u8; 16]>>,
}

/// Follows a playlist until it ends, or until some moment.
pub(super) async fn watch(
    fetcher: &Fetcher,
    wanted: &Wanted,
    imports: Option<&Variables>,
    until: Instant,
) -> Watched {
    let now = Instant::now();
    let mut watch = Watch {
        fetcher,
        wanted,
        imports,
        out: Watched::default(),
        url: wanted.url.clone(),
        grown: now,
        loaded: now,
        next: 0,
        end: None,
        maps: BTreeMap::new(),
        compared: false,
        keys: BTreeMap::new(),
    };
    let mut failures = 0;
    loop {
        let (pause, grew) = match watch.load().await {
            true => {
                failures = 0;
                watch.look().await;
                let Some(media) = watch.out.follower.last() else { break };
                if media.ended {
                    break;
                }
                let target = Duration::from_secs(media.target_s.unwrap_or(1));
                let blocks = media.control.as_ref().is_some_and(|control| control.block_reload);
                (if blocks { PAUSE_MIN } else { target / 2 }, true)
            }
            false => {
                failures += 1;
                (Duration::from_secs(1), failures < FAILURES_MAX && watch.out.follower.last().is_some())
            }
        };
        let next = Instant::now() + pause.clamp(PAUSE_MIN, PAUSE_MAX);
        if !grew || next >= until {
            break;
        }
        tokio::time::sleep_until(next).await;
    }
    watch.out
}

/// What a load is asked with beside its own query.
#[derive(Clone, Copy, Debug, Default)]
struct Directives {
    /// The next segment, and the next part of it.
    next: Option<(u64, Option<u64>)>,
    skip: bool,
}

impl Directives {
    fn of(media: &Media, age: Duration) -> Directives {
        let Some(control) = media.control.as_ref() else { return Directives::default() };
        let part = media.part_target.is_some().then_some(media.tail.len() as u64);
        // Not with an older load than half of the skip boundary (RFC 8216bis, 6.3.7).
        let is_new = |until: Nanos| age < Duration::from_nanos(until.0 / 2);
        Directives {
            next: control.block_reload.then_some((media.next_msn(), part)),
            skip: control.skip_until.is_some_and(is_new),
        }
    }

    fn on(self, url: &Url) -> Url {
        let mut url = url.clone();
        if let Some((msn, part)) = self.next {
            url.query_pairs_mut().append_pair("_HLS_msn", &msn.to_string());
            if let Some(part) = part {
                url.query_pairs_mut().append_pair("_HLS_part", &part.to_string());
            }
        }
        if self.skip {
            url.query_pairs_mut().append_pair("_HLS_skip", "YES");
        }
        url
    }

    /// Whether a playlist has what was asked for.
    fn are_met(self, media: &Media) -> bool {
        self.next.is_none_or(|(msn, part)| {
            let has_part = part.is_some_and(|part| media.tail.len() as u64 > part);
            media.ended || media.next_msn() > msn || (media.next_msn() == msn && has_part)
        })
    }
}

impl Watch<'_> {
    /// Loads the playlist once more, and says whether that went well.
    async fn load(&mut self) -> bool {
        let asked = self.out.follower.last().map(|media| Directives::of(media, self.loaded.elapsed()));
        let asked = asked.unwrap_or_default();
        let target = self.out.follower.last().and_then(|media| media.target_s).unwrap_or(1);
        let held =
            asked.next.map_or(Duration::ZERO, |_| Duration::from_secs(target.saturating_mul(3).min(120)));
        let fetched = match self.fetcher.get(&asked.on(&self.url), lint::LEN_MAX, None, held).await {
            Ok(fetched) => fetched,
            Err(error) => {
                self.unavailable(&self.wanted.uri, 0, &error);
                return false;
            }
        };
        self.out.report.loads += 1;
        if self.out.follower.last().is_none() {
            self.add(identified(&fetched));
            // Directives go where the redirect led.
            self.url = fetched.url.clone();
        }
        let before = self.out.follower.last().map(Media::next_msn);
        let findings = self.out.follower.load(&fetched.body, &place(&self.wanted.url, self.imports));
        self.add(findings);
        self.loaded = Instant::now();
        let Some(media) = self.out.follower.last() else {
            let seen = format!("{} is no media playlist", self.wanted.uri);
            self.add([bytes::unreadable(&rules::RENDITION_KIND, 0, seen)]);
            return false;
        };
        let mut found = Vec::new();
        if before.is_none_or(|before| media.next_msn() > before) {
            self.grown = self.loaded;
        } else {
            let waited = u64::try_from(self.grown.elapsed().as_nanos()).unwrap_or(u64::MAX);
            found.extend(transition::overdue(media, Nanos(waited), SLACK));
        }
        if !asked.are_met(media) {
            let seen = format!("{:?} was asked for, and the next is {}", asked.next, media.next_msn());
            found.push(bytes::unreadable(&rules::RELOAD_IGNORED, 0, seen));
        }
        let boundary = media.control.as_ref().and_then(|control| control.skip_until);
        let first = media.segments.first().and_then(|first| first.duration).unwrap_or_default();
        let could = boundary.is_some_and(|until| media.duration() > until.plus(first).plus(media.target()));
        let is_update = fetched.body.windows(11).any(|bytes| bytes == b"#EXT-X-SKIP");
        if asked.skip && could && !is_update && !media.ended {
            found.push(bytes::unreadable(&rules::SKIP_IGNORED, 0, "the whole playlist came"));
        }
        self.add(found);
        true
    }

    /// Looks into the newest segments that were not looked into yet.
    async fn look(&mut self) {
        if self.wanted.is_subtitles {
            return;
        }
        let Some(media) = self.out.follower.last() else { return };
        let first = media.next_msn().saturating_sub(NEWEST as u64).max(media.listed_msn()).max(self.next);
        let new = (first..media.next_msn()).filter_map(|msn| Some((msn, media.segment(msn)?.clone())));
        let new: Vec<(u64, Segment)> = new.collect();
        let independent = self.wanted.independent || media.independent;
        let frames_only = media.frames_only;
        let end = media.ended.then(|| media.next_msn());
        let newest = new.iter().rev().find(|(_, segment)| !segment.gap).cloned();
        for (msn, segment) in new {
            self.next = msn + 1;
            if self.out.report.segments < SEGMENTS_MAX && !segment.gap {
                self.segment(msn, &segment, (independent, frames_only, end == Some(msn + 1))).await;
            }
        }
        if let Some((_, newest)) = newest.filter(|_| !self.compared) {
            self.compare(&newest).await;
        }
    }

    /// Compares what the multivariant playlist says with the tracks of the newest segment. Where they become others later, another
    /// multivariant playlist says so.
    async fn compare(&mut self, newest: &Segment) {
        let Some(map) = newest.applied.map.clone() else { return };
        let Some(tracks) = self.tracks(&map, newest).await else { return };
        self.compared = true;
        let Wanted { codecs, resolution, alone, .. } = self.wanted;
        let said = Said { codecs: codecs.as_deref(), resolution: *resolution, alone: *alone };
        self.add(bytes::described(&tracks, &said));
    }

    async fn segment(
        &mut self,
        msn: u64,
        segment: &Segment,
        (independent, frames_only, last): (bool, bool, bool),
    ) {
        let Some(map) = segment.applied.map.clone() else {
            return self.out.report.skip(format!("segments of {}, which are not fMP4", self.wanted.uri));
        };
        let Some(tracks) = self.tracks(&map, segment).await else { return };
        let range = match segment.range {
            Some((_, None)) => return,
            // It begins with boxes that tell of more than is in it, and needs what is around it to be decrypted (6.3.6).
            Some(_) if frames_only => {
                return self.out.report.skip(format!("the byte ranges of {}", self.wanted.uri));
            }
            Some((len, Some(start))) => Some((start, len)),
            None => None,
        };
        let Some(mut media) = self.fetch(&segment.uri, segment.line, SEGMENT_LEN_MAX, range).await else {
            return;
        };
        let len = media.len();
        match segment.applied.keys() {
            [] => {}
            [key] if key.method == "AES-128" && key.format == "identity" => {
                let Some(secret) = self.key(key, segment.line).await else { return };
                if keys::decrypt(&secret, &iv(key, msn), &mut media).is_err() {
                    let seen = format!("{} does not decrypt with its key", name(&segment.uri));
                    return self.add([bytes::unreadable(&rules::MEDIA_UNREADABLE, segment.line, seen)]);
                }
            }
            _ => {
                let what = format!("segments of {}, which are encrypted in another way", self.wanted.uri);
                return self.out.report.skip(what);
            }
        }
        self.out.report.segments += 1;
        let before = self.end.filter(|(of, _)| of + 1 == msn).map(|(_, end)| end);
        let target = self.out.follower.last().map_or(Nanos(0), Media::target);
        self.out.peak = self.out.peak.max(bytes::peak(segment, len, target));
        let bandwidth = self.wanted.bandwidth;
        let (tracks, frame) = (&*tracks, frames_only);
        let known = Known { segment, tracks, independent, frame, last, before, bandwidth, target, len };
        let (end, findings) = bytes::segment(&media, &known);
        self.end = end.map(|end| (msn, end));
        self.add(findings);
    }

    async fn tracks(&mut self, map: &Map, segment: &Segment) -> Option<Vec<Track>> {
        let range = map.range.and_then(|(len, start)| Some((start?, len)));
        let known = (map.uri.clone(), range);
        if let Some(tracks) = self.maps.get(&known) {
            return tracks.clone();
        }
        let fetched = self.fetch(&map.uri, segment.line, SMALL_LEN_MAX, range).await;
        let tracks = match fetched.as_deref().map(bytes::init) {
            Some(Ok(tracks)) => Some(tracks),
            Some(Err(_)) if !segment.applied.keys().is_empty() => {
                self.out.report.skip(format!("{}, which is encrypted or can't be read", name(&map.uri)));
                None
            }
            Some(Err(finding)) => {
                self.add([finding]);
                None
            }
            None => None,
        };
        self.maps.insert(known, tracks.clone());
        tracks
    }

    async fn key(&mut self, key: &Key, line: u32) -> Option<[u8; 16]> {
        if let Some(known) = self.keys.get(&key.uri) {
            return *known;
        }
        let fetched = match self.url.join(&key.uri) {
            Ok(url) => self.fetcher.get(&url, SMALL_LEN_MAX, None, Duration::ZERO).await,
            Err(error) => Err(FetchError::Other(error.to_string())),
        };
        let secret = match fetched {
            Ok(fetched) => {
                let secret = <[u8; 16]>::try_from(fetched.body.as_slice()).ok();
                if secret.is_none() {
                    let seen = format!("a key has {} bytes", fetched.body.len());
                    self.add([bytes::unreadable(&rules::KEY_FILE, line, seen)]);
                }
                secret
            }
            // Who may not have the key may still look at playlists.
            Err(error) => {
                self.out.report.skip(format!("segments of {}: their key, {error}", self.wanted.uri));
                None
            }
        };
        self.keys.insert(key.uri.clone(), secret);
        secret
    }

    async fn fetch(
        &mut self,
        uri: &str,
        line: u32,
        len_max: usize,
        range: Option<(u64, u64)>,
    ) -> Option<Vec<u8>> {
        let fetched = match self.url.join(uri) {
            Ok(url) => self.fetcher.get(&url, len_max, range, Duration::ZERO).await,
            Err(error) => Err(FetchError::Other(error.to_string())),
        };
        match fetched {
            Ok(fetched) => Some(fetched.body),
            Err(error) => {
                self.unavailable(uri, line, &error);
                None
            }
        }
    }

    fn unavailable(&mut self, uri: &str, line: u32, error: &FetchError) {
        let seen = format!("{}: {error}", name(uri));
        self.add([bytes::unreadable(&rules::UNAVAILABLE, line, seen)]);
    }

    fn add(&mut self, findings: impl IntoIterator<Item = lint::Finding>) {
        self.out.report.add(&self.wanted.uri, findings);
    }
}

/// A URI without what may be secret.
fn name(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) => named(&url),
        Err(_) => uri.split(['?', '#']).next().unwrap_or_default().to_string(),
    }
}

/// The initialization vector of a segment: the key's, or the segment's number (RFC 8216bis, 5.2).
fn iv(key: &Key, msn: u64) -> [u8; 16] {
    let given = key.iv.as_deref().and_then(railbird_core::hex::decode);
    given.and_then(|iv| iv.try_into().ok()).unwrap_or_else(|| u128::from(msn).to_be_bytes())
}
