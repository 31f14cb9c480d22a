//! Who the client is: the peer of the connection, or whom a trusted proxy says it speaks for.
//!
//! `Forwarded` (RFC 7239) and `X-Forwarded-*` are written anew for the upstream in any case. What
//! they said is believed only of trusted proxies, and only as far back as these vouch for it.

use std::any::Any;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use bytes::{BufMut, BytesMut};
use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

use super::fields::{Field, Fields};
use crate::config::Networks;
use crate::enforce::list::split;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What else clients and proxies say of the same, and origins read.
const RELATED: [HeaderName; 6] = [
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-real-ip"),
];

/// Hops of one request that are looked at; a longer chain is not believed beyond.
const MAX_HOPS: usize = 32;

/// Makes what has a connection count as open until it is dropped.
pub type Keep = Arc<dyn Fn() -> Box<dyn Any + Send> + Send + Sync>;

/// One connection's client, for all of its requests.
#[derive(Clone)]
pub struct Client {
    peer: IpAddr,
    /// The peer as the fields write it.
    address: HeaderValue,
    /// `for=...;proto=...`, without the host.
    forwarded: Box<str>,
    /// The host of the first request, and `Forwarded` with it.
    forwarded_to: OnceLock<(HeaderValue, HeaderValue)>,
    is_secure: bool,
    trusts: Option<Networks>,
    server_name: Option<Box<str>>,
    keep: Option<Keep>,
}

impl Client {
    /// The client at `address`, who came over TLS or not.
    #[must_use]
    pub fn new(address: IpAddr, is_secure: bool) -> Self {
        // A dual-stack socket shows IPv4 clients as mapped addresses.
        let peer = address.to_canonical();
        let forwarded = format!("for={};proto={}", node(peer), proto(is_secure)).into();
        let address = text(&peer.to_string());
        Self {
            peer,
            address,
            forwarded,
            forwarded_to: OnceLock::new(),
            is_secure,
            trusts: None,
            server_name: None,
            keep: None,
        }
    }

    /// Believes what the client says of those it speaks for, if it is in one of `networks`.
    #[must_use]
    pub fn trusted_if_in(mut self, networks: &Networks) -> Self {
        self.trusts = networks.contain(self.peer).then(|| networks.clone());
        self
    }

    /// With the server name that the client asked for in its TLS handshake, in lower case.
    #[must_use]
    pub fn with_server_name(mut self, name: Option<Box<str>>) -> Self {
        self.server_name = name;
        self
    }

    /// With what keeps the connection open for a tunnel through it, which outlives every exchange.
    #[must_use]
    pub fn kept_by(mut self, keep: Keep) -> Self {
        self.keep = Some(keep);
        self
    }

    /// Has the connection count as open until what is returned is dropped.
    pub(super) fn keep(&self) -> Option<Box<dyn Any + Send>> {
        self.keep.as_ref().map(|keep| keep())
    }

    /// Who has the connection, be it a proxy.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The server name of the TLS handshake, in lower case.
    pub(super) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether the visitor came over TLS, as far as can be known.
    pub(super) fn is_secure(&self, headers: &HeaderMap) -> bool {
        match &self.trusts {
            None => self.is_secure,
            Some(networks) => self.believed(headers, networks).is_secure,
        }
    }

    /// Says who the client is in the fields that upstreams read, in place of all that was there.
    ///
    /// `fields` are those of the request as it came.
    pub(super) fn announce(&self, headers: &mut HeaderMap, fields: Fields) {
        let known = self.trusts.as_ref().map(|networks| self.believed(headers, networks));
        if fields.have(Field::Extension) {
            for name in &RELATED {
                headers.remove(name);
            }
        }
        match known {
            None => self.announce_peer(headers),
            Some(known) => known.announce(headers, self.peer),
        }
    }

