//! Fetches a page: `http` or `https`, with bounds on redirects, bytes and time.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, LOCATION, USER_AGENT,
};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::charset;
use super::import::MAX_BYTES;
use super::output::tell;

/// Redirects followed; browsers follow 20, and no charter needs them.
const MAX_REDIRECTS: usize = 5;

/// For all of it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A page that has been fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    /// What the server says of its charset.
    pub(super) charset: Option<String>,
    /// Whether the server says that it is HTML.
    pub(super) is_html: bool,
    /// The host it came from in the end.
    pub(super) host: String,
}

/// Why a page could not be fetched.
#[derive(Debug)]
pub(super) enum FetchError {
    /// The address is none, or leads where this does not go.
    Address(String),
    Io(io::Error),
    Http(hyper::Error),
    /// The server answers with another status.
    Status(http::StatusCode),
    TooManyRedirects,
    /// The page comes compressed all the same.
    Encoded,
    TooLarge,
    TimedOut,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(message) => f.write_str(message),
            Self::Io(_) => f.write_str("cannot connect"),
            Self::Http(_) => f.write_str("the server does not speak HTTP as it should"),
            Self::Status(status) => write!(f, "the server answers {status}"),
            Self::TooManyRedirects => write!(f, "more than {MAX_REDIRECTS} redirects"),
            Self::Encoded => f.write_str("the server compresses what was asked for as it is; fetch it with curl --compressed"),
            Self::TooLarge => write!(f, "the page is larger than {} MiB", MAX_BYTES >> 20),
            Self::TimedOut => write!(f, "not done after {} seconds", TIMEOUT.as_secs()),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Http(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<hyper::Error> for FetchError {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}

/// Whether this is an address and no file's name.
pub(super) fn is_address(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

/// Fetches the page at `address`.
pub(super) fn fetch(address: &str) -> Result<Fetched, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetched = runtime.block_on(async {
        tokio::time::timeout(TIMEOUT, follow(address)).await.unwrap_or(Err(FetchError::TimedOut))
    });
    // A look-up of a name that takes longer is waited for by nobody.
    runtime.shutdown_background();
    fetched
}

async fn follow(address: &str) -> Result<Fetched, FetchError> {
    let mut uri = parsed(address)?;
    for _ in 0..=MAX_REDIRECTS {
        if io::stderr().is_terminal() {
            tell(&format!("fetching {uri}"));
        }
        let response = get(&uri).await?;
        let status = response.status();
        let location = response.headers().get(LOCATION).filter(|_| status.is_redirection());
        if let Some(location) = location {
            uri = redirected(&uri, location.to_str().unwrap_or_default())?;
        } else if status.is_success() {
            return read(&uri, response).await;
        } else {
            return Err(FetchError::Status(status));
        }
    }
    Err(FetchError::TooManyRedirects)
}

fn parsed(address: &str) -> Result<Uri, FetchError> {
    let uri: Uri = without_fragment(address)
        .parse()
        .map_err(|_| FetchError::Address(format!("{address:?} is not an address")))?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let credentials = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match uri.host() {
        Some(host) if known && !host.is_empty() && !credentials => Ok(uri),
        _ => Err(FetchError::Address(format!(
            "{address:?} is not http://host/... or https://host/..."
        ))),
    }
}

fn without_fragment(address: &str) -> &str {
    address.split('#').next().unwrap_or_default()
}

/// Where a redirect from `from` leads (RFC 3986 5.2, but for dots in paths, which servers resolve).
/// None leads from TLS to clear text.
fn redirected(from: &Uri, location: &str) -> Result<Uri, FetchError> {
    let scheme = from.scheme_str().unwrap_or("https");
    let authority = from.authority().map_or("", |authority| authority.as_str());
    let path = from.path();
    let target = if is_absolute(location) {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else {
        let directory = path.rfind('/').map_or("/", |at| &path[..=at]);
        format!("{scheme}://{authority}{directory}{location}")
    };
    let uri = parsed(&target)?;
    if scheme == "https" && uri.scheme_str() == Some("http") {
        return Err(FetchError::Address(format!("the redirect to {uri} leaves TLS")));
    }
    Ok(uri)
}

/// Whether a reference begins with a scheme of its own (RFC 3986 3.1).
fn is_absolute(reference: &str) -> bool {
    let before = reference.split(['/', '?', '#']).next().unwrap_or_default();
    before.contains(':')
}

async fn get(uri: &Uri) -> Result<Response<Incoming>, FetchError> {
    let is_tls = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = TcpStream::connect((bare(host), port)).await?;
    if is_tls {
        let name = ServerName::try_from(bare(host).to_owned()).map_err(io::Error::other)?;
        let tls = TlsConnector::from(Arc::new(tls_config())).connect(name, tcp).await?;
        exchange(TokioIo::new(tls), uri).await
    } else {
        exchange(TokioIo::new(tcp), uri).await
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn tls_config() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of its own default versions")
        .with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
        .with_no_client_auth()
}

async fn exchange<S>(stream: S, uri: &Uri) -> Result<Response<Incoming>, FetchError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // It ends with the response, whose body tells of its errors.
    tokio::spawn(connection);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let request = Request::get(target)
        .header(HOST, uri.authority().map_or("", |authority| authority.as_str()))
        .header(USER_AGENT, concat!("cookie-firewall/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "text/html, text/markdown, text/plain, application/json")
        .header(ACCEPT_ENCODING, "identity")
        .body(Empty::<Bytes>::new())
        .map_err(|error| FetchError::Address(error.to_string()))?;
    Ok(sender.send_request(request).await?)
}

async fn read(uri: &Uri, response: Response<Incoming>) -> Result<Fetched, FetchError> {
    if response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(FetchError::Encoded);
    }
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_html = content_type.starts_with("text/html") || content_type.contains("xhtml");
    let charset = charset::label(content_type).map(ToOwned::to_owned);
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
    }
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    Ok(Fetched { bytes, charset, is_html, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects() {
        let from: Uri = "https://a.fr/x/y?z".parse().unwrap();
        let cases = [
            ("https://b.fr/c#d", Some("https://b.fr/c")),
            ("//b.fr/c", Some("https://b.fr/c")),
            ("/c?d", Some("https://a.fr/c?d")),
            ("c", Some("https://a.fr/x/c")),
            ("?d", Some("https://a.fr/x/y?d")),
            ("http://a.fr/", None),
            ("https://user@b.fr/", None),
            ("https:///c", None),
            ("ftp://a.fr/", None),
            ("mailto:x", None),
        ];
        for (location, expected) in cases {
            let found = redirected(&from, location).ok().map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{location}");
        }
        assert!(is_address("HTTPS://a.fr") && !is_address("ftp://a.fr") && !is_address("é"));
    }
}
