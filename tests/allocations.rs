//! Where nothing changes, the firewall's work costs no allocation; where something does, few.

use allocation_counter::measure;
use cookie_firewall::config::{Site, site_from_str};
use cookie_firewall::consent::Consent;
use cookie_firewall::enforce::{self, Mode, Report, RequestLimits, Withdrawal};
use cookie_firewall::policy::Context;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method};

fn site() -> Site {
    let text = r#"
domain = "data.example.fr"
upstream = "http://127.0.0.1:1"
[consent.categories]
statistics = ["matomo"]
[[cookie]]
name = "sessionid"
category = "necessary"
max_age = "14 days"
http_only = true
[[cookie]]
name = "cookies_preferences"
category = "necessary"
[[cookie]]
name = "_pk_id.*"
category = "statistics"
max_age = "13 months"
"#;
    site_from_str("site.toml".as_ref(), text).expect("the test's charter is right")
}

/// The allocations of one exchange, both directions.
fn allocations(cookies: &'static str, lines: &[&'static str]) -> u64 {
    let site = site();
    let mut request = HeaderMap::new();
    request.insert(COOKIE, HeaderValue::from_static(cookies));
    let mut response = HeaderMap::new();
    for line in lines {
        response.append(SET_COOKIE, HeaderValue::from_static(line));
    }
    let counted = measure(|| {
        let mut context = Context {
            charter: &site.charter,
            consent: Consent::default(),
            host: &site.domain,
            now: 1_790_000_000,
        };
        let (mut report, limits) = (Report::default(), RequestLimits::default());
        let (rules, mode) = (&site.consent, Mode::Enforce);
        let mut withdrawal = Withdrawal::new(site.withdrawal, &Method::GET, true);
        let consent = enforce::request(
            &mut request,
            &context,
            rules,
            &limits,
            mode,
            &mut withdrawal,
            &mut report,
        );
        context.consent = consent.expect("within limits");
        enforce::response(&mut response, &context, mode, &mut Report::default());
        enforce::expire(&mut response, &context, &withdrawal, mode, &mut Report::default());
    });
    counted.count_total
}

const CONSENT: &str = "sessionid=0123; _pk_id.1.1fff=abc; cookies_preferences=%7B%22matomo%22%3Atrue\
    %2C%22timestamp%22%3A1789000000000%7D";

#[test]
fn nothing_changes_nothing_is_allocated() {
    let kept = [
        "sessionid=0123; Path=/; HttpOnly; Max-Age=1209600; SameSite=Lax",
        "_pk_id.1.1fff=abc; Expires=Wed, 20 Oct 2026 13:33:20 GMT; Domain=.EXAMPLE.fr; Path=/",
        "_pk_id.2=abc; Expires=Tue, 20-Oct-2026 13:33:20 GMT; Path=/",
        "cookies_preferences=x",
        "sessionid=4; HttpOnly",
        "sessionid=5; HttpOnly",
        "sessionid=6; HttpOnly",
    ];
    assert_eq!(allocations(CONSENT, &kept), 0);
    assert_eq!(allocations("sessionid=1", &[]), 0);
}

/// A line that goes leaves nothing to write; a pair that goes leaves one new field.
#[test]
fn what_is_blocked_costs_the_new_cookie_field_alone() {
    let lines = ["tracker=1; Path=/", "sessionid=0123; HttpOnly", "other=2; Max-Age=60"];
    assert_eq!(allocations("sessionid=1", &lines), 0);
    assert_eq!(allocations("sessionid=1; tracker=2; sessionid=3; other=4", &lines), 1);
}
