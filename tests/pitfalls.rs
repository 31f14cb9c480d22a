//! How cookie filters fail elsewhere: one test for each known pitfall that concerns HTTP/1.1.
//!
//! The numbers are those of the field study that the project keeps; each test names the failure.

mod support;

use std::fmt::Write as _;

use cookie_firewall::config::site_from_str;
use support::{CHARTER, DOMAIN, Firewall, Message, Origin, contains, setting};

/// What leaves of these lines, through a firewall with the usual charter.
#[track_caller]
fn leaves(lines: &[&[u8]], expected: &[&[u8]]) -> Firewall {
    let firewall = Firewall::before(&Origin::fixed(setting("200 OK", lines)));
    let response = firewall.get("/", &[]);
    assert_eq!(response.status(), 200);
    assert_eq!(response.all("set-cookie"), expected);
    firewall
}

/// What reaches the origin of this `Cookie` field.
#[track_caller]
fn reaches(cookie: &[u8], expected: &[&[u8]]) -> Firewall {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let head = format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nCookie: ");
    let request = [head.as_bytes(), cookie, b"\r\n\r\n"].concat();
    assert_eq!(firewall.connect().send(request).response().status(), 200);
    assert_eq!(origin.last().all("cookie"), expected);
    firewall
}

/// A site file that must be refused, with these words.
#[track_caller]
fn refused(cookie: &str, words: &str) {
    let text =
        format!("domain = \"{DOMAIN}\"\nupstream = \"http://127.0.0.1:1\"\n[[cookie]]\n{cookie}");
    let mistakes = site_from_str("site.toml".as_ref(), &text).expect_err("a mistake");
    assert!(mistakes.to_string().contains(words), "{mistakes}");
}

#[test]
fn p01_nameless_cookies_impersonate_others() {
    let firewall =
        leaves(&[b"token", b"=token", b"=sessionid=1", b"sessionid=1"], &[b"sessionid=1"]);
    assert_eq!(firewall.counted("response", "block", "nameless"), 3.0);
    let firewall = reaches(b"token; =sessionid=evil; sessionid=1", &[b"sessionid=1"]);
    assert_eq!(firewall.counted("request", "block", "nameless"), 2.0);
}

#[test]
fn p02_p03_what_cannot_be_read_is_dropped_and_counted_not_forwarded() {
    let firewall = leaves(&[b"", b";", b"=", b" ; Path=/", b"\t"], &[]);
    assert_eq!(firewall.counted("response", "block", "nameless"), 5.0);
}

#[test]
fn p04_names_that_origins_mangle_into_protected_ones() {
    let site = "[[cookie]]\nname = \"session_id\"\ncategory = \"necessary\"\n\
                [[cookie]]\nname = \"*x\"\ncategory = \"necessary\"\n";
    let origin =
        Origin::fixed(setting("200 OK", &[b"session.id=1", b"session[id=1", b"session_id=1"]));
    let firewall = Firewall::with(&format!("upstream = \"{}\"\n{site}", origin.url()));
    let response = firewall.get_with("session id=1; session.id=2; session_id=3; a.x=4");
    assert_eq!(response.texts("set-cookie"), ["session_id=1"]);
    assert_eq!(origin.last().texts("cookie"), ["session_id=3; a.x=4"]);
    assert_eq!(firewall.counted("response", "block", "malformed"), 2.0);
    assert_eq!(firewall.counted("request", "block", "malformed"), 2.0);
}

#[test]
fn p05_unicode_space_before_a_prefix() {
    let site = "[[cookie]]\nname = \"*id\"\ncategory = \"necessary\"\n";
    let origin = Origin::fixed(setting(
        "200 OK",
        &["\u{2000}__Host-id=1".as_bytes(), b"\xa0__Host-id=1", b"my-id=1"],
    ));
    let firewall = Firewall::with(&format!("upstream = \"{}\"\n{site}", origin.url()));
    let response = firewall.get_with("\u{3000}__Host-id=1; my-id=1");
    assert_eq!(response.texts("set-cookie"), ["my-id=1"]);
    assert_eq!(origin.last().texts("cookie"), ["my-id=1"]);
}

