//! Certificates made on the fly, and clients that speak TLS.
#![allow(dead_code, missing_docs)]

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use cookie_firewall::config;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{PATIENCE, Peer, Setup};

/// A certificate authority of the test's own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Issued {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("an authority") }
    }

    /// A certificate for `names`, with an ECDSA key, that holds long enough.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, KeyPair::generate().expect("a key"), |_| {})
    }

    /// With a key of another kind, or other particulars.
    pub fn issue_with(
        &self,
        names: &[&str],
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// The authority's own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a client of this authority's believes, offering `alpn`.
    pub fn client(&self, alpn: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// The `[tls]` table of a site whose certificates stand in `NAME.pem` and `NAME.key`.
pub fn table(names: &[&str]) -> String {
    let entry = |name: &&str| {
        format!("[[tls.certificate]]\nchain = \"{name}.pem\"\nkey = \"{name}.key\"\n")
    };
    names.iter().map(entry).collect()
}

/// A setup that serves TLS and clear text, with this certificate in `NAME.pem` and `NAME.key`.
pub fn with(setup: Setup, name: &str, issued: &Issued) -> Setup {
    setup.file(&format!("{name}.pem"), &issued.chain).file(&format!("{name}.key"), &issued.key)
}

/// A connection after its handshake; an error where that fails.
pub fn handshake(
    config: &Arc<ClientConfig>,
    address: SocketAddr,
    name: &str,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut connection = ClientConnection::new(Arc::clone(config), name).expect("a connection");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// A connection over which HTTP/1.1 can be spoken.
pub fn connect(config: &Arc<ClientConfig>, address: SocketAddr, name: &str) -> Peer {
    Peer::over(handshake(config, address, name).expect("a handshake"))
}

/// The server's certificate.
pub fn certificate(stream: &StreamOwned<ClientConnection, TcpStream>) -> CertificateDer<'static> {
    stream.conn.peer_certificates().expect("the server's")[0].clone().into_owned()
}

/// The mistakes and warnings of a setup, as text.
pub fn mistakes(setup: &Setup) -> String {
    let directory = super::Directory::new();
    match config::load(&setup.write(&directory)) {
        Ok(loaded) => loaded.warnings.to_string(),
        Err(mistakes) => mistakes.to_string(),
    }
}
