//! Another configuration while the firewall runs, over sockets.

mod support;

use std::sync::{Mutex, mpsc};

use support::{CHARTER, DOMAIN, Firewall, Message, Origin, PATIENCE, Peer, Setup, setting};

const LINES: [&[u8]; 2] = [b"sessionid=1", b"tracker=1"];

fn site(origin: &Origin, more: &str) -> String {
    format!("domain = \"{DOMAIN}\"\nupstream = \"{}\"\n{CHARTER}\n{more}", origin.url())
}

fn firewall(origin: &Origin) -> Firewall {
    Setup { sites: vec![site(origin, "")], ..Setup::new("") }.start()
}

const TRACKER: &str = "[[cookie]]\nname = \"tracker\"\ncategory = \"necessary\"\n";

fn get(peer: &mut Peer) -> Message {
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n")).response()
}

fn reloads(firewall: &Firewall, result: &str) -> f64 {
    firewall.metric("cookie_firewall_config_reloads_total", &[("result", result)])
}

#[test]
fn a_new_charter_holds_for_the_next_request_of_an_open_connection() {
    let origin = Origin::fixed(setting("200 OK", &LINES));
    let firewall = firewall(&origin);
    let mut peer = firewall.connect();
    assert_eq!(get(&mut peer).texts("set-cookie"), ["sessionid=1"]);
    firewall.directory.write("0.site.toml", &site(&origin, TRACKER));
    assert_eq!(firewall.reload(), (200, "loaded: 1 sites\n".to_owned()));
    assert_eq!(get(&mut peer).texts("set-cookie"), ["sessionid=1", "tracker=1"]);
    assert_eq!(origin.connections(), 1, "an upstream that is the same keeps its connections");
    assert!(reloads(&firewall, "success") >= 1.0);
}

#[test]
fn a_file_that_changes_is_loaded_by_itself() {
    let origin = Origin::fixed(setting("200 OK", &LINES));
    let firewall = firewall(&origin);
    let mut peer = firewall.connect();
    firewall.directory.write("0.site.toml", &site(&origin, TRACKER));
    firewall.wait_for("the new charter", |f| reloads(f, "success") == 1.0);
    assert_eq!(get(&mut peer).texts("set-cookie").len(), 2);
    firewall
        .directory
        .write("1.site.toml", "domain = \"b.example\"\nupstream = \"http://[::1]:1\"");
    firewall.wait_for("the new site", |f| reloads(f, "success") == 2.0);
    assert_eq!(firewall.exchange("GET / HTTP/1.1\r\nHost: b.example\r\n").status(), 502);
}

#[test]
fn a_broken_file_changes_nothing_and_shows() {
    let origin = Origin::fixed(setting("200 OK", &LINES));
    let firewall = firewall(&origin);
    firewall.directory.write("0.site.toml", "domain = 3\nmoed = 4\n");
    let (status, text) = firewall.reload();
    assert_eq!(status, 422);
    assert!(text.contains("0.site.toml:1:10: error: domain"), "{text}");
    assert!(text.contains("moed") && text.contains("remedy"), "{text}");
    assert!(reloads(&firewall, "failure") >= 1.0);
    assert_eq!(get(&mut firewall.connect()).texts("set-cookie"), ["sessionid=1"]);
    firewall.directory.write("0.site.toml", &site(&origin, TRACKER));
    assert_eq!(firewall.reload().0, 200);
    assert_eq!(get(&mut firewall.connect()).texts("set-cookie").len(), 2);
}

