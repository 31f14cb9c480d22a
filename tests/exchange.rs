//! What a reverse proxy must do whatever the cookies are: over real sockets, on raw bytes.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use support::{DOMAIN, Firewall, Origin, PATIENCE, Peer, setting};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn site(origin: &Origin, more: &str) -> String {
    format!("upstream = \"{}\"\n{more}", origin.url())
}

/// An origin that reads what it is sent, and says nothing.
fn mute() -> Origin {
    Origin::raw(|peer, _| {
        peer.head();
        let mut body = Vec::new();
        let _ = peer.stream().read_to_end(&mut body);
    })
}

#[test]
fn fields_upstream() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::before(&origin);
    let head = format!(
        "GET /a?b=c HTTP/1.1\r\nHost: {DOMAIN}:8080\r\nX-Forwarded-For: 1.1.1.1\r\n\
         Forwarded: for=1.1.1.1\r\nX-Forwarded-Proto: https\r\nVia: 1.0 edge\r\nX-Own: 1\r\n\
         X-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nTE: trailers, deflate\r\n\
         Proxy-Connection: x\r\nConnection: X-Hop, upgrade, TE\r\n\r\n"
    );
    assert_eq!(firewall.connect().send(head).response().status(), 200);
    let seen = origin.last();
    assert_eq!(seen.first_line(), "GET /a?b=c HTTP/1.1");
    let expected = [
        ("host", vec![format!("{DOMAIN}:8080")]),
        ("x-forwarded-for", vec!["127.0.0.1".into()]),
        ("x-forwarded-proto", vec!["http".into()]),
        ("x-forwarded-host", vec![format!("{DOMAIN}:8080")]),
        ("forwarded", vec![format!("for=127.0.0.1;proto=http;host=\"{DOMAIN}:8080\"")]),
        ("via", vec!["1.0 edge".into(), "1.1 cookie-firewall".into()]),
        ("x-own", vec!["1".into()]),
        ("te", vec!["trailers".into()]),
    ];
    for (name, values) in expected {
        assert_eq!(seen.texts(name), values, "{name}");
    }
    for name in ["x-hop", "keep-alive", "upgrade", "proxy-connection", "connection"] {
        assert!(seen.all(name).is_empty(), "{name}");
    }
}

#[test]
fn fields_downstream() {
    let origin = Origin::fixed(
        "HTTP/1.1 200 Fine\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Server: gunicorn\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    let response = Firewall::before(&origin).get("/", &[]);
    assert_eq!(response.first_line(), "HTTP/1.1 200 Fine");
    assert_eq!(response.texts("server"), ["gunicorn"]);
    assert_eq!(response.texts("x-own"), ["1"]);
    assert_eq!(response.texts("via"), ["1.1 cookie-firewall"]);
    assert!(response.all("x-hop").is_empty() && response.all("keep-alive").is_empty());
}

#[test]
fn the_upstream_may_want_another_host() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::with(&site(&origin, "upstream_host = \"portal.internal:81\""));
    firewall.get("/", &[]);
    assert_eq!(origin.last().texts("host"), ["portal.internal:81"]);
    assert_eq!(origin.last().texts("x-forwarded-host"), [DOMAIN]);
}

#[test]
fn sites_are_found_by_authority() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::with(&site(&origin, "aliases = [\"alias.example\"]"));
    let get = |line: &str, host: &str| firewall.exchange(&format!("{line}\r\n{host}")).status();
    assert_eq!(get("GET / HTTP/1.1", "Host: alias.example\r\n"), 200);
    assert_eq!(get("GET / HTTP/1.1", "Host: ALIAS.Example.:99\r\n"), 200);
    assert_eq!(get("GET / HTTP/1.1", "Host: other.example\r\n"), 421);
    assert_eq!(get("GET / HTTP/1.1", "Host: alias.example.evil.example\r\n"), 421);
    assert_eq!(get("GET / HTTP/1.1", "Host: \r\n"), 421);
    assert_eq!(get("GET / HTTP/1.1", ""), 400);
    assert_eq!(get("GET / HTTP/1.0", ""), 421);
    assert_eq!(get("GET / HTTP/1.1", "Host: alias.example\r\nHost: alias.example\r\n"), 400);
    assert_eq!(get("GET / HTTP/1.1", "Host: x@alias.example\r\n"), 400);
    assert_eq!(get("GET / HTTP/1.1", "Host: alias.example:1\"2\r\n"), 400);
    let asked = origin.seen().len();
    assert_eq!(get("GET http://alias.example/x?y HTTP/1.1", "Host: other.example\r\n"), 200);
    assert_eq!(origin.last().first_line(), "GET /x?y HTTP/1.1");
    assert_eq!(origin.last().texts("host"), ["alias.example"]);
    assert_eq!(get("GET http://other.example/ HTTP/1.1", "Host: alias.example\r\n"), 421);
    assert_eq!(origin.seen().len(), asked + 1);
    let labels = [("site", "(none)"), ("code", "421")];
    assert_eq!(firewall.metric("cookie_firewall_requests_total", &labels), 5.0);
}