#[test]
fn p06_prefixes_in_any_case_and_in_nameless_values() {
    let site = "[[cookie]]\nname = \"__*\"\ncategory = \"necessary\"\n";
    let origin = Origin::fixed(setting(
        "200 OK",
        &[
            b"__hOsT-a=1; Secure",
            b"__SECURE-a=1",
            b"=__Host-a=1; Secure; Path=/",
            b"__Http-a=1; Secure",
            b"__host-a=1; Secure; Path=/",
        ],
    ));
    let firewall = Firewall::with(&format!("upstream = \"{}\"\n{site}", origin.url()));
    let response = firewall.get("/", &[]);
    assert_eq!(response.texts("set-cookie"), ["__host-a=1; Secure; Path=/"]);
    assert_eq!(firewall.counted("response", "block", "prefix"), 4.0);
}

#[test]
fn p07_names_are_case_sensitive() {
    leaves(&[b"SessionID=1", b"SESSIONID=1", b"sessionid=1"], &[b"sessionid=1"]);
    reaches(b"SessionID=1; sessionid=2", &[b"sessionid=2"]);
}

#[test]
fn p08_a_rule_that_breaks_a_host_cookie_is_refused() {
    let cookie = |key| format!("name = \"__Host-id\"\ncategory = \"necessary\"\n{key}");
    refused(&cookie("domain = \"example.fr\""), "with a Domain");
    refused(&cookie("path = \"/app\""), "with a Path other than");
    refused(&cookie("secure = false"), "without Secure");
}

#[test]
fn p09_dollar_names_switch_origins_to_another_grammar() {
    let firewall = reaches(b"$Version=1; $Path=/; sessionid=1; $x", &[b"sessionid=1"]);
    assert_eq!(firewall.counted("request", "block", "malformed"), 2.0);
}

#[test]
fn p10_the_cookie_sandwich() {
    reaches(b"csrftoken=\"a; sessionid=secret; __Host-id=b\"", &[b"sessionid=secret"]);
    reaches(b"csrftoken=\"a; b\"; sessionid=1", &[b"sessionid=1"]);
    reaches(b"csrftoken=\"ab\"; sessionid=1", &[b"csrftoken=\"ab\"; sessionid=1"]);
}

#[test]
fn p11_commas_separate_nothing() {
    reaches(b"sessionid=1,tracker=2; csrftoken=a,b", &[b"sessionid=1,tracker=2; csrftoken=a,b"]);
    leaves(&[b"sessionid=1, tracker=2; Path=/"], &[b"sessionid=1, tracker=2; Path=/"]);
    let lines: [&[u8]; 2] = [b"sessionid=1", b"csrftoken=2"];
    leaves(&lines, &lines);
}

#[test]
fn p12_a_segment_without_equals_sign_is_not_glued_to_the_next() {
    reaches(b"x; tracker=1; y; sessionid=1", &[b"sessionid=1"]);
}

#[test]
fn p13_the_verdict_holds_for_every_occurrence() {
    let firewall = reaches(
        b"tracker=1; sessionid=1; tracker=2; sessionid=2; tracker=3",
        &[b"sessionid=1; sessionid=2"],
    );
    assert_eq!(firewall.counted("request", "block", "undeclared"), 3.0);
}

#[test]
fn p14_a_planted_consent_cookie_is_no_consent() {
    let origin = Origin::fixed(setting("200 OK", &[b"_ga=1"]));
    let firewall = Firewall::before(&origin);
    let (given, planted) = (support::consent(false, false), support::consent(true, true));
    for cookie in [format!("{given}; {planted}"), format!("{planted}; {given}")] {
        assert!(firewall.get_with(&cookie).all("set-cookie").is_empty());
    }
    assert_eq!(firewall.metric("cookie_firewall_consent_total", &[("state", "conflict")]), 2.0);
}

#[test]
fn p15_empty_values_survive_as_they_are() {
    reaches(b"sessionid=; tracker=1; csrftoken=", &[b"sessionid=; csrftoken="]);
    leaves(&[b"sessionid=; Path=/"], &[b"sessionid=; Path=/"]);
}

