//! Files that a configuration was read from, looked at again and again.
//!
//! By their state (`stat(2)`) and not by the kernel's notices, which tell nothing of network file
//! systems, of directories that a symbolic link leads past, as container platforms renew them, or of
//! files that are not there yet.

use std::hash::{BuildHasher as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::config;

/// How often files are looked at: soon enough for whoever waits for it, at a few microseconds a file.
const EVERY: Duration = Duration::from_millis(500);

/// Looks in a row after which a change is taken as it is, though the files still change.
const PATIENCE: u32 = 4;

/// Where a configuration comes from: a main file, and the state of every file behind it.
#[derive(Debug)]
pub struct Source {
    file: PathBuf,
    /// What the site files named at the last load. Should they name others, they have changed.
    named: Vec<PathBuf>,
    /// The state at the last load.
    loaded: u64,
}

impl Source {
    /// The files behind the main file `file` as they are now. To be made before they are read, so that
    /// no change is missed.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        let (named, loaded) = look(&file);
        Self { file, named, loaded }
    }

    /// The main file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Takes the files as they are now for the ones that were loaded.
    pub(super) async fn look(&mut self) {
        let file = self.file.clone();
        if let Ok((named, loaded)) = tokio::task::spawn_blocking(move || look(&file)).await {
            (self.named, self.loaded) = (named, loaded);
        }
    }

    /// Ready when the files are other ones than were loaded, and their writer seems to be done: two
    /// looks in a row show the same.
    pub(super) async fn changed(&mut self) {
        let mut last = self.loaded;
        let mut restless = 0;
        loop {
            tokio::time::sleep(EVERY).await;
            let now = self.state().await;
            if now == self.loaded {
                restless = 0;
            } else if now == last || restless >= PATIENCE {
                return;
            } else {
                restless += 1;
            }
            last = now;
        }
    }

    async fn state(&self) -> u64 {
        let (file, named) = (self.file.clone(), self.named.clone());
        // A file system may take its time, and the main thread accepts connections.
        let state = tokio::task::spawn_blocking(move || state(&file, &named)).await;
        state.unwrap_or(self.loaded)
    }
}

/// Reads all files for what they name, and takes their state.
fn look(file: &Path) -> (Vec<PathBuf>, u64) {
    let named = config::named_files(file);
    let state = state(file, &named);
    (named, state)
}

/// A hash over names, times, sizes and places on disk: of the main file, of the site files that it
/// matches now, and of what these named when they were read.
fn state(file: &Path, named: &[PathBuf]) -> u64 {
    let mut hash = FixedState::default().build_hasher();
    let sites = config::site_files(file);
    for path in std::iter::once(file).chain(sites.iter().chain(named).map(PathBuf::as_path)) {
        hash.write(path.as_os_str().as_encoded_bytes());
        // What is not there has a state too.
        if let Ok(meta) = std::fs::metadata(path) {
            for number in [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()] {
                hash.write_i64(number);
            }
            hash.write_u64(meta.size());
            hash.write_u64(meta.ino());
        }
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_counts() {
        let directory =
            std::env::temp_dir().join(format!("cookie-firewall-watch-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let write = |name: &str, text: &str| {
            std::fs::write(directory.join(name), text).expect("the directory can be written");
        };
        let main = directory.join("main.toml");
        write("main.toml", "[server]\nsites = [\"*.site.toml\"]\n");
        let mut before = Source::new(main.clone());
        let mut differs = |what: &str| {
            assert_ne!(state(&main, &before.named), before.loaded, "{what}");
            before = Source::new(main.clone());
            assert_eq!(
                state(&main, &before.named),
                before.loaded,
                "nothing happened since: {what}"
            );
        };
        write("a.site.toml", "domain = \"a\"\n[[tls.certificate]]\nchain = \"a.pem\"\n");
        differs("a site file more");
        write("a.pem", "x");
        differs("a certificate that was not there");
        write("a.pem", "xy");
        differs("a certificate that grows");
        std::fs::rename(directory.join("a.site.toml"), directory.join("b.site.toml"))
            .expect("there");
        differs("another name");
        std::fs::remove_dir_all(&directory).expect("a directory of the test's own");
    }
}
