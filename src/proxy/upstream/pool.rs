//! One worker's connections to one address: idle ones that await an exchange, and HTTP/2
//! connections with what is in flight on them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Purpose;
use super::connect::{Http1, Http2};
use super::resolve::Resolved;
use crate::config;
use crate::telemetry::{UpstreamMetrics, UpstreamState};

/// The pool. Only its worker leases from it; a sweep for room may come from another.
#[derive(Default)]
pub struct Pool {
    connections: Mutex<Connections>,
    /// Held by the one who connects, where others can share what it makes.
    pub connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Connections {
    /// The most recently used last.
    idle: VecDeque<Exclusive>,
    shared: Vec<Shared>,
    next_id: u64,
}

/// An HTTP/1.1 connection.
pub struct Exclusive {
    /// The connection.
    pub http1: Http1,
    life: Life,
    counted: Counted,
}

/// An HTTP/2 connection.
struct Shared {
    id: u64,
    http2: Http2,
    in_flight: usize,
    /// Whether it takes no further exchange.
    is_retired: bool,
    life: Life,
    counted: Counted,
}

/// A connection for one exchange.
pub enum Carrier {
    /// A connection of its own.
    Exclusive(Exclusive),
    /// A stream on the connection with this number.
    Stream(u64, Http2),
}

/// What decides how long a connection is kept.
pub struct Life {
    born: Instant,
    used: Instant,
    peer: SocketAddr,
    /// The [`Resolved::generation`] of which the peer is known to be.
    generation: usize,
}

/// By what rules connections are kept.
pub struct Rules<'u> {
    /// As configured.
    pub config: &'u config::Pool,
    /// Where connections may lead.
    pub resolved: &'u Resolved,
    /// The time.
    pub now: Instant,
}

/// Counts a connection in the gauge of its state for as long as it lives.
pub struct Counted {
    metrics: Arc<UpstreamMetrics>,
    state: UpstreamState,
}

impl Pool {
    /// A connection that is there: with `fresh`, one that was made since it was last looked, which
    /// is HTTP/2's alone.
    pub fn reuse(&self, rules: &Rules<'_>, purpose: Purpose, fresh: bool) -> Option<Carrier> {
        let mut connections = self.lock();
        if purpose == Purpose::Exchange
            && let Some(stream) = connections.stream(rules)
        {
            return Some(stream);
        }
        if fresh {
            return None;
        }
        // The newest is the likeliest to live; what is of no use goes.
        while let Some(mut found) = connections.idle.pop_back() {
            if found.http1.is_ready() && found.life.goes_on(rules) {
                found.counted.becomes(UpstreamState::Active);
                return Some(Carrier::Exclusive(found));
            }
        }
        None
    }

    /// Takes in a new HTTP/2 connection, and leases its first stream.
    pub fn share(&self, http2: Http2, life: Life, counted: Counted) -> Carrier {
        let mut connections = self.lock();
        let id = connections.next_id;
        connections.next_id += 1;
        let stream = Carrier::Stream(id, http2.clone());
        connections.shared.push(Shared {
            id,
            http2,
            in_flight: 1,
            is_retired: false,
            life,
            counted,
        });
        stream
    }

    /// Keeps an HTTP/1.1 connection for another exchange, if it is of use for one.
    pub fn keep(&self, mut connection: Exclusive, rules: &Rules<'_>) {
        // What is still sending a request's body has been answered early, and may never end.
        if !connection.http1.is_ready() {
            return;
        }
        connection.life.used = rules.now;
        if !connection.life.goes_on(rules) {
            return;
        }
        let mut connections = self.lock();
        if connections.idle.len() < rules.config.idle_connections {
            connection.counted.becomes(UpstreamState::Idle);
            connections.idle.push_back(connection);
        }
    }

    /// A stream of the HTTP/2 connection `id` has ended.
    pub fn end_stream(&self, id: u64, rules: &Rules<'_>) {
        let mut connections = self.lock();
        let idle = connections.idle.len()
            + connections.shared.iter().filter(|shared| shared.in_flight == 0).count();
        let Some(place) = connections.shared.iter().position(|shared| shared.id == id) else {
            return;
        };
        let shared = &mut connections.shared[place];
        shared.in_flight -= 1;
        if shared.in_flight > 0 {
            return;
        }
        shared.life.used = rules.now;
        shared.counted.becomes(UpstreamState::Idle);
        if !shared.lives(rules) || idle >= rules.config.idle_connections {
            connections.shared.remove(place);
        }
    }

    /// No further exchange goes out on the HTTP/2 connection `id`.
    pub fn retire(&self, id: u64) {
        let mut connections = self.lock();
        if let Some(shared) = connections.shared.iter_mut().find(|shared| shared.id == id) {
            shared.is_retired = true;
        }
    }

