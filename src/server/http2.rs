//! HTTP/2 on a client's connection.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::{InspectReader, InspectWriter};

use super::Shared;
use super::connection::{LAST_REQUEST, Serving, Terms, stopped};
use super::corked::{Corked, Uploads};
use super::exchanges::{Exchanges, Watched};
use super::fault::{Ended, Fault};
use super::frames::{Counts, Reader};
use crate::proxy::Client;

/// What a client may send of one body, and of all of a connection, before it is read on: enough for
/// a fast upload over a long line, and a bound on what an upstream that does not read costs.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What of a response waits for the client's window and socket.
const SEND_BUFFER: usize = 64 * 1024;

/// How much larger than allowed a head may be for the client to be told so by a page; beyond, the
/// library answers 431 by itself.
const HEAD_MARGIN: usize = 2;

/// Serves HTTP/2 on `stream` to its end.
pub(super) async fn serve<S>(
    mut serving: Serving,
    stream: S,
    client: Client,
    terms: Terms,
) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let exchanges = Arc::new(Exchanges::new(terms.limits.resets));
    let (open, tunnels) = (Arc::clone(&terms.open), Arc::clone(&exchanges));
    let keep = move || Box::new((Arc::clone(&open), tunnels.tunnel())) as Box<dyn Any + Send>;
    let client = Arc::new(client.kept_by(Arc::new(keep)));
    let (worker, shared, watched) =
        (serving.worker, Arc::clone(&serving.shared), Arc::clone(&exchanges));
    let uploads = Arc::<Uploads>::default();
    let uploading = Arc::clone(&uploads);
    let service = service_fn(move |request: Request<Incoming>| {
        let (client, shared) = (Arc::clone(&client), Arc::clone(&shared));
        let upload = (!request.body().is_end_stream()).then(|| uploading.begin());
        let exchange = watched.begin(upload);
        // In a place of its own: the library moves it several times on its way into a task.
        Box::pin(async move {
            let response = worker.answer(&shared.gateway(), &client, request).await;
            Ok::<_, Infallible>(response.map(|body| Watched::new(body, exchange)))
        })
    });
    let counts = Arc::new(Counts::new());
    let (mut reader, read, wrote) = (Reader::new(), Arc::clone(&counts), Arc::clone(&counts));
    let stream = InspectWriter::new(stream, move |bytes: &[u8]| wrote.wrote(bytes.len()));
    let corked = Corked::new(stream, uploads);
    let stream = InspectReader::new(corked.clone(), move |bytes: &[u8]| reader.read(bytes, &read));
    let connection = builder(&terms).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut unseen = Unseen { counts, refused: 0 };
    let mut leaving = false;
    let result = loop {
        let turn = std::future::poll_fn(|cx| {
            let turn = unseen.look_after(connection.as_mut(), cx, &exchanges, &serving.shared);
            match corked.poll_send(cx) {
                Poll::Ready(Err(_)) if turn.is_pending() => Poll::Ready(Err(Ended::Gone)),
                _ => turn.map_err(Ended::from),
            }
        });
        tokio::select! {
            result = turn => break result?,
            () = stopped(&mut serving.stopping, Duration::ZERO), if !leaving => {
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
            idle = idle(&terms, &exchanges, leaving) => {
                idle?;
                if leaving {
                    break Ok(());
                }
                leaving = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    match result {
        Ok(()) => Ok(()),
        Err(error) if is_of_transport(&error) => Err(Ended::Gone),
        Err(error) => Err(Fault::Http2(error).into()),
    }
}

fn builder(terms: &Terms) -> http2::Builder<TokioExecutor> {
    let bytes = terms.limits.header_bytes.saturating_mul(HEAD_MARGIN);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(terms.limits.streams)
        .max_header_list_size(u32::try_from(bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .enable_connect_protocol();
    builder
}

/// Ready once there has been no exchange for as long as allowed.
///
/// # Errors
///
/// Where the exchanges are a fault.
async fn idle(terms: &Terms, exchanges: &Exchanges, leaving: bool) -> Result<(), Fault> {
    let unread = terms.timeouts.response;
    loop {
        let limit = match exchanges.begun() {
            // Who has been told to leave is not waited for as long.
            _ if leaving => LAST_REQUEST,
            0 => terms.timeouts.request_head.min(terms.timeouts.idle),
            _ => terms.timeouts.idle,
        };
        let often = limit.min(unread) / 4;
        tokio::select! {
            () = exchanges.flooded() => return Err(Fault::Resets),
            () = tokio::time::sleep(often) => {}
        }
        if exchanges.unread() > unread {
            return Err(Fault::Unread);
        }
        if exchanges.quiet().is_some_and(|quiet| quiet >= limit) {
            return Ok(());
        }
    }
}

/// What a client does on a connection that no request shows.
struct Unseen {
    counts: Arc<Counts>,
    /// Streams that were opened and became no exchange, as far as they have been counted.
    refused: u64,
}

impl Unseen {
    /// Runs the connection, and then looks at what has been read, all of which it has dealt with.
    ///
    /// # Errors
    ///
    /// Where the client sends frames for the sake of their number.
    fn look_after<T>(
        &mut self,
        connection: Pin<&mut impl Future<Output = T>>,
        cx: &mut Context<'_>,
        exchanges: &Exchanges,
        shared: &Shared,
    ) -> Poll<Result<T, Fault>> {
        let turn = connection.poll(cx);
        let refused = self.counts.streams().saturating_sub(exchanges.begun());
        for _ in self.refused..refused {
            shared.telemetry.metrics.count_refused_stream();
        }
        self.refused = self.refused.max(refused);
        if self.counts.is_flooded() { Poll::Ready(Err(Fault::Flood)) } else { turn.map(Ok) }
    }
}

/// Whether an error is of the bytes' way and not of what they say.
fn is_of_transport(error: &hyper::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}
