//! Bodies on their way through: streamed, watched for standstill, cookies removed from trailers.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Sleep, Timeout};

use super::forward;
use super::gateway::Site;
use super::upstream::Lease;
use crate::config::Server;
use crate::enforce::Direction;

/// Why a body ended before its end.
#[derive(Debug)]
pub enum BodyError {
    /// The side that sends it failed.
    Read(hyper::Error),
    /// Nothing came for as long as the site allows, or too little.
    Idle,
    /// More came than is allowed.
    TooLarge,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read(_) => "reading the body failed",
            Self::Idle => "the body stood still for too long",
            Self::TooLarge => "the body is larger than allowed",
        })
    }
}

impl StdError for BodyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Idle | Self::TooLarge => None,
        }
    }
}

/// Bytes of a request's body that earn it another second.
const BYTES_A_SECOND: u64 = 1024;

/// What a request's body is held to.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes at most.
    limit: u64,
    /// For the client to send it, besides the seconds that it earns.
    time: Duration,
    received: u64,
    /// How long the client has been waited for.
    waited: Duration,
}

impl Pace {
    /// As `server` allows.
    pub fn new(server: &Server) -> Self {
        let limit = server.limits.body_bytes as u64;
        let time = server.timeouts.request_body;
        Self { limit, time, received: 0, waited: Duration::ZERO }
    }

    /// What is left of the time for the client to send something.
    fn left(&self) -> Duration {
        let earned = Duration::from_secs(self.received / BYTES_A_SECOND);
        (self.time + earned).saturating_sub(self.waited)
    }

    /// Takes note of a piece; says whether it is still within the limit.
    fn receive(&mut self, frame: &Frame<Bytes>) -> bool {
        self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
        self.received <= self.limit
    }
}

/// A body that fails when nothing comes for a while. The timer runs only while there is nothing to
/// read, so a body that is there already costs none.
struct Watched {
    incoming: Incoming,
    idle: Duration,
    /// Of a request's body.
    pace: Option<Pace>,
    timer: Option<Pin<Box<Sleep>>>,
    waiting_since: Option<Instant>,
}

impl Watched {
    fn new(incoming: Incoming, idle: Duration, pace: Option<Pace>) -> Self {
        Self { incoming, idle, pace, timer: None, waiting_since: None }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            let waited = self.waiting_since.take().map(|since| since.elapsed());
            if let (Some(pace), Some(Ok(frame))) = (&mut self.pace, &frame) {
                pace.waited += waited.unwrap_or_default();
                if !pace.receive(frame) {
                    return Poll::Ready(Some(Err(BodyError::TooLarge)));
                }
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Read)));
        }
        let limit = self.pace.map_or(self.idle, |pace| pace.left().min(self.idle));
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if self.waiting_since.is_none() {
            self.waiting_since = Some(Instant::now());
            timer.as_mut().reset(tokio::time::Instant::now() + limit);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Idle)))
    }
}

/// Who is waited for while a request is under way.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// The client, which has a timer of its own.
    Client,
    /// The upstream, since it was given the last piece.
    Upstream(Instant),
}

/// How a request's body is doing, for the exchange that waits for the response.
#[derive(Debug)]
pub struct Upload {
    turn: Mutex<Turn>,
    stalled: AtomicBool,
    broken: AtomicBool,
    too_large: AtomicBool,
}

impl Upload {
    fn new() -> Self {
        Self {
            turn: Mutex::new(Turn::Upstream(Instant::now())),
            stalled: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            too_large: AtomicBool::new(false),
        }
    }

    /// When an upstream that has `limit` from the last piece on for its answer will be late, as far as
    /// can be said now: not while the client is waited for.
    pub fn due(&self, limit: Duration) -> Instant {
        let since = match *self.turn() {
            Turn::Client => Instant::now(),
            Turn::Upstream(since) => since,
        };
        since + limit
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client stopped in the middle of its body.
    pub fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Whether the client's body is larger than allowed.
    pub fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }

    /// Whether the client's body could not be read to the end.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

/// The upstream's word that the client may send its body, awaited for a limited time.
pub type GoAhead = Pin<Box<Timeout<oneshot::Receiver<()>>>>;

/// Whether a client may be asked for its body.
enum Gate {
    Open,
    /// It expects `100 Continue`, and the upstream has not spoken.
    Waiting(GoAhead),
    /// The upstream has answered without it.
    Shut,
}

impl Gate {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Waiting(word) = self {
            *self = match ready!(word.as_mut().poll(cx)) {
                // The word to go on, or none for so long that the client would go on anyway.
                Ok(Ok(())) | Err(_) => Self::Open,
                Ok(Err(_)) => Self::Shut,
            };
        }
        match self {
            Self::Open => Poll::Ready(()),
            // The connection has its answer, and is cut when that has been read.
            Self::Waiting(_) | Self::Shut => Poll::Pending,
        }
    }
}

/// A request's body on its way upstream.
pub struct RequestBody {
    /// `None` where the request has no body. In a place of its own: requests are moved often, and
    /// few have one.
    body: Option<Box<Uploading>>,
}

struct Uploading {
    body: Watched,
    upload: Arc<Upload>,
    gate: Gate,
    site: Arc<Site>,
}

