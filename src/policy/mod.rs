//! The decision: charter, consent, cookie and time in; keep, rewrite or block out, with the reason.
//!
//! Everything that judges a cookie calls [`set_cookie`] or [`pair`]; nothing else decides. Deciding
//! does not fail: what cannot be read has a reason of its own, and is blocked.

mod decision;

pub use decision::{Decision, Reason, Verdict};

use crate::charter::{Charter, DeclarationId, DomainRule, Forced, LifetimeCap, Need, Scopes};
use crate::consent::{Answer, Consent};
use crate::cookie::domain::{self, Scope};
use crate::cookie::{
    Edits, Lifetime, LifetimeEdit, MAX_PAIR_BYTES, Malformed, Pair, Presence, SameSite, SetCookie,
    ValueEdit, name,
};

/// What the cookies of one exchange are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// What the portal declared.
    pub charter: &'c Charter,
    /// What the visitor said.
    pub consent: Consent,
    /// The host that the user agent talks to, in lower case and without a port.
    pub host: &'c str,
    /// Unix seconds.
    pub now: i64,
}

/// Judges one line of a response, the value of a `Set-Cookie` field.
#[must_use]
pub fn set_cookie<'c>(context: &Context<'c>, line: &'c [u8]) -> Decision<'c> {
    match SetCookie::parse(line) {
        Ok(cookie) => readable(context, &cookie),
        Err(malformed) => {
            let declaration = context.charter.find(SetCookie::name_of(line));
            Decision::block(reason_of(malformed), declaration)
        }
    }
}

/// Judges a line that user agents read.
fn readable<'c>(context: &Context<'c>, cookie: &SetCookie<'c>) -> Decision<'c> {
    let (declaration, admission) = admit(context, cookie.name);
    let edits = plan(context, cookie, declaration);
    if let Some(refusal) = refusal(context, cookie, edits.as_ref()) {
        return Decision::block(refusal, declaration);
    }
    match (admission, edits) {
        (Admission::Admitted(reason), None) => Decision::keep(reason, declaration),
        (Admission::Admitted(_), Some(edits)) => Decision::rewrite(edits, declaration),
        (Admission::Blocked(Reason::Undeclared | Reason::Denied | Reason::Unset), edits)
            if cookie.lifetime(context.now).is_deletion() =>
        {
            let edits = without_value(edits.unwrap_or_default(), cookie, context.now);
            Decision::deletion(edits, declaration)
        }
        (Admission::Blocked(reason), _) => Decision::block(reason, declaration),
    }
}

/// The edits of a cookie that may not pass and removes itself: blocking it would keep alive what it
/// deletes. It must not be anything but a deletion to any user agent: the name alone can carry a
/// tracker's data.
fn without_value<'c>(edits: Edits<'c>, cookie: &SetCookie<'_>, now: i64) -> Edits<'c> {
    let lifetime =
        if cookie.is_plain_deletion(now) { LifetimeEdit::Leave } else { LifetimeEdit::Seconds(0) };
    Edits { blank_value: !cookie.value.is_empty(), lifetime, ..edits }
}

/// Judges one pair of a request's cookie-string.
#[must_use]
pub fn pair<'c>(context: &Context<'c>, pair: &Pair<'_>) -> Decision<'c> {
    let (declaration, admission) = admit(context, pair.name);
    match (unreadable(pair), admission) {
        (Some(reason), _) | (None, Admission::Blocked(reason)) => {
            Decision::block(reason, declaration)
        }
        (None, Admission::Admitted(reason)) => Decision::keep(reason, declaration),
    }
}

/// Why an origin might read a pair otherwise than as the one cookie that it is, if it might.
fn unreadable(pair: &Pair<'_>) -> Option<Reason> {
    if pair.has_control() {
        return Some(Reason::Malformed);
    }
    if pair.name.len() + pair.value.len() > MAX_PAIR_BYTES {
        return Some(Reason::Oversized);
    }
    if pair.name.is_empty() {
        return Some(Reason::Nameless);
    }
    // `$Version` and its kin switch origins to the grammar of RFC 2109, and an open quote lets a
    // cookie swallow its neighbours there.
    (pair.name.starts_with(b"$") || pair.has_open_quote()).then_some(Reason::Malformed)
}

/// What a cookie's name and the visitor's consent amount to.
enum Admission {
    Admitted(Reason),
    Blocked(Reason),
}

fn admit(context: &Context<'_>, name: &[u8]) -> (Option<DeclarationId>, Admission) {
    let charter = context.charter;
    let exact = charter.find_exact(name);
    let declaration = exact.or_else(|| charter.find_pattern(name));
    // A name that the charter itself declares to the letter is what it says.
    if exact.is_none() && is_disguised(charter, name) {
        return (declaration, Admission::Blocked(Reason::Malformed));
    }
    let admission = match declaration.map(|id| charter.declaration(id).need) {
        None => Admission::Blocked(Reason::Undeclared),
        Some(Need::Exempt) => Admission::Admitted(Reason::Exempt),
        Some(Need::Consent(ids)) => match context.consent.answer(ids) {
            Answer::Granted => Admission::Admitted(Reason::Granted),
            Answer::Denied => Admission::Blocked(Reason::Denied),
            Answer::Unset => Admission::Blocked(Reason::Unset),
        },
    };
    (declaration, admission)
}

