//! Idle connections of HTTP/1.1, kept without what serving a request takes.
//!
//! hyper holds buffers of 8 KiB each way, and the future of an exchange, for as long as a connection
//! lives. Most connections of a portal do nothing most of the time. One that has been idle for a while
//! is taken out of hyper's hands, and given back with the first bytes of its next request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::head_time::HeadTime;
use super::stalling::Quiet;
use crate::proxy::{BodyError, ResponseBody};

/// How long a connection does nothing before it is parked, twice as long at most.
const AFTER: Duration = Duration::from_secs(2);

/// Where more than [`FEW`] connections of the worker are not parked, the time is as much shorter as there
/// are more of them: what they take together is given back before others need as much.
const SOONEST: Duration = Duration::from_millis(100);
const FEW: usize = 16;

/// One of a worker's connections that are not parked, until it is dropped.
pub(super) struct Busy(Arc<AtomicUsize>);

impl Busy {
    pub(super) fn new(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }

    fn patience(&self) -> Duration {
        patience(self.0.load(Ordering::Relaxed))
    }
}

fn patience(busy: usize) -> Duration {
    let times = u32::try_from(busy / FEW).unwrap_or(u32::MAX).max(1);
    (AFTER / times).max(SOONEST)
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many exchanges of a connection have begun, and how many have ended.
#[derive(Debug, Default)]
pub(super) struct Tally {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Tally {
    /// One more has begun.
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// One has come to its end, that of its response's body.
    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether any is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.begun() != self.ended.load(Ordering::Relaxed)
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Ready once there has been none for a while, and what is read and written agrees: no request
    /// has begun to come, no answer waits to be taken. Or once the time for a request's head is over.
    pub(super) async fn stand_still(&self, quiet: &Quiet, busy: &Busy, head: &HeadTime) -> Still {
        loop {
            let before = self.begun();
            if head.ends_before(Instant::now() + busy.patience()).await {
                return Still::Late;
            }
            if self.begun() == before && !self.is_under_way() && quiet.is_there() {
                return Still::Idle;
            }
        }
    }
}

/// Why a connection stands still.
pub(super) enum Still {
    /// Nothing is under way.
    Idle,
    /// A request's head does not come to its end.
    Late,
}

/// A response's body, which holds on to its exchange until it has been sent.
pub(super) struct Sending<E> {
    body: ResponseBody,
    _exchange: E,
}

impl<E> Sending<E> {
    pub(super) fn new(body: ResponseBody, exchange: E) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl<E: Unpin> Body for Sending<E> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_there_are_the_sooner() {
        let cases = [(0, 2000), (16, 2000), (32, 1000), (160, 200), (320, 100), (usize::MAX, 100)];
        for (busy, expected) in cases {
            assert_eq!(patience(busy), Duration::from_millis(expected), "{busy}");
        }
    }
}
