//! How large the edge's Wasm may be, and what it may import.
//!
//! An import that is not listed here is a way to the world that the edge was not meant to have: a clock in a core, a file, an
//! outbound request. Whoever adds one here knows that the edge got it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::edge;
use crate::pad;
use crate::place::Place;
use crate::run::Run;
use crate::wasm_imports;

/// The most that either edge may weigh, gzipped, in bytes.
const GZIP_LEN_MAX: u64 = 1_000_000;

/// What the Spin component may import, by interface without its version. `wasi:cli`, `clocks`, `io` and `random` in
/// their 0.2 form come with Rust's std; the host gives them no argument or variable. There is no file among them.
/// `wasi:http/client` and the clock's types are for the courier, which reaches the operator's webhook where the host lets it.
const SPIN_IMPORTS: &[&str] = &[
    "spin:key-value/key-value",
    "spin:variables/variables",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/types",
    "wasi:clocks/wall-clock",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// The one module that the Worker's Wasm may import from: what wasm-bindgen generated.
const WORKER_MODULE: &str = "./index_bg.js ";

/// What every program of wasm-bindgen imports to handle JavaScript values: beginnings of names.
const WORKER_PLUMBING: &[&str] =
    &["__wbindgen_", "get_", "instanceof_", "new", "set_", "static_accessor_", "_wbg_"];

/// What else the Worker may import: names without wasm-bindgen's `__wbg_` and hash, by what they are for.
#[rustfmt::skip]
const WORKER_IMPORTS: &[&str] = &[
    // values and errors of the language
    "Error", "Number", "String", "call", "catch", "cause", "constructor", "done", "entries", "error", "exec", "from", "get", "isSafeInteger",
    "keys", "length", "message", "name", "next", "prototypesetcall", "push", "queueMicrotask", "resolve", "set", "then", "value",
    // requests and responses, with their bodies
    "append", "arrayBuffer", "body", "buffer", "byobRequest", "byteLength", "byteOffset", "cancel", "cf", "clone", "close",
    "enqueue", "getReader", "has", "headers", "method", "raw", "read", "releaseLock", "respond", "status", "text", "url", "view",
    "webSocket",
    // letters to the operator's webhook, which are given up after a while
    "abort", "signal",
    // the time and bounds on waits, randomness, and the log
    "clearTimeout", "debug", "getRandomValues", "getTime", "log", "setTimeout",
    // the data centre's cache
    "caches", "default", "delete", "match", "put",
    // the store: a Durable Object, its stub, its database, its alarm
    "deleteAlarm", "deleteAll", "fetch", "getByName", "setAlarm", "sql", "storage",
    // what the schedule that wakes the edge's own look says of itself
    "cron", "scheduledTime",
    // viewers' lines, and what the SDK has for raw sockets, on which nothing listens
    "acceptWebSocket", "deserializeAttachment", "getWebSockets", "readable", "send", "serializeAttachment", "writable",
    // the runtime's own instance, after a panic
    "instanceId", "minifyconfig_new",
];

/// Checks both edges and the pad, which must have been built.
pub(crate) fn run(place: &Place) -> Result<()> {
    let component = edge::component(place);
    check(&component, |import| {
        SPIN_IMPORTS.contains(&import.split_once('@').map_or(import, |(interface, _)| interface))
    })?;
    size(&[&component])?;

    let build = edge::worker_dir(place);
    let wasm = build.join("index_bg.wasm");
    check(&wasm, |import| import.strip_prefix(WORKER_MODULE).is_some_and(worker_may))?;
    size(&[&wasm, &build.join("index.js")])?;

    // Rules alone: they need nothing from the page.
    let pad = pad::wasm(place);
    let imports = wasm_imports::imports(&fs::read(&pad).with_context(|| pad.display().to_string())?)?;
    ensure!(imports.is_empty(), "{} imports {}", pad.display(), imports.join(", "));
    size(&[&pad])
}

/// Whether the Worker may import this name of wasm-bindgen's.
fn worker_may(import: &str) -> bool {
    let name = import.strip_prefix("__wbg_").unwrap_or(import);
    // A hash of 16 digits follows, in most cases.
    let name = name.rsplit_once('_').filter(|(_, hash)| hash.len() == 16).map_or(name, |(name, _)| name);
    WORKER_IMPORTS.contains(&name) || WORKER_PLUMBING.iter().any(|start| name.starts_with(start))
}

fn check(wasm: &Path, allowed: impl Fn(&str) -> bool) -> Result<()> {
    let bytes = fs::read(wasm).with_context(|| format!("can't read {}", wasm.display()))?;
    let imports = wasm_imports::imports(&bytes).with_context(|| wasm.display().to_string())?;
    ensure!(!imports.is_empty(), "{} imports nothing at all: is it the edge?", wasm.display());
    let others: Vec<&str> = imports.iter().map(String::as_str).filter(|import| !allowed(import)).collect();
    if others.is_empty() {
        eprintln!("{}: {} imports, all allowed", wasm.display(), imports.len());
        return Ok(());
    }
    bail!(
        "{} imports what infra/xtask/src/wasm_check.rs does not allow:\n  {}",
        wasm.display(),
        others.join("\n  ")
    );
}

/// The gzipped sizes together. Node.js compresses: it is needed anyway.
fn size(files: &[&Path]) -> Result<()> {
    const SCRIPT: &str = "const fs = require('node:fs'), { gzipSync } = require('node:zlib');
        const len = (file) => gzipSync(fs.readFileSync(file), { level: 9 }).length;
        console.log(process.argv.slice(1).reduce((sum, file) => sum + len(file), 0));";
    let len: u64 = Run::new("node").args(["-e", SCRIPT, "--"]).args(files).output()?.parse()?;
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let text = format!("{}: {len} bytes gzipped, of at most {GZIP_LEN_MAX}", names.join(" + "));
    ensure!(len <= GZIP_LEN_MAX, "too large: {text}");
    eprintln!("{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_s_imports_are_known_by_name_without_hash() {
        for good in [
            "__wbg_fetch_feccdd6b31467948",
            "__wbg_new_0_23cedd11d9b40c9d",
            "__wbindgen_cast_0000000000000001",
        ] {
            assert!(worker_may(good), "{good}");
        }
        for bad in [
            "__wbg_setInterval_feccdd6b31467948",
            "__wbg_eval_1",
            "__wbg_fetchAll_feccdd6b31467948",
            "fd_write",
            "",
        ] {
            assert!(!worker_may(bad), "{bad}");
        }
    }
}
