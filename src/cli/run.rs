//! `run`: serve until told to stop.

use std::sync::Arc;
use std::thread;

use aws_lc_rs::rand;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigFile, Failure, logging};
use crate::config::{self, Reading};
use crate::server::{self, Bound, Source};
use crate::telemetry::{Decided, DecisionLog, Telemetry};

/// Serve the configured sites; SIGTERM finishes what is in flight and ends
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    seed();
    let Reading { result, files } = config::read(&arguments.file.config);
    let loaded = result.map_err(Failure::usage)?;
    let config = loaded.config;
    let mut telemetry = Telemetry::default();
    let _log = logging::start(&config.server.log, telemetry.metrics.log_lines_dropped())?;
    for warning in &loaded.warnings.0 {
        tracing::warn!("{warning}");
    }
    for site in config.sites.iter().filter(|site| site.only_reports()) {
        tracing::warn!(site = %site.domain, "report mode: nothing is blocked on this site");
    }
    telemetry.decisions = decision_log();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let stop = stop_signal()?;
        let bound = Bound::new(&config.server)?;
        server::serve(bound, &config, Some(Source::new(files)), Arc::new(telemetry), stop).await?;
        Ok(())
    });
    // A file system that does not answer whoever reads the configuration holds up no end.
    runtime.shutdown_background();
    result
}

/// Has the library's random numbers seeded while the configuration is read: it gathers jitter of the
/// processor for a tenth of a second, and TLS would wait for it.
fn seed() {
    // Where there is no thread to be had, it is seeded when it is needed.
    let _ = thread::Builder::new().name("seed".to_owned()).spawn(|| rand::fill(&mut [0]));
}

/// Ready when SIGTERM or SIGINT has come.
///
/// # Errors
///
/// Where the handlers cannot be installed.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// At level `debug`, a line for each decision.
fn decision_log() -> Option<Box<dyn DecisionLog>> {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return None;
    }
    let log = |decided: &Decided<'_>| {
        tracing::debug!(
            site = %decided.site.domain,
            direction = decided.entry.direction.as_str(),
            cookie = &*decided.name(),
            declaration = decided.declaration(),
            category = decided.category(),
            decision = decided.entry.verdict.as_str(),
            reason = decided.entry.reason.as_str(),
            mode = decided.site.mode.as_str(),
            "decided"
        );
    };
    Some(Box::new(log))
}
