//! A connection that has been accepted, and what counts it as open.

use std::net::{SocketAddr, TcpStream};

use super::Shared;
use super::bound::Role;
use super::clients::{ClientPermit, Permit};
use super::fault::Fault;
use super::worker::Load;
use crate::config::Server;

/// A connection on its way to a worker.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) role: Role,
    pub(super) open: OpenCount,
}

/// What counts a connection as open, until it is dropped.
#[derive(Debug)]
pub(super) struct OpenCount {
    gauge: prometheus::IntGauge,
    _permit: Permit,
    client: Option<ClientPermit>,
    load: Option<Load>,
}

impl OpenCount {
    /// Counts as one of the connections of a client that a proxy has named.
    pub(super) fn belongs_to(&mut self, client: ClientPermit) {
        self.client = Some(client);
    }
}

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

impl Accepted {
    /// Counts the connection as open from now until it is dropped.
    ///
    /// # Errors
    ///
    /// Where there are as many as allowed, or it may not come here at all.
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        role: Role,
        shared: &Shared,
    ) -> Result<Self, Fault> {
        let gateway = shared.gateway();
        let Server { limits, trusted_proxies, .. } = &gateway.server;
        let permit = shared.clients.open(limits.connections).ok_or(Fault::Connections)?;
        let is_trusted = trusted_proxies.contain(peer.ip());
        let client = match role {
            Role::Http { proxied: true } | Role::Https { proxied: true } if !is_trusted => {
                return Err(Fault::Untrusted);
            }
            // Who speaks for many is not one client.
            _ if is_trusted => None,
            _ => {
                let permit = shared.clients.open_from(peer.ip(), limits.client_connections);
                Some(permit.ok_or(Fault::ClientConnections)?)
            }
        };
        let gauge = shared.telemetry.metrics.connections(role.as_str());
        gauge.inc();
        let open = OpenCount { gauge, _permit: permit, client, load: None };
        Ok(Self { stream, peer, role, open })
    }

    /// Counts as one of a worker's.
    pub(super) fn counted(mut self, load: Load) -> Self {
        self.open.load = Some(load);
        self
    }
}
