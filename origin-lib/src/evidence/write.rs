//! The thread that writes entries, and the files it writes them to.
//!
//! A day's entries lie in `{date}.jsonl`, then `{date}-2.jsonl` and so on, each of at most [`FILE_LEN_MAX`]. Files of
//! days that are over for longer than is kept are removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use prometheus_client::metrics::counter::Counter;
use railbird_core::time::UtcMs;

use super::{Entry, WAITING_MAX, What};
use crate::clock;

/// The longest file, in bytes.
pub const FILE_LEN_MAX: u64 = 64 << 20;

/// The most files of one day; what is more is counted as dropped.
pub const DAY_FILES_MAX: u32 = 64;

/// The longest text from outside that an entry keeps, in bytes.
const TEXT_LEN_MAX: usize = 1000;

/// One file of evidence: which day it is of, and the how manieth of that day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// `2026-11-21`.
    pub(super) day: String,
    /// From 1.
    pub(super) number: u32,
}

impl Name {
    pub(super) fn parse(file: &str) -> Option<Name> {
        let stem = file.strip_suffix(".jsonl")?;
        let (day, rest) = stem.split_at_checked(10)?;
        let shaped = day.bytes().enumerate().all(|(n, byte)| match n {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let number = match rest.strip_prefix('-') {
            Some(number) => number.parse().ok().filter(|number| *number >= 2)?,
            None if rest.is_empty() => 1,
            None => return None,
        };
        shaped.then(|| Name { day: day.into(), number })
    }

    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        match self.number {
            1 => dir.join(format!("{}.jsonl", self.day)),
            number => dir.join(format!("{}-{number}.jsonl", self.day)),
        }
    }
}

/// The day of an instant: `2026-11-21`.
pub(super) fn day_of(at: UtcMs) -> String {
    at.iso8601().chars().take(10).collect()
}

/// The files below a directory, oldest first.
pub(super) fn files(dir: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().to_str().and_then(Name::parse));
    }
    names.sort();
    Ok(names)
}

/// Where the writer is.
struct Writer<'a> {
    dir: &'a Path,
    keep_days: u32,
    len_max: u64,
    open: Option<(Name, File, u64)>,
    /// The day for which old files were removed.
    swept: String,
}

pub(super) fn write_all(dir: &Path, keep_days: u32, receiver: &Receiver<Entry>, dropped: &Counter) {
    let mut writer = Writer { dir, keep_days, len_max: FILE_LEN_MAX, open: None, swept: String::new() };
    while let Ok(entry) = receiver.recv() {
        writer.sweep(clock::now());
        // What has come together is written together.
        let entries = std::iter::once(entry).chain(receiver.try_iter().take(WAITING_MAX));
        dropped.inc_by(writer.write(entries));
    }
}

impl Writer<'_> {
    /// Writes entries and returns how many were not written.
    fn write(&mut self, entries: impl Iterator<Item = Entry>) -> u64 {
        let (mut lines, mut count, mut lost, mut of) = (Vec::new(), 0, 0, String::new());
        for mut entry in entries {
            shorten(&mut entry);
            let day = day_of(entry.at);
            if day != of {
                lost += self.append(&of, &lines, count);
                (of, count) = (day, 0);
                lines.clear();
            }
            // An entry has nothing in it that JSON can't say.
            if serde_json::to_writer(&mut lines, &entry).is_ok() {
                lines.push(b'\n');
                count += 1;
            }
        }
        lost + self.append(&of, &lines, count)
    }

    /// Writes a day's lines, and returns `count` if that fails.
    fn append(&mut self, day: &str, lines: &[u8], count: u64) -> u64 {
        if count == 0 {
            return 0;
        }
        match self.try_append(day, lines) {
            Ok(()) => 0,
            Err(_) => {
                // It may have been the file: the next lines try it anew.
                self.open = None;
                count
            }
        }
    }

    fn try_append(&mut self, day: &str, lines: &[u8]) -> io::Result<()> {
        let room = |len: u64| len == 0 || len.saturating_add(lines.len() as u64) <= self.len_max;
        let fits = self.open.as_ref().is_some_and(|(name, _, len)| name.day == day && room(*len));
        if !fits {
            let mut last = files(self.dir)?.into_iter().rfind(|name| name.day == day);
            let name = match last.take() {
                None => Name { day: day.into(), number: 1 },
                Some(name) if room(fs::metadata(name.path(self.dir))?.len()) => name,
                Some(name) => Name { day: name.day, number: name.number + 1 },
            };
            if name.number > DAY_FILES_MAX {
                return Err(io::Error::other("the day has its most files"));
            }
            let (file, len) = open(&name.path(self.dir))?;
            self.open = Some((name, file, len));
        }
        if let Some((_, file, len)) = &mut self.open {
            file.write_all(lines)?;
            *len += lines.len() as u64;
        }
        Ok(())
    }

    /// Removes, once a day, the files of days that are over for long enough.
    fn sweep(&mut self, now: UtcMs) {
        let today = day_of(now);
        if self.swept == today {
            return;
        }
        let oldest = day_of(UtcMs(now.0.saturating_sub(u64::from(self.keep_days) * 86_400_000)));
        for name in files(self.dir).unwrap_or_default() {
            if name.day < oldest {
                // What can't be removed today is tried again tomorrow.
                let _ = fs::remove_file(name.path(self.dir));
            }
        }
        self.swept = today;
    }
}