#[test]
fn p16_leading_delimiters_and_odd_spacing() {
    reaches(b";;; ; sessionid=1 ;;", &[b";;; ; sessionid=1 ;;"]);
    reaches(b";=;;\t;tracker;sessionid=1", &[b"sessionid=1"]);
    reaches(b"= ; =", &[]);
    leaves(&[b";sessionid=1", b";;;", b"sessionid=1;;;"], &[b"sessionid=1;;;"]);
}

#[test]
fn p17_cookie2_and_set_cookie2_are_removed() {
    let origin = Origin::fixed(
        "HTTP/1.1 200 OK\r\nSet-Cookie2: sessionid=1\r\nSet-Cookie: sessionid=1\r\nContent-Length: 0\r\n\r\n",
    );
    let firewall = Firewall::before(&origin);
    let response = firewall.get("/", &["Cookie2: $Version=1", "Cookie: sessionid=1"]);
    assert!(response.all("set-cookie2").is_empty());
    assert_eq!(response.texts("set-cookie"), ["sessionid=1"]);
    assert!(origin.last().all("cookie2").is_empty());
    assert_eq!(origin.last().texts("cookie"), ["sessionid=1"]);
}

#[test]
fn p18_white_space_after_a_field_name() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    for name in ["Cookie\t", "Cookie ", " Cookie", "Coo kie"] {
        let head = format!("GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n{name}: tracker=1\r\n");
        assert_eq!(firewall.exchange(&head).status(), 400, "{name:?}");
    }
    assert!(origin.seen().is_empty());
    let spaced = "HTTP/1.1 200 OK\r\nSet-Cookie : tracker=1\r\nSet-Cookie\t: sessionid=1\r\nContent-Length: 0\r\n\r\n";
    let response = Firewall::before(&Origin::fixed(spaced)).get("/", &[]);
    assert_eq!(response.status(), 200);
    assert!(!response.head.iter().any(|line| contains(line, b"tracker")));
}

#[test]
fn p20_p21_many_small_cookies_are_refused_in_bounded_memory() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    assert_eq!(firewall.get_with(&"a=;".repeat(299)).status(), 200);
    assert_eq!(firewall.get_with(&"a=;".repeat(300)).status(), 431);
    let fields: Vec<String> = (0..90).map(|_| "Cookie: a=; b=; c=; d=".to_owned()).collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert_eq!(firewall.get("/", &fields).status(), 431);
    assert_eq!(firewall.counted("request", "block", "limit"), 2.0);
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn p22_a_jumbo_header_is_refused_before_it_is_forwarded() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let big = format!("sessionid={}; ", "x".repeat(4_000)).repeat(9);
    assert_eq!(firewall.get_with(&big).status(), 431);
    assert!(origin.seen().is_empty());
}

#[test]
fn p23_max_age_wins_over_expires() {
    let expired = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let line = format!("tracker=1; {expired}; Max-Age=99");
    leaves(&[line.as_bytes()], &[]);
    let line = format!("sessionid=1; Max-Age=99999999; {expired}");
    leaves(&[line.as_bytes()], &[b"sessionid=1; Max-Age=1209600"]);
}

#[test]
fn p24_dates_in_any_form_are_capped() {
    for date in [
        "Thu, 01 Jan 2099 00:00:00 GMT",
        "Thursday, 01-Jan-99 00:00:00 GMT",
        "1 january 2099 0:0:0",
        "2099 Jan 1 00:00:00",
        "Jan-1-2099 00:00:00 +0300 (whatever)",
    ] {
        // Two digits 99 stand for 1999: that cookie deletes itself.
        let line = format!("sessionid=1; Expires={date}; Path=/");
        let kept: &[u8] = if date.contains("-99") {
            line.as_bytes()
        } else {
            b"sessionid=1; Max-Age=1209600; Path=/"
        };
        leaves(&[line.as_bytes()], &[kept]);
    }
    leaves(&[b"sessionid=1; Expires=in ten years; Path=/"], &[b"sessionid=1; Path=/"]);
}

