//! What each table holds, and the checks across tables.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use railbird_core::keys::SECRET_LEN_MIN;
use railbird_core::state::{NODES_MAX, SEGMENTS_MAX};
use toml::de::DeTable;

use crate::evidence::KEEP_DAYS;

use super::read::{At, Lookup, Problem, Reader, Table};
use super::{
    CHANNELS_MAX, Channel, Config, EDGES_MAX, EmbeddedEdge, Event, Evidence, Feed, Node, Role, Secrets,
    Spool, Target,
};

const TITLE_LEN_MAX: usize = 200;
const URL_LEN_MAX: usize = 512;
const PREFIX_LEN_MAX: usize = 256;
const KEY_LEN_MIN: usize = 8;
const FEEDS_MAX: usize = 1;

/// The fewest segments that a live playlist may list.
const LISTED_MIN: i64 = 4;

pub(super) fn config(text: &str, dir: &Path, env: Lookup<'_>) -> Result<Config, Vec<Problem>> {
    let reader = Reader::new(text, dir, env);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.problem("", error.span().unwrap_or(0..0), format!("is not TOML: {}", error.message()));
    }
    // A file that isn't TOML leaves too little to judge its content.
    let config = if errors.is_empty() { root(&reader, document.get_ref()) } else { None };
    let problems = reader.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// Notes whatever comes twice among the values of all tables.
#[derive(Default)]
struct Unique(BTreeMap<String, String>);

impl Unique {
    fn check<T: Display>(&mut self, reader: &Reader<'_>, at: &At<T>) {
        let text = at.value.to_string();
        self.insert(reader, text.clone(), &at.key, at.span.clone(), &format!("{text:?}"));
    }

    /// `shown` stands for the value in the problem's text.
    fn insert(&mut self, reader: &Reader<'_>, text: String, key: &str, span: Range<usize>, shown: &str) {
        if let Some(first) = self.0.get(&text) {
            reader.problem(key, span, format!("{shown} is already used by {first}: each needs its own"));
        } else {
            self.0.insert(text, key.into());
        }
    }
}

#[derive(Clone, Copy)]
struct Defaults {
    segment_ms: i64,
    key_period_s: i64,
    dvr_s: i64,
}

