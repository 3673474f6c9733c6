//! The one place where the origin reads the wall clock.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use railbird_core::srt::Micros;
use railbird_core::time::{Moment, UtcMs};

/// The wall clock. A clock before 1970 reads as 1970.
pub fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UtcMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// How far [`steady`] is ahead of where it began, in milliseconds.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// The steady clock reads no less than this from now on: an earlier run was there already, on a clock that has been set
/// back since.
pub fn not_before(past: UtcMs) {
    let ahead = past.ms_since(steady());
    AHEAD.fetch_add(ahead, Ordering::Relaxed);
}

/// How often the file of [`keep`] is written.
const KEEP_EVERY: Duration = Duration::from_millis(500);

/// How far behind the clock the file may be after a crash, in milliseconds.
const KEPT_MS: u64 = 2_000;

/// The steady clock's reading is kept in a file until this is dropped.
#[derive(Debug)]
pub struct Kept {
    _stop: SyncSender<()>,
}

/// Keeps the steady clock's reading in this file, from which it goes on after a crash: revisions are made of it, and an
/// edge leaves out what looks old, even where the wall clock was set back while nothing was recorded.
pub fn keep(path: &Path) -> io::Result<Kept> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    // A file that is not whole says nothing: recordings tell nearly as much.
    if let Ok(kept) = text.trim().parse() {
        not_before(UtcMs(kept).plus_ms(KEPT_MS));
    }
    // Overwritten in place: a full disk has room for that.
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let write = move || file.write_all_at(format!("{:020}\n", steady().0).as_bytes(), 0);
    // Before anybody reads the clock: after a crash at once, the next run must not begin where this one did. Without a
    // line in the file, less is known then.
    let _ = write();
    let (stop, stopped) = sync_channel(0);
    let write = move || {
        loop {
            let _ = write();
            if stopped.recv_timeout(KEEP_EVERY) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    std::thread::Builder::new().name("clock".to_string()).spawn(write)?;
    Ok(Kept { _stop: stop })
}

/// A clock that is never set: the wall clock when it was first read, and how long ago that is. For everything that asks
/// how long something has lasted.
pub fn steady() -> UtcMs {
    static BEGIN: LazyLock<(UtcMs, Instant)> = LazyLock::new(|| (now(), Instant::now()));
    let (wall, begin) = *BEGIN;
    let passed = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    wall.plus_ms(passed).plus_ms(AHEAD.load(Ordering::Relaxed))
}

/// The wall clock, and the one that only goes forward.
pub fn moment() -> Moment {
    static START: OnceLock<Instant> = OnceLock::new();
    let up = START.get_or_init(Instant::now).elapsed();
    Moment { utc: now(), up_ms: u64::try_from(up.as_millis()).unwrap_or(u64::MAX) }
}

/// Microseconds since this was first asked: for what measures links.
pub fn micros() -> Micros {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Micros(u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// A clock that differs by less than this from what it was taken for is as it was, in milliseconds: answers are under way
/// for a while, and many tell whole seconds.
const THEIRS_MS: u64 = 5_000;

/// No machine's clock is beyond this one: the year 2100.
const BEYOND: UtcMs = UtcMs(4_102_444_800_000);

/// Another machine's clock, as far as it told: ours until then.
///
/// What is signed for that machine carries its time. A clock that was set wrong here, or there, then keeps nobody from
/// taking what we send.
#[derive(Debug, Default)]
pub struct Theirs(AtomicI64);

impl Theirs {
    /// What it says now.
    pub fn now(&self) -> UtcMs {
        UtcMs(now().0.saturating_add_signed(self.0.load(Ordering::Relaxed)))
    }

    /// It has refused what was signed at `signed`, and said what it reads. Gives a sentence for a person; `None` where the two
    /// are the same, or no clock reads so: then another try is of no use.
    pub fn learn(&self, told: UtcMs, signed: UtcMs) -> Option<String> {
        if told >= BEYOND || told.0.abs_diff(signed.0) < THEIRS_MS {
            return None;
        }
        let ours = now();
        self.0.store(told.0.cast_signed().saturating_sub(ours.0.cast_signed()), Ordering::Relaxed);
        let (s, way) = (told.0.abs_diff(ours.0) / 1000, if ours > told { "ahead of" } else { "behind" });
        Some(format!(
            "this machine's clock is {s} s {way} theirs: set the wrong one (what we sign for them carries their time until then)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machines_clock_is_ours_until_it_tells() {
        let theirs = Theirs::default();
        assert!(theirs.now().0.abs_diff(now().0) < 60_000);
        for (told, said) in [
            (now().plus_ms(3_600_000), "behind theirs"),
            (UtcMs(now().0 - 7_200_000), "ahead of theirs"),
            (UtcMs(0), "ahead of theirs"),
        ] {
            let words = theirs.learn(told, theirs.now()).unwrap();
            assert!(words.contains(said), "{words}");
            assert!(theirs.now().0.abs_diff(told.0) < 60_000, "{told:?}");
            assert_eq!(theirs.learn(theirs.now(), theirs.now()), None, "no news");
            // Several requests were under way.
            assert!(theirs.learn(theirs.now(), UtcMs(theirs.now().0 + 10_000)).is_some());
        }
        let before = theirs.now();
        assert_eq!(theirs.learn(UtcMs(u64::MAX), before), None);
        assert!(theirs.now().0.abs_diff(before.0) < 60_000);
    }

    #[test]
    fn the_steady_clock_goes_on_where_a_crash_left_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        // An earlier run was ahead of what this machine's wall clock says now.
        let ahead = now().plus_ms(5_000);
        std::fs::write(&path, format!("{:020}\n", ahead.0)).unwrap();
        let kept = keep(&path).unwrap();
        assert!(steady() > ahead);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.trim().parse::<u64>().unwrap() > ahead.0, "a crash at once is provided for");
        drop(kept);
        for broken in ["", "12x", "\0\0\0"] {
            std::fs::write(&path, broken).unwrap();
            drop(keep(&path).unwrap());
        }
    }
}
