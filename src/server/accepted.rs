//! A connection that has been accepted, and what counts it as open.

use std::net::{SocketAddr, TcpStream};

use super::Shared;
use super::bound::Role;
use super::clients::{ClientPlace, Place};
use super::fault::Fault;
use super::worker::Load;
use crate::config::Server;

/// A connection on its way to a worker.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) role: Role,
    pub(super) open: Open,
}

/// What counts a connection as open, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    gauge: prometheus::IntGauge,
    _place: Place,
    client: Option<ClientPlace>,
    load: Option<Load>,
}

impl Open {
    /// Counts as one of the connections of a client that a proxy has named.
    pub(super) fn belongs_to(&mut self, client: ClientPlace) {
        self.client = Some(client);
    }
}

impl Drop for Open {
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
        let place = shared.clients.open(limits.connections).ok_or(Fault::Connections)?;
        let is_trusted = trusted_proxies.contain(peer.ip());
        let client = match role {
            Role::Http { proxied: true } | Role::Https { proxied: true } if !is_trusted => {
                return Err(Fault::Untrusted);
            }
            // Who speaks for many is not one client.
            _ if is_trusted => None,
            _ => {
                let place = shared.clients.open_from(peer.ip(), limits.client_connections);
                Some(place.ok_or(Fault::ClientConnections)?)
            }
        };
        let gauge = shared.telemetry.metrics.connections(role.as_str());
        gauge.inc();
        let open = Open { gauge, _place: place, client, load: None };
        Ok(Self { stream, peer, role, open })
    }

    /// Counts as one of a worker's.
    pub(super) fn counted(mut self, load: Load) -> Self {
        self.open.load = Some(load);
        self
    }
}
