//! The acceptance tests that the field suggests, over real sockets and HTTP/1.1.

mod support;

use support::{CHARTER, Firewall, Message, Origin, consent, setting};

fn set_cookies(response: &Message) -> Vec<Vec<u8>> {
    response.all("set-cookie")
}

#[test]
fn five_lines_one_refused_on_every_status() {
    let lines: [&[u8]; 5] = [
        b"sessionid=1; Path=/; HttpOnly; Priority=High",
        b"csrftoken=\xe9\xff;Path=/;SameSite=Lax",
        b"tracker=1; Path=/",
        b"csrftoken=a=b; Expires=Thu, 01-Jan-2099 00:00:00 GMT",
        b"  sessionid = 2 ;; future",
    ];
    for status in ["200 OK", "302 Found", "404 Not Found", "500 Internal Server Error"] {
        let firewall = Firewall::before(&Origin::fixed(setting(status, &lines)));
        let response = firewall.get("/", &[]);
        assert_eq!(response.first_line(), format!("HTTP/1.1 {status}"));
        let kept = [lines[0], lines[1], lines[3], lines[4].trim_ascii()];
        assert_eq!(set_cookies(&response), kept, "{status}");
        assert_eq!(response.body, b"ok");
        assert_eq!(firewall.counted("response", "block", "undeclared"), 1.0);
        assert_eq!(firewall.counted("response", "keep", "exempt"), 4.0);
    }
}

#[test]
fn no_cookie_survives_on_a_page_of_our_own() {
    let origin =
        Origin::fixed("HTTP/1.1 200 OK\r\nSet-Cookie: tracker=1\r\nContent-Length: x\r\n\r\n");
    let firewall = Firewall::before(&origin);
    let response = firewall.get("/", &[]);
    assert_eq!(response.status(), 502);
    assert!(set_cookies(&response).is_empty());
}

#[test]
fn a_long_lifetime_is_cut_and_never_longer() {
    let line = b"sessionid=1; Max-Age=99999999; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/";
    let firewall = Firewall::before(&Origin::fixed(setting("200 OK", &[line])));
    assert_eq!(set_cookies(&firewall.get("/", &[])), [b"sessionid=1; Max-Age=1209600; Path=/"]);
    assert_eq!(firewall.counted("response", "rewrite", "lifetime"), 1.0);
}

#[test]
fn nameless_cookies_and_old_grammars() {
    let origin = Origin::fixed(setting("200 OK", &[b"token", b"=a=b"]));
    let firewall = Firewall::before(&origin);
    let response = firewall.get_with("x; tracker=1; sessionid=ok");
    assert!(set_cookies(&response).is_empty());
    assert_eq!(origin.last().texts("cookie"), ["sessionid=ok"]);
    assert_eq!(firewall.counted("response", "block", "nameless"), 2.0);
    assert_eq!(firewall.counted("request", "block", "nameless"), 1.0);
    assert_eq!(firewall.counted("request", "block", "undeclared"), 1.0);
    firewall.get_with("$Version=1; sessionid=\"; csrftoken=\"");
    assert!(origin.last().texts("cookie").is_empty());
    assert_eq!(firewall.counted("request", "block", "malformed"), 3.0);
}

#[test]
fn a_latin_1_byte_changes_nothing_for_the_others() {
    let origin = Origin::fixed(setting("200 OK", &[b"sessionid=\xe9", b"tracker=\xe9"]));
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(
        b"GET / HTTP/1.1\r\nHost: data.example.fr\r\nCookie: a=\xe9; sessionid=\xe9; b=1\r\n\r\n",
    );
    assert_eq!(set_cookies(&peer.response()), [b"sessionid=\xe9"]);
    assert_eq!(origin.last().all("cookie"), [b"sessionid=\xe9"]);
}

#[test]
fn contradictory_consent_is_unset_and_deletes_nothing() {
    let origin = Origin::fixed(setting("200 OK", &[b"_pk_id.1=1", b"_ga=1"]));
    let firewall = Firewall::before(&origin);
    let cookie = format!("{}; {}; _ga=1", consent(true, true), consent(false, true));
    let response = firewall.get_with(&cookie);
    assert!(set_cookies(&response).is_empty());
    assert_eq!(firewall.metric("cookie_firewall_consent_total", &[("state", "conflict")]), 1.0);
    assert_eq!(firewall.counted("response", "block", "unset"), 2.0);
    assert_eq!(firewall.counted("request", "block", "unset"), 1.0);
}

