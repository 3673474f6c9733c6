//! Reads evidence back, a line at a time: memory does not grow with the files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use railbird_core::time::UtcMs;

use super::{Entry, write};

/// The longest line that is read, in bytes. The writer's are shorter.
const LINE_LEN_MAX: u64 = 64 << 10;

const DAY_MS: u64 = 86_400_000;

/// What came of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Files read.
    pub(super) files: u64,
    /// Lines that are no entries: torn by a crash, or of another version.
    pub(super) unreadable: u64,
}

/// Gives every entry of the days of a period to `each`, and of the day before, from which it follows what was up and what was
/// down when the period began. Their order is that of writing, which is nearly that of time.
pub(super) fn entries(
    dir: &Path,
    from: UtcMs,
    to: UtcMs,
    mut each: impl FnMut(Entry) -> io::Result<()>,
) -> io::Result<Found> {
    let (first, last) = (write::day_of(UtcMs(from.0.saturating_sub(DAY_MS))), write::day_of(to));
    let mut found = Found::default();
    for name in write::files(dir)? {
        if name.day < first || name.day > last {
            continue;
        }
        found.files += 1;
        let mut reader = BufReader::with_capacity(1 << 16, File::open(name.path(dir))?);
        let mut line = Vec::new();
        loop {
            line.clear();
            // One more, to tell a line of exactly that length from a longer one.
            if reader.by_ref().take(LINE_LEN_MAX + 1).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let whole = line.last() == Some(&b'\n');
            match serde_json::from_slice::<Entry>(&line) {
                Ok(entry) => each(entry)?,
                Err(_) => found.unreadable += 1,
            }
            if !whole && line.len() as u64 > LINE_LEN_MAX {
                skip_line(&mut reader)?;
            }
        }
    }
    Ok(found)
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::done;

    const AT: UtcMs = UtcMs(1_795_171_920_040); // 2026-11-20T10:52

    #[test]
    fn torn_foreign_and_endless_lines_are_counted_and_cost_no_other_line() {
        let dir = tempfile::tempdir().unwrap();
        let line = |ms| serde_json::to_string(&done(AT.plus_ms(ms))).unwrap();
        let endless = "x".repeat(3 * LINE_LEN_MAX as usize);
        let text = format!("{}\n{{\"at\":179\n{endless}\n{}\n{{\"at\":1", line(0), line(1));
        std::fs::write(dir.path().join("2026-11-20.jsonl"), text).unwrap();
        std::fs::write(dir.path().join("2026-11-20-2.jsonl"), line(2) + "\n").unwrap();
        std::fs::write(dir.path().join("2026-11-20-10.jsonl"), line(3) + "\n").unwrap();
        std::fs::write(dir.path().join("2026-11-18.jsonl"), line(4) + "\n").unwrap();
        let mut times = Vec::new();
        let found = entries(dir.path(), AT, AT, |entry| {
            times.push(entry.at.0 - AT.0);
            Ok(())
        });
        assert_eq!(found.unwrap(), Found { files: 3, unreadable: 3 });
        assert_eq!(times, [0, 1, 2, 3]);
    }
}
