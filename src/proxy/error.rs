//! What can go wrong with an exchange, and the one table from there to a status.

use std::error::Error as StdError;
use std::fmt;

use http::StatusCode;

/// Why an exchange ends in a page of the firewall's own.
#[derive(Debug)]
pub enum ProxyError {
    /// No site has this authority.
    NoSite,
    /// The authority is not the server name of the TLS handshake.
    Misdirected,
    /// The request breaks HTTP; what it breaks.
    BadRequest(&'static str),
    /// A method that a gateway does not serve.
    Method,
    /// Nothing of the firewall's own is at this address.
    NotFound,
    /// A form that does not come from the site itself.
    CrossSite,
    /// A body that is no form.
    NoForm,
    /// A choice that could not be proved.
    ChoiceNotStored(std::io::Error),
    /// A choice among what a charter of before has asked.
    CharterChanged,
    /// A transfer coding other than `chunked`.
    TransferCoding,
    /// A head with more fields or bytes than allowed.
    HeadTooLarge,
    /// A body with more bytes than allowed.
    BodyTooLarge,
    /// More cookies than the firewall judges.
    TooManyCookies,
    /// The client stopped in the middle of its body.
    ClientStalled,
    /// Something failed on the upstream's side.
    Upstream(UpstreamError),
}

/// What failed on the upstream's side.
#[derive(Debug)]
pub enum UpstreamError {
    /// No connection could be made.
    Connect(std::io::Error),
    /// No connection within the time allowed.
    ConnectTimeout,
    /// The connection was made and TLS failed.
    Tls(std::io::Error),
    /// As many connections are open as the site allows.
    Overloaded,
    /// No response head within the time allowed.
    FirstByteTimeout,
    /// The upstream closed the connection before it answered.
    Closed(hyper::Error),
    /// What came is not HTTP/1.1, or not allowed there.
    Protocol(Box<dyn StdError + Send + Sync>),
}

impl ProxyError {
    /// The status that the client sees. No status of an error is chosen anywhere else.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoSite | Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ChoiceNotStored(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::CharterChanged => StatusCode::CONFLICT,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge | Self::TooManyCookies => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::ClientStalled => StatusCode::REQUEST_TIMEOUT,
            Self::Upstream(error) => match error {
                UpstreamError::Connect(_)
                | UpstreamError::Tls(_)
                | UpstreamError::Closed(_)
                | UpstreamError::Protocol(_) => StatusCode::BAD_GATEWAY,
                UpstreamError::ConnectTimeout | UpstreamError::FirstByteTimeout => {
                    StatusCode::GATEWAY_TIMEOUT
                }
                UpstreamError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }
}

impl UpstreamError {
    /// The `kind` label.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls(_) => "tls",
            Self::Overloaded => "overloaded",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::Closed(_) => "closed",
            Self::Protocol(_) => "protocol",
        }
    }
}

impl From<UpstreamError> for ProxyError {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(error)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSite => f.write_str("no site has this authority"),
            Self::Misdirected => f.write_str("the authority is not the TLS server name"),
            Self::BadRequest(what) => f.write_str(what),
            Self::Method => f.write_str("this method is not served"),
            Self::NotFound => f.write_str("nothing of the firewall's own is there"),
            Self::CrossSite => f.write_str("a form that does not come from the site itself"),
            Self::NoForm => f.write_str("a body that is no form"),
            Self::ChoiceNotStored(_) => f.write_str("a choice could not be stored"),
            Self::CharterChanged => f.write_str("a form of a charter that has changed since"),
            Self::TransferCoding => f.write_str("a transfer coding that is not served"),
            Self::HeadTooLarge => f.write_str("a head larger than allowed"),
            Self::BodyTooLarge => f.write_str("a body larger than allowed"),
            Self::TooManyCookies => f.write_str("more cookies than allowed"),
            Self::ClientStalled => f.write_str("the client stopped sending its body"),
            Self::Upstream(error) => error.fmt(f),
        }
    }
}

impl StdError for ProxyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Upstream(error) => error.source(),
            Self::ChoiceNotStored(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect(_) => "cannot connect to the upstream",
            Self::ConnectTimeout => "connecting to the upstream took too long",
            Self::Tls(_) => "the TLS handshake with the upstream failed",
            Self::Overloaded => "the upstream has as many connections as allowed",
            Self::FirstByteTimeout => "the upstream did not answer in time",
            Self::Closed(_) => "the upstream closed the connection before it answered",
            Self::Protocol(_) => "the upstream's answer is not usable HTTP",
        })
    }
}

impl StdError for UpstreamError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect(error) | Self::Tls(error) => Some(error),
            Self::Closed(error) => Some(error),
            Self::Protocol(error) => Some(&**error),
            _ => None,
        }
    }
}
