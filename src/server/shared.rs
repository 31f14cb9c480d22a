//! What every thread of the server shares.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use http::StatusCode;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};

use super::bound::Role;
use super::clients::Clients;
use super::fault::Fault;
use super::tls::{self, Certificates};
use crate::config::Config;
use crate::proxy::Gateway;
use crate::telemetry::Telemetry;

/// The configuration in use, and what outlives it.
pub(super) struct Shared {
    gateway: ArcSwap<Gateway>,
    pub(super) certificates: Arc<ArcSwap<Certificates>>,
    pub(super) tls: Arc<ServerConfig>,
    pub(super) clients: Arc<Clients>,
    pub(super) telemetry: Arc<Telemetry>,
    stopping: AtomicBool,
}

impl Shared {
    /// With `config` in use, on this many workers.
    pub(super) fn new(
        config: &Config,
        workers: usize,
        telemetry: Arc<Telemetry>,
    ) -> io::Result<Self> {
        let certificates = Arc::new(ArcSwap::from_pointee(Certificates::new(config)));
        let tls = tls::server(Arc::clone(&certificates)).map_err(io::Error::other)?;
        let gateway = Gateway::new(config, workers, Arc::clone(&telemetry))?;
        let shared = Self {
            gateway: ArcSwap::from_pointee(gateway),
            certificates,
            tls: Arc::new(tls),
            clients: Arc::default(),
            telemetry,
            stopping: AtomicBool::new(false),
        };
        shared.describe();
        Ok(shared)
    }

    /// The configuration in use.
    pub(super) fn gateway(&self) -> Arc<Gateway> {
        self.gateway.load_full()
    }

    /// Takes a configuration into use, for every request from now on; returns the one before, by which
    /// requests in flight may still go.
    pub(super) fn install(&self, gateway: Arc<Gateway>) -> Arc<Gateway> {
        let before = self.gateway.swap(gateway);
        self.describe();
        before
    }

    /// Tells every connection that its next answer is its last.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Counts a connection that was refused or cut, and logs it once.
    pub(super) fn report(&self, role: Role, client: SocketAddr, fault: &Fault) {
        self.count(role, fault);
        if !self.telemetry.budget.allows_one() {
            return;
        }
        let cause = fault.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        let (listener, reason) = (role.as_str(), fault.reason());
        let client = client.ip();
        tracing::info!(%listener, %client, %reason, "connection refused or cut: {fault}{cause}");
    }

    /// Counts a connection that was refused or cut.
    pub(super) fn count(&self, role: Role, fault: &Fault) {
        self.telemetry.metrics.count_connection_error(role.as_str(), fault.reason());
    }

    /// hyper answers on its own what it cannot read; that is counted and logged here.
    pub(super) fn report_unreadable(&self, client: SocketAddr, error: &hyper::Error) {
        let status = if error.is_parse_too_large() {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else if error.is_parse() {
            StatusCode::BAD_REQUEST
        } else {
            tracing::debug!(%error, "a connection ended early");
            return;
        };
        self.telemetry.metrics.count_siteless(None, status);
        if self.telemetry.budget.allows_one() {
            let (client, status) = (client.ip(), status.as_u16());
            tracing::info!(%client, status, %error, "refused");
        }
    }

    /// Counts a completed TLS handshake.
    pub(super) fn count_handshake(&self, connection: &ServerConnection) {
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "1.3",
        };
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        self.telemetry.metrics.count_handshake(version, resumed);
    }

    fn describe(&self) {
        let gateway = self.gateway.load();
        let sites = gateway.sites().iter().map(|site| &*site.config);
        self.telemetry.metrics.describe_certificates(sites);
    }
}
