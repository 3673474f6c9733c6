use alloc::vec::Vec;

use crate::rtp::stun::{addressee, answered, is_message, nomination};

/// A binding request with these attributes.
fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend_from_slice(&kind.to_be_bytes());
        body.extend_from_slice(&(value.len() as u16).to_be_bytes());
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut out = Vec::from([0, 1]);
    out.extend_from_slice(&(body.len() as u16).to_be_bytes());
    out.extend_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    out.extend_from_slice(&[7; 12]);
    out.extend_from_slice(&body);
    out
}

#[test]
fn a_request_is_for_whom_its_user_name_begins_with() {
    let other = (0x0024, &[0, 0, 0, 1][..]);
    for (attributes, expected) in [
        (&[(6, &b"ours:theirs"[..])][..], Some("ours")),
        (&[other, (0x8022, b"odd"), (6, b"abcd:x")], Some("abcd")),
        (&[(6, b"no colon")], None),
        (&[(6, b"\xff\xfe:x")], None),
        (&[other], None),
        (&[], None),
    ] {
        assert_eq!(addressee(&request(attributes)), expected, "{attributes:?}");
    }
}

#[test]
fn what_is_no_request_or_is_cut_off_is_for_nobody() {
    let whole = request(&[(6, b"ours:theirs")]);
    for len in 0..whole.len() {
        assert_eq!(addressee(&whole[..len]), None, "{len}");
    }
    for (at, byte) in [(0, 0x80), (1, 0x11), (4, 0)] {
        let mut other = whole.clone();
        other[at] = byte;
        assert_eq!(addressee(&other), None);
    }
}

#[test]
fn a_request_says_whether_its_way_is_the_one_to_use_and_an_answer_which_request_it_answers() {
    let name = (6, &b"ours:theirs"[..]);
    for (attributes, expected) in [
        (&[name, (0x0025, &[])][..], Some([7; 12])),
        (&[(0x0025, &[]), name], Some([7; 12])),
        (&[name, (0x0024, &[0, 0x25, 0, 0])], None),
        (&[], None),
    ] {
        let request = request(attributes);
        assert_eq!(nomination(&request), expected, "{attributes:?}");
        assert!(is_message(&request) && answered(&request).is_none());
        for len in 0..request.len() {
            assert_eq!(nomination(&request[..len]), None, "{len} bytes");
        }
        let mut answer = request;
        answer[0] = 1;
        assert_eq!((nomination(&answer), answered(&answer)), (None, Some([7; 12])));
        assert!(is_message(&answer) && answered(&answer[..19]).is_none());
        // An error answers, too, and says no.
        answer[1] = 0x11;
        assert_eq!(answered(&answer), None);
    }
    assert!(!is_message(&[0x80, 96]) && !is_message(&[22, 254]) && !is_message(&[]));
}
