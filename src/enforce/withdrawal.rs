//! Cookies that a request brings and consent no longer covers: its own response expires them.
//!
//! Withholding them from the origin leaves them in the user agent, where scripts and other hosts of
//! the domain go on reading them. Scripts cannot remove what is `HttpOnly`; a response can, since a
//! user agent lets HTTP overwrite any cookie of the same name, domain and path, whatever attributes
//! the new line lacks (RFC 6265bis 5.7, which turns away only scripts).

use http::header::{ACCEPT, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Mode, Report, pairs};
use crate::charter::{Declaration, DeclarationId};
use crate::consent::{Rules, State};
use crate::cookie::{domain, name};
use crate::policy::{self, Context, Reason};

/// Fetch Metadata (W3C), which scripts cannot set. User agents send it over TLS alone.
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Bytes of all lines that are added to one response: what is between the firewall and the visitor
/// may hold back a larger head, and some 70 usual lines are not longer.
const MAX_BYTES: usize = 8 * 1024;

/// Cookies of a request that are taken note of at least, however few lines are added to one response:
/// those that no line reaches must not keep others from their turn.
const LEAST_COOKIES: usize = 64;

/// Which cookies are expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expire {
    /// None.
    Nothing,
    /// Those that the visitor has refused.
    #[default]
    Denied,
    /// Those, and of a visitor who has answered those that the charter does not name.
    DeniedAndUndeclared,
}

/// What a site has expired, and by which responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalRule {
    /// Which cookies.
    pub expire: Expire,
    /// Whether by every response, and not only by those to navigations.
    pub always: bool,
    /// The most lines that are added to one response.
    pub limit: usize,
}

impl Default for WithdrawalRule {
    /// Room for ten cookies of a host two labels below its registrable domain; the next page
    /// expires the others.
    fn default() -> Self {
        Self { expire: Expire::default(), always: false, limit: 64 }
    }
}

/// The cookies of one request that its response is to expire.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    rule: WithdrawalRule,
    is_reading: bool,
    is_secure: bool,
    cookies: Vec<Withdrawn>,
}

#[derive(Clone, Debug)]
struct Withdrawn {
    name: Box<[u8]>,
    declaration: Option<DeclarationId>,
}

impl Withdrawal {
    /// None yet, of a request with this method; `is_secure` if the visitor came over TLS.
    #[must_use]
    pub fn new(rule: WithdrawalRule, method: &Method, is_secure: bool) -> Self {
        let is_reading = *method == Method::GET || *method == Method::HEAD;
        Self { rule, is_reading, is_secure, cookies: Vec::new() }
    }

    /// Takes note of what a request with these `headers` brings that goes no further, and of which
    /// nothing has been judged.
    pub fn look(&mut self, headers: &HeaderMap, context: &Context<'_>, rules: &Rules) {
        let state = context.consent.state();
        let withdrawn = pairs(headers).filter_map(|pair| {
            let decision = policy::pair(context, &pair);
            let covered = self.covers(pair.name, decision.reason, state, rules);
            covered.then_some((pair.name, decision.declaration))
        });
        let withdrawn: Vec<_> = withdrawn.collect();
        self.note(withdrawn.into_iter(), headers);
    }

    /// Whether a cookie called `name` that was blocked for `reason` is to be expired.
    ///
    /// Never where nobody has answered, or where the answer does not count. The cookies that hold
    /// the answer stay, whatever the charter forgot to say of them. `Sec-GPC: 1` is an answer to the
    /// cookies that it denies, and to no others.
    pub(super) fn covers(&self, name: &[u8], reason: Reason, state: State, rules: &Rules) -> bool {
        let answered = || matches!(state, State::Granted | State::Partial | State::Denied);
        let covered = match (self.rule.expire, reason) {
            (Expire::Denied | Expire::DeniedAndUndeclared, Reason::Denied) => true,
            (Expire::DeniedAndUndeclared, Reason::Undeclared) => answered(),
            _ => false,
        };
        covered && !rules.cookies.iter().any(|cookie| cookie.as_bytes() == name)
    }

