//! What was tried against the firewall by hand and with scanners: what went wrong, and what held and
//! must go on holding. Each test says which attack it is.

mod support;

use support::h2::raw;
use support::{CHARTER, DOMAIN, Firewall, Message, Origin, Peer, Setup, setting};

const TRUSTED: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

fn usual(origin: &Origin) -> String {
    format!("upstream = \"{}\"\n{CHARTER}", origin.url())
}

fn errors(firewall: &Firewall, reason: &str) -> f64 {
    let labels = [("listener", "http"), ("reason", reason)];
    firewall.metric("cookie_firewall_connection_errors_total", &labels)
}

/// Whether a stream is answered with 200 or 204; these two are in the static table of HPACK.
fn succeeds(peer: &mut Peer, stream: u32) -> bool {
    let heads = [raw::HEADERS, raw::RST_STREAM];
    let answer = std::iter::from_fn(|| raw::read(peer))
        .find(|frame| frame.stream == stream && heads.contains(&frame.kind))
        .expect("an answer");
    answer.kind == raw::HEADERS && [0x88, 0x89].contains(&answer.payload[0])
}

fn websocket(more: &[(&str, &str)]) -> Vec<u8> {
    let mut fields = vec![
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/live"),
        (":authority", DOMAIN),
        ("sec-websocket-version", "13"),
    ];
    fields.extend_from_slice(more);
    raw::block(&fields)
}

/// RFC 8441: every success says that the WebSocket is open. An upstream that answers a page in its
/// stead must not be taken for one that speaks it.
#[test]
fn a_page_in_place_of_a_websocket_is_no_websocket_over_http_2() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let origin = Origin::fixed(answer);
        let firewall = Firewall::before(&origin);
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        peer.send(raw::frame(raw::HEADERS, raw::END_HEADERS, 1, &websocket(&[])));
        assert!(!succeeds(&mut peer, 1), "{answer:?}");
        firewall.wait_for("the count", |f| {
            f.metric("cookie_firewall_requests_total", &[("code", "502")]) == 1.0
        });
    }
}

/// hyper ends the connection, without a word, at a CONNECT that announces a body
/// (proto/h2/server.rs): a fault of the library, by which one request costs its neighbours on the
/// same connection. It costs nobody else.
#[test]
fn a_websocket_with_a_length_costs_no_more_than_its_connection() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    raw::begin(&mut peer);
    let block = websocket(&[("content-length", "5")]);
    peer.send(raw::frame(raw::HEADERS, raw::END_HEADERS, 1, &block));
    while raw::read(&mut peer).is_some() {}
    assert_eq!(firewall.get("/", &[]).status(), 200);
    assert_eq!(origin.seen().len(), 1);
}

/// What waits for a body that never comes takes the next request for it.
#[test]
fn nobody_expects_to_go_on_without_a_body() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    for (method, more) in [
        ("GET", "Expect: 100-continue\r\n"),
        ("GET", "Expect: y 100-continue\r\n"),
        ("POST", "Content-Length: 0\r\nExpect: 100-continue\r\n"),
    ] {
        let head = format!("{method} / HTTP/1.1\r\nHost: {DOMAIN}\r\n{more}\r\n");
        assert_eq!(firewall.connect().send(head).response().status(), 200);
        assert!(origin.last().all("expect").is_empty(), "{more:?}");
    }
}

/// CGI, WSGI and Rack make one name of `X_Forwarded_For` and `X-Forwarded-For`.
#[test]
fn fields_that_look_like_the_firewalls_own_are_removed() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let lines = [
        "X_Forwarded_For: 6.6.6.6",
        "X-Forwarded_Host: evil.example",
        "X_Forwarded-Proto: https",
        "X_Real_IP: 6.6.6.6",
        "Transfer_Encoding: chunked",
        "Content_Length: 99",
        "X_Other: stays",
    ];
    assert_eq!(firewall.get("/", &lines).status(), 200);
    let head = origin.last().head.concat();
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let underscored: Vec<_> = head.match_indices('_').collect();
    assert_eq!(underscored.len(), 1, "{head}");
    assert!(head.contains("x_other: stays"), "{head}");
}

