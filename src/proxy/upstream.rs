//! Connections to upstreams: made, pooled, leased to one exchange at a time.
//!
//! A pool belongs to one worker, whose exchanges and connections all run on one thread: handing a
//! connection over wakes nobody elsewhere.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::body::RequestBody;
use super::error::UpstreamError;
use super::gateway::Site;
use super::raw_head::{Aside, Scanned};
use crate::config::Address;
use crate::telemetry::UpstreamState;

/// How long a connection may wait in the pool. Origins close theirs after 5 to 75 seconds; one that
/// they closed is noticed at once.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// Idle connections that a worker keeps for one site.
const MAX_POOLED: usize = 256;

/// The client side of TLS towards an upstream, trusting `roots` or else the public authorities.
fn tls(roots: Option<&RootCertStore>) -> TlsConnector {
    let roots = roots
        .cloned()
        .unwrap_or_else(|| RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of its own default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// One worker's idle connections to one site's upstream, the most recently used last.
#[derive(Default)]
pub struct Pool {
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

struct Connection {
    sender: http1::SendRequest<RequestBody>,
    aside: Arc<Aside>,
    task: AbortHandle,
}

impl Drop for Connection {
    /// Dropping the sender alone would leave a connection that still waits for a request's body to
    /// wait for ever.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pool {
    /// A connection for one exchange: a pooled one, or else a new one.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`], where none can be made.
    pub async fn lease(self: &Arc<Self>, site: &Arc<Site>) -> Result<Lease, UpstreamError> {
        match self.reuse(site) {
            Some(lease) => Ok(lease),
            None => self.connect(site).await,
        }
    }

    /// A new connection, whatever is in the pool.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`], where none can be made.
    pub async fn connect(self: &Arc<Self>, site: &Arc<Site>) -> Result<Lease, UpstreamError> {
        let slot = Slot::take(site)?;
        let connect = connect(site, slot);
        let connection = tokio::time::timeout(site.config.timeouts.connect, connect)
            .await
            .map_err(|_| UpstreamError::ConnectTimeout)??;
        Ok(Lease::new(connection, site, self, false))
    }

    /// Closes what has waited too long.
    pub fn sweep(&self, site: &Site) {
        let mut idle = self.idle();
        let before = idle.len();
        idle.retain(|idle| !idle.connection.sender.is_closed() && idle.since.elapsed() < MAX_IDLE);
        gone(site, before - idle.len());
    }

    fn reuse(self: &Arc<Self>, site: &Arc<Site>) -> Option<Lease> {
        let mut pool = self.idle();
        let usable = |idle: &Idle| idle.connection.sender.is_ready();
        // The newest is the likeliest to live.
        let found = pool.iter().rposition(usable)?;
        let idle = pool.remove(found)?;
        let before = pool.len();
        pool.retain(|idle| !idle.connection.sender.is_closed());
        gone(site, 1 + before - pool.len());
        drop(pool);
        Some(Lease::new(idle.connection, site, self, true))
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone(site: &Site, count: usize) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    site.metrics.upstream_connections(UpstreamState::Idle).sub(count);
}

/// A connection in one exchange's hands.
pub struct Lease {
    /// `None` once it is back in the pool.
    connection: Option<Connection>,
    site: Arc<Site>,
    pool: Arc<Pool>,
    is_reused: bool,
}

impl Lease {
    fn new(connection: Connection, site: &Arc<Site>, pool: &Arc<Pool>, is_reused: bool) -> Self {
        site.metrics.upstream_connections(UpstreamState::Active).inc();
        Self {
            connection: Some(connection),
            site: Arc::clone(site),
            pool: Arc::clone(pool),
            is_reused,
        }
    }

    /// Whether the connection has served before, and the upstream may have closed it meanwhile.
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Sends a request and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// hyper's, with the request where it was not sent.
    pub async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        let connection = self.connection.as_mut().expect("a lease holds its connection");
        connection.aside.expect_head();
        connection.sender.try_send_request(request).await
    }

    /// The `Set-Cookie` values that the parser dropped.
    pub fn set_aside(&self) -> Vec<Box<[u8]>> {
        self.connection.as_ref().map(|connection| connection.aside.take()).unwrap_or_default()
    }

    /// Gives the connection back for another exchange.
    pub fn release(mut self) {
        let Some(connection) = self.connection.take() else { return };
        // What is still sending a request's body has been answered early, and may never end.
        if connection.sender.is_closed() || !connection.sender.is_ready() {
            return;
        }
        let mut pool = self.pool.idle();
        if pool.len() < MAX_POOLED {
            pool.push_back(Idle { connection, since: Instant::now() });
            self.site.metrics.upstream_connections(UpstreamState::Idle).inc();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.site.metrics.upstream_connections(UpstreamState::Active).dec();
    }
}

/// One of the connections that a site may have open.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(site: &Site) -> Result<Self, UpstreamError> {
        let slot = Self(Arc::clone(&site.open_connections));
        if slot.0.fetch_add(1, Ordering::Relaxed) < site.config.upstream.connections {
            Ok(slot)
        } else {
            Err(UpstreamError::Overloaded)
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tries each address once, beginning with the one whose turn it is.
async fn connect(site: &Site, slot: Slot) -> Result<Connection, UpstreamError> {
    let upstreams = &site.config.upstream.addresses;
    let first = site.next_upstream.fetch_add(1, Ordering::Relaxed);
    let mut failure = None;
    for turn in 0..upstreams.len() {
        let upstream = &upstreams[first.wrapping_add(turn) % upstreams.len()];
        match dial(upstream).await {
            Ok(stream) if upstream.tls => return secure(site, upstream, stream, slot).await,
            Ok(stream) => return handshake(stream, slot).await,
            Err(error) => failure = Some(error),
        }
    }
    let none = || io::Error::other("the site has no upstream");
    Err(UpstreamError::Connect(failure.unwrap_or_else(none)))
}

async fn dial(upstream: &Address) -> io::Result<TcpStream> {
    // Only a name needs the resolver, which blocks a thread.
    let stream = match upstream.host.parse::<IpAddr>() {
        Ok(address) => TcpStream::connect(SocketAddr::new(address, upstream.port)).await?,
        Err(_) => TcpStream::connect((&*upstream.host, upstream.port)).await?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn secure(
    site: &Site,
    upstream: &Address,
    stream: TcpStream,
    slot: Slot,
) -> Result<Connection, UpstreamError> {
    let name = ServerName::try_from(upstream.host.to_string())
        .map_err(|error| UpstreamError::Tls(io::Error::other(error)))?;
    let tls =
        site.tls.get_or_init(|| tls(site.config.upstream.roots.as_ref().map(|roots| &*roots.0)));
    let stream = tls.connect(name, stream).await.map_err(UpstreamError::Tls)?;
    handshake(stream, slot).await
}

/// Puts HTTP/1.1 on `stream` and runs it until it closes, which frees its slot.
async fn handshake<S>(stream: S, slot: Slot) -> Result<Connection, UpstreamError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let aside = Arc::<Aside>::default();
    let stream = TokioIo::new(Scanned::new(stream, Arc::clone(&aside)));
    let (sender, connection) = http1::Builder::new()
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(stream)
        .await
        .map_err(|error| UpstreamError::Protocol(error.into()))?;
    let task = tokio::spawn(async move {
        // Whoever waits for a response learns of the error there.
        let _ = connection.await;
        drop(slot);
    });
    Ok(Connection { sender, aside, task: task.abort_handle() })
}
