//! What the component prints becomes log lines, within bounds.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The longest line that is logged, in bytes; the rest of a longer one is dropped.
const LINE_LEN_MAX: usize = 2048;

/// The most lines of one request that are logged.
const LINES_MAX: u32 = 50;

/// One instance's standard output and error.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Pending>>);

#[derive(Default)]
struct Pending {
    line: Vec<u8>,
    lines: u32,
}

impl Log {
    /// A request begins: its lines count from 0.
    pub(super) fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lines = 0;
    }
}

impl Pending {
    fn write(&mut self, bytes: &[u8], mut emit: impl FnMut(&str)) {
        if self.lines > LINES_MAX {
            return;
        }
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = LINE_LEN_MAX.saturating_sub(self.line.len());
            self.line.extend(text.iter().take(room));
            if text.len() == piece.len() {
                continue;
            }
            if self.line.is_empty() {
                continue;
            }
            self.lines = self.lines.saturating_add(1);
            match self.lines {
                ..=LINES_MAX => emit(&printable(&self.line)),
                lines if lines == LINES_MAX + 1 => emit("(further lines of this request are dropped)"),
                _ => {}
            }
            self.line.clear();
        }
    }
}

/// Without control characters, so that a line can't pretend to be several, or colour a terminal.
fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl AsyncWrite for Log {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.write(bytes, |line| tracing::warn!(target: "railbird::edge", "{line}"));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Log {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Log {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut pending, mut lines) = (Pending::default(), Vec::new());
        for piece in pieces {
            pending.write(piece, |line| lines.push(line.to_owned()));
        }
        lines
    }

    #[test]
    fn lines_are_whole_clean_and_bounded() {
        let text = b"one\ntwo \x1b[31m\rred\n\nlast without end";
        let whole = lines(&[text]);
        assert_eq!(whole, ["one", "two  [31m red"]);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines(&bytes), whole);

        let long = [vec![b'x'; LINE_LEN_MAX * 3], vec![b'\n']].concat();
        assert_eq!(lines(&[&long])[0].len(), LINE_LEN_MAX);
        assert_eq!(lines(&[&b"x\n".repeat(10_000)]).len() as u32, LINES_MAX + 1);
    }
}
