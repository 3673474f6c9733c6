//! The edge on its hosts: the component in the embedded wasmtime, and the Worker under workerd. Both must pass the
//! contract, and serve static files alike; the embedded one must survive a component that misbehaves.
//!
//! What is built beforehand comes from `cargo xtask build-edge`; where it is missing, a test fails and says so.

mod counting;
mod door;
mod faults;
mod line;
mod lost;
mod printed;
mod probed;
mod raw;
mod spoilt;
mod wasmtime;
mod world;
mod wrangler;

use std::path::{Path, PathBuf};

pub(crate) use door::Http;
use railbird_edge::Request;
pub(crate) use world::{PLACE, PLACES, World};
pub(crate) use wrangler::Wrangler;

use crate::contract::Door;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A built file: from the environment, or where the build puts it. Fails with the command that makes it.
pub(crate) fn artefact(variable: &str, default: &str, command: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = std::env::var_os(variable).map_or_else(|| target.join(default), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `{command}`, or set {variable}", path.display());
    path
}

/// Kills a process that leads a group, and the group, if it still runs: nothing of it outlives a failed test.
fn end_group(leader: &tokio::process::Child) {
    if let Some(group) = leader.id() {
        // Not every shell's own kill knows `-KILL --`.
        let kill = format!("kill -s KILL -- -{group}");
        _ = std::process::Command::new("sh").arg("-c").arg(kill).status();
    }
}

/// A folder of static files such as the player's.
fn static_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    std::fs::write(folder.path().join("assets/app.js"), "console.log('railbird')").unwrap();
    std::fs::write(folder.path().join("assets/app.css"), "body{}").unwrap();
    folder
}

fn get(path: &str) -> Request {
    Request { method: "GET".into(), path: path.into(), ..Request::default() }
}

/// A page that the host served itself may act, and one on another port of the machine may not: without TLS a browser says
/// where a request comes from, and nothing else.
async fn own_pages_may_act(door: &Http) {
    let logout = |origin: String| {
        let headers = vec![("content-type".into(), "application/json".into()), ("origin".into(), origin)];
        door.call(Request { method: "POST".into(), headers, ..get("/api/logout") })
    };
    assert_eq!(logout(format!("http://{}", door.0)).await.unwrap().status, 204);
    let other = std::net::SocketAddr::new(door.0.ip(), door.0.port() ^ 1);
    assert_eq!(logout(format!("http://{other}")).await.unwrap().status, 403);
}

/// What a browser relies on, of [`static_files`].
async fn static_files_are_served(door: &Http) {
    let script = door.call(get("/assets/app.js")).await.unwrap();
    let header =
        |name: &str| script.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((script.status, &script.body[..]), (200, &b"console.log('railbird')"[..]));
    assert_eq!(header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(header("cache-control"), Some("public, max-age=0, must-revalidate"));
    let etag = header("etag").expect("a validator").to_owned();

    let again = Request { headers: vec![("if-none-match".into(), etag)], ..get("/assets/app.js") };
    let again = door.call(again).await.unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = door.call(Request { method: "HEAD".into(), ..get("/assets/app.css") }).await.unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
    for nothing in ["/assets/app.ts", "/assets/", "/assets/x/../../Cargo.toml", "/assets/..%2fCargo.toml"] {
        assert_eq!(door.call(get(nothing)).await.unwrap().status, 404, "{nothing}");
    }
}
