//! The admin listener: metrics and health, on an address of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::proxy::{Gateway, Readiness};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Prometheus' text exposition format.
const EXPOSITION: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves the admin listener for ever; `ready` is what `/readyz` tells.
pub(super) async fn serve(listener: TcpListener, gateway: Arc<Gateway>, ready: Arc<AtomicBool>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(super::ACCEPT_PAUSE).await;
            continue;
        };
        let (gateway, ready) = (Arc::clone(&gateway), Arc::clone(&ready));
        let service = service_fn(move |request| {
            let response = answer(&request, &gateway, ready.load(Ordering::Acquire));
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new());
            // A scraper that goes away is no news.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(request: &Request<Incoming>, gateway: &Gateway, ready: bool) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => {
            let mut response = Response::new(Full::from(gateway.telemetry.metrics.encode()));
            response.headers_mut().insert(CONTENT_TYPE, EXPOSITION);
            response
        }
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" if !ready => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        "/readyz" => readiness(gateway, request.uri().query()),
        _ => text(StatusCode::NOT_FOUND, "try /metrics, /livez or /readyz\n"),
    }
}

/// Whether the process can serve, or with `site=DOMAIN` whether that site can.
fn readiness(gateway: &Gateway, query: Option<&str>) -> Response<Full<Bytes>> {
    let asked = query.into_iter().flat_map(|query| query.split('&'));
    let Some(domain) = asked.filter_map(|part| part.strip_prefix("site=")).next() else {
        return all_sites(&gateway.readiness());
    };
    match gateway.site(domain) {
        None => text(StatusCode::NOT_FOUND, "no such site\n"),
        Some((_, site)) if site.upstreams.is_ready() => text(StatusCode::OK, "ok\n"),
        Some(_) => text(StatusCode::SERVICE_UNAVAILABLE, "down\n"),
    }
}

fn all_sites(readiness: &Readiness<'_>) -> Response<Full<Bytes>> {
    let status = if readiness.is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let down: String = readiness.down.iter().map(|domain| format!("down: {domain}\n")).collect();
    text(status, if readiness.is_ready { format!("ok\n{down}") } else { down })
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
