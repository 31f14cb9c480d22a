//! One address of an upstream: what all workers know of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use http::uri::Authority;

use super::Purpose;
use super::health::Health;
use super::resolve::{Lookup, Resolved};
use crate::config::{self, HttpVersion};

/// An address and its state.
pub struct Endpoint {
    /// As configured.
    pub config: config::Address,
    /// Where it is.
    pub resolved: Resolved,
    /// Whether it works.
    pub health: Health,
    /// The authority of requests that name none.
    pub authority: Authority,
    /// Exchanges it has in hand.
    pub in_flight: AtomicUsize,
    version: HttpVersion,
    /// Whether it last chose HTTP/1.1.
    chose_http1: AtomicBool,
}

impl Endpoint {
    /// The address `config` of `site`'s upstream.
    pub fn new(
        config: &config::Address,
        site: &config::Site,
        authority: &Authority,
        lookup: &Lookup,
    ) -> Self {
        let health = site.upstream.health.clone();
        Self {
            resolved: Resolved::new(&config.host, config.port, Lookup::clone(lookup)),
            health: Health::new(health, &site.domain, config, Instant::now()),
            authority: authority.clone(),
            in_flight: AtomicUsize::new(0),
            version: site.upstream.version,
            chose_http1: AtomicBool::new(false),
            config: config.clone(),
        }
    }

    /// Whether a new connection may turn out to be one that several exchanges share.
    pub fn may_share(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Exchange
            && match self.version {
                HttpVersion::Http1 => false,
                HttpVersion::Http2 => true,
                HttpVersion::Auto => self.config.tls && !self.chose_http1.load(Ordering::Relaxed),
            }
    }

    /// Notes which version a new connection speaks.
    pub fn chose(&self, is_http1: bool) {
        self.chose_http1.store(is_http1, Ordering::Relaxed);
    }
}
