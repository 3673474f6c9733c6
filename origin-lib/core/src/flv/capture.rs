//! When a picture was taken, as encoders say in data messages.

use crate::media::Captured;
use crate::rtmp::amf0::{self, Value};
use crate::time::UtcMs;

/// The names of messages that have a time of day: encoders of Flash's days and their heirs send the first one.
const NAMES: [&str; 2] = ["onFI", "onTextData"];

/// All time zones are whole quarters of an hour apart.
const ZONES_MS: i64 = 15 * 60 * 1000;

/// An instant of a feed's clock, and what time of day it was for the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay {
    /// On the feed's clock, in milliseconds.
    pub feed_ms: i64,
    /// Milliseconds since the encoder's midnight, in whatever time zone it is set to.
    pub of_day_ms: u32,
}

impl TimeOfDay {
    /// The same instant in UTC, for what comes `now`: the one nearest to now of those that some time zone makes of it, so within
    /// seven minutes and a half.
    pub fn captured(self, now: UtcMs) -> Captured {
        let ago = (now.0 as i64).saturating_sub(i64::from(self.of_day_ms)).rem_euclid(ZONES_MS);
        let ago = if ago > ZONES_MS / 2 { ago - ZONES_MS } else { ago };
        Captured { feed_ms: self.feed_ms, utc: UtcMs(now.0.saturating_add_signed(-ago)), by_encoder: true }
    }
}

/// The encoder's time of day in a message of `values`: milliseconds since its midnight, in whatever time zone it is set to.
///
/// `st` is `HH:MM:SS.mmm`. Of its date (`sd`), nobody here needs anything.
pub(super) fn time_of_day_ms(body: &[u8]) -> Option<u32> {
    let mut values = amf0::Values::new(body).map_while(Result::ok);
    if !values.next()?.as_str().is_some_and(|name| NAMES.contains(&name)) {
        return None;
    }
    values.find_map(|value| parse(value.get("st").and_then(Value::as_str)?))
}

fn parse(text: &str) -> Option<u32> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut fields = clock.split(':').map(|field| number(field, 2));
    let (hours, minutes, seconds) = (fields.next()??, fields.next()??, fields.next()??);
    if fields.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let scale = [100, 10, 1].get(fraction.len().checked_sub(1)?)?;
    let ms = number(fraction, 3)? * scale;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
}

/// Digits only, and not more than so many: `parse` alone would take a sign.
fn number(text: &str, len_max: usize) -> Option<u32> {
    let plain = (1..=len_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}
