//! Who the client is, and how much of the firewall one client gets: PROXY protocol, trusted proxies,
//! limits of connections, caches.

mod support;

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use support::{CHARTER, DOMAIN, Firewall, Message, Origin, PATIENCE, Peer, Setup, setting};

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

/// Longer than a connection is idle before it is parked.
const SHORT_HEADS: &str = "[timeouts]\nrequest_head = \"3 s\"\n";

/// What an idle connection has left at a stop.
const LAST_REQUEST: Duration = Duration::from_secs(1);

fn site(origin: &Origin, more: &str) -> String {
    format!("upstream = \"{}\"\n{more}\n{CHARTER}", origin.url())
}

fn origin() -> Origin {
    Origin::fixed(setting("200 OK", &[]))
}

fn get(peer: &mut Peer, before: &[u8]) -> Message {
    let request = format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n");
    peer.send([before, request.as_bytes()].concat()).response()
}

fn errors(firewall: &Firewall, reason: &str) -> f64 {
    let labels = [("listener", "http"), ("reason", reason)];
    firewall.metric("cookie_firewall_connection_errors_total", &labels)
}

/// A firewall whose one listener, on a port that is free, expects the PROXY protocol. Its address is
/// written in two keys, so the system cannot choose it.
fn proxied(origin: &Origin, trusted: &str, more: &str) -> Firewall {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = port.local_addr().expect("bound");
    drop(port);
    let keys = format!(
        "http = [\"{address}\"]\nproxy_protocol = [\"{address}\"]\ntrusted_proxies = [{trusted}]"
    );
    Setup::new(&site(origin, "")).server(&keys).main(more).start()
}

#[test]
fn a_proxy_header_names_the_client() {
    let origin = origin();
    let firewall = proxied(&origin, "\"127.0.0.1\"", "");
    let v4 =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\x0a\x00\x00\x01\x1f\x90\x01\xbb";
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
    let cases: [(&[u8], &str); 5] = [
        (b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 443\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 8080 443\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (v4, "192.0.2.8"),
        (local, "127.0.0.1"),
    ];
    for (header, address) in cases {
        let mut peer = firewall.connect();
        assert_eq!(get(&mut peer, header).status(), 200, "{}", header.escape_ascii());
        assert_eq!(origin.last().texts("x-forwarded-for"), [address]);
        assert_eq!(get(&mut peer, b"").status(), 200, "the header comes once");
    }
    // In pieces, as a slow line has it.
    let mut peer = firewall.connect();
    for byte in cases[0].0 {
        peer.send([*byte]);
    }
    assert_eq!(get(&mut peer, b"").status(), 200);
    // And what the client itself says is not the proxy's word.
    let mut peer = firewall.connect();
    peer.send(cases[0].0)
        .send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"));
    assert_eq!(peer.response().status(), 200);
    assert_eq!(origin.last().texts("x-forwarded-for"), ["192.0.2.7"]);
}

#[test]
fn what_is_no_proxy_header_is_cut() {
    let origin = origin();
    let firewall = proxied(&origin, "\"127.0.0.1\"", "[timeouts]\nhandshake = \"1 s\"\n");
    let cases: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: data.example.fr\r\n\r\n",
        b"PROXY TCP4 192.0.2.777 10.0.0.1 8080 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 8080\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x01\x00",
        &[b'P'; 5000],
    ];
    for bytes in cases {
        let mut peer = firewall.connect();
        let _ = peer.stream().get_mut().write_all(bytes);
        let mut answer = Vec::new();
        let _ = peer.stream().read_to_end(&mut answer);
        assert!(answer.is_empty(), "{}", bytes[..20].escape_ascii());
    }
    firewall.wait_for("the count", |f| errors(f, "proxy_header") == 5.0);
    let mut half = firewall.connect();
    half.send("PROXY TCP4 192");
    assert!(half.is_closed());
    firewall.wait_for("the count", |f| errors(f, "timeout") == 1.0);
    assert!(origin.seen().is_empty());
    assert_eq!(get(&mut firewall.connect(), b"PROXY UNKNOWN\r\n").status(), 200);
}

#[test]
fn a_proxy_header_from_anybody_else_is_not_believed() {
    let origin = origin();
    let firewall = proxied(&origin, "\"192.0.2.0/24\"", "");
    let mut peer = firewall.connect();
    let _ = peer.stream().get_mut().write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 443\r\n");
    assert!(peer.is_closed());
    firewall.wait_for("the count", |f| errors(f, "untrusted") == 1.0);
}

