//! The whole firewall work of one exchange on realistic header maps, without sockets: seven
//! `Set-Cookie` lines and four request cookies, one of them the consent cookie.
//!
//! `cargo bench --bench enforce`. Allocations are counted by a test, `tests/allocations.rs`.

use cookie_firewall::config::{Site, site_from_str};
use cookie_firewall::consent::Consent;
use cookie_firewall::enforce::{self, Mode, Report, RequestLimits, Withdrawal};
use cookie_firewall::policy::Context;
use divan::{Bencher, black_box};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method};

fn main() {
    divan::main();
}

const NOW: i64 = 1_790_000_000;

/// A portal's charter with `padding` further declarations of each kind.
fn site(padding: usize) -> Site {
    let mut text = String::from(
        r#"
domain = "data.example.fr"
upstream = "http://127.0.0.1:1"
[consent.categories]
statistics = ["matomo", "xiti"]
marketing = ["ga"]
"#,
    );
    let mut declare = |name: &str, category: &str| {
        text.push_str(&format!("[[cookie]]\nname = \"{name}\"\ncategory = \"{category}\"\n"));
    };
    for name in ["sessionid", "csrftoken", "django_language", "cookies_preferences"] {
        declare(name, "necessary");
    }
    declare("_pk_id.*", "statistics");
    declare("_pk_ses.*", "statistics");
    declare("_ga", "marketing");
    for i in 0..padding {
        declare(&format!("padding_{i}"), "necessary");
        declare(&format!("pattern_{i}_*"), "marketing");
    }
    site_from_str("bench.toml".as_ref(), &text).expect("the bench's charter is right")
}

fn request(refused: bool) -> HeaderMap {
    let tracker = if refused { "; tracker=1" } else { "; django_language=fr" };
    let cookie = format!(
        "sessionid=9d7k2l1m5n8p0q3r6s4t7u2v5w8x1y4z; csrftoken=Zk3n8Qp1Lw6Xy2Vb7Tc4Rd9Fg5Hj0Ks; \
         cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22matomo%22%3Afalse%2C\
         %22ga%22%3Afalse%2C%22timestamp%22%3A1789000000000%7D{tracker}"
    );
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("data.example.fr"));
    headers.insert("user-agent", HeaderValue::from_static("Mozilla/5.0"));
    headers.insert("accept", HeaderValue::from_static("text/html"));
    headers.insert(COOKIE, HeaderValue::from_str(&cookie).expect("printable"));
    headers
}

/// `kept` lines that pass and `blocked` that do not.
fn response(kept: usize, blocked: usize) -> HeaderMap {
    let passing = [
        "sessionid=9d7k2l1m5n8p0q3r6s4t7u2v5w8x1y4z; expires=Mon, 05 Oct 2026 13:33:20 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax",
        "csrftoken=Zk3n8Qp1Lw6Xy2Vb7Tc4Rd9Fg5Hj0Ks; expires=Mon, 20 Sep 2027 13:33:20 GMT; Max-Age=31449600; Path=/; SameSite=Lax",
    ];
    let trackers = [
        "_pk_id.1.1fff=8f7e6d5c4b3a2910.1790000000.; expires=Wed, 20 Oct 2027 13:33:20 GMT; path=/; SameSite=Lax",
        "_pk_ses.1.1fff=1; expires=Mon, 21 Sep 2026 14:43:20 GMT; path=/; SameSite=Lax",
        "_ga=GA1.2.1234567890.1790000000; expires=Wed, 20 Sep 2028 13:33:20 GMT; path=/; domain=.example.fr",
        "_fbp=fb.1.1790000000000.1234567890; expires=Sun, 20 Dec 2026 13:33:20 GMT; path=/",
        "city_tracker=a1b2c3d4; Max-Age=31536000; Path=/; HttpOnly",
    ];
    let lines = passing.iter().cycle().take(kept).chain(trackers.iter().cycle().take(blocked));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert("content-length", HeaderValue::from_static("1024"));
    for line in lines {
        headers.append(SET_COOKIE, HeaderValue::from_static(line));
    }
    headers
}

/// Everything that the firewall does to one exchange, on maps that are dropped outside of what is
/// measured.
fn exchange(site: &Site, (request, response): &mut (HeaderMap, HeaderMap)) {
    let mut report = Report::default();
    let mut context = Context {
        charter: &site.charter,
        consent: Consent::default(),
        host: &site.domain,
        now: NOW,
    };
    let limits = RequestLimits::default();
    let (rules, mode) = (&site.consent, Mode::Enforce);
    let mut withdrawal = Withdrawal::new(site.withdrawal, &Method::GET, true);
    let consent =
        enforce::request(request, &context, rules, &limits, mode, &mut withdrawal, &mut report);
    context.consent = consent.expect("within limits");
    let mut second = Report::default();
    enforce::response(response, &context, mode, &mut second);
    enforce::expire(response, &context, &withdrawal, mode, &mut second);
    black_box((&report, &second));
}

fn measure(
    bencher: Bencher<'_, '_>,
    site: &Site,
    headers: impl Fn() -> (HeaderMap, HeaderMap) + Sync,
) {
    bencher.with_inputs(&headers).bench_local_refs(|headers| exchange(site, headers));
}

/// The exchange of the target figure: five of seven lines and one of four pairs blocked.
#[divan::bench(sample_size = 16, sample_count = 500)]
fn five_of_seven_blocked(bencher: Bencher<'_, '_>) {
    measure(bencher, &site(0), || (request(true), response(2, 5)));
}

/// Nothing to change: no allocation.
#[divan::bench(sample_size = 16, sample_count = 500)]
fn nothing_changed(bencher: Bencher<'_, '_>) {
    measure(bencher, &site(0), || (request(false), response(7, 0)));
}

/// Growth with the number of declarations.
#[divan::bench(sample_size = 16, sample_count = 500, args = [10, 100, 1_000, 10_000])]
fn declarations(bencher: Bencher<'_, '_>, count: usize) {
    measure(bencher, &site(count / 2), || (request(true), response(2, 5)));
}

/// Growth with the number of `Set-Cookie` lines, half of them blocked.
#[divan::bench(sample_size = 16, sample_count = 500, args = [1, 2, 8, 16, 32, 64])]
fn lines(bencher: Bencher<'_, '_>, count: usize) {
    measure(bencher, &site(0), || (request(true), response(count.div_ceil(2), count / 2)));
}

/// The request's half of the target exchange.
#[divan::bench(sample_size = 16, sample_count = 500)]
fn request_half(bencher: Bencher<'_, '_>) {
    measure(bencher, &site(0), || (request(true), HeaderMap::new()));
}

/// The response's half of the target exchange, for a visitor without cookies.
#[divan::bench(sample_size = 16, sample_count = 500)]
fn response_half(bencher: Bencher<'_, '_>) {
    measure(bencher, &site(0), || (HeaderMap::new(), response(2, 5)));
}
