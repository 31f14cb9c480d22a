//! Listeners, threads and their end.
//!
//! The main thread accepts connections, answers the admin listener, loads configurations and waits
//! for signals. Each worker is a thread with a runtime of its own, which serves the connections it is
//! handed from first to last byte; nothing of an exchange crosses threads. Why so:
//! `docs/architecture.md`.

mod accepted;
mod acceptor;
mod admin;
mod bound;
mod clients;
mod connection;
mod corked;
mod exchanges;
mod fault;
mod first_bytes;
mod frames;
mod head_time;
mod http1;
mod http2;
mod kept;
mod listening;
mod lot;
mod parking;
mod proxy_protocol;
mod reload;
mod shared;
mod source;
mod stalling;
mod tls;
mod watchers;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use bound::Bound;
use listening::Listening;
use reload::Reloader;
use shared::Shared;
pub use source::Source;
use watchers::Watchers;
use worker::Handle;

use crate::config::{Config, Server};
use crate::telemetry::Telemetry;

/// How long accepting pauses when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a process that stops goes on accepting what a successor on the same addresses has not
/// taken over: connections whose handshake has begun here, a round trip ago.
const HANDOVER: Duration = Duration::from_secs(1);

/// Serves `config` on the sockets `bound` until `stop` is ready; then stops accepting, lets what is
/// in flight finish within the configured time, and returns. The configuration is read again from
/// `source`, if there is one, when SIGHUP or `POST /-/reload` says so or a file has changed.
///
/// Runs on a current-thread runtime with I/O and time enabled.
///
/// # Errors
///
/// Where a thread or a socket cannot be set up; nothing is served then.
pub async fn serve(
    bound: Bound,
    config: &Config,
    source: Option<Source>,
    telemetry: Arc<Telemetry>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    raise_descriptor_limit();
    // Without a handler, SIGHUP would end the process.
    let hang_up = signal(SignalKind::hangup())?;
    let count = workers(&config.server);
    let shared = Arc::new(Shared::new(config, count, telemetry)?);
    let handles: io::Result<Arc<[Handle]>> =
        (0..count).map(|index| worker::spawn(index, Arc::clone(&shared))).collect();
    let workers = handles?;
    let ready = Arc::new(AtomicBool::new(true));
    let (wish, wishes) = mpsc::channel(1);
    let listening =
        Listening::new(Arc::clone(&shared), Arc::clone(&workers), Arc::clone(&ready), wish);
    let listening = Arc::new(listening);
    listening.open(bound)?;
    let mut watchers = Watchers::default();
    watchers.follow(&shared.gateway());
    let reloader = Reloader {
        source,
        shared: Arc::clone(&shared),
        listening: Arc::clone(&listening),
        watchers,
        workers: count,
        wishes,
        hang_up,
    };
    let reloads = tokio::spawn(reloader.run());
    shared.telemetry.metrics.loaded();
    tracing::info!(sites = config.sites.len(), workers = workers.len(), "ready");
    notify(NotifyState::Ready);

    stop.await;

    ready.store(false, Ordering::Release);
    notify(NotifyState::Stopping);
    tracing::info!("stopping: no new connections, finishing what is in flight");
    reloads.abort();
    shared.stop();
    workers.iter().for_each(Handle::stop);
    let server = shared.gateway().server.clone();
    if server.reuse_port {
        listening.yield_to_successor();
        tokio::time::sleep(HANDOVER.min(server.timeouts.shutdown)).await;
    }
    listening.close().await;
    workers.iter().for_each(Handle::end);
    drain(&workers, server.timeouts.shutdown).await;
    tracing::info!("stopped");
    Ok(())
}

fn workers(server: &Server) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    server.workers.unwrap_or(cores)
}

/// As many connections as the system allows, and not as its cautious default says.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Tells the service manager, where there is one that wants to know.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

async fn drain(workers: &[Handle], limit: Duration) {
    let all = async {
        for worker in workers {
            worker.finished().await;
        }
    };
    if tokio::time::timeout(limit, all).await.is_err() {
        tracing::warn!(?limit, "cutting what is still in flight");
    }
}
