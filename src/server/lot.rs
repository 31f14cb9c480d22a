//! Where idle connections in clear text are parked: sockets that wait for the next request, and
//! nothing else.
//!
//! A task, its place in the runtime's event queue and what serves HTTP take kilobytes; a socket with
//! what counts it as open takes a few hundred bytes. One that is parked is as it was when it had been
//! accepted, and is served again like one that has just been.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::time::Duration;

use foldhash::fast::RandomState;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use prometheus::IntGauge;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::accepted::Accepted;
use super::connection::{LAST_REQUEST, Serving, stopped};

/// Sockets that are taken out at once.
const BATCH: usize = 64;

/// What hands connections over to a worker's lot.
#[derive(Clone)]
pub(super) struct Entrance(mpsc::UnboundedSender<Box<Parked>>);

impl Entrance {
    /// Parks a connection for as long as `patience`; it is counted as idle meanwhile. Without a lot it
    /// is closed, as all are when the firewall stops.
    pub(super) fn park(&self, accepted: Accepted, patience: Duration, idle: &IntGauge) {
        let until = Instant::now() + patience;
        let _ = self.0.send(Box::new(Parked { accepted, until, _idle: Idle::new(idle) }));
    }
}

/// One worker's parked connections.
pub(super) struct Lot {
    arrivals: mpsc::UnboundedReceiver<Box<Parked>>,
    events: AsyncFd<Queue>,
    /// Each in a place of its own: the table doubles, and has room for as many again.
    parked: HashMap<RawFd, Box<Parked>, RandomState>,
    /// By the end of their time.
    ends: BTreeSet<(Instant, RawFd)>,
}

struct Parked {
    accepted: Accepted,
    until: Instant,
    _idle: Idle,
}

/// The kernel's queue of sockets on which something happens; itself something that can be waited for.
struct Queue(Epoll);

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl Lot {
    /// An empty one, and its entrance.
    ///
    /// # Errors
    ///
    /// Where the system gives no event queue.
    pub(super) fn new() -> io::Result<(Entrance, Self)> {
        let (entrance, arrivals) = mpsc::unbounded_channel();
        let queue = Queue(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        // Deprecated for types whose descriptor changes, which this one's does not; what takes its
        // place is unsafe.
        #[allow(deprecated)]
        let events = AsyncFd::with_interest(queue, Interest::READABLE)?;
        let lot = Self { arrivals, events, parked: HashMap::default(), ends: BTreeSet::new() };
        Ok((Entrance(entrance), lot))
    }

    /// Has each connection served once something comes on it, and closes it if nothing does. When the
    /// firewall stops, those that are there have the time for a last request, and no others come.
    pub(super) async fn keep(mut self, mut serving: Serving) {
        let mut stopping = serving.stopping.clone();
        let mut stop = std::pin::pin!(stopped(&mut stopping, Duration::ZERO));
        let mut closes: Option<Instant> = None;
        while closes.is_none() || !self.parked.is_empty() {
            let next_end = self.ends.first().map(|(end, _)| *end);
            let next = next_end.into_iter().chain(closes).min();
            tokio::select! {
                () = &mut stop, if closes.is_none() => closes = Some(Instant::now() + LAST_REQUEST),
                Some(parked) = self.arrivals.recv() => self.park(parked),
                ready = self.events.readable() => {
                    let Ok(mut ready) = ready else { return };
                    let woken = ready.get_inner().woken();
                    if woken.len() < BATCH {
                        ready.clear_ready();
                    }
                    self.wake(&woken, &mut serving);
                }
                () = tokio::time::sleep_until(next.unwrap_or_else(far_away)) => {
                    if closes.is_some_and(|closes| closes <= Instant::now()) {
                        return;
                    }
                    self.expire();
                }
            }
        }
    }

    fn park(&mut self, parked: Box<Parked>) {
        let stream = &parked.accepted.stream;
        let fd = stream.as_raw_fd();
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP, fd as u64);
        // One that cannot be watched is closed.
        if self.events.get_ref().0.add(stream, event).is_ok() {
            self.ends.insert((parked.until, fd));
            self.parked.insert(fd, parked);
        }
    }

    fn wake(&mut self, woken: &[RawFd], serving: &mut Serving) {
        for &fd in woken {
            if let Some(parked) = self.leave(fd) {
                tokio::spawn(serving.clone().connection(parked.accepted));
            }
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        while let Some(&(end, fd)) = self.ends.first()
            && end <= now
        {
            drop(self.leave(fd));
        }
    }

    fn leave(&mut self, fd: RawFd) -> Option<Box<Parked>> {
        let parked = self.parked.remove(&fd)?;
        self.ends.remove(&(parked.until, fd));
        // It would leave the queue by being closed, but not before that.
        let _ = self.events.get_ref().0.delete(parked.accepted.stream.as_fd());
        Some(parked)
    }
}

impl Queue {
    /// The sockets on which something has happened, a batch at most.
    fn woken(&self) -> Vec<RawFd> {
        let mut events = [EpollEvent::empty(); BATCH];
        let count = self.0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        events[..count].iter().filter_map(|event| RawFd::try_from(event.data()).ok()).collect()
    }
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

/// A connection that is counted as idle until this is dropped.
pub(super) struct Idle(IntGauge);

impl Idle {
    pub(super) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.dec();
    }
}
