//! `charter render`: the charter that is enforced, as a page.

use std::path::PathBuf;

use clap::ValueEnum;

use super::output;
use crate::charter::{CharterView, Language, render};
use crate::cli::{ConfigFile, Failure, find_site};
use crate::config;

/// Print a site's charter as a page, from the very file that is enforced
///
/// What is printed, `charter import` reads back as the same charter.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,

    /// The domain or alias of the site
    #[arg(long, value_name = "DOMAIN")]
    site: String,

    /// How to write it
    #[arg(long, value_enum, default_value_t = Form::Html)]
    format: Form,

    /// The language of headings and categories; the site's own, if left out
    #[arg(long, value_enum)]
    language: Option<Tongue>,

    /// Write to this file, which must not exist, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The formats of a rendered charter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A page of its own
    Html,
    /// A heading and a table
    Markdown,
    /// An object, for scripts
    Json,
}

/// The languages by their tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// French
    Fr,
    /// English
    En,
}

impl From<Tongue> for Language {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::Fr => Self::French,
            Tongue::En => Self::English,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = config::load(&arguments.file.config).map_err(Failure::usage)?;
    let site = find_site(&loaded.config.sites, &arguments.site.to_lowercase())?;
    let own = site.language;
    let language = arguments.language.map_or(own, Into::into);
    let view = CharterView::of(&site.domain, &site.charter);
    let page = match arguments.format {
        Form::Html => render::page_html(&view, language, own),
        Form::Markdown => render::page_markdown(&view, language),
        Form::Json => render::page_json(&view, language),
    };
    output::write(&page, arguments.output.as_deref())
}
