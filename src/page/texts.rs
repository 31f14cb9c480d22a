//! Every text of the page, in both languages.

use crate::charter::{Category, Language};
use crate::consent::State;

/// The texts of the page.
pub(super) struct Texts {
    pub(super) skip: &'static str,
    pub(super) back: &'static str,
    pub(super) languages: &'static str,
    pub(super) choose: &'static str,
    pub(super) explanation: &'static str,
    pub(super) accept: &'static str,
    pub(super) refuse: &'static str,
    pub(super) each: &'static str,
    pub(super) save: &'static str,
    pub(super) always: &'static str,
    pub(super) exempt: &'static str,
    pub(super) gpc: &'static str,
    pub(super) no_choice: &'static str,
    pub(super) cookies: &'static str,
    pub(super) saved: &'static str,
    pub(super) saved_title: &'static str,
    pub(super) not_kept: &'static str,
    pub(super) not_stored: &'static str,
    pub(super) error_title: &'static str,
    pub(super) not_recorded: &'static str,
    pub(super) not_recorded_title: &'static str,
    pub(super) charter_changed: &'static str,
    /// What each category of [`Category::BUILT_IN`] is for.
    pub(super) purposes: [&'static str; 5],
    /// By [`State`].
    pub(super) states: [&'static str; State::ALL.len()],
}

const FRENCH: Texts = Texts {
    skip: "Aller au contenu",
    back: "Retour au site",
    languages: "Langue de la page",
    choose: "Votre choix",
    explanation: "Vous pouvez accepter, refuser ou changer d'avis à tout moment sur cette page. Votre choix est conservé six mois au plus.",
    accept: "Tout accepter",
    refuse: "Tout refuser",
    each: "Choisir par catégorie",
    save: "Enregistrer ma sélection",
    always: "toujours actifs",
    exempt: "Le site ne fonctionne pas sans eux, ou ils sont exemptés de consentement.",
    gpc: "Refusés : votre navigateur demande, par le signal Global Privacy Control, que vos données ne soient ni vendues ni partagées.",
    no_choice: "Ce site n'a pas de cookie qui demande votre consentement : il n'y a rien à choisir.",
    cookies: "Les cookies de ce site",
    saved: "Votre choix est enregistré.",
    saved_title: "Choix enregistré",
    not_kept: "Votre navigateur n'a pas gardé votre choix : il n'accepte pas les cookies de ce site. Rien n'est autorisé.",
    not_stored: "Votre choix n'a pas pu être enregistré. Rien n'a changé ; veuillez réessayer plus tard.",
    error_title: "Choix non enregistré",
    not_recorded: "Votre refus s'applique, mais n'a pas pu être consigné.",
    not_recorded_title: "Refus appliqué, non consigné",
    charter_changed: "La charte de ce site a changé depuis que vous avez ouvert cette page, et votre choix n'a pas été enregistré. Veuillez la relire et choisir à nouveau.",
    purposes: [
        "Indispensables au service que vous demandez.",
        "Mesurer la fréquentation du site.",
        "Retenir vos préférences.",
        "Publicité et profilage.",
        "Contenus et services d'autres sites.",
    ],
    states: [
        "Vous avez tout accepté.",
        "Vous avez accepté une partie des catégories.",
        "Vous avez tout refusé.",
        "Vous n'avez pas encore choisi : rien de ce qui demande votre consentement n'est autorisé.",
        "Votre choix est trop ancien, ou répond à une question qui a changé : il ne compte plus, et rien de ce qui demande votre consentement n'est autorisé.",
        "Votre navigateur a gardé deux choix qui se contredisent : aucun ne compte. Veuillez choisir à nouveau.",
        "Le choix que votre navigateur a gardé est illisible et ne compte pas. Veuillez choisir à nouveau.",
    ],
};

const ENGLISH: Texts = Texts {
    skip: "Skip to content",
    back: "Back to the site",
    languages: "Language of this page",
    choose: "Your choice",
    explanation: "You can accept, refuse, or change your mind on this page at any time. Your choice is kept for six months at most.",
    accept: "Accept all",
    refuse: "Refuse all",
    each: "Choose by category",
    save: "Save my selection",
    always: "always on",
    exempt: "The site does not work without them, or they are exempt from consent.",
    gpc: "Refused: your browser asks, by the Global Privacy Control signal, that your data be neither sold nor shared.",
    no_choice: "This site has no cookie that needs your consent: there is nothing to choose.",
    cookies: "The cookies of this site",
    saved: "Your choice has been saved.",
    saved_title: "Choice saved",
    not_kept: "Your browser has not kept your choice: it takes no cookies from this site. Nothing is allowed.",
    not_stored: "Your choice could not be stored. Nothing has changed; please try again later.",
    error_title: "Choice not stored",
    not_recorded: "Your refusal applies, but could not be recorded.",
    not_recorded_title: "Refusal applied, not recorded",
    charter_changed: "The charter of this site has changed since you opened this page, and your choice has not been stored. Please read it again and choose again.",
    purposes: [
        "Indispensable for the service that you ask for.",
        "Measuring how the site is used.",
        "Remembering your preferences.",
        "Advertising and profiling.",
        "Content and services of other sites.",
    ],
    states: [
        "You have accepted everything.",
        "You have accepted some of the categories.",
        "You have refused everything.",
        "You have not chosen yet: nothing that needs your consent is allowed.",
        "Your choice is too old, or answers a question that has changed: it no longer counts, and nothing that needs your consent is allowed.",
        "Your browser holds two choices that contradict each other: neither counts. Please choose again.",
        "The choice that your browser holds cannot be read and does not count. Please choose again.",
    ],
};

pub(super) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::French => &FRENCH,
        Language::English => &ENGLISH,
    }
}

/// What visitors read of a category by its name, and what it is for where that is known.
pub(super) fn category(name: &str, language: Language) -> (&str, &'static str) {
    let place = Category::BUILT_IN.iter().position(|known| known.as_str() == name);
    let known = place.and_then(|place| {
        Some((*language.texts().categories.get(place)?, *texts(language).purposes.get(place)?))
    });
    known.unwrap_or((name, ""))
}
