//! The `Set-Cookie` fields of a response.

use std::borrow::Cow;
use std::mem;

use bytes::Bytes;
use http::header::{COOKIE, DATE, Entry, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::{COOKIE2, Direction, Mode, Report, SET_COOKIE2};
use crate::cookie::{SetCookie, date};
use crate::policy::{self, Context, Decision, Reason};

/// How far, in seconds, an upstream's `Date` may be from now: clocks differ, and responses take time.
const DATE_TOLERANCE: u64 = 300;

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
    remove(headers, &SET_COOKIE2, Direction::Response, mode, report);
    if mode == Mode::Enforce && headers.contains_key(SET_COOKIE) {
        remove_false_date(headers, context.now);
    }
}

/// Removes a `Date` that is not about now, for whoever sends the response to write the right one.
///
/// User agents shift `Expires` by the difference between `Date` and their own clock, so a response
/// with an old date turns a deletion into a cookie, and a capped lifetime into years. So does one that
/// they read otherwise than it is read here.
fn remove_false_date(headers: &mut HeaderMap, now: i64) {
    let about_now = |date: &HeaderValue| {
        let plain = Some(date.as_bytes()).filter(|date| date::is_plain(date));
        plain.and_then(date::parse).is_some_and(|date| date.abs_diff(now) <= DATE_TOLERANCE)
    };
    if !headers.get_all(DATE).iter().all(about_now) {
        headers.remove(DATE);
    }
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
pub fn trailers(trailers: &mut HeaderMap, direction: Direction, mode: Mode, report: &mut Report) {
    for name in [&SET_COOKIE, &SET_COOKIE2, &COOKIE, &COOKIE2] {
        remove(trailers, name, direction, mode, report);
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
    match decision.outgoing(line) {
        None => Fate::Drop,
        Some(Cow::Borrowed(_)) => Fate::Keep,
        // Edits of a valid field value make a valid one; if ever not, the cookie is lost.
        Some(Cow::Owned(edited)) => {
            HeaderValue::from_maybe_shared(Bytes::from(edited)).map_or(Fate::Drop, Fate::Replace)
        }
    }
}

fn carry_out(headers: &mut HeaderMap, fates: &mut Fates) {
    let Entry::Occupied(mut lines) = headers.entry(SET_COOKIE) else { return };
    let mut survivors = SmallVec::<[HeaderValue; 16]>::new();
    for (line, fate) in lines.iter_mut().zip(fates.drain(..)) {
        match fate {
            // Taken out of its place: a clone would count, and the map's own way to hand out all
            // of a field's lines allocates.
            Fate::Keep => survivors.push(mem::replace(line, HeaderValue::from_static(""))),
            Fate::Replace(edited) => survivors.push(edited),
            Fate::Drop => {}
        }
    }
    let mut survivors = survivors.into_iter();
    match survivors.next() {
        Some(first) => {
            lines.insert(first);
            survivors.for_each(|line| lines.append(line));
        }
        None => drop(lines.remove()),
    }
}

/// Removes every line of a field that may carry no cookie, and reports each.
pub(super) fn remove(
    headers: &mut HeaderMap,
    name: &HeaderName,
    direction: Direction,
    mode: Mode,
    report: &mut Report,
) {
    if !headers.contains_key(name) {
        return;
    }
    let names_one = [&SET_COOKIE, &SET_COOKIE2].contains(&name);
    for line in headers.get_all(name) {
        let cookie = if names_one { SetCookie::name_of(line.as_bytes()) } else { b"" };
        report.blocked(direction, cookie, Reason::Malformed);
    }
    if mode == Mode::Enforce {
        headers.remove(name);
    }
}
