//! HTTP/2 from clients, over sockets: the acceptance tests of `acceptance.rs` again, the pitfalls that
//! are HTTP/2's own, and what a client may do to a server.

mod support;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use support::h2::{Client, raw};
use support::tls::{Authority, table, with};
use support::{CHARTER, DOMAIN, Firewall, Origin, PATIENCE, Peer, Setup, consent, setting};

const REFUSED: &str = "cookie_firewall_http2_refused_streams_total";

/// Both ways in which a client may speak HTTP/2, each before an origin that gives `answer`.
fn both_ways(answer: &[u8], mut check: impl FnMut(&mut Client, &Firewall, &Origin)) {
    let origin = Origin::fixed(answer);
    let firewall = Firewall::before(&origin);
    check(&mut Client::new(firewall.http), &firewall, &origin);
    let authority = Authority::new();
    let site = format!("upstream = \"{}\"\n{CHARTER}\n{}", origin.url(), table(&["site"]));
    let setup = Setup::new(&site).server("https = [\"127.0.0.1:0\"]");
    let origin = Origin::fixed(answer);
    let setup = Setup {
        sites: vec![format!(
            "domain = \"{DOMAIN}\"\nupstream = \"{}\"\n{CHARTER}\n{}",
            origin.url(),
            table(&["site"])
        )],
        ..setup
    };
    let firewall = with(setup, "site", &authority.issue(&[DOMAIN])).start();
    let mut client = Client::over_tls(authority.client(&["h2"]), firewall.https[0], DOMAIN);
    check(&mut client, &firewall, &origin);
}

fn errors(firewall: &Firewall, reason: &str) -> f64 {
    let labels = [("listener", "http"), ("reason", reason)];
    firewall.metric("cookie_firewall_connection_errors_total", &labels)
}

#[test]
fn five_lines_one_refused_on_every_status() {
    let lines: [&[u8]; 5] = [
        b"sessionid=1; Path=/; HttpOnly; Priority=High",
        b"csrftoken=\xe9\xff;Path=/;SameSite=Lax",
        b"tracker=1; Path=/",
        b"csrftoken=a=b; Expires=Thu, 01-Jan-2099 00:00:00 GMT",
        b"sessionid = 2 ;; future",
    ];
    for status in ["200 OK", "302 Found", "404 Not Found", "500 Internal Server Error"] {
        both_ways(&setting(status, &lines), |client, firewall, _| {
            let response = client.get("/", &[]);
            assert_eq!(response.status().to_string(), status[..3]);
            let kept = [lines[0], lines[1], lines[3], lines[4]];
            assert_eq!(response.all("set-cookie"), kept, "{status}");
            assert_eq!(response.body, b"ok");
            assert_eq!(firewall.counted("response", "block", "undeclared"), 1.0);
            assert_eq!(firewall.counted("response", "keep", "exempt"), 4.0);
        });
    }
}

#[test]
fn no_cookie_survives_on_a_page_of_our_own() {
    let broken = b"HTTP/1.1 200 OK\r\nSet-Cookie: tracker=1\r\nContent-Length: x\r\n\r\n";
    both_ways(broken, |client, _, _| {
        let response = client.get("/", &[]);
        assert_eq!(response.status(), 502);
        assert!(response.all("set-cookie").is_empty());
        assert!(response.all("connection").is_empty());
    });
}

/// Forty fields of one cookie each, three of them refused, reach an origin of HTTP/1.1 as one field.
#[test]
fn p19_crumbs_are_rejoined_before_any_decision() {
    both_ways(&setting("200 OK", &[]), |client, firewall, origin| {
        let names = ["sessionid", "csrftoken"];
        let crumbs: Vec<String> = (0..40)
            .map(|n| match n {
                7 | 21 | 39 => format!("tracker{n}={n}"),
                n => format!("{}={n}", names[n % 2]),
            })
            .collect();
        let fields: Vec<_> = crumbs.iter().map(|crumb| ("cookie", crumb.as_str())).collect();
        assert_eq!(client.get("/", &fields).status(), 200);
        let kept: Vec<_> = crumbs.iter().filter(|c| !c.starts_with("tracker")).cloned().collect();
        assert_eq!(origin.last().texts("cookie"), [kept.join("; ")]);
        assert_eq!(firewall.counted("request", "block", "undeclared"), 3.0);
        assert_eq!(firewall.counted("request", "keep", "exempt"), 37.0);
    });
}

