//! Lines of the log on their way to where they are read. Whoever logs never waits (DESIGN.md, invariant 1).
//!
//! Standard error may be a pipe that nobody empties: a journal that is stuck, a terminal that was stopped, a dead `tee`. So
//! one thread writes, and what is logged waits for it in memory, up to [`WAITING_LEN_MAX`]. Lines above that are lost, counted,
//! and one line says how many once the log is read again.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

use crate::clock;

/// The most bytes of lines that wait.
pub const WAITING_LEN_MAX: usize = 1 << 20;

/// The most bytes that are written at a time.
const CHUNK_LEN_MAX: usize = 64 << 10;

/// How long the end of the process waits for the log to be written.
pub const FLUSH_DEADLINE: Duration = Duration::from_secs(2);

/// Lines that were lost. There is one log in a process, so there is one counter.
static LOST: LazyLock<Counter> = LazyLock::new(Counter::default);

/// How many lines of the log were lost.
pub(super) fn lost() -> Counter {
    LOST.clone()
}

/// Takes lines. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
    lost: Counter,
}

#[derive(Default)]
struct State {
    /// Whole lines, in order.
    waiting: Vec<u8>,
    /// The thread is writing.
    writing: bool,
    /// Lines that were lost since the last line that said so.
    untold: u64,
}

impl Lines {
    /// Lines that a thread of their own writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static, lost: Counter) -> io::Result<Lines> {
        let inner = Inner { state: Mutex::default(), changed: Condvar::new(), lost };
        let lines = Lines(Arc::new(inner));
        let writer = lines.clone();
        std::thread::Builder::new().name("log".to_string()).spawn(move || writer.write_to(out))?;
        Ok(lines)
    }

    /// Takes a line; never waits for whoever reads the log.
    fn take(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > WAITING_LEN_MAX {
            state.untold += 1;
            self.0.lost.inc();
            return;
        }
        state.waiting.extend_from_slice(line);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, `within` at most. Whether it is.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let open = |state: &mut State| state.writing || !state.waiting.is_empty();
        let waited = self.0.changed.wait_timeout_while(self.state(), within, open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn write_to(&self, mut out: impl Write) {
        loop {
            let mut state = self.state();
            state.writing = false;
            self.0.changed.notify_all();
            let empty = |state: &mut State| state.waiting.is_empty();
            state = self.0.changed.wait_while(state, empty).unwrap_or_else(PoisonError::into_inner);
            state.writing = true;
            // Whole lines, where they fit.
            let most = state.waiting.len().min(CHUNK_LEN_MAX);
            let whole =
                state.waiting.get(..most).and_then(|chunk| chunk.iter().rposition(|byte| *byte == b'\n'));
            let len = whole.map_or(most, |end| end + 1);
            let mut chunk: Vec<u8> = state.waiting.drain(..len).collect();
            // What was lost comes after everything that waited.
            if state.waiting.is_empty() && state.untold > 0 {
                chunk.extend(told(std::mem::take(&mut state.untold)).into_bytes());
            }
            drop(state);
            // A log that can't be written has nobody to be told.
            let _ = out.write_all(&chunk).and_then(|()| out.flush());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every method leaves it whole.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line that stands for lost ones, in the form of the others.
fn told(lost: u64) -> String {
    format!(
        "{}  WARN {lost} lines of the log were lost here: nobody read it in time\n",
        clock::now().iso8601()
    )
}

/// One line that is being made.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.lines.take(&self.text);
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, text: Vec::new() }
    }
}

/// Writes the last words of a process to standard error, waiting [`FLUSH_DEADLINE`] at most.
pub fn last_words(text: String) {
    let until = Instant::now() + FLUSH_DEADLINE;
    if let Ok(lines) = Lines::start(io::stderr(), Counter::default()) {
        lines.take(format!("{text}\n").as_bytes());
        lines.flush(until.saturating_duration_since(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// `count` lines, logged as anything is logged.
    fn log(lines: &Lines, count: usize) {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..count {
                tracing::info!("line {n} {}", "x".repeat(1000));
            }
        });
    }

    /// The venue never waits for the world: what logs goes on, whoever reads the log or does not.
    #[test]
    fn invariant_1_a_log_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_counted_and_told() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lost = Counter::default();
        let lines = Lines::start(writer, lost.clone()).unwrap();
        // More than the pipe and the queue hold. This returns, or the test never ends.
        let count = 2 * WAITING_LEN_MAX / 1000;
        log(&lines, count);
        assert!(lost.get() > 0);
        assert!(lines.state().waiting.len() <= WAITING_LEN_MAX);
        assert!(!lines.flush(Duration::from_millis(10)), "nobody reads: the end does not wait for ever");

        // Somebody reads again.
        let last = "the last line";
        let read = std::thread::spawn(move || {
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&text).contains(last) {
                let len = reader.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..len]);
            }
            String::from_utf8(text).unwrap()
        });
        assert!(lines.flush(Duration::from_secs(60)));
        lines.take(format!("{last}\n").as_bytes());
        let text = read.join().unwrap();
        let told = format!("WARN {} lines of the log were lost here", lost.get());
        let place = text.lines().position(|line| line.contains(&told)).unwrap();
        assert_eq!(place as u64 + lost.get(), count as u64, "every line came, or was counted");
        assert_eq!(text.lines().nth(place + 1), Some(last));
    }

    #[test]
    fn what_was_logged_is_written_at_the_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::start(writer, Counter::default()).unwrap();
        log(&lines, 3);
        assert!(lines.flush(Duration::from_secs(60)));
        let mut text = [0; 3000];
        reader.read_exact(&mut text).unwrap();
        assert!(String::from_utf8_lossy(&text).contains("line 2 "));
    }

    #[test]
    fn a_log_that_is_closed_holds_nobody_up() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::start(writer, Counter::default()).unwrap();
        drop(reader);
        log(&lines, 3);
        assert!(lines.flush(Duration::from_secs(60)));
    }
}
