//! The picture of a subject's period, as SVG: when it was available, how long requests took, how many failed.

use std::fmt::Write as _;
use std::time::Duration;

use railbird_core::time::UtcMs;

use super::html::{escape, span, when};
use super::summary::{Column, Period, Story};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 948.0;

/// Top and height of the three panels.
const STRIP: (f64, f64) = (4.0, 18.0);
const TIMES: (f64, f64) = (52.0, 220.0);
const FAILED: (f64, f64) = (302.0, 44.0);
const HEIGHT: f64 = 368.0;

/// The shortest outage that can be seen.
const OUTAGE_WIDTH_MIN: f64 = 2.0;

/// How far apart the labels of the time axis may be, in milliseconds.
const TICK_MS: [u64; 15] = [
    1000,
    5000,
    10_000,
    30_000,
    60_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    7_200_000,
    10_800_000,
    21_600_000,
    43_200_000,
    86_400_000,
    259_200_000,
];

/// The most labels of the time axis.
const TICKS_MAX: u64 = 9;

struct Plot<'a> {
    out: String,
    story: &'a Story,
    period: &'a Period,
}

/// Draws it. Colours come from the page's style sheet.
pub(super) fn draw(story: &Story, period: &Period, name: &str) -> String {
    let mut plot = Plot { out: String::new(), story, period };
    plot.add(format_args!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Availability, request times and failures of {}\">",
        escape(name)
    ));
    plot.strip();
    plot.frame();
    plot.times();
    plot.failures();
    plot.out.push_str("</svg>");
    plot.out
}

