//! One client's connection, from its first byte to its last: PROXY header, TLS, HTTP.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Shared;
use super::bound::Role;
use super::clients::{ClientPlace, Place};
use super::exchanges::{Exchanges, Watched};
use super::first_bytes::{Beginning, Begun};
use super::frames::{Counts, Frames};
use super::proxy_protocol::{self, Refused};
use super::stalling::{Stalling, Unanswered};
use super::tls::{self, alert};
use super::worker::Load;
use crate::config::Server;
use crate::proxy::{Client, Worker};

/// Bytes that hyper reads ahead at most, and at least: its buffers grow with the traffic.
const READ_BUFFER: usize = 64 * 1024;

/// What a client may send of one body, and of all of a connection, before it is read on: enough for
/// a fast upload over a long line, and a bound on what an upstream that does not read costs.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How much larger than allowed a head of HTTP/2 may be for the client to be told so by a page;
/// beyond, the library answers 431 by itself.
const HEAD_MARGIN: usize = 2;

/// How long an idle connection stays open when the firewall stops: a request that is on its way is
/// answered, with a word that it was the last.
const LAST_REQUEST: Duration = Duration::from_secs(1);

/// What is read of a client that has been refused.
const LAST_BYTES: u64 = 64 * 1024;

/// What plain HTTP on a TLS port is answered.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 40\r\nConnection: close\r\n\r\nThis port speaks TLS: use https:// here\n";

/// A connection on its way to a worker.
#[derive(Debug)]
pub(super) struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    role: Role,
    open: Open,
}

/// What counts a connection as open, until it is dropped.
#[derive(Debug)]
struct Open {
    gauge: prometheus::IntGauge,
    _place: Place,
    client: Option<ClientPlace>,
    load: Option<Load>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

impl Accepted {
    /// Counts the connection as open from now until it is dropped.
    ///
    /// # Errors
    ///
    /// Where there are as many as allowed, or it may not come here at all.
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        role: Role,
        shared: &Shared,
    ) -> Result<Self, Fault> {
        let gateway = shared.gateway();
        let Server { limits, trusted_proxies, .. } = &gateway.server;
        let place = shared.clients.open(limits.connections).ok_or(Fault::Connections)?;
        let is_trusted = trusted_proxies.contain(peer.ip());
        let client = match role {
            Role::Http { proxied: true } | Role::Https { proxied: true } if !is_trusted => {
                return Err(Fault::Untrusted);
            }
            // Who speaks for many is not one client.
            _ if is_trusted => None,
            _ => {
                let place = shared.clients.open_from(peer.ip(), limits.client_connections);
                Some(place.ok_or(Fault::ClientConnections)?)
            }
        };
        let gauge = shared.telemetry.metrics.connections(role.as_str());
        gauge.inc();
        let open = Open { gauge, _place: place, client, load: None };
        Ok(Self { stream, peer, role, open })
    }

    /// Counts as one of a worker's.
    pub(super) fn counted(mut self, load: Load) -> Self {
        self.open.load = Some(load);
        self
    }
}

