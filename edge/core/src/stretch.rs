//! How much of a recording somebody asks for: as far as it was seen, or a clip. See [`Stretch`].

use railbird_core::playlist::Stretch;
use railbird_core::time::UtcMs;

use crate::errors::Problem;
use crate::router;

const UNTIL: Problem = Problem::new(400, "bad-request", "until is a time in UTC milliseconds");
const CLIP: Problem = Problem::new(
    400,
    "bad-request",
    "a clip needs from and to: two times in UTC milliseconds, the first one before the second",
);

/// The stretch of a request's query: `until=…`, `from=…&to=…`, both or none.
pub(crate) fn read(query: &str) -> Result<Stretch, Problem> {
    let time = |name, wrong: Problem| match router::query(query, name) {
        None => Ok(None),
        Some(text) => router::number(text).map(|ms| Some(UtcMs(ms))).ok_or(wrong),
    };
    let clip = match (time("from", CLIP)?, time("to", CLIP)?) {
        (None, None) => None,
        (Some(from), Some(to)) if from < to => Some((from, to)),
        _ => return Err(CLIP),
    };
    Ok(Stretch { until: time("until", UNTIL)?, clip })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_what_its_query_says() {
        let (until, clip) = (Some(UtcMs(5)), Some((UtcMs(1), UtcMs(2))));
        for (query, stretch) in [
            ("", Stretch::default()),
            ("until=5", Stretch { until, clip: None }),
            ("to=2&from=1", Stretch { until: None, clip }),
            ("from=1&to=2&until=5&x=y", Stretch { until, clip }),
        ] {
            assert_eq!(read(query), Ok(stretch));
            // What is handed on says the same.
            assert_eq!(read(stretch.query().trim_start_matches('?')), Ok(stretch));
        }
        for bad in ["until=", "until=-5", "until=05", "until=18446744073709551616", "until=2026-11-20"] {
            assert_eq!(read(bad), Err(UNTIL), "{bad}");
        }
        for bad in ["from=1", "to=1", "from=2&to=2", "from=2&to=1", "from=x&to=2", "from=1&to="] {
            assert_eq!(read(bad), Err(CLIP), "{bad}");
        }
    }
}
