//! What goes on for upstreams beside the exchanges: names resolved again, health checked.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::gateway::Gateway;
use super::upstream::Upstreams;

/// The background work of one gateway's upstreams after another's. It ends when this is dropped.
#[derive(Default)]
pub struct Watchers(Vec<(Arc<Upstreams>, JoinSet<()>)>);

impl Watchers {
    /// Watches the upstreams of `gateway` from now on: goes on with those that are watched already,
    /// begins with the others, and leaves those that it has not. Called on a runtime that lives as
    /// long.
    pub fn follow(&mut self, gateway: &Gateway) {
        let mut before = std::mem::take(&mut self.0);
        for site in gateway.sites() {
            let known = before.iter().position(|(known, _)| Arc::ptr_eq(known, &site.upstreams));
            self.0.push(match known {
                Some(place) => before.swap_remove(place),
                None => begin(&site.upstreams),
            });
        }
    }
}

fn begin(upstreams: &Arc<Upstreams>) -> (Arc<Upstreams>, JoinSet<()>) {
    let mut task = JoinSet::new();
    task.spawn(Arc::clone(upstreams).watch());
    (Arc::clone(upstreams), task)
}
