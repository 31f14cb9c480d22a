//! The cookies that the demo's portal sets, and the words it has for them in two languages.

/// What the portal knows about one of its cookies.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) lifetime: Words,
    pub(super) attributes: &'static str,
    pub(super) purpose: Words,
    pub(super) declared: bool,
    /// The id under which the visitor answers for it in `cookies_preferences`.
    pub(super) consent: Option<&'static str>,
}

pub(super) const SESSION: Known = Known {
    name: "sessionid",
    lifetime: Words("14 jours", "14 days"),
    attributes: "Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax",
    purpose: Words(
        "Se souvenir de vous d’une page à une autre.",
        "Remember you from one page to the next.",
    ),
    declared: true,
    consent: None,
};

pub(super) const CSRF: Known = Known {
    name: "csrftoken",
    lifetime: Words("364 jours", "364 days"),
    attributes: "Path=/; Max-Age=31449600; SameSite=Lax",
    purpose: Words(
        "Protéger les formulaires contre la falsification.",
        "Protect the forms against forgery.",
    ),
    declared: true,
    consent: None,
};

pub(super) const LANGUAGE: Known = Known {
    name: "django_language",
    lifetime: Words("365 jours", "365 days"),
    attributes: "Path=/; Max-Age=31536000; SameSite=Lax",
    purpose: Words("Garder la langue choisie.", "Keep the language you chose."),
    declared: true,
    consent: None,
};

pub(super) const PREFERENCES: Known = Known {
    name: "cookies_preferences",
    lifetime: Words("180 jours", "180 days"),
    attributes: "Path=/; Max-Age=15552000; SameSite=Lax",
    purpose: Words(
        "Garder votre réponse au bandeau des cookies.",
        "Keep your answer to the cookie banner.",
    ),
    declared: true,
    consent: None,
};

pub(super) const MATOMO_VISITOR: Known = Known {
    name: "_pk_id.1.1fff",
    lifetime: Words("393 jours", "393 days"),
    attributes: "Path=/; Max-Age=33955200; SameSite=Lax",
    purpose: Words("Matomo\u{a0}: distinguer les visiteurs.", "Matomo: tell visitors apart."),
    declared: true,
    consent: Some("matomo"),
};

pub(super) const MATOMO_VISIT: Known = Known {
    name: "_pk_ses.1.1fff",
    lifetime: Words("30 minutes", "30 minutes"),
    attributes: "Path=/; Max-Age=1800; SameSite=Lax",
    purpose: Words("Matomo\u{a0}: suivre une visite.", "Matomo: follow one visit."),
    declared: true,
    consent: Some("matomo"),
};

pub(super) const GOOGLE: Known = Known {
    name: "_ga",
    lifetime: Words("730 jours", "730 days"),
    attributes: "Path=/; Max-Age=63072000; SameSite=Lax",
    purpose: Words(
        "Google Analytics\u{a0}: distinguer les visiteurs.",
        "Google Analytics: tell visitors apart.",
    ),
    declared: true,
    consent: Some("ga"),
};

pub(super) const CITY: Known = Known {
    name: "city_tracker",
    lifetime: Words("365 jours", "365 days"),
    attributes: "Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax",
    purpose: Words(
        "Vous reconnaître partout. La charte n’en dit rien.",
        "Recognise you everywhere. The charter does not mention it.",
    ),
    declared: false,
    consent: None,
};

/// Every cookie of the portal, in the order in which the page lists them.
pub(super) const REGISTER: [Known; 8] =
    [SESSION, CSRF, LANGUAGE, PREFERENCES, MATOMO_VISITOR, MATOMO_VISIT, GOOGLE, CITY];

/// A text in French and in English.
#[derive(Clone, Copy)]
pub(super) struct Words(pub(super) &'static str, pub(super) &'static str);

impl Words {
    pub(super) fn to(self, language: Language) -> &'static str {
        match language {
            Language::French => self.0,
            Language::English => self.1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    French,
    English,
}

impl Language {
    pub(super) fn tag(self) -> &'static str {
        Words("fr", "en").to(self)
    }

    pub(super) fn of_tag(tag: &[u8]) -> Option<Self> {
        match tag {
            b"fr" => Some(Self::French),
            b"en" => Some(Self::English),
            _ => None,
        }
    }

    /// The preferred one of an `Accept-Language`, the first where two weigh the same; English
    /// where neither is asked for.
    pub(super) fn accepted(field: &[u8]) -> Self {
        let mut best = (0.0, Self::English);
        for range in String::from_utf8_lossy(field).split(',') {
            let (tag, parameter) = range.split_once(';').unwrap_or((range, "q=1"));
            let primary = tag.trim().get(..2).unwrap_or_default().to_ascii_lowercase();
            let ends = tag.trim()[primary.len()..].chars().next().is_none_or(|c| c == '-');
            let weight = parameter.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
            match (Self::of_tag(primary.as_bytes()), weight) {
                (Some(language), Some(weight)) if ends && weight > best.0 => {
                    best = (weight, language);
                }
                _ => {}
            }
        }
        best.1
    }
}
