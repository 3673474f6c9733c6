//! A pass that was asked for, and the work of making it: its password is hashed.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use railbird_core::pass::code::{Code, ENTROPY_LEN};
use railbird_core::pass::{Coverage, Pass, PassError, PassId, SCREENS_DEFAULT, password};
use railbird_core::time::UtcMs;

use crate::config::Secret;

const DAY_MS: u64 = 86_400_000;

/// By what a holder gets in.
#[derive(Clone, Debug)]
pub enum Key {
    /// An e-mail address and a password that is still to be hashed.
    Password(String, Secret),
    /// An e-mail address and the hash of a password.
    Hash(String, String),
    /// A code, by its hash.
    Code(PassId),
}

/// A pass that was asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// By what its holder gets in.
    pub key: Key,
    /// What it covers.
    pub channels: Coverage,
    /// From when on.
    pub valid_from: UtcMs,
    /// Until when.
    pub valid_until: UtcMs,
    /// On how many screens at a time.
    pub screens: u8,
    /// The holder's language.
    pub locale: Option<String>,
    /// For the operator.
    pub note: Option<String>,
    /// It was taken back.
    pub revoked: bool,
}

/// Why there is no pass of an order.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// What was asked for can't be.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The password has no bytes, or too many.
    #[error(transparent)]
    Password(#[from] password::PasswordError),
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(getrandom::Error),
}

impl Order {
    /// An order of a pass for everything that is valid for so many days from `now`.
    pub fn new(key: Key, now: UtcMs, days: u32) -> Order {
        Order {
            key,
            channels: Coverage::All,
            valid_from: now,
            valid_until: now.plus_ms(u64::from(days).saturating_mul(DAY_MS)),
            screens: SCREENS_DEFAULT,
            locale: None,
            note: None,
            revoked: false,
        }
    }

    /// Whether a pass can be made of it, and its id: all checks, without the work.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<PassId, OrderError> {
        // Any hash of a password that can be hashed will do.
        const STAND_IN: &str =
            "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let hash = match &self.key {
            Key::Password(_, password) if !(1..=password::LEN_MAX).contains(&password.expose().len()) => {
                return Err(password::PasswordError.into());
            }
            Key::Password(..) => Some(STAND_IN.to_string()),
            Key::Hash(_, hash) => Some(hash.clone()),
            Key::Code(_) => None,
        };
        Ok(self.pass(hash).check()?.0)
    }

    /// Makes the pass. Hashes the password, which takes a while: argon2id, 19 MiB, 2 passes, 1 lane.
    ///
    /// # Errors
    /// What is wrong.
    pub fn make(&self) -> Result<(PassId, Pass), OrderError> {
        let hash = match &self.key {
            Key::Password(_, password) => {
                let mut salt = [0; 16];
                getrandom::fill(&mut salt).map_err(OrderError::Randomness)?;
                Some(password::hash(password.expose().as_bytes(), salt)?)
            }
            Key::Hash(_, hash) => Some(hash.clone()),
            Key::Code(_) => None,
        };
        Ok(self.pass(hash).check()?)
    }

    fn pass(&self, password_hash: Option<String>) -> Pass {
        let (email, code_hash) = match &self.key {
            Key::Password(email, _) | Key::Hash(email, _) => (Some(email.clone()), None),
            Key::Code(id) => (None, Some(id.clone())),
        };
        Pass {
            email,
            password_hash,
            code_hash,
            channels: self.channels.clone(),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            screens: self.screens,
            locale: self.locale.clone(),
            note: self.note.clone(),
            revoked: self.revoked,
        }
    }
}

/// A fresh code.
///
/// # Errors
/// The system gives no randomness.
pub fn fresh_code() -> Result<Code, OrderError> {
    let mut entropy = [0; ENTROPY_LEN];
    getrandom::fill(&mut entropy).map_err(OrderError::Randomness)?;
    Ok(Code::new(entropy))
}

/// Makes the passes of all orders, in their order, on all cores.
///
/// # Errors
/// The first that can't be made.
pub fn make_all(orders: &[Order]) -> Result<Vec<(PassId, Pass)>, OrderError> {
    let workers = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(orders.len().max(1));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        while let Some((n, order)) = {
            let n = next.fetch_add(1, Ordering::Relaxed);
            orders.get(n).map(|order| (n, order))
        } {
            made.push((n, order.make()));
        }
        made
    };
    let mut all: Vec<(usize, Result<_, OrderError>)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    all.sort_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, made)| made).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_795_171_920_040);

    fn order(n: usize) -> Order {
        let key = Key::Password(format!(" Viewer-{n}@Railbird.test"), Secret::new(&format!("password {n}")));
        Order::new(key, NOW, 3)
    }

    #[test]
    fn many_are_made_in_their_order_each_with_its_own_password_and_salt() {
        let orders: Vec<Order> = (0..5).map(order).collect();
        let made = make_all(&orders).unwrap();
        for (n, (id, pass)) in made.iter().enumerate() {
            assert_eq!(*id, orders[n].check().unwrap());
            assert_eq!(pass.email.as_deref(), Some(&*format!("viewer-{n}@railbird.test")));
            assert_eq!(pass.valid_until, NOW.plus_ms(3 * 86_400_000));
            let hash = pass.password_hash.as_deref();
            assert!(password::verify(format!("password {n}").as_bytes(), hash));
        }
        let hashes: std::collections::BTreeSet<_> =
            made.iter().map(|(_, pass)| &pass.password_hash).collect();
        assert_eq!(hashes.len(), 5);
        assert!(make_all(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_known_before_any_work() {
        let of =
            |password: &str| Order { key: Key::Password("a@b".into(), Secret::new(password)), ..order(0) };
        for bad in [of(""), of(&"x".repeat(1025)), Order { screens: 0, ..order(0) }] {
            assert!(bad.check().is_err() && bad.make().is_err(), "{bad:?}");
        }
        assert!(make_all(&[order(0), of("")]).is_err());
        let bad_hash = Order { key: Key::Hash("a@b".into(), "x".into()), ..order(0) };
        assert!(bad_hash.check().is_err());
        assert!(!format!("{:?}", of("kiss shot")).contains("kiss"));
    }
}
