//! What a person sees of a running origin: logs to read, figures to plot.

mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

pub use metrics::{EdgeMetrics, FeedMetrics, Metrics, PushResult, PutResult, TargetMetrics};

/// What is logged where `RUST_LOG` says nothing: our own words, and of libraries only what went wrong.
const DEFAULT_FILTER: &str =
    "info,aws=warn,aws_smithy_runtime=warn,hyper=warn,hyper_util=warn,reqwest=warn,s3s=error,s3s_fs=error";

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
}

/// Logs to standard error from here on: one line each, in colour on a terminal only, filtered by `RUST_LOG`.
pub fn init_logs() -> Result<(), LogError> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            EnvFilter::try_new(text).map_err(|error| LogError::Filter(error.to_string()))?
        }
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    tracing_subscriber::fmt()
        .compact()
        .with_target(false)
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|_| LogError::Twice)
}
