//! Between the firewall and its upstreams: which address, which connection, which HTTP, and what
//! happens when one of them fails. Over real sockets.

#[path = "support/mortal.rs"]
mod mortal;
mod support;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Response, Version};
use mortal::{Mortal, answer, h2_connection, read};
use support::{DOMAIN, Directory, Firewall, Message, Origin, PATIENCE, Peer};
use tokio::sync::Notify;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CONNECTIONS: &str = "cookie_firewall_upstream_connections";
const UP: &str = "cookie_firewall_upstream_up";

/// A site with these addresses.
fn site(urls: &[String], more: &str) -> String {
    format!("upstream = {urls:?}\n{more}")
}

fn get(peer: &mut Peer) -> Message {
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n")).response()
}

fn post(peer: &mut Peer) -> Message {
    let head = format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 2\r\n\r\nhi");
    peer.send(head).response()
}

fn retries(firewall: &Firewall) -> f64 {
    firewall.metric("cookie_firewall_upstream_retries_total", &[])
}

/// Asks the admin listener.
fn ask(firewall: &Firewall, path: &str) -> (u16, String) {
    let mut admin = Peer::connect(firewall.admin);
    admin.send(format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"));
    let response = admin.response();
    (response.status(), response.text())
}

/// Waits until `condition` holds.
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::yield_now();
    }
}

/// The URL of an address that refuses connections.
fn refusing() -> String {
    let mut origin = Mortal::new(None, |_| async {});
    origin.kill();
    origin.url()
}

#[test]
fn weights_are_kept() {
    for balance in ["least-loaded", "round-robin"] {
        let origins = [Origin::fixed(OK), Origin::fixed(OK)];
        let [a, b] = origins.each_ref().map(Origin::url);
        let upstream =
            format!("upstream = [{{ url = {a:?}, weight = 3 }}, {{ url = {b:?}, weight = 1 }}]");
        let firewall = Firewall::with(&format!("{upstream}\nbalance = {balance:?}\n"));
        let mut peer = firewall.connect();
        for _ in 0..400 {
            assert_eq!(get(&mut peer).status(), 200);
        }
        let first = origins[0].seen().len();
        assert!(first.abs_diff(300) < 50, "{balance}: {first} of 400");
    }
}

#[test]
fn the_first_that_works() {
    let origins = [Origin::fixed(OK), Origin::fixed(OK)];
    let urls = [refusing(), origins[0].url(), origins[1].url()];
    let firewall = Firewall::with(&site(&urls, "balance = \"first\"\n"));
    let mut peer = firewall.connect();
    for _ in 0..20 {
        assert_eq!(get(&mut peer).status(), 200);
    }
    assert_eq!((origins[0].seen().len(), origins[1].seen().len()), (20, 0));
    // Five in a row eject the first; what comes after does not try it.
    assert_eq!(retries(&firewall), 5.0);
}

#[test]
fn an_address_that_refuses_is_ejected_and_comes_back() {
    let steady = Origin::fixed(OK);
    let answered = Arc::<AtomicUsize>::default();
    let mut other = Mortal::http1(Arc::clone(&answered));
    other.kill();
    let health = "[health]\neject_after = 1\neject_for = \"1 s\"\n";
    let firewall = Firewall::with(&site(&[steady.url(), other.url()], health));
    let address = other.address.to_string();
    let labels = [("site", DOMAIN), ("upstream", address.as_str())];
    assert_eq!(firewall.metric(UP, &labels), 1.0);
    let mut peer = firewall.connect();
    let ejections = |f: &Firewall| f.metric("cookie_firewall_upstream_ejections_total", &labels);
    wait_until("the ejection", || {
        assert_eq!(get(&mut peer).status(), 200);
        ejections(&firewall) >= 1.0
    });
    other.revive();
    wait_until("its return", || {
        assert_eq!(get(&mut peer).status(), 200);
        answered.load(Ordering::SeqCst) > 0
    });
    firewall.wait_for("up", |f| f.metric(UP, &labels) == 1.0);
}

