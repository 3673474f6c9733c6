//! What each table holds, and the checks across tables.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use railbird_core::keys::SECRET_LEN_MIN;
use railbird_core::score::{CODE_LEN_MAX, is_code};
use railbird_core::state::NODES_MAX;
use railbird_core::web;
use toml::de::DeTable;

use super::channel::Defaults;
use super::read::{At, Lookup, Problem, Reader, Table};
use super::{
    CHANNELS_MAX, Config, EDGES_MAX, EmbeddedEdge, Event, Evidence, Recording, Rtmps, SCORERS_MAX, Secrets,
    Spool, channel, push, srt, target, whip,
};
use crate::evidence::KEEP_DAYS;

const TITLE_LEN_MAX: usize = 200;
const URL_LEN_MAX: usize = 512;

pub(super) fn config(text: &str, dir: &Path, env: Lookup<'_>) -> Result<Config, Vec<Problem>> {
    document(text, dir, env, root)
}

/// Reads a whole text by `read`.
pub(super) fn document<T>(
    text: &str,
    dir: &Path,
    env: Lookup<'_>,
    read: impl FnOnce(&Reader<'_>, &DeTable<'_>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let reader = Reader::new(text, dir, env);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.problem("", error.span().unwrap_or(0..0), format!("is not TOML: {}", error.message()));
    }
    // A text that isn't TOML leaves too little to judge its content.
    let found = if errors.is_empty() { read(&reader, document.get_ref()) } else { None };
    let problems = reader.into_problems();
    match found {
        Some(found) if problems.is_empty() => Ok(found),
        _ => Err(problems),
    }
}

/// Notes whatever comes twice among the values of all tables.
#[derive(Default)]
pub(super) struct Unique(BTreeMap<String, String>);

impl Unique {
    pub(super) fn check<T: Display>(&mut self, reader: &Reader<'_>, at: &At<T>) {
        let text = at.value.to_string();
        self.insert(reader, text.clone(), &at.key, at.span.clone(), &format!("{text:?}"));
    }

    /// `shown` stands for the value in the problem's text.
    pub(super) fn insert(
        &mut self,
        reader: &Reader<'_>,
        text: String,
        key: &str,
        span: Range<usize>,
        shown: &str,
    ) {
        if let Some(first) = self.0.get(&text) {
            reader.problem(key, span, format!("{shown} is already used by {first}: each needs its own"));
        } else {
            self.0.insert(text, key.into());
        }
    }
}

