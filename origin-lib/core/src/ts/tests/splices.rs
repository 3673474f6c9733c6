//! Splice information beside the media.

use super::*;
use crate::media::FeedSplice;
use crate::scte35::tests::{IN, OUT, insert, section, time};

const SPLICE_PID: u16 = 0x1f0;

fn begun() -> Writer {
    let mut writer = Writer::default();
    writer.pat(0, &[(1, PMT_PID)]);
    writer.pmt(PMT_PID, 1, 0, &[(0x1b, VIDEO_PID, ""), (0x86, SPLICE_PID, ""), (0x0f, AUDIO_PID, "")]);
    writer
}

fn splices(told: &[Result<FeedEvent, Error>]) -> Vec<FeedSplice> {
    let splices = told.iter().filter_map(|one| match one {
        Ok(FeedEvent::Splice(splice)) => Some(splice.clone()),
        _ => None,
    });
    splices.collect()
}

#[test]
fn splice_information_is_told_at_its_time_on_the_feeds_clock() {
    let near_the_wrap = 0x1_ffff_ff00_u64;
    for first in [900_000, near_the_wrap] {
        let at = |ms: u64| (first + ms * 90) & 0x1_ffff_ffff;
        let out = insert(1, 0xcf, &[&time(at(4_000), 0xfe)]);
        let now = insert(2, IN, &[]);
        let mut writer = begun();
        writer.whole_section(SPLICE_PID, &insert(9, OUT, &[]));
        writer.key(at(0), at(0));
        writer.picture(at(40), at(40));
        writer.whole_section(SPLICE_PID, &out);
        writer.picture(at(80), at(80));
        writer.whole_section(SPLICE_PID, &now);
        writer.picture(at(120), at(120));
        for piece in [1, 188, 1 << 16] {
            let (told, counts) = told(&writer.bytes, piece);
            let found = splices(&told);
            let begin = frames(&told, Kind::Video)[0].dts_ms;
            // What is said before the first picture, and has no time, is about nothing.
            assert_eq!(found.len(), 2);
            assert_eq!(found[0].at_ms - begin, 4_000);
            // "At once" is when the last picture came that was whole by then.
            assert_eq!(found[1].at_ms - begin, 40);
            assert_eq!(
                found[0].section.hexadecimal(),
                std::format!("0x{}", crate::hex::encode(&out).to_uppercase())
            );
            assert_eq!((counts.damaged, counts.gaps), (0, 0));
            assert_eq!(frames(&told, Kind::Video).len(), 4);
        }
    }
}

#[test]
fn what_is_damaged_encrypted_or_says_nothing_is_left_out_and_the_media_goes_on() {
    let mut damaged = insert(1, OUT, &[]);
    damaged[12] ^= 1;
    let mut encrypted = insert(1, OUT, &[]);
    encrypted[4] |= 0x80;
    let len = encrypted.len() - 4;
    let check = super::super::tables::crc(&encrypted[..len]);
    encrypted[len..].copy_from_slice(&check.to_be_bytes());
    for (bytes, expected) in [
        (damaged, Some("skipped: splice information that is damaged")),
        (encrypted, Some("skipped: splice information that is encrypted")),
        (section(5, &[0], &[], 0), Some("skipped: splice information that makes no sense")),
        (section(0, &[], &[], 0), None),
    ] {
        let mut writer = begun();
        writer.key(900_000, 900_000);
        writer.picture(903_600, 903_600);
        writer.whole_section(SPLICE_PID, &bytes);
        writer.whole_section(SPLICE_PID, &insert(3, OUT, &[]));
        writer.picture(907_200, 907_200);
        let (told, _) = told(&writer.bytes, 188);
        assert_eq!(errors(&told), Vec::from_iter(expected));
        assert_eq!((splices(&told).len(), frames(&told, Kind::Video).len()), (1, 3));
    }
}
