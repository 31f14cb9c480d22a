//! The main file: listeners, limits, and where the sites are.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::keys;
use super::mistake::Mistakes;
use super::reader::{At, Document, Table};
use super::{ClientTimeouts, Limits, Listener, Listeners, Log, Networks, Proof, Server, networks};
use crate::enforce::RequestLimits;

/// More header bytes than this belong into a body.
const MAX_HEADER_BYTES: usize = 1024 * 1024;

/// More connections than this have no port to come from.
const MAX_CONNECTIONS: usize = 10_000_000;

/// What the main file says.
pub(super) struct Read {
    /// `None` where a mistake left nothing to use.
    pub(super) server: Option<Server>,
    /// The site files, in order and each once.
    pub(super) sites: Vec<PathBuf>,
    pub(super) mistakes: Mistakes,
}

pub(super) fn read(file: &Path, text: &str) -> Read {
    let document = Document::new(file, text);
    let root = document.parse();
    let table = Table::root(&document, &root, keys::MAIN);
    let mut sites = Vec::new();
    let server = table.table("server").map(|server| {
        sites = read_sites(&document, &server);
        read_server(&document, &table, &server)
    });
    Read { server, sites, mistakes: document.take_mistakes() }
}

fn read_server(document: &Document<'_>, root: &Table<'_, '_>, server: &Table<'_, '_>) -> Server {
    let workers = server.integer("workers", 1024).map(|at| at.value);
    Server {
        listeners: read_listeners(document, server),
        trusted_proxies: read_networks(document, server),
        reuse_port: server.bool("reuse_port").is_some_and(|at| at.value),
        workers,
        limits: read_limits(root.table("limits").as_ref()),
        timeouts: read_timeouts(root.table("timeouts").as_ref()),
        log: read_log(root.table("log").as_ref()),
        proof: root.table("proof").and_then(|proof| read_proof(document, &proof)),
    }
}

fn read_listeners(document: &Document<'_>, server: &Table<'_, '_>) -> Listeners {
    let mut taken = Vec::new();
    let http = read_addresses(document, server, "http", &mut taken);
    let https = read_addresses(document, server, "https", &mut taken);
    if server.has_none("http") && server.has_none("https") {
        document.error(
            &server.at(),
            "no address to listen on",
            "write for example http = [\"0.0.0.0:8080\"]",
        );
    }
    let proxied = read_proxied(document, server, &taken);
    let listener = |address| Listener { address, proxy_protocol: proxied.contains(&address) };
    let admin = read_admin(document, server, &taken);
    Listeners {
        http: http.into_iter().map(listener).collect(),
        https: https.into_iter().map(listener).collect(),
        admin,
    }
}

fn read_addresses(
    document: &Document<'_>,
    server: &Table<'_, '_>,
    key: &'static str,
    taken: &mut Vec<At<SocketAddr>>,
) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for at in server.strings(key) {
        let Some(value) = address(document, &at) else { continue };
        if let Some(other) = taken.iter().find(|other| collide(other.value, value)) {
            let is_dual = value.is_ipv4() != other.value.is_ipv4();
            let dual = "keep the one of IPv6 alone, which IPv4 comes to as well";
            let remedy = if is_dual { dual } else { "keep one of the two" };
            document.error(&at, "this address is taken by another one above", remedy);
        }
        addresses.push(value);
        taken.push(At { value, key: at.key, span: at.span });
    }
    addresses
}

/// The listeners that expect the PROXY protocol, each of which must be one.
fn read_proxied(
    document: &Document<'_>,
    server: &Table<'_, '_>,
    listeners: &[At<SocketAddr>],
) -> Vec<SocketAddr> {
    let mut proxied = Vec::new();
    for at in server.strings("proxy_protocol") {
        let Some(value) = address(document, &at) else { continue };
        if listeners.iter().any(|listener| listener.value == value) {
            proxied.push(value);
        } else {
            let remedy = "write an address of http or https just as it stands there";
            document.error(&at, "no listener has this address", remedy);
        }
        if server.has_none("trusted_proxies") {
            let remedy = "add trusted_proxies with the network of the proxy";
            document.error(&at, "no proxy is trusted, so nobody could connect", remedy);
        }
    }
    proxied
}