#[test]
fn a_long_lifetime_is_cut_and_never_longer() {
    let line = b"sessionid=1; Max-Age=99999999; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/";
    both_ways(&setting("200 OK", &[line]), |client, firewall, _| {
        let cut = [b"sessionid=1; Max-Age=1209600; Path=/"];
        assert_eq!(client.get("/", &[]).all("set-cookie"), cut);
        assert_eq!(firewall.counted("response", "rewrite", "lifetime"), 1.0);
    });
}

#[test]
fn nameless_cookies_and_old_grammars() {
    both_ways(&setting("200 OK", &[b"token", b"=a=b"]), |client, firewall, origin| {
        let response = client.get("/", &[("cookie", "x; tracker=1; sessionid=ok")]);
        assert!(response.all("set-cookie").is_empty());
        assert_eq!(origin.last().texts("cookie"), ["sessionid=ok"]);
        assert_eq!(firewall.counted("response", "block", "nameless"), 2.0);
        let crumbs =
            [("cookie", "$Version=1"), ("cookie", "sessionid=\""), ("cookie", "csrftoken=\"")];
        client.get("/", &crumbs);
        assert!(origin.last().texts("cookie").is_empty());
        assert_eq!(firewall.counted("request", "block", "malformed"), 3.0);
    });
}

#[test]
fn a_latin_1_byte_changes_nothing_for_the_others() {
    let answer = setting("200 OK", &[b"sessionid=\xe9", b"tracker=\xe9"]);
    both_ways(&answer, |client, _, origin| {
        let cookie =
            http::HeaderValue::from_bytes(b"a=\xe9; sessionid=\xe9; b=1").expect("a value");
        let request = client.to("/").header("cookie", cookie).body(Full::default());
        let response = client.send(request.expect("a request"));
        assert_eq!(response.all("set-cookie"), [b"sessionid=\xe9"]);
        assert_eq!(origin.last().all("cookie"), [b"sessionid=\xe9"]);
    });
}

#[test]
fn contradictory_consent_is_unset_and_deletes_nothing() {
    both_ways(&setting("200 OK", &[b"_pk_id.1=1", b"_ga=1"]), |client, firewall, _| {
        let (one, other) = (consent(true, true), consent(false, true));
        let response =
            client.get("/", &[("cookie", &one), ("cookie", &other), ("cookie", "_ga=1")]);
        assert!(response.all("set-cookie").is_empty());
        assert_eq!(firewall.metric("cookie_firewall_consent_total", &[("state", "conflict")]), 1.0);
        assert_eq!(firewall.counted("response", "block", "unset"), 2.0);
    });
}

#[test]
fn consent_decides_in_both_directions() {
    both_ways(&setting("200 OK", &[b"_pk_id.1=1", b"_ga=1"]), |client, _, origin| {
        let choice = consent(true, false);
        let crumbs = [("cookie", &*choice), ("cookie", "_pk_id.1=1"), ("cookie", "_ga=1")];
        let response = client.get("/", &crumbs);
        assert_eq!(response.texts("set-cookie"), ["_pk_id.1=1"]);
        assert_eq!(origin.last().texts("cookie"), [format!("{choice}; _pk_id.1=1")]);
    });
}

#[test]
fn report_mode_passes_identical_bytes_and_counts() {
    let lines: [&[u8]; 3] = [b"tracker=1", b"sessionid=1; Max-Age=99999999", b"token"];
    let origin = Origin::fixed(setting("200 OK", &lines));
    let site = format!("upstream = \"{}\"\nmode = \"report\"\n{CHARTER}", origin.url());
    let firewall = Firewall::with(&site);
    let mut client = Client::new(firewall.http);
    let response = client.get("/", &[("cookie", "tracker=1"), ("cookie", "sessionid=2")]);
    assert_eq!(response.all("set-cookie"), lines);
    // An origin of HTTP/1.1 reads one field only, whatever is decided.
    assert_eq!(origin.last().texts("cookie"), ["tracker=1; sessionid=2"]);
    assert_eq!(firewall.counted("request", "block", "undeclared"), 1.0);
    assert!(!firewall.metrics().contains("mode=\"enforce\""));
}

