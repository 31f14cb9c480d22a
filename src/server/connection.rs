//! One client's connection, from its first byte to its last: PROXY header, TLS, HTTP.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, watch};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::accepted::{Accepted, OpenCount};
use super::bound::Role;
use super::fault::{Ended, Fault};
use super::first_bytes::{Beginning, Begun};
use super::lot::Entrance;
use super::proxy_protocol::{self, Refused};
use super::stalling::{Quiet, Stalling};
use super::tls::{self, alert};
use super::{Shared, http1, http2};
use crate::config::{ClientTimeouts, Limits};
use crate::proxy::{Client, Worker};

/// How long an idle connection stays open when the firewall stops: a request that is on its way is
/// answered, with a word that it was the last.
pub(super) const LAST_REQUEST: Duration = Duration::from_secs(1);

/// What plain HTTP on a TLS port is answered.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 40\r\nConnection: close\r\n\r\nThis port speaks TLS: use https:// here\n";

/// The first stage of every connection: what is under TLS, or instead of it.
pub(super) type Clear = Begun<Stalling<tokio::net::TcpStream>>;

/// What holds for a connection as long as it lives, whatever is configured since.
pub(super) struct Terms {
    pub(super) limits: Limits,
    pub(super) timeouts: ClientTimeouts,
    /// What counts it as open, for itself and for its worker.
    pub(super) open: Arc<(OpenCount, mpsc::Sender<Infallible>)>,
    pub(super) quiet: Quiet,
    /// Counts it while it is idle.
    pub(super) idle: IntGauge,
    /// The client's own address where a trusted proxy tells it.
    pub(super) peer: SocketAddr,
}

/// What is left of a connection once it is clear what is spoken.
type Speaking = Pin<Box<dyn Future<Output = Result<(), Ended>> + Send>>;

/// What serves the connections of one worker.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) worker: Worker,
    pub(super) shared: Arc<Shared>,
    pub(super) stopping: watch::Receiver<bool>,
    /// Where idle connections go.
    pub(super) lot: Entrance,
    /// The connections that are not idle.
    pub(super) busy: Arc<AtomicUsize>,
    alive: mpsc::Sender<Infallible>,
}

impl Serving {
    pub(super) fn new(
        worker: Worker,
        shared: Arc<Shared>,
        stopping: watch::Receiver<bool>,
        lot: Entrance,
        alive: mpsc::Sender<Infallible>,
    ) -> Self {
        Self { worker, shared, stopping, lot, busy: Arc::default(), alive }
    }

    /// Serves one connection to its end.
    pub(super) async fn connection(self, accepted: Accepted) {
        let (role, mut peer) = (accepted.role, accepted.peer);
        let shared = Arc::clone(&self.shared);
        // A future is as large as the largest thing that it ever waits for, and this one lasts as long
        // as the connection: each stage lies in a place of its own, which goes with it.
        let result = match Box::pin(self.begin(accepted, &mut peer)).await {
            Ok(speaking) => speaking.await,
            Err(ended) => Err(ended),
        };
        if let Err(Ended::Fault(fault)) = result {
            shared.report(role, peer, &fault);
        }
    }

