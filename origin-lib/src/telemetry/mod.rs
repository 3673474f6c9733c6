//! What a person sees of a running origin: logs to read, figures to plot.

mod edges;
mod feeds;
mod lines;
mod links;
mod metrics;
mod sessions;
mod targets;

use std::io::IsTerminal;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use tracing_subscriber::EnvFilter;

use lines::Lines;

pub use edges::{EdgeMetrics, PushResult};
pub use feeds::{FeedMetrics, RenditionMetrics};
pub use lines::{FLUSH_DEADLINE, WAITING_LEN_MAX, last_words};
pub use links::LinkMetrics;
pub use metrics::Metrics;
pub use sessions::{Session, SessionMetrics};
pub use targets::{PutResult, TargetMetrics};

/// What tells a figure from others of its name.
type Labels = Vec<(&'static str, String)>;

/// A figure that is no whole number.
type Number = Gauge<f64, AtomicU64>;

/// What is logged where `RUST_LOG` says nothing: our own words, and of libraries only what went wrong.
const DEFAULT_FILTER: &str = "info,aws=warn,aws_smithy_runtime=warn,hyper=warn,hyper_util=warn,reqwest=warn,s3s=error,s3s_fs=error,\
    str0m=warn,is=warn,dimpl=warn";

/// Logs can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `RUST_LOG` is not a filter.
    #[error(
        "RUST_LOG is not a filter ({0}): use for example RUST_LOG=info or RUST_LOG=railbird_origin=debug"
    )]
    Filter(String),
    /// The process logs already.
    #[error("logs were already set up")]
    Twice,
    /// There is no thread for them.
    #[error("logs can't be written: {0}")]
    Thread(#[from] std::io::Error),
}

/// Keeps the log until it is dropped: then what still waits is written, for [`FLUSH_DEADLINE`] at most.
#[must_use = "what was logged last is lost without it"]
pub struct Logs(Lines);

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.flush(FLUSH_DEADLINE);
    }
}

/// Logs to standard error from here on: one line each, in colour on a terminal only, filtered by `RUST_LOG`. Nobody who
/// logs waits for whoever reads it.
pub fn init_logs() -> Result<Logs, LogError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            EnvFilter::try_new(text).map_err(|error| LogError::Filter(error.to_string()))?
        }
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    let lines = Lines::start(std::io::stderr(), lines::lost())?;
    tracing_subscriber::fmt()
        .compact()
        .with_target(false)
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(lines.clone())
        .try_init()
        .map_err(|_| LogError::Twice)?;
    Ok(Logs(lines))
}
