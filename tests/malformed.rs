//! Requests of HTTP/1.1 that are none: what corpora of malformed requests hold, each refused, counted,
//! and nothing behind it read.

mod support;

use std::io::{Read as _, Write as _};

use support::{Firewall, Origin, setting};

const HOST: &str = "Host: data.example.fr\r\n";

/// The same of a request that is the connection's last.
const LAST: &str = "Host: data.example.fr\r\nConnection: close\r\n";

/// Statuses of everything that is answered to these bytes, and whether the connection is closed.
fn answers(firewall: &Firewall, bytes: &[u8]) -> (Vec<String>, bool) {
    let mut stream = std::net::TcpStream::connect(firewall.http).expect("a listener");
    stream.set_read_timeout(Some(support::PATIENCE)).expect("a positive time");
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let closed = stream.read_to_end(&mut answer).is_ok();
    let text = String::from_utf8_lossy(&answer);
    let statuses = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 "));
    (statuses.map(|status| status[..3].to_owned()).collect(), closed)
}

/// An origin that looks at heads alone: what breaks off in a body is the firewall's to tell.
fn heads() -> Origin {
    Origin::raw(|peer, seen| {
        while let Some(head) = peer.head() {
            let has_body = !head.all("transfer-encoding").is_empty();
            seen.lock().expect("no panic").push(head);
            if has_body {
                let _ = peer.stream().read_to_end(&mut Vec::new());
                return;
            }
            let _ = peer.stream().get_mut().write_all(&setting("200 OK", &[]));
        }
    })
}

