//! A bounds-checked reader of bit fields, most significant bit first.

use alloc::vec::Vec;

/// Reads bits from a slice. Every method returns `None` at the end instead of reading past it.
#[derive(Clone)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// Position of the next bit.
    next: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, next: 0 }
    }

    /// How many bits are left.
    pub(super) fn left(&self) -> usize {
        (self.data.len() * 8).saturating_sub(self.next)
    }

    /// The next `count` bits (at most 32).
    pub(super) fn read(&mut self, count: u32) -> Option<u32> {
        if count > 32 || self.left() < count as usize {
            return None;
        }
        let mut value: u64 = 0;
        let mut wanted = count;
        while wanted > 0 {
            let byte = *self.data.get(self.next / 8)?;
            let offset = (self.next % 8) as u32;
            let taken = wanted.min(8 - offset);
            let field = (u32::from(byte) >> (8 - offset - taken)) & ((1 << taken) - 1);
            value = value << taken | u64::from(field);
            self.next += taken as usize;
            wanted -= taken;
        }
        u32::try_from(value).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        self.read(count).map(|_| ())
    }

    /// The next bytes, wherever they begin.
    pub(super) fn bytes(&mut self, len: usize) -> Option<Vec<u8>> {
        self.fields(len.checked_mul(8)?)
    }

    /// So many bits, the first one first, filled up to whole bytes with zeros.
    pub(super) fn fields(&mut self, len: usize) -> Option<Vec<u8>> {
        if self.left() < len {
            return None;
        }
        let mut bytes = Vec::with_capacity(len.div_ceil(8));
        for _ in 0..len / 8 {
            bytes.push(u8::try_from(self.read(8)?).ok()?);
        }
        if let rest @ 1.. = (len % 8) as u32 {
            bytes.push((self.read(rest)? << (8 - rest)) as u8);
        }
        Some(bytes)
    }

    /// Moves to the next byte boundary.
    pub(super) fn align(&mut self) {
        self.next = self.next.next_multiple_of(8);
    }

    /// Unsigned Exp-Golomb, `ue(v)` (ITU-T H.264, 9.1).
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.read(zeros)?)
    }

    /// Signed Exp-Golomb, `se(v)` (ITU-T H.264, 9.1.1).
    pub(super) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 0 { -(code / 2) } else { (code + 1) / 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cross_bytes_and_end_at_the_end() {
        let mut bits = Bits::new(&[0b1010_0101, 0xff, 0x00, 0x12, 0x34]);
        assert_eq!(bits.read(3), Some(0b101));
        assert_eq!(bits.read(9), Some(0b0_0101_1111));
        assert_eq!(bits.left(), 28);
        assert_eq!(bits.clone().fields(13), Some([0xf0, 0x00].into()));
        assert_eq!(bits.clone().bytes(3), Some([0xf0, 0x01, 0x23].into()));
        assert_eq!((bits.clone().fields(0), bits.clone().bytes(4)), (Some(Vec::new()), None));
        assert_eq!(bits.read(29), None);
        assert_eq!(bits.read(28), Some(0x0f00_1234));
        assert_eq!(bits.read(0), Some(0));
        assert_eq!((bits.read(1), bits.flag(), bits.ue()), (None, None, None));
        assert_eq!(Bits::new(&[0xff; 5]).read(33), None);
        assert_eq!(Bits::new(&[0xff; 5]).read(32), Some(u32::MAX));
    }

    #[test]
    fn exp_golomb_of_the_standard() {
        // Codes 0 to 4: 1 010 011 00100 00101
        let data = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = Bits::new(&data);
        assert_eq!([(); 5].map(|()| bits.ue()), [0, 1, 2, 3, 4].map(Some));
        let mut bits = Bits::new(&data);
        assert_eq!([(); 5].map(|()| bits.se()), [0, 1, -1, 2, -2].map(Some));
        assert_eq!(Bits::new(&[0; 9]).ue(), None);
        // The longest code that is taken: 31 zeros.
        assert_eq!(Bits::new(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe]).ue(), Some(u32::MAX - 1));
    }
}