/// An origin whose health is what the test says, and which counts what else it is asked.
struct Patient {
    origin: Origin,
    is_well: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Patient {
    fn new() -> Self {
        let (is_well, asked) = (Arc::new(AtomicBool::new(true)), Arc::<AtomicUsize>::default());
        let (well, count) = (Arc::clone(&is_well), Arc::clone(&asked));
        let origin = Origin::new(move |request| {
            if !request.first_line().starts_with("GET /health ") {
                count.fetch_add(1, Ordering::SeqCst);
                return OK.to_vec();
            }
            assert_eq!(request.texts("host"), [DOMAIN]);
            if well.load(Ordering::SeqCst) {
                OK.to_vec()
            } else {
                b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_vec()
            }
        });
        Self { origin, is_well, asked }
    }

    fn is_up(&self, firewall: &Firewall) -> bool {
        let address = self.origin.address.to_string();
        firewall.metric(UP, &[("site", DOMAIN), ("upstream", address.as_str())]) == 1.0
    }
}

const CHECKS: &str =
    "[health]\npath = \"/health\"\ninterval = \"1 s\"\nhealthy_after = 1\nunhealthy_after = 1\n";

#[test]
fn health_checks_take_an_address_out_and_back() {
    let (a, b) = (Patient::new(), Patient::new());
    let firewall = Firewall::with(&site(&[a.origin.url(), b.origin.url()], CHECKS));
    wait_until("ready", || ask(&firewall, "/readyz").0 == 200);
    a.is_well.store(false, Ordering::SeqCst);
    firewall.wait_for("down", |f| !a.is_up(f));
    let before = a.asked.load(Ordering::SeqCst);
    let mut peer = firewall.connect();
    for _ in 0..20 {
        assert_eq!(get(&mut peer).status(), 200);
    }
    assert_eq!((a.asked.load(Ordering::SeqCst), b.asked.load(Ordering::SeqCst)), (before, 20));
    assert_eq!(ask(&firewall, "/readyz"), (200, "ok\n".to_owned()));

    b.is_well.store(false, Ordering::SeqCst);
    let down = (503, format!("down: {DOMAIN}\n"));
    wait_until("not ready", || ask(&firewall, "/readyz") == down);
    assert_eq!(ask(&firewall, &format!("/readyz?site={DOMAIN}")).0, 503);
    assert_eq!(ask(&firewall, "/readyz?site=elsewhere.example").0, 404);
    // What checks say may be wrong: with nothing better, it is tried.
    assert_eq!(get(&mut peer).status(), 200);

    a.is_well.store(true, Ordering::SeqCst);
    firewall.wait_for("up again", |f| a.is_up(f));
    let before = a.asked.load(Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!(get(&mut peer).status(), 200);
    }
    assert_eq!(a.asked.load(Ordering::SeqCst), before + 20);
    assert_eq!(ask(&firewall, &format!("/readyz?site={DOMAIN}")), (200, "ok\n".to_owned()));
    let labels = [("site", DOMAIN), ("result", "bad")];
    assert!(firewall.metric("cookie_firewall_upstream_checks_total", &labels) >= 2.0);
}

#[test]
fn readiness_awaits_the_first_check() {
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let origin = Origin::new(move |_| {
        let _ = asked.send(());
        // Later checks find the sender gone, and are answered at once.
        let _ = may_go.lock().expect("no panic").recv_timeout(PATIENCE);
        OK.to_vec()
    });
    let health = format!("{CHECKS}timeout = \"20 s\"\n");
    let firewall = Firewall::with(&site(&[origin.url()], &health));
    is_asked.recv_timeout(PATIENCE).expect("a check");
    assert_eq!(ask(&firewall, "/readyz").0, 503);
    go.send(()).expect("the origin waits");
    drop(go);
    wait_until("ready", || ask(&firewall, "/readyz").0 == 200);
}

/// An origin that takes its first requests without answering them, each on its own connection.
fn silent_at_first(silent: usize) -> Origin {
    let served = AtomicUsize::new(0);
    Origin::raw(move |peer, seen| {
        while let Some(request) = peer.request() {
            seen.lock().expect("no panic").push(request);
            if served.fetch_add(1, Ordering::SeqCst) < silent {
                return;
            }
            peer.send(OK);
        }
    })
}

#[test]
fn requests_that_may_be_sent_again_are() {
    // Silent requests, retries allowed, method, status, requests seen.
    let cases = [
        (1, 2, "GET", 200, 2),
        (2, 2, "PUT", 200, 3),
        (3, 2, "GET", 502, 3),
        (1, 0, "GET", 502, 1),
        (1, 2, "POST", 502, 1),
    ];
    for (silent, allowed, method, status, seen) in cases {
        let origin = silent_at_first(silent);
        let firewall = Firewall::with(&site(&[origin.url()], &format!("retries = {allowed}\n")));
        let response = firewall.exchange(&format!("{method} / HTTP/1.1\r\nHost: {DOMAIN}\r\n"));
        let case = format!("{method}, {silent} silent, {allowed} retries");
        assert_eq!((response.status(), origin.seen().len()), (status, seen), "{case}");
        assert_eq!(retries(&firewall), (seen - 1) as f64, "{case}");
    }
}

#[test]
fn a_pooled_connection_that_has_died_costs_no_retry() {
    // Each connection answers once, takes a second request, and closes.
    let origin = Origin::raw(|peer, _| {
        if peer.request().is_some() {
            peer.send(OK).request();
        }
    });
    let more = "retries = 0\n[health]\neject_after = 1\n";
    let firewall = Firewall::with(&site(&[origin.url()], more));
    let mut peer = firewall.connect();
    for _ in 0..10 {
        assert_eq!(get(&mut peer).status(), 200);
    }
    assert_eq!(origin.connections(), 10);
    // Nor is it the address's fault.
    assert_eq!(retries(&firewall), 0.0);
    assert_eq!(firewall.metric("cookie_firewall_upstream_ejections_total", &[]), 0.0);
}

#[test]
fn a_request_with_a_body_is_not_sent_twice() {
    let origin = silent_at_first(1);
    let firewall = Firewall::with(&site(&[origin.url()], ""));
    assert_eq!(post(&mut firewall.connect()).status(), 502);
    assert_eq!((origin.seen().len(), retries(&firewall)), (1, 0.0));
}

#[test]
fn a_request_that_could_not_be_sent_goes_elsewhere_with_its_body() {
    let origin = Origin::fixed(OK);
    let urls = [refusing(), origin.url()];
    let firewall = Firewall::with(&site(&urls, "balance = \"first\"\n"));
    assert_eq!(post(&mut firewall.connect()).status(), 200);
    assert_eq!((origin.last().text().as_str(), retries(&firewall)), ("hi", 1.0));
    let firewall = Firewall::with(&site(&urls, "balance = \"first\"\nretries = 0\n"));
    assert_eq!(post(&mut firewall.connect()).status(), 502);
}

/// What an origin saw of a request.
type Seen = (Version, String, Option<HeaderValue>);

/// An HTTP/2 origin's handler that sends what it saw to the test.
fn telling(
    seen: mpsc::Sender<Seen>,
) -> impl Fn(http::Request<h2::RecvStream>, h2::server::SendResponse<Bytes>) -> std::future::Ready<()>
+ Send
+ Sync
+ 'static {
    move |request, respond| {
        let host = request.headers().get("host").cloned();
        let _ = seen.send((request.version(), request.uri().to_string(), host));
        answer(respond, "two");
        std::future::ready(())
    }
}

