//! The exchanges of one HTTP/2 connection, watched for what the protocol lets a client do at the
//! server's cost: idle connections, resets without end, responses that are never read.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

use super::corked::Upload;
use crate::proxy::{BodyError, ResponseBody};

/// What one connection's exchanges have been up to.
#[derive(Debug)]
pub(super) struct Exchanges {
    state: Mutex<State>,
    /// Exchanges reset before their end, less those that came to it.
    resets: AtomicU32,
    /// How many there may be.
    limit: u32,
    /// Told when there are more.
    flood: Notify,
}

#[derive(Debug)]
struct State {
    open: Vec<Weak<Given>>,
    /// Exchanges so far.
    begun: u64,
    /// When the last exchange ended.
    quiet_since: Instant,
}

/// When the client was last given something to read, if it has not asked for more since.
type Given = Mutex<Option<Instant>>;

impl Exchanges {
    /// None yet; `limit` more may be reset than come to their end.
    pub(super) fn new(limit: u32) -> Self {
        let state = Mutex::new(State { open: Vec::new(), begun: 0, quiet_since: Instant::now() });
        Self { state, resets: AtomicU32::new(0), limit, flood: Notify::new() }
    }

    /// One more exchange, until what is returned is dropped; of a request with a body, `upload`.
    pub(super) fn begin(self: &Arc<Self>, upload: Option<Upload>) -> Exchange {
        let given = Arc::new(Mutex::new(None));
        let mut state = self.state();
        state.begun += 1;
        state.open.push(Arc::downgrade(&given));
        drop(state);
        Exchange { exchanges: Arc::clone(self), given, is_over: false, _upload: upload }
    }

    /// Exchanges so far.
    pub(super) fn begun(&self) -> u64 {
        self.state().begun
    }

    /// Something that runs on the connection, and ends well whenever it is dropped.
    pub(super) fn tunnel(self: &Arc<Self>) -> Exchange {
        let mut exchange = self.begin(None);
        exchange.is_over = true;
        // No stream was opened for it.
        self.state().begun -= 1;
        exchange
    }

    /// Ready once more exchanges have been reset than allowed.
    pub(super) async fn flooded(&self) {
        self.flood.notified().await;
    }

    /// For how long there has been no exchange; `None` while there is one.
    pub(super) fn quiet(&self) -> Option<Duration> {
        let mut state = self.state();
        state.open.retain(|open| open.strong_count() > 0);
        state.open.is_empty().then(|| state.quiet_since.elapsed())
    }

    /// How long the client has left the most neglected of its responses unread.
    pub(super) fn unread(&self) -> Duration {
        let open = &self.state().open;
        let given = open.iter().filter_map(Weak::upgrade);
        let since = given.filter_map(|given| *given.lock().unwrap_or_else(PoisonError::into_inner));
        since.map(|since| since.elapsed()).max().unwrap_or_default()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One exchange: first its request's, then its response body's.
#[derive(Debug)]
pub(super) struct Exchange {
    exchanges: Arc<Exchanges>,
    given: Arc<Given>,
    is_over: bool,
    _upload: Option<Upload>,
}

impl Exchange {
    fn give(&self, given: Option<Instant>) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = given;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Exchanges { resets, limit, flood, .. } = &*self.exchanges;
        let next = |n: u32| Some(if self.is_over { n.saturating_sub(1) } else { n + 1 });
        let before = resets.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if !self.is_over && before.is_ok_and(|before| before >= *limit) {
            flood.notify_one();
        }
        let mut state = self.exchanges.state();
        state.quiet_since = Instant::now();
        let ended = Arc::as_ptr(&self.given);
        state.open.retain(|open| !std::ptr::eq(open.as_ptr(), ended));
    }
}

/// A response's body that notices when it is asked for more, and when it is over.
pub(super) struct Watched {
    body: ResponseBody,
    exchange: Exchange,
}

impl Watched {
    pub(super) fn new(body: ResponseBody, mut exchange: Exchange) -> Self {
        exchange.is_over = body.is_end_stream();
        Self { body, exchange }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // It is asked for more only once the client has room for it.
        self.exchange.give(None);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.exchange.is_over = frame.is_none() || self.body.is_end_stream();
        if !self.exchange.is_over {
            self.exchange.give(Some(Instant::now()));
        }
        Poll::Ready(frame)
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
    fn resets_are_counted_against_answers() {
        let exchanges = Arc::new(Exchanges::new(2));
        assert!(exchanges.quiet().is_some());
        let exchange = exchanges.begin(None);
        assert_eq!(exchanges.quiet(), None);
        drop(exchange);
        drop(exchanges.begin(None));
        assert_eq!(exchanges.resets.load(Ordering::Relaxed), 2);
        let answered = exchanges.begin(None);
        drop(Watched::new(ResponseBody::Page(None), answered));
        drop(exchanges.tunnel());
        assert_eq!(exchanges.resets.load(Ordering::Relaxed), 0);
        assert!(exchanges.quiet().is_some());
        for _ in 0..2 {
            drop(exchanges.begin(None));
        }
        let flooded = || {
            let waker = std::task::Waker::noop();
            std::pin::pin!(exchanges.flooded()).poll(&mut Context::from_waker(waker)).is_ready()
        };
        assert!(!flooded());
        drop(exchanges.begin(None));
        assert!(flooded());
    }

    #[tokio::test]
    async fn what_is_given_and_not_asked_for_again_is_unread() {
        use http_body_util::BodyExt as _;
        let exchanges = Arc::new(Exchanges::new(2));
        let page = ResponseBody::Page(Some(Bytes::from_static(b"page")));
        let mut body = Watched::new(page, exchanges.begin(None));
        assert_eq!(exchanges.unread(), Duration::ZERO);
        body.frame().await.expect("a frame").expect("no error");
        // That was all of it: nothing more will be asked for.
        assert_eq!(exchanges.unread(), Duration::ZERO);
        drop(body);
        assert_eq!(exchanges.resets.load(Ordering::Relaxed), 0);
    }
}
