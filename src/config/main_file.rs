//! The main file: listeners, limits, and where the sites are.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::keys;
use super::mistake::Mistakes;
use super::reader::{At, Document, Table};
use super::{Limits, Log, Server};
use crate::enforce::RequestLimits;

const DEFAULT_ADMIN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);

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
    let http = server.strings("http");
    if http.is_empty() {
        document.error(&server.at(), "no address to listen on", "add http = [\"0.0.0.0:8080\"]");
    }
    let http: Vec<_> = http.iter().filter_map(|at| address(document, at)).collect();
    let admin = server.string("admin").and_then(|at| {
        let admin = address(document, &at)?;
        if admin.port() != 0 && http.contains(&admin) {
            document.error(
                &at,
                "the admin listener has an address of its own",
                "write another port, on an address that visitors cannot reach",
            );
        }
        Some(admin)
    });
    let timeouts = root.table("timeouts");
    let timeout = |name, default| {
        let seconds = timeouts.as_ref().and_then(|table| table.duration(name));
        Duration::from_secs(seconds.map_or(default, |at| at.value.into()))
    };
    Server {
        http,
        admin: admin.unwrap_or(DEFAULT_ADMIN),
        workers: server.integer("workers", 1024).map(|at| at.value),
        limits: read_limits(root.table("limits").as_ref()),
        request_head_timeout: timeout("request_head", 60),
        shutdown_timeout: timeout("shutdown", 30),
        log: read_log(root.table("log").as_ref()),
    }
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
