//! What becomes of a request that got no answer: whether it may be sent again, and what its failure
//! says about the connection and the address.

use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::Body as _;
use hyper::client::conn::TrySendError;

use super::body::{RequestBody, Upload};
use super::error::{ProxyError, UpstreamError};
use super::upstream::{Attempts, Lease};

/// What it takes to send a request without a body once more. Bodies are streamed, and not there any
/// more. Each request leaves one behind and hardly any is needed, so it is a list and no map.
pub struct Spare {
    method: Method,
    target: Uri,
    version: Version,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Spare {
    /// That of `request`, if it has no body.
    pub fn of(request: &Request<RequestBody>) -> Option<Self> {
        if !request.body().is_end_stream() {
            return None;
        }
        let mut fields = Vec::with_capacity(request.headers().len());
        fields.extend(request.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
        let (method, target) = (request.method().clone(), request.uri().clone());
        Some(Self { method, target, version: request.version(), fields })
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::none());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.target;
        *request.version_mut() = self.version;
        for (name, value) in self.fields {
            request.headers_mut().append(name, value);
        }
        request
    }
}

/// A request without an answer.
pub struct Failed {
    fate: Fate,
    error: ProxyError,
    unsent: Option<Request<RequestBody>>,
}

/// What an upstream has certainly done with a request that it did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing: it was not sent.
    Unsent,
    /// Nothing: it says so (RFC 9113 8.7).
    Refused,
    /// Nobody knows: the connection broke.
    Unknown,
    /// It answered, with something that is not HTTP.
    Garbled,
}

impl Failed {
    /// What failed with `error`, and had this body under way.
    pub fn new(mut error: TrySendError<Request<RequestBody>>, upload: Option<&Upload>) -> Self {
        let unsent = error.take_message();
        let error = error.into_error();
        let fate = Fate::of(&error, unsent.is_some());
        Self { fate, error: classify(error, fate, upload), unsent }
    }

    /// Says to the connection and the address what this means for them.
    pub fn note(&self, lease: &Lease) {
        let ProxyError::Upstream(error) = &self.error else { return };
        if !is_of_one_stream(error) {
            lease.retire();
        }
        // A pooled connection that was closed is no fault; a new one will tell.
        let is_fault = match self.fate {
            Fate::Garbled => true,
            Fate::Refused => false,
            Fate::Unsent | Fate::Unknown => !lease.is_reused(),
        };
        if is_fault {
            lease.failed();
        }
    }

    /// The request, to be sent once more: itself, or made of `spare`.
    ///
    /// # Errors
    ///
    /// The failure, where it must not be or has been often enough.
    pub fn again(
        self,
        spare: Option<Spare>,
        lease: &Lease,
        attempts: &mut Attempts,
    ) -> Result<Request<RequestBody>, ProxyError> {
        if !matches!(self.error, ProxyError::Upstream(_)) {
            return Err(self.error);
        }
        let again = self
            .unsent
            .or_else(|| spare.map(Spare::into_request))
            .filter(|request| self.fate.allows(request.method()));
        let Some(again) = again else { return Err(self.error) };
        match attempts.next_after_failure(lease.endpoint(), lease.is_reused()) {
            None => Err(self.error),
            Some(counts) => {
                if counts {
                    lease.count_retry();
                }
                tracing::debug!(error = %self.error, "sending a request again");
                Ok(again)
            }
        }
    }
}

impl Fate {
    fn of(error: &hyper::Error, is_unsent: bool) -> Self {
        if is_unsent {
            return Self::Unsent;
        }
        match h2_error(error) {
            Some(error) if error.is_remote() && is_refusal(error) => Self::Refused,
            // Found on this side: the upstream's frames break the protocol.
            Some(error) if error.is_library() => Self::Garbled,
            _ if error.is_parse() => Self::Garbled,
            _ => Self::Unknown,
        }
    }

    /// Whether a request with this method may be sent again (RFC 9110 9.2.2).
    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Unsent | Self::Refused => true,
            Self::Unknown => method.is_idempotent(),
            Self::Garbled => false,
        }
    }
}

/// Whose fault a failed exchange is.
fn classify(error: hyper::Error, fate: Fate, upload: Option<&Upload>) -> ProxyError {
    if upload.is_some_and(Upload::is_too_large) {
        ProxyError::BodyTooLarge
    } else if upload.is_some_and(Upload::has_stalled) {
        ProxyError::ClientStalled
    } else if upload.is_some_and(Upload::is_broken) {
        ProxyError::BadRequest("a body that cannot be read")
    } else if fate == Fate::Garbled {
        UpstreamError::Protocol(error.into()).into()
    } else {
        UpstreamError::Closed(error).into()
    }
}

/// A stream that is refused, or above the last one that GOAWAY promises to serve, was not processed.
fn is_refusal(error: &h2::Error) -> bool {
    error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

/// Whether the connection is as good as before.
fn is_of_one_stream(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::Closed(error) if h2_error(error).is_some_and(h2::Error::is_reset))
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_sent_again() {
        let cases = [
            (Fate::Unsent, Method::POST, true),
            (Fate::Refused, Method::POST, true),
            (Fate::Unknown, Method::POST, false),
            (Fate::Unknown, Method::PATCH, false),
            (Fate::Unknown, Method::GET, true),
            (Fate::Unknown, Method::DELETE, true),
            (Fate::Garbled, Method::GET, false),
        ];
        for (fate, method, expected) in cases {
            assert_eq!(fate.allows(&method), expected, "{fate:?}, {method}");
        }
    }
}
