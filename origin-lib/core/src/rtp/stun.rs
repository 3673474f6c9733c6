//! Whom a datagram of many sessions on one socket is for (RFC 8489, RFC 8445).

/// Length of a header.
const HEAD_LEN: usize = 20;

const BINDING_REQUEST: u16 = 0x0001;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;

/// The longest user name that is looked at (RFC 8489, 14.3).
const USERNAME_LEN_MAX: usize = 512;

/// The user name fragment of ours for which a binding request is meant: its user name is ours, a colon, and the sender's. `None` for
/// any other datagram.
///
/// Nothing says yet that the sender may use it: that is for the session to see, by the request's integrity.
pub fn addressee(datagram: &[u8]) -> Option<&str> {
    let (head, mut rest) = datagram.split_at_checked(HEAD_LEN)?;
    let number = |at: usize| Some(u16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]));
    if number(0)? != BINDING_REQUEST || head.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    rest = rest.get(..usize::from(number(2)?))?;
    while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let value = after.get(..len)?;
        if u16::from_be_bytes([k0, k1]) == USERNAME {
            let name = core::str::from_utf8(value).ok().filter(|name| name.len() <= USERNAME_LEN_MAX)?;
            return Some(name.split_once(':')?.0);
        }
        // Values are filled up to whole words.
        rest = after.get(len.next_multiple_of(4)..)?;
    }
    None
}
