//! The `Cookie` fields of a request.

use std::fmt;

use bytes::Bytes;
use http::header::{COOKIE, GetAll};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::response::remove;
use super::{COOKIE2, Direction, Mode, Report, Withdrawal};
use crate::consent::{Consent, Ids, Rules};
use crate::cookie::{Pair, Pairs};
use crate::policy::{self, Context, Reason, Verdict};

/// Global Privacy Control.
const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");

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
/// single field from which nothing is removed is not touched at all. `Sec-GPC: 1` denies what the
/// site's rules say, and stays where it is. Cookies that consent no longer covers go into `withdrawal`,
/// for the response to expire them.
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
    withdrawal: &mut Withdrawal,
    report: &mut Report,
) -> Result<Consent, OverLimit> {
    let judged = judge(headers, context, rules, limits, withdrawal, report);
    let Ok((consent, survivors)) = judged else {
        report.blocked(Direction::Request, b"", Reason::Limit);
        return match mode {
            Mode::Enforce => Err(OverLimit),
            Mode::Report => Ok(Consent::default()),
        };
    };
    if let Some(cookie_string) = survivors
        && mode == Mode::Enforce
    {
        replace(headers, cookie_string);
    }
    remove(headers, &COOKIE2, Direction::Request, mode, report);
    Ok(consent)
}

/// The visitor's consent by itself, for a request that goes no further, and the ids that its
/// `Sec-GPC: 1` denies.
#[must_use]
pub fn consent(headers: &HeaderMap, rules: &Rules, now: i64) -> (Consent, Ids) {
    let gpc = denied_by_gpc(headers, rules);
    (rules.read(pairs(headers), now).with_gpc(gpc), gpc)
}

/// The cookies of a request, of all its `Cookie` fields.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = Pair<'_>> {
    headers.get_all(COOKIE).into_iter().flat_map(|field| Pairs::of(field.as_bytes()))
}

/// What is denied where the visitor's user agent asks that no data be sold or shared. One `1` among
/// several fields is enough, and nothing else says so (Global Privacy Control, `Sec-GPC`).
fn denied_by_gpc(headers: &HeaderMap, rules: &Rules) -> Ids {
    let asks = headers.get_all(&SEC_GPC).iter().any(|value| value.as_bytes() == b"1");
    if asks { rules.gpc } else { Ids::NONE }
}

/// The cookies of a request, cut once. It is large, and stays where it is.
#[derive(Default)]
struct Cookies<'h> {
    /// User agents send more than these to few sites.
    pairs: SmallVec<[Pair<'h>; 24]>,
    fields: usize,
}

impl<'h> Cookies<'h> {
    fn cut(
        &mut self,
        fields: GetAll<'h, HeaderValue>,
        limits: &RequestLimits,
    ) -> Result<(), OverLimit> {
        let (mut seen, mut bytes) = (0, 0);
        for field in fields {
            let field = field.as_bytes();
            self.fields += 1;
            bytes += field.len();
            if bytes > limits.bytes {
                return Err(OverLimit);
            }
            let mut pairs = Pairs::of(field);
            while let Some(pair) = pairs.next() {
                // Before a pair too many takes room.
                if seen + pairs.seen() > limits.pairs {
                    return Err(OverLimit);
                }
                self.pairs.push(pair);
            }
            seen += pairs.seen();
        }
        if seen <= limits.pairs { Ok(()) } else { Err(OverLimit) }
    }
}

/// The visitor's consent, and the one cookie-string that remains, or `None` where the header is right
/// as it stands.
fn judge(
    headers: &HeaderMap,
    context: &Context<'_>,
    rules: &Rules,
    limits: &RequestLimits,
    withdrawal: &mut Withdrawal,
    report: &mut Report,
) -> Result<(Consent, Option<Vec<u8>>), OverLimit> {
    let mut cookies = Cookies::default();
    cookies.cut(headers.get_all(COOKIE), limits)?;
    let Cookies { pairs, fields } = &mut cookies;
    let gpc = denied_by_gpc(headers, rules);
    let consent = rules.read(pairs.iter().copied(), context.now).with_gpc(gpc);
    let context = Context { consent, ..*context };
    let came = pairs.len();
    let mut withdrawn = Vec::new();
    pairs.retain(|pair| {
        let decision = policy::pair(&context, pair);
        report.decided(Direction::Request, || pair.name, &decision);
        if withdrawal.covers(pair.name, decision.reason, consent.state(), rules) {
            withdrawn.push((pair.name, decision.declaration));
        }
        decision.verdict != Verdict::Block
    });
    withdrawal.note(withdrawn.into_iter(), headers);
    Ok((consent, (*fields > 1 || pairs.len() < came).then(|| join(pairs))))
}

/// The cookie-string of `pairs`, in a buffer of just its size, which `Bytes` takes over as it is.
fn join(pairs: &[Pair<'_>]) -> Vec<u8> {
    let length: usize = pairs.iter().map(|pair| pair.raw.len() + 2).sum();
    let mut out = Vec::with_capacity(length.saturating_sub(2));
    for pair in pairs {
        if !out.is_empty() {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(pair.raw);
    }
    out
}

fn replace(headers: &mut HeaderMap, cookie_string: Vec<u8>) {
    // Pieces of valid field values make a valid field value; if ever they did not, the cookies
    // would be withheld.
    match HeaderValue::from_maybe_shared(Bytes::from(cookie_string)) {
        Ok(value) if !value.is_empty() => {
            headers.insert(COOKIE, value);
        }
        _ => {
            headers.remove(COOKIE);
        }
    }
}
