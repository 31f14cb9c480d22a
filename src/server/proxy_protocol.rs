//! The PROXY protocol: the first line, or block, in which a load balancer says who the client is.
//!
//! Read with the `ppp` crate. Version 1 is a line of text, version 2 a binary block:
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::{HeaderResult, PartialResult as _, v1, v2};
use tokio::io::AsyncRead;

use super::first_bytes::Begun;

/// Bytes of a header at most: the 107 of version 1, and room for version 2's extensions.
const MAX_HEADER: usize = 4096;

/// Bytes of a line of version 1 at most, its end included.
const MAX_LINE: usize = 107;

/// Why a header was not accepted.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is not one.
    Malformed,
    /// The client ended before its end.
    Closed,
    /// Reading failed.
    Io(io::Error),
}

/// Consumes the header, and returns the client's address; `None` where the proxy speaks for itself
/// (`LOCAL`, or an address family without IP addresses), as health checks do.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut Begun<S>,
) -> Result<Option<SocketAddr>, Refused> {
    loop {
        match parse(stream.unread()) {
            Parsed::Complete { length, client } => {
                stream.consume(length);
                return Ok(client);
            }
            Parsed::Malformed => return Err(Refused::Malformed),
            Parsed::Partial if stream.unread().len() >= MAX_HEADER => {
                return Err(Refused::Malformed);
            }
            Parsed::Partial => {}
        }
        if stream.read_on().await.map_err(Refused::Io)? == 0 {
            return Err(Refused::Closed);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Complete { length: usize, client: Option<SocketAddr> },
    Partial,
    Malformed,
}

fn parse(bytes: &[u8]) -> Parsed {
    // The parser takes anything short for the beginning of a header.
    let begins = |prefix: &[u8]| {
        let common = prefix.len().min(bytes.len());
        bytes[..common] == prefix[..common]
    };
    if !begins(b"PROXY ") && !begins(v2::PROTOCOL_PREFIX) {
        return Parsed::Malformed;
    }
    if begins(b"PROXY ") {
        return parse_text(bytes);
    }
    match HeaderResult::parse(bytes) {
        HeaderResult::V2(Ok(header)) => {
            Parsed::Complete { length: header.len(), client: of_block(&header) }
        }
        result if result.is_incomplete() => Parsed::Partial,
        _ => Parsed::Malformed,
    }
}

/// Version 1 is a short line; what is longer is none, and what follows it need not be text.
fn parse_text(bytes: &[u8]) -> Parsed {
    match memchr::memmem::find(&bytes[..bytes.len().min(MAX_LINE)], b"\r\n") {
        None if bytes.len() < MAX_LINE => Parsed::Partial,
        None => Parsed::Malformed,
        Some(end) => match HeaderResult::parse(&bytes[..end + 2]) {
            HeaderResult::V1(Ok(header)) => {
                Parsed::Complete { length: end + 2, client: of_text(&header) }
            }
            _ => Parsed::Malformed,
        },
    }
}

fn of_text(header: &v1::Header<'_>) -> Option<SocketAddr> {
    match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(ip) => {
            Some(SocketAddr::new(IpAddr::V4(ip.source_address), ip.source_port))
        }
        v1::Addresses::Tcp6(ip) => {
            Some(SocketAddr::new(IpAddr::V6(ip.source_address), ip.source_port))
        }
    }
}

fn of_block(header: &v2::Header<'_>) -> Option<SocketAddr> {
    match (header.command, header.addresses) {
        (v2::Command::Local, _) => None,
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
            Some(SocketAddr::new(IpAddr::V4(ip.source_address), ip.source_port))
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
            Some(SocketAddr::new(IpAddr::V6(ip.source_address), ip.source_port))
        }
        (v2::Command::Proxy, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 2 for a TCP connection over IPv4, with these extensions behind the addresses.
    fn block(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut block = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        block.extend([command, family]);
        block.extend(u16::try_from(rest.len()).expect("short").to_be_bytes());
        block.extend_from_slice(rest);
        block
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0x01, 0xbb];

    fn complete(bytes: &[u8], client: Option<&str>) {
        let client = client.map(|client| client.parse().expect("an address"));
        let mut longer = bytes.to_vec();
        longer.extend_from_slice(b"GET / \xff\r\n");
        for whole in [bytes, &longer] {
            let expected = Parsed::Complete { length: bytes.len(), client };
            assert_eq!(parse(whole), expected, "{}", whole.escape_ascii());
        }
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Parsed::Partial, "{}", bytes[..end].escape_ascii());
        }
    }

    #[test]
    fn headers() {
        complete(b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 443\r\n", Some("192.0.2.7:8080"));
        complete(b"PROXY TCP6 2001:db8::7 ::1 8080 443\r\n", Some("[2001:db8::7]:8080"));
        complete(b"PROXY UNKNOWN\r\n", None);
        complete(&block(0x21, 0x11, &IPV4), Some("192.0.2.7:8080"));
        complete(&block(0x20, 0x00, &[]), None);
        complete(&block(0x20, 0x11, &IPV4), None);
        let mut extended = IPV4.to_vec();
        extended.extend([0x04, 0, 1, 0]);
        complete(&block(0x21, 0x11, &extended), Some("192.0.2.7:8080"));
        let mut v6 = [0; 36];
        (v6[15], v6[33]) = (1, 80);
        complete(&block(0x21, 0x21, &v6), Some("[::1]:80"));
    }

    #[test]
    fn what_is_no_header() {
        let cases: &[&[u8]] = &[
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 8080\r\n",
            b"PROXY TCP4 192.0.2.777 10.0.0.1 8080 443\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 80801 443\r\n",
            b"PROXY TCP4 2001:db8::7 ::1 8080 443\r\n",
            b"PROXY TCP5 192.0.2.7 10.0.0.1 8080 443\r\n",
            b"PROXYTCP4 192.0.2.7 10.0.0.1 8080 443\r\n",
            b"proxy TCP4 192.0.2.7 10.0.0.1 8080 443\r\n",
            b"\r\n\r\n\0\r\nQUIT\r",
            b"\x16\x03\x01",
        ];
        for bytes in cases {
            assert_eq!(parse(bytes), Parsed::Malformed, "{}", bytes.escape_ascii());
        }
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat();
        assert_eq!(parse(&long), Parsed::Malformed);
        assert_eq!(parse(&block(0x31, 0x11, &IPV4)), Parsed::Malformed);
        assert_eq!(parse(&block(0x21, 0x11, &IPV4[..8])), Parsed::Malformed);
    }
}
