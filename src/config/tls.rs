//! A site's side of TLS: certificates, and what clients are told about it.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use rustls::sign::CertifiedKey;

/// What a site has to do with TLS.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// In the order of the file.
    pub certificates: Vec<Certificate>,
    /// The port that requests in clear text are redirected to, if they are.
    pub redirect: Option<u16>,
    /// `Strict-Transport-Security` (RFC 6797), if it is sent.
    pub hsts: Option<HeaderValue>,
}

/// A certificate with its private key.
#[derive(Clone)]
pub struct Certificate {
    /// The chain and the key.
    pub key: Arc<CertifiedKey>,
    /// The names it is for, in lower case; `*.` stands for one label.
    pub names: Vec<Box<str>>,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
}

impl fmt::Debug for Certificate {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Whether it is for `host` (RFC 9525 6.3): a wildcard stands for the leftmost label, whole.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| {
            let wildcard = name.strip_prefix('*').zip(host.find('.'));
            **name == *host || wildcard.is_some_and(|(rest, dot)| rest == &host[dot..])
        })
    }
}
