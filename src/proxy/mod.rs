//! One exchange: a request in, the upstream's response out, cookies enforced on the way.
//!
//! The decisions are made and carried out in `enforce`; here is the order of steps around them.
//! "Upstream" is the portal's side and "client" the visitor's, as proxies use the words; RFC 9110
//! uses upstream and downstream for the flow of one message.

mod body;
mod error;
mod forward;
mod gateway;
mod page;
mod raw_head;
mod retry;
mod upstream;
mod watchers;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{CONNECTION, EXPECT, HOST, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as _, Incoming};
use tokio::sync::oneshot;

pub use body::{BodyError, ResponseBody};
pub use error::{ProxyError, UpstreamError};
pub use forward::Client;
pub use gateway::{Gateway, Readiness, Site};
pub use upstream::Upstreams;
pub use watchers::Watchers;

use crate::consent::Consent;
use crate::cookie::domain::host_of;
use crate::enforce;
use crate::policy::Context;
use body::{RequestBody, Upload};
use retry::Failed;
use upstream::{Attempts, Lease, Purpose};

/// How long a client that expects `100 Continue` is kept waiting for the upstream's word.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves exchanges on one thread, with connections of its own to every upstream.
pub struct Worker {
    gateway: Arc<Gateway>,
    /// Its place among the workers, from 0.
    index: usize,
}

impl Worker {
    /// The worker `index` for the sites of `gateway`.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, index: usize) -> Self {
        Self { gateway, index }
    }

    /// Answers one request, whatever happens.
    pub async fn answer(
        &self,
        client: &Client,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let started = Instant::now();
        let method = request.method().clone();
        let metrics = &self.gateway.telemetry.metrics;
        let found = match route(&self.gateway, &request) {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "refused");
                metrics.count_siteless(Some(&method), error.status());
                return page::error(error.status(), "en");
            }
        };
        let site = found.site;
        let response = match self.exchange(&found, client, request, started).await {
            Ok(response) => response,
            Err(error) => {
                site.metrics.observe_request(started.elapsed());
                refuse(site, &error)
            }
        };
        site.metrics.count_request(metrics, &site.config, &method, response.status());
        response
    }

    /// Closes pooled connections that have waited too long.
    pub fn sweep(&self) {
        for site in self.gateway.sites() {
            site.upstreams.sweep(self.index);
        }
    }

    async fn exchange(
        &self,
        found: &Route<'_>,
        client: &Client,
        mut request: Request<Incoming>,
        started: Instant,
    ) -> Result<Response<ResponseBody>, ProxyError> {
        let site = found.site;
        check(&request)?;
        if let Some(authority) = absolute_authority(&mut request) {
            request.headers_mut().insert(HOST, authority);
        }
        let mut context = Context {
            charter: &site.config.charter,
            consent: Consent::default(),
            host: found.host,
            now: unix_now(),
        };
        forward::remove_hop_by_hop(request.headers_mut());
        context.consent = self.enforce_request(site, &context, request.headers_mut())?;
        client.announce(request.headers_mut());
        forward::add_via(request.headers_mut());
        if let Some(host) = &site.config.upstream.host {
            request.headers_mut().insert(HOST, host.clone());
        }
        let sent = Instant::now();
        let (mut response, lease) = self.send(site, request).await?;
        site.metrics.observe_upstream(sent.elapsed());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let error = "a switch of protocols that nobody asked for";
            return Err(UpstreamError::Protocol(error.into()).into());
        }
        if forward::has_unknown_coding(response.headers()) {
            let error = "a transfer coding other than chunked";
            return Err(UpstreamError::Protocol(error.into()).into());
        }
        *response.version_mut() = Version::HTTP_11;
        forward::remove_hop_by_hop(response.headers_mut());
        enforce_response(site, &context, response.headers_mut(), &lease);
        forward::add_via(response.headers_mut());
        let (parts, body) = response.into_parts();
        let body = ResponseBody::upstream(body, lease, Arc::clone(site), started);
        Ok(Response::from_parts(parts, body))
    }

    fn enforce_request(
        &self,
        site: &Site,
        context: &Context<'_>,
        headers: &mut HeaderMap,
    ) -> Result<Consent, ProxyError> {
        let mut report = self.gateway.telemetry.report();
        let (rules, limits) = (&site.config.consent, &self.gateway.limits);
        let mode = site.config.mode;
        let result = enforce::request(headers, context, rules, limits, mode, &mut report);
        site.record(&report);
        let consent = result.map_err(|enforce::OverLimit| ProxyError::TooManyCookies)?;
        site.metrics.count_consent(consent.state());
        Ok(consent)
    }

    /// Sends the request upstream, again where it was not processed or may be twice.
    async fn send(
        &self,
        site: &Arc<Site>,
        request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, Lease), ProxyError> {
        let is_upgrade = request.headers().contains_key(UPGRADE);
        let purpose = if is_upgrade { Purpose::Upgrade } else { Purpose::Exchange };
        let mut attempts = Attempts::new(purpose, site.upstreams.retries());
        let (mut request, upload) = prepare(site, request);
        loop {
            let mut lease = site.upstreams.lease(self.index, &mut attempts).await?;
            let may_go_on = attempts.may_go_on(lease.is_reused());
            let spare = may_go_on.then(|| retry::spare(&request)).flatten();
            let limit = site.config.timeouts.first_byte;
            let answer = within(limit, upload.as_deref(), lease.send(request)).await;
            let failed = match answer {
                Ok(Ok(response)) => {
                    lease.succeeded();
                    return Ok((response, lease));
                }
                Ok(Err(error)) => Failed::new(error, upload.as_deref()),
                Err(timeout) => {
                    lease.failed();
                    return Err(timeout);
                }
            };
            failed.note(&lease);
            request = failed.again(spare, &lease, &mut attempts)?;
        }
    }
}

