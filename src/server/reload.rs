//! A new configuration while the firewall runs: read apart, checked whole, swapped at once.
//!
//! Told by SIGHUP, by `POST /-/reload`, or by a change of a file. Requests in flight end under the
//! configuration that they began with; a broken file changes nothing.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::bound::Bound;
use super::listening::Listening;
use super::source::Source;
use super::tls::Certificates;
use super::watchers::Watchers;
use crate::config::{self, Config, Files, Loaded, Mistakes, Reading, Server};
use crate::proxy::Gateway;
use crate::telemetry::Telemetry;

/// How often it is looked whether anybody still uses what has been replaced.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How many warnings are logged in a row, which takes a fraction of a millisecond.
const WARNINGS_AT_A_TIME: usize = 32;

/// Somebody's wish for a reload, and where to say how it went.
pub(super) type Wish = oneshot::Sender<Result<usize, NotLoaded>>;

/// Why a configuration was not loaded.
#[derive(Debug)]
pub(super) enum NotLoaded {
    /// There is no file: the configuration was made in memory.
    NoFile,
    /// It has mistakes.
    Mistakes(Mistakes),
    /// Choices cannot be recorded where it says.
    Proof(io::Error),
    /// An address cannot be bound.
    Bind(io::Error),
}

impl fmt::Display for NotLoaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str("this firewall was started without a configuration file"),
            Self::Mistakes(mistakes) => mistakes.fmt(f),
            Self::Proof(error) | Self::Bind(error) => error.fmt(f),
        }
    }
}

/// Loads configurations, one at a time.
pub(super) struct Reloader {
    pub(super) source: Option<Source>,
    pub(super) shared: Arc<Shared>,
    pub(super) listening: Arc<Listening>,
    pub(super) watchers: Watchers,
    pub(super) workers: usize,
    pub(super) wishes: mpsc::Receiver<Wish>,
    /// SIGHUP.
    pub(super) hang_up: Signal,
}

impl Reloader {
    /// Loads whenever it is told to, for ever.
    pub(super) async fn run(mut self) {
        loop {
            let (trigger, wish) = tokio::select! {
                wish = self.wishes.recv() => match wish {
                    Some(wish) => ("request", Some(wish)),
                    None => return,
                },
                _ = self.hang_up.recv() => ("SIGHUP", None),
                () = changed(&mut self.source) => ("changed file", None),
            };
            let result = self.load(trigger).await;
            if let Some(wish) = wish {
                let _ = wish.send(result);
            }
        }
    }

    /// Loads the configuration; returns the number of its sites.
    async fn load(&mut self, trigger: &str) -> Result<usize, NotLoaded> {
        let result = self.try_load().await;
        let metrics = &self.shared.telemetry.metrics;
        match &result {
            Ok(sites) => {
                metrics.reloaded();
                tracing::info!(%trigger, sites, "configuration loaded");
            }
            Err(error) => {
                metrics.not_loaded();
                tracing::error!(%trigger, %error, "configuration not loaded; the old one stays");
            }
        }
        result
    }

    async fn try_load(&mut self) -> Result<usize, NotLoaded> {
        let file = self.source.as_ref().ok_or(NotLoaded::NoFile)?.file().to_owned();
        let before = self.shared.gateway();
        let telemetry = Arc::clone(&self.shared.telemetry);
        let workers = self.workers;
        let prepare = move || prepare(&file, &before, workers, telemetry);
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let (files, prepared) =
            prepared.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        // What was read is not news later, mistaken or not; what was written meanwhile is.
        self.source = Some(Source::new(files));
        let Prepared { config, gateway, certificates } = prepared?;
        let bound = self.listening.bind(&config.server).map_err(NotLoaded::Bind)?;
        self.swap(&config, gateway, certificates, bound);
        Ok(config.sites.len())
    }

