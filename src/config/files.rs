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
    main: Seen,
    sites: Vec<Seen>,
    /// What the site files name: certificates, keys and logos.
    named: Vec<Seen>,
}

/// A file and its state: a hash of its times, its size and its place on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    path: PathBuf,
    /// What is not there has a state too.
    state: u64,
}

impl Seen {
    /// The file as it is now.
    pub(super) fn now(path: PathBuf) -> Self {
        let metadata = std::fs::metadata(&path);
        Self::with(path, &metadata)
    }

    /// The file, about which this is known.
    pub(super) fn with(path: PathBuf, metadata: &io::Result<Metadata>) -> Self {
        Self { state: metadata.as_ref().map_or(0, state), path }
    }
}

impl Files {
    /// The main file alone, as it is now.
    pub(super) fn new(main: &Path) -> Self {
        Self { main: Seen::now(main.to_owned()), sites: Vec::new(), named: Vec::new() }
    }

    /// Adds a site file, and what it names.
    pub(super) fn add(&mut self, site: Seen, named: Vec<Seen>) {
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
        let sites = site_files(&main);
        let named = self.named.iter().map(|seen| seen.path.clone());
        let now: Vec<_> = std::iter::once(main).chain(sites).chain(named).map(Seen::now).collect();
        hash(&now)
    }
}

/// The site files that the main file at `path` matches now; none where it cannot be read.
fn site_files(path: &Path) -> Vec<PathBuf> {
    let text = contents(path).ok().and_then(|text| String::from_utf8(text).ok());
    text.map(|text| main_file::read(path, &text).sites).unwrap_or_default()
}

fn hash<'s>(files: impl IntoIterator<Item = &'s Seen>) -> u64 {
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
