//! One decision about one cookie: by kind of line, and by size of the charter.
//!
//! `cargo bench --bench decide`.

use cookie_firewall::charter::Charter;
use cookie_firewall::config::{Config, Server, Site, site_from_str};
use cookie_firewall::consent::{Consent, Ids};
use cookie_firewall::cookie::Pairs;
use cookie_firewall::policy::{self, Context};
use cookie_firewall::proxy::Gateway;
use cookie_firewall::telemetry::Telemetry;
use divan::{Bencher, black_box};
use std::sync::Arc;

fn main() {
    divan::main();
}

fn site(domain: &str, padding: usize) -> Site {
    let mut text = format!("domain = \"{domain}\"\nupstream = \"http://127.0.0.1:1\"\n");
    let mut declare = |name: &str, category: &str, more: &str| {
        text.push_str(&format!(
            "[[cookie]]\nname = \"{name}\"\ncategory = \"{category}\"\n{more}\n"
        ));
    };
    declare("sessionid", "necessary", "max_age = \"14 days\"");
    declare("_pk_id.*", "statistics", "consent = \"matomo\"");
    for i in 0..padding {
        declare(&format!("name_{i}"), "necessary", "");
        declare(&format!("pattern_{i}_*"), "necessary", "");
    }
    site_from_str("bench.toml".as_ref(), &text).expect("the bench's charter is right")
}

fn context<'c>(charter: &'c Charter, host: &'c str) -> Context<'c> {
    Context { charter, consent: Consent::new(Ids::one(2), Ids::NONE), host, now: 1_790_000_000 }
}

/// What one line costs, by what becomes of it.
#[divan::bench(args = [
    "sessionid=0123456789abcdef; Path=/; HttpOnly; Max-Age=1209600; SameSite=Lax",
    "sessionid=0123456789abcdef; Path=/; Expires=Wed, 20 Sep 2028 13:33:20 GMT",
    "_pk_id.1.1fff=8f7e6d5c.1790000000.; path=/; SameSite=Lax",
    "city_tracker=a1b2c3d4; Max-Age=31536000; Path=/; HttpOnly",
    "tracker=old; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
])]
fn set_cookie(bencher: Bencher<'_, '_>, line: &str) {
    let site = site("data.example.fr", 0);
    let context = context(&site.charter, &site.domain);
    bencher.bench(|| policy::set_cookie(black_box(&context), black_box(line.as_bytes())));
}

/// What four pairs of a request cost.
#[divan::bench]
fn pairs(bencher: Bencher<'_, '_>) {
    let site = site("data.example.fr", 0);
    let context = context(&site.charter, &site.domain);
    let cookies = b"sessionid=0123456789abcdef; _pk_id.1.1fff=8f7e; tracker=1; other=2";
    bencher.bench(|| {
        for pair in Pairs::of(black_box(cookies)) {
            black_box(policy::pair(&context, &pair));
        }
    });
}

/// Looking a name up, in charters of more and more declarations: a pattern's name, the dearest.
#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn lookup(bencher: Bencher<'_, '_>, declarations: usize) {
    let site = site("data.example.fr", declarations / 2);
    bencher.bench(|| site.charter.find(black_box(b"_pk_id.1.1fff")));
}

/// Finding a site by its host, among more and more sites.
#[divan::bench(args = [1, 10, 100, 1_000])]
fn find_site(bencher: Bencher<'_, '_>, sites: usize) {
    let server = Server::default();
    let domain = |i| format!("data{i}.example.fr");
    let sites = (0..sites).map(|i| Arc::new(site(&domain(i), 0))).collect();
    let gateway = Gateway::new(&Config { server, sites }, 1, Arc::new(Telemetry::default()));
    let gateway = gateway.expect("no choices are recorded");
    bencher.bench(|| gateway.site(black_box("data0.example.fr")).is_some());
}
