//! Where idle connections in clear text are parked: sockets that wait for the next request, and
//! nothing else.
//!
//! A task, its place in the runtime's event queue and what serves HTTP take kilobytes; a socket with
//! what counts it as open takes a few hundred bytes. One that is parked is as it was when it had been
//! accepted, and is served again like one that has just been.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::time::Duration;

use foldhash::fast::RandomState;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use prometheus::IntGauge;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::accepted::{Accepted, OpenCount};
use super::bound::Role;
use super::connection::{LAST_REQUEST, Serving, stopped};

/// Sockets that are taken out at once.
const BATCH: usize = 64;

/// What every parked connection is: in clear text, and its PROXY header, if any, has been read.
const ROLE: Role = Role::Http { proxied: false };

/// In how many parts a second is counted for the end of a connection's time.
const TICKS: u128 = 8;

/// Ends in the queue of which the connections have left, before it is looked through.
const STALE: usize = 256;

/// What hands connections over to a worker's lot.
#[derive(Clone)]
pub(super) struct Entrance {
    queue: mpsc::UnboundedSender<Arrival>,
    /// What ticks are counted from.
    epoch: Instant,
}

struct Arrival {
    parked: Box<Parked>,
    /// Where it is not the socket's.
    peer: Option<SocketAddr>,
}

impl Entrance {
    /// Parks a connection for as long as `patience`. Without a lot it is closed, as all are when the
    /// firewall stops.
    pub(super) fn park(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        open: OpenCount,
        patience: Duration,
    ) {
        let until = tick(self.epoch, Instant::now() + patience) + 1;
        let is_own = stream.peer_addr().is_ok_and(|own| own == peer);
        let parked = Box::new(Parked { stream, until, open });
        let _ = self.queue.send(Arrival { parked, peer: (!is_own).then_some(peer) });
    }
}

/// One worker's parked connections.
pub(super) struct Lot {
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    events: AsyncFd<Queue>,
    /// Each in a place of its own: the table doubles, and has room for as many again.
    parked: HashMap<RawFd, Box<Parked>, RandomState>,
    /// Whom a proxy speaks for.
    peers: HashMap<RawFd, SocketAddr, RandomState>,
    /// By the end of their time; of those that have left as well, until they are looked for.
    ends: VecDeque<(u32, RawFd)>,
    epoch: Instant,
    idle: Option<IntGauge>,
}

/// A connection, in as few bytes as it takes: there may be very many.
struct Parked {
    stream: TcpStream,
    /// The tick at which its time is over.
    until: u32,
    open: OpenCount,
}

/// The ticks from `epoch` to `at`.
fn tick(epoch: Instant, at: Instant) -> u32 {
    let ticks = at.saturating_duration_since(epoch).as_millis() * TICKS / 1000;
    u32::try_from(ticks).unwrap_or(u32::MAX - 1)
}

/// The kernel's queue of sockets on which something happens; itself something that can be waited for.
struct Queue(Epoll);

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl Drop for Lot {
    fn drop(&mut self) {
        if let Some(idle) = &self.idle {
            idle.sub(i64::try_from(self.parked.len()).unwrap_or(i64::MAX));
        }
    }
}

impl Lot {
    /// An empty one, and its entrance.
    ///
    /// # Errors
    ///
    /// Where the system gives no event queue.
    pub(super) fn new() -> io::Result<(Entrance, Self)> {
        let (queue, arrivals) = mpsc::unbounded_channel();
        let events = Queue(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        // Deprecated for types whose descriptor changes, which this one's does not; what takes its
        // place is unsafe.
        #[allow(deprecated)]
        let events = AsyncFd::with_interest(events, Interest::READABLE)?;
        let epoch = Instant::now();
        let (parked, peers, ends) = (HashMap::default(), HashMap::default(), VecDeque::new());
        let lot = Self { arrivals, events, parked, peers, ends, epoch, idle: None };
        Ok((Entrance { queue, epoch }, lot))
    }

    /// Has each connection served once something comes on it, and closes it if nothing does. When the
    /// firewall stops, those that are there have the time for a last request, and no others come.
    pub(super) async fn keep(mut self, mut serving: Serving) {
        self.idle = Some(serving.shared.telemetry.metrics.idle_connections(ROLE.as_str()));
        let mut stopping = serving.stopping.clone();
        let mut stop = std::pin::pin!(stopped(&mut stopping, Duration::ZERO));
        let mut closes: Option<Instant> = None;
        while closes.is_none() || !self.parked.is_empty() {
            let next = self.next_end().into_iter().chain(closes).min();
            tokio::select! {
                () = &mut stop, if closes.is_none() => {
                    closes = Some(Instant::now() + LAST_REQUEST);
                    // What was on its way has its time as well.
                    while let Ok(arrival) = self.arrivals.try_recv() {
                        self.park(arrival);
                    }
                }
                Some(arrival) = self.arrivals.recv() => self.park(arrival),
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

    fn next_end(&self) -> Option<Instant> {
        let (end, _) = self.ends.front()?;
        let millis = u128::from(*end) * 1000 / TICKS;
        Some(self.epoch + Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }

    fn park(&mut self, Arrival { parked, peer }: Arrival) {
        let fd = parked.stream.as_raw_fd();
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP, fd as u64);
        // One that cannot be watched is closed.
        if self.events.get_ref().0.add(&parked.stream, event).is_err() {
            return;
        }
        // Behind all others, unless the configuration has changed.
        let place = self.ends.partition_point(|(end, _)| *end <= parked.until);
        self.ends.insert(place, (parked.until, fd));
        if let Some(peer) = peer {
            self.peers.insert(fd, peer);
        }
        self.parked.insert(fd, parked);
        self.count(1);
    }

    fn wake(&mut self, woken: &[RawFd], serving: &mut Serving) {
        for &fd in woken {
            if let Some(accepted) = self.leave(fd) {
                tokio::spawn(serving.clone().connection(accepted));
            }
        }
        if self.ends.len() > 2 * self.parked.len() + STALE {
            let parked = &self.parked;
            self.ends.retain(|(end, fd)| parked.get(fd).is_some_and(|there| there.until == *end));
        }
    }

    fn expire(&mut self) {
        let now = tick(self.epoch, Instant::now());
        while let Some(&(end, fd)) = self.ends.front()
            && end <= now
        {
            self.ends.pop_front();
            // Another may have come in its place.
            if self.parked.get(&fd).is_some_and(|parked| parked.until == end) {
                drop(self.leave(fd));
            }
        }
    }

    /// The connection, as it was when it had been accepted, unless it has no other end any more.
    fn leave(&mut self, fd: RawFd) -> Option<Accepted> {
        let Parked { stream, open, .. } = *self.parked.remove(&fd)?;
        self.count(-1);
        let peer = self.peers.remove(&fd).or_else(|| stream.peer_addr().ok());
        // It would leave the queue by being closed, but not before that.
        let _ = self.events.get_ref().0.delete(stream.as_fd());
        Some(Accepted { stream, peer: peer?, role: ROLE, open })
    }

    fn count(&self, more: i64) {
        if let Some(idle) = &self.idle {
            idle.add(more);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parked_connection_is_small() {
        assert_eq!(size_of::<Parked>(), 64);
    }
}
