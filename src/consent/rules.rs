//! How a site reads consent: which cookies, for which ids, and what several answers amount to.

use smallvec::SmallVec;

use super::answers::{Answers, Date, Unanswered};
use super::jar::Jar;
use super::tool::{Decoder, Tool};
use super::tools::EuConsent;
use super::written::{Choice, Written};
use super::{Consent, Ids, State};
use crate::cookie::{MAX_PAIR_BYTES, Pair};

/// How far a visitor's clock may run ahead, in seconds, before its answer counts as dated in the
/// future.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// How many further values of one cookie are read; where more come, the answers are in conflict.
const MAX_FURTHER: usize = 3;

/// How a site reads consent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The tool whose form the cookies have.
    pub tool: Tool,
    /// The names of the tool's cookies, and of the firewall's own where the tool's cannot be
    /// written; see [`Rules::new`].
    pub cookies: Box<[Box<str>]>,
    /// The age in seconds beyond which an answer no longer counts.
    pub max_age: Option<i64>,
    /// The revision of the site's question that an answer must be to, where the tool has such; it is
    /// also that of the firewall's own cookie.
    pub revision: Option<u64>,
    /// The ids the site tells apart, at most [`super::MAX_IDS`].
    pub ids: Box<[Box<str>]>,
    /// Those that some cookie of the charter depends on.
    pub needed: Ids,
    /// The categories that visitors choose among, by the ids that make each up.
    pub categories: Box<[(Box<str>, Ids)]>,
    /// The ids that `Sec-GPC: 1` denies.
    pub gpc: Ids,
}

impl Rules {
    /// Rules that know no ids yet, for `tool` and its cookie called `cookie`; `None` where the tool
    /// could not tell its cookies apart by this name.
    #[must_use]
    pub fn new(tool: Tool, cookie: &str) -> Option<Self> {
        let mut cookies = tool.decoder().names(cookie)?;
        if !tool.can_write() {
            cookies.push(Tool::EuConsent.default_cookie().into());
        }
        Some(Self { tool, cookies: cookies.into(), ..Self::default() })
    }

    /// The name of the tool's cookie, or of the one that its others depend on.
    #[must_use]
    pub fn cookie(&self) -> &str {
        self.cookies.first().map_or("", |name| name)
    }