/// Behind each stands a request that must not be read: it would be a smuggled one.
#[test]
fn malformed_heads_and_framings_are_refused() {
    let origin = heads();
    let firewall = Firewall::before(&origin);
    let get = |lines: &str| format!("GET / HTTP/1.1\r\n{HOST}{lines}\r\n").into_bytes();
    let line = |line: &str| format!("{line}\r\n{HOST}\r\n").into_bytes();
    let heads: Vec<(&str, Vec<u8>)> = vec![
        ("CR alone", b"GET / HTTP/1.1\rHost: data.example.fr\r\r".to_vec()),
        ("no version", b"GET /\r\n\r\n".to_vec()),
        ("HTTP/1.2", line("GET / HTTP/1.2")),
        ("HTTP/2.0", line("GET / HTTP/2.0")),
        ("http/1.1", line("GET / http/1.1")),
        ("two spaces", line("GET  / HTTP/1.1")),
        ("tabs", line("GET\t/\tHTTP/1.1")),
        ("a space before the method", line(" GET / HTTP/1.1")),
        ("a space in the target", line("GET /a b HTTP/1.1")),
        ("a control character in the target", line("GET /a\x01b HTTP/1.1")),
        ("a space before the colon", get("X : y\r\n")),
        ("a length with a space before the colon", get("Content-Length : 3\r\n")),
        ("a continued line", get("X: a\r\n b\r\n")),
        ("no colon", get("nonsense\r\n")),
        ("no name", get(": x\r\n")),
        ("NUL in a value", get("X: a\0b\r\n")),
        ("CR in a value", get("X: a\rb\r\n")),
        ("a control character in a name", get("X\x0b: b\r\n")),
        ("binary", b"\0\x01\x02\x03\r\n\r\n".to_vec()),
        ("a preface that breaks off", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec()),
    ];
    let post = |lines: &str, body: &str| {
        format!("POST / HTTP/1.1\r\n{HOST}{lines}\r\n{body}").into_bytes()
    };
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    let framings: Vec<(&str, Vec<u8>)> = vec![
        ("identity", post("Transfer-Encoding: identity\r\n", "")),
        ("chunked is not last", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")),
        ("xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        ("a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n")),
        ("quotes", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n")),
        ("two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")),
        ("a negative length", post("Content-Length: -3\r\n", "abc")),
        ("a length in hexadecimal", post("Content-Length: 0x3\r\n", "abc")),
        ("a length beyond all", post("Content-Length: 99999999999999999999\r\n", "abc")),
        ("an empty length", post("Content-Length: \r\n", "")),
        ("a list of lengths", post("Content-Length: 3, 3\r\n", "abc")),
        ("a chunk extension with LF", chunked("3;a\nabc\r\n0\r\n\r\n")),
        ("a chunk size with LF", chunked("3\nabc\r\n0\r\n\r\n")),
        ("a chunk with LF", chunked("3\r\nabc\n0\r\n\r\n")),
        ("a chunk size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n")),
        ("a negative chunk", chunked("-3\r\nabc\r\n0\r\n\r\n")),
        ("a chunk beyond all", chunked("fffffffffffffffff\r\nabc\r\n0\r\n\r\n")),
        ("a space before a chunk size", chunked(" 3\r\nabc\r\n0\r\n\r\n")),
        ("no chunk size", chunked("\r\nabc\r\n0\r\n\r\n")),
        ("an underscore in a chunk size", chunked("0_3\r\nabc\r\n0\r\n\r\n")),
    ];
    let smuggled = format!("GET /smuggled HTTP/1.1\r\n{HOST}\r\n");
    for (what, bytes) in heads.iter().chain(&framings) {
        let (statuses, closed) = answers(&firewall, &[bytes, smuggled.as_bytes()].concat());
        assert!(closed, "{what}: the connection is not closed");
        let refused = statuses.is_empty() || statuses == ["400"];
        assert!(refused, "{what}: {statuses:?}");
    }
    let smuggled = |seen: &support::Message| seen.first_line().contains("smuggled");
    assert!(!origin.seen().iter().any(smuggled), "{:?}", origin.seen());
    let ok = answers(&firewall, &get("Connection: close\r\n")).0;
    assert_eq!(ok, ["200"], "everybody else is served");
    let counted = firewall.metric("cookie_firewall_requests_total", &[("code", "400")])
        + firewall.metric("cookie_firewall_connection_errors_total", &[]);
    assert_eq!(counted, f64::from(u32::try_from(heads.len() + framings.len()).expect("few")));
}

#[test]
fn what_is_unusual_and_right_is_served() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let cases: [(&str, String); 7] = [
        ("LF alone", "GET / HTTP/1.1\nHost: data.example.fr\nConnection: close\n\n".into()),
        ("empty lines before it", format!("\r\n\r\nGET / HTTP/1.1\r\n{LAST}\r\n")),
        ("bytes above 0x7F in a value", format!("GET / HTTP/1.1\r\n{LAST}X: \u{e9}\r\n\r\n")),
        ("bytes above 0x7F in the target", format!("GET /\u{e9} HTTP/1.1\r\n{LAST}\r\n")),
        (
            "a chunk extension",
            format!(
                "POST / HTTP/1.1\r\n{LAST}Transfer-Encoding: CHUNKED\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n"
            ),
        ),
        (
            "the same length twice",
            format!("POST / HTTP/1.1\r\n{LAST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        ),
        ("a method of somebody's own", format!("get / HTTP/1.1\r\n{LAST}\r\n")),
    ];
    for (what, bytes) in cases {
        assert_eq!(answers(&firewall, bytes.as_bytes()).0, ["200"], "{what}");
    }
}

/// Bytes that an upstream sends before it is asked, or behind its answer, are nobody's answer.
#[test]
fn what_an_upstream_says_unasked_reaches_nobody() {
    let origin = Origin::raw(|peer, seen| {
        while let Some(request) = peer.request() {
            seen.lock().expect("no panic").push(request);
            peer.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\
                 Set-Cookie: sessionid=stolen\r\nContent-Length: 4\r\n\r\nevil",
            );
        }
    });
    let firewall = Firewall::before(&origin);
    for _ in 0..20 {
        let response = firewall.get("/", &[]);
        assert_eq!(response.text(), "ok");
        assert!(response.all("set-cookie").is_empty());
    }
}