    fn announce_peer(&self, headers: &mut HeaderMap) {
        headers.insert(X_FORWARDED_FOR, self.address.clone());
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto(self.is_secure)));
        let host = headers.get(HOST).cloned();
        headers.insert(FORWARDED, self.forwarded(host.as_ref()));
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }

    /// `Forwarded` for a request to `host`; nearly always that of the first.
    fn forwarded(&self, host: Option<&HeaderValue>) -> HeaderValue {
        let Some(host) = host else { return forwarded(&self.forwarded, None) };
        let (known, value) = self.forwarded_to.get_or_init(|| {
            // As it came, it is a part of a buffer that would stay for as long as the connection.
            let copy = HeaderValue::from_bytes(host.as_bytes()).expect("a copy of a value");
            (copy, forwarded(&self.forwarded, Some(host)))
        });
        if known == host { value.clone() } else { forwarded(&self.forwarded, Some(host)) }
    }

    /// What the peer, a trusted proxy, says. Where `Forwarded` and `X-Forwarded-For` name different
    /// clients, one of them is the client's own word that the proxy passed on: neither is believed.
    fn believed(&self, headers: &HeaderMap, networks: &Networks) -> Known {
        let peer = || Known { hops: SmallVec::new(), is_secure: self.is_secure, host: None };
        let standard = standard(headers, networks);
        let usual = usual(headers, networks);
        match (standard, usual) {
            (Some(one), Some(other)) if one.hops != other.hops => peer(),
            (Some(one), Some(other)) => one.agreed(other).or(self.is_secure),
            (Some(known), None) | (None, Some(known)) => known.or(self.is_secure),
            (None, None) => Known { host: last(headers, &X_FORWARDED_HOST), ..peer() }
                .secured(stated_proto(headers)),
        }
    }
}

/// What is known of the visitor behind a trusted proxy.
struct Known {
    /// The client first, then the trusted hops; without the peer.
    hops: SmallVec<[IpAddr; 4]>,
    is_secure: bool,
    host: Option<HeaderValue>,
}

/// What one of the two kinds of fields says.
struct Stated {
    hops: SmallVec<[IpAddr; 4]>,
    is_secure: Option<bool>,
    host: Option<HeaderValue>,
}

impl Stated {
    /// What both kinds of fields say. A client knows its own address: it can write the kind that its
    /// proxy does not, with another host or scheme beside the address that is true.
    fn agreed(self, other: Self) -> Self {
        let is_secure = match (self.is_secure, other.is_secure) {
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.or(other),
        };
        let host = self.host.filter(|host| other.host.as_ref() == Some(host));
        Self { hops: self.hops, is_secure, host }
    }

    fn or(self, is_secure: bool) -> Known {
        let Self { hops, is_secure: stated, host } = self;
        Known { hops, is_secure: stated.unwrap_or(is_secure), host }
    }
}

impl Known {
    fn secured(mut self, stated: Option<bool>) -> Self {
        self.is_secure = stated.unwrap_or(self.is_secure);
        self
    }

    fn announce(self, headers: &mut HeaderMap, peer: IpAddr) {
        let host = self.host.or_else(|| headers.get(HOST).cloned());
        let hops = || self.hops.iter().copied().chain([peer]);
        let addresses: Vec<_> = hops().map(|hop| hop.to_string()).collect();
        headers.insert(X_FORWARDED_FOR, text(&addresses.join(", ")));
        let proto = proto(self.is_secure);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
        let mut first = String::new();
        let mut others = String::new();
        for (index, hop) in hops().enumerate() {
            let _ = match index {
                0 => write!(first, "for={};proto={proto}", node(hop)),
                _ => write!(others, ", for={}", node(hop)),
            };
        }
        let mut value = forwarded(&first, host.as_ref()).as_bytes().to_vec();
        value.extend_from_slice(others.as_bytes());
        headers.insert(FORWARDED, HeaderValue::from_bytes(&value).unwrap_or(text(&first)));
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }
}

/// `X-Forwarded-For`, `-Proto` and `-Host`. Each proxy appends to the first; of the others the last
/// word is the nearest proxy's.
fn usual(headers: &HeaderMap, networks: &Networks) -> Option<Stated> {
    let lines = headers.get_all(X_FORWARDED_FOR);
    let elements = lines.iter().flat_map(|line| line.as_bytes().split(|&b| b == b','));
    let hops = vouched(elements.map(address), networks)?;
    let is_secure = stated_proto(headers);
    Some(Stated { hops, is_secure, host: last(headers, &X_FORWARDED_HOST) })
}

fn stated_proto(headers: &HeaderMap) -> Option<bool> {
    last(headers, &X_FORWARDED_PROTO).and_then(|value| secure(value.as_bytes()))
}

/// `Forwarded`, whose elements each hold what one proxy knew.
fn standard(headers: &HeaderMap, networks: &Networks) -> Option<Stated> {
    let lines = headers.get_all(FORWARDED);
    let elements: Vec<_> =
        lines.iter().flat_map(|line| split(line.as_bytes(), b',')).map(Element::of).collect();
    let hops = vouched(elements.iter().map(|element| element.node), networks)?;
    // The element in which the client is named tells what it asked for.
    let client = &elements[elements.len() - hops.len()];
    Some(Stated { is_secure: client.is_secure, host: client.host.clone(), hops })
}

