//! Where the result goes: standard output, or a new file.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::Failure;

/// Writes `text` to the file, which must not be there yet, or to standard output.
pub(super) fn write(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else {
        return match io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::silent(0)),
            result => Ok(result?),
        };
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        // Somebody may have edited it since.
        ErrorKind::AlreadyExists => Failure::usage(format!(
            "{} exists already; name another file, or remove it",
            path.display()
        )),
        _ => Failure::failed(format!("cannot write {}: {error}", path.display())),
    })
}

/// Tells people something beside the result; whoever has closed standard error need not hear it.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