#[test]
fn p25_nothing_is_reserialised() {
    let odd: [&[u8]; 4] = [
        b"csrftoken=\"quoted\"; path=/;domain=DATA.example.fr;SAMESITE=lax;Priority=High",
        b"csrftoken=a b\tc,d; Partitioned; Future-Attribute=\"x\"; secure",
        b"csrftoken=\xc3\xa9\xff; HttpOnly=whatever; Max-Age=+5; Expires=never",
        b"csrftoken;Path=/",
    ];
    leaves(&odd, &odd[..3]);
}

#[test]
fn p26_duplicate_attributes_become_one() {
    let site =
        "[[cookie]]\nname = \"a\"\ncategory = \"necessary\"\nsame_site = \"Lax\"\npath = \"/\"\n";
    let line: &[u8] = b"a=1; SameSite=None; Path=/x; samesite=Strict; path=/y; Secure";
    let origin = Origin::fixed(setting("200 OK", &[line]));
    let firewall = Firewall::with(&format!("upstream = \"{}\"\n{site}", origin.url()));
    assert_eq!(firewall.get("/", &[]).texts("set-cookie"), ["a=1; SameSite=Lax; Path=/; Secure"]);
}

#[test]
fn p27_oversized_cookies_and_attributes() {
    let fits = format!("sessionid={}", "x".repeat(4096 - 9));
    let over = format!("sessionid={}", "x".repeat(4096 - 8));
    let firewall = leaves(&[fits.as_bytes(), over.as_bytes()], &[fits.as_bytes()]);
    assert_eq!(firewall.counted("response", "block", "oversized"), 1.0);
    let long_domain = format!("sessionid=1; Domain={}", "x".repeat(1025));
    leaves(&[long_domain.as_bytes()], &[long_domain.as_bytes()]);
    let short_domain = format!("sessionid=1; Domain={}", "x".repeat(1024));
    leaves(&[short_domain.as_bytes()], &[]);
}

