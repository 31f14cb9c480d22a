//! Every key of the configuration, once: the reader refuses what is not here, `schema` is generated
//! from it, and a test holds `docs/configuration.md` to it.

use crate::consent::Tool;

/// What a key's value must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    String,
    /// One of these words.
    Word(&'static [&'static str]),
    Bool,
    /// A whole number, one or more.
    Integer,
    /// A whole number, or none at all.
    Number,
    /// See `duration`.
    Duration,
    Strings,
    /// A string, a table with these keys, or a list of either.
    Items(&'static [Key]),
    /// A table from strings to strings.
    Map,
    /// A table from strings to lists of strings.
    Lists,
    Table(&'static [Key]),
    Tables(&'static [Key]),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) doc: &'static str,
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, required: false, doc }
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, required: true, doc }
}

/// The main file.
pub(super) const MAIN: &[Key] = &[
    required("server", Kind::Table(SERVER), "Listeners and sites."),
    key("limits", Kind::Table(LIMITS), "What one request may cost."),
    key("timeouts", Kind::Table(TIMEOUTS), "How long the firewall waits for clients."),
    key("log", Kind::Table(LOG), "What is logged, on standard error."),
    key("proof", Kind::Table(PROOF), "Where visitors' choices are recorded. Default: nowhere."),
];

const SERVER: &[Key] = &[
    key(
        "http",
        Kind::Strings,
        "Addresses that serve clear text: HTTP/1.1, and HTTP/2 with prior knowledge; port 0 picks a free port, which the log names. Default: none.",
    ),
    key(
        "https",
        Kind::Strings,
        "Addresses that serve TLS: HTTP/2 and HTTP/1.1; certificates are named in the site files. Default: none.",
    ),
    key(
        "proxy_protocol",
        Kind::Strings,
        "Which of these addresses expect the PROXY protocol, v1 or v2, from trusted_proxies. Default: none.",
    ),
    key(
        "trusted_proxies",
        Kind::Strings,
        "Networks whose Forwarded, X-Forwarded-* and PROXY headers are believed: \"10.0.0.0/8\", \"::1\". Default: none.",
    ),
    key(
        "reuse_port",
        Kind::Bool,
        "Whether a second process may listen on the same addresses, to take over from this one (SO_REUSEPORT). Default: false.",
    ),
    key(
        "admin",
        Kind::String,
        "Address of the admin listener (metrics and health), never reachable through the others. Default: \"127.0.0.1:9090\".",
    ),
    required("sites", Kind::Strings, "Site files, as paths or patterns relative to this file."),
    key("workers", Kind::Integer, "Threads that serve connections. Default: one for each core."),
];

const LIMITS: &[Key] = &[
    key("header_bytes", Kind::Integer, "Bytes of a request's head. Default: 65536. Beyond: 431."),
    key(
        "header_fields",
        Kind::Integer,
        "Field lines of a request's head, Cookie fields of HTTP/2 not counted. Default: 100. Beyond: 431.",
    ),
    key("cookies", Kind::Integer, "Cookie pairs of a request. Default: 300. Beyond: 431."),
    key(
        "cookie_bytes",
        Kind::Integer,
        "Bytes of a request's Cookie fields together. Default: 32768. Beyond: 431.",
    ),
    key(
        "body_bytes",
        Kind::Integer,
        "Bytes of a request's body. Default: 2147483648. Beyond: 413.",
    ),
    key(
        "connections",
        Kind::Integer,
        "Open connections from clients in all. Default: 65536. Beyond, new ones are closed.",
    ),
    key(
        "client_connections",
        Kind::Integer,
        "Open connections from one client address, trusted proxies excepted. Default: 16384. Beyond, new ones are closed.",
    ),
    key("streams", Kind::Integer, "Open streams of one HTTP/2 connection. Default: 128."),
    key(
        "resets",
        Kind::Integer,
        "Requests of one HTTP/2 connection that are reset before their answer, more than are answered. Default: 200. Beyond, the connection is closed.",
    ),
];

