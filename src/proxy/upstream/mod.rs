//! Connections to upstreams: which address, which connection, and what becomes of it afterwards.
//!
//! [`Upstreams`] is one site's upstream, shared by all workers and, where the configuration of the
//! upstream stays the same, by the configurations that follow each other. Pools belong to one worker
//! each, whose exchanges and connections all run on one thread: handing a connection over wakes
//! nobody elsewhere.

mod attempts;
mod balance;
mod check;
mod connect;
mod endpoint;
mod form;
mod health;
mod lease;
mod pool;
mod resolve;
mod transport;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::HeaderValue;
use http::uri::Authority;
use smallvec::SmallVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

pub use attempts::Attempts;
pub use lease::Lease;

use super::error::UpstreamError;
use crate::config::{self, HttpVersion};
use crate::telemetry::{AddressMetrics, Metrics, UpstreamMetrics};
use balance::{Balance, Candidate};
use connect::{Connector, Speaks};
use endpoint::Endpoint;
use lease::Place;
use pool::{Carrier, Counted, Exclusive, Life, Pool, Rules};
use resolve::Lookup;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A request and its response.
    Exchange,
    /// An exchange that may turn the connection into a tunnel, which HTTP/1.1 alone can.
    Upgrade,
}

/// One site's upstream at work.
pub struct Upstreams {
    config: config::Upstream,
    domain: Box<str>,
    /// The `Host` of health checks.
    host: HeaderValue,
    endpoints: Box<[Endpoint]>,
    /// By worker, then by address.
    pools: Box<[Box<[Pool]>]>,
    connector: Connector,
    balance: Balance,
    /// A permit for each connection that may be open.
    slots: Arc<Semaphore>,
    metrics: Arc<UpstreamMetrics>,
}

impl Upstreams {
    /// The upstream of `site`, with pools for this many workers.
    #[must_use]
    pub fn new(site: &config::Site, workers: usize, metrics: &Metrics) -> Arc<Self> {
        Self::resolving(site, workers, metrics, &resolve::system())
    }

    /// As [`Upstreams::new`], with a resolver.
    fn resolving(
        site: &config::Site,
        workers: usize,
        metrics: &Metrics,
        lookup: &Lookup,
    ) -> Arc<Self> {
        let config = &site.upstream;
        let (host, authority) = names(site);
        let endpoint = |address| Endpoint::new(address, site, &authority, lookup);
        let pools = || config.addresses.iter().map(|_| Pool::default()).collect();
        Arc::new(Self {
            domain: site.domain.clone(),
            host,
            endpoints: config.addresses.iter().map(endpoint).collect(),
            pools: (0..workers).map(|_| pools()).collect(),
            connector: Connector::new(config),
            balance: Balance::new(config.balance, config.addresses.len()),
            slots: Arc::new(Semaphore::new(config.connections)),
            metrics: Arc::new(UpstreamMetrics::new(metrics, &site.domain)),
            config: config.clone(),
        })
    }

    /// Whether this is `site`'s upstream too, as after a reload that changed something else.
    #[must_use]
    pub fn fits(&self, site: &config::Site) -> bool {
        self.domain == site.domain && self.config == site.upstream
    }

