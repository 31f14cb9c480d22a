//! A reverse proxy that makes a portal's cookie charter true.
//!
//! # The flow of one exchange
//!
//! ```text
//! client ──► server ──► site (by authority) ──► enforce::request ──► upstream
//!                                                  │ consent read, pairs judged
//! client ◄── server ◄── enforce::response ◄────────┴──────────────── upstream
//!                          │ Set-Cookie lines judged
//!                          └──► Report ──► telemetry: counters, decision log
//! ```
//!
//! The decision is one pure function of charter, consent, cookie and time, in [`policy`]. There is
//! one place where it is taken, one where headers are edited ([`enforce`]), and one where it is
//! counted ([`telemetry`]).
//!
//! # The rooms, from the bottom
//!
//! | room | what it holds |
//! |---|---|
//! | [`cookie`] | the wire syntax as user agents read it |
//! | [`consent`] | what the visitor said, one decoder for each consent tool |
//! | [`charter`] | what the portal declared, compiled for lookup |
//! | [`policy`] | charter, consent, cookie, time: a decision with its reason |
//! | [`enforce`] | decisions carried out on header maps |
//! | [`page`] | the page on which visitors read the charter and choose |
//! | [`config`] | TOML as written to a checked configuration, every mistake at once |
//! | [`telemetry`] | metrics, the decision log, the proof of consent |
//! | [`proxy`] | one exchange, upstream connections, errors |
//! | [`server`] | listeners, workers, shutdown, the admin listener |
//! | [`cli`] | one file for each subcommand |
//!
//! Dependencies point down only. The first four rooms are pure: no I/O, no clock, no logging, and an
//! answer for every input; a test keeps them so.
//!
//! # What this does not do
//!
//! It does not see cookies that scripts set with `document.cookie`, only the request that brings
//! them back. It does not decide what is lawful: it holds a portal to what it has published.

pub mod charter;
pub mod cli;
pub mod config;
pub mod consent;
pub mod cookie;
pub mod enforce;
#[doc(hidden)]
pub mod fuzzing;
pub mod page;
pub mod policy;
pub mod proxy;
pub mod server;
pub mod telemetry;
