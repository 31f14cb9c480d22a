//! WebSockets: an exchange that ends as a tunnel.
//!
//! Over HTTP/1.1 by `Upgrade` (RFC 6455 4), over HTTP/2 by extended CONNECT (RFC 8441), which goes to
//! the upstream as an upgrade of HTTP/1.1. No other protocol is upgraded to: what it carries could
//! be requests that nobody has judged (`h2c` is such a one).

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::io::InspectReader;

use super::error::{ProxyError, UpstreamError};
use super::fields::{Field, Fields};
use super::gateway::Site;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// What a server appends to a key before it hashes it (RFC 6455 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A client's wish for a WebSocket, and its side of the connection once it is granted.
pub(super) struct Upgrade {
    client: OnUpgrade,
    /// Of extended CONNECT: what the upstream must make of the key it was sent.
    accept: Option<HeaderValue>,
}

impl Upgrade {
    /// The wish that a request is, if it is one; an extended CONNECT becomes an upgrade of HTTP/1.1.
    ///
    /// # Errors
    ///
    /// For a CONNECT to anything else.
    pub(super) fn of(
        request: &mut Request<Incoming>,
        fields: Fields,
    ) -> Result<Option<Self>, ProxyError> {
        if request.method() == Method::CONNECT {
            return Self::of_connect(request).map(Some);
        }
        let wished = fields.have(Field::Upgrade)
            && request.version() == Version::HTTP_11
            && request.method() == Method::GET
            && asks_for_websocket(request.headers())
            && !fields.have(Field::ContentLength)
            && !fields.have(Field::TransferEncoding);
        Ok(wished.then(|| Self { client: hyper::upgrade::on(request), accept: None }))
    }

    fn of_connect(request: &mut Request<Incoming>) -> Result<Self, ProxyError> {
        let protocol = request.extensions_mut().remove::<Protocol>();
        let is_websocket =
            |protocol: &Protocol| protocol.as_str().eq_ignore_ascii_case("websocket");
        if request.version() != Version::HTTP_2 || !protocol.as_ref().is_some_and(is_websocket) {
            return Err(ProxyError::Method);
        }
        let client = hyper::upgrade::on(&mut *request);
        *request.method_mut() = Method::GET;
        let key = key().ok_or(ProxyError::BadRequest("no randomness for a key"))?;
        let accept = accept(key.as_bytes());
        request.headers_mut().insert(SEC_WEBSOCKET_KEY, key);
        Ok(Self { client, accept: Some(accept) })
    }

    /// Whether `status`, which is no switch, would tell the client that its WebSocket is open: over
    /// HTTP/2 every success does (RFC 8441 5, RFC 9110 9.3.6).
    pub(super) fn is_misread(&self, status: StatusCode) -> bool {
        self.accept.is_some() && status.is_success()
    }

    /// Puts back what a request for an upgrade must say of its connection.
    pub(super) fn ask(headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, WEBSOCKET);
    }

    /// What the client is answered to the upstream's 101, whose hop-by-hop fields are gone already:
    /// the upgrade that it asked for, or its success in HTTP/2.
    ///
    /// # Errors
    ///
    /// Where the upstream accepts another key than it was sent.
    pub(super) fn grant<B>(&self, response: &mut Response<B>) -> Result<(), UpstreamError> {
        let headers = response.headers_mut();
        match &self.accept {
            None => Self::ask(headers),
            Some(accept) => {
                if headers.remove(SEC_WEBSOCKET_ACCEPT).as_ref() != Some(accept) {
                    return Err(UpstreamError::Protocol("a false Sec-WebSocket-Accept".into()));
                }
                *response.status_mut() = StatusCode::OK;
            }
        }
        Ok(())
    }

    /// Carries bytes between the two sides until both have ended, one has failed, or nothing has
    /// passed for as long as the site allows. `held` lives as long.
    pub(super) fn tunnel(self, upstream: OnUpgrade, site: Arc<Site>, held: impl Any + Send) {
        tokio::spawn(async move {
            let open = site.metrics.begin_upgrade();
            let sides = async { tokio::try_join!(self.client, upstream) };
            let result = match sides.await {
                Ok((client, upstream)) => {
                    let idle = site.config.timeouts.upgrade;
                    carry(TokioIo::new(client), TokioIo::new(upstream), idle).await
                }
                Err(error) => Err(io::Error::other(error)),
            };
            if let Err(error) = result {
                tracing::debug!(site = %site.config.domain, %error, "a WebSocket ended early");
            }
            drop((open, held));
        });
    }
}

