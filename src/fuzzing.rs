//! The laws that hold for every input, as functions of bytes.
//!
//! Fuzz targets and property tests call them; they panic where a law is broken. They live in the
//! library so that an ordinary build compiles them.

use std::sync::LazyLock;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method};

use crate::charter::Need;
use crate::config::{Site, site_from_str};
use crate::consent::{Answer, Consent, Ids, Rules, State, Tool};
use crate::cookie::{Pair, Pairs, SetCookie, date};
use crate::enforce::{self, Direction, Mode, Report, RequestLimits, Withdrawal};
use crate::policy::{self, Context, Reason, Verdict};

/// 2026-09-21, when the laws' exchanges take place.
pub const NOW: i64 = 1_790_000_000;

/// A charter with one of everything that a decision can turn on.
pub static SITE: LazyLock<Site> = LazyLock::new(|| {
    let text = include_str!("fuzzing/site.toml");
    site_from_str("fuzzing/site.toml".as_ref(), text).expect("the laws' own site file is right")
});

/// The ids of the charter below.
static EVERY_ID: LazyLock<Ids> = LazyLock::new(|| SITE.consent.all_ids());

/// A visitor's consent: each id granted, denied or unset, as the bits of `choice` say.
fn consent_of(choice: u8) -> Consent {
    let chosen = |offset: usize| {
        let bits = (0..4).filter(|bit| choice & (1 << (bit + offset)) != 0);
        bits.map(Ids::one).fold(Ids::NONE, Ids::union)
    };
    Consent::new(chosen(0), chosen(4))
}

fn context(consent: Consent) -> Context<'static> {
    Context { charter: &SITE.charter, consent, host: &SITE.domain, now: NOW }
}

/// The laws of one `Set-Cookie` line.
///
/// What passes is readable by a user agent and names a cookie; what was rewritten or blanked is
/// right the second time; withdrawing consent never lets more through. The first byte chooses the
/// consent, so that fuzzers reach every decision.
///
/// # Panics
///
/// Where a law is broken.
pub fn set_cookie_string(data: &[u8]) {
    let Some((&choice, line)) = data.split_first() else { return };
    let context = context(consent_of(choice));
    let decision = policy::set_cookie(&context, line);
    assert_eq!(
        decision,
        policy::set_cookie(&context, line),
        "a decision depends on its input alone"
    );
    let withdrawn = Context { consent: Consent::new(Ids::NONE, *EVERY_ID), ..context };
    if policy::set_cookie(&withdrawn, line).verdict != Verdict::Block {
        assert_ne!(decision.verdict, Verdict::Block, "withdrawing consent let more through");
    } else if decision.verdict != Verdict::Block {
        let id = decision.declaration.expect("only a declared cookie needs consent");
        let need = SITE.charter.declaration(id).need;
        assert!(matches!(need, Need::Consent(ids)
            if context.consent.answer(ids) == Answer::Granted));
    }
    if decision.verdict == Verdict::Block {
        assert!(decision.edits.is_none());
        return;
    }
    let cookie = SetCookie::parse(line).expect("what passes is readable");
    assert!(!cookie.name.is_empty(), "a nameless cookie passed");
    let Some(edits) = decision.edits else { return };
    let edited = edits.apply(&cookie);
    let again = policy::set_cookie(&context, &edited);
    let settled = again.verdict == Verdict::Keep && again.edits.is_none();
    assert!(settled || is_translated_again(&edited), "a second edit was due");
    let edited = SetCookie::parse(&edited).expect("an edited line is readable");
    assert_eq!(edited.name, cookie.name);
    let blanked = decision.reason == Reason::Deletion && edited.value.is_empty();
    assert!(edited.value == cookie.value || blanked);
}

/// Whether the site's name for a path is itself one of the upstream's: translating is not
/// idempotent, and `/portal/portal/` is `/portal/` to visitors.
fn is_translated_again(line: &[u8]) -> bool {
    let path = SetCookie::parse(line).ok().and_then(|cookie| cookie.path);
    path.is_some_and(|path| SITE.charter.scopes().path(path).is_some())
}

