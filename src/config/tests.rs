//! Mistakes, defaults, and the files that the project publishes.
//!
//! In the texts below a line that is mistaken ends in `<-`.

use super::keys::{self, Key, Kind};
use super::*;
use crate::charter::{Category, DomainRule, LifetimeCap, Need, Scopes};
use crate::consent::{Ids, Tool};
use crate::cookie::SameSite;

/// The least that a site needs; what a case is about follows.
const SITE: &str = "domain = \"data.example.fr\"\nupstream = \"http://127.0.0.1:8000\"\n";

/// Declares the consent cookie, so that nothing warns of it.
const CONSENT_COOKIE: &str = "\n[[cookie]]\nname = \"cookies_preferences\"\ncategory = \"necessary\"\nprovider = \"p\"\npurpose = \"p\"\n";

fn site(middle: &str) -> String {
    format!("{SITE}{middle}\n{CONSENT_COOKIE}")
}

fn cookie(keys: &str) -> String {
    site(&format!("[[cookie]]\n{keys}"))
}

/// Where the site files of these tests stand; nothing is read from there but `upstream_ca`.
fn site_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("site.toml")
}

/// 21 September 2026.
const NOW: i64 = 1_790_000_000;

/// What visitors are told is one test's, and left out of the others' texts.
fn is_about_texts(mistake: &Mistake) -> bool {
    mistake.message.contains("visitors are to be told")
}

fn site_mistakes(text: &str) -> Vec<Mistake> {
    let mut mistakes = site::read(&site_file(), text, NOW).mistakes.0;
    mistakes.retain(|mistake| !is_about_texts(mistake));
    mistakes
}

/// The main file in the directory of the published one, whose site files it can name.
fn main_mistakes(text: &str) -> Vec<Mistake> {
    main_file::read(&repository("config/test.toml"), text).mistakes.0
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read_repository(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn checked(text: &str) -> Site {
    site_from_str(&site_file(), text).unwrap_or_else(|mistakes| panic!("{mistakes}\nin {text}"))
}

/// The lines, from 1, that are marked as mistaken.
fn marked(text: &str) -> Vec<usize> {
    text.lines().zip(1..).filter(|(line, _)| line.ends_with("<-")).map(|(_, at)| at).collect()
}

struct Case {
    name: &'static str,
    text: String,
    severity: Severity,
    key: &'static str,
    message: &'static str,
    remedy: &'static str,
}

/// A case that is an error; `key` is empty where the mistake is about no key.
fn error(
    name: &'static str,
    text: String,
    key: &'static str,
    message: &'static str,
    remedy: &'static str,
) -> Case {
    Case { name, text, severity: Severity::Error, key, message, remedy }
}

fn warning(
    name: &'static str,
    text: String,
    key: &'static str,
    message: &'static str,
    remedy: &'static str,
) -> Case {
    Case { severity: Severity::Warning, ..error(name, text, key, message, remedy) }
}

/// Each case holds exactly one mistake, on the marked line.
#[track_caller]
fn each_is_found(cases: Vec<Case>, file: &Path, read: fn(&str) -> Vec<Mistake>) {
    for case in cases {
        let Case { name, text, severity, key, message, remedy } = case;
        let found = read(&text);
        let [mistake] = &*found else { panic!("{name}: not one mistake but {found:#?}") };
        assert_eq!(mistake.severity, severity, "{name}: {mistake}");
        assert_eq!(mistake.file, file, "{name}: {mistake}");
        assert_eq!(mistake.line, marked(&text).first().copied().or(Some(1)), "{name}: {mistake}");
        assert!(mistake.column.is_some(), "{name}: {mistake}");
        assert_eq!(mistake.key.as_deref().unwrap_or_default(), key, "{name}: {mistake}");
        assert!(mistake.message.contains(message), "{name}: no {message:?} in: {mistake}");
        assert!(mistake.remedy.contains(remedy), "{name}: no remedy {remedy:?} in: {mistake}");
        assert!(!remedy.is_empty(), "{name}: every mistake has a remedy");
    }
}

#[track_caller]
fn each_site_mistake_is_found(cases: Vec<Case>) {
    each_is_found(cases, &site_file(), site_mistakes);
}

#[test]
fn mistakes_of_syntax() {
    each_site_mistake_is_found(vec![
        error("no value", site("mode = # <-"), "", "quoted", "toml.io"),
        error("no quotes", site("mode = enforce # <-"), "", "quoted", "double quotes"),
        error("no closing quote", site("mode = \"enforce # <-"), "", "invalid", "double quotes"),
        error("no equals sign", site("mode \"enforce\" # <-"), "", "expected `=`", "toml.io"),
        error("no closing bracket", site("[consent # <-"), "", "unclosed table", "brackets"),
        error(
            "the same key twice",
            site("mode = \"enforce\"\nmode = \"report\" # <-"),
            "",
            "duplicate key \"mode\"",
            "keep one of the two",
        ),
        error(
            "the same table twice",
            site("[consent]\ntool = \"opendatasoft\"\n[consent] # <-\nmax_age = \"1 day\""),
            "",
            "duplicate key \"consent\"",
            "keep one of the two",
        ),
        error(
            "the same key of a table twice",
            site("[consent.categories]\nstatistics = [\"a\"]\nstatistics = [\"b\"] # <-"),
            "",
            "duplicate key \"statistics\"",
            "keep one of the two",
        ),
    ]);
}

#[test]
fn mistakes_about_keys() {
    each_site_mistake_is_found(vec![
        error(
            "unknown, close to a known one",
            site("moed = \"enforce\" # <-"),
            "moed",
            "not known",
            "write \"mode\"",
        ),
        error(
            "unknown, with a hyphen",
            site("cookie-domain = {} # <-"),
            "cookie-domain",
            "not known",
            "write \"cookie_domain\"",
        ),
        error(
            "unknown, close to none",
            site("quota = 3 # <-"),
            "quota",
            "not known",
            "remove it; known here: domain, aliases, upstream,",
        ),
        error(
            "unknown, in a table",
            site("[consent]\ntol = \"opendatasoft\" # <-"),
            "consent.tol",
            "not known",
            "write \"tool\"",
        ),
        error(
            "unknown, in a declaration",
            cookie("name = \"a\"\ncategory = \"necessary\"\nmaxage = \"1 day\" # <-"),
            "cookie[1].maxage",
            "not known",
            "write \"max_age\"",
        ),
        error(
            "missing",
            "# <-\ndomain = \"data.example.fr\"".to_owned(),
            "upstream",
            "missing",
            "add it: Where the portal is",
        ),
        error(
            "missing, in a declaration",
            format!("{SITE}{CONSENT_COOKIE}[[cookie]] # <-\nname = \"a\""),
            "cookie[2].category",
            "missing",
            "add it: necessary, statistics,",
        ),
    ]);
}

#[test]
fn mistakes_of_type() {
    let cases = [
        ("a string", "mode = true # <-", "mode", "a string in double quotes, found a boolean"),
        ("a word", "language = 3 # <-", "language", "a string in double quotes, found an integer"),
        ("a list", "aliases = \"a\" # <-", "aliases", "a list of strings in brackets"),
        ("an item", "aliases = [\"a\",\n1] # <-", "aliases", "a string in double quotes"),
        ("a map", "cookie_path = \"/\" # <-", "cookie_path", "a table, found a string"),
        ("a member", "[cookie_path]\n\"/a/\" = 1 # <-", "cookie_path./a/", "a string in double"),
        (
            "a list of a map",
            "[consent.categories]\nstatistics = \"a\" # <-",
            "",
            "a list of strings",
        ),
        ("a table", "timeouts = \"5 s\" # <-", "timeouts", "a table, found a string"),
        ("an array", "consent = [] # <-", "consent", "a table, found an array"),
        ("a number", "upstream_connections = \"9\" # <-", "upstream_connections", "a whole number"),
        ("a duration", "[timeouts]\nidle = true # <-", "timeouts.idle", "a duration in double"),
    ];
    let case = |(name, text, key, message): (_, &str, &'static str, _)| {
        let key = if key.is_empty() { "consent.categories.statistics" } else { key };
        error(name, site(text), key, message, "write a")
    };
    each_site_mistake_is_found(cases.into_iter().map(case).collect());
    each_site_mistake_is_found(vec![
        error(
            "a flag",
            cookie("name = \"a\"\ncategory = \"necessary\"\nsecure = \"yes\" # <-"),
            "cookie[1].secure",
            "expected true or false, without quotes, found a string",
            "write true or false",
        ),
        error(
            "a table where a list of them is meant",
            format!("{SITE}[cookie] # <-\nname = \"a\""),
            "cookie",
            "found a table",
            "each under [[...]]",
        ),
        error(
            "a list of something else",
            format!("{SITE}cookie = [1] # <-"),
            "cookie[1]",
            "expected a table",
            "write a table",
        ),
    ]);
}

#[test]
fn mistakes_in_values() {
    each_site_mistake_is_found(vec![
        error("a word", site("mode = \"enforced\" # <-"), "mode", "not known", "write \"enforce\""),
        error(
            "a word close to none",
            site("language = \"deutsch\" # <-"),
            "language",
            "not known",
            "write one of \"fr\", \"en\"",
        ),
        error(
            "a number out of range",
            site("upstream_connections = 0 # <-"),
            "upstream_connections",
            "out of range",
            "from 1 to 1000000",
        ),
        error(
            "a unit",
            site("[timeouts]\nidle = \"13 moons\" # <-"),
            "timeouts.idle",
            "\"moons\" is not a unit",
            "\"6 months\"",
        ),
        error(
            "a duration without a unit",
            site("[timeouts]\nidle = \"60\" # <-"),
            "timeouts.idle",
            "a number and a unit",
            "\"30 s\"",
        ),
        error(
            "a duration without quotes and unit",
            site("[timeouts]\nidle = 60 # <-"),
            "timeouts.idle",
            "a number and a unit",
            "\"30 s\"",
        ),
        error(
            "a duration that is too long",
            site("[consent]\nmax_age = \"200 years\" # <-"),
            "consent.max_age",
            "too long",
            "\"1 year\"",
        ),
        error(
            "a timeout of nothing",
            site("[timeouts]\nfirst_byte = \"0 s\" # <-"),
            "timeouts.first_byte",
            "no time at all",
            "\"30 s\"",
        ),
        error(
            "an age that no answer can have",
            site("[consent]\nmax_age = \"0 days\" # <-"),
            "consent.max_age",
            "no time at all",
            "\"6 months\"",
        ),
    ]);
}

#[test]
fn mistakes_in_domains() {
    let domain = |written: &str| {
        format!("domain = \"{written}\" # <-\nupstream = \"http://127.0.0.1\"\n{CONSENT_COOKIE}")
    };
    let cases = [
        ("a scheme", "https://data.example.fr", "without scheme and path"),
        ("a path", "data.example.fr/catalogue", "without scheme and path"),
        ("a port", "data.example.fr:443", "without a port"),
        ("an accent", "données.example.fr", "in its ASCII form (xn--...)"),
        ("white space", "data example.fr", "such as \"data.example.fr\""),
        ("an empty label", "data..fr", "such as \"data.example.fr\""),
        ("nothing", "", "such as \"data.example.fr\""),
        ("a bare IPv6 address", "::1", "in brackets"),
        ("brackets around something else", "[data]", "such as \"data.example.fr\""),
        ("a label that is too long", &"a".repeat(64), "such as \"data.example.fr\""),
    ];
    let case = |(name, written, remedy): (_, &str, _)| {
        error(name, domain(written), "domain", "is not a domain", remedy)
    };
    each_site_mistake_is_found(cases.into_iter().map(case).collect());
    each_site_mistake_is_found(vec![
        error(
            "an alias",
            site("aliases = [\n\"www.example.fr\",\n\"http://example.fr\" # <-\n]"),
            "aliases",
            "is not a domain",
            "without scheme and path",
        ),
        error(
            "an alias that is the domain itself",
            site("aliases = [\"DATA.example.fr.\"] # <-"),
            "aliases",
            "\"data.example.fr\" is named already",
            "keep one of the two",
        ),
    ]);
}

#[test]
fn mistakes_about_the_upstream() {
    let upstream = |written: &str| {
        format!("domain = \"data.example.fr\"\nupstream = \"{written}\" # <-\n{CONSENT_COOKIE}")
    };
    let cases = [
        ("no scheme", "127.0.0.1:8000", "the scheme is missing"),
        ("another scheme", "ftp://portal.internal", "neither http nor https"),
        ("a path", "http://portal.internal/data", "an upstream has no path"),
        ("a query", "http://portal.internal/?a", "an upstream has no path"),
        ("a fragment", "http://portal.internal/#a", "an upstream has no path"),
        ("a user", "http://me@portal.internal", "behind a user name"),
        ("no host", "http://", "is not an address"),
        ("a port that is none", "http://portal.internal:99999", "the port is no number"),
        ("port zero", "http://portal.internal:0", "the port is no number"),
        ("no port after its colon", "http://[::1]:", "the port is no number"),
        ("white space", "http://portal internal", "is not an address"),
    ];
    let case = |(name, written, message): (_, &str, _)| {
        error(name, upstream(written), "upstream", message, "write \"http://host:port\"")
    };
    each_site_mistake_is_found(cases.into_iter().map(case).collect());
    each_site_mistake_is_found(vec![error(
        "an address twice",
        format!(
            "domain = \"data.example.fr\"\nupstream = [\n\"http://a:80\",\n\"https://A:80\", # <-\n]\n{CONSENT_COOKIE}"
        ),
        "upstream[2]",
        "A:80 is listed twice",
        "weight = 2",
    )]);
    each_site_mistake_is_found(vec![error(
        "no upstream in the list, which took the site away",
        format!("domain = \"data.example.fr\"\nupstream = [] # <-\n{CONSENT_COOKIE}"),
        "upstream",
        "no upstream is named",
        "[\"http://127.0.0.1:8000\"]",
    )]);
    let ca = "-----BEGIN CERTIFICATE-----";
    each_site_mistake_is_found(vec![
        error(
            "no host in upstream_host",
            site("upstream_host = \"a b\" # <-"),
            "upstream_host",
            "is not a host",
            "write a host name",
        ),
        error(
            "a certificate file that is not there",
            site("upstream_ca = \"no-such-file.pem\" # <-"),
            "upstream_ca",
            "no-such-file.pem",
            "check the path, which is relative to this file",
        ),
        error(
            "a certificate file without certificates",
            site("upstream_ca = \"Cargo.toml\" # <-"),
            "upstream_ca",
            "holds no certificate",
            ca,
        ),
    ]);
}

#[test]
fn certificates_are_read_relative_to_the_file() {
    let directory = Directory::new("certificates");
    let key = rcgen::generate_simple_self_signed(["upstream".to_owned()]).expect("a certificate");
    directory.write("good.pem", key.cert.pem());
    directory.write("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let read = |name: &str| {
        site::read(&directory.0.join("s.toml"), &site(&format!("upstream_ca = \"{name}\"")), NOW)
    };
    let site = read("good.pem").site.expect("a site");
    assert_eq!(site.upstream.roots.map(|roots| roots.0.len()), Some(1));
    let mistakes = read("bad.pem").mistakes.0;
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].message.contains("1 of the certificates"), "{}", mistakes[0]);
}

