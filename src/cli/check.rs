//! `check`: every mistake in the configuration, before it is used.

use serde_json::json;

use super::{ConfigFile, Failure, Format, USAGE, counted, print};
use crate::config::{self, Mistakes, Severity};

/// Validate the configuration; exits with 0, or with 2 and every mistake
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,

    /// Take warnings for errors
    #[arg(long)]
    strict: bool,

    /// For whom to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (mistakes, summary) = match config::load(&arguments.file.config) {
        Ok(loaded) => {
            let sites = loaded.config.sites.len();
            let cookies = loaded.config.sites.iter().map(|s| s.charter.declarations().len()).sum();
            let summary =
                format!("{}, {}", counted(sites, "site"), counted(cookies, "declared cookie"));
            (loaded.warnings, Some(summary))
        }
        Err(mistakes) => (mistakes, None),
    };
    let failed = summary.is_none() || (arguments.strict && !mistakes.0.is_empty());
    let summary = summary.filter(|_| !failed);
    let printed = match arguments.format {
        Format::Json => print(json!({ "ok": !failed, "mistakes": mistakes.0 })),
        Format::Text => print_text(&mistakes, summary.as_deref()),
    };
    // Mistakes are mistakes, even where nobody reads them to the end.
    if failed { Err(Failure::silent(USAGE)) } else { printed }
}

fn print_text(mistakes: &Mistakes, summary: Option<&str>) -> Result<(), Failure> {
    if !mistakes.0.is_empty() {
        print(mistakes)?;
        let errors = counted(mistakes.count(Severity::Error), "error");
        print(format!("{errors}, {}", counted(mistakes.count(Severity::Warning), "warning")))?;
    }
    match summary {
        Some(summary) => print(format!("ok: {summary}")),
        None => Ok(()),
    }
}