/// Opens a file for appending. A line that a crash has torn is ended, so that it spoils no other.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut len = file.seek(SeekFrom::End(0))?;
    if len > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            len += 1;
        }
    }
    Ok((file, len))
}

/// Texts of a provider may be of any length.
fn shorten(entry: &mut Entry) {
    let cut = |text: &mut String| {
        if text.len() > TEXT_LEN_MAX {
            text.truncate(text.floor_char_boundary(TEXT_LEN_MAX));
            text.push('…');
        }
    };
    match &mut entry.what {
        What::Down { reason } => cut(reason),
        What::Failed { class, text } => {
            cut(class);
            cut(text);
        }
        What::Changed { text } => cut(text),
        What::Up | What::Done | What::Slow | What::Others => {}
    }
    entry.object.iter_mut().for_each(cut);
    entry.trace.iter_mut().filter_map(|trace| trace.request_id.as_mut()).for_each(cut);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::done;

    const DAY: u64 = 86_400_000;
    const AT: UtcMs = UtcMs(1_795_171_920_040); // 2026-11-20T10:52

    fn writer(dir: &Path, len_max: u64) -> Writer<'_> {
        Writer { dir, keep_days: 30, len_max, open: None, swept: String::new() }
    }

    fn names(dir: &Path) -> Vec<String> {
        let files = files(dir).unwrap();
        files.iter().map(|name| name.path(dir).file_name().unwrap().to_str().unwrap().to_string()).collect()
    }

    #[test]
    fn a_full_file_is_followed_by_another_and_a_new_day_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path(), 500);
        for n in 0..5 {
            assert_eq!(writer.write(std::iter::once(done(AT.plus_ms(n)))), 0);
        }
        assert_eq!(writer.write([done(AT), done(AT.plus_ms(DAY))].into_iter()), 0);
        assert_eq!(
            names(dir.path()),
            ["2026-11-20.jsonl", "2026-11-20-2.jsonl", "2026-11-20-3.jsonl", "2026-11-21.jsonl"]
        );
        for name in files(dir.path()).unwrap() {
            assert!(fs::metadata(name.path(dir.path())).unwrap().len() <= 500);
        }
    }

    #[test]
    fn a_day_has_at_most_so_many_files() {
        let dir = tempfile::tempdir().unwrap();
        let last = Name { day: day_of(AT), number: DAY_FILES_MAX };
        fs::write(last.path(dir.path()), vec![b'\n'; 500]).unwrap();
        assert_eq!(writer(dir.path(), 500).write([done(AT), done(AT)].into_iter()), 2);
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2026-11-20.jsonl");
        fs::write(&path, "{\"at\":17951").unwrap();
        assert_eq!(writer(dir.path(), 500).write(std::iter::once(done(AT))), 0);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(serde_json::from_str::<Entry>(text.lines().last().unwrap()).is_ok());
    }

    #[test]
    fn old_days_are_removed_and_other_files_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for name in
            ["2026-10-20.jsonl", "2026-10-20-2.jsonl", "2026-10-21.jsonl", "notes.jsonl", "2020-01-01.txt"]
        {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        writer(dir.path(), 500).sweep(AT);
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["2020-01-01.txt", "2026-10-21.jsonl", "notes.jsonl"]);
    }

    #[test]
    fn texts_are_cut() {
        let mut entry = done(AT);
        entry.what = What::Failed { class: "retry".into(), text: "é".repeat(5000) };
        shorten(&mut entry);
        let What::Failed { text, .. } = entry.what else { panic!("it changed") };
        assert_eq!(text, "é".repeat(500) + "…");
    }
}