fn root(reader: &Reader<'_>, document: &DeTable<'_>) -> Option<Config> {
    let root = Table::root(reader, document);

    let origin = root.table("origin");
    let origin_id = match origin.text("id") {
        Some(text) => origin.parsed(text, str::parse).map(|at| at.value),
        None => "origin".parse().ok(),
    };
    let data_dir = origin
        .text_needed("data_dir", "the directory for spool and score, for example \"/var/lib/railbird\"");
    let ffmpeg = program(reader, &origin, "ffmpeg");
    let (segment_ms, key_period_s, dvr_s) =
        Defaults { segment_ms: 2000, key_period_s: 3600, dvr_s: 120 }.read(&origin);
    let defaults =
        Defaults { segment_ms: segment_ms.value, key_period_s: key_period_s.value, dvr_s: dvr_s.value };
    origin.end();

    let mut listeners = Unique::default();
    let rtmp = listener(reader, &root, "rtmp", "127.0.0.1:1935", &mut listeners);
    let rtmps = rtmps(reader, root.table("rtmps"), &mut listeners);
    let http_ingest = http_ingest(reader, &root, &mut listeners);
    let srt = srt::listener(reader, root.table("srt"), &mut listeners);
    let whip = whip::listener(reader, root.table("whip"), &mut listeners);
    let api = listener(reader, &root, "api", "127.0.0.1:8080", &mut listeners);
    let embedded_edge = embedded_edge(reader, root.table("embedded_edge"), &mut listeners);
    let event = event(root.table("event"));

    let spool_table = root.table("spool");
    let reserve_mb = spool_table.number("reserve_mb", 2048, 16..=16_777_216, "MiB").value.unsigned_abs();
    spool_table.end();
    let recording = recording(root.table("recording"));
    let evidence_table = root.table("evidence");
    let keep_days = evidence_table.number("keep_days", i64::from(KEEP_DAYS), 1..=3650, "days");
    evidence_table.end();

    let (mut ids, mut keys) = (Unique::default(), Unique::default());
    let mut channels = Vec::new();
    for table in root.tables("channel", CHANNELS_MAX) {
        let read = channel::read(reader, table, defaults, &mut ids, &mut keys);
        channels.extend(read);
    }
    need_one(reader, document, "channel", "add a [[channel]] for each table of the event");

    let mut taken = target::Taken::default();
    let tables = root.tables("target", NODES_MAX);
    let targets: Vec<_> =
        tables.into_iter().filter_map(|table| target::read(reader, table, &mut taken)).collect();
    need_one(reader, document, "target", "add a [[target]], the bucket to write to");

    let anchors_at = push::anchors_at(&root, &targets);
    if anchors_at.is_some() && channels.iter().any(|channel| channel.score_emsg) {
        root.problem("channel.score_emsg is for an origin without a [pair]: with it, the two would make different segments of one name");
    }
    let pushes = push::pushes(reader, &root, &channels, &ffmpeg);

    let score_table = root.table("score");
    let pad = score_table.text("pad").map(|at| reader.path(&at.value));
    let score_offsets_ms = offsets(reader, &score_table);
    score_table.end();

    let mut urls = Unique::default();
    let mut edges = Vec::new();
    for table in root.tables("edge", EDGES_MAX) {
        let url =
            table.text_needed("url", "the edge's base URL").and_then(|text| table.parsed(text, base_url));
        if let Some(url) = url {
            urls.check(reader, &url);
            edges.push(url.value);
        }
        table.end();
    }
    let has_embedded = root.table("embedded_edge").is_there();
    if !has_embedded {
        need_one(reader, document, "edge", "add an [[edge]] to push to, or [embedded_edge]");
    }

    let has_webhook = embedded_edge.as_ref().is_some_and(|edge| edge.webhook_url.is_some());
    let secrets = secrets(root.table("secrets"), has_embedded, has_webhook);
    root.end();
    Some(Config {
        path: PathBuf::new(),
        origin: origin_id?,
        data_dir: reader.path(&data_dir?.value),
        ffmpeg,
        rtmp: rtmp?,
        rtmps,
        http_ingest,
        srt,
        whip,
        api: api?,
        event: event?,
        channels,
        targets,
        edges,
        embedded_edge,
        anchors_at,
        pushes,
        pad,
        score_offsets_ms,
        secrets: secrets?,
        spool: Spool { reserve_bytes: reserve_mb << 20 },
        recording,
        evidence: Evidence { keep_days: u32::try_from(keep_days.value).unwrap_or(KEEP_DAYS) },
        known_secrets: reader.secrets(),
    })
}

/// A program: of the system's, or by a path.
fn program(reader: &Reader<'_>, table: &Table<'_, '_>, name: &'static str) -> PathBuf {
    let named = table.text(name).map_or_else(|| name.to_string(), |at| at.value);
    if named.contains('/') { reader.path(&named) } else { named.into() }
}

fn need_one(reader: &Reader<'_>, document: &DeTable<'_>, name: &str, hint: &str) {
    if document.get(name).is_none_or(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty())) {
        reader.problem(name, 0..0, format!("there is none: {hint}"));
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"")
}

pub(super) fn listen(
    reader: &Reader<'_>,
    table: &Table<'_, '_>,
    default: &str,
    listeners: &mut Unique,
) -> Option<SocketAddr> {
    listen_as(reader, table, "listen", default, listeners)
}