impl Defaults {
    fn read(self, table: &Table<'_, '_>) -> (At<i64>, At<i64>, At<i64>) {
        (
            table.number("segment_ms", self.segment_ms, 500..=20_000, "milliseconds"),
            table.number("key_period_s", self.key_period_s, 60..=86_400, "seconds"),
            table.number("dvr_s", self.dvr_s, 10..=86_400, "seconds"),
        )
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
    let (segment_ms, key_period_s, dvr_s) =
        Defaults { segment_ms: 2000, key_period_s: 3600, dvr_s: 120 }.read(&origin);
    let defaults =
        Defaults { segment_ms: segment_ms.value, key_period_s: key_period_s.value, dvr_s: dvr_s.value };
    origin.end();

    let mut listeners = Unique::default();
    let rtmp = listener(reader, &root, "rtmp", "127.0.0.1:1935", &mut listeners);
    let api = listener(reader, &root, "api", "127.0.0.1:8080", &mut listeners);
    let embedded_edge = embedded_edge(reader, root.table("embedded_edge"), &mut listeners);
    let event = event(root.table("event"));

    let spool_table = root.table("spool");
    let keep_s = spool_table.number("keep_s", 3600, 60..=2_592_000, "seconds");
    spool_table.end();
    let evidence_table = root.table("evidence");
    let keep_days = evidence_table.number("keep_days", i64::from(KEEP_DAYS), 1..=3650, "days");
    evidence_table.end();

    let (mut ids, mut keys) = (Unique::default(), Unique::default());
    let mut channels = Vec::new();
    for table in root.tables("channel", CHANNELS_MAX) {
        let read = channel(reader, table, defaults, keep_s.value, &mut ids, &mut keys);
        channels.extend(read);
    }
    need_one(reader, document, "channel", "add a [[channel]] for each table of the event");

    let (mut ids, mut node_ids, mut places) = (Unique::default(), Unique::default(), Unique::default());
    let mut targets = Vec::new();
    for table in root.tables("target", NODES_MAX) {
        targets.extend(target(reader, table, &mut ids, &mut node_ids, &mut places));
    }
    need_one(reader, document, "target", "add a [[target]], the bucket to write to");

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

    let secrets = secrets(root.table("secrets"), has_embedded);
    root.end();
    Some(Config {
        origin: origin_id?,
        data_dir: reader.path(&data_dir?.value),
        rtmp: rtmp?,
        api: api?,
        event: event?,
        channels,
        targets,
        edges,
        embedded_edge,
        secrets: secrets?,
        spool: Spool { keep: Duration::from_secs(keep_s.value.unsigned_abs()) },
        evidence: Evidence { keep_days: u32::try_from(keep_days.value).unwrap_or(KEEP_DAYS) },
        known_secrets: reader.secrets(),
    })
}

fn need_one(reader: &Reader<'_>, document: &DeTable<'_>, name: &str, hint: &str) {
    if document.get(name).is_none_or(|value| value.get_ref().as_array().is_some_and(|list| list.is_empty())) {
        reader.problem(name, 0..0, format!("there is none: {hint}"));
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"")
}

fn listen(
    reader: &Reader<'_>,
    table: &Table<'_, '_>,
    default: &str,
    listeners: &mut Unique,
) -> Option<SocketAddr> {
    let Some(text) = table.text("listen") else { return default.parse().ok() };
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

fn title(table: &Table<'_, '_>) -> Option<String> {
    let text = table.text_needed("title", "what people call it")?;
    let check = |text: &str| {
        let fits = !text.is_empty() && text.len() <= TITLE_LEN_MAX && !text.chars().any(char::is_control);
        if fits { Ok(text.to_string()) } else { Err("must be one line of 1 to 200 bytes") }
    };
    table.parsed(text, check).map(|at| at.value)
}

fn id<T: std::str::FromStr<Err: Display>>(table: &Table<'_, '_>) -> Option<At<T>> {
    let text = table.text_needed("id", "its name, 1 to 64 characters of a-z, 0-9 and '-'")?;
    table.parsed(text, str::parse)
}

fn event(table: Table<'_, '_>) -> Option<Event> {
    let (id, title) = (id(&table), title(&table));
    table.end();
    Some(Event { id: id?.value, title: title? })
}

fn channel(
    reader: &Reader<'_>,
    table: Table<'_, '_>,
    defaults: Defaults,
    keep_s: i64,
    ids: &mut Unique,
    keys: &mut Unique,
) -> Option<Channel> {
    let (id, title) = (id(&table), title(&table));
    if let Some(id) = &id {
        ids.check(reader, id);
    }
    let (segment_ms, key_period_s, dvr_s) = defaults.read(&table);
    let listed = dvr_s.value * 1000 / segment_ms.value.max(1);
    if !(LISTED_MIN..=SEGMENTS_MAX as i64).contains(&listed) {
        let text = format!(
            "{} s list {listed} segments of {} ms: it must be {LISTED_MIN} to {SEGMENTS_MAX} segments",
            dvr_s.value, segment_ms.value
        );
        reader.problem(&dvr_s.key, dvr_s.span.clone(), text);
    }
    if dvr_s.value > keep_s {
        let text =
            format!("{} s are more than spool.keep_s ({keep_s} s): raise that, or lower this", dvr_s.value);
        reader.problem(&dvr_s.key, dvr_s.span.clone(), text);
    }
    let score_offset_ms = table.number("score_offset_ms", 0, -10_000..=10_000, "milliseconds").value;
    let score_key = table.secret("score_key", KEY_LEN_MIN).map(|at| at.value);

    let tables = table.tables("feed", FEEDS_MAX);
    if tables.is_empty() {
        table.problem("has no feed: add a [[channel.feed]] with the stream_key of its encoder");
    }
    let feeds = tables.into_iter().filter_map(|table| feed(reader, table, keys)).collect();
    table.end();
    Some(Channel {
        id: id?.value,
        title: title?,
        segment_ms: u32::try_from(segment_ms.value).ok()?,
        key_period_s: u32::try_from(key_period_s.value).ok()?,
        dvr_s: u32::try_from(dvr_s.value).ok()?,
        score_offset_ms: i32::try_from(score_offset_ms).ok()?,
        score_key,
        feeds,
    })
}

fn feed(reader: &Reader<'_>, table: Table<'_, '_>, keys: &mut Unique) -> Option<Feed> {
    let stream_key = table.secret_needed("stream_key", KEY_LEN_MIN);
    if let Some(at) = &stream_key {
        let text = at.value.expose();
        if text.bytes().all(|b| b.is_ascii_graphic() && !b"/?&#%".contains(&b)) {
            keys.insert(reader, text.into(), &at.key, at.span.clone(), "this stream key");
        } else {
            let text = "its secret must be ASCII without spaces and without / ? & # %, as encoders put it into a URL";
            reader.problem(&at.key, at.span.clone(), text);
        }
    }
    let role = |text: &str| match text {
        "primary" => Ok(Role::Primary),
        _ => Err("must be \"primary\", the only role there is today"),
    };
    let role = table.text("role").map_or(Some(Role::Primary), |text| Some(table.parsed(text, role)?.value));
    table.end();
    Some(Feed { stream_key: stream_key?.value, role: role? })
}

/// An `http(s)` URL without user, query, fragment and trailing slash, in the ASCII that playlists take.
fn base_url(text: &str) -> Result<String, &'static str> {
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

fn bucket(text: &str) -> Result<String, &'static str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if (3..=63).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.into())
    } else {
        Err("must be a bucket's name: 3 to 63 characters of a-z, 0-9, '-' and '.'")
    }
}

