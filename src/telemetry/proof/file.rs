//! The log of choices as a file: whole lines, on disk before anybody is answered.
//!
//! The file is opened for each line, which is rare enough, and locked. So the line goes to the file
//! that has the name now, whatever another process, a reload or a tool that rotates logs has done to
//! the one of before.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{Flock, FlockArg};

use super::{ProofLog, RecordedChoice, line, rotation};
use crate::config;
use crate::telemetry::Telemetry;

/// How often a file may be moved away between its being opened and locked.
const ATTEMPTS: u32 = 100;

/// A log of choices in a file.
pub struct FileProof {
    settings: config::Proof,
    telemetry: Arc<Telemetry>,
}

impl FileProof {
    /// The log that `settings` ask for, its file made where there is none.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written; the error names the remedy.
    pub fn open(settings: config::Proof, telemetry: Arc<Telemetry>) -> io::Result<Self> {
        let path = &settings.path;
        open(path).map_err(|error| {
            let message = format!(
                "proof.path: cannot write {}: {error}\n  remedy: let the user that the firewall runs \
                 as write to this file and to its folder, or name another file",
                path.display()
            );
            io::Error::new(error.kind(), message)
        })?;
        Ok(Self { settings, telemetry })
    }

    /// Appends a line that is due at `at`, in the next file where this one is full.
    fn append(&self, line: &[u8], at: i64) -> io::Result<()> {
        let config::Proof { path, max_size, keep } = &self.settings;
        let mut file = locked(path)?;
        if is_full(&file, line, *max_size)? {
            match rotation::rotate(path, at) {
                Ok(()) => {
                    file = locked(path)?;
                    rotation::prune(path, *keep);
                }
                // Too large a file is better than a choice that is lost.
                Err(error) => self.warn("the log of choices cannot be rotated", &error),
            }
        }
        append(&mut file, line, rotation::folder(path))
    }

    fn warn(&self, what: &str, error: &io::Error) {
        if self.telemetry.budget.allows_one() {
            tracing::error!(path = %self.settings.path.display(), %error, "{what}");
        }
    }
}

impl ProofLog for FileProof {
    fn record(&self, choice: &RecordedChoice<'_>) -> io::Result<()> {
        let recorded = line(choice).and_then(|line| self.append(&line, choice.at));
        self.telemetry.metrics.count_proof(recorded.is_ok());
        if let Err(error) = &recorded {
            self.warn("a choice was not recorded", error);
        }
        recorded
    }
}

/// The file that has this name, for nobody else to write to while it is held.
fn locked(path: &Path) -> io::Result<Flock<File>> {
    for _ in 0..ATTEMPTS {
        let file = Flock::lock(open(path)?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        if is_at(&file, path)? {
            return Ok(file);
        }
    }
    Err(io::Error::other("the file is moved away again and again"))
}

/// Readable by its owner alone. Only a regular file can be locked, synced and cut; a pipe would keep
/// whoever opens it waiting, and of a symbolic link, rotation would move the link.
fn open(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Whether this is still the file with this name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok(identity(named) == identity(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_full(file: &File, line: &[u8], max_size: u64) -> io::Result<bool> {
    let length = file.metadata()?.len();
    Ok(length > 0 && length.saturating_add(line.len() as u64) > max_size)
}

/// Appends a line and returns when it is on disk. A failure leaves the file as it was.
fn append(file: &mut File, line: &[u8], folder: &Path) -> io::Result<()> {
    let before = file.metadata()?.len();
    // Half a line, of a machine that went down, is not to spoil this one too.
    let line = if is_whole(file, before)? { line.to_vec() } else { [b"\n", line].concat() };
    let mut written = file.write_all(&line).and_then(|()| file.sync_data());
    if before == 0 {
        // Its name has to last as well, and that of the one which was rotated.
        written = written.and_then(|()| File::open(folder)?.sync_all());
    }
    if written.is_err() {
        // What failed first is the news; a second failure leaves half a line for the next to end.
        let _ = file.set_len(before).and_then(|()| file.sync_data());
    }
    written
}

/// Whether what is there ends with the end of a line.
fn is_whole(file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error() {
        let full = OpenOptions::new().read(true).append(true).open("/dev/full");
        let error = append(&mut full.expect("a device of Linux"), b"{}\n", Path::new("/"));
        assert_eq!(error.expect_err("no space").kind(), io::ErrorKind::StorageFull);
    }
}
