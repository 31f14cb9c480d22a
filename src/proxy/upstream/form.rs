//! One request in two forms: HTTP/1.1 names the host in a field, HTTP/2 in its target (RFC 9113
//! 8.3.1). Back and forth, since a request that could not be sent may go out on the other kind of
//! connection.

use http::header::{EXPECT, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, Version};

/// Puts a request into HTTP/2's form. `fallback` is the authority where `Host` holds none.
pub fn to_http2<B>(request: &mut Request<B>, tls: bool, fallback: &Authority) {
    if request.version() == Version::HTTP_2 {
        return;
    }
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(authority.unwrap_or_else(|| fallback.clone()));
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() =
        Uri::from_parts(parts).expect("scheme, authority and path make a target together");
    // hyper has no word for it here; the body is sent without waiting.
    request.headers_mut().remove(EXPECT);
}

/// Puts a request back into HTTP/1.1's form, in which it began.
pub fn to_http1<B>(request: &mut Request<B>) {
    if request.version() != Version::HTTP_2 {
        return;
    }
    *request.version_mut() = Version::HTTP_11;
    let parts = std::mem::take(request.uri_mut()).into_parts();
    let host = parts.authority.and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    let path = parts.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let fallback = Authority::from_static("fallback");
        let cases = [
            ("/a?b=c", Some("example.org:81"), "https://example.org:81/a?b=c"),
            ("/", Some("[::1]:81"), "https://[::1]:81/"),
            ("/a", None, "https://fallback/a"),
            ("/a", Some("no host"), "https://fallback/a"),
        ];
        for (target, host, expected) in cases {
            let mut request = Request::get(target).body(()).expect("a request");
            if let Some(host) = host {
                request.headers_mut().insert(HOST, HeaderValue::from_static(host));
            }
            to_http2(&mut request, true, &fallback);
            assert_eq!(request.uri().to_string(), expected);
            assert!(!request.headers().contains_key(HOST), "{expected}");
            to_http1(&mut request);
            assert_eq!(request.uri().to_string(), target);
            let host = host.filter(|host| *host != "no host").unwrap_or("fallback");
            assert_eq!(request.headers()[HOST], host);
        }
    }

    #[test]
    fn the_asterisk_stays() {
        let mut request = Request::options("*").body(()).expect("a request");
        to_http2(&mut request, false, &Authority::from_static("example.org"));
        assert_eq!(request.uri().path(), "*");
        to_http1(&mut request);
        assert_eq!(request.uri().to_string(), "*");
    }
}
