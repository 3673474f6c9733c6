//! Versions from `Cargo.lock`.

use anyhow::{Result, bail};

/// The one version of `package` in the text of a `Cargo.lock`.
pub(crate) fn version<'a>(lock: &'a str, package: &str) -> Result<&'a str> {
    let mut versions = lock.split("[[package]]").filter_map(|entry| {
        (value(entry, "name") == Some(package)).then(|| value(entry, "version")).flatten()
    });
    match (versions.next(), versions.next()) {
        (Some(version), None) => Ok(version),
        (None, _) => bail!("Cargo.lock has no package {package}"),
        (Some(_), Some(_)) => bail!("Cargo.lock has more than one version of {package}"),
    }
}

/// The value of `key = "value"` in one entry.
fn value<'a>(entry: &'a str, key: &str) -> Option<&'a str> {
    entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "wasm-bindgen"
version = "0.2.129"
dependencies = [
 "twice 1.0.0",
]

[[package]]
name = "wasm-bindgen-macro"
version = "0.2.130"

[[package]]
name = "twice"
version = "1.0.0"

[[package]]
name = "twice"
version = "2.0.0"
"#;

    #[test]
    fn a_version_is_found_by_the_whole_name() {
        assert_eq!(version(LOCK, "wasm-bindgen").unwrap(), "0.2.129");
        assert!(version(LOCK, "wasm").unwrap_err().to_string().contains("no package wasm"));
        assert!(version(LOCK, "twice").unwrap_err().to_string().contains("more than one"));
    }

    #[test]
    fn the_tools_that_setup_installs_are_pinned_by_our_own_lock() {
        let lock = include_str!("../../../Cargo.lock");
        for package in ["wasm-bindgen", "worker"] {
            assert!(version(lock, package).is_ok(), "{package}");
        }
    }
}
