//! What was decided about the cookies of one message.

use smallvec::SmallVec;

use crate::charter::DeclarationId;
use crate::policy::{Decision, Reason, Verdict};

/// Which way a cookie was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the user agent, in `Cookie`.
    Request,
    /// To the user agent, in `Set-Cookie`.
    Response,
}

impl Direction {
    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// One decided cookie. Its value is not here, so it cannot leak from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which way it was going.
    pub direction: Direction,
    /// What happened to it.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The declaration that covers its name.
    pub declaration: Option<DeclarationId>,
    /// Its name, if the report keeps names.
    pub name: Option<Box<[u8]>>,
}

/// The decisions about one message, in the order of its cookies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    entries: SmallVec<[Entry; 12]>,
    withdrawn: Vec<Option<DeclarationId>>,
    keeps_names: bool,
}

impl Report {
    /// A report that keeps each cookie's name, for a decision log. Names that the charter does not
    /// declare are chosen by outsiders: they must not become metric labels.
    #[must_use]
    pub fn with_names() -> Self {
        Self { keeps_names: true, ..Self::default() }
    }

    /// The decisions.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The declaration of each cookie that the message expires for its consent, if it has one.
    #[must_use]
    pub fn withdrawn(&self) -> &[Option<DeclarationId>] {
        &self.withdrawn
    }

    /// Takes note of a cookie that is expired.
    pub(super) fn expired(&mut self, declaration: Option<DeclarationId>) {
        self.withdrawn.push(declaration);
    }

    /// Takes note of a decision; the name is asked for only where it is kept.
    pub(super) fn decided<'n>(
        &mut self,
        direction: Direction,
        name: impl FnOnce() -> &'n [u8],
        decision: &Decision<'_>,
    ) {
        self.entries.push(Entry {
            direction,
            verdict: decision.verdict,
            reason: decision.reason,
            declaration: decision.declaration,
            name: self.keeps_names.then(|| name().into()),
        });
    }

    /// A cookie blocked without a decision of the policy: it came where none may come.
    pub(super) fn blocked(&mut self, direction: Direction, name: &[u8], reason: Reason) {
        let decision = Decision { verdict: Verdict::Block, reason, declaration: None, edits: None };
        self.decided(direction, || name, &decision);
    }
}
