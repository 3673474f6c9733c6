//! Whom a datagram of many sessions on one socket is for (RFC 8489, RFC 8445).

/// Length of a header.
const HEAD_LEN: usize = 20;

/// Messages begin with less (RFC 7983, 7).
const FIRST_END: u8 = 4;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;
const USE_CANDIDATE: u16 = 0x0025;

/// The longest user name that is looked at (RFC 8489, 14.3).
const USERNAME_LEN_MAX: usize = 512;

/// What a request and its answer have in common (RFC 8489, 5).
pub type Transaction = [u8; 12];

/// Whether a datagram on a socket that others use as well is a STUN message.
pub fn is_message(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < FIRST_END)
}

/// The user name fragment of ours for which a binding request is meant: its user name is ours, a colon, and the sender's. `None` for
/// any other datagram.
///
/// Nothing says yet that the sender may use it: that is for the session to see, by the request's integrity.
pub fn addressee(datagram: &[u8]) -> Option<&str> {
    let name = attribute(datagram, USERNAME)?;
    let name = core::str::from_utf8(name).ok().filter(|name| name.len() <= USERNAME_LEN_MAX)?;
    Some(name.split_once(':')?.0)
}

/// The transaction of a binding request that says that its way is the one to use (RFC 8445, 7.3.1.5). As with [`addressee`], nothing
/// says yet that its sender may say so; that it is answered ([`answered`]) does.
pub fn nomination(datagram: &[u8]) -> Option<Transaction> {
    attribute(datagram, USE_CANDIDATE)?;
    datagram.first_chunk::<HEAD_LEN>()?.last_chunk().copied()
}

/// The transaction of a binding request that this datagram answers with success.
pub fn answered(datagram: &[u8]) -> Option<Transaction> {
    let head = datagram.first_chunk::<HEAD_LEN>()?;
    (head.first_chunk() == Some(&BINDING_SUCCESS.to_be_bytes())).then_some(())?;
    head.last_chunk().copied()
}

/// The value of a binding request's first attribute of this kind.
fn attribute(datagram: &[u8], wanted: u16) -> Option<&[u8]> {
    let (head, mut rest) = datagram.split_at_checked(HEAD_LEN)?;
    let number = |at: usize| Some(u16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]));
    if number(0)? != BINDING_REQUEST || head.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    rest = rest.get(..usize::from(number(2)?))?;
    while let Some((&[k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let value = after.get(..len)?;
        if u16::from_be_bytes([k0, k1]) == wanted {
            return Some(value);
        }
        // Values are filled up to whole words.
        rest = after.get(len.next_multiple_of(4)..)?;
    }
    None
}