#[test]
fn what_is_in_flight_ends_as_it_began() {
    let (arrived, has_arrived) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let origin = Origin::raw(move |peer, _| {
        while peer.request().is_some() {
            arrived.send(()).expect("the test waits");
            may_go.lock().expect("one at a time").recv_timeout(PATIENCE).expect("the test's word");
            peer.send(setting("200 OK", &LINES));
        }
    });
    let firewall = firewall(&origin);
    let mut peer = firewall.connect();
    peer.send(format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    has_arrived.recv_timeout(PATIENCE).expect("the request");
    firewall.directory.write("0.site.toml", &site(&origin, TRACKER));
    assert_eq!(firewall.reload().0, 200);
    go.send(()).expect("the origin waits");
    assert_eq!(peer.response().texts("set-cookie"), ["sessionid=1"]);
    go.send(()).expect("the origin waits");
    assert_eq!(get(&mut peer).texts("set-cookie").len(), 2);
}

#[test]
fn sites_and_upstreams_come_and_go() {
    let (one, other) =
        (Origin::fixed(setting("200 OK", &[])), Origin::fixed(setting("404 X", &[])));
    let firewall = firewall(&one);
    let mut peer = firewall.connect();
    assert_eq!(get(&mut peer).status(), 200);
    firewall.directory.write("0.site.toml", &site(&other, ""));
    assert_eq!(firewall.reload().0, 200);
    assert_eq!(get(&mut peer).status(), 404);
    let elsewhere = site(&other, "").replace(DOMAIN, "elsewhere.example");
    firewall.directory.write("0.site.toml", &elsewhere);
    assert_eq!(firewall.reload().0, 200);
    assert_eq!(get(&mut peer).status(), 421);
    let idle = || firewall.metric("cookie_firewall_upstream_connections", &[("site", DOMAIN)]);
    firewall.wait_for("the end of the old upstreams' connections", |_| idle() == 0.0);
}

/// An address that is free now, for listeners whose port has to be known beforehand.
fn free() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    port.local_addr().expect("bound").to_string()
}

#[test]
fn listeners_open_and_close_as_needed() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let (kept, gone, new) = (free(), free(), free());
    let setup = |first: &str, second: &str, more: &str| {
        let keys = format!("http = [\"{first}\", \"{second}\"]\n{more}");
        Setup { sites: vec![site(&origin, "")], ..Setup::new("").server(&keys) }
    };
    let before = setup(&kept, &gone, "");
    let firewall = before.start();
    let connect = |address: &str| Peer::connect(address.parse().expect("an address"));
    let mut peer = connect(&gone);
    assert_eq!(get(&mut peer).status(), 200);
    setup(&kept, &new, "").write(&firewall.directory);
    assert_eq!(firewall.reload().0, 200);
    assert_eq!(get(&mut connect(&new)).status(), 200);
    assert_eq!(get(&mut connect(&kept)).status(), 200);
    assert_eq!(get(&mut peer).status(), 200, "what is connected stays");
    firewall.wait_for("the closed listener", |_| {
        std::net::TcpStream::connect(gone.parse::<std::net::SocketAddr>().expect("one")).is_err()
    });
    // An address that somebody else has: nothing changes.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    setup(&kept, &taken.local_addr().expect("bound").to_string(), "").write(&firewall.directory);
    let (status, text) = firewall.reload();
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("cannot listen on"), "{text}");
    assert_eq!(get(&mut connect(&new)).status(), 200);
    // The same address in another role keeps its socket.
    let proxied = format!("proxy_protocol = [\"{new}\"]\ntrusted_proxies = [\"127.0.0.1\"]");
    setup(&kept, &new, &proxied).write(&firewall.directory);
    assert_eq!(firewall.reload().0, 200);
    let mut peer = connect(&new);
    peer.send("PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n");
    assert_eq!(get(&mut peer).status(), 200);
    assert_eq!(origin.last().texts("x-forwarded-for"), ["192.0.2.7"]);
}

#[test]
fn a_reload_is_not_for_browsers_and_not_for_get() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = firewall(&origin);
    let mut admin = Peer::connect(firewall.admin);
    admin.send("POST /-/reload HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n");
    assert_eq!(admin.response().status(), 403);
    let response = firewall.ask_admin("/-/reload");
    assert_eq!((response.status(), response.texts("allow")), (405, vec!["POST".to_owned()]));
    assert_eq!(reloads(&firewall, "success"), 0.0);
}

#[test]
fn a_process_takes_over_without_a_refused_connection() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let address = free();
    let keys = format!("http = [\"{address}\"]\nreuse_port = true");
    let setup = Setup { sites: vec![site(&origin, "")], ..Setup::new("").server(&keys) };
    let address = address.parse().expect("an address");
    let (stop, stopped) = mpsc::channel::<()>();
    let mut before = setup.start();
    std::thread::scope(|scope| {
        let load = scope.spawn(move || {
            let mut kept = Peer::connect(address);
            let mut answers = 0;
            while stopped.try_recv().is_err() {
                // Every connection is answered, a new one and one that was told of its end before.
                assert_eq!(get(&mut Peer::connect(address)).status(), 200);
                let response = get(&mut kept);
                assert_eq!(response.status(), 200);
                if response.texts("connection") == ["close"] {
                    kept = Peer::connect(address);
                }
                answers += 1;
            }
            answers
        });
        for _ in 0..3 {
            let mut after = setup.start();
            std::mem::swap(&mut before, &mut after);
            after.stop();
        }
        stop.send(()).expect("the load runs");
        assert!(load.join().expect("no failed request") > 10);
    });
}