#[test]
fn http_2_by_alpn() {
    let (config, certificate) = mortal::tls(&["h2", "http/1.1"]);
    let (seen, has_seen) = mpsc::channel();
    let origin = Mortal::new(Some(config), h2_connection(Arc::default(), telling(seen)));
    let directory = Directory::new();
    let ca = directory.write("ca.pem", &certificate);
    let firewall =
        Firewall::with(&site(&[origin.url()], &format!("upstream_ca = \"{}\"", ca.display())));
    let mut peer = firewall.connect();
    for _ in 0..3 {
        let response = get(&mut peer);
        assert_eq!((response.status(), response.text().as_str()), (200, "two"));
        let expected = (Version::HTTP_2, format!("https://{DOMAIN}/"), None);
        assert_eq!(has_seen.recv_timeout(PATIENCE).expect("a request"), expected);
    }
    assert_eq!(origin.connections(), 1);
    firewall.wait_for("an idle connection", |f| {
        let state = |state| f.metric(CONNECTIONS, &[("state", state)]);
        state("idle") == 1.0 && state("active") == 0.0
    });
}

#[test]
fn http_1_1_where_alpn_says_so_or_nothing() {
    for protocols in [&["http/1.1"][..], &[]] {
        let (config, certificate) = mortal::tls(protocols);
        let origin = Mortal::new(Some(config), |io| async move {
            let service = hyper::service::service_fn(|_| async {
                let body = http_body_util::Full::new(Bytes::from_static(b"one"));
                Ok::<_, std::convert::Infallible>(Response::new(body))
            });
            let io = hyper_util::rt::TokioIo::new(io);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
        let directory = Directory::new();
        let ca = directory.write("ca.pem", &certificate);
        let trusting = format!("upstream_ca = \"{}\"\n", ca.display());
        let firewall = Firewall::with(&site(&[origin.url()], &trusting));
        assert_eq!(firewall.get("/", &[]).text(), "one", "{protocols:?}");
        let only = format!("{trusting}upstream_http = \"2\"\n");
        let firewall = Firewall::with(&site(&[origin.url()], &only));
        assert_eq!(firewall.get("/", &[]).status(), 502, "{protocols:?}");
    }
}

const PRIOR_KNOWLEDGE: &str = "upstream_http = \"2\"\n";

#[test]
fn http_2_with_prior_knowledge() {
    let (seen, has_seen) = mpsc::channel();
    let origin = Mortal::h2(telling(seen));
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let response = firewall.get("/a?b", &["Connection: x-mine", "X-Mine: 1", "TE: trailers"]);
    assert_eq!((response.status(), response.text().as_str()), (200, "two"));
    let expected = (Version::HTTP_2, format!("http://{DOMAIN}/a?b"), None);
    assert_eq!(has_seen.recv_timeout(PATIENCE).expect("a request"), expected);
}

#[test]
fn many_exchanges_share_a_connection() {
    let (arrived, together) = (Arc::<AtomicUsize>::default(), Arc::<Notify>::default());
    let origin = Mortal::h2(move |_, respond| {
        let (arrived, together) = (Arc::clone(&arrived), Arc::clone(&together));
        async move {
            // None is answered before all are there.
            let all = together.notified();
            if arrived.fetch_add(1, Ordering::SeqCst) + 1 == 50 {
                together.notify_waiters();
            } else {
                all.await;
            }
            answer(respond, "two");
        }
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut peers: Vec<Peer> = (0..50).map(|_| firewall.connect()).collect();
    for peer in &mut peers {
        peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    }
    for peer in &mut peers {
        assert_eq!(peer.response().status(), 200);
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_connection_that_goes_away_fails_nothing() {
    let (goaway, served) = (Arc::<Notify>::default(), Arc::<AtomicUsize>::default());
    let (bell, count) = (Arc::clone(&goaway), Arc::clone(&served));
    let handler = move |_, respond| {
        if count.fetch_add(1, Ordering::SeqCst) % 10 == 9 {
            bell.notify_one();
        }
        answer(respond, "two");
        std::future::ready(())
    };
    let origin = Mortal::new(None, h2_connection(goaway, handler));
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut peer = firewall.connect();
                for _ in 0..100 {
                    // Not to be sent twice, but where it certainly was not processed.
                    let head =
                        format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 0\r\n");
                    assert_eq!(peer.send(head + "\r\n").response().status(), 200);
                }
            });
        }
    });
    assert_eq!(served.load(Ordering::SeqCst), 400);
    assert!(origin.connections() > 10);
}

#[test]
fn a_refused_stream_is_tried_again() {
    let served = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&served);
    let origin = Mortal::h2(move |_, mut respond| {
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => respond.send_reset(Reason::REFUSED_STREAM),
            1 => answer(respond, "two"),
            _ => respond.send_reset(Reason::INTERNAL_ERROR),
        }
        std::future::ready(())
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let head = format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 0\r\n");
    assert_eq!(firewall.exchange(&head).status(), 200);
    // Any other reset may have come after the work was done.
    assert_eq!(firewall.exchange(&head).status(), 502);
    assert_eq!((served.load(Ordering::SeqCst), origin.connections()), (3, 1));
}

#[test]
fn trailers_pass_both_ways() {
    let origin = Mortal::h2(|mut request, mut respond| async move {
        let (body, trailers) = read(request.body_mut()).await;
        let sum = trailers.and_then(|trailers| trailers.get("x-sum").cloned());
        let response = Response::builder().header("trailer", "x-sum");
        let mut stream =
            respond.send_response(response.body(()).expect("valid"), false).expect("a client");
        stream.send_data(body.into(), false).expect("a client");
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", sum.expect("a trailer"));
        trailers.insert("set-cookie", HeaderValue::from_static("stowaway=1"));
        stream.send_trailers(trailers).expect("a client");
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut peer = firewall.connect();
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nTE: trailers\r\nConnection: te\r\nTrailer: x-sum\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n"
    ));
    let response = peer.response();
    assert_eq!(response.text(), "hi");
    assert_eq!(response.trailers, [b"x-sum: 7".to_vec()]);
}

#[test]
fn a_stream_goes_both_ways_at_once() {
    // As gRPC does it: each message is answered before the next is sent, and trailers end it.
    let origin = Mortal::h2(|request, mut respond| async move {
        assert_eq!(request.headers()["te"], "trailers");
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("trailer", "grpc-status");
        let response = response.body(()).expect("valid");
        let mut stream = respond.send_response(response, false).expect("a client");
        let mut body = request.into_body();
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            stream.send_data(data, false).expect("a client");
        }
        let status = HeaderValue::from_static("0");
        stream
            .send_trailers(
                [("grpc-status", status)]
                    .into_iter()
                    .map(|(name, value)| (http::HeaderName::from_static(name), value))
                    .collect(),
            )
            .expect("a client");
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut peer = firewall.connect();
    peer.send(format!(
        "POST /echo.Echo/Talk HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Type: application/grpc\r\n\
         TE: trailers\r\nConnection: te\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    assert_eq!(peer.head().expect("a response").status(), 200);
    for message in ["one", "two", "three"] {
        let chunk = format!("{:x}\r\n{message}\r\n", message.len());
        peer.send(&chunk);
        let mut echo = vec![0; chunk.len()];
        peer.stream().read_exact(&mut echo).expect("an echo");
        assert!(support::contains(&echo, message.as_bytes()), "{}", echo.escape_ascii());
    }
    peer.send("0\r\n\r\n");
    let end = peer.head().expect("the last chunk").head;
    assert_eq!(end, [b"0".to_vec(), b"grpc-status: 0".to_vec()]);
}

#[test]
fn a_client_that_leaves_ends_its_stream_alone() {
    let (ended, has_ended) = mpsc::channel();
    let origin = Mortal::h2(move |request, mut respond| {
        let ended = ended.clone();
        async move {
            if request.uri().path() != "/endless" {
                answer(respond, "two");
                return;
            }
            let mut stream = respond.send_response(Response::new(()), false).expect("a client");
            let reason = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
            let _ = ended.send(reason.ok());
        }
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut leaver = firewall.connect();
    leaver.send(format!("GET /endless HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    assert_eq!(leaver.head().expect("a head").status(), 200);
    drop(leaver);
    let reason = has_ended.recv_timeout(PATIENCE).expect("the stream ends");
    assert_eq!(reason, Some(Reason::CANCEL));
    assert_eq!((firewall.get("/", &[]).status(), origin.connections()), (200, 1));
}

#[test]
fn a_client_that_does_not_read_stops_the_upstream() {
    let (stopped, has_stopped) = mpsc::channel();
    let origin = Mortal::h2(move |_, mut respond| {
        let stopped = stopped.clone();
        async move {
            let mut stream = respond.send_response(Response::new(()), false).expect("a client");
            let mut sent = 0usize;
            loop {
                stream.reserve_capacity(64 * 1024);
                let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx));
                match tokio::time::timeout(Duration::from_secs(1), capacity).await {
                    Ok(Some(Ok(size))) => {
                        stream.send_data(vec![0; size].into(), false).expect("a client");
                        sent += size;
                    }
                    _ => break,
                }
            }
            let _ = stopped.send(sent);
        }
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    let sent = has_stopped.recv_timeout(PATIENCE).expect("the upstream stops");
    // The sockets' buffers between firewall and client, and one stream's window.
    assert!(sent < 16 << 20, "{sent}");
}

#[test]
fn clients_that_do_not_read_do_not_stop_their_neighbours() {
    let (stopped, has_stopped) = mpsc::channel();
    let origin = Mortal::h2(move |request, mut respond| {
        let stopped = stopped.clone();
        async move {
            if request.uri().path() == "/" {
                return answer(respond, "two");
            }
            let mut stream = respond.send_response(Response::new(()), false).expect("a client");
            loop {
                stream.reserve_capacity(64 * 1024);
                let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx));
                match tokio::time::timeout(Duration::from_secs(1), capacity).await {
                    Ok(Some(Ok(size))) => {
                        stream.send_data(vec![0; size].into(), false).expect("a client");
                    }
                    _ => break,
                }
            }
            let _ = stopped.send(());
            std::future::pending::<()>().await;
        }
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut peers: Vec<Peer> = (0..8).map(|_| firewall.connect()).collect();
    for peer in &mut peers {
        peer.send(format!("GET /endless HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    }
    for _ in &peers {
        has_stopped.recv_timeout(PATIENCE).expect("the upstream stops");
    }
    assert_eq!((firewall.get("/", &[]).text().as_str(), origin.connections()), ("two", 1));
}

#[test]
fn an_upload_that_is_answered_and_never_read_holds_no_connection() {
    let (closed, has_closed) = mpsc::channel();
    let origin = Mortal::new(None, move |io| {
        let closed = closed.clone();
        let connection = h2_connection(Arc::default(), |request, respond| async move {
            let is_upload = request.method() == http::Method::POST;
            answer(respond, "two");
            let _held = request;
            if is_upload {
                std::future::pending::<()>().await;
            }
        });
        async move {
            connection(io).await;
            let _ = closed.send(());
        }
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut peer = firewall.connect();
    peer.send(format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 9999999\r\n\r\n"));
    peer.send(vec![0; 1 << 18]);
    let head = peer.head().expect("an answer before the end");
    assert_eq!(head.status(), 200);
    firewall.wait_for("the end of the exchange", |f| f.metric(CONNECTIONS, &[]) == 0.0);
    has_closed.recv_timeout(PATIENCE).expect("the connection is closed");
    assert_eq!((firewall.get("/", &[]).status(), origin.connections()), (200, 2));
}

#[test]
fn an_upload_that_the_upstream_does_not_read_stops_the_client() {
    let origin = Mortal::h2(|request, respond| async move {
        let _held = (request, respond);
        std::future::pending::<()>().await;
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut stream = std::net::TcpStream::connect(firewall.http).expect("a listener");
    stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a positive time");
    let head = format!("POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 99999999\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the firewall reads");
    let mut sent = 0;
    while let Ok(size) = stream.write(&[0; 64 * 1024]) {
        sent += size;
    }
    assert!(sent < 16 << 20, "{sent}");
}

#[test]
fn expectations_are_met_by_the_firewall() {
    let origin = Mortal::h2(|mut request, respond| async move {
        assert!(!request.headers().contains_key("expect"));
        let (body, _) = read(request.body_mut()).await;
        answer(respond, body);
    });
    let firewall = Firewall::with(&site(&[origin.url()], PRIOR_KNOWLEDGE));
    let mut peer = firewall.connect();
    peer.send(format!(
        "POST / HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(peer.head().expect("a word").status(), 100);
    assert_eq!(peer.send("hi").response().text(), "hi");
}

#[test]
fn connections_end_by_age() {
    for version in ["1.1", "2"] {
        let origin = match version {
            "2" => Mortal::h2(|_, respond| {
                answer(respond, "two");
                std::future::ready(())
            }),
            _ => Mortal::http1(Arc::default()),
        };
        let more = format!("upstream_http = \"{version}\"\n[pool]\nmax_age = \"1 s\"\n");
        let firewall = Firewall::with(&site(&[origin.url()], &more));
        let mut peer = firewall.connect();
        let started = Instant::now();
        wait_until("a third connection", || {
            assert_eq!(get(&mut peer).status(), 200);
            origin.connections() == 3
        });
        assert!(started.elapsed() > Duration::from_secs(2), "{version}");
    }
}

#[test]
fn connections_end_by_idleness() {
    for version in ["1.1", "2"] {
        let (closed, has_closed) = mpsc::channel();
        let origin = Mortal::new(None, move |io| {
            let closed = closed.clone();
            let connection = h2_connection(Arc::default(), |_, respond| {
                answer(respond, "two");
                std::future::ready(())
            });
            async move {
                if version == "2" {
                    connection(io).await;
                } else {
                    let service = hyper::service::service_fn(|_| async {
                        let body = http_body_util::Full::new(Bytes::from_static(b"one"));
                        Ok::<_, std::convert::Infallible>(Response::new(body))
                    });
                    let io = hyper_util::rt::TokioIo::new(io);
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(io, service)
                        .await;
                }
                let _ = closed.send(());
            }
        });
        let more = format!("upstream_http = \"{version}\"\n[pool]\nidle = \"1 s\"\n");
        let firewall = Firewall::with(&site(&[origin.url()], &more));
        assert_eq!(firewall.get("/", &[]).status(), 200);
        has_closed.recv_timeout(PATIENCE).expect("the connection is closed");
        firewall.wait_for("no connection", |f| f.metric(CONNECTIONS, &[]) == 0.0);
    }
}

#[test]
fn an_idle_connection_makes_room_for_another_workers() {
    let origin = Origin::fixed(OK);
    let more = "upstream_connections = 1\n";
    let firewall = Firewall::on_workers(2, "", &site(&[origin.url()], more));
    let mut peers: Vec<Peer> = (0..4).map(|_| firewall.connect()).collect();
    for _ in 0..5 {
        for peer in &mut peers {
            assert_eq!(get(peer).status(), 200);
        }
    }
    assert!(origin.connections() > 1);
}

/// GETs without end from several clients, while one of two origins is killed and revived.
fn survives(mut mortal: Mortal, other: &Mortal, served: &AtomicUsize, more: &str) {
    let health = "[health]\neject_after = 2\neject_for = \"1 s\"\n";
    let urls = [mortal.url(), other.url()];
    let firewall = Firewall::on_workers(2, "", &site(&urls, &format!("{more}{health}")));
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (firewall, is_over, answered) = (&firewall, &is_over, &answered);
            scope.spawn(move || {
                let mut peer = firewall.connect();
                while !is_over.load(Ordering::SeqCst) {
                    let response = get(&mut peer);
                    assert_eq!(response.status(), 200);
                    answered.fetch_add(1, Ordering::SeqCst);
                    if client % 2 == 0 {
                        peer = firewall.connect();
                    }
                }
            });
        }
        let more_than = |count: &AtomicUsize, more: usize| {
            let goal = count.load(Ordering::SeqCst) + more;
            wait_until("more answers", || count.load(Ordering::SeqCst) >= goal);
        };
        for _ in 0..3 {
            more_than(served, 50);
            mortal.kill();
            more_than(&answered, 300);
            mortal.revive();
        }
        more_than(served, 50);
        is_over.store(true, Ordering::SeqCst);
    });
    assert_eq!(firewall.metric("cookie_firewall_upstream_errors_total", &[]), 0.0);
}

#[test]
fn an_origin_that_is_killed_and_revived_costs_no_request() {
    let served = Arc::<AtomicUsize>::default();
    let mortal = Mortal::http1(Arc::clone(&served));
    survives(mortal, &Mortal::http1(Arc::default()), &served, "");
}

#[test]
fn an_http_2_origin_that_is_killed_and_revived_costs_no_request() {
    let served = Arc::<AtomicUsize>::default();
    let origin = |served: Arc<AtomicUsize>| {
        Mortal::h2(move |_, respond| {
            served.fetch_add(1, Ordering::SeqCst);
            answer(respond, "two");
            std::future::ready(())
        })
    };
    let mortal = origin(Arc::clone(&served));
    survives(mortal, &origin(Arc::default()), &served, PRIOR_KNOWLEDGE);
}