/// Whether the upstream's answer is the upgrade that was asked for.
pub(super) fn is_switch<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS && asks_for_websocket(response.headers())
}

/// Whether `Connection` and `Upgrade` say `websocket`, and it alone.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let upgrades = headers.get_all(CONNECTION).iter().any(|line| {
        let mut options = line.as_bytes().split(|&b| b == b',');
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    let mut protocols = headers.get_all(UPGRADE).iter();
    let websocket = protocols.next().is_some_and(|protocol| {
        protocol.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket")
    });
    upgrades && websocket && protocols.next().is_none()
}

/// A fresh key: 16 random bytes in base64.
fn key() -> Option<HeaderValue> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).ok()?;
    HeaderValue::from_str(&BASE64.encode(bytes)).ok()
}

fn accept(key: &[u8]) -> HeaderValue {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    HeaderValue::from_str(&BASE64.encode(hash)).expect("base64 is printable ASCII")
}

async fn carry<C, U>(client: C, upstream: U, idle: Duration) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let pulse = Pulse::new();
    let mut client = InspectReader::new(client, |_: &[u8]| pulse.beat());
    let mut upstream = InspectReader::new(upstream, |_: &[u8]| pulse.beat());
    tokio::select! {
        result = tokio::io::copy_bidirectional(&mut client, &mut upstream) => result.map(drop),
        () = pulse.stops(idle) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "nothing passed for too long"))
        }
    }
}

/// When something last passed, in milliseconds since the start.
struct Pulse {
    start: Instant,
    last: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }

    fn beat(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Ready once nothing has passed for `idle`.
    async fn stops(&self, idle: Duration) {
        loop {
            let last = self.start + Duration::from_millis(self.last.load(Ordering::Relaxed));
            if last.elapsed() >= idle {
                return;
            }
            tokio::time::sleep_until(last + idle).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 6455 1.3
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(key().expect("randomness").len(), 24);
    }

    #[test]
    fn only_websockets_are_asked_for() {
        let cases: &[(&[&str], &[&str], bool)] = &[
            (&["Upgrade"], &["websocket"], true),
            (&["keep-alive, upgrade"], &["WebSocket"], true),
            (&["close", "UPGRADE"], &[" websocket "], true),
            (&["keep-alive"], &["websocket"], false),
            (&["upgrade"], &["h2c"], false),
            (&["upgrade"], &["websocket, h2c"], false),
            (&["upgrade"], &["websocket", "h2c"], false),
            (&["upgrade"], &[], false),
        ];
        for (connection, upgrade, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in *connection {
                headers.append(CONNECTION, HeaderValue::from_str(line).expect("a value"));
            }
            for line in *upgrade {
                headers.append(UPGRADE, HeaderValue::from_str(line).expect("a value"));
            }
            assert_eq!(asks_for_websocket(&headers), *expected, "{connection:?} {upgrade:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_ends_when_nothing_passes() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (client, mut visitor) = tokio::io::duplex(64);
        let (upstream, mut portal) = tokio::io::duplex(64);
        let tunnel = tokio::spawn(carry(client, upstream, Duration::from_secs(10)));
        let mut seen = [0; 2];
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(6)).await;
            visitor.write_all(b"hi").await.expect("the tunnel is open");
            portal.read_exact(&mut seen).await.expect("the tunnel is open");
        }
        let error = tunnel.await.expect("no panic").expect_err("a timeout");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