/// RST_STREAM, or GOAWAY where the library takes the whole connection for broken, as it may (RFC 9113
/// 5.4.2).
fn refusal(peer: &mut Peer) -> raw::Frame {
    let mut frames = std::iter::from_fn(|| raw::read(peer));
    let refusal = frames.find(|frame| [raw::RST_STREAM, raw::GOAWAY].contains(&frame.kind));
    refusal.expect("a refusal")
}

#[test]
fn p18_white_space_in_a_field_name() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    for name in ["cookie ", "cookie\t", " cookie", "Cookie", "coo\0kie", "cookie:"] {
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        let flags = raw::END_HEADERS | raw::END_STREAM;
        peer.send(raw::frame(raw::HEADERS, flags, 1, &raw::get(&[(name, "tracker=1")])));
        assert_eq!(refusal(&mut peer).code(), 1, "{name:?}");
    }
    assert!(origin.seen().is_empty());
    firewall.wait_for("the refused streams", |f| f.metric(REFUSED, &[]) == 6.0);
}

#[test]
fn p20_crumbs_are_limited_before_they_are_joined() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut client = Client::new(firewall.http);
    let crumbs = |count| vec![("cookie", "a="); count];
    assert_eq!(client.get("/", &crumbs(300)).status(), 200);
    assert_eq!(client.get("/", &crumbs(301)).status(), 431);
    assert_eq!(firewall.counted("request", "block", "limit"), 1.0);
    // Beyond the limit of the head nothing is read at all.
    assert_eq!(client.get("/", &crumbs(20_000)).status(), 431);
    firewall.wait_for("the refused stream", |f| f.metric(REFUSED, &[]) == 1.0);
    assert_eq!(client.get("/", &[]).status(), 200);
    assert_eq!(origin.seen().len(), 2);
}

/// What RFC 7541 makes of a field that has been sent before: one byte, for as much memory as one likes.
#[test]
fn p20_a_hundred_thousand_indexed_crumbs_cost_no_memory() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    // The first is put into the table, at index 62.
    let value = "a=".to_owned() + &"x".repeat(100);
    let mut block = raw::get(&[]);
    block.extend([0x40 | 32, u8::try_from(value.len()).expect("short")]);
    block.extend_from_slice(value.as_bytes());
    block.extend(vec![0x80 | 62; 100_000 - 200]);
    let mut pieces = block.chunks(16_000);
    let first = pieces.next().expect("a long block");
    peer.send(raw::frame(raw::HEADERS, raw::END_STREAM, 1, first));
    let rest: Vec<_> = pieces.collect();
    for (index, piece) in rest.iter().enumerate() {
        let flags = if index + 1 == rest.len() { raw::END_HEADERS } else { 0 };
        let frame = raw::frame(raw::CONTINUATION, flags, 1, piece);
        // It may be cut before it has sent everything.
        if std::io::Write::write_all(peer.stream().get_mut(), &frame).is_err() {
            break;
        }
    }
    let refused = raw::read(&mut peer).is_some();
    assert!(refused || peer.is_closed());
    firewall.wait_for("the refusal", |f| f.metric(REFUSED, &[]) + errors(f, "http2") >= 1.0);
    assert!(origin.seen().is_empty());
    assert_eq!(Client::new(firewall.http).get("/", &[]).status(), 200);
}

#[test]
fn p21_many_tiny_cookies_in_one_field() {
    both_ways(&setting("200 OK", &[]), |client, firewall, origin| {
        assert_eq!(client.get("/", &[("cookie", &"a=;".repeat(299))]).status(), 200);
        assert_eq!(client.get("/", &[("cookie", &"a=;".repeat(300))]).status(), 431);
        assert_eq!(firewall.counted("request", "block", "limit"), 1.0);
        assert_eq!(origin.seen().len(), 1);
    });
}

#[test]
fn p22_a_jumbo_header_is_refused_before_it_is_forwarded() {
    both_ways(&setting("200 OK", &[]), |client, _, origin| {
        let crumb = format!("sessionid={}", "x".repeat(4_000));
        assert_eq!(client.get("/", &vec![("cookie", &*crumb); 9]).status(), 431);
        assert!(origin.seen().is_empty());
    });
}