fn read_networks(document: &Document<'_>, server: &Table<'_, '_>) -> Networks {
    let written = server.strings("trusted_proxies").into_iter();
    let parsed = written.filter_map(|at| {
        let network = networks::parse(at.value);
        if network.is_none() {
            let remedy = "write for example \"10.0.0.0/8\", \"192.0.2.7\" or \"fd00::/8\"";
            document.error(&at, format!("{:?} is not a network", at.value), remedy);
        }
        network
    });
    parsed.collect()
}

fn read_admin(
    document: &Document<'_>,
    server: &Table<'_, '_>,
    listeners: &[At<SocketAddr>],
) -> SocketAddr {
    let written = server.string("admin");
    let admin =
        written.as_ref().and_then(|at| address(document, at)).unwrap_or(Listeners::default().admin);
    if let Some(public) = listeners.iter().find(|public| collide(public.value, admin)) {
        let place = written.map_or_else(|| public.clone().place(), At::place);
        document.error(
            &place,
            format!("the admin listener needs an address of its own, and {admin} is public"),
            "write another port for admin, on an address that visitors cannot reach",
        );
    }
    admin
}

/// Whether no two listeners can have these addresses.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let ips = [one.ip().to_canonical(), other.ip().to_canonical()];
    let overlap = ips[0] == ips[1]
        || ips.contains(&IpAddr::V6(Ipv6Addr::UNSPECIFIED))
        || (ips[0].is_ipv4() == ips[1].is_ipv4() && ips.iter().any(IpAddr::is_unspecified));
    one.port() == other.port() && one.port() != 0 && overlap
}

fn read_limits(table: Option<&Table<'_, '_>>) -> Limits {
    let limit = |name, max, default| {
        table.and_then(|table| table.integer(name, max)).map_or(default, |at| at.value)
    };
    let small = |name, max, default: u32| {
        u32::try_from(limit(name, max, default as usize)).unwrap_or(default)
    };
    let Limits { header_bytes, header_fields, cookies, body_bytes, .. } = Limits::default();
    let Limits { connections, client_connections, streams, resets, .. } = Limits::default();
    Limits {
        header_bytes: limit("header_bytes", MAX_HEADER_BYTES, header_bytes),
        header_fields: limit("header_fields", 10_000, header_fields),
        cookies: RequestLimits {
            pairs: limit("cookies", 10_000, cookies.pairs),
            bytes: limit("cookie_bytes", MAX_HEADER_BYTES, cookies.bytes),
        },
        body_bytes: limit("body_bytes", isize::MAX.unsigned_abs(), body_bytes),
        connections: limit("connections", MAX_CONNECTIONS, connections),
        client_connections: limit("client_connections", MAX_CONNECTIONS, client_connections),
        streams: small("streams", 10_000, streams),
        resets: small("resets", 1_000_000, resets),
    }
}

fn read_timeouts(table: Option<&Table<'_, '_>>) -> ClientTimeouts {
    let time = |name, default: Duration| {
        let seconds = table.and_then(|table| table.time(name));
        seconds.map_or(default, |at| Duration::from_secs(at.value.into()))
    };
    let shutdown = table.and_then(|table| table.duration("shutdown"));
    let default = ClientTimeouts::default();
    ClientTimeouts {
        handshake: time("handshake", default.handshake),
        request_head: time("request_head", default.request_head),
        request_body: time("request_body", default.request_body),
        idle: time("idle", default.idle),
        response: time("response", default.response),
        shutdown: shutdown.map_or(default.shutdown, |at| Duration::from_secs(at.value.into())),
    }
}

fn read_log(table: Option<&Table<'_, '_>>) -> Log {
    let word = |name| table.and_then(|table| table.word(name)).map(|at| at.value);
    Log {
        level: word("level").map_or_else(|| Log::default().level, Into::into),
        json: word("format").is_some_and(|format| format == "json"),
    }
}

