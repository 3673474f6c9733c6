//! What a `[[target]]` holds.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railbird_core::state::WEIGHT_DEFAULT;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::read::{At, Lookup, Problem, Reader, Table, read_file};
use super::tables::{Unique, base_url, document, id};
use super::{Authority, Bucket, Connection, Deadlines, EntryPoint, Login, Node, Place, Secret, Target};

const PREFIX_LEN_MAX: usize = 256;

/// The largest file of certificates, in bytes.
const AUTHORITY_LEN_MAX: u64 = 1 << 20;

/// The most headers of one's own.
const HEADERS_MAX: usize = 16;

/// The headers that belong to HTTP itself, or to the login.
const HEADERS_OURS: [&str; 7] = [
    "authorization",
    "connection",
    "content-length",
    "host",
    "if-none-match",
    "transfer-encoding",
    "upgrade",
];

/// What must differ among targets.
#[derive(Default)]
pub(super) struct Taken {
    ids: Unique,
    nodes: Unique,
    places: Unique,
}

/// A text that is the inside of one `[[target]]`.
pub(super) fn alone(text: &str, dir: &Path, env: Lookup<'_>) -> Result<Target, Vec<Problem>> {
    document(text, dir, env, |reader, table| read(reader, Table::root(reader, table), &mut Taken::default()))
}

impl Target {
    /// What lets us in, in every form in which it is sent: no text about the target may have it in it.
    pub fn secrets(&self) -> Vec<Secret> {
        match &self.place {
            Place::S3(bucket) => vec![bucket.access_key.clone(), bucket.secret_key.clone()],
            Place::Http(entry) => {
                let mut secrets: Vec<_> = entry.headers.iter().map(|(_, value)| value.clone()).collect();
                match &entry.login {
                    Login::None => {}
                    Login::Basic { user, password } => {
                        secrets.extend([password.clone(), basic(user, password)]);
                    }
                    Login::Bearer(token) => secrets.push(token.clone()),
                }
                secrets
            }
        }
    }
}

/// User and password as HTTP's basic authentication sends them (RFC 7617).
pub(crate) fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(&STANDARD.encode(format!("{user}:{}", password.expose())))
}

#[derive(Clone, Copy)]
enum Kind {
    S3,
    Http,
}

pub(super) fn read(reader: &Reader<'_>, table: Table<'_, '_>, taken: &mut Taken) -> Option<Target> {
    let id = id(&table);
    if let Some(id) = &id {
        taken.ids.check(reader, id);
    }
    let kind = |text: &str| match text {
        "s3" => Ok(Kind::S3),
        "http" => Ok(Kind::Http),
        _ => Err("must be \"s3\" or \"http\""),
    };
    let kind =
        table.text_needed("kind", "write \"s3\" or \"http\"").and_then(|text| table.parsed(text, kind));
    let kind = kind.map(|at| at.value);
    // The keys of the other kind are unknown here; without a kind, there is no telling which are.
    let place = match kind {
        Some(Kind::S3) => bucket(reader, &table, taken).map(Place::S3),
        Some(Kind::Http) => entry_point(reader, &table, taken).map(Place::Http),
        None => None,
    };
    let connection = connection(reader, &table);
    let default = i64::from(WEIGHT_DEFAULT);
    let weight = table.number("weight", default, 0..=1000, "shares").value;
    let price = table.number("price_micros_per_gb", 0, 0..=1_000_000_000, "millionths").value;
    let backfill_mbps = table.number("backfill_mbps", 100, 0..=100_000, "megabits a second").value;
    let node_table = table.table("node");
    let node = if node_table.is_there() {
        node(reader, node_table, &mut taken.nodes)
    } else {
        table.problem("has no node: add node = { id = \"…\", url = \"…\" }, where viewers read this target");
        None
    };
    if kind.is_some() {
        table.end();
    }
    Some(Target {
        id: id?.value,
        place: place?,
        connection: connection?,
        weight: u16::try_from(weight).ok()?,
        price_micros_per_gb: u32::try_from(price).ok()?,
        backfill_mbps: u32::try_from(backfill_mbps).ok()?,
        node: node?,
    })
}

fn bucket(reader: &Reader<'_>, table: &Table<'_, '_>, taken: &mut Taken) -> Option<Bucket> {
    let endpoint = table.text("endpoint").and_then(|text| table.parsed(text, base_url)).map(|at| at.value);
    let region = match table.text("region") {
        Some(text) => table.parsed(text, region_name).map(|at| at.value),
        None if endpoint.is_some() => Some("us-east-1".into()),
        None => {
            table.text_needed("region", "AWS needs its region; another store needs its endpoint");
            None
        }
    };
    let bucket =
        table.text_needed("bucket", "the bucket's name").and_then(|text| table.parsed(text, bucket_name));
    let prefix = match table.text("prefix") {
        Some(text) => table.parsed(text, prefix_words).map(|at| at.value),
        None => Some(String::new()),
    };
    if let (Some(bucket), Some(prefix)) = (&bucket, &prefix) {
        let place = format!("{endpoint:?} {region:?} {} {prefix}", bucket.value);
        taken.places.insert(reader, place, &bucket.key, bucket.span.clone(), "this bucket and prefix");
    }
    let path_style = table.flag("path_style", endpoint.is_some());
    let (access_key, secret_key) =
        (table.secret_needed("access_key", 1), table.secret_needed("secret_key", 1));
    Some(Bucket {
        endpoint,
        region: region?,
        bucket: bucket?.value,
        prefix: prefix?,
        path_style,
        access_key: access_key?.value,
        secret_key: secret_key?.value,
    })
}