/// What ends a connection before its time. Its name is a label value and its words are logged, once.
#[derive(Debug)]
pub(super) enum Fault {
    /// The process has no file descriptor left.
    Descriptors,
    /// As many connections are open as allowed.
    Connections,
    /// This client has as many open as allowed.
    ClientConnections,
    /// A PROXY header was expected, and this is no trusted proxy.
    Untrusted,
    /// What came is no PROXY header.
    ProxyHeader,
    /// Nothing came, or not all of it, in the time for it.
    Timeout(&'static str),
    /// TLS on a listener without.
    TlsOnHttp,
    /// Clear text on a listener for TLS.
    HttpOnTls,
    /// No site here has the server name.
    ServerName,
    /// The TLS handshake failed.
    Handshake(io::Error),
    /// More requests were reset than answered.
    Resets,
    /// Frames came for the sake of their number.
    Flood,
    /// A response was not read on.
    Unread,
    /// HTTP/2 was spoken wrongly.
    Http2(hyper::Error),
}

impl Fault {
    /// The label value.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Descriptors => "descriptors",
            Self::Connections => "connections",
            Self::ClientConnections => "client_connections",
            Self::Untrusted => "untrusted",
            Self::ProxyHeader => "proxy_header",
            Self::Timeout(_) => "timeout",
            Self::TlsOnHttp => "tls_on_http",
            Self::HttpOnTls => "http_on_tls",
            Self::ServerName => "server_name",
            Self::Handshake(_) => "handshake",
            Self::Resets => "resets",
            Self::Flood => "flood",
            Self::Unread => "unread",
            Self::Http2(_) => "http2",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors => f.write_str("no file descriptor is left"),
            Self::Connections => f.write_str("as many connections are open as allowed"),
            Self::ClientConnections => {
                f.write_str("this client has as many connections open as allowed")
            }
            Self::Untrusted => f.write_str("a PROXY header is expected here, from trusted_proxies"),
            Self::ProxyHeader => f.write_str("what came is no PROXY header"),
            Self::Timeout(what) => write!(f, "{what} did not come in time"),
            Self::TlsOnHttp => f.write_str("TLS on a listener for clear text"),
            Self::HttpOnTls => f.write_str("clear text on a listener for TLS"),
            Self::ServerName => f.write_str("no site has a certificate for the server name"),
            Self::Handshake(_) => f.write_str("the TLS handshake failed"),
            Self::Resets => f.write_str("more requests were reset than allowed"),
            Self::Flood => f.write_str("more frames that ask for nothing came than allowed"),
            Self::Unread => f.write_str("a response was left unread for too long"),
            Self::Http2(_) => f.write_str("the client broke the rules of HTTP/2"),
        }
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Handshake(error) => Some(error),
            Self::Http2(error) => Some(error),
            _ => None,
        }
    }
}

/// How a connection ended early: by a fault, or by the client's going away.
enum Ended {
    Fault(Fault),
    Gone,
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// The first stage of every connection: what is under TLS, or instead of it.
type Clear = Begun<Stalling<tokio::net::TcpStream>>;

/// What serves the connections of one worker.
#[derive(Clone)]
pub(super) struct Serving {
    worker: Worker,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
    alive: mpsc::Sender<Infallible>,
}

impl Serving {
    pub(super) fn new(
        worker: Worker,
        shared: Arc<Shared>,
        stopping: watch::Receiver<bool>,
        alive: mpsc::Sender<Infallible>,
    ) -> Self {
        Self { worker, shared, stopping, alive }
    }

    /// Serves one connection to its end.
    pub(super) async fn connection(self, accepted: Accepted) {
        let (role, mut peer) = (accepted.role, accepted.peer);
        let shared = Arc::clone(&self.shared);
        if let Err(Ended::Fault(fault)) = self.serve(accepted, &mut peer).await {
            shared.report(role, peer, &fault);
        }
    }