#[test]
fn methods_and_codings_that_a_gateway_does_not_serve() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::before(&origin);
    let ask = |line: &str, more: &str| {
        firewall.exchange(&format!("{line} HTTP/1.1\r\nHost: {DOMAIN}\r\n{more}"))
    };
    assert_eq!(ask("TRACE /", "").status(), 405);
    assert!(!ask("TRACE /", "").all("allow").is_empty());
    assert_eq!(ask("CONNECT data.example.fr:443", "").status(), 405);
    assert_eq!(ask("GET data.example.fr:443", "").status(), 400);
    assert_eq!(ask("POST /", "Transfer-Encoding: gzip, chunked\r\n").status(), 501);
    assert_eq!(ask("POST /", "Transfer-Encoding: gzip\r\n").status(), 400);
    assert_eq!(ask("GET *", "").status(), 400);
    assert_eq!(ask("PRI *", "").status(), 400);
    assert_eq!(ask(&format!("GET ftp://{DOMAIN}/"), "").status(), 400);
    assert!(origin.seen().is_empty());
    assert_eq!(ask("OPTIONS *", "").status(), 200);
    assert_eq!(origin.last().first_line(), "OPTIONS * HTTP/1.1");
    assert_eq!(ask("PROPFIND /x", "").status(), 200);
    assert_eq!(origin.last().first_line(), "PROPFIND /x HTTP/1.1");
}