    /// The consent that a request's cookies show at `now` (Unix seconds).
    ///
    /// A cookie may come several times, since a sibling subdomain can plant a second one. Where the
    /// answers differ, none counts: not even what both grant, and no refusal, by which a planted cookie
    /// could have others deleted. Where they agree, the oldest date holds.
    pub fn read<'c>(&self, pairs: impl IntoIterator<Item = Pair<'c>>, now: i64) -> Consent {
        let mut jar = Jar::default();
        let mut further: SmallVec<[(usize, &[u8]); MAX_FURTHER]> = SmallVec::new();
        let mut is_settled = true;
        for pair in pairs {
            let Some(slot) = self.slot(pair.name) else { continue };
            match jar.get(slot) {
                None => jar.put(slot, pair.value),
                Some(value) if value == pair.value || further.contains(&(slot, pair.value)) => {}
                // Of two cookies in several values each, nobody can say which belong together.
                Some(_) if further.len() == MAX_FURTHER || further.iter().any(|f| f.0 != slot) => {
                    is_settled = false;
                }
                Some(_) => further.push((slot, pair.value)),
            }
        }
        if jar.is_empty() {
            return Consent::none(State::Unset);
        }
        let mut reading = self.decode(&jar, now);
        for (slot, value) in further {
            reading = agree(reading, self.decode(&jar.with(slot, value), now));
        }
        if !is_settled {
            reading = Err(Unanswered::Conflict);
        }
        self.weigh(reading, now)
    }

    /// The cookies that store a choice: those of the tool, or the firewall's own where a server
    /// cannot write all that the tool would look for. Of every id of the site, those in `granted`
    /// are consented to and the others refused.
    #[must_use]
    pub fn write(&self, granted: Ids, now: i64) -> Vec<Written> {
        let (writer, names) = match self.tool.decoder().writer() {
            Some(writer) => (writer, &*self.cookies),
            None => {
                let own = self.cookies.get(self.own_slot()..).unwrap_or_default();
                (EuConsent::write as _, own)
            }
        };
        let (ids, categories, asked) = (&self.ids, &self.categories, self.asked());
        let revision = self.revision;
        writer(&Choice { names, ids, categories, asked, granted, revision, now })
    }

    /// What a visitor has said who grants this and refuses the rest.
    #[must_use]
    pub fn chosen(&self, granted: Ids) -> Consent {
        let denied = self.all_ids().difference(granted);
        Consent { granted, denied, state: self.state(granted, denied) }
    }

    /// The ids that [`Rules::write`] can grant; see [`Tool::can_store`].
    #[must_use]
    pub fn storable(&self) -> Ids {
        let ids = self.ids.iter().enumerate().filter(|(_, id)| self.tool.can_store(id));
        ids.map(|(index, _)| Ids::one(index)).collect()
    }

    /// Every id of the site.
    #[must_use]
    pub fn all_ids(&self) -> Ids {
        (0..self.ids.len()).map(Ids::one).collect()
    }

    /// The ids that matter to the charter, or all where none does.
    fn asked(&self) -> Ids {
        if self.needed.is_empty() { self.all_ids() } else { self.needed }
    }

    fn slot(&self, name: &[u8]) -> Option<usize> {
        self.cookies.iter().position(|known| known.as_bytes() == name)
    }

    /// Where the firewall's own cookie is, if there is one beside the tool's.
    fn own_slot(&self) -> usize {
        self.tool.decoder().cookies().len()
    }

    /// What the tool and the firewall's own cookie answer. One that does not answer, or no longer,
    /// leaves it to the other; so does an `eu-consent` that is not the firewall's.
    fn decode(&self, jar: &Jar<'_>, now: i64) -> Result<Reading, Unanswered> {
        let decoder = self.tool.decoder();
        let Some(own) = jar.get(self.own_slot()) else {
            return self.decode_by(decoder, jar, now);
        };
        let tools = self.decode_by(decoder, &jar.without(self.own_slot()), now);
        let jar = Jar::default().with(0, own);
        let own = self.decode_by(&EuConsent, &jar, now);
        if self.is_silent(&tools, now) {
            own
        } else if own == Err(Unanswered::Expired) {
            self.agree_where_said(tools, self.refusals_of_before(&jar, now))
        } else if self.is_silent(&own, now) || (tools.is_ok() && own == Err(Unanswered::Malformed))
        {
            // What the firewall writes it can read: the other cookie of this name is not its own.
            tools
        } else {
            self.agree_where_said(tools, own)
        }
    }

    /// What the firewall's own cookie refuses, by an answer to a former revision of the question: that
    /// it is asked again grants nothing.
    fn refusals_of_before(&self, jar: &Jar<'_>, now: i64) -> Result<Reading, Unanswered> {
        let before = Self { revision: None, ..self.clone() };
        let own = before.decode_by(&EuConsent, jar, now)?;
        Ok(Reading { granted: Ids::NONE, ..own })
    }

    /// The answer that both give to what the charter asks for, as far as the firewall's own cookie says
    /// anything of it: the tool may ask for more, and so may the charter since.
    fn agree_where_said(
        &self,
        tools: Result<Reading, Unanswered>,
        own: Result<Reading, Unanswered>,
    ) -> Result<Reading, Unanswered> {
        let (Ok(tools), Ok(own)) = (tools, own) else { return agree(tools, own) };
        let said = own.granted.union(own.denied).intersection(self.asked());
        let of_said = |reading: Reading| {
            (reading.granted.intersection(said), reading.denied.intersection(said))
        };
        if of_said(tools) == of_said(own) {
            Ok(if said.is_empty() { tools } else { tools.as_of(own) })
        } else {
            Err(Unanswered::Conflict)
        }
    }

    fn decode_by(
        &self,
        decoder: &dyn Decoder,
        jar: &Jar<'_>,
        now: i64,
    ) -> Result<Reading, Unanswered> {
        if jar.is_empty() {
            return Err(Unanswered::Unset);
        }
        // No user agent stores such a cookie, and reading it would cost time.
        if jar.values().any(|value| value.len() > MAX_PAIR_BYTES) {
            return Err(Unanswered::Malformed);
        }
        let mut answers = Answers::to(&self.ids);
        let at = decoder.read(jar, self, &mut answers)?;
        if at.is_some_and(|at| at > now.saturating_add(CLOCK_SKEW_SECONDS)) {
            return Err(Unanswered::Ahead);
        }
        let Answers { granted, denied, .. } = answers;
        if granted.intersects(denied) {
            return Err(Unanswered::Conflict);
        }
        Ok(Reading { granted, denied, at })
    }

    fn is_silent(&self, reading: &Result<Reading, Unanswered>, now: i64) -> bool {
        match reading {
            Ok(reading) => self.is_expired(reading.at, now),
            Err(unanswered) => matches!(unanswered, Unanswered::Unset | Unanswered::Expired),
        }
    }

    fn is_expired(&self, at: Date, now: i64) -> bool {
        let too_old = |(at, max_age): (i64, i64)| now.saturating_sub(at) > max_age;
        at.zip(self.max_age).is_some_and(too_old)
    }

    fn weigh(&self, reading: Result<Reading, Unanswered>, now: i64) -> Consent {
        match reading {
            Ok(reading) if self.is_expired(reading.at, now) => Consent::none(State::Expired),
            Ok(Reading { granted, denied, .. }) => {
                Consent { granted, denied, state: self.state(granted, denied) }
            }
            Err(Unanswered::Unset) => Consent::none(State::Unset),
            Err(Unanswered::Expired) => Consent::none(State::Expired),
            Err(Unanswered::Malformed | Unanswered::Ahead) => Consent::none(State::Malformed),
            Err(Unanswered::Conflict) => Consent::none(State::Conflict),
        }
    }

    /// What the answers amount to, for the ids that are asked for. A cookie that answers for none of
    /// them is no answer.
    fn state(&self, granted: Ids, denied: Ids) -> State {
        let asked = self.asked();
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
    at: Date,
}