/// The laws of one `Cookie` field: pairs are pieces of it, in order; names hold no `=`, nothing
/// holds `;`.
///
/// # Panics
///
/// Where a law is broken.
pub fn cookie_string(data: &[u8]) {
    let mut at = 0;
    for pair in Pairs::of(data) {
        let start = data[at..].windows(pair.raw.len()).position(|window| window == pair.raw);
        at += start.expect("a pair stands in the field, behind the one before") + pair.raw.len();
        assert!(!pair.raw.contains(&b';') && !pair.name.contains(&b'='));
        assert!(pair.name.len() + pair.value.len() <= pair.raw.len());
        let context = context(Consent::default());
        let decision = policy::pair(&context, &pair);
        assert!(decision.verdict != Verdict::Keep || !pair.name.is_empty());
        assert_eq!(Pairs::of(pair.raw).next(), Some(pair), "a survivor is read as it was judged");
    }
}

/// The law of dates: whatever is read lies within what the algorithm can denote.
///
/// # Panics
///
/// Where it is broken.
pub fn cookie_date(data: &[u8]) {
    if let Some(seconds) = date::parse(data) {
        assert!((-11_644_473_600..=253_402_300_799).contains(&seconds), "{seconds}");
    }
}

/// The laws of a consent cookie's value: nothing is granted unless it was answered, a second,
/// different cookie beside it never grants more, and the case of an escape says nothing.
///
/// # Panics
///
/// Where a law is broken.
pub fn consent_value(data: &[u8]) {
    let name = SITE.consent.cookie().as_bytes();
    if let Some(rest) = data.strip_prefix(b"%7B") {
        let read = |value| SITE.consent.read([Pair::new(name, value, value)], NOW);
        let otherwise = [b"%7b", rest].concat();
        assert_eq!(read(&otherwise), read(data), "read otherwise as usually written");
    }
    let planted = b"{\"matomo\":true,\"ga\":true,\"timestamp\":1790000000}";
    assert_grants_no_more(&SITE.consent, &[(name, data)], (name, planted));
}

/// The same laws for the cookies of every consent tool. The
/// first byte chooses the tool, and each line after it is the value of one of its cookies, in their
/// order; the last line is the planted one's.
///
/// # Panics
///
/// Where a law is broken.
pub fn consent_cookies(data: &[u8]) {
    let Some((&choice, lines)) = data.split_first() else { return };
    let rules = &TOOLS[usize::from(choice) % TOOLS.len()];
    let mut values: Vec<&[u8]> = lines.split(|&b| b == b'\n').collect();
    let planted = values.pop().unwrap_or_default();
    let names = rules.cookies.iter().map(|name| name.as_bytes());
    let cookies: Vec<_> = names.zip(values).collect();
    for &(name, _) in &cookies {
        assert_grants_no_more(rules, &cookies, (name, planted));
    }
}

/// The rules of a site for each tool, with ids that reach into every corner of its form.
static TOOLS: LazyLock<Vec<Rules>> = LazyLock::new(|| Tool::ALL.map(rules_of).into());

fn rules_of(tool: Tool) -> Rules {
    let usual = tool.default_ids().iter().map(|(id, _)| *id);
    let further =
        ["vendor:12", "vendor:c:x", "service:youtube", "special-feature:1", "cookies", "a"];
    let ids: Box<[Box<str>]> = usual.chain(further).map(Into::into).collect();
    let category = |index: usize| (format!("c{index}").into(), Ids::one(index));
    Rules {
        categories: (0..ids.len()).map(category).collect(),
        ids,
        max_age: Some(180 * 86_400),
        ..Rules::new(tool, tool.default_cookie()).expect("the tool's own name")
    }
}

/// A cookie's name and value.
type Cookie<'c> = (&'c [u8], &'c [u8]);

