//! The main file: listeners, limits, and where the sites are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys;
use super::mistake::Mistakes;
use super::reader::{At, Document, Table};
use super::{Limits, Log, Server};
use crate::enforce::RequestLimits;

const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// More header bytes than this belong into a body.
const MAX_HEADER_BYTES: usize = 1024 * 1024;

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
        sites = site_files(&document, &server);
        read_server(&document, &table, &server)
    });
    Read { server, sites, mistakes: document.into_mistakes() }
}

fn read_server(document: &Document<'_>, root: &Table<'_, '_>, server: &Table<'_, '_>) -> Server {
    for at in server.strings("https") {
        document.error(
            &at,
            "TLS towards clients is not built yet",
            "leave the list empty and terminate TLS in front of the firewall",
        );
    }
    let http = read_http(document, server);
    let admin = read_admin(document, server, &http);
    let timeouts = root.table("timeouts");
    let timeouts = timeouts.as_ref();
    let seconds = |at: Option<At<u32>>, default| {
        Duration::from_secs(at.map_or(default, |at| at.value.into()))
    };
    Server {
        http: http.into_iter().map(|at| at.value).collect(),
        admin,
        workers: server.integer("workers", 1024).map(|at| at.value),
        limits: read_limits(root.table("limits").as_ref()),
        request_head_timeout: seconds(timeouts.and_then(|table| table.time("request_head")), 60),
        response_timeout: seconds(timeouts.and_then(|table| table.time("response")), 60),
        shutdown_timeout: seconds(timeouts.and_then(|table| table.duration("shutdown")), 30),
        log: read_log(root.table("log").as_ref()),
    }
}

fn read_http(document: &Document<'_>, server: &Table<'_, '_>) -> Vec<At<SocketAddr>> {
    if let Some(at) = server.empty_list("http") {
        document.error(&at, "no address to listen on", "write for example [\"0.0.0.0:8080\"]");
    }
    let mut addresses: Vec<At<SocketAddr>> = Vec::new();
    for at in server.strings("http") {
        let Some(value) = address(document, &at) else { continue };
        if addresses.iter().any(|other| collide(other.value, value)) {
            document.error(
                &at,
                "this address is taken by another one above",
                "keep one of the two",
            );
        }
        addresses.push(At { value, key: at.key, span: at.span });
    }
    addresses
}

fn read_admin(
    document: &Document<'_>,
    server: &Table<'_, '_>,
    http: &[At<SocketAddr>],
) -> SocketAddr {
    let written = server.string("admin");
    let admin = written.as_ref().and_then(|at| address(document, at)).unwrap_or(DEFAULT_ADMIN);
    if let Some(public) = http.iter().find(|public| collide(public.value, admin)) {
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
    let ips = [one.ip(), other.ip()];
    one.port() == other.port()
        && one.port() != 0
        && one.is_ipv4() == other.is_ipv4()
        && (ips[0] == ips[1] || ips.iter().any(IpAddr::is_unspecified))
}

fn read_limits(table: Option<&Table<'_, '_>>) -> Limits {
    let limit = |name, max, default| {
        table.and_then(|table| table.integer(name, max)).map_or(default, |at| at.value)
    };
    let cookies = RequestLimits::default();
    Limits {
        header_bytes: limit("header_bytes", MAX_HEADER_BYTES, 64 * 1024),
        cookies: RequestLimits {
            pairs: limit("cookies", 10_000, cookies.pairs),
            bytes: limit("cookie_bytes", MAX_HEADER_BYTES, cookies.bytes),
        },
    }
}

fn read_log(table: Option<&Table<'_, '_>>) -> Log {
    let word = |name| table.and_then(|table| table.word(name)).map(|at| at.value);
    Log {
        level: word("level").unwrap_or("info").into(),
        json: word("format").is_some_and(|format| format == "json"),
    }
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

fn site_files(document: &Document<'_>, server: &Table<'_, '_>) -> Vec<PathBuf> {
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
                document.error(at, message, "write a path, or a pattern like \"sites/*.toml\"");
            }
        }
    }
    files.sort();
    files.dedup();
    files
}

fn matches(file: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let directory = file.parent().unwrap_or(Path::new(""));
    // A bracket or a star in the directory's own name is no pattern.
    let directory = glob::Pattern::escape(&directory.to_string_lossy());
    let pattern = Path::new(&directory).join(pattern);
    let found = glob::glob(&pattern.to_string_lossy()).map_err(|error| error.to_string())?;
    found.map(|path| path.map_err(|error| error.to_string())).collect()
}