impl RequestBody {
    /// No body at all.
    pub fn none() -> Self {
        Self { body: None }
    }

    /// The body `incoming`, and how it is doing; with `go_ahead`, none of it is asked of the client
    /// before that is over.
    pub fn new(
        incoming: Incoming,
        pace: Pace,
        site: Arc<Site>,
        go_ahead: Option<GoAhead>,
    ) -> (Self, Arc<Upload>) {
        let body = Watched::new(incoming, site.config.timeouts.idle, Some(pace));
        let gate = go_ahead.map_or(Gate::Open, Gate::Waiting);
        let upload = Arc::new(Upload::new());
        let uploading = Uploading { body, upload: Arc::clone(&upload), gate, site };
        (Self { body: Some(Box::new(uploading)) }, upload)
    }

    /// How the body is doing, for as long as it is being sent.
    pub fn upload(&self) -> Weak<Upload> {
        self.body.as_ref().map(|uploading| Arc::downgrade(&uploading.upload)).unwrap_or_default()
    }

    /// Asks the client for the body without the upstream's word.
    pub fn go_ahead(&mut self) {
        if let Some(uploading) = &mut self.body {
            uploading.gate = Gate::Open;
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(uploading) = &mut self.body else { return Poll::Ready(None) };
        if uploading.gate.poll(cx).is_pending() {
            if let Gate::Waiting(_) = uploading.gate {
                // The upstream has nothing to answer yet, and the waiting an end of its own.
                *uploading.upload.turn() = Turn::Client;
            }
            return Poll::Pending;
        }
        let Poll::Ready(mut frame) = uploading.body.poll_frame(cx) else {
            *uploading.upload.turn() = Turn::Client;
            return Poll::Pending;
        };
        *uploading.upload.turn() = Turn::Upstream(Instant::now());
        match &mut frame {
            Some(Err(BodyError::TooLarge)) => {
                uploading.upload.too_large.store(true, Ordering::Relaxed);
            }
            Some(Err(BodyError::Idle)) => uploading.upload.stalled.store(true, Ordering::Relaxed),
            Some(Err(BodyError::Read(_))) => uploading.upload.broken.store(true, Ordering::Relaxed),
            Some(Ok(frame)) => clean_trailers(&uploading.site, Direction::Request, frame),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|uploading| uploading.body.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(|| SizeHint::with_exact(0), |body| body.body.incoming.size_hint())
    }
}

/// A response's body on its way to the client.
pub enum ResponseBody {
    /// A page of the firewall's own.
    Page(Option<Bytes>),
    /// The upstream's.
    Upstream(Box<Download>),
}

/// What an upstream's body holds on to until it ends.
pub struct Download {
    body: Watched,
    /// Returned to the pool at the end; dropped before it, the connection closes.
    lease: Option<Lease>,
    site: Arc<Site>,
    started: Instant,
    /// When the upstream was done.
    ended: Option<Instant>,
}

impl ResponseBody {
    /// The upstream's body, which holds its connection and times the exchange.
    pub fn upstream(incoming: Incoming, lease: Lease, site: Arc<Site>, started: Instant) -> Self {
        let body = Watched::new(incoming, site.config.timeouts.idle, None);
        let mut download = Download { body, lease: Some(lease), site, started, ended: None };
        // A body that is empty from the start is never asked for.
        download.release_at_end();
        Self::Upstream(Box::new(download))
    }
}

impl Download {
    fn release_at_end(&mut self) {
        if self.body.incoming.is_end_stream() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take() {
            let now = Instant::now();
            self.ended = Some(now);
            lease.release(now);
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let ended = self.ended.unwrap_or_else(Instant::now);
        self.site.metrics.observe_request(ended.saturating_duration_since(self.started));
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Page(page) => Poll::Ready(page.take().map(|page| Ok(Frame::data(page)))),
            Self::Upstream(download) => {
                let mut frame = ready!(download.body.poll_frame(cx));
                match &mut frame {
                    Some(Ok(frame)) => {
                        clean_trailers(&download.site, Direction::Response, frame);
                    }
                    Some(Err(error)) => download.site.count_broken_body(error),
                    None => download.release(),
                }
                download.release_at_end();
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Page(page) => page.is_none(),
            Self::Upstream(download) => download.body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Page(page) => SizeHint::with_exact(page.as_ref().map_or(0, |p| p.len() as u64)),
            Self::Upstream(download) => download.body.incoming.size_hint(),
        }
    }
}

fn clean_trailers(site: &Site, direction: Direction, frame: &mut Frame<Bytes>) {
    let Some(trailers) = frame.trailers_mut() else { return };
    forward::clean_trailers(trailers);
    let mut report = site.telemetry.report();
    crate::enforce::trailers(trailers, direction, site.config.mode, &mut report);
    site.record(&report);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_late_from_the_last_piece_on_and_not_while_the_client_is_waited_for() {
        let (upload, limit) = (Upload::new(), Duration::from_secs(60));
        let since = Instant::now();
        *upload.turn() = Turn::Upstream(since);
        assert_eq!(upload.due(limit), since + limit);
        *upload.turn() = Turn::Client;
        assert!(upload.due(limit) >= Instant::now() + limit - since.elapsed());
    }
}
