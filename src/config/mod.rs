//! Configuration: TOML as written becomes a checked [`Config`], or every mistake in it at once.
//!
//! Nothing below this room sees TOML, and nothing here runs a request. A `Config` that exists is
//! consistent: ports are parsed, charters compiled, certificates read.

mod files;
mod hosts;
mod key_path;
mod keys;
mod main_file;
mod mistake;
mod networks;
mod page;
mod reader;
pub mod schema;
mod site;
mod threads;
mod tls;
mod upstream;
mod write;

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use files::Files;
pub use hosts::by_host;
pub use mistake::{Mistake, Mistakes, Severity};
pub use networks::Networks;
pub use page::Page;
pub use tls::{Certificate, Tls};
pub use upstream::{Address, Balance, Health, HttpVersion, Pool, Upstream};
pub use write::SiteFile;

use crate::charter::{Charter, Language};
use crate::consent::Rules;
use crate::enforce::{CacheRule, Mode, RequestLimits, WithdrawalRule};
use files::Fingerprint;
use threads::Crew;

/// The remedy where the main file cannot be read.
const OTHER_MAIN: &str = "check the path and its permissions; --config FILE names another";

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// Listeners and what all sites share.
    pub server: Server,
    /// The sites, in the order of their files' names.
    pub sites: Vec<Arc<Site>>,
}

/// What all sites share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Where the firewall listens.
    pub listeners: Listeners,
    /// Networks that are believed in what they say of the client.
    pub trusted_proxies: Networks,
    /// Whether a second process may listen on the same addresses.
    pub reuse_port: bool,
    /// Threads that serve connections; `None` for one a core.
    pub workers: Option<usize>,
    /// What one request, and one client, may cost.
    pub limits: Limits,
    /// How long the firewall waits for clients.
    pub timeouts: ClientTimeouts,
    /// What is logged.
    pub log: Log,
    /// Where the choices that visitors make on the firewall's page are recorded, if anywhere.
    pub proof: Option<Proof>,
}

/// Where the firewall listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Clear-text listeners.
    pub http: Vec<Listener>,
    /// TLS listeners.
    pub https: Vec<Listener>,
    /// The admin listener.
    pub admin: SocketAddr,
}

impl Default for Listeners {
    /// No public listener, and the usual admin listener.
    fn default() -> Self {
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, 9090));
        Self { http: Vec::new(), https: Vec::new(), admin }
    }
}

/// One public listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    /// Its address.
    pub address: SocketAddr,
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: bool,
}

/// How long the firewall waits for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// For a TLS handshake and a PROXY header.
    pub handshake: Duration,
    /// For a request's head to arrive.
    pub request_head: Duration,
    /// For a request's body to arrive, besides what its size earns it.
    pub request_body: Duration,
    /// For an HTTP/2 connection without streams.
    pub idle: Duration,
    /// For a client to go on reading a response.
    pub response: Duration,
    /// For requests in flight to finish at shutdown.
    pub shutdown: Duration,
}

/// What one request, and one client, may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// Field lines of a request's head.
    pub header_fields: usize,
    /// A request's cookies.
    pub cookies: RequestLimits,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub client_connections: usize,
    /// Streams of one HTTP/2 connection.
    pub streams: u32,
    /// Unanswered requests that one HTTP/2 connection may reset, more than it let be answered.
    pub resets: u32,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            request_head: Duration::from_secs(60),
            request_body: Duration::from_secs(60),
            idle: Duration::from_secs(180),
            response: Duration::from_secs(60),
            shutdown: Duration::from_secs(30),
        }
    }
}

