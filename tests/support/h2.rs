//! A client that speaks HTTP/2, over TLS or with prior knowledge.
#![allow(dead_code, missing_docs)]

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;

use super::{DOMAIN, Message};

/// One HTTP/2 connection, for tests that wait for each answer.
pub struct Client {
    runtime: Runtime,
    sender: http2::SendRequest<Full<Bytes>>,
    scheme: &'static str,
}

impl Client {
    /// With prior knowledge.
    pub fn new(address: SocketAddr) -> Self {
        let runtime = runtime();
        let sender = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.expect("a listener");
            handshake(stream).await
        });
        Self { runtime, sender, scheme: "http" }
    }

    /// Over TLS, asking for the server `name`.
    pub fn over_tls(config: ClientConfig, address: SocketAddr, name: &str) -> Self {
        let runtime = runtime();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let sender = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.expect("a listener");
            let tls = tokio_rustls::TlsConnector::from(Arc::new(config));
            let stream = tls.connect(name, stream).await.expect("a handshake");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            handshake(stream).await
        });
        Self { runtime, sender, scheme: "https" }
    }

    /// A request for `path` of the usual site, to be completed.
    pub fn to(&self, path: &str) -> http::request::Builder {
        Request::builder().uri(format!("{}://{DOMAIN}{path}", self.scheme))
    }

    /// One GET with these fields.
    pub fn get(&mut self, path: &str, fields: &[(&str, &str)]) -> Message {
        let request = fields.iter().fold(self.to(path), |r, (name, value)| r.header(*name, *value));
        self.send(request.body(Full::default()).expect("a request"))
    }

    /// One exchange.
    pub fn send(&mut self, request: Request<Full<Bytes>>) -> Message {
        self.try_send(request).expect("an answer")
    }

    /// One exchange, which may fail.
    pub fn try_send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Message> {
        let Self { runtime, sender, .. } = self;
        runtime.block_on(async {
            sender.ready().await?;
            message(sender.send_request(request).await?).await
        })
    }

    /// Runs something of the test's own on the connection.
    pub fn run<T, F: Future<Output = T>>(
        &mut self,
        work: impl FnOnce(http2::SendRequest<Full<Bytes>>) -> F,
    ) -> T {
        self.runtime.block_on(work(self.sender.clone()))
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

async fn handshake<S>(stream: S) -> http2::SendRequest<Full<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(1 << 20);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

/// The whole of a response, in the form that HTTP/1.1 would have it.
async fn message(response: Response<Incoming>) -> hyper::Result<Message> {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await?;
    let trailers = collected.trailers().map(lines).unwrap_or_default();
    let mut head = vec![format!("HTTP/2 {}", parts.status.as_u16()).into_bytes()];
    head.extend(lines(&parts.headers));
    Ok(Message { head, body: collected.to_bytes().to_vec(), trailers })
}

fn lines(fields: &HeaderMap) -> Vec<Vec<u8>> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        [name.as_str().as_bytes(), b": ", value.as_bytes()].concat()
    };
    fields.iter().map(line).collect()
}

/// Frames of HTTP/2, byte by byte, for what no client library would send.
pub mod raw {
    use super::super::Peer;

    pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;

    /// One frame.
    pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a short payload");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// A block of field lines, without compression.
    pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            block.push(0);
            for text in [name, value] {
                integer(&mut block, text.len());
                block.extend_from_slice(text.as_bytes());
            }
        }
        block
    }

    /// A length (RFC 7541 5.1), with a prefix of seven bits.
    fn integer(out: &mut Vec<u8>, mut value: usize) {
        if value < 127 {
            out.push(u8::try_from(value).expect("below 127"));
            return;
        }
        out.push(127);
        value -= 127;
        while value >= 128 {
            out.push(u8::try_from(value % 128).expect("below 128") | 128);
            value /= 128;
        }
        out.push(u8::try_from(value).expect("below 128"));
    }

    /// The fields of a GET for the usual site, and more.
    pub fn get(more: &[(&str, &str)]) -> Vec<u8> {
        let mut fields = vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", super::super::DOMAIN),
        ];
        fields.extend_from_slice(more);
        block(&fields)
    }

    /// A frame that has been read.
    #[derive(Debug)]
    pub struct Frame {
        pub kind: u8,
        pub flags: u8,
        pub stream: u32,
        pub payload: Vec<u8>,
    }

    impl Frame {
        /// The error code of RST_STREAM and GOAWAY.
        pub fn code(&self) -> u32 {
            let at = if self.kind == GOAWAY { 4 } else { 0 };
            u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
        }
    }

    /// Sends the preface and empty settings.
    pub fn begin(peer: &mut Peer) {
        peer.send(PREFACE).send(frame(SETTINGS, 0, 0, &[]));
    }

    /// The next frame, or `None` where the connection has ended.
    pub fn read(peer: &mut Peer) -> Option<Frame> {
        use std::io::Read as _;
        let mut head = [0; 9];
        peer.stream().read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        peer.stream().read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().expect("four bytes"));
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame of this kind, or `None` where the connection ends before one.
    pub fn wait_for(peer: &mut Peer, kind: u8) -> Option<Frame> {
        std::iter::from_fn(|| read(peer)).find(|frame| frame.kind == kind)
    }
}
