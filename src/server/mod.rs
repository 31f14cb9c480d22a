//! Listeners, threads and their end.
//!
//! The main thread accepts connections, answers the admin listener and waits for signals. Each
//! worker is a thread with a runtime of its own, which serves the connections it is handed from
//! first to last byte; nothing of an exchange crosses threads. Why so: `docs/architecture.md`.

mod admin;
mod bound;
mod stalling;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

pub use bound::Bound;
use worker::{Accepted, Handle};

use crate::config::{Config, Server};
use crate::proxy::{Gateway, Watchers};
use crate::telemetry::Telemetry;

/// How long accepting pauses when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `config` on the sockets `bound` until `stop` is ready; then stops accepting, lets what is
/// in flight finish within the configured time, and returns.
///
/// Runs on a current-thread runtime with I/O and time enabled.
///
/// # Errors
///
/// Where a thread or a socket cannot be set up; nothing is served then.
pub async fn serve(
    bound: Bound,
    config: &Config,
    telemetry: Arc<Telemetry>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let count = worker_count(&config.server);
    let gateway = Arc::new(Gateway::new(config, count, Arc::clone(&telemetry)));
    let workers = spawn_workers(&config.server, &gateway)?;
    // Dropped at the end, which ends them.
    let mut watchers = Watchers::default();
    watchers.follow(&gateway);
    let ready = Arc::new(AtomicBool::new(true));
    let admin = tokio::spawn(admin::serve(
        tokio::net::TcpListener::from_std(bound.admin)?,
        Arc::clone(&gateway),
        Arc::clone(&ready),
    ));
    let connections = telemetry.metrics.connections("http");
    let mut acceptors = JoinSet::new();
    for listener in bound.http {
        let (workers, connections) = (Arc::clone(&workers), connections.clone());
        acceptors.spawn(accept(tokio::net::TcpListener::from_std(listener)?, workers, connections));
    }
    telemetry.metrics.loaded();
    tracing::info!(sites = config.sites.len(), workers = workers.len(), "ready");

    stop.await;

    ready.store(false, Ordering::Release);
    tracing::info!("stopping: no new connections, finishing what is in flight");
    acceptors.shutdown().await;
    drain(workers, config.server.timeouts.shutdown).await;
    admin.abort();
    tracing::info!("stopped");
    Ok(())
}

fn worker_count(server: &Server) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    server.workers.unwrap_or(cores)
}

fn spawn_workers(server: &Server, gateway: &Arc<Gateway>) -> io::Result<Arc<[Handle]>> {
    (0..worker_count(server))
        .map(|index| worker::spawn(index, server.clone(), Arc::clone(gateway)))
        .collect()
}

/// Accepts for ever and hands each connection to the worker that has the fewest.
async fn accept(
    listener: tokio::net::TcpListener,
    workers: Arc<[Handle]>,
    connections: prometheus::IntGauge,
) {
    loop {
        // A stream leaves this thread's event queue before it enters its worker's.
        let accepted = listener.accept().await;
        match accepted.and_then(|(stream, address)| Ok((stream.into_std()?, address))) {
            Ok((stream, address)) => {
                let accepted = Accepted::new(stream, address, connections.clone());
                let worker = workers.iter().min_by_key(|worker| worker.load());
                worker.expect("there is at least one worker").hand_over(accepted);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether a failed accept concerns the client that was about to come, and not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn drain(workers: Arc<[Handle]>, limit: Duration) {
    workers.iter().for_each(Handle::stop);
    let all = async {
        for worker in workers.iter() {
            worker.finished().await;
        }
    };
    if tokio::time::timeout(limit, all).await.is_err() {
        tracing::warn!(?limit, "cutting what is still in flight");
    }
}

/// Logs the addresses that were bound, which name the ports picked for port 0.
fn log_listening(listener: &'static str, address: SocketAddr) {
    tracing::info!(%listener, %address, "listening");
}
