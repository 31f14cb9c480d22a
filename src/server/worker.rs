//! One thread that serves connections.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Shared;
use super::accepted::Accepted;
use super::connection::Serving;
use super::lot::{Entrance, Lot};
use crate::proxy::Worker;

/// How often idle upstream connections are looked through: their limits are whole seconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Tasks that are run before the sockets are asked again, while there are any. What came together is
/// so taken a step further together: the same code runs for one connection after the other, and what an
/// upstream is sent finds it awake. Each takes microseconds, so that a socket waits a few milliseconds
/// at most.
const TURNS: u32 = 256;

/// The main thread's hold on a worker.
pub(super) struct Handle {
    queue: mpsc::UnboundedSender<Job>,
    load: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
}

/// What a worker is told.
enum Job {
    Serve(Box<Accepted>),
    /// No connection comes after this.
    End,
}

impl Handle {
    /// The connections that the worker serves.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(super) fn hand_over(&self, accepted: Accepted) {
        let accepted = accepted.counted(Load::new(&self.load));
        // A worker that is gone is being shut down; the connection is closed.
        let _ = self.queue.send(Job::Serve(Box::new(accepted)));
    }

    /// Tells the worker's connections to close, once they have answered.
    pub(super) fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Tells the worker that no connection comes any more.
    pub(super) fn end(&self) {
        let _ = self.queue.send(Job::End);
    }

    /// Waits until the worker has closed every connection.
    pub(super) async fn finished(&self) {
        self.stop.closed().await;
    }
}

/// One of a worker's connections, until it is dropped.
#[derive(Debug)]
pub(super) struct Load(Arc<AtomicUsize>);

impl Load {
    fn new(load: &Arc<AtomicUsize>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts a worker.
///
/// # Errors
///
/// Where the system gives no thread or no event queue.
pub(super) fn spawn(index: usize, shared: Arc<Shared>) -> io::Result<Handle> {
    let (sender, queue) = mpsc::unbounded_channel();
    let (stop, stopping) = watch::channel(false);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().event_interval(TURNS).build()?;
    let worker = Worker::new(index);
    let lot = {
        let _in_runtime = runtime.enter();
        Lot::new()?
    };
    std::thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || runtime.block_on(run(worker, shared, queue, lot, stopping)))?;
    Ok(Handle { queue: sender, load: Arc::default(), stop })
}

/// Serves what comes out of `queue` until it ends and nothing is left.
async fn run(
    worker: Worker,
    shared: Arc<Shared>,
    mut queue: mpsc::UnboundedReceiver<Job>,
    (entrance, lot): (Entrance, Lot),
    stopping: watch::Receiver<bool>,
) {
    // Each connection holds a sender; the receiver ends with the last.
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    let serving = Serving::new(worker, Arc::clone(&shared), stopping, entrance, alive);
    tokio::spawn(lot.keep(serving.clone()));
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            job = queue.recv() => match job {
                Some(Job::Serve(accepted)) => {
                    tokio::spawn(serving.clone().connection(*accepted));
                }
                Some(Job::End) | None => break,
            },
            _ = sweep.tick() => worker.sweep(&shared.gateway()),
        }
    }
    drop((queue, serving));
    let _ = all_gone.recv().await;
}