#[test]
fn p28_a_control_character_costs_its_line_and_not_the_page() {
    for byte in (0..0x20).chain([0x7f]).filter(|b| !matches!(b, b'\t' | b'\n')) {
        let bad = [b"sessionid=a", &[byte][..], b"b"].concat();
        let firewall =
            leaves(&[b"csrftoken=1", &bad, b"csrftoken=2"], &[b"csrftoken=1", b"csrftoken=2"]);
        assert_eq!(firewall.counted("response", "block", "malformed"), 1.0, "{byte:#04x}");
    }
    let origin = Origin::fixed(
        b"HTTP/1.1 200 OK\r\nX-Odd: a\0b\x01\rc\r\nBad Name: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    let response = Firewall::before(&origin).get("/", &[]);
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
}

#[test]
fn p29_bytes_that_are_not_utf_8_are_bytes() {
    leaves(&[b"sessionid=\xff\xfe", b"tracker=\xff"], &[b"sessionid=\xff\xfe"]);
    leaves(&[b"\xff=1", b"sessionid=1"], &[b"sessionid=1"]);
    reaches(b"\xff=1; sessionid=\xff; tracker=\xe9", &[b"sessionid=\xff"]);
}

#[test]
fn p30_deletions_pass_without_their_value() {
    let firewall = leaves(
        &[
            b"tracker=old; Max-Age=0; Path=/",
            b"_ga=old; expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.example.fr",
            b"sessionid=\"\"; Max-Age=0",
        ],
        &[
            b"tracker=; Max-Age=0; Path=/",
            b"_ga=; expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.example.fr",
            b"sessionid=\"\"; Max-Age=0",
        ],
    );
    assert_eq!(firewall.counted("response", "keep", "deletion"), 2.0);
    assert_eq!(firewall.counted("response", "keep", "exempt"), 1.0);
}

#[test]
fn p30_what_passes_as_a_deletion_is_one_to_every_user_agent() {
    let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let kept = format!("tracker=; {past}; Path=/");
    let line = format!("tracker=v; {past}; Path=/");
    leaves(&[line.as_bytes()], &[kept.as_bytes()]);
    // Chromium takes the last attribute even where it cannot be read.
    for more in [
        "Max-Age=0; Max-Age=x".to_owned(),
        "Max-Age=0; Max-Age".to_owned(),
        "Max-Age=0; Max-Age=+5000".to_owned(),
        format!("{past}; Expires=garbage"),
        format!("{past}; Expires=Fri, 01 Jan 20990 00:00:00 GMT"),
        format!("{past}; Expires"),
    ] {
        let line = format!("tracker=v; {more}; Path=/");
        leaves(&[line.as_bytes()], &[b"tracker=; Max-Age=0; Path=/"]);
    }
}

#[test]
fn p23_lifetimes_that_user_agents_read_otherwise_are_written_plainly() {
    let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    for (more, kept) in [
        ("Max-Age=60; Max-Age=x; Expires=Wed, 09 Jun 2100 10:18:14 GMT", "Max-Age=60"),
        ("Max-Age=60; Max-Age=99999999", "Max-Age=1209600"),
        (&format!("{past}; Expires=garbage"), "Max-Age=0"),
    ] {
        let line = format!("sessionid=1; {more}");
        let expected = format!("sessionid=1; {kept}");
        leaves(&[line.as_bytes()], &[expected.as_bytes()]);
    }
}

#[test]
fn p23_a_false_date_does_not_move_what_expires() {
    let cookies = "Set-Cookie: uid_8f3a=v; Expires=Mon, 01 Jan 2001 00:00:00 GMT\r\n\
                   Set-Cookie: sessionid=1; Expires=Sun, 31 Dec 2000 00:00:00 GMT\r\n";
    let origin = Origin::fixed(format!(
        "HTTP/1.1 200 OK\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n{cookies}Content-Length: 0\r\n\r\n"
    ));
    let response = Firewall::before(&origin).get("/", &[]);
    let dates = response.texts("date");
    assert!(dates.len() == 1 && !dates[0].contains("2000"), "{dates:?}");
    assert_eq!(response.all("set-cookie").len(), 2);
}

#[test]
fn connection_cannot_hide_cookies_from_the_judge() {
    let origin = Origin::fixed(
        "HTTP/1.1 200 OK\r\nConnection: set-cookie\r\nSet-Cookie: tracker=1\r\nSet-Cookie: sessionid=1\r\nContent-Length: 0\r\n\r\n",
    );
    let firewall = Firewall::before(&origin);
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nCookie: tracker=1; sessionid=1\r\nConnection: cookie\r\n\r\n"
    );
    assert_eq!(firewall.connect().send(head).response().texts("set-cookie"), ["sessionid=1"]);
    assert_eq!(origin.last().texts("cookie"), ["sessionid=1"]);
    assert_eq!(firewall.counted("response", "block", "undeclared"), 1.0);
    assert_eq!(firewall.counted("request", "block", "undeclared"), 1.0);
}

#[test]
fn p32_every_status_informational_heads_and_trailers() {
    let early = b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: tracker=early\r\nLink: </a>\r\n\r\n";
    let cookies = b"Set-Cookie: tracker=1\r\nSet-Cookie: sessionid=1\r\n";
    for status in [200, 204, 206, 301, 302, 304, 400, 401, 404, 410, 500, 503] {
        let mut answer = early.to_vec();
        answer.extend_from_slice(format!("HTTP/1.1 {status} X\r\n").as_bytes());
        answer.extend_from_slice(cookies);
        if !matches!(status, 204 | 304) {
            answer.extend_from_slice(b"Content-Length: 0\r\n");
        }
        answer.extend_from_slice(b"\r\n");
        let firewall = Firewall::before(&Origin::fixed(answer));
        let response = firewall.get("/", &[]);
        assert_eq!(response.status(), status);
        assert_eq!(response.texts("set-cookie"), ["sessionid=1"], "{status}");
        assert_eq!(firewall.counted("response", "block", "undeclared"), 2.0, "{status}");
    }
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Set-Cookie\r\n\r\n\
        2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: sessionid=1\r\nSet-Cookie2: a=1\r\n\r\n";
    let firewall = Firewall::before(&Origin::fixed(chunked));
    let response = firewall.get("/", &["TE: trailers"]);
    assert_eq!(response.body, b"ok");
    assert_eq!(names(&response.trailers), ["x-sum"]);
    assert_eq!(firewall.counted("response", "block", "malformed"), 2.0);
}