    /// Whether an exchange would find an address that works, as far as is known; while an address
    /// has not been checked that is to be, nothing is.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let now = Instant::now();
        self.endpoints.iter().all(|endpoint| endpoint.health.is_known())
            && self.endpoints.iter().any(|endpoint| endpoint.health.is_up(now))
    }

    /// The site and the addresses, as the series of their health have them.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, &str)> {
        self.endpoints.iter().map(|endpoint| (&*self.domain, endpoint.health.address()))
    }

    /// Shows the health of each address from now on. Until then it is prepared and not in use, and
    /// the one before it is shown.
    pub fn show(&self, metrics: &Metrics) {
        for endpoint in &self.endpoints {
            let metrics = AddressMetrics::new(metrics, &self.domain, endpoint.health.address());
            endpoint.health.show_in(Some(metrics), Instant::now());
        }
    }

    /// Shows the health of no address any more, whatever exchanges that are in flight still meet.
    pub fn hide(&self) {
        for endpoint in &self.endpoints {
            endpoint.health.show_in(None, Instant::now());
        }
    }

    /// Resolves names and checks health until it is dropped.
    pub async fn watch(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        for index in 0..self.endpoints.len() {
            let upstreams = Arc::clone(&self);
            tasks.spawn(async move {
                let resolved = &upstreams.endpoints[index].resolved;
                resolved.keep_fresh(upstreams.config.pool.resolve).await;
            });
            let upstreams = Arc::clone(&self);
            tasks.spawn(async move { upstreams.endpoints[index].health.announce_returns().await });
            let upstreams = Arc::clone(&self);
            tasks.spawn(async move { upstreams.keep_checking(index).await });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// How often a request may be sent again.
    pub(super) fn retries(&self) -> usize {
        self.config.retries
    }

    /// A connection for one exchange of a worker. Where none can be made to an address, the next
    /// one is tried, for as long as `attempts` has any left. It is asked for `now`.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`], where none can be made.
    pub(super) async fn lease(
        self: &Arc<Self>,
        worker: usize,
        attempts: &mut Attempts,
        now: Instant,
    ) -> Result<Lease, UpstreamError> {
        if attempts.purpose() == Purpose::Upgrade && self.config.version == HttpVersion::Http2 {
            let error = "an upgrade, and HTTP/2 is configured, which has none";
            return Err(UpstreamError::Protocol(error.into()));
        }
        let mut failure = None;
        while let Some((endpoint, fresh)) = self.next(attempts) {
            let place = Place::new(self, worker, endpoint);
            let error = match place.lease(attempts.purpose(), fresh, now).await {
                Ok(lease) => return Ok(lease),
                // That is the site's limit, whatever the address.
                Err(UpstreamError::Overloaded) => return Err(UpstreamError::Overloaded),
                Err(error) => error,
            };
            self.endpoints[endpoint].health.failed(Instant::now());
            tracing::debug!(site = %self.domain, upstream = %self.endpoints[endpoint].config, %error, "no connection");
            failure = Some(error);
            if !attempts.next_after_unreachable(endpoint, self.endpoints.len()) {
                break;
            }
            self.metrics.retries.inc();
        }
        let none = || UpstreamError::Connect(std::io::Error::other("no address is left to try"));
        Err(failure.unwrap_or_else(none))
    }

    /// Closes a worker's connections that have waited too long.
    pub(super) fn sweep(&self, worker: usize) {
        let now = Instant::now();
        for endpoint in 0..self.endpoints.len() {
            self.pools[worker][endpoint].sweep(&self.rules(endpoint, now));
        }
    }

    /// The address to use, and whether pooled connections to it are to be left alone.
    fn next(&self, attempts: &mut Attempts) -> Option<(usize, bool)> {
        if let Some(endpoint) = attempts.take_same() {
            return Some((endpoint, true));
        }
        if self.endpoints.len() == 1 {
            return (!attempts.is_unreachable(0)).then_some((0, false));
        }
        let now = Instant::now();
        let candidates = |is_tried: &dyn Fn(usize) -> bool| -> SmallVec<[Candidate; 8]> {
            let candidate = |(index, endpoint): (usize, &Endpoint)| {
                let load = endpoint.in_flight.load(Ordering::Relaxed);
                let is_up = endpoint.health.takes(load, now);
                let weight = endpoint.config.weight;
                Candidate { weight, load, is_up, is_tried: is_tried(index) }
            };
            self.endpoints.iter().enumerate().map(candidate).collect()
        };
        let choose = |candidates: &[Candidate]| {
            self.balance.choose(candidates, |below| fastrand::u32(..below))
        };
        choose(&candidates(&|index| attempts.has_failed(index)))
            // One that closed without an answer may do better the next time.
            .or_else(|| choose(&candidates(&|index| attempts.is_unreachable(index))))
            .map(|endpoint| (endpoint, false))
    }

    /// One of the connections that the site may have open. Where all are, one that is idle makes
    /// room, whoever's it is.
    async fn slot(&self, worker: usize) -> Result<OwnedSemaphorePermit, UpstreamError> {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(slot);
        }
        if !self.evict(worker) {
            return Err(UpstreamError::Overloaded);
        }
        // The socket closes a moment later. The wait ends before that for the connection does, so
        // that the site's limit is not taken for the address's fault.
        let slot = Arc::clone(&self.slots).acquire_owned();
        let slot = tokio::time::timeout(self.config.connect_timeout / 2, slot).await;
        slot.ok().and_then(Result::ok).ok_or(UpstreamError::Overloaded)
    }

    /// Closes an idle connection, of `worker` if it has one; says whether there was one.
    fn evict(&self, worker: usize) -> bool {
        let own = self.pools.get(worker).into_iter();
        own.chain(&self.pools).flatten().any(Pool::evict)
    }

    fn rules(&self, endpoint: usize, now: Instant) -> Rules<'_> {
        let resolved = &self.endpoints[endpoint].resolved;
        Rules { config: &self.config.pool, resolved, now }
    }
}

