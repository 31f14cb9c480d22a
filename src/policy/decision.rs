//! What is decided about one cookie, and why.

use std::borrow::Cow;

use crate::charter::DeclarationId;
use crate::cookie::{Edits, LifetimeEdit, SetCookie, ValueEdit};

/// What happens to a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// It passes as it is.
    Keep,
    /// It passes with the attributes the charter demands.
    Rewrite,
    /// It does not pass.
    Block,
}

impl Verdict {
    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Rewrite => "rewrite",
            Self::Block => "block",
        }
    }
}

/// Why a cookie was kept, rewritten or blocked: a closed set, used as metric label and log field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Kept: needs no consent.
    Exempt,
    /// Kept: the visitor consented.
    Granted,
    /// Kept: it would be blocked for its name or for consent, and removes itself.
    Deletion,
    /// Rewritten: it lived longer than declared.
    Lifetime,
    /// Rewritten: an attribute was missing or too much.
    Attributes,
    /// Rewritten to the declared domain; or blocked, because its own does not cover the site.
    Domain,
    /// Rewritten: it had another path than declared.
    Path,
    /// Blocked: the charter does not name it.
    Undeclared,
    /// Blocked: the visitor refused.
    Denied,
    /// Blocked: the visitor has not answered.
    Unset,
    /// Blocked: it has no name.
    Nameless,
    /// Blocked: a user agent would refuse it, or an origin read it as another cookie.
    Malformed,
    /// Blocked: name plus value exceed 4096 bytes.
    Oversized,
    /// Blocked: it breaks the promise of its `__Host-` or `__Secure-` prefix.
    Prefix,
    /// Refused: the request carries more cookies than the firewall judges.
    Limit,
}

impl Reason {
    /// Every reason, in the order of their discriminants.
    pub const ALL: [Self; 15] = [
        Self::Exempt,
        Self::Granted,
        Self::Deletion,
        Self::Lifetime,
        Self::Attributes,
        Self::Domain,
        Self::Path,
        Self::Undeclared,
        Self::Denied,
        Self::Unset,
        Self::Nameless,
        Self::Malformed,
        Self::Oversized,
        Self::Prefix,
        Self::Limit,
    ];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::Granted => "granted",
            Self::Deletion => "deletion",
            Self::Lifetime => "lifetime",
            Self::Attributes => "attributes",
            Self::Domain => "domain",
            Self::Path => "path",
            Self::Undeclared => "undeclared",
            Self::Denied => "denied",
            Self::Unset => "unset",
            Self::Nameless => "nameless",
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Prefix => "prefix",
            Self::Limit => "limit",
        }
    }
}

/// A decision, with the rule behind it and the edits that carry it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'c> {
    /// What happens.
    pub verdict: Verdict,
    /// Why; of several reasons to rewrite, the first in the order lifetime, attributes, domain,
    /// path.
    pub reason: Reason,
    /// The declaration that covers the cookie's name.
    pub declaration: Option<DeclarationId>,
    /// What changes on the line: for a rewrite, and for a kept deletion that loses its value.
    pub edits: Option<Edits<'c>>,
}

impl<'c> Decision<'c> {
    /// The set-cookie-string that leaves of `line`, the one that was judged: as it came, or edited.
    #[must_use]
    pub fn outgoing<'l>(&self, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        match (self.verdict, &self.edits) {
            (Verdict::Block, _) => None,
            (_, None) => Some(Cow::Borrowed(line)),
            // A line that was judged to pass is readable; if it were not, the cookie would be lost
            // rather than let through as it came.
            (_, Some(edits)) => {
                SetCookie::parse(line).ok().map(|cookie| Cow::Owned(edits.apply(&cookie)))
            }
        }
    }

    pub(super) fn keep(reason: Reason, declaration: Option<DeclarationId>) -> Self {
        Self { verdict: Verdict::Keep, reason, declaration, edits: None }
    }

    pub(super) fn block(reason: Reason, declaration: Option<DeclarationId>) -> Self {
        Self { verdict: Verdict::Block, reason, declaration, edits: None }
    }

    pub(super) fn deletion(edits: Edits<'c>, declaration: Option<DeclarationId>) -> Self {
        let edits = Some(edits).filter(|edits| !edits.is_empty());
        Self { verdict: Verdict::Keep, reason: Reason::Deletion, declaration, edits }
    }

    pub(super) fn rewrite(edits: Edits<'c>, declaration: Option<DeclarationId>) -> Self {
        let reason = if edits.lifetime != LifetimeEdit::Leave {
            Reason::Lifetime
        } else if edits.changes_flags() {
            Reason::Attributes
        } else if edits.domain != ValueEdit::Leave {
            Reason::Domain
        } else {
            Reason::Path
        };
        Self { verdict: Verdict::Rewrite, reason, declaration, edits: Some(edits) }
    }
}
