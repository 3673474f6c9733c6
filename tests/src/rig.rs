//! An origin that is killed, starved and restarted under load, and what is around it: encoders that come back and go on
//! with their clock, a real S3 server, and an edge that remembers everything it was told.
//!
//! Used by the system tests and by `cargo xtask soak`. Everything random follows from one seed ([`Random`]).

mod encoder;
mod garage;
mod ledger;
mod origin;
mod sink;
mod verify;

use std::time::Duration;

pub use encoder::{Clip, Encoder, KEY_INTERVAL_MS};
pub use garage::Garage;
pub use ledger::{Ledger, Listed};
pub use origin::{Origin, Plan, Target};
pub use sink::Sink;
pub use verify::{Gap, Place, Recording};

/// How long anything may take before it counts as failed: far above what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long is waited between two looks at something that can only be polled.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Random numbers that follow from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` up to and without `high`.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.number() % high.saturating_sub(low).max(1)
    }
}

/// Looks again and again until there is something, at most [`PATIENCE`].
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let waiting = async {
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(found) => found,
        Err(_) => anyhow::bail!("in {} s, never: {what}", PATIENCE.as_secs()),
    }
}