#[test]
fn requests_cannot_be_smuggled() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"
    ));
    assert_eq!(peer.response().status(), 200);
    assert!(peer.is_closed(), "a connection with a doubtful message must not be used again");
    assert!(origin.last().all("content-length").is_empty());
    assert_eq!(origin.seen().len(), 1);
    for lengths in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3, 4\r\n",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\n{lengths}");
        assert_eq!(firewall.exchange(&head).status(), 400, "{lengths}");
    }
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn connections_are_kept_on_both_sides() {
    let origin = Origin::fixed(setting("200 OK", &[b"sessionid=1"]));
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    for _ in 0..20 {
        peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
        assert_eq!(peer.response().texts("set-cookie"), ["sessionid=1"]);
    }
    assert_eq!(origin.connections(), 1);
    assert_eq!(firewall.metric("cookie_firewall_connections", &[("listener", "http")]), 1.0);
    let idle = |firewall: &Firewall| {
        firewall.metric("cookie_firewall_upstream_connections", &[("state", "idle")]) == 1.0
            && firewall.metric("cookie_firewall_upstream_connections", &[("state", "active")])
                == 0.0
    };
    firewall.wait_for("an idle connection", idle);
    drop(peer);
    firewall.wait_for("the client's end", |firewall| {
        firewall.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::new(|request| {
        let path = request.first_line().split(' ').nth(1).unwrap_or_default().to_owned();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
    });
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    let all: String =
        (0..5).map(|i| format!("GET /{i} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n")).collect();
    peer.send(all);
    for i in 0..5 {
        assert_eq!(peer.response().text(), format!("/{i}"));
    }
}

#[test]
fn http_1_0_clients_are_answered_in_their_way() {
    let origin =
        Origin::fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.0\r\nHost: {DOMAIN}\r\n\r\n"));
    let response = peer.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    assert!(response.all("transfer-encoding").is_empty());
    assert!(peer.is_closed());
}

#[test]
fn bodies_stream_in_both_directions() {
    // The origin echoes each piece before the next is sent: nothing may wait for the end.
    let origin = Origin::raw(|peer, _| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut piece = [0; 64];
        while let Ok(n @ 1..) = peer.stream().read(&mut piece) {
            let text = String::from_utf8_lossy(&piece[..n]).into_owned();
            for letter in ["a", "b", "c"].iter().filter(|letter| text.contains(*letter)) {
                peer.send(format!("1\r\n{letter}\r\n"));
            }
            if text.contains("0\r\n") {
                peer.send("0\r\n\r\n");
                return;
            }
        }
    });
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nTransfer-Encoding: chunked\r\n\r\n"));
    peer.head().expect("a response before the request has ended");
    for letter in ["a", "b", "c"] {
        peer.send(format!("1\r\n{letter}\r\n"));
        let mut echo = [0; 6];
        peer.stream().read_exact(&mut echo).expect("the echo of a piece");
        assert_eq!(&echo, format!("1\r\n{letter}\r\n").as_bytes());
    }
    peer.send("0\r\n\r\n");
    let mut end = [0; 5];
    peer.stream().read_exact(&mut end).expect("the end");
    assert_eq!(&end, b"0\r\n\r\n");
}

#[test]
fn expect_continue_is_the_upstreams_to_answer() {
    let (asked, was_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let origin = Origin::raw(move |peer, _| {
        let head = peer.head().expect("a request");
        asked.send(head.texts("expect")).expect("the test waits");
        may_go.lock().expect("one connection").recv_timeout(PATIENCE).expect("the test's word");
        peer.send("HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = [0; 4];
        peer.stream().read_exact(&mut body).expect("the body");
        peer.send(OK);
    });
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(was_asked.recv_timeout(PATIENCE).expect("the head came first"), ["100-continue"]);
    go.send(()).expect("the origin waits");
    assert_eq!(peer.head().expect("the word to go on").status(), 100);
    assert_eq!(peer.send("body").response().status(), 200);
}

#[test]
fn expect_continue_may_be_refused_without_a_body() {
    let origin = Origin::raw(|peer, _| {
        peer.head();
        peer.send("HTTP/1.1 403 Forbidden\r\nSet-Cookie: tracker=1\r\nContent-Length: 0\r\n\r\n");
    });
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    ));
    let head = peer.head().expect("a final response at once");
    assert_eq!(head.status(), 403);
    assert!(head.all("set-cookie").is_empty());
}

#[test]
fn a_body_that_was_never_asked_for_holds_no_connection() {
    // The origin answers without a word to go on, and keeps its connection open.
    let origin = Origin::raw(|peer, _| {
        while let Some(head) = peer.head() {
            let answer: &[u8] = if head.first_line().starts_with("POST") {
                b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"
            } else {
                OK
            };
            peer.send(answer);
        }
    });
    let firewall = Firewall::with(&site(&origin, "upstream_connections = 2"));
    for _ in 0..6 {
        let mut peer = firewall.connect();
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        ));
        let response = peer.response();
        assert_eq!((response.status(), response.text().as_str()), (401, "no"));
        assert!(peer.is_closed(), "a connection on which a body may still come is not used again");
    }
    assert_eq!(firewall.get("/", &[]).status(), 200);
    firewall.wait_for("the end of the exchanges", |f| {
        f.metric("cookie_firewall_upstream_connections", &[("state", "active")]) == 0.0
    });
}

#[test]
fn transfer_codings_that_are_not_served_are_not_passed_on() {
    for coding in ["gzip, chunked", "chunked, identity", "chunked\r\nTransfer-Encoding: chunked"] {
        let origin = Origin::fixed(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        ));
        assert_eq!(Firewall::before(&origin).get("/", &[]).status(), 502, "{coding}");
    }
}

#[test]
fn a_body_that_cannot_be_read_is_a_bad_request() {
    let origin = mute();
    let firewall = Firewall::before(&origin);
    for chunk in ["-5\r\nhello", "0x5\r\nhello", "zz\r\n"] {
        let mut peer = firewall.connect();
        peer.send(format!(
            "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"
        ));
        assert_eq!(peer.response().status(), 400, "{chunk}");
        assert!(peer.is_closed());
    }
}

