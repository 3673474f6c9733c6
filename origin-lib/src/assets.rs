//! Static files of a page, read once at start: what was not there then can't be asked for.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use sha2::{Digest, Sha256};

/// The largest file, in bytes.
const FILE_LEN_MAX: u64 = 16 << 20;

/// All files together, in bytes.
const TOTAL_LEN_MAX: u64 = 64 << 20;

/// The most files and folders.
const ENTRIES_MAX: usize = 2000;

/// Deepest nesting of folders.
const DEPTH_MAX: usize = 8;

/// Static files by path.
#[derive(Default)]
pub(crate) struct Assets(BTreeMap<String, Asset>);

struct Asset {
    content_type: &'static str,
    etag: HeaderValue,
    content: Bytes,
}

impl Assets {
    /// Reads the files of a folder, whose paths begin with `prefix`: `/assets/`. Links are not followed.
    ///
    /// # Errors
    /// A file can't be read, or the files are over a bound.
    pub(crate) fn read(folder: &Path, prefix: &str) -> io::Result<Assets> {
        let mut assets = BTreeMap::new();
        let mut folders = vec![(folder.to_owned(), prefix.to_owned(), 0)];
        let (mut entries, mut total_len) = (0, 0);
        let refuse = |path: PathBuf, why: &str| Err(io::Error::other(format!("{}: {why}", path.display())));
        while let Some((folder, prefix, depth)) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                entries += 1;
                if entries > ENTRIES_MAX {
                    return refuse(folder, "at most 2000 static files can be served");
                }
                let kind = entry.file_type()?;
                let Ok(name) = entry.file_name().into_string() else {
                    return refuse(entry.path(), "the name of a static file must be UTF-8");
                };
                if kind.is_dir() && depth < DEPTH_MAX {
                    folders.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
                } else if kind.is_file() {
                    let length = entry.metadata()?.len();
                    total_len += length;
                    if length > FILE_LEN_MAX || total_len > TOTAL_LEN_MAX {
                        return refuse(
                            entry.path(),
                            "static files have at most 16 MiB each and 64 MiB together",
                        );
                    }
                    assets
                        .insert(format!("{prefix}{name}"), Asset::new(&name, fs::read(entry.path())?.into()));
                }
            }
        }
        Ok(Assets(assets))
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The answer to a request for a file; `None` where there is none at the path.
    pub(crate) fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response<Bytes>> {
        let asset = self.0.get(path)?;
        let mut response = Response::new(Bytes::new());
        if method != Method::GET && method != Method::HEAD {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        let head = response.headers_mut();
        head.insert(header::ETAG, asset.etag.clone());
        // As Workers' assets: the name stays the same over versions, so each use asks whether it still holds.
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=0, must-revalidate"));
        head.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if is_known(headers, &asset.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Some(response);
        }
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
        // For a HEAD request hyper sends the body's length and leaves the body out.
        *response.body_mut() = asset.content.clone();
        Some(response)
    }
}

/// Whether the client holds this version (RFC 9110, 13.1.2: weak comparison).
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
    })
}

impl Asset {
    fn new(name: &str, content: Bytes) -> Asset {
        let digest = Sha256::digest(&content);
        let etag = format!("\"{}\"", railbird_core::hex::encode(&digest[..16]));
        let etag = HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\""));
        Asset { content_type: content_type(name), etag, content }
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "jpg" | "jpeg" => "image/jpeg",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_assets_folder_are_served() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("assets/fonts")).unwrap();
        fs::write(root.path().join("secret.txt"), "secret").unwrap();
        fs::write(root.path().join("assets/app.js"), "1").unwrap();
        fs::write(root.path().join("assets/fonts/a.woff2"), "2").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path().join("secret.txt"), root.path().join("assets/link.txt"))
            .unwrap();
        let assets = Assets::read(&root.path().join("assets"), "/assets/").unwrap();
        assert_eq!(assets.len(), 2);

        let none = HeaderMap::new();
        let get = |path: &str| assets.answer(&Method::GET, path, &none);
        let script = get("/assets/app.js").unwrap();
        assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
        assert_eq!(script.body(), "1");
        assert_eq!(get("/assets/fonts/a.woff2").unwrap().body(), "2");
        for path in [
            "/assets/",
            "/assets/link.txt",
            "/assets/../secret.txt",
            "/assets/..%2fsecret.txt",
            "/assets//app.js",
            "/assets/fonts",
            "/assets/fonts/../app.js",
        ] {
            assert!(get(path).is_none(), "{path}");
        }
        assert_eq!(assets.answer(&Method::POST, "/assets/app.js", &none).unwrap().status(), 405);

        let etag = script.headers()["etag"].to_str().unwrap();
        for (known, status) in [
            (etag.to_owned(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"x\", {etag}"), 304),
            ("*".to_owned(), 304),
            ("\"x\"".to_owned(), 200),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("if-none-match", known.parse().unwrap());
            let answer = assets.answer(&Method::GET, "/assets/app.js", &headers).unwrap();
            assert_eq!(answer.status(), status, "{known}");
        }
    }
}
