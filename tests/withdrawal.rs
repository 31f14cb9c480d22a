//! Withdrawal, over sockets: the response to a request that brings a refused cookie expires it.

mod support;

use std::sync::Arc;

use support::{CHARTER, Firewall, Message, Origin, Setup, consent, setting, tls};

const PAGE: &str = "Accept: text/html";
const EXPIRED: &str = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=";

/// Cookies whose declarations say more than a name.
const MORE: &str = r#"
[[cookie]]
name     = "_app"
provider = "Portal"
purpose  = "Tests"
category = "marketing"
path     = "/app/"

[[cookie]]
name     = "__Host-ad"
provider = "Portal"
purpose  = "Tests"
category = "marketing"

[[cookie]]
name        = "_part"
provider    = "Portal"
purpose     = "Tests"
category    = "marketing"
secure      = true
partitioned = true

[[cookie]]
name        = "_whole"
provider    = "Portal"
purpose     = "Tests"
category    = "marketing"
partitioned = false
"#;

fn origin() -> Origin {
    Origin::fixed(setting("200 OK", &[b"sessionid=1; Path=/", b"_ga=again; Path=/"]))
}

fn site(origin: &Origin, more: &str) -> String {
    format!("upstream = \"{}\"\n{more}\n{CHARTER}\n{MORE}", origin.url())
}

fn started(origin: &Origin, more: &str) -> Firewall {
    Setup::new(&site(origin, more)).start()
}

/// The lines of the answer to a request that brings `cookies`, but for the origin's own.
fn expired(firewall: &Firewall, cookies: &str, lines: &[&str]) -> Vec<String> {
    let cookies = format!("Cookie: {cookies}");
    let lines: Vec<&str> = lines.iter().copied().chain([&*cookies]).collect();
    added(&firewall.get("/", &lines))
}

fn added(answer: &Message) -> Vec<String> {
    let lines = answer.texts("set-cookie");
    lines.into_iter().filter(|line| line.contains("=; Max-Age=0")).collect()
}

#[test]
fn a_refused_cookie_is_expired_wherever_it_may_be() {
    let origin = origin();
    let firewall = started(&origin, "");
    let refused = consent(true, false);
    let cookies = format!("Cookie: _ga=secret; sessionid=1; {refused}; _pk_id.1=2; _ga=twice");
    let answer = firewall.get("/", &[&cookies, PAGE]);
    let expected = ["", "; Domain=data.example.fr", "; Domain=example.fr"]
        .map(|domain| format!("_ga=; {EXPIRED}/{domain}"));
    assert_eq!(added(&answer), expected);
    // The portal's own cookie comes before them, and nothing of it is for shared caches.
    assert_eq!(answer.texts("set-cookie")[0], "sessionid=1; Path=/");
    assert_eq!(answer.texts("cache-control"), ["private"]);
    let counted =
        |cookie| firewall.metric("cookie_firewall_withdrawals_total", &[("cookie", cookie)]);
    assert_eq!((counted("_ga"), counted("_pk_id.*")), (1.0, 0.0));
    assert!(!firewall.metrics().contains("secret"));
}

#[test]
fn declared_paths_are_reached_too() {
    let origin = origin();
    let firewall = started(&origin, "");
    let lines = expired(&firewall, &format!("_app=1; {}", consent(false, false)), &[PAGE]);
    let paths = ["/", "/app/"].map(|path| format!("_app=; {EXPIRED}{path}"));
    assert_eq!(lines.len(), 6);
    assert!(paths.iter().all(|line| lines.contains(line)), "{lines:?}");
    // In clear text no user agent takes a line for such a name, or replaces a secure cookie.
    let host = format!("__Host-ad=1; {}", consent(false, false));
    assert!(expired(&firewall, &host, &[PAGE]).is_empty());
}

