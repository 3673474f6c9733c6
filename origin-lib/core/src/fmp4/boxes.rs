//! Box syntax (ISO/IEC 14496-12, 4.2): sizes are written when a box is closed.

use alloc::vec::Vec;

/// Writes boxes at the end of a buffer.
pub(super) struct Boxes<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Boxes<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Boxes<'a> {
        Boxes { out }
    }

    /// A box with the content that `fill` writes.
    pub(super) fn boxed(&mut self, name: &[u8; 4], fill: impl FnOnce(&mut Boxes<'_>)) {
        let at = self.out.len();
        self.u32(0);
        self.bytes(name);
        fill(self);
        let size = u32::try_from(self.out.len() - at).unwrap_or(u32::MAX);
        if let Some(place) = self.out.get_mut(at..at + 4) {
            place.copy_from_slice(&size.to_be_bytes());
        }
    }

    /// A `FullBox`: one with a version and flags.
    pub(super) fn full(
        &mut self,
        name: &[u8; 4],
        version: u8,
        flags: u32,
        fill: impl FnOnce(&mut Boxes<'_>),
    ) {
        self.boxed(name, |b| {
            b.u32(u32::from(version) << 24 | flags & 0xff_ffff);
            fill(b);
        });
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn zeros(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, 0);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A descriptor's tag and length (ISO/IEC 14496-1, 8.3.3): seven bits of length a byte, as few as needed.
    pub(super) fn descriptor(&mut self, tag: u8, len: usize) {
        self.u8(tag);
        for shift in [21, 14, 7] {
            if len >> shift > 0 {
                self.u8(0x80 | (len >> shift & 0x7f) as u8);
            }
        }
        self.u8((len & 0x7f) as u8);
    }
}

/// How many bytes [`Boxes::descriptor`] needs before `len` bytes of content, content included.
pub(super) fn descriptor_len(len: usize) -> usize {
    2 + [21, 14, 7].iter().filter(|shift| len >> **shift > 0).count() + len
}
