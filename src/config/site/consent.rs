//! The `[consent]` table: which cookie is read, and what its ids stand for.

use super::charter::{CATEGORY_NAMES, is_category_name};
use crate::charter::{Category, Declaration, Need};
use crate::config::key_path::KeyPath;
use crate::config::reader::{At, Document, Table, closest};
use crate::consent::{Ids, MAX_IDS, Rules, Tool};

/// Half a year, after which the CNIL recommends asking again (recommendation of 17 September 2020).
const DEFAULT_MAX_AGE: i64 = 180 * 86_400;

/// What a visitor who sends `Sec-GPC: 1` has refused, where the site says nothing of it: the signal
/// is about selling and sharing data, and advertising across sites (Global Privacy Control).
const DEFAULT_GPC: [Category; 2] = [Category::Marketing, Category::ThirdParty];

/// The consent rules, and which ids make up each category.
pub(super) struct Consent<'d> {
    pub(super) rules: Rules,
    /// The ids in use, with the category of each where it has one.
    pub(super) ids: Vec<(Box<str>, Option<Category>)>,
    /// Whether the site says itself what its ids stand for.
    pub(super) is_mapped: bool,
    /// Where the consent cookie is named, or would be.
    pub(super) place: At<()>,
    /// The categories that the site lists for `Sec-GPC`, if it does.
    gpc: Option<Vec<At<&'d str>>>,
    /// The categories that the site lists ids of.
    listed: Vec<At<&'d str>>,
}

impl Consent<'_> {
    /// Every id of `category`.
    pub(super) fn of_category(&self, category: &Category) -> Ids {
        // More are a mistake, which is told once they are all known.
        let members = self.ids.iter().enumerate().take(MAX_IDS);
        members
            .filter(|(_, (_, of))| of.as_ref() == Some(category))
            .fold(Ids::NONE, |ids, (index, _)| ids.union(Ids::one(index)))
    }

    /// Whether more than one id stands for `category`.
    pub(super) fn has_several(&self, category: &Category) -> bool {
        self.ids.iter().filter(|(_, of)| of.as_ref() == Some(category)).nth(1).is_some()
    }

    pub(super) fn category_of(&self, id: &str) -> Option<&Category> {
        self.ids.iter().find(|(known, _)| **known == *id).and_then(|(_, of)| of.as_ref())
    }

    /// The id `name`, which becomes one of the site's if it is not yet.
    pub(super) fn id(&mut self, name: &str) -> Option<Ids> {
        let index = self.ids.iter().position(|(known, _)| **known == *name);
        let index = index.unwrap_or_else(|| {
            self.ids.push((name.into(), None));
            self.ids.len() - 1
        });
        (index < MAX_IDS).then(|| Ids::one(index))
    }

    /// Completes the rules by what the charter's cookies need.
    pub(super) fn complete(&mut self, document: &Document<'_>, declarations: &[Declaration]) {
        self.rules.ids = self.ids.iter().map(|(id, _)| id.clone()).collect();
        self.rules.needed = needs(declarations).map(|(_, ids)| ids).collect();
        let categories = self.categories(declarations);
        self.rules.gpc = match &self.gpc {
            None => DEFAULT_GPC.iter().map(|category| ids_of(&categories, category)).collect(),
            Some(listed) => {
                listed.iter().map(|at| self.listed_for_gpc(document, at, &categories)).collect()
            }
        };
        let named = categories.iter().map(|(category, ids)| (category.as_str().into(), *ids));
        self.rules.categories = named.collect();
    }

    /// Warns of a category of the site's own that no cookie is of: it is probably mistyped, and the ids
    /// stand for nothing then.
    pub(super) fn warn_of_unused(&self, document: &Document<'_>, declarations: &[Declaration]) {
        let used = || declarations.iter().map(|declaration| declaration.category.as_str());
        let known = || Category::BUILT_IN.iter().map(Category::as_str).chain(used());
        let listed = self.listed.iter().filter(|at| is_category_name(at.value));
        for at in listed.filter(|at| known().all(|known| known != at.value)) {
            let remedy = match closest(at.value, known()) {
                Some(known) => format!("write {known:?}"),
                None => "declare its cookies, or remove this line".to_owned(),
            };
            document.warning(at, "no cookie is of this category", &remedy);
        }
    }

    /// The categories that need consent, with their ids: those that stand for each, and those that
    /// stand for none and that one of its cookies needs.
    fn categories(&self, declarations: &[Declaration]) -> Vec<(Category, Ids)> {
        let mut categories: Vec<(Category, Ids)> = Vec::new();
        let ids = || self.ids.iter().enumerate().map(|(i, (_, of))| (of.as_ref(), Ids::one(i)));
        let mapped = ids().filter_map(|(of, id)| Some((of?, id)));
        let unmapped: Ids = ids().filter(|(of, _)| of.is_none()).map(|(_, id)| id).collect();
        let needed = needs(declarations).map(|(of, ids)| (of, ids.intersection(unmapped)));
        for (category, ids) in mapped.chain(needed) {
            match categories.iter_mut().find(|(known, _)| known == category) {
                Some((_, known)) => *known = known.union(ids),
                None => categories.push((category.clone(), ids)),
            }
        }
        categories
    }

    fn listed_for_gpc(
        &self,
        document: &Document<'_>,
        at: &At<&str>,
        categories: &[(Category, Ids)],
    ) -> Ids {
        let category = Category::named(at.value);
        if category == Category::Necessary {
            document.error(at, "necessary cookies need no consent", "remove it from the list");
        } else if matches!(category, Category::Own(_))
            && !categories.iter().any(|(known, _)| *known == category)
        {
            document.error(
                at,
                format!("{:?} is no category of this charter", at.value),
                "write statistics, preferences, marketing, third-party, or one of the site's own",
            );
        }
        ids_of(categories, &category)
    }
}

