//! What ends a connection before its time.

use std::error::Error as StdError;
use std::{fmt, io};

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
pub(super) enum Ended {
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
