//! `charter import`: a published charter page to a site file.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{charset, fetch, output};
use crate::charter::import::{self, Format, Import};
use crate::cli::{Failure, counted};
use crate::config::{Mistakes, Severity, SiteFile, site_from_str};

/// Pages larger than this are refused.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The most that is shown of a row in an error.
const MAX_SHOWN_CHARS: usize = 100;

/// Turn a published charter page into a site file that passes `check`
///
/// Reads text (columns by tabs, pipes or spaces), Markdown, HTML, CSV or JSON, in French or English.
/// What cannot be placed stands in the site file as a comment with its line, and is reported on
/// standard error with a count.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The page: a file, http(s)://..., or - for standard input
    #[arg(value_name = "FILE|URL", default_value = "-")]
    page: String,

    /// The portal's domain; the one that the page names, if left out
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,

    /// Where the portal itself is, such as http://127.0.0.1:8000
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,

    /// How the page is written
    #[arg(long, value_enum, default_value_t = Form::Auto)]
    format: Form,

    /// Write to this file, which must not exist, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The formats that pages are read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Told by the page itself
    Auto,
    /// Plain text
    Text,
    /// Markdown
    Markdown,
    /// HTML
    Html,
    /// JSON, as `charter render --format json` writes it
    Json,
    /// Values between commas or semicolons
    Csv,
}

/// A page as it was got.
struct Page {
    text: String,
    is_html: bool,
    /// The host it came from.
    host: Option<String>,
    /// What to call it.
    source: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let page = get(&arguments.page)?;
    let format = match arguments.format {
        Form::Auto if page.is_html => Format::Html,
        Form::Auto => import::format_of(&page.text),
        Form::Text => Format::Text,
        Form::Markdown => Format::Markdown,
        Form::Html => Format::Html,
        Form::Json => Format::Json,
        Form::Csv => Format::Csv,
    };
    if !charset::is_text(&page.text) {
        return Err(Failure::usage(format!(
            "{}: the page is no text: give the page as text, Markdown, HTML, CSV or JSON; UTF-16 needs a byte order mark",
            page.source
        )));
    }
    let import = import::read(&page.text, format)
        .map_err(|error| Failure::usage(format!("{}: {error}", page.source)))?;
    if import.found.is_empty() && !import.unplaced.is_empty() {
        return Err(Failure::usage(nothing_declared(&page.source, &import)));
    }
    let domain = domain(arguments, &page, &import);
    let upstream = arguments.upstream.as_deref();
    let file = SiteFile { source: &page.source, domain, upstream, import: &import };
    let text = file.to_string();
    // What is handed out passes; only what was said on the command line can be wrong.
    site_from_str(Path::new("site file"), &text)
        .map_err(|mistakes| Failure::usage(of_options(&mistakes)))?;
    output::write(&text, arguments.output.as_deref())?;
    report(&import, domain);
    Ok(())
}

/// That no row declares a cookie. A site file of such a page would block every cookie of the portal.
fn nothing_declared(source: &str, import: &Import) -> String {
    const SHOWN: usize = 3;
    let rows = counted(import.unplaced.len(), "row");
    let mut text = format!("{source}: no cookie is declared by the {rows} that the page has:");
    for import::Unplaced { line, text: row, reason } in import.unplaced.iter().take(SHOWN) {
        let row: String = row.chars().take(MAX_SHOWN_CHARS).collect();
        text.push_str(&format!("\n  line {line}: {reason}: {row}"));
    }
    text.push_str(
        "\n  remedy: give the table a row of headings, one of them \"cookie\" or \"nom\", or say with --format how the page is written",
    );
    text
}

/// The mistakes, each by the option it was made in.
fn of_options(mistakes: &Mistakes) -> String {
    let told =
        mistakes.0.iter().filter(|mistake| mistake.severity == Severity::Error).map(|mistake| {
            match mistake.key.as_deref() {
                Some(key @ ("domain" | "upstream")) => {
                    format!("--{key}: {}\n  remedy: {}", mistake.message, mistake.remedy)
                }
                _ => mistake.to_string(),
            }
        });
    told.collect::<Vec<_>>().join("\n")
}

fn get(page: &str) -> Result<Page, Failure> {
    if fetch::is_address(page) {
        let fetched = fetch::fetch(page).map_err(|error| {
            Failure::failed(Context { what: page.to_owned(), error: error.into() })
        })?;
        let text = charset::decoded(&fetched.bytes, fetched.charset.as_deref());
        let (is_html, host) = (fetched.is_html, Some(fetched.host));
        return Ok(Page { text, is_html, host, source: page.to_owned() });
    }
    let cannot = |error: io::Error| {
        Failure::usage(Context { what: format!("cannot read {page}"), error: error.into() })
    };
    let (bytes, source) = if page == "-" {
        let input = io::stdin();
        if input.is_terminal() {
            output::tell("reading the page from standard input; Ctrl+D ends it");
        }
        (limited(input.lock()).map_err(cannot)?, "standard input".to_owned())
    } else {
        (File::open(page).and_then(limited).map_err(cannot)?, page.to_owned())
    };
    let text = charset::decoded(&bytes, None);
    Ok(Page { text, is_html: false, host: None, source })
}

/// All that comes, up to the limit.
fn limited(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    input.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Err(io::Error::other(format!("the page is larger than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(bytes)
}

/// The site's domain: what was asked for, what the page says of itself, where it came from, or the
/// only address that its text names.
fn domain<'a>(arguments: &'a Arguments, page: &'a Page, import: &'a Import) -> Option<&'a str> {
    let said = arguments.domain.as_deref().or(import.domain.as_deref());
    let only = || match &*import.hosts {
        [only] => Some(only.as_str()),
        _ => None,
    };
    said.or(page.host.as_deref()).or_else(only)
}

/// Tells what was made of the page.
fn report(import: &Import, domain: Option<&str>) {
    for unplaced in &import.unplaced {
        let import::Unplaced { line, text, reason } = unplaced;
        output::tell(&format!("line {line}: kept as a comment: {reason}: {text}"));
    }
    let unclassified = import.found.iter().filter(|found| found.entry.is_unclassified()).count();
    if unclassified > 0 {
        output::tell(&format!(
            "{} in no category of the page, blocked until one is written",
            counted(unclassified, "declaration")
        ));
    }
    if domain.is_none() {
        let hosts = match &*import.hosts {
            [] => String::new(),
            hosts => format!("; the page names {}", hosts.join(", ")),
        };
        output::tell(&format!("the page does not say its domain: give --domain{hosts}"));
    }
    output::tell(&format!(
        "{}, {} kept as comments",
        counted(import.found.len(), "declaration"),
        counted(import.unplaced.len(), "row")
    ));
}

/// An error with what was being done.
#[derive(Debug)]
struct Context {
    what: String,
    error: Box<dyn std::error::Error>,
}

impl std::fmt::Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Context {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.error)
    }
}
