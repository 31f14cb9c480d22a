//! The `[consent]` table: which cookie is read, and what its ids stand for.

use crate::charter::Category;
use crate::config::reader::{At, Document, Table};
use crate::consent::{Ids, MAX_IDS, Rules, Tool};

/// Half a year, after which the CNIL recommends asking again (recommendation of 17 September 2020).
const DEFAULT_MAX_AGE: i64 = 180 * 86_400;

/// The consent rules, and which ids make up each category.
pub(super) struct Consent {
    pub(super) rules: Rules,
    /// The ids in use, with the category of each where it has one.
    pub(super) ids: Vec<(Box<str>, Option<Category>)>,
    /// Whether the site says itself what its ids stand for.
    pub(super) is_mapped: bool,
    /// Where the consent cookie is named, or would be.
    pub(super) place: At<()>,
}

impl Consent {
    /// Every id of `category`.
    pub(super) fn of_category(&self, category: &Category) -> Ids {
        let members = self.ids.iter().enumerate();
        members
            .filter(|(_, (_, of))| of.as_ref() == Some(category))
            .fold(Ids::NONE, |ids, (index, _)| ids.union(Ids::one(index)))
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
}

pub(super) fn read(document: &Document<'_>, table: Option<&Table<'_, '_>>) -> Consent {
    let tool = table
        .and_then(|table| table.word("tool"))
        .and_then(|at| Tool::ALL.into_iter().find(|tool| tool.as_str() == at.value));
    let tool = tool.unwrap_or_default();
    let cookie = table.and_then(|table| table.string("cookie"));
    let span = cookie.as_ref().map(|at| at.span.clone()).or(table.map(|table| table.at().span));
    let place = At { value: (), key: "consent.cookie".into(), span: span.unwrap_or_default() };
    let cookie = cookie.map_or(tool.default_cookie(), |at| at.value);
    if cookie.is_empty() {
        let remedy = "leave the key out for the tool's own";
        document.error(&place, "a consent cookie needs a name", remedy);
    }
    let max_age = table.and_then(|table| table.time("max_age"));
    let mapped = table.map_or_else(Vec::new, |table| table.lists("categories"));
    let is_mapped = !mapped.is_empty();
    let ids = ids(document, tool, mapped);
    Consent {
        rules: Rules {
            tool,
            cookie: cookie.into(),
            max_age: Some(max_age.map_or(DEFAULT_MAX_AGE, |at| at.value.into())),
            // Filled in once the charter has named its own ids.
            ids: [].into(),
            needed: Ids::NONE,
        },
        ids,
        is_mapped,
        place,
    }
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
        }
        for at in members {
            if ids.iter().any(|(id, _)| **id == *at.value) {
                document.error(
                    &at,
                    format!("{:?} stands for a category already", at.value),
                    "list each id once",
                );
            } else {
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