#[test]
fn a_listener_that_does_not_ask_takes_a_proxy_header_for_nonsense() {
    let origin = origin();
    let firewall = Setup::new(&site(&origin, "")).server(TRUSTED).start();
    let header = b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 443\r\n";
    assert_eq!(get(&mut firewall.connect(), header).status(), 400);
}

#[test]
fn trusted_proxies_are_believed_and_tls_before_them_is_seen() {
    let origin = origin();
    let tables = "[tls]\nredirect = true\nhsts = \"1 day\"\n";
    let site = format!("upstream = \"{}\"\n{CHARTER}{tables}", origin.url());
    let firewall = Setup::new(&site).server(TRUSTED).start();
    let secure = ["X-Forwarded-For: 1.1.1.1, 192.0.2.7", "X-Forwarded-Proto: https"];
    let response = firewall.get("/", &secure);
    assert_eq!(response.status(), 200);
    assert_eq!(response.texts("strict-transport-security"), ["max-age=86400"]);
    let seen = origin.last();
    assert_eq!(seen.texts("x-forwarded-for"), ["192.0.2.7, 127.0.0.1"]);
    assert_eq!(seen.texts("x-forwarded-proto"), ["https"]);
    let forwarded = "for=192.0.2.7;proto=https;host=\"data.example.fr\", for=127.0.0.1";
    assert_eq!(seen.texts("forwarded"), [forwarded]);
    assert_eq!(firewall.get("/", &["X-Forwarded-Proto: http"]).status(), 308);
    // Proxies pass the client's own `Connection` on with what they say of it.
    let taken = "Connection: X-Forwarded-For, X-Forwarded-Proto, Forwarded, keep-alive";
    assert_eq!(firewall.get("/", &[secure[0], secure[1], taken]).status(), 200);
    assert_eq!(origin.last().texts("x-forwarded-for"), ["192.0.2.7, 127.0.0.1"]);
    assert_eq!(origin.last().texts("x-forwarded-proto"), ["https"]);

    let stranger = Setup::new(&site).start();
    assert_eq!(stranger.get("/", &secure).status(), 308, "anybody can say so");
}

#[test]
fn as_many_connections_as_allowed() {
    let origin = origin();
    for (limit, reason) in
        [("connections", "connections"), ("client_connections", "client_connections")]
    {
        let main = format!("[limits]\n{limit} = 2\n");
        let firewall = Setup::new(&site(&origin, "")).main(&main).start();
        let mut first = firewall.connect();
        let mut second = firewall.connect();
        assert_eq!(get(&mut first, b"").status(), 200);
        assert_eq!(get(&mut second, b"").status(), 200);
        assert!(firewall.connect().is_closed(), "{limit}");
        firewall.wait_for(limit, |f| errors(f, reason) == 1.0);
        assert_eq!(get(&mut first, b"").status(), 200);
        drop((first, second));
        firewall.wait_for("room", |f| {
            f.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
        });
        assert_eq!(get(&mut firewall.connect(), b"").status(), 200);
    }
}

#[test]
fn one_client_behind_a_proxy_has_the_limit_of_one() {
    let origin = origin();
    let firewall = proxied(&origin, "\"127.0.0.1\"", "[limits]\nclient_connections = 1\n");
    let one = b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n";
    let other = b"PROXY TCP4 192.0.2.8 10.0.0.1 1 2\r\n";
    let mut first = firewall.connect();
    assert_eq!(get(&mut first, one).status(), 200);
    let mut second = firewall.connect();
    second.send(one);
    assert!(second.is_closed());
    firewall.wait_for("the count", |f| errors(f, "client_connections") == 1.0);
    assert_eq!(get(&mut firewall.connect(), other).status(), 200, "another client");
}

