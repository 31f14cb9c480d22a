//! One exchange: a request in, the upstream's response out, cookies enforced on the way.
//!
//! The decisions are made and carried out in `enforce`; here is the order of steps around them.
//! "Upstream" is the portal's side and "client" the visitor's, as proxies use the words; RFC 9110
//! uses upstream and downstream for the flow of one message.

mod body;
mod client;
mod error;
mod fields;
mod forward;
mod gateway;
mod gather;
mod own;
mod page;
mod raw_head;
mod retry;
mod route;
mod upgrade;
mod upstream;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::header::{ALT_SVC, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use tokio::sync::oneshot;

pub use body::{BodyError, ResponseBody};
pub use client::{Client, Keep};
pub use error::{ProxyError, UpstreamError};
pub use gateway::{Gateway, Readiness, Site};
pub use gather::poll_write_pieces;
pub use raw_head::empty_lines;
pub use upstream::Upstreams;

use crate::charter::Language;
use crate::config::unix_now;
use crate::consent::Consent;
use crate::enforce::{self, Direction, Mode, Withdrawal};
use crate::policy::Context;
use body::{Pace, RequestBody, Upload};
use fields::{Field, Fields};
use retry::{Failed, Spare};
use route::{Route, route};
use upgrade::Upgrade;
use upstream::{Attempts, Lease, Purpose};

/// How long a client that expects `100 Continue` is kept waiting for the upstream's word.
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves exchanges on one thread, with connections of its own to every upstream.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    index: usize,
}

