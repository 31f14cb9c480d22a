//! What goes on beside the exchanges of each upstream: names resolved again, health checked.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::proxy::{Gateway, Upstreams};

/// A task for each upstream of the configuration in use, by its address in memory.
#[derive(Default)]
pub(super) struct Watchers(HashMap<usize, Watcher>);

/// The task, and the upstream, so that its address stays its own.
struct Watcher {
    task: AbortHandle,
    _upstreams: Arc<Upstreams>,
}

impl Watchers {
    /// Begins with the upstreams that `gateway` has and those before it had not, and ends with the
    /// others.
    pub(super) fn follow(&mut self, gateway: &Gateway) {
        let mut before = std::mem::take(&mut self.0);
        for site in gateway.sites() {
            let address = Arc::as_ptr(&site.upstreams).addr();
            let watcher = before.remove(&address).unwrap_or_else(|| Watcher {
                task: tokio::spawn(Arc::clone(&site.upstreams).watch()).abort_handle(),
                _upstreams: Arc::clone(&site.upstreams),
            });
            self.0.insert(address, watcher);
        }
        // What is left has gone, and ends when it is dropped.
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}