const TIMEOUTS: &[Key] = &[
    key(
        "request_head",
        Kind::Duration,
        "For a request's head to arrive, idle time between two requests included. Default: \"60 s\".",
    ),
    key(
        "request_body",
        Kind::Duration,
        "For a request's body to arrive; each KiB that has come gives a second more. Default: \"60 s\". Beyond: 408.",
    ),
    key(
        "handshake",
        Kind::Duration,
        "For a TLS handshake and a PROXY header to arrive. Default: \"10 s\". Beyond, the connection is closed.",
    ),
    key(
        "idle",
        Kind::Duration,
        "For an HTTP/2 connection without open streams. Default: \"3 min\". Beyond, the connection is closed.",
    ),
    key(
        "response",
        Kind::Duration,
        "For a client to go on reading a response that it has stopped reading. Default: \"60 s\".",
    ),
    key(
        "shutdown",
        Kind::Duration,
        "For requests in flight to finish after SIGTERM. Default: \"30 s\".",
    ),
];

const LOG: &[Key] = &[
    key(
        "level",
        Kind::Word(&["error", "warn", "info", "debug"]),
        "The least severity that is logged. \"debug\" logs every decision. Default: \"info\".",
    ),
    key(
        "format",
        Kind::Word(&["text", "json"]),
        "Lines for people, or an object a line. Default: \"text\".",
    ),
];

const PROOF: &[Key] = &[
    required(
        "path",
        Kind::String,
        "File, relative to this one, that each choice made on the firewall's page is appended to.",
    ),
    key(
        "max_size",
        Kind::Integer,
        "Bytes beyond which the file is put aside, its name followed by the time. Default: 16777216.",
    ),
    key(
        "keep",
        Kind::Number,
        "How many of the files that were put aside are kept; 0 keeps all. Default: 0.",
    ),
];

/// A site file.
pub(super) const SITE: &[Key] = &[
    required("domain", Kind::String, "The portal's domain."),
    key("aliases", Kind::Strings, "Further domains of the same portal. Default: none."),
    required(
        "upstream",
        Kind::Items(UPSTREAM),
        "Where the portal is: \"http://host:port\" or \"https://host\", a table with url and weight, or a list of these.",
    ),
    key(
        "upstream_http",
        Kind::Word(&["auto", "1.1", "2"]),
        "The HTTP version spoken to the upstream: over TLS \"auto\" lets it choose, in clear text it is 1.1; \"2\" needs no negotiation. Default: \"auto\".",
    ),
    key(
        "balance",
        Kind::Word(&["least-loaded", "round-robin", "first"]),
        "How one of several addresses is chosen: the less loaded of two random ones, each in turn, or the first that works. Default: \"least-loaded\".",
    ),
    key(
        "retries",
        Kind::Number,
        "How often a request that may be sent again is, after a failure. Default: 2.",
    ),
    key(
        "upstream_host",
        Kind::String,
        "The Host field sent upstream. Default: the one the client sent.",
    ),
    key(
        "upstream_ca",
        Kind::String,
        "PEM file with the authorities that sign the upstream's certificate, relative to this file. Default: the public ones.",
    ),
    key(
        "upstream_connections",
        Kind::Integer,
        "Connections to the upstream at most; beyond, 503. Default: 1024.",
    ),
    key(
        "mode",
        Kind::Word(&["enforce", "report"]),
        "\"report\" decides and counts, and changes nothing. Default: \"enforce\".",
    ),
    key(
        "language",
        Kind::Word(&["fr", "en"]),
        "Language of the pages that visitors see. Default: \"fr\".",
    ),
    key(
        "cookie_domain",
        Kind::Map,
        "The upstream's own cookie domains and what the site calls them; \"\" removes the attribute.",
    ),
    key(
        "cookie_path",
        Kind::Map,
        "Prefixes of the upstream's cookie paths and what takes their place.",
    ),
    key(
        "cache",
        Kind::Word(&["private", "no-store", "keep"]),
        "What Cache-Control says of a response that carries a cookie and that a shared cache could store. Default: \"private\".",
    ),
    key("tls", Kind::Table(TLS), "Certificates, the redirect from HTTP, and HSTS."),
    key("pool", Kind::Table(POOL), "Connections to the upstream that are kept."),
    key("health", Kind::Table(HEALTH), "When an address of the upstream counts as down."),
    key("timeouts", Kind::Table(SITE_TIMEOUTS), "How long the firewall waits for the upstream."),
    key("consent", Kind::Table(CONSENT), "How the visitor's choice is read."),
    key("page", Kind::Table(PAGE), "The page on which visitors read the charter and choose."),
    key(
        "withdrawal",
        Kind::Table(WITHDRAWAL),
        "What is removed from the visitor's browser once consent no longer covers it.",
    ),
    key("cookie", Kind::Tables(COOKIE), "The charter: one entry for each declared cookie."),
];

