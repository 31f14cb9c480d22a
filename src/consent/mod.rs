//! What the visitor said: one answer per id of the site's consent tool.
//!
//! A tool's decoder turns the bytes of its cookie into answers; this module weighs them: too old,
//! contradictory or unreadable answers count as none. Whether an answer suffices for a cookie is
//! for the policy to decide.

mod opendatasoft;

use crate::cookie::Pair;

/// The most ids that one site may tell apart; each is a bit in [`Ids`].
pub const MAX_IDS: usize = 128;

/// How far a visitor's clock may run ahead, in seconds, before its answer counts as dated in the
/// future.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// A set of consent ids, by their place in the site's [`Rules`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids(u128);

impl Ids {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of the id at `index`, which is below [`MAX_IDS`].
    #[must_use]
    pub fn one(index: usize) -> Self {
        Self(1 << index)
    }

    /// The ids in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every id of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the two sets share an id.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The state of one id or of several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Consent was given.
    Granted,
    /// Consent was refused.
    Denied,
    /// No answer that counts; not granted.
    Unset,
}

/// What a request's consent cookies amount to; the `state` label of the consent metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Every id was granted.
    Granted,
    /// Some ids were granted, others not.
    Partial,
    /// Answered, and nothing was granted.
    Denied,
    /// No consent cookie.
    #[default]
    Unset,
    /// The answer is older than the site accepts.
    Expired,
    /// Two answers disagree.
    Conflict,
    /// There is a consent cookie and it is not in the tool's form.
    Malformed,
}

impl State {
    /// Every state, in the order of their discriminants.
    pub const ALL: [Self; 7] = [
        Self::Granted,
        Self::Partial,
        Self::Denied,
        Self::Unset,
        Self::Expired,
        Self::Conflict,
        Self::Malformed,
    ];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Partial => "partial",
            Self::Denied => "denied",
            Self::Unset => "unset",
            Self::Expired => "expired",
            Self::Conflict => "conflict",
            Self::Malformed => "malformed",
        }
    }
}

/// One visitor's consent, as one request shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    granted: Ids,
    denied: Ids,
    state: State,
}

impl Consent {
    /// Consent with these ids granted and denied. An id in both counts as denied.
    #[must_use]
    pub fn new(granted: Ids, denied: Ids) -> Self {
        let granted = Ids(granted.0 & !denied.0);
        Self { granted, denied, state: State::Unset }
    }

    /// The answer to a cookie that needs every one of `ids`: the strictest of theirs. Nothing
    /// grants what depends on no id.
    #[must_use]
    pub fn answer(&self, ids: Ids) -> Answer {
        if ids.intersects(self.denied) {
            Answer::Denied
        } else if !ids.is_empty() && self.granted.contains(ids) {
            Answer::Granted
        } else {
            Answer::Unset
        }
    }

    /// What the consent cookies amount to.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// No answer, for the reason that `state` gives.
    fn none(state: State) -> Self {
        Self { state, ..Self::default() }
    }
}

/// The consent tools that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tool {
    /// Opendatasoft's own banner: `cookies_preferences`.
    #[default]
    Opendatasoft,
}

impl Tool {
    /// The tool's name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opendatasoft => "opendatasoft",
        }
    }

    /// Every tool.
    pub const ALL: [Self; 1] = [Self::Opendatasoft];

    /// The name of the cookie that the tool writes.
    #[must_use]
    pub fn default_cookie(self) -> &'static str {
        match self {
            Self::Opendatasoft => opendatasoft::COOKIE,
        }
    }

    /// The ids that the tool is known to write, with the category that they usually belong to.
    #[must_use]
    pub fn default_ids(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Opendatasoft => opendatasoft::IDS,
        }
    }

    fn decode(self, value: &[u8], answers: &mut Answers<'_>) -> Result<Dated, Unanswered> {
        match self {
            Self::Opendatasoft => opendatasoft::decode(value, answers),
        }
    }
}

/// When the visitor answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dated {
    /// Unix seconds.
    at: i64,
}

/// Why a cookie holds no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unanswered {
    Malformed,
    Conflict,
}

/// Where a decoder puts what it reads; ids that the site does not use fall away.
#[derive(Debug)]
struct Answers<'r> {
    ids: &'r [Box<str>],
    granted: Ids,
    denied: Ids,
}

