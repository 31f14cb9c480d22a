//! Whether an address is believed to work: what exchanges say (passive), and what checks say.
//!
//! State alone, with the time handed in; `check.rs` asks, and the exchanges report what they met.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::config;
use crate::telemetry::AddressMetrics;

/// The health of one address.
pub struct Health {
    config: config::Health,
    /// Who it is, in the log and the metrics.
    site: Box<str>,
    address: Box<str>,
    /// Where it is shown, while it is that of an address in use. What comes before and after an
    /// upstream has the same series.
    metrics: Mutex<Option<AddressMetrics>>,
    /// What times are counted from.
    epoch: Instant,
    /// Failed exchanges in a row.
    failures: AtomicU32,
    /// Milliseconds after `epoch`; 0 where nothing was ejected.
    ejected_until: AtomicU64,
    /// Whether it was ejected and no exchange has succeeded since.
    on_probation: AtomicBool,
    /// Rung at each ejection.
    ejected: Notify,
    /// Whether checks, if there are any, have had an answer yet.
    is_known: AtomicBool,
    is_down: AtomicBool,
    /// Checks in a row that speak against `is_down`.
    contrary: AtomicU32,
}

impl Health {
    /// The health of `address`, of which nothing bad is known.
    pub fn new(
        config: config::Health,
        site: &str,
        address: &config::Address,
        now: Instant,
    ) -> Self {
        Self {
            is_known: AtomicBool::new(config.path.is_none()),
            config,
            site: site.into(),
            address: address.to_string().into(),
            metrics: Mutex::new(None),
            epoch: now,
            failures: AtomicU32::new(0),
            ejected_until: AtomicU64::new(0),
            on_probation: AtomicBool::new(false),
            ejected: Notify::new(),
            is_down: AtomicBool::new(false),
            contrary: AtomicU32::new(0),
        }
    }

    /// The address, as the series of its health have it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Shows it in `metrics` from now on, or nowhere any more.
    pub fn show_in(&self, metrics: Option<AddressMetrics>, now: Instant) {
        *self.metrics.lock().unwrap_or_else(PoisonError::into_inner) = metrics;
        self.show(now, |_| {});
    }

    /// Whether checks, where there are any, have been answered once.
    pub fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Whether the address is neither ejected nor down by its checks.
    pub fn is_up(&self, now: Instant) -> bool {
        !self.is_down.load(Ordering::Relaxed) && self.ejection_left(now).is_none()
    }

    /// Whether the address may be given an exchange beside `in_flight` others. After an ejection
    /// they are one at a time until one succeeds.
    pub fn takes(&self, in_flight: usize, now: Instant) -> bool {
        self.is_up(now) && (in_flight == 0 || !self.on_probation.load(Ordering::Relaxed))
    }

