//! The Prometheus metrics, whose names and labels are a contract.
//!
//! The families come from the `prometheus` crate. Looking a label set up in them costs a lock and a
//! hash for each of five to seven labels, so a site keeps the counters it has used at hand.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::decisions::declaration;
use crate::charter::DeclarationId;
use crate::config::Site;
use crate::consent::State;
use crate::enforce::{Direction, Entry};
use crate::policy::{Reason, Verdict};

/// Upper bounds, in seconds, of the histograms' buckets: a cached page to a slow export.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Methods that have a label of their own; an outsider can send any other.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// The `site` of what belongs to none.
const NO_SITE: &str = "(none)";

/// The `result` of a proof of consent that is on disk.
const WRITTEN: &str = "written";

/// The `result` of a proof of consent that is not.
const FAILED: &str = "failed";

/// Every metric family, in a registry of its own.
pub struct Metrics {
    registry: Registry,
    cookies: IntCounterVec,
    consent: IntCounterVec,
    choices: IntCounterVec,
    withdrawals: IntCounterVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    upstream_duration: HistogramVec,
    connections: IntGaugeVec,
    idle_connections: IntGaugeVec,
    upstream_connections: IntGaugeVec,
    upstream_errors: IntCounterVec,
    connection_errors: IntCounterVec,
    handshakes: IntCounterVec,
    refused_streams: IntCounter,
    upgrades: IntCounterVec,
    open_upgrades: IntGaugeVec,
    certificate_expiry: GaugeVec,
    upstream_retries: IntCounterVec,
    upstream_up: IntGaugeVec,
    upstream_ejections: IntCounterVec,
    upstream_checks: IntCounterVec,
    proofs: IntCounterVec,
    reloads: IntCounterVec,
    last_reload: Gauge,
    log_lines_dropped: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every family.
    ///
    /// # Panics
    ///
    /// Never: the names and labels are constants that a test has registered before.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let counters = |name, help, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let gauges = |name, help, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let histograms = |name, help| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            register(&registry, HistogramVec::new(options, &["site"]))
        };
        let metrics = Self {
            cookies: counters(
                "cookie_firewall_cookies_total",
                "Cookies judged, by declaration and decision; in report mode decisions are not carried out.",
                &["site", "direction", "cookie", "category", "decision", "reason", "mode"],
            ),
            consent: counters(
                "cookie_firewall_consent_total",
                "Requests, by what their consent cookies amount to.",
                &["site", "state"],
            ),
            choices: counters(
                "cookie_firewall_choices_total",
                "Choices made on the firewall's page, by the button.",
                &["site", "choice"],
            ),
            withdrawals: counters(
                "cookie_firewall_withdrawals_total",
                "Cookies expired by the response to the request that brought them; in report mode they are not.",
                &["site", "cookie", "mode"],
            ),
            requests: counters(
                "cookie_firewall_requests_total",
                "Requests answered; the site \"(none)\" stands for those that belong to no site.",
                &["site", "method", "code"],
            ),
            request_duration: histograms(
                "cookie_firewall_request_duration_seconds",
                "From a request's head to the end of its response's body.",
            ),
            upstream_duration: histograms(
                "cookie_firewall_upstream_duration_seconds",
                "From sending a request upstream to the head of the response.",
            ),
            connections: gauges(
                "cookie_firewall_connections",
                "Open connections from clients.",
                &["listener"],
            ),
            idle_connections: gauges(
                "cookie_firewall_idle_connections",
                "Open HTTP/1.1 connections on which nothing has happened for some seconds.",
                &["listener"],
            ),
            upstream_connections: gauges(
                "cookie_firewall_upstream_connections",
                "Open connections to upstreams.",
                &["site", "state"],
            ),
            upstream_errors: counters(
                "cookie_firewall_upstream_errors_total",
                "Exchanges that failed on the upstream's side.",
                &["site", "kind"],
            ),
            connection_errors: counters(
                "cookie_firewall_connection_errors_total",
                "Connections from clients that were refused or cut, by what was wrong with them.",
                &["listener", "reason"],
            ),
            handshakes: counters(
                "cookie_firewall_tls_handshakes_total",
                "TLS handshakes with clients that were completed.",
                &["version", "resumed"],
            ),
            refused_streams: register(
                &registry,
                IntCounter::new(
                    "cookie_firewall_http2_refused_streams_total",
                    "Streams that became no request: heads too large or malformed, or reset at once.",
                ),
            ),
            upgrades: counters(
                "cookie_firewall_upgrades_total",
                "Exchanges that became a WebSocket.",
                &["site"],
            ),
            open_upgrades: gauges("cookie_firewall_upgrades", "Open WebSockets.", &["site"]),
            certificate_expiry: register(
                &registry,
                GaugeVec::new(
                    Opts::new(
                        "cookie_firewall_certificate_expiry_timestamp_seconds",
                        "When the first of a site's certificates expires.",
                    ),
                    &["site"],
                ),
            ),
            upstream_retries: counters(
                "cookie_firewall_upstream_retries_total",
                "Requests sent again after a failure.",
                &["site"],
            ),
            upstream_up: gauges(
                "cookie_firewall_upstream_up",
                "Whether an address is given exchanges: neither ejected nor down by its checks.",
                &["site", "upstream"],
            ),
            upstream_ejections: counters(
                "cookie_firewall_upstream_ejections_total",
                "How often an address was left alone for a while, after failures in a row.",
                &["site", "upstream"],
            ),
            upstream_checks: counters(
                "cookie_firewall_upstream_checks_total",
                "Active health checks.",
                &["site", "upstream", "result"],
            ),
            proofs: counters(
                "cookie_firewall_proof_records_total",
                "Choices made on the firewall's page, by whether the proof of consent was written.",
                &["result"],
            ),
            reloads: counters(
                "cookie_firewall_config_reloads_total",
                "Attempts to load a new configuration.",
                &["result"],
            ),
            last_reload: register(
                &registry,
                Gauge::new(
                    "cookie_firewall_config_last_reload_success_timestamp_seconds",
                    "When the configuration in use was loaded.",
                ),
            ),
            log_lines_dropped: register(
                &registry,
                IntCounter::new(
                    "cookie_firewall_log_lines_dropped_total",
                    "Lines that could not be written, or that the log's reader did not take in time.",
                ),
            ),
            registry,
        };
        metrics.describe_build();
        for result in [WRITTEN, FAILED] {
            metrics.proofs.with_label_values(&[result]);
        }
        metrics.reloads.with_label_values(&["success"]);
        metrics.reloads.with_label_values(&["failure"]);
        metrics
            .registry
            .register(Box::new(ProcessCollector::for_self()))
            .expect("the process metrics are registered once");
        metrics
    }

    /// The text exposition format.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("writing to memory does not fail, and every family has its samples");
        text
    }

    /// Notes that the configuration now in use was loaded.
    pub fn loaded(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_reload.set(now.as_secs_f64());
    }

    /// Notes that a configuration was not loaded for its mistakes.
    pub fn not_loaded(&self) {
        self.reloads.with_label_values(&["failure"]).inc();
    }

    /// The counter of lines that the log had to leave out.
    #[must_use]
    pub fn log_lines_dropped(&self) -> IntCounter {
        self.log_lines_dropped.clone()
    }

    /// Counts a configuration that was loaded while the firewall runs.
    pub fn reloaded(&self) {
        self.reloads.with_label_values(&["success"]).inc();
        self.loaded();
    }

    /// Notes when certificates of `sites` expire.
    pub fn describe_certificates<'s>(&self, sites: impl Iterator<Item = &'s Site>) {
        self.certificate_expiry.reset();
        for site in sites {
            if let Some(first) = site.tls.certificates.iter().map(|c| c.not_after).min() {
                self.certificate_expiry.with_label_values(&[&*site.domain]).set(first as f64);
            }
        }
    }

    /// Counts a connection that was refused or cut.
    pub fn count_connection_error(&self, listener: &str, reason: &str) {
        self.connection_errors.with_label_values(&[listener, reason]).inc();
    }

    /// Counts a stream that HTTP/2 itself refused.
    pub fn count_refused_stream(&self) {
        self.refused_streams.inc();
    }

    /// Counts a completed TLS handshake.
    pub fn count_handshake(&self, version: &str, resumed: bool) {
        let resumed = if resumed { "true" } else { "false" };
        self.handshakes.with_label_values(&[version, resumed]).inc();
    }

    /// Counts a choice whose proof was written, or was not.
    pub fn count_proof(&self, written: bool) {
        self.proofs.with_label_values(&[if written { WRITTEN } else { FAILED }]).inc();
    }

    /// Ends the series of an address that the upstream of the site `domain` has no longer.
    pub fn forget_address(&self, domain: &str, address: &str) {
        // What is not there need not be removed.
        let _ = self.upstream_up.remove_label_values(&[domain, address]);
        let _ = self.upstream_ejections.remove_label_values(&[domain, address]);
        for result in ["good", "bad"] {
            let _ = self.upstream_checks.remove_label_values(&[domain, address, result]);
        }
    }

    /// The gauge of open connections on a listener.
    #[must_use]
    pub fn connections(&self, listener: &str) -> IntGauge {
        self.connections.with_label_values(&[listener])
    }

    /// The gauge of open connections on a listener that are idle.
    #[must_use]
    pub fn idle_connections(&self, listener: &str) -> IntGauge {
        self.idle_connections.with_label_values(&[listener])
    }

    /// Counts an answer to a request that belongs to no site.
    pub fn count_siteless(&self, method: Option<&Method>, code: StatusCode) {
        let method = method.map_or("(none)", method_label);
        self.requests.with_label_values(&[NO_SITE, method, code.as_str()]).inc();
    }

    fn describe_build(&self) {
        let options = Opts::new("cookie_firewall_build_info", "The version that is running.");
        let build = register(&self.registry, IntGaugeVec::new(options, &["version"]));
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    family: prometheus::Result<C>,
) -> C {
    let family = family.expect("the family's name and labels are valid");
    registry.register(Box::new(family.clone())).expect("each family is registered once");
    family
}

