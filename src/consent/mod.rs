//! What the visitor said: one answer per id of the site's consent tool.
//!
//! A tool's decoder turns the bytes of its cookies into answers, and [`Rules`] weigh them: answers
//! that are too old, contradictory or unreadable count as none.
//! Whether an answer suffices for a cookie is for the policy to decide.

mod answers;
mod bits;
mod jar;
mod json;
mod lz;
mod rules;
mod text;
mod tool;
mod tools;
mod written;

pub use rules::Rules;
pub use tool::Tool;
pub use written::Written;

/// The most ids that one site may tell apart; each is a bit in [`Ids`].
pub const MAX_IDS: usize = 128;

/// A set of consent ids, by their place in the site's [`Rules`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids(u128);

impl Ids {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of the id at `index`, which is below [`MAX_IDS`].
    #[must_use]
    pub fn one(index: usize) -> Self {
        Self(1 << index)
    }

    /// The ids in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The ids in both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The ids of this set that are not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every id of `other` is in this set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the two sets share an id.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Self> for Ids {
    /// The ids in any of the sets.
    fn from_iter<T: IntoIterator<Item = Self>>(sets: T) -> Self {
        sets.into_iter().fold(Self::NONE, Self::union)
    }
}

/// The state of one id or of several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Consent was given.
    Granted,
    /// Consent was refused.
    Denied,
    /// No answer that counts; not granted.
    Unset,
}

/// What a request's consent cookies amount to; the `state` label of the consent metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Every id was granted.
    Granted,
    /// Some ids were granted, others not.
    Partial,
    /// Answered, and nothing was granted.
    Denied,
    /// No consent cookie, or one that was written before the visitor chose.
    #[default]
    Unset,
    /// The answer is older than the site accepts, or to another revision of its question.
    Expired,
    /// Two answers disagree, so that none counts.
    Conflict,
    /// There is a consent cookie and it is not in the tool's form.
    Malformed,
}

impl State {
    /// Every state, in the order of their discriminants.
    pub const ALL: [Self; 7] = [
        Self::Granted,
        Self::Partial,
        Self::Denied,
        Self::Unset,
        Self::Expired,
        Self::Conflict,
        Self::Malformed,
    ];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Partial => "partial",
            Self::Denied => "denied",
            Self::Unset => "unset",
            Self::Expired => "expired",
            Self::Conflict => "conflict",
            Self::Malformed => "malformed",
        }
    }
}

/// One visitor's consent, as one request shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    granted: Ids,
    denied: Ids,
    state: State,
}

impl Consent {
    /// Consent with these ids granted and denied. An id in both counts as denied.
    #[must_use]
    pub fn new(granted: Ids, denied: Ids) -> Self {
        Self { granted: granted.difference(denied), denied, state: State::Unset }
    }

    /// This consent of a visitor whose user agent sends `Sec-GPC: 1`, which denies `ids` whatever
    /// the cookies say, and grants nothing (Global Privacy Control). The state stays that of the
    /// cookies.
    #[must_use]
    pub fn with_gpc(self, ids: Ids) -> Self {
        let Self { granted, denied, state } = self;
        Self { granted: granted.difference(ids), denied: denied.union(ids), state }
    }

    /// The answer to a cookie that needs every one of `ids`: the strictest of theirs. Nothing
    /// grants what depends on no id.
    #[must_use]
    pub fn answer(&self, ids: Ids) -> Answer {
        if ids.intersects(self.denied) {
            Answer::Denied
        } else if !ids.is_empty() && self.granted.contains(ids) {
            Answer::Granted
        } else {
            Answer::Unset
        }
    }

    /// What the consent cookies amount to.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// No answer, for the reason that `state` gives.
    fn none(state: State) -> Self {
        Self { state, ..Self::default() }
    }
}
