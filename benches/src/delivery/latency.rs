//! From an encoder's last picture of a segment or a part to that object at a target.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use railbird_core::object::PARTS;

use super::encoder::Encoder;
use crate::origin::channel;
use crate::process::quantile;
use crate::store::{Arrived, Store};

/// One object's way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When the encoder had sent the object's last picture.
    pub(super) sent: Instant,
    /// How long it took from there until the target had answered the put, in seconds.
    pub(super) took: f64,
    /// The same from when all had been sent that tells the object's end: what the origin takes by itself.
    pub(super) own: f64,
}

/// What is timed on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Each group of pictures is a segment of its own.
    Segment,
    /// Each so many pictures of a group are a part of its segment.
    Part { pictures: usize },
}

impl Unit {
    /// Channel and place in the channel's order of an object that is of this kind.
    fn of(self, name: &str) -> Option<(&str, (u64, u64))> {
        match self {
            Unit::Segment => segment(name).map(|(channel, number)| (channel, (number, 0))),
            Unit::Part { .. } => part(name),
        }
    }
}

/// What there was at a store for each encoder: the n-th segment ends with the n-th group of pictures, and the n-th part with
/// the n-th stretch of as many pictures as a part has.
pub(super) fn samples(encoders: &[Encoder], store: &Store, unit: Unit) -> Result<Vec<Sample>> {
    let mut objects: BTreeMap<String, BTreeMap<(u64, u64), Arrived>> = BTreeMap::new();
    for arrived in store.arrived() {
        let Some((channel, at)) = unit.of(&arrived.name) else { continue };
        let double = objects.entry(channel.to_owned()).or_default().insert(at, arrived);
        ensure!(double.is_none(), "two objects of one index: the clip's groups are no segments");
    }
    let mut samples = Vec::new();
    for (n, encoder) in encoders.iter().enumerate() {
        let of = objects.get(&channel(n)).context("a channel has no object")?;
        let ends = encoder.ends(unit);
        let Some(((first, _), _)) = of.first_key_value() else { continue };
        for ((number, ms), arrived) in of {
            // Where in its group a part lies is told by how many milliseconds of it lie before.
            let nth = match unit {
                Unit::Segment => number - first,
                Unit::Part { pictures } => {
                    let ms_of_one = pictures as u64 * 1000 / PICTURES_A_SECOND;
                    (number - first) * (1000 / ms_of_one) + (ms + ms_of_one / 2) / ms_of_one
                }
            };
            let Some(end) = usize::try_from(nth).ok().and_then(|nth| ends.get(nth)) else { continue };
            let Some(told) = end.told else { continue };
            let (sent, at) = (end.picture, arrived.at);
            let took = at.checked_duration_since(sent).context("an object came before its end")?;
            let own = at.saturating_duration_since(told);
            samples.push(Sample { sent, took: took.as_secs_f64(), own: own.as_secs_f64() });
        }
    }
    Ok(samples)
}

/// Of the clip, whose groups of pictures last a second.
const PICTURES_A_SECOND: u64 = 30;

/// Channel, segment's number and milliseconds behind its start of a part's name,
/// `_parts/{channel}/{rendition}/{number}-{offset}-{part}.m4s`.
fn part(name: &str) -> Option<(&str, (u64, u64))> {
    let (channel, rest) = name.strip_prefix(PARTS)?.split_once('/')?;
    let file = rest.rsplit('/').next()?.strip_suffix(".m4s")?;
    let mut words = file.split('-');
    let number = words.next()?.parse().ok()?;
    Some((channel, (number, words.nth(1)?.parse().ok()?)))
}

/// Channel and number of a segment's name, `{channel}/{rendition}/{number}-{offset}.m4s`.
pub(super) fn segment(name: &str) -> Option<(&str, u64)> {
    if name.starts_with(PARTS) {
        return None;
    }
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