const SITE_TIMEOUTS: &[Key] = &[
    key(
        "connect",
        Kind::Duration,
        "For a connection to the upstream. Default: \"5 s\". Beyond: 504.",
    ),
    key(
        "first_byte",
        Kind::Duration,
        "For the head of the response. Default: \"60 s\". Beyond: 504.",
    ),
    key(
        "idle",
        Kind::Duration,
        "Between two pieces of a body, in either direction. Default: \"60 s\". Beyond, the exchange is cut.",
    ),
    key(
        "upgrade",
        Kind::Duration,
        "For nothing to pass on a WebSocket, in either direction. Default: \"1 hour\". Beyond, it is cut.",
    ),
];

/// One address of an upstream, at length.
const UPSTREAM: &[Key] = &[
    required("url", Kind::String, "\"http://host:port\" or \"https://host\"."),
    key("weight", Kind::Integer, "Its share, beside the others' weights. Default: 1."),
];

const TLS: &[Key] = &[
    key(
        "certificate",
        Kind::Tables(CERTIFICATE),
        "Certificates, for example one with an ECDSA key and one with an RSA key.",
    ),
    key(
        "redirect",
        Kind::Bool,
        "Whether a request in clear text is redirected to https. Default: false.",
    ),
    key("redirect_port", Kind::Integer, "The port that it is redirected to. Default: 443."),
    key(
        "hsts",
        Kind::Duration,
        "For how long user agents are told to use https only (Strict-Transport-Security). Default: they are not told.",
    ),
    key("hsts_subdomains", Kind::Bool, "Whether that holds for subdomains too. Default: false."),
    key(
        "hsts_preload",
        Kind::Bool,
        "Whether the site asks to be on preload lists. Default: false.",
    ),
];

const CERTIFICATE: &[Key] = &[
    required(
        "chain",
        Kind::String,
        "PEM file with the certificate and its intermediates, relative to this file.",
    ),
    required("key", Kind::String, "PEM file with its private key, relative to this file."),
];

const POOL: &[Key] = &[
    key(
        "idle_connections",
        Kind::Integer,
        "Idle connections that each worker keeps for one address. Default: 256.",
    ),
    key("idle", Kind::Duration, "How long a connection may be idle. Default: \"60 s\"."),
    key("max_age", Kind::Duration, "How old a connection may become. Default: \"1 hour\"."),
    key("resolve", Kind::Duration, "How often names are resolved again. Default: \"10 s\"."),
];

const HEALTH: &[Key] = &[
    key(
        "path",
        Kind::String,
        "What is asked of every address, with GET, to see whether it is up. Default: none.",
    ),
    key("interval", Kind::Duration, "How often it is asked. Default: \"5 s\"."),
    key("timeout", Kind::Duration, "For the head of its answer. Default: \"2 s\"."),
    key("healthy_after", Kind::Integer, "Good answers in a row for it to be up. Default: 2."),
    key("unhealthy_after", Kind::Integer, "Failures in a row for it to be down. Default: 3."),
    key(
        "eject_after",
        Kind::Integer,
        "Failed exchanges in a row for it to be left alone. Default: 5.",
    ),
    key("eject_for", Kind::Duration, "For how long. Default: \"10 s\"."),
];