#[test]
fn nothing_is_expired_without_a_refusal() {
    let origin = origin();
    let firewall = started(&origin, "");
    let yes = consent(true, true);
    for cookies in [
        "_ga=1".to_owned(),
        format!("_ga=1; {yes}"),
        "_ga=1; cookies_preferences=broken".to_owned(),
        format!("_ga=1; {yes}; {}", consent(false, false)),
        format!("tracker=1; {}", consent(false, false)),
    ] {
        assert!(expired(&firewall, &cookies, &[PAGE]).is_empty(), "{cookies}");
    }
}

#[test]
fn navigations_expire_and_other_requests_where_the_site_says_so() {
    let origin = origin();
    let cookies = format!("_ga=1; {}", consent(false, false));
    let cases: [(&[&str], bool); 6] = [
        (&["Accept: text/html, */*"], true),
        (&["Accept: */*"], false),
        (&[], false),
        (&["Sec-Fetch-Dest: document"], true),
        (&["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", PAGE], false),
        (&["Sec-Fetch-Mode: cors", PAGE], false),
    ];
    let by_default = started(&origin, "");
    let always = started(&origin, "[withdrawal]\non = \"all\"\n");
    for (lines, expires) in cases {
        assert_eq!(!expired(&by_default, &cookies, lines).is_empty(), expires, "{lines:?}");
        assert_eq!(expired(&always, &cookies, lines).len(), 3, "{lines:?}");
    }
}

#[test]
fn as_the_site_configures() {
    let origin = origin();
    let refused = consent(false, false);
    let both = format!("tracker=1; _ga=1; {refused}");
    let undeclared = started(&origin, "[withdrawal]\nexpire = \"denied-and-undeclared\"\n");
    assert_eq!(expired(&undeclared, &both, &[PAGE]).len(), 6);
    assert!(expired(&undeclared, "tracker=1", &[PAGE]).is_empty(), "nobody has answered");
    let counted =
        undeclared.metric("cookie_firewall_withdrawals_total", &[("cookie", "(undeclared)")]);
    assert_eq!(counted, 1.0);
    assert!(
        expired(&started(&origin, "[withdrawal]\nexpire = \"off\"\n"), &both, &[PAGE]).is_empty()
    );
    let few = started(&origin, "[withdrawal]\nlimit = 4\n");
    let many = format!("_ga=1; _pk_id.1=1; _pk_id.2=1; {refused}");
    assert_eq!(expired(&few, &many, &[PAGE]).len(), 4);
    let report = started(&origin, "mode = \"report\"\n");
    assert!(expired(&report, &both, &[PAGE]).is_empty());
    assert_eq!(report.metric("cookie_firewall_withdrawals_total", &[("mode", "report")]), 1.0);
}

#[test]
fn over_tls_lines_are_secure_and_reach_partitions() {
    let authority = tls::Authority::new();
    let origin = origin();
    let site = format!("{}\n{}", site(&origin, ""), tls::table(&["site"]));
    let setup = Setup::new(&site).server("https = [\"127.0.0.1:0\"]");
    let firewall = tls::with(setup, "site", &authority.issue(&[support::DOMAIN])).start();
    let config = Arc::new(authority.client(&[]));
    let get = |cookies: &str| {
        let mut peer = tls::connect(&config, firewall.https[0], support::DOMAIN);
        let refused = consent(false, false);
        peer.send(format!(
            "GET / HTTP/1.1\r\nHost: {}\r\n{PAGE}\r\nCookie: {cookies}; {refused}\r\n\r\n",
            support::DOMAIN
        ));
        added(&peer.response())
    };
    let host = format!("__Host-ad=; {EXPIRED}/; Secure");
    assert_eq!(get("__Host-ad=1"), [host.clone(), host + "; SameSite=None; Partitioned"]);
    // The portal may set any cookie with the attribute, whether or not the charter forces it.
    for name in ["_part", "_ga"] {
        let lines = get(&format!("{name}=1"));
        assert_eq!(lines.len(), 6);
        let partitioned = format!("{name}=; {EXPIRED}/; Secure; SameSite=None; Partitioned");
        assert!(lines.contains(&partitioned), "{lines:?}");
        assert!(lines.contains(&format!("{name}=; {EXPIRED}/; Secure")), "{lines:?}");
    }
    assert_eq!(get("_whole=1").len(), 3);
}