#[test]
fn p32_every_status_and_trailers() {
    let cookies = b"Set-Cookie: tracker=1\r\nSet-Cookie: sessionid=1\r\n";
    for status in [200, 204, 206, 301, 302, 304, 400, 401, 404, 410, 500, 503] {
        let mut answer = b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: tracker=early\r\n\r\n".to_vec();
        answer.extend_from_slice(format!("HTTP/1.1 {status} X\r\n").as_bytes());
        answer.extend_from_slice(cookies);
        if !matches!(status, 204 | 304) {
            answer.extend_from_slice(b"Content-Length: 0\r\n");
        }
        answer.extend_from_slice(b"\r\n");
        let firewall = Firewall::before(&Origin::fixed(answer));
        let response = Client::new(firewall.http).get("/", &[]);
        assert_eq!(response.status(), status);
        assert_eq!(response.texts("set-cookie"), ["sessionid=1"], "{status}");
        assert_eq!(firewall.counted("response", "block", "undeclared"), 2.0, "{status}");
    }
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Set-Cookie\r\n\r\n\
        2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: sessionid=1\r\nSet-Cookie2: a=1\r\n\r\n";
    both_ways(chunked, |client, firewall, _| {
        let response = client.get("/", &[("te", "trailers")]);
        assert_eq!(response.body, b"ok");
        assert_eq!(response.trailers, [b"x-sum: 1"]);
        assert_eq!(firewall.counted("response", "block", "malformed"), 2.0);
    });
}

#[test]
fn fields_of_one_connection_do_not_pass() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n\
        Via: 1.0 edge\r\nContent-Length: 2\r\n\r\nok";
    both_ways(answer.as_bytes(), |client, _, origin| {
        let response = client.get("/a?b=c", &[("te", "trailers"), ("x-own", "1")]);
        for name in ["connection", "keep-alive", "x-hop", "transfer-encoding"] {
            assert!(response.all(name).is_empty(), "{name}");
        }
        assert_eq!(response.texts("via"), ["1.0 edge", "1.1 cookie-firewall"]);
        let seen = origin.last();
        assert_eq!(seen.first_line(), "GET /a?b=c HTTP/1.1");
        assert_eq!(seen.texts("host"), [DOMAIN]);
        assert_eq!(seen.texts("via"), ["2 cookie-firewall"]);
        assert_eq!(seen.texts("te"), ["trailers"]);
        assert_eq!(seen.texts("x-own"), ["1"]);
    });
}

#[test]
fn sites_are_found_by_authority() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut client = Client::new(firewall.http);
    let mut ask = |uri: &str, host: Option<&str>| {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        client.send(request.body(Full::default()).expect("a request")).status()
    };
    assert_eq!(ask(&format!("http://{}/", DOMAIN.to_uppercase()), None), 200);
    assert_eq!(ask(&format!("http://{DOMAIN}:8080/"), None), 200);
    assert_eq!(ask("http://other.example/", None), 421);
    assert_eq!(ask(&format!("http://{DOMAIN}/"), Some(DOMAIN)), 200);
    assert_eq!(ask(&format!("http://{DOMAIN}/"), Some("other.example")), 400);
    assert_eq!(ask("http://other.example/", Some(DOMAIN)), 400);
    assert_eq!(origin.seen().len(), 3);
}

#[test]
fn bodies_go_both_ways_and_end_where_they_must() {
    let origin = Origin::new(|request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        [head.into_bytes(), request.body.clone()].concat()
    });
    let firewall = Firewall::configured("[limits]\nbody_bytes = 3_000_000\n", &usual(&origin));
    let mut client = Client::new(firewall.http);
    let mut send = |length: usize| {
        let body = Full::new(Bytes::from(vec![b'x'; length]));
        let request = client.to("/").method("POST").body(body).expect("a request");
        client.send(request)
    };
    assert_eq!(send(3_000_000).body.len(), 3_000_000);
    assert_eq!(send(3_000_001).status(), 413);
    assert_eq!(origin.seen().len(), 1);
}

fn usual(origin: &Origin) -> String {
    format!("upstream = \"{}\"\n{CHARTER}", origin.url())
}

