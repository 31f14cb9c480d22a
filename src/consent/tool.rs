//! The consent tools by name, and what each of them has to tell.

use super::answers::{Answers, Date, Unanswered};
use super::jar::Jar;
use super::rules::Rules;
use super::tools;
use super::written::{Choice, Written};

/// The consent tools that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tool {
    /// Opendatasoft's own banner: `cookies_preferences`.
    #[default]
    Opendatasoft,
    /// tarteaucitron.js.
    Tarteaucitron,
    /// Klaro.
    Klaro,
    /// Orejime, versions 2 and 3.
    Orejime,
    /// orestbida's cookieconsent, versions 2 and 3.
    Cookieconsent,
    /// Cookiebot.
    Cookiebot,
    /// OneTrust, formerly Optanon.
    Onetrust,
    /// Didomi.
    Didomi,
    /// Axeptio.
    Axeptio,
    /// CookieYes.
    Cookieyes,
    /// Complianz.
    Complianz,
    /// django-cookie-consent.
    DjangoCookieConsent,
    /// The cookie banner of the GOV.UK Design System.
    Govuk,
    /// Matomo's own consent cookies.
    Matomo,
    /// A consent string of the IAB's Transparency and Consent Framework, version 2.
    Tcf,
    /// A string of the IAB's Global Privacy Platform, for its European section.
    Gpp,
    /// The firewall's own cookie, under the name that the CNIL recommends.
    EuConsent,
}

impl Tool {
    /// Every tool.
    pub const ALL: [Self; 17] = [
        Self::Opendatasoft,
        Self::Tarteaucitron,
        Self::Klaro,
        Self::Orejime,
        Self::Cookieconsent,
        Self::Cookiebot,
        Self::Onetrust,
        Self::Didomi,
        Self::Axeptio,
        Self::Cookieyes,
        Self::Complianz,
        Self::DjangoCookieConsent,
        Self::Govuk,
        Self::Matomo,
        Self::Tcf,
        Self::Gpp,
        Self::EuConsent,
    ];

    /// The names in the configuration, in the order of [`Tool::ALL`].
    pub const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].as_str();
            at += 1;
        }
        names
    };

    /// The tool's name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opendatasoft => "opendatasoft",
            Self::Tarteaucitron => "tarteaucitron",
            Self::Klaro => "klaro",
            Self::Orejime => "orejime",
            Self::Cookieconsent => "cookieconsent",
            Self::Cookiebot => "cookiebot",
            Self::Onetrust => "onetrust",
            Self::Didomi => "didomi",
            Self::Axeptio => "axeptio",
            Self::Cookieyes => "cookieyes",
            Self::Complianz => "complianz",
            Self::DjangoCookieConsent => "django-cookie-consent",
            Self::Govuk => "govuk",
            Self::Matomo => "matomo",
            Self::Tcf => "tcf",
            Self::Gpp => "gpp",
            Self::EuConsent => "eu-consent",
        }
    }

    /// The name of the cookie that the tool writes; of several, the one without which the others
    /// say nothing.
    #[must_use]
    pub fn default_cookie(self) -> &'static str {
        self.decoder().cookies()[0]
    }

    /// The ids that the tool is known to write, with the category that they usually belong to.
    #[must_use]
    pub fn default_ids(self) -> &'static [(&'static str, &'static str)] {
        self.decoder().ids()
    }

    /// Whether its cookie says when the visitor answered. Where it does not, nobody can tell an old
    /// answer from a fresh one, and the cookie's lifetime alone ends it.
    #[must_use]
    pub fn is_dated(self) -> bool {
        self.decoder().is_dated()
    }

    /// Whether its cookie says which revision of the site's question it answers, or the firewall's
    /// own does, which stands beside it where it cannot be written.
    #[must_use]
    pub fn has_revision(self) -> bool {
        self.decoder().has_revision() || !self.can_write()
    }

    /// Whether a choice can be written as the tool itself would write it.
    #[must_use]
    pub fn can_write(self) -> bool {
        self.decoder().writer().is_some()
    }

    /// Whether consent to `id` can be written down: in the tool's own form, or where that cannot be
    /// written, in the firewall's.
    #[must_use]
    pub fn can_store(self, id: &str) -> bool {
        !self.can_write() || self.decoder().can_store(id)
    }

    pub(super) fn decoder(self) -> &'static dyn Decoder {
        match self {
            Self::Opendatasoft => &tools::Opendatasoft,
            Self::Tarteaucitron => &tools::Tarteaucitron,
            Self::Klaro => &tools::Klaro,
            Self::Orejime => &tools::Orejime,
            Self::Cookieconsent => &tools::Cookieconsent,
            Self::Cookiebot => &tools::Cookiebot,
            Self::Onetrust => &tools::Onetrust,
            Self::Didomi => &tools::Didomi,
            Self::Axeptio => &tools::Axeptio,
            Self::Cookieyes => &tools::Cookieyes,
            Self::Complianz => &tools::Complianz,
            Self::DjangoCookieConsent => &tools::DjangoCookieConsent,
            Self::Govuk => &tools::Govuk,
            Self::Matomo => &tools::Matomo,
            Self::Tcf => &tools::Tcf,
            Self::Gpp => &tools::Gpp,
            Self::EuConsent => &tools::EuConsent,
        }
    }
}

