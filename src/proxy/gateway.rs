//! What every exchange needs and none owns: the sites, found by authority.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::body::BodyError;
use super::own::Pages;
use super::upstream::Upstreams;
use crate::config::{self, Config, Server};
use crate::enforce::Report;
use crate::telemetry::{FileProof, Metrics, ProofLog, SiteMetrics, Telemetry};

/// The sites of one configuration.
pub struct Gateway {
    sites: HashMap<Box<str>, Arc<Site>, FixedState>,
    /// By [`Site::index`].
    all: Box<[Arc<Site>]>,
    /// Whether a name stands for several hosts.
    has_wildcards: bool,
    /// What all sites share.
    pub server: Server,
    /// Who watches.
    pub telemetry: Arc<Telemetry>,
    /// Where choices are recorded, if anywhere; it may block.
    pub proof: Option<Arc<dyn ProofLog>>,
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
    /// What is the same for every visitor of its page.
    pub(super) pages: Pages,
}

/// Which sites have an upstream that works.
#[derive(Debug)]
pub struct Readiness<'g> {
    /// Whether any has: one portal that is down must not take the others away.
    pub is_ready: bool,
    /// The domains of those that have not.
    pub down: Vec<&'g str>,
}

impl Gateway {
    /// Puts the sites of `config` to work, for this many workers.
    ///
    /// # Errors
    ///
    /// Where choices are to be recorded in a file that cannot be written.
    pub fn new(config: &Config, workers: usize, telemetry: Arc<Telemetry>) -> io::Result<Self> {
        Self::build(config, telemetry, |site, metrics| Upstreams::new(site, workers, metrics))
    }

    /// Puts the sites of `config` to work in place of those of `before`, for as many workers; an
    /// upstream that has not changed keeps its connections, and what is known of its health.
    ///
    /// # Errors
    ///
    /// As for [`Gateway::new`].
    pub fn after(
        before: &Self,
        config: &Config,
        workers: usize,
        telemetry: Arc<Telemetry>,
    ) -> io::Result<Self> {
        Self::build(config, telemetry, |site, metrics| {
            let same = before.sites.get(&site.domain).map(|old| &old.upstreams);
            match same.filter(|upstreams| upstreams.fits(site)) {
                Some(upstreams) => Arc::clone(upstreams),
                None => Upstreams::new(site, workers, metrics),
            }
        })
    }

    fn build(
        config: &Config,
        telemetry: Arc<Telemetry>,
        upstreams: impl Fn(&config::Site, &Metrics) -> Arc<Upstreams>,
    ) -> io::Result<Self> {
        let proof = proof_log(&config.server, &telemetry)?;
        let mut sites: HashMap<Box<str>, Arc<Site>, FixedState> = HashMap::default();
        let mut all = Vec::with_capacity(config.sites.len());
        for (index, config) in config.sites.iter().enumerate() {
            let site = Arc::new(Site {
                config: Arc::clone(config),
                index,
                metrics: SiteMetrics::new(&telemetry.metrics, config),
                telemetry: Arc::clone(&telemetry),
                upstreams: upstreams(config, &telemetry.metrics),
                pages: Pages::default(),
            });
            for name in std::iter::once(&config.domain).chain(&config.aliases) {
                sites.insert(name.clone(), Arc::clone(&site));
            }
            all.push(site);
        }
        let has_wildcards = sites.keys().any(|name| name.starts_with("*."));
        let server = config.server.clone();
        Ok(Self { sites, all: all.into(), has_wildcards, server, telemetry, proof })
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
        Readiness { is_ready: down.len() < self.all.len(), down }
    }

    /// The site that answers for `host`, whatever its case, and the host in lower case.
    #[must_use]
    pub fn site(&self, host: &str) -> Option<(Cow<'_, str>, &Arc<Site>)> {
        let lower = host.bytes().any(|b| b.is_ascii_uppercase()).then(|| host.to_ascii_lowercase());
        let host = lower.as_deref().unwrap_or(host);
        let find = |name: &str| self.sites.get_key_value(name);
        let (name, site) = config::by_host(host, self.has_wildcards, find)?;
        let is_wildcard = name.starts_with('*');
        Some((if is_wildcard { Cow::Owned(host.to_owned()) } else { Cow::Borrowed(name) }, site))
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
            BodyError::Read(_) | BodyError::TooLarge => "body",
            BodyError::Idle => "body_timeout",
        };
        self.metrics.count_upstream_error(&self.telemetry.metrics, &self.config, kind);
    }
}

/// The log of choices that is configured, open.
fn proof_log(server: &Server, telemetry: &Arc<Telemetry>) -> io::Result<Option<Arc<dyn ProofLog>>> {
    let Some(settings) = &server.proof else { return Ok(None) };
    let proof = FileProof::open(settings.clone(), Arc::clone(telemetry))?;
    Ok(Some(Arc::new(proof)))
}