/// Sends a head that says nothing of its body's length, and then these DATA frames.
fn upload(peer: &mut Peer, pieces: &[usize]) {
    raw::begin(peer);
    let post = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", DOMAIN)];
    peer.send(raw::frame(raw::HEADERS, raw::END_HEADERS, 1, &raw::block(&post)));
    for length in pieces {
        peer.send(raw::frame(raw::DATA, 0, 1, &vec![b'x'; *length]));
    }
}

#[test]
fn a_body_that_grows_too_large_or_stands_still() {
    let origin = Origin::raw(|peer, _| while peer.request().is_some() {});
    let more = "[limits]\nbody_bytes = 1000\n[timeouts]\nrequest_body = \"1 s\"\n";
    let firewall = Firewall::configured(more, &usual(&origin));
    let mut peer = firewall.connect();
    upload(&mut peer, &[600, 600]);
    assert!(raw::wait_for(&mut peer, raw::HEADERS).is_some());
    firewall
        .wait_for("413", |f| f.metric("cookie_firewall_requests_total", &[("code", "413")]) == 1.0);
    let mut peer = firewall.connect();
    upload(&mut peer, &[10]);
    assert!(raw::wait_for(&mut peer, raw::HEADERS).is_some());
    assert_eq!(firewall.metric("cookie_firewall_requests_total", &[("code", "408")]), 1.0);
}

/// What a client does wrong, and the error that ends the connection (RFC 9113 7).
#[test]
fn frames_in_wrong_states() {
    let (protocol, size, compression) = (1, 6, 9);
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let headers = |stream| {
        raw::frame(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, stream, &raw::get(&[]))
    };
    let cases: Vec<(&str, Vec<u8>, u32)> = vec![
        ("DATA on stream 0", raw::frame(raw::DATA, 0, 0, b"x"), protocol),
        ("DATA on an idle stream", raw::frame(raw::DATA, 0, 1, b"x"), protocol),
        ("HEADERS on stream 0", headers(0), protocol),
        ("HEADERS on an even stream", headers(2), protocol),
        ("a stream number that goes back", [headers(5), headers(3)].concat(), protocol),
        ("SETTINGS on a stream", raw::frame(raw::SETTINGS, 0, 1, &[]), protocol),
        ("SETTINGS of a wrong size", raw::frame(raw::SETTINGS, 0, 0, &[0; 5]), size),
        ("SETTINGS ACK with a payload", raw::frame(raw::SETTINGS, raw::ACK, 0, &[0; 6]), size),
        ("PING of a wrong size", raw::frame(raw::PING, 0, 0, &[0; 7]), size),
        ("PING on a stream", raw::frame(raw::PING, 0, 1, &[0; 8]), protocol),
        ("WINDOW_UPDATE by nothing", raw::frame(raw::WINDOW_UPDATE, 0, 0, &[0; 4]), protocol),
        ("CONTINUATION of nothing", raw::frame(raw::CONTINUATION, 4, 1, &[]), protocol),
        ("RST_STREAM on an idle stream", raw::frame(raw::RST_STREAM, 0, 1, &[0; 4]), protocol),
        ("PUSH_PROMISE from a client", raw::frame(5, 4, 1, &[0; 4]), protocol),
        (
            "a frame between HEADERS and CONTINUATION",
            [raw::frame(raw::HEADERS, 0, 1, &raw::get(&[])), headers(3)].concat(),
            protocol,
        ),
        (
            "a block that is no HPACK",
            raw::frame(raw::HEADERS, 5, 1, &[0xff, 0x80, 0x01]),
            compression,
        ),
        ("a frame that is too long", raw::frame(raw::DATA, 0, 1, &[0; 20_000]), size),
    ];
    for (index, (what, frames, code)) in cases.iter().enumerate() {
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        peer.send(frames);
        let goaway = raw::wait_for(&mut peer, raw::GOAWAY);
        let found = goaway.unwrap_or_else(|| panic!("{what}: no GOAWAY")).code();
        // The library calls wrong sizes of some frames, and what is no HPACK, a wrong protocol.
        assert!(found == *code || (*code > protocol && found == protocol), "{what}: {found}");
        // It is read for a while yet, and counted when it is closed.
        drop(peer);
        let counted = f64::from(u32::try_from(index).expect("few") + 1);
        firewall.wait_for(what, |firewall| errors(firewall, "http2") == counted);
    }
    assert_eq!(Client::new(firewall.http).get("/", &[]).status(), 200);
}

