//! The report: one page that needs nothing else, for an engineer of another company.

use std::fmt::Write as _;
use std::time::Duration;

use railbird_core::time::UtcMs;

use super::csv::{milliseconds, subject};
use super::summary::{FAILURES_MAX, Period, Story, Summary};
use super::{Entry, Subject, What, plot};
use crate::redact::Redact;

const STYLE: &str = include_str!("report.css");

/// How many outages are listed.
const OUTAGES_LISTED: usize = 20;

/// Who writes, and of what.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The origin's name.
    pub(super) origin: String,
    /// What people call the event.
    pub(super) event: String,
    /// When the report was made.
    pub(super) made: UtcMs,
    /// Lines of evidence that could not be read.
    pub(super) unreadable: u64,
    /// The file name of the table of everything, where one was written.
    pub(super) csv: Option<String>,
}

/// What stands in text as itself.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// `2026-11-21 18:45:00.040`.
pub(super) fn when(at: UtcMs) -> String {
    at.iso8601().replace('T', " ").replace('Z', "")
}

/// A span for people: `340 ms`, `2.1 s`, `12 min 3 s`, `5 h 2 min`.
pub(super) fn span(span: Duration) -> String {
    let (ms, s) = (span.as_millis(), span.as_secs());
    let two = |big: u64, small: u64, names: (&str, &str)| match small {
        0 => format!("{big} {}", names.0),
        small => format!("{big} {} {small} {}", names.0, names.1),
    };
    match s {
        0 => format!("{ms} ms"),
        1..10 if !ms.is_multiple_of(1000) => format!("{:.1} s", span.as_secs_f64()),
        1..60 => format!("{s} s"),
        60..3600 => two(s / 60, s % 60, ("min", "s")),
        3600..86_400 => two(s / 3600, s / 60 % 60, ("h", "min")),
        _ => two(s / 86_400, s / 3600 % 24, ("d", "h")),
    }
}

/// `12,345`.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn count(of: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(of), if of == 1 { one } else { many })
}

/// A share in percent, never rounded up to a whole that it is not.
fn percent(part: u64, whole: u64) -> String {
    hundredths(u64::try_from(u128::from(part) * 10_000 / u128::from(whole.max(1))).unwrap_or(u64::MAX))
}

fn hundredths(of: u64) -> String {
    format!("{}.{:02} %", of / 100, of % 100)
}

/// The share of the downtime in hundredths of a percent, rounded up: what is not nothing does not look like it.
fn unavailable(ms: u64, whole: u64) -> u64 {
    u64::try_from((u128::from(ms) * 10_000).div_ceil(u128::from(whole.max(1)))).unwrap_or(u64::MAX)
}

fn bytes(len: u64) -> String {
    match len {
        0..1_000_000 => format!("{:.0} kB", len as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", len as f64 / 1e6),
        _ => format!("{:.1} GB", len as f64 / 1e9),
    }
}

struct Page<'a> {
    out: String,
    summary: &'a Summary,
    redact: &'a Redact,
    head: &'a Head,
}

/// The whole page. `place` says where a subject is, without secrets.
pub(super) fn page(
    summary: &Summary,
    head: &Head,
    redact: &Redact,
    place: impl Fn(&Subject) -> Option<String>,
) -> String {
    let mut page = Page { out: String::new(), summary, redact, head };
    let title = match summary.stories.keys().next() {
        Some(only) if summary.stories.len() == 1 => {
            let (kind, name) = subject(only);
            format!("What we saw of {kind} {name}")
        }
        _ => "What we saw of targets, nodes, pushes and edges".to_string(),
    };
    page.begin(&title);
    for (about, story) in &summary.stories {
        page.section(about, story, place(about).as_deref());
    }
    page.end();
    page.out
}

