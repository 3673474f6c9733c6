//! Time as integers that carry their timescale.
//!
//! Media lives on one 64-bit timeline of 1/90000 s since 1970-01-01T00:00:00Z ([`MediaTime`]); wall clocks are
//! read by adapters in milliseconds ([`UtcMs`]). The two share their zero, so a `MediaTime` is a
//! `PROGRAM-DATE-TIME`.

mod iso8601;
pub(crate) mod wrap;

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Ticks of [`MediaTime`] in a second.
pub const MEDIA_HZ: u32 = 90_000;

/// Wall clock time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMs(pub u64);

impl UtcMs {
    /// The same instant on the media timeline.
    pub fn media(self) -> MediaTime {
        MediaTime(self.0.saturating_mul(90))
    }

    /// This instant and `ms` milliseconds; stays at the end of time instead of wrapping.
    pub fn plus_ms(self, ms: u64) -> UtcMs {
        UtcMs(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; 0 where that lies in the future.
    pub fn ms_since(self, earlier: UtcMs) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

/// An instant on two clocks: what the time is, and how much has passed.
///
/// The wall's clock is shared with other machines and people, and may be set at any time; the other one only goes forward,
/// so that a time-out does not depend on who sets the wall's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The wall's clock.
    pub utc: UtcMs,
    /// Milliseconds since an instant of this process.
    pub up_ms: u64,
}

impl Moment {
    /// Milliseconds that have passed since an earlier `up_ms`.
    pub fn ms_since(self, up_ms: u64) -> u64 {
        self.up_ms.saturating_sub(up_ms)
    }

    /// This moment and `ms` milliseconds, on both clocks.
    pub fn plus_ms(self, ms: u64) -> Moment {
        Moment { utc: self.utc.plus_ms(ms), up_ms: self.up_ms.saturating_add(ms) }
    }
}

/// A point of epoch media time, in 1/90000 s since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(pub u64);

/// A signed distance on the media timeline, in 1/90000 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaSpan(pub i64);

impl MediaTime {
    /// The same instant as wall clock time, rounded down to a millisecond.
    pub fn utc(self) -> UtcMs {
        UtcMs(self.0 / 90)
    }

    /// The same instant in another timescale (ticks a second since 1970), rounded to the nearest tick.
    pub fn rescale(self, timescale: u32) -> u64 {
        let scaled =
            (u128::from(self.0) * u128::from(timescale) + u128::from(MEDIA_HZ / 2)) / u128::from(MEDIA_HZ);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    /// ISO 8601 with milliseconds in UTC, as `EXT-X-PROGRAM-DATE-TIME` wants it (RFC 8216bis, 4.4.4.6).
    pub fn iso8601(self) -> String {
        self.utc().iso8601()
    }
}

impl UtcMs {
    /// ISO 8601 with milliseconds in UTC: `2026-11-20T10:52:00.040Z`.
    pub fn iso8601(self) -> String {
        let (days, ms_of_day) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        let (s, ms) = (ms_of_day / 1000, ms_of_day % 1000);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600, s / 60 % 60, s % 60)
    }
}

/// Proleptic Gregorian date of a day counted from 1970-01-01: shifting the year to March puts the leap day last,
/// so that months have a closed form.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

impl MediaSpan {
    /// A span of milliseconds.
    pub const fn from_ms(ms: i64) -> MediaSpan {
        MediaSpan(ms.saturating_mul(90))
    }

    /// In milliseconds, towards zero.
    pub const fn ms(self) -> i64 {
        self.0 / 90
    }

    /// As decimal seconds with `digits` (at most 6) decimals, rounded half away from zero: for `EXTINF`.
    pub fn decimal_seconds(self, digits: u32) -> String {
        let (unit, hz) = (10_u64.pow(digits.min(6)), u64::from(MEDIA_HZ));
        let ticks = self.0.unsigned_abs();
        // Whole seconds and the rest apart: playlists are full of these, and 128 bits are slow in Wasm.
        let rounded = (ticks % hz * unit + hz / 2) / hz;
        let (seconds, decimals) = (ticks / hz + rounded / unit, rounded % unit);
        let sign = if self.0 < 0 && (seconds, decimals) != (0, 0) { "-" } else { "" };
        match digits.min(6) as usize {
            0 => format!("{sign}{seconds}"),
            width => format!("{sign}{seconds}.{decimals:0width$}"),
        }
    }
}

impl Add<MediaSpan> for MediaTime {
    type Output = MediaTime;
    fn add(self, span: MediaSpan) -> MediaTime {
        MediaTime(self.0.saturating_add_signed(span.0))
    }
}

impl Sub for MediaTime {
    type Output = MediaSpan;
    fn sub(self, other: MediaTime) -> MediaSpan {
        MediaSpan((self.0 as i64).wrapping_sub(other.0 as i64))
    }
}

impl Add for MediaSpan {
    type Output = MediaSpan;
    fn add(self, other: MediaSpan) -> MediaSpan {
        MediaSpan(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

impl fmt::Display for UtcMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso8601_of_known_instants() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_795_171_920_040, "2026-11-20T10:52:00.040Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(UtcMs(ms).iso8601(), text);
            assert_eq!(UtcMs(ms).media().iso8601(), text);
        }
    }

    #[test]
    fn decimal_seconds_round_half_away() {
        for (ticks, digits, text) in [
            (180_000, 3, "2.000"),
            (180_045, 3, "2.001"),
            (180_044, 3, "2.000"),
            (-45_000, 1, "-0.5"),
            (45_000, 0, "1"),
            (3_003, 5, "0.03337"),
            (89_999, 3, "1.000"),
            (-1, 3, "0.000"),
            (i64::MIN, 6, "-102481911520608.620089"),
        ] {
            assert_eq!(MediaSpan(ticks).decimal_seconds(digits), text);
        }
    }

    #[test]
    fn rescale_rounds_to_the_nearest_tick() {
        assert_eq!(MediaTime(90_000).rescale(48_000), 48_000);
        assert_eq!(UtcMs(1_795_171_920_040).media().rescale(44_100), 79_167_081_673_764);
        assert_eq!(MediaTime(u64::MAX).rescale(u32::MAX), u64::MAX);
    }
}