#[test]
fn sec_gpc_denies_marketing_and_goes_on_to_the_portal() {
    let origin = Origin::fixed(setting("200 OK", &[b"_pk_id.1=1", b"_ga=1"]));
    let firewall = Firewall::before(&origin);
    let (mut peer, given) = (firewall.connect(), consent(true, true));
    peer.send(format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nSec-GPC: 1\r\nCookie: {given}; _ga=1\r\n\r\n",
        support::DOMAIN,
    ));
    assert_eq!(set_cookies(&peer.response()), [b"_pk_id.1=1"]);
    assert_eq!(origin.last().texts("sec-gpc"), ["1"]);
    assert_eq!(origin.last().texts("cookie"), [given]);
    assert_eq!(firewall.counted("response", "block", "denied"), 1.0);
    assert_eq!(firewall.metric("cookie_firewall_consent_total", &[("state", "granted")]), 1.0);
}

#[test]
fn a_hundred_thousand_tiny_cookies() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n",
        support::DOMAIN,
        "a=;".repeat(10_000)
    ));
    assert_eq!(peer.response().status(), 431);
    assert_eq!(firewall.counted("request", "block", "limit"), 1.0);
    let mut peer = firewall.connect();
    let line = "Cookie: a=\r\n".repeat(100_000);
    // The firewall may close before it has been sent everything.
    let _ = std::io::Write::write_all(
        peer.stream().get_mut(),
        format!("GET / HTTP/1.1\r\nHost: {}\r\n{line}\r\n", support::DOMAIN).as_bytes(),
    );
    firewall.wait_for("the count of unreadable heads", |firewall| {
        firewall.metric("cookie_firewall_requests_total", &[("site", "(none)"), ("code", "431")])
            == 1.0
    });
    assert!(origin.seen().is_empty());
}

#[test]
fn report_mode_passes_identical_bytes_and_counts() {
    let lines: [&[u8]; 4] = [b"tracker=1", b"sessionid=1; Max-Age=99999999", b"token", b"_ga=1"];
    let origin = Origin::fixed(setting("200 OK", &lines));
    let site = format!("upstream = \"{}\"\nmode = \"report\"\n{CHARTER}", origin.url());
    let firewall = Firewall::with(&site);
    let response = firewall.get("/", &["Cookie: tracker=1;$Version=1 ; sessionid=2", "Cookie: x"]);
    assert_eq!(set_cookies(&response), lines);
    assert_eq!(origin.last().texts("cookie"), ["tracker=1;$Version=1 ; sessionid=2", "x"]);
    for (direction, decision, reason) in [
        ("response", "block", "undeclared"),
        ("response", "rewrite", "lifetime"),
        ("response", "block", "nameless"),
        ("response", "block", "unset"),
        ("request", "block", "undeclared"),
        ("request", "block", "malformed"),
        ("request", "keep", "exempt"),
        ("request", "block", "nameless"),
    ] {
        assert_eq!(firewall.counted(direction, decision, reason), 1.0, "{direction} {reason}");
    }
    assert!(!firewall.metrics().contains("mode=\"enforce\""));
}

#[test]
fn consent_decides_in_both_directions() {
    let origin = Origin::fixed(setting("200 OK", &[b"_pk_id.1=1", b"_ga=1", b"sessionid=1"]));
    let firewall = Firewall::before(&origin);
    let visit = |consent: &str| {
        let response = firewall.get_with(&format!("_pk_id.1=a; _ga=b; {consent}"));
        let names = |values: Vec<String>| -> Vec<String> {
            let pairs = values.iter().flat_map(|value| value.split("; "));
            pairs.map(|pair| pair.split('=').next().unwrap_or_default().to_owned()).collect()
        };
        (names(response.texts("set-cookie")), names(origin.last().texts("cookie")))
    };
    let (set, sent) = visit("");
    assert_eq!((set, sent), (vec!["sessionid".into()], vec![]));
    let (set, sent) = visit(&consent(true, false));
    assert_eq!(set, ["_pk_id.1", "sessionid"]);
    assert_eq!(sent, ["_pk_id.1", "cookies_preferences"]);
    let (set, sent) = visit(&consent(true, true));
    assert_eq!(set, ["_pk_id.1", "_ga", "sessionid"]);
    assert_eq!(sent, ["_pk_id.1", "_ga", "cookies_preferences"]);
    let (set, _) = visit(&consent(false, false));
    assert_eq!(set, ["sessionid"]);
    for state in ["unset", "partial", "granted", "denied"] {
        let counted = firewall.metric("cookie_firewall_consent_total", &[("state", state)]);
        assert_eq!(counted, 1.0, "{state}");
    }
}
