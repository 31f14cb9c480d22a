//! `charter`: a published charter to a site file, and a site's charter to a page.

mod charset;
mod fetch;
mod import;
mod output;
mod render;

use super::Failure;

/// Read a published charter, or publish the one that is enforced
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(import::Arguments),
    Render(render::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Import(arguments) => import::run(arguments),
        Command::Render(arguments) => render::run(arguments),
    }
}
