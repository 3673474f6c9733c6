//! A time as a person types it on a command line.

use railbird_core::time::UtcMs;

/// The text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a time: write 2026-11-21T18:45:00Z (UTC where no zone is given), a day as 2026-11-21, or how long ago \
     as 90s, 30m, 2h or 3d"
)]
pub struct NotATime {
    text: String,
}

/// Reads a time: ISO 8601, or how long before `now`.
pub fn time(text: &str, now: UtcMs) -> Result<UtcMs, NotATime> {
    ago(text, now)
        .or_else(|| UtcMs::from_iso8601(text))
        .ok_or_else(|| NotATime { text: text.chars().take(40).collect() })
}

/// `2h` and `-2h` are the same: two hours ago. `0s` is now.
fn ago(text: &str, now: UtcMs) -> Option<UtcMs> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let ms = match unit {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    Some(UtcMs(now.0.saturating_sub(number.checked_mul(ms)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMs = UtcMs(1_795_171_920_040); // 2026-11-20T10:52:00.040Z

    #[test]
    fn times_as_people_write_them() {
        for (text, iso) in [
            ("2026-11-20T10:52:00.040Z", "2026-11-20T10:52:00.040Z"),
            ("2026-11-20T10:52:00,Z", ""),
            ("2026-11-20 10:52", "2026-11-20T10:52:00.000Z"),
            ("2026-11-20T10:52:30.5", "2026-11-20T10:52:30.500Z"),
            ("2026-11-20T10:52:30+01:00", "2026-11-20T09:52:30.000Z"),
            ("2026-11-20T23:52:30-05:30", "2026-11-21T05:22:30.000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000Z"),
            ("2026-02-29", ""),
            ("1970-01-01", "1970-01-01T00:00:00.000Z"),
            ("2h", "2026-11-20T08:52:00.040Z"),
            ("-30m", "2026-11-20T10:22:00.040Z"),
            ("90s", "2026-11-20T10:50:30.040Z"),
            ("0s", "2026-11-20T10:52:00.040Z"),
            ("3d", "2026-11-17T10:52:00.040Z"),
            ("", ""),
            ("-", ""),
            ("h", ""),
            ("2é", ""),
            ("99999999999999999999h", ""),
            ("2026-11-20T24:00", ""),
            ("2026-11-20T10", ""),
            ("2026-11-20T10:00+1", ""),
            ("+026-11-20", ""),
        ] {
            let read = time(text, NOW).map(UtcMs::iso8601).unwrap_or_default();
            assert_eq!(read, iso, "{text}");
        }
    }

    #[test]
    fn every_day_of_centuries_comes_back() {
        for day in 0..200_000 {
            let at = UtcMs(day * 86_400_000);
            assert_eq!(time(at.iso8601().get(..10).unwrap(), NOW), Ok(at));
        }
    }
}