/// The series of an address, in `site`: whether it is up, or `None` where there is none.
fn up(firewall: &Firewall, origin: &Origin) -> Option<bool> {
    let labels = format!("{{site=\"{DOMAIN}\",upstream=\"{}\"}}", origin.address);
    let metrics = firewall.metrics();
    let mut samples = metrics.lines().filter_map(|line| {
        line.strip_prefix("cookie_firewall_upstream_up")?.strip_prefix(&*labels)
    });
    samples.next().map(|value| value == " 1")
}

#[test]
fn an_exchange_that_fails_after_a_reload_tells_nothing_of_the_upstream_since() {
    let (arrived, has_arrived) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let origin = Origin::raw(move |peer, _| {
        while let Some(request) = peer.request() {
            if request.first_line().contains("/fails") {
                arrived.send(()).expect("the test waits");
                may_go.lock().expect("one").recv_timeout(PATIENCE).expect("the test's word");
                return;
            }
            peer.send(setting("200 OK", &[]));
        }
    });
    let health = "[health]\neject_after = 1\neject_for = \"1 hour\"\n";
    let with = |keys: &str| {
        site(&origin, health).replacen("upstream", &format!("retries = 0\n{keys}upstream"), 1)
    };
    let firewall = Setup { sites: vec![with("")], ..Setup::new("") }.start();
    let mut peer = firewall.connect();
    peer.send(format!("GET /fails HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    has_arrived.recv_timeout(PATIENCE).expect("the request");
    firewall.directory.write("0.site.toml", &with("upstream_connections = 9\n"));
    assert_eq!(firewall.reload().0, 200);
    go.send(()).expect("the origin waits");
    assert_eq!(peer.response().status(), 502);
    assert_eq!(up(&firewall, &origin), Some(true));
    assert_eq!(get(&mut peer).status(), 200);
}

#[test]
fn a_reload_that_is_refused_leaves_what_is_known_of_addresses() {
    let origin = Origin::fixed("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    let health = "[health]\npath = \"/health\"\ninterval = \"1 hour\"\n";
    let before = Setup { sites: vec![site(&origin, health)], ..Setup::new("") };
    let firewall = before.start();
    firewall.wait_for("the first check", |f| up(f, &origin) == Some(false));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("bound");
    let other = Origin::fixed("");
    let both = format!("upstream = [\"{}\", \"{}\"]", origin.url(), other.url());
    let changed = site(&origin, health).replace(&format!("upstream = \"{}\"", origin.url()), &both);
    let keys = format!("http = [\"127.0.0.1:0\", \"{taken}\"]");
    Setup { sites: vec![changed], ..Setup::new("").server(&keys) }.write(&firewall.directory);
    let (status, text) = firewall.reload();
    assert_eq!(status, 409, "{text}");
    assert_eq!(up(&firewall, &origin), Some(false));
    assert_eq!(up(&firewall, &other), None, "an address that was never in use");
}

#[test]
fn an_address_that_is_no_longer_in_use_is_no_longer_counted() {
    let (one, other) =
        (Origin::fixed(setting("200 OK", &[])), Origin::fixed(setting("200 OK", &[])));
    let health = "[health]\npath = \"/health\"\ninterval = \"1 hour\"\n";
    let checks = |firewall: &Firewall, origin: &Origin| {
        let address = origin.address.to_string();
        let labels = [("upstream", address.as_str()), ("result", "good")];
        firewall.metric("cookie_firewall_upstream_checks_total", &labels)
    };
    let setup = Setup { sites: vec![site(&one, health)], ..Setup::new("") };
    let firewall = setup.start();
    firewall.wait_for("the first check", |f| checks(f, &one) == 1.0);
    // The same address with another upstream around it goes on counting.
    let more = format!("{health}[pool]\nidle = \"9 s\"\n");
    firewall.directory.write("0.site.toml", &site(&one, &more));
    assert_eq!(firewall.reload().0, 200);
    firewall.wait_for("the second check", |f| checks(f, &one) == 2.0);
    firewall.directory.write("0.site.toml", &site(&other, health));
    assert_eq!(firewall.reload().0, 200);
    firewall.wait_for("the other's first check", |f| checks(f, &other) == 1.0);
    let address = one.address.to_string();
    assert!(!firewall.metrics().contains(&address), "{}", firewall.metrics());
}
