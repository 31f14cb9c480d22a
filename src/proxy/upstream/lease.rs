//! A connection, or a stream of one, in one exchange's hands.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::Request;
use tokio_util::either::Either;

use super::connect::Answer;
use super::{Carrier, Counted, Endpoint, Exclusive, Life, Pool, Purpose, Speaks, Upstreams};
use crate::proxy::body::RequestBody;
use crate::proxy::error::UpstreamError;

/// An exchange at one address, by one worker; counted there for as long as it lasts.
pub struct Place {
    upstreams: Arc<Upstreams>,
    worker: usize,
    endpoint: usize,
}

impl Place {
    /// Counts an exchange of `worker` at the address `endpoint`.
    pub fn new(upstreams: &Arc<Upstreams>, worker: usize, endpoint: usize) -> Self {
        let place = Self { upstreams: Arc::clone(upstreams), worker, endpoint };
        place.endpoint().in_flight.fetch_add(1, Ordering::Relaxed);
        place
    }

    /// A connection: a pooled one, unless it has to be `fresh`, or else a new one.
    ///
    /// # Errors
    ///
    /// [`UpstreamError`], where none can be made.
    pub async fn lease(
        self,
        purpose: Purpose,
        fresh: bool,
        now: Instant,
    ) -> Result<Lease, UpstreamError> {
        let rules = self.upstreams.rules(self.endpoint, now);
        if let Some(carrier) = self.pool().reuse(&rules, purpose, fresh) {
            return Ok(Lease { carrier: Some(carrier), place: self, is_reused: true });
        }
        let limit = self.upstreams.config.connect_timeout;
        // In a place of its own: an exchange is as large as the largest thing it ever waits for, and
        // few connect.
        let connect = Box::pin(self.connect_or_share(purpose));
        let connect = tokio::time::timeout(limit, connect);
        let (carrier, is_reused) = connect.await.map_err(|_| UpstreamError::ConnectTimeout)??;
        Ok(Lease { carrier: Some(carrier), place: self, is_reused })
    }

    /// Where a new connection may be one for many, one exchange connects and the others wait.
    async fn connect_or_share(&self, purpose: Purpose) -> Result<(Carrier, bool), UpstreamError> {
        let mut turn = None;
        if self.endpoint().may_share(purpose) {
            turn = Some(self.pool().connecting.lock().await);
            let rules = self.upstreams.rules(self.endpoint, Instant::now());
            if let Some(carrier) = self.pool().reuse(&rules, purpose, true) {
                return Ok((carrier, true));
            }
        }
        // The one before may have found out that there is nothing to wait for.
        let _turn = turn.filter(|_| self.endpoint().may_share(purpose));
        Ok((self.connect(purpose).await?, false))
    }

    async fn connect(&self, purpose: Purpose) -> Result<Carrier, UpstreamError> {
        let upstreams = &self.upstreams;
        let slot = upstreams.slot(self.worker).await?;
        let limit = upstreams.config.connect_timeout;
        let endpoint = self.endpoint();
        let made = upstreams.connector.connect(endpoint, purpose, Some(slot), limit).await?;
        let life = Life::new(made.peer, &upstreams.rules(self.endpoint, Instant::now()));
        let counted = Counted::new(&upstreams.metrics);
        if purpose == Purpose::Exchange {
            endpoint.chose(matches!(made.speaks, Speaks::Http1(_)));
        }
        Ok(match made.speaks {
            Speaks::Http1(http1) => Carrier::Exclusive(Exclusive::new(http1, life, counted)),
            Speaks::Http2(http2) => self.pool().share(http2, life, counted),
        })
    }

    fn endpoint(&self) -> &Endpoint {
        &self.upstreams.endpoints[self.endpoint]
    }

    fn pool(&self) -> &Pool {
        &self.upstreams.pools[self.worker][self.endpoint]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.endpoint().in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection in one exchange's hands. Dropped, an HTTP/1.1 connection closes; of an HTTP/2
/// connection it is the stream alone that ends.
pub struct Lease {
    /// `None` once it is back in the pool.
    carrier: Option<Carrier>,
    place: Place,
    is_reused: bool,
}

impl Lease {
    /// The place of the address among the upstream's.
    pub fn endpoint(&self) -> usize {
        self.place.endpoint
    }

    /// Whether the connection has served before, and the upstream may have closed it meanwhile.
    pub fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Sends a request; the head of the response is to be waited for.
    pub fn send(&mut self, request: Request<RequestBody>) -> impl Future<Output = Answer> + use<> {
        match self.carrier.as_mut().expect("a lease holds its connection") {
            Carrier::Exclusive(connection) => Either::Left(connection.http1.send(request)),
            Carrier::Stream(_, http2) => Either::Right(http2.send(request)),
        }
    }

    /// The address has answered.
    pub fn succeeded(&self) {
        self.place.endpoint().health.succeeded();
    }

    /// The address has failed the exchange.
    pub fn failed(&self) {
        self.place.endpoint().health.failed(Instant::now());
    }

    /// Counts that the exchange is tried again.
    pub fn count_retry(&self) {
        self.place.upstreams.metrics.retries.inc();
    }

    /// Lets no further exchange use the connection.
    pub fn retire(&self) {
        // HTTP/1.1's is not in the pool, and closes with this lease.
        if let Some(Carrier::Stream(id, _)) = &self.carrier {
            self.place.pool().retire(*id);
        }
    }

    /// The `Set-Cookie` values that the parser dropped; HTTP/2 has none that it would.
    pub fn set_aside(&self) -> Vec<Box<[u8]>> {
        match &self.carrier {
            Some(Carrier::Exclusive(connection)) => connection.http1.set_aside(),
            _ => Vec::new(),
        }
    }

    /// Gives the connection back for another exchange, of which this is the end: `now`.
    pub fn release(mut self, now: Instant) {
        if let Some(Carrier::Exclusive(_)) = &self.carrier
            && let Some(Carrier::Exclusive(connection)) = self.carrier.take()
        {
            let rules = self.place.upstreams.rules(self.place.endpoint, now);
            self.place.pool().keep(connection, &rules);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(Carrier::Stream(id, http2)) = &self.carrier {
            // What has been answered before its body was taken may never be: the stream stays, and
            // the upstream counts it.
            if http2.is_sending() {
                self.retire();
            }
            let rules = self.place.upstreams.rules(self.place.endpoint, Instant::now());
            self.place.pool().end_stream(*id, &rules);
        }
    }
}