fn assert_grants_no_more(rules: &Rules, cookies: &[Cookie<'_>], planted: Cookie<'_>) {
    let read = |cookies: &[Cookie<'_>]| {
        rules.read(cookies.iter().map(|&(name, value)| Pair::new(name, value, value)), NOW)
    };
    let alone = read(cookies);
    let answered = matches!(alone.state(), State::Granted | State::Partial | State::Denied);
    let before = read(&[&[planted], cookies].concat());
    let behind = read(&[cookies, &[planted]].concat());
    for id in (0..rules.ids.len()).map(Ids::one) {
        let answer = alone.answer(id);
        assert!(answered || answer == Answer::Unset);
        for more in [before, behind, alone.with_gpc(Ids::one(0))] {
            let granted = more.answer(id) == Answer::Granted;
            assert!(!granted || answer == Answer::Granted, "more was granted than without");
        }
    }
}

/// The laws of a whole exchange of header maps. Lines of the input become `Cookie` fields, and from
/// an empty line on `Set-Cookie` fields.
///
/// # Panics
///
/// Where a law is broken.
pub fn exchange(data: &[u8]) {
    let (request, response) = fields(data);
    let enforced = Run::of(&request, &response, Mode::Enforce);
    let reported = Run::of(&request, &response, Mode::Report);
    assert_eq!((&reported.request, &reported.response), (&request, &response));
    assert_eq!(enforced.report, reported.report, "the modes decide alike");
    if enforced.refused {
        return;
    }
    enforced.assert_request_is_part_of(&request);
    enforced.assert_response_follows_from(&response);
    // Consent is read before the request is filtered, so the second run has the same.
    let again = Run::of(&enforced.request, &enforced.response, Mode::Enforce);
    if again.consent == enforced.consent {
        assert_eq!(again.request, enforced.request, "enforcing twice changed the request");
    }
    let mut lines = enforced.response.get_all(SET_COOKIE).iter();
    if again.consent == enforced.consent && !lines.any(|line| is_translated_again(line.as_bytes()))
    {
        assert_eq!(again.response, enforced.response, "enforcing twice changed the response");
    }
}

fn fields(data: &[u8]) -> (HeaderMap, HeaderMap) {
    let (mut request, mut response) = (HeaderMap::new(), HeaderMap::new());
    let mut name = (&mut request, COOKIE);
    for line in data.split(|&b| b == b'\n') {
        if line.is_empty() {
            name = (&mut response, SET_COOKIE);
        } else if let Ok(value) = HeaderValue::from_bytes(line) {
            name.0.append(&name.1, value);
        }
    }
    (request, response)
}

/// One exchange, carried out.
struct Run {
    request: HeaderMap,
    response: HeaderMap,
    consent: Consent,
    report: Report,
    refused: bool,
}

impl Run {
    fn of(request: &HeaderMap, response: &HeaderMap, mode: Mode) -> Self {
        let (mut request, mut response) = (request.clone(), response.clone());
        let mut report = Report::with_names();
        let mut context = context(Consent::default());
        let limits = RequestLimits { pairs: 50, bytes: 10_000 };
        let rules = &SITE.consent;
        let mut withdrawal = Withdrawal::new(SITE.withdrawal, &Method::GET, true);
        let judged = enforce::request(
            &mut request,
            &context,
            rules,
            &limits,
            mode,
            &mut withdrawal,
            &mut report,
        );
        context.consent = judged.unwrap_or_default();
        enforce::response(&mut response, &context, mode, &mut report);
        let refused = report.entries().first().is_some_and(|entry| entry.reason == Reason::Limit);
        Self { request, response, consent: context.consent, report, refused }
    }

    /// Survivors are pairs of the request, byte for byte and in order, in one field.
    fn assert_request_is_part_of(&self, before: &HeaderMap) {
        let all = |headers: &HeaderMap| -> Vec<Vec<u8>> {
            let fields = headers.get_all(COOKIE).iter();
            fields.flat_map(|f| Pairs::of(f.as_bytes())).map(|p| p.raw.to_vec()).collect()
        };
        assert!(self.request.get_all(COOKIE).iter().count() <= 1);
        let mut before = all(before).into_iter();
        for survivor in all(&self.request) {
            assert!(before.any(|pair| pair == survivor), "a pair that was not there");
        }
    }

    /// Each line that leaves is a line that came, or the recorded rewrite of one, in order.
    fn assert_response_follows_from(&self, before: &HeaderMap) {
        let entries = self.report.entries().iter();
        let decided = entries.filter(|entry| entry.direction == Direction::Response);
        let mut after = self.response.get_all(SET_COOKIE).iter();
        for (line, entry) in before.get_all(SET_COOKIE).iter().zip(decided) {
            if entry.verdict == Verdict::Block {
                continue;
            }
            let left = after.next().expect("what is not blocked leaves");
            let deletion = entry.reason == Reason::Deletion;
            assert!(entry.verdict == Verdict::Rewrite || deletion || left == line);
            let name = SetCookie::name_of(left.as_bytes());
            assert_eq!(Some(name), entry.name.as_deref());
        }
        assert!(after.next().is_none(), "a line that was not there");
    }
}
