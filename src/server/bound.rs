//! Sockets, bound before anything is served: the system's own, or inherited from a service manager.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Listener, Listeners, Server};

/// Connections that the kernel holds while none is accepted.
const BACKLOG: i32 = 4096;

/// What is served on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Clear text, with a PROXY header or not.
    Http { proxied: bool },
    /// TLS, with a PROXY header or not.
    Https { proxied: bool },
    /// Metrics and health.
    Admin,
}

impl Role {
    /// The label value, and the word in the log.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Https { .. } => "https",
            Self::Admin => "admin",
        }
    }
}

/// One line of a configuration: what is served where. Several that ask for a free port are told apart
/// by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) role: Role,
    pub(super) address: SocketAddr,
    number: usize,
}

/// Every endpoint of a configuration.
pub(super) fn endpoints(listeners: &Listeners) -> Vec<Endpoint> {
    let endpoint = |(number, (role, address))| Endpoint { role, address, number };
    let http =
        |listener: &Listener| (Role::Http { proxied: listener.proxy_protocol }, listener.address);
    let https =
        |listener: &Listener| (Role::Https { proxied: listener.proxy_protocol }, listener.address);
    let public = listeners.http.iter().map(http).chain(listeners.https.iter().map(https));
    let all = public.chain([(Role::Admin, listeners.admin)]);
    // Only a port that the system picks can be there twice.
    let numbered = all.enumerate().map(|(number, (role, address))| {
        (if address.port() == 0 { number } else { 0 }, (role, address))
    });
    numbered.map(endpoint).collect()
}

/// A listening socket and what it is for.
#[derive(Debug)]
pub(super) struct BoundSocket {
    pub(super) endpoint: Endpoint,
    pub(super) socket: TcpListener,
}

impl BoundSocket {
    /// The address on which it listens.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The same socket for another purpose.
    fn with(&self, endpoint: Endpoint) -> io::Result<Self> {
        Ok(Self { endpoint, socket: self.socket.try_clone()? })
    }

    /// Has new connections go to the process that listens here since, if one does: a program that
    /// the kernel asks for the number of a socket in the group says 1, and the first one is ours. A
    /// number that there is no socket for is ignored.
    pub(super) fn yield_to_successor(&self) -> io::Result<()> {
        const RETURN: u16 = 0x06;
        let mut program = [libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: 1 }];
        let program = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
        Ok(setsockopt(&self.socket, sockopt::AttachReusePortCbpf, &program)?)
    }
}

/// The sockets of a configuration, listening.
#[derive(Debug)]
pub struct Bound {
    pub(super) sockets: Vec<BoundSocket>,
}

impl Bound {
    /// Binds every address of `server`, or takes the socket for it that the process was started with
    /// (systemd's socket activation), and logs where.
    ///
    /// # Errors
    ///
    /// Where an address cannot be bound; the error names it.
    pub fn new(server: &Server) -> io::Result<Self> {
        let mut inherited = inherited()?;
        let mut sockets = Vec::new();
        for endpoint in endpoints(&server.listeners) {
            let found = inherited.iter().position(|(address, _)| *address == endpoint.address);
            let socket = match found {
                Some(index) => inherited.swap_remove(index).1,
                None => bind(endpoint.address, server.reuse_port)?,
            };
            sockets.push(BoundSocket { endpoint, socket });
        }
        for (address, _) in inherited {
            tracing::warn!(%address, "a socket was passed for an address that is not configured");
        }
        sockets.iter().try_for_each(log_listening)?;
        Ok(Self { sockets })
    }

    /// Binds what `server` has and `before` has not.
    ///
    /// # Errors
    ///
    /// Where an address cannot be bound; the error names it, and nothing is bound.
    pub(super) fn further(server: &Server, before: &[&BoundSocket]) -> io::Result<Self> {
        let is_new =
            |endpoint: &Endpoint| !before.iter().any(|socket| socket.endpoint == *endpoint);
        let new = endpoints(&server.listeners).into_iter().filter(is_new);
        let sockets = new.map(|endpoint| {
            let same = |socket: &&&BoundSocket| socket.endpoint.address == endpoint.address;
            match before.iter().find(same).filter(|_| endpoint.address.port() != 0) {
                Some(socket) => socket.with(endpoint),
                None => {
                    Ok(BoundSocket { endpoint, socket: bind(endpoint.address, server.reuse_port)? })
                }
            }
        });
        let sockets: Vec<_> = sockets.collect::<io::Result<_>>()?;
        sockets.iter().try_for_each(log_listening)?;
        Ok(Self { sockets })
    }

    /// The addresses of the listeners that serve clear text.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn http(&self) -> io::Result<Vec<SocketAddr>> {
        self.addresses("http")
    }

    /// The addresses of the listeners that serve TLS.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn https(&self) -> io::Result<Vec<SocketAddr>> {
        self.addresses("https")
    }

    /// The address of the admin listener.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn admin(&self) -> io::Result<SocketAddr> {
        let admin = self.addresses("admin")?.first().copied();
        admin.ok_or_else(|| io::Error::other("there is no admin listener"))
    }

    fn addresses(&self, role: &str) -> io::Result<Vec<SocketAddr>> {
        let sockets = self.sockets.iter().filter(|socket| socket.endpoint.role.as_str() == role);
        sockets.map(BoundSocket::address).collect()
    }
}

/// The sockets that the process was started with (`sd_listen_fds(3)`).
fn inherited() -> io::Result<Vec<(SocketAddr, TcpListener)>> {
    let mut passed = ListenFd::from_env();
    let mut found = Vec::new();
    for index in 0..passed.len() {
        let listener = passed.take_tcp_listener(index).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("a socket that was passed cannot be used: {error}"),
            )
        })?;
        if let Some(listener) = listener {
            listener.set_nonblocking(true)?;
            found.push((listener.local_addr()?, listener));
        }
    }
    Ok(found)
}

fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the last run's connections to be forgotten.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        if address.is_ipv6() {
            // As the configuration was checked, whatever the system's default is.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    bind().map_err(|error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// Logs the address that was bound, which names the port picked for port 0.
fn log_listening(socket: &BoundSocket) -> io::Result<()> {
    tracing::info!(listener = %socket.endpoint.role.as_str(), address = %socket.address()?, "listening");
    Ok(())
}
