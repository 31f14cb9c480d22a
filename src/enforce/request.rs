//! The `Cookie` fields of a request.

use std::fmt;

use bytes::Bytes;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::response::remove;
use super::{COOKIE2, Direction, Mode, Report};
use crate::consent::{Consent, Rules};
use crate::cookie::{Pair, Pairs};
use crate::policy::{self, Context, Reason, Verdict};

/// How many cookies of one request are judged. Beyond, the request is refused: judging costs time
/// in proportion, and forwarding unjudged would be a way through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Cookie pairs, counted by their separators over all `Cookie` fields.
    pub pairs: usize,
    /// Bytes of all `Cookie` fields together.
    pub bytes: usize,
}

impl Default for RequestLimits {
    /// What user agents send at most in practice, with room to spare: they keep some 180 cookies
    /// for a domain, and servers refuse fields of 8 to 16 KiB.
    fn default() -> Self {
        Self { pairs: 300, bytes: 32 * 1024 }
    }
}

/// The request carries more cookies than the firewall judges; it must not be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverLimit;

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request carries more cookies than allowed")
    }
}

impl std::error::Error for OverLimit {}

/// Reads the visitor's consent and removes from the request what the origin must not see.
///
/// Several `Cookie` fields become one, joined as bytes with `; ` (RFC 9113 8.2.3), since origins
/// read only the first, or join with commas. What survives stays byte for byte, in its order; a
/// single field from which nothing is removed is not touched at all.
///
/// `context.consent` is ignored: the consent returned is the one the cookies were judged by, and
/// the one to judge the response by.
///
/// # Errors
///
/// [`OverLimit`], unless the mode is `report`, which never refuses.
pub fn request(
    headers: &mut HeaderMap,
    context: &Context<'_>,
    rules: &Rules,
    limits: &RequestLimits,
    mode: Mode,
    report: &mut Report,
) -> Result<Consent, OverLimit> {
    if exceeds(headers, limits) {
        report.blocked(Direction::Request, b"", Reason::Limit);
        return match mode {
            Mode::Enforce => Err(OverLimit),
            Mode::Report => Ok(Consent::default()),
        };
    }
    let consent = rules.read(pairs(headers), context.now);
    let context = Context { consent, ..*context };
    let survivors = judge(headers, &context, report);
    if let Some(survivors) = survivors
        && mode == Mode::Enforce
    {
        replace(headers, survivors);
    }
    remove(headers, &COOKIE2, Direction::Request, mode, report);
    Ok(consent)
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = Pair<'_>> {
    headers.get_all(COOKIE).iter().flat_map(|field| Pairs::of(field.as_bytes()))
}

fn exceeds(headers: &HeaderMap, limits: &RequestLimits) -> bool {
    let (mut pairs, mut bytes) = (0, 0);
    for field in headers.get_all(COOKIE) {
        let field = field.as_bytes();
        bytes += field.len();
        pairs += 1 + field.iter().filter(|&&b| b == b';').count();
    }
    pairs > limits.pairs || bytes > limits.bytes
}

/// The joined cookie-string that remains, or `None` where the header is right as it stands.
fn judge(headers: &HeaderMap, context: &Context<'_>, report: &mut Report) -> Option<Vec<u8>> {
    let several = headers.get_all(COOKIE).iter().nth(1).is_some();
    let mut rebuilt = several.then(|| join(headers, 0));
    let mut kept = 0;
    for pair in pairs(headers) {
        let decision = policy::pair(context, &pair);
        report.decided(Direction::Request, || pair.name, &decision);
        match (decision.verdict, &mut rebuilt) {
            (Verdict::Block, Some(_)) => {}
            (Verdict::Block, none) => *none = Some(join(headers, kept)),
            (_, Some(out)) => append(out, &pair),
            (_, None) => kept += 1,
        }
    }
    rebuilt
}

/// The first `count` pairs, in a buffer that has room for all.
fn join(headers: &HeaderMap, count: usize) -> Vec<u8> {
    let room = headers.get_all(COOKIE).iter().map(|field| field.len() + 2).sum();
    let mut out = Vec::with_capacity(room);
    pairs(headers).take(count).for_each(|pair| append(&mut out, &pair));
    out
}

fn append(out: &mut Vec<u8>, pair: &Pair<'_>) {
    if !out.is_empty() {
        out.extend_from_slice(b"; ");
    }
    out.extend_from_slice(pair.raw);
}

fn replace(headers: &mut HeaderMap, survivors: Vec<u8>) {
    // Pieces of valid field values make a valid field value; if ever they did not, the cookies
    // would be withheld.
    match HeaderValue::from_maybe_shared(Bytes::from(survivors)) {
        Ok(value) if !value.is_empty() => {
            headers.insert(COOKIE, value);
        }
        _ => {
            headers.remove(COOKIE);
        }
    }
}
