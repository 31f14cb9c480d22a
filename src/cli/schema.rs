//! `schema`: JSON Schema of the site file.

use super::{Failure, print};
use crate::config::schema;

/// Print the JSON Schema of the site file, for editors
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments) -> Result<(), Failure> {
    print(format!("{:#}", schema::site()))
}
