//! What operators and data protection officers can see: metrics, a log of
//! decisions, and the proof of consent.
//!
//! It reads reports and never decides. Cookie values do not reach it; names that the charter does
//! not declare reach the decision log, escaped, and never a metric.

mod budget;
mod decisions;
mod lines;
mod metrics;
mod proof;

pub use budget::LogBudget;
pub use decisions::{Decided, DecisionLog};
pub use lines::{LastLines, Lines};
pub use metrics::{AddressMetrics, Metrics, SiteMetrics, UpstreamMetrics, UpstreamState};
pub use proof::{FileProof, ProofLog, RecordedChoice, charter_hash};

use crate::config::Site;
use crate::enforce::Report;

/// Everything that watches the exchanges.
#[derive(Default)]
pub struct Telemetry {
    /// The Prometheus registry and its families.
    pub metrics: Metrics,
    /// Where each decision is told, if anywhere.
    pub decisions: Option<Box<dyn DecisionLog>>,
    /// For log lines that outsiders can cause.
    pub budget: LogBudget,
}

impl Telemetry {
    /// A report that records what these observers need.
    #[must_use]
    pub fn report(&self) -> Report {
        if self.decisions.is_some() { Report::with_names() } else { Report::default() }
    }

    /// Counts a report, the one place where decisions are counted, and tells it to the log.
    pub fn record(&self, site: &Site, metrics: &SiteMetrics, report: &Report) {
        for entry in report.entries() {
            metrics.count(&self.metrics, site, entry);
            if let Some(log) = &self.decisions {
                log.decided(&Decided { site, entry });
            }
        }
        for declaration in report.withdrawn() {
            metrics.count_withdrawal(&self.metrics, site, *declaration);
        }
    }
}
