//! Where values stand among the keys, as steps: nearly every value is right, and a text such as
//! `cookie[2].max_age` is made for mistakes alone.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;

/// A key of a table, or the table itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyPath {
    below: Option<Step>,
    name: Option<&'static str>,
}

/// A place among the steps of its document: a table, an item of a list, or a key that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step(usize);

impl KeyPath {
    /// A key of the document's own table.
    pub(super) const fn of_root(name: &'static str) -> Self {
        Self { below: None, name: Some(name) }
    }

    /// A key below a step, or of the document's own table.
    pub(super) const fn below(below: Option<Step>, name: &'static str) -> Self {
        Self { below, name: Some(name) }
    }

    /// A step itself, or the document's own table.
    pub(super) const fn of(below: Option<Step>) -> Self {
        Self { below, name: None }
    }

    /// Whether it is the key `name` of some table.
    pub(super) fn is(self, name: &str) -> bool {
        self.name == Some(name)
    }
}

/// The steps of one document.
#[derive(Debug, Default)]
pub(super) struct Steps<'t>(RefCell<Vec<(KeyPath, Last<'t>)>>);

/// How a step goes on from the key before it.
#[derive(Debug)]
enum Last<'t> {
    /// With nothing more.
    Same,
    /// To a key as the document writes it.
    Key(Cow<'t, str>),
    /// To an item of a list, counted from 1.
    Item(usize),
}

impl<'t> Steps<'t> {
    /// The table, or the list, that stands at `key`.
    pub(super) fn table(&self, key: KeyPath) -> Step {
        self.push(key, Last::Same)
    }

    /// What stands at the key `name` of `table`.
    pub(super) fn member(&self, table: KeyPath, name: Cow<'t, str>) -> Step {
        self.push(table, Last::Key(name))
    }

    /// The item at `index`, from 0, of the list at `key`.
    pub(super) fn item(&self, key: KeyPath, index: usize) -> Step {
        self.push(key, Last::Item(index + 1))
    }

    /// `key` as a mistake names it.
    pub(super) fn text(&self, key: KeyPath) -> String {
        let mut text = match key.below {
            // Longer than most: a text is built step by step.
            None => String::with_capacity(32),
            Some(Step(place)) => {
                let steps = self.0.borrow();
                let (key, last) = &steps[place];
                let mut text = self.text(*key);
                match last {
                    Last::Same => {}
                    Last::Key(name) => join(&mut text, name),
                    Last::Item(number) => {
                        let _ = write!(text, "[{number}]");
                    }
                }
                text
            }
        };
        if let Some(name) = key.name {
            join(&mut text, name);
        }
        text
    }

    fn push(&self, key: KeyPath, last: Last<'t>) -> Step {
        let mut steps = self.0.borrow_mut();
        steps.push((key, last));
        Step(steps.len() - 1)
    }
}

fn join(text: &mut String, name: &str) {
    if !text.is_empty() {
        text.push('.');
    }
    text.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let steps = Steps::default();
        let root = KeyPath::of(None);
        let tls = steps.table(KeyPath::of_root("tls"));
        let certificate = steps.item(KeyPath::below(Some(tls), "certificate"), 1);
        let categories =
            KeyPath::below(Some(steps.table(KeyPath::of_root("consent"))), "categories");
        let cases = [
            (root, ""),
            (KeyPath::of_root("domain"), "domain"),
            (KeyPath::of(Some(tls)), "tls"),
            (KeyPath::of(Some(certificate)), "tls.certificate[2]"),
            (KeyPath::below(Some(certificate), "chain"), "tls.certificate[2].chain"),
            (KeyPath::of(Some(steps.member(categories, "a".into()))), "consent.categories.a"),
            (KeyPath::of(Some(steps.member(root, "moed".into()))), "moed"),
        ];
        for (key, text) in cases {
            assert_eq!(steps.text(key), text);
        }
    }
}
