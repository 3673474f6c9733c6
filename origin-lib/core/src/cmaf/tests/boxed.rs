//! Boxes by hand.

use super::*;

/// A box.
pub(super) fn flat(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let size = (content.len() as u32 + 8).to_be_bytes();
    [&size[..], name, &content].concat()
}

/// A box with a version and flags.
pub(super) fn full(name: &[u8; 4], version: u8, flags: u32, content: &[&[u8]]) -> Vec<u8> {
    let head = (u32::from(version) << 24 | flags).to_be_bytes();
    flat(name, &[&head, &content.concat()])
}

/// The boxes of a body, one behind the other.
pub(super) fn all(mut body: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    while let Some((size, _)) = body.split_first_chunk::<4>() {
        let (whole, rest) = body.split_at(u32::from_be_bytes(*size) as usize);
        found.push((&whole[4..8], whole));
        body = rest;
    }
    found
}

/// The header of a body, and what follows it, cut before each fragment's first box.
pub(super) fn first_of(body: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut header, mut segments, mut is_open) = (Vec::new(), Vec::<Vec<u8>>::new(), false);
    for (name, whole) in all(body) {
        match name {
            b"ftyp" | b"moov" => header.extend_from_slice(whole),
            b"mfra" => {}
            _ => {
                if !is_open {
                    segments.push(Vec::new());
                }
                is_open = name != b"mdat";
                segments.last_mut().unwrap().extend_from_slice(whole);
            }
        }
    }
    (header, segments)
}
