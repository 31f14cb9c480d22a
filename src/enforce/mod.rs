//! Decisions carried out on header maps, in both directions.
//!
//! The only place where a cookie header is edited. It does no I/O and counts nothing; what was
//! decided leaves in a [`Report`], which telemetry reads.

mod cache;
pub mod list;
mod report;
mod request;
mod response;
mod withdrawal;

pub use cache::{CacheRule, keep_private};
pub use report::{Direction, Entry, Report};
pub use request::{OverLimit, RequestLimits, consent, pairs, request};
pub use response::{response, set_aside, trailers};
pub use withdrawal::{Expire, Withdrawal, WithdrawalRule, expire};

use http::HeaderName;

/// RFC 2965's fields, which no user agent sends or reads any more and some origins still do.
const COOKIE2: HeaderName = HeaderName::from_static("cookie2");
const SET_COOKIE2: HeaderName = HeaderName::from_static("set-cookie2");

/// Whether decisions are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Decide, carry out, count.
    #[default]
    Enforce,
    /// Decide and count; change nothing on the wire.
    Report,
}

impl Mode {
    /// The name in configuration, metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }
}

#[cfg(test)]
mod tests;
