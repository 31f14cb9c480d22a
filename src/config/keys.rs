//! Every key of the configuration, once: the reader refuses what is not here, `schema` is generated
//! from it, and a test holds `docs/configuration.md` to it.

/// What a key's value must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    String,
    /// One of these words.
    Word(&'static [&'static str]),
    Bool,
    /// A whole number, one or more.
    Integer,
    /// See `duration`.
    Duration,
    Strings,
    /// One string or a list of them.
    OneOrMore,
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
];

const SERVER: &[Key] = &[
    required(
        "http",
        Kind::Strings,
        "Addresses that serve HTTP/1.1 in clear text; port 0 picks a free port, which the log names.",
    ),
    key("https", Kind::Strings, "Addresses that serve TLS. Not built yet: must be empty."),
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
    key("cookies", Kind::Integer, "Cookie pairs of a request. Default: 300. Beyond: 431."),
    key(
        "cookie_bytes",
        Kind::Integer,
        "Bytes of a request's Cookie fields together. Default: 32768. Beyond: 431.",
    ),
];

const TIMEOUTS: &[Key] = &[
    key(
        "request_head",
        Kind::Duration,
        "For a request's head to arrive, idle time between two requests included. Default: \"60 s\".",
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

/// A site file.
pub(super) const SITE: &[Key] = &[
    required("domain", Kind::String, "The portal's domain."),
    key("aliases", Kind::Strings, "Further domains of the same portal. Default: none."),
    required(
        "upstream",
        Kind::OneOrMore,
        "Where the portal is: \"http://host:port\" or \"https://host\"; of a list, each in turn.",
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
    key("timeouts", Kind::Table(SITE_TIMEOUTS), "How long the firewall waits for the upstream."),
    key("consent", Kind::Table(CONSENT), "How the visitor's choice is read."),
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
];

const CONSENT: &[Key] = &[
    key(
        "tool",
        Kind::Word(&["opendatasoft"]),
        "The consent tool whose cookie is read. Default: \"opendatasoft\".",
    ),
    key("cookie", Kind::String, "The consent cookie's name. Default: the tool's own."),
    key("max_age", Kind::Duration, "An older answer counts as no answer. Default: \"6 months\"."),
    key(
        "categories",
        Kind::Lists,
        "The tool's ids in each category of this charter. Default: the tool's usual ones.",
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
