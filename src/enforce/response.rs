//! The `Set-Cookie` fields of a response.

use bytes::Bytes;
use http::header::{COOKIE, Entry, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::{COOKIE2, Direction, Mode, Report, SET_COOKIE2};
use crate::cookie::SetCookie;
use crate::policy::{self, Context, Decision, Reason, Verdict};

/// Judges every `Set-Cookie` line on its own and lets through what may pass.
///
/// Kept lines keep their bytes and their order. `Set-Cookie2` goes, whatever it says. A response
/// in which nothing changes is not touched, and costs no allocation.
pub fn response(headers: &mut HeaderMap, context: &Context<'_>, mode: Mode, report: &mut Report) {
    let mut fates = Fates::new();
    let changes = judge(headers, context, report, &mut fates);
    if changes && mode == Mode::Enforce {
        carry_out(headers, &mut fates);
    }
    remove(headers, &SET_COOKIE2, mode, report);
}

/// Judges lines that the HTTP parser set aside for the bytes in them. They go nowhere; they are
/// counted like any other.
pub fn set_aside<'l>(
    lines: impl IntoIterator<Item = &'l [u8]>,
    context: &Context<'l>,
    report: &mut Report,
) {
    for line in lines {
        let decision = policy::set_cookie(context, line);
        report.decided(Direction::Response, || SetCookie::name_of(line), &decision);
    }
}

/// Removes cookies from the trailers of a request or response: no user agent reads them there, and
/// an origin or a library that merges trailers into the header would.
pub fn trailers(trailers: &mut HeaderMap, mode: Mode, report: &mut Report) {
    for name in [&SET_COOKIE, &SET_COOKIE2, &COOKIE, &COOKIE2] {
        remove(trailers, name, mode, report);
    }
}

/// What becomes of one line.
enum Fate {
    Keep,
    Replace(HeaderValue),
    Drop,
}

type Fates = SmallVec<[Fate; 16]>;

/// Whether any line changes; its fate stands at its place.
fn judge(
    headers: &HeaderMap,
    context: &Context<'_>,
    report: &mut Report,
    fates: &mut Fates,
) -> bool {
    let mut changes = false;
    for line in headers.get_all(SET_COOKIE) {
        let line = line.as_bytes();
        let decision = policy::set_cookie(context, line);
        report.decided(Direction::Response, || SetCookie::name_of(line), &decision);
        let fate = fate(line, &decision);
        changes |= !matches!(fate, Fate::Keep);
        fates.push(fate);
    }
    changes
}

fn fate(line: &[u8], decision: &Decision<'_>) -> Fate {
    match (decision.verdict, &decision.edits) {
        (Verdict::Block, _) => Fate::Drop,
        (_, None) => Fate::Keep,
        (_, Some(edits)) => {
            // Neither can fail for a line that was judged to pass; if one did, the cookie is lost
            // rather than let through as it came.
            let edited =
                SetCookie::parse(line).ok().map(|cookie| Bytes::from(edits.apply(&cookie)));
            edited
                .and_then(|line| HeaderValue::from_maybe_shared(line).ok())
                .map_or(Fate::Drop, Fate::Replace)
        }
    }
}

fn carry_out(headers: &mut HeaderMap, fates: &mut Fates) {
    let Entry::Occupied(lines) = headers.entry(SET_COOKIE) else { return };
    let mut survivors = SmallVec::<[HeaderValue; 16]>::new();
    for (line, fate) in lines.remove_entry_mult().1.zip(fates.drain(..)) {
        match fate {
            Fate::Keep => survivors.push(line),
            Fate::Replace(edited) => survivors.push(edited),
            Fate::Drop => {}
        }
    }
    for line in survivors {
        headers.append(SET_COOKIE, line);
    }
}

/// Removes every line of a field that may carry no cookie, and reports each.
pub(super) fn remove(headers: &mut HeaderMap, name: &HeaderName, mode: Mode, report: &mut Report) {
    if !headers.contains_key(name) {
        return;
    }
    let request = [&COOKIE, &COOKIE2].contains(&name);
    for line in headers.get_all(name) {
        let (direction, cookie) = if request {
            (Direction::Request, &b""[..])
        } else {
            (Direction::Response, SetCookie::name_of(line.as_bytes()))
        };
        report.blocked(direction, cookie, Reason::Malformed);
    }
    if mode == Mode::Enforce {
        headers.remove(name);
    }
}
