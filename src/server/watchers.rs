//! What goes on beside the exchanges of each upstream: names resolved again, health checked and shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::proxy::{Gateway, Upstreams};

/// A task for each upstream of the configuration in use, by its address in memory.
#[derive(Default)]
pub(super) struct Watchers(HashMap<usize, Watcher>);

/// The task, and the upstream, so that its address stays its own.
struct Watcher {
    task: AbortHandle,
    upstreams: Arc<Upstreams>,
}

impl Watchers {
    /// Begins with the upstreams that `gateway` has and those before it had not, and ends with the
    /// others.
    pub(super) fn follow(&mut self, gateway: &Gateway) {
        let mut gone = std::mem::take(&mut self.0);
        let mut new = Vec::new();
        for site in gateway.sites() {
            let address = Arc::as_ptr(&site.upstreams).addr();
            match gone.remove(&address) {
                Some(watcher) => drop(self.0.insert(address, watcher)),
                None => new.push(&site.upstreams),
            }
        }
        // An address of both has one series, which the new one is to have to itself.
        gone.values().for_each(|watcher| watcher.upstreams.hide());
        for upstreams in new {
            upstreams.show(&gateway.telemetry.metrics);
            self.0.insert(Arc::as_ptr(upstreams).addr(), Watcher::new(upstreams));
        }
        forget(&gone, gateway);
    }
}

/// Ends the series of addresses that have gone, but for those that `gateway` has as well.
fn forget(gone: &HashMap<usize, Watcher>, gateway: &Gateway) {
    if gone.is_empty() {
        return;
    }
    let sites = gateway.sites().iter();
    let in_use: HashSet<_> = sites.flat_map(|site| site.upstreams.addresses()).collect();
    for (domain, address) in gone.values().flat_map(|watcher| watcher.upstreams.addresses()) {
        if !in_use.contains(&(domain, address)) {
            gateway.telemetry.metrics.forget_address(domain, address);
        }
    }
}

impl Watcher {
    fn new(upstreams: &Arc<Upstreams>) -> Self {
        let task = tokio::spawn(Arc::clone(upstreams).watch()).abort_handle();
        Self { task, upstreams: Arc::clone(upstreams) }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}
