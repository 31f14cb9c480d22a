//! HTTP/1.1 on a client's connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::connection::{Clear, LAST_REQUEST, Serving, Terms, stopped};
use super::fault::{Ended, Fault};
use super::first_bytes::Begun;
use super::head_time::HeadTime;
use super::kept::{Kept, stream_of};
use super::lot::Idle;
use super::parking::{Busy, Sending, Still, Tally};
use super::shared::Shared;
use super::stalling::Quiet;
use crate::config::Limits;
use crate::proxy::{Client, Worker};

/// Bytes that hyper reads ahead at most, and at least: its buffers grow with the traffic.
const READ_BUFFER: usize = 64 * 1024;

/// Serves HTTP/1.1 on `stream` to its end. Where it becomes idle, what serving takes is let go of.
pub(super) async fn serve<S>(
    mut serving: Serving,
    stream: S,
    client: Client,
    terms: Terms,
) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = kept(client, &terms);
    let mut silent = Silent::new(stream, &terms);
    while let Some(again) = Box::pin(speak(&mut serving, silent, &client, &terms)).await? {
        silent = again;
        if silent.has_begun() {
            continue;
        }
        if !wake(&mut serving, &mut silent, &terms).await? {
            let _ = silent.stream.shutdown().await;
            return Ok(());
        }
    }
    Ok(())
}

/// As [`serve`], on a socket in clear text: where it becomes idle, it is parked, and this is over.
pub(super) async fn serve_socket(
    mut serving: Serving,
    stream: Clear,
    client: Client,
    terms: Terms,
) -> Result<(), Ended> {
    let client = kept(client, &terms);
    let mut silent = Silent::new(stream, &terms);
    while let Some(again) = speak(&mut serving, silent, &client, &terms).await? {
        silent = again;
        if silent.has_begun() || !silent.stream.get_ref().get_ref().unread().is_empty() {
            continue;
        }
        drop(client);
        let socket = silent.stream.into_inner().into_inner().into_inner().into_inner();
        let Some((open, _)) = Arc::into_inner(terms.open) else { return Ok(()) };
        serving.lot.park(socket.into_std()?, terms.peer, open, silent.left);
        return Ok(());
    }
    Ok(())
}

/// The client, whose tunnels keep the connection open.
fn kept(client: Client, terms: &Terms) -> Arc<Client> {
    let open = Arc::clone(&terms.open);
    Arc::new(client.kept_by(Arc::new(move || Box::new(Arc::clone(&open)))))
}

/// A connection while nothing is spoken on it: before the first request, or after one. Another one may
/// have begun, of which there was nothing more for a while.
struct Silent<S> {
    stream: Begun<Kept<S>>,
    /// What is left of the time for the next request's head.
    left: Duration,
}

impl<S> Silent<S> {
    /// Before the first request.
    fn new(stream: S, terms: &Terms) -> Self {
        Self { stream: Begun::new(Kept::new(stream)), left: terms.timeouts.request_head }
    }

    /// After a request. Where another one has begun, that was read before the answer to the one ahead
    /// of it was written: the connection is not quiet, though it seems so.
    fn again(stream: Begun<Kept<S>>, left: Duration, quiet: &Quiet) -> Self {
        let silent = Self { stream, left };
        if silent.has_begun() {
            quiet.ends();
        }
        silent
    }

    fn has_begun(&self) -> bool {
        !self.stream.unread().is_empty()
    }
}