    /// `peer` becomes the client's own address where a trusted proxy tells it.
    async fn serve(mut self, accepted: Accepted, peer: &mut SocketAddr) -> Result<(), Ended> {
        let Accepted { stream, role, mut open, .. } = accepted;
        stream.set_nodelay(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let gateway = self.shared.gateway();
        let server = &gateway.server;
        let stream = Stalling::new(stream, server.timeouts.response);
        let unanswered = stream.unanswered();
        let mut stream = Begun::new(stream);
        if matches!(role, Role::Http { proxied: true } | Role::Https { proxied: true }) {
            let header = proxy_header(&mut stream);
            let limit = server.timeouts.handshake;
            if let Some(client) = self.in_time(limit, "a PROXY header", header).await? {
                let place =
                    self.shared.clients.open_from(client.ip(), server.limits.client_connections);
                open.client = Some(place.ok_or(Fault::ClientConnections)?);
                *peer = client;
            }
        }
        let open = Arc::new((open, self.alive.clone()));
        let is_tls = matches!(role, Role::Https { .. });
        let client = Client::new(peer.ip(), is_tls).trusted_if_in(&server.trusted_proxies);
        let (limits, timeouts) = (server.limits, server.timeouts);
        let peer = *peer;
        let builders = Builders { http1: http1(server), limits, timeouts, open, unanswered, peer };
        // A connection lives longer than a configuration.
        drop(gateway);
        if is_tls {
            let handshake = shake_hands(Arc::clone(&self.shared), stream);
            let (stream, name) =
                self.in_time(timeouts.handshake, "a TLS handshake", handshake).await?;
            let client = client.with_server_name(name);
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
            self.speak(stream, client, &builders, is_http2).await
        } else {
            let beginning = async { Ok(stream.beginning().await?) };
            match self.in_time(timeouts.request_head, "a request", beginning).await? {
                None if stream.unread().is_empty() => Ok(()),
                Some(Beginning::Tls) => {
                    refuse(&mut stream, &alert::HANDSHAKE_FAILURE).await;
                    Err(Fault::TlsOnHttp.into())
                }
                beginning => {
                    let is_http2 = beginning == Some(Beginning::Http2);
                    self.speak(stream, client, &builders, is_http2).await
                }
            }
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
    async fn speak<S>(
        self,
        stream: S,
        client: Client,
        builders: &Builders,
        is_http2: bool,
    ) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if is_http2 {
            self.http2(stream, client, builders).await
        } else {
            self.http1(stream, client, builders).await
        }
    }

    async fn http1<S>(mut self, stream: S, client: Client, builders: &Builders) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = Arc::clone(&builders.open);
        let client = Arc::new(client.kept_by(Arc::new(move || Box::new(Arc::clone(&open)))));
        let (worker, shared) = (self.worker, Arc::clone(&self.shared));
        let service = service_fn(move |request| {
            let (client, shared) = (Arc::clone(&client), Arc::clone(&shared));
            async move {
                let mut response = worker.answer(&shared.gateway(), &client, request).await;
                if shared.is_stopping() {
                    close(&mut response);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = builders.http1.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection.with_upgrades());
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stopped(&mut self.stopping, LAST_REQUEST) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        match result {
            // An idle connection ends in the same way, and that is no fault.
            Err(error) if error.is_timeout() && builders.unanswered.is_there() => {
                Err(Fault::Timeout("a request's head").into())
            }
            Err(error) => {
                self.shared.report_unreadable(builders.peer, &error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn http2<S>(mut self, stream: S, client: Client, builders: &Builders) -> Result<(), Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let exchanges = Arc::new(Exchanges::new(builders.limits.resets));
        let (open, tunnels) = (Arc::clone(&builders.open), Arc::clone(&exchanges));
        let keep = move || Box::new((Arc::clone(&open), tunnels.tunnel())) as Box<dyn Any + Send>;
        let client = Arc::new(client.kept_by(Arc::new(keep)));
        let (worker, shared, watched) =
            (self.worker, Arc::clone(&self.shared), Arc::clone(&exchanges));
        let service = service_fn(move |request| {
            let (client, shared) = (Arc::clone(&client), Arc::clone(&shared));
            let exchange = watched.begin();
            async move {
                let response = worker.answer(&shared.gateway(), &client, request).await;
                Ok::<_, Infallible>(response.map(|body| Watched::new(body, exchange)))
            }
        });
        let counts = Arc::new(Counts::new());
        let stream = TokioIo::new(Frames::new(stream, Arc::clone(&counts)));
        let connection = builders.http2().serve_connection(stream, service);
        let mut connection = pin!(connection);
        let mut unseen = Unseen { counts, refused: 0 };
        let (mut leaving, patience) = (false, builders.timeouts.idle);
        let result = loop {
            let turn = std::future::poll_fn(|cx| {
                let turn = connection.as_mut().poll(cx);
                match unseen.look(&exchanges, &self.shared) {
                    Ok(()) => turn.map(Ok),
                    Err(fault) => Poll::Ready(Err(fault)),
                }
            });
            tokio::select! {
                result = turn => break result?,
                () = stopped(&mut self.stopping, Duration::ZERO), if !leaving => {
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
                // Who has been told to leave is not waited for as long.
                idle = builders.idle(&exchanges, if leaving { LAST_REQUEST } else { patience }) => {
                    idle?;
                    if leaving {
                        break Ok(());
                    }
                    leaving = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) if is_of_transport(&error) => Err(Ended::Gone),
            Err(error) => Err(Fault::Http2(error).into()),
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

/// The TLS handshake; returns the server name that the client asked for, in lower case.
async fn shake_hands(
    shared: Arc<Shared>,
    mut stream: Clear,
) -> Result<(TlsStream<Clear>, Option<Box<str>>), Ended> {
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
    Ok((stream, name.map(Into::into)))
}

/// Ready once the firewall has been stopping for `grace`.
async fn stopped(stopping: &mut watch::Receiver<bool>, grace: Duration) {
    // A sender that is gone is a main thread that is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
    tokio::time::sleep(grace).await;
}

fn close<B>(response: &mut Response<B>) {
    // An upgraded connection ends by its own rules.
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Answers what is no connection of the kind that is served here. Whether the client reads it is its
/// own affair; for a while, what it still sends is read, since closing before that would have the
/// system take the answer back (RFC 9112 9.6).
async fn refuse(stream: &mut Clear, answer: &[u8]) {
    let farewell = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LAST_BYTES), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(LAST_REQUEST, farewell).await;
}

/// Whether an error is of the bytes' way and not of what they say.
fn is_of_transport(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}

/// What a client does on an HTTP/2 connection that no request shows.
struct Unseen {
    counts: Arc<Counts>,
    /// Streams that were opened and became no exchange, as far as they have been counted.
    refused: u64,
}

impl Unseen {
    /// Looks at what has been read, all of which the library has dealt with.
    ///
    /// # Errors
    ///
    /// Where the client sends frames for the sake of their number.
    fn look(&mut self, exchanges: &Exchanges, shared: &Shared) -> Result<(), Fault> {
        let refused = self.counts.streams().saturating_sub(exchanges.begun());
        for _ in self.refused..refused {
            shared.telemetry.metrics.count_refused_stream();
        }
        self.refused = self.refused.max(refused);
        if self.counts.is_flooded() { Err(Fault::Flood) } else { Ok(()) }
    }
}

/// How HTTP is spoken on a connection, as the configuration said when it came.
struct Builders {
    http1: http1::Builder,
    limits: crate::config::Limits,
    timeouts: crate::config::ClientTimeouts,
    open: Arc<(Open, mpsc::Sender<Infallible>)>,
    unanswered: Unanswered,
    peer: SocketAddr,
}

fn http1(server: &Server) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(server.timeouts.request_head)
        .max_header_size(server.limits.header_bytes)
        .max_buf_size(server.limits.header_bytes.max(READ_BUFFER));
    // Any other number than hyper's own has it allocate for each request.
    if server.limits.header_fields != 100 {
        builder.max_headers(server.limits.header_fields);
    }
    builder
}

impl Builders {
    fn http2(&self) -> http2::Builder<TokioExecutor> {
        let bytes = self.limits.header_bytes.saturating_mul(HEAD_MARGIN);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams)
            .max_header_list_size(u32::try_from(bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(64 * 1024)
            .enable_connect_protocol();
        builder
    }

    /// Ready once there has been no exchange for `limit`.
    ///
    /// # Errors
    ///
    /// Where the exchanges are a fault.
    async fn idle(&self, exchanges: &Exchanges, limit: Duration) -> Result<(), Fault> {
        let often = limit.min(self.timeouts.response) / 4;
        loop {
            tokio::select! {
                () = exchanges.flooded() => return Err(Fault::Resets),
                () = tokio::time::sleep(often) => {}
            }
            if exchanges.unread() > self.timeouts.response {
                return Err(Fault::Unread);
            }
            if exchanges.quiet().is_some_and(|quiet| quiet >= limit) {
                return Ok(());
            }
        }
    }
}