/// A trailer that a recipient merges into the header is a header.
#[test]
fn trailers_say_nothing_of_the_client_or_the_framing() {
    let origin = Origin::new(|_| setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let names = ["X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Connection"];
    let list = names.join(", ");
    let trailers: String = names.iter().map(|name| format!("{name}: 6.6.6.6\r\n")).collect();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nTE: trailers\r\nTrailer: x-checksum, {list}\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Checksum: 1\r\n{trailers}\r\n"
    );
    assert_eq!(firewall.connect().send(request).response().status(), 200);
    let trailers = origin.last().trailers;
    let trailers: Vec<_> = trailers.iter().map(|line| line.escape_ascii().to_string()).collect();
    assert_eq!(trailers, ["x-checksum: 1"]);
}

/// The client writes the kind of field that its proxy does not, beside its own true address.
#[test]
fn a_client_behind_a_trusted_proxy_cannot_name_another_host() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Setup::new(&usual(&origin)).server(TRUSTED).start();
    let lines = [
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Proto: http",
        "Forwarded: for=192.0.2.7;host=evil.example;proto=https",
    ];
    assert_eq!(firewall.get("/", &lines).status(), 200);
    let seen = origin.last();
    assert_eq!(seen.texts("x-forwarded-for"), ["192.0.2.7, 127.0.0.1"]);
    assert_eq!(seen.texts("x-forwarded-host"), [DOMAIN]);
    assert_eq!(seen.texts("x-forwarded-proto"), ["http"]);
    // Where both agree, they are believed.
    let lines = [
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Host: www.example",
        "X-Forwarded-Proto: https",
        "Forwarded: for=192.0.2.7;host=www.example;proto=https",
    ];
    assert_eq!(firewall.get("/", &lines).status(), 200);
    let seen = origin.last();
    assert_eq!(seen.texts("x-forwarded-host"), ["www.example"]);
    assert_eq!(seen.texts("x-forwarded-proto"), ["https"]);
}

/// WINDOW_UPDATE frames without end cost the server a core for 13 bytes each.
#[test]
fn a_flood_of_window_updates_ends_the_connection() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let request = raw::frame(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, 1, &raw::get(&[]));
    for (index, stream) in [0, 1].into_iter().enumerate() {
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        peer.send(&request);
        assert!(succeeds(&mut peer, 1));
        let update = raw::frame(raw::WINDOW_UPDATE, 0, stream, &1u32.to_be_bytes());
        let _ = std::io::Write::write_all(peer.stream().get_mut(), &update.repeat(20_000));
        let expected = f64::from(u32::try_from(index).expect("few") + 1);
        firewall.wait_for("the end", |f| errors(f, "flood") == expected);
    }
}

/// "MadeYouReset" (CVE-2025-8671): the client has the server reset its streams.
#[test]
fn resets_that_the_client_provokes_end_the_connection() {
    let origin = Origin::raw(|peer, _| {
        peer.head();
        let _ = peer.is_closed();
    });
    type Provocation = fn(u32) -> Vec<u8>;
    let provocations: [(&str, Provocation); 5] = [
        ("too much room", |n| raw::frame(raw::WINDOW_UPDATE, 0, n, &0x7fff_ffff_u32.to_be_bytes())),
        ("no room", |n| raw::frame(raw::WINDOW_UPDATE, 0, n, &[0; 4])),
        ("DATA behind the end", |n| raw::frame(raw::DATA, 0, n, b"x")),
        ("a second head", |n| {
            raw::frame(raw::HEADERS, raw::END_HEADERS | raw::END_STREAM, n, &raw::get(&[]))
        }),
        ("a priority on itself", |n| raw::frame(2, 0, n, &[&n.to_be_bytes()[..], &[0]].concat())),
    ];
    for (what, provocation) in provocations {
        let firewall = Firewall::configured("[limits]\nresets = 20\n", &usual(&origin));
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        for n in 0..3000 {
            let stream = 2 * n + 1;
            let flags = raw::END_HEADERS | raw::END_STREAM;
            let request = raw::frame(raw::HEADERS, flags, stream, &raw::get(&[]));
            let both = [request, provocation(stream)].concat();
            if std::io::Write::write_all(peer.stream().get_mut(), &both).is_err() {
                break;
            }
        }
        firewall.wait_for(what, |f| {
            ["resets", "http2", "flood"].iter().map(|reason| errors(f, reason)).sum::<f64>() >= 1.0
        });
        firewall.wait_for(what, |f| {
            f.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
        });
    }
}

