//! One file, `railbird.toml`: read, checked and resolved at start.
//!
//! Everything that is wrong is reported at once, each with its key, line, column and what to do. Unknown keys are
//! errors. Secrets come from environment variables or files and never stand in the file itself.
//! `infra/railbird.example.toml` shows and explains every key.

mod audio;
mod channel;
mod ladder;
mod push;
mod read;
mod secret;
mod srt;
mod system;
mod tables;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod video;
mod whip;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railbird_core::id::{ChannelId, EventId, NodeId, OriginId, PushId, RenditionId, TargetId};
use railbird_core::rtmp::Url;
use railbird_core::score::Offsets;
use railbird_core::score::foreign::Mapping;
use railbird_core::sound::Voice;

use crate::burn;
use crate::ladder::Rung;
pub use railbird_core::media::Role;

pub(crate) use channel::part_ms_default;
pub use ladder::{SOUND, SOURCE};
pub use read::Problem;
pub use secret::Secret;
pub use srt::{Srt, SrtCall};
pub(crate) use tables::base_url;
pub(crate) use target::basic;
pub use whip::Whip;

/// The most scorers that have an offset of their own.
pub const SCORERS_MAX: usize = 256;

/// The largest configuration file, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// The most channels of one origin.
pub const CHANNELS_MAX: usize = 64;

/// The most edges that one origin pushes to.
pub const EDGES_MAX: usize = 16;

/// The most destinations that one origin pushes channels to.
pub const PUSHES_MAX: usize = 64;

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its file; empty where there is none.
    pub path: PathBuf,
    /// What this origin is called where several write the same channels.
    pub origin: OriginId,
    /// Where the origin keeps its data.
    pub data_dir: PathBuf,
    /// The program that encodes pictures anew, where that is asked for.
    pub ffmpeg: PathBuf,
    /// Where encoders publish by RTMP.
    pub rtmp: SocketAddr,
    /// Where encoders publish by RTMP over TLS, if anywhere.
    pub rtmps: Option<Rtmps>,
    /// Where encoders publish by HTTP, if anywhere.
    pub http_ingest: Option<SocketAddr>,
    /// Where encoders publish by SRT, if anywhere.
    pub srt: Option<Srt>,
    /// Where browsers and encoders publish by WHIP, if anywhere.
    pub whip: Option<Whip>,
    /// Where the origin's API, health and metrics are.
    pub api: SocketAddr,
    /// The event.
    pub event: Event,
    /// Its channels, in the order to show them; at least one.
    pub channels: Vec<Channel>,
    /// Where objects are written; at least one.
    pub targets: Vec<Target>,
    /// Base URLs of the edges to push to, without a trailing slash. Together with `embedded_edge` at least one.
    pub edges: Vec<String>,
    /// The edge that runs inside this process, if any.
    pub embedded_edge: Option<EmbeddedEdge>,
    /// The target at which this origin and another one that takes the same feeds agree on anchors.
    pub anchors_at: Option<TargetId>,
    /// Where channels are pushed to by RTMP.
    pub pushes: Vec<Push>,
    /// The directory of the scorer's pad; none: the pad is not served.
    pub pad: Option<PathBuf>,
    /// Added to the time of what these scorers enter, in milliseconds.
    pub score_offsets_ms: BTreeMap<String, i64>,
    /// The secrets that origin and edge share.
    pub secrets: Secrets,
    /// The local disk.
    pub spool: Spool,
    /// Recordings.
    pub recording: Recording,
    /// What is kept of what happened to targets, nodes, pushes and edges.
    pub evidence: Evidence,
    /// Every secret that was resolved, so that no text that leaves the house has one in it.
    pub known_secrets: Vec<Secret>,
}

/// `[rtmps]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtmps {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file of the certificate and those that lead from it to an authority, in PEM.
    pub certificate: PathBuf,
    /// The file of its key, in PEM.
    pub key: PathBuf,
}