#[test]
fn heads_at_and_over_their_limits() {
    let origin = origin();
    let firewall = Firewall::configured(
        "[limits]\nheader_bytes = 2000\nheader_fields = 20\n",
        &site(&origin, ""),
    );
    // A head of exactly this many bytes.
    let head = |bytes: usize| {
        let fixed = format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nX: \r\n\r\n");
        fixed.replace("X: ", &format!("X: {}", "x".repeat(bytes - fixed.len())))
    };
    assert_eq!(firewall.connect().send(head(2000)).response().status(), 200);
    assert_eq!(firewall.connect().send(head(2001)).response().status(), 431);
    let fields = |count: usize| {
        let lines = "X: y\r\n".repeat(count - 1);
        format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n{lines}\r\n")
    };
    assert_eq!(firewall.connect().send(fields(20)).response().status(), 200);
    assert_eq!(firewall.connect().send(fields(21)).response().status(), 431);
    let refused = [("site", "(none)"), ("code", "431")];
    firewall.wait_for("the count", |f| f.metric("cookie_firewall_requests_total", &refused) == 2.0);
}

#[test]
fn bodies_at_and_over_their_limit() {
    let origin = origin();
    let firewall = Firewall::configured("[limits]\nbody_bytes = 10\n", &site(&origin, ""));
    let post = |head: &str, body: &str| {
        let mut peer = firewall.connect();
        peer.send(format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\n{head}\r\n{body}"));
        peer.response().status()
    };
    assert_eq!(post("Content-Length: 10\r\n", "0123456789"), 200);
    assert_eq!(post("Content-Length: 11\r\n", "0123456789a"), 413);
    assert_eq!(post("Transfer-Encoding: chunked\r\n", "a\r\n0123456789\r\n0\r\n\r\n"), 200);
    assert_eq!(post("Transfer-Encoding: chunked\r\n", "b\r\n0123456789a\r\n0\r\n\r\n"), 413);
}

#[test]
fn a_body_that_trickles_is_cut_and_one_that_earns_its_time_is_not() {
    let origin = origin();
    let more = "[timeouts]\nrequest_body = \"1 s\"\n";
    let firewall = Firewall::configured(more, &site(&origin, ""));
    let mut slow = firewall.connect();
    slow.send(format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 1000\r\n\r\n"));
    let answer = std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let mut trickle = firewall.connect();
        trickle.send(format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 1000\r\n\r\n"));
        scope.spawn(move || {
            // A byte, and then another, for as long as anybody reads them.
            while stopped.recv_timeout(Duration::from_millis(100)).is_err() {
                if trickle.stream().get_mut().write_all(b"x").is_err() {
                    return;
                }
            }
        });
        let answer = slow.response();
        firewall.wait_for("the second", |f| {
            f.metric("cookie_firewall_requests_total", &[("code", "408")]) == 2.0
        });
        stop.send(()).ok();
        answer
    });
    assert_eq!(answer.status(), 408);
}

#[test]
fn responses_with_cookies_are_kept_out_of_shared_caches() {
    let answer = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
    let cookie = "Set-Cookie: sessionid=1\r\n";
    let shared = "Cache-Control: public, max-age=600\r\nCDN-Cache-Control: max-age=60\r\n";
    let cases = [
        (answer(&format!("{cookie}{shared}")), "", vec!["max-age=600, private"]),
        (answer(cookie), "", vec!["private"]),
        (answer(&format!("{cookie}{shared}")), "cache = \"no-store\"", vec!["no-store"]),
        (answer(&format!("{cookie}{shared}")), "cache = \"keep\"", vec!["public, max-age=600"]),
        (answer(&format!("{cookie}{shared}")), "mode = \"report\"", vec!["public, max-age=600"]),
        (answer(shared), "", vec!["public, max-age=600"]),
        // Without its cookie, the response is as good for one visitor as for the next.
        (answer(&format!("Set-Cookie: tracker=1\r\n{shared}")), "", vec!["public, max-age=600"]),
    ];
    for (answer, keys, expected) in cases {
        let origin = Origin::fixed(&answer);
        let response = Firewall::with(&site(&origin, keys)).get("/", &[]);
        assert_eq!(response.texts("cache-control"), expected, "{keys} {answer}");
    }
}

#[test]
fn p34_a_cookie_is_not_replayed_by_a_cache() {
    let answer = b"HTTP/1.1 304 Not Modified\r\nCache-Control: public, s-maxage=60\r\n\
        Set-Cookie: sessionid=1\r\n\r\n";
    let response = Firewall::before(&Origin::fixed(answer)).get("/", &["If-None-Match: x"]);
    assert_eq!(response.texts("cache-control"), ["private"]);
}

#[test]
fn wildcard_aliases_stand_for_one_label() {
    let origin = Origin::fixed(setting("200 OK", &[b"sessionid=1; Domain=portal.example"]));
    let firewall = Setup::new(&site(&origin, "aliases = [\"*.portal.example\"]")).start();
    let ask = |host: &str| firewall.exchange(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n"));
    assert_eq!(ask("a.portal.example").texts("set-cookie"), ["sessionid=1; Domain=portal.example"]);
    assert_eq!(ask("A.Portal.Example:80").status(), 200);
    assert_eq!(ask("portal.example").status(), 421);
    assert_eq!(ask("a.b.portal.example").status(), 421);
    assert_eq!(ask(".portal.example").status(), 421);
    assert_eq!(ask("*.portal.example").status(), 421);
}

/// The public connections that are parked.
fn parked(firewall: &Firewall) -> f64 {
    firewall.metric("cookie_firewall_idle_connections", &[("listener", "http")])
}

#[test]
fn what_is_left_behind_a_request_has_the_time_of_a_head() {
    let firewall = Setup::new(&site(&origin(), "")).main(SHORT_HEADS).start();
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\nGE"));
    assert_eq!(peer.response().status(), 200);
    let since = Instant::now();
    assert!(peer.is_closed(), "a head that does not come to its end");
    // That it was looked at meanwhile does not begin its time again.
    assert!(since.elapsed() < Duration::from_millis(4900), "after {:?}", since.elapsed());
    firewall.wait_for("the count", |f| errors(f, "timeout") == 1.0);
}

#[test]
fn what_is_left_behind_a_request_may_become_one() {
    let firewall = Setup::new(&site(&origin(), "")).start();
    let mut peer = firewall.connect();
    let request = format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n");
    peer.send(format!("{request}GE"));
    assert_eq!(peer.response().status(), 200);
    // By the time that another one is parked, this one has been looked at.
    let mut other = firewall.connect();
    assert_eq!(get(&mut other, b"").status(), 200);
    firewall.wait_for("the idle connection", |f| parked(f) == 1.0);
    peer.send(&request[2..]);
    assert_eq!(peer.response().status(), 200);
    firewall.wait_for("the other idle connection", |f| parked(f) == 2.0);
}

#[test]
fn an_empty_line_behind_a_body_begins_no_request() {
    let mut firewall = Setup::new(&site(&origin(), "")).start();
    let mut peer = firewall.connect();
    for _ in 0..2 {
        // What old clients send (RFC 9112 2.2).
        let head = format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 2\r\n\r\n");
        assert_eq!(peer.send(format!("{head}ok\r\n")).response().status(), 200);
        firewall.wait_for("the idle connection", |f| parked(f) == 1.0);
    }
    let stops = Instant::now();
    firewall.begin_stop();
    assert!(peer.is_closed());
    firewall.stop();
    assert!(stops.elapsed() < PATIENCE, "it holds nothing up");
}

#[test]
fn a_connection_that_becomes_idle_at_a_stop_has_its_second() {
    let mut firewall = Setup::new(&site(&origin(), "")).start();
    let mut first = firewall.connect();
    assert_eq!(get(&mut first, b"").status(), 200);
    // So long is the second one not idle yet when the first one is.
    std::thread::sleep(LAST_REQUEST / 2);
    let mut second = firewall.connect();
    assert_eq!(get(&mut second, b"").status(), 200);
    firewall.wait_for("the idle connection", |f| parked(f) == 1.0);
    drop(first);
    firewall.wait_for("its end", |f| parked(f) == 0.0);
    let stops = Instant::now();
    firewall.begin_stop();
    assert!(second.is_closed());
    assert!(stops.elapsed() >= LAST_REQUEST, "after {:?}", stops.elapsed());
    firewall.stop();
}

#[test]
fn many_idle_connections_have_their_whole_time() {
    let firewall = Setup::new(&site(&origin(), "")).main(SHORT_HEADS).start();
    // So many that they are parked after a part of a second.
    let mut peers: Vec<Peer> = (0..128).map(|_| firewall.connect()).collect();
    for peer in &mut peers {
        assert_eq!(get(peer, b"").status(), 200);
    }
    let last = peers.last_mut().expect("there are some");
    let since = Instant::now();
    assert!(last.is_closed());
    // The answer is on its way for a moment.
    let expected = Duration::from_millis(2900);
    assert!(since.elapsed() >= expected, "after {:?}", since.elapsed());
}
