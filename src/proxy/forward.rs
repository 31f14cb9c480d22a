//! Header fields on their way through a gateway (RFC 9110 7.6); pure on header maps.

use bytes::{BufMut as _, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, Entry, HOST, HeaderName, SET_COOKIE, TE,
    TRANSFER_ENCODING, VIA,
};
use http::{HeaderMap, HeaderValue, Version};
use smallvec::SmallVec;

use super::fields::{Field, Fields, HOP_BY_HOP};
use crate::enforce::Direction;

/// Fields that `Connection` cannot take away (RFC 9110 7.6.1: it must not list what is meant for
/// every recipient), besides those of a request that [`speaks_of_client`]. The transfer coding goes afterwards, with
/// the hop-by-hop fields.
const KEPT: [HeaderName; 5] = [HOST, COOKIE, SET_COOKIE, CONTENT_LENGTH, TRANSFER_ENCODING];

/// Whether the body came in a transfer coding that is not served: any but one plain `chunked`.
#[must_use]
pub fn has_unknown_coding(headers: &HeaderMap, fields: Fields) -> bool {
    if !fields.have(Field::TransferEncoding) {
        return false;
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => false,
        (Some(coding), None) => !coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => true,
    }
}

/// This gateway's name in `Via`, behind the version in which it received the message.
const VIA_HTTP_1_0: HeaderValue = HeaderValue::from_static("1.0 cookie-firewall");
const VIA_HTTP_1_1: HeaderValue = HeaderValue::from_static("1.1 cookie-firewall");
const VIA_HTTP_2: HeaderValue = HeaderValue::from_static("2 cookie-firewall");

