//! The portal that the demo puts behind the firewall: a small site in the manner of Opendatasoft
//! which sets its trackers with every page, asked or not, and one cookie that no charter declares.
//!
//! It plays the origin. It therefore reads cookies by itself, as origins do, and leaves everything
//! about stopping them to what stands in front of it. Its pages name cookies and never show values.

mod register;
mod view;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION};
use http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use register::*;
use view::*;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The longest form taken; a longer one gets 413.
const FORM_LIMIT: usize = 8 * 1024;

/// How much of a longer form is read and thrown away, so that the 413 arrives: closing on unread
/// bytes resets the connection, and the reset may overtake the response.
const DISCARD_LIMIT: usize = 1024 * 1024;

/// Accepts forever and serves each connection in a task of its own.
pub(super) async fn serve(listener: TcpListener) {
    loop {
        let Ok((stream, _peer)) = listener.accept().await else {
            // Out of descriptors, as a rule: they come back when connections end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        tokio::spawn(async move {
            let service =
                service_fn(|request| async { Ok::<_, Infallible>(respond(request).await) });
            // A peer that leaves in the middle of an exchange is nobody's error here.
            let _left = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let form = match read_form(body).await {
        Ok(form) => form,
        Err(status) => return short(status),
    };
    let visit = Visit {
        method: &head.method,
        path: head.uri.path(),
        cookies: &joined(&head.headers, &COOKIE, b"; "),
        languages: &joined(&head.headers, &ACCEPT_LANGUAGE, b","),
        form: &form,
    };
    answer(&visit, Moment::now())
}

/// The whole body, or the status that says why not.
async fn read_form(mut body: Incoming) -> Result<Vec<u8>, StatusCode> {
    let mut form = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else {
            continue;
        };
        length += data.len();
        if length > DISCARD_LIMIT {
            break;
        }
        if length <= FORM_LIMIT {
            form.extend_from_slice(&data);
        }
    }
    if length > FORM_LIMIT { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(form) }
}

/// A field that may come in several lines, as one value.
fn joined(headers: &HeaderMap, name: &HeaderName, separator: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    lines.join(separator)
}

/// One request, as far as the portal reads it.
#[derive(Clone, Copy)]
struct Visit<'a> {
    method: &'a Method,
    path: &'a str,
    cookies: &'a [u8],
    languages: &'a [u8],
    form: &'a [u8],
}

/// Time and chance, handed in so that an answer depends on nothing else.
#[derive(Clone, Copy)]
struct Moment {
    unix_ms: u64,
    session: u128,
    secret: u128,
    mask: u128,
    visitor: u128,
}

impl Moment {
    fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            session: chance(),
            secret: chance(),
            mask: chance(),
            visitor: chance(),
        }
    }

    fn unix_seconds(self) -> u64 {
        self.unix_ms / 1000
    }
}

/// Numbers nobody guesses, from the keys that the standard library draws for its hash maps: enough
/// for a demo, and no dependency.
fn chance() -> u128 {
    let half = |side: u8| u128::from(RandomState::new().hash_one(side));
    (half(0) << 64) | half(1)
}

impl<'a> Visit<'a> {
    /// The cookies of the request, as an origin reads them: name and value, in their order.
    fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let trimmed = self.cookies.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        trimmed.filter(|pair| !pair.is_empty()).map(|pair| {
            match pair.iter().position(|&b| b == b'=') {
                Some(at) => (pair[..at].trim_ascii_end(), pair[at + 1..].trim_ascii_start()),
                None => (&pair[..0], pair),
            }
        })
    }

    /// The value of the first cookie with this name.
    fn cookie(&self, known: &Known) -> Option<&'a [u8]> {
        let wanted = known.name.as_bytes();
        self.pairs().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }

    /// The names that reached the portal, each once.
    fn received(&self) -> BTreeSet<String> {
        self.pairs().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    fn language(&self) -> Language {
        let chosen = self.cookie(&LANGUAGE).and_then(Language::of_tag);
        chosen.unwrap_or_else(|| Language::accepted(self.languages))
    }

    /// The visitor's answer to the banner, where there is one that can be read.
    fn preferences(&self) -> Option<Preferences> {
        let text = percent_decoded(self.cookie(&PREFERENCES)?);
        let answer: Value = serde_json::from_slice(&text).ok()?;
        let granted = |id: &str| answer.get(id).and_then(Value::as_bool).unwrap_or(false);
        answer.is_object().then(|| Preferences { matomo: granted("matomo"), ga: granted("ga") })
    }

    /// A field of the form, the first with this name.
    fn field(&self, name: &str) -> Option<Vec<u8>> {
        self.form.split(|&b| b == b'&').find_map(|pair| {
            let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            let spaced: Vec<u8> = value.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
            Some(percent_decoded(&spaced))
        })
    }

    /// The secret that the visitor's `csrftoken` holds.
    fn secret(&self) -> Option<u128> {
        number(self.cookie(&CSRF)?)
    }

    /// Whether the form comes from a page of this portal: its token unmasks to the cookie.
    fn is_own_form(&self) -> bool {
        let token = self.field("csrfmiddlewaretoken").unwrap_or_default();
        let unmasked = token
            .split_at_checked(32)
            .and_then(|(mask, masked)| Some(number(mask)? ^ number(masked)?));
        unmasked.is_some() && unmasked == self.secret()
    }
}

struct Preferences {
    matomo: bool,
    ga: bool,
}

