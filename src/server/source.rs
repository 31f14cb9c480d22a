//! Files that a configuration was read from, looked at again and again.
//!
//! By their state (`stat(2)`) and not by the kernel's notices, which tell nothing of network file
//! systems, of directories that a symbolic link leads past, as container platforms renew them, or of
//! files that are not there yet.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Files;

/// How often files are looked at: soon enough for whoever waits for it, at a few microseconds a file.
const EVERY: Duration = Duration::from_millis(500);

/// Looks in a row after which a change is taken as it is, though the files still change.
const PATIENCE: u32 = 4;

/// Where a configuration comes from, and how that was when it was read.
#[derive(Debug)]
pub struct Source {
    files: Arc<Files>,
    /// Their state at the last load.
    loaded: u64,
}

impl Source {
    /// The files that were read last, whatever came of it.
    #[must_use]
    pub fn new(files: Files) -> Self {
        Self { loaded: files.state(), files: Arc::new(files) }
    }

    /// The main file.
    pub(super) fn file(&self) -> &Path {
        self.files.main()
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
        let files = Arc::clone(&self.files);
        // A file system may take its time, and the main thread accepts connections.
        let state = tokio::task::spawn_blocking(move || files.state_now()).await;
        state.unwrap_or(self.loaded)
    }
}

#[cfg(test)]
mod tests {
    use crate::config;

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
        let mut before = config::read(&main).files;
        let mut differs = |what: &str| {
            assert_ne!(before.state_now(), before.state(), "{what}");
            before = config::read(&main).files;
            assert_eq!(before.state_now(), before.state(), "nothing happened since: {what}");
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
