//! Which site a request is for, and whether it can be forwarded at all.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use super::client::Client;
use super::error::ProxyError;
use super::fields::{Field, Fields};
use super::forward;
use super::gateway::{Gateway, Site};
use crate::config::Limits;
use crate::cookie::domain::host_of;

/// What a field line costs beside its name and value (RFC 9113 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// The site that a request is for, and the host it was asked by, in lower case.
pub(super) struct Route<'g> {
    pub(super) host: Cow<'g, str>,
    pub(super) site: &'g Arc<Site>,
}

/// The longest part of an authority that the log shows, in bytes.
const MAX_SHOWN: usize = 128;

/// Finds the site by the request's authority: that of the target, else of `Host` (RFC 9112 3.2.2 and
/// 3.3, RFC 9113 8.3.1). It must be one, name a site, and be the server that the client asked for in
/// its TLS handshake (RFC 9110 7.4).
pub(super) fn route<'g, B>(
    gateway: &'g Gateway,
    client: &Client,
    request: &Request<B>,
) -> Result<Route<'g>, ProxyError> {
    let authority = authority(request)?;
    let host = host_of(authority).ok_or(ProxyError::BadRequest("a Host that is no host"))?;
    let (host, site) = gateway.site(host).ok_or(ProxyError::NoSite)?;
    match client.server_name() {
        Some(name) if name != host => Err(ProxyError::Misdirected),
        _ => Ok(Route { host, site }),
    }
}

fn authority<B>(request: &Request<B>) -> Result<&str, ProxyError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(ProxyError::BadRequest("more than one Host"));
    }
    let host = host.map(HeaderValue::to_str).transpose();
    let host = host.map_err(|_| ProxyError::BadRequest("a Host that is no host"))?;
    match (request.uri().authority(), host) {
        (Some(authority), Some(host))
            if request.version() == Version::HTTP_2
                && !authority.as_str().eq_ignore_ascii_case(host) =>
        {
            Err(ProxyError::BadRequest("a Host that is not the :authority"))
        }
        (_, None) if request.version() == Version::HTTP_11 => {
            Err(ProxyError::BadRequest("no Host"))
        }
        (Some(authority), _) => Ok(authority.as_str()),
        (None, Some(host)) => Ok(host),
        (None, None) if request.version() == Version::HTTP_2 => {
            Err(ProxyError::BadRequest("no :authority"))
        }
        (None, None) => Err(ProxyError::NoSite),
    }
}

/// The authority as the log shows it, whatever bytes it came in, and cut where it is long.
pub(super) fn shown<B>(request: &Request<B>) -> String {
    let host = || request.headers().get(HOST).map(HeaderValue::as_bytes);
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let authority = authority.or_else(host).unwrap_or_default();
    match authority.get(..MAX_SHOWN) {
        Some(begin) => format!("{}...", begin.escape_ascii()),
        None => authority.escape_ascii().to_string(),
    }
}

/// Refuses what a gateway cannot forward faithfully, or does not want to.
pub(super) fn check<B>(
    request: &Request<B>,
    fields: Fields,
    limits: &Limits,
) -> Result<(), ProxyError> {
    let scheme = request.uri().scheme();
    if scheme.is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(ProxyError::BadRequest("a target that is neither http nor https"));
    }
    if request.uri().path() == "*" && *request.method() != Method::OPTIONS {
        return Err(ProxyError::BadRequest("a target of OPTIONS alone"));
    }
    let is_authority = scheme.is_none() && request.uri().authority().is_some();
    if is_authority && *request.method() != Method::CONNECT {
        return Err(ProxyError::BadRequest("a target of CONNECT alone"));
    }
    // TRACE would echo cookies to scripts that must not read them. CONNECT is looked at elsewhere.
    if *request.method() == Method::TRACE {
        return Err(ProxyError::Method);
    }
    if forward::has_unknown_coding(request.headers(), fields) {
        return Err(ProxyError::TransferCoding);
    }
    // HTTP/1.1's parser counts as it reads; HTTP/2's leaves some room.
    if request.version() == Version::HTTP_2 && exceeds(request, limits) {
        return Err(ProxyError::HeadTooLarge);
    }
    if fields.have(Field::ContentLength)
        && length(request.headers()).is_some_and(|length| length > limits.body_bytes as u64)
    {
        return Err(ProxyError::BodyTooLarge);
    }
    Ok(())
}

/// Whether a head is larger than allowed, as HTTP/2 counts it. Cookie fields, which it splits, are
/// counted by limits of their own.
fn exceeds<B>(request: &Request<B>, limits: &Limits) -> bool {
    let target = request.uri();
    let pseudo = [
        request.method().as_str().len(),
        target.scheme_str().map_or(0, str::len),
        target.authority().map_or(0, |authority| authority.as_str().len()),
        target.path_and_query().map_or(0, |path| path.as_str().len()),
    ];
    // The names: ":method", ":scheme", ":authority" and ":path".
    let names = 7 + 7 + 10 + 5;
    let (mut fields, mut bytes) =
        (0, names + pseudo.iter().map(|len| len + FIELD_OVERHEAD).sum::<usize>());
    for (name, value) in request.headers() {
        let is_cookie = name == http::header::COOKIE;
        fields += usize::from(!is_cookie);
        bytes += name.as_str().len() + value.len() + if is_cookie { 0 } else { FIELD_OVERHEAD };
    }
    fields > limits.header_fields || bytes > limits.header_bytes
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Turns a target with an authority into origin form; the authority becomes `Host`.
pub(super) fn to_origin_form<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority() else { return };
    let Ok(authority) = HeaderValue::from_str(authority.as_str()) else { return };
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
    request.headers_mut().insert(HOST, authority);
}
