//! Lines of JSON that carry their checksum: `{"crc32":"9e83acc1","record":{…}}`, the sum over the bytes of `record`.
//!
//! What is appended to a file may be cut anywhere by a crash, and a disk may give back something else than it was given:
//! a line that is not whole is seen.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How every line begins. No JSON string can contain it.
pub(crate) const HEAD: &[u8] = b"{\"crc32\":\"";
const MIDDLE: &[u8] = b"\",\"record\":";
const TAIL: &[u8] = b"}";
const CRC_DIGITS: usize = 8;

/// Appends a record's line, its line feed included.
pub(crate) fn write(record: &impl Serialize, lines: &mut Vec<u8>) -> serde_json::Result<()> {
    let record = serde_json::to_vec(record)?;
    lines.extend_from_slice(HEAD);
    lines.extend_from_slice(format!("{:08x}", crc32(&record)).as_bytes());
    lines.extend_from_slice(MIDDLE);
    lines.extend_from_slice(&record);
    lines.extend_from_slice(TAIL);
    lines.push(b'\n');
    Ok(())
}

/// Reads a line without its line feed; `None` where it is not whole.
pub(crate) fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (crc, rest) = line.strip_prefix(HEAD)?.split_at_checked(CRC_DIGITS)?;
    let record = rest.strip_prefix(MIDDLE)?.strip_suffix(TAIL)?;
    if crc != format!("{:08x}", crc32(record)).as_bytes() {
        return None;
    }
    serde_json::from_slice(record).ok()
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// CRC-32 of ISO/IEC 3309, as in Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