#[test]
fn bodiless_responses_give_their_connections_back() {
    for answer in ["204 No Content\r\n", "304 Not Modified\r\n", "200 OK\r\nContent-Length: 0\r\n"]
    {
        let origin = Origin::fixed(format!("HTTP/1.1 {answer}\r\n"));
        let firewall = Firewall::before(&origin);
        let mut peer = firewall.connect();
        for _ in 0..5 {
            peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
            peer.response();
        }
        assert_eq!(origin.connections(), 1, "{answer}");
    }
}

#[test]
fn an_answer_without_content_has_no_length() {
    let origin = Origin::fixed("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
    let firewall = Firewall::before(&origin);
    for method in ["GET", "HEAD"] {
        let answer = firewall.exchange(&format!("{method} / HTTP/1.1\r\nHost: {DOMAIN}\r\n"));
        assert_eq!((answer.status(), answer.all("content-length").len()), (204, 0), "{method}");
    }
}

#[test]
fn errors_have_their_statuses() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let gone = closed.local_addr().expect("bound");
    drop(closed);
    let firewall = Firewall::with(&format!("upstream = \"http://{gone}\"\n"));
    let response = firewall.get("/", &[]);
    assert_eq!(response.status(), 502);
    let page = response.text();
    assert!(page.contains("502") && page.contains("lang=\"fr\""), "{page}");
    assert!(!page.contains("127.0.0.1") && !page.to_lowercase().contains("upstream"), "{page}");
    assert_eq!(response.texts("cache-control"), ["no-store"]);
    for (answer, kind) in [
        (&b""[..], "closed"),
        (b"HTTP/1.1 200 OK\r\nX-Cut: ", "closed"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "protocol"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "protocol",
        ),
    ] {
        let firewall = Firewall::before(&Origin::fixed(answer));
        assert_eq!(firewall.get("/", &[]).status(), 502, "{}", answer.escape_ascii());
        let counted = firewall.metric("cookie_firewall_upstream_errors_total", &[("kind", kind)]);
        assert_eq!(counted, 1.0, "{}", answer.escape_ascii());
    }
}

#[test]
fn an_upstream_that_does_not_answer_in_time() {
    let origin = Origin::raw(|peer, _| {
        peer.head();
        // Hold the connection until the firewall gives up.
        let _ = peer.is_closed();
    });
    let firewall = Firewall::with(&site(&origin, "[timeouts]\nfirst_byte = \"1 s\"\n"));
    assert_eq!(firewall.get("/", &[]).status(), 504);
    let labels = [("kind", "first_byte_timeout")];
    assert_eq!(firewall.metric("cookie_firewall_upstream_errors_total", &labels), 1.0);
}

/// Its answer is late because of the client; the address stays in use.
#[test]
fn a_client_that_keeps_the_upstream_waiting_is_no_failure_of_the_upstream() {
    let origin = mute();
    let more = "[health]\neject_after = 1\n[timeouts]\nfirst_byte = \"1 s\"\nidle = \"2 s\"\n";
    let firewall = Firewall::with(&site(&origin, more));
    for body in ["", "half"] {
        let mut peer = firewall.connect();
        let head = format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 10\r\n\r\n{body}");
        assert_eq!(peer.send(head).response().status(), 408, "{body:?}");
    }
    assert!(!firewall.metrics().contains("cookie_firewall_upstream_errors_total{"));
    assert_eq!(firewall.metric("cookie_firewall_upstream_up", &[]), 1.0);
}

/// The client is not asked for its body before the upstream has had a second for its word.
#[test]
fn an_upstream_that_waits_for_a_body_which_is_held_back_is_not_late() {
    let origin = Origin::raw(|peer, _| {
        peer.request();
        peer.send(OK);
    });
    let firewall = Firewall::with(&site(&origin, "[timeouts]\nfirst_byte = \"1 s\"\n"));
    let mut peer = firewall.connect();
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    ));
    assert_eq!(peer.head().expect("a word").status(), 100);
    assert_eq!(peer.send("abc").response().status(), 200);
}

/// The first address takes connections and never shakes hands.
#[test]
fn an_upstream_has_its_time_from_the_request_on_and_not_from_connecting_to_another() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dead = silent.local_addr().expect("bound");
    let origin = Origin::fixed(OK);
    let upstream = format!("upstream = [\"https://{dead}\", \"{}\"]\n", origin.url());
    let more = "balance = \"first\"\n[timeouts]\nconnect = \"1 s\"\nfirst_byte = \"1 s\"\n";
    let firewall = Firewall::with(&format!("{upstream}{more}"));
    assert_eq!(firewall.get("/", &[]).status(), 200);
    assert!(!firewall.metrics().contains("kind=\"first_byte_timeout\""));
}

