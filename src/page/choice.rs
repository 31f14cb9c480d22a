//! What a visitor may choose among, and what a form says was chosen.

use crate::consent::{Ids, Rules};

/// One category to choose, by the ids that make it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'r> {
    /// Its name in the charter.
    pub category: &'r str,
    /// The ids that it is granted by, of those that declared cookies need.
    pub ids: Ids,
}

/// The categories that some cookie of the charter waits for. Ids of the tool that no declared cookie
/// needs are not asked for, and stay refused: nobody can consent to what is not shown. Nor are categories
/// that could not be stored whole: nobody is to be told of a consent that is not there.
pub fn offers(rules: &Rules) -> impl Iterator<Item = Offer<'_>> {
    let storable = rules.storable();
    let asked = |ids: Ids| ids.intersection(rules.needed);
    let categories = rules.categories.iter();
    let offers = categories.map(move |(name, ids)| Offer { category: name, ids: asked(*ids) });
    offers.filter(move |offer| !offer.ids.is_empty() && storable.contains(offer.ids))
}

/// The bytes of the longest form that the page of these rules sends, and of any that is short.
#[must_use]
pub fn form_bytes(rules: &Rules) -> usize {
    const SHORT: usize = 4096;
    // The button, the language and the charter's hash, with room to spare.
    const OTHER_FIELDS: usize = 256;
    // Of a name every byte may be escaped.
    let field = |offer: Offer<'_>| "&category=".len() + 3 * offer.category.len();
    let ticked: usize = offers(rules).map(field).sum();
    SHORT.max(OTHER_FIELDS + ticked)
}

/// What was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Everything.
    Accept,
    /// Nothing.
    Refuse,
    /// The categories that were ticked.
    Save,
}

impl Choice {
    /// The value in forms, metrics and proofs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Save => "save",
        }
    }
}

/// A form that was sent in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What was pressed.
    pub choice: Choice,
    /// The language of the page that it was on, as the form says.
    pub language: Option<String>,
    /// The hash of the charter that was on it, as the form says.
    pub charter: Option<String>,
    categories: Vec<String>,
}

/// The form holds no choice, or more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormError;

impl Form {
    /// Reads a body of type `application/x-www-form-urlencoded` (URL Standard, section 5.1).
    ///
    /// # Errors
    ///
    /// [`FormError`]
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        let mut choice = None;
        let (mut categories, mut language, mut charter) = (Vec::new(), None, None);
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "choice" => {
                    let said = [Choice::Accept, Choice::Refuse, Choice::Save];
                    let said = said.into_iter().find(|choice| choice.as_str() == value);
                    if choice.replace(said.ok_or(FormError)?).is_some() {
                        return Err(FormError);
                    }
                }
                "category" => categories.push(value.into_owned()),
                "lang" => language = Some(value.into_owned()),
                "charter" => charter = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(Self { choice: choice.ok_or(FormError)?, language, charter, categories })
    }

    /// Whether the form was shown with another charter than `present`. One that names none is a
    /// script's.
    #[must_use]
    pub fn is_stale(&self, present: &str) -> bool {
        self.charter.as_deref().is_some_and(|seen| seen != present)
    }

    /// The ids that are granted: of the categories on the page, and of none that is not there. Those
    /// in `denied` cannot be granted.
    #[must_use]
    pub fn granted(&self, rules: &Rules, denied: Ids) -> Ids {
        let wanted = |offer: &Offer<'_>| match self.choice {
            Choice::Accept => true,
            Choice::Refuse => false,
            Choice::Save => self.categories.iter().any(|name| name == offer.category),
        };
        let ids: Ids = offers(rules).filter(wanted).map(|offer| offer.ids).collect();
        ids.difference(denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Tool;

    fn rules() -> Rules {
        let (stats, ads, hidden) = (Ids::one(0), Ids::one(1), Ids::one(2));
        Rules {
            ids: ["matomo", "ga", "youtube"].map(Into::into).into(),
            needed: stats.union(ads),
            categories: [
                ("statistics".into(), stats),
                ("Publicité".into(), ads),
                ("third-party".into(), hidden),
            ]
            .into(),
            ..Rules::new(Tool::Opendatasoft, "c").expect("a name")
        }
    }

    #[test]
    fn what_is_granted() {
        let (stats, ads) = (Ids::one(0), Ids::one(1));
        for (body, granted) in [
            ("choice=accept", stats.union(ads)),
            ("choice=accept&category=statistics", stats.union(ads)),
            ("choice=refuse&category=statistics", Ids::NONE),
            ("choice=save", Ids::NONE),
            ("choice=save&category=statistics", stats),
            ("category=Publicit%C3%A9&choice=save&lang=fr&x=%ff", ads),
            ("choice=save&category=third-party&category=necessary", Ids::NONE),
            ("choice=save&category=Statistics&category=%00&category=%3Cscript%3E", Ids::NONE),
        ] {
            let form = Form::parse(body.as_bytes()).expect(body);
            assert_eq!(form.granted(&rules(), Ids::NONE), granted, "{body}");
            assert_eq!(form.granted(&rules(), stats), granted.difference(stats), "{body}");
        }
    }

    #[test]
    fn a_category_that_can_be_stored_in_part_is_not_offered() {
        let both = Ids::one(0).union(Ids::one(1));
        let rules = Rules {
            ids: ["ok", "s \u{e9}", "g"].map(Into::into).into(),
            needed: both.union(Ids::one(2)),
            categories: [("statistics".into(), both), ("marketing".into(), Ids::one(2))].into(),
            ..Rules::new(Tool::DjangoCookieConsent, "c").expect("a name")
        };
        assert_eq!(offers(&rules).map(|offer| offer.category).collect::<Vec<_>>(), ["marketing"]);
    }

    #[test]
    fn forms_without_one_choice() {
        for body in
            ["", "choice", "choice=", "choice=yes", "choice=save&choice=accept", "%", "a&=&;"]
        {
            assert_eq!(Form::parse(body.as_bytes()), Err(FormError), "{body}");
        }
    }
}
