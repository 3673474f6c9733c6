//! The file of a match's score log: one line of JSON per event, each with its checksum.
//!
//! ```json
//! {"crc32":"9e83acc1","record":{"durable":0,"accepted":1795171920500,"epoch":1,"seq":1,"event":{…}}}
//! ```
//!
//! `crc32` is over the bytes of `record` ([`crate::lines`]). `durable` says how long the file was when this line's batch was begun, all of
//! it on the disk by then. So a line that can't be read tells by itself what it is: a later line that builds on it was
//! written after it had been acknowledged, so it is damaged; without such a line it is the torn end of a batch that
//! nobody was told is kept.

use railbird_core::score::{Event, Position};
use serde::{Deserialize, Serialize};

use crate::lines;

/// What a line keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Bytes of the file that were on the disk before this line's batch.
    pub(super) durable: u64,
    /// When the event was taken, in UTC milliseconds; made to go up with every event of the channel.
    pub(super) accepted: u64,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) event: Event,
}

impl Record {
    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.seq }
    }

    /// Appends the line, its line feed included.
    pub(super) fn write(&self, lines: &mut Vec<u8>) -> serde_json::Result<()> {
        lines::write(self, lines)
    }

    /// Reads a line without its line feed; `None` where it is not whole.
    fn read(line: &[u8]) -> Option<Record> {
        lines::read(line)
    }
}

/// The content of a file.
#[derive(Debug)]
pub(super) struct Lines {
    /// The whole lines, in order.
    pub(super) records: Vec<Record>,
    /// The length of the whole lines, in bytes: what follows is a torn end.
    pub(super) len: u64,
}

/// A line that had been acknowledged can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// The first one, counted from 1.
    pub(super) line: usize,
}

/// Reads a file's lines up to a torn end.
pub(super) fn read(bytes: &[u8]) -> Result<Lines, Damage> {
    let mut lines = Lines { records: Vec::new(), len: 0 };
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let (line, further) = rest.split_at(end);
        let Some(record) = Record::read(line) else { break };
        lines.records.push(record);
        lines.len += end as u64 + 1;
        rest = further.get(1..).unwrap_or_default();
    }
    if has_line_behind(rest, lines.len) {
        return Err(Damage { line: lines.records.len() + 1 });
    }
    Ok(lines)
}

/// Whether a whole line follows that was written when more than `len` bytes were on the disk. Lines are found by their
/// head, which no JSON string can contain: a lost line feed must not hide one.
fn has_line_behind(rest: &[u8], len: u64) -> bool {
    let starts = (0..rest.len()).filter_map(|at| rest.get(at..)).filter(|line| line.starts_with(lines::HEAD));
    let mut lines = starts.filter_map(|line| line.split(|b| *b == b'\n').next());
    lines.any(|line| Record::read(line).is_some_and(|record| record.durable > len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(durable: u64, seq: u64) -> Record {
        let json = br#"{"occurred":5,"action":{"type":"points","side":0,"points":1}}"#;
        Record { durable, accepted: 9, epoch: 1, seq, event: Event::from_json(json).unwrap() }
    }

    /// A file of batches of so many lines.
    fn file(batches: &[usize]) -> (Vec<u8>, Vec<u64>) {
        let (mut bytes, mut ends, mut seq) = (Vec::new(), vec![0], 0);
        for batch in batches {
            let durable = bytes.len() as u64;
            for _ in 0..*batch {
                seq += 1;
                record(durable, seq).write(&mut bytes).unwrap();
                ends.push(bytes.len() as u64);
            }
        }
        (bytes, ends)
    }

    #[test]
    fn a_line_is_json_with_its_checksum() {
        let mut line = Vec::new();
        record(7, 3).write(&mut line).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["record"]["seq"], 3);
        assert_eq!(line.pop(), Some(b'\n'));
        assert_eq!(Record::read(&line), Some(record(7, 3)));
        for at in 0..line.len() {
            let mut bad = line.clone();
            bad[at] ^= 1;
            assert_eq!(Record::read(&bad), None, "byte {at}");
            assert_eq!(Record::read(&line[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_cut_file_gives_its_whole_lines() {
        let (bytes, ends) = file(&[1, 3, 1]);
        for len in 0..=bytes.len() {
            let lines = read(&bytes[..len]).unwrap();
            let whole = ends.iter().filter(|end| **end > 0 && **end <= len as u64).count();
            assert_eq!(lines.records.len(), whole, "cut at {len}");
            assert_eq!(lines.len, ends[whole]);
        }
    }

    #[test]
    fn damage_is_told_from_a_torn_end() {
        let (bytes, ends) = file(&[1, 1, 1, 3]);
        let last_batch = usize::try_from(ends[3]).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] = if bad[at] == 0 { 1 } else { 0 };
            let line = ends.iter().filter(|end| **end <= at as u64).count();
            if at < last_batch {
                assert_eq!(read(&bad).unwrap_err(), Damage { line }, "byte {at}");
            } else {
                // Of a batch that was under way the disk may have kept any part: what is before the hole counts.
                assert_eq!(read(&bad).unwrap().records.len(), line - 1, "byte {at}");
            }
        }
    }
}
