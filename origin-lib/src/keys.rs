//! `railbird keys rotate`: a new session secret for every edge of an event, without a viewer who has to log in again.
//!
//! An edge signs sessions with one secret and lets those of a second one in. So the new one goes to every edge as the second
//! first, then they change places, and the old one goes when its last session has ended: at no moment is there an edge that
//! refuses what another one has signed. A secret that leaked is no secret to let in for a while: it is replaced at once, and
//! everybody logs in again. Secrets of platforms are set with the platforms' own tools; here is what to type.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use railbird_core::hex;
use serde_json::json;

use crate::config::{Config, Secret};

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new session secret, and say step by step where to set it. Nobody has to log in again.
    ///
    /// If the present secret leaked, whoever has it can make sessions until it is replaced, so it must not be let in for a while as the
    /// steps do: set the new one at every edge at once, and no second one beside it. That is the first thing that is printed.
    /// Everybody logs in again then.
    Rotate(Rotate),
}

/// `railbird keys rotate`.
#[derive(Args, Debug)]
pub struct Rotate {
    /// The folder for the new secret and the old one, which only you can read; it must not exist yet.
    #[arg(long, value_name = "FOLDER", default_value = "railbird-session-secrets")]
    out: PathBuf,
    /// A file with the present session secret, where the configuration has no `secrets.session`.
    #[arg(long, value_name = "FILE")]
    present_file: Option<PathBuf>,
}

/// Does what the command line says.
///
/// # Errors
/// The present secret is not known, or the folder can't be made.
pub fn run(config: &Config, command: &Command) -> anyhow::Result<()> {
    let Command::Rotate(rotate) = command;
    let present = match &rotate.present_file {
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("{} can't be read", file.display()))?;
            Secret::new(text.trim_end_matches(['\r', '\n']))
        }
        None => config
            .secrets
            .session
            .clone()
            .context("secrets.session is missing in the configuration: give --present-file")?,
    };
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).context("the system gives no randomness")?;
    let fresh = Secret::new(&hex::encode(&fresh));
    let folder = write(&rotate.out, &present, &fresh)?;
    print!("{}", steps(&folder, config.embedded_edge.is_some()));
    Ok(())
}

/// Writes both secrets, for each platform in the form in which its tool takes them; returns the folder's whole path.
fn write(out: &Path, present: &Secret, fresh: &Secret) -> anyhow::Result<PathBuf> {
    let failed = || format!("{} can't be made: it must not exist yet", out.display());
    DirBuilder::new().mode(0o700).create(out).with_context(failed)?;
    // Both at once: two commands would be two versions of the Worker, and the one between would refuse somebody.
    let both = json!({ "SESSION_SECRET": fresh.expose(), "SESSION_SECRET_PREVIOUS": present.expose() });
    for (name, text) in
        [("old", present.expose()), ("new", fresh.expose()), ("cloudflare.json", &both.to_string())]
    {
        let path = out.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written =
            file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.with_context(|| format!("{} can't be written", path.display()))?;
    }
    out.canonicalize().with_context(failed)
}

fn steps(folder: &Path, has_embedded: bool) -> String {
    let at = |name: &str| quoted(&folder.join(name).display().to_string());
    let (old, new, both) = (at("old"), at("new"), at("cloudflare.json"));
    let mut text = String::new();
    let mut step = |title: &str, cloudflare: String, spin: String, own: String| {
        _ = writeln!(
            text,
            "{title}\n  Cloudflare (in infra/cloudflare):\n    {cloudflare}\n  Spin:\n    {spin}"
        );
        if has_embedded {
            _ = writeln!(
                text,
                "  The embedded edge: in [secrets] of railbird.toml, then restart:\n    {own}"
            );
        }
        text.push('\n');
    };
    step(
        "If the secret in use leaked, only this, at every edge at once, in place of the steps below: whoever has it could \
         make sessions until then. Everybody logs in again.",
        format!(
            "npx wrangler secret put SESSION_SECRET < {new}\n    \
             npx wrangler secret delete SESSION_SECRET_PREVIOUS    # where there is one"
        ),
        format!("SPIN_VARIABLE_SESSION_SECRET=\"$(cat {new})\" SPIN_VARIABLE_SESSION_SECRET_PREVIOUS=\"\""),
        format!(
            "session = {{ file = {:?} }}, without session_previous",
            folder.join("new").display().to_string()
        ),
    );
    step(
        "1. At every edge, let the new secret in. Wait until all have it.",
        format!("npx wrangler secret put SESSION_SECRET_PREVIOUS < {new}"),
        format!("SPIN_VARIABLE_SESSION_SECRET_PREVIOUS=\"$(cat {new})\", and SESSION_SECRET as it is"),
        format!("session_previous = {{ file = {new:?} }}", new = folder.join("new").display().to_string()),
    );
    step(
        "2. At every edge, sign with the new one and let the old one in.",
        format!("npx wrangler secret bulk {both}"),
        format!(
            "SPIN_VARIABLE_SESSION_SECRET=\"$(cat {new})\" SPIN_VARIABLE_SESSION_SECRET_PREVIOUS=\"$(cat {old})\""
        ),
        format!(
            "session = {{ file = {:?} }}\n    session_previous = {{ file = {:?} }}",
            folder.join("new").display().to_string(),
            folder.join("old").display().to_string()
        ),
    );
    step(
        "3. When the last old session has ended (session_ttl_s after step 2, 12 hours unless set), forget the old one.",
        "npx wrangler secret delete SESSION_SECRET_PREVIOUS".to_string(),
        "SPIN_VARIABLE_SESSION_SECRET_PREVIOUS=\"\"".to_string(),
        "without session_previous".to_string(),
    );
    _ = writeln!(
        text,
        "The secrets are in {}, for you alone. Where a platform's own store has them, delete that folder.",
        folder.display()
    );
    text
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn both_secrets_are_written_for_nobody_else_and_shown_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("it's here");
        let (present, fresh) = (Secret::new("the present secret"), Secret::new("the fresh secret"));
        let folder = write(&out, &present, &fresh).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for (name, expected) in [("old", "the present secret"), ("new", "the fresh secret")] {
            let path = folder.join(name);
            assert_eq!((mode(&path), &*std::fs::read_to_string(path).unwrap()), (0o600, expected));
        }
        let both: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("cloudflare.json")).unwrap()).unwrap();
        assert_eq!(both["SESSION_SECRET"], "the fresh secret");
        assert_eq!(both["SESSION_SECRET_PREVIOUS"], "the present secret");
        assert_eq!(mode(&folder.join("cloudflare.json")), 0o600);
        for has_embedded in [false, true] {
            let text = steps(&folder, has_embedded);
            assert!(!text.contains("the present secret") && !text.contains("the fresh secret"), "{text}");
            assert!(text.contains("it'\\''s here/new'"), "{text}");
            assert_eq!(text.contains("railbird.toml"), has_embedded);
            // With a secret that leaked, there is no step that lets it in.
            let (leaked, steps) = text.split_once("\n\n1. ").unwrap();
            let lets_in = ["cloudflare.json", "/old'", "/old\"", "bulk"];
            assert!(leaked.contains("leaked") && leaked.contains("here/new'"), "{leaked}");
            assert!(!lets_in.iter().any(|text| leaked.contains(text)), "{leaked}");
            assert!(steps.contains("cloudflare.json") && steps.contains("/old'"), "{steps}");
        }
        assert!(write(&out, &present, &fresh).is_err(), "what is there is not replaced");
    }
}