/// Removes the fields that `Connection` lists, and the hop-by-hop fields themselves.
///
/// Some fields stay whatever `Connection` says: `Host` chose the site, cookies are to be judged
/// and counted, and a client must not take away what a trusted proxy says of it, which proxies pass on
/// with the client's `Connection`. `TE: trailers` stays: it says that the client reads trailers, and they are
/// forwarded. `Content-Length` goes where there is a
/// transfer coding, which overrides it (RFC 9112 6.3); forwarded, it would cut the body elsewhere
/// than it was read.
pub fn remove_hop_by_hop(headers: &mut HeaderMap, fields: Fields, direction: Direction) {
    let trailers = fields.have(Field::Te) && headers.get(TE).is_some_and(accepts_trailers);
    if fields.have(Field::Connection) {
        remove_connection(headers, direction);
    }
    if fields.have(Field::TransferEncoding) {
        headers.remove(CONTENT_LENGTH);
    }
    let others = HOP_BY_HOP.into_iter().filter(|field| *field != Field::Connection);
    for field in others.filter(|field| fields.have(*field)) {
        headers.remove(field.name());
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Leaves one `Content-Length` of several, or of a list, that say the same (RFC 9110 8.6); that they
/// do is for the parser to see. Repeated, the next recipient may refuse them, as hyper does when it
/// writes the head of an answer to HEAD.
pub fn settle_length(headers: &mut HeaderMap, fields: Fields) {
    if !fields.have(Field::ContentLength) {
        return;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return };
    let is_list = first.as_bytes().contains(&b',');
    if lengths.next().is_none() && !is_list {
        return;
    }
    let length = first.as_bytes().split(|&b| b == b',').next().unwrap_or_default();
    if let Ok(length) = HeaderValue::from_bytes(length.trim_ascii()) {
        headers.insert(CONTENT_LENGTH, length);
    }
}

/// Removes `Connection`, and what it lists.
fn remove_connection(headers: &mut HeaderMap, direction: Direction) {
    let Entry::Occupied(connection) = headers.entry(CONNECTION) else { return };
    // What nearly every one says, of a field that goes anyway.
    if connection.iter().all(|line| line.as_bytes().eq_ignore_ascii_case(b"keep-alive")) {
        connection.remove();
        return;
    }
    let is_said =
        |name: &HeaderName| direction == Direction::Request && speaks_of_client(name.as_str());
    let stays = |name: &&HeaderName| KEPT.contains(name) || is_said(name);
    for name in listed_in_connection(headers).iter().filter(|name| !stays(name)) {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

fn listed_in_connection(headers: &HeaderMap) -> SmallVec<[HeaderName; 4]> {
    let lines = headers.get_all(CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&b| b == b','))
        .map(<[u8]>::trim_ascii)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect()
}

fn accepts_trailers(te: &HeaderValue) -> bool {
    te.as_bytes().split(|&b| b == b',').any(|c| c.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// Whether this is a field by which proxies say who the client is.
fn speaks_of_client(name: &str) -> bool {
    name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
}

/// Whether what descends from CGI (WSGI, Rack, PHP) reads `name` as another that the firewall has
/// written or judged: there `_` and `-` are one (RFC 3875 4.1.18).
fn is_lookalike(name: &str) -> bool {
    name.contains('_') && {
        let read = name.replace('_', "-");
        let frames = [CONTENT_LENGTH, TRANSFER_ENCODING];
        speaks_of_client(&read) || frames.iter().any(|known| *known == read.as_str())
    }
}

/// Removes what no trailer may be (RFC 9110 6.5.1) and a recipient that merges trailers into the
/// header would take for framing, routing, or the firewall's own word on who the client is.
pub fn clean_trailers(trailers: &mut HeaderMap) {
    let unfit = |name: &&HeaderName| {
        HOP_BY_HOP.iter().any(|field| field.name() == *name)
            || [HOST, CONTENT_LENGTH].contains(name)
            || speaks_of_client(name.as_str())
            || is_lookalike(name.as_str())
    };
    let unfit: SmallVec<[HeaderName; 4]> = trailers.keys().filter(unfit).cloned().collect();
    for name in &unfit {
        trailers.remove(name);
    }
}

/// Removes fields that would be read as others; see [`is_lookalike`].
pub fn remove_lookalikes(headers: &mut HeaderMap, fields: Fields) {
    if !fields.have(Field::Underscore) {
        return;
    }
    let lookalikes = headers.keys().filter(|name| is_lookalike(name.as_str())).cloned();
    for name in lookalikes.collect::<SmallVec<[HeaderName; 4]>>() {
        headers.remove(name);
    }
}

/// Adds this gateway to `Via` (RFC 9110 7.6.3), behind those that came before; the message came in
/// `version`.
pub fn add_via(headers: &mut HeaderMap, version: Version) {
    let via = match version {
        Version::HTTP_2 => VIA_HTTP_2,
        Version::HTTP_10 => VIA_HTTP_1_0,
        _ => VIA_HTTP_1_1,
    };
    headers.append(VIA, via);
}

/// Makes one `Cookie` field of the several that HTTP/2 may split it into (RFC 9113 8.2.3): an origin
/// that speaks HTTP/1.1 reads the first alone, or joins them with commas.
pub fn rejoin_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (fields.next(), fields.next()) else { return };
    let mut joined = BytesMut::from(first.as_bytes());
    for field in std::iter::once(second).chain(fields) {
        joined.put_slice(b"; ");
        joined.put_slice(field.as_bytes());
    }
    match HeaderValue::from_maybe_shared(joined.freeze()) {
        Ok(joined) => headers.insert(COOKIE, joined),
        // Pieces of valid field values make a valid one; if ever not, the cookies are withheld.
        Err(_) => headers.remove(COOKIE),
    };
}

/// Whether the client waits for `100 Continue` before it sends its body.
#[must_use]
pub fn expects_continue(headers: &HeaderMap, fields: Fields) -> bool {
    let expected = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    fields.have(Field::Expect) && headers.get(EXPECT).is_some_and(expected)
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
        let fields = Fields::of(&headers);
        remove_hop_by_hop(&mut headers, fields, Direction::Request);
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
        let fields = Fields::of(&headers);
        remove_hop_by_hop(&mut headers, fields, Direction::Request);
        assert_eq!(headers, map(&[("host", "example.org")]));
    }

    #[test]
    fn connection_cannot_take_away_what_a_proxy_says_of_the_client() {
        let said = [
            ("forwarded", "for=203.0.113.9"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-real-ip", "203.0.113.9"),
        ];
        let listed = "Forwarded, X-Forwarded-For, x-forwarded-proto, X-Real-IP, keep-alive";
        let mut headers = map(&said);
        headers.insert(CONNECTION, HeaderValue::from_static(listed));
        let fields = Fields::of(&headers);
        remove_hop_by_hop(&mut headers, fields, Direction::Request);
        assert_eq!(headers, map(&said));
        // What an upstream lists is not for visitors.
        headers.insert(CONNECTION, HeaderValue::from_static(listed));
        let fields = Fields::of(&headers);
        remove_hop_by_hop(&mut headers, fields, Direction::Response);
        assert!(headers.is_empty());
    }

    #[test]
    fn lookalikes_of_what_the_firewall_says_go() {
        let mut headers = map(&[
            ("x_forwarded_for", "1"),
            ("x-forwarded_host", "1"),
            ("x_real-ip", "1"),
            ("content_length", "1"),
            ("transfer_encoding", "chunked"),
            ("x_other", "1"),
            ("x-forwarded-for", "1"),
        ]);
        let fields = Fields::of(&headers);
        remove_lookalikes(&mut headers, fields);
        assert_eq!(headers, map(&[("x_other", "1"), ("x-forwarded-for", "1")]));
    }

    #[test]
    fn one_length_is_enough() {
        for lengths in [&["5"][..], &["5", "5"], &["5, 5"], &["5 , 5", "5"]] {
            let mut headers = HeaderMap::new();
            for length in lengths {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            let fields = Fields::of(&headers);
            settle_length(&mut headers, fields);
            assert_eq!(headers, map(&[("content-length", "5")]), "{lengths:?}");
        }
    }

    #[test]
    fn trailers_are_no_headers() {
        let mut trailers = map(&[
            ("connection", "x"),
            ("content-length", "1"),
            ("forwarded", "for=1"),
            ("host", "x"),
            ("x-forwarded-for", "1"),
            ("x-forwarded-port", "1"),
            ("x-real-ip", "1"),
            ("x_forwarded_for", "1"),
            ("content_length", "1"),
            ("grpc-status", "0"),
        ]);
        clean_trailers(&mut trailers);
        assert_eq!(trailers, map(&[("grpc-status", "0")]));
    }

    #[test]
    fn cookie_crumbs_are_rejoined() {
        let mut headers =
            map(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c"), ("cookie", "")]);
        rejoin_cookies(&mut headers);
        assert_eq!(headers, map(&[("cookie", "a=1; b=2; c; "), ("x", "y")]));
    }

    #[test]
    fn via_is_appended() {
        let mut headers = map(&[("via", "1.0 cache")]);
        add_via(&mut headers, Version::HTTP_11);
        add_via(&mut headers, Version::HTTP_2);
        add_via(&mut headers, Version::HTTP_10);
        let via: Vec<_> = headers.get_all(VIA).iter().collect();
        let this = ["1.1 cookie-firewall", "2 cookie-firewall", "1.0 cookie-firewall"];
        assert_eq!(via, [&["1.0 cache"][..], &this].concat());
    }
}