    fn swap(
        &mut self,
        config: &Config,
        gateway: Gateway,
        certificates: Certificates,
        bound: Bound,
    ) {
        let before = self.shared.gateway();
        warn_of_what_stays(&before.server, &config.server);
        warn_of_report_mode(&before, config);
        tokio::spawn(retire(self.shared.certificates.swap(Arc::new(certificates))));
        self.watchers.follow(&gateway);
        tokio::spawn(retire(self.shared.install(Arc::new(gateway))));
        self.listening.change(&config.server, bound);
    }
}

/// A configuration that only waits to be installed.
struct Prepared {
    config: Config,
    gateway: Gateway,
    certificates: Certificates,
}

/// Reads and compiles, which takes its time with many sites; tells what was read.
fn prepare(
    file: &Path,
    before: &Gateway,
    workers: usize,
    telemetry: Arc<Telemetry>,
) -> (Files, Result<Prepared, NotLoaded>) {
    let Reading { result, files } = config::read_beside(file);
    let loaded = result.map_err(NotLoaded::Mistakes);
    (files, loaded.and_then(|loaded| compile(loaded, before, workers, telemetry)))
}

fn compile(
    Loaded { config, warnings }: Loaded,
    before: &Gateway,
    workers: usize,
    telemetry: Arc<Telemetry>,
) -> Result<Prepared, NotLoaded> {
    log(&warnings);
    let gateway = Gateway::after(before, &config, workers, telemetry).map_err(NotLoaded::Proof)?;
    let certificates = Certificates::new(&config);
    Ok(Prepared { config, gateway, certificates })
}

/// Logs warnings, of which a thousand sites may have thousands. The workers go first where they want
/// the core.
fn log(warnings: &Mistakes) {
    for some in warnings.0.chunks(WARNINGS_AT_A_TIME) {
        for warning in some {
            tracing::warn!("{warning}");
        }
        std::thread::yield_now();
    }
}

/// Takes apart what has been replaced once nobody uses it: on a thread for such work, and not on that
/// of the request that happens to be the last, which would wait until a thousand sites are freed.
async fn retire<T: Send + Sync + 'static>(replaced: Arc<T>) {
    while Arc::strong_count(&replaced) > 1 {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let _ = tokio::task::spawn_blocking(move || drop(replaced)).await;
}

/// Threads and the log are made once.
fn warn_of_what_stays(before: &Server, after: &Server) {
    if before.workers != after.workers {
        tracing::warn!("[server] workers takes effect at the next start");
    }
    if before.log != after.log {
        tracing::warn!("[log] takes effect at the next start");
    }
}

/// What a start warns of, where it is news.
fn warn_of_report_mode(before: &Gateway, after: &Config) {
    let reported = |domain: &str| {
        before
            .site(domain)
            .is_some_and(|(_, site)| site.config.only_reports() && *site.config.domain == *domain)
    };
    for site in after.sites.iter().filter(|site| site.only_reports() && !reported(&site.domain)) {
        tracing::warn!(site = %site.domain, "report mode: nothing is blocked on this site");
    }
}

/// Ready when a file has changed; never, where none is watched.
async fn changed(source: &mut Option<Source>) {
    match source {
        Some(source) => source.changed().await,
        None => std::future::pending().await,
    }
}

/// Whether the firewall takes new requests, for whoever asks.
pub(super) type Ready = Arc<AtomicBool>;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};

    use super::*;

    /// Tells which thread takes it apart.
    struct Old(mpsc::Sender<ThreadId>);

    impl Drop for Old {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    #[tokio::test]
    async fn the_last_request_does_not_take_the_old_configuration_apart() {
        let (told, drops) = mpsc::channel();
        let old = Arc::new(Old(told));
        let request = Arc::clone(&old);
        let retired = tokio::spawn(retire(old));
        tokio::task::yield_now().await;
        drop(request);
        assert!(drops.try_recv().is_err(), "taken apart by the request");
        retired.await.expect("no panic");
        let taken_apart_by = drops.recv().expect("nobody uses it");
        assert_ne!(taken_apart_by, thread::current().id());
    }
}
