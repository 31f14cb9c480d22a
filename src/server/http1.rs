//! HTTP/1.1 on a client's connection.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::accepted::Accepted;
use super::bound::Role;
use super::connection::{Clear, LAST_REQUEST, Serving, Terms, stopped};
use super::fault::{Ended, Fault};
use super::first_bytes::Begun;
use super::lot::Idle;
use super::parking::{self, Busy, Exchanges, Kept, Sending};
use crate::config::Limits;
use crate::proxy::Client;

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
    let mut stream = Begun::new(Kept::new(stream));
    loop {
        let spoken = Box::pin(speak(&mut serving, stream, &client, &terms)).await?;
        let Some(idle) = spoken else { return Ok(()) };
        stream = idle;
        if !wake(&mut serving, &mut stream, &terms).await? {
            let _ = stream.shutdown().await;
            return Ok(());
        }
    }
}

/// As [`serve`], on a socket in clear text: where it becomes idle, it is parked, and this is over.
pub(super) async fn serve_socket(
    mut serving: Serving,
    stream: Clear,
    client: Client,
    terms: Terms,
) -> Result<(), Ended> {
    let client = kept(client, &terms);
    let mut stream = Begun::new(Kept::new(stream));
    while let Some(idle) = speak(&mut serving, stream, &client, &terms).await? {
        if idle.unread().is_empty() && idle.get_ref().get_ref().unread().is_empty() {
            drop(client);
            let socket = idle.into_inner().into_inner().into_inner().into_inner().into_std()?;
            let Some((open, _)) = Arc::into_inner(terms.open) else { return Ok(()) };
            let role = Role::Http { proxied: false };
            let accepted = Accepted { stream: socket, peer: terms.peer, role, open };
            let patience = terms.timeouts.request_head.saturating_sub(parking::AFTER);
            serving.lot.park(accepted, patience, &terms.idle);
            return Ok(());
        }
        stream = idle;
    }
    Ok(())
}

/// The client, whose tunnels keep the connection open.
fn kept(client: Client, terms: &Terms) -> Arc<Client> {
    let open = Arc::clone(&terms.open);
    Arc::new(client.kept_by(Arc::new(move || Box::new(Arc::clone(&open)))))
}

/// Speaks until the connection ends, or until it has been idle for a while: then it is returned.
async fn speak<S>(
    serving: &mut Serving,
    stream: Begun<Kept<S>>,
    client: &Arc<Client>,
    terms: &Terms,
) -> Result<Option<Begun<Kept<S>>>, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let keep = stream.get_ref().keep();
    let exchanges = Arc::<Exchanges>::default();
    let busy = Busy::new(&serving.busy);
    let (worker, shared) = (serving.worker, Arc::clone(&serving.shared));
    let (client, begun) = (Arc::clone(client), Arc::clone(&exchanges));
    let quiet = terms.quiet.clone();
    let service = service_fn(move |request| {
        let (client, shared, quiet) = (Arc::clone(&client), Arc::clone(&shared), quiet.clone());
        let under_way = begun.begin();
        async move {
            let mut response = worker.answer(&shared.gateway(), &client, request).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                quiet.tunnels();
            } else if shared.is_stopping() {
                close(&mut response);
            }
            Ok::<_, Infallible>(response.map(|body| Sending::new(body, under_way)))
        }
    });
    let connection = builder(terms).serve_connection(TokioIo::new(stream), service);
    let mut connection = connection.with_upgrades();
    let result = tokio::select! {
        result = &mut connection => result,
        () = stopped(&mut serving.stopping, LAST_REQUEST) => {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
        () = exchanges.idle(&terms.quiet, &busy) => {
            // Nothing is under way, so it ends at once, and its stream stays open.
            keep.set(true);
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            let ended = (&mut connection).await;
            keep.set(false);
            if ended.is_ok() && let Some(parts) = connection.into_parts() {
                let mut stream = parts.io.into_inner();
                stream.put_back(&parts.read_buf);
                return Ok(Some(stream));
            }
            return Ok(None);
        }
    };
    if result.is_err()
        && let Some(parts) = connection.into_parts()
    {
        // hyper has said what it had to say, and would leave it at that.
        let _ = parts.io.into_inner().shutdown().await;
    }
    match result {
        // An idle connection ends in the same way, and that is no fault.
        Err(error) if error.is_timeout() && !terms.quiet.is_there() => {
            Err(Fault::Timeout("a request's head").into())
        }
        Err(error) => {
            serving.shared.report_unreadable(terms.peer, &error);
            Ok(None)
        }
        Ok(()) => Ok(None),
    }
}

/// Waits for the next request on a connection that is parked; says whether one begins to come.
async fn wake<S>(serving: &mut Serving, stream: &mut Begun<S>, terms: &Terms) -> Result<bool, Ended>
where
    S: AsyncRead + Unpin,
{
    let _idle = Idle::new(&terms.idle);
    let patience = terms.timeouts.request_head.saturating_sub(parking::AFTER);
    tokio::select! {
        read = tokio::time::timeout(patience, stream.read_few()) => match read {
            Ok(count) => Ok(count? > 0),
            Err(_) => Ok(false),
        },
        () = stopped(&mut serving.stopping, LAST_REQUEST) => Ok(false),
    }
}

fn builder(terms: &Terms) -> http1::Builder {
    let Limits { header_bytes, header_fields, .. } = terms.limits;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
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