/// From the end back to the first hop that is not trusted, which is the client; `None` where there
/// is no hop at all, or the last is no address.
fn vouched(
    hops: impl Iterator<Item = Option<IpAddr>>,
    networks: &Networks,
) -> Option<SmallVec<[IpAddr; 4]>> {
    let all: SmallVec<[Option<IpAddr>; 8]> = hops.collect();
    let mut known = SmallVec::<[IpAddr; 4]>::new();
    for hop in all.into_iter().rev().take(MAX_HOPS) {
        let Some(hop) = hop else { break };
        known.push(hop);
        if !networks.contain(hop) {
            break;
        }
    }
    known.reverse();
    (!known.is_empty()).then_some(known)
}

/// One element of `Forwarded`.
struct Element {
    node: Option<IpAddr>,
    is_secure: Option<bool>,
    host: Option<HeaderValue>,
}

impl Element {
    fn of(element: &[u8]) -> Self {
        let mut this = Self { node: None, is_secure: None, host: None };
        for pair in split(element, b';') {
            let Some(equals) = pair.iter().position(|&b| b == b'=') else { continue };
            let (name, value) = (pair[..equals].trim_ascii(), unquoted(&pair[equals + 1..]));
            if name.eq_ignore_ascii_case(b"for") {
                this.node = address(&value);
            } else if name.eq_ignore_ascii_case(b"proto") {
                this.is_secure = secure(&value);
            } else if name.eq_ignore_ascii_case(b"host") {
                this.host = HeaderValue::from_bytes(&value).ok();
            }
        }
        this
    }
}

/// The value of a token or quoted-string (RFC 9110 5.6.4).
fn unquoted(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii();
    let inner = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    let Some(inner) = inner else { return value.to_vec() };
    let mut bytes = inner.iter();
    let mut out = Vec::with_capacity(inner.len());
    while let Some(&byte) = bytes.next() {
        out.push(if byte == b'\\' { *bytes.next().unwrap_or(&byte) } else { byte });
    }
    out
}

/// An address, with or without a port, as either kind of field writes it.
fn address(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node.trim_ascii()).ok()?;
    let bracketed = node.strip_prefix('[').and_then(|node| node.split_once(']'));
    let parsed = match bracketed {
        Some((address, _)) => address.parse().ok(),
        None => node.parse().ok().or_else(|| Some(node.parse::<SocketAddr>().ok()?.ip())),
    };
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// Whether a scheme is one over TLS; `None` where it is none that comes here.
fn secure(scheme: &[u8]) -> Option<bool> {
    let is = |known: &str| scheme.eq_ignore_ascii_case(known.as_bytes());
    if is("https") || is("wss") {
        Some(true)
    } else if is("http") || is("ws") {
        Some(false)
    } else {
        None
    }
}

/// The last value of a field that holds a list.
fn last(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let line = headers.get_all(name).iter().next_back()?;
    let value = line.as_bytes().rsplit(|&b| b == b',').next()?.trim_ascii();
    HeaderValue::from_bytes(value).ok().filter(|value| !value.is_empty())
}

/// `forwarded`, an element of `Forwarded` without its host, with that host.
fn forwarded(forwarded: &str, host: Option<&HeaderValue>) -> HeaderValue {
    const HOST_PARAMETER: &[u8] = b";host=\"";
    let host = host.map_or(&b""[..], |host| host.as_bytes());
    let mut value =
        BytesMut::with_capacity(forwarded.len() + HOST_PARAMETER.len() + host.len() + 1);
    value.put_slice(forwarded.as_bytes());
    // A host holds no quote and no backslash, or the request would not have come this far; what a
    // trusted proxy says is looked at here.
    if !host.is_empty() && !host.iter().any(|b| matches!(b, b'"' | b'\\')) {
        value.put_slice(HOST_PARAMETER);
        value.put_slice(host);
        value.put_u8(b'"');
    }
    HeaderValue::from_maybe_shared(value.freeze()).expect("pieces of valid values are valid")
}

fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    }
}