/// The site that a request is for, and the host it was asked by.
struct Route<'g> {
    host: &'g str,
    site: &'g Arc<Site>,
}

/// The request's authority is that of an absolute-form target, else of `Host` (RFC 9112 3.2.2,
/// 3.3). It must be one, and name a site.
fn route<'g, B>(gateway: &'g Gateway, request: &Request<B>) -> Result<Route<'g>, ProxyError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let authority = match (request.uri().authority(), hosts.next(), hosts.next()) {
        (_, _, Some(_)) => return Err(ProxyError::BadRequest("more than one Host")),
        (_, None, _) if request.version() == Version::HTTP_11 => {
            return Err(ProxyError::BadRequest("no Host"));
        }
        (Some(authority), _, _) => authority.as_str(),
        (None, Some(host), _) => {
            host.to_str().map_err(|_| ProxyError::BadRequest("a Host that is no host"))?
        }
        (None, None, _) => return Err(ProxyError::NoSite),
    };
    let host = host_of(authority).ok_or(ProxyError::BadRequest("a Host that is no host"))?;
    let (host, site) = gateway.site(host).ok_or(ProxyError::NoSite)?;
    Ok(Route { host, site })
}

/// Refuses what a gateway cannot forward faithfully.
fn check(request: &Request<Incoming>) -> Result<(), ProxyError> {
    // CONNECT asks for a tunnel; TRACE would echo cookies to scripts that must not read them.
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(ProxyError::Method);
    }
    if forward::has_unknown_coding(request.headers()) {
        return Err(ProxyError::TransferCoding);
    }
    Ok(())
}

/// Turns an absolute-form target into origin form; returns its authority, which replaces `Host`.
fn absolute_authority<B>(request: &mut Request<B>) -> Option<HeaderValue> {
    let authority = request.uri().authority()?;
    let authority = HeaderValue::from_str(authority.as_str()).ok()?;
    let path = request.uri().path_and_query().cloned();
    let root = || PathAndQuery::from_static("/");
    *request.uri_mut() = Uri::from(path.unwrap_or_else(root));
    Some(authority)
}

/// The request as it is sent: its body streamed, and held back while the client expects
/// `100 Continue` and the upstream has not given its word.
fn prepare(
    site: &Arc<Site>,
    request: Request<Incoming>,
) -> (Request<RequestBody>, Option<Arc<Upload>>) {
    let (mut parts, incoming) = request.into_parts();
    parts.version = Version::HTTP_11;
    if incoming.is_end_stream() {
        return (Request::from_parts(parts, RequestBody::none()), None);
    }
    let waits = forward::expects_continue(&parts.headers);
    parts.headers.remove(EXPECT);
    if waits {
        parts.headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    let upload = Arc::<Upload>::default();
    let (go_ahead, word) = oneshot::channel();
    let word = waits.then(|| Box::pin(tokio::time::timeout(CONTINUE_TIMEOUT, word)));
    let body = RequestBody::new(incoming, Arc::clone(site), Arc::clone(&upload), word);
    let mut request = Request::from_parts(parts, body);
    if waits {
        let go_ahead = Mutex::new(Some(go_ahead));
        hyper::ext::on_informational(&mut request, move |response| {
            if response.status() == StatusCode::CONTINUE
                && let Ok(mut go_ahead) = go_ahead.lock()
                && let Some(go_ahead) = go_ahead.take()
            {
                let _ = go_ahead.send(());
            }
        });
    }
    (request, Some(upload))
}

/// Waits for the head of a response, `limit` at most from the last piece of the request on.
async fn within<T>(
    limit: Duration,
    upload: Option<&Upload>,
    response: impl Future<Output = T>,
) -> Result<T, ProxyError> {
    let mut response = std::pin::pin!(response);
    loop {
        let before = upload.map(Upload::progress);
        match tokio::time::timeout(limit, &mut response).await {
            Ok(response) => return Ok(response),
            Err(_) if upload.map(Upload::progress) != before => {}
            Err(_) => return Err(UpstreamError::FirstByteTimeout.into()),
        }
    }
}

fn enforce_response(site: &Site, context: &Context<'_>, headers: &mut HeaderMap, lease: &Lease) {
    let mut report = site.telemetry.report();
    let aside = lease.set_aside();
    enforce::set_aside(aside.iter().map(|line| &**line), context, &mut report);
    enforce::response(headers, context, site.config.mode, &mut report);
    site.record(&report);
}

/// The page for an error, after it has been counted and logged once.
fn refuse(site: &Site, error: &ProxyError) -> Response<ResponseBody> {
    let status = error.status();
    if let ProxyError::Upstream(upstream) = error {
        let metrics = &site.telemetry.metrics;
        site.metrics.count_upstream_error(metrics, &site.config, upstream.kind());
        tracing::warn!(
            site = %site.config.domain,
            status = status.as_u16(),
            kind = upstream.kind(),
            error = %chain(error),
            "upstream failed"
        );
    } else {
        tracing::debug!(site = %site.config.domain, status = status.as_u16(), %error, "refused");
    }
    let mut response = page::error(status, &site.config.language);
    if matches!(error, ProxyError::BadRequest(_) | ProxyError::TransferCoding) {
        // Where a request may end otherwise than it was read, nothing is read behind it.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Seconds since 1970; a clock set before that counts as 1970.
fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
