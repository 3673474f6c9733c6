//! Who calls too often, or with what somebody else had sent.

use std::net::IpAddr;

use super::super::guard::{TRIES, TRIES_OF_ONE, USED_MAX};
use super::*;

/// A key that a caller made up, as it stands in its handshake.
fn made_up(random: u8) -> Option<Vec<u8>> {
    let mut seed = [random; 48];
    seed[0] = random.wrapping_mul(7);
    let (_, message) = Keys::made_up(passphrase().unwrap(), KeyBits::B128, &seed).unwrap();
    Some(message)
}

#[test]
fn a_recorded_handshake_is_not_let_in_again() {
    let (listener, mut guard, now) =
        (Listener::new(120, passphrase(), SECRET), Guard::new(Micros(0)), Micros(1));
    let recorded = conclusion(&listener, now, |handshake| handshake.extensions.key = made_up(1));
    let call = called(&listener, &recorded, now).unwrap();
    assert!(guard.unlock(&call).is_ok());
    // As long as it was not let in, its caller may try again.
    assert!(guard.unlock(&called(&listener, &recorded, now).unwrap()).is_ok());
    guard.note(&call);
    let again = called(&listener, &recorded, now.plus_ms(30_000)).unwrap();
    assert_eq!(guard.unlock(&again).err(), Some(Refusal::Again));
    // Nor with a cookie that is fresh, from wherever it comes, and whatever else it says.
    let later = now.plus_ms(3_600_000);
    let fresh = conclusion(&listener, later, |handshake| {
        (handshake.extensions.key, handshake.socket) = (made_up(1), 78);
    });
    assert_eq!(guard.unlock(&called(&listener, &fresh, later).unwrap()).err(), Some(Refusal::Again));
    // The encoder itself makes up another one.
    let other = conclusion(&listener, later, |handshake| handshake.extensions.key = made_up(2));
    assert!(guard.unlock(&called(&listener, &other, later).unwrap()).is_ok());
}

#[test]
fn what_is_remembered_of_keys_is_bounded_and_the_newest_stay() {
    let (listener, mut guard, now) =
        (Listener::new(120, passphrase(), SECRET), Guard::new(Micros(0)), Micros(1));
    let call = |random| {
        let sent = conclusion(&listener, now, |handshake| handshake.extensions.key = made_up(random));
        called(&listener, &sent, now).unwrap()
    };
    let (first, second) = (call(1), call(2));
    guard.note(&first);
    (1..USED_MAX).for_each(|_| guard.note(&second));
    assert_eq!(guard.unlock(&first).err(), Some(Refusal::Again));
    guard.note(&second);
    assert!(guard.unlock(&first).is_ok());
    assert_eq!(guard.unlock(&second).err(), Some(Refusal::Again));
    // Without a passphrase there is no key, and nothing to remember.
    let open = Listener::new(120, None, SECRET);
    let plain = called(&open, &conclusion(&open, now, |_| {}), now).unwrap();
    guard.note(&plain);
    assert!(guard.unlock(&plain).is_ok());
}

#[test]
fn so_many_handshakes_are_looked_at_in_a_second_of_one_address_and_of_all() {
    let mut guard = Guard::new(Micros(0));
    let address = |n: u32| IpAddr::from(n.to_be_bytes());
    let now = Micros(5_000_000);
    let taken = |guard: &mut Guard, from: u32, times: u32, now| {
        (0..times).filter(|_| guard.takes(address(from), now)).count() as u32
    };
    assert_eq!(taken(&mut guard, 1, 100, now), TRIES_OF_ONE);
    // Who was passed over takes nothing from others.
    assert_eq!(taken(&mut guard, 2, 100, now.plus_ms(900)), TRIES_OF_ONE);
    let rest: u32 = (3..1_000).map(|from| taken(&mut guard, from, 3, now.plus_ms(999))).sum();
    assert_eq!(rest, TRIES - 2 * TRIES_OF_ONE);
    assert_eq!(taken(&mut guard, 1, 100, now.plus_ms(1_000)), TRIES_OF_ONE, "in the next second");
}