fn method_label(method: &Method) -> &str {
    method_index(method).map_or("other", |index| METHODS[index].as_str())
}

fn method_index(method: &Method) -> Option<usize> {
    METHODS.iter().position(|known| known == method)
}

/// What a connection to an upstream is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamState {
    /// Carrying an exchange.
    Active,
    /// Waiting in the pool.
    Idle,
}

/// Two directions times the sixteen outcomes of [`outcome`].
const OUTCOMES: usize = 2 * 16;

type Handles<T, const N: usize> = OnceLock<Box<[OnceLock<T>; N]>>;

/// One site's counters at hand.
pub struct SiteMetrics {
    /// By declaration, the undeclared last; then by direction and outcome.
    cookies: Box<[Handles<IntCounter, OUTCOMES>]>,
    /// By declaration, the undeclared last.
    withdrawals: Box<[OnceLock<IntCounter>]>,
    consent: [IntCounter; State::ALL.len()],
    /// By method, the others last; then by status code from 100 on.
    requests: [Handles<IntCounter, 900>; METHODS.len() + 1],
    request_duration: Histogram,
    upstream_duration: Histogram,
    upgrades: IntCounter,
    open_upgrades: IntGauge,
}

/// A WebSocket that counts as open until it is dropped.
#[derive(Debug)]
pub struct OpenUpgrade(IntGauge);

