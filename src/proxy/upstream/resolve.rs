//! Socket addresses of a configured address: at once for an IP address, by name otherwise.
//!
//! A name is resolved again and again in the background, so that no exchange waits for the
//! resolver but the first; a resolver that fails changes nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

/// The answer of a [`Lookup`].
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Resolves a host and a port; the system's way, but for tests.
pub type Lookup = Arc<dyn Fn(&str, u16) -> Found + Send + Sync>;

/// The system's resolver, which blocks a thread of the runtime's pool.
pub fn system() -> Lookup {
    Arc::new(|host, port| {
        let host = host.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    })
}

/// The socket addresses of one configured address.
pub struct Resolved {
    host: Box<str>,
    port: u16,
    is_literal: bool,
    lookup: Lookup,
    known: ArcSwap<Vec<Known>>,
    /// Grows whenever the addresses have changed.
    generation: AtomicUsize,
    /// Where the next connection begins.
    next: AtomicUsize,
    /// Held by the one who asks while nothing is known.
    asking: Mutex<()>,
}

struct Known {
    address: SocketAddr,
    /// Whether the last connection to it failed.
    is_suspect: AtomicBool,
}

impl Resolved {
    /// The addresses of `host`, which are looked up when they are first needed.
    pub fn new(host: &str, port: u16, lookup: Lookup) -> Self {
        let literal = host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port));
        Self {
            host: host.into(),
            port,
            is_literal: literal.is_some(),
            lookup,
            known: ArcSwap::from_pointee(known(literal)),
            generation: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            asking: Mutex::new(()),
        }
    }

    /// A number that changes with the addresses.
    pub fn generation(&self) -> usize {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether `address` is still among the addresses; one that was is not so for ever.
    pub fn contains(&self, address: SocketAddr) -> bool {
        self.known.load().iter().any(|known| known.address == address)
    }

    /// The addresses in the order to try them: each begins in turn, and those that failed last time
    /// come last.
    ///
    /// # Errors
    ///
    /// The resolver's, where nothing is known yet.
    pub async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if self.known.load().is_empty() {
            let _asking = self.asking.lock().await;
            if self.known.load().is_empty() {
                self.refresh().await?;
            }
        }
        let known = self.known.load();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % known.len().max(1);
        let in_turn = || known[first..].iter().chain(&known[..first]);
        let are =
            |suspect| move |known: &&Known| known.is_suspect.load(Ordering::Relaxed) == suspect;
        let ordered = in_turn().filter(are(false)).chain(in_turn().filter(are(true)));
        Ok(ordered.map(|known| known.address).collect())
    }

    /// Notes how connecting to `address` went.
    pub fn note(&self, address: SocketAddr, has_failed: bool) {
        if let Some(known) = self.known.load().iter().find(|known| known.address == address) {
            known.is_suspect.store(has_failed, Ordering::Relaxed);
        }
    }

    /// Resolves the name again for ever, if it is one.
    pub async fn keep_fresh(&self, every: Duration) {
        if self.is_literal {
            return;
        }
        let mut is_failing = false;
        loop {
            match self.refresh().await {
                // Once is enough for the log, however long it lasts.
                Err(error) if !is_failing => {
                    tracing::warn!(host = %self.host, %error, "cannot resolve; keeping what was known");
                    is_failing = true;
                }
                Ok(()) if is_failing => {
                    tracing::info!(host = %self.host, "resolved again");
                    is_failing = false;
                }
                _ => {}
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Resolves the name now.
    ///
    /// # Errors
    ///
    /// The resolver's; what was known stays.
    pub async fn refresh(&self) -> io::Result<()> {
        let mut found = (self.lookup)(&self.host, self.port).await?;
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        found.sort_unstable();
        found.dedup();
        let is_same = self.known.load().iter().map(|known| known.address).eq(found.iter().copied());
        // Fresh entries also clear what was held against an address.
        self.known.store(Arc::new(known(found)));
        if !is_same {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

fn known(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<Known> {
    let known = |address| Known { address, is_suspect: AtomicBool::new(false) };
    addresses.into_iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// A resolver that gives the answers of a list in turn; an empty one is a failure.
    fn scripted(answers: &[&[&str]]) -> Lookup {
        let mut answers: Vec<Vec<SocketAddr>> =
            answers.iter().map(|list| list.iter().map(|text| address(text)).collect()).collect();
        answers.reverse();
        let answers = Mutex::new(answers);
        Arc::new(move |_, _| {
            let answer = answers.lock().expect("no panic").pop().expect("an answer is left");
            Box::pin(async move {
                if answer.is_empty() { Err(io::Error::other("no resolver")) } else { Ok(answer) }
            })
        })
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(future)
    }

    #[test]
    fn a_literal_is_never_looked_up() {
        let resolved = Resolved::new("::1", 80, scripted(&[]));
        assert_eq!(block_on(resolved.addresses()).expect("known"), [address("[::1]:80")]);
        block_on(resolved.keep_fresh(Duration::ZERO));
    }

    #[test]
    fn a_name_follows_the_resolver_but_not_its_failures() {
        let answers: &[&[&str]] = &[&["10.0.0.2:80", "10.0.0.1:80"], &[], &["10.0.0.3:80"]];
        let resolved = Resolved::new("portal", 80, scripted(answers));
        let first = block_on(resolved.addresses()).expect("resolved");
        assert_eq!(first, [address("10.0.0.1:80"), address("10.0.0.2:80")]);
        let generation = resolved.generation();
        assert!(block_on(resolved.refresh()).is_err());
        assert!(resolved.contains(first[0]) && resolved.generation() == generation);
        block_on(resolved.refresh()).expect("resolved");
        assert!(!resolved.contains(first[0]) && resolved.generation() != generation);
        assert_eq!(block_on(resolved.addresses()).expect("known"), [address("10.0.0.3:80")]);
    }

    #[test]
    fn addresses_take_turns_and_those_that_failed_come_last() {
        let (a, b) = (address("10.0.0.1:80"), address("10.0.0.2:80"));
        let resolved = Resolved::new("portal", 80, scripted(&[&["10.0.0.1:80", "10.0.0.2:80"]]));
        let next = || block_on(resolved.addresses()).expect("known");
        assert_eq!((next(), next()), (vec![a, b], vec![b, a]));
        resolved.note(a, true);
        assert_eq!((next(), next()), (vec![b, a], vec![b, a]));
        resolved.note(a, false);
        assert_eq!((next(), next()), (vec![a, b], vec![b, a]));
    }
}