fn entry_point(reader: &Reader<'_>, table: &Table<'_, '_>, taken: &mut Taken) -> Option<EntryPoint> {
    let url = table.text_needed("url", "the entry point's base URL: an object is put to {url}/{name}");
    let url = url.and_then(|text| table.parsed(text, base_url));
    if let Some(url) = &url {
        taken.places.check(reader, url);
    }
    let user = table.text("user").and_then(|text| table.parsed(text, user_name));
    let (password, bearer) = (table.secret("password", 1), table.secret("bearer", 1));
    let sendable = |at: Option<At<Secret>>| {
        let at = at?;
        if at.value.expose().bytes().any(|b| !(b' '..=b'~').contains(&b)) {
            let text = "its secret can't stand in an HTTP header: use ASCII on one line";
            reader.problem(&at.key, at.span, text);
            return None;
        }
        Some(at.value)
    };
    let login = match (user, password, sendable(bearer)) {
        (None, None, None) => Login::None,
        (Some(user), Some(password), None) => Login::Basic { user: user.value, password: password.value },
        (None, None, Some(token)) => Login::Bearer(token),
        _ => {
            table.problem(
                "needs user and password, or bearer, or neither: not one without the other, not both",
            );
            return None;
        }
    };
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for (name, value) in table.secrets("headers", HEADERS_MAX) {
        let place = At { value, key: name.key.clone(), span: name.span.clone() };
        let (value, name) = (sendable(Some(place)), table.parsed(name, header_name));
        headers.extend(name.map(|at| at.value).zip(value));
    }
    Some(EntryPoint { url: url?.value, login, headers })
}

fn connection(reader: &Reader<'_>, table: &Table<'_, '_>) -> Option<Connection> {
    let usual = Deadlines::default();
    let ms = |name, default: Duration, range| {
        let default = i64::try_from(default.as_millis()).unwrap_or(i64::MAX);
        let at = table.number(name, default, range, "milliseconds");
        (name, Duration::from_millis(at.value.unsigned_abs()))
    };
    let (dns, connect, tls, first_byte) = (
        ms("dns_ms", usual.dns, 100..=30_000),
        ms("connect_ms", usual.connect, 100..=30_000),
        ms("tls_ms", usual.tls, 100..=30_000),
        ms("first_byte_ms", usual.first_byte, 100..=60_000),
    );
    let total = ms("put_ms", usual.total, 500..=120_000);
    for (name, deadline) in [dns, connect, tls, first_byte] {
        if deadline > total.1 {
            table
                .problem(format!("{name} is above put_ms, which is the deadline of all of it: raise put_ms"));
        }
    }
    let authority = match table.text("ca_file") {
        Some(text) => Some(table.parsed(text, |file| authority(reader, file))?.value),
        None => None,
    };
    let deadlines =
        Deadlines { dns: dns.1, connect: connect.1, tls: tls.1, first_byte: first_byte.1, total: total.1 };
    Some(Connection { deadlines, authority })
}

fn authority(reader: &Reader<'_>, file: &str) -> Result<Authority, String> {
    let path = reader.path(file);
    let pem = read_file(&path, AUTHORITY_LEN_MAX, "is it a file of certificates?")?;
    let mut certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).peekable();
    if certificates.peek().is_none() || certificates.any(|certificate| certificate.is_err()) {
        let shown = path.display();
        return Err(format!(
            "the file {shown} is not a list of certificates in PEM (-----BEGIN CERTIFICATE-----)"
        ));
    }
    Ok(Authority { path, pem: pem.into() })
}

fn user_name(text: &str) -> Result<String, &'static str> {
    let plain = !text.is_empty() && text.len() <= 256 && !text.contains(|c: char| c == ':' || c.is_control());
    if plain { Ok(text.into()) } else { Err("must be one line of 1 to 256 bytes without ':'") }
}

fn header_name(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        Err("must be a header's name: up to 64 letters, digits, '-' and '_'".into())
    } else if HEADERS_OURS.contains(&name.as_str()) {
        Err(format!(
            "can't be {name}, which Railbird sets itself (user and password, or bearer, for a login)"
        ))
    } else {
        Ok(name)
    }
}

fn bucket_name(text: &str) -> Result<String, &'static str> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if (3..=63).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.into())
    } else {
        Err("must be a bucket's name: 3 to 63 characters of a-z, 0-9, '-' and '.'")
    }
}

fn prefix_words(text: &str) -> Result<String, &'static str> {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text.is_empty() || (text.len() <= PREFIX_LEN_MAX && text.split('/').all(part)) {
        Ok(text.into())
    } else {
        Err("must be words of letters, digits, '-' and '_' with '/' between them, not at the ends")
    }
}

fn region_name(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if (1..=64).contains(&text.len()) && plain { Ok(text.into()) } else { Err("must be a region's name") }
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