fn prefix(text: &str) -> Result<String, &'static str> {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text.is_empty() || (text.len() <= PREFIX_LEN_MAX && text.split('/').all(part)) {
        Ok(text.into())
    } else {
        Err("must be words of letters, digits, '-' and '_' with '/' between them, not at the ends")
    }
}

fn region(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if (1..=64).contains(&text.len()) && plain { Ok(text.into()) } else { Err("must be a region's name") }
}

fn target(
    reader: &Reader<'_>,
    table: Table<'_, '_>,
    ids: &mut Unique,
    node_ids: &mut Unique,
    places: &mut Unique,
) -> Option<Target> {
    let id = id(&table);
    if let Some(id) = &id {
        ids.check(reader, id);
    }
    let is_s3 =
        |text: &str| if text == "s3" { Ok(()) } else { Err("must be \"s3\", the only kind there is today") };
    let kind = table.text_needed("kind", "write \"s3\"").and_then(|text| table.parsed(text, is_s3));
    let endpoint = table.text("endpoint").and_then(|text| table.parsed(text, base_url)).map(|at| at.value);
    let region = match table.text("region") {
        Some(text) => table.parsed(text, region).map(|at| at.value),
        None if endpoint.is_some() => Some("us-east-1".into()),
        None => {
            table.text_needed("region", "AWS needs its region; another store needs its endpoint");
            None
        }
    };
    let bucket = table.text_needed("bucket", "the bucket's name").and_then(|text| table.parsed(text, bucket));
    let prefix = match table.text("prefix") {
        Some(text) => table.parsed(text, prefix).map(|at| at.value),
        None => Some(String::new()),
    };
    if let (Some(bucket), Some(prefix)) = (&bucket, &prefix) {
        let place = format!("{endpoint:?} {region:?} {} {prefix}", bucket.value);
        places.insert(reader, place, &bucket.key, bucket.span.clone(), "this bucket and prefix");
    }
    let path_style = table.flag("path_style", endpoint.is_some());
    let (access_key, secret_key) =
        (table.secret_needed("access_key", 1), table.secret_needed("secret_key", 1));
    let ms = |name, default, range| {
        let number = table.number(name, default, range, "milliseconds").value;
        Duration::from_millis(number.unsigned_abs())
    };
    let connect_deadline = ms("connect_ms", 2000, 100..=30_000);
    let put_deadline = ms("put_ms", 10_000, 500..=120_000);
    if connect_deadline > put_deadline {
        table.problem(
            "connect_ms is above put_ms: a put includes connecting, so put_ms must be the larger one",
        );
    }
    let node_table = table.table("node");
    let node = if node_table.is_there() {
        node(reader, node_table, node_ids)
    } else {
        table.problem("has no node: add node = { id = \"…\", url = \"…\" }, where viewers read this bucket");
        None
    };
    table.end();
    kind?;
    Some(Target {
        id: id?.value,
        endpoint,
        region: region?,
        bucket: bucket?.value,
        prefix: prefix?,
        path_style,
        access_key: access_key?.value,
        secret_key: secret_key?.value,
        connect_deadline,
        put_deadline,
        node: node?,
    })
}

fn node(reader: &Reader<'_>, table: Table<'_, '_>, ids: &mut Unique) -> Option<Node> {
    let id = id(&table);
    if let Some(id) = &id {
        ids.check(reader, id);
    }
    let hint = "where viewers read: an object's URL is {url}/{name}";
    let url = table.text_needed("url", hint).and_then(|text| table.parsed(text, base_url));
    table.end();
    Some(Node { id: id?.value, url: url?.value })
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
    table.end();
    Some(EmbeddedEdge {
        listen: listen?,
        component: reader.path(&component?.value),
        assets: reader.path(&assets?.value),
        public_url: public_url?,
    })
}

fn secrets(table: Table<'_, '_>, has_embedded: bool) -> Option<Secrets> {
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
    table.end();
    Some(Secrets {
        master: master?.value,
        origin: origin?.value,
        session: session.map(|at| at.value),
        admin: admin.map(|at| at.value),
    })
}
