//! One cookie of the charter.

use super::Pattern;
use crate::consent::Ids;
use crate::cookie::SameSite;

/// What a cookie is for, as visitors are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Exempt: the service the visitor asked for does not work without it.
    Necessary,
    /// Audience measurement.
    Statistics,
    /// Comfort that the visitor may do without.
    Preferences,
    /// Advertising and profiling.
    Marketing,
    /// Set by or for another party.
    ThirdParty,
    /// A category of the site's own.
    Own(Box<str>),
}

impl Category {
    /// The categories that every charter knows.
    pub const BUILT_IN: [Self; 5] =
        [Self::Necessary, Self::Statistics, Self::Preferences, Self::Marketing, Self::ThirdParty];

    /// The category called `name`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::BUILT_IN
            .into_iter()
            .find(|category| category.as_str() == name)
            .unwrap_or_else(|| Self::Own(name.into()))
    }

    /// The name in configuration, metrics and logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Necessary => "necessary",
            Self::Statistics => "statistics",
            Self::Preferences => "preferences",
            Self::Marketing => "marketing",
            Self::ThirdParty => "third-party",
            Self::Own(name) => name,
        }
    }
}

/// What a cookie needs before it may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: `necessary`, or anonymous statistics (CNIL guidelines of 17 September 2020,
    /// article 5).
    Exempt,
    /// The consent of every one of these ids; of none, it is never granted.
    Consent(Ids),
}

/// The longest a cookie may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifetimeCap {
    /// It ends with the user agent's session.
    Session,
    /// Seconds from when it is set.
    Seconds(u32),
}

/// Where a cookie may be sent, when the charter says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainRule {
    /// To the host that set it alone: no `Domain` attribute.
    HostOnly,
    /// To this domain and all below it.
    Domain(Box<str>),
}

/// Attributes that the firewall makes sure of; `None` lets the cookie's own stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    /// `Secure` present or absent.
    pub secure: Option<bool>,
    /// `HttpOnly` present or absent.
    pub http_only: Option<bool>,
    /// `Partitioned` present or absent.
    pub partitioned: Option<bool>,
    /// The value of `SameSite`.
    pub same_site: Option<SameSite>,
    /// The value of `Domain`.
    pub domain: Option<DomainRule>,
    /// The value of `Path`.
    pub path: Option<Box<str>>,
}

impl Forced {
    /// Whether a cookie's own attributes stand, all of them.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// One declared cookie, or one family of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The name or pattern.
    pub name: Pattern,
    /// Who sets it.
    pub provider: Box<str>,
    /// The service it belongs to.
    pub service: Box<str>,
    /// What it is for, in the words that visitors read.
    pub purpose: Box<str>,
    /// Its category.
    pub category: Category,
    /// What must hold before it passes.
    pub need: Need,
    /// The cap on its lifetime.
    pub max_age: Option<LifetimeCap>,
    /// The attributes it must have.
    pub forced: Forced,
}
