//! Logs, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Sets up logging for the whole process. `RUST_LOG`, where it is set, wins over the configuration.
pub(super) fn start(log: &Log) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(own(log)));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    if log.json {
        builder.json().flatten_event(true).init();
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        builder.with_ansi(colour).init();
    }
}

/// The level for what the firewall itself says. What its libraries say of a connection is counted and
/// logged by the firewall, within bounds; clients could have them say it without any.
fn own(log: &Log) -> String {
    format!("error,cookie_firewall={}", log.level)
}