/// No room from the first byte on, for as many streams as there may be.
#[test]
fn streams_without_any_room_are_let_go() {
    let body = vec![b'x'; 1 << 20];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let origin = Origin::fixed([head.into_bytes(), body].concat());
    let firewall = Firewall::configured("[timeouts]\nresponse = \"1 s\"\n", &usual(&origin));
    let mut peer = firewall.connect();
    let no_room = [&4u16.to_be_bytes()[..], &0u32.to_be_bytes()].concat();
    peer.send(raw::PREFACE).send(raw::frame(raw::SETTINGS, 0, 0, &no_room));
    for n in 0..128 {
        let flags = raw::END_HEADERS | raw::END_STREAM;
        peer.send(raw::frame(raw::HEADERS, flags, 2 * n + 1, &raw::get(&[])));
    }
    while raw::read(&mut peer).is_some() {}
    firewall.wait_for("the fault", |f| errors(f, "unread") == 1.0);
    firewall.wait_for("the upstream's release", |f| {
        f.metric("cookie_firewall_upstream_connections", &[("state", "active")]) == 0.0
    });
}

/// hyper refuses to write two lengths in answer to HEAD, and drops the connection; to upstreams the
/// firewall would repeat what HTTP/2 repeats.
#[test]
fn lengths_that_are_repeated_are_settled() {
    for lengths in ["Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2, 2"] {
        let origin =
            Origin::fixed(format!("HTTP/1.1 200 OK\r\n{lengths}\r\nConnection: close\r\n\r\nok"));
        let firewall = Firewall::before(&origin);
        for method in ["HEAD", "GET"] {
            let mut peer = firewall.connect();
            peer.send(format!("{method} / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
            let head = peer.head().unwrap_or_else(|| panic!("no answer to {method}, {lengths:?}"));
            assert_eq!(head.texts("content-length"), ["2"], "{method}, {lengths:?}");
        }
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        let post = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", DOMAIN),
            ("content-length", "5"),
            ("content-length", "5"),
        ];
        peer.send(raw::frame(raw::HEADERS, raw::END_HEADERS, 1, &raw::block(&post)));
        peer.send(raw::frame(raw::DATA, raw::END_STREAM, 1, b"hello"));
        assert!(succeeds(&mut peer, 1));
        assert_eq!(origin.last().texts("content-length"), ["5"]);
    }
}

const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: 1\r\n\r\npoison";

/// Bytes behind a response never answer another visitor's request.
#[test]
fn what_an_upstream_sends_unasked_reaches_nobody() {
    let padded = format!("{POISON:<100}");
    let answers = [
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{POISON}"),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{POISON}"
        ),
        format!("HTTP/1.1 204 X\r\nContent-Length: 100\r\n\r\n{padded}"),
        format!("HTTP/1.1 304 X\r\nContent-Length: 100\r\n\r\n{padded}"),
        format!("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n{POISON}"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok{POISON}"),
    ];
    for answer in answers {
        let shown = answer.escape_default().to_string();
        let origin = Origin::new(move |request| {
            if request.first_line().contains("/attack") {
                answer.clone().into_bytes()
            } else {
                setting("200 OK", &[])
            }
        });
        let firewall = Firewall::before(&origin);
        for method in ["GET", "HEAD"] {
            let mut peer = firewall.connect();
            peer.send(format!("{method} /attack HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
            peer.head().unwrap_or_else(|| panic!("no answer to {method}: {shown}"));
            for _ in 0..3 {
                let response = firewall.get("/", &[]);
                assert_eq!(response.status(), 200);
                assert!(response.texts("x-poison").is_empty());
            }
        }
    }
}

/// What the firewall says to one raw request, and what becomes of a request that stands behind it:
/// it is answered on its own or not at all, and never seen by the upstream as part of the first.
fn smuggle(firewall: &Firewall, request: &str) -> Message {
    let mut peer = firewall.connect();
    peer.send(request.replace("{H}", &format!("Host: {DOMAIN}\r\n")));
    peer.response()
}

#[test]
fn ambiguous_requests_are_refused_and_their_connection_closed() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let behind = "GET /smuggled HTTP/1.1\r\n{H}\r\n";
    let codings = [
        "xchunked",
        "identity",
        "chunked, identity",
        "\"chunked\"",
        "chunked;q=1",
        "chunked,",
        "",
        ",chunked",
        "gzip, chunked",
        "chunked, chunked",
        "\x0bchunked",
        "chunked\x0b",
    ];
    let fields = codings.iter().map(|coding| format!("Transfer-Encoding: {coding}\r\n")).chain([
        "Transfer-Encoding : chunked\r\n".to_owned(),
        " Transfer-Encoding: chunked\r\n".to_owned(),
        "X: y\rTransfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding:\r\n chunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n".to_owned(),
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "Content-Length: 4\r\nContent-Length: 5\r\n".to_owned(),
    ]);
    let lengths = ["4, 4", "+4", "-4", "0x4", "4;x", "4,", "", "4_0", "99999999999999999999"];
    let lengths = lengths.iter().map(|length| format!("Content-Length: {length}\r\n"));
    for field in fields.chain(lengths) {
        let request = format!("POST / HTTP/1.1\r\n{{H}}{field}\r\n0\r\n\r\n{behind}");
        let mut peer = firewall.connect();
        peer.send(request.replace("{H}", &format!("Host: {DOMAIN}\r\n")));
        let response = peer.response();
        assert!([400, 501].contains(&response.status()), "{field:?}: {}", response.status());
        assert_eq!(response.texts("connection"), ["close"], "{field:?}");
        assert!(peer.is_closed(), "{field:?}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn the_authority_of_the_target_is_what_the_upstream_is_told() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let other = Origin::fixed(setting("204 X", &[]));
    let site = format!("domain = \"other.example\"\nupstream = \"{}\"\n", other.url());
    let firewall = Setup::new(&usual(&origin)).site(&site).start();
    smuggle(&firewall, "GET http://other.example/ HTTP/1.1\r\n{H}\r\n");
    assert_eq!(other.last().texts("host"), ["other.example"]);
    assert!(origin.seen().is_empty());
    for (target, expected) in [
        (format!("http://user:pw@{DOMAIN}/"), 400),
        (format!("http://{DOMAIN}:80@evil.example/"), 400),
        ("http://evil.example/".to_owned(), 421),
        ("@evil.example".to_owned(), 400),
    ] {
        let response = smuggle(&firewall, &format!("GET {target} HTTP/1.1\r\n{{H}}\r\n"));
        assert_eq!(response.status(), expected, "{target}");
    }
    assert!(origin.seen().is_empty());
}

/// Pseudo-fields and fields of HTTP/2 that would be something else in HTTP/1.1.
#[test]
fn nothing_is_smuggled_from_http_2_to_http_1() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let base = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", DOMAIN)];
    let with = |name: &'static str, value: &'static str| {
        let mut fields = base.to_vec();
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
        raw::block(&fields)
    };
    let cases = [
        (":path", "/a b"),
        (":path", "/ HTTP/1.1\r\nHost: evil\r\n\r\n"),
        (":path", "http://evil.example/"),
        (":path", "/a\tb"),
        (":method", "GET / HTTP/1.1\r\nX:"),
        (":method", "G ET"),
        (":scheme", "http://evil.example/x?"),
        (":authority", "data.example.fr/evil"),
        (":authority", "data.example.fr\r\nX: y"),
        (":authority", "data.example.fr evil"),
        ("x: y\r\ntransfer-encoding", "chunked"),
        ("x:y", "z"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("content-length", "+5"),
        ("content-length", "5"),
        (":protocol", "websocket"),
    ];
    for (name, value) in cases {
        let mut peer = firewall.connect();
        raw::begin(&mut peer);
        let flags = raw::END_HEADERS | raw::END_STREAM;
        peer.send(raw::frame(raw::HEADERS, flags, 1, &with(name, value)));
        let end = std::iter::from_fn(|| raw::read(&mut peer))
            .find(|f| [raw::HEADERS, raw::RST_STREAM, raw::GOAWAY].contains(&f.kind));
        let kind = end.map(|frame| frame.kind);
        assert_ne!(kind, Some(raw::HEADERS), "{name:?}: {value:?}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

/// A pipe among the configuration's files never ends for whoever reads it, and no other
/// configuration would ever be loaded.
#[test]
fn a_pipe_in_the_configuration_holds_up_no_reload() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let pipe = firewall.directory.write("pipe.site.toml", "");
    std::fs::remove_file(&pipe).expect("a file");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("coreutils");
    assert!(made.success());
    let (status, said) = firewall.reload();
    assert_ne!(status, 200);
    assert!(said.contains("no regular file"), "{said}");
    assert_eq!(firewall.get("/", &[]).status(), 200);
    std::fs::remove_file(&pipe).expect("a pipe");
    assert_eq!(firewall.reload().0, 200);
}
