//! Sockets, bound before anything is served.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::log_listening;
use crate::config::Server;

/// Connections that the kernel holds while none is accepted.
const BACKLOG: i32 = 4096;

/// The sockets of a configuration, listening.
#[derive(Debug)]
pub struct Bound {
    pub(super) http: Vec<TcpListener>,
    pub(super) admin: TcpListener,
}

impl Bound {
    /// Binds every address of `server` and logs where.
    ///
    /// # Errors
    ///
    /// Where an address cannot be bound; the error names it.
    pub fn new(server: &Server) -> io::Result<Self> {
        let http = server.listeners.http.iter().map(|listener| bind(listener.address)).collect::<io::Result<_>>()?;
        let bound = Self { http, admin: bind(server.listeners.admin)? };
        for address in bound.http()? {
            log_listening("http", address);
        }
        log_listening("admin", bound.admin()?);
        Ok(bound)
    }

    /// The addresses of the public listeners.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn http(&self) -> io::Result<Vec<SocketAddr>> {
        self.http.iter().map(TcpListener::local_addr).collect()
    }

    /// The address of the admin listener.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn admin(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the last run's connections to be forgotten.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}