#[test]
fn a_request_that_nobody_waits_for_is_counted() {
    let origin = Origin::raw(|peer, seen| {
        let head = peer.head().expect("a request");
        seen.lock().expect("no panic").push(head);
        let _ = peer.is_closed();
    });
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    firewall.wait_for("the request", |_| !origin.seen().is_empty());
    drop(peer);
    let labels = [("method", "GET"), ("code", "499")];
    firewall.wait_for("a count", |f| f.metric("cookie_firewall_requests_total", &labels) == 1.0);
    assert_eq!(firewall.metric("cookie_firewall_request_duration_seconds_count", &[]), 1.0);
}

#[test]
fn empty_lines_before_a_response_change_neither_its_body_nor_what_is_counted() {
    let body = b"\0\x01PNG\r\0 \n x\r\n y \n";
    for empty in ["\r\n", "\r\n\r\n"] {
        let head = format!(
            "{empty}HTTP/1.1 200 OK\r\nSet-Cookie: tracker=1\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let firewall = Firewall::before(&Origin::fixed([head.as_bytes(), body].concat()));
        let response = firewall.get("/", &[]);
        assert_eq!((response.status(), &*response.body), (200, &body[..]), "{empty:?}");
        assert_eq!(firewall.counted("response", "block", "undeclared"), 1.0, "{empty:?}");
    }
}

#[test]
fn a_body_that_stands_still_is_cut() {
    let origin = Origin::raw(|peer, _| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        let _ = peer.is_closed();
    });
    let firewall = Firewall::with(&site(&origin, "[timeouts]\nidle = \"1 s\"\n"));
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    assert_eq!(peer.head().expect("a head").status(), 200);
    let mut body = Vec::new();
    let _ = peer.stream().read_to_end(&mut body);
    assert_eq!(body, b"half");
    let labels = [("kind", "body_timeout")];
    assert_eq!(firewall.metric("cookie_firewall_upstream_errors_total", &labels), 1.0);
}