/// `[event]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name in URLs.
    pub id: EventId,
    /// What people call it.
    pub title: String,
}

/// `[[channel]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name in URLs and object names.
    pub id: ChannelId,
    /// What people call it.
    pub title: String,
    /// Segment duration by which names are numbered, in milliseconds.
    pub segment_ms: u32,
    /// How long segments may be at most, in seconds (`EXT-X-TARGETDURATION`); `None`: as long as the first ones are.
    pub target_s: Option<u32>,
    /// The longest part in milliseconds, where the channel is one of low latency.
    pub part_ms: Option<u32>,
    /// Whether its playlists hint at the next part; only where the channel is one of low latency.
    pub preload_hints: bool,
    /// Each segment's key frame is an object as well, for playlists of I-frames.
    pub iframes: bool,
    /// Pictures of a feed that never had sound have a silent track beside them, so that sound may come later.
    pub silence: bool,
    /// The rendition that every feed becomes: what the encoder sent, unchanged. Where sound is beside the pictures, it has
    /// another name than where it is in them.
    pub source: RenditionId,
    /// The sound alone is a rendition as well; only where the channel is none of low latency.
    pub audio_only: bool,
    /// The sound tracks that are renditions of their own, the first one first; none where one is muxed with the picture. Only
    /// where the channel is none of low latency.
    pub voices: Vec<Voice>,
    /// The further tracks of pictures that its encoder sends: their numbers, and the names of their renditions. Only where the
    /// channel is none of low latency.
    pub views: Vec<(u8, RenditionId)>,
    /// The further renditions whose pictures come by feeds of their own. Only where the channel is none of low latency.
    pub companions: Vec<Companion>,
    /// The further renditions that are made, the highest first; only where the channel is none of low latency.
    pub ladder: Vec<Rung>,
    /// Length of a key period, in seconds.
    pub key_period_s: u32,
    /// How much of the past the live playlists list, in seconds.
    pub dvr_s: u32,
    /// How much later its picture is on media time than what it shows, in milliseconds, until that is measured.
    pub picture_delay_ms: i32,
    /// Added to the time of what a scorer enters who is none of [`Config::score_offsets_ms`], in milliseconds; negative for
    /// one who lags.
    pub score_offset_ms: i32,
    /// The bearer of this key may write the channel's score. None: the channel takes no score.
    pub score_key: Option<Secret>,
    /// Segments carry the score beside the media (`emsg`). Their bytes depend then on when the score came: not in a pair.
    pub score_emsg: bool,
    /// Another scoring system that knows the score.
    pub system: Option<System>,
    /// What encoders may send for it; at least one, and none of the same role twice.
    pub feeds: Vec<Feed>,
    /// Without video for so many milliseconds, a feed has stalled.
    pub stall_ms: u32,
    /// For so many milliseconds the primary must have been well to be used again.
    pub steady_ms: u32,
}

impl Channel {
    /// All that encoders may send for it: for the source, and for the renditions that have feeds of their own.
    pub fn all_feeds(&self) -> impl Iterator<Item = (Option<&RenditionId>, &Feed)> {
        let companions = self.companions.iter();
        let theirs = companions.flat_map(|one| one.feeds.iter().map(|feed| (Some(&one.name), feed)));
        self.feeds.iter().map(|feed| (None, feed)).chain(theirs)
    }
}

/// `[[channel.video]]` with feeds of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// The rendition's name, in playlists and in object names.
    pub name: RenditionId,
    /// What encoders may send for it; at least one, and none of the same role twice.
    pub feeds: Vec<Feed>,
}

/// `[channel.system]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Where its JSON has what we ask of it.
    pub mapping: Mapping,
    /// What is asked for its state; none: it sends it by itself.
    pub url: Option<String>,
    /// How often, in milliseconds.
    pub every_ms: u32,
}

