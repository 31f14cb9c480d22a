//! Origins that can be killed and revived, in HTTP/1.1 and HTTP/2, in clear text and TLS.
#![allow(dead_code, missing_docs)]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, oneshot};

pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

pub type Io = Box<dyn Duplex>;
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;
type Serve = Arc<dyn Fn(Io) -> Serving + Send + Sync>;

/// An origin on a thread and a runtime of its own, so that its end is as sudden as a process's.
pub struct Mortal {
    pub address: SocketAddr,
    serve: Serve,
    tls: Option<Arc<ServerConfig>>,
    connections: Arc<AtomicUsize>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Mortal {
    /// Runs `serve` on every connection.
    pub fn new<F>(
        tls: Option<Arc<ServerConfig>>,
        serve: impl Fn(Io) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve: Serve = Arc::new(move |io| Box::pin(serve(io)));
        // An address where no other test picks its ports, so that it is still free afterwards.
        let address = SocketAddr::from(([127, 0, 0, 2], 0));
        let mut origin = Self { address, serve, tls, connections: Arc::default(), running: None };
        origin.revive();
        origin
    }

    /// HTTP/2 in clear text.
    pub fn h2<F>(
        handler: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::new(None, h2_connection(Arc::default(), handler))
    }

    /// HTTP/1.1 that counts what it answers.
    pub fn http1(answered: Arc<AtomicUsize>) -> Self {
        Self::new(None, move |io| {
            let answered = Arc::clone(&answered);
            let service = hyper::service::service_fn(move |_| {
                answered.fetch_add(1, Ordering::SeqCst);
                let body = http_body_util::Full::new(Bytes::from_static(b"ok"));
                async move { Ok::<_, std::convert::Infallible>(Response::new(body)) }
            });
            let io = hyper_util::rt::TokioIo::new(io);
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(io, service);
            async move {
                let _ = connection.await;
            }
        })
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Closes the listener and every connection.
    pub fn kill(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            thread.join().expect("no panic while serving");
        }
    }

    /// Listens again where it did before.
    pub fn revive(&mut self) {
        let listener = std::net::TcpListener::bind(self.address).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        self.address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let (serve, tls) = (Arc::clone(&self.serve), self.tls.clone());
        let count = Arc::clone(&self.connections);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(&listener, serve, tls, &count) => {}
                    _ = stopped => {}
                }
            });
        });
        self.running = Some((stop, thread));
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn accept(
    listener: &tokio::net::TcpListener,
    serve: Serve,
    tls: Option<Arc<ServerConfig>>,
    count: &AtomicUsize,
) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a TCP socket");
        count.fetch_add(1, Ordering::SeqCst);
        let (serve, tls) = (Arc::clone(&serve), tls.clone());
        tokio::spawn(async move {
            match tls.map(tokio_rustls::TlsAcceptor::from) {
                None => serve(Box::new(stream)).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(Box::new(stream)).await;
                    }
                }
            }
        });
    }
}

/// Serves HTTP/2; each ring of `goaway` has the connection that hears it send GOAWAY and finish.
pub fn h2_connection<F>(
    goaway: Arc<Notify>,
    handler: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + Sync + 'static,
) -> impl Fn(Io) -> Serving + Send + Sync + 'static
where
    F: Future<Output = ()> + Send + 'static,
{
    let handler = Arc::new(handler);
    move |io| {
        let (handler, goaway) = (Arc::clone(&handler), Arc::clone(&goaway));
        Box::pin(async move {
            let Ok(mut connection) = h2::server::handshake(io).await else { return };
            loop {
                tokio::select! {
                    accepted = connection.accept() => match accepted {
                        Some(Ok((request, respond))) => {
                            tokio::spawn(handler(request, respond));
                        }
                        _ => return,
                    },
                    () = goaway.notified() => connection.graceful_shutdown(),
                }
            }
        })
    }
}

/// Answers with a body.
pub fn answer(mut respond: SendResponse<Bytes>, body: impl Into<Bytes>) {
    // A client that has gone is no news.
    if let Ok(mut stream) = respond.send_response(Response::new(()), false) {
        let _ = stream.send_data(body.into(), true);
    }
}

/// Reads a body to its end; returns it and its trailers.
pub async fn read(body: &mut RecvStream) -> (Vec<u8>, Option<HeaderMap>) {
    let mut bytes = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    (bytes, body.trailers().await.ok().flatten())
}

/// The server side of TLS for 127.0.0.2 with these protocols in ALPN, and its certificate in PEM.
pub fn tls(protocols: &[&str]) -> (Arc<ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.2".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("default versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a matching pair");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    (Arc::new(config), made.cert.pem())
}
