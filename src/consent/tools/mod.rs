//! One file for each consent tool: what its cookies look like, and what of it is an answer.
//!
//! What is known of each format comes from the tools' own code and documentation, which the files
//! name. Where a site's own set-up decides, the configuration does; nothing is guessed.

mod axeptio;
mod complianz;
mod cookiebot;
mod cookieconsent;
mod cookieyes;
mod didomi;
mod django_cookie_consent;
mod eu_consent;
mod govuk;
mod gpp;
mod klaro;
mod matomo;
mod onetrust;
mod opendatasoft;
mod orejime;
mod tarteaucitron;
mod tcf;

pub(super) use axeptio::Axeptio;
pub(super) use complianz::Complianz;
pub(super) use cookiebot::Cookiebot;
pub(super) use cookieconsent::Cookieconsent;
pub(super) use cookieyes::Cookieyes;
pub(super) use didomi::Didomi;
pub(super) use django_cookie_consent::DjangoCookieConsent;
pub(super) use eu_consent::EuConsent;
pub(super) use govuk::Govuk;
pub(super) use gpp::Gpp;
pub(super) use klaro::Klaro;
pub(super) use matomo::Matomo;
pub(super) use onetrust::Onetrust;
pub(super) use opendatasoft::Opendatasoft;
pub(super) use orejime::Orejime;
pub(super) use tarteaucitron::Tarteaucitron;
pub(super) use tcf::Tcf;

#[cfg(test)]
mod testing;