#[test]
fn requests_that_are_malformed_cost_their_stream() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let base = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", DOMAIN)];
    let with = |more: &[(&str, &str)]| raw::block(&[&base[..], more].concat());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no method", raw::block(&base[1..])),
        ("an empty path", raw::block(&[base[0], base[1], (":path", ""), base[3]])),
        ("two paths", with(&[(":path", "/x")])),
        ("an unknown pseudo-field", with(&[(":unknown", "x")])),
        ("a pseudo-field of responses", with(&[(":status", "200")])),
        (
            "a pseudo-field behind a field",
            raw::block(&[("x", "y"), base[0], base[1], base[2], base[3]]),
        ),
        ("connection", with(&[("connection", "keep-alive")])),
        ("transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("te but for trailers", with(&[("te", "gzip")])),
        ("a line end in a value", with(&[("x", "a\r\nset-cookie: b")])),
        ("NUL in a value", with(&[("cookie", "sessionid=\0")])),
    ];
    for (what, block) in &cases {
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        peer.send(raw::frame(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, 1, block));
        let refused = refusal(&mut peer);
        assert_eq!(refused.code(), 1, "{what}");
        if refused.kind == raw::GOAWAY {
            peer = firewall.connect();
            raw::begin(&mut peer);
        }
        let flags = raw::END_HEADERS | raw::END_STREAM;
        peer.send(raw::frame(raw::HEADERS, flags, 3, &raw::get(&[])));
        assert_eq!(raw::wait_for(&mut peer, raw::HEADERS).expect("an answer").stream, 3, "{what}");
    }
    assert_eq!(origin.seen().len(), cases.len());
}

#[test]
fn content_length_must_be_the_bodys() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let post = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", DOMAIN),
        ("content-length", "5"),
    ];
    peer.send(raw::frame(raw::HEADERS, raw::END_HEADERS, 1, &raw::block(&post)));
    peer.send(raw::frame(raw::DATA, raw::END_STREAM, 1, b"123456789"));
    let refused = raw::wait_for(&mut peer, raw::RST_STREAM).expect("a malformed request");
    assert_eq!(refused.code(), 1);
    assert_eq!(Client::new(firewall.http).get("/", &[]).status(), 200);
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    peer.send(raw::frame(raw::HEADERS, raw::END_STREAM, 1, &raw::get(&[])));
    let piece = raw::frame(raw::CONTINUATION, 0, 1, &[]);
    let flood = piece.repeat(100_000);
    let _ = std::io::Write::write_all(peer.stream().get_mut(), &flood);
    firewall.wait_for("the end", |f| errors(f, "http2") + errors(f, "flood") == 1.0);
    assert!(origin.seen().is_empty());
}

#[test]
fn a_flood_of_frames_that_ask_for_nothing_ends_the_connection() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let floods = [
        raw::frame(raw::PING, 0, 0, &[0; 8]),
        raw::frame(raw::SETTINGS, 0, 0, &[]),
        raw::frame(2, 0, 1, &[0, 0, 0, 0, 0]),
        raw::frame(0xee, 0, 0, &[]),
    ];
    for (index, frame) in floods.iter().enumerate() {
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        let _ = std::io::Write::write_all(peer.stream().get_mut(), &frame.repeat(20_000));
        let expected = f64::from(u32::try_from(index).expect("few") + 1);
        firewall.wait_for("the end", |f| errors(f, "flood") + errors(f, "http2") == expected);
    }
}

#[test]
fn rapid_resets_end_the_connection() {
    let origin = Origin::raw(|peer, _| {
        peer.head();
        let _ = peer.is_closed();
    });
    let firewall = Firewall::configured("[limits]\nresets = 20\n", &usual(&origin));
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let flags = raw::END_HEADERS | raw::END_STREAM;
    for n in 0..2000 {
        let stream = 2 * n + 1;
        let request = raw::frame(raw::HEADERS, flags, stream, &raw::get(&[]));
        let reset = raw::frame(raw::RST_STREAM, 0, stream, &8u32.to_be_bytes());
        let both = [request, reset].concat();
        if std::io::Write::write_all(peer.stream().get_mut(), &both).is_err() {
            break;
        }
    }
    firewall.wait_for("the end", |f| {
        ["resets", "http2", "flood"].iter().map(|reason| errors(f, reason)).sum::<f64>() >= 1.0
    });
    firewall.wait_for("the connections", |f| {
        f.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
    });
}