    /// What comes before HTTP. `peer` becomes the client's own address where a trusted proxy tells it.
    async fn begin(mut self, accepted: Accepted, peer: &mut SocketAddr) -> Result<Speaking, Ended> {
        let Accepted { stream, role, mut open, .. } = accepted;
        stream.set_nodelay(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let gateway = self.shared.gateway();
        let server = &gateway.server;
        let stream = Stalling::new(stream, server.timeouts.response);
        let quiet = stream.quiet();
        let mut stream = Begun::new(stream);
        if matches!(role, Role::Http { proxied: true } | Role::Https { proxied: true }) {
            let header = proxy_header(&mut stream);
            let limit = server.timeouts.handshake;
            if let Some(client) = self.in_time(limit, "a PROXY header", header).await? {
                let permit =
                    self.shared.clients.open_from(client.ip(), server.limits.client_connections);
                open.belongs_to(permit.ok_or(Fault::ClientConnections)?);
                *peer = client;
            }
        }
        let open = Arc::new((open, self.alive.clone()));
        let is_tls = matches!(role, Role::Https { .. });
        let client = Client::new(peer.ip(), is_tls).trusted_if_in(&server.trusted_proxies);
        let timeouts = server.timeouts;
        let idle = self.shared.telemetry.metrics.idle_connections(role.as_str());
        let terms = Terms { limits: server.limits, timeouts, open, quiet, idle, peer: *peer };
        // A connection lives longer than a configuration.
        drop(gateway);
        if is_tls {
            let handshake = shake_hands(Arc::clone(&self.shared), stream);
            let (stream, name) =
                self.in_time(timeouts.handshake, "a TLS handshake", handshake).await?;
            let client = client.with_server_name(name);
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
            return Ok(if is_http2 {
                Box::pin(http2::serve(self, stream, client, terms))
            } else {
                Box::pin(http1::serve(self, stream, client, terms))
            });
        }
        let beginning = async { Ok(stream.beginning().await?) };
        let beginning = self.in_time(timeouts.request_head, "a request", beginning).await;
        // Browsers connect before they have anything to ask, and balancers to see whether it works.
        if beginning.is_err() && stream.unread().is_empty() {
            return Err(Ended::Gone);
        }
        match beginning? {
            None if stream.unread().is_empty() => Err(Ended::Gone),
            Some(Beginning::Tls) => {
                refuse(&mut stream, &alert::HANDSHAKE_FAILURE).await;
                Err(Fault::TlsOnHttp.into())
            }
            Some(Beginning::Http2) => Ok(Box::pin(http2::serve(self, stream, client, terms))),
            _ => Ok(Box::pin(http1::serve_socket(self, stream, client, terms))),
        }
    }

    /// What has to be there before HTTP is spoken, within a time; while the firewall stops, within
    /// the time for a last request.
    async fn in_time<T>(
        &mut self,
        limit: Duration,
        what: &'static str,
        stage: impl Future<Output = Result<T, Ended>>,
    ) -> Result<T, Ended> {
        tokio::select! {
            result = tokio::time::timeout(limit, stage) => {
                result.map_err(|_| Fault::Timeout(what))?
            }
            () = stopped(&mut self.stopping, LAST_REQUEST) => Err(Ended::Gone),
        }
    }
}

/// The client's address by its PROXY header.
async fn proxy_header(stream: &mut Clear) -> Result<Option<SocketAddr>, Ended> {
    match proxy_protocol::read(stream).await {
        Ok(client) => Ok(client),
        Err(Refused::Malformed) => Err(Fault::ProxyHeader.into()),
        // A connection that says nothing at all is a load balancer's look whether it opens.
        Err(Refused::Closed) if stream.unread().is_empty() => Err(Ended::Gone),
        Err(Refused::Closed) => Err(Fault::ProxyHeader.into()),
        Err(Refused::Io(error)) => Err(error.into()),
    }
}

/// The TLS handshake; returns the server name that the client asked for, in lower case. The stream has
/// some kilobytes, and lies in one place for as long as it is there.
async fn shake_hands(
    shared: Arc<Shared>,
    mut stream: Clear,
) -> Result<(Box<TlsStream<Clear>>, Option<Box<str>>), Ended> {
    match stream.beginning().await? {
        Some(Beginning::Tls) => {}
        None if stream.unread().is_empty() => return Err(Ended::Gone),
        _ => {
            refuse(&mut stream, PLAIN_HTTP).await;
            return Err(Fault::HttpOnTls.into());
        }
    }
    let failed = |error: io::Error| match error.kind() {
        // An end in the middle is the client's leaving; anything else is a fault.
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ended::Gone,
        _ => Fault::Handshake(error).into(),
    };
    let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
    let mut start = acceptor.await.map_err(failed)?;
    let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
    if !shared.certificates.load().has(name.as_deref()) {
        refuse(&mut start.io, &alert::UNRECOGNIZED_NAME).await;
        return Err(Fault::ServerName.into());
    }
    let stream = start.into_stream(Arc::clone(&shared.tls)).await.map_err(failed)?;
    shared.count_handshake(stream.get_ref().1);
    Ok((Box::new(stream), name.map(Into::into)))
}

/// Ready once the firewall has been stopping for `grace`.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>, grace: Duration) {
    // A sender that is gone is a main thread that is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    tokio::time::sleep(grace).await;
}

/// Answers what is no connection of the kind that is served here. Whether the client reads it is its
/// own affair.
async fn refuse(stream: &mut Clear, answer: &[u8]) {
    let farewell = async {
        stream.write_all(answer).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(LAST_REQUEST, farewell).await;
}
