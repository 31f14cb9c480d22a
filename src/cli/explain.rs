//! `explain`: what would happen to a cookie, and why.

use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _};
use std::os::unix::ffi::OsStrExt as _;

use serde::Serialize;

use super::{ConfigFile, Failure, Format, find_site, plain_host, print};
use crate::config::{self, Site};
use crate::cookie::{Pairs, SetCookie};
use crate::policy::{self, Context, Decision, Verdict};

/// Show what would happen to cookies, and why
///
/// Judges each SET-COOKIE LINE as a response of the site's upstream would bring it, for a visitor
/// whose request carries the cookies given with --cookie. Without lines, they are read from
/// standard input.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,

    /// The domain or alias of the site
    #[arg(long, value_name = "DOMAIN")]
    site: String,

    /// A cookie of the request, the consent cookie among them; may be given several times
    #[arg(long = "cookie", value_name = "NAME=VALUE")]
    cookies: Vec<OsString>,

    /// Judge the cookies of the request instead of response lines
    #[arg(long, conflicts_with = "lines")]
    request: bool,

    /// The time to judge at, such as 2026-11-23T10:00:00Z; now, if left out
    #[arg(long, value_name = "RFC3339")]
    now: Option<jiff::Timestamp>,

    /// For whom to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Values of Set-Cookie fields
    #[arg(value_name = "SET-COOKIE LINE")]
    lines: Vec<OsString>,
}

/// One object of `--format json`.
#[derive(Serialize)]
struct Explained<'s> {
    name: String,
    decision: &'static str,
    reason: &'static str,
    declaration: Option<&'s str>,
    category: Option<&'s str>,
    result: Option<String>,
    mode: &'static str,
    #[serde(skip)]
    passes: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = config::load(&arguments.file.config).map_err(Failure::usage)?;
    let site = find_site(&loaded.config.sites, &arguments.site)?;
    let host = plain_host(&arguments.site);
    let cookies = arguments.cookies.iter().map(|cookie| cookie.as_bytes());
    let cookies: Vec<&[u8]> =
        cookies.map(|cookie| value_of("cookie", cookie).unwrap_or(cookie)).collect();
    let cookies = cookies.join(&b"; "[..]);
    let now = arguments.now.unwrap_or_else(jiff::Timestamp::now).as_second();
    let context = Context {
        charter: &site.charter,
        consent: site.consent.read(Pairs::of(&cookies), now),
        host: &host,
        now,
    };
    if arguments.request {
        for pair in Pairs::of(&cookies) {
            let decision = policy::pair(&context, &pair);
            let result = (decision.verdict != Verdict::Block).then(|| text(pair.raw));
            show(arguments.format, &explained(site, pair.name, &decision, result))?;
        }
        return Ok(());
    }
    for line in lines(arguments)? {
        let decision = policy::set_cookie(&context, &line);
        let result = decision.outgoing(&line).map(|line| text(&line));
        let explained = explained(site, SetCookie::name_of(&line), &decision, result);
        show(arguments.format, &explained)?;
    }
    Ok(())
}

fn lines(arguments: &Arguments) -> Result<Vec<Vec<u8>>, Failure> {
    if !arguments.lines.is_empty() {
        return Ok(field_values(arguments.lines.iter().map(|line| line.as_bytes())));
    }
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Failure::usage(
            "nothing to judge: give Set-Cookie lines, or --request with --cookie",
        ));
    }
    let lines: Vec<_> = input.lock().split(b'\n').collect::<Result<_, _>>()?;
    // As they come from a response's head, they end in CRLF.
    Ok(field_values(lines.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line))))
}

/// The values alone, where lines are pasted from a response's head; of a whole head, those of
/// `Set-Cookie` only.
fn field_values<'l>(lines: impl Iterator<Item = &'l [u8]> + Clone) -> Vec<Vec<u8>> {
    let named: Vec<_> =
        lines.clone().filter_map(|line| value_of("set-cookie", line)).map(<[u8]>::to_vec).collect();
    if named.is_empty() { lines.map(|line| without_mark(line).to_vec()).collect() } else { named }
}

/// What stands behind the field name `name`, if that is written too; no cookie has such a name.
fn value_of<'l>(name: &str, line: &'l [u8]) -> Option<&'l [u8]> {
    let line = without_mark(line).trim_ascii_start();
    let (written, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    written.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii_start())
}

/// Some editors begin a text with a mark of its encoding.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

fn explained<'s>(
    site: &'s Site,
    name: &[u8],
    decision: &Decision<'_>,
    result: Option<String>,
) -> Explained<'s> {
    let declaration = decision.declaration.map(|id| site.charter.declaration(id));
    Explained {
        name: text(name),
        decision: decision.verdict.as_str(),
        reason: decision.reason.as_str(),
        declaration: declaration.map(|declaration| declaration.name.as_str()),
        category: declaration.map(|declaration| declaration.category.as_str()),
        result,
        mode: site.mode.as_str(),
        passes: site.only_reports() && decision.verdict != Verdict::Keep,
    }
}

fn show(format: Format, explained: &Explained<'_>) -> Result<(), Failure> {
    if format == Format::Json {
        return print(serde_json::to_string(explained)?);
    }
    let name = if explained.name.is_empty() { "(no name)" } else { &explained.name };
    let declared = match (explained.declaration, explained.category) {
        (Some(declaration), Some(category)) => format!("declared as {declaration}, {category}"),
        _ => "not declared".to_owned(),
    };
    print(format_args!(
        "{:7} {:11} {}  ({declared})",
        explained.decision,
        explained.reason,
        printable(name)
    ))?;
    if let Some(result) = &explained.result {
        print(format_args!("        -> {}", printable(result)))?;
    }
    if explained.passes {
        print("        report mode: passes unchanged")?;
    }
    Ok(())
}

/// `text` without what a terminal would act upon; quotes stay, so that lines can be copied.
fn printable(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