const CONSENT: &[Key] = &[
    key(
        "tool",
        Kind::Word(&Tool::NAMES),
        "The consent tool whose cookies are read. Default: \"opendatasoft\".",
    ),
    key("cookie", Kind::String, "The consent cookie's name. Default: the tool's own."),
    key("max_age", Kind::Duration, "An older answer counts as no answer. Default: \"6 months\"."),
    key(
        "revision",
        Kind::Number,
        "The revision of the site's question that an answer must be to, where the tool's cookie or the firewall's own beside it tells of one. Default: any.",
    ),
    key(
        "gpc",
        Kind::Strings,
        "The categories that Sec-GPC: 1 denies. Default: [\"marketing\", \"third-party\"].",
    ),
    key(
        "categories",
        Kind::Lists,
        "The tool's ids in each category of this charter. Default: the tool's usual ones.",
    ),
];

const PAGE: &[Key] = &[
    key(
        "path",
        Kind::String,
        "A second address of the page, such as \"/cookies/\". Default: none.",
    ),
    key("title", Kind::String, "Its title in the site's language. Default: the charter's."),
    key(
        "accent",
        Kind::String,
        "The colour of buttons and links, \"#rrggbb\", at least 4.5:1 beside white. Default: \"#1f4e8c\".",
    ),
    key(
        "logo",
        Kind::String,
        "SVG, PNG, JPEG or WebP file of 256 KiB at most, relative to this file. Default: none.",
    ),
];

const WITHDRAWAL: &[Key] = &[
    key(
        "expire",
        Kind::Word(&["denied", "denied-and-undeclared", "off"]),
        "The cookies that a response expires when its request brought them: those that the visitor has refused, those and undeclared ones, or none. Default: \"denied\".",
    ),
    key(
        "on",
        Kind::Word(&["navigations", "all"]),
        "The responses that do so: to requests for pages, or all. Default: \"navigations\".",
    ),
    key(
        "limit",
        Kind::Integer,
        "The Set-Cookie lines that are added to one response at most. Default: 64.",
    ),
];

const COOKIE: &[Key] = &[
    required(
        "name",
        Kind::String,
        "The cookie's name, case included; '*' stands for any run of characters, '?' for one, a backslash takes the next literally.",
    ),
    key("provider", Kind::String, "Who sets it."),
    key("service", Kind::String, "The service it belongs to."),
    key("purpose", Kind::String, "What it is for, in the words that visitors read."),
    required(
        "category",
        Kind::String,
        "necessary, statistics, preferences, marketing, third-party, or one of the site's own.",
    ),
    key(
        "anonymous",
        Kind::Bool,
        "Statistics from which nobody can be told apart: exempt from consent. Default: false.",
    ),
    key(
        "consent",
        Kind::String,
        "The id whose consent it needs. Default: every id of its category.",
    ),
    key(
        "max_age",
        Kind::Duration,
        "A longer lifetime is cut to this; \"session\" removes it. Default: its own.",
    ),
    key("secure", Kind::Bool, "Whether it must have Secure, or must not. Default: its own."),
    key("http_only", Kind::Bool, "Whether it must have HttpOnly, or must not. Default: its own."),
    key(
        "partitioned",
        Kind::Bool,
        "Whether it must have Partitioned, or must not. Default: its own.",
    ),
    key(
        "same_site",
        Kind::Word(&["Strict", "Lax", "None"]),
        "The SameSite it must have. Default: its own.",
    ),
    key(
        "domain",
        Kind::String,
        "The Domain it must have; \"host-only\" for none. Default: its own.",
    ),
    key("path", Kind::String, "The Path it must have. Default: its own."),
];
