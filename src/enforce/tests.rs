//! Header maps in, header maps out.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method};

use super::*;
use crate::charter::{Category, Charter, Declaration, Forced, LifetimeCap, Need, Pattern, Scopes};
use crate::consent::{Consent, Ids, Rules, Tool};
use crate::cookie::Pairs;
use crate::policy::{Context, Reason};

fn charter() -> Charter {
    let declaration = |name: &str, need| Declaration {
        name: Pattern::new(name).expect("a valid pattern"),
        provider: "".into(),
        service: "".into(),
        purpose: "".into(),
        category: Category::Necessary,
        need,
        max_age: Some(LifetimeCap::Seconds(100)),
        forced: Forced::default(),
    };
    let declarations = ["a", "b", "cookies_preferences"]
        .map(|name| declaration(name, Need::Exempt))
        .into_iter()
        .chain([declaration("stats", Need::Consent(Ids::one(0)))]);
    Charter::new(declarations.collect(), Scopes::default()).expect("no clash")
}

fn context(charter: &Charter) -> Context<'_> {
    Context { charter, consent: Consent::default(), host: "example.org", now: 1_790_000_000 }
}

fn rules() -> Rules {
    Rules {
        ids: ["matomo".into()].into(),
        needed: Ids::one(0),
        gpc: Ids::one(0),
        ..Rules::new(Tool::Opendatasoft, "cookies_preferences").expect("a name")
    }
}

fn withdrawal() -> Withdrawal {
    Withdrawal::new(WithdrawalRule::default(), &Method::GET, true)
}

fn map(name: HeaderName, lines: &[&[u8]]) -> HeaderMap {
    let values = lines.iter().map(|line| HeaderValue::from_bytes(line).expect("a field value"));
    values.map(|value| (name.clone(), value)).collect()
}