/// `[[channel.feed]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The stream key by which the encoder is let in.
    pub stream_key: Secret,
    /// Which of the channel's feeds.
    pub role: Role,
    /// The encoder that is called for it, where it does not call by itself.
    pub call: Option<SrtCall>,
}

/// `[[target]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in logs and metrics.
    pub id: TargetId,
    /// Where it is, and how to get in.
    pub place: Place,
    /// How it is reached.
    pub connection: Connection,
    /// How many viewers its node shall get, in proportion to the other nodes' weights.
    pub weight: u16,
    /// What a gigabyte from its node costs, in millionths of the operator's currency.
    pub price_micros_per_gb: u32,
    /// What a backfill may take of the line, in megabits a second; 0: no limit.
    pub backfill_mbps: u32,
    /// Where viewers read what is written here.
    pub node: Node,
}

/// Where a target is, by its `kind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `s3`.
    S3(Bucket),
    /// `http`.
    Http(EntryPoint),
}

/// A target of kind `s3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// URL of the store's API; none: AWS by its region.
    pub endpoint: Option<String>,
    /// Region by which requests are signed.
    pub region: String,
    /// The bucket.
    pub bucket: String,
    /// What stands before every object name, without slashes at its ends; empty for nothing.
    pub prefix: String,
    /// `endpoint/bucket/name` instead of `bucket.endpoint/name`.
    pub path_style: bool,
    /// Access key id.
    pub access_key: Secret,
    /// Secret access key.
    pub secret_key: Secret,
}

/// A target of kind `http`: it takes an object by a `PUT` to `{url}/{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// Base URL without a trailing slash.
    pub url: String,
    /// How to get in.
    pub login: Login,
    /// More headers of every request, by name in lower case.
    pub headers: Vec<(String, Secret)>,
}

/// How an entry point lets us in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// By nothing, or by `headers`.
    None,
    /// HTTP's basic authentication.
    Basic {
        /// Who.
        user: String,
        /// And their password.
        password: Secret,
    },
    /// A bearer token.
    Bearer(Secret),
}

/// How a target is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// How long each step may take.
    pub deadlines: Deadlines,
    /// Whom TLS trusts in addition to the system's authorities.
    pub authority: Option<Authority>,
}

/// How long each step of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// `dns_ms`: resolving the name.
    pub dns: Duration,
    /// `connect_ms`: TCP.
    pub connect: Duration,
    /// `tls_ms`: the TLS handshake.
    pub tls: Duration,
    /// `first_byte_ms`: from the end of what we send to the first byte of the answer.
    pub first_byte: Duration,
    /// `put_ms`: all of it.
    pub total: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            dns: Duration::from_millis(2000),
            connect: Duration::from_millis(2000),
            tls: Duration::from_millis(3000),
            first_byte: Duration::from_millis(5000),
            total: Duration::from_millis(10_000),
        }
    }
}

/// `ca_file`: the certificates of one's own authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Where they were read.
    pub path: PathBuf,
    /// The file's text: PEM.
    pub pem: Arc<str>,
}

/// `node` of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, which is its `PATHWAY-ID`.
    pub id: NodeId,
    /// Base URL without a trailing slash: an object's URL is `{url}/{name}`.
    pub url: String,
}

/// `[[push]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Its name in logs and metrics.
    pub id: PushId,
    /// The channel that is pushed.
    pub channel: ChannelId,
    /// Where to, the stream key included.
    pub url: Url,
    /// Its failure is no reason for an alarm.
    pub optional: bool,
    /// The score is burnt into its picture.
    pub burn_in: Option<burn::Settings>,
}

/// `[embedded_edge]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedEdge {
    /// Where viewers reach it.
    pub listen: SocketAddr,
    /// The component, a file made by `cargo xtask build-edge spin`.
    pub component: PathBuf,
    /// The directory of the player's files.
    pub assets: PathBuf,
    /// What viewers type, without a trailing slash.
    pub public_url: String,
    /// Where the edge asks for links to be sent to holders who have forgotten their password; none: it sends none.
    pub webhook_url: Option<String>,
    /// Which pages of other origins may read its answers, as browsers write an origin.
    pub cors_origins: Vec<String>,
    /// The APIs of other origins, which the edge asks for what it does not hear of them.
    pub origin_urls: Vec<String>,
}