#[test]
fn mistakes_in_names() {
    let cases = [
        ("nothing", "", "needs a name", "as the portal sets it"),
        ("an equals sign", "a=b", "no cookie name can hold '='", "remove it"),
        ("a semicolon", "a;b", "no cookie name can hold ';'", "remove it"),
        ("white space at an end", "a ", "no cookie name can hold ' '", "remove it"),
        ("a shell's brackets", "_ga_[A-Z]", "'[' is not a wildcard", "use '*' or '?'"),
        ("everything", "*", "matches every cookie", "mode = \"report\""),
        ("a dollar", "$Version", "never pass", "remove the declaration"),
        ("a backslash at the end", "a\\\\", "escapes nothing", "double it"),
        ("a name that is too long", &"a".repeat(257), "at most 256 bytes", "shorten it"),
    ];
    let case = |(name, written, message, remedy): (_, &str, _, _)| {
        let text = format!("{SITE}{CONSENT_COOKIE}[[cookie]]\nname = \"{written}\" # <-\n");
        let text = text + "category = \"necessary\"";
        error(name, text, "cookie[2].name", message, remedy)
    };
    each_site_mistake_is_found(cases.into_iter().map(case).collect());
}

#[test]
fn declarations_between_which_no_name_can_choose() {
    let two = |first: &str, second: &str| {
        let declaration = |name: &str, mark: &str| {
            format!("[[cookie]]\nname = \"{name}\"{mark}\ncategory = \"necessary\"\n")
        };
        format!("{SITE}{}{}{CONSENT_COOKIE}", declaration(first, ""), declaration(second, " # <-"))
    };
    let cases = [
        ("the same name", "a", "a", "line 4 declares \"a\" already", "keep one of the two"),
        ("one spelt with a backslash", "a*b", "a**b", "line 4 declares", "keep one of the two"),
        ("a common match", "a*", "*a", "some names match \"a*\" of line 4", "more specific"),
    ];
    let case = |(name, first, second, message, remedy): (_, &str, &str, _, _)| {
        error(name, two(first, second), "cookie[2].name", message, remedy)
    };
    each_site_mistake_is_found(cases.into_iter().map(case).collect());
    for (first, second) in [("a*", "a"), ("a*", "ab*"), ("a*", "b*"), ("a", "A")] {
        assert_eq!(site_mistakes(&two(first, second)), [], "{first} beside {second}");
    }
}