    /// Takes note of the cookies to be expired, if the request with these `headers` is one whose
    /// response does so.
    ///
    /// The last comes first: user agents write cookies with long paths before others (RFC 6265bis
    /// 5.8.3), and those, which no line here may reach, would take the place of all others.
    pub(super) fn note<'n>(
        &mut self,
        cookies: impl DoubleEndedIterator<Item = (&'n [u8], Option<DeclarationId>)>,
        headers: &HeaderMap,
    ) {
        let mut cookies = cookies.rev().peekable();
        if cookies.peek().is_none() || !(self.rule.always || self.is_navigation(headers)) {
            return;
        }
        for (name, declaration) in cookies {
            if self.cookies.len() == self.rule.limit.max(LEAST_COOKIES) {
                return;
            }
            if !self.cookies.iter().any(|known| *known.name == *name) {
                self.cookies.push(Withdrawn { name: name.into(), declaration });
            }
        }
    }

    /// Whether the request is for a page that becomes the visitor's. Without Fetch Metadata, as over
    /// clear text, one that would read a page is taken for that.
    fn is_navigation(&self, headers: &HeaderMap) -> bool {
        match (headers.get(&SEC_FETCH_DEST), headers.get(&SEC_FETCH_MODE)) {
            (Some(dest), _) => dest == "document",
            (None, Some(mode)) => mode == "navigate",
            (None, None) => self.is_reading && accepts_html(headers),
        }
    }

    /// The lines that expire `cookie`, wherever it may be stored. They are many because a cookie is
    /// overwritten only by one of its own domain and path, neither of which the request tells.
    fn lines<'w>(
        &'w self,
        cookie: &'w Withdrawn,
        context: &Context<'w>,
    ) -> impl Iterator<Item = HeaderValue> + 'w {
        let demands = name::demands(&cookie.name);
        let declaration = cookie.declaration.map(|id| context.charter.declaration(id));
        // A copy in the site's own partition (CHIPS) is another cookie, and looks like this one.
        let partitioned = self.is_secure && !declaration.is_some_and(is_unpartitioned);
        let further = declaration.and_then(declared_path).filter(|_| !demands.host);
        let paths = ["/"].into_iter().chain(further);
        let parents = domain::cookie_domains(context.host).take_while(move |_| !demands.host);
        let domains = [None].into_iter().chain(parents.map(Some));
        // In clear text no user agent would take the line.
        let useless = demands.secure && !self.is_secure;
        let scopes = paths.flat_map(move |path| domains.clone().map(move |domain| (path, domain)));
        let scopes = scopes.filter(move |_| !useless);
        let scopes = scopes.flat_map(move |(path, domain)| {
            [false, true].into_iter().take(1 + usize::from(partitioned)).map(move |partitioned| {
                Line {
                    name: &cookie.name,
                    path,
                    domain,
                    secure: self.is_secure,
                    http_only: demands.http_only,
                    partitioned,
                }
            })
        });
        scopes.filter_map(Line::write)
    }
}