impl Drop for OpenUpgrade {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl SiteMetrics {
    /// The counters of `site`.
    #[must_use]
    pub fn new(metrics: &Metrics, site: &Site) -> Self {
        let domain: &str = &site.domain;
        let declared = site.charter.declarations().len();
        Self {
            cookies: (0..=declared).map(|_| OnceLock::new()).collect(),
            withdrawals: (0..=declared).map(|_| OnceLock::new()).collect(),
            consent: State::ALL
                .map(|state| metrics.consent.with_label_values(&[domain, state.as_str()])),
            requests: Default::default(),
            request_duration: metrics.request_duration.with_label_values(&[domain]),
            upstream_duration: metrics.upstream_duration.with_label_values(&[domain]),
            upgrades: metrics.upgrades.with_label_values(&[domain]),
            open_upgrades: metrics.open_upgrades.with_label_values(&[domain]),
        }
    }

    /// Counts one decision.
    pub(super) fn count(&self, metrics: &Metrics, site: &Site, entry: &Entry) {
        let row = entry.declaration.map_or(self.cookies.len() - 1, |id| id as usize);
        let column = outcome(entry);
        handle(&self.cookies[row], column, || {
            let (cookie, category) = declaration(site, entry.declaration);
            metrics.cookies.with_label_values(&[
                &site.domain,
                entry.direction.as_str(),
                cookie,
                category,
                entry.verdict.as_str(),
                entry.reason.as_str(),
                site.mode.as_str(),
            ])
        })
        .inc();
    }

    /// Counts a cookie that was expired.
    pub(super) fn count_withdrawal(
        &self,
        metrics: &Metrics,
        site: &Site,
        id: Option<DeclarationId>,
    ) {
        let row = id.map_or(self.withdrawals.len() - 1, |id| id as usize);
        let find = || {
            let labels = [&*site.domain, declaration(site, id).0, site.mode.as_str()];
            metrics.withdrawals.with_label_values(&labels)
        };
        self.withdrawals[row].get_or_init(find).inc();
    }

    /// Counts a request by its consent.
    pub fn count_consent(&self, state: State) {
        self.consent[state as usize].inc();
    }