    /// An exchange was answered, with whatever status.
    pub fn succeeded(&self) {
        // Nearly always so; a read costs the other cores less than a write.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.on_probation.load(Ordering::Relaxed) {
            self.on_probation.store(false, Ordering::Relaxed);
        }
    }

    /// An exchange failed through the address's fault. Enough of these in a row eject it, as does
    /// the first after an ejection.
    pub fn failed(&self, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let enough = failures >= self.config.eject_after;
        let on_probation = self.on_probation.load(Ordering::Relaxed);
        let before = self.ejected_until.load(Ordering::Relaxed);
        if (enough || on_probation) && self.left_of(before, now).is_none() {
            self.eject(before, now);
        }
    }

    /// Ejects the address, which was so until `before`. Of several exchanges that fail at the same
    /// time, one does.
    fn eject(&self, before: u64, now: Instant) {
        let until = self.millis(now + self.config.eject_for).max(1);
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.ejected_until.compare_exchange(before, until, success, failure).is_err() {
            return;
        }
        self.on_probation.store(true, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.show(now, |metrics| metrics.ejections.inc());
        let time = self.config.eject_for;
        tracing::warn!(site = %self.site, upstream = %self.address, ?time, "ejected after failures in a row");
        self.ejected.notify_one();
    }

    fn ejection_left(&self, now: Instant) -> Option<Duration> {
        self.left_of(self.ejected_until.load(Ordering::Relaxed), now)
    }

    fn left_of(&self, until: u64, now: Instant) -> Option<Duration> {
        // Nearly always so; the clock's arithmetic is not worth it.
        if until == 0 {
            return None;
        }
        let left = until.checked_sub(self.millis(now)).filter(|left| *left > 0)?;
        Some(Duration::from_millis(left))
    }

    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Says for ever when an ejection is over: nothing else happens at that time.
    pub async fn announce_returns(&self) {
        loop {
            self.ejected.notified().await;
            while let Some(left) = self.ejection_left(Instant::now()) {
                tokio::time::sleep(left).await;
            }
            self.show(Instant::now(), |_| {});
            tracing::info!(site = %self.site, upstream = %self.address, "may be tried again");
        }
    }

    /// A check was answered. The first decides on its own, as nothing is known before it.
    pub fn checked(&self, is_good: bool, now: Instant) {
        let is_down = self.is_down.load(Ordering::Relaxed);
        let is_first = !self.is_known();
        let needed = if is_good { self.config.healthy_after } else { self.config.unhealthy_after };
        if is_good != is_down {
            self.contrary.store(0, Ordering::Relaxed);
        } else if self.contrary.fetch_add(1, Ordering::Relaxed) + 1 >= needed || is_first {
            self.contrary.store(0, Ordering::Relaxed);
            self.turn(!is_down);
        }
        self.is_known.store(true, Ordering::Relaxed);
        self.show(
            now,
            |metrics| {
                if is_good { metrics.good_checks.inc() } else { metrics.bad_checks.inc() }
            },
        );
    }

    fn turn(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
        if is_down {
            tracing::warn!(site = %self.site, upstream = %self.address, "down, by its health checks");
        } else {
            tracing::info!(site = %self.site, upstream = %self.address, "up again, by its health checks");
        }
    }

    /// Shows how it is, and counts what has happened, if it is shown anywhere.
    fn show(&self, now: Instant, count: impl FnOnce(&AddressMetrics)) {
        // Looked at while it is held, so that what is seen last is shown last.
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = &*metrics {
            metrics.up.set(i64::from(self.is_up(now)));
            count(metrics);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn health(path: Option<&'static str>, now: Instant) -> Health {
        let config = config::Health {
            path: path.map(http::uri::PathAndQuery::from_static),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_after: 2,
            unhealthy_after: 3,
            eject_after: 2,
            eject_for: Duration::from_secs(10),
        };
        let address = config::Address { tls: false, host: "a".into(), port: 1, weight: 1 };
        let health = Health::new(config, "site", &address, now);
        health.show_in(Some(AddressMetrics::new(&Metrics::new(), "site", "a:1")), now);
        health
    }

    /// What `metric` is of the address.
    fn shown<T>(health: &Health, metric: impl FnOnce(&AddressMetrics) -> T) -> T {
        metric(health.metrics.lock().expect("no panic").as_ref().expect("it is shown"))
    }

    #[test]
    fn failures_in_a_row_eject_for_a_while() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let health = health(None, start);
        health.failed(start);
        health.succeeded();
        health.failed(start);
        assert!(health.takes(5, start), "not in a row");
        health.failed(start);
        assert!(!health.is_up(start) && !health.is_up(after(9)));
        assert_eq!(shown(&health, |m| m.up.get()), 0);
        // What was in flight fails too, and does not make it longer.
        health.failed(after(5));
        assert!(health.is_up(after(10)));
        assert_eq!(shown(&health, |m| m.ejections.get()), 1);
    }

    #[test]
    fn exchanges_that_fail_at_the_same_time_eject_once() {
        let start = Instant::now();
        let health = health(None, start);
        health.failed(start);
        health.failed(start);
        // One more of those has seen, before, that the address was not ejected.
        health.eject(0, start);
        assert_eq!(shown(&health, |m| m.ejections.get()), 1);
    }

    #[test]
    fn what_is_no_longer_in_use_is_no_longer_shown() {
        let start = Instant::now();
        let old = health(None, start);
        let up = shown(&old, |m| m.up.clone());
        old.show_in(None, start);
        old.failed(start);
        old.failed(start);
        assert!(!old.is_up(start));
        assert_eq!(up.get(), 1, "the series is another upstream's now");
    }

    #[test]
    fn an_address_that_comes_back_is_tried_by_one_exchange() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let health = health(None, start);
        health.failed(start);
        health.failed(start);
        assert!(health.takes(0, after(10)) && !health.takes(1, after(10)));
        health.failed(after(10));
        assert!(!health.is_up(after(19)), "the first failure ejects again");
        assert!(health.takes(0, after(20)));
        health.succeeded();
        assert!(health.takes(1, after(20)));
        health.failed(after(20));
        assert!(health.is_up(after(20)), "as at first");
    }

    #[test]
    fn checks_in_a_row_turn_an_address() {
        let now = Instant::now();
        let health = health(Some("/"), now);
        assert!(health.is_up(now) && !health.is_known());
        // Each check, and whether the address is up after it.
        let checks = [
            (false, false),
            (true, false),
            (false, false),
            (true, false),
            (true, true),
            (false, true),
            (false, true),
            (true, true),
            (false, true),
            (false, true),
            (false, false),
        ];
        for (number, (is_good, is_up)) in checks.into_iter().enumerate() {
            health.checked(is_good, now);
            assert_eq!(health.is_up(now), is_up, "check {number}");
            assert_eq!(shown(&health, |m| m.up.get()), i64::from(is_up), "check {number}");
        }
        assert!(health.is_known());
        assert_eq!(shown(&health, |m| (m.good_checks.get(), m.bad_checks.get())), (4, 7));
    }
}