#[test]
fn a_client_that_stops_sending_its_body() {
    let origin = mute();
    let firewall = Firewall::with(&site(&origin, "[timeouts]\nidle = \"1 s\"\n"));
    let mut peer = firewall.connect();
    peer.send(format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 10\r\n\r\nhalf"));
    assert_eq!(peer.response().status(), 408);
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::configured("[timeouts]\nrequest_head = \"1 s\"\n", &site(&origin, ""));
    let mut slow = firewall.connect();
    slow.send("GET / HTTP/1.1\r\nHos");
    let mut rest = Vec::new();
    let _ = slow.stream().read_to_end(&mut rest);
    assert!(origin.seen().is_empty());
    let faults = |firewall: &Firewall| {
        firewall.metric("cookie_firewall_connection_errors_total", &[("reason", "timeout")])
    };
    firewall.wait_for("the fault", |f| faults(f) == 1.0);
    // A connection that is idle after its answer ends in the same time, and is none.
    let mut idle = firewall.connect();
    idle.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    assert_eq!(idle.response().status(), 200);
    assert!(idle.is_closed());
    firewall.wait_for("the end", |f| {
        f.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
    });
    assert_eq!(faults(&firewall), 1.0);
}

#[test]
fn a_connection_goes_on_after_it_has_been_idle() {
    let origin = Origin::fixed(setting("200 OK", &[b"sessionid=1", b"tracker=1"]));
    let more = "[timeouts]\nrequest_head = \"8 s\"\n";
    let firewall = Firewall::configured(more, &site(&origin, support::CHARTER));
    let is_idle = |firewall: &Firewall| {
        firewall.metric("cookie_firewall_idle_connections", &[("listener", "http")]) == 1.0
    };
    let get = format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n");
    let mut idle = firewall.connect();
    let mut halting = firewall.connect();
    for _ in 0..2 {
        idle.send(&get);
        assert_eq!(idle.response().texts("set-cookie"), ["sessionid=1"]);
        // Part of a head is no idleness, however long the rest takes.
        halting.send(&get[..20]);
        firewall.wait_for("the idle connection", is_idle);
        halting.send(&get[20..]);
        assert_eq!(halting.response().texts("set-cookie"), ["sessionid=1"]);
    }
    drop(halting);
    // Several requests at once wake it like one.
    idle.send(get.repeat(2));
    assert_eq!(idle.response().status(), 200);
    assert_eq!(idle.response().status(), 200);
    assert!(idle.is_closed(), "in the end it is closed");
    assert_eq!(origin.seen().len(), 6);
}

#[test]
fn an_idle_connection_over_tls_goes_on_and_a_stop_ends_it() {
    let authority = support::tls::Authority::new();
    let origin = Origin::fixed(OK);
    let site = format!("{}\n{}", site(&origin, ""), support::tls::table(&["site"]));
    let setup = support::Setup::new(&site).server("https = [\"127.0.0.1:0\"]");
    let issued = authority.issue(&[DOMAIN]);
    let mut firewall = support::tls::with(setup, "site", &issued).start();
    let config = std::sync::Arc::new(authority.client(&[]));
    let mut peer = support::tls::connect(&config, firewall.https[0], DOMAIN);
    let idle = |firewall: &Firewall| {
        firewall.metric("cookie_firewall_idle_connections", &[("listener", "https")]) == 1.0
    };
    for _ in 0..2 {
        peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
        assert_eq!(peer.response().status(), 200);
        firewall.wait_for("the idle connection", idle);
    }
    firewall.begin_stop();
    assert!(peer.is_closed());
    firewall.stop();
}

#[test]
fn a_client_that_stops_reading_is_let_go() {
    let origin = Origin::raw(|peer, _| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        // Until the firewall hangs up.
        while peer.stream().get_mut().write_all(&[0; 65_536]).is_ok() {}
    });
    let firewall = Firewall::configured("[timeouts]\nresponse = \"1 s\"\n", &site(&origin, ""));
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    assert_eq!(peer.head().expect("a head").status(), 200);
    firewall.wait_for("the end of the exchange", |f| {
        f.metric("cookie_firewall_upstream_connections", &[("state", "active")]) == 0.0
            && f.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
    });
}

#[test]
fn heads_that_are_too_large() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::configured("[limits]\nheader_bytes = 10000\n", &site(&origin, ""));
    assert_eq!(firewall.get("/", &[&format!("X: {}", "x".repeat(9_000))]).status(), 200);
    assert_eq!(firewall.get("/", &[&format!("X: {}", "x".repeat(11_000))]).status(), 431);
    let labels = [("site", "(none)"), ("code", "431")];
    firewall.wait_for("the count", |f| f.metric("cookie_firewall_requests_total", &labels) == 1.0);
    assert_eq!(firewall.exchange("NONSENSE\r\n").status(), 400);
    let labels = [("site", "(none)"), ("code", "400")];
    firewall.wait_for("the count", |f| f.metric("cookie_firewall_requests_total", &labels) == 1.0);
}

#[test]
fn as_many_upstream_connections_as_allowed() {
    let (arrived, has_arrived) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let origin = Origin::raw(move |peer, _| {
        peer.request();
        arrived.send(()).expect("the test waits");
        may_go.lock().expect("one at a time").recv_timeout(PATIENCE).expect("the test's word");
        peer.send(OK);
    });
    let firewall = Firewall::with(&site(&origin, "upstream_connections = 1"));
    let mut first = firewall.connect();
    first.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    has_arrived.recv_timeout(PATIENCE).expect("the first request");
    assert_eq!(firewall.get("/", &[]).status(), 503);
    go.send(()).expect("the origin waits");
    assert_eq!(first.response().status(), 200);
}

#[test]
fn a_pooled_connection_that_the_upstream_closed_is_not_an_error() {
    // Each connection serves one request and is then closed without a word about it.
    let origin = Origin::raw(|peer, seen| {
        if let Some(request) = peer.request() {
            seen.lock().expect("no panic").push(request);
            peer.send(OK);
        }
    });
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    for _ in 0..50 {
        // Sent while the upstream may be closing: it may be sent again.
        peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
        assert_eq!(peer.response().status(), 200);
    }
    assert_eq!(origin.seen().len(), 50);
}