pub(super) fn listen_as(
    reader: &Reader<'_>,
    table: &Table<'_, '_>,
    name: &'static str,
    default: &str,
    listeners: &mut Unique,
) -> Option<SocketAddr> {
    let Some(text) = table.text(name) else { return default.parse().ok() };
    let at = table.parsed(text, address)?;
    // Port 0 is the system's choice: it never comes twice.
    if at.value.port() != 0 {
        listeners.check(reader, &at);
    }
    Some(at.value)
}

fn listener(
    reader: &Reader<'_>,
    root: &Table<'_, '_>,
    name: &'static str,
    default: &str,
    listeners: &mut Unique,
) -> Option<SocketAddr> {
    let table = root.table(name);
    let address = listen(reader, &table, default, listeners);
    table.end();
    address
}

fn http_ingest(reader: &Reader<'_>, root: &Table<'_, '_>, listeners: &mut Unique) -> Option<SocketAddr> {
    let table = root.table("http_ingest");
    let there = table.is_there().then(|| listen(reader, &table, "127.0.0.1:8082", listeners));
    table.end();
    there?
}

fn rtmps(reader: &Reader<'_>, table: Table<'_, '_>, listeners: &mut Unique) -> Option<Rtmps> {
    if !table.is_there() {
        table.end();
        return None;
    }
    let listen = listen(reader, &table, "127.0.0.1:1936", listeners);
    let certificate = table.text_needed("certificate", "the file of the certificate chain, in PEM");
    let key = table.text_needed("key", "the file of the certificate's key, in PEM");
    table.end();
    Some(Rtmps {
        listen: listen?,
        certificate: reader.path(&certificate?.value),
        key: reader.path(&key?.value),
    })
}

pub(super) fn title(table: &Table<'_, '_>) -> Option<String> {
    let text = table.text_needed("title", "what people call it")?;
    let check = |text: &str| {
        let fits = !text.is_empty() && text.len() <= TITLE_LEN_MAX && !text.chars().any(char::is_control);
        if fits { Ok(text.to_string()) } else { Err("must be one line of 1 to 200 bytes") }
    };
    table.parsed(text, check).map(|at| at.value)
}

pub(super) fn id<T: std::str::FromStr<Err: Display>>(table: &Table<'_, '_>) -> Option<At<T>> {
    let text = table.text_needed("id", "its name, 1 to 64 characters of a-z, 0-9 and '-'")?;
    table.parsed(text, str::parse)
}

fn recording(table: Table<'_, '_>) -> Recording {
    let some = |value: u64| (value > 0).then_some(value);
    let number =
        |name, default, most, unit| some(table.number(name, default, 0..=most, unit).value.unsigned_abs());
    let keep_days = number("keep_days", 30, 36_500, "days");
    let keep_gb = number("keep_gb", 0, 1 << 20, "GiB");
    let end_after_s = number("end_after_s", 7200, 604_800, "seconds");
    let delete_at_targets = table.flag("delete_at_targets", true);
    table.end();
    Recording {
        keep: keep_days.map(|days| Duration::from_secs(days * 86_400)),
        keep_bytes: keep_gb.map(|gb| gb << 30),
        end_after: end_after_s.map(Duration::from_secs),
        delete_at_targets,
    }
}

fn event(table: Table<'_, '_>) -> Option<Event> {
    let (id, title) = (id(&table), title(&table));
    table.end();
    Some(Event { id: id?.value, title: title? })
}

/// By how much a scorer's events may be moved, in milliseconds.
pub(super) const OFFSET_MS: RangeInclusive<i64> = -10_000..=10_000;

