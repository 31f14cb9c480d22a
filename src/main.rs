//! Parses the command line, hands over, and chooses the exit code.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use cookie_firewall::cli;

/// What a burst of connections took goes back to the system when it is over; the system's own
/// allocator would keep it for the few small things that stay in between.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match cli::run(cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(error) = &failure.error {
                print(&**error);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// The error and what caused it, one a line. Where standard error cannot be written, the exit code
/// alone tells.
fn print(error: &dyn Error) {
    let mut out = std::io::stderr();
    let _ = writeln!(out, "cookie-firewall: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(out, "  caused by: {cause}");
        source = cause.source();
    }
}
