//! What the firewall answers itself on a site: the page, its logo, and the forms that are sent in.
//!
//! Nothing below the prefix reaches the upstream. What the page holds is for `page` to say; here is
//! HTTP around it.

mod origin;
mod proof;

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HOST, LOCATION, REFERRER_POLICY, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};

use super::body::ResponseBody;
use super::error::ProxyError;
use super::fields::Fields;
use super::gateway::{Gateway, Site};
use super::route::{self, Route};
use crate::charter::{CharterView, Language, render};
use crate::config::unix_now;
use crate::consent::{Answer, Consent, Ids};
use crate::enforce::{self, Withdrawal};
use crate::page::{self, Form, Outcome, Published, View};
use crate::policy::Context;
use crate::telemetry::charter_hash;

/// Everything below it is the firewall's own.
const PREFIX: &str = "/.well-known/cookie-firewall/";
const PREFERENCES: &str = "/.well-known/cookie-firewall/preferences";
const LOGO: &str = "/.well-known/cookie-firewall/logo";

/// How long user agents keep a logo.
const LOGO_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// Whether the firewall answers for this path of a site itself.
pub(super) fn is_own(site: &Site, path: &str) -> bool {
    path.starts_with(PREFIX)
        || Some(path) == PREFIX.strip_suffix('/')
        || Some(path) == site.config.page.path.as_deref()
}

