//! Times as texts.

use alloc::string::String;

use super::UtcMs;

impl UtcMs {
    /// Reads ISO 8601, in UTC where no zone is given; a day alone is its beginning.
    pub fn from_iso8601(text: &str) -> Option<UtcMs> {
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let [year, month, day] = numbers::<3>(date, '-', [4, 2, 2])?;
        let mut seconds = days_from_civil(year, month, day)? * 86_400;
        let mut ms = 0;
        if let Some(time) = time {
            let (clock, zone) = match time.find(['Z', '+', '-']) {
                Some(at) => time.split_at(at),
                None => (time, "Z"),
            };
            let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
            let [hour, minute, second] = numbers::<3>(clock, ':', [2, 2, 2])
                .or_else(|| numbers::<2>(clock, ':', [2, 2]).map(|[hour, minute]| [hour, minute, 0]))?;
            if hour > 23 || minute > 59 || second > 59 {
                return None;
            }
            seconds += hour * 3600 + minute * 60 + second;
            if !fraction.is_empty() {
                let digits: String = fraction.chars().chain("00".chars()).take(3).collect();
                ms = fraction.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
            }
            seconds -= offset(zone)?;
        }
        u64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(ms).map(UtcMs)
    }
}

/// Seconds by which a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let [hours, minutes] = numbers::<2>(rest, ':', [2, 2])?;
    (hours <= 14 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Exactly `N` numbers of so many digits each.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut out = [0; N];
    for (value, len) in out.iter_mut().zip(digits) {
        let part = parts.next()?;
        let sound = part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
        *value = part.parse().ok().filter(|_| sound)?;
    }
    parts.next().is_none().then_some(out)
}

/// Days since 1970 of a date of the Gregorian calendar: shifting the year to March puts the leap day last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=last).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let month_of_march = (month + 9) % 12;
    let day_of_year = (153 * month_of_march + 2) / 5 + day - 1;
    let (era, year) = (year / 400, year % 400);
    Some(era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468)
}
