//! From an encoder's last picture of a segment to the segment at a target.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::encoder::Encoder;
use crate::origin::channel;
use crate::process::quantile;
use crate::store::{Arrived, Store};

/// One segment's way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When the encoder had sent the segment's last picture.
    pub(super) sent: Instant,
    /// How long it took from there until the target had answered the put, in seconds.
    pub(super) took: f64,
}

/// What there was at a store for each encoder. Each group of pictures is a segment of its own, so that the n-th segment ends
/// with the n-th group.
pub(super) fn samples(encoders: &[Encoder], store: &Store) -> Result<Vec<Sample>> {
    let mut segments: BTreeMap<String, BTreeMap<u64, Arrived>> = BTreeMap::new();
    for arrived in store.arrived() {
        let Some((channel, number)) = segment(&arrived.name) else { continue };
        let double = segments.entry(channel.to_owned()).or_default().insert(number, arrived);
        ensure!(double.is_none(), "two segments of one index: the clip's groups are no segments");
    }
    let mut samples = Vec::new();
    for (n, encoder) in encoders.iter().enumerate() {
        let of = segments.get(&channel(n)).context("a channel has no segment")?;
        let first = *of.keys().next().context("a channel has no segment")?;
        for (end, number) in encoder.ends().into_iter().zip(first..) {
            let Some(arrived) = of.get(&number) else { continue };
            let took = arrived.at.checked_duration_since(end).context("a segment came before its end")?;
            samples.push(Sample { sent: end, took: took.as_secs_f64() });
        }
    }
    Ok(samples)
}

/// Channel and number of a segment's name, `{channel}/{rendition}/{number}-{offset}.m4s`.
pub(super) fn segment(name: &str) -> Option<(&str, u64)> {
    let (channel, rest) = name.split_once('/')?;
    let file = rest.rsplit('/').next()?.strip_suffix(".m4s")?;
    Some((channel, file.split_once('-')?.0.parse().ok()?))
}

/// The middle and the slowest of samples.
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Spread {
    pub(super) fn of(samples: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = samples.collect();
        let (count, p50, p99) = (values.len(), quantile(&mut values, 0.5), quantile(&mut values, 0.99));
        Spread { count, p50, p99, max: quantile(&mut values, 1.0) }
    }
}

/// Milliseconds, for a person.
pub(super) fn ms(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}