/// Whether an origin may read `name` as a protected or a declared name that it is not.
fn is_disguised(charter: &Charter, name: &[u8]) -> bool {
    name::origin_reading(name).is_some_and(|reading| {
        name::forges_prefix(name, &reading) || charter.find_exact(&reading).is_some()
    })
}

fn reason_of(malformed: Malformed) -> Reason {
    match malformed {
        Malformed::Control => Reason::Malformed,
        Malformed::Oversized => Reason::Oversized,
    }
}

/// Why a user agent would refuse the line as it would leave, if it would.
fn refusal<'c>(
    context: &Context<'c>,
    cookie: &SetCookie<'c>,
    edits: Option<&Edits<'c>>,
) -> Option<Reason> {
    let edited = edits.map(|edits| edits.preview(cookie));
    let outgoing = edited.as_ref().unwrap_or(cookie);
    if name::breaks_prefix(outgoing) {
        return Some(Reason::Prefix);
    }
    if outgoing.name.is_empty() {
        return Some(Reason::Nameless);
    }
    if domain::scope(context.host, outgoing.domain) == Scope::Refused {
        return Some(Reason::Domain);
    }
    // RFC 6265bis 5.7, step 19.
    (outgoing.same_site == SameSite::None && !outgoing.secure).then_some(Reason::Malformed)
}

/// What is to change on the line, by the site's mapping and by the declaration; `None` for nothing,
/// as nearly always.
fn plan<'c>(
    context: &Context<'c>,
    cookie: &SetCookie<'c>,
    declaration: Option<DeclarationId>,
) -> Option<Edits<'c>> {
    let (charter, now) = (context.charter, context.now);
    let declaration = declaration.map(|id| charter.declaration(id));
    let lifetime = match declaration.and_then(|declaration| declaration.max_age) {
        Some(cap) => cut(cap, cookie, now),
        None => LifetimeEdit::Leave,
    };
    let forced = declaration.map(|declaration| &declaration.forced).filter(|f| !f.is_nothing());
    if lifetime == LifetimeEdit::Leave && forced.is_none() && charter.scopes().are_the_same() {
        return None;
    }
    let mut edits = Edits { lifetime, ..Edits::default() };
    map_scope(charter.scopes(), cookie, &mut edits);
    if let Some(forced) = forced {
        force(forced, cookie, &mut edits);
    }
    (!edits.is_empty()).then_some(edits)
}

/// Maps the upstream's own domain and path to the site's.
fn map_scope<'c>(scopes: &'c Scopes, cookie: &SetCookie<'c>, edits: &mut Edits<'c>) {
    if let Some(domain) = cookie.domain {
        edits.domain = scopes.domain(domain);
    }
    if let Some(path) = cookie.path
        && let Some(mapped) = scopes.path(path)
    {
        edits.path = ValueEdit::Set(mapped);
    }
}

/// Plans what the declaration demands and the cookie lacks.
fn force<'c>(forced: &'c Forced, cookie: &SetCookie<'c>, edits: &mut Edits<'c>) {
    edits.secure = presence(forced.secure, cookie.secure);
    edits.http_only = presence(forced.http_only, cookie.http_only);
    edits.partitioned = presence(forced.partitioned, cookie.partitioned);
    edits.same_site = forced.same_site.filter(|wanted| *wanted != cookie.same_site);
    match &forced.domain {
        None => {}
        Some(DomainRule::HostOnly) => {
            // An empty one as well: some user agents pass over it, and take one before it.
            let scoped = cookie.domain.is_some();
            edits.domain = if scoped { ValueEdit::Remove } else { ValueEdit::Leave };
        }
        Some(DomainRule::Domain(wanted)) => {
            let same = cookie.domain.is_some_and(|d| d.eq_ignore_ascii_case(wanted.as_bytes()));
            edits.domain = if same { ValueEdit::Leave } else { ValueEdit::Set(wanted.as_bytes()) };
        }
    }
    if let Some(wanted) = &forced.path {
        let same = cookie.path == Some(wanted.as_bytes());
        edits.path = if same { ValueEdit::Leave } else { ValueEdit::Set(wanted.as_bytes().into()) };
    }
}

/// How a lifetime cap changes the line. A deletion is within every cap; what user agents may read
/// as more than it says is written so that they cannot.
fn cut(cap: LifetimeCap, cookie: &SetCookie<'_>, now: i64) -> LifetimeEdit {
    let ambiguous = cookie.is_ambiguous();
    match (cap, cookie.lifetime(now)) {
        (_, Lifetime::Seconds(..=0)) => {
            if ambiguous {
                LifetimeEdit::Seconds(0)
            } else {
                LifetimeEdit::Leave
            }
        }
        (LifetimeCap::Seconds(cap), Lifetime::Seconds(seconds)) => {
            let within = u32::try_from(seconds).ok().filter(|seconds| *seconds <= cap);
            match within {
                Some(_) if !ambiguous => LifetimeEdit::Leave,
                within => LifetimeEdit::Seconds(within.unwrap_or(cap)),
            }
        }
        (LifetimeCap::Session, _) | (_, Lifetime::Session) if cookie.names_lifetime() => {
            LifetimeEdit::Session
        }
        _ => LifetimeEdit::Leave,
    }
}

fn presence(wanted: Option<bool>, present: bool) -> Presence {
    match wanted {
        Some(true) if !present => Presence::Present,
        Some(false) if present => Presence::Absent,
        _ => Presence::Leave,
    }
}

#[cfg(test)]
mod tests;