fn lines(headers: &HeaderMap, name: HeaderName) -> Vec<&[u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

fn reasons(report: &Report) -> Vec<Reason> {
    report.entries().iter().map(|entry| entry.reason).collect()
}

#[test]
fn one_refused_line_leaves_the_others_alone() {
    let charter = charter();
    let kept: [&[u8]; 4] = [b"a=1; Path=/", b"b=\xe9;x", b"a=2;  HttpOnly", b"b=3; Max-Age=100"];
    let mut headers = map(SET_COOKIE, &[kept[0], b"evil=1", kept[1], kept[2], kept[3]]);
    headers.insert("set-cookie2", HeaderValue::from_static("a=1"));
    let mut report = Report::with_names();
    response(&mut headers, &context(&charter), Mode::Enforce, &mut report);
    assert_eq!(lines(&headers, SET_COOKIE), kept);
    assert!(!headers.contains_key("set-cookie2"));
    assert_eq!(
        reasons(&report),
        [
            Reason::Exempt,
            Reason::Undeclared,
            Reason::Exempt,
            Reason::Exempt,
            Reason::Exempt,
            Reason::Malformed
        ]
    );
    assert_eq!(report.entries()[1].name.as_deref(), Some(&b"evil"[..]));
}

#[test]
fn rewritten_lines_stay_in_their_place() {
    let charter = charter();
    let mut headers = map(SET_COOKIE, &[b"a=1", b"b=2; Max-Age=999; X", b"evil=v; Max-Age=0"]);
    response(&mut headers, &context(&charter), Mode::Enforce, &mut Report::default());
    let expected: [&[u8]; 3] = [b"a=1", b"b=2; Max-Age=100; X", b"evil=; Max-Age=0"];
    assert_eq!(lines(&headers, SET_COOKIE), expected);
}

#[test]
fn the_last_line_may_go() {
    let charter = charter();
    let mut headers = map(SET_COOKIE, &[b"evil=1"]);
    response(&mut headers, &context(&charter), Mode::Enforce, &mut Report::default());
    assert!(headers.is_empty());
}

#[track_caller]
fn filtered(fields: &[&[u8]], expected: &[&[u8]]) -> Report {
    let charter = charter();
    let mut headers = map(COOKIE, fields);
    let mut report = Report::default();
    let limits = RequestLimits::default();
    let mode = Mode::Enforce;
    request(
        &mut headers,
        &context(&charter),
        &rules(),
        &limits,
        mode,
        &mut withdrawal(),
        &mut report,
    )
    .expect("within limits");
    assert_eq!(lines(&headers, COOKIE), expected);
    report
}

#[test]
fn requests_keep_survivors_byte_for_byte() {
    filtered(&[b"a=1;b=2 ; "], &[b"a=1;b=2 ; "]);
    filtered(&[b"a=1;evil=1;b = \xe9 ;$Version=1"], &[b"a=1; b = \xe9"]);
    filtered(&[b"a=1", b"evil=1; b=2", b"a=3"], &[b"a=1; b=2; a=3"]);
    filtered(&[b"a=1", b"b=2"], &[b"a=1; b=2"]);
    filtered(&[b"evil=1", b"token"], &[]);
    filtered(&[b"x; evil=1"], &[]);
    filtered(&[b"a=1,evil=2"], &[b"a=1,evil=2"]);
    let report = filtered(&[b"a=\"x; evil=1; b=y\""], &[]);
    let expected = [Reason::Malformed, Reason::Undeclared, Reason::Malformed];
    assert_eq!(reasons(&report), expected);
}

#[test]
fn consent_is_read_from_all_fields_before_anything_is_judged() {
    let consent = b"cookies_preferences={\"matomo\":true,\"timestamp\":1790000000}";
    filtered(&[b"stats=1", consent], &[&[b"stats=1; ", &consent[..]].concat()]);
    filtered(&[b"stats=1", b"a=1"], &[b"a=1"]);
}

#[test]
fn sec_gpc_denies_and_stays() {
    let charter = charter();
    let consent = "stats=1; cookies_preferences={\"matomo\":true,\"timestamp\":1790000000}";
    let withheld = &consent["stats=1; ".len()..];
    for (gpc, expected) in [
        (&["1"][..], withheld),
        (&["0", "1"], withheld),
        (&[], consent),
        (&["0"], consent),
        (&["1, 1"], consent),
        (&["true"], consent),
    ] {
        let mut headers = map(COOKIE, &[consent.as_bytes()]);
        for value in gpc {
            headers.append("sec-gpc", HeaderValue::from_static(value));
        }
        let (limits, mut report) = (RequestLimits::default(), Report::default());
        let (context, rules, mode) = (context(&charter), rules(), Mode::Enforce);
        request(&mut headers, &context, &rules, &limits, mode, &mut withdrawal(), &mut report)
            .expect("within limits");
        assert_eq!(lines(&headers, COOKIE), [expected.as_bytes()], "{gpc:?}");
        assert_eq!(headers.get_all("sec-gpc").iter().count(), gpc.len());
    }
}

#[test]
fn too_many_cookies_are_refused() {
    let charter = charter();
    let limits = RequestLimits { pairs: 3, bytes: 20 };
    let over = |fields: &[&[u8]], mode| {
        let (mut headers, mut report) = (map(COOKIE, fields), Report::default());
        let before = headers.clone();
        let result = request(
            &mut headers,
            &context(&charter),
            &rules(),
            &limits,
            mode,
            &mut withdrawal(),
            &mut report,
        );
        assert_eq!(headers, before);
        (result.is_err(), reasons(&report) == [Reason::Limit])
    };
    assert_eq!(over(&[b"a=1;;"], Mode::Enforce), (false, false));
    assert_eq!(over(&[b"a=1;;;"], Mode::Enforce), (true, true));
    assert_eq!(over(&[b"a", b"a", b"a", b"a"], Mode::Enforce), (true, true));
    assert_eq!(over(&[b"a=345678901234567890"], Mode::Enforce), (false, false));
    assert_eq!(over(&[b"a=34567890123456789", b"12"], Mode::Enforce), (true, true));
    assert_eq!(over(&[b"a=1;;;"], Mode::Report), (false, true));
}

#[test]
fn report_mode_changes_nothing_and_says_the_same() {
    let charter = charter();
    let mut reports = [Report::default(), Report::default()];
    for (mode, report) in [Mode::Enforce, Mode::Report].into_iter().zip(&mut reports) {
        let mut headers = map(COOKIE, &[b"a=1; evil=2", b"b=1"]);
        headers.insert("cookie2", HeaderValue::from_static("$Version=1"));
        headers.extend(map(SET_COOKIE, &[b"evil=1", b"a=1; Max-Age=9999"]));
        headers.insert("set-cookie2", HeaderValue::from_static("a=1"));
        let before = headers.clone();
        let limits = RequestLimits::default();
        request(
            &mut headers,
            &context(&charter),
            &rules(),
            &limits,
            mode,
            &mut withdrawal(),
            report,
        )
        .expect("within limits");
        response(&mut headers, &context(&charter), mode, report);
        trailers(&mut headers, Direction::Response, mode, report);
        assert_eq!(headers == before, mode == Mode::Report);
    }
    let [enforced, reported] = reports;
    assert_eq!(reasons(&enforced)[..6], reasons(&reported)[..6]);
}

#[test]
fn a_false_date_would_move_every_expires() {
    // 2026-09-21T14:13:20Z is the test's now.
    for (date, stays) in [
        ("Mon, 21 Sep 2026 14:13:20 GMT", true),
        ("Mon, 21 Sep 2026 14:09:00 GMT", true),
        ("Mon, 21 Sep 2026 14:19:00 GMT", false),
        ("Sat, 01 Jan 2000 00:00:00 GMT", false),
        ("whenever", false),
        // About now by RFC 6265bis 5.1.1, and the year 1971 to what Firefox and Chromium read it with.
        ("21 Sep 01971 2026 14:13:20", false),
        ("21 2026 1/1/70 14:13:20 Sep", false),
        ("Mon, 21 Sep 2026 14:13:20 GMT-9999", false),
    ] {
        let charter = charter();
        let date = || HeaderValue::from_static(date);
        let mut headers = map(SET_COOKIE, &[b"a=1"]);
        headers.insert("date", date());
        response(&mut headers, &context(&charter), Mode::Enforce, &mut Report::default());
        assert_eq!(headers.contains_key("date"), stays, "{date:?}", date = date());
        let mut headers = map(SET_COOKIE, &[b"evil=1"]);
        headers.insert("date", date());
        response(&mut headers, &context(&charter), Mode::Enforce, &mut Report::default());
        assert!(headers.contains_key("date"), "no cookie leaves, nothing is moved");
    }
}

/// What the responses to a visitor at these seconds expire, as a user agent on `a.b.example.fr` stores it
/// with `Domain=example.fr`.
fn cleaned(names: &[String], limit: usize, seconds: std::ops::Range<i64>) -> Vec<String> {
    let charter = charter();
    let mut left = names.to_vec();
    for second in seconds {
        let answer = b"cookies_preferences={\"matomo\":false,\"timestamp\":900}";
        let consent = rules().read(Pairs::of(answer), second);
        let context = Context { host: "a.b.example.fr", consent, now: second, ..context(&charter) };
        let rule = WithdrawalRule { expire: Expire::DeniedAndUndeclared, limit, always: true };
        let mut withdrawal = Withdrawal::new(rule, &Method::GET, false);
        let cookies = left.iter().map(|name| format!("{name}=1")).collect::<Vec<_>>().join("; ");
        withdrawal.look(&map(COOKIE, &[cookies.as_bytes()]), &context, &rules());
        let mut headers = HeaderMap::new();
        expire(&mut headers, &context, &withdrawal, Mode::Enforce, &mut Report::default());
        let added = lines(&headers, SET_COOKIE);
        assert!(added.len() <= limit && added.iter().map(|line| line.len()).sum::<usize>() <= 8192);
        left.retain(|name| {
            let line = format!("{name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Domain=example.fr");
            !added.contains(&line.as_bytes())
        });
    }
    left
}

#[test]
fn a_long_name_keeps_neither_itself_nor_others_from_being_expired() {
    let long = format!("t.{}", "z".repeat(4000));
    let names = ["t.1".to_owned(), "t.2".to_owned(), long.clone()];
    assert!(cleaned(&names, 64, 1_000..1_001) == [long], "the others go at once");
    assert!(cleaned(&names, 64, 1_000..1_008).is_empty());
}

/// A name that no line reaches is as one whose lines all go in vain: it stays.
#[test]
fn names_beyond_the_limit_are_not_forgotten() {
    let unreachable = ["u.1", "u.2", "u.3"].map(ToOwned::to_owned);
    let names: Vec<_> = std::iter::once("t.1".to_owned()).chain(unreachable).collect();
    let seen = |second| {
        let charter = charter();
        let answer = b"cookies_preferences={\"matomo\":false,\"timestamp\":900}";
        let consent = rules().read(Pairs::of(answer), second);
        let context = Context { host: "example.fr", consent, now: second, ..context(&charter) };
        let rule = WithdrawalRule { expire: Expire::DeniedAndUndeclared, limit: 1, always: true };
        let mut withdrawal = Withdrawal::new(rule, &Method::GET, false);
        let cookies = names.iter().map(|name| format!("{name}=1")).collect::<Vec<_>>().join("; ");
        withdrawal.look(&map(COOKIE, &[cookies.as_bytes()]), &context, &rules());
        let mut headers = HeaderMap::new();
        expire(&mut headers, &context, &withdrawal, Mode::Enforce, &mut Report::default());
        lines(&headers, SET_COOKIE).iter().any(|line| line.starts_with(b"t.1="))
    };
    assert!((1_000..1_010).any(seen));
}

#[test]
fn a_limit_below_a_cookies_lines_reaches_every_domain_in_time() {
    let names = ["t.1", "t.2"].map(ToOwned::to_owned);
    assert!(cleaned(&names, 2, 1_000..1_020).is_empty());
    assert!(cleaned(&names, 1, 1_000..1_020).is_empty());
}