impl Plot<'_> {
    // Writing to a string does not fail.
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }

    fn rect(&mut self, class: &str, (x, width): (f64, f64), (y, height): (f64, f64)) {
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        self.add(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(text)));
    }

    fn x(&self, at: UtcMs) -> f64 {
        let whole = self.period.to.ms_since(self.period.from).max(1) as f64;
        let part = at.clamp(self.period.from, self.period.to).ms_since(self.period.from) as f64;
        LEFT + (RIGHT - LEFT) * part / whole
    }

    /// Where a column begins and how wide it is.
    fn column(&self, n: usize) -> (f64, f64) {
        let at = |n: usize| self.x(self.period.from.plus_ms(n as u64 * self.period.column_ms));
        (at(n), at(n + 1) - at(n))
    }

    /// One bar: what was asked of it and worked, what was asked and failed in part, and when it was down.
    fn strip(&mut self) {
        self.rect("none", (LEFT, RIGHT - LEFT), STRIP);
        let story = self.story;
        for (n, column) in story.columns.iter().enumerate() {
            let class = match (column.done, column.failed) {
                (0, 0) => continue,
                (_, 0) => "good",
                _ => "some",
            };
            // A hair's breadth more, so that neighbours leave no seam.
            let (x, width) = self.column(n);
            self.rect(class, (x, (width + 0.3).min(RIGHT - x)), STRIP);
        }
        for outage in &story.outages {
            let (x, end) = (self.x(outage.begin), self.x(outage.end.unwrap_or(self.period.to)));
            let width = (end - x).max(OUTAGE_WIDTH_MIN);
            let end = outage.end.map_or("not over at the end of this period".to_string(), when);
            self.add(format_args!(
                "<g><title>{} to {}: {}</title>",
                when(outage.begin),
                end,
                escape(&outage.reason)
            ));
            self.rect("down", (x, width), STRIP);
            self.rect("shade", (x, width), (TIMES.0, FAILED.0 + FAILED.1 - TIMES.0));
            self.out.push_str("</g>");
        }
    }

    fn frame(&mut self) {
        let whole = self.period.to.ms_since(self.period.from);
        let fits = |ms: &u64| whole / ms < TICKS_MAX;
        let step = TICK_MS.into_iter().find(fits).unwrap_or(TICK_MS[TICK_MS.len() - 1]);
        let (bottom, days) = (FAILED.0 + FAILED.1, whole > 86_400_000);
        let mut at = UtcMs(self.period.from.0.next_multiple_of(step));
        while at <= self.period.to {
            let x = self.x(at);
            self.add(format_args!(
                "<path class=\"grid\" d=\"M{x:.1} {:.1}V{:.1}M{x:.1} {:.1}V{bottom:.1}\"/>",
                TIMES.0,
                TIMES.0 + TIMES.1,
                FAILED.0
            ));
            self.text("tick x", (x.clamp(LEFT + 14.0, RIGHT - 18.0), bottom + 16.0), &label(at, step, days));
            at = at.plus_ms(step);
        }
    }

    /// Percentiles over time, on a logarithmic scale.
    fn times(&mut self) {
        let story = self.story;
        let done = || story.columns.iter().filter(|column| column.done > 0);
        let low = done().filter_map(|column| column.percentile(50)).min();
        let high = done().map(|column| column.max).max();
        let (Some(low), Some(high)) = (low, high) else {
            self.text(
                "empty",
                ((LEFT + RIGHT) / 2.0, TIMES.0 + TIMES.1 / 2.0),
                "No request succeeded in this period.",
            );
            return;
        };
        let low = log_ms(low).floor().clamp(0.0, 5.0);
        let high = log_ms(high).ceil().clamp(low + 1.0, 7.0);
        let y = move |took: Duration| {
            TIMES.0 + TIMES.1 * (1.0 - (log_ms(took).clamp(low, high) - low) / (high - low))
        };
        for decade in low as u32..=high as u32 {
            let took = Duration::from_millis(10_u64.pow(decade));
            let at = y(took);
            self.add(format_args!("<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>"));
            self.text("tick y", (LEFT - 6.0, at + 4.0), &span(took));
        }
        self.text("tick head", (LEFT, TIMES.0 - 6.0), "Time of successful requests");
        for (n, column) in story.columns.iter().enumerate().filter(|(_, column)| column.done > 0) {
            let (x, width) = self.column(n);
            self.add(format_args!(
                "<circle class=\"max\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"1.6\"/>",
                x + width / 2.0,
                y(column.max)
            ));
        }
        for (class, percent) in [("p95", 95), ("p50", 50)] {
            let path = self.path(|column| column.percentile(percent).map(y));
            self.add(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }

    /// A line through the columns, broken where there is nothing.
    fn path(&self, y: impl Fn(&Column) -> Option<f64>) -> String {
        let (mut path, mut open) = (String::new(), false);
        for (n, column) in self.story.columns.iter().enumerate() {
            let Some(y) = y(column) else {
                open = false;
                continue;
            };
            let (x, width) = self.column(n);
            // A column alone is still seen: a short dash.
            let (from, to) = (x + width * 0.25, x + width * 0.75);
            let _ = match open {
                true => write!(path, "L{:.1} {y:.1}", x + width / 2.0),
                false => write!(path, "M{from:.1} {y:.1}L{to:.1} {y:.1}"),
            };
            open = true;
        }
        path
    }

    fn failures(&mut self) {
        let most = self.story.columns.iter().map(|column| column.failed).max().unwrap_or(0);
        let column = span(Duration::from_millis(self.period.column_ms));
        let head = match most {
            0 => "No request failed".to_string(),
            most => format!("Failed requests, at most {most} in {column}"),
        };
        self.text("tick head", (LEFT, FAILED.0 - 6.0), &head);
        let base = FAILED.0 + FAILED.1;
        self.add(format_args!("<path class=\"axis\" d=\"M{LEFT} {base:.1}H{RIGHT}\"/>"));
        let story = self.story;
        for (n, column) in story.columns.iter().enumerate().filter(|(_, column)| column.failed > 0) {
            let (x, width) = self.column(n);
            let height = (FAILED.1 * f64::from(column.failed) / f64::from(most)).max(3.0);
            self.rect("failed", (x, (width - 0.5).max(1.2)), (base - height, height));
        }
    }
}

fn log_ms(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).max(0.1).log10()
}

/// `18:45`, with seconds where labels are closer than a minute, and with the day where they span days.
fn label(at: UtcMs, step: u64, days: bool) -> String {
    let text = at.iso8601();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    match (days, step) {
        (true, 86_400_000..) => part(5, 10).to_string(),
        (true, _) if at.0.is_multiple_of(86_400_000) => part(5, 10).to_string(),
        (_, 0..60_000) => part(11, 19).to_string(),
        _ => part(11, 16).to_string(),
    }
}