fn names(lines: &[Vec<u8>]) -> Vec<String> {
    lines
        .iter()
        .map(|line| {
            String::from_utf8_lossy(line).split(':').next().unwrap_or_default().to_lowercase()
        })
        .collect()
}

#[test]
fn p32_head_requests_are_filtered_too() {
    let answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: tracker=1\r\nSet-Cookie: sessionid=1\r\nContent-Length: 5\r\n\r\n";
    let origin = Origin::fixed(answer);
    let firewall = Firewall::before(&origin);
    let mut peer = firewall.connect();
    peer.send(format!("HEAD / HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"));
    let head = peer.head().expect("a response");
    assert_eq!(head.texts("set-cookie"), ["sessionid=1"]);
    assert_eq!(head.texts("content-length"), ["5"]);
}

#[test]
fn p33_what_scripts_set_is_withheld_from_the_origin() {
    // The firewall does not see document.cookie; it sees the next request.
    reaches(b"_fbp=fb.1.2.3; sessionid=1; _ga=GA1.1", &[b"sessionid=1"]);
}

#[test]
fn p35_consent_that_cannot_be_read_is_no_consent() {
    let origin = Origin::fixed(setting("200 OK", &[b"_ga=1"]));
    let firewall = Firewall::before(&origin);
    for value in ["", "true", "%7B", "%E0%A4%A", "{\"ga\":true}", "[]", "1"] {
        let response = firewall.get_with(&format!("cookies_preferences={value}; _ga=1"));
        assert!(response.all("set-cookie").is_empty(), "{value}");
        assert_eq!(response.status(), 200);
        assert!(!contains(&cookie_of(&origin.last()), b"_ga"), "{value}");
    }
    assert_eq!(firewall.metric("cookie_firewall_consent_total", &[("state", "malformed")]), 7.0);
}

fn cookie_of(request: &Message) -> Vec<u8> {
    request.all("cookie").concat()
}

#[test]
fn domains_that_do_not_cover_the_site() {
    let firewall = leaves(
        &[
            b"sessionid=1; Domain=evil.example",
            b"sessionid=1; Domain=fr",
            b"sessionid=1; Domain=other.example.fr",
            b"sessionid=1; Domain=.example.fr",
        ],
        &[b"sessionid=1; Domain=.example.fr"],
    );
    assert_eq!(firewall.counted("response", "block", "domain"), 3.0);
}

#[test]
fn cookie_values_appear_in_no_metric() {
    let origin = Origin::fixed(setting("200 OK", &[b"tracker=RESPONSESECRET", b"RESPONSESECRET"]));
    let firewall = Firewall::before(&origin);
    firewall.get_with("sessionid=REQUESTSECRET; REQUESTSECRET; UNDECLAREDNAME=1");
    let metrics = firewall.metrics();
    for secret in ["RESPONSESECRET", "REQUESTSECRET", "UNDECLAREDNAME"] {
        assert!(!metrics.contains(secret), "{secret} in {metrics}");
    }
}

#[test]
fn an_outsider_cannot_mint_label_values() {
    let origin = Origin::fixed(setting("200 OK", &[]));
    let firewall = Firewall::before(&origin);
    let mut cookie = String::new();
    (0..200).for_each(|i| write!(cookie, "name{i}=1; ").expect("writing to memory"));
    firewall.get_with(&cookie);
    firewall.exchange(&format!("MINTED / HTTP/1.1\r\nHost: {DOMAIN}\r\n"));
    firewall.exchange("GET / HTTP/1.1\r\nHost: minted.example\r\n");
    let metrics = firewall.metrics();
    assert!(!metrics.to_lowercase().contains("minted"), "{metrics}");
    assert!(!metrics.contains("name1"), "{metrics}");
    assert!(metrics.contains("method=\"other\"") && metrics.contains("site=\"(none)\""));
}

#[test]
fn the_usual_charter_is_right() {
    let text = format!("domain = \"{DOMAIN}\"\nupstream = \"http://127.0.0.1:1\"\n{CHARTER}");
    assert!(site_from_str("site.toml".as_ref(), &text).is_ok());
}