/// The categories of the cookies that need consent, and the ids that each needs.
fn needs(declarations: &[Declaration]) -> impl Iterator<Item = (&Category, Ids)> {
    declarations.iter().filter_map(|declaration| match declaration.need {
        Need::Consent(ids) => Some((&declaration.category, ids)),
        Need::Exempt => None,
    })
}

fn ids_of(categories: &[(Category, Ids)], category: &Category) -> Ids {
    let found = categories.iter().find(|(known, _)| known == category);
    found.map_or(Ids::NONE, |(_, ids)| *ids)
}

pub(super) fn read<'d>(document: &Document<'_>, table: Option<&Table<'d, '_>>) -> Consent<'d> {
    let tool = table
        .and_then(|table| table.word("tool"))
        .and_then(|at| Tool::ALL.into_iter().find(|tool| tool.as_str() == at.value));
    let tool = tool.unwrap_or_default();
    let cookie = table.and_then(|table| table.string("cookie"));
    let span = cookie.as_ref().map(|at| at.span.clone()).or(table.map(|table| table.at().span));
    let place =
        At { value: (), key: KeyPath::of_root("consent.cookie"), span: span.unwrap_or_default() };
    let mut rules = rules(document, tool, cookie.map(|at| at.value), &place);
    let max_age = table.and_then(|table| table.time("max_age"));
    warn_of_missing_date(document, tool, max_age.as_ref());
    rules.max_age = Some(max_age.map_or(DEFAULT_MAX_AGE, |at| at.value.into()));
    rules.revision = table.and_then(|table| revision(document, tool, table));
    let mapped = table.map_or_else(Vec::new, |table| table.lists("categories"));
    let is_mapped = !mapped.is_empty();
    let listed = mapped.iter().map(|(key, _)| key.clone()).collect();
    let ids = ids(document, tool, mapped);
    let gpc = table.and_then(|table| {
        let listed = table.strings("gpc");
        (!listed.is_empty() || table.empty_list("gpc").is_some()).then_some(listed)
    });
    Consent { rules, ids, is_mapped, place, gpc, listed }
}

