//! Header fields on their way through a gateway (RFC 9110 7.6); pure on header maps.

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, SET_COOKIE, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields that concern one connection, whether or not `Connection` lists them.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that `Connection` cannot take away (RFC 9110 7.6.1: it must not list what is meant for
/// every recipient). The transfer coding goes afterwards, with the hop-by-hop fields.
const KEPT: [HeaderName; 5] = [HOST, COOKIE, SET_COOKIE, CONTENT_LENGTH, TRANSFER_ENCODING];

/// Whether the body came in a transfer coding that is not served: any but one plain `chunked`.
#[must_use]
pub fn has_unknown_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => false,
        (Some(coding), None) => !coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => true,
    }
}

/// This gateway's name in `Via`.
const PSEUDONYM: &str = "1.1 cookie-firewall";

/// Removes the fields that `Connection` lists, and the hop-by-hop fields themselves.
///
/// Some fields stay whatever `Connection` says: `Host` chose the site, and cookies are to be judged
/// and counted. `TE: trailers` stays: it says that the client reads trailers, and they are
/// forwarded. `Content-Length` goes where there is a
/// transfer coding, which overrides it (RFC 9112 6.3); forwarded, it would cut the body elsewhere
/// than it was read.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let trailers = headers.get(TE).is_some_and(accepts_trailers);
    if headers.contains_key(CONNECTION) {
        for name in listed_in_connection(headers).iter().filter(|name| !KEPT.contains(name)) {
            headers.remove(name);
        }
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

fn listed_in_connection(headers: &HeaderMap) -> SmallVec<[HeaderName; 4]> {
    let lines = headers.get_all(CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&b| b == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect()
}

fn accepts_trailers(te: &HeaderValue) -> bool {
    te.as_bytes().split(|&b| b == b',').any(|c| c.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// What the upstream is told about the client, who is not believed in what it says of itself.
#[derive(Clone, Debug)]
pub struct Client {
    address: HeaderValue,
    /// `for=...;proto=...`, without the host.
    forwarded: Box<str>,
    proto: HeaderValue,
}

impl Client {
    /// The client at `address`, who came by `proto` (`http` or `https`).
    #[must_use]
    pub fn new(address: IpAddr, proto: &'static str) -> Self {
        // A dual-stack socket shows IPv4 clients as mapped addresses.
        let address = address.to_canonical();
        let node = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        Self {
            address: HeaderValue::from_str(&address.to_string())
                .expect("an address is printable ASCII"),
            forwarded: format!("for={node};proto={proto}").into(),
            proto: HeaderValue::from_static(proto),
        }
    }

    /// Writes `Forwarded` (RFC 7239) and the `X-Forwarded` fields, in place of whatever came.
    pub fn announce(&self, headers: &mut HeaderMap) {
        let host = headers.get(HOST).cloned();
        headers.insert(X_FORWARDED_FOR, self.address.clone());
        headers.insert(X_FORWARDED_PROTO, self.proto.clone());
        headers.insert(FORWARDED, self.forwarded(host.as_ref()));
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }

    fn forwarded(&self, host: Option<&HeaderValue>) -> HeaderValue {
        let mut value = BytesMut::with_capacity(self.forwarded.len() + 64);
        value.put_slice(self.forwarded.as_bytes());
        // The host has been parsed as an authority, which holds neither quotes nor backslashes.
        if let Some(host) = host {
            value.put_slice(b";host=\"");
            value.put_slice(host.as_bytes());
            value.put_slice(b"\"");
        }
        HeaderValue::from_maybe_shared(value.freeze())
            .unwrap_or_else(|_| HeaderValue::from_static("for=unknown"))
    }
}

/// Adds this gateway to `Via` (RFC 9110 7.6.3), behind those that came before.
pub fn add_via(headers: &mut HeaderMap) {
    headers.append(VIA, HeaderValue::from_static(PSEUDONYM));
}

/// Whether the client waits for `100 Continue` before it sends its body.
#[must_use]
pub fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn hop_by_hop_fields_go_by_name_and_by_connection() {
        let mut headers = map(&[
            ("connection", "close, X-Private"),
            ("connection", "x-other,,"),
            ("x-private", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("te", "gzip, Trailers"),
            ("x-public", "1"),
            ("trailer", "x-checksum"),
        ]);
        remove_hop_by_hop(&mut headers);
        let expected = map(&[("te", "trailers"), ("x-public", "1"), ("trailer", "x-checksum")]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn host_stays_and_a_transfer_coding_overrides_the_length() {
        let mut headers = map(&[
            ("host", "example.org"),
            ("connection", "Host, transfer-encoding, content-length"),
            ("content-length", "1"),
            ("transfer-encoding", "chunked"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers, map(&[("host", "example.org")]));
    }

    #[test]
    fn what_a_client_says_of_itself_is_not_believed() {
        let mut headers = map(&[
            ("host", "example.org:8080"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
        ]);
        let client = Client::new("::ffff:192.0.2.7".parse().expect("an address"), "http");
        client.announce(&mut headers);
        let expected = map(&[
            ("host", "example.org:8080"),
            ("x-forwarded-for", "192.0.2.7"),
            ("forwarded", "for=192.0.2.7;proto=http;host=\"example.org:8080\""),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "example.org:8080"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn ipv6_clients_are_quoted() {
        let mut headers = HeaderMap::new();
        Client::new("2001:db8::1".parse().expect("an address"), "https").announce(&mut headers);
        assert_eq!(headers["forwarded"], "for=\"[2001:db8::1]\";proto=https");
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1");
    }

    #[test]
    fn via_is_appended() {
        let mut headers = map(&[("via", "1.0 cache")]);
        add_via(&mut headers);
        let via: Vec<_> = headers.get_all(VIA).iter().collect();
        assert_eq!(via, ["1.0 cache", "1.1 cookie-firewall"]);
    }
}
