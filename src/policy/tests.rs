//! The decision table: one line a case, the reason asserted with the outcome.

use super::*;
use crate::charter::{Category, Declaration, Pattern};
use crate::consent::Ids;

const NOW: i64 = 1_790_000_000;
const HOST: &str = "data.osmontrouge.fr";

fn declaration(name: &str, need: Need) -> Declaration {
    Declaration {
        name: Pattern::new(name).expect("a valid pattern"),
        provider: "".into(),
        service: "".into(),
        purpose: "".into(),
        category: Category::Necessary,
        need,
        max_age: None,
        forced: Forced::default(),
    }
}

fn charter() -> Charter {
    let declarations = vec![
        Declaration {
            max_age: Some(LifetimeCap::Seconds(1_209_600)),
            forced: Forced { http_only: Some(true), ..Forced::default() },
            ..declaration("sessionid", Need::Exempt)
        },
        declaration("__Host-sid", Need::Exempt),
        Declaration {
            forced: Forced {
                secure: Some(true),
                path: Some("/".into()),
                domain: Some(DomainRule::HostOnly),
                ..Forced::default()
            },
            ..declaration("__Host-fixed", Need::Exempt)
        },
        declaration("_pk_id.*", Need::Consent(Ids::one(0))),
        declaration("_ga*", Need::Consent(Ids::one(1))),
        declaration("never", Need::Consent(Ids::NONE)),
        Declaration {
            max_age: Some(LifetimeCap::Session),
            ..declaration("session-only", Need::Exempt)
        },
        declaration("*-free", Need::Exempt),
        declaration("session_name", Need::Exempt),
    ];
    let scopes = Scopes {
        domains: [("portal.internal".into(), "osmontrouge.fr".into())].into(),
        paths: [("/portal/".into(), "/".into())].into(),
    };
    Charter::new(declarations, scopes).expect("no clash")
}

/// The id 0 is granted, 1 denied.
fn context(charter: &Charter) -> Context<'_> {
    Context { charter, consent: Consent::new(Ids::one(0), Ids::one(1)), host: HOST, now: NOW }
}

/// `verdict/reason` and the line that would leave, empty where none does.
fn judged(line: &str) -> (String, String) {
    let charter = charter();
    let decision = set_cookie(&context(&charter), line.as_bytes());
    let outgoing = decision.outgoing(line.as_bytes()).unwrap_or_default();
    let result = String::from_utf8(outgoing.into_owned()).expect("UTF-8 in tests");
    (format!("{}/{}", decision.verdict.as_str(), decision.reason.as_str()), result)
}

#[track_caller]
fn passes(line: &str, decision: &str, result: &str) {
    assert_eq!(judged(line), (decision.to_owned(), result.to_owned()), "{line:?}");
}

#[track_caller]
fn blocked(line: &str, reason: &str) {
    assert_eq!(judged(line), (format!("block/{reason}"), String::new()), "{line:?}");
}

#[test]
fn kept_lines_are_untouched() {
    for line in [
        "sessionid=x; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax",
        "sessionid=x;httponly;expires=whenever-;Max-Age=5;Priority=High;Future=1",
        "sessionid=a=b=c; HttpOnly",
        "sessionid=é; HttpOnly; Partitioned",
        "  sessionid = x ; HttpOnly ;",
        "sessionid=\"x\"; HttpOnly; Domain=osmontrouge.fr",
        "__Host-sid=1; Secure; Path=/",
        "session-only=1",
        "xyz-free=1",
    ] {
        passes(line, "keep/exempt", line);
    }
    passes("_pk_id.1.1fff=x; Max-Age=99", "keep/granted", "_pk_id.1.1fff=x; Max-Age=99");
}

#[test]
fn blocked_for_name_or_consent() {
    blocked("tracker=1", "undeclared");
    blocked("Sessionid=1", "undeclared");
    blocked("_ga=1; Max-Age=60", "denied");
    blocked("_ga_X=1", "denied");
    blocked("never=1", "unset");
}

#[test]
fn blocked_for_what_a_user_agent_refuses() {
    blocked("token", "nameless");
    blocked("=a=b", "nameless");
    blocked("=", "nameless");
    blocked("", "nameless");
    blocked("=sessionid=x; Max-Age=0", "nameless");
    blocked("sessionid=\u{1}", "malformed");
    blocked(&format!("sessionid={}", "x".repeat(4096)), "oversized");
    blocked("__Host-sid=1; Secure", "prefix");
    blocked("__Host-sid=1; Secure; Path=/; Domain=osmontrouge.fr", "prefix");
    blocked("__hOsT-free=1; Secure", "prefix");
    blocked("=__Host-sid=1; Secure; Path=/", "prefix");
    blocked("sessionid=x; Domain=evil.example", "domain");
    blocked("sessionid=x; Domain=fr", "domain");
    blocked("sessionid=x; SameSite=None", "malformed");
    blocked("tracker=x; Domain=evil.example; Max-Age=0", "domain");
}