#[test]
fn several_upstreams_take_turns_and_stand_in_for_each_other() {
    let origins = [Origin::fixed(OK), Origin::fixed(OK)];
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let gone = closed.local_addr().expect("bound");
    drop(closed);
    let urls = format!(
        "upstream = [\"{}\", \"http://{gone}\", \"{}\"]\n",
        origins[0].url(),
        origins[1].url()
    );
    let firewall = Firewall::with(&urls);
    let mut peers: Vec<Peer> = (0..6).map(|_| firewall.connect()).collect();
    for peer in &mut peers {
        peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    }
    for peer in &mut peers {
        assert_eq!(peer.response().status(), 200);
    }
    assert_eq!(origins.iter().map(|origin| origin.seen().len()).sum::<usize>(), 6);
}

#[test]
fn stopping_finishes_what_is_in_flight() {
    let (arrived, has_arrived) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let origin = Origin::raw(move |peer, _| {
        peer.request();
        arrived.send(()).expect("the test waits");
        may_go.lock().expect("one connection").recv_timeout(PATIENCE).expect("the test's word");
        peer.send(OK);
    });
    let mut firewall = Firewall::before(&origin);
    let mut idle = firewall.connect();
    let mut busy = firewall.connect();
    busy.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    has_arrived.recv_timeout(PATIENCE).expect("the request");
    let ready = |firewall: &Firewall| {
        let mut admin = Peer::connect(firewall.admin);
        admin
            .send("GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .response()
            .status()
    };
    assert_eq!(ready(&firewall), 200);
    firewall.begin_stop();
    assert!(idle.is_closed(), "an idle connection is closed soon");
    assert_eq!(ready(&firewall), 503);
    assert!(std::net::TcpStream::connect(firewall.http).is_err(), "the listener is closed");
    go.send(()).expect("the origin waits");
    let response = busy.response();
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    assert!(busy.is_closed());
    firewall.stop();
}

#[test]
fn every_worker_hears_of_the_stop_at_once() {
    let (arrived, has_arrived) = mpsc::channel();
    let origin = Origin::raw(move |peer, _| {
        peer.request();
        arrived.send(()).expect("the test waits");
        // Held until the firewall is done for.
        let _ = peer.is_closed();
    });
    let more = "[timeouts]\nshutdown = \"2 s\"\n";
    let mut firewall = Firewall::on_workers(4, more, &site(&origin, ""));
    let mut busy = firewall.connect();
    busy.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    has_arrived.recv_timeout(PATIENCE).expect("the request");
    let mut idle: Vec<Peer> = (0..8).map(|_| firewall.connect()).collect();
    firewall.wait_for("the connections", |f| {
        f.metric("cookie_firewall_connections", &[("listener", "http")]) == 9.0
    });
    firewall.begin_stop();
    for peer in &mut idle {
        assert!(peer.is_closed());
    }
    firewall.stop();
}

#[test]
fn a_length_that_a_transfer_coding_overrides_is_not_forwarded() {
    for length in [1, 10] {
        let origin = Origin::fixed(format!(
            "HTTP/1.1 200 OK\r\nConnection: transfer-encoding\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        ));
        let response = Firewall::before(&origin).get("/", &[]);
        assert_eq!((response.status(), response.text().as_str()), (200, "hi"));
        assert!(response.all("content-length").is_empty());
    }
}

#[test]
fn an_alternative_service_does_not_lead_around_the_firewall() {
    let origin = Origin::fixed(
        "HTTP/1.1 200 OK\r\nAlt-Svc: h2=\"portal.internal:443\"\r\nContent-Length: 2\r\n\r\nok",
    );
    let response = Firewall::before(&origin).get("/", &[]);
    assert_eq!((response.status(), response.all("alt-svc").len()), (200, 0));
}

#[test]
fn connection_cannot_take_the_host_away() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::before(&origin);
    let head =
        format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: Host, X-Forwarded-For\r\n\r\n");
    assert_eq!(firewall.connect().send(head).response().status(), 200);
    assert_eq!(origin.last().texts("host"), [DOMAIN]);
    assert_eq!(origin.last().texts("x-forwarded-for"), ["127.0.0.1"]);
}

#[test]
fn stopping_has_a_limit() {
    let origin = Origin::raw(|peer, _| {
        peer.head();
        let _ = peer.is_closed();
    });
    let firewall = Firewall::configured("[timeouts]\nshutdown = \"1 s\"\n", &site(&origin, ""));
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    firewall.wait_for("the exchange", |f| {
        f.metric("cookie_firewall_upstream_connections", &[("state", "active")]) == 1.0
    });
    firewall.stop();
}

#[test]
fn the_admin_listener() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::before(&origin);
    let ask = |line: &str| {
        let mut admin = Peer::connect(firewall.admin);
        admin.send(format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).response()
    };
    assert_eq!(ask("GET /livez").status(), 200);
    assert_eq!(ask("GET /readyz").status(), 200);
    assert_eq!(ask("GET /").status(), 404);
    assert_eq!(ask("POST /metrics").status(), 405);
    let metrics = ask("GET /metrics");
    assert_eq!(metrics.texts("content-type"), ["text/plain; version=0.0.4; charset=utf-8"]);
    for name in ["cookie_firewall_build_info", "process_resident_memory_bytes", "process_open_fds"]
    {
        assert!(metrics.text().contains(name), "{name}");
    }
    // Nothing of it is on the public side.
    assert_eq!(firewall.exchange("GET /metrics HTTP/1.1\r\nHost: admin\r\n").status(), 421);
}

#[test]
fn large_bodies_pass_whole() {
    const SIZE: usize = 32 * 1024 * 1024;
    let origin = Origin::raw(|peer, _| {
        let request = peer.request().expect("a request");
        assert_eq!(request.body.len(), SIZE);
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
        peer.send(&request.body);
    });
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    let body: Vec<u8> = (0..SIZE).map(|i| (i % 251) as u8).collect();
    peer.send(format!("PUT / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: {SIZE}\r\n\r\n"));
    peer.stream().get_mut().write_all(&body).expect("the firewall reads");
    assert!(peer.response().body == body);
}

#[test]
fn durations_are_observed() {
    let origin = Origin::fixed(OK);
    let firewall = Firewall::before(&origin);
    firewall.get("/", &[]);
    for name in ["request", "upstream"] {
        let name = format!("cookie_firewall_{name}_duration_seconds_count");
        firewall.wait_for(&name, |f| f.metric(&name, &[("site", DOMAIN)]) == 1.0);
    }
}

#[test]
fn upstream_tls_with_a_private_authority() {
    let tls = support_tls::Origin::new("localhost");
    let port = tls.port;
    let directory = support::Directory::new();
    let ca = directory.write("ca.pem", &tls.certificate);
    let site = |url: &str, more: &str| format!("upstream = \"{url}\"\n{more}");
    let trusting = format!("upstream_ca = \"{}\"", ca.display());
    let url = format!("https://localhost:{port}");
    let firewall = Firewall::with(&site(&url, &trusting));
    let response = firewall.get("/", &[]);
    assert_eq!((response.status(), response.text().as_str()), (200, "tls"));
    assert_eq!(Firewall::with(&site(&url, "")).get("/", &[]).status(), 502);
    let wrong_name = format!("https://127.0.0.1:{port}");
    let firewall = Firewall::with(&site(&wrong_name, &trusting));
    assert_eq!(firewall.get("/", &[]).status(), 502);
    let labels = [("kind", "tls")];
    assert_eq!(firewall.metric("cookie_firewall_upstream_errors_total", &labels), 1.0);
}

/// An origin that speaks TLS with a certificate made on the fly.
mod support_tls {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Arc;

    use rustls::pki_types::PrivateKeyDer;

    pub struct Origin {
        pub port: u16,
        pub certificate: String,
    }

    impl Origin {
        pub fn new(name: &str) -> Self {
            let made =
                rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("default versions")
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .expect("a matching pair");
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = listener.local_addr().expect("bound").port();
            let config = Arc::new(config);
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let connection = rustls::ServerConnection::new(Arc::clone(&config));
                    let tls = rustls::StreamOwned::new(connection.expect("a config"), stream);
                    std::thread::spawn(move || serve(tls));
                }
            });
            Self { port, certificate: made.cert.pem() }
        }
    }

    fn serve(tls: impl std::io::Read + Write) {
        let mut reader = BufReader::new(tls);
        let mut line = String::new();
        while matches!(reader.read_line(&mut line), Ok(1..)) {
            if line == "\r\n" {
                let _ =
                    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntls");
            }
            line.clear();
        }
    }
}
