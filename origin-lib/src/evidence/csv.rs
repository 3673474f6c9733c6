//! The table of everything: one row an entry (RFC 4180).

use std::io::{self, Write};
use std::time::Duration;

use super::redact::Redact;
use super::{Entry, Subject, What};
use crate::spreadsheet;

/// The head of the table.
const HEAD: &str = "time_utc,kind,name,event,class,object,bytes,http_status,text,peer,request_id,dns_ms,connect_ms,tls_ms,\
                    first_byte_ms,total_ms\r\n";

/// Writes the table.
pub(super) struct Csv<W> {
    out: W,
    redact: Redact,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(mut out: W, redact: Redact) -> io::Result<Csv<W>> {
        out.write_all(HEAD.as_bytes())?;
        Ok(Csv { out, redact })
    }

    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let (kind, name) = subject(&entry.subject);
        let (event, class, text) = match &entry.what {
            What::Up => ("up", "", ""),
            What::Down { reason } => ("down", "", reason.as_str()),
            What::Done => ("done", "", ""),
            What::Slow => ("slow", "", ""),
            What::Others => ("others", "", "the other origin had written it, with other bytes"),
            What::Failed { class, text } => ("failed", class.as_str(), text.as_str()),
            What::Changed { text } => ("changed", "", text.as_str()),
        };
        let trace = entry.trace.as_ref();
        let ms = |span: Option<Duration>| span.map(milliseconds).unwrap_or_default();
        let row = [
            entry.at.iso8601(),
            kind.to_string(),
            cell(name),
            event.to_string(),
            cell(class),
            cell(entry.object.as_deref().unwrap_or_default()),
            entry.len.to_string(),
            trace.and_then(|trace| trace.status).map(|status| status.to_string()).unwrap_or_default(),
            cell(&self.redact.text(text)),
            trace.and_then(|trace| trace.peer).map(|peer| peer.to_string()).unwrap_or_default(),
            cell(&self.redact.text(trace.and_then(|trace| trace.request_id.as_deref()).unwrap_or_default())),
            ms(trace.and_then(|trace| trace.dns)),
            ms(trace.and_then(|trace| trace.connect)),
            ms(trace.and_then(|trace| trace.tls)),
            ms(trace.and_then(|trace| trace.first_byte)),
            ms(trace.map(|trace| trace.total)),
        ];
        self.out.write_all(row.join(",").as_bytes())?;
        self.out.write_all(b"\r\n")
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A subject's kind and name.
pub(super) fn subject(subject: &Subject) -> (&'static str, &str) {
    match subject {
        Subject::Target(id) => ("target", id.as_str()),
        Subject::Node(id) => ("node", id.as_str()),
        Subject::Push(id) => ("push", id.as_str()),
        Subject::Edge(host) => ("edge", host),
    }
}

/// Milliseconds with a decimal: `12.3`.
pub(super) fn milliseconds(span: Duration) -> String {
    format!("{:.1}", span.as_secs_f64() * 1000.0)
}

/// A text from outside in a cell: quoted, and never a formula for the program that opens it.
fn cell(text: &str) -> String {
    let text = spreadsheet::inert(text);
    let quoted = text.contains(['"', ',', '\r', '\n']);
    if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::failed;
    use railbird_core::time::UtcMs;

    #[test]
    fn a_row_is_quoted_and_no_formula() {
        let mut out = Vec::new();
        let mut csv = Csv::new(&mut out, Redact::new(&[])).unwrap();
        csv.add(&failed(UtcMs(1_795_171_920_040), "=HYPERLINK(\"x\"),\nsecond line")).unwrap();
        csv.finish().unwrap();
        let text = String::from_utf8(out).unwrap();
        let row = text.strip_prefix(HEAD).unwrap();
        assert_eq!(
            row,
            "2026-11-20T10:52:00.040Z,target,a,failed,retry,t/s/1-0.m4s,5,503,\"'=HYPERLINK(\"\"x\"\"),\nsecond line\",\
             203.0.113.9:443,REQ1,,12.0,,,30.5\r\n"
        );
    }

    /// Invariant 8: a provider chooses its request ids, and may make them of what it was sent.
    #[test]
    fn invariant_8_a_request_id_is_no_way_out_for_a_secret_and_no_formula() {
        for (id, shown) in [
            ("r-hunter2-1", ",r-[removed]-1,"),
            ("@SUM(A1)", ",'@SUM(A1),"),
            ("-1+1", ",'-1+1,"),
            ("https://u:p@a.example/?sig=x", ",https://a.example/?[removed],"),
        ] {
            let mut entry = failed(UtcMs(1_795_171_920_040), "no");
            entry.trace.as_mut().unwrap().request_id = Some(id.into());
            let mut out = Vec::new();
            let mut csv = Csv::new(&mut out, Redact::new(&[crate::config::Secret::new("hunter2")])).unwrap();
            csv.add(&entry).unwrap();
            csv.finish().unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains(shown), "{text}");
        }
    }
}
