//! The files that a configuration is read from, and how each was before it was read.

use std::fs::Metadata;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use foldhash::fast::FixedState;

use super::{contents, main_file};

/// The files behind a configuration, and their state from before each was read: what is written
/// later is seen in [`Files::state_now`].
#[derive(Clone, Debug)]
pub struct Files {
    main: Fingerprint,
    sites: Vec<Fingerprint>,
    /// What the site files name: certificates, keys and logos.
    named: Vec<Fingerprint>,
}

/// A file and its state: a hash of its times, its size and its place on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    path: PathBuf,
    /// What is not there has a state too, and so has what is no file: a pipe changes by being written
    /// to, and can be read once.
    state: u64,
}

impl Fingerprint {
    /// The file as it is now.
    pub(super) fn now(path: PathBuf) -> Self {
        let metadata = std::fs::metadata(&path);
        Self::with(path, &metadata)
    }

    /// The file, about which this is known.
    pub(super) fn with(path: PathBuf, metadata: &io::Result<Metadata>) -> Self {
        let file = metadata.as_ref().ok().filter(|known| known.is_file());
        Self { state: file.map_or(0, state), path }
    }
}

impl Files {
    /// The main file alone, as it is now.
    pub(super) fn new(main: &Path) -> Self {
        Self { main: Fingerprint::now(main.to_owned()), sites: Vec::new(), named: Vec::new() }
    }

    /// Adds a site file, and what it names.
    pub(super) fn add(&mut self, site: Fingerprint, named: Vec<Fingerprint>) {
        self.sites.push(site);
        self.named.extend(named);
    }

    /// The main file.
    #[must_use]
    pub fn main(&self) -> &Path {
        &self.main.path
    }

    /// A hash over the names and states of all.
    #[must_use]
    pub fn state(&self) -> u64 {
        hash(std::iter::once(&self.main).chain(&self.sites).chain(&self.named))
    }

    /// The same hash as of now: of the main file, of the site files that it matches now, and of what
    /// these named when they were read. Should they name others, they have changed themselves.
    #[must_use]
    pub fn state_now(&self) -> u64 {
        let main = self.main.path.clone();
        let sites = sites_matched_now(&main);
        let named = self.named.iter().map(|seen| seen.path.clone());
        let now: Vec<_> =
            std::iter::once(main).chain(sites).chain(named).map(Fingerprint::now).collect();
        hash(&now)
    }
}

/// The site files that the main file at `path` matches now; none where it cannot be read.
fn sites_matched_now(path: &Path) -> Vec<PathBuf> {
    let text = contents(path).ok().and_then(|text| String::from_utf8(text).ok());
    text.map(|text| main_file::read(path, &text).sites).unwrap_or_default()
}

fn hash<'s>(files: impl IntoIterator<Item = &'s Fingerprint>) -> u64 {
    let mut hash = FixedState::default().build_hasher();
    for file in files {
        hash.write(file.path.as_os_str().as_encoded_bytes());
        hash.write_u64(file.state);
    }
    hash.finish()
}

fn state(metadata: &Metadata) -> u64 {
    let mut hash = FixedState::default().build_hasher();
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    times.into_iter().for_each(|time| hash.write_i64(time));
    hash.write_u64(metadata.size());
    hash.write_u64(metadata.ino());
    hash.finish()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::process::Command;

    use super::*;

    /// It would be read again, by a reload that waits for another writer for ever.
    #[test]
    fn a_pipe_does_not_change_by_being_written_to() {
        let directory = std::env::temp_dir().join(format!("files-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let pipe = directory.join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("coreutils").success());
        let files = Files::new(&pipe);
        // Opened for both, it waits for nobody.
        let mut both = OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
        both.write_all(b"[server]\n").expect("room in the pipe");
        assert_eq!(files.state_now(), files.state());
        std::fs::remove_dir_all(&directory).expect("there");
    }
}