#[test]
fn mistakes_in_categories_and_consent() {
    each_site_mistake_is_found(vec![
        error(
            "a category that is none",
            cookie("name = \"a\"\ncategory = \"necesary\" # <-"),
            "cookie[1].category",
            "\"necesary\" is no built-in category",
            "under [consent.categories]",
        ),
        error(
            "an own category without ids",
            cookie("name = \"a\"\ncategory = \"maps\" # <-"),
            "cookie[1].category",
            "no consent id stands for it",
            "give a category of your own its ids",
        ),
        error(
            "a category with white space",
            cookie("name = \"a\"\ncategory = \"the maps\" # <-"),
            "cookie[1].category",
            "cannot be a category",
            "letters, digits",
        ),
        error(
            "an exempt cookie that asks for consent",
            cookie("name = \"a\"\ncategory = \"necessary\"\nconsent = \"matomo\" # <-"),
            "cookie[1].consent",
            "an exempt cookie needs no consent",
            "remove the key",
        ),
        error(
            "anonymous statistics that ask for consent",
            cookie(
                "name = \"a\"\ncategory = \"statistics\"\nmax_age = \"1 year\"\nanonymous = true\nconsent = \"matomo\" # <-",
            ),
            "cookie[1].consent",
            "an exempt cookie needs no consent",
            "remove the key",
        ),
        error(
            "anonymous, and not statistics",
            cookie(
                "name = \"a\"\ncategory = \"marketing\"\nconsent = \"ga\"\nanonymous = true # <-\n\
                 [consent.categories]\nmarketing = [\"ga\"]",
            ),
            "cookie[1].anonymous",
            "only statistics",
            "category = \"statistics\"",
        ),
        error(
            "an id that is empty",
            cookie("name = \"a\"\ncategory = \"marketing\"\nconsent = \"\" # <-"),
            "cookie[1].consent",
            "an id is missing",
            "leave the key out",
        ),
        error(
            "an id of two categories",
            site("[consent.categories]\nstatistics = [\"matomo\"]\nmarketing = [\"matomo\"] # <-"),
            "consent.categories.marketing",
            "\"matomo\" stands for a category already",
            "list each id once",
        ),
        error(
            "an id listed twice",
            site("[consent.categories]\nstatistics = [\n\"matomo\",\n\"matomo\" # <-\n]"),
            "consent.categories.statistics",
            "\"matomo\" stands for a category already",
            "list each id once",
        ),
        error(
            "ids for necessary cookies",
            site("[consent.categories]\nnecessary = [\"login\"] # <-"),
            "consent.categories.necessary",
            "need no consent",
            "remove this line",
        ),
        error(
            "ids for what cannot be a category",
            site("[consent.categories]\n\"Bad Name\" = [\"a\"] # <-"),
            "consent.categories.Bad Name",
            "\"Bad Name\" cannot be a category",
            "write letters",
        ),
        warning(
            "ids for a category with a capital",
            site("[consent.categories]\nStatistics = [\"matomo\"] # <-"),
            "consent.categories.Statistics",
            "no cookie is of this category",
            "write \"statistics\"",
        ),
        warning(
            "ids for a mistyped category",
            site("[consent.categories]\nthird_party = [\"youtube\"] # <-"),
            "consent.categories.third_party",
            "no cookie is of this category",
            "write \"third-party\"",
        ),
        warning(
            "ids for an own category without cookies",
            site("[consent.categories]\nmaps = [\"osm\"] # <-"),
            "consent.categories.maps",
            "no cookie is of this category",
            "declare its cookies",
        ),
        error(
            "a consent cookie without a name",
            site("[consent]\ncookie = \"\" # <-"),
            "consent.cookie",
            "needs a name",
            "leave the key out",
        ),
        error(
            "a tool that is not known",
            site("[consent]\ntool = \"opendata\" # <-"),
            "consent.tool",
            "\"opendata\" is not known here",
            "write one of \"opendatasoft\"",
        ),
        error(
            "a name that no cookie has",
            site("[consent]\ncookie = \"a=b\" # <-"),
            "consent.cookie",
            "no cookie can be called \"a=b\"",
            "without '='",
        ),
        error(
            "a name from which a tool's other cookies cannot be told",
            site("[consent]\ntool = \"complianz\"\ncookie = \"choice\" # <-"),
            "consent.cookie",
            "complianz has no cookie called \"choice\"",
            "\"cmplz_banner-status\"",
        ),
        error(
            "the firewall's own cookie for another tool",
            site("[consent]\ntool = \"tcf\"\ncookie = \"eu-consent\" # <-"),
            "consent.cookie",
            "where the firewall keeps choices",
            "tool = \"eu-consent\"",
        ),
        error(
            "a revision where there is none",
            site("[consent]\nrevision = 1 # <-"),
            "consent.revision",
            "opendatasoft tells of no revision",
            "remove the key",
        ),
        error(
            "consent to what is necessary, denied",
            site("[consent]\ngpc = [\"necessary\"] # <-"),
            "consent.gpc",
            "need no consent",
            "remove it",
        ),
        error(
            "a category that is none, denied",
            site("[consent]\ngpc = [\"ads\"] # <-"),
            "consent.gpc",
            "\"ads\" is no category",
            "write statistics",
        ),
        error(
            "more ids than can be told apart",
            site(&format!(
                "[consent] # <-\ncategories = {{ statistics = {:?} }}\n[[cookie]]\nname = \"a\"\ncategory = \"statistics\"",
                ids(129)
            )),
            "consent",
            "129 consent ids are more than the 128",
            "list only the ids",
        ),
    ]);
    assert_eq!(
        site_mistakes(&site(&format!("consent.categories.statistics = {:?}", ids(128)))),
        []
    );
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|id| format!("id{id}")).collect()
}

#[test]
fn mistakes_in_attributes() {
    let case = |name, keys: &str, key, message, remedy| {
        error(name, cookie(&format!("category = \"necessary\"\n{keys}")), key, message, remedy)
    };
    let covers = "does not cover \"data.example.fr\"";
    each_site_mistake_is_found(vec![
        case(
            "no lifetime",
            "name = \"a\"\nmax_age = \"0 s\" # <-",
            "cookie[1].max_age",
            "deleted at once",
            "\"session\"",
        ),
        case(
            "a Domain on __Host-",
            "name = \"__Host-a\"\ndomain = \"example.fr\" # <-",
            "cookie[1].domain",
            "refuse \"__Host-a\" with a Domain",
            "remove the key",
        ),
        case(
            "a Path on __Host-",
            "name = \"__Host-a\"\npath = \"/below\" # <-",
            "cookie[1].path",
            "refuse \"__Host-a\" with a Path",
            "remove the key",
        ),
        case(
            "no Secure on __Host-",
            "name = \"__Host-a\"\nsecure = false # <-",
            "cookie[1].secure",
            "refuse \"__Host-a\" without Secure",
            "remove the key",
        ),
        case(
            "no Secure on a family of __secure-, in any case",
            "name = \"__secure-*\"\nsecure = false # <-",
            "cookie[1].secure",
            "without Secure",
            "declare the cookie under another name",
        ),
        case(
            "no HttpOnly on __Http-",
            "name = \"__Http-a\"\nhttp_only = false # <-",
            "cookie[1].http_only",
            "without HttpOnly",
            "remove the key",
        ),
        case(
            "a path without a slash",
            "name = \"a\"\npath = \"below\" # <-",
            "cookie[1].path",
            "is not a cookie path",
            "begins with '/'",
        ),
        case(
            "a path that ends the attribute",
            "name = \"a\"\npath = \"/a;b\" # <-",
            "cookie[1].path",
            "is not a cookie path",
            "holds no ';'",
        ),
        case(
            "another domain",
            "name = \"a\"\ndomain = \"example.org\" # <-",
            "cookie[1].domain",
            covers,
            "a parent of it that is no public suffix",
        ),
        case(
            "a public suffix",
            "name = \"a\"\ndomain = \".fr\" # <-",
            "cookie[1].domain",
            covers,
            "\"host-only\" for no Domain",
        ),
        case(
            "no domain",
            "name = \"a\"\ndomain = \"\" # <-",
            "cookie[1].domain",
            covers,
            "\"host-only\" for no Domain",
        ),
        case(
            "a word for SameSite in another case",
            "name = \"a\"\nsame_site = \"lax\" # <-",
            "cookie[1].same_site",
            "not known",
            "write \"Lax\"",
        ),
    ]);
    let cross_site = |name, keys| {
        let text = format!("{SITE}{CONSENT_COOKIE}[[cookie]] # <-\nname = \"a\"\n{keys}\n");
        let text = text + "category = \"necessary\"";
        error(name, text, "cookie[2]", "without Secure", "secure = true")
    };
    each_site_mistake_is_found(vec![
        cross_site("SameSite=None without Secure", "same_site = \"None\"\nsecure = false"),
        cross_site("Partitioned without Secure", "partitioned = true\nsecure = false"),
    ]);
}

#[test]
fn a_forced_domain_covers_every_alias() {
    let text = site("aliases = [\"data.example.org\"]\n[[cookie]]\nname = \"a\"\n")
        .replace("name = \"a\"", "name = \"a\"\ncategory = \"necessary\"\ndomain = \"example.fr\"");
    let mistakes = site_mistakes(&text);
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].message.contains("\"data.example.org\""), "{}", mistakes[0]);
}

#[test]
fn mistakes_in_scopes() {
    let domain = |name, line: &str, key, message, remedy| {
        error(name, site(&format!("[cookie_domain]\n{line}")), key, message, remedy)
    };
    each_site_mistake_is_found(vec![
        domain(
            "to a domain that does not cover the site",
            "\"portal.internal\" = \"example.org\" # <-",
            "cookie_domain.portal.internal",
            "does not cover",
            "\"\" for no Domain at all",
        ),
        domain(
            "to a word of another key",
            "\"portal.internal\" = \"host-only\" # <-",
            "cookie_domain.portal.internal",
            "does not cover",
            "\"\" for no Domain at all",
        ),
        domain(
            "in two steps",
            "\"portal.internal\" = \"example.fr\" # <-\n\"example.fr\" = \"data.example.fr\"",
            "cookie_domain.portal.internal",
            "mapped to another domain in turn",
            "write the final domain",
        ),
        domain(
            "from what is no domain",
            "\"portal.internal:8000\" = \"\" # <-",
            "cookie_domain.portal.internal:8000",
            "is no domain of a cookie",
            "without scheme and port",
        ),
        domain(
            "from the same domain twice",
            "\"portal.internal\" = \"\"\n\".Portal.internal\" = \"example.fr\" # <-",
            "cookie_domain..Portal.internal",
            "mapped already",
            "each once",
        ),
        error(
            "from what is no path",
            site("[cookie_path]\nportal = \"/\" # <-"),
            "cookie_path.portal",
            "\"portal\" is not a cookie path",
            "begins with '/'",
        ),
        error(
            "to what is no path",
            site("[cookie_path]\n\"/portal/\" = \"\" # <-"),
            "cookie_path./portal/",
            "\"\" is not a cookie path",
            "begins with '/'",
        ),
    ]);
}

