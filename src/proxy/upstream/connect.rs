//! New connections: dialled, secured, and spoken on in HTTP/1.1 or HTTP/2.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use http::uri::Authority;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::Purpose;
use super::endpoint::Endpoint;
use super::form;
use super::transport::{Stream, Transport};
use crate::config::{HttpVersion, Upstream};
use crate::proxy::body::{RequestBody, Upload};
use crate::proxy::error::UpstreamError;
use crate::proxy::raw_head::{Aside, Scanned};

const HTTP_1_1: &[u8] = b"http/1.1";
const HTTP_2: &[u8] = b"h2";

/// What an upstream may send on one stream, and on a connection, before it has been passed on. The
/// connection has room for all of its streams: clients that do not read stop theirs alone.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS as u32;

/// What is kept of a request's body that an upstream does not take.
const SEND_BUFFER: usize = 256 * 1024;

/// What is read ahead of a response over HTTP/1.1, whose head must fit in: as long as its client does
/// not read, that is what it costs.
const READ_BUFFER: usize = 128 * 1024;

/// The largest head of a response over HTTP/2.
const HEADER_LIST: u32 = 256 * 1024;

/// How soon an upstream that has gone silent is asked whether it is there, and how long it has to
/// say so. Only while it has requests: an idle connection that is dead is noticed when it is used.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an HTTP/2 connection has to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Streams on one HTTP/2 connection at most; one more opens another connection. More would have
/// responses wait for each other in one TCP stream.
const STREAMS: usize = 100;

/// What connects to the addresses of one upstream.
pub struct Connector {
    version: HttpVersion,
    roots: Option<Arc<RootCertStore>>,
    /// Made with the first connection that needs it.
    tls: OnceLock<Tls>,
}

/// The client side of TLS, by what is offered in ALPN (RFC 7301).
struct Tls {
    exchange: TlsConnector,
    upgrade: TlsConnector,
}

/// The head of a response, or why there is none, with the request where it was not sent.
pub type Answer = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

/// A connection that was made.
pub struct Made {
    /// What is spoken on it.
    pub speaks: Speaks,
    /// The other end.
    pub peer: SocketAddr,
}

/// What is spoken on a connection.
pub enum Speaks {
    /// HTTP/1.1: one exchange at a time.
    Http1(Http1),
    /// HTTP/2: many at a time.
    Http2(Http2),
}

impl Connector {
    /// For `upstream`'s addresses.
    pub fn new(upstream: &Upstream) -> Self {
        let roots = upstream.roots.as_ref().map(|roots| Arc::clone(&roots.0));
        Self { version: upstream.version, roots, tls: OnceLock::new() }
    }

    /// Connects to `endpoint`. The caller limits the time, of which `limit` says how long it is.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`], by what went wrong.
    pub async fn connect(
        &self,
        endpoint: &Endpoint,
        purpose: Purpose,
        slot: Option<OwnedSemaphorePermit>,
        limit: Duration,
    ) -> Result<Made, UpstreamError> {
        let (stream, peer) = dial(endpoint, limit).await.map_err(UpstreamError::Connect)?;
        let (stream, is_http2) = if endpoint.config.tls {
            self.secure(&endpoint.config.host, stream, purpose).await?
        } else {
            let is_http2 = self.version == HttpVersion::Http2 && purpose == Purpose::Exchange;
            (Stream::Plain(stream), is_http2)
        };
        let transport = Transport::new(stream, slot);
        let speaks = if is_http2 {
            Speaks::Http2(Http2::on(transport, endpoint).await?)
        } else {
            Speaks::Http1(Http1::on(transport).await?)
        };
        Ok(Made { speaks, peer })
    }

    /// Puts TLS on `stream`; says whether HTTP/2 was agreed upon.
    async fn secure(
        &self,
        host: &str,
        stream: TcpStream,
        purpose: Purpose,
    ) -> Result<(Stream, bool), UpstreamError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| UpstreamError::Tls(io::Error::other(error)))?;
        let tls = self.tls.get_or_init(|| Tls::new(self.version, self.roots.as_deref()));
        let connector = match purpose {
            Purpose::Exchange => &tls.exchange,
            Purpose::Upgrade => &tls.upgrade,
        };
        let stream = connector.connect(name, stream).await.map_err(UpstreamError::Tls)?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        if self.version == HttpVersion::Http2 && !is_http2 {
            let error = "HTTP/2 is configured, and the upstream does not offer it";
            return Err(UpstreamError::Protocol(error.into()));
        }
        Ok((Stream::Tls(Box::new(stream)), is_http2))
    }
}

impl Tls {
    /// Trusts `roots`, or else the public authorities.
    fn new(version: HttpVersion, roots: Option<&RootCertStore>) -> Self {
        let public = || RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the cipher suites of its own default versions")
            .with_root_certificates(roots.cloned().unwrap_or_else(public))
            .with_no_client_auth();
        let offering = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        let exchange = match version {
            HttpVersion::Auto => offering(&[HTTP_2, HTTP_1_1]),
            HttpVersion::Http1 => offering(&[HTTP_1_1]),
            HttpVersion::Http2 => offering(&[HTTP_2]),
        };
        Self { exchange, upgrade: offering(&[HTTP_1_1]) }
    }
}

