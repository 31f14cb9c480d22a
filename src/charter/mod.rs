//! What the portal declared: its register of cookies, compiled for lookup.
//!
//! A charter is built once, from declarations that the configuration has checked, and is read by
//! every decision. It knows nothing of the visitor. A charter that is published as a page is read by
//! [`import`], and one that is enforced is published by [`render`].

mod declaration;
pub mod duration;
mod entry;
pub mod import;
mod index;
mod language;
mod pattern;
mod register;
pub mod render;
mod words;

pub use declaration::{Category, Declaration, DomainRule, Forced, LifetimeCap, Need};
pub use entry::{CharterView, Entry};
pub use language::{Language, Texts};
pub use pattern::{Pattern, PatternError};
pub use register::{Clash, Register};

use crate::cookie::{JoinedPath, ValueEdit};

/// Where a declaration stands in its charter, in the order of the file.
pub type DeclarationId = u32;

/// The compiled charter of one site.
#[derive(Debug, Default)]
pub struct Charter {
    declarations: Box<[Declaration]>,
    register: Register,
    scopes: Scopes,
}

/// How the upstream's own names map to the site's, as nginx's `proxy_cookie_domain` and
/// `proxy_cookie_path` do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// The upstream's `Domain` (lower case, no leading dot) and the site's; an empty one stands for
    /// no `Domain` at all.
    pub domains: Box<[(Box<str>, Box<str>)]>,
    /// A prefix of the upstream's `Path` and what takes its place, the longest prefix first.
    pub paths: Box<[(Box<str>, Box<str>)]>,
}

impl Scopes {
    /// Whether nothing is mapped.
    #[must_use]
    pub fn are_the_same(&self) -> bool {
        self.domains.is_empty() && self.paths.is_empty()
    }

    /// What becomes of a `Domain` value.
    #[must_use]
    pub fn domain(&self, domain: &[u8]) -> ValueEdit<&[u8]> {
        let mapped =
            self.domains.iter().find(|(from, _)| domain.eq_ignore_ascii_case(from.as_bytes()));
        match mapped {
            None => ValueEdit::Leave,
            Some((from, to)) if from == to => ValueEdit::Leave,
            Some((_, to)) if to.is_empty() => ValueEdit::Remove,
            Some((_, to)) => ValueEdit::Set(to.as_bytes()),
        }
    }

    /// What takes the place of a `Path` value, where a mapping applies. A path that has the new
    /// prefix already, and only gained by it, stays.
    #[must_use]
    pub fn path<'p>(&'p self, path: &'p [u8]) -> Option<JoinedPath<'p>> {
        self.paths.iter().find_map(|(from, to)| {
            let rest = path.strip_prefix(from.as_bytes())?;
            let done = to.starts_with(&**from) && path.starts_with(to.as_bytes());
            (!done).then_some(JoinedPath { prefix: to.as_bytes(), rest })
        })
    }
}

impl Charter {
    /// Compiles `declarations`.
    ///
    /// # Errors
    ///
    /// Every pair of declarations between which no cookie name can choose.
    pub fn new(declarations: Vec<Declaration>, scopes: Scopes) -> Result<Self, Vec<Clash>> {
        let register = Register::new(declarations.iter().map(|declaration| &declaration.name))?;
        Ok(Self { declarations: declarations.into(), register, scopes })
    }

    /// The declaration that covers a cookie name: an exact one, else the most specific pattern.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<DeclarationId> {
        self.register.find(name)
    }

    /// The declaration of exactly this name, not by a pattern.
    #[must_use]
    pub fn find_exact(&self, name: &[u8]) -> Option<DeclarationId> {
        self.register.find_exact(name)
    }

    /// The declaration that covers a cookie name by a pattern, the most specific one.
    #[must_use]
    pub fn find_pattern(&self, name: &[u8]) -> Option<DeclarationId> {
        self.register.find_pattern(name)
    }

    /// The declaration with this id.
    ///
    /// # Panics
    ///
    /// If `id` comes from another charter.
    #[must_use]
    pub fn declaration(&self, id: DeclarationId) -> &Declaration {
        &self.declarations[id as usize]
    }

    /// Every declaration, in the order of the file.
    #[must_use]
    pub fn declarations(&self) -> &[Declaration] {
        &self.declarations
    }

    /// The mapping of scopes.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}