#[test]
fn what_the_cnil_asks() {
    let told = "provider = \"Portal\"\npurpose = \"Tests\"\n";
    let exempt = format!("name = \"a\"\ncategory = \"statistics\"\n{told}");
    let necessary = |provider: &str| {
        let texts = format!("provider = \"{provider}\"\npurpose = \"Tests\"\n");
        cookie(&format!("name = \"a\"\n{texts}category = \"necessary\" # <-"))
    };
    let third = |name, provider: &str, message| {
        let remedy = "write category = \"third-party\"";
        warning(name, necessary(provider), "cookie[1].category", message, remedy)
    };
    each_site_mistake_is_found(vec![
        warning(
            "consent of more than six months",
            site("[consent]\nmax_age = \"185 days\" # <-"),
            "consent.max_age",
            "deliberation 2020-092",
            "write max_age = \"6 months\"",
        ),
        warning(
            "exempt statistics of more than thirteen months",
            cookie(&format!("{exempt}anonymous = true\nmax_age = \"14 months\" # <-")),
            "cookie[1].max_age",
            "deliberation 2020-091",
            "write max_age = \"13 months\"",
        ),
        warning(
            "exempt statistics without end",
            cookie(&format!("{exempt}anonymous = true # <-")),
            "cookie[1].anonymous",
            "not renewed at each visit",
            "add max_age = \"13 months\"",
        ),
        third("another domain", ".tracker.com", "another domain than the site's"),
        third("a known third party", "Google Analytics", "follows visitors across sites"),
        third("its own words", "Partenaires (tiers)", "a third party's"),
        third("its own words in the singular", "AT (société tierce)", "a third party's"),
        warning(
            "a known third party's service",
            cookie(&format!(
                "name = \"a\"\n{told}service = \"Google Analytics\"\ncategory = \"necessary\" # <-"
            )),
            "cookie[1].category",
            "its service \"Google Analytics\"",
            "write category = \"third-party\"",
        ),
        warning(
            "a consent cookie that lives longer",
            format!(
                "{SITE}[[cookie]]\nname = \"cookies_preferences\"\n{told}\
                 category = \"necessary\"\nmax_age = \"1 year\" # <-"
            ),
            "cookie[1].max_age",
            "deliberation 2020-092",
            "write max_age = \"6 months\"",
        ),
    ]);
    let fine = [
        site("[consent]\nmax_age = \"184 days\""),
        cookie(&format!("{exempt}anonymous = true\nmax_age = \"13 months\"")),
        cookie(&format!("{exempt}anonymous = true\nmax_age = \"session\"")),
        necessary("Opendatasoft"),
        necessary("www.example.fr"),
        necessary("Example S.A."),
        necessary("Synergie Google-free"),
    ];
    for text in fine {
        assert_eq!(site_mistakes(&text), [], "{text}");
    }
}

#[test]
fn visitors_are_told_who_and_what_for() {
    let cases = [
        ("", "no provider and no purpose"),
        ("provider = \"p\"", "no purpose"),
        ("provider = \" \"\npurpose = \"p\"", "no provider"),
        ("provider = \"p\"\npurpose = \"p\"", ""),
    ];
    for (keys, missing) in cases {
        let text = cookie(&format!("name = \"a\"\ncategory = \"necessary\"\n{keys}"));
        let found = site::read(&site_file(), &text, NOW).mistakes.0;
        let told = found.first().map_or("", |mistake| &mistake.message);
        assert!(
            told.contains(missing) && found.len() == usize::from(!missing.is_empty()),
            "{told}"
        );
        assert!(found.iter().all(|m| m.severity == Severity::Warning && m.line == Some(3)));
    }
}

/// A site that lists these ids for statistics.
fn unstorable(tool: &str, ids: &str) -> String {
    let cookie = CONSENT_COOKIE.replace("cookies_preferences", tool_of(tool).default_cookie());
    format!(
        "{SITE}[consent]\ntool = \"{tool}\"\n[consent.categories]\nstatistics = [{ids}] # <-\n{cookie}"
    )
}

fn tool_of(name: &str) -> Tool {
    Tool::ALL.into_iter().find(|tool| tool.as_str() == name).expect("a tool")
}

#[test]
fn warnings() {
    let last = |keys: &str| format!("{SITE}{CONSENT_COOKIE}[[cookie]] # <-\nname = \"a\"\n{keys}");
    each_site_mistake_is_found(vec![
        warning(
            "a category without ids",
            last("category = \"marketing\""),
            "cookie[2]",
            "always blocked",
            "under [consent.categories]",
        ),
        warning(
            "a category with every id of the tool",
            last("category = \"statistics\""),
            "cookie[2]",
            "every \"statistics\" id that the tool is known to write",
            "list the ids that this portal's banner offers",
        ),
        warning(
            "an id of another category",
            cookie("name = \"a\"\ncategory = \"marketing\"\nconsent = \"matomo\" # <-"),
            "cookie[1].consent",
            "\"matomo\" stands for the category \"statistics\"",
            "check the cookie's category",
        ),
        warning(
            "an id that nobody grants",
            cookie("name = \"a\"\ncategory = \"statistics\"\nconsent = \"matommo\" # <-"),
            "cookie[1].consent",
            "\"matommo\" is no id that opendatasoft is known to write",
            "check its spelling",
        ),
        warning(
            "an id that the tool's cookie has no form for",
            unstorable("django-cookie-consent", "\"tracking\", \"s é\""),
            "consent.categories.statistics",
            "\"s é\" cannot be written into the cookie of django-cookie-consent",
            "letters, digits",
        ),
        warning(
            "the same of another tool",
            unstorable("tarteaucitron", "\"s=x!\""),
            "consent.categories.statistics",
            "\"s=x!\" cannot be written into the cookie of tarteaucitron",
            "ASCII letters, digits",
        ),
        warning(
            "an id that matomo's cookies do not tell of",
            unstorable("matomo", "\"unknown\""),
            "consent.categories.statistics",
            "\"unknown\" cannot be written into the cookie of matomo",
            "tracking",
        ),
        warning(
            "a cookie's id that matomo's cookies do not tell of",
            site(
                "[consent]\ntool = \"matomo\"\n[[cookie]]\nname = \"a\"\n\
                 category = \"statistics\"\nconsent = \"traking\" # <-",
            )
            .replace("cookies_preferences", "mtm_consent"),
            "cookie[1].consent",
            "\"traking\" cannot be written into the cookie of matomo",
            "tracking",
        ),
        warning(
            "SameSite=None that may lack Secure",
            last("category = \"necessary\"\nsame_site = \"None\""),
            "cookie[2]",
            "without Secure",
            "add secure = true",
        ),
        warning(
            "a consent cookie that is not declared",
            format!("{SITE}[consent]\ncookie = \"choice\" # <-\n{CONSENT_COOKIE}"),
            "consent.cookie",
            "\"choice\" is not declared",
            "declare it as necessary",
        ),
        warning(
            "the firewall's own consent cookie that is not declared",
            format!(
                "{SITE}[consent] # <-\ntool = \"cookiebot\"\n[[cookie]]\nname = \"a\"\n\
                 category = \"statistics\"\n[[cookie]]\nname = \"CookieConsent\"\n\
                 category = \"necessary\""
            ),
            "consent.cookie",
            "\"eu-consent\" is not declared",
            "declare it as necessary",
        ),
        warning(
            "a consent cookie that is not declared and not named",
            format!("{SITE}[consent] # <-\n{CONSENT_COOKIE}").replace("cookies_", "other_"),
            "consent.cookie",
            "\"cookies_preferences\" is not declared",
            "declare it as necessary",
        ),
        warning(
            "an age that a tool does not tell",
            site(
                "[consent]\ntool = \"klaro\"\ncookie = \"cookies_preferences\"\nmax_age = \"1 day\" # <-",
            ),
            "consent.max_age",
            "klaro does not say when",
            "remove the key",
        ),
        warning(
            "a consent cookie that needs consent",
            format!("{SITE}{CONSENT_COOKIE}[consent] # <-\n")
                .replace("\"necessary\"", "\"statistics\"\nconsent = \"matomo\""),
            "consent.cookie",
            "needs consent itself",
            "declare it as necessary",
        ),
    ]);
}