impl Reading {
    /// This answer, as old as the older of the two.
    fn as_of(self, other: Self) -> Self {
        Self { at: self.at.into_iter().chain(other.at).min(), ..self }
    }
}

/// The answer that both give.
fn agree(
    one: Result<Reading, Unanswered>,
    other: Result<Reading, Unanswered>,
) -> Result<Reading, Unanswered> {
    match (one, other) {
        (Ok(a), Ok(b)) if (a.granted, a.denied) == (b.granted, b.denied) => Ok(a.as_of(b)),
        (Err(a), Err(b)) if a == b => Err(a),
        _ => Err(Unanswered::Conflict),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Answer;
    use crate::cookie::Pairs;

    const NOW: i64 = 1_790_000_000;

    fn rules() -> Rules {
        Rules {
            max_age: Some(180 * 86_400),
            ids: ["matomo", "ga", "unused"].map(Into::into).into(),
            needed: Ids::one(0).union(Ids::one(1)),
            ..Rules::new(Tool::Opendatasoft, "cookies_preferences").expect("a name")
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
        let contradiction = format!(r#"{{"matomo":true,"matomo":false,"timestamp":{NOW}}}"#);
        state(&pair(&contradiction), State::Conflict);
    }

    #[test]
    fn several_values_of_one_cookie_are_read_and_not_many() {
        let pair = |age: i64| format!("cookies_preferences={}", json(true, false, NOW - age));
        let of = |count| (0..count).map(pair).collect::<Vec<_>>().join("; ");
        state(&of(4), State::Partial);
        state(&of(5), State::Conflict);
    }

    #[test]
    fn several_values_of_several_cookies_cannot_be_put_together() {
        let ids = ["usage".into()].into();
        let rules = Rules { ids, ..Rules::new(Tool::Govuk, "cookies_policy").expect("a name") };
        let state = |cookies: &str| rules.read(Pairs::of(cookies.as_bytes()), NOW).state();
        let (yes, set) = ("cookies_policy={\"usage\":true}", "cookies_preferences_set=true");
        assert_eq!(state(&format!("{yes}; {set}")), State::Granted);
        assert_eq!(state(&format!("{yes}; {set}; {yes} ; {set}")), State::Granted);
        let (again, unset) = ("cookies_policy={%22usage%22:true}", "cookies_preferences_set=1");
        assert_eq!(state(&format!("{yes}; {set}; {again}")), State::Granted);
        assert_eq!(state(&format!("{yes}; {set}; {unset}")), State::Conflict);
        assert_eq!(state(&format!("{yes}; {set}; {again}; {unset}")), State::Conflict);
    }

    #[test]
    fn the_firewalls_own_cookie_beside_a_tool_that_cannot_be_written() {
        let rules = Rules {
            max_age: Some(180 * 86_400),
            ids: ["statistics", "marketing"].map(Into::into).into(),
            needed: Ids::one(0).union(Ids::one(1)),
            categories: [("stats".into(), Ids::one(0)), ("ads".into(), Ids::one(1))].into(),
            ..Rules::new(Tool::Cookiebot, "CookieConsent").expect("a name")
        };
        let tool = |statistics, method, ago: i64| {
            let utc = (NOW - ago) * 1000;
            format!(
                "CookieConsent={{necessary:true,preferences:true,statistics:{statistics},marketing:true,\
                 method:'{method}',utc:{utc}}}"
            )
        };
        let own = |granted, ago| {
            let written = rules.write(granted, NOW - ago);
            written.iter().map(|w| format!("{}={}", w.name, w.value)).collect::<String>()
        };
        let (statistics, both) = (Ids::one(0), Ids::one(0).union(Ids::one(1)));
        let old = 200 * 86_400;
        for (cookies, state, granted) in [
            (own(statistics, 0), State::Partial, statistics),
            (format!("{}; {}", tool(true, "implied", 0), own(both, 0)), State::Granted, both),
            (format!("{}; {}", tool(false, "explicit", old), own(both, 0)), State::Granted, both),
            (format!("{}; {}", tool(true, "explicit", 0), own(both, old)), State::Granted, both),
            (format!("{}; {}", tool(true, "explicit", 0), own(both, 0)), State::Granted, both),
            (
                format!("{}; {}", tool(true, "explicit", 0), own(statistics, 0)),
                State::Conflict,
                Ids::NONE,
            ),
            (format!("CookieConsent=x; {}", own(both, 0)), State::Conflict, Ids::NONE),
            (tool(true, "explicit", old), State::Expired, Ids::NONE),
        ] {
            let consent = rules.read(Pairs::of(cookies.as_bytes()), NOW);
            assert_eq!((consent.state(), consent.granted), (state, granted), "{cookies}");
        }
    }

    /// A site whose charter asks for `needed` of these ids, under a tool that cannot be written.
    fn beside(tool: Tool, ids: &[(&str, &str)], needed: Ids) -> Rules {
        let mut categories: Vec<(Box<str>, Ids)> = Vec::new();
        for (index, (_, category)) in ids.iter().enumerate() {
            match categories.iter_mut().find(|(known, _)| **known == **category) {
                Some((_, ids)) => *ids = ids.union(Ids::one(index)),
                None => categories.push(((*category).into(), Ids::one(index))),
            }
        }
        Rules {
            max_age: Some(180 * 86_400),
            ids: ids.iter().map(|(id, _)| (*id).into()).collect(),
            needed,
            categories: categories.into(),
            ..Rules::new(tool, tool.default_cookie()).expect("the tool's own name")
        }
    }

    fn own_cookie(rules: &Rules, granted: Ids, now: i64) -> String {
        let written = rules.write(granted, now);
        written.iter().map(|w| format!("{}={}", w.name, w.value)).collect()
    }

    /// The banner asks for more than the charter does; of that the page says nothing.
    #[test]
    fn accepting_on_the_page_and_then_in_the_banner_is_no_conflict() {
        let one = Ids::one(0);
        let cookiebot = |all: bool| {
            format!(
                "CookieConsent={{stamp:'x',necessary:true,preferences:{all},statistics:{all},\
                 marketing:{all},method:'explicit',ver:1,utc:{NOW}000}}"
            )
        };
        let onetrust = |all: bool| {
            let all = u8::from(all);
            format!(
                "OptanonConsent=interactionCount=1&groups=C0001%3A1%2CC0002%3A{all}%2CC0003%3A{all}\
                 %2CC0004%3A{all}; OptanonAlertBoxClosed=2026-09-21T10:00:00.000Z"
            )
        };
        let axeptio = |all: bool| {
            format!(
                "axeptio_cookies={{\"$$date\":\"2026-09-21T10:00:00.000Z\",\
                 \"google_analytics\":{all},\"facebook_pixel\":{all},\"$$completed\":true}}"
            )
        };
        for (tool, banner) in [
            (Tool::Cookiebot, &cookiebot as &dyn Fn(bool) -> String),
            (Tool::Onetrust, &onetrust),
            (Tool::Axeptio, &axeptio),
        ] {
            let asked = |(_, category): &&(&str, &str)| *category == "statistics";
            let mut ids: Vec<_> =
                tool.default_ids().iter().filter(asked).take(1).copied().collect();
            ids.extend(tool.default_ids().iter().filter(|id| !asked(id)));
            let rules = beside(tool, &ids, one);
            let (accepted, refused) =
                (own_cookie(&rules, one, NOW), own_cookie(&rules, Ids::NONE, NOW));
            for (own, in_banner, state) in [
                (&accepted, true, State::Granted),
                (&refused, false, State::Denied),
                (&accepted, false, State::Conflict),
                (&refused, true, State::Conflict),
            ] {
                let cookies = format!("{own}; {}", banner(in_banner));
                let consent = rules.read(Pairs::of(cookies.as_bytes()), NOW);
                assert_eq!(consent.state(), state, "{cookies}");
                let granted = consent.answer(one) == Answer::Granted;
                assert_eq!(granted, state == State::Granted, "{cookies}");
            }
        }
    }

    /// Orejime calls its cookie so, and a city's main site may set it for every subdomain.
    #[test]
    fn an_eu_consent_of_another_making_leaves_it_to_the_tool() {
        let ids = [("statistics", "stats"), ("marketing", "ads")];
        let rules = beside(Tool::Cookiebot, &ids, Ids::one(0).union(Ids::one(1)));
        let tool = |statistics| {
            format!(
                "CookieConsent={{necessary:true,preferences:true,statistics:{statistics},\
                 marketing:true,method:'explicit',utc:{NOW}000}}"
            )
        };
        let own = own_cookie(&rules, Ids::one(0).union(Ids::one(1)), NOW);
        let state = |cookies: String| rules.read(Pairs::of(cookies.as_bytes()), NOW).state();
        for foreign in ["{%22analytics%22:true}", "1", "", "stats=true"] {
            let foreign = format!("eu-consent={foreign}");
            assert_eq!(state(format!("{}; {foreign}", tool(true))), State::Granted, "{foreign}");
            assert_eq!(state(format!("{foreign}; {}", tool(false))), State::Partial, "{foreign}");
            assert_eq!(state(foreign.clone()), State::Malformed, "{foreign}");
            // Beside one of our own it is a second value of that cookie.
            let both = format!("{foreign}; {own}");
            assert_eq!(state(format!("{}; {both}", tool(true))), State::Granted, "{foreign}");
            assert_eq!(state(format!("{}; {both}", tool(false))), State::Conflict, "{foreign}");
            assert_eq!(state(both), State::Conflict, "{foreign}");
        }
        assert_eq!(state(format!("CookieConsent=x; {own}")), State::Conflict);
    }

    fn cookiebot(statistics: bool, marketing: bool) -> String {
        format!(
            "CookieConsent={{necessary:true,preferences:true,statistics:{statistics},\
             marketing:{marketing},method:'explicit',utc:{NOW}000}}"
        )
    }

    /// Found by a second attack: a clock that was ahead wrote it, and it was taken for another's.
    #[test]
    fn a_refusal_dated_ahead_of_the_clock_is_the_firewalls_all_the_same() {
        let ids = [("statistics", "stats"), ("marketing", "ads")];
        let rules = beside(Tool::Cookiebot, &ids, Ids::one(0).union(Ids::one(1)));
        let own = own_cookie(&rules, Ids::NONE, NOW + 600);
        let cookies = format!("{own}; {}", cookiebot(true, true));
        assert_eq!(rules.read(Pairs::of(cookies.as_bytes()), NOW).state(), State::Conflict);
        assert_eq!(rules.read(Pairs::of(own.as_bytes()), NOW).state(), State::Malformed);
    }

    /// Asking again takes grants away and gives none.
    #[test]
    fn a_new_revision_grants_nothing_that_was_refused_before() {
        let ids = [("statistics", "stats"), ("marketing", "ads")];
        let both = Ids::one(0).union(Ids::one(1));
        let rules = |revision| Rules { revision, ..beside(Tool::Onetrust, &ids, both) };
        let banner = |stats: u8, ads: u8| {
            format!(
                "OptanonConsent=interactionCount=1&groups=statistics%3A{stats}%2Cmarketing%3A{ads}"
            )
        };
        for (granted, banner, state) in [
            (Ids::NONE, banner(1, 1), State::Conflict),
            (Ids::one(0), banner(1, 1), State::Conflict),
            (Ids::NONE, banner(0, 0), State::Denied),
            (both, banner(1, 1), State::Granted),
            (both, banner(0, 0), State::Denied),
        ] {
            let own = own_cookie(&rules(Some(1)), granted, NOW);
            let cookies = format!("{own}; {banner}");
            let consent = rules(Some(2)).read(Pairs::of(cookies.as_bytes()), NOW);
            assert_eq!(consent.state(), state, "{cookies}");
        }
    }

    /// The page's cookie says nothing of what the charter has got since; the banner asked for it.
    #[test]
    fn a_charter_that_has_grown_makes_no_conflict_of_two_answers_that_agree() {
        let ids = [("statistics", "stats"), ("marketing", "ads")];
        let rules = |needed| beside(Tool::Cookiebot, &ids, needed);
        let (before, now) = (rules(Ids::one(0)), rules(Ids::one(0).union(Ids::one(1))));
        for (granted, answer, state) in [
            (Ids::one(0), true, State::Granted),
            (Ids::NONE, false, State::Denied),
            (Ids::one(0), false, State::Conflict),
        ] {
            let own = own_cookie(&before, granted, NOW);
            let cookies = format!("{own}; {}", cookiebot(answer, answer));
            assert_eq!(now.read(Pairs::of(cookies.as_bytes()), NOW).state(), state, "{cookies}");
        }
    }

    #[test]
    fn a_new_revision_asks_everybody_again() {
        let ids = [("statistics", "stats")];
        let one = Ids::one(0);
        let rules = |tool, revision| Rules { revision, ..beside(tool, &ids, one) };
        for (tool, banner, banner_state) in [
            (Tool::EuConsent, String::new(), State::Expired),
            (
                Tool::Onetrust,
                "; OptanonConsent=interactionCount=1&groups=statistics%3A1".to_owned(),
                State::Granted,
            ),
            // One that numbers its question, by the same number.
            (
                Tool::Cookiebot,
                format!(
                    "; CookieConsent={{necessary:true,preferences:true,statistics:true,marketing:true,\
                     method:'explicit',ver:1,utc:{NOW}000}}"
                ),
                State::Expired,
            ),
        ] {
            let answer = own_cookie(&rules(tool, Some(1)), one, NOW);
            assert!(answer.contains("&revision=1&date="), "{answer}");
            let unnumbered = own_cookie(&rules(tool, None), one, NOW);
            assert!(!unnumbered.contains("revision"), "{unnumbered}");
            for (cookies, revision, state) in [
                (&answer, Some(1), State::Granted),
                (&answer, Some(2), State::Expired),
                (&answer, None, State::Granted),
                (&unnumbered, Some(1), State::Expired),
                (&unnumbered, None, State::Granted),
                (&format!("{answer}{banner}"), Some(1), State::Granted),
                (&format!("{answer}{banner}"), Some(2), banner_state),
            ] {
                let consent = rules(tool, revision).read(Pairs::of(cookies.as_bytes()), NOW);
                assert_eq!(consent.state(), state, "{tool:?} {revision:?}: {cookies}");
            }
        }
    }

    #[test]
    fn gpc_denies_and_never_grants() {
        let (a, b, c) = (Ids::one(0), Ids::one(1), Ids::one(2));
        let consent = Consent::new(a.union(b), Ids::NONE).with_gpc(b.union(c));
        assert_eq!(consent.answer(a), Answer::Granted);
        assert_eq!((consent.answer(b), consent.answer(c)), (Answer::Denied, Answer::Denied));
        assert_eq!(Consent::default().with_gpc(Ids::NONE), Consent::default());
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