    /// Closes what has waited too long, is too old, or leads where the name does not any more.
    pub fn sweep(&self, rules: &Rules<'_>) {
        let mut connections = self.lock();
        let live = |idle: &mut Exclusive| !idle.http1.is_closed() && idle.life.goes_on(rules);
        connections.idle.retain_mut(live);
        connections.shared.retain_mut(|shared| shared.lives(rules) || shared.in_flight > 0);
    }

    /// Closes the connection that has waited longest; says whether there was one.
    pub fn evict(&self) -> bool {
        let mut connections = self.lock();
        if connections.idle.pop_front().is_some() {
            return true;
        }
        let idle = connections.shared.iter().position(|shared| shared.in_flight == 0);
        idle.map(|place| connections.shared.remove(place)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// A stream on the first connection that has room: the others have a chance to become idle.
    fn stream(&mut self, rules: &Rules<'_>) -> Option<Carrier> {
        if self.shared.is_empty() {
            return None;
        }
        self.shared.retain_mut(|shared| shared.lives(rules) || shared.in_flight > 0);
        let has_room =
            |shared: &&mut Shared| !shared.is_retired && shared.http2.has_room(shared.in_flight);
        let shared = self.shared.iter_mut().find(has_room)?;
        shared.in_flight += 1;
        shared.counted.becomes(UpstreamState::Active);
        Some(Carrier::Stream(shared.id, shared.http2.clone()))
    }
}

impl Exclusive {
    /// A new connection, in an exchange's hands.
    pub fn new(http1: Http1, life: Life, counted: Counted) -> Self {
        Self { http1, life, counted }
    }
}

impl Shared {
    /// Whether it takes further exchanges; what does not will not again.
    fn lives(&mut self, rules: &Rules<'_>) -> bool {
        if self.in_flight > 0 {
            // It is not idle, whenever its last stream ended.
            self.life.used = rules.now;
        }
        self.is_retired = self.is_retired || self.http2.is_closed() || !self.life.goes_on(rules);
        !self.is_retired
    }
}

impl Life {
    /// A connection to `peer` that has just been made.
    pub fn new(peer: SocketAddr, rules: &Rules<'_>) -> Self {
        let generation = rules.resolved.generation();
        // Where the name has changed while the connection was made, the first look will tell.
        let generation = if rules.resolved.contains(peer) { generation } else { usize::MAX };
        Self { born: rules.now, used: rules.now, peer, generation }
    }

    fn goes_on(&mut self, rules: &Rules<'_>) -> bool {
        let since = |then| rules.now.saturating_duration_since(then);
        since(self.born) < rules.config.max_age
            && since(self.used) < rules.config.idle
            && self.is_current(rules.resolved)
    }

    fn is_current(&mut self, resolved: &Resolved) -> bool {
        let generation = resolved.generation();
        if self.generation != generation {
            if !resolved.contains(self.peer) {
                return false;
            }
            self.generation = generation;
        }
        true
    }
}

impl Counted {
    /// Counts a connection that carries an exchange.
    pub fn new(metrics: &Arc<UpstreamMetrics>) -> Self {
        metrics.connections(UpstreamState::Active).inc();
        Self { metrics: Arc::clone(metrics), state: UpstreamState::Active }
    }

    fn becomes(&mut self, state: UpstreamState) {
        if state != self.state {
            self.metrics.connections(self.state).dec();
            self.metrics.connections(state).inc();
            self.state = state;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.connections(self.state).dec();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proxy::upstream::resolve;

    #[test]
    fn connections_end_by_age_idleness_and_name() {
        let config = config::Pool {
            idle_connections: 1,
            idle: Duration::from_secs(5),
            max_age: Duration::from_secs(20),
            resolve: Duration::from_secs(1),
        };
        let resolved = Resolved::new("10.0.0.1", 80, resolve::system());
        let start = Instant::now();
        let rules = |seconds| Rules {
            config: &config,
            resolved: &resolved,
            now: start + Duration::from_secs(seconds),
        };
        let peer = SocketAddr::from(([10, 0, 0, 1], 80));
        let mut life = Life::new(peer, &rules(0));
        assert!(life.goes_on(&rules(4)));
        assert!(!life.goes_on(&rules(5)), "idle");
        life.used = start + Duration::from_secs(16);
        assert!(life.goes_on(&rules(19)));
        assert!(!life.goes_on(&rules(20)), "old");
        let elsewhere = SocketAddr::from(([10, 0, 0, 2], 80));
        assert!(!Life::new(elsewhere, &rules(0)).goes_on(&rules(0)), "elsewhere");
    }
}
