//! The admin listener: metrics and health, on an address of its own.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::Shared;
use super::reload::{NotLoaded, Ready, Wish};
use crate::proxy::{Gateway, Readiness};

/// Where a reload is asked for.
const RELOAD: &str = "/-/reload";

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Prometheus' text exposition format.
const EXPOSITION: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What answers on the admin listener.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) shared: Arc<Shared>,
    /// What `/readyz` tells.
    pub(super) ready: Ready,
    /// Where reloads are asked for.
    pub(super) wishes: mpsc::Sender<Wish>,
}

impl Admin {
    /// Serves until told to stop.
    pub(super) async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.changed() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(super::ACCEPT_PAUSE).await;
                continue;
            };
            let admin = self.clone();
            let service = service_fn(move |request| {
                let admin = admin.clone();
                async move { Ok::<_, Infallible>(admin.answer(&request).await) }
            });
            tokio::spawn(async move {
                let mut builder = http1::Builder::new();
                builder.timer(TokioTimer::new());
                // A scraper that goes away is no news.
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        match *request.method() {
            Method::POST if path == RELOAD => self.reload(request).await,
            Method::GET | Method::HEAD if path == RELOAD => not_allowed("POST"),
            Method::GET | Method::HEAD => self.show(path, request.uri().query()),
            _ => not_allowed("GET, HEAD"),
        }
    }

    fn show(&self, path: &str, query: Option<&str>) -> Response<Full<Bytes>> {
        match path {
            "/metrics" => {
                let mut response =
                    Response::new(Full::from(self.shared.telemetry.metrics.encode()));
                response.headers_mut().insert(CONTENT_TYPE, EXPOSITION);
                response
            }
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.ready.load(Ordering::Acquire) => {
                readiness(&self.shared.gateway(), query)
            }
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
            _ => text(StatusCode::NOT_FOUND, "try /metrics, /livez, /readyz or POST /-/reload\n"),
        }
    }

    /// Loads the configuration again. A page in a browser could post here without its user's
    /// knowledge, and would say where it comes from.
    async fn reload(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.headers().contains_key(ORIGIN) {
            return text(StatusCode::FORBIDDEN, "not for browsers\n");
        }
        let (wish, result) = oneshot::channel();
        let gone = || text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
        if self.wishes.send(wish).await.is_err() {
            return gone();
        }
        match result.await {
            Ok(Ok(sites)) => text(StatusCode::OK, format!("loaded: {sites} sites\n")),
            Ok(Err(NotLoaded::Mistakes(mistakes))) => {
                text(StatusCode::UNPROCESSABLE_ENTITY, format!("{mistakes}\n"))
            }
            Ok(Err(NotLoaded::Proof(error))) => {
                text(StatusCode::UNPROCESSABLE_ENTITY, format!("{error}\n"))
            }
            Ok(Err(error)) => text(StatusCode::CONFLICT, format!("{error}\n")),
            Err(_) => gone(),
        }
    }
}

/// Whether the process can serve, or with `site=DOMAIN` whether that site can.
fn readiness(gateway: &Gateway, query: Option<&str>) -> Response<Full<Bytes>> {
    let mut asked = query.into_iter().flat_map(|query| query.split('&'));
    let Some(domain) = asked.find_map(|part| part.strip_prefix("site=")) else {
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

fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {methods}\n"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