impl Worker {
    /// The worker with this number, from 0.
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self { index }
    }

    /// Answers one request by the configuration in `gateway`, whatever happens.
    pub async fn answer(
        &self,
        gateway: &Gateway,
        client: &Client,
        request: Request<Incoming>,
    ) -> Response<ResponseBody> {
        let started = Instant::now();
        let method = request.method().clone();
        let found = match route(gateway, client, &request) {
            Ok(found) => found,
            Err(error) => {
                gateway.telemetry.metrics.count_siteless(Some(&method), error.status());
                if gateway.telemetry.budget.allows_one() {
                    let (status, peer) = (error.status().as_u16(), client.peer());
                    let authority = route::shown(&request);
                    tracing::info!(%peer, %authority, status, %error, "refused");
                }
                return page::error(error.status(), Language::English);
            }
        };
        let site = found.site;
        let mut counted = Counted { gateway, site, method, started, status: None };
        let is_secure = client.is_secure(request.headers());
        let mut response = match to_https(&found, is_secure, &request) {
            Some(response) => {
                site.metrics.observe_request(started.elapsed());
                response
            }
            None if own::is_own(site, request.uri().path()) => {
                let response = own::answer(gateway, &found, is_secure, request).await;
                site.metrics.observe_request(started.elapsed());
                response
            }
            None => match self.exchange(gateway, &found, client, is_secure, request, started).await
            {
                Ok(response) => response,
                Err(error) => {
                    site.metrics.observe_request(started.elapsed());
                    refuse(site, &error, site.config.language)
                }
            },
        };
        if let Some(hsts) = site.config.tls.hsts.as_ref().filter(|_| is_secure) {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        counted.status = Some(response.status());
        response
    }

    /// Closes pooled connections that have waited too long.
    pub fn sweep(&self, gateway: &Gateway) {
        for site in gateway.sites() {
            site.upstreams.sweep(self.index);
        }
    }

    async fn exchange(
        &self,
        gateway: &Gateway,
        found: &Route<'_>,
        client: &Client,
        is_secure: bool,
        mut request: Request<Incoming>,
        started: Instant,
    ) -> Result<Response<ResponseBody>, ProxyError> {
        let site = found.site;
        let came_by = request.version();
        let fields = Fields::of(request.headers());
        route::check(&request, fields, &gateway.server.limits)?;
        let upgrade = Upgrade::of(&mut request, fields)?;
        route::to_origin_form(&mut request);
        let mut context = Context {
            charter: &site.config.charter,
            consent: Consent::default(),
            host: &found.host,
            now: unix_now(),
        };
        forward::remove_hop_by_hop(request.headers_mut(), fields, Direction::Request);
        forward::settle_length(request.headers_mut(), fields);
        forward::remove_lookalikes(request.headers_mut(), fields);
        if came_by == Version::HTTP_2 {
            forward::rejoin_cookies(request.headers_mut());
        }
        let rule = site.config.withdrawal;
        let mut withdrawal = Withdrawal::new(rule, request.method(), is_secure);
        let headers = request.headers_mut();
        context.consent = enforce_request(gateway, site, &context, headers, &mut withdrawal)?;
        client.announce(request.headers_mut(), fields);
        forward::add_via(request.headers_mut(), came_by);
        if let Some(host) = &site.config.upstream.host {
            request.headers_mut().insert(HOST, host.clone());
        }
        let purpose = match &upgrade {
            Some(_) => {
                Upgrade::ask(request.headers_mut());
                Purpose::Upgrade
            }
            None => Purpose::Exchange,
        };
        let (request, upload) = prepare(gateway, site, request, fields);
        let (mut response, lease) = self.send(site, request, upload, purpose).await?;
        let fields = Fields::of_answer(response.headers());
        let switched = check_answer(&response, fields, upgrade.as_ref())?;
        let answered_by = response.version();
        *response.version_mut() = Version::HTTP_11;
        forward::remove_hop_by_hop(response.headers_mut(), fields, Direction::Response);
        forward::settle_length(response.headers_mut(), fields);
        if response.status() == StatusCode::NO_CONTENT && fields.have(Field::ContentLength) {
            // Which it must not have (RFC 9110 8.6), and which some clients wait for.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        // An alternative (RFC 7838) is the upstream's own, and would lead around the firewall.
        if fields.have(Field::AltSvc) {
            response.headers_mut().remove(ALT_SVC);
        }
        enforce_response(site, &context, response.headers_mut(), &lease, &withdrawal);
        forward::add_via(response.headers_mut(), answered_by);
        if let Some(upgrade) = upgrade.filter(|_| switched) {
            upgrade.grant(&mut response)?;
            let upstream = hyper::upgrade::on(&mut response);
            upgrade.tunnel(upstream, Arc::clone(site), (lease, client.keep()));
            site.metrics.observe_request(started.elapsed());
            return Ok(response.map(|_| ResponseBody::Page(None)));
        }
        let (parts, body) = response.into_parts();
        let body = ResponseBody::upstream(body, lease, Arc::clone(site), started);
        Ok(Response::from_parts(parts, body))
    }

    /// Sends the request upstream, again where it was not processed or may be twice.
    async fn send(
        &self,
        site: &Arc<Site>,
        mut request: Request<RequestBody>,
        upload: Option<Arc<Upload>>,
        purpose: Purpose,
    ) -> Result<(Response<Incoming>, Lease), ProxyError> {
        let mut attempts = Attempts::new(purpose, site.upstreams.retries());
        let first = Instant::now();
        let mut now = first;
        loop {
            let leasing = site.upstreams.lease(self.index, &mut attempts, now);
            let (lease, was_awaited) = with_patience(leasing).await;
            let mut lease = lease?;
            if was_awaited {
                // An upstream has its time from the request on, and connecting a limit of its own.
                now = Instant::now();
            }
            let may_go_on = attempts.may_go_on(lease.is_reused());
            let spare = may_go_on.then(|| Spare::of(&request)).flatten();
            let limit = site.config.timeouts.first_byte;
            let answer = pin!(lease.send(request));
            let answer = within(limit, now, upload.as_deref(), answer).await;
            now = Instant::now();
            let failed = match answer {
                Ok(Ok(response)) => {
                    lease.succeeded();
                    site.metrics.observe_upstream(now.saturating_duration_since(first));
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

/// What a client has closed or given up before there was an answer; the code is nginx's, and is sent to
/// nobody.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Counts a request once it is answered, or dropped because nobody waits for an answer any more: a
/// portal that is too slow for everybody would have no slow request otherwise, and no failed one.
struct Counted<'r> {
    gateway: &'r Gateway,
    site: &'r Site,
    method: Method,
    started: Instant,
    status: Option<StatusCode>,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let status = self.status.unwrap_or_else(|| {
            self.site.metrics.observe_request(self.started.elapsed());
            StatusCode::from_u16(CLIENT_CLOSED_REQUEST).expect("a code of three digits")
        });
        let metrics = &self.gateway.telemetry.metrics;
        self.site.metrics.count_request(metrics, &self.site.config, &self.method, status);
    }
}

/// The request as it is sent: its body streamed, and held back while the client expects
/// `100 Continue` and the upstream has not given its word.
fn prepare(
    gateway: &Gateway,
    site: &Arc<Site>,
    request: Request<Incoming>,
    fields: Fields,
) -> (Request<RequestBody>, Option<Arc<Upload>>) {
    let (mut parts, incoming) = request.into_parts();
    parts.version = Version::HTTP_11;
    let waits = forward::expects_continue(&parts.headers, fields);
    if fields.have(Field::Expect) {
        // Without a body there is nothing to expect (RFC 9110 10.1.1), and an upstream that waits
        // for one all the same would take the next request for it.
        parts.headers.remove(EXPECT);
    }
    if incoming.is_end_stream() {
        return (Request::from_parts(parts, RequestBody::none()), None);
    }
    if waits {
        parts.headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
    let (go_ahead, word) = oneshot::channel();
    let word = waits.then(|| Box::pin(tokio::time::timeout(CONTINUE_TIMEOUT, word)));
    let pace = Pace::new(&gateway.server);
    let (body, upload) = RequestBody::new(incoming, pace, Arc::clone(site), word);
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

/// What `future` comes to, and whether it was waited for.
async fn with_patience<F: Future>(future: F) -> (F::Output, bool) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    });
    (output.await, polls > 1)
}

/// Waits for the head of a response: `limit` at most from the last piece of the request on, and from
/// `now` where it has none. A client that keeps the upstream waiting has a limit of its own.
async fn within<T>(
    limit: Duration,
    now: Instant,
    upload: Option<&Upload>,
    mut response: Pin<&mut impl Future<Output = T>>,
) -> Result<T, ProxyError> {
    let mut due = now + limit;
    loop {
        if let Ok(response) = tokio::time::timeout_at(due.into(), response.as_mut()).await {
            return Ok(response);
        }
        match upload.map(|upload| upload.due(limit)) {
            Some(later) if later > due => due = later,
            _ => return Err(UpstreamError::FirstByteTimeout.into()),
        }
    }
}

/// Refuses an answer that cannot be passed on as what it is; says whether it is the switch to a
/// WebSocket that was asked for.
fn check_answer<B>(
    response: &Response<B>,
    fields: Fields,
    upgrade: Option<&Upgrade>,
) -> Result<bool, UpstreamError> {
    let refused = |error: &'static str| Err(UpstreamError::Protocol(error.into()));
    if forward::has_unknown_coding(response.headers(), fields) {
        return refused("a transfer coding other than chunked");
    }
    match upgrade {
        Some(_) if upgrade::is_switch(response) => Ok(true),
        _ if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            refused("a switch of protocols that nobody asked for")
        }
        Some(upgrade) if upgrade.is_misread(response.status()) => {
            refused("a WebSocket answered with a page")
        }
        _ => Ok(false),
    }
}

fn enforce_request(
    gateway: &Gateway,
    site: &Site,
    context: &Context<'_>,
    headers: &mut HeaderMap,
    withdrawal: &mut Withdrawal,
) -> Result<Consent, ProxyError> {
    let mut report = gateway.telemetry.report();
    let (rules, limits) = (&site.config.consent, &gateway.server.limits.cookies);
    let mode = site.config.mode;
    let result = enforce::request(headers, context, rules, limits, mode, withdrawal, &mut report);
    site.record(&report);
    let consent = result.map_err(|enforce::OverLimit| ProxyError::TooManyCookies)?;
    site.metrics.count_consent(consent.state());
    Ok(consent)
}

fn enforce_response(
    site: &Site,
    context: &Context<'_>,
    headers: &mut HeaderMap,
    lease: &Lease,
    withdrawal: &Withdrawal,
) {
    let mut report = site.telemetry.report();
    let aside = lease.set_aside();
    enforce::set_aside(aside.iter().map(|line| &**line), context, &mut report);
    enforce::response(headers, context, site.config.mode, &mut report);
    enforce::expire(headers, context, withdrawal, site.config.mode, &mut report);
    if site.config.mode == Mode::Enforce {
        enforce::keep_private(headers, site.config.cache);
    }
    site.record(&report);
}

/// The redirect to https, where the site wants it and the request came without. What certificate
/// authorities ask for stays reachable in clear text (RFC 8555 8.3).
fn to_https<B>(
    found: &Route<'_>,
    is_secure: bool,
    request: &Request<B>,
) -> Option<Response<ResponseBody>> {
    let port = found.site.config.tls.redirect.filter(|_| !is_secure)?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if path.starts_with("/.well-known/acme-challenge/") {
        return None;
    }
    // The target of OPTIONS * has no path.
    let path = if path.starts_with('/') { path } else { "/" };
    let host = &found.host;
    let location = match port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    };
    Some(page::redirect(&location, found.site.config.language))
}

/// The page for an error, after it has been counted and logged once.
fn refuse(site: &Site, error: &ProxyError, language: Language) -> Response<ResponseBody> {
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
    } else if let ProxyError::ChoiceNotStored(_) = error {
        // Anybody can send choices to a disk that is full; each is counted.
        if site.telemetry.budget.allows_one() {
            tracing::error!(site = %site.config.domain, error = %chain(error), "no proof of consent");
        }
    } else if site.telemetry.budget.allows_one() {
        tracing::info!(site = %site.config.domain, status = status.as_u16(), %error, "refused");
    }
    let mut response = page::error(status, language);
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
