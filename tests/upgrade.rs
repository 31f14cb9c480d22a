//! WebSockets through the firewall, over HTTP/1.1 and over HTTP/2.

mod support;

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Empty;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{CHARTER, DOMAIN, Firewall, Origin, PATIENCE, Peer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const COOKIES: &str = "Set-Cookie: tracker=1\r\nSet-Cookie: sessionid=1\r\n";

/// An origin that upgrades and then sends back what it is sent, until the end.
fn echo() -> Origin {
    answering(|key| {
        let accept = derive_accept_key(key.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{COOKIES}\r\n"
        )
    })
}

/// An origin that answers an upgrade by its key, and then echoes.
fn answering(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Origin {
    Origin::raw(move |peer, seen| {
        let Some(request) = peer.head() else { return };
        let key = request.texts("sec-websocket-key").pop().unwrap_or_default();
        seen.lock().expect("no panic").push(request);
        peer.send(answer(&key));
        let mut piece = [0; 65_536];
        while let Ok(count @ 1..) = peer.stream().read(&mut piece) {
            if peer.stream().get_mut().write_all(&piece[..count]).is_err() {
                return;
            }
        }
    })
}

fn ask(peer: &mut Peer, more: &str) -> support::Message {
    peer.send(format!(
        "GET /live HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    ));
    peer.head().expect("an answer")
}

fn open(firewall: &Firewall) -> f64 {
    firewall.metric("cookie_firewall_upgrades", &[("site", DOMAIN)])
}

#[test]
fn a_websocket_is_tunnelled_and_its_101_judged() {
    let origin = echo();
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    let response = ask(&mut peer, "Cookie: sessionid=2; tracker=2\r\n");
    assert_eq!(response.status(), 101);
    assert_eq!(response.texts("set-cookie"), ["sessionid=1"]);
    assert_eq!(response.texts("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    assert_eq!(response.texts("upgrade"), ["websocket"]);
    assert_eq!(response.texts("connection"), ["Upgrade"]);
    let seen = origin.last();
    assert_eq!(seen.texts("cookie"), ["sessionid=2"]);
    assert_eq!(seen.texts("upgrade"), ["websocket"]);
    assert_eq!(seen.texts("connection"), ["Upgrade"]);
    let mut echoed = vec![0; 100_000];
    for byte in [b'a', b'b'] {
        peer.send(vec![byte; echoed.len()]);
        peer.stream().read_exact(&mut echoed).expect("the echo");
        assert!(echoed.iter().all(|echo| *echo == byte));
    }
    assert_eq!(open(&firewall), 1.0);
    assert_eq!(firewall.counted("response", "block", "undeclared"), 1.0);
    drop(peer);
    firewall.wait_for("the end", |f| open(f) == 0.0);
    let total = firewall.metric("cookie_firewall_upgrades_total", &[("site", DOMAIN)]);
    assert_eq!(total, 1.0);
    firewall.wait_for("the connections' end", |f| {
        f.metric("cookie_firewall_connections", &[("listener", "http")]) == 0.0
    });
}

#[test]
fn an_upgrade_that_the_upstream_does_not_want_is_an_ordinary_exchange() {
    let origin = Origin::fixed("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!(
        "GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    ));
    let response = peer.response();
    assert_eq!((response.status(), response.text().as_str()), (403, "no"));
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    assert_eq!(peer.response().status(), 403);
}

/// Requests in another protocol behind an upgrade would not be judged by anybody.
#[test]
fn nothing_but_websockets_is_upgraded_to() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n";
    let origin = Origin::fixed(switch);
    let firewall = Firewall::before(&origin);
    for upgrade in ["h2c", "websocket, h2c", "TLS/1.3"] {
        let response = firewall.exchange(&format!(
            "GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        ));
        assert_eq!(response.status(), 502, "{upgrade}");
        let seen = origin.last();
        assert!(
            seen.all("upgrade").is_empty() && seen.all("http2-settings").is_empty(),
            "{upgrade}"
        );
    }
    let origin = answering(|_| switch.to_owned());
    let firewall = Firewall::before(&origin);
    assert_eq!(ask(&mut firewall.connect(), "").status(), 502, "asked for one, got the other");
}

#[test]
fn a_websocket_on_which_nothing_passes_is_cut() {
    let origin = echo();
    let site = format!("upstream = \"{}\"\n{CHARTER}[timeouts]\nupgrade = \"1 s\"\n", origin.url());
    let firewall = Firewall::with(&site);
    let mut peer = firewall.connect();
    assert_eq!(ask(&mut peer, "").status(), 101);
    assert!(peer.is_closed());
    firewall.wait_for("the end", |f| open(f) == 0.0);
}

/// The portal may have said all it has to say before the visitor has.
#[test]
fn a_tunnel_ends_one_direction_at_a_time() {
    let (got, all) = std::sync::mpsc::channel();
    let origin = answering_with(
        |key| {
            let accept = derive_accept_key(key.as_bytes());
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\nthat was all"
            )
        },
        move |stream| {
            stream.shutdown(std::net::Shutdown::Write).expect("an open socket");
            let mut rest = Vec::new();
            let _ = (&*stream).read_to_end(&mut rest);
            got.send(rest).expect("the test waits");
        },
    );
    let firewall = Firewall::with(&format!("upstream = \"http://{}\"\n{CHARTER}", origin));
    let mut peer = firewall.connect();
    assert_eq!(ask(&mut peer, "").status(), 101);
    let mut said = [0; 12];
    peer.stream().read_exact(&mut said).expect("the origin's words");
    assert!(peer.is_closed(), "that direction has ended");
    peer.send("and this is mine");
    drop(peer);
    assert_eq!(all.recv_timeout(PATIENCE).expect("the visitor's words"), b"and this is mine");
}

/// An origin on a plain socket, so that it can end one direction of it: its address.
fn answering_with(
    answer: impl FnOnce(&str) -> String + Send + 'static,
    then: impl FnOnce(&std::net::TcpStream) + Send + 'static,
) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            (&stream).read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("ASCII").to_lowercase();
        let key = head.split("sec-websocket-key: ").nth(1).unwrap_or_default();
        // Keys are told apart by case; this one is the RFC's.
        assert!(key.starts_with("dghlihnhbxbszsbub25jzq=="), "{head}");
        let answer = answer("dGhlIHNhbXBsZSBub25jZQ==");
        (&stream).write_all(answer.as_bytes()).expect("the firewall reads");
        then(&stream);
    });
    address
}

#[test]
fn a_websocket_keeps_the_stop_waiting_until_it_ends() {
    let origin = echo();
    let mut firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    assert_eq!(ask(&mut peer, "").status(), 101);
    firewall.begin_stop();
    firewall.wait_for("the closed listener", |f| std::net::TcpStream::connect(f.http).is_err());
    peer.send("still here");
    let mut echoed = [0; 10];
    peer.stream().read_exact(&mut echoed).expect("the echo");
    assert_eq!(&echoed, b"still here");
    drop(peer);
    firewall.stop();
}

/// Opens a WebSocket over HTTP/2 (RFC 8441) and gives it to `talk`, with the response's cookies.
fn over_http2<T, F: Future<Output = T>>(
    firewall: &Firewall,
    protocol: &'static str,
    talk: impl FnOnce(http::response::Parts, Option<TokioIo<hyper::upgrade::Upgraded>>) -> F,
) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let stream = tokio::net::TcpStream::connect(firewall.http).await.expect("a listener");
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        // Extended CONNECT may be used once the server's settings have said so.
        let settings = Request::builder().uri(format!("http://{DOMAIN}/"));
        let _ = sender.send_request(settings.body(Empty::<Bytes>::new()).expect("a request")).await;
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://{DOMAIN}/live"))
            .header("sec-websocket-version", "13")
            .header("cookie", "sessionid=2; tracker=2")
            .extension(Protocol::from_static(protocol))
            .body(Empty::new())
            .expect("a request");
        let mut response = sender.send_request(request).await.expect("an answer");
        let upgraded = if response.status() == 200 {
            let upgraded = hyper::upgrade::on(&mut response).await.expect("a tunnel");
            Some(TokioIo::new(upgraded))
        } else {
            None
        };
        let (parts, _) = response.into_parts();
        let talk = tokio::time::timeout(PATIENCE, talk(parts, upgraded));
        talk.await.expect("in time")
    })
}

/// An origin that answers everything but upgrades with 404.
fn echo_beside_pages() -> Origin {
    Origin::raw(|peer, seen| {
        let Some(request) = peer.head() else { return };
        let key = request.texts("sec-websocket-key").pop();
        seen.lock().expect("no panic").push(request);
        let Some(key) = key else {
            peer.send("HTTP/1.1 404 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        };
        let accept = derive_accept_key(key.as_bytes());
        peer.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n{COOKIES}\r\n"
        ));
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = peer.stream().read(&mut piece) {
            peer.send(&piece[..count]);
        }
    })
}

#[test]
fn a_websocket_over_http_2_is_an_upgrade_to_the_upstream() {
    let origin = echo_beside_pages();
    let firewall = Firewall::before(&origin);
    over_http2(&firewall, "websocket", async |parts, upgraded| {
        let mut tunnel = upgraded.expect("a WebSocket");
        let cookies: Vec<_> = parts.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["sessionid=1"]);
        assert_eq!(parts.headers["sec-websocket-protocol"], "chat");
        for name in ["upgrade", "connection", "sec-websocket-accept"] {
            assert!(!parts.headers.contains_key(name), "{name}");
        }
        tunnel.write_all(b"hello").await.expect("an open tunnel");
        let mut echoed = [0; 5];
        tunnel.read_exact(&mut echoed).await.expect("the echo");
        assert_eq!(&echoed, b"hello");
        assert_eq!(open(&firewall), 1.0);
    });
    let seen = origin.last();
    assert_eq!(seen.first_line(), "GET /live HTTP/1.1");
    assert_eq!(seen.texts("connection"), ["Upgrade"]);
    assert_eq!(seen.texts("cookie"), ["sessionid=2"]);
    firewall.wait_for("the end", |f| open(f) == 0.0);
}

#[test]
fn nothing_but_websockets_over_http_2() {
    let origin = echo_beside_pages();
    let firewall = Firewall::before(&origin);
    over_http2(&firewall, "connect-udp", async |parts, _| assert_eq!(parts.status, 405));
    let lying = answering(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            .to_owned()
    });
    let firewall = Firewall::before(&lying);
    over_http2(&firewall, "websocket", async |parts, _| assert_eq!(parts.status, 502));
}