impl Answers<'_> {
    fn index(&self, id: &[u8]) -> Option<usize> {
        self.ids.iter().position(|known| known.as_bytes() == id)
    }

    fn put(&mut self, index: usize, granted: bool) {
        let set = if granted { &mut self.granted } else { &mut self.denied };
        *set = set.union(Ids::one(index));
    }

    /// Whether some id was both granted and denied.
    fn contradict(&self) -> bool {
        self.granted.intersects(self.denied)
    }
}

/// How a site reads consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The tool whose form the cookie has.
    pub tool: Tool,
    /// The name of the consent cookie.
    pub cookie: Box<str>,
    /// The age in seconds beyond which an answer no longer counts.
    pub max_age: Option<i64>,
    /// The ids the site tells apart, at most [`MAX_IDS`].
    pub ids: Box<[Box<str>]>,
    /// Those that some cookie of the charter depends on.
    pub needed: Ids,
}

impl Rules {
    /// The consent that a request's cookies show at `now` (Unix seconds).
    ///
    /// Any number of consent cookies may come: one whose answers differ from another's makes the
    /// whole a conflict, since a sibling subdomain can plant a second one. Where they agree, the
    /// oldest date holds.
    pub fn read<'c>(&self, pairs: impl IntoIterator<Item = Pair<'c>>, now: i64) -> Consent {
        let mut first: Option<(&[u8], Result<Reading, Unanswered>)> = None;
        for pair in pairs {
            if pair.name != self.cookie.as_bytes() {
                continue;
            }
            first = Some(match first {
                None => (pair.value, self.decode(pair.value, now)),
                Some((value, reading)) if value == pair.value => (value, reading),
                Some((value, reading)) => (value, agree(reading, self.decode(pair.value, now))),
            });
        }
        match first {
            None => Consent::none(State::Unset),
            Some((_, Err(Unanswered::Malformed))) => Consent::none(State::Malformed),
            Some((_, Err(Unanswered::Conflict))) => Consent::none(State::Conflict),
            Some((_, Ok(reading))) => self.weigh(reading, now),
        }
    }

    /// Every id of the site.
    #[must_use]
    pub fn all_ids(&self) -> Ids {
        (0..self.ids.len()).map(Ids::one).fold(Ids::NONE, Ids::union)
    }

    fn decode(&self, value: &[u8], now: i64) -> Result<Reading, Unanswered> {
        let mut answers = Answers { ids: &self.ids, granted: Ids::NONE, denied: Ids::NONE };
        let dated = self.tool.decode(value, &mut answers)?;
        if answers.contradict() {
            return Err(Unanswered::Conflict);
        }
        if dated.at > now.saturating_add(CLOCK_SKEW_SECONDS) {
            return Err(Unanswered::Malformed);
        }
        Ok(Reading { granted: answers.granted, denied: answers.denied, at: dated.at })
    }

    fn weigh(&self, reading: Reading, now: i64) -> Consent {
        if self.max_age.is_some_and(|max_age| now.saturating_sub(reading.at) > max_age) {
            return Consent::none(State::Expired);
        }
        let state = self.state(reading.granted, reading.denied);
        Consent { granted: reading.granted, denied: reading.denied, state }
    }

    /// What the answers amount to, for the ids that matter to the charter, or for all where none
    /// does. A cookie that answers for none of them is no answer.
    fn state(&self, granted: Ids, denied: Ids) -> State {
        let asked = if self.needed.is_empty() { self.all_ids() } else { self.needed };
        let complete = granted.contains(self.needed) && !denied.intersects(asked);
        match (granted.intersects(asked), denied.intersects(asked)) {
            (true, _) if complete => State::Granted,
            (true, _) => State::Partial,
            (false, true) => State::Denied,
            (false, false) => State::Unset,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    granted: Ids,
    denied: Ids,
    at: i64,
}

fn agree(
    one: Result<Reading, Unanswered>,
    other: Result<Reading, Unanswered>,
) -> Result<Reading, Unanswered> {
    match (one, other) {
        (Ok(a), Ok(b)) if (a.granted, a.denied) == (b.granted, b.denied) => {
            Ok(Reading { at: a.at.min(b.at), ..a })
        }
        (Err(Unanswered::Malformed), Err(Unanswered::Malformed)) => Err(Unanswered::Malformed),
        _ => Err(Unanswered::Conflict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::Pairs;

    const NOW: i64 = 1_790_000_000;

    fn rules() -> Rules {
        Rules {
            tool: Tool::Opendatasoft,
            cookie: "cookies_preferences".into(),
            max_age: Some(180 * 86_400),
            ids: ["matomo", "ga", "unused"].map(Into::into).into(),
            needed: Ids::one(0).union(Ids::one(1)),
        }
    }

    fn json(matomo: bool, ga: bool, timestamp: i64) -> String {
        let json = format!(r#"{{"matomo":{matomo},"ga":{ga},"timestamp":{timestamp}}}"#);
        json.replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace(',', "%2C")
    }

    fn read(cookies: &str) -> Consent {
        rules().read(Pairs::of(cookies.as_bytes()), NOW)
    }

    #[track_caller]
    fn state(cookies: &str, expected: State) {
        let consent = read(cookies);
        assert_eq!(consent.state(), expected, "{cookies:?}");
        let answered = matches!(expected, State::Granted | State::Partial | State::Denied);
        let silent = consent.granted.is_empty() && consent.denied.is_empty();
        assert_eq!(silent, !answered, "{cookies:?}: only an answer that counts may hold ids");
    }

    #[test]
    fn states() {
        let of = |value: &str| format!("a=1; cookies_preferences={value}; b=2");
        state("", State::Unset);
        state("Cookies_Preferences=x", State::Unset);
        state(&of(&json(true, true, NOW)), State::Granted);
        state(&of(&json(true, false, NOW)), State::Partial);
        state(&of(&json(false, false, NOW)), State::Denied);
        state(&of(&json(true, true, NOW * 1000)), State::Granted);
        state(&of(&json(true, true, NOW - 180 * 86_400)), State::Granted);
        state(&of(&json(true, true, NOW - 180 * 86_400 - 1)), State::Expired);
        state(&of(&json(true, true, NOW + 300)), State::Granted);
        state(&of(&json(true, true, NOW + 301)), State::Malformed);
        state(&of("true"), State::Malformed);
        state("cookies_preferences", State::Unset);
        let only = |id: &str| of(&format!("{{\"{id}\":true,\"timestamp\":{NOW}}}"));
        assert_eq!(read(&only("matomo")).state(), State::Partial);
        assert_eq!(read(&only("unused")).state(), State::Unset);
        assert_eq!(read(&only("other")).state(), State::Unset);
    }

    #[test]
    fn where_no_cookie_needs_consent_every_answer_counts() {
        let rules = Rules { needed: Ids::NONE, ..rules() };
        let state = |cookie: &str| rules.read(Pairs::of(cookie.as_bytes()), NOW).state();
        let of = |json: &str| format!("cookies_preferences={{{json},\"timestamp\":{NOW}}}");
        assert_eq!(state(&of("\"ga\":true")), State::Granted);
        assert_eq!(state(&of("\"ga\":false")), State::Denied);
        assert_eq!(state(&of("\"ga\":false,\"matomo\":true")), State::Partial);
        assert_eq!(state(&of("\"other\":true")), State::Unset);
    }

    #[test]
    fn several_consent_cookies() {
        let pair = |value: &str| format!("cookies_preferences={value}");
        let (yes, no) = (pair(&json(true, true, NOW)), pair(&json(false, true, NOW)));
        state(&format!("{yes}; {yes}"), State::Granted);
        state(&format!("{yes}; {no}"), State::Conflict);
        state(&format!("{no}; {yes}"), State::Conflict);
        state(&format!("{yes}; {no}; {yes}"), State::Conflict);
        state(&format!("{yes}; cookies_preferences=broken"), State::Conflict);
        state("cookies_preferences=x; cookies_preferences=y", State::Malformed);
        // Found by fuzzing: an agreeing cookie must not lend its date to one from the future.
        let future = pair(&json(true, true, NOW + 86_400));
        state(&format!("{yes}; {future}"), State::Conflict);
        let older = pair(&json(true, true, NOW - 200 * 86_400));
        state(&format!("{yes}; {older}"), State::Expired);
    }

    #[test]
    fn the_strictest_of_several_ids_holds() {
        let (granted, denied, unset) = (Ids::one(0), Ids::one(1), Ids::one(2));
        let consent = Consent::new(granted, denied);
        assert_eq!(consent.answer(granted), Answer::Granted);
        assert_eq!(consent.answer(denied), Answer::Denied);
        assert_eq!(consent.answer(unset), Answer::Unset);
        assert_eq!(consent.answer(granted.union(unset)), Answer::Unset);
        assert_eq!(consent.answer(granted.union(denied).union(unset)), Answer::Denied);
        assert_eq!(consent.answer(Ids::NONE), Answer::Unset);
        assert_eq!(Consent::new(granted, granted).answer(granted), Answer::Denied);
    }
}
