use super::*;
use crate::fmp4::read::outline;

#[test]
fn the_outline_of_a_segment_is_its_number_and_its_samples_without_their_media() {
    let bytes = segment_bytes(&cut());
    let found = outline(&bytes).unwrap();
    assert_eq!(found.sequence, sequence(cut().start));
    let mut spoilt = bytes.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    assert_eq!(outline(&spoilt).unwrap(), found);
    let mut less = cut();
    less.audio.pop();
    let less = segment_bytes(&less);
    let less = outline(&less).unwrap();
    assert!(less.sequence == found.sequence && less.moof != found.moof);
}

#[test]
fn only_whole_boxes_whose_samples_are_all_of_the_media_have_an_outline() {
    let bytes = segment_bytes(&cut());
    for len in 0..bytes.len() {
        assert!(outline(&bytes[..len]).is_err(), "cut to {len}");
    }
    assert!(outline(&[&bytes[..], &bytes].concat()).is_err(), "two of them");
    // What CBC makes of a flipped bit: a block of noise.
    let media = bytes.windows(4).position(|name| name == b"mdat").unwrap() + 4;
    for block in 0..media / 16 {
        let mut spoilt = bytes.clone();
        spoilt[block * 16..][..16].iter_mut().zip(0x9d_u8..).for_each(|(byte, noise)| *byte ^= noise);
        assert!(outline(&spoilt).is_err(), "block {block}");
    }
    // A byte of media that is no sample's.
    let mut longer = bytes.clone();
    longer.push(0);
    let at = media - 8;
    let len = u32::from_be_bytes(longer[at..][..4].try_into().unwrap()) + 1;
    longer[at..][..4].copy_from_slice(&len.to_be_bytes());
    assert!(outline(&longer).is_err());
}