/// Resets that come slowly enough for each request to be sent upstream.
#[test]
fn slow_resets_end_the_connection_too_and_answers_make_up_for_them() {
    let origin = Origin::new(|request| {
        if request.first_line().contains("/slow") { Vec::new() } else { setting("200 OK", &[]) }
    });
    let slow = Origin::raw(|peer, seen| {
        if let Some(head) = peer.head() {
            seen.lock().expect("no panic").push(head);
            let _ = peer.is_closed();
        }
    });
    let site = format!("domain = \"slow.example\"\nupstream = \"{}\"\n", slow.url());
    let firewall = Setup::new(&usual(&origin)).main("[limits]\nresets = 3\n").site(&site).start();
    let mut client = Client::new(firewall.http);
    for round in 0..3 {
        for n in 0..3 {
            client.run(|mut sender| {
                let slow = &slow;
                async move {
                    let request = Request::builder().uri("http://slow.example/");
                    let request = request.body(Full::default()).expect("a request");
                    let answer = sender.send_request(request);
                    let arrived = async {
                        while slow.seen().len() < round * 3 + n + 1 {
                            tokio::task::yield_now().await;
                        }
                    };
                    tokio::select! {
                        _ = answer => panic!("it is slow"),
                        () = arrived => {}
                        () = tokio::time::sleep(PATIENCE) => panic!("it did not arrive"),
                    }
                }
            });
        }
        for _ in 0..4 {
            assert_eq!(client.get("/", &[]).status(), 200, "round {round}");
        }
    }
    assert_eq!(errors(&firewall, "resets"), 0.0);
}

#[test]
fn no_more_streams_than_allowed() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::configured("[limits]\nstreams = 7\n", &usual(&origin));
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let settings = raw::wait_for(&mut peer, raw::SETTINGS).expect("settings");
    let value = |id: u16| {
        let mut entries = settings.payload.chunks(6);
        let entry = entries.find(|entry| entry[..2] == id.to_be_bytes()).expect("the setting");
        u32::from_be_bytes(entry[2..].try_into().expect("four bytes"))
    };
    assert_eq!(value(3), 7, "SETTINGS_MAX_CONCURRENT_STREAMS");
    assert_eq!(value(8), 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL");
}

#[test]
fn an_idle_connection_is_closed_with_a_word() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::configured("[timeouts]\nidle = \"1 s\"\n", &usual(&origin));
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let goaway = raw::wait_for(&mut peer, raw::GOAWAY).expect("a GOAWAY");
    assert_eq!(goaway.code(), 0, "NO_ERROR");
    while raw::read(&mut peer).is_some() {}
    firewall.wait_for("the end", |f| {
        f.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
    });
}

#[test]
fn a_client_that_gives_no_room_for_its_response_is_let_go() {
    let body = vec![b'x'; 1 << 20];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let origin = Origin::fixed([head.into_bytes(), body].concat());
    let firewall = Firewall::configured("[timeouts]\nresponse = \"1 s\"\n", &usual(&origin));
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let flags = raw::END_HEADERS | raw::END_STREAM;
    peer.send(raw::frame(raw::HEADERS, flags, 1, &raw::get(&[])));
    while raw::read(&mut peer).is_some() {}
    firewall.wait_for("the fault", |f| errors(f, "unread") == 1.0);
    let active = [("state", "active")];
    firewall.wait_for("the upstream's release", |f| {
        f.metric("cookie_firewall_upstream_connections", &active) == 0.0
    });
}