/// Whether the file can be written is seen when it is opened: `check` may be run by somebody else.
fn read_proof(document: &Document<'_>, table: &Table<'_, '_>) -> Option<Proof> {
    let max_size = table.integer("max_size", isize::MAX.unsigned_abs());
    let keep = table.number("keep", 0, 1_000_000).map_or(0, |at| at.value);
    let at = table.string("path")?;
    let path = document.file().parent().unwrap_or(Path::new("")).join(at.value);
    if at.value.is_empty() || at.value.ends_with('/') || path.is_dir() {
        let remedy = "write the name of a file, for example \"proof/choices.jsonl\"";
        document.error(&at, "this is no file", remedy);
    } else if !path.parent().is_some_and(|folder| folder.join(".").is_dir()) {
        let remedy = "make the folder, for the user that the firewall runs as to write to";
        document.error(&at, "the folder of this file is not there", remedy);
    }
    let max_size = max_size.map_or(Proof::MAX_SIZE, |at| at.value as u64);
    Some(Proof { path, max_size, keep })
}

fn address(document: &Document<'_>, at: &At<&str>) -> Option<SocketAddr> {
    let address = at.value.parse().ok();
    if address.is_none() {
        document.error(
            at,
            format!("{:?} is not an address and port", at.value),
            "write for example \"0.0.0.0:8080\", \"127.0.0.1:8080\" or \"[::]:8080\"",
        );
    }
    address
}

fn read_sites(document: &Document<'_>, server: &Table<'_, '_>) -> Vec<PathBuf> {
    if let Some(at) = server.empty_list("sites") {
        document.error(&at, "no site file is named", "write for example [\"sites/*.toml\"]");
    }
    let patterns = server.strings("sites");
    let mut files: Vec<PathBuf> = Vec::new();
    for at in &patterns {
        let found = matches(document.file(), at.value);
        match found {
            Ok(found) if found.is_empty() => document.error(
                at,
                "no file matches",
                "name a site file, or a pattern like \"sites/*.toml\", relative to this file",
            ),
            Ok(found) => files.extend(found),
            Err(message) => {
                let remedy =
                    "write a path, or a pattern like \"sites/*.toml\"; names of files in UTF-8";
                document.error(at, message, remedy);
            }
        }
    }
    files.sort();
    files.dedup();
    files
}

fn matches(file: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let base = file.parent().unwrap_or(Path::new(""));
    // A bracket or a star in the directory's own name is no pattern.
    let escaped = glob::Pattern::escape(&base.to_string_lossy());
    let whole = Path::new(&escaped).join(pattern);
    let mut found = find(&whole)?;
    if !is_hidden(Path::new(pattern)) {
        let base = without_dots(base);
        found.retain(|path| {
            let path = without_dots(path);
            !is_hidden(path.strip_prefix(&base).unwrap_or(&path))
        });
    }
    match unreadable_name(&whole) {
        None => Ok(found),
        Some(name) => Err(format!("the file name {name:?} matches, and is not UTF-8")),
    }
}

/// Not with the option for leading dots, at which `glob` panics where a name is not UTF-8.
fn find(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let found = glob::glob(&pattern.to_string_lossy()).map_err(|error| error.to_string())?;
    found.map(|path| path.map_err(|error| error.to_string())).collect()
}

/// A path without the components that lead nowhere else, which `glob` may leave out.
fn without_dots(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Whether a file, or a folder on the way to it, begins with a dot. What editors and systems keep
/// beside a file does, as a lock of Emacs', and is no site file unless the pattern says so.
fn is_hidden(path: &Path) -> bool {
    path.components().any(|part| match part {
        Component::Normal(name) => name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    })
}

/// A file that the pattern would match if its name were UTF-8: `glob` passes it over.
fn unreadable_name(pattern: &Path) -> Option<OsString> {
    let last = glob::Pattern::new(pattern.file_name()?.to_str()?).ok()?;
    let parent = pattern.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folders = parent.map_or_else(|| Ok(vec![".".into()]), find).ok()?.into_iter();
    let names = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    names.filter_map(|entry| Some(entry.ok()?.file_name())).find(|name| {
        let is_readable = name.to_str().is_some() || is_hidden(Path::new(name));
        !is_readable && last.matches(&name.to_string_lossy())
    })
}
