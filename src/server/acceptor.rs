//! Accepts connections on one listener, and hands each to the worker that has the fewest.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::accepted::Accepted;
use super::bound::Role;
use super::fault::Fault;
use super::worker::Handle;
use super::{ACCEPT_PAUSE, Shared};

/// What accepts on one socket.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) role: Role,
    pub(super) shared: Arc<Shared>,
    pub(super) workers: Arc<[Handle]>,
}

impl Acceptor {
    /// Accepts until told to stop, and then what the kernel has accepted already.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                biased;
                // Nobody says anything but that it is over.
                _ = stop.changed() => break,
                accepted = self.listener.accept() => self.take(accepted).await,
            }
        }
        // A connection that waits in the queue has been established for its client.
        while let Ok(accepted) = self.accept_waiting().await {
            self.hand_over(accepted);
        }
    }

    /// A connection that is there already.
    async fn accept_waiting(&self) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
        tokio::select! {
            biased;
            accepted = self.listener.accept() => accepted,
            () = std::future::ready(()) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    async fn take(&self, accepted: io::Result<(tokio::net::TcpStream, SocketAddr)>) {
        match accepted {
            Ok(accepted) => self.hand_over(accepted),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                self.shared.count(self.role, &Fault::Descriptors);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    fn hand_over(&self, (stream, address): (tokio::net::TcpStream, SocketAddr)) {
        // A stream leaves this thread's event queue before it enters its worker's.
        let Ok(stream) = stream.into_std() else { return };
        match Accepted::new(stream, address, self.role, &self.shared) {
            Ok(accepted) => {
                let worker = self.workers.iter().min_by_key(|worker| worker.load());
                worker.expect("there is at least one worker").hand_over(accepted);
            }
            Err(fault) => self.shared.report(self.role, address, &fault),
        }
    }
}

/// Whether a failed accept concerns the client that was about to come, and not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