/// Tries the socket addresses one after the other, and leaves each its part of the time.
async fn dial(endpoint: &Endpoint, limit: Duration) -> io::Result<(TcpStream, SocketAddr)> {
    let deadline = Instant::now() + limit;
    let addresses = endpoint.resolved.addresses().await?;
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (index, &address) in addresses.iter().enumerate() {
        let after = u32::try_from(addresses.len() - index - 1).unwrap_or(u32::MAX);
        let connect = TcpStream::connect(address);
        let connected = if after == 0 {
            // Nothing is left to save time for.
            connect.await
        } else {
            let share = deadline.saturating_duration_since(Instant::now()) / (after + 1);
            let timed = tokio::time::timeout(share, connect).await;
            timed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        endpoint.resolved.note(address, connected.is_err());
        match connected {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok((stream, address));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// HTTP/1.1 on a connection.
pub struct Http1 {
    sender: http1::SendRequest<RequestBody>,
    aside: Arc<Aside>,
    task: AbortHandle,
}

impl Drop for Http1 {
    /// Dropping the sender alone would leave a connection that still waits for a request's body to
    /// wait for ever.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Http1 {
    async fn on(transport: Transport) -> Result<Self, UpstreamError> {
        let aside = Arc::<Aside>::default();
        let stream = TokioIo::new(Scanned::new(transport, Arc::clone(&aside)));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(READ_BUFFER)
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .handshake(stream)
            .await
            .map_err(|error| UpstreamError::Protocol(error.into()))?;
        let task = tokio::spawn(async move {
            // Whoever waits for a response learns of the error there.
            let _ = connection.with_upgrades().await;
        });
        Ok(Self { sender, aside, task: task.abort_handle() })
    }

    /// Sends a request; the head of the response is to be waited for.
    pub fn send(
        &mut self,
        mut request: Request<RequestBody>,
    ) -> impl Future<Output = Answer> + use<> {
        form::to_http1(&mut request);
        self.aside.expect_head();
        self.sender.try_send_request(request)
    }

    /// Whether the next request can be sent now.
    pub fn is_ready(&self) -> bool {
        self.sender.is_ready() && !self.sender.is_closed()
    }

    /// Whether no further request can be sent.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The `Set-Cookie` values that the parser dropped.
    pub fn set_aside(&self) -> Vec<Box<[u8]>> {
        self.aside.take()
    }
}

/// HTTP/2 on a connection, which closes when the last of its clones is gone.
#[derive(Clone)]
pub struct Http2 {
    sender: http2::SendRequest<RequestBody>,
    /// Streams that the upstream allows, as far as is known.
    streams: Arc<AtomicUsize>,
    tls: bool,
    authority: Authority,
    /// The body of the last request.
    upload: Weak<Upload>,
    _socket: Arc<Socket>,
}

/// Where hyper's tasks run, and the first of them, which has the socket.
#[derive(Clone, Default)]
struct Tasks(Arc<OnceLock<AbortHandle>>);

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let task = tokio::spawn(future).abort_handle();
        self.0.get_or_init(|| task);
    }
}

/// Closes an HTTP/2 connection for certain. hyper does once no stream is left; but one whose body
/// the upstream does not take, though it has answered, would stay for ever.
struct Socket(Tasks);

impl Drop for Socket {
    fn drop(&mut self) {
        let Some(task) = self.0.0.get().cloned() else { return };
        match tokio::runtime::Handle::try_current() {
            _ if task.is_finished() => {}
            Ok(runtime) => {
                runtime.spawn(async move {
                    tokio::time::sleep(CLOSE_TIMEOUT).await;
                    task.abort();
                });
            }
            Err(_) => task.abort(),
        }
    }
}

impl Http2 {
    async fn on(transport: Transport, endpoint: &Endpoint) -> Result<Self, UpstreamError> {
        let tasks = Tasks::default();
        let (sender, mut connection) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(HEADER_LIST)
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(transport))
            .await
            .map_err(|error| UpstreamError::Protocol(error.into()))?;
        let streams = Arc::new(AtomicUsize::new(STREAMS));
        let allowed = Arc::clone(&streams);
        tokio::spawn(async move {
            // Whoever waits for a response learns of the error there.
            let _ = poll_fn(|cx| {
                let done = Pin::new(&mut connection).poll(cx);
                // Known once the upstream's settings have come; it may change them.
                allowed.store(connection.current_max_send_streams(), Ordering::Relaxed);
                done
            })
            .await;
        });
        let (tls, authority) = (endpoint.config.tls, endpoint.authority.clone());
        let (upload, _socket) = (Weak::new(), Arc::new(Socket(tasks)));
        Ok(Self { sender, streams, tls, authority, upload, _socket })
    }

    /// Sends a request on a stream of its own; the head of the response is to be waited for.
    pub fn send(
        &mut self,
        mut request: Request<RequestBody>,
    ) -> impl Future<Output = Answer> + use<> {
        form::to_http2(&mut request, self.tls, &self.authority);
        request.body_mut().go_ahead();
        self.upload = request.body().upload();
        self.sender.try_send_request(request)
    }

    /// Whether the body of the last request is still being sent.
    pub fn is_sending(&self) -> bool {
        self.upload.strong_count() > 0
    }

    /// Whether a connection with this many streams takes another.
    pub fn has_room(&self, in_flight: usize) -> bool {
        // An upstream that allows none for now still gets one, which waits.
        in_flight < self.streams.load(Ordering::Relaxed).clamp(1, STREAMS)
    }

    /// Whether no further request can be sent.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}