/// Adds to a response the lines that expire the cookies its request brought in vain, and reports
/// each cookie.
///
/// All lines of a cookie or none, so that what is there at once is gone at once. Of those for which no
/// room was left one has its turn with as many of its lines as there is room for: a name may be too
/// long for all of them together, and must not keep itself, let alone others, from being expired.
///
/// It comes after the response's own cookies have been judged. Of these, none can have the name of a
/// cookie that is expired but its deletions: both directions are judged by the same consent.
pub fn expire(
    headers: &mut HeaderMap,
    context: &Context<'_>,
    withdrawal: &Withdrawal,
    mode: Mode,
    report: &mut Report,
) {
    let mut add = |cookie: &Withdrawn, lines: Vec<HeaderValue>| {
        if lines.is_empty() {
            return;
        }
        report.expired(cookie.declaration);
        if mode == Mode::Enforce {
            headers.extend(lines.into_iter().map(|line| (SET_COOKIE, line)));
        }
    };
    let mut room = Room { bytes: MAX_BYTES, lines: withdrawal.rule.limit };
    let mut waiting = Vec::new();
    for cookie in &withdrawal.cookies {
        match room.take_all(withdrawal.lines(cookie, context)) {
            Some(lines) => add(cookie, lines),
            None => waiting.push(cookie),
        }
    }
    // By the seconds, since nothing is remembered of a visitor from page to page.
    let turn = usize::try_from(context.now).unwrap_or_default();
    if let Some(cookie) = turn.checked_rem(waiting.len()).map(|whose| waiting[whose]) {
        let lines = || withdrawal.lines(cookie, context);
        let first = (turn / waiting.len()) % lines().count().max(1);
        let in_turn = lines().skip(first).chain(lines().take(first));
        add(cookie, in_turn.filter(|line| room.take(line)).collect());
    }
}

/// What is left for the lines of one response.
#[derive(Clone, Copy)]
struct Room {
    bytes: usize,
    lines: usize,
}

impl Room {
    /// Whether there is room for this line, which is taken then.
    fn take(&mut self, line: &HeaderValue) -> bool {
        let left = (self.bytes.checked_sub(line.len()), self.lines.checked_sub(1));
        let (Some(bytes), Some(lines)) = left else { return false };
        *self = Self { bytes, lines };
        true
    }

    /// All of `lines`, if there is room for them; of others no more are made than had room.
    fn take_all(&mut self, lines: impl Iterator<Item = HeaderValue>) -> Option<Vec<HeaderValue>> {
        let mut left = *self;
        let taken = lines.map(|line| left.take(&line).then_some(line)).collect::<Option<_>>()?;
        *self = left;
        Some(taken)
    }
}

fn is_unpartitioned(declaration: &Declaration) -> bool {
    declaration.forced.partitioned == Some(false)
}

/// The path that the declaration forces, where it is not the one that every cookie is expired on.
fn declared_path(declaration: &Declaration) -> Option<&str> {
    declaration.forced.path.as_deref().filter(|path| *path != "/")
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().flat_map(|a| a.as_bytes().split(|&b| b == b','));
    let mut types = ranges.map(|range| range.split(|&b| b == b';').next().unwrap_or_default());
    types.any(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"text/html"))
}

/// One set-cookie-string that expires a cookie.
struct Line<'l> {
    name: &'l [u8],
    path: &'l str,
    domain: Option<&'l str>,
    secure: bool,
    http_only: bool,
    partitioned: bool,
}

impl Line<'_> {
    /// `None` for a name that no field can carry.
    ///
    /// `Secure` because a cookie that has it is left alone otherwise, and `HttpOnly` where the name
    /// demands it. User agents that do not know `Max-Age` read `Expires`.
    fn write(self) -> Option<HeaderValue> {
        let mut line = Vec::with_capacity(self.name.len() + 160);
        line.extend_from_slice(self.name);
        line.extend_from_slice(b"=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=");
        line.extend_from_slice(self.path.as_bytes());
        if let Some(domain) = self.domain {
            line.extend_from_slice(b"; Domain=");
            line.extend_from_slice(domain.as_bytes());
        }
        for (wanted, attributes) in [
            (self.secure, "; Secure"),
            (self.http_only, "; HttpOnly"),
            // Such a cookie lives in frames of other sites, where any other SameSite is refused.
            (self.partitioned, "; SameSite=None; Partitioned"),
        ] {
            if wanted {
                line.extend_from_slice(attributes.as_bytes());
            }
        }
        HeaderValue::from_maybe_shared(bytes::Bytes::from(line)).ok()
    }
}
