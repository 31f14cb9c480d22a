//! What every exchange needs and none owns: the sites, found by authority.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::body::BodyError;
use super::upstream::Upstreams;
use crate::config::{self, Config};
use crate::enforce::{Report, RequestLimits};
use crate::telemetry::{SiteMetrics, Telemetry};

/// The sites of one configuration.
pub struct Gateway {
    sites: HashMap<Box<str>, Arc<Site>, FixedState>,
    /// By [`Site::index`].
    all: Box<[Arc<Site>]>,
    /// Who may serve exchanges.
    workers: usize,
    /// What one request may carry.
    pub limits: RequestLimits,
    /// Who watches.
    pub telemetry: Arc<Telemetry>,
}

/// One site at work.
pub struct Site {
    /// What is configured.
    pub config: Arc<config::Site>,
    /// Its place among the sites, from 0.
    pub index: usize,
    /// Its counters.
    pub metrics: SiteMetrics,
    /// Who watches.
    pub telemetry: Arc<Telemetry>,
    /// Its upstream, over all workers.
    pub upstreams: Arc<Upstreams>,
}

/// Which sites have an upstream that works.
#[derive(Debug)]
pub struct Readiness<'g> {
    /// Whether any has, or there is none that could: one portal that is down must not take the
    /// others away.
    pub is_ready: bool,
    /// The domains of those that have not.
    pub down: Vec<&'g str>,
}

impl Gateway {
    /// Puts the sites of `config` to work, for this many workers.
    #[must_use]
    pub fn new(config: &Config, workers: usize, telemetry: Arc<Telemetry>) -> Self {
        let metrics = Arc::clone(&telemetry);
        let upstreams = |site: &_| Upstreams::new(site, workers, &metrics.metrics);
        Self::build(config, workers, telemetry, upstreams)
    }

    /// Puts the sites of `config` to work in place of those of `before`; an upstream that has not
    /// changed keeps its connections, and what is known of its health.
    #[must_use]
    pub fn after(before: &Self, config: &Config, telemetry: Arc<Telemetry>) -> Self {
        let (workers, metrics) = (before.workers, Arc::clone(&telemetry));
        let upstreams = |site: &config::Site| {
            let mut known = before.all.iter().map(|site| &site.upstreams);
            let same = known.find(|upstreams| upstreams.fits(site)).map(Arc::clone);
            same.unwrap_or_else(|| Upstreams::new(site, workers, &metrics.metrics))
        };
        Self::build(config, workers, telemetry, upstreams)
    }

    fn build(
        config: &Config,
        workers: usize,
        telemetry: Arc<Telemetry>,
        upstreams: impl Fn(&config::Site) -> Arc<Upstreams>,
    ) -> Self {
        let mut sites: HashMap<Box<str>, Arc<Site>, FixedState> = HashMap::default();
        let mut all = Vec::with_capacity(config.sites.len());
        for (index, config) in config.sites.iter().enumerate() {
            let site = Arc::new(Site {
                config: Arc::clone(config),
                index,
                metrics: SiteMetrics::new(&telemetry.metrics, config),
                telemetry: Arc::clone(&telemetry),
                upstreams: upstreams(config),
            });
            for name in std::iter::once(&config.domain).chain(&config.aliases) {
                sites.insert(name.clone(), Arc::clone(&site));
            }
            all.push(site);
        }
        let limits = config.server.limits.cookies;
        Self { sites, all: all.into(), workers, limits, telemetry }
    }

    /// Every site.
    #[must_use]
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.all
    }

    /// Which sites have an upstream that works.
    #[must_use]
    pub fn readiness(&self) -> Readiness<'_> {
        let is_down = |site: &&Arc<Site>| !site.upstreams.is_ready();
        let down: Vec<_> =
            self.all.iter().filter(is_down).map(|site| &*site.config.domain).collect();
        Readiness { is_ready: down.len() < self.all.len() || self.all.is_empty(), down }
    }

    /// The site that answers for `host`, whatever its case, and the host in lower case.
    #[must_use]
    pub fn site(&self, host: &str) -> Option<(&str, &Arc<Site>)> {
        let found = if host.bytes().any(|b| b.is_ascii_uppercase()) {
            self.sites.get_key_value(host.to_ascii_lowercase().as_str())
        } else {
            self.sites.get_key_value(host)
        };
        found.map(|(name, site)| (&**name, site))
    }
}

impl Site {
    /// Counts what was decided.
    pub fn record(&self, report: &Report) {
        self.telemetry.record(&self.config, &self.metrics, report);
    }

    /// Counts an upstream's body that broke off.
    pub(super) fn count_broken_body(&self, error: &BodyError) {
        let kind = match error {
            BodyError::Read(_) => "body",
            BodyError::Idle => "body_timeout",
        };
        self.metrics.count_upstream_error(&self.telemetry.metrics, &self.config, kind);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Server, site_from_str};

    fn config(sites: &[&str]) -> Config {
        let site = |text: &&str| site_from_str(Path::new("site.toml"), text);
        let site = |text| site(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let sites = sites.iter().map(|text| Arc::new(site(text))).collect();
        Config { server: Server::default(), sites }
    }

    #[test]
    fn an_upstream_that_stays_the_same_is_carried_over() {
        let telemetry = Arc::<Telemetry>::default();
        let a = "domain = \"a.example\"\nupstream = \"http://a\"\n";
        let b = "domain = \"b.example\"\nupstream = \"http://b\"\n";
        let before = Gateway::new(&config(&[a, b]), 1, Arc::clone(&telemetry));
        let changed = ["mode = \"report\"\n", "retries = 1\n"];
        let sites = [format!("{b}{}", changed[0]), format!("{a}{}", changed[1])];
        let sites = sites.each_ref().map(String::as_str);
        let after = Gateway::after(&before, &config(&sites), telemetry);
        let is_same = |domain| {
            let [before, after] = [&before, &after].map(|gateway| gateway.site(domain));
            let upstreams =
                |found: Option<(&str, &Arc<Site>)>| found.map(|(_, s)| Arc::clone(&s.upstreams));
            Arc::ptr_eq(&upstreams(before).expect("a site"), &upstreams(after).expect("a site"))
        };
        assert!(is_same("b.example") && !is_same("a.example"));
    }
}