/// Writes a choice in a tool's form.
pub(super) type Writer = fn(&Choice<'_>) -> Vec<Written>;

/// One consent tool: which cookies it writes, and what they mean.
///
/// Reading is total. Presence is not an answer, and a bit that says accepted is not always a choice:
/// a decoder yields answers only where somebody gave them, and where it does not know the form, none.
pub(super) trait Decoder: Sync {
    /// The tool's cookies, the one that can be renamed first; at most one less than
    /// [`super::jar::MAX_COOKIES`].
    fn cookies(&self) -> &'static [&'static str];

    /// The names of these cookies where the first is called `cookie`; `None` where it cannot be.
    fn names(&self, cookie: &str) -> Option<Vec<Box<str>>> {
        let others = self.cookies()[1..].iter().map(|&name| name.into());
        Some(std::iter::once(cookie.into()).chain(others).collect())
    }

    /// See [`Tool::default_ids`]; none where the site gives its own.
    fn ids(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// See [`Tool::is_dated`].
    fn is_dated(&self) -> bool {
        true
    }

    /// Whether the tool's own cookie says which revision of the site's question it answers.
    fn has_revision(&self) -> bool {
        false
    }

    /// Reads what the cookies of `jar`, one at least, answer.
    fn read(
        &self,
        jar: &Jar<'_>,
        rules: &Rules,
        answers: &mut Answers<'_>,
    ) -> Result<Date, Unanswered>;

    /// Whether what the writer writes can grant `id`.
    fn can_store(&self, _id: &str) -> bool {
        true
    }

    /// How a choice is written, where a server can write all that the tool expects to find.
    fn writer(&self) -> Option<Writer> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::jar::MAX_COOKIES;
    use crate::consent::{Ids, State};
    use crate::cookie::{Pairs, SetCookie};

    const NOW: i64 = 1_790_000_000;

    #[test]
    fn every_tool_has_a_name_and_room_for_its_cookies() {
        for tool in Tool::ALL {
            let cookie = tool.default_cookie();
            let rules = Rules::new(tool, cookie).expect("the tool's own name");
            assert_eq!(rules.cookie(), cookie);
            assert!(rules.cookies.len() <= MAX_COOKIES, "{tool:?}");
            let ids = tool.default_ids();
            assert!(
                ids.iter().all(|(id, _)| ids.iter().filter(|(other, _)| other == id).count() == 1)
            );
        }
        assert_eq!(Tool::NAMES[0], "opendatasoft");
    }

    /// Rules with two ids, each a category of its own.
    fn rules(tool: Tool) -> Rules {
        let ids = match tool.default_ids() {
            [(one, _), (other, _), ..] => [*one, *other],
            [(one, _)] => [*one, "cookies"],
            [] => ["one", "other"],
        };
        let category = |i: usize| (format!("category {i}").into(), Ids::one(i));
        Rules {
            ids: ids.map(Into::into).into(),
            categories: [category(0), category(1)].into(),
            max_age: Some(180 * 86_400),
            ..Rules::new(tool, tool.default_cookie()).expect("the tool's own name")
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for tool in Tool::ALL {
            let rules = rules(tool);
            let (one, other) = (Ids::one(0), Ids::one(1));
            let mut choices = vec![(Ids::NONE, State::Denied), (one.union(other), State::Granted)];
            // Matomo has no way to refuse one thing and accept another.
            if tool != Tool::Matomo {
                choices.extend([(one, State::Partial), (other, State::Partial)]);
            }
            for (granted, state) in choices {
                let written = rules.write(granted, NOW);
                let kept = written.iter().filter(|cookie| cookie.max_age > 0);
                let cookies = kept.map(|cookie| format!("{}={}; ", cookie.name, cookie.value));
                let cookies: String = cookies.collect();
                let read = |now| rules.read(Pairs::of(cookies.as_bytes()), now);
                assert_eq!(read(NOW).state(), state, "{cookies}");
                let refused = rules.all_ids().difference(granted);
                assert_eq!(read(NOW).with_gpc(refused), read(NOW), "{cookies}");
                let is_dated = tool.is_dated() || !tool.can_write();
                let later = read(NOW + 181 * 86_400).state();
                assert_eq!(later == State::Expired, is_dated, "{cookies}");
            }
        }
    }

    #[test]
    fn what_is_written_stays_one_cookie() {
        let hostile = ["a;b", "é\r\n", "\"\\%", "a=b!c|d,e&f"];
        for tool in Tool::ALL {
            let rules = Rules {
                ids: hostile.map(Into::into).into(),
                categories: hostile.map(|id| (id.into(), Ids::one(0))).into(),
                ..rules(tool)
            };
            for cookie in rules.write(Ids::one(0), NOW) {
                let line = cookie.set_cookie(true);
                assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
                let read = SetCookie::parse(line.as_bytes()).expect("a readable line");
                assert_eq!(
                    (read.name, read.value),
                    (cookie.name.as_bytes(), cookie.value.as_bytes())
                );
                assert!(read.secure && read.domain.is_none());
            }
        }
    }

    /// Whatever an id is called: what can be stored is read back, and nothing else is granted.
    #[test]
    fn what_can_be_stored_is_read_back_and_nothing_else_is_granted() {
        let names = [
            "tracking",
            "cookies",
            "plain",
            "s é",
            "s=x!",
            "a;b",
            "",
            "timestamp",
            "essential",
            "date",
        ];
        for tool in Tool::ALL {
            let rules = Rules {
                ids: names.map(Into::into).into(),
                categories: names
                    .iter()
                    .enumerate()
                    .map(|(i, n)| ((*n).into(), Ids::one(i)))
                    .collect(),
                ..rules(tool)
            };
            for (index, name) in names.iter().enumerate() {
                let id = Ids::one(index);
                let written = rules.write(id, NOW);
                let kept = written.iter().filter(|cookie| cookie.max_age > 0);
                let cookies: String =
                    kept.map(|cookie| format!("{}={}; ", cookie.name, cookie.value)).collect();
                let answer = rules.read(Pairs::of(cookies.as_bytes()), NOW).answer(id);
                let is_granted = answer == crate::consent::Answer::Granted;
                assert_eq!(is_granted, tool.can_store(name), "{tool:?} {name:?}: {cookies}");
                assert_eq!(rules.storable().contains(id), is_granted, "{tool:?} {name:?}");
            }
        }
    }
}