/// The host that requests without one are for, as a field and as an authority: what the upstream is
/// configured to be called, or the site.
fn names(site: &config::Site) -> (HeaderValue, Authority) {
    let domain = || HeaderValue::from_str(&site.domain).ok();
    let host = site.upstream.host.clone().or_else(domain);
    let host = host.unwrap_or(HeaderValue::from_static("localhost"));
    let authority = Authority::try_from(host.as_bytes());
    (host, authority.unwrap_or(Authority::from_static("localhost")))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::Path;
    use std::sync::Mutex;

    use http::Request;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::proxy::body::RequestBody;
    use crate::telemetry::UpstreamState;

    /// The upstream of a site with these lines, whose names are what `addresses` says at the time.
    fn upstreams(lines: &str, addresses: &Arc<Mutex<Vec<SocketAddr>>>) -> Arc<Upstreams> {
        let text = format!("domain = \"portal.example\"\n{lines}");
        let site = config::site_from_str(Path::new("site.toml"), &text);
        let site = site.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let addresses = Arc::clone(addresses);
        let lookup: Lookup = Arc::new(move |_, _| {
            let found = addresses.lock().expect("no panic").clone();
            Box::pin(async move { io::Result::Ok(found) })
        });
        Upstreams::resolving(&site, 1, &Metrics::new(), &lookup)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }

    async fn listener(ip: [u8; 4], port: u16) -> TcpListener {
        let address = SocketAddr::from((Ipv4Addr::from(ip), port));
        TcpListener::bind(address).await.expect("a free port")
    }

    /// One exchange with whoever listens; says whether the connection had served before.
    async fn exchange(upstreams: &Arc<Upstreams>, origin: &TcpListener) -> bool {
        let mut attempts = Attempts::new(Purpose::Exchange, 0);
        let mut lease =
            upstreams.lease(0, &mut attempts, Instant::now()).await.expect("a connection");
        let is_reused = lease.is_reused();
        if !is_reused {
            let (mut stream, _) = origin.accept().await.expect("a connection");
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while stream.read(&mut buffer).await.is_ok_and(|size| size > 0) {
                    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
                    stream.write_all(answer).await.expect("a client");
                }
            });
        }
        let answer = lease.send(Request::new(RequestBody::none())).await.ok().expect("an answer");
        assert_eq!(answer.status(), 204);
        lease.release(Instant::now());
        is_reused
    }

    #[test]
    fn connections_follow_the_name() {
        block_on(async {
            let first = listener([127, 0, 0, 1], 0).await;
            let at_first = first.local_addr().expect("bound");
            let second = listener([127, 0, 0, 2], 0).await;
            let addresses = Arc::new(Mutex::new(vec![at_first]));
            let upstreams = upstreams("upstream = \"http://portal.internal\"\n", &addresses);
            assert!(!exchange(&upstreams, &first).await);
            assert!(exchange(&upstreams, &first).await);
            // One more address leaves the connection alone, the loss of its own does not.
            let later = second.local_addr().expect("bound");
            addresses.lock().expect("no panic").push(later);
            upstreams.endpoints[0].resolved.refresh().await.expect("resolved");
            assert!(exchange(&upstreams, &first).await);
            addresses.lock().expect("no panic").remove(0);
            upstreams.endpoints[0].resolved.refresh().await.expect("resolved");
            assert!(!exchange(&upstreams, &second).await);
            assert_eq!(upstreams.metrics.connections(UpstreamState::Idle).get(), 1);
        });
    }

    #[test]
    fn an_address_that_is_gone_is_passed_over() {
        block_on(async {
            let gone = listener([127, 0, 0, 2], 0).await;
            let refuses = gone.local_addr().expect("bound");
            drop(gone);
            let origin = listener([127, 0, 0, 1], 0).await;
            let works = origin.local_addr().expect("bound");
            for order in [[refuses, works], [works, refuses]] {
                let addresses = Arc::new(Mutex::new(order.to_vec()));
                let upstreams = upstreams("upstream = \"http://portal.internal\"\n", &addresses);
                assert!(!exchange(&upstreams, &origin).await);
            }
        });
    }

    #[test]
    fn an_upgrade_turns_its_connection_into_a_tunnel() {
        block_on(async {
            let origin = listener([127, 0, 0, 1], 0).await;
            let url = format!("http://{}", origin.local_addr().expect("bound"));
            let lines = format!("upstream = {url:?}\nupstream_connections = 1\n");
            let upstreams = upstreams(&lines, &Arc::default());
            let mut attempts = Attempts::new(Purpose::Upgrade, 0);
            let mut lease =
                upstreams.lease(0, &mut attempts, Instant::now()).await.expect("a connection");
            let (mut stream, _) = origin.accept().await.expect("a connection");
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                assert!(stream.read(&mut buffer).await.expect("a request") > 0);
                let switch = b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
                stream.write_all(switch).await.expect("a client");
                let size = stream.read(&mut buffer).await.expect("a message");
                stream.write_all(&buffer[..size]).await.expect("a client");
            });
            let request = Request::get("/").header("connection", "upgrade").header("upgrade", "x");
            let request = request.body(RequestBody::none()).expect("a request");
            let response = lease.send(request).await.ok().expect("an answer");
            assert_eq!(response.status(), 101);
            let tunnel = hyper::upgrade::on(response).await.expect("a tunnel");
            let mut tunnel = TokioIo::new(tunnel);
            tunnel.write_all(b"ping").await.expect("an origin");
            let mut echo = [0; 4];
            tunnel.read_exact(&mut echo).await.expect("an echo");
            assert_eq!(&echo, b"ping");
            // The tunnel is a connection like any other, and no pool has it.
            assert_eq!(upstreams.metrics.connections(UpstreamState::Active).get(), 1);
            lease.release(Instant::now());
            assert_eq!(upstreams.metrics.connections(UpstreamState::Idle).get(), 0);
            assert_eq!(upstreams.slots.available_permits(), 0);
            drop(tunnel);
            assert_eq!(upstreams.slots.available_permits(), 1);
        });
    }

    #[test]
    fn http_2_alone_has_no_upgrade() {
        let lines = "upstream = \"http://127.0.0.1:1\"\nupstream_http = \"2\"\n";
        let upstreams = upstreams(lines, &Arc::default());
        let mut attempts = Attempts::new(Purpose::Upgrade, 0);
        let lease = block_on(upstreams.lease(0, &mut attempts, Instant::now()));
        assert!(matches!(lease, Err(UpstreamError::Protocol(_))));
    }

    #[test]
    fn what_stays_the_same_can_be_carried_over() {
        let site = |text: &str| {
            let text = format!("domain = \"portal.example\"\nupstream = \"http://a\"\n{text}");
            let site = config::site_from_str(Path::new("site.toml"), &text);
            site.unwrap_or_else(|mistakes| panic!("{mistakes}"))
        };
        let upstreams = Upstreams::new(&site(""), 1, &Metrics::new());
        assert!(upstreams.fits(&site("mode = \"report\"\n")));
        assert!(!upstreams.fits(&site("retries = 1\n")));
    }
}