impl Default for Limits {
    /// Heads as large as browsers and API clients send, uploads of whole datasets, and as many
    /// clients as a machine has memory for; one address, be it a town hall's, gets a quarter.
    fn default() -> Self {
        Self {
            header_bytes: 64 * 1024,
            header_fields: 100,
            cookies: RequestLimits::default(),
            body_bytes: 2 << 30,
            connections: 65_536,
            client_connections: 16_384,
            streams: 128,
            resets: 200,
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info` or `debug`.
    pub level: Box<str>,
    /// Whether each line is a JSON object.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), json: false }
    }
}

/// Where choices are recorded: the proof of consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The file.
    pub path: PathBuf,
    /// Bytes beyond which the file is put aside and the next one begun.
    pub max_size: u64,
    /// How many of the files that were put aside are kept; 0 for all.
    pub keep: usize,
}

impl Proof {
    /// Some 60,000 choices: a file that an editor still opens.
    pub const MAX_SIZE: u64 = 16 << 20;
}

/// One portal: its names, its upstream, and its charter.
#[derive(Debug)]
pub struct Site {
    /// Its domain, in lower case; the `site` label of every metric.
    pub domain: Box<str>,
    /// Further domains, in lower case.
    pub aliases: Vec<Box<str>>,
    /// Its certificates, and what it tells clients about TLS.
    pub tls: Tls,
    /// Where the portal is, and how it is spoken to.
    pub upstream: Upstream,
    /// What becomes of cookies in shared caches.
    pub cache: CacheRule,
    /// Whether decisions are carried out.
    pub mode: Mode,
    /// What is expired once consent no longer covers it.
    pub withdrawal: WithdrawalRule,
    /// The language of the pages visitors see.
    pub language: Language,
    /// How long the firewall waits for the upstream.
    pub timeouts: Timeouts,
    /// How consent is read.
    pub consent: Rules,
    /// The page on which visitors read the charter and choose.
    pub page: Page,
    /// The compiled charter.
    pub charter: Charter,
}

impl Site {
    /// Whether decisions are counted alone, and nothing is changed.
    #[must_use]
    pub fn only_reports(&self) -> bool {
        self.mode == Mode::Report
    }
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
    /// For nothing to pass on an upgraded connection.
    pub upgrade: Duration,
}

/// A configuration that can be used, and the warnings about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Mistakes, none of them fatal.
    pub warnings: Mistakes,
}

/// What reading a configuration came to.
#[derive(Debug)]
pub struct Reading {
    /// The configuration, or every mistake in all of the files, warnings included.
    pub result: Result<Loaded, Mistakes>,
    /// What was read, and is to be looked at for changes.
    pub files: Files,
}

/// Reads the main file at `path` and the site files that it names, on every core.
///
/// # Errors
///
/// Every mistake in all of the files, warnings included.
pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
    read(path).result
}

/// As [`load`], with the files that were read.
#[must_use]
pub fn read(path: &Path) -> Reading {
    read_by(path, Crew::whole())
}

/// As [`read`], beside other work that must not wait: one core is left to that if there are several, and
/// the others often.
#[must_use]
pub fn read_beside(path: &Path) -> Reading {
    read_by(path, Crew::beside_others())
}

fn read_by(path: &Path, crew: Crew) -> Reading {
    let mut files = Files::new(path);
    let result = load_at(path, crew, unix_now(), &mut files);
    Reading { result, files }
}

/// Has the crew read, with `now` (seconds since 1970) to hold certificates against, and tells `files`
/// what is read.
fn load_at(path: &Path, crew: Crew, now: i64, files: &mut Files) -> Result<Loaded, Mistakes> {
    let mut mistakes = Mistakes::default();
    // A shell's pipe will do for this one.
    let text = decoded(path, std::fs::read(path), |_| OTHER_MAIN)?;
    let main = main_file::read(path, &text);
    mistakes.0.extend(main.mistakes.0);
    // What comes out of a pipe is not looked at again.
    let is_watched = path.is_file();
    let mut sites: Vec<(PathBuf, site::Read)> = Vec::with_capacity(main.sites.len());
    let read = threads::map(&main.sites, crew, |file| read_site(file, now));
    for (file, (seen, read)) in main.sites.into_iter().zip(read) {
        let mut named = Vec::new();
        match read {
            Ok(mut site) => {
                named = std::mem::take(&mut site.named);
                sites.push((file, site));
            }
            Err(unreadable) => mistakes.0.extend(unreadable.0),
        }
        if is_watched {
            files.add(seen, named);
        }
    }
    report_shared_domains(&mut sites);
    if let Some(server) = &main.server {
        report_unserved(server, &mut sites);
    }
    let sites: Vec<_> = sites
        .into_iter()
        .filter_map(|(_, read)| {
            mistakes.0.extend(read.mistakes.0);
            read.site.map(Arc::new)
        })
        .collect();
    match main.server {
        Some(server) if !mistakes.any_error() => {
            Ok(Loaded { config: Config { server, sites }, warnings: mistakes })
        }
        _ => Err(mistakes),
    }
}

/// Reads one site file, or says why it cannot be read; and its state before it was.
fn read_site(file: &Path, now: i64) -> (Fingerprint, Result<site::Read, Mistakes>) {
    let metadata = std::fs::metadata(file);
    let fingerprint = Fingerprint::with(file.to_owned(), &metadata);
    let read = metadata.and_then(|known| regular(file, &known));
    let text = decoded(file, read, |error| match error.kind() {
        io::ErrorKind::PermissionDenied => "let the user that the firewall runs as read it",
        io::ErrorKind::NotFound => "remove the link, or put back the file that it leads to",
        io::ErrorKind::IsADirectory => "name the files in it: \"sites/*.toml\"",
        _ => "name regular files, or patterns that match no others, in [server] sites",
    });
    (fingerprint, text.map(|text| site::read(file, &text, now)))
}

/// Reads one site from `text`, for tests and for charters that are not on disk; `file` names it in
/// mistakes, and paths in it are relative to that.
///
/// # Errors
///
/// Every mistake in it, warnings included.
pub fn site_from_str(file: &Path, text: &str) -> Result<Site, Mistakes> {
    let read = site::read(file, text, unix_now());
    match read.site {
        Some(site) if !read.mistakes.any_error() => Ok(site),
        _ => Err(read.mistakes),
    }
}

/// Seconds since 1970; a clock set before that counts as 1970.
#[must_use]
pub fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// The contents of a regular file. Anything else could keep whoever reads it waiting for ever, as a
/// pipe does, or never end, and no later configuration would be loaded.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    regular(path, &std::fs::metadata(path)?)
}

/// The contents of a file about which this is known, if it is a regular one.
fn regular(path: &Path, known: &Metadata) -> io::Result<Vec<u8>> {
    if !known.is_file() {
        let kind = match known.is_dir() {
            true => io::ErrorKind::IsADirectory,
            false => io::ErrorKind::InvalidInput,
        };
        return Err(io::Error::new(kind, "it is no regular file"));
    }
    std::fs::read(path)
}

/// What a file that could be read holds, as text.
fn decoded(
    path: &Path,
    read: io::Result<Vec<u8>>,
    remedy: impl Fn(&io::Error) -> &'static str,
) -> Result<String, Mistakes> {
    let bytes = read.map_err(|error| {
        let message = format!("cannot read the file: {error}");
        Mistakes(vec![Mistake::of_file(path, message, remedy(&error))])
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let message = "the file is not UTF-8".to_owned();
        let remedy = "save it as UTF-8, as TOML demands";
        Mistakes(vec![Mistake { line: Some(line), ..Mistake::of_file(path, message, remedy) }])
    })
}

/// Certificates and TLS listeners are of use together only, and a redirect with TLS that somebody serves.
fn report_unserved(server: &Server, sites: &mut [(PathBuf, site::Read)]) {
    let serves_tls = !server.listeners.https.is_empty();
    for (_, read) in sites {
        let redirect = read.redirect.take();
        if let Some(place) = redirect.filter(|_| !serves_tls && server.trusted_proxies.is_empty()) {
            read.mistakes.0.push(Mistake {
                severity: Severity::Warning,
                message: "every request is redirected to https, and nothing listens there".to_owned(),
                remedy: "add https = [\"0.0.0.0:443\"] to [server] in the main file; or trusted_proxies, with the network of the proxy that serves TLS".to_owned(),
                ..place
            });
        }
        // Of a certificate that cannot be used, its own mistake says it all.
        if read.mistakes.any_error_below("tls") {
            continue;
        }
        let (Some(site), Some(domain)) = (&read.site, read.names.first()) else { continue };
        let (message, remedy) = match (serves_tls, site.tls.certificates.is_empty()) {
            (true, true) => (
                "the site has no certificate, and cannot be reached over https",
                "add [[tls.certificate]] with chain and key",
            ),
            (false, false) => (
                "the site has a certificate, and nothing listens for https",
                "add https = [\"0.0.0.0:443\"] to [server] in the main file",
            ),
            _ => continue,
        };
        read.mistakes.0.push(Mistake {
            severity: Severity::Warning,
            message: message.to_owned(),
            remedy: remedy.to_owned(),
            ..domain.place.clone()
        });
    }
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
