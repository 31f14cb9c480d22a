//! Logs, on standard error, written aside.

mod filter;

use std::io::{self, IsTerminal};

use prometheus::IntCounter;
use tracing_subscriber::EnvFilter;

use crate::config::Log;
use crate::telemetry::{LastLines, Lines};

/// Sets up logging for the whole process, and counts the lines that could not be written. `RUST_LOG`,
/// where it is set, wins over the configuration. What is returned is kept until the last line.
///
/// # Errors
///
/// Where the system has no thread to give.
pub(super) fn start(log: &Log, left_out: IntCounter) -> io::Result<LastLines> {
    let (lines, last) = Lines::to(io::stderr(), left_out)?;
    let written = std::env::var_os("RUST_LOG").unwrap_or_default();
    let filter = filter::filter(log, &written.to_string_lossy());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(filter.directives))
        .with_writer(move || lines.clone())
        // It would tell standard error, and panic where that cannot be written.
        .log_internal_errors(false)
        .with_target(false);
    if log.json {
        builder.json().flatten_event(true).init();
    } else {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        builder.with_ansi(colour).init();
    }
    for problem in filter.problems {
        tracing::warn!("RUST_LOG: {problem}");
    }
    Ok(last)
}
