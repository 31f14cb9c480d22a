//! One line for each decision, for people.

use std::borrow::Cow;

use crate::charter::DeclarationId;
use crate::config::Site;
use crate::enforce::Entry;

/// The longest part of an undeclared name that is shown, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// One decision about one cookie of a site.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'r> {
    /// The site.
    pub site: &'r Site,
    /// What was decided.
    pub entry: &'r Entry,
}

impl Decided<'_> {
    /// The cookie's name, printable whatever bytes it came in, and cut where it is long.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        match self.entry.name.as_deref() {
            None | Some(b"") => Cow::Borrowed("(no name)"),
            Some(name) if name.len() > MAX_NAME_BYTES => {
                Cow::Owned(format!("{}...", name[..MAX_NAME_BYTES].escape_ascii()))
            }
            Some(name) => Cow::Owned(name.escape_ascii().to_string()),
        }
    }

    /// The declaration's name as the charter writes it, or `(undeclared)`.
    #[must_use]
    pub fn declaration(&self) -> &str {
        declaration(self.site, self.entry.declaration).0
    }

    /// The declaration's category, or nothing.
    #[must_use]
    pub fn category(&self) -> &str {
        declaration(self.site, self.entry.declaration).1
    }
}

/// Name and category of the declaration that covers a cookie, as metrics and logs show them.
pub(super) fn declaration(site: &Site, id: Option<DeclarationId>) -> (&str, &str) {
    match id {
        None => ("(undeclared)", ""),
        Some(id) => {
            let declaration = site.charter.declaration(id);
            (declaration.name.as_str(), declaration.category.as_str())
        }
    }
}

/// Something that is told of every decision, on the thread that serves the exchange.
pub trait DecisionLog: Send + Sync {
    /// Takes note of one decision; must not block.
    fn decided(&self, decided: &Decided<'_>);
}

impl<F: Fn(&Decided<'_>) + Send + Sync> DecisionLog for F {
    fn decided(&self, decided: &Decided<'_>) {
        self(decided);
    }
}
