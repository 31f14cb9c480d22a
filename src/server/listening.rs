//! The listeners that are open, which a new configuration may change.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::Shared;
use super::acceptor::Acceptor;
use super::admin;
use super::bound::{Bound, BoundSocket, Role, endpoints};
use super::reload::{Ready, Wish};
use super::worker::Handle;
use crate::config::Server;

/// Every open listener and what accepts on it.
pub(super) struct Listening {
    shared: Arc<Shared>,
    workers: Arc<[Handle]>,
    ready: Ready,
    wishes: mpsc::Sender<Wish>,
    sockets: Mutex<Vec<Socket>>,
}

struct Socket {
    bound: BoundSocket,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Nothing yet.
    pub(super) fn new(
        shared: Arc<Shared>,
        workers: Arc<[Handle]>,
        ready: Ready,
        wishes: mpsc::Sender<Wish>,
    ) -> Self {
        Self { shared, workers, ready, wishes, sockets: Mutex::default() }
    }

    /// Begins to accept on `bound`.
    ///
    /// # Errors
    ///
    /// Where a socket cannot be used.
    pub(super) fn open(&self, bound: Bound) -> io::Result<()> {
        for bound in bound.sockets {
            let socket = self.accept(bound)?;
            self.sockets().push(socket);
        }
        Ok(())
    }

    /// Binds what `server` has and is not open.
    ///
    /// # Errors
    ///
    /// Where an address cannot be bound; nothing has changed then.
    pub(super) fn bind(&self, server: &Server) -> io::Result<Bound> {
        let sockets = self.sockets();
        let bound: Vec<_> = sockets.iter().map(|socket| &socket.bound).collect();
        Bound::further(server, &bound)
    }

    /// Opens `bound`, and closes what `server` has not.
    pub(super) fn change(&self, server: &Server, bound: Bound) {
        if let Err(error) = self.open(bound) {
            tracing::error!(%error, "a listener that was bound cannot be used");
        }
        let wanted = endpoints(&server.listeners);
        let mut sockets = self.sockets();
        let (kept, gone): (Vec<_>, Vec<_>) =
            sockets.drain(..).partition(|socket| wanted.contains(&socket.bound.endpoint));
        *sockets = kept;
        drop(sockets);
        for socket in gone {
            let endpoint = socket.bound.endpoint;
            tracing::info!(listener = endpoint.role.as_str(), address = %endpoint.address, "closing");
            let _ = socket.stop.send(true);
        }
    }

    /// Leaves new connections to a process that listens on the same addresses, if one does.
    pub(super) fn yield_to_successor(&self) {
        for socket in self.sockets().iter() {
            if let Err(error) = socket.bound.yield_to_successor() {
                tracing::debug!(%error, "new connections cannot be left to another process");
            }
        }
    }

    /// Closes the public listeners, once what waits in their queues has been accepted.
    pub(super) async fn close(&self) {
        let all: Vec<_> = self.sockets().drain(..).collect();
        let (admin, public): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|socket| socket.bound.endpoint.role == Role::Admin);
        *self.sockets() = admin;
        for Socket { bound, stop, task } in public {
            let _ = stop.send(true);
            let _ = task.await;
            drop(bound);
        }
    }

    fn accept(&self, bound: BoundSocket) -> io::Result<Socket> {
        let listener = TcpListener::from_std(bound.socket.try_clone()?)?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::clone(&self.shared);
        let task = match bound.endpoint.role {
            Role::Admin => {
                let admin = admin::Admin {
                    shared,
                    ready: Arc::clone(&self.ready),
                    wishes: self.wishes.clone(),
                };
                tokio::spawn(admin.serve(listener, stopped))
            }
            role => {
                let workers = Arc::clone(&self.workers);
                tokio::spawn(Acceptor { listener, role, shared, workers }.run(stopped))
            }
        };
        Ok(Socket { bound, stop, task })
    }

    fn sockets(&self) -> MutexGuard<'_, Vec<Socket>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