#[test]
fn blocked_for_what_an_origin_would_read() {
    blocked("session.name=1", "malformed");
    blocked("session[name=1", "malformed");
    blocked("\u{2000}sessionid=1", "malformed");
    blocked("\u{2000}__Host-free=1", "malformed");
    blocked("__Host.x=1", "undeclared");
}

#[test]
fn deletions_pass_without_their_value() {
    passes("tracker=v; Max-Age=0", "keep/deletion", "tracker=; Max-Age=0");
    passes("tracker=; Max-Age=-1; Path=/", "keep/deletion", "tracker=; Max-Age=-1; Path=/");
    passes(
        "_ga=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.osmontrouge.fr",
        "keep/deletion",
        "_ga=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.osmontrouge.fr",
    );
    passes(
        "sessionid=\"\"; HttpOnly; Max-Age=0",
        "keep/exempt",
        "sessionid=\"\"; HttpOnly; Max-Age=0",
    );
    passes("session-only=x; Max-Age=0", "keep/exempt", "session-only=x; Max-Age=0");
    blocked("tracker=v; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "undeclared");
    blocked("tracker=v; Expires=never", "undeclared");
}

/// Found by holding the decisions against Chromium's code and the library that Firefox reads dates with:
/// to these, none of the dates is past.
#[test]
fn a_date_that_user_agents_read_otherwise_makes_no_deletion_and_no_lifetime() {
    for date in [
        "00:00:00 02031 1 Jan 15",
        "31x 1971 15 Jan 00:00:00",
        "1st Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 PST",
    ] {
        let line = |name| format!("{name}=v; Expires={date}; Path=/");
        passes(&line("tracker"), "keep/deletion", "tracker=; Max-Age=0; Path=/");
        let result = "sessionid=v; Max-Age=0; Path=/; HttpOnly";
        passes(&line("sessionid"), "rewrite/lifetime", result);
    }
    let usual = "tracker=; Expires=Thu, 01-Jan-1970 00:00:01 GMT";
    passes(usual, "keep/deletion", usual);
}

#[test]
fn host_only_leaves_no_domain_behind_an_empty_one() {
    passes(
        "__Host-fixed=1; Domain=osmontrouge.fr; Domain=; Path=/; Secure",
        "rewrite/domain",
        "__Host-fixed=1; Path=/; Secure",
    );
}

#[test]
fn rewrites() {
    passes(
        "sessionid=x; HttpOnly; Max-Age=99999999; Expires=Wed, 09 Jun 2021 10:18:14 GMT",
        "rewrite/lifetime",
        "sessionid=x; HttpOnly; Max-Age=1209600",
    );
    passes("sessionid=x; Path=/", "rewrite/attributes", "sessionid=x; Path=/; HttpOnly");
    passes(
        "sessionid=x; Max-Age=1209601",
        "rewrite/lifetime",
        "sessionid=x; Max-Age=1209600; HttpOnly",
    );
    passes("sessionid=x; HttpOnly; Expires=soon", "rewrite/lifetime", "sessionid=x; HttpOnly");
    passes("session-only=x; Max-Age=5", "rewrite/lifetime", "session-only=x");
    passes(
        "__Host-fixed=x; Domain=osmontrouge.fr",
        "rewrite/attributes",
        "__Host-fixed=x; Path=/; Secure",
    );
    passes(
        "x-free=1; Domain=.portal.internal; Path=/portal/a",
        "rewrite/domain",
        "x-free=1; Domain=osmontrouge.fr; Path=/a",
    );
    passes("x-free=1; Path=/portal/", "rewrite/path", "x-free=1; Path=/");
    passes(
        "tracker=1; Domain=portal.internal; Max-Age=0",
        "keep/deletion",
        "tracker=; Domain=osmontrouge.fr; Max-Age=0",
    );
}

#[test]
fn pairs_of_a_request() {
    let charter = charter();
    let long = format!("sessionid={}", "x".repeat(4090));
    let cases = [
        ("sessionid=x", "keep/exempt"),
        ("_pk_id.1.1=x", "keep/granted"),
        ("_ga=1", "block/denied"),
        ("never=1", "block/unset"),
        ("other=1", "block/undeclared"),
        ("token", "block/nameless"),
        ("=sessionid=x", "block/nameless"),
        ("$Version=1", "block/malformed"),
        ("$free-free=1", "block/malformed"),
        ("sessionid=\"x", "block/malformed"),
        ("sessionid=\"x\"", "keep/exempt"),
        ("sessionid=\u{1}", "block/malformed"),
        ("session.name=x", "block/malformed"),
        (&long, "block/oversized"),
    ];
    for (text, expected) in cases {
        let found = crate::cookie::Pairs::of(text.as_bytes()).next().expect("one pair");
        let decision = pair(&context(&charter), &found);
        let shown = format!("{}/{}", decision.verdict.as_str(), decision.reason.as_str());
        assert_eq!(shown, expected, "{text:?}");
    }
}
