use std::path::{Path, PathBuf};
use std::{env, fs};

use super::*;

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz-seeds")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Each seed, whole and cut short, is something that a target has to take: findings of the past stay found.
#[test]
fn every_target_takes_its_seeds_and_their_beginnings() {
    for target in TARGETS {
        let dir = seeds().join(target.name);
        let files = names(&dir);
        assert!(!files.is_empty(), "{} has no seed: a run from nothing finds little", target.name);
        for file in files {
            let seed = fs::read(dir.join(&file)).unwrap();
            assert!(seed.len() <= target.len_max, "{}/{file} is longer than len_max", target.name);
            // At most 64 beginnings, so that a long seed costs no more than a short one.
            for len in (0..seed.len()).step_by(seed.len() / 64 + 1) {
                (target.run)(&seed[..len]);
            }
            (target.run)(&seed);
        }
    }
}

#[test]
fn every_folder_of_seeds_has_a_target_and_names_are_distinct() {
    for name in names(&seeds()) {
        assert!(target(&name).is_some(), "tests/fuzz-seeds/{name} belongs to no target");
    }
    let mut distinct: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), TARGETS.len());
}

/// A seed that is answered with an error shows the way to nothing.
#[test]
fn the_seeds_of_recordings_and_screens_reach_them() {
    for (seed, status) in [
        ("replay-main", 200),
        ("replay-media", 200),
        ("replay-page", 200),
        ("start-over-main", 200),
        ("start-over-media", 200),
        ("replay-until", 200),
        ("replay-clip", 200),
        ("replay-score", 200),
        ("replay-cues", 200),
        ("score-events", 200),
        ("push-match", 204),
        ("nodes", 200),
        ("beacons", 204),
        ("push-replays", 204),
        ("push-chapter", 204),
        ("screens", 200),
        ("screens-stop", 204),
        ("screens-release", 204),
        ("key-with-lease", 200),
        ("preflight", 405),
    ] {
        let input = fs::read(seeds().join("edge-request").join(seed)).unwrap();
        assert_eq!(edge::status(&input), Some(status), "{seed}");
    }
}

#[test]
fn halves_are_cut_everywhere() {
    assert_eq!(halves(b""), (&b""[..], &b""[..]));
    assert_eq!(halves(b"\x00ab"), (&b""[..], &b"ab"[..]));
    assert_eq!(halves(b"\x80ab"), (&b"a"[..], &b"b"[..]));
    assert_eq!(halves(b"\xffab"), (&b"ab"[..], &b""[..]));
}