/// Answers a request for such a path.
pub(super) async fn answer(
    gateway: &Gateway,
    found: &Route<'_>,
    is_secure: bool,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let visit = Visit::of(found, is_secure, request.uri().query(), request.headers());
    let result = match visit.check(gateway, &request) {
        Ok(()) => visit.answer(gateway, request).await,
        Err(error) => Err(error),
    };
    let mut response = result.unwrap_or_else(|error| visit.refuse(&error));
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: with it, user agents send `Origin: null` with the page's own form.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // An error's page, and what is no page at all, need nothing.
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(
        "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ));
    response
}

/// What of a site's page is the same for every visitor, made when first asked for.
#[derive(Debug, Default)]
pub(super) struct Pages {
    style: OnceLock<Style>,
    /// In the order of [`Language::ALL`].
    shown: [OnceLock<Shown>; Language::ALL.len()],
}

#[derive(Debug)]
struct Style {
    css: String,
    /// The page's policy, which allows this style sheet and no other.
    policy: HeaderValue,
}

#[derive(Debug)]
struct Shown {
    published: Published,
    /// See [`crate::telemetry::RecordedChoice::charter_hash`].
    hash: String,
}

impl Pages {
    fn style(&self, site: &Site) -> &Style {
        self.style.get_or_init(|| {
            let css = page::css(site.config.page.accent);
            let hash = STANDARD.encode(digest::digest(&digest::SHA256, css.as_bytes()));
            let policy = format!(
                "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self'; \
                 form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            );
            let policy = HeaderValue::from_maybe_shared(Bytes::from(policy));
            Style { css, policy: policy.expect("base64 in a field") }
        })
    }

    fn shown(&self, site: &Site, language: Language) -> &Shown {
        self.shown[language as usize].get_or_init(|| {
            let view = CharterView::of(&site.config.domain, &site.config.charter);
            let hash = charter_hash(render::page_json(&view, language).as_bytes());
            let title = site.config.page.title.as_deref();
            Shown { published: Published::new(&view, language, site.config.language, title), hash }
        })
    }
}

/// One visitor's request.
struct Visit<'r> {
    site: &'r Arc<Site>,
    host: &'r str,
    is_secure: bool,
    language: Language,
    /// The page comes after a form.
    is_after: bool,
    /// Seconds since 1970.
    now: i64,
}

impl<'r> Visit<'r> {
    fn of(found: &'r Route<'_>, is_secure: bool, query: Option<&str>, headers: &HeaderMap) -> Self {
        let fields = || form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let asked = fields().find(|(name, _)| name == "lang").map(|(_, value)| value);
        let accepted = headers.get_all(ACCEPT_LANGUAGE).into_iter().map(HeaderValue::as_bytes);
        let own = found.site.config.language;
        Self {
            site: found.site,
            host: &found.host,
            is_secure,
            language: page::negotiated(asked.as_deref(), accepted, own),
            is_after: fields().any(|(name, _)| name == "saved"),
            now: unix_now(),
        }
    }

    /// The same in the language of a form.
    fn in_language_of(&self, form: &Form) -> Self {
        let language = form.language.as_deref().and_then(Language::tagged);
        Self { language: language.unwrap_or(self.language), ..*self }
    }

    fn check(&self, gateway: &Gateway, request: &Request<Incoming>) -> Result<(), ProxyError> {
        route::check(request, Fields::of(request.headers()), &gateway.server.limits)
    }

    async fn answer(
        &self,
        gateway: &Gateway,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, ProxyError> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let path = request.uri().path();
        if path == PREFERENCES {
            return match *request.method() {
                Method::POST => self.choose(gateway, request).await,
                _ => Ok(self.only("POST")),
            };
        }
        let page = [Some(PREFIX), self.site.config.page.path.as_deref()];
        let is_page = page.contains(&Some(path));
        let logo = self.site.config.page.logo.as_ref().filter(|_| path == LOGO);
        match logo {
            _ if Some(path) == PREFIX.strip_suffix('/') => {
                Ok(redirect(StatusCode::PERMANENT_REDIRECT, PREFIX))
            }
            None if !is_page => Err(ProxyError::NotFound),
            _ if !reads => Ok(self.only("GET, HEAD")),
            Some(logo) => Ok(served(logo)),
            None => {
                let outcome = self.is_after.then_some(Outcome::Saved);
                let rules = &self.site.config.consent;
                let (consent, gpc) = enforce::consent(request.headers(), rules, self.now);
                let mut page = self.page(consent, gpc, outcome, StatusCode::OK);
                self.expire(gateway, &request, page.headers_mut());
                Ok(page)
            }
        }
    }

    /// Reads a form of the site's own page, and stores what it says.
    async fn choose(
        &self,
        gateway: &Gateway,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, ProxyError> {
        let (parts, body) = request.into_parts();
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(http::uri::Authority::as_str).or(host);
        let authority = authority.unwrap_or_default();
        if !origin::is_same(&parts.headers, self.is_secure, authority) {
            return Err(ProxyError::CrossSite);
        }
        if !is_form(&parts.headers) {
            return Err(ProxyError::NoForm);
        }
        let rules = &self.site.config.consent;
        let body = read(gateway, body, page::form_bytes(rules)).await?;
        let form =
            Form::parse(&body).map_err(|_| ProxyError::BadRequest("a form without choice"))?;
        Ok(self.in_language_of(&form).store(gateway, &parts.headers, &form).await)
    }

    /// Stores what the form says: first its proof, then the cookies.
    async fn store(
        &self,
        gateway: &Gateway,
        headers: &HeaderMap,
        form: &Form,
    ) -> Response<ResponseBody> {
        let rules = &self.site.config.consent;
        if page::offers(rules).next().is_none() {
            return redirect(StatusCode::SEE_OTHER, &self.home(""));
        }
        let (consent, gpc) = enforce::consent(headers, rules, self.now);
        let granted = form.granted(rules, gpc);
        if form.is_stale(&self.shown().hash) && !granted.is_empty() {
            let outcome = Outcome::CharterChanged;
            return self.answer_form(&ProxyError::CharterChanged, outcome, consent, gpc);
        }
        let chosen =
            proof::Chosen { at: self.now, language: self.language, choice: form.choice, granted };
        let mut response = match proof::prove(gateway, self.site, chosen).await {
            Ok(()) => redirect(StatusCode::SEE_OTHER, &self.home("saved&")),
            // Whoever takes consent back, all or some of it, is not to wait until somebody has made room
            // on a disk (GDPR, article 7(3)).
            Err(error) if granted.is_empty() || consent.answer(granted) == Answer::Granted => {
                let (error, outcome) = (ProxyError::ChoiceNotStored(error), Outcome::NotRecorded);
                self.answer_form(&error, outcome, rules.chosen(granted), gpc)
            }
            Err(error) => {
                let (error, outcome) = (ProxyError::ChoiceNotStored(error), Outcome::NotStored);
                return self.answer_form(&error, outcome, consent, gpc);
            }
        };
        let metrics = &gateway.telemetry.metrics;
        self.site.metrics.count_choice(metrics, &self.site.config, form.choice.as_str());
        let came = |name: &str| has_cookie(headers, name.as_bytes());
        for line in page::set_cookies(rules, granted, self.now, self.host, self.is_secure, came) {
            let line = HeaderValue::from_maybe_shared(Bytes::from(line));
            response.headers_mut().append(SET_COOKIE, line.expect("tools write ASCII"));
        }
        response
    }

    /// The page's address.
    fn address(&self) -> &'r str {
        self.site.config.page.path.as_deref().unwrap_or(PREFIX)
    }

    /// The same with this in its query.
    fn home(&self, query: &str) -> String {
        format!("{}?{query}lang={}", self.address(), self.language.tag())
    }

    fn shown(&self) -> &'r Shown {
        self.site.pages.shown(self.site, self.language)
    }

    fn page(
        &self,
        consent: Consent,
        gpc: Ids,
        outcome: Option<Outcome>,
        status: StatusCode,
    ) -> Response<ResponseBody> {
        let Shown { published, hash } = self.shown();
        let style = self.site.pages.style(self.site);
        let html = page::render(&View {
            published,
            rules: &self.site.config.consent,
            consent,
            gpc,
            outcome,
            charter: hash,
            address: self.address(),
            action: PREFERENCES,
            logo: self.site.config.page.logo.as_ref().map(|_| LOGO),
            style: &style.css,
        });
        let mut response = Response::new(ResponseBody::Page(Some(Bytes::from(html))));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(self.language.tag()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie, Sec-GPC"));
        headers.insert(CONTENT_SECURITY_POLICY, style.policy.clone());
        response
    }

    /// Expires what the visitor has refused: after a choice this page is the first to be asked for, and
    /// it may be the last.
    fn expire(&self, gateway: &Gateway, request: &Request<Incoming>, answer: &mut HeaderMap) {
        let config = &self.site.config;
        let (consent, _) = enforce::consent(request.headers(), &config.consent, self.now);
        let context = Context { charter: &config.charter, consent, host: self.host, now: self.now };
        let mut withdrawal = Withdrawal::new(config.withdrawal, request.method(), self.is_secure);
        withdrawal.look(request.headers(), &context, &config.consent);
        let mut report = gateway.telemetry.report();
        enforce::expire(answer, &context, &withdrawal, config.mode, &mut report);
        self.site.record(&report);
    }

    /// The answer to a method that is not among these.
    fn only(&self, methods: &'static str) -> Response<ResponseBody> {
        let mut response = self.refuse(&ProxyError::Method);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        response
    }

    /// An error's page in the visitor's language.
    fn refuse(&self, error: &ProxyError) -> Response<ResponseBody> {
        let mut response = super::refuse(self.site, error, self.language);
        response.headers_mut().entry(VARY).or_insert(HeaderValue::from_static("Accept-Language"));
        response
    }

    /// The page itself in place of an error's, to choose again.
    fn answer_form(
        &self,
        error: &ProxyError,
        outcome: Outcome,
        consent: Consent,
        gpc: Ids,
    ) -> Response<ResponseBody> {
        // Logged as any error is.
        super::refuse(self.site, error, self.language);
        self.page(consent, gpc, Some(outcome), error.status())
    }
}

fn redirect(status: StatusCode, location: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Page(None));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let location = HeaderValue::from_str(location).expect("a path of the configuration");
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The logo. An SVG that is opened by itself runs nothing and loads nothing.
fn served(logo: &page::Logo) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Page(Some(logo.bytes.clone())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(logo.kind.media_type()));
    headers.insert(CACHE_CONTROL, LOGO_CACHING);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// A form's bytes, of which few are taken and for which nobody is waited long.
async fn read(gateway: &Gateway, body: Incoming, most: usize) -> Result<Bytes, ProxyError> {
    // Before the client is told to go on sending.
    if body.size_hint().lower() > most as u64 {
        return Err(ProxyError::BodyTooLarge);
    }
    let limit = gateway.server.timeouts.request_body;
    let read = Limited::new(body, most).collect();
    match tokio::time::timeout(limit, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ProxyError::BodyTooLarge),
        Ok(Err(_)) => Err(ProxyError::BadRequest("a form that cannot be read")),
        Err(_) => Err(ProxyError::ClientStalled),
    }
}

fn has_cookie(headers: &HeaderMap, name: &[u8]) -> bool {
    enforce::pairs(headers).any(|pair| pair.name == name)
}
