//! Configuration: TOML as written becomes a checked [`Config`], or every mistake in it at once.
//!
//! Nothing below this room sees TOML, and nothing here runs a request. A `Config` that exists is
//! consistent: ports are parsed, charters compiled, certificates read.

mod duration;
mod keys;
mod main_file;
mod mistake;
mod reader;
pub mod schema;
mod site;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

pub use mistake::{Mistake, Mistakes, Severity};

use crate::charter::Charter;
use crate::consent::Rules;
use crate::enforce::{Mode, RequestLimits};

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// Listeners and what all sites share.
    pub server: Server,
    /// The sites, in the order of their files' names.
    pub sites: Vec<Arc<Site>>,
}

/// What all sites share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Clear-text listeners.
    pub http: Vec<SocketAddr>,
    /// The admin listener.
    pub admin: SocketAddr,
    /// Threads that serve connections; `None` for one a core.
    pub workers: Option<usize>,
    /// What one request may cost.
    pub limits: Limits,
    /// For a request's head to arrive.
    pub request_head_timeout: Duration,
    /// For a client to go on reading a response.
    pub response_timeout: Duration,
    /// For requests in flight to finish at shutdown.
    pub shutdown_timeout: Duration,
    /// What is logged.
    pub log: Log,
}

/// What one request may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its head.
    pub header_bytes: usize,
    /// Its cookies.
    pub cookies: RequestLimits,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info` or `debug`.
    pub level: Box<str>,
    /// Whether each line is a JSON object.
    pub json: bool,
}

/// One portal: its names, its upstream, and its charter.
#[derive(Debug)]
pub struct Site {
    /// Its domain, in lower case; the `site` label of every metric.
    pub domain: Box<str>,
    /// Further domains, in lower case.
    pub aliases: Vec<Box<str>>,
    /// Where the portal is; at least one.
    pub upstreams: Vec<Upstream>,
    /// The `Host` sent upstream, if not the client's.
    pub upstream_host: Option<http::HeaderValue>,
    /// The authorities that sign the upstream's certificate, if not the public ones.
    pub upstream_roots: Option<Arc<RootCertStore>>,
    /// Connections to the upstream at most.
    pub upstream_connections: usize,
    /// Whether decisions are carried out.
    pub mode: Mode,
    /// The language of the pages visitors see: `fr` or `en`.
    pub language: Box<str>,
    /// How long the firewall waits for the upstream.
    pub timeouts: Timeouts,
    /// How consent is read.
    pub consent: Rules,
    /// The compiled charter.
    pub charter: Charter,
}

/// How long the firewall waits for an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the head of the response, once the request has been sent.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A host name or an IP address, without brackets.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
}

/// A configuration that can be used, and the warnings about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Mistakes, none of them fatal.
    pub warnings: Mistakes,
}

/// Reads the main file at `path` and the site files that it names.
///
/// # Errors
///
/// Every mistake in all of the files, warnings included.
pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
    let mut mistakes = Mistakes::default();
    let Some(text) = read(path, &mut mistakes) else { return Err(mistakes) };
    let main = main_file::read(path, &text);
    mistakes.0.extend(main.mistakes.0);
    let mut sites: Vec<(PathBuf, site::Read)> = Vec::new();
    for file in &main.sites {
        if let Some(text) = read(file, &mut mistakes) {
            sites.push((file.clone(), site::read(file, &text)));
        }
    }
    report_shared_domains(&mut sites);
    for (_, site) in &sites {
        mistakes.0.extend(site.mistakes.0.iter().cloned());
    }
    let sites: Vec<_> = sites.into_iter().filter_map(|(_, read)| read.site.map(Arc::new)).collect();
    match main.server {
        Some(server) if !mistakes.any_error() => {
            Ok(Loaded { config: Config { server, sites }, warnings: mistakes })
        }
        _ => Err(mistakes),
    }
}

/// Reads one site from `text`, for tests and for charters that are not on disk; `file` names it in
/// mistakes, and paths in it are relative to that.
///
/// # Errors
///
/// Every mistake in it, warnings included.
pub fn site_from_str(file: &Path, text: &str) -> Result<Site, Mistakes> {
    let read = site::read(file, text);
    match read.site {
        Some(site) if !read.mistakes.any_error() => Ok(site),
        _ => Err(read.mistakes),
    }
}

fn read(path: &Path, mistakes: &mut Mistakes) -> Option<String> {
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(text),
        Ok(Err(_)) => {
            mistakes.file(
                path,
                "the file is not UTF-8".into(),
                "save it as UTF-8, as TOML demands",
            );
        }
        Err(error) => mistakes.file(
            path,
            format!("cannot read the file: {error}"),
            "check the path and its permissions; --config FILE names another",
        ),
    }
    None
}

/// A domain belongs to one site.
fn report_shared_domains(sites: &mut [(PathBuf, site::Read)]) {
    let mut owners: BTreeMap<Box<str>, PathBuf> = BTreeMap::new();
    for (file, site) in sites {
        for name in &site.names {
            match owners.get(&name.domain) {
                None => {
                    owners.insert(name.domain.clone(), file.clone());
                }
                Some(owner) => {
                    let message =
                        format!("{:?} is declared in {} already", name.domain, owner.display());
                    site.mistakes.0.push(Mistake {
                        message,
                        remedy: "keep it in one of the two".to_owned(),
                        ..name.place.clone()
                    });
                }
            }
        }
        site.mistakes.0.sort_by_key(|mistake| (mistake.line, mistake.column));
    }
}

#[cfg(test)]
mod tests;
