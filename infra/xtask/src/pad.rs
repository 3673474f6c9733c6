//! The scorer's pad: the rules as Wasm beside the page's files, in one directory to serve.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::place::Place;
use crate::run::Run;
use crate::setup::Need;

/// What the pad's build needs.
pub(crate) const NEEDS: &[Need] = &[Need::Target("wasm32-unknown-unknown")];

/// Selects the rules for the one target that they are built for.
pub(crate) const PACKAGE: [&str; 4] = ["--package", "railbird-pad", "--target", "wasm32-unknown-unknown"];

/// The folder of the page's files.
const PAGE: &str = "origin-lib/pad/page";

/// What the page is made of; types are for whoever changes it.
const SERVED: [&str; 3] = ["css", "html", "js"];

/// The directory to serve.
pub(crate) fn dir(place: &Place) -> PathBuf {
    place.target.join("pad")
}

/// The rules as Wasm, in that directory.
pub(crate) fn wasm(place: &Place) -> PathBuf {
    dir(place).join("pad.wasm")
}

/// Builds it anew.
pub(crate) fn build(place: &Place) -> Result<()> {
    Run::cargo(place).args(["build", "--profile", "wasm"]).args(PACKAGE).go()?;
    let (from, to) = (place.join(PAGE), dir(place));
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(&from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if SERVED.iter().any(|served| path.extension().is_some_and(|extension| extension == *served))
            && !name.to_string_lossy().ends_with(".d.ts")
        {
            fs::copy(&path, to.join(name)).with_context(|| path.display().to_string())?;
        }
    }
    let built = place.target.join("wasm32-unknown-unknown").join("wasm").join("railbird_pad.wasm");
    fs::copy(&built, wasm(place)).with_context(|| built.display().to_string())?;
    Ok(())
}

/// Checks the types of the page's scripts, with the player's compiler.
pub(crate) fn check_types(place: &Place) -> Result<()> {
    Run::new(place.join("edge/player/node_modules/.bin/tsc")).arg("-p").arg(place.join("origin-lib/pad")).go()
}
