//! A site's upstream, as it is configured.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::PathAndQuery;
use rustls::RootCertStore;

/// Where a portal is, and how it is spoken to. Two that are equal can share their connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its addresses; at least one.
    pub addresses: Vec<Address>,
    /// The `Host` sent, if not the client's.
    pub host: Option<HeaderValue>,
    /// The authorities that sign its certificate, if not the public ones.
    pub roots: Option<Roots>,
    /// Connections at most.
    pub connections: usize,
    /// Which HTTP it speaks.
    pub version: HttpVersion,
    /// How an address is chosen.
    pub balance: Balance,
    /// How often a request that may be sent again is.
    pub retries: usize,
    /// Connections that are kept.
    pub pool: Pool,
    /// When an address counts as down.
    pub health: Health,
    /// For a connection, TLS included.
    pub connect_timeout: Duration,
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A host name or an IP address, without brackets.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// Its share, beside the others' weights.
    pub weight: u32,
}

impl fmt::Display for Address {
    /// As in a URL: `host:port`, IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Authorities that sign an upstream's certificate.
#[derive(Clone, Debug)]
pub struct Roots(pub Arc<RootCertStore>);

impl PartialEq for Roots {
    fn eq(&self, other: &Self) -> bool {
        self.0.roots == other.0.roots
    }
}

impl Eq for Roots {}

/// The HTTP version spoken to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// What ALPN (RFC 7301) yields over TLS; HTTP/1.1 in clear text.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; in clear text with prior knowledge (RFC 9113 3.3).
    Http2,
}

/// How one of several addresses is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Of two random ones, the one with less to do for its weight.
    #[default]
    LeastLoaded,
    /// Each in turn, as often as its weight says.
    RoundRobin,
    /// The first that is up.
    First,
}

/// Connections to an upstream that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Idle ones, for each worker and address.
    pub idle_connections: usize,
    /// How long one may be idle.
    pub idle: Duration,
    /// How old one may become.
    pub max_age: Duration,
    /// How often names are resolved again.
    pub resolve: Duration,
}

/// When an address counts as down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is asked to see whether it is up, if anything.
    pub path: Option<PathAndQuery>,
    /// How often it is asked.
    pub interval: Duration,
    /// For the head of its answer.
    pub timeout: Duration,
    /// Good answers in a row for it to be up.
    pub healthy_after: u32,
    /// Failures in a row for it to be down.
    pub unhealthy_after: u32,
    /// Failed exchanges in a row for it to be left alone.
    pub eject_after: u32,
    /// For how long.
    pub eject_for: Duration,
}