/// `[secrets]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// Content keys are derived from it.
    pub master: Secret,
    /// The origin signs its pushes to the edge with it.
    pub origin: Secret,
    /// Sessions are signed with it. There whenever there is an embedded edge.
    pub session: Option<Secret>,
    /// Sessions that were signed with it are let in as well, while one secret replaces another.
    pub session_previous: Option<Secret>,
    /// The embedded edge signs what it tells the webhook with it. There whenever it has a webhook.
    pub webhook: Option<Secret>,
    /// The operator signs requests to the edge with it. There whenever there is an embedded edge.
    pub admin: Option<Secret>,
}

/// `[spool]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spool {
    /// How many bytes shall stay free on the disk of `data_dir`.
    pub reserve_bytes: u64,
}

/// `[recording]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    /// How long a recording is kept after its end; `None`: for ever.
    pub keep: Option<Duration>,
    /// How many bytes all recordings that have ended may have; `None`: no limit.
    pub keep_bytes: Option<u64>,
    /// How long a channel may have no feed before it ends by itself; `None`: for ever.
    pub end_after: Option<Duration>,
    /// A day after it was deleted here, a recording is deleted at the targets.
    pub delete_at_targets: bool,
}

impl Default for Recording {
    fn default() -> Recording {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        Recording { keep: hours(30 * 24), keep_bytes: None, end_after: hours(2), delete_at_targets: true }
    }
}

impl Default for Spool {
    fn default() -> Spool {
        Spool { reserve_bytes: 2048 << 20 }
    }
}

/// `[evidence]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// For how many days it is kept.
    pub keep_days: u32,
}

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{}: can't be read: {text}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// The file says something that can't be.
    #[error("{}", Listed(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What, in the order of the file.
        problems: Vec<Problem>,
    },
}

struct Listed<'a>(&'a Path, &'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.1.iter().enumerate() {
            let newline = if n == 0 { "" } else { "\n" };
            write!(f, "{newline}{}:{problem}", self.0.display())?;
        }
        Ok(())
    }
}

impl Config {
    /// Reads and checks the file, and resolves its secrets.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let unreadable = |text: String| ConfigError::Unreadable { path: path.into(), text };
        let meta = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
        if meta.len() > FILE_LEN_MAX {
            return Err(unreadable("it has more than 1 MiB: is it the right file?".into()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        Config::parse(&text, path, &|name| std::env::var(name).ok())
    }

    /// Like [`Config::load`] for text that is already read: `path` is shown in errors, and relative paths are relative to
    /// it; `env` looks up an environment variable.
    pub fn parse(
        text: &str,
        path: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        let dir = path.parent().unwrap_or(Path::new(""));
        let mut config = tables::config(text, dir, env)
            .map_err(|problems| ConfigError::Invalid { path: path.into(), problems })?;
        config.path = path.into();
        Ok(config)
    }

    /// When viewers of a channel see its score, as far as the configuration knows.
    pub fn score_offsets(&self, channel: &Channel) -> Offsets {
        let (delay_ms, others_ms) = (channel.picture_delay_ms.into(), channel.score_offset_ms.into());
        Offsets::new(delay_ms, others_ms, self.score_offsets_ms.clone())
    }
}

/// Reads the keys of one `[[target]]`, without that header, as one adds it at run time. Relative paths are relative to
/// `dir`, the configuration's directory; `env` looks up an environment variable. Whether its ids and its place are those
/// of another target is for the caller to see.
pub fn target_from_toml(
    text: &str,
    dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Target, Vec<Problem>> {
    target::alone(text, dir, env)
}
