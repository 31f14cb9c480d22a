//! TLS towards clients: one configuration for every listener, certificates by server name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureAlgorithm};

use crate::config::Config;

/// HTTP/2, by its name in ALPN (RFC 9113 3.2).
pub(super) const H2: &[u8] = b"h2";

/// The certificates of every site, by name.
#[derive(Default)]
pub(super) struct Certificates {
    /// By host name; wildcards with their asterisk.
    by_name: HashMap<Box<str>, Arc<[Arc<CertifiedKey>]>, RandomState>,
    /// For clients that name no server: the certificates of the only site that has some.
    unnamed: Option<Arc<[Arc<CertifiedKey>]>>,
}

impl Certificates {
    /// The certificates of `config`. Each name of a site gets those of the site's certificates that
    /// are for it, ECDSA before RSA.
    pub(super) fn new(config: &Config) -> Self {
        let mut by_name = HashMap::default();
        let mut of_sites = Vec::new();
        for site in &config.sites {
            for name in std::iter::once(&site.domain).chain(&site.aliases) {
                let fitting = site.tls.certificates.iter().filter(|c| c.covers(name));
                let mut keys: Vec<_> = fitting.map(|c| Arc::clone(&c.key)).collect();
                keys.sort_by_key(|key| key.key.algorithm() == SignatureAlgorithm::RSA);
                if !keys.is_empty() {
                    by_name.insert(name.clone(), keys.into());
                }
            }
            of_sites.extend(by_name.get(&site.domain).cloned());
        }
        let unnamed = if of_sites.len() == 1 { of_sites.pop() } else { None };
        Self { by_name, unnamed }
    }

    /// The certificates for a server name in lower case.
    fn find(&self, name: Option<&str>) -> Option<&Arc<[Arc<CertifiedKey>]>> {
        let Some(name) = name else { return self.unnamed.as_ref() };
        self.by_name.get(name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(format!("*.{parent}").as_str())
        })
    }

    /// Whether there is a certificate for a server name in lower case.
    pub(super) fn has(&self, name: Option<&str>) -> bool {
        self.find(name).is_some()
    }
}

/// Chooses certificates from those that are current when a client comes.
pub(super) struct Resolver(pub(super) Arc<ArcSwap<Certificates>>);

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let certificates = self.0.load();
        let keys = certificates.find(name.as_deref())?;
        let schemes = hello.signature_schemes();
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        // A client that can use none is told so by the handshake itself.
        keys.iter().find(fits).or(keys.first()).cloned()
    }
}

/// TLS 1.3 and 1.2, with session tickets, for every listener and as long as the process lives: a
/// configuration of its own for each reload would forget the keys that tickets are sealed with.
///
/// # Errors
///
/// Where the system has no randomness for ticket keys.
pub(super) fn server(
    certificates: Arc<ArcSwap<Certificates>>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Resolver(certificates)));
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    // Two tickets are what a browser's parallel connections use up (RFC 8446 4.6.1).
    config.send_tls13_tickets = 2;
    Ok(config)
}

/// Fatal alerts (RFC 8446 6.2), as whole records, for what ends before a handshake can begin.
pub(super) mod alert {
    /// `handshake_failure`: there is no TLS here.
    pub(in crate::server) const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
    /// `unrecognized_name`: no site here has this name (RFC 6066 3).
    pub(in crate::server) const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
}
