//! A site's upstream: its addresses, and how they are spoken to.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use rustls::RootCertStore;

use super::tls;
use crate::config::reader::{At, Document, Item, Table};
use crate::config::upstream::Roots;
use crate::config::{Address, Balance, Health, HttpVersion, Pool, Upstream};

/// The largest weight; more would say the same.
const MAX_WEIGHT: usize = 1000;

/// `None` where no address is left to use.
pub(super) fn read(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    connect_timeout: Duration,
) -> Option<Upstream> {
    if let Some(at) = table.empty_list("upstream") {
        document.error(
            &at,
            "no upstream is named",
            "write for example [\"http://127.0.0.1:8000\"]",
        );
    }
    let addresses = addresses(document, table);
    let host = table.string("upstream_host").and_then(|at| host_header(document, &at));
    let roots = table.string("upstream_ca").and_then(|at| roots(document, &at));
    let connections = table.integer("upstream_connections", 1_000_000);
    let version = match table.word("upstream_http").map(|at| at.value) {
        Some("1.1") => HttpVersion::Http1,
        Some("2") => HttpVersion::Http2,
        _ => HttpVersion::Auto,
    };
    let balance = match table.word("balance").map(|at| at.value) {
        Some("round-robin") => Balance::RoundRobin,
        Some("first") => Balance::First,
        _ => Balance::LeastLoaded,
    };
    let retries = table.number("retries", 0, 10).map_or(2, |at| at.value);
    let pool = pool(table.table("pool").as_ref());
    let health = health(document, table.table("health").as_ref());
    Some(Upstream {
        addresses: Some(addresses).filter(|addresses| !addresses.is_empty())?,
        host,
        roots,
        connections: connections.map_or(1024, |at| at.value),
        version,
        balance,
        retries,
        pool,
        health,
        connect_timeout,
    })
}

/// The addresses, each once: what is known of its health is shown by its host and port.
fn addresses(document: &Document<'_>, table: &Table<'_, '_>) -> Vec<Address> {
    let mut addresses: Vec<Address> = Vec::new();
    for item in &table.items("upstream") {
        let (at, weight) = match item {
            Item::String(at) => (Some(at.clone()), 1),
            Item::Table(table) => {
                let weight = table.integer("weight", MAX_WEIGHT).map_or(1, |at| at.value);
                (table.string("url"), u32::try_from(weight).unwrap_or(1))
            }
        };
        let Some(at) = at else { continue };
        let Some(address) = url(document, &at, weight) else { continue };
        let is_same = |known: &Address| {
            known.port == address.port && known.host.eq_ignore_ascii_case(&address.host)
        };
        if addresses.iter().any(is_same) {
            document.error(
                &at,
                format!("{}:{} is listed twice", address.host, address.port),
                "list it once; { url = \"...\", weight = 2 } sends it more than others",
            );
        } else {
            addresses.push(address);
        }
    }
    addresses
}

fn url(document: &Document<'_>, at: &At<&str>, weight: u32) -> Option<Address> {
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
    Some(Address { tls, host: host.trim_matches(['[', ']']).into(), port, weight })
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

fn roots(document: &Document<'_>, at: &At<&str>) -> Option<Roots> {
    let path = document.named(at);
    let certificates = tls::certificates(&path);
    let mut roots = RootCertStore::empty();
    let problem = match certificates {
        Err(error) => {
            let (message, remedy) = tls::unreadable(&path, &error, tls::OTHER_CERTIFICATE);
            document.error(at, message, remedy);
            return None;
        }
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
        None => Some(Roots(Arc::new(roots))),
        Some(message) => {
            document.error(at, message, tls::OTHER_CERTIFICATE);
            None
        }
    }
}

fn pool(table: Option<&Table<'_, '_>>) -> Pool {
    Pool {
        idle_connections: table
            .and_then(|table| table.integer("idle_connections", 100_000))
            .map_or(256, |at| at.value),
        idle: seconds(table, "idle", 60),
        max_age: seconds(table, "max_age", 3600),
        resolve: seconds(table, "resolve", 10),
    }
}

fn health(document: &Document<'_>, table: Option<&Table<'_, '_>>) -> Health {
    let path = table.and_then(|table| table.string("path"));
    let path = path.and_then(|at| match at.value.parse::<PathAndQuery>() {
        Ok(path) if at.value.starts_with('/') => Some(path),
        _ => {
            let message = format!("{:?} is not a path", at.value);
            document.error(&at, message, "write for example \"/health\"");
            None
        }
    });
    let count = |name, default| {
        let at = table.and_then(|table| table.integer(name, 1000));
        at.map_or(default, |at| u32::try_from(at.value).unwrap_or(default))
    };
    Health {
        path,
        interval: seconds(table, "interval", 5),
        timeout: seconds(table, "timeout", 2),
        healthy_after: count("healthy_after", 2),
        unhealthy_after: count("unhealthy_after", 3),
        eject_after: count("eject_after", 5),
        eject_for: seconds(table, "eject_for", 10),
    }
}

/// A time that is not zero, or else `default` seconds.
pub(super) fn seconds(table: Option<&Table<'_, '_>>, name: &'static str, default: u64) -> Duration {
    let seconds = table.and_then(|table| table.time(name));
    Duration::from_secs(seconds.map_or(default, |at| at.value.into()))
}
