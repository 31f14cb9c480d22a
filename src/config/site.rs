//! A site file: one portal, its upstream, and its charter.

use std::net::Ipv6Addr;
use std::path::Path;

use super::files::Fingerprint;
use super::mistake::{Mistake, Mistakes, Severity};
use super::reader::{At, Document, Table};
use super::{Site, Timeouts, keys};
use crate::charter::Language;
use crate::cookie::domain::{self, Scope};
use crate::enforce::{CacheRule, Expire, Mode, WithdrawalRule};

mod charter;
mod cnil;
mod consent;
mod page;
mod tls;
mod upstream;

/// What one site file says.
pub(super) struct Read {
    /// `None` where a mistake left nothing to use.
    pub(super) site: Option<Site>,
    /// Its domain and aliases, for finding the ones that two sites claim.
    pub(super) names: Vec<Name>,
    /// Where it wants requests redirected to https, if it does: a mistake that is still to be worded.
    pub(super) redirect: Option<Mistake>,
    pub(super) mistakes: Mistakes,
    /// The files that it names: certificates, keys and logos.
    pub(super) named: Vec<Fingerprint>,
}

/// A name of the site, and a mistake about it that is still to be worded.
pub(super) struct Name {
    pub(super) domain: Box<str>,
    pub(super) place: Mistake,
}

/// Reads a site file; `now` (seconds since 1970) is what its certificates are held against.
pub(super) fn read(file: &Path, text: &str, now: i64) -> Read {
    let document = Document::new(file, text);
    let root = document.parse();
    let table = Table::root(&document, &root, keys::SITE);
    let mut names = Vec::new();
    let mut redirect = None;
    let site = read_site(&document, &table, &mut names, &mut redirect, now);
    let mistakes = document.take_mistakes();
    Read { site, names, redirect, mistakes, named: document.take_named() }
}

fn read_site(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    names: &mut Vec<Name>,
    redirect: &mut Option<Mistake>,
    now: i64,
) -> Option<Site> {
    let mut domains = table.string("domain").into_iter().chain(table.strings("aliases"));
    let mut name = |at: &At<&str>| {
        let domain =
            if at.key.is("aliases") { alias(document, at)? } else { domain(document, at)? };
        if names.iter().any(|name| name.domain == domain) {
            document.error(at, format!("{domain:?} is named already"), "keep one of the two");
            return None;
        }
        names.push(Name { domain: domain.clone(), place: place(document, at) });
        Some(domain)
    };
    let first = domains.next().and_then(|at| name(&at));
    let aliases: Vec<_> = domains.filter_map(|at| name(&at)).collect();
    let hosts: Vec<&str> = first.iter().chain(&aliases).map(|name| &**name).collect();
    let consent_table = table.table("consent");
    let mut consent = consent::read(document, consent_table.as_ref());
    cnil::consent(document, consent_table.as_ref(), &consent);
    let charter = charter::read(document, table, &mut consent, &hosts);
    let timeouts = timeouts(table.table("timeouts").as_ref());
    let upstream = upstream::read(document, table, timeouts.connect);
    let tls_table = table.table("tls");
    let tls = tls::read(document, tls_table.as_ref(), &hosts, now);
    let redirects = tls_table.filter(|_| tls.redirect.is_some());
    *redirect = redirects.and_then(|tls| tls.place_of("redirect")).map(|at| place(document, &at));
    let page = page::read(document, table.table("page").as_ref());
    let cache = match table.word("cache").map(|at| at.value) {
        Some("no-store") => CacheRule::NoStore,
        Some("keep") => CacheRule::Keep,
        _ => CacheRule::Private,
    };
    let mode = table.word("mode");
    let language = table.word("language");
    Some(Site {
        domain: first?,
        aliases,
        tls,
        upstream: upstream?,
        cache,
        mode: if mode.is_some_and(|at| at.value == "report") {
            Mode::Report
        } else {
            Mode::Enforce
        },
        withdrawal: withdrawal(table.table("withdrawal").as_ref()),
        language: language.and_then(|at| Language::tagged(at.value)).unwrap_or_default(),
        timeouts,
        consent: consent.rules,
        page,
        charter: charter?,
    })
}

fn place<T>(document: &Document<'_>, at: &At<T>) -> Mistake {
    Mistake {
        severity: Severity::Error,
        file: document.file().to_owned(),
        line: Some(document.line(&at.span)),
        column: Some(document.column(&at.span)),
        key: Some(document.key_text(at.key)),
        message: String::new(),
        remedy: String::new(),
    }
}

/// A host name in lower case; an IP address is one too.
fn domain(document: &Document<'_>, at: &At<&str>) -> Option<Box<str>> {
    let text = at.value.trim_end_matches('.').to_ascii_lowercase();
    let remedy = if text.contains("://") || text.contains('/') {
        "write the host alone, without scheme and path"
    } else if text.parse::<Ipv6Addr>().is_ok() {
        "write an IPv6 address in brackets"
    } else if is_bracketed(&text) {
        return Some(text.into());
    } else if text.contains(':') {
        "write the host alone, without a port"
    } else if !text.is_ascii() {
        "write it as it stands in DNS, in its ASCII form (xn--...)"
    } else if is_host_name(&text) {
        return Some(text.into());
    } else {
        "write a host name such as \"data.example.fr\""
    };
    document.error(at, format!("{:?} is not a domain", at.value), remedy);
    None
}

/// A host name, or `*.` before one, which stands for any one label.
fn alias(document: &Document<'_>, at: &At<&str>) -> Option<Box<str>> {
    let parent = at.value.strip_prefix("*.");
    let parent = parent.map(|parent| parent.trim_end_matches('.').to_ascii_lowercase());
    match parent.filter(|parent| is_host_name(parent) && parent.contains('.')) {
        Some(parent) => Some(format!("*.{parent}").into()),
        None => domain(document, at),
    }
}

fn is_bracketed(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

fn withdrawal(table: Option<&Table<'_, '_>>) -> WithdrawalRule {
    let word = |name| table.and_then(|table| table.word(name)).map(|at| at.value);
    let limit = table.and_then(|table| table.integer("limit", 1000));
    WithdrawalRule {
        expire: match word("expire") {
            Some("off") => Expire::Nothing,
            Some("denied-and-undeclared") => Expire::DeniedAndUndeclared,
            _ => Expire::Denied,
        },
        always: word("on") == Some("all"),
        limit: limit.map_or(WithdrawalRule::default().limit, |at| at.value),
    }
}

fn timeouts(table: Option<&Table<'_, '_>>) -> Timeouts {
    Timeouts {
        connect: upstream::seconds(table, "connect", 5),
        first_byte: upstream::seconds(table, "first_byte", 60),
        idle: upstream::seconds(table, "idle", 60),
        upgrade: upstream::seconds(table, "upgrade", 3600),
    }
}

/// Whether a user agent on `host` would accept a cookie for `domain`. Of a wildcard, any host that
/// it stands for.
fn covers(host: &str, domain: &str) -> bool {
    let host = host.replacen('*', "any", 1);
    domain::scope(&host, Some(domain.as_bytes())) != Scope::Refused
}
