//! When a picture was taken, as encoders say in data messages.

use crate::rtmp::amf0::{self, Value};

/// The names of messages that have a time of day: encoders of Flash's days and their heirs send the first one.
const NAMES: [&str; 2] = ["onFI", "onTextData"];

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