/// What the client does not take stays in the upstream, but for what fits into windows and sockets.
#[test]
fn a_client_that_reads_slowly_slows_the_upstream() {
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&sent);
    let origin = Origin::raw(move |peer, _| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let piece = [b'x'; 65_536];
        while std::io::Write::write_all(peer.stream().get_mut(), &piece).is_ok() {
            counted.fetch_add(piece.len(), std::sync::atomic::Ordering::SeqCst);
        }
    });
    let firewall = Firewall::configured("[timeouts]\nresponse = \"2 s\"\n", &usual(&origin));
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let flags = raw::END_HEADERS | raw::END_STREAM;
    peer.send(raw::frame(raw::HEADERS, flags, 1, &raw::get(&[])));
    // Until the client is let go, nothing but its first window has been asked for.
    firewall.wait_for("the end", |f| errors(f, "unread") == 1.0);
    let sent = sent.load(std::sync::atomic::Ordering::SeqCst);
    assert!(sent < 16 << 20, "{sent} bytes");
}

#[test]
fn stopping_says_so_and_finishes_what_is_in_flight() {
    let (arrived, has_arrived) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let origin = Origin::raw(move |peer, _| {
        peer.request();
        arrived.send(()).expect("the test waits");
        may_go.lock().expect("one connection").recv_timeout(PATIENCE).expect("the test's word");
        peer.send(setting("200 OK", &[]));
    });
    let mut firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let flags = raw::END_HEADERS | raw::END_STREAM;
    peer.send(raw::frame(raw::HEADERS, flags, 1, &raw::get(&[])));
    has_arrived.recv_timeout(PATIENCE).expect("the request");
    firewall.begin_stop();
    let goaway = raw::wait_for(&mut peer, raw::GOAWAY).expect("a GOAWAY");
    assert_eq!(goaway.code(), 0);
    go.send(()).expect("the origin waits");
    let answer = raw::wait_for(&mut peer, raw::HEADERS).expect("the answer");
    assert_eq!(answer.stream, 1);
    // The first GOAWAY is a warning; a PING tells when the client has seen it (RFC 9113 6.8).
    while let Some(frame) = raw::read(&mut peer) {
        if frame.kind == raw::PING && frame.flags & raw::ACK == 0 {
            let pong = raw::frame(raw::PING, raw::ACK, 0, &frame.payload);
            let _ = std::io::Write::write_all(peer.stream().get_mut(), &pong);
        }
    }
    firewall.stop();
}

#[test]
fn many_requests_at_once_on_one_connection() {
    let origin = Origin::fixed(setting("200 OK", &[b"sessionid=1", b"tracker=1"]));
    let firewall = Firewall::before(&origin);
    let mut client = Client::new(firewall.http);
    let uri = format!("http://{DOMAIN}/");
    client.run(|sender| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let mut sender = sender.clone();
            let request = Request::builder().uri(&uri).body(Full::default()).expect("a request");
            tasks.spawn(async move {
                sender.ready().await.expect("open");
                let response = sender.send_request(request).await.expect("an answer");
                let cookies: Vec<_> =
                    response.headers().get_all("set-cookie").iter().cloned().collect();
                assert_eq!(cookies, ["sessionid=1"]);
                response.into_body().collect().await.expect("a body").to_bytes()
            });
        }
        let all = tokio::time::timeout(PATIENCE, tasks.join_all()).await.expect("in time");
        assert!(all.iter().all(|body| body == "ok"));
    });
    assert_eq!(firewall.counted("response", "block", "undeclared"), 200.0);
    assert_eq!(firewall.metric("cookie_firewall_connections", &[("listener", "http")]), 1.0);
}

#[test]
fn http_1_1_and_2_share_a_port_over_tls() {
    let authority = Authority::new();
    let origin = Origin::fixed(setting("200 OK", &[]));
    let site = format!("{}\n{}", usual(&origin), table(&["site"]));
    let setup = Setup::new(&site).server("https = [\"127.0.0.1:0\"]");
    let firewall = with(setup, "site", &authority.issue(&[DOMAIN])).start();
    let config = std::sync::Arc::new(authority.client(&["http/1.1", "h2"]));
    let stream = support::tls::handshake(&config, firewall.https[0], DOMAIN).expect("TLS");
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]), "the server prefers HTTP/2");
    let unknown = std::sync::Arc::new(authority.client(&["spdy/3"]));
    let refused = support::tls::handshake(&unknown, firewall.https[0], DOMAIN);
    assert!(refused.expect_err("no such protocol").to_string().contains("NoApplicationProtocol"));
}
