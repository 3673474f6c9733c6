//! How much of a track's media is held where its packets are put together.
//!
//! What puts the packets of H.264 together keeps the fragments of a NAL unit (FU-A, RFC 6184, 5.8) until its last one comes, and
//! forgets none of it with the access unit. So an encoder that ends none makes it keep all that comes. It can be told from what
//! goes in and what comes out.

use alloc::collections::VecDeque;

/// So much may be held: 16 MiB, two access units of the longest.
pub const HELD_LEN_MAX: usize = 2 * super::UNIT_LEN_MAX;

/// So many packets may wait for their access unit; whoever puts them together keeps no more.
const PACKETS_MAX: usize = 8192;

/// So many bytes of a packet are a fragment's head, and do not come out.
const HEAD_LEN: usize = 2;

/// What a track of H.264 brought and has not given out.
#[derive(Debug, Default)]
pub struct Held {
    /// The packets that came, in order of their sequence numbers, and how long their media is.
    packets: VecDeque<(u16, usize)>,
    len: usize,
}

impl Held {
    /// A packet came, with this sequence number and so much media.
    pub fn packet(&mut self, number: u16, len: usize) {
        let place = self.packets.partition_point(|(other, _)| is_before(*other, number));
        if self.packets.get(place).is_some_and(|(other, _)| *other == number) {
            return;
        }
        self.packets.insert(place, (number, len));
        if self.packets.len() > PACKETS_MAX {
            self.packets.pop_front();
        }
    }

    /// An access unit of so many bytes was made of the packets with these sequence numbers. Those before them were given up.
    pub fn unit(&mut self, (first, last): (u16, u16), len: usize) {
        let before = self.packets.partition_point(|(number, _)| is_before(*number, first));
        self.packets.drain(..before);
        let of = self.packets.partition_point(|(number, _)| !is_before(last, *number));
        let came: usize = self.packets.drain(..of).map(|(_, len)| len).sum();
        self.len = (self.len + came).saturating_sub(len + HEAD_LEN * of);
    }

    /// An access unit could not be made. Which of the packets it had is not known: of all that wait, until they come out.
    pub fn failed(&mut self) {
        self.len += self.packets.drain(..).map(|(_, len)| len).sum::<usize>();
    }

    /// How much is held, in bytes; never less than it is.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Whether one sequence number comes before another, around the wrap.
fn is_before(one: u16, other: u16) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 15
}
