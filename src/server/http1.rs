//! HTTP/1.1 on a client's connection.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{LAST_REQUEST, Serving, Terms, stopped};
use super::fault::{Ended, Fault};
use crate::config::Limits;
use crate::proxy::Client;

/// Bytes that hyper reads ahead at most, and at least: its buffers grow with the traffic.
const READ_BUFFER: usize = 64 * 1024;

/// Serves HTTP/1.1 on `stream` to its end.
pub(super) async fn serve<S>(
    mut serving: Serving,
    stream: S,
    client: Client,
    terms: &Terms,
) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let open = Arc::clone(&terms.open);
    let client = Arc::new(client.kept_by(Arc::new(move || Box::new(Arc::clone(&open)))));
    let (worker, shared) = (serving.worker, Arc::clone(&serving.shared));
    let service = service_fn(move |request| {
        let (client, shared) = (Arc::clone(&client), Arc::clone(&shared));
        async move {
            let mut response = worker.answer(&shared.gateway(), &client, request).await;
            if shared.is_stopping() {
                close(&mut response);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = builder(terms).serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopped(&mut serving.stopping, LAST_REQUEST) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match result {
        // An idle connection ends in the same way, and that is no fault.
        Err(error) if error.is_timeout() && terms.unanswered.is_there() => {
            Err(Fault::Timeout("a request's head").into())
        }
        Err(error) => {
            serving.shared.report_unreadable(terms.peer, &error);
            Ok(())
        }
        Ok(()) => Ok(()),
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

/// Says that the connection ends with this response; an upgraded one ends by its own rules.
fn close<B>(response: &mut Response<B>) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
