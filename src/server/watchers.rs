//! What goes on beside the exchanges of each upstream: names resolved again, health checked.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

use crate::proxy::{Gateway, Upstreams};

/// A task for each upstream of the configuration in use.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Vec<(Arc<Upstreams>, AbortHandle)>>);

impl Watchers {
    /// Begins with the upstreams that `gateway` has and those before it had not, and ends with the
    /// others.
    pub(super) fn follow(&self, gateway: &Gateway) {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = Vec::with_capacity(gateway.sites().len());
        for site in gateway.sites() {
            let upstreams = &site.upstreams;
            let known = before.iter().position(|(known, _)| Arc::ptr_eq(known, upstreams));
            current.push(match known {
                Some(index) => before.swap_remove(index),
                None => {
                    let task = tokio::spawn(Arc::clone(upstreams).watch());
                    (Arc::clone(upstreams), task.abort_handle())
                }
            });
        }
        for (_, task) in std::mem::replace(&mut *before, current) {
            task.abort();
        }
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        for (_, task) in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}