#[test]
fn mistakes_in_the_main_file() {
    let server = |keys: &str| format!("[server]\nsites = [\"sites/*.toml\"]\n{keys}");
    let public = "http = [\"127.0.0.1:8080\"]\n";
    let with = |keys: &str| server(&format!("{public}{keys}"));
    each_is_found(
        vec![
            error("nothing", String::new(), "server", "missing", "add it"),
            error(
                "no address",
                "[server] # <-\nsites = [\"sites/*.toml\"]".to_owned(),
                "server",
                "no address to listen on",
                "[\"0.0.0.0:8080\"]",
            ),
            error(
                "an empty list of addresses",
                "[server] # <-\nsites = [\"sites/*.toml\"]\nhttp = []".to_owned(),
                "server",
                "no address to listen on",
                "[\"0.0.0.0:8080\"]",
            ),
            error(
                "an address without a port",
                server("http = [\"127.0.0.1\"] # <-"),
                "server.http",
                "is not an address and port",
                "\"0.0.0.0:8080\"",
            ),
            error(
                "a name for an address",
                server("http = [\"localhost:8080\"] # <-"),
                "server.http",
                "is not an address and port",
                "\"127.0.0.1:8080\"",
            ),
            error(
                "an address twice",
                server("http = [\"127.0.0.1:8080\",\n\"0.0.0.0:8080\"] # <-"),
                "server.http",
                "taken by another one",
                "keep one of the two",
            ),
            error(
                "an address for each family, which one socket serves",
                server("http = [\"0.0.0.0:8080\",\n\"[::]:8080\"] # <-"),
                "server.http",
                "taken by another one",
                "keep the one of IPv6 alone",
            ),
            error(
                "an IPv4 address within that of IPv6",
                server("http = [\"[::]:8080\",\n\"127.0.0.1:8080\"] # <-"),
                "server.http",
                "taken by another one",
                "keep the one of IPv6 alone",
            ),
            error(
                "an IPv4 address written as one of IPv6",
                server("http = [\"127.0.0.1:8080\",\n\"[::ffff:127.0.0.1]:8080\"] # <-"),
                "server.http",
                "taken by another one",
                "keep",
            ),
            error(
                "an admin listener within that of IPv6",
                server("http = [\"[::]:8080\"]\nreuse_port = true\nadmin = \"0.0.0.0:8080\" # <-"),
                "server.admin",
                "0.0.0.0:8080 is public",
                "another port",
            ),
            error(
                "an address that is not in a list, which is told once",
                server("http = \"0.0.0.0:80\" # <-"),
                "server.http",
                "expected a list of strings",
                "in brackets",
            ),
            error(
                "networks that are not in a list, which is told once",
                with("proxy_protocol = [\"127.0.0.1:8080\"]\ntrusted_proxies = \"::1\" # <-"),
                "server.trusted_proxies",
                "expected a list of strings",
                "in brackets",
            ),
            error(
                "an address for clear text and TLS",
                with("https = [\"0.0.0.0:8080\"] # <-"),
                "server.https",
                "taken by another one",
                "keep one of the two",
            ),
            error(
                "the PROXY protocol where nobody listens",
                with("trusted_proxies = [\"::1\"]\nproxy_protocol = [\"127.0.0.1:81\"] # <-"),
                "server.proxy_protocol",
                "no listener has this address",
                "just as it stands there",
            ),
            error(
                "the PROXY protocol from nobody",
                with("proxy_protocol = [\"127.0.0.1:8080\"] # <-"),
                "server.proxy_protocol",
                "no proxy is trusted",
                "add trusted_proxies",
            ),
            error(
                "no network",
                with("trusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/33\"] # <-"),
                "server.trusted_proxies",
                "is not a network",
                "\"10.0.0.0/8\"",
            ),
            error(
                "the admin listener on a public address",
                with("admin = \"127.0.0.1:8080\" # <-"),
                "server.admin",
                "an address of its own",
                "write another port",
            ),
            error(
                "the admin listener on a public wildcard",
                server("http = [\"0.0.0.0:8080\"]\nadmin = \"127.0.0.1:8080\" # <-"),
                "server.admin",
                "an address of its own",
                "write another port",
            ),
            error(
                "the admin listener's default on a public address",
                server("http = [\"0.0.0.0:9090\"] # <-"),
                "server.http",
                "127.0.0.1:9090 is public",
                "write another port for admin",
            ),
            error(
                "a pattern that no file matches",
                format!("[server]\n{public}sites = [\"none/*.toml\"] # <-"),
                "server.sites",
                "no file matches",
                "relative to this file",
            ),
            error(
                "no site",
                format!("[server]\n{public}sites = [] # <-"),
                "server.sites",
                "no site file is named",
                "[\"sites/*.toml\"]",
            ),
            error(
                "a pattern that is none",
                format!("[server]\n{public}sites = [\"sites/[.toml\"] # <-"),
                "server.sites",
                "Pattern syntax error",
                "a pattern like \"sites/*.toml\"",
            ),
            error(
                "no workers",
                with("workers = 0 # <-"),
                "server.workers",
                "out of range",
                "from 1 to 1024",
            ),
            error(
                "a limit that is too high",
                with("[limits]\nheader_bytes = 2_000_000 # <-"),
                "limits.header_bytes",
                "out of range",
                "from 1 to 1048576",
            ),
            error(
                "a limit below zero",
                with("[limits]\ncookies = -1 # <-"),
                "limits.cookies",
                "out of range",
                "from 1 to 10000",
            ),
            error(
                "a timeout of nothing",
                with("[timeouts]\nrequest_head = \"0 s\" # <-"),
                "timeouts.request_head",
                "no time at all",
                "\"30 s\"",
            ),
            error(
                "a level",
                with("[log]\nlevel = \"warning\" # <-"),
                "log.level",
                "not known",
                "\"warn\"",
            ),
            error(
                "a key of the site file",
                with("[consent] # <-"),
                "consent",
                "not known",
                "known here: server, limits, timeouts, log, proof",
            ),
            error(
                "a log of choices without a file",
                with("[proof] # <-"),
                "proof.path",
                "missing",
                "add it",
            ),
            error(
                "a folder to record choices in",
                with("[proof]\npath = \".\" # <-"),
                "proof.path",
                "no file",
                "choices.jsonl",
            ),
            error(
                "choices in a folder that is not there",
                with("[proof]\npath = \"missing/choices.jsonl\" # <-"),
                "proof.path",
                "not there",
                "make the folder",
            ),
        ],
        &repository("config/test.toml"),
        main_mistakes,
    );
}