    /// Counts a choice that was stored.
    pub fn count_choice(&self, metrics: &Metrics, site: &Site, choice: &str) {
        metrics.choices.with_label_values(&[&*site.domain, choice]).inc();
    }

    /// Counts an answered request.
    pub fn count_request(&self, metrics: &Metrics, site: &Site, method: &Method, code: StatusCode) {
        let row = method_index(method).unwrap_or(METHODS.len());
        let column = usize::from(code.as_u16()) - 100;
        handle(&self.requests[row], column, || {
            let labels = [&*site.domain, method_label(method), code.as_str()];
            metrics.requests.with_label_values(&labels)
        })
        .inc();
    }

    /// Takes the time of a whole exchange.
    pub fn observe_request(&self, duration: Duration) {
        self.request_duration.observe(duration.as_secs_f64());
    }

    /// Takes the time until the head of an upstream's response.
    pub fn observe_upstream(&self, duration: Duration) {
        self.upstream_duration.observe(duration.as_secs_f64());
    }

    /// Counts a WebSocket, which is open as long as what is returned.
    #[must_use]
    pub fn begin_upgrade(&self) -> OpenUpgrade {
        self.upgrades.inc();
        self.open_upgrades.inc();
        OpenUpgrade(self.open_upgrades.clone())
    }

    /// Counts an upstream's failure by its kind.
    pub fn count_upstream_error(&self, metrics: &Metrics, site: &Site, kind: &str) {
        metrics.upstream_errors.with_label_values(&[&site.domain, kind]).inc();
    }
}

/// One upstream's counters at hand.
pub struct UpstreamMetrics {
    active: IntGauge,
    idle: IntGauge,
    /// Requests sent again.
    pub retries: IntCounter,
}

impl UpstreamMetrics {
    /// The counters of the upstream of the site `domain`.
    #[must_use]
    pub fn new(metrics: &Metrics, domain: &str) -> Self {
        let gauge = |state| metrics.upstream_connections.with_label_values(&[domain, state]);
        Self {
            active: gauge("active"),
            idle: gauge("idle"),
            retries: metrics.upstream_retries.with_label_values(&[domain]),
        }
    }

    /// The gauge of connections in a state.
    #[must_use]
    pub fn connections(&self, state: UpstreamState) -> &IntGauge {
        match state {
            UpstreamState::Active => &self.active,
            UpstreamState::Idle => &self.idle,
        }
    }
}

/// The counters of one address of an upstream.
pub struct AddressMetrics {
    /// 1 while it is given exchanges.
    pub up: IntGauge,
    /// How often it was ejected.
    pub ejections: IntCounter,
    /// Active checks that it answered well.
    pub good_checks: IntCounter,
    /// Active checks that it did not.
    pub bad_checks: IntCounter,
}

impl AddressMetrics {
    /// The counters of `address` (`host:port`) of the site `domain`.
    #[must_use]
    pub fn new(metrics: &Metrics, domain: &str, address: &str) -> Self {
        let checks = |result| metrics.upstream_checks.with_label_values(&[domain, address, result]);
        Self {
            up: metrics.upstream_up.with_label_values(&[domain, address]),
            ejections: metrics.upstream_ejections.with_label_values(&[domain, address]),
            good_checks: checks("good"),
            bad_checks: checks("bad"),
        }
    }
}

/// A column for each direction and each decision with its reason: `domain` is the one reason that
/// stands for two decisions.
fn outcome(entry: &Entry) -> usize {
    let blocked_domain = entry.verdict == Verdict::Block && entry.reason == Reason::Domain;
    let outcome = if blocked_domain { Reason::ALL.len() } else { entry.reason as usize };
    match entry.direction {
        Direction::Request => outcome,
        Direction::Response => OUTCOMES / 2 + outcome,
    }
}

fn handle<const N: usize>(
    row: &Handles<IntCounter, N>,
    column: usize,
    find: impl FnOnce() -> IntCounter,
) -> &IntCounter {
    row.get_or_init(|| Box::new([const { OnceLock::new() }; N]))[column].get_or_init(find)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_column_of_its_own() {
        assert!(Reason::ALL.len() < OUTCOMES / 2);
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        for (index, state) in State::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, index);
        }
    }

    #[test]
    fn a_fresh_registry_can_be_scraped() {
        let text = String::from_utf8(Metrics::new().encode()).expect("the format is UTF-8");
        for name in ["build_info{version=", "config_reloads_total{result=\"failure\"} 0"] {
            assert!(text.contains(&format!("cookie_firewall_{name}")), "{name} in {text}");
        }
    }
}