fn proto(is_secure: bool) -> &'static str {
    if is_secure { "https" } else { "http" }
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("an address is printable ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipnet::IpNet;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn client(address: &str) -> Client {
        Client::new(address.parse().expect("an address"), false)
    }

    fn behind_proxies() -> Client {
        let networks = ["10.0.0.0/8".parse::<IpNet>().expect("a network")];
        client("10.0.0.1").trusted_if_in(&networks.into_iter().collect())
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
            ("x-forwarded-port", "1"),
            ("x-real-ip", "1.1.1.1"),
        ]);
        let fields = Fields::of(&headers);
        client("::ffff:192.0.2.7").announce(&mut headers, fields);
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
        let fields = Fields::of(&headers);
        Client::new("2001:db8::1".parse().expect("an address"), true)
            .announce(&mut headers, fields);
        assert_eq!(headers["forwarded"], "for=\"[2001:db8::1]\";proto=https");
        assert_eq!(headers["x-forwarded-for"], "2001:db8::1");
    }

    /// What leaves for the upstream: `X-Forwarded-For`, `-Proto`, `-Host`, and `Forwarded`.
    #[track_caller]
    fn leaves(fields: &[(&'static str, &'static str)], expected: [&str; 4]) {
        let mut headers = map(&[("host", "a.fr")]);
        headers.extend(map(fields));
        let fields = Fields::of(&headers);
        behind_proxies().announce(&mut headers, fields);
        let names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"];
        for (name, expected) in names.iter().zip(expected) {
            let values: Vec<_> = headers.get_all(*name).iter().collect();
            assert_eq!(values, [expected], "{name} after {fields:?}");
        }
    }

    #[test]
    fn trusted_proxies_are_believed() {
        leaves(&[], ["10.0.0.1", "http", "a.fr", "for=10.0.0.1;proto=http;host=\"a.fr\""]);
        leaves(
            &[("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https")],
            [
                "192.0.2.7, 10.0.0.1",
                "https",
                "a.fr",
                "for=192.0.2.7;proto=https;host=\"a.fr\", for=10.0.0.1",
            ],
        );
        leaves(
            &[("forwarded", "for=\"[2001:db8::7]:4711\";Proto=https;host=\"b.fr\", for=10.0.0.9")],
            [
                "2001:db8::7, 10.0.0.9, 10.0.0.1",
                "https",
                "b.fr",
                "for=\"[2001:db8::7]\";proto=https;host=\"b.fr\", for=10.0.0.9, for=10.0.0.1",
            ],
        );
        leaves(
            &[("x-forwarded-proto", "https"), ("x-forwarded-host", "x.fr, b.fr")],
            ["10.0.0.1", "https", "b.fr", "for=10.0.0.1;proto=https;host=\"b.fr\""],
        );
    }

    #[test]
    fn only_as_far_back_as_proxies_are_trusted() {
        leaves(
            &[("x-forwarded-for", "1.1.1.1, 192.0.2.7:4711"), ("x-forwarded-for", "10.0.0.9")],
            [
                "192.0.2.7, 10.0.0.9, 10.0.0.1",
                "http",
                "a.fr",
                "for=192.0.2.7;proto=http;host=\"a.fr\", for=10.0.0.9, for=10.0.0.1",
            ],
        );
        leaves(
            &[("x-forwarded-for", "1.1.1.1, unknown, 10.0.0.9")],
            [
                "10.0.0.9, 10.0.0.1",
                "http",
                "a.fr",
                "for=10.0.0.9;proto=http;host=\"a.fr\", for=10.0.0.1",
            ],
        );
    }

    #[test]
    fn where_two_fields_disagree_neither_is_believed() {
        leaves(
            &[("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=1.1.1.1;proto=https")],
            ["10.0.0.1", "http", "a.fr", "for=10.0.0.1;proto=http;host=\"a.fr\""],
        );
    }

    #[test]
    fn nonsense_is_no_address() {
        for value in ["", "unknown", "_hidden", "1.2.3", "[::1", "\"", "for=", "1.2.3.4.5:6"] {
            assert_eq!(address(value.as_bytes()), None, "{value}");
        }
        assert!(!behind_proxies().is_secure(&map(&[("x-forwarded-proto", "gopher")])));
        assert!(behind_proxies().is_secure(&map(&[("x-forwarded-proto", "http,HTTPS")])));
        let quoted = map(&[("forwarded", "for=\"192.0.2.7\";host=\"a,b;c\\\"\";proto=https")]);
        assert!(behind_proxies().is_secure(&quoted));
    }
}
