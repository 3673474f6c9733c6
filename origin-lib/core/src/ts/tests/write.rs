//! Writes small transport streams, as an encoder would.

use std::vec;
use std::vec::Vec;

use super::super::tables::crc;

pub(super) const PMT_PID: u16 = 0x100;
pub(super) const VIDEO_PID: u16 = 0x101;
pub(super) const AUDIO_PID: u16 = 0x102;

/// x264's parameter sets for 320x180, a key frame's slice and another one's.
pub(super) const SPS: &str = "6764000cacd941419f9f011000000300100000030320f1429960";
pub(super) const PPS: &str = "68ebe3cb22c0";
pub(super) const SPS_SMALL: &str = "6742c00bd902c4ec0440000003004000000c83c50a92";
pub(super) const PPS_SMALL: &str = "68cb83cb20";

pub(super) fn bytes(text: &str) -> Vec<u8> {
    crate::hex::decode(&text.replace(' ', "")).unwrap()
}

/// NAL units behind start codes.
pub(super) fn annex_b(nals: &[&str]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [vec![0, 0, 0, 1], bytes(nal)].concat()).collect()
}

/// An ADTS frame of AAC-LC, 48 kHz, stereo.
pub(super) fn adts(sound: &[u8]) -> Vec<u8> {
    let len = sound.len() + 7;
    let head = [0xff, 0xf1, 0x4c, 0x80 | (len >> 11) as u8, (len >> 3) as u8, (len << 5) as u8 | 0x1f, 0xfc];
    [&head, sound].concat()
}

/// A stream that is written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    counters: std::collections::BTreeMap<u16, u8>,
}

impl Writer {
    /// A programme of H.264 and ADTS.
    pub(super) fn begun() -> Writer {
        let mut writer = Writer::default();
        writer.pat(0, &[(1, PMT_PID)]);
        writer.pmt(PMT_PID, 1, 0, &[(0x1b, VIDEO_PID, ""), (0x0f, AUDIO_PID, "")]);
        writer
    }

    /// What is carried, in as many packets as it takes; the last one is stuffed.
    pub(super) fn packets(&mut self, pid: u16, mut payload: &[u8]) {
        let mut starts = 0x40;
        while !payload.is_empty() {
            let (now, later) = payload.split_at(payload.len().min(184));
            let counter = self.counters.entry(pid).or_default();
            let stuffing = 184 - now.len();
            let control = if stuffing > 0 { 0x30 } else { 0x10 } | *counter;
            *counter = (*counter + 1) & 0x0f;
            let [high, low] = pid.to_be_bytes();
            self.bytes.extend_from_slice(&[0x47, starts | high, low, control]);
            if stuffing > 0 {
                self.bytes.push(stuffing as u8 - 1);
                if stuffing > 1 {
                    self.bytes.push(0);
                    self.bytes.resize(self.bytes.len() + stuffing - 2, 0xff);
                }
            }
            self.bytes.extend_from_slice(now);
            (payload, starts) = (later, 0);
        }
    }

    /// The next packet of a PID does not have the number that would be its turn.
    pub(super) fn lose(&mut self, pid: u16) {
        let counter = self.counters.entry(pid).or_default();
        *counter = (*counter + 1) & 0x0f;
    }

    pub(super) fn pat(&mut self, version: u8, programmes: &[(u16, u16)]) {
        let content =
            programmes.iter().flat_map(|(number, pid)| [number.to_be_bytes(), (pid | 0xe000).to_be_bytes()]);
        self.section(0, 0, 1, version, &content.flatten().collect::<Vec<u8>>());
    }

    /// One of the two sections that the table has.
    pub(super) fn pat_of_two(&mut self, this: u8, (number, pid): (u16, u16)) {
        let [n0, n1] = number.to_be_bytes();
        let [p0, p1] = (pid | 0xe000).to_be_bytes();
        let mut section = vec![0, 0xb0, 13, 0, 1, 0xc1, this, 1, n0, n1, p0, p1];
        let check = crc(&section);
        section.extend_from_slice(&check.to_be_bytes());
        self.whole_section(0, &section);
    }

    /// Streams are type, PID and descriptors.
    pub(super) fn pmt(&mut self, pid: u16, number: u16, version: u8, streams: &[(u8, u16, &str)]) {
        let mut content = vec![0xe1, 0x01, 0xf0, 0x00];
        for (kind, pid, about) in streams {
            let about = bytes(about);
            content.push(*kind);
            content.extend_from_slice(&(pid | 0xe000).to_be_bytes());
            content.extend_from_slice(&(about.len() as u16 | 0xf000).to_be_bytes());
            content.extend_from_slice(&about);
        }
        self.section(pid, 2, number, version, &content);
    }

    /// A section that is whole.
    pub(super) fn whole_section(&mut self, pid: u16, section: &[u8]) {
        let mut payload = [&[0], section].concat();
        payload.resize(payload.len().max(184), 0xff);
        self.packets(pid, &payload);
    }

    fn section(&mut self, pid: u16, table_id: u8, number: u16, version: u8, content: &[u8]) {
        let mut section = vec![0, table_id]; // the pointer comes first
        section.extend_from_slice(&((content.len() as u16 + 9) | 0xb000).to_be_bytes());
        section.extend_from_slice(&number.to_be_bytes());
        section.extend_from_slice(&[0xc1 | version << 1, 0, 0]);
        section.extend_from_slice(content);
        let check = crc(&section[1..]);
        section.extend_from_slice(&check.to_be_bytes());
        section.resize(section.len().max(184), 0xff);
        self.packets(pid, &section);
    }

    /// A PES packet; `bounded` ones say how long they are.
    pub(super) fn pes(&mut self, pid: u16, times: &[u64], bounded: bool, data: &[u8]) {
        let mut head = vec![0x80, (times.len() as u8 * 0x40 + 0x40) & 0xc0, times.len() as u8 * 5];
        if times.is_empty() {
            head[1] = 0;
        }
        for (n, time) in times.iter().enumerate() {
            let mark = if times.len() == 1 { 2 } else { 3 - n as u8 * 2 };
            let t = time & 0x1_ffff_ffff;
            head.extend_from_slice(&[
                mark << 4 | (t >> 29) as u8 & 0x0e | 1,
                (t >> 22) as u8,
                (t >> 14) as u8 | 1,
                (t >> 7) as u8,
                (t << 1) as u8 | 1,
            ]);
        }
        let len = if bounded { (head.len() + data.len()) as u16 } else { 0 };
        let [high, low] = len.to_be_bytes();
        let packet =
            [&[0, 0, 1, if pid == AUDIO_PID { 0xc0 } else { 0xe0 }, high, low], &head[..], data].concat();
        self.packets(pid, &packet);
    }

    /// A key frame with its parameter sets.
    pub(super) fn key(&mut self, pts: u64, dts: u64) {
        self.pes(VIDEO_PID, &[pts, dts], false, &annex_b(&["09f0", SPS, PPS, "65888040"]));
    }

    /// Another frame.
    pub(super) fn picture(&mut self, pts: u64, dts: u64) {
        self.pes(VIDEO_PID, &[pts, dts], false, &annex_b(&["09f0", "419a2040"]));
    }
}