/// The rules for a cookie of this name, or where it is a mistake for none.
fn rules(document: &Document<'_>, tool: Tool, cookie: Option<&str>, place: &At<()>) -> Rules {
    let own = tool.default_cookie();
    let name = cookie.unwrap_or(own);
    let valid = |b: u8| b.is_ascii_graphic() && b != b'=' && b != b';';
    let remedy = "leave the key out for the tool's own";
    if name.is_empty() {
        document.error(place, "a consent cookie needs a name", remedy);
    } else if !name.bytes().all(valid) {
        let message = format!("no cookie can be called {name:?}");
        document.error(place, message, "write it without '=', ';', white space and accents");
    } else if name == Tool::EuConsent.default_cookie() && !tool.can_write() {
        let message = format!("{name:?} is where the firewall keeps choices itself");
        document.error(place, message, "write tool = \"eu-consent\", or the tool's own cookie");
    } else if let Some(rules) = Rules::new(tool, name) {
        return rules;
    } else {
        let message = format!("{} has no cookie called {name:?}", tool.as_str());
        document.error(place, message, &format!("write the name that {own:?} has on this site"));
    }
    Rules { tool, ..Rules::default() }
}

fn warn_of_missing_date(document: &Document<'_>, tool: Tool, max_age: Option<&At<u32>>) {
    if let Some(at) = max_age.filter(|_| !tool.is_dated()) {
        document.warning(
            at,
            format!(
                "{} does not say when the visitor answered, so no answer is too old",
                tool.as_str()
            ),
            "remove the key, and give the tool's cookie this lifetime in the tool's own settings",
        );
    }
}

fn revision(document: &Document<'_>, tool: Tool, table: &Table<'_, '_>) -> Option<u64> {
    let at = table.number("revision", 0, u32::MAX as usize)?;
    if !tool.has_revision() {
        let message = format!("the cookie of {} tells of no revision", tool.as_str());
        document.error(&at, message, "remove the key");
    }
    u64::try_from(at.value).ok()
}

/// An id that choices on the firewall's own page cannot grant.
pub(super) fn warn_of_unstorable(document: &Document<'_>, tool: Tool, at: &At<&str>) {
    let remedy = match tool {
        Tool::Matomo => "write tracking or cookies, what Matomo's cookies tell of",
        Tool::Opendatasoft => "write the tracker's own key",
        _ => "give it a name of ASCII letters, digits, '-', '_', '.' and ':' in the tool, too",
    };
    document.warning(
        at,
        format!(
            "{:?} cannot be written into the cookie of {}, so that the firewall's page does not offer it",
            at.value,
            tool.as_str()
        ),
        remedy,
    );
}

/// The site's map, and for the categories it leaves out the tool's usual one.
fn ids(
    document: &Document<'_>,
    tool: Tool,
    mapped: Vec<(At<&str>, Vec<At<&str>>)>,
) -> Vec<(Box<str>, Option<Category>)> {
    let mut ids: Vec<(Box<str>, Option<Category>)> = Vec::new();
    let mut named = Vec::new();
    for (key, members) in mapped {
        let category = Category::named(key.value);
        if category == Category::Necessary {
            document.error(&key, "necessary cookies need no consent", "remove this line");
        } else if !is_category_name(key.value) {
            let message = format!("{:?} cannot be a category", key.value);
            document.error(&key, message, CATEGORY_NAMES);
        }
        for at in members {
            if ids.iter().any(|(id, _)| **id == *at.value) {
                document.error(
                    &at,
                    format!("{:?} stands for a category already", at.value),
                    "list each id once",
                );
            } else {
                if !tool.can_store(at.value) {
                    warn_of_unstorable(document, tool, &at);
                }
                ids.push((at.value.into(), Some(category.clone())));
            }
        }
        named.push(category);
    }
    for (id, category) in tool.default_ids() {
        let category = Category::named(category);
        if !named.contains(&category) && !ids.iter().any(|(known, _)| **known == **id) {
            ids.push(((*id).into(), Some(category)));
        }
    }
    ids
}