#[test]
fn every_mistake_of_a_file_comes_in_the_order_of_its_lines() {
    let text = "\
domain = \"https://data.example.fr\" # <-
aliases = [\"www.example.fr\", 3] # <-
upstream = \"127.0.0.1:8000\" # <-
moed = \"enforce\" # <-
language = \"de\" # <-

[timeouts]
idle = 60 # <-

[consent]
tool = opendatasoft # <-
max_age = \"6 moons\" # <-
[consent.categories]
statistics = [\"matomo\", \"matomo\"] # <-

[[cookie]]
name = \"a=b\" # <-
category = \"necessary\"
secure = 1 # <-

[[cookie]] # <-
category = \"necessary\"

[[cookie]]
name = \"__Host-id\"
category = \"necessary\"
consent = \"matomo\" # <-
path = \"/below\" # <-
max_age = \"0 s\" # <-

[[cookie]]
name = \"twice\"
category = \"necessary\"

[[cookie]]
name = \"twice\" # <-
category = \"necessary\"
";
    let mistakes = site_mistakes(text);
    let lines: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.line).collect();
    assert_eq!(lines, marked(text), "{}", Mistakes(mistakes));
    assert!(mistakes.iter().all(|mistake| !mistake.remedy.is_empty()));
}

#[test]
fn what_the_parser_made_up_is_not_judged() {
    let text = site("mode = enforced\nlanguage = \naliases = [www]\n[timeouts\nidle = 5");
    let mistakes = site_mistakes(&text);
    assert!(mistakes.iter().all(|mistake| mistake.key.is_none()), "{}", Mistakes(mistakes));
    assert_eq!(mistakes.len(), 4, "{}", Mistakes(mistakes));
}

#[test]
fn a_consent_cookie_whose_declaration_cannot_be_read_is_not_missed() {
    let text = format!("{SITE}{}", CONSENT_COOKIE.replace("necessary", "necesary"));
    let mistakes = site_mistakes(&text);
    assert_eq!(mistakes.len(), 1, "{}", Mistakes(mistakes));
}

/// A directory of its own for a test, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("cookie-firewall-config-{test}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(path.join("sites")).expect("a directory for the test");
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file of the test");
        path
    }

    /// A main file that names every file below `sites`.
    fn main(&self, more: &str) -> PathBuf {
        let text = "[server]\nhttp = [\"127.0.0.1:0\"]\nsites = [\"sites/*.toml\"]\n";
        self.write("main.toml", format!("{text}{more}"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_domain_of_two_sites() {
    let directory = Directory::new("two-sites");
    directory.write("sites/1.toml", site(""));
    let text = "domain = \"other.example.fr\"\naliases = [\"Data.Example.fr\"] # <-\n\
                upstream = \"http://127.0.0.1\"\nmoed = 1 # <-\n";
    let second = directory.write("sites/2.toml", text);
    let mistakes = load(&directory.main("")).expect_err("a mistake").0;
    let places: Vec<_> =
        mistakes.iter().map(|mistake| (mistake.file.clone(), mistake.line)).collect();
    assert_eq!(places, [(second.clone(), Some(2)), (second, Some(4))], "{mistakes:#?}");
    assert_eq!(mistakes[0].key.as_deref(), Some("aliases"));
    assert_eq!(mistakes[0].column, Some(12));
    assert!(mistakes[0].message.contains("sites/1.toml"), "{}", mistakes[0]);
    assert!(mistakes[0].remedy.contains("one of the two"), "{}", mistakes[0]);
}

#[test]
fn the_mistakes_of_all_files_come_in_one_go() {
    let directory = Directory::new("all-files");
    let main = directory.main("[log]\nlevel = 1\n");
    let latin = directory.write("sites/latin.toml", b"domain = \"donn\xe9es\"");
    let wrong = directory.write("sites/wrong.toml", "domain = 3\nupstream = 4");
    let mistakes = load(&main).expect_err("mistakes").0;
    let places: Vec<_> = mistakes.iter().map(|mistake| (&*mistake.file, mistake.line)).collect();
    let expected = [(&*main, Some(5)), (&*latin, Some(1)), (&*wrong, Some(1)), (&*wrong, Some(2))];
    assert_eq!(places, expected);
    assert!(mistakes[1].message.contains("not UTF-8"), "{}", mistakes[1]);
}

#[test]
fn many_threads_say_what_one_does() {
    let directory = Directory::new("threads");
    let main = directory.main("");
    let on = |threads| {
        let mut files = Files::new(&main);
        let result = load_at(&main, Crew::of(threads), NOW, &mut files);
        (result, files)
    };
    let mut domains = Vec::new();
    for number in 0..50 {
        let domain = format!("{number}.example.fr");
        // A longer file takes longer, and the first ones are the longest.
        let text = site("").replace("data.example.fr", &domain);
        let text = text + &"# nothing\n".repeat(1000 - 20 * number);
        directory.write(&format!("sites/{number:02}.toml"), text);
        domains.push(domain);
    }
    for threads in [0, 1, 2, 5] {
        let config = on(threads).0.expect("no mistake").config;
        assert!(config.sites.iter().map(|site| &*site.domain).eq(&domains), "{threads}");
    }
    for number in (0..50).step_by(3) {
        directory.write(&format!("sites/{number:02}.toml"), "domain = 3\nupstream = 4");
        directory.write(&format!("sites/{number:02}-a.toml"), b"domain = \"donn\xe9es\"");
        directory.write(&format!("sites/{number:02}-b.toml"), site("moed = 1"));
    }
    let one = on(1).0.expect_err("mistakes");
    assert_eq!(one.0.len(), 17 * 2 + 17 + 17 + 16, "{one}");
    for threads in [2, 5, 100] {
        let (result, files) = on(threads);
        assert_eq!(result.expect_err("mistakes").to_string(), one.to_string());
        assert_eq!(files.state(), files.state_now(), "every file was seen, in its order");
    }
}

#[test]
fn what_a_site_names_is_seen_mistaken_or_not() {
    let directory = Directory::new("named");
    directory.write("sites/a.toml", site("upstream_ca = \"ca.pem\"\n[page]\nlogo = \"a.svg\""));
    let tls = "[tls]\n[[tls.certificate]]\nchain = \"chain.pem\"\nkey = \"key.pem\"";
    directory.write("sites/b.toml", format!("domain = 3\nmoed = 1\n{tls}"));
    let main = directory.main("");
    for name in ["ca.pem", "a.svg", "chain.pem", "key.pem"] {
        let before = read(&main).files;
        assert_eq!(before.state(), before.state_now(), "nothing has changed");
        directory.write(&format!("sites/{name}"), "nothing of use");
        assert_ne!(before.state(), before.state_now(), "{name}");
    }
}

#[test]
fn a_file_that_is_not_there() {
    let mistakes = load(Path::new("no/such/file.toml")).expect_err("a mistake");
    assert_eq!(mistakes.0.len(), 1);
    let text = mistakes.to_string();
    assert!(text.starts_with("no/such/file.toml: error: cannot read the file: "), "{text}");
    assert!(text.ends_with("--config FILE names another"), "{text}");
}

#[test]
fn mistakes_are_told_in_two_lines() {
    let mistakes = site::read(Path::new("s.toml"), &site("  moed = 1"), NOW).mistakes;
    let expected = "s.toml:3:3: error: moed: this key is not known\n  remedy: write \"mode\"";
    assert_eq!(mistakes.to_string(), expected);
}

#[test]
fn what_steers_a_terminal_is_told_escaped() {
    let text = format!("\"a\\n\\u001b[31m\" = 1\n{}", site(""));
    let mistakes = site::read(Path::new("s\u{7}\n.toml"), &text, NOW).mistakes;
    let told = mistakes.to_string();
    let expected = r"s\u{7}\n.toml:1:1: error: a\n\u{1b}[31m: this key is not known";
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn files_that_begin_with_a_dot_match_no_star() {
    let directory = Directory::new("dots");
    directory.write("sites/a.toml", site(""));
    std::os::unix::fs::symlink("me@host.1:2", directory.0.join("sites/.#a.toml")).expect("a lock");
    directory.write("sites/._a.toml", b"\x00\x05\x16\x07");
    let loaded = load(&directory.main("")).expect("no mistake");
    assert_eq!(loaded.config.sites.len(), 1);
    // A pattern that begins with one asks for them, and so does a folder on the way to the main file.
    directory.write("sites/.b.toml", site("").replace("data.example", "b.example"));
    let text = "[server]\nhttp = [\"127.0.0.1:0\"]\nsites = [\"sites/.b*.toml\"]\n";
    let loaded = load(&directory.write("main.toml", text)).expect("no mistake");
    assert_eq!(&*loaded.config.sites[0].domain, "b.example.fr");
    let hidden = Directory::new("dots/.hidden");
    hidden.write("sites/a.toml", site(""));
    hidden.main("");
    let path = hidden.0.join("sites/../main.toml");
    assert_eq!(load(&path).expect("no mistake").config.sites.len(), 1);
}

#[test]
fn a_site_file_whose_name_is_not_utf_8_is_not_passed_over() {
    use std::os::unix::ffi::OsStringExt as _;
    let directory = Directory::new("latin-name");
    directory.write("sites/a.toml", site(""));
    let name = std::ffi::OsString::from_vec(b"sites/m\xe9tropole.toml".to_vec());
    std::fs::write(directory.0.join(name), "domain = 3").expect("a file of the test");
    let mistakes = load(&directory.main("")).expect_err("a mistake").0;
    assert_eq!(mistakes[0].key.as_deref(), Some("server.sites"));
    assert!(mistakes[0].message.contains(r#""m\xE9tropole.toml" matches"#), "{}", mistakes[0]);
}

#[test]
fn site_files_that_cannot_be_read_have_remedies_of_their_own() {
    let directory = Directory::new("unreadable");
    std::fs::create_dir(directory.0.join("sites/folder.toml")).expect("a folder of the test");
    std::os::unix::fs::symlink("gone", directory.0.join("sites/link.toml")).expect("a link");
    directory.write("sites/z.toml", b"# one\n# \xe9\n");
    let mistakes = load(&directory.main("")).expect_err("mistakes").0;
    let expected = [
        ("it is no regular file", "name the files in it", None),
        ("cannot read the file", "remove the link", None),
        ("not UTF-8", "save it as UTF-8", Some(2)),
    ];
    for (mistake, (message, remedy, line)) in mistakes.iter().zip(expected) {
        assert!(mistake.message.contains(message), "{mistake}");
        assert!(mistake.remedy.contains(remedy), "{mistake}");
        assert_eq!(mistake.line, line, "{mistake}");
    }
    assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
}

#[test]
fn a_redirect_to_where_nobody_listens() {
    let directory = Directory::new("redirect");
    directory.write("sites/a.toml", site("[tls]\nredirect = true"));
    let warnings = |more: &str| {
        let text = "[server]\nhttp = [\"127.0.0.1:0\"]\nsites = [\"sites/*.toml\"]\n";
        let main = directory.write("main.toml", format!("{text}{more}"));
        let mut warnings = load(&main).expect("warnings at most").warnings.0;
        warnings.retain(|mistake| mistake.key.as_deref() == Some("tls.redirect"));
        warnings
    };
    let [warning] = &*warnings("") else { panic!("one warning") };
    assert_eq!((warning.severity, warning.line), (Severity::Warning, Some(4)), "{warning}");
    assert!(warning.message.contains("nothing listens there"), "{warning}");
    assert!(warning.remedy.contains("trusted_proxies"), "{warning}");
    assert_eq!(warnings("trusted_proxies = [\"127.0.0.1\"]"), []);
    assert_eq!(warnings("https = [\"127.0.0.1:0\"]"), []);
}

/// What `load` says of a site on a TLS listener with this certificate and key.
fn tls_mistakes(directory: &Directory, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Mistakes {
    directory.write("sites/chain.pem", chain);
    directory.write("sites/key.pem", key);
    let table = "[[tls.certificate]]\nchain = \"chain.pem\"\nkey = \"key.pem\"";
    directory.write("sites/a.toml", site(table));
    let main = directory.main("https = [\"127.0.0.1:0\"]");
    let mut mistakes = match load(&main) {
        Ok(loaded) => loaded.warnings,
        Err(mistakes) => mistakes,
    };
    mistakes.0.retain(|mistake| !is_about_texts(mistake));
    mistakes
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_once_and_for_what_it_is() {
    let directory = Directory::new("pem");
    let issued = rcgen::generate_simple_self_signed(["data.example.fr".to_owned()]).expect("one");
    let (chain, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let marked = |text: &str| format!("\u{feff}{text}");
    assert_eq!(tls_mistakes(&directory, &chain, &key), Mistakes::default());
    assert_eq!(tls_mistakes(&directory, marked(&chain), marked(&key)), Mistakes::default());
    let weak = include_str!("tests/weak-rsa.pem");
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let damaged = |text: &str| text.replacen("\nMI", "\n*!", 1);
    let cases = [
        (half(&chain), key.clone(), "breaks off", "copy the file again"),
        (chain.clone(), half(&key), "breaks off", "copy the file again"),
        (damaged(&chain), key.clone(), "no base64", "copy the file again"),
        (weak.to_owned(), weak.to_owned(), "1024 bits is too weak", "2048 bits"),
    ];
    for (chain, key, message, remedy) in cases {
        let mistakes = tls_mistakes(&directory, chain, key);
        let [mistake] = &*mistakes.0 else { panic!("one mistake: {mistakes}") };
        assert!(mistake.message.contains(message), "{mistake}");
        assert!(mistake.remedy.contains(remedy), "{mistake}");
    }
}

#[test]
fn a_site_file_named_by_two_patterns_is_read_once() {
    let directory = Directory::new("two-patterns");
    directory.write("sites/a.toml", site(""));
    let text = "[server]\nhttp = [\"127.0.0.1:0\"]\nsites = [\"sites/*.toml\", \"./sites/a.toml\"]";
    let loaded = load(&directory.write("main.toml", text)).expect("no mistake");
    assert_eq!(loaded.config.sites.len(), 1);
}

#[test]
fn what_gpc_denies() {
    let of = |keys: &str| {
        let categories =
            "categories = { statistics = [\"s\"], marketing = [\"m\"], maps = [\"o\"] }";
        let cookies = "[[cookie]]\nname = \"p\"\ncategory = \"marketing\"\nconsent = \"pixel\"";
        let rules = checked(&site(&format!("[consent]\n{categories}\n{keys}\n{cookies}"))).consent;
        let ids = rules.ids.iter().enumerate();
        let denied = ids.filter(|(index, _)| rules.gpc.contains(Ids::one(*index)));
        denied.map(|(_, id)| id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(""), ["m", "pixel"]);
    assert_eq!(of("gpc = []"), Vec::<String>::new());
    assert_eq!(of("gpc = [\"statistics\", \"maps\"]"), ["s", "o"]);
    assert_eq!(of("gpc = [\"third-party\"]"), Vec::<String>::new());
}

#[test]
fn every_tool_can_be_configured() {
    for tool in Tool::ALL {
        let cookie = CONSENT_COOKIE.replace("cookies_preferences", tool.default_cookie());
        let revision = if tool.has_revision() { "revision = 3" } else { "" };
        let text = format!("{SITE}[consent]\ntool = {:?}\n{revision}\n{cookie}", tool.as_str());
        let rules = checked(&text).consent;
        assert_eq!((rules.tool, rules.cookie()), (tool, tool.default_cookie()));
        assert_eq!(rules.revision, tool.has_revision().then_some(3));
        assert_eq!(rules.ids.len(), tool.default_ids().len());
    }
    // One id stands for the category: there is nothing to list.
    let text = format!("{SITE}[consent]\ntool = \"cookiebot\"\n{CONSENT_COOKIE}")
        .replace("cookies_preferences", "CookieConsent");
    checked(&format!("{text}[[cookie]]\nname = \"a\"\ncategory = \"marketing\""));
}

#[test]
fn warnings_do_not_keep_a_configuration_from_being_used() {
    let directory = Directory::new("warnings");
    directory
        .write("sites/a.toml", format!("{SITE}[[cookie]]\nname = \"a\"\ncategory = \"necessary\""));
    let loaded = load(&directory.main("")).expect("a usable configuration");
    assert_eq!(loaded.warnings.count(Severity::Warning), 2);
    assert!(!loaded.warnings.any_error());
}

fn listener(address: &str, proxy_protocol: bool) -> Listener {
    Listener { address: address.parse().expect("an address"), proxy_protocol }
}

#[test]
fn a_main_file_that_says_everything_about_listeners() {
    let text = "[server]
http = [\"0.0.0.0:80\", \"127.0.0.1:8080\"]
https = [\"0.0.0.0:443\"]
proxy_protocol = [\"127.0.0.1:8080\"]
trusted_proxies = [\"10.0.0.0/8\", \"::1\"]
reuse_port = true
sites = [\"sites/*.toml\"]
[timeouts]
handshake = \"1 s\"
idle = \"2 s\"
[limits]
streams = 7
";
    let read = main_file::read(&repository("config/test.toml"), text);
    assert_eq!(read.mistakes, Mistakes::default());
    let server = read.server.expect("a server");
    let http = [listener("0.0.0.0:80", false), listener("127.0.0.1:8080", true)];
    assert_eq!(server.listeners.http, http);
    assert_eq!(server.listeners.https, [listener("0.0.0.0:443", false)]);
    assert!(server.trusted_proxies.contain("10.1.2.3".parse().expect("an address")));
    assert!(server.reuse_port);
    assert_eq!((server.timeouts.handshake, server.timeouts.idle).0, Duration::from_secs(1));
    assert_eq!((server.timeouts.idle, server.limits.streams), (Duration::from_secs(2), 7));
}

#[test]
fn defaults_of_the_main_file() {
    let text = "[server]\nhttp = [\"0.0.0.0:8080\"]\nsites = [\"sites/*.toml\"]";
    let read = main_file::read(&repository("config/test.toml"), text);
    assert_eq!(read.mistakes, Mistakes::default());
    let expected = Server {
        listeners: Listeners {
            http: vec![listener("0.0.0.0:8080", false)],
            https: Vec::new(),
            admin: "127.0.0.1:9090".parse().expect("an address"),
        },
        trusted_proxies: Networks::default(),
        reuse_port: false,
        workers: None,
        limits: Limits {
            header_bytes: 65_536,
            header_fields: 100,
            cookies: RequestLimits { pairs: 300, bytes: 32_768 },
            body_bytes: 2_147_483_648,
            connections: 65_536,
            client_connections: 16_384,
            streams: 128,
            resets: 200,
        },
        timeouts: ClientTimeouts {
            handshake: Duration::from_secs(10),
            request_head: Duration::from_secs(60),
            request_body: Duration::from_secs(60),
            idle: Duration::from_secs(180),
            response: Duration::from_secs(60),
            shutdown: Duration::from_secs(30),
        },
        log: Log { level: "info".into(), json: false },
        proof: None,
    };
    assert_eq!(read.server.as_ref(), Some(&expected));
    // The published file writes out every default.
    let published = load(&repository("config/cookie-firewall.toml")).expect("no mistake").config;
    assert_eq!(published.server, expected);
}

fn upstream_address(tls: bool, host: &str, port: u16, weight: u32) -> Address {
    Address { tls, host: host.into(), port, weight }
}

#[test]
fn defaults_of_a_site_file() {
    let site = checked(&cookie("name = \"a\"\ncategory = \"preferences\"\nconsent = \"p\""));
    assert_eq!(&*site.domain, "data.example.fr");
    assert!(site.aliases.is_empty());
    let seconds = Duration::from_secs;
    let upstream = Upstream {
        addresses: vec![upstream_address(false, "127.0.0.1", 8000, 1)],
        host: None,
        roots: None,
        connections: 1024,
        version: HttpVersion::Auto,
        balance: Balance::LeastLoaded,
        retries: 2,
        pool: Pool {
            idle_connections: 256,
            idle: seconds(60),
            max_age: seconds(3600),
            resolve: seconds(10),
        },
        health: Health {
            path: None,
            interval: seconds(5),
            timeout: seconds(2),
            healthy_after: 2,
            unhealthy_after: 3,
            eject_after: 5,
            eject_for: seconds(10),
        },
        connect_timeout: seconds(5),
    };
    assert_eq!(site.upstream, upstream);
    assert_eq!(site.cache, CacheRule::Private);
    assert!(site.tls.certificates.is_empty());
    assert_eq!((site.tls.redirect, site.tls.hsts), (None, None));
    assert_eq!(site.mode, Mode::Enforce);
    assert_eq!(site.language, Language::French);
    let timeouts = Timeouts {
        connect: seconds(5),
        first_byte: seconds(60),
        idle: seconds(60),
        upgrade: seconds(3600),
    };
    assert_eq!(site.timeouts, timeouts);
    assert_eq!(site.consent.tool, Tool::Opendatasoft);
    assert_eq!(site.consent.cookie(), "cookies_preferences");
    assert_eq!(site.consent.max_age, Some(180 * 86_400));
    assert_eq!(site.charter.scopes(), &Scopes::default());
    let declaration = &site.charter.declarations()[0];
    assert_eq!((declaration.max_age, &declaration.forced), (None, &Default::default()));
}

#[test]
fn a_site_that_says_everything() {
    let text = "\
domain = \"Data.Example.fr\"
aliases = [\"www.example.fr\", \"[::1]\", \"*.Example.fr\"]
upstream = [\"https://portal.internal\", { url = \"http://[::1]:8000/\", weight = 3 }]
upstream_http = \"2\"
balance = \"first\"
retries = 0
cache = \"no-store\"
upstream_host = \"portal.internal:8443\"
upstream_connections = 2
mode = \"report\"
language = \"en\"
cookie_path = { \"/portal/\" = \"/\", \"/portal/admin/\" = \"/a/\" }
cookie_domain = { \".Portal.internal\" = \"\" }
[timeouts]
connect = \"1 s\"
first_byte = \"2 s\"
idle = \"3 s\"
upgrade = \"4 s\"
[tls]
redirect = true
redirect_port = 8443
hsts = \"1 year\"
hsts_subdomains = true
hsts_preload = true
[pool]
idle_connections = 9
max_age = \"5 min\"
[health]
path = \"/health?x\"
eject_after = 1
[consent]
tool = \"opendatasoft\"
cookie = \"choice\"
max_age = \"1 jour\"
categories = { maps = [\"osm\"] }
[[cookie]]
name = \"choice\"
provider = \"P\"
service = \"S\"
purpose = \"W\"
category = \"necessary\"
max_age = \"session\"
secure = true
http_only = false
partitioned = true
same_site = \"None\"
domain = \"host-only\"
path = \"/\"
[[cookie]]
name = \"tile\"
category = \"maps\"
[[cookie]]
name = \"visits\"
category = \"statistics\"
anonymous = true
max_age = \"13 mois\"
";
    let site = checked(text);
    assert_eq!(&*site.domain, "data.example.fr");
    assert_eq!(site.aliases, ["www.example.fr".into(), "[::1]".into(), "*.example.fr".into()]);
    let upstream = &site.upstream;
    let portal = upstream_address(true, "portal.internal", 443, 1);
    assert_eq!(upstream.addresses, [portal, upstream_address(false, "::1", 8000, 3)]);
    assert_eq!(upstream.host, Some(http::HeaderValue::from_static("portal.internal:8443")));
    assert_eq!((upstream.version, upstream.balance), (HttpVersion::Http2, Balance::First));
    assert_eq!((upstream.retries, site.cache), (0, CacheRule::NoStore));
    assert_eq!((upstream.pool.idle_connections, upstream.pool.max_age.as_secs()), (9, 300));
    assert_eq!(upstream.health.path.as_ref().map(|path| path.as_str()), Some("/health?x"));
    assert_eq!(upstream.health.eject_after, 1);
    assert_eq!(
        (upstream.connections, site.mode, site.language),
        (2, Mode::Report, Language::English)
    );
    assert_eq!((site.timeouts.upgrade, site.tls.redirect), (Duration::from_secs(4), Some(8443)));
    let hsts = http::HeaderValue::from_static("max-age=31536000; includeSubDomains; preload");
    assert_eq!(site.tls.hsts, Some(hsts));
    assert_eq!(site.timeouts.first_byte, Duration::from_secs(2));
    assert_eq!((site.consent.cookie(), site.consent.max_age), ("choice", Some(86_400)));
    let scopes = Scopes {
        domains: [("portal.internal".into(), "".into())].into(),
        paths: [("/portal/admin/".into(), "/a/".into()), ("/portal/".into(), "/".into())].into(),
    };
    assert_eq!(site.charter.scopes(), &scopes);
    let [choice, tile, visits] = site.charter.declarations() else { panic!("three cookies") };
    assert_eq!(choice.max_age, Some(LifetimeCap::Session));
    assert_eq!((&*choice.provider, &*choice.service, &*choice.purpose), ("P", "S", "W"));
    let forced = &choice.forced;
    assert_eq!((forced.secure, forced.http_only), (Some(true), Some(false)));
    assert_eq!((forced.partitioned, forced.same_site), (Some(true), Some(SameSite::None)));
    assert_eq!((&forced.domain, forced.path.as_deref()), (&Some(DomainRule::HostOnly), Some("/")));
    assert_eq!(tile.category, Category::Own("maps".into()));
    assert!(matches!(tile.need, Need::Consent(ids) if !ids.is_empty()));
    assert_eq!(
        (visits.need, visits.max_age),
        (Need::Exempt, Some(LifetimeCap::Seconds(390 * 86_400)))
    );
}

/// The cookies that the five portals publish.
const PUBLISHED: [&str; 4] = ["sessionid", "django_language", "csrftoken", "cookies_preferences"];

#[test]
fn the_published_configuration_has_no_mistake() {
    let files: Vec<_> = std::fs::read_dir(repository("config"))
        .expect("the directory is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(!files.is_empty());
    for file in files {
        let loaded = load(&file).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(loaded.warnings, Mistakes::default());
    }
}

#[test]
fn the_published_sites_declare_what_the_portals_publish() {
    let config = load(&repository("config/cookie-firewall.toml")).expect("no mistake").config;
    let domains: Vec<_> = config.sites.iter().map(|site| &*site.domain).collect();
    assert_eq!(
        domains,
        [
            "data.metropole-rouen-normandie.fr",
            "data.osmontrouge.fr",
            "data.ville-soissons.fr",
            "donnees.grandchambery.fr",
            "opendata.ha-py.fr",
        ]
    );
    for site in &config.sites {
        let names: Vec<_> =
            site.charter.declarations().iter().map(|cookie| cookie.name.as_str()).collect();
        assert_eq!(names, PUBLISHED, "{}", site.domain);
        for cookie in site.charter.declarations() {
            assert_eq!(cookie.need, Need::Exempt, "{}: {:?}", site.domain, cookie.name);
            assert!(!cookie.purpose.is_empty(), "{}: {:?}", site.domain, cookie.name);
        }
    }
}

/// Visits every table of `keys`: its path as a heading names it, and its keys.
fn tables(keys: &'static [Key], path: &str, visit: &mut impl FnMut(&str, &'static [Key])) {
    visit(path, keys);
    for key in keys {
        if let Kind::Table(inner) | Kind::Tables(inner) | Kind::Items(inner) = key.kind {
            let path =
                if path.is_empty() { key.name.into() } else { format!("{path}.{}", key.name) };
            tables(inner, &path, visit);
        }
    }
}

#[test]
fn the_schema_names_every_key() {
    let schema = schema::site();
    tables(keys::SITE, "", &mut |path, keys| {
        let mut table = &schema;
        for name in path.split('.').filter(|name| !name.is_empty()) {
            table = &table["properties"][name];
            // The schema of an array says what each of its items is.
            table = table.get("items").unwrap_or(table);
            // What may be written shortly says in its second alternative what it is at length.
            for _ in 0..2 {
                table = table.get("oneOf").map_or(table, |either| {
                    if either[1].get("properties").is_some() { &either[1] } else { &either[0] }
                });
            }
        }
        assert_eq!(table["additionalProperties"], serde_json::json!(false), "{path}");
        let properties = table["properties"].as_object().expect("a table has properties");
        assert_eq!(properties.len(), keys.len(), "{path}");
        for key in keys {
            assert_eq!(properties[key.name]["description"], key.doc, "{path}.{}", key.name);
            let required = table["required"].as_array().expect("a table has required keys");
            assert_eq!(required.contains(&key.name.into()), key.required, "{path}.{}", key.name);
        }
    });
}

#[test]
fn the_annotated_main_file_shows_every_key() {
    let text = read_repository("config/cookie-firewall.toml");
    tables(keys::MAIN, "", &mut |path, keys| {
        for key in keys.iter().filter(|_| !path.is_empty()) {
            let shown = text
                .lines()
                .any(|line| line.trim_start_matches("# ").starts_with(&format!("{} = ", key.name)));
            assert!(shown, "{path}.{}", key.name);
        }
    });
}

/// The reference has a heading for each table, and below it a row for each of its keys, with the
/// default that the key's own documentation gives.
#[test]
fn the_reference_describes_every_key() {
    let text = read_repository("docs/configuration.md");
    let (main, site) = text
        .split_once("\n## The site file\n")
        .expect("the reference describes the main file, then the site file");
    for (part, all, top) in [(main, keys::MAIN, ""), (site, keys::SITE, "Top level")] {
        tables(all, "", &mut |path, keys| {
            if path.is_empty() && top.is_empty() {
                return;
            }
            let section = match path {
                "" => section(part, top),
                "cookie" => section(part, "`[[cookie]]`"),
                path => section(part, &format!("`[{path}]`")),
            };
            for key in keys {
                describes(&section, key, path);
            }
        });
    }
}

#[track_caller]
fn describes(section: &str, key: &Key, path: &str) {
    let name = format!("| `{}` |", key.name);
    let row = section.lines().find(|line| line.starts_with(&name));
    let row = row.unwrap_or_else(|| panic!("{path}: no row that begins with {name}"));
    if key.required {
        assert!(row.contains("| required |"), "{row}");
    }
    if let Some((_, default)) = key.doc.split_once("Default: ") {
        let default = default.split_once(". ").map_or(default, |(default, _)| default);
        let default = default.trim_end_matches('.');
        let column =
            row.split('|').nth(3).expect("a row has the columns key, type, default, effect");
        assert_eq!(column.trim().trim_matches('`'), default, "{row}");
    }
}

/// The text below the heading that is `title`, up to the next heading.
#[track_caller]
fn section(text: &str, title: &str) -> String {
    let is_heading = |line: &str| line.starts_with('#');
    let mut lines = text
        .lines()
        .skip_while(|line| !(is_heading(line) && line.trim_start_matches('#').trim() == title));
    assert!(lines.next().is_some(), "no heading {title:?}");
    lines.take_while(|line| !is_heading(line)).collect::<Vec<_>>().join("\n")
}

/// What stands between the fences of TOML in a Markdown file.
fn toml_blocks(text: &str) -> Vec<String> {
    let blocks = text.split("\n```toml\n").skip(1);
    blocks.filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())).collect()
}

#[test]
fn the_examples_of_the_documentation_have_no_mistake() {
    let files = ["docs/configuration.md", "README.md"];
    for file in files.into_iter().filter(|file| repository(file).exists()) {
        let text = read_repository(file);
        let sites: Vec<_> = toml_blocks(&text)
            .into_iter()
            .filter(|block| block.trim_start().starts_with("domain"))
            .collect();
        assert!(!sites.is_empty(), "{file} shows no site file");
        for text in sites {
            let read = site::read(Path::new(file), &text, NOW);
            assert_eq!(read.mistakes, Mistakes::default(), "in {file}:\n{text}");
        }
    }
}

#[test]
fn the_main_files_of_the_reference_have_no_mistake() {
    let blocks = toml_blocks(&read_repository("docs/configuration.md"));
    let mains: Vec<_> = blocks.iter().filter(|block| block.contains("[server]")).collect();
    assert!(!mains.is_empty());
    for text in mains {
        assert_eq!(main_mistakes(text), [], "in:\n{text}");
    }
}
