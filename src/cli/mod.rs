//! The command line: one file for each subcommand.

mod charter;
mod check;
mod demo;
mod explain;
mod logging;
mod run;
mod schema;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{self, Site};
use crate::cookie::domain::host_of;

/// The exit code for bad usage or a bad configuration.
const USAGE: u8 = 2;

/// The exit code for a failure while running.
const FAILURE: u8 = 1;

/// A reverse proxy that makes a portal's cookie charter true.
///
/// A cookie that the charter does not declare, or that the visitor has not consented to, reaches
/// neither the browser nor the portal, and is counted.
#[derive(Debug, Parser)]
#[command(name = "cookie-firewall", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Run(run::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Charter(charter::Arguments),
    Schema(schema::Arguments),
}

/// Which configuration a command is about.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The main configuration file; site files are named in it
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "COOKIE_FIREWALL_CONFIG",
        default_value = "config/cookie-firewall.toml"
    )]
    config: PathBuf,
}

/// For whom a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For scripts
    Json,
}

/// Why a command failed, and what the process exits with.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What to print; nothing where the command has printed it already.
    pub error: Option<Box<dyn Error>>,
}

impl Failure {
    fn usage(error: impl Into<Box<dyn Error>>) -> Self {
        Self { code: USAGE, error: Some(error.into()) }
    }

    fn failed(error: impl Into<Box<dyn Error>>) -> Self {
        Self { code: FAILURE, error: Some(error.into()) }
    }

    fn silent(code: u8) -> Self {
        Self { code, error: None }
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: FAILURE, error: Some(error.into()) }
    }
}

/// Runs the command that `arguments` name.
///
/// # Errors
///
/// [`Failure`], with the exit code.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Charter(arguments) => charter::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
    }
}

/// Writes one line to standard output; a reader that has gone away ends the command quietly.
fn print(line: impl fmt::Display) -> Result<(), Failure> {
    use std::io::Write as _;
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::silent(0)),
        result => Ok(result?),
    }
}

/// The site that answers for `host`, as the proxy finds it.
fn find_site<'s>(sites: &'s [Arc<Site>], host: &str) -> Result<&'s Site, Failure> {
    let named = |name: &str| {
        let has = |site: &&Arc<Site>| {
            *site.domain == *name || site.aliases.iter().any(|alias| **alias == *name)
        };
        sites.iter().find(has)
    };
    config::by_host(&plain_host(host), true, named).map(|site| &**site).ok_or_else(|| {
        let known: Vec<_> = sites.iter().map(|site| &*site.domain).collect();
        Failure::usage(format!("no site has the domain {host:?}; known: {}", known.join(", ")))
    })
}

/// A host as the proxy compares it: without port and final dot, in lower case.
fn plain_host(written: &str) -> String {
    host_of(written).unwrap_or(written).to_ascii_lowercase()
}

/// `1 site`, `2 sites`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