/// Speaks until the connection ends, or until it has been idle for a while: then it is returned.
async fn speak<S>(
    serving: &mut Serving,
    Silent { stream, left }: Silent<S>,
    client: &Arc<Client>,
    terms: &Terms,
) -> Result<Option<Silent<S>>, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let keep = stream.get_ref().keep();
    let conversation = Arc::new(Conversation {
        worker: serving.worker,
        shared: Arc::clone(&serving.shared),
        client: Arc::clone(client),
        quiet: terms.quiet.clone(),
        tally: Tally::default(),
    });
    let busy = Busy::new(&serving.busy);
    let head = HeadTime::new(terms.timeouts.request_head, left);
    let talk = Arc::clone(&conversation);
    let service = service_fn(move |request| Answering::new(&talk).answer(request));
    let builder = builder(terms, head.clone());
    let mut connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut stop = pin!(stopped(&mut serving.stopping, LAST_REQUEST));
    let mut is_leaving = false;
    let result = loop {
        let mut still = pin!(conversation.tally.stand_still(&terms.quiet, &busy, &head));
        let mut is_watched = false;
        let turn = poll_fn(|cx| {
            if let Poll::Ready(end) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(Turn::End(end));
            }
            let is_stopping = conversation.shared.is_stopping();
            // Asked once, it wakes this task when the firewall stops.
            let is_asked = !is_leaving && (is_stopping || !is_watched);
            if is_asked && stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Turn::Stop);
            }
            // Nothing stands still in the middle of an exchange, and at its end it is looked at: what
            // has happened by then is still to be seen.
            if is_watched && !is_stopping && conversation.tally.is_under_way() {
                return Poll::Pending;
            }
            is_watched = true;
            still.as_mut().poll(cx).map(Turn::Still)
        });
        match turn.await {
            Turn::End(end) => break end,
            Turn::Stop => {
                is_leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            // One that becomes idle at a stop is left where it is, and has its second there.
            Turn::Still(Still::Idle) if !is_leaving && !conversation.shared.is_stopping() => {
                let left = head.left();
                match keep.end(&mut connection).await {
                    Poll::Pending => is_leaving = true,
                    Poll::Ready(Err(_)) => return Ok(None),
                    Poll::Ready(Ok(())) => {
                        let stream = connection.into_parts().map(stream_of);
                        return Ok(stream.map(|stream| Silent::again(stream, left, &terms.quiet)));
                    }
                }
            }
            Turn::Still(_) => {}
        }
    };
    let mut has_begun = false;
    if result.is_err()
        && let Some(mut stream) = connection.into_parts().map(stream_of)
    {
        has_begun = !stream.unread().is_empty();
        // hyper has said what it had to say, and would leave it at that.
        let _ = stream.shutdown().await;
    }
    match result {
        // An idle connection ends in the same way, and that is no fault.
        Err(error) if error.is_timeout() && has_begun => {
            Err(Fault::Timeout("a request's head").into())
        }
        Err(error) => {
            serving.shared.report_unreadable(terms.peer, &error);
            Ok(None)
        }
        Ok(()) => Ok(None),
    }
}

/// What a connection does next, or what is seen on it.
enum Turn<E> {
    End(E),
    Stop,
    Still(Still),
}

/// What the exchanges of a connection share.
struct Conversation {
    worker: Worker,
    shared: Arc<Shared>,
    client: Arc<Client>,
    quiet: Quiet,
    tally: Tally,
}

/// One exchange, from its request's head to the end of its response's body.
struct Answering(Arc<Conversation>);

impl Answering {
    fn new(conversation: &Arc<Conversation>) -> Self {
        conversation.tally.begin();
        Self(Arc::clone(conversation))
    }

    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Sending<Self>>, Infallible> {
        let Conversation { worker, shared, client, quiet, .. } = &*self.0;
        let mut response = worker.answer(&shared.gateway(), client, request).await;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            quiet.tunnels();
        } else if shared.is_stopping() {
            close(&mut response);
        }
        Ok(response.map(|body| Sending::new(body, self)))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.tally.end();
    }
}

/// Waits for the next request on a connection that is parked; says whether one begins to come. It has
/// its whole time then.
async fn wake<S>(
    serving: &mut Serving,
    silent: &mut Silent<S>,
    terms: &Terms,
) -> Result<bool, Ended>
where
    S: AsyncRead + Unpin,
{
    let _idle = Idle::new(&terms.idle);
    let left = std::mem::replace(&mut silent.left, terms.timeouts.request_head);
    tokio::select! {
        read = tokio::time::timeout(left, silent.stream.read_few()) => match read {
            Ok(count) => Ok(count? > 0),
            Err(_) => Ok(false),
        },
        () = stopped(&mut serving.stopping, LAST_REQUEST) => Ok(false),
    }
}

fn builder(terms: &Terms, head: HeadTime) -> http1::Builder {
    let Limits { header_bytes, header_fields, .. } = terms.limits;
    let mut builder = http1::Builder::new();
    builder
        .timer(head)
        .header_read_timeout(terms.timeouts.request_head)
        .max_header_size(header_bytes)
        .max_buf_size(header_bytes.max(READ_BUFFER));
    // Told any other number than its own, hyper allocates for each request.
    if header_fields != Limits::default().header_fields {
        builder.max_headers(header_fields);
    }
    builder
}

/// Says that the connection ends with this response.
fn close<B>(response: &mut Response<B>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
