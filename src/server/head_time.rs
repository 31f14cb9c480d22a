//! The time that a client has for a request's head.
//!
//! hyper asks for a timer with each head that it begins to wait for, and drops it when the head is there.
//! A connection has one that runs in any case, to see whether it is idle: it looks at this time as well,
//! and no request sets one of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The time of one connection's heads, one after the other.
#[derive(Clone, Debug)]
pub(super) struct HeadTime {
    state: Arc<State>,
    limit: Duration,
}

#[derive(Debug)]
struct State {
    /// What the end is counted from.
    epoch: Instant,
    /// When it ends, in nanoseconds; 0 while no head is waited for, but for the first.
    end: AtomicU64,
    has_ended: AtomicBool,
}

impl HeadTime {
    /// For heads that are to come within `limit` each, the first of them within `first`.
    pub(super) fn new(limit: Duration, first: Duration) -> Self {
        let epoch = Instant::now();
        let state = State { epoch, end: AtomicU64::new(0), has_ended: AtomicBool::new(false) };
        state.set(epoch + first);
        Self { state: Arc::new(state), limit }
    }

    /// What is left of the time for the head that is waited for; all of it, where none is yet.
    pub(super) fn left(&self) -> Duration {
        self.state.end().map_or(self.limit, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Ready at `until`, or before that if the time for a head ends: says whether it did. hyper is
    /// to be polled then, and finds out.
    pub(super) async fn ends_before(&self, until: Instant) -> bool {
        loop {
            let now = Instant::now();
            let end = self.state.end();
            if end.is_some_and(|end| end <= now) {
                self.state.has_ended.store(true, Ordering::Relaxed);
                // It is told once: hyper may be closing, and never look again.
                self.state.end.store(0, Ordering::Relaxed);
                return true;
            }
            if until <= now {
                return false;
            }
            // One that is not waited for yet has its whole time.
            let end = end.unwrap_or(now + self.limit);
            tokio::time::sleep_until(end.min(until).into()).await;
        }
    }
}

impl State {
    fn end(&self) -> Option<Instant> {
        let end = self.end.load(Ordering::Relaxed);
        (end > 0).then(|| self.epoch + Duration::from_nanos(end))
    }

    fn set(&self, end: Instant) {
        let end = end.saturating_duration_since(self.epoch).as_nanos();
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        // Nobody waits longer for the first head than was said at the beginning.
        let end = match self.end.load(Ordering::Relaxed) {
            0 => end,
            first => first.min(end),
        };
        self.end.store(end, Ordering::Relaxed);
        self.has_ended.store(false, Ordering::Relaxed);
    }
}

impl Timer for HeadTime {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.state.set(deadline);
        Box::pin(Head(Arc::clone(&self.state)))
    }

    fn reset(&self, _: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        self.state.set(new_deadline);
    }
}

/// A head that is waited for. Nobody is woken at the end: hyper is polled then.
struct Head(Arc<State>);

impl Future for Head {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.has_ended.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Sleep for Head {}

impl Drop for Head {
    fn drop(&mut self) {
        self.0.end.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_has_its_time() {
        let limit = Duration::from_millis(20);
        let time = HeadTime::new(limit, limit);
        drop(time.sleep(limit));
        let soon = || Instant::now() + Duration::from_millis(60);
        assert!(!time.ends_before(soon()).await, "none is waited for");
        assert_eq!(time.left(), limit);
        let start = Instant::now();
        let head = time.sleep_until(start + limit);
        assert!(!time.ends_before(start + Duration::from_millis(1)).await);
        assert!(time.left() < limit);
        assert!(time.ends_before(soon()).await);
        assert!(start.elapsed() >= limit);
        head.await;
        assert!(!time.ends_before(soon()).await, "it has come");
    }

    #[test]
    fn the_first_head_may_have_less_time_than_the_others() {
        let (limit, first) = (Duration::from_secs(60), Duration::from_secs(4));
        let time = HeadTime::new(limit, first);
        let head = time.sleep(limit);
        assert!(time.left() <= first);
        drop(head);
        let _head = time.sleep(limit);
        assert!(time.left() > first);
    }
}
