//! A site file: one portal, its upstream, and its charter.

use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::mistake::{Mistake, Mistakes, Severity};
use super::reader::{At, Document, Table};
use super::{Site, Timeouts, Upstream, keys};
use crate::cookie::domain::{self, Scope};
use crate::enforce::Mode;

mod charter;
mod consent;

/// What one site file says.
pub(super) struct Read {
    /// `None` where a mistake left nothing to use.
    pub(super) site: Option<Site>,
    /// Its domain and aliases, for finding the ones that two sites claim.
    pub(super) names: Vec<Name>,
    pub(super) mistakes: Mistakes,
}

/// A name of the site, and a mistake about it that is still to be worded.
pub(super) struct Name {
    pub(super) domain: Box<str>,
    pub(super) place: Mistake,
}

pub(super) fn read(file: &Path, text: &str) -> Read {
    let document = Document::new(file, text);
    let root = document.parse();
    let table = Table::root(&document, &root, keys::SITE);
    let mut names = Vec::new();
    let site = read_site(&document, &table, &mut names);
    Read { site, names, mistakes: document.into_mistakes() }
}

fn read_site(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    names: &mut Vec<Name>,
) -> Option<Site> {
    let mut domains = table.string("domain").into_iter().chain(table.strings("aliases"));
    let mut name = |at: &At<&str>| {
        let domain = domain(document, at)?;
        if names.iter().any(|name| name.domain == domain) {
            document.error(at, format!("{domain:?} is named already"), "keep one of the two");
            return None;
        }
        names.push(Name { domain: domain.clone(), place: place(document, at) });
        Some(domain)
    };
    let first = domains.next().and_then(|at| name(&at));
    let aliases: Vec<_> = domains.filter_map(|at| name(&at)).collect();
    let upstreams: Vec<_> =
        table.one_or_more("upstream").iter().filter_map(|at| upstream(document, at)).collect();
    let hosts: Vec<&str> = first.iter().chain(&aliases).map(|name| &**name).collect();
    let mut consent = consent::read(document, table.table("consent").as_ref());
    let charter = charter::read(document, table, &mut consent, &hosts);
    let upstream_host = table.string("upstream_host").and_then(|at| host_header(document, &at));
    let upstream_roots = table.string("upstream_ca").and_then(|at| roots(document, &at));
    let upstream_connections = table.integer("upstream_connections", 1_000_000);
    let mode = table.word("mode");
    let language = table.word("language");
    let timeouts = timeouts(table.table("timeouts").as_ref());
    Some(Site {
        domain: first?,
        aliases,
        upstreams: Some(upstreams).filter(|upstreams| !upstreams.is_empty())?,
        upstream_host,
        upstream_roots,
        upstream_connections: upstream_connections.map_or(1024, |at| at.value),
        mode: if mode.is_some_and(|at| at.value == "report") {
            Mode::Report
        } else {
            Mode::Enforce
        },
        language: language.map_or("fr", |at| at.value).into(),
        timeouts,
        consent: consent.rules,
        charter: charter?,
    })
}

fn place(document: &Document<'_>, at: &At<&str>) -> Mistake {
    Mistake {
        severity: Severity::Error,
        file: document.file().to_owned(),
        line: Some(document.line(&at.span)),
        column: Some(document.column(&at.span)),
        key: Some(at.key.clone()),
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

fn upstream(document: &Document<'_>, at: &At<&str>) -> Option<Upstream> {
    let remedy = "write \"http://host:port\" or \"https://host:port\", without a path";
    let Ok(uri) = at.value.parse::<Uri>() else {
        document.error(at, format!("{:?} is not an address", at.value), remedy);
        return None;
    };
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => {
            document.error(at, "the scheme is missing or is neither http nor https", remedy);
            return None;
        }
    };
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    if !matches!(path, "" | "/") || at.value.contains('#') {
        document.error(at, "an upstream has no path: requests keep theirs", remedy);
        return None;
    }
    let host = uri.host().unwrap_or_default();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if host.is_empty() || authority.contains('@') {
        document.error(at, "the host is missing, or stands behind a user name", remedy);
        return None;
    }
    let port = match authority[host.len()..].strip_prefix(':').map(str::parse) {
        None => Some(if tls { 443 } else { 80 }),
        Some(port) => port.ok().filter(|port| *port != 0),
    };
    let Some(port) = port else {
        document.error(at, "the port is no number from 1 to 65535", remedy);
        return None;
    };
    Some(Upstream { tls, host: host.trim_matches(['[', ']']).into(), port })
}

fn host_header(document: &Document<'_>, at: &At<&str>) -> Option<HeaderValue> {
    let valid = at.value.parse::<http::uri::Authority>().is_ok() && !at.value.contains('@');
    if !valid {
        document.error(
            at,
            format!("{:?} is not a host", at.value),
            "write a host name, with a port if the upstream expects one",
        );
        return None;
    }
    HeaderValue::from_str(at.value).ok()
}

fn roots(document: &Document<'_>, at: &At<&str>) -> Option<Arc<RootCertStore>> {
    let path = document.file().parent().unwrap_or(Path::new("")).join(at.value);
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&path).and_then(Iterator::collect);
    let mut roots = RootCertStore::empty();
    let problem = match certificates {
        Err(error) => Some(format!("cannot read {}: {error}", path.display())),
        Ok(certificates) => {
            let (added, refused) = roots.add_parsable_certificates(certificates);
            match (added, refused) {
                (0, 0) => Some(format!("{} holds no certificate", path.display())),
                (_, 0) => None,
                (_, n) => {
                    Some(format!("{n} of the certificates in {} cannot be used", path.display()))
                }
            }
        }
    };
    match problem {
        None => Some(Arc::new(roots)),
        Some(message) => {
            document.error(
                at,
                message,
                "name a PEM file (-----BEGIN CERTIFICATE-----) relative to this file",
            );
            None
        }
    }
}

fn timeouts(table: Option<&Table<'_, '_>>) -> Timeouts {
    let timeout = |name, default| {
        let seconds = table.and_then(|table| table.time(name));
        Duration::from_secs(seconds.map_or(default, |at| at.value.into()))
    };
    Timeouts {
        connect: timeout("connect", 5),
        first_byte: timeout("first_byte", 60),
        idle: timeout("idle", 60),
    }
}

/// Whether a user agent on `host` would accept a cookie for `domain`.
fn covers(host: &str, domain: &str) -> bool {
    domain::scope(host, Some(domain.as_bytes())) != Scope::Refused
}