impl Page<'_> {
    // Writing to a string does not fail.
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
    }

    fn period(&self) -> &Period {
        &self.summary.period
    }

    fn begin(&mut self, title: &str) {
        let (Period { from, to, .. }, head) = (*self.period(), self.head);
        let lasted = span(Duration::from_millis(to.ms_since(from)));
        self.add(format_args!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{0}</title>\n<style>{STYLE}</style></head>\n<body><main>\n<h1>{0}</h1>\n\
             <dl class=\"head\"><dt>Period</dt><dd>{1} to {2} UTC ({lasted})</dd>\n\
             <dt>Seen by</dt><dd>Railbird origin “{3}”, event “{4}”</dd>\n\
             <dt>Made</dt><dd>{5} UTC</dd></dl>\n",
            escape(title),
            when(from),
            when(to),
            escape(&head.origin),
            escape(&head.event),
            when(head.made),
        ));
        self.out.push_str(
            "<p class=\"soft\">All times are UTC by the clock of the origin’s machine, and mark the end of a request. Every \
             request that the origin recorded is counted; nothing is sampled.",
        );
        if let Some(csv) = &head.csv {
            self.add(format_args!(
                " The file <span class=\"mono\">{}</span> has every one of them.",
                escape(csv)
            ));
        }
        if head.unreadable > 0 {
            let lines = count(head.unreadable, "line", "lines");
            self.add(format_args!(" {lines} of the origin’s log could not be read."));
        }
        if self.summary.left_out > 0 {
            self.out
                .push_str(" There was more than one report holds: ask for one target, node, push or edge.");
        }
        self.out.push_str("</p>\n");
        if self.summary.stories.is_empty() {
            self.out.push_str("<p>Nothing was recorded in this period.</p>\n");
        }
    }

    fn section(&mut self, about: &Subject, story: &Story, place: Option<&str>) {
        let (kind, name) = subject(about);
        let (class, at) = ("place", place.map(|place| self.redact.text(place)));
        self.add(format_args!("<section><h2>{} {}</h2>\n", capital(kind), escape(name)));
        if let Some(at) = at {
            self.add(format_args!("<p class=\"{class}\">{}</p>\n", escape(&at)));
        }
        let sentences = self.sentences(about, story);
        self.add(format_args!("<p>{}</p>\n", escape(&sentences)));
        self.tiles(story);
        let picture = plot::draw(story, self.period(), name);
        self.add(format_args!(
            "<figure><div class=\"wide\">{picture}</div>\n<figcaption>\
             <span><i class=\"b-good\"></i>all requests succeeded</span><span><i class=\"b-some\"></i>some failed</span>\
             <span><i class=\"b-down\"></i>unavailable, or failed requests</span>\
             <span><i class=\"b-none\"></i>no requests</span>\
             <span><i class=\"line\"></i>half of the requests were faster</span>\
             <span><i class=\"dash\"></i>95 of 100 were faster</span>\
             <span><i class=\"dot\"></i>slowest</span></figcaption></figure>\n"
        ));
        self.outages(story);
        self.classes(story);
        self.addresses(story);
        self.changes(story);
        self.failures(story);
        self.out.push_str("</section>\n");
    }

    /// The summary, as one would write it into the ticket.
    fn sentences(&self, about: &Subject, story: &Story) -> String {
        let (kind, name) = subject(about);
        let requests = story.done + story.failed;
        let mut text = match requests {
            0 => format!("The origin made no request to {kind} {name} in this period."),
            _ => format!("The origin made {} to {kind} {name}", count(requests, "request", "requests")),
        };
        if requests > 0 {
            match story.failed {
                0 => text.push_str(", and all of them succeeded."),
                failed => {
                    let answered = failed - story.unanswered;
                    let _ = write!(
                        text,
                        "; {} of them failed ({}): {} got no HTTP answer (refused, cut off or too late), {} got an HTTP error.",
                        number(failed),
                        percent(failed, requests),
                        number(story.unanswered),
                        number(answered),
                    );
                }
            }
        }
        let outages = story.outages.len() as u64 + story.outages_more;
        if outages > 0 {
            let whole = self.period().to.ms_since(self.period().from);
            let _ = write!(
                text,
                " It was unavailable {}, for {} altogether ({} of the period).",
                match outages {
                    1 => "once".to_string(),
                    2 => "twice".to_string(),
                    more => format!("{} times", number(more)),
                },
                span(Duration::from_millis(story.downtime_ms)),
                hundredths(unavailable(story.downtime_ms, whole)),
            );
        }
        if let Some((at, minute)) = story.worst_minute() {
            let _ = write!(
                text,
                " The worst minute began at {} UTC: {} of {} failed.",
                when(at),
                number(u64::from(minute.failed)),
                count(u64::from(minute.failed + minute.done), "request", "requests"),
            );
        }
        if story.slow > 0 {
            let _ =
                write!(text, " {} succeeded later than we need.", count(story.slow, "request", "requests"));
        }
        text
    }

    fn tiles(&mut self, story: &Story) {
        let whole = self.period().to.ms_since(self.period().from);
        let outages = story.outages.len() as u64 + story.outages_more;
        let tiles = [
            (number(story.done + story.failed), "requests".to_string()),
            (number(story.failed), format!("failed, {} without an answer", number(story.unanswered))),
            (number(outages), if outages == 1 { "outage".to_string() } else { "outages".to_string() }),
            (span(Duration::from_millis(story.downtime_ms)), "unavailable".to_string()),
            (
                hundredths(10_000_u64.saturating_sub(unavailable(story.downtime_ms, whole))),
                "of the period available".to_string(),
            ),
            (bytes(story.bytes), "transferred".to_string()),
        ];
        self.out.push_str("<ul class=\"tiles\">");
        for (figure, of) in tiles {
            self.add(format_args!("<li><b>{figure}</b><span>{of}</span></li>"));
        }
        self.out.push_str("</ul>\n");
    }

    /// A table's caption and head. A name that begins with `#` heads a column of numbers.
    fn table(&mut self, caption: &str, columns: &[&str]) {
        self.add(format_args!("<h3>{}</h3>\n<div class=\"wide\"><table><thead><tr>", escape(caption)));
        for column in columns {
            match column.strip_prefix('#') {
                Some(name) => self.add(format_args!("<th class=\"n\">{}</th>", escape(name))),
                None => self.add(format_args!("<th>{}</th>", escape(column))),
            }
        }
        self.out.push_str("</tr></thead><tbody>\n");
    }

    fn row(&mut self, cells: &[(&str, &str)]) {
        self.out.push_str("<tr>");
        for (class, text) in cells {
            let text = escape(text);
            match *class {
                "o" | "c" => self.add(format_args!("<td class=\"{class}\"><code>{text}</code></td>")),
                class => self.add(format_args!("<td class=\"{class}\">{text}</td>")),
            }
        }
        self.out.push_str("</tr>\n");
    }

    fn table_end(&mut self) {
        self.out.push_str("</tbody></table></div>\n");
    }

    fn outages(&mut self, story: &Story) {
        if story.outages.is_empty() {
            return;
        }
        let period = *self.period();
        let all = story.outages.len() as u64 + story.outages_more;
        let caption = match all > OUTAGES_LISTED as u64 {
            true => format!("The {OUTAGES_LISTED} longest of {} outages", number(all)),
            false => "Outages, the longest first".to_string(),
        };
        self.table(&caption, &["Begin (UTC)", "End (UTC)", "#Lasted", "Reason", "Addresses that failed"]);
        for outage in story.longest(&period).into_iter().take(OUTAGES_LISTED) {
            let end = outage.end.map_or("not over".to_string(), when);
            let until = outage.end.unwrap_or(period.to);
            let lasted = span(Duration::from_millis(until.ms_since(outage.begin)));
            let addresses: Vec<String> = outage.addresses.iter().map(ToString::to_string).collect();
            let addresses =
                if addresses.is_empty() { "none was connected to".to_string() } else { addresses.join(", ") };
            let reason = self.redact.text(&outage.reason);
            self.row(&[
                ("t", &when(outage.begin)),
                ("t", &end),
                ("n", &lasted),
                ("w", &reason),
                ("o", &addresses),
            ]);
        }
        self.table_end();
    }

    fn classes(&mut self, story: &Story) {
        if story.classes.is_empty() {
            return;
        }
        let mut classes: Vec<_> = story.classes.iter().collect();
        classes.sort_by_key(|(_, class)| std::cmp::Reverse(class.count));
        self.table(
            "Errors by class",
            &["Class", "HTTP status", "#Requests", "First (UTC)", "Last (UTC)", "Text of the last one"],
        );
        for ((name, status), class) in classes {
            let status = status.map_or("no answer".to_string(), |status| status.to_string());
            let text = self.redact.text(&class.text);
            self.row(&[
                ("t", name),
                ("t", &status),
                ("n", &number(class.count)),
                ("t", &when(class.first)),
                ("t", &when(class.last)),
                ("w", &text),
            ]);
        }
        self.table_end();
    }

    fn addresses(&mut self, story: &Story) {
        if story.failed == 0 || story.addresses.is_empty() {
            return;
        }
        let mut addresses: Vec<_> = story.addresses.iter().collect();
        addresses.sort_by_key(|(_, seen)| std::cmp::Reverse((seen.failed, seen.done)));
        self.table("Addresses", &["Address", "#Requests", "#Failed", "#Share", "Last failure (UTC)"]);
        for (address, seen) in addresses {
            let all = seen.done + seen.failed;
            self.row(&[
                ("c", &address.to_string()),
                ("n", &number(all)),
                ("n", &number(seen.failed)),
                ("n", &percent(seen.failed, all)),
                ("t", &seen.last_failed.map(when).unwrap_or_default()),
            ]);
        }
        self.table_end();
    }

    fn changes(&mut self, story: &Story) {
        if story.changes.is_empty() {
            return;
        }
        self.table("What we changed", &["Time (UTC)", "Change"]);
        for (at, text) in &story.changes {
            let text = self.redact.text(text);
            self.row(&[("t", &when(*at)), ("w", &text)]);
        }
        self.table_end();
    }

    fn failures(&mut self, story: &Story) {
        if story.failures.is_empty() {
            return;
        }
        let caption = match story.failed > FAILURES_MAX as u64 {
            true => format!(
                "The first {FAILURES_MAX} of {} failed requests, spans in milliseconds",
                number(story.failed)
            ),
            false => "Failed requests, spans in milliseconds".to_string(),
        };
        self.table(
            &caption,
            &[
                "Time (UTC)",
                "HTTP",
                "Error",
                "Address",
                "Request id",
                "#DNS",
                "#Connect",
                "#TLS",
                "#First byte",
                "#Total",
                "Object",
            ],
        );
        for entry in &story.failures {
            self.failure(entry);
        }
        self.table_end();
    }

    fn failure(&mut self, entry: &Entry) {
        let What::Failed { text, .. } = &entry.what else { return };
        let trace = entry.trace.clone().unwrap_or_default();
        let known = |text: Option<String>| text.unwrap_or_else(|| "–".to_string());
        let ms = |span: Option<Duration>| known(span.map(milliseconds));
        self.row(&[
            ("t", &when(entry.at)),
            ("t", &known(trace.status.map(|status| status.to_string()))),
            ("w", &self.redact.text(text)),
            ("c", &known(trace.peer.map(|peer| peer.to_string()))),
            ("o", &known(trace.request_id.map(|id| self.redact.text(&id)))),
            ("n", &ms(trace.dns)),
            ("n", &ms(trace.connect)),
            ("n", &ms(trace.tls)),
            ("n", &ms(trace.first_byte)),
            ("n", &ms(Some(trace.total))),
            ("o", &known(entry.object.clone())),
        ]);
    }

    fn end(&mut self) {
        self.out.push_str(
            "<footer><h3>How to read this</h3><dl>\n\
             <dt>Outage</dt><dd>From the moment at which the origin counted it as failing (several failures in a row, or nobody \
             answers) until a request succeeded again. Single failures before and between are listed, and are no \
             outage.</dd>\n\
             <dt>Object</dt><dd>The name of what was written or read. Objects are immutable; a failed one is sent again, so that \
             a name can stand here more than once.</dd>\n\
             <dt>DNS, Connect, TLS</dt><dd>How long the name took to resolve, TCP to connect, and the TLS handshake. – : a \
             connection was reused, or the request did not get that far.</dd>\n\
             <dt>First byte, Total</dt><dd>From the begin of the request to the first byte of the answer, and to its \
             end.</dd>\n\
             <dt>unreachable</dt><dd>No connection, or none in time.</dd>\n\
             <dt>retry</dt><dd>The request failed in a way that may work the next time, as a status of 500 or a connection that \
             was cut off.</dd>\n\
             <dt>slow-down</dt><dd>We were asked for fewer requests (429 or 503), and kept to it.</dd>\n\
             <dt>misconfigured</dt><dd>Refused until somebody changes something, as a key or a bucket’s name.</dd>\n\
             <dt>give-up</dt><dd>This object was refused, and is tried again in a while.</dd>\n\
             <dt>wrong-bytes</dt><dd>What was read back is not what was written and acknowledged.</dd>\n\
             </dl></footer>\n</main></body></html>\n",
        );
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
