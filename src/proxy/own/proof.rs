//! The proof of a choice, which is on disk before the choice counts.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::charter::Language;
use crate::consent::Ids;
use crate::page::{self, Choice, Offer};
use crate::proxy::gateway::{Gateway, Site};
use crate::telemetry::{ProofLog, RecordedChoice};

/// Threads of the process that record choices at once. One holds the file; more than a few would only
/// wait for it, and a disk that hangs would collect them.
static WRITERS: Semaphore = Semaphore::const_new(4);

/// A choice that a visitor has made.
pub(super) struct Chosen {
    /// When, in seconds since 1970.
    pub(super) at: i64,
    /// Of the page that it was made on.
    pub(super) language: Language,
    pub(super) choice: Choice,
    pub(super) granted: Ids,
}

/// Has the choice recorded, where proofs are kept, on a thread that may wait for the disk; the visitor
/// waits no longer than for the portal.
pub(super) async fn prove(gateway: &Gateway, site: &Arc<Site>, chosen: Chosen) -> io::Result<()> {
    let Some(log) = gateway.proof.clone() else { return Ok(()) };
    let limit = site.config.timeouts.first_byte;
    tokio::time::timeout(limit, on_a_thread(log, Arc::clone(site), chosen)).await.unwrap_or_else(
        |_| {
            gateway.telemetry.metrics.count_proof(false);
            Err(io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer"))
        },
    )
}

async fn on_a_thread(log: Arc<dyn ProofLog>, site: Arc<Site>, chosen: Chosen) -> io::Result<()> {
    let turn = WRITERS.acquire().await.map_err(io::Error::other)?;
    let record = move || {
        // Until the disk has answered, whether or not the visitor still waits.
        let _turn = turn;
        record(&*log, &site, &chosen)
    };
    tokio::task::spawn_blocking(record).await.map_err(io::Error::other)?
}

fn record(log: &dyn ProofLog, site: &Site, chosen: &Chosen) -> io::Result<()> {
    let offers = page::offers(&site.config.consent);
    let (granted, refused): (Vec<_>, Vec<_>) =
        offers.partition(|offer| chosen.granted.contains(offer.ids));
    let names = |offers: Vec<_>| -> Vec<_> { offers.iter().map(category).collect() };
    log.record(&RecordedChoice {
        at: chosen.at,
        site: &site.config.domain,
        charter_hash: &site.pages.shown(site, chosen.language).hash,
        language: chosen.language.tag(),
        choice: chosen.choice.as_str(),
        granted: &names(granted),
        refused: &names(refused),
    })
}

fn category<'s>(offer: &Offer<'s>) -> &'s str {
    offer.category
}
