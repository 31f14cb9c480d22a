//! One thread that serves connections.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{mpsc, watch};

use super::stalling::Stalling;
use crate::config::Server;
use crate::proxy::{Client, Gateway, Worker};
use crate::telemetry::Metrics;

/// How often idle upstream connections are looked through: their limits are whole seconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Bytes that hyper reads ahead at most, and at least: its buffers grow with the traffic.
const READ_BUFFER: usize = 64 * 1024;

/// A connection on its way to a worker.
pub(super) struct Accepted {
    stream: TcpStream,
    address: SocketAddr,
    open: prometheus::IntGauge,
}

impl Accepted {
    /// Counts the connection as open from now until it is dropped.
    pub(super) fn new(stream: TcpStream, address: SocketAddr, open: prometheus::IntGauge) -> Self {
        open.inc();
        Self { stream, address, open }
    }
}

/// The main thread's hold on a worker.
pub(super) struct Handle {
    connections: mpsc::UnboundedSender<Accepted>,
    load: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

impl Handle {
    /// The connections that the worker serves.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(super) fn hand_over(&self, accepted: Accepted) {
        self.load.fetch_add(1, Ordering::Relaxed);
        // A worker that is gone is being shut down; the connection is closed.
        let _ = self.connections.send(accepted);
    }

    /// Tells the worker to close idle connections, and the others once they have answered.
    pub(super) fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until the worker has closed every connection.
    pub(super) async fn finished(&self) {
        self.stop.closed().await;
    }
}

/// Starts a worker.
///
/// # Errors
///
/// Where the system gives no thread or no event queue.
pub(super) fn spawn(index: usize, server: Server, gateway: Arc<Gateway>) -> io::Result<Handle> {
    let (connections, queue) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let load = Arc::<AtomicUsize>::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serving = Serving {
        worker: Arc::new(Worker::new(Arc::clone(&gateway), index)),
        builder: builder(&server),
        response_timeout: server.timeouts.response,
        gateway,
        load: Arc::clone(&load),
        stopping,
    };
    std::thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || runtime.block_on(serving.run(queue)))?;
    Ok(Handle { connections, load, stop })
}

fn builder(server: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(server.timeouts.request_head)
        .max_header_size(server.limits.header_bytes)
        .max_buf_size(server.limits.header_bytes.max(READ_BUFFER));
    builder
}

#[derive(Clone)]
struct Serving {
    worker: Arc<Worker>,
    builder: http1::Builder,
    response_timeout: Duration,
    gateway: Arc<Gateway>,
    load: Arc<AtomicUsize>,
    stopping: watch::Receiver<bool>,
}

impl Serving {
    /// Serves what comes out of `queue` until it is told to stop and nothing is left.
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Accepted>) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        // Each connection holds a sender; the receiver ends with the last.
        let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
        loop {
            tokio::select! {
                accepted = queue.recv() => match accepted {
                    Some(accepted) => {
                        let serving = self.clone();
                        let alive = alive.clone();
                        tokio::spawn(async move {
                            serving.connection(accepted).await;
                            drop(alive);
                        });
                    }
                    None => break,
                },
                _ = sweep.tick() => self.worker.sweep(),
                _ = self.stopping.changed() => break,
            }
        }
        // What was handed over and not begun is closed with the queue.
        drop((queue, alive));
        let _ = all_gone.recv().await;
    }

    async fn connection(mut self, accepted: Accepted) {
        let Accepted { stream, address, open } = accepted;
        if let Err(error) = self.serve(stream, address).await {
            tracing::debug!(%error, "a connection ended early");
        }
        open.dec();
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    async fn serve(&mut self, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let stream = TokioIo::new(Stalling::new(stream, self.response_timeout));
        let client = Arc::new(Client::new(address.ip(), "http"));
        let worker = Arc::clone(&self.worker);
        let service = service_fn(move |request| {
            let (worker, client) = (Arc::clone(&worker), Arc::clone(&client));
            async move { Ok::<_, Infallible>(worker.answer(&client, request).await) }
        });
        let mut connection = pin!(self.builder.serve_connection(stream, service));
        let result = tokio::select! {
            result = connection.as_mut() => result,
            _ = self.stopping.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        result.map_err(|error| {
            count_unreadable(&self.gateway.telemetry.metrics, &error);
            io::Error::other(error)
        })
    }
}

/// hyper answers on its own what it cannot read; that is counted here.
fn count_unreadable(metrics: &Metrics, error: &hyper::Error) {
    if error.is_parse_too_large() {
        metrics.count_siteless(None, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    } else if error.is_parse() {
        metrics.count_siteless(None, StatusCode::BAD_REQUEST);
    }
}