/// The whole portal: one visit in, one response out.
fn answer(visit: &Visit<'_>, moment: Moment) -> Response<Full<Bytes>> {
    let read = matches!(*visit.method, Method::GET | Method::HEAD);
    let posted = *visit.method == Method::POST;
    match visit.path {
        "/" if read => page(visit, moment, StatusCode::OK, None),
        "/language" if posted => choose_language(visit, moment),
        "/preferences" if posted => choose_cookies(visit, moment),
        // These three set nothing, so that asking what arrived does not change what arrived.
        "/cookies.json" if read => {
            let names = json!({ "received": visit.received() });
            reply(StatusCode::OK, "application/json", names.to_string())
        }
        "/portal.css" if read => reply(StatusCode::OK, "text/css; charset=utf-8", STYLE),
        "/portal.js" if read => reply(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT),
        "/language" | "/preferences" => not_allowed("POST"),
        "/" | "/cookies.json" | "/portal.css" | "/portal.js" => not_allowed("GET, HEAD"),
        _ => {
            let notice =
                Words("Il n’y a pas de page à cette adresse.", "There is no page at this address.");
            page(visit, moment, StatusCode::NOT_FOUND, Some(notice))
        }
    }
}

fn choose_language(visit: &Visit<'_>, moment: Moment) -> Response<Full<Bytes>> {
    if !visit.is_own_form() {
        return forged(visit, moment);
    }
    let wanted = visit.field("language").unwrap_or_default();
    match Language::of_tag(&wanted) {
        Some(language) => redirect_home(visit, moment, LANGUAGE.line(language.tag())),
        None => short(StatusCode::BAD_REQUEST),
    }
}

/// The banner without script: the same answer, written by the portal.
fn choose_cookies(visit: &Visit<'_>, moment: Moment) -> Response<Full<Bytes>> {
    if !visit.is_own_form() {
        return forged(visit, moment);
    }
    let choice = visit.field("choice").unwrap_or_default();
    let granted = |id| match choice.as_slice() {
        b"accept" => true,
        b"refuse" => false,
        _ => visit.field(id).is_some(),
    };
    let answer = json!({
        "functional_cookies": true,
        "matomo": granted("matomo"),
        "ga": granted("ga"),
        "timestamp": moment.unix_ms,
    });
    let value = percent_encoded(&answer.to_string());
    redirect_home(visit, moment, PREFERENCES.line(&value))
}

fn forged(visit: &Visit<'_>, moment: Moment) -> Response<Full<Bytes>> {
    let notice = Words(
        "Ce formulaire ne vient pas d’une page de ce portail, ou son cookie csrftoken \
         manque. Réessayez ci-dessous.",
        "This form does not come from a page of this portal, or its csrftoken cookie is \
         missing. Try again below.",
    );
    page(visit, moment, StatusCode::FORBIDDEN, Some(notice))
}

/// To `/` with GET, setting `line` on top of what every page sets.
fn redirect_home(visit: &Visit<'_>, moment: Moment, line: HeaderValue) -> Response<Full<Bytes>> {
    let mut response = reply(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/"));
    response.headers_mut().append(SET_COOKIE, line);
    set_all(&mut response, every_page(visit, moment));
    response
}

fn page(
    visit: &Visit<'_>,
    moment: Moment,
    status: StatusCode,
    notice: Option<Words>,
) -> Response<Full<Bytes>> {
    let cookies = every_page(visit, moment);
    let mut response =
        reply(status, "text/html; charset=utf-8", document(visit, moment, &cookies, notice));
    set_all(&mut response, cookies);
    response
}

/// What the portal sets with every page, whoever asks and whatever they answered.
fn every_page(visit: &Visit<'_>, moment: Moment) -> Vec<(&'static Known, HeaderValue)> {
    let Moment { session, visitor, .. } = moment;
    let seconds = moment.unix_seconds();
    let secret = visit.secret().unwrap_or(moment.secret);
    let mut cookies = Vec::with_capacity(REGISTER.len());
    let mut set = |known: &'static Known, value: &str| cookies.push((known, known.line(value)));
    if visit.cookie(&SESSION).is_none() {
        set(&SESSION, &format!("{session:032x}"));
    }
    set(&CSRF, &format!("{secret:032x}"));
    set(&MATOMO_VISITOR, &format!("{:016x}.{seconds}.", visitor >> 64));
    set(&MATOMO_VISIT, "1");
    set(&GOOGLE, &format!("GA1.1.{}.{seconds}", (visitor >> 32) as u32));
    set(&CITY, &format!("{visitor:032x}"));
    cookies
}

impl Known {
    /// The set-cookie-string that sets this cookie.
    fn line(&self, value: &str) -> HeaderValue {
        HeaderValue::try_from(format!("{}={value}; {}", self.name, self.attributes))
            .expect("names, values and attributes of this portal are visible ASCII")
    }
}

fn set_all(response: &mut Response<Full<Bytes>>, cookies: Vec<(&Known, HeaderValue)>) {
    for (_, line) in cookies {
        response.headers_mut().append(SET_COOKIE, line);
    }
}

fn short(status: StatusCode) -> Response<Full<Bytes>> {
    let text = status.canonical_reason().unwrap_or_default();
    reply(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = short(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn reply(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// As `encodeURIComponent` does.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Every `%` and two hexadecimal digits as the byte they mean; a `%` of another kind stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let byte = match (first, tail) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)).map(|(h, l)| (h << 4) | l),
            _ => None,
        };
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A number of 32 hexadecimal digits.
fn number(text: &[u8]) -> Option<u128> {
    if text.len() != 32 {
        return None;
    }
    text.iter().try_fold(0, |sum, &byte| Some((sum << 4) | u128::from(digit(byte)?)))
}

#[cfg(test)]
mod tests;