fn offsets(reader: &Reader<'_>, table: &Table<'_, '_>) -> BTreeMap<String, i64> {
    let offsets = table.numbers("offsets_ms", SCORERS_MAX, OFFSET_MS, "milliseconds");
    for name in offsets.iter().map(|(name, _)| name).filter(|name| !is_code(&name.value)) {
        let text = format!("a scorer's name needs 1 to {CODE_LEN_MAX} printable ASCII characters");
        reader.problem(&name.key, name.span.clone(), text);
    }
    offsets.into_iter().map(|(name, offset_ms)| (name.value, offset_ms)).collect()
}

/// An `http(s)` URL without user, query, fragment and trailing slash, in the ASCII that playlists take.
pub(crate) fn base_url(text: &str) -> Result<String, &'static str> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
    if scheme != "http" && scheme != "https" {
        return Err("must be a URL that begins with http:// or https://");
    }
    let host = rest.split('/').next().unwrap_or("");
    if host.is_empty() || host.starts_with(':') {
        return Err("must name a host after ://");
    }
    if host.contains('@') {
        return Err("must not hold a user or password: a URL is seen by everyone");
    }
    if text.ends_with('/') {
        return Err("must not end with '/'");
    }
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"?#\\".contains(&b));
    if !plain || text.len() > URL_LEN_MAX {
        return Err("must be at most 512 ASCII characters, without spaces, quotes, '?' and '#'");
    }
    Ok(text.into())
}

/// An origin of the web, as browsers send it.
fn origin(text: &str) -> Result<String, &'static str> {
    let wrong = "must be an origin such as https://www.example.org, in lower case and without a path";
    if web::is_origin(text) { Ok(text.into()) } else { Err(wrong) }
}

fn embedded_edge(reader: &Reader<'_>, table: Table<'_, '_>, listeners: &mut Unique) -> Option<EmbeddedEdge> {
    if !table.is_there() {
        return None;
    }
    let listen = listen(reader, &table, "127.0.0.1:8787", listeners);
    let component = table.text_needed("component", "the file that `cargo xtask build-edge spin` made");
    let assets = table.text_needed("assets", "the directory of the player's files");
    let public_url = match table.text("public_url") {
        Some(text) => table.parsed(text, base_url).map(|at| at.value),
        None => listen.map(|address| format!("http://{address}")),
    };
    let webhook_url = table.text("webhook_url").and_then(|text| table.parsed(text, base_url));
    let origins = |key, max| {
        let texts = table.texts(key, max).into_iter();
        texts.filter_map(|text| table.parsed(text, origin)).map(|at| at.value).collect()
    };
    let cors_origins = origins("cors_origins", web::ORIGINS_MAX);
    let origin_urls = origins("origin_urls", web::ORIGIN_APIS_MAX);
    table.end();
    Some(EmbeddedEdge {
        listen: listen?,
        component: reader.path(&component?.value),
        assets: reader.path(&assets?.value),
        public_url: public_url?,
        webhook_url: webhook_url.map(|at| at.value),
        cors_origins,
        origin_urls,
    })
}

fn secrets(table: Table<'_, '_>, has_embedded: bool, has_webhook: bool) -> Option<Secrets> {
    let master = table.secret_needed("master", SECRET_LEN_MIN);
    let origin = table.secret_needed("origin", SECRET_LEN_MIN);
    // Only an edge in this process needs these two here.
    let edge_only = |name| {
        if has_embedded {
            table.secret_needed(name, SECRET_LEN_MIN)
        } else {
            table.secret(name, SECRET_LEN_MIN)
        }
    };
    let (session, admin) = (edge_only("session"), edge_only("admin"));
    let webhook = match has_webhook {
        true => table.secret_needed("webhook", SECRET_LEN_MIN),
        false => table.secret("webhook", SECRET_LEN_MIN),
    };
    let session_previous = table.secret("session_previous", SECRET_LEN_MIN);
    table.end();
    Some(Secrets {
        master: master?.value,
        origin: origin?.value,
        session: session.map(|at| at.value),
        session_previous: session_previous.map(|at| at.value),
        webhook: webhook.map(|at| at.value),
        admin: admin.map(|at| at.value),
    })
}
